//! What the stores of the replicas really do, and what follows from it.

use serde::Serialize;

use super::finding::{Finding, Section};
use crate::cli::exit::Outcome;
use crate::limits::Limits;
use crate::objects::probe::{CheckName, CheckOutcome, Probe};
use crate::vault::abilities::obstacles;

/// A replica that was probed.
#[derive(Debug, Serialize)]
pub(super) struct Examined {
    pub(super) name: String,
    pub(super) probe: Probe,
    /// Whether the answer is kept on the replica.
    pub(super) kept: bool,
}

/// Says what a probe saw. `grave` is how a snapshot would end without this replica.
pub(super) fn judge(name: &str, probe: &Probe, locks: bool, grave: Outcome, limits: &Limits) -> Vec<Finding> {
    let section = Section::Replicas;
    let mut findings = Vec::new();
    for obstacle in obstacles(probe) {
        findings.push(
            Finding::error(section, name, "cannot hold a vault as it is configured")
                .because(obstacle)
                .then("mend the store, or use another: nothing is written there meanwhile")
                .ends(grave),
        );
    }
    let failed = |check| probe.check(check).filter(|check| check.outcome == CheckOutcome::Failed);
    for (check, what) in [
        (CheckName::Write, "nothing can be written"),
        (CheckName::ReadBack, "what was written cannot be read"),
        (CheckName::RangeRead, "parts of objects cannot be read"),
        (CheckName::ListAfterPut, "objects cannot be listed"),
    ] {
        if let Some(check) = failed(check) {
            findings.push(
                Finding::error(section, name, what)
                    .because(check.detail.clone())
                    .then("check credentials and permissions (docs/operations.md lists what each role needs); free space where the disk is full")
                    .ends(grave),
            );
        }
    }
    if let Some(check) = failed(CheckName::ObjectLock).filter(|_| locks) {
        findings.push(
            Finding::error(section, name, "`object_lock` is configured, and the bucket does not lock")
                .because(check.detail.clone())
                .then("switch Object Lock on for the bucket (it needs versioning), allow these credentials to set and read retention, or remove `object_lock`")
                .ends(grave),
        );
    }
    let denied: Vec<&str> = probe
        .permissions
        .iter()
        .filter(|permission| permission.outcome == CheckOutcome::No)
        .map(|permission| permission.operation.as_str())
        .collect();
    if !denied.is_empty() {
        findings.push(
            Finding::notice(section, name, format!("these credentials may not: {}", denied.join(", ")))
                .because(
                    "tried one by one; not to delete and not to replace is as it should be on a backup host",
                ),
        );
    }
    findings.extend(consequences(name, probe));
    findings.extend(clock(name, probe, limits));
    if !probe.left.is_empty() {
        let left = probe.left.iter().map(|left| format!("{} ({})", left.key, left.why));
        findings.push(
            Finding::notice(section, name, format!("{} scratch objects are left", probe.left.len()))
                .because(left.collect::<Vec<_>>().join("; "))
                .then("the next `prismvault doctor` with credentials that may delete removes them"),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::ok(section, name, "does all that is asked of it"));
    }
    findings
}

/// What the engine does otherwise because of what is missing.
fn consequences(name: &str, probe: &Probe) -> Vec<Finding> {
    let section = Section::Replicas;
    let no = |check| probe.check(check).filter(|check| check.outcome == CheckOutcome::No);
    let mut findings = Vec::new();
    if let Some(check) = no(CheckName::CreateOnly) {
        findings.push(
            Finding::notice(section, name, "has no create-only puts that can be relied on")
                .because(format!("a second one: {}", check.detail))
                .then("nothing: names are checked before and read back after, and claimed where two could write them"),
        );
    }
    if let Some(check) = no(CheckName::WrongChecksumRefused).or_else(|| no(CheckName::StoredChecksum)) {
        findings.push(
            Finding::notice(section, name, "keeps no checksums that can be relied on")
                .because(check.detail.clone())
                .then("nothing: `verify` reads the bytes, which takes longer"),
        );
    }
    if no(CheckName::Versions).is_some() {
        findings.push(
            Finding::notice(section, name, "keeps no versions")
                .because("what is overwritten or deleted there is gone at once, whoever did it")
                .then("nothing, if another replica keeps versions or cannot be reached with the same credentials"),
        );
    }
    if let Some(check) =
        probe.check(CheckName::DefaultLock).filter(|check| check.outcome == CheckOutcome::Yes)
    {
        findings.push(
            Finding::warning(section, name, "locks objects by a rule of its own")
                .because(format!("the bucket has a default retention; {}", check.detail))
                .then("remove the bucket's default retention: an erasure does not reach what it locks"),
        );
    }
    findings
}

fn clock(name: &str, probe: &Probe, limits: &Limits) -> Option<Finding> {
    let section = Section::Clocks;
    let check = probe.check(CheckName::Clock)?;
    match (check.outcome, probe.clock_offset_seconds) {
        (CheckOutcome::Failed, _) => {
            Some(Finding::warning(section, name, "its clock cannot be asked").because(check.detail.clone()))
        }
        (_, Some(offset)) => offset_finding(name, offset, true, limits),
        _ => None,
    }
}

/// Says what a clock that differs means; nothing where it does not. Of a store, a difference above
/// the limit stops what depends on time.
pub(super) fn offset_finding(name: &str, offset: i64, is_store: bool, limits: &Limits) -> Option<Finding> {
    let section = Section::Clocks;
    let away = offset.unsigned_abs();
    let what = match offset {
        0.. => format!("its clock is {away} s ahead of ours"),
        _ => format!("its clock is {away} s behind ours"),
    };
    let next = "set the clock of this machine (NTP), or that of the store";
    if away > limits.clock_skew_max.as_secs() {
        let why =
            "ages decide what is deleted and what is locked, so nothing that depends on time is written";
        let finding = match is_store {
            true => Finding::error(section, name, what).ends(Outcome::Refused),
            false => Finding::error(section, name, what),
        };
        return Some(finding.because(why).then(next));
    }
    (away > limits.clock_skew_noticed.as_secs())
        .then(|| Finding::warning(section, name, what).because("it will get worse").then(next))
}
