//! Incremental snapshots as people and jobs take them, and snapshots of several repositories at once.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use prismvault::sandbox::{Changes, Endpoint, Faults};
use serde_json::{Value, json};

use crate::backups::{Source, WRITE_TOKEN, configuration, document, image};
use crate::workplace::{Run, Workplace};

/// A place with a vault, whose configuration has the write token: without it everything is read.
pub(crate) fn place_with_token(source: &Source) -> Workplace {
    let place = Workplace::new();
    let config = configuration(source, &[("one", &place.file("one"))]);
    place.write("token.txt", WRITE_TOKEN);
    let config = config.replacen("[limits]", "write_token = { file = \"token.txt\" }\n\n[limits]", 1);
    place.write("prismvault.toml", &config);
    place.expect(0, &["init"]);
    place
}

/// Takes snapshots until changes can be read incrementally.
pub(crate) fn settle(place: &Workplace, source: &Source) {
    place.expect(0, &["snapshot"]);
    source.repository.edit(0.02, 1).unwrap();
    place.expect(0, &["snapshot"]);
}

fn taken(run: &Run) -> Value {
    assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
    run.json()
}

fn read(report: &Value) -> &str {
    report["manifest"]["read"]["documents"].as_str().unwrap_or_else(|| panic!("{report}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incremental_snapshot_says_how_it_read_and_why_it_read_everything() {
    let source = Source::synthetic(300, 4);
    let place = place_with_token(&source);
    // Nothing to begin from: read in full, which is no failure.
    let first = taken(&place.expect(0, &["snapshot", "--incremental", "--json"]));
    assert_eq!((read(&first), &first["exit_code"]), ("full", &0.into()));
    let why = first["manifest"]["read"]["why_full"].as_str().unwrap();
    assert!(why.contains("no snapshot before"), "{why}");
    source.repository.edit(0.02, 1).unwrap();
    let text = place.expect(0, &["snapshot", "--incremental"]).stdout;
    assert!(text.contains("read everything, because nothing had been published since"), "{text}");

    source.repository.edit(0.02, 2).unwrap();
    let report = taken(&place.expect(0, &["snapshot", "--incremental", "--json"]));
    let how = &report["manifest"]["read"];
    assert_eq!((read(&report), &how["why_full"]), ("incremental", &Value::Null));
    let sum = |report: &Value| {
        report["requests"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>()
    };
    assert!(how["since"].is_string() && how["last_full"].is_string() && sum(&report) <= 25, "{report}");
    source.repository.edit(0.02, 3).unwrap();
    let text = place.expect(0, &["snapshot", "--incremental"]).stdout;
    assert!(text.contains("read only what changed; everything was last read on"), "{text}");

    // Nothing was published.
    let report = taken(&place.expect(0, &["snapshot", "--incremental", "--json"]));
    assert_eq!((read(&report), &report["documents_unchanged"]), ("carried-over", &true.into()));

    // Who says what changed may lie, and may name what is no id.
    let ids: Vec<String> =
        source.repository.documents().iter().map(|one| one.head.id().to_string()).collect();
    source.repository.remove_documents(&[&ids[7]]);
    let told = format!("{},{},none,\"]],../x,{}", ids[7], ids[8], ids[9..].join(","));
    let report = taken(&place.expect(0, &["snapshot", "--incremental", "--changed", &told, "--json"]));
    assert_eq!(read(&report), "incremental", "{}", report["manifest"]["read"]);
    assert_eq!(report["manifest"]["counts"]["documents"]["stored"], 299);
    place.expect(0, &["verify", "--full", "--identity", "keys/recovery.txt"]);

    // A full read is a full read, whatever was asked for before.
    source.repository.edit(0.02, 4).unwrap();
    let report = taken(&place.expect(0, &["snapshot", "--json"]));
    assert_eq!((read(&report), &report["manifest"]["read"]["why_full"]), ("full", &Value::Null));
    for (arguments, said) in [
        (&["snapshot", "--changed", "a"][..], "--incremental"),
        (&["snapshot", "--full-every", "1d"], "--incremental"),
        (&["snapshot", "--incremental", "--full-every", "soon"], "is not a duration"),
    ] {
        let run = place.expect(2, arguments);
        assert!(run.stderr.contains(said), "{run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_reads_incrementally_when_its_file_says_so() {
    let source = Source::synthetic(300, 4);
    let place = place_with_token(&source);
    std::fs::create_dir(place.file("schedules")).unwrap();
    let job = "job = \"snapshot\"\nrepositories = [\"*\"]\ncron = \"@yearly\"\n";
    place.write("schedules/full.toml", job);
    place.write("schedules/often.toml", &format!("{job}read = \"incremental\"\n"));
    // A moment later it is time again.
    place.write("schedules/never.toml", &format!("{job}read = \"incremental\"\nfull_every = \"1s\"\n"));
    settle(&place, &source);
    let run = |name: &str| {
        let seed = source.control().request_count();
        source.repository.edit(0.02, seed).unwrap();
        let report = taken(&place.expect(0, &["jobs", "run", name, "--json"]));
        assert_eq!(report["manifest"]["trigger"], name, "{report}");
        (
            read(&report).to_owned(),
            report["manifest"]["read"]["why_full"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let incremental = ("incremental".to_owned(), String::new());
    assert_eq!(run("often"), incremental);
    assert_eq!(run("full"), ("full".to_owned(), String::new()));
    assert_eq!(run("often"), incremental);
    // A run or two later a second has passed.
    let full = (0..100).map(|_| run("never")).find(|(how, _)| how == "full").unwrap();
    assert!(full.1.contains("it is time for a full read"), "{full:?}");
    assert_eq!(run("often"), incremental);
    // What it reads may be little, what it says is the same: a file that is gone is a gap.
    let gone = source.repository.library().assets()[0].id.clone();
    source.control().set_faults(Faults { missing_files: [gone.clone()].into(), ..Default::default() });
    source.repository.edit_asset(&gone, "so that it is fetched again").unwrap();
    let picture = image(&source.repository, 0).1;
    let shows = document("MadeByHand000001", "en-us", &json!([]), &json!({ "picture": picture }));
    source.repository.publish(Changes { put: vec![shows], ..Default::default() });
    let report = taken(&place.expect(3, &["jobs", "run", "often", "--json"]));
    assert_eq!((&report["manifest"]["status"], &report["exit_code"]), (&"partial".into(), &3.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_are_snapshotted_at_once_and_one_that_fails_stops_no_other() {
    let (slow, quick) = (Source::synthetic(60, 2), Source::synthetic(60, 2));
    let place = Workplace::new();
    let config = configuration(&slow, &[("one", &place.file("one"))]);
    let endpoint = quick.target.endpoints.content_api.as_str();
    let wrong = endpoint.replace("/api/v2", "/nobody/api/v2");
    let more = format!(
        "[repositories.broken]\nrepository = \"nobody\"\ncontent_api = \"{wrong}\"\n\n\
         [repositories.zoo]\nrepository = \"acme-blog\"\ncontent_api = \"{endpoint}\"\nasset_api = \"{}\"\n\n[limits]",
        quick.target.endpoints.asset_api
    );
    place.write("prismvault.toml", &config.replacen("[limits]", &more, 1));
    place.expect(0, &["init"]);
    // The first one takes its time until the last one is done.
    slow.control().set_faults(Faults { latency: Duration::from_secs(3), ..Faults::default() });
    let mut command = place.command(&["snapshot", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let parsed = |line: Option<String>| serde_json::from_str::<Value>(&line.expect("a line")).unwrap();
    let first: Vec<Value> = (0..2).map(|_| parsed(lines.next())).collect();
    assert!(first.iter().any(|line| line["repository"] == "zoo"), "{first:?}");
    assert!(first.iter().any(|line| line.to_string().contains("broken")), "{first:?}");
    slow.control().set_faults(Faults::default());
    let last = parsed(lines.next());
    assert_eq!((&last["repository"], &last["manifest"]["status"]), (&"acme-blog".into(), &"complete".into()));
    assert_eq!(lines.next(), None);
    let ended = Run::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 1, "{ended:?}");
    // Each counts its own requests.
    let asked: u64 = [Endpoint::Root, Endpoint::Search, Endpoint::Tags]
        .map(|one| slow.control().requests_to(one))
        .iter()
        .sum();
    assert_eq!(last["requests"]["Content API"], asked);
    let listed = place.expect(0, &["list", "--json"]).json();
    assert_eq!(listed["snapshots"].as_array().unwrap().len(), 2);
    place.expect(0, &["verify", "--full", "--identity", "keys/recovery.txt"]);
}
