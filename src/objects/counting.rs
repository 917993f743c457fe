//! Counts what is asked of a store: for request budgets, and for reports.
//!
//! Calls are counted when they begin, whatever comes of them; bytes when they have arrived.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::operation::Operation;
use super::{
    Abilities, Body, Lock, LockRule, ObjectMeta, ObjectStore, ObjectVersion, Pieces, PlaceFacts, PutMode,
    Result, VersionId,
};
use crate::clock::Timestamp;

/// How often each operation was called, and how many bytes went through.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    calls: [u64; Operation::ALL.len()],
    /// Bytes of the bodies that were stored.
    pub bytes_written: u64,
    /// Bytes of the answers to `get`, `get_range` and their like for versions.
    pub bytes_read: u64,
}

impl Counts {
    /// Returns how often an operation was called.
    pub fn of(&self, operation: Operation) -> u64 {
        self.calls[operation as usize]
    }

    /// Returns how often something was written or deleted.
    pub fn writes(&self) -> u64 {
        Operation::ALL
            .into_iter()
            .filter(|operation| operation.writes())
            .map(|operation| self.of(operation))
            .sum()
    }

    /// Returns what was counted since these counts were taken.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        for (calls, earlier) in since.calls.iter_mut().zip(earlier.calls) {
            *calls -= earlier;
        }
        since.bytes_written -= earlier.bytes_written;
        since.bytes_read -= earlier.bytes_read;
        since
    }

    /// Returns the number of all calls.
    pub fn calls(&self) -> u64 {
        self.calls.iter().sum()
    }
}

/// A store that counts. Clones share their counts.
#[derive(Debug, Clone)]
pub struct CountingStore {
    inner: Arc<dyn ObjectStore>,
    counts: Arc<Mutex<Counts>>,
}

impl CountingStore {
    /// Returns `inner` with all counts at zero.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, counts: Arc::default() }
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> Counts {
        *self.lock()
    }

    /// Returns the counts so far and begins again at zero.
    pub fn take_counts(&self) -> Counts {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("no holder of this lock can panic")
    }

    fn count(&self, operation: Operation) {
        self.lock().calls[operation as usize] += 1;
    }

    fn count_read(&self, result: Result<Bytes>) -> Result<Bytes> {
        if let Ok(bytes) = &result {
            self.lock().bytes_read += bytes.len() as u64;
        }
        result
    }
}

impl fmt::Display for CountingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for CountingStore {
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    async fn put(&self, key: &str, body: Body, mode: PutMode) -> Result<ObjectMeta> {
        self.count(Operation::Put);
        let len = body.len();
        let meta = self.inner.put(key, body, mode).await?;
        self.lock().bytes_written += len;
        Ok(meta)
    }

    async fn get(&self, key: &str, max: u64) -> Result<Bytes> {
        self.count(Operation::Get);
        self.count_read(self.inner.get(key, max).await)
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.count(Operation::GetRange);
        self.count_read(self.inner.get_range(key, range).await)
    }

    /// One call, however many pieces come of it.
    async fn get_pieces(&self, key: &str, range: Range<u64>) -> Result<Pieces> {
        self.count(Operation::GetRange);
        let counting = self.clone();
        let pieces = self.inner.get_pieces(key, range).await?;
        Ok(pieces.map(move |piece| counting.count_read(piece)).boxed())
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta> {
        self.count(Operation::Head);
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        self.count(Operation::List);
        self.inner.list(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.count(Operation::Delete);
        self.inner.delete(key).await
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        self.count(Operation::ServerTime);
        self.inner.server_time().await
    }

    async fn list_versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>> {
        self.count(Operation::ListVersions);
        self.inner.list_versions(prefix).await
    }

    async fn get_version(&self, key: &str, version: &VersionId, max: u64) -> Result<Bytes> {
        self.count(Operation::GetVersion);
        self.count_read(self.inner.get_version(key, version, max).await)
    }

    async fn get_range_version(&self, key: &str, version: &VersionId, range: Range<u64>) -> Result<Bytes> {
        self.count(Operation::GetRangeVersion);
        self.count_read(self.inner.get_range_version(key, version, range).await)
    }

    async fn head_version(&self, key: &str, version: &VersionId) -> Result<ObjectMeta> {
        self.count(Operation::HeadVersion);
        self.inner.head_version(key, version).await
    }

    async fn delete_version(&self, key: &str, version: &VersionId) -> Result<()> {
        self.count(Operation::DeleteVersion);
        self.inner.delete_version(key, version).await
    }

    async fn lock_of(&self, key: &str, version: &VersionId) -> Result<Option<Lock>> {
        self.count(Operation::LockOf);
        self.inner.lock_of(key, version).await
    }

    async fn extend_lock(&self, key: &str, version: &VersionId, until: Timestamp) -> Result<()> {
        self.count(Operation::ExtendLock);
        self.inner.extend_lock(key, version, until).await
    }

    async fn place_facts(&self) -> Result<Option<PlaceFacts>> {
        self.count(Operation::PlaceFacts);
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
        Ok(Arc::new(Self { inner, counts: Arc::clone(&self.counts) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};
    use crate::objects::memory::MemoryStore;

    #[tokio::test]
    async fn calls_and_bytes_are_counted_and_failed_ones_move_no_bytes() {
        let store = CountingStore::new(Arc::new(MemoryStore::new("m", Arc::new(SystemClock))));
        store.put("a", Body::bytes("12345"), PutMode::CreateOnly).await.unwrap();
        store.put("a", Body::bytes("123"), PutMode::CreateOnly).await.unwrap_err();
        store.get("a", 9).await.unwrap();
        store.get("b", 9).await.unwrap_err();
        store.get_range("a", 1..3).await.unwrap();
        store.head("a").await.unwrap();
        store.list("").await.unwrap();
        store.server_time().await.unwrap();
        store.delete("a").await.unwrap();
        let (first, until) = (VersionId::null(), SystemClock.now());
        store.put("b", Body::bytes("12"), PutMode::CreateOnly).await.unwrap();
        store.list_versions("").await.unwrap();
        store.get_version("b", &first, 9).await.unwrap();
        store.get_range_version("b", &first, 0..1).await.unwrap();
        store.head_version("b", &first).await.unwrap();
        store.lock_of("b", &first).await.unwrap();
        store.extend_lock("b", &first, until).await.unwrap_err();
        store.delete_version("b", &first).await.unwrap();
        assert_eq!(store.place_facts().await.unwrap(), None);
        assert_eq!(store.locking(None).unwrap().list("").await.unwrap(), []);
        let counts = store.take_counts();
        for (operation, expected) in
            Operation::ALL.into_iter().zip([3, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
        {
            assert_eq!(counts.of(operation), expected, "{operation}");
        }
        assert_eq!((counts.writes(), counts.calls()), (6, 19));
        assert_eq!((counts.bytes_written, counts.bytes_read), (7, 10));
        assert_eq!(store.counts(), Counts::default());
    }
}
