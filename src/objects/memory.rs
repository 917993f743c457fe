//! A store in memory, stricter than any real one: what passes here relies on nothing that some
//! store does not give.
//!
//! It checks digests, honours create-only puts, keeps checksums and tells the time of the clock
//! it was given. [`MemoryStore::with_abilities`] takes abilities away, to stand for a weaker
//! store; [`MemoryStore::tamper`] changes bytes behind the store's back, for rehearsing damage.
//! Nothing survives the process.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Abilities, Body, BodySource, ErrorKind, ObjectMeta, ObjectStore, PutMode, Result, StoreError, check_key,
    check_prefix, check_range,
};
use crate::clock::{Clock, Timestamp};
use crate::ids::Digest;

/// A store in memory. Clones share their objects.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    name: String,
    abilities: Abilities,
    clock: Arc<dyn Clock>,
    objects: Arc<Mutex<BTreeMap<String, Object>>>,
}

#[derive(Clone)]
struct Object {
    bytes: Bytes,
    /// Digest at the time of the put; tampering does not change it.
    sha256: Digest,
    modified: Timestamp,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({} bytes, {})", self.bytes.len(), self.sha256)
    }
}

impl MemoryStore {
    /// Returns an empty store with all abilities whose time is that of `clock`.
    pub fn new(name: &str, clock: Arc<dyn Clock>) -> Self {
        let abilities = Abilities { create_only: true, stored_checksums: true };
        Self { name: name.to_owned(), abilities, clock, objects: Arc::default() }
    }

    /// Makes it a store that can do less: without create-only puts it refuses them, without
    /// stored checksums `head` tells none.
    #[must_use]
    pub fn with_abilities(self, abilities: Abilities) -> Self {
        Self { abilities, ..self }
    }

    /// Changes the bytes of an object behind the store's back, as a failing disk would: stored
    /// checksum and time stay. Returns whether there is such an object.
    pub fn tamper(&self, key: &str, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let Some(mut bytes) = self.lock().get(key).map(|object| object.bytes.to_vec()) else { return false };
        change(&mut bytes);
        match self.lock().get_mut(key) {
            Some(object) => {
                object.bytes = bytes.into();
                true
            }
            None => false,
        }
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are no objects.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Object>> {
        self.objects.lock().expect("no holder of this lock can panic")
    }

    fn find(&self, operation: &'static str, key: &str) -> Result<Object> {
        check_key(operation, key, self)?;
        self.lock().get(key).cloned().ok_or_else(|| {
            StoreError::new(ErrorKind::NotFound, operation, key, self, "there is no such object")
        })
    }

    fn describe(&self, key: &str, object: &Object, tell_checksum: bool) -> ObjectMeta {
        ObjectMeta {
            key: key.to_owned(),
            size: object.bytes.len() as u64,
            sha256: (tell_checksum && self.abilities.stored_checksums).then_some(object.sha256),
            modified: Some(object.modified),
        }
    }

    /// Returns the checked bytes of a body; those in memory already are not copied.
    async fn take_in(&self, key: &str, body: Body) -> Result<Bytes> {
        let read = tokio::task::spawn_blocking(move || match body.source() {
            BodySource::Bytes(bytes) => body.verify().map(|()| bytes.clone()),
            BodySource::File(_) => {
                let mut bytes = Vec::new();
                body.copy_to(&mut bytes).map(|()| bytes.into())
            }
        });
        match read.await {
            Ok(bytes) => bytes.map_err(|err| err.into_store_error(key, self)),
            Err(err) if err.is_panic() => std::panic::resume_unwind(err.into_panic()),
            Err(_) => {
                let reason = "the process is shutting down";
                Err(StoreError::new(ErrorKind::Transient, "write", key, self, reason))
            }
        }
    }
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory:{}", self.name)
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    fn abilities(&self) -> Abilities {
        self.abilities
    }

    async fn put(&self, key: &str, body: Body, mode: PutMode) -> Result<ObjectMeta> {
        check_key("write", key, self)?;
        if mode == PutMode::CreateOnly && !self.abilities.create_only {
            let reason = "this store has no create-only writes";
            return Err(StoreError::new(ErrorKind::Unsupported, "write", key, self, reason));
        }
        let sha256 = body.sha256();
        let bytes = self.take_in(key, body).await?;
        let object = Object { bytes, sha256, modified: self.clock.now() };
        let meta = self.describe(key, &object, true);
        let mut objects = self.lock();
        if mode == PutMode::CreateOnly && objects.contains_key(key) {
            let reason = "there is such an object already";
            return Err(StoreError::new(ErrorKind::AlreadyExists, "write", key, self, reason));
        }
        objects.insert(key.to_owned(), object);
        Ok(meta)
    }

    async fn get(&self, key: &str, max: u64) -> Result<Bytes> {
        let bytes = self.find("read", key)?.bytes;
        if bytes.len() as u64 > max {
            let reason = format!("it has {} bytes, at most {max} are accepted", bytes.len());
            return Err(StoreError::new(ErrorKind::TooLarge, "read", key, self, reason));
        }
        Ok(bytes)
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let bytes = self.find("read", key)?.bytes;
        check_range(&range, bytes.len() as u64, key, self)?;
        // Both ends are at most the length of something in memory.
        Ok(bytes.slice(range.start as usize..range.end as usize))
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta> {
        let object = self.find("look up", key)?;
        Ok(self.describe(key, &object, true))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        check_prefix(prefix, self)?;
        let below = format!("{prefix}/");
        let objects = self.lock();
        let found = objects
            .iter()
            .filter(|(key, _)| prefix.is_empty() || *key == prefix || key.starts_with(&below))
            .map(|(key, object)| self.describe(key, object, false));
        Ok(found.collect())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key("delete", key, self)?;
        self.lock().remove(key);
        Ok(())
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        Ok(Some(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

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
        let weak = Abilities { create_only: false, stored_checksums: false };
        let store = MemoryStore::new("weak", Arc::new(SystemClock)).with_abilities(weak);
        let err = store.put("k", Body::bytes("x"), PutMode::CreateOnly).await.unwrap_err();
        assert_eq!(err.kind, ErrorKind::Unsupported);
        assert!(store.is_empty());
        store.put("k", Body::bytes("x"), PutMode::Overwrite).await.unwrap();
        assert_eq!((store.len(), store.head("k").await.unwrap().sha256), (1, None));
    }
}
