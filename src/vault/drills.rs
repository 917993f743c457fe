//! Records of drills: stored on every replica, read from whichever has a good copy, checked without a network.
//!
//! What may hold content is compressed, and encrypted to the content recipients where the vault is encrypted;
//! each file is named by the SHA-256 of what is stored, which the signed record names.
//!
//! **If we crash here** files may lie there that no record names: they are of no use, and the drill counts as
//! one that was killed. The record is written last.

mod check;
mod statements;

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::future::join_all;

use super::envelope;
use super::erasure::content_erased;
use super::error::{ErrorKind, Result, VaultError};
use super::format::drill::{DrillAttachment, DrillFile, KIND};
use super::format::trust::Role;
use super::format::{VERSION, to_json};
use super::layout;
use super::open::Vault;
use super::replica::{Replica, with_causes};
use crate::ids::{Digest, SnapshotId};
use crate::objects::{Body, ErrorKind as StoreKind, PutMode};
use crate::progress::Problem;

pub use self::check::{CopiesChecked, CopyFault, check_copies_of};
pub use self::statements::{
    BROKEN, Saying, Signatory, StoredClosed, StoredStatement, close, closed, closures, open_note, seal_note,
    state, statements,
};

/// Whose keys sign records: any that the vault trusts with something.
pub(super) const ROLES: &[Role] = &[Role::Snapshot, Role::Maintenance, Role::Privacy];
/// Largest file of a drill, as it is stored: a page of pictures.
pub const STORED_BYTES_MAX: u64 = 256 << 20;
/// Bytes that one may unpack to.
const PLAIN_BYTES_MAX: usize = 1 << 30;
/// Level at which files are compressed; the default of zstd.
const LEVEL: i32 = 3;

/// A drill as it is stored, with the digest by which statements name it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDrill {
    /// The record.
    pub file: DrillFile,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its bytes, and the signature over them: for bundles.
    pub signed: (Bytes, Bytes),
}

/// Stores the files of a drill on every live replica; returns what the record is to name.
///
/// # Errors
///
/// [`ErrorKind::Refused`] for one that is too large; [`ErrorKind::TooFewReplicas`].
pub async fn store_files(
    vault: &Vault,
    drill: &SnapshotId,
    files: Vec<(String, Bytes)>,
) -> Result<Vec<DrillAttachment>> {
    vault.require_may_write().await?;
    let mut attachments = Vec::with_capacity(files.len());
    for (path, plain) in files {
        let recipients = vault.is_encrypted().then(|| vault.trust.content_recipients.clone());
        let (bytes, sha256) = (plain.len() as u64, Digest::of(&plain));
        let sealed = tokio::task::spawn_blocking(move || {
            let packed = zstd::bulk::compress(&plain, LEVEL).expect("memory takes it");
            match recipients {
                Some(recipients) => envelope::seal(&packed, &recipients),
                None => Ok(packed),
            }
        });
        let sealed = Bytes::from(sealed.await.expect("sealing does not panic")?);
        if sealed.len() as u64 > STORED_BYTES_MAX {
            let error = VaultError::new(
                ErrorKind::Refused,
                format!("{path} is larger than a file of a drill may be"),
            );
            return Err(error.hint("leave out pages or checks that make it so large"));
        }
        let stored = Digest::of(&sealed);
        let key = layout::drill_file(drill, &stored);
        for replica in vault.replicas.live() {
            put(replica, &key, &sealed).await;
        }
        vault.replicas.require_enough()?;
        attachments.push(DrillAttachment { path, bytes, sha256, stored });
    }
    Ok(attachments)
}

/// Checks that a key is here that signs records, before anything is begun.
///
/// # Errors
///
/// [`ErrorKind::Identity`] without one.
pub fn require_signer(vault: &Vault) -> Result<()> {
    vault.signer(ROLES).map(drop)
}

/// Stores the record of a drill on every live replica: from then on it counts.
///
/// # Errors
///
/// [`ErrorKind::Identity`] without a key of the vault; [`ErrorKind::TooFewReplicas`].
pub async fn store(vault: &Vault, mut file: DrillFile) -> Result<StoredDrill> {
    let signer = vault.signer(ROLES)?;
    vault.require_may_write().await?;
    let key = layout::drill(&file.drill);
    KIND.clone_into(&mut file.kind);
    file.format = VERSION;
    file.vault = vault.file.vault;
    file.key.clone_from(&key);
    let bytes = Bytes::from(to_json(&file));
    let signature = Bytes::from(signer.sign(&bytes, &key).into_bytes());
    store_signed(vault, &key, &bytes, &signature).await?;
    Ok(StoredDrill { digest: Digest::of(&bytes), file, signed: (bytes, signature) })
}

/// Stores a signed file one replica after the other: the first decides between two who write at once, and one
/// that has something else there although the first had not leaves the run.
async fn store_signed(vault: &Vault, key: &str, bytes: &Bytes, signature: &Bytes) -> Result<()> {
    let there = || {
        VaultError::new(ErrorKind::Refused, format!("{key} is there already, and says something else"))
            .hint("somebody else wrote it meanwhile: look at the drill with `prismvault drill show`, and say it again if it is still right")
    };
    // With too few replicas nothing is begun that would be told to have failed.
    vault.replicas.require_enough()?;
    let mut is_taken = false;
    for replica in vault.replicas.live() {
        match replica.store_signed_new(key, bytes, signature, there).await {
            Ok(()) => is_taken = true,
            Err(error) if error.kind == ErrorKind::Refused && !is_taken => return Err(there()),
            Err(error) => replica.fail(error),
        }
    }
    vault.replicas.require_enough()
}

async fn put(replica: &Replica, key: &str, sealed: &Bytes) {
    match replica.store.put(key, Body::bytes(sealed.clone()), PutMode::CreateOnly).await {
        Ok(_) => {}
        Err(error) if error.kind == StoreKind::AlreadyExists => {}
        Err(error) => replica.fail(error),
    }
}

/// Keys below a prefix, on any live replica.
async fn keys(vault: &Vault, prefix: &str) -> Result<BTreeSet<String>> {
    let asked =
        vault.replicas.live().map(|replica| async move { (replica, replica.store.list(prefix).await) });
    let mut keys = BTreeSet::new();
    for (replica, objects) in join_all(asked).await {
        match objects {
            Ok(objects) => keys.extend(objects.into_iter().map(|object| object.key)),
            Err(error) => replica.fail(error),
        }
    }
    vault.replicas.require_any()?;
    Ok(keys)
}

/// Returns the ids of all drills, oldest first.
///
/// # Errors
///
/// When no replica could be listed.
pub async fn ids(vault: &Vault) -> Result<BTreeSet<SnapshotId>> {
    let keys = keys(vault, layout::DRILLS).await?;
    Ok(keys.iter().filter_map(|key| layout::parse_drill(key)).collect())
}

/// Returns all drills, oldest first. One that is not signed, or damaged everywhere, is a problem.
///
/// # Errors
///
/// When no replica could be listed.
pub async fn all(vault: &Vault) -> Result<(Vec<StoredDrill>, Vec<Problem>)> {
    let (mut drills, mut problems) = (Vec::new(), Vec::new());
    for id in ids(vault).await? {
        match load(vault, &id).await {
            Ok(drill) => drills.push(drill),
            Err(error) => {
                problems.push(Problem::new("drill-unreadable", layout::drill(&id), with_causes(&error)));
            }
        }
    }
    Ok((drills, problems))
}

/// Returns the record of a drill.
///
/// # Errors
///
/// [`ErrorKind::NotFound`]; what is wrong with the copies, when none is good.
pub async fn load(vault: &Vault, id: &SnapshotId) -> Result<StoredDrill> {
    let key = layout::drill(id);
    let candidate = vault.read_candidate(&key, KIND, ROLES).await.map_err(|error| match error.kind {
        ErrorKind::Store(StoreKind::NotFound) => {
            VaultError::new(ErrorKind::NotFound, format!("there is no drill {id}"))
                .hint("`prismvault drill list` shows the drills")
        }
        _ => error,
    })?;
    let damaged = |why: String| VaultError::damaged(&key, &"all replicas", why);
    let file: DrillFile =
        serde_json::from_slice(&candidate.bytes).map_err(|error| damaged(error.to_string()))?;
    if file.drill != *id {
        return Err(damaged("it is the record of another drill".to_owned()));
    }
    Ok(StoredDrill {
        digest: Digest::of(&candidate.bytes),
        file,
        signed: (candidate.bytes, candidate.signature),
    })
}

/// Reads a file of a drill from whichever live replica has a good copy.
///
/// # Errors
///
/// [`ErrorKind::Identity`] when no identity here reads it; [`ErrorKind::Erased`] when an order of erasure took it;
/// [`ErrorKind::Integrity`] when no replica has a good copy, or it is not what the record says.
pub async fn read_file(vault: &Vault, drill: &DrillFile, attachment: &DrillAttachment) -> Result<Bytes> {
    let key = layout::drill_file(&drill.drill, &attachment.stored);
    let sealed = match stored(vault, &key, &attachment.stored).await {
        Ok(sealed) => sealed,
        Err(error) => return Err(why_gone(vault, drill, attachment).await.unwrap_or(error)),
    };
    let damaged = |why: &str| VaultError::damaged(&key, &"all replicas", why);
    let packed = match vault.is_encrypted() {
        false => sealed.to_vec(),
        true => envelope::open(&sealed, vault.identities()).map_err(|error| match error {
            envelope::HeaderError::NotARecipient => VaultError::new(
                ErrorKind::Identity,
                format!(
                    "{} of drill {} is read with an identity that reads content",
                    attachment.path, drill.drill
                ),
            )
            .hint("pass --identity with the recovery identity"),
            envelope::HeaderError::Damaged => damaged("it cannot be decrypted"),
        })?,
    };
    let plain = tokio::task::spawn_blocking(move || {
        let said = zstd::zstd_safe::get_frame_content_size(&packed).ok().flatten();
        let room = said.map_or(PLAIN_BYTES_MAX, |said| usize::try_from(said).unwrap_or(usize::MAX));
        zstd::bulk::Decompressor::new()?.decompress(&packed, room.min(PLAIN_BYTES_MAX))
    });
    let plain = plain.await.expect("decompressing does not panic");
    let plain = plain.map_err(|_| damaged("it does not decompress"))?;
    match Digest::of(&plain) == attachment.sha256 {
        true => Ok(plain.into()),
        false => Err(damaged("it is not what the record says")),
    }
}

/// That an order of erasure took a file of a drill, where one did.
async fn why_gone(vault: &Vault, drill: &DrillFile, attachment: &DrillAttachment) -> Option<VaultError> {
    let erased = content_erased(vault, drill).await.ok().flatten().filter(|_| attachment.holds_content())?;
    let (path, id) = (&attachment.path, &drill.drill);
    let what =
        format!("{path} of drill {id} was erased under order {} of case {}", erased.order, erased.case);
    Some(VaultError::new(ErrorKind::Erased, what).hint("the record still says what it was, by its SHA-256"))
}

async fn stored(vault: &Vault, key: &str, digest: &Digest) -> Result<Bytes> {
    let is_right = |replica: &Replica, bytes: Bytes| match Digest::of(&bytes) == *digest {
        true => Ok(bytes),
        false => Err(VaultError::damaged(key, &replica.store, "it has other bytes than its name says")),
    };
    vault.replicas.read_any(key, STORED_BYTES_MAX, is_right, |error| vault.read_around(key, error)).await
}
