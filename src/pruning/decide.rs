//! From what was seen to what is to be done. Nothing is read or written here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::TimeDelta;

use super::plan::{
    Deletion, Kept, Kind, MarkPlan, MergePlan, PrunePlan, ReplicaPlan, Requests, Tally, Waiting,
};
use super::survey::{ReplicaState, SpaceState, Survey};
use super::{cost, repack};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::{Digest, Name};
use crate::limits::Limits;
use crate::objects::ObjectMeta;
use crate::vault::fate::Removal;
use crate::vault::format::ledger::PackHeader;
use crate::vault::index::Listing;
use crate::vault::layout;
use crate::vault::marks::Found;
use crate::vault::open::Vault;
use crate::vault::snapshots::Snapshot;

/// What is decided about one space on one replica.
struct Local<'a> {
    name: &'a Name,
    replica: &'a ReplicaState,
    listing: &'a Listing,
    limits: &'a Limits,
    /// Packs that snapshots need which the replica is to hold.
    needed: BTreeSet<Digest>,
    /// Packs of which there is a body or a header.
    present: BTreeSet<Digest>,
    /// Manifests that are here and removed.
    leaving: BTreeMap<&'a str, Leaving<'a>>,
    /// Marks that are taken back.
    released: Vec<&'a Found>,
    /// Marks older than the grace.
    ripe: Vec<&'a Found>,
    /// Marks that count on: all but those that are taken back.
    standing: Vec<&'a Found>,
}

/// Index objects of a space and the packs that each describes.
type Describes = BTreeMap<Digest, BTreeSet<Digest>>;

/// Decides what is to be done; with a share in percent, also which packs are rewritten.
pub(super) fn decide(vault: &Vault, survey: &Survey, repack_below: Option<u8>) -> PrunePlan {
    let limits = vault.limits();
    let chosen = repack_below.map(|below| repack::choose(survey, below, limits));
    let (repack, superseded) = chosen.map_or_else(Default::default, |(plan, old)| (Some(plan), old));
    let mut plan = PrunePlan {
        vault: vault.file.vault,
        state: survey.digest(),
        merges: Vec::new(),
        repack,
        replicas: survey.replicas.iter().map(empty_plan).collect(),
    };
    for (at, replica) in survey.replicas.iter().enumerate() {
        lone_signatures(replica, limits, &mut plan.replicas[at]);
    }
    for state in &survey.spaces {
        let describes = describes(state);
        let replicas = 0..survey.replicas.len();
        let locals: Vec<Local<'_>> =
            replicas.filter_map(|at| Local::of(survey, state, at, limits, &superseded)).collect();
        let merge = merge(state, &describes, &locals, limits);
        for (local, own) in locals.iter().zip(&mut plan.replicas) {
            local.mark(state, &describes, merge.as_ref(), own);
            local.delete(state, &describes, own);
            local.wait(own);
        }
        plan.merges.extend(merge);
    }
    for (own, replica) in plan.replicas.iter_mut().zip(&survey.replicas) {
        finished_marks(replica, limits, own);
        own.delete.sort_by(|a, b| (a.kind, &a.key).cmp(&(b.kind, &b.key)));
        own.kept.sort();
        own.requests = cost::of(own, replica, plan.repack.as_ref(), &plan.merges, limits);
    }
    plan
}

fn empty_plan(replica: &ReplicaState) -> ReplicaPlan {
    ReplicaPlan {
        replica: replica.name.clone(),
        id: replica.id,
        mark: Vec::new(),
        release: Vec::new(),
        delete: Vec::new(),
        waiting: Vec::new(),
        kept: Vec::new(),
        fresh: Tally::default(),
        stays: Tally::default(),
        requests: Requests::default(),
    }
}

/// A manifest on a replica that is no longer to hold it.
struct Leaving<'a> {
    snapshot: &'a Snapshot,
    removal: &'a Removal,
    object: &'a ObjectMeta,
    signature: Option<&'a ObjectMeta>,
}

impl Leaving<'_> {
    fn size(&self) -> Tally {
        let mut size = Tally::default();
        [Some(self.object), self.signature].into_iter().flatten().for_each(|object| size.add(object.size));
        size
    }
}

/// Returns the manifests of a space that a replica has and is no longer to hold, by key.
fn leaving<'a>(
    survey: &'a Survey,
    space: &Name,
    replica: &'a ReplicaState,
) -> BTreeMap<&'a str, Leaving<'a>> {
    let mut leaving = BTreeMap::new();
    for snapshot in survey.all_snapshots().filter(|snapshot| snapshot.manifest.space == *space) {
        let Some(removal) = &snapshot.fate.removed else { continue };
        let Some(object) = replica.manifests.get(&snapshot.manifest.key) else { continue };
        if snapshot.fate.is_removed_from(Some(replica.id)) {
            let signature = replica.manifests.get(&layout::signature(&object.key));
            leaving.insert(object.key.as_str(), Leaving { snapshot, removal, object, signature });
        }
    }
    leaving
}

/// Signatures of manifests of which a crash left nothing else.
fn lone_signatures(replica: &ReplicaState, limits: &Limits, own: &mut ReplicaPlan) {
    for (key, object) in &replica.manifests {
        let lone = signed_file(key).is_some_and(|file| !replica.manifests.contains_key(file));
        let old = object.modified.is_some_and(|at| replica.now >= ripe_at(at, limits));
        if lone && old {
            own.delete.push(Deletion {
                kind: Kind::Signature,
                key: key.clone(),
                bytes: object.size,
                sha256: None,
                reason: "the file that it signs is not there".to_owned(),
            });
        }
    }
}

/// The signed file that a signature belongs to.
fn signed_file(key: &str) -> Option<&str> {
    let file = key.strip_suffix(".minisig")?;
    layout::parse_entry(file).map(|_| file)
}

/// Signatures of marks of which a crash left nothing else.
fn finished_marks(replica: &ReplicaState, limits: &Limits, own: &mut ReplicaPlan) {
    for (key, object) in &replica.marks {
        let lone = signed_file(key).is_some_and(|file| !replica.marks.contains_key(file));
        let old = object.modified.is_some_and(|at| replica.now >= ripe_at(at, limits));
        if lone && old {
            own.delete.push(Deletion {
                kind: Kind::Mark,
                key: key.clone(),
                bytes: object.size,
                sha256: None,
                reason: "its mark is gone".to_owned(),
            });
        }
    }
}

fn span(duration: std::time::Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// Whether something was written so lately that the run which wrote it may not have committed yet.
pub(super) fn is_fresh(listing: &Listing, id: &Digest, now: Timestamp, limits: &Limits) -> bool {
    listing.written.get(id).is_some_and(|at| now < *at + span(limits.max_run))
}

/// Bytes and number of the objects of a pack: the body, and all headers.
pub(super) fn size_of_pack(listing: &Listing, id: &Digest) -> Tally {
    let mut size = Tally::default();
    listing.bodies.get(id).into_iter().for_each(|bytes| size.add(*bytes));
    listing.headers.get(id).into_iter().flatten().for_each(|(_, bytes)| size.add(*bytes));
    size
}

/// When something of this age may be deleted.
pub(super) fn ripe_at(at: Timestamp, limits: &Limits) -> Timestamp {
    at.checked_add_signed(span(limits.grace())).unwrap_or(Timestamp::MAX_UTC)
}

/// When a mark may be carried out: by the time at which the store says that it was written, and
/// never before the time that it claims itself.
fn mark_ripe_at(found: &Found, limits: &Limits) -> Timestamp {
    let claimed = found.mark.id.time();
    ripe_at(found.written.map_or(claimed, |written| written.max(claimed)), limits)
}

fn describes(state: &SpaceState) -> Describes {
    let mut describes = Describes::new();
    for replica in (0..state.needed.len()).filter_map(|at| state.space.listing(at)) {
        describes.extend(replica.indexes.keys().map(|index| (*index, BTreeSet::new())));
    }
    for pack in state.space.index.packs() {
        for index in pack.indexed_by.iter().chain(&pack.formerly_indexed_by) {
            describes.entry(*index).or_default().insert(pack.id);
        }
    }
    describes
}

impl<'a> Local<'a> {
    fn of(
        survey: &'a Survey,
        state: &'a SpaceState,
        at: usize,
        limits: &'a Limits,
        superseded: &HashSet<Digest>,
    ) -> Option<Self> {
        let (space, replica) = (&state.space, &survey.replicas[at]);
        let listing = space.listing(at)?;
        let leaving = leaving(survey, &space.name, replica);
        let needed: BTreeSet<Digest> = state.needed[at]
            .packs_without(space, at, superseded)
            .into_iter()
            .map(|number| space.index.packs()[number as usize].id)
            .collect();
        let present = listing.bodies.keys().chain(listing.headers.keys()).copied().collect();
        let (ripe, young): (Vec<&Found>, Vec<&Found>) =
            listing.marks.iter().partition(|found| replica.now >= mark_ripe_at(found, limits));
        let stays = |key: &String| replica.manifests.contains_key(key) && !leaving.contains_key(key.as_str());
        let wrong = |found: &&Found| {
            found.mark.packs.iter().any(|pack| needed.contains(pack))
                || found.mark.manifests.iter().any(stays)
        };
        let (released, mut standing): (Vec<&Found>, Vec<&Found>) = young.into_iter().partition(wrong);
        standing.extend(&ripe);
        let name = &space.name;
        Some(Self { name, replica, listing, limits, needed, present, leaving, released, ripe, standing })
    }

    fn is_fresh(&self, id: &Digest) -> bool {
        is_fresh(self.listing, id, self.replica.now, self.limits)
    }

    fn size_of_pack(&self, id: &Digest) -> Tally {
        size_of_pack(self.listing, id)
    }

    fn marked_packs(&self) -> HashSet<Digest> {
        self.standing.iter().flat_map(|found| found.mark.packs.iter().copied()).collect()
    }

    fn marked_indexes(&self) -> HashSet<Digest> {
        self.standing.iter().flat_map(|found| found.mark.indexes.iter().copied()).collect()
    }

    /// Keys of removed manifests that these marks name.
    fn manifests_of<'m>(&self, marks: impl IntoIterator<Item = &'m &'a Found>) -> BTreeSet<&'a str>
    where
        'a: 'm,
    {
        let named = marks.into_iter().flat_map(|found| &found.mark.manifests).map(String::as_str);
        named.filter(|key| self.leaving.contains_key(key)).collect()
    }

    /// Packs that are not needed, not marked, and old enough to be marked; and the fresh ones.
    fn unneeded(&self) -> (BTreeSet<Digest>, BTreeSet<Digest>) {
        let marked = self.marked_packs();
        let open = self.present.difference(&self.needed).filter(|pack| !marked.contains(*pack));
        open.copied().partition(|pack| !self.is_fresh(pack))
    }

    /// Index objects of which each pack that stays is described by another one that stays *here*:
    /// a replica that was away may lack what took the place of others. One that was retired takes
    /// nobody's place.
    fn redundant(
        &self,
        state: &SpaceState,
        describes: &Describes,
        staying: &BTreeSet<Digest>,
    ) -> BTreeSet<Digest> {
        let retired = &state.space.headers.retired_indexes;
        let marked = self.marked_indexes();
        let unmarked: Vec<&Digest> =
            self.listing.indexes.keys().filter(|index| !marked.contains(*index)).collect();
        let mut described: HashMap<&Digest, usize> = HashMap::new();
        for index in unmarked.iter().filter(|index| !retired.contains(*index)) {
            describes[*index].iter().for_each(|pack| *described.entry(pack).or_default() += 1);
        }
        // Those that describe least go first, so that a merged one stays; the order is the same
        // for everybody.
        let mut candidates: Vec<&Digest> =
            unmarked.into_iter().filter(|index| !self.is_fresh(index)).collect();
        candidates.sort_by_key(|index| (describes[*index].len(), **index));
        let mut redundant = BTreeSet::new();
        for index in candidates {
            let packs = &describes[index];
            let own = usize::from(!retired.contains(index));
            let by_others = |pack| described.get(pack).is_some_and(|count| *count > own);
            if packs.intersection(staying).all(by_others) {
                packs.iter().for_each(|pack| {
                    described.entry(pack).and_modify(|count| *count -= own);
                });
                redundant.insert(*index);
            }
        }
        redundant
    }

    /// Packs that stay once everything that is or will be marked is gone.
    fn staying(&self) -> BTreeSet<Digest> {
        let (_, fresh) = self.unneeded();
        self.needed.union(&fresh).copied().collect()
    }

    fn mark(
        &self,
        state: &SpaceState,
        describes: &Describes,
        merge: Option<&MergePlan>,
        own: &mut ReplicaPlan,
    ) {
        own.release.extend(self.released.iter().map(|found| found.mark.key.clone()));
        let (packs, fresh) = self.unneeded();
        fresh.iter().for_each(|pack| own.fresh += self.size_of_pack(pack));
        let staying = self.staying();
        let mut indexes = self.redundant(state, describes, &staying);
        if let Some(merge) = merge {
            indexes.extend(merge.indexes.iter().filter(|index| self.listing.indexes.contains_key(*index)));
        }
        let headers = self.unneeded_headers(state, &staying);
        let mut size = Tally::default();
        packs.iter().for_each(|pack| size += self.size_of_pack(pack));
        indexes.iter().filter_map(|index| self.listing.indexes.get(index)).for_each(|bytes| size.add(*bytes));
        headers.iter().for_each(|header| size.add(header.size));
        let announced = self.manifests_of(&self.standing);
        let manifests = self.leaving.iter().filter(|(key, _)| !announced.contains(**key));
        let manifests: Vec<String> = manifests
            .map(|(key, leaving)| {
                size += leaving.size();
                (*key).to_owned()
            })
            .collect();
        for pack in self.present.iter().filter(|pack| staying.contains(*pack)) {
            own.stays += self.size_of_pack(pack);
        }
        let marked = self.marked_indexes();
        for (index, bytes) in &self.listing.indexes {
            if !indexes.contains(index) && !marked.contains(index) {
                own.stays.add(*bytes);
            }
        }
        if size.objects > 0 {
            own.mark.push(MarkPlan {
                space: self.name.clone(),
                unindexed: packs.iter().filter(|pack| state.space.index.pack(pack).is_none()).count() as u64,
                packs: packs.into_iter().collect(),
                indexes: indexes.into_iter().collect(),
                headers,
                manifests,
                size,
            });
        }
    }

    /// Headers by which nobody is to read any more, of packs that stay readable without them: those
    /// that the ledger retired, and those that a crash left before anybody named them.
    fn unneeded_headers(&self, state: &SpaceState, staying: &BTreeSet<Digest>) -> Vec<PackHeader> {
        let marked: HashSet<&PackHeader> =
            self.standing.iter().flat_map(|found| &found.mark.headers).collect();
        let mut unneeded = Vec::new();
        for pack in staying.iter().filter_map(|id| state.space.index.pack(id)) {
            for (header, size) in self.listing.headers.get(&pack.id).into_iter().flatten().copied() {
                let named = PackHeader { pack: pack.id, header, size };
                // The entry that names a new one may be about to be written.
                let may_be_new = self.is_fresh(&pack.id) && !pack.retired.contains(&(header, size));
                if !may_be_new && !marked.contains(&named) && self.is_readable_without(state, &named) {
                    unneeded.push(named);
                }
            }
        }
        unneeded.sort_unstable();
        unneeded
    }

    fn has_header(&self, header: &PackHeader) -> bool {
        let listed = self.listing.headers.get(&header.pack);
        listed.is_some_and(|listed| listed.contains(&(header.header, header.size)))
    }

    /// Whether nobody is to read the pack by this header, and the one for those who are to read it
    /// now is here.
    fn is_readable_without(&self, state: &SpaceState, unneeded: &PackHeader) -> bool {
        state.space.index.pack(&unneeded.pack).is_some_and(|pack| {
            pack.headers().all(|(header, _)| header != unneeded.header)
                && pack.needed_header().is_some_and(|needed| self.listing.has_header(pack, &needed))
        })
    }

    /// Carries out ripe marks, as far as what they name is still not needed.
    fn delete(&self, state: &SpaceState, describes: &Describes, own: &mut ReplicaPlan) {
        if self.ripe.is_empty() {
            return;
        }
        let named: BTreeSet<Digest> =
            self.ripe.iter().flat_map(|found| found.mark.packs.iter().copied()).collect();
        self.delete_manifests(own);
        // Who writes a pack anew that was about to go has a reason for it.
        let stays = |pack: &Digest| self.needed.contains(pack) || self.is_fresh(pack);
        let (staying, going): (BTreeSet<Digest>, BTreeSet<Digest>) = named.into_iter().partition(stays);
        for pack in &going {
            self.delete_pack(pack, own);
        }
        for pack in staying.iter().filter(|pack| self.present.contains(*pack)) {
            let why =
                if self.needed.contains(pack) { "a snapshot needs it again" } else { "it was written anew" };
            own.kept.push(self.kept(layout::pack(self.name, pack), why));
        }
        self.delete_indexes(state, describes, &going, own);
        self.delete_headers(state, &going, own);
        for found in &self.ripe {
            for key in [found.mark.key.clone(), layout::signature(&found.mark.key)] {
                let Some(object) = self.replica.marks.get(&key) else { continue };
                own.delete.push(Deletion {
                    kind: Kind::Mark,
                    key,
                    bytes: object.size,
                    sha256: None,
                    reason: "it is carried out".to_owned(),
                });
            }
        }
    }

    /// A manifest goes when a ripe mark names it and its removal is as old: whoever takes the removal
    /// back has to do so in the first half of that time, so no pruning that could still delete it
    /// misses the entry.
    fn delete_manifests(&self, own: &mut ReplicaPlan) {
        for key in self.manifests_of(&self.ripe) {
            let Leaving { snapshot, removal, object, signature } = &self.leaving[key];
            if self.replica.now < ripe_at(removal.entry.time(), self.limits) {
                continue;
            }
            let reason = format!("removed by {}: {}", removal.entry, removal.rule);
            let manifest = (Kind::Manifest, *object, Some(snapshot.digest));
            let signature = signature.map(|signature| (Kind::Signature, signature, None));
            for (kind, object, sha256) in [Some(manifest), signature].into_iter().flatten() {
                let (key, bytes, reason) = (object.key.clone(), object.size, reason.clone());
                own.delete.push(Deletion { kind, key, bytes, sha256, reason });
            }
        }
        let named: BTreeSet<&String> = self.ripe.iter().flat_map(|found| &found.mark.manifests).collect();
        for key in named {
            if self.replica.manifests.contains_key(key) && !self.leaving.contains_key(key.as_str()) {
                own.kept.push(self.kept(key.clone(), "its removal was taken back, or it is under hold"));
            }
        }
    }

    fn delete_pack(&self, pack: &Digest, own: &mut ReplicaPlan) {
        let reason = "no snapshot that this replica is to hold needs it".to_owned();
        for (header, bytes) in self.listing.headers.get(pack).into_iter().flatten() {
            own.delete.push(Deletion {
                kind: Kind::Header,
                key: layout::header(self.name, pack, header),
                bytes: *bytes,
                sha256: None,
                reason: reason.clone(),
            });
        }
        if let Some(bytes) = self.listing.bodies.get(pack) {
            own.delete.push(Deletion {
                kind: Kind::Body,
                key: layout::pack(self.name, pack),
                bytes: *bytes,
                sha256: None,
                reason,
            });
        }
    }

    /// An index object goes when each pack that stays is described by one that no mark names,
    /// whatever its mark says: two hosts may each have marked what the other kept.
    fn delete_indexes(
        &self,
        state: &SpaceState,
        describes: &Describes,
        going: &BTreeSet<Digest>,
        own: &mut ReplicaPlan,
    ) {
        let retired = &state.space.headers.retired_indexes;
        let staying: BTreeSet<Digest> = self.present.difference(going).chain(&self.needed).copied().collect();
        let marked: HashSet<Digest> =
            self.listing.marks.iter().flat_map(|found| found.mark.indexes.iter().copied()).collect();
        let kept_by: HashSet<Digest> = self
            .listing
            .indexes
            .keys()
            .filter(|index| !marked.contains(*index) && !retired.contains(*index))
            .flat_map(|index| describes[index].iter().copied())
            .collect();
        let named: BTreeSet<Digest> =
            self.ripe.iter().flat_map(|found| found.mark.indexes.iter().copied()).collect();
        for index in named {
            let Some(bytes) = self.listing.indexes.get(&index) else { continue };
            let key = layout::index(self.name, &index);
            if describes[&index].intersection(&staying).all(|pack| kept_by.contains(pack)) {
                own.delete.push(Deletion {
                    kind: Kind::Index,
                    key,
                    bytes: *bytes,
                    sha256: None,
                    reason: "its packs go, or another index object describes them".to_owned(),
                });
            } else {
                own.kept.push(self.kept(key, "it describes a pack that stays"));
            }
        }
    }

    fn delete_headers(&self, state: &SpaceState, going: &BTreeSet<Digest>, own: &mut ReplicaPlan) {
        let named: BTreeSet<PackHeader> =
            self.ripe.iter().flat_map(|found| found.mark.headers.iter().copied()).collect();
        for header in named.into_iter().filter(|header| !going.contains(&header.pack)) {
            if !self.has_header(&header) {
                continue;
            }
            let key = layout::header(self.name, &header.pack, &header.header);
            if self.is_readable_without(state, &header) {
                own.delete.push(Deletion {
                    kind: Kind::Header,
                    key,
                    bytes: header.size,
                    sha256: None,
                    reason: "the ledger retired it, or never named it".to_owned(),
                });
            } else {
                own.kept.push(self.kept(key, "without it nobody could decrypt the pack"));
            }
        }
    }

    fn kept(&self, key: String, reason: &str) -> Kept {
        Kept { replica: self.replica.name.clone(), key, reason: reason.to_owned() }
    }

    /// Marks that are not old enough.
    fn wait(&self, own: &mut ReplicaPlan) {
        let ripe: HashSet<&str> = self.ripe.iter().map(|found| found.mark.key.as_str()).collect();
        for found in self.standing.iter().filter(|found| !ripe.contains(found.mark.key.as_str())) {
            let mut size = Tally::default();
            found.mark.packs.iter().for_each(|pack| size += self.size_of_pack(pack));
            let indexes = found.mark.indexes.iter().filter_map(|index| self.listing.indexes.get(index));
            indexes.for_each(|bytes| size.add(*bytes));
            let headers = found.mark.headers.iter().filter(|header| self.has_header(header));
            headers.for_each(|header| size.add(header.size));
            own.waiting.push(Waiting {
                key: found.mark.key.clone(),
                size,
                deletable_after: rfc3339(mark_ripe_at(found, self.limits)),
            });
        }
        let announced = self.manifests_of(&self.ripe);
        for (key, leaving) in self.leaving.iter().filter(|(key, _)| !announced.contains(**key)) {
            let naming =
                self.standing.iter().filter(|found| found.mark.manifests.iter().any(|one| one == key));
            let Some(marked) = naming.map(|found| mark_ripe_at(found, self.limits)).min() else { continue };
            let removed = ripe_at(leaving.removal.entry.time(), self.limits);
            own.waiting.push(Waiting {
                key: (*key).to_owned(),
                size: leaving.size(),
                deletable_after: rfc3339(marked.max(removed)),
            });
        }
    }
}

/// Says which small index objects become one, if they are many: those that stay everywhere, that
/// no run may be writing, and that no mark names.
fn merge(
    state: &SpaceState,
    describes: &Describes,
    locals: &[Local<'_>],
    limits: &Limits,
) -> Option<MergePlan> {
    let mut small: BTreeMap<Digest, u64> = BTreeMap::new();
    let mut out: HashSet<Digest> = HashSet::new();
    let mut staying: BTreeSet<Digest> = BTreeSet::new();
    for local in locals {
        let own = local.staying();
        out.extend(local.listing.marks.iter().flat_map(|found| found.mark.indexes.iter().copied()));
        out.extend(local.redundant(state, describes, &own));
        for (index, bytes) in &local.listing.indexes {
            if local.is_fresh(index) || *bytes >= limits.index_merge_bytes {
                out.insert(*index);
            }
            small.insert(*index, *bytes);
        }
        staying.extend(own);
    }
    small.retain(|index, _| !out.contains(index));
    if small.len() <= limits.index_merge_count {
        return None;
    }
    let mut bytes = 0;
    // More than one object can take is merged the next time.
    let fits = |(_, size): &(Digest, u64)| {
        bytes += size;
        bytes <= limits.index_bytes_max / 4
    };
    let indexes: Vec<Digest> = small.into_iter().take_while(fits).map(|(index, _)| index).collect();
    let packs: BTreeSet<Digest> =
        indexes.iter().flat_map(|index| describes[index].intersection(&staying).copied()).collect();
    Some(MergePlan { space: state.space.name.clone(), indexes, packs: packs.into_iter().collect() })
}
