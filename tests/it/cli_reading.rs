//! `restore files`, `export`, `cat` and `find` as scripts and people meet them.

use std::fs;
use std::path::Path;

use prismvault::sandbox::Faults;
use serde_json::Value;

use crate::backups::Source;
use crate::restore::tree;
use crate::workplace::{Run, Workplace};

/// A directory with a vault, its keys, and one snapshot of a sandbox repository.
struct Place {
    workplace: Workplace,
    snapshot: String,
}

impl Place {
    fn new() -> Self {
        Self::with_faults(|_| Faults::default(), 0)
    }

    /// Takes the snapshot under faults; it ends with this exit code.
    fn with_faults(faults: impl Fn(&Source) -> Faults, code: i32) -> Self {
        // Serves the source for as long as it is read.
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let serving = runtime.enter();
        let source = Source::synthetic(30, 5);
        source.control().set_faults(faults(&source));
        let workplace = Workplace::new();
        let api = source.target.endpoints.content_api.to_string();
        let run = workplace.run(&[
            "snapshot",
            "--repository",
            "acme-blog",
            "--to",
            "./vault",
            "--content-api",
            &api,
            "--json",
        ]);
        assert_eq!(run.code, code, "{run:?}");
        let last: Value = serde_json::from_str(run.stdout.lines().last().unwrap())
            .or_else(|_| serde_json::from_str(&run.stdout))
            .unwrap();
        drop((serving, source));
        let snapshot = last["snapshot"].as_str().unwrap().to_owned();
        Self { workplace, snapshot }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.workplace.run(arguments)
    }

    /// Takes the recovery identity away, as on a backup host.
    fn take_recovery_away(&self) {
        fs::rename(self.path("keys/recovery.txt"), self.path("elsewhere.txt")).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.workplace.path().join(name)
    }
}

#[test]
fn files_are_restored_again_and_again_with_the_exit_code_that_says_how() {
    let place = Place::new();
    let plan = place.run(&["restore", "files", "latest", "--to", "out", "--dry-run", "--json"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let plan = plan.json();
    assert!(!place.path("out").exists(), "a dry run writes nothing");
    assert_eq!((&plan["schema"], &plan["snapshot"]), (&1.into(), &place.snapshot.as_str().into()));
    let planned: Vec<_> =
        plan["files"].as_array().unwrap().iter().map(|file| file["file"].as_str().unwrap()).collect();

    let run = place.run(&["restore", "files", "latest", "--to", "out", "--json"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let report = run.json();
    assert_eq!((&report["exit_code"], &report["status"]), (&0.into(), &"complete".into()));
    let files = tree(&place.path("out"));
    assert_eq!(report["created"].as_u64(), Some(files.len() as u64));
    let mut planned = planned;
    planned.sort_unstable();
    assert_eq!(files.keys().collect::<Vec<_>>(), planned);
    assert!(files.keys().any(|file| file.starts_with("documents/")));
    assert!(files.contains_key("repository/api.json"));

    let run = place.run(&["restore", "files", "latest", "--to", "out"]);
    assert_eq!((run.code, run.stdout.as_str()), (5, ""));
    assert!(
        run.stderr.contains("out is not empty") && run.stderr.contains("--overwrite if-changed"),
        "{run:?}"
    );

    let run = place.run(&["restore", "files", &place.snapshot, "--to", "out", "--overwrite", "if-changed"]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.starts_with(&format!("Restored {}", place.snapshot)), "{run:?}");
    assert!(run.stdout.contains(&format!("0 replaced, {} as they were", files.len())), "{run:?}");
    assert_eq!(tree(&place.path("out")), files);
}

#[test]
fn a_part_is_restored_and_a_filter_without_match_is_exit_code_2() {
    let place = Place::new();
    let run = place.run(&["restore", "files", "latest", "--to", "out", "--path", "repository", "--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(tree(&place.path("out")).keys().all(|file| file.starts_with("repository/")));
    for (option, value) in [("--type", "nope"), ("--lang", "xx"), ("--id", "nope"), ("--path", "nope")] {
        let run = place.run(&["restore", "files", "latest", "--to", "other", option, value]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{option}");
        assert!(run.stderr.contains(value) && run.stderr.contains("hint: "), "{run:?}");
    }
    assert!(!place.path("other").exists());
    let run = place.run(&["restore", "files", "20010101", "--to", "other"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("prismvault list"), "{run:?}");
}

#[test]
fn content_needs_the_recovery_identity_which_can_be_brought_along() {
    let place = Place::new();
    place.take_recovery_away();
    for arguments in [
        &["restore", "files", "latest", "--to", "out"][..],
        &["restore", "files", "latest", "--to", "out", "--dry-run"],
        &["export", "latest", "--to", "out.tar"],
        &["cat", "latest", "repository/api.json"],
        &["find", "surely no part of a path"],
    ] {
        let run = place.run(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(run.stderr.contains("needs the recovery identity"), "{run:?}");
    }
    assert!(!place.path("out").exists() && !place.path("out.tar").exists());
    let run = place.run(&["cat", "latest", "repository/api.json", "--identity", "elsewhere.txt"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    assert!(run.json()["refs"].is_array());
    // Paths are in catalogs, which the operator identity reads.
    let run = place.run(&["find", "en-us", "--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!run.json()["hits"].as_array().unwrap().is_empty());
}

#[test]
fn one_item_is_printed_as_it_is_stored_and_found_again() {
    let place = Place::new();
    place.run(&["restore", "files", "latest", "--to", "out"]);
    let files = tree(&place.path("out"));
    let (path, bytes) = files.iter().find(|(path, _)| path.starts_with("documents/")).unwrap();
    let run = place.run(&["cat", "latest", path]);
    assert_eq!((run.code, run.stdout.as_bytes()), (0, &bytes[..]));
    let id = Path::new(path).file_stem().unwrap().to_str().unwrap();
    assert_eq!(place.run(&["cat", "latest", id]).stdout.as_bytes(), &bytes[..]);
    let json = place.run(&["cat", "acme-blog@latest", path, "--json"]).json();
    let meaning: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!((&json["path"], &json["content"]), (&path.as_str().into(), &meaning));
    let run = place.run(&["cat", "latest", "documents/nothing"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("hint: below documents there is: "), "{run:?}");

    let run = place.run(&["find", id]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.contains(path.as_str()), "{run:?}");
    assert!(run.stderr.contains("--text"), "{run:?}");
    let uid = meaning["uid"].as_str().unwrap_or(id);
    let json = place.run(&["find", uid, "--text", "--all", "--json"]).json();
    assert!(json["hits"].as_array().unwrap().iter().any(|hit| hit["path"] == path.as_str()), "{json}");
    let run = place.run(&["find", "no document says this"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "Found nothing in 1 snapshot.\n"), "{run:?}");
}

#[test]
fn an_asset_is_printed_as_bytes_and_in_json_as_base64() {
    let place = Place::new();
    place.run(&["restore", "files", "latest", "--to", "out"]);
    let files = tree(&place.path("out"));
    let metadata =
        files.keys().find(|path| path.ends_with("/metadata.json")).expect("documents refer to assets");
    let directory = metadata.strip_suffix("/metadata.json").unwrap();
    let (file, bytes) =
        files.iter().find(|(path, _)| path.starts_with(directory) && *path != metadata).unwrap();
    assert!(!file.ends_with("/original"), "it has its own name: {file}");
    let original = format!("{directory}/original");
    let output = place.workplace.command(&["cat", "latest", &original]).output().unwrap();
    assert!(output.status.success() && output.stdout == *bytes);
    let json = place.run(&["cat", "latest", &original, "--json"]).json();
    assert_eq!(json["size"].as_u64(), Some(bytes.len() as u64));
    assert!(json["base64"].is_string() && json.get("content").is_none());
}

#[test]
fn an_export_is_announced_as_not_encrypted() {
    let place = Place::new();
    let run = place.run(&["export", "latest", "--to", "out.tar.zst", "--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("out.tar.zst is not encrypted"), "{run:?}");
    assert_eq!(
        run.json()["archive_bytes"].as_u64(),
        Some(fs::metadata(place.path("out.tar.zst")).unwrap().len())
    );
    let run = place.run(&["export", "latest", "--to", "out.tar.zst"]);
    assert_eq!((run.code, run.stdout.as_str()), (5, ""));
    assert_eq!(place.run(&["export", "latest", "--to", "out.tar.zst", "--overwrite"]).code, 0);
    assert_eq!(place.run(&["export", "latest", "--to", "out.zip"]).code, 2);
}

#[test]
fn damage_is_exit_code_4_and_the_rest_is_restored() {
    let place = Place::new();
    place.run(&["restore", "files", "latest", "--to", "whole"]);
    let whole = tree(&place.path("whole"));
    // The largest pack holds the bytes of assets or the documents, never the catalog.
    let vault = tree(&place.path("vault"));
    let (pack, bytes) = vault
        .iter()
        .filter(|(path, _)| path.starts_with("packs/"))
        .max_by_key(|(_, bytes)| bytes.len())
        .unwrap();
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let pack = place.path("vault").join(pack);
    fs::remove_file(&pack).unwrap();
    std::io::Write::write_all(&mut fs::File::create(&pack).unwrap(), &damaged).unwrap();
    let run = place.run(&["restore", "files", "latest", "--to", "rest", "--json"]);
    assert_eq!(run.code, 4, "{run:?}");
    let report = run.json();
    let lost = report["problems"].as_array().unwrap().len();
    let rest = tree(&place.path("rest"));
    assert!(lost > 0 && rest.len() + lost == whole.len(), "{lost} lost, {} there", rest.len());
    assert_eq!(report["exit_code"], 4);
    for (file, bytes) in &rest {
        // An asset whose metadata was lost has the name of the catalog.
        assert!(whole.get(file).is_none_or(|whole| whole == bytes), "{file}");
    }
    let run = place.run(&["export", "latest", "--to", "rest.tar"]);
    assert_eq!(run.code, 4);
    assert!(run.stdout.contains("NOT READ "), "{run:?}");
}

#[test]
fn a_partial_snapshot_is_restored_whole_with_exit_code_3_and_in_part_with_a_warning() {
    let missing = |source: &Source| {
        let library = source.repository.library();
        Faults {
            missing_files: library.assets().iter().map(|asset| asset.id.to_string()).collect(),
            ..Faults::default()
        }
    };
    let place = Place::with_faults(missing, 3);
    for (arguments, code) in [
        (&["restore", "files", &place.snapshot, "--to", "whole"][..], 3),
        (&["restore", "files", &place.snapshot, "--to", "part", "--path", "repository"], 0),
        (&["export", &place.snapshot, "--to", "whole.tar"], 3),
    ] {
        let run = place.run(arguments);
        assert_eq!(run.code, code, "{run:?}");
        assert!(run.stderr.contains("is partial"), "{run:?}");
    }
    let run = place.run(&["restore", "files", "latest", "--to", "other"]);
    assert_eq!(run.code, 2, "latest is the newest complete one: {run:?}");
    assert!(run.stderr.contains(&place.snapshot), "{run:?}");
}
