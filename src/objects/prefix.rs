//! The part of a store below a prefix, as a store of its own.
//!
//! Keys, listings and errors show no prefix; `Display` does. Nothing outside the prefix can be
//! reached, because no key has `..`.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Abilities, Body, ErrorKind, ObjectMeta, ObjectStore, PutMode, Result, StoreError, check_key,
    check_prefix, is_valid_key,
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

    async fn head(&self, key: &str) -> Result<ObjectMeta> {
        let meta = self.inner.head(&self.below("look up", key)?).await;
        Ok(ObjectMeta { key: key.to_owned(), ..self.seen_here(key, meta)? })
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        check_prefix(prefix, self)?;
        let below = format!("{}{prefix}", self.prefix);
        let objects = self.seen_here(prefix, self.inner.list(below.trim_end_matches('/')).await)?;
        // An object with the very name of the prefix is not below it.
        Ok(objects.into_iter().filter_map(|meta| self.strip(meta)).collect())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.seen_here(key, self.inner.delete(&self.below("delete", key)?).await)
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        self.seen_here("", self.inner.server_time().await)
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
