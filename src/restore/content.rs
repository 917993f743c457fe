//! A snapshot that is open for reading content, and reading many of its items in one go.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use super::error::{RestoreError, Result};
use super::names::FileNames;
use super::paths::{METADATA, ORIGINAL, Place, is_safe, place};
use crate::ids::{ItemId, Name};
use crate::objects::traffic::Traffic;
use crate::progress::{Phase, Problem, Progress};
use crate::vault::erasure::Applied;
use crate::vault::error::{ErrorKind, VaultError};
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::format::manifest::Manifest;
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::pack::ItemData;
use crate::vault::reader::Reader;
use crate::vault::replica::with_causes;
use crate::vault::snapshots::Snapshots;
use crate::vault::space::Space;
use crate::vault::tree;

/// Items in a row that no replica could give for a reason that is not damage; then the rest is
/// not tried any more. Each has waited for all retries of all replicas.
const UNREACHABLE_IN_A_ROW: u32 = 5;

/// Code of the problem of an item that is damaged or missing on every replica.
const DAMAGED: &str = "item-damaged";
/// Code of the problem of an item that no replica could be asked for.
const UNREACHABLE: &str = "item-unreachable";
/// Code of the problem of a path that must not become a file.
const UNSAFE: &str = "path-unsafe";

/// Whether a problem of a report means that data is damaged, missing or not what it should be,
/// and not only that a replica could not be asked.
pub fn is_damage(problem: &Problem) -> bool {
    problem.code != UNREACHABLE
}

/// A snapshot that is open for reading content.
#[derive(Debug)]
pub struct OpenSnapshot<'a> {
    pub(super) vault: &'a Vault,
    pub(super) manifest: Manifest,
    pub(super) space: Arc<Space>,
    /// What orders changed of its catalog, once that was read.
    applied: OnceLock<Applied>,
}

impl<'a> OpenSnapshot<'a> {
    /// Checks that content may and can be read, and lists what the replicas hold. `snapshots` are
    /// all of the vault: a newer one may name an entry of the ledger that forbids what an older
    /// one knows nothing of.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] when the identity that reads content is not here,
    /// [`ErrorKind::Integrity`] when the ledger is not whole. Nothing was read from a pack then.
    pub async fn open(vault: &'a Vault, snapshots: &Snapshots, manifest: &Manifest) -> Result<Self> {
        vault.require_content_identity()?;
        let mut space = open_space(vault, snapshots, &manifest.space).await?;
        space.index.forget_fingerprints();
        Ok(Self::reopened(vault, manifest.clone(), Arc::new(space)))
    }

    /// Opens another snapshot of the vault; one of the same space shares what was loaded of it.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn open_another(&self, snapshots: &Snapshots, manifest: &Manifest) -> Result<Self> {
        match self.manifest.space == manifest.space {
            true => Ok(Self::reopened(self.vault, manifest.clone(), Arc::clone(&self.space))),
            false => Self::open(self.vault, snapshots, manifest).await,
        }
    }

    /// What was loaded of its space, to be given to [`reopened`](Self::reopened) by another thread.
    pub(crate) fn loaded(&self) -> Arc<Space> {
        Arc::clone(&self.space)
    }

    /// The same snapshot again, after it was opened and checked: `loaded` comes from there.
    pub(crate) fn reopened(vault: &'a Vault, manifest: Manifest, loaded: Arc<Space>) -> Self {
        Self { vault, manifest, space: loaded, applied: OnceLock::new() }
    }

    /// Whether a reader of the one reads the items of the other.
    pub(crate) fn shares_space(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.space, &other.space)
    }

    /// The vault that it is in.
    pub fn vault(&self) -> &'a Vault {
        self.vault
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Removes from the local cache what is kept of packs that no replica holds any more.
    pub fn forget_cached(&self) {
        self.space.forget_blocks(self.vault);
    }

    /// Returns a reader of its items.
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(self.vault, &self.space)
    }

    /// Reads the whole catalog, sorted by path, as orders of erasure leave it: see
    /// [`applied`](Self::applied).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Integrity`] when a page is lost: without it nobody knows what belongs to the
    /// snapshot.
    pub async fn catalog(&self) -> Result<Vec<CatalogEntry>> {
        self.catalog_by(&self.reader()).await
    }

    /// The same by a reader of its items that keeps what it reads.
    pub(crate) async fn catalog_by(&self, reader: &Reader<'_>) -> Result<Vec<CatalogEntry>> {
        let (entries, applied) = tree::read_telling(reader, &self.manifest.catalog).await?;
        self.applied.get_or_init(|| applied);
        Ok(entries)
    }

    /// What orders of erasure changed of the catalog; nothing before it was read.
    pub fn applied(&self) -> Applied {
        self.applied.get().cloned().unwrap_or_default()
    }
}

/// Loads a space after its ledger was found to hold every entry that any snapshot names.
pub(crate) async fn open_space(vault: &Vault, snapshots: &Snapshots, name: &Name) -> Result<Space> {
    let ledger = Ledger::load(vault, name).await?;
    let manifests = snapshots.iter().map(|snapshot| &snapshot.manifest);
    let named = manifests.filter(|manifest| manifest.space == *name).flat_map(|manifest| &manifest.ledger);
    ledger.require_whole(vault, named)?;
    Ok(Space::load(vault, name).await?)
}

/// What tells how far a read is and ends it.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'a> {
    pub(crate) phase: Phase,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) cancel: &'a CancellationToken,
}

impl Watch<'_> {
    pub(crate) fn check_cancelled(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(RestoreError::Cancelled) } else { Ok(()) }
    }
}

/// Decides what becomes of items that cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    pub(crate) problems: Vec<Problem>,
    unreachable: u32,
}

impl Losses {
    /// Notes that an item was read.
    pub(crate) fn item_read(&mut self) {
        self.unreachable = 0;
    }

    /// Notes that an item could not be read, for each of its paths.
    ///
    /// # Errors
    ///
    /// The error itself, when going on makes no sense.
    pub(crate) fn note<'p>(
        &mut self,
        error: VaultError,
        paths: impl IntoIterator<Item = &'p str>,
        watch: &Watch<'_>,
    ) -> Result<()> {
        let code = match error.kind {
            _ if error.is_damage() => DAMAGED,
            ErrorKind::Store(_) => UNREACHABLE,
            _ => return Err(error.into()),
        };
        self.unreachable = if code == UNREACHABLE { self.unreachable + 1 } else { 0 };
        if self.unreachable >= UNREACHABLE_IN_A_ROW {
            return Err(error.into());
        }
        for path in paths {
            let problem = Problem::new(code, path, with_causes(&error));
            watch.progress.problem(&problem);
            self.problems.push(problem);
        }
        Ok(())
    }
}

/// Returns the entries that may become files; a problem for each of the others.
pub(super) fn only_safe(entries: Vec<CatalogEntry>) -> (Vec<CatalogEntry>, Vec<Problem>) {
    let (safe, unsafe_): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| is_safe(&entry.path));
    let problem = |entry: CatalogEntry| {
        let subject = entry.path.escape_debug().to_string();
        Problem::new(UNSAFE, subject, "a file of this name would leave its directory, so it is not written")
    };
    (safe, unsafe_.into_iter().map(problem).collect())
}

/// Reads the metadata of the assets among `wanted` and gives their files their names.
pub(super) async fn learn_names(
    snapshot: &OpenSnapshot<'_>,
    catalog: &[CatalogEntry],
    wanted: &[CatalogEntry],
    names: &mut FileNames,
    watch: Watch<'_>,
) -> Result<()> {
    let metadata = metadata_of_originals(catalog, wanted);
    each_batch(snapshot, &metadata, watch, async |batch| {
        // What cannot be read is a problem of the restore itself, if it is wanted there.
        for (entries, data) in batch {
            data.iter().for_each(|data| learn(names, entries, data));
        }
        Ok(())
    })
    .await
}

/// Returns what is read for these entries, first one part, then the other: assets come last.
fn in_order<'a>(catalog: &'a [CatalogEntry], wanted: &'a [CatalogEntry]) -> [Vec<&'a CatalogEntry>; 2] {
    let is_wanted: HashSet<&str> = wanted.iter().map(|entry| &*entry.path).collect();
    let (originals, mut first): (Vec<&CatalogEntry>, Vec<&CatalogEntry>) =
        wanted.iter().partition(|entry| matches!(place(&entry.path), Place::Asset { file: ORIGINAL, .. }));
    // Metadata that is not wanted itself is read for the names in it.
    first.extend(
        metadata_of_originals(catalog, wanted).into_iter().filter(|entry| !is_wanted.contains(&*entry.path)),
    );
    [first, originals]
}

/// Forecasts what [`extract`] reads, by replica.
pub(super) fn forecast(
    snapshot: &OpenSnapshot<'_>,
    catalog: &[CatalogEntry],
    wanted: &[CatalogEntry],
) -> BTreeMap<String, Traffic> {
    let turns = in_order(catalog, wanted);
    let items = turns.iter().map(|part| part.iter().map(|entry| entry.item).collect::<HashSet<ItemId>>());
    snapshot.reader().forecast_in_turns(items)
}

/// A file of which the bytes were read.
#[derive(Debug)]
pub(super) struct Extracted {
    /// Its name below the target.
    pub(super) file: String,
    /// Bytes of it, as the catalog says.
    pub(super) size: u64,
    /// Its bytes.
    pub(super) data: ItemData,
}

/// Reads every wanted item once, and gives `each` the files that are made of it, many at once.
/// Assets come last: their names stand in metadata that is read before. Returns what could not be
/// read.
pub(super) async fn extract(
    snapshot: &OpenSnapshot<'_>,
    catalog: &[CatalogEntry],
    wanted: &[CatalogEntry],
    names: &mut FileNames,
    watch: Watch<'_>,
    mut each: impl AsyncFnMut(Vec<Extracted>) -> Result<()>,
) -> Result<Vec<Problem>> {
    watch.progress.start(watch.phase, Some(wanted.len() as u64));
    let mut losses = Losses::default();
    let is_wanted: HashSet<&str> = wanted.iter().map(|entry| &*entry.path).collect();
    for part in in_order(catalog, wanted) {
        each_batch(snapshot, &part, watch, async |batch| {
            let mut files = Vec::with_capacity(batch.len());
            for (entries, data) in batch {
                let wanted = entries.iter().filter(|entry| is_wanted.contains(&*entry.path));
                match data {
                    Ok(data) => {
                        losses.item_read();
                        learn(names, entries, &data);
                        for entry in wanted {
                            let (file, data) = (names.file(&entry.path), again(&data)?);
                            files.push(Extracted { file, size: entry.size, data });
                        }
                    }
                    Err(error) => losses.note(error, wanted.map(|entry| &*entry.path), &watch)?,
                }
            }
            let (count, bytes) = (files.len() as u64, files.iter().map(|file| file.size).sum());
            each(files).await?;
            watch.progress.advance(watch.phase, count, bytes);
            Ok(())
        })
        .await?;
    }
    watch.progress.finish(watch.phase);
    Ok(losses.problems)
}

/// An item with all entries that it lies under.
pub(super) type Found<'a> = (&'a [&'a CatalogEntry], std::result::Result<ItemData, VaultError>);

/// Reads items, each once, in the order of the packs; `each` gets those that were read in one go.
pub(super) async fn each_batch(
    snapshot: &OpenSnapshot<'_>,
    entries: &[&CatalogEntry],
    watch: Watch<'_>,
    mut each: impl AsyncFnMut(Vec<Found<'_>>) -> Result<()>,
) -> Result<()> {
    let mut by_item: HashMap<ItemId, Vec<&CatalogEntry>> = HashMap::with_capacity(entries.len());
    for entry in entries {
        by_item.entry(entry.item).or_default().push(entry);
    }
    let ids: Vec<ItemId> = by_item.keys().copied().collect();
    let reader = snapshot.reader();
    reader
        .for_each_batch(ids, async |batch| {
            watch.check_cancelled()?;
            each(batch.into_iter().map(|(id, data)| (&by_item[&id][..], data)).collect()).await
        })
        .await
}

/// The entries with the metadata of assets whose bytes are wanted.
fn metadata_of_originals<'a>(catalog: &'a [CatalogEntry], wanted: &[CatalogEntry]) -> Vec<&'a CatalogEntry> {
    let find = |entry: &CatalogEntry| {
        let directory = entry.path.strip_suffix(ORIGINAL)?;
        let path = format!("{directory}{METADATA}");
        let at = catalog.binary_search_by(|entry| (*entry.path).cmp(&path)).ok()?;
        Some(&catalog[at])
    };
    wanted
        .iter()
        .filter(|entry| matches!(place(&entry.path), Place::Asset { file: ORIGINAL, .. }))
        .filter_map(find)
        .collect()
}

fn learn(names: &mut FileNames, entries: &[&CatalogEntry], data: &ItemData) {
    for entry in entries {
        if let (Place::Asset { id, file: METADATA }, ItemData::Memory(bytes)) = (place(&entry.path), data) {
            names.learn(id, bytes);
        }
    }
}

/// Returns the same data once more; a file is shared, so one copy is read at a time.
fn again(data: &ItemData) -> Result<ItemData> {
    match data {
        ItemData::Memory(bytes) => Ok(ItemData::Memory(bytes.clone())),
        ItemData::File(file, len) => {
            let file = file.try_clone().map_err(RestoreError::local("cannot open a temporary file again"))?;
            Ok(ItemData::File(file, *len))
        }
    }
}
