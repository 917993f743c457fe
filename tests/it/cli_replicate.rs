//! `replicate`, the budget of `verify`, and reading around damage, as operators meet them: what
//! they print, and the exit codes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::backups::{Source, configuration, small};
use crate::restore::tree;
use crate::workplace::Workplace;

const CONFIG: &str = "prismvault.toml";

/// A vault with two snapshots on the directory `one`, and an empty replica `two` that just joined.
struct Vault {
    _source: Source,
    place: Workplace,
}

impl Vault {
    fn with_new_replica() -> Self {
        let (source, place) = (small(), Workplace::new());
        let (one, two) = (place.file("one"), place.file("two"));
        place.write(CONFIG, &configuration(&source, &[("one", &one)]));
        let made = place.expect(0, &["init", "--json"]).json();
        let pin = made["pin"].as_str().unwrap();
        place.expect(0, &["snapshot"]);
        source.repository.edit(0.1, 1).unwrap();
        place.expect(0, &["snapshot"]);
        place.write(CONFIG, &(configuration(&source, &[("one", &one), ("two", &two)]) + pin));
        let added = place.expect(0, &["init"]);
        assert!(added.stdout.contains("prismvault replicate"), "{added:?}");
        Self { _source: source, place }
    }

    fn replicated() -> Self {
        let vault = Self::with_new_replica();
        vault.place.expect(0, &["replicate"]);
        vault
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = tree(directory).into_keys().map(|name| directory.join(name)).collect();
    files.sort();
    files
}

fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(file).unwrap();
    std::io::Write::write_all(&mut fs::File::create(file).unwrap(), &bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_replica_is_forecast_brought_up_to_date_and_stands_in_for_the_other() {
    let vault = Vault::with_new_replica();
    let place = &vault.place;
    let before = tree(&place.file("two"));
    let planned = place.expect(0, &["replicate", "--dry-run"]);
    for word in ["would copy", "PUT", "GET", "HEAD", "LIST", "Nothing was changed"] {
        assert!(planned.stdout.contains(word), "{word}: {planned:?}");
    }
    let json = place.expect(0, &["replicate", "--dry-run", "--json"]).json();
    assert!(json["forecast"]["two"]["put"].as_u64().unwrap() > 5, "{json}");
    assert_eq!(tree(&place.file("two")), before);

    let done = place.expect(0, &["replicate"]);
    assert!(done.stderr.contains("two: ") && done.stderr.contains("to write"), "said before: {done:?}");
    assert!(done.stdout.contains("holds 2 more snapshots"), "{done:?}");
    let again = place.expect(0, &["replicate"]);
    assert!(again.stdout.contains("Every replica holds what it is to hold"), "{again:?}");
    place.expect(0, &["verify", "--full"]);
    fs::remove_dir_all(place.file("one")).unwrap();
    place.expect(0, &["restore", "files", "latest", "--to", "out"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_no_replica_are_usage_and_replicas_that_are_away_are_partial() {
    let vault = Vault::replicated();
    let place = &vault.place;
    for arguments in [
        &["replicate", "--to", "thre"][..],
        &["replicate", "--from", "thre"],
        &["replicate", "--from", "one", "--to", "one"],
        &["replicate", "shop"],
        &["verify", "--replica", "thre"],
        &["verify", "--sample", "0%"],
        &["verify", "--sample", "5"],
        &["verify", "--max-duration", "soon"],
    ] {
        let wrong = place.expect(2, arguments);
        assert!(!wrong.stderr.is_empty(), "{arguments:?}");
    }
    let known = place.expect(2, &["replicate", "--to", "thre"]);
    assert!(known.stderr.contains("one, two"), "{known:?}");
    fs::rename(place.file("two"), place.file("gone")).unwrap();
    let away = place.expect(3, &["replicate"]);
    assert!(away.stdout.contains("not brought up to date") && away.stdout.contains("two"), "{away:?}");
    fs::create_dir(place.file("two")).unwrap();
    let empty = place.expect(3, &["replicate"]);
    assert!(empty.stdout.contains("two"), "{empty:?}");
    assert_eq!(files(&place.file("two")), Vec::<PathBuf>::new(), "an empty place is no replica of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_a_good_copy_of_is_a_loss_and_the_rest_is_copied() {
    let vault = Vault::with_new_replica();
    let place = &vault.place;
    let headers = files(&place.file("one/keys"));
    damage(&headers[0]);
    let lost = place.expect(4, &["replicate"]);
    // Packs are named by chance: it may be that of the catalog.
    let named = lost.stdout.contains("LOST ") || lost.stdout.contains("its catalog cannot be read");
    assert!(named && lost.stdout.contains("is damaged"), "{lost:?}");
    assert!(!files(&place.file("two/packs")).is_empty(), "what is good was copied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_reads_around_every_kind_of_damage_tells_so_and_ends_well() {
    let vault = Vault::replicated();
    let place = &vault.place;
    place.expect(0, &["restore", "files", "latest", "--to", "whole"]);
    let whole = tree(&place.file("whole"));
    for kind in ["packs", "keys", "index", "snapshots"] {
        let good = tree(&place.file("one"));
        for file in files(&place.file("one").join(kind)) {
            if !file.to_string_lossy().ends_with(".minisig") {
                damage(&file);
            }
        }
        // Caches could answer in place of what is damaged.
        let options = ["--no-cache", "restore", "files", "latest", "--to", "out"];
        let run = place.expect(0, &options);
        assert_eq!(tree(&place.file("out")), whole, "{kind}");
        let told =
            run.stderr.lines().find(|line| line.contains(&format!("{kind}/")) && line.contains("/one"));
        let told = told.unwrap_or_else(|| panic!("{kind}: replica and object: {run:?}"));
        assert!(told.contains("prismvault repair"), "{kind}: what mends it: {told}");
        let path = whole.keys().find(|path| path.starts_with("documents/")).unwrap();
        let cat = place.expect(0, &["--no-cache", "cat", "latest", path]);
        assert_eq!(cat.stdout.trim_end().as_bytes(), whole[path].trim_ascii_end(), "{kind}");
        place.expect(0, &["--no-cache", "export", "latest", "--to", "out.tar", "--overwrite"]);
        fs::remove_dir_all(place.file("out")).unwrap();
        place.expect(4, &["--no-cache", "verify", "--level", "bytes"]);
        place.expect(0, &["--no-cache", "repair"]);
        let mended = tree(&place.file("one"));
        let differ = |(name, bytes): &(&String, &Vec<u8>)| {
            !name.starts_with("state/") && mended.get(*name) != Some(*bytes)
        };
        assert_eq!(good.iter().find(differ), None, "{kind}: repaired");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn list_and_show_say_when_a_snapshot_was_last_verified_whole() {
    let vault = Vault::replicated();
    let place = &vault.place;
    let list = place.expect(0, &["list"]);
    assert!(list.stdout.contains("never"), "{list:?}");
    let sampled = place.expect(0, &["verify", "--sample", "5%", "--level", "bytes"]);
    assert!(sampled.stdout.contains("left for later runs"), "{sampled:?}");
    assert!(place.expect(0, &["show", "latest"]).stdout.contains("never verified whole"));
    place.expect(0, &["verify", "--level", "bytes", "--replica", "one"]);
    let json = place.expect(0, &["list", "--json"]).json();
    let verified = &json["snapshots"][0]["verified"];
    assert!(verified[0]["bytes"].is_string() && verified[1]["bytes"].is_null(), "{json}");
    place.expect(0, &["verify", "--full"]);
    let show = place.expect(0, &["show", "latest"]);
    assert!(show.stdout.contains("all content since "), "{show:?}");
    let list = place.expect(0, &["list"]);
    assert!(!list.stdout.contains("never"), "{list:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_replicate_and_verify_by_budget() {
    let vault = Vault::with_new_replica();
    let place = &vault.place;
    fs::create_dir(place.file("schedules")).unwrap();
    for name in ["nightly-replicate.toml", "nightly-verify.toml"] {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules").join(name);
        fs::copy(example, place.file("schedules").join(name)).unwrap();
    }
    let run = place.expect(0, &["jobs", "run", "nightly-replicate"]);
    assert!(run.stdout.contains("holds 2 more snapshots"), "{run:?}");
    let run = place.expect(0, &["jobs", "run", "nightly-verify"]);
    assert!(run.stdout.contains("left for later runs"), "{run:?}");
}
