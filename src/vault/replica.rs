//! Replicas of a vault, and sending objects to all of them.

use std::io::Write as _;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;

use super::error::{ErrorKind, Result, VaultError};
use super::format::vault::{REPLICA_KIND, ReplicaFile};
use super::layout;
use super::pack::SpoolDraft;
use super::see_through::SeeThroughStore;
use crate::ids::{Digest, ReplicaId, VaultId};
use crate::objects::counting::{CountingStore, Counts};
use crate::objects::probed::ProbedStore;
use crate::objects::{Abilities, Body, ErrorKind as StoreKind, ObjectStore, StoreError, pieces};

/// Bytes of an object that are hashed at once: enough that handing them to another thread does not
/// matter.
const HASHED_AT_ONCE: u64 = 1 << 20;

/// One copy of the vault.
#[derive(Debug)]
pub struct Replica {
    /// Name from the configuration.
    pub name: String,
    /// Where it lies. A store with versions is seen through: what somebody hid is read as if he had
    /// not.
    pub store: Arc<dyn ObjectStore>,
    /// Counts what goes through the store.
    counted: CountingStore,
    /// The same, for those who ask what is hidden; `None` without versions.
    pub(super) see_through: Option<Arc<SeeThroughStore>>,
    /// Its own id, once the vault is open.
    id: OnceLock<ReplicaId>,
    failure: Mutex<Option<Failure>>,
    /// What a probe found, where one is known.
    found: Option<Found>,
}

/// Why a replica no longer takes part in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Kind of the error that ended it.
    pub kind: ErrorKind,
    /// What happened, with its causes, in one line.
    pub why: String,
    /// What to do next, where the error knew.
    pub hint: Option<String>,
}

/// What is known of the store of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What may be relied on.
    pub abilities: Abilities,
    /// Why nothing may be written there.
    pub refusal: Option<String>,
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        let hint = error.next_step().filter(|hint| !hint.is_empty()).map(str::to_owned);
        Self { kind: error.kind, why: with_causes(&error), hint }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl Replica {
    /// Returns a replica that takes part.
    pub fn new(name: impl Into<String>, store: Arc<dyn ObjectStore>) -> Self {
        let counted = CountingStore::new(store);
        let store: Arc<dyn ObjectStore> = Arc::new(counted.clone());
        let see_through =
            store.abilities().versions.then(|| Arc::new(SeeThroughStore::new(Arc::clone(&store))));
        let store = match &see_through {
            Some(through) => Arc::<SeeThroughStore>::clone(through),
            None => store,
        };
        Self {
            name: name.into(),
            store,
            counted,
            see_through,
            id: OnceLock::new(),
            failure: Mutex::new(None),
            found: None,
        }
    }

    /// Returns the same replica, of whose store no more is believed than a probe found. A store that
    /// has something wrong with it takes no puts.
    #[must_use]
    pub fn with_found(self, found: Found) -> Self {
        let probed = ProbedStore::new(self.store, found.abilities);
        let store: Arc<dyn ObjectStore> = match &found.refusal {
            None => Arc::new(probed),
            Some(why) => Arc::new(probed.refusing_puts(why)),
        };
        Self { store, found: Some(found), ..self }
    }

    /// Whether it is known what its store really does. Where it is not, what is not named by its
    /// digest is written the safe way.
    pub fn is_probed(&self) -> bool {
        self.found.is_some()
    }

    /// Why nothing may be written to it, whatever its credentials allow.
    pub fn refusal(&self) -> Option<&str> {
        self.found.as_ref()?.refusal.as_deref()
    }

    /// What was asked of it so far.
    pub fn counts(&self) -> Counts {
        self.counted.counts()
    }

    /// Its own id, from its `replica.json`; `None` before the vault is open, and where that file
    /// is missing or damaged.
    pub fn id(&self) -> Option<ReplicaId> {
        self.id.get().copied()
    }

    /// Reads its own id, and keeps it as [`id`](Self::id) the first time.
    ///
    /// # Errors
    ///
    /// Those of the store. A damaged file is no error here: verification finds it.
    pub(super) async fn read_id(&self, vault: &VaultId) -> Result<Option<ReplicaId>> {
        let found = self.find_good(layout::REPLICA, 1 << 20, |bytes| {
            let file = serde_json::from_slice::<ReplicaFile>(bytes)
                .map_err(|error| VaultError::damaged(layout::REPLICA, &self.store, error))?;
            match file.kind == REPLICA_KIND && file.vault == *vault {
                true => Ok(file.replica),
                false => Err(VaultError::damaged(layout::REPLICA, &self.store, "it is of another vault")),
            }
        });
        let id = match found.await {
            Err(error) if error.kind == ErrorKind::Integrity => None,
            found => found?,
        };
        if let Some(id) = id {
            self.id.get_or_init(|| id);
        }
        Ok(id)
    }

    /// Why it no longer takes part; `None` while it does.
    pub fn failure(&self) -> Option<Failure> {
        self.failure.lock().expect("no holder of this lock can panic").clone()
    }

    /// Whether it takes part.
    pub fn is_live(&self) -> bool {
        self.failure.lock().expect("no holder of this lock can panic").is_none()
    }

    /// Ends its part in this run; the first reason stays.
    pub fn fail(&self, error: impl Into<VaultError>) {
        let failure = Failure::from(error.into());
        tracing::info!(replica = %self.name, why = %failure.why, "replica leaves this run");
        self.failure.lock().expect("no holder of this lock can panic").get_or_insert(failure);
    }

    /// Reads a small object whole; `None` when there is none.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn find_small(&self, key: &str, max: u64) -> Result<Option<Bytes>> {
        match self.store.get(key, max).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind == StoreKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes an object so that nothing brings it back: all its versions, where the store keeps
    /// them. A plain delete would only hide it there.
    ///
    /// Whether it keeps them is asked of the store as it is now: a probe found out once, and whoever
    /// switches versions on later is told nothing.
    ///
    /// Where a version cannot be deleted the others are, and the call fails; it can be made again.
    ///
    /// # Errors
    ///
    /// Those of the store; [`StoreKind::Locked`] until a lock ends.
    pub(crate) async fn delete_for_good(&self, key: &str) -> Result<()> {
        if !self.counted.abilities().versions {
            return Ok(self.store.delete(key).await?);
        }
        let mut failure = None;
        let versions = self.store.list_versions(key).await?;
        for version in versions.into_iter().filter(|version| version.key == key) {
            if let Err(error) = self.store.delete_version(key, &version.version).await {
                failure.get_or_insert(error);
            }
        }
        if let Some(error) = failure {
            return Err(error.into());
        }
        // A list may have missed what was just written.
        match self.store.head(key).await {
            Err(error) if error.kind == StoreKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(VaultError::new(
                ErrorKind::Store(StoreKind::Transient),
                format!("{key} on {} is still there, although no version of it is listed", self.store),
            )
            .hint("run the same command again")),
        }
    }

    /// Reads a whole object by ranges into a spool file, hashing; returns the file, its end the
    /// current place, and the digest. Removed when dropped; a killed process leaves it to
    /// [`prepare_spool`](super::pack::prepare_spool).
    ///
    /// # Errors
    ///
    /// Those of the store; [`ErrorKind::Local`] when the spool directory cannot be written.
    pub(crate) async fn spool(
        &self,
        key: &str,
        size: u64,
        directory: &std::path::Path,
        range_bytes: u64,
    ) -> Result<(SpoolDraft, Digest)> {
        use sha2::{Digest as _, Sha256};
        let local = |error| VaultError::local("cannot write a spool file", error);
        let SpoolDraft { mut file, path, lock } = SpoolDraft::create(directory).map_err(local)?;
        let mut digest = Sha256::new();
        let mut at = 0;
        while at < size {
            let end = size.min(at + range_bytes);
            let bytes = self.store.get_range(key, at..end).await?;
            let written = tokio::task::spawn_blocking(move || {
                let result = file.write_all(&bytes);
                result.map(|()| (file, digest.chain_update(&bytes)))
            });
            (file, digest) = written.await.expect("writing does not panic").map_err(local)?;
            at = end;
        }
        Ok((SpoolDraft { file, path, lock }, Digest(digest.finalize().into())))
    }

    /// Reads a whole object into a hash, without keeping it; a few MiB of it are in memory at once.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn digest(&self, key: &str, size: u64) -> std::result::Result<Digest, StoreError> {
        use sha2::{Digest as _, Sha256};
        let mut pieces = self.store.get_pieces(key, 0..size).await?;
        let mut digest = Sha256::new();
        loop {
            let batch = pieces::batch(&mut pieces, HASHED_AT_ONCE).await?;
            if batch.is_empty() {
                return Ok(Digest(digest.finalize().into()));
            }
            let hashed = tokio::task::spawn_blocking(move || {
                batch.iter().for_each(|piece| digest.update(piece));
                digest
            });
            digest = hashed.await.expect("hashing does not panic");
        }
    }
}

/// All replicas of a vault.
#[derive(Debug, Clone)]
pub struct Replicas {
    all: Arc<[Replica]>,
    absent: Arc<[(String, Failure)]>,
    /// Replicas that must hold a snapshot before it counts.
    pub min_copies: usize,
}

impl Replicas {
    /// Returns the set; `min_copies` defaults to 2, or 1 with one replica.
    pub fn new(replicas: Vec<Replica>, min_copies: Option<usize>) -> Self {
        Self::with_absent(replicas, Vec::new(), min_copies)
    }

    /// Returns the set of those that could be opened, and those that could not: they count as
    /// configured.
    pub fn with_absent(
        replicas: Vec<Replica>,
        absent: Vec<(String, VaultError)>,
        min_copies: Option<usize>,
    ) -> Self {
        let configured = replicas.len() + absent.len();
        let absent = absent.into_iter().map(|(name, error)| (name, Failure::from(error)));
        Self {
            min_copies: min_copies.unwrap_or(2).clamp(1, configured.max(1)),
            all: replicas.into(),
            absent: absent.collect(),
        }
    }

    /// Returns the same replicas, with what is known of the store of each; in the order of
    /// [`all`](Self::all).
    pub(super) fn with_found(self, found: Vec<Option<Found>>) -> Self {
        let again = |(replica, found): (&Replica, Option<Found>)| {
            let same = Replica {
                name: replica.name.clone(),
                store: Arc::clone(&replica.store),
                counted: replica.counted.clone(),
                see_through: replica.see_through.clone(),
                id: replica.id.clone(),
                failure: Mutex::new(replica.failure()),
                found: None,
            };
            match found {
                Some(found) => same.with_found(found),
                None => same,
            }
        };
        Self { all: self.all.iter().zip(found).map(again).collect(), ..self }
    }

    /// Number of replicas that are configured.
    pub fn configured(&self) -> usize {
        self.all.len() + self.absent.len()
    }

    /// Returns all of them.
    pub fn all(&self) -> &[Replica] {
        &self.all
    }

    /// Returns a replica by its name.
    pub fn named(&self, name: &str) -> Option<&Replica> {
        self.all.iter().find(|replica| replica.name == name)
    }

    /// Checks that a replica of this name is configured, whether it can be reached or not.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] with the names that there are.
    pub fn require_known(&self, name: &str) -> Result<()> {
        let all =
            || self.all.iter().map(|replica| &replica.name).chain(self.absent.iter().map(|(name, _)| name));
        if all().any(|known| known == name) {
            return Ok(());
        }
        let known: Vec<&str> = all().map(String::as_str).collect();
        Err(VaultError::new(ErrorKind::NotFound, format!("no replica is named {name:?}"))
            .hint(format!("replicas of the configuration: {}", known.join(", "))))
    }

    /// Returns those that take part.
    pub fn live(&self) -> impl Iterator<Item = &Replica> {
        self.all.iter().filter(|replica| replica.is_live())
    }

    /// Returns name and reason of those that do not.
    pub fn failed(&self) -> Vec<(String, Failure)> {
        let failed = self.all.iter().filter_map(|replica| Some((replica.name.clone(), replica.failure()?)));
        failed.chain(self.absent.iter().cloned()).collect()
    }

    /// Checks that enough take part in writing a snapshot.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooFewReplicas`] with the reason of each that does not.
    pub fn require_enough(&self) -> Result<()> {
        let live = self.live().count();
        if live >= self.min_copies {
            return Ok(());
        }
        Err(self.too_few(
            format!(
                "{live} of {} replicas can be used, {} must hold a snapshot",
                self.configured(),
                self.min_copies
            ),
            "then run the same command again; `min_copies` in [vault] says how many must hold a snapshot",
        ))
    }

    /// Checks that one takes part, which is enough to read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooFewReplicas`] with the reason of each that does not.
    pub fn require_any(&self) -> Result<()> {
        if self.live().next().is_some() {
            return Ok(());
        }
        let what = match self.configured() {
            1 => "the only replica cannot be read".to_owned(),
            count => format!("none of the {count} replicas can be read"),
        };
        Err(self.too_few(what, "then run the same command again; one good replica is enough to read"))
    }

    fn too_few(&self, what: String, then: &str) -> VaultError {
        let reasons: Vec<_> = self.failed().iter().map(|(name, why)| format!("{name}: {why}")).collect();
        VaultError::new(ErrorKind::TooFewReplicas, format!("{what} ({})", reasons.join("; ")))
            .hint(format!("{}; {then}", self.next_steps()))
    }

    /// What to do about the replicas that do not take part.
    pub(super) fn next_steps(&self) -> String {
        let step = |(name, failure): (String, Failure)| Some(format!("{name}: {}", failure.hint?));
        let steps: Vec<_> = self.failed().into_iter().filter_map(step).collect();
        if steps.is_empty() { "mend the named replicas".to_owned() } else { steps.join("; ") }
    }

    /// Stores an object on every live replica at once; one that fails leaves the run.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooFewReplicas`] when too few are left.
    pub async fn store_everywhere(&self, key: &str, body: &Body) -> Result<()> {
        join_all(self.live().map(|replica| async move {
            if let Err(error) = replica.store_new(key, body.clone()).await {
                replica.fail(error);
            }
        }))
        .await;
        self.require_enough()
    }

    /// Reads an object from the first replica whose copy `accept` takes; `accept` returns what
    /// the caller wants of it, or what is wrong. Objects named by their digest are checked first.
    /// Copies that are no good are given to `read_around` when a good one was found.
    ///
    /// # Errors
    ///
    /// The last failure, when no replica has a good copy.
    pub async fn read_any<T>(
        &self,
        key: &str,
        max: u64,
        accept: impl Fn(&Replica, Bytes) -> Result<T>,
        read_around: impl Fn(&VaultError),
    ) -> Result<T> {
        let mut last = None;
        for replica in self.live() {
            let result = match replica.store.get(key, max).await {
                Ok(bytes) => match layout::promised_digest(key) {
                    Some(promised) if Digest::of(&bytes) != promised => Err(VaultError::damaged(
                        key,
                        &replica.store,
                        "its bytes do not have the digest of its name",
                    )),
                    _ => accept(replica, bytes),
                },
                Err(error) => Err(error.into()),
            };
            match result {
                Ok(value) => {
                    if let Some(error) = &last {
                        read_around(error);
                    }
                    return Ok(value);
                }
                // Damage is worth more to know than that another replica has no copy.
                Err(error)
                    if last.as_ref().is_none_or(|last: &VaultError| last.kind != ErrorKind::Integrity) =>
                {
                    last = Some(error);
                }
                Err(_) => {}
            }
        }
        Err(last.unwrap_or_else(|| VaultError::new(ErrorKind::TooFewReplicas, "no replica can be reached")))
    }
}

/// Runs `read` over `keys`, at most `concurrency` at once, results in order.
pub(super) async fn in_parallel<K: Send, T, F: Future<Output = T>>(
    keys: impl IntoIterator<Item = K>,
    concurrency: usize,
    read: impl Fn(K) -> F,
) -> Vec<T> {
    stream::iter(keys).map(read).buffered(concurrency).collect().await
}

/// Returns an error and its causes in one line, for reasons that are shown later.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::objects::PutMode;
    use crate::objects::lock::{LockMode, LockRule};
    use crate::objects::memory::MemoryStore;

    async fn replica(rule: Option<LockRule>) -> (Replica, MemoryStore, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new("2026-11-21T02:00:00Z".parse().unwrap()));
        let store = MemoryStore::new("m", Arc::<ManualClock>::clone(&clock)).with_locks(rule);
        let replica = Replica::new("m", Arc::new(store.clone()));
        for bytes in ["old", "new"] {
            store.put("packs/a/b", Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
        }
        store.put("packs/a/bc", Body::bytes("another"), PutMode::Overwrite).await.unwrap();
        (replica, store, clock)
    }

    #[tokio::test]
    async fn what_is_deleted_for_good_has_no_version_left() {
        let (replica, store, _) = replica(None).await;
        store.delete("packs/a/b").await.unwrap();
        assert_eq!(store.list_versions("packs/a/b").await.unwrap().len(), 3, "hidden, not gone");
        for _ in 0..2 {
            replica.delete_for_good("packs/a/b").await.unwrap();
            assert_eq!(store.list_versions("packs/a/b").await.unwrap(), []);
        }
        store.head("packs/a/bc").await.unwrap();
    }

    #[tokio::test]
    async fn versions_that_were_switched_on_after_the_probe_go_too() {
        let (replica, store, _) = replica(None).await;
        let replica = replica.with_found(Found { abilities: Abilities::NONE, refusal: None });
        assert!(!replica.store.abilities().versions);
        replica.delete_for_good("packs/a/b").await.unwrap();
        assert_eq!(store.list_versions("packs/a/b").await.unwrap(), []);
    }

    #[tokio::test]
    async fn what_is_locked_is_never_reported_as_deleted() {
        let window = chrono::TimeDelta::days(14);
        let (replica, store, clock) = replica(Some(LockRule { mode: LockMode::Governance, window })).await;
        let error = replica.delete_for_good("packs/a/b").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Store(StoreKind::Locked));
        assert_eq!(store.list_versions("packs/a/b").await.unwrap().len(), 2);
        clock.advance(window);
        replica.delete_for_good("packs/a/b").await.unwrap();
        assert_eq!(store.list_versions("packs/a/b").await.unwrap(), []);
    }
}
