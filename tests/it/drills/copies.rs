//! `prismvault drill verify` of a drill in the vault: every copy on every replica.

use std::fs;

use serde_json::Value;

use super::place::{CARRIED, DRILL, FINDING, Place, put, store_drill};
use crate::restore::tree;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_altered_is_missing_or_was_added_is_named_with_its_replica() {
    let place = Place::new().await;
    place.decide(0, "bela", "functional", "go");
    place.run(0, &["close", FINDING, "--as", "bela", "--note", "mended"]);
    let run = place.run(0, &["verify", "latest"]);
    assert!(run.stdout.contains("Good") && run.stdout.contains("1 statement"), "{run:?}");
    let second = place.0.file("second");
    let keys: Vec<String> = tree(&second).into_keys().filter(|key| key.starts_with("drills/")).collect();
    // Record, signature, eight files, a statement, a closure, and their signatures.
    assert_eq!(keys.len(), 2 + 8 + 2 + 2, "{keys:?}");
    for key in &keys {
        let file = second.join(key);
        let bytes = fs::read(&file).unwrap();
        let is_named = |why: &str| {
            let run = place.run(4, &["verify", DRILL]);
            let subject = key.trim_end_matches(".minisig");
            assert!(run.stdout.contains("Bad") && run.stdout.contains(subject), "{why} {key}: {run:?}");
            assert!(
                run.stdout.contains("on second") && !run.stdout.contains("on first"),
                "{why} {key}: {run:?}"
            );
        };
        let mut altered = bytes.clone();
        let at = altered.len() / 2;
        altered[at] ^= 1;
        put(&file, altered);
        is_named("altered");
        fs::remove_file(&file).unwrap();
        is_named("missing");
        put(&file, &bytes);
    }
    place.run(0, &["verify", "latest"]);
    put(second.join("drills").join(DRILL).join("more.json"), "{}");
    let run = place.run(4, &["verify", "latest"]);
    assert!(run.stdout.contains("more.json on second") && run.stdout.contains("does not belong"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_not_the_one_of_its_record_is_not_believed() {
    for (what, change) in [
        ("the result", (|report| report["result"] = "passed".into()) as fn(&mut Value)),
        ("the criteria", |report| report["criteria_sha256"] = "0".repeat(64).into()),
        ("the plan, as it is stored", |report| report["plan_sha256"] = "0".repeat(64).into()),
    ] {
        let place = Place::new().await;
        let vault = place.open().await;
        // As a program with a mistake, or with the key of the vault, would write it.
        let id = "20261121T040000Z-00000002";
        let drill = store_drill(&vault, id, change).await;
        let mut file = drill.file.clone();
        if what == "the result" {
            file.result = prismvault::vault::format::drill::DrillResult::Failed;
        }
        if what == "the criteria" {
            file.criteria = prismvault::ids::Digest::of(b"others");
        }
        for replica in ["first", "second"] {
            for suffix in ["", ".minisig"] {
                fs::remove_file(place.object(replica, &format!("drills/{id}/drill.json{suffix}"))).unwrap();
            }
        }
        prismvault::vault::drills::store(&vault, file).await.unwrap();
        let run = place.run(4, &["verify", id]);
        assert!(run.stdout.contains(what), "{what}: {run:?}");
        assert!(place.run(4, &["show", id]).stdout.contains("Not read:"), "{what}");
        let refused = place.decide(5, "bela", "functional", "go");
        assert!(refused.stderr.contains("cannot be read"), "{refused:?}");
        // The findings of the drill before it are the newest that are known.
        place.run(0, &["close", CARRIED, "--as", "bela", "--note", "mended"]);
    }
}
