//! `state/abilities.json`: what a probe found that the store of a replica really does.
//!
//! It lies on the replica that it is about, may be overwritten and lost, and is signed: an answer
//! that anybody could write would let anybody say that a store is better than it is. It names the
//! place as well, because a replica that was copied to another store takes the file with it.

use serde::{Deserialize, Serialize};

use crate::ids::{ReplicaId, VaultId};

/// Kind of [`StoreAbilities`].
pub const KIND: &str = "abilities";

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreAbilities {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// Replica it is about.
    pub replica: ReplicaId,
    /// Where that was, as the store calls itself.
    pub place: String,
    /// When it was found out, RFC 3339.
    pub at: String,
    /// Whether a second create-only put is refused and leaves the first.
    pub create_only: bool,
    /// Whether checksums are checked at the put and told.
    pub stored_checksums: bool,
    /// Whether a put and a delete leave the versions before them.
    pub versions: bool,
    /// Whether a locked version cannot be deleted.
    pub locks: bool,
    /// What was seen that keeps the store from holding a vault, in a phrase each.
    #[serde(default)]
    pub obstacles: Vec<String>,
}
