//! The ports of the scheduler: health, metrics, and addresses that change while it runs.
#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Instant;

use prismvault::sandbox::Faults;
use serde_json::Value;

use crate::backups::small;
use crate::cli_run::{Live, PATIENCE, SECONDLY, YEARLY, place_with, post};
use crate::workplace::Workplace;

/// The first part of a configuration, to which tables can be added.
fn add(place: &Workplace, tables: &str) {
    let config = place.read("prismvault.toml");
    let own = config.split("\n# added\n").next().unwrap();
    place.write("prismvault.toml", &format!("{own}\n# added\n{tables}"));
}

/// The address in an event that says where it listens, and the path.
fn address(event: &Value) -> (SocketAddr, String) {
    let url = event["detail"].as_str().unwrap().strip_prefix("http://").unwrap();
    let (place, path) = url.split_once('/').unwrap();
    (place.parse().unwrap(), format!("/{path}"))
}

/// A port that nobody has.
fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Gets a page; its status and its body. `None` when nobody listens.
fn get(place: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(place).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// Gets a page until it is as wanted.
#[track_caller]
fn until(place: SocketAddr, path: &str, wanted: impl Fn(u16, &str) -> bool) -> String {
    let begun = Instant::now();
    loop {
        let got = get(place, path);
        if let Some((status, body)) = &got
            && wanted(*status, body)
        {
            return body.clone();
        }
        assert!(begun.elapsed() < PATIENCE, "{path}: {got:#?}");
        std::thread::yield_now();
    }
}

/// The value of a metric.
fn value(page: &str, metric: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '))?;
    line.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_numbers_are_served_and_a_scrape_asks_nobody_for_anything() {
    let source = small();
    let place = place_with(&source, &[("often", SECONDLY), ("yearly", YEARLY)]);
    std::fs::create_dir(place.file("metrics")).unwrap();
    add(
        &place,
        "[metrics]\nlisten = \"127.0.0.1:0\"\ntextfile = \"metrics/prismvault.prom\"\n[objectives]\nrpo = \"24h\"\n",
    );
    let live = Live::begin(&place);
    let (port, path) = address(&live.expect("listening", None));
    assert_eq!(path, "/metrics");
    assert_eq!(get(port, "/healthz").unwrap(), (200, "prismvault: ok\n".to_owned()));
    until(port, "/readyz", |status, _| status == 200);
    assert_eq!(live.expect("ended", Some("often"))["result"], 0);
    // The run is in it soon, not only with the next look in minutes.
    let last = "prismvault_job_last_success_timestamp_seconds{job_name=\"often\",does=\"snapshot\"}";
    let page = until(port, "/metrics", |status, page| status == 200 && value(page, last).is_some());
    for (metric, expected) in [
        ("prismvault_scheduler_jobs", 2.0),
        ("prismvault_scheduler_jobs_at_once", 2.0),
        ("prismvault_objective_state{repository=\"acme-blog\",objective=\"rpo\"}", 0.0),
        ("prismvault_retries_total", 0.0),
    ] {
        assert_eq!(value(&page, metric), Some(expected), "{metric}: {page}");
    }
    for metric in [
        "prismvault_scheduler_start_timestamp_seconds",
        "prismvault_scheduler_turn_timestamp_seconds",
        "prismvault_status_timestamp_seconds",
        "prismvault_scheduler_runs_total{job_name=\"often\",result=\"done\"}",
        "prismvault_scheduler_run_seconds_total{job_name=\"often\"}",
        "prismvault_scheduler_looks_total{result=\"done\"}",
        "prismvault_last_complete_timestamp_seconds{repository=\"acme-blog\"}",
        "prismvault_requests_total{of=\"replica local\",operation=\"put\"}",
    ] {
        assert!(value(&page, metric).is_some_and(|value| value > 0.0), "{metric}: {page}");
    }
    // In whole seconds: a small source takes less than one.
    for metric in [
        "prismvault_job_duration_seconds{job_name=\"often\",does=\"snapshot\"}",
        "prismvault_requests_total{of=\"Content API\"",
    ] {
        assert!(page.contains(metric), "{metric}: {page}");
    }
    let file = place.read("metrics/prismvault.prom");
    assert!(value(&file, last).is_some() && file.contains("prismvault_scheduler_jobs 2"), "{file}");
    // Without jobs that run, what is asked for is asked by scrapes alone: nothing.
    std::fs::remove_file(place.file("schedules/often.toml")).unwrap();
    live.signal("HUP");
    live.expect("reloaded", None);
    let idle = |_: u16, page: &str| value(page, "prismvault_scheduler_jobs_running") == Some(0.0);
    let requests = |page: &str| -> Vec<String> {
        page.lines().filter(|line| line.starts_with("prismvault_requests_total")).map(str::to_owned).collect()
    };
    let before = until(port, "/metrics", idle);
    source.control().reset_counters();
    // What the scheduler asks by itself after it read its files comes to an end; what scrapes asked
    // would not.
    let begun = Instant::now();
    loop {
        let first = get(port, "/metrics").unwrap().1;
        let pages: Vec<String> = (0..20).map(|_| get(port, "/metrics").unwrap().1).collect();
        if requests(pages.last().unwrap()) == requests(&first) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{first}");
    }
    assert_eq!(source.control().request_count(), 0);
    // Ages are those of now, not of the last look.
    let age = "prismvault_snapshot_age_seconds{repository=\"acme-blog\"}";
    let older = value(&before, age).unwrap() + 2.0;
    until(port, "/metrics", |_, page| value(page, age).unwrap() >= older);
    // Asked to end it says so as long as something is under way.
    source
        .control()
        .set_faults(Faults { latency: std::time::Duration::from_millis(100), ..Faults::default() });
    place.write("schedules/often.toml", SECONDLY);
    live.signal("HUP");
    live.expect("begun", Some("often"));
    live.signal("TERM");
    live.expect("stopping", None);
    let (status, why) = get(port, "/readyz").expect("it listens to the end");
    assert_eq!((status, why.as_str()), (503, "prismvault: it was asked to end\n"));
    assert_eq!(get(port, "/healthz").unwrap().0, 200);
    assert_eq!(live.ended().code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_ready_before_the_vault_was_opened() {
    let source = small();
    let place = place_with(&source, &[("yearly", YEARLY)]);
    add(&place, "[metrics]\nlisten = \"127.0.0.1:0\"\n");
    std::fs::rename(place.file("vault"), place.file("elsewhere")).unwrap();
    let live = Live::begin(&place);
    let (port, _) = address(&live.expect("listening", None));
    let said = until(port, "/readyz", |status, _| status == 503);
    assert_eq!(said, "prismvault: the vault has not been opened yet, standard error says why\n");
    assert_eq!(get(port, "/healthz").unwrap().0, 200, "to begin again would not help");
    let page = get(port, "/metrics").unwrap().1;
    assert_eq!(value(&page, "prismvault_scheduler_jobs"), Some(1.0), "its own numbers it has: {page}");
    std::fs::rename(place.file("elsewhere"), place.file("vault")).unwrap();
    // What is read anew is asked for anew.
    live.signal("HUP");
    until(port, "/readyz", |status, body| status == 200 && body == "prismvault: ok\n");
    live.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_somebody_has_is_an_error_before_anything_runs() {
    let source = small();
    let place = place_with(&source, &[("often", SECONDLY)]);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = other.local_addr().unwrap();
    add(&place, &format!("[metrics]\nlisten = \"{listen}\"\n"));
    let run = place.expect(2, &["run"]);
    for said in [&format!("cannot serve metrics on {listen}"), "`listen` in [metrics]", "prismvault doctor"] {
        assert!(run.stderr.contains(said), "{said}: {run:?}");
    }
    assert_eq!(run.stdout, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_addresses_and_settings_are_taken_over_and_those_that_cannot_be_had_are_refused() {
    let source = small();
    let live = "job = \"snapshot\"\nrepositories = [\"*\"]\non_publish = true\npoll = \"1h\"\n";
    let place = place_with(&source, &[("live", live), ("a", YEARLY)]);
    place.write("secret.txt", "a-long-secret-of-a-webhook");
    let config = place.read("prismvault.toml").replacen(
        "repository = \"acme-blog\"\n",
        "repository = \"acme-blog\"\nwebhook_secret = { file = \"secret.txt\" }\n",
        1,
    );
    place.write("prismvault.toml", &config);
    let tables = |webhook: u16, metrics: u16, run: &str| {
        format!(
            "[webhook]\nlisten = \"127.0.0.1:{webhook}\"\nquiet = \"1h\"\nlongest_wait = \"1h\"\n\
             [metrics]\nlisten = \"127.0.0.1:{metrics}\"\n{run}"
        )
    };
    let (first, second) = ((free(), free()), (free(), free()));
    add(&place, &tables(first.0, first.1, ""));
    let live = Live::begin(&place);
    live.expect("listening", None);
    let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    until(at(first.1), "/readyz", |status, _| status == 200);
    let body = |secret: &str| {
        format!("{{\"type\":\"test-trigger\",\"domain\":\"acme-blog\",\"secret\":\"{secret}\"}}")
    };
    assert!(post(first.0, &body("a-long-secret-of-a-webhook")).contains(" 200 "));
    // Another secret behind the same address, and other settings of the scheduler.
    place.write("secret.txt", "another-secret-of-a-webhook");
    add(&place, &tables(first.0, first.1, "[run]\njobs_at_once = 7\n"));
    live.signal("HUP");
    live.expect("reloaded", None);
    assert!(post(first.0, &body("a-long-secret-of-a-webhook")).contains(" 401 "));
    assert!(post(first.0, &body("another-secret-of-a-webhook")).contains(" 200 "));
    until(at(first.1), "/metrics", |_, page| value(page, "prismvault_scheduler_jobs_at_once") == Some(7.0));
    // An address that another program has: all stays as it was.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().port();
    add(&place, &tables(second.0, taken, ""));
    live.signal("HUP");
    live.expect("refused", None);
    assert!(post(first.0, &body("another-secret-of-a-webhook")).contains(" 200 "));
    assert!(TcpStream::connect(at(second.0)).is_err(), "half of it was taken over");
    let page = until(at(first.1), "/metrics", |_, page| page.contains("reloads_total{result=\"refused\"}"));
    assert_eq!(value(&page, "prismvault_scheduler_jobs_at_once"), Some(7.0), "{page}");
    assert_eq!(value(&page, "prismvault_webhooks_total{result=\"test\"}"), Some(2.0), "{page}");
    // Other addresses.
    add(&place, &tables(second.0, second.1, ""));
    live.signal("HUP");
    live.expect("listening", None);
    live.expect("reloaded", None);
    assert!(post(second.0, &body("another-secret-of-a-webhook")).contains(" 200 "));
    until(at(second.1), "/readyz", |status, _| status == 200);
    for old in [first.0, first.1] {
        let begun = Instant::now();
        while TcpStream::connect(at(old)).is_ok() {
            assert!(begun.elapsed() < PATIENCE, "{old} is still open");
        }
    }
    // None any more.
    add(&place, "[limits]\ncontent_requests = 17\n");
    live.signal("HUP");
    live.expect("closed", None);
    live.expect("reloaded", None);
    let said = live.expect("needs-restart", None);
    assert!(said["detail"].as_str().unwrap().contains("[limits]"), "{said}");
    assert_eq!(live.end().code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_to_finish_is_that_of_the_files_as_they_are_now() {
    let source = small();
    let place = place_with(&source, &[("often", SECONDLY)]);
    add(&place, "[run]\nfinish = \"1h\"\n");
    source.control().set_faults(Faults { latency: std::time::Duration::from_mins(10), ..Faults::default() });
    let mut command = place.command(&["run", "--json"]);
    command.stdin(Stdio::null());
    let live = Live::from(command);
    live.expect("begun", Some("often"));
    add(&place, "[run]\nfinish = \"0s\"\n");
    live.signal("HUP");
    live.expect("reloaded", None);
    let begun = Instant::now();
    assert_eq!(live.end().code, 0);
    assert!(begun.elapsed() < PATIENCE, "it waited as the old file says");
}

/// Findings of `doctor` of a level about a subject.
fn findings(place: &Workplace, level: &str) -> Vec<String> {
    let document = place.run(&["doctor", "--offline", "--json"]).json();
    let all = document["findings"].as_array().unwrap_or_else(|| panic!("{document:#}")).clone();
    let of = all.iter().filter(|finding| finding["level"] == level);
    of.map(|finding| {
        format!("{}: {}", finding["subject"].as_str().unwrap(), finding["what"].as_str().unwrap())
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_who_has_the_ports_and_who_reaches_them() {
    let source = small();
    let place = place_with(&source, &[("yearly", YEARLY)]);
    place.write("secret.txt", "a-long-secret-of-a-webhook");
    let config = place.read("prismvault.toml").replacen(
        "repository = \"acme-blog\"\n",
        "repository = \"acme-blog\"\nwebhook_secret = { file = \"secret.txt\" }\n",
        1,
    );
    place.write("prismvault.toml", &config);
    let (webhook, metrics) = (free(), free());
    let tables = |host: &str, more: &str| {
        format!("[webhook]\nlisten = \"{host}:{webhook}\"\n{more}[metrics]\nlisten = \"{host}:{metrics}\"\n")
    };
    add(&place, &tables("127.0.0.1", ""));
    let has = |level: &str, what: &str| {
        let found = findings(&place, level);
        assert!(found.iter().any(|finding| finding.contains(what)), "{what}: {found:#?}");
    };
    has("ok", &format!("listen in [webhook]: 127.0.0.1:{webhook} is free"));
    has("ok", &format!("listen in [metrics]: 127.0.0.1:{metrics} is free"));
    has("warning", "webhook: no job takes a snapshot when something is published");
    let live = Live::begin(&place);
    let at = SocketAddr::from(([127, 0, 0, 1], metrics));
    until(at, "/readyz", |status, _| status == 200);
    has("ok", &format!("listen in [webhook]: 127.0.0.1:{webhook} is that of the running scheduler"));
    has("ok", &format!("listen in [metrics]: 127.0.0.1:{metrics} is that of the running scheduler"));
    assert_eq!(live.end().code, 0);
    let other = TcpListener::bind(("127.0.0.1", metrics)).unwrap();
    // A program that ends every connection: nothing that answers as this one does.
    let deaf = std::thread::spawn(move || drop(other.accept()));
    has("error", &format!("listen in [metrics]: 127.0.0.1:{metrics} belongs to another program"));
    deaf.join().unwrap();
    add(&place, &tables("0.0.0.0", ""));
    has("warning", &format!("everybody who reaches 0.0.0.0:{webhook} may send webhooks"));
    has("notice", &format!("whoever reaches 0.0.0.0:{metrics} reads the metrics"));
    add(&place, &tables("127.0.0.1", "allow = [\"203.0.113.0/24\"]\n"));
    has("warning", "allow in [webhook]: refuses every webhook that a proxy passes on");
    add(&place, &tables("203.0.113.7", "allow = [\"203.0.113.0/24\"]\n"));
    has("error", &format!("203.0.113.7:{webhook} is no address of this machine"));
    std::fs::remove_file(place.file("secret.txt")).unwrap();
    has("error", "webhook_secret of acme-blog");
}
