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

/// Who may sign state, but for leases.
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

/// The same for a large file: what takes time for its size is done off the async threads, but for the
/// signature.
///
/// # Errors
///
/// Those of [`seal`].
pub(super) async fn seal_large(
    vault: &Vault,
    key: &str,
    value: impl Serialize + Send + 'static,
) -> Result<Body> {
    let signing = vault.signer(ROLES)?;
    let signed = aside(move || String::from_utf8(to_json(&value)).expect("JSON is text")).await?;
    let signature = signing.sign(signed.as_bytes(), key);
    aside(move || Body::bytes(to_json(&Sealed { signed, signature }))).await
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(VaultError::cancelled()),
    }
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
    read_by(vault, replica, key, kind, ROLES).await
}

/// The same for one that keys of other roles may sign.
///
/// # Errors
///
/// Those of [`read`].
pub(super) async fn read_by<T: DeserializeOwned>(
    vault: &Vault,
    replica: &Replica,
    key: &str,
    kind: &str,
    roles: &[Role],
) -> Result<Option<T>> {
    read_sealed(vault, replica, (key, kind), vault.limits.small_object_bytes_max, roles).await
}

/// The same as [`read`] for one that may be larger: at most so many bytes are read.
///
/// # Errors
///
/// Those of [`read`].
pub(super) async fn read_up_to<T: DeserializeOwned>(
    vault: &Vault,
    replica: &Replica,
    key: &str,
    kind: &str,
    max: u64,
) -> Result<Option<T>> {
    read_sealed(vault, replica, (key, kind), max, ROLES).await
}

/// The same for one that keys with other roles may sign.
///
/// # Errors
///
/// Those of [`read`].
pub(super) async fn read_sealed<T: DeserializeOwned>(
    vault: &Vault,
    replica: &Replica,
    (key, kind): (&str, &str),
    max: u64,
    roles: &[Role],
) -> Result<Option<T>> {
    let bytes = match replica.store.get(key, max).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind == StoreKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let place = &replica.store;
    let damaged = |error: serde_json::Error| VaultError::damaged(key, place, error);
    let sealed: Sealed = serde_json::from_slice(&bytes).map_err(damaged)?;
    let (text, signature) = (sealed.signed.as_bytes(), sealed.signature.as_bytes());
    check_signed(text, signature, &vault.signers(roles), kind, &vault.file.vault, key, place)?;
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
    put_everywhere(vault, key, seal(vault, key, value)?, code).await
}

/// The same with what was [sealed](seal) before.
///
/// # Errors
///
/// Those of [`store_everywhere`].
pub(super) async fn put_everywhere(vault: &Vault, key: &str, body: Body, code: &str) -> Result<()> {
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
