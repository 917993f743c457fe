//! How far a restore can be trusted today: a number that decays, with the arithmetic that made it.
//!
//! It is a product of factors from 0 to 1. What was once shown counts less the longer ago that was: by half after
//! the time that `[objectives]` sets for it (30 days for a verification, 90 for a rehearsal where it sets none). A
//! product, and no mean: a vault that nobody can restore from is not half good because it is well verified.
//!
//! It is no probability: nobody has counted restores that failed with such figures. It orders repositories by how
//! much was shown of them, and each factor says what raises it. Nothing that is worse gives a larger number.

use chrono::TimeDelta;
use serde::Serialize;

use super::facts::{Drill, Facts, FailedDrill, RepositoryFacts};
use crate::clock::Timestamp;
use crate::config::{Objectives, Within};

/// After which a verification counts half, where no objective says so.
const VERIFIED: TimeDelta = TimeDelta::days(30);
/// After which a rehearsal counts half, where no objective says so.
const DRILLED: TimeDelta = TimeDelta::days(90);
/// What a vault is worth from which nobody has restored anything, and whose bytes nobody has read: it has often
/// worked for others.
const NEVER: f64 = 0.25;
/// What is left when the last rehearsal did not bring the repository back: that is worse than not to know.
const FAILED: f64 = 0.1;
/// What a rehearsal is worth in which nothing was compared: something came back, and nobody knows what.
const NOT_COMPARED: f64 = 0.9;
/// Copies that are worth a whole, where no objective says so.
const COPIES: usize = 2;
/// Days that a lock should last at least: in fewer an intruder can wait.
const LOCK_DAYS: f64 = 7.0;
/// What copies are worth that nothing locks: a restore works without, until somebody has deleted them.
const UNLOCKED: f64 = 0.75;

/// One factor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Factor {
    /// Its name: `verified`, `rehearsed`, `copies`, `locks`, `fidelity`.
    pub name: &'static str,
    /// From 0 to 1.
    pub value: f64,
    /// What it was made from, in words.
    pub from: String,
}

/// How far a restore of a repository can be trusted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Confidence {
    /// From 0 to 1: the product of the factors.
    pub value: f64,
    /// The factors.
    pub factors: Vec<Factor>,
}

impl Confidence {
    /// The arithmetic in one line: `0.93 verified × 0.50 rehearsed × … = 0.46`.
    pub fn arithmetic(&self) -> String {
        let factors: Vec<String> =
            self.factors.iter().map(|own| format!("{:.2} {}", own.value, own.name)).collect();
        format!("{} = {:.2}", factors.join(" × "), self.value)
    }
}

/// How much something that was shown so long ago still counts.
fn decayed(shown: Option<Timestamp>, half: TimeDelta, now: Timestamp) -> f64 {
    let Some(shown) = shown else { return NEVER };
    // Who was shown it in the future had another clock; nothing is better than just now.
    let age = (now - shown).max(TimeDelta::zero()).num_seconds() as f64;
    0.5f64.powf(age / half.num_seconds().max(1) as f64).max(NEVER)
}

/// A half-life, for people: whole days where it has some.
fn in_words(half: TimeDelta) -> String {
    match half.num_days() {
        0 => format!("{} hours", half.num_hours()),
        1 => "a day".to_owned(),
        days => format!("{days} days"),
    }
}

fn ago(shown: Option<Timestamp>, now: Timestamp) -> String {
    match shown.map(|shown| (now - shown).num_days().max(0)) {
        None => "never".to_owned(),
        Some(0) => "today".to_owned(),
        Some(1) => "a day ago".to_owned(),
        Some(days) => format!("{days} days ago"),
    }
}

/// How far a restore of this repository can be trusted at `now`.
pub fn confidence(
    facts: &Facts,
    own: &RepositoryFacts,
    objectives: &Objectives,
    now: Timestamp,
) -> Confidence {
    let half = |within: &Option<Within>, otherwise| within.as_ref().map_or(otherwise, Within::length);
    let mut factors = vec![
        verified(own, half(&objectives.verified_within, VERIFIED), now),
        rehearsed(own, half(&objectives.drilled_within, DRILLED), now),
        copies(facts, own, objectives.copies.unwrap_or(COPIES)),
        locks(facts, own),
    ];
    factors.extend(fidelity(own));
    Confidence { value: factors.iter().map(|own| own.value).product(), factors }
}

fn verified(own: &RepositoryFacts, half: TimeDelta, now: Timestamp) -> Factor {
    let from = match own.verified {
        None => "nobody has read all bytes of a snapshot yet".to_owned(),
        shown => format!(
            "all bytes of a snapshot were last read {}; half after {}",
            ago(shown, now),
            in_words(half)
        ),
    };
    Factor { name: "verified", value: decayed(own.verified, half, now), from }
}

fn rehearsed(own: &RepositoryFacts, half: TimeDelta, now: Timestamp) -> Factor {
    let shown = own.drill.as_ref().map(|drill| drill.ended);
    let value = decayed(shown, half, now);
    let (value, from) = match &own.failed_drill {
        Some(FailedDrill { came_back: false, ended, .. }) => (
            value.min(FAILED),
            format!("the last rehearsal, {}, did not bring it back", ago(Some(*ended), now)),
        ),
        Some(FailedDrill { ended, .. }) => (
            value.min(NEVER),
            format!(
                "it came back in the last rehearsal, {}, which failed all the same",
                ago(Some(*ended), now)
            ),
        ),
        None if shown.is_none() => (value, "nobody has rehearsed a recovery yet".to_owned()),
        None => {
            let half = in_words(half);
            (
                value,
                format!("a recovery was last rehearsed with success {}; half after {half}", ago(shown, now)),
            )
        }
    };
    Factor { name: "rehearsed", value, from }
}

/// What the last rehearsal brought back as it was; without a rehearsal that is all in the factor before.
fn fidelity(own: &RepositoryFacts) -> Option<Factor> {
    let measured = match (&own.failed_drill, &own.drill) {
        (Some(FailedDrill { fidelity, .. }), _) | (None, Some(Drill { fidelity, .. })) => *fidelity,
        (None, None) => return None,
    };
    let (value, from) = match measured {
        Some(share) => (
            share.clamp(0.0, 1.0),
            format!("{:.2} % of the documents came back as they were in that rehearsal", share * 100.0),
        ),
        None => (NOT_COMPARED, "no document was compared in that rehearsal".to_owned()),
    };
    Some(Factor { name: "fidelity", value, from })
}

/// Copies of the newest complete snapshot that can be reached, of those that are wanted.
fn copies(facts: &Facts, own: &RepositoryFacts, wanted: usize) -> Factor {
    let is_there = |name: &String| {
        facts.replicas.iter().any(|replica| replica.replica == *name && replica.failure.is_none())
    };
    let held =
        own.last_complete.as_ref().map_or(0, |last| last.on.iter().filter(|name| is_there(name)).count());
    let value = match (held, wanted) {
        (0, _) => 0.0,
        (held, wanted) if held >= wanted => 1.0,
        (held, wanted) => held as f64 / wanted as f64,
    };
    let from = format!("{held} of {wanted} copies of the newest complete snapshot can be reached");
    Factor { name: "copies", value, from }
}

/// What is left of locks, on the replica that holds the newest complete snapshot and locks longest: an intruder
/// has to wait for it.
fn locks(facts: &Facts, own: &RepositoryFacts) -> Factor {
    let on: &[String] = own.last_complete.as_ref().map_or(&[], |last| &last.on);
    let holds =
        facts.replicas.iter().filter(|replica| replica.failure.is_none() && on.contains(&replica.replica));
    let days = holds.filter_map(|replica| replica.locks.as_ref()?.days_left).max();
    let (value, from) = match days {
        None => (
            UNLOCKED,
            "no copy is known to be locked: who has the keys of all replicas can delete it".to_owned(),
        ),
        Some(days) => (
            UNLOCKED + (1.0 - UNLOCKED) * (days as f64 / LOCK_DAYS).clamp(0.0, 1.0),
            format!("the longest lock of a copy lasts {days} more days; a whole from {LOCK_DAYS} days on"),
        ),
    };
    Factor { name: "locks", value, from }
}

#[cfg(test)]
mod tests;
