//! What is to be copied where, from whom, and why.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use super::compare::{Making, list_requests};
use crate::ids::{Digest, Name, SnapshotId, VaultId};
use crate::progress::{Phase, Problem, Progress};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::layout;
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::replica::{Replica, with_causes};
use crate::vault::snapshots::{Snapshot, Snapshots};

/// What is to be replicated.
#[derive(Clone)]
pub struct Request<'a> {
    /// Replicas that are brought up to date, by name; empty: all.
    pub to: Vec<String>,
    /// The only replica that is copied from; `None`: any that has a good copy.
    pub from: Option<String>,
    /// Only snapshots of these repositories; empty: all.
    pub repositories: Vec<Name>,
    /// Only these snapshots; empty: all.
    pub snapshots: HashSet<Digest>,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
}

impl Request<'_> {
    pub(super) fn is_about(&self, snapshot: &Snapshot) -> bool {
        (self.repositories.is_empty() || self.repositories.contains(&snapshot.manifest.repository))
            && (self.snapshots.is_empty() || self.snapshots.contains(&snapshot.digest))
    }
}

/// What would be copied.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Vault it was made for.
    pub vault: VaultId,
    /// One a replica that is to be brought up to date and can be.
    pub targets: Vec<Target>,
    /// What snapshots need and no replica lists a copy of.
    pub lost: Vec<Lost>,
    /// Manifests, catalogs and ledgers that nobody has a good copy of: what they speak of is left
    /// alone.
    pub unreadable: Vec<Problem>,
    /// Snapshots that were looked at.
    pub snapshots: u64,
    /// LIST requests that making the plan took on each replica.
    #[serde(skip)]
    pub lists: BTreeMap<String, u64>,
}

impl Plan {
    /// Whether every replica holds everything already.
    pub fn is_empty(&self) -> bool {
        self.targets.iter().all(|target| {
            target.copies.is_empty() && target.snapshots.is_empty() && target.waiting.is_empty()
        })
    }
}

/// What one replica is to get.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// Its name.
    pub replica: String,
    /// Objects, those before others that name them; of these the largest are written first.
    pub copies: Vec<ObjectCopy>,
    /// Snapshots whose manifest follows, when all that they need is there.
    pub snapshots: Vec<SnapshotCopy>,
    /// Snapshots that have to wait.
    pub waiting: Vec<Waiting>,
    /// What it still holds of snapshots that were removed; pruning frees it.
    pub removed: Removed,
}

/// An object, and with it its signature where it is a signed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectCopy {
    /// Its key.
    pub key: String,
    /// Bytes; 0 where a listing does not tell, for small signed files.
    pub size: u64,
    /// Replicas that list a copy, in the order in which they are asked.
    pub from: Vec<String>,
    /// What is there now.
    pub how: How,
}

/// What is under a key on the replica that is to have the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Nothing.
    Missing,
    /// Something of another size.
    WrongSize,
    /// An object of the right size that no manifest on this replica needs so far: what an earlier
    /// run left. It is confirmed, and copied only if it is not good.
    Unconfirmed,
}

/// A snapshot whose manifest is to be brought.
#[derive(Debug, Clone, Serialize)]
pub struct SnapshotCopy {
    /// Repository it is of.
    pub repository: Name,
    /// Its id.
    pub snapshot: SnapshotId,
    /// Replicas that hold it.
    pub from: Vec<String>,
    /// Keys of the copies that it needs.
    #[serde(skip)]
    pub needs: Vec<String>,
}

/// A snapshot that has to wait.
#[derive(Debug, Clone, Serialize)]
pub struct Waiting {
    /// Its id.
    pub snapshot: SnapshotId,
    /// For what.
    pub why: String,
}

/// What a replica still holds of removed snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Number of their manifests.
    pub snapshots: u64,
}

/// An object that snapshots need and nobody has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Lost {
    /// Its key; for items that no index object knows, the place of the index.
    pub key: String,
    /// One sentence for people.
    pub detail: String,
    /// Snapshots that need it.
    pub snapshots: BTreeSet<SnapshotId>,
}

/// Compares what replicas hold with what they are to hold.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] for a name that is no replica, [`ErrorKind::Refused`] when there is
/// nothing to copy from, and those of reading the vault. A replica that fails leaves the run.
pub async fn plan(vault: &Vault, request: &Request<'_>) -> Result<Plan> {
    for name in request.to.iter().chain(&request.from) {
        vault.replicas.require_known(name)?;
    }
    if vault.replicas.configured() < 2 {
        return Err(VaultError::new(ErrorKind::Refused, "there is only one replica, so there is nothing to copy")
            .hint("add another to [[replicas]] in the configuration, then run `prismvault init` and `prismvault replicate`"));
    }
    request.progress.start(Phase::OpenVault, None);
    let snapshots = Snapshots::load(vault, None).await?;
    let (there, removed) = (snapshots.iter().count(), snapshots.removed().len());
    let mut plan = Plan {
        vault: vault.file.vault,
        targets: Vec::new(),
        lost: Vec::new(),
        unreadable: snapshots.unreadable.clone(),
        snapshots: 0,
        lists: BTreeMap::new(),
    };
    let mut making =
        Making { vault, request, targets: BTreeMap::new(), lost: BTreeMap::new(), lists: BTreeMap::new() };
    making.trust().await;
    // Manifests and signatures, twice; trust records; the spaces that have a ledger.
    making.count_lists(|_| 2 * list_requests(2 * (there + removed)) + 2);
    let mut spaces = Ledger::spaces(vault).await?;
    spaces.extend(snapshots.iter().map(|snapshot| snapshot.manifest.space.clone()));
    for name in spaces {
        let own: Vec<&Snapshot> = snapshots
            .iter()
            .filter(|snapshot| snapshot.manifest.space == name && request.is_about(snapshot))
            .collect();
        let everyones = snapshots.iter().filter(|snapshot| snapshot.manifest.space == name);
        let named = everyones.flat_map(|snapshot| &snapshot.manifest.ledger);
        let ledger = Ledger::load(vault, &name).await?;
        making.count_lists(|_| 1);
        making.ledger(&ledger);
        plan.unreadable.extend(ledger.unreadable.iter().cloned());
        if let Err(error) = ledger.require_whole(vault, named) {
            let detail = format!("nothing of this space is copied: {}", with_causes(&error));
            let place = format!("{}/{name}", layout::LEDGER);
            plan.unreadable.push(Problem::new("ledger-incomplete", place, detail));
            continue;
        }
        if own.is_empty() {
            continue;
        }
        plan.snapshots += own.len() as u64;
        plan.unreadable.extend(making.space(&ledger, &name, &own).await?);
    }
    making.removed(&snapshots).await;
    let order = vault.replicas.all().iter().filter(|replica| replica.is_live());
    plan.targets = order.filter_map(|replica| making.targets.remove(&replica.name)).collect();
    plan.targets.iter_mut().for_each(Target::sort);
    plan.lost = making.lost.into_values().collect();
    plan.lists = making.lists;
    request.progress.finish(Phase::OpenVault);
    Ok(plan)
}

impl Target {
    pub(super) fn of(replica: &Replica) -> Self {
        Self {
            replica: replica.name.clone(),
            copies: Vec::new(),
            snapshots: Vec::new(),
            waiting: Vec::new(),
            removed: Removed::default(),
        }
    }

    fn sort(&mut self) {
        self.copies.sort_by(|a, b| (stage(&a.key), &a.key).cmp(&(stage(&b.key), &b.key)));
        self.copies.dedup_by(|a, b| a.key == b.key);
        self.snapshots.sort_by(|a, b| a.snapshot.cmp(&b.snapshot));
    }
}

/// Place of an object in the order of writes: what names another comes after it.
pub(super) fn stage(key: &str) -> u8 {
    match key.split('/').next().unwrap_or_default() {
        layout::TRUST => 0,
        layout::LEDGER => 1,
        layout::KEYS => 2,
        layout::PACKS => 3,
        layout::INDEX => 4,
        _ => 5,
    }
}
