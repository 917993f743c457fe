//! Manifests that are lost for good, and saying so.

use prismvault::objects::ObjectStore as _;
use prismvault::objects::faults::{Condition, FaultStore};
use prismvault::retention::{acknowledge_lost, plan_lost};
use prismvault::vault::error::ErrorKind;
use prismvault::vault::snapshots::Snapshots;
use prismvault::verification::Level;

use super::history::{History, blog, digest_of, everywhere, ids, last};

async fn acknowledge(history: &History, typed: &str) -> Result<String, ErrorKind> {
    let vault = history.open().await;
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let lost = plan_lost(&vault, &snapshots, &blog(), typed).map_err(|error| error.kind)?;
    acknowledge_lost(&vault, &blog(), &blog(), &lost, "the disk died").await.map_err(|error| error.kind)
}

/// What is reported of the vault.
async fn complaints(history: &History) -> Vec<String> {
    let vault = history.open().await;
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let mut told: Vec<String> = snapshots.unreadable.iter().map(|one| format!("{one:?}")).collect();
    told.extend(snapshots.missing(&vault).unwrap().iter().map(|one| format!("{one:?}")));
    let damage = history.vault.backup.verified(Level::Bytes).await.damage;
    told.extend(damage.iter().map(|damage| format!("{damage:?}")));
    told
}

#[tokio::test]
async fn one_from_the_middle_is_acknowledged_by_its_digest() {
    let (history, nights) = History::of_nights(2, 4).await;
    let digest = digest_of(&history.snapshots().await, &nights[1]).to_string();
    assert_eq!(acknowledge(&history, &digest).await, Err(ErrorKind::NotFound), "it is there");
    history.lose(&nights[1].key).await;
    assert_ne!(complaints(&history).await, Vec::<String>::new());
    // Another digest, and an id that nobody remembers, are refused.
    let other = "0".repeat(64);
    for typed in [other.as_str(), nights[1].snapshot.as_str(), "nonsense"] {
        assert_eq!(acknowledge(&history, typed).await, Err(ErrorKind::NotFound), "{typed}");
    }
    acknowledge(&history, &digest).await.unwrap();
    assert_eq!(complaints(&history).await, Vec::<String>::new());
    assert_eq!(history.retain(&[everywhere("blog", last(1))]).await.snapshots, 2, "expiry goes on");
    assert_eq!(history.left().await, ids(&nights[3..]));
    // Quiet about this one, not about the next.
    history.night("blog", 100).await;
    history.lose(&nights[3].key).await;
    assert_ne!(complaints(&history).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_newest_that_this_client_saw_is_acknowledged_by_its_id() {
    let (history, nights) = History::of_nights(2, 2).await;
    history.lose(&nights[1].key).await;
    assert_ne!(complaints(&history).await, Vec::<String>::new());
    acknowledge(&history, nights[1].snapshot.as_str()).await.unwrap();
    assert_eq!(complaints(&history).await, Vec::<String>::new());
    // The next one does not name it any more.
    let next = history.night("blog", 100).await;
    assert_eq!(next.parents, [digest_of(&history.snapshots().await, &nights[0])]);
}

#[tokio::test]
async fn a_damaged_file_is_acknowledged_by_its_id_and_no_longer_reported() {
    let (history, nights) = History::of_nights(2, 3).await;
    for store in &history.vault.stores {
        assert!(store.tamper(&nights[1].key, |bytes| bytes.truncate(10)));
    }
    assert_ne!(complaints(&history).await, Vec::<String>::new());
    acknowledge(&history, nights[1].snapshot.as_str()).await.unwrap();
    assert_eq!(complaints(&history).await, Vec::<String>::new());
}

#[tokio::test]
async fn even_the_only_one_can_be_lost() {
    let (history, nights) = History::of_nights(1, 1).await;
    history.lose(&nights[0].key).await;
    assert!(!history.snapshots().await.missing(&*history.open().await).unwrap().is_empty());
    acknowledge(&history, nights[0].snapshot.as_str()).await.unwrap();
    assert_eq!(history.snapshots().await.missing(&*history.open().await).unwrap(), []);
}

#[tokio::test]
async fn nothing_is_given_up_while_a_replica_that_may_hold_it_is_away() {
    let (mut history, nights) = History::of_nights(2, 3).await;
    history.vault.backup.min_copies = Some(1);
    let digest = digest_of(&history.snapshots().await, &nights[1]).to_string();
    history.vault.stores[0].delete(&nights[1].key).await.unwrap();
    let door = std::sync::Arc::new(FaultStore::new(std::sync::Arc::clone(&history.vault.backup.stores[1].1)));
    history.vault.backup.stores[1].1 = std::sync::Arc::<FaultStore>::clone(&door);
    door.set_condition(Condition::Unreachable);
    assert_eq!(acknowledge(&history, &digest).await, Err(ErrorKind::Refused));
    assert_eq!(history.entries().await, Vec::<String>::new());
    door.set_condition(Condition::Healthy);
    assert_eq!(acknowledge(&history, &digest).await, Err(ErrorKind::NotFound), "it is there after all");
}

#[tokio::test]
async fn what_one_replica_is_to_keep_or_was_taken_back_is_missed() {
    let (history, nights) = History::of_nights(2, 3).await;
    let mut policies = everywhere("blog", last(1));
    policies.own.insert("replica-1".to_owned(), last(9));
    history.retain(&[policies]).await;
    assert_eq!(complaints(&history).await, Vec::<String>::new());
    // The archive loses what the other let go.
    history.vault.stores[1].delete(&nights[0].key).await.unwrap();
    let told = complaints(&history).await;
    assert!(told.iter().any(|told| told.contains("manifest-missing")), "{told:?}");

    let (history, nights) = History::of_nights(1, 3).await;
    history.retain(&[everywhere("blog", last(1))]).await;
    let vault = history.open().await;
    let snapshots = history.snapshots().await;
    prismvault::retention::undelete(&vault, &[super::history::find(&snapshots, &nights[1])], "a mistake")
        .await
        .unwrap();
    assert_eq!(complaints(&history).await, Vec::<String>::new());
    history.lose(&nights[1].key).await;
    assert_ne!(complaints(&history).await, Vec::<String>::new());
}
