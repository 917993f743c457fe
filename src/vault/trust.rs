//! Trust records: followed from the pinned root key to the newest, and made.
//!
//! Each record is signed by the root key that the one before names, the first by the key that it
//! names itself, which the configuration pins. It also carries the item key, wrapped to those who
//! may read catalogs.
//!
//! Records are written create-only, signature first. Two people who change the keys at once are
//! told apart by that; where they reached different replicas, the vault is refused until one of
//! the two records is taken away. **If we crash here** a replica holds a signature without its
//! record, which nobody reads and the next change replaces, or lacks the newest record, which the
//! next run brings.

use std::collections::{BTreeSet, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::future::join_all;

use super::envelope::{self, HeaderError, Identity};
use super::error::{ErrorKind, Result, VaultError};
use super::format::trust::{self, Role, Signer, TrustRecord, WrappedKey};
use super::format::vault::VaultFile;
use super::format::{VERSION, to_json};
use super::item::ItemKey;
use super::layout;
use super::open::Vault;
use super::replica::{Replica, Replicas, with_causes};
use super::signed::check_signed;
use super::signing::{SigningKey, VerifyingKey};
use crate::clock::rfc3339;
use crate::objects::ErrorKind as StoreKind;
use crate::progress::Problem;

/// A trust record as it is stored.
#[derive(Debug, Clone)]
pub(super) struct StoredTrust {
    pub(super) record: TrustRecord,
    bytes: Vec<u8>,
    signature: Vec<u8>,
    /// Names of replicas that list it.
    on: HashSet<String>,
}

/// Follows the trust records from the pinned root key. Returns all, oldest first and at least
/// one, and the root key of the first.
pub(super) async fn read_trust(
    replicas: &Replicas,
    file: &VaultFile,
    pinned: Option<VerifyingKey>,
    warnings: &mut Vec<Problem>,
) -> Result<(Vec<StoredTrust>, VerifyingKey)> {
    let mut numbers = BTreeSet::new();
    let mut listed = HashSet::new();
    for replica in replicas.live() {
        match replica.store.list(layout::TRUST).await {
            Ok(objects) => {
                for n in objects.iter().filter_map(|object| layout::parse_trust(&object.key)) {
                    numbers.insert(n);
                    listed.insert((replica.name.clone(), n));
                }
            }
            Err(error) => replica.fail(error),
        }
    }
    let mut records: Vec<StoredTrust> = Vec::new();
    let mut signer = pinned;
    let mut first_root = None;
    for n in 1..=numbers.last().copied().unwrap_or(0) {
        let mut stored = match read_trust_record(replicas, file, n, signer.as_ref()).await {
            Ok(stored) => stored,
            // A file that nobody trusted signed is no trust record; anybody may have put it there.
            // That a real one was cut off, clients notice that saw it.
            Err(error) if n > 1 && is_no_record(&error) => {
                let detail = format!("it is passed over: {error}; remove it where it lies");
                warnings.push(Problem::new("not-a-trust-record", layout::trust(n), detail));
                break;
            }
            Err(error) => return Err(error),
        };
        let lists = |replica: &&Replica| listed.contains(&(replica.name.clone(), n));
        stored.on = replicas.live().filter(lists).map(|replica| replica.name.clone()).collect();
        // The first record is signed by the key that it names itself: that key is what is pinned.
        first_root.get_or_insert_with(|| signer.clone().unwrap_or_else(|| stored.record.root.clone()));
        signer = Some(stored.record.root.clone());
        records.push(stored);
    }
    first_root.filter(|_| !records.is_empty()).map(|root| (records, root)).ok_or_else(|| {
        VaultError::new(
            ErrorKind::Integrity,
            format!("the vault {} has no trust record on any replica", file.vault),
        )
        .hint("bring back `trust/` from any copy of the vault: without it nothing is trusted")
    })
}

fn is_no_record(error: &VaultError) -> bool {
    matches!(error.kind, ErrorKind::Integrity | ErrorKind::NotTrusted | ErrorKind::Store(StoreKind::NotFound))
}

/// Reads one record from every live replica. All good copies must be the same.
async fn read_trust_record(
    replicas: &Replicas,
    file: &VaultFile,
    n: u32,
    signer: Option<&VerifyingKey>,
) -> Result<StoredTrust> {
    let read = join_all(
        replicas
            .live()
            .map(|replica| async move { (replica, read_trust_record_on(replica, file, n, signer).await) }),
    )
    .await;
    let mut found: Option<(StoredTrust, &str)> = None;
    let mut failure: Option<VaultError> = None;
    for (replica, result) in read {
        match (result, &found) {
            (Ok(stored), Some((first, name))) if stored.bytes != first.bytes => {
                return Err(VaultError::new(
                    ErrorKind::Refused,
                    format!(
                        "the replicas {name} and {} hold different trust records number {n}, both signed by the root key",
                        replica.name
                    ),
                )
                .hint(format!(
                    "two people changed the keys at once: decide which record counts, remove {} and its signature from the other replica, and repeat the other change",
                    layout::trust(n)
                )));
            }
            (Ok(_), Some(_)) => {}
            (Ok(stored), None) => found = Some((stored, &replica.name)),
            // Damage is worth more to know than that another replica lacks it.
            (Err(error), _) if failure.as_ref().is_none_or(|known| known.kind != ErrorKind::Integrity) => {
                failure = Some(error);
            }
            (Err(_), _) => {}
        }
    }
    match (found, failure) {
        (Some((stored, _)), _) => Ok(stored),
        (None, Some(error)) => Err(error),
        (None, None) => Err(VaultError::new(ErrorKind::TooFewReplicas, "no replica can be reached")),
    }
}

pub(super) async fn read_trust_record_on(
    replica: &Replica,
    file: &VaultFile,
    n: u32,
    signer: Option<&VerifyingKey>,
) -> Result<StoredTrust> {
    let key = layout::trust(n);
    let accept = |bytes: Bytes, signature: Bytes| {
        let record: TrustRecord = serde_json::from_slice(&bytes)
            .map_err(|error| VaultError::damaged(&key, &replica.store, error))?;
        let signer = std::slice::from_ref(signer.unwrap_or(&record.root));
        check_signed(&bytes, &signature, signer, trust::KIND, &file.vault, &key, &replica.store)?;
        if record.n != n {
            return Err(VaultError::damaged(&key, &replica.store, "it says to be another number"));
        }
        Ok(StoredTrust { record, bytes: bytes.to_vec(), signature: signature.to_vec(), on: HashSet::new() })
    };
    match replica.read_signed(&key, 1 << 20, accept).await {
        Err(error) if error.kind == ErrorKind::Store(StoreKind::NotFound) => {
            // Of the first every replica has a copy since it was made; it may lag behind with others.
            let kind = if n == 1 { ErrorKind::Integrity } else { ErrorKind::Store(StoreKind::NotFound) };
            Err(VaultError::new(kind, format!("{key} on {} is missing", replica.store))
                .hint("`prismvault repair` brings it from another replica"))
        }
        read => read,
    }
}

/// Returns the keys of earlier records with all roles that they ever had.
pub(super) fn former_signers(records: &[StoredTrust]) -> Vec<Signer> {
    let mut former: Vec<Signer> = Vec::new();
    for signer in records.iter().flat_map(|stored| &stored.record.signers) {
        match former.iter_mut().find(|known| known.key == signer.key) {
            Some(known) => {
                let new = signer.roles.iter().filter(|role| !known.roles.contains(role));
                let new: Vec<Role> = new.copied().collect();
                known.roles.extend(new);
            }
            None => former.push(signer.clone()),
        }
    }
    former
}

impl StoredTrust {
    /// Writes the record to a replica that lacks it, its signature first.
    async fn store_on(&self, replica: &Replica) -> Result<()> {
        let key = &self.record.key;
        replica.store_signed_new(key, &self.bytes, &self.signature, || changed_meanwhile(key, replica)).await
    }
}

impl Vault {
    /// Every trust record, oldest first; the last is [`trust`](Self::trust).
    pub fn trust_history(&self) -> impl DoubleEndedIterator<Item = &TrustRecord> + Clone {
        self.trust_records.iter().map(|stored| &stored.record)
    }

    /// Copies trust records to live replicas that lack them; one that refuses leaves the run.
    /// Goes before whatever is signed by a key that only a newer record names.
    pub async fn bring_trust_up_to_date(&self) {
        for stored in &self.trust_records {
            for replica in self.replicas.live().filter(|replica| !stored.on.contains(&replica.name)) {
                if let Err(error) = stored.store_on(replica).await {
                    replica.fail(error);
                }
            }
        }
    }

    /// Signs the next trust record and writes it to every live replica; from then on it counts
    /// here. Number, time and item key are filled in.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] when `root` is not the root key that the newest record names, or no
    /// identity that reads catalogs is here; [`ErrorKind::Refused`] when another change was made
    /// meanwhile; [`ErrorKind::UnknownFormat`] when the newest record has roles that this version
    /// does not know; [`ErrorKind::TooFewReplicas`].
    pub async fn append_trust(&mut self, root: &SigningKey, next: TrustRecord) -> Result<()> {
        if *root.public() != self.trust.root {
            return Err(VaultError::new(
                ErrorKind::Identity,
                format!("{} is not the root key of this vault, which is {}", root.public(), self.trust.root),
            )
            .hint("set `root` in [keys] to the file of the root key"));
        }
        if self.trust.signers.iter().any(|signer| signer.roles.contains(&Role::Unknown)) {
            return Err(VaultError::new(
                ErrorKind::UnknownFormat,
                "the newest trust record gives roles that this prismvault does not know",
            )
            .hint("change keys with a newer prismvault; this one would drop those roles"));
        }
        let n = self.trust.n + 1;
        let key = layout::trust(n);
        let record = TrustRecord {
            kind: trust::KIND.to_owned(),
            format: VERSION,
            vault: self.file.vault,
            key: key.clone(),
            n,
            created: rfc3339(self.clock.now()),
            item_key: wrap_item_key(self.item_key()?, &next.catalog_recipients)?,
            ..next
        };
        let bytes = to_json(&record);
        let signature = root.sign(&bytes, &key).into_bytes();
        let mut stored = StoredTrust { record, bytes, signature, on: HashSet::new() };
        self.bring_trust_up_to_date().await;
        self.replicas.require_enough()?;
        for replica in self.replicas.live() {
            if replica.find_small(&key, 1 << 20).await?.is_some() {
                return Err(changed_meanwhile(&key, replica));
            }
        }
        for replica in self.replicas.live() {
            match stored.store_on(replica).await {
                Ok(()) => drop(stored.on.insert(replica.name.clone())),
                Err(error) if error.kind == ErrorKind::Refused => {
                    return Err(changed_meanwhile(&key, replica));
                }
                Err(error) => replica.fail(error),
            }
        }
        self.replicas.require_enough()?;
        for replica in self.replicas.live() {
            let there = read_trust_record_on(replica, &self.file, n, Some(root.public())).await;
            if !there.is_ok_and(|there| there.bytes == stored.bytes) {
                return Err(changed_meanwhile(&key, replica));
            }
        }
        self.trust = stored.record.clone();
        self.trust_records.push(stored);
        self.former = former_signers(&self.trust_records);
        let remember = || {
            let mut remembered = self.memory.recall()?;
            remembered.trust = n;
            self.memory.remember(&remembered)
        };
        // The record counts by now; not to remember it is worth a warning, not a failure.
        if let Err(error) = remember() {
            self.warn(Problem::new("not-remembered", "memory", with_causes(&error)));
        }
        Ok(())
    }
}

fn changed_meanwhile(key: &str, replica: &Replica) -> VaultError {
    VaultError::new(ErrorKind::Refused, format!("{key} is on {} already, with other content", replica.store))
        .hint("somebody changed the keys at the same time: look at `prismvault keys list`, then run the same again; a file that nobody trusted signed must be removed there first")
}

pub(super) fn unwrap_item_key(trust: &TrustRecord, identities: &[Identity]) -> Result<Option<ItemKey>> {
    let damaged = |why: &str| VaultError::damaged(&trust.key, &"all replicas", format!("its item key {why}"));
    let decode = |text: &str| BASE64.decode(text).map_err(|_| damaged("is not base64"));
    let bytes = match &trust.item_key {
        WrappedKey::Clear(text) => decode(text)?,
        WrappedKey::Age(text) => match envelope::open(&decode(text)?, identities) {
            Ok(bytes) => bytes,
            Err(HeaderError::NotARecipient) => return Ok(None),
            Err(HeaderError::Damaged) => return Err(damaged("cannot be decrypted")),
        },
    };
    let key = bytes.try_into().map_err(|_| damaged("has a wrong length"))?;
    Ok(Some(ItemKey(key)))
}

/// Wraps an item key for a trust record.
pub(super) fn wrap_item_key(key: &ItemKey, recipients: &[envelope::Recipient]) -> Result<WrappedKey> {
    Ok(if recipients.is_empty() {
        WrappedKey::Clear(BASE64.encode(key.0))
    } else {
        WrappedKey::Age(BASE64.encode(envelope::seal(&key.0, recipients)?))
    })
}
