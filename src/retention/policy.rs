//! What a policy says of each snapshot: a pure function of the policy, the time zone, the
//! snapshots and the time.
//!
//! Only complete snapshots that are not dated in the future count. Periods are those of the
//! repository's own calendar; of each the newest is kept, for as many periods as the rule says,
//! counting those that have snapshots. Windows (`keep_within…`) reach back from the newest
//! snapshot and not from now: where backups stopped, nothing goes for that reason.
//!
//! Invariants, each with a property test: the newest complete one is kept; no fewer than
//! `min_snapshots` complete ones are left, if there were as many; what is left is left again by
//! the same policy; a further rule keeps what the others keep.

use std::collections::HashSet;

use chrono::{DateTime, Datelike as _, FixedOffset};
use serde::Serialize;

use crate::clock::Timestamp;
use crate::config::{Period, RetentionPolicy, Zone};
use crate::ids::SnapshotId;

/// How the rule begins by which partial snapshots go.
const OF_PARTIAL: &str = "partial, older than";

/// Whether a snapshot went by the rule for partial ones: the ledger keeps the rule when the manifest
/// is long gone.
pub fn is_of_partial(rule: &str) -> bool {
    rule.starts_with(OF_PARTIAL)
}

/// A snapshot as far as a policy looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id; its time is the time that counts.
    pub id: SnapshotId,
    /// Whether nothing is missing in it.
    pub complete: bool,
    /// Why it stays whatever the policy says: a hold, the newest of the chain.
    pub kept_for: Vec<String>,
}

/// What becomes of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It stays, by all these rules.
    Keep(Vec<String>),
    /// It goes, for this reason.
    Remove(String),
}

impl Verdict {
    /// Whether it stays.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep(_))
    }
}

/// Says of each candidate, in the same order, whether it stays and why. They come oldest first by
/// their chain, which decides where two are of one second.
pub fn evaluate(
    policy: &RetentionPolicy,
    zone: Zone,
    candidates: &[Candidate],
    now: Timestamp,
) -> Vec<Verdict> {
    let mut newest_first: Vec<usize> = (0..candidates.len()).collect();
    newest_first.sort_by_key(|at| std::cmp::Reverse((candidates[*at].id.time(), *at)));
    let mut sheet = Sheet {
        candidates,
        zone,
        counted: newest_first
            .iter()
            .copied()
            .filter(|at| candidates[*at].complete && candidates[*at].id.time() <= now)
            .collect(),
        rules: candidates.iter().map(|candidate| candidate.kept_for.clone()).collect(),
    };
    for (candidate, rules) in candidates.iter().zip(&mut sheet.rules) {
        if candidate.id.time() > now {
            note(rules, "dated in the future".to_owned());
        }
    }
    sheet.apply_counts(policy);
    sheet.apply_windows(policy);
    sheet.fill_up(policy.min_snapshots as usize);
    sheet.into_verdicts(policy, now)
}

/// The rules that keep each candidate, as they are found.
struct Sheet<'a> {
    candidates: &'a [Candidate],
    zone: Zone,
    /// Those that count, newest first.
    counted: Vec<usize>,
    /// One list a candidate.
    rules: Vec<Vec<String>>,
}

fn note(rules: &mut Vec<String>, rule: String) {
    if !rules.contains(&rule) {
        rules.push(rule);
    }
}

impl Sheet<'_> {
    fn time(&self, at: usize) -> Timestamp {
        self.candidates[at].id.time()
    }

    fn apply_counts(&mut self, policy: &RetentionPolicy) {
        if let Some(newest) = self.counted.first() {
            note(&mut self.rules[*newest], NEWEST_COMPLETE.to_owned());
        }
        for at in self.counted.iter().take(policy.keep_last as usize) {
            note(&mut self.rules[*at], "last".to_owned());
        }
        for (period, count) in &policy.keep {
            self.newest_of_each(*period, *count as usize, Timestamp::MIN_UTC, "");
        }
    }

    fn apply_windows(&mut self, policy: &RetentionPolicy) {
        let Some(newest) = self.counted.first().map(|at| self.time(*at)) else { return };
        if let Some(span) = &policy.keep_within {
            let begin = span.before(newest, self.zone);
            let within = self.counted.iter().take_while(|at| self.time(**at) >= begin).count();
            for at in &self.counted[..within] {
                note(&mut self.rules[*at], format!("within {span}"));
            }
            self.cover(begin, &format!("covers the {span} before the newest"));
        }
        for (period, span) in &policy.keep_within_each {
            let begin = span.before(newest, self.zone);
            self.newest_of_each(*period, usize::MAX, begin, &format!("within {span}, "));
            self.cover(begin, &format!("covers the {span} before the newest"));
        }
    }

    /// Keeps the newest of each of the `count` most recent periods that have snapshots, none
    /// older than `begin`.
    fn newest_of_each(&mut self, period: Period, count: usize, begin: Timestamp, prefix: &str) {
        let mut seen = HashSet::new();
        for at in self.counted.clone() {
            if seen.len() == count || self.time(at) < begin {
                break;
            }
            let label = label(period, self.zone.local(self.time(at)));
            if seen.insert(label.clone()) {
                note(&mut self.rules[at], format!("{prefix}{} {label}", period.word()));
            }
        }
    }

    /// Keeps the newest that is older than a window, without which its first part is not covered.
    fn cover(&mut self, begin: Timestamp, rule: &str) {
        if let Some(at) = self.counted.iter().find(|at| self.time(**at) < begin) {
            note(&mut self.rules[*at], rule.to_owned());
        }
    }

    /// Keeps the newest of what would go, until there are enough.
    fn fill_up(&mut self, least: usize) {
        let kept = self.counted.iter().filter(|at| !self.rules[**at].is_empty()).count();
        let going: Vec<usize> =
            self.counted.iter().copied().filter(|at| self.rules[*at].is_empty()).collect();
        for at in going.into_iter().take(least.saturating_sub(kept)) {
            note(&mut self.rules[at], format!("min_snapshots {least}"));
        }
    }

    fn into_verdicts(mut self, policy: &RetentionPolicy, now: Timestamp) -> Vec<Verdict> {
        let newest = self.counted.first().map(|at| (self.time(*at), *at));
        let young = policy.keep_partial.before(now, self.zone);
        let mut verdicts = Vec::with_capacity(self.candidates.len());
        for (at, rules) in std::mem::take(&mut self.rules).into_iter().enumerate() {
            let candidate = &self.candidates[at];
            let is_followed = newest.is_some_and(|newest| newest > (candidate.id.time(), at));
            verdicts.push(match (candidate.complete, is_followed) {
                _ if !rules.is_empty() => Verdict::Keep(rules),
                (true, _) => Verdict::Remove("no rule keeps it".to_owned()),
                (false, false) => Verdict::Keep(vec!["partial, and no complete one is later".to_owned()]),
                (false, true) if candidate.id.time() > young => {
                    Verdict::Keep(vec![format!("partial, younger than {}", policy.keep_partial)])
                }
                (false, true) => Verdict::Remove(format!(
                    "{OF_PARTIAL} {}, and a complete one is later",
                    policy.keep_partial
                )),
            });
        }
        verdicts
    }
}

/// The rule that no policy can switch off.
pub(super) const NEWEST_COMPLETE: &str = "newest complete";

/// Names the period that a moment falls into, as clocks of the repository show it.
fn label(period: Period, local: DateTime<FixedOffset>) -> String {
    match period {
        // With the offset: an autumn night has two hours of one name.
        Period::Hourly => local.format("%Y-%m-%d %H:00 %:z").to_string(),
        Period::Daily => local.format("%Y-%m-%d").to_string(),
        Period::Weekly => local.format("%G-W%V").to_string(),
        Period::Monthly => local.format("%Y-%m").to_string(),
        Period::Quarterly => format!("{}-Q{}", local.format("%Y"), local.month0() / 3 + 1),
        Period::Yearly => local.format("%Y").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_named_as_the_calendar_of_the_repository_has_them() {
        let zone: Zone = "Europe/Paris".parse().unwrap();
        let of = |at: &str| Period::ALL.map(|period| label(period, zone.local(at.parse().unwrap())));
        // New year's eve in UTC is new year in Paris; a Friday of the last ISO week of 2026.
        assert_eq!(
            of("2026-12-31T23:30:00Z"),
            ["2027-01-01 00:00 +01:00", "2027-01-01", "2026-W53", "2027-01", "2027-Q1", "2027"]
        );
        // The hour that is there twice.
        assert_eq!(of("2026-10-25T00:30:00Z")[0], "2026-10-25 02:00 +02:00");
        assert_eq!(of("2026-10-25T01:30:00Z")[0], "2026-10-25 02:00 +01:00");
    }
}
