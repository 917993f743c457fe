//! Locks that are not as promised, and copies that would outlive an erasure.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use super::finding::{Finding, Section};
use crate::cli::exit::Outcome;
use crate::cli::lock_lines::word;
use crate::cli::units::counted;
use crate::locks::{LockFinding, LockProblem, PlaceFinding, ReplicaLocks, Severity, SurveyOptions, survey};
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;

/// Versions of each replica whose locks are read, other ones each day; `verify` reads all of them
/// where it reads all bytes.
const SAMPLE: usize = 1000;

/// Compares the locks of the replicas `named` (none: of all) with what was promised, and says what
/// the settings of their places mean.
pub(super) async fn check(vault: &Vault, named: Vec<String>, cancel: CancellationToken) -> Vec<Finding> {
    let options = SurveyOptions { replicas: named, sample: Some(SAMPLE), places: true, cancel };
    match survey(vault, &options).await {
        Ok(report) => report.replicas.iter().flat_map(of_replica).collect(),
        Err(error) => {
            let next = error.next_step().unwrap_or_default().to_owned();
            let what = "locks and settings of the places cannot be looked at";
            vec![Finding::warning(Section::Locks, "vault", what).because(with_causes(&error)).then(next)]
        }
    }
}

fn of_replica(own: &ReplicaLocks) -> Vec<Finding> {
    let mut groups: BTreeMap<LockProblem, Vec<&LockFinding>> = BTreeMap::new();
    for finding in &own.findings {
        groups.entry(finding.problem).or_default().push(finding);
    }
    let name = own.replica.as_str();
    let mut findings: Vec<Finding> =
        groups.into_iter().map(|(problem, of)| of_locks(name, problem, &of)).collect();
    if let (Some(promise), true) = (own.promise, own.findings.is_empty()) {
        let left = own.days_left.map(|days| format!("; {} left", counted(days.unsigned_abs(), "day")));
        let what = format!(
            "locks are as promised ({}, {}): {} of {} looked at{}",
            counted(promise.days.unsigned_abs(), "day"),
            promise.mode,
            own.asked,
            counted(own.versions, "version"),
            left.unwrap_or_default()
        );
        findings.push(Finding::ok(Section::Locks, name, what));
    }
    findings.extend(own.place.iter().map(|finding| of_place(name, finding)));
    findings
}

fn of_locks(name: &str, problem: LockProblem, of: &[&LockFinding]) -> Finding {
    let what = format!("{}: {}", word(problem), counted(of.len() as u64, "version"));
    let first = of.first().map(|finding| format!("{}: {}", finding.key, finding.detail));
    let finding = match problem {
        LockProblem::NotKnown => Finding::warning(Section::Locks, name, what)
            .then("allow these credentials to read retention and legal holds, as docs/operations.md says"),
        LockProblem::Unlocked | LockProblem::Shorter => {
            Finding::error(Section::Locks, name, what).ends(Outcome::Partial).then(
                "`prismvault prune` makes them longer; let its job run at least every quarter of the window",
            )
        }
        LockProblem::Longer | LockProblem::OtherMode | LockProblem::LegalHold => {
            Finding::error(Section::Locks, name, what)
                .ends(Outcome::Partial)
                .then("find out who locked them so: an erasure waits for the end of these locks")
        }
    };
    finding.because(first.unwrap_or_default())
}

fn of_place(name: &str, finding: &PlaceFinding) -> Finding {
    let what = finding.detail.clone();
    match finding.severity {
        Severity::Danger => Finding::error(Section::Locks, name, what).ends(Outcome::Partial),
        Severity::OutlivesErasure => Finding::warning(Section::Locks, name, what),
        Severity::NotKnown | Severity::Note => Finding::notice(Section::Locks, name, what),
    }
}
