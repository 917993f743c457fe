//! Facts as they are gathered from a vault.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, ManualClock, Timestamp, rfc3339};
use prismvault::config::Config;
use prismvault::locks::{RenewOptions, plan_renewal, renew};
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::operation::Operation;
use prismvault::objects::{Body, ErrorKind, ObjectStore, PutMode, StoreError};
use prismvault::progress::Silent;
use prismvault::status::{Asked, Facts, PendingKind, collect, unmet_share};
use prismvault::vault::format::job::JobRecord;
use prismvault::vault::item::ItemKind;
use prismvault::vault::jobs;
use prismvault::vault::open::Vault;
use prismvault::verification::{Level, Scope, VerifyOptions, verify};
use tokio_util::sync::CancellationToken;

use super::known::{days, hours, name, run};
use crate::backups::{Backup, verify_options};
use crate::hidden::RULE;
use crate::retention::history::{History, everywhere, last};
use crate::vaults::TestVault;

const ITEM: &[(&str, ItemKind, &[u8])] = &[("documents/en-us/page/X.json", ItemKind::Document, b"{}")];

/// A configuration of these repositories, and replicas as tests name them.
fn config(repositories: &[&str], replicas: usize) -> Config {
    config_with("", repositories, replicas)
}

/// The same, with further tables.
fn config_with(further: &str, repositories: &[&str], replicas: usize) -> Config {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("prismvault.toml");
    let tables = repositories.iter().map(|name| {
        format!("[repositories.{name}]\nrepository = \"acme-{name}\"\nwrite_token = {{ env = \"NOT_SET_HERE\", issued = \"2026-08-01\" }}\n")
    });
    let places = (0..replicas)
        .map(|n| format!("[[replicas]]\nname = \"replica-{n}\"\nurl = \"file:///nowhere/replica-{n}\"\n"));
    let text: String = tables.chain(places).chain([further.to_owned()]).collect();
    std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), text.as_bytes()).unwrap();
    Config::load(&file).unwrap()
}

async fn gathered(vault: &Vault, config: &Config) -> Facts {
    collect(vault, config, &Asked::default()).await.unwrap()
}

/// The facts of these repositories.
pub(crate) async fn facts_of(backup: &Backup, repositories: &[&str]) -> Facts {
    gathered(&backup.open().await.unwrap(), &config(repositories, backup.stores.len())).await
}

pub(crate) async fn of_backup(backup: &Backup) -> Facts {
    gathered(&backup.open().await.unwrap(), &config(&["blog"], backup.stores.len())).await
}

#[tokio::test]
async fn snapshots_copies_and_what_was_verified_are_told() {
    let test = TestVault::new(2, true).await;
    let facts = of_backup(&test.backup).await;
    let own = &facts.repositories[0];
    assert_eq!((own.snapshots, &own.newest, own.verified, own.oldest), (0, &None, None, None));

    let first = test.snapshot("blog", ITEM).await;
    test.backup.clock.advance(hours(1));
    let scope = Scope { remember: true, ..Scope::default() };
    let vault = test.backup.open().await.unwrap();
    verify(&vault, &VerifyOptions { scope, ..verify_options(Level::Bytes) }).await.unwrap();
    let verified = test.backup.clock.now();
    test.backup.clock.advance(hours(5));
    let second = test.snapshot("blog", ITEM).await;
    test.backup.clock.advance(hours(1));
    let facts = of_backup(&test.backup).await;
    let own = &facts.repositories[0];
    let last = own.last_complete.as_ref().unwrap();
    assert_eq!((own.snapshots, &last.snapshot), (2, &second.snapshot));
    assert_eq!(rfc3339(last.taken), second.started);
    assert_eq!(own.oldest.map(rfc3339), Some(first.started));
    assert_eq!(last.on, ["replica-0", "replica-1"]);
    // The new one was not looked at yet; the one before was.
    assert_eq!(own.verified.map(rfc3339), Some(rfc3339(verified)));
    assert_eq!((own.partial_in_a_row, own.lost, own.unreadable), (0, 0, 0));
    assert!(own.drill.is_none() && own.shrink.is_none());
    assert!(facts.replicas.iter().all(|replica| {
        (replica.wanted, replica.missing, replica.clock_offset_seconds) == (2, 0, Some(0))
            && replica.failure.is_none()
    }));
    // The token is not here, its day is in the configuration.
    assert_eq!(facts.tokens[0].issued.map(rfc3339).as_deref(), Some("2026-08-01T00:00:00Z"));
    assert!(facts.requests.iter().any(|count| count.of == "replica replica-0" && count.operation == "list"));
}

#[tokio::test]
async fn a_replica_that_is_behind_or_away_is_a_fact() {
    let test = TestVault::new(3, true).await;
    test.snapshot("blog", ITEM).await;
    let second = test.snapshot("blog", ITEM).await;
    for key in [second.key.clone(), format!("{}.minisig", second.key)] {
        test.stores[1].delete(&key).await.unwrap();
    }
    let vault = test.backup.open().await.unwrap();
    let away = StoreError::new(ErrorKind::Denied, "list", "", &"memory", "access denied");
    vault.replicas.named("replica-2").unwrap().fail(away);
    let facts = gathered(&vault, &config(&["blog"], 3)).await;
    let [good, behind, away] = facts.replicas.as_slice() else { panic!("{facts:?}") };
    assert_eq!((good.wanted, good.missing), (2, 0));
    assert_eq!((behind.wanted, behind.missing), (2, 1));
    assert_eq!(behind.missing_since.map(rfc3339), Some(second.started));
    assert!(away.failure.is_some(), "{away:?}");
    assert_eq!(facts.repositories[0].last_complete.as_ref().unwrap().on, ["replica-0"]);
}

#[tokio::test]
async fn a_snapshot_from_the_future_is_not_the_newest() {
    let test = TestVault::new(1, true).await;
    let good = test.snapshot("blog", ITEM).await;
    test.backup.clock.advance(days(400));
    test.snapshot("blog", ITEM).await;
    test.backup.clock.advance(-days(399));
    let facts = of_backup(&test.backup).await;
    let own = &facts.repositories[0];
    assert_eq!(own.last_complete.as_ref().unwrap().snapshot, good.snapshot);
    assert_eq!(own.snapshots, 1);
    let burn = unmet_share(&own.points, hours(12), facts.at, days(30)).unwrap();
    assert!((burn - 0.5).abs() < 0.01, "{burn}");
}

#[tokio::test]
async fn a_verification_of_the_future_is_none() {
    let test = TestVault::new(1, true).await;
    test.snapshot("blog", ITEM).await;
    test.backup.clock.advance(days(40));
    let scope = Scope { remember: true, ..Scope::default() };
    let vault = test.backup.open().await.unwrap();
    verify(&vault, &VerifyOptions { scope, ..verify_options(Level::Bytes) }).await.unwrap();
    assert!(of_backup(&test.backup).await.repositories[0].verified.is_some());
    test.backup.clock.advance(-days(39));
    assert!(of_backup(&test.backup).await.repositories[0].verified.is_none());
}

#[tokio::test]
async fn partial_snapshots_and_lost_history_are_counted() {
    let history = History::new(1).await;
    let first = history.night("blog", 100).await;
    let second = history.night("blog", 100).await;
    let partial = history.partial_night("blog").await;
    history.partial_night("blog").await;
    let own = of_backup(&history.vault.backup).await.repositories.remove(0);
    assert_eq!((own.partial_in_a_row, own.partial_since.map(rfc3339)), (2, Some(partial.started)));
    assert_eq!(own.last_complete.unwrap().snapshot, second.snapshot);
    assert_eq!(own.newest.unwrap().gaps, 1);
    assert_eq!(own.lost, 0);
    // Gone, and no removal says why.
    history.lose(&first.key).await;
    let own = of_backup(&history.vault.backup).await.repositories.remove(0);
    assert_eq!((own.lost, own.oldest.map(rfc3339)), (1, Some(second.started)));
}

#[tokio::test]
async fn the_newest_that_was_cut_off_is_missed_by_a_client_that_saw_it() {
    let history = History::new(1).await;
    history.night("blog", 100).await;
    let newest = history.night("blog", 100).await;
    assert_eq!(of_backup(&history.vault.backup).await.repositories[0].lost, 0);
    history.lose(&newest.key).await;
    assert_eq!(of_backup(&history.vault.backup).await.repositories[0].lost, 1);
}

#[tokio::test]
async fn a_fall_in_size_is_told_by_the_rule_of_retention() {
    let history = History::new(1).await;
    history.night("blog", 100).await;
    history.night("blog", 71).await;
    assert!(of_backup(&history.vault.backup).await.repositories[0].shrink.is_none());
    let small = history.night("blog", 40).await;
    let shrink = of_backup(&history.vault.backup).await.repositories.remove(0).shrink.unwrap();
    assert_eq!(shrink.snapshot, small.snapshot);
}

#[tokio::test]
async fn what_retention_let_go_was_there_in_its_time() {
    let (history, manifests) = History::of_nights(1, 12).await;
    history.partial_night("blog").await;
    history.retain(&[everywhere("blog", last(1))]).await;
    let share = |facts: &Facts| {
        unmet_share(&facts.repositories[0].points, days(1) + hours(1), facts.at, days(30)).unwrap()
    };
    let before = of_backup(&history.vault.backup).await;
    assert_eq!(before.repositories[0].snapshots, 2);
    // The partial night counts for nothing, so the last day is not covered but for an hour.
    assert_eq!(share(&before), 0.0);
    // As after pruning: only the ledger knows of them.
    for manifest in &manifests[..11] {
        history.lose(&manifest.key).await;
    }
    let after = of_backup(&history.vault.backup).await;
    assert_eq!((after.repositories[0].lost, share(&after)), (0, 0.0));
    assert_eq!(after.repositories[0].points.len(), 12);
}

#[tokio::test]
async fn what_was_removed_by_other_rules_than_those_of_today_is_told_while_it_can_be_taken_back() {
    let (history, manifests) = History::of_nights(1, 6).await;
    history.retain(&[everywhere("blog", last(2))]).await;
    let against = async |rule: &str| {
        let vault = history.open().await;
        let config = config_with(&format!("[retention]\n{rule}\n"), &["blog"], 1);
        gathered(&vault, &config).await.repositories.remove(0).removed_against_rules
    };
    assert_eq!(against("keep_last = 2").await, []);
    let expected: Vec<_> = manifests[1..4].iter().map(|manifest| manifest.snapshot.clone()).collect();
    assert_eq!(against("keep_daily = 5").await, expected);
    for manifest in &manifests[..4] {
        history.lose(&manifest.key).await;
    }
    assert_eq!(against("keep_daily = 5").await, []);
}

#[tokio::test]
async fn records_of_jobs_are_found_without_their_files() {
    let test = TestVault::new(2, true).await;
    let vault = test.backup.open().await.unwrap();
    let mut record = JobRecord::first_seen(&vault, &name("nightly"), "snapshot", test.backup.clock.now());
    record.next = Some("2026-11-23T02:15:00Z".to_owned());
    record.ended(run(hours(1), 1), false);
    jobs::store(&vault, &record).await.unwrap();
    // What nobody signed is no job.
    let forged = Body::bytes(b"{}".to_vec());
    test.stores[0].put("state/jobs/forged.json", forged, PutMode::CreateOnly).await.unwrap();
    let facts = of_backup(&test.backup).await;
    assert_eq!(facts.jobs.len(), 1, "{:?}", facts.jobs);
    let job = &facts.jobs[0];
    assert_eq!((job.job.as_str(), job.does.as_str(), &job.plan), ("nightly", "snapshot", &None));
    assert_eq!(job.record.as_ref().unwrap().failures, 1);
}

#[tokio::test]
async fn marks_are_pending_until_the_longest_lock_has_ended() {
    for (test, longest) in [
        (TestVault::new(1, true).await, days(3)),
        (TestVault::locked(prismvault::clock::SystemClock.now(), 1, RULE).await, days(14)),
    ] {
        let key = "marks/blog/20261101T020000Z-00112233.json";
        test.stores[0].put(key, Body::bytes(b"{}".to_vec()), PutMode::CreateOnly).await.unwrap();
        let facts = of_backup(&test.backup).await;
        let since: Timestamp = "2026-11-01T02:00:00Z".parse().unwrap();
        let [pending] = facts.pending.as_slice() else { panic!("{facts:?}") };
        assert_eq!((pending.kind, pending.subject.as_str()), (PendingKind::Deletion, "blog"));
        assert_eq!((pending.since, pending.due), (since, since + longest + days(14)));
    }
}

#[tokio::test]
async fn locks_are_counted_down_until_they_are_renewed() {
    let test = TestVault::locked("2026-11-01T02:00:00Z".parse().unwrap(), 1, RULE).await;
    test.snapshot("blog", ITEM).await;
    let left = async |by: TimeDelta| {
        test.backup.clock.advance(by);
        of_backup(&test.backup).await.replicas[0].locks.clone().unwrap()
    };
    let locks = left(hours(1)).await;
    assert_eq!((locks.window_days, locks.days_left, locks.failure), (14, Some(13), None));
    assert_eq!(left(days(9)).await.days_left, Some(4));
    let vault = test.backup.open().await.unwrap();
    let plan = plan_renewal(&vault).await.unwrap();
    renew(&vault, &plan, &RenewOptions { progress: &Silent, cancel: CancellationToken::new() })
        .await
        .unwrap();
    assert_eq!(left(hours(1)).await.days_left, Some(13));
    // Who may not read catalogs is told that nobody knows.
    let vault = test.backup.open_with(Vec::new()).await.unwrap();
    let locks = gathered(&vault, &config(&["blog"], 1)).await.replicas.remove(0).locks.unwrap();
    assert!(locks.failure.is_some() && locks.days_left.is_none(), "{locks:?}");
}

#[tokio::test]
async fn the_clock_of_a_store_is_compared_with_the_one_here() {
    let begin: Timestamp = "2026-11-01T02:00:00Z".parse().unwrap();
    let (here, there) = (Arc::new(ManualClock::new(begin)), Arc::new(ManualClock::new(begin)));
    let store: Arc<dyn ObjectStore> =
        Arc::new(MemoryStore::new("replica-0", Arc::<ManualClock>::clone(&there)));
    let backup = Backup::on(vec![("replica-0".to_owned(), store)], true, here).await;
    assert_eq!(of_backup(&backup).await.replicas[0].clock_offset_seconds, Some(0));
    there.advance(TimeDelta::seconds(100));
    assert_eq!(of_backup(&backup).await.replicas[0].clock_offset_seconds, Some(-100));
}

/// Two hundred clients are asked about every few minutes.
#[tokio::test]
async fn what_is_asked_of_a_replica_grows_with_repositories_and_not_with_snapshots() {
    let test = TestVault::new(1, true).await;
    let names: Vec<String> = (0..6).map(|n| format!("client-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let asked = async |snapshots: usize, of: &[&str]| -> BTreeMap<String, u64> {
        for _ in 0..snapshots {
            for name in of {
                test.snapshot(name, ITEM).await;
            }
        }
        let vault = test.backup.open().await.unwrap();
        let before: BTreeMap<Operation, u64> = Operation::ALL
            .map(|operation| (operation, vault.replicas.all()[0].counts().of(operation)))
            .into();
        gathered(&vault, &config(of, 1)).await;
        let counts = vault.replicas.all()[0].counts();
        Operation::ALL
            .map(|operation| (format!("{operation:?}"), counts.of(operation) - before[&operation]))
            .into()
    };
    let one = asked(1, &names[..1]).await;
    let six = asked(1, &names).await;
    let many = asked(3, &names).await;
    assert_eq!(six["List"], many["List"], "more snapshots, no more listings");
    assert!(six["List"] - one["List"] <= 2 * 5, "{one:?} {six:?}");
    // Manifest and signature; with a cache they are read once.
    assert!(many["Get"] - six["Get"] <= 2 * 3 * 6, "{six:?} {many:?}");
}
