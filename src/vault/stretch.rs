//! Reading many items: pack by pack, in stretches of frames that lie side by side.
//!
//! A stretch is one range read. The next ones are fetched, decrypted and decompressed while the
//! caller is busy with one, so that neither the line nor the processors wait for the disk that
//! gets the items. Memory is bounded by the stretches under way: stored and decompressed, each has
//! at most [`Limits::stretch_bytes`](crate::limits::Limits::stretch_bytes). An item that is larger
//! has one of its own, and beyond [`Limits::range_bytes`](crate::limits::Limits::range_bytes) it is
//! read by itself, through a temporary file.
//!
//! Here everything is expected to be well; an item of which that is not so is read once more by
//! itself, around whatever is wrong, and only when it is its turn: a caller that gives up after
//! some failures must not have waited for thousands.

use std::collections::BTreeMap;
use std::ops::Range;
use std::pin::pin;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use futures_util::try_join;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::envelope::{self, PayloadKey};
use super::error::Result;
use super::format::index::Frame;
use super::index::{Location, PackNumber};
use super::pack::{ItemData, RAW_FRAME_MAX};
use super::reader::{Attempt, Reader, entry_of, last_frame};
use crate::ids::{Digest, ItemId};

/// Stored bytes between two frames that are wanted which are read and thrown away rather than
/// asking twice: about what a line brings in the time of an answer.
const GAP_MAX: u64 = 256 << 10;

/// Items and their data, or why it could not be read.
pub type Batch = Vec<(ItemId, Result<ItemData>)>;

/// The SHA-256 of the body of a pack, as one replica has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashedBody {
    /// The pack.
    pub pack: PackNumber,
    /// Number of the replica.
    pub replica: usize,
    /// What its bytes have.
    pub digest: Digest,
}

/// Which frames of the packs of the wanted items are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Those with wanted items.
    Wanted,
    /// All of them.
    Whole,
}

/// What a stretch gave.
struct Decoded {
    /// `None` for an item that is to be read by itself.
    items: Vec<(ItemId, Option<Result<ItemData>>)>,
    stored: Option<Stored>,
}

/// Part of a body as a replica has it.
#[derive(Clone)]
struct Stored {
    pack: PackNumber,
    replica: usize,
    start: u64,
    bytes: Bytes,
}

/// Frames of a pack that lie side by side, and the items that are wanted of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) pack: PackNumber,
    /// Numbers of the frames.
    frames: Range<u32>,
    /// Where they are in the compressed stream.
    pub(super) stored: Range<u64>,
    /// Their bytes when decompressed.
    pub(super) raw: u64,
    /// In order.
    pub(super) items: Vec<(Location, ItemId)>,
}

/// What is needed to turn the stored bytes of a stretch into items, off the async threads.
struct Decoding {
    stored: Stored,
    /// In a vault with encryption: key, number of the first chunk, bytes of the whole body.
    sealed: Option<(PayloadKey, u64, u64)>,
    /// Bytes before the first frame.
    skip: usize,
    frames: Vec<Frame>,
    first: u32,
    items: Vec<(Location, ItemId)>,
}

impl Reader<'_> {
    /// Reads many items, pack by pack and in order within a pack, so that each pack is read once
    /// from front to back. `each` gets every id once, with its data or why it could not be read.
    ///
    /// # Errors
    ///
    /// Only those of `each`.
    pub async fn for_each<E>(
        &self,
        ids: impl IntoIterator<Item = ItemId>,
        mut each: impl AsyncFnMut(ItemId, Result<ItemData>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.for_each_batch(ids, async |batch| {
            for (id, data) in batch {
                each(id, data).await?;
            }
            Ok(())
        })
        .await
    }

    /// The same for callers with work off the async threads, which costs less for many items at
    /// once: `each` gets those that were read in one go. What could not be read comes alone.
    ///
    /// # Errors
    ///
    /// Only those of `each`.
    pub async fn for_each_batch<E>(
        &self,
        ids: impl IntoIterator<Item = ItemId>,
        each: impl AsyncFnMut(Batch) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.read_all(ids, Extent::Wanted, each).await.map(drop)
    }

    /// As [`for_each_batch`](Self::for_each_batch), and reads the packs of these items whole: returns
    /// the digests of the bodies that it read from front to back, so that nobody has to read them once
    /// more. A body with an item that is read by itself is not among them.
    ///
    /// # Errors
    ///
    /// Only those of `each`.
    pub async fn for_each_batch_with_bodies<E>(
        &self,
        ids: impl IntoIterator<Item = ItemId>,
        each: impl AsyncFnMut(Batch) -> std::result::Result<(), E>,
    ) -> std::result::Result<Vec<HashedBody>, E> {
        self.read_all(ids, Extent::Whole, each).await
    }

    async fn read_all<E>(
        &self,
        ids: impl IntoIterator<Item = ItemId>,
        extent: Extent,
        mut each: impl AsyncFnMut(Batch) -> std::result::Result<(), E>,
    ) -> std::result::Result<Vec<HashedBody>, E> {
        let (stretches, lost) = self.stretches(ids, extent);
        for id in lost {
            each(vec![(id, Err(self.lost(id)))]).await?;
        }
        let ahead = self.vault.limits.stretches_ahead.max(1);
        let (sender, mut receiver) = mpsc::channel(1);
        let read = async move {
            let decoded = stream::iter(stretches).map(|stretch| self.decoded(stretch)).buffered(ahead);
            let mut decoded = pin!(decoded);
            while let Some(decoded) = decoded.next().await {
                if sender.send(decoded).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        let used = async {
            let mut bodies = Bodies::default();
            while let Some(Decoded { items, stored }) = receiver.recv().await {
                // Hashed while the caller is busy with the items.
                let hashing = stored.filter(|_| extent == Extent::Whole).map(|stored| {
                    let size = self.space.index.packs()[stored.pack as usize].size;
                    let bodies = std::mem::take(&mut bodies);
                    tokio::task::spawn_blocking(move || bodies.with(&stored, size))
                });
                let mut batch = Batch::with_capacity(items.len());
                for (id, data) in items {
                    match data {
                        Some(data) => batch.push((id, data)),
                        None => {
                            if !batch.is_empty() {
                                each(std::mem::take(&mut batch)).await?;
                            }
                            // Any copy, and a note of what was wrong.
                            each(vec![(id, self.item(id).await)]).await?;
                        }
                    }
                }
                if !batch.is_empty() {
                    each(batch).await?;
                }
                if let Some(hashing) = hashing {
                    bodies = hashing.await.expect("hashing does not panic");
                }
            }
            Ok(bodies.done)
        };
        try_join!(read, used).map(|((), bodies)| bodies)
    }

    /// Returns the stretches in which items lie, in the order of the packs, and those items that
    /// nobody holds.
    pub(super) fn stretches(
        &self,
        ids: impl IntoIterator<Item = ItemId>,
        extent: Extent,
    ) -> (Vec<Stretch>, Vec<ItemId>) {
        let mut packs: BTreeMap<PackNumber, Vec<(Location, ItemId)>> = BTreeMap::new();
        let mut lost = Vec::new();
        for id in ids {
            if !self.hands_out(&id) {
                // `lost` says why.
                lost.push(id);
                continue;
            }
            let there = |location: &Location| self.space.holders(location.pack).next().is_some();
            match self.space.index.locations(&id).find(there) {
                Some(location) => packs.entry(location.pack).or_default().push((location, id)),
                None => lost.push(id),
            }
        }
        let limits = &self.vault.limits;
        let most = limits.stretch_bytes.min(limits.range_bytes);
        let of_pack = |(number, items): (PackNumber, Vec<(Location, ItemId)>)| {
            cut(number, &self.space.index.packs()[number as usize].frames, items, extent, most)
        };
        (packs.into_iter().flat_map(of_pack).collect(), lost)
    }

    /// Reads a stretch from the first replica that holds it.
    async fn decoded(&self, stretch: Stretch) -> Decoded {
        if let [(_, id)] = stretch.items[..]
            && stretch.raw > self.vault.limits.range_bytes
        {
            return Decoded { items: vec![(id, Some(self.item(id).await))], stored: None };
        }
        let ids: Vec<ItemId> = stretch.items.iter().map(|(_, id)| *id).collect();
        match self.fetched(stretch).await {
            Ok(fetched) => {
                let stored = Some(fetched.stored.clone());
                let items = tokio::task::spawn_blocking(move || fetched.decode()).await;
                let items = items.expect("decoding does not panic").into_iter();
                let items = items.map(|item| item.map(|bytes| Ok(ItemData::Memory(bytes))));
                Decoded { items: ids.into_iter().zip(items).collect(), stored }
            }
            Err(_) => Decoded { items: ids.into_iter().map(|id| (id, None)).collect(), stored: None },
        }
    }

    async fn fetched(&self, stretch: Stretch) -> Attempt<Decoding> {
        let pack = &self.space.index.packs()[stretch.pack as usize];
        let at = self.space.holders(stretch.pack).next().expect("it was looked for before");
        let frames = pack.frames[stretch.frames.start as usize..stretch.frames.end as usize].to_vec();
        let (range, skip, sealed) = match self.vault.is_encrypted() {
            false => (stretch.stored, 0, None),
            true => {
                let key = self.payload_key(pack).await?;
                let (range, first) = envelope::sealed_range(&stretch.stored, pack.size);
                let skip = (stretch.stored.start - first * envelope::CHUNK) as usize;
                (range, skip, Some((key, first, pack.size)))
            }
        };
        let start = range.start;
        let bytes = self.stored(pack, at, range).await?;
        let stored = Stored { pack: stretch.pack, replica: at, start, bytes };
        Ok(Decoding { stored, sealed, skip, frames, first: stretch.frames.start, items: stretch.items })
    }
}

impl Decoding {
    /// Returns the bytes of each item that is as it should be.
    fn decode(self) -> Vec<Option<Bytes>> {
        let plain = match &self.sealed {
            None => Some(self.stored.bytes.clone()),
            Some((key, first, size)) => key.open_chunks(&self.stored.bytes, *first, *size).map(Bytes::from),
        };
        let plain = plain.and_then(|plain| Some(plain.slice_ref(plain.get(self.skip..)?)));
        let Some(plain) = plain else { return vec![None; self.items.len()] };
        let mut starts = vec![0_usize];
        starts.extend(self.frames.iter().scan(0_usize, |end, frame| {
            *end += frame.stored as usize;
            Some(*end)
        }));
        // Items are in order, so a frame is decompressed once.
        let mut open: Option<(usize, Bytes)> = None;
        let mut frame = |at: usize| -> Option<Bytes> {
            if let Some((_, bytes)) = open.as_ref().filter(|(own, _)| *own == at) {
                return Some(bytes.clone());
            }
            let bytes = decompress(plain.get(starts[at]..*starts.get(at + 1)?)?, self.frames[at].raw)?;
            open = Some((at, bytes.clone()));
            Some(bytes)
        };
        self.items.iter().map(|(location, id)| item(location, *id, self.first, &mut frame)).collect()
    }
}

/// Bodies that are hashed while they pass, each from front to back.
#[derive(Default)]
struct Bodies {
    /// Pack, replica, bytes that were hashed, and their hash.
    open: Option<(PackNumber, usize, u64, Sha256)>,
    done: Vec<HashedBody>,
}

impl Bodies {
    /// Takes in what comes next. Stretches overlap by less than a chunk; where one is missing, the
    /// body is given up.
    fn with(mut self, stored: &Stored, size: u64) -> Self {
        let mut open = match self.open.take() {
            Some(open) if (open.0, open.1) == (stored.pack, stored.replica) => open,
            _ => (stored.pack, stored.replica, 0, Sha256::new()),
        };
        let known = open.2.checked_sub(stored.start).and_then(|known| usize::try_from(known).ok());
        if let Some(new) = known.and_then(|known| stored.bytes.get(known..)) {
            open.3.update(new);
            open.2 += new.len() as u64;
        }
        if open.2 == size {
            let digest = Digest(open.3.finalize().into());
            self.done.push(HashedBody { pack: open.0, replica: open.1, digest });
        } else {
            self.open = Some(open);
        }
        self
    }
}

/// Cuts the items of a pack into stretches of at most `most` bytes, stored and decompressed; one
/// that is larger has one item.
fn cut(
    pack: PackNumber,
    frames: &[Frame],
    mut items: Vec<(Location, ItemId)>,
    extent: Extent,
    most: u64,
) -> Vec<Stretch> {
    items.sort_unstable_by_key(|(location, id)| (location.frame, location.offset, *id));
    items.dedup_by_key(|(_, id)| *id);
    let mut starts = vec![(0_u64, 0_u64)];
    starts.extend(frames.iter().scan((0, 0), |(stored, raw), frame| {
        *stored += u64::from(frame.stored);
        *raw += u64::from(frame.raw);
        Some((*stored, *raw))
    }));
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut add = |first: usize, end: usize, item: Option<(Location, ItemId)>| {
        if let Some(open) = stretches.last_mut() {
            let from = open.frames.start as usize;
            let end = end.max(open.frames.end as usize);
            let (stored, raw) = (starts[end].0 - starts[from].0, starts[end].1 - starts[from].1);
            let gap = starts[first].0.saturating_sub(open.stored.end);
            if stored <= most && raw <= most && gap <= GAP_MAX {
                open.frames.end = end as u32;
                open.stored.end = starts[end].0;
                open.raw = raw;
                open.items.extend(item);
                return;
            }
        }
        stretches.push(Stretch {
            pack,
            frames: first as u32..end as u32,
            stored: starts[first].0..starts[end].0,
            raw: starts[end].1 - starts[first].1,
            items: item.into_iter().collect(),
        });
    };
    let mut covered = 0;
    for (location, id) in items {
        // An index that does not fit its pack: read by itself, the item gives the reason.
        let first = (location.frame as usize).min(frames.len().saturating_sub(1));
        let end = (last_frame(frames, &location) as usize + 1).clamp(first, frames.len());
        if extent == Extent::Whole {
            (covered..first).for_each(|between| add(between, between + 1, None));
        }
        add(first, end, Some((location, id)));
        covered = covered.max(end);
    }
    if extent == Extent::Whole {
        (covered..frames.len()).for_each(|behind| add(behind, behind + 1, None));
    }
    stretches
}

fn decompress(stored: &[u8], raw: u32) -> Option<Bytes> {
    let raw = raw as usize;
    if raw > RAW_FRAME_MAX {
        return None;
    }
    let bytes = zstd::bulk::decompress(stored, raw).ok()?;
    (bytes.len() == raw).then(|| bytes.into())
}

/// Returns the bytes of an item if they are those of its id. `frame` decompresses those of the
/// stretch, the first of which has the number `base`.
fn item(
    location: &Location,
    id: ItemId,
    base: u32,
    frame: &mut impl FnMut(usize) -> Option<Bytes>,
) -> Option<Bytes> {
    let mut at = location.frame.checked_sub(base)? as usize;
    let first = frame(at)?;
    let (start, mut digest) = entry_of(&first, location, id).ok()?;
    let length = usize::try_from(location.length).ok()?;
    let bytes = match first.get(start..start.checked_add(length)?) {
        Some(whole) => first.slice_ref(whole),
        None => {
            let mut bytes = Vec::with_capacity(length);
            bytes.extend_from_slice(&first[start..]);
            while bytes.len() < length {
                at += 1;
                let part = frame(at)?;
                bytes.extend_from_slice(&part[..part.len().min(length - bytes.len())]);
            }
            bytes.into()
        }
    };
    digest.update(&bytes);
    (ItemId(digest.finalize().into()) == id).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(sizes: &[(u32, u32)]) -> Vec<Frame> {
        sizes.iter().map(|(stored, raw)| Frame { stored: *stored, raw: *raw }).collect()
    }

    fn wanted(places: &[(u32, u32, u64)]) -> Vec<(Location, ItemId)> {
        let location = |(frame, offset, length)| Location { pack: 0, frame, offset, length };
        (1..).zip(places).map(|(number, place)| (location(*place), ItemId([number; 32]))).collect()
    }

    fn shapes(stretches: &[Stretch]) -> Vec<(Range<u32>, Range<u64>, usize)> {
        stretches.iter().map(|one| (one.frames.clone(), one.stored.clone(), one.items.len())).collect()
    }

    #[test]
    fn items_of_neighbouring_frames_are_one_stretch_up_to_its_bound() {
        let frames = frames(&[(100, 1000), (100, 1000), (100, 1000), (100, 1000)]);
        let items = wanted(&[(3, 0, 100), (0, 0, 100), (0, 1024, 100), (1, 0, 100), (2, 0, 100)]);
        let stretches = cut(0, &frames, items, Extent::Wanted, 2000);
        assert_eq!(shapes(&stretches), [(0..2, 0..200, 3), (2..4, 200..400, 2)]);
        let order: Vec<u32> = stretches.iter().flat_map(|one| &one.items).map(|(at, _)| at.frame).collect();
        assert_eq!(order, [0, 0, 1, 2, 3]);
    }

    #[test]
    fn what_nobody_wants_is_read_only_where_that_is_cheaper_than_asking_twice() {
        let large = GAP_MAX as u32 + 1;
        let frames = frames(&[(100, 1000), (100, 1000), (100, 1000), (large, large), (100, 1000)]);
        let items = wanted(&[(0, 0, 10), (2, 0, 10), (4, 0, 10)]);
        let behind = 300 + u64::from(large);
        assert_eq!(
            shapes(&cut(0, &frames, items, Extent::Wanted, 1 << 30)),
            [(0..3, 0..300, 2), (4..5, behind..behind + 100, 1)]
        );
    }

    #[test]
    fn an_item_that_is_larger_than_a_stretch_has_one_of_its_own() {
        let frames = frames(&[(100, 1000), (900, 1000), (900, 1000), (900, 1000), (100, 1000)]);
        let items = wanted(&[(0, 0, 400), (1, 0, 2400), (4, 0, 400)]);
        let stretches = cut(0, &frames, items, Extent::Wanted, 2000);
        assert_eq!(shapes(&stretches), [(0..1, 0..100, 1), (1..4, 100..2800, 1), (4..5, 2800..2900, 1)]);
        assert_eq!(stretches[1].raw, 3000);
    }

    #[test]
    fn a_pack_that_is_read_whole_has_no_holes() {
        let large = GAP_MAX as u32 + 1;
        let frames = frames(&[(100, 1000), (large, large), (100, 1000), (large, large), (100, 1000)]);
        let whole = |places: &[(u32, u32, u64)], most| cut(0, &frames, wanted(places), Extent::Whole, most);
        let all = u64::from(large) * 2 + 300;
        for places in [&[(2, 0, 10)][..], &[(0, 0, 10), (4, 0, 10)], &[(1, 0, 10), (1, 512, 10)]] {
            assert_eq!(shapes(&whole(places, 1 << 30)), [(0..5, 0..all, places.len())]);
            let pieces = whole(places, u64::from(large));
            assert!(pieces.windows(2).all(|pair| pair[0].stored.end == pair[1].stored.start));
            assert_eq!((pieces[0].stored.start, pieces.last().unwrap().stored.end), (0, all));
        }
    }

    #[test]
    fn a_body_is_hashed_over_overlaps_and_given_up_at_a_hole() {
        let body: Bytes = (0..=255_u8).collect();
        let part = |pack, range: Range<usize>| Stored {
            pack,
            replica: 0,
            start: range.start as u64,
            bytes: body.slice(range),
        };
        let size = body.len() as u64;
        let hashed = |parts: &[Stored]| {
            let bodies = parts.iter().fold(Bodies::default(), |bodies, part| bodies.with(part, size));
            bodies.done.iter().map(|one| (one.pack, one.digest)).collect::<Vec<_>>()
        };
        let digest = Digest::of(&body);
        assert_eq!(hashed(&[part(1, 0..100), part(1, 90..200), part(1, 190..256)]), [(1, digest)]);
        assert_eq!(hashed(&[part(1, 0..256), part(2, 0..256)]), [(1, digest), (2, digest)]);
        assert_eq!(hashed(&[part(1, 0..100), part(1, 101..256)]), []);
        assert_eq!(hashed(&[part(1, 0..100), part(2, 0..256), part(1, 100..256)]), [(2, digest)]);
    }

    #[test]
    fn an_index_that_does_not_fit_its_pack_is_no_panic() {
        let frames = frames(&[(100, 1000)]);
        for places in [[(7, 0, 100)], [(0, u32::MAX, 100)], [(0, 0, u64::MAX)], [(u32::MAX, 0, 1)]] {
            let stretches = cut(0, &frames, wanted(&places), Extent::Wanted, 2000);
            assert_eq!(stretches.len(), 1, "{places:?}");
            assert!(stretches[0].frames.end <= 1, "{places:?}");
            let (location, id) = stretches[0].items[0];
            let mut frame = |at: usize| (at == 0).then(|| Bytes::from(vec![0; 1000]));
            assert_eq!(item(&location, id, 0, &mut frame), None);
        }
        assert_eq!(shapes(&cut(0, &[], wanted(&[(0, 0, 1)]), Extent::Wanted, 2000)), [(0..0, 0..0, 1)]);
    }
}
