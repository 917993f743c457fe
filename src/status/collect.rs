//! Gathers the facts: manifests, ledgers, what was verified, locks, clocks, marks and the records of
//! jobs.
//!
//! What it asks for grows with the number of spaces and replicas, not with what is backed up: one
//! listing of manifests, marks, jobs, records of drills and data-subject requests a replica, one of the ledger and one result of verification
//! a space, and for replicas with Object Lock their listings and
//! [`Limits::status_locks`](crate::limits::Limits::status_locks) locks. Manifests and records of drills
//! that were read before come from the cache.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use chrono::{NaiveTime, SubsecRound as _, TimeDelta};
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::drills::Drills;
use super::erased::erased;
use super::erasures::{Places, endangered, erasures};
use super::facts::{
    Facts, JobFacts, LockFacts, Pending, PendingKind, Plan, Point, ReplicaFacts, RepositoryFacts,
    RequestCount, SnapshotFacts, TokenFacts,
};
use crate::clock::Timestamp;
use crate::config::{Config, Repository, SecretRef};
use crate::ids::{Name, SnapshotId};
use crate::limits::Limits;
use crate::locks::{LockReport, ReplicaLocks, SurveyOptions, survey};
use crate::objects::operation::Operation;
use crate::prismic::TokenDates;
use crate::progress::Problem;
use crate::retention::{Candidate, evaluate, is_of_partial, shrink_of};
use crate::vault::error::Result;
use crate::vault::format::ledger::Decision;
use crate::vault::format::request::RequestSummary;
use crate::vault::jobs::{self, Seen};
use crate::vault::layout;
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::replica::{Replica, with_causes};
use crate::vault::requests as vault_requests;
use crate::vault::snapshots::{Snapshot, Snapshots, is_about};
use crate::verification::{LastVerified, last_verified};

/// Fall in per cent that counts as one where no policy says: as [`RetentionPolicy`]'s default.
///
/// [`RetentionPolicy`]: crate::config::RetentionPolicy
const SHRINK: u32 = 30;

/// What is asked for, and what only the caller knows.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Only these repositories; empty: all of the configuration.
    pub repositories: Vec<Name>,
    /// The jobs whose files are here.
    pub jobs: Vec<ScheduledJob>,
    /// What this process asked of Prismic so far, by the name of the API.
    pub requests: BTreeMap<&'static str, u64>,
    /// How often it asked anybody again after a failure.
    pub retries: u64,
    /// Records of jobs that were read before, where this process looks again and again.
    pub seen: Arc<Seen>,
    /// Ends the look at locks early.
    pub cancel: CancellationToken,
}

/// A job whose file is here.
#[derive(Debug, Clone)]
pub struct ScheduledJob {
    /// Its name.
    pub job: Name,
    /// What it does, as in its file.
    pub does: &'static str,
    /// When and for what.
    pub plan: Plan,
}

/// Gathers the facts. Writes nothing but what every client remembers: the newest manifests.
///
/// # Errors
///
/// When no replica can be listed, or a manifest has a newer format. A replica that fails is a fact.
pub async fn collect(vault: &Vault, config: &Config, asked: &Asked) -> Result<Facts> {
    let at = vault.now().trunc_subsecs(0);
    let only = match asked.repositories.as_slice() {
        [only] => Some(only),
        _ => None,
    };
    let snapshots = Snapshots::load(vault, only).await?;
    // For its memory: who saw a head notices when it is cut off.
    snapshots.missing(vault)?;
    let is_asked =
        |own: &&Repository| asked.repositories.is_empty() || asked.repositories.contains(&own.name);
    let of: Vec<&Repository> = config.repositories.iter().filter(is_asked).collect();
    let complete: Vec<&Snapshot> =
        of.iter().flat_map(|own| snapshots.of(&own.name)).filter(|snapshot| snapshot.is_complete()).collect();
    let verified = last_verified(vault, &complete).await;
    let clocks = clocks(vault).await;
    let mut pending = pending(vault, at).await;
    let jobs = known_jobs(vault, asked).await;
    let (mut cases, unreadable_cases) = cases(vault).await?;
    let erased = erased(vault, &snapshots).await;
    let drills = Drills::load(vault, config, at).await?;
    let mut locks = locks(vault, &asked.cancel).await;
    let listed = members_listed(vault, &snapshots, &of, only).await?;
    let repositories = of.iter().map(|own| RepositoryFacts {
        members_listed: listed.get(&own.name).copied(),
        drill: drills.last_good(&own.name),
        failed_drill: drills.last_failed(&own.name),
        ..repository(own, config, &snapshots, &verified, vault.limits(), at)
    });
    let repositories = repositories.collect();
    let tokens = of.iter().flat_map(|own| tokens(own, &config.limits)).collect();
    // Last, when it is known who failed.
    pending.extend(erasures(&Places::of(vault), &snapshots));
    let endangered = endangered(vault, &snapshots, &cases, at);
    cases.retain(|case| !case.closed);
    let failed: BTreeMap<String, String> =
        vault.replicas.failed().into_iter().map(|(name, failure)| (name, failure.to_string())).collect();
    let replicas = config.replicas.iter().map(|own| {
        let name = own.name.to_string();
        let mut facts = ReplicaFacts {
            failure: failed.get(&name).cloned(),
            clock_offset_seconds: clocks.get(&name).copied(),
            locks: locks.remove(&name),
            ..ReplicaFacts::default()
        };
        if let Some(replica) = vault.replicas.named(&name).filter(|replica| replica.is_live()) {
            behind(&mut facts, replica, &snapshots);
        }
        ReplicaFacts { replica: name, ..facts }
    });
    Ok(Facts {
        at,
        repositories,
        replicas: replicas.collect(),
        jobs,
        tokens,
        pending,
        cases,
        endangered,
        unreadable_cases,
        erased,
        drills: drills.facts,
        requests: requests(vault, asked),
        retries: asked.retries,
    })
}

/// Data-subject requests, closed ones too. Who reads no catalogs knows of none.
async fn cases(vault: &Vault) -> Result<(Vec<RequestSummary>, Vec<Problem>)> {
    if vault.item_key().is_err() {
        return Ok((Vec::new(), Vec::new()));
    }
    vault_requests::summaries(vault).await
}

fn time(text: &str, otherwise: &SnapshotId) -> Timestamp {
    text.parse().unwrap_or_else(|_| otherwise.time())
}

fn taken(snapshot: &Snapshot) -> Timestamp {
    time(&snapshot.manifest.started, snapshot.id())
}

fn committed(snapshot: &Snapshot) -> Timestamp {
    time(&snapshot.manifest.finished, snapshot.id())
}

fn repository(
    own: &Repository,
    config: &Config,
    snapshots: &Snapshots,
    verified: &BTreeMap<SnapshotId, Vec<LastVerified>>,
    limits: &Limits,
    at: Timestamp,
) -> RepositoryFacts {
    let name = &own.name;
    // A clock that was wrong makes snapshots that stay the newest for years.
    let skew = TimeDelta::from_std(limits.clock_skew_max).unwrap_or_default();
    let of: Vec<&Snapshot> =
        snapshots.of(name).iter().filter(|snapshot| taken(snapshot) <= at + skew).collect();
    let partial: Vec<&&Snapshot> = of.iter().rev().take_while(|snapshot| !snapshot.is_complete()).collect();
    let max_shrink = config.retention_of(own).map_or(SHRINK, |policy| policy.max_shrink);
    let of_verified = |snapshot: &&&Snapshot| {
        let times = verified.get(snapshot.id()).filter(|times| !times.is_empty())?;
        // The oldest of the replicas; one that never was is none at all.
        let times: Option<Vec<Timestamp>> =
            times.iter().map(|one| one.bytes.as_ref()?.parse().ok()).collect();
        // The same: a verification of the future would count as fresh for as long.
        times?.into_iter().min().filter(|verified| *verified <= at + skew)
    };
    RepositoryFacts {
        repository: name.clone(),
        members_listed: None,
        snapshots: of.len() as u64,
        newest: of.last().map(|snapshot| facts_of(snapshot)),
        last_complete: of.iter().rev().find(|snapshot| snapshot.is_complete()).map(|one| facts_of(one)),
        oldest: of.iter().map(|snapshot| taken(snapshot)).min(),
        points: points(own, snapshots),
        verified: of.iter().filter_map(|snapshot| of_verified(&snapshot)).max(),
        drill: None,
        failed_drill: None,
        partial_in_a_row: partial.len() as u64,
        partial_since: partial.last().map(|snapshot| taken(snapshot)),
        shrink: shrink_of(snapshots, name, max_shrink, at),
        lost: snapshots.lost(name).len() as u64,
        removed_against_rules: removed_against_rules(own, config, snapshots, at),
        unreadable: snapshots.unreadable.iter().filter(|problem| is_about(problem, name)).count() as u64,
    }
}

/// When the members of each repository were last listed. Their lists are snapshots under names of their
/// own, which are not there when one repository was asked for.
async fn members_listed(
    vault: &Vault,
    snapshots: &Snapshots,
    of: &[&Repository],
    only: Option<&Name>,
) -> Result<BTreeMap<Name, Timestamp>> {
    let own = match only.and_then(Name::access_chain) {
        Some(chain) => Some(Snapshots::load(vault, Some(&chain)).await?),
        None => None,
    };
    let lists = own.as_ref().unwrap_or(snapshots);
    let newest =
        of.iter().filter_map(|own| Some((own.name.clone(), taken(lists.access_lists(&own.name).last()?))));
    Ok(newest.collect())
}

/// Returns removed snapshots that the rules of today would keep: somebody removed them by other rules,
/// or the rules keep more since. Those that pruning has deleted are not among them.
fn removed_against_rules(
    own: &Repository,
    config: &Config,
    snapshots: &Snapshots,
    at: Timestamp,
) -> Vec<SnapshotId> {
    let removed = snapshots.removed().iter().filter(|one| one.manifest.repository == own.name);
    let removed: BTreeSet<&SnapshotId> = removed.filter(|one| one.is_complete()).map(Snapshot::id).collect();
    let Some(policy) = config.retention_of(own).filter(|_| !removed.is_empty()) else { return Vec::new() };
    let there = snapshots.of(&own.name).iter().filter(|one| one.is_complete()).map(Snapshot::id);
    let all: BTreeSet<&SnapshotId> = there.chain(removed.iter().copied()).collect();
    let candidates: Vec<Candidate> = all
        .into_iter()
        .map(|id| Candidate { id: id.clone(), complete: true, kept_for: Vec::new() })
        .collect();
    let verdicts = evaluate(&policy, own.timezone, &candidates, at);
    let kept = candidates
        .iter()
        .zip(verdicts)
        .filter(|(one, verdict)| verdict.is_keep() && removed.contains(&one.id));
    kept.map(|(one, _)| one.id.clone()).collect()
}

fn facts_of(snapshot: &Snapshot) -> SnapshotFacts {
    let manifest = &snapshot.manifest;
    let counts = &manifest.counts;
    SnapshotFacts {
        snapshot: snapshot.id().clone(),
        status: manifest.status,
        taken: taken(snapshot),
        committed: committed(snapshot),
        documents: counts.documents.stored,
        assets: counts.assets.stored,
        models: counts.models.stored,
        bytes: counts.bytes(),
        added_items: manifest.added.items,
        added_bytes: manifest.added.stored_bytes,
        gaps: manifest.gaps.len() as u64,
        on: snapshot.on.clone(),
    }
}

/// Complete snapshots that are there, and those that retention let go: what was thinned out was
/// there in its time.
fn points(own: &Repository, snapshots: &Snapshots) -> Vec<Point> {
    let name = &own.name;
    let removed = snapshots.removed().iter().filter(|snapshot| snapshot.manifest.repository == *name);
    let known: Vec<&Snapshot> = snapshots.of(name).iter().chain(removed).collect();
    let ids: HashSet<&SnapshotId> = known.iter().map(|snapshot| snapshot.id()).collect();
    let mut spaces: BTreeSet<&Name> = known.iter().map(|snapshot| &snapshot.manifest.space).collect();
    spaces.insert(&own.space);
    let entries = spaces.iter().filter_map(|space| snapshots.ledger(space)).flat_map(Ledger::entries);
    let pruned = entries.filter_map(|entry| match &entry.decision {
        Decision::Removal { repository, snapshots, replicas: None } if repository == name => Some(snapshots),
        _ => None,
    });
    let pruned = pruned.flatten().filter(|removed| !is_of_partial(&removed.rule));
    let pruned: BTreeSet<&SnapshotId> =
        pruned.filter_map(|removed| removed.snapshot.as_ref()).filter(|id| !ids.contains(id)).collect();
    let known = known.iter().filter(|snapshot| snapshot.is_complete());
    known
        .map(|snapshot| Point { taken: taken(snapshot), committed: committed(snapshot) })
        .chain(pruned.into_iter().map(|id| Point { taken: id.time(), committed: id.time() }))
        .collect()
}

/// Counts what a replica lacks of what it is to hold.
fn behind(facts: &mut ReplicaFacts, replica: &Replica, snapshots: &Snapshots) {
    for snapshot in snapshots.iter().filter(|snapshot| snapshot.is_wanted_on(replica)) {
        facts.wanted += 1;
        if !snapshot.on.contains(&replica.name) {
            facts.missing += 1;
            let taken = taken(snapshot);
            facts.missing_since = Some(facts.missing_since.map_or(taken, |since| since.min(taken)));
        }
    }
}

/// Seconds that the clock here is ahead of those of the stores, by replica.
async fn clocks(vault: &Vault) -> BTreeMap<String, i64> {
    let asked = vault.replicas.live().map(|replica| async move {
        let before = vault.now();
        (replica, replica.store.server_time().await, before)
    });
    let mut offsets = BTreeMap::new();
    for (replica, time, before) in join_all(asked).await {
        match time {
            // Half of what passed while it answered, at most, is the way.
            Ok(Some(time)) => {
                offsets.insert(replica.name.clone(), before.signed_duration_since(time).num_seconds());
            }
            Ok(None) => {}
            Err(error) => replica.fail(error),
        }
    }
    offsets
}

/// What pruning marked, by replica and space: the oldest mark of each.
async fn pending(vault: &Vault, at: Timestamp) -> Vec<Pending> {
    let limits = vault.limits();
    let listed = vault
        .replicas
        .live()
        .map(|replica| async move { (replica, replica.store.list(layout::MARKS).await) });
    let mut pending = Vec::new();
    for (replica, listed) in join_all(listed).await {
        let objects = match listed {
            Ok(objects) => objects,
            Err(error) => {
                replica.fail(error);
                continue;
            }
        };
        let mut oldest: BTreeMap<String, Timestamp> = BTreeMap::new();
        for object in &objects {
            let Some((space, id)) = layout::scope(&object.key).zip(layout::parse_entry(&object.key)) else {
                continue;
            };
            // By its own name: what a store says of its age changes when it is copied.
            let since = oldest.entry(space.to_owned()).or_insert(at);
            *since = (*since).min(id.time());
        }
        let grace = TimeDelta::from_std(limits.grace()).unwrap_or_default();
        let longest = replica.store.lock_rule().map_or(grace, |rule| rule.window.max(grace));
        let slack = TimeDelta::from_std(limits.deletion_slack).unwrap_or_default();
        pending.extend(oldest.into_iter().map(|(space, since)| Pending {
            kind: PendingKind::Deletion,
            replica: replica.name.clone(),
            subject: space,
            since,
            due: since + longest + slack,
        }));
    }
    pending
}

/// Jobs that are scheduled here, and those that some scheduler knows.
async fn known_jobs(vault: &Vault, asked: &Asked) -> Vec<JobFacts> {
    let mut records = jobs::load_all(vault, |_| true, &asked.seen).await;
    let scheduled: BTreeMap<&Name, &ScheduledJob> = asked.jobs.iter().map(|own| (&own.job, own)).collect();
    let names: BTreeSet<Name> = records.keys().chain(scheduled.keys().copied()).cloned().collect();
    let facts = names.into_iter().filter_map(|job| {
        let record = records.remove(&job).map(Arc::unwrap_or_clone);
        let own = scheduled.get(&job);
        // One that is neither here nor can be read says nothing.
        let does = own.map(|own| own.does.to_owned()).or_else(|| Some(record.as_ref()?.does.clone()))?;
        Some(JobFacts { does, plan: own.map(|own| own.plan.clone()), record, job })
    });
    facts.collect()
}

/// Looks at a few locks of each replica that has them.
async fn locks(vault: &Vault, cancel: &CancellationToken) -> BTreeMap<String, LockFacts> {
    let with_rule =
        |replica: &Replica| Some((replica.name.clone(), replica.store.lock_rule()?.window.num_days()));
    let windows: BTreeMap<String, i64> = vault.replicas.live().filter_map(with_rule).collect();
    if windows.is_empty() {
        return BTreeMap::new();
    }
    let options = SurveyOptions {
        replicas: windows.keys().cloned().collect(),
        sample: Some(vault.limits().status_locks),
        places: false,
        cancel: cancel.clone(),
    };
    let found = survey(vault, &options).await;
    windows
        .into_iter()
        .map(|(name, window_days)| (name.clone(), of_survey(&name, window_days, &found)))
        .collect()
}

fn of_survey(name: &str, window_days: i64, found: &Result<LockReport>) -> LockFacts {
    let nothing = |failure| LockFacts { window_days, days_left: None, failure: Some(failure) };
    match found {
        Err(error) => nothing(with_causes(error)),
        Ok(report) => match report.replicas.iter().find(|own| own.replica == name) {
            None => nothing("it could not be asked".to_owned()),
            Some(ReplicaLocks { days_left, .. }) => {
                LockFacts { window_days, days_left: *days_left, failure: None }
            }
        },
    }
}

/// The tokens of a repository of which anything is known. One that a command prints is not fetched:
/// it may ask a person.
fn tokens(own: &Repository, limits: &Limits) -> Vec<TokenFacts> {
    let tokens = [
        ("access_token", &own.access_token, own.access_token_issued),
        ("write_token", &own.write_token, own.write_token_issued),
    ];
    let facts = tokens.into_iter().filter_map(|(token, reference, day)| {
        let reference = reference.as_ref()?;
        let told = match reference {
            SecretRef::Command { .. } => None,
            _ => reference.resolve(limits).ok().map(|secret| TokenDates::of(&secret)),
        };
        let dates = told.unwrap_or_default();
        let issued = dates.issued.or_else(|| Some(day?.and_time(NaiveTime::MIN).and_utc()));
        (issued.is_some() || dates.ends.is_some()).then(|| TokenFacts {
            repository: own.name.clone(),
            token,
            issued,
            ends: dates.ends,
        })
    });
    facts.collect()
}

/// The request that an operation is, in one word.
fn word(operation: Operation) -> &'static str {
    match operation {
        Operation::Put => "put",
        Operation::Get | Operation::GetRange | Operation::GetVersion | Operation::GetRangeVersion => "get",
        Operation::Head | Operation::HeadVersion => "head",
        Operation::List | Operation::ListVersions => "list",
        Operation::Delete | Operation::DeleteVersion => "delete",
        Operation::LockOf | Operation::ExtendLock => "lock",
        Operation::ServerTime | Operation::PlaceFacts => "other",
    }
}

/// What this process asked of APIs and replicas, without what it never asked.
fn requests(vault: &Vault, asked: &Asked) -> Vec<RequestCount> {
    let apis = asked.requests.iter().map(|(api, count)| RequestCount {
        of: (*api).to_owned(),
        operation: "get".to_owned(),
        count: *count,
    });
    let mut counts: Vec<RequestCount> = apis.collect();
    counts.extend(replica_requests(vault));
    counts.retain(|count| count.count > 0);
    counts
}

/// What was asked of each replica since this vault was opened.
pub fn replica_requests(vault: &Vault) -> Vec<RequestCount> {
    let mut counts = Vec::new();
    for replica in vault.replicas.all() {
        let own = replica.counts();
        let mut verbs: BTreeMap<&str, u64> = BTreeMap::new();
        for operation in Operation::ALL {
            *verbs.entry(word(operation)).or_default() += own.of(operation);
        }
        counts.extend(verbs.into_iter().map(|(verb, count)| RequestCount {
            of: format!("replica {}", replica.name),
            operation: verb.to_owned(),
            count,
        }));
    }
    counts
}
