//! Pruning: what no snapshot needs is marked, and deleted when the mark is old enough; whatever a
//! snapshot needs stays, whoever else is at work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;
use prismvault::clock::ManualClock;
use prismvault::ids::{Digest, ReplicaId};
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::{Body, ObjectStore, PutMode};
use prismvault::progress::{Phase, Problem, Progress, Silent};
use prismvault::pruning::{Kind, PruneOptions, PrunePlan, PruneReport, apply, plan};
use prismvault::retention::undelete;
use prismvault::vault::error::{ErrorKind, Result, VaultError};
use prismvault::vault::format::ledger::{Decision, Named, Removed};
use prismvault::vault::format::manifest::Manifest;
use prismvault::vault::item::ItemKind;
use prismvault::vault::layout;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::snapshots::Snapshots;
use prismvault::verification::{Level, verify};
use tokio_util::sync::CancellationToken;

use crate::backups::{Backup, Stores, verify_options};
use crate::vaults::TestVault;

pub(crate) type Items<'a> = [(&'a str, ItemKind, &'a [u8])];

pub(crate) const FIRST: &Items<'_> = &[
    ("documents/en-us/page/A.json", ItemKind::Document, br#"{"id":"A","n":1}"#),
    ("documents/en-us/page/B.json", ItemKind::Document, br#"{"id":"B","n":1}"#),
];
/// Shares nothing with the others. A vault begins with it: its catalog pack holds the page of no
/// links, which all of these snapshots share.
pub(crate) const BASE: &Items<'_> =
    &[("documents/en-us/page/C.json", ItemKind::Document, br#"{"id":"C","n":0}"#)];
/// Shares nothing with the first.
pub(crate) const SECOND: &Items<'_> = &[
    ("documents/en-us/page/A.json", ItemKind::Document, br#"{"id":"A","n":2}"#),
    ("documents/en-us/page/B.json", ItemKind::Document, br#"{"id":"B","n":2}"#),
];
/// Shares one document with the first.
pub(crate) const SHARING: &Items<'_> = &[
    ("documents/en-us/page/A.json", ItemKind::Document, br#"{"id":"A","n":1}"#),
    ("documents/en-us/page/B.json", ItemKind::Document, br#"{"id":"B","n":3}"#),
];

/// Long enough for what was written to be no longer fresh.
pub(crate) fn a_day() -> TimeDelta {
    TimeDelta::hours(25)
}

/// Longer than the grace.
pub(crate) fn grace() -> TimeDelta {
    TimeDelta::hours(73)
}

pub(crate) fn options() -> PruneOptions<'static> {
    PruneOptions { delete: true, progress: &Silent, cancel: CancellationToken::new() }
}

pub(crate) async fn try_prune(backup: &Backup) -> Result<(PrunePlan, PruneReport)> {
    let vault = backup.open().await?;
    let plan = plan(&vault).await?;
    let report = apply(&vault, &plan, &options()).await?;
    Ok((plan, report))
}

pub(crate) async fn prune(backup: &Backup) -> (PrunePlan, PruneReport) {
    let done = try_prune(backup).await.unwrap();
    assert_eq!(done.1.failed, []);
    done
}

/// How many objects of a kind were deleted on a replica.
pub(crate) fn deleted(report: &PruneReport, replica: &str, kind: Kind) -> u64 {
    report.deleted.get(replica).and_then(|kinds| kinds.get(&kind)).map_or(0, |tally| tally.objects)
}

pub(crate) async fn append(backup: &Backup, space: &str, decision: Decision) {
    backup.clock.advance(TimeDelta::seconds(1));
    let vault = backup.open().await.unwrap();
    let space = space.parse().unwrap();
    Ledger::load(&vault, &space).await.unwrap().append(&vault, &space, decision).await.unwrap();
}

/// Removes snapshots, as retention does: from all replicas, or from these.
pub(crate) async fn remove(backup: &Backup, manifests: &[&Manifest], replicas: Option<&[ReplicaId]>) {
    let vault = backup.open().await.unwrap();
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    for manifest in manifests {
        let snapshot = snapshots.iter().find(|one| one.manifest == **manifest).unwrap();
        let removed = Removed {
            snapshot: Some(manifest.snapshot.clone()),
            sha256: snapshot.digest,
            parents: manifest.parents.clone(),
            rule: "keep_daily".to_owned(),
        };
        let decision = Decision::Removal {
            repository: manifest.repository.clone(),
            snapshots: vec![removed],
            replicas: replicas.map(|ids| ids.iter().copied().collect()),
        };
        append(backup, manifest.space.as_str(), decision).await;
    }
}

pub(crate) async fn keys(store: &dyn ObjectStore, prefix: &str) -> BTreeSet<String> {
    store.list(prefix).await.unwrap().into_iter().map(|object| object.key).collect()
}

/// Keys and digests of everything everywhere.
pub(crate) async fn everything(stores: &Stores) -> BTreeMap<(String, String), Digest> {
    let mut all = BTreeMap::new();
    for (name, store) in stores {
        for object in store.list("").await.unwrap() {
            let bytes = store.get(&object.key, u64::MAX).await.unwrap();
            all.insert((name.clone(), object.key), Digest::of(&bytes));
        }
    }
    all
}

/// Everything that a manifest promises is there, and readable; returns how many snapshots.
pub(crate) async fn assert_sound(backup: &Backup, case: &str) -> usize {
    let vault = backup.open_with(vec![backup.operator.clone(), backup.recovery.clone()]).await.unwrap();
    let report = verify(&vault, &verify_options(Level::Content)).await.unwrap();
    assert_eq!(report.damage, [], "{case}");
    Snapshots::load(&vault, None).await.unwrap().iter().count()
}

/// Three snapshots that share nothing, the second removed, and nothing fresh any more.
pub(crate) async fn with_removed(replicas: usize) -> (TestVault, Manifest, Manifest) {
    let vault = TestVault::new(replicas, true).await;
    vault.snapshot("blog", BASE).await;
    let first = vault.snapshot("blog", FIRST).await;
    let second = vault.snapshot("blog", SECOND).await;
    vault.backup.clock.advance(a_day());
    remove(&vault.backup, &[&first], None).await;
    (vault, first, second)
}

#[tokio::test]
async fn what_no_snapshot_needs_is_marked_and_deleted_after_the_grace_and_the_rest_stays_whole() {
    let (vault, first, second) = with_removed(2).await;
    let backup = &vault.backup;
    let before = everything(&backup.stores).await;
    let (planned, report) = prune(backup).await;
    assert_eq!(report.marked.len(), 2, "one a replica: {report:?}");
    assert_eq!(planned.replicas[0].mark[0].packs.len(), 2, "content and catalog of the first");
    assert_eq!(planned.replicas[0].mark[0].indexes.len(), 1);
    assert!(report.deleted.is_empty(), "{report:?}");
    let marked = everything(&backup.stores).await;
    assert!(before.iter().all(|(key, digest)| marked.get(key) == Some(digest)), "marking deletes nothing");

    for hours in [1, 35, 35] {
        backup.clock.advance(TimeDelta::hours(hours));
        let (again, report) = prune(backup).await;
        assert!(!again.marks() && !again.deletes(), "{again:?}");
        assert!(report.marked.is_empty() && report.deleted.is_empty());
        assert_eq!(again.replicas[0].waiting.len(), 2, "the mark and the removed manifest");
    }
    assert_eq!(everything(&backup.stores).await, marked);

    backup.clock.advance(TimeDelta::hours(2));
    let (_, report) = prune(backup).await;
    for replica in ["replica-0", "replica-1"] {
        let counts = [Kind::Manifest, Kind::Signature, Kind::Index, Kind::Header, Kind::Body, Kind::Mark]
            .map(|kind| deleted(&report, replica, kind));
        assert_eq!(counts, [1, 1, 1, 2, 2, 2], "{replica}");
    }
    let left = keys(&vault.stores[0], "").await;
    assert!(!left.contains(&first.key) && left.contains(&second.key));
    assert_eq!(left.iter().filter(|key| key.starts_with("packs/")).count(), 4);
    assert_eq!(left.iter().filter(|key| key.starts_with("marks/")).count(), 0);
    assert_eq!(assert_sound(backup, "after").await, 2);

    let (last, _) = prune(backup).await;
    assert!(!last.marks() && !last.deletes(), "{last:?}");
    vault.snapshot("blog", FIRST).await;
    assert_eq!(assert_sound(backup, "and goes on").await, 3);
}

#[tokio::test]
async fn a_pack_stays_as_long_as_any_snapshot_needs_one_item_of_it() {
    let vault = TestVault::new(1, true).await;
    vault.snapshot("blog", BASE).await;
    let packs_of_base = keys(&vault.stores[0], "packs").await;
    let first = vault.snapshot("blog", FIRST).await;
    let packs_of_first = &keys(&vault.stores[0], "packs").await - &packs_of_base;
    vault.snapshot("blog", SHARING).await;
    vault.backup.clock.advance(a_day());
    remove(&vault.backup, &[&first], None).await;
    let (planned, _) = prune(&vault.backup).await;
    assert_eq!(planned.replicas[0].mark[0].packs.len(), 1, "its catalog only");
    assert_eq!(planned.replicas[0].mark[0].indexes, [], "the index object describes what stays");
    vault.backup.clock.advance(grace());
    prune(&vault.backup).await;
    let left = keys(&vault.stores[0], "packs").await;
    assert_eq!(packs_of_first.intersection(&left).count(), 1);
    assert_eq!(assert_sound(&vault.backup, "shared").await, 2);
}

#[tokio::test]
async fn a_run_that_began_before_the_mark_keeps_what_it_commits_after_it() {
    let (vault, ..) = with_removed(2).await;
    let backup = &vault.backup;
    let begun = vault.begin("blog").await;
    let (_, report) = prune(backup).await;
    assert_eq!(report.marked.len(), 2);
    backup.clock.advance(TimeDelta::hours(20));
    let packs = keys(&vault.stores[0], "packs").await;
    let late = vault.finish(begun, FIRST, |_| {}).await;
    assert_eq!(late.added.items, 0, "it relies on what is marked");
    assert_eq!(keys(&vault.stores[0], "packs").await, packs, "with its catalog");

    // The next run takes the mark back, so that others can rely on it as well.
    let (planned, report) = prune(backup).await;
    assert_eq!(planned.replicas.iter().map(|one| one.release.len()).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(report.released.len(), 2);
    let same = vault.snapshot("blog", FIRST).await;
    assert_eq!(same.added.items, 0);
    for _ in 0..2 {
        backup.clock.advance(grace());
        prune(backup).await;
    }
    assert_eq!(assert_sound(backup, "late").await, 4);
}

#[tokio::test]
async fn without_a_run_in_between_the_second_look_keeps_what_is_needed_again() {
    let (vault, ..) = with_removed(2).await;
    let begun = vault.begin("blog").await;
    prune(&vault.backup).await;
    vault.backup.clock.advance(TimeDelta::hours(20));
    vault.finish(begun, FIRST, |_| {}).await;
    vault.backup.clock.advance(grace());
    let (_, report) = prune(&vault.backup).await;
    assert!(report.kept.iter().any(|kept| kept.key.starts_with("packs/")), "{report:?}");
    assert_eq!(keys(&vault.stores[0], "marks").await, BTreeSet::new(), "it is not marked any more");
    assert_eq!(assert_sound(&vault.backup, "kept").await, 3);
    assert_eq!(vault.snapshot("blog", FIRST).await.added.items, 0, "and relied on");
}

#[tokio::test]
async fn a_run_that_begins_after_the_mark_relies_on_nothing_that_is_marked() {
    let (vault, ..) = with_removed(2).await;
    prune(&vault.backup).await;
    let after = vault.snapshot("blog", FIRST).await;
    assert_eq!(after.added.items, 2, "stored anew");
    vault.backup.clock.advance(grace());
    let (_, report) = prune(&vault.backup).await;
    assert_eq!(deleted(&report, "replica-0", Kind::Body), 2);
    assert_eq!(assert_sound(&vault.backup, "anew").await, 3);
}

#[tokio::test]
async fn what_an_unfinished_run_has_written_is_too_new_and_what_a_killed_one_left_goes() {
    let (vault, ..) = with_removed(1).await;
    let begun = vault.begin("blog").await;
    let orphan = Digest::of(b"body");
    for (key, body) in [
        (layout::header(&"blog".parse().unwrap(), &orphan, &Digest::of(b"head")), "head"),
        (layout::pack(&"blog".parse().unwrap(), &orphan), "body"),
        (layout::pack(&"dead".parse().unwrap(), &orphan), "body"),
    ] {
        vault.stores[0].put(&key, Body::bytes(body), PutMode::CreateOnly).await.unwrap();
    }
    let (planned, _) = prune(&vault.backup).await;
    assert_eq!(planned.replicas[0].fresh.objects, 3);
    assert!(planned.replicas[0].mark.iter().all(|mark| !mark.packs.contains(&orphan)));
    let third = vault.finish(begun, SHARING, |_| {}).await;
    vault.backup.clock.advance(a_day());
    let (planned, _) = prune(&vault.backup).await;
    let left: Vec<_> = planned.replicas[0].mark.iter().filter(|mark| mark.packs.contains(&orphan)).collect();
    assert_eq!(left.len(), 2, "in both spaces: {planned:?}");
    assert!(left.iter().all(|mark| mark.unindexed == 1));
    vault.backup.clock.advance(grace());
    prune(&vault.backup).await;
    assert!(keys(&vault.stores[0], "packs/dead").await.is_empty());
    assert!(!keys(&vault.stores[0], "").await.iter().any(|key| key.contains(&orphan.to_string())));
    assert!(keys(&vault.stores[0], "snapshots").await.contains(&third.key));
    assert_eq!(assert_sound(&vault.backup, "leftovers").await, 3);
}

#[tokio::test]
async fn two_prunes_at_once_harm_nothing() {
    let (vault, ..) = with_removed(2).await;
    let backup = &vault.backup;
    for round in 0..3 {
        let (one, other) = (backup.open().await.unwrap(), backup.open().await.unwrap());
        let (left, right) = (plan(&one).await.unwrap(), plan(&other).await.unwrap());
        assert_eq!(left, right, "both see the same");
        let (no_progress, again) = (options(), options());
        let (left, right) =
            futures_util::join!(apply(&one, &left, &no_progress), apply(&other, &right, &again));
        for result in [left, right] {
            let error = result.err().filter(|error: &VaultError| error.kind != ErrorKind::Refused);
            assert!(error.is_none(), "{round}: {error:?}");
        }
        assert_eq!(assert_sound(backup, "two").await, 2, "{round}");
        backup.clock.advance(grace());
    }
    prune(backup).await;
    assert_eq!(keys(&vault.stores[1], "packs").await.len(), 4);
    assert_eq!(keys(&vault.stores[1], "marks").await.len(), 0);
}

#[tokio::test]
async fn a_plan_that_no_longer_fits_or_is_of_another_vault_is_refused() {
    let (vault, _, second) = with_removed(1).await;
    let open = vault.backup.open().await.unwrap();
    let old = plan(&open).await.unwrap();
    assert_eq!(old.hash(), plan(&open).await.unwrap().hash(), "the same as long as nothing changes");
    vault.snapshot("blog", SHARING).await;
    let before = everything(&vault.backup.stores).await;
    let error = apply(&open, &old, &options()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    let (other, ..) = with_removed(1).await;
    let error = apply(&other.backup.open().await.unwrap(), &old, &options()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    assert_eq!(everything(&vault.backup.stores).await, before);
    assert!(before.keys().any(|(_, key)| *key == second.key));
}

#[tokio::test]
async fn without_consent_marks_are_written_and_nothing_is_deleted() {
    let (vault, ..) = with_removed(1).await;
    prune(&vault.backup).await;
    vault.backup.clock.advance(grace());
    let before = everything(&vault.backup.stores).await;
    let open = vault.backup.open().await.unwrap();
    let planned = plan(&open).await.unwrap();
    assert!(planned.destroyed().objects > 0);
    let options = PruneOptions { delete: false, ..options() };
    let report = apply(&open, &planned, &options).await.unwrap();
    assert!(report.held_back && report.deleted.is_empty());
    assert_eq!(everything(&vault.backup.stores).await, before);
}

/// Takes an object off a store, so that lists miss it; returns what puts it back.
async fn hide(stores: &[MemoryStore], keys: &[String]) -> Vec<(MemoryStore, String, bytes::Bytes)> {
    let mut hidden = Vec::new();
    for store in stores {
        for key in keys {
            let bytes = store.get(key, u64::MAX).await.unwrap();
            store.delete(key).await.unwrap();
            hidden.push((store.clone(), key.clone(), bytes));
        }
    }
    hidden
}

async fn unhide(hidden: Vec<(MemoryStore, String, bytes::Bytes)>) {
    for (store, key, bytes) in hidden {
        store.put(&key, Body::bytes(bytes), PutMode::CreateOnly).await.unwrap();
    }
}

#[tokio::test]
async fn a_list_that_misses_a_new_manifest_marks_at_most_what_the_second_look_keeps() {
    for hidden_on in [1, 2] {
        let (mut vault, ..) = with_removed(2).await;
        // Relies on the packs of the removed one.
        let new = vault.snapshot("blog", FIRST).await;
        assert_eq!(new.added.items, 0);
        let keys = [new.key.clone(), layout::signature(&new.key)];
        let hidden = hide(&vault.stores[..hidden_on], &keys).await;
        if hidden_on == 2 {
            // This client has seen it.
            let error = try_prune(&vault.backup).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Refused, "{error}");
            vault.backup.state = None;
        }
        let (planned, _) = prune(&vault.backup).await;
        let packs = planned.replicas.iter().flat_map(|own| &own.mark).any(|mark| !mark.packs.is_empty());
        assert_eq!(packs, hidden_on == 2, "one replica that lists it is enough");
        unhide(hidden).await;
        vault.backup.clock.advance(grace());
        prune(&vault.backup).await;
        assert_eq!(assert_sound(&vault.backup, "hidden").await, 3, "{hidden_on}");
    }
}

#[tokio::test]
async fn replicas_that_keep_less_lose_what_only_the_others_are_to_hold() {
    let vault = TestVault::new(2, true).await;
    vault.snapshot("blog", BASE).await;
    let first = vault.snapshot("blog", FIRST).await;
    vault.snapshot("blog", SECOND).await;
    vault.backup.clock.advance(a_day());
    let id = vault.backup.open().await.unwrap().replicas.all()[1].id().unwrap();
    remove(&vault.backup, &[&first], Some(&[id])).await;
    let whole = keys(&vault.stores[0], "packs").await;
    for _ in 0..2 {
        prune(&vault.backup).await;
        vault.backup.clock.advance(grace());
    }
    assert_eq!(keys(&vault.stores[0], "packs").await, whole);
    assert_eq!(keys(&vault.stores[1], "packs").await.len(), 4);
    assert!(!keys(&vault.stores[1], "snapshots").await.contains(&first.key));
    assert_eq!(assert_sound(&vault.backup, "less").await, 3);
}

#[tokio::test]
async fn a_repository_of_which_all_snapshots_are_removed_leaves_nothing_and_others_stay() {
    let vault = TestVault::new(1, true).await;
    let blog = [vault.snapshot("blog", FIRST).await, vault.snapshot("blog", SECOND).await];
    vault.snapshot("shop", FIRST).await;
    vault.backup.clock.advance(a_day());
    remove(&vault.backup, &[&blog[0], &blog[1]], None).await;
    for _ in 0..2 {
        prune(&vault.backup).await;
        vault.backup.clock.advance(grace());
    }
    let left = keys(&vault.stores[0], "").await;
    let of_blog: Vec<_> =
        left.iter().filter(|key| key.contains("/blog/") && !key.starts_with("ledger/")).collect();
    assert_eq!(of_blog, Vec::<&String>::new());
    assert_eq!(assert_sound(&vault.backup, "forgotten").await, 1);
    assert!(!plan(&vault.backup.open().await.unwrap()).await.unwrap().deletes());
}

#[tokio::test]
async fn another_manifest_under_the_key_of_a_removed_one_is_not_deleted() {
    let (vault, first, _) = with_removed(2).await;
    prune(&vault.backup).await;
    vault.backup.clock.advance(grace());
    // Authentic, of the same size, and not what was removed.
    let bytes = vault.stores[1].get(&first.key, u64::MAX).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap().replace("\"test\"", "\"tesu\"");
    let signature = vault.backup.sign(text.as_bytes(), &first.key);
    for (key, body) in [(first.key.clone(), text), (layout::signature(&first.key), signature)] {
        vault.stores[1].put(&key, Body::bytes(body), PutMode::Overwrite).await.unwrap();
    }
    let (_, report) = prune(&vault.backup).await;
    assert!(keys(&vault.stores[1], "snapshots").await.contains(&first.key));
    assert!(!keys(&vault.stores[0], "snapshots").await.contains(&first.key));
    assert!(
        report.kept.iter().any(|kept| kept.key == first.key && kept.replica == "replica-1"),
        "{report:?}"
    );
}

#[tokio::test]
async fn an_undeleted_or_held_snapshot_is_not_harmed() {
    for hold in [false, true] {
        let (vault, first, _) = with_removed(2).await;
        prune(&vault.backup).await;
        vault.backup.clock.advance(TimeDelta::hours(30));
        let open = vault.backup.open().await.unwrap();
        let snapshots = Snapshots::load(&open, None).await.unwrap();
        let digest = snapshots.removed()[0].digest;
        let named = vec![Named { snapshot: first.snapshot.clone(), sha256: digest }];
        let (repository, reason) = (first.repository.clone(), "needed".to_owned());
        let decision = match hold {
            true => Decision::Hold { repository, snapshots: named, reason },
            false => Decision::Undelete { repository, snapshots: named, reason },
        };
        append(&vault.backup, "blog", decision).await;
        vault.backup.clock.advance(grace());
        let (_, report) = prune(&vault.backup).await;
        assert_eq!(deleted(&report, "replica-0", Kind::Body), 0);
        assert_eq!(assert_sound(&vault.backup, "back").await, 3);
    }
}

/// Takes the removal of a snapshot back, if that is still allowed.
async fn take_back(backup: &Backup, manifest: &Manifest) -> Result<Vec<String>> {
    let vault = backup.open().await.unwrap();
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let removed = snapshots.removed().iter().find(|one| one.manifest == *manifest);
    let Some(removed) = removed else {
        return Err(VaultError::new(ErrorKind::NotFound, "it is not there any more"));
    };
    undelete(&vault, &[removed], "it was a mistake").await
}

#[tokio::test]
async fn a_removal_that_can_still_be_taken_back_is_never_being_deleted() {
    // Nobody pruned for weeks after the removal: the manifest is announced first, like all else.
    let (vault, first, _) = with_removed(2).await;
    vault.backup.clock.advance(grace() * 5);
    let (planned, report) = prune(&vault.backup).await;
    assert!(!planned.deletes() && report.deleted.is_empty(), "{planned:?}");
    assert!(planned.replicas.iter().all(|own| own.mark[0].manifests == [first.key.clone()]), "{planned:?}");
    // In the first half of the grace it comes back, and no later prune deletes anything of it.
    vault.backup.clock.advance(TimeDelta::hours(35));
    take_back(&vault.backup, &first).await.unwrap();
    vault.backup.clock.advance(TimeDelta::hours(38));
    let (_, report) = prune(&vault.backup).await;
    assert!(report.deleted.get("replica-0").is_none_or(|kinds| !kinds.contains_key(&Kind::Manifest)));
    for _ in 0..2 {
        vault.backup.clock.advance(grace());
        prune(&vault.backup).await;
    }
    assert_eq!(assert_sound(&vault.backup, "taken back").await, 3);

    // In the second half it is refused, so who prunes need not fear that somebody does.
    let (vault, first, _) = with_removed(2).await;
    prune(&vault.backup).await;
    vault.backup.clock.advance(TimeDelta::hours(36));
    let entries = keys(&vault.stores[0], "ledger").await;
    assert_eq!(take_back(&vault.backup, &first).await.unwrap_err().kind, ErrorKind::Refused);
    assert_eq!(keys(&vault.stores[0], "ledger").await, entries);
    vault.backup.clock.advance(TimeDelta::hours(37));
    let (_, report) = prune(&vault.backup).await;
    assert_eq!(deleted(&report, "replica-0", Kind::Manifest), 1);
    assert_eq!(take_back(&vault.backup, &first).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(assert_sound(&vault.backup, "gone").await, 2);
}

#[tokio::test]
async fn a_snapshot_whose_packs_others_need_too_is_announced_all_the_same() {
    let vault = TestVault::new(1, true).await;
    let first = vault.snapshot("blog", FIRST).await;
    vault.snapshot("blog", FIRST).await;
    vault.backup.clock.advance(a_day());
    remove(&vault.backup, &[&first], None).await;
    // No pack goes with it, so by packs alone it could be taken back at any moment.
    let (planned, _) = prune(&vault.backup).await;
    assert_eq!(
        (planned.replicas[0].mark[0].packs.len(), planned.replicas[0].mark[0].manifests.len()),
        (0, 1)
    );
    vault.backup.clock.advance(TimeDelta::hours(37));
    assert_eq!(take_back(&vault.backup, &first).await.unwrap_err().kind, ErrorKind::Refused);
    vault.backup.clock.advance(TimeDelta::hours(37));
    let (_, report) = prune(&vault.backup).await;
    assert_eq!(deleted(&report, "replica-0", Kind::Manifest), 1);
    assert_eq!(assert_sound(&vault.backup, "the other one stays").await, 1);
}

/// A clock that goes on by hours with each object that is deleted: a machine that was suspended.
struct Suspended(Arc<ManualClock>);

impl Progress for Suspended {
    fn start(&self, _phase: Phase, _total: Option<u64>) {}
    fn advance(&self, _phase: Phase, _items: u64, _bytes: u64) {
        self.0.advance(TimeDelta::hours(13));
    }
    fn finish(&self, _phase: Phase) {}
    fn problem(&self, _problem: &Problem) {}
}

#[tokio::test]
async fn who_slept_since_the_last_look_deletes_no_more() {
    let (mut vault, ..) = with_removed(1).await;
    vault.backup.limits.store_concurrency = 1;
    prune(&vault.backup).await;
    vault.backup.clock.advance(grace());
    let open = vault.backup.open().await.unwrap();
    let planned = plan(&open).await.unwrap();
    assert!(planned.replicas[0].delete.len() > 4);
    let slow = Suspended(Arc::clone(&vault.backup.clock));
    let options = PruneOptions { progress: &slow, ..options() };
    let error = apply(&open, &planned, &options).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    assert_eq!(keys(&vault.stores[0], "packs").await.len(), 6, "bodies go late");
    prune(&vault.backup).await;
    assert_eq!(keys(&vault.stores[0], "packs").await.len(), 4);
    assert_eq!(assert_sound(&vault.backup, "the next one completes").await, 2);
}
