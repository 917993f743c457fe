//! Restoring files: what is written where, what is refused, and what happens when half is lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prismvault::objects::faults::{Condition, FaultStore};
use prismvault::objects::{ErrorKind as StoreErrorKind, ObjectStore};
use prismvault::progress::{Phase, Problem, Progress, Silent};
use prismvault::restore::{
    Action, OverwriteMode, RestoreError, RestoreErrorKind, RestoreOptions, RestorePlan, RestoreReport,
    Selection, is_damage, plan_files, restore_files,
};
use prismvault::vault::envelope::Identity;
use prismvault::vault::error::ErrorKind as VaultErrorKind;
use prismvault::vault::format::ledger::Decision;
use prismvault::vault::format::manifest::Manifest;
use prismvault::vault::item::ItemKind;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::snapshots::Snapshots;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::vaults::TestVault;

type Item<'a> = (&'a str, ItemKind, &'a [u8]);

const BLOG: &[Item<'static>] = &[
    ("assets/X1/metadata.json", ItemKind::AssetMetadata, br#"{"id":"X1","filename":"Photo 1.jpg"}"#),
    ("assets/X1/original", ItemKind::Asset, b"bytes of a photo"),
    ("documents/en-us/page/A.json", ItemKind::Document, br#"{"id":"A","n":10.0}"#),
    ("documents/en-us/post/B.json", ItemKind::Document, br#"{"id":"B"}"#),
    ("documents/fr-fr/page/C.json", ItemKind::Document, br#"{"id":"C"}"#),
    ("models/customtypes/page.json", ItemKind::Model, br#"{"id":"page"}"#),
    ("releases/R/documents/en-us/page/A.json", ItemKind::Document, br#"{"id":"A","new":1}"#),
    ("repository/api.json", ItemKind::Repository, b"{}"),
];

/// Opens a snapshot as every command does, and lets `work` use it.
macro_rules! with_snapshot {
    ($vault:expr, $manifest:expr, |$snapshot:ident| $work:expr) => {{
        let vault: std::sync::Arc<prismvault::vault::open::Vault> = $vault;
        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        match prismvault::restore::OpenSnapshot::open(&vault, &snapshots, $manifest).await {
            Ok($snapshot) => $work,
            Err(error) => Err(error),
        }
    }};
}
pub(crate) use with_snapshot;

fn options(overwrite: OverwriteMode) -> RestoreOptions<'static> {
    RestoreOptions {
        selection: Selection::default(),
        overwrite,
        progress: &Silent,
        cancel: CancellationToken::new(),
    }
}

async fn restore(
    vault: &TestVault,
    manifest: &Manifest,
    target: &Path,
    options: RestoreOptions<'_>,
) -> Result<RestoreReport, RestoreError> {
    with_snapshot!(vault.reopen().await, manifest, |snapshot| restore_files(&snapshot, target, options).await)
}

async fn plan(
    vault: &TestVault,
    manifest: &Manifest,
    target: &Path,
    options: RestoreOptions<'_>,
) -> Result<RestorePlan, RestoreError> {
    with_snapshot!(vault.reopen().await, manifest, |snapshot| plan_files(&snapshot, target, options).await)
}

/// All objects of a replica in a directory, but for its audit log: what was refused or failed is
/// recorded there.
pub(crate) fn objects(replica: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = tree(replica);
    found.retain(|key, _| !key.starts_with("audit/"));
    found
}

/// All files below a directory with their bytes.
pub(crate) fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            match fs::symlink_metadata(&path).unwrap().is_dir() {
                true => waiting.push(path),
                false => {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, fs::read(&path).unwrap());
                }
            }
        }
    }
    found
}

fn put(path: PathBuf, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = fs::File::create(path).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("target");
    (directory, target)
}

fn expected() -> BTreeMap<String, Vec<u8>> {
    let file = |path: &str| path.replace("assets/X1/original", "assets/X1/Photo 1.jpg");
    BLOG.iter().map(|(path, _, bytes)| (file(path), bytes.to_vec())).collect()
}

#[tokio::test]
async fn a_snapshot_is_restored_as_files_byte_by_byte() {
    for encrypted in [true, false] {
        let vault = TestVault::new(2, encrypted).await;
        let manifest = vault.snapshot("blog", BLOG).await;
        let (_directory, target) = place();
        let report = restore(&vault, &manifest, &target, options(OverwriteMode::Refuse)).await.unwrap();
        assert_eq!(tree(&target), expected());
        assert_eq!((report.created, report.replaced, report.unchanged), (BLOG.len() as u64, 0, 0));
        assert_eq!(report.bytes, BLOG.iter().map(|(.., bytes)| bytes.len() as u64).sum::<u64>());
        assert!(report.problems.is_empty() && report.renamed.is_empty(), "{report:?}");
    }
}

#[tokio::test]
async fn equal_items_under_several_paths_are_all_restored() {
    let vault = TestVault::new(1, true).await;
    let large = vec![7; 300_000];
    let metadata = br#"{"filename":"same.bin"}"#;
    let items: &[Item<'_>] = &[
        ("assets/A/metadata.json", ItemKind::AssetMetadata, metadata),
        ("assets/A/original", ItemKind::Asset, &large),
        ("assets/B/metadata.json", ItemKind::AssetMetadata, metadata),
        ("assets/B/original", ItemKind::Asset, &large),
        ("documents/en/page/A.json", ItemKind::Document, b"{}"),
        ("releases/R/documents/en/page/A.json", ItemKind::Document, b"{}"),
    ];
    let manifest = vault.snapshot("blog", items).await;
    let (_directory, target) = place();
    restore(&vault, &manifest, &target, options(OverwriteMode::Refuse)).await.unwrap();
    let files = tree(&target);
    assert_eq!(files.len(), 6);
    assert!(files["assets/A/same.bin"] == large && files["assets/B/same.bin"] == large);
    assert_eq!(files["releases/R/documents/en/page/A.json"], b"{}");
}

#[tokio::test]
async fn an_asset_larger_than_a_frame_is_streamed_and_compared() {
    let mut vault = TestVault::new(1, true).await;
    vault.backup.limits.frame_bytes = 4096;
    let large: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let items: &[Item<'_>] = &[
        ("assets/A/metadata.json", ItemKind::AssetMetadata, br#"{"filename":"a.bin"}"#),
        ("assets/A/original", ItemKind::Asset, &large),
        ("assets/B/original", ItemKind::Asset, &large),
    ];
    let manifest = vault.snapshot("blog", items).await;
    let (_directory, target) = place();
    restore(&vault, &manifest, &target, options(OverwriteMode::Refuse)).await.unwrap();
    assert!(tree(&target)["assets/A/a.bin"] == large && tree(&target)["assets/B/original"] == large);
    let mut other = large.clone();
    *other.last_mut().unwrap() ^= 1;
    put(target.join("assets/A/a.bin"), &other);
    let report = restore(&vault, &manifest, &target, options(OverwriteMode::IfChanged)).await.unwrap();
    assert_eq!((report.replaced, report.unchanged), (1, 2));
    assert!(tree(&target)["assets/A/a.bin"] == large);
}

#[tokio::test]
async fn filters_choose_a_part_and_a_mistyped_one_names_what_there_is() {
    let vault = TestVault::new(1, true).await;
    let manifest = vault.snapshot("blog", BLOG).await;
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let selected = async |types: &[&str], languages: &[&str], ids: &[&str], paths: &[&str]| {
        let selection =
            Selection { types: list(types), languages: list(languages), ids: list(ids), paths: list(paths) };
        let (_directory, target) = place();
        let options = RestoreOptions { selection, ..options(OverwriteMode::Refuse) };
        match restore(&vault, &manifest, &target, options).await {
            Ok(_) => Ok(tree(&target).into_keys().collect::<Vec<_>>().join(" ")),
            Err(error) => {
                assert_eq!(error.kind(), RestoreErrorKind::NotFound);
                assert!(!target.exists(), "nothing is written");
                Err(format!("{error}; {}", error.next_step().unwrap()))
            }
        }
    };
    let page_a = "documents/en-us/page/A.json";
    assert_eq!(
        selected(&["page"], &[], &[], &[]).await.unwrap(),
        format!("{page_a} documents/fr-fr/page/C.json releases/R/{page_a}")
    );
    assert_eq!(selected(&["page"], &["en-us"], &[], &["documents"]).await.unwrap(), page_a);
    assert_eq!(
        selected(&[], &[], &["X1", "B"], &[]).await.unwrap(),
        "assets/X1/Photo 1.jpg assets/X1/metadata.json documents/en-us/post/B.json"
    );
    assert_eq!(selected(&[], &[], &[], &["/models/"]).await.unwrap(), "models/customtypes/page.json");
    assert_eq!(selected(&[], &[], &[], &["assets/X1/original"]).await.unwrap(), "assets/X1/Photo 1.jpg");
    for (types, languages, ids, paths, expected) in [
        (&["pgae", "page"][..], &[][..], &[][..], &[][..], "there is: page, post"),
        (&[], &["en"], &[], &[], "there is: en-us, fr-fr"),
        (&[], &[], &["ZZ"], &[], "the id \"ZZ\""),
        (&[], &[], &[], &["documents/en"], "below documents there is: en-us, fr-fr"),
        (&["post"], &["fr-fr"], &[], &[], "nothing matches all of them"),
    ] {
        let error = selected(types, languages, ids, paths).await.unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn hostile_names_of_assets_and_paths_stay_below_the_target() {
    let vault = TestVault::new(1, true).await;
    let long = "x".repeat(300);
    let names = ["../../escape", "/etc/passwd", "..", "", "a\u{1b}]0;t\u{7}b", "Metadata.JSON", &long];
    let metadata: Vec<Vec<u8>> = names
        .iter()
        .enumerate()
        .map(|(n, name)| serde_json::json!({ "n": n, "filename": name }).to_string().into_bytes())
        .collect();
    let paths: Vec<[String; 2]> = (0..names.len())
        .map(|n| [format!("assets/{n}/metadata.json"), format!("assets/{n}/original")])
        .collect();
    let mut items: Vec<Item<'_>> = vec![
        ("../outside.json", ItemKind::Document, b"no"),
        ("/absolute.json", ItemKind::Document, b"no"),
        ("documents/../../up.json", ItemKind::Document, b"no"),
        ("assets/AbC/metadata.json", ItemKind::AssetMetadata, b"{}"),
        ("assets/AbC/original", ItemKind::Asset, b"one"),
        ("assets/abc/metadata.json", ItemKind::AssetMetadata, b"{\"x\":1}"),
        ("assets/abc/original", ItemKind::Asset, b"two"),
    ];
    for ([metadata_path, original], bytes) in paths.iter().zip(&metadata) {
        items.push((metadata_path, ItemKind::AssetMetadata, bytes));
        items.push((original, ItemKind::Asset, bytes));
    }
    let manifest = vault.snapshot("blog", &items).await;
    let (directory, target) = place();
    let report = restore(&vault, &manifest, &target, options(OverwriteMode::Refuse)).await.unwrap();
    let problems: Vec<_> = report.problems.iter().map(|problem| problem.subject.as_str()).collect();
    assert_eq!(problems, ["../outside.json", "/absolute.json", "documents/../../up.json"]);
    assert!(report.problems.iter().all(is_damage));
    assert_eq!(report.renamed.len(), 2, "{:?}", report.renamed);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing beside the target");
    let files = tree(&target);
    assert_eq!(files.len(), items.len() - 3);
    assert_eq!(files["assets/abc~2/original"], b"two");
    for (n, expected) in [
        ".._.._escape",
        "_etc_passwd",
        "original",
        "original",
        "a_]0;t_b",
        "Metadata~2.JSON",
        &"x".repeat(255),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(files[&format!("assets/{n}/{expected}")], metadata[n]);
    }
}

#[tokio::test]
async fn a_directory_that_is_not_empty_is_refused_and_stays_as_it_is() {
    let vault = TestVault::new(1, true).await;
    let manifest = vault.snapshot("blog", BLOG).await;
    let (_directory, target) = place();
    put(target.join("mine.txt"), b"mine");
    for result in [
        restore(&vault, &manifest, &target, options(OverwriteMode::Refuse)).await.map(drop),
        plan(&vault, &manifest, &target, options(OverwriteMode::Refuse)).await.map(drop),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), RestoreErrorKind::Refused);
        assert!(error.to_string().contains("mine.txt"), "{error}");
    }
    assert_eq!(tree(&target).into_keys().collect::<Vec<_>>(), ["mine.txt"]);
}

#[tokio::test]
async fn overwrite_modes_write_what_they_say_and_leave_the_rest() {
    let vault = TestVault::new(1, true).await;
    let manifest = vault.snapshot("blog", BLOG).await;
    let (_directory, target) = place();
    put(target.join("mine.txt"), b"mine");
    put(target.join("documents/en-us/page/A.json"), br#"{"id":"A","n":10.0}"#);
    put(target.join("documents/en-us/post/B.json"), br#"{"id":"X"}"#);
    put(target.join("documents/fr-fr/page/C.json"), b"shorter");
    let all = BLOG.len() as u64;

    let before = tree(&target);
    let planned = plan(&vault, &manifest, &target, options(OverwriteMode::IfChanged)).await.unwrap();
    assert_eq!(tree(&target), before, "a plan writes nothing");
    let action = |path: &str| planned.files.iter().find(|file| file.path == path).unwrap().action;
    assert_eq!(action("documents/en-us/page/A.json"), Action::Compare);
    assert_eq!(action("documents/en-us/post/B.json"), Action::Compare);
    assert_eq!(action("documents/fr-fr/page/C.json"), Action::Replace);
    assert_eq!(action("repository/api.json"), Action::Create);
    assert!(planned.files.iter().any(|file| file.file == "assets/X1/Photo 1.jpg"), "names are known");
    assert_eq!(planned.bytes, BLOG.iter().map(|(.., bytes)| bytes.len() as u64).sum::<u64>());

    let report = restore(&vault, &manifest, &target, options(OverwriteMode::IfChanged)).await.unwrap();
    assert_eq!((report.created, report.replaced, report.unchanged), (all - 3, 2, 1));
    let mut whole = expected();
    whole.insert("mine.txt".to_owned(), b"mine".to_vec());
    assert_eq!(tree(&target), whole);
    let report = restore(&vault, &manifest, &target, options(OverwriteMode::IfChanged)).await.unwrap();
    assert_eq!((report.created, report.replaced, report.unchanged, report.bytes), (0, 0, all, 0));
    let report = restore(&vault, &manifest, &target, options(OverwriteMode::Always)).await.unwrap();
    assert_eq!((report.created, report.replaced, report.unchanged), (0, all, 0));
    assert_eq!(tree(&target), whole);
}

#[cfg(unix)]
#[tokio::test]
async fn links_within_the_target_are_never_followed() {
    let vault = TestVault::new(1, true).await;
    let manifest = vault.snapshot("blog", BLOG).await;
    let (directory, target) = place();
    let outside = directory.path().join("outside");
    put(outside.join("kept"), b"kept");
    fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(&outside, target.join("documents")).unwrap();
    for mode in [OverwriteMode::IfChanged, OverwriteMode::Always] {
        let error = restore(&vault, &manifest, &target, options(mode)).await.unwrap_err();
        assert_eq!(error.kind(), RestoreErrorKind::Refused);
        assert!(error.to_string().contains("symbolic link"), "{error}");
        assert_eq!(tree(&outside).len(), 1);
        assert_eq!(fs::read_dir(&target).unwrap().count(), 1, "nothing was written");
    }
    fs::remove_file(target.join("documents")).unwrap();
    // A link in the place of a file is replaced itself, not what it points at.
    fs::create_dir(target.join("repository")).unwrap();
    std::os::unix::fs::symlink(outside.join("kept"), target.join("repository/api.json")).unwrap();
    restore(&vault, &manifest, &target, options(OverwriteMode::IfChanged)).await.unwrap();
    assert_eq!(tree(&target), expected());
    assert!(fs::symlink_metadata(target.join("repository/api.json")).unwrap().is_file());
    assert_eq!(tree(&outside)["kept"], b"kept");
    // Nor is one in the place of the lock.
    std::os::unix::fs::symlink(outside.join("made"), target.join(".prismvault-restore")).unwrap();
    let error = restore(&vault, &manifest, &target, options(OverwriteMode::Always)).await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Refused);
    assert_eq!(tree(&outside).len(), 1);
}

#[tokio::test]
async fn a_directory_in_the_place_of_a_file_is_refused() {
    let vault = TestVault::new(1, true).await;
    let manifest = vault.snapshot("blog", BLOG).await;
    let (_directory, target) = place();
    put(target.join("repository/api.json/mine"), b"mine");
    let error = restore(&vault, &manifest, &target, options(OverwriteMode::Always)).await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Refused);
    assert_eq!(tree(&target).len(), 1);
}

#[tokio::test]
async fn without_the_right_identity_nothing_is_written() {
    let vault = TestVault::new(1, true).await;
    let manifest = vault.snapshot("blog", BLOG).await;
    let (operator, stranger) = (vault.backup.operator.clone(), Identity::generate());
    for identities in [vec![operator.clone()], vec![operator, stranger]] {
        let (_directory, target) = place();
        let error = with_snapshot!(vault.reopen_with(identities).await, &manifest, |snapshot| restore_files(
            &snapshot,
            &target,
            options(OverwriteMode::Refuse)
        )
        .await)
        .unwrap_err();
        assert_eq!(error.kind(), RestoreErrorKind::Vault(VaultErrorKind::Identity));
        assert!(error.next_step().unwrap().contains("--identity"), "{error}");
        assert!(!target.exists());
    }
}

#[tokio::test]
async fn a_ledger_that_lacks_an_entry_keeps_content_closed() {
    let vault = TestVault::new(2, true).await;
    let first = vault.snapshot("blog", BLOG).await;
    let space = "blog".parse().unwrap();
    let open = vault.backup.open().await.unwrap();
    let ledger = Ledger::load(&open, &space).await.unwrap();
    let decision = Decision::AcceptedGap {
        repository: space.clone(),
        path: "assets/Y/original".to_owned(),
        reason: "gone".to_owned(),
    };
    let entry = ledger.append(&open, &space, decision).await.unwrap();
    vault.snapshot("blog", BLOG).await;
    let (_directory, target) = place();
    restore(&vault, &first, &target, options(OverwriteMode::Refuse)).await.unwrap();
    vault.lose(&entry.key).await;
    let (_directory, target) = place();
    // The older snapshot knows nothing of the entry; the newer names it.
    let error = restore(&vault, &first, &target, options(OverwriteMode::Refuse)).await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Vault(VaultErrorKind::Integrity));
    assert!(!target.exists());
}

#[tokio::test]
async fn an_entry_that_only_this_client_remembers_keeps_content_closed_as_well() {
    let vault = TestVault::new(2, true).await;
    let manifest = vault.snapshot("blog", BLOG).await;
    let space: prismvault::ids::Name = "blog".parse().unwrap();
    let open = vault.backup.open().await.unwrap();
    let decision = Decision::AcceptedGap {
        repository: space.clone(),
        path: "assets/Y/original".to_owned(),
        reason: "gone".to_owned(),
    };
    let entry = Ledger::load(&open, &space).await.unwrap().append(&open, &space, decision).await.unwrap();
    // No manifest names it yet; this client wrote it.
    vault.lose(&entry.key).await;
    let (_directory, target) = place();
    let error = restore(&vault, &manifest, &target, options(OverwriteMode::Refuse)).await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Vault(VaultErrorKind::Integrity));
}

#[tokio::test]
async fn what_is_damaged_is_named_and_the_rest_is_restored() {
    let lost_paths: Vec<_> = BLOG[5..].iter().map(|(path, ..)| *path).collect();
    let mut rest = expected();
    rest.retain(|file, _| !lost_paths.contains(&file.as_str()));
    for lose in [false, true] {
        let mut ends = Vec::new();
        // The second snapshot adds two packs: one of content, one of pages of the catalog.
        for number in 0..2 {
            let vault = TestVault::new(2, true).await;
            vault.snapshot("blog", &BLOG[..5]).await;
            let before = vault.keys("packs/blog").await;
            let manifest = vault.snapshot("blog", BLOG).await;
            let mut packs = vault.keys("packs/blog").await;
            packs.retain(|key| !before.contains(key));
            packs.sort_by_key(|key| vault.size(key));
            assert_eq!(packs.len(), 2);
            match lose {
                true => vault.lose(&packs[number]).await,
                false => vault.damage(&packs[number]),
            }
            let (_directory, target) = place();
            match restore(&vault, &manifest, &target, options(OverwriteMode::Refuse)).await {
                Ok(report) => {
                    let paths: Vec<_> = report.problems.iter().map(|p| p.subject.as_str()).collect();
                    assert_eq!(paths, lost_paths);
                    assert!(report.problems.iter().all(is_damage), "{:?}", report.problems);
                    assert_eq!(tree(&target), rest);
                    ends.push("the rest");
                }
                Err(error) => {
                    assert_eq!(error.kind(), RestoreErrorKind::Vault(VaultErrorKind::Integrity));
                    assert!(!target.exists(), "without catalog nothing is written");
                    ends.push("nothing");
                }
            }
        }
        ends.sort_unstable();
        assert_eq!(ends, ["nothing", "the rest"]);
    }
}

#[tokio::test]
async fn damage_on_one_replica_is_read_around_and_told() {
    let vault = TestVault::new(2, true).await;
    let manifest = vault.snapshot("blog", BLOG).await;
    for key in vault.keys("packs/blog").await {
        vault.stores[0].tamper(&key, |bytes| bytes.truncate(bytes.len() / 3));
    }
    let (_directory, target) = place();
    let report = restore(&vault, &manifest, &target, options(OverwriteMode::Refuse)).await.unwrap();
    assert_eq!(tree(&target), expected());
    assert!(report.problems.is_empty());
}

#[tokio::test]
async fn metadata_that_is_damaged_leaves_the_asset_under_the_name_of_the_catalog() {
    let vault = TestVault::new(1, true).await;
    let metadata: &[Item<'_>] =
        &[("assets/X/metadata.json", ItemKind::AssetMetadata, b"{\"filename\":\"a\"}")];
    vault.snapshot("blog", metadata).await;
    let packs = vault.keys("packs/blog").await;
    let mut all = metadata.to_vec();
    all.push(("assets/X/original", ItemKind::Asset, b"bytes"));
    let manifest = vault.snapshot("blog", &all).await;
    for key in &packs {
        vault.damage(key);
    }
    let (_directory, target) = place();
    let report = restore(&vault, &manifest, &target, options(OverwriteMode::Refuse)).await.unwrap();
    assert_eq!(report.problems.len(), 1);
    assert_eq!(tree(&target).into_keys().collect::<Vec<_>>(), ["assets/X/original"]);
}

#[tokio::test]
async fn replicas_that_stop_answering_end_the_run_as_a_failure_not_as_damage() {
    let mut vault = TestVault::new(1, true).await;
    // Each in a pack of its own, and more of them than are read ahead on a slow day.
    vault.backup.limits.pack_bytes = 1;
    let bytes: Vec<Vec<u8>> = (0..60_u8).map(|n| vec![n; 200]).collect();
    let paths: Vec<String> = (0..60).map(|n| format!("documents/en/page/{n:02}.json")).collect();
    let items: Vec<Item<'_>> =
        paths.iter().zip(&bytes).map(|(path, bytes)| (&**path, ItemKind::Document, &**bytes)).collect();
    let manifest = vault.snapshot("blog", &items).await;
    let faults = Arc::new(FaultStore::new(Arc::new(vault.stores[0].clone())));
    vault.backup.stores[0].1 = Arc::<FaultStore>::clone(&faults) as Arc<dyn ObjectStore>;
    let (_directory, target) = place();
    let stop = After::new(3, || faults.set_condition(Condition::Unreachable));
    let options = RestoreOptions { progress: &stop, ..options(OverwriteMode::Refuse) };
    let error = restore(&vault, &manifest, &target, options).await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Vault(VaultErrorKind::Store(StoreErrorKind::Transient)));
    // Some had been read ahead.
    let written = tree(&target);
    assert!((3..60).contains(&written.len()), "{written:?}");
    let whole = |(path, bytes): (&String, &Vec<u8>)| {
        paths.iter().position(|own| own == path).map(|at| bytes[..] == items[at].2[..])
    };
    assert!(
        written.iter().all(|one| whole(one) == Some(true)),
        "what was written is whole, and no unfinished file is left"
    );
    faults.set_condition(Condition::Healthy);
    let rest = restore(&vault, &manifest, &target, self::options(OverwriteMode::IfChanged)).await.unwrap();
    assert_eq!(
        (rest.created, rest.unchanged),
        (items.len() as u64 - written.len() as u64, written.len() as u64)
    );
}

/// Does something once so many files were restored.
struct After<F> {
    files: u64,
    seen: AtomicU64,
    act: F,
}

impl<F: Fn()> After<F> {
    fn new(files: u64, act: F) -> Self {
        Self { files, seen: AtomicU64::new(0), act }
    }
}

impl<F: Fn() + Send + Sync> Progress for After<F> {
    fn start(&self, _phase: Phase, _total: Option<u64>) {}
    fn advance(&self, _phase: Phase, items: u64, _bytes: u64) {
        // Files are restored many at once.
        let before = self.seen.fetch_add(items, Ordering::Relaxed);
        if before < self.files && before + items >= self.files {
            (self.act)();
        }
    }
    fn finish(&self, _phase: Phase) {}
    fn problem(&self, _problem: &Problem) {}
}

/// Waits until the file that a dropped run was writing is written: that is done elsewhere.
fn settle(target: &Path) {
    if let Ok(lock) = fs::File::open(target.join(".prismvault-restore")) {
        lock.lock().unwrap();
    }
}

#[tokio::test]
async fn a_run_that_ends_early_leaves_whole_files_and_the_next_one_completes_it() {
    let vault = TestVault::new(1, true).await;
    let manifest = vault.snapshot("blog", BLOG).await;
    let all = expected();
    for files in 1..=BLOG.len() as u64 {
        for dropped in [false, true] {
            let (_directory, target) = place();
            let cancel = CancellationToken::new();
            let stop = After::new(files, || cancel.cancel());
            let mut options = RestoreOptions { progress: &stop, ..options(OverwriteMode::Refuse) };
            if dropped {
                // Dropped in the middle of its work, as by a timeout.
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => {}
                    _ = restore(&vault, &manifest, &target, options) => {}
                }
            } else {
                options.cancel = cancel.clone();
                let result = restore(&vault, &manifest, &target, options).await;
                match result {
                    Err(error) => assert_eq!(error.kind(), RestoreErrorKind::Cancelled),
                    Ok(_) => assert_eq!(files, BLOG.len() as u64),
                }
            }
            settle(&target);
            let written = tree(&target);
            assert!(written.len() as u64 >= files);
            for (file, bytes) in written {
                assert_eq!(all[&file], bytes, "{file} is whole");
            }
            // What a process that was killed leaves besides.
            put(target.join(".prismvault-restore"), b"");
            put(target.join(".prismvault-restore-7"), b"half a fi");
            put(target.join("documents/.prismvault-restore-8"), b"half a fi");
            restore(&vault, &manifest, &target, self::options(OverwriteMode::IfChanged)).await.unwrap();
            assert_eq!(tree(&target), all);
        }
    }
}

#[tokio::test]
async fn two_restores_into_one_directory_do_not_meet() {
    let vault = TestVault::new(1, true).await;
    let manifest = vault.snapshot("blog", BLOG).await;
    let (_directory, target) = place();
    fs::create_dir_all(&target).unwrap();
    let lock = fs::File::create(target.join(".prismvault-restore")).unwrap();
    lock.lock().unwrap();
    let error = restore(&vault, &manifest, &target, options(OverwriteMode::Refuse)).await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Refused);
    assert!(error.to_string().contains("another restore"), "{error}");
    drop(lock);
    restore(&vault, &manifest, &target, options(OverwriteMode::Refuse)).await.unwrap();
    assert_eq!(tree(&target), expected());
}

#[tokio::test]
async fn an_empty_snapshot_says_so() {
    let vault = TestVault::new(1, true).await;
    let manifest = vault.snapshot("blog", &[]).await;
    let (_directory, target) = place();
    let error = restore(&vault, &manifest, &target, options(OverwriteMode::Refuse)).await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::NotFound);
}

#[tokio::test]
async fn a_target_that_cannot_be_a_directory_is_told_with_its_name() {
    let vault = TestVault::new(1, true).await;
    let manifest = vault.snapshot("blog", BLOG).await;
    let (directory, target) = place();
    put(directory.path().join("target"), b"a file");
    let error = restore(&vault, &manifest, &target, options(OverwriteMode::Always)).await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Local);
    assert!(error.to_string().contains("target"), "{error}");
    assert_eq!(fs::read(&target).unwrap(), b"a file");
}
