//! Whether replicas are different places.
//!
//! A snapshot counts when `min_copies` replicas hold it. One place under two names (a directory
//! configured twice, a link, a bucket behind two endpoints) would count twice, so every replica
//! has a random id of its own, in `replica.json`, and two that say the same are not written to.
//!
//! The same id also comes about when somebody copies a whole replica to make a second one. Only
//! writing tells the two apart: what is put at one place either shows at the other or does not.
//! Snapshots do not try; `repair` does, and gives a real copy an id of its own.
//!
//! A crash leaves at worst a small object below `state/`, which nobody reads.

use std::collections::HashMap;

use futures_util::future::join_all;

use super::error::{ErrorKind, Result, VaultError};
use super::layout;
use super::open::Vault;
use super::replica::Replica;
use crate::ids::{ReplicaId, random};
use crate::objects::{Body, ErrorKind as StoreKind};

/// Two live replicas that say to be the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameReplica {
    /// The first of them, in the order of the configuration: it keeps the id.
    pub first: String,
    /// The other.
    pub second: String,
}

impl SameReplica {
    /// One sentence that says what it means.
    pub fn sentence(&self) -> String {
        let Self { first, second } = self;
        format!(
            "{second} has the replica id of {first}: {first} and {second} are two names for one place, or one is a copy of the other"
        )
    }
}

impl Vault {
    /// Returns the live replicas whose `replica.json` names the id of one before them. One without
    /// readable file is not among them.
    pub async fn same_replicas(&self) -> Vec<SameReplica> {
        let live = self.replicas.live();
        let read = |replica| async move { (replica, Replica::read_id(replica, &self.file.vault).await) };
        let ids = join_all(live.map(read)).await;
        let mut first_of: HashMap<ReplicaId, &Replica> = HashMap::new();
        let mut same = Vec::new();
        for (replica, id) in ids.into_iter().filter_map(|(replica, id)| Some((replica, id.ok()??))) {
            let first = *first_of.entry(id).or_insert(replica);
            if first.name != replica.name {
                same.push(SameReplica { first: first.name.clone(), second: replica.name.clone() });
            }
        }
        same
    }

    /// Checks that no two live replicas say to be the same one, before anything is written that
    /// counts copies.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] otherwise.
    pub async fn require_different_replicas(&self) -> Result<()> {
        match self.same_replicas().await.first() {
            None => Ok(()),
            Some(same) => Err(VaultError::new(
                ErrorKind::Refused,
                format!("{}, so one copy could count as two", same.sentence()),
            )
            .hint(format!(
                "if both names lead to one place, remove one of them from the configuration; if {} is a copy at another place, `prismvault repair` gives it an id of its own",
                same.second
            ))),
        }
    }
}

/// Whether two replicas are one place: what is put at one shows at the other. Leaves nothing there.
///
/// # Errors
///
/// Those of the stores.
pub async fn is_same_place(a: &Replica, b: &Replica) -> Result<bool> {
    let key = layout::probe(&random::<8>());
    a.store_new(&key, Body::bytes(&b"prismvault looks whether two replicas are one place\n"[..])).await?;
    let seen = b.store.head(&key).await;
    if let Err(error) = a.store.delete(&key).await {
        tracing::info!(%error, "an object that nobody needs is left behind");
    }
    match seen {
        Ok(_) => Ok(true),
        Err(error) if error.kind == StoreKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Checks that replicas of a new vault are different places, before anything is made there.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when two are one; those of the stores.
pub async fn require_different_places(replicas: &[Replica]) -> Result<()> {
    for (at, replica) in replicas.iter().enumerate() {
        for other in &replicas[at + 1..] {
            if is_same_place(replica, other).await? {
                return Err(VaultError::new(
                    ErrorKind::Refused,
                    format!("the replicas {} and {} are one place under two names", replica.name, other.name),
                )
                .hint("remove one of them from the configuration: one copy would count as two"));
            }
        }
    }
    Ok(())
}
