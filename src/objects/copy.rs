//! Reading a body once, in pieces, while its digest is checked.
//!
//! Stores never hold a large body in memory and never believe an announced digest: a spool file
//! can have been damaged or cut between building and sending.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;

use super::{Body, BodySource, ErrorKind, SourceObject, StoreError};
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
    pieces: Box<dyn Iterator<Item = Range<u64>>>,
    piece: Bytes,
    /// Why the last read failed.
    failure: Option<StoreError>,
}

impl<'a> Reading<'a> {
    fn new(object: &'a SourceObject, len: u64) -> Self {
        Self { object, pieces: Box::new(object.pieces(len)), piece: Bytes::new(), failure: None }
    }
}

impl Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            let Some(range) = self.pieces.next() else { return Ok(0) };
            match Handle::current().block_on(self.object.read(range)) {
                Ok(piece) => self.piece = piece,
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

/// Sends the pieces of an object to `to`, each read while the one before is taken; the last only
/// when all of them together are what was announced, so that whoever counts the bytes never gets
/// the whole of anything else. Ends when nobody takes them any more.
pub(super) async fn pass_on(
    object: Arc<SourceObject>,
    len: u64,
    announced: Digest,
    to: Sender<Result<Bytes, CopyError>>,
) {
    let mut hasher = Sha256::new();
    for range in object.pieces(len) {
        // First the place, then the piece: so one is taken and one waits, and there are no more.
        let Ok(place) = to.reserve().await else { return };
        let is_last = range.end == len;
        let piece = match object.read(range).await {
            Ok(piece) => piece,
            Err(error) => return place.send(Err(CopyError::Source(error))),
        };
        let bytes = piece.clone();
        let hashed = tokio::task::spawn_blocking(move || hasher.chain_update(&bytes)).await;
        // Only a runtime that shuts down ends this; who waits for the piece ends as well.
        let Ok(more) = hashed else { return };
        hasher = more;
        if is_last {
            let actual = Digest(hasher.finalize().into());
            return place.send(match actual == announced {
                true => Ok(piece),
                false => Err(CopyError::Digest { announced, actual }),
            });
        }
        place.send(Ok(piece));
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::objects::SpoolFile;

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
