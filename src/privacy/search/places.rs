//! Where items are: in which repositories, under which paths, in which snapshots.
//!
//! Snapshots share most pages of their catalogs. Each page is read once, all of them in one pass over the
//! packs. Of a page the lines are parsed that name one of the items that are looked for; most name none.
//! Memory: four bytes for each page of each snapshot, an id for each distinct page.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use memchr::memchr_iter;
use memchr::memmem::Finder;

use super::workers::Workers;
use crate::ids::{ItemId, Name, SnapshotId};
use crate::restore::{RestoreError, Result, Watch};
use crate::vault::erasure::Erased;
use crate::vault::error::VaultError;
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::format::manifest::Manifest;
use crate::vault::pack::ItemData;
use crate::vault::reader::Reader;
use crate::vault::tree;

/// An item under one path of one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) repository: Name,
    pub(super) path: String,
    /// The oldest snapshot that names it there.
    pub(super) from: SnapshotId,
    /// The newest one.
    pub(super) to: SnapshotId,
    /// How many snapshots do.
    pub(super) snapshots: u64,
}

/// Places by item.
#[derive(Debug, Default)]
pub(super) struct Places {
    of: HashMap<ItemId, Vec<Place>>,
}

/// What pages name of the items that are looked for: item and path.
type Named = Vec<(ItemId, String)>;

impl Places {
    /// Finds the places of these items in the catalogs of these snapshots.
    ///
    /// # Errors
    ///
    /// When a page cannot be read: then nobody knows what it names.
    pub(super) async fn find(
        reader: &Reader<'_>,
        manifests: &[&Manifest],
        wanted: HashSet<ItemId>,
        watch: Watch<'_>,
    ) -> Result<Self> {
        if wanted.is_empty() {
            return Ok(Self::default());
        }
        let mut numbers: HashMap<ItemId, u32> = HashMap::new();
        let mut leaves: Vec<Vec<u32>> = Vec::with_capacity(manifests.len());
        for manifest in manifests {
            watch.check_cancelled()?;
            let of_snapshot = tree::leaf_pages(reader, &manifest.catalog).await?;
            let number = |page| {
                let next = numbers.len() as u32;
                *numbers.entry(page).or_insert(next)
            };
            leaves.push(of_snapshot.into_iter().map(number).collect());
        }
        let pages: Vec<ItemId> = numbers.keys().copied().collect();
        let sought = Arc::new(Sought::new(wanted, reader.orders())?);
        let mut workers = Workers::new();
        let mut named: HashMap<u32, Named> = HashMap::new();
        let mut take = |read: Option<std::result::Result<Vec<(ItemId, Named)>, VaultError>>| {
            for (page, entries) in read.transpose()?.into_iter().flatten() {
                named.extend(numbers.get(&page).map(|number| (*number, entries)));
            }
            Ok::<_, RestoreError>(())
        };
        reader
            .for_each_batch(pages, async |batch| {
                watch.check_cancelled()?;
                let mut pages = Vec::with_capacity(batch.len());
                for (page, data) in batch {
                    match data? {
                        ItemData::Memory(bytes) => pages.push((page, bytes)),
                        ItemData::File(..) => {
                            return Err(tree::disorder(page, "it is too large for one").into());
                        }
                    }
                }
                let sought = Arc::clone(&sought);
                take(workers.begin(move || sought.in_pages(pages)).await)
            })
            .await?;
        while let Some(read) = workers.next().await {
            take(Some(read))?;
        }
        Ok(Self::of_snapshots(manifests, &leaves, &named))
    }

    fn of_snapshots(manifests: &[&Manifest], leaves: &[Vec<u32>], named: &HashMap<u32, Named>) -> Self {
        let mut by_path: BTreeMap<(ItemId, &Name, &str), Place> = BTreeMap::new();
        for (manifest, leaves) in manifests.iter().zip(leaves) {
            let (repository, snapshot) = (&manifest.repository, &manifest.snapshot);
            for (item, path) in leaves.iter().filter_map(|leaf| named.get(leaf)).flatten() {
                let place = by_path.entry((*item, repository, path)).or_insert_with(|| Place {
                    repository: repository.clone(),
                    path: path.clone(),
                    from: snapshot.clone(),
                    to: snapshot.clone(),
                    snapshots: 0,
                });
                place.snapshots += 1;
                // Manifests come in the order of their chain, which ids need not follow: clocks stand still.
                place.to = snapshot.clone();
            }
        }
        let mut places = Self::default();
        for ((item, ..), place) in by_path {
            places.of.entry(item).or_default().push(place);
        }
        places
    }

    /// Where an item is; nowhere, when no snapshot names it any more.
    pub(super) fn of(&self, item: &ItemId) -> &[Place] {
        self.of.get(item).map_or(&[], Vec::as_slice)
    }

    /// A path of an item.
    pub(super) fn path_of(&self, item: &ItemId) -> Option<&str> {
        self.of(item).first().map(|place| &*place.path)
    }
}

/// Items that are looked for in pages.
struct Sought {
    /// As catalogs name them, with the item that is read there.
    items: HashMap<ItemId, ItemId>,
    /// The first digits of their ids, as pages spell them.
    begin: HashSet<[u8; DIGITS]>,
    member: Finder<'static>,
}

/// Digits of an id that are looked at before a line is parsed: by chance one line in four thousand millions
/// has those of an item.
const DIGITS: usize = 8;

impl Sought {
    fn new(wanted: HashSet<ItemId>, orders: &Erased) -> std::result::Result<Self, VaultError> {
        let begin = |item: &ItemId| item.to_string().as_bytes().first_chunk().copied();
        // Catalogs name what was erased, where the item is read that stands in its place.
        let mut items = orders.in_place_of(&wanted)?;
        items.extend(wanted.into_iter().map(|item| (item, item)));
        Ok(Self {
            begin: items.keys().filter_map(begin).collect(),
            items,
            member: Finder::new("\"item\":\""),
        })
    }

    /// What each page names of them; nothing of one that names none.
    fn in_pages(&self, pages: Vec<(ItemId, Bytes)>) -> std::result::Result<Vec<(ItemId, Named)>, VaultError> {
        let mut named = Vec::new();
        let mut wanted = Vec::new();
        for (page, bytes) in pages {
            wanted.clear();
            let mut begin = 0;
            for end in memchr_iter(b'\n', &bytes).map(|at| at + 1).chain([bytes.len()]) {
                let line = &bytes[begin..end];
                if !line.is_empty() && self.may_name(line) {
                    wanted.extend_from_slice(line);
                }
                begin = end;
            }
            let entries: Vec<CatalogEntry> = tree::parse_page(&wanted, page)?;
            let read = |entry: &CatalogEntry| self.items.get(&entry.item).copied();
            let entries = entries.into_iter().filter_map(|entry| Some((read(&entry)?, entry.path)));
            let entries: Named = entries.map(|(item, path)| (item, path.into_string())).collect();
            if !entries.is_empty() {
                named.push((page, entries));
            }
        }
        Ok(named)
    }

    /// Whether a line must be parsed. Not where the one member `item` that it has begins as no id that is
    /// looked for; a quote within a string has a backslash before it, so that no path looks like one.
    fn may_name(&self, line: &[u8]) -> bool {
        let Some(at) = self.member.find(line) else { return true };
        let value = &line[at + self.member.needle().len()..];
        let Some(digits) = value.first_chunk::<DIGITS>() else { return true };
        let is_plain = digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        !is_plain || self.begin.contains(digits) || self.member.find(value).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(path: &str, item: ItemId) -> String {
        serde_json::to_string(&CatalogEntry { path: path.into(), item, size: 3 }).unwrap()
    }

    proptest! {
        /// The same entries as when every line is parsed.
        #[test]
        fn lines_that_are_passed_over_name_nothing(
            entries in proptest::collection::vec(("[a-c\"\\\\:,{}\u{e9}]{0,6}(\"item\":\"01)?", 0..6_u8), 0..12), wanted in proptest::collection::hash_set(0..6_u8, 0..4),
        ) {
            let id = |number: u8| ItemId([number; 32]);
            let ids = wanted.iter().map(|number| id(*number)).collect();
            let sought = Sought::new(ids, &Erased::default()).unwrap();
            let page: String = entries.iter().map(|(path, number)| line(path, id(*number)) + "\n").collect();
            let expected: Named = entries.iter().filter(|(_, number)| wanted.contains(number)).map(|(path, number)| (id(*number), path.clone())).collect();
            let named = sought.in_pages(vec![(id(9), page.into())]).unwrap();
            prop_assert_eq!(named.into_iter().flat_map(|(_, named)| named).collect::<Named>(), expected);
        }
    }

    #[test]
    fn lines_of_another_shape_are_parsed() {
        let item = ItemId([0xab; 32]);
        let sought = Sought::new(HashSet::from([item]), &Erased::default()).unwrap();
        let found = |line: String| {
            let named = sought.in_pages(vec![(ItemId([1; 32]), line.into())]);
            named.map(|named| {
                named.into_iter().flat_map(|(_, named)| named).map(|(_, path)| path).collect::<Vec<_>>()
            })
        };
        let hex = item.to_string();
        for (line, expected) in [
            (format!("{{\"path\":\"a\",\"item\": \"{hex}\",\"size\":1}}"), true),
            (format!("{{\"item\":\"{hex}\",\"path\":\"a\",\"size\":1}}"), true),
            (format!("{{\"path\":\"a\",\"\\u0069tem\":\"{hex}\",\"size\":1}}"), true),
            (format!("{{\"path\":\"a\",\"item\":\"\\u0061{}\",\"size\":1}}", &hex[1..]), true),
            (
                format!("{{\"x\":{{\"item\":\"00000000\"}},\"path\":\"a\",\"item\":\"{hex}\",\"size\":1}}"),
                true,
            ),
            (line("a", ItemId([0xac; 32])), false),
        ] {
            assert_eq!(
                found(line.clone()).unwrap(),
                if expected { vec!["a".to_owned()] } else { vec![] },
                "{line}"
            );
        }
        assert!(found("no page".to_owned()).is_err());
    }
}
