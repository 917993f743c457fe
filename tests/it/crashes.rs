//! Crash sweep: the process dies at the k-th write, for every k. What was there stays good, and
//! the same command again completes.

use std::path::Path;
use std::sync::Arc;

use prismvault::clock::{Clock as _, ManualClock, SystemClock};
use prismvault::objects::ObjectStore;
use prismvault::objects::faults::{CrashPoint, CrashSwitch, FaultStore};
use prismvault::objects::local::LocalStore;
use prismvault::vault::format::manifest::Status;
use prismvault::vault::snapshots::Snapshots;
use prismvault::verification::{Level, verify};

use crate::backups::{Backup, Source, Stores, as_stores, copy_objects, copy_stores, verify_options};

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

/// The same vault in directories of its own below `place`.
async fn copy_to_directories(stores: &Stores, place: &Path) -> Stores {
    let mut copies: Stores = Vec::new();
    for (name, store) in stores {
        let copy = LocalStore::create(&place.join(name)).await.unwrap();
        copy_objects(store.as_ref(), &copy).await;
        copies.push((name.clone(), Arc::new(copy)));
    }
    copies
}

/// Makes packs and pages small, so that there are many writes of every kind; the client that dies
/// remembers nothing.
fn with_small_packs(backup: &mut Backup) {
    backup.limits.pack_bytes = 40 << 10;
    backup.limits.checkpoint_bytes = 50 << 10;
    backup.limits.frame_bytes = 4 << 10;
    backup.state = None;
}

/// Everything that manifests promise is there and readable; unreferenced objects may be.
async fn assert_sound(backup: &Backup, case: &str) -> usize {
    let vault = backup.open_with(vec![backup.operator.clone(), backup.recovery.clone()]).await.unwrap();
    let report = verify(&vault, &verify_options(Level::Content)).await.unwrap();
    let harm: Vec<_> = report.damage.iter().filter(|damage| damage.kind.is_integrity()).collect();
    assert!(harm.is_empty(), "{case}: {harm:?}");
    Snapshots::load(&vault, None).await.unwrap().iter().count()
}

/// Takes a snapshot that dies on stores over `survivors`, looks at what is left, and takes it
/// again without dying.
async fn die_and_go_on(
    backup: &mut Backup,
    source: &Source,
    survivors: Stores,
    point: CrashPoint,
    before: usize,
) {
    let case = format!("{before} before, {point:?}");
    backup.stores = dying(&survivors, &CrashSwitch::at(point));
    let died = backup.snapshot(source).await;
    backup.stores = survivors;
    let there = assert_sound(backup, &case).await;
    assert!((before..=before + 1).contains(&there), "{case}: {there}");
    assert!(died.is_err() || there == before + 1, "{case}: success only with a manifest");
    let again = backup.snapshot(source).await.unwrap();
    assert_eq!(again.committed.manifest.status, Status::Complete, "{case}");
    assert_eq!(again.committed.on.len(), 2, "{case}: {:?}", again.committed.behind);
    assert_eq!(assert_sound(backup, &case).await, there + 1, "{case}");
}

/// How many writes a snapshot makes on these stores.
async fn count_writes(backup: &mut Backup, source: &Source, stores: &Stores) -> u64 {
    let counter = CrashSwitch::never();
    backup.stores = dying(stores, &counter);
    backup.snapshot(source).await.unwrap();
    counter.writes()
}

#[tokio::test]
async fn a_crash_at_any_write_harms_nothing_and_the_next_run_completes() {
    let source = Source::synthetic(40, 3);
    let mut backup = Backup::in_memory(2).await;
    with_small_packs(&mut backup);
    let clock = Arc::clone(&backup.clock);
    let empty = backup.stores.clone();
    backup.stores = as_stores(&copy_stores(&empty, &clock).await);
    backup.snapshot(&source).await.unwrap();
    let with_one = std::mem::take(&mut backup.stores);
    source.repository.edit(0.3, 5).unwrap();

    for (before, snapshots_before) in [(&empty, 0), (&with_one, 1)] {
        let base = as_stores(&copy_stores(before, &clock).await);
        let writes = count_writes(&mut backup, &source, &base).await;
        assert!(writes > 12, "{writes} writes");
        for k in 1..=writes {
            for point in [CrashPoint::Before(k), CrashPoint::After(k)] {
                let survivors = as_stores(&copy_stores(before, &clock).await);
                die_and_go_on(&mut backup, &source, survivors, point, snapshots_before).await;
            }
        }
    }
}

#[tokio::test]
async fn a_crash_on_directories_harms_nothing_and_the_next_run_completes() {
    let source = Source::synthetic(40, 3);
    let places = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let mut stores: Stores = Vec::new();
    for name in ["near", "far"] {
        let store = LocalStore::create(&places.path().join("first").join(name)).await.unwrap();
        stores.push((name.to_owned(), Arc::new(store)));
    }
    let mut backup = Backup::on(stores, true, clock).await;
    with_small_packs(&mut backup);
    backup.snapshot(&source).await.unwrap();
    let with_one = backup.stores.clone();
    source.repository.edit(0.3, 5).unwrap();

    let base = copy_to_directories(&with_one, &places.path().join("counted")).await;
    let writes = count_writes(&mut backup, &source, &base).await;
    assert!(writes > 12, "{writes} writes");
    // The first writes, some in the middle, and all of the manifest and its signature.
    for k in [1, 2, writes / 3, writes / 2, writes - 3, writes - 2, writes - 1, writes] {
        for point in [CrashPoint::Before(k), CrashPoint::After(k)] {
            let place = tempfile::tempdir().unwrap();
            let survivors = copy_to_directories(&with_one, place.path()).await;
            die_and_go_on(&mut backup, &source, survivors, point, 1).await;
        }
    }
}
