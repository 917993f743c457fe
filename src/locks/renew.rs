//! The rolling window: locks of live objects are made longer at half time.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::live::{Target, holdings};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::VaultId;
use crate::objects::{ErrorKind as StoreKind, LockRule};
use crate::progress::{Phase, Progress};
use crate::replication::uncover;
use crate::vault::clocks;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::memory::RememberedLocks;
use crate::vault::open::Vault;
use crate::vault::replica::{Replica, with_causes};
use crate::vault::see_through::Hidden;

/// Refusals after which a replica is not asked any more: what one permission forbids, it forbids for
/// all objects.
const REFUSALS_MAX: usize = 3;

/// What renewing would do.
#[derive(Debug, Clone, Serialize)]
pub struct RenewalPlan {
    /// Vault it was made for.
    pub vault: VaultId,
    /// One for each replica with Object Lock, or on which somebody hid something.
    pub replicas: Vec<ReplicaRenewal>,
}

/// What renewing would do on one replica.
#[derive(Debug, Clone, Serialize)]
pub struct ReplicaRenewal {
    /// Name of the replica.
    pub replica: String,
    /// Days that live objects are locked for; `None` without Object Lock.
    pub days: Option<i64>,
    /// Live objects.
    pub live: u64,
    /// Those whose lock this client knows to last for more than half the window.
    pub not_due: u64,
    /// Those whose lock it knows to end before.
    pub due: u64,
    /// Those whose lock it does not know: they are asked for first.
    pub unknown: u64,
    /// Live objects that somebody hid: they are uncovered.
    pub uncover: Vec<Hidden>,
    /// About how many requests it costs at most.
    pub requests: RenewalRequests,
    #[serde(skip)]
    work: Vec<(Target, Option<Timestamp>)>,
    #[serde(skip)]
    rule: Option<LockRule>,
}

/// Requests to one replica.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RenewalRequests {
    /// Lists, a thousand versions each.
    pub list: u64,
    /// Locks that are read, before and after they are made longer.
    pub get: u64,
    /// Locks that are made longer.
    pub put: u64,
    /// Delete markers and hiding versions that are deleted.
    pub delete: u64,
}

/// How renewing is done.
#[derive(Clone)]
pub struct RenewOptions<'a> {
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
    /// Ends it between two objects.
    pub cancel: CancellationToken,
}

/// What renewing did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RenewalReport {
    /// One for each replica of the plan.
    pub replicas: Vec<ReplicaRenewed>,
}

/// What renewing did on one replica.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReplicaRenewed {
    /// Name of the replica.
    pub replica: String,
    /// Keys that were uncovered.
    pub uncovered: Vec<String>,
    /// Live objects.
    pub live: u64,
    /// Locks that were read to know whether they are due.
    pub asked: u64,
    /// Locks that were made longer and read back.
    pub renewed: u64,
    /// Key and reason of what failed, sorted.
    pub failed: Vec<(String, String)>,
    /// Why it was given up, where the replica refuses.
    pub refused: Option<String>,
    /// When the first lock of a live object ends, RFC 3339.
    pub shortest_until: Option<String>,
}

impl ReplicaRenewed {
    /// Whether every live object is locked and seen.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.refused.is_none()
    }
}

impl RenewalReport {
    /// Whether every live object of every replica is locked and seen.
    pub fn is_complete(&self) -> bool {
        self.replicas.iter().all(ReplicaRenewed::is_complete)
    }
}

/// Says what renewing would do, by listings and by what this client remembers of locks. Writes
/// nothing.
///
/// # Errors
///
/// When no replica can be read, or no identity that reads catalogs is here.
pub async fn plan_renewal(vault: &Vault) -> Result<RenewalPlan> {
    let concerns = |replica: &Replica| replica.store.lock_rule().is_some() || !replica.hidden().is_empty();
    let found = holdings(vault, concerns).await?;
    let remembered = vault.remembered_locks();
    let mut plan = RenewalPlan { vault: vault.file.vault, replicas: Vec::new() };
    for (at, holdings) in found {
        let replica = &vault.replicas.all()[at];
        let rule = replica.store.lock_rule();
        let now = match clocks::of(vault, replica).await {
            Ok(now) => now,
            Err(error) => {
                replica.fail(error);
                continue;
            }
        };
        let mut own = ReplicaRenewal {
            replica: replica.name.clone(),
            days: rule.map(|rule| rule.window.num_days()),
            live: holdings.live.len() as u64,
            not_due: 0,
            due: 0,
            unknown: 0,
            uncover: holdings.hidden,
            requests: RenewalRequests::default(),
            work: Vec::new(),
            rule,
        };
        for target in holdings.live.into_iter().filter(|_| rule.is_some()) {
            let known = replica.id().and_then(|id| remembered.until(&id, &target.key, &target.version));
            match known {
                Some(until) if rule.is_some_and(|rule| !is_due(rule, until, now)) => own.not_due += 1,
                Some(_) => own.due += 1,
                None => own.unknown += 1,
            }
            own.work.push((target, known));
        }
        let hiding = own.uncover.iter().map(|hidden| hidden.by.len() as u64).sum();
        own.requests = RenewalRequests {
            list: 1 + holdings.listed / 1000 + 2 * own.uncover.len() as u64,
            get: own.unknown + 2 * (own.unknown + own.due),
            put: own.unknown + own.due,
            delete: hiding,
        };
        plan.replicas.push(own);
    }
    Ok(plan)
}

/// Whether less than half the window is left.
fn is_due(rule: LockRule, until: Timestamp, now: Timestamp) -> bool {
    until.signed_duration_since(now) < rule.window / 2
}

/// Uncovers what is hidden and makes locks longer, on all replicas of the plan, one after the other.
///
/// # Errors
///
/// [`ErrorKind::Refused`] for a plan of another vault; [`ErrorKind::Cancelled`]. What fails on a
/// replica is in the report.
pub async fn renew(vault: &Vault, plan: &RenewalPlan, options: &RenewOptions<'_>) -> Result<RenewalReport> {
    if plan.vault != vault.file.vault {
        return Err(VaultError::new(ErrorKind::Refused, "this plan was made for another vault"));
    }
    let mut report = RenewalReport::default();
    let mut remembered = vault.remembered_locks();
    let all = plan.replicas.iter().map(|own| (own.uncover.len() + own.work.len()) as u64).sum();
    options.progress.start(Phase::Lock, Some(all));
    for own in &plan.replicas {
        let Some(replica) = vault.replicas.named(&own.replica).filter(|replica| replica.is_live()) else {
            continue;
        };
        let mut done = ReplicaRenewed { replica: own.replica.clone(), live: own.live, ..Default::default() };
        for hidden in &own.uncover {
            if options.cancel.is_cancelled() {
                return Err(VaultError::cancelled());
            }
            match uncover(vault, replica, &hidden.key).await {
                Ok(()) => done.uncovered.push(hidden.key.clone()),
                Err(error) => done.failed.push((hidden.key.clone(), with_causes(&error))),
            }
            options.progress.advance(Phase::Lock, 1, 0);
        }
        if let Some(rule) = own.rule {
            renew_on(vault, replica, rule, own, options, &mut done, &mut remembered).await?;
        }
        done.failed.sort();
        report.replicas.push(done);
        // What was found out so far is of use even if the next replica takes for ever.
        if let Err(error) = vault.remember_locks(&remembered) {
            tracing::warn!(error = %with_causes(&error), "locks are not remembered, so the next run asks for all");
        }
    }
    options.progress.finish(Phase::Lock);
    if options.cancel.is_cancelled() { Err(VaultError::cancelled()) } else { Ok(report) }
}

/// What came of one object.
struct Renewed {
    until: Timestamp,
    asked: bool,
    extended: bool,
}

async fn renew_on(
    vault: &Vault,
    replica: &Replica,
    rule: LockRule,
    own: &ReplicaRenewal,
    options: &RenewOptions<'_>,
    done: &mut ReplicaRenewed,
    remembered: &mut RememberedLocks,
) -> Result<()> {
    let now = clocks::of(vault, replica).await?;
    let mut locks: BTreeMap<String, i64> = BTreeMap::new();
    let mut shortest: Option<Timestamp> = None;
    let mut refusals = 0;
    let mut results = stream::iter(own.work.iter())
        .take_while(|_| std::future::ready(!options.cancel.is_cancelled()))
        .map(|(target, known)| async move { (target, renew_one(replica, rule, target, *known, now).await) })
        .buffer_unordered(vault.limits().store_concurrency);
    while let Some((target, result)) = results.next().await {
        options.progress.advance(Phase::Lock, 1, 0);
        match result {
            Ok(Renewed { until, asked, extended }) => {
                refusals = 0;
                done.asked += u64::from(asked);
                done.renewed += u64::from(extended);
                shortest = Some(shortest.map_or(until, |shortest| shortest.min(until)));
                locks.insert(RememberedLocks::name(&target.key, &target.version), until.timestamp());
            }
            Err(error) => {
                let kind = error.kind;
                done.failed.push((target.key.clone(), with_causes(&error)));
                let is_refusal = matches!(kind, ErrorKind::Store(StoreKind::Denied | StoreKind::Unsupported));
                refusals += usize::from(is_refusal);
                if refusals >= REFUSALS_MAX {
                    done.refused = Some(with_causes(&error));
                    break;
                }
            }
        }
    }
    drop(results);
    done.shortest_until = shortest.map(rfc3339);
    if let Some(id) = replica.id() {
        // Those of a run that was stopped are added to what was known; those of a whole run are all.
        let is_whole = !options.cancel.is_cancelled() && done.refused.is_none();
        remembered.keep(id, locks, is_whole);
    }
    Ok(())
}

/// Makes a lock longer if it is due, and reads it back.
async fn renew_one(
    replica: &Replica,
    rule: LockRule,
    target: &Target,
    known: Option<Timestamp>,
    now: Timestamp,
) -> Result<Renewed> {
    let (key, version) = (&target.key, &target.version);
    let until = match known {
        Some(until) => Some(until),
        None => replica.store.lock_of(key, version).await?.and_then(|lock| lock.until()),
    };
    let asked = known.is_none();
    if let Some(until) = until.filter(|until| !is_due(rule, *until, now)) {
        return Ok(Renewed { until, asked, extended: false });
    }
    let wanted = rule.at(now).until;
    replica.store.extend_lock(key, version, wanted).await?;
    let found = replica.store.lock_of(key, version).await?.and_then(|lock| lock.until());
    match found.filter(|found| *found + TimeDelta::seconds(1) >= wanted) {
        Some(until) => Ok(Renewed { until, asked, extended: true }),
        None => Err(VaultError::damaged(
            key,
            &replica.store,
            format!(
                "the store said that it is locked until {}, and it is {}",
                rfc3339(wanted),
                found.map_or_else(|| "not locked".to_owned(), |until| format!("until {}", rfc3339(until)))
            ),
        )),
    }
}
