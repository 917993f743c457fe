//! Taking removals back, before and after pruning has begun.

use chrono::TimeDelta;
use prismvault::ids::{Digest, ReplicaId, SnapshotId};
use prismvault::objects::ObjectStore as _;
use prismvault::retention::{Undeletable, deadlines, plan_undelete, undelete};
use prismvault::vault::error::{ErrorKind, VaultError};
use prismvault::vault::format::manifest::Manifest;
use prismvault::vault::format::mark::{KIND, Mark};
use prismvault::vault::layout;
use prismvault::vault::marks;
use prismvault::vault::snapshots::Snapshots;
use prismvault::verification::Level;

use super::history::{History, blog, everywhere, find, ids, last};

/// A vault of which retention removed all but the newest.
async fn removed(replicas: usize) -> (History, Vec<Manifest>) {
    let (history, nights) = History::of_nights(replicas, 3).await;
    history.retain(&[everywhere("blog", last(1))]).await;
    assert_eq!(history.left().await, ids(&nights[2..]));
    (history, nights)
}

async fn take_back(history: &History, manifest: &Manifest) -> Result<Vec<String>, VaultError> {
    let vault = history.open().await;
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    undelete(&vault, &[find(&snapshots, manifest)], "it was a mistake").await
}

async fn deadline(history: &History, manifest: &Manifest) -> Undeletable {
    let vault = history.open().await;
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    deadlines(&vault, &[find(&snapshots, manifest)]).await.unwrap().remove(0)
}

/// Marks all packs of the space on one replica, as pruning does.
async fn mark_packs(history: &History, replica: usize) {
    let vault = history.open().await;
    let packs: Vec<Digest> =
        history.vault.keys("packs/blog").await.iter().filter_map(|key| layout::parse_digest(key)).collect();
    assert!(!packs.is_empty());
    let place = &vault.replicas.all()[replica];
    let own: ReplicaId = place.id().unwrap();
    let id = SnapshotId::new(history.now());
    let mark = Mark {
        kind: KIND.to_owned(),
        format: 1,
        vault: vault.file.vault,
        key: layout::mark(&blog(), &id),
        space: blog(),
        id,
        replica: own,
        packs,
        indexes: Vec::new(),
        headers: Vec::new(),
        manifests: Vec::new(),
    };
    marks::write(&vault, place, &mark).await.unwrap();
}

#[tokio::test]
async fn a_removal_is_taken_back_whole() {
    let (history, nights) = removed(2).await;
    assert_eq!(deadline(&history, &nights[0]).await, Undeletable::Open);
    let entries = take_back(&history, &nights[0]).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(history.left().await, ids(&[nights[0].clone(), nights[2].clone()]));
    assert_eq!(history.vault.backup.verified(Level::Bytes).await.damage, []);
    // What is there is not taken back again.
    assert_eq!(take_back(&history, &nights[0]).await.unwrap_err().kind, ErrorKind::NotFound);
    // The rules let it go again; a hold would keep it.
    assert_eq!(history.retain(&[everywhere("blog", last(1))]).await.snapshots, 1);
}

#[tokio::test]
async fn half_the_grace_after_a_mark_it_is_too_late() {
    let (history, nights) = removed(2).await;
    mark_packs(&history, 1).await;
    let half = TimeDelta::from_std(history.vault.backup.limits.grace() / 2).unwrap();
    let marked = history.now();
    history.advance(half - TimeDelta::minutes(1));
    let until = prismvault::clock::rfc3339(marked + half);
    assert_eq!(deadline(&history, &nights[0]).await, Undeletable::Until { until });
    take_back(&history, &nights[0]).await.unwrap();
    history.advance(TimeDelta::minutes(1));
    let Undeletable::No { why } = deadline(&history, &nights[1]).await else { panic!("too late") };
    assert!(why.contains("replica-1"), "{why}");
    let before = history.entries().await;
    let error = take_back(&history, &nights[1]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    assert_eq!(history.entries().await, before);
    assert_eq!(history.left().await.len(), 2, "the one that came in time stays");
}

#[tokio::test]
async fn what_pruning_has_deleted_does_not_come_back() {
    let (history, nights) = removed(2).await;
    let before = history.entries().await;
    // The manifest goes first.
    for store in &history.vault.stores {
        store.delete(&nights[0].key).await.unwrap();
    }
    assert_eq!(history.snapshots().await.removed().len(), 1);
    // Then packs, on one of them.
    let packs = history.vault.keys("packs/blog").await;
    for pack in &packs {
        history.vault.stores[1].delete(pack).await.unwrap();
    }
    let error = take_back(&history, &nights[1]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("replica-1"), "{error}");
    assert_eq!(history.entries().await, before);
}

#[tokio::test]
async fn one_that_only_some_replicas_lost_comes_back_to_all() {
    let (history, nights) = History::of_nights(2, 3).await;
    let mut policies = everywhere("blog", last(3));
    policies.own.insert("replica-1".to_owned(), last(1));
    history.retain(std::slice::from_ref(&policies)).await;
    assert_eq!(find(&history.snapshots().await, &nights[0]).on, ["replica-0"]);
    take_back(&history, &nights[0]).await.unwrap();
    assert_eq!(find(&history.snapshots().await, &nights[0]).on.len(), 2);
    assert_eq!(history.vault.backup.verified(Level::Bytes).await.damage, []);
}

#[tokio::test]
async fn clocks_that_differ_stop_it_too() {
    let (mut history, nights) = removed(1).await;
    let other = std::sync::Arc::new(prismvault::clock::ManualClock::new(history.now() - TimeDelta::days(1)));
    let copies = crate::backups::copy_stores(&history.vault.backup.stores, &other).await;
    history.vault.backup.stores = crate::backups::as_stores(&copies);
    let vault = history.open().await;
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let error = plan_undelete(&vault, &[find(&snapshots, &nights[0])]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
}

#[tokio::test]
async fn whoever_asks_for_a_removed_snapshot_is_told_how_it_comes_back() {
    let (history, nights) = removed(1).await;
    let snapshots = history.snapshots().await;
    let id = nights[0].snapshot.as_str();
    for typed in [id, &id[..20]] {
        let error = snapshots.select(typed, history.now()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert!(
            error.to_string().contains("was removed") && error.to_string().contains("keep_last = 1"),
            "{error}"
        );
        assert!(error.next_step().unwrap().contains(&format!("prismvault undelete {id}")), "{error:?}");
    }
}
