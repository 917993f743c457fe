//! Canaries: does a key that is kept for the day of need really open something?

use super::envelope::{HeaderError, Identity, PayloadKey, SEALED_CHUNK};
use super::error::{ErrorKind, Result, VaultError};
use super::index::Pack;
use super::layout;
use super::open::Vault;
use super::space::Space;
use crate::ids::Digest;

/// What an identity is tried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canary {
    /// A pack of documents or assets.
    Content,
    /// A pack of catalog pages.
    Catalog,
}

/// Opens the newest header of a pack with this identity and decrypts the beginning of the body.
/// Returns the pack; `None` when the space holds none of that kind.
///
/// # Errors
///
/// [`ErrorKind::Identity`] when the identity does not open it; damage, and errors of stores, when
/// no replica has a copy that can be read.
pub async fn sing(
    vault: &Vault,
    space: &Space,
    canary: Canary,
    identity: &Identity,
) -> Result<Option<Digest>> {
    let wanted = |pack: &Pack| pack.kind.is_content() == (canary == Canary::Content);
    let numbered = (0..).zip(space.index.packs());
    let found = numbered.filter(|(_, pack)| wanted(pack)).find_map(|(number, pack)| {
        space.holders(number).next().map(|_| pack).filter(|pack| pack.header.is_some())
    });
    let Some(pack) = found else { return Ok(None) };
    let Some((header, size)) = pack.needed_header() else { return Ok(None) };
    let key = layout::header(&space.name, &pack.id, &header);
    let open = |replica: &super::replica::Replica, bytes: bytes::Bytes| {
        PayloadKey::open(&bytes, std::slice::from_ref(identity)).map_err(|error| match error {
            HeaderError::Damaged => {
                VaultError::damaged(&key, &replica.store, "it is no age header, or its MAC is wrong")
            }
            HeaderError::NotARecipient => {
                VaultError::new(ErrorKind::Identity, format!("{} does not open {key}", identity.recipient()))
                    .hint("`prismvault keys rewrap` writes headers for all recipients of the trust record")
            }
        })
    };
    let opened = vault.replicas.read_any(&key, size, open, |error| vault.read_around(&key, error)).await?;
    let body = layout::pack(&space.name, &pack.id);
    let mut failure = None;
    for replica in vault.replicas.live() {
        match replica.store.get_range(&body, 0..pack.size.min(SEALED_CHUNK)).await {
            Ok(bytes) if opened.open_chunks(&bytes, 0, pack.size).is_some() => return Ok(Some(pack.id)),
            Ok(_) => {
                failure = Some(VaultError::damaged(&body, &replica.store, "it does not decrypt"));
            }
            Err(error) => drop(failure.get_or_insert(error.into())),
        }
    }
    Err(failure.unwrap_or_else(|| VaultError::new(ErrorKind::TooFewReplicas, "no replica can be reached")))
}
