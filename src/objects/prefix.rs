//! The part of a store below a prefix, as a store of its own.
//!
//! Keys, listings and errors show no prefix; `Display` does. Nothing outside the prefix can be
//! reached, because no key has `..`.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::{
    Abilities, Body, ErrorKind, Lock, LockRule, ObjectMeta, ObjectStore, ObjectVersion, Pieces, PlaceFacts,
    PutMode, Result, StoreError, VersionId, check_key, check_prefix, is_valid_key,
};
use crate::clock::Timestamp;

/// A store whose keys all begin with a prefix in another store.
#[derive(Debug)]
pub struct PrefixStore {
    inner: Arc<dyn ObjectStore>,
    /// With the slash after it.
    prefix: String,
}

impl PrefixStore {
    /// Returns the part of `inner` below `prefix`, which is a valid key (no slash at its ends).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Permanent`] when it is not.
    pub fn new(inner: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self> {
        if !is_valid_key(prefix) {
            let reason = "the prefix is not a valid key";
            return Err(StoreError::new(ErrorKind::Permanent, "open", "", &inner, reason));
        }
        Ok(Self { inner, prefix: format!("{prefix}/") })
    }

    fn below(&self, operation: &'static str, key: &str) -> Result<String> {
        check_key(operation, key, self)?;
        Ok(format!("{}{key}", self.prefix))
    }

    fn prefix_below(&self, prefix: &str) -> Result<String> {
        check_prefix(prefix, self)?;
        Ok(format!("{}{prefix}", self.prefix).trim_end_matches('/').to_owned())
    }

    fn strip(&self, meta: ObjectMeta) -> Option<ObjectMeta> {
        let key = meta.key.strip_prefix(&self.prefix)?.to_owned();
        Some(ObjectMeta { key, ..meta })
    }

    /// Shows an error of the inner store as one of this store.
    fn seen_here<T>(&self, key: &str, result: Result<T>) -> Result<T> {
        result.map_err(|err| err.seen_as(key, self))
    }
}

impl fmt::Display for PrefixStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.inner, self.prefix.trim_end_matches('/'))
    }
}

#[async_trait]
impl ObjectStore for PrefixStore {
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    async fn put(&self, key: &str, body: Body, mode: PutMode) -> Result<ObjectMeta> {
        let meta = self.inner.put(&self.below("write", key)?, body, mode).await;
        Ok(ObjectMeta { key: key.to_owned(), ..self.seen_here(key, meta)? })
    }

    async fn get(&self, key: &str, max: u64) -> Result<Bytes> {
        self.seen_here(key, self.inner.get(&self.below("read", key)?, max).await)
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.seen_here(key, self.inner.get_range(&self.below("read", key)?, range).await)
    }

    async fn get_pieces(&self, key: &str, range: Range<u64>) -> Result<Pieces> {
        let below = self.below("read", key)?;
        let pieces = self.seen_here(key, self.inner.get_pieces(&below, range).await)?;
        let (key, place) = (key.to_owned(), self.to_string());
        Ok(pieces.map(move |piece| piece.map_err(|err| err.seen_as(&key, &place))).boxed())
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta> {
        let meta = self.inner.head(&self.below("look up", key)?).await;
        Ok(ObjectMeta { key: key.to_owned(), ..self.seen_here(key, meta)? })
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let below = self.prefix_below(prefix)?;
        let objects = self.seen_here(prefix, self.inner.list(&below).await)?;
        // An object with the very name of the prefix is not below it.
        Ok(objects.into_iter().filter_map(|meta| self.strip(meta)).collect())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.seen_here(key, self.inner.delete(&self.below("delete", key)?).await)
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        self.seen_here("", self.inner.server_time().await)
    }

    async fn list_versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>> {
        let below = self.prefix_below(prefix)?;
        let versions = self.seen_here(prefix, self.inner.list_versions(&below).await)?;
        let strip = |version: ObjectVersion| {
            let key = version.key.strip_prefix(&self.prefix)?.to_owned();
            Some(ObjectVersion { key, ..version })
        };
        Ok(versions.into_iter().filter_map(strip).collect())
    }

    async fn get_version(&self, key: &str, version: &VersionId, max: u64) -> Result<Bytes> {
        self.seen_here(key, self.inner.get_version(&self.below("read", key)?, version, max).await)
    }

    async fn get_range_version(&self, key: &str, version: &VersionId, range: Range<u64>) -> Result<Bytes> {
        self.seen_here(key, self.inner.get_range_version(&self.below("read", key)?, version, range).await)
    }

    async fn head_version(&self, key: &str, version: &VersionId) -> Result<ObjectMeta> {
        let meta = self.inner.head_version(&self.below("look up", key)?, version).await;
        Ok(ObjectMeta { key: key.to_owned(), ..self.seen_here(key, meta)? })
    }

    async fn delete_version(&self, key: &str, version: &VersionId) -> Result<()> {
        self.seen_here(key, self.inner.delete_version(&self.below("delete", key)?, version).await)
    }

    async fn lock_of(&self, key: &str, version: &VersionId) -> Result<Option<Lock>> {
        self.seen_here(key, self.inner.lock_of(&self.below("read the lock of", key)?, version).await)
    }

    async fn extend_lock(&self, key: &str, version: &VersionId, until: Timestamp) -> Result<()> {
        self.seen_here(
            key,
            self.inner.extend_lock(&self.below(super::lock::EXTEND, key)?, version, until).await,
        )
    }

    async fn place_facts(&self) -> Result<Option<PlaceFacts>> {
        self.seen_here("", self.inner.place_facts().await)
    }

    fn lock_rule(&self) -> Option<LockRule> {
        self.inner.lock_rule()
    }

    fn unfinished(&self) -> Option<PathBuf> {
        self.inner.unfinished()
    }

    fn locking(&self, rule: Option<LockRule>) -> Result<Arc<dyn ObjectStore>> {
        let inner = self.seen_here("", self.inner.locking(rule))?;
        Ok(Arc::new(Self { inner, prefix: self.prefix.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::objects::memory::MemoryStore;

    #[tokio::test]
    async fn what_is_beside_the_prefix_is_neither_seen_nor_touched() {
        let memory = MemoryStore::new("m", Arc::new(SystemClock));
        for key in ["vault", "vault-2/a", "other/a"] {
            memory.put(key, Body::bytes("x"), PutMode::CreateOnly).await.unwrap();
        }
        let store = PrefixStore::new(Arc::new(memory.clone()), "vault").unwrap();
        assert_eq!(store.list("").await.unwrap(), []);
        store.put("a", Body::bytes("y"), PutMode::CreateOnly).await.unwrap();
        assert_eq!(memory.get("vault/a", 9).await.unwrap(), "y");
        store.delete("a").await.unwrap();
        assert_eq!(memory.len(), 3);
        for key in ["../other/a", "", "/a"] {
            assert_eq!(store.get(key, 9).await.unwrap_err().kind, ErrorKind::Permanent, "{key}");
        }
        assert!(PrefixStore::new(Arc::new(memory), "a/../b").is_err());
    }

    #[tokio::test]
    async fn errors_name_the_key_that_was_asked_for() {
        let store = PrefixStore::new(Arc::new(MemoryStore::new("m", Arc::new(SystemClock))), "v").unwrap();
        let err = store.head("a").await.unwrap_err();
        assert_eq!((err.key(), err.kind), ("a", ErrorKind::NotFound));
        assert_eq!(err.to_string(), "look up a on memory:m/v: there is no such object");
    }
}
