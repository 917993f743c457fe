//! Headers of packs that were to be destroyed: none may be found, by its old name either, and none may open
//! anything.
//!
//! Whoever holds the bytes of a header opens its body for as long as that is there. So what is kept of headers
//! before they are destroyed are their *names* ([`collect`]), never their bytes. Afterwards each is asked for by its
//! name, on every replica, in every version, aside and in the cache of this machine; what still answers is joined
//! with the body and tried with every key that is here.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::erased::ErasedPacks;
use super::scan::keys_of;
use crate::ids::{Digest, Name};
use crate::objects::ErrorKind as StoreKind;
use crate::progress::Problem;
use crate::vault::error::Result;
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::replica::Replica;
use crate::vault::space::Space;

/// Bytes of a header at most.
const HEADER_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a body that show whether it decrypts: two chunks.
const BODY_BYTES: u64 = 2 * 65_552;

/// Names of headers, by space and pack. No keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldHeaders {
    /// By space and pack: the SHA-256 of each header.
    pub names: BTreeMap<Name, BTreeMap<Digest, BTreeSet<Digest>>>,
}

impl OldHeaders {
    /// Adds those of another.
    pub fn extend(&mut self, other: Self) {
        for (space, packs) in other.names {
            let own = self.names.entry(space).or_default();
            for (pack, headers) in packs {
                own.entry(pack).or_default().extend(headers);
            }
        }
    }
}

/// Takes the names of all headers of packs that are to be destroyed: before they are.
pub fn collect(vault: &Vault, space: &Space) -> OldHeaders {
    let mut packs: BTreeMap<Digest, BTreeSet<Digest>> = BTreeMap::new();
    for number in space.retired() {
        let pack = &space.index.packs()[number as usize];
        let headers = packs.entry(pack.id).or_default();
        headers.extend(pack.named_headers().map(|(header, _)| header));
        let listings = (0..vault.replicas.all().len()).filter_map(|at| space.listing(at));
        let listed = listings.flat_map(|listing| listing.headers.get(&pack.id).into_iter().flatten());
        headers.extend(listed.map(|(header, _)| *header));
    }
    OldHeaders { names: BTreeMap::from([(space.name.clone(), packs)]) }
}

/// What trying came to on one replica.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// Name of the replica.
    pub replica: String,
    /// Headers that were asked for by name, and packs of which none was known.
    pub tried: u64,
    /// Those that were there and opened a body.
    pub opened: u64,
    /// Those that are there, whether they open anything or not.
    pub there: u64,
    /// What could not be asked.
    pub unknown: Vec<Problem>,
}

/// Tries every header of the packs that were to be destroyed, on every live replica.
///
/// # Errors
///
/// None of a store: what cannot be asked is told.
pub async fn try_all(vault: &Vault, erased: &ErasedPacks, old: &OldHeaders) -> Result<Vec<Tried>> {
    let mut trying = Trying { vault, keys: keys_of(vault.identities()), names: BTreeMap::new() };
    let mut replicas = Vec::new();
    for replica in vault.replicas.live() {
        let mut tried = Tried { replica: replica.name.clone(), ..Tried::default() };
        trying.list(replica, erased, old, &mut tried).await;
        replicas.push((replica, tried));
    }
    let mut done = Vec::new();
    for (replica, mut tried) in replicas {
        for ((space, pack), headers) in &trying.names {
            trying.pack(replica, space, pack, headers, &mut tried).await;
        }
        done.push(tried);
    }
    Ok(done)
}

struct Trying<'a> {
    vault: &'a Vault,
    keys: Vec<age::x25519::Identity>,
    /// Every header that is known of each pack.
    names: BTreeMap<(Name, Digest), BTreeSet<Digest>>,
}

impl Trying<'_> {
    /// Adds what a replica lists to what is known from before.
    async fn list(&mut self, replica: &Replica, erased: &ErasedPacks, old: &OldHeaders, tried: &mut Tried) {
        for (space, packs) in &erased.packs {
            for pack in packs {
                let known = old.names.get(space).and_then(|packs| packs.get(pack)).into_iter().flatten();
                self.names.entry((space.clone(), *pack)).or_default().extend(known);
            }
            for prefix in
                [format!("{}/{space}", layout::KEYS), layout::damaged(&format!("{}/{space}", layout::KEYS))]
            {
                match replica.store.list_versions(&prefix).await {
                    Ok(versions) => {
                        let headers =
                            versions.iter().filter_map(|version| layout::parse_header(&version.key));
                        for (pack, header) in headers.filter(|(pack, _)| packs.contains(pack)) {
                            self.names.entry((space.clone(), pack)).or_default().insert(header);
                        }
                    }
                    Err(error) => tried.unknown.push(Problem::new("not-asked", prefix, error.to_string())),
                }
            }
        }
    }

    async fn pack(
        &self,
        replica: &Replica,
        space: &Name,
        pack: &Digest,
        headers: &BTreeSet<Digest>,
        tried: &mut Tried,
    ) {
        // Listed as none, and asked for as none.
        tried.tried += (headers.len() as u64).max(1);
        for header in headers {
            let key = layout::header(space, pack, header);
            let mut copies = self.copies(replica, &key, HEADER_BYTES_MAX, tried).await;
            copies.extend(self.vault.cached(&key));
            tried.there += u64::from(!copies.is_empty());
            let mut opens = false;
            for copy in copies {
                opens = opens || self.opens(replica, space, pack, &copy, tried).await;
            }
            tried.opened += u64::from(opens);
        }
    }

    /// Every copy of an object on a replica, whatever a listing says: as it is read, each version, and aside.
    async fn copies(&self, replica: &Replica, key: &str, max: u64, tried: &mut Tried) -> Vec<Bytes> {
        let mut copies = Vec::new();
        for key in [key.to_owned(), layout::damaged(key)] {
            match replica.store.get(&key, max).await {
                Ok(bytes) => copies.push(bytes),
                Err(error) if error.kind == StoreKind::NotFound => {}
                Err(error) => tried.unknown.push(Problem::new("not-asked", &*key, error.to_string())),
            }
            let Ok(versions) = replica.store.list_versions(&key).await else { continue };
            let hidden = versions.into_iter().filter(|one| one.key == key && !one.is_delete_marker);
            for version in hidden.filter(|one| !one.is_latest) {
                match replica.store.get_version(&key, &version.version, max).await {
                    Ok(bytes) => copies.push(bytes),
                    Err(error) if error.kind == StoreKind::NotFound => {}
                    Err(error) => tried.unknown.push(Problem::new("not-asked", &*key, error.to_string())),
                }
            }
        }
        copies
    }

    /// Whether a header, joined with any body of its pack, gives the first byte of what was encrypted.
    async fn opens(
        &self,
        own: &Replica,
        space: &Name,
        pack: &Digest,
        header: &Bytes,
        tried: &mut Tried,
    ) -> bool {
        let key = layout::pack(space, pack);
        let cached = self.vault.cached(&key);
        if cached.is_some_and(|body| self.gives(header, &body)) {
            return true;
        }
        let others = self.vault.replicas.live().filter(|other| other.name != own.name);
        for replica in std::iter::once(own).chain(others) {
            for key in [key.clone(), layout::damaged(&key)] {
                let Ok(versions) = replica.store.list_versions(&key).await else {
                    tried.unknown.push(Problem::new("not-asked", &*key, "its versions cannot be listed"));
                    continue;
                };
                for version in versions.iter().filter(|one| one.key == key && !one.is_delete_marker) {
                    let range = 0..version.size.min(BODY_BYTES);
                    let body = replica.store.get_range_version(&key, &version.version, range).await;
                    if body.is_ok_and(|body| self.gives(header, &body)) {
                        return true;
                    }
                }
            }
        }
        false
    }

    fn gives(&self, header: &[u8], body: &[u8]) -> bool {
        use std::io::Read as _;
        let joined = [header, body].concat();
        let keys = || self.keys.iter().map(|key| key as &dyn age::Identity);
        let Ok(decryptor) = age::Decryptor::new(&joined[..]) else { return false };
        let Ok(mut plain) = decryptor.decrypt(keys()) else { return false };
        matches!(plain.read(&mut [0]), Ok(1))
    }
}
