//! Links of the snapshot before: what a document refers to that did not change since.
//!
//! Most documents of most runs are known, and looking into each takes longer than all else that a
//! run does with it. What it refers to is in the snapshot before, if three things hold:
//!
//! - Its bytes are the same: the item under its path is.
//! - The walk that found its links is this one ([`WALK`]) and could name all that it refers to.
//!   External files and addresses that cannot be used have no id, so their documents are walked.
//! - The media library is as it was, as far as it decides under which id an asset is stored:
//!   everything that it lists now was listed with the same metadata, and lists all assets of the
//!   document. Without write token there is no such list, and every document is walked.
//!
//! Nothing here is checked against the source again: links were in a signed snapshot.

use std::collections::HashSet;

use super::links::{Numbers, end_of};
use super::names::{self, segment};
use super::run::Run;
use crate::ids::ItemId;
use crate::prismic::{AssetList, WALK};
use crate::vault::error::Result;
use crate::vault::format::catalog::{CatalogEntry, LinkEntry};
use crate::vault::format::manifest::Manifest;
use crate::vault::item::{ItemKey, ItemKind};
use crate::vault::reader::Reader;
use crate::vault::tree;

/// Links of the documents of a snapshot about which they say everything.
#[derive(Debug, Default)]
pub(super) struct KnownLinks {
    names: Vec<Box<str>>,
    flat: Vec<u32>,
    /// In the order of the catalog.
    rows: Vec<Row>,
}

/// Where the links of a document are in the flat list.
#[derive(Debug)]
struct Row {
    /// Place of the document in the catalog.
    entry: u32,
    start: u32,
    links: u32,
    translations: u32,
    assets: u32,
}

/// What one document refers to, as ids in the paths of the catalog.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    all: &'a KnownLinks,
    row: &'a Row,
}

impl<'a> Known<'a> {
    pub(super) fn links(self) -> impl Iterator<Item = &'a str> {
        self.names(self.row.start, self.row.links)
    }

    pub(super) fn translations(self) -> impl Iterator<Item = &'a str> {
        self.names(self.row.links, self.row.translations)
    }

    pub(super) fn assets(self) -> impl Iterator<Item = &'a str> {
        self.names(self.row.translations, self.row.assets)
    }

    fn names(self, from: u32, to: u32) -> impl Iterator<Item = &'a str> {
        let all = self.all;
        all.flat[from as usize..to as usize].iter().map(|number| &*all.names[*number as usize])
    }
}

impl KnownLinks {
    /// Reads the links of a snapshot with these entries, as far as they may be taken over at all.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub(super) async fn load(
        reader: &Reader<'_>,
        key: &ItemKey,
        manifest: &Manifest,
        entries: &[CatalogEntry],
    ) -> Result<Self> {
        // What changed during the run was stored later than it was looked at.
        if !manifest.source.write_token || !manifest.consistency.changed_during_run.is_empty() {
            return Ok(Self::default());
        }
        let mut known = Self::default();
        let mut numbers = Numbers::default();
        tree::for_each(reader, &manifest.links, |entry: LinkEntry| {
            known.add(key, &mut numbers, entries, &entry);
        })
        .await?;
        known.rows.sort_unstable_by_key(|row| row.entry);
        known.names = numbers.into_names();
        Ok(known)
    }

    fn add(&mut self, key: &ItemKey, numbers: &mut Numbers, entries: &[CatalogEntry], entry: &LinkEntry) {
        // A target with a keyed name could not be asked for.
        let is_plain = |id: &str| segment(key, id) == id;
        if entry.walk != WALK || !entry.links.iter().all(|id| is_plain(id)) {
            return;
        }
        // Both are in the order of paths, so it is mostly the next.
        let next = self.rows.last().map_or(0, |row| row.entry as usize + 1);
        let is_next = entries.get(next).is_some_and(|known| known.path == entry.path);
        let found = match is_next {
            true => Ok(next),
            false => entries.binary_search_by(|known| known.path.cmp(&entry.path)),
        };
        let Ok(at) = found else { return };
        let mut part = |ids: &[Box<str>]| {
            self.flat.extend(ids.iter().map(|id| numbers.number(id)));
            end_of(&self.flat)
        };
        let (start, links) = (part(&[]), part(&entry.links));
        let (translations, assets) = (part(&entry.translations), part(&entry.assets));
        let entry = u32::try_from(at).expect("four thousand million entries do not fit into memory");
        self.rows.push(Row { entry, start, links, translations, assets });
    }

    fn of(&self, entry: usize) -> Option<Known<'_>> {
        let entry = u32::try_from(entry).ok()?;
        let at = self.rows.binary_search_by_key(&entry, |row| row.entry).ok()?;
        Some(Known { all: self, row: self.rows.get(at)? })
    }
}

/// Assets that the media library lists as it did at the snapshot before, as ids in paths; none
/// where it lists anything new.
#[derive(Debug, Default)]
pub(super) struct SameAssets(Option<HashSet<String>>);

impl Run<'_> {
    /// Compares the media library with the snapshot before.
    pub(super) fn same_assets(&self, list: Option<&AssetList>) -> SameAssets {
        let (Some(base), Some(list)) = (&self.base, list) else { return SameAssets::default() };
        let same = |id: &str, bytes: &[u8]| {
            let known = self.writer.known(ItemKind::AssetMetadata, bytes).map(|stored| stored.id);
            let before = base.find(&names::asset_metadata(self.key(), id)).map(|entry| entry.item);
            (known.is_some() && known == before).then(|| segment(self.key(), id))
        };
        SameAssets(list.assets.iter().map(|asset| same(&asset.id, &asset.bytes)).collect())
    }

    /// Returns what the document that is stored under this path as `item` refers to, if the snapshot
    /// before tells.
    pub(super) fn known_links(&self, path: &str, item: &ItemId, same: &SameAssets) -> Option<Known<'_>> {
        let (base, same) = (self.base.as_ref()?, same.0.as_ref()?);
        let (at, entry) = base.place(path)?;
        let known = base.known_links.of(at).filter(|_| entry.item == *item)?;
        known.assets().all(|id| same.contains(id)).then_some(known)
    }
}
