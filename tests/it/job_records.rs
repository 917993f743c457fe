//! Records of jobs, as a scheduler looks at them for years: only what changed is read.

use std::time::Duration;

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, rfc3339};
use prismvault::ids::Name;
use prismvault::objects::operation::Operation;
use prismvault::objects::{Body, ObjectStore as _, PutMode};
use prismvault::vault::error::VaultError;
use prismvault::vault::format::job::{JobRecord, RunRecord};
use prismvault::vault::jobs::{self, Seen};
use prismvault::vault::open::Vault;

use crate::vaults::TestVault;

const JOBS: u64 = 20;
/// Longer than a record must have been as it is.
const SETTLED: Duration = Duration::from_secs(6);

fn name(n: u64) -> Name {
    format!("job-{n}").parse().unwrap()
}

/// Records a job, with so many failures: one digit, so that the size of the file says nothing.
async fn record(test: &TestVault, vault: &Vault, n: u64, failures: u32) {
    let since = "2026-11-01T00:00:00Z".parse().unwrap();
    let mut record = JobRecord::first_seen(vault, &name(n), "snapshot", since);
    record.next = Some(rfc3339(test.backup.clock.now()));
    record.failures = failures;
    jobs::store(vault, &record).await.unwrap();
}

async fn failures(vault: &Vault, n: u64, seen: &Seen) -> u32 {
    jobs::load_all(vault, |_| true, seen).await[&name(n)].failures
}

/// Reads and listings of all replicas so far.
fn asked(vault: &Vault) -> (u64, u64) {
    let of = |operation| vault.replicas.all().iter().map(|replica| replica.counts().of(operation)).sum();
    (of(Operation::Get), of(Operation::List))
}

/// What a look at all records asks for: reads and listings.
async fn look(vault: &Vault, seen: &Seen) -> (u64, u64) {
    let before = asked(vault);
    assert_eq!(jobs::load_all(vault, |_| true, seen).await.len() as u64, JOBS);
    let after = asked(vault);
    (after.0 - before.0, after.1 - before.1)
}

async fn with_jobs() -> TestVault {
    let test = TestVault::new(2, true).await;
    let vault = test.reopen().await;
    for n in 0..JOBS {
        record(&test, &vault, n, 0).await;
    }
    test
}

#[tokio::test(start_paused = true)]
async fn what_did_not_change_costs_one_listing_a_replica() {
    let (test, seen) = (with_jobs().await, Seen::default());
    let vault = test.reopen().await;
    assert_eq!(look(&vault, &seen).await, (2 * JOBS, 2));
    // Two changes within one second of the store would look the same.
    assert_eq!(look(&vault, &seen).await, (2 * JOBS, 2), "it may have changed at this moment");
    tokio::time::advance(SETTLED).await;
    assert_eq!(look(&vault, &seen).await, (2 * JOBS, 2), "what was read may be older than what is listed");
    tokio::time::advance(SETTLED).await;
    assert_eq!(look(&vault, &seen).await, (0, 2));
    // Also for a vault that was opened anew: a scheduler does so each time.
    let again = test.reopen().await;
    assert_eq!(look(&again, &seen).await, (0, 2));
    test.backup.clock.advance(TimeDelta::seconds(1));
    record(&test, &again, 7, 3).await;
    assert_eq!(look(&again, &seen).await, (2, 2), "on both replicas");
    assert_eq!(failures(&again, 7, &seen).await, 3);
    tokio::time::advance(Duration::from_hours(7)).await;
    assert_eq!(look(&again, &seen).await, (2 * JOBS, 2), "nothing is believed for ever");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_changes_twice_in_one_moment_of_the_store_is_not_missed() {
    let (test, seen) = (with_jobs().await, Seen::default());
    let vault = test.reopen().await;
    // The clock of the stores stands still: all of this is one moment to them.
    for round in 1..=9 {
        record(&test, &vault, 7, round).await;
        assert_eq!(failures(&vault, 7, &seen).await, round);
        tokio::time::advance(Duration::from_millis(500)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_jobs_that_are_asked_for_are_read_and_what_is_gone_is_forgotten() {
    let (test, seen) = (with_jobs().await, Seen::default());
    let vault = test.reopen().await;
    let before = asked(&vault);
    let found = jobs::load_all(&vault, |job| *job == name(3), &seen).await;
    assert_eq!(found.keys().collect::<Vec<_>>(), [&name(3)]);
    assert_eq!(asked(&vault), (before.0 + 2, before.1 + 2));
    for _ in 0..3 {
        tokio::time::advance(SETTLED).await;
        look(&vault, &seen).await;
    }
    test.lose("state/jobs/job-3.json").await;
    let left = jobs::load_all(&vault, |_| true, &seen).await;
    assert_eq!((left.len() as u64, left.contains_key(&name(3))), (JOBS - 1, false));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_a_wrong_clock_dated_into_the_future_does_not_hide_those_after_it() {
    let (test, seen) = (with_jobs().await, Seen::default());
    let run = |run: &str, at: &str| RunRecord {
        run: run.to_owned(),
        planned: at.to_owned(),
        started: at.to_owned(),
        ended: at.to_owned(),
        exit_code: 0,
        attempts: 1,
        host: "a".to_owned(),
    };
    let vault = test.reopen().await;
    let mut record = jobs::load(&vault, &name(7)).await.unwrap();
    record.ended(run("of the future", "2031-01-01T00:00:00Z"), true);
    jobs::store(&vault, &record).await.unwrap();
    // The first replica is away when it runs again, by a clock that is right.
    let one = test.reopen().await;
    one.replicas.named("replica-0").unwrap().fail(VaultError::cancelled());
    let mut record = jobs::find(&one, &name(7)).await.unwrap().unwrap();
    record.ended(run("the next", "2026-11-20T00:00:00Z"), false);
    jobs::store(&one, &record).await.unwrap();
    for found in [
        jobs::load(&vault, &name(7)).await.unwrap(),
        jobs::find(&vault, &name(7)).await.unwrap().unwrap(),
        JobRecord::clone(&jobs::load_all(&vault, |_| true, &seen).await[&name(7)]),
    ] {
        assert_eq!((found.last.unwrap().run.as_str(), found.failures), ("the next", 1));
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_copy_counts_also_when_a_replica_is_away_or_lies() {
    let (test, seen) = (with_jobs().await, Seen::default());
    let vault = test.reopen().await;
    for _ in 0..3 {
        tokio::time::advance(SETTLED).await;
        look(&vault, &seen).await;
    }
    // The first replica was away when the job ran.
    let one = test.reopen().await;
    one.replicas.named("replica-0").unwrap().fail(VaultError::cancelled());
    test.backup.clock.advance(TimeDelta::seconds(1));
    let mut newer = JobRecord::clone(&jobs::load_all(&one, |_| true, &seen).await[&name(7)]);
    newer.known_since = rfc3339(test.backup.clock.now());
    newer.failures = 4;
    jobs::store(&one, &newer).await.unwrap();
    assert_eq!(failures(&vault, 7, &seen).await, 4);
    // Somebody without a key writes what is as long as the genuine one.
    let key = "state/jobs/job-7.json";
    let forged = vec![b'x'; test.stores[1].get(key, 1 << 20).await.unwrap().len()];
    test.backup.clock.advance(TimeDelta::seconds(1));
    test.stores[1].put(key, Body::bytes(forged), PutMode::Overwrite).await.unwrap();
    assert_eq!(failures(&vault, 7, &seen).await, 0, "the copy of the other replica is what is left");
    assert!(vault.warnings().iter().any(|warning| warning.code == "not-a-job-record"));
    test.stores[0].delete(key).await.unwrap();
    let rest = jobs::load_all(&vault, |_| true, &seen).await;
    assert!(!rest.contains_key(&name(7)), "a forgery is no record");
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_read_is_read_again() {
    let (test, seen) = (with_jobs().await, Seen::default());
    let key = "state/jobs/job-7.json";
    let mut genuine = Vec::new();
    for store in &test.stores {
        // A store that returns other bytes, and says nothing of it.
        let garble = |bytes: &mut Vec<u8>| {
            genuine.clone_from(bytes);
            bytes.fill(b'x');
        };
        assert!(store.tamper(key, garble));
    }
    let vault = test.reopen().await;
    for _ in 0..3 {
        tokio::time::advance(SETTLED).await;
        assert!(!jobs::load_all(&vault, |_| true, &seen).await.contains_key(&name(7)));
    }
    for store in &test.stores {
        assert!(store.tamper(key, |bytes| bytes.clone_from(&genuine)));
    }
    assert_eq!(failures(&vault, 7, &seen).await, 0);
}
