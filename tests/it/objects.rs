//! The contract of object stores, on every store and every wrapper.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use prismvault::clock::SystemClock;
use prismvault::ids::Digest;
use prismvault::limits::Limits;
use prismvault::objects::contract::{self, Line};
use prismvault::objects::counting::CountingStore;
use prismvault::objects::faults::{Chaos, CrashSwitch, Fault, FaultRule, FaultStore};
use prismvault::objects::limit::LimitStore;
use prismvault::objects::local::LocalStore;
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::operation::Operation;
use prismvault::objects::prefix::PrefixStore;
use prismvault::objects::probed::ProbedStore;
use prismvault::objects::retry::RetryStore;
use prismvault::objects::url::{Opening, ReplicaOptions, open_replica};
use prismvault::objects::{Abilities, Body, ErrorKind, LockMode, LockRule, ObjectStore, PutMode, SpoolFile};

fn memory() -> MemoryStore {
    MemoryStore::new("test", Arc::new(SystemClock))
}

/// A store whose puts are locked for a fortnight.
fn locked(mode: LockMode) -> MemoryStore {
    memory().with_locks(Some(LockRule { mode, window: TimeDelta::days(14) }))
}

/// Checks the whole contract.
pub(crate) async fn keeps_the_contract(store: impl ObjectStore) {
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let violations = contract::check_all(&store).await;
    assert!(violations.is_empty(), "{store} violates its contract: {violations:#?}");
}

pub(crate) fn spooled(dir: &Path, bytes: &[u8]) -> Body {
    let mut file = tempfile::NamedTempFile::new_in(dir).unwrap();
    file.write_all(bytes).unwrap();
    Body::file(Arc::new(SpoolFile::new(file.into_temp_path())), bytes.len() as u64, Digest::of(bytes))
}

#[tokio::test]
async fn a_store_in_memory_keeps_the_contract() {
    keeps_the_contract(memory()).await;
}

#[tokio::test]
async fn a_store_with_fewer_abilities_keeps_the_contract_by_refusing() {
    for (create_only, stored_checksums) in [(false, false), (true, false), (false, true)] {
        let abilities = Abilities { create_only, stored_checksums, ..Abilities::NONE };
        keeps_the_contract(memory().with_abilities(abilities)).await;
        keeps_the_contract(ProbedStore::new(Arc::new(memory()), abilities)).await;
    }
}

#[tokio::test]
async fn a_store_with_versions_and_locks_keeps_the_contract() {
    let versions = Abilities { create_only: true, stored_checksums: true, versions: true, locks: false };
    keeps_the_contract(memory().with_abilities(versions)).await;
    keeps_the_contract(memory().with_locks(None)).await;
    for mode in [LockMode::Governance, LockMode::Compliance] {
        keeps_the_contract(locked(mode)).await;
    }
}

#[tokio::test]
async fn a_directory_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    keeps_the_contract(LocalStore::create(&dir.path().join("vault")).await.unwrap()).await;
}

#[tokio::test]
async fn every_wrapper_keeps_the_contract() {
    let limits = Limits::default();
    for store in [memory(), locked(LockMode::Compliance)] {
        let store = || Arc::new(store.clone());
        keeps_the_contract(LimitStore::new(store(), 2)).await;
        keeps_the_contract(RetryStore::new(store(), &limits)).await;
        keeps_the_contract(PrefixStore::new(store(), "deep/prefix").unwrap()).await;
        keeps_the_contract(CountingStore::new(store())).await;
        keeps_the_contract(FaultStore::new(store()).with_crash(CrashSwitch::never())).await;
        keeps_the_contract(ProbedStore::new(store(), store().abilities())).await;
    }
}

#[tokio::test]
async fn retries_hide_a_store_that_fails_every_now_and_then() {
    let faults = FaultStore::new(Arc::new(locked(LockMode::Governance)));
    for operation in Operation::ALL {
        for call in [1, 4, 6, 13] {
            let kind = if operation.writes() { ErrorKind::Unknown } else { ErrorKind::Transient };
            faults.add(FaultRule::new(Fault::Fail(kind)).on(operation).from(call).times(2));
        }
        faults.add(FaultRule::new(Fault::LoseAnswer).on(operation).from(2).times(1));
        faults.add(FaultRule::new(Fault::LoseAnswer).on(operation).from(9).times(1));
    }
    let limits = Limits { backoff_min: Duration::ZERO, backoff_max: Duration::ZERO, ..Limits::default() };
    let store: Arc<dyn ObjectStore> = Arc::new(RetryStore::new(Arc::new(faults.clone()), &limits));
    for line in Line::ALL {
        contract::check(&store, line).await.unwrap();
    }
}

#[tokio::test]
async fn a_store_that_fails_by_chance_loses_nothing_under_retries() {
    let limits = Limits { backoff_min: Duration::ZERO, backoff_max: Duration::ZERO, ..Limits::default() };
    for seed in 0..20 {
        let memory = locked(LockMode::Governance);
        let faults = FaultStore::new(Arc::new(memory.clone()));
        let chaos = Chaos {
            seed,
            errors: 0.15,
            lost_answers: 0.15,
            delays: 0.1,
            delay_max: Duration::from_millis(1),
            ..Chaos::default()
        };
        faults.set_chaos(chaos);
        let store = RetryStore::new(Arc::new(faults), &Limits { store_attempts: 12, ..limits.clone() });
        let keys: Vec<_> = (0..40).map(|number| format!("packs/{number}")).collect();
        let put = |key: &String| {
            let (store, body) = (&store, Body::bytes(key.clone()));
            let key = key.clone();
            async move { store.put(&key, body, PutMode::CreateOnly).await }
        };
        for put in join_all(keys.iter().map(put)).await {
            put.unwrap();
        }
        for key in &keys {
            assert_eq!(store.get(key, 99).await.unwrap(), *key);
        }
        // A put whose answer was lost is not done twice: that would add a version.
        assert_eq!(store.list_versions("").await.unwrap().len(), keys.len(), "seed {seed}");
        assert_eq!(memory.len(), keys.len());
    }
}

#[tokio::test]
async fn the_contract_finds_what_a_lying_store_does() {
    let faults = FaultStore::new(Arc::new(memory()));
    faults.add(FaultRule::new(Fault::CutBody).on(Operation::Put));
    let store: Arc<dyn ObjectStore> = Arc::new(faults);
    let found: Vec<_> =
        contract::check_all(&store).await.into_iter().map(|violation| violation.line).collect();
    for line in [Line::PutIsSeen, Line::FilesAreStored, Line::WrongBodyLeavesNothing, Line::RangesAreExact] {
        assert!(found.contains(&line), "{line:?} is not among {found:?}");
    }
}

#[tokio::test]
async fn replicas_opened_by_address_keep_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let options = ReplicaOptions {
        opening: Opening::Create,
        base_dir: Some(dir.path().to_owned()),
        ..ReplicaOptions::default()
    };
    let store = open_replica("./vault", &options, &Limits::default()).await.unwrap();
    let violations = contract::check_all(&store).await;
    assert!(violations.is_empty(), "{violations:#?}");
    assert!(dir.path().join("vault").is_dir());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_processes_that_create_one_file_exactly_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let key = format!("snapshots/{round}/manifest");
        let writers = join_all((0..8).map(|_| LocalStore::open(dir.path()))).await;
        let puts = writers.iter().enumerate().map(|(number, store)| {
            let body = Body::bytes(format!("writer {number} ").repeat(1000));
            store.as_ref().unwrap().put(&key, body, PutMode::CreateOnly)
        });
        let results = join_all(puts).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        for err in results.into_iter().filter_map(Result::err) {
            assert_eq!(err.kind, ErrorKind::AlreadyExists);
        }
    }
    assert_eq!(std::fs::read_dir(dir.path().join(".tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_large_body_is_streamed_from_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::create(&dir.path().join("vault")).await.unwrap();
    let bytes: Vec<u8> = (0..50_u32 << 20).map(|at| (at >> 7) as u8).collect();
    let body = spooled(dir.path(), &bytes);
    store.put("packs/large", body.clone(), PutMode::CreateOnly).await.unwrap();
    assert_eq!(std::fs::metadata(dir.path().join("vault/packs/large")).unwrap().len(), 50 << 20);
    let end = store.get_range("packs/large", (50 << 20) - 9..50 << 20).await.unwrap();
    assert_eq!(end, bytes[bytes.len() - 9..]);
    assert_eq!(store.get("packs/large", 1 << 20).await.unwrap_err().kind, ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_directory_has_no_locks_and_says_so_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let options = ReplicaOptions {
        opening: Opening::Create,
        base_dir: Some(dir.path().to_owned()),
        lock: Some(LockRule { mode: LockMode::Governance, window: TimeDelta::days(14) }),
        ..ReplicaOptions::default()
    };
    let err = open_replica("./vault", &options, &Limits::default()).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Unsupported);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
