//! Trust records: followed from the pinned root key to the newest.
//!
//! Each record is signed by the root key that the one before names, the first by the key that it
//! names itself, which the configuration pins. It also carries the item key, wrapped to those who
//! may read catalogs.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::envelope::{self, HeaderError, Identity};
use super::error::{ErrorKind, Result, VaultError};
use super::format::trust::{self, TrustRecord, WrappedKey};
use super::format::vault::VaultFile;
use super::item::ItemKey;
use super::layout;
use super::replica::{Replica, Replicas};
use super::signed::check_signed;
use super::signing::VerifyingKey;
use crate::progress::Problem;

/// Follows the trust records from the pinned root key. Returns the newest and the root key of the
/// first.
pub(super) async fn read_trust(
    replicas: &Replicas,
    file: &VaultFile,
    pinned: Option<VerifyingKey>,
    warnings: &mut Vec<Problem>,
) -> Result<(TrustRecord, VerifyingKey)> {
    let mut numbers = BTreeSet::new();
    for replica in replicas.live() {
        match replica.store.list(layout::TRUST).await {
            Ok(objects) => {
                numbers.extend(objects.iter().filter_map(|object| layout::parse_trust(&object.key)));
            }
            Err(error) => replica.fail(error),
        }
    }
    let mut newest: Option<TrustRecord> = None;
    let mut signer = pinned;
    let mut first_root = None;
    for n in 1..=numbers.last().copied().unwrap_or(0) {
        let record = match read_trust_record(replicas, file, n, signer.as_ref()).await {
            Ok(record) => record,
            // A file that nobody trusted signed is no trust record; anybody may have put it there.
            // That a real one was cut off, clients notice that saw it.
            Err(error) if n > 1 && matches!(error.kind, ErrorKind::Integrity | ErrorKind::NotTrusted) => {
                let detail = format!("it is passed over: {error}; remove it where it lies");
                warnings.push(Problem::new("not-a-trust-record", layout::trust(n), detail));
                break;
            }
            Err(error) => return Err(error),
        };
        // The first record is signed by the key that it names itself: that key is what is pinned.
        first_root.get_or_insert_with(|| signer.clone().unwrap_or_else(|| record.root.clone()));
        signer = Some(record.root.clone());
        newest = Some(record);
    }
    newest.zip(first_root).ok_or_else(|| {
        VaultError::new(
            ErrorKind::Integrity,
            format!("the vault {} has no trust record on any replica", file.vault),
        )
        .hint("bring back `trust/` from any copy of the vault: without it nothing is trusted")
    })
}

async fn read_trust_record(
    replicas: &Replicas,
    file: &VaultFile,
    n: u32,
    signer: Option<&VerifyingKey>,
) -> Result<TrustRecord> {
    let mut failure = None;
    for replica in replicas.live() {
        match read_trust_record_on(replica, file, n, signer).await {
            Ok(record) => return Ok(record),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| VaultError::new(ErrorKind::TooFewReplicas, "no replica can be reached")))
}

pub(super) async fn read_trust_record_on(
    replica: &Replica,
    file: &VaultFile,
    n: u32,
    signer: Option<&VerifyingKey>,
) -> Result<TrustRecord> {
    let key = layout::trust(n);
    let missing = |what: &str| VaultError::damaged(&key, &replica.store, what);
    let bytes = replica.find_small(&key, 1 << 20).await?.ok_or_else(|| missing("it is missing"))?;
    let signature = replica.find_small(&layout::signature(&key), 1 << 20).await?;
    let signature = signature.ok_or_else(|| missing("its signature is missing"))?;
    let record: TrustRecord =
        serde_json::from_slice(&bytes).map_err(|error| VaultError::damaged(&key, &replica.store, error))?;
    let signer = signer.unwrap_or(&record.root);
    check_signed(
        &bytes,
        &signature,
        std::slice::from_ref(signer),
        trust::KIND,
        &file.vault,
        &key,
        &replica.store,
    )?;
    if record.n != n {
        return Err(VaultError::damaged(&key, &replica.store, "it says to be another number"));
    }
    Ok(record)
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
