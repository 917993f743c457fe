//! A local cache of immutable objects as they are stored, encrypted.
//!
//! It answers what an object holds, never whether it is there. Deleting it loses nothing; what
//! is damaged in it is read again from a replica. What no replica lists any more leaves it: what
//! was deleted for good is not to lie around here.

use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::layout;
use crate::files::{digest_of_rest, read_piece};
use crate::ids::Digest;

/// A directory with copies of objects; or nothing, where caching is off.
#[derive(Debug, Clone, Default)]
pub struct Cache(Option<PathBuf>);

/// A cached object of which parts are read: checked against the digest in its name once, when it was opened. What is
/// written to the cache later is another file.
#[derive(Debug, Clone)]
pub(super) struct CachedFile(Arc<File>);

impl CachedFile {
    /// Reads a part; `None` where the file is shorter, or the disk fails.
    pub(super) fn read(&self, range: &Range<u64>) -> Option<Bytes> {
        let len = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
        read_piece(&self.0, range.start, len).ok()
    }
}

impl Cache {
    /// Returns a cache in `dir`, which is made when the first object is kept.
    pub fn new(dir: &Path) -> Self {
        Self(Some(dir.to_owned()))
    }

    /// Returns a cache that keeps nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// The directory, where there is one.
    pub(super) fn directory(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    /// Returns a cached object. One whose name promises a digest is checked against it; others
    /// are signed files, which their readers check.
    pub fn get(&self, key: &str) -> Option<Bytes> {
        let bytes = std::fs::read(self.0.as_ref()?.join(key)).ok()?;
        match layout::promised_digest(key) {
            Some(promised) if Digest::of(&bytes) != promised => None,
            _ => Some(bytes.into()),
        }
    }

    /// Opens a cached object whose name promises a digest, to read parts of it.
    pub(super) fn open(&self, key: &str) -> Option<CachedFile> {
        let promised = layout::promised_digest(key)?;
        let mut file = File::open(self.0.as_ref()?.join(key)).ok()?;
        let (_, digest) = digest_of_rest(&mut file).ok()?;
        (digest == promised).then(|| CachedFile(Arc::new(file)))
    }

    /// Keeps an object. A cache that cannot be written is slow, not wrong: failures are logged.
    pub fn keep(&self, key: &str, bytes: &[u8]) {
        self.keep_open(key, bytes);
    }

    /// Keeps an object whose bytes are those that its name promises, and opens it, where it could be written.
    pub(super) fn keep_open(&self, key: &str, bytes: &[u8]) -> Option<CachedFile> {
        let dir = self.0.as_ref()?;
        let path = dir.join(key);
        let parent = path.parent().unwrap_or(dir);
        let result = std::fs::create_dir_all(parent)
            .and_then(|()| tempfile::NamedTempFile::new_in(parent))
            .and_then(|mut file| file.write_all(bytes).map(|()| file))
            .and_then(|file| file.persist(&path).map_err(|error| error.error));
        match result {
            Ok(file) => Some(CachedFile(Arc::new(file))),
            Err(error) => {
                tracing::debug!(%error, path = %path.display(), "cannot write the cache");
                None
            }
        }
    }

    /// Removes an object, whether a replica has it or not.
    pub(super) fn forget(&self, key: &str) {
        if let Some(dir) = &self.0 {
            drop(std::fs::remove_file(dir.join(key)));
        }
    }

    /// Removes the objects below `prefix`, a directory of keys, that `is_listed` does not know. One
    /// that a list missed is read again.
    pub(super) fn forget_unlisted(&self, prefix: &str, is_listed: impl Fn(&str) -> bool) {
        let Some(dir) = &self.0 else { return };
        let Ok(entries) = std::fs::read_dir(dir.join(prefix)) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            // What begins with a dot is just being written.
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            if entry.file_type().is_ok_and(|kind| kind.is_file()) && !is_listed(&format!("{prefix}/{name}")) {
                // Another process may have been faster; what cannot be removed harms nobody.
                drop(std::fs::remove_file(entry.path()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_in_the_cache_is_not_returned() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(&dir.path().join("made when needed"));
        let space = "blog".parse().unwrap();
        let key = layout::pack(&space, &Digest::of(b"body"));
        assert_eq!(cache.get(&key), None);
        cache.keep(&key, b"body");
        assert_eq!(cache.get(&key).as_deref(), Some(&b"body"[..]));
        let opened = cache.open(&key).unwrap();
        cache.keep(&key, b"bodi");
        assert_eq!(cache.get(&key), None);
        assert!(cache.open(&key).is_none());
        assert_eq!(opened.read(&(1..3)).as_deref(), Some(&b"od"[..]), "what was opened is as it was");
        assert_eq!((opened.read(&(3..5)), opened.read(&Range { start: 3, end: 2 })), (None, None));
        assert_eq!(cache.keep_open(&key, b"body").unwrap().read(&(0..4)).as_deref(), Some(&b"body"[..]));
        let other = layout::index(&space, &Digest::of(b"index"));
        cache.keep(&other, b"index");
        std::fs::File::create(dir.path().join("made when needed/packs/blog/.tmp1")).unwrap();
        cache.forget_unlisted("packs/blog", |listed| listed == key);
        assert!(cache.get(&key).is_some());
        cache.forget_unlisted("packs/blog", |_| false);
        assert_eq!((cache.get(&key), cache.get(&other).is_some()), (None, true), "only below the prefix");
        assert!(dir.path().join("made when needed/packs/blog/.tmp1").exists(), "it is being written");
        Cache::off().keep(&key, b"body");
        Cache::off().forget_unlisted("packs/blog", |_| false);
        assert_eq!(Cache::off().get(&key), None);
    }
}
