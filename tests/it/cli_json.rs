//! `--json` on every command: one document (or one object a line) on standard output, which says
//! by which exit code the command ends, also when it fails.

use serde_json::Value;

use crate::backups::{first_try, small, words};
use crate::workplace::{Run, Workplace};

/// Every command that ends by itself, with arguments that are understood anywhere.
const COMMANDS: &[&[&str]] = &[
    &["init"],
    &["doctor"],
    &["snapshot"],
    &["status"],
    &["list"],
    &["show", "latest"],
    &["verify"],
    &["repair"],
    &["find", "term"],
    &["diff", "latest", "latest"],
    &["cat", "latest", "repository/languages.json"],
    &["export", "latest", "--to", "out.tar"],
    &["restore", "files", "latest", "--to", "out"],
    &["serve", "latest", "--check"],
    &["accept", "acme-blog", "assets/x/original", "--reason", "gone"],
    &["access", "import", "members.csv"],
    &["access", "import", "members.csv"],
    &["access", "diff"],
    &["access", "review"],
    &["privacy"],
    &["privacy", "list"],
    &["privacy", "due"],
    &["drill", "list"],
    &["drill", "show", "latest"],
    &["drill", "export", "latest", "--to", "bundle"],
    &["drill", "verify", "latest"],
    &["audit", "list"],
    &["audit", "verify"],
    &["jobs", "list"],
    &["jobs", "check"],
    &["jobs", "next"],
    &["jobs", "run", "nightly"],
    &["jobs", "notify-test"],
    &["config"],
];

/// Checks that each line, or all of it, is an object that names the exit code; returns the last.
#[track_caller]
fn documents(run: &Run, arguments: &[&str]) -> Value {
    let whole: Result<Value, _> = serde_json::from_str(&run.stdout);
    let all: Vec<Value> = match whole {
        Ok(one) => vec![one],
        Err(_) => run
            .stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {run:?}"))
            })
            .collect(),
    };
    for document in &all {
        assert_eq!(document["schema"], 1, "{arguments:?}: {document}");
        assert!(document["exit_code"].is_u64(), "{arguments:?}: {document}");
    }
    let last = all.last().unwrap_or_else(|| panic!("{arguments:?} prints nothing: {run:?}")).clone();
    assert_eq!(last["exit_code"], run.code, "{arguments:?}: {run:?}");
    last
}

#[track_caller]
fn json(place: &Workplace, arguments: &[&str]) -> Value {
    let run = place.run(&[arguments, &["--json"]].concat());
    documents(&run, arguments)
}

#[test]
fn every_command_that_fails_prints_one_error_with_its_exit_code() {
    let place = Workplace::new();
    for arguments in COMMANDS {
        let run = place.run(&[arguments, &["--json"][..]].concat());
        assert_eq!((run.code, run.stderr.as_str()), (2, ""), "{arguments:?}: {run:?}");
        let document = documents(&run, arguments);
        let error = &document["error"];
        assert_eq!(error["exit_code"], document["exit_code"], "{arguments:?}: {document}");
        assert!(error["kind"].is_string() && error["message"].is_string(), "{arguments:?}: {document}");
        assert!(error["causes"].is_array(), "{arguments:?}: {document}");
        assert!(!error["hints"].as_array().unwrap().is_empty(), "{arguments:?} has no next step: {document}");
    }
    place.write("file", "");
    for (arguments, code) in [
        (&["manual", "file/man"][..], 1),
        (&["completions", "tcsh"], 2),
        (&["sandbox", "--latency", "soon"], 2),
        (&["demo", "--dir", "file"], 1),
        (&["no-such-command"], 2),
    ] {
        let document = json(&place, arguments);
        assert!(document["error"]["message"].is_string(), "{arguments:?}: {document}");
        assert!(code == 2 || document["exit_code"] != 2, "{arguments:?}: {document}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_that_ends_well_says_so() {
    let (source, place) = (small(), Workplace::new());
    let first = first_try(&source);
    let first: Vec<&str> = words(&first);
    assert_eq!(json(&place, &first)["exit_code"], 0);
    std::fs::create_dir(place.file("schedules")).unwrap();
    place.write(
        "schedules/nightly.toml",
        "job = 'snapshot'\nrepositories = ['*']\ncron = '15 2 * * *'\ntimezone = 'UTC'\n",
    );
    place.write("members.csv", "name,email,role\nAnna,anna@acme.example,Owner\n");
    for arguments in COMMANDS {
        let document = json(&place, arguments);
        let code = match *arguments {
            // A vault is there already, nothing is missing.
            ["init"] => 5,
            ["drill", "list"] => 0,
            // There is no drill.
            ["accept" | "drill", ..] | ["jobs", "notify-test"] => 2,
            _ => 0,
        };
        assert_eq!(document["exit_code"], code, "{arguments:?}: {document}");
        assert_eq!(document.get("error").is_some(), code != 0, "{arguments:?}: {document}");
    }
    for arguments in [&["manual", "man"][..], &["completions", "bash"]] {
        assert_eq!(json(&place, arguments)["exit_code"], 0);
    }
}
