//! Links of the snapshot before: what a document refers to that did not change since.
//!
//! Most documents of most runs are known, and looking into each takes longer than all else that a
//! run does with it. What it refers to is in the snapshot before, if three things hold:
//!
//! - Its bytes are the same: the item under its path is.
//! - The walk that found its links is this one ([`WALK`]) and could name all that it refers to.
//!   Addresses that cannot be used have no name, and those of external files are known by keyed
//!   names only, so their documents are walked.
//! - The media library is as it was, as far as it decides under which id an asset is stored:
//!   everything that it lists now was listed with the same metadata, and lists all assets of the
//!   document. Without write token there is no such list, and every document is walked.
//!
//! Nothing here is checked against the source again: links were in a signed snapshot.

use std::collections::HashSet;

use super::links::{Interned, Part, Parts};
use super::names::{self, is_plain, segment};
use super::run::Run;
use crate::ids::ItemId;
use crate::prismic::{AssetList, WALK};
use crate::vault::error::Result;
use crate::vault::format::catalog::{AssetNaming, CatalogEntry, LinkEntry};
use crate::vault::format::manifest::Manifest;
use crate::vault::item::ItemKind;
use crate::vault::reader::Reader;
use crate::vault::tree;

/// Links of the documents of a snapshot about which they say everything.
#[derive(Debug, Default)]
pub(super) struct KnownLinks {
    names: Vec<Box<str>>,
    flat: Vec<u32>,
    /// In the order of the catalog.
    rows: Vec<Row>,
    /// By place in the catalog: which row is its document's, or [`NO_ROW`].
    by_entry: Vec<u32>,
}

const NO_ROW: u32 = u32::MAX;

/// Links as they were read, before it is known where in the catalog their documents are.
#[derive(Debug, Default)]
pub(super) struct Unplaced {
    known: KnownLinks,
    /// Path of the document of each row.
    paths: Vec<Box<str>>,
}

/// The links of a document.
#[derive(Debug)]
struct Row {
    /// Place of the document in the catalog.
    entry: u32,
    parts: Parts,
    naming: AssetNaming,
}

/// What one document refers to, as ids in the paths of the catalog.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    all: &'a KnownLinks,
    row: &'a Row,
}

impl<'a> Known<'a> {
    pub(super) fn links(self) -> impl Iterator<Item = &'a str> {
        self.ids(Part::Links)
    }

    pub(super) fn assets(self) -> impl Iterator<Item = &'a str> {
        self.ids(Part::Assets)
    }

    pub(super) fn external(self) -> impl Iterator<Item = &'a str> {
        self.ids(Part::External)
    }

    pub(super) fn naming(self) -> AssetNaming {
        self.row.naming
    }

    pub(super) fn ids(self, part: Part) -> impl Iterator<Item = &'a str> {
        self.numbers(part).iter().map(move |number| self.all.name(*number))
    }

    /// The same as numbers, which are places in [`KnownLinks::names`].
    pub(super) fn numbers(self, part: Part) -> &'a [u32] {
        &self.all.flat[self.row.parts.range(part)]
    }

    /// All links that are known.
    pub(super) fn all(self) -> &'a KnownLinks {
        self.all
    }

    /// Place of the document in the catalog.
    pub(super) fn entry(self) -> usize {
        self.row.entry as usize
    }

    /// Whether it holds copies of what one of these documents says of itself.
    fn copies_any(self, changed: &[bool]) -> bool {
        [Part::Links, Part::Translations, Part::Copies]
            .into_iter()
            .any(|part| self.numbers(part).iter().any(|number| changed[*number as usize]))
    }
}

impl KnownLinks {
    /// Reads the links of a snapshot, as far as they may be taken over at all.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub(super) async fn load(reader: &Reader<'_>, manifest: &Manifest) -> Result<Unplaced> {
        let mut read = Unplaced::default();
        // What changed during the run was stored later than it was looked at.
        if !manifest.source.write_token || !manifest.consistency.changed_during_run.is_empty() {
            return Ok(read);
        }
        let mut names = Interned::default();
        tree::for_each(reader, &manifest.links, |entry: LinkEntry| read.add(&mut names, entry)).await?;
        (read.known.names, read.known.flat) = names.into_parts();
        Ok(read)
    }

    /// Returns what the document at this place of the catalog refers to, if that is known.
    pub(super) fn of(&self, entry: usize) -> Option<Known<'_>> {
        let at = self.by_entry.get(entry).filter(|at| **at != NO_ROW)?;
        Some(Known { all: self, row: self.rows.get(*at as usize)? })
    }

    /// Every id that any of them refers to, once.
    pub(super) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    pub(super) fn name(&self, number: u32) -> &str {
        &self.names[number as usize]
    }

    /// Which of [`names`](Self::names) these documents link to.
    pub(super) fn linked_by<'k>(&self, documents: impl Iterator<Item = Known<'k>>) -> Vec<bool> {
        let mut linked = vec![false; self.names.len()];
        for known in documents {
            known.numbers(Part::Links).iter().for_each(|number| linked[*number as usize] = true);
        }
        linked
    }

    /// Returns the documents of which this is known, in the order of the catalog.
    pub(super) fn all(&self) -> impl Iterator<Item = Known<'_>> {
        self.rows.iter().map(|row| Known { all: self, row })
    }

    /// Returns the documents whose bytes may change when those of `changed` (ids in paths) do: they
    /// link to them, are translations of them, or hold copies of what links to them.
    pub(super) fn concerned(&self, changed: &HashSet<&str>) -> impl Iterator<Item = Known<'_>> {
        let changed: Vec<bool> = self.names.iter().map(|name| changed.contains(&**name)).collect();
        self.all().filter(move |known| known.copies_any(&changed))
    }
}

impl Unplaced {
    fn add(&mut self, names: &mut Interned, entry: LinkEntry) {
        // A target with a keyed name could not be asked for.
        if entry.walk != WALK || !entry.links.iter().all(|id| is_plain(id)) {
            return;
        }
        let ids = |part| match part {
            Part::Links => &entry.links,
            Part::Translations => &entry.translations,
            Part::Copies => &entry.copies,
            Part::Assets => &entry.assets,
            Part::External => &entry.external,
        };
        let parts = names.add(|part| ids(part).iter().map(|id| &**id));
        self.known.rows.push(Row { entry: NO_ROW, parts, naming: entry.naming });
        self.paths.push(entry.path);
    }

    /// Puts them beside the entries of the catalog of the same snapshot.
    pub(super) fn place(self, entries: &[CatalogEntry]) -> KnownLinks {
        let Self { mut known, paths } = self;
        let mut next = 0;
        for (row, path) in known.rows.iter_mut().zip(paths) {
            // Both are sorted, so the place is the next one but for a few entries without links.
            while entries.get(next).is_some_and(|entry| entry.path < path) {
                next += 1;
            }
            if entries.get(next).is_some_and(|entry| entry.path == path) {
                row.entry =
                    u32::try_from(next).expect("four thousand million entries do not fit into memory");
            }
        }
        known.rows.retain(|row| row.entry != NO_ROW);
        known.rows.sort_unstable_by_key(|row| row.entry);
        known.by_entry = vec![NO_ROW; entries.len()];
        for (at, row) in (0..).zip(&known.rows) {
            known.by_entry[row.entry as usize] = at;
        }
        known
    }
}

/// Assets that the media library lists as it did at the snapshot before.
#[derive(Debug, Default)]
pub(super) struct SameAssets {
    /// As ids in paths.
    same: HashSet<String>,
    /// How many it lists; `None` where it cannot be listed.
    listed: Option<u64>,
}

impl SameAssets {
    /// Whether everything that the media library lists now was listed so before.
    pub(super) fn is_all(&self) -> bool {
        self.listed == Some(self.same.len() as u64)
    }

    /// Whether an asset is listed as it was.
    pub(super) fn has(&self, id: &str) -> bool {
        self.same.contains(id)
    }

    /// How many assets are listed now.
    pub(super) fn listed(&self) -> Option<u64> {
        self.listed
    }
}

impl Run<'_> {
    /// Compares the media library with the snapshot before.
    pub(super) fn same_assets(&self, list: Option<&AssetList>) -> SameAssets {
        let (Some(base), Some(list)) = (&self.base, list) else { return SameAssets::default() };
        let is_same = |id: &str, bytes: &[u8]| {
            let known = self.writer.known(ItemKind::AssetMetadata, bytes).map(|stored| stored.id);
            let before = base.find(&names::asset_metadata(self.key(), id)).map(|entry| entry.item);
            known.is_some() && known == before
        };
        let same = list.assets.iter().filter(|asset| is_same(&asset.id, &asset.bytes));
        let same = same.map(|asset| segment(self.key(), &asset.id)).collect();
        SameAssets { same, listed: Some(list.assets.len() as u64) }
    }

    /// Returns what the document that is stored under this path as `item` refers to, if the snapshot
    /// before tells.
    pub(super) fn known_links(&self, path: &str, item: &ItemId, same: &SameAssets) -> Option<Known<'_>> {
        let base = self.base.as_ref().filter(|_| same.is_all())?;
        let (at, entry) = base.place(path)?;
        let known = base.known_links.of(at).filter(|_| entry.item == *item)?;
        // Of external files only keyed names are known, and the list needs their addresses.
        if known.external().next().is_some() {
            return None;
        }
        known.assets().all(|id| same.has(id)).then_some(known)
    }
}
