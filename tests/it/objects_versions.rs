//! Versions and locks in S3, on a strict server in process, and how objects are stored there.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, SystemClock};
use prismvault::limits::Limits;
use prismvault::objects::contract;
use prismvault::objects::counting::CountingStore;
use prismvault::objects::operation::Operation;
use prismvault::objects::retry::RetryStore;
use prismvault::objects::s3::{S3Options, S3Store, ServerEncryption};
use prismvault::objects::{
    Abilities, Body, ErrorKind, LockMode, LockRule, ObjectStore, PutMode, Retention, VersionId,
};

use crate::objects::keeps_the_contract;
use crate::s3_server::{CannedServer, answer, error_answer, options};
use crate::s3_strict::{Flaws, StrictServer};

const VERSIONS: Abilities =
    Abilities { create_only: true, stored_checksums: true, versions: true, locks: false };
const LOCKS: Abilities = Abilities { locks: true, ..VERSIONS };

fn rule(mode: LockMode) -> LockRule {
    LockRule { mode, window: TimeDelta::days(14) }
}

async fn connect(server: &StrictServer, lock: Option<LockMode>) -> S3Store {
    let lock = lock.map(rule);
    let options = S3Options { versions: true, lock, ..options(server.address, "vault") };
    S3Store::connect(options, &Limits::default()).await.unwrap()
}

/// Returns what is said of a version, newest first.
async fn versions(store: &S3Store, key: &str) -> Vec<(VersionId, bool)> {
    let listed = store.list_versions(key).await.unwrap();
    listed.into_iter().map(|version| (version.version, version.is_delete_marker)).collect()
}

#[tokio::test]
async fn a_bucket_with_versions_keeps_the_contract() {
    // A page of two shows that listings go on, also within the versions of one key.
    for page in [2, 1000] {
        let server = StrictServer::start(VERSIONS, page, Flaws::default()).await;
        keeps_the_contract(connect(&server, None).await).await;
    }
}

#[tokio::test]
async fn a_bucket_with_locks_keeps_the_contract() {
    for mode in [LockMode::Governance, LockMode::Compliance] {
        let server = StrictServer::start(LOCKS, 1000, Flaws::default()).await;
        keeps_the_contract(connect(&server, Some(mode)).await).await;
    }
}

#[tokio::test]
async fn a_bucket_without_versions_keeps_the_contract() {
    let none = Abilities { versions: false, ..VERSIONS };
    let server = StrictServer::start(none, 1000, Flaws::default()).await;
    let options = S3Options { versions: false, ..options(server.address, "vault") };
    keeps_the_contract(S3Store::connect(options, &Limits::default()).await.unwrap()).await;
}

#[tokio::test]
async fn the_contract_finds_locks_that_are_not_kept() {
    let flaws = Flaws { forgets_locks: true, ..Flaws::default() };
    let server = StrictServer::start(LOCKS, 1000, flaws).await;
    let store: Arc<dyn ObjectStore> = Arc::new(connect(&server, Some(LockMode::Governance)).await);
    for line in [contract::Line::PutsAreLockedByRule, contract::Line::LockedVersionsStay] {
        contract::check(&store, line).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_locked_version_is_refused_once_with_its_end_and_goes_when_it_ends() {
    let server = StrictServer::start(LOCKS, 1000, Flaws::default()).await;
    let store = connect(&server, Some(LockMode::Governance)).await;
    store.put("packs/a", Body::bytes("body"), PutMode::CreateOnly).await.unwrap();
    let (version, _) = versions(&store, "packs/a").await.remove(0);
    let until = store.lock_of("packs/a", &version).await.unwrap().unwrap().until().unwrap();

    let counting = CountingStore::new(Arc::new(store.clone()));
    let limits = Limits { backoff_min: Duration::ZERO, ..Limits::default() };
    let retrying = RetryStore::new(Arc::new(counting.clone()), &limits);
    let err = retrying.delete_version("packs/a", &version).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Locked);
    let shown = until.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    assert!(err.to_string().contains(&shown) && err.to_string().contains("governance"), "{err}");
    assert_eq!(counting.counts().of(Operation::DeleteVersion), 1);

    store.delete("packs/a").await.unwrap();
    assert_eq!(store.get("packs/a", 9).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(store.get_version("packs/a", &version, 9).await.unwrap(), "body");
    server.clock.advance(TimeDelta::days(15));
    store.delete_version("packs/a", &version).await.unwrap();
    assert_eq!(versions(&store, "packs/a").await.iter().filter(|(_, marker)| !marker).count(), 0);
}

#[tokio::test]
async fn a_legal_hold_is_read_as_a_lock() {
    let server = StrictServer::start(LOCKS, 1000, Flaws::default()).await;
    let store = connect(&server, None).await;
    store.put("a", Body::bytes("x"), PutMode::CreateOnly).await.unwrap();
    let (version, _) = versions(&store, "a").await.remove(0);
    assert_eq!(store.lock_of("a", &version).await.unwrap(), None);
    assert!(server.memory.set_legal_hold("vault/a", &version, true));
    let lock = store.lock_of("a", &version).await.unwrap().unwrap();
    assert_eq!((lock.retention, lock.legal_hold), (None, true));
    let err = store.delete_version("a", &version).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Locked);
    assert!(err.to_string().contains("legal hold"), "{err}");
}

#[tokio::test]
async fn whoever_may_not_read_locks_is_told_so_and_not_that_there_is_none() {
    let server = CannedServer::start(|head| {
        Some(match head.starts_with("head") {
            true => answer(200, "x-amz-version-id: v1\r\n", ""),
            false => error_answer(403, "AccessDenied"),
        })
    })
    .await;
    let store = S3Store::connect(options(server.address, ""), &Limits::default()).await.unwrap();
    let err = store.lock_of("k", &VersionId::new("v1")).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Denied, "{err}");
}

#[tokio::test]
async fn a_delete_that_is_denied_for_another_reason_is_not_called_locked() {
    let server = CannedServer::start(|head| {
        Some(match head.split(' ').next() {
            Some("head") => answer(200, "x-amz-version-id: v1\r\n", ""),
            Some("get") => error_answer(404, "NoSuchObjectLockConfiguration"),
            _ => error_answer(403, "AccessDenied"),
        })
    })
    .await;
    let store = S3Store::connect(options(server.address, ""), &Limits::default()).await.unwrap();
    let err = store.delete_version("k", &VersionId::new("v1")).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Denied, "{err}");
}

#[tokio::test]
async fn a_store_that_gives_the_newest_for_any_version_is_not_believed() {
    for headers in ["", "x-amz-version-id: newest\r\n"] {
        let server = CannedServer::start(move |_| Some(answer(200, headers, "newest"))).await;
        let store = S3Store::connect(options(server.address, ""), &Limits::default()).await.unwrap();
        let asked = VersionId::new("older");
        assert_eq!(store.get_version("k", &asked, 9).await.unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(store.head_version("k", &asked).await.unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(store.get_range_version("k", &asked, 0..6).await.unwrap_err().kind, ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_listing_of_versions_that_cannot_be_complete_is_an_error() {
    for next in ["", "<NextKeyMarker>a</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker>"] {
        let server = CannedServer::start(move |_| {
            let body = format!(
                "<?xml version=\"1.0\"?><ListVersionsResult><IsTruncated>true</IsTruncated>{next}\
                 <Version><Key>a</Key><VersionId>1</VersionId><Size>1</Size></Version></ListVersionsResult>"
            );
            Some(answer(200, "Content-Type: application/xml\r\n", &body))
        })
        .await;
        let store = S3Store::connect(options(server.address, ""), &Limits::default()).await.unwrap();
        assert_eq!(store.list_versions("").await.unwrap_err().kind, ErrorKind::Permanent);
        assert_eq!(store.list_versions("a").await.unwrap_err().kind, ErrorKind::Permanent);
    }
}

#[tokio::test]
async fn a_lock_is_not_made_shorter_even_where_the_store_would() {
    // As moto does it: any new lock is taken.
    let until = (SystemClock.now() + TimeDelta::days(30)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let server = CannedServer::start(move |head| {
        let lock = format!(
            "x-amz-version-id: v1\r\nx-amz-object-lock-mode: COMPLIANCE\r\n\
             x-amz-object-lock-retain-until-date: {until}\r\n"
        );
        Some(answer(200, if head.starts_with("head") { &lock } else { "" }, ""))
    })
    .await;
    let options = S3Options { lock: Some(rule(LockMode::Compliance)), ..options(server.address, "") };
    let store = S3Store::connect(options, &Limits::default()).await.unwrap();
    let sooner = SystemClock.now() + TimeDelta::days(29);
    let err = store.extend_lock("k", &VersionId::new("v1"), sooner).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Locked, "{err}");
    let later = SystemClock.now() + TimeDelta::days(31);
    store.extend_lock("k", &VersionId::new("v1"), later).await.unwrap();
    let requests = server.requests.lock().unwrap().clone();
    assert_eq!(requests.iter().filter(|head| head.starts_with("put")).count(), 1);
    assert!(requests.iter().all(|head| !head.contains("bypass")), "{requests:?}");
}

#[tokio::test]
async fn puts_carry_class_encryption_and_lock_as_configured() {
    let kms = |key: Option<&str>| ServerEncryption::Kms { key: key.map(str::to_owned) };
    for (encryption, lock, expected) in [
        (None, None, &[][..]),
        (Some(ServerEncryption::Aes256), None, &["x-amz-server-side-encryption: aes256"][..]),
        (
            Some(kms(Some("alias/vault"))),
            Some(LockMode::Compliance),
            &[
                "x-amz-server-side-encryption: aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id: alias/vault",
                "x-amz-object-lock-mode: compliance",
                "x-amz-object-lock-retain-until-date: 20",
            ],
        ),
        (Some(kms(None)), None, &["x-amz-server-side-encryption: aws:kms"]),
    ] {
        let server = CannedServer::start(|_| Some(answer(200, "", ""))).await;
        let options = S3Options {
            storage_class: Some("STANDARD_IA".into()),
            encryption,
            lock: lock.map(rule),
            ..options(server.address, "")
        };
        let store = S3Store::connect(options, &Limits::default()).await.unwrap();
        for mode in [PutMode::CreateOnly, PutMode::Overwrite] {
            store.put("k", Body::bytes("x"), mode).await.unwrap();
        }
        for head in server.requests.lock().unwrap().iter() {
            assert!(head.contains("x-amz-storage-class: standard_ia"), "{head}");
            assert!(head.contains("x-amz-checksum-sha256: "), "{head}");
            for header in expected {
                assert!(head.contains(header), "{header} is not in {head}");
            }
            assert_eq!(head.contains("x-amz-object-lock"), lock.is_some(), "{head}");
            assert_eq!(head.contains("aws-kms-key-id"), expected.len() > 2, "{head}");
        }
    }
}

#[tokio::test]
async fn a_bucket_without_object_lock_refuses_locked_puts_and_says_what_is_missing() {
    let server = StrictServer::start(VERSIONS, 1000, Flaws::default()).await;
    let store = connect(&server, Some(LockMode::Governance)).await;
    let err = store.put("k", Body::bytes("x"), PutMode::CreateOnly).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Permanent);
    assert!(err.to_string().contains("Object Lock must be on for the bucket"), "{err}");
    assert!(server.memory.is_empty());
}

#[tokio::test]
async fn an_object_in_an_archive_says_so() {
    let server = CannedServer::start(|_| Some(error_answer(403, "InvalidObjectState"))).await;
    let store = S3Store::connect(options(server.address, ""), &Limits::default()).await.unwrap();
    let err = store.get("k", 9).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Permanent);
    assert!(err.to_string().contains("archive"), "{err}");
}

#[tokio::test]
async fn a_first_lock_is_counted_from_the_clock_of_the_handle() {
    let server = StrictServer::start(LOCKS, 1000, Flaws::default()).await;
    let store = connect(&server, Some(LockMode::Compliance)).await;
    let before = SystemClock.now() + TimeDelta::days(14);
    store.put("k", Body::bytes("x"), PutMode::CreateOnly).await.unwrap();
    let after = SystemClock.now() + TimeDelta::days(14) + TimeDelta::seconds(2);
    let (version, _) = versions(&store, "k").await.remove(0);
    let Retention { mode, until } = store.lock_of("k", &version).await.unwrap().unwrap().retention.unwrap();
    assert_eq!(mode, LockMode::Compliance);
    assert!(before <= until && until <= after, "{until}");
}
