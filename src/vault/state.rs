//! Small signed files below `state/`, the signature inside.
//!
//! They are overwritten, and a file and its signature beside it cannot be replaced at one moment:
//! so the text and its signature are one object. One that cannot be read, or that no trusted key
//! signed, counts as not there: whoever can write to a bucket could otherwise make a scheduler
//! believe that everything was done.

use futures_util::future::join_all;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{Result, VaultError};
use super::format::to_json;
use super::format::trust::Role;
use super::open::Vault;
use super::replica::Replica;
use super::signed::check_signed;
use super::signing::SigningKey;
use crate::objects::{Body, ErrorKind as StoreKind, PutMode};
use crate::progress::Problem;

/// Who may sign state.
pub(super) const ROLES: &[Role] = &[Role::Snapshot, Role::Maintenance];

/// What lies on the replica.
#[derive(Serialize, Deserialize)]
struct Sealed {
    /// The signed text: JSON with kind, format, vault and key.
    signed: String,
    /// Signature over exactly this text, in minisign's format.
    signature: String,
}

/// Returns the bytes of a state file that this vault's host signs.
///
/// # Errors
///
/// [`ErrorKind::Identity`](super::error::ErrorKind::Identity) without a key that may sign.
pub(super) fn seal(vault: &Vault, key: &str, value: &impl Serialize) -> Result<Body> {
    Ok(seal_by(vault.signer(ROLES)?, key, value))
}

/// The same for those who have no open vault yet.
pub(super) fn seal_by(signing: &SigningKey, key: &str, value: &impl Serialize) -> Body {
    let signed = String::from_utf8(to_json(value)).expect("JSON is text");
    let signature = signing.sign(signed.as_bytes(), key);
    Body::bytes(to_json(&Sealed { signed, signature }))
}

/// Reads a state file of one replica; `None` when there is none.
///
/// # Errors
///
/// Those of the store; [`ErrorKind::Integrity`](super::error::ErrorKind::Integrity) and
/// [`ErrorKind::NotTrusted`](super::error::ErrorKind::NotTrusted) for one that does not count.
pub(super) async fn read<T: DeserializeOwned>(
    vault: &Vault,
    replica: &Replica,
    key: &str,
    kind: &str,
) -> Result<Option<T>> {
    let max = vault.limits.small_object_bytes_max;
    let bytes = match replica.store.get(key, max).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind == StoreKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let place = &replica.store;
    let damaged = |error: serde_json::Error| VaultError::damaged(key, place, error);
    let sealed: Sealed = serde_json::from_slice(&bytes).map_err(damaged)?;
    let (text, signature) = (sealed.signed.as_bytes(), sealed.signature.as_bytes());
    check_signed(text, signature, &vault.signers(ROLES), kind, &vault.file.vault, key, place)?;
    serde_json::from_slice(text).map(Some).map_err(damaged)
}

/// Writes a state file to every live replica, over what is there.
///
/// # Errors
///
/// When no replica took it; one that did not is warned of as a problem of this `code`.
pub(super) async fn store_everywhere(
    vault: &Vault,
    key: &str,
    value: &impl Serialize,
    code: &str,
) -> Result<()> {
    let body = seal(vault, key, value)?;
    let puts = vault.replicas.live().map(|replica| {
        let body = body.clone();
        async move { (replica, replica.store.put(key, body, PutMode::Overwrite).await) }
    });
    let (mut stored, mut failure) = (false, None);
    for (replica, result) in join_all(puts).await {
        match result {
            Ok(_) => stored = true,
            Err(error) => {
                let detail = format!("{} did not take it: {error}", replica.name);
                vault.warn(Problem::new(code, key, detail));
                failure = Some(error);
            }
        }
    }
    match failure {
        Some(error) if !stored => Err(error.into()),
        _ => Ok(()),
    }
}
