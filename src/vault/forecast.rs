//! What reading items costs, worked out from the index and listings alone.
//!
//! It goes the way of [`Reader::for_each`](super::reader::Reader::for_each): pack by pack, each from
//! the first replica that holds it, in ranges as long as what is wanted lies together. Where a copy
//! turns out to be bad more is read. Nothing is read here.

use std::collections::BTreeMap;
use std::ops::Range;

use super::envelope;
use super::index::{Location, Pack, PackNumber};
use super::open::Vault;
use super::reader::{frame_range, last_frame};
use super::space::Space;
use crate::ids::ItemId;
use crate::objects::traffic::Traffic;

/// Forecasts the requests and bytes of reading these items of content in one go, by replica.
pub fn reading(
    vault: &Vault,
    space: &Space,
    ids: impl IntoIterator<Item = ItemId>,
) -> BTreeMap<String, Traffic> {
    let mut packs: BTreeMap<PackNumber, Vec<Location>> = BTreeMap::new();
    for id in ids {
        let there = |location: &Location| space.holders(location.pack).next().is_some();
        if let Some(location) = space.index.locations(&id).find(there) {
            packs.entry(location.pack).or_default().push(location);
        }
    }
    let mut traffic: BTreeMap<String, Traffic> = BTreeMap::new();
    for (number, mut items) in packs {
        let pack = &space.index.packs()[number as usize];
        let Some(at) = space.holders(number).next() else { continue };
        if let Some((name, size)) = header(vault, space, pack) {
            let of_header = traffic.entry(name).or_default();
            of_header.get += 1;
            of_header.bytes_read += size;
        }
        items.sort_unstable_by_key(|location| (location.frame, location.offset));
        let own = traffic.entry(vault.replicas.all()[at].name.clone()).or_default();
        for range in ranges(pack, &items, vault.limits.range_bytes) {
            let stored =
                if vault.is_encrypted() { envelope::sealed_range(&range, pack.size).0 } else { range };
            own.get += 1;
            own.bytes_read += stored.end - stored.start;
        }
    }
    traffic
}

/// The replica whose header of the pack is opened, and the bytes of it.
fn header(vault: &Vault, space: &Space, pack: &Pack) -> Option<(String, u64)> {
    let mut named: Vec<_> = pack.headers().collect();
    named.reverse();
    named.extend(&pack.retired);
    vault.replicas.all().iter().enumerate().find_map(|(at, replica)| {
        let listing = space.listing(at)?;
        let header = named.iter().find(|header| listing.has_header(pack, header))?;
        Some((replica.name.clone(), header.1))
    })
}

/// Ranges of the compressed stream that are read for these items, which are in order.
fn ranges(pack: &Pack, items: &[Location], range_bytes: u64) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let wanted = items.last().map(|location| location.frame).unwrap_or_default();
    for item in items {
        let last = last_frame(&pack.frames, item);
        for frame in item.frame..=last {
            let Some(place) = frame_range(&pack.frames, frame) else { break };
            if ranges.last().is_some_and(|open| open.start <= place.start && place.end <= open.end) {
                continue;
            }
            let end = frame_range(&pack.frames, wanted.max(last)).map_or(place.end, |last| last.end);
            let end = end.min(place.start + range_bytes).max(place.end);
            ranges.push(place.start..end);
        }
    }
    ranges
}
