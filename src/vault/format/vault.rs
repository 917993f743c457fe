//! `vault.json` and `replica.json`.

use serde::{Deserialize, Serialize};

use crate::ids::{ReplicaId, VaultId};

/// Kind of [`VaultFile`].
pub const VAULT_KIND: &str = "prismvault";
/// Kind of [`ReplicaFile`].
pub const REPLICA_KIND: &str = "replica";

/// `vault.json`: says what this place is. The same bytes on every replica; not signed, because
/// everything it claims is claimed again by the signed trust record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultFile {
    /// [`VAULT_KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Random id of the vault.
    pub vault: VaultId,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Whether content is encrypted.
    pub encryption: Encryption,
    /// What a tool must know to read, write or delete here.
    #[serde(default)]
    pub features: Features,
}

/// How a vault is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// age, header and payload apart.
    Age,
    /// Not at all; there is no `keys/`.
    None,
}

/// Names of features that a tool must know; an unknown one forbids the operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// To read at all.
    #[serde(default)]
    pub read: Vec<String>,
    /// To write.
    #[serde(default)]
    pub write: Vec<String>,
    /// To delete.
    #[serde(default)]
    pub delete: Vec<String>,
}

/// `replica.json`: which replica this is; the only object whose bytes differ between replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaFile {
    /// [`REPLICA_KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it is a replica of.
    pub vault: VaultId,
    /// Random id of this replica.
    pub replica: ReplicaId,
}
