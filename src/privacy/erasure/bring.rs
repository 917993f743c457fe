//! What is read in the place of erased items, brought to replicas that were away when it was stored.
//!
//! Before anything is destroyed there: a replica without it would lack items that its snapshots need.
//!
//! **If we crash here** there are packs that no index object of the replica names; the same call goes on.

use std::collections::BTreeSet;

use crate::ids::{ItemId, Name};
use crate::objects::{ErrorKind as StoreKind, PutMode};
use crate::replication::fetch;
use crate::vault::error::Result;
use crate::vault::format::order::Change;
use crate::vault::index::PackNumber;
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::replica::Replica;
use crate::vault::space::Space;

/// Copies the packs that hold what orders put in places to live replicas which lack it; returns how many.
///
/// # Errors
///
/// Those of reading a good copy, and of writing it.
pub async fn bring_replacements(vault: &Vault, name: &Name) -> Result<u64> {
    let space = Space::load(vault, name).await?;
    let orders = space.erased.orders().iter().flat_map(|known| &known.order.items);
    let read: BTreeSet<ItemId> =
        orders.filter(|item| item.change != Change::Removed).map(|item| item.by).collect();
    let mut brought = 0;
    for (at, to) in vault.replicas.all().iter().enumerate() {
        if space.listing(at).is_none() || !to.is_live() {
            continue;
        }
        // What a later order took away is nobody's need.
        let is_wanted = |item: &&ItemId| !space.erased.contains(item) && !space.keeps_item(at, item);
        let packs: BTreeSet<PackNumber> =
            read.iter().filter(is_wanted).filter_map(|item| held(&space, item)).collect();
        for pack in packs {
            copy(vault, &space, pack, to).await?;
            brought += 1;
        }
    }
    Ok(brought)
}

/// A pack with an item that some replica holds and that stays.
fn held(space: &Space, item: &ItemId) -> Option<PackNumber> {
    let packs = space.index.locations(item).map(|place| place.pack);
    packs.into_iter().find(|pack| !space.is_retired(*pack) && space.holders(*pack).next().is_some())
}

/// Copies a pack and what describes it: its header, its body, then its index object.
async fn copy(vault: &Vault, space: &Space, number: PackNumber, to: &Replica) -> Result<()> {
    let pack = &space.index.packs()[number as usize];
    let Some(at) = space.holders(number).next() else { return Ok(()) };
    let (from, listing) = (&vault.replicas.all()[at], space.listing(at));
    let is_there = |header: &(_, _)| listing.is_some_and(|listing| listing.has_header(pack, header));
    let header = pack.headers().find(is_there);
    let header = header.map(|(header, size)| (layout::header(&space.name, &pack.id, &header), Some(size)));
    let body = (layout::pack(&space.name, &pack.id), Some(pack.size));
    let index = pack.indexed_by.first().map(|index| (layout::index(&space.name, index), None));
    for (key, size) in header.into_iter().chain([body]).chain(index) {
        let object = fetch(vault, from, &key, size).await?;
        match to.store.put(&key, object, PutMode::CreateOnly).await {
            Ok(_) => {}
            Err(error) if error.kind == StoreKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
