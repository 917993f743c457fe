//! Holds: snapshots that nothing removes until they are released.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ids::{Name, SnapshotId};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::ledger::{Decision, Named};
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::snapshots::Snapshot;

/// What a hold or release does to one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldStep {
    /// Its repository.
    pub repository: Name,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Why it is held already, before.
    pub held: Option<String>,
    /// Whether an entry is written for it.
    pub changes: bool,
}

/// Returns a snapshot by id and digest.
pub(super) fn named(snapshot: &Snapshot) -> Named {
    Named { snapshot: snapshot.id().clone(), sha256: snapshot.digest }
}

fn step(snapshot: &Snapshot, changes: bool) -> HoldStep {
    HoldStep {
        repository: snapshot.manifest.repository.clone(),
        snapshot: snapshot.id().clone(),
        held: snapshot.fate.held.as_ref().map(|held| held.reason.clone()),
        changes,
    }
}

/// Says what a hold on these snapshots changes: those that are held already stay so, for the
/// reason that they have.
pub fn plan_hold(snapshots: &[&Snapshot]) -> Vec<HoldStep> {
    snapshots.iter().map(|snapshot| step(snapshot, snapshot.fate.held.is_none())).collect()
}

/// Says what a release of these snapshots changes.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] when one is not held: that is more likely a mistake than a wish.
pub fn plan_release(snapshots: &[&Snapshot]) -> Result<Vec<HoldStep>> {
    match snapshots.iter().find(|snapshot| snapshot.fate.held.is_none()) {
        Some(free) => Err(VaultError::new(ErrorKind::NotFound, format!("{} is not under hold", free.id()))
            .hint("`prismvault list` shows which are")),
        None => Ok(snapshots.iter().map(|snapshot| step(snapshot, true)).collect()),
    }
}

/// Puts snapshots under hold; returns the keys of the entries. Any role may: a hold takes nothing
/// away.
///
/// # Errors
///
/// Without a signing key, or when too few replicas take an entry.
pub async fn hold(vault: &Vault, snapshots: &[&Snapshot], reason: &str) -> Result<Vec<String>> {
    let free: Vec<&Snapshot> =
        snapshots.iter().copied().filter(|snapshot| snapshot.fate.held.is_none()).collect();
    decide(vault, &free, reason, |repository, snapshots, reason| Decision::Hold {
        repository,
        snapshots,
        reason,
    })
    .await
}

/// Ends holds; returns the keys of the entries. What a rule had removed meanwhile is removed then.
///
/// # Errors
///
/// Without a maintenance key, or when too few replicas take an entry.
pub async fn release(vault: &Vault, snapshots: &[&Snapshot], reason: &str) -> Result<Vec<String>> {
    plan_release(snapshots)?;
    decide(vault, snapshots, reason, |repository, snapshots, reason| Decision::Release {
        repository,
        snapshots,
        reason,
    })
    .await
}

/// Writes one entry a repository and space.
pub(super) async fn decide(
    vault: &Vault,
    snapshots: &[&Snapshot],
    reason: &str,
    decision: impl Fn(Name, Vec<Named>, String) -> Decision,
) -> Result<Vec<String>> {
    let mut groups: BTreeMap<(&Name, &Name), Vec<&Snapshot>> = BTreeMap::new();
    for snapshot in snapshots {
        let group = groups.entry((&snapshot.manifest.space, &snapshot.manifest.repository)).or_default();
        if !group.iter().any(|other| other.digest == snapshot.digest) {
            group.push(snapshot);
        }
    }
    let mut keys = Vec::new();
    for ((space, repository), group) in groups {
        let ledger = Ledger::load(vault, space).await?;
        ledger.require_whole(vault, group.iter().flat_map(|snapshot| &snapshot.manifest.ledger))?;
        let names = group.iter().map(|snapshot| named(snapshot)).collect();
        let entry = ledger
            .append(vault, space, decision(repository.clone(), names, reason.trim().to_owned()))
            .await?;
        keys.push(entry.key);
    }
    Ok(keys)
}
