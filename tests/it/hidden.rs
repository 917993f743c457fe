//! An intruder with the credentials of the backup host deletes everything plainly, or overwrites it:
//! nothing is lost, everybody reads what is right, it is told, and repair uncovers it.

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, SystemClock};
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::{Body, LockMode, LockRule, ObjectStore, PutMode};
use prismvault::vault::snapshots::Snapshots;
use prismvault::verification::{DamageKind, Level, VerifyReport, apply_repair, plan_repair, verify};

use crate::backups::verify_options;
use crate::pruning::{BASE, FIRST, SECOND};
use crate::vaults::TestVault;

pub(crate) const RULE: LockRule = LockRule { mode: LockMode::Governance, window: TimeDelta::days(14) };

/// What an intruder does to every object.
#[derive(Debug, Clone, Copy)]
enum Attack {
    Delete,
    Overwrite,
    /// With bytes of the same size, under a lock of his own.
    OverwriteLocked,
    OverwriteAndDelete,
}

const ATTACKS: [Attack; 4] =
    [Attack::Delete, Attack::Overwrite, Attack::OverwriteLocked, Attack::OverwriteAndDelete];

async fn attack(store: &MemoryStore, attack: Attack) {
    let plain = store.clone().with_locks(None);
    for object in store.list("").await.unwrap() {
        let garbage = |size: u64| Body::bytes(vec![b'x'; size as usize]);
        match attack {
            Attack::Delete => plain.delete(&object.key).await.unwrap(),
            Attack::Overwrite => {
                plain.put(&object.key, garbage(object.size + 1), PutMode::Overwrite).await.map(drop).unwrap();
            }
            Attack::OverwriteLocked => {
                store.put(&object.key, garbage(object.size), PutMode::Overwrite).await.map(drop).unwrap();
            }
            Attack::OverwriteAndDelete => {
                plain.put(&object.key, garbage(object.size), PutMode::Overwrite).await.unwrap();
                plain.delete(&object.key).await.unwrap();
            }
        }
    }
}

async fn vault(replicas: usize) -> TestVault {
    let vault = TestVault::locked(SystemClock.now(), replicas, RULE).await;
    for items in [BASE, FIRST, SECOND] {
        vault.snapshot("blog", items).await;
    }
    vault
}

fn hidden(report: &VerifyReport) -> Vec<&str> {
    assert!(report.damage.iter().all(|damage| damage.kind == DamageKind::Hidden), "{:?}", report.damage);
    report.damage.iter().map(|damage| damage.key.as_str()).collect()
}

#[tokio::test]
async fn whatever_is_hidden_is_read_told_and_uncovered() {
    for what in ATTACKS {
        let vault = vault(1).await;
        let before: Vec<_> = vault.stores[0].list("").await.unwrap();
        attack(&vault.stores[0], what).await;

        let open = vault.reopen().await;
        let snapshots = Snapshots::load(&open, None).await.unwrap();
        assert_eq!(snapshots.iter().count(), 3, "{what:?}");
        assert!(snapshots.unreadable.is_empty(), "{what:?}: {:?}", snapshots.unreadable);
        for level in [Level::Presence, Level::Stored, Level::Bytes, Level::Content] {
            let report = verify(&*vault.reopen().await, &verify_options(level)).await.unwrap();
            let hidden = hidden(&report);
            for object in &before {
                assert!(
                    hidden.contains(&object.key.as_str()),
                    "{what:?}, {level:?}: {} in {hidden:?}",
                    object.key
                );
            }
            assert!(report.lost.is_empty() && report.affected.is_empty(), "{what:?}: {report:?}");
            assert!(report.damage[0].detail.contains("since 20"), "{:?}", report.damage[0]);
        }
        // A snapshot relies on what is hidden: it is there.
        vault.snapshot("blog", FIRST).await;

        let open = vault.reopen().await;
        let (_, plan) = plan_repair(&open, &verify_options(Level::Bytes)).await.unwrap();
        assert!(plan.steps.is_empty() && plan.beyond_repair.is_empty(), "{what:?}: {plan:?}");
        let done = apply_repair(&open, &plan, &verify_options(Level::Bytes)).await.unwrap();
        assert_eq!((done.still_hidden, done.failed), (vec![], vec![]), "{what:?}");
        // A plain reader sees everything as it was.
        let plain = vault.stores[0].list("").await.unwrap();
        for object in before.iter().filter(|object| !object.key.starts_with("state/")) {
            assert!(plain.iter().any(|now| (&now.key, now.size) == (&object.key, object.size)), "{what:?}");
        }
        let report = verify(&*vault.reopen().await, &verify_options(Level::Content)).await.unwrap();
        assert_eq!(report.damage, [], "{what:?}");
    }
}

#[tokio::test]
async fn an_overwritten_manifest_does_not_take_the_place_of_the_first_even_if_it_is_signed() {
    let vault = vault(1).await;
    let store = &vault.stores[0];
    let keys: Vec<String> = vault.keys("snapshots/blog").await;
    let manifests: Vec<&String> = keys.iter().filter(|key| key.ends_with(".json")).collect();
    let old = store.get(manifests[1], 1 << 20).await.unwrap();
    // Who has the key signs the same snapshot with other words in it.
    let open = vault.reopen().await;
    let forged = String::from_utf8(old.to_vec()).unwrap().replace("\"test\"", "\"TEST\"");
    assert_ne!(forged.as_bytes(), &old[..]);
    let signature = open.signing_key().unwrap().sign(forged.as_bytes(), manifests[1]);
    let signature_key = format!("{}.minisig", manifests[1]);
    for (key, bytes) in [(&signature_key, signature), (manifests[1], forged)] {
        store.put(key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    }
    let open = vault.reopen().await;
    let snapshots = Snapshots::load(&open, None).await.unwrap();
    assert!(snapshots.iter().all(|snapshot| snapshot.manifest.trigger == "test"));
    let report = verify(&*vault.reopen().await, &verify_options(Level::Stored)).await.unwrap();
    assert_eq!(hidden(&report), [manifests[1].as_str(), signature_key.as_str()]);
}

#[tokio::test]
async fn what_was_deleted_for_good_does_not_come_back() {
    let vault = vault(1).await;
    let pack = vault.keys("packs").await.remove(0);
    let store = vault.stores[0].clone();
    vault.backup.clock.advance(TimeDelta::days(15));
    for version in store.list_versions(&pack).await.unwrap() {
        store.delete_version(&pack, &version.version).await.unwrap();
    }
    let report = verify(&*vault.reopen().await, &verify_options(Level::Stored)).await.unwrap();
    assert!(report.damage.iter().any(|damage| damage.kind.is_integrity()), "{:?}", report.damage);
    assert!(report.damage.iter().all(|damage| damage.kind != DamageKind::Hidden), "{:?}", report.damage);
}
