//! `prismvault doctor --as ROLE`: what the keys and credentials that are here can and cannot do,
//! against a bucket that enforces the policies of `docs/iam`.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::backups::{Source, small};
use crate::iam::{Place, Role};
use crate::workplace::Run;

/// Verdicts on what does not fit, by ability.
fn misfits(run: &Run) -> BTreeMap<String, String> {
    let report = run.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let lines = report["abilities"].as_array().unwrap().iter();
    let lines = lines.filter(|line| line["verdict"] != "fits");
    lines.map(|line| (text(&line["ability"]), text(&line["verdict"]))).collect()
}

fn expected(misfits: &[(&str, &str)]) -> BTreeMap<String, String> {
    misfits.iter().map(|(ability, verdict)| ((*ability).to_owned(), (*verdict).to_owned())).collect()
}

async fn backed_up(more: &str) -> (Source, Place) {
    let source = small();
    let place = Place::new(&source, more).await;
    for arguments in [&["init"][..], &["snapshot"]] {
        assert_eq!(place.run(None, arguments).code, 0);
    }
    (source, place)
}

/// Moves keys away that the role does not hold.
fn take_away(place: &Place, keys: &[&str]) {
    for key in keys {
        let file = place.workplace.file(&format!("keys/{key}"));
        fs::rename(&file, place.workplace.file(key)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_host_with_its_policy_and_its_keys_fits_and_with_more_does_not() {
    let (source, place) = backed_up("").await;
    let doctor = ["doctor", "--as", "snapshot", "--replica", "bucket", "--json"];
    let run = place.run(Some(Role::Snapshot), &doctor);
    assert_eq!(run.code, 5, "{run:?}");
    let too_much = [("read-content", "too-much"), ("sign-removals", "too-much"), ("sign-trust", "too-much")];
    assert_eq!(misfits(&run), expected(&too_much), "{run:?}");

    // The host keeps the role snapshot alone, another key gets the removals.
    let made = place.run(None, &["keys", "generate", "--signing-to", "maintenance.key", "--json"]);
    assert_eq!(made.code, 0, "{made:?}");
    let new = made.stdout.split('"').find(|word| word.starts_with("RW")).unwrap().to_owned();
    let listed = place.run(None, &["keys", "list", "--json"]).stdout;
    let host = listed.split("\"kind\": \"signs\"").nth(1).unwrap();
    let host = host.split('"').find(|word| word.starts_with("RW")).unwrap().to_owned();
    for (key, role) in [(&new, "maintenance"), (&host, "snapshot")] {
        let config = place.workplace.read("prismvault.toml");
        if !config.contains("maintenance =") {
            let config = config.replace("[keys]\n", "[keys]\nmaintenance = { file = \"maintenance.key\" }\n");
            place.workplace.write("prismvault.toml", &config);
        }
        let run = place.run(None, &["keys", "add", "--signing", key, "--role", role]);
        assert_eq!(run.code, 0, "{run:?}");
    }
    take_away(&place, &["recovery.txt", "root.key"]);
    fs::rename(place.workplace.file("maintenance.key"), place.workplace.file("elsewhere.key")).unwrap();
    let run = place.run(Some(Role::Snapshot), &doctor);
    assert_eq!((run.code, misfits(&run)), (0, expected(&[])), "{run:?}");
    assert_eq!(run.json()["fits"], true);
    let lines = run.json()["abilities"].clone();
    for (ability, found) in [
        ("write-objects", "can"),
        ("replace-objects", "cannot"),
        ("delete-objects", "cannot"),
        ("delete-versions", "cannot"),
        ("read-catalogs", "can"),
        ("read-content", "cannot"),
        ("sign-snapshots", "can"),
        ("approve-erasures", "cannot"),
        ("read-source", "can"),
    ] {
        let line = lines.as_array().unwrap().iter().find(|line| line["ability"] == ability).unwrap();
        assert_eq!(line["found"], found, "{line}");
        assert!(!line["how"].as_str().unwrap().is_empty(), "{line}");
    }
    // The same keys with the credentials of another role.
    let run = place.run(Some(Role::Maintenance), &doctor);
    let too_much =
        [("replace-objects", "too-much"), ("delete-objects", "too-much"), ("delete-versions", "too-much")];
    assert_eq!((run.code, misfits(&run)), (5, expected(&too_much)), "{run:?}");
    let run = place.run(Some(Role::Restore), &doctor);
    assert_eq!((run.code, misfits(&run)), (1, expected(&[("write-objects", "too-little")])), "{run:?}");
    // The source does not answer.
    drop(source);
    let run = place.run(Some(Role::Snapshot), &doctor);
    assert_eq!((run.code, misfits(&run)), (1, expected(&[("read-source", "too-little")])), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_roles_are_held_against_their_own_work() {
    let (_source, place) = backed_up("object_lock = { mode = \"governance\", days = 14 }").await;
    let doctor = |role| ["doctor", "--as", role, "--replica", "bucket", "--offline", "--json"];
    // Whoever keeps the recovery identity restores; the signing key is not his.
    let run = place.run(Some(Role::Restore), &doctor("recover"));
    let too_much =
        [("sign-snapshots", "too-much"), ("sign-removals", "too-much"), ("sign-trust", "too-much")];
    assert_eq!((run.code, misfits(&run)), (5, expected(&too_much)), "{run:?}");
    take_away(&place, &["signing.key", "root.key"]);
    let run = place.run(Some(Role::Restore), &doctor("recover"));
    assert_eq!((run.code, misfits(&run)), (0, expected(&[])), "{run:?}");
    let text =
        place.run(Some(Role::Restore), &["doctor", "--as", "recover", "--replica", "bucket", "--offline"]);
    assert!(text.stdout.contains("It is what the role needs, and no more."), "{text:?}");
    // The same machine is no privacy officer and no auditor.
    let run = place.run(Some(Role::Restore), &doctor("privacy"));
    let privacy = misfits(&run);
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(privacy["approve-erasures"], "too-little");
    assert_eq!(privacy["write-objects"], "too-little");
    let run = place.run(Some(Role::Restore), &doctor("audit"));
    assert_eq!(
        (run.code, misfits(&run)),
        (5, expected(&[("read-content", "too-much"), ("write-to-source", "too-much")])),
        "{run:?}"
    );
    // And lacks what pruning needs.
    let run = place.run(Some(Role::Restore), &doctor("operate"));
    let operate = misfits(&run);
    for ability in ["write-objects", "delete-objects", "delete-versions", "sign-removals"] {
        assert_eq!(operate[ability], "too-little", "{run:?}");
    }
    assert_eq!(operate["read-content"], "too-much");
    // Nobody is told that a lock can or cannot be bypassed.
    let lines = run.json()["abilities"].clone();
    let line = lines.as_array().unwrap().iter().find(|line| line["ability"] == "bypass-locks").unwrap();
    assert_eq!((&line["found"], &line["verdict"]), (&"not-told".into(), &"fits".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_said_to_be_one_and_what_cannot_be_asked_is_not_called_refused() {
    let (_source, place) = backed_up("").await;
    let run = place.run(
        Some(Role::Snapshot),
        &["doctor", "--as", "snapshot", "--replica", "local", "--offline", "--json"],
    );
    let found = misfits(&run);
    assert!(!found.contains_key("delete-objects"), "{run:?}");
    assert_eq!(found["read-source"], "not-proved");
    assert!(run.stdout.contains("in a directory who writes can do so"), "{run:?}");
    let run = place.run(None, &["doctor", "--as", "owner"]);
    assert!(run.code == 2 && run.stderr.contains("snapshot, operate, recover, privacy, audit"), "{run:?}");
    let before = place.in_bucket("").await.len();
    place.run(None, &["doctor", "--as", "operate"]);
    assert_eq!(place.in_bucket("").await.len(), before, "nothing stays behind");
    fs::remove_file(place.workplace.file("prismvault.toml")).unwrap();
    assert_eq!(place.run(None, &["doctor", "--as", "audit", "--json"]).code, 2);
}
