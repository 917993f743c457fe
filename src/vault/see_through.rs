//! A store with versions, seen through what hides its objects.
//!
//! Who may write to a bucket can delete plainly (a delete marker) or put other bytes under the same
//! key. Neither destroys a locked version; it is still there, one listing further. This wrapper
//! lies around every replica whose store keeps versions, so that all readers get what is right, and
//! it remembers what it saw through, so that verification tells it and maintenance mends it.
//!
//! Which version is right:
//! - named by a digest (packs, headers, index objects): the one whose bytes have it, by the
//!   checksum that the store checked at the put, else by reading it;
//! - `vault.json` and entries of the audit log: the oldest that is one, because they are written
//!   once and not signed;
//! - signed files: by their signatures, which only [`Replica`](super::replica::Replica) can tell.
//!   It decides, and says so here by [`settle`](SeeThroughStore::settle). Until then the newest;
//! - what may be overwritten (`state/`): the newest. Nothing there is seen through.
//!
//! **Cost.** Listings ask for versions instead of objects: as many requests, as long as nothing is
//! hidden. Only keys with several versions are looked at one by one. A range cannot be checked; it
//! comes from the version that the last listing found right, and every reader of ranges lists
//! before. Where versions may not be listed (`s3:ListBucketVersions`), objects are, and
//! [`is_blind`](SeeThroughStore::is_blind) says that nothing hidden is seen.
//!
//! Nothing is written here, and nothing comes back that was deleted for good: then no version is
//! left. What this very handle deleted plainly stays deleted for it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;

use super::format::audit::KIND as AUDIT_KIND;
use super::format::vault::VAULT_KIND;
use super::layout;
use crate::clock::{Timestamp, rfc3339};
use crate::ids::Digest;
use crate::objects::{
    Abilities, Body, ErrorKind, Lock, LockRule, ObjectMeta, ObjectStore, ObjectVersion, Pieces, PlaceFacts,
    PutMode, Result, VersionId, pieces,
};

/// Keys with several versions that are looked at at once. The store below has a bound of its own
/// for requests; this one bounds memory.
const LOOKS_AT_ONCE: usize = 16;

/// Versions of one key that are tried. The newest and the oldest come first, and somebody who hides
/// an object behind a thousand others must not make reading it a thousand times as slow.
const TRIED_MAX: usize = 16;

/// Bytes read at once where a version must be hashed.
const RANGE_BYTES: u64 = 8 << 20;

/// An object that a plain reader of the store does not see, or sees with other bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hidden {
    /// Its key.
    pub key: String,
    /// The version that is right.
    pub version: VersionId,
    /// What lies above it, newest first.
    pub by: Vec<Hiding>,
    #[serde(skip)]
    size: u64,
    #[serde(skip)]
    modified: Option<Timestamp>,
}

/// Something that hides an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hiding {
    /// The delete marker, or the version with other bytes.
    pub version: VersionId,
    /// Whether it is a delete marker.
    pub is_delete_marker: bool,
    /// When it was written, RFC 3339, by the store's clock.
    pub since: Option<String>,
}

impl Hidden {
    /// Says in a phrase what hides it, and since when.
    pub fn describe(&self) -> String {
        let markers = self.by.iter().filter(|hiding| hiding.is_delete_marker).count();
        let what = match (markers, self.by.len()) {
            (1, 1) => "a delete marker".to_owned(),
            (0, 1) => "a later version with other bytes".to_owned(),
            (markers, all) if markers == all => format!("{all} delete markers"),
            (markers, all) => format!("{all} later versions, {markers} of them delete markers"),
        };
        match self.by.last().and_then(|first| first.since.as_ref()) {
            Some(since) => format!("hidden by {what} since {since}"),
            None => format!("hidden by {what}"),
        }
    }
}

/// What is known of keys; shared by handles with other lock rules.
#[derive(Debug, Default)]
struct Seen {
    /// Objects that are hidden.
    hidden: BTreeMap<String, Hidden>,
    /// Keys with several versions that hold content: all of them, and which is right.
    several: HashMap<String, (Vec<VersionId>, Option<VersionId>)>,
    /// Keys that were deleted plainly through this handle.
    deleted: HashSet<String>,
    /// Whether `vault.json` was looked at.
    own_file: bool,
    /// Why versions cannot be listed.
    blind: Option<String>,
}

/// A store with versions whose readers see through what hides objects.
#[derive(Debug, Clone)]
pub struct SeeThroughStore {
    inner: Arc<dyn ObjectStore>,
    seen: Arc<Mutex<Seen>>,
}

/// Puts versions into the order in which they are tried: the newest, then from the oldest on.
fn to_try(contents: &[ObjectVersion]) -> impl Iterator<Item = &ObjectVersion> {
    contents.first().into_iter().chain(contents.iter().skip(1).rev()).take(TRIED_MAX)
}

impl SeeThroughStore {
    /// Returns `inner`, seen through.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, seen: Arc::default() }
    }

    /// Objects that were found hidden, and were not mended since, sorted by key.
    pub fn hidden(&self) -> Vec<Hidden> {
        self.lock().hidden.values().cloned().collect()
    }

    /// Why nothing hidden can be seen; `None` where it can.
    pub fn is_blind(&self) -> Option<String> {
        self.lock().blind.clone()
    }

    /// Whether a key was listed with several versions that hold content.
    pub fn has_several(&self, key: &str) -> bool {
        self.lock().several.contains_key(key)
    }

    /// Lists all versions of everything, and finds out what is hidden.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn list_all(&self) -> Result<Vec<ObjectVersion>> {
        let versions = self.inner.list_versions("").await?;
        self.objects("", versions.clone()).await?;
        Ok(versions)
    }

    /// Returns the versions of a key that hold content, oldest first and no more than are tried.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn contents(&self, key: &str) -> Result<Vec<VersionId>> {
        let versions = self.versions_of(key).await?;
        let mut contents: Vec<ObjectVersion> =
            versions.into_iter().filter(|version| !version.is_delete_marker).collect();
        // Those in the middle are left out.
        if let Some(surplus) = contents.len().checked_sub(TRIED_MAX) {
            contents.drain(1..=surplus);
        }
        Ok(contents.into_iter().rev().map(|version| version.version).collect())
    }

    /// Says which version of a key is right: whoever reads a signed file knows.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn settle(&self, key: &str, right: &VersionId) -> Result<()> {
        let versions = self.versions_of(key).await?;
        let found = versions.iter().find(|version| version.version == *right);
        self.note(key, &versions, found);
        Ok(())
    }

    /// Says which version of a key is right, or the newest one where that has the same bytes.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn settle_same(&self, key: &str, right: &VersionId, bytes: &[u8], max: u64) -> Result<()> {
        let versions = self.versions_of(key).await?;
        let newest = versions.iter().find(|version| !version.is_delete_marker);
        let mut found = versions.iter().find(|version| version.version == *right);
        if let Some(newest) = newest.filter(|newest| newest.version != *right)
            && self.inner.get_version(key, &newest.version, max).await.is_ok_and(|other| other == bytes)
        {
            found = Some(newest);
        }
        self.note(key, &versions, found);
        Ok(())
    }

    /// Looks at the versions of a key anew; returns what hides it.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn look(&self, key: &str) -> Result<Option<Hidden>> {
        let versions = match self.versions_of(key).await {
            Err(error) if self.note_blind(&error) => return Ok(None),
            versions => versions?,
        };
        let right = self.right_version(key, &versions).await?;
        self.note(key, &versions, right.as_ref());
        Ok(self.lock().hidden.get(key).cloned())
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no holder of this lock can panic")
    }

    fn hidden_here(&self, key: &str) -> Option<Hidden> {
        self.lock().hidden.get(key).cloned()
    }

    fn sees(&self, key: &str) -> bool {
        self.inner.abilities().versions && !layout::may_change(key) && !self.lock().deleted.contains(key)
    }

    fn forget(&self, key: &str) {
        let mut seen = self.lock();
        seen.hidden.remove(key);
        seen.several.remove(key);
    }

    /// Whether an error says that versions cannot be listed here; then that is remembered.
    fn note_blind(&self, error: &crate::objects::StoreError) -> bool {
        let blind = matches!(error.kind, ErrorKind::Denied | ErrorKind::Unsupported);
        if blind {
            self.lock().blind.get_or_insert_with(|| error.to_string());
        }
        blind
    }

    async fn versions_of(&self, key: &str) -> Result<Vec<ObjectVersion>> {
        let mut versions = self.inner.list_versions(key).await?;
        versions.retain(|version| version.key == key);
        Ok(versions)
    }

    /// Remembers what is known of a key.
    fn note(&self, key: &str, versions: &[ObjectVersion], right: Option<&ObjectVersion>) {
        let mut seen = self.lock();
        let contents: Vec<VersionId> = versions
            .iter()
            .filter(|version| !version.is_delete_marker)
            .map(|version| version.version.clone())
            .collect();
        if contents.len() > 1 {
            seen.several.insert(key.to_owned(), (contents, right.map(|right| right.version.clone())));
        } else {
            seen.several.remove(key);
        }
        match right.filter(|right| !right.is_latest && !seen.deleted.contains(key)) {
            Some(right) => {
                let above = versions.iter().take_while(|version| version.version != right.version);
                let by = above.map(|version| Hiding {
                    version: version.version.clone(),
                    is_delete_marker: version.is_delete_marker,
                    since: version.modified.map(rfc3339),
                });
                let hidden = Hidden {
                    key: key.to_owned(),
                    version: right.version.clone(),
                    by: by.collect(),
                    size: right.size,
                    modified: right.modified,
                };
                seen.hidden.insert(key.to_owned(), hidden);
            }
            None => drop(seen.hidden.remove(key)),
        }
    }

    /// Finds the version that is right among all of a key, newest first; the newest with content
    /// where nobody can tell.
    async fn right_version(&self, key: &str, versions: &[ObjectVersion]) -> Result<Option<ObjectVersion>> {
        let contents: Vec<ObjectVersion> =
            versions.iter().filter(|version| !version.is_delete_marker).cloned().collect();
        if contents.len() < 2 {
            return Ok(contents.into_iter().next());
        }
        let settled = self.lock().several.get(key).cloned();
        if let Some((known, Some(right))) = settled
            && known.iter().eq(contents.iter().map(|version| &version.version))
        {
            return Ok(contents.into_iter().find(|version| version.version == right));
        }
        let found = match layout::promised_digest(key) {
            Some(promised) => self.with_digest(key, &contents, promised).await?,
            None => self.oldest_by_itself(key, &contents).await?,
        };
        Ok(found.or_else(|| contents.into_iter().next()))
    }

    async fn with_digest(
        &self,
        key: &str,
        contents: &[ObjectVersion],
        promised: Digest,
    ) -> Result<Option<ObjectVersion>> {
        for version in to_try(contents) {
            match self.digest_of(key, &version.version).await {
                Ok(digest) if digest == promised => return Ok(Some(version.clone())),
                Ok(_) => {}
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn digest_of(&self, key: &str, version: &VersionId) -> Result<Digest> {
        use sha2::{Digest as _, Sha256};
        let meta = self.inner.head_version(key, version).await?;
        if let Some(stored) = meta.sha256 {
            return Ok(stored);
        }
        let (mut digest, mut at) = (Sha256::new(), 0);
        while at < meta.size {
            let end = meta.size.min(at + RANGE_BYTES);
            let bytes = self.inner.get_range_version(key, version, at..end).await?;
            digest = tokio::task::spawn_blocking(move || digest.chain_update(&bytes))
                .await
                .expect("hashing does not panic");
            at = end;
        }
        Ok(Digest(digest.finalize().into()))
    }

    /// Finds the oldest version of a file that is written once and is not signed, by what it says
    /// of itself; none for other files.
    async fn oldest_by_itself(&self, key: &str, contents: &[ObjectVersion]) -> Result<Option<ObjectVersion>> {
        let is_one = |file: &serde_json::Value| match key {
            layout::VAULT => file["kind"] == VAULT_KIND && file["vault"].is_string(),
            _ => file["kind"] == AUDIT_KIND && file["key"] == key,
        };
        if key != layout::VAULT && !layout::is_audit(key) {
            return Ok(None);
        }
        let read =
            |version: VersionId| async move { self.inner.get_version(key, &version, 1 << 20).await.ok() };
        for version in contents.iter().rev().take(TRIED_MAX) {
            let Some(bytes) = read(version.version.clone()).await else { continue };
            let file = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
            if file.as_ref().is_some_and(is_one) {
                // The same bytes once more, put there by a repair, hide nothing.
                let newest = &contents[0];
                let same = read(newest.version.clone()).await.is_some_and(|newest| newest == bytes);
                return Ok(Some(if same { newest } else { version }.clone()));
            }
        }
        Ok(None)
    }

    /// Reads the right version of a hidden object. Rare, so by ranges.
    async fn pieces_of(&self, hidden: Hidden, range: Range<u64>) -> Result<Pieces> {
        let inner = Arc::clone(&self.inner);
        pieces::by_ranges(range, move |range| {
            let (inner, Hidden { key, version, .. }) = (Arc::clone(&inner), hidden.clone());
            async move { inner.get_range_version(&key, &version, range).await }
        })
        .await
    }

    /// From all versions below a prefix to the objects that are there.
    async fn objects(&self, prefix: &str, versions: Vec<ObjectVersion>) -> Result<Vec<ObjectMeta>> {
        let mut by_key: BTreeMap<String, Vec<ObjectVersion>> = BTreeMap::new();
        for version in versions {
            by_key.entry(version.key.clone()).or_default().push(version);
        }
        // What was mended meanwhile is hidden no longer.
        self.lock().hidden.retain(|key, _| !is_within(key, prefix) || by_key.contains_key(key));
        let looks = stream::iter(by_key).map(|(key, versions)| async move {
            if let [only] = &versions[..]
                && !only.is_delete_marker
            {
                self.forget(&key);
                return Ok(Some(meta_of(only)));
            }
            if !self.sees(&key) {
                let latest = versions.iter().find(|version| version.is_latest && !version.is_delete_marker);
                return Ok(latest.map(meta_of));
            }
            let right = self.right_version(&key, &versions).await?;
            self.note(&key, &versions, right.as_ref());
            Ok(right.as_ref().map(meta_of))
        });
        let found: Vec<Result<Option<ObjectMeta>>> = looks.buffered(LOOKS_AT_ONCE).collect().await;
        found.into_iter().filter_map(Result::transpose).collect()
    }
}

fn meta_of(version: &ObjectVersion) -> ObjectMeta {
    ObjectMeta { key: version.key.clone(), size: version.size, sha256: None, modified: version.modified }
}

fn is_within(key: &str, prefix: &str) -> bool {
    prefix.is_empty() || key.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl fmt::Display for SeeThroughStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for SeeThroughStore {
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    async fn put(&self, key: &str, body: Body, mode: PutMode) -> Result<ObjectMeta> {
        let meta = self.inner.put(key, body, mode).await?;
        self.forget(key);
        self.lock().deleted.remove(key);
        Ok(meta)
    }

    async fn get(&self, key: &str, max: u64) -> Result<Bytes> {
        if !self.sees(key) {
            return self.inner.get(key, max).await;
        }
        if key == layout::VAULT && !self.lock().own_file {
            self.look(key).await?;
            self.lock().own_file = true;
        }
        if let Some(hidden) = self.hidden_here(key) {
            return self.inner.get_version(key, &hidden.version, max).await;
        }
        let answer = self.inner.get(key, max).await;
        let is_right = match (&answer, layout::promised_digest(key)) {
            (Err(error), _) => !matches!(error.kind, ErrorKind::NotFound | ErrorKind::TooLarge),
            (Ok(_), None) => true,
            (Ok(bytes), Some(promised)) => {
                let bytes = bytes.clone();
                let digest = tokio::task::spawn_blocking(move || Digest::of(&bytes)).await;
                digest.expect("hashing does not panic") == promised
            }
        };
        if is_right {
            return answer;
        }
        match self.look(key).await? {
            Some(hidden) => self.inner.get_version(key, &hidden.version, max).await,
            None => answer,
        }
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        if !self.sees(key) {
            return self.inner.get_range(key, range).await;
        }
        if let Some(hidden) = self.hidden_here(key) {
            return self.inner.get_range_version(key, &hidden.version, range).await;
        }
        match self.inner.get_range(key, range.clone()).await {
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::OutOfRange) => {
                match self.look(key).await? {
                    Some(hidden) => self.inner.get_range_version(key, &hidden.version, range).await,
                    None => Err(error),
                }
            }
            answer => answer,
        }
    }

    async fn get_pieces(&self, key: &str, range: Range<u64>) -> Result<Pieces> {
        if !self.sees(key) {
            return self.inner.get_pieces(key, range).await;
        }
        if let Some(hidden) = self.hidden_here(key) {
            return self.pieces_of(hidden, range).await;
        }
        match self.inner.get_pieces(key, range.clone()).await {
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::OutOfRange) => {
                match self.look(key).await? {
                    Some(hidden) => self.pieces_of(hidden, range).await,
                    None => Err(error),
                }
            }
            answer => answer,
        }
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta> {
        if !self.sees(key) {
            return self.inner.head(key).await;
        }
        if let Some(hidden) = self.hidden_here(key) {
            return self.inner.head_version(key, &hidden.version).await;
        }
        let answer = self.inner.head(key).await;
        let is_right = match (&answer, layout::promised_digest(key)) {
            (Err(error), _) => error.kind != ErrorKind::NotFound,
            (Ok(meta), Some(promised)) => meta.sha256.is_none_or(|stored| stored == promised),
            (Ok(_), None) => true,
        };
        if is_right {
            return answer;
        }
        match self.look(key).await? {
            Some(hidden) => self.inner.head_version(key, &hidden.version).await,
            None => answer,
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        if !self.inner.abilities().versions || layout::may_change(prefix) || self.is_blind().is_some() {
            return self.inner.list(prefix).await;
        }
        match self.inner.list_versions(prefix).await {
            Ok(versions) => self.objects(prefix, versions).await,
            Err(error) if self.note_blind(&error) => self.inner.list(prefix).await,
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.inner.delete(key).await?;
        self.forget(key);
        self.lock().deleted.insert(key.to_owned());
        Ok(())
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
        self.inner.head_version(key, version).await
    }

    async fn delete_version(&self, key: &str, version: &VersionId) -> Result<()> {
        self.inner.delete_version(key, version).await?;
        self.forget(key);
        Ok(())
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
        Ok(Arc::new(Self { inner: self.inner.locking(rule)?, seen: Arc::clone(&self.seen) }))
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        self.inner.server_time().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::objects::memory::MemoryStore;

    async fn store() -> (SeeThroughStore, MemoryStore, String) {
        let clock = Arc::new(ManualClock::new("2026-11-21T02:00:00Z".parse().unwrap()));
        let memory = MemoryStore::new("m", clock).with_locks(None);
        let body = Body::bytes("the pack");
        let key = format!("packs/blog/{}", body.sha256());
        memory.put(&key, body, PutMode::CreateOnly).await.unwrap();
        (SeeThroughStore::new(Arc::new(memory.clone())), memory, key)
    }

    async fn reads(store: &SeeThroughStore, key: &str) {
        assert_eq!(store.get(key, 99).await.unwrap(), "the pack");
        assert_eq!(store.get_range(key, 4..8).await.unwrap(), "pack");
        assert_eq!(store.head(key).await.unwrap().size, 8);
        let listed = store.list("packs/blog").await.unwrap();
        assert_eq!(listed.iter().map(|meta| (&*meta.key, meta.size)).collect::<Vec<_>>(), [(key, 8)]);
    }

    #[tokio::test]
    async fn readers_see_through_delete_markers_and_puts_of_other_bytes() {
        for hide in [&["delete"][..], &["put"], &["put", "delete"], &["delete", "put", "delete", "delete"]] {
            let (fresh, memory, key) = store().await;
            let listed = SeeThroughStore::new(Arc::new(memory.clone()));
            for what in hide {
                match *what {
                    "delete" => memory.delete(&key).await.unwrap(),
                    // Of the same size, so that nothing but the bytes tells.
                    _ => drop(memory.put(&key, Body::bytes("THE PACK"), PutMode::Overwrite).await.unwrap()),
                }
            }
            assert_eq!(fresh.get(&key, 99).await.unwrap(), "the pack", "without a listing");
            listed.list("").await.unwrap();
            assert_eq!(listed.get_range(&key, 0..3).await.unwrap(), "the", "ranges after a listing");
            for store in [fresh, listed] {
                reads(&store, &key).await;
                let hidden = store.hidden();
                assert_eq!((hidden.len(), hidden[0].by.len()), (1, hide.len()), "{hidden:?}");
                assert!(hidden[0].describe().contains("since 2026-11-21T02:00:00Z"), "{hidden:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_was_deleted_for_good_stays_so_and_nothing_else_is_seen() {
        let (store, memory, key) = store().await;
        memory.delete(&key).await.unwrap();
        for version in memory.list_versions(&key).await.unwrap() {
            memory.delete_version(&key, &version.version).await.unwrap();
        }
        assert_eq!(store.get(&key, 99).await.unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(store.list("").await.unwrap(), []);
        // What may change is as its newest version says.
        for bytes in ["old", "new"] {
            memory.put("state/x", Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
        }
        assert_eq!(store.get("state/x", 9).await.unwrap(), "new");
        memory.delete("state/x").await.unwrap();
        assert_eq!(store.get("state/x", 9).await.unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(store.list("").await.unwrap(), []);
        assert_eq!(store.hidden(), []);
    }

    #[tokio::test]
    async fn what_this_handle_deletes_is_deleted_for_it_and_a_put_makes_it_new() {
        let (store, _, key) = store().await;
        store.delete(&key).await.unwrap();
        assert_eq!(store.head(&key).await.unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(store.list("").await.unwrap(), []);
        store.put(&key, Body::bytes("the pack"), PutMode::CreateOnly).await.unwrap();
        reads(&store, &key).await;
        assert_eq!(store.hidden(), []);
    }

    #[tokio::test]
    async fn the_first_vault_file_counts_unless_it_is_none() {
        let clock = Arc::new(ManualClock::new("2026-11-21T02:00:00Z".parse().unwrap()));
        let memory = MemoryStore::new("m", clock).with_locks(None);
        let file = |vault: &str| format!("{{\"kind\":\"{VAULT_KIND}\",\"vault\":\"{vault}\"}}");
        for bytes in ["damaged".to_owned(), file("ours"), file("theirs")] {
            memory.put(layout::VAULT, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
        }
        let store = SeeThroughStore::new(Arc::new(memory));
        assert_eq!(store.get(layout::VAULT, 999).await.unwrap(), file("ours"));
        assert_eq!(store.hidden().len(), 1);
    }

    #[tokio::test]
    async fn a_hundred_versions_are_not_tried_one_by_one() {
        let (store, memory, key) = store().await;
        for n in 0..100 {
            memory.put(&key, Body::bytes(format!("other {n}")), PutMode::Overwrite).await.unwrap();
        }
        reads(&store, &key).await;
        let contents = store.contents(&key).await.unwrap();
        assert_eq!(contents.len(), TRIED_MAX);
        assert_eq!(contents[0], store.hidden()[0].version, "the oldest is among them");
    }
}
