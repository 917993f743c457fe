//! At most so many requests to one store at once.
//!
//! A permit is held for one attempt, so put the limit below [`super::retry`]: a request that
//! waits for its next attempt keeps no other one out.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    Abilities, Body, Lock, LockRule, ObjectMeta, ObjectStore, ObjectVersion, Pieces, PlaceFacts, PutMode,
    Result, VersionId,
};
use crate::clock::Timestamp;

/// A store that lets a number of operations through and makes the others wait their turn.
#[derive(Debug)]
pub struct LimitStore {
    inner: Arc<dyn ObjectStore>,
    permits: Arc<Semaphore>,
}

impl LimitStore {
    /// Returns `inner` with at most `concurrency` operations at once (at least one), usually
    /// [`crate::limits::Limits::store_concurrency`].
    pub fn new(inner: Arc<dyn ObjectStore>, concurrency: usize) -> Self {
        Self { inner, permits: Arc::new(Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS))) }
    }

    async fn permit(&self) -> SemaphorePermit<'_> {
        self.permits.acquire().await.expect("this semaphore is never closed")
    }
}

impl fmt::Display for LimitStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for LimitStore {
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    async fn put(&self, key: &str, body: Body, mode: PutMode) -> Result<ObjectMeta> {
        let _permit = self.permit().await;
        self.inner.put(key, body, mode).await
    }

    async fn get(&self, key: &str, max: u64) -> Result<Bytes> {
        let _permit = self.permit().await;
        self.inner.get(key, max).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let _permit = self.permit().await;
        self.inner.get_range(key, range).await
    }

    /// The permit is held until the stream ends or is dropped.
    async fn get_pieces(&self, key: &str, range: Range<u64>) -> Result<Pieces> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.expect("this semaphore is never closed");
        let pieces = self.inner.get_pieces(key, range).await?;
        let held = move |piece| {
            let _held = &permit;
            piece
        };
        Ok(pieces.map(held).boxed())
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta> {
        let _permit = self.permit().await;
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let _permit = self.permit().await;
        self.inner.list(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let _permit = self.permit().await;
        self.inner.delete(key).await
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        let _permit = self.permit().await;
        self.inner.server_time().await
    }

    async fn list_versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>> {
        let _permit = self.permit().await;
        self.inner.list_versions(prefix).await
    }

    async fn get_version(&self, key: &str, version: &VersionId, max: u64) -> Result<Bytes> {
        let _permit = self.permit().await;
        self.inner.get_version(key, version, max).await
    }

    async fn get_range_version(&self, key: &str, version: &VersionId, range: Range<u64>) -> Result<Bytes> {
        let _permit = self.permit().await;
        self.inner.get_range_version(key, version, range).await
    }

    async fn head_version(&self, key: &str, version: &VersionId) -> Result<ObjectMeta> {
        let _permit = self.permit().await;
        self.inner.head_version(key, version).await
    }

    async fn delete_version(&self, key: &str, version: &VersionId) -> Result<()> {
        let _permit = self.permit().await;
        self.inner.delete_version(key, version).await
    }

    async fn lock_of(&self, key: &str, version: &VersionId) -> Result<Option<Lock>> {
        let _permit = self.permit().await;
        self.inner.lock_of(key, version).await
    }

    async fn extend_lock(&self, key: &str, version: &VersionId, until: Timestamp) -> Result<()> {
        let _permit = self.permit().await;
        self.inner.extend_lock(key, version, until).await
    }

    async fn place_facts(&self) -> Result<Option<PlaceFacts>> {
        let _permit = self.permit().await;
        self.inner.place_facts().await
    }

    fn lock_rule(&self) -> Option<LockRule> {
        self.inner.lock_rule()
    }

    fn unfinished(&self) -> Option<PathBuf> {
        self.inner.unfinished()
    }

    fn locking(&self, rule: Option<LockRule>) -> Result<Arc<dyn ObjectStore>> {
        let inner = self.inner.locking(rule)?;
        Ok(Arc::new(Self { inner, permits: Arc::clone(&self.permits) }))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::clock::SystemClock;
    use crate::objects::memory::MemoryStore;

    #[tokio::test]
    async fn one_operation_more_than_the_limit_waits_for_a_permit() {
        let store = LimitStore::new(Arc::new(MemoryStore::new("m", Arc::new(SystemClock))), 1);
        let held = store.permit().await;
        let mut waiting = Box::pin(store.list(""));
        assert!((&mut waiting).now_or_never().is_none());
        drop(held);
        assert_eq!(waiting.await.unwrap(), []);
        assert_eq!(store.permits.available_permits(), 1);
    }

    #[tokio::test]
    async fn an_object_that_is_read_in_pieces_takes_its_place_until_it_is_dropped() {
        let store = LimitStore::new(Arc::new(MemoryStore::new("m", Arc::new(SystemClock))), 1);
        store.put("a", Body::bytes("bytes"), PutMode::Overwrite).await.unwrap();
        let mut pieces = store.get_pieces("a", 0..5).await.unwrap();
        assert_eq!(pieces.next().await.unwrap().unwrap(), "bytes");
        assert_eq!(store.permits.available_permits(), 0);
        drop(pieces);
        assert_eq!(store.permits.available_permits(), 1);
        assert!(store.get_pieces("b", 0..5).await.is_err());
        assert_eq!(store.permits.available_permits(), 1, "nor does one that is not there");
    }
}
