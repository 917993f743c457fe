//! `prismvault drill export` and `verify` of bundles, as whoever gets one meets them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use prismvault::ids::Digest;
use prismvault::vault::signing::SigningKey;
use serde_json::Value;

use super::place::{DRILL, FINDING, Place, put};
use crate::restore::tree;
use crate::workplace::{Run, Workplace};

/// A place whose drill people talked about, and a bundle of it at somebody who has neither vault nor configuration.
struct Bundled {
    place: Place,
    outside: Workplace,
}

impl Bundled {
    async fn new(more: &[&str]) -> Self {
        let place = Place::new().await;
        place.decide(0, "bela", "functional", "go");
        place.decide(0, "clara", "acceptance", "go");
        place.run(0, &["close", FINDING, "--as", "bela", "--note", "clara mended it"]);
        let outside = Workplace::new();
        let to = outside.file("bundle");
        place.run(0, &[&["export", "latest", "--to", to.to_str().unwrap()], more].concat());
        Self { place, outside }
    }

    #[track_caller]
    fn verify(&self, code: i32, more: &[&str]) -> Run {
        self.outside.expect(code, &[&["drill", "verify", "bundle"], more].concat())
    }

    /// Checks it with the key of the vault.
    #[track_caller]
    fn with_key(&self, code: i32) -> Run {
        self.verify(code, &["--key", &self.place.vault_key()])
    }

    /// Checks that it is bad, and that the file is named; then everything is as it was.
    #[track_caller]
    fn is_bad(&self, path: &str, meddle: impl FnOnce(&Path)) {
        let kept = tree(&self.outside.file("bundle"));
        meddle(&self.outside.file("bundle"));
        for run in [self.with_key(4), self.verify(4, &[])] {
            assert!(run.stdout.contains("Bad") && run.stdout.contains(path), "{path}: {run:?}");
        }
        fs::remove_dir_all(self.outside.file("bundle")).unwrap();
        for (path, bytes) in kept {
            let file = self.outside.file("bundle").join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            put(file, bytes);
        }
    }
}

fn json_of(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_checked_with_a_key_and_nothing_else() {
    let all = Bundled::new(&[]).await;
    let run = all.with_key(0);
    for words in ["Good", "2 statements", "the key that you named", "passed with findings"] {
        assert!(run.stdout.contains(words), "{words}: {run:?}");
    }
    // Without a key it agrees with itself, and nobody says that it is what it says.
    let run = all.verify(3, &[]);
    assert!(run.stdout.contains("Consistent") && run.stdout.contains("only the bundle itself"), "{run:?}");
    assert!(!run.stdout.contains("Good"), "{run:?}");
    // With the configuration of the vault its keys and people are believed.
    let there = all.outside.file("bundle");
    let run = all.place.run(0, &["verify", there.to_str().unwrap()]);
    assert!(run.stdout.contains("a key of the vault of the configuration"), "{run:?}");
    let report = all.place.json(0, &["verify", there.join("bundle.json").to_str().unwrap()]);
    assert_eq!((&report["vouched"], &report["statements"]), (&"vault".into(), &2.into()));
    // Another key is not the one.
    let stranger = SigningKey::generate().public().to_string();
    let run = all.verify(4, &["--key", &stranger]);
    assert!(run.stdout.contains("record/drill.json"), "{run:?}");

    let now = json_of(there.join("now/report.json"));
    assert_eq!(
        (&now["gates"][4]["standing"], &now["closed"][0]["finding"]),
        (&"passed".into(), &FINDING.into())
    );
    assert_eq!(json_of(there.join("report.json"))["gates"][4]["standing"], "not-reached", "as it was signed");
    for path in [
        "now/report.html",
        "now/junit.xml",
        "now/findings.csv",
        "pages/1-home.png",
        "record/keys.json",
        "bundle.json.minisig",
    ] {
        assert!(there.join(path).is_file(), "{path}");
    }
    // It replaces nothing.
    let before = tree(&there);
    all.place.run(5, &["export", "latest", "--to", there.to_str().unwrap()]);
    assert_eq!(tree(&there), before);
    let left: Vec<_> = fs::read_dir(all.outside.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing unfinished stays: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_altered_missing_or_added_in_a_bundle_is_named() {
    let all = Bundled::new(&[]).await;
    let files: Vec<String> = tree(&all.outside.file("bundle")).into_keys().collect();
    assert!(files.len() > 20, "{files:?}");
    for path in &files {
        // A signature of the list that is gone makes it unsigned, which is told and is no fault.
        if path != "bundle.json.minisig" {
            all.is_bad(path, |bundle| fs::remove_file(bundle.join(path)).unwrap());
        }
        let named = if path == "bundle.json.minisig" { "bundle.json" } else { path };
        all.is_bad(named, |bundle| {
            let mut bytes = fs::read(bundle.join(path)).unwrap();
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            put(bundle.join(path), bytes);
        });
    }
    all.is_bad("checks/more.txt", |bundle| put(bundle.join("checks/more.txt"), "x"));
    all.is_bad("record/statements/3.json", |bundle| put(bundle.join("record/statements/3.json"), "{}"));
    #[cfg(unix)]
    all.is_bad("link", |bundle| std::os::unix::fs::symlink("/etc/passwd", bundle.join("link")).unwrap());
    fs::remove_file(all.outside.file("bundle/bundle.json.minisig")).unwrap();
    let run = all.with_key(3);
    assert!(run.stdout.contains("bundle.json is not signed"), "{run:?}");
}

/// Lists a file again as it is now, as whoever meddles would, and takes the signature of the list away.
fn list_again(bundle: &Path, path: &str) {
    let mut list = json_of(bundle.join("bundle.json"));
    let bytes = fs::read(bundle.join(path)).ok();
    let files = list["files"].as_array_mut().unwrap();
    files.retain(|own| own["path"] != path);
    if let Some(bytes) = bytes {
        let (size, sha256) = (bytes.len(), Digest::of(&bytes).to_string());
        files.push(serde_json::json!({ "path": path, "size": size, "sha256": sha256 }));
    }
    put(bundle.join("bundle.json"), serde_json::to_vec(&list).unwrap());
    fs::remove_file(bundle.join("bundle.json.minisig")).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_the_list_again_is_found_by_what_is_signed_by_itself() {
    let all = Bundled::new(&[]).await;
    let edit = |path: &'static str, change: fn(&mut Value)| {
        move |bundle: &Path| {
            let mut json = json_of(bundle.join(path));
            change(&mut json);
            put(bundle.join(path), serde_json::to_vec_pretty(&json).unwrap());
            list_again(bundle, path);
        }
    };
    all.is_bad("report.json", edit("report.json", |json| json["result"] = "passed".into()));
    all.is_bad("record/drill.json", edit("record/drill.json", |json| json["result"] = "passed".into()));
    all.is_bad(
        "record/statements/2.json",
        edit("record/statements/2.json", |json| json["as"] = "dora".into()),
    );
    all.is_bad(
        "now/report.json",
        edit("now/report.json", |json| {
            for gate in json["gates"].as_array_mut().unwrap() {
                gate["standing"] = "passed".into();
                gate["verdict"] = "go".into();
            }
        }),
    );
    all.is_bad("now/report.json", edit("now/report.json", |json| json["result"] = "passed".into()));
    // A statement that is taken out leaves those behind it without what they follow from.
    all.is_bad("record/statements/1.json", |bundle| {
        for (from, to) in [("2.json", "1.json"), ("2.json.minisig", "1.json.minisig")] {
            fs::rename(
                bundle.join("record/statements").join(from),
                bundle.join("record/statements").join(to),
            )
            .unwrap();
            list_again(bundle, &format!("record/statements/{from}"));
            list_again(bundle, &format!("record/statements/{to}"));
        }
        let mut list = json_of(bundle.join("bundle.json"));
        list["statements"] = 1.into();
        put(bundle.join("bundle.json"), serde_json::to_vec(&list).unwrap());
    });
    // A statement by another person than it names, who is known.
    all.is_bad("record/statements/2.json", |bundle| {
        let clara = prismvault::secret::Secret::new(all.place.0.read("emil.key"));
        let bytes = fs::read(bundle.join("record/statements/2.json")).unwrap();
        let signature = SigningKey::parse(&clara).unwrap().sign(&bytes, "x");
        put(bundle.join("record/statements/2.json.minisig"), signature);
        list_again(bundle, "record/statements/2.json.minisig");
    });
    // Somebody signs all of it anew, with keys of their own: only a key from outside tells.
    let stranger = SigningKey::generate();
    let bundle = all.outside.file("bundle");
    let record = fs::read(bundle.join("record/drill.json")).unwrap();
    put(bundle.join("record/drill.json.minisig"), stranger.sign(&record, "x"));
    let mut keys = json_of(bundle.join("record/keys.json"));
    keys["vault"][0]["key"] = stranger.public().to_string().into();
    put(bundle.join("record/keys.json"), serde_json::to_vec(&keys).unwrap());
    for path in ["record/drill.json.minisig", "record/keys.json"] {
        list_again(&bundle, path);
    }
    let run = all.with_key(4);
    assert!(run.stdout.contains("record/drill.json"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn auditors_get_neither_names_nor_content_and_see_what_was_left_out() {
    let all = Bundled::new(&["--auditor"]).await;
    let bundle = all.outside.file("bundle");
    let files = tree(&bundle);
    for (path, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        for word in [
            "anna",
            "bela",
            "clara",
            "dora",
            "emil",
            "dr@example.org",
            "Prices",
            "mended it",
            "looked at it with",
        ] {
            assert!(!text.contains(word), "{word} in {path}: {text}");
        }
    }
    let paths: BTreeSet<&str> = files.keys().map(String::as_str).collect();
    let expected = [
        "bundle.json",
        "bundle.json.minisig",
        "now/findings.csv",
        "now/junit.xml",
        "now/report.json",
        "record/drill.json",
        "record/drill.json.minisig",
        "record/keys.json",
    ];
    let rendered = |path: &&&str| path.starts_with("now/");
    assert!(expected.iter().all(|path| paths.contains(path)), "{paths:?}");
    assert!(paths.iter().filter(|path| !rendered(path)).all(|path| expected.contains(path)), "{paths:?}");
    let list = json_of(bundle.join("bundle.json"));
    let left: BTreeSet<String> = list["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| own["path"].as_str().unwrap().to_owned())
        .collect();
    for path in [
        "report.json",
        "plan.toml",
        "pages/1-home.png",
        "record/statements/1.json",
        "record/statements/2.json.minisig",
    ] {
        assert!(left.contains(path), "{path}: {left:?}");
    }
    let now = json_of(bundle.join("now/report.json"));
    assert_eq!((&now["said"][0]["verdict"], &now["gates"][3]["standing"]), (&"go".into(), &"passed".into()));
    all.with_key(0);
    // What was left out must be what the record names.
    all.is_bad("pages/1-home.png", |bundle| {
        let mut list = json_of(bundle.join("bundle.json"));
        for own in list["left_out"].as_array_mut().unwrap() {
            if own["path"] == "pages/1-home.png" {
                own["sha256"] = "0".repeat(64).into();
            }
        }
        put(bundle.join("bundle.json"), serde_json::to_vec(&list).unwrap());
        fs::remove_file(bundle.join("bundle.json.minisig")).unwrap();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_of_which_nobody_spoke_has_a_report_beside_its_own_for_its_pictures() {
    let place = Place::new().await;
    let to = place.0.file("bundle");
    place.run(0, &["export", DRILL, "--to", "bundle"]);
    // The page of the record has none in it, because it stays when an order of erasure takes them.
    assert!(to.join("report.json").is_file() && to.join("now/report.html").is_file());
    let (own, now) = (json_of(to.join("report.json")), json_of(to.join("now/report.json")));
    assert_eq!(own, now, "nobody said anything");
    place.run(0, &["verify", "bundle"]);
    // A file that is damaged everywhere is left out, told, and the bundle says so.
    let files = tree(&place.0.file("first").join("drills"));
    let report = json_of(to.join("record/drill.json"));
    let stored =
        report["files"].as_array().unwrap().iter().find(|own| own["path"] == "pages/1-home.png").unwrap();
    let name = format!("files/{}", stored["stored"].as_str().unwrap());
    let key = files.keys().find(|key| key.ends_with(&name)).unwrap();
    for replica in ["first", "second"] {
        put(place.0.file(replica).join("drills").join(key), "x");
    }
    let run = place.run(4, &["export", DRILL, "--to", "second-bundle"]);
    assert!(run.stdout.contains("damaged") && run.stdout.contains("pages/1-home.png"), "{run:?}");
    let list = json_of(place.0.file("second-bundle").join("bundle.json"));
    assert_eq!(list["left_out"][0]["path"], "pages/1-home.png");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_was_killed_has_no_report_and_is_evidence_all_the_same() {
    let place = Place::new().await;
    let id = "20261121T050000Z-00000003";
    place.store_killed(id).await;
    let listed = place.run(0, &["list"]);
    assert!(listed.stdout.contains("abandoned") && !listed.stdout.contains("not read"), "{listed:?}");
    assert!(place.run(0, &["show", id]).stdout.contains("abandoned"));
    place.run(0, &["verify", id]);
    for more in [&["--to", "own"][..], &["--to", "others", "--auditor"]] {
        place.run(0, &[&["export", id], more].concat());
        place.run(0, &["verify", more[1]]);
    }
    // Nobody decides on what was never seen.
    let refused = place.decide(5, "bela", "functional", "go");
    assert!(refused.stderr.contains("cannot be read"), "{refused:?}");
}
