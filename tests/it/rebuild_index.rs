//! `repair --rebuild-index`: the index made anew from packs alone.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use prismvault::clock::{Clock as _, ManualClock, SystemClock};
use prismvault::contentapi::AccessMode;
use prismvault::ids::{Digest, Name};
use prismvault::objects::counting::CountingStore;
use prismvault::objects::faults::{CrashPoint, CrashSwitch, Fault, FaultRule, FaultStore};
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::operation::Operation;
use prismvault::objects::{Body, ErrorKind as StoreKind, ObjectStore, PutMode};
use prismvault::progress::Silent;
use prismvault::sandbox::Changes;
use prismvault::sandbox::synthetic::SyntheticOptions;
use prismvault::vault::envelope;
use prismvault::vault::error::{ErrorKind, Result};
use prismvault::vault::format::catalog::CatalogEntry;
use prismvault::vault::format::index::IndexFile;
use prismvault::vault::item::ItemKind;
use prismvault::vault::reader::Reader;
use prismvault::vault::rebuild::{RebuildReport, plan_rebuild, rebuild};
use prismvault::vault::signing::SigningKey;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::vault::tree;
use prismvault::verification::Level;
use tokio_util::sync::CancellationToken;

use crate::backups::{Backup, Source, as_stores, configuration, copy_stores, small};
use crate::restore::{objects, tree as files_of};
use crate::vaults::TestVault;
use crate::workplace::Workplace;

const COMMAND: &str = "prismvault repair --rebuild-index";

/// Makes the index anew as the holder of every key does.
async fn rebuilt(backup: &Backup) -> Result<RebuildReport> {
    let vault = backup.open_with(vec![backup.operator.clone(), backup.recovery.clone()]).await.unwrap();
    let plan = plan_rebuild(&vault, &[]).await?;
    rebuild(&vault, &plan, &Silent, &CancellationToken::new()).await
}

async fn index_keys(store: &dyn ObjectStore) -> Vec<String> {
    store.list("index").await.unwrap().into_iter().map(|object| object.key).collect()
}

/// Deletes every index object on every replica.
async fn lose_index(backup: &Backup) {
    for (_, store) in &backup.stores {
        for key in index_keys(store.as_ref()).await {
            store.delete(&key).await.unwrap();
        }
    }
}

/// Puts these bytes in the place of every index object.
async fn replace_index(backup: &Backup, bytes: &[u8]) {
    for (_, store) in &backup.stores {
        for key in index_keys(store.as_ref()).await {
            store.put(&key, Body::bytes(bytes.to_vec()), PutMode::Overwrite).await.unwrap();
        }
    }
}

/// Snapshot, path and bytes of everything that can be read; what cannot is left out.
async fn readable(backup: &Backup) -> BTreeMap<(String, String), Digest> {
    let vault = backup.open_with(vec![backup.recovery.clone()]).await.unwrap();
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let mut found = BTreeMap::new();
    for snapshot in snapshots.iter() {
        let space = Space::load(&vault, &snapshot.manifest.space).await.unwrap();
        let reader = Reader::new(&vault, &space);
        let Ok(entries) = tree::read_all::<CatalogEntry>(&reader, &snapshot.manifest.catalog).await else {
            continue;
        };
        for entry in entries {
            if let Ok(bytes) = reader.bytes(entry.item).await {
                found.insert((snapshot.id().to_string(), entry.path.to_string()), Digest::of(&bytes));
            }
        }
    }
    found
}

async fn backup_of(replicas: usize, encrypted: bool) -> Backup {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let store = |n: usize| -> (String, Arc<dyn ObjectStore>) {
        let name = format!("replica-{n}");
        (name.clone(), Arc::new(MemoryStore::new(&name, Arc::<ManualClock>::clone(&clock))))
    };
    Backup::on((0..replicas).map(store).collect(), encrypted, Arc::clone(&clock)).await
}

/// Packs of a few items, frames of a few KiB, an index object for each pack.
fn shrink(backup: &mut Backup) {
    backup.limits.pack_bytes = 40 << 10;
    backup.limits.frame_bytes = 4 << 10;
    backup.limits.checkpoint_bytes = 1;
    backup.state = None;
}

#[tokio::test]
async fn what_was_lost_on_all_replicas_is_found_in_the_packs() {
    for encrypted in [true, false] {
        let source = Source::synthetic(80, 6);
        let mut backup = backup_of(2, encrypted).await;
        backup.state = None;
        backup.snapshot(&source).await.unwrap();
        source.repository.edit(0.1, 3).unwrap();
        let last = backup.snapshot(&source).await.unwrap().committed.manifest;
        let before = readable(&backup).await;
        let control = as_stores(&copy_stores(&backup.stores, &backup.clock).await);

        lose_index(&backup).await;
        let damage = backup.verified(Level::Presence).await.damage;
        assert!(damage.iter().any(|damage| damage.detail.contains(COMMAND)), "{damage:?}");
        let vault = backup.open_with(vec![backup.recovery.clone()]).await.unwrap();
        let space = Space::load(&vault, &last.space).await.unwrap();
        let error = Reader::new(&vault, &space).bytes(last.catalog.root).await.unwrap_err();
        assert!(error.next_step().unwrap().contains(COMMAND), "{error}");

        let report = rebuilt(&backup).await.unwrap();
        assert_eq!((&report.problems[..], report.written.len()), (&[][..], 1), "{report:?}");
        for (_, store) in &backup.stores {
            assert_eq!(index_keys(store.as_ref()).await, report.written);
        }
        let verified = backup.verified(Level::Content).await;
        assert_eq!((&verified.damage[..], &verified.warnings[..]), (&[][..], &[][..]));
        assert_eq!(readable(&backup).await, before);
        assert_eq!(rebuilt(&backup).await.unwrap().packs, 0, "nothing is left to be described");

        // Nothing is stored again, neither when nothing changed nor when everything is read again.
        let unchanged = backup.snapshot(&source).await.unwrap();
        assert!(unchanged.documents_unchanged);
        assert_eq!(unchanged.committed.manifest.added.items, 0);
        assert_eq!(unchanged.committed.manifest.catalog, last.catalog);
        source.repository.publish(Changes::default());
        let added = backup.snapshot(&source).await.unwrap().committed.manifest.added.items;
        backup.stores = control;
        let control = backup.snapshot(&source).await.unwrap().committed.manifest.added.items;
        assert_eq!(added, control, "as if nothing had been lost");
    }
}

#[tokio::test]
async fn an_asset_of_many_frames_and_packs_of_its_own_is_found() {
    let content = SyntheticOptions {
        documents: 20,
        assets: 4,
        asset_bytes: 3000,
        largest_asset_bytes: Some(700_000),
        ..SyntheticOptions::default()
    };
    let (source, mut backup) = (Source::new(&content, AccessMode::Open), backup_of(2, true).await);
    shrink(&mut backup);
    let manifest = backup.snapshot(&source).await.unwrap().committed.manifest;
    assert!(manifest.added.packs > 3, "{:?}", manifest.added);
    let before = readable(&backup).await;
    lose_index(&backup).await;
    let report = rebuilt(&backup).await.unwrap();
    assert_eq!(report.packs, manifest.added.packs);
    assert_eq!(report.written.len() as u64, report.packs, "it is written as it goes on");
    assert_eq!(readable(&backup).await, before);
    assert_eq!(backup.verified(Level::Content).await.damage, []);
    assert_eq!(backup.snapshot(&source).await.unwrap().committed.manifest.added.items, 0);
}

#[tokio::test]
async fn garbage_and_what_a_stranger_signed_are_no_index() {
    for encrypted in [true, false] {
        let (source, mut backup) = (Source::synthetic(40, 3), backup_of(2, encrypted).await);
        backup.state = None;
        backup.snapshot(&source).await.unwrap();
        let before = readable(&backup).await;
        let good = as_stores(&copy_stores(&backup.stores, &backup.clock).await);
        let vault = backup.open().await.unwrap();
        let stranger = IndexFile {
            vault: vault.file.vault,
            space: "blog".parse().unwrap(),
            trust: 1,
            packs: Vec::new(),
            originals: Vec::new(),
        };
        let plain = stranger.encode(&SigningKey::generate());
        let signed =
            if encrypted { envelope::seal(&plain, &vault.trust.catalog_recipients).unwrap() } else { plain };
        drop(vault);
        for bytes in [&b"garbage"[..], &signed] {
            backup.stores = as_stores(&copy_stores(&good, &backup.clock).await);
            replace_index(&backup, bytes).await;
            // Under its own name as well: then only the signature is wrong.
            let key = format!("index/blog/{}", Digest::of(bytes));
            for (_, store) in &backup.stores {
                store.put(&key, Body::bytes(bytes.to_vec()), PutMode::Overwrite).await.unwrap();
            }
            let damage = backup.verified(Level::Bytes).await.damage;
            assert!(damage.iter().any(|damage| damage.detail.contains(COMMAND)), "{damage:?}");
            let report = rebuilt(&backup).await.unwrap();
            assert_eq!(report.problems, []);
            let verified = backup.verified(Level::Content).await;
            assert_eq!(verified.damage, []);
            assert!(verified.warnings.iter().all(|warning| warning.code == "not-an-index"));
            assert!(!verified.warnings.is_empty(), "what lies there is named");
            assert_eq!(readable(&backup).await, before);
        }
    }
}

/// The largest pack, which holds content, and what of `before` is in it.
async fn largest_pack(store: &dyn ObjectStore) -> String {
    let packs = store.list("packs").await.unwrap();
    packs.into_iter().max_by_key(|pack| pack.size).unwrap().key
}

fn flip(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
}

#[tokio::test]
async fn a_damaged_copy_is_read_around_and_a_pack_without_good_copy_is_named() {
    let (source, mut backup) = (Source::synthetic(80, 6), backup_of(2, true).await);
    shrink(&mut backup);
    backup.snapshot(&source).await.unwrap();
    let before = readable(&backup).await;
    let pack = largest_pack(backup.stores[0].1.as_ref()).await;
    lose_index(&backup).await;
    let stores = copy_stores(&backup.stores, &backup.clock).await;

    backup.stores = as_stores(&stores);
    assert!(stores[0].1.tamper(&pack, |bytes| flip(bytes)));
    let report = rebuilt(&backup).await.unwrap();
    assert_eq!(report.problems, []);
    assert!(report.warnings.iter().any(|warning| warning.subject == pack), "{report:?}");
    assert_eq!(readable(&backup).await, before);
    backup.repair().await;
    assert_eq!(backup.verified(Level::Content).await.damage, []);

    // On both, one of them cut short.
    lose_index(&backup).await;
    assert!(stores[0].1.tamper(&pack, |bytes| flip(bytes)));
    assert!(stores[1].1.tamper(&pack, |bytes| bytes.truncate(bytes.len() / 2)));
    let report = rebuilt(&backup).await.unwrap();
    let named: Vec<_> = report.problems.iter().map(|problem| problem.subject.as_str()).collect();
    assert_eq!(named, [pack.as_str()], "{report:?}");
    let left = readable(&backup).await;
    assert!(!left.is_empty() && left.len() < before.len(), "{} of {}", left.len(), before.len());
    assert!(left.iter().all(|(path, bytes)| before[path] == *bytes));
}

#[tokio::test]
async fn a_pack_whose_headers_are_gone_is_named_and_one_header_anywhere_is_enough() {
    let (source, mut backup) = (Source::synthetic(40, 3), backup_of(2, true).await);
    backup.state = None;
    backup.snapshot(&source).await.unwrap();
    let before = readable(&backup).await;
    lose_index(&backup).await;
    let pack = largest_pack(backup.stores[0].1.as_ref()).await;
    let digest = pack.rsplit('/').next().unwrap().to_owned();
    let headers = backup.stores[0].1.list("keys").await.unwrap();
    let header = headers.into_iter().find(|header| header.key.contains(&digest)).unwrap().key;
    // A stranger may add headers; they open nothing and take nothing away.
    let junk = b"not a header";
    let planted = format!("{}.{}", header.rsplit_once('.').unwrap().0, Digest::of(junk));
    for (_, store) in &backup.stores {
        store.put(&planted, Body::bytes(&junk[..]), PutMode::Overwrite).await.unwrap();
    }
    backup.stores[0].1.delete(&header).await.unwrap();
    let kept = as_stores(&copy_stores(&backup.stores, &backup.clock).await);
    assert_eq!(rebuilt(&backup).await.unwrap().problems, []);
    assert_eq!(readable(&backup).await, before);

    backup.stores = kept;
    backup.stores[1].1.delete(&header).await.unwrap();
    let report = rebuilt(&backup).await.unwrap();
    assert_eq!(report.problems.len(), 1, "{report:?}");
    assert_eq!(report.problems[0].subject, pack);
}

#[tokio::test]
async fn without_the_recovery_identity_nothing_is_read_or_written_and_a_plan_writes_nothing() {
    let (source, mut backup) = (Source::synthetic(40, 3), backup_of(2, true).await);
    backup.state = None;
    backup.snapshot(&source).await.unwrap();
    lose_index(&backup).await;
    let mut counted = Vec::new();
    for (_, store) in &mut backup.stores {
        let counting = CountingStore::new(Arc::clone(store));
        counted.push(counting.clone());
        *store = Arc::new(counting);
    }
    let vault = backup.open().await.unwrap();
    for store in &counted {
        store.take_counts();
    }
    let error = plan_rebuild(&vault, &[]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Identity, "{error}");
    assert!(error.to_string().contains("recovery identity"), "{error}");
    assert!(error.next_step().unwrap().contains("--identity"), "{error}");
    assert!(counted.iter().all(|store| store.counts().calls() == 0), "nothing was asked of a replica");

    let vault = backup.open_with(vec![backup.recovery.clone()]).await.unwrap();
    let plan = plan_rebuild(&vault, &[]).await.unwrap();
    assert!(!plan.packs.is_empty() && plan.packs.iter().all(|pack| pack.has_header && pack.on.len() == 2));
    assert!(counted.iter().all(|store| store.counts().writes() == 0), "a plan writes nothing");
    let unknown: Name = "shop".parse().unwrap();
    let error = plan_rebuild(&vault, &[unknown]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    assert!(error.next_step().unwrap().contains("blog"));
}

#[tokio::test]
async fn a_rebuild_that_dies_at_any_write_harms_nothing_and_the_next_completes() {
    let (source, mut backup) = (Source::synthetic(20, 2), backup_of(2, true).await);
    shrink(&mut backup);
    backup.snapshot(&source).await.unwrap();
    let before = readable(&backup).await;
    lose_index(&backup).await;
    let lost = backup.stores.clone();
    let dying = |stores: &[(String, Arc<dyn ObjectStore>)], switch: &CrashSwitch| {
        let wrap = |(name, store): &(String, Arc<dyn ObjectStore>)| -> (String, Arc<dyn ObjectStore>) {
            let faulty = FaultStore::new(Arc::clone(store)).with_crash(switch.clone());
            (name.clone(), Arc::new(faulty))
        };
        stores.iter().map(wrap).collect::<Vec<_>>()
    };
    let counter = CrashSwitch::never();
    backup.stores = dying(&as_stores(&copy_stores(&lost, &backup.clock).await), &counter);
    let packs = rebuilt(&backup).await.unwrap().packs;
    assert!(counter.writes() >= 4, "several index objects on two replicas");
    for k in 1..=counter.writes() {
        for point in [CrashPoint::Before(k), CrashPoint::After(k)] {
            let survivors = as_stores(&copy_stores(&lost, &backup.clock).await);
            backup.stores = dying(&survivors, &CrashSwitch::at(point));
            // Other replicas may be read on where the process would be dead; none is damaged.
            if let Ok(report) = rebuilt(&backup).await {
                assert_eq!(report.problems, [], "{point:?}");
                assert!(!report.unreached.is_empty() || !report.behind.is_empty(), "{point:?}");
            }
            backup.stores = survivors;
            let again = rebuilt(&backup).await.unwrap();
            assert_eq!(again.problems, [], "{point:?}");
            if k > 2 {
                assert!(again.packs < packs, "{point:?}: it goes on where it was");
            }
            assert_eq!(readable(&backup).await, before, "{point:?}");
            backup.repair().await;
            assert_eq!(backup.verified(Level::Content).await.damage, [], "{point:?}");
        }
    }
}

#[tokio::test]
async fn a_replica_that_does_not_answer_is_no_damage() {
    let (source, mut backup) = (Source::synthetic(40, 3), backup_of(2, true).await);
    backup.state = None;
    backup.snapshot(&source).await.unwrap();
    let before = readable(&backup).await;
    lose_index(&backup).await;
    let healthy = backup.stores.clone();
    for kind in ["packs/", "keys/"] {
        for (_, store) in &mut backup.stores {
            let faulty = FaultStore::new(Arc::clone(store));
            let rule = FaultRule::new(Fault::Fail(StoreKind::Transient)).key_containing(kind);
            faulty.add(rule.clone().on(Operation::Get));
            faulty.add(rule.on(Operation::GetRange));
            *store = Arc::new(faulty);
        }
        let report = rebuilt(&backup).await.unwrap();
        assert_eq!((report.packs, &report.problems[..]), (0, &[][..]), "{kind}");
        assert!(!report.unreached.is_empty());
        backup.stores.clone_from(&healthy);
    }
    assert_eq!(rebuilt(&backup).await.unwrap().problems, []);
    assert_eq!(readable(&backup).await, before);
}

#[tokio::test]
async fn a_rebuild_that_is_told_to_stop_keeps_what_it_read() {
    let (source, mut backup) = (Source::synthetic(40, 3), backup_of(1, true).await);
    shrink(&mut backup);
    backup.snapshot(&source).await.unwrap();
    lose_index(&backup).await;
    let vault = backup.open_with(vec![backup.recovery.clone()]).await.unwrap();
    let plan = plan_rebuild(&vault, &[]).await.unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error = rebuild(&vault, &plan, &Silent, &cancel).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert_eq!(rebuilt(&backup).await.unwrap().packs, plan.packs.len() as u64);
    assert_eq!(backup.verified(Level::Content).await.damage, []);
}

#[tokio::test]
async fn an_item_whose_path_does_not_tell_its_kind_is_read_and_never_taken_for_known() {
    for encrypted in [true, false] {
        let vault = TestVault::new(2, encrypted).await;
        let items: [(&str, ItemKind, &[u8]); 2] = [
            ("repository/api.json", ItemKind::Repository, b"{}"),
            ("something/of-old", ItemKind::Document, b"{\"old\":1}"),
        ];
        vault.snapshot("blog", &items).await;
        for key in vault.keys("index").await {
            vault.lose(&key).await;
        }
        let report = rebuilt(&vault.backup).await.unwrap();
        assert_eq!((report.unfingerprinted, &report.problems[..]), (1, &[][..]), "{report:?}");
        assert_eq!(readable(&vault.backup).await.len(), 2);
        let again = vault.snapshot("blog", &items).await;
        assert_eq!(again.added.items, 1, "what is not known to be equal is stored again");
    }
}

/// A vault on two directories by a configuration, with one snapshot.
fn on_directories() -> (Source, Workplace) {
    let (source, place) = (small(), Workplace::new());
    let config = configuration(&source, &[("one", &place.file("one")), ("two", &place.file("two"))]);
    place.write("prismvault.toml", &config);
    place.expect(0, &["init"]);
    place.expect(0, &["snapshot"]);
    (source, place)
}

fn index_files(place: &Workplace) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for replica in ["one", "two"] {
        for entry in fs::read_dir(place.file(replica).join("index/acme-blog")).unwrap() {
            files.push(entry.unwrap().path());
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_what_it_needs_plans_rebuilds_and_names_what_is_lost() {
    let (_source, place) = on_directories();
    place.expect(0, &["restore", "files", "latest", "--to", "before"]);
    // Other bytes of the same length: this client has a good copy in its cache.
    for file in index_files(&place) {
        let mut bytes = fs::read(&file).unwrap();
        flip(&mut bytes);
        fs::remove_file(&file).unwrap();
        std::io::Write::write_all(&mut fs::File::create(&file).unwrap(), &bytes).unwrap();
    }
    let damaged = place.expect(4, &["verify"]);
    assert!(damaged.stdout.contains(COMMAND), "{damaged:?}");
    let beyond = place.expect(4, &["repair"]);
    assert!(beyond.stdout.contains(COMMAND), "{beyond:?}");
    let no_cache = place.expect(4, &["--no-cache", "restore", "files", "latest", "--to", "not"]);
    assert!(no_cache.stderr.contains(COMMAND), "{no_cache:?}");

    let recovery = place.read("keys/recovery.txt");
    fs::remove_file(place.file("keys/recovery.txt")).unwrap();
    let state = (objects(&place.file("one")), objects(&place.file("two")));
    let refused = place.expect(2, &["repair", "--rebuild-index"]);
    assert!(refused.stderr.contains("needs the recovery identity"), "{refused:?}");
    place.write("brought.txt", &recovery);
    let line = ["repair", "--rebuild-index", "--identity", "brought.txt"];
    let planned = place.expect(0, &[&line[..], &["--dry-run"]].concat());
    assert!(planned.stdout.contains("would read") && planned.stdout.contains("nothing was changed"));
    assert_eq!((objects(&place.file("one")), objects(&place.file("two"))), state);
    place.expect(2, &["repair", "acme-blog"]);
    place.expect(2, &[&line[..], &["shop"]].concat());

    let done = place.expect(0, &[&line[..], &["acme-blog"]].concat());
    assert!(done.stdout.contains("index objects written"), "{done:?}");
    place.expect(0, &["verify", "--full", "--identity", "brought.txt"]);
    place.expect(0, &["repair"]);
    let args = ["--no-cache", "restore", "files", "latest", "--to", "after", "--identity", "brought.txt"];
    place.expect(0, &args);
    assert_eq!(files_of(&place.file("before")), files_of(&place.file("after")));
    let unchanged = place.expect(0, &["snapshot", "--json"]).json();
    assert_eq!(unchanged["manifest"]["added"]["items"], 0);

    // A pack that is lost everywhere.
    for file in index_files(&place) {
        fs::remove_file(file).unwrap();
    }
    let store = place.file("one").join("packs/acme-blog");
    let entries = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().path());
    let pack = entries.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let name = pack.file_name().unwrap().to_owned();
    for replica in ["one", "two"] {
        let file = place.file(replica).join("packs/acme-blog").join(&name);
        fs::remove_file(&file).unwrap();
        std::io::Write::write_all(&mut fs::File::create(&file).unwrap(), b"gone").unwrap();
    }
    let partly = place.expect(4, &[&line[..], &["--json"]].concat()).json();
    let problems = partly["done"]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{partly}");
    assert!(problems[0]["subject"].as_str().unwrap().contains(name.to_str().unwrap()));
    place.expect(0, &["list"]);
    place.expect(4, &["verify"]);
}
