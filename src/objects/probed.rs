//! A store of which less is believed than its kind promises.
//!
//! What a [`super::probe`] found missing is taken away here, so that whoever uses the store goes
//! the safe way by the rules for weaker stores: without create-only puts it looks before it writes
//! and reads back after; without stored checksums it reads the bytes.
//!
//! Invariant: nothing is ever added, and what protects objects stays as it is. Listing and deleting
//! versions, locks and their rule go through whatever was found, because a forged answer must not
//! leave a version undeleted or a lock unrenewed.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Abilities, Body, ErrorKind, Lock, LockRule, ObjectMeta, ObjectStore, ObjectVersion, Pieces, PlaceFacts,
    PutMode, Result, StoreError, VersionId, check_key,
};
use crate::clock::Timestamp;

/// A store with at most the abilities that were found.
#[derive(Debug)]
pub struct ProbedStore {
    inner: Arc<dyn ObjectStore>,
    abilities: Abilities,
    /// Why it takes no puts.
    refusal: Option<Arc<str>>,
}

impl ProbedStore {
    /// Returns `inner` with those of its abilities that `found` has too.
    pub fn new(inner: Arc<dyn ObjectStore>, found: Abilities) -> Self {
        Self { abilities: inner.abilities().and(found), inner, refusal: None }
    }

    /// Returns the same store, which refuses every put with [`ErrorKind::Unsupported`] and this
    /// reason: what is stored there could not be relied on, or never be removed again.
    #[must_use]
    pub fn refusing_puts(self, why: &str) -> Self {
        Self { refusal: Some(why.into()), ..self }
    }

    fn without_doubtful(&self, meta: ObjectMeta) -> ObjectMeta {
        ObjectMeta { sha256: meta.sha256.filter(|_| self.abilities.stored_checksums), ..meta }
    }
}

impl fmt::Display for ProbedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for ProbedStore {
    fn abilities(&self) -> Abilities {
        self.abilities
    }

    async fn put(&self, key: &str, body: Body, mode: PutMode) -> Result<ObjectMeta> {
        if let Some(why) = &self.refusal {
            return Err(StoreError::new(ErrorKind::Unsupported, "write", key, self, &**why));
        }
        if mode == PutMode::CreateOnly && !self.abilities.create_only {
            check_key("write", key, self)?;
            let reason = "its create-only writes are not to be relied on";
            return Err(StoreError::new(ErrorKind::Unsupported, "write", key, self, reason));
        }
        Ok(self.without_doubtful(self.inner.put(key, body, mode).await?))
    }

    async fn get(&self, key: &str, max: u64) -> Result<Bytes> {
        self.inner.get(key, max).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.inner.get_range(key, range).await
    }

    async fn get_pieces(&self, key: &str, range: Range<u64>) -> Result<Pieces> {
        self.inner.get_pieces(key, range).await
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta> {
        Ok(self.without_doubtful(self.inner.head(key).await?))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        self.inner.list(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.inner.delete(key).await
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        self.inner.server_time().await
    }

    async fn list_versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>> {
        self.inner.list_versions(prefix).await
    }

    async fn get_version(&self, key: &str, version: &VersionId, max: u64) -> Result<Bytes> {
        self.inner.get_version(key, version, max).await
    }

    async fn get_range_version(&self, key: &str, version: &VersionId, range: Range<u64>) -> Result<Bytes> {
        self.inner.get_range_version(key, version, range).await
    }

    async fn head_version(&self, key: &str, version: &VersionId) -> Result<ObjectMeta> {
        Ok(self.without_doubtful(self.inner.head_version(key, version).await?))
    }

    async fn delete_version(&self, key: &str, version: &VersionId) -> Result<()> {
        self.inner.delete_version(key, version).await
    }

    async fn lock_of(&self, key: &str, version: &VersionId) -> Result<Option<Lock>> {
        self.inner.lock_of(key, version).await
    }

    async fn extend_lock(&self, key: &str, version: &VersionId, until: Timestamp) -> Result<()> {
        self.inner.extend_lock(key, version, until).await
    }

    async fn place_facts(&self) -> Result<Option<PlaceFacts>> {
        self.inner.place_facts().await
    }

    fn lock_rule(&self) -> Option<LockRule> {
        self.inner.lock_rule()
    }

    fn unfinished(&self) -> Option<PathBuf> {
        self.inner.unfinished()
    }

    fn locking(&self, rule: Option<LockRule>) -> Result<Arc<dyn ObjectStore>> {
        let refusal = self.refusal.clone();
        Ok(Arc::new(Self { inner: self.inner.locking(rule)?, abilities: self.abilities, refusal }))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::clock::{Clock as _, SystemClock};
    use crate::objects::LockMode;
    use crate::objects::memory::MemoryStore;

    #[tokio::test]
    async fn what_was_not_found_is_taken_away_and_nothing_is_added() {
        let memory = MemoryStore::new("m", Arc::new(SystemClock));
        let all = Abilities { create_only: true, stored_checksums: true, versions: true, locks: true };
        let store = ProbedStore::new(Arc::new(memory.clone()), all);
        assert_eq!(store.abilities(), memory.abilities());
        let store = ProbedStore::new(Arc::new(memory), Abilities::NONE);
        let body = Body::bytes("x");
        let err = store.put("k", body.clone(), PutMode::CreateOnly).await.unwrap_err();
        assert_eq!(err.kind, ErrorKind::Unsupported);
        assert_eq!(store.put("k", body, PutMode::Overwrite).await.unwrap().sha256, None);
        assert_eq!(store.head("k").await.unwrap().sha256, None);
    }

    #[tokio::test]
    async fn a_store_that_takes_no_puts_says_why_and_is_still_read_and_cleared() {
        let memory = MemoryStore::new("m", Arc::new(SystemClock));
        memory.put("k", Body::bytes("x"), PutMode::CreateOnly).await.unwrap();
        let store = ProbedStore::new(Arc::new(memory), Abilities::ALL).refusing_puts("its listings are late");
        let unlocked = store.locking(None).unwrap();
        for mode in [PutMode::CreateOnly, PutMode::Overwrite] {
            for err in [
                store.put("l", Body::bytes("x"), mode).await.unwrap_err(),
                unlocked.put("l", Body::bytes("x"), mode).await.unwrap_err(),
            ] {
                assert_eq!(err.kind, ErrorKind::Unsupported);
                assert!(err.to_string().ends_with("its listings are late"), "{err}");
            }
        }
        assert_eq!(store.get("k", 9).await.unwrap(), "x");
        store.delete("k").await.unwrap();
    }

    #[tokio::test]
    async fn a_forged_answer_leaves_locks_and_versions_as_they_are() {
        let rule = LockRule { mode: LockMode::Governance, window: TimeDelta::days(1) };
        let memory = MemoryStore::new("m", Arc::new(SystemClock)).with_locks(Some(rule));
        let store = ProbedStore::new(Arc::new(memory.clone()), Abilities::NONE);
        store.put("k", Body::bytes("x"), PutMode::Overwrite).await.unwrap();
        store.delete("k").await.unwrap();
        let versions = store.list_versions("k").await.unwrap();
        assert_eq!((versions.len(), store.lock_rule()), (2, Some(rule)));
        let until = SystemClock.now() + TimeDelta::days(2);
        store.extend_lock("k", &versions[1].version, until).await.unwrap();
        let lock = memory.lock_of("k", &versions[1].version).await.unwrap().unwrap();
        assert!(lock.until().unwrap() >= until);
        let err = store.delete_version("k", &versions[1].version).await.unwrap_err();
        assert_eq!(err.kind, ErrorKind::Locked);
    }
}
