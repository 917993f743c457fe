//! `ledger/<space>/<entry id>.json`: signed entries that only accumulate.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, Name, ReplicaId, SnapshotId, VaultId};
use crate::vault::format::audit::AuditHead;
use crate::vault::format::order::Approval;
use crate::vault::format::receipt::Receipt;

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
    /// The newest entry of the audit log that its writer wrote before, so that this signature
    /// covers the whole chain up to it: who removes and changes keys signs no manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditHead>,
    /// What it decides.
    pub decision: Decision,
}

impl Decision {
    /// The order that people signed, and their signatures, where it is one that counts by these.
    pub fn signed(&self) -> Option<(&str, &[Approval])> {
        match self {
            Self::Erasure { order, approvals }
            | Self::Restriction { order, approvals }
            | Self::Lift { order, approvals } => Some((order, approvals)),
            _ => None,
        }
    }

    /// Whether a tool that does not know this kind of decision must not read content.
    pub fn is_critical(&self) -> bool {
        matches!(self, Self::Erasure { .. } | Self::Restriction { .. } | Self::Lift { .. })
    }
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
    /// Snapshots that go, by retention or because somebody said so. Until pruning deletes their
    /// objects, [`Undelete`](Self::Undelete) brings them back.
    Removal {
        /// Repository they are of.
        repository: Name,
        /// The snapshots.
        snapshots: Vec<Removed>,
        /// Replicas that are no longer to hold them; `None`: none is, those of the future too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replicas: Option<BTreeSet<ReplicaId>>,
    },
    /// Snapshots whose removal is taken back, on every replica.
    Undelete {
        /// Repository they are of.
        repository: Name,
        /// The snapshots.
        snapshots: Vec<Named>,
        /// Why, in words.
        reason: String,
    },
    /// Snapshots that nothing may remove until they are released.
    Hold {
        /// Repository they are of.
        repository: Name,
        /// The snapshots.
        snapshots: Vec<Named>,
        /// Why, in words.
        reason: String,
    },
    /// Snapshots that are under hold no longer.
    Release {
        /// Repository they are of.
        repository: Name,
        /// The snapshots.
        snapshots: Vec<Named>,
        /// Why, in words.
        reason: String,
    },
    /// A snapshot that holds much less than the one before, and rightly so: retention goes on.
    AcceptedShrink {
        /// Repository it is of.
        repository: Name,
        /// The snapshot.
        snapshot: Named,
        /// Why, in words.
        reason: String,
    },
    /// Headers that packs have besides, or instead of, those that their index names: written for
    /// other recipients.
    Rewrap {
        /// Number of the trust record to whose recipients they were written.
        #[serde(default)]
        trust: u32,
        /// New headers.
        headers: Vec<PackHeader>,
        /// Headers that no replica is to hold any more.
        #[serde(default)]
        retired: Vec<PackHeader>,
        /// Index objects written for these recipients, in place of `retired_indexes`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        indexes: Vec<Digest>,
        /// Index objects that others took the place of.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        retired_indexes: Vec<Digest>,
    },
    /// Files that were signed by a key which is trusted no longer, and count all the same: these,
    /// and what they name.
    Endorsement {
        /// SHA-256 of manifests, ledger entries and index objects.
        files: Vec<Digest>,
    },
    /// Items that are read no more, and what is read in their place.
    Erasure {
        /// The [`Order`](super::order::Order) as JSON, to the letter as it was signed.
        order: String,
        /// Signatures over it by privacy keys.
        approvals: Vec<Approval>,
    },
    /// Items that are handed out no more until a [`Lift`](Self::Lift) says so; they stay as they are stored.
    Restriction {
        /// The [`Order`](super::order::Order) as JSON, to the letter as it was signed.
        order: String,
        /// Signatures over it by privacy keys.
        approvals: Vec<Approval>,
    },
    /// Restrictions that end.
    Lift {
        /// The [`LiftOrder`](super::order::LiftOrder) as JSON, to the letter as it was signed.
        order: String,
        /// Signatures over it by privacy keys.
        approvals: Vec<Approval>,
    },
    /// What became of what an order destroys, on one replica.
    Receipt(Receipt),
    /// An entry of a later version.
    #[serde(other)]
    Unknown,
}

/// A snapshot, by id and by the SHA-256 of its manifest: an id can be claimed by another file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its id.
    pub snapshot: SnapshotId,
    /// SHA-256 of its manifest.
    pub sha256: Digest,
}

/// A snapshot that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Its id; absent for one that is known only because others name it as their parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotId>,
    /// SHA-256 of its manifest.
    pub sha256: Digest,
    /// What it names, so that the chain stays whole without it.
    pub parents: Vec<Digest>,
    /// The rule, or the reason in words.
    pub rule: String,
}

/// A header of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackHeader {
    /// SHA-256 of the body of the pack.
    pub pack: Digest,
    /// SHA-256 of the header.
    pub header: Digest,
    /// Bytes of the header.
    pub size: u64,
}
