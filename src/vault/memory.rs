//! What this client remembers of a vault, to notice that its newest end was cut off.
//!
//! The chain of manifests shows whatever is dropped from its middle; only who saw a later head
//! can notice that the end is gone everywhere. The files are small, hold no secrets, and losing
//! them loses that one warning.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{Result, VaultError};
use super::format::audit::AuditHead;
use super::signing::VerifyingKey;
use crate::clock::Timestamp;
use crate::ids::{Digest, Name, ReplicaId, SnapshotId, VaultId, WriterId};
use crate::objects::VersionId;

/// Remembered heads of one vault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Root key of trust record 1, as first seen or pinned.
    pub root: Option<VerifyingKey>,
    /// Highest number of a trust record.
    #[serde(default)]
    pub trust: u32,
    /// Newest manifest of each repository: id and SHA-256.
    #[serde(default)]
    pub heads: BTreeMap<Name, (SnapshotId, Digest)>,
    /// Heads of each space's ledger.
    #[serde(default)]
    pub ledger: BTreeMap<Name, Vec<Digest>>,
}

/// What this client remembers of the audit log of one vault. In a file of its own, so that a
/// command that runs beside another never writes back an older state of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedAudit {
    /// This client's half of a [`WriterId`], in hexadecimal.
    #[serde(default)]
    pub client: Option<String>,
    /// The entry that this client is about to write, or that not all replicas have confirmed.
    #[serde(default)]
    pub pending: Option<AuditHead>,
    /// Newest entry seen of each writer: number and SHA-256.
    #[serde(default)]
    pub heads: BTreeMap<WriterId, (u64, Digest)>,
}

/// When the locks of objects end, as read back from their stores: so that the next run asks for
/// those that are due only. Nobody but who may bypass a lock makes it shorter, and losing this costs
/// one request an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedLocks(BTreeMap<ReplicaId, BTreeMap<String, i64>>);

impl RememberedLocks {
    /// Returns the name of a version of an object: short, because there are many.
    pub fn name(key: &str, version: &VersionId) -> String {
        let mut name = Digest::of(format!("{key} {version}").as_bytes()).to_string();
        name.truncate(32);
        name
    }

    /// When a lock ends.
    pub fn until(&self, replica: &ReplicaId, key: &str, version: &VersionId) -> Option<Timestamp> {
        let seconds = self.0.get(replica)?.get(&Self::name(key, version))?;
        Timestamp::from_timestamp(*seconds, 0)
    }

    /// Takes in what was found of a replica: everything of it, or a part.
    pub fn keep(&mut self, replica: ReplicaId, locks: BTreeMap<String, i64>, is_whole: bool) {
        let known = self.0.entry(replica).or_default();
        if is_whole {
            known.clear();
        }
        known.extend(locks);
    }
}

/// The file that keeps it, or nothing for clients without state.
#[derive(Debug, Clone, Default)]
pub struct Memory(Option<PathBuf>);

impl Memory {
    /// Returns the memory of the vault in directory `dir`.
    pub fn new(dir: &Path, vault: &VaultId) -> Self {
        Self(Some(dir.join(format!("{vault}.json"))))
    }

    /// Returns a memory that forgets.
    pub fn off() -> Self {
        Self(None)
    }

    /// Reads what is remembered; nothing when there is no file yet.
    ///
    /// # Errors
    ///
    /// When there is a file that cannot be read: silently starting anew would hide an attack.
    pub fn recall(&self) -> Result<Remembered> {
        self.0.as_deref().map_or_else(|| Ok(Remembered::default()), read)
    }

    /// Reads what is remembered of locks; nothing where that cannot be read: it is all asked for
    /// again.
    pub fn recall_locks(&self) -> RememberedLocks {
        let read = |path: PathBuf| serde_json::from_slice(&std::fs::read(path).ok()?).ok();
        self.locks_path().and_then(read).unwrap_or_default()
    }

    /// Remembers locks, durably and atomically.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn remember_locks(&self, locks: &RememberedLocks) -> Result<()> {
        self.locks_path().map_or(Ok(()), |path| write(&path, locks))
    }

    /// The directory of these files.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        self.0.as_ref()?.parent().map(Path::to_owned)
    }

    fn locks_path(&self) -> Option<PathBuf> {
        self.0.as_ref().map(|path| path.with_extension("locks.json"))
    }

    /// Remembers, durably and atomically.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn remember(&self, remembered: &Remembered) -> Result<()> {
        self.0.as_deref().map_or(Ok(()), |path| write(path, remembered))
    }

    /// Reads what is remembered of the audit log; nothing when there is no file yet.
    ///
    /// # Errors
    ///
    /// As [`recall`](Self::recall).
    pub fn recall_audit(&self) -> Result<RememberedAudit> {
        self.audit_file("json").map_or_else(|| Ok(RememberedAudit::default()), |path| read(&path))
    }

    /// Remembers the audit log; by the holder of [`lock_audit`](Self::lock_audit) only.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn remember_audit(&self, remembered: &RememberedAudit) -> Result<()> {
        self.audit_file("json").map_or(Ok(()), |path| write(&path, remembered))
    }

    /// Keeps other processes of this client from the audit log until what is returned is dropped,
    /// or this process ends; waits for one that is at it. Nothing is locked without memory:
    /// every run is a client of its own then.
    ///
    /// # Errors
    ///
    /// When the file cannot be made or locked.
    pub async fn lock_audit(&self) -> Result<Option<std::fs::File>> {
        let Some(path) = self.audit_file("lock") else { return Ok(None) };
        let lock = move || {
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            let file = std::fs::File::options().create(true).append(true).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        let locked = tokio::task::spawn_blocking(lock).await.expect("locking a file does not panic");
        locked
            .map(Some)
            .map_err(|error: std::io::Error| VaultError::local("cannot lock this client's audit log", error))
    }

    fn audit_file(&self, extension: &str) -> Option<PathBuf> {
        Some(self.0.as_ref()?.with_extension(format!("audit.{extension}")))
    }
}

fn read<T: DeserializeOwned + Default>(path: &Path) -> Result<T> {
    let cannot = || format!("cannot read what this client remembers in {}", path.display());
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
            VaultError::local(cannot(), error.into())
                .hint("if the file is damaged, remove it: the next run remembers anew")
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(VaultError::local(cannot(), error)),
    }
}

/// Writes durably and atomically.
fn write(path: &Path, remembered: &impl Serialize) -> Result<()> {
    let write = || {
        let parent = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent)?;
        let mut file = tempfile::NamedTempFile::new_in(parent)?;
        file.write_all(&super::format::to_json(remembered))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        std::fs::File::open(parent)?.sync_all()
    };
    write()
        .map_err(|error: std::io::Error| VaultError::local(format!("cannot write {}", path.display()), error))
}
