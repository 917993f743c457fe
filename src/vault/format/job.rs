//! `state/jobs/<name>.json`: how the runs of a job went.
//!
//! It lies on every replica, so that a scheduler on a new machine knows what was missed. It may be
//! overwritten and lost: then times before the scheduler began count as covered.

use serde::{Deserialize, Serialize};

use crate::ids::{Name, VaultId};

/// Kind of [`JobRecord`].
pub const KIND: &str = "job";

/// What is known of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// The job.
    pub job: Name,
    /// What it does, as in its file: `snapshot`, `verify`, ….
    pub does: String,
    /// When a scheduler first saw it, RFC 3339: nothing before it was missed.
    pub known_since: String,
    /// When it is to run next, as far as the scheduler knew, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The last run that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<RunRecord>,
    /// The last run that ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<RunRecord>,
    /// Runs that failed since then.
    #[serde(default)]
    pub failures: u32,
    /// Runs that ended so far: which of two copies is the newer one, whatever clocks said.
    #[serde(default)]
    pub runs: u64,
}

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Id of the run, as in its logs.
    pub run: String,
    /// The time it was for, RFC 3339.
    pub planned: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// When it ended, RFC 3339.
    pub ended: String,
    /// Exit code that the command would have ended with.
    pub exit_code: u8,
    /// Number of tries.
    pub attempts: u32,
    /// Name of the machine.
    pub host: String,
}
