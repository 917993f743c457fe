//! What a drill showed, as data: everything that is rendered is in here, and nothing is rendered that is not.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`after`] | the report as it stands after what people said since |
//! | [`files`] | all of its renderings, as bundles hold them |
//! | [`junit`] | JUnit XML, for systems that build and deploy |
//! | [`html`] | one page for people, with plots and pictures |
//! | [`csv`] | the findings, for tables |
//! | [`controls`] | which requirements of which standards a drill gives evidence for |
//!
//! Layout after NIST SP 800-84 (after-action report) and ISO 22301:2019, 8.5.

pub mod after;
mod auditors;
pub mod controls;
pub mod csv;
pub mod files;
pub mod html;
pub mod junit;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::findings::Finding;
use super::gate::{Gate, Standing, Verdict};
use super::measure::{Judged, Light};
use super::timeline::{Entry, PhaseRecord};
use crate::ids::{Digest, Name, SnapshotId, VaultId};
use crate::vault::format::drill::{DrillResult, OpenFinding};

/// Version of the report's JSON.
pub const SCHEMA: u32 = 1;

/// A drill, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Id of the drill.
    pub drill: SnapshotId,
    /// The vault.
    pub vault: VaultId,
    /// Name of the plan.
    pub plan: Name,
    /// What it is called.
    pub title: String,
    /// Whether it was a real disaster.
    pub real: bool,
    /// How it ended.
    pub result: DrillResult,
    /// One sentence.
    pub outcome: String,
    /// When it began, RFC 3339, by the wall clock.
    pub began: String,
    /// When it ended, RFC 3339, by the wall clock.
    pub ended: String,
    /// Milliseconds that it took, by the monotonic clock.
    pub took_ms: u64,
    /// By how many seconds the wall clock went another way; absent: both agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_drift_seconds: Option<i64>,
    /// SHA-256 of the file of the plan.
    pub plan_sha256: Digest,
    /// SHA-256 of the criteria, fixed before it began.
    pub criteria_sha256: Digest,
    /// Where it ran: program, machine, configuration.
    pub environment: Environment,
    /// What has happened, in words.
    pub scenario: Vec<String>,
    /// What is left out, and why.
    pub exclusions: Vec<(String, String)>,
    /// What Prismic cannot give back in any recovery: known before it began.
    pub limits: Vec<String>,
    /// Who took part.
    pub participants: Vec<Attendance>,
    /// Whom to call.
    pub contacts: Vec<(Name, Vec<String>)>,
    /// What was recovered.
    pub repositories: Vec<Recovered>,
    /// Objectives against what was measured; of several repositories the worst.
    pub objectives: Vec<Judged>,
    /// Phases, timed.
    pub phases: Vec<PhaseRecord>,
    /// Theoretical least time of a recovery into Prismic under its documented limits, in seconds, and what bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Floor>,
    /// The phase that took longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bottleneck: Option<String>,
    /// Everything that was looked at.
    pub checks: Vec<Checked>,
    /// The timeline.
    pub timeline: Vec<Entry>,
    /// Where gates stand.
    pub gates: Vec<GateRecord>,
    /// What went another way than planned.
    pub deviations: Vec<String>,
    /// What is wrong, carried over until it is closed.
    pub findings: Vec<Finding>,
    /// Who owns findings, where nobody else is named.
    #[serde(default)]
    pub owner: String,
    /// In how many days findings are due.
    #[serde(default = "thirty")]
    pub due_days: u32,
    /// What the drill made and removed.
    pub cleaned: Vec<Cleaned>,
    /// Drills of the same plan before this one, newest first.
    pub earlier: Vec<Earlier>,
    /// Drills that were killed, and after which this one cleaned up.
    pub abandoned: Vec<String>,
    /// Who approved the objectives, and on which day; absent: the plan says nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Approved>,
    /// What a real disaster asks for besides; absent: it was a rehearsal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Incident>,
    /// What people said and decided afterwards, in order: signed, each naming what it follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Said>,
    /// Questions that no machine can answer, and what people answered at the table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tabletop: Vec<Answer>,
    /// Findings that somebody closed since, and how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<Closed>,
}

/// Who approved the objectives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// Their name.
    pub by: String,
    /// The day, `2026-01-31`.
    pub on: String,
}

/// A real disaster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// When it struck, RFC 3339, as far as anybody knows.
    pub struck: String,
    /// When the organisation became aware of it, RFC 3339: from then on the hours of Art. 33 GDPR run.
    pub aware: String,
    /// Whether personal data is concerned; absent: nobody knows yet, and the deadline runs all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_data: Option<bool>,
    /// Who is to be told, until when.
    pub communications: Vec<Communication>,
}

/// Somebody who is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Communication {
    /// What it is called when somebody says that it is done: `authority`, `persons`, `contacts-blog`.
    pub id: String,
    /// Who is to be told.
    pub to: String,
    /// Of what, and why: the law, or the plan.
    pub why: String,
    /// Until when, RFC 3339; absent: without undue delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// When it was done, RFC 3339; absent: it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
}

/// What somebody said of a drill after it had run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// When, RFC 3339.
    pub at: String,
    /// Who.
    pub by: String,
    /// In whose place.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub for_: Option<String>,
    /// The gate at which they decided; absent: it is no decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// What they decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Which communication is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub communication: Option<String>,
    /// Their note; absent: no identity here reads it, or it is left out for auditors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A question that no machine can answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Its id in the pack.
    pub id: String,
    /// The question, or what is thrown in.
    pub question: String,
    /// What was answered; absent: nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// How it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<Rating>,
    /// Who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// How well something was done, as HSEEP rates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rating {
    /// Performed without challenges.
    Performed,
    /// Performed with some challenges.
    SomeChallenges,
    /// Performed with major challenges.
    MajorChallenges,
    /// Unable to be performed.
    Unable,
}

/// A finding that is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Its id.
    pub finding: String,
    /// When, RFC 3339.
    pub at: String,
    /// Who.
    pub by: String,
    /// How; absent: no identity here reads it, or it is left out for auditors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// In how many days findings are due where a report does not say.
fn thirty() -> u32 {
    30
}

/// Where a drill ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of the program.
    pub tool: String,
    /// SHA-256 of the configuration's file.
    pub configuration: Digest,
    /// Name of the host, as `[audit]` says it.
    pub host: String,
    /// Where it recovered to.
    pub target: String,
    /// What keeps that apart from what the public sees.
    pub isolation: Vec<String>,
    /// Replicas, and whether each took part.
    pub replicas: Vec<(String, String)>,
    /// Recipients of the identities that were used.
    pub identities: Vec<String>,
}

/// Somebody who takes part, and whether they could.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendance {
    /// Their name.
    pub name: String,
    /// What they do.
    pub role: String,
    /// Who stands in for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub substitute: Option<String>,
    /// Whether the scenario has taken them away.
    pub absent: bool,
}

/// A repository that was recovered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recovered {
    /// Its name.
    pub repository: Name,
    /// The snapshot; absent: none was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotId>,
    /// When it was taken, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<String>,
    /// The newest edit in it, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_edit: Option<String>,
    /// Documents of the snapshot, and of what was restored.
    pub documents: (u64, u64),
    /// Assets of the snapshot, and of what was restored.
    pub assets: (u64, u64),
    /// Documents that were compared field by field, and those in which nothing differs but what was foretold.
    pub compared: (u64, u64),
    /// Counts by type and language: type, language, in the snapshot, restored.
    pub counts: Vec<(String, String, u64, u64)>,
    /// Edits that are lost, where what is live can still be read; absent: nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_edits: Option<Vec<LostEdit>>,
}

/// An edit that is in live Prismic and not in the snapshot. Its title is content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostEdit {
    /// Id of the document.
    pub id: String,
    /// What people call it; left out for auditors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub type_: String,
    /// `added`, `changed` or `removed`.
    pub what: String,
}

/// The least time that a recovery into Prismic can take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floor {
    /// Seconds.
    pub seconds: u64,
    /// Requests that write.
    pub requests: u64,
    /// What bounds it: the interface, and its documented rate.
    pub bound: String,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// What it is called.
    pub name: String,
    /// The phase in which it was looked at.
    pub phase: String,
    /// How it stands: [`Light::Grey`] where it could not be looked at because something before it failed.
    pub light: Light,
    /// What is expected, in words.
    pub expected: String,
    /// What was seen: counts and ids.
    pub seen: String,
    /// Milliseconds.
    pub took_ms: u64,
    /// Files of the bundle that show it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

/// A gate, as it stood when the report was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateRecord {
    /// Which.
    pub gate: Gate,
    /// How it stands.
    pub standing: Standing,
    /// Who decides: a name, or `machine`; absent: nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// What that rests on.
    pub evidence: String,
}

/// Something that the drill made, and whether it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleaned {
    /// What: a directory, a process, a server.
    pub what: String,
    /// Whether it was seen to be gone.
    pub gone: bool,
    /// How that was seen.
    pub how: String,
}

/// A drill before this one, for comparison and trends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Earlier {
    /// Its id.
    pub drill: SnapshotId,
    /// When it began.
    pub began: String,
    /// How it ended.
    pub result: DrillResult,
    /// Milliseconds to recover; absent: it did not come to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_ms: Option<u64>,
    /// Share of documents as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<f64>,
    /// Findings that were open.
    pub findings: u32,
}

impl Report {
    /// The findings as the record has them, which is read without an identity: who owns them is left out.
    pub fn open(&self) -> Vec<OpenFinding> {
        let open = |finding: &Finding| OpenFinding {
            id: finding.id.clone(),
            severity: finding.severity.name().to_owned(),
            due: finding.due,
        };
        self.findings.iter().map(open).collect()
    }

    /// Gates that wait for people, in order: up to the first that is stopped, or that nobody is named for.
    pub fn awaits(&self) -> Vec<String> {
        let left = self.gates.iter().filter(|own| own.standing != Standing::Passed);
        let is_of_people = |own: &&GateRecord| {
            own.standing != Standing::Stopped && own.owner.as_deref().is_some_and(|owner| owner != "machine")
        };
        left.take_while(is_of_people).map(|own| own.gate.name().to_owned()).collect()
    }

    /// Checks that are not as expected.
    pub fn failed(&self) -> impl Iterator<Item = &Checked> {
        self.checks.iter().filter(|check| check.light == Light::Red)
    }

    /// Findings that nobody has closed.
    pub fn open_findings(&self) -> impl Iterator<Item = &Finding> {
        let is_open = |own: &&Finding| !self.closed.iter().any(|closed| closed.finding == own.id);
        self.findings.iter().filter(is_open)
    }

    /// The gate that waits for people; `None` where none does, or the drill is stopped at one.
    pub fn waiting(&self) -> Option<&GateRecord> {
        self.gates.iter().find(|own| own.standing == Standing::Waits)
    }
}
