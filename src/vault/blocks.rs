//! A local cache of parts of content packs, for who serves content for long: as they are stored,
//! encrypted, and never more than a number of bytes.
//!
//! A pack is cut into blocks of whole sealed chunks. Only what decrypts is kept, whatever replica it
//! came from, so that what is damaged on one replica does not stand in the way of the others; and a
//! block that is damaged here is read again. What was used longest ago leaves first.
//!
//! As the rest of the cache it says what a pack holds, never whether it is there, and a disk that
//! takes nothing makes it slow, not wrong. A crash leaves whole files only. Two processes may share a
//! directory; each counts what it has seen.

use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use lru::LruCache;

use super::envelope::SEALED_CHUNK;
use super::layout;
use crate::ids::{Digest, Name};

/// Bytes of a block: the chunks of about one frame.
pub(super) const BLOCK: u64 = 4 * SEALED_CHUNK;
/// Bytes of the hash that stands before a block.
const HASH: usize = 32;

/// Which block: space, pack, and number in it.
pub(super) type BlockName = (Name, Digest, u64);

/// Blocks in a directory.
#[derive(Debug)]
pub struct Blocks {
    directory: PathBuf,
    bytes_max: u64,
    kept: Mutex<Kept>,
    has_failed: AtomicBool,
}

#[derive(Debug)]
struct Kept {
    blocks: LruCache<BlockName, u64>,
    bytes: u64,
}

impl Blocks {
    /// Takes over what lies in `directory`, which is made when the first block is kept; what is more
    /// than `bytes_max` goes.
    pub fn open(directory: &Path, bytes_max: u64) -> Self {
        let mut found = Vec::new();
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Some(name) = entry.file_name().to_str().and_then(layout::parse_cached_block) else {
                continue;
            };
            if let Ok(metadata) = entry.metadata() {
                found.push((metadata.modified().ok(), name, metadata.len()));
            }
        }
        found.sort_by_key(|(written, ..)| *written);
        let mut kept = Kept { blocks: LruCache::unbounded(), bytes: 0 };
        for (_, name, size) in found {
            kept.blocks.put(name, size);
            kept.bytes += size;
        }
        let blocks = Self {
            directory: directory.to_owned(),
            bytes_max,
            kept: Mutex::new(kept),
            has_failed: AtomicBool::new(false),
        };
        blocks.make_room(0);
        blocks
    }

    /// Bytes on the disk.
    pub fn bytes(&self) -> u64 {
        self.kept.lock().expect("no holder of this lock can panic").bytes
    }

    fn path(&self, name: &BlockName) -> PathBuf {
        self.directory.join(layout::cached_block(&name.0, &name.1, name.2))
    }

    /// Returns a block that is as it was when it was kept. Reads a file.
    pub(super) fn get(&self, name: &BlockName) -> Option<Bytes> {
        self.kept.lock().expect("no holder of this lock can panic").blocks.get(name)?;
        let read = fs::read(self.path(name)).ok().map(Bytes::from).filter(|file| {
            let (hash, body) = file.split_at(HASH.min(file.len()));
            Digest::of(body).0 == *hash
        });
        if read.is_none() {
            self.forget(name);
        }
        read.map(|file| file.slice(HASH..))
    }

    /// Keeps a block. Writes a file.
    pub(super) fn keep(&self, name: &BlockName, body: &[u8]) {
        let size = (HASH + body.len()) as u64;
        if size > self.bytes_max {
            return;
        }
        self.make_room(size);
        let path = self.path(name);
        let written = fs::create_dir_all(&self.directory)
            .and_then(|()| tempfile::NamedTempFile::new_in(&self.directory))
            .and_then(|mut file| {
                file.write_all(&Digest::of(body).0)?;
                file.write_all(body)?;
                file.persist(&path).map_err(|error| error.error)
            });
        match written {
            Ok(_) => {
                let mut kept = self.kept.lock().expect("no holder of this lock can panic");
                let before = kept.blocks.put(name.clone(), size).unwrap_or(0);
                kept.bytes = kept.bytes - before + size;
            }
            // Once: a disk that is full stays so for a while.
            Err(error) if !self.has_failed.swap(true, Ordering::Relaxed) => tracing::warn!(
                %error,
                directory = %self.directory.display(),
                "the local cache cannot be written; everything is read from the replicas"
            ),
            Err(_) => {}
        }
    }

    /// Removes the blocks of packs of a space that are not there any more: what was deleted for good is
    /// not to lie around here.
    pub fn retain(&self, space: &Name, is_there: impl Fn(&Digest) -> bool) {
        let gone: Vec<BlockName> = {
            let kept = self.kept.lock().expect("no holder of this lock can panic");
            let names = kept.blocks.iter().map(|(name, _)| name);
            names.filter(|(own, pack, _)| own == space && !is_there(pack)).cloned().collect()
        };
        gone.iter().for_each(|name| self.forget(name));
    }

    fn forget(&self, name: &BlockName) {
        let mut kept = self.kept.lock().expect("no holder of this lock can panic");
        if let Some(size) = kept.blocks.pop(name) {
            kept.bytes -= size;
        }
        // Another process may have been faster.
        drop(fs::remove_file(self.path(name)));
    }

    fn make_room(&self, size: u64) {
        let mut kept = self.kept.lock().expect("no holder of this lock can panic");
        while kept.bytes + size > self.bytes_max {
            let Some((name, size)) = kept.blocks.pop_lru() else { break };
            kept.bytes -= size;
            drop(fs::remove_file(self.path(&name)));
        }
    }
}

/// Numbers of the blocks of a range that is not empty.
pub(super) fn numbers(range: &Range<u64>) -> Range<u64> {
    range.start / BLOCK..range.end.div_ceil(BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(pack: &str, number: u64) -> BlockName {
        ("blog.v2".parse().unwrap(), Digest::of(pack.as_bytes()), number)
    }

    #[test]
    fn blocks_are_kept_over_restarts_within_the_bound() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("made when needed");
        let blocks = Blocks::open(&directory, 3 * 1032);
        for number in 0..4 {
            blocks.keep(&name("a", number), &[number as u8; 1000]);
        }
        assert_eq!(blocks.get(&name("a", 0)), None, "the oldest made room");
        assert_eq!(blocks.get(&name("a", 1)).as_deref(), Some(&[1; 1000][..]));
        blocks.keep(&name("b", 0), &[9; 1000]);
        assert_eq!(blocks.get(&name("a", 2)), None, "one was used later than two");
        assert_eq!((blocks.bytes(), fs::read_dir(&directory).unwrap().count()), (3 * 1032, 3));
        blocks.keep(&name("b", 1), &[9; 4000]);
        assert_eq!(blocks.get(&name("b", 1)), None, "larger than all of it");

        let again = Blocks::open(&directory, 2 * 1032);
        assert_eq!((again.bytes(), fs::read_dir(&directory).unwrap().count()), (2 * 1032, 2));
        assert_eq!(again.get(&name("b", 0)).as_deref(), Some(&[9; 1000][..]));
        again.retain(&"blog".parse().unwrap(), |_| false);
        assert_eq!(again.bytes(), 2 * 1032, "another space");
        again.retain(&"blog.v2".parse().unwrap(), |pack| *pack == Digest::of(b"b"));
        assert_eq!((again.bytes(), fs::read_dir(&directory).unwrap().count()), (1032, 1));
    }

    #[test]
    fn what_is_damaged_or_gone_is_not_returned_and_a_full_disk_harms_nobody() {
        let place = tempfile::tempdir().unwrap();
        let blocks = Blocks::open(place.path(), 1 << 20);
        let (one, two) = (name("a", 1), name("a", 2));
        blocks.keep(&one, b"one");
        blocks.keep(&two, b"two");
        fs::File::create(blocks.path(&one)).unwrap().write_all(b"short").unwrap();
        fs::remove_file(blocks.path(&two)).unwrap();
        assert_eq!((blocks.get(&one), blocks.get(&two), blocks.bytes()), (None, None, 0));
        assert!(!blocks.path(&one).exists());
        let no_directory = Blocks::open(&blocks.path(&one).join("below a file"), 1 << 20);
        fs::File::create(blocks.path(&one)).unwrap().write_all(b"a file").unwrap();
        no_directory.keep(&two, b"two");
        assert_eq!((no_directory.get(&two), no_directory.bytes()), (None, 0));
    }

    #[test]
    fn a_range_has_the_blocks_that_it_touches() {
        for (range, blocks) in [
            (0..1, 0..1),
            (0..BLOCK, 0..1),
            (0..BLOCK + 1, 0..2),
            (BLOCK - 1..BLOCK + 1, 0..2),
            (BLOCK..3 * BLOCK, 1..3),
        ] {
            assert_eq!(numbers(&range), blocks, "{range:?}");
        }
    }
}
