//! `prismvault keys` as operators meet it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use prismvault::vault::envelope::Identity;
use serde_json::Value;

use crate::backups::{Source, configuration, small};
use crate::restore::{objects, tree};
use crate::workplace::Workplace;

const CONFIG: &str = "prismvault.toml";

/// A vault on two directories with a snapshot.
fn backups() -> (Source, Workplace) {
    let (source, place) = (small(), Workplace::new());
    let config = configuration(&source, &[("one", &place.file("one")), ("two", &place.file("two"))]);
    place.write(CONFIG, &config);
    place.expect(0, &["init"]);
    place.expect(0, &["snapshot"]);
    (source, place)
}

fn keys(place: &Workplace) -> Vec<Value> {
    place.expect(0, &["keys", "list", "--json"]).json()["keys"].as_array().unwrap().clone()
}

fn key_of(place: &Workplace, kind: &str) -> String {
    let keys = keys(place);
    let found = keys.iter().find(|key| key["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {keys:?}"));
    found["key"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_comes_and_leaves() {
    let (_source, place) = backups();
    let (anna, before) = (Identity::generate(), objects(&place.file("one")));
    place.write("anna.txt", anna.to_secret_text("test").expose());
    let recipient = anna.recipient().to_string();
    let add = ["keys", "add", "--recovery", &recipient, "--label", "anna"];
    let dry = place.expect(0, &[&add[..], &["--dry-run"]].concat());
    assert!(dry.stdout.contains("reads content") && dry.stdout.contains("Nothing was changed"), "{dry:?}");
    assert_eq!(objects(&place.file("one")), before);
    let hash = dry.stdout.split("Plan ").nth(1).unwrap().trim().to_owned();
    let stale = place.expect(5, &["keys", "add", "--recovery", &recipient, "--expect-plan", &hash]);
    assert!(stale.stderr.contains("hash"), "without the label it is another plan: {stale:?}");
    // The root key stays at home.
    fs::rename(place.file("keys/root.key"), place.file("root.key")).unwrap();
    let refused = place.expect(2, &add);
    assert!(refused.stderr.contains("root key"), "{refused:?}");
    assert_eq!(objects(&place.file("one")), before);
    fs::rename(place.file("root.key"), place.file("keys/root.key")).unwrap();
    place.expect(0, &[&add[..], &["--expect-plan", &hash]].concat());

    // Without the first recovery identity, hers reads everything.
    fs::rename(place.file("keys/recovery.txt"), place.file("recovery.txt")).unwrap();
    place.expect(0, &["restore", "files", "latest", "--to", "out", "--identity", "anna.txt"]);
    place.expect(0, &["verify", "--full", "--identity", "anna.txt"]);
    let list = place.expect(0, &["keys", "list"]);
    assert!(list.stdout.contains("anna") && list.stdout.contains("not here: good"), "{list:?}");

    let remove = ["keys", "remove", "anna", "--identity", "recovery.txt"];
    let asked = place.expect(5, &remove);
    assert!(asked.stderr.contains("--yes"), "{asked:?}");
    let removed = place.expect(0, &[&remove[..], &["--yes"]].concat());
    assert!(removed.stdout.contains("only packs written from now on help"), "{removed:?}");
    place.expect(2, &["restore", "files", "latest", "--to", "out2", "--identity", "anna.txt"]);
    place.expect(0, &["snapshot"]);
    place.expect(0, &["restore", "files", "latest", "--to", "out3", "--identity", "recovery.txt"]);
    assert_eq!(tree(&place.file("out")), tree(&place.file("out3")));
    place.expect(0, &["verify", "--full", "--identity", "recovery.txt"]);
    let again = place.expect(0, &["keys", "rewrap"]);
    assert!(again.stdout.contains("nothing to be done"), "{again:?}");
    place.expect(2, &["keys", "remove", "nobody", "--yes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_of_the_configuration_rotates() {
    let (_source, place) = backups();
    place.expect(0, &["restore", "files", "latest", "--to", "out"]);
    for (option, kind, file) in [
        ("--signing", "signs", "signing.key"),
        ("--root", "root", "root.key"),
        ("--recovery", "reads-content", "recovery.txt"),
        ("--operator", "reads-catalogs", "operator.txt"),
        ("--signing", "signs", "signing.key"),
    ] {
        let (before, key) = (key_of(&place, kind), place.read(&format!("keys/{file}")));
        let tree_before = tree(&place.file("keys"));
        place.expect(0, &["keys", "rotate", option, "--dry-run"]);
        assert_eq!(tree(&place.file("keys")), tree_before, "{option}");
        if kind.starts_with("reads") {
            place.expect(5, &["keys", "rotate", option]);
        }
        place.expect(0, &["keys", "rotate", option, "--yes"]);
        assert_ne!(key_of(&place, kind), before, "{option}");
        let kept = fs::read_dir(place.file("keys")).unwrap().filter_map(Result::ok);
        let kept =
            kept.filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{file}.retired-")));
        let kept: Vec<_> = kept.map(|entry| entry.path()).collect();
        assert!(kept.iter().any(|path| fs::read_to_string(path).unwrap() == key), "{option}: {kept:?}");
        kept.iter().for_each(|path| fs::remove_file(path).unwrap());
        assert!(!place.file(&format!("keys/{file}.new")).exists());
        let mode = fs::metadata(place.file(&format!("keys/{file}"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        place.expect(0, &["verify", "--full"]);
        place.expect(0, &["snapshot"]);
        place.expect(0, &["keys", "check"]);
    }
    place.expect(0, &["restore", "files", "latest", "--to", "out2"]);
    assert_eq!(tree(&place.file("out")), tree(&place.file("out2")));
}

/// Files beside a key file, less those that earlier rotations kept.
fn beside(place: &Workplace, file: &str) -> Vec<String> {
    let names = fs::read_dir(place.file("keys")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.retain(|name| name.starts_with(file));
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_was_killed_between_any_two_renames_is_finished_by_the_same_command() {
    let (_source, place) = backups();
    for (option, kind, file, generate) in [
        ("--signing", "signs", "signing.key", "--signing-to"),
        ("--root", "root", "root.key", "--signing-to"),
        ("--recovery", "reads-content", "recovery.txt", "--identity-to"),
        ("--operator", "reads-catalogs", "operator.txt", "--identity-to"),
    ] {
        let (path, new) = (format!("keys/{file}"), format!("keys/{file}.new"));
        let rotate = ["keys", "rotate", option, "--yes"];
        let forget_retired = || {
            for name in beside(&place, file).iter().filter(|name| name.contains(".retired-")) {
                fs::remove_file(place.file(&format!("keys/{name}"))).unwrap();
            }
        };
        // Killed when the new key was made, and nobody trusts it yet.
        place.expect(0, &["keys", "generate", generate, &new]);
        let made = place.read(&new);
        place.expect(0, &rotate);
        assert_eq!(place.read(&path), made, "{option}: it goes on with the key that it had made");
        let trusted = key_of(&place, kind);
        // Killed when the new one was trusted, and no file renamed.
        let retired = beside(&place, file).into_iter().find(|name| name.contains(".retired-")).unwrap();
        fs::rename(place.file(&path), place.file(&new)).unwrap();
        fs::rename(place.file(&format!("keys/{retired}")), place.file(&path)).unwrap();
        place.expect(0, &rotate);
        assert_eq!((place.read(&path), key_of(&place, kind)), (made.clone(), trusted.clone()), "{option}");
        assert_eq!(beside(&place, file).len(), 2, "{option}: the key and the one that it replaced");
        // Killed between the two renames.
        fs::rename(place.file(&path), place.file(&new)).unwrap();
        place.expect(0, &rotate);
        assert_eq!((place.read(&path), key_of(&place, kind)), (made, trusted), "{option}");
        assert_eq!(beside(&place, file).len(), 2, "{option}");
        forget_retired();
        place.expect(0, &["snapshot"]);
        place.expect(0, &["keys", "check"]);
        place.expect(0, &["verify", "--full"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_that_takes_removals_from_the_backup_host_works() {
    let (_source, place) = backups();
    let made = place.expect(0, &["keys", "generate", "--signing-to", "elsewhere/maintenance.key", "--json"]);
    let maintenance = made.json()["public"].as_str().unwrap().to_owned();
    place.expect(1, &["keys", "generate", "--signing-to", "elsewhere/maintenance.key"]);
    let config = place.read(CONFIG);
    place.write(
        CONFIG,
        &config.replace("[keys]\n", "[keys]\nmaintenance = { file = \"elsewhere/maintenance.key\" }\n"),
    );
    let host = key_of(&place, "signs");
    place.expect(
        0,
        &["keys", "add", "--signing", &maintenance, "--role", "maintenance", "--label", "pruning"],
    );
    place.expect(0, &["keys", "add", "--signing", &host, "--role", "snapshot", "--label", "backup host"]);
    let roles: Vec<(Value, Value)> = keys(&place)
        .iter()
        .filter(|key| key["kind"] == "signs")
        .map(|key| (key["label"].clone(), key["roles"].clone()))
        .collect();
    let expected = [
        ("backup host".into(), serde_json::json!(["snapshot"])),
        ("pruning".into(), serde_json::json!(["maintenance"])),
    ];
    assert_eq!(roles, expected);
    // The host goes on without the key that is elsewhere.
    fs::rename(place.file("elsewhere"), place.file("gone")).unwrap();
    place.expect(0, &["snapshot"]);
    place.expect(0, &["verify", "--full"]);
    let role = place.expect(2, &["keys", "add", "--signing", &host, "--role", "king"]);
    assert!(role.stderr.contains("maintenance"), "{role:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_what_is_wrong_with_key_files() {
    let (_source, place) = backups();
    let good = place.expect(0, &["keys", "check"]);
    for said in [
        "opens content of acme-blog",
        "opens catalogs of acme-blog",
        "signs as snapshot",
        "belongs elsewhere",
    ] {
        assert!(good.stdout.contains(said), "{said}: {good:?}");
    }
    fs::set_permissions(place.file("keys/signing.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let open = place.expect(0, &["keys", "check"]);
    assert!(open.stdout.contains("mode 644"), "{open:?}");
    fs::rename(place.file("keys/recovery.txt"), place.file("recovery.txt")).unwrap();
    let away = place.expect(0, &["keys", "check"]);
    assert!(away.stdout.contains("not here: good"), "{away:?}");
    place.write("keys/recovery.txt", Identity::generate().to_secret_text("test").expose());
    let stranger = place.expect(1, &["keys", "check"]);
    assert!(stranger.stdout.contains("no trust record"), "{stranger:?}");
    place.write("keys/recovery.txt", "nonsense");
    let nonsense = place.expect(1, &["keys", "check"]);
    assert!(nonsense.stdout.contains("recovery") && !nonsense.stdout.contains("nonsense"), "{nonsense:?}");
}
