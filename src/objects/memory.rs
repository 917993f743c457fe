//! A store in memory, stricter than any real one: what passes here relies on nothing that some
//! store does not give.
//!
//! It checks digests, honours create-only puts, keeps checksums and tells the time of the clock
//! it was given. [`MemoryStore::with_abilities`] gives it versions and Object Lock as Amazon
//! documents them, or takes abilities away, to stand for a weaker store; [`MemoryStore::tamper`]
//! changes bytes behind the store's back, for rehearsing damage. Nothing survives the process.
//!
//! With versions, a put adds a version, a delete adds a delete marker (also where there is nothing
//! to hide), and a create-only put succeeds over a delete marker. With locks besides, nobody
//! deletes a locked version and nobody shortens a lock, in the mode governance either: those who
//! may bypass it are not us. Where S3 is vague it refuses: a lock that has ended before it begins,
//! a lock on a delete marker.

mod versions;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;

use self::versions::{Content, State, Version};
use super::{
    Abilities, Body, BodySource, ErrorKind, Lock, LockRule, ObjectMeta, ObjectStore, ObjectVersion, Pieces,
    PlaceFacts, PutMode, Result, Retention, StoreError, VersionId, check_key, check_prefix, check_range,
    lock, pieces, version,
};
use crate::clock::{Clock, Timestamp};

/// A store in memory. Clones share their objects.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    name: String,
    abilities: Abilities,
    rule: Option<LockRule>,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

impl MemoryStore {
    /// Returns an empty store without versions and locks whose time is that of `clock`.
    pub fn new(name: &str, clock: Arc<dyn Clock>) -> Self {
        let abilities = Abilities { create_only: true, stored_checksums: true, ..Abilities::NONE };
        Self { name: name.to_owned(), abilities, rule: None, clock, state: Arc::default() }
    }

    /// Makes it a store that can do less or more: without create-only puts it refuses them, without
    /// stored checksums `head` tells none. Locks need versions; without them there are none.
    ///
    /// To be called before the first put: objects are kept as they were stored.
    #[must_use]
    pub fn with_abilities(self, abilities: Abilities) -> Self {
        let locks = abilities.locks && abilities.versions;
        Self { abilities: Abilities { locks, ..abilities }, ..self }
    }

    /// Makes it a store with everything: versions and locks, and puts locked by `rule`.
    #[must_use]
    pub fn with_locks(self, rule: Option<LockRule>) -> Self {
        let abilities = Abilities { versions: true, locks: true, ..self.abilities };
        Self { abilities, rule, ..self }
    }

    /// Changes the bytes of an object behind the store's back, as a failing disk would: stored
    /// checksum and time stay. With versions it is the newest. Returns whether there is such an
    /// object.
    pub fn tamper(&self, key: &str, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        // Not under the lock: `change` is not ours, and may use the store.
        let Some(mut bytes) = self.lock().newest(key).map(|(_, content)| content.bytes.to_vec()) else {
            return false;
        };
        change(&mut bytes);
        match self.lock().newest_mut(key) {
            Some(content) => {
                content.bytes = bytes.into();
                true
            }
            None => false,
        }
    }

    /// Puts a version under a legal hold or ends it, as its owner could. Returns whether there is
    /// such a version, in a store with locks.
    pub fn set_legal_hold(&self, key: &str, version: &VersionId, legal_hold: bool) -> bool {
        let mut state = self.lock();
        match state.content_mut(key, version).filter(|_| self.abilities.locks) {
            Some(content) => {
                content.lock.legal_hold = legal_hold;
                true
            }
            None => false,
        }
    }

    /// Number of objects; those hidden by a delete marker do not count.
    pub fn len(&self) -> usize {
        self.lock().visible().count()
    }

    /// Whether there are no objects.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock can panic")
    }

    fn error(
        &self,
        kind: ErrorKind,
        operation: &'static str,
        key: &str,
        why: impl Into<String>,
    ) -> StoreError {
        StoreError::new(kind, operation, key, self, why)
    }

    /// Finds the newest content, or that of one version.
    fn find(&self, operation: &'static str, key: &str, version: Option<&VersionId>) -> Result<Content> {
        check_key(operation, key, self)?;
        let state = self.lock();
        let found = match version {
            None => state.newest(key).map(|(_, content)| content),
            Some(version) => state.content(key, version),
        };
        found.cloned().ok_or_else(|| match version {
            None => self.error(ErrorKind::NotFound, operation, key, "there is no such object"),
            Some(_) => version::not_found(operation, key, self),
        })
    }

    fn read(&self, key: &str, version: Option<&VersionId>, max: u64) -> Result<Bytes> {
        let bytes = self.find("read", key, version)?.bytes;
        if bytes.len() as u64 > max {
            let why = format!("it has {} bytes, at most {max} are accepted", bytes.len());
            return Err(self.error(ErrorKind::TooLarge, "read", key, why));
        }
        Ok(bytes)
    }

    fn read_range(&self, key: &str, version: Option<&VersionId>, range: Range<u64>) -> Result<Bytes> {
        let bytes = self.find("read", key, version)?.bytes;
        check_range(&range, bytes.len() as u64, key, self)?;
        // Both ends are at most the length of something in memory.
        Ok(bytes.slice(range.start as usize..range.end as usize))
    }

    fn describe(&self, key: &str, content: &Content, tell_checksum: bool) -> ObjectMeta {
        ObjectMeta {
            key: key.to_owned(),
            size: content.bytes.len() as u64,
            sha256: (tell_checksum && self.abilities.stored_checksums).then_some(content.sha256),
            modified: Some(content.modified),
        }
    }

    /// Checks a lock that is asked for.
    fn check_lock(&self, operation: &'static str, key: &str, retention: Retention) -> Result<()> {
        if !self.abilities.locks {
            return Err(lock::unsupported(key, self));
        }
        if retention.until > self.clock.now() {
            return Ok(());
        }
        Err(self.error(ErrorKind::Permanent, operation, key, "a lock that ends in the past is refused"))
    }

    /// Returns the checked bytes of a body; those in memory already are not copied.
    async fn take_in(&self, key: &str, body: Body) -> Result<Bytes> {
        let read = tokio::task::spawn_blocking(move || match body.source() {
            BodySource::Bytes(bytes) => body.verify().map(|()| bytes.clone()),
            BodySource::File(_) | BodySource::Object(_) => {
                let mut bytes = Vec::new();
                body.copy_to(&mut bytes).map(|()| bytes.into())
            }
        });
        match read.await {
            Ok(bytes) => bytes.map_err(|err| err.into_store_error(key, self)),
            Err(err) if err.is_panic() => std::panic::resume_unwind(err.into_panic()),
            Err(_) => Err(self.error(ErrorKind::Transient, "write", key, "the process is shutting down")),
        }
    }
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory:{}", self.name)
    }
}

/// Whether `key` is `prefix` or below it.
fn is_within(key: &str, prefix: &str) -> bool {
    prefix.is_empty() || key.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[async_trait]
impl ObjectStore for MemoryStore {
    fn abilities(&self) -> Abilities {
        self.abilities
    }

    async fn put(&self, key: &str, body: Body, mode: PutMode) -> Result<ObjectMeta> {
        check_key("write", key, self)?;
        if mode == PutMode::CreateOnly && !self.abilities.create_only {
            let why = "this store has no create-only writes";
            return Err(self.error(ErrorKind::Unsupported, "write", key, why));
        }
        let retention = self.rule.map(|rule| rule.at(self.clock.now()));
        if let Some(retention) = retention {
            self.check_lock("write", key, retention)?;
        }
        let sha256 = body.sha256();
        let bytes = self.take_in(key, body).await?;
        let lock = Lock { retention, legal_hold: false };
        let content = Content { bytes, sha256, modified: self.clock.now(), lock };
        let meta = self.describe(key, &content, true);
        let mut state = self.lock();
        if mode == PutMode::CreateOnly && state.newest(key).is_some() {
            return Err(self.error(
                ErrorKind::AlreadyExists,
                "write",
                key,
                "there is such an object already",
            ));
        }
        state.add(key, Version::Content(content), self.abilities.versions);
        Ok(meta)
    }

    async fn get(&self, key: &str, max: u64) -> Result<Bytes> {
        self.read(key, None, max)
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.read_range(key, None, range)
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
        let content = self.find("look up", key, None)?;
        Ok(self.describe(key, &content, true))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        check_prefix(prefix, self)?;
        let state = self.lock();
        let found = state.visible().filter(|(key, _)| is_within(key, prefix));
        Ok(found.map(|(key, content)| self.describe(key, content, false)).collect())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key("delete", key, self)?;
        let mut state = self.lock();
        match self.abilities.versions {
            true => state.add(key, Version::Marker(self.clock.now()), true),
            false => state.remove(key),
        }
        Ok(())
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        Ok(Some(self.clock.now()))
    }

    async fn list_versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>> {
        check_prefix(prefix, self)?;
        Ok(self.lock().versions().filter(|version| is_within(&version.key, prefix)).collect())
    }

    async fn get_version(&self, key: &str, version: &VersionId, max: u64) -> Result<Bytes> {
        self.read(key, Some(version), max)
    }

    async fn get_range_version(&self, key: &str, version: &VersionId, range: Range<u64>) -> Result<Bytes> {
        self.read_range(key, Some(version), range)
    }

    async fn head_version(&self, key: &str, version: &VersionId) -> Result<ObjectMeta> {
        let content = self.find("look up", key, Some(version))?;
        Ok(self.describe(key, &content, true))
    }

    async fn delete_version(&self, key: &str, version: &VersionId) -> Result<()> {
        check_key("delete", key, self)?;
        let mut state = self.lock();
        if let Some(content) = state.content(key, version)
            && content.lock.protects_at(self.clock.now())
        {
            return Err(self.error(ErrorKind::Locked, "delete", key, content.lock.describe()));
        }
        state.remove_version(key, version);
        Ok(())
    }

    async fn lock_of(&self, key: &str, version: &VersionId) -> Result<Option<Lock>> {
        let lock = self.find("read the lock of", key, Some(version))?.lock;
        Ok((lock.retention.is_some() || lock.legal_hold).then_some(lock))
    }

    async fn extend_lock(&self, key: &str, version: &VersionId, until: Timestamp) -> Result<()> {
        check_key(lock::EXTEND, key, self)?;
        if !self.abilities.locks {
            return Err(lock::unsupported(key, self));
        }
        let mut state = self.lock();
        let found = state.content_mut(key, version);
        let content = found.ok_or_else(|| version::not_found(lock::EXTEND, key, self))?;
        if let Some(retention) = lock::extension(Some(content.lock), self.rule, until, key, self)? {
            self.check_lock(lock::EXTEND, key, retention)?;
            content.lock.retention = Some(retention);
        }
        Ok(())
    }

    async fn place_facts(&self) -> Result<Option<PlaceFacts>> {
        Ok(None)
    }

    fn lock_rule(&self) -> Option<LockRule> {
        self.rule
    }

    fn unfinished(&self) -> Option<PathBuf> {
        None
    }

    fn locking(&self, rule: Option<LockRule>) -> Result<Arc<dyn ObjectStore>> {
        if rule.is_some() && !self.abilities.locks {
            return Err(lock::unsupported("", self));
        }
        Ok(Arc::new(Self { rule, ..self.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::clock::{ManualClock, SystemClock};
    use crate::objects::LockMode;

    #[tokio::test]
    async fn tampering_changes_bytes_and_keeps_the_stored_checksum() {
        let store = MemoryStore::new("a", Arc::new(SystemClock));
        let body = Body::bytes(b"abc".as_slice());
        let digest = body.sha256();
        store.put("k", body, PutMode::CreateOnly).await.unwrap();
        assert!(store.tamper("k", |bytes| bytes[0] ^= 1));
        assert!(!store.tamper("none", |_| {}));
        assert_eq!(store.get("k", 3).await.unwrap(), b"`bc".as_slice());
        assert_eq!(store.head("k").await.unwrap().sha256, Some(digest));
    }

    #[tokio::test]
    async fn a_store_without_create_only_puts_refuses_them_before_writing() {
        let store = MemoryStore::new("weak", Arc::new(SystemClock)).with_abilities(Abilities::NONE);
        let err = store.put("k", Body::bytes("x"), PutMode::CreateOnly).await.unwrap_err();
        assert_eq!(err.kind, ErrorKind::Unsupported);
        assert!(store.is_empty());
        store.put("k", Body::bytes("x"), PutMode::Overwrite).await.unwrap();
        assert_eq!((store.len(), store.head("k").await.unwrap().sha256), (1, None));
    }

    /// A store with locks of one day, and its clock.
    fn locked(mode: LockMode) -> (Arc<ManualClock>, MemoryStore) {
        let clock = Arc::new(ManualClock::new("2026-11-21T02:00:00Z".parse().unwrap()));
        let rule = LockRule { mode, window: TimeDelta::days(1) };
        let store = MemoryStore::new("locked", Arc::<ManualClock>::clone(&clock)).with_locks(Some(rule));
        (clock, store)
    }

    #[tokio::test]
    async fn a_locked_version_outlives_every_delete_until_its_lock_ends() {
        for mode in [LockMode::Governance, LockMode::Compliance] {
            let (clock, store) = locked(mode);
            store.put("k", Body::bytes("x"), PutMode::CreateOnly).await.unwrap();
            let version = store.list_versions("k").await.unwrap()[0].version.clone();
            store.delete("k").await.unwrap();
            assert_eq!(store.get("k", 9).await.unwrap_err().kind, ErrorKind::NotFound);
            clock.advance(TimeDelta::days(1) - TimeDelta::seconds(1));
            let err = store.delete_version("k", &version).await.unwrap_err();
            assert_eq!(err.kind, ErrorKind::Locked);
            assert!(err.to_string().contains("2026-11-22T02:00:00Z"), "{err}");
            assert_eq!(store.get_version("k", &version, 9).await.unwrap(), "x");
            clock.advance(TimeDelta::seconds(1));
            store.delete_version("k", &version).await.unwrap();
            assert_eq!(store.get_version("k", &version, 9).await.unwrap_err().kind, ErrorKind::NotFound);
        }
    }

    #[tokio::test]
    async fn a_legal_hold_has_no_end() {
        let (clock, store) = locked(LockMode::Governance);
        let unlocked = store.locking(None).unwrap();
        unlocked.put("k", Body::bytes("x"), PutMode::CreateOnly).await.unwrap();
        let version = unlocked.list_versions("k").await.unwrap()[0].version.clone();
        assert_eq!(unlocked.lock_of("k", &version).await.unwrap(), None);
        assert!(store.set_legal_hold("k", &version, true));
        clock.advance(TimeDelta::days(36500));
        let lock = store.lock_of("k", &version).await.unwrap().unwrap();
        assert_eq!((lock.retention, lock.legal_hold), (None, true));
        assert_eq!(store.delete_version("k", &version).await.unwrap_err().kind, ErrorKind::Locked);
        assert!(store.set_legal_hold("k", &version, false));
        store.delete_version("k", &version).await.unwrap();
        assert!(!store.set_legal_hold("k", &version, true));
    }

    #[tokio::test]
    async fn a_lock_that_ends_in_the_past_and_one_on_a_marker_are_refused() {
        let (clock, store) = locked(LockMode::Governance);
        store.put("k", Body::bytes("x"), PutMode::CreateOnly).await.unwrap();
        store.delete("k").await.unwrap();
        let versions = store.list_versions("k").await.unwrap();
        assert!(versions[0].is_delete_marker && !versions[1].is_delete_marker);
        let later = clock.now() + TimeDelta::days(9);
        let err = store.extend_lock("k", &versions[0].version, later).await.unwrap_err();
        assert_eq!(err.kind, ErrorKind::NotFound);
        clock.advance(TimeDelta::days(9));
        let past = clock.now() - TimeDelta::days(1);
        let err = store.extend_lock("k", &versions[1].version, past).await.unwrap_err();
        assert_eq!(err.kind, ErrorKind::Permanent);
    }

    #[tokio::test]
    async fn a_create_only_put_succeeds_over_a_delete_marker() {
        let (_, store) = locked(LockMode::Governance);
        store.put("k", Body::bytes("1"), PutMode::CreateOnly).await.unwrap();
        store.put("k", Body::bytes("2"), PutMode::CreateOnly).await.unwrap_err();
        store.delete("k").await.unwrap();
        store.put("k", Body::bytes("3"), PutMode::CreateOnly).await.unwrap();
        assert_eq!((store.len(), store.list_versions("").await.unwrap().len()), (1, 3));
    }
}
