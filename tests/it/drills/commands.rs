//! `prismvault drill list`, `show`, `sign-off`, `note` and `close`, as people meet them.

use serde_json::{Value, json};

use super::place::{CARRIED, DRILL, FINDING, Place, incident, store_drill};
use crate::restore::tree;

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_is_listed_and_shown_with_what_waits_for_whom() {
    let place = Place::new().await;
    let listed = place.json(0, &["list"]);
    let own = &listed["drills"][0];
    assert_eq!((&own["drill"], &own["plan"]), (&DRILL.into(), &"weekly".into()));
    assert_eq!(
        (&own["waits_at"], &own["waits_for"], &own["findings"]),
        (&"functional".into(), &"bela".into(), &2.into())
    );
    assert_eq!((&own["rto"]["measured"], &own["rto"]["light"]), (&"42.0 s".into(), &"green".into()));
    let page = place.run(0, &["list"]).stdout;
    for words in [DRILL, "passed with findings", "42.0 s of 4 h 00 min", "bela (functional)"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert_eq!(place.json(0, &["list", "--plan", "monthly"])["drills"], json!([]));

    let page = place.run(0, &["show", "20261121"]).stdout;
    for words in [
        "passed with findings",
        "fidelity",
        "99.167 %",
        "missed",
        "YxP1 differs at data.title",
        FINDING,
        "restore",
        "sign-off",
        "--gate functional --as bela",
        "2 of 2 questions",
        "drill close",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let shown = place.json(0, &["show", "latest:weekly"]);
    assert_eq!(
        (&shown["schema"], &shown["drill"], &shown["record"]["target"]),
        (&1.into(), &DRILL.into(), &"standby".into())
    );
    for (typed, words) in [
        ("2025", "the newest is"),
        ("latest:monthly", "no drill of a plan"),
        ("latest:", "no drill of a plan"),
    ] {
        assert!(place.run(2, &["show", typed]).stderr.contains(words), "{typed}");
    }
    store_drill(&place.open().await, "20261121T030000Z-00000001", |_| ()).await;
    assert!(place.run(2, &["show", "20261121"]).stderr.contains("several drills"));
    assert_eq!(place.json(0, &["list"])["drills"][0]["drill"], "20261121T030000Z-00000001", "newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_decide_with_their_own_keys_and_what_they_may_not_is_refused_with_the_reason() {
    let place = Place::new().await;
    let before = tree(&place.0.file("first").join("drills"));
    for (by, key, gate, decision, words) in [
        ("bela", "clara.key", "functional", "go", "the key is not that of bela"),
        ("zoe", "clara.key", "functional", "go", "has no \"zoe\""),
        ("anna", "anna.key", "functional", "go", "anna was away"),
        ("clara", "clara.key", "functional", "go", "bela decides at the gate functional"),
        ("clara", "clara.key", "acceptance", "go", "functional is not passed"),
        ("mallory", "mallory.key", "integrity", "no-go", "may not sign off"),
        ("clara", "clara.key", "integrity", "go", "may only stop it"),
    ] {
        let run = place.decide_with(5, by, key, gate, decision);
        assert!(run.stderr.contains(words), "{by}: {run:?}");
        assert!(!run.stderr.contains("looked at it"), "a note is no part of an error: {run:?}");
    }
    assert_eq!(tree(&place.0.file("first").join("drills")), before, "nothing was recorded");

    let run = place.decide(0, "bela", "functional", "go");
    assert!(run.stdout.contains("Recorded by bela: go at the gate functional"), "{run:?}");
    let run = place.decide(0, "dora", "acceptance", "go");
    assert!(run.stdout.contains("by dora for clara"), "{run:?}");
    assert_eq!(place.standings()[3..], ["passed", "passed", "waits", "not-reached"]);
    assert_eq!(place.json(0, &["list"])["drills"][0]["waits_for"], "anybody who may sign off");
    place.decide(0, "clara", "acceptance", "no-go");
    assert_eq!(place.standings()[4..], ["stopped", "not-reached", "not-reached"]);
    let shown = place.json(0, &["show", "latest"]);
    assert_eq!((&shown["said"][1]["by"], &shown["said"][1]["for"]), (&"dora".into(), &"clara".into()));
    assert_eq!(shown["said"][0]["note"], "looked at it with clara");
    assert!(shown["outcome"].as_str().unwrap().contains("stopped by its owner at the gate acceptance"));

    // Both replicas have all of it, notes are not in the clear, and the audit log says who did it.
    let (first, second) =
        (tree(&place.0.file("first").join("drills")), tree(&place.0.file("second").join("drills")));
    assert_eq!(first, second);
    assert!(first.keys().any(|key| key.ends_with("statements/3.json.minisig")), "{:?}", first.keys());
    for (key, bytes) in &first {
        assert!(!String::from_utf8_lossy(bytes).contains("looked at it"), "{key}");
    }
    let entries = place.0.expect(0, &["audit", "list", "--json"]).json();
    let last = entries["entries"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["command"], &last["result"]), (&"drill sign-off".into(), &"complete".into()));
    assert_eq!(last["subjects"], json!(["gate acceptance", format!("drill {DRILL}")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_whether_it_would_be_recorded_and_records_nothing() {
    let place = Place::new().await;
    // What lies below state/ may change at any time.
    let objects = || {
        let mut all = tree(&place.0.file("first"));
        all.retain(|key, _| !key.starts_with("state/"));
        all
    };
    let before = objects();
    let decide = |by: &str, key: &str, code| {
        let arguments = [
            "sign-off",
            "latest",
            "--gate",
            "functional",
            "--as",
            by,
            "--key",
            key,
            "--decision",
            "go",
            "--note",
            "x",
            "--dry-run",
        ];
        place.run(code, &arguments)
    };
    let run = decide("bela", "bela.key", 0);
    assert!(run.stdout.contains("Would be recorded") && run.stdout.contains("passed"), "{run:?}");
    decide("clara", "clara.key", 5);
    place.run(0, &["close", FINDING, "--as", "bela", "--note", "x", "--dry-run"]);
    assert_eq!(objects(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_is_closed_once_and_only_one_that_is_open() {
    let place = Place::new().await;
    let unknown = place.run(5, &["close", "F-1", "--as", "bela", "--note", "x"]);
    assert!(unknown.stderr.contains(FINDING) && unknown.stderr.contains(CARRIED), "{unknown:?}");
    place.run(2, &["close", FINDING, "--as", "bela", "--note", " "]);
    let closed = place.json(0, &["close", FINDING, "--as", "bela", "--note", "clara mended it"]);
    assert_eq!(closed["open"], json!([CARRIED]));
    let again = place.run(5, &["close", FINDING, "--as", "bela", "--note", "x"]);
    assert!(again.stderr.contains("was closed by bela"), "{again:?}");
    let shown = place.json(0, &["show", "latest"]);
    assert_eq!(
        (&shown["closed"][0]["finding"], &shown["closed"][0]["note"]),
        (&FINDING.into(), &"clara mended it".into())
    );
    assert_eq!(place.json(0, &["list"])["drills"][0]["findings"], 1);
    for (key, bytes) in tree(&place.0.file("second").join("drills")) {
        assert!(!String::from_utf8_lossy(&bytes).contains("mended"), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_communication_that_was_made_is_noted_once() {
    let change = |report: &mut Value| {
        report["real"] = true.into();
        report["incident"] = incident();
    };
    let place = Place::with(change).await;
    assert!(place.run(0, &["show", "latest"]).stdout.contains("--communication authority"));
    let note = |code, more: &[&str]| {
        let arguments = ["note", "latest", "--as", "mallory", "--key", "mallory.key", "--note", "by phone"];
        place.run(code, &[&arguments, more].concat())
    };
    note(0, &[]);
    assert!(note(5, &["--communication", "press"]).stderr.contains("open are authority"));
    note(0, &["--communication", "authority"]);
    assert!(note(5, &["--communication", "authority"]).stderr.contains("made already"));
    let shown = place.json(0, &["show", "latest"]);
    assert!(shown["incident"]["communications"][0]["done"].is_string(), "{shown}");
    assert_eq!(shown["said"].as_array().unwrap().len(), 2);
    assert!(!place.run(0, &["show", "latest"]).stdout.contains("--communication"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_identity_that_reads_content_the_record_is_shown_and_nobody_decides() {
    let place = Place::new().await;
    let host = |code, arguments: &[&str]| {
        place.0.expect(code, &[&["--config", "host.toml", "drill"], arguments].concat())
    };
    let shown = host(3, &["show", "latest"]);
    assert!(shown.stdout.contains("passed with findings") && shown.stdout.contains("Not read:"), "{shown:?}");
    assert!(!shown.stdout.contains("YxP1") && !shown.stdout.contains("bela"), "{shown:?}");
    let json = host(3, &["show", "latest", "--json"]).json();
    assert_eq!((&json["gates"], &json["record"]["drill"]), (&Value::Null, &DRILL.into()));
    let listed = host(0, &["list"]);
    assert!(listed.stdout.contains("reports of 1 are not read") && listed.stdout.contains('?'), "{listed:?}");
    let arguments = [
        "sign-off",
        "latest",
        "--gate",
        "functional",
        "--as",
        "bela",
        "--key",
        "bela.key",
        "--decision",
        "go",
        "--note",
        "x",
    ];
    let refused = host(2, &arguments);
    assert!(refused.stderr.contains("--identity"), "{refused:?}");
    host(2, &["close", FINDING, "--as", "bela", "--note", "x"]);
    host(2, &["export", "latest", "--to", "out"]);
    assert!(host(3, &["verify", "latest"]).stdout.contains("was not compared"));
    // With the identity at hand, it goes.
    host(0, &[&arguments[..], &["--identity", "keys/recovery.txt"]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_replica_away_people_decide_and_are_told() {
    let place = Place::new().await;
    std::fs::rename(place.0.file("second"), place.0.file("away")).unwrap();
    let shown = place.run(3, &["show", "latest"]);
    assert!(shown.stderr.contains("second"), "{shown:?}");
    let run = place.run(3, &["verify", "latest"]);
    assert!(run.stdout.contains("the replica second was not looked at"), "{run:?}");
    // Two copies are promised, and one replica is there.
    let refused = place.decide(1, "bela", "functional", "go");
    assert!(refused.stderr.contains("1 of 2 replicas"), "{refused:?}");
    std::fs::rename(place.0.file("away"), place.0.file("second")).unwrap();
    // Nothing was half done.
    place.run(0, &["verify", "latest"]);
    place.decide(0, "bela", "functional", "go");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_back_in_the_worksheet_and_one_wrong_row_refuses_it_whole() {
    let place = Place::new().await;
    let answers = |code, table: &str| {
        place.0.write("answers.csv", table);
        place.run(code, &["answers", "latest", "answers.csv", "--as", "emil", "--key", "emil.key"])
    };
    let head = "id,question,answer,rating\r\n";
    let wrong = answers(
        2,
        &format!("{head}recovery-key,,in the safe,performed\r\ndns,,x,unable\r\ngo-live,,clara,splendid\r\n"),
    );
    assert!(wrong.stderr.contains("row 3") && wrong.stderr.contains("row 4"), "{wrong:?}");
    assert!(
        wrong.stderr.contains("nothing of it was taken") && !wrong.stderr.contains("in the safe"),
        "{wrong:?}"
    );
    answers(2, head);
    assert!(
        place
            .run(2, &["answers", "latest", "no.csv", "--as", "emil", "--key", "emil.key"])
            .stderr
            .contains("no.csv")
    );
    assert_eq!(place.json(0, &["show", "latest"])["said"], Value::Null);
    let run = answers(0, &format!("{head}recovery-key,,in the safe,some-challenges\r\ngo-live,,,\r\n"));
    assert!(run.stdout.contains("1 answer at the table"), "{run:?}");
    let shown = place.json(0, &["show", "latest"]);
    let own = &shown["tabletop"][0];
    assert_eq!(
        (&own["answer"], &own["rating"], &own["by"]),
        (&"in the safe".into(), &"some-challenges".into(), &"emil".into())
    );
    assert!(own["question"].as_str().unwrap().contains("recovery identity"), "the question stays");
    assert_eq!(shown["tabletop"][1]["answer"], Value::Null);
    assert!(place.run(0, &["show", "latest"]).stdout.contains("1 of 2 questions"));
}
