//! What was erased does not come back: not by a replica that was away, not by an old copy of a pack, not by a
//! snapshot that was being taken.

use super::destruction::{destroyed, rewritten};
use super::*;
use crate::replication::replicate;

/// A vault of which one replica is away while the document is erased on the other.
async fn with_one_away() -> Scene {
    let mut scene = Scene::new().await;
    scene.vault.backup.min_copies = Some(1);
    scene.vault.backup.state = None;
    let away = scene.vault.backup.stores.pop().unwrap();
    scene.erase(&[(0, 1)]).await;
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    let report = destroyed(&opened).await.unwrap();
    assert!(report.len() == 1 && report[0].is_complete(), "{report:?}");
    scene.vault.backup.stores.push(away);
    scene
}

#[tokio::test]
async fn a_replica_that_was_away_gets_what_stays_and_loses_what_was_erased() {
    let scene = with_one_away().await;
    let away = scene.list(1).await;
    assert_eq!(scene.reads(0).await.unwrap(), MASKED, "the ledger of one replica is enough");
    let found = scene.vault.backup.verified(Level::Content).await;
    assert!(found.warnings.iter().any(|warning| warning.code == "not-destroyed-yet"), "{found:?}");

    let (_, report) = replicate(&scene.vault.backup).await;
    assert!(report.targets.iter().all(|target| target.failed.is_empty()), "{report:?}");
    let first = scene.list(0).await;
    let packs = |keys: &BTreeSet<String>| -> BTreeSet<String> {
        keys.iter().filter(|key| key.starts_with("packs/")).cloned().collect()
    };
    let old: Vec<String> = packs(&away).difference(&packs(&first)).cloned().collect();
    assert_eq!(old.len(), 1, "the pack did not go back");

    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    let report = destroyed(&opened).await.unwrap();
    assert!(report.iter().all(Destroyed::is_complete), "{report:?}");
    assert_eq!(packs(&scene.list(1).await), packs(&scene.list(0).await));
    assert!(!scene.list(1).await.contains(&old[0]));
    scene.assert_sound("both").await;
    let found = scene.vault.backup.verified(Level::Content).await;
    assert!(found.warnings.iter().all(|warning| warning.code != "not-destroyed-yet"), "{found:?}");
    assert_eq!(found.erased.len(), 1);
}

#[tokio::test]
async fn without_replicating_first_the_replica_that_was_away_keeps_what_must_stay() {
    let scene = with_one_away().await;
    // The new pack is not there: rewriting puts it there before anything goes.
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    let report = destroyed(&opened).await.unwrap();
    assert!(report.iter().all(Destroyed::is_complete), "{report:?}");
    scene.assert_sound("both").await;
}

#[tokio::test]
async fn an_old_copy_of_a_pack_that_is_put_back_is_not_read_and_goes_again() {
    let scene = Scene::new().await;
    scene.erase(&[(0, 1)]).await;
    let (_, doomed) = scene.doomed().await;
    let store = &scene.vault.stores[0];
    let mut copies = Vec::new();
    for key in &doomed {
        copies.push((key.clone(), store.get(key, 1 << 30).await.unwrap()));
    }
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    destroyed(&opened).await.unwrap();
    let said = scene.receipts().await.len();
    for (key, bytes) in copies {
        store.put(&key, Body::bytes(bytes), PutMode::CreateOnly).await.unwrap();
    }
    scene.assert_sound("put back").await;
    replicate(&scene.vault.backup).await;
    let there = scene.list(1).await;
    assert!(doomed.iter().all(|key| !there.contains(key)), "it is not copied");
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    let report = destroyed(&opened).await.unwrap();
    assert_eq!((report[0].bodies, report[1].bodies), (1, 0), "{report:?}");
    let there = scene.list(0).await;
    assert!(doomed.iter().all(|key| !there.contains(key)));
    assert!(scene.receipts().await.len() > said, "it is told once more");
    scene.assert_sound("gone again").await;
}

#[tokio::test]
async fn a_snapshot_that_was_being_taken_names_the_item_and_reads_what_stands_in_its_place() {
    let scene = Scene::new().await;
    let begun = scene.vault.begin("blog").await;
    scene.erase(&[(0, 1)]).await;
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    let report = destroyed(&opened).await.unwrap();
    assert!(report.iter().all(Destroyed::is_complete), "{report:?}");
    // It looked at the vault before: the document is known to it.
    let manifest = scene.vault.finish(begun, &[(PATH, ItemKind::Document, NAMED), OTHER], |_| {}).await;
    let opened = scene.open().await;
    let space = Space::load(&opened, &blog()).await.unwrap();
    let reader = Reader::new(&opened, &space);
    let found = entry(&reader, &manifest).await.unwrap();
    assert_eq!(reader.bytes(found.item).await.unwrap(), MASKED);
    scene.assert_sound("after").await;
}

#[tokio::test]
async fn a_pack_with_something_erased_is_not_copied_before_what_stays_is_in_another() {
    let mut scene = Scene::new().await;
    scene.vault.backup.min_copies = Some(1);
    scene.vault.backup.state = None;
    scene.erase(&[(0, 1)]).await;
    let (body, doomed) = scene.doomed().await;
    for key in &doomed {
        scene.vault.stores[1].delete(key).await.unwrap();
    }
    let (plan, _) = replicate(&scene.vault.backup).await;
    assert!(plan.lost.iter().any(|lost| lost.key == body), "{:?}", plan.lost);
    assert!(!scene.list(1).await.contains(&body));
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    replicate(&scene.vault.backup).await;
    assert!(!scene.list(1).await.contains(&body));
    assert!(destroyed(&*scene.open().await).await.unwrap().iter().all(Destroyed::is_complete));
    scene.assert_sound("after").await;
}

#[tokio::test]
async fn what_is_gone_is_in_no_catalog_and_everybody_says_why() {
    let scene = Scene::new().await;
    let order = scene.order(&[(0, 1)]).await.replace("\"masked\"", "\"removed\"");
    scene.decide(scene.approved(order, &[1])).await;
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    destroyed(&opened).await.unwrap();
    let opened = scene.open().await;
    let space = Space::load(&opened, &blog()).await.unwrap();
    let reader = Reader::new(&opened, &space);
    let (entries, applied) =
        tree::read_telling::<CatalogEntry>(&reader, &scene.snapshots[0].catalog).await.unwrap();
    let paths: Vec<&str> = entries.iter().map(|entry| &*entry.path).collect();
    assert_eq!(paths, [OTHER.0]);
    assert_eq!((applied.removed, applied.masked, applied.orders.len()), (1, 0, 1));
    assert_eq!(applied.words().unwrap(), "1 erased");
    let report = scene.vault.backup.verified(Level::Content).await;
    assert_eq!(report.damage, [], "it is explained, not lost");
    assert_eq!(report.erased[0].items, 1);
    let text = with_snapshot!(scene.open().await, &scene.snapshots[0], |snapshot| cat(&snapshot, PATH).await);
    let error = text.unwrap_err().to_string();
    assert!(error.contains("was erased under the order"), "{error}");
}
