//! Pruning when something is wrong: nothing goes unless everything that decides is there; a crash
//! at any write harms nothing; and the merging of index objects.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, ManualClock};
use prismvault::ids::{Digest, ItemId, Name, SnapshotId};
use prismvault::objects::faults::{Condition, CrashPoint, CrashSwitch, Fault, FaultRule, FaultStore};
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::operation::Operation;
use prismvault::objects::{Body, ErrorKind as StoreKind, ObjectStore, PutMode};
use prismvault::pruning::{Kind, plan, storage};
use prismvault::vault::error::ErrorKind;
use prismvault::vault::format::catalog::CatalogEntry;
use prismvault::vault::format::mark::Mark;
use prismvault::vault::format::{VERSION, mark};
use prismvault::vault::index::PackNumber;
use prismvault::vault::layout;
use prismvault::vault::marks;
use prismvault::vault::needs::Needs;
use prismvault::vault::open::Vault;
use prismvault::vault::reader::Reader;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::vault::tree;
use prismvault::verification::Level;

use crate::backups::{Backup, Source, Stores, as_stores, copy_objects, copy_stores};
use crate::pruning::{
    BASE, FIRST, Items, SECOND, a_day, assert_sound, deleted, everything, grace, keys, prune, remove,
    try_prune, with_removed,
};
use crate::vaults::TestVault;

fn blog() -> Name {
    "blog".parse().unwrap()
}

/// Pruning is refused, says why, and changes nothing, before and after something was marked.
async fn assert_refused(backup: &Backup, told: &str) {
    let before = everything(&backup.stores).await;
    let error = try_prune(backup).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{told}: {error}");
    let hint = error.next_step().unwrap_or_default();
    assert!(error.to_string().contains(told), "{told}: {error}");
    assert!(!hint.is_empty(), "{told}: {error}");
    assert_eq!(everything(&backup.stores).await, before, "{told}");
}

/// A vault in which a prune would delete.
async fn ripe() -> TestVault {
    let (vault, ..) = with_removed(2).await;
    prune(&vault.backup).await;
    vault.backup.clock.advance(grace());
    assert!(plan(&vault.backup.open().await.unwrap()).await.unwrap().destroyed().objects > 0);
    vault
}

async fn one_key(vault: &TestVault, prefix: &str, end: &str) -> String {
    keys(&vault.stores[0], prefix).await.into_iter().find(|key| key.ends_with(end)).unwrap()
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_or_is_missing_stops_everything() {
    let vault = ripe().await;
    // The one that stays: what it needs is not known then.
    let removed = vault.backup.open().await.unwrap();
    let removed = Snapshots::load(&removed, None).await.unwrap();
    let stays = removed.iter().next().unwrap().manifest.key.clone();
    vault.damage(&stays);
    assert_refused(&vault.backup, "cannot be read").await;

    let mut vault = ripe().await;
    let open = vault.backup.open().await.unwrap();
    let snapshots = Snapshots::load(&open, None).await.unwrap();
    let stays = snapshots.iter().next().unwrap().manifest.clone();
    vault.snapshot("blog", SECOND).await;
    vault.backup.state = None;
    for key in [layout::signature(&stays.key), stays.key] {
        vault.lose(&key).await;
    }
    assert_refused(&vault.backup, "names a manifest before it").await;
}

#[tokio::test]
async fn a_manifest_with_other_bytes_on_one_replica_stops_everything() {
    let vault = ripe().await;
    let open = vault.backup.open().await.unwrap();
    let snapshots = Snapshots::load(&open, None).await.unwrap();
    let stays = snapshots.iter().next().unwrap().manifest.key.clone();
    vault.stores[1].tamper(&stays, |bytes| bytes.truncate(40));
    assert_refused(&vault.backup, "other bytes").await;
}

#[tokio::test]
async fn a_ledger_that_is_damaged_not_whole_or_not_understood_stops_everything() {
    let vault = ripe().await;
    let entry = one_key(&vault, "ledger", ".json").await;
    vault.damage(&entry);
    assert_refused(&vault.backup, "ledger").await;

    // It takes back the removal, as far as anybody can know.
    let vault = ripe().await;
    let entry = one_key(&vault, "ledger", ".json").await;
    for key in [layout::signature(&entry), entry] {
        vault.lose(&key).await;
    }
    assert_refused(&vault.backup, "ledger").await;

    let vault = ripe().await;
    let id = SnapshotId::new(vault.backup.clock.now());
    let key = layout::ledger(&blog(), &id);
    let open = vault.backup.open().await.unwrap();
    let entry = serde_json::json!({
        "kind": "ledger-entry", "format": 1, "vault": open.file.vault, "key": key, "space": "blog",
        "id": id, "parents": [], "critical": false, "decision": { "type": "of-a-later-version" },
    });
    let bytes = serde_json::to_vec(&entry).unwrap();
    vault.backup.put_signed(&key, &bytes, &vault.backup.sign(&bytes, &key)).await;
    assert_refused(&vault.backup, "does not know").await;
}

#[tokio::test]
async fn a_catalog_or_an_index_that_cannot_be_read_stops_everything() {
    let vault = ripe().await;
    let newest = plan(&vault.backup.open().await.unwrap()).await.unwrap();
    let going: Vec<&str> = newest.replicas[0].delete.iter().map(|one| one.key.as_str()).collect();
    let stays = |prefix: &'static str| {
        let store = vault.stores[0].clone();
        let going: Vec<String> = going.iter().map(|key| (*key).to_owned()).collect();
        async move { keys(&store, prefix).await.into_iter().find(|key| !going.contains(key)).unwrap() }
    };
    let index = stays("index").await;
    vault.damage(&index);
    assert_refused(&vault.backup, &index).await;

    let vault = ripe().await;
    let newest = plan(&vault.backup.open().await.unwrap()).await.unwrap();
    let going: Vec<&str> = newest.replicas[0].delete.iter().map(|one| one.key.as_str()).collect();
    let left: Vec<String> = keys(&vault.stores[0], "index").await.into_iter().collect();
    vault.lose(left.iter().find(|key| !going.contains(&key.as_str())).unwrap()).await;
    assert_refused(&vault.backup, "index").await;

    let vault = ripe().await;
    for pack in keys(&vault.stores[0], "packs").await {
        vault.damage(&pack);
    }
    assert_refused(&vault.backup, "catalog").await;
}

#[tokio::test]
async fn own_files_features_and_clocks_that_are_not_right_stop_everything() {
    let vault = ripe().await;
    vault.stores[1].tamper("replica.json", Vec::clear);
    assert_refused(&vault.backup, "replica.json").await;

    let vault = ripe().await;
    let same = vault.stores[0].get("replica.json", 1 << 20).await.unwrap();
    vault.stores[1].tamper("replica.json", |bytes| *bytes = same.to_vec());
    assert_refused(&vault.backup, "the same replica.json").await;

    let vault = ripe().await;
    for store in &vault.stores {
        store.tamper("vault.json", |bytes| {
            let mut file: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            file["features"]["delete"] = serde_json::json!(["of-a-later-version"]);
            *bytes = serde_json::to_vec(&file).unwrap();
        });
    }
    assert_refused(&vault.backup, "of-a-later-version").await;

    // A clock that is a day ahead would make everything old enough.
    let mut vault = ripe().await;
    let own = Arc::new(ManualClock::new(vault.backup.clock.now()));
    let store = MemoryStore::new("own clock", Arc::<ManualClock>::clone(&own));
    copy_objects(&vault.stores[1], &store).await;
    vault.backup.stores[1].1 = Arc::new(store);
    own.advance(TimeDelta::minutes(-6));
    assert_refused(&vault.backup, "the clock here").await;
    own.advance(TimeDelta::minutes(6));
    prune(&vault.backup).await;
}

#[tokio::test]
async fn a_replica_that_is_away_or_fails_on_the_way_stops_everything() {
    let mut vault = ripe().await;
    let door = Arc::new(FaultStore::new(Arc::clone(&vault.backup.stores[1].1)));
    let behind = std::mem::replace(&mut vault.backup.stores[1].1, Arc::<FaultStore>::clone(&door));
    let honest: Stores = vec![vault.backup.stores[0].clone(), (vault.backup.stores[1].0.clone(), behind)];
    let before = everything(&honest).await;
    for condition in [Condition::Unreachable, Condition::Denied] {
        door.set_condition(condition);
        let error = try_prune(&vault.backup).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooFewReplicas, "{condition:?}: {error}");
        assert!(error.to_string().contains("replica-1"), "{error}");
    }
    door.set_condition(Condition::Healthy);
    for prefix in ["packs", "keys", "index", "marks", "snapshots", "ledger"] {
        let failing = FaultRule::new(Fault::Fail(StoreKind::Transient)).on(Operation::List);
        door.add(failing.key_containing(prefix));
        let error = try_prune(&vault.backup).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooFewReplicas, "{prefix}: {error}");
        door.clear();
    }
    assert_eq!(everything(&honest).await, before);
    prune(&vault.backup).await;
}

#[tokio::test]
async fn who_may_not_delete_is_told_and_the_mark_stays_for_the_next_run() {
    let mut vault = ripe().await;
    let door = Arc::new(FaultStore::new(Arc::clone(&vault.backup.stores[1].1)));
    vault.backup.stores[1].1 = Arc::<FaultStore>::clone(&door);
    door.add(FaultRule::new(Fault::Fail(StoreKind::Denied)).on(Operation::Delete).key_containing("keys/"));
    let (_, report) = try_prune(&vault.backup).await.unwrap();
    assert_eq!(report.failed.len(), 2, "{report:?}");
    assert!(report.failed.iter().all(|failed| failed.replica == "replica-1"));
    assert_eq!(keys(&vault.stores[1], "marks").await.len(), 2);
    assert_eq!(keys(&vault.stores[0], "marks").await.len(), 0);
    door.clear();
    prune(&vault.backup).await;
    assert_eq!(keys(&vault.stores[1], "keys").await.len(), 4);
    assert_eq!(assert_sound(&vault.backup, "denied").await, 2);
}

#[tokio::test]
async fn a_key_without_the_maintenance_role_prunes_nothing() {
    let vault = TestVault::new(1, true).await;
    vault.snapshot("blog", FIRST).await;
    let other = Backup::in_memory(1).await;
    // Of another vault: trusted for nothing here.
    let open = vault.backup.open_signing_as(&other).await.unwrap();
    let error = plan(&open).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Identity, "{error}");
}

fn dying(stores: &Stores, switch: &CrashSwitch) -> Stores {
    let faulty = |(name, store): &(String, Arc<dyn ObjectStore>)| -> (String, Arc<dyn ObjectStore>) {
        (name.clone(), Arc::new(FaultStore::new(Arc::clone(store)).with_crash(switch.clone())))
    };
    stores.iter().map(faulty).collect()
}

/// Prunes copies of `base` that die at every write, and again without dying; everything that is
/// to be there restores after each of both.
async fn sweep(backup: &mut Backup, base: &Stores, wait: TimeDelta, snapshots: usize, least: u64) {
    let clock = Arc::clone(&backup.clock);
    let counter = CrashSwitch::never();
    let copies = as_stores(&copy_stores(base, &clock).await);
    clock.advance(wait);
    backup.stores = dying(&copies, &counter);
    prune(backup).await;
    let expected: Vec<(String, String)> = everything(&copies).await.into_keys().collect();
    let writes = counter.writes();
    assert!(writes >= least, "{writes} writes");
    for k in 0..=writes {
        // After one write is before the next; what differs is whether its answer was lost.
        let points = if k == 0 { [CrashPoint::Before(1)] } else { [CrashPoint::After(k)] };
        for point in points {
            let survivors = as_stores(&copy_stores(base, &clock).await);
            clock.advance(wait);
            let switch = CrashSwitch::at(point);
            backup.stores = dying(&survivors, &switch);
            let died = try_prune(backup).await;
            let complete = died.is_ok_and(|(_, report)| report.failed.is_empty());
            assert!(!complete || k == writes, "{point:?}: success only when all is done");
            backup.stores = survivors;
            assert_eq!(assert_sound(backup, &format!("{point:?}")).await, snapshots);
            prune(backup).await;
            assert_eq!(assert_sound(backup, &format!("{point:?}, again")).await, snapshots);
            let left: Vec<(String, String)> = everything(&backup.stores).await.into_keys().collect();
            // Marks have other names, and the removal of a manifest grows older with each case.
            let named = |all: &[(String, String)]| -> Vec<(String, String)> {
                let same = |key: &str| {
                    !key.starts_with("marks/") && (wait == grace() || !key.starts_with("snapshots/"))
                };
                all.iter().filter(|(_, key)| same(key)).cloned().collect()
            };
            assert_eq!(named(&left), named(&expected), "{point:?}");
        }
    }
}

#[tokio::test]
async fn a_crash_at_any_write_harms_nothing_and_the_next_prune_completes() {
    let source = Source::synthetic(12, 1);
    let mut backup = Backup::in_memory(2).await;
    backup.limits.pack_bytes = 6 << 10;
    backup.limits.frame_bytes = 4 << 10;
    backup.state = None;
    let mut manifests = Vec::new();
    for seed in 0..3 {
        manifests.push(backup.snapshot(&source).await.unwrap().committed.manifest);
        source.repository.edit(0.9, seed).unwrap();
    }
    backup.clock.advance(a_day());
    remove(&backup, &[&manifests[0], &manifests[1]], None).await;
    let clock = Arc::clone(&backup.clock);
    let removed = std::mem::take(&mut backup.stores);

    // Copies are fresh until a day has passed.
    let marked = as_stores(&copy_stores(&removed, &clock).await);
    clock.advance(a_day());
    backup.stores = marked.clone();
    let (_, report) = prune(&backup).await;
    assert!(!report.marked.is_empty() && report.deleted.is_empty());
    // Deleting: manifests, index objects, headers, bodies, marks.
    sweep(&mut backup, &marked, grace(), 1, 20).await;
    // Marking: a mark and its signature on each replica.
    sweep(&mut backup, &removed, a_day(), 1, 4).await;
}

/// A vault with many snapshots, so with many small index objects.
async fn with_many(snapshots: usize, replicas: usize) -> TestVault {
    let vault = TestVault::new(replicas, true).await;
    for n in 0..snapshots {
        let bytes = format!(r#"{{"id":"A","n":{n}}}"#);
        let items =
            [("documents/en-us/page/A.json", prismvault::vault::item::ItemKind::Document, bytes.as_bytes())];
        vault.snapshot("blog", &items).await;
    }
    vault.backup.clock.advance(a_day());
    vault
}

#[tokio::test]
async fn many_small_index_objects_become_one_and_go_after_the_grace() {
    let vault = with_many(18, 2).await;
    let backup = &vault.backup;
    assert_eq!(keys(&vault.stores[0], "index").await.len(), 18);
    let (planned, report) = prune(backup).await;
    assert_eq!(planned.merges.len(), 1);
    assert_eq!(report.merged[0].from, 18);
    for store in &vault.stores {
        assert_eq!(keys(store, "index").await.len(), 19, "the merged ones are there still");
    }
    assert!(planned.replicas.iter().all(|replica| replica.mark[0].packs.is_empty()));
    let (again, _) = prune(backup).await;
    assert!(!again.marks() && !again.deletes(), "{again:?}");
    backup.clock.advance(grace());
    let (_, report) = prune(backup).await;
    assert_eq!(deleted(&report, "replica-1", Kind::Index), 18);
    assert_eq!(deleted(&report, "replica-1", Kind::Body), 0);
    assert_eq!(keys(&vault.stores[0], "index").await.len(), 1);
    assert_eq!(assert_sound(backup, "merged").await, 18);
    let open = backup.open().await.unwrap();
    let space = Space::load(&open, &blog()).await.unwrap();
    assert_eq!(space.index.packs().len(), 36);
    // Fingerprints are carried over: nothing is stored twice.
    let items = [(
        "documents/en-us/page/A.json",
        prismvault::vault::item::ItemKind::Document,
        br#"{"id":"A","n":3}"#.as_slice(),
    )];
    assert_eq!(vault.snapshot("blog", &items).await.added.items, 0);
}

#[tokio::test]
async fn a_merged_index_leaves_out_packs_that_go_and_a_crash_after_it_merges_no_second_time() {
    let mut vault = with_many(20, 2).await;
    let open = vault.backup.open().await.unwrap();
    let snapshots = Snapshots::load(&open, None).await.unwrap();
    let first = snapshots.of(&blog())[1].manifest.clone();
    remove(&vault.backup, &[&first], None).await;
    let honest = vault.backup.stores.clone();
    // The index object on both replicas, and then the end.
    let switch = CrashSwitch::at(CrashPoint::After(4));
    vault.backup.stores = dying(&honest, &switch);
    for _ in 0..2 {
        try_prune(&vault.backup).await.ok();
    }
    vault.backup.stores = honest;
    let there = keys(&vault.stores[0], "index").await.len();
    assert!((20..=21).contains(&there), "{there}");
    prune(&vault.backup).await;
    assert_eq!(keys(&vault.stores[0], "index").await.len(), 21);
    vault.backup.clock.advance(grace());
    prune(&vault.backup).await;
    assert_eq!(keys(&vault.stores[0], "index").await.len(), 1);
    let open = vault.backup.open().await.unwrap();
    assert_eq!(Space::load(&open, &blog()).await.unwrap().index.packs().len(), 38);
    assert_eq!(assert_sound(&vault.backup, "merged").await, 19);
}

/// Writes a mark of index objects, as another host would that saw something else.
async fn mark_indexes(vault: &Vault, indexes: &[Digest]) {
    let replica = &vault.replicas.all()[0];
    let id = SnapshotId::new(vault.now());
    let mark = Mark {
        kind: mark::KIND.to_owned(),
        format: VERSION,
        vault: vault.file.vault,
        key: layout::mark(&blog(), &id),
        space: blog(),
        id,
        replica: replica.id().unwrap(),
        packs: Vec::new(),
        indexes: indexes.to_vec(),
        headers: Vec::new(),
        manifests: Vec::new(),
    };
    marks::write(vault, replica, &mark).await.unwrap();
}

#[tokio::test]
async fn index_objects_of_which_each_was_marked_because_of_the_other_both_stay() {
    let vault = with_many(18, 1).await;
    prune(&vault.backup).await;
    let open = vault.backup.open().await.unwrap();
    let all: Vec<Digest> =
        keys(&vault.stores[0], "index").await.iter().map(|key| layout::parse_digest(key).unwrap()).collect();
    // Every index object is marked now: the old ones by us, the merged one by somebody else.
    mark_indexes(&open, &all).await;
    vault.backup.clock.advance(grace());
    let (_, report) = prune(&vault.backup).await;
    assert_eq!(deleted(&report, "replica-0", Kind::Index), 0, "{report:?}");
    assert!(!report.kept.is_empty());
    assert_eq!(assert_sound(&vault.backup, "crosswise").await, 18);
}

#[tokio::test]
async fn a_reader_that_misses_a_merged_index_object_lists_again() {
    let mut vault = with_many(2, 1).await;
    let index = one_key(&vault, "index", "").await;
    let door = Arc::new(FaultStore::new(Arc::clone(&vault.backup.stores[0].1)));
    vault.backup.stores[0].1 = Arc::<FaultStore>::clone(&door);
    door.add(
        FaultRule::new(Fault::Fail(StoreKind::NotFound)).on(Operation::Get).key_containing(&index).times(1),
    );
    let open = vault.backup.open().await.unwrap();
    let space = Space::load(&open, &blog()).await.unwrap();
    assert_eq!(space.unreadable, []);
    assert_eq!(space.index.packs().len(), 4);
    // One that is listed and never there is named.
    door.add(FaultRule::new(Fault::Fail(StoreKind::NotFound)).on(Operation::Get).key_containing(&index));
    assert_eq!(Space::load(&open, &blog()).await.unwrap().unreadable.len(), 1);
}

#[tokio::test]
async fn a_mark_whose_time_is_not_true_is_not_carried_out_early() {
    let (vault, ..) = with_removed(1).await;
    prune(&vault.backup).await;
    // The store says that the mark was written now, whatever it says of itself.
    vault.backup.clock.advance(grace());
    let mark = one_key(&vault, "marks", ".json").await;
    let bytes = vault.stores[0].get(&mark, u64::MAX).await.unwrap();
    vault.stores[0].put(&mark, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    let (_, report) = prune(&vault.backup).await;
    assert_eq!(deleted(&report, "replica-0", Kind::Body), 0);
    // A mark of another replica, or one that nobody signed, marks nothing.
    let (other, ..) = with_removed(1).await;
    for suffix in ["", ".minisig"] {
        let bytes = vault.stores[0].get(&format!("{mark}{suffix}"), u64::MAX).await.unwrap();
        other.stores[0]
            .put(&format!("{mark}{suffix}"), Body::bytes(bytes), PutMode::CreateOnly)
            .await
            .unwrap();
    }
    other.backup.clock.advance(grace());
    let (planned, report) = prune(&other.backup).await;
    assert_eq!((planned.replicas[0].mark.len(), deleted(&report, "replica-0", Kind::Body)), (1, 0));
}

#[tokio::test]
async fn what_a_snapshot_needs_is_every_item_and_page_of_it() {
    let source = Source::synthetic(150, 4);
    let mut backup = Backup::in_memory(2).await;
    backup.limits.pack_bytes = 20 << 10;
    backup.limits.page_entries_min = 4;
    backup.limits.page_entries_max = 8;
    for seed in 0..3 {
        backup.snapshot(&source).await.unwrap();
        source.repository.edit(0.1, seed).unwrap();
    }
    let vault = backup.open().await.unwrap();
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let space = Space::load(&vault, &blog()).await.unwrap();
    let reader = Reader::new(&vault, &space);
    let mut needs = Needs::new(&reader, &space);
    for snapshot in snapshots.iter() {
        let manifest = &snapshot.manifest;
        assert!(manifest.catalog.levels > 2, "a tree: {:?}", manifest.catalog);
        let needed = needs.of(manifest).await.unwrap();
        // The long way round.
        let entries: Vec<CatalogEntry> = tree::read_all(&reader, &manifest.catalog).await.unwrap();
        let mut items: Vec<ItemId> = entries.iter().map(|entry| entry.item).collect();
        items.extend(tree::all_pages(&reader, &manifest.catalog).await.unwrap());
        items.extend(tree::all_pages(&reader, &manifest.links).await.unwrap());
        let packs: BTreeSet<PackNumber> =
            items.iter().flat_map(|item| space.index.locations(item)).map(|place| place.pack).collect();
        assert!(packs.len() > 3);
        for replica in [0, 1] {
            assert_eq!(needed.packs_on(&space, replica), packs);
        }
        assert_eq!(needed.bytes(), entries.iter().map(|entry| entry.size).sum::<u64>());
        assert!(needed.lost().is_empty());
        // A manifest that counts other entries than its catalog has is not believed.
        let mut wrong = manifest.clone();
        wrong.catalog.entries += 1;
        assert_eq!(needs.of(&wrong).await.unwrap_err().kind, ErrorKind::Integrity);
        wrong.catalog.levels = 77;
        assert_eq!(needs.of(&wrong).await.unwrap_err().kind, ErrorKind::Integrity);
    }
}

#[tokio::test]
async fn storage_adds_up_by_kind_and_says_what_each_snapshot_holds_alone() {
    let vault = TestVault::new(2, true).await;
    let base = vault.snapshot("blog", BASE).await;
    let first = vault.snapshot("blog", FIRST).await;
    vault.snapshot("blog", SECOND).await;
    vault.snapshot("blog", SECOND).await;
    let report = storage(&vault.backup.open().await.unwrap()).await.unwrap();
    for (replica, store) in report.replicas.iter().zip(&vault.stores) {
        let objects = store.list("").await.unwrap();
        assert_eq!(replica.total.objects, objects.len() as u64);
        assert_eq!(replica.total.bytes, objects.iter().map(|object| object.size).sum::<u64>());
        let parts = [
            replica.documents,
            replica.assets,
            replica.catalog,
            replica.headers,
            replica.index,
            replica.manifests,
            replica.other,
            replica.unreferenced,
            replica.marked,
        ];
        assert_eq!(parts.iter().map(|part| part.bytes).sum::<u64>(), replica.total.bytes);
        assert_eq!((replica.documents.objects, replica.catalog.objects), (3, 3));
        assert_eq!((replica.unreferenced.objects, replica.marked.objects), (0, 0));
    }
    let alone: Vec<u64> = report.snapshots.iter().map(|line| line.alone.objects).collect();
    assert_eq!(alone, [2, 4, 0, 0], "packs and their headers; the last two share theirs");
    let needs: Vec<u64> = report.snapshots.iter().map(|line| line.needs.objects).collect();
    assert_eq!(needs, [4, 6, 6, 6]);
    // What the snapshots hold, each by itself, and what of it is different.
    let bytes = |items: &Items<'_>| items.iter().map(|(_, _, bytes)| bytes.len() as u64).sum::<u64>();
    let logical = bytes(BASE) + bytes(FIRST) + 2 * bytes(SECOND);
    let different = bytes(BASE) + bytes(FIRST) + bytes(SECOND);
    assert_eq!((report.logical_bytes, report.different_bytes), (logical, different));
    let near = |ratio: f64, of: u64, to: u64| (ratio - of as f64 / to as f64).abs() < 1e-9;
    assert!(near(report.deduplication(), logical, different));
    let packs = vault.stores[0].list("packs").await.unwrap();
    assert_eq!(report.stored_bytes, packs.iter().map(|object| object.size).sum::<u64>(), "all are needed");
    let found = Space::load(&vault.backup.open().await.unwrap(), &blog()).await.unwrap();
    let raw: u64 =
        found.index.packs().iter().flat_map(|pack| &pack.frames).map(|one| u64::from(one.raw)).sum();
    assert_eq!(report.raw_bytes, raw);
    assert!(near(report.compression(), raw, report.stored_bytes));

    vault.backup.clock.advance(a_day());
    remove(&vault.backup, &[&first], None).await;
    let freed = report.snapshots[1].alone;
    let report = storage(&vault.backup.open().await.unwrap()).await.unwrap();
    assert_eq!(report.replicas[0].unreferenced, freed);
    prune(&vault.backup).await;
    let report = storage(&vault.backup.open().await.unwrap()).await.unwrap();
    assert_eq!(report.replicas[0].unreferenced.objects, 0);
    assert!(report.replicas[0].marked.bytes > freed.bytes, "and its index object");
    assert_eq!(report.snapshots.len(), 3);
    assert_eq!(report.snapshots[0].snapshot, base.snapshot);
    assert_eq!(assert_sound(&vault.backup, "storage").await, 3);
    assert_eq!(vault.backup.verified(Level::Bytes).await.damage, []);
}
