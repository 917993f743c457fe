//! The index made anew from the packs: for when index objects are lost or damaged on every
//! replica, or were signed by nobody who is trusted.
//!
//! Packs carry all that an index says: the names of their entries hold id, salt and path. So
//! every pack that no readable index object describes is read whole, from any replica with a good
//! copy, and walked from front to back: frames and places are recorded, each item is compared
//! with its id, its fingerprint computed under the item key. The new index object is signed by
//! this client, so nothing in it is taken from elsewhere: what a pack holds is what was found in it.
//!
//! Invariants: only index objects are written, nothing is deleted or replaced. Index objects that
//! nobody can use stay where they are. Packs are spooled as they are stored, encrypted.
//!
//! **If we crash here** the vault is as it was, but for index objects that are true: one is
//! written each time many packs were read, and the same command again reads only the others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Seek as _;
use std::time::Instant;

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::error::{ErrorKind, Result, VaultError};
use super::format::index::PackRecord;
use super::layout;
use super::open::Vault;
use super::pack::SpoolDraft;
use super::reader::{open_header, read_header};
use super::replica::{Replica, with_causes};
use super::space::Space;
use super::walk::{Walk, walk};
use super::writer::seal_index;
use crate::ids::{Digest, Name};
use crate::objects::{Body, ErrorKind as StoreKind};
use crate::progress::{Phase, Problem, Progress};

/// What a rebuild would read and describe.
#[derive(Debug, Clone, Serialize)]
pub struct RebuildPlan {
    /// Packs that no readable index object describes, by space.
    pub packs: Vec<LostPack>,
    /// Index objects of which no replica has a copy that can be used; they stay where they are.
    pub unusable: Vec<Problem>,
}

impl RebuildPlan {
    /// Bytes that will be read, if the first copy of every pack is good.
    pub fn bytes(&self) -> u64 {
        self.packs.iter().map(|pack| pack.size).sum()
    }
}

/// A pack that no readable index object describes.
#[derive(Debug, Clone, Serialize)]
pub struct LostPack {
    /// Space it belongs to.
    pub space: Name,
    /// Its id: the SHA-256 that its body must have.
    pub pack: Digest,
    /// Bytes of its first copy.
    pub size: u64,
    /// Names of the replicas that list it.
    pub on: Vec<String>,
    /// Whether what decrypts it is listed; always so in a vault without encryption.
    pub has_header: bool,
    /// Numbers of those replicas, and the size of each copy.
    #[serde(skip)]
    copies: Vec<(usize, u64)>,
    /// Headers: those first that the ledger names, newest first, then those that are on most
    /// replicas, and last those that were retired.
    #[serde(skip)]
    headers: Vec<(Digest, u64)>,
}

/// What a rebuild did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RebuildReport {
    /// Packs that are described now.
    pub packs: u64,
    /// Items in them.
    pub items: u64,
    /// Items whose path does not tell their kind. They can be read; should the source still have
    /// them, they are stored once more.
    pub unfingerprinted: u64,
    /// Bytes of the packs that were read.
    pub bytes: u64,
    /// Keys of the index objects that were written.
    pub written: Vec<String>,
    /// Packs that cannot be read, and items in them that are not what they say.
    pub problems: Vec<Problem>,
    /// Packs of which a replica that cannot be read now may have a good copy; the same command
    /// again tries them.
    pub unreached: Vec<Problem>,
    /// Copies of packs that are damaged where another was good.
    pub warnings: Vec<Problem>,
    /// Replicas that did not take a new index object, and why.
    pub behind: BTreeMap<String, String>,
}

/// Finds the packs that no readable index object describes, in these spaces; in all, if none is
/// named. Writes nothing.
///
/// # Errors
///
/// [`ErrorKind::Identity`] before anything is listed, when content cannot be read or the index
/// not be signed with the keys that are here; [`ErrorKind::NotFound`] for a space of which no
/// replica holds a pack.
pub async fn plan_rebuild(vault: &Vault, spaces: &[Name]) -> Result<RebuildPlan> {
    vault.require_content_identity()?;
    vault.item_key()?;
    vault.signing_key()?;
    if vault.replicas.live().next().is_none() {
        vault.replicas.require_enough()?;
    }
    let there = spaces_with_packs(vault).await?;
    if let Some(unknown) = spaces.iter().find(|space| !there.contains(*space)) {
        let names: Vec<_> = there.iter().map(Name::as_str).collect();
        return Err(VaultError::new(
            ErrorKind::NotFound,
            format!("no replica holds packs of the space {unknown}"),
        )
        .hint(format!("spaces with packs: {}", names.join(", "))));
    }
    let mut plan = RebuildPlan { packs: Vec::new(), unusable: Vec::new() };
    let named: BTreeSet<&Name> =
        if spaces.is_empty() { there.iter().collect() } else { spaces.iter().collect() };
    for name in named {
        let space = Space::load_from_replicas(vault, name).await?;
        plan.packs.extend(undescribed(vault, &space));
        plan.unusable.extend(space.unreadable);
    }
    Ok(plan)
}

/// Names of the spaces of which a live replica lists packs, sorted.
async fn spaces_with_packs(vault: &Vault) -> Result<BTreeSet<Name>> {
    let mut names = BTreeSet::new();
    for replica in vault.replicas.live() {
        match replica.store.list(layout::PACKS).await {
            Ok(objects) => {
                names.extend(objects.iter().filter_map(|object| layout::scope(&object.key)?.parse().ok()));
            }
            Err(error) => replica.fail(error),
        }
    }
    if vault.replicas.live().next().is_none() {
        vault.replicas.require_enough()?;
    }
    Ok(names)
}

fn undescribed(vault: &Vault, space: &Space) -> Vec<LostPack> {
    let mut packs: BTreeMap<Digest, LostPack> = BTreeMap::new();
    let mut headers: HashMap<Digest, BTreeMap<(Digest, u64), usize>> = HashMap::new();
    for (at, replica) in vault.replicas.all().iter().enumerate() {
        let Some(listing) = space.listing(at) else { continue };
        for (id, size) in listing.bodies.iter().filter(|(id, _)| space.index.pack(id).is_none()) {
            let pack = packs.entry(*id).or_insert_with(|| LostPack {
                space: space.name.clone(),
                pack: *id,
                size: *size,
                on: Vec::new(),
                has_header: !vault.is_encrypted(),
                copies: Vec::new(),
                headers: Vec::new(),
            });
            pack.on.push(replica.name.clone());
            pack.copies.push((at, *size));
        }
        for (pack, listed) in &listing.headers {
            for header in listed {
                *headers.entry(*pack).or_default().entry(*header).or_default() += 1;
            }
        }
    }
    for (id, counts) in headers {
        let Some(pack) = packs.get_mut(&id).filter(|_| vault.is_encrypted()) else { continue };
        let mut by_number: Vec<_> = counts.into_iter().map(|(header, on)| (on, header)).collect();
        by_number.sort_by_key(|(on, header)| (rank(space, &id, header), Reverse(*on), *header));
        pack.headers = by_number.into_iter().map(|(_, header)| header).collect();
        pack.has_header = true;
    }
    packs.into_values().collect()
}

/// Where a header stands among those of its pack; lower is better. Readers use what the index
/// names, and a retired header is about to go.
fn rank(space: &Space, pack: &Digest, header: &(Digest, u64)) -> (u8, Reverse<usize>) {
    let rewrapped = space.headers.rewrapped.get(pack).map(Vec::as_slice).unwrap_or_default();
    let is_retired = space.headers.retired.get(pack).is_some_and(|retired| retired.contains(header));
    match rewrapped.iter().position(|one| (one.header, one.size) == *header) {
        _ if is_retired => (2, Reverse(0)),
        Some(place) => (0, Reverse(place)),
        None => (1, Reverse(0)),
    }
}

/// Reads the packs of a plan and writes index objects for them to every live replica.
///
/// # Errors
///
/// [`ErrorKind::Cancelled`], after what was read so far has been written;
/// [`ErrorKind::TooFewReplicas`] when no replica takes an index object; those of the local disk.
/// A pack that cannot be read is in the report.
pub async fn rebuild(
    vault: &Vault,
    plan: &RebuildPlan,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<RebuildReport> {
    let mut report = RebuildReport::default();
    progress.start(Phase::Repair, Some(plan.packs.len() as u64));
    let mut spaces: BTreeMap<&Name, Vec<&LostPack>> = BTreeMap::new();
    for pack in &plan.packs {
        spaces.entry(&pack.space).or_default().push(pack);
    }
    for (space, packs) in spaces {
        rebuild_space(vault, space, &packs, progress, cancel, &mut report).await?;
    }
    progress.finish(Phase::Repair);
    Ok(report)
}

async fn rebuild_space(
    vault: &Vault,
    space: &Name,
    packs: &[&LostPack],
    progress: &dyn Progress,
    cancel: &CancellationToken,
    report: &mut RebuildReport,
) -> Result<()> {
    let limits = &vault.limits;
    let mut records = Vec::new();
    let (mut since_bytes, mut since) = (0, Instant::now());
    // Each takes its size on the disk of the spool directory, as packs that are sent do.
    let mut read = stream::iter(packs)
        .take_while(|_| std::future::ready(!cancel.is_cancelled()))
        .map(|pack| async move { (pack, read_pack(vault, pack).await) })
        .buffered(limits.packs_in_flight.max(1));
    while let Some((pack, outcome)) = read.next().await {
        let outcome = outcome?;
        report.bytes += pack.size;
        since_bytes += pack.size;
        progress.advance(Phase::Repair, 1, pack.size);
        report.warnings.extend(outcome.bad_copies);
        match outcome.found {
            Ok(found) => {
                report.packs += 1;
                report.items += found.record.items.len() as u64;
                report.unfingerprinted += found.unfingerprinted;
                report.problems.extend(found.wrong);
                records.push(found.record);
            }
            Err(NotFound { problem, unreached }) => {
                progress.problem(&problem);
                if unreached { &mut report.unreached } else { &mut report.problems }.push(problem);
            }
        }
        if since_bytes >= limits.checkpoint_bytes || since.elapsed() >= limits.checkpoint_every {
            write_index(vault, space, std::mem::take(&mut records), report).await?;
            (since_bytes, since) = (0, Instant::now());
        }
    }
    drop(read);
    write_index(vault, space, records, report).await?;
    if cancel.is_cancelled() { Err(VaultError::cancelled()) } else { Ok(()) }
}

/// Writes an index object to every live replica. It promises no copies, so one that takes it is
/// enough.
async fn write_index(
    vault: &Vault,
    space: &Name,
    records: Vec<PackRecord>,
    report: &mut RebuildReport,
) -> Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let (key, stored) = seal_index(vault, space, records, Vec::new())?;
    let body = Body::bytes(stored.clone());
    let live: Vec<&Replica> = vault.replicas.live().collect();
    let results = join_all(live.iter().map(|replica| replica.store_new(&key, body.clone()))).await;
    for (replica, result) in live.into_iter().zip(results) {
        if let Err(error) = result {
            report.behind.insert(replica.name.clone(), with_causes(&error));
            replica.fail(error);
        }
    }
    if vault.replicas.live().next().is_none() {
        let reasons: Vec<_> = report.behind.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        return Err(VaultError::new(
            ErrorKind::TooFewReplicas,
            format!("no replica took the new index object ({})", reasons.join("; ")),
        )
        .hint("mend a replica and run the same command again"));
    }
    vault.cache.keep(&key, &stored);
    report.written.push(key);
    Ok(())
}

/// What became of a pack.
struct Outcome {
    found: std::result::Result<Found, NotFound>,
    /// Copies that could not be used, where another could.
    bad_copies: Vec<Problem>,
}

/// A pack that was not read.
struct NotFound {
    problem: Problem,
    /// Whether a copy could not be reached, so that nobody knows whether it is good.
    unreached: bool,
}

/// A pack that was read.
struct Found {
    record: PackRecord,
    unfingerprinted: u64,
    wrong: Vec<Problem>,
}

/// Reads a pack from the first replica with a good copy. Fails only where the local disk does.
async fn read_pack(vault: &Vault, pack: &LostPack) -> Result<Outcome> {
    let key = layout::pack(&pack.space, &pack.pack);
    let mut failures: Vec<VaultError> = Vec::new();
    for (at, size) in &pack.copies {
        let replica = &vault.replicas.all()[*at];
        match read_copy(vault, replica, pack, &key, *size).await {
            Ok(found) => {
                let bad_copies =
                    failures.iter().map(|error| Problem::new("bad-copy", key.clone(), with_causes(error)));
                return Ok(Outcome { found: Ok(found), bad_copies: bad_copies.collect() });
            }
            Err(error) if matches!(error.kind, ErrorKind::Local | ErrorKind::Cancelled) => return Err(error),
            Err(error) => failures.push(error),
        }
    }
    let why: Vec<String> = failures.iter().map(|error| with_causes(error)).collect();
    let unreached = failures.iter().any(is_unreached);
    let code = if unreached { "pack-unreached" } else { "pack-unreadable" };
    let problem = Problem::new(code, key, why.join("; "));
    Ok(Outcome { found: Err(NotFound { problem, unreached }), bad_copies: Vec::new() })
}

/// Whether an error says nothing of the object, only that it could not be read.
fn is_unreached(error: &VaultError) -> bool {
    match error.kind {
        ErrorKind::Store(kind) => {
            !matches!(kind, StoreKind::NotFound | StoreKind::OutOfRange | StoreKind::TooLarge)
        }
        ErrorKind::TooFewReplicas => true,
        _ => false,
    }
}

async fn read_copy(vault: &Vault, replica: &Replica, pack: &LostPack, key: &str, size: u64) -> Result<Found> {
    let damaged = |why: &str| VaultError::damaged(key, &replica.store, why);
    let (file, digest) = replica.spool(key, size, &vault.spool, vault.limits.range_bytes).await?;
    if digest != pack.pack {
        return Err(damaged("its bytes do not have the digest of its name"));
    }
    let file = std::sync::Arc::new(file);
    if !vault.is_encrypted() {
        let walked = walk_file(vault, file, None, size).await?.map_err(|why| damaged(&why))?;
        return Ok(found(pack, key, size, None, walked));
    }
    let mut last = VaultError::new(
        ErrorKind::Integrity,
        format!("no header of the pack {} is on any replica, so nobody can decrypt it", pack.pack),
    );
    for (header, header_size) in &pack.headers {
        let opened = match payload_key(vault, pack, header, *header_size).await {
            Ok(opened) => opened,
            Err(error) => {
                // That a header could not be reached says more than that another is no good.
                if !is_unreached(&last) {
                    last = error;
                }
                continue;
            }
        };
        match walk_file(vault, std::sync::Arc::clone(&file), Some(opened), size).await? {
            Ok(walked) => return Ok(found(pack, key, size, Some((*header, *header_size)), walked)),
            Err(why) => last = damaged(&why),
        }
    }
    Err(last)
}

/// Opens a header from the first replica with a good copy.
async fn payload_key(
    vault: &Vault,
    pack: &LostPack,
    header: &Digest,
    size: u64,
) -> Result<super::envelope::PayloadKey> {
    let key = layout::header(&pack.space, &pack.pack, header);
    let mut last = None;
    for replica in vault.replicas.live() {
        match read_header(vault, replica, &key, header, size).await {
            Ok(bytes) => return open_header(vault, &bytes, &key, &pack.pack, replica),
            // Not to know says more than damage, and damage more than that a replica lacks it.
            Err(error) if is_unreached(&error) => last = Some(error),
            Err(error) if last.as_ref().is_none_or(|last| !is_unreached(last)) => last = Some(error),
            Err(_) => {}
        }
    }
    Err(last.unwrap_or_else(|| VaultError::new(ErrorKind::TooFewReplicas, "no replica can be reached")))
}

/// Walks a spooled body off the async threads; the inner error is a phrase about the pack.
async fn walk_file(
    vault: &Vault,
    file: std::sync::Arc<SpoolDraft>,
    key: Option<super::envelope::PayloadKey>,
    size: u64,
) -> Result<std::result::Result<Walk, String>> {
    let item_key = vault.item_key()?.clone();
    let walked = tokio::task::spawn_blocking(move || {
        let mut stored = &file.file;
        stored.rewind()?;
        Ok(match key {
            None => walk(stored, &item_key),
            Some(key) => walk(key.reader(stored, size), &item_key),
        })
    });
    let walked = walked.await.expect("walking does not panic");
    walked.map_err(|error| VaultError::local("cannot read a spool file", error))
}

fn found(pack: &LostPack, key: &str, size: u64, header: Option<(Digest, u64)>, walked: Walk) -> Found {
    let wrong = |id| Problem::new("item-wrong", key, format!("the item {id} in it has other bytes"));
    Found {
        unfingerprinted: walked.unfingerprinted,
        wrong: walked.wrong.into_iter().map(wrong).collect(),
        record: PackRecord {
            id: pack.pack,
            kind: walked.kind,
            size,
            header,
            // Nobody knows to whom it was written; `keys rewrap` looks.
            trust: 0,
            frames: walked.frames,
            items: walked.items,
        },
    }
}
