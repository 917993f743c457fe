//! What a drill rehearses, as a file of `drills/` says it.
//!
//! Everything in the file is checked when it is read, except names of repositories, replicas and people: those
//! need the configuration, see [`Plan::select`]. What a drill must show to pass stands in the file before it
//! begins: [`Plan::criteria`] is canonical JSON, whose SHA-256 is in the record before the first phase.

mod checks;
mod file;
mod known;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use serde::Serialize;

pub use self::checks::{Check, Expected, Page, Probe, Site};
pub use self::known::Selected;
use super::gate::Gate;
use super::scenario::Injection;
use crate::clock::Timestamp;
use crate::ids::{Digest, Name};
use crate::privacy::erasure::plan::canonical;

/// A drill as it is planned.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The name of the file without `.toml`.
    pub name: Name,
    /// What it is called in reports.
    pub title: String,
    /// Which repositories: names, groups (`@clients`) or `*`.
    pub repositories: Vec<String>,
    /// What is left out on purpose, and why; told in the report.
    pub exclusions: Vec<Exclusion>,
    /// What has happened, in words.
    pub summary: String,
    /// What is injected on the read path, in the order of the file.
    pub scenario: Vec<Injection>,
    /// Which snapshot is recovered.
    pub snapshot: Choice,
    /// When the disaster struck, where the file says so; else when the drill begins.
    pub disaster: Option<Timestamp>,
    /// Where it is recovered to.
    pub target: Target,
    /// What is to be reached.
    pub objectives: Objectives,
    /// Who takes part.
    pub participants: Vec<Participant>,
    /// Whom to call, by repository, where that differs from `contacts` of the configuration.
    pub contacts: Vec<(Name, Vec<String>)>,
    /// What is looked at besides what every drill looks at.
    pub checks: Vec<Check>,
    /// Documents that must come back.
    pub canaries: Vec<Canary>,
    /// Pages of a real site that are rendered against the standby.
    pub site: Option<Site>,
    /// Who decides at which gate; a gate without an owner is the machine's, where the machine can decide it.
    pub gates: Vec<(Gate, String)>,
    /// Who owns findings, where nobody is named.
    pub owner: Option<String>,
    /// In how many days findings are due.
    pub due_days: u32,
    /// The file.
    #[serde(skip)]
    pub file: PathBuf,
    /// What stands in it: what is hashed and kept as evidence is what was read as the plan.
    #[serde(skip)]
    pub text: String,
}

/// Something that is not rehearsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exclusion {
    /// What.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// Which snapshot is recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// The newest complete one.
    Latest,
    /// Any complete one that is no older, drawn anew for each drill.
    RandomWithin {
        /// How old it may be, in seconds.
        #[serde(serialize_with = "seconds")]
        age: TimeDelta,
    },
    /// The newest complete one at or before that time.
    At(Timestamp),
}

/// Where a drill recovers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The hot standby, straight out of the vault.
    Standby,
    /// A Prismic-compatible repository on this machine, made for the drill and gone with it.
    Sandbox,
    /// A repository of the configuration: a Prismic environment that is there for rehearsals.
    Environment(Name),
}

/// What is to be reached; what is absent is not judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Objectives {
    /// Longest time from the disaster to the end of what the machine does.
    #[serde(serialize_with = "maybe_seconds")]
    pub rto: Option<Duration>,
    /// Longest time before the disaster of which edits may be lost.
    #[serde(serialize_with = "maybe_seconds")]
    pub rpo: Option<Duration>,
    /// Least share of documents that are field by field as in the snapshot, from 0 to 1.
    pub fidelity: f64,
    /// Whether orders of erasure must be seen to hold, in a scratch vault and in what was recovered.
    pub erasure_replay: bool,
    /// Who approved them, and on which day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<(String, chrono::NaiveDate)>,
}

/// A document that must come back, and be as it was in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Canary {
    /// Its repository; the only one of the drill where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<Name>,
    /// Its type.
    #[serde(rename = "type")]
    pub type_: String,
    /// Its UID.
    pub uid: String,
    /// Its language; any where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
}

/// Somebody who takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Participant {
    /// Their name: one of `[people]`, where they sign.
    pub name: String,
    /// What they do.
    pub role: String,
    /// Who does it when they are not there.
    pub substitute: Option<String>,
}

fn seconds<S: serde::Serializer>(age: &TimeDelta, serializer: S) -> Result<S::Ok, S::Error> {
    age.num_seconds().serialize(serializer)
}

fn maybe_seconds<S: serde::Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}

/// What has to be shown for a drill to pass, as it is fixed before it begins.
#[derive(Debug, Clone, Serialize)]
pub struct Criteria<'a> {
    objectives: &'a Objectives,
    checks: &'a [Check],
    canaries: &'a [Canary],
    site: Option<&'a Site>,
    gates: &'a [(Gate, String)],
    scenario: &'a [Injection],
    target: &'a Target,
}

impl Plan {
    /// What has to be shown.
    pub fn criteria(&self) -> Criteria<'_> {
        Criteria {
            objectives: &self.objectives,
            checks: &self.checks,
            canaries: &self.canaries,
            site: self.site.as_ref(),
            gates: &self.gates,
            scenario: &self.scenario,
            target: &self.target,
        }
    }
}

impl Criteria<'_> {
    /// Canonical JSON (RFC 8785).
    pub fn bytes(&self) -> Vec<u8> {
        canonical(self)
    }

    /// SHA-256 of [`bytes`](Self::bytes).
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes())
    }
}
