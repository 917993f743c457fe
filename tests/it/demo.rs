//! The demo as people and scripts run it.

use serde_json::Value;

use crate::workplace::{Run, Workplace};

const STEPS: [&str; 12] = [
    "source",
    "vault",
    "first-snapshot",
    "unchanged-snapshot",
    "edit",
    "newest-snapshot",
    "verify",
    "damage",
    "notice",
    "repair",
    "restore",
    "compare",
];

const SMALL: [&str; 4] = ["--documents", "40", "--assets", "4"];

fn demo(workplace: &Workplace, arguments: &[&str]) -> Run {
    workplace.run(&[&["demo"], &SMALL[..], arguments].concat())
}

fn step<'a>(report: &'a Value, name: &str) -> &'a Value {
    let steps = report["steps"].as_array().unwrap();
    steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step {name}: {report}"))
}

#[test]
fn every_step_succeeds_and_nothing_is_left_behind() {
    let workplace = Workplace::new();
    let temporary = tempfile::tempdir().unwrap();
    let mut command = workplace.command(&["demo", "--json"]);
    // A proxy that is not there must not matter: nothing leaves this machine.
    command.args(SMALL).env("TMPDIR", temporary.path()).env("http_proxy", "http://127.0.0.1:9");
    let run = Run::from(command.output().unwrap());
    assert_eq!(run.code, 0, "{run:?}");
    let report = run.json();
    assert_eq!((&report["succeeded"], &report["error"]), (&Value::Bool(true), &Value::Null));
    let names: Vec<&str> =
        report["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(names, STEPS);
    for step in report["steps"].as_array().unwrap() {
        assert_eq!(step["succeeded"], true, "{step}");
        assert!(step["figures"].is_object(), "{step}");
    }
    let figure = |name: &str, figure: &str| step(&report, name)["figures"][figure].as_u64().unwrap();
    assert_eq!((figure("source", "documents"), figure("source", "assets")), (40, 4));
    assert_eq!(figure("first-snapshot", "documents"), 40);
    assert!(figure("unchanged-snapshot", "requests") <= 11, "{report}");
    assert_eq!(figure("unchanged-snapshot", "objects_per_replica"), 2);
    assert!(figure("newest-snapshot", "objects_per_replica") <= 12, "{report}");
    assert_eq!(step(&report, "notice")["figures"]["damage"].as_array().unwrap().len(), 1);
    for moment in ["first", "newest"] {
        let compared = &step(&report, "compare")["figures"][moment];
        assert_eq!((&compared["assets"], compared["differences"].as_array().unwrap().len()), (&4.into(), 0));
        assert_eq!(compared["documents"], 40);
        assert!(compared["release_documents"].as_u64().unwrap() > 0, "{compared}");
    }
    for place in [workplace.home(), workplace.path(), temporary.path().to_owned()] {
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0, "{}", place.display());
    }
}

#[test]
fn what_it_leaves_in_a_directory_is_a_vault_to_go_on_with() {
    let workplace = Workplace::new();
    let run = demo(&workplace, &["--dir", "a demo"]);
    assert_eq!(run.code, 0, "{run:?}");
    for (number, words) in [(1, "A repository"), (8, "Damage"), (12, "Compare")] {
        assert!(run.stdout.contains(&format!("{number:>2}  {words}")), "{}", run.stdout);
    }
    // The commands that it suggests work when they are pasted, spaces or not.
    let suggested: Vec<&str> = run
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.contains("--config"))
        .collect();
    assert_eq!(suggested.len(), 4, "{}", run.stdout);
    for command in suggested {
        let shell = std::process::Command::new("sh")
            .args(["-c", command])
            .env_clear()
            .env("HOME", workplace.home())
            .env("PATH", "/usr/bin:/bin")
            .current_dir(workplace.path())
            .output()
            .unwrap();
        let pasted = Run::from(shell);
        assert_eq!(pasted.code, 0, "{command}: {pasted:?}");
        if command.ends_with("list") {
            assert_eq!(pasted.stdout.matches("complete").count(), 3, "{}", pasted.stdout);
        }
    }
    assert!(workplace.path().join("restored/models/customtypes").is_dir());
    assert!(!workplace.path().join("a demo/client").exists());
}

#[test]
fn a_directory_with_something_in_it_is_refused() {
    let workplace = Workplace::new();
    workplace.write("mine.txt", "keep me");
    let run = demo(&workplace, &["--dir", "."]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("is not empty, and a demo overwrites nothing"), "{}", run.stderr);
    assert_eq!(std::fs::read_dir(workplace.path()).unwrap().count(), 1);

    let run = demo(&workplace, &["--dir", "mine.txt"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.starts_with("error: cannot use mine.txt\n"), "{}", run.stderr);
}

#[cfg(unix)]
#[test]
fn a_failure_names_its_step_and_keeps_what_was_made() {
    let workplace = Workplace::new();
    let limited = |arguments: &[&str]| {
        let mut command = workplace.command_on_small_disk(100, arguments);
        Run::from(command.env("TMPDIR", workplace.home()).output().unwrap())
    };
    let run = limited(&["demo", "--documents", "40", "--assets", "4", "--dir", "here"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.starts_with("error: step 3 (A first snapshot) failed\n  1: "), "{}", run.stderr);
    assert!(run.stderr.contains("hint: what was made until then is in "), "{}", run.stderr);
    assert!(workplace.path().join("here/prismvault.toml").exists());

    let run = limited(&["demo", "--documents", "40", "--assets", "4", "--json"]);
    assert_eq!(run.code, 1, "{run:?}");
    let report = run.json();
    assert_eq!((&report["succeeded"], report["steps"].as_array().unwrap().len()), (&Value::Bool(false), 3));
    assert_eq!(step(&report, "first-snapshot")["succeeded"], false);
    assert_eq!(report["error"]["message"], "step 3 (A first snapshot) failed");
    assert!(std::path::Path::new(report["directory"].as_str().unwrap()).is_dir(), "kept, to be looked at");
}
