//! Every kind of object, damaged in every way: verification names it, reading goes round it,
//! repair mends it.

use std::collections::BTreeMap;

use prismvault::objects::ObjectStore;
use prismvault::objects::memory::MemoryStore;
use prismvault::vault::error::ErrorKind;
use prismvault::vault::format::ledger::Decision;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::open::Vault;
use prismvault::vault::reader::Reader;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::vault::tree;
use prismvault::verification::{Damage, DamageKind, Level, VerifyOptions, plan_repair, verify};

use crate::backups::{Backup, Source, as_stores, copy_stores, verify_options};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Delete,
    Truncate,
    FlipBit,
    /// With another object of the same kind.
    Swap,
    /// With another object of the same kind, each with its signature: both are authentic, and
    /// lie under the key of the other.
    SwapSigned,
}

const ACTIONS: [Action; 5] =
    [Action::Delete, Action::Truncate, Action::FlipBit, Action::Swap, Action::SwapSigned];

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

/// A vault with two snapshots and two ledger entries.
async fn vault_with_history(replicas: usize) -> Backup {
    let source = Source::synthetic(60, 6);
    let backup = Backup::in_memory(replicas).await;
    backup.snapshot(&source).await.unwrap();
    let space = "blog".parse().unwrap();
    for asset in ["x", "y"] {
        backup.clock.advance(chrono::TimeDelta::seconds(1));
        let vault = backup.open().await.unwrap();
        let decision = Decision::AcceptedGap {
            repository: "blog".parse().unwrap(),
            path: format!("assets/{asset}/original"),
            reason: "gone".to_owned(),
        };
        Ledger::load(&vault, &space).await.unwrap().append(&vault, &space, decision).await.unwrap();
    }
    source.repository.edit(0.1, 3).unwrap();
    backup.snapshot(&source).await.unwrap();
    backup
}

async fn keys_of(store: &dyn ObjectStore, kind: (&str, &str)) -> Vec<String> {
    let keys = store.list("").await.unwrap().into_iter().map(|object| object.key);
    keys.filter(|key| key.starts_with(kind.0) && key.ends_with(kind.1)).collect()
}

/// The objects of a kind that are damaged one by one: a pack of documents, one of assets and one
/// of catalogs, whichever of them come first by name; else the first two.
async fn targets(backup: &Backup, kind: (&str, &str)) -> Vec<String> {
    let keys = keys_of(backup.stores[0].1.as_ref(), kind).await;
    if kind.0 != "packs/" && kind.0 != "keys/" {
        return keys.into_iter().take(2).collect();
    }
    let vault = backup.open().await.unwrap();
    let space = Space::load(&vault, &"blog".parse().unwrap()).await.unwrap();
    let mut first_of: BTreeMap<String, String> = BTreeMap::new();
    for pack in space.index.packs() {
        let key = keys.iter().find(|key| key.contains(&pack.id.to_string()));
        first_of.entry(format!("{:?}", pack.kind)).or_insert_with(|| key.expect("it is stored").clone());
    }
    assert_eq!(first_of.len(), 3, "documents, assets and catalogs");
    first_of.into_values().collect()
}

/// Damages one object; `false` where there is nothing to swap it with.
async fn damage(store: &MemoryStore, kind: (&str, &str), action: Action, key: &str) -> bool {
    match action {
        Action::Delete => store.delete(key).await.unwrap(),
        Action::Truncate => assert!(store.tamper(key, |bytes| bytes.truncate(bytes.len() / 2))),
        Action::FlipBit => assert!(store.tamper(key, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
        })),
        Action::Swap | Action::SwapSigned => {
            let of_its_kind = |other: &&String| {
                other.as_str() != key && other.ends_with(".minisig") == key.ends_with(".minisig")
            };
            let keys = keys_of(store, kind).await;
            let Some(other) = keys.iter().find(of_its_kind) else { return false };
            if action == Action::Swap {
                swap(store, key, other).await;
            } else {
                let signed = |key: &str| format!("{key}.minisig");
                if key.ends_with(".minisig") || store.head(&signed(key)).await.is_err() {
                    return false;
                }
                swap(store, key, other).await;
                swap(store, &signed(key), &signed(other)).await;
            }
        }
    }
    true
}

async fn swap(store: &MemoryStore, key: &str, other: &str) {
    let mine = store.get(key, u64::MAX).await.unwrap();
    let theirs = store.get(other, u64::MAX).await.unwrap();
    assert!(store.tamper(key, |bytes| *bytes = theirs.to_vec()));
    assert!(store.tamper(other, |bytes| *bytes = mine.to_vec()));
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
        let report = backup.verified(level).await;
        assert_eq!(report.damage, [], "{level:?}");
        assert_eq!(report.snapshots, 2);
    }
    assert!(backup.verified(Level::Content).await.items > 60);
}

#[tokio::test]
async fn damage_on_one_replica_is_named_read_around_and_repaired() {
    let mut backup = vault_with_history(2).await;
    let originals = backup.stores.clone();
    let whole = read_everything(&backup.open_with(vec![backup.recovery.clone()]).await.unwrap()).await;
    for kind in KINDS {
        backup.stores.clone_from(&originals);
        for key in targets(&backup, kind).await {
            for action in ACTIONS {
                let copies = copy_stores(&originals, &backup.clock).await;
                if !damage(&copies[1].1, kind, action, &key).await {
                    continue;
                }
                let case = format!("{action:?} {key}");
                backup.stores = as_stores(&copies);

                let report = backup.verified(Level::Bytes).await;
                let named = |damage: &Damage| {
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
                if action == Action::SwapSigned {
                    let refused = |damage: &&Damage| damage.kind == DamageKind::NotAuthentic;
                    assert_eq!(
                        report.damage.iter().filter(refused).count(),
                        2,
                        "{case}: {:?}",
                        report.damage
                    );
                }

                let vault = backup.open_with(vec![backup.recovery.clone()]).await.unwrap();
                assert_eq!(read_everything(&vault).await, whole, "{case}: all is read from the good replica");

                backup.repair().await;
                let report = backup.verified(Level::Content).await;
                assert_eq!(report.damage, [], "{case}: after repair");
            }
        }
    }
}

#[tokio::test]
async fn damage_without_a_second_copy_is_named_and_never_taken_for_good() {
    let mut backup = vault_with_history(1).await;
    let originals = backup.stores.clone();
    for kind in KINDS {
        backup.stores.clone_from(&originals);
        for key in targets(&backup, kind).await {
            for action in ACTIONS {
                let copies = copy_stores(&originals, &backup.clock).await;
                if !damage(&copies[0].1, kind, action, &key).await {
                    continue;
                }
                let case = format!("{action:?} {key}");
                backup.stores = as_stores(&copies);
                match backup.open_with(vec![backup.recovery.clone()]).await {
                    // Without vault file or trust record nothing is believed.
                    Err(error) => {
                        let expected = [ErrorKind::NotAVault, ErrorKind::Integrity, ErrorKind::NotTrusted];
                        assert!(expected.contains(&error.kind), "{case}: {error}");
                    }
                    Ok(vault) => {
                        let report = verify(&vault, &verify_options(Level::Content)).await.unwrap();
                        assert!(
                            report.damage.iter().any(|damage| damage.kind.is_integrity()),
                            "{case}: {:?}",
                            report.damage
                        );
                        let (_, plan) = plan_repair(&vault, &verify_options(Level::Bytes)).await.unwrap();
                        if kind.0 != "replica.json" {
                            assert!(!plan.beyond_repair.is_empty(), "{case}");
                        }
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn presence_alone_finds_what_is_gone_or_cut_short() {
    let mut backup = vault_with_history(2).await;
    let originals = backup.stores.clone();
    for kind in [("packs/", ""), ("keys/", ""), ("index/", "")] {
        backup.stores.clone_from(&originals);
        for key in targets(&backup, kind).await {
            // Listings tell no digest, and an index object that is cut short is read elsewhere.
            let found = if kind.0 == "index/" {
                vec![(Action::Delete, DamageKind::Missing)]
            } else {
                vec![(Action::Delete, DamageKind::Missing), (Action::Truncate, DamageKind::WrongSize)]
            };
            for (action, expected) in found {
                let copies = copy_stores(&originals, &backup.clock).await;
                assert!(damage(&copies[1].1, kind, action, &key).await);
                backup.stores = as_stores(&copies);
                let report = backup.verified(Level::Presence).await;
                let [damage] = report.damage.as_slice() else { panic!("{key}: {:?}", report.damage) };
                assert_eq!(
                    (damage.kind, damage.replica.as_str(), damage.key.as_str()),
                    (expected, "replica-1", key.as_str())
                );
                assert_eq!(report.bytes_read, 0);
            }
        }
    }
    for (kind, action, expected) in [
        (("snapshots/", ".json"), Action::Truncate, DamageKind::NotAuthentic),
        (("snapshots/", ".minisig"), Action::Delete, DamageKind::Damaged),
        (("trust/", ".json"), Action::Delete, DamageKind::Damaged),
        (("vault.json", ""), Action::Delete, DamageKind::Missing),
        (("replica.json", ""), Action::Delete, DamageKind::Damaged),
    ] {
        let copies = copy_stores(&originals, &backup.clock).await;
        let key = keys_of(&copies[1].1, kind).await[0].clone();
        assert!(damage(&copies[1].1, kind, action, &key).await);
        backup.stores = as_stores(&copies);
        let report = backup.verified(Level::Presence).await;
        assert!(
            report.damage.iter().any(|damage| damage.kind == expected && damage.replica == "replica-1"),
            "{action:?} {key}: {:?}",
            report.damage
        );
    }
}

#[tokio::test]
async fn files_of_another_vault_under_the_same_keys_are_refused() {
    let mut backup = vault_with_history(2).await;
    let stranger = vault_with_history(1).await;
    let originals = backup.stores.clone();
    let whole = read_everything(&backup.open_with(vec![backup.recovery.clone()]).await.unwrap()).await;
    let theirs = copy_stores(&stranger.stores, &stranger.clock).await.remove(0).1;
    for keys in [vec!["replica.json"], vec!["trust/1.json"], vec!["trust/1.json", "trust/1.json.minisig"]] {
        let copies = copy_stores(&originals, &backup.clock).await;
        for key in &keys {
            let other = theirs.get(key, u64::MAX).await.unwrap();
            assert!(copies[1].1.tamper(key, |bytes| *bytes = other.to_vec()));
        }
        backup.stores = as_stores(&copies);
        let report = backup.verified(Level::Presence).await;
        let [damage] = report.damage.as_slice() else { panic!("{keys:?}: {:?}", report.damage) };
        assert_eq!((damage.replica.as_str(), damage.key.as_str()), ("replica-1", keys[0]));
        assert!(damage.kind.is_integrity());
        let vault = backup.open_with(vec![backup.recovery.clone()]).await.unwrap();
        assert_eq!(read_everything(&vault).await, whole, "{keys:?}");
        backup.repair().await;
        assert_eq!(backup.verified(Level::Content).await.damage, [], "{keys:?}: after repair");
    }

    // With another vault.json it is the replica of another vault: nothing is read or written.
    let copies = copy_stores(&originals, &backup.clock).await;
    let other = theirs.get("vault.json", u64::MAX).await.unwrap();
    assert!(copies[1].1.tamper("vault.json", |bytes| *bytes = other.to_vec()));
    backup.stores = as_stores(&copies);
    assert_eq!(backup.open().await.unwrap_err().kind, ErrorKind::Refused);
    backup.stores.remove(0);
    let error = backup.open().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotTrusted, "the trust record belongs to another vault: {error}");
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
    let report = backup.verified(Level::Presence).await;
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
    let only = VerifyOptions { snapshots: vec![newest], ..verify_options(Level::Content) };
    assert_eq!(verify(&vault, &only).await.unwrap().damage, []);
}
