//! Replication and repair when stores fail: bad sources, bits that flip, listings that lag, missing
//! permissions, a process that dies at any write.

use std::sync::Arc;

use prismvault::clock::ManualClock;
use prismvault::ids::Digest;
use prismvault::objects::faults::{Condition, CrashPoint, CrashSwitch, Fault, FaultRule, FaultStore};
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::operation::Operation;
use prismvault::objects::{Body, ErrorKind as StoreKind, ObjectStore, PutMode};
use prismvault::replication::plan;
use prismvault::vault::init::join;
use prismvault::vault::replica::Replica;
use prismvault::verification::{DamageKind, Level, apply_repair, plan_repair};

use crate::backups::{Backup, Source, as_stores, copy_stores, verify_options};
use crate::replication::{assert_whole, carry_out, faulty, keys, replicate, request, with_new_replica};

#[tokio::test]
async fn a_bad_source_is_passed_over_and_named_and_only_a_bad_last_one_is_a_loss() {
    let source = Source::synthetic(80, 4);
    let mut backup = Backup::in_memory(3).await;
    backup.limits.pack_bytes = 16 << 10;
    let third = faulty(&mut backup, 2);
    third.set_condition(Condition::Denied);
    backup.snapshot(&source).await.unwrap();
    let originals = copy_stores(&backup.stores[..2].to_vec(), &backup.clock).await;
    third.set_condition(Condition::Healthy);
    for prefix in ["packs/", "keys/", "index/", "snapshots/"] {
        for (bad, copy_batch_bytes) in
            [(vec![0], 4 << 20), (vec![0, 1], 4 << 20), (vec![0], 500), (vec![0, 1], 500)]
        {
            backup.limits.copy_batch_bytes = copy_batch_bytes;
            let copies = copy_stores(&as_stores(&originals), &backup.clock).await;
            let empty = MemoryStore::new("replica-2", Arc::<ManualClock>::clone(&backup.clock));
            for key in ["vault.json", "replica.json", "trust/1.json", "trust/1.json.minisig"] {
                let from = if key == "replica.json" { &third as &dyn ObjectStore } else { &originals[0].1 };
                let bytes = from.get(key, u64::MAX).await.unwrap();
                empty.put(key, Body::bytes(bytes), PutMode::CreateOnly).await.unwrap();
            }
            let mut stores = copies.clone();
            stores.push(("replica-2".to_owned(), empty));
            backup.stores = as_stores(&stores);
            backup.state = None;
            let vault = backup.open().await.unwrap();
            let plan = plan(&vault, &request()).await.unwrap();
            // Damaged between plan and copy.
            let key = keys(&copies[0].1).await.into_iter().find(|key| key.starts_with(prefix)).unwrap();
            for replica in &bad {
                assert!(copies[*replica].1.tamper(&key, |bytes| bytes[10] ^= 4));
            }
            let report = carry_out(&vault, &plan).await;
            let case = format!("{key} bad on {bad:?}: {report:?}");
            assert_eq!(report.bad_copies.len(), bad.len(), "{case}");
            assert_eq!(report.lost.len(), usize::from(bad.len() == 2), "{case}");
            let target = report.targets.iter().find(|target| target.replica == "replica-2").unwrap();
            assert_eq!(target.snapshots.len(), usize::from(bad.len() == 1), "{case}");
            let there = keys(&stores[2].1)
                .await
                .into_iter()
                .any(|key| key.ends_with(".json") && key.starts_with("snapshots"));
            assert_eq!(there, bad.len() == 1, "no manifest without what it needs: {case}");
        }
    }
}

#[tokio::test]
async fn reading_that_loses_bytes_never_reaches_the_target() {
    let source = Source::synthetic(60, 4);
    let mut backup = with_new_replica(&source).await;
    let old = faulty(&mut backup, 0);
    let vault = backup.open().await.unwrap();
    let plan = plan(&vault, &request()).await.unwrap();
    old.add(FaultRule::new(Fault::CutBody).on(Operation::Get).key_containing("packs/"));
    let report = carry_out(&vault, &plan).await;
    assert!(!report.lost.is_empty());
    assert_eq!(backup.stores[1].1.list("packs").await.unwrap(), []);
    assert_eq!(backup.stores[1].1.list("snapshots").await.unwrap(), []);
    old.clear();
    let (_, report) = replicate(&backup).await;
    assert_eq!(report.lost, []);
    assert_whole(&backup, "read well").await;
}

#[tokio::test]
async fn bits_that_flip_while_an_object_is_passed_on_are_read_once_more() {
    let source = Source::synthetic(60, 4);
    // Once: two in a row may meet one object, whose second reading is the last.
    for (fault, times, lost) in [(Fault::FlipBit, 1, 0), (Fault::CutBody, 1, 0), (Fault::FlipBit, 10_000, 1)]
    {
        let mut backup = with_new_replica(&source).await;
        backup.limits.copy_batch_bytes = 500;
        let old = faulty(&mut backup, 0);
        let vault = backup.open().await.unwrap();
        let plan = plan(&vault, &request()).await.unwrap();
        let rule = FaultRule::new(fault).on(Operation::GetRange).key_containing("packs/");
        old.add(rule.from(2).times(times));
        let report = carry_out(&vault, &plan).await;
        assert_eq!(report.lost.len().min(1), lost, "{report:?}");
        assert_eq!(report.bad_copies.len(), report.lost.len(), "{report:?}");
        for object in backup.stores[1].1.list("packs").await.unwrap() {
            let bytes = backup.stores[1].1.get(&object.key, object.size).await.unwrap();
            assert!(object.key.ends_with(&Digest::of(&bytes).to_string()), "{}", object.key);
        }
        old.clear();
        replicate(&backup).await;
        assert_whole(&backup, "read well").await;
    }
}

#[tokio::test]
async fn bits_that_flip_on_the_way_never_reach_the_target() {
    let source = Source::synthetic(60, 4);
    let mut backup = with_new_replica(&source).await;
    let old = faulty(&mut backup, 0);
    let vault = backup.open().await.unwrap();
    let plan = plan(&vault, &request()).await.unwrap();
    old.add(FaultRule::new(Fault::FlipBit).on(Operation::Get).key_containing("packs/").from(2).times(2));
    let report = carry_out(&vault, &plan).await;
    assert_eq!((report.bad_copies.len(), report.lost.len()), (2, 2), "{report:?}");
    let target = report.targets.iter().find(|target| target.replica == "new").unwrap();
    // Which packs are hit differs: a snapshot that needs neither is brought, one that does is not.
    assert!(target.snapshots.len() < 2, "{report:?}");
    let (_, report) = replicate(&backup).await;
    assert_eq!(report.lost, []);
    assert_whole(&backup, "read well").await;
}

#[tokio::test]
async fn listings_that_miss_keys_make_nothing_lost_and_nothing_half_there() {
    for prefix in ["packs", "keys", "index", "snapshots"] {
        for behind in [0, 1] {
            let source = Source::synthetic(60, 4);
            let mut backup = with_new_replica(&source).await;
            if behind == 1 {
                replicate(&backup).await;
            }
            // Nothing is remembered: a listing that is cut must not look like an attack.
            backup.state = None;
            let lagging = faulty(&mut backup, behind);
            let vault = backup.open().await.unwrap();
            lagging.add(FaultRule::new(Fault::PartialList).on(Operation::List).key_containing(prefix));
            let plan = plan(&vault, &request()).await.unwrap();
            let report = carry_out(&vault, &plan).await;
            let case = format!("{prefix} listed by half on {behind}: {report:?}");
            // Bodies and headers are asked for before they are called lost; without an index object
            // nobody can know, and so it is said.
            assert!(report.lost.iter().all(|lost| lost.key.starts_with("index")), "{case}");
            lagging.clear();
            let harm = backup.verified(Level::Content).await.damage;
            assert!(harm.iter().all(|damage| damage.kind == DamageKind::Behind), "{case}: {harm:?}");
            replicate(&backup).await;
            assert_whole(&backup, &case).await;
        }
    }
}

#[tokio::test]
async fn a_crash_at_any_write_leaves_nothing_half_there_and_the_next_run_goes_on() {
    let source = Source::synthetic(40, 3);
    let mut backup = with_new_replica(&source).await;
    backup.state = None;
    backup.limits.copies_in_flight = 3;
    let originals = backup.stores.clone();
    let mut writes = u64::MAX;
    let mut k = 0;
    while k < writes {
        for point in [CrashPoint::Before(k), CrashPoint::After(k)] {
            // The first round counts.
            let switch = if k == 0 { CrashSwitch::never() } else { CrashSwitch::at(point) };
            let survivors = as_stores(&copy_stores(&originals, &backup.clock).await);
            backup.stores = survivors.clone();
            for (_, store) in &mut backup.stores {
                *store = Arc::new(FaultStore::new(Arc::clone(store)).with_crash(switch.clone()));
            }
            replicate(&backup).await;
            backup.stores = survivors;
            if k == 0 {
                writes = switch.writes();
                assert!(writes > 10, "{writes}");
                continue;
            }
            let case = format!("{point:?} of {writes}");
            let harm = backup.verified(Level::Content).await.damage;
            assert!(harm.iter().all(|damage| damage.kind == DamageKind::Behind), "{case}: {harm:?}");
            let (_, report) = replicate(&backup).await;
            assert!(report.targets.iter().all(|target| target.failed.is_empty()), "{case}: {report:?}");
            assert_whole(&backup, &case).await;
        }
        k += 1;
    }
}

#[tokio::test]
async fn a_replica_without_one_permission_is_named_and_the_others_are_brought_up_to_date() {
    for operation in [Operation::Put, Operation::Get, Operation::List, Operation::Head, Operation::Delete] {
        let source = Source::synthetic(60, 4);
        let mut backup = with_new_replica(&source).await;
        let another: Arc<dyn ObjectStore> =
            Arc::new(MemoryStore::new("another", Arc::<ManualClock>::clone(&backup.clock)));
        let vault = backup.open().await.unwrap();
        let joining = [Replica::new("another", Arc::clone(&another))];
        join(&vault.replicas.all()[0], &vault.file.vault, &joining).await.unwrap();
        backup.stores.push(("another".to_owned(), another));
        let denied = faulty(&mut backup, 1);
        let rule = FaultRule::new(Fault::Fail(StoreKind::Denied)).on(operation);
        // Opening reads a few files; what follows is refused.
        let vault = backup.open().await.unwrap();
        denied.add(rule);
        let plan = plan(&vault, &request()).await.unwrap();
        let report = carry_out(&vault, &plan).await;
        let failed = vault.replicas.failed();
        // What is not named by its digest is read back: the store was not probed.
        let needed = operation != Operation::Delete;
        assert_eq!(failed.len(), usize::from(needed), "{operation}: {failed:?}");
        if needed {
            assert_eq!(failed[0].0, "new");
            assert!(failed[0].1.why.contains("rehearsed"), "{operation}: {failed:?}");
        }
        let good = report.targets.iter().find(|target| target.replica == "another").unwrap();
        assert_eq!(good.snapshots.len(), 2, "{operation}: {report:?}");
        denied.clear();
        replicate(&backup).await;
        assert_whole(&backup, &operation.to_string()).await;
    }
}

#[tokio::test]
async fn a_replica_that_fails_in_the_middle_does_not_hold_up_the_others() {
    let source = Source::synthetic(80, 4);
    let mut backup = Backup::in_memory(3).await;
    backup.limits.pack_bytes = 16 << 10;
    backup.min_copies = Some(1);
    let (second, third) = (faulty(&mut backup, 1), faulty(&mut backup, 2));
    second.set_condition(Condition::Denied);
    third.set_condition(Condition::Denied);
    backup.snapshot(&source).await.unwrap();
    second.set_condition(Condition::Healthy);
    third.set_condition(Condition::Healthy);
    third.add(FaultRule::new(Fault::Fail(StoreKind::NoSpace)).on(Operation::Put).from(3));
    let vault = backup.open().await.unwrap();
    let plan = plan(&vault, &request()).await.unwrap();
    let report = carry_out(&vault, &plan).await;
    let of = |name: &str| report.targets.iter().find(|target| target.replica == name).unwrap();
    assert_eq!((of("replica-1").snapshots.len(), of("replica-1").failed.len()), (1, 0));
    assert_eq!(of("replica-2").snapshots.len(), 0);
    assert!(!of("replica-2").failed.is_empty());
    assert_eq!(vault.replicas.failed()[0].0, "replica-2");
    third.clear();
    let (_, report) = replicate(&backup).await;
    assert!(report.targets.iter().all(|target| target.failed.is_empty()), "{report:?}");
    assert_whole(&backup, "the next run goes on").await;
}

#[tokio::test]
async fn damaged_bytes_are_kept_aside_until_good_ones_are_read_back() {
    let source = Source::synthetic(40, 2);
    let mut backup = Backup::in_memory(2).await;
    backup.snapshot(&source).await.unwrap();
    let originals = copy_stores(&backup.stores, &backup.clock).await;
    let key = originals[1].1.list("packs").await.unwrap()[0].key.clone();
    let flip = |bytes: &mut Vec<u8>| bytes[3] ^= 1;
    // A store that loses half of what it is given, and says nothing.
    let copies = copy_stores(&as_stores(&originals), &backup.clock).await;
    assert!(copies[1].1.tamper(&key, flip));
    let bad = copies[1].1.get(&key, u64::MAX).await.unwrap();
    backup.stores = as_stores(&copies);
    let lossy = faulty(&mut backup, 1);
    lossy.add(FaultRule::new(Fault::CutBody).on(Operation::Put).key_containing("packs/").from(2).times(1));
    let vault = backup.open().await.unwrap();
    let (_, plan) = plan_repair(&vault, &verify_options(Level::Bytes)).await.unwrap();
    let report = apply_repair(&vault, &plan, &verify_options(Level::Bytes)).await.unwrap();
    assert_eq!(report.failed.len(), 1, "{report:?}");
    let aside = format!("state/damaged/{key}");
    assert_eq!(copies[1].1.get(&aside, u64::MAX).await.unwrap(), bad);
    backup.repair().await;
    assert!(copies[1].1.head(&aside).await.is_err(), "the next repair clears it away");
    assert_whole(&backup, "after repair").await;

    // A crash at any write: the bad bytes or the good ones are there, and nothing stays aside.
    for k in 1..=4 {
        for point in [CrashPoint::Before(k), CrashPoint::After(k)] {
            let copies = copy_stores(&as_stores(&originals), &backup.clock).await;
            assert!(copies[1].1.tamper(&key, flip));
            let survivors = as_stores(&copies);
            let switch = CrashSwitch::at(point);
            backup.stores.clone_from(&survivors);
            for (_, store) in &mut backup.stores {
                *store = Arc::new(FaultStore::new(Arc::clone(store)).with_crash(switch.clone()));
            }
            let vault = backup.open().await.unwrap();
            let (_, plan) = plan_repair(&vault, &verify_options(Level::Bytes)).await.unwrap();
            apply_repair(&vault, &plan, &verify_options(Level::Bytes)).await.unwrap();
            backup.stores = survivors;
            backup.repair().await;
            assert_whole(&backup, &format!("{point:?}")).await;
            assert_eq!(copies[1].1.list("state/damaged").await.unwrap(), [], "{point:?}");
        }
    }
}
