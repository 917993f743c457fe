//! The engine on stores that do less than their kind promises: what a probe found is believed only
//! if it is signed for this very place, and without it names are written the safe way.

use std::sync::Arc;

use prismvault::clock::{Clock as _, ManualClock, SystemClock};
use prismvault::limits::Limits;
use prismvault::objects::counting::CountingStore;
use prismvault::objects::faults::FaultStore;
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::operation::Operation;
use prismvault::objects::probe::CheckOutcome;
use prismvault::objects::s3::{S3Options, S3Store};
use prismvault::objects::{Abilities, Body, LockMode, LockRule, ObjectStore, PutMode};
use prismvault::snapshot::SnapshotError;
use prismvault::vault::abilities::{found, probe_all};
use prismvault::vault::error::ErrorKind;
use prismvault::vault::init::init;
use prismvault::vault::open::Vault;
use prismvault::vault::replica::Replica;
use prismvault::verification::Level;

use crate::backups::{Backup, Source, Stores, copy_objects};
use crate::s3_server::options;
use crate::s3_strict::{Flaws, StrictServer};

const ANSWER: &str = "state/abilities.json";

/// A file of `state/` as it lies there.
#[derive(serde::Serialize, serde::Deserialize)]
struct Sealed {
    signed: String,
    signature: String,
}
const PLAIN: Abilities = Abilities { versions: false, locks: false, ..Abilities::ALL };

/// A server with these flaws, and a store on it.
async fn flawed(flaws: Flaws) -> (StrictServer, Arc<dyn ObjectStore>) {
    let server = StrictServer::start(PLAIN, 1000, flaws).await;
    let store = connect(&server).await;
    (server, store)
}

async fn connect(server: &StrictServer) -> Arc<dyn ObjectStore> {
    let options = S3Options { versions: false, ..options(server.address, "vault") };
    Arc::new(S3Store::connect(options, &Limits::default()).await.unwrap())
}

/// A writer of his own on a server, who knows what it does.
async fn writer(server: &StrictServer) -> Replica {
    let replica = Replica::new("garage", connect(server).await);
    let probe = probe_all(std::slice::from_ref(&replica), &SystemClock, &Limits::default()).await;
    assert!(!found(&probe[0]).abilities.create_only);
    replica.with_found(found(&probe[0]))
}

fn is_probed(vault: &Vault) -> bool {
    vault.replicas.all()[0].is_probed()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_store_that_overwrites_two_writers_of_one_name_never_both_succeed() {
    let (server, _) = flawed(Flaws { overwrites_always: true, ..Flaws::default() }).await;
    let reader = connect(&server).await;
    let (first, second) = (writer(&server).await, writer(&server).await);
    let mut won = 0;
    for n in 2..62 {
        let key = format!("trust/{n}.json");
        let (one, two) = tokio::join!(
            first.store_new(&key, Body::bytes("first")),
            second.store_new(&key, Body::bytes("second")),
        );
        assert!(one.is_err() || two.is_err(), "{key}: both believe to have written it");
        let there = reader.get(&key, 99).await.ok();
        for (result, bytes) in [(one, "first"), (two, "second")] {
            match result {
                Ok(()) => {
                    won += 1;
                    assert_eq!(there.as_deref(), Some(bytes.as_bytes()), "{key}");
                }
                Err(error) => assert_eq!(error.kind, ErrorKind::Refused, "{error}"),
            }
        }
    }
    assert!(won > 0, "not everybody always steps back");
    // Who stepped back may try again; who comes later replaces nothing, probed or not.
    let stranger = Replica::new("garage", connect(&server).await);
    first.store_new("trust/999.json", Body::bytes("first")).await.unwrap();
    for later in [&second, &stranger] {
        let error = later.store_new("trust/999.json", Body::bytes("second")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
    }
    assert_eq!(reader.list("state").await.unwrap(), [], "no claim is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_that_back_up_at_once_to_a_store_that_overwrites_both_keep_their_snapshots() {
    let source = Source::synthetic(60, 4);
    for known in [false, true] {
        let flaws = Flaws { overwrites_always: true, ..Flaws::default() };
        let ((_first, one), (_second, two)) = (flawed(flaws).await, flawed(flaws).await);
        let stores: Stores = vec![("one".to_owned(), one), ("two".to_owned(), two)];
        let backup = Backup::on(stores, true, Arc::new(ManualClock::new(SystemClock.now()))).await;
        if known {
            let probes = backup.probe().await;
            assert!(probes.iter().all(|probe| !probe.abilities(Abilities::ALL).create_only));
        }
        let (left, right) = tokio::join!(backup.snapshot(&source), backup.snapshot(&source));
        let (left, right) = (left.unwrap(), right.unwrap());
        assert_ne!(left.committed.manifest.snapshot, right.committed.manifest.snapshot);
        let verified = backup.verified(Level::Content).await;
        assert_eq!(verified.damage, [], "known: {known}");
        let manifests = backup.stores[0].1.list("snapshots").await.unwrap();
        assert_eq!(manifests.len(), 4, "two manifests and their signatures: {manifests:?}");
    }
}

#[tokio::test]
async fn a_store_that_was_never_probed_costs_an_unchanged_snapshot_a_request_more() {
    let source = Source::synthetic(60, 4);
    let mut requests = Vec::new();
    for probed in [true, false] {
        let mut backup = Backup::in_memory(2).await;
        if probed {
            backup.probe().await;
        }
        backup.snapshot(&source).await.unwrap();
        let counting = Arc::new(CountingStore::new(Arc::clone(&backup.stores[0].1)));
        backup.stores[0].1 = Arc::<CountingStore>::clone(&counting);
        backup.snapshot(&source).await.unwrap();
        let counts = counting.take_counts();
        requests.push((counts.calls(), counts.of(Operation::Put)));
    }
    let [probed, never] = requests[..] else { unreachable!() };
    assert_eq!(probed.1, never.1, "nothing more is put");
    // The answer and its signature are read; without them one look, and the same bytes back.
    assert!(never.0 <= probed.0 + 2 && probed.0 <= never.0 + 1, "{requests:?}");
}

#[tokio::test]
async fn an_answer_counts_only_signed_and_for_this_replica_and_place() {
    let backup = Backup::in_memory(2).await;
    assert!(!is_probed(&backup.open().await.unwrap()), "never probed");
    backup.probe().await;
    assert!(is_probed(&backup.open().await.unwrap()));
    let store = &backup.stores[0].1;
    let kept = store.get(ANSWER, 1 << 20).await.unwrap();
    let kept: Sealed = serde_json::from_slice(&kept).unwrap();
    let text = kept.signed;
    let put = |signed: String, signature: String| async move {
        let bytes = serde_json::to_vec(&Sealed { signed, signature }).unwrap();
        store.put(ANSWER, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    };
    let sign = |text: &str| backup.sign(text.as_bytes(), ANSWER);

    // Somebody who can write, but not sign.
    let forged = text.replace("\"locks\": false", "\"locks\": true");
    assert_ne!(forged, text);
    put(forged, kept.signature).await;
    assert!(!is_probed(&backup.open().await.unwrap()));
    // That of another replica, and one that was copied with its replica to another place.
    let other = backup.stores[1].1.get(ANSWER, 1 << 20).await.unwrap();
    let other: Sealed = serde_json::from_slice(&other).unwrap();
    put(other.signed.clone(), sign(&other.signed)).await;
    assert!(!is_probed(&backup.open().await.unwrap()));
    let moved = text.replace("memory:replica-0", "memory:elsewhere");
    put(moved.clone(), sign(&moved)).await;
    assert!(!is_probed(&backup.open().await.unwrap()));
    // Nonsense of the right signer, and the right answer again.
    put("{}".to_owned(), sign("{}")).await;
    assert!(!is_probed(&backup.open().await.unwrap()));
    put(text.clone(), sign(&text)).await;
    assert!(is_probed(&backup.open().await.unwrap()));
}

#[tokio::test]
async fn an_answer_never_adds_what_the_kind_of_store_does_not_promise_and_a_poor_one_only_slows() {
    let source = Source::synthetic(60, 4);
    let backup = Backup::in_memory(2).await;
    backup.probe().await;
    for (store, all) in [(&backup.stores[0].1, true), (&backup.stores[1].1, false)] {
        let kept = store.get(ANSWER, 1 << 20).await.unwrap();
        let kept: Sealed = serde_json::from_slice(&kept).unwrap();
        let mut answer: serde_json::Value = serde_json::from_str(&kept.signed).unwrap();
        for ability in ["create_only", "stored_checksums", "versions", "locks"] {
            answer[ability] = all.into();
        }
        let signed = answer.to_string();
        let signature = backup.sign(signed.as_bytes(), ANSWER);
        let bytes = serde_json::to_vec(&Sealed { signed, signature }).unwrap();
        store.put(ANSWER, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    }
    let vault = backup.open().await.unwrap();
    let abilities: Vec<_> = vault.replicas.all().iter().map(|replica| replica.store.abilities()).collect();
    assert_eq!(abilities, [PLAIN, Abilities::NONE]);
    let report = backup.snapshot(&source).await.unwrap();
    assert_eq!(report.committed.on.len(), 2);
    assert_eq!(backup.verified(Level::Content).await.damage, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_store_that_does_not_check_checksums_the_bytes_are_read() {
    let source = Source::synthetic(60, 4);
    let (server, store) = flawed(Flaws { ignores_checksums: true, ..Flaws::default() }).await;
    let clock = Arc::new(ManualClock::new(server.clock.now()));
    let backup = Backup::on(vec![("careless".to_owned(), store)], true, clock).await;
    backup.probe().await;
    backup.snapshot(&source).await.unwrap();
    let vault = backup.open().await.unwrap();
    assert!(!vault.replicas.all()[0].store.abilities().stored_checksums);
    let options = prismvault::verification::VerifyOptions {
        level: None,
        ..crate::backups::verify_options(Level::Stored)
    };
    let report = prismvault::verification::verify(&vault, &options).await.unwrap();
    assert_eq!(report.levels, [("careless".to_owned(), Level::Bytes)]);
    assert_eq!(report.damage, []);
}

#[tokio::test]
async fn a_store_whose_listings_are_late_takes_no_part_until_it_is_probed_again() {
    let source = Source::synthetic(60, 4);
    let mut backup = Backup::in_memory(3).await;
    let late = FaultStore::new(Arc::clone(&backup.stores[2].1));
    backup.stores[2].1 = Arc::new(late.clone());
    late.set_list_lag(2);
    let probes = backup.probe().await;
    assert_eq!(
        probes[2].check(prismvault::objects::probe::CheckName::ListAfterPut).unwrap().outcome,
        CheckOutcome::No
    );
    late.clear();
    let report = backup.snapshot(&source).await.unwrap();
    assert_eq!(report.committed.on, ["replica-0", "replica-1"]);
    let why = &report.committed.behind["replica-2"];
    assert!(why.contains("a listing shows 0 of 3 new objects"), "{why}");
    assert_eq!(backup.stores[2].1.list("packs").await.unwrap(), []);

    // The vault's own handle takes no puts; who probes has another.
    let vault = backup.open().await.unwrap();
    let raw = [Replica::new("replica-2", Arc::clone(&backup.stores[2].1))];
    let again = probe_all(&raw, &*backup.clock, vault.limits()).await;
    assert!(vault.remember_probe(&vault.replicas.all()[2], &again[0]).await.is_err());
    assert!(vault.remember_probe(&raw[0], &again[0]).await.unwrap());
    backup.repair().await;
    let report = backup.snapshot(&source).await.unwrap();
    assert_eq!(report.committed.on.len(), 3, "{:?}", report.committed.behind);
}

#[tokio::test]
async fn object_lock_without_encryption_is_refused_by_all_that_writes_and_still_read() {
    let rule = LockRule { mode: LockMode::Governance, window: chrono::TimeDelta::days(14) };
    let source = Source::synthetic(60, 4);
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let memory = MemoryStore::new("m", Arc::<ManualClock>::clone(&clock)).with_locks(None);
    let mut backup =
        Backup::on(vec![("m".to_owned(), Arc::new(memory.clone()))], false, Arc::clone(&clock)).await;
    backup.snapshot(&source).await.unwrap();

    let locking = memory.locking(Some(rule)).unwrap();
    backup.stores[0].1 = Arc::clone(&locking);
    let before = memory.len();
    let SnapshotError::Vault(error) = backup.snapshot(&source).await.unwrap_err() else { panic!() };
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("could never be erased"), "{error}");
    let vault = backup.open().await.unwrap();
    let error = vault.replicas.all()[0].store_new("packs/blog/x", Body::bytes("x")).await.unwrap_err();
    assert!(error.to_string().contains("could never be erased"), "{error}");
    assert_eq!(memory.len(), before);
    assert_eq!(backup.verified(Level::Content).await.damage, []);

    // Nor is such a vault made, or brought to such a place.
    let empty = MemoryStore::new("empty", clock).with_locks(Some(rule));
    let new = [Replica::new("empty", Arc::new(empty.clone()))];
    let signing = prismvault::vault::signing::SigningKey::generate();
    let not_encrypted = prismvault::vault::init::NewVault {
        content_recipients: Vec::new(),
        operator_recipients: Vec::new(),
        signing: signing.public().clone(),
        root: &signing,
        created: backup.clock.now(),
    };
    assert_eq!(init(&new, not_encrypted).await.unwrap_err().kind, ErrorKind::Refused);
    let source = &vault.replicas.all()[0];
    let error = prismvault::vault::init::join(source, &vault.file.vault, &new).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    assert!(empty.is_empty());
}

#[tokio::test]
async fn a_replica_copied_to_another_place_does_not_bring_its_answer() {
    let backup = Backup::in_memory(1).await;
    backup.probe().await;
    let moved = MemoryStore::new("moved", Arc::<ManualClock>::clone(&backup.clock));
    copy_objects(&*backup.stores[0].1, &moved).await;
    let mut backup = backup;
    backup.stores = vec![("replica-0".to_owned(), Arc::new(moved))];
    assert!(!is_probed(&backup.open().await.unwrap()));
}
