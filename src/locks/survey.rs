//! What the store really locks, compared with what was promised.

use chrono::TimeDelta;
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::live::{Holdings, Target, holdings};
use super::place::{self, PlaceFinding};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::Digest;
use crate::objects::{ErrorKind as StoreKind, Lock, LockMode, LockRule};
use crate::vault::clocks;
use crate::vault::error::Result;
use crate::vault::open::Vault;
use crate::vault::replica::{Replica, with_causes};

/// What is looked at.
#[derive(Debug, Clone)]
pub struct SurveyOptions {
    /// Only these replicas; empty: all.
    pub replicas: Vec<String>,
    /// At most so many versions of each replica, other ones each day; `None`: all.
    pub sample: Option<usize>,
    /// Whether everything about the settings of places is told, also of those without Object Lock;
    /// else only what is wrong with those that have it.
    pub places: bool,
    /// Ends it between two objects.
    pub cancel: CancellationToken,
}

/// What a replica promises of its live objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Promise {
    /// Mode of each lock.
    pub mode: LockMode,
    /// Longest lock, from now on.
    pub days: i64,
}

/// What is wrong with a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockProblem {
    /// A live object without any lock, or whose lock has ended.
    Unlocked,
    /// Less than a quarter of the window is left: it was not renewed at half time.
    Shorter,
    /// It lasts for longer than the window, and so past an erasure.
    Longer,
    /// It is in the other mode.
    OtherMode,
    /// It is under a legal hold, which has no end.
    LegalHold,
    /// It cannot be read.
    NotKnown,
}

/// A lock that is not as promised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LockFinding {
    /// What is wrong.
    pub problem: LockProblem,
    /// Key of the object.
    pub key: String,
    /// One sentence for people.
    pub detail: String,
}

/// What was found on all replicas.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LockReport {
    /// One for each replica with Object Lock, or whose settings were asked for.
    pub replicas: Vec<ReplicaLocks>,
}

/// What was found on one replica.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReplicaLocks {
    /// Its name.
    pub replica: String,
    /// What is promised of it; `None` without Object Lock.
    pub promise: Option<Promise>,
    /// Live objects.
    pub live: u64,
    /// Versions whose lock was read, live ones and others.
    pub asked: u64,
    /// Versions in all.
    pub versions: u64,
    /// When the first lock of a live object ends, of those that were asked for, RFC 3339.
    pub shortest_until: Option<String>,
    /// Whole days until then.
    pub days_left: Option<i64>,
    /// Locks that are not as promised, sorted.
    pub findings: Vec<LockFinding>,
    /// What the settings of the bucket mean for the vault.
    pub place: Vec<PlaceFinding>,
}

impl ReplicaLocks {
    /// Whether all is as promised; notes do not count.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty() && self.place.iter().all(|finding| !finding.is_wrong())
    }
}

impl LockReport {
    /// Whether all is as promised.
    pub fn is_good(&self) -> bool {
        self.replicas.iter().all(ReplicaLocks::is_good)
    }
}

/// Clocks differ, and so may the moment at which an object was put.
const SLACK: TimeDelta = TimeDelta::hours(1);

/// Reads the locks of objects and compares them with what was promised. Writes nothing.
///
/// # Errors
///
/// When no replica can be read, or no identity that reads catalogs is here.
pub async fn survey(vault: &Vault, options: &SurveyOptions) -> Result<LockReport> {
    let includes =
        |replica: &Replica| options.replicas.is_empty() || options.replicas.contains(&replica.name);
    let has_locks = |replica: &Replica| includes(replica) && replica.store.lock_rule().is_some();
    let mut report = LockReport::default();
    for (at, holdings) in holdings(vault, has_locks).await? {
        let replica = &vault.replicas.all()[at];
        match survey_one(vault, replica, holdings, options).await {
            Ok(own) => report.replicas.push(own),
            Err(error) => replica.fail(error),
        }
    }
    for replica in vault.replicas.live().filter(|replica| includes(replica)) {
        let known = report.replicas.iter_mut().find(|own| own.replica == replica.name);
        let rule = replica.store.lock_rule();
        match known {
            Some(own) => {
                own.place = place::look(replica, rule).await;
                // Who did not ask is told only what is wrong.
                own.place.retain(|finding| options.places || finding.is_wrong());
            }
            None if options.places => {
                let place = place::look(replica, rule).await;
                report.replicas.push(ReplicaLocks {
                    replica: replica.name.clone(),
                    place,
                    ..ReplicaLocks::default()
                });
            }
            None => {}
        }
    }
    Ok(report)
}

async fn survey_one(
    vault: &Vault,
    replica: &Replica,
    holdings: Holdings,
    options: &SurveyOptions,
) -> Result<ReplicaLocks> {
    let mut own = ReplicaLocks {
        replica: replica.name.clone(),
        live: holdings.live.len() as u64,
        versions: (holdings.live.len() + holdings.others.len()) as u64,
        ..ReplicaLocks::default()
    };
    let Some(rule) = replica.store.lock_rule() else { return Ok(own) };
    own.promise = Some(Promise { mode: rule.mode, days: rule.window.num_days() });
    let now = clocks::of(vault, replica).await?;
    let live = holdings.live.into_iter().map(|target| (target, true));
    let all = live.chain(holdings.others.into_iter().map(|target| (target, false))).collect();
    let chosen = sample(all, options.sample, now);
    let mut shortest: Option<Timestamp> = None;
    let mut asked = stream::iter(chosen)
        .take_while(|_| std::future::ready(!options.cancel.is_cancelled()))
        .map(|(target, is_live)| async move {
            let lock = replica.store.lock_of(&target.key, &target.version).await;
            (target, is_live, lock)
        })
        .buffer_unordered(vault.limits().store_concurrency);
    while let Some((target, is_live, lock)) = asked.next().await {
        own.asked += 1;
        let problems = match lock {
            Ok(lock) => {
                if is_live {
                    let until = lock.and_then(|lock| lock.until()).unwrap_or(now);
                    shortest = Some(shortest.map_or(until, |shortest| shortest.min(until)));
                }
                problems(rule, lock, is_live, now)
            }
            // It was deleted meanwhile.
            Err(error) if error.kind == StoreKind::NotFound => Vec::new(),
            Err(error) => vec![(LockProblem::NotKnown, with_causes(&error))],
        };
        own.findings.extend(problems.into_iter().map(|(problem, detail)| LockFinding {
            problem,
            key: target.key.clone(),
            detail,
        }));
    }
    own.findings.sort();
    own.days_left = shortest.map(|until| until.signed_duration_since(now).num_days().max(0));
    own.shortest_until = shortest.map(rfc3339);
    Ok(own)
}

/// Takes so many, other ones each day, the same ones on one day.
fn sample(mut all: Vec<(Target, bool)>, most: Option<usize>, now: Timestamp) -> Vec<(Target, bool)> {
    let Some(most) = most.filter(|most| *most < all.len()) else { return all };
    let day = now.date_naive();
    all.sort_by_cached_key(|(target, _)| {
        Digest::of(format!("{day} {} {}", target.key, target.version).as_bytes())
    });
    all.truncate(most);
    all
}

/// Says what is wrong with a lock; of what is not live only what would outlive an erasure.
fn problems(rule: LockRule, lock: Option<Lock>, is_live: bool, now: Timestamp) -> Vec<(LockProblem, String)> {
    let mut found = Vec::new();
    let days = rule.window.num_days();
    let retention = lock.and_then(|lock| lock.retention).filter(|retention| retention.until > now);
    match retention {
        None if is_live => {
            let why = match lock.and_then(|lock| lock.until()) {
                Some(until) => format!("its lock ended {}", rfc3339(until)),
                None => "it is not locked".to_owned(),
            };
            found.push((LockProblem::Unlocked, format!("{why}; `prismvault prune` renews it")));
        }
        None => {}
        Some(retention) => {
            let until = rfc3339(retention.until);
            if is_live && retention.until.signed_duration_since(now) < rule.window / 4 {
                let why = format!(
                    "it is locked until {until} only, less than a quarter of {days} days; run `prismvault prune` more often"
                );
                found.push((LockProblem::Shorter, why));
            }
            if retention.until.signed_duration_since(now) > rule.window + SLACK {
                let why = format!(
                    "it is locked until {until}, longer than the {days} days of the configuration: an erasure waits for it"
                );
                found.push((LockProblem::Longer, why));
            }
            if retention.mode != rule.mode {
                let why = format!("it is locked in the mode {}, not {}", retention.mode, rule.mode);
                found.push((LockProblem::OtherMode, why));
            }
        }
    }
    if lock.is_some_and(|lock| lock.legal_hold) {
        let why = "it is under a legal hold, which has no end: no erasure reaches it".to_owned();
        found.push((LockProblem::LegalHold, why));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Retention;

    #[test]
    fn a_lock_is_compared_with_what_was_promised() {
        let now: Timestamp = "2026-11-21T02:00:00Z".parse().unwrap();
        let rule = LockRule { mode: LockMode::Governance, window: TimeDelta::days(16) };
        let lock = |days, mode, legal_hold| {
            let retention = Some(Retention { mode, until: now + TimeDelta::days(days) });
            Some(Lock { retention, legal_hold })
        };
        let held = Some(Lock { retention: None, legal_hold: true });
        use LockMode::{Compliance, Governance};
        use LockProblem::{LegalHold, Longer, OtherMode, Shorter, Unlocked};
        for (lock, live, other) in [
            (lock(16, Governance, false), &[][..], &[][..]),
            (lock(4, Governance, false), &[], &[]),
            (lock(3, Governance, false), &[Shorter], &[]),
            (lock(0, Governance, false), &[Unlocked], &[]),
            (None, &[Unlocked], &[]),
            (held, &[Unlocked, LegalHold], &[LegalHold]),
            (lock(17, Governance, false), &[Longer], &[Longer]),
            (
                lock(36_500, Compliance, true),
                &[Longer, OtherMode, LegalHold],
                &[Longer, OtherMode, LegalHold],
            ),
        ] {
            for (is_live, expected) in [(true, live), (false, other)] {
                let found: Vec<LockProblem> =
                    problems(rule, lock, is_live, now).into_iter().map(|(problem, _)| problem).collect();
                assert_eq!(found, expected, "{lock:?}, {is_live}");
            }
        }
    }

    #[test]
    fn samples_are_other_ones_each_day_and_reach_everything() {
        let now: Timestamp = "2026-11-21T02:00:00Z".parse().unwrap();
        let all = || -> Vec<(Target, bool)> {
            let target = |n| Target { key: format!("k{n}"), version: crate::objects::VersionId::null() };
            (0..20).map(|n| (target(n), true)).collect()
        };
        let keys = |day| -> std::collections::BTreeSet<String> {
            let chosen = sample(all(), Some(5), now + TimeDelta::days(day));
            chosen.into_iter().map(|(target, _)| target.key).collect()
        };
        assert_eq!((keys(0).len(), keys(0)), (5, keys(0)));
        let reached: std::collections::BTreeSet<String> = (0..60).flat_map(keys).collect();
        assert_eq!(reached.len(), 20);
        assert_eq!(sample(all(), Some(20), now).len(), 20);
    }
}
