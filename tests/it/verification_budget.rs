//! Verifying a part at a time: least recently verified first, remembered in the vault, believed
//! only when it is signed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, ManualClock, Timestamp};
use prismvault::objects::counting::CountingStore;
use prismvault::objects::faults::{Condition, Fault, FaultRule, FaultStore};
use prismvault::objects::operation::Operation;
use prismvault::objects::{Body, ErrorKind as StoreKind, ObjectStore, PutMode};
use prismvault::progress::{Phase, Problem, Progress};
use prismvault::vault::format::index::PackKind;
use prismvault::vault::snapshots::{Snapshot, Snapshots};
use prismvault::vault::space::Space;
use prismvault::verification::{
    LastVerified, Level, Scope, VerifyOptions, VerifyReport, last_verified, verify,
};

use crate::backups::{Backup, Source, as_stores, copy_stores, verify_options};

const RECORD: &str = "state/verification/blog.json";

fn remembering(level: Level) -> VerifyOptions<'static> {
    VerifyOptions { scope: Scope { remember: true, ..Scope::default() }, ..verify_options(level) }
}

fn sampled(share: &str) -> VerifyOptions<'static> {
    let mut options = remembering(Level::Bytes);
    options.scope.sample = Some(share.parse().unwrap());
    options
}

async fn run(backup: &Backup, options: &VerifyOptions<'_>) -> VerifyReport {
    let vault = backup.open_with(vec![backup.operator.clone(), backup.recovery.clone()]).await.unwrap();
    backup.clock.advance(TimeDelta::seconds(10));
    verify(&vault, options).await.unwrap()
}

/// A vault of many small packs.
async fn with_many_packs(replicas: usize) -> Backup {
    let source = Source::synthetic(120, 8);
    let mut backup = Backup::in_memory(replicas).await;
    backup.limits.pack_bytes = 8 << 10;
    backup.limits.frame_bytes = 4 << 10;
    backup.snapshot(&source).await.unwrap();
    backup
}

async fn times(backup: &Backup) -> Vec<Vec<LastVerified>> {
    let vault = backup.open().await.unwrap();
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let all: Vec<&Snapshot> = snapshots.iter().collect();
    let mut found = last_verified(&vault, &all).await;
    all.iter().map(|snapshot| found.remove(snapshot.id()).unwrap_or_default()).collect()
}

/// Puts a store in front that notes which objects are read.
fn counted(backup: &mut Backup, replica: usize) -> CountingStore {
    let store = CountingStore::new(Arc::clone(&backup.stores[replica].1));
    backup.stores[replica].1 = Arc::new(store.clone());
    store
}

#[tokio::test]
async fn samples_reach_every_pack_in_as_many_runs_as_it_takes_and_find_all_damage() {
    let mut backup = with_many_packs(1).await;
    let originals = copy_stores(&backup.stores, &backup.clock).await;
    let packs = originals[0].1.list("packs").await.unwrap();
    assert!(packs.len() > 10, "{}", packs.len());
    let mut found = BTreeSet::new();
    // Objects of content only: without its catalog nothing could be said of a snapshot.
    let name = packs[0].key.split('/').nth(1).unwrap().parse().unwrap();
    let space = Space::load(&backup.open().await.unwrap(), &name).await.unwrap();
    let is_catalog = |key: &str| {
        let id = key.rsplit('/').next().unwrap().parse().unwrap();
        space.index.pack(&id).is_none_or(|pack| pack.kind == PackKind::Catalog)
    };
    let bad: Vec<&str> =
        packs.iter().map(|pack| pack.key.as_str()).filter(|key| !is_catalog(key)).take(3).collect();
    for key in &bad {
        assert!(originals[0].1.tamper(key, |bytes| bytes[100] ^= 1));
    }
    backup.stores = as_stores(&originals);
    let mut left = Vec::new();
    for _ in 0..5 {
        let report = run(&backup, &sampled("20%")).await;
        assert!(report.bytes_read > 0);
        left.push(report.left);
        found.extend(report.damage.into_iter().map(|damage| damage.key));
    }
    assert!(left[0] > 5, "a part only: {left:?}");
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), bad, "found in five runs of a fifth");
}

#[tokio::test]
async fn a_sample_reads_its_share_and_the_next_one_goes_on() {
    let mut backup = with_many_packs(2).await;
    let store = counted(&mut backup, 0);
    run(&backup, &remembering(Level::Presence)).await;
    store.take_counts();
    let (mut read, mut all) = (Vec::new(), 0);
    for _ in 0..4 {
        let report = run(&backup, &sampled("25%")).await;
        assert_eq!(report.damage, []);
        read.push(report.bytes_read);
    }
    all += run(&backup, &verify_options(Level::Bytes)).await.bytes_read;
    for bytes in &read {
        assert!(*bytes * 4 >= all * 9 / 10 && *bytes <= all / 2, "{read:?} of {all}");
    }
    // After four quarters everything was verified at some time, and each thing is remembered: what
    // is forgotten would come first for ever.
    for (_, store) in &backup.stores {
        let record = store.get(RECORD, u64::MAX).await.unwrap();
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        let record: serde_json::Value = serde_json::from_str(record["signed"].as_str().unwrap()).unwrap();
        let there = store.list("packs").await.unwrap().len() + store.list("index").await.unwrap().len();
        assert_eq!(record["objects"].as_object().unwrap().len(), there);
    }
    let [snapshot] = &times(&backup).await[..] else { panic!("one snapshot") };
    assert_eq!(snapshot.len(), 2);
    assert!(snapshot.iter().all(|one| one.bytes.is_some() && one.content.is_none()), "{snapshot:?}");
}

#[tokio::test]
async fn what_one_replica_had_long_ago_comes_before_what_another_had_just_now() {
    let mut backup = with_many_packs(2).await;
    let mut first = remembering(Level::Bytes);
    first.scope.replicas = vec!["replica-0".to_owned()];
    let report = run(&backup, &first).await;
    assert_eq!(report.levels.len(), 1, "{:?}", report.levels);
    let (zero, one) = (counted(&mut backup, 0), counted(&mut backup, 1));
    let vault = backup.open().await.unwrap();
    Snapshots::load(&vault, None).await.unwrap();
    let mut few = remembering(Level::Bytes);
    // Time for one object of each.
    few.scope.max_duration = Some(Duration::from_secs(1));
    let progress = Ticking(Arc::clone(&backup.clock));
    few.progress = &progress;
    backup.limits.store_concurrency = 1;
    zero.take_counts();
    one.take_counts();
    let report = run(&backup, &few).await;
    assert!(report.left > 10, "{}", report.left);
    let read = |store: &CountingStore| store.counts().of(Operation::GetRange);
    assert!(read(&one) > read(&zero), "{} and {}", read(&one), read(&zero));
}

/// Moves the clock when an object was checked.
struct Ticking(Arc<ManualClock>);

impl Progress for Ticking {
    fn start(&self, _phase: Phase, _total: Option<u64>) {}
    fn advance(&self, phase: Phase, _items: u64, _bytes: u64) {
        if phase == Phase::Verify {
            self.0.advance(TimeDelta::seconds(1));
        }
    }
    fn finish(&self, _phase: Phase) {}
    fn problem(&self, _problem: &Problem) {}
}

#[tokio::test]
async fn a_longest_duration_ends_the_run_and_the_next_one_goes_on_where_it_stopped() {
    for level in [Level::Bytes, Level::Content] {
        let mut backup = with_many_packs(1).await;
        backup.limits.store_concurrency = 1;
        let clock = Arc::clone(&backup.clock);
        let progress = Ticking(clock);
        let mut options = remembering(level);
        options.scope.max_duration = Some(Duration::from_secs(24));
        options.progress = &progress;
        let mut left = Vec::new();
        for _ in 0..40 {
            left.push(run(&backup, &options).await.left);
            let [snapshot] = &times(&backup).await[..] else { panic!("one snapshot") };
            let whole = if level == Level::Content { &snapshot[0].content } else { &snapshot[0].bytes };
            if whole.is_some() {
                break;
            }
        }
        assert!(left[0] > 0, "{level:?}: the first run ends early: {left:?}");
        assert!((2..40).contains(&left.len()), "{level:?}: {left:?}");
    }
}

#[tokio::test]
async fn a_whole_verification_dates_the_snapshot_and_damage_takes_the_date_away() {
    let mut backup = with_many_packs(2).await;
    let never = times(&backup).await;
    assert!(never[0].iter().all(|one| one.bytes.is_none()), "{never:?}");
    run(&backup, &remembering(Level::Content)).await;
    let dated = times(&backup).await;
    assert!(dated[0].iter().all(|one| one.bytes.is_some() && one.bytes == one.content), "{dated:?}");

    // As old as the oldest of what it needs, not as the newest look at a part.
    run(&backup, &sampled("1%")).await;
    assert_eq!(times(&backup).await[0][0].content, dated[0][0].content);

    let copies = copy_stores(&backup.stores, &backup.clock).await;
    let packs = copies[1].1.list("packs").await.unwrap();
    let largest = packs.iter().max_by_key(|pack| pack.size).unwrap();
    assert!(copies[1].1.tamper(&largest.key, |bytes| bytes[50] ^= 1));
    backup.stores = as_stores(&copies);
    run(&backup, &remembering(Level::Bytes)).await;
    let after = times(&backup).await;
    assert!(after[0][0].bytes.is_some() && after[0][1].bytes.is_none(), "{after:?}");
    backup.repair().await;
    assert!(times(&backup).await[0][1].bytes.is_none(), "repaired is not verified");
    run(&backup, &remembering(Level::Bytes)).await;
    assert!(times(&backup).await[0][1].bytes.is_some());
}

#[tokio::test]
async fn results_that_nobody_trusted_signed_or_of_another_replica_are_not_believed() {
    let mut backup = with_many_packs(2).await;
    run(&backup, &remembering(Level::Bytes)).await;
    let originals = copy_stores(&backup.stores, &backup.clock).await;
    let forged = |bytes: &mut Vec<u8>| {
        let text = String::from_utf8(std::mem::take(bytes)).unwrap();
        let forged = text.replace("\\\"bytes\\\"", "\\\"content\\\"");
        assert_ne!(forged, text);
        *bytes = forged.into_bytes();
    };
    for case in ["changed", "of another replica", "cut", "lost", "unsigned"] {
        let copies = copy_stores(&as_stores(&originals), &backup.clock).await;
        let store = &copies[1].1;
        match case {
            "changed" => assert!(store.tamper(RECORD, forged)),
            "cut" => assert!(store.tamper(RECORD, |bytes| bytes.truncate(20))),
            "lost" => store.delete(RECORD).await.unwrap(),
            "unsigned" => assert!(store.tamper(RECORD, |bytes| {
                let mut file: serde_json::Value = serde_json::from_slice(bytes).unwrap();
                *bytes = file["signed"].take().as_str().unwrap().into();
            })),
            _ => {
                let other = originals[0].1.get(RECORD, u64::MAX).await.unwrap();
                store.put(RECORD, Body::bytes(other), PutMode::Overwrite).await.unwrap();
            }
        }
        backup.stores = as_stores(&copies);
        let found = times(&backup).await;
        assert!(found[0][0].bytes.is_some(), "{case}");
        assert!(found[0][1].bytes.is_none() && found[0][1].content.is_none(), "{case}: {found:?}");
        // It is written anew by the next run.
        run(&backup, &remembering(Level::Bytes)).await;
        assert!(times(&backup).await[0][1].bytes.is_some(), "{case}");
    }
}

#[tokio::test]
async fn times_to_come_count_as_never() {
    let backup = with_many_packs(1).await;
    run(&backup, &remembering(Level::Bytes)).await;
    assert!(times(&backup).await[0][0].bytes.is_some());
    // The clock that wrote them was a day ahead of the one that reads them.
    let mut behind = backup;
    behind.clock = Arc::new(ManualClock::new(behind.clock.now() - TimeDelta::days(1)));
    assert!(times(&behind).await[0][0].bytes.is_none());
    let report = run(&behind, &sampled("100%")).await;
    assert_eq!((report.left, report.damage.len()), (0, 0));
}

#[tokio::test]
async fn what_a_wrong_clock_verified_is_dated_by_the_store() {
    // A date to come would be none now, and stand for a verification that nobody made once it has come.
    for days in [5, -5] {
        let mut backup = with_many_packs(1).await;
        let right = Arc::clone(&backup.clock);
        backup.clock = Arc::new(ManualClock::new(right.now() + TimeDelta::days(days)));
        run(&backup, &remembering(Level::Bytes)).await;
        backup.clock = Arc::clone(&right);
        let found: Timestamp = times(&backup).await[0][0].bytes.as_ref().unwrap().parse().unwrap();
        assert!((right.now() - found).abs() <= TimeDelta::minutes(1), "{days}: {found}");
    }
}

#[tokio::test]
async fn a_replica_that_cannot_be_written_is_verified_and_the_result_is_said_to_be_lost() {
    let mut backup = with_many_packs(2).await;
    let second = FaultStore::new(Arc::clone(&backup.stores[1].1));
    backup.stores[1].1 = Arc::new(second.clone());
    second.set_condition(Condition::ReadOnly);
    let report = run(&backup, &remembering(Level::Bytes)).await;
    assert_eq!(report.damage, []);
    let told = report.warnings.iter().filter(|warning| warning.code == "not-remembered").count();
    assert_eq!(told, 1, "{:?}", report.warnings);
    second.set_condition(Condition::Healthy);
    let found = times(&backup).await;
    assert!(found[0][0].bytes.is_some() && found[0][1].bytes.is_none());
    // A write that fails leaves the results before it, not half of new ones.
    run(&backup, &remembering(Level::Bytes)).await;
    assert!(times(&backup).await[0][1].bytes.is_some());
    second.add(FaultRule::new(Fault::Fail(StoreKind::Permanent)).on(Operation::Put).times(1));
    run(&backup, &remembering(Level::Bytes)).await;
    assert!(times(&backup).await[0][1].bytes.is_some());
}

#[tokio::test]
async fn looking_without_remembering_writes_nothing() {
    let mut backup = with_many_packs(1).await;
    let store = counted(&mut backup, 0);
    run(&backup, &verify_options(Level::Content)).await;
    assert_eq!(store.counts().writes(), 0);
    run(&backup, &remembering(Level::Stored)).await;
    assert_eq!(store.counts().writes(), 1, "the results with their signature");
}
