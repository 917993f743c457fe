//! `prismvault doctor`: what it finds, what it says of it, and how it ends.

use serde_json::Value;

use crate::backups::{ACCESS_TOKEN, Source, WRITE_TOKEN, configuration, first_try, small, words};
use crate::s3_server::{ACCESS_KEY, BUCKET, SECRET_KEY};
use crate::s3_strict::{Flaws, StrictServer};
use crate::workplace::{Run, Workplace};

/// Findings of a level, as `subject: what`.
fn findings(document: &Value, level: &str) -> Vec<String> {
    let all = document["findings"].as_array().unwrap_or_else(|| panic!("{document:#}"));
    let of = all.iter().filter(|finding| finding["level"] == level);
    of.map(|finding| {
        format!("{}: {}", finding["subject"].as_str().unwrap(), finding["what"].as_str().unwrap())
    })
    .collect()
}

#[track_caller]
fn has(document: &Value, level: &str, part: &str) {
    let found = findings(document, level);
    assert!(
        found.iter().any(|finding| finding.contains(part)),
        "{part:?} is not among {level}: {document:#}"
    );
}

fn outcome(document: &Value, replica: usize, check: &str) -> String {
    let checks = document["replicas"][replica]["probe"]["checks"].as_array().unwrap();
    checks.iter().find(|one| one["name"] == check).unwrap()["outcome"].as_str().unwrap().to_owned()
}

/// Runs `doctor` with tokens in the environment; nothing that it prints may repeat them.
fn doctor(place: &Workplace, tokens: &[(&str, &str)], arguments: &[&str]) -> Run {
    let mut command = place.command(&[&["doctor"], arguments].concat());
    for (name, token) in tokens {
        command.env(name, token);
    }
    let run = Run::from(command.output().unwrap());
    for (_, token) in tokens {
        assert!(!run.stdout.contains(token) && !run.stderr.contains(token), "{run:?}");
    }
    run
}

/// Three directories, `init` done.
fn three_replicas(source: &Source) -> (Workplace, String) {
    let place = Workplace::new();
    let directories: Vec<_> = ["a", "b", "c"].map(|name| place.file(name)).into();
    let named: Vec<_> =
        ["a", "b", "c"].into_iter().zip(directories.iter().map(std::path::PathBuf::as_path)).collect();
    place.write("prismvault.toml", &configuration(source, &named));
    place.expect(0, &["init"]);
    let text = place.read("prismvault.toml");
    (place, text)
}

#[test]
fn without_configuration_it_says_what_to_do_and_probes_a_place_that_is_named() {
    let place = Workplace::new();
    let run = place.expect(2, &["doctor"]);
    assert!(run.stderr.contains("doctor --to DIR_OR_URL"), "{run:?}");
    let run = place.expect(0, &["doctor", "--to", "./vault", "--json"]);
    has(&run.json(), "notice", "is not there yet");
    assert!(!place.file("vault").exists());
    std::fs::create_dir(place.file("vault")).unwrap();
    let document = place.expect(0, &["doctor", "--to", "./vault", "--json"]).json();
    assert_eq!(outcome(&document, 0, "create-only"), "yes", "{document:#}");
    assert_eq!(outcome(&document, 0, "versions"), "no");
    let people = place.expect(0, &["doctor", "--to", "./vault"]);
    assert!(people.stdout.contains("conditional put") && people.stdout.contains(" ms"), "{people:?}");
    // What it leaves is nothing to `init`.
    place.expect(0, &["init", "--to", "./vault"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_first_try_it_finds_nothing_that_stops_and_says_what_should_change() {
    let (source, place) = (small(), Workplace::new());
    let line = first_try(&source);
    place.expect(0, &words(&line));
    let document = place.expect(0, &["doctor", "--json"]).json();
    assert_eq!(findings(&document, "error"), [""; 0], "{document:#}");
    assert_eq!(document["replicas"][0]["kept"], true);
    for part in
        ["is the only replica", "the recovery identity is on this machine", "the root key is on this machine"]
    {
        has(&document, "warning", part);
    }
    has(&document, "notice", "is read without access_token");
    has(&document, "notice", "holds no jobs");
    has(&document, "ok", "opens content of acme-blog");
    has(&document, "ok", "the Content API answers");

    // The recovery identity belongs elsewhere.
    std::fs::remove_file(place.file("keys/recovery.txt")).unwrap();
    let document = place.expect(0, &["doctor", "--json", "--offline"]).json();
    has(&document, "ok", "the recovery identity is not here, which is good");
    assert!(!findings(&document, "ok").iter().any(|one| one.contains("Content API")), "{document:#}");
    // A snapshot after it is as always, and nothing of the probe is left.
    place.expect(0, &["snapshot"]);
    place.expect(0, &["verify"]);
    assert_eq!(std::fs::read_dir(place.file("vault/state/probe")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_init_the_stores_are_probed_and_that_is_all() {
    let (source, place) = (small(), Workplace::new());
    let directory = place.file("vault");
    place.write("prismvault.toml", &configuration(&source, &[("local", &directory)]));
    let document = place.expect(0, &["doctor", "--json"]).json();
    has(&document, "notice", "there is no vault yet");
    std::fs::create_dir(&directory).unwrap();
    let document = place.expect(0, &["doctor", "--json"]).json();
    has(&document, "notice", "there is no vault yet");
    assert_eq!(outcome(&document, 0, "write"), "yes");
    place.expect(0, &["init"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_away_is_named_and_the_others_are_probed() {
    let (place, _) = three_replicas(&small());
    std::fs::rename(place.file("b"), place.file("away")).unwrap();
    let document = place.expect(3, &["doctor", "--json", "--offline"]).json();
    has(&document, "error", "b: cannot be reached");
    let probed: Vec<_> =
        document["replicas"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(probed, ["a", "c"]);
    // With one of three left no snapshot would count.
    std::fs::rename(place.file("c"), place.file("away too")).unwrap();
    place.expect(1, &["doctor", "--json", "--offline"]);
    let document = place.run(&["doctor", "--json", "--offline", "--replica", "a"]).json();
    assert_eq!(document["replicas"].as_array().unwrap().len(), 1);
    let run = place.expect(2, &["doctor", "--replica", "d"]);
    assert!(run.stderr.contains("there is no replica \"d\""), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_files_in_the_wrong_place_are_found() {
    let (place, text) = three_replicas(&small());
    std::fs::rename(place.file("keys/recovery.txt"), place.file("a/recovery.txt")).unwrap();
    place.write("prismvault.toml", &text.replace("keys/recovery.txt", "a/recovery.txt"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(place.file("keys/signing.key"), mode).unwrap();
    }
    let document = place.expect(1, &["doctor", "--json", "--offline"]).json();
    has(&document, "error", "lies inside the replica a");
    has(&document, "warning", "a and b: lie on one disk or share");
    #[cfg(unix)]
    has(&document, "warning", "signing in [keys]: can be read by other users");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_tried_and_their_age_is_told() {
    let source = small();
    let (place, text) = three_replicas(&source);
    let tokens =
        "access_token = { env = \"READ\", issued = \"2026-01-01\" }\nwrite_token = { env = \"WRITE\" }\n";
    let with_tokens =
        text.replace("repository = \"acme-blog\"\n", &format!("repository = \"acme-blog\"\n{tokens}"));
    place.write("prismvault.toml", &with_tokens);
    let good = [("READ", ACCESS_TOKEN), ("WRITE", WRITE_TOKEN)];
    let writes_before = source.control().request_count();
    let document = doctor(&place, &good, &["--json"]).json();
    assert_eq!(document["exit_code"], 0, "{document:#}");
    has(&document, "ok", "the Asset API takes the write_token");
    has(&document, "ok", "the Types API takes the write_token");
    has(&document, "notice", "the Migration API was not asked");
    has(&document, "notice", "write_token of acme-blog: nothing says how old it is");
    has(&document, "warning", "access_token of acme-blog: is ");
    assert!(source.control().request_count() <= writes_before + 3, "it asks once each");
    assert!(source.control().log().iter().all(|request| request.method == "GET"), "it only reads");

    // Payload {"iat":1785542400}: 2026-08-01.
    let old = "eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjE3ODU1NDI0MDB9.c2lnbmF0dXJl";
    let document = doctor(&place, &[("READ", ACCESS_TOKEN), ("WRITE", old)], &["--json"]).json();
    assert_eq!(document["exit_code"], 1, "{document:#}");
    has(&document, "error", "does not allow this repository with the write token");
    has(&document, "warning", "write_token of acme-blog: is ");
    let document = doctor(&place, &[("READ", ACCESS_TOKEN)], &["--json"]).json();
    has(&document, "error", "write_token of acme-blog: cannot read the secret of");
    assert_eq!(document["exit_code"], 1);

    place.write("prismvault.toml", &with_tokens.replace("2026-01-01", "January"));
    let run = doctor(&place, &good, &[]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("access_token.issued: is not a day"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_job_does_is_said() {
    let (place, _) = three_replicas(&small());
    std::fs::create_dir(place.file("schedules")).unwrap();
    let job = |kind: &str| format!("job = \"{kind}\"\nrepositories = [\"*\"]\ncron = \"15 2 * * *\"\n");
    place.write("schedules/weekly.toml", &job("verify"));
    let document = place.expect(0, &["doctor", "--json", "--offline"]).json();
    has(&document, "warning", "acme-blog: no job takes snapshots of it");
    has(&document, "warning", "no job brings replicas what they missed");
    place.write("schedules/nightly.toml", &job("snapshot"));
    place.write("schedules/copies.toml", &job("replicate"));
    let document = place.expect(0, &["doctor", "--json", "--offline"]).json();
    has(&document, "ok", "3 jobs cover every repository");
    place.write("schedules/broken.toml", &job("snapshott"));
    let document = place.expect(1, &["doctor", "--json", "--offline"]).json();
    has(&document, "error", "did you mean \"snapshot\"");
}

/// A server with versions and locks that has these flaws, and a place configured for it.
async fn on_bucket(flaws: Flaws, lock: bool) -> (StrictServer, Workplace, Source) {
    let all = prismvault::objects::Abilities::ALL;
    let (source, place) = (small(), Workplace::new());
    let server = StrictServer::start(all, 1000, flaws).await;
    let lock = if lock { "object_lock = { mode = \"governance\", days = 1 }\n" } else { "" };
    let bucket = format!(
        "\n[[replicas]]\nname = \"bucket\"\nurl = \"s3://{BUCKET}/prismic\"\nregion = \"eu-central-1\"\n\
         endpoint = \"http://{}\"\nforce_path_style = true\n{lock}",
        server.address
    );
    place.write("prismvault.toml", &(configuration(&source, &[]) + &bucket));
    (server, place, source)
}

fn run(place: &Workplace, arguments: &[&str]) -> Run {
    let mut command = place.command(arguments);
    command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    Run::from(command.output().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_on_a_store_that_overwrites_is_safe_from_the_first_day() {
    let (_server, place, _source) =
        on_bucket(Flaws { overwrites_always: true, ..Flaws::default() }, false).await;
    for arguments in [&["init"][..], &["snapshot"], &["snapshot"], &["verify", "--level", "bytes"]] {
        let run = run(&place, arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {run:?}");
    }
    let document = run(&place, &["doctor", "--json"]).json();
    assert_eq!(document["exit_code"], 0, "{document:#}");
    assert_eq!(outcome(&document, 0, "create-only"), "no");
    has(&document, "notice", "has no create-only puts that can be relied on");
}

#[tokio::test(flavor = "multi_thread")]
async fn object_lock_that_does_not_lock_or_that_nothing_could_be_erased_under_is_refused() {
    let (_server, place, _source) = on_bucket(Flaws { deletes_locked: true, ..Flaws::default() }, true).await;
    let refused = run(&place, &["init"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stderr.contains("a locked version was deleted"), "{refused:?}");
    assert!(!place.file("keys").exists(), "nothing was made");
    let document = run(&place, &["doctor", "--json", "--offline"]).json();
    assert_eq!(document["exit_code"], 1);
    has(&document, "error", "cannot hold a vault as it is configured");

    let (_server, place, _source) = on_bucket(Flaws::default(), true).await;
    let refused = run(&place, &["init", "--no-encryption"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stderr.contains("could never be erased"), "{refused:?}");
    assert!(!place.file("keys").exists(), "nothing was made");
    let made = run(&place, &["init"]);
    assert_eq!(made.code, 0, "{made:?}");
    let document = run(&place, &["doctor", "--json", "--offline"]).json();
    assert_eq!(document["exit_code"], 0, "{document:#}");
    assert_eq!(outcome(&document, 0, "object-lock"), "yes");
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_that_are_not_as_promised_and_copies_that_outlive_an_erasure_are_named() {
    let (_server, place, _source) = on_bucket(Flaws::default(), false).await;
    for arguments in [&["init"][..], &["snapshot"]] {
        assert_eq!(run(&place, arguments).code, 0, "{arguments:?}");
    }
    // Nothing of what lies there is locked when somebody thinks of it.
    let text = place.read("prismvault.toml");
    place.write(
        "prismvault.toml",
        &text.replace(
            "force_path_style = true\n",
            "force_path_style = true\nobject_lock = { mode = \"governance\", days = 1 }\n",
        ),
    );
    let document = run(&place, &["doctor", "--json", "--offline"]).json();
    assert_eq!(document["exit_code"], 3, "{document:#}");
    has(&document, "error", "bucket: not locked: ");
    assert_eq!(run(&place, &["prune", "--yes"]).code, 0);
    let document = run(&place, &["doctor", "--json", "--offline"]).json();
    assert_eq!(document["exit_code"], 0, "{document:#}");
    has(&document, "ok", "bucket: locks are as promised (1 day, governance)");

    let flaws = Flaws { is_copied: true, expires: true, locks_by_default: true, ..Flaws::default() };
    let (_server, place, _source) = on_bucket(flaws, false).await;
    assert_eq!(run(&place, &["init"]).code, 0);
    let document = run(&place, &["doctor", "--json", "--offline"]).json();
    assert_eq!(document["exit_code"], 3, "{document:#}");
    has(&document, "error", "bucket: the lifecycle rule tidy deletes objects by their age");
    has(&document, "warning", "bucket: the bucket copies its objects to arn:aws:s3:::elsewhere");
    has(&document, "warning", "bucket: the bucket locks every object for 1 days (governance) by default");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_a_volume_are_asked_after() {
    let (place, _) = three_replicas(&small());
    let document = place.expect(0, &["doctor", "--json", "--offline"]).json();
    has(&document, "notice", "a: copies of the whole volume");
}
