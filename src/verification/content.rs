//! Content: items against their ids, links and assets against the snapshot.

use std::collections::{HashMap, HashSet};

use serde::de::IgnoredAny;

use super::objects::damage_kind;
use super::report::{DamageKind, VerifyOptions, VerifyReport};
use crate::ids::ItemId;
use crate::progress::Phase;
use crate::vault::error::{Result, VaultError};
use crate::vault::format::catalog::{CatalogEntry, Entry, LinkEntry};
use crate::vault::format::manifest::TreeRoot;
use crate::vault::pack::ItemData;
use crate::vault::reader::Reader;
use crate::vault::replica::with_causes;
use crate::vault::snapshots::Snapshot;
use crate::vault::stretch::{Batch, HashedBody};
use crate::vault::tree;

/// What reading items came to.
#[derive(Debug, Default)]
pub(super) struct CheckedItems {
    /// Those that are not what they should be.
    pub(super) damaged: HashSet<ItemId>,
    /// Bodies that were hashed on the way.
    pub(super) bodies: Vec<HashedBody>,
}

/// Catalog and links of the snapshot that was looked at last, as they were written: orders of erasure change
/// what stands in some places, not what belongs together. Where nothing changes for days one
/// snapshot after the other has the same, and they are parsed once.
#[derive(Debug, Default)]
pub(super) struct Trees {
    catalog: Option<(TreeRoot, Vec<CatalogEntry>)>,
    links: Option<(TreeRoot, Vec<LinkEntry>)>,
}

impl Trees {
    /// Reads the catalog of a snapshot, and adds its items as orders of erasure leave it, if it is another than
    /// the last.
    pub(super) async fn read_catalog(
        &mut self,
        reader: &Reader<'_>,
        snapshot: &Snapshot,
        items: &mut HashMap<ItemId, CatalogEntry>,
    ) -> Result<()> {
        if read_other(&mut self.catalog, reader, &snapshot.manifest.catalog).await? {
            for written in self.catalog() {
                let (now, _) = reader.as_it_is_now(written)?;
                items.extend(now.map(|entry| (entry.item, entry)));
            }
        }
        Ok(())
    }

    /// The catalog that was read last.
    fn catalog(&self) -> &[CatalogEntry] {
        self.catalog.as_ref().map(|(_, entries)| entries.as_slice()).unwrap_or_default()
    }

    async fn read_links(&mut self, reader: &Reader<'_>, snapshot: &Snapshot) -> Result<bool> {
        read_other(&mut self.links, reader, &snapshot.manifest.links).await
    }

    fn links(&self) -> &[LinkEntry] {
        self.links.as_ref().map(|(_, entries)| entries.as_slice()).unwrap_or_default()
    }
}

/// Reads a tree if it is not the one that is there.
async fn read_other<E: Entry>(
    there: &mut Option<(TreeRoot, Vec<E>)>,
    reader: &Reader<'_>,
    root: &TreeRoot,
) -> Result<bool> {
    if there.as_ref().is_some_and(|(known, _)| known == root) {
        return Ok(false);
    }
    // Not both in memory.
    *there = None;
    let written = reader.again().as_written();
    *there = Some((root.clone(), tree::read_all(&written, root).await?));
    Ok(true)
}

/// Reads every item once: decrypted, hashed against its id (the reader does that), parsed where
/// it is JSON. With `whole`, all of their packs is read.
pub(super) async fn check_items(
    reader: &Reader<'_>,
    entries: &HashMap<ItemId, CatalogEntry>,
    whole: bool,
    options: &VerifyOptions<'_>,
    report: &mut VerifyReport,
) -> Result<CheckedItems> {
    let mut damaged = HashSet::new();
    let ids: Vec<ItemId> = entries.keys().copied().collect();
    let each = async |batch: Batch| {
        if options.cancel.is_cancelled() {
            return Err(VaultError::cancelled());
        }
        let expected: Vec<CatalogEntry> = batch.iter().map(|(id, _)| entries[id].clone()).collect();
        let check = |(entry, (id, data))| {
            let problem = match data {
                Ok(data) => check_item(&entry, data),
                Err(error) => Some((damage_kind(&error), with_causes(&error))),
            };
            (id, entry, problem)
        };
        let checked = tokio::task::spawn_blocking(move || {
            expected.into_iter().zip(batch).map(check).collect::<Vec<_>>()
        });
        for (id, entry, problem) in checked.await.expect("checking items does not panic") {
            report.items += 1;
            match problem {
                Some((kind, detail)) => {
                    report.add(kind, "", entry.path.to_string(), detail);
                    if kind.is_integrity() {
                        damaged.insert(id);
                    }
                }
                None => drop(report.good_items.insert(id)),
            }
            options.progress.advance(Phase::Verify, 1, entry.size);
        }
        Ok(())
    };
    let bodies = match whole {
        true => reader.for_each_batch_with_bodies(ids, each).await?,
        false => reader.for_each_batch(ids, each).await.map(|()| Vec::new())?,
    };
    Ok(CheckedItems { damaged, bodies })
}

/// Checks an item against its entry. Blocks.
fn check_item(entry: &CatalogEntry, mut data: ItemData) -> Option<(DamageKind, String)> {
    if data.len() != entry.size {
        return Some((
            DamageKind::Content,
            format!("it has {} bytes, its catalog says {}", data.len(), entry.size),
        ));
    }
    if !entry.path.ends_with(".json") {
        return None;
    }
    let parsed = match &mut data {
        // Several times as fast as the same bytes through a reader.
        ItemData::Memory(bytes) => serde_json::from_slice::<IgnoredAny>(bytes),
        file @ ItemData::File(..) => match file.reader() {
            Ok(reader) => serde_json::from_reader(reader),
            Err(error) => {
                return Some((DamageKind::Unreadable, format!("its temporary file cannot be read: {error}")));
            }
        },
    };
    // The text is left out: it may quote content.
    parsed.err().map(|error| {
        (DamageKind::Content, format!("it is not JSON (line {}, column {})", error.line(), error.column()))
    })
}

/// Checks that a snapshot, whose catalog was read, holds together: counts, targets of links, bytes
/// of assets.
pub(super) async fn check_closure(
    reader: &Reader<'_>,
    snapshot: &Snapshot,
    trees: &mut Trees,
    report: &mut VerifyReport,
) {
    let manifest = &snapshot.manifest;
    let links_read = trees.read_links(reader, snapshot).await;
    let (catalog, links) = (trees.catalog(), trees.links());
    let mut wrong = |detail: String| report.add(DamageKind::Content, "", manifest.key.clone(), detail);
    let paths: HashSet<&str> = catalog.iter().map(|entry| &*entry.path).collect();
    let documents: HashSet<&str> = catalog
        .iter()
        .filter(|entry| entry.path.starts_with("documents/"))
        .filter_map(|entry| file_stem(&entry.path))
        .collect();
    if documents.len() as u64 != manifest.counts.documents.stored {
        wrong(format!(
            "it counts {} documents, its catalog has {}",
            manifest.counts.documents.stored,
            documents.len()
        ));
    }
    let missing: HashSet<&str> = manifest
        .gaps
        .iter()
        .chain(&manifest.accepted_gaps)
        .chain(&manifest.warnings)
        .map(|problem| problem.subject.as_str())
        .collect();
    for entry in catalog {
        if let Some(asset) = entry.path.strip_suffix("/metadata.json") {
            let original = format!("{asset}/original");
            if asset.starts_with("assets/")
                && !paths.contains(original.as_str())
                && !missing.contains(original.as_str())
            {
                wrong(format!("{original} is neither stored nor named as missing"));
            }
        }
    }
    if let Err(error) = links_read {
        return wrong(format!("its links cannot be read: {}", with_causes(&error)));
    }
    let dangling: HashSet<&str> = links
        .iter()
        .filter(|entry| entry.path.starts_with("documents/"))
        .flat_map(|entry| &entry.links)
        .map(|target| &**target)
        .filter(|target| !documents.contains(target))
        .collect();
    let named = named_dangling(reader, catalog).await;
    let unnamed = dangling.iter().filter(|target| !named.contains(**target)).count();
    if unnamed > 0 {
        wrong(format!(
            "{unnamed} targets of links are not in it, and it does not say that the source lacked them"
        ));
    }
    for asset in links.iter().flat_map(|entry| &entry.assets) {
        let original = format!("assets/{asset}/original");
        if !paths.contains(original.as_str()) && !missing.contains(original.as_str()) {
            wrong(format!("{original}, which documents use, is neither stored nor named as missing"));
        }
    }
}

/// Returns the targets of links that the source lacked, as the snapshot lists them.
async fn named_dangling(reader: &Reader<'_>, catalog: &[CatalogEntry]) -> HashSet<String> {
    let entry = catalog.iter().find(|entry| &*entry.path == "repository/dangling-links.json");
    match entry.and_then(|entry| reader.as_it_is_now(entry).ok()?.0) {
        Some(entry) => match reader.bytes(entry.item).await {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            // Reported with the items.
            Err(_) => HashSet::new(),
        },
        None => HashSet::new(),
    }
}

fn file_stem(path: &str) -> Option<&str> {
    path.rsplit('/').next()?.strip_suffix(".json")
}
