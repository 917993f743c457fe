//! Rewrapping: other readers for packs and index objects that exist.
//!
//! A header wraps the key of a pack's body to the recipients. When those change, whoever can open
//! an old header writes a new one to the new recipients; the body stays. Index objects are small:
//! they are encrypted anew, whole. A signed ledger entry then names what is new and what is
//! retired: readers open no header that nobody named, or an intruder could put his own there.
//!
//! Order: new objects, confirmed on every replica that takes part; the entry; and only then are
//! retired objects destroyed, each only where its replica holds what takes its place. **If we
//! crash here** there are headers that nobody named, which pruning removes; the next run writes
//! others for what no entry names, and goes on.
//!
//! What is to be done is found by numbers: a pack is covered when its header was written under a
//! trust record since which the recipients are the same.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use super::envelope::{self, HeaderError, Recipient};
use super::error::{ErrorKind, Result, VaultError};
use super::format::ledger::{Decision, PackHeader};
use super::format::trust::{Role, TrustRecord};
use super::index::{Listing, Pack, PackNumber};
use super::layout;
use super::ledger::Ledger;
use super::open::Vault;
use super::replica::{Replica, in_parallel, with_causes};
use super::space::{INDEX_SIGNERS, Space, decode_index};
use crate::ids::{Digest, Name};
use crate::objects::Body;
use crate::progress::Problem;

/// What of a space those cannot read yet who are to read it now, or those still can who are not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// Packs without a header for the recipients of now.
    #[serde(skip)]
    pub packs: Vec<PackNumber>,
    /// Index objects that are not for the recipients of now.
    #[serde(skip)]
    pub indexes: Vec<Digest>,
    /// Number of headers and index objects to write.
    pub to_write: u64,
    /// Headers and index objects for readers of the past that still lie on a replica, or will be
    /// retired.
    pub to_destroy: u64,
    /// Copies that replicas lack which were away when they were written.
    pub to_bring: u64,
}

impl Pending {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.to_write + self.to_destroy + self.to_bring == 0
    }
}

/// What a rewrap did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Headers and index objects that were written, each to every replica.
    pub written: u64,
    /// Copies that were brought to replicas that lacked them.
    pub brought: u64,
    /// Headers and index objects of the past that were destroyed, on all replicas together.
    pub destroyed: u64,
    /// What could not be done, and why.
    pub problems: Vec<Problem>,
}

/// Whose recipients.
#[derive(Debug, Clone, Copy)]
enum Readers {
    Content,
    Catalogs,
}

impl Readers {
    fn of_pack(pack: &Pack) -> Self {
        if pack.kind.is_content() { Self::Content } else { Self::Catalogs }
    }

    fn in_record(self, record: &TrustRecord) -> &[Recipient] {
        match self {
            Self::Content => &record.content_recipients,
            Self::Catalogs => &record.catalog_recipients,
        }
    }
}

/// All trust records, oldest first, with one to come where it is planned.
struct History<'a>(Vec<&'a TrustRecord>);

impl<'a> History<'a> {
    fn of(vault: &'a Vault, next: Option<&'a TrustRecord>) -> Self {
        Self(vault.trust_history().chain(next).collect())
    }

    fn newest(&self) -> &'a TrustRecord {
        self.0.last().expect("a vault has a trust record")
    }

    /// Number of the first trust record since which these readers are the same.
    fn readers_since(&self, readers: Readers) -> u32 {
        let set = |record| readers.in_record(record).iter().collect::<BTreeSet<_>>();
        let now = set(self.newest());
        let same = self.0.iter().rev().take_while(|record| set(record) == now);
        same.last().map_or(1, |record| record.n)
    }

    /// Whether somebody was among these readers once, and is not now.
    fn some_left(&self, readers: Readers) -> bool {
        let now = readers.in_record(self.newest());
        self.0.iter().flat_map(|record| readers.in_record(record)).any(|one| !now.contains(one))
    }

    /// Whether an object of trust record `n` is for the readers of now. One of which the number
    /// is not known was written under the first at the earliest.
    fn is_for_readers_of_now(&self, n: u32, readers: Readers) -> bool {
        n.max(1) >= self.readers_since(readers)
    }
}

/// Returns the spaces that have an index or a ledger on any live replica.
///
/// # Errors
///
/// Those of a store end the part of its replica, not this.
pub async fn spaces(vault: &Vault) -> Result<Vec<Name>> {
    let mut spaces = Ledger::spaces(vault).await?;
    for replica in vault.replicas.live() {
        match replica.store.list(layout::INDEX).await {
            Ok(objects) => {
                spaces.extend(objects.iter().filter_map(|object| layout::scope(&object.key)?.parse().ok()));
            }
            Err(error) => replica.fail(error),
        }
    }
    Ok(spaces.into_iter().collect())
}

/// Finds out what of a space is to be rewrapped, brought and destroyed; with `next`, as it will be
/// under that trust record.
pub fn pending(vault: &Vault, space: &Space, next: Option<&TrustRecord>) -> Pending {
    let mut pending = Pending::default();
    let history = History::of(vault, next);
    if !vault.is_encrypted() {
        return pending;
    }
    let mut index_trust: BTreeMap<Digest, u32> = BTreeMap::new();
    for (number, pack) in (0..).zip(space.index.packs()) {
        if space.holders(number).next().is_none() {
            continue;
        }
        let readers = Readers::of_pack(pack);
        if !history.is_for_readers_of_now(pack.readable_since(), readers) {
            pending.packs.push(number);
            if history.some_left(readers) {
                pending.to_destroy += pack.headers().count() as u64;
            }
        }
        for index in &pack.indexed_by {
            let trust = index_trust.entry(*index).or_default();
            *trust = (*trust).max(pack.trust);
        }
    }
    for (index, trust) in index_trust {
        let said = space.index_trust.get(&index).copied().unwrap_or_default();
        let named = space.headers.indexes.get(&index).copied().unwrap_or_default().max(said);
        let is_retired = space.headers.retired_indexes.contains(&index);
        if is_retired || !history.is_for_readers_of_now(trust.max(named), Readers::Catalogs) {
            pending.indexes.push(index);
        }
    }
    pending.to_write = (pending.packs.len() + pending.indexes.len()) as u64;
    for (at, _) in live(vault) {
        let Some(listing) = space.listing(at) else { continue };
        // Where nobody left, index objects that others took the place of harm nobody.
        let counts = |retired: &&Retired| retired.is_header || history.some_left(Readers::Catalogs);
        pending.to_destroy += retired_here(space, listing).iter().filter(counts).count() as u64;
        pending.to_bring += lacking(space, listing).len() as u64;
    }
    if history.some_left(Readers::Catalogs) {
        pending.to_destroy += pending.indexes.len() as u64;
    }
    pending
}

/// Writes headers and index objects for the readers of now, where they lack them, names them in
/// the ledger, and brings them to replicas that were away. Destroys nothing.
///
/// # Errors
///
/// [`ErrorKind::Identity`] without a maintenance key; [`ErrorKind::TooFewReplicas`]. A pack that
/// no identity here opens is in the report.
pub async fn rewrap(vault: &Vault, name: &Name, report: &mut Report) -> Result<()> {
    let space = Space::load(vault, name).await?;
    let pending = pending(vault, &space, None);
    if pending.to_write > 0 {
        vault.signer(&[Role::Maintenance])?;
        for packs in pending.packs.chunks(vault.limits.ledger_names_max) {
            rewrap_packs(vault, &space, packs, report).await?;
        }
        if !pending.indexes.is_empty() {
            rewrap_indexes(vault, &space, &pending.indexes, report).await?;
        }
    }
    let space = if pending.to_write > 0 { Space::load(vault, name).await? } else { space };
    bring(vault, &space, report).await
}

async fn rewrap_packs(vault: &Vault, space: &Space, packs: &[PackNumber], report: &mut Report) -> Result<()> {
    let made = in_parallel(packs.iter().copied(), vault.limits.store_concurrency, |number| async move {
        let pack = &space.index.packs()[number as usize];
        (pack, rewrap_pack(vault, space, number, pack).await)
    })
    .await;
    vault.replicas.require_enough()?;
    let history = History::of(vault, None);
    let (mut headers, mut retired) = (Vec::new(), Vec::new());
    for (pack, result) in made {
        match result {
            Ok(header) => {
                headers.push(header);
                if history.some_left(Readers::of_pack(pack)) {
                    let named = |(header, size)| PackHeader { pack: pack.id, header, size };
                    retired.extend(pack.headers().map(named));
                }
            }
            Err(error) => {
                let key = layout::pack(&space.name, &pack.id);
                report.problems.push(Problem::new("not-rewrapped", key, with_causes(&error)));
            }
        }
    }
    if headers.is_empty() {
        return Ok(());
    }
    report.written += headers.len() as u64;
    let trust = vault.trust.n;
    let decision =
        Decision::Rewrap { trust, headers, retired, indexes: Vec::new(), retired_indexes: Vec::new() };
    Ledger::load(vault, &space.name).await?.append(vault, &space.name, decision).await.map(drop)
}

/// Writes a header for the readers of now to every replica with the body of the pack.
async fn rewrap_pack(vault: &Vault, space: &Space, number: PackNumber, pack: &Pack) -> Result<PackHeader> {
    let recipients = Readers::of_pack(pack).in_record(&vault.trust);
    let mut failure = None;
    for (header, size) in pack.named_headers() {
        let key = layout::header(&space.name, &pack.id, &header);
        let lists = |listing: &Listing| listing.has_header(pack, &(header, size));
        if !live(vault).any(|(at, _)| space.listing(at).is_some_and(lists)) {
            continue;
        }
        let max = size.min(vault.limits.small_object_bytes_max);
        let rewrap = |replica: &Replica, bytes: bytes::Bytes| {
            envelope::rewrap(&bytes, &vault.keys.identities, recipients).map_err(|error| match error {
                HeaderError::Damaged => {
                    VaultError::damaged(&key, &replica.store, "it is no age header, or its MAC is wrong")
                }
                HeaderError::NotARecipient => VaultError::new(
                    ErrorKind::Identity,
                    format!("the identities that are here do not open the pack {}", pack.id),
                ),
            })
        };
        let noted = |error: &VaultError| vault.read_around(&key, error);
        match vault.replicas.read_any(&key, max, rewrap, noted).await {
            Ok(new) => return store_header(vault, space, number, pack, new).await,
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| {
        VaultError::new(ErrorKind::Integrity, "no header of it is on any replica that can be read")
    }))
}

async fn store_header(
    vault: &Vault,
    space: &Space,
    number: PackNumber,
    pack: &Pack,
    new: Vec<u8>,
) -> Result<PackHeader> {
    let body = Body::bytes(new);
    let key = layout::header(&space.name, &pack.id, &body.sha256());
    for replica in space.holders(number).map(|at| &vault.replicas.all()[at]).filter(|one| one.is_live()) {
        if let Err(error) = replica.store_new(&key, body.clone()).await {
            replica.fail(error);
        }
    }
    Ok(PackHeader { pack: pack.id, header: body.sha256(), size: body.len() })
}

async fn rewrap_indexes(vault: &Vault, space: &Space, ids: &[Digest], report: &mut Report) -> Result<()> {
    let signer = vault.signer(INDEX_SIGNERS)?;
    // Those by retired keys were checked when the space was loaded, and are signed anew.
    let signers = vault.all_signers();
    let (mut indexes, mut retired_indexes) = (Vec::new(), Vec::new());
    for id in ids {
        let key = layout::index(&space.name, id);
        let decode = |replica: &Replica, stored: bytes::Bytes| {
            decode_index(vault, &stored, &signers, &space.name, &key, &replica.store)
        };
        let noted = |error: &VaultError| vault.read_around(&key, error);
        let max = vault.limits.index_bytes_max;
        let stored = match vault.replicas.read_any(&key, max, decode, noted).await {
            Ok(mut file) => {
                file.trust = vault.trust.n;
                envelope::seal(&file.encode(signer), &vault.trust.catalog_recipients)?
            }
            Err(error) => {
                report.problems.push(Problem::new("not-rewrapped", key, with_causes(&error)));
                continue;
            }
        };
        let body = Body::bytes(stored);
        let new = body.sha256();
        vault.replicas.store_everywhere(&layout::index(&space.name, &new), &body).await?;
        indexes.push(new);
        retired_indexes.push(*id);
    }
    if indexes.is_empty() {
        return Ok(());
    }
    report.written += indexes.len() as u64;
    let decision = Decision::Rewrap {
        trust: vault.trust.n,
        headers: Vec::new(),
        retired: Vec::new(),
        indexes,
        retired_indexes,
    };
    Ledger::load(vault, &space.name).await?.append(vault, &space.name, decision).await.map(drop)
}

fn live(vault: &Vault) -> impl Iterator<Item = (usize, &Replica)> {
    vault.replicas.all().iter().enumerate().filter(|(_, replica)| replica.is_live())
}

/// Keys of headers and index objects that a replica with the packs is to hold, and lacks.
fn lacking(space: &Space, listing: &Listing) -> Vec<String> {
    let mut keys = HashSet::new();
    for pack in space.index.packs().iter().filter(|pack| listing.has_body(pack)) {
        if let Some(header) = pack.needed_header().filter(|header| !listing.has_header(pack, header)) {
            keys.insert(layout::header(&space.name, &pack.id, &header.0));
        }
        if let Some(index) = pack.indexed_by.first().filter(|_| !listing.describes(pack)) {
            keys.insert(layout::index(&space.name, index));
        }
    }
    keys.into_iter().collect()
}

/// Copies to replicas the headers and index objects of the packs that they have, where they lack
/// them; what cannot be brought is in the report.
///
/// # Errors
///
/// [`ErrorKind::TooFewReplicas`].
pub async fn bring(vault: &Vault, space: &Space, report: &mut Report) -> Result<()> {
    for (at, replica) in live(vault) {
        let Some(listing) = space.listing(at) else { continue };
        for key in lacking(space, listing) {
            let noted = |error: &VaultError| vault.read_around(&key, error);
            let max = vault.limits.index_bytes_max;
            let result = match vault.replicas.read_any(&key, max, |_, bytes| Ok(bytes), noted).await {
                Ok(bytes) => replica.store_new(&key, Body::bytes(bytes)).await,
                Err(error) => Err(error),
            };
            match result {
                Ok(()) => report.brought += 1,
                Err(error) => report.problems.push(Problem::new("not-brought", key, with_causes(&error))),
            }
        }
    }
    vault.replicas.require_enough()
}

/// Something retired that still lies on a replica, and whether what takes its place is there.
struct Retired {
    key: String,
    is_header: bool,
    replaced: bool,
}

fn retired_here(space: &Space, listing: &Listing) -> Vec<Retired> {
    let mut found = Vec::new();
    for (pack, retired) in &space.headers.retired {
        let there = listing.headers.get(pack).map(Vec::as_slice).unwrap_or_default();
        // The header of a pack that is not here opens nothing here.
        let replaced = space.index.pack(pack).is_none_or(|pack| {
            !listing.has_body(pack)
                || pack.needed_header().is_some_and(|header| listing.has_header(pack, &header))
        });
        for (header, _) in there.iter().filter(|(own, _)| retired.iter().any(|(one, _)| one == own)) {
            let key = layout::header(&space.name, pack, header);
            found.push(Retired { key, is_header: true, replaced });
        }
    }
    let needed: HashSet<&Digest> = space.index.packs().iter().flat_map(|pack| &pack.indexed_by).collect();
    let all_indexed =
        space.index.packs().iter().all(|pack| !listing.has_body(pack) || listing.describes(pack));
    for index in space.headers.retired_indexes.iter().filter(|index| listing.indexes.contains_key(index)) {
        let replaced = all_indexed && !needed.contains(index);
        found.push(Retired { key: layout::index(&space.name, index), is_header: false, replaced });
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    found
}

/// Destroys retired headers and index objects on every live replica that holds what takes their
/// place; what stays, and why, is in the report. Whoever copied them before keeps reading.
///
/// # Errors
///
/// Those of [`Space::load`].
pub async fn destroy_retired(vault: &Vault, name: &Name, report: &mut Report) -> Result<()> {
    let space = Space::load(vault, name).await?;
    for (at, replica) in live(vault) {
        let Some(listing) = space.listing(at) else { continue };
        for Retired { key, replaced, .. } in retired_here(&space, listing) {
            let place = format!("{key} on {}", replica.name);
            if !replaced {
                let detail = "it stays until this replica holds what takes its place";
                report.problems.push(Problem::new("not-destroyed", place, detail));
                continue;
            }
            match replica.delete_for_good(&key).await {
                Ok(()) => report.destroyed += 1,
                Err(error) => {
                    report.problems.push(Problem::new("not-destroyed", place, with_causes(&error)));
                }
            }
        }
    }
    Ok(())
}
