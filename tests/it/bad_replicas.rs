//! Replicas that do not let everything be done, and listings that lag, for each command: said
//! clearly, and nothing is lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use prismvault::objects::ErrorKind as StoreKind;
use prismvault::objects::faults::{Fault, FaultRule, FaultStore};
use prismvault::objects::operation::Operation;
use prismvault::pruning::{apply, plan};
use prismvault::replication;
use prismvault::snapshot::SnapshotReport;
use prismvault::vault::error::ErrorKind;
use prismvault::verification::{DamageKind, Level, verify};

use crate::backups::{Backup, Source, Stores, small, verify_options};
use crate::pruning::{a_day, everything, grace, options, prune, remove, with_removed};
use crate::replication::{assert_whole, carry_out, faulty, replicate, request};

const OPERATIONS: [Operation; 6] = [
    Operation::Put,
    Operation::Get,
    Operation::GetRange,
    Operation::Head,
    Operation::List,
    Operation::Delete,
];

fn denied(operation: Operation) -> FaultRule {
    FaultRule::new(Fault::Fail(StoreKind::Denied)).on(operation)
}

/// Three replicas, of which two must hold a snapshot, with one snapshot.
async fn three(source: &Source) -> Backup {
    let mut backup = Backup::in_memory(3).await;
    backup.min_copies = Some(2);
    backup.snapshot(source).await.unwrap();
    backup
}

/// Why a snapshot is not on a replica.
fn behind<'a>(report: &'a SnapshotReport, replica: &str) -> Option<&'a String> {
    report.committed.behind.get(replica)
}

#[tokio::test]
async fn a_snapshot_goes_on_without_a_replica_that_denies_something_and_names_it() {
    for operation in OPERATIONS {
        let source = small();
        let mut backup = three(&source).await;
        let door = faulty(&mut backup, 2);
        source.repository.edit(0.3, 7).unwrap();
        door.add(denied(operation));
        let report = backup.snapshot(&source).await;
        door.clear();
        let report = report.unwrap_or_else(|error| panic!("{operation}: {error}"));
        // A snapshot writes, looks and lists; it reads no body again and deletes nothing.
        let on = &report.committed.on;
        let needed = matches!(operation, Operation::Put | Operation::Head | Operation::List | Operation::Get);
        assert!(on.len() >= 2 && on.contains(&"replica-0".to_owned()), "{operation}: {on:?}");
        if needed {
            let why = behind(&report, "replica-2").unwrap_or_else(|| panic!("{operation}: {report:?}"));
            assert!(!why.is_empty() && !on.contains(&"replica-2".to_owned()), "{operation}: {why}");
        } else {
            assert_eq!(on.len(), 3, "{operation}: {report:?}");
        }
        replicate(&backup).await;
        assert_whole(&backup, &operation.to_string()).await;
    }
}

#[tokio::test]
async fn a_verification_takes_what_is_denied_for_unread_and_never_for_lost() {
    for operation in OPERATIONS {
        let source = small();
        let mut backup = three(&source).await;
        let door = faulty(&mut backup, 2);
        let vault = backup.open().await.unwrap();
        door.add(denied(operation));
        let report = verify(&vault, &verify_options(Level::Bytes)).await.unwrap();
        let read = matches!(operation, Operation::Get | Operation::GetRange | Operation::List);
        let named = report.damage.iter().any(|damage| damage.replica == "replica-2");
        assert_eq!(named, read, "{operation}: {:?}", report.damage);
        for damage in &report.damage {
            assert!(!damage.kind.is_integrity(), "{operation}: {damage:?}");
            assert_eq!(damage.replica, "replica-2", "{operation}: {damage:?}");
        }
        assert_eq!((report.lost.len(), report.affected.len()), (0, 0), "{operation}");
        door.clear();
        assert_whole(&backup, &operation.to_string()).await;
    }
}

#[tokio::test]
async fn a_prune_that_may_not_do_everything_stops_before_it_deletes_or_names_what_it_could_not() {
    for operation in OPERATIONS {
        let (mut vault, ..) = with_removed(2).await;
        // Marks are written, and are old enough; and there is more to mark.
        prune(&vault.backup).await;
        vault.backup.clock.advance(grace());
        let honest: Stores = vault.backup.stores.clone();
        let before = everything(&honest).await;
        let inner = Arc::clone(&vault.backup.stores[1].1);
        let door = Arc::new(FaultStore::new(inner));
        vault.backup.stores[1].1 = Arc::<FaultStore>::clone(&door);
        let open = vault.backup.open().await.unwrap();
        door.add(denied(operation));
        let done = match plan(&open).await {
            Ok(planned) => apply(&open, &planned, &options()).await,
            Err(error) => Err(error),
        };
        match (operation, done) {
            (Operation::Delete, Ok(report)) => {
                assert!(!report.failed.is_empty(), "{report:?}");
                assert!(report.failed.iter().all(|failed| failed.replica == "replica-1"), "{report:?}");
            }
            // It writes only marks, of which there are none now.
            (Operation::Put | Operation::GetRange, Ok(report)) => {
                assert_eq!(report.failed, [], "{operation}");
            }
            // Of the file that is to go; everything else was read before.
            (Operation::Head | Operation::Get, Ok(report)) => {
                let failed = report.failed.iter().all(|failed| failed.replica == "replica-1");
                assert!(failed && !report.failed.is_empty(), "{operation}: {report:?}");
            }
            (_, Ok(report)) => panic!("{operation}: {report:?}"),
            (_, Err(error)) => {
                assert!(
                    matches!(error.kind, ErrorKind::TooFewReplicas | ErrorKind::Refused),
                    "{operation}: {error}"
                );
                assert!(error.next_step().is_some_and(|hint| !hint.is_empty()), "{operation}: {error}");
                let after: BTreeMap<_, _> = everything(&honest).await;
                assert!(before.iter().all(|(key, digest)| after.get(key) == Some(digest)), "{operation}");
            }
        }
        door.clear();
        prune(&vault.backup).await;
        vault.backup.clock.advance(grace());
        prune(&vault.backup).await;
        assert_eq!(crate::pruning::assert_sound(&vault.backup, &operation.to_string()).await, 2);
    }
}

#[tokio::test]
async fn listings_that_miss_new_keys_cost_a_snapshot_space_and_nothing_else() {
    for lagging in [vec![0], vec![1], vec![0, 1]] {
        let source = small();
        let mut backup = Backup::in_memory(2).await;
        // Nothing is remembered: a manifest that a list does not show must not look like an attack.
        backup.state = None;
        let doors: Vec<_> = lagging.iter().map(|at| faulty(&mut backup, *at)).collect();
        doors.iter().for_each(|door| door.set_list_lag(4));
        for round in 0..3 {
            source.repository.edit(0.2, round).unwrap();
            backup.snapshot(&source).await.unwrap();
        }
        let harm = backup.verified(Level::Content).await.damage;
        assert!(harm.iter().all(|damage| damage.kind == DamageKind::Behind), "{lagging:?}: {harm:?}");
        doors.iter().for_each(FaultStore::clear);
        let vault = backup.open().await.unwrap();
        let plan = replication::plan(&vault, &request()).await.unwrap();
        assert_eq!(plan.lost, [], "{lagging:?}");
        carry_out(&vault, &plan).await;
        assert_whole(&backup, &format!("{lagging:?}")).await;
        let report = backup.verified(Level::Content).await;
        assert_eq!(report.snapshots, 3, "{lagging:?}");
    }
}

#[tokio::test]
async fn a_prune_by_listings_that_miss_new_keys_deletes_nothing_that_is_needed() {
    let source = small();
    let mut backup = Backup::in_memory(2).await;
    backup.state = None;
    let first = backup.snapshot(&source).await.unwrap().committed.manifest;
    source.repository.edit(0.5, 1).unwrap();
    backup.snapshot(&source).await.unwrap();
    backup.clock.advance(a_day());
    remove(&backup, &[&first], None).await;
    let doors = [faulty(&mut backup, 0), faulty(&mut backup, 1)];
    doors.iter().for_each(|door| door.set_list_lag(2));
    source.repository.edit(0.5, 2).unwrap();
    backup.snapshot(&source).await.unwrap();
    for hours in [0, 30, 50, 80, 80] {
        backup.clock.advance(TimeDelta::hours(hours));
        let vault = backup.open().await.unwrap();
        if let Ok(planned) = plan(&vault).await {
            drop(apply(&vault, &planned, &options()).await);
        }
    }
    doors.iter().for_each(FaultStore::clear);
    assert_whole(&backup, "lagging").await;
    assert_eq!(backup.verified(Level::Content).await.snapshots, 2);
}
