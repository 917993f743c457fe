//! People who were erased, and whether anybody looks for them since.
//!
//! Whoever tells alarms reads no cases: orders are in the ledger, and what privacy officers found when they looked
//! is in the vault without personal data.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::alarms::{Alarm, Severity};
use super::assess::in_words;
use super::facts::{ErasedFacts, Facts};
use crate::clock::Timestamp;
use crate::ids::{CaseId, Name};
use crate::limits::Limits;
use crate::vault::erasure_checks;
use crate::vault::format::erasure_checks::{CaseCheck, Next};
use crate::vault::format::order::Change;
use crate::vault::open::Vault;
use crate::vault::snapshots::Snapshots;

/// Gathers what is known of erasures.
pub async fn erased(vault: &Vault, snapshots: &Snapshots) -> ErasedFacts {
    let spaces: BTreeSet<&Name> = snapshots.iter().map(|snapshot| &snapshot.manifest.space).collect();
    let mut first: BTreeMap<&CaseId, Timestamp> = BTreeMap::new();
    for ledger in spaces.into_iter().filter_map(|space| snapshots.ledger(space)) {
        for known in ledger.erased().orders() {
            // Who was corrected is still there.
            let erases = |change: Change| matches!(change, Change::Masked | Change::Removed);
            if known.order.items.iter().any(|item| erases(item.change)) {
                let since = first.entry(&known.order.case).or_insert(known.entry.time());
                *since = (*since).min(known.entry.time());
            }
        }
    }
    ErasedFacts {
        cases: first.len() as u64,
        since: first.values().min().copied(),
        checks: erasure_checks::load(vault).await,
    }
}

/// People who are there again, and that nobody looks although a job is to.
pub(super) fn alarms(facts: &Facts, limits: &Limits, now: Timestamp) -> Vec<Alarm> {
    let cases = facts.erased.checks.cases.iter();
    let found = cases.filter(|(_, check)| check.places() > 0);
    found.map(|(case, check)| again(case, check)).chain(unchecked(facts, limits, now)).collect()
}

fn again(case: &CaseId, check: &CaseCheck) -> Alarm {
    let (severity, what) = match check.next {
        Next::Erase => (Severity::Warning, "is still there"),
        Next::Search | Next::Close | Next::Reopen => (Severity::Critical, "is there again"),
    };
    let what = format!(
        "whoever was erased in case {case} {what}: {} places live, {} in {} snapshots",
        check.live, check.stored, check.snapshots
    );
    let next = format!("whoever works on requests: {}", check.next.command(case));
    Alarm::new(format!("erased-again:{case}"), severity, what, next).since(check.since)
}

/// That the last whole look is older than twice the time between two runs of its job. Who has no such job was
/// not asked to look.
fn unchecked(facts: &Facts, limits: &Limits, now: Timestamp) -> Option<Alarm> {
    let erased = &facts.erased;
    let jobs: Vec<_> = facts.jobs.iter().filter(|job| job.looks_for_erased()).collect();
    if erased.is_nobody() || jobs.is_empty() {
        return None;
    }
    let every = jobs.iter().filter_map(|job| job.plan.as_ref()?.every).min();
    let advised = TimeDelta::from_std(limits.erased_look_age_advised).unwrap_or(TimeDelta::MAX);
    let age = every.and_then(|every| every.checked_mul(2)).unwrap_or(advised);
    // Before the job was there, and before there was anybody to look for, nobody could.
    let known: Option<Timestamp> =
        jobs.iter().filter_map(|job| job.record.as_ref()?.known_since.parse().ok()).min();
    let begin = match erased.checks.whole {
        Some(whole) => whole,
        None => known?.max(erased.since.unwrap_or(known?)),
    };
    let due = begin.checked_add_signed(age)?;
    let what = match erased.checks.whole {
        Some(_) => format!(
            "it is {} ago that all people who were erased from this vault were looked for everywhere",
            in_words(now.signed_duration_since(begin))
        ),
        None => "people who were erased from this vault were never looked for everywhere".to_owned(),
    };
    let next = "whoever works on requests: prismvault privacy check";
    let alarm = Alarm::new("erased-unchecked:vault".to_owned(), Severity::Warning, what, next);
    (now > due).then(|| alarm.since(Some(due)))
}
