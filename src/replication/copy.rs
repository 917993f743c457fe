//! Copying one object between replicas: the only place where an object of one replica becomes
//! one of another, for `replicate` and for `repair`.
//!
//! A copy is believed at both ends: what is read must have the digest of its name, or a signature
//! that counts, before there is an object of it, and what was written is confirmed. A source whose
//! copy is bad is passed over and named.
//!
//! Memory is bounded by [`Limits::copy_memory_bytes`](crate::limits::Limits::copy_memory_bytes)
//! for all copies together: small objects are held whole; large ones that one replica lacks are
//! passed on while they are read, others go through a spool file. Whatever is wrong with
//! an object that is passed on, it is read once more through the file, and that tells.
//!
//! **If we crash here**: a put is atomic, so at worst an object is there that no manifest needs
//! yet, and a spool file that the next run sweeps. [`replace`] says what else.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use sha2::Digest as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::ids::Digest;
use crate::limits::Limits;
use crate::objects::{Body, ErrorKind as StoreKind, Pieces, PutMode, SourceObject, SpoolFile, pieces};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::replica::{Replica, with_causes};
use crate::vault::see_through::Hidden;

/// Unit of the memory that copies take: permits of a semaphore are counted in 32 bits.
const MEMORY_UNIT: u64 = 1 << 10;

/// A copy that was passed over because it is damaged, missing or not authentic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BadCopy {
    /// Replica that has it.
    pub replica: String,
    /// Key of the object.
    pub key: String,
    /// What is wrong.
    pub detail: String,
}

/// What reading a good copy came to.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The good copy and the replica it is from, or why there is none.
    pub(super) good: Result<(Body, String)>,
    /// Copies that were passed over.
    pub(super) bad: Vec<BadCopy>,
}

/// Reads objects within the memory that copies may take.
#[derive(Debug)]
pub(super) struct Copier<'a> {
    vault: &'a Vault,
    memory: Semaphore,
    units: u32,
    /// Objects that may be passed on at once. Each occupies its target while it waits for its source,
    /// and two replicas may be both to each other: one operation on each must always be left for
    /// reading.
    passes: Semaphore,
}

impl<'a> Copier<'a> {
    pub(super) fn new(vault: &'a Vault) -> Self {
        let units = u32::try_from(vault.limits().copy_memory_bytes / MEMORY_UNIT).unwrap_or(u32::MAX).max(1);
        let passes = Semaphore::new(vault.limits().store_concurrency.saturating_sub(1));
        Self { vault, memory: Semaphore::new(units as usize), units, passes }
    }

    /// Waits until an object of this size may be held: whole, or one batch that is written and one
    /// that is read.
    pub(super) async fn hold(&self, size: u64) -> SemaphorePermit<'_> {
        let bytes = size.min(whole_bytes_max(self.vault.limits()));
        let units = u32::try_from(bytes.div_ceil(MEMORY_UNIT)).unwrap_or(u32::MAX).clamp(1, self.units);
        self.memory.acquire_many(units).await.expect("this semaphore is never closed")
    }

    /// Copies a large object to one replica that lacks it, reading while writing. `None` where that
    /// cannot be done, or the source did not give what the name says, which nobody has got then: the
    /// caller [`fetch`](Self::fetch)es it. The caller holds memory for it.
    pub(super) async fn pass(
        &self,
        key: &str,
        size: u64,
        source: &Replica,
        to: &Replica,
    ) -> Option<Result<()>> {
        let limits = self.vault.limits();
        let promised = layout::promised_digest(key).filter(|_| size > whole_bytes_max(limits))?;
        if limits.store_concurrency < 2 {
            return None;
        }
        let _pass = self.passes.acquire().await.expect("this semaphore is never closed");
        let mut object = SourceObject::new(Arc::clone(&source.store), key, limits.copy_batch_bytes);
        if to.answers_for_puts() {
            object = object.hashed_by_taker();
        }
        match to.store_new(key, Body::object(Arc::new(object), size, promised)).await {
            Err(error) if error.kind == ErrorKind::Integrity => {
                tracing::info!(key, from = %source.name, error = %with_causes(&error), "cannot be passed on; reading it once more");
                None
            }
            passed => Some(passed),
        }
    }

    /// Reads the first good copy. The caller holds memory for it until the body is dropped. `size`
    /// is what it has by the index or a listing, where that is known.
    pub(super) async fn fetch(&self, key: &str, size: Option<u64>, sources: &[&Replica]) -> Fetched {
        let (mut bad, mut last) = (Vec::new(), None);
        for source in sources {
            match fetch(self.vault, source, key, size).await {
                Ok(body) => return Fetched { good: Ok((body, source.name.clone())), bad },
                Err(error) => {
                    let is_bad = is_damage(&error);
                    if is_bad {
                        let detail = with_causes(&error);
                        bad.push(BadCopy { replica: source.name.clone(), key: key.to_owned(), detail });
                    }
                    let is_out_of_reach = matches!(
                        error.kind,
                        ErrorKind::Store(StoreKind::Transient | StoreKind::Unknown | StoreKind::Denied)
                    );
                    if is_out_of_reach {
                        // Asking it for each of the other objects would take hours.
                        source.fail(VaultError::new(error.kind, with_causes(&error)));
                    }
                    // Damage is worth more to know than that another copy is out of reach.
                    if is_bad || last.is_none() {
                        last = Some(error);
                    }
                }
            }
        }
        let none =
            || VaultError::new(ErrorKind::TooFewReplicas, format!("no replica can be asked for {key}"));
        Fetched { good: Err(last.unwrap_or_else(none)), bad }
    }
}

/// Largest object that is held whole: two batches of larger ones are.
fn whole_bytes_max(limits: &Limits) -> u64 {
    limits.copy_batch_bytes.saturating_mul(2)
}

/// Whether an error says that a copy is no good, as opposed to out of reach.
pub(super) fn is_damage(error: &VaultError) -> bool {
    use StoreKind::{NotFound, OutOfRange, TooLarge};
    matches!(
        error.kind,
        ErrorKind::Integrity | ErrorKind::NotTrusted | ErrorKind::Store(NotFound | OutOfRange | TooLarge)
    )
}

/// Reads the copy of one replica, hashing; refuses one that is not good. Nobody asks for the size
/// of an object that is known: one of another size has another digest.
///
/// # Errors
///
/// [`ErrorKind::Integrity`] or [`ErrorKind::NotTrusted`] when it is damaged or not authentic;
/// those of the store and of the spool disk.
pub(crate) async fn fetch(vault: &Vault, from: &Replica, key: &str, size: Option<u64>) -> Result<Body> {
    let body = match (layout::promised_digest(key), size) {
        (Some(_), Some(size)) => read(vault, from, key, size).await?,
        (Some(_), None) => read(vault, from, key, from.store.head(key).await?.size).await?,
        // Signed files are small.
        (None, _) => in_memory(from.store.get(key, vault.limits().small_object_bytes_max).await?).await,
    };
    check(vault, from, key, &body.sha256()).await.map(|()| body)
}

/// Reads an object as it is: in memory when it is small, else into a spool file.
async fn read(vault: &Vault, from: &Replica, key: &str, size: u64) -> Result<Body> {
    if size <= whole_bytes_max(vault.limits()) {
        return Ok(in_memory(from.store.get(key, size).await?).await);
    }
    spooled(vault, size, from.store.get_pieces(key, 0..size).await?).await
}

/// Reads `size` bytes into a spool file, batch by batch.
async fn spooled(vault: &Vault, size: u64, mut pieces: Pieces) -> Result<Body> {
    let local = |error| VaultError::local("cannot write a spool file", error);
    let file = tempfile::Builder::new().prefix("pack-").tempfile_in(vault.spool()).map_err(local)?;
    let mut spool = (file, sha2::Sha256::new());
    loop {
        let batch = pieces::batch(&mut pieces, vault.limits().copy_batch_bytes.max(1)).await?;
        if batch.is_empty() {
            break;
        }
        let (mut file, mut digest) = spool;
        let written = tokio::task::spawn_blocking(move || {
            for piece in &batch {
                digest.update(piece);
                file.write_all(piece)?;
            }
            Ok::<_, std::io::Error>((file, digest))
        });
        spool = written.await.expect("hashing and writing do not panic").map_err(local)?;
    }
    let (file, digest) = spool;
    let spool = Arc::new(SpoolFile::new(file.into_temp_path()));
    Ok(Body::file(spool, size, Digest(digest.finalize().into())))
}

/// Hashes bytes off the async threads.
async fn in_memory(bytes: Bytes) -> Body {
    tokio::task::spawn_blocking(move || Body::bytes(bytes)).await.expect("hashing does not panic")
}

/// Checks what was read of an object against its name, or its signature.
async fn check(vault: &Vault, from: &Replica, key: &str, digest: &Digest) -> Result<()> {
    match layout::promised_digest(key) {
        Some(promised) if promised != *digest => {
            Err(VaultError::damaged(key, &from.store, "its bytes do not have the digest of its name"))
        }
        Some(_) => Ok(()),
        None if key == layout::VAULT => match vault_file_is_good(vault, from).await {
            true => Ok(()),
            false => Err(VaultError::damaged(key, &from.store, "it differs from what the trust record says")),
        },
        None => vault.check_signed_on(from, layout::signed_file(key)).await,
    }
}

/// Whether the copy of an object on a replica is good.
pub(crate) async fn is_good(vault: &Vault, replica: &Replica, key: &str) -> bool {
    match layout::promised_digest(key) {
        Some(promised) => stored_digest(replica, key).await.is_ok_and(|digest| digest == promised),
        None if key == layout::VAULT => vault_file_is_good(vault, replica).await,
        None => vault.check_signed_on(replica, layout::signed_file(key)).await.is_ok(),
    }
}

/// Hashes the bytes of an object.
async fn stored_digest(replica: &Replica, key: &str) -> Result<Digest> {
    let size = replica.store.head(key).await?.size;
    Ok(replica.digest(key, size).await?)
}

/// Whether what is on a replica is what was wanted, by the checksum that the store keeps, or by
/// its bytes where it keeps none. For what some earlier run left: nobody vouches for it yet.
///
/// # Errors
///
/// [`ErrorKind::Integrity`] when it is not; those of the store.
pub(super) async fn confirm(replica: &Replica, key: &str, promised: &Digest) -> Result<()> {
    let meta = replica.store.head(key).await?;
    let found = match meta.sha256 {
        Some(stored) => stored,
        None => replica.digest(key, meta.size).await?,
    };
    if found == *promised {
        return Ok(());
    }
    Err(VaultError::damaged(key, &replica.store, "its bytes do not have the digest of its name"))
}

/// Whether the unsigned `vault.json` of a replica says what was held against the trust record.
async fn vault_file_is_good(vault: &Vault, replica: &Replica) -> bool {
    vault.check_own_files_on(replica).await.iter().all(|(key, _)| *key != layout::VAULT)
}

/// Puts a good body where a damaged object, or none, is. The damaged bytes are kept aside, below
/// `state/damaged/`, until what was written has been read back and hashed: bytes that are wrong
/// today may be all that is left of them, and a store that damaged one write may damage the next.
///
/// **If we crash here**, the copy that was set aside stays; [`drop_aside`] of the next repair
/// removes it once the object is good.
///
/// # Errors
///
/// Those of the store; [`ErrorKind::Integrity`] when what is there afterwards is not the body.
pub(crate) async fn replace(vault: &Vault, to: &Replica, key: &str, body: Body) -> Result<u64> {
    let aside = layout::damaged(key);
    let bad = async { read(vault, to, key, to.store.head(key).await?.size).await };
    let kept = match bad.await {
        Ok(bad) => {
            to.store.put(&aside, bad, PutMode::Overwrite).await?;
            true
        }
        Err(error) if error.kind == ErrorKind::Store(StoreKind::NotFound) => false,
        // A disk that cannot give the bytes back has nothing left that could be kept.
        Err(error) if error.kind != ErrorKind::Local => {
            tracing::info!(key, to = %to.name, error = %with_causes(&error), "the damaged bytes cannot be read, so they are not kept");
            false
        }
        Err(error) => return Err(error),
    };
    let (len, digest) = (body.len(), body.sha256());
    to.store.put(key, body, PutMode::Overwrite).await?;
    if stored_digest(to, key).await? != digest {
        let error = VaultError::damaged(key, &to.store, "what was written is not what is there");
        return Err(match kept {
            true => error.hint(format!(
                "the store does not keep what it is given; what was there before is in {aside}"
            )),
            false => error.hint("the store does not keep what it is given; replace the disk or the bucket"),
        });
    }
    if kept {
        to.store.delete(&aside).await?;
    }
    Ok(len)
}

/// Makes plain readers of a store see an object that somebody hid: the delete markers and versions
/// above the right one are deleted for good. Where a lock keeps one of them, the right bytes are put
/// once more, above it.
///
/// Only what lies above the right version goes. **If we crash here** some of that is gone; the same
/// call goes on.
///
/// # Errors
///
/// Those of the store; [`ErrorKind::Integrity`] when it is hidden still.
pub(crate) async fn uncover(vault: &Vault, replica: &Replica, key: &str) -> Result<()> {
    let Some(hidden) = replica.look(key).await? else { return Ok(()) };
    // Read before the store forgets what is right.
    let mut again = None;
    for hiding in &hidden.by {
        match replica.store.delete_version(key, &hiding.version).await {
            Ok(()) => {}
            Err(error) if error.kind == StoreKind::Locked => {
                if again.is_none() {
                    again = Some(read_version(vault, replica, &hidden).await?);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(body) = again {
        replica.store.put(key, body, PutMode::Overwrite).await?;
        return Ok(());
    }
    match replica.look(key).await? {
        None => Ok(()),
        Some(still) => Err(VaultError::damaged(key, &replica.store, still.describe())),
    }
}

/// Reads one version of an object into a spool file.
async fn read_version(vault: &Vault, from: &Replica, hidden: &Hidden) -> Result<Body> {
    let size = from.store.head_version(&hidden.key, &hidden.version).await?.size;
    let (store, hidden) = (Arc::clone(&from.store), hidden.clone());
    let pieces = pieces::by_ranges(0..size, move |range| {
        let (store, hidden) = (Arc::clone(&store), hidden.clone());
        async move { store.get_range_version(&hidden.key, &hidden.version, range).await }
    });
    spooled(vault, size, pieces.await?).await
}

/// Returns the keys of objects of which an interrupted repair set bytes aside on a replica.
///
/// # Errors
///
/// Those of the store.
pub(crate) async fn set_aside(replica: &Replica) -> Result<Vec<String>> {
    let listed = replica.store.list(layout::DAMAGED).await?;
    Ok(listed.iter().filter_map(|object| layout::parse_damaged(&object.key)).map(str::to_owned).collect())
}

/// Removes the bytes that were set aside for an object, if the object is good now.
///
/// # Errors
///
/// Those of the store.
pub(crate) async fn drop_aside(vault: &Vault, replica: &Replica, key: &str) -> Result<bool> {
    // The file of the replica itself is made anew, so any that is one will do.
    let good = match key {
        layout::REPLICA => replica.id().is_some(),
        key => is_good(vault, replica, key).await,
    };
    if good {
        replica.store.delete(&layout::damaged(key)).await?;
    }
    Ok(good)
}
