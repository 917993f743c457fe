//! One snapshot made ready to be served.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::assets::Files;
use super::bodies::{DocumentCache, VaultBodies};
use super::heads::Heads;
use super::shelf::{self, Requests, Shelf};
use crate::contentapi::{DocumentError, DocumentSet, Head, RepositoryRoot, RootRef};
use crate::ids::{Digest, ItemId, SnapshotId};
use crate::progress::Progress;
use crate::restore::paths::{METADATA, ORIGINAL, Place, place};
use crate::restore::{OpenSnapshot, RestoreError, blocking};
use crate::vault::erasure::Applied;
use crate::vault::error::VaultError;
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::format::manifest::Status;
use crate::vault::layout;

/// Path of what `GET /api/v2` answered.
const API: &str = "repository/api.json";
/// Path of what the tags endpoint answered.
const TAGS: &str = "repository/tags.json";

/// Characters in a ref by which orders are told apart.
const ORDERS_CHARS: usize = 8;

/// Why a snapshot cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum StandbyError {
    /// The vault cannot be read.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The snapshot cannot be opened.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The local disk failed.
    #[error("cannot read a temporary file")]
    Temporary(#[source] std::io::Error),
    /// An item that should be a document is none.
    #[error("the item {item} lies where a document should, and is none")]
    NoDocument {
        /// Which.
        item: ItemId,
        /// Why not.
        #[source]
        source: DocumentError,
    },
    /// No replica gives any document.
    #[error("no document of the snapshot can be read from any replica")]
    NothingLeft,
    /// What the repository says of itself is not in the snapshot.
    #[error(
        "the snapshot {snapshot} does not have a readable {API}, so nobody knows its languages and types"
    )]
    NoRoot {
        /// Which.
        snapshot: SnapshotId,
    },
}

/// A document of a snapshot: what is known of it, and where it lies.
type Entry = (Arc<Head>, ItemId);

/// A release over a snapshot; its set is made when somebody asks for it.
#[derive(Debug)]
struct Release {
    changes: Vec<Entry>,
    set: OnceLock<Arc<DocumentSet>>,
}

/// One snapshot, ready to be served.
#[derive(Debug)]
pub struct Edition {
    snapshot: SnapshotId,
    reference: String,
    is_complete: bool,
    /// What orders of erasure changed of it.
    applied: Applied,
    /// The orders that were known when it was opened.
    orders: BTreeSet<SnapshotId>,
    lost: usize,
    root: RepositoryRoot,
    master: Arc<DocumentSet>,
    /// Of the documents of `master`, by place.
    items: Arc<[ItemId]>,
    releases: BTreeMap<String, Release>,
    files: Files,
    way: Way,
}

/// How the documents of a snapshot are got.
#[derive(Debug, Clone)]
struct Way {
    shelf: Shelf,
    cache: Arc<DocumentCache>,
    asset_hosts: Arc<[String]>,
}

impl Way {
    /// A set of these documents, and their items by place.
    fn set(&self, documents: Vec<Entry>) -> (DocumentSet, Arc<[ItemId]>) {
        let mut by_place = Arc::default();
        let set = DocumentSet::kept_elsewhere(documents, |items| {
            by_place = Arc::from(items);
            Arc::new(VaultBodies {
                items: Arc::clone(&by_place),
                shelf: self.shelf.clone(),
                cache: Arc::clone(&self.cache),
                asset_hosts: Arc::clone(&self.asset_hosts),
            })
        });
        (set, by_place)
    }
}

/// Makes an open snapshot ready: reads its catalog, and the heads that `heads` does not know. What
/// is returned beside the edition goes to [`shelf::serve`], without which it answers nothing.
///
/// `asset_hosts` are schemes and hosts of asset addresses that are to be served from here.
///
/// # Errors
///
/// When catalog, heads, or what the repository says of itself cannot be read.
pub async fn open(
    snapshot: &OpenSnapshot<'_>,
    heads: &mut Heads,
    cache: Arc<DocumentCache>,
    asset_hosts: Arc<[String]>,
    progress: &dyn Progress,
) -> Result<(Edition, Requests), StandbyError> {
    snapshot.forget_cached();
    let manifest = snapshot.manifest();
    let key = layout::cached_heads(&manifest.space, &manifest.repository);
    // What stays comes before what goes: memory between things that stay is not given back.
    let is_start = heads.is_empty();
    if is_start {
        *heads = Heads::recall(snapshot.vault(), &key);
    }
    let catalog = snapshot.catalog().await?;
    // Off the threads that answer meanwhile: it is work for a processor.
    let contents = blocking(move || Contents::of(&catalog)).await;
    // What was erased since is kept nowhere, what is under restriction only in packs.
    let reader = snapshot.reader();
    let erased = reader.orders();
    let before = heads.len();
    if !erased.is_empty() {
        heads.retain(|item| !erased.contains(item) && erased.restriction(item).is_none());
    }
    let has_forgotten = heads.len() < before;
    let learned = heads.learn(snapshot, contents.items(), progress).await?;
    if has_forgotten || (is_start && learned.read > 0) || heads.are_due() {
        // What only older snapshots have is not kept for ever; for a while it is, they may be served too.
        let items: HashSet<ItemId> = contents.items().collect();
        if heads.len() > 2 * items.len() {
            heads.retain(|item| items.contains(item));
        }
        heads.remember(snapshot.vault(), &key).await;
    }
    let known = |items: &[ItemId]| -> Vec<Entry> {
        items.iter().filter_map(|item| Some((Arc::clone(heads.get(*item)?), *item))).collect()
    };
    let id = manifest.snapshot.clone();
    let reference = reference_of(&id, &snapshot.applied());
    let root = root(snapshot, &contents, &reference).await?;
    let root = root.ok_or_else(|| StandbyError::NoRoot { snapshot: id.clone() })?;
    let mut releases = BTreeMap::new();
    for entry in root.refs.iter().filter(|entry| !entry.is_master) {
        let changes = contents.changes.get(&entry.id).map(|items| known(items)).unwrap_or_default();
        releases.insert(entry.id.clone(), Release { changes, set: OnceLock::new() });
    }
    let (shelf, requests) = shelf::shelf();
    let mut edition = Edition {
        snapshot: id,
        reference,
        is_complete: manifest.status == Status::Complete,
        applied: snapshot.applied(),
        orders: snapshot.reader().orders().decided(),
        lost: learned.lost,
        root,
        master: Arc::default(),
        items: Arc::default(),
        releases,
        files: Files::new(contents.assets),
        way: Way { shelf, cache, asset_hosts },
    };
    let (way, documents) = (edition.way.clone(), known(&contents.documents));
    let (master, items) = blocking(move || way.set(documents)).await;
    (edition.master, edition.items) = (Arc::new(master), items);
    Ok((edition, requests))
}

/// What a standby needs of a catalog.
#[derive(Debug, Default)]
struct Contents {
    documents: Vec<ItemId>,
    /// Documents by release.
    changes: BTreeMap<String, Vec<ItemId>>,
    /// Items of metadata and original of each asset, and the bytes of the latter.
    assets: Vec<(ItemId, ItemId, u64)>,
    api: Option<ItemId>,
    tags: Option<ItemId>,
}

impl Contents {
    fn of(catalog: &[CatalogEntry]) -> Self {
        let mut contents = Self { assets: assets(catalog), ..Self::default() };
        for entry in catalog {
            match place(&entry.path) {
                Place::Document { release: None, .. } => contents.documents.push(entry.item),
                Place::Document { release: Some(release), .. } => {
                    contents.changes.entry(release.to_owned()).or_default().push(entry.item);
                }
                _ if *entry.path == *API => contents.api = Some(entry.item),
                _ if *entry.path == *TAGS => contents.tags = Some(entry.item),
                _ => {}
            }
        }
        contents
    }

    /// Every document once.
    fn items(&self) -> impl Iterator<Item = ItemId> {
        let all = self.documents.iter().chain(self.changes.values().flatten());
        all.copied().collect::<HashSet<_>>().into_iter()
    }
}

/// Items of metadata and original of each asset, and the bytes of the latter.
fn assets(catalog: &[CatalogEntry]) -> Vec<(ItemId, ItemId, u64)> {
    let original = |metadata: &CatalogEntry| {
        let Place::Asset { file: METADATA, .. } = place(&metadata.path) else { return None };
        let path = format!("{}{ORIGINAL}", metadata.path.strip_suffix(METADATA)?);
        let at = catalog.binary_search_by(|entry| (*entry.path).cmp(path.as_str())).ok()?;
        Some((metadata.item, catalog[at].item, catalog[at].size))
    };
    catalog.iter().filter_map(original).collect()
}

/// The ref of a snapshot: its id, and where orders changed what it reads as, what they came to. So caches on
/// the way, which may keep what a ref answered, are asked for something else from then on.
fn reference_of(snapshot: &SnapshotId, applied: &Applied) -> String {
    if applied.orders.is_empty() {
        return snapshot.to_string();
    }
    let orders: Vec<String> = applied.orders.iter().map(SnapshotId::to_string).collect();
    let digest = Digest::of(orders.join("\n").as_bytes()).to_string();
    format!("{snapshot}.{}", &digest[..ORDERS_CHARS])
}

/// What the repository said of itself, with refs of this snapshot.
async fn root(
    snapshot: &OpenSnapshot<'_>,
    contents: &Contents,
    master: &str,
) -> Result<Option<RepositoryRoot>, StandbyError> {
    let reader = snapshot.reader();
    let json = async |item: Option<ItemId>| -> Result<Option<Value>, StandbyError> {
        let Some(item) = item else { return Ok(None) };
        Ok(serde_json::from_slice(&reader.bytes(item).await?).ok())
    };
    let tags = json(contents.tags).await?.and_then(|tags| {
        let tags = tags.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned);
        Some(tags.collect())
    });
    let Some(mut root) = json(contents.api).await?.and_then(|api| RepositoryRoot::from_api(&api, tags))
    else {
        return Ok(None);
    };
    for entry in &mut root.refs {
        entry.reference = if entry.is_master { master.to_owned() } else { format!("{}~{master}", entry.id) };
    }
    // Integration fields are served as the snapshot has them.
    root.integration_fields_ref = None;
    Ok(Some(root))
}

impl Edition {
    /// The snapshot.
    pub fn snapshot(&self) -> &SnapshotId {
        &self.snapshot
    }

    /// The ref of its published content: the snapshot's id, and under orders that changed what it reads as a
    /// mark of these.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Whether nothing is missing in it.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// What orders changed of it.
    pub fn applied(&self) -> &Applied {
        &self.applied
    }

    /// Whether it was opened under all of these orders, by their ledger entries. One that was not may hold what
    /// was erased or restricted since, or lack what a lift gave back; one that knows of more than a replica tells just now is right.
    pub fn is_under(&self, orders: &BTreeSet<SnapshotId>) -> bool {
        orders.is_subset(&self.orders)
    }

    /// How many of its documents no replica gave when it was made ready. They are left out.
    pub fn lost(&self) -> usize {
        self.lost
    }

    /// Whether something of it could not be read. Opened again, it may be whole.
    pub fn has_failed(&self) -> bool {
        self.lost > 0 || self.way.shelf.failures() > 0
    }

    /// How many published documents it has.
    pub fn len(&self) -> usize {
        self.master.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.master.is_empty()
    }

    /// Reads its items.
    pub fn shelf(&self) -> &Shelf {
        &self.way.shelf
    }

    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    /// What the repository says of itself, with refs of this snapshot.
    pub fn root(&self) -> &RepositoryRoot {
        &self.root
    }

    /// The ref of its published content in the root of a repository that serves others besides.
    pub(super) fn as_ref_of(&self, label: String) -> RootRef {
        let reference = self.reference.clone();
        RootRef { id: reference.clone(), reference, label, is_master: false, scheduled_at: None }
    }

    pub(super) fn master(&self) -> &Arc<DocumentSet> {
        &self.master
    }

    /// The documents as a release changes them; `None` when there is no such release.
    pub(super) fn release(&self, id: &str) -> Option<&Arc<DocumentSet>> {
        let release = self.releases.get(id)?;
        let published = || self.master.heads().iter().cloned().zip(self.items.iter().copied());
        let all = || published().chain(release.changes.iter().cloned()).collect();
        Some(release.set.get_or_init(|| Arc::new(self.way.set(all()).0)))
    }
}
