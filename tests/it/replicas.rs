//! Replicas that fail, come back, are added, and lie in S3.

use std::sync::Arc;

use prismvault::clock::{Clock, ManualClock, SystemClock};
use prismvault::objects::faults::{Condition, Fault, FaultRule, FaultStore};
use prismvault::objects::local::LocalStore;
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::operation::Operation;
use prismvault::objects::{ErrorKind as StoreKind, ObjectStore};
use prismvault::snapshot::SnapshotError;
use prismvault::vault::error::ErrorKind;
use prismvault::vault::format::manifest::Status;
use prismvault::vault::init::join;
use prismvault::vault::replica::Replica;
use prismvault::verification::{DamageKind, Level, VerifyOptions, verify};

use crate::backups::{Backup, Source, copy_objects, verify_options};
use crate::s3_server::{S3Server, connect};

/// Puts a store that can fail in front of a replica.
fn faulty(backup: &mut Backup, replica: usize) -> Arc<FaultStore> {
    let store = Arc::new(FaultStore::new(Arc::clone(&backup.stores[replica].1)));
    backup.stores[replica].1 = Arc::<FaultStore>::clone(&store);
    store
}

#[tokio::test]
async fn a_replica_that_fails_is_named_and_its_lack_is_brought_later() {
    for condition in [Condition::ReadOnly, Condition::Denied, Condition::NoSpace, Condition::Unreachable] {
        let source = Source::synthetic(60, 4);
        let mut backup = Backup::in_memory(3).await;
        let third = faulty(&mut backup, 2);
        third.set_condition(condition);
        let report = backup.snapshot(&source).await.unwrap();
        assert_eq!(report.committed.manifest.status, Status::Complete);
        assert_eq!(report.committed.on, ["replica-0", "replica-1"], "{condition:?}");
        assert!(
            report.committed.behind.contains_key("replica-2"),
            "{condition:?}: {:?}",
            report.committed.behind
        );

        third.set_condition(Condition::Healthy);
        let behind = backup.verified(Level::Content).await;
        assert!(behind.damage.iter().all(|damage| damage.kind == DamageKind::Behind), "{:?}", behind.damage);
        assert!(!behind.damage.is_empty());
        backup.repair().await;
        assert_eq!(backup.verified(Level::Content).await.damage, [], "{condition:?}");
        let next = backup.snapshot(&source).await.unwrap();
        assert_eq!(next.committed.on.len(), 3);
    }
}

#[tokio::test]
async fn with_too_few_replicas_there_is_no_manifest_anywhere() {
    for condition in [Condition::ReadOnly, Condition::Denied, Condition::NoSpace, Condition::Unreachable] {
        let source = Source::synthetic(60, 4);
        let mut backup = Backup::in_memory(2).await;
        faulty(&mut backup, 1).set_condition(condition);
        let error = backup.snapshot(&source).await.unwrap_err();
        let SnapshotError::Vault(error) = error else { panic!("{error}") };
        assert_eq!(error.kind, ErrorKind::TooFewReplicas, "{condition:?}: {error}");
        assert!(error.to_string().contains("replica-1"), "{error}");
        assert_eq!(backup.stores[0].1.list("snapshots").await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_replica_that_fails_in_the_middle_leaves_the_run_and_the_others_finish() {
    let source = Source::synthetic(120, 6);
    for key in ["packs/", "keys/", "index/", ".minisig", ".json"] {
        let mut backup = Backup::in_memory(3).await;
        backup.limits.pack_bytes = 32 << 10;
        let third = faulty(&mut backup, 2);
        third.add(FaultRule::new(Fault::Fail(StoreKind::Permanent)).on(Operation::Put).key_containing(key));
        let report = backup.snapshot(&source).await.unwrap();
        assert_eq!(report.committed.on, ["replica-0", "replica-1"], "{key}");
        third.clear();
        assert!(
            backup.verified(Level::Content).await.damage.iter().all(|damage| !damage.kind.is_integrity()),
            "{key}"
        );
        let next = backup.snapshot(&source).await.unwrap();
        assert_eq!(next.committed.manifest.status, Status::Complete);
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_after_success_changes_nothing() {
    let source = Source::synthetic(60, 4);
    for nth in 1..=8 {
        let mut backup = Backup::in_memory(2).await;
        backup.limits.store_attempts = 3;
        let second = faulty(&mut backup, 1);
        second.add(FaultRule::new(Fault::LoseAnswer).on(Operation::Put).from(nth).times(1));
        // As `open_replica` stacks them: retrying is a layer of its own.
        let retrying =
            prismvault::objects::retry::RetryStore::new(Arc::clone(&backup.stores[1].1), &backup.limits);
        backup.stores[1].1 = Arc::new(retrying);
        let report = backup.snapshot(&source).await.unwrap();
        assert_eq!(report.committed.on.len(), 2, "{nth}: {:?}", report.committed.behind);
        assert_eq!(backup.verified(Level::Content).await.damage, [], "{nth}");
    }
}

#[tokio::test]
async fn replicas_of_which_each_lacks_what_the_other_has_do_not_keep_a_snapshot_from_being_taken() {
    let source = Source::synthetic(60, 4);
    let mut backup = Backup::in_memory(2).await;
    backup.min_copies = Some(1);
    let stores = [faulty(&mut backup, 0), faulty(&mut backup, 1)];
    backup.snapshot(&source).await.unwrap();
    for round in 0..4 {
        let away = &stores[round % 2];
        away.set_condition(Condition::Unreachable);
        source.repository.edit(0.2, round as u64).unwrap();
        assert_eq!(backup.snapshot(&source).await.unwrap().committed.on.len(), 1, "{round}");
        away.set_condition(Condition::Healthy);
    }
    // Nobody replicates, and neither has everything.
    source.repository.edit(0.05, 9).unwrap();
    let report = backup.snapshot(&source).await.unwrap();
    assert!(!report.committed.on.is_empty());
    assert_eq!(report.committed.manifest.status, Status::Complete);
    let next = backup.snapshot(&source).await.unwrap();
    assert!(next.documents_unchanged, "what is whole on one is carried over");
    assert_eq!(next.committed.manifest.added.items, 0);
    let vault = backup.open_with(vec![backup.recovery.clone()]).await.unwrap();
    let all = VerifyOptions {
        snapshots: vec![report.committed.manifest.snapshot, next.committed.manifest.snapshot],
        ..verify_options(Level::Content)
    };
    let damage = verify(&vault, &all).await.unwrap().damage;
    assert!(damage.iter().all(|damage| damage.kind == DamageKind::Behind), "{damage:?}");
}

#[tokio::test]
async fn a_new_replica_joins_and_holds_the_next_snapshot() {
    let source = Source::synthetic(60, 4);
    let mut backup = Backup::in_memory(1).await;
    backup.snapshot(&source).await.unwrap();
    let new: Arc<dyn ObjectStore> =
        Arc::new(MemoryStore::new("new", Arc::<ManualClock>::clone(&backup.clock)));
    let vault = backup.open().await.unwrap();
    let joining = [Replica::new("new", Arc::clone(&new))];
    join(&vault.replicas.all()[0], &vault.file.vault, &joining).await.unwrap();
    backup.stores.push(("new".to_owned(), new));
    // Two copies are asked for now: what one replica alone holds is stored again.
    let report = backup.snapshot(&source).await.unwrap();
    assert_eq!(report.committed.on, ["replica-0", "new"], "{:?}", report.committed.behind);
    assert!(!report.documents_unchanged);
    let only_new = VerifyOptions {
        snapshots: vec![report.committed.manifest.snapshot],
        ..verify_options(Level::Content)
    };
    let vault = backup.open_with(vec![backup.recovery.clone()]).await.unwrap();
    assert_eq!(verify(&vault, &only_new).await.unwrap().damage, []);
    backup.repair().await;
    assert_eq!(backup.verified(Level::Content).await.damage, []);
}

#[tokio::test]
async fn replicas_of_different_vaults_are_refused() {
    let (first, second) = (Backup::in_memory(1).await, Backup::in_memory(1).await);
    let mut mixed = first;
    mixed.stores.push(("stranger".to_owned(), Arc::clone(&second.stores[0].1)));
    let error = mixed.open().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
}

#[tokio::test]
async fn a_clock_that_is_off_does_not_commit() {
    let source = Source::synthetic(40, 2);
    let mut backup = Backup::in_memory(1).await;
    let vault_clock = Arc::clone(&backup.clock);
    // The store's clock stands still while the client's runs ahead.
    let stores_own = Arc::new(ManualClock::new(vault_clock.now()));
    let store = MemoryStore::new("slow clock", Arc::<ManualClock>::clone(&stores_own));
    copy_objects(backup.stores[0].1.as_ref(), &store).await;
    backup.stores[0].1 = Arc::new(store);
    vault_clock.advance(chrono::TimeDelta::minutes(6));
    let SnapshotError::Vault(error) = backup.snapshot(&source).await.unwrap_err() else {
        panic!("another error")
    };
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    stores_own.advance(chrono::TimeDelta::minutes(6));
    backup.snapshot(&source).await.unwrap();
}

#[tokio::test]
async fn a_bucket_and_a_directory_hold_the_same_vault() {
    let server = S3Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    // The real clock: stores tell theirs.
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let stores: Vec<(String, Arc<dyn ObjectStore>)> = vec![
        ("bucket".to_owned(), Arc::new(connect(server.address, "vault").await)),
        (
            "directory".to_owned(),
            Arc::new(LocalStore::create(&directory.path().join("vault")).await.unwrap()),
        ),
    ];
    let backup = Backup::on(stores, true, clock).await;
    let source = Source::synthetic(120, 8);
    let report = backup.snapshot(&source).await.unwrap();
    assert_eq!(report.committed.on, ["bucket", "directory"], "{:?}", report.committed.behind);
    source.repository.edit(0.05, 2).unwrap();
    backup.snapshot(&source).await.unwrap();
    assert_eq!(backup.verified(Level::Content).await.damage, []);
    let mut keys = Vec::new();
    for (_, store) in &backup.stores {
        keys.push(
            store
                .list("")
                .await
                .unwrap()
                .into_iter()
                .map(|object| (object.key, object.size))
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(keys[0], keys[1], "the same keys of the same size");
}

#[tokio::test]
async fn a_vault_without_encryption_works_the_same() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new("open", Arc::<ManualClock>::clone(&clock)));
    let backup = Backup::on(vec![("open".to_owned(), store)], false, clock).await;
    let source = Source::synthetic(60, 4);
    backup.snapshot(&source).await.unwrap();
    let second = backup.snapshot(&source).await.unwrap();
    assert!(second.documents_unchanged);
    assert_eq!(backup.stores[0].1.list("keys").await.unwrap(), []);
    let vault = backup.open_with(Vec::new()).await.unwrap();
    vault.require_content_identity().unwrap();
    assert_eq!(verify(&vault, &verify_options(Level::Content)).await.unwrap().damage, []);
}

#[tokio::test]
async fn stored_checksums_tell_a_replaced_object_and_a_directory_keeps_none() {
    let server = S3Server::start().await;
    let source = Source::synthetic(40, 2);
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let bucket: Arc<dyn ObjectStore> = Arc::new(connect(server.address, "vault").await);
    let backup = Backup::on(vec![("bucket".to_owned(), Arc::clone(&bucket))], true, Arc::clone(&clock)).await;
    backup.snapshot(&source).await.unwrap();
    assert_eq!(backup.verified(Level::Stored).await.damage, []);
    // The largest holds content; without the catalog's nothing could be said of the others.
    let packs = bucket.list("packs").await.unwrap();
    let pack = packs.into_iter().max_by_key(|pack| pack.size).unwrap();
    let mut bytes = bucket.get(&pack.key, pack.size).await.unwrap().to_vec();
    bytes[0] ^= 1;
    let body = prismvault::objects::Body::bytes(bytes);
    bucket.put(&pack.key, body, prismvault::objects::PutMode::Overwrite).await.unwrap();
    let damage = backup.verified(Level::Stored).await.damage;
    assert_eq!(damage.len(), 1, "{damage:?}");
    assert_eq!((damage[0].kind, &damage[0].key), (DamageKind::Damaged, &pack.key));

    let directory = tempfile::tempdir().unwrap();
    let store = LocalStore::create(&directory.path().join("vault")).await.unwrap();
    let backup = Backup::on(vec![("directory".to_owned(), Arc::new(store))], true, clock).await;
    backup.snapshot(&source).await.unwrap();
    let vault = backup.open().await.unwrap();
    let error = verify(&vault, &verify_options(Level::Stored)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    assert!(error.next_step().unwrap().contains("bytes"));
}
