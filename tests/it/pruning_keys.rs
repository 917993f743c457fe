//! Pruning and rebuilding where keys changed: several headers a pack, index objects that others
//! took the place of.

use std::collections::BTreeSet;

use prismvault::ids::{Digest, Name};
use prismvault::keys::Change;
use prismvault::objects::{Body, ObjectStore as _, PutMode};
use prismvault::progress::Silent;
use prismvault::pruning::{Kind, storage};
use prismvault::vault::envelope::Identity;
use prismvault::vault::item::ItemKind;
use prismvault::vault::layout;
use prismvault::vault::rebuild::{plan_rebuild, rebuild};
use prismvault::vault::space::Space;
use tokio_util::sync::CancellationToken;

use crate::backups::Backup;
use crate::keys::change;
use crate::pruning::{a_day, assert_sound, deleted, grace, keys, prune, with_removed};
use crate::vaults::TestVault;

fn blog() -> Name {
    "blog".parse().unwrap()
}

/// Somebody comes who reads it too; nobody leaves, so nothing is destroyed by that.
async fn let_read(backup: &Backup, changes: impl FnOnce(&Identity) -> Vec<Change>) {
    let identities = [backup.operator.clone(), backup.recovery.clone()];
    let report = change(backup, &identities, None, &changes(&Identity::generate())).await.unwrap();
    assert!(report.is_complete() && report.rewrap.written > 0, "{report:?}");
}

async fn space(backup: &Backup) -> Space {
    Space::load(&backup.open().await.unwrap(), &blog()).await.unwrap()
}

/// Puts a header there that nobody named, as a rewrap that was killed leaves it.
async fn plant(vault: &TestVault, pack: &Digest) -> String {
    let bytes = b"a header that nobody named".to_vec();
    let key = layout::header(&blog(), pack, &Digest::of(&bytes));
    vault.stores[0].put(&key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    key
}

#[tokio::test]
async fn a_dead_pack_loses_every_header_and_a_living_one_those_that_nobody_named() {
    let (vault, ..) = with_removed(1).await;
    let backup = &vault.backup;
    let_read(backup, |new| vec![Change::AddContent(new.recipient())]).await;
    let listed = keys(&vault.stores[0], "keys").await;
    let found = space(backup).await;
    let packs = found.index.packs();
    assert!(packs.iter().filter(|pack| pack.kind.is_content()).all(|pack| pack.headers().count() == 2));
    let mut planted = Vec::new();
    for pack in packs {
        planted.push(plant(&vault, &pack.id).await);
    }

    // What was just written may be about to be named.
    let (planned, _) = prune(backup).await;
    assert!(planned.replicas[0].mark.iter().all(|mark| mark.headers.is_empty()), "{planned:?}");
    backup.clock.advance(a_day());
    let (planned, _) = prune(backup).await;
    let marked: u64 = planned.replicas[0].mark.iter().map(|mark| mark.headers.len() as u64).sum();
    assert!(marked > 0 && marked < planted.len() as u64, "dead packs are marked whole: {planned:?}");
    let report = storage(&backup.open().await.unwrap()).await.unwrap();
    assert!(report.replicas[0].marked.objects >= marked, "{report:?}");
    backup.clock.advance(grace());
    prune(backup).await;

    let bodies: BTreeSet<Digest> =
        keys(&vault.stores[0], "packs").await.iter().map(|key| layout::parse_digest(key).unwrap()).collect();
    assert!(bodies.len() < packs.len(), "the first snapshot's packs went");
    let lives = |key: &&String| bodies.contains(&layout::parse_header(key).unwrap().0);
    let expected: BTreeSet<String> = listed.iter().filter(lives).cloned().collect();
    assert_eq!(keys(&vault.stores[0], "keys").await, expected);
    assert_eq!(assert_sound(backup, "pruned").await, 2);
}

#[tokio::test]
async fn a_header_that_nobody_named_stays_where_the_needed_one_is_missing() {
    let (vault, ..) = with_removed(1).await;
    let backup = &vault.backup;
    let_read(backup, |new| vec![Change::AddContent(new.recipient())]).await;
    let found = space(backup).await;
    let packs = found.index.packs();
    let mut planted = BTreeSet::new();
    for pack in packs.iter().filter(|pack| pack.kind.is_content()) {
        planted.insert(plant(&vault, &pack.id).await);
        let (needed, _) = pack.needed_header().unwrap();
        vault.lose(&layout::header(&blog(), &pack.id, &needed)).await;
    }
    backup.clock.advance(a_day());
    let (planned, _) = prune(backup).await;
    assert!(planned.replicas[0].mark.iter().all(|mark| mark.headers.is_empty()), "{planned:?}");
}

#[tokio::test]
async fn a_replaced_index_object_goes_only_from_replicas_with_what_took_its_place() {
    let (vault, ..) = with_removed(2).await;
    let backup = &vault.backup;
    let old = keys(&vault.stores[0], "index").await;
    let_read(backup, |new| vec![Change::AddCatalog(new.recipient())]).await;
    let new: BTreeSet<String> = keys(&vault.stores[0], "index").await.difference(&old).cloned().collect();
    assert_eq!(new.len(), old.len());
    // The second replica was away then.
    for key in &new {
        vault.stores[1].delete(key).await.unwrap();
    }
    backup.clock.advance(a_day());
    prune(backup).await;
    backup.clock.advance(grace());
    let (_, report) = prune(backup).await;
    assert!(deleted(&report, "replica-0", Kind::Index) >= old.len() as u64, "{report:?}");
    assert!(keys(&vault.stores[0], "index").await.is_subset(&new));
    let left = keys(&vault.stores[1], "index").await;
    assert!(!left.is_empty() && left.is_subset(&old), "the old ones of packs that stay: {left:?}");
    // By itself it still says where everything is.
    for key in keys(&vault.stores[0], "index").await {
        vault.stores[0].delete(&key).await.unwrap();
    }
    backup.repair().await;
    assert_eq!(assert_sound(backup, "by what the second one had kept").await, 2);
}

#[tokio::test]
async fn a_rebuilt_index_names_the_newest_header_that_the_ledger_names() {
    let (vault, ..) = with_removed(1).await;
    let backup = &vault.backup;
    for _ in 0..2 {
        let_read(backup, |new| vec![Change::AddContent(new.recipient())]).await;
    }
    for key in keys(&vault.stores[0], "index").await {
        vault.stores[0].delete(&key).await.unwrap();
    }
    let open = backup.open_with(vec![backup.operator.clone(), backup.recovery.clone()]).await.unwrap();
    let plan = plan_rebuild(&open, &[]).await.unwrap();
    let report = rebuild(&open, &plan, &Silent, &CancellationToken::new()).await.unwrap();
    assert_eq!(report.problems, []);
    let found = space(backup).await;
    let content: Vec<_> = found.index.packs().iter().filter(|pack| pack.kind.is_content()).collect();
    assert!(content.len() > 1);
    for pack in content {
        assert_eq!(pack.header, pack.needed_header());
        assert_eq!(pack.header.map(|(header, _)| header), pack.rewrapped.last().map(|one| one.header));
    }
    assert_eq!(assert_sound(backup, "rebuilt").await, 2);
}

#[tokio::test]
async fn an_index_object_that_was_merged_after_readers_changed_is_not_rewrapped_once_more() {
    let mut vault = TestVault::new(2, true).await;
    vault.backup.limits.index_merge_count = 2;
    for n in 0..4 {
        let bytes = format!(r#"{{"id":"A","n":{n}}}"#);
        let item = ("documents/en-us/page/A.json", ItemKind::Document, bytes.as_bytes());
        vault.snapshot("blog", &[item]).await;
    }
    let backup = &vault.backup;
    let_read(backup, |new| vec![Change::AddCatalog(new.recipient())]).await;
    backup.clock.advance(a_day());
    let (_, report) = prune(backup).await;
    assert_eq!(report.merged.len(), 1, "{report:?}");
    // It describes packs of the first readers, and is itself for those of now.
    let open = backup.open().await.unwrap();
    let found = Space::load(&open, &blog()).await.unwrap();
    let pending = prismvault::vault::rewrap::pending(&open, &found, None);
    assert_eq!(pending.to_write, 0, "{pending:?}");
    assert_eq!(assert_sound(backup, "merged").await, 4);
}

#[tokio::test]
async fn after_a_rebuild_each_header_is_named_once() {
    let (vault, ..) = with_removed(1).await;
    let backup = &vault.backup;
    let_read(backup, |new| vec![Change::AddContent(new.recipient())]).await;
    let kept = keys(&vault.stores[0], "index").await;
    let mut bytes = Vec::new();
    for key in &kept {
        bytes.push((key, vault.stores[0].get(key, u64::MAX).await.unwrap()));
        vault.stores[0].delete(key).await.unwrap();
    }
    let open = backup.open_with(vec![backup.operator.clone(), backup.recovery.clone()]).await.unwrap();
    let plan = plan_rebuild(&open, &[]).await.unwrap();
    rebuild(&open, &plan, &Silent, &CancellationToken::new()).await.unwrap();
    // Then a replica comes back that has the old ones: two records a pack, with other headers.
    for (key, bytes) in bytes {
        vault.stores[0].put(key, Body::bytes(bytes), PutMode::CreateOnly).await.unwrap();
    }
    let found = space(backup).await;
    for pack in found.index.packs() {
        let headers: Vec<_> = pack.headers().collect();
        let different: BTreeSet<_> = headers.iter().collect();
        assert_eq!(headers.len(), different.len(), "{headers:?}");
        assert_eq!(headers.len(), 2, "who reads content reads catalogs: {headers:?}");
        assert_eq!(
            pack.needed_header().map(|one| one.0),
            pack.rewrapped.last().map(|one| one.header).or(pack.header.map(|one| one.0))
        );
    }
    assert_eq!(assert_sound(backup, "two records").await, 2);
}
