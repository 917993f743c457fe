//! Vaults in memory with snapshots made by hand: paths and bytes that no source would send.

use std::sync::Arc;

use prismvault::clock::{Clock as _, ManualClock, SystemClock, Timestamp};
use prismvault::ids::{Name, SnapshotId};
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::{ErrorKind, LockRule, ObjectStore};
use prismvault::vault::commit::{Draft, LinksPart};
use prismvault::vault::envelope::Identity;
use prismvault::vault::format::catalog::CatalogEntry;
use prismvault::vault::format::manifest::{Consistency, Counts, Manifest, Source, Tally};
use prismvault::vault::item::ItemKind;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::open::Vault;
use prismvault::vault::pack::ItemData;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::vault::writer::{NewItem, Writer};

use crate::backups::Backup;

/// A vault on stores in memory that can be tampered with.
pub(crate) struct TestVault {
    /// Keys, clock and limits; it opens the vault.
    pub(crate) backup: Backup,
    /// The stores, one a replica.
    pub(crate) stores: Vec<MemoryStore>,
}

/// A snapshot that was begun.
pub(crate) struct Begun {
    name: Name,
    snapshots: Snapshots,
    ledger: Ledger,
    writer: Writer,
    started: Timestamp,
}

impl TestVault {
    /// Makes a vault on as many replicas.
    pub(crate) async fn new(replicas: usize, encrypted: bool) -> Self {
        Self::starting(SystemClock.now(), replicas, encrypted).await
    }

    /// Makes a vault whose clock begins at this time.
    pub(crate) async fn starting(begin: Timestamp, replicas: usize, encrypted: bool) -> Self {
        Self::on(begin, replicas, encrypted, |store| store).await
    }

    /// Makes a vault on stores with versions, every object locked by this rule.
    pub(crate) async fn locked(begin: Timestamp, replicas: usize, rule: LockRule) -> Self {
        Self::on(begin, replicas, true, |store| store.with_locks(Some(rule))).await
    }

    async fn on(
        begin: Timestamp,
        replicas: usize,
        encrypted: bool,
        make: impl Fn(MemoryStore) -> MemoryStore,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(begin));
        let stores: Vec<MemoryStore> = (0..replicas)
            .map(|n| make(MemoryStore::new(&format!("replica-{n}"), Arc::<ManualClock>::clone(&clock))))
            .collect();
        let named = |(n, store): (usize, &MemoryStore)| {
            let store: Arc<dyn ObjectStore> = Arc::new(store.clone());
            (format!("replica-{n}"), store)
        };
        let named = stores.iter().enumerate().map(named).collect();
        Self { backup: Backup::on(named, encrypted, clock).await, stores }
    }

    /// Commits a snapshot that holds exactly these items, a second after the one before.
    pub(crate) async fn snapshot(&self, repository: &str, items: &[(&str, ItemKind, &[u8])]) -> Manifest {
        self.commit(repository, items, |_| {}).await
    }

    /// The same with changes to what the snapshot says of itself.
    pub(crate) async fn commit(
        &self,
        repository: &str,
        items: &[(&str, ItemKind, &[u8])],
        change: impl FnOnce(&mut Draft),
    ) -> Manifest {
        let begun = self.begin(repository).await;
        self.finish(begun, items, change).await
    }

    /// Commits by a client that opened the vault before.
    pub(crate) async fn commit_by(
        &self,
        vault: Arc<Vault>,
        repository: &str,
        items: &[(&str, ItemKind, &[u8])],
    ) -> Manifest {
        let begun = self.begin_on(vault, repository).await;
        self.finish(begun, items, |_| {}).await
    }

    /// Begins a snapshot, a second after what was before: looks at what the vault holds.
    pub(crate) async fn begin(&self, repository: &str) -> Begun {
        self.begin_on(self.backup.open().await.unwrap(), repository).await
    }

    async fn begin_on(&self, vault: Arc<Vault>, repository: &str) -> Begun {
        self.backup.clock.advance(chrono::TimeDelta::seconds(1));
        let name: Name = repository.parse().unwrap();
        let snapshots = Snapshots::load(&vault, Some(&name)).await.unwrap();
        let ledger = Ledger::load(&vault, &name).await.unwrap();
        let space = Space::load(&vault, &name).await.unwrap();
        let writer = Writer::new(Arc::clone(&vault), space, std::iter::empty()).unwrap();
        Begun { name, snapshots, ledger, writer, started: self.backup.clock.now() }
    }

    /// Stores the items of a snapshot that was begun, and commits it.
    pub(crate) async fn finish(
        &self,
        begun: Begun,
        items: &[(&str, ItemKind, &[u8])],
        change: impl FnOnce(&mut Draft),
    ) -> Manifest {
        let Begun { name, snapshots, ledger, writer, started } = begun;
        let repository = name.to_string();
        let new = items.iter().map(|(path, kind, bytes)| NewItem {
            kind: *kind,
            path: (*path).to_owned(),
            data: ItemData::Memory(bytes.to_vec().into()),
        });
        let stored = writer.store(new.collect()).await.unwrap();
        let mut entries: Vec<CatalogEntry> = items
            .iter()
            .zip(stored)
            .map(|((path, ..), item)| CatalogEntry { path: (*path).into(), item: item.id, size: item.size })
            .collect();
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let documents = items.iter().filter(|(path, ..)| path.starts_with("documents/")).count() as u64;
        let mut draft = Draft {
            repository: name,
            snapshot: SnapshotId::new(started),
            started,
            trigger: "test".to_owned(),
            source: Source {
                repository,
                content_api: "https://example.com/api/v2".to_owned(),
                master_ref: "ref".to_owned(),
                integration_fields_ref: None,
                releases: Default::default(),
                write_token: true,
            },
            entries,
            links: LinksPart::New(Box::new(std::iter::empty())),
            counts: Counts {
                documents: Tally { stored: documents, ..Tally::default() },
                ..Counts::default()
            },
            consistency: Consistency::default(),
            read: None,
            gaps: Vec::new(),
            accepted_gaps: Vec::new(),
            warnings: Vec::new(),
        };
        change(&mut draft);
        writer.commit(draft, &snapshots, &ledger).await.unwrap().manifest
    }

    /// Opens the vault with these identities.
    pub(crate) async fn reopen_with(&self, identities: Vec<Identity>) -> Arc<Vault> {
        self.backup.open_with(identities).await.unwrap()
    }

    /// Opens the vault as somebody who may read content.
    pub(crate) async fn reopen(&self) -> Arc<Vault> {
        self.reopen_with(vec![self.backup.recovery.clone()]).await
    }

    /// The keys of all objects of the first replica below a prefix.
    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        self.stores[0].list(prefix).await.unwrap().into_iter().map(|object| object.key).collect()
    }

    /// Bytes of an object of the first replica.
    pub(crate) fn size(&self, key: &str) -> usize {
        let mut size = 0;
        assert!(self.stores[0].tamper(key, |bytes| size = bytes.len()), "there is {key}");
        size
    }

    /// Damages an object on every replica: one bit in its middle is another.
    pub(crate) fn damage(&self, key: &str) {
        for store in &self.stores {
            let flip = |bytes: &mut Vec<u8>| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            };
            assert!(store.tamper(key, flip), "there is {key}");
        }
    }

    /// Loses an object on every replica.
    pub(crate) async fn lose(&self, key: &str) {
        for store in &self.stores {
            store.delete(key).await.unwrap();
            assert_eq!(store.head(key).await.unwrap_err().kind, ErrorKind::NotFound);
        }
    }
}
