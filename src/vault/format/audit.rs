//! `audit/<writer>/<n>.json`: what was done to the vault, by whom, and how it ended.
//!
//! One hash chain a writer: each entry names the SHA-256 of the one before it. An entry is not
//! signed itself; the next manifest of its writer names it, and manifests are.

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, ReplicaId, VaultId, WriterId};

/// Kind of [`AuditEntry`].
pub const KIND: &str = "audit-entry";

/// One entry of the audit log. Ids, numbers and codes only, but for what the configuration says
/// of who the writer is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// Whose chain it is part of.
    pub writer: WriterId,
    /// Its number in the chain, from 1.
    pub n: u64,
    /// SHA-256 of entry `n - 1`; none in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// When the command ended, or began, RFC 3339, by the clock of the writer.
    pub at: String,
    /// Who ran it: as configured, else the number of the user of the operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// On which machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The command, without its arguments: `snapshot`, `audit verify`.
    pub command: String,
    /// What it was about: snapshots (`<repository>/<id>`), repositories, keys of objects.
    #[serde(default)]
    pub subjects: Vec<String>,
    /// How many more there were than are listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_subjects: u64,
    /// SHA-256 of the plan that was carried out, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Digest>,
    /// How it ended, or that it began.
    pub result: AuditResult,
    /// Exit code of the command; none while it has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// Key of the entry that said that this command began, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<String>,
    /// Random id of the run, as in its logs and in the manifest of a snapshot that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Replicas that took part at the end and so were sent this entry.
    #[serde(default)]
    pub replicas: Vec<ReplicaId>,
    /// Version of the program.
    pub tool: String,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditResult {
    /// It is about to delete for good, or to change who is trusted. If no later entry names this
    /// one as what it ends ([`AuditEntry::begun`]), the run was killed.
    Begun,
    /// Done, complete.
    Complete,
    /// Done; the source or some replica is incomplete.
    Partial,
    /// Failed.
    Failed,
    /// Something is damaged, missing or not authentic.
    Integrity,
    /// Refused by a safety rule.
    Refused,
    /// Done; an objective was missed.
    ObjectiveMissed,
    /// Interrupted.
    Interrupted,
    /// A result of a later version.
    #[serde(other)]
    Unknown,
}

impl AuditResult {
    /// Returns the word shown to people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Integrity => "integrity",
            Self::Refused => "refused",
            Self::ObjectiveMissed => "objective missed",
            Self::Interrupted => "interrupted",
            Self::Unknown => "unknown",
        }
    }
}

/// Names one entry by its place and its bytes: the newest of a chain that somebody saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// Whose chain.
    pub writer: WriterId,
    /// The number of the entry.
    pub n: u64,
    /// SHA-256 of the entry.
    pub sha256: Digest,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
