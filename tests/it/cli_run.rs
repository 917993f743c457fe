//! `prismvault run`: the scheduler as service managers and people run it.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use prismvault::sandbox::{Endpoint, Faults};
use serde_json::Value;

use crate::backups::{Source, first_try, small, words};
use crate::cli_incremental::{place_with_token, settle};
use crate::workplace::{Run, Workplace};

pub(crate) const SECONDLY: &str = "job = \"snapshot\"\nrepositories = [\"*\"]\ncron = \"* * * * * *\"\n";
pub(crate) const YEARLY: &str = "job = \"snapshot\"\nrepositories = [\"*\"]\ncron = \"@yearly\"\n";

/// Longest wait for something that should happen at once; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A place in which a first snapshot was taken, with these jobs.
pub(crate) fn place_with(source: &Source, jobs: &[(&str, &str)]) -> Workplace {
    let place = Workplace::new();
    place.expect(0, &words(&first_try(source)));
    std::fs::create_dir_all(place.path().join("schedules")).unwrap();
    for (name, text) in jobs {
        place.write(&format!("schedules/{name}.toml"), text);
    }
    place
}

/// A scheduler under way.
pub(crate) struct Live {
    child: Child,
    pub(crate) events: mpsc::Receiver<String>,
}

impl Live {
    pub(crate) fn begin(place: &Workplace) -> Self {
        Self::begin_with(place, &["run", "--json"])
    }

    pub(crate) fn begin_with(place: &Workplace, arguments: &[&str]) -> Self {
        Self::from(place.command(arguments))
    }

    pub(crate) fn from(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, events) = mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, events }
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for an event, of this job where one is named.
    #[track_caller]
    pub(crate) fn expect(&self, event: &str, job: Option<&str>) -> Value {
        let mut seen = Vec::new();
        loop {
            let Ok(line) = self.events.recv_timeout(PATIENCE) else { panic!("no {event} in {seen:#?}") };
            let value: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert_eq!(value["schema"], 1, "{line}");
            if value["event"] == event && job.is_none_or(|job| value["job"] == job) {
                return value;
            }
            seen.push(line);
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(sent.unwrap().success());
    }

    /// Most memory that it ever took, in KiB, where the system tells.
    pub(crate) fn memory_peak(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    pub(crate) fn end(self) -> Run {
        self.signal("TERM");
        self.ended()
    }

    /// Waits until it has ended, as it was asked to before.
    pub(crate) fn ended(self) -> Run {
        Run::from(self.child.wait_with_output().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_run_at_their_time_and_their_id_is_in_log_manifest_audit_and_record() {
    let source = small();
    let place = place_with(&source, &[("often", SECONDLY), ("yearly", YEARLY)]);
    let live = Live::begin(&place);
    assert!(live.expect("will-run", Some("yearly"))["planned"].as_str().unwrap().contains("-01-01T00:00:00"));
    let begun = live.expect("begun", Some("often"));
    assert_eq!((&begun["attempt"], &begun["missed"]), (&1.into(), &0.into()));
    let ended = live.expect("ended", Some("often"));
    assert_eq!(ended["result"], 0, "{ended}");
    let run = ended["run"].as_str().unwrap().to_owned();
    let end = live.end();
    assert_eq!(end.code, 0, "being asked to end is how it ends: {end:?}");
    assert!(!end.stderr.contains("error"), "{end:?}");

    let listed = place.expect(0, &["list", "--json"]).json();
    let id = listed["snapshots"][1]["id"].as_str().expect("one by hand, then those of the job").to_owned();
    let shown = place.expect(0, &["show", &id, "--json"]).json();
    let manifest = &shown["manifest"];
    assert_eq!((&manifest["run"], &manifest["trigger"]), (&run.as_str().into(), &"often".into()));
    let audit = place.expect(0, &["audit", "list", "--json"]).json();
    let entries = audit["entries"].as_array().unwrap();
    let entry =
        entries.iter().find(|entry| entry["run"] == run.as_str()).expect("the run is in the audit log");
    assert_eq!((&entry["command"], &entry["result"]), (&"run".into(), &"complete".into()));
    let record = place.read("vault/state/jobs/often.json");
    let sealed: Value = serde_json::from_str(&record).unwrap();
    let record: Value = serde_json::from_str(sealed["signed"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&record["last_success"]["exit_code"], &record["failures"]),
        (&0.into(), &0.into()),
        "{record}"
    );
    place.expect(0, &["verify", "--full", "--identity", "keys/recovery.txt"]);
}

#[test]
fn nothing_runs_before_every_file_is_right() {
    let place = Workplace::new();
    place.write("prismvault.toml", "[repositories.acme-blog]\nrepository = \"acme-blog\"\n");
    std::fs::create_dir(place.path().join("schedules")).unwrap();
    place.write("schedules/good.toml", SECONDLY);
    place.write("schedules/bad.toml", &SECONDLY.replace("cron = \"* * * * * *\"", "cron = \"0 0 30 2 *\""));
    place.write("schedules/typo.toml", &SECONDLY.replace("[\"*\"]", "[\"acme-blgo\"]"));
    let run = place.expect(2, &["run"]);
    for said in ["bad.toml:3", "never comes", "typo.toml:2", "did you mean", "jobs check"] {
        assert!(run.stderr.contains(said), "{said}: {run:?}");
    }
    assert_eq!(run.stdout, "");
    for file in ["good", "bad", "typo"] {
        std::fs::remove_file(place.file(&format!("schedules/{file}.toml"))).unwrap();
    }
    let run = place.expect(2, &["run"]);
    assert!(run.stderr.contains("holds no job"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_taken_over_when_they_change_and_refused_when_they_are_wrong() {
    let source = small();
    let place = place_with(&source, &[("yearly", YEARLY)]);
    let live = Live::begin(&place);
    live.expect("will-run", Some("yearly"));
    // Noticed by itself.
    place.write("schedules/broken.toml", "job = \"snapshto\"\n");
    live.expect("refused", None);
    let error = live.events.recv_timeout(PATIENCE).unwrap();
    for said in ["did you mean \\\"snapshot\\\"?", "the jobs as they were go on"] {
        assert!(error.contains(said), "{said}: {error}");
    }
    // Asked for: the mistake is still there, and told again.
    live.signal("HUP");
    live.expect("refused", None);
    std::fs::rename(place.file("schedules/broken.toml"), place.file("schedules/often.toml")).unwrap();
    place.write("schedules/often.toml", SECONDLY);
    live.signal("HUP");
    live.expect("reloaded", None);
    assert_eq!(live.expect("ended", Some("often"))["result"], 0);
    let end = live.end();
    assert_eq!(end.code, 0, "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_runs_elsewhere_is_left_alone_and_not_done_twice() {
    let source = small();
    let place = place_with(&source, &[("yearly", YEARLY)]);
    source.control().set_faults(Faults { latency: Duration::from_millis(300), ..Faults::default() });
    source.repository.edit(0.5, 3).unwrap();
    source.control().reset_counters();
    let first =
        place.command(&["jobs", "run", "yearly"]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn();
    let mut first = first.unwrap();
    // By its first request it has the lease.
    while source.control().request_count() == 0 {
        assert!(first.try_wait().unwrap().is_none(), "it ended before it asked for anything");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let second = place.run(&["jobs", "run", "yearly", "--json"]);
    assert_eq!(second.code, 5, "{second:?}");
    let error = second.json();
    assert!(error.to_string().contains("which holds its lease"), "{error}");
    assert!(first.wait().unwrap().success());
    source.control().set_faults(Faults::default());
    let before = place.expect(0, &["list", "--json"]).json()["snapshots"].as_array().unwrap().len();
    let late = place.expect(0, &["jobs", "run", "yearly", "--if-due"]);
    assert!(late.stderr.contains("nothing to do"), "{late:?}");
    let after = place.expect(0, &["list", "--json"]).json()["snapshots"].as_array().unwrap().len();
    assert_eq!(after, before);
    place.expect(0, &["jobs", "run", "yearly"]);
    let asked = place.expect(0, &["list", "--json"]).json()["snapshots"].as_array().unwrap().len();
    assert_eq!(asked, before + 1, "a person who asks for it gets it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_lease_another_took_commits_nothing_and_is_in_the_audit_log() {
    let source = small();
    let place = place_with(&source, &[("yearly", YEARLY)]);
    source.repository.edit(0.5, 3).unwrap();
    source.control().set_faults(Faults { latency: Duration::from_millis(300), ..Faults::default() });
    let (reached, mut is_reached) = tokio::sync::mpsc::unbounded_channel();
    let searches = source.control().requests_to(Endpoint::Search);
    source.control().on_request_to(Endpoint::Search, searches + 1, move |_| reached.send(()).unwrap());
    let first = Live::begin_with(&place, &["jobs", "run", "yearly"]);
    tokio::time::timeout(PATIENCE, is_reached.recv()).await.unwrap().unwrap();
    // It hangs for so long that its lease ends, another has it meanwhile and does the work.
    first.signal("STOP");
    source.control().set_faults(Faults::default());
    let leases = place.path().join("vault/state/leases/yearly");
    for lease in std::fs::read_dir(&leases).unwrap() {
        std::fs::remove_file(lease.unwrap().path()).unwrap();
    }
    place.expect(0, &["jobs", "run", "yearly"]);
    let listed = || place.expect(0, &["list", "--json"]).json()["snapshots"].as_array().unwrap().len();
    let before = listed();
    first.signal("CONT");
    let ended = first.ended();
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains("which holds its lease"), "{ended:?}");
    assert_eq!(listed(), before);
    let audit = place.expect(0, &["audit", "list", "--json"]).json();
    let results = audit["entries"].as_array().unwrap().iter();
    let results = results.filter(|entry| entry["command"] == "jobs run").map(|entry| entry["result"].clone());
    assert_eq!(results.collect::<Vec<_>>(), ["complete", "refused"]);
    place.expect(0, &["verify", "--full", "--identity", "keys/recovery.txt"]);
}

/// Posts what Prismic would; returns the status line.
pub(crate) fn post(port: u16, body: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!(
        "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

/// A place whose scheduler listens for publishes of the source, and the port of its webhooks.
fn listening(source: &Source) -> (Workplace, u16) {
    let place = place_with_token(source);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    place.write("secret.txt", "a-long-secret-of-a-webhook");
    let config = place.read("prismvault.toml");
    let config = config.replacen(
        "repository = \"acme-blog\"\n",
        "repository = \"acme-blog\"\nwebhook_secret = { file = \"secret.txt\" }\n",
        1,
    );
    let webhook = format!("\n[webhook]\nlisten = \"127.0.0.1:{port}\"\nquiet = \"1s\"\n");
    place.write("prismvault.toml", &(config + &webhook));
    std::fs::create_dir(place.file("schedules")).unwrap();
    place.write("schedules/live.toml", "job = \"snapshot\"\nrepositories = [\"*\"]\non_publish = true\npoll = \"5s\"\nread = \"incremental\"\n");
    settle(&place, source);
    (place, port)
}

/// What Prismic sends, with the ref and the documents that it names.
fn body(secret: &str, reference: Option<&str>, documents: &[&str]) -> String {
    serde_json::json!({
        "type": "api-update", "domain": "acme-blog", "secret": secret, "masterRef": reference,
        "releases": {}, "masks": {}, "tags": {}, "documents": documents,
    })
    .to_string()
}

/// Tells of a publish.
fn tell(port: u16, reference: Option<&str>, documents: &[&str]) {
    let answer = post(port, &body("a-long-secret-of-a-webhook", reference, documents));
    assert!(answer.contains(" 200 "), "{answer}");
}

/// Number of snapshots, and that none is being taken.
fn snapshots(place: &Workplace) -> usize {
    place.expect(0, &["list", "--json"]).json()["snapshots"].as_array().unwrap().len()
}

/// Waits until the root was asked for so often again: whoever polls had the time to notice.
async fn polls(source: &Source, count: u64) {
    let roots = || source.control().requests_to(Endpoint::Root);
    let enough = roots() + count;
    let begun = std::time::Instant::now();
    while roots() < enough {
        assert!(begun.elapsed() < PATIENCE, "nobody asks");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_is_followed_by_one_snapshot_whoever_tells_of_it_first() {
    let source = small();
    let (place, port) = listening(&source);
    let live = Live::begin(&place);
    live.expect("will-run", Some("live"));
    // The newest snapshot, which another process took, holds the ref.
    polls(&source, 2).await;
    assert_eq!(snapshots(&place), 2);

    // Webhooks come first, the poll after; wrong ones come to nothing.
    assert!(post(port, &body("wrong", None, &[])).contains(" 401 "));
    source.repository.edit(0.05, 11).unwrap();
    for _ in 0..5 {
        tell(port, None, &[]);
    }
    assert_eq!(live.expect("ended", Some("live"))["result"], 0);
    polls(&source, 2).await;
    assert_eq!(snapshots(&place), 3, "the poll knows what the webhook led to");

    // The poll comes first, the webhook after.
    source.repository.edit(0.05, 12).unwrap();
    assert_eq!(live.expect("ended", Some("live"))["result"], 0);
    tell(port, Some(&source.repository.master_ref()), &[]);
    polls(&source, 2).await;
    assert_eq!(snapshots(&place), 4, "the webhook tells nothing new");

    assert_eq!(live.end().code, 0);
    place.expect(0, &["verify", "--full", "--identity", "keys/recovery.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_during_a_snapshot_makes_exactly_one_more() {
    let source = small();
    let (place, port) = listening(&source);
    let live = Live::begin(&place);
    live.expect("will-run", Some("live"));
    polls(&source, 1).await;
    source.repository.edit(0.05, 11).unwrap();
    // As soon as the run has read its root, something else is published, and told of twice.
    let (reached, mut is_reached) = tokio::sync::mpsc::unbounded_channel();
    let searches = source.control().requests_to(Endpoint::Search);
    source.control().set_faults(Faults { latency: Duration::from_millis(200), ..Faults::default() });
    source.control().on_request_to(Endpoint::Search, searches + 1, move |_| reached.send(()).unwrap());
    tell(port, Some(&source.repository.master_ref()), &[]);
    tokio::time::timeout(PATIENCE, is_reached.recv()).await.unwrap().unwrap();
    source.repository.edit(0.05, 12).unwrap();
    tell(port, Some(&source.repository.master_ref()), &[]);
    tell(port, Some(&source.repository.master_ref()), &[]);
    assert_eq!(live.expect("ended", Some("live"))["result"], 0);
    source.control().set_faults(Faults::default());
    assert_eq!(live.expect("ended", Some("live"))["result"], 0);
    polls(&source, 2).await;
    assert_eq!(snapshots(&place), 4, "two by hand, one of each publish");
    assert_eq!(live.end().code, 0);
    let listed = place.expect(0, &["show", "latest", "--json"]).json();
    assert_eq!(listed["manifest"]["source"]["master_ref"], source.repository.master_ref());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_webhook_names_spares_the_search_for_it_and_lies_change_nothing() {
    let source = Source::synthetic(2500, 4);
    let (place, port) = listening(&source);
    let live = Live::begin(&place);
    live.expect("will-run", Some("live"));
    polls(&source, 1).await;
    let ids: Vec<String> =
        source.repository.documents().iter().map(|one| one.head.id().to_string()).collect();
    let searches = || source.control().requests_to(Endpoint::Search);
    // Gone, and named among many that are not.
    let before = searches();
    source.repository.remove_documents(&[&ids[0]]);
    let lies = ids[1..60].iter().map(String::as_str).chain(["none", "\"]] or", ""]);
    let named: Vec<&str> = std::iter::once(ids[0].as_str()).chain(lies).collect();
    tell(port, Some(&source.repository.master_ref()), &named);
    assert_eq!(live.expect("ended", Some("live"))["result"], 0);
    let told = searches() - before;
    // Gone, and not named.
    let before = searches();
    source.repository.remove_documents(&[&ids[100]]);
    tell(port, Some(&source.repository.master_ref()), &["none"]);
    assert_eq!(live.expect("ended", Some("live"))["result"], 0);
    let untold = searches() - before;
    assert!(told + 10 < untold, "{told} and {untold}");
    assert_eq!(live.end().code, 0);
    let latest = place.expect(0, &["show", "latest", "--json"]).json();
    let manifest = &latest["manifest"];
    assert_eq!(manifest["read"]["documents"], "incremental", "{}", manifest["read"]);
    assert_eq!(manifest["counts"]["documents"]["stored"], 2498);
}

/// Removes what a probe found: nobody knows what the store does.
fn forget_probes(place: &Workplace) {
    for entry in std::fs::read_dir(place.file("vault/state")).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("abilities") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn that_there_are_no_leases_is_said_once_and_not_at_each_run() {
    let source = small();
    let place = place_with(&source, &[("often", SECONDLY)]);
    forget_probes(&place);
    let live = Live::begin(&place);
    for _ in 0..2 {
        live.expect("ended", Some("often"));
    }
    let end = live.end();
    assert_eq!(end.stderr.matches("another host may run often as well").count(), 1, "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_leases_snapshots_run_and_what_removes_does_not() {
    let source = small();
    let prune = "job = \"prune\"\nrepositories = [\"*\"]\ncron = \"@weekly\"\n";
    let place = place_with(&source, &[("yearly", YEARLY), ("prune", prune)]);
    forget_probes(&place);
    let run = place.expect(0, &["jobs", "run", "yearly"]);
    assert!(run.stderr.contains("another host may run yearly as well, which does no harm"), "{run:?}");
    let run = place.expect(5, &["jobs", "run", "prune"]);
    for said in ["prune did not run", "prismvault doctor"] {
        assert!(run.stderr.contains(said), "{said}: {run:?}");
    }
    // The way out that it names.
    place.run(&["doctor"]);
    place.expect(0, &["jobs", "run", "prune"]);
}
