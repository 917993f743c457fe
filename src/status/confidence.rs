//! How far a restore can be trusted today: a number that decays, with the arithmetic that made it.
//!
//! It is a product of factors from 0 to 1. What was once shown counts less the longer ago that was: by half after
//! the time that `[objectives]` sets for it (30 days for a verification, 90 for a rehearsal where it sets none). A
//! product, and no mean: a vault that nobody can restore from is not half good because it is well verified.

use chrono::TimeDelta;
use serde::Serialize;

use super::facts::{Facts, RepositoryFacts};
use crate::clock::Timestamp;
use crate::config::Objectives;

/// After which a verification counts half, where no objective says so.
const VERIFIED: TimeDelta = TimeDelta::days(30);
/// After which a rehearsal counts half, where no objective says so.
const DRILLED: TimeDelta = TimeDelta::days(90);
/// What a vault is worth from which nobody has restored anything, and whose bytes nobody has read: it has often
/// worked for others.
const NEVER: f64 = 0.25;
/// Copies that are worth a whole, where no objective says so.
const COPIES: usize = 2;
/// Days that a lock should last at least: in fewer an intruder can wait.
const LOCK_DAYS: f64 = 7.0;

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
    // Whoever was shown it in the future had another clock.
    let age = (now - shown).max(TimeDelta::zero()).num_seconds() as f64;
    0.5f64.powf(age / half.num_seconds().max(1) as f64).max(NEVER)
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
    let half = |within: &Option<crate::config::Within>, otherwise| {
        within.as_ref().map_or(otherwise, crate::config::Within::length)
    };
    let verified_half = half(&objectives.verified_within, VERIFIED);
    let drilled_half = half(&objectives.drilled_within, DRILLED);
    let mut factors = vec![Factor {
        name: "verified",
        value: decayed(own.verified, verified_half, now),
        from: format!(
            "all bytes of a snapshot were last read {}; half after {} days",
            ago(own.verified, now),
            verified_half.num_days()
        ),
    }];
    let drilled = own.drill.as_ref().map(|drill| drill.ended);
    factors.push(Factor {
        name: "rehearsed",
        value: decayed(drilled, drilled_half, now),
        from: format!(
            "a recovery was last rehearsed with success {}; half after {} days",
            ago(drilled, now),
            drilled_half.num_days()
        ),
    });
    factors.push(copies(facts, own, objectives.copies.unwrap_or(COPIES)));
    factors.extend(locks(facts, own));
    if let Some(share) = own.drill.as_ref().and_then(|drill| drill.fidelity) {
        factors.push(Factor {
            name: "fidelity",
            value: share.clamp(0.0, 1.0),
            from: format!("{:.2} % of the documents came back as they were in that rehearsal", share * 100.0),
        });
    }
    Confidence { value: factors.iter().map(|own| own.value).product(), factors }
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

/// The least that is left of locks, among replicas that lock and hold the newest complete snapshot; none: no factor.
fn locks(facts: &Facts, own: &RepositoryFacts) -> Option<Factor> {
    let on = &own.last_complete.as_ref()?.on;
    let locked = facts.replicas.iter().filter(|replica| on.contains(&replica.replica));
    let days = locked.filter_map(|replica| replica.locks.as_ref()).map(|locks| locks.days_left.unwrap_or(0));
    // The best lock counts: an intruder has to wait for it.
    let days = days.max()?.max(0);
    let value = (days as f64 / LOCK_DAYS).clamp(0.5, 1.0);
    let from = format!("locks last for {days} more days; a whole from {LOCK_DAYS} days on");
    Some(Factor { name: "locks", value, from })
}
