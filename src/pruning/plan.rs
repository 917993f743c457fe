//! What a run of pruning is to do: pure data.

use std::collections::BTreeMap;

use serde::Serialize;

use super::repack::RepackPlan;
use crate::ids::{Digest, Name, ReplicaId, VaultId};
use crate::vault::format::ledger::PackHeader;

/// What pruning would do, made from one look at all replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrunePlan {
    /// Vault it was made for.
    pub vault: VaultId,
    /// SHA-256 of the manifests and ledger heads that it was made from.
    pub state: Digest,
    /// Small index objects that become one.
    pub merges: Vec<MergePlan>,
    /// Packs that are rewritten, where that was asked for: they are marked afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repack: Option<RepackPlan>,
    /// One a replica, in the order of the configuration.
    pub replicas: Vec<ReplicaPlan>,
}

/// What happens on one replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplicaPlan {
    /// Name of the replica.
    pub replica: String,
    /// Its id.
    pub id: ReplicaId,
    /// What is marked: at most one mark a space.
    pub mark: Vec<MarkPlan>,
    /// Keys of marks that are taken back because what they name is needed again. What else they
    /// name is marked anew.
    pub release: Vec<String>,
    /// What is deleted for good, in this order.
    pub delete: Vec<Deletion>,
    /// What is marked or removed and not old enough yet.
    pub waiting: Vec<Waiting>,
    /// What was marked and is needed again.
    pub kept: Vec<Kept>,
    /// Unneeded objects that are so new that a run may be about to need them.
    pub fresh: Tally,
    /// What this replica holds of packs, headers and index objects afterwards, the marked left out.
    pub stays: Tally,
    /// About how many requests applying it costs.
    pub requests: Requests,
}

/// A mark that is to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MarkPlan {
    /// Its space.
    pub space: Name,
    /// Packs that no snapshot needs which the replica is to hold.
    pub packs: Vec<Digest>,
    /// Those of them that no index object names: a run that was killed left them.
    pub unindexed: u64,
    /// Index objects whose packs all go, or are described by another.
    pub indexes: Vec<Digest>,
    /// Headers that the ledger retired, or that a crash left before it named them.
    pub headers: Vec<PackHeader>,
    /// Keys of manifests that the ledger removed; their signatures go with them.
    pub manifests: Vec<String>,
    /// How many objects that is.
    pub size: Tally,
}

/// Index objects that become one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MergePlan {
    /// Their space.
    pub space: Name,
    /// The small ones.
    pub indexes: Vec<Digest>,
    /// Packs that the new one describes.
    pub packs: Vec<Digest>,
}

/// What kind of object goes, in the order in which they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A manifest that the ledger removed.
    Manifest,
    /// A signature, of such a manifest or of a file that is gone.
    Signature,
    /// An index object.
    Index,
    /// A header of a pack.
    Header,
    /// The body of a pack.
    Body,
    /// A mark that was carried out, or its signature.
    Mark,
}

/// An object that is deleted for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deletion {
    /// What it is.
    pub kind: Kind,
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub bytes: u64,
    /// What its SHA-256 must be: another file under the key of a removed manifest stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// Why it goes.
    pub reason: String,
}

/// Something that waits until it is old enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Key of the mark, or of the removed manifest.
    pub key: String,
    /// What goes with it.
    pub size: Tally,
    /// From when on, RFC 3339, by the replica's own clock.
    pub deletable_after: String,
}

/// Something that was marked and stays.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Kept {
    /// Name of the replica.
    pub replica: String,
    /// Key of the object.
    pub key: String,
    /// Why it stays.
    pub reason: String,
}

/// A number of objects and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How many.
    pub objects: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// Requests to one replica.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// Lists, a thousand keys each.
    pub list: u64,
    /// Reads and look-ups.
    pub get: u64,
    /// Writes.
    pub put: u64,
    /// Deletions.
    pub delete: u64,
}

impl Tally {
    /// Adds an object.
    pub fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
    }
}

impl std::ops::AddAssign for Requests {
    fn add_assign(&mut self, other: Self) {
        self.list += other.list;
        self.get += other.get;
        self.put += other.put;
        self.delete += other.delete;
    }
}

impl Deletion {
    /// Whether something is lost by it that was ever stored for its own sake, so that a person is
    /// asked first.
    pub fn destroys(&self) -> bool {
        !matches!(self.kind, Kind::Mark | Kind::Signature)
    }
}

impl ReplicaPlan {
    /// What is deleted, by kind.
    pub fn deleted_by_kind(&self) -> BTreeMap<Kind, Tally> {
        let mut by_kind: BTreeMap<Kind, Tally> = BTreeMap::new();
        for deletion in &self.delete {
            by_kind.entry(deletion.kind).or_default().add(deletion.bytes);
        }
        by_kind
    }

    /// All that is deleted for good.
    pub fn destroyed(&self) -> Tally {
        let mut tally = Tally::default();
        self.delete.iter().filter(|deletion| deletion.destroys()).for_each(|one| tally.add(one.bytes));
        tally
    }

    /// Whether anything on this replica changes.
    pub fn changes(&self) -> bool {
        !self.mark.is_empty() || !self.release.is_empty() || !self.delete.is_empty()
    }

    /// All that is marked.
    pub fn marked(&self) -> Tally {
        let mut tally = Tally::default();
        self.mark.iter().for_each(|mark| tally += mark.size);
        tally
    }
}

impl PrunePlan {
    /// SHA-256 of its steps and of what it was made from; not of what merely waits, so that it is
    /// the same a minute later.
    ///
    /// # Panics
    ///
    /// Never: plans always serialise.
    pub fn hash(&self) -> Digest {
        type Steps<'a> = (&'a ReplicaId, &'a [MarkPlan], &'a [String], &'a [Deletion]);
        let steps: Vec<Steps<'_>> = self
            .replicas
            .iter()
            .map(|replica| (&replica.id, &replica.mark[..], &replica.release[..], &replica.delete[..]))
            .collect();
        let all = (&self.vault, &self.state, &self.merges, &self.repack, steps);
        Digest::of(&serde_json::to_vec(&all).expect("plans always serialise"))
    }

    /// Whether it writes anything: marks, merged index objects.
    pub fn marks(&self) -> bool {
        !self.merges.is_empty()
            || self.repacks()
            || self.replicas.iter().any(|replica| !replica.mark.is_empty() || !replica.release.is_empty())
    }

    /// Whether any pack is rewritten, or marked because it was.
    pub fn repacks(&self) -> bool {
        self.repack.as_ref().is_some_and(|repack| !repack.packs.is_empty())
    }

    /// Whether it deletes anything at all.
    pub fn deletes(&self) -> bool {
        self.replicas.iter().any(|replica| !replica.delete.is_empty())
    }

    /// What it deletes for good, on all replicas: a person is asked first.
    pub fn destroyed(&self) -> Tally {
        let mut tally = Tally::default();
        self.replicas.iter().for_each(|replica| tally += replica.destroyed());
        tally
    }
}
