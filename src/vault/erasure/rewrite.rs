//! Rewriting the packs that hold erased items: what else is in them goes into new ones.
//!
//! One new pack for each old one, on every replica that holds the old one, then index objects that
//! describe the new ones, and those that take the place of the index objects which describe the old ones.
//! Nothing is deleted here. Ids stay, so no catalog, manifest or signature changes.
//!
//! Needs an identity that reads content, and a key that may sign index objects. Who may delete is another
//! question: see [`destroy`](super::destroy).
//!
//! **If we crash here** there are packs that no index object names; pruning removes them. The same command
//! goes on with what is not in another pack yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufReader, Seek as _};
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::orders::Erased;
use super::remainder::{Broken, remainder};
use crate::ids::{Digest, ItemId, Name};
use crate::objects::Body;
use crate::progress::{Phase, Problem, Progress};
use crate::vault::envelope::PayloadKey;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::index::{ItemRecord, PackRecord};
use crate::vault::index::PackNumber;
use crate::vault::layout;
use crate::vault::merge::merged;
use crate::vault::open::Vault;
use crate::vault::pack::{FinishedPack, PackBuilder, SpoolDraft};
use crate::vault::reader::{Failure, Reader};
use crate::vault::replica::{Replica, with_causes};
use crate::vault::space::{Space, read_index};
use crate::vault::writer::{pack_options, store_pack, write_index};

/// Items that one index object describes at most which takes the place of others; 64 bytes each.
const ITEMS_IN_ONE: usize = 500_000;

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rewritten {
    /// Packs with erased items that are on a replica that was reached.
    pub packs: u64,
    /// Of these, those of which nothing is left.
    pub emptied: u64,
    /// Of these, those of which what is left was in others already.
    pub done_before: u64,
    /// New packs.
    pub new_packs: u64,
    /// Items in them.
    pub items: u64,
    /// Bytes of the old packs that were read.
    pub read: u64,
    /// Bytes of new packs, headers and index objects, on each replica.
    pub written: u64,
    /// Packs that could not be read: they stay until a good copy is there.
    pub unread: Vec<Problem>,
}

impl Rewritten {
    /// Whether everything that is to stay is in packs that stay.
    pub fn is_complete(&self) -> bool {
        self.unread.is_empty()
    }
}

/// Rewrites the packs of a space that hold erased items.
///
/// # Errors
///
/// [`ErrorKind::Identity`] when the identity that reads content, or a key that signs index objects, is not
/// here: before anything is written. [`ErrorKind::Cancelled`], after what was written so far was put into
/// the index. [`ErrorKind::TooFewReplicas`] when a replica with an old pack does not take the new one; then
/// nothing of the old one goes. A pack that cannot be read is in the report.
pub async fn rewrite(
    vault: &Vault,
    name: &Name,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Rewritten> {
    let mut space = Space::load(vault, name).await?;
    if space.retired().next().is_some() && bring_indexes(vault, &space).await? {
        space = Space::load(vault, name).await?;
    }
    let space = &space;
    let old: BTreeSet<PackNumber> =
        space.retired().filter(|pack| space.holders(*pack).next().is_some()).collect();
    let mut done = Rewritten { packs: old.len() as u64, ..Rewritten::default() };
    if old.is_empty() {
        return Ok(done);
    }
    vault.require_content_identity()?;
    let records = records_of(vault, space, &old).await?;
    let mut rewriting =
        Rewriting { vault, space, reader: Reader::new(vault, space), unindexed: Vec::new(), since: 0 };
    progress.start(Phase::Repack, Some(old.len() as u64));
    for number in &old {
        if cancel.is_cancelled() {
            break;
        }
        let record = &records[number];
        let stay = |item: &&ItemRecord| !space.erased.contains(&item.id);
        if !record.items.iter().any(|item| stay(&item)) {
            done.emptied += 1;
        } else if is_elsewhere(space, *number, record.items.iter().filter(stay).map(|item| &item.id)) {
            done.done_before += 1;
        } else {
            rewriting.pack(*number, record, &mut done).await?;
        }
        progress.advance(Phase::Repack, 1, record.size);
    }
    rewriting.index(&mut done).await?;
    if cancel.is_cancelled() {
        return Err(VaultError::cancelled());
    }
    done.written += replace_indexes(vault, space).await?;
    progress.finish(Phase::Repack);
    Ok(done)
}

/// Whether items of an old pack are, on every replica with that pack, in packs that stay.
pub(super) fn is_elsewhere<'a>(
    space: &Space,
    old: PackNumber,
    mut items: impl Iterator<Item = &'a ItemId>,
) -> bool {
    let holders: Vec<usize> = space.holders(old).collect();
    items.all(|item| holders.iter().all(|replica| stays_on(space, *replica, item)))
}

/// Whether an item is on a replica in a pack that stays, which an index object there describes that stays.
pub(super) fn stays_on(space: &Space, replica: usize, item: &ItemId) -> bool {
    space.index.is_present(item, |pack| {
        !space.is_retired(pack) && space.keeps_pack(replica, pack) && is_described(space, replica, pack)
    })
}

/// Whether an index object that stays describes a pack on a replica.
fn is_described(space: &Space, replica: usize, pack: PackNumber) -> bool {
    let listing = space.listing(replica);
    let stays = |index: &&Digest| !space.is_retired_index(index);
    let mut stay = space.index.packs()[pack as usize].indexed_by.iter().filter(stays);
    stay.any(|index| listing.is_some_and(|listing| listing.indexes.contains_key(index)))
}

/// Brings index objects that stay to replicas which hold packs that only others there describe: where a run
/// was killed that had written them elsewhere. Whether any was.
async fn bring_indexes(vault: &Vault, space: &Space) -> Result<bool> {
    let mut wanted: BTreeSet<(usize, Digest)> = BTreeSet::new();
    for at in 0..vault.replicas.all().len() {
        let Some(listing) = space.listing(at) else { continue };
        for (number, pack) in (0..).zip(space.index.packs()) {
            if !space.is_retired(number) && listing.has_body(pack) && !is_described(space, at, number) {
                let mut stay = pack.indexed_by.iter().filter(|index| !space.is_retired_index(index));
                wanted.extend(stay.next().map(|index| (at, *index)));
            }
        }
    }
    for (at, index) in &wanted {
        let key = layout::index(&space.name, index);
        let check = |replica: &Replica, stored: Bytes| match Digest::of(&stored) == *index {
            true => Ok(stored),
            false => Err(VaultError::damaged(&key, &replica.store, "it has other bytes than its name says")),
        };
        let max = vault.limits.index_bytes_max;
        let stored =
            vault.replicas.read_any(&key, max, check, |error| vault.read_around(&key, error)).await?;
        let replica = &vault.replicas.all()[*at];
        if let Err(error) = replica.store_new(&key, Body::bytes(stored)).await {
            replica.fail(error);
        }
    }
    Ok(!wanted.is_empty())
}

/// Returns what index objects say of these packs.
pub(super) async fn records_of(
    vault: &Vault,
    space: &Space,
    packs: &BTreeSet<PackNumber>,
) -> Result<BTreeMap<PackNumber, PackRecord>> {
    let mut by_index: BTreeMap<Digest, BTreeSet<PackNumber>> = BTreeMap::new();
    for number in packs {
        let pack = &space.index.packs()[*number as usize];
        let described = pack.indexed_by.first().or(pack.formerly_indexed_by.first()).copied();
        let described = described.ok_or_else(|| {
            let key = layout::pack(&space.name, &pack.id);
            VaultError::new(ErrorKind::Integrity, format!("no index object describes {key}"))
        })?;
        by_index.entry(described).or_default().insert(*number);
    }
    let mut records = BTreeMap::new();
    for (index, wanted) in by_index {
        let file = read_index(vault, &space.name, &index).await?;
        for record in file.packs {
            if let Some(number) = space.index.number(&record.id).filter(|number| wanted.contains(number)) {
                records.insert(number, record);
            }
        }
    }
    match packs.iter().find(|number| !records.contains_key(number)) {
        None => Ok(records),
        Some(number) => {
            let key = layout::pack(&space.name, &space.index.packs()[*number as usize].id);
            Err(VaultError::new(
                ErrorKind::Integrity,
                format!("the index object of {key} describes it no longer"),
            )
            .hint("run the same command again"))
        }
    }
}

/// What was written and is in no index object yet.
struct Rewriting<'a> {
    vault: &'a Vault,
    space: &'a Space,
    reader: Reader<'a>,
    unindexed: Vec<PackRecord>,
    since: u64,
}

impl Rewriting<'_> {
    /// Writes what is left of one pack to every replica that holds it.
    async fn pack(&mut self, number: PackNumber, record: &PackRecord, done: &mut Rewritten) -> Result<()> {
        let key = layout::pack(&self.space.name, &record.id);
        let mut new = match self.remainder(number, record).await? {
            Ok(Some(new)) => new,
            Ok(None) => return Ok(()),
            Err(why) => {
                done.unread.push(Problem::new("not-rewritten", key, why));
                return Ok(());
            }
        };
        done.read += record.size;
        let on: BTreeSet<usize> = self.space.holders(number).collect();
        let stored = store_pack(self.vault, &self.space.name, &mut new, |at| on.contains(&at)).await;
        if stored.len() < on.len() {
            self.index(done).await?;
            return Err(VaultError::new(
                ErrorKind::TooFewReplicas,
                format!(
                    "what stays of {key} is on {} of the {} replicas that hold it",
                    stored.len(),
                    on.len()
                ),
            )
            .hint("nothing was destroyed that is needed; mend the replica and run the same command again"));
        }
        let bytes = new.record.size + new.record.header.map_or(0, |(_, size)| size);
        done.new_packs += 1;
        done.items += new.record.items.len() as u64;
        done.written += bytes;
        self.since += bytes;
        self.unindexed.push(new.record);
        if self.since >= self.vault.limits.checkpoint_bytes { self.index(done).await } else { Ok(()) }
    }

    /// Makes what is left of a pack from the first good copy; or why there is none.
    async fn remainder(
        &self,
        number: PackNumber,
        record: &PackRecord,
    ) -> Result<std::result::Result<Option<FinishedPack>, String>> {
        let pack = &self.space.index.packs()[number as usize];
        let key = layout::pack(&self.space.name, &pack.id);
        let payload = match self.vault.is_encrypted() {
            false => None,
            true => match self.reader.payload_key(pack).await {
                Ok(key) => Some(key),
                Err(Failure::Final(error) | Failure::Bad(error)) if error.kind == ErrorKind::Identity => {
                    return Err(error);
                }
                Err(Failure::Final(error) | Failure::Bad(error)) => return Ok(Err(with_causes(&error))),
            },
        };
        let mut why = "no replica holds it".to_owned();
        for at in self.space.holders(number) {
            let replica = &self.vault.replicas.all()[at];
            let range = self.vault.limits.stretch_bytes;
            let (draft, digest) = match replica.spool(&key, pack.size, &self.vault.spool, range).await {
                Ok(spooled) => spooled,
                Err(error) if error.kind == ErrorKind::Local => return Err(error),
                Err(error) => {
                    why = with_causes(&error);
                    continue;
                }
            };
            if digest != pack.id {
                let error =
                    VaultError::damaged(&key, &replica.store, "it has other bytes than its name says");
                self.vault.read_around(&key, &error);
                why = error.to_string();
                continue;
            }
            // The bytes are those of the name: another copy would be the same.
            return match self.cut(draft, payload, record).await {
                Ok(left) => Ok(Ok(left)),
                Err(Broken::Local(error)) => Err(error),
                Err(Broken::Pack(why)) => Ok(Err(why)),
            };
        }
        Ok(Err(why))
    }

    async fn cut(
        &self,
        draft: SpoolDraft,
        payload: Option<PayloadKey>,
        record: &PackRecord,
    ) -> std::result::Result<Option<FinishedPack>, Broken> {
        let options = pack_options(self.vault, record.kind);
        let (record, erased): (PackRecord, Arc<Erased>) = (record.clone(), Arc::clone(&self.space.erased));
        let cutting = tokio::task::spawn_blocking(move || {
            let mut draft = draft;
            draft.file.rewind().map_err(|error| VaultError::local("cannot read a spool file", error))?;
            let sealed = BufReader::with_capacity(1 << 18, &draft.file);
            let begin = || PackBuilder::new(record.kind, &options);
            let is_gone = |id: &ItemId| erased.contains(id);
            match payload {
                None => remainder(sealed, &record, is_gone, begin),
                Some(key) => remainder(key.reader(sealed, record.size), &record, is_gone, begin),
            }
        });
        cutting.await.expect("packing does not panic")
    }

    /// Puts what was written into the index.
    async fn index(&mut self, done: &mut Rewritten) -> Result<()> {
        self.since = 0;
        let packs = std::mem::take(&mut self.unindexed);
        if !packs.is_empty() {
            done.written += write_index(self.vault, &self.space.name, packs, Vec::new()).await?;
        }
        Ok(())
    }
}

/// Writes index objects that say of the packs that stay what those say that describe packs which are to be
/// destroyed; returns their bytes. Nothing where others do already.
async fn replace_indexes(vault: &Vault, space: &Space) -> Result<u64> {
    let only_there = |indexed_by: &[Digest]| indexed_by.iter().all(|index| space.is_retired_index(index));
    let mut left: HashMap<Digest, BTreeSet<Digest>> = HashMap::new();
    for (number, pack) in (0..).zip(space.index.packs()) {
        if !space.is_retired(number)
            && only_there(&pack.indexed_by)
            && let Some(index) = pack.indexed_by.first()
        {
            left.entry(*index).or_default().insert(pack.id);
        }
    }
    let (mut packs, mut items, mut bytes) = (Vec::new(), 0, 0);
    for (index, wanted) in left {
        let records = merged(vault, &space.name, &[index], &wanted, &space.headers).await?;
        items += records.values().map(|record| record.items.len()).sum::<usize>();
        packs.extend(records.into_values());
        if items >= ITEMS_IN_ONE {
            bytes += write_index(vault, &space.name, std::mem::take(&mut packs), Vec::new()).await?;
            items = 0;
        }
    }
    if !packs.is_empty() {
        bytes += write_index(vault, &space.name, packs, Vec::new()).await?;
    }
    Ok(bytes)
}
