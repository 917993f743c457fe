//! Objects: those that manifests need, on each replica.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::StreamExt as _;
use futures_util::stream;

use super::audit::check_audit;
use super::budget;
use super::content::{self, CheckedItems, Trees};
use super::erased;
use super::hidden;
use super::losses;
use super::memory::{Memory, unit_of};
use super::report::{AffectedSnapshot, DamageKind, Level, SnapshotNeeds, VerifyOptions, VerifyReport};
use crate::ids::{Digest, ItemId, Name};
use crate::locks::{self, ReplicaLocks, SurveyOptions};
use crate::objects::{ErrorKind as StoreKind, StoreError};
use crate::progress::{Phase, Problem};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::format::index::PackKind;
use crate::vault::index::{Listing, Pack, PackNumber};
use crate::vault::layout;
use crate::vault::ledger::Ledger;
use crate::vault::needs::{Needed, Needs};
use crate::vault::open::Vault;
use crate::vault::reader::{LOST_INDEX_HINT, Reader};
use crate::vault::replica::{Failure, Replica, with_causes};
use crate::vault::snapshots::{Snapshot, Snapshots};
use crate::vault::space::Space;
use crate::vault::stretch::HashedBody;

/// An object that must be there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) size: Option<u64>,
    pub(super) digest: Digest,
}

/// Verifies the vault on every replica.
///
/// # Errors
///
/// When nothing can be verified at all: an identity is missing, too few replicas answer. Damage
/// is in the report, not an error.
#[tracing::instrument(name = "verify", skip_all)]
pub async fn verify(vault: &Vault, options: &VerifyOptions<'_>) -> Result<VerifyReport> {
    if options.level == Some(Level::Content) {
        vault.require_content_identity()?;
    }
    for name in &options.scope.replicas {
        vault.replicas.require_known(name)?;
    }
    let until = options.scope.max_duration.map(|longest| budget::after(vault.now(), longest));
    let mut report = VerifyReport { until, ..VerifyReport::default() };
    options.progress.start(Phase::OpenVault, None);
    let snapshots = Snapshots::load(vault, None).await?;
    for problem in snapshots.unreadable.iter().chain(&snapshots.missing(vault)?) {
        let kind =
            if problem.code == "manifest-unreadable" { DamageKind::Damaged } else { DamageKind::Missing };
        report.add(kind, "", problem.subject.clone(), problem.detail.clone());
    }
    let chosen: Vec<&Snapshot> = snapshots
        .iter()
        .filter(|snapshot| options.snapshots.is_empty() || options.snapshots.contains(snapshot.id()))
        .collect();
    report.snapshots = chosen.len() as u64;
    let mut by_space: BTreeMap<&Name, Vec<&Snapshot>> = BTreeMap::new();
    for snapshot in &chosen {
        by_space.entry(&snapshot.manifest.space).or_default().push(snapshot);
    }
    options.progress.finish(Phase::OpenVault);
    signed_files(vault, &chosen, options, &mut report).await;
    if options.snapshots.is_empty() {
        check_audit(vault, &snapshots, &options.scope, &mut report).await?;
    }
    if snapshots.iter().next().is_none() {
        // Silence about an empty vault must not be success by accident.
        for replica in vault.replicas.live() {
            if !replica.store.list(layout::PACKS).await?.is_empty() {
                let detail =
                    "it holds packs and no snapshot: a first run was killed, or every manifest was deleted";
                report.add(DamageKind::Behind, &replica.name, layout::SNAPSHOTS, detail);
            }
        }
    }
    let memory = match options.scope.remember || options.scope.is_limited() {
        true => Memory::load(vault, by_space.keys().copied(), options).await,
        false => Memory::default(),
    };
    if options.scope.is_limited() {
        budget::check(vault, &by_space, &memory, options, &mut report).await?;
    }
    let mut lost_packs = BTreeSet::new();
    for (space, snapshots) in by_space {
        match verify_space(vault, space, &snapshots, options, &mut report).await {
            // What was good until then is remembered.
            Err(error) if error.kind == ErrorKind::Cancelled => break,
            verified => lost_packs.extend(verified?),
        }
    }
    failed_replicas(vault, options, &mut report);
    if options.level != Some(Level::Presence) && !options.cancel.is_cancelled() {
        report.locks = look_at_locks(vault, options).await?;
    }
    hidden::signed_files(vault, &snapshots, options, &mut report);
    super::requests::check(vault, options, &mut report).await;
    super::drills::check(vault, options, &mut report).await;
    if options.scope.remember {
        memory.keep(vault, options, &mut report).await;
    }
    report.warnings.extend(vault.warnings());
    report.sort();
    report.lost = losses::lost_keys(vault, &report, &lost_packs);
    if options.cancel.is_cancelled() {
        return Err(VaultError::cancelled());
    }
    Ok(report)
}

/// Reports the replicas that could not be asked, or not to the end.
fn failed_replicas(vault: &Vault, options: &VerifyOptions<'_>, report: &mut VerifyReport) {
    let asked = |(name, _): &(String, Failure)| options.scope.includes(name);
    for (name, failure) in vault.replicas.failed().into_iter().filter(asked) {
        let kind = match failure.kind {
            ErrorKind::NotAVault => DamageKind::Missing,
            ErrorKind::Integrity => DamageKind::Damaged,
            ErrorKind::NotTrusted => DamageKind::NotAuthentic,
            _ => DamageKind::Unreadable,
        };
        let next = failure.hint.map(|hint| format!("; next: {hint}")).unwrap_or_default();
        report.add(kind, &name, "", failure.why + &next);
    }
}

/// Versions of a replica whose locks a verification reads that does not read all bytes either.
const LOCKS_SAMPLED: usize = 1000;

/// Compares locks with what was promised: all of them where all bytes are read, else some.
async fn look_at_locks(vault: &Vault, options: &VerifyOptions<'_>) -> Result<Vec<ReplicaLocks>> {
    let all = matches!(options.level, Some(Level::Bytes | Level::Content)) && !options.scope.is_limited();
    let survey = SurveyOptions {
        replicas: options.scope.replicas.clone(),
        sample: (!all).then_some(LOCKS_SAMPLED),
        places: false,
        cancel: options.cancel.clone(),
    };
    Ok(locks::survey(vault, &survey).await?.replicas)
}

/// Checks trust records and manifests on each replica by itself.
async fn signed_files(
    vault: &Vault,
    chosen: &[&Snapshot],
    options: &VerifyOptions<'_>,
    report: &mut VerifyReport,
) {
    for same in vault.same_replicas().await {
        let hint = "`prismvault repair` tells which, and gives a copy at another place an id of its own";
        let detail = format!("{}; {hint}", same.sentence());
        report.add(DamageKind::SameReplica, &same.second, layout::REPLICA, detail);
    }
    for replica in vault.replicas.live().filter(|replica| options.scope.includes(&replica.name)) {
        report.count(&replica.name, 2);
        for (key, error) in vault.check_own_files_on(replica).await {
            report.add(damage_kind(&error), &replica.name, key, with_causes(&error));
        }
        for (key, result) in vault.check_trust_on(replica).await {
            report.count(&replica.name, 1);
            match result {
                Err(error) if error.kind == ErrorKind::Store(StoreKind::NotFound) => {
                    // Keys were changed while it was away.
                    report.add(DamageKind::Behind, &replica.name, key, with_causes(&error));
                }
                Err(error) => report.add(damage_kind(&error), &replica.name, key, with_causes(&error)),
                Ok(()) => {}
            }
        }
        let wanted = chosen.iter().filter(|snapshot| snapshot.is_wanted_on(replica));
        let checks = stream::iter(wanted)
            .map(|snapshot| async move {
                let key = layout::manifest(&snapshot.manifest.repository, snapshot.id());
                (snapshot, vault.check_manifest_on(replica, &key).await, key)
            })
            .buffered(vault.limits().store_concurrency);
        let checks: Vec<_> = checks.collect().await;
        for (snapshot, result, key) in checks {
            report.count(&replica.name, 1);
            match result {
                Ok(()) => {}
                Err(error) if error.kind == ErrorKind::Store(StoreKind::NotFound) => {
                    // Who does not have the manifest does not claim to hold the snapshot.
                    let detail = format!(
                        "{} holds this snapshot and {} does not",
                        snapshot.on.join(", "),
                        replica.name
                    );
                    report.add(DamageKind::Behind, &replica.name, key, detail);
                }
                Err(error) => report.add(damage_kind(&error), &replica.name, key, with_causes(&error)),
            }
        }
    }
}

pub(super) fn damage_kind(error: &VaultError) -> DamageKind {
    match error.kind {
        ErrorKind::NotTrusted => DamageKind::NotAuthentic,
        ErrorKind::Store(StoreKind::NotFound) => DamageKind::Missing,
        ErrorKind::Store(_) => DamageKind::Unreadable,
        _ => DamageKind::Damaged,
    }
}

/// Verifies what is in a space; returns the keys of packs that no replica has a good copy of.
async fn verify_space(
    vault: &Vault,
    name: &Name,
    snapshots: &[&Snapshot],
    options: &VerifyOptions<'_>,
    report: &mut VerifyReport,
) -> Result<Vec<String>> {
    let space = Space::load_from_replicas(vault, name).await?;
    verify_ledger(vault, name, snapshots, options, report).await;
    let reader = Reader::new(vault, &space).with_restricted();
    let mut entries: HashMap<ItemId, CatalogEntry> = HashMap::new();
    let mut needs = Needs::new(&reader, &space);
    let mut readable: Vec<(&Snapshot, Needed)> = Vec::new();
    let mut trees = Trees::default();
    for snapshot in snapshots {
        let read = async {
            let needed = needs.of(&snapshot.manifest).await?;
            if options.level == Some(Level::Content) {
                trees.read_catalog(&reader, snapshot, &mut entries).await?;
                content::check_closure(&reader, snapshot, &mut trees, report).await;
            }
            Ok::<_, VaultError>(needed)
        };
        match read.await {
            Ok(needed) => readable.push((snapshot, needed)),
            Err(error) => {
                let key = layout::manifest(&snapshot.manifest.repository, snapshot.id());
                let mut detail = format!("its catalog cannot be read: {}", with_causes(&error));
                if let Some(hint) = error.next_step().filter(|hint| *hint == LOST_INDEX_HINT) {
                    detail = format!("{detail}; {hint}");
                }
                report.add(damage_kind(&error), "", key, detail);
                report.affected.push(AffectedSnapshot::without_catalog(snapshot));
            }
        }
    }
    drop(trees);
    let mut left = BTreeMap::new();
    for (at, replica) in vault.replicas.all().iter().enumerate() {
        if replica.is_live() && options.scope.includes(&replica.name) {
            left.insert(at, verify_replica(vault, &space, (at, replica), &readable, options, report).await?);
        }
    }
    erased::tell(vault, &space, report);
    // An index object that nobody can read is damage if anything cannot be found without it.
    let lost = report
        .damage
        .iter()
        .any(|damage| damage.kind.is_integrity() && damage.key == format!("{}/{name}", layout::INDEX));
    let unread = readable.len() < snapshots.len();
    for problem in &space.unreadable {
        if lost || unread {
            let detail = format!("{}; {LOST_INDEX_HINT}", problem.detail);
            report.add(DamageKind::Damaged, "", problem.subject.clone(), detail);
        } else {
            let detail = format!("no snapshot needs it; remove it where it lies ({})", problem.detail);
            report.warnings.push(Problem::new("not-an-index", problem.subject.clone(), detail));
        }
    }
    let mut damaged = HashSet::new();
    if options.level == Some(Level::Content) {
        let checked = verify_content(vault, &reader, &space, entries, options, report).await?;
        verify_left(vault, &space, left, &checked.bodies, options, report).await?;
        damaged = checked.damaged;
    }
    let lost = losses::lost_packs(vault, &space, &report.damage);
    let readable: Vec<&Snapshot> = readable.into_iter().map(|(snapshot, _)| snapshot).collect();
    report.affected.extend(losses::affected(&reader, &space, &lost, &damaged, &readable).await);
    Ok(losses::keys_of(&space, name, &lost))
}

/// Checks the ledger of a space: that it is whole, and its copies.
async fn verify_ledger(
    vault: &Vault,
    name: &Name,
    snapshots: &[&Snapshot],
    options: &VerifyOptions<'_>,
    report: &mut VerifyReport,
) {
    let ledger = Ledger::load(vault, name).await;
    match &ledger {
        Ok(ledger) => {
            for problem in &ledger.unreadable {
                report.add(DamageKind::NotAuthentic, "", problem.subject.clone(), problem.detail.clone());
            }
            let named = snapshots.iter().flat_map(|snapshot| &snapshot.manifest.ledger);
            if let Err(error) = ledger.require_whole(vault, named) {
                report.add(
                    DamageKind::Missing,
                    "",
                    format!("{}/{name}", layout::LEDGER),
                    with_causes(&error),
                );
            }
            let copies = ledger.check_copies(vault).await.into_iter();
            for (replica, key, error) in copies.filter(|(replica, ..)| options.scope.includes(replica)) {
                let kind = if error.kind == ErrorKind::Store(StoreKind::NotFound) {
                    DamageKind::Behind
                } else {
                    damage_kind(&error)
                };
                report.add(kind, &replica, key, with_causes(&error));
            }
        }
        Err(error) => {
            report.add(damage_kind(error), "", format!("{}/{name}", layout::LEDGER), with_causes(error));
        }
    }
}

/// Verifies what one replica holds of a space; returns the bodies that are left to those who read
/// their content: nothing is read twice.
async fn verify_replica(
    vault: &Vault,
    space: &Space,
    (at, replica): (usize, &Replica),
    readable: &[(&Snapshot, Needed)],
    options: &VerifyOptions<'_>,
    report: &mut VerifyReport,
) -> Result<BTreeSet<Object>> {
    let mut needed = Needed::default();
    for (snapshot, more) in readable.iter().filter(|(snapshot, _)| snapshot.on.contains(&replica.name)) {
        needed.extend(more);
        if options.scope.remember {
            let packs = more.packs_on(space, at).into_iter();
            report.needs.push(SnapshotNeeds {
                replica: replica.name.clone(),
                space: space.name.clone(),
                snapshot: snapshot.id().clone(),
                manifest: snapshot.manifest.key.clone(),
                units: packs.map(|number| space.index.packs()[number as usize].id).collect(),
            });
        }
    }
    let needed = presence(space, at, replica, &needed, report);
    hidden::objects(replica, needed.iter().map(|object| object.key.as_str()), report);
    if options.scope.remember {
        let units = needed.iter().filter_map(|object| unit_of(&object.key));
        report.there.extend(units.map(|unit| (replica.name.clone(), unit)));
    }
    let level = object_level(replica, options)?;
    if !report.levels.iter().any(|(name, _)| *name == replica.name) {
        report.levels.push((replica.name.clone(), options.level.unwrap_or(level)));
    }
    // What a budget allows was looked at before.
    if options.scope.is_limited() {
        return Ok(BTreeSet::new());
    }
    let (left, now) = needed.into_iter().partition(|object| is_left(space, at, object, options));
    verify_objects(vault, replica, now, options, report).await?;
    Ok(left)
}

/// Whether an object is a body that whoever reads its content hashes on the way.
pub(super) fn is_left(space: &Space, at: usize, object: &Object, options: &VerifyOptions<'_>) -> bool {
    let number = space.index.number(&object.digest).filter(|_| options.level == Some(Level::Content));
    number.is_some_and(|number| {
        space.index.packs()[number as usize].kind != PackKind::Catalog
            && space.holders(number).next() == Some(at)
    })
}

/// Verifies the bodies that were left: by what was hashed while their content was read, else by
/// reading them.
async fn verify_left(
    vault: &Vault,
    space: &Space,
    left: BTreeMap<usize, BTreeSet<Object>>,
    bodies: &[HashedBody],
    options: &VerifyOptions<'_>,
    report: &mut VerifyReport,
) -> Result<()> {
    let hashed: HashMap<(usize, Digest), Digest> = bodies
        .iter()
        .map(|body| ((body.replica, space.index.packs()[body.pack as usize].id), body.digest))
        .collect();
    for (at, objects) in left {
        let replica = &vault.replicas.all()[at];
        let level = object_level(replica, options)?;
        let mut unread = BTreeSet::new();
        for object in objects {
            match hashed.get(&(at, object.digest)) {
                Some(digest) => note_object(replica, level, object, Ok(*digest), report),
                None => drop(unread.insert(object)),
            }
        }
        if !unread.is_empty() {
            verify_objects(vault, replica, unread, options, report).await?;
        }
    }
    Ok(())
}

/// Decrypts and checks items, pack by pack; with a budget only the packs that were looked at, in
/// the same order, and until its time is over. A pack that was begun is finished, and one is always
/// begun: so the vault is through some day, however short the time.
async fn verify_content(
    vault: &Vault,
    reader: &Reader<'_>,
    space: &Space,
    entries: HashMap<ItemId, CatalogEntry>,
    options: &VerifyOptions<'_>,
    report: &mut VerifyReport,
) -> Result<CheckedItems> {
    let rank: HashMap<Digest, usize> =
        report.looked_at.iter().enumerate().map(|(rank, unit)| (*unit, rank)).collect();
    let pack_of = |number: PackNumber| space.index.packs()[number as usize].id;
    let mut in_packs: Vec<(Digest, ItemId)> = Vec::new();
    let mut groups: BTreeMap<usize, HashMap<ItemId, CatalogEntry>> = BTreeMap::new();
    for (item, entry) in entries {
        let mut packs = space.index.locations(&item).map(|location| location.pack);
        let read_from = packs.find(|pack| space.holders(*pack).next().is_some());
        let ranked = read_from.and_then(|number| rank.get(&pack_of(number)).copied());
        if options.scope.is_limited() && ranked.is_none() {
            continue;
        }
        in_packs.extend(space.index.locations(&item).map(|location| (pack_of(location.pack), item)));
        // Without a budget all is one group, which the reader puts in order.
        groups.entry(ranked.unwrap_or(0)).or_default().insert(item, entry);
    }
    let count: usize = groups.values().map(HashMap::len).sum();
    let mut checked = CheckedItems::default();
    let whole = !options.scope.is_limited();
    options.progress.start(Phase::Verify, Some(count as u64));
    for (begun, (_, entries)) in groups.into_iter().enumerate() {
        if begun > 0 && report.until.is_some_and(|until| vault.now() >= until) {
            break;
        }
        let group = content::check_items(reader, &entries, whole, options, report).await?;
        checked.damaged.extend(group.damaged);
        checked.bodies.extend(group.bodies);
    }
    options.progress.finish(Phase::Verify);
    note_content(space, &in_packs, report);
    Ok(checked)
}

/// Notes the packs of which all items that are needed were good. Pages of catalogs have been read
/// and hashed by whoever walked them.
fn note_content(space: &Space, in_packs: &[(Digest, ItemId)], report: &mut VerifyReport) {
    let bad: HashSet<Digest> = in_packs
        .iter()
        .filter(|(_, item)| !report.good_items.contains(item))
        .map(|(pack, _)| *pack)
        .collect();
    let catalogs =
        space.index.packs().iter().filter(|pack| pack.kind == PackKind::Catalog).map(|pack| pack.id);
    let good = in_packs.iter().map(|(pack, _)| *pack).chain(catalogs).filter(|pack| !bad.contains(pack));
    report.good_content.extend(good);
    report.good_items.clear();
}

/// Compares what a replica lists with what the items need; returns what is there to be looked at
/// more deeply.
pub(super) fn presence(
    space: &Space,
    at: usize,
    replica: &Replica,
    wanted: &Needed,
    report: &mut VerifyReport,
) -> BTreeSet<Object> {
    let mut needed = BTreeSet::new();
    let Some(listing) = space.listing(at) else { return needed };
    let lost = wanted.lost().len();
    if lost > 0 {
        let detail =
            format!("no index object says where {lost} items are that its snapshots need; {LOST_INDEX_HINT}");
        report.add(DamageKind::Missing, &replica.name, format!("{}/{}", layout::INDEX, space.name), detail);
    }
    for number in wanted.packs_on(space, at) {
        let pack = &space.index.packs()[number as usize];
        let key = layout::pack(&space.name, &pack.id);
        report.count(&replica.name, 1);
        match listing.bodies.get(&pack.id) {
            None => report.add(DamageKind::Missing, &replica.name, key, "the body of this pack is missing"),
            Some(size) if *size != pack.size => {
                report.add(
                    DamageKind::WrongSize,
                    &replica.name,
                    key,
                    format!("it has {size} bytes instead of {}", pack.size),
                );
            }
            Some(_) => drop(needed.insert(Object { key, size: Some(pack.size), digest: pack.id })),
        }
        needed.extend(needed_header(space, listing, pack, replica, report));
        needed.extend(needed_index(space, listing, pack, replica, report));
    }
    let keys: HashSet<&Digest> = needed.iter().map(|object| &object.digest).collect();
    let marks = || listing.marks.iter().map(|found| &found.mark);
    let named: HashSet<&Digest> = marks()
        .flat_map(|mark| mark.packs.iter().chain(&mark.indexes))
        .chain(marks().flat_map(|mark| &mark.headers).map(|header| &header.header))
        .collect();
    // Each by its own digest, and whether a mark names it or its pack.
    let bodies = listing.bodies.keys().chain(listing.indexes.keys()).map(|id| (id, named.contains(id)));
    let headers = listing.headers.iter().flat_map(|(pack, there)| {
        let of_pack = named.contains(pack);
        there.iter().map(move |(own, _)| (own, of_pack))
    });
    let headers = headers.map(|(own, of_pack)| (own, of_pack || named.contains(own)));
    for (_, is_marked) in bodies.chain(headers).filter(|(digest, _)| !keys.contains(digest)) {
        report.unreferenced += 1;
        report.marked += u64::from(is_marked);
    }
    report.unreferenced += listing.strangers.len() as u64;
    needed
}

/// The header of the pack for those who are to read it now. Earlier ones may be there, and are not
/// needed.
fn needed_header(
    space: &Space,
    listing: &Listing,
    pack: &Pack,
    replica: &Replica,
    report: &mut VerifyReport,
) -> Option<Object> {
    let (header, size) = pack.needed_header()?;
    report.count(&replica.name, 1);
    let key = layout::header(&space.name, &pack.id, &header);
    let there = listing.headers.get(&pack.id).and_then(|all| all.iter().find(|(own, _)| *own == header));
    match there {
        Some((_, found)) if *found == size => return Some(Object { key, size: Some(size), digest: header }),
        Some((_, found)) => {
            let detail = format!("it has {found} bytes instead of {size}");
            report.add(DamageKind::WrongSize, &replica.name, key, detail);
        }
        // It was away when the recipients changed.
        None if pack.named_headers().any(|earlier| listing.has_header(pack, &earlier)) => {
            let detail =
                "it has an earlier header of this pack, not the one for those who are to read it now";
            report.add(DamageKind::Behind, &replica.name, key, detail);
        }
        None => {
            let detail = "the header of this pack is missing; without it nobody can decrypt the pack";
            report.add(DamageKind::Missing, &replica.name, key, detail);
        }
    }
    None
}

/// An index object that describes the pack. One is enough; without any, the one to bring is the
/// first.
fn needed_index(
    space: &Space,
    listing: &Listing,
    pack: &Pack,
    replica: &Replica,
    report: &mut VerifyReport,
) -> Vec<Object> {
    let mut needed = Vec::new();
    for index in &pack.indexed_by {
        if let Some(size) = listing.indexes.get(index) {
            needed.push(Object { key: layout::index(&space.name, index), size: Some(*size), digest: *index });
        }
    }
    if let Some(index) = pack.indexed_by.first().filter(|_| needed.is_empty()) {
        let detail = "this index object is missing; the packs that it describes cannot be found without it";
        // One that was written for other readers is not there where a replica was away then.
        let was_away = space.headers.indexes.contains_key(index)
            && listing.indexes.keys().any(|there| space.headers.retired_indexes.contains(there));
        let kind = if was_away { DamageKind::Behind } else { DamageKind::Missing };
        report.add(kind, &replica.name, layout::index(&space.name, index), detail);
    }
    needed
}

async fn verify_objects(
    vault: &Vault,
    replica: &Replica,
    needed: BTreeSet<Object>,
    options: &VerifyOptions<'_>,
    report: &mut VerifyReport,
) -> Result<()> {
    let level = object_level(replica, options)?;
    if level == Level::Presence {
        return Ok(());
    }
    options.progress.start(Phase::Verify, Some(needed.len() as u64));
    let mut checks = stream::iter(needed)
        .map(|object| async move {
            let result = check_object(replica, level, &object).await;
            (object, result)
        })
        .buffer_unordered(vault.limits().store_concurrency);
    while let Some((object, result)) = checks.next().await {
        if options.cancel.is_cancelled() {
            return Err(VaultError::cancelled());
        }
        let before = report.bytes_read;
        note_object(replica, level, object, result, report);
        options.progress.advance(Phase::Verify, 1, report.bytes_read - before);
    }
    options.progress.finish(Phase::Verify);
    Ok(())
}

/// How deep objects of a replica are looked at.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when stored checksums are asked for and it keeps none.
pub(super) fn object_level(replica: &Replica, options: &VerifyOptions<'_>) -> Result<Level> {
    let keeps_checksums = replica.store.abilities().stored_checksums;
    Ok(match options.level {
        None if keeps_checksums => Level::Stored,
        // Content is hashed against the ids of items besides.
        None | Some(Level::Content) => Level::Bytes,
        Some(Level::Stored) if !keeps_checksums => {
            return Err(VaultError::new(
                ErrorKind::Refused,
                format!("{} keeps no checksums, so --level stored says nothing about it", replica.store),
            )
            .hint("use --level bytes"));
        }
        Some(level) => level,
    })
}

/// Returns the digest of an object, as its store keeps it or by its bytes.
pub(super) async fn check_object(
    replica: &Replica,
    level: Level,
    object: &Object,
) -> std::result::Result<Digest, StoreError> {
    match level {
        Level::Presence => Ok(object.digest),
        Level::Stored => stored(replica, object).await,
        Level::Bytes | Level::Content => bytes(replica, object).await,
    }
}

/// Puts what was found of an object into the report.
pub(super) fn note_object(
    replica: &Replica,
    level: Level,
    object: Object,
    result: std::result::Result<Digest, StoreError>,
    report: &mut VerifyReport,
) {
    report.bytes_read += if level == Level::Bytes { object.size.unwrap_or(0) } else { 0 };
    match result {
        Ok(digest) if digest == object.digest => {
            report.good.insert((replica.name.clone(), object.key, level));
        }
        Ok(digest) => {
            report.add(
                DamageKind::Damaged,
                &replica.name,
                object.key,
                format!("its bytes have the SHA-256 {digest}, not that of its name"),
            );
        }
        Err(error) => {
            let kind = match error.kind {
                StoreKind::NotFound => DamageKind::Missing,
                StoreKind::OutOfRange => DamageKind::WrongSize,
                StoreKind::Corrupt => DamageKind::Damaged,
                _ => DamageKind::Unreadable,
            };
            report.add(kind, &replica.name, object.key, with_causes(&error));
        }
    }
}

/// The checksum that the store itself keeps; where it keeps none for this object, its bytes.
async fn stored(replica: &Replica, object: &Object) -> std::result::Result<Digest, StoreError> {
    let meta = replica.store.head(&object.key).await?;
    match meta.sha256 {
        Some(digest) => Ok(digest),
        None => replica.digest(&object.key, meta.size).await,
    }
}

async fn bytes(replica: &Replica, object: &Object) -> std::result::Result<Digest, StoreError> {
    let size = match object.size {
        Some(size) => size,
        None => replica.store.head(&object.key).await?.size,
    };
    replica.digest(&object.key, size).await
}
