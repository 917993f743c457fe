//! What reading items costs, worked out from the index and listings alone.
//!
//! It goes the way of [`Reader::for_each`]: pack by pack, each from the first replica that holds it,
//! in stretches of what is wanted. Where a copy turns out to be bad more is read. Nothing is read
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::envelope;
use super::index::{Location, Pack, PackNumber};
use super::reader::{Reader, frame_range, last_frame};
use super::stretch::Extent;
use crate::ids::ItemId;
use crate::objects::traffic::Traffic;

impl Reader<'_> {
    /// Forecasts the requests and bytes of reading these items of content in one go, by replica.
    pub fn forecast(&self, ids: impl IntoIterator<Item = ItemId>) -> BTreeMap<String, Traffic> {
        self.forecast_in_turns([ids])
    }

    /// The same for several reads, one after the other: the header of a pack is opened once for all.
    pub fn forecast_in_turns<I: IntoIterator<Item = ItemId>>(
        &self,
        turns: impl IntoIterator<Item = I>,
    ) -> BTreeMap<String, Traffic> {
        self.forecast_of(turns, Extent::Wanted)
    }

    /// The same where their packs are read whole, as
    /// [`for_each_batch_with_bodies`](Reader::for_each_batch_with_bodies) does.
    pub fn forecast_with_bodies(&self, ids: impl IntoIterator<Item = ItemId>) -> BTreeMap<String, Traffic> {
        self.forecast_of([ids], Extent::Whole)
    }

    fn forecast_of<I: IntoIterator<Item = ItemId>>(
        &self,
        turns: impl IntoIterator<Item = I>,
        extent: Extent,
    ) -> BTreeMap<String, Traffic> {
        let (vault, space) = (self.vault, self.space);
        let mut traffic: BTreeMap<String, Traffic> = BTreeMap::new();
        let mut opened: BTreeSet<PackNumber> = BTreeSet::new();
        let stretches = turns.into_iter().flat_map(|ids| self.stretches(ids, extent).0);
        for stretch in stretches {
            let pack = &space.index.packs()[stretch.pack as usize];
            let Some(at) = space.holders(stretch.pack).next() else { continue };
            if let Some((name, size)) = self.header_of(pack).filter(|_| opened.insert(stretch.pack)) {
                traffic.entry(name).or_default().read_whole(size);
            }
            let own = traffic.entry(vault.replicas.all()[at].name.clone()).or_default();
            // What is larger than a stretch is read by itself, range by range.
            let ranges = match &stretch.items[..] {
                [(location, _)] if stretch.raw > vault.limits.range_bytes => {
                    ranges(pack, location, vault.limits.range_bytes)
                }
                _ => vec![stretch.stored],
            };
            for range in ranges {
                let stored =
                    if vault.is_encrypted() { envelope::sealed_range(&range, pack.size).0 } else { range };
                own.get += 1;
                own.bytes_read += stored.end - stored.start;
            }
        }
        traffic
    }

    /// The replica whose header of the pack is opened, and the bytes of it.
    fn header_of(&self, pack: &Pack) -> Option<(String, u64)> {
        let mut named: Vec<_> = pack.headers().collect();
        named.reverse();
        named.extend(&pack.retired);
        self.vault.replicas.all().iter().enumerate().find_map(|(at, replica)| {
            let listing = self.space.listing(at)?;
            let header = named.iter().find(|header| listing.has_header(pack, header))?;
            Some((replica.name.clone(), header.1))
        })
    }
}

/// Ranges of the compressed stream that are read for one item.
fn ranges(pack: &Pack, item: &Location, range_bytes: u64) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let last = last_frame(&pack.frames, item);
    for frame in item.frame..=last {
        let Some(place) = frame_range(&pack.frames, frame) else { break };
        if ranges.last().is_some_and(|open| open.start <= place.start && place.end <= open.end) {
            continue;
        }
        let end = frame_range(&pack.frames, last).map_or(place.end, |last| last.end);
        ranges.push(place.start..end.min(place.start + range_bytes).max(place.end));
    }
    ranges
}
