//! Counts what is asked of a store: for request budgets, and for reports.
//!
//! Calls are counted when they begin, whatever comes of them; bytes when they have arrived.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;

use super::operation::Operation;
use super::{Abilities, Body, ObjectMeta, ObjectStore, PutMode, Result};
use crate::clock::Timestamp;

/// How often each operation was called, and how many bytes went through.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    calls: [u64; Operation::ALL.len()],
    /// Bytes of the bodies that were stored.
    pub bytes_written: u64,
    /// Bytes of the answers to `get` and `get_range`.
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
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
        let counts = store.take_counts();
        for (operation, expected) in Operation::ALL.into_iter().zip([2, 2, 1, 1, 1, 1, 1]) {
            assert_eq!(counts.of(operation), expected, "{operation}");
        }
        assert_eq!((counts.writes(), counts.calls()), (3, 9));
        assert_eq!((counts.bytes_written, counts.bytes_read), (5, 7));
        assert_eq!(store.counts(), Counts::default());
    }
}
