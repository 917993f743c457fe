//! The chain of snapshots: two writers at once, clocks that go backwards, replicas that were
//! away; and finding a snapshot in it by what people type.

use std::pin::pin;
use std::sync::Arc;

use prismvault::clock::{Clock as _, Timestamp, rfc3339};
use prismvault::ids::{Digest, Name, SnapshotId};
use prismvault::objects::faults::{Condition, FaultStore};
use prismvault::progress::Problem;
use prismvault::sandbox::Endpoint;
use prismvault::vault::error::{ErrorKind, VaultError};
use prismvault::vault::format::manifest::Manifest;
use prismvault::vault::item::ItemKind;
use prismvault::vault::snapshots::Snapshots;
use prismvault::verification::{DamageKind, Level};
use tokio::sync::Notify;

use crate::backups::{Backup, Source};
use crate::vaults::TestVault;

fn blog() -> Name {
    "blog".parse().unwrap()
}

async fn snapshots_of(backup: &Backup) -> Snapshots {
    Snapshots::load(&backup.open().await.unwrap(), None).await.unwrap()
}

/// Ids of the blog's snapshots, in the order of the chain.
fn order(snapshots: &Snapshots) -> Vec<SnapshotId> {
    snapshots.of(&blog()).iter().map(|snapshot| snapshot.id().clone()).collect()
}

fn sorted(mut digests: Vec<Digest>) -> Vec<Digest> {
    digests.sort_unstable();
    digests
}

#[tokio::test]
async fn two_writers_at_once_make_a_fork_that_the_next_run_joins() {
    // The same repository served twice, so that one reader can be held up alone.
    let (slow, quick) = (Source::synthetic(60, 4), Source::synthetic(60, 4));
    let backup = Backup::in_memory(2).await;
    let first = backup.snapshot(&quick).await.unwrap();
    quick.repository.edit(0.1, 1).unwrap();
    slow.repository.edit(0.1, 2).unwrap();

    // The slow one has seen the first snapshot when the quick one begins, commits and ends.
    let arrived = Arc::new(Notify::new());
    let reached = Arc::clone(&arrived);
    slow.control().on_request_to(Endpoint::Root, 1, move |_| reached.notify_one());
    let mut held_up = pin!(backup.snapshot(&slow));
    tokio::select! {
        biased;
        _ = &mut held_up => panic!("it waits for an answer of the source"),
        () = arrived.notified() => {}
    }
    let quick_one = backup.snapshot(&quick).await.unwrap();
    let slow_one = held_up.await.unwrap();
    assert_eq!(slow_one.committed.manifest.parents, [first.committed.digest]);
    assert_eq!(quick_one.committed.manifest.parents, [first.committed.digest]);
    assert_eq!(slow_one.committed.on.len(), 2);

    let forked = snapshots_of(&backup).await;
    let both = sorted(vec![slow_one.committed.digest, quick_one.committed.digest]);
    assert_eq!(forked.heads(&blog()), both);
    assert_eq!(forked.missing(&backup.open().await.unwrap()).unwrap(), []);

    let joined = backup.snapshot(&quick).await.unwrap();
    assert_eq!(joined.committed.manifest.parents, both);
    assert_eq!(joined.lost, []);
    let snapshots = snapshots_of(&backup).await;
    assert_eq!(snapshots.heads(&blog()), [joined.committed.digest]);
    assert_eq!(snapshots.iter().count(), 4);
    assert_eq!(order(&snapshots).last(), Some(&joined.committed.manifest.snapshot));
    assert_eq!(snapshots.missing(&backup.open().await.unwrap()).unwrap(), []);
    assert_eq!(backup.verified(Level::Content).await.damage, [], "both sides of the fork hold together");
}

#[tokio::test]
async fn a_snapshot_follows_its_parent_even_where_the_clock_went_back() {
    let (source, backup) = (Source::synthetic(30, 2), Backup::in_memory(1).await);
    let first = backup.snapshot(&source).await.unwrap().committed.manifest.snapshot;
    backup.clock.advance(chrono::TimeDelta::minutes(-10));
    let second = backup.snapshot(&source).await.unwrap().committed.manifest.snapshot;
    backup.clock.advance(chrono::TimeDelta::minutes(5));
    let third = backup.snapshot(&source).await.unwrap().committed.manifest.snapshot;
    assert!(second < third && third < first, "by their ids they are in another order");
    let snapshots = snapshots_of(&backup).await;
    assert_eq!(order(&snapshots), [first, second, third.clone()]);
    assert_eq!(snapshots.newest_complete(&blog()).unwrap().id(), &third);
    assert_eq!(snapshots.select("latest", backup.clock.now()).unwrap().id(), &third);
}

#[tokio::test]
async fn a_replica_that_was_away_brings_its_head_back_and_is_joined() {
    let source = Source::synthetic(60, 4);
    let mut backup = Backup::in_memory(2).await;
    backup.min_copies = Some(1);
    let mut doors = Vec::new();
    for (_, store) in &mut backup.stores {
        let door = Arc::new(FaultStore::new(Arc::clone(store)));
        doors.push(Arc::clone(&door));
        *store = door;
    }
    let first = backup.snapshot(&source).await.unwrap().committed;
    doors[1].set_condition(Condition::Unreachable);
    source.repository.edit(0.1, 1).unwrap();
    let left = backup.snapshot(&source).await.unwrap().committed;
    assert_eq!(
        (left.manifest.parents.as_slice(), left.on.as_slice()),
        (&[first.digest][..], &["replica-0".to_owned()][..])
    );
    doors[1].set_condition(Condition::Healthy);
    doors[0].set_condition(Condition::Unreachable);
    source.repository.edit(0.1, 2).unwrap();
    let right = backup.snapshot(&source).await.unwrap();
    // This client saw the snapshot that lies only on the replica that is away now.
    let missed: Vec<&Problem> = right.lost.iter().filter(|lost| lost.code == "newest-missing").collect();
    assert_eq!(missed.len(), 1, "{:?}", right.lost);
    assert_eq!(missed[0].subject, left.manifest.key);
    let right = right.committed;
    assert_eq!(
        (right.manifest.parents.as_slice(), right.on.as_slice()),
        // It names the one that is away, so there is no fork.
        (&[first.digest, left.digest][..], &["replica-1".to_owned()][..])
    );

    doors[0].set_condition(Condition::Healthy);
    let joined = backup.snapshot(&source).await.unwrap();
    assert_eq!(joined.committed.manifest.parents, [right.digest]);
    assert_eq!(joined.lost, []);
    let snapshots = snapshots_of(&backup).await;
    assert_eq!(snapshots.missing(&backup.open().await.unwrap()).unwrap(), []);
    assert_eq!(snapshots.heads(&blog()), [joined.committed.digest]);
    let report = backup.verified(Level::Content).await;
    assert!(report.damage.iter().all(|damage| damage.kind == DamageKind::Behind), "{:?}", report.damage);
    backup.repair().await;
    assert_eq!(backup.verified(Level::Content).await.damage, []);
    assert!(snapshots_of(&backup).await.iter().all(|snapshot| snapshot.on.len() == 2));
}

/// What the time-travelling tests begin with: snapshots of two repositories at known times, one
/// of them partial.
struct History {
    vault: TestVault,
    /// The blog's: at noon of the 18th, 19th (partial) and 20th.
    blog: Vec<Manifest>,
    /// The shop's: at one past noon of the 20th.
    shop: Manifest,
}

const NOW: &str = "2026-11-21T02:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl History {
    async fn new() -> Self {
        let vault = TestVault::starting(at("2026-11-18T11:59:59Z"), 1, true).await;
        let items: [(&str, ItemKind, &[u8]); 1] =
            [("documents/en-us/page/A.json", ItemKind::Document, br#"{"id":"A"}"#)];
        let mut blog = Vec::new();
        for day in 0..3 {
            let gaps = if day == 1 {
                vec![Problem::new("documents-missing", "documents", "one")]
            } else {
                Vec::new()
            };
            blog.push(vault.commit("blog", &items, |draft| draft.gaps = gaps).await);
            vault.backup.clock.advance(chrono::TimeDelta::days(1) - chrono::TimeDelta::seconds(1));
        }
        vault.backup.clock.advance(chrono::TimeDelta::minutes(1) - chrono::TimeDelta::days(1));
        let shop = vault.snapshot("shop", &items).await;
        Self { vault, blog, shop }
    }

    async fn select(&self, typed: &str) -> Result<SnapshotId, VaultError> {
        let snapshots = snapshots_of(&self.vault.backup).await;
        snapshots.select(typed, at(NOW)).map(|snapshot| snapshot.id().clone())
    }
}

#[tokio::test]
async fn a_point_in_time_gives_the_newest_complete_snapshot_at_or_before_it() {
    let history = History::new().await;
    let [oldest, partial, newest] = &history.blog[..] else { panic!("three") };
    assert_eq!(rfc3339(newest.snapshot.time()), "2026-11-20T12:00:00Z");
    for (typed, expected) in [
        ("blog@latest", newest),
        ("blog@2026-11-20T12:00:00Z", newest),
        ("blog@2026-11-20T13:00:00+01:00", newest),
        ("blog@2026-11-20T11:59:59Z", oldest),
        ("blog@2026-11-20", newest),
        ("blog@2026-11-19", oldest),
        ("blog@20261118T120000Z", oldest),
        ("blog@13h", newest),
        ("blog@15h", oldest),
        ("shop@latest", &history.shop),
        ("shop@2026-11-20", &history.shop),
        (partial.snapshot.as_str(), partial),
    ] {
        assert_eq!(history.select(typed).await.unwrap(), expected.snapshot, "{typed}");
    }
}

#[tokio::test]
async fn what_names_no_snapshot_or_several_is_refused_with_what_there_is() {
    let history = History::new().await;
    let [oldest, partial, newest] = &history.blog[..] else { panic!("three") };
    for (typed, told) in [
        // Two repositories.
        ("latest", "blog@latest, shop@latest"),
        // Every id begins like this.
        ("2026", "type more"),
        ("", "prismvault list"),
        ("nothing", history.shop.snapshot.as_str()),
        ("blog@yesterday", "2026-11-20"),
        ("blog@2026-11-17", oldest.snapshot.as_str()),
        ("blog@2026-11-18T11:59:59Z", oldest.snapshot.as_str()),
        ("bolg@latest", "blog, shop"),
    ] {
        let error = history.select(typed).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{typed}: {error}");
        let hint = error.next_step().unwrap_or_default();
        assert!(hint.contains(told), "{typed}: {error}; {hint}");
    }
    // A prefix that only one has is enough, also for the partial one.
    for manifest in [oldest, partial, newest] {
        let day = &manifest.snapshot.as_str()[.."20261118T1200".len()];
        assert_eq!(history.select(day).await.unwrap(), manifest.snapshot);
    }
    // Where only a partial one is old enough, it is named, not taken.
    for store in &history.vault.stores {
        use prismvault::objects::ObjectStore as _;
        for suffix in ["", ".minisig"] {
            store.delete(&format!("{}{suffix}", oldest.key)).await.unwrap();
        }
    }
    let error = history.select("blog@2026-11-19").await.unwrap_err();
    assert!(error.next_step().unwrap_or_default().contains(partial.snapshot.as_str()), "{error}");
}

#[tokio::test]
async fn latest_needs_no_name_where_there_is_one_repository() {
    let vault = TestVault::new(1, true).await;
    let empty = snapshots_of(&vault.backup).await;
    let error = empty.select("latest", vault.backup.clock.now()).unwrap_err();
    assert!(error.to_string().contains("no snapshots"), "{error}");
    let manifest = vault.snapshot("blog", &[]).await;
    let snapshots = snapshots_of(&vault.backup).await;
    assert_eq!(snapshots.select("latest", vault.backup.clock.now()).unwrap().id(), &manifest.snapshot);
}
