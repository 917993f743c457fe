//! What is read in the place of erased items: stored before the order that names it.
//!
//! Salts are told by the plan, so ids are known before anything is stored, and whoever goes on after a kill
//! stores nothing twice. No fingerprint is kept: a snapshot never takes what stands in the place of something
//! for what is live.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::ids::{CaseId, ItemId, Mac, Name, Salt};
use crate::vault::anew::{Anew, Written};
use crate::vault::error::Result;
use crate::vault::format::index::PackKind;
use crate::vault::open::Vault;
use crate::vault::pack::{EntryName, ItemData};
use crate::vault::space::Space;

/// An item that is to be read in the place of others.
#[derive(Clone)]
pub struct NewItem {
    /// Its salt.
    pub salt: Salt,
    /// What it lies among.
    pub kind: PackKind,
    /// The path under which it is stored: that of what it replaces.
    pub path: String,
    /// Its bytes.
    pub bytes: Bytes,
}

impl std::fmt::Debug for NewItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewItem")
            .field("kind", &self.kind)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl NewItem {
    /// What stands in the place of everything that a case removes: says that something was removed, and not
    /// what.
    pub fn tombstone(salt: Salt, case: &CaseId) -> Self {
        let text = format!("{{\"kind\":\"tombstone\",\"format\":1,\"case\":\"{case}\"}}\n");
        Self {
            salt,
            kind: PackKind::Content,
            path: "repository/tombstone.json".to_owned(),
            bytes: text.into(),
        }
    }

    /// Its id.
    pub fn id(&self) -> ItemId {
        ItemId::of(&self.salt, &self.bytes)
    }
}

/// Stores items on every live replica of a space, with an index object; those that are on all of them
/// already are left out. Returns how many were stored.
///
/// # Errors
///
/// Without a key that signs index objects;
/// [`ErrorKind::TooFewReplicas`](crate::vault::error::ErrorKind::TooFewReplicas) when one of the live replicas
/// does not take them; those of the spool disk.
pub async fn store(vault: &Vault, name: &Name, items: impl IntoIterator<Item = NewItem>) -> Result<u64> {
    let space = Space::load(vault, name).await?;
    let on: BTreeSet<usize> =
        (0..vault.replicas.all().len()).filter(|at| space.listing(*at).is_some()).collect();
    let mut writing = Anew::new(vault, name, &on);
    let mut seen = BTreeSet::new();
    for item in items {
        let id = item.id();
        if !seen.insert(id) || on.iter().all(|replica| space.keeps_item(*replica, &id)) {
            continue;
        }
        let entry = EntryName { id, salt: item.salt, path: item.path };
        writing.add(item.kind, Mac::UNKNOWN, entry, ItemData::Memory(item.bytes)).await?;
    }
    let Written { items, .. } = writing.finish().await?;
    Ok(items)
}
