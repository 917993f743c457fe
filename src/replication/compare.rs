//! Comparing what one replica lists with what the snapshots need there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::plan::{How, Lost, ObjectCopy, Request, SnapshotCopy, Target, Waiting};
use crate::ids::{Digest, Name, SnapshotId};
use crate::objects::ErrorKind as StoreKind;
use crate::progress::Problem;
use crate::vault::error::{ErrorKind, Result};
use crate::vault::index::{Listing, Pack, PackNumber};
use crate::vault::layout;
use crate::vault::ledger::Ledger;
use crate::vault::needs::{Needed, Needs};
use crate::vault::open::Vault;
use crate::vault::reader::Reader;
use crate::vault::replica::{Replica, with_causes};
use crate::vault::snapshots::{Snapshot, Snapshots};
use crate::vault::space::Space;

/// A plan in the making.
pub(super) struct Making<'a> {
    pub(super) vault: &'a Vault,
    pub(super) request: &'a Request<'a>,
    pub(super) targets: BTreeMap<String, Target>,
    pub(super) lost: BTreeMap<String, Lost>,
    pub(super) lists: BTreeMap<String, u64>,
}

impl Making<'_> {
    fn is_target(&self, replica: &Replica) -> bool {
        replica.is_live() && (self.request.to.is_empty() || self.request.to.contains(&replica.name))
    }

    fn is_source(&self, replica: &Replica) -> bool {
        replica.is_live() && self.request.from.as_ref().is_none_or(|from| *from == replica.name)
    }

    /// Counts LIST requests: so many on the replica with this number.
    pub(super) fn count_lists(&mut self, on: impl Fn(usize) -> u64) {
        for (at, replica) in
            self.vault.replicas.all().iter().enumerate().filter(|(_, replica)| replica.is_live())
        {
            *self.lists.entry(replica.name.clone()).or_default() += on(at);
        }
    }

    /// Target `replica`, made when it is first asked for.
    fn target(&mut self, replica: &Replica) -> &mut Target {
        self.targets.entry(replica.name.clone()).or_insert_with(|| Target::of(replica))
    }

    /// Trust records: without the newest a replica by itself would not be believed.
    pub(super) async fn trust(&mut self) {
        let vault = self.vault;
        for replica in vault.replicas.live() {
            if !self.is_target(replica) {
                continue;
            }
            for (key, result) in vault.check_trust_on(replica).await {
                if result.is_err() {
                    let others = vault.replicas.live().filter(|other| other.name != replica.name);
                    let from = others.map(|other| other.name.clone()).collect();
                    self.target(replica).copies.push(ObjectCopy { key, size: 0, from, how: How::Missing });
                }
            }
        }
    }

    pub(super) fn ledger(&mut self, ledger: &Ledger) {
        let vault = self.vault;
        for replica in vault.replicas.live() {
            if !self.is_target(replica) {
                continue;
            }
            for (key, from) in ledger.missing_on(replica) {
                self.target(replica).copies.push(ObjectCopy { key, size: 0, from, how: How::Missing });
            }
        }
    }

    /// Compares a space; returns what could not be read of it.
    pub(super) async fn space(
        &mut self,
        ledger: &Ledger,
        name: &Name,
        snapshots: &[&Snapshot],
    ) -> Result<Vec<Problem>> {
        let vault = self.vault;
        let space = Space::load_after(vault, name, ledger).await?;
        self.count_lists(|at| {
            let listing = space.listing(at);
            listing.map_or(0, |own| {
                let counts = [own.bodies.len(), own.headers.values().map(Vec::len).sum(), own.indexes.len()];
                // And the marks.
                counts.into_iter().map(list_requests).sum::<u64>() + 1
            })
        });
        let reader = Reader::new(vault, &space).walking();
        let mut needs = Needs::new(&reader, &space);
        let (mut unreadable, mut readable) = (Vec::new(), Vec::new());
        for snapshot in snapshots {
            match needs.of(&snapshot.manifest).await {
                Ok(needed) => readable.push((*snapshot, needed)),
                Err(error) if matches!(error.kind, ErrorKind::Integrity | ErrorKind::Store(_)) => {
                    let detail = format!("its catalog cannot be read: {}", with_causes(&error));
                    unreadable.push(Problem::new(
                        "catalog-unreadable",
                        snapshot.manifest.key.clone(),
                        detail,
                    ));
                }
                Err(error) => return Err(error),
            }
        }
        for (at, replica) in vault.replicas.all().iter().enumerate() {
            if self.is_target(replica)
                && let Some(listing) = space.listing(at)
            {
                self.compare(&space, listing, (at, replica), &readable).await;
            }
        }
        Ok(unreadable)
    }

    /// Compares what one replica lists of a space with what the snapshots need on it.
    async fn compare(
        &mut self,
        space: &Space,
        listing: &Listing,
        (at, replica): (usize, &Replica),
        snapshots: &[(&Snapshot, Needed)],
    ) {
        let (mut promised, mut needed) =
            (HashSet::new(), BTreeMap::<PackNumber, BTreeSet<SnapshotId>>::new());
        let mut new = Vec::new();
        for (snapshot, needs) in snapshots.iter().filter(|(snapshot, _)| snapshot.is_wanted_on(replica)) {
            if let Some(item) = needs.lost().first() {
                let detail = format!("no index object says where the item {item} is");
                self.lose(format!("{}/{}", layout::INDEX, space.name), detail, [snapshot.id().clone()]);
                continue;
            }
            let packs = needs.packs_on(space, at);
            for pack in &packs {
                needed.entry(*pack).or_default().insert(snapshot.id().clone());
            }
            if snapshot.on.contains(&replica.name) {
                promised.extend(packs);
            } else {
                new.push((*snapshot, packs));
            }
        }
        let (mut copies, mut of_pack, mut lost) = (BTreeMap::new(), HashMap::new(), HashSet::new());
        for (number, by) in &needed {
            let pack = &space.index.packs()[*number as usize];
            if space.is_retired(*number) {
                // What is in it and stays is in no other pack yet.
                if !listing.has_pack(pack) {
                    lost.insert(*number);
                    let detail = "an order of erasure names what is in it, so it is copied no more; `prismvault privacy erase` writes what stays of it into another";
                    self.lose(layout::pack(&space.name, &pack.id), detail.to_owned(), by.iter().cloned());
                }
                continue;
            }
            let (own, missing) = self.pack(space, listing, replica, pack, promised.contains(number)).await;
            if !missing.is_empty() {
                lost.insert(*number);
            }
            for (key, detail) in missing {
                self.lose(key, detail, by.iter().cloned());
            }
            let index = missing_index(space, listing, pack, &copies);
            let index = index.map(|id| self.index_copy(space, replica, &id));
            of_pack
                .insert(*number, own.iter().chain(&index).map(|copy| copy.key.clone()).collect::<Vec<_>>());
            copies.extend(own.into_iter().chain(index).map(|copy| (copy.key.clone(), copy)));
        }
        self.target(replica).copies.extend(copies.into_values());
        // What is lost is named; a manifest would promise what is not there.
        new.retain(|(_, packs)| !packs.iter().any(|pack| lost.contains(pack)));
        for (snapshot, packs) in new {
            self.manifest(space, listing, replica, snapshot, &packs, &of_pack);
        }
    }

    /// Plans the manifest of a snapshot that a replica lacks, or says what it waits for.
    fn manifest(
        &mut self,
        space: &Space,
        listing: &Listing,
        replica: &Replica,
        snapshot: &Snapshot,
        packs: &BTreeSet<PackNumber>,
        of_pack: &HashMap<PackNumber, Vec<String>>,
    ) {
        let is_source = |name: &&String| {
            let other = self.vault.replicas.named(name);
            other.is_some_and(|other| self.is_source(other))
        };
        let from: Vec<String> = snapshot.on.iter().filter(is_source).cloned().collect();
        let pack_of = |number: &PackNumber| &space.index.packs()[*number as usize];
        let marked = packs.iter().map(pack_of).find(|pack| listing.marked.contains(&pack.id));
        let why = match marked {
            Some(pack) => format!(
                "{} on {} is marked for pruning; `prismvault prune` takes the mark back, because it is needed again",
                layout::pack(&space.name, &pack.id),
                replica.name
            ),
            None if from.is_empty() => "the replica that may be copied from does not hold it".to_owned(),
            None => {
                let needs = packs.iter().filter_map(|pack| of_pack.get(pack)).flatten().cloned().collect();
                let repository = snapshot.manifest.repository.clone();
                let copy = SnapshotCopy { repository, snapshot: snapshot.id().clone(), from, needs };
                return self.target(replica).snapshots.push(copy);
            }
        };
        self.target(replica).waiting.push(Waiting { snapshot: snapshot.id().clone(), why });
    }

    fn lose(&mut self, key: String, detail: String, snapshots: impl IntoIterator<Item = SnapshotId>) {
        let lost = Lost { key: key.clone(), detail, snapshots: BTreeSet::new() };
        self.lost.entry(key).or_insert(lost).snapshots.extend(snapshots);
    }

    /// Returns what a replica lacks of a pack, and what of it nobody has.
    async fn pack(
        &self,
        space: &Space,
        listing: &Listing,
        replica: &Replica,
        pack: &Pack,
        promised: bool,
    ) -> (Vec<ObjectCopy>, Vec<(String, String)>) {
        // The one for those who are to read it now; earlier ones are not brought back.
        let header = pack.needed_header().map(|(digest, size)| {
            let there = listing.headers.get(&pack.id).into_iter().flatten();
            let there = there.filter(|(own, _)| *own == digest).map(|(_, size)| *size).next();
            (layout::header(&space.name, &pack.id, &digest), size, there)
        });
        let body = (layout::pack(&space.name, &pack.id), pack.size, listing.bodies.get(&pack.id).copied());
        let (mut copies, mut lost) = (Vec::new(), Vec::new());
        for (key, size, there) in header.into_iter().chain([body]) {
            let how = match there {
                None => How::Missing,
                Some(found) if found != size => How::WrongSize,
                Some(_) if promised => continue,
                Some(_) => How::Unconfirmed,
            };
            let from = self.holders(space, pack, &key, size, replica).await;
            // Its own listing may lag behind as well.
            if from.is_empty() && how == How::Missing && has(replica, &key, size).await {
                continue;
            }
            if from.is_empty() && how != How::Unconfirmed {
                let detail = "snapshots need it, and no replica that may be copied from has it".to_owned();
                lost.push((key, detail));
            } else {
                copies.push(ObjectCopy { key, size, from, how });
            }
        }
        (copies, lost)
    }

    /// Returns the replicas that have an object of a pack with this size: as they list it, or, where
    /// nobody does, as they answer when they are asked for it. Listings may lag behind.
    async fn holders(&self, space: &Space, pack: &Pack, key: &str, size: u64, to: &Replica) -> Vec<String> {
        let all = self.vault.replicas.all().iter().enumerate();
        let others: Vec<(usize, &Replica)> =
            all.filter(|(_, other)| other.name != to.name && self.is_source(other)).collect();
        let lists = |at: usize| {
            space.listing(at).is_some_and(|listing| match layout::parse_header(key) {
                Some((_, own)) => {
                    listing.headers.get(&pack.id).is_some_and(|there| there.contains(&(own, size)))
                }
                None => listing.bodies.get(&pack.id) == Some(&size),
            })
        };
        let listed: Vec<String> =
            others.iter().filter(|(at, _)| lists(*at)).map(|(_, other)| other.name.clone()).collect();
        if !listed.is_empty() {
            return listed;
        }
        let mut found = Vec::new();
        for (_, other) in others {
            if has(other, key, size).await {
                found.push(other.name.clone());
            }
        }
        found
    }

    fn index_copy(&self, space: &Space, replica: &Replica, id: &Digest) -> ObjectCopy {
        let all = self.vault.replicas.all().iter().enumerate();
        let others = all.filter(|(_, other)| other.name != replica.name && self.is_source(other));
        let size = |at: usize| space.listing(at)?.indexes.get(id).copied();
        let holders: Vec<(String, u64)> =
            others.filter_map(|(at, other)| Some((other.name.clone(), size(at)?))).collect();
        ObjectCopy {
            key: layout::index(&space.name, id),
            size: holders.iter().map(|(_, size)| *size).max().unwrap_or(0),
            from: holders.into_iter().map(|(name, _)| name).collect(),
            how: How::Missing,
        }
    }

    /// Counts what targets still hold of removed snapshots, and finds manifests there that lost
    /// their signature.
    pub(super) async fn removed(&mut self, snapshots: &Snapshots) {
        let vault = self.vault;
        for replica in vault.replicas.live() {
            if !self.is_target(replica) {
                continue;
            }
            let keys: HashSet<String> = match replica.store.list(layout::SNAPSHOTS).await {
                Ok(objects) => objects.into_iter().map(|object| object.key).collect(),
                Err(error) => {
                    replica.fail(error);
                    continue;
                }
            };
            let all = snapshots.iter().chain(snapshots.removed());
            let here = all.filter(|snapshot| keys.contains(&snapshot.manifest.key));
            let (mut removed, mut unsigned) = (0, Vec::new());
            for snapshot in here {
                if !snapshot.is_wanted_on(replica) {
                    removed += 1;
                } else if !keys.contains(&layout::signature(&snapshot.manifest.key))
                    && self.request.is_about(snapshot)
                {
                    let from = snapshot.on.iter().filter(|name| **name != replica.name).cloned().collect();
                    let key = layout::signature(&snapshot.manifest.key);
                    unsigned.push(ObjectCopy { key, size: 0, from, how: How::Missing });
                }
            }
            let target = self.target(replica);
            target.removed.snapshots = removed;
            target.copies.extend(unsigned);
        }
    }
}

/// Whether a replica has an object of this size, when it is asked for just that one; a replica that
/// cannot be asked leaves the run.
async fn has(replica: &Replica, key: &str, size: u64) -> bool {
    match replica.store.head(key).await {
        Ok(meta) => meta.size == size,
        Err(error) if error.kind == StoreKind::NotFound => false,
        Err(error) => {
            replica.fail(error);
            false
        }
    }
}

/// Returns the index object to bring where a replica has none that describes the pack: one that is
/// brought anyway, if there is one.
fn missing_index(
    space: &Space,
    listing: &Listing,
    pack: &Pack,
    copies: &BTreeMap<String, ObjectCopy>,
) -> Option<Digest> {
    if pack.indexed_by.iter().any(|index| listing.indexes.contains_key(index)) {
        return None;
    }
    let is_brought = |index: &&Digest| copies.contains_key(&layout::index(&space.name, index));
    pack.indexed_by.iter().find(is_brought).or(pack.indexed_by.first()).copied()
}

/// Requests that list so many keys: stores answer with 1,000 at once.
pub(super) fn list_requests(keys: usize) -> u64 {
    (keys as u64).div_ceil(1000).max(1)
}
