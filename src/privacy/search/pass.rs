//! The one pass over all items of a space.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::task::JoinHandle;

use super::reading::Reading;
use crate::ids::ItemId;
use crate::privacy::channels::Bounds;
use crate::privacy::matching::Matcher;
use crate::restore::{RestoreError, Result, Watch};
use crate::vault::format::index::PackKind;
use crate::vault::pack::ItemData;
use crate::vault::reader::Reader;

/// A path that says no more than that its item is the bytes of an asset.
const A_FILE: &str = "assets/any/original";

/// What came of a pass.
#[derive(Default)]
pub(super) struct Pass {
    /// Documents, metadata and the like that may hold the person.
    pub(super) candidates: Vec<ItemId>,
    /// Files, all of which were read.
    pub(super) files: HashMap<ItemId, Reading>,
    /// Items that could not be read, and why.
    pub(super) unread: HashMap<ItemId, String>,
    /// Items that were read.
    pub(super) items: u64,
    /// Bytes of them.
    pub(super) bytes: u64,
}

/// What one stretch gave.
#[derive(Default)]
struct Looked {
    candidates: Vec<ItemId>,
    files: Vec<(ItemId, Reading)>,
    items: u64,
    bytes: u64,
}

impl Pass {
    /// Goes over all items that the index of the space knows, but for pages of catalogs.
    pub(super) async fn run(
        reader: &Reader<'_>,
        matcher: &Arc<Matcher>,
        bounds: &Bounds,
        watch: Watch<'_>,
    ) -> Result<Self> {
        let index = reader.index();
        let (mut texts, mut files) = (BTreeSet::new(), BTreeSet::new());
        for (item, location) in index.places() {
            match index.packs()[location.pack as usize].kind {
                PackKind::Content => drop(texts.insert(*item)),
                PackKind::Assets => drop(files.insert(*item)),
                PackKind::Catalog => {}
            }
        }
        watch.progress.start(watch.phase, Some((texts.len() + files.len()) as u64));
        let mut pass = Self::default();
        let work = Work { matcher, bounds, watch, at_once: available_parallelism().map_or(1, usize::from) };
        pass.go(reader, texts, &work, |data, item, matcher, _, looked| {
            // What is that large is looked at in any case.
            let may_contain = match &data {
                ItemData::Memory(bytes) => matcher.may_contain(bytes),
                ItemData::File(..) => true,
            };
            if may_contain {
                looked.candidates.push(item);
            }
        })
        .await?;
        pass.go(reader, files, &work, |data, item, matcher, bounds, looked| {
            looked.files.push((item, Reading::of(data, Some(A_FILE), matcher, bounds)));
        })
        .await?;
        watch.progress.finish(watch.phase);
        Ok(pass)
    }

    async fn go(
        &mut self,
        reader: &Reader<'_>,
        items: BTreeSet<ItemId>,
        work: &Work<'_>,
        look: fn(ItemData, ItemId, &Matcher, &Bounds, &mut Looked),
    ) -> Result<()> {
        let mut under_way: VecDeque<JoinHandle<Looked>> = VecDeque::new();
        reader
            .for_each_batch(items, async |batch| {
                work.watch.check_cancelled()?;
                let mut good = Vec::with_capacity(batch.len());
                for (item, data) in batch {
                    match data {
                        Ok(data) => good.push((item, data)),
                        Err(error) => drop(self.unread.insert(item, error.to_string())),
                    }
                }
                let (matcher, bounds) = (Arc::clone(work.matcher), work.bounds.clone());
                under_way.push_back(tokio::task::spawn_blocking(move || {
                    let mut looked = Looked::default();
                    for (item, data) in good {
                        looked.items += 1;
                        looked.bytes += data.len();
                        look(data, item, &matcher, &bounds, &mut looked);
                    }
                    looked
                }));
                while under_way.len() >= work.at_once {
                    self.take(under_way.pop_front(), work.watch).await;
                }
                Ok::<_, RestoreError>(())
            })
            .await?;
        while !under_way.is_empty() {
            self.take(under_way.pop_front(), work.watch).await;
        }
        Ok(())
    }

    async fn take(&mut self, task: Option<JoinHandle<Looked>>, watch: Watch<'_>) {
        let Some(task) = task else { return };
        let looked = task.await.expect("looking at items does not panic");
        watch.progress.advance(watch.phase, looked.items, looked.bytes);
        self.items += looked.items;
        self.bytes += looked.bytes;
        self.candidates.extend(looked.candidates);
        self.files.extend(looked.files);
    }
}

/// What a pass is made with.
struct Work<'a> {
    matcher: &'a Arc<Matcher>,
    bounds: &'a Bounds,
    watch: Watch<'a>,
    /// Stretches that are looked at at once.
    at_once: usize,
}
