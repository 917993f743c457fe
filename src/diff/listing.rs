//! What a side holds: paths, and where the bytes of each are.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;

use super::report::SideReport;
use crate::ids::ItemId;
use crate::progress::Problem;
use crate::vault::format::catalog::CatalogEntry;

/// Where the bytes of an item are.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// In the vault.
    Stored(ItemId),
    /// Here: they were read from the repository.
    Read(Bytes),
}

/// An item of a side.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) content: Content,
    pub(super) size: u64,
}

impl Item {
    pub(super) fn read(bytes: Bytes) -> Self {
        Self { size: bytes.len() as u64, content: Content::Read(bytes) }
    }

    /// Whether both are the same, as far as that can be told without reading.
    fn is_same(&self, other: &Self) -> bool {
        match (&self.content, &other.content) {
            (Content::Stored(one), Content::Stored(other)) => one == other,
            (Content::Read(one), Content::Read(other)) => one == other,
            _ => false,
        }
    }
}

/// What a side holds, and what is known to be missing there.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub(super) report: SideReport,
    pub(super) items: BTreeMap<Box<str>, Item>,
    /// Paths of which nobody knows what would lie there: gaps.
    pub(super) unknown: HashSet<String>,
    /// What of it cannot be compared.
    pub(super) not_compared: Vec<Problem>,
}

impl Listing {
    /// Returns entries as items.
    pub(super) fn items_of(entries: &[CatalogEntry]) -> BTreeMap<Box<str>, Item> {
        let item = |entry: &CatalogEntry| {
            (entry.path.clone(), Item { content: Content::Stored(entry.item), size: entry.size })
        };
        entries.iter().map(item).collect()
    }

    /// Returns entries for choosing among them: paths are all that choices are made by.
    pub(super) fn entries(&self) -> impl Iterator<Item = CatalogEntry> {
        self.items.iter().map(|(path, item)| CatalogEntry {
            path: path.clone(),
            item: match item.content {
                Content::Stored(id) => id,
                Content::Read(_) => ItemId([0; 32]),
            },
            size: item.size,
        })
    }

    /// Whether something may lie there that this side does not hold.
    pub(super) fn is_unknown(&self, path: &str) -> bool {
        // A gap may name a directory.
        !self.unknown.is_empty()
            && (self.unknown.contains(path)
                || path
                    .match_indices('/')
                    .any(|(at, _)| self.unknown.contains(&path[..at]) || self.unknown.contains(&path[..=at])))
    }
}

/// A path at which two sides differ.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) old: Option<(Box<str>, Item)>,
    pub(super) new: Option<(Box<str>, Item)>,
}

impl Pair {
    /// The path on the newer side, else on the older.
    pub(super) fn path(&self) -> &str {
        self.new.as_ref().or(self.old.as_ref()).map_or("", |(path, _)| path)
    }

    pub(super) fn size(&self) -> u64 {
        self.old.iter().chain(&self.new).map(|(_, item)| item.size).sum()
    }
}

/// Returns the paths at which two sides differ, as far as that can be told without reading.
pub(super) fn differing(old: &Listing, new: &Listing) -> Vec<Pair> {
    fn one((path, item): (impl AsRef<str>, &Item)) -> (Box<str>, Item) {
        (path.as_ref().into(), item.clone())
    }
    let mut pairs = Vec::new();
    for entry in &old.items {
        match new.items.get(entry.0) {
            Some(item) if item.is_same(entry.1) => {}
            Some(item) => pairs.push(Pair { old: Some(one(entry)), new: Some(one((entry.0, item))) }),
            None => pairs.push(Pair { old: Some(one(entry)), new: None }),
        }
    }
    let only_new = new.items.iter().filter(|(path, _)| !old.items.contains_key(*path));
    pairs.extend(only_new.map(|entry| Pair { old: None, new: Some(one(entry)) }));
    pairs.sort_unstable_by(|one, other| one.path().cmp(other.path()));
    pairs
}
