//! The index in memory: all index objects of a space, and which packs are where.
//!
//! Caches answer what an object holds, never whether it is there: presence comes from listings
//! made afresh for each run.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use super::format::index::{Frame, ItemRecord, PackKind, PackRecord};
use super::format::ledger::{Decision, PackHeader};
use super::marks::Found;
use crate::clock::Timestamp;
use crate::ids::{Digest, ItemId, Mac};

/// Number of a pack within an [`Index`].
pub type PackNumber = u32;

/// A pack, less its items.
#[derive(Debug, Clone)]
pub struct Pack {
    /// SHA-256 of its body.
    pub id: Digest,
    /// What it holds.
    pub kind: PackKind,
    /// Bytes of its body.
    pub size: u64,
    /// Header written with it.
    pub header: Option<(Digest, u64)>,
    /// Number of the trust record to whose recipients that header was written; 0: not known.
    pub trust: u32,
    /// Headers that other index objects or the ledger name besides, oldest first: the newest is for
    /// those who are to read now. The one of `header` may be among them.
    pub rewrapped: Vec<Rewrapped>,
    /// Headers that no replica is to hold any more.
    pub retired: Vec<(Digest, u64)>,
    /// Its zstd frames.
    pub frames: Box<[Frame]>,
    /// Index objects that describe it.
    pub indexed_by: Vec<Digest>,
    /// Those that describe it besides and that others took the place of.
    pub formerly_indexed_by: Vec<Digest>,
}

/// A header that the ledger names, or another index object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewrapped {
    /// Its SHA-256.
    pub header: Digest,
    /// Its bytes.
    pub size: u64,
    /// Number of the trust record to whose recipients it was written.
    pub trust: u32,
}

impl Pack {
    /// Headers by which the pack is to be read: that of the index and those of the ledger, less
    /// those that were retired. None without encryption. A header that nobody named is none:
    /// whoever can write to a replica could add one.
    pub fn headers(&self) -> impl Iterator<Item = (Digest, u64)> + '_ {
        let rewrapped = || self.rewrapped.iter().map(|one| (one.header, one.size));
        // A rebuilt index names one that the ledger names as well.
        let own = self.header.into_iter().filter(move |own| rewrapped().all(|one| one != *own));
        own.chain(rewrapped()).filter(|header| !self.retired.contains(header))
    }

    /// The header that a replica with this pack is to hold; `None` without encryption.
    pub fn needed_header(&self) -> Option<(Digest, u64)> {
        self.headers().last()
    }

    /// Every header that was ever named: while a retired one lies around, it still opens the pack.
    pub fn named_headers(&self) -> impl Iterator<Item = (Digest, u64)> + '_ {
        self.headers().chain(self.retired.iter().copied())
    }

    /// Number of the newest trust record to whose recipients it has a header.
    pub fn readable_since(&self) -> u32 {
        let rewrapped = self.rewrapped.iter().filter(|one| !self.retired.contains(&(one.header, one.size)));
        rewrapped.map(|one| one.trust).chain([self.trust]).max().unwrap_or(0)
    }

    /// Takes in a header for the readers of trust record `trust`, as another index object names it.
    /// The number belongs to the header: what one object says of its own says nothing of another.
    fn take_header(&mut self, header: Option<(Digest, u64)>, trust: u32) {
        if header == self.header {
            self.trust = self.trust.max(trust);
            return;
        }
        let Some(mut further) = header.map(|(header, size)| Rewrapped { header, size, trust }) else {
            return;
        };
        if let Some((digest, size)) = self.header
            && further.trust < self.trust
        {
            // The oldest goes first.
            self.header = Some((further.header, further.size));
            let newer = Rewrapped { header: digest, size, trust: self.trust };
            self.trust = further.trust;
            further = newer;
        }
        self.name_last(further);
    }

    /// Names a header as the newest.
    fn name_last(&mut self, mut header: Rewrapped) {
        let same = |one: &Rewrapped| (one.header, one.size) == (header.header, header.size);
        let known = self.rewrapped.iter().filter(|one| same(one)).map(|one| one.trust).max();
        self.rewrapped.retain(|one| !same(one));
        header.trust = header.trust.max(known.unwrap_or(0));
        self.rewrapped.push(header);
    }
}

/// Where an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Its pack.
    pub pack: PackNumber,
    /// Frame in which its tar header begins.
    pub frame: u32,
    /// Offset of that header in the decompressed frame.
    pub offset: u32,
    /// Bytes of the item.
    pub length: u64,
}

/// Hashes keys that are random by themselves: ids of items are salted digests, fingerprints are made
/// with a secret key, so nobody who writes content can choose them. A run looks hundreds of thousands
/// up.
#[derive(Debug, Default)]
struct RandomId(u64);

impl Hasher for RandomId {
    fn write(&mut self, bytes: &[u8]) {
        if let Some((first, _)) = bytes.split_first_chunk() {
            self.0 ^= u64::from_ne_bytes(*first);
        }
    }

    /// The length of a key, which is that of all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// All index objects of a space, merged. About 150 bytes of memory an item.
#[derive(Debug, Default)]
pub struct Index {
    packs: Vec<Pack>,
    numbers: HashMap<Digest, PackNumber>,
    items: HashMap<ItemId, Location, BuildHasherDefault<RandomId>>,
    macs: HashMap<Mac, ItemId, BuildHasherDefault<RandomId>>,
    /// Further places of items that are in several packs, because a replica had lost the first.
    further: HashMap<ItemId, Vec<Location>, BuildHasherDefault<RandomId>>,
    originals: HashMap<ItemId, ItemId, BuildHasherDefault<RandomId>>,
}

impl Index {
    /// Lets go of the fingerprints, which only writers need: a third of the memory, for those who keep
    /// it for long.
    pub fn forget_fingerprints(&mut self) {
        self.macs = HashMap::default();
    }

    /// Takes a pack and its items in, from the index object `indexed_by`; a pack that is there
    /// already only learns of the further index object.
    pub fn insert(&mut self, record: &PackRecord, indexed_by: Option<Digest>) -> PackNumber {
        if let Some(number) = self.numbers.get(&record.id) {
            let pack = &mut self.packs[*number as usize];
            pack.indexed_by.extend(indexed_by);
            pack.take_header(record.header, record.trust);
            return *number;
        }
        let number = PackNumber::try_from(self.packs.len()).expect("a vault holds fewer packs");
        self.numbers.insert(record.id, number);
        self.packs.push(Pack {
            id: record.id,
            kind: record.kind,
            size: record.size,
            header: record.header,
            trust: record.trust,
            rewrapped: Vec::new(),
            retired: Vec::new(),
            frames: record.frames.clone().into(),
            indexed_by: indexed_by.into_iter().collect(),
            formerly_indexed_by: Vec::new(),
        });
        self.items.reserve(record.items.len());
        for ItemRecord { mac, id, frame, offset, length } in record.items.iter().copied() {
            if mac != Mac::UNKNOWN {
                self.macs.insert(mac, id);
            }
            let location = Location { pack: number, frame, offset, length };
            if let Some(first) = self.items.insert(id, location) {
                self.further.entry(id).or_default().push(first);
            }
        }
        number
    }

    /// Takes in what an index object says that others took the place of: it counts only for packs
    /// that those lack, so they go first.
    pub(super) fn insert_retired(&mut self, record: &PackRecord, index: Digest) {
        match self.numbers.get(&record.id) {
            Some(number) => self.packs[*number as usize].formerly_indexed_by.push(index),
            None => drop(self.insert(record, Some(index))),
        }
    }

    /// Remembers that the asset with this metadata has these bytes.
    pub fn insert_original(&mut self, metadata: ItemId, original: ItemId) {
        self.originals.insert(metadata, original);
    }

    /// Returns the bytes of the asset with this metadata, if a killed run had stored them.
    pub fn original(&self, metadata: &ItemId) -> Option<ItemId> {
        self.originals.get(metadata).copied()
    }

    /// Returns the packs, by number.
    pub fn packs(&self) -> &[Pack] {
        &self.packs
    }

    /// Returns the number of a pack.
    pub fn number(&self, id: &Digest) -> Option<PackNumber> {
        self.numbers.get(id).copied()
    }

    /// Takes in what the ledger says about headers of packs.
    pub(super) fn apply_headers(&mut self, headers: &Headers) {
        for pack in &mut self.packs {
            for rewrapped in headers.rewrapped.get(&pack.id).into_iter().flatten() {
                pack.name_last(*rewrapped);
            }
            if let Some(retired) = headers.retired.get(&pack.id) {
                pack.retired.clone_from(retired);
            }
        }
    }

    /// Returns a pack by its id.
    pub fn pack(&self, id: &Digest) -> Option<&Pack> {
        self.numbers.get(id).map(|number| &self.packs[*number as usize])
    }

    /// Returns every place of an item, the last that was taken in first.
    pub fn locations(&self, id: &ItemId) -> impl Iterator<Item = Location> + '_ {
        let further = self.further.get(id).map(Vec::as_slice).unwrap_or_default();
        self.items.get(id).copied().into_iter().chain(further.iter().rev().copied())
    }

    /// Returns the item with this fingerprint.
    pub fn known(&self, mac: &Mac) -> Option<ItemId> {
        self.macs.get(mac).copied()
    }

    /// Whether any pack with the item satisfies `present`.
    pub fn is_present(&self, id: &ItemId, present: impl Fn(PackNumber) -> bool) -> bool {
        self.locations(id).any(|location| present(location.pack))
    }

    /// Returns every item and every place of it, in no order.
    pub fn places(&self) -> impl Iterator<Item = (&ItemId, &Location)> {
        let further =
            self.further.iter().flat_map(|(id, places)| places.iter().map(move |place| (id, place)));
        self.items.iter().chain(further)
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

/// What a ledger says about headers, by pack, and about index objects.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    /// Headers that were written for other recipients, oldest first.
    pub rewrapped: HashMap<Digest, Vec<Rewrapped>>,
    /// Headers that no replica is to hold any more.
    pub retired: HashMap<Digest, Vec<(Digest, u64)>>,
    /// Index objects that were written for other recipients, with the number of their trust
    /// record.
    pub indexes: HashMap<Digest, u32>,
    /// Index objects that others took the place of.
    pub retired_indexes: HashSet<Digest>,
}

impl Headers {
    /// Takes in the next decision of a ledger, oldest first.
    pub(super) fn apply(&mut self, decision: &Decision) {
        let Decision::Rewrap { trust, headers, retired, indexes, retired_indexes } = decision else { return };
        for PackHeader { pack, header, size } in headers.iter().copied() {
            self.rewrapped.entry(pack).or_default().push(Rewrapped { header, size, trust: *trust });
        }
        for PackHeader { pack, header, size } in retired.iter().copied() {
            self.retired.entry(pack).or_default().push((header, size));
        }
        self.indexes.extend(indexes.iter().map(|index| (*index, *trust)));
        self.retired_indexes.extend(retired_indexes);
    }
}

/// What a listing of one replica found in a space.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Sizes of bodies.
    pub bodies: HashMap<Digest, u64>,
    /// Headers of packs: digest of the header and its size.
    pub headers: HashMap<Digest, Vec<(Digest, u64)>>,
    /// Index objects and their sizes.
    pub indexes: HashMap<Digest, u64>,
    /// Packs that pruning is about to delete here.
    pub marked: HashSet<Digest>,
    /// The marks that say so.
    pub marks: Vec<Found>,
    /// When the newest object of a pack, or an index object, was written, by the store's own
    /// clock, where it tells.
    pub written: HashMap<Digest, Timestamp>,
    /// Keys that are no object of the format.
    pub strangers: Vec<String>,
}

impl Listing {
    /// Notes when an object was written.
    pub(super) fn note_written(&mut self, id: Digest, at: Option<Timestamp>) {
        if let Some(at) = at {
            let newest = self.written.entry(id).or_insert(at);
            *newest = (*newest).max(at);
        }
    }

    /// Whether this replica holds the pack and is going to keep it.
    pub fn keeps_pack(&self, pack: &Pack) -> bool {
        self.has_pack(pack) && !self.marked.contains(&pack.id)
    }

    /// Whether this replica holds the pack: the body of the right size, and a header.
    pub fn has_pack(&self, pack: &Pack) -> bool {
        self.has_body(pack)
            && (pack.header.is_none() || pack.headers().any(|header| self.has_header(pack, &header)))
    }

    /// Whether an index object on this replica describes the pack.
    pub fn describes(&self, pack: &Pack) -> bool {
        pack.indexed_by.iter().any(|index| self.indexes.contains_key(index))
    }

    /// Whether this replica holds the body of the pack, of the right size.
    pub fn has_body(&self, pack: &Pack) -> bool {
        self.bodies.get(&pack.id) == Some(&pack.size)
    }

    /// Whether this replica holds this header of the pack, of the right size.
    pub fn has_header(&self, pack: &Pack, header: &(Digest, u64)) -> bool {
        self.headers.get(&pack.id).is_some_and(|there| there.contains(header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: u8, item: u8) -> PackRecord {
        let item = ItemRecord {
            mac: Mac([item; 16]),
            id: ItemId([item; 32]),
            frame: 0,
            offset: 0,
            length: u64::from(n),
        };
        PackRecord {
            id: Digest([n; 32]),
            kind: PackKind::Content,
            size: 10,
            header: Some((Digest([n + 100; 32]), 300)),
            trust: 1,
            frames: vec![],
            items: vec![item],
        }
    }

    #[test]
    fn an_item_in_two_packs_is_known_by_either() {
        let mut index = Index::default();
        let (first, second) = (index.insert(&record(1, 9), None), index.insert(&record(2, 9), None));
        index.insert(&record(1, 9), None);
        assert_eq!(index.packs().len(), 2);
        let (mac, id) = (Mac([9; 16]), ItemId([9; 32]));
        assert_eq!(index.locations(&id).map(|l| l.pack).collect::<Vec<_>>(), [second, first]);
        for only in [first, second] {
            assert!(index.is_present(&id, |pack| pack == only));
        }
        assert!(!index.is_present(&id, |_| false));
        assert_eq!(index.known(&mac), Some(id));
        assert_eq!(index.known(&Mac([8; 16])), None);
    }

    #[test]
    fn of_a_pack_with_two_records_each_header_keeps_its_own_readers() {
        let header = |n: u8| (Digest([n; 32]), 300);
        let of = |n: u8, trust: u32| PackRecord { header: Some(header(n)), trust, ..record(1, 9) };
        // As a rebuilt index object names what the ledger names: nobody knows for whom it is.
        for records in [[of(101, 3), of(7, 0)], [of(7, 0), of(101, 3)]] {
            let mut index = Index::default();
            for record in &records {
                index.insert(record, None);
            }
            let pack = &index.packs()[0];
            assert_eq!(pack.headers().collect::<Vec<_>>(), [header(7), header(101)]);
            assert_eq!((pack.header, pack.trust), (Some(header(7)), 0), "not for the readers of the third");
            assert_eq!((pack.needed_header(), pack.readable_since()), (Some(header(101)), 3));
            let mut ledger = Headers::default();
            let rewrapped = Rewrapped { header: Digest([7; 32]), size: 300, trust: 4 };
            ledger.rewrapped.insert(pack.id, vec![rewrapped]);
            index.apply_headers(&ledger);
            let pack = &index.packs()[0];
            assert_eq!(pack.headers().collect::<Vec<_>>(), [header(101), header(7)], "each once");
            assert_eq!((pack.needed_header(), pack.readable_since()), (Some(header(7)), 4));
        }
        let mut index = Index::default();
        for trust in [0, 2, 1] {
            index.insert(&of(101, trust), None);
        }
        assert_eq!((index.packs()[0].trust, index.packs()[0].headers().count()), (2, 1));
    }

    #[test]
    fn an_item_without_fingerprint_is_found_and_never_known() {
        let mut index = Index::default();
        let mut nameless = record(1, 9);
        nameless.items[0].mac = Mac::UNKNOWN;
        index.insert(&nameless, None);
        assert_eq!(index.locations(&ItemId([9; 32])).count(), 1);
        assert_eq!(index.known(&Mac::UNKNOWN), None);
    }

    #[test]
    fn a_pack_is_there_only_with_its_whole_body_and_a_header() {
        let mut index = Index::default();
        index.insert(&record(1, 9), None);
        let pack = &index.packs()[0];
        let (body, header) = (Digest([1; 32]), Digest([101; 32]));
        let mut listing = Listing::default();
        assert!(!listing.has_pack(pack));
        listing.bodies.insert(body, 10);
        assert!(!listing.has_pack(pack), "no header");
        listing.headers.insert(body, vec![(header, 299)]);
        assert!(!listing.has_pack(pack), "header cut short");
        listing.headers.insert(body, vec![(header, 300)]);
        assert!(listing.has_pack(pack));
        listing.bodies.insert(body, 9);
        assert!(!listing.has_pack(pack), "body cut short");
        listing.bodies.insert(body, 10);
        listing.headers.insert(body, vec![(Digest([7; 32]), 512)]);
        assert!(!listing.has_pack(pack), "another object under the name of a header is none");
        listing.headers.insert(body, vec![(header, 300)]);
        let other = (Digest([7; 32]), 512);
        let mut rewrapped = pack.clone();
        rewrapped.rewrapped.push(Rewrapped { header: other.0, size: other.1, trust: 2 });
        assert!(listing.has_pack(&rewrapped), "the one that the index names will do");
        assert_eq!((rewrapped.needed_header(), rewrapped.readable_since()), (Some(other), 2));
        rewrapped.retired.push((header, 300));
        assert!(!listing.has_pack(&rewrapped), "a retired header is about to go");
        listing.headers.insert(body, vec![other]);
        assert!(listing.has_pack(&rewrapped), "so is a pack by the header that the ledger names");
        listing.headers.insert(body, vec![(header, 300)]);
        listing.marked.insert(body);
        assert!(listing.has_pack(pack), "it can still be read");
        assert!(!listing.keeps_pack(pack), "and is not relied on");
    }
}
