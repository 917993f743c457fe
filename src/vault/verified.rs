//! Results of verifications, kept on the replica that they are about.
//!
//! A result counts only if a key of the snapshot or maintenance role signed it for this very
//! replica. One that cannot be read, is not signed or is missing means "never verified": the worst
//! that comes of it is work done again. **If we crash here**, the results are those before or the
//! new ones, whole: they are one object.

use std::collections::BTreeMap;

use super::error::{Result, VaultError};
use super::format::VERSION;
use super::format::verified::{KIND, Verified};
use super::open::Vault;
use super::replica::{Replica, with_causes};
use super::{layout, state};
use crate::ids::Name;
use crate::objects::PutMode;
use crate::progress::Problem;

/// Reads the results of a space on one replica; empty ones where there are none that count, and
/// `None` where the replica has no readable id of its own.
pub async fn load(vault: &Vault, replica: &Replica, space: &Name) -> Option<Verified> {
    let id = replica.id()?;
    let key = layout::verification(space);
    let none = |key: String| Verified {
        kind: KIND.to_owned(),
        format: VERSION,
        vault: vault.file.vault,
        key,
        space: space.clone(),
        replica: id,
        objects: BTreeMap::new(),
        snapshots: BTreeMap::new(),
    };
    let why = match state::read::<Verified>(vault, replica, &key, KIND).await {
        Ok(None) => return Some(none(key)),
        Ok(Some(found)) if found.replica == id && found.space == *space => return Some(found),
        Ok(Some(_)) => VaultError::damaged(&key, &replica.store, "it speaks of another replica or space"),
        Err(error) => error,
    };
    let detail = format!("what was verified there is not believed: {}", with_causes(&why));
    vault.warn(Problem::new("not-a-verification", key.clone(), detail));
    Some(none(key))
}

/// Writes results to their replica.
///
/// # Errors
///
/// [`ErrorKind::Identity`](super::error::ErrorKind::Identity) without a key that may sign them; those of the store.
pub async fn store(vault: &Vault, replica: &Replica, verified: &Verified) -> Result<()> {
    let body = state::seal(vault, &verified.key, verified)?;
    replica.store.put(&verified.key, body, PutMode::Overwrite).await?;
    Ok(())
}
