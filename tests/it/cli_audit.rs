//! What commands leave in the audit log, and `prismvault audit`, as operators and auditors meet
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use clap::CommandFactory as _;
use prismvault::cli::Cli;
use prismvault::sandbox::{Faults, Torn};
use serde_json::Value;

use crate::backups::{Source, configuration, small, struck_at};
use crate::cli_faults::interrupt;
use crate::cli_prune::ripe;
use crate::iam::Place as Bucket;
use crate::restore::tree;
use crate::workplace::{Run, Workplace};

/// A configuration with two directories, made a vault; `first` and `second`.
struct Place {
    workplace: Workplace,
    source: Source,
}

impl Place {
    fn new() -> Self {
        Self::with("")
    }

    fn with(more: &str) -> Self {
        Self::of(small(), more)
    }

    fn of(source: Source, more: &str) -> Self {
        let workplace = Workplace::new();
        let replicas = [("first", &*workplace.file("first")), ("second", &*workplace.file("second"))];
        let config = configuration(&source, &replicas) + more;
        workplace.write("prismvault.toml", &config);
        workplace.expect(0, &["init"]);
        Self { workplace, source }
    }

    #[track_caller]
    fn expect(&self, code: i32, arguments: &[&str]) -> Run {
        self.workplace.expect(code, arguments)
    }

    /// The entries on a replica, by their keys.
    fn entries(&self, replica: &str) -> BTreeMap<String, Value> {
        let objects = tree(&self.workplace.file(replica)).into_iter();
        objects
            .filter(|(key, _)| key.starts_with("audit/"))
            .map(|(key, bytes)| (key, serde_json::from_slice(&bytes).unwrap()))
            .collect()
    }

    /// The newest entry, which both replicas hold.
    fn newest(&self) -> Value {
        let (first, second) = (self.entries("first"), self.entries("second"));
        assert_eq!(first, second);
        first.into_values().max_by_key(|entry| entry["n"].as_u64()).unwrap()
    }

    /// The newest snapshot that was removed.
    fn removed(&self) -> String {
        let listed = self.expect(0, &["list", "--removed", "--json"]).json();
        listed["removed"][0]["id"].as_str().unwrap().to_owned()
    }

    /// The objects on both replicas, but for what may be overwritten or lost at any time.
    fn objects(&self) -> Vec<BTreeMap<String, Vec<u8>>> {
        let objects = |replica| {
            let mut objects = tree(&self.workplace.file(replica));
            objects.retain(|key, _| !key.starts_with("state/"));
            objects
        };
        ["first", "second"].map(objects).into()
    }
}

/// What a command must leave in the audit log.
enum Leaves {
    /// Nothing, and the vault as it was.
    Nothing,
    /// One entry of that name.
    Entry(&'static str),
    /// One that says that it begins, and one that says how it ended.
    Begun(&'static str),
}

use Leaves::{Begun, Entry, Nothing};

/// One line for each command, below it where there is one: arguments, exit code, and what it
/// leaves. They run in this order.
const COMMANDS: &[(&[&str], i32, Leaves)] = &[
    (&["snapshot"], 0, Entry("snapshot")),
    (&["access", "import", "members.csv", "--dry-run"], 0, Nothing),
    (&["access", "import", "members.csv"], 0, Entry("access import")),
    (&["access", "import", "members.csv"], 0, Entry("access import")),
    (&["access", "diff"], 0, Nothing),
    (&["access", "review"], 0, Nothing),
    (&["list"], 0, Nothing),
    (&["status"], 0, Nothing),
    // What it keeps is below state/, and may be lost at any time.
    (&["doctor"], 0, Nothing),
    (&["show", "latest"], 0, Nothing),
    (&["verify", "--full"], 0, Nothing),
    (&["repair", "--dry-run"], 0, Nothing),
    (&["repair"], 0, Entry("repair")),
    (&["replicate", "--dry-run"], 0, Nothing),
    (&["replicate"], 0, Entry("replicate")),
    (&["keys", "list"], 0, Nothing),
    (&["keys", "check"], 0, Nothing),
    (&["keys", "generate", "--identity-to", "new.txt"], 0, Nothing),
    (&["keys", "rewrap", "--dry-run"], 0, Nothing),
    (&["keys", "rewrap", "--yes"], 0, Entry("keys rewrap")),
    (&["keys", "rotate", "--operator", "--dry-run"], 0, Nothing),
    (&["keys", "rotate", "--operator", "--yes"], 0, Begun("keys rotate")),
    (&["keys", "add", "--recovery", READER, "--dry-run"], 0, Nothing),
    (&["keys", "add", "--recovery", READER], 0, Begun("keys add")),
    (&["keys", "remove", READER, "--dry-run"], 0, Nothing),
    // Nobody can be asked.
    (&["keys", "remove", READER], 5, Entry("keys remove")),
    (&["keys", "remove", READER, "--yes"], 0, Begun("keys remove")),
    (&["prune", "--dry-run"], 0, Nothing),
    // It has nothing to delete.
    (&["prune", "--yes"], 0, Entry("prune")),
    (&["prune", "--yes", "--expect-plan", "0"], 5, Entry("prune")),
    (&["hold", "latest", "--reason", "audit", "--dry-run"], 0, Nothing),
    (&["hold", "latest", "--reason", "audit"], 0, Entry("hold")),
    (&["release", "latest", "--reason", "over", "--dry-run"], 0, Nothing),
    (&["release", "latest", "--reason", "over"], 0, Entry("release")),
    // There is no privacy recipient, and no such case: each fails after the vault was opened.
    (&["privacy"], 0, Nothing),
    (&["privacy", "list"], 0, Nothing),
    (&["privacy", "due"], 0, Nothing),
    (&["privacy", "show", "2026-7K3F9Q"], 2, Nothing),
    (&["privacy", "open", "--right", "access", "--dry-run"], 2, Nothing),
    (&["privacy", "open", "--right", "access"], 2, Entry("privacy open")),
    (&["privacy", "letter", "--write-templates"], 0, Nothing),
    (&["privacy", "letter", "2026-7K3F9Q", "receipt"], 2, Nothing),
    (&["privacy", "letter", "2026-7K3F9Q", "receipt", "--sent", "2026-11-22"], 2, Entry("privacy letter")),
    (&["privacy", "identity", "2026-7K3F9Q", "--verified", "--method", "m"], 2, Entry("privacy identity")),
    (&["privacy", "note", "2026-7K3F9Q", "text"], 2, Entry("privacy note")),
    (&["privacy", "note", "2026-7K3F9Q", "text", "--dry-run"], 2, Nothing),
    (&["privacy", "hold", "2026-7K3F9Q", "--ground", "g", "--reason", "r"], 2, Entry("privacy hold")),
    (&["privacy", "extend", "2026-7K3F9Q", "--reason", "r"], 2, Entry("privacy extend")),
    (&["privacy", "pause", "2026-7K3F9Q", "--reason", "r"], 2, Entry("privacy pause")),
    (&["privacy", "resume", "2026-7K3F9Q"], 2, Entry("privacy resume")),
    (&["privacy", "refuse", "2026-7K3F9Q", "--ground", "g", "--reason", "r"], 2, Entry("privacy refuse")),
    (&["privacy", "tasks", "2026-7K3F9Q"], 2, Nothing),
    (&["privacy", "tasks", "2026-7K3F9Q", "--done", "0123456789abcdef"], 2, Entry("privacy tasks")),
    (&["privacy", "letter", "2026-7K3F9Q", "support"], 2, Nothing),
    (&["privacy", "close", "2026-7K3F9Q"], 2, Entry("privacy close")),
    (&["privacy", "reopen", "2026-7K3F9Q", "--reason", "r"], 2, Entry("privacy reopen")),
    (&["privacy", "export", "--ask-prismic"], 0, Nothing),
    (&["privacy", "export", "--write-processing"], 0, Nothing),
    (&["privacy", "export", "2026-7K3F9Q", "--dry-run"], 2, Nothing),
    (&["privacy", "export", "2026-7K3F9Q", "--to", "answer"], 2, Entry("privacy export")),
    (&["privacy", "verify-package", "answer"], 1, Nothing),
    (&["privacy", "verify-certificate", "answer"], 1, Nothing),
    // What it finds is state, as what `verify` finds; here nobody's identity reads cases.
    (&["privacy", "check"], 2, Nothing),
    (&["privacy", "purge", "--dry-run"], 0, Nothing),
    (&["privacy", "purge", "--yes"], 0, Nothing),
    (&["privacy", "rewrap", "--dry-run"], 0, Nothing),
    (&["privacy", "rewrap"], 0, Entry("privacy rewrap")),
    // There is no drill yet.
    (&["drill", "list"], 0, Nothing),
    // There is no such plan.
    (&["drill", "tabletop", "drills/none.toml", "--to", "pack"], 2, Nothing),
    (&["drill", "show", "latest"], 2, Nothing),
    (&["drill", "verify", "latest"], 2, Nothing),
    (&["drill", "export", "latest", "--to", "bundle"], 2, Nothing),
    (SIGN_OFF, 2, Entry("drill sign-off")),
    (&["drill", "note", "latest", "--as", "a", "--key", "a.key", "--note", "n"], 2, Entry("drill note")),
    (&["drill", "note", "latest", "--as", "a", "--key", "a.key", "--note", "n", "--dry-run"], 2, Nothing),
    (&["drill", "close", "F-1", "--as", "a", "--note", "n"], 5, Entry("drill close")),
    (&["drill", "close", "F-1", "--as", "a", "--note", "n", "--dry-run"], 5, Nothing),
    (&["find", "page"], 0, Nothing),
    (&["diff", "latest", "latest"], 0, Nothing),
    (&["cat", "latest", "repository/api.json"], 0, Nothing),
    (&["export", "latest", "--to", "out.tar"], 0, Nothing),
    (&["restore", "files", "latest", "--to", "out"], 0, Nothing),
    // Without --check it serves until it is told to stop.
    (&["serve", "latest", "--check"], 0, Nothing),
    // It fails, after the vault was opened.
    (&["accept", "acme-blog", "assets/x/original", "--reason", "gone"], 2, Entry("accept")),
    (&["accept", "acme-blog", "assets/x/original", "--reason", "gone", "--dry-run"], 2, Nothing),
    (&["audit", "list"], 0, Nothing),
    (&["audit", "verify"], 0, Nothing),
    (&["jobs", "list"], 0, Nothing),
    (&["jobs", "check"], 0, Nothing),
    (&["jobs", "next"], 0, Nothing),
    (&["jobs", "notify-test"], 2, Nothing),
    (&["jobs", "run", "take"], 0, Entry("jobs run")),
    (&["jobs", "run", "look"], 0, Nothing),
    (&["jobs", "run", "free"], 0, Entry("jobs run")),
    (&["jobs", "run", "copy"], 0, Entry("jobs run")),
    // It says that the review is due.
    (&["jobs", "run", "who"], 6, Nothing),
    // It runs until it is told to stop; what its runs leave is in cli_run.
    (&["run", "--help"], 0, Nothing),
    (&["retain", "--dry-run"], 0, Nothing),
    (&["retain"], 0, Entry("retain")),
    (&["undelete", "REMOVED", "--reason", "needed", "--dry-run"], 0, Nothing),
    (&["undelete", "REMOVED", "--reason", "needed"], 0, Entry("undelete")),
    (&["jobs", "run", "expire"], 0, Entry("jobs run")),
    (&["config"], 0, Nothing),
    (&["completions", "bash"], 0, Nothing),
    (&["manual", "pages"], 0, Nothing),
    (&["demo", "--documents", "40", "--assets", "4"], 0, Nothing),
    // It serves until it is told to stop, and knows no vault.
    (&["sandbox", "--help"], 0, Nothing),
    // There is a vault already: nothing is opened, nothing is done.
    (&["init"], 5, Nothing),
    (&["--config", "three.toml", "init"], 0, Entry("init")),
    (&["forget", "acme-blog", "--dry-run"], 0, Nothing),
    (&["forget", "acme-blog"], 5, Entry("forget")),
    (&["forget", "acme-blog", "--yes"], 0, Begun("forget")),
];

/// A decision at a gate of a drill that is not there.
const SIGN_OFF: &[&str] = &[
    "drill",
    "sign-off",
    "latest",
    "--gate",
    "functional",
    "--decision",
    "go",
    "--as",
    "a",
    "--key",
    "a.key",
    "--note",
    "n",
];

/// A recipient whose identity nobody has.
const READER: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

#[tokio::test(flavor = "multi_thread")]
async fn every_command_that_writes_leaves_one_entry_and_no_other_changes_the_vault() {
    let names = |command: &clap::Command| -> BTreeSet<String> {
        command.get_subcommands().map(|command| command.get_name().to_owned()).collect()
    };
    let tested: BTreeSet<String> = COMMANDS
        .iter()
        .map(|(arguments, ..)| arguments.iter().find(|word| names(&Cli::command()).contains(**word)))
        .map(|name| (*name.unwrap()).to_owned())
        .collect();
    assert_eq!(names(&Cli::command()), tested, "a command that is new needs a line in COMMANDS");

    let place = Place::with("\n[retention]\nkeep_last = 1\n");
    fs::create_dir(place.workplace.file("schedules")).unwrap();
    let jobs = ["take", "look", "free", "copy", "expire", "who"].into_iter();
    for (name, job) in jobs.zip(["snapshot", "verify", "prune", "replicate", "retain", "access-review"]) {
        let text = format!("job = \"{job}\"\nrepositories = [\"*\"]\ncron = \"@daily\"\n");
        place.workplace.write(&format!("schedules/{name}.toml"), &text);
    }
    place.workplace.write("members.csv", "name,email,role\nAnna,anna@acme.example,Owner\n");
    let config = place.workplace.read("prismvault.toml");
    let third = url::Url::from_file_path(place.workplace.file("third")).unwrap();
    place
        .workplace
        .write("three.toml", &format!("{config}\n[[replicas]]\nname = \"third\"\nurl = \"{third}\"\n"));
    assert_eq!(place.newest()["command"], "init");
    for (arguments, code, leaves) in COMMANDS {
        let (before, objects) = (place.entries("first").len(), place.objects());
        let removed = if arguments.contains(&"REMOVED") { place.removed() } else { String::new() };
        let arguments: Vec<&str> =
            arguments.iter().map(|word| if *word == "REMOVED" { removed.as_str() } else { word }).collect();
        place.expect(*code, &arguments);
        match leaves {
            Nothing => assert_eq!(place.objects(), objects, "{arguments:?}"),
            Entry(command) | Begun(command) => {
                let entry = place.newest();
                assert_eq!(
                    (&entry["command"], &entry["exit_code"]),
                    (&Value::from(*command), &Value::from(*code)),
                    "{arguments:?}"
                );
                let result = match code {
                    0 => "complete",
                    5 => "refused",
                    _ => "failed",
                };
                assert_eq!(entry["result"], result, "{arguments:?}");
                let entries = place.entries("first");
                let begun = entry["begun"].as_str().map(|key| &entries[key]);
                let begins = matches!(leaves, Begun(_));
                assert_eq!((entries.len(), begun.is_some()), (before + 1 + usize::from(begins), begins));
                if let Some(begun) = begun {
                    assert_eq!((&begun["command"], &begun["result"]), (&(*command).into(), &"begun".into()));
                    assert_eq!((&begun["plan"], &begun["exit_code"]), (&entry["plan"], &Value::Null));
                    assert!(begun["plan"].is_string(), "{arguments:?}");
                }
            }
        }
    }
    // The new replica has what was recorded before it came.
    assert_eq!(place.entries("third").len() + 2 + 1, place.entries("first").len(), "but for the last three");
    place.expect(0, &["--config", "three.toml", "replicate"]);
    assert_eq!(place.entries("third"), place.entries("first"));
    place.expect(0, &["--config", "three.toml", "audit", "verify"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_snapshot_writes_manifest_signature_and_entry_and_names_the_entry_before() {
    let place = Place::new();
    let taken = place.expect(0, &["snapshot", "--json"]).json();
    assert_eq!(taken["manifest"]["audit"]["n"], 1, "the one of init");
    let before = place.objects();
    let again = place.expect(0, &["snapshot", "--json"]).json();
    let id = again["snapshot"].as_str().unwrap();
    for (before, after) in before.iter().zip(place.objects()) {
        let mut new: Vec<&str> =
            after.keys().filter(|key| !before.contains_key(*key)).map(String::as_str).collect();
        new.sort_by_key(|key| key.split('/').next());
        assert_eq!(new.len(), 3, "{new:?}");
        assert!(new[0].starts_with("audit/") && new[0].ends_with("/3.json"), "{new:?}");
        assert!(new[1].contains(id) && new[2].contains(id), "{new:?}");
    }
    assert_eq!(again["manifest"]["audit"]["n"], 2);
    let entry = place.newest();
    assert_eq!(entry["subjects"], serde_json::json!([format!("acme-blog/{id}")]));
    // Numbers, no names of people; the user is the one that runs this.
    use std::os::unix::fs::MetadataExt as _;
    let user = fs::metadata(place.workplace.file("out.none").parent().unwrap()).unwrap().uid();
    assert_eq!(entry["principal"], format!("uid {user}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_it_was_is_configured_and_listed() {
    let place = Place::with("\n[audit]\nprincipal = \"backup service\"\nhost = \"bastion\"\n");
    place.expect(0, &["snapshot"]);
    let listed = place.expect(0, &["audit", "list"]);
    assert!(listed.stdout.contains("backup service on bastion"), "{listed:?}");
    let json = place.expect(0, &["audit", "list", "--json"]).json();
    let commands: Vec<&Value> =
        json["entries"].as_array().unwrap().iter().map(|entry| &entry["command"]).collect();
    assert_eq!(commands, ["init", "snapshot"]);
    let writer = json["entries"][0]["writer"].as_str().unwrap();
    let count = |arguments: &[&str]| {
        let arguments = [&["audit", "list", "--json"], arguments].concat();
        place.expect(0, &arguments).json()["entries"].as_array().unwrap().len()
    };
    assert_eq!(count(&["--since", "1h"]), 2);
    assert_eq!(count(&["--since", "2999-01-01"]), 0);
    assert_eq!(count(&["--writer", &writer[..6]]), 2);
    assert_eq!(count(&["--writer", writer.split_once('-').unwrap().1]), 2);
    assert_eq!(count(&["--writer", "nobody"]), 0);
    place.expect(2, &["audit", "list", "--since", "yesterday"]);
    let shown = place.expect(0, &["config", "--json"]).json();
    assert_eq!(shown["audit"]["principal"], "backup service");
    for (wrong, why) in [
        ("principal = \"\"", "empty"),
        ("principal = \"a\\nb\"", "control characters"),
        ("principal = 7", "must be text"),
        ("principle = \"x\"", "did you mean"),
    ] {
        let config = place.workplace.read("prismvault.toml");
        let broken = config.replace("principal = \"backup service\"", wrong);
        place.workplace.write("broken.toml", &broken);
        let run = place.expect(2, &["--config", "broken.toml", "config"]);
        assert!(run.stderr.contains(why), "{wrong}: {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_removes_or_changes_is_named_with_replica_writer_and_number() {
    let place = Place::new();
    for _ in 0..2 {
        place.expect(0, &["snapshot"]);
    }
    let entries: Vec<String> = place.entries("first").into_keys().collect();
    let writer = entries[0].split('/').nth(1).unwrap().to_owned();
    for replica in ["first", "second"] {
        for n in 1..=3 {
            let file = place.workplace.file(replica).join(format!("audit/{writer}/{n}.json"));
            let good = fs::read(&file).unwrap();
            for tampering in ["removed", "changed"] {
                fs::remove_file(&file).unwrap();
                if tampering == "changed" {
                    let changed = String::from_utf8(good.clone()).unwrap().replace("uid ", "uid 1");
                    std::io::Write::write_all(&mut fs::File::create(&file).unwrap(), changed.as_bytes())
                        .unwrap();
                }
                let run = place.expect(4, &["audit", "verify"]);
                let named = format!("entry {n} of {writer} on {replica}");
                assert!(run.stdout.contains(&named), "{tampering} {named}: {run:?}");
                let found = place.expect(4, &["audit", "verify", "--json"]).json();
                let finding = &found["findings"][0];
                assert_eq!(
                    (&finding["replica"], &finding["writer"], &finding["n"]),
                    (&replica.into(), &writer.as_str().into(), &n.into())
                );
                let listed = place.expect(4, &["audit", "list"]);
                assert!(listed.stdout.contains("audit verify"), "{listed:?}");
                let verified = place.expect(4, &["verify", "--level", "presence"]);
                assert!(verified.stdout.contains(&format!("audit/{writer}/{n}.json")), "{verified:?}");
                place.expect(0, &["repair"]);
                assert_eq!(fs::read(&file).unwrap(), good);
                place.expect(0, &["audit", "verify"]);
            }
            // In another order: it and the one after it, or before it, change places.
            let other = if n == 3 { 2 } else { n + 1 };
            let place_of_other = file.with_file_name(format!("{other}.json"));
            let aside = place.workplace.file("aside");
            for (from, to) in [(&file, &aside), (&place_of_other, &file), (&aside, &place_of_other)] {
                fs::rename(from, to).unwrap();
            }
            let found = place.expect(4, &["audit", "verify", "--json"]).json();
            let mut told: Vec<_> = found["findings"].as_array().unwrap().iter().collect();
            told.sort_by_key(|finding| finding["n"].as_u64());
            let numbers: Vec<_> = told.iter().map(|finding| finding["n"].as_u64().unwrap()).collect();
            assert_eq!(numbers, [n.min(other), n.max(other)]);
            assert!(
                told.iter().all(|finding| finding["kind"] == "misplaced" && finding["replica"] == replica)
            );
            place.expect(0, &["repair"]);
            assert_eq!(fs::read(&file).unwrap(), good);
            place.expect(0, &["audit", "verify"]);
        }
    }
    let verified = place.expect(0, &["verify"]);
    assert!(verified.stdout.contains("of the audit log"), "{verified:?}");
    // What repairs mended is on record as well.
    let entry = place.newest();
    assert_eq!(entry["command"], "repair");
    let mended = ["2", "3"].map(|n| format!("audit/{writer}/{n}.json on second"));
    assert_eq!(entry["subjects"], serde_json::json!(mended));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_that_was_cut_off_everywhere_is_missed_by_who_saw_it() {
    let place = Place::new();
    place.expect(0, &["snapshot"]);
    let writer = place.newest()["writer"].as_str().unwrap().to_owned();
    for replica in ["first", "second"] {
        fs::remove_file(place.workplace.file(replica).join(format!("audit/{writer}/2.json"))).unwrap();
    }
    let run = place.expect(4, &["audit", "verify"]);
    assert!(run.stdout.contains(&format!("entry 2 of {writer} on every replica")), "{run:?}");
    // It stays missed, and the log goes on behind the gap.
    place.expect(0, &["snapshot"]);
    assert_eq!(place.newest()["n"], 3);
    place.expect(4, &["audit", "verify"]);
    // Somebody without that memory misses it as well: entry 3 names it.
    fs::remove_dir_all(place.workplace.home().join(".local")).unwrap();
    place.expect(4, &["audit", "verify"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_or_is_refused_is_recorded_with_its_exit_code() {
    let place = Place::of(Source::synthetic(60, 2), "");
    // The last document of the only page: the source says that it has one more than it gives.
    place.source.control().set_faults(Faults { torn: Some((1, Torn::Missing)), ..Faults::default() });
    let taken = place.expect(3, &["snapshot", "--json"]).json();
    assert_eq!((&place.newest()["result"], &place.newest()["exit_code"]), (&"partial".into(), &3.into()));
    let gap = taken["manifest"]["gaps"][0]["subject"].as_str().unwrap();
    place.expect(5, &["accept", "acme-blog", gap, "--reason", "never mind"]);
    assert_eq!((&place.newest()["result"], &place.newest()["exit_code"]), (&"refused".into(), &5.into()));
    // Without any identity that reads catalogs.
    for file in ["keys/operator.txt", "keys/recovery.txt"] {
        fs::remove_file(place.workplace.file(file)).unwrap();
    }
    place.expect(2, &["snapshot"]);
    let entry = place.newest();
    assert_eq!((&entry["result"], &entry["exit_code"]), (&"failed".into(), &2.into()));
    assert_eq!(entry["subjects"], serde_json::json!(["acme-blog"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_command_is_recorded_and_one_that_was_killed_is_not() {
    let place = Place::new();
    let kill = |child: &mut std::process::Child| child.kill().unwrap();
    let killed = struck_at(&place.workplace, &["snapshot"], &place.source, 4, kill);
    assert_eq!(killed.status.code(), None);
    assert_eq!(place.newest()["command"], "init");
    let interrupted = struck_at(&place.workplace, &["snapshot"], &place.source, 4, interrupt);
    assert_eq!(interrupted.status.code(), Some(130));
    let entry = place.newest();
    assert_eq!((&entry["result"], &entry["exit_code"]), (&"interrupted".into(), &130.into()));
    place.expect(0, &["snapshot"]);
    place.expect(0, &["audit", "verify"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_a_replica_does_not_take_is_a_warning_and_exit_code_3() {
    let place = Place::new();
    place.expect(0, &["snapshot"]);
    // Where the log should be is something else.
    let log = place.workplace.file("second").join("audit");
    fs::remove_dir_all(&log).unwrap();
    std::io::Write::write_all(&mut fs::File::create(&log).unwrap(), b"x").unwrap();
    let run = place.expect(3, &["snapshot"]);
    assert!(run.stderr.contains("audit log") && run.stderr.contains("second"), "{run:?}");
    assert!(run.stdout.contains("complete"), "the snapshot stands: {run:?}");
    assert_eq!(place.entries("first").len(), 3);
    // Programs are told the exit code that it is, also where a stream had said another.
    let lines = place.expect(3, &["snapshot", "--json"]).stdout;
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((lines.lines().count(), &last["exit_code"]), (2, &3.into()), "{lines}");
    let document = place.expect(3, &["hold", "latest", "--reason", "audit", "--json"]).json();
    assert_eq!(document["exit_code"], 3);
    fs::remove_file(&log).unwrap();
    place.expect(0, &["snapshot"]);
    place.expect(0, &["audit", "verify"]);
    assert_eq!(place.entries("first"), place.entries("second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_deletes_for_good_says_so_first_and_a_killed_run_is_seen() {
    let source = small();
    let place = Bucket::new(&source, "").await;
    for arguments in [&["init"][..], &["snapshot"]] {
        assert_eq!(place.run(None, arguments).code, 0);
    }
    // The bucket is asked to delete the first header, and does not answer.
    let asked = place.guard.hang_at("DeleteObject");
    let mut child = place.command(None, &["keys", "rotate", "--operator", "--yes"]).spawn().unwrap();
    asked.notified().await;
    child.kill().unwrap();
    child.wait().unwrap();
    place.guard.answer_again();
    let listed = place.run(None, &["audit", "list", "--json"]).json();
    let entries = listed["entries"].as_array().unwrap();
    let last = entries.last().unwrap();
    assert_eq!((&last["command"], &last["result"]), (&"keys rotate".into(), &"begun".into()));
    assert_eq!(listed["without_end"], serde_json::json!([last["key"]]));
    let shown = place.run(None, &["audit", "list"]);
    assert!(shown.stdout.contains("begun, no end"), "{shown:?}");
    // Run again it goes on to the end, which is on record; the killed one stays without.
    let again = place.run(None, &["keys", "rotate", "--operator", "--yes"]);
    assert_eq!(again.code, 0, "{again:?}");
    let listed = place.run(None, &["audit", "list", "--json"]).json();
    assert_eq!(listed["without_end"], serde_json::json!([last["key"]]));
    let results: Vec<&Value> =
        listed["entries"].as_array().unwrap().iter().map(|entry| &entry["result"]).collect();
    assert_eq!(results, ["complete", "complete", "begun", "begun", "complete"]);
    assert_eq!(place.run(None, &["audit", "verify"]).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_prune_deletes_is_on_record_before_and_after_and_a_refusal_too() {
    let place = ripe().await;
    let entries = |replica: &str| -> Vec<Value> {
        let objects = tree(&place.file(replica)).into_iter().filter(|(key, _)| key.starts_with("audit/"));
        objects.map(|(_, bytes)| serde_json::from_slice(&bytes).unwrap()).collect()
    };
    place.expect(0, &["prune", "--dry-run"]);
    assert_eq!(entries("one"), Vec::<Value>::new(), "a dry run writes nothing");
    place.expect(5, &["prune"]);
    place.expect(0, &["prune", "--yes"]);
    let found = entries("one");
    assert_eq!(found, entries("two"));
    let results: Vec<(&str, Option<u64>)> =
        found.iter().map(|entry| (entry["result"].as_str().unwrap(), entry["exit_code"].as_u64())).collect();
    assert_eq!(results, [("refused", Some(5)), ("begun", None), ("complete", Some(0))]);
    assert_eq!(found[2]["begun"], found[1]["key"]);
    for entry in &found {
        assert_eq!(entry["subjects"], serde_json::json!(["replica one", "replica two"]));
        assert_eq!(entry["plan"], found[0]["plan"]);
    }
    // Neither that nor a later pruning touches the log.
    place.expect(0, &["prune", "--yes"]);
    assert_eq!(entries("one")[..3], found);
    place.expect(0, &["audit", "verify"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_for_good_when_that_cannot_be_recorded_anywhere() {
    let place = ripe().await;
    for replica in ["one", "two"] {
        place.write(&format!("{replica}/audit"), "in the way");
    }
    let before = ["one", "two"].map(|replica| tree(&place.file(replica)));
    let run = place.expect(1, &["prune", "--yes"]);
    assert!(run.stderr.contains("audit log cannot say that it begins"), "{run:?}");
    assert_eq!(["one", "two"].map(|replica| tree(&place.file(replica))), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicate_brings_what_others_recorded_while_a_replica_was_away() {
    let place = Place::new();
    place.expect(0, &["snapshot"]);
    let away = place.workplace.file("away");
    fs::rename(place.workplace.file("second"), &away).unwrap();
    let config = place.workplace.read("prismvault.toml");
    let config = config.replace("[vault]\n", "[vault]\nmin_copies = 1\n");
    place.workplace.write("prismvault.toml", &config);
    place.expect(3, &["snapshot"]);
    // Another host with the same key.
    fs::remove_dir_all(place.workplace.home().join(".local")).unwrap();
    place.expect(3, &["snapshot"]);
    fs::rename(&away, place.workplace.file("second")).unwrap();
    let (first, second) = (place.entries("first"), place.entries("second"));
    assert_eq!((first.len(), second.len()), (4, 2));
    let lagging = place.expect(3, &["audit", "verify"]);
    assert!(lagging.stdout.contains("behind"), "{lagging:?}");
    place.expect(0, &["replicate", "--dry-run"]);
    assert_eq!(place.entries("second"), second);
    let run = place.expect(0, &["replicate"]);
    assert!(
        run.stdout.contains("entries of the audit log") || run.stdout.contains("entry of the audit log"),
        "{run:?}"
    );
    assert_eq!(place.entries("first"), place.entries("second"));
    assert_eq!(place.entries("first").len(), 5);
    place.expect(0, &["audit", "verify"]);
}
