//! `state/restores/<id>.json`: how far a restore into Prismic got.
//!
//! It lies on every replica, so that another host goes on with a restore whose host died. It may be
//! overwritten and lost: then the journal on the host that restored is the only one.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{Name, SnapshotId, VaultId};

/// Kind of [`RestoreRecord`].
pub const KIND: &str = "restore";

/// A copy of the journal of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreRecord {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// Id of the restore; such ids look like those of snapshots.
    pub restore: SnapshotId,
    /// The snapshot that is restored.
    pub snapshot: SnapshotId,
    /// Name of the repository that it is restored into, as the configuration of that host has it.
    pub target: Name,
    /// When the copy was made.
    pub at: Timestamp,
    /// How many lines the journal has: which of two copies is the newer one, whatever clocks said.
    pub lines: u64,
    /// The journal, all of it. Ids, addresses of files and times only.
    pub journal: String,
}
