//! Flat storage of whole objects: directory, S3, memory, and wrappers around any of them.
//!
//! The trait is written against what object stores really guarantee, not against a file system:
//! there is no rename, no append, no directory. Every line of the contract below is a check in
//! [`contract`], run on every implementation and every wrapper.
//!
//! A replica is usually opened by its address ([`url::open_replica`]): a [`local::LocalStore`] or
//! an [`s3::S3Store`], below a [`limit::LimitStore`], below a [`retry::RetryStore`].
//!
//! **Contract**
//! - `put` is atomic and durable on return: a reader sees all of the body or nothing, also after
//!   a power cut.
//! - `put` with [`PutMode::CreateOnly`] on an existing key is [`ErrorKind::AlreadyExists`] and
//!   leaves the first content, *where the store can do that* ([`Abilities::create_only`]); where
//!   it cannot, the call is refused with [`ErrorKind::Unsupported`] before anything is written.
//! - `put` whose body does not have the announced SHA-256 fails and leaves nothing behind.
//! - `get`, `get_range`, `get_pieces` and `head` after `put` see it; `list` does too.
//! - `list` is complete, sorted by key, and by path segment: `list("a/b")` gives `a/b` and
//!   `a/b/…`, never `a/bc`.
//! - `delete` of a missing key succeeds.
//! - A key that no store can have ([`is_valid_key`]) is refused by every operation. No key in use
//!   goes on where another has ended (`a` and `a/b`): directories refuse the second of them.
//! - A store with versions ([`Abilities::versions`]) keeps what a put replaces and a delete hides.
//!   `list_versions` is complete and by path segment as `list` is, sorted by key, of one key from
//!   the newest version to the oldest. In a store without versions each object is its one version
//!   `null`.
//! - A version is read by its id, also a hidden one. One that is not there, and a delete marker, is
//!   [`ErrorKind::NotFound`].
//! - `delete_version` is for good, and what was hidden behind it is seen again; a version that is
//!   not there counts as deleted. A locked one is [`ErrorKind::Locked`] and stays as it was.
//! - Every put of a handle with a [`LockRule`] is locked by it from the moment it can be read.
//!   `lock_of` tells the lock of a version, `extend_lock` makes it longer and never shorter.
//! - A put or delete that failed with [`ErrorKind::Unknown`] may have happened; with any other
//!   kind it has not (but some servers keep the bytes of an [`ErrorKind::Corrupt`] put).
//! - `Display` names the place, without credentials.

pub mod contract;
pub mod counting;
pub mod faults;
pub mod limit;
pub mod local;
pub mod lock;
pub mod memory;
pub mod operation;
pub mod pieces;
pub mod place;
pub mod prefix;
pub mod probe;
pub mod probed;
pub mod retry;
pub mod s3;
pub mod traffic;
pub mod url;
pub mod version;

mod copy;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::clock::Timestamp;
use crate::ids::Digest;

pub use lock::{Lock, LockMode, LockRule, Retention};
pub use pieces::Pieces;
pub use place::PlaceFacts;
pub use version::{ObjectVersion, VersionId};

/// How a put treats an object that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutMode {
    /// Refuse when the key exists.
    CreateOnly,
    /// Replace.
    Overwrite,
}

/// The bytes of a put. Cheap to clone, so that one body goes to many replicas.
#[derive(Debug, Clone)]
pub struct Body {
    source: BodySource,
    len: u64,
    sha256: Digest,
}

/// Where the bytes of a [`Body`] are.
#[derive(Debug, Clone)]
pub enum BodySource {
    /// In memory.
    Bytes(Bytes),
    /// In a file that the holder keeps until the last clone is gone; large packs are spooled.
    File(Arc<SpoolFile>),
    /// In another store: read while they are sent, once for each attempt.
    Object(Arc<SourceObject>),
}

/// An object of a store that is read while another store takes it, so that it is neither held in
/// memory nor in a file.
#[derive(Debug)]
pub struct SourceObject {
    store: Arc<dyn ObjectStore>,
    key: String,
    /// Bytes that are hashed and passed on at once.
    batch_bytes: u64,
    is_hashed_by_taker: bool,
}

impl SourceObject {
    /// Returns the object under `key`, of which about `batch_bytes` (at least one) are hashed and
    /// passed on at once.
    pub fn new(store: Arc<dyn ObjectStore>, key: &str, batch_bytes: u64) -> Self {
        Self { store, key: key.to_owned(), batch_bytes: batch_bytes.max(1), is_hashed_by_taker: false }
    }

    /// Says that the store that takes it is known to refuse bytes with another SHA-256 than was announced: what is
    /// passed on over a network is not hashed here as well then.
    #[must_use]
    pub fn hashed_by_taker(self) -> Self {
        Self { is_hashed_by_taker: true, ..self }
    }

    /// Returns its first `len` bytes as they come.
    async fn pieces(&self, len: u64) -> Result<Pieces> {
        self.store.get_pieces(&self.key, 0..len).await
    }
}

/// A finished spool file; removed when the last holder drops it.
#[derive(Debug)]
pub struct SpoolFile {
    /// Where it lies.
    pub path: PathBuf,
    _guard: tempfile::TempPath,
    /// Holds the lock that tells others that its owner lives.
    _lock: Option<std::fs::File>,
}

impl SpoolFile {
    /// Takes over a temporary file.
    pub fn new(file: tempfile::TempPath) -> Self {
        Self { path: file.to_path_buf(), _guard: file, _lock: None }
    }

    /// Takes over a temporary file together with its lock, which is held as long as the file is
    /// there.
    pub fn locked(file: tempfile::TempPath, lock: std::fs::File) -> Self {
        Self { _lock: Some(lock), ..Self::new(file) }
    }
}

impl Body {
    /// Returns a body of bytes in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { len: bytes.len() as u64, sha256: Digest::of(&bytes), source: BodySource::Bytes(bytes) }
    }

    /// Returns a body from a file with a known length and digest.
    pub fn file(file: Arc<SpoolFile>, len: u64, sha256: Digest) -> Self {
        Self { source: BodySource::File(file), len, sha256 }
    }

    /// Returns a body from an object of another store with a known length and digest. A put refuses
    /// it as [`ErrorKind::Corrupt`] when it cannot be read, or turns out to be something else.
    pub fn object(object: Arc<SourceObject>, len: u64, sha256: Digest) -> Self {
        Self { source: BodySource::Object(object), len, sha256 }
    }

    /// Returns a body of bytes that are said to have this digest, whether they have it or not: to
    /// find out whether a store checks.
    pub(crate) fn claimed(bytes: impl Into<Bytes>, sha256: Digest) -> Self {
        let bytes = bytes.into();
        Self { len: bytes.len() as u64, sha256, source: BodySource::Bytes(bytes) }
    }

    /// Where the bytes are.
    pub fn source(&self) -> &BodySource {
        &self.source
    }

    /// Number of bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// SHA-256 that the stored bytes must have.
    pub fn sha256(&self) -> Digest {
        self.sha256
    }
}

/// What a store knows of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Key of the object.
    pub key: String,
    /// Number of bytes.
    pub size: u64,
    /// SHA-256 that the store itself keeps with the object; `None` where it keeps none or does
    /// not tell in this call (listings never do).
    pub sha256: Option<Digest>,
    /// When it was last written, by the store's clock, where it tells.
    pub modified: Option<Timestamp>,
}

/// What a store can do; known from its kind, or probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// Whether [`PutMode::CreateOnly`] is honoured.
    pub create_only: bool,
    /// Whether `head` returns a stored SHA-256 that the store checked at the put.
    pub stored_checksums: bool,
    /// Whether a put and a delete leave the versions before them. Deleting for good goes through
    /// [`ObjectStore::list_versions`] whatever this says: it is never wrong to ask.
    pub versions: bool,
    /// Whether the store refuses to delete a locked version.
    pub locks: bool,
}

impl Abilities {
    /// Everything.
    pub const ALL: Self = Self { create_only: true, stored_checksums: true, versions: true, locks: true };

    /// Nothing but putting, reading, listing and deleting.
    pub const NONE: Self =
        Self { create_only: false, stored_checksums: false, versions: false, locks: false };

    /// Returns what both have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            create_only: self.create_only && other.create_only,
            stored_checksums: self.stored_checksums && other.stored_checksums,
            versions: self.versions && other.versions,
            locks: self.locks && other.locks,
        }
    }
}

/// Flat storage of whole objects. See the [module](self) for the contract.
///
/// There are no default methods on purpose: a wrapper that forgets to forward one would silently
/// change behaviour.
#[async_trait]
pub trait ObjectStore: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// Says what this store can do.
    fn abilities(&self) -> Abilities;

    /// Stores an object; returns once it is durable.
    async fn put(&self, key: &str, body: Body, mode: PutMode) -> Result<ObjectMeta>;

    /// Reads a whole object of at most `max` bytes; a larger one is [`ErrorKind::TooLarge`], and
    /// no more than `max` bytes of it are read.
    async fn get(&self, key: &str, max: u64) -> Result<Bytes>;

    /// Reads part of an object. A range that does not lie within it is
    /// [`ErrorKind::OutOfRange`]; an empty range returns no bytes.
    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes>;

    /// Reads part of an object as it comes, of which no more is in memory than nobody has taken yet.
    /// The same range gives the same bytes, and the same refusals, as [`get_range`](Self::get_range);
    /// what fails later is in the stream and ends it.
    async fn get_pieces(&self, key: &str, range: Range<u64>) -> Result<Pieces>;

    /// Asks for size and stored checksum.
    async fn head(&self, key: &str) -> Result<ObjectMeta>;

    /// Lists `prefix` itself and everything below it, sorted by key; `""` lists all.
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>>;

    /// Removes an object; one that is not there counts as removed. In a store with versions it is
    /// only hidden.
    async fn delete(&self, key: &str) -> Result<()>;

    /// Lists all versions of `prefix` itself and everything below it, hidden ones and delete
    /// markers too, sorted by key and from the newest to the oldest; `""` lists all.
    async fn list_versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>>;

    /// As [`get`](Self::get), of one version.
    async fn get_version(&self, key: &str, version: &VersionId, max: u64) -> Result<Bytes>;

    /// As [`get_range`](Self::get_range), of one version.
    async fn get_range_version(&self, key: &str, version: &VersionId, range: Range<u64>) -> Result<Bytes>;

    /// As [`head`](Self::head), of one version.
    async fn head_version(&self, key: &str, version: &VersionId) -> Result<ObjectMeta>;

    /// Deletes one version, or a delete marker, for good. One that is not there counts as deleted;
    /// one that is locked is [`ErrorKind::Locked`], which no later attempt changes before the lock
    /// ends.
    async fn delete_version(&self, key: &str, version: &VersionId) -> Result<()>;

    /// Returns what protects a version from being deleted; `None` when nothing does. A retention
    /// that has ended is told as well.
    async fn lock_of(&self, key: &str, version: &VersionId) -> Result<Option<Lock>>;

    /// Locks a version until `until` (rounded up to a second), in the mode it is locked in, else in
    /// that of [`lock_rule`](Self::lock_rule). The same end again succeeds, an earlier one is
    /// [`ErrorKind::Locked`]; [`ErrorKind::Unsupported`] where there are no locks.
    async fn extend_lock(&self, key: &str, version: &VersionId, until: Timestamp) -> Result<()>;

    /// Asks for the settings of the place that concern a backup; `None` where there are none to ask
    /// for. What these credentials may not ask is a fact that is not known, not an error.
    async fn place_facts(&self) -> Result<Option<PlaceFacts>>;

    /// Says what every put of this handle is locked with.
    fn lock_rule(&self) -> Option<LockRule>;

    /// Returns the directory of this machine in which puts that were killed leave what they had written, where there
    /// is such a directory: no key reaches it, and no listing shows it. It need not be there.
    fn unfinished(&self) -> Option<PathBuf>;

    /// Returns a handle on the same store whose puts are locked by `rule`, or not at all. Bounds and
    /// counts of this handle are shared.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] for a rule where there are no locks.
    fn locking(&self, rule: Option<LockRule>) -> Result<Arc<dyn ObjectStore>>;

    /// Reads the store's own clock, where it has one.
    async fn server_time(&self) -> Result<Option<Timestamp>>;
}

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// What a caller can decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// No object under this key (or no such bucket or directory).
    NotFound,
    /// A create-only put met an object.
    AlreadyExists,
    /// The store refuses this client: credentials, permissions, a read-only directory.
    Denied,
    /// The disk or quota is full.
    NoSpace,
    /// Refused or failed for a reason that passes: throttling, 5xx, cut connections on reads.
    Transient,
    /// A write timed out or lost its answer: it may have happened.
    Unknown,
    /// The bytes are not what their digest says, or what came is shorter than announced.
    Corrupt,
    /// Larger than the caller accepts.
    TooLarge,
    /// A range outside the object.
    OutOfRange,
    /// The store cannot do this.
    Unsupported,
    /// What is needed to ask the store is not configured on this machine: region, credentials.
    Unconfigured,
    /// A lock forbids it; the reason says until when.
    Locked,
    /// Anything else; trying again does not help.
    Permanent,
}

/// A failed store operation: what, on which key, where and why.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {key} on {place}: {reason}")]
pub struct StoreError {
    /// What a caller can decide by.
    pub kind: ErrorKind,
    operation: &'static str,
    key: String,
    place: String,
    reason: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StoreError {
    /// Returns an error. `operation` is a verb (`"write"`), `reason` a phrase in lower case.
    pub fn new(
        kind: ErrorKind,
        operation: &'static str,
        key: &str,
        place: &dyn fmt::Display,
        reason: impl Into<String>,
    ) -> Self {
        let key = if key.is_empty() { "objects" } else { key }.to_owned();
        Self { kind, operation, key, place: place.to_string(), reason: reason.into(), source: None }
    }

    /// Adds the cause; its own text is shown as a further line, so `reason` does not repeat it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Names the key and place that the caller knows instead of those further down.
    fn seen_as(self, key: &str, place: &dyn fmt::Display) -> Self {
        Self {
            kind: self.kind,
            source: self.source,
            ..Self::new(self.kind, self.operation, key, place, self.reason)
        }
    }

    /// Says that an earlier attempt of this write may have happened, whatever the last one met.
    fn possibly_done(self) -> Self {
        if self.kind == ErrorKind::Unknown {
            return self;
        }
        let reason = format!("an earlier attempt may have happened; then: {}", self.reason);
        Self { kind: ErrorKind::Unknown, reason, ..self }
    }

    /// Key the operation was about.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What to do next, where that follows from the kind.
    pub fn next_step(&self) -> Option<&'static str> {
        Some(match self.kind {
            ErrorKind::Denied => {
                "check who may read and write there (permissions, credentials, a disk that is mounted read-only)"
            }
            ErrorKind::NoSpace => "free space there",
            ErrorKind::Locked => "wait until the lock ends; nothing here shortens one",
            ErrorKind::Transient | ErrorKind::Unknown => "check the connection to it",
            ErrorKind::Unconfigured => {
                "set `region` or `profile` of this replica in the configuration, or the named variables where this \
                 runs; a service or a cron job has an environment of its own"
            }
            _ => return None,
        })
    }

    /// What happened, without operation, key and place.
    fn in_brief(&self) -> &str {
        &self.reason
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Transient | ErrorKind::Unknown)
    }
}

/// First segment that no key has: directory stores keep unfinished files there.
pub const TEMPORARY: &str = ".tmp";

/// Whether `key` may be used: relative segments of visible ASCII, none empty, `.` or `..`, each
/// at most 255 bytes, 1,024 in all (the limits of S3 and of common file systems), the first not
/// [`TEMPORARY`].
pub fn is_valid_key(key: &str) -> bool {
    key.len() <= 1024
        && key.split('/').next() != Some(TEMPORARY)
        && key.split('/').all(|segment| {
            !matches!(segment, "" | "." | "..")
                && segment.len() <= 255
                && segment.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
        })
}

/// Refuses a key that [`is_valid_key`] does not accept; every store does so before anything else.
fn check_key(operation: &'static str, key: &str, place: &dyn fmt::Display) -> Result<()> {
    if is_valid_key(key) {
        return Ok(());
    }
    // The key is hostile or a mistake of ours; it is shown escaped and not at full length.
    let shown: String = key.chars().take(80).flat_map(char::escape_default).collect();
    Err(StoreError::new(ErrorKind::Permanent, operation, &shown, place, "this is not a valid key"))
}

/// Refuses what is neither `""` nor a valid key.
fn check_prefix(prefix: &str, place: &dyn fmt::Display) -> Result<()> {
    if prefix.is_empty() { Ok(()) } else { check_key("list", prefix, place) }
}

/// Refuses a range that does not lie within an object of `size` bytes.
fn check_range(range: &Range<u64>, size: u64, key: &str, place: &dyn fmt::Display) -> Result<()> {
    if range.start <= range.end && range.end <= size {
        return Ok(());
    }
    let reason = format!("bytes {} to {} do not lie within its {size} bytes", range.start, range.end);
    Err(StoreError::new(ErrorKind::OutOfRange, "read", key, place, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_leave_the_store_are_invalid() {
        for key in
            ["", "/", "a//b", "../x", "a/..", ".", "a\\b", "a b", "é", ".tmp", ".tmp/x", &"x".repeat(256)]
        {
            assert!(!is_valid_key(key), "{key:?}");
        }
        for key in ["vault.json", "packs/blog/00ff", ".hidden/x", ".tmpx", "a/.tmp"] {
            assert!(is_valid_key(key), "{key:?}");
        }
    }
}
