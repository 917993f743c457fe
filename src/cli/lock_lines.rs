//! Locks, for people: what was made longer, and what is not as promised.

use std::collections::BTreeMap;

use super::findings::{Detail, with_some};
use super::output::Page;
use super::text::{Style, Text};
use super::units::counted;
use crate::locks::{LockFinding, LockProblem, RenewalPlan, RenewalReport, ReplicaLocks, Severity};

/// Adds lines about renewal: what is planned, or what was done.
pub(super) fn with_renewal(
    mut page: Page,
    plan: Option<&RenewalPlan>,
    done: Option<&RenewalReport>,
    failed: Option<&str>,
) -> Page {
    if let Some(why) = failed {
        page = page.line(Text::styled(Style::Red, "locks not renewed ").and(Style::Plain, why.to_owned()));
    }
    let planned = plan.filter(|_| done.is_none() && failed.is_none());
    for own in planned.iter().flat_map(|plan| &plan.replicas) {
        let name = &own.replica;
        if let Some(days) = own.days {
            page = page.line(format!(
                "{name}: locks of {} live objects for {days} days: {} are to be made longer, {} are asked for first; \
                 at most {} list, {} get and {} put requests",
                own.live, own.due, own.unknown, own.requests.list, own.requests.get, own.requests.put
            ));
        }
        for hidden in &own.uncover {
            page = page.line(format!("{name}: would uncover {}: {}", hidden.key, hidden.describe()));
        }
    }
    for own in done.iter().flat_map(|done| &done.replicas) {
        let name = &own.replica;
        if let Some(until) = &own.shortest_until {
            page = page.line(format!(
                "{name}: {} live objects, {} locks made longer; the first ends {until}",
                own.live, own.renewed
            ));
        }
        if !own.uncovered.is_empty() {
            let count = counted(own.uncovered.len() as u64, "object");
            let text = format!("{name}: uncovered {count} that somebody had hidden");
            page = page.line(Text::styled(Style::Yellow, text));
        }
        if let Some(why) = &own.refused {
            let text = format!("{name}: locks cannot be renewed: ");
            page = page.line(Text::styled(Style::Red, text).and(Style::Plain, why.clone()));
        }
        let failed = own.failed.iter().map(|(key, why)| format!("  failed {key}: {why}"));
        page = with_some(page, failed, Detail::Some);
    }
    page
}

/// Adds a line a replica, and what is wrong with its locks and its bucket.
pub(super) fn with_locks(mut page: Page, locks: &[ReplicaLocks], detail: Detail) -> Page {
    for own in locks {
        if let Some(promise) = own.promise {
            let left = match (own.days_left, &own.shortest_until) {
                (Some(days), Some(until)) => {
                    format!("; the first ends {until}, {} left", counted(days.unsigned_abs(), "day"))
                }
                _ => String::new(),
            };
            page = page.line(format!(
                "locks on {}: {} of {} versions looked at, {} days ({}){left}",
                own.replica, own.asked, own.versions, promise.days, promise.mode
            ));
        }
        let mut groups: BTreeMap<LockProblem, Vec<&LockFinding>> = BTreeMap::new();
        for finding in &own.findings {
            groups.entry(finding.problem).or_default().push(finding);
        }
        for (problem, findings) in groups {
            let count = counted(findings.len() as u64, "version");
            page = page.line(
                Text::styled(Style::Red, word(problem))
                    .and(Style::Plain, format!(" on {}: {count}", own.replica)),
            );
            let lines = findings.iter().map(|finding| format!("  {}: {}", finding.key, finding.detail));
            page = with_some(page, lines, detail);
        }
        for finding in &own.place {
            let (style, word) = match finding.severity {
                Severity::Danger => (Style::Red, "danger"),
                Severity::OutlivesErasure => (Style::Red, "outlives an erasure"),
                Severity::NotKnown => (Style::Yellow, "not known"),
                Severity::Note => (Style::Dim, "note"),
            };
            let text = format!(" on {}: {}", own.replica, finding.detail);
            page = page.line(Text::styled(style, word).and(Style::Plain, text));
        }
    }
    page
}

/// Says what is wrong with a lock, in two or three words.
pub(super) fn word(problem: LockProblem) -> &'static str {
    match problem {
        LockProblem::Unlocked => "not locked",
        LockProblem::Shorter => "lock too short",
        LockProblem::Longer => "lock too long",
        LockProblem::OtherMode => "lock in another mode",
        LockProblem::LegalHold => "under legal hold",
        LockProblem::NotKnown => "lock not known",
    }
}
