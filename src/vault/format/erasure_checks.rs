//! `state/erasure-checks.json`: whether people who were erased were found again.
//!
//! It lies on every replica, so that whoever tells alarms knows of it without reading a case. It may be
//! overwritten and lost: then everything since each erasure is looked through once more. No personal data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{CaseId, Name, SnapshotId, VaultId};

/// Kind of [`ChecksFile`].
pub const KIND: &str = "erasure-checks";
/// Snapshots that are listed of one case; all are counted.
pub const LISTED_MAX: usize = 20;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChecksFile {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// What was found.
    pub checks: Checks,
}

/// What was found when somebody looked for erased people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    /// When somebody looked last: which of two copies is the newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// When everybody was last looked for, everywhere, and all of it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Timestamp>,
    /// By case.
    #[serde(default)]
    pub cases: BTreeMap<CaseId, CaseCheck>,
}

/// What was found of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseCheck {
    /// When somebody looked last.
    pub looked: Timestamp,
    /// Places that are live.
    pub live: u64,
    /// Places in snapshots that were taken since the erasure was planned.
    pub stored: u64,
    /// How many snapshots these are in.
    pub snapshots: u64,
    /// The first [`LISTED_MAX`] of them, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found_in: Vec<SnapshotId>,
    /// Parts that could not be looked at.
    pub not_read: u64,
    /// Since when each look finds something; absent: the last one found nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What follows when something is found.
    pub next: Next,
    /// By repository, or list of its members, the snapshot up to which all were read and nothing was found:
    /// the next look begins after it.
    #[serde(default)]
    pub clean: BTreeMap<Name, SnapshotId>,
}

impl CaseCheck {
    /// Places in which the person was found.
    pub fn places(&self) -> u64 {
        self.live + self.stored
    }
}

/// What follows when somebody is found, by how far the case got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// They were never seen to be gone: the erasure goes on.
    Erase,
    /// The case is open, and can be searched again.
    Search,
    /// The person is being answered: the case is closed, and opened again.
    Close,
    /// The case is closed, and is opened again.
    Reopen,
}

impl Next {
    /// The next command.
    pub fn command(self, case: &CaseId) -> String {
        match self {
            Self::Erase => format!("prismvault privacy erase {case}"),
            Self::Search => format!("prismvault privacy search {case}"),
            Self::Close => {
                format!("prismvault privacy close {case}, then prismvault privacy reopen {case} --reason …")
            }
            Self::Reopen => format!("prismvault privacy reopen {case} --reason …"),
        }
    }
}
