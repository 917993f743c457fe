//! A directory as a store: `file://`, a mounted disk, a network share.
//!
//! A key is the path below the directory, segment by segment, so the vault can be looked at and
//! recovered with nothing but standard tools. How an object becomes visible is in `publish`.
//!
//! Invariants:
//! - What has a key's name is whole and durable. Anything unfinished lies in `.tmp`, which no key
//!   reaches and no listing shows.
//! - Nothing outside the directory is read or written: keys have no `..`, and an operation that
//!   meets a symbolic link below the directory fails. (The directory itself may be one.)
//! - All I/O is on blocking threads; a body is never in memory as a whole, except the answers of
//!   `get` and `get_range`.
//!
//! After a crash there are at worst files in `.tmp` and empty directories. The first write of a
//! later run removes such files when they are older than any live run can be.
//!
//! What it does not do: keep checksums, versions or locks, or tell apart keys that differ only in case where the
//! file system cannot. A key that is the beginning of another (`a` and `a/b`) is refused.

mod publish;

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Abilities, Body, ErrorKind, Lock, LockRule, ObjectMeta, ObjectStore, ObjectVersion, Pieces, PlaceFacts,
    PutMode, Result, StoreError, TEMPORARY, VersionId, check_key, check_prefix, check_range, lock, pieces,
    version,
};
use crate::clock::Timestamp;
use crate::limits::Limits;

/// A directory as a store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LocalStore(Arc<Directory>);

impl LocalStore {
    /// Opens a directory that exists, without writing to it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is no such directory, [`ErrorKind::Permanent`] when it
    /// is something else.
    pub async fn open(dir: &Path) -> Result<Self> {
        let dir = dir.to_owned();
        blocking("open", "", dir.display().to_string(), move || Directory::open(&dir)).await
    }

    /// Opens a directory and makes it, durably and with its parents, where it does not exist.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Denied`] or [`ErrorKind::NoSpace`] when it cannot be made.
    pub async fn create(dir: &Path) -> Result<Self> {
        let dir = dir.to_owned();
        blocking("create", "", dir.display().to_string(), move || {
            publish::create_directory(&dir)?;
            Directory::open(&dir)
        })
        .await
    }

    /// Takes the age from which an unfinished file belongs to no live run from
    /// [`Limits::max_run`]; without this call it is that of the default limits.
    #[must_use]
    pub fn with_limits(self, limits: &Limits) -> Self {
        Self(Arc::new(Directory::at(self.0.root.clone(), limits.max_run)))
    }

    /// Returns the directory, absolute and without symbolic links.
    pub fn path(&self) -> &Path {
        &self.0.root
    }

    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        key: &str,
        work: impl FnOnce(&Directory, &str) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let directory = Arc::clone(&self.0);
        let owned_key = key.to_owned();
        blocking(operation, key, self.to_string(), move || work(&directory, &owned_key)).await
    }
}

impl fmt::Display for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.0, f)
    }
}

#[async_trait]
impl ObjectStore for LocalStore {
    fn abilities(&self) -> Abilities {
        Abilities { create_only: true, ..Abilities::NONE }
    }

    async fn put(&self, key: &str, body: Body, mode: PutMode) -> Result<ObjectMeta> {
        self.run("write", key, move |directory, key| directory.put(key, &body, mode)).await
    }

    async fn get(&self, key: &str, max: u64) -> Result<Bytes> {
        self.run("read", key, move |directory, key| directory.get(key, max)).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.run("read", key, move |directory, key| directory.get_range(key, &range)).await
    }

    async fn get_pieces(&self, key: &str, range: Range<u64>) -> Result<Pieces> {
        let (store, key) = (self.clone(), key.to_owned());
        pieces::by_ranges(range, move |range| {
            let (store, key) = (store.clone(), key.clone());
            async move { store.get_range(&key, range).await }
        })
        .await
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta> {
        self.run("look up", key, |directory, key| {
            let metadata = directory.find_object("look up", key)?;
            Ok(describe(key, &metadata))
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        self.run("list", prefix, Directory::list).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.run("delete", key, Directory::delete).await
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        self.run("read the clock of", "", |directory, _| directory.server_time().map(Some)).await
    }

    // A directory has no versions: each object is its only one.

    async fn list_versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>> {
        Ok(self.list(prefix).await?.into_iter().map(ObjectVersion::from).collect())
    }

    async fn get_version(&self, key: &str, version: &VersionId, max: u64) -> Result<Bytes> {
        version::check_only(version, "read", key, self)?;
        self.get(key, max).await
    }

    async fn get_range_version(&self, key: &str, version: &VersionId, range: Range<u64>) -> Result<Bytes> {
        version::check_only(version, "read", key, self)?;
        self.get_range(key, range).await
    }

    async fn head_version(&self, key: &str, version: &VersionId) -> Result<ObjectMeta> {
        version::check_only(version, "look up", key, self)?;
        self.head(key).await
    }

    async fn delete_version(&self, key: &str, version: &VersionId) -> Result<()> {
        check_key("delete", key, self)?;
        if version.is_null() { self.delete(key).await } else { Ok(()) }
    }

    async fn lock_of(&self, key: &str, version: &VersionId) -> Result<Option<Lock>> {
        self.head_version(key, version).await.map(|_| None)
    }

    async fn extend_lock(&self, key: &str, _: &VersionId, _: Timestamp) -> Result<()> {
        check_key(lock::EXTEND, key, self)?;
        Err(lock::unsupported(key, self))
    }

    async fn place_facts(&self) -> Result<Option<PlaceFacts>> {
        Ok(None)
    }

    fn lock_rule(&self) -> Option<LockRule> {
        None
    }

    fn unfinished(&self) -> Option<PathBuf> {
        Some(self.0.root.join(TEMPORARY))
    }

    fn locking(&self, rule: Option<LockRule>) -> Result<Arc<dyn ObjectStore>> {
        match rule {
            None => Ok(Arc::new(self.clone())),
            Some(_) => Err(lock::unsupported("", self)),
        }
    }
}

/// The blocking half of [`LocalStore`].
#[derive(Debug)]
struct Directory {
    root: PathBuf,
    /// Age from which an unfinished file is stale.
    stale_after: Duration,
    /// Whether this process has looked for stale files.
    swept: AtomicBool,
    /// Directories whose entry in their parent is known to be on disk. A few hundred at most: the
    /// layout of a vault has no more.
    synced: Mutex<HashSet<PathBuf>>,
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.display().fmt(f)
    }
}

impl Directory {
    fn at(root: PathBuf, stale_after: Duration) -> Self {
        Self { root, stale_after, swept: AtomicBool::new(false), synced: Mutex::new(HashSet::new()) }
    }

    fn open(dir: &Path) -> Result<LocalStore> {
        let failed = |err| io_error(err, Effect::None, "open", "", &dir.display(), "it cannot be opened");
        let root = dir.canonicalize().map_err(failed)?;
        if !fs::metadata(&root).map_err(failed)?.is_dir() {
            let reason = "it is not a directory";
            return Err(StoreError::new(ErrorKind::Permanent, "open", "", &dir.display(), reason));
        }
        Ok(LocalStore(Arc::new(Self::at(root, Limits::default().max_run))))
    }

    fn failed(
        &self,
        err: io::Error,
        effect: Effect,
        operation: &'static str,
        key: &str,
        why: &str,
    ) -> StoreError {
        io_error(err, effect, operation, key, self, why)
    }

    /// Returns the path of a valid key or prefix, and what lies there without following a link.
    fn look_up(
        &self,
        operation: &'static str,
        effect: Effect,
        key: &str,
    ) -> Result<(PathBuf, Option<Metadata>)> {
        let mut path = self.root.clone();
        let mut found = None;
        let mut segments = key.split('/');
        for segment in &mut segments {
            path.push(segment);
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_symlink() => {
                    let reason = format!("{} is a symbolic link, which is never followed", path.display());
                    return Err(StoreError::new(ErrorKind::Permanent, operation, key, self, reason));
                }
                Ok(metadata) => found = Some(metadata),
                Err(err) if is_missing(&err) => {
                    found = None;
                    break;
                }
                Err(err) => return Err(self.failed(err, effect, operation, key, "it cannot be looked up")),
            }
        }
        if found.is_none() {
            // A disk that is not mounted any more must not look like an empty store.
            fs::metadata(&self.root).map_err(|err| {
                self.failed(err, effect, operation, key, "the directory of the store is gone")
            })?;
        }
        path.extend(segments);
        Ok((path, found))
    }

    fn find_object(&self, operation: &'static str, key: &str) -> Result<Metadata> {
        check_key(operation, key, self)?;
        match self.look_up(operation, Effect::None, key)? {
            (_, Some(metadata)) if metadata.is_file() => Ok(metadata),
            _ => Err(self.not_found(operation, key)),
        }
    }

    fn not_found(&self, operation: &'static str, key: &str) -> StoreError {
        StoreError::new(ErrorKind::NotFound, operation, key, self, "there is no such object")
    }

    /// Opens an object; only what is a regular file, because opening a pipe would block.
    fn open_object(&self, key: &str) -> Result<(File, u64)> {
        self.find_object("read", key)?;
        let open = || {
            let file = File::open(self.root.join(key))?;
            let size = file.metadata()?.len();
            Ok((file, size))
        };
        open().map_err(|err| self.failed(err, Effect::None, "read", key, "it cannot be opened"))
    }

    fn get(&self, key: &str, max: u64) -> Result<Bytes> {
        let (file, size) = self.open_object(key)?;
        if size > max {
            let reason = format!("it has {size} bytes, at most {max} are accepted");
            return Err(StoreError::new(ErrorKind::TooLarge, "read", key, self, reason));
        }
        self.read(key, file, 0..size)
    }

    fn get_range(&self, key: &str, range: &Range<u64>) -> Result<Bytes> {
        let (file, size) = self.open_object(key)?;
        check_range(range, size, key, self)?;
        self.read(key, file, range.clone())
    }

    fn read(&self, key: &str, mut file: File, range: Range<u64>) -> Result<Bytes> {
        let len = range.end - range.start;
        let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
        file.seek(SeekFrom::Start(range.start))
            .and_then(|_| file.take(len).read_to_end(&mut bytes))
            .map_err(|err| self.failed(err, Effect::None, "read", key, "its bytes cannot be read"))?;
        if bytes.len() as u64 != len {
            let reason = format!("it ended after {} of {len} bytes", bytes.len());
            return Err(StoreError::new(ErrorKind::Corrupt, "read", key, self, reason));
        }
        Ok(bytes.into())
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        check_prefix(prefix, self)?;
        let mut objects = Vec::new();
        let mut directories = Vec::new();
        if prefix.is_empty() {
            directories.push((self.root.clone(), String::new()));
        } else {
            match self.look_up("list", Effect::None, prefix)? {
                (_, Some(metadata)) if metadata.is_file() => objects.push(describe(prefix, &metadata)),
                (path, Some(metadata)) if metadata.is_dir() => directories.push((path, format!("{prefix}/"))),
                _ => {}
            }
        }
        while let Some((path, below)) = directories.pop() {
            self.list_directory(&path, &below, &mut objects, &mut directories)?;
        }
        objects.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// Adds the objects of one directory, whose keys begin with `below`, and its directories.
    fn list_directory(
        &self,
        path: &Path,
        below: &str,
        objects: &mut Vec<ObjectMeta>,
        directories: &mut Vec<(PathBuf, String)>,
    ) -> Result<()> {
        let failed = |err| {
            let key = below.trim_end_matches('/');
            self.failed(err, Effect::None, "list", key, "the directory cannot be read")
        };
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            // The root of a mounted disk can hold this directory, which belongs to the system.
            Err(err) if below == "lost+found/" && err.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(());
            }
            Err(err) if is_missing(&err) && !below.is_empty() => return Ok(()),
            Err(err) => return Err(failed(err)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            // What has no valid key was not put here by a store, and none can reach it.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let key = format!("{below}{name}");
            if !super::is_valid_key(&key) {
                continue;
            }
            // This does not follow links.
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Deleted since the directory was read.
                Err(err) if is_missing(&err) => continue,
                Err(err) => return Err(failed(err)),
            };
            if metadata.is_symlink() {
                let reason =
                    format!("{} is a symbolic link, which is never followed", entry.path().display());
                return Err(StoreError::new(ErrorKind::Permanent, "list", &key, self, reason));
            } else if metadata.is_dir() {
                directories.push((entry.path(), format!("{key}/")));
            } else if metadata.is_file() {
                objects.push(describe(&key, &metadata));
            }
        }
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<()> {
        check_key("delete", key, self)?;
        let (path, found) = self.look_up("delete", Effect::Possible, key)?;
        if !found.is_some_and(|metadata| metadata.is_file()) {
            return Ok(());
        }
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(err) if is_missing(&err) => return Ok(()),
            Err(err) => {
                return Err(self.failed(err, Effect::Possible, "delete", key, "it cannot be removed"));
            }
        }
        self.sync_parent(&path, "delete", key)
    }
}

/// Whether a step that failed may have changed what readers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    None,
    Possible,
}

fn describe(key: &str, metadata: &Metadata) -> ObjectMeta {
    let modified = metadata.modified().ok().map(Timestamp::from);
    ObjectMeta { key: key.to_owned(), size: metadata.len(), sha256: None, modified }
}

/// Whether there is nothing under a path; `a/b` is missing also when `a` is a file.
fn is_missing(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn io_error(
    err: io::Error,
    effect: Effect,
    operation: &'static str,
    key: &str,
    place: &dyn fmt::Display,
    why: &str,
) -> StoreError {
    use io::ErrorKind as Io;
    let kind = match err.kind() {
        Io::NotFound => ErrorKind::NotFound,
        Io::NotADirectory if effect == Effect::None => ErrorKind::NotFound,
        Io::AlreadyExists => ErrorKind::AlreadyExists,
        Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::Denied,
        Io::StorageFull | Io::QuotaExceeded => ErrorKind::NoSpace,
        Io::Unsupported => ErrorKind::Unsupported,
        // A network share that does not answer; the write may have reached it.
        Io::TimedOut
        | Io::StaleNetworkFileHandle
        | Io::HostUnreachable
        | Io::NetworkUnreachable
        | Io::NetworkDown
        | Io::ConnectionReset
        | Io::ConnectionAborted
        | Io::NotConnected
        | Io::Interrupted => match effect {
            Effect::None => ErrorKind::Transient,
            Effect::Possible => ErrorKind::Unknown,
        },
        Io::ResourceBusy | Io::WouldBlock => ErrorKind::Transient,
        // Too many open files, in this process or on this machine (EMFILE, ENFILE on every Unix).
        _ if matches!(err.raw_os_error(), Some(23 | 24)) && cfg!(unix) => ErrorKind::Transient,
        _ => ErrorKind::Permanent,
    };
    StoreError::new(kind, operation, key, place, why).because(err)
}

/// Runs blocking work off the async threads. A panic in it goes on here.
async fn blocking<T: Send + 'static>(
    operation: &'static str,
    key: &str,
    place: String,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(err) if err.is_panic() => std::panic::resume_unwind(err.into_panic()),
        Err(_) => {
            let reason = "the process is shutting down";
            Err(StoreError::new(ErrorKind::Unknown, operation, key, &place, reason))
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
