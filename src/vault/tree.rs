//! Trees of pages: the catalog and the links of a snapshot.
//!
//! Entries sorted by path are cut into pages of JSON lines; the pages, by their first paths, are
//! entries of the next level, up to one root. A page ends where a keyed hash of its last path
//! says so, within bounds of size, so equal stretches of two snapshots give equal pages, which
//! the vault stores once: changed content moves no boundary, an insertion one or two.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use serde::de::DeserializeOwned;

use super::erasure::{Applied, Erased, Sight, apply};
use super::error::{ErrorKind, Result, VaultError};
use super::format::catalog::{Entry, PageEntry};
use super::format::manifest::TreeRoot;
use super::item::ItemKey;
use crate::ids::ItemId;

/// Bounds of a page's entries.
#[derive(Debug, Clone, Copy)]
pub struct PageBounds {
    /// Fewest, except for the last page of a level.
    pub min: usize,
    /// Most.
    pub max: usize,
}

/// Cuts sorted entries into pages and pages into levels; gives every page to `store`, which
/// returns its id. Entries are taken one by one, so they need not be in memory at once.
///
/// # Errors
///
/// Those of `store`.
///
/// # Panics
///
/// When the entries are not strictly sorted by path: that would be a bug of the caller.
pub fn build<E: Entry>(
    entries: impl IntoIterator<Item = E>,
    key: &ItemKey,
    bounds: PageBounds,
    mut store: impl FnMut(Bytes) -> Result<ItemId>,
) -> Result<TreeRoot> {
    let mut pages = cut(entries, 1, key, bounds, |_| 1, &mut store)?;
    let count = pages.iter().map(|page| page.entries).sum();
    let mut levels = 1;
    while pages.len() > 1 {
        levels += 1;
        pages = cut(pages, levels, key, bounds, |page| page.entries, &mut store)?;
    }
    let root = match pages.first() {
        Some(page) => page.page,
        None => store(Bytes::new())?,
    };
    Ok(TreeRoot { root, levels, entries: count })
}

fn cut<E: Entry>(
    entries: impl IntoIterator<Item = E>,
    level: u32,
    key: &ItemKey,
    bounds: PageBounds,
    weight: impl Fn(&E) -> u64,
    store: &mut impl FnMut(Bytes) -> Result<ItemId>,
) -> Result<Vec<PageEntry>> {
    let mut pages = Vec::new();
    let mut page = Page::default();
    let mut last: Option<Box<str>> = None;
    for entry in entries {
        assert!(
            last.as_deref().is_none_or(|last| last < entry.path()),
            "entries of a tree are unique and sorted"
        );
        last = Some(entry.path().into());
        page.add(&entry, weight(&entry));
        if page.len >= bounds.max || page.len >= bounds.min && key.is_boundary(level, entry.path()) {
            pages.push(std::mem::take(&mut page).finish(store)?);
        }
    }
    if page.len > 0 {
        pages.push(page.finish(store)?);
    }
    Ok(pages)
}

/// A page in the making.
#[derive(Default)]
struct Page {
    first: Box<str>,
    bytes: Vec<u8>,
    len: usize,
    entries: u64,
}

impl Page {
    fn add<E: Entry>(&mut self, entry: &E, weight: u64) {
        if self.len == 0 {
            self.first = entry.path().into();
        }
        serde_json::to_writer(&mut self.bytes, entry).expect("structures of the format always serialise");
        self.bytes.push(b'\n');
        self.len += 1;
        self.entries += weight;
    }

    fn finish(self, store: &mut impl FnMut(Bytes) -> Result<ItemId>) -> Result<PageEntry> {
        let size = self.bytes.len() as u64;
        Ok(PageEntry { first: self.first, page: store(self.bytes.into())?, size, entries: self.entries })
    }
}

/// Reads pages by id.
pub trait PageSource: Sync {
    /// Returns the bytes of a page, checked against its id.
    fn page(&self, id: ItemId) -> BoxFuture<'_, Result<Bytes>>;

    /// Which items are read no more: entries that are read name what stands in their place.
    fn erased(&self) -> Option<&Arc<Erased>> {
        None
    }

    /// Who reads: users find no entries of what is under restriction.
    fn sight(&self) -> Sight {
        Sight::Users
    }
}

/// Reads all entries of a tree, in order; those of what is gone by an order of erasure, or not to be seen by
/// this reader, are not among them.
///
/// # Errors
///
/// [`ErrorKind::Integrity`] when a page is missing, damaged, or out of order.
pub async fn read_all<E: Entry>(source: &dyn PageSource, root: &TreeRoot) -> Result<Vec<E>> {
    read_telling(source, root).await.map(|(entries, _)| entries)
}

/// The same, and what orders of erasure changed of it.
///
/// # Errors
///
/// As [`read_all`].
pub async fn read_telling<E: Entry>(source: &dyn PageSource, root: &TreeRoot) -> Result<(Vec<E>, Applied)> {
    // The number of a manifest is not trusted with memory.
    let mut entries: Vec<E> = Vec::with_capacity(root.entries.min(1 << 20) as usize);
    let (written, applied) = for_each(source, root, |entry| entries.push(entry)).await?;
    if written != root.entries || !entries.is_sorted_by(|a, b| a.path() < b.path()) {
        return Err(disorder(root.root, "its entries are not those it counts, or not in order"));
    }
    Ok((entries, applied))
}

/// Pages that are parsed in one go, and how many such stretches are under way at once: while one is
/// parsed on a thread of its own, the next is read. A stretch has some 10,000 entries.
const STRETCH: usize = 64;
const STRETCHES: usize = 2;

/// Gives the entries of a tree to `each` in order, a stretch of pages at a time, so that they need
/// not be in memory at once. Neither their order nor their number is checked; it returns how many there
/// are as they were written, and what orders of erasure changed of it.
///
/// # Errors
///
/// [`ErrorKind::Integrity`] when a page is missing or damaged.
pub async fn for_each<E: Entry>(
    source: &dyn PageSource,
    root: &TreeRoot,
    mut each: impl FnMut(E),
) -> Result<(u64, Applied)> {
    let pages = leaf_pages(source, root).await?;
    let stretches: Vec<Vec<ItemId>> = pages.chunks(STRETCH).map(<[ItemId]>::to_vec).collect();
    let mut parsed =
        stream::iter(stretches).map(|pages| parsed_pages::<E>(source, pages)).buffered(STRETCHES);
    let (mut written, mut applied) = (0, Applied::default());
    while let Some(stretch) = parsed.next().await {
        let stretch = stretch?;
        written += stretch.written;
        applied.extend(stretch.applied);
        stretch.entries.into_iter().for_each(&mut each);
    }
    Ok((written, applied))
}

/// Entries of some pages.
struct Parsed<E> {
    entries: Vec<E>,
    /// How many there are as they were written.
    written: u64,
    applied: Applied,
}

/// Reads pages, and parses them off the async threads.
async fn parsed_pages<E: Entry>(source: &dyn PageSource, pages: Vec<ItemId>) -> Result<Parsed<E>> {
    let mut read = Vec::with_capacity(pages.len());
    for page in pages {
        read.push((page, source.page(page).await?));
    }
    let (erased, sight) = (source.erased().map(Arc::clone), source.sight());
    let parse = move || {
        let mut entries: Vec<E> = Vec::new();
        read.into_iter().try_for_each(|(page, bytes)| parse_into(&bytes, page, &mut entries))?;
        let written = entries.len() as u64;
        let applied =
            erased.map_or_else(|| Ok(Applied::default()), |erased| apply(&mut entries, &erased, sight))?;
        Ok::<_, VaultError>(Parsed { entries, written, applied })
    };
    tokio::task::spawn_blocking(parse).await.expect("parsing does not panic")
}

/// Returns the ids of all pages of a tree, of every level, the lowest last and in order.
///
/// # Errors
///
/// As [`read_all`].
pub async fn all_pages(source: &dyn PageSource, root: &TreeRoot) -> Result<Vec<ItemId>> {
    let mut all = vec![root.root];
    let mut level = vec![root.root];
    for _ in 1..levels(root)? {
        level = children(source, &level, root).await?;
        all.extend(&level);
    }
    Ok(all)
}

/// Returns the ids of the pages that hold the entries of a tree, in order.
///
/// # Errors
///
/// As [`read_all`].
pub async fn leaf_pages(source: &dyn PageSource, root: &TreeRoot) -> Result<Vec<ItemId>> {
    let mut level = vec![root.root];
    for _ in 1..levels(root)? {
        level = children(source, &level, root).await?;
    }
    Ok(level)
}

async fn children(source: &dyn PageSource, pages: &[ItemId], root: &TreeRoot) -> Result<Vec<ItemId>> {
    let mut below = Vec::new();
    for page in pages {
        let mut entries: Vec<PageEntry> = Vec::new();
        parse_into(&source.page(*page).await?, *page, &mut entries)?;
        below.extend(entries.into_iter().map(|entry| entry.page));
        // A page holds an entry at least; more pages than entries are a bomb.
        if below.len() as u64 > root.entries {
            return Err(disorder(*page, "it has more pages below it than the tree has entries"));
        }
    }
    Ok(below)
}

/// 256 entries a page: nine levels hold more than there are atoms to write them with.
pub(super) fn levels(root: &TreeRoot) -> Result<u32> {
    if (1..=9).contains(&root.levels) {
        Ok(root.levels)
    } else {
        Err(disorder(root.root, "it has an impossible number of levels"))
    }
}

/// Finds one entry by its path, reading one page a level; `None` also for what is gone by an order of erasure,
/// or not to be seen by this reader.
///
/// # Errors
///
/// As [`read_all`].
pub async fn find<E: Entry>(source: &dyn PageSource, root: &TreeRoot, path: &str) -> Result<Option<E>> {
    let mut page = root.root;
    for _ in 1..levels(root)? {
        let mut entries: Vec<PageEntry> = Vec::new();
        parse_into(&source.page(page).await?, page, &mut entries)?;
        let after = entries.partition_point(|entry| &*entry.first <= path);
        match after.checked_sub(1) {
            Some(at) => page = entries[at].page,
            None => return Ok(None),
        }
    }
    let mut entries: Vec<E> = Vec::new();
    parse_into(&source.page(page).await?, page, &mut entries)?;
    entries.retain(|entry| entry.path() == path);
    if let Some(erased) = source.erased() {
        apply(&mut entries, erased, source.sight())?;
    }
    Ok(entries.pop())
}

/// Returns the entries of a page, as they are written.
///
/// # Errors
///
/// [`ErrorKind::Integrity`] for a line that is none.
pub fn parse_page<E: Entry>(bytes: &[u8], page: ItemId) -> Result<Vec<E>> {
    let mut entries = Vec::new();
    parse_into(bytes, page, &mut entries)?;
    Ok(entries)
}

/// Adds the lines of a page to `entries`.
///
/// # Errors
///
/// [`ErrorKind::Integrity`] for a line that is none.
pub(super) fn parse_into<E: DeserializeOwned>(
    bytes: &[u8],
    page: ItemId,
    entries: &mut Vec<E>,
) -> Result<()> {
    for line in lines(bytes) {
        entries.push(
            serde_json::from_slice(line)
                .map_err(|error| disorder(page, "it is not a page").because(error))?,
        );
    }
    Ok(())
}

/// How many entries a page has, without a look at them: it is what its id says.
pub(super) fn count_entries(bytes: &[u8]) -> u64 {
    lines(bytes).count() as u64
}

/// The lines of a page that hold something.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    let ends = memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]);
    let lines = ends.map(move |end| &bytes[std::mem::replace(&mut from, end + 1)..end]);
    lines.filter(|line| !line.is_empty())
}

pub(crate) fn disorder(page: ItemId, why: &str) -> VaultError {
    VaultError::new(ErrorKind::Integrity, format!("catalog page {page} is damaged: {why}"))
        .hint("run `prismvault verify --full` to see which snapshots it concerns")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Salt;
    use crate::vault::format::catalog::CatalogEntry;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, HashMap, HashSet};

    const BOUNDS: PageBounds = PageBounds { min: 32, max: 256 };

    #[derive(Default)]
    struct Pages(HashMap<ItemId, Bytes>);

    impl PageSource for Pages {
        fn page(&self, id: ItemId) -> BoxFuture<'_, Result<Bytes>> {
            Box::pin(async move { self.0.get(&id).cloned().ok_or_else(|| disorder(id, "missing")) })
        }
    }

    fn entry(path: &str, version: u8) -> CatalogEntry {
        CatalogEntry { path: path.into(), item: ItemId([version; 32]), size: 1 }
    }

    fn store(entries: &[CatalogEntry], pages: &mut Pages) -> TreeRoot {
        build(entries.iter().cloned(), &ItemKey([7; 32]), BOUNDS, |bytes| {
            let id = ItemId::of(&Salt([0; 16]), &bytes);
            pages.0.insert(id, bytes);
            Ok(id)
        })
        .unwrap()
    }

    #[test]
    fn entries_are_counted_as_they_are_read() {
        let line = serde_json::to_string(&entry("a", 1)).unwrap();
        for (page, count) in [
            (String::new(), 0),
            ("\n\n".to_owned(), 0),
            (line.clone(), 1),
            (format!("{line}\n"), 1),
            (format!("\n{line}\n\n{line}"), 2),
        ] {
            let read = parse_page::<CatalogEntry>(page.as_bytes(), ItemId([0; 32])).unwrap();
            assert_eq!((read.len(), count_entries(page.as_bytes())), (count, count as u64), "{page:?}");
        }
        assert!(parse_page::<CatalogEntry>(b"{}", ItemId([0; 32])).is_err());
    }

    fn paths(count: usize) -> BTreeMap<String, u8> {
        (0..count)
            .map(|n| {
                (
                    format!(
                        "documents/en-us/page/{:016x}.json",
                        (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    ),
                    0,
                )
            })
            .collect()
    }

    fn entries(paths: &BTreeMap<String, u8>) -> Vec<CatalogEntry> {
        paths.iter().map(|(path, version)| entry(path, *version)).collect()
    }

    #[test]
    fn ten_scattered_changes_in_a_hundred_thousand_entries_cost_few_pages() {
        let (mut pages, mut paths) = (Pages::default(), paths(100_000));
        store(&entries(&paths), &mut pages);
        let before: HashSet<_> = pages.0.keys().copied().collect();
        for (at, version) in paths.values_mut().enumerate() {
            *version = u8::from(at % 10_000 == 5_000);
        }
        store(&entries(&paths), &mut pages);
        let new: Vec<_> = pages.0.iter().filter(|(id, _)| !before.contains(id)).collect();
        assert!(new.len() <= 24, "{}", new.len());
        let bytes: usize = new.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(bytes <= 320 << 10, "{bytes} before compression");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_entry_reads_back_and_is_found(
            count in 0usize..3000, changes in proptest::collection::vec((0usize..3000, any::<bool>()), 0..20),
        ) {
            let mut pages = Pages::default();
            let mut paths = paths(count);
            let first = store(&entries(&paths), &mut pages);
            let before = pages.0.len();
            prop_assert_eq!(&store(&entries(&paths), &mut pages), &first, "equal content, equal root");
            prop_assert_eq!(pages.0.len(), before);
            for (at, insert) in changes {
                if insert {
                    paths.insert(format!("documents/en-us/page/{at:016}.json"), 1);
                } else if let Some(version) = paths.values_mut().nth(at) {
                    *version = 2;
                }
            }
            let all = entries(&paths);
            let root = store(&all, &mut pages);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                prop_assert_eq!(&read_all::<CatalogEntry>(&pages, &root).await.unwrap(), &all);
                for entry in all.iter().step_by(97) {
                    let found: Option<CatalogEntry> = find(&pages, &root, &entry.path).await.unwrap();
                    prop_assert_eq!(found.as_ref(), Some(entry));
                }
                for missing in ["", "a", "documents/en-us/page/~", "~"] {
                    prop_assert_eq!(find::<CatalogEntry>(&pages, &root, missing).await.unwrap(), None);
                }
                Ok(())
            })?;
        }
    }

    #[tokio::test]
    async fn a_missing_or_foreign_page_is_an_integrity_error() {
        let mut pages = Pages::default();
        let root = store(&entries(&paths(2000)), &mut pages);
        let victim = all_pages(&pages, &root).await.unwrap()[3];
        let original = pages.0.remove(&victim).unwrap();
        assert_eq!(read_all::<CatalogEntry>(&pages, &root).await.unwrap_err().kind, ErrorKind::Integrity);
        for wrong in ["garbage\n", "{}\n", ""] {
            pages.0.insert(victim, Bytes::from(wrong));
            assert_eq!(
                read_all::<CatalogEntry>(&pages, &root).await.unwrap_err().kind,
                ErrorKind::Integrity,
                "{wrong}"
            );
        }
        pages.0.insert(victim, original);
        let claims = TreeRoot { levels: 1 << 30, ..root };
        assert_eq!(read_all::<CatalogEntry>(&pages, &claims).await.unwrap_err().kind, ErrorKind::Integrity);
    }
}
