//! A person found in everything that a vault holds.
//!
//! Every distinct item is read once, however many snapshots it is in, and whether a snapshot still
//! names it or not: what pruning has not removed yet is held as well. Only then is it looked up in
//! which snapshots the few items are in which something was found.
//!
//! ```text
//! index        every item of the space
//!    │         documents, metadata: can it be in there at all? (raw bytes, quick)
//! pass         files: read and searched at once, as their formats hide their text
//!    │
//! places       catalogs, each page once: which items are where, in which snapshots
//!    │
//! search       the few that are left: passages, findings
//! ```
//!
//! Invariants: what could not be read or searched is in the report, never dropped. Reports hold masked
//! excerpts and ids, and are personal data all the same: they are stored for the privacy recipients only.
//! Memory grows with the number of items (an id each, and what the index knows of them), with the pages of
//! catalogs, and with what is found; items are read in stretches of
//! [`Limits::stretch_bytes`](crate::limits::Limits::stretch_bytes), one for each processor and
//! [`Limits::stretches_ahead`](crate::limits::Limits::stretches_ahead).

mod again;
mod live;
mod pass;
mod places;
mod reading;
mod report;
mod workers;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

pub use again::{Again, Located, ReadItem, read_again};
pub use live::LiveSource;
use live::SearchingLive;
pub use report::{
    Coverage, FoundItem, KindCount, LivePlace, Not, SearchReport, SearchedRepository, Sighting, Unsearched,
};

use self::pass::Pass;
use self::places::Places;
pub use self::reading::PassageText;
use self::reading::Reading;
pub(crate) use self::reading::{findings_in, likely_path};
use self::workers::Workers;
use super::channels::Bounds;
use super::matching::{Matcher, Rarity};
use crate::clock::Timestamp;
use crate::ids::{ItemId, Name};
use crate::progress::{Phase, Progress};
use crate::restore::{RestoreError, Result, Watch, open_space};
use crate::vault::format::manifest::Manifest;
use crate::vault::open::Vault;
use crate::vault::pack::ItemData;
use crate::vault::reader::Reader;
use crate::vault::snapshots::Snapshots;
use crate::vault::space::Space;

/// Items that are read in one go, of those whose bytes are here.
const READ_AT_ONCE: usize = 64;

/// How to search.
#[derive(Clone)]
pub struct SearchOptions<'a> {
    /// The repositories; all when empty. A space that one of them is in is read as a whole.
    pub repositories: Vec<Name>,
    /// Repositories whose live content is searched as well.
    pub live: &'a [LiveSource<'a>],
    /// What reading one item may cost.
    pub bounds: Bounds,
    /// Now.
    pub now: Timestamp,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
    /// Ends it between two items.
    pub cancel: CancellationToken,
}

/// Looks for a person in every snapshot of a vault.
///
/// # Errors
///
/// Those of the vault when a ledger is not whole, a catalog cannot be read, or the identity that reads
/// content is not here. An item that cannot be read is a problem of the report.
pub async fn search(
    vault: &Vault,
    snapshots: &Snapshots,
    matcher: Arc<Matcher>,
    options: SearchOptions<'_>,
) -> Result<SearchReport> {
    vault.require_content_identity()?;
    let watch = Watch { phase: Phase::Search, progress: options.progress, cancel: &options.cancel };
    let wanted: BTreeSet<&Name> = options.repositories.iter().collect();
    let is_wanted = |name: &Name| wanted.is_empty() || wanted.contains(name);
    let mut spaces: BTreeMap<&Name, Vec<&Manifest>> = BTreeMap::new();
    for repository in snapshots.repositories().filter(|name| is_wanted(name)) {
        let lists = snapshots.access_lists(repository);
        for snapshot in snapshots.of(repository).iter().chain(lists) {
            spaces.entry(&snapshot.manifest.space).or_default().push(&snapshot.manifest);
        }
    }
    let mut report = SearchReport::begin(options.now);
    report.coverage.problems.extend(snapshots.unreadable.iter().cloned());
    let mut rarity = Rarity::default();
    for (name, manifests) in &spaces {
        let mut space = open_space(vault, snapshots, name).await?;
        // Only writers need them, and they are a third of the index.
        space.index.forget_fingerprints();
        let of_space =
            OneSpace { vault, space: &space, manifests, matcher: &matcher, bounds: &options.bounds, watch };
        of_space.search(&mut report, &mut rarity).await?;
    }
    for source in options.live {
        let (bounds, key) = (&options.bounds, vault.item_key()?);
        let live = SearchingLive { source, matcher: &matcher, bounds, key, watch };
        live.search(&mut report, &mut rarity).await?;
    }
    report.finish(&rarity);
    Ok(report)
}

/// One space that is searched.
struct OneSpace<'a> {
    vault: &'a Vault,
    space: &'a Space,
    manifests: &'a [&'a Manifest],
    matcher: &'a Arc<Matcher>,
    bounds: &'a Bounds,
    watch: Watch<'a>,
}

impl OneSpace<'_> {
    async fn search(&self, report: &mut SearchReport, rarity: &mut Rarity) -> Result<()> {
        // Privacy staff find what is under restriction: whoever is to lift or erase it must see it.
        let reader = Reader::new(self.vault, self.space).with_restricted();
        let pass = Pass::run(&reader, self.matcher, self.bounds, self.watch).await?;
        report.coverage.items += pass.items;
        report.coverage.bytes += pass.bytes;
        rarity.count_others(pass.items - pass.candidates.len() as u64 - pass.files.len() as u64);
        let wanted = pass
            .candidates
            .iter()
            .map(|(item, _)| *item)
            .chain(pass.files.keys().copied())
            .chain(pass.unread.keys().copied());
        let places = Places::find(&reader, self.manifests, wanted.collect(), self.watch).await?;
        report.coverage.add_snapshots(self.manifests);
        let mut readings: HashMap<ItemId, Reading> = pass.files;
        self.read_candidates(&reader, pass.candidates, &places, &mut readings, report).await?;
        for (item, error) in pass.unread {
            report.coverage.not_read(places.of(&item), &item, error);
        }
        let mut readings: Vec<(ItemId, Reading)> = readings.into_iter().collect();
        readings.sort_by_key(|(item, _)| *item);
        for (item, reading) in readings {
            rarity.count(&reading.findings);
            report.take(&self.space.name, item, reading, places.of(&item));
        }
        Ok(())
    }

    /// Reads the items that may hold the person, now as what their paths say they are.
    async fn read_candidates(
        &self,
        reader: &Reader<'_>,
        candidates: Vec<(ItemId, Option<Bytes>)>,
        places: &Places,
        readings: &mut HashMap<ItemId, Reading>,
        report: &mut SearchReport,
    ) -> Result<()> {
        let mut workers = Workers::new();
        let work = |items: Vec<(ItemId, ItemData)>| {
            let items: Vec<_> = items
                .into_iter()
                .map(|(item, data)| (item, data, places.path_of(&item).map(str::to_owned)))
                .collect();
            let (matcher, bounds) = (Arc::clone(self.matcher), self.bounds.clone());
            move || {
                let read = |(item, data, path): (ItemId, ItemData, Option<String>)| {
                    (item, Reading::of(data, path.as_deref(), &matcher, &bounds))
                };
                items.into_iter().map(read).collect::<Vec<_>>()
            }
        };
        let (mut kept, mut again) = (Vec::new(), Vec::new());
        for (item, bytes) in candidates {
            match bytes {
                Some(bytes) => kept.push((item, ItemData::Memory(bytes))),
                None => again.push(item),
            }
        }
        while !kept.is_empty() {
            self.watch.check_cancelled()?;
            let some = kept.split_off(kept.len().saturating_sub(READ_AT_ONCE));
            readings.extend(workers.begin(work(some)).await.into_iter().flatten());
        }
        reader
            .for_each_batch(again, async |batch| {
                self.watch.check_cancelled()?;
                let mut items = Vec::with_capacity(batch.len());
                for (item, data) in batch {
                    match data {
                        Ok(data) => items.push((item, data)),
                        Err(error) => report.coverage.not_read(places.of(&item), &item, error.to_string()),
                    }
                }
                readings.extend(workers.begin(work(items)).await.into_iter().flatten());
                Ok::<_, RestoreError>(())
            })
            .await?;
        while let Some(read) = workers.next().await {
            readings.extend(read);
        }
        Ok(())
    }
}
