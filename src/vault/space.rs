//! What a space holds now: its index, and which replica has which packs.
//!
//! Listings are made afresh each time; only the contents of immutable objects come from caches.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::join_all;

use super::envelope::{self, HeaderError};
use super::erasure::Erased;
use super::error::{ErrorKind, Result, VaultError};
use super::format::index::{IndexFile, PackRecord};
use super::format::trust::Role;
use super::index::{Headers, Index, Listing, PackNumber};
use super::layout;
use super::ledger::Ledger;
use super::marks;
use super::open::Vault;
use super::payload_keys::PayloadKeys;
use super::replica::{Replica, in_parallel, with_causes};
use super::standing::Endorsed;
use crate::ids::{Digest, ItemId, Name};
use crate::objects::ErrorKind as StoreKind;
use crate::progress::Problem;

/// Who may sign index objects.
pub(super) const INDEX_SIGNERS: &[Role] = &[Role::Snapshot, Role::Maintenance, Role::Privacy];

/// A space as found.
#[derive(Debug)]
pub struct Space {
    /// Its name.
    pub name: Name,
    /// All that index objects say.
    pub index: Index,
    /// What the ledger says about headers and index objects.
    pub headers: Headers,
    /// What the ledger says is read no more, and what is under restriction.
    pub erased: Arc<Erased>,
    /// Packs that are to be destroyed: see [`is_retired`](Self::is_retired).
    retired: HashSet<PackNumber>,
    /// Index objects that describe any of them: see [`is_retired_index`](Self::is_retired_index).
    retired_indexes: BTreeSet<Digest>,
    /// For the recipients of which trust record index objects were written, as they say themselves;
    /// 0 where they do not.
    pub index_trust: HashMap<Digest, u32>,
    /// Index objects that no replica has a good copy of.
    pub unreadable: Vec<Problem>,
    /// One a replica, in the order of the vault's; `None` for those that do not take part.
    listings: Vec<Option<Listing>>,
    /// By replica and pack: whether it is there to stay.
    keeps: Vec<Vec<bool>>,
    /// Keys of packs that were opened.
    pub(super) payload_keys: PayloadKeys,
}

impl Space {
    /// Lists a space on every live replica and reads its index.
    ///
    /// An index object that cannot be read makes its items unknown, so a snapshot stores them
    /// again; it is named in [`unreadable`](Self::unreadable).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] when no identity that reads catalogs is here.
    pub async fn load(vault: &Vault, name: &Name) -> Result<Self> {
        Self::load_through(vault, name, Copies::WithCache).await
    }

    /// The same for those who have just read its ledger: before the listings, as it must be.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub async fn load_after(vault: &Vault, name: &Name, ledger: &Ledger) -> Result<Self> {
        vault.item_key()?;
        Self::load_by(vault, name, ledger, Copies::WithCache).await
    }

    /// The same by what replicas hold alone: for those who ask whether index objects are good
    /// there. The cache of this client may hold what all replicas have lost.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub async fn load_from_replicas(vault: &Vault, name: &Name) -> Result<Self> {
        Self::load_through(vault, name, Copies::OfReplicas).await
    }

    async fn load_through(vault: &Vault, name: &Name, copies: Copies) -> Result<Self> {
        vault.item_key()?;
        let ledger = Ledger::load(vault, name).await?;
        Self::load_by(vault, name, &ledger, copies).await
    }

    async fn load_by(vault: &Vault, name: &Name, ledger: &Ledger, copies: Copies) -> Result<Self> {
        let mut listings = list_all(vault, name).await;
        let mut read = read_all(vault, name, &listings, ledger, copies).await;
        // Pruning on another host may have merged index objects since they were listed; what
        // replaces them is in a list made afresh.
        let vanished = |file: &Result<IndexFile>| {
            file.as_ref().is_err_and(|error| error.kind == ErrorKind::Store(StoreKind::NotFound))
        };
        if read.iter().any(|(_, file)| vanished(file)) {
            listings = list_all(vault, name).await;
            read = read_all(vault, name, &listings, ledger, copies).await;
        }
        forget_unlisted(vault, name, &listings);
        let retired = &ledger.headers().retired_indexes;
        let (mut index, mut unreadable) = (Index::default(), Vec::new());
        let mut index_trust = HashMap::new();
        for (id, file) in read {
            match file {
                Ok(file) => {
                    index_trust.insert(id, file.trust);
                    for pack in &file.packs {
                        if retired.contains(&id) {
                            index.insert_retired(pack, id);
                        } else {
                            index.insert(pack, Some(id));
                        }
                    }
                    for (metadata, original) in file.originals {
                        index.insert_original(metadata, original);
                    }
                }
                Err(error) if error.kind == ErrorKind::UnknownFormat => return Err(error),
                // It may be for readers of the past.
                Err(_) if retired.contains(&id) => {}
                Err(error) => unreadable.push(Problem::new(
                    "index-unreadable",
                    layout::index(name, &id),
                    with_causes(&error),
                )),
            }
        }
        index.apply_headers(ledger.headers());
        let erased = Arc::clone(ledger.erased());
        let holding = erased.ids().flat_map(|id| index.locations(id)).map(|place| place.pack);
        let named = erased.orders().iter().flat_map(|known| &known.order.packs);
        let retired: HashSet<PackNumber> =
            holding.chain(named.filter_map(|pack| index.number(pack))).collect();
        let describing = retired.iter().map(|number| &index.packs()[*number as usize]);
        let describing = describing.flat_map(|pack| pack.indexed_by.iter().chain(&pack.formerly_indexed_by));
        let retired_indexes = describing.copied().collect();
        let mut space = Self {
            name: name.clone(),
            index,
            headers: ledger.headers().clone(),
            erased,
            retired,
            retired_indexes,
            index_trust,
            unreadable,
            keeps: Vec::new(),
            payload_keys: PayloadKeys::default(),
            listings,
        };
        let packs = space.index.packs();
        let kept = |listing: &Option<Listing>| {
            let keeps = |pack| listing.as_ref().is_some_and(|listing| listing.keeps_pack(pack));
            packs.iter().map(keeps).collect()
        };
        space.keeps = space.listings.iter().map(kept).collect();
        Ok(space)
    }

    /// Whether a pack holds something that was erased. What else is in it is read from it until it is in
    /// another; nobody copies it any more, and it is destroyed wherever it turns up.
    pub fn is_retired(&self, pack: PackNumber) -> bool {
        self.retired.contains(&pack)
    }

    /// The packs that are to be destroyed.
    pub fn retired(&self) -> impl Iterator<Item = PackNumber> + '_ {
        self.retired.iter().copied()
    }

    /// Whether an index object is to be destroyed: it describes a pack that is, so it holds fingerprints of
    /// what was erased.
    pub fn is_retired_index(&self, index: &Digest) -> bool {
        self.retired_indexes.contains(index)
    }

    /// The index objects that are to be destroyed.
    pub fn retired_indexes(&self) -> impl Iterator<Item = &Digest> {
        self.retired_indexes.iter()
    }

    /// On how many replicas a pack is, and not about to be pruned.
    pub fn copies(&self, pack: PackNumber) -> usize {
        (0..self.keeps.len()).filter(|replica| self.keeps_pack(*replica, pack)).count()
    }

    /// Whether a pack is on a replica, and not about to be pruned: what a writer relies on.
    pub fn keeps_pack(&self, replica: usize, pack: PackNumber) -> bool {
        self.keeps.get(replica).and_then(|kept| kept.get(pack as usize)).copied().unwrap_or(false)
    }

    /// Whether an item is on a replica, and not about to be pruned.
    pub fn keeps_item(&self, replica: usize, item: &ItemId) -> bool {
        self.index.is_present(item, |pack| self.keeps_pack(replica, pack))
    }

    /// Returns the numbers of those `count` replicas of `candidates` that keep most of these items; where
    /// they keep the same, those that keep most of the space, and then the first.
    ///
    /// A snapshot must be whole on each of so many replicas. An item that is on another set of them is of no
    /// use to it: two replicas of which each lacks what the other has would make none.
    pub fn anchors<'a>(
        &self,
        count: usize,
        candidates: impl Iterator<Item = usize>,
        items: impl Iterator<Item = &'a ItemId> + Clone,
    ) -> Vec<usize> {
        let candidates: Vec<usize> = candidates.collect();
        // Nothing to choose, as mostly: nobody counts the items.
        if candidates.len() <= count {
            return candidates;
        }
        let rank = |replica: usize| {
            let of_items = items.clone().filter(|item| self.keeps_item(replica, item)).count();
            let packs = self.index.packs().iter().zip(0..);
            let kept = packs.filter(|(_, number)| self.keeps_pack(replica, *number));
            (of_items, kept.map(|(pack, _)| pack.size).sum::<u64>())
        };
        let mut ranked: Vec<_> =
            candidates.into_iter().map(|replica| (Reverse(rank(replica)), replica)).collect();
        ranked.sort_unstable();
        ranked.into_iter().take(count).map(|(_, replica)| replica).collect()
    }

    /// What the listing of a replica found; `None` when it does not take part.
    pub fn listing(&self, replica: usize) -> Option<&Listing> {
        self.listings.get(replica)?.as_ref()
    }

    /// Takes out of the local cache what is kept of packs that no replica lists any more; not while one
    /// is away that may.
    pub(crate) fn forget_blocks(&self, vault: &Vault) {
        let listings: Vec<&Listing> = self.listings.iter().flatten().collect();
        if let Some(blocks) = vault.blocks()
            && listings.len() == vault.replicas.configured()
        {
            blocks
                .retain(&self.name, |pack| listings.iter().any(|listing| listing.bodies.contains_key(pack)));
        }
    }

    /// Returns the numbers of the replicas from which a pack can be read: those with its body,
    /// where any replica has a header of it. One that was retired will do as long as it is there.
    pub fn holders(&self, pack: PackNumber) -> impl Iterator<Item = usize> + '_ {
        let pack = self.index.packs().get(pack as usize).filter(|pack| {
            let lists = |header: &(Digest, u64)| {
                self.listings.iter().flatten().any(|listing| listing.has_header(pack, header))
            };
            pack.header.is_none() || pack.named_headers().any(|header| lists(&header))
        });
        let holds = move |listing: &Listing| pack.is_some_and(|pack| listing.has_body(pack));
        self.listings
            .iter()
            .enumerate()
            .filter(move |(_, listing)| listing.as_ref().is_some_and(holds))
            .map(|(at, _)| at)
    }

    /// Notes that a pack was stored on the replicas with these numbers.
    pub fn add_pack(&mut self, record: &PackRecord, on: &HashSet<usize>) -> PackNumber {
        let number = self.index.insert(record, None);
        for (at, listing) in self.listings.iter_mut().enumerate() {
            if let Some(listing) = listing.as_mut().filter(|_| on.contains(&at)) {
                listing.bodies.insert(record.id, record.size);
                if let Some(header) = record.header {
                    listing.headers.entry(record.id).or_default().push(header);
                }
            }
        }
        for (at, kept) in self.keeps.iter_mut().enumerate() {
            kept.resize(self.index.packs().len(), false);
            kept[number as usize] = on.contains(&at);
        }
        number
    }
}

/// Whose copies of index objects count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copies {
    WithCache,
    OfReplicas,
}

/// One a replica, in the order of the vault's; a replica that cannot be listed leaves the run.
async fn list_all(vault: &Vault, name: &Name) -> Vec<Option<Listing>> {
    join_all(vault.replicas.all().iter().map(|replica| async move {
        if !replica.is_live() {
            return None;
        }
        match list(vault, replica, name).await {
            Ok(listing) => Some(listing),
            Err(error) => {
                replica.fail(error);
                None
            }
        }
    }))
    .await
}

/// Takes out of the cache what no replica lists any more; not while one is away that may.
fn forget_unlisted(vault: &Vault, name: &Name, listings: &[Option<Listing>]) {
    let listings: Vec<&Listing> = listings.iter().flatten().collect();
    if listings.len() < vault.replicas.configured() {
        return;
    }
    let lists = |has: &dyn Fn(&Listing) -> bool| listings.iter().any(|listing| has(listing));
    let is_listed = |key: &str| match (layout::parse_header(key), layout::parse_digest(key)) {
        (Some((pack, own)), _) => lists(&|listing| {
            listing.headers.get(&pack).is_some_and(|there| there.iter().any(|(header, _)| *header == own))
        }),
        (None, Some(id)) => {
            lists(&|listing| listing.bodies.contains_key(&id) || listing.indexes.contains_key(&id))
        }
        (None, None) => false,
    };
    for kind in [layout::PACKS, layout::KEYS, layout::INDEX] {
        vault.cache.forget_unlisted(&format!("{kind}/{name}"), is_listed);
    }
}

async fn read_all(
    vault: &Vault,
    name: &Name,
    listings: &[Option<Listing>],
    ledger: &Ledger,
    copies: Copies,
) -> Vec<(Digest, Result<IndexFile>)> {
    let retired = &ledger.headers().retired_indexes;
    let mut ids: Vec<Digest> =
        listings.iter().flatten().flat_map(|listing| listing.indexes.keys().copied()).collect();
    // What took the place of others is read first.
    ids.sort_unstable_by_key(|id| (retired.contains(id), *id));
    ids.dedup();
    let endorsed = ledger.endorsed();
    in_parallel(ids, vault.limits.store_concurrency, |id| async move {
        (id, read_index_through(vault, name, &id, endorsed, copies).await)
    })
    .await
}

async fn list(vault: &Vault, replica: &Replica, space: &Name) -> Result<Listing> {
    let (marks, others) = marks::load(vault, replica, space).await?;
    others.into_iter().for_each(|problem| vault.warn(problem));
    let mut listing = Listing { marked: marks::packs(&marks), marks, ..Listing::default() };
    let prefixes = [layout::PACKS, layout::KEYS, layout::INDEX].map(|kind| format!("{kind}/{space}"));
    let [packs, headers, indexes] = prefixes.each_ref().map(|prefix| replica.store.list(prefix));
    let (packs, headers, indexes) = futures_util::join!(packs, headers, indexes);
    for (objects, are_packs) in [(packs?, true), (indexes?, false)] {
        for object in objects {
            match layout::parse_digest(&object.key) {
                Some(id) => {
                    listing.note_written(id, object.modified);
                    let sizes = if are_packs { &mut listing.bodies } else { &mut listing.indexes };
                    sizes.insert(id, object.size);
                }
                None => listing.strangers.push(object.key),
            }
        }
    }
    for object in headers? {
        match layout::parse_header(&object.key) {
            Some((pack, own)) => {
                listing.note_written(pack, object.modified);
                listing.headers.entry(pack).or_default().push((own, object.size));
            }
            None => listing.strangers.push(object.key),
        }
    }
    Ok(listing)
}

/// Reads one index object from the cache or any replica with a good copy.
///
/// # Errors
///
/// What is wrong with the copies, when none is good.
pub async fn read_index(vault: &Vault, space: &Name, id: &Digest) -> Result<IndexFile> {
    let ledger = Ledger::load(vault, space).await?;
    read_index_through(vault, space, id, ledger.endorsed(), Copies::WithCache).await
}

async fn read_index_through(
    vault: &Vault,
    space: &Name,
    id: &Digest,
    endorsed: &Endorsed,
    copies: Copies,
) -> Result<IndexFile> {
    let key = layout::index(space, id);
    let mut signers = vault.signers(INDEX_SIGNERS);
    // By a retired key it counts where somebody names it.
    if endorsed.allows(id, INDEX_SIGNERS) {
        signers.extend(vault.former_signers(INDEX_SIGNERS));
    }
    if copies == Copies::WithCache
        && let Some(stored) = vault.cache.get(&key)
        && let Ok(file) = decode_index(vault, &stored, &signers, space, &key, &"the cache")
    {
        return Ok(file);
    }
    vault
        .replicas
        .read_any(
            &key,
            vault.limits.index_bytes_max,
            |replica, stored| {
                let file = decode_index(vault, &stored, &signers, space, &key, &replica.store)?;
                vault.cache.keep(&key, &stored);
                Ok(file)
            },
            |error| vault.read_around(&key, error),
        )
        .await
}

pub(super) fn decode_index(
    vault: &Vault,
    stored: &[u8],
    signers: &[super::signing::VerifyingKey],
    space: &Name,
    key: &str,
    place: &dyn std::fmt::Display,
) -> Result<IndexFile> {
    let plain = open_index(vault, stored, key, place)?;
    IndexFile::decode(&plain, signers, &vault.file.vault, space, key, place)
}

/// Decrypts an index object.
pub(super) fn open_index<'a>(
    vault: &Vault,
    stored: &'a [u8],
    key: &str,
    place: &dyn std::fmt::Display,
) -> Result<Cow<'a, [u8]>> {
    if !vault.is_encrypted() {
        return Ok(stored.into());
    }
    envelope::open(stored, &vault.keys.identities).map(Cow::Owned).map_err(|error| match error {
        HeaderError::Damaged => VaultError::damaged(key, place, "it does not decrypt"),
        HeaderError::NotARecipient => VaultError::new(
            ErrorKind::Identity,
            format!("{key} on {place} is not encrypted to the identities that are here"),
        ),
    })
}
