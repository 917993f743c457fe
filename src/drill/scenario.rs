//! What has happened, injected on the read path: real data is never touched.
//!
//! A [`Disturbed`] store stands between the vault of a drill and the replica: it hides, damages or refuses what
//! the scenario says, in the same places for the same seed, and refuses everything that writes, whatever asks for
//! it. What is injected above stores (keys, people, Prismic) is read from the same list by whoever opens them.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{Digest, Name};
use crate::objects::operation::Operation;
use crate::objects::{
    Abilities, Body, ErrorKind, Lock, LockRule, ObjectMeta, ObjectStore, ObjectVersion, Pieces, PlaceFacts,
    PutMode, Result, StoreError, VersionId, pieces,
};
use crate::vault::layout;

/// One thing that has happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Injection {
    /// A replica does not answer.
    ReplicaGone {
        /// Its name.
        replica: Name,
    },
    /// No replica of a region answers.
    RegionGone {
        /// As `region` in the configuration spells it.
        region: String,
    },
    /// A share of the packs of a replica, or of all, is damaged.
    PacksDamaged {
        /// Of all packs, from 0 to 1.
        share: f64,
        /// The replica; all of them where none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replica: Option<Name>,
    },
    /// The newest snapshot of each repository is not there.
    NewestMissing,
    /// Caches and memory of this machine are gone: only replicas, keys and this program are left.
    MachineGone,
    /// The identity of the backup host is lost.
    OperatorLost,
    /// Somebody cannot be reached.
    PersonAbsent {
        /// Their name.
        person: String,
    },
    /// None of Prismic's APIs answers.
    PrismicUnreachable,
}

impl Injection {
    /// Its name, as files spell it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ReplicaGone { .. } => "replica-gone",
            Self::RegionGone { .. } => "region-gone",
            Self::PacksDamaged { .. } => "packs-damaged",
            Self::NewestMissing => "newest-missing",
            Self::MachineGone => "machine-gone",
            Self::OperatorLost => "operator-lost",
            Self::PersonAbsent { .. } => "person-absent",
            Self::PrismicUnreachable => "prismic-unreachable",
        }
    }

    /// What it means, for people.
    pub fn words(&self) -> String {
        match self {
            Self::ReplicaGone { replica } => format!("the replica {replica} does not answer"),
            Self::RegionGone { region } => format!("no replica in {region} answers"),
            Self::PacksDamaged { share, replica } => {
                let percent = share * 100.0;
                match replica {
                    Some(replica) => format!("{percent} % of the packs on {replica} are damaged"),
                    None => format!("{percent} % of the packs on every replica are damaged"),
                }
            }
            Self::NewestMissing => "the newest snapshot is missing everywhere".to_owned(),
            Self::MachineGone => {
                "this machine is gone: only replicas, keys and the program are left".to_owned()
            }
            Self::OperatorLost => "the operator identity is lost".to_owned(),
            Self::PersonAbsent { person } => format!("{person} cannot be reached"),
            Self::PrismicUnreachable => "no API of Prismic answers".to_owned(),
        }
    }
}

/// What the scenario does to one replica.
#[derive(Debug, Clone, PartialEq)]
pub struct Disturbance {
    /// Whether nothing answers.
    pub gone: bool,
    /// Share of packs that are damaged.
    pub damaged: f64,
    /// Keys that are not there.
    pub hidden: BTreeSet<String>,
    /// Which packs are damaged is drawn from it.
    pub seed: u64,
}

impl Disturbance {
    /// What a scenario does to a replica of this name and region. What is hidden is known when snapshots are.
    pub fn of(scenario: &[Injection], replica: &Name, region: Option<&str>, seed: u64) -> Self {
        let mut own = Self { gone: false, damaged: 0.0, hidden: BTreeSet::new(), seed };
        for injection in scenario {
            match injection {
                Injection::ReplicaGone { replica: gone } => own.gone |= gone == replica,
                Injection::RegionGone { region: gone } => own.gone |= Some(gone.as_str()) == region,
                Injection::PacksDamaged { share, replica: only }
                    if only.as_ref().is_none_or(|only| only == replica) =>
                {
                    own.damaged = own.damaged.max(*share);
                }
                _ => {}
            }
        }
        own
    }

    fn is_damaged(&self, key: &str) -> bool {
        if self.damaged <= 0.0 || !is_pack(key) {
            return false;
        }
        let Digest(drawn) = Digest::of(format!("{}/{key}", self.seed).as_bytes());
        let drawn = drawn.iter().take(8).fold(0u64, |drawn, byte| drawn << 8 | u64::from(*byte));
        (drawn as f64) < self.damaged * u64::MAX as f64
    }

    fn is_hidden(&self, key: &str) -> bool {
        self.hidden.contains(key)
    }
}

/// A replica as the scenario leaves it. Nothing can be written through it.
#[derive(Debug, Clone)]
pub struct Disturbed {
    inner: Arc<dyn ObjectStore>,
    disturbance: Disturbance,
}

impl fmt::Display for Disturbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Disturbed {
    /// Returns the replica as the scenario leaves it.
    pub fn new(inner: Arc<dyn ObjectStore>, disturbance: Disturbance) -> Self {
        Self { inner, disturbance }
    }

    fn refused(&self, kind: ErrorKind, operation: Operation, key: &str, why: &str) -> StoreError {
        StoreError::new(kind, operation.verb(), key, &self.inner, why)
    }

    fn reading(&self, operation: Operation, key: &str) -> Result<()> {
        if self.disturbance.gone {
            return Err(self.refused(ErrorKind::Permanent, operation, key, "the drill has taken it away"));
        }
        match self.disturbance.is_hidden(key) {
            true => Err(self.refused(ErrorKind::NotFound, operation, key, "the drill hides it")),
            false => Ok(()),
        }
    }

    fn writing(&self, operation: Operation, key: &str) -> StoreError {
        self.refused(ErrorKind::Denied, operation, key, "a drill writes nothing to replicas")
    }

    /// The bytes from `begin` on as the scenario leaves them: of a damaged pack one bit in every chunk that age
    /// authenticates is another, so nothing of it can be read, whichever part is asked for.
    fn passed(&self, key: &str, begin: u64, bytes: Bytes) -> Bytes {
        if !self.disturbance.is_damaged(key) {
            return bytes;
        }
        let first = (DAMAGED_AT + CHUNK - begin % CHUNK) % CHUNK;
        let mut damaged = bytes.to_vec();
        for at in (first..damaged.len() as u64).step_by(CHUNK as usize) {
            damaged[at as usize] ^= 1;
        }
        damaged.into()
    }
}

pub(super) fn is_pack(key: &str) -> bool {
    key.strip_prefix(layout::PACKS).is_some_and(|rest| rest.starts_with('/'))
}

/// Bytes of a chunk of age's payload (C2SP age.md).
const CHUNK: u64 = 64 * 1024;
/// Which byte of each is damaged; every pack is longer.
const DAMAGED_AT: u64 = 17;

#[async_trait]
impl ObjectStore for Disturbed {
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    async fn put(&self, key: &str, _: Body, _: PutMode) -> Result<ObjectMeta> {
        Err(self.writing(Operation::Put, key))
    }

    async fn get(&self, key: &str, max: u64) -> Result<Bytes> {
        self.reading(Operation::Get, key)?;
        Ok(self.passed(key, 0, self.inner.get(key, max).await?))
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.reading(Operation::GetRange, key)?;
        Ok(self.passed(key, range.start, self.inner.get_range(key, range).await?))
    }

    async fn get_pieces(&self, key: &str, range: Range<u64>) -> Result<Pieces> {
        self.reading(Operation::GetRange, key)?;
        if !self.disturbance.is_damaged(key) {
            return self.inner.get_pieces(key, range).await;
        }
        let (own, key) = (self.clone(), key.to_owned());
        pieces::by_ranges(range, move |range| {
            let (own, key) = (own.clone(), key.clone());
            async move { own.get_range(&key, range).await }
        })
        .await
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta> {
        self.reading(Operation::Head, key)?;
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        self.reading(Operation::List, "")?;
        let mut listed = self.inner.list(prefix).await?;
        listed.retain(|object| !self.disturbance.is_hidden(&object.key));
        Ok(listed)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        Err(self.writing(Operation::Delete, key))
    }

    async fn list_versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>> {
        self.reading(Operation::ListVersions, "")?;
        let mut listed = self.inner.list_versions(prefix).await?;
        listed.retain(|version| !self.disturbance.is_hidden(&version.key));
        Ok(listed)
    }

    async fn get_version(&self, key: &str, version: &VersionId, max: u64) -> Result<Bytes> {
        self.reading(Operation::GetVersion, key)?;
        Ok(self.passed(key, 0, self.inner.get_version(key, version, max).await?))
    }

    async fn get_range_version(&self, key: &str, version: &VersionId, range: Range<u64>) -> Result<Bytes> {
        self.reading(Operation::GetRangeVersion, key)?;
        Ok(self.passed(key, range.start, self.inner.get_range_version(key, version, range).await?))
    }

    async fn head_version(&self, key: &str, version: &VersionId) -> Result<ObjectMeta> {
        self.reading(Operation::HeadVersion, key)?;
        self.inner.head_version(key, version).await
    }

    async fn delete_version(&self, key: &str, _: &VersionId) -> Result<()> {
        Err(self.writing(Operation::DeleteVersion, key))
    }

    async fn lock_of(&self, key: &str, version: &VersionId) -> Result<Option<Lock>> {
        self.reading(Operation::LockOf, key)?;
        self.inner.lock_of(key, version).await
    }

    async fn extend_lock(&self, key: &str, _: &VersionId, _: Timestamp) -> Result<()> {
        Err(self.writing(Operation::ExtendLock, key))
    }

    async fn place_facts(&self) -> Result<Option<PlaceFacts>> {
        self.reading(Operation::PlaceFacts, "")?;
        self.inner.place_facts().await
    }

    fn lock_rule(&self) -> Option<LockRule> {
        self.inner.lock_rule()
    }

    fn unfinished(&self) -> Option<PathBuf> {
        self.inner.unfinished().filter(|_| !self.disturbance.gone)
    }

    fn locking(&self, rule: Option<LockRule>) -> Result<Arc<dyn ObjectStore>> {
        let inner = self.inner.locking(rule)?;
        Ok(Arc::new(Self { inner, disturbance: self.disturbance.clone() }))
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        self.reading(Operation::ServerTime, "")?;
        self.inner.server_time().await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;
    use crate::clock::SystemClock;
    use crate::objects::memory::MemoryStore;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    async fn with_packs(count: usize) -> (Arc<MemoryStore>, Vec<String>) {
        let store = Arc::new(MemoryStore::new("test", Arc::new(SystemClock)));
        let mut keys = Vec::new();
        for number in 0..count {
            let bytes = vec![number as u8; 150_000 + number];
            let key = layout::pack(&name("blog"), &Digest::of(&bytes));
            store.put(&key, Body::bytes(bytes), PutMode::CreateOnly).await.unwrap();
            keys.push(key);
        }
        (store, keys)
    }

    fn disturbed(store: &Arc<MemoryStore>, disturbance: Disturbance) -> Disturbed {
        Disturbed::new(Arc::<MemoryStore>::clone(store), disturbance)
    }

    fn of(scenario: &[Injection], seed: u64) -> Disturbance {
        Disturbance::of(scenario, &name("office"), Some("eu-central-1"), seed)
    }

    #[tokio::test]
    async fn a_share_of_the_packs_is_damaged_in_the_same_places_however_they_are_read() {
        let (store, keys) = with_packs(200).await;
        let half = [Injection::PacksDamaged { share: 0.5, replica: None }];
        let own = disturbed(&store, of(&half, 1));
        let mut damaged = 0;
        for key in &keys {
            let (good, read) =
                (store.get(key, u64::MAX).await.unwrap(), own.get(key, u64::MAX).await.unwrap());
            let differ: Vec<usize> = (0..good.len()).filter(|at| good[*at] != read[*at]).collect();
            damaged += usize::from(!differ.is_empty());
            assert!(differ.is_empty() || differ == [17, 65_553, 131_089], "{differ:?}");
            for range in [0..10, 10..70_000, 65_553..65_554, 70_000..150_000] {
                let part = own.get_range(key, range.clone()).await.unwrap();
                assert_eq!(part, read.slice(range.start as usize..range.end as usize));
            }
            let pieces = own.get_pieces(key, 5..150_000).await.unwrap();
            let pieces: Vec<Bytes> = pieces.try_collect().await.unwrap();
            assert_eq!(pieces.concat(), read[5..150_000]);
        }
        assert!((60..140).contains(&damaged), "{damaged} of 200");
        let again = disturbed(&store, of(&half, 1));
        assert_eq!(again.get(&keys[0], u64::MAX).await.unwrap(), own.get(&keys[0], u64::MAX).await.unwrap());
        for share in [0.0, 1.0] {
            let own = disturbed(&store, of(&[Injection::PacksDamaged { share, replica: None }], 1));
            let good = store.get(&keys[3], u64::MAX).await.unwrap();
            assert_eq!(own.get(&keys[3], u64::MAX).await.unwrap() == good, share == 0.0);
        }
    }

    #[test]
    fn a_scenario_is_about_the_replicas_that_it_names() {
        let gone = |scenario: &[Injection]| of(scenario, 0).gone;
        assert!(gone(&[Injection::ReplicaGone { replica: name("office") }]));
        assert!(!gone(&[Injection::ReplicaGone { replica: name("home") }]));
        assert!(gone(&[Injection::RegionGone { region: "eu-central-1".to_owned() }]));
        assert!(!gone(&[Injection::RegionGone { region: "us-east-1".to_owned() }]));
        let damaged = |only: &str| {
            let replica = Some(name(only));
            of(&[Injection::PacksDamaged { share: 0.2, replica }], 0).damaged
        };
        assert_eq!((damaged("office"), damaged("home")), (0.2, 0.0));
    }

    #[tokio::test]
    async fn nothing_is_written_and_what_is_hidden_or_gone_is_not_read() {
        let (store, keys) = with_packs(2).await;
        let hidden = BTreeSet::from([keys[0].clone()]);
        let own = disturbed(&store, Disturbance { hidden, ..of(&[], 0) });
        assert_eq!(own.get(&keys[0], u64::MAX).await.unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(own.head(&keys[0]).await.unwrap_err().kind, ErrorKind::NotFound);
        let listed: Vec<String> = own.list("").await.unwrap().into_iter().map(|object| object.key).collect();
        assert_eq!(listed, [keys[1].clone()]);
        let body = Body::bytes(Bytes::from_static(b"x"));
        let put = own.put("state/x.json", body, PutMode::Overwrite).await;
        assert_eq!(put.unwrap_err().kind, ErrorKind::Denied);
        assert_eq!(own.delete(&keys[1]).await.unwrap_err().kind, ErrorKind::Denied);
        for version in store.list_versions("").await.unwrap() {
            let deleted = own.delete_version(&version.key, &version.version).await;
            assert_eq!(deleted.unwrap_err().kind, ErrorKind::Denied);
        }
        assert_eq!(store.list("").await.unwrap().len(), 2);
        let gone = disturbed(&store, of(&[Injection::ReplicaGone { replica: name("office") }], 0));
        assert!(gone.list("").await.is_err() && gone.get(&keys[1], u64::MAX).await.is_err());
    }
}
