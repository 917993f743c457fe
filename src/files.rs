//! Reading local files: from a place, wherever others read, and whole for their digest.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use crate::ids::Digest;

/// Bytes that are hashed at once.
const PIECE: usize = 64 << 10;

/// Reads some bytes from a place on; none at the end of the file.
///
/// # Errors
///
/// Those of the local disk.
#[cfg(unix)]
pub fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

/// Reads some bytes from a place on; none at the end of the file.
///
/// # Errors
///
/// Those of the local disk.
#[cfg(windows)]
pub fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// Reads exactly so many bytes.
///
/// # Errors
///
/// Those of the local disk; [`io::ErrorKind::UnexpectedEof`] where the file ends before.
pub fn read_piece(file: &File, from: u64, len: usize) -> io::Result<Bytes> {
    let mut piece = BytesMut::zeroed(len);
    let mut filled = 0;
    while filled < len {
        match read_at(file, &mut piece[filled..], from + filled as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(piece.freeze())
}

/// Reads a whole file; returns how many bytes it has, and their SHA-256.
///
/// # Errors
///
/// Those of the local disk.
pub fn digest_of(path: &Path) -> io::Result<(u64, Digest)> {
    digest_of_rest(&mut File::open(path)?)
}

/// Reads a file from where it stands to its end; returns how many bytes that were, and their SHA-256.
///
/// # Errors
///
/// Those of the local disk.
pub fn digest_of_rest(file: &mut File) -> io::Result<(u64, Digest)> {
    let (mut digest, mut size, mut piece) = (Sha256::new(), 0, vec![0; PIECE]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok((size, Digest(digest.finalize().into()))),
            Ok(count) => {
                size += count as u64;
                digest.update(&piece[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
