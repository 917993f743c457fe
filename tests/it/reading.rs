//! One item, a search, one archive: the other ways in which content comes back.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use prismvault::clock::Clock as _;
use prismvault::objects::ObjectStore;
use prismvault::objects::counting::CountingStore;
use prismvault::progress::Silent;
use prismvault::restore::{
    ExportOptions, ExportReport, FindOptions, FindReport, RestoreError, RestoreErrorKind, Scope, cat, export,
    find,
};
use prismvault::vault::error::ErrorKind as VaultErrorKind;
use prismvault::vault::format::manifest::Manifest;
use prismvault::vault::item::ItemKind;
use prismvault::vault::open::Vault;
use prismvault::vault::snapshots::Snapshots;
use tokio_util::sync::CancellationToken;

use crate::restore::with_snapshot;
use crate::vaults::TestVault;

type Item<'a> = (&'a str, ItemKind, &'a [u8]);

const HOME: Item<'static> = (
    "documents/en-us/page/A.json",
    ItemKind::Document,
    r#"{"id":"A","uid":"home","tags":["Frühling"],"data":{"title":[{"text":"Willkommen in GÖTTINGEN"}]}}"#
        .as_bytes(),
);
const POST: Item<'static> =
    ("documents/fr-fr/post/B.json", ItemKind::Document, br#"{"id":"B","uid":null,"data":{"t":"un texte"}}"#);
const METADATA: Item<'static> =
    ("assets/X/metadata.json", ItemKind::AssetMetadata, br#"{"id":"X","filename":"Plan der Stadt.pdf"}"#);
const ORIGINAL: Item<'static> = ("assets/X/original", ItemKind::Asset, "%PDF göttingen".as_bytes());

async fn get(vault: &TestVault, manifest: &Manifest, path: &str) -> Result<Vec<u8>, RestoreError> {
    with_snapshot!(vault.reopen().await, manifest, |snapshot| {
        cat(&snapshot, path).await.map(|mut found| {
            let mut bytes = Vec::new();
            found.data.reader().unwrap().read_to_end(&mut bytes).unwrap();
            bytes
        })
    })
}

async fn search(
    vault: Arc<Vault>,
    vaults: &TestVault,
    term: &str,
    scope: Scope,
) -> Result<FindReport, RestoreError> {
    let options = FindOptions {
        scope,
        text: false,
        now: vaults.backup.clock.now(),
        progress: &Silent,
        cancel: CancellationToken::new(),
    };
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    find(&vault, &snapshots, term, options).await
}

fn paths(report: &FindReport) -> Vec<&str> {
    report.hits.iter().map(|hit| hit.path.as_str()).collect()
}

#[tokio::test]
async fn cat_gives_the_bytes_of_one_item_by_path_or_id() {
    let vault = TestVault::new(2, true).await;
    let manifest = vault.snapshot("blog", &[HOME, POST, METADATA, ORIGINAL]).await;
    for (path, expected) in [(HOME.0, HOME.2), ("A", HOME.2), ("/assets/X/original", ORIGINAL.2)] {
        assert_eq!(get(&vault, &manifest, path).await.unwrap(), expected, "{path}");
    }
    for (path, kind, hint) in [
        ("X", RestoreErrorKind::Ambiguous, "assets/X/metadata.json, assets/X/original"),
        ("documents/en-us/page/Z.json", RestoreErrorKind::NotFound, "A.json"),
        ("", RestoreErrorKind::NotFound, "assets, documents"),
    ] {
        let error = get(&vault, &manifest, path).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{path}");
        assert!(error.next_step().unwrap().contains(hint), "{error}: {:?}", error.next_step());
    }
}

#[tokio::test]
async fn cat_of_one_among_many_reads_a_page_a_level_and_one_item() {
    let mut vault = TestVault::new(1, true).await;
    let count = 3000;
    let paths: Vec<_> = (0..count).map(|n| format!("documents/en/page/{n:06}.json")).collect();
    let bytes: Vec<_> = (0..count).map(|n| format!("{{\"n\":{n}}}").into_bytes()).collect();
    let items: Vec<Item<'_>> =
        paths.iter().zip(&bytes).map(|(path, bytes)| (&**path, ItemKind::Document, &**bytes)).collect();
    let manifest = vault.snapshot("blog", &items).await;
    let counting = Arc::new(CountingStore::new(Arc::clone(&vault.backup.stores[0].1)));
    vault.backup.stores[0].1 = Arc::<CountingStore>::clone(&counting) as Arc<dyn ObjectStore>;
    let open = vault.reopen().await;
    let snapshots = Snapshots::load(&open, None).await.unwrap();
    let snapshot = prismvault::restore::OpenSnapshot::open(&open, &snapshots, &manifest).await.unwrap();
    counting.take_counts();
    cat(&snapshot, &paths[1500]).await.unwrap();
    // One catalog pack with its header, one pack of content with its header.
    assert!(counting.counts().calls() <= 4, "{:?}", counting.counts());
}

#[tokio::test]
async fn cat_of_a_damaged_item_is_an_integrity_error() {
    let vault = TestVault::new(2, true).await;
    vault.snapshot("blog", &[HOME]).await;
    let packs = vault.keys("packs/blog").await;
    let manifest = vault.snapshot("blog", &[HOME, POST]).await;
    for key in &packs {
        vault.damage(key);
    }
    assert_eq!(get(&vault, &manifest, "B").await.unwrap(), POST.2);
    let error = get(&vault, &manifest, "A").await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Vault(VaultErrorKind::Integrity));
}

#[tokio::test]
async fn ids_types_and_languages_are_found_without_reading_content() {
    let vault = TestVault::new(1, true).await;
    vault.snapshot("blog", &[HOME, POST, METADATA, ORIGINAL]).await;
    let operator = async || vault.reopen_with(vec![vault.backup.operator.clone()]).await;
    for (term, at, expected) in [
        ("A", "id", &[HOME.0][..]),
        ("post", "type", &[POST.0]),
        ("en-us", "language", &[HOME.0]),
        ("X", "id", &[METADATA.0, ORIGINAL.0]),
        (ORIGINAL.0, "path", &[ORIGINAL.0]),
    ] {
        let report = search(operator().await, &vault, term, Scope::Newest).await.unwrap();
        assert_eq!(paths(&report), expected, "{term}");
        assert_eq!(report.hits[0].matches[0].at, at);
        assert!(!report.text);
    }
    let error = search(operator().await, &vault, "home", Scope::Newest).await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Vault(VaultErrorKind::Identity));
    let error = search(operator().await, &vault, "  ", Scope::Newest).await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Ambiguous);
}

#[tokio::test]
async fn texts_are_found_in_any_case_with_their_place() {
    let vault = TestVault::new(1, true).await;
    vault.snapshot("blog", &[HOME, POST, METADATA, ORIGINAL]).await;
    for (term, expected, at, excerpt) in [
        ("home", HOME.0, "/uid", "home"),
        ("FRÜHLING", HOME.0, "/tags/0", "Frühling"),
        ("göttingen", HOME.0, "/data/title/0/text", "Willkommen in GÖTTINGEN"),
        ("plan der", METADATA.0, "/filename", "Plan der Stadt.pdf"),
    ] {
        let report = search(vault.reopen().await, &vault, term, Scope::Newest).await.unwrap();
        assert_eq!(paths(&report), [expected], "{term}: bytes of assets are not searched");
        let found = &report.hits[0].matches[0];
        assert_eq!((found.at.as_str(), found.excerpt.as_deref()), (at, Some(excerpt)));
        assert!(report.text && report.problems.is_empty());
    }
    let report = search(vault.reopen().await, &vault, "nowhere at all", Scope::Newest).await.unwrap();
    assert!(report.hits.is_empty());
}

#[tokio::test]
async fn a_search_of_all_snapshots_reads_each_item_once_and_says_where_it_is() {
    let vault = TestVault::new(1, true).await;
    let edited: Item<'_> =
        (HOME.0, ItemKind::Document, r#"{"id":"A","data":{"t":"wieder Frühling"}}"#.as_bytes());
    let first = vault.snapshot("blog", &[HOME, POST]).await;
    let second = vault.snapshot("blog", &[edited, POST]).await;
    let third = vault.snapshot("blog", &[edited]).await;
    let other = vault.snapshot("shop", &[HOME]).await;
    let report = search(vault.reopen().await, &vault, "frühling", Scope::All).await.unwrap();
    let hits: Vec<_> = report
        .hits
        .iter()
        .map(|hit| (hit.repository.as_str(), hit.size as usize, hit.snapshots.clone()))
        .collect();
    assert_eq!(hits.len(), 3);
    for expected in [
        ("blog", HOME.2.len(), vec![first.snapshot.clone()]),
        ("blog", edited.2.len(), vec![second.snapshot.clone(), third.snapshot.clone()]),
        ("shop", HOME.2.len(), vec![other.snapshot.clone()]),
    ] {
        assert!(hits.contains(&expected), "{expected:?} in {hits:?}");
    }
    assert_eq!(report.searched.len(), 4);
    let report = search(vault.reopen().await, &vault, "frühling", Scope::Newest).await.unwrap();
    assert_eq!((report.hits.len(), report.searched.len()), (2, 2));
    let one = Scope::One(first.snapshot.to_string());
    let report = search(vault.reopen().await, &vault, "texte", one).await.unwrap();
    assert_eq!(paths(&report), [POST.0]);
    let nowhere = Scope::One("20010101".to_owned());
    let error = search(vault.reopen().await, &vault, "texte", nowhere).await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Vault(VaultErrorKind::NotFound));
}

#[tokio::test]
async fn a_search_names_what_it_could_not_read() {
    let vault = TestVault::new(1, true).await;
    vault.snapshot("blog", &[HOME]).await;
    let packs = vault.keys("packs/blog").await;
    vault.snapshot("blog", &[HOME, POST]).await;
    for key in &packs {
        vault.damage(key);
    }
    let report = search(vault.reopen().await, &vault, "texte", Scope::Newest).await.unwrap();
    assert_eq!(paths(&report), [POST.0]);
    assert_eq!(report.problems.iter().map(|problem| &*problem.subject).collect::<Vec<_>>(), [HOME.0]);
}

async fn archive(
    vault: &TestVault,
    manifest: &Manifest,
    file: &Path,
    overwrite: bool,
) -> Result<ExportReport, RestoreError> {
    let options = ExportOptions { overwrite, progress: &Silent, cancel: CancellationToken::new() };
    with_snapshot!(vault.reopen().await, manifest, |snapshot| export(&snapshot, file, options).await)
}

/// Unpacks an archive: its one directory, and the files in it.
fn unpack(file: &Path) -> (String, BTreeMap<String, Vec<u8>>) {
    let bytes = fs::read(file).unwrap();
    let plain = match file.extension().unwrap() == "tar" {
        true => bytes,
        false => zstd::decode_all(&bytes[..]).unwrap(),
    };
    let mut directory = None;
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(&plain[..]).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let (top, rest) = path.split_once('/').unwrap();
        assert_eq!(directory.get_or_insert_with(|| top.to_owned()), top);
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        assert!(files.insert(rest.to_owned(), bytes).is_none(), "{rest} is there once");
    }
    (directory.unwrap(), files)
}

fn is_alone(file: &Path) -> bool {
    fs::read_dir(file.parent().unwrap()).unwrap().count() == 1
}

#[tokio::test]
async fn an_export_is_one_archive_with_everything_needed_to_read_and_check_it() {
    let vault = TestVault::new(2, true).await;
    let long = "n".repeat(300);
    let metadata = serde_json::json!({ "filename": format!("{long}.bin") }).to_string();
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let items: &[Item<'_>] = &[
        HOME,
        POST,
        METADATA,
        ORIGINAL,
        ("assets/L/metadata.json", ItemKind::AssetMetadata, metadata.as_bytes()),
        ("assets/L/original", ItemKind::Asset, &large),
    ];
    let manifest = vault.snapshot("blog", items).await;
    let place = tempfile::tempdir().unwrap();
    for name in ["a.tar.zst", "b.TZST", "c.tar"] {
        let file = place.path().join(name.split('.').next().unwrap()).join(name);
        fs::create_dir(file.parent().unwrap()).unwrap();
        let report = archive(&vault, &manifest, &file, false).await.unwrap();
        assert!(is_alone(&file), "no unfinished file is left");
        assert_eq!(report.archive_bytes, fs::metadata(&file).unwrap().len());
        assert_eq!((report.files, report.problems.len()), (6, 0));
        let (directory, files) = unpack(&file);
        assert_eq!(directory, format!("blog-{}", manifest.snapshot));
        assert_eq!(files[HOME.0], HOME.2);
        assert_eq!(files["assets/X/Plan der Stadt.pdf"], ORIGINAL.2);
        assert!(files[&format!("assets/L/{}.bin", "n".repeat(251))] == large);
        let readme = String::from_utf8(files["README.md"].clone()).unwrap();
        for part in ["**This archive is not encrypted.**", "sha256sum", "drafts", "minisign -Vm", "complete"]
        {
            assert!(readme.contains(part), "{part}");
        }
        let stored: Manifest = serde_json::from_slice(&files["manifest.json"]).unwrap();
        assert_eq!(stored, manifest);
        let sums = String::from_utf8(files["SHA256SUMS"].clone()).unwrap();
        let sums: BTreeMap<&str, &str> =
            sums.lines().map(|line| line.split_once("  ").unwrap()).map(|(sum, file)| (file, sum)).collect();
        assert_eq!(sums.len() + 1, files.len());
        for (file, bytes) in files.iter().filter(|(file, _)| *file != "SHA256SUMS") {
            assert_eq!(sums[file.as_str()], prismvault::ids::Digest::of(bytes).to_string(), "{file}");
        }
        let signature = String::from_utf8(files["manifest.json.minisig"].clone()).unwrap();
        let open = vault.reopen().await;
        let signer = &open.trust.signers[0].key;
        assert!(signer.verifies(&files["manifest.json"], &signature));
        assert!(readme.contains(&signer.to_string()));
    }
}

#[tokio::test]
async fn an_export_replaces_nothing_unless_it_is_told_to() {
    let vault = TestVault::new(1, true).await;
    let manifest = vault.snapshot("blog", &[HOME]).await;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("a.tar.zst");
    archive(&vault, &manifest, &file, false).await.unwrap();
    let first = fs::read(&file).unwrap();
    let later = vault.snapshot("blog", &[HOME, POST]).await;
    let error = archive(&vault, &later, &file, false).await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Refused);
    assert_eq!(fs::read(&file).unwrap(), first);
    archive(&vault, &later, &file, true).await.unwrap();
    assert!(unpack(&file).1.contains_key(POST.0));
    assert!(is_alone(&file));
    for (name, kind) in [
        ("a.zip", RestoreErrorKind::Ambiguous),
        ("tar.zst", RestoreErrorKind::Ambiguous),
        ("missing/a.tar", RestoreErrorKind::Local),
    ] {
        let error = archive(&vault, &later, &place.path().join(name), true).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{name}");
    }
    fs::create_dir(place.path().join("d.tar")).unwrap();
    let error = archive(&vault, &later, &place.path().join("d.tar"), true).await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Refused);
}

#[tokio::test]
async fn an_export_removes_what_a_killed_one_left_and_nothing_else() {
    let vault = TestVault::new(1, true).await;
    let manifest = vault.snapshot("blog", &[HOME]).await;
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str| place.path().join(name);
    for name in ["a.tar.x1Y2z3.partial", "a.tar.mine.partial", "b.tar.x1Y2z3.partial"] {
        fs::File::create(file(name)).unwrap();
    }
    let running = fs::File::create(file("a.tar.AAAAAA.partial")).unwrap();
    running.lock().unwrap();
    archive(&vault, &manifest, &file("a.tar"), false).await.unwrap();
    let mut left: Vec<PathBuf> =
        fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    left.sort();
    let expected = ["a.tar", "a.tar.AAAAAA.partial", "a.tar.mine.partial", "b.tar.x1Y2z3.partial"].map(file);
    assert_eq!(left, expected);
}

#[tokio::test]
async fn an_export_of_a_damaged_snapshot_holds_the_rest_and_names_what_is_missing() {
    let vault = TestVault::new(2, true).await;
    vault.snapshot("blog", &[HOME]).await;
    let packs = vault.keys("packs/blog").await;
    let manifest = vault.snapshot("blog", &[HOME, POST]).await;
    for key in &packs {
        vault.lose(key).await;
    }
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("a.tar");
    let report = archive(&vault, &manifest, &file, false).await.unwrap();
    assert_eq!(report.problems.len(), 1);
    let (_, files) = unpack(&file);
    assert!(files.contains_key(POST.0) && !files.contains_key(HOME.0));
    assert!(String::from_utf8(files["MISSING.txt"].clone()).unwrap().contains(HOME.0));
}

#[tokio::test]
async fn an_export_that_is_cancelled_leaves_no_file() {
    let vault = TestVault::new(1, false).await;
    let manifest = vault.snapshot("blog", &[HOME]).await;
    let place = tempfile::tempdir().unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let options = ExportOptions { overwrite: false, progress: &Silent, cancel };
    let file = place.path().join("a.tar");
    let result = with_snapshot!(vault.reopen_with(Vec::new()).await, &manifest, |snapshot| export(
        &snapshot, &file, options
    )
    .await);
    assert_eq!(result.unwrap_err().kind(), RestoreErrorKind::Cancelled);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn an_export_is_readable_for_its_owner_only_and_tar_unpacks_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let vault = TestVault::new(1, true).await;
    let manifest = vault.snapshot("blog", &[HOME, METADATA, ORIGINAL]).await;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("a.tar");
    archive(&vault, &manifest, &file, false).await.unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let tar = Command::new("tar").arg("xf").arg(&file).current_dir(place.path()).status().unwrap();
    assert!(tar.success());
    let directory = place.path().join(format!("blog-{}", manifest.snapshot));
    assert_eq!(fs::read(directory.join("assets/X/Plan der Stadt.pdf")).unwrap(), ORIGINAL.2);
}
