//! Crash sweep: the process dies at the k-th write, for every k. What was there stays good, and
//! the same command again completes.

use std::sync::Arc;

use prismvault::objects::faults::{CrashPoint, CrashSwitch, FaultStore};
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::{Body, ObjectStore, PutMode};
use prismvault::progress::Silent;
use prismvault::vault::format::manifest::Status;
use prismvault::vault::snapshots::Snapshots;
use prismvault::verification::{Level, VerifyOptions, verify};
use tokio_util::sync::CancellationToken;

use crate::backups::{Backup, Source};

type Stores = Vec<(String, Arc<dyn ObjectStore>)>;

async fn copy(stores: &Stores, backup: &Backup) -> Stores {
    let mut copies: Stores = Vec::new();
    for (name, store) in stores {
        let copy = MemoryStore::new(name, Arc::<prismvault::clock::ManualClock>::clone(&backup.clock));
        for object in store.list("").await.unwrap() {
            let bytes = store.get(&object.key, u64::MAX).await.unwrap();
            copy.put(&object.key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
        }
        copies.push((name.clone(), Arc::new(copy)));
    }
    copies
}

fn dying(stores: &Stores, switch: &CrashSwitch) -> Stores {
    stores
        .iter()
        .map(|(name, store)| {
            let faulty: Arc<dyn ObjectStore> =
                Arc::new(FaultStore::new(Arc::clone(store)).with_crash(switch.clone()));
            (name.clone(), faulty)
        })
        .collect()
}

/// Everything that manifests promise is there and readable; unreferenced objects may be.
async fn assert_sound(backup: &Backup, case: &str) -> usize {
    let vault = backup.open_with(vec![backup.operator.clone(), backup.recovery.clone()]).await.unwrap();
    let options = VerifyOptions {
        level: Some(Level::Content),
        snapshots: Vec::new(),
        progress: &Silent,
        cancel: CancellationToken::new(),
    };
    let report = verify(&vault, &options).await.unwrap();
    let harm: Vec<_> = report.damage.iter().filter(|damage| damage.kind.is_integrity()).collect();
    assert!(harm.is_empty(), "{case}: {harm:?}");
    Snapshots::load(&vault, None).await.unwrap().iter().count()
}

#[tokio::test]
async fn a_crash_at_any_write_harms_nothing_and_the_next_run_completes() {
    let source = Source::synthetic(40, 3);
    let mut backup = Backup::in_memory(2).await;
    // Small packs and pages, so that there are many writes of every kind.
    backup.limits.pack_bytes = 40 << 10;
    backup.limits.checkpoint_bytes = 50 << 10;
    backup.limits.frame_bytes = 4 << 10;
    // The client that dies remembers nothing.
    backup.state = None;
    let empty = backup.stores.clone();
    backup.stores = copy(&empty, &backup).await;
    backup.snapshot(&source).await.unwrap();
    let with_one = std::mem::take(&mut backup.stores);
    source.repository.edit(0.3, 5).unwrap();

    for (before, snapshots_before) in [(&empty, 0), (&with_one, 1)] {
        let counter = CrashSwitch::never();
        let base = copy(before, &backup).await;
        backup.stores = dying(&base, &counter);
        backup.snapshot(&source).await.unwrap();
        let writes = counter.writes();
        assert!(writes > 12, "{writes} writes");
        for k in 1..=writes {
            for point in [CrashPoint::Before(k), CrashPoint::After(k)] {
                let case = format!("{snapshots_before} before, {point:?} of {writes}");
                let survivors = copy(before, &backup).await;
                backup.stores = dying(&survivors, &CrashSwitch::at(point));
                let died = backup.snapshot(&source).await;
                backup.stores = survivors;
                let there = assert_sound(&backup, &case).await;
                assert!((snapshots_before..=snapshots_before + 1).contains(&there), "{case}: {there}");
                assert!(
                    died.is_err() || there == snapshots_before + 1,
                    "{case}: success only with a manifest"
                );
                let again = backup.snapshot(&source).await.unwrap();
                assert_eq!(again.committed.manifest.status, Status::Complete, "{case}");
                assert_eq!(again.committed.on.len(), 2, "{case}: {:?}", again.committed.behind);
                assert_eq!(assert_sound(&backup, &case).await, there + 1, "{case}");
            }
        }
    }
}
