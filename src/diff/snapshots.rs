//! Two sides: what each holds, what differs, told item by item.
//!
//! Catalogs say what differs without a byte of content being read: equal items have equal ids in a
//! space. What differs is read in batches, pack by pack, and each batch is compared and forgotten
//! before the next one is read. So memory is bounded by the catalogs, by
//! [`Limits::diff_batch_bytes`](crate::limits::Limits) and by what is told.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::change::ItemDiff;
use super::error::{DiffError, Result};
use super::fields::Bounds;
use super::items::{Compared, Kind, Names, Task, compare};
use super::listing::{Content, Item, Listing, Pair, differing};
use super::live::Live;
use super::report::{DiffReport, SideReport, Tallies, Values};
use super::repository::Languages;
use super::translations::name_translations;
use crate::ids::ItemId;
use crate::limits::Limits;
use crate::progress::{Phase, Problem, Progress};
use crate::restore::paths::{METADATA, ORIGINAL, Place, place};
use crate::restore::{Losses, OpenSnapshot, RestoreError, Selection, Watch};
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::format::manifest::Status;
use crate::vault::pack::ItemData;
use crate::vault::reader::Reader;

/// Items in a batch, however small they are.
const BATCH_ITEMS: usize = 5000;

/// How to compare.
#[derive(Clone)]
pub struct DiffOptions<'a> {
    /// Which part of both sides.
    pub selection: Selection,
    /// Whether the report is to have the values of changes.
    pub values: bool,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
    /// Ends it between two batches.
    pub cancel: CancellationToken,
}

/// Compares two snapshots of a vault. They are of one repository, as a rule; of two, whatever has
/// another id is another item.
///
/// # Errors
///
/// When a catalog cannot be read, the selection matches nothing on either side, or no replica answers.
/// Single items that are damaged are problems of the report.
pub async fn compare_snapshots(
    old: &OpenSnapshot<'_>,
    new: &OpenSnapshot<'_>,
    options: DiffOptions<'_>,
) -> Result<DiffReport> {
    let comparing = Comparing::new(old, new, options);
    let older = listing_from(old, &comparing.catalog(false).await?);
    let newer = listing_from(new, &comparing.catalog(true).await?);
    comparing.run(older, newer).await
}

/// Compares a snapshot with the repository as it is now, of which it reads what was published since.
///
/// # Errors
///
/// As [`compare_snapshots`], and when the repository cannot be read.
pub async fn compare_with_live(
    old: &OpenSnapshot<'_>,
    live: &Live,
    options: DiffOptions<'_>,
) -> Result<DiffReport> {
    let comparing = Comparing::new(old, old, options);
    let catalog = comparing.catalog(false).await?;
    let mut older = listing_from(old, &catalog);
    let newer = live.listing(old, &catalog, &mut older, comparing.options.progress).await?;
    drop(catalog);
    comparing.run(older, newer).await
}

fn listing_from(snapshot: &OpenSnapshot<'_>, catalog: &[CatalogEntry]) -> Listing {
    let manifest = snapshot.manifest();
    let gaps = manifest.gaps.iter().chain(&manifest.accepted_gaps);
    let not_compared = match manifest.status {
        Status::Complete => Vec::new(),
        Status::Partial => vec![Problem::new(
            "partial",
            manifest.snapshot.to_string(),
            "the snapshot lacks something of the source; what it lacks is not told as removed or added",
        )],
    };
    Listing {
        report: SideReport {
            repository: manifest.repository.clone(),
            snapshot: Some(manifest.snapshot.clone()),
            master_ref: manifest.source.master_ref.clone(),
            at: manifest.started.clone(),
            status: Some(manifest.status),
            applied: snapshot.applied(),
        },
        items: Listing::items_of(catalog),
        unknown: gaps.map(|gap| gap.subject.to_string()).collect(),
        not_compared,
    }
}

/// A comparison of two sides under way.
struct Comparing<'a> {
    old: &'a OpenSnapshot<'a>,
    new: &'a OpenSnapshot<'a>,
    /// Of each side; only the first is used where both are in one space, so that nothing is read twice.
    readers: [Reader<'a>; 2],
    options: DiffOptions<'a>,
    losses: Losses,
    values: Values,
}

/// Bytes that had to and could be read, by reader and item.
type Loaded = HashMap<(usize, ItemId), Bytes>;

impl<'a> Comparing<'a> {
    fn new(old: &'a OpenSnapshot<'a>, new: &'a OpenSnapshot<'a>, options: DiffOptions<'a>) -> Self {
        let left = old.vault().limits().diff_value_bytes;
        let values = Values { wanted: options.values, left, left_out: false };
        Self { readers: [old.reader(), new.reader()], old, new, options, losses: Losses::default(), values }
    }

    /// The number of the reader of a side.
    fn reader_of(&self, is_new: bool) -> usize {
        usize::from(is_new && !self.old.shares_space(self.new))
    }

    async fn catalog(&self, is_new: bool) -> Result<Vec<CatalogEntry>> {
        let snapshot = if is_new { self.new } else { self.old };
        Ok(snapshot.catalog_by(&self.readers[self.reader_of(is_new)]).await?)
    }

    fn limits(&self) -> &Limits {
        self.old.vault().limits()
    }

    async fn run(mut self, old: Listing, new: Listing) -> Result<DiffReport> {
        let wanted = self.wanted(&old, &new)?;
        let mut pairs = differing(&old, &new);
        pairs.retain(|pair| wanted.as_ref().is_none_or(|wanted| wanted.contains(pair.path())));
        let mut not_compared = [&old.not_compared[..], &new.not_compared].concat();
        pairs.retain(|pair| {
            let unknown = (pair.new.is_none() && new.is_unknown(pair.path()))
                || (pair.old.is_none() && old.is_unknown(pair.path()));
            if unknown {
                let what = "one of the sides lacks it, because it could not be read at the source";
                not_compared.push(Problem::new("gap", pair.path(), what));
            }
            !unknown
        });
        let tasks = tasks(pairs, &old, &new);
        self.options.progress.start(Phase::Compare, Some(tasks.len() as u64));
        let mut names = self.names(&old, &new, &tasks).await?;
        names.is_live = new.report.snapshot.is_none();
        let names = Arc::new(names);
        let mut report = DiffReport {
            old: old.report.clone(),
            new: new.report.clone(),
            summary: Tallies::default(),
            documents: Vec::new(),
            assets: Vec::new(),
            models: Vec::new(),
            repository: Vec::new(),
            not_compared,
            problems: Vec::new(),
            values_left_out: false,
        };
        drop((old, new));
        let mut relatives = Vec::new();
        for batch in self.batches(tasks) {
            let count = batch.len() as u64;
            for compared in self.compare(batch, &names).await? {
                match compared {
                    Compared::Document(one, ties) => {
                        relatives.extend(ties);
                        report.documents.push(self.settled(*one, |one| &mut one.diff));
                    }
                    Compared::Asset(one) => report.assets.push(self.settled(*one, |one| &mut one.diff)),
                    Compared::Model(one) => report.models.push(self.settled(*one, |one| &mut one.diff)),
                    Compared::Repository(one) => {
                        report.repository.push(self.settled(*one, |one| &mut one.diff));
                    }
                }
            }
            self.options.progress.advance(Phase::Compare, count, 0);
        }
        name_translations(&mut report.documents, relatives, &names);
        sort(&mut report);
        report.count();
        report.problems.append(&mut self.losses.problems);
        report.values_left_out = self.values.left_out;
        self.options.progress.finish(Phase::Compare);
        Ok(report)
    }

    fn settled<T>(&mut self, mut one: T, diff: impl Fn(&mut T) -> &mut ItemDiff) -> T {
        self.values.settle(diff(&mut one));
        one
    }

    /// The paths that are asked for; `None` for all.
    fn wanted(&self, old: &Listing, new: &Listing) -> Result<Option<HashSet<Box<str>>>> {
        if self.options.selection.is_everything() {
            return Ok(None);
        }
        let mut all: Vec<CatalogEntry> = old.entries().chain(new.entries()).collect();
        all.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        all.dedup_by(|one, other| one.path == other.path);
        let chosen = self.options.selection.apply(self.old.vault().item_key()?, &all)?;
        Ok(Some(chosen.into_iter().map(|entry| entry.path).collect()))
    }

    /// Reads what gives things their names: models and languages.
    async fn names(&mut self, old: &Listing, new: &Listing, tasks: &[Task]) -> Result<Names> {
        // Without documents nobody needs them.
        if tasks.iter().all(|task| task.kind != Kind::Document) {
            return Ok(Names::default());
        }
        let is_name = |path: &str| path.starts_with("models/") || path == "repository/languages.json";
        let of = |listing: &Listing, is_new: bool| -> Vec<(bool, Box<str>, Item)> {
            let named = listing.items.iter().filter(|(path, _)| is_name(path));
            named.map(|(path, item)| (is_new, path.clone(), item.clone())).collect()
        };
        // Those of the newer side count; the older one knows what is gone.
        let mut wanted = of(old, false);
        let newer = of(new, true);
        wanted.retain(|(_, path, _)| !new.items.contains_key(path) || &**path == "repository/languages.json");
        wanted.extend(newer);
        let loaded = self.load(wanted.iter().map(|(is_new, path, item)| (*is_new, &**path, item))).await?;
        let mut names = Names::default();
        for (is_new, path, item) in &wanted {
            let Some(bytes) = bytes_of(self.reader_of(*is_new), item, &loaded) else { continue };
            match path.split('/').nth(1) {
                Some("customtypes") => names.models.add_custom_type(&bytes),
                Some("slices") => names.models.add_slice(&bytes),
                _ if *is_new => {
                    let older = std::mem::replace(&mut names.languages, Languages::parse(&bytes));
                    names.languages.extend(older);
                }
                _ => names.languages.extend(Languages::parse(&bytes)),
            }
        }
        Ok(names)
    }

    /// Parts of the work that fit into memory.
    fn batches(&self, tasks: Vec<Task>) -> Vec<Vec<Task>> {
        let bytes_max = self.limits().diff_batch_bytes;
        let mut batches: Vec<Vec<Task>> = Vec::new();
        let mut bytes = 0;
        for task in tasks {
            let size = task.size();
            match batches.last_mut() {
                Some(batch) if bytes + size <= bytes_max && batch.len() < BATCH_ITEMS => {
                    bytes += size;
                    batch.push(task);
                }
                _ => {
                    bytes = size;
                    batches.push(vec![task]);
                }
            }
        }
        batches
    }

    async fn compare(&mut self, batch: Vec<Task>, names: &Arc<Names>) -> Result<Vec<Compared>> {
        let wanted = batch.iter().flat_map(Task::reads);
        let loaded = self.load(wanted).await?;
        let (names, bounds) = (Arc::clone(names), Bounds::from(self.limits()));
        let readers = [false, true].map(|is_new| self.reader_of(is_new));
        let work = move || {
            let side = |reader: usize, item: Option<&(Box<str>, Item)>| match item {
                None => Some(None),
                Some((_, item)) => bytes_of(reader, item, &loaded).map(Some),
            };
            let both = |task: &Task| {
                let Pair { old, new } = &task.pair;
                // What could not be read is a problem already.
                Some((side(readers[0], old.as_ref())?, side(readers[1], new.as_ref())?))
            };
            batch
                .iter()
                .filter_map(|task| both(task).map(|(old, new)| (task, old, new)))
                .filter_map(|(task, old, new)| compare(task, old.as_deref(), new.as_deref(), &names, bounds))
                .collect()
        };
        Ok(tokio::task::spawn_blocking(work).await.expect("comparing does not panic"))
    }

    /// Reads the bytes of items that are in the vault.
    async fn load<'p>(&mut self, wanted: impl Iterator<Item = (bool, &'p str, &'p Item)>) -> Result<Loaded> {
        let mut paths: [HashMap<ItemId, &str>; 2] = [HashMap::new(), HashMap::new()];
        for (is_new, path, item) in wanted {
            if let Content::Stored(id) = item.content {
                paths[self.reader_of(is_new)].insert(id, path);
            }
        }
        let (progress, cancel) = (self.options.progress, &self.options.cancel);
        let watch = Watch { phase: Phase::Compare, progress, cancel };
        let mut loaded = Loaded::new();
        let losses = &mut self.losses;
        for (number, (reader, paths)) in self.readers.iter().zip(paths).enumerate() {
            let ids: Vec<ItemId> = paths.keys().copied().collect();
            reader
                .for_each(ids, async |id, data| {
                    watch.check_cancelled()?;
                    match data {
                        Ok(data) => {
                            losses.item_read();
                            loaded.insert((number, id), in_memory(data)?);
                        }
                        Err(error) => losses.note(error, [paths[&id]], &watch)?,
                    }
                    Ok::<_, DiffError>(())
                })
                .await?;
        }
        Ok(loaded)
    }
}

fn bytes_of(reader: usize, item: &Item, loaded: &Loaded) -> Option<Bytes> {
    match &item.content {
        Content::Read(bytes) => Some(bytes.clone()),
        Content::Stored(id) => loaded.get(&(reader, *id)).cloned(),
    }
}

fn in_memory(data: ItemData) -> Result<Bytes> {
    match data {
        ItemData::Memory(bytes) => Ok(bytes),
        mut file @ ItemData::File(..) => {
            let mut bytes = Vec::new();
            let read = file.reader().and_then(|mut reader| reader.read_to_end(&mut bytes));
            read.map_err(RestoreError::local("cannot read a temporary file"))?;
            Ok(bytes.into())
        }
    }
}

/// Turns paths that differ into items to be compared: a document of which type or language changed is
/// one, and so are an asset's metadata and its bytes.
fn tasks(pairs: Vec<Pair>, old: &Listing, new: &Listing) -> Vec<Task> {
    let mut tasks = Vec::new();
    let mut gone: HashMap<(Option<String>, String), Vec<Pair>> = HashMap::new();
    let mut came = Vec::new();
    let mut assets: BTreeSet<String> = BTreeSet::new();
    for pair in pairs {
        match place(pair.path()) {
            Place::Document { release, id, .. } if pair.new.is_none() => {
                gone.entry((release.map(str::to_owned), id.to_owned())).or_default().push(pair);
            }
            Place::Document { .. } if pair.old.is_none() => came.push(pair),
            Place::Document { .. } => tasks.push(Task::new(Kind::Document, pair)),
            Place::Asset { id, file: METADATA | ORIGINAL } => drop(assets.insert(id.to_owned())),
            Place::Model { .. } => tasks.push(Task::new(Kind::Model, pair)),
            _ if pair.path().starts_with("repository/") => tasks.push(Task::new(Kind::Repository, pair)),
            // What later versions add.
            _ => tasks.push(Task::new(Kind::Other, pair)),
        }
    }
    for mut pair in came {
        if let Place::Document { release, id, .. } = place(pair.path()) {
            let known = gone.get_mut(&(release.map(str::to_owned), id.to_owned()));
            if let Some(before) = known.and_then(Vec::pop) {
                pair.old = before.old;
            }
        }
        tasks.push(Task::new(Kind::Document, pair));
    }
    tasks.extend(gone.into_values().flatten().map(|pair| Task::new(Kind::Document, pair)));
    tasks.sort_by(|one, other| one.pair.path().cmp(other.pair.path()));
    tasks.extend(assets.into_iter().map(|id| asset_task(&id, old, new)));
    tasks
}

/// Compares an asset by its metadata, whichever of its two paths differ.
fn asset_task(id: &str, old: &Listing, new: &Listing) -> Task {
    let path = |file: &str| format!("assets/{id}/{file}").into_boxed_str();
    let entry = |listing: &Listing, file: &str| {
        let path = path(file);
        listing.items.get(&path).map(|item| (path, item.clone()))
    };
    let originals = [old, new].map(|listing| entry(listing, ORIGINAL));
    let file_changed = match &originals {
        [Some((_, older)), Some((_, newer))] => match (&older.content, &newer.content) {
            (Content::Stored(older), Content::Stored(newer)) => older != newer,
            _ => false,
        },
        _ => false,
    };
    let mut task = Task::new(Kind::Asset, Pair { old: entry(old, METADATA), new: entry(new, METADATA) });
    id.clone_into(&mut task.id);
    task.file_changed = file_changed;
    task
}

/// Orders what is told as people read it.
fn sort(report: &mut DiffReport) {
    report.documents.sort_by(|one, other| {
        let key = |of: &super::report::DocumentDiff| {
            let type_ = of.type_label.as_deref().unwrap_or(&of.type_).to_lowercase();
            (of.release.clone(), type_, of.title.as_ref().map(|title| title.to_lowercase()))
        };
        (key(one), &one.path).cmp(&(key(other), &other.path))
    });
    report.problems.sort_unstable();
}
