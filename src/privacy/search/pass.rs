//! The one pass over all items of a space.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::reading::Reading;
use super::workers::Workers;
use crate::ids::ItemId;
use crate::privacy::channels::Bounds;
use crate::privacy::matching::Matcher;
use crate::restore::{RestoreError, Result, Watch};
use crate::vault::format::index::PackKind;
use crate::vault::pack::ItemData;
use crate::vault::reader::Reader;

/// A path that says no more than that its item is the bytes of an asset.
const A_FILE: &str = "assets/any/original";

/// Bytes of items that may hold the person which are kept until their paths are known, so that they are not
/// read twice: enough for most people. What is more is read again.
const KEPT_BYTES_MAX: u64 = 32 << 20;

/// What came of a pass.
#[derive(Default)]
pub(super) struct Pass {
    /// Documents, metadata and the like that may hold the person, with their bytes as far as they were kept.
    pub(super) candidates: Vec<(ItemId, Option<Bytes>)>,
    kept: u64,
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
    candidates: Vec<(ItemId, Option<Bytes>)>,
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
        let (mut texts, mut files) = (Vec::new(), Vec::new());
        // What an order erased is read no more, also while its pack still lies there.
        let read = |item: &ItemId| !reader.orders().contains(item);
        for (item, location) in index.places().filter(|(item, _)| read(item)) {
            match index.packs()[location.pack as usize].kind {
                PackKind::Content => texts.push(*item),
                PackKind::Assets => files.push(*item),
                PackKind::Catalog => {}
            }
        }
        // An item may be in several packs.
        for items in [&mut texts, &mut files] {
            items.sort_unstable();
            items.dedup();
        }
        watch.progress.start(watch.phase, Some((texts.len() + files.len()) as u64));
        let mut pass = Self::default();
        let work = Work { matcher, bounds, watch };
        pass.go(reader, texts, &work, |data, item, matcher, _, looked| {
            match data {
                // A copy: it is part of a frame, which would be kept as a whole.
                ItemData::Memory(bytes) if matcher.may_contain(&bytes) => {
                    looked.candidates.push((item, Some(Bytes::copy_from_slice(&bytes))));
                }
                ItemData::Memory(_) => {}
                // What is that large is looked at in any case.
                ItemData::File(..) => looked.candidates.push((item, None)),
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
        items: Vec<ItemId>,
        work: &Work<'_>,
        look: fn(ItemData, ItemId, &Matcher, &Bounds, &mut Looked),
    ) -> Result<()> {
        let mut workers = Workers::new();
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
                let looking = move || {
                    let mut looked = Looked::default();
                    for (item, data) in good {
                        looked.items += 1;
                        looked.bytes += data.len();
                        look(data, item, &matcher, &bounds, &mut looked);
                    }
                    looked
                };
                if let Some(looked) = workers.begin(looking).await {
                    self.take(looked, work.watch);
                }
                Ok::<_, RestoreError>(())
            })
            .await?;
        while let Some(looked) = workers.next().await {
            self.take(looked, work.watch);
        }
        Ok(())
    }

    fn take(&mut self, looked: Looked, watch: Watch<'_>) {
        watch.progress.advance(watch.phase, looked.items, looked.bytes);
        self.items += looked.items;
        self.bytes += looked.bytes;
        for (item, mut bytes) in looked.candidates {
            let length = bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
            if self.kept + length > KEPT_BYTES_MAX {
                bytes = None;
            } else {
                self.kept += length;
            }
            self.candidates.push((item, bytes));
        }
        self.files.extend(looked.files);
    }
}

/// What a pass is made with.
struct Work<'a> {
    matcher: &'a Arc<Matcher>,
    bounds: &'a Bounds,
    watch: Watch<'a>,
}
