//! The program when the machine is against it: a disk that fills up, Ctrl-C, deleted caches.
#![cfg(unix)]

use std::process::{Child, Command};

use prismvault::contentapi::AccessMode;
use prismvault::sandbox::synthetic::SyntheticOptions;

use crate::backups::{Source, first_try, small, struck_at, words};
use crate::restore::tree;
use crate::workplace::{Run, Workplace};

/// Blocks of a disk on which no asset fits.
const SMALL_DISK: usize = 100;

/// Content whose assets are larger than the small disk, whatever its shell calls a block.
fn with_large_assets() -> Source {
    let content =
        SyntheticOptions { documents: 60, assets: 6, asset_bytes: 200_000, ..SyntheticOptions::default() };
    Source::new(&content, AccessMode::Open)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_whole_files_and_the_same_restore_goes_on_from_there() {
    let (source, place) = (with_large_assets(), Workplace::new());
    place.expect(0, &words(&first_try(&source)));
    place.expect(0, &["restore", "files", "latest", "--to", "whole"]);
    let whole = tree(&place.file("whole"));
    assert!(whole.values().any(|bytes| bytes.len() > 150_000), "an asset does not fit");
    let restore = ["restore", "files", "latest", "--to", "out", "--overwrite", "if-changed"];
    let run = Run::from(place.command_on_small_disk(SMALL_DISK, &restore).output().unwrap());
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("hint: ") && run.stderr.contains("--overwrite if-changed"), "{run:?}");
    let left = tree(&place.file("out"));
    assert!(left.len() < whole.len());
    for (file, bytes) in &left {
        assert_eq!(whole.get(file), Some(bytes), "{file}");
    }
    place.expect(0, &restore);
    assert_eq!(tree(&place.file("out")), whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_no_archive_and_an_older_one_as_it_was() {
    let (source, place) = (with_large_assets(), Workplace::new());
    place.expect(0, &words(&first_try(&source)));
    let names = || {
        let entries = std::fs::read_dir(place.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    for archive in ["out.tar", "out.tar.zst"] {
        let export = ["export", "latest", "--to", archive];
        let run = Run::from(place.command_on_small_disk(SMALL_DISK, &export).output().unwrap());
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains(archive), "{run:?}");
        assert_eq!(names(), before);
    }
    place.expect(0, &["export", "latest", "--to", "out.tar"]);
    let older = std::fs::read(place.file("out.tar")).unwrap();
    let export = ["export", "latest", "--to", "out.tar", "--overwrite"];
    let run = Run::from(place.command_on_small_disk(SMALL_DISK, &export).output().unwrap());
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(std::fs::read(place.file("out.tar")).unwrap(), older);
    assert_eq!(names().len(), before.len() + 1);
}

/// Presses Ctrl-C.
pub(crate) fn interrupt(child: &mut Child) {
    let sent = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
    assert!(sent.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_snapshot_ends_with_130_and_the_next_is_complete() {
    let (source, place) = (small(), Workplace::new());
    place.expect(0, &words(&first_try(&source)));
    let mut interrupted = 0;
    for number in [1, 2, 3, 4] {
        source.repository.edit(0.2, number).unwrap();
        let ended = Run::from(struck_at(&place, &["snapshot"], &source, number, interrupt));
        interrupted += u64::from(ended.code == 130);
        // The last request may be answered before the signal is seen.
        assert!([0, 130].contains(&ended.code), "request {number}: {ended:?}");
        if ended.code == 130 {
            assert!(ended.stderr.contains("stopping cleanly"), "{ended:?}");
            assert!(ended.stderr.contains("hint: what was stored is good"), "{ended:?}");
        }
        let before = place.expect(0, &["list", "--json"]).json()["snapshots"].as_array().unwrap().len();
        let next = place.expect(0, &["snapshot", "--json"]).json();
        assert_eq!(next["manifest"]["status"], "complete");
        let after = place.expect(0, &["list", "--json"]).json()["snapshots"].as_array().unwrap().len();
        assert_eq!(after, before + 1);
        place.expect(0, &["verify", "--full"]);
    }
    assert!(interrupted >= 3, "{interrupted} interrupted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_first_run_is_gone_on_with_by_the_same_command() {
    let (source, place) = (small(), Workplace::new());
    let line = first_try(&source);
    let ended = Run::from(struck_at(&place, &words(&line), &source, 1, interrupt));
    assert_eq!(ended.code, 130, "{ended:?}");
    place.expect(0, &words(&line));
    place.expect(0, &["verify", "--full"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_caches_or_the_whole_home_loses_nothing() {
    let (source, place) = (small(), Workplace::new());
    place.expect(0, &words(&first_try(&source)));
    place.expect(0, &["restore", "files", "latest", "--to", "first"]);
    let first = tree(&place.file("first"));
    let cache = place.home().join(".cache/prismvault");
    assert!(cache.exists() && place.home().join(".local/state/prismvault").exists());
    for (number, gone) in [(2, cache), (3, place.home())] {
        std::fs::remove_dir_all(&gone).unwrap();
        // Readers first: they must not need what only a writer brings back.
        let listed = place.expect(0, &["list", "--json"]).json();
        let snapshots = listed["snapshots"].as_array().unwrap();
        assert_eq!(snapshots.len(), number - 1);
        let out = format!("out-{number}");
        let id = snapshots.iter().map(|one| one["id"].as_str().unwrap()).min().unwrap();
        place.expect(0, &["restore", "files", id, "--to", &out]);
        assert_eq!(tree(&place.file(&out)), first);
        std::fs::remove_dir_all(&gone).unwrap();
        let taken = place.expect(0, &["snapshot", "--json"]).json();
        assert_eq!(
            (&taken["manifest"]["status"], &taken["lost"]),
            (&"complete".into(), &serde_json::json!([]))
        );
        assert_eq!(taken["manifest"]["added"]["items"], 0, "nothing is stored twice: {taken}");
        place.expect(0, &["verify", "--full"]);
    }
}
