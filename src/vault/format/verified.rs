//! `state/verification/<space>.json`: what was verified on a replica, and when.
//!
//! It decides in which order verification goes on, and what `list` and `show` say. It lies on the
//! replica that it is about, may be overwritten and lost, and is signed: whoever can write to a
//! bucket could otherwise keep verification away from what he damaged there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, Name, ReplicaId, SnapshotId, VaultId};

/// Kind of [`Verified`].
pub const KIND: &str = "verified";

/// What was verified of a space on one replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
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
    /// Replica it is about.
    pub replica: ReplicaId,
    /// Packs and index objects that were good, by their SHA-256.
    pub objects: BTreeMap<Digest, Times>,
    /// Snapshots, by id: since when at the latest all packs that they need were good.
    pub snapshots: BTreeMap<SnapshotId, Times>,
}

/// When something was last verified at each level, RFC 3339. A deeper level includes the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// By the checksums that the store keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<String>,
    /// All bytes read and hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// Content decrypted, hashed against its ids and parsed as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}
