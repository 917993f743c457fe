//! Snapshots of a sandbox repository: complete, incremental, honest about what is missing.

use std::sync::Arc;

use prismvault::clock::SystemClock;
use prismvault::objects::counting::CountingStore;
use prismvault::prismic::Http;
use prismvault::progress::Silent;
use prismvault::sandbox::{Endpoint, ErrorRate, Faults};
use prismvault::snapshot::{Read, SnapshotError, SnapshotOptions, take};
use prismvault::vault::format::catalog::CatalogEntry;
use prismvault::vault::format::manifest::{Manifest, Status};
use prismvault::vault::reader::Reader;
use prismvault::vault::space::Space;
use prismvault::vault::tree;

use tokio_util::sync::CancellationToken;

use crate::backups::{Backup, Source};

async fn entries(backup: &Backup, manifest: &Manifest) -> Vec<CatalogEntry> {
    let vault = backup.open().await.unwrap();
    let space = Space::load(&vault, &manifest.space).await.unwrap();
    tree::read_all(&Reader::new(&vault, &space), &manifest.catalog).await.unwrap()
}

#[tokio::test]
async fn a_first_snapshot_holds_all_that_the_source_has() {
    let (source, backup) = (Source::synthetic(350, 30), Backup::in_memory(2).await);
    let report = backup.snapshot(&source).await.unwrap();
    let manifest = &report.committed.manifest;
    assert_eq!(manifest.status, Status::Complete, "{:?}", manifest.gaps);
    assert_eq!(manifest.counts.documents.stored, source.repository.documents().len() as u64);
    assert_eq!(manifest.counts.documents.reported, Some(manifest.counts.documents.stored));
    for tally in
        manifest.counts.documents_by_type.values().chain(manifest.counts.documents_by_language.values())
    {
        assert_eq!(tally.reported, Some(tally.stored));
    }
    assert_eq!(manifest.counts.assets.reported, Some(30));
    assert!(manifest.counts.assets.stored >= 30);
    assert!(manifest.counts.models.stored > 5);
    assert!(!manifest.counts.release_documents.is_empty());
    assert_eq!(report.committed.on, ["replica-0", "replica-1"]);
    assert!(report.lost.is_empty() && report.vault_warnings.is_empty(), "{:?}", report.vault_warnings);

    let entries = entries(&backup, manifest).await;
    let below = |prefix: &str| entries.iter().filter(|entry| entry.path.starts_with(prefix)).count() as u64;
    assert_eq!(below("documents/"), manifest.counts.documents.stored);
    assert_eq!(below("models/"), manifest.counts.models.stored);
    assert_eq!(below("assets/"), 2 * manifest.counts.assets.stored);
    for file in ["api.json", "languages.json", "forms.json", "tags.json", "asset-tags.json"] {
        assert_eq!(below(&format!("repository/{file}")), 1, "{file}");
    }
}

#[tokio::test]
async fn an_unchanged_repository_costs_few_requests_and_writes_only_a_manifest() {
    let source = Source::synthetic(350, 30);
    let mut backup = Backup::in_memory(2).await;
    let first = backup.snapshot(&source).await.unwrap();
    let counting: Vec<Arc<CountingStore>> =
        backup.stores.iter().map(|(_, store)| Arc::new(CountingStore::new(Arc::clone(store)))).collect();
    for ((_, store), counting) in backup.stores.iter_mut().zip(&counting) {
        *store = Arc::<CountingStore>::clone(counting);
    }
    source.control().reset_counters();
    let second = backup.snapshot(&source).await.unwrap();
    assert!(second.documents_unchanged);
    let (a, b) = (&first.committed.manifest, &second.committed.manifest);
    assert_eq!((&a.catalog, &a.links, &a.counts), (&b.catalog, &b.links, &b.counts));
    assert_eq!(b.parents, [first.committed.digest]);
    let listing = source.control().requests_to(Endpoint::Assets);
    let requests = source.control().request_count() - listing;
    assert!(requests <= 10, "{requests} requests: {:?}", source.control().log());
    for store in &counting {
        assert_eq!(store.counts().writes(), 2, "manifest and signature");
    }
}

#[tokio::test]
async fn one_percent_changed_writes_at_most_twelve_objects_a_replica() {
    let source = Source::synthetic(1200, 20);
    let mut backup = Backup::in_memory(2).await;
    backup.snapshot(&source).await.unwrap();
    source.repository.edit(0.01, 7).unwrap();
    let counting = Arc::new(CountingStore::new(Arc::clone(&backup.stores[0].1)));
    backup.stores[0].1 = Arc::<CountingStore>::clone(&counting);
    let report = backup.snapshot(&source).await.unwrap();
    assert!(!report.documents_unchanged);
    let changed = report.committed.manifest.added.items;
    assert!((12..80).contains(&changed), "twelve documents and those that link to them: {changed}");
    let counts = counting.counts();
    assert!(counts.writes() <= 12, "{}", counts.writes());
    let budget = report.committed.manifest.added.bytes + (256 << 10);
    assert!(counts.bytes_written <= budget, "{} of {budget}", counts.bytes_written);
}

#[tokio::test]
async fn a_ref_that_expires_on_the_way_starts_the_run_again_at_the_new_one() {
    let (source, backup) = (Source::synthetic(650, 5), Backup::in_memory(1).await);
    source.control().set_faults(Faults { expire_refs_after: Some(4), ..Faults::default() });
    let report = backup.snapshot(&source).await.unwrap();
    let manifest = &report.committed.manifest;
    assert!(manifest.consistency.restarts >= 1);
    assert_eq!(manifest.status, Status::Complete, "{:?}", manifest.gaps);
    assert_eq!(manifest.source.master_ref, source.repository.master_ref());
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_keeps_what_it_stored_for_the_next() {
    let (source, backup) = (Source::synthetic(60, 30), Backup::in_memory(1).await);
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    source.control().on_request_to(Endpoint::File, 20, move |_| stop.cancel());
    let vault = backup.open().await.unwrap();
    let http = Http::new(backup.limits.clone(), Arc::new(SystemClock)).unwrap();
    let options = SnapshotOptions { trigger: "test".to_owned(), progress: &Silent, cancel, read: Read::Full };
    let stopped = take(&vault, &http, &source.target, options).await;
    assert!(matches!(stopped, Err(SnapshotError::Cancelled)), "{stopped:?}");
    assert_eq!(backup.stores[0].1.list("snapshots").await.unwrap(), []);
    assert_eq!(backup.stores[0].1.list("index").await.unwrap().len(), 1, "it says what is stored");
    source.control().reset_counters();
    let report = backup.snapshot(&source).await.unwrap();
    assert_eq!(report.committed.manifest.status, Status::Complete);
    let files = source.control().requests_to(Endpoint::File);
    assert!(files < 30, "{files} files were downloaded, though some were stored");
}

#[tokio::test]
async fn a_source_that_fails_half_way_does_not_cost_what_was_read() {
    let (source, backup) = (Source::synthetic(350, 30), Backup::in_memory(1).await);
    // From the third page on every search fails.
    let control = source.control();
    source.control().on_request_to(Endpoint::Search, 3, move |_| {
        let errors = Some(ErrorRate { status: 500, share: 1.0 });
        control.set_faults(Faults {
            errors,
            endpoints: Some([Endpoint::Search].into()),
            ..Faults::default()
        });
    });
    let failed = backup.snapshot(&source).await;
    assert!(matches!(failed, Err(SnapshotError::Source { .. })), "{failed:?}");
    assert_eq!(backup.stores[0].1.list("snapshots").await.unwrap(), []);
    assert_eq!(backup.stores[0].1.list("index").await.unwrap().len(), 1, "it says what is stored");
    source.control().set_faults(Faults::default());
    let report = backup.snapshot(&source).await.unwrap();
    assert_eq!(report.committed.manifest.status, Status::Complete);
    assert!(report.committed.manifest.added.items < 350, "{:?}", report.committed.manifest.added);
}
