//! What is asked of a verification, and what it found.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::budget::Scope;
use crate::clock::Timestamp;
use crate::ids::{CaseId, Digest, ItemId, Name, SnapshotId};
use crate::locks::ReplicaLocks;
use crate::progress::{Problem, Progress};

/// How deep a verification looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Listed and of the right size; signed files are authentic.
    Presence,
    /// Checksums that the store keeps.
    Stored,
    /// All bytes read and hashed.
    Bytes,
    /// All content decrypted, hashed, parsed, links and assets closed.
    Content,
}

/// What is verified, and how.
#[derive(Clone)]
pub struct VerifyOptions<'a> {
    /// How deep; `None`: stored checksums where the store keeps them, else bytes.
    pub level: Option<Level>,
    /// Only these snapshots; empty: all.
    pub snapshots: Vec<SnapshotId>,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
    /// Ends it between two objects.
    pub cancel: CancellationToken,
    /// Which replicas, how much, and how long.
    pub scope: Scope,
}

/// What is wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DamageKind {
    /// Not there.
    Missing,
    /// There, with a wrong size.
    WrongSize,
    /// There, with other bytes than its name or signature says.
    Damaged,
    /// Not signed by whom it must be, or another thing than it says.
    NotAuthentic,
    /// A snapshot that other replicas hold and this one does not: it is behind.
    Behind,
    /// A replica that says to be another one: two names for one place, or a copy that was never
    /// given an id of its own. Copies on it do not count.
    SameReplica,
    /// There and whole, but behind a delete marker or a later version that somebody put there.
    Hidden,
    /// The replica, or an object of it, could not be read.
    Unreadable,
    /// Content that does not hold together: an item, a link or an asset.
    Content,
}

impl DamageKind {
    /// Whether data is damaged, missing or not authentic, as opposed to a copy that lags behind,
    /// is none, is hidden, or cannot be reached now.
    pub fn is_integrity(self) -> bool {
        !matches!(self, Self::Behind | Self::SameReplica | Self::Hidden | Self::Unreadable)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Damage {
    /// What is wrong.
    pub kind: DamageKind,
    /// Name of the replica; empty for what concerns all of them.
    pub replica: String,
    /// Key of the object, or path of the catalog.
    pub key: String,
    /// One sentence for people.
    pub detail: String,
}

/// What a verification found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct VerifyReport {
    /// Level reached on each replica, in words.
    pub levels: Vec<(String, Level)>,
    /// Snapshots looked at.
    pub snapshots: u64,
    /// Objects looked at, on all replicas.
    pub objects: u64,
    /// The same by replica.
    pub objects_by_replica: BTreeMap<String, u64>,
    /// Bytes read for it.
    pub bytes_read: u64,
    /// Items of which the content was checked.
    pub items: u64,
    /// Objects that no manifest needs, on all replicas.
    pub unreferenced: u64,
    /// Entries of the audit log that are sound, and their writers; none where only some snapshots
    /// were looked at.
    pub audit_entries: u64,
    /// Writers of the audit log.
    pub audit_writers: u64,
    /// The SHA-256 of entries of the audit log, for those of which a copy is wrong.
    #[serde(skip)]
    pub audit_digests: BTreeMap<String, Digest>,
    /// Those of them that pruning has marked, and deletes when the mark is old enough.
    pub marked: u64,
    /// Everything that is wrong, sorted.
    pub damage: Vec<Damage>,
    /// Keys of damaged objects that no replica has a good copy of, sorted.
    pub lost: Vec<String>,
    /// Snapshots that cannot be restored whole.
    pub affected: Vec<AffectedSnapshot>,
    /// What was found of locks, on replicas that have them.
    pub locks: Vec<ReplicaLocks>,
    /// What is read otherwise than it was stored, and by which orders.
    pub erased: Vec<ErasedUnder>,
    /// Objects that no record of a drill names, on all replicas: what drills left that were killed.
    pub drill_leftovers: u64,
    /// Items under restriction: stored, checked, and handed to nobody but who answers the person.
    pub restricted: u64,
    /// What is worth knowing.
    pub warnings: Vec<Problem>,
    /// Packs and index objects that a sample or a longest duration left for a later run, counted on
    /// each replica.
    pub left: u64,
    /// When it is to end.
    #[serde(skip)]
    pub(super) until: Option<Timestamp>,
    /// Packs and index objects that a budget let through, the least recently verified first.
    #[serde(skip)]
    pub(super) looked_at: Vec<Digest>,
    /// Replica, key and level of the objects that are good.
    #[serde(skip)]
    pub(super) good: BTreeSet<(String, String, Level)>,
    /// Packs of which all content is good.
    #[serde(skip)]
    pub(super) good_content: HashSet<Digest>,
    /// Items of which the content is good.
    #[serde(skip)]
    pub(super) good_items: HashSet<ItemId>,
    /// Replica and pack or index object, of all that are needed and there.
    #[serde(skip)]
    pub(super) there: BTreeSet<(String, Digest)>,
    /// What each snapshot needs on each replica.
    #[serde(skip)]
    pub(super) needs: Vec<SnapshotNeeds>,
}

/// The packs that a snapshot needs on one replica.
#[derive(Debug, Clone)]
pub(super) struct SnapshotNeeds {
    pub(super) replica: String,
    pub(super) space: Name,
    pub(super) snapshot: SnapshotId,
    /// Key of its manifest.
    pub(super) manifest: String,
    pub(super) units: Vec<Digest>,
}

/// Items that are missing, or read otherwise, because of an order of erasure: explained, not lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErasedUnder {
    /// Id of the ledger entry with the order.
    pub order: SnapshotId,
    /// The case.
    pub case: CaseId,
    /// Items.
    pub items: u64,
}

/// A snapshot of which something has no good copy any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AffectedSnapshot {
    /// Its repository.
    pub repository: Name,
    /// Its id.
    pub snapshot: SnapshotId,
    /// Whether its catalog cannot be read, so that nobody knows what belongs to it.
    pub catalog_lost: bool,
    /// Items of it that are lost, pages of its catalog included.
    pub items: u64,
    /// Paths of the catalog that are lost, sorted.
    pub paths: Vec<String>,
}

impl VerifyReport {
    pub(super) fn add(
        &mut self,
        kind: DamageKind,
        replica: &str,
        key: impl Into<String>,
        detail: impl Into<String>,
    ) {
        let damage = Damage { kind, replica: replica.to_owned(), key: key.into(), detail: detail.into() };
        self.damage.push(damage);
    }

    /// Counts objects that were looked at.
    pub(super) fn count(&mut self, replica: &str, objects: u64) {
        self.objects += objects;
        *self.objects_by_replica.entry(replica.to_owned()).or_default() += objects;
    }

    /// Sorts what was found, each thing once.
    pub(super) fn sort(&mut self) {
        self.damage.sort_unstable();
        self.damage.dedup();
    }
}
