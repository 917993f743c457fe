//! The vault as the scenario leaves it, and the snapshots that are recovered.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::config::Repository;
use crate::drill::plan::Choice;
use crate::drill::scenario::Injection;
use crate::ids::Name;
use crate::vault::error::VaultError;
use crate::vault::format::manifest::Manifest;
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::snapshots::{Snapshot, Snapshots};

/// A repository that is recovered.
#[derive(Debug, Clone)]
pub(super) struct Located {
    pub(super) repository: Name,
    /// `None`: there is nothing to recover it from.
    pub(super) manifest: Option<Manifest>,
    /// Why there is none.
    pub(super) why: Option<String>,
}

/// Keys of the newest snapshot of each repository, as they are hidden where the scenario takes it away. Read from
/// the vault as it is.
pub(super) async fn hidden(
    vault: &Vault,
    scenario: &[Injection],
    repositories: &[&Repository],
) -> Result<BTreeSet<String>, VaultError> {
    let mut hidden = BTreeSet::new();
    if !scenario.contains(&Injection::NewestMissing) {
        return Ok(hidden);
    }
    let snapshots = Snapshots::load(vault, None).await?;
    for repository in repositories {
        if let Some(newest) = snapshots.of(&repository.name).last() {
            let key = layout::manifest(&repository.name, newest.id());
            hidden.insert(layout::signature(&key));
            hidden.insert(key);
        }
    }
    Ok(hidden)
}

/// Chooses the snapshot of a repository: complete ones only, none from after the disaster.
pub(super) fn choose<'s>(
    snapshots: &'s Snapshots,
    repository: &Name,
    choice: &Choice,
    disaster: Timestamp,
    seed: u64,
) -> Result<&'s Snapshot, String> {
    let complete: Vec<&Snapshot> = snapshots
        .of(repository)
        .iter()
        .filter(|snapshot| snapshot.is_complete() && snapshot.id().time() <= disaster)
        .collect();
    let Some(newest) = complete.last().copied() else {
        return Err(match snapshots.of(repository).len() {
            0 => "there is no snapshot of it".to_owned(),
            count => format!("none of its {count} snapshots is complete and from before the disaster"),
        });
    };
    match choice {
        Choice::Latest => Ok(newest),
        Choice::At(until) => complete
            .iter()
            .rev()
            .find(|snapshot| snapshot.id().time() <= *until)
            .copied()
            .ok_or_else(|| "no complete snapshot of it is that old".to_owned()),
        Choice::RandomWithin { age } => {
            let young: Vec<&&Snapshot> =
                complete.iter().filter(|snapshot| disaster - snapshot.id().time() <= *age).collect();
            match young.len() {
                0 => Err("no complete snapshot of it is that young".to_owned()),
                count => Ok(young[(seed % count as u64) as usize]),
            }
        }
    }
}
