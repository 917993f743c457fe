//! Replicas that are not what they seem: one place under two names, copies of copies.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use prismvault::ids::ReplicaId;
use prismvault::objects::{Body, ObjectStore, PutMode};
use prismvault::snapshot::SnapshotError;
use prismvault::vault::error::ErrorKind;
use prismvault::vault::format::ledger::Decision;
use prismvault::vault::ledger::Ledger;
use prismvault::verification::{Damage, DamageKind, Level, apply_repair, plan_repair};

use crate::backups::{Backup, Source, configuration, copy_objects, small, verify_options};
use crate::restore::tree;
use crate::workplace::Workplace;

async fn id_of(store: &dyn ObjectStore) -> ReplicaId {
    let file = store.get("replica.json", 1 << 20).await.unwrap();
    let file: serde_json::Value = serde_json::from_slice(&file).unwrap();
    file["replica"].as_str().unwrap().parse().unwrap()
}

/// Checks that verification finds one replica that says to be another, and nothing else.
fn assert_same(damage: &[Damage], replica: &str) {
    let [only] = damage else { panic!("{damage:?}") };
    assert_eq!(
        (only.kind, only.replica.as_str(), only.key.as_str()),
        (DamageKind::SameReplica, replica, "replica.json")
    );
    assert!(only.detail.contains("two names for one place") && only.detail.contains("prismvault repair"));
}

async fn assert_refused(backup: &Backup, source: &Source) {
    let SnapshotError::Vault(error) = backup.snapshot(source).await.unwrap_err() else { panic!("another") };
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("one copy could count as two"), "{error}");
    assert!(error.next_step().unwrap().contains("prismvault repair"), "{error}");
    let vault = backup.open().await.unwrap();
    let space = "blog".parse().unwrap();
    let gap = Decision::AcceptedGap {
        repository: "blog".parse().unwrap(),
        path: "assets/x/original".to_owned(),
        reason: "gone".to_owned(),
    };
    let error = Ledger::load(&vault, &space).await.unwrap().append(&vault, &space, gap).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
}

#[tokio::test]
async fn a_copied_replica_file_is_found_stops_writing_and_is_mended() {
    let (source, backup) = (Source::synthetic(40, 3), Backup::in_memory(3).await);
    backup.snapshot(&source).await.unwrap();
    let stores: Vec<_> = backup.stores.iter().map(|(_, store)| Arc::clone(store)).collect();
    let (first, third) = (id_of(stores[0].as_ref()).await, id_of(stores[2].as_ref()).await);
    let file = stores[0].get("replica.json", 1 << 20).await.unwrap();
    stores[1].put("replica.json", Body::bytes(file), PutMode::Overwrite).await.unwrap();
    assert_same(&backup.verified(Level::Bytes).await.damage, "replica-1");
    let before = stores[0].list("").await.unwrap().len();
    assert_refused(&backup, &source).await;
    assert_eq!(stores[0].list("").await.unwrap().len(), before, "nothing was written");

    backup.repair().await;
    assert_eq!(backup.verified(Level::Content).await.damage, []);
    assert_eq!((id_of(stores[0].as_ref()).await, id_of(stores[2].as_ref()).await), (first, third));
    assert_ne!(id_of(stores[1].as_ref()).await, first);
    for store in &stores {
        assert_eq!(store.list("state").await.unwrap(), [], "what was put to tell them apart is gone");
    }
    assert_eq!(backup.snapshot(&source).await.unwrap().committed.on.len(), 3);
}

#[tokio::test]
async fn one_place_under_two_names_is_found_stops_writing_and_gets_no_second_id() {
    let (source, mut backup) = (Source::synthetic(40, 3), Backup::in_memory(2).await);
    backup.snapshot(&source).await.unwrap();
    backup.stores[1].1 = Arc::clone(&backup.stores[0].1);
    let store = Arc::clone(&backup.stores[0].1);
    let id = id_of(store.as_ref()).await;
    assert_same(&backup.verified(Level::Bytes).await.damage, "replica-1");
    assert_refused(&backup, &source).await;
    let vault = backup.open().await.unwrap();
    let options = verify_options(Level::Bytes);
    let (_, plan) = plan_repair(&vault, &options).await.unwrap();
    let report = apply_repair(&vault, &plan, &options).await.unwrap();
    let [(step, why)] = report.failed.as_slice() else { panic!("{report:?}") };
    assert_eq!(step.key, "replica.json");
    assert!(why.contains("two names for one place; remove one"), "{why}");
    assert_eq!(id_of(store.as_ref()).await, id);
    assert_eq!(store.list("state").await.unwrap(), []);
}

#[tokio::test]
async fn a_whole_copy_of_a_replica_becomes_a_replica_by_repair() {
    let (source, mut backup) = (Source::synthetic(40, 3), Backup::in_memory(1).await);
    backup.snapshot(&source).await.unwrap();
    let other = Backup::in_memory(1).await;
    let copy = Arc::clone(&other.stores[0].1);
    for object in copy.list("").await.unwrap() {
        copy.delete(&object.key).await.unwrap();
    }
    copy_objects(backup.stores[0].1.as_ref(), copy.as_ref()).await;
    backup.stores.push(("copy".to_owned(), copy));
    assert_refused(&backup, &source).await;
    backup.repair().await;
    let report = backup.snapshot(&source).await.unwrap();
    assert_eq!(report.committed.on, ["replica-0", "copy"]);
    assert!(report.documents_unchanged, "what the copy holds counts");
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_configured_twice_is_refused_however_it_is_spelled() {
    let (source, place) = (small(), Workplace::new());
    let one = place.file("one");
    place.write("prismvault.toml", &configuration(&source, &[("one", &one)]));
    let pin = place.expect(0, &["init", "--json"]).json()["pin"].as_str().unwrap().to_owned();
    place.expect(0, &["snapshot"]);
    std::os::unix::fs::symlink(&one, place.file("link")).unwrap();
    std::os::unix::fs::symlink(place.path(), place.file("self")).unwrap();
    let before = tree(&one);
    // The same address is a mistake of the configuration; other spellings show by the id.
    place.write("prismvault.toml", &(configuration(&source, &[("one", &one), ("two", &one)]) + &pin));
    let same = place.expect(2, &["snapshot"]);
    assert!(same.stderr.contains("at the same place"), "{same:?}");
    for second in [place.file("link"), place.file("self").join("one")] {
        let config = configuration(&source, &[("one", &one), ("two", &second)]) + &pin;
        place.write("prismvault.toml", &config);
        let refused = place.expect(5, &["snapshot"]);
        assert!(refused.stderr.contains("two names for one place"), "{refused:?}");
        assert!(refused.stderr.contains("hint: "), "{refused:?}");
        let found = place.expect(3, &["verify"]);
        assert!(found.stdout.contains("same-replica on two: 1 thing\n  replica.json: "), "{found:?}");
        let repair = place.expect(1, &["repair"]);
        assert!(repair.stdout.contains("remove one of them from the configuration"), "{repair:?}");
        let mut after = tree(&one);
        // What verification remembers of itself is no part of the vault.
        after.retain(|key, _| !key.starts_with("state/verification/"));
        assert_eq!(after, before, "{}", second.display());
        // What is there can still be read.
        place.expect(0, &["list"]);
    }

    // A real copy.
    let copy = place.file("copy");
    copy_directory(&one, &copy);
    place.write("prismvault.toml", &(configuration(&source, &[("one", &one), ("two", &copy)]) + &pin));
    place.expect(5, &["snapshot"]);
    let dry = place.expect(0, &["repair", "--dry-run"]);
    assert!(dry.stdout.contains("replica.json made anew"), "{dry:?}");
    assert_eq!(tree(&one), tree(&copy));
    place.expect(0, &["repair"]);
    place.expect(0, &["snapshot"]);
    place.expect(0, &["verify", "--full"]);
    assert_ne!(fs::read(one.join("replica.json")).unwrap(), fs::read(copy.join("replica.json")).unwrap());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn no_vault_is_made_on_one_place_under_two_names() {
    let (source, place) = (small(), Workplace::new());
    let one = place.file("one");
    fs::create_dir(&one).unwrap();
    std::os::unix::fs::symlink(&one, place.file("link")).unwrap();
    place.write("prismvault.toml", &configuration(&source, &[("one", &one), ("two", &place.file("link"))]));
    let refused = place.expect(5, &["init"]);
    assert!(refused.stderr.contains("one place under two names"), "{refused:?}");
    assert!(!place.file("keys").exists(), "no keys were made");
    assert!(tree(&one).is_empty(), "{:?}", tree(&one));
}
