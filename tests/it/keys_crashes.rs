//! Crash sweep over changes of keys: the process dies at the k-th write, for every k. What was
//! there stays good, and the same change again completes.

use std::sync::Arc;

use prismvault::keys::Change;
use prismvault::objects::ObjectStore;
use prismvault::objects::faults::{CrashPoint, CrashSwitch, FaultStore};
use prismvault::vault::envelope::Identity;
use prismvault::vault::item::ItemKind;
use prismvault::vault::signing::{SigningKey, VerifyingKey};
use prismvault::verification::{Level, verify};

use crate::backups::{Backup, Stores, as_stores, copy_stores, verify_options};
use crate::keys::{assert_sound, change, opens};
use crate::vaults::TestVault;

fn dying(stores: &Stores, switch: &CrashSwitch) -> Stores {
    let over = |(name, store): &(String, Arc<dyn ObjectStore>)| {
        let faulty: Arc<dyn ObjectStore> =
            Arc::new(FaultStore::new(Arc::clone(store)).with_crash(switch.clone()));
        (name.clone(), faulty)
    };
    stores.iter().map(over).collect()
}

/// A change, who makes it and what is so afterwards.
struct Case {
    name: &'static str,
    changes: Vec<Change>,
    /// Who makes it.
    identities: Vec<Identity>,
    /// A signing key that comes in by it.
    further: Option<SigningKey>,
    /// Who reads everything afterwards.
    readers: Vec<Identity>,
    /// Who reads nothing afterwards.
    gone: Option<Identity>,
    /// The root key afterwards, where it is another.
    root: Option<VerifyingKey>,
    /// Writes that the change takes, at least.
    least: u64,
}

/// Nothing that was there is harmed: whoever makes the change can read all of it.
async fn assert_unharmed(backup: &Backup, case: &Case, point: CrashPoint) {
    let mut identities = case.identities.clone();
    identities.extend(case.readers.clone());
    let vault = backup.open_with(identities).await.unwrap();
    let report = verify(&vault, &verify_options(Level::Content)).await.unwrap();
    let harm: Vec<_> = report.damage.iter().filter(|damage| damage.kind.is_integrity()).collect();
    assert!(harm.is_empty(), "{} {point:?}: {harm:?}", case.name);
    assert_eq!(report.snapshots, 2, "{} {point:?}", case.name);
}

async fn sweep(vault: &mut TestVault, case: &Case) {
    let clock = Arc::clone(&vault.backup.clock);
    let base = vault.backup.stores.clone();
    let signing = SigningKey::parse(&vault.backup.signing).unwrap();
    let further = case.further.as_ref();
    // The client that dies remembers nothing.
    vault.backup.state = None;
    let counter = CrashSwitch::never();
    vault.backup.stores = dying(&as_stores(&copy_stores(&base, &clock).await), &counter);
    change(&vault.backup, &case.identities, further, &case.changes).await.unwrap();
    let writes = counter.writes();
    assert!(writes >= case.least, "{}: {writes} writes", case.name);
    for k in 1..=writes {
        for point in [CrashPoint::Before(k), CrashPoint::After(k)] {
            let survivors = as_stores(&copy_stores(&base, &clock).await);
            vault.backup.stores = dying(&survivors, &CrashSwitch::at(point));
            let died = change(&vault.backup, &case.identities, further, &case.changes).await;
            vault.backup.stores = survivors;
            assert!(died.is_err() || k == writes || !died.unwrap().is_complete(), "{} {point:?}", case.name);
            assert_unharmed(&vault.backup, case, point).await;
            clock.advance(chrono::TimeDelta::seconds(1));
            let again = change(&vault.backup, &case.identities, further, &case.changes).await.unwrap();
            assert!(again.is_complete(), "{} {point:?}: {again:?}", case.name);
            if let Some(new) = further {
                vault.backup.signing = new.to_secret_text("test");
            }
            let name = format!("{} {point:?}", case.name);
            assert_sound(&vault.backup, &case.readers, 2, &name).await;
            if let Some(root) = &case.root {
                assert_eq!(vault.backup.open().await.unwrap().trust.root, *root, "{name}");
            }
            if let Some(gone) = &case.gone {
                assert_eq!(opens(&vault.backup, gone).await, 0, "{name}");
            }
            vault.backup.signing = signing.to_secret_text("test");
        }
    }
    vault.backup.stores = base;
}

async fn with_two_snapshots() -> TestVault {
    let vault = TestVault::new(2, true).await;
    let one: (&str, ItemKind, &[u8]) = ("repository/A.json", ItemKind::Repository, br#"{"id":"A"}"#);
    let two: (&str, ItemKind, &[u8]) = ("repository/B.json", ItemKind::Repository, br#"{"id":"B"}"#);
    vault.snapshot("blog", &[one]).await;
    vault.snapshot("blog", &[one, two]).await;
    vault
}

#[tokio::test]
async fn a_crash_while_a_reader_comes_harms_nothing_and_the_same_again_completes() {
    let mut vault = with_two_snapshots().await;
    let new = Identity::generate();
    let all = vec![vault.backup.operator.clone(), vault.backup.recovery.clone()];
    let case = Case {
        name: "add",
        changes: vec![Change::AddContent(new.recipient())],
        identities: all,
        further: None,
        readers: vec![new],
        gone: None,
        root: None,
        least: 8,
    };
    sweep(&mut vault, &case).await;
}

#[tokio::test]
async fn a_crash_while_a_reader_leaves_harms_nothing_and_the_same_again_completes() {
    let mut vault = with_two_snapshots().await;
    let new = Identity::generate();
    let backup = &vault.backup;
    let case = Case {
        name: "replace",
        changes: vec![Change::ReplaceRecipient(backup.recovery.recipient(), new.recipient())],
        identities: vec![backup.operator.clone(), backup.recovery.clone(), new.clone()],
        further: None,
        readers: vec![backup.operator.clone(), new],
        gone: Some(backup.recovery.clone()),
        root: None,
        least: 8,
    };
    sweep(&mut vault, &case).await;
}

#[tokio::test]
async fn a_crash_while_the_signing_key_changes_harms_nothing_and_the_same_again_completes() {
    let mut vault = with_two_snapshots().await;
    let backup = &vault.backup;
    let (old, new) = (SigningKey::parse(&backup.signing).unwrap(), SigningKey::generate());
    let all = vec![backup.operator.clone(), backup.recovery.clone()];
    let case = Case {
        name: "signing",
        changes: vec![Change::ReplaceSigner(old.public().clone(), new.public().clone())],
        identities: all.clone(),
        further: Some(new),
        readers: all,
        gone: None,
        root: None,
        least: 8,
    };
    sweep(&mut vault, &case).await;
}

#[tokio::test]
async fn a_crash_while_a_reader_only_leaves_harms_nothing_and_the_same_again_completes() {
    let mut vault = with_two_snapshots().await;
    let backup = &vault.backup;
    let all = vec![backup.operator.clone(), backup.recovery.clone()];
    let guest = Identity::generate();
    change(backup, &all, None, &[Change::AddContent(guest.recipient())]).await.unwrap();
    assert!(opens(backup, &guest).await > 0);
    let case = Case {
        name: "remove",
        changes: vec![Change::Remove(guest.recipient().to_string())],
        identities: all.clone(),
        further: None,
        readers: all,
        gone: Some(guest),
        root: None,
        // Trust record, headers, index objects, their entries, and the old headers that go.
        least: 16,
    };
    sweep(&mut vault, &case).await;
}

#[tokio::test]
async fn a_crash_while_the_root_key_changes_harms_nothing_and_the_same_again_completes() {
    let mut vault = with_two_snapshots().await;
    let (backup, new) = (&vault.backup, SigningKey::generate());
    let all = vec![backup.operator.clone(), backup.recovery.clone()];
    let case = Case {
        name: "root",
        changes: vec![Change::SetRoot(new.public().clone())],
        identities: all.clone(),
        further: None,
        readers: all,
        gone: None,
        root: Some(new.public().clone()),
        // One record and its signature, on two replicas.
        least: 4,
    };
    sweep(&mut vault, &case).await;
}
