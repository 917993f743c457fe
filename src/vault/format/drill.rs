//! `drills/<drill id>/…`: what a rehearsal showed, and what people decided about it.
//!
//! `drill.json` is signed by whoever ran the drill with a key of the vault. It holds ids, counts, names of the
//! configuration and times; what may hold content (titles of lost edits, pictures of pages) is in files beside it,
//! encrypted to the content recipients, which it names with their digests. What people say afterwards is in
//! files of their own, signed with keys that the configuration gives to people, each naming the drill and the
//! statement before it: nothing that was signed changes any more.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::ids::{Digest, Name, SnapshotId, VaultId};

/// Kind of [`DrillFile`].
pub const KIND: &str = "drill";
/// Kind of [`StatementFile`].
pub const STATEMENT_KIND: &str = "drill-statement";
/// Kind of [`ClosedFile`].
pub const CLOSED_KIND: &str = "drill-finding-closed";

/// How a drill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrillResult {
    /// Everything that was to be shown was shown, and no finding is open.
    Passed,
    /// Everything that was to be shown was shown; something should be mended.
    PassedWithFindings,
    /// Something that was to be shown was not.
    Failed,
    /// It was killed, and a later command cleaned up after it.
    Abandoned,
}

impl DrillResult {
    /// Its name, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::PassedWithFindings => "passed with findings",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }

    /// Whether a recovery was shown to work.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Passed | Self::PassedWithFindings)
    }
}

/// A repository that a drill recovered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrilledRepository {
    /// Its name.
    pub repository: Name,
    /// The snapshot; absent: none was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotId>,
    /// Whether it was shown to come back.
    pub good: bool,
    /// Milliseconds of the phases that count as recovery; absent: it was not recovered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_ms: Option<u64>,
    /// Share (0 to 1) of the documents that came back as they were; absent: none were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<f64>,
}

/// The record of a drill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrillFile {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// Its id.
    pub drill: SnapshotId,
    /// Name of the plan.
    pub plan: Name,
    /// Whether it was a rehearsal (`false`) or a real disaster.
    pub real: bool,
    /// When it began, RFC 3339.
    pub began: String,
    /// When it ended, RFC 3339.
    pub ended: String,
    /// How it ended.
    pub result: DrillResult,
    /// SHA-256 of the criteria, which were fixed before it began.
    pub criteria: Digest,
    /// What it recovered.
    pub repositories: Vec<DrilledRepository>,
    /// Where to: `standby`, `sandbox`, or the name of a repository of the configuration.
    pub target: String,
    /// Kinds of what was injected.
    pub scenario: Vec<String>,
    /// Findings that are open: how many.
    pub findings: u32,
    /// These findings, the gravest first: until when each is to be mended is told without reading the report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenFinding>,
    /// Gates that people are to decide and had not when the record was written, in order; none where a gate before
    /// them was not passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awaits: Vec<String>,
    /// Version of the program.
    pub tool: String,
    /// Files beside it.
    pub files: Vec<DrillAttachment>,
}

/// A finding that was open when a drill ended. Who owns it is in the report, which is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenFinding {
    /// Its id.
    pub id: String,
    /// How grave it is: `minor`, `major` or `critical`.
    pub severity: String,
    /// The last day on which it is in time.
    pub due: NaiveDate,
}

/// A file beside the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillAttachment {
    /// Its path in a bundle.
    pub path: String,
    /// Bytes of it.
    pub bytes: u64,
    /// SHA-256 of it.
    pub sha256: Digest,
    /// SHA-256 of what is stored: compressed, and encrypted where the vault is; the name of the object.
    pub stored: Digest,
}

impl DrillAttachment {
    /// Whether it may show content, and so a person: lost edits with their titles, what commands printed, pictures
    /// of pages. An order of erasure destroys such files, and leaves the rest.
    pub fn holds_content(&self) -> bool {
        holds_content(&self.path)
    }
}

/// Whether the file of a drill with this path may show content: see [`DrillAttachment::holds_content`].
pub fn holds_content(path: &str) -> bool {
    path.starts_with("lost-edits") || path.starts_with("checks/") || path.starts_with("pages/")
}

/// What somebody said of a drill after it had run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementFile {
    /// [`STATEMENT_KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// The drill.
    pub drill: SnapshotId,
    /// Its number among the statements of the drill, from 1.
    pub n: u32,
    /// SHA-256 of the record, or of the statement before: what was looked at.
    pub before: Digest,
    /// When, RFC 3339.
    pub at: String,
    /// Who, by the name in the configuration.
    #[serde(rename = "as")]
    pub by: String,
    /// In whose place, where they are a substitute.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub for_: Option<String>,
    /// What it is.
    pub what: Statement,
    /// The note, or for [`Statement::Tabletop`] the answers as JSON: as an age file to the content recipients
    /// (base64), or in the clear in a vault without encryption.
    pub body: String,
}

/// What a statement is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Statement {
    /// A decision at a gate.
    Decision {
        /// The gate, by its name.
        gate: String,
        /// `go` or `no-go`.
        verdict: String,
    },
    /// A note.
    Note,
    /// A communication that was due has been made.
    Communication {
        /// Which, as the report calls it.
        id: String,
    },
    /// Answers of a tabletop exercise.
    Tabletop,
}

/// That a finding is mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedFile {
    /// [`CLOSED_KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// Id of the finding.
    pub finding: String,
    /// The last drill that met or carried it.
    pub drill: SnapshotId,
    /// When, RFC 3339.
    pub at: String,
    /// Who says so.
    #[serde(rename = "as")]
    pub by: String,
    /// The note, as in [`StatementFile::body`].
    pub note: String,
}
