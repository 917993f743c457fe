//! Locks over the years: renewed at half time, for what is live and nothing else, read back, and
//! compared with what was promised.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, SystemClock};
use prismvault::limits::Limits;
use prismvault::locks::{
    LockProblem, LockReport, RenewOptions, RenewalPlan, RenewalReport, SurveyOptions, plan_renewal, renew,
    survey,
};
use prismvault::objects::faults::{Fault, FaultRule, FaultStore};
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::operation::Operation;
use prismvault::objects::place::{DefaultLock, Fact, Versioning};
use prismvault::objects::s3::S3Store;
use prismvault::objects::{Body, ErrorKind, LockMode, ObjectStore, PutMode};
use prismvault::progress::Silent;
use prismvault::vault::error::ErrorKind as VaultErrorKind;
use tokio_util::sync::CancellationToken;

use crate::backups::Backup;
use crate::hidden::RULE;
use crate::pruning::{BASE, FIRST, SECOND, remove};
use crate::s3_server::{BUCKET, CannedServer, options};
use crate::vaults::TestVault;

async fn renewed(backup: &Backup) -> (RenewalPlan, RenewalReport) {
    let vault = backup.open().await.unwrap();
    let plan = plan_renewal(&vault).await.unwrap();
    let options = RenewOptions { progress: &Silent, cancel: CancellationToken::new() };
    let report = renew(&vault, &plan, &options).await.unwrap();
    (plan, report)
}

async fn surveyed(backup: &Backup) -> LockReport {
    let options =
        SurveyOptions { replicas: vec![], sample: None, places: false, cancel: CancellationToken::new() };
    survey(&backup.open().await.unwrap(), &options).await.unwrap()
}

/// Days that each object is locked for from now on, by its newest version.
async fn days_left(vault: &TestVault, store: &MemoryStore, prefix: &str) -> BTreeSet<i64> {
    let now = vault.backup.clock.now();
    let mut days = BTreeSet::new();
    for version in store.list_versions(prefix).await.unwrap().into_iter().filter(|version| version.is_latest)
    {
        let lock = store.lock_of(&version.key, &version.version).await.unwrap();
        days.insert(lock.map_or(0, |lock| (lock.until().unwrap() - now).num_hours().max(0) / 24));
    }
    days
}

#[tokio::test]
async fn live_objects_are_renewed_at_half_time_and_dead_ones_are_left_to_go() {
    let vault = TestVault::locked(SystemClock.now(), 1, RULE).await;
    vault.snapshot("blog", BASE).await;
    let first = vault.snapshot("blog", FIRST).await;
    vault.snapshot("blog", SECOND).await;
    let store = &vault.stores[0];

    // All are new: asked for once, and then known.
    let (plan, report) = renewed(&vault.backup).await;
    let (own, done) = (&plan.replicas[0], &report.replicas[0]);
    assert!(own.live > 15 && own.unknown == own.live, "{own:?}");
    assert_eq!((done.asked, done.renewed, &done.failed), (own.live, 0, &vec![]));
    let (plan, report) = renewed(&vault.backup).await;
    let (own, done) = (&plan.replicas[0], &report.replicas[0]);
    assert_eq!((own.not_due, own.unknown, own.due, done.asked), (own.live, 0, 0, 0));
    assert_eq!((own.requests.get, own.requests.put), (0, 0));

    // Half the window later, of which one snapshot was removed.
    vault.backup.clock.advance(TimeDelta::days(8));
    remove(&vault.backup, &[&first], None).await;
    let (plan, report) = renewed(&vault.backup).await;
    let (own, done) = (&plan.replicas[0], &report.replicas[0]);
    assert!(own.due > 10 && done.renewed == own.due && done.failed.is_empty(), "{own:?} {done:?}");
    assert_eq!(days_left(&vault, store, "snapshots/blog").await, [5, 14].into());
    assert_eq!(days_left(&vault, store, "packs/blog").await, [5, 14].into());
    assert_eq!(days_left(&vault, store, "trust").await, [14].into());
    let report = surveyed(&vault.backup).await;
    assert!(report.is_good(), "{report:?}");

    // A client that forgot asks for all and makes none longer than the window.
    std::fs::remove_dir_all(vault.backup.state.as_ref().unwrap()).unwrap();
    let (plan, report) = renewed(&vault.backup).await;
    assert_eq!((plan.replicas[0].unknown, report.replicas[0].renewed), (plan.replicas[0].live, 0));

    // The lock of what is dead ends.
    vault.backup.clock.advance(TimeDelta::days(6));
    let mut gone = 0;
    for version in store.list_versions("packs/blog").await.unwrap() {
        gone += usize::from(store.delete_version(&version.key, &version.version).await.is_ok());
    }
    assert_eq!(gone, 2, "the content and the catalog that only the removed snapshot needs");
}

#[tokio::test]
async fn a_replica_that_refuses_is_reported_and_the_others_are_renewed() {
    let vault = TestVault::locked(SystemClock.now(), 2, RULE).await;
    vault.snapshot("blog", BASE).await;
    let mut backup = vault.backup;
    let faults = FaultStore::new(Arc::clone(&backup.stores[0].1));
    faults.add(FaultRule::new(Fault::Fail(ErrorKind::Denied)).on(Operation::ExtendLock));
    backup.stores[0].1 = Arc::new(faults.clone());
    backup.clock.advance(TimeDelta::days(8));
    let (_, report) = renewed(&backup).await;
    assert!(!report.is_complete());
    let [refusing, good] = &report.replicas[..] else { panic!("{report:?}") };
    assert!(refusing.refused.as_ref().is_some_and(|why| why.contains("memory:replica-0")), "{refusing:?}");
    assert!(refusing.renewed == 0 && good.is_complete() && good.renewed == good.live, "{good:?}");

    // Once it may, the same command does the rest.
    faults.clear();
    let (_, report) = renewed(&backup).await;
    assert!(report.is_complete() && report.replicas[1].renewed == 0, "{report:?}");
    assert_eq!(report.replicas[0].renewed, report.replicas[0].live);
}

#[tokio::test]
async fn locks_that_are_not_as_promised_are_told_one_by_one() {
    let vault = TestVault::locked(SystemClock.now(), 1, RULE).await;
    vault.snapshot("blog", BASE).await;
    let store = &vault.stores[0];
    let find = |report: &LockReport| -> Vec<(LockProblem, String)> {
        let own = &report.replicas[0];
        own.findings.iter().map(|finding| (finding.problem, finding.key.clone())).collect()
    };
    assert_eq!(find(&surveyed(&vault.backup).await), []);

    // Somebody put it again without a lock; another lock is for a century; a third has no end.
    let packs = vault.keys("packs/blog").await;
    let bytes = store.get(&packs[0], 1 << 20).await.unwrap();
    store.clone().with_locks(None).put(&packs[0], Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    let version = |key: &str| {
        let key = key.to_owned();
        async move { store.list_versions(&key).await.unwrap().remove(0).version }
    };
    let century = vault.backup.clock.now() + TimeDelta::days(36_500);
    store.extend_lock(&packs[1], &version(&packs[1]).await, century).await.unwrap();
    assert!(store.set_legal_hold("vault.json", &version("vault.json").await, true));
    let report = surveyed(&vault.backup).await;
    let expected = [
        (LockProblem::Unlocked, packs[0].clone()),
        (LockProblem::Longer, packs[1].clone()),
        (LockProblem::LegalHold, "vault.json".to_owned()),
    ];
    assert_eq!(find(&report), expected);
    assert!(!report.is_good() && report.replicas[0].days_left == Some(0), "{report:?}");

    // Renewing locks what was not, and shortens nothing.
    let (_, done) = renewed(&vault.backup).await;
    assert_eq!((done.replicas[0].renewed, &done.replicas[0].failed), (1, &vec![]));
    assert_eq!(find(&surveyed(&vault.backup).await), expected[1..]);

    // Nobody renewed for eleven days.
    vault.backup.clock.advance(TimeDelta::days(11));
    let report = surveyed(&vault.backup).await;
    let short =
        find(&report).into_iter().filter(|(problem, _)| *problem == LockProblem::Shorter).count() as u64;
    assert_eq!(short, report.replicas[0].live - 1, "{report:?}");
    assert_eq!(report.replicas[0].days_left, Some(2));
}

#[tokio::test]
async fn what_is_not_encrypted_is_never_locked() {
    let vault = TestVault::starting(SystemClock.now(), 1, false).await;
    let mut backup = vault.backup;
    let clock = Arc::clone(&backup.clock);
    let locked = MemoryStore::new("locked", clock).with_locks(None);
    crate::backups::copy_objects(&vault.stores[0], &locked).await;
    backup.stores[0].1 = locked.locking(Some(RULE)).unwrap();
    let source = crate::backups::small();
    let error = backup.snapshot(&source).await.unwrap_err();
    let text = prismvault::vault::replica::with_causes(&error);
    assert!(text.contains("not encrypted") && text.contains("object_lock"), "{text}");
    assert!(locked.list("packs").await.unwrap().is_empty());
    let vault = backup.open().await.unwrap();
    let refused = prismvault::vault::abilities::require_erasable(vault.replicas.all(), false).unwrap_err();
    assert_eq!(refused.kind, VaultErrorKind::Refused);
    prismvault::vault::abilities::require_erasable(vault.replicas.all(), true).unwrap();
}

#[tokio::test]
async fn a_bucket_tells_its_settings_and_what_it_may_not_tell_is_not_known() {
    let server = CannedServer::start(|head| {
        let line = head.lines().next().unwrap_or_default();
        let (status, body) = if line.contains("versioning") {
            ("200 OK", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
        } else if line.contains("object-lock") {
            (
                "200 OK",
                "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                 <Mode>COMPLIANCE</Mode><Years>2</Years></DefaultRetention></Rule></ObjectLockConfiguration>",
            )
        } else if line.contains("replication") {
            (
                "404 Not Found",
                "<Error><Code>ReplicationConfigurationNotFoundError</Code><Message>none</Message></Error>",
            )
        } else {
            ("403 Forbidden", "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
        };
        Some(format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ))
    })
    .await;
    let store = S3Store::connect(options(server.address, "vault"), &Limits::default()).await.unwrap();
    let facts = store.place_facts().await.unwrap().unwrap();
    assert_eq!(facts.versioning, Fact::Known(Versioning::Enabled));
    assert_eq!(facts.default_lock, Fact::Known(Some(DefaultLock { mode: LockMode::Compliance, days: 730 })));
    assert_eq!(facts.copies_to, Fact::Known(vec![]));
    assert!(matches!(&facts.lifecycle, Fact::NotKnown(why) if why.contains("AccessDenied")), "{facts:?}");
    assert!(server.requests.lock().unwrap().iter().all(|head| head.contains(BUCKET)));
}
