//! Copies of the journals of restores in the vault: found on any host, with any replica.

use chrono::TimeDelta;
use prismvault::ids::SnapshotId;
use prismvault::limits::Limits;
use prismvault::objects::{Body, ObjectStore as _, PutMode};
use prismvault::restore::repository::journal::Journal;
use prismvault::vault::error::{ErrorKind, VaultError};
use prismvault::vault::restores::{self, RestoreCopy};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::vaults::TestVault;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    old: String,
    new: String,
}

fn step(n: u64) -> Step {
    Step { old: format!("old{n}"), new: format!("new\"{n}\"") }
}

fn id(n: u64) -> SnapshotId {
    format!("2026112{n}T020000Z-1a2b3c4d").parse().unwrap()
}

async fn copy_of(restore: SnapshotId, journal: &Journal<Step>) -> RestoreCopy {
    let (snapshot, target) = (id(0), "acme-new".parse().unwrap());
    RestoreCopy { restore, snapshot, target, lines: journal.lines(), journal: journal.text().await.unwrap() }
}

#[tokio::test]
async fn another_host_goes_on_where_the_newest_copy_ends() {
    let test = TestVault::new(2, true).await;
    let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut journal = Journal::<Step>::create(here.path(), &id(1)).unwrap();
    journal.append(&step(0)).await.unwrap();
    let vault = test.reopen().await;
    assert_eq!(restores::load_all(&vault).await, []);
    let first = copy_of(id(1), &journal).await;
    restores::store(&vault, &first).await.unwrap();
    assert_eq!(test.keys("state/restores").await, ["state/restores/20261121T020000Z-1a2b3c4d.json"]);

    // One replica is away while the restore goes on, and this host's clock is set back.
    journal.append(&step(1)).await.unwrap();
    test.backup.clock.advance(-TimeDelta::hours(1));
    let one = test.reopen().await;
    one.replicas.named("replica-0").unwrap().fail(VaultError::cancelled());
    let newer = copy_of(id(1), &journal).await;
    restores::store(&one, &newer).await.unwrap();

    let other = test.reopen().await;
    let found = restores::load_all(&other).await;
    assert_eq!(found, [newer]);
    let (mut resumed, entries) = Journal::<Step>::from_copy(there.path(), &id(1), &found[0].journal).unwrap();
    assert_eq!(entries, [step(0), step(1)]);
    resumed.append(&step(2)).await.unwrap();
    assert_eq!(resumed.lines(), 3);

    // With the replica alone that was away, the older one is what there is.
    let older = test.reopen().await;
    older.replicas.named("replica-1").unwrap().fail(VaultError::cancelled());
    assert_eq!(restores::load_all(&older).await, [first]);
}

#[tokio::test]
async fn each_restore_has_its_copy_and_they_come_in_order() {
    let test = TestVault::new(2, true).await;
    let vault = test.reopen().await;
    let place = TempDir::new().unwrap();
    for n in [3, 1, 2] {
        let mut journal = Journal::<Step>::create(place.path(), &id(n)).unwrap();
        journal.append(&step(n)).await.unwrap();
        restores::store(&vault, &copy_of(id(n), &journal).await).await.unwrap();
    }
    let found: Vec<_> = restores::load_all(&vault).await.into_iter().map(|copy| copy.restore).collect();
    assert_eq!(found, [id(1), id(2), id(3)]);
}

#[tokio::test]
async fn what_nobody_signed_and_what_is_not_whole_is_not_believed() {
    let test = TestVault::new(2, true).await;
    let vault = test.reopen().await;
    let place = TempDir::new().unwrap();
    let mut journal = Journal::<Step>::create(place.path(), &id(1)).unwrap();
    journal.append(&step(1)).await.unwrap();
    let copy = copy_of(id(1), &journal).await;
    restores::store(&vault, &copy).await.unwrap();
    let key = format!("state/restores/{}.json", id(1));
    let genuine = test.stores[0].get(&key, 1 << 20).await.unwrap();
    let text = String::from_utf8(genuine.to_vec()).unwrap();
    for (at, forged) in [
        (key.clone(), text.replace("old1", "old2")),
        (key.clone(), "{".to_owned()),
        (format!("state/restores/{}.json", id(2)), text),
    ] {
        test.stores[0].put(&at, Body::bytes(forged), PutMode::Overwrite).await.unwrap();
        let vault = test.reopen().await;
        assert_eq!(
            restores::load_all(&vault).await,
            std::slice::from_ref(&copy),
            "that of the other replica is left"
        );
        assert!(vault.warnings().iter().any(|warning| warning.code == "not-a-restore-copy"), "{at}");
    }
    // Signed, and it says of itself to have more lines than it has.
    let test = TestVault::new(1, true).await;
    let vault = test.reopen().await;
    restores::store(&vault, &RestoreCopy { lines: 9, ..copy }).await.unwrap();
    assert_eq!(restores::load_all(&vault).await, []);
}

#[tokio::test]
async fn a_copy_that_nobody_would_read_is_not_written() {
    let mut test = TestVault::new(1, true).await;
    test.backup.limits = Limits { restore_copy_bytes_max: 2000, ..test.backup.limits.clone() };
    let vault = test.reopen().await;
    let place = TempDir::new().unwrap();
    let mut journal = Journal::<Step>::create(place.path(), &id(1)).unwrap();
    let mut last = None;
    for n in 0..20 {
        journal.append(&step(n)).await.unwrap();
        let copy = copy_of(id(1), &journal).await;
        match restores::store(&vault, &copy).await {
            Ok(()) => last = Some(copy),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Refused, "{error}");
                break;
            }
        }
    }
    let last = last.expect("the first fits");
    assert!(last.lines < 20);
    assert_eq!(restores::load_all(&vault).await, [last], "the one before is left");
}
