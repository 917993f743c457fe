//! Marks: what pruning is about to delete from a replica.
//!
//! Pruning works in two phases so that no lock is needed. A mark says which packs go; every run
//! that begins after it does not rely on them, and no run lasts as long as the grace after which
//! they are deleted. A mark that cannot be read or that nobody with the maintenance role signed
//! marks nothing: pruning deletes only by marks that it reads in the same place.

use std::collections::HashSet;

use super::error::Result;
use super::format::mark::{KIND, Mark};
use super::format::{self, trust::Role};
use super::layout;
use super::open::Vault;
use super::replica::{Replica, in_parallel, with_causes};
use crate::clock::Timestamp;
use crate::ids::{Digest, Name};
use crate::objects::Body;
use crate::progress::Problem;

/// A mark as found on its replica.
#[derive(Debug, Clone)]
pub struct Found {
    /// What it says.
    pub mark: Mark,
    /// When it was written, by the store's own clock.
    pub written: Option<Timestamp>,
}

/// Reads the marks of a space on one replica; the second list names files that are no mark of it.
///
/// # Errors
///
/// Those of the store.
pub async fn load(vault: &Vault, replica: &Replica, space: &Name) -> Result<(Vec<Found>, Vec<Problem>)> {
    let listed = replica.store.list(&format!("{}/{space}", layout::MARKS)).await?;
    let files = listed.into_iter().filter(|object| layout::parse_entry(&object.key).is_some());
    let signers = vault.signers(&[Role::Maintenance]);
    let read = in_parallel(files, vault.limits.store_concurrency, |object| {
        let signers = &signers;
        async move { (vault.read_signed_on(replica, &object.key, KIND, signers).await, object) }
    })
    .await;
    let (mut marks, mut others) = (Vec::new(), Vec::new());
    for (result, object) in read {
        let parsed = result.map_err(|error| with_causes(&error)).and_then(|(bytes, _)| {
            let mark: Mark = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
            if replica.id() == Some(mark.replica) && mark.space == *space {
                Ok(mark)
            } else {
                Err("it speaks of another replica or space".to_owned())
            }
        });
        match parsed {
            Ok(mark) => marks.push(Found { mark, written: object.modified }),
            Err(why) => others.push(Problem::new("not-a-mark", object.key, why)),
        }
    }
    Ok((marks, others))
}

/// Returns the packs that are marked.
pub(super) fn packs(marks: &[Found]) -> HashSet<Digest> {
    marks.iter().flat_map(|found| found.mark.packs.iter().copied()).collect()
}

/// Writes a mark to its replica, its signature first.
///
/// # Errors
///
/// Without the maintenance key; those of the store.
pub async fn write(vault: &Vault, replica: &Replica, mark: &Mark) -> Result<()> {
    let bytes = format::to_json(mark);
    let signature = vault.signer(&[Role::Maintenance])?.sign(&bytes, &mark.key);
    replica.store_new(&layout::signature(&mark.key), Body::bytes(signature)).await?;
    replica.store_new(&mark.key, Body::bytes(bytes)).await
}
