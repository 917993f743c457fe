//! What the storage is used for: by kind and replica, and what each snapshot holds alone.
//!
//! Sizes by kind are those of the objects that a replica lists. What a snapshot holds alone is
//! counted in packs that no other snapshot needs, because only whole packs go: it is what would
//! become free if only that snapshot went. Nothing is written.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::future::join_all;
use serde::Serialize;

use super::plan::Tally;
use crate::ids::{Digest, ItemId, Name, SnapshotId};
use crate::objects::ObjectMeta;
use crate::progress::Problem;
use crate::vault::error::Result;
use crate::vault::format::index::PackKind;
use crate::vault::index::PackNumber;
use crate::vault::layout;
use crate::vault::needs::{Needed, Needs};
use crate::vault::open::Vault;
use crate::vault::reader::Reader;
use crate::vault::replica::{Replica, with_causes};
use crate::vault::snapshots::{Snapshot, Snapshots};
use crate::vault::space::Space;

/// What the storage is used for.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StorageReport {
    /// By replica, in the order of the configuration; those that are away are left out.
    pub replicas: Vec<ReplicaStorage>,
    /// By snapshot, by repository and oldest first.
    pub snapshots: Vec<SnapshotStorage>,
    /// Bytes of all snapshots, as if each were stored by itself and without compression.
    pub logical_bytes: u64,
    /// Bytes of their different items, each once.
    pub different_bytes: u64,
    /// Bytes of the packs that they need before compression: items, their names, pages of catalogs,
    /// and what no snapshot needs any more but lies in a pack with what one needs.
    pub raw_bytes: u64,
    /// Bytes of the packs that they need, on one replica.
    pub stored_bytes: u64,
    /// Snapshots whose catalog cannot be read: what they need counts as unreferenced.
    pub unread: Vec<Problem>,
}

/// What one replica holds, by kind. Objects that are marked or that nothing needs are counted
/// there only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReplicaStorage {
    /// Name of the replica.
    pub replica: String,
    /// Packs of documents and other small content.
    pub documents: Tally,
    /// Packs of asset bytes.
    pub assets: Tally,
    /// Packs of catalog pages.
    pub catalog: Tally,
    /// Headers of packs.
    pub headers: Tally,
    /// Index objects.
    pub index: Tally,
    /// Manifests and their signatures.
    pub manifests: Tally,
    /// Everything else: trust, ledger, marks, audit log, state.
    pub other: Tally,
    /// Packs and headers that no snapshot needs which this replica is to hold, and that no mark
    /// names.
    pub unreferenced: Tally,
    /// What pruning is about to delete.
    pub marked: Tally,
    /// All of it.
    pub total: Tally,
}

/// What one snapshot is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotStorage {
    /// Its id.
    pub snapshot: SnapshotId,
    /// Its repository.
    pub repository: Name,
    /// Bytes of its items.
    pub logical_bytes: u64,
    /// Packs and headers that it needs, with their stored bytes.
    pub needs: Tally,
    /// Those that no other snapshot needs: what would become free if only it went.
    pub alone: Tally,
}

/// Adds up what the storage is used for.
///
/// # Errors
///
/// When no replica can be read, or without an identity that reads catalogs. A replica that fails
/// leaves the run.
pub async fn storage(vault: &Vault) -> Result<StorageReport> {
    vault.item_key()?;
    let snapshots = Snapshots::load(vault, None).await?;
    let mut report = StorageReport::default();
    let mut kinds: Vec<Kinds> = vault.replicas.all().iter().map(|_| Kinds::default()).collect();
    let objects = list_all(vault).await;
    // Spaces without a snapshot may hold much, and marks of it.
    let scopes = objects.iter().flatten().filter(|object| !object.key.starts_with(layout::SNAPSHOTS));
    let names = scopes.filter_map(|object| layout::scope(&object.key)?.parse::<Name>().ok());
    let mut by_space: BTreeMap<Name, Vec<&Snapshot>> = names.map(|name| (name, Vec::new())).collect();
    for snapshot in snapshots.iter() {
        by_space.entry(snapshot.manifest.space.clone()).or_default().push(snapshot);
    }
    for (name, of_space) in by_space {
        let space = Space::load(vault, &name).await?;
        let reader = Reader::new(vault, &space);
        let mut needs = Needs::with_items(&reader, &space);
        let mut read: Vec<(&Snapshot, Needed)> = Vec::new();
        for snapshot in of_space {
            match needs.of(&snapshot.manifest).await {
                Ok(needed) => read.push((snapshot, needed)),
                Err(error) => report.unread.push(Problem::new(
                    "catalog-unreadable",
                    snapshot.manifest.key.clone(),
                    with_causes(&error),
                )),
            }
        }
        for (at, replica) in vault.replicas.all().iter().enumerate() {
            kinds[at].take_in(&space, at, replica, &read);
        }
        add_snapshots(&space, &read, &mut report);
        report.different_bytes += different_bytes(&space, &needs.items());
    }
    for ((replica, kinds), objects) in vault.replicas.all().iter().zip(&kinds).zip(&objects) {
        if replica.is_live() {
            let mut own = ReplicaStorage { replica: replica.name.clone(), ..ReplicaStorage::default() };
            objects.iter().for_each(|object| own.add(&object.key, object.size, kinds));
            report.replicas.push(own);
        }
    }
    let place = |line: &SnapshotStorage| {
        snapshots.iter().position(|snapshot| *snapshot.id() == line.snapshot).unwrap_or(usize::MAX)
    };
    report.snapshots.sort_by_cached_key(place);
    Ok(report)
}

/// Everything that each replica holds; nothing of one that is away.
async fn list_all(vault: &Vault) -> Vec<Vec<ObjectMeta>> {
    join_all(vault.replicas.all().iter().map(|replica| async move {
        if !replica.is_live() {
            return Vec::new();
        }
        replica.store.list("").await.unwrap_or_else(|error| {
            replica.fail(error);
            Vec::new()
        })
    }))
    .await
}

/// What objects of packs are for, on one replica.
#[derive(Debug, Default)]
struct Kinds {
    needed: HashMap<Digest, PackKind>,
    marked: HashSet<Digest>,
}

impl Kinds {
    fn take_in(&mut self, space: &Space, at: usize, replica: &Replica, read: &[(&Snapshot, Needed)]) {
        let Some(listing) = space.listing(at) else { return };
        let mut needed = Needed::default();
        let wanted = read.iter().filter(|(snapshot, _)| snapshot.is_wanted_on(replica));
        wanted.for_each(|(_, own)| needed.extend(own));
        for number in needed.packs_on(space, at) {
            let pack = &space.index.packs()[number as usize];
            self.needed.insert(pack.id, pack.kind);
        }
        self.marked.extend(&listing.marked);
        let marks = || listing.marks.iter().map(|found| &found.mark);
        self.marked.extend(marks().flat_map(|mark| &mark.indexes));
        self.marked.extend(marks().flat_map(|mark| &mark.headers).map(|header| header.header));
    }
}

impl ReplicaStorage {
    fn add(&mut self, key: &str, bytes: u64, kinds: &Kinds) {
        self.total.add(bytes);
        let (top, id) = match key.split('/').next().unwrap_or_default() {
            top @ (layout::PACKS | layout::INDEX) => (top, layout::parse_digest(key)),
            top @ layout::KEYS => match layout::parse_header(key) {
                // A header of a pack that stays may go by itself.
                Some((_, own)) if kinds.marked.contains(&own) => (top, Some(own)),
                parsed => (top, parsed.map(|(pack, _)| pack)),
            },
            top => (top, None),
        };
        let slot = match (top, id) {
            (layout::SNAPSHOTS, _) => &mut self.manifests,
            (layout::INDEX, Some(id)) if !kinds.marked.contains(&id) => &mut self.index,
            (layout::PACKS | layout::KEYS, Some(id)) => match (kinds.needed.get(&id), top) {
                (Some(_), layout::KEYS) => &mut self.headers,
                (Some(PackKind::Content), _) => &mut self.documents,
                (Some(PackKind::Assets), _) => &mut self.assets,
                (Some(PackKind::Catalog), _) => &mut self.catalog,
                (None, _) if kinds.marked.contains(&id) => &mut self.marked,
                (None, _) => &mut self.unreferenced,
            },
            (layout::INDEX, Some(_)) => &mut self.marked,
            _ => &mut self.other,
        };
        slot.add(bytes);
    }
}

/// Bytes of these items, pages of catalogs left out.
fn different_bytes(space: &Space, items: &HashSet<ItemId>) -> u64 {
    let content = |item: &ItemId| {
        let place = space.index.locations(item).next()?;
        let is_content = space.index.packs()[place.pack as usize].kind.is_content();
        is_content.then_some(place.length)
    };
    items.iter().filter_map(content).sum()
}

fn add_snapshots(space: &Space, read: &[(&Snapshot, Needed)], report: &mut StorageReport) {
    // The sizes are those of the index, the same on every replica.
    let packs_of: Vec<BTreeSet<PackNumber>> =
        read.iter().map(|(_, needed)| needed.packs_on(space, 0)).collect();
    let mut users: HashMap<PackNumber, u64> = HashMap::new();
    packs_of.iter().flatten().for_each(|pack| *users.entry(*pack).or_default() += 1);
    let add = |tally: &mut Tally, number: PackNumber| {
        let pack = &space.index.packs()[number as usize];
        tally.add(pack.size);
        pack.needed_header().into_iter().for_each(|(_, size)| tally.add(size));
    };
    for ((snapshot, needed), packs) in read.iter().zip(&packs_of) {
        let (mut needs, mut alone) = (Tally::default(), Tally::default());
        for pack in packs {
            add(&mut needs, *pack);
            if users[pack] == 1 {
                add(&mut alone, *pack);
            }
        }
        report.logical_bytes += needed.bytes();
        report.snapshots.push(SnapshotStorage {
            snapshot: snapshot.id().clone(),
            repository: snapshot.manifest.repository.clone(),
            logical_bytes: needed.bytes(),
            needs,
            alone,
        });
    }
    for number in users.keys() {
        let pack = &space.index.packs()[*number as usize];
        report.stored_bytes += pack.size;
        report.raw_bytes += pack.frames.iter().map(|frame| u64::from(frame.raw)).sum::<u64>();
    }
}

impl StorageReport {
    /// How many times smaller the stored packs are than what they hold.
    pub fn compression(&self) -> f64 {
        ratio(self.raw_bytes, self.stored_bytes)
    }

    /// How many times each byte of a different item is used by snapshots.
    pub fn deduplication(&self) -> f64 {
        ratio(self.logical_bytes, self.different_bytes)
    }
}

fn ratio(of: u64, to: u64) -> f64 {
    if to == 0 { 1.0 } else { of as f64 / to as f64 }
}
