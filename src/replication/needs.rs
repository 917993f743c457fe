//! Which packs a snapshot needs on one replica.
//!
//! Snapshots share most of their pages, so the answer is kept for each page: a year of nightly
//! snapshots costs little more than one.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::ItemId;
use crate::vault::error::Result;
use crate::vault::index::{Listing, PackNumber};
use crate::vault::reader::Reader;
use crate::vault::snapshots::Snapshot;
use crate::vault::space::Space;
use crate::vault::tree::Pages;

/// The trees of a snapshot, as far as they are known.
pub(super) async fn read_trees(pages: &mut Pages, reader: &Reader<'_>, snapshot: &Snapshot) -> Result<()> {
    pages.read_catalog(reader, &snapshot.manifest.catalog).await?;
    pages.read_links(reader, &snapshot.manifest.links).await
}

/// Packs that snapshots need on one replica.
pub(super) struct PacksOn<'a> {
    space: &'a Space,
    listing: &'a Listing,
    pages: &'a Pages,
    known: HashMap<ItemId, Packs>,
}

/// Packs, sorted; or an item of which nobody knows the pack.
type Packs = std::result::Result<Arc<[PackNumber]>, ItemId>;

impl<'a> PacksOn<'a> {
    /// `listing` is that of the replica.
    pub(super) fn new(space: &'a Space, listing: &'a Listing, pages: &'a Pages) -> Self {
        Self { space, listing, pages, known: HashMap::new() }
    }

    /// Returns the packs that a snapshot needs, sorted; or an item that no index object knows.
    pub(super) fn of(&mut self, snapshot: &Snapshot) -> std::result::Result<Vec<PackNumber>, ItemId> {
        let catalog = self.below(snapshot.manifest.catalog.root)?;
        let links = self.below(snapshot.manifest.links.root)?;
        let mut packs: Vec<PackNumber> = catalog.iter().chain(links.iter()).copied().collect();
        packs.sort_unstable();
        packs.dedup();
        Ok(packs)
    }

    /// The packs of a page and of all below it. Trees have nine levels at most.
    fn below(&mut self, page: ItemId) -> Packs {
        if let Some(known) = self.known.get(&page) {
            return known.clone();
        }
        let packs = self.collect(page);
        self.known.insert(page, packs.clone());
        packs
    }

    fn collect(&mut self, page: ItemId) -> Packs {
        let mut packs = vec![self.pack_of(&page)?];
        for id in self.pages.below(&page) {
            if self.pages.is_page(id) {
                packs.extend(self.below(*id)?.iter());
            } else {
                packs.push(self.pack_of(id)?);
            }
        }
        packs.sort_unstable();
        packs.dedup();
        Ok(packs.into())
    }

    /// Any pack that holds the item will do: one that is here, else one that somebody holds, else
    /// the newest, which then is lost.
    fn pack_of(&self, item: &ItemId) -> std::result::Result<PackNumber, ItemId> {
        let packs = self.space.index.packs();
        let places = || self.space.index.locations(item).map(|location| location.pack);
        places()
            .find(|pack| self.listing.has_pack(&packs[*pack as usize]))
            .or_else(|| places().find(|pack| self.space.holders(*pack).next().is_some()))
            .or_else(|| places().next())
            .ok_or(*item)
    }
}
