//! `marks/<space>/<mark id>.json`: what one replica is about to lose.

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, Name, ReplicaId, SnapshotId, VaultId};
use crate::vault::format::ledger::PackHeader;

/// Kind of [`Mark`].
pub const KIND: &str = "mark";

/// A mark. It lies on the replica that it speaks of, and counts for that one only; its age is
/// what that store's own clock says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
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
    /// The replica it is about.
    pub replica: ReplicaId,
    /// Packs that no snapshot needed when it was made. Writers do not rely on them any more.
    pub packs: Vec<Digest>,
    /// Index objects whose packs all go, or that were merged into another.
    #[serde(default)]
    pub indexes: Vec<Digest>,
    /// Headers that the ledger retired, or that a crash left before it named them.
    #[serde(default)]
    pub headers: Vec<PackHeader>,
    /// Keys of manifests that the ledger removed. Their removal can be taken back until the mark
    /// is half a grace old, whatever else it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<String>,
}
