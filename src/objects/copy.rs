//! Reading a body once, in pieces, while its digest is checked.
//!
//! Stores never hold a large body in memory and never believe an announced digest: a spool file
//! can have been damaged or cut between building and sending.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;

use super::{Body, BodySource, ErrorKind, Pieces, SourceObject, StoreError};
use crate::ids::Digest;

/// Bytes of a body that are in memory at once. Larger pieces do not copy faster.
const PIECE_BYTES: usize = 256 << 10;

/// Why a body could not be copied.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    /// The spool file cannot be read.
    #[error("the spool file of the body cannot be read")]
    Read(#[source] io::Error),
    /// The store that has the object cannot give it.
    #[error("the object that is copied cannot be read")]
    Source(#[source] StoreError),
    /// The destination does not take the bytes.
    #[error("the body cannot be written")]
    Write(#[source] io::Error),
    /// There are more or fewer bytes than announced.
    #[error("the body has not the announced {announced} bytes")]
    Length { announced: u64 },
    /// The bytes are others than announced.
    #[error("the body has SHA-256 {actual} instead of the announced {announced}")]
    Digest { announced: Digest, actual: Digest },
}

impl CopyError {
    /// Returns the error of the put that wanted the bytes, which has not happened.
    pub(super) fn into_store_error(self, key: &str, place: &dyn fmt::Display) -> StoreError {
        let (kind, reason) = match &self {
            Self::Length { .. } | Self::Digest { .. } => {
                (ErrorKind::Corrupt, "its bytes are not those announced")
            }
            Self::Source(_) => (ErrorKind::Corrupt, "its bytes cannot be had from where they are"),
            Self::Read(_) | Self::Write(_) => (ErrorKind::Permanent, "its bytes cannot be copied"),
        };
        StoreError::new(kind, "write", key, place, reason).because(self)
    }
}

impl Body {
    /// Copies the bytes to `to` and checks length and digest. Blocks; on failure `to` has got
    /// some of the bytes and must be thrown away.
    pub(super) fn copy_to(&self, to: &mut dyn Write) -> Result<(), CopyError> {
        match self.source() {
            BodySource::Bytes(bytes) => self.copy_from(&mut bytes.as_ref(), to),
            BodySource::File(spool) => {
                let mut file = File::open(&spool.path).map_err(CopyError::Read)?;
                self.copy_from(&mut file, to)
            }
            BodySource::Object(object) => {
                let mut reading = Reading::new(object, self.len());
                let copied = self.copy_from(&mut reading, to);
                reading.failure.map_or(copied, |failure| Err(CopyError::Source(failure)))
            }
        }
    }

    /// Checks length and digest without keeping the bytes. Blocks.
    pub(super) fn verify(&self) -> Result<(), CopyError> {
        self.copy_to(&mut io::sink())
    }

    fn copy_from(&self, from: &mut dyn Read, to: &mut dyn Write) -> Result<(), CopyError> {
        // One byte more than announced is read, so that a longer file is noticed.
        let mut from = from.take(self.len().saturating_add(1));
        let mut hasher = Sha256::new();
        let mut copied = 0;
        let mut piece = vec![0; PIECE_BYTES.min(usize::try_from(self.len() + 1).unwrap_or(PIECE_BYTES))];
        loop {
            let count = match from.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
                Err(err) => return Err(CopyError::Read(err)),
            };
            copied += count as u64;
            if copied > self.len() {
                break;
            }
            hasher.update(&piece[..count]);
            to.write_all(&piece[..count]).map_err(CopyError::Write)?;
        }
        if copied != self.len() {
            return Err(CopyError::Length { announced: self.len() });
        }
        let actual = Digest(hasher.finalize().into());
        if actual != self.sha256() {
            return Err(CopyError::Digest { announced: self.sha256(), actual });
        }
        Ok(())
    }
}

/// An object of another store as a reader that blocks, for threads that may.
struct Reading<'a> {
    object: &'a SourceObject,
    len: u64,
    /// `None` before the first read.
    pieces: Option<Pieces>,
    piece: Bytes,
    /// Why the last read failed.
    failure: Option<StoreError>,
}

impl<'a> Reading<'a> {
    fn new(object: &'a SourceObject, len: u64) -> Self {
        Self { object, len, pieces: None, piece: Bytes::new(), failure: None }
    }

    async fn next(&mut self) -> super::Result<Option<Bytes>> {
        let pieces = match &mut self.pieces {
            Some(pieces) => pieces,
            none => none.insert(self.object.pieces(self.len).await?),
        };
        pieces.try_next().await
    }
}

impl Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match Handle::current().block_on(self.next()) {
                Ok(Some(piece)) => self.piece = piece,
                Ok(None) => return Ok(0),
                Err(error) => {
                    self.failure = Some(error);
                    return Err(io::ErrorKind::Other.into());
                }
            }
        }
        let count = buffer.len().min(self.piece.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

/// Largest piece that is hashed where it arrives: less than a tenth of a millisecond, and less than
/// handing it to another thread and back takes, while it is in the processor's cache. Connections
/// give pieces of some tens of KiB.
const HASHED_IN_PLACE: usize = 64 << 10;

/// Pieces of an object that are passed on together.
pub(super) type Batch = Vec<Bytes>;

/// Sends an object to `to`, batch by batch, each read while the one before is taken; the last only
/// when all of them together are what was announced, so that whoever counts the bytes never gets
/// the whole of anything else. Ends when nobody takes them any more.
///
/// Each byte is hashed once, here or by a store that is known to do so, and goes from one connection to the other
/// as it came.
pub(super) async fn pass_on(
    object: Arc<SourceObject>,
    len: u64,
    announced: Digest,
    to: Sender<Result<Batch, CopyError>>,
) {
    let hasher = (!object.is_hashed_by_taker).then(Sha256::new);
    let mut coming = Passed { object: &object, len, pieces: None, hasher };
    let mut left = len;
    while left > 0 {
        // First the place, then the bytes: so one batch is taken and one waits, and there are no
        // more.
        let Ok(place) = to.reserve().await else { return };
        let (batch, size) = match coming.batch().await {
            Ok(Some(batch)) => batch,
            // Only a runtime that shuts down ends this; who waits for the bytes ends as well.
            Ok(None) => return,
            Err(error) => return place.send(Err(CopyError::Source(error))),
        };
        match left.checked_sub(size).filter(|_| size > 0) {
            Some(rest) => left = rest,
            None => return place.send(Err(CopyError::Length { announced: len })),
        }
        if left > 0 {
            place.send(Ok(batch));
            continue;
        }
        let actual = coming.hasher.map(|hasher| Digest(hasher.finalize().into()));
        return place.send(match actual.filter(|actual| *actual != announced) {
            None => Ok(batch),
            Some(actual) => Err(CopyError::Digest { announced, actual }),
        });
    }
}

/// An object that is passed on.
struct Passed<'a> {
    object: &'a SourceObject,
    len: u64,
    /// `None` before the first piece.
    pieces: Option<Pieces>,
    /// Has all that was taken; `None` where the store that takes it hashes.
    hasher: Option<Sha256>,
}

impl Passed<'_> {
    /// Takes and hashes the next pieces, with their size together; none at the end of the object.
    /// `None` when the runtime shuts down.
    async fn batch(&mut self) -> super::Result<Option<(Batch, u64)>> {
        let pieces = match &mut self.pieces {
            Some(pieces) => pieces,
            none => none.insert(self.object.pieces(self.len).await?),
        };
        let (mut batch, mut size) = (Batch::new(), 0);
        while size < self.object.batch_bytes {
            let Some(piece) = pieces.try_next().await? else { break };
            size += piece.len() as u64;
            match self.hasher.take() {
                None => {}
                Some(hasher) if piece.len() <= HASHED_IN_PLACE => {
                    self.hasher = Some(hasher.chain_update(&piece));
                }
                Some(hasher) => {
                    let bytes = piece.clone();
                    let hashed = tokio::task::spawn_blocking(move || hasher.chain_update(&bytes));
                    let Ok(hasher) = hashed.await else { return Ok(None) };
                    self.hasher = Some(hasher);
                }
            }
            batch.push(piece);
        }
        Ok(Some((batch, size)))
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::clock::SystemClock;
    use crate::objects::memory::MemoryStore;
    use crate::objects::{ObjectStore as _, PutMode, SpoolFile};

    fn spooled(bytes: &[u8]) -> Arc<SpoolFile> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(SpoolFile::new(file.into_temp_path()))
    }

    #[test]
    fn a_body_is_copied_whole() {
        let bytes = vec![7; 3 * PIECE_BYTES + 5];
        let body = Body::file(spooled(&bytes), bytes.len() as u64, Digest::of(&bytes));
        let mut copy = Vec::new();
        body.copy_to(&mut copy).unwrap();
        assert_eq!(copy, bytes);
    }

    /// Passes an object of this length on; returns the bytes that came out, and how it ended.
    async fn passed(
        len: usize,
        announced: impl Fn(&[u8]) -> Digest,
        by: impl Fn(SourceObject) -> SourceObject,
    ) -> (Vec<u8>, Option<CopyError>) {
        let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        let store = MemoryStore::new("m", Arc::new(SystemClock));
        store.put("k", Body::bytes(bytes.clone()), PutMode::CreateOnly).await.unwrap();
        let object = Arc::new(by(SourceObject::new(Arc::new(store), "k", 1 << 20)));
        let (sender, mut batches) = tokio::sync::mpsc::channel::<std::result::Result<Batch, CopyError>>(1);
        let announced = announced(&bytes);
        let (mut came, mut failure) = (Vec::new(), None);
        let taking = async {
            while let Some(batch) = batches.recv().await {
                match batch {
                    Ok(batch) => batch.iter().for_each(|piece| came.extend_from_slice(piece)),
                    Err(error) => failure = Some(error),
                }
            }
        };
        tokio::join!(pass_on(object, len as u64, announced, sender), taking);
        (came, failure)
    }

    #[tokio::test]
    async fn what_is_passed_on_ends_before_its_last_batch_where_it_is_something_else() {
        // Pieces that are hashed where they arrive, and those that are not.
        for len in [1, HASHED_IN_PLACE, HASHED_IN_PLACE + 1, (3 << 20) + 5] {
            let (came, failure) = passed(len, Digest::of, |object| object).await;
            assert!(failure.is_none() && came.len() == len, "{len}: {failure:?}");
            let other = |_: &[u8]| Digest::of(b"something else");
            let (came, failure) = passed(len, other, |object| object).await;
            assert!(matches!(failure, Some(CopyError::Digest { .. })), "{len}: {failure:?}");
            assert!(came.len() < len, "{len}: all of it came");
            // Whoever takes it refuses it.
            let (came, failure) = passed(len, other, SourceObject::hashed_by_taker).await;
            assert!(failure.is_none() && came.len() == len, "{len}: {failure:?}");
        }
    }

    #[test]
    fn a_spool_file_that_is_cut_longer_changed_or_gone_is_noticed() {
        let whole = b"the bytes of a pack";
        let (len, digest) = (whole.len() as u64, Digest::of(whole));
        let verify = |bytes: &[u8]| Body::file(spooled(bytes), len, digest).verify();
        assert!(verify(whole).is_ok());
        assert!(matches!(verify(&whole[..5]), Err(CopyError::Length { .. })));
        assert!(matches!(verify(b"the bytes of a pack and more"), Err(CopyError::Length { .. })));
        assert!(matches!(verify(b"the bytes of a sack"), Err(CopyError::Digest { .. })));
        let spool = spooled(whole);
        std::fs::remove_file(&spool.path).unwrap();
        assert!(matches!(Body::file(spool, len, digest).verify(), Err(CopyError::Read(_))));
    }
}
