//! Receipts: what became on one replica of what an order of erasure destroys.

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, ReplicaId};

/// Objects that a receipt lists one by one as pending; all are counted.
pub const PENDING_MAX: usize = 1_000;

/// What one replica still held for an order when somebody looked, and since when it holds no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// SHA-256 of the ledger entry with the order.
    pub order: Digest,
    /// The replica.
    pub replica: ReplicaId,
    /// When it was looked at, RFC 3339, by the clock of its store.
    pub at: String,
    /// Packs that were destroyed here for the order, those that were found after it was planned among them.
    pub packs: Vec<Digest>,
    /// Since when no header of any of these packs is here, so that nobody can read them, RFC 3339; absent
    /// while one is, and in a vault without encryption, which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// Since when nothing of them is here, no version either, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<String>,
    /// Objects that are still here.
    #[serde(default)]
    pub pending: u64,
    /// Those of them that are listed, at most [`PENDING_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listed: Vec<Pending>,
}

/// An object that is to go and is still there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pending {
    /// Its key.
    pub key: String,
    /// Until when a lock of the store keeps it, RFC 3339, where the store says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Why it is still there.
    pub why: String,
}
