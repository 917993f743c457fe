//! Manifests that are lost for good: saying so once, so that what is found from then on is new.
//!
//! A manifest that others name and nobody holds makes every verification fail, as it should: a
//! copy may turn up. When it is known that none will, a removal of its SHA-256 says that its
//! absence is accepted. What is lost stays lost.

use crate::ids::{Digest, Name};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::ledger::{Decision, Removed};
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::snapshots::{Lost, Snapshots};

/// Finds the lost manifest of a repository by what people type: its SHA-256, or its id where this
/// client remembers it or only one is lost.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] when no such manifest is missing, [`ErrorKind::Refused`] while a replica
/// that may hold it cannot be read.
pub fn plan_lost(vault: &Vault, snapshots: &Snapshots, repository: &Name, typed: &str) -> Result<Lost> {
    let lost = snapshots.lost(repository);
    let by_sha256 = typed.parse::<Digest>().ok();
    let found = match by_sha256 {
        Some(sha256) => lost.iter().find(|one| one.sha256 == sha256).cloned(),
        None => by_id(&lost, snapshots, repository, typed),
    };
    let found = found.ok_or_else(|| {
        let named: Vec<String> = lost
            .iter()
            .map(|one| match &one.snapshot {
                Some(id) => format!("{id} ({})", one.sha256),
                None => one.sha256.to_string(),
            })
            .collect();
        let error =
            VaultError::new(ErrorKind::NotFound, format!("no lost manifest of {repository} is {typed:?}"));
        match named.is_empty() {
            true => error.hint("every manifest that others name is there; a file that nobody names can be removed where it lies"),
            false => error.hint(format!("lost are: {}", named.join(", "))),
        }
    })?;
    let failed = vault.replicas.failed();
    if let Some((name, why)) = failed.first() {
        return Err(VaultError::new(
            ErrorKind::Refused,
            format!("{name} cannot be read and may hold it: {why}"),
        )
        .hint("mend that replica, or take it out of the configuration if it is gone for good"));
    }
    Ok(found)
}

/// Finds by id: the one that this client remembers, or a damaged file that must be the one that is
/// missed, because no other is.
fn by_id(lost: &[Lost], snapshots: &Snapshots, repository: &Name, typed: &str) -> Option<Lost> {
    let id = typed.parse().ok()?;
    if let Some(remembered) = lost.iter().find(|one| one.snapshot.as_ref() == Some(&id)) {
        return Some(remembered.clone());
    }
    let key = crate::vault::layout::manifest(repository, &id);
    let damaged = snapshots.unreadable.iter().any(|problem| problem.subject == key);
    match lost {
        [only] if damaged && only.snapshot.is_none() => {
            Some(Lost { sha256: only.sha256, snapshot: Some(id) })
        }
        _ => None,
    }
}

/// Records that a manifest is lost for good; returns the key of the entry. Should it turn up after
/// all, it counts as removed, and can be taken back.
///
/// # Errors
///
/// Without a maintenance key, when the ledger is not whole, or when too few replicas take the entry.
pub async fn acknowledge_lost(
    vault: &Vault,
    space: &Name,
    repository: &Name,
    lost: &Lost,
    reason: &str,
) -> Result<String> {
    let ledger = Ledger::load(vault, space).await?;
    ledger.require_understood(vault, [])?;
    let removed = Removed {
        snapshot: lost.snapshot.clone(),
        sha256: lost.sha256,
        // Nobody knows any more what it named.
        parents: Vec::new(),
        rule: format!("lost: {}", reason.trim()),
    };
    let decision =
        Decision::Removal { repository: repository.clone(), snapshots: vec![removed], replicas: None };
    Ok(ledger.append(vault, space, decision).await?.key)
}
