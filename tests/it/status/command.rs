//! `prismvault status`, and the file of metrics.

use std::os::unix::fs::PermissionsExt as _;

use crate::backups::{Source, configuration, small};
use crate::workplace::Workplace;

use super::format::read;

const CONFIG: &str = "prismvault.toml";

/// A vault on two directories, without snapshots.
struct Place {
    _source: Source,
    place: Workplace,
    config: String,
}

impl Place {
    fn new() -> Self {
        let (source, place) = (small(), Workplace::new());
        let (one, two) = (place.file("one"), place.file("two"));
        let config = configuration(&source, &[("one", &one), ("two", &two)]);
        place.write(CONFIG, &config);
        let made = place.expect(0, &["init", "--json"]).json();
        let config = format!("{config}{}", made["pin"].as_str().unwrap());
        place.write(CONFIG, &config);
        Self { _source: source, place, config }
    }

    /// Writes the configuration with further lines at its end.
    fn with(&self, further: &str) {
        self.place.write(CONFIG, &format!("{}\n{further}", self.config));
    }
}

const PROMISED: &str = "[objectives]\nrpo = \"24h\"\nverified_within = \"7d\"\ncopies = 2\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_objective_ends_with_6_and_says_what_to_do() {
    let own = Place::new();
    let place = &own.place;
    // Nothing is promised, nothing is judged, and that is said.
    let run = place.expect(0, &["status"]);
    assert!(run.stdout.contains("1 without objectives") && run.stdout.contains("[objectives]"), "{run:?}");

    own.with(PROMISED);
    let run = place.expect(6, &["status"]);
    for said in [
        "missed",
        "newest complete snapshot: no snapshot yet; 24h is promised",
        "next: prismvault snapshot acme-blog",
        "1 repository: 0 ok, 1 missed",
    ] {
        assert!(run.stdout.contains(said), "{said}: {run:?}");
    }
    place.expect(0, &["snapshot"]);
    let run = place.expect(6, &["status"]);
    assert!(
        run.stdout.contains("last verified: never;") && !run.stdout.contains("no snapshot yet"),
        "{run:?}"
    );
    place.expect(0, &["verify", "--level", "bytes"]);
    let run = place.expect(0, &["status"]);
    assert!(run.stdout.contains("1 ok") && run.stdout.contains("2/2"), "{run:?}");
    let run = place.expect(0, &["status", "--problems"]);
    assert!(!run.stdout.contains("acme-blog") && run.stdout.contains("Nothing to do"), "{run:?}");
    place.expect(2, &["status", "--repository", "acme-blgo"]);
    place.expect(0, &["status", "--repository", "acme-blog"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_has_the_facts_what_they_mean_and_the_exit_code() {
    let own = Place::new();
    own.with(&format!("{PROMISED}drilled_within = \"400d\"\nrto = \"4h\"\n"));
    own.place.expect(0, &["snapshot"]);
    let run = own.place.expect(6, &["status", "--json"]);
    let json = run.json();
    assert_eq!((&json["exit_code"], &json["summary"]["missed"]), (&6.into(), &1.into()), "{json}");
    let line = &json["repositories"][0];
    assert_eq!((&line["repository"], &line["state"]), (&"acme-blog".into(), &"missed".into()));
    let states: Vec<(&str, &str)> = line["objectives"]
        .as_array()
        .unwrap()
        .iter()
        .map(|judged| (judged["objective"].as_str().unwrap(), judged["state"].as_str().unwrap()))
        .collect();
    let expected = [
        ("rpo", "ok"),
        ("rto", "at-risk"),
        ("verified_within", "missed"),
        ("drilled_within", "missed"),
        ("copies", "ok"),
    ];
    assert_eq!(states, expected);
    assert_eq!((&line["burn"], &line["facts"]["snapshots"]), (&0.0.into(), &1.into()));
    assert_eq!(line["facts"]["last_complete"]["on"], serde_json::json!(["one", "two"]));
    let keys: Vec<&str> =
        json["alarms"].as_array().unwrap().iter().map(|alarm| alarm["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["drilled_within:acme-blog", "verified_within:acme-blog", "rto:acme-blog"]);
    assert_eq!(json["replicas"][0]["replica"], "one");
    // Nothing was verified or rehearsed, nothing is locked, both copies are there.
    let confidence = &line["confidence"];
    let factors: Vec<(&str, f64)> = confidence["factors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|factor| (factor["name"].as_str().unwrap(), factor["value"].as_f64().unwrap()))
        .collect();
    assert_eq!(factors, [("verified", 0.25), ("rehearsed", 0.25), ("copies", 1.0), ("locks", 0.75)]);
    assert_eq!(confidence["value"], 0.046875);
    assert_eq!(json["drills"], serde_json::json!({ "findings": [], "waiting": [], "unreadable": [] }));
    let run = own.place.expect(6, &["status", "--explain"]);
    for said in [
        "Confidence in a restore of acme-blog",
        "0.25  nobody has rehearsed a recovery yet",
        "2 of 2 copies of the newest complete snapshot can be reached",
        "0.25 verified × 0.25 rehearsed × 1.00 copies × 0.75 locks = 0.05",
    ] {
        assert!(run.stdout.contains(said), "{said}: {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_not_there_is_told_and_ends_with_3() {
    let own = Place::new();
    own.with(PROMISED);
    own.place.expect(0, &["snapshot"]);
    own.place.expect(0, &["verify", "--level", "bytes"]);
    std::fs::rename(own.place.file("two"), own.place.file("unmounted")).unwrap();
    let run = own.place.expect(3, &["status"]);
    for said in [
        "replica two takes no part",
        "next: prismvault doctor --replica two",
        "at risk",
        "two cannot be asked",
    ] {
        assert!(run.stdout.contains(said), "{said}: {run:?}");
    }
    std::fs::rename(own.place.file("unmounted"), own.place.file("two")).unwrap();
    own.place.expect(0, &["status"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_written_whole_by_every_command_that_should() {
    let own = Place::new();
    let place = &own.place;
    own.with(PROMISED);
    place.expect(6, &["status", "--metrics-file", "now.prom"]);
    let found = read(&place.read("now.prom"));
    assert!(!found.contains_key("prismvault_last_success_timestamp_seconds"));
    assert_eq!(found["prismvault_replica_up"].len(), 2);

    // By the configuration, and beside it.
    std::fs::create_dir(place.file("metrics")).unwrap();
    own.with(&format!("{PROMISED}[metrics]\ntextfile = \"metrics/prismvault.prom\"\n"));
    place.expect(0, &["snapshot"]);
    let found = read(&place.read("metrics/prismvault.prom"));
    let snapshots = &found["prismvault_snapshots"][0];
    assert_eq!((snapshots.0["repository"].as_str(), snapshots.1), ("acme-blog", 1.0));
    let asked: Vec<&str> =
        found["prismvault_requests_total"].iter().map(|(labels, _)| labels["of"].as_str()).collect();
    assert!(asked.contains(&"Content API") && asked.contains(&"replica one"), "{asked:?}");
    std::fs::create_dir(place.file("schedules")).unwrap();
    let job = "job = \"snapshot\"\nrepositories = [\"*\"]\ncron = \"@daily\"\n";
    place.write("schedules/nightly.toml", job);
    place.expect(0, &["jobs", "run", "nightly", "--metrics-file", "job.prom"]);
    let found = read(&place.read("job.prom"));
    assert_eq!(found["prismvault_snapshots"][0].1, 2.0);
    assert_eq!(found["prismvault_expected_interval_seconds"][0].1, 86_400.0);
    // Nothing else lies there, and the collector may read it.
    let there: Vec<_> = std::fs::read_dir(place.file("metrics")).unwrap().collect();
    assert_eq!(there.len(), 1, "{there:?}");
    let mode = std::fs::metadata(place.file("job.prom")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    // Half of the vault would look like a fall.
    place.expect(2, &["status", "--repository", "acme-blog", "--metrics-file", "half.prom"]);
    std::fs::remove_file(place.file("metrics/prismvault.prom")).unwrap();
    place.expect(6, &["status", "--repository", "acme-blog"]);
    assert!(!place.file("metrics/prismvault.prom").exists());
    place.expect(6, &["status"]);
    assert!(place.file("metrics/prismvault.prom").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_that_cannot_be_written_do_not_undo_a_snapshot_but_are_told() {
    let own = Place::new();
    let run = own.place.expect(3, &["snapshot", "--metrics-file", "nowhere/now.prom"]);
    assert!(run.stderr.contains("nowhere/now.prom") && run.stdout.contains("is complete"), "{run:?}");
    own.place.expect(1, &["status", "--metrics-file", "nowhere/now.prom"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn objectives_are_read_strictly_and_shown() {
    let own = Place::new();
    let place = &own.place;
    own.with("[objectives]\nrpo = \"24h\"\n[repositories.acme-blog.objectives]\nrpo = \"15m\"\ncopies = 1\n");
    let json = place.expect(0, &["config", "--json"]).json();
    let shown = &json["repositories"][0]["objectives"];
    assert_eq!((&shown["rpo"], &shown["copies"]), (&"15m".into(), &1.into()));
    assert!(place.expect(0, &["config"]).stdout.contains("15m"));
    for (wrong, said) in [
        ("[objectives]\nrpo = \"1 day\"\n", "objectives.rpo: \"1 day\" is no span of time"),
        ("[objectives]\nrpo = 24\n", "must be a span of time in quotes"),
        ("[objectives]\nrpq = \"24h\"\n", "did you mean \"rpo\"?"),
        ("[objectives]\ncopies = -1\n", "must be from 0 to 100"),
        ("[metrics]\ntextfile = \"metrics.txt\"\n", "must end in .prom"),
        ("[metrics]\nfile = \"m.prom\"\n", "unknown key"),
    ] {
        own.with(wrong);
        let run = place.expect(2, &["status"]);
        assert!(run.stderr.contains(said) && run.stderr.contains("prismvault.toml:"), "{wrong}: {run:?}");
    }
}
