//! Files of a data-subject request: what a search found, and what else is too large for an event.
//!
//! `requests/<case>/<sha256>.age`: `age -d -i privacy.txt | zstd -d` gives the bytes. Each is named by the
//! SHA-256 of what is stored; an event of the case, which is signed, names the file, so nobody can put another
//! in its place. Written to the privacy recipients of the day; `privacy rewrap`
//! stores them again, under other names, for who came later.
//!
//! **If we crash here** a file may lie there that no event names. It is of no use to anybody who cannot read
//! the case anyway.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::envelope::{self, HeaderError};
use super::error::{ErrorKind, Result, VaultError};
use super::layout;
use super::open::Vault;
use super::replica::Replica;
use super::requests::{require_reader, require_recipients};
use crate::ids::{CaseId, Digest};
use crate::objects::{Body, ErrorKind as StoreKind, PutMode};

/// Bytes of a stored file that are read at most; what a search of a large vault found has some megabytes.
pub const STORED_BYTES_MAX: u64 = 256 << 20;
/// Bytes that it may unpack to.
const PLAIN_BYTES_MAX: usize = 1 << 30;
/// Level at which files are compressed; the default of zstd.
const LEVEL: i32 = 3;

/// Stores a file on every live replica; returns the name that an event is to hold.
///
/// # Errors
///
/// [`ErrorKind::Identity`] without a privacy recipient; [`ErrorKind::Refused`] when it is too large;
/// [`ErrorKind::TooFewReplicas`].
pub async fn store(vault: &Vault, case: &CaseId, plain: Vec<u8>) -> Result<Digest> {
    require_recipients(vault)?;
    vault.require_may_write().await?;
    let recipients = vault.trust.privacy_recipients.clone();
    let sealed = tokio::task::spawn_blocking(move || {
        let packed = zstd::bulk::compress(&plain, LEVEL).expect("memory takes it");
        envelope::seal(&packed, &recipients)
    });
    let sealed = Bytes::from(sealed.await.expect("sealing does not panic")?);
    if sealed.len() as u64 > STORED_BYTES_MAX {
        return Err(VaultError::new(
            ErrorKind::Refused,
            "what was found is more than a file of a case holds",
        )
        .hint("search fewer repositories at once, or leave out identifiers that many people share"));
    }
    let digest = Digest::of(&sealed);
    let key = layout::case_file(case, &digest);
    for replica in vault.replicas.live() {
        put(replica, &key, &sealed).await;
    }
    vault.replicas.require_enough()?;
    Ok(digest)
}

/// Reads a file from whichever live replica has a good copy.
///
/// # Errors
///
/// [`ErrorKind::Identity`] when no identity here reads it; [`ErrorKind::Integrity`] when no replica has a
/// good copy.
pub async fn load(vault: &Vault, case: &CaseId, digest: &Digest) -> Result<Bytes> {
    require_reader(vault, case)?;
    let key = layout::case_file(case, digest);
    let sealed = stored(vault, &key, digest).await?;
    let damaged = |why: &str| VaultError::damaged(&key, &"all replicas", why);
    let packed = envelope::open(&sealed, vault.identities()).map_err(|error| match error {
        HeaderError::NotARecipient => VaultError::new(
            ErrorKind::Identity,
            format!("a file of case {case} was written before this identity could read cases"),
        )
        .hint("search again: `prismvault privacy search`"),
        HeaderError::Damaged => damaged("it cannot be decrypted"),
    })?;
    let unpacked = tokio::task::spawn_blocking(move || {
        zstd::bulk::Decompressor::new()?.decompress(&packed, size(&packed))
    });
    let unpacked = unpacked.await.expect("decompressing does not panic");
    Ok(unpacked.map_err(|_| damaged("it does not decompress"))?.into())
}

/// Brings the files of a case to the live replicas that lack them. One that no replica has whole is passed
/// over: the same search finds it again.
pub(super) async fn bring(vault: &Vault, case: &CaseId) {
    let prefix = format!("{}/{case}", layout::REQUESTS);
    let mut there: Vec<(&Replica, BTreeSet<Digest>)> = Vec::new();
    for replica in vault.replicas.live() {
        match replica.store.list(&prefix).await {
            Ok(objects) => {
                let files = objects.iter().filter_map(|object| layout::parse_case_file(&object.key));
                there.push((replica, files.map(|(_, digest)| digest).collect()));
            }
            Err(error) => replica.fail(error),
        }
    }
    let all: BTreeSet<Digest> = there.iter().flat_map(|(_, files)| files.iter().copied()).collect();
    for digest in all {
        let lacking: Vec<&Replica> =
            there.iter().filter(|(_, files)| !files.contains(&digest)).map(|(replica, _)| *replica).collect();
        if lacking.is_empty() {
            continue;
        }
        let key = layout::case_file(case, &digest);
        let Ok(bytes) = stored(vault, &key, &digest).await else { continue };
        for replica in lacking {
            put(replica, &key, &bytes).await;
        }
    }
}

/// Writes a file to a replica, which leaves the run when it does not take it.
async fn put(replica: &Replica, key: &str, sealed: &Bytes) {
    match replica.store.put(key, Body::bytes(sealed.clone()), PutMode::CreateOnly).await {
        Ok(_) => {}
        Err(error) if error.kind == StoreKind::AlreadyExists => {}
        Err(error) => replica.fail(error),
    }
}

/// How much room unpacking wants: what the frame says, within bounds.
fn size(packed: &[u8]) -> usize {
    let said = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten();
    said.map_or(PLAIN_BYTES_MAX, |said| usize::try_from(said).unwrap_or(usize::MAX)).min(PLAIN_BYTES_MAX)
}

async fn stored(vault: &Vault, key: &str, digest: &Digest) -> Result<Bytes> {
    let mut last = None;
    for replica in vault.replicas.live() {
        match replica.store.get(key, STORED_BYTES_MAX).await {
            Ok(bytes) if Digest::of(&bytes) == *digest => return Ok(bytes),
            Ok(_) => {
                last =
                    Some(VaultError::damaged(key, &replica.store, "it has other bytes than its name says"));
            }
            Err(error) => last = Some(error.into()),
        }
    }
    let error = VaultError::new(ErrorKind::Integrity, format!("no replica has a good copy of {key}"))
        .hint("search again: `prismvault privacy search`");
    Err(match last {
        Some(last) => error.because(last),
        None => error,
    })
}
