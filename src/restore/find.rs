//! `find`: where something is, in one snapshot or in all.
//!
//! What is exactly a part of a path (an id, a type, a language) is found in catalogs alone, which
//! every backup host can read. Anything else is looked for in the texts of documents and of the
//! metadata of assets, for which content must be read: each item once, in however many snapshots
//! it is. Memory is bounded by the number of different items and by what is found.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::content::{Losses, Watch, open_space};
use super::error::{RestoreError, Result};
use super::files::blocking;
use super::paths::{METADATA, Place, place};
use super::text::{Match, Matches, Needle};
use crate::clock::Timestamp;
use crate::ids::{ItemId, Name, SnapshotId};
use crate::progress::{Phase, Problem, Progress};
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::format::manifest::Manifest;
use crate::vault::open::Vault;
use crate::vault::pack::ItemData;
use crate::vault::reader::Reader;
use crate::vault::snapshots::{Snapshot, Snapshots};
use crate::vault::space::Space;
use crate::vault::tree;

/// Where to look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scope {
    /// In the newest complete snapshot of each repository; where none is complete, in the newest.
    #[default]
    Newest,
    /// In one snapshot, by what people type for one.
    One(String),
    /// In all.
    All,
}

/// How to look.
#[derive(Clone)]
pub struct FindOptions<'a> {
    /// Where.
    pub scope: Scope,
    /// Whether texts are searched even when the term is part of a path.
    pub text: bool,
    /// Now, for points in time in the scope.
    pub now: Timestamp,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
    /// Ends it between two items.
    pub cancel: CancellationToken,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct FindReport {
    /// Snapshots that were searched.
    pub searched: Vec<SnapshotId>,
    /// Whether texts were searched, or paths only.
    pub text: bool,
    /// What was found, by repository and path.
    pub hits: Vec<Hit>,
    /// What could not be searched.
    pub problems: Vec<Problem>,
}

/// One version of an item that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// Repository it is in.
    pub repository: Name,
    /// Path of the catalog.
    pub path: String,
    /// Its id: other bytes under the same path are another hit.
    pub item: ItemId,
    /// Bytes of it.
    pub size: u64,
    /// Snapshots that hold it, oldest first.
    pub snapshots: Vec<SnapshotId>,
    /// Where it matches; the first few.
    pub matches: Vec<Match>,
    /// How many matches there are.
    pub match_count: u64,
}

/// Snapshots of one space, with what reads them.
struct Group<'a> {
    space: Space,
    manifests: Vec<&'a Manifest>,
}

/// Hits in the making, in the order in which they are told.
type Hits = BTreeMap<(Name, Box<str>, ItemId), Hit>;

/// Looks for a term.
///
/// # Errors
///
/// [`Ambiguous`](super::RestoreErrorKind::Ambiguous) for an empty term; errors of the vault when
/// a snapshot, its catalog or the ledger cannot be read, or when texts must be searched and the
/// identity that reads content is not here.
pub async fn find(
    vault: &Vault,
    snapshots: &Snapshots,
    term: &str,
    options: FindOptions<'_>,
) -> Result<FindReport> {
    let term = term.trim();
    if term.is_empty() {
        return Err(RestoreError::Ambiguous {
            what: "an empty term is in everything".to_owned(),
            hint: "type an id, a UID, a type, a language or some text".to_owned(),
        });
    }
    let manifests = choose(snapshots, &options)?;
    let groups = open_groups(vault, snapshots, &manifests).await?;
    let watch = Watch { phase: Phase::Search, progress: options.progress, cancel: &options.cancel };
    let mut hits = find_in_paths(vault, &groups, term, watch).await?;
    let mut problems = snapshots.unreadable.clone();
    let text = options.text || hits.is_empty();
    if text {
        vault.require_content_identity()?;
        let needle = Needle::new(term);
        for group in &groups {
            problems.extend(find_in_texts(vault, group, &needle, &mut hits, watch).await?);
        }
    }
    Ok(FindReport {
        searched: manifests.iter().map(|manifest| manifest.snapshot.clone()).collect(),
        text,
        hits: hits.into_values().collect(),
        problems,
    })
}

fn choose<'a>(snapshots: &'a Snapshots, options: &FindOptions<'_>) -> Result<Vec<&'a Manifest>> {
    let newest =
        |repository: &Name| snapshots.newest_complete(repository).or_else(|| snapshots.of(repository).last());
    let chosen: Vec<&Snapshot> = match &options.scope {
        Scope::Newest => snapshots.repositories().filter_map(newest).collect(),
        Scope::One(typed) => vec![snapshots.select(typed, options.now)?],
        // Who is a member is found by `access`, not by whoever looks for a word.
        Scope::All => snapshots.repositories().flat_map(|name| snapshots.of(name)).collect(),
    };
    if chosen.is_empty() {
        return Err(RestoreError::NotFound {
            what: "the vault holds no snapshots".to_owned(),
            hint: "take one with `prismvault snapshot`".to_owned(),
        });
    }
    Ok(chosen.into_iter().map(|snapshot| &snapshot.manifest).collect())
}

async fn open_groups<'a>(
    vault: &Vault,
    snapshots: &Snapshots,
    manifests: &[&'a Manifest],
) -> Result<Vec<Group<'a>>> {
    let mut by_space: BTreeMap<&Name, Vec<&Manifest>> = BTreeMap::new();
    for manifest in manifests {
        by_space.entry(&manifest.space).or_default().push(manifest);
    }
    let mut groups = Vec::with_capacity(by_space.len());
    for (space, manifests) in by_space {
        groups.push(Group { space: open_space(vault, snapshots, space).await?, manifests });
    }
    Ok(groups)
}

async fn find_in_paths(vault: &Vault, groups: &[Group<'_>], term: &str, watch: Watch<'_>) -> Result<Hits> {
    let mut hits = Hits::new();
    for group in groups {
        let reader = Reader::new(vault, &group.space);
        for manifest in &group.manifests {
            for entry in catalog(&reader, manifest, watch).await? {
                let matches: Vec<_> = parts_equal_to(term, &entry.path)
                    .map(|part| Match { at: part.to_owned(), excerpt: None })
                    .collect();
                if !matches.is_empty() {
                    let count = matches.len() as u64;
                    add(&mut hits, manifest, &entry, &Matches { first: matches, count });
                }
            }
        }
    }
    Ok(hits)
}

/// Names the parts of a path that are exactly the term.
fn parts_equal_to<'a>(term: &'a str, path: &'a str) -> impl Iterator<Item = &'static str> + use<'a> {
    let parts = match place(path) {
        Place::Document { release, language, type_, id } => {
            [("id", Some(id)), ("type", Some(type_)), ("language", Some(language)), ("release", release)]
        }
        Place::Model { id } | Place::Asset { id, .. } => {
            [("id", Some(id)), ("id", None), ("id", None), ("id", None)]
        }
        Place::Other => [("path", None); 4],
    };
    let whole = ("path", Some(path));
    parts.into_iter().chain([whole]).filter(move |(_, part)| *part == Some(term)).map(|(name, _)| name)
}

/// Searches the texts of all items of a space, each once, then says in which snapshots they are.
async fn find_in_texts(
    vault: &Vault,
    group: &Group<'_>,
    needle: &Needle,
    hits: &mut Hits,
    watch: Watch<'_>,
) -> Result<Vec<Problem>> {
    let reader = Reader::new(vault, &group.space);
    // A path of each item, to name those that cannot be read.
    let mut items: HashMap<ItemId, Box<str>> = HashMap::new();
    for manifest in &group.manifests {
        for entry in catalog(&reader, manifest, watch).await?.into_iter().filter(has_text) {
            items.entry(entry.item).or_insert(entry.path);
        }
    }
    watch.progress.start(watch.phase, Some(items.len() as u64));
    let mut found: HashMap<ItemId, Matches> = HashMap::new();
    let mut losses = Losses::default();
    let ids: Vec<ItemId> = items.keys().copied().collect();
    reader
        .for_each(ids, async |id, data| {
            watch.check_cancelled()?;
            let data = match data {
                Ok(data) => data,
                Err(error) => return losses.note(error, [&*items[&id]], &watch),
            };
            losses.item_read();
            let size = data.len();
            // No document is near the size from which an item is read into a file.
            if let ItemData::Memory(bytes) = data {
                let needle = needle.clone();
                let matches = blocking(move || needle.search(&bytes)).await;
                if matches.count > 0 {
                    found.insert(id, matches);
                }
            }
            watch.progress.advance(watch.phase, 1, size);
            Ok::<_, RestoreError>(())
        })
        .await?;
    if !found.is_empty() {
        for manifest in &group.manifests {
            for entry in catalog(&reader, manifest, watch).await?.into_iter().filter(has_text) {
                if let Some(matches) = found.get(&entry.item) {
                    add(hits, manifest, &entry, matches);
                }
            }
        }
    }
    watch.progress.finish(watch.phase);
    Ok(losses.problems)
}

async fn catalog(reader: &Reader<'_>, manifest: &Manifest, watch: Watch<'_>) -> Result<Vec<CatalogEntry>> {
    watch.check_cancelled()?;
    Ok(tree::read_all(reader, &manifest.catalog).await?)
}

fn has_text(entry: &CatalogEntry) -> bool {
    matches!(place(&entry.path), Place::Document { .. } | Place::Asset { file: METADATA, .. })
}

fn add(hits: &mut Hits, manifest: &Manifest, entry: &CatalogEntry, matches: &Matches) {
    let key = (manifest.repository.clone(), entry.path.clone(), entry.item);
    let hit = hits.entry(key).or_insert_with(|| Hit {
        repository: manifest.repository.clone(),
        path: entry.path.to_string(),
        item: entry.item,
        size: entry.size,
        snapshots: Vec::new(),
        matches: Vec::new(),
        match_count: 0,
    });
    if hit.snapshots.last() != Some(&manifest.snapshot) && !hit.snapshots.contains(&manifest.snapshot) {
        hit.snapshots.push(manifest.snapshot.clone());
    }
    let new = matches.first.iter().filter(|found| !hit.matches.contains(found)).cloned().collect::<Vec<_>>();
    if !new.is_empty() {
        hit.matches.extend(new);
        hit.match_count += matches.count;
    }
}
