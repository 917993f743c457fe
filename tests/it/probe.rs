//! The probe finds out what stores really do, and what it finds makes nothing less safe.

use std::sync::Arc;

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, ManualClock};
use prismvault::limits::Limits;
use prismvault::objects::faults::{Condition, Fault, FaultRule, FaultStore};
use prismvault::objects::local::LocalStore;
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::operation::Operation;
use prismvault::objects::probe::{CheckName, CheckOutcome, Probe, probe};
use prismvault::objects::s3::{S3Options, S3Store};
use prismvault::objects::{Abilities, Body, ErrorKind, LockMode, LockRule, ObjectStore, PutMode};

use crate::s3_server::options;
use crate::s3_strict::{Flaws, StrictServer};

const SCRATCH: &str = "state/probe";
const ALL: Abilities = Abilities { create_only: true, stored_checksums: true, versions: true, locks: true };
const RULE: LockRule = LockRule { mode: LockMode::Governance, window: TimeDelta::days(14) };

fn manual() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-11-21T02:00:00Z".parse().unwrap()))
}

async fn probed(store: Arc<dyn ObjectStore>, clock: &ManualClock) -> Probe {
    probe(&store, clock, &Limits::default(), SCRATCH).await
}

/// Probes an S3 server with versions and locks that has these flaws.
async fn flawed(flaws: Flaws) -> (StrictServer, Probe) {
    let server = StrictServer::start(ALL, 1000, flaws).await;
    let options = S3Options { versions: true, lock: Some(RULE), ..options(server.address, "") };
    let store = Arc::new(S3Store::connect(options, &Limits::default()).await.unwrap());
    let clock = ManualClock::new(server.clock.now());
    let found = probe(&(store as Arc<dyn ObjectStore>), &clock, &Limits::default(), SCRATCH).await;
    (server, found)
}

fn outcome(found: &Probe, name: CheckName) -> CheckOutcome {
    found.check(name).unwrap_or_else(|| panic!("{name:?} is missing")).outcome
}

/// Names of the checks with an outcome other than yes.
fn not_yes(found: &Probe) -> Vec<CheckName> {
    let others = found.checks.iter().filter(|check| check.outcome != CheckOutcome::Yes);
    others.map(|check| check.name).collect()
}

#[tokio::test]
async fn a_store_that_can_everything_is_seen_to_and_keeps_only_what_is_locked() {
    let clock = manual();
    let memory = MemoryStore::new("m", Arc::<ManualClock>::clone(&clock)).with_locks(Some(RULE));
    let found = probed(Arc::new(memory.clone()), &clock).await;
    let usual = [CheckName::DefaultLock, CheckName::Multipart, CheckName::CleanUp];
    assert_eq!(not_yes(&found), usual, "{found:#?}");
    assert_eq!(found.abilities(ALL), ALL);
    assert_eq!(found.obstacles().count(), 0);
    assert_eq!(found.clock_offset_seconds, Some(0));

    // One object is locked, for a minute and not for a fortnight, and named.
    assert_eq!(found.left.len(), 1);
    assert!(found.left[0].why.contains("2026-11-21T02:01:00Z"), "{:?}", found.left);
    let versions = memory.list_versions("").await.unwrap();
    assert_eq!(versions.len(), 1);
    assert_eq!((&versions[0].key, &versions[0].version), (&found.left[0].key, &found.left[0].version));
}

#[tokio::test]
async fn a_directory_is_probed_and_left_empty() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::create(&dir.path().join("vault")).await.unwrap();
    let clock = ManualClock::new(store.server_time().await.unwrap().unwrap());
    let found = probed(Arc::new(store.clone()), &clock).await;
    let missing = [
        CheckName::StoredChecksum,
        CheckName::Versions,
        CheckName::ObjectLock,
        CheckName::DefaultLock,
        CheckName::Multipart,
    ];
    assert_eq!(not_yes(&found), missing, "{found:#?}");
    assert_eq!(found.abilities(store.abilities()), store.abilities());
    assert_eq!(store.list("").await.unwrap(), []);
}

#[tokio::test]
async fn an_honest_s3_server_keeps_all_its_abilities() {
    let (_server, found) = flawed(Flaws::default()).await;
    let usual = [CheckName::DefaultLock, CheckName::Multipart, CheckName::CleanUp];
    assert_eq!(not_yes(&found), usual, "{found:#?}");
    assert_eq!(found.abilities(ALL), ALL);
}

#[tokio::test]
async fn each_flaw_is_found_and_takes_the_ability_away() {
    let none = Flaws::default();
    for (flaws, name, expected, left) in [
        (
            Flaws { overwrites_always: true, ..none },
            CheckName::CreateOnly,
            CheckOutcome::No,
            Abilities { create_only: false, ..ALL },
        ),
        (
            Flaws { ignores_checksums: true, ..none },
            CheckName::WrongChecksumRefused,
            CheckOutcome::No,
            Abilities { stored_checksums: false, ..ALL },
        ),
        (
            Flaws { forgets_checksums: true, ..none },
            CheckName::StoredChecksum,
            CheckOutcome::No,
            Abilities { stored_checksums: false, ..ALL },
        ),
        (
            Flaws { forgets_locks: true, ..none },
            CheckName::ObjectLock,
            CheckOutcome::No,
            Abilities { locks: false, ..ALL },
        ),
        (
            Flaws { deletes_locked: true, ..none },
            CheckName::ObjectLock,
            CheckOutcome::No,
            Abilities { locks: false, ..ALL },
        ),
        (Flaws { locks_by_default: true, ..none }, CheckName::DefaultLock, CheckOutcome::Yes, ALL),
    ] {
        let (_server, found) = flawed(flaws).await;
        assert_eq!(outcome(&found, name), expected, "{flaws:?}: {found:#?}");
        assert_eq!(found.abilities(ALL), left, "{flaws:?}: {found:#?}");
        let obstacles: Vec<_> = found.obstacles().map(|check| check.name).collect();
        assert_eq!(obstacles.contains(&CheckName::ObjectLock), !left.locks, "{flaws:?}");
    }
}

#[tokio::test]
async fn a_probe_never_adds_what_the_kind_of_store_does_not_promise() {
    let (_server, found) = flawed(Flaws::default()).await;
    assert_eq!(found.abilities(Abilities::NONE), Abilities::NONE);
    let weak = Abilities { create_only: true, ..Abilities::NONE };
    assert_eq!(found.abilities(weak), weak);
    // What the probe did not see is not relied on, nor what a forged result leaves out.
    let empty = Probe { checks: Vec::new(), ..found };
    assert_eq!(empty.abilities(ALL), Abilities::NONE);
}

#[tokio::test]
async fn a_result_can_be_kept_as_json() {
    let (_server, found) = flawed(Flaws::default()).await;
    let text = serde_json::to_string(&found).unwrap();
    assert!(text.contains(r#""name":"wrong-checksum-refused","outcome":"yes""#), "{text}");
    assert!(text.contains(r#""name":"multipart","outcome":"not-asked""#), "{text}");
    assert_eq!(serde_json::from_str::<Probe>(&text).unwrap(), found);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_an_obstacle_and_the_rest_is_not_asked() {
    for condition in [Condition::ReadOnly, Condition::NoSpace, Condition::Denied] {
        let clock = manual();
        let faults = FaultStore::new(Arc::new(MemoryStore::new("m", Arc::<ManualClock>::clone(&clock))));
        faults.set_condition(condition);
        let found = probed(Arc::new(faults), &clock).await;
        assert_eq!(outcome(&found, CheckName::Write), CheckOutcome::Failed);
        assert_eq!(outcome(&found, CheckName::CreateOnly), CheckOutcome::NotAsked);
        assert!(found.obstacles().next().is_some(), "{condition:?}");
        assert_eq!(found.abilities(ALL), Abilities::NONE);
    }
}

#[tokio::test]
async fn credentials_that_only_create_are_no_obstacle() {
    let clock = manual();
    let memory = MemoryStore::new("m", Arc::<ManualClock>::clone(&clock));
    let faults = FaultStore::new(Arc::new(memory));
    for operation in [Operation::Delete, Operation::DeleteVersion] {
        faults.add(FaultRule::new(Fault::Fail(ErrorKind::Denied)).on(operation));
    }
    let found = probed(Arc::new(faults), &clock).await;
    assert_eq!(outcome(&found, CheckName::Delete), CheckOutcome::Failed);
    assert_eq!(found.obstacles().count(), 0, "{found:#?}");
    assert!(!found.left.is_empty() && found.left.iter().all(|left| !left.why.is_empty()));
}

#[tokio::test]
async fn wrong_clocks_damaged_reads_and_late_listings_are_obstacles() {
    let clock = manual();
    let store = || {
        let memory = MemoryStore::new("m", Arc::<ManualClock>::clone(&clock));
        Arc::new(FaultStore::new(Arc::new(memory)))
    };
    let obstacles = |found: &Probe| found.obstacles().map(|check| check.name).collect::<Vec<_>>();

    let late = store();
    late.set_list_lag(3);
    assert_eq!(obstacles(&probed(late, &clock).await), [CheckName::ListAfterPut]);

    let wrong = store();
    wrong.set_clock_offset(TimeDelta::days(1));
    let found = probed(wrong, &clock).await;
    assert_eq!(obstacles(&found), [CheckName::Clock]);
    assert_eq!(found.clock_offset_seconds, Some(86_400));

    let damaged = store();
    for operation in [Operation::Get, Operation::GetRange] {
        damaged.add(FaultRule::new(Fault::FlipBit).on(operation));
    }
    assert_eq!(obstacles(&probed(damaged, &clock).await), [CheckName::ReadBack, CheckName::RangeRead]);
}

#[tokio::test]
async fn what_a_crashed_probe_left_is_removed_by_a_later_one_and_nothing_else() {
    let clock = manual();
    let memory = MemoryStore::new("m", Arc::<ManualClock>::clone(&clock)).with_locks(None);
    let put = |key: &'static str| memory.put(key, Body::bytes("x"), PutMode::CreateOnly);
    put("state/probe/20261120T000000Z-aaaaaaaa/written").await.unwrap();
    memory.delete("state/probe/20261120T000000Z-aaaaaaaa/written").await.unwrap();
    put("packs/blog/x").await.unwrap();
    clock.advance(TimeDelta::hours(23));
    put("state/probe/20261121T020000Z-bbbbbbbb/written").await.unwrap();
    clock.advance(TimeDelta::hours(2));
    let found = probed(Arc::new(memory.clone()), &clock).await;
    assert_eq!(outcome(&found, CheckName::CleanUp), CheckOutcome::Yes, "{found:#?}");
    let left: Vec<_> =
        memory.list_versions("").await.unwrap().into_iter().map(|version| version.key).collect();
    // That of a probe that may be running is left to it.
    assert_eq!(left, ["packs/blog/x", "state/probe/20261121T020000Z-bbbbbbbb/written"]);
}

#[tokio::test]
async fn each_operation_that_is_denied_is_named_by_itself() {
    for (operations, denied) in [
        (&[Operation::Put][..], &["write", "replace"][..]),
        (&[Operation::Get, Operation::GetRange], &["read"]),
        (&[Operation::Head], &["look up"]),
        (&[Operation::List], &["list"]),
        (&[Operation::ListVersions], &["list versions"]),
        (&[Operation::Delete], &["delete"]),
        (&[Operation::DeleteVersion], &["delete a version"]),
        (
            &[Operation::Put, Operation::Delete, Operation::DeleteVersion],
            &["write", "replace", "delete", "delete a version"],
        ),
    ] {
        let clock = manual();
        let memory = MemoryStore::new("m", Arc::<ManualClock>::clone(&clock)).with_locks(None);
        let faults = FaultStore::new(Arc::new(memory));
        for operation in operations {
            faults.add(FaultRule::new(Fault::Fail(ErrorKind::Denied)).on(*operation));
        }
        let found = probed(Arc::new(faults), &clock).await;
        let of = |outcome| {
            let of = found.permissions.iter().filter(move |permission| permission.outcome == outcome);
            of.map(|permission| permission.operation.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of(CheckOutcome::No), denied, "{operations:?}: {:#?}", found.permissions);
        assert_eq!(of(CheckOutcome::Yes).len() + denied.len(), 8, "{:#?}", found.permissions);
    }
}

#[tokio::test]
async fn nothing_is_called_denied_where_a_store_hides_what_is_not_there() {
    let clock = manual();
    let faults = FaultStore::new(Arc::new(MemoryStore::new("m", Arc::<ManualClock>::clone(&clock))));
    faults.set_condition(Condition::Denied);
    let found = probed(Arc::new(faults), &clock).await;
    let outcome = |name: &str| {
        found.permissions.iter().find(|permission| permission.operation == name).unwrap().outcome
    };
    assert_eq!((outcome("write"), outcome("list")), (CheckOutcome::No, CheckOutcome::No));
    assert_eq!((outcome("read"), outcome("look up")), (CheckOutcome::NotAsked, CheckOutcome::NotAsked));
}
