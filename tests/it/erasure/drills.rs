//! Files of drills that may show a person go with what an order destroys, and the signed record stays.

use chrono::TimeDelta;
use prismvault::privacy::proof::erased::ErasedPacks;
use prismvault::vault::drill_copies::bring;
use prismvault::vault::drills::{self, StoredDrill};
use prismvault::vault::erasure::content_erased;

use prismvault::vault::format::drill::{DrillFile, DrillResult};

use super::destruction::{destroyed, rewritten};
use super::*;
use crate::drill_records::{record, store};

/// Keys of the files of a drill that may show content, and of those that show none.
fn files(drill: &StoredDrill) -> (Vec<String>, Vec<String>) {
    let key = |stored: &Digest| format!("drills/{}/files/{stored}", drill.file.drill);
    let all = drill.file.files.iter();
    let (content, others): (Vec<_>, Vec<_>) = all.partition(|file| file.holds_content());
    let keys = |files: Vec<&prismvault::vault::format::drill::DrillAttachment>| {
        files.iter().map(|file| key(&file.stored)).collect()
    };
    (keys(content), keys(others))
}

impl Scene {
    /// A drill that ended just now.
    async fn drilled(&self, repository: &str) -> StoredDrill {
        let opened = self.open().await;
        let mut file = record(&opened, self.vault.backup.clock.now());
        file.repositories[0].repository = repository.parse().unwrap();
        store(&opened, file).await
    }

    async fn lists_all(&self, keys: &[String], replica: usize) -> bool {
        let there = self.list(replica).await;
        keys.iter().all(|key| there.contains(key))
    }

    async fn lists_none(&self, keys: &[String], replica: usize) -> bool {
        let there = self.list(replica).await;
        keys.iter().all(|key| !there.contains(key))
    }
}

#[tokio::test]
async fn pictures_and_outputs_of_drills_before_an_order_go_from_every_replica() {
    let scene = Scene::new().await;
    scene.vault.snapshot("shop", &[OTHER]).await;
    let before = scene.drilled("blog").await;
    let of_another = scene.drilled("shop").await;
    let (content, others) = files(&before);
    assert_eq!((content.len(), others.len()), (2, 1));
    scene.vault.backup.clock.advance(TimeDelta::hours(1));
    scene.erase(&[(0, 1)]).await;
    scene.vault.backup.clock.advance(TimeDelta::hours(1));
    let after = scene.drilled("blog").await;

    let opened = scene.open().await;
    assert!(content_erased(&opened, &before.file).await.unwrap().is_some(), "from the order on");
    assert!(content_erased(&opened, &after.file).await.unwrap().is_none());
    rewritten(&opened).await.unwrap();
    let report = destroyed(&opened).await.unwrap();
    assert!(report.iter().all(|replica| replica.drill_files == 2 && replica.is_complete()), "{report:?}");
    for replica in [0, 1] {
        assert!(scene.lists_none(&content, replica).await);
        assert!(scene.lists_all(&others, replica).await, "the rest of the evidence stays");
        for drill in [&of_another, &after] {
            assert!(scene.lists_all(&files(drill).0, replica).await);
        }
    }
    // What is gone is told for what it is, and is no damage.
    let picture = before.file.files.iter().find(|file| file.holds_content()).unwrap();
    let error = drills::read_file(&opened, &before.file, picture).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Erased);
    let known = opened_order(&scene).await;
    assert!(error.to_string().contains(&known), "{error}");
    assert_eq!(drills::load(&opened, &before.file.drill).await.unwrap().file, before.file);
    assert_eq!(scene.vault.backup.verified(Level::Content).await.damage, []);
    let receipts = scene.receipts().await;
    assert!(receipts.iter().any(|receipt| receipt.gone.is_some()));
    let report = destroyed(&opened).await.unwrap();
    assert!(report.iter().all(|replica| replica.drill_files == 0), "{report:?}");
    assert_eq!(scene.receipts().await.len(), receipts.len());
}

/// Id of the ledger entry with the only order.
async fn opened_order(scene: &Scene) -> String {
    let ledger = Ledger::load(&*scene.open().await, &blog()).await.unwrap();
    ledger.erased().orders()[0].entry.to_string()
}

#[tokio::test]
async fn a_replica_that_was_away_brings_no_picture_back() {
    let scene = Scene::new().await;
    let drill = scene.drilled("blog").await;
    let (content, _) = files(&drill);
    let kept = scene.vault.stores[1].get(&content[0], 1 << 20).await.unwrap();
    scene.erase(&[(0, 1)]).await;
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    destroyed(&opened).await.unwrap();
    // It comes back with an old state.
    scene.vault.stores[1].put(&content[0], Body::bytes(kept), PutMode::CreateOnly).await.unwrap();
    assert_eq!(bring(&opened).await.unwrap(), []);
    assert!(scene.lists_none(&content, 0).await);
    // Whoever looks whether it is gone finds it by its digest, and the same command takes it.
    let erased = ErasedPacks::load(&opened, None).await.unwrap();
    assert!(content.iter().all(|key| erased.all().iter().any(|digest| key.ends_with(&digest.to_string()))));
    let report = destroyed(&opened).await.unwrap();
    assert_eq!((report[0].drill_files, report[1].drill_files), (0, 1), "{report:?}");
    assert!(scene.lists_none(&content, 1).await);
}

#[tokio::test]
async fn what_a_drill_left_that_was_killed_goes_when_it_cannot_be_under_way_any_more() {
    let scene = Scene::new().await;
    let drill = scene.drilled("blog").await;
    for key in [drill.file.key.clone(), format!("{}.minisig", drill.file.key)] {
        for replica in &scene.vault.stores {
            replica.delete(&key).await.unwrap();
        }
    }
    let (content, others) = files(&drill);
    let all = [content, others].concat();
    scene.erase(&[(0, 1)]).await;
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    let report = destroyed(&opened).await.unwrap();
    // Nobody knows what it holds while the drill may write its record.
    assert!(report.iter().all(|replica| !replica.is_complete() && replica.pending.len() == 3), "{report:?}");
    assert!(report[0].pending[0].why.contains("under way"), "{report:?}");
    assert!(scene.lists_all(&all, 0).await);
    assert!(scene.receipts().await.iter().all(|receipt| receipt.gone.is_none()));
    scene.vault.backup.clock.advance(TimeDelta::days(3));
    let opened = scene.open().await;
    let report = destroyed(&opened).await.unwrap();
    assert!(report.iter().all(|replica| replica.is_complete() && replica.drill_files == 3), "{report:?}");
    assert!(scene.lists_none(&all, 0).await && scene.lists_none(&all, 1).await);
    assert!(scene.receipts().await.iter().any(|receipt| receipt.gone.is_some()));
    // The next drill wrote a record for one that was killed, which names nothing that it left.
    let drill = scene.drilled("blog").await;
    for key in [drill.file.key.clone(), format!("{}.minisig", drill.file.key)] {
        for replica in &scene.vault.stores {
            replica.delete(&key).await.unwrap();
        }
    }
    let abandoned = DrillFile {
        result: DrillResult::Abandoned,
        repositories: Vec::new(),
        files: Vec::new(),
        ..drill.file.clone()
    };
    drills::store(&opened, abandoned).await.unwrap();
    let all = [files(&drill).0, files(&drill).1].concat();
    scene.vault.backup.clock.advance(TimeDelta::hours(1));
    scene.erase(&[(1, 2)]).await;
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    destroyed(&opened).await.unwrap();
    assert!(scene.lists_none(&all, 0).await && scene.lists_none(&all, 1).await);
}
