//! What snapshots need: items by their catalogs, packs by the index.
//!
//! Verification, replication and pruning must mean the same by it, so it is here once. Snapshots
//! share pages, so what a page and all below it need is worked out once and remembered as a set
//! of packs: a year of daily snapshots of 100,000 items costs one walk over the first catalog and
//! a few pages for each further one, and memory by pages and packs, not by items.
//!
//! An item may be in several packs. Any that is whole will do; [`Needed::packs_on`] chooses the
//! same for everybody who sees the same listings, so that two hosts that prune at once do not
//! take turns in deleting what the other keeps.
//!
//! Nothing is written here.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::erasure::Erased;
use super::error::Result;
use super::format::catalog::PageEntry;
use super::format::manifest::{Manifest, TreeRoot};
use super::index::PackNumber;
use super::reader::Reader;
use super::replica::Replica;
use super::snapshots::Snapshot;
use super::space::Space;
use super::tree;
use crate::ids::{Digest, ItemId};

/// Works out what snapshots of one space need.
#[derive(Debug)]
pub struct Needs<'a> {
    reader: &'a Reader<'a>,
    space: &'a Space,
    known: HashMap<Slot, Arc<Below>>,
    /// Every item that was met, where somebody asked for them.
    items: Option<HashSet<ItemId>>,
}

/// Which tree a page belongs to: the lowest level of each is read differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Tree {
    Catalog,
    Links,
}

/// A page as it is used: read as another kind, or on another level, it would say other things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Slot {
    tree: Tree,
    level: u32,
    page: ItemId,
}

/// What a page and all below it need.
#[derive(Debug)]
struct Below {
    /// Packs of the items that are in one pack only.
    packs: Box<[PackNumber]>,
    /// Items that are in several.
    several: Box<[ItemId]>,
    /// Items that are in none.
    lost: Box<[ItemId]>,
    entries: u64,
    bytes: u64,
}

/// What is needed of a line of the catalog. Runs come by millions of them, so nothing else of it is
/// taken to pieces: the page is what its id says, and whoever uses a path looks at it.
#[derive(Deserialize)]
struct NeededItem {
    #[serde(rename = "path")]
    _path: IgnoredAny,
    item: ItemId,
    size: u64,
}

/// A page of the lowest level, taken apart.
struct Leaf {
    /// None for a page of the links.
    items: Vec<NeededItem>,
    entries: u64,
}

impl Leaf {
    fn parse(slot: Slot, bytes: &[u8], erased: &Erased) -> Result<Self> {
        match slot.tree {
            Tree::Catalog => {
                let mut items: Vec<NeededItem> = Vec::new();
                tree::parse_into(bytes, slot.page, &mut items)?;
                if !erased.is_empty() {
                    // What was erased is needed no more; what stands in its place is. What is under restriction
                    // is needed as before.
                    for line in &mut items {
                        if let Some(now) = erased.current(&line.item)? {
                            (line.item, line.size) = (now.item, now.size);
                        }
                    }
                }
                Ok(Self { entries: items.len() as u64, items })
            }
            // Its lines name no items.
            Tree::Links => Ok(Self { entries: tree::count_entries(bytes), items: Vec::new() }),
        }
    }
}

/// Pages that are taken apart in one go, and how many such stretches are under way at once: while one is
/// taken apart on a thread of its own, the next is read.
const STRETCH: usize = 16;
const STRETCHES: usize = 2;

/// Reads pages of the lowest level, and takes them apart off the async threads.
async fn parsed_leaves(reader: &Reader<'_>, slots: Vec<Slot>) -> Result<Vec<(Slot, Leaf)>> {
    let mut read = Vec::with_capacity(slots.len());
    for slot in slots {
        read.push((slot, reader.bytes(slot.page).await?));
    }
    let erased = Arc::clone(&reader.space.erased);
    let parse = move || {
        read.into_iter().map(|(slot, bytes)| Ok((slot, Leaf::parse(slot, &bytes, &erased)?))).collect()
    };
    tokio::task::spawn_blocking(parse).await.expect("taking pages apart does not panic")
}

/// What one snapshot needs, or several do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needed {
    packs: BTreeSet<PackNumber>,
    several: BTreeSet<ItemId>,
    lost: BTreeSet<ItemId>,
    bytes: u64,
}

impl<'a> Needs<'a> {
    /// Returns a calculation for snapshots of this space.
    pub fn new(reader: &'a Reader<'a>, space: &'a Space) -> Self {
        Self { reader, space, known: HashMap::new(), items: None }
    }

    /// Returns a calculation that also remembers every item by itself, as [`items`](Self::items):
    /// about 50 bytes each.
    pub fn with_items(reader: &'a Reader<'a>, space: &'a Space) -> Self {
        Self { items: Some(HashSet::new()), ..Self::new(reader, space) }
    }

    /// Returns all items, pages included, that the snapshots need of which [`of`](Self::of) was
    /// asked so far.
    pub fn items(self) -> HashSet<ItemId> {
        self.items.unwrap_or_default()
    }

    /// Returns what a snapshot needs: its items, and the pages of its catalog and its links.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Integrity`](super::error::ErrorKind::Integrity) when a page cannot be read or
    /// is not what it must be.
    pub async fn of(&mut self, manifest: &Manifest) -> Result<Needed> {
        let mut needed = Needed::default();
        for (tree, root) in [(Tree::Catalog, &manifest.catalog), (Tree::Links, &manifest.links)] {
            let slot = Slot { tree, level: tree::levels(root)?, page: root.root };
            let below = self.walk(slot, root).await?;
            if below.entries != root.entries {
                return Err(tree::disorder(root.root, "its entries are not those it counts"));
            }
            needed.packs.extend(&below.packs);
            needed.several.extend(&below.several);
            needed.lost.extend(&below.lost);
            needed.bytes += below.bytes;
        }
        Ok(needed)
    }

    fn walk<'s>(&'s mut self, slot: Slot, root: &'s TreeRoot) -> BoxFuture<'s, Result<Arc<Below>>> {
        Box::pin(async move {
            if let Some(known) = self.known.get(&slot) {
                return Ok(Arc::clone(known));
            }
            let bytes = self.reader.bytes(slot.page).await?;
            if slot.level == 1 {
                return Ok(self.add_leaf(slot, Leaf::parse(slot, &bytes, &self.space.erased)?));
            }
            let mut sum = Needed::default();
            let mut entries = 0_u64;
            self.add_item(&mut sum, slot.page);
            let mut children: Vec<PageEntry> = Vec::new();
            tree::parse_into(&bytes, slot.page, &mut children)?;
            // A page holds an entry at least; more pages than entries are a bomb.
            if children.len() as u64 > root.entries {
                let why = "it has more pages below it than the tree has entries";
                return Err(tree::disorder(slot.page, why));
            }
            let below = |child: &PageEntry| Slot { level: slot.level - 1, page: child.page, ..slot };
            if slot.level == 2 {
                self.read_leaves(children.iter().map(below)).await?;
            }
            for child in &children {
                let below = self.walk(below(child), root).await?;
                sum.packs.extend(&below.packs);
                sum.several.extend(&below.several);
                sum.lost.extend(&below.lost);
                entries = entries.saturating_add(below.entries);
                sum.bytes = sum.bytes.saturating_add(below.bytes);
            }
            Ok(self.know(slot, sum, entries))
        })
    }

    /// Reads those pages of the lowest level that are not known. Taking lines apart is most of the work of a
    /// walk, so it is done beside reading, for several pages at once.
    async fn read_leaves(&mut self, slots: impl Iterator<Item = Slot>) -> Result<()> {
        let mut seen = HashSet::new();
        let slots: Vec<Slot> =
            slots.filter(|slot| !self.known.contains_key(slot) && seen.insert(*slot)).collect();
        let reader = self.reader;
        let stretches: Vec<Vec<Slot>> = slots.chunks(STRETCH).map(<[Slot]>::to_vec).collect();
        let read = stream::iter(stretches).map(|slots| parsed_leaves(reader, slots));
        let mut read = pin!(read.buffered(STRETCHES));
        while let Some(leaves) = read.next().await {
            for (slot, leaf) in leaves? {
                self.add_leaf(slot, leaf);
            }
        }
        Ok(())
    }

    fn add_leaf(&mut self, slot: Slot, leaf: Leaf) -> Arc<Below> {
        let mut sum = Needed::default();
        self.add_item(&mut sum, slot.page);
        for line in leaf.items {
            self.add_item(&mut sum, line.item);
            sum.bytes = sum.bytes.saturating_add(line.size);
        }
        self.know(slot, sum, leaf.entries)
    }

    fn know(&mut self, slot: Slot, sum: Needed, entries: u64) -> Arc<Below> {
        let below = Arc::new(Below {
            packs: sum.packs.into_iter().collect(),
            several: sum.several.into_iter().collect(),
            lost: sum.lost.into_iter().collect(),
            entries,
            bytes: sum.bytes,
        });
        self.known.insert(slot, Arc::clone(&below));
        below
    }

    fn add_item(&mut self, sum: &mut Needed, item: ItemId) {
        if let Some(items) = &mut self.items {
            items.insert(item);
        }
        let mut places = self.space.index.locations(&item);
        match (places.next(), places.next()) {
            (None, _) => drop(sum.lost.insert(item)),
            (Some(only), None) => drop(sum.packs.insert(only.pack)),
            (Some(_), Some(_)) => drop(sum.several.insert(item)),
        }
    }
}

impl Needed {
    /// Returns, for each thing that is needed, the packs of which any one will do; none where
    /// nobody knows of a pack with it.
    pub fn alternatives(&self, space: &Space) -> impl Iterator<Item = Vec<PackNumber>> {
        let places = |item: &ItemId| space.index.locations(item).map(|place| place.pack).collect();
        let lost = self.lost.iter().map(|_| Vec::new());
        self.packs.iter().map(|pack| vec![*pack]).chain(self.several.iter().map(places)).chain(lost)
    }

    /// Adds what another snapshot of the same space needs.
    pub fn extend(&mut self, other: &Self) {
        self.packs.extend(&other.packs);
        self.several.extend(&other.several);
        self.lost.extend(&other.lost);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// Returns what those of several snapshots of one space need that are to lie on a replica.
    pub fn on(replica: &Replica, readable: &[(&Snapshot, Self)]) -> Self {
        let mut needed = Self::default();
        let here = readable.iter().filter(|(snapshot, _)| snapshot.on.contains(&replica.name));
        here.for_each(|(_, more)| needed.extend(more));
        needed
    }

    /// Items that no index object says where they are.
    pub fn lost(&self) -> &BTreeSet<ItemId> {
        &self.lost
    }

    /// Bytes of the items of the catalogs, each as often as it is named.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the packs that a replica needs for it. Of several that hold an item: one that is not to be
    /// destroyed, that is whole there, that an index object there describes, that no mark names, that is needed anyway, that is to stay on most replicas;
    /// among equals the one with the lowest id.
    pub fn packs_on(&self, space: &Space, replica: usize) -> BTreeSet<PackNumber> {
        self.packs_without(space, replica, &HashSet::new())
    }

    /// The same; packs to `avoid` are taken only for what is in no other that is whole there. They
    /// were rewritten, and are about to be marked.
    pub fn packs_without(
        &self,
        space: &Space,
        replica: usize,
        avoid: &HashSet<Digest>,
    ) -> BTreeSet<PackNumber> {
        let listing = space.listing(replica);
        let pack_of = |number: PackNumber| &space.index.packs()[number as usize];
        let mut chosen = self.packs.clone();
        for item in &self.several {
            let rank = |number: &PackNumber| {
                let pack = pack_of(*number);
                (
                    !space.is_retired(*number),
                    listing.is_some_and(|listing| listing.has_pack(pack)),
                    listing.is_some_and(|listing| listing.describes(pack)),
                    !avoid.contains(&pack.id),
                    listing.is_some_and(|listing| !listing.marked.contains(&pack.id)),
                    chosen.contains(number),
                    space.copies(*number),
                    space.holders(*number).count(),
                    Reverse(pack.id),
                )
            };
            let best = space.index.locations(item).map(|location| location.pack).max_by_key(rank);
            chosen.extend(best);
        }
        chosen
    }
}
