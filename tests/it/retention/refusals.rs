//! What stops retention: whatever is missing, not understood, or suddenly much smaller.

use std::sync::Arc;

use chrono::TimeDelta;
use prismvault::clock::ManualClock;
use prismvault::objects::{Body, ObjectStore as _, PutMode};
use prismvault::retention::{RetentionPlan, accept_shrink, apply, plan_accept_shrink};
use prismvault::vault::error::ErrorKind;
use prismvault::vault::format::manifest::Manifest;
use prismvault::vault::snapshots::Snapshots;
use serde_json::json;

use super::history::{History, blog, everywhere, find, going, ids, last};
use crate::backups::{as_stores, copy_stores};

/// Why nothing of the first repository of a plan goes.
fn refused(plan: &RetentionPlan) -> (&'static str, String) {
    let refusal = plan.repositories[0].refused.as_ref().expect("it is refused");
    (refusal.code, refusal.why.clone())
}

#[tokio::test]
async fn a_chain_that_is_not_whole_keeps_all_of_its_repository_and_others_go_on() {
    let (history, nights) = History::of_nights(2, 4).await;
    let shop = [history.night("shop", 9).await, history.night("shop", 9).await];
    let policies = [everywhere("blog", last(1)), everywhere("shop", last(1))];
    let originals = history.vault.backup.stores.clone();
    let mut history = history;
    // Each round begins with the same vault, which nobody remembers otherwise.
    history.vault.backup.state = None;
    for damage in ["lost", "damaged"] {
        let copies = copy_stores(&originals, &history.vault.backup.clock).await;
        history.vault.backup.stores = as_stores(&copies);
        for (_, store) in &copies {
            if damage == "lost" {
                store.delete(&nights[1].key).await.unwrap();
            } else {
                assert!(store.tamper(&nights[1].key, |bytes| bytes.truncate(100)));
            }
        }
        let plan = history.plan(&policies).await;
        let (code, why) = refused(&plan);
        assert_eq!(code, "chain", "{damage}: {why}");
        assert_eq!(going(&plan), ids(&shop[..1]), "{damage}");
        apply(&*history.open().await, &plan).await.unwrap();
        let snapshots = history.snapshots().await;
        assert_eq!(snapshots.of(&blog()).len(), 3, "{damage}");
        assert_eq!(snapshots.of(&"shop".parse().unwrap()).len(), 1, "{damage}");
    }
}

#[tokio::test]
async fn clocks_that_differ_stop_it() {
    let (mut history, nights) = History::of_nights(2, 3).await;
    for (minutes, allowed) in [(4, true), (6, false), (-24 * 60, false)] {
        let other = Arc::new(ManualClock::new(history.now() + TimeDelta::minutes(minutes)));
        let behind = copy_stores(&history.vault.backup.stores, &other).await.remove(1);
        let mut stores =
            as_stores(&copy_stores(&history.vault.backup.stores, &history.vault.backup.clock).await);
        stores[1] = as_stores(&[behind]).remove(0);
        let before = std::mem::replace(&mut history.vault.backup.stores, stores);
        let plan = history.try_plan(&[everywhere("blog", last(1))]).await;
        match allowed {
            true => assert_eq!(going(&plan.unwrap()), ids(&nights[..2])),
            false => {
                let error = plan.unwrap_err();
                assert_eq!(error.kind, ErrorKind::Refused, "{error}");
                assert!(error.to_string().contains("depends on time"), "{error}");
            }
        }
        history.vault.backup.stores = before;
    }
}

/// Puts an entry into the ledger that says what this version does not know.
async fn put_unknown_entry(history: &History) {
    let vault = history.open().await;
    let id = prismvault::ids::SnapshotId::new(history.now());
    let key = format!("ledger/blog/{id}.json");
    let entry = json!({
        "kind": "ledger-entry", "format": 1, "vault": vault.file.vault, "key": key, "space": "blog",
        "id": id, "parents": [], "critical": false,
        "decision": { "type": "of-a-later-version", "repository": "blog", "forbids": "everything" },
    });
    let bytes = serde_json::to_vec(&entry).unwrap();
    let signature = history.vault.backup.sign(&bytes, &key);
    history.vault.backup.put_signed(&key, &bytes, &signature).await;
}

#[tokio::test]
async fn a_decision_that_is_not_understood_stops_it() {
    let (history, nights) = History::of_nights(2, 3).await;
    put_unknown_entry(&history).await;
    let plan = history.plan(&[everywhere("blog", last(1))]).await;
    let (code, why) = refused(&plan);
    assert_eq!(code, "ledger");
    assert!(why.contains("does not know"), "{why}");
    assert_eq!(apply(&*history.open().await, &plan).await.unwrap().snapshots, 0);
    assert_eq!(history.left().await, ids(&nights));
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_stops_it() {
    let (history, nights) = History::of_nights(1, 3).await;
    let key = "ledger/blog/20261103T000000Z-00000000.json";
    history.vault.stores[0].put(key, Body::bytes(&b"{}"[..]), PutMode::Overwrite).await.unwrap();
    let (code, why) = refused(&history.plan(&[everywhere("blog", last(1))]).await);
    assert_eq!(code, "ledger");
    assert!(why.contains(key), "{why}");
    assert_eq!(history.left().await, ids(&nights));
}

#[tokio::test]
async fn a_feature_that_who_deletes_must_know_stops_it() {
    let (history, nights) = History::of_nights(1, 3).await;
    let plan = history.plan(&[everywhere("blog", last(1))]).await;
    let with_feature = |bytes: &mut Vec<u8>| {
        let mut file: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        file["features"] = json!({ "read": [], "write": [], "delete": ["slow-lock"] });
        *bytes = serde_json::to_vec(&file).unwrap();
    };
    assert!(history.vault.stores[0].tamper("vault.json", with_feature));
    for error in [
        history.try_plan(&[everywhere("blog", last(1))]).await.unwrap_err(),
        apply(&*history.open().await, &plan).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::Refused);
        assert!(error.to_string().contains("slow-lock"), "{error}");
    }
    assert_eq!(history.left().await, ids(&nights), "reading goes on");
}

/// Accepts that a snapshot is small, as the command does.
async fn accept(history: &History, manifest: &Manifest) -> Result<(), ErrorKind> {
    let vault = history.open().await;
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let snapshot = find(&snapshots, manifest);
    plan_accept_shrink(&snapshots, snapshot, 30, history.now()).map_err(|error| error.kind)?;
    accept_shrink(&vault, snapshot, "the old site was archived").await.map(drop).map_err(|error| error.kind)
}

#[tokio::test]
async fn a_repository_that_suddenly_holds_less_stops_its_expiry_until_somebody_accepts_it() {
    let (history, nights) = History::of_nights(2, 3).await;
    let policies = [everywhere("blog", last(1))];
    let [small, smaller] = [history.night("blog", 69).await, history.night("blog", 65).await];
    let plan = history.plan(&policies).await;
    let (code, why) = refused(&plan);
    assert_eq!(code, "shrink");
    for said in [smaller.snapshot.as_str(), nights[2].snapshot.as_str(), "documents from 100 to 65"] {
        assert!(why.contains(said), "{why}");
    }
    assert_eq!(apply(&*history.open().await, &plan).await.unwrap().snapshots, 0);
    assert_eq!(history.left().await.len(), 5);
    // Time does not make it plausible, and nobody can accept what is not in question.
    for _ in 0..3 {
        history.night("blog", 66).await;
    }
    assert_eq!(refused(&history.plan(&policies).await).0, "shrink");
    assert_eq!(accept(&history, &nights[2]).await, Err(ErrorKind::NotFound));
    accept(&history, &small).await.unwrap();
    assert_eq!(history.retain(&policies).await.snapshots, 7);
    // The accepted one is gone by now; what was accepted stays so.
    assert_eq!(history.left().await.len(), 1);
    assert_eq!(accept(&history, &smaller).await, Err(ErrorKind::NotFound));
    history.night("blog", 65).await;
    assert_eq!(history.retain(&policies).await.snapshots, 1);
}

#[tokio::test]
async fn what_was_accepted_stays_accepted_between_those_that_are_left() {
    let (history, nights) = History::of_nights(1, 1).await;
    let small = history.night("blog", 40).await;
    accept(&history, &small).await.unwrap();
    history.night("blog", 40).await;
    let (vault, snapshots) = (history.open().await, history.snapshots().await);
    prismvault::retention::hold(&vault, &[find(&snapshots, &nights[0])], "court").await.unwrap();
    // The one that was accepted goes, those before and after it stay.
    assert_eq!(history.retain(&[everywhere("blog", last(1))]).await.snapshots, 1);
    history.night("blog", 40).await;
    assert_eq!(history.retain(&[everywhere("blog", last(1))]).await.snapshots, 1);
    history.night("blog", 20).await;
    assert_eq!(refused(&history.plan(&[everywhere("blog", last(1))]).await).0, "shrink");
}

#[tokio::test]
async fn numbers_that_recover_need_no_acceptance() {
    let (history, _) = History::of_nights(1, 2).await;
    let policies = [everywhere("blog", last(1))];
    history.night("blog", 10).await;
    assert_eq!(refused(&history.plan(&policies).await).0, "shrink");
    history.night("blog", 95).await;
    assert_eq!(history.retain(&policies).await.snapshots, 3);
    // A partial one says nothing about how much there is, nor does a small loss.
    history.partial_night("blog").await;
    history.night("blog", 70).await;
    assert!(!history.plan(&policies).await.is_refused());
}
