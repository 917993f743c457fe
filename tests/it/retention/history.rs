//! A vault with snapshots of chosen nights and sizes, and policies to try on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, Timestamp};
use prismvault::config::{RetentionPolicy, Zone};
use prismvault::ids::{Digest, Name};
use prismvault::objects::ObjectStore as _;
use prismvault::progress::Problem;
use prismvault::retention::{Applied, Policies, RetentionPlan, apply, plan_retention};
use prismvault::vault::error::Result;
use prismvault::vault::format::manifest::{Counts, Manifest, Tally};
use prismvault::vault::item::ItemKind;
use prismvault::vault::open::Vault;
use prismvault::vault::snapshots::{Snapshot, Snapshots};

use crate::vaults::TestVault;

pub(crate) fn blog() -> Name {
    "blog".parse().unwrap()
}

/// A policy that keeps the newest ones.
pub(crate) fn last(count: u32) -> RetentionPolicy {
    RetentionPolicy {
        keep_last: count,
        keep: BTreeMap::new(),
        keep_within: None,
        keep_within_each: BTreeMap::new(),
        min_snapshots: 1,
        keep_partial: "7d".parse().unwrap(),
        max_shrink: 30,
    }
}

/// One policy for every replica.
pub(crate) fn everywhere(repository: &str, policy: RetentionPolicy) -> Policies {
    Policies {
        repository: repository.parse().unwrap(),
        zone: Zone::UTC,
        base: Some(policy),
        own: BTreeMap::new(),
    }
}

/// A vault, and the manifests made in it.
pub(crate) struct History {
    pub(crate) vault: TestVault,
}

impl History {
    pub(crate) async fn new(replicas: usize) -> Self {
        let begin: Timestamp = "2026-11-01T02:00:00Z".parse().unwrap();
        Self { vault: TestVault::starting(begin, replicas, true).await }
    }

    /// A vault with complete snapshots of as many nights.
    pub(crate) async fn of_nights(replicas: usize, nights: usize) -> (Self, Vec<Manifest>) {
        let history = Self::new(replicas).await;
        let mut manifests = Vec::new();
        for _ in 0..nights {
            manifests.push(history.night("blog", 100).await);
        }
        (history, manifests)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.vault.backup.clock.now()
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        self.vault.backup.clock.advance(by);
    }

    /// Takes a snapshot the next night, with as many documents by its own account.
    pub(crate) async fn night(&self, repository: &str, documents: u64) -> Manifest {
        self.take(repository, documents, false).await
    }

    /// The same, with something missing.
    pub(crate) async fn partial_night(&self, repository: &str) -> Manifest {
        self.take(repository, 100, true).await
    }

    async fn take(&self, repository: &str, documents: u64, partial: bool) -> Manifest {
        self.advance(TimeDelta::days(1));
        let bytes = format!("{{\"at\":\"{}\"}}", self.now());
        let path = "documents/en-us/page/X.json";
        let items = [(path, ItemKind::Document, bytes.as_bytes())];
        let tally = |stored| Tally { reported: Some(stored), stored, bytes: 0 };
        self.vault
            .commit(repository, &items, |draft| {
                draft.counts = Counts { documents: tally(documents), ..Counts::default() };
                if partial {
                    draft.gaps.push(Problem::new("asset-missing", "assets/x/original", "it is gone"));
                }
            })
            .await
    }

    pub(crate) async fn open(&self) -> Arc<Vault> {
        self.vault.backup.open().await.unwrap()
    }

    pub(crate) async fn snapshots(&self) -> Snapshots {
        Snapshots::load(&*self.open().await, None).await.unwrap()
    }

    /// Ids of the blog's snapshots that are left.
    pub(crate) async fn left(&self) -> Vec<String> {
        self.snapshots().await.of(&blog()).iter().map(|one| one.id().to_string()).collect()
    }

    pub(crate) async fn plan(&self, policies: &[Policies]) -> RetentionPlan {
        self.try_plan(policies).await.unwrap()
    }

    pub(crate) async fn try_plan(&self, policies: &[Policies]) -> Result<RetentionPlan> {
        let vault = self.open().await;
        let snapshots = Snapshots::load(&vault, None).await?;
        plan_retention(&vault, &snapshots, policies, self.now()).await
    }

    /// Plans and applies.
    pub(crate) async fn retain(&self, policies: &[Policies]) -> Applied {
        let plan = self.plan(policies).await;
        apply(&*self.open().await, &plan).await.unwrap()
    }

    /// Keys of the ledger of a space on the first replica, signatures left out.
    pub(crate) async fn entries(&self) -> Vec<String> {
        let mut keys = self.vault.keys("ledger").await;
        keys.retain(|key| key.ends_with(".json"));
        keys
    }

    /// Loses a file and its signature on every replica.
    pub(crate) async fn lose(&self, key: &str) {
        for store in &self.vault.stores {
            for key in [key.to_owned(), format!("{key}.minisig")] {
                store.delete(&key).await.unwrap();
            }
        }
    }
}

/// Ids of what a plan removes.
pub(crate) fn going(plan: &RetentionPlan) -> Vec<String> {
    plan.removals().map(|(_, line, _)| line.snapshot.to_string()).collect()
}

pub(crate) fn ids(manifests: &[Manifest]) -> Vec<String> {
    manifests.iter().map(|manifest| manifest.snapshot.to_string()).collect()
}

/// SHA-256 of the manifest of a snapshot that is there.
pub(crate) fn digest_of(snapshots: &Snapshots, manifest: &Manifest) -> Digest {
    find(snapshots, manifest).digest
}

pub(crate) fn find<'a>(snapshots: &'a Snapshots, manifest: &Manifest) -> &'a Snapshot {
    let all = snapshots.iter().chain(snapshots.removed());
    all.into_iter().find(|one| *one.id() == manifest.snapshot).expect("the manifest is somewhere")
}
