//! One run of one job: what others did, and what they only seem to have done.

use std::io::Write as _;
use std::sync::Arc;

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, ManualClock, Timestamp, rfc3339};
use prismvault::limits::Limits;
use prismvault::objects::faults::{Fault, FaultRule, FaultStore};
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::operation::Operation;
use prismvault::objects::{ErrorKind, ObjectStore};
use prismvault::schedule::Job;
use prismvault::schedule::errand::{Asking, Errand, give_back};
use prismvault::vault::format::job::RunRecord;
use prismvault::vault::jobs;
use prismvault::vault::lease::Holder;

use crate::backups::Backup;
use crate::vaults::TestVault;

fn job() -> Job {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("nightly.toml");
    let text = "job = \"snapshot\"\nrepositories = [\"*\"]\ncron = \"0 2 * * *\"\n";
    std::fs::File::create(&file).unwrap().write_all(text.as_bytes()).unwrap();
    Job::load(&file, &Limits::default()).unwrap()
}

fn run(started: Timestamp) -> RunRecord {
    RunRecord {
        run: "run-1".to_owned(),
        planned: rfc3339(started),
        started: rfc3339(started),
        ended: rfc3339(started + TimeDelta::minutes(5)),
        exit_code: 0,
        attempts: 1,
        host: "a".to_owned(),
    }
}

#[tokio::test]
async fn what_was_done_since_is_not_done_again_and_a_record_of_the_future_counts_for_nothing() {
    let begin: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
    let test = TestVault::starting(begin, 2, true).await;
    test.backup.probe().await;
    let (vault, job) = (test.reopen().await, job());
    let holder = Holder::new("b");
    let planned = "2026-11-21T02:00:00Z".parse().unwrap();
    let errand = Errand { vault: &vault, job: &job, planned, if_due: true, holder: &holder, lease_of: None };
    let is_granted = async || match errand.ask().await.unwrap() {
        Asking::Granted(held) => {
            give_back(Some(&held), &vault).await;
            true
        }
        Asking::Covered(_) => false,
        other => panic!("{other:?}"),
    };
    assert!(is_granted().await, "nobody did it");
    for (started, is_done) in [
        (begin - TimeDelta::hours(2), false),
        (begin - TimeDelta::minutes(59), true),
        // A clock a few minutes ahead, and one that was a year ahead.
        (begin + TimeDelta::minutes(4), true),
        (begin + TimeDelta::days(365), false),
    ] {
        errand.record(run(started), true, vault.now()).await.unwrap();
        assert_eq!(is_granted().await, !is_done, "{started}");
    }
    test.backup.clock.advance(TimeDelta::days(365));
    let late = Errand { planned: test.backup.clock.now() - TimeDelta::hours(1), ..errand };
    assert!(matches!(late.ask().await.unwrap(), Asking::Covered(_)), "the future has come");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_for_a_moment_is_not_replaced_by_that_of_a_new_job() {
    let begin: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::new(begin));
    let memory = MemoryStore::new("memory", Arc::<ManualClock>::clone(&clock));
    let faulty = FaultStore::new(Arc::new(memory));
    let store: Arc<dyn ObjectStore> = Arc::new(faulty.clone());
    let backup = Backup::on(vec![("replica-0".to_owned(), store)], true, clock).await;
    let (vault, job, holder) = (backup.open().await.unwrap(), job(), Holder::new("a"));
    let errand =
        Errand { vault: &vault, job: &job, planned: begin, if_due: true, holder: &holder, lease_of: None };
    let done = run(begin - TimeDelta::hours(1));
    errand.record(done.clone(), true, begin).await.unwrap();
    let fault = FaultRule::new(Fault::Fail(ErrorKind::Transient));
    faulty.add(fault.on(Operation::Get).key_containing("state/jobs").times(1));
    errand.record(run(begin), false, begin).await.unwrap_err();
    errand.record(run(begin), false, begin).await.unwrap();
    let record = jobs::load(&vault, &job.name).await.unwrap();
    assert_eq!((record.last_success, record.failures), (Some(done), 1));
}
