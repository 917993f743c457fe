//! What there is to recover, and with what: facts, as configuration and vault have them.

use serde::Serialize;

use crate::drill::timeline::PhaseRecord;
use crate::ids::{Name, SnapshotId, VaultId};
use crate::vault::format::drill::DrillResult;

/// What is known at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inventory {
    /// The vault.
    pub vault: VaultId,
    /// When this was looked up, RFC 3339.
    pub made: String,
    /// What the plan recovers, in the order of recovery.
    pub repositories: Vec<Held>,
    /// The copies of the vault.
    pub replicas: Vec<Copy>,
    /// The keys that a recovery needs.
    pub keys: Vec<Key>,
    /// Who may sign off, by `[people]`.
    pub people: Vec<String>,
    /// The newest drill of this plan; absent: there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<LastDrill>,
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Its name here.
    pub repository: Name,
    /// Its name at Prismic.
    pub prismic: String,
    /// Snapshots that are there.
    pub snapshots: u64,
    /// The newest complete one; absent: nothing can be recovered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Newest>,
    /// Whom to call.
    pub contacts: Vec<String>,
}

/// The newest complete snapshot of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Newest {
    /// Its id.
    pub snapshot: SnapshotId,
    /// Seconds since it was taken.
    pub age_seconds: u64,
    /// Published documents.
    pub documents: u64,
    /// Assets.
    pub assets: u64,
    /// Bytes of everything in it, as it is restored.
    pub bytes: u64,
    /// Replicas that have its manifest.
    pub on: Vec<String>,
}

/// A copy of the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Copy {
    /// Its name.
    pub name: Name,
    /// The region; absent: no region of a provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Where it is, without credentials.
    pub place: String,
    /// What its objects are locked with; absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// Why it could not be read when this was looked up; absent: it could.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A key that a recovery needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    /// What it is for: `reads content`, `signs snapshots`.
    pub what: String,
    /// Its public half; absent: not known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
    /// Whose it is, by the label that the vault has; absent: nobody has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Where the configuration of this host looks for a secret half of this kind; absent: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// The newest drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastDrill {
    /// Its id.
    pub drill: SnapshotId,
    /// When it began, RFC 3339.
    pub began: String,
    /// How it ended.
    pub result: DrillResult,
    /// Where it recovered to.
    pub target: String,
    /// Documents and assets that it recovered.
    pub recovered: (u64, u64),
    /// Its phases; empty where its report could not be read here.
    pub phases: Vec<PhaseRecord>,
    /// Findings that were open.
    pub findings: u32,
}

impl Inventory {
    /// Documents and assets of the newest snapshots together.
    pub fn sizes(&self) -> (u64, u64) {
        let newest = self.repositories.iter().filter_map(|own| own.newest.as_ref());
        newest.fold((0, 0), |(documents, assets), own| {
            (documents.saturating_add(own.documents), assets.saturating_add(own.assets))
        })
    }
}
