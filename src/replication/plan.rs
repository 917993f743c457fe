//! What is to be copied where, from whom, and why.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use crate::ids::{Digest, Name, SnapshotId, VaultId};
use crate::objects::ErrorKind as StoreKind;
use crate::progress::{Phase, Problem, Progress};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::index::{Listing, Pack, PackNumber};
use crate::vault::layout;
use crate::vault::ledger::Ledger;
use crate::vault::needs::{Needed, Needs};
use crate::vault::open::Vault;
use crate::vault::reader::Reader;
use crate::vault::replica::{Replica, with_causes};
use crate::vault::snapshots::{Snapshot, Snapshots};
use crate::vault::space::Space;

/// What is to be replicated.
#[derive(Clone)]
pub struct Request<'a> {
    /// Replicas that are brought up to date, by name; empty: all.
    pub to: Vec<String>,
    /// The only replica that is copied from; `None`: any that has a good copy.
    pub from: Option<String>,
    /// Only snapshots of these repositories; empty: all.
    pub repositories: Vec<Name>,
    /// Only these snapshots; empty: all.
    pub snapshots: HashSet<Digest>,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
}

impl Request<'_> {
    fn is_about(&self, snapshot: &Snapshot) -> bool {
        (self.repositories.is_empty() || self.repositories.contains(&snapshot.manifest.repository))
            && (self.snapshots.is_empty() || self.snapshots.contains(&snapshot.digest))
    }
}

/// What would be copied.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Vault it was made for.
    pub vault: VaultId,
    /// One a replica that is to be brought up to date and can be.
    pub targets: Vec<Target>,
    /// What snapshots need and no replica lists a copy of.
    pub lost: Vec<Lost>,
    /// Manifests, catalogs and ledgers that nobody has a good copy of: what they speak of is left
    /// alone.
    pub unreadable: Vec<Problem>,
    /// Snapshots that were looked at.
    pub snapshots: u64,
    /// LIST requests that making the plan took on each replica.
    #[serde(skip)]
    pub lists: BTreeMap<String, u64>,
}

impl Plan {
    /// Whether every replica holds everything already.
    pub fn is_empty(&self) -> bool {
        self.targets.iter().all(|target| {
            target.copies.is_empty() && target.snapshots.is_empty() && target.waiting.is_empty()
        })
    }
}

/// What one replica is to get.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// Its name.
    pub replica: String,
    /// Objects, in the order in which they are written.
    pub copies: Vec<ObjectCopy>,
    /// Snapshots whose manifest follows, when all that they need is there.
    pub snapshots: Vec<SnapshotCopy>,
    /// Snapshots that have to wait.
    pub waiting: Vec<Waiting>,
    /// What it still holds of snapshots that were removed; pruning frees it.
    pub removed: Removed,
}

/// An object, and with it its signature where it is a signed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectCopy {
    /// Its key.
    pub key: String,
    /// Bytes; 0 where a listing does not tell, for small signed files.
    pub size: u64,
    /// Replicas that list a copy, in the order in which they are asked.
    pub from: Vec<String>,
    /// What is there now.
    pub how: How,
}

/// What is under a key on the replica that is to have the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Nothing.
    Missing,
    /// Something of another size.
    WrongSize,
    /// An object of the right size that no manifest on this replica needs so far: what an earlier
    /// run left. It is confirmed, and copied only if it is not good.
    Unconfirmed,
}

/// A snapshot whose manifest is to be brought.
#[derive(Debug, Clone, Serialize)]
pub struct SnapshotCopy {
    /// Repository it is of.
    pub repository: Name,
    /// Its id.
    pub snapshot: SnapshotId,
    /// Replicas that hold it.
    pub from: Vec<String>,
    /// Keys of the copies that it needs.
    #[serde(skip)]
    pub needs: Vec<String>,
}

/// A snapshot that has to wait.
#[derive(Debug, Clone, Serialize)]
pub struct Waiting {
    /// Its id.
    pub snapshot: SnapshotId,
    /// For what.
    pub why: String,
}

/// What a replica still holds of removed snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Number of their manifests.
    pub snapshots: u64,
}

/// An object that snapshots need and nobody has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Lost {
    /// Its key; for items that no index object knows, the place of the index.
    pub key: String,
    /// One sentence for people.
    pub detail: String,
    /// Snapshots that need it.
    pub snapshots: BTreeSet<SnapshotId>,
}

/// Requests and bytes that copying takes on one replica.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Objects written.
    pub objects: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Bytes read from it.
    pub bytes_read: u64,
    /// PUT requests.
    pub put: u64,
    /// GET requests.
    pub get: u64,
    /// HEAD requests.
    pub head: u64,
    /// LIST requests of the plan, of up to 1,000 keys each; they are made by then.
    pub list: u64,
}

/// Compares what replicas hold with what they are to hold.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] for a name that is no replica, [`ErrorKind::Refused`] when there is
/// nothing to copy from, and those of reading the vault. A replica that fails leaves the run.
pub async fn plan(vault: &Vault, request: &Request<'_>) -> Result<Plan> {
    for name in request.to.iter().chain(&request.from) {
        vault.replicas.require_known(name)?;
    }
    if vault.replicas.configured() < 2 {
        return Err(VaultError::new(ErrorKind::Refused, "there is only one replica, so there is nothing to copy")
            .hint("add another to [[replicas]] in the configuration, then run `prismvault init` and `prismvault replicate`"));
    }
    request.progress.start(Phase::OpenVault, None);
    let snapshots = Snapshots::load(vault, None).await?;
    let (there, removed) = (snapshots.iter().count(), snapshots.removed().len());
    let mut plan = Plan {
        vault: vault.file.vault,
        targets: Vec::new(),
        lost: Vec::new(),
        unreadable: snapshots.unreadable.clone(),
        snapshots: 0,
        lists: BTreeMap::new(),
    };
    let mut making =
        Making { vault, request, targets: BTreeMap::new(), lost: BTreeMap::new(), lists: BTreeMap::new() };
    making.trust().await;
    // Manifests and signatures, twice; trust records; the spaces that have a ledger.
    making.count_lists(|_| 2 * list_requests(2 * (there + removed)) + 2);
    let mut spaces = Ledger::spaces(vault).await?;
    spaces.extend(snapshots.iter().map(|snapshot| snapshot.manifest.space.clone()));
    for name in spaces {
        let own: Vec<&Snapshot> = snapshots
            .iter()
            .filter(|snapshot| snapshot.manifest.space == name && request.is_about(snapshot))
            .collect();
        let everyones = snapshots.iter().filter(|snapshot| snapshot.manifest.space == name);
        let named = everyones.flat_map(|snapshot| &snapshot.manifest.ledger);
        let ledger = Ledger::load(vault, &name).await?;
        making.count_lists(|_| 1);
        making.ledger(&ledger);
        plan.unreadable.extend(ledger.unreadable.iter().cloned());
        if let Err(error) = ledger.require_whole(vault, named) {
            let detail = format!("nothing of this space is copied: {}", with_causes(&error));
            let place = format!("{}/{name}", layout::LEDGER);
            plan.unreadable.push(Problem::new("ledger-incomplete", place, detail));
            continue;
        }
        if own.is_empty() {
            continue;
        }
        plan.snapshots += own.len() as u64;
        plan.unreadable.extend(making.space(&name, &own).await?);
    }
    making.removed(&snapshots).await;
    let order = vault.replicas.all().iter().filter(|replica| replica.is_live());
    plan.targets = order.filter_map(|replica| making.targets.remove(&replica.name)).collect();
    plan.targets.iter_mut().for_each(Target::sort);
    plan.lost = making.lost.into_values().collect();
    plan.lists = making.lists;
    request.progress.finish(Phase::OpenVault);
    Ok(plan)
}

impl Target {
    fn of(replica: &Replica) -> Self {
        Self {
            replica: replica.name.clone(),
            copies: Vec::new(),
            snapshots: Vec::new(),
            waiting: Vec::new(),
            removed: Removed::default(),
        }
    }

    fn sort(&mut self) {
        self.copies.sort_by(|a, b| (stage(&a.key), &a.key).cmp(&(stage(&b.key), &b.key)));
        self.copies.dedup_by(|a, b| a.key == b.key);
        self.snapshots.sort_by(|a, b| a.snapshot.cmp(&b.snapshot));
    }
}

/// Requests that list so many keys: stores answer with 1,000 at once.
fn list_requests(keys: usize) -> u64 {
    (keys as u64).div_ceil(1000).max(1)
}

/// Place of an object in the order of writes: what names another comes after it.
pub(super) fn stage(key: &str) -> u8 {
    match key.split('/').next().unwrap_or_default() {
        layout::TRUST => 0,
        layout::LEDGER => 1,
        layout::KEYS => 2,
        layout::PACKS => 3,
        layout::INDEX => 4,
        _ => 5,
    }
}

/// A plan in the making.
struct Making<'a> {
    vault: &'a Vault,
    request: &'a Request<'a>,
    targets: BTreeMap<String, Target>,
    lost: BTreeMap<String, Lost>,
    lists: BTreeMap<String, u64>,
}

impl Making<'_> {
    fn is_target(&self, replica: &Replica) -> bool {
        replica.is_live() && (self.request.to.is_empty() || self.request.to.contains(&replica.name))
    }

    fn is_source(&self, replica: &Replica) -> bool {
        replica.is_live() && self.request.from.as_ref().is_none_or(|from| *from == replica.name)
    }

    /// Counts LIST requests: so many on the replica with this number.
    fn count_lists(&mut self, on: impl Fn(usize) -> u64) {
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
    async fn trust(&mut self) {
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

    fn ledger(&mut self, ledger: &Ledger) {
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
    async fn space(&mut self, name: &Name, snapshots: &[&Snapshot]) -> Result<Vec<Problem>> {
        let vault = self.vault;
        let space = Space::load(vault, name).await?;
        self.count_lists(|at| {
            let listing = space.listing(at);
            listing.map_or(0, |own| {
                let counts = [own.bodies.len(), own.headers.values().map(Vec::len).sum(), own.indexes.len()];
                // And the marks.
                counts.into_iter().map(list_requests).sum::<u64>() + 1
            })
        });
        let reader = Reader::new(vault, &space);
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
        let sources: HashSet<String> = self
            .vault
            .replicas
            .all()
            .iter()
            .filter(|other| self.is_source(other))
            .map(|other| other.name.clone())
            .collect();
        let target = self.target(replica);
        target.copies.extend(copies.into_values());
        for (snapshot, packs) in new {
            let marked = packs
                .iter()
                .find(|number| listing.marked.contains(&space.index.packs()[**number as usize].id));
            if packs.iter().any(|pack| lost.contains(pack)) {
                // Named as lost; its manifest would promise what is not there.
                continue;
            }
            if let Some(number) = marked {
                let why = format!(
                    "{} on {} is marked for pruning; `prismvault prune` takes the mark back, because it is needed again",
                    layout::pack(&space.name, &space.index.packs()[*number as usize].id),
                    replica.name
                );
                target.waiting.push(Waiting { snapshot: snapshot.id().clone(), why });
                continue;
            }
            let from: Vec<String> =
                snapshot.on.iter().filter(|name| sources.contains(*name)).cloned().collect();
            if from.is_empty() {
                let why = "the replica that may be copied from does not hold it".to_owned();
                target.waiting.push(Waiting { snapshot: snapshot.id().clone(), why });
                continue;
            }
            let needs = packs.iter().filter_map(|pack| of_pack.get(pack)).flatten().cloned().collect();
            target.snapshots.push(SnapshotCopy {
                repository: snapshot.manifest.repository.clone(),
                snapshot: snapshot.id().clone(),
                from,
                needs,
            });
        }
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
        let header = pack.header.map(|(digest, size)| {
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
            match other.store.head(key).await {
                Ok(meta) if meta.size == size => found.push(other.name.clone()),
                Ok(_) => {}
                Err(error) if error.kind == StoreKind::NotFound => {}
                Err(error) => other.fail(error),
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
    async fn removed(&mut self, snapshots: &Snapshots) {
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

/// Forecasts requests and bytes for each replica, if every first source has a good copy.
pub fn traffic_of(plan: &Plan, range_bytes: u64) -> BTreeMap<String, Traffic> {
    let listed =
        plan.lists.iter().map(|(name, list)| (name.clone(), Traffic { list: *list, ..Traffic::default() }));
    let mut traffic: BTreeMap<String, Traffic> = listed.collect();
    // An object that goes to several replicas is read once.
    let mut read: HashSet<&str> = HashSet::new();
    for target in &plan.targets {
        for copy in &target.copies {
            let own = traffic.entry(target.replica.clone()).or_default();
            if copy.how == How::Unconfirmed {
                own.head += 1;
                continue;
            }
            let signed = layout::promised_digest(&copy.key).is_none();
            let objects = 1 + u64::from(signed && layout::signed_file(&copy.key) == copy.key);
            own.objects += objects;
            own.bytes += copy.size;
            own.put += objects;
            own.head += objects;
            if let Some(from) = copy.from.first().filter(|_| read.insert(&copy.key)) {
                let source = traffic.entry(from.clone()).or_default();
                source.bytes_read += copy.size;
                source.head += objects;
                // Signed files are read once more, to be checked with their signature.
                source.get +=
                    if signed { objects * 3 } else { copy.size.div_ceil(range_bytes.max(1)).max(1) };
            }
        }
        for snapshot in &target.snapshots {
            let own = traffic.entry(target.replica.clone()).or_default();
            own.objects += 2;
            own.put += 2;
            own.head += 2;
            if let Some(from) = snapshot.from.first().filter(|_| read.insert(snapshot.snapshot.as_str())) {
                let source = traffic.entry(from.clone()).or_default();
                source.head += 2;
                source.get += 6;
            }
        }
    }
    traffic
}
