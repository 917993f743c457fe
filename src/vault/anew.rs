//! Packs of items whose ids are known: taken from old packs, or put into the place of others.
//!
//! Where a snapshot stores items, salts are drawn and equal items are stored once; here each is written as it is
//! told, on the replicas that are told.
//!
//! **If we crash here** there are packs that no index object names; pruning removes them like those of any run
//! that was killed. An index object is written last, for packs that were confirmed.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{ErrorKind, Result, VaultError};
use super::format::index::{PackKind, PackRecord};
use super::layout;
use super::open::Vault;
use super::pack::{EntryName, ItemData, PackBuilder};
use super::writer::{pack_options, store_pack, write_index};
use crate::ids::{Mac, Name};

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// New packs.
    pub(super) packs: u64,
    /// Items in them.
    pub(super) items: u64,
    /// Bytes of the new packs, headers and index objects, on each replica.
    pub(super) bytes: u64,
}

/// Packs being filled, and those that no index object names yet.
pub(super) struct Anew<'a> {
    vault: &'a Vault,
    space: &'a Name,
    /// Numbers of the replicas that are to hold the packs.
    on: &'a BTreeSet<usize>,
    lanes: BTreeMap<PackKind, PackBuilder>,
    unindexed: Vec<PackRecord>,
    since: u64,
    done: Written,
}

impl<'a> Anew<'a> {
    /// Begins to write into a space, on the replicas with these numbers.
    pub(super) fn new(vault: &'a Vault, space: &'a Name, on: &'a BTreeSet<usize>) -> Self {
        let (lanes, unindexed, done) = (BTreeMap::new(), Vec::new(), Written::default());
        Self { vault, space, on, lanes, unindexed, since: 0, done }
    }

    /// Adds an item; its name says its id.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooFewReplicas`] when one of the replicas does not take a pack; those of the spool disk.
    pub(super) async fn add(
        &mut self,
        kind: PackKind,
        mac: Mac,
        name: EntryName,
        mut data: ItemData,
    ) -> Result<()> {
        let max = self.vault.limits.pack_bytes;
        let full =
            |builder: &PackBuilder, more| builder.stored_bytes() > 0 && builder.stored_bytes() + more > max;
        // As a writer does: closed before an item that does not fit.
        if self.lanes.get(&kind).is_some_and(|builder| full(builder, data.len())) {
            self.close(kind).await?;
        }
        let mut builder = match self.lanes.remove(&kind) {
            Some(open) => open,
            None => PackBuilder::new(kind, &pack_options(self.vault, kind))?,
        };
        let added = tokio::task::spawn_blocking(move || {
            let result = builder.add(name.id, &name.salt, mac, &name.path, &mut data);
            result.map(|()| builder)
        });
        let builder = added.await.expect("packing does not panic")?;
        self.done.items += 1;
        let is_full = builder.stored_bytes() >= max;
        self.lanes.insert(kind, builder);
        if is_full { self.close(kind).await } else { Ok(()) }
    }

    /// Finishes a pack, sends it, and puts what was sent into the index from time to time.
    async fn close(&mut self, kind: PackKind) -> Result<()> {
        let Some(builder) = self.lanes.remove(&kind) else { return Ok(()) };
        let finished = tokio::task::spawn_blocking(move || builder.finish());
        let mut pack = finished.await.expect("packing does not panic")?;
        let stored = store_pack(self.vault, self.space, &mut pack, |at| self.on.contains(&at)).await;
        if stored.len() < self.on.len() {
            let key = layout::pack(self.space, &pack.record.id);
            return Err(VaultError::new(
                ErrorKind::TooFewReplicas,
                format!("{key} is on {} of the {} replicas that are to hold it", stored.len(), self.on.len()),
            )
            .hint("nothing that is needed was touched; mend the replica and run the same command again"));
        }
        self.done.packs += 1;
        let bytes = pack.record.size + pack.record.header.map_or(0, |(_, size)| size);
        self.done.bytes += bytes;
        self.since += bytes;
        self.unindexed.push(pack.record);
        if self.since >= self.vault.limits.checkpoint_bytes { self.index().await } else { Ok(()) }
    }

    async fn index(&mut self) -> Result<()> {
        self.since = 0;
        let packs = std::mem::take(&mut self.unindexed);
        if !packs.is_empty() {
            self.done.bytes += write_index(self.vault, self.space, packs, Vec::new()).await?;
        }
        Ok(())
    }

    /// Sends what is left, and writes the last index object.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add), and when too few replicas take the index object.
    pub(super) async fn finish(mut self) -> Result<Written> {
        for kind in [PackKind::Content, PackKind::Assets, PackKind::Catalog] {
            self.close(kind).await?;
        }
        self.index().await?;
        Ok(self.done)
    }
}
