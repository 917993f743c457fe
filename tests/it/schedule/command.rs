//! `prismvault jobs` as people and timers call it.

use crate::backups::{Source, first_try, words};
use crate::workplace::Workplace;

const NIGHTLY: &str =
    "job = \"snapshot\"\nrepositories = [\"*\"]\ncron = \"15 2 * * *\"\ntimezone = \"Asia/Tokyo\"\n";
const VERIFY: &str =
    "job = \"verify\"\nrepositories = [\"acme-blog\"]\ncron = \"@weekly\"\nlevel = \"bytes\"\n";

/// A place with a configuration of one repository that nobody answers for, and jobs.
fn place_with(jobs: &[(&str, &str)]) -> Workplace {
    let place = Workplace::new();
    place.write("prismvault.toml", "[repositories.acme-blog]\nrepository = \"acme-blog\"\n");
    write_jobs(&place, jobs);
    place
}

fn write_jobs(place: &Workplace, jobs: &[(&str, &str)]) {
    std::fs::create_dir_all(place.path().join("schedules")).unwrap();
    for (name, text) in jobs {
        place.write(&format!("schedules/{name}.toml"), text);
    }
}

/// A place in which a first snapshot was taken.
fn place_of(source: &Source) -> Workplace {
    let place = Workplace::new();
    let first = place.run(&words(&first_try(source)));
    assert_eq!(first.code, 0, "{first:?}");
    place
}

#[test]
fn jobs_are_listed_and_checked_without_vault_or_network() {
    let place = place_with(&[("nightly", NIGHTLY), ("weekly", VERIFY)]);
    let list = place.run(&["jobs", "list"]);
    assert_eq!(list.code, 0, "{list:?}");
    for said in ["nightly", "snapshot", "15 2 * * *", "Asia/Tokyo", "02:15:00 +09:00", "verify (bytes)"] {
        assert!(list.stdout.contains(said), "{said}: {}", list.stdout);
    }
    let json = place.run(&["jobs", "list", "--json"]).json();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["jobs"][0]["name"], "nightly");
    assert_eq!(json["jobs"][0]["selected"][0], "acme-blog");
    assert!(json["jobs"][0]["next"]["utc"].as_str().unwrap().ends_with("T17:15:00Z"), "{json}");
    assert_eq!(json["jobs"][1]["level"], "bytes");
    let check = place.run(&["jobs", "check"]);
    assert_eq!(check.code, 0, "{check:?}");
    assert_eq!(check.stdout.matches("good").count(), 2, "{}", check.stdout);
}

#[test]
fn what_is_wrong_is_said_with_file_and_line_and_exit_code_2() {
    let place = place_with(&[
        ("bad-cron", &NIGHTLY.replace("15 2", "75 2")),
        ("bad-name", &VERIFY.replace("acme-blog", "acme-blgo")),
        ("nightly", NIGHTLY),
    ]);
    for action in ["check", "list", "next"] {
        let run = place.run(&["jobs", action]);
        assert_eq!(run.code, 2, "{action}: {run:?}");
        for said in [
            "schedules/bad-cron.toml:3: cron: \"75\"",
            "schedules/bad-name.toml:2: repositories[0]: there is no repository \"acme-blgo\", did you mean \"acme-blog\"?",
        ] {
            assert!(run.stdout.contains(said), "{action}: {}", run.stdout);
        }
        let json = place.run(&["jobs", action, "--json"]).json();
        assert_eq!(json["mistakes"][0]["line"], 3, "{json}");
        assert_eq!(json["mistakes"][0]["key"], "cron", "{json}");
        assert_eq!(json["mistakes"][1]["file"], "schedules/bad-name.toml", "{json}");
    }
    let run = place.run(&["jobs", "run", "bad-cron"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("schedules/bad-cron.toml:3"), "{}", run.stderr);
    for name in ["nighlty", "../nightly"] {
        let run = place.run(&["jobs", "run", name]);
        assert_eq!(run.code, 2, "{run:?}");
    }
    assert!(place.run(&["jobs", "run", "nighlty"]).stderr.contains("did you mean \"nightly\"?"));
}

#[test]
fn a_directory_without_jobs_is_an_error_with_the_next_step() {
    let place = place_with(&[]);
    for directory in ["schedules", "nothing-here"] {
        let run = place.run(&["jobs", "check", "--schedules", directory]);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains(directory) && run.stderr.contains("nightly.toml"), "{}", run.stderr);
    }
}

#[test]
fn the_next_runs_are_shown_in_local_time_and_utc() {
    let place = place_with(&[("nightly", NIGHTLY), ("weekly", VERIFY)]);
    let json = place.run(&["jobs", "next", "--count", "20", "--json"]).json();
    let runs = json["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 20);
    let times: Vec<_> = runs.iter().map(|run| run["utc"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    for run in runs {
        let local: chrono::DateTime<chrono::FixedOffset> = run["local"].as_str().unwrap().parse().unwrap();
        assert_eq!(run["utc"], prismvault::clock::rfc3339(local.to_utc()));
    }
    let run = place.run(&["jobs", "next"]);
    assert_eq!((run.code, run.stdout.lines().count()), (0, 11), "{run:?}");
    assert_eq!(place.run(&["jobs", "next", "--count", "0"]).code, 2);
}

#[test]
fn the_directory_is_beside_the_configuration_or_named() {
    let place = place_with(&[("nightly", NIGHTLY)]);
    let elsewhere = place.home();
    std::fs::rename(place.path().join("schedules"), elsewhere.join("schedules")).unwrap();
    std::fs::copy(place.path().join("prismvault.toml"), elsewhere.join("prismvault.toml")).unwrap();
    let config = elsewhere.join("prismvault.toml");
    assert_eq!(place.run(&["jobs", "check"]).code, 2);
    assert_eq!(place.run(&["jobs", "check", "--config", config.to_str().unwrap()]).code, 0);
    let schedules = elsewhere.join("schedules");
    assert_eq!(place.run(&["jobs", "--schedules", schedules.to_str().unwrap(), "check"]).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_does_what_the_command_does_and_leaves_its_name() {
    let source = Source::synthetic(60, 4);
    let place = place_of(&source);
    write_jobs(&place, &[("nightly", NIGHTLY), ("weekly", VERIFY), ("broken", "job = ")]);
    let run = place.run(&["jobs", "run", "nightly", "--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let report = run.json();
    assert_eq!(
        (&report["repository"], &report["manifest"]["trigger"]),
        (&"acme-blog".into(), &"nightly".into())
    );
    let show = place.run(&["show", "latest"]);
    assert!(show.stdout.contains("started by: nightly"), "{}", show.stdout);

    let run = place.run(&["jobs", "run", "weekly", "--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.json()["snapshots"], 2);
    assert!(run.json()["bytes_read"].as_u64().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_never_passes_for_what_it_did_not_see() {
    let source = Source::synthetic(60, 4);
    let place = place_of(&source);
    // A second repository, of which there is no snapshot yet.
    let file = place.path().join("prismvault.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    place.write("prismvault.toml", &format!("{config}\n[repositories.shop]\nrepository = \"acme-shop\"\n"));
    let both = VERIFY.replace("[\"acme-blog\"]", "[\"acme-blog\", \"shop\"]");
    let all = VERIFY.replace("acme-blog", "*");
    let shop = VERIFY.replace("acme-blog", "shop");
    let deep = VERIFY.replace("bytes", "content");
    write_jobs(&place, &[("blog", VERIFY), ("both", &both), ("all", &all), ("shop", &shop), ("deep", &deep)]);
    assert_eq!(place.run(&["jobs", "run", "blog"]).code, 0);
    for job in ["both", "all"] {
        let run = place.run(&["jobs", "run", job]);
        assert_eq!(run.code, 3, "{run:?}");
        assert!(run.stderr.contains("shop has no snapshot"), "{}", run.stderr);
    }
    let run = place.run(&["jobs", "run", "shop"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("there is no snapshot to verify"), "{}", run.stderr);

    // Content is read only with the identity that reads it.
    let recovery = place.home().join("recovery.txt");
    std::fs::rename(place.path().join("keys/recovery.txt"), &recovery).unwrap();
    let run = place.run(&["jobs", "run", "deep"]);
    assert_eq!(run.code, 2, "{run:?}");
    let run = place.run(&["jobs", "run", "deep", "--identity", recovery.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{run:?}");

    // A pack that is gone decides the exit code as it does for `verify`.
    let mut packs = vec![place.path().join("vault")];
    let pack = loop {
        let path = packs.pop().expect("a vault has packs");
        if path.is_dir() {
            packs.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.to_string_lossy().contains("/packs/") {
            break path;
        }
    };
    std::fs::remove_file(pack).unwrap();
    assert_eq!(place.run(&["jobs", "run", "blog"]).code, 4);
    assert_eq!(place.run(&["jobs", "run", "all"]).code, 4);
}
