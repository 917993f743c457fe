//! Carrying out a plan: removals into the ledger, one entry for each set of replicas.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::plan::RetentionPlan;
use super::planning::state_of;
use crate::ids::{Name, ReplicaId};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::ledger::{Decision, Removed};
use crate::vault::format::trust::Role;
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::snapshots::Snapshots;

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// Keys of the ledger entries.
    pub entries: Vec<String>,
    /// Snapshots that they remove from some or all replicas.
    pub snapshots: usize,
}

/// Snapshots that go together: one entry of the ledger.
type Groups<'a> = BTreeMap<(&'a Name, &'a Name, Option<&'a BTreeSet<ReplicaId>>), Vec<Removed>>;

/// Writes the removals of a plan to the ledger, those of refused repositories excepted.
///
/// Each entry is whole or absent; after a crash a new plan has what is left. A replica that was away
/// gets the entries that it lacks, also where nothing is to be removed: what was removed meanwhile
/// is not to count there any longer.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when the plan is of another vault, or anything it was made from changed
/// since; [`ErrorKind::Identity`] without a maintenance key; when too few replicas take an entry.
pub async fn apply(vault: &Vault, plan: &RetentionPlan) -> Result<Applied> {
    if plan.vault != vault.file.vault {
        return Err(VaultError::new(
            ErrorKind::Refused,
            format!("the plan was made for the vault {}, this is {}", plan.vault, vault.file.vault),
        ));
    }
    let mut groups: Groups<'_> = BTreeMap::new();
    for (repository, snapshot, remove) in plan.removals() {
        let group = (&snapshot.space, repository, remove.replicas.as_ref());
        groups.entry(group).or_default().push(Removed {
            snapshot: Some(snapshot.snapshot.clone()),
            sha256: snapshot.sha256,
            parents: snapshot.parents.clone(),
            rule: remove.rule.clone(),
        });
    }
    if groups.is_empty() {
        bring_ledgers(vault, plan).await?;
        return Ok(Applied::default());
    }
    vault.require_may_delete()?;
    vault.signer(&[Role::Maintenance])?;
    let snapshots = Snapshots::load(vault, None).await?;
    for part in plan.repositories.iter().filter(|part| part.refused.is_none()) {
        if state_of(&snapshots, &part.repository) != part.state {
            return Err(VaultError::new(
                ErrorKind::Refused,
                format!("{} changed since the plan was made", part.repository),
            )
            .hint("run the same command again: it makes a new plan"));
        }
    }
    let mut applied = Applied::default();
    for ((space, repository, replicas), removed) in groups {
        // Afresh, because the entry before is its parent.
        let ledger = Ledger::load(vault, space).await?;
        ledger.require_understood(vault, [])?;
        applied.snapshots += removed.len();
        let decision = Decision::Removal {
            repository: repository.clone(),
            snapshots: removed,
            replicas: replicas.cloned(),
        };
        applied.entries.push(ledger.append(vault, space, decision).await?.key);
    }
    bring_ledgers(vault, plan).await?;
    Ok(applied)
}

/// Brings replicas the ledger entries of these repositories that they lack; one that refuses leaves
/// the run.
async fn bring_ledgers(vault: &Vault, plan: &RetentionPlan) -> Result<()> {
    let spaces: BTreeSet<&Name> =
        plan.repositories.iter().flat_map(|part| &part.snapshots).map(|line| &line.space).collect();
    for space in spaces {
        Ledger::load(vault, space).await?.bring_up_to_date(vault).await;
    }
    Ok(())
}
