//! `ledger/<space>/<entry id>.json`: signed entries that only accumulate.

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, Name, SnapshotId, VaultId};

/// Kind of [`LedgerEntry`].
pub const KIND: &str = "ledger-entry";

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// Space it is about.
    pub space: Name,
    /// Time first, like a snapshot's.
    pub id: SnapshotId,
    /// SHA-256 of the entries of this space that no other named yet, so that none can be dropped
    /// unseen.
    pub parents: Vec<Digest>,
    /// Whether a tool that does not know this kind of entry must not read content.
    #[serde(default)]
    pub critical: bool,
    /// What it decides.
    pub decision: Decision,
}

/// What a ledger entry decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Decision {
    /// A gap at the source that will not close: later snapshots list it and are complete without.
    AcceptedGap {
        /// Repository it is in.
        repository: Name,
        /// Path of the catalog that is missing.
        path: String,
        /// Why it was accepted, in words.
        reason: String,
    },
    /// An entry of a later version.
    #[serde(other)]
    Unknown,
}
