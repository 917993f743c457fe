//! Results of verifications, kept on the replica that they are about.
//!
//! A result counts only if a key of the snapshot or maintenance role signed it for this very
//! replica. One that cannot be read, is not signed or is missing means "never verified": the worst
//! that comes of it is work done again. Writing replaces signature and file one after the other; a
//! crash between them loses the results, not the vault.

use std::collections::BTreeMap;

use super::error::{ErrorKind, Result, VaultError};
use super::format::trust::Role;
use super::format::verified::{KIND, Verified};
use super::format::{VERSION, to_json};
use super::layout;
use super::open::Vault;
use super::replica::{Replica, with_causes};
use crate::ids::Name;
use crate::objects::{Body, ErrorKind as StoreKind, PutMode};
use crate::progress::Problem;

/// Who may sign results.
const ROLES: &[Role] = &[Role::Snapshot, Role::Maintenance];

/// Reads the results of a space on one replica; empty ones where there are none that count, and
/// `None` where the replica has no readable id of its own.
pub async fn load(vault: &Vault, replica: &Replica, space: &Name) -> Option<Verified> {
    let id = replica.id()?;
    let key = layout::verification(space);
    let read = async {
        let (bytes, _) = vault.read_signed_on(replica, &key, KIND, &vault.signers(ROLES)).await?;
        let found: Verified = serde_json::from_slice(&bytes)
            .map_err(|error| VaultError::damaged(&key, &replica.store, error))?;
        if found.replica != id || found.space != *space {
            return Err(VaultError::damaged(&key, &replica.store, "it speaks of another replica or space"));
        }
        Ok(found)
    };
    match read.await {
        Ok(found) => Some(found),
        Err(error) => {
            if error.kind != ErrorKind::Store(StoreKind::NotFound) {
                let detail = format!("what was verified there is not believed: {}", with_causes(&error));
                vault.warn(Problem::new("not-a-verification", key.clone(), detail));
            }
            Some(Verified {
                kind: KIND.to_owned(),
                format: VERSION,
                vault: vault.file.vault,
                key,
                space: space.clone(),
                replica: id,
                objects: BTreeMap::new(),
                snapshots: BTreeMap::new(),
            })
        }
    }
}

/// Writes results to their replica.
///
/// # Errors
///
/// [`ErrorKind::Identity`] without a key that may sign them; those of the store.
pub async fn store(vault: &Vault, replica: &Replica, verified: &Verified) -> Result<()> {
    let bytes = to_json(verified);
    let signature = vault.signer(ROLES)?.sign(&bytes, &verified.key);
    let signature_key = layout::signature(&verified.key);
    replica.store.put(&signature_key, Body::bytes(signature), PutMode::Overwrite).await?;
    replica.store.put(&verified.key, Body::bytes(bytes), PutMode::Overwrite).await?;
    Ok(())
}
