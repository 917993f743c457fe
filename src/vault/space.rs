//! What a space holds now: its index, and which replica has which packs.
//!
//! Listings are made afresh each time; only the contents of immutable objects come from caches.

use std::collections::{BTreeSet, HashSet};

use futures_util::future::join_all;

use super::envelope::{self, HeaderError};
use super::error::{ErrorKind, Result, VaultError};
use super::format::index::{IndexFile, PackRecord};
use super::format::trust::Role;
use super::index::{Index, Listing, PackNumber};
use super::layout;
use super::marks;
use super::open::Vault;
use super::replica::{Replica, in_parallel, with_causes};
use crate::ids::{Digest, Name};
use crate::progress::Problem;

/// A space as found.
#[derive(Debug)]
pub struct Space {
    /// Its name.
    pub name: Name,
    /// All that index objects say.
    pub index: Index,
    /// Index objects that no replica has a good copy of.
    pub unreadable: Vec<Problem>,
    /// One a replica, in the order of the vault's; `None` for those that do not take part.
    listings: Vec<Option<Listing>>,
    /// Per pack, on how many replicas it is to stay.
    copies: Vec<usize>,
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
        vault.item_key()?;
        let listings = join_all(vault.replicas.all().iter().map(|replica| async move {
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
        .await;
        let ids: BTreeSet<Digest> =
            listings.iter().flatten().flat_map(|listing| listing.indexes.keys().copied()).collect();
        let read = in_parallel(ids, vault.limits.store_concurrency, |id| async move {
            (id, read_index(vault, name, &id).await)
        })
        .await;
        let (mut index, mut unreadable) = (Index::default(), Vec::new());
        for (id, file) in read {
            match file {
                Ok(file) => {
                    for pack in &file.packs {
                        index.insert(pack, Some(id));
                    }
                    for (metadata, original) in file.originals {
                        index.insert_original(metadata, original);
                    }
                }
                Err(error) if error.kind == ErrorKind::UnknownFormat => return Err(error),
                Err(error) => unreadable.push(Problem::new(
                    "index-unreadable",
                    layout::index(name, &id),
                    with_causes(&error),
                )),
            }
        }
        let mut space = Self { name: name.clone(), index, unreadable, copies: Vec::new(), listings };
        space.count_copies();
        Ok(space)
    }

    fn count_copies(&mut self) {
        let on = |pack| self.listings.iter().flatten().filter(|listing| listing.keeps_pack(pack)).count();
        self.copies = self.index.packs().iter().map(on).collect();
    }

    /// On how many replicas a pack is, and not about to be pruned: what a writer relies on.
    pub fn copies(&self, pack: PackNumber) -> usize {
        self.copies.get(pack as usize).copied().unwrap_or(0)
    }

    /// What the listing of a replica found; `None` when it does not take part.
    pub fn listing(&self, replica: usize) -> Option<&Listing> {
        self.listings.get(replica)?.as_ref()
    }

    /// Returns the numbers of the replicas that hold a pack.
    pub fn holders(&self, pack: PackNumber) -> impl Iterator<Item = usize> + '_ {
        let pack = self.index.packs().get(pack as usize);
        let holds = move |listing: &Listing| pack.is_some_and(|pack| listing.has_pack(pack));
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
        self.copies.resize(self.index.packs().len(), 0);
        self.copies[number as usize] = on.len();
        number
    }
}

async fn list(vault: &Vault, replica: &Replica, space: &Name) -> Result<Listing> {
    let (marks, others) = marks::load(vault, replica, space).await?;
    others.into_iter().for_each(|problem| vault.warn(problem));
    let mut listing = Listing { marked: marks::packs(&marks), ..Listing::default() };
    let prefixes = [layout::PACKS, layout::KEYS, layout::INDEX].map(|kind| format!("{kind}/{space}"));
    let [packs, headers, indexes] = prefixes.each_ref().map(|prefix| replica.store.list(prefix));
    let (packs, headers, indexes) = futures_util::join!(packs, headers, indexes);
    for (objects, sizes) in [(packs?, &mut listing.bodies), (indexes?, &mut listing.indexes)] {
        for object in objects {
            match layout::parse_digest(&object.key) {
                Some(id) => {
                    sizes.insert(id, object.size);
                }
                None => listing.strangers.push(object.key),
            }
        }
    }
    for object in headers? {
        match layout::parse_header(&object.key) {
            Some((pack, own)) => listing.headers.entry(pack).or_default().push((own, object.size)),
            None => listing.strangers.push(object.key),
        }
    }
    Ok(listing)
}

async fn read_index(vault: &Vault, space: &Name, id: &Digest) -> Result<IndexFile> {
    let key = layout::index(space, id);
    let signers = vault.signers(&[Role::Snapshot, Role::Maintenance]);
    if let Some(stored) = vault.cache.get(&key)
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
    let opened;
    let plain = if vault.is_encrypted() {
        opened = envelope::open(stored, &vault.keys.identities).map_err(|error| match error {
            HeaderError::Damaged => VaultError::damaged(key, place, "it does not decrypt"),
            HeaderError::NotARecipient => VaultError::new(
                ErrorKind::Identity,
                format!("{key} on {place} is not encrypted to the identities that are here"),
            ),
        })?;
        &opened[..]
    } else {
        stored
    };
    IndexFile::decode(plain, signers, &vault.file.vault, space, key, place)
}
