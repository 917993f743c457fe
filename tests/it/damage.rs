//! Every kind of object, damaged in every way: verification names it, reading goes round it,
//! repair mends it.

use std::sync::Arc;

use prismvault::objects::memory::MemoryStore;
use prismvault::objects::{Body, ObjectStore, PutMode};
use prismvault::progress::Silent;
use prismvault::vault::error::ErrorKind;
use prismvault::vault::format::ledger::Decision;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::open::Vault;
use prismvault::vault::reader::Reader;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::vault::tree;
use prismvault::verification::{
    DamageKind, Level, VerifyOptions, VerifyReport, apply_repair, plan_repair, verify,
};
use tokio_util::sync::CancellationToken;

use crate::backups::{Backup, Source};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Delete,
    Truncate,
    FlipBit,
    /// With another object of the same kind.
    Swap,
}

const ACTIONS: [Action; 4] = [Action::Delete, Action::Truncate, Action::FlipBit, Action::Swap];

/// Beginning and end of the keys of each kind of object.
const KINDS: [(&str, &str); 10] = [
    ("vault.json", ""),
    ("replica.json", ""),
    ("trust/", ".json"),
    ("trust/", ".minisig"),
    ("packs/", ""),
    ("keys/", ""),
    ("index/", ""),
    ("snapshots/", ".json"),
    ("snapshots/", ".minisig"),
    ("ledger/", ""),
];

fn options(level: Level) -> VerifyOptions<'static> {
    VerifyOptions {
        level: Some(level),
        snapshots: Vec::new(),
        progress: &Silent,
        cancel: CancellationToken::new(),
    }
}

/// A vault with two snapshots and a ledger entry, and the keys of its objects.
async fn vault_with_history(replicas: usize) -> Backup {
    let source = Source::synthetic(60, 6);
    let backup = Backup::in_memory(replicas).await;
    backup.snapshot(&source).await.unwrap();
    let vault = backup.open().await.unwrap();
    let space = "blog".parse().unwrap();
    let decision = Decision::AcceptedGap {
        repository: "blog".parse().unwrap(),
        path: "assets/x/original".to_owned(),
        reason: "gone".to_owned(),
    };
    Ledger::load(&vault, &space).await.unwrap().append(&vault, &space, decision).await.unwrap();
    source.repository.edit(0.1, 3).unwrap();
    backup.snapshot(&source).await.unwrap();
    backup
}

/// The same vault on stores of its own.
async fn copy(stores: &[(String, Arc<dyn ObjectStore>)], backup: &Backup) -> Vec<(String, Arc<MemoryStore>)> {
    let mut copies = Vec::new();
    for (name, store) in stores {
        let copy =
            Arc::new(MemoryStore::new(name, Arc::<prismvault::clock::ManualClock>::clone(&backup.clock)));
        for object in store.list("").await.unwrap() {
            let bytes = store.get(&object.key, u64::MAX).await.unwrap();
            copy.put(&object.key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
        }
        copies.push((name.clone(), copy));
    }
    copies
}

async fn keys_of(store: &MemoryStore, kind: (&str, &str)) -> Vec<String> {
    let keys = store.list("").await.unwrap().into_iter().map(|object| object.key);
    keys.filter(|key| key.starts_with(kind.0) && key.ends_with(kind.1)).collect()
}

/// Damages one object; returns its key, or `None` where there is nothing to swap it with.
async fn damage(store: &MemoryStore, kind: (&str, &str), action: Action, nth: usize) -> Option<String> {
    let keys = keys_of(store, kind).await;
    let key = keys[nth % keys.len()].clone();
    match action {
        Action::Delete => store.delete(&key).await.unwrap(),
        Action::Truncate => assert!(store.tamper(&key, |bytes| bytes.truncate(bytes.len() / 2))),
        Action::FlipBit => assert!(store.tamper(&key, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
        })),
        Action::Swap => {
            let other = keys.iter().find(|other| **other != key)?;
            let mine = store.get(&key, u64::MAX).await.unwrap();
            let theirs = store.get(other, u64::MAX).await.unwrap();
            assert!(store.tamper(&key, |bytes| *bytes = theirs.to_vec()));
            assert!(store.tamper(other, |bytes| *bytes = mine.to_vec()));
        }
    }
    Some(key)
}

async fn verified(backup: &Backup, level: Level) -> VerifyReport {
    let identities = vec![backup.operator.clone(), backup.recovery.clone()];
    let vault = backup.open_with(identities).await.unwrap();
    verify(&vault, &options(level)).await.unwrap()
}

/// Reads every item of every snapshot.
async fn read_everything(vault: &Vault) -> usize {
    let snapshots = Snapshots::load(vault, None).await.unwrap();
    let mut read = 0;
    for snapshot in snapshots.iter() {
        let space = Space::load(vault, &snapshot.manifest.space).await.unwrap();
        let reader = Reader::new(vault, &space);
        let entries: Vec<prismvault::vault::format::catalog::CatalogEntry> =
            tree::read_all(&reader, &snapshot.manifest.catalog).await.unwrap();
        let ids: Vec<_> = entries.iter().map(|entry| entry.item).collect();
        reader.for_each(ids, async |_, data| data.map(|_| read += 1)).await.unwrap();
    }
    read
}

#[tokio::test]
async fn an_undamaged_vault_is_good_at_every_level() {
    let backup = vault_with_history(2).await;
    for level in [Level::Presence, Level::Stored, Level::Bytes, Level::Content] {
        let report = verified(&backup, level).await;
        assert_eq!(report.damage, [], "{level:?}");
        assert_eq!(report.snapshots, 2);
    }
    assert!(verified(&backup, Level::Content).await.items > 60);
}

#[tokio::test]
async fn damage_on_one_replica_is_named_read_around_and_repaired() {
    let mut backup = vault_with_history(2).await;
    let originals = backup.stores.clone();
    let whole = read_everything(&backup.open_with(vec![backup.recovery.clone()]).await.unwrap()).await;
    for kind in KINDS {
        for action in ACTIONS {
            for nth in 0..2 {
                let copies = copy(&originals, &backup).await;
                let Some(key) = damage(&copies[1].1, kind, action, nth).await else { continue };
                let case = format!("{action:?} {key}");
                backup.stores = copies
                    .iter()
                    .map(|(name, store)| (name.clone(), Arc::<MemoryStore>::clone(store) as _))
                    .collect();

                let report = verified(&backup, Level::Bytes).await;
                let named = |damage: &prismvault::verification::Damage| {
                    let about = damage.key == key || key.strip_suffix(".minisig") == Some(&*damage.key);
                    damage.replica == "replica-1" && (about || damage.detail.contains(&*key))
                };
                assert!(report.damage.iter().any(named), "{case}: {:?}", report.damage);
                // A manifest that is gone from one replica only is a copy that lags behind.
                let behind = action == Action::Delete && kind == ("snapshots/", ".json");
                let lags =
                    behind || action == Action::Delete && kind.0 == "ledger/" && key.ends_with(".json");
                assert_eq!(
                    report.damage.iter().any(|damage| damage.kind.is_integrity()),
                    !lags,
                    "{case}: {:?}",
                    report.damage
                );

                let vault = backup.open_with(vec![backup.recovery.clone()]).await.unwrap();
                assert_eq!(read_everything(&vault).await, whole, "{case}: all is read from the good replica");

                repair(&backup).await;
                let report = verified(&backup, Level::Content).await;
                assert_eq!(report.damage, [], "{case}: after repair");
            }
        }
    }
}

/// As the command does: again when a replica came back.
async fn repair(backup: &Backup) {
    for _ in 0..3 {
        let vault = backup.open().await.unwrap();
        let (_, plan) = plan_repair(&vault, &options(Level::Bytes)).await.unwrap();
        assert_eq!(plan.beyond_repair, []);
        let report = apply_repair(&vault, &plan, &options(Level::Bytes)).await.unwrap();
        assert_eq!(report.failed, []);
        if !plan.again {
            return;
        }
    }
}

#[tokio::test]
async fn damage_without_a_second_copy_is_named_and_never_taken_for_good() {
    let mut backup = vault_with_history(1).await;
    let originals = backup.stores.clone();
    for kind in KINDS {
        for action in ACTIONS {
            let copies = copy(&originals, &backup).await;
            let Some(key) = damage(&copies[0].1, kind, action, 0).await else { continue };
            let case = format!("{action:?} {key}");
            backup.stores = copies.into_iter().map(|(name, store)| (name, store as _)).collect();
            match backup.open_with(vec![backup.recovery.clone()]).await {
                // Without vault file or trust record nothing is believed.
                Err(error) => {
                    let expected = [ErrorKind::NotAVault, ErrorKind::Integrity, ErrorKind::NotTrusted];
                    assert!(expected.contains(&error.kind), "{case}: {error}");
                }
                Ok(vault) => {
                    let report = verify(&vault, &options(Level::Content)).await.unwrap();
                    assert!(
                        report.damage.iter().any(|damage| damage.kind.is_integrity()),
                        "{case}: {:?}",
                        report.damage
                    );
                    let (_, plan) = plan_repair(&vault, &options(Level::Bytes)).await.unwrap();
                    if kind.0 != "replica.json" {
                        assert!(!plan.beyond_repair.is_empty(), "{case}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn the_newest_snapshot_cut_off_everywhere_is_missed_by_who_saw_it() {
    let backup = vault_with_history(2).await;
    let newest = {
        let vault = backup.open().await.unwrap();
        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        assert_eq!(snapshots.missing(&vault).unwrap(), []);
        snapshots.iter().last().unwrap().manifest.key.clone()
    };
    for (_, store) in &backup.stores {
        store.delete(&newest).await.unwrap();
        store.delete(&format!("{newest}.minisig")).await.unwrap();
    }
    let report = verified(&backup, Level::Presence).await;
    let missed = report.damage.iter().find(|damage| damage.key == newest).expect("the client remembers it");
    assert_eq!(missed.kind, DamageKind::Missing);
}

#[tokio::test]
async fn a_snapshot_heals_what_the_only_replica_lost() {
    let source = Source::synthetic(60, 6);
    let mut backup = Backup::in_memory(1).await;
    backup.state = None;
    backup.snapshot(&source).await.unwrap();
    let packs = backup.stores[0].1.list("packs").await.unwrap();
    for pack in &packs {
        backup.stores[0].1.delete(&pack.key).await.unwrap();
    }
    let report = backup.snapshot(&source).await.unwrap();
    assert!(!report.documents_unchanged, "nothing is carried over from what is gone");
    let newest = report.committed.manifest.snapshot;
    let vault = backup.open_with(vec![backup.operator.clone(), backup.recovery.clone()]).await.unwrap();
    let only = VerifyOptions { snapshots: vec![newest], ..options(Level::Content) };
    assert_eq!(verify(&vault, &only).await.unwrap().damage, []);
}
