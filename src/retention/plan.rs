//! The plan: what goes, what stays, and why, as data.

use std::collections::BTreeSet;

use serde::Serialize;

use super::policy::Verdict;
use crate::config::RetentionPolicy;
use crate::ids::{Digest, Name, ReplicaId, SnapshotId, VaultId};
use crate::vault::format::manifest::Status;

/// What would be removed from a vault. Changing any of it changes its [`hash`](Self::hash).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetentionPlan {
    /// The vault it was made for.
    pub vault: VaultId,
    /// What asks for it.
    pub kind: Kind,
    /// One part a repository.
    pub repositories: Vec<RepositoryPlan>,
}

/// What asks for a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The policies.
    Retain,
    /// Somebody who ends a repository.
    Forget,
}

/// The part of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepositoryPlan {
    /// The repository.
    pub repository: Name,
    /// Its time zone, by which periods are counted.
    pub timezone: &'static str,
    /// Policies and the replicas that they are for; none where nothing is configured.
    pub policies: Vec<PolicyOn>,
    /// Why nothing of it is removed, although the verdicts would.
    pub refused: Option<Refusal>,
    /// Its snapshots, oldest first.
    pub snapshots: Vec<SnapshotPlan>,
    /// SHA-256 of the manifests and ledger heads that it was made from. Not part of the hash: a
    /// decision about another repository of the space changes it as well.
    #[serde(skip)]
    pub state: Digest,
}

/// A policy and where it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyOn {
    /// Names of replicas.
    pub replicas: Vec<String>,
    /// What is kept there.
    pub policy: RetentionPolicy,
}

/// Why the removals of a repository are not to be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// For programs: `chain`, `ledger`, `shrink`, `hold`.
    pub code: &'static str,
    /// One sentence for people.
    pub why: String,
    /// What to do next.
    pub next_step: String,
}

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotPlan {
    /// Its id.
    pub snapshot: SnapshotId,
    /// SHA-256 of its manifest.
    pub sha256: Digest,
    /// The manifests that it names.
    pub parents: Vec<Digest>,
    /// The space whose ledger decides about it.
    pub space: Name,
    /// Whether anything is missing in it.
    pub status: Status,
    /// What the policies say.
    pub verdicts: Vec<VerdictOn>,
    /// Where it is removed from; `None`: it stays where it is.
    pub remove: Option<RemoveFrom>,
}

/// What holds for a snapshot on some replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerdictOn {
    /// Names of the replicas.
    pub replicas: Vec<String>,
    /// What becomes of it there.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// A removal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RemoveFrom {
    /// Ids of the replicas that are not to hold it any more; `None`: none is, those of the future
    /// too.
    pub replicas: Option<BTreeSet<ReplicaId>>,
    /// Their names.
    pub names: Vec<String>,
    /// The rule that goes into the ledger.
    pub rule: String,
}

impl RetentionPlan {
    /// SHA-256 of the plan as canonical JSON: fields in the order of the structs, no white space.
    pub fn hash(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("plans always serialise"))
    }

    /// Returns the snapshots that go, with their repositories; those of refused repositories are
    /// not among them.
    pub fn removals(&self) -> impl Iterator<Item = (&Name, &SnapshotPlan, &RemoveFrom)> {
        self.repositories.iter().filter(|plan| plan.refused.is_none()).flat_map(|plan| {
            plan.snapshots
                .iter()
                .filter_map(|snapshot| Some((&plan.repository, snapshot, snapshot.remove.as_ref()?)))
        })
    }

    /// Whether any repository is refused.
    pub fn is_refused(&self) -> bool {
        self.repositories.iter().any(|plan| plan.refused.is_some())
    }
}
