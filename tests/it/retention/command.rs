//! The commands as people and scripts meet them.

use std::collections::BTreeSet;

use prismvault::sandbox::Changes;
use serde_json::Value;

use crate::backups::{Source, configuration, small};
use crate::restore::tree;
use crate::workplace::{Run, Workplace};

const CONFIG: &str = "prismvault.toml";
const KEEP_ONE: &str = "\n[retention]\nkeep_last = 1\n";

/// A vault on two directories with a few snapshots, by a configuration with pins.
struct Place {
    source: Source,
    place: Workplace,
}

impl Place {
    /// `further` ends the configuration.
    fn new(snapshots: usize, further: &str) -> Self {
        let (source, place) = (small(), Workplace::new());
        let (one, two) = (place.file("one"), place.file("two"));
        let config = configuration(&source, &[("one", &one), ("two", &two)]);
        place.write(CONFIG, &config);
        let made = place.expect(0, &["init", "--json"]).json();
        place.write(CONFIG, &format!("{config}{further}{}", made["pin"].as_str().unwrap()));
        let place = Self { source, place };
        for _ in 0..snapshots {
            place.snapshot();
        }
        place
    }

    fn snapshot(&self) -> String {
        self.source.repository.edit(0.1, 1).unwrap();
        let taken = self.expect(0, &["snapshot", "--json"]).json();
        taken["manifest"]["snapshot"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn expect(&self, code: i32, arguments: &[&str]) -> Run {
        self.place.expect(code, arguments)
    }

    /// Ids of the snapshots that are there, oldest first.
    fn ids(&self) -> Vec<String> {
        listed(&self.expect(0, &["list", "--json"]).json()["snapshots"])
    }

    /// Everything in the ledgers of both replicas.
    fn ledger(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for replica in ["one", "two"] {
            keys.extend(tree(&self.place.file(replica)).into_keys().filter(|key| key.starts_with("ledger/")));
        }
        keys
    }

    fn change_config(&self, from: &str, to: &str) {
        let config = self.place.read(CONFIG);
        assert!(config.contains(from));
        self.place.write(CONFIG, &config.replace(from, to));
    }
}

fn listed(snapshots: &Value) -> Vec<String> {
    snapshots.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_nothing_is_changed_and_it_says_what_to_write() {
    let vault = Place::new(1, "");
    let run = vault.expect(2, &["retain"]);
    assert!(run.stderr.contains("keep_daily = 14") && run.stderr.contains("[retention]"), "{run:?}");
    vault.expect(2, &["retain", "--dry-run"]);
    let run = vault.expect(2, &["retain", "no-such"]);
    assert!(run.stderr.contains("no-such"), "{run:?}");
    vault.place.write(CONFIG, &format!("[retention]\n{}", vault.place.read(CONFIG)));
    let run = vault.expect(2, &["retain"]);
    assert!(run.stderr.contains("keeps nothing"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_prints_the_plan_and_the_real_one_carries_out_exactly_that() {
    let vault = Place::new(3, KEEP_ONE);
    let ids = vault.ids();
    let dry = vault.expect(0, &["retain", "--dry-run"]);
    for said in [
        &*ids[0],
        "no rule keeps it",
        "newest complete, last",
        "keep_last = 1",
        "2 would be removed",
        "plan ",
    ] {
        assert!(dry.stdout.contains(said), "{said}: {}", dry.stdout);
    }
    let json = vault.expect(0, &["retain", "--dry-run", "--json"]).json();
    let hash = json["plan_hash"].as_str().unwrap().to_owned();
    assert!(dry.stdout.contains(&hash), "{}", dry.stdout);
    let lines = json["repositories"][0]["snapshots"].as_array().unwrap();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["verdicts"][0]["remove"], "no rule keeps it");
    assert_eq!(lines[2]["verdicts"][0]["keep"][0], "newest complete");
    assert_eq!(vault.ledger(), Vec::<String>::new(), "a dry run writes nothing");
    assert_eq!(vault.ids(), ids);

    let other = "0".repeat(64);
    let run = vault.expect(5, &["retain", "--expect-plan", &other]);
    assert!(run.stderr.contains(&hash) && run.stderr.contains("nothing was changed"), "{run:?}");
    vault.expect(2, &["retain", "--expect-plan", "nonsense"]);
    assert_eq!(vault.ids(), ids);
    let done = vault.expect(0, &["retain", "--expect-plan", &hash]);
    assert!(done.stdout.contains("Removed 2") && done.stdout.contains("undelete"), "{done:?}");
    assert_eq!(vault.ids(), ids[2..]);
    vault.expect(5, &["retain", "--expect-plan", &hash]);
    let again = vault.expect(0, &["retain"]);
    assert!(again.stdout.contains("Nothing to remove"), "{again:?}");
    assert_eq!(vault.expect(0, &["retain", "--quiet"]).stdout, "");
    vault.expect(0, &["verify", "--full"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_is_shown_and_brought_back() {
    let vault = Place::new(3, KEEP_ONE);
    let ids = vault.ids();
    vault.expect(0, &["retain"]);
    let list = vault.expect(0, &["list", "--removed"]);
    for said in [&*ids[0], &*ids[1], "not marked by pruning", "no rule keeps it"] {
        assert!(list.stdout.contains(said), "{said}: {}", list.stdout);
    }
    let json = vault.expect(0, &["list", "--removed", "--json"]).json();
    assert_eq!(listed(&json["removed"]), ids[..2]);
    assert_eq!(json["removed"][0]["undelete"], "open");
    let show = vault.expect(0, &["show", &ids[0]]);
    assert!(show.stdout.contains("removed at") && show.stdout.contains("undelete"), "{show:?}");
    for line in [
        &["restore", "files", &ids[0], "--to", "out"][..],
        &["export", &ids[0], "--to", "out.tar"],
        &["hold", &ids[0], "--reason", "court"],
    ] {
        let run = vault.expect(2, line);
        assert!(
            run.stderr.contains("was removed at") && run.stderr.contains("prismvault undelete"),
            "{run:?}"
        );
    }
    vault.expect(2, &["undelete", &ids[0]]);
    vault.expect(2, &["undelete", &ids[0], "--reason", " "]);
    vault.expect(2, &["undelete", &ids[2], "--reason", "it is there"]);
    vault.expect(2, &["undelete", "nothing", "--reason", "typed wrong"]);
    let dry = vault.expect(0, &["undelete", &ids[0], "--reason", "a mistake", "--dry-run"]);
    assert!(dry.stdout.contains("Would bring back"), "{dry:?}");
    assert_eq!(vault.ids(), ids[2..]);
    let back = vault.expect(0, &["undelete", &ids[0], "--reason", "a mistake"]);
    assert!(back.stdout.contains("Brought back"), "{back:?}");
    assert_eq!(vault.ids(), [ids[0].clone(), ids[2].clone()]);
    vault.expect(0, &["restore", "files", &ids[0], "--to", "out"]);
    vault.expect(0, &["verify", "--full"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_keeps_until_its_release() {
    let vault = Place::new(3, KEEP_ONE);
    let ids = vault.ids();
    for reason in [&[][..], &["--reason", ""], &["--reason", "  "]] {
        vault.expect(2, &[&["hold", &ids[0]][..], reason].concat());
    }
    vault.expect(0, &["hold", &ids[0], "--reason", "court", "--dry-run"]);
    assert_eq!(vault.ledger(), Vec::<String>::new());
    let held = vault.expect(0, &["hold", &ids[0], &ids[0][..24], "--reason", "court"]);
    assert_eq!(held.stdout.matches("Held").count(), 1, "{held:?}");
    let again = vault.expect(0, &["hold", &ids[0], "--reason", "another", "--json"]).json();
    assert_eq!(
        (&again["snapshots"][0]["held"], &again["entries"]),
        (&"court".into(), &serde_json::json!([]))
    );
    let list = vault.expect(0, &["list"]);
    assert!(list.stdout.contains(&format!("held {}: court", ids[0])), "{list:?}");
    assert!(vault.expect(0, &["show", &ids[0]]).stdout.contains("court"));
    assert!(vault.expect(0, &["retain", "--dry-run"]).stdout.contains("hold: court"));
    vault.expect(0, &["retain"]);
    assert_eq!(vault.ids(), [ids[0].clone(), ids[2].clone()]);
    let free = vault.expect(2, &["release", &ids[0], &ids[2], "--reason", "over"]);
    assert!(free.stderr.contains(&format!("{} is not under hold", ids[2])), "{free:?}");
    vault.expect(0, &["release", &ids[0], "--reason", "over"]);
    vault.expect(0, &["retain"]);
    assert_eq!(vault.ids(), ids[2..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_ended_only_by_who_says_yes() {
    let vault = Place::new(2, "");
    let ids = vault.ids();
    vault.expect(0, &["hold", &ids[0], "--reason", "court"]);
    let held = vault.expect(5, &["forget", "acme-blog", "--yes"]);
    assert!(held.stdout.contains("under hold"), "{held:?}");
    vault.expect(0, &["release", &ids[0], "--reason", "over"]);
    let json = vault.expect(0, &["forget", "acme-blog", "--dry-run", "--json"]).json();
    let hash = json["plan_hash"].as_str().unwrap();
    // Nobody is at the terminal of a test.
    for line in [&["forget", "acme-blog"][..], &["forget", "acme-blog", "--expect-plan", hash]] {
        let run = vault.expect(5, line);
        assert!(run.stderr.contains("--yes"), "{run:?}");
    }
    let other = "0".repeat(64);
    vault.expect(5, &["forget", "acme-blog", "--yes", "--expect-plan", &other]);
    assert_eq!(vault.ids(), ids);
    let unknown = vault.expect(2, &["forget", "acme-blgo", "--yes"]);
    assert!(unknown.stderr.contains("acme-blog"), "{unknown:?}");
    // It works for a repository that is configured no longer.
    vault.change_config("[repositories.acme-blog]", "[repositories.other]");
    let line = ["forget", "acme-blog", "--yes", "--expect-plan", hash, "--reason", "contract ended"];
    // The reason is part of what is written, and so of the plan.
    vault.expect(5, &line);
    let gone = vault.expect(0, &line[..5]);
    assert!(gone.stdout.contains("Removed 2"), "{gone:?}");
    assert_eq!(vault.ids(), Vec::<String>::new());
    vault.expect(2, &["forget", "acme-blog", "--yes"]);
    let list = vault.expect(0, &["list", "--removed"]);
    assert!(list.stdout.contains("the repository was forgotten"), "{list:?}");
    vault.expect(0, &["undelete", &ids[1], "--reason", "they came back"]);
    assert_eq!(vault.ids(), ids[1..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_snapshot_is_acknowledged_and_no_longer_fails_every_check() {
    let vault = Place::new(3, KEEP_ONE);
    let ids = vault.ids();
    for replica in ["one", "two"] {
        let manifest = vault.place.file(replica).join(format!("snapshots/acme-blog/{}.json", ids[1]));
        std::fs::remove_file(manifest).unwrap();
    }
    let lost = vault.expect(4, &["list"]);
    assert!(lost.stdout.contains("LOST"), "{lost:?}");
    vault.expect(4, &["verify"]);
    // Its chain is not whole, so nothing goes.
    let refused = vault.expect(5, &["retain"]);
    assert!(refused.stdout.contains("--lost"), "{refused:?}");
    let sha256 = lost.stdout.split("SHA-256 ").nth(1).unwrap()[..64].to_owned();
    vault.expect(2, &["forget", "acme-blog", "--lost", &sha256]);
    vault.expect(2, &["forget", "acme-blog", "--lost", "nonsense", "--reason", "the disk died"]);
    let dry = vault
        .expect(0, &["forget", "acme-blog", "--lost", &sha256, "--reason", "the disk died", "--dry-run"]);
    assert!(dry.stdout.contains("Would record"), "{dry:?}");
    vault.expect(4, &["verify"]);
    let said = vault.expect(0, &["forget", "acme-blog", "--lost", &sha256, "--reason", "the disk died"]);
    assert!(said.stdout.contains("What is lost stays lost"), "{said:?}");
    vault.expect(0, &["verify", "--full"]);
    // Without what lay between them, two snapshots of one second have no order.
    let both = BTreeSet::from([ids[0].clone(), ids[2].clone()]);
    assert_eq!(BTreeSet::from_iter(vault.ids()), both);
    vault.expect(0, &["retain"]);
    let left = vault.ids();
    assert!(left.len() == 1 && both.contains(&left[0]), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sudden_loss_at_the_source_stops_expiry_until_it_is_accepted() {
    let vault = Place::new(2, KEEP_ONE);
    let documents = vault.source.repository.documents();
    let most =
        documents.iter().map(|document| Box::<str>::from(document.head.id())).take(documents.len() * 4 / 5);
    vault.source.repository.publish(Changes { put: Vec::new(), remove: most.collect() });
    let small = vault.expect(0, &["snapshot", "--json"]).json();
    let small = small["manifest"]["snapshot"].as_str().unwrap();
    let stopped = vault.expect(5, &["retain"]);
    for said in ["nothing is removed", "holds much less", "documents from 120 to", "--accept-shrink"] {
        assert!(stopped.stdout.contains(said), "{said}: {}", stopped.stdout);
    }
    assert_eq!(vault.ids().len(), 3);
    let ids = vault.ids();
    vault.expect(2, &["retain", "--accept-shrink", small]);
    vault.expect(2, &["retain", "--accept-shrink", &ids[0], "--reason", "it is right"]);
    vault.expect(0, &["retain", "--accept-shrink", small, "--reason", "it is right", "--dry-run"]);
    vault.expect(5, &["retain"]);
    let accepted = vault.expect(0, &["retain", "--accept-shrink", "latest", "--reason", "it is right"]);
    assert!(accepted.stdout.contains("Accepted") && accepted.stdout.contains("it is right"), "{accepted:?}");
    assert_eq!(vault.ids().len(), 3, "accepting removes nothing");
    assert!(vault.expect(0, &["show", small]).stdout.contains("accepted although"));
    vault.expect(0, &["retain"]);
    assert_eq!(vault.ids(), [small]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_keeps_by_its_own_table() {
    // The table belongs to the replica before it, which is the second.
    let vault = Place::new(3, "[replicas.retention]\nkeep_last = 2\n\n[retention]\nkeep_last = 1\n");
    let ids = vault.ids();
    let dry = vault.expect(0, &["retain", "--dry-run"]);
    for said in ["on one: keep_last = 1", "on two: keep_last = 2", "remove from one"] {
        assert!(dry.stdout.contains(said), "{said}: {}", dry.stdout);
    }
    vault.expect(0, &["retain"]);
    let json = vault.expect(0, &["list", "--json"]).json();
    assert_eq!(listed(&json["snapshots"]), ids[1..]);
    assert_eq!(json["snapshots"][0]["replicas"], serde_json::json!(["two"]));
    vault.expect(0, &["verify", "--full"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_needs_the_key_and_says_so_before_anything_is_written() {
    let vault = Place::new(2, KEEP_ONE);
    let ids = vault.ids();
    std::fs::rename(vault.place.file("keys/signing.key"), vault.place.file("away.key")).unwrap();
    vault.expect(0, &["retain", "--dry-run"]);
    for line in [&["retain"][..], &["forget", "acme-blog", "--yes"], &["hold", &ids[0], "--reason", "court"]]
    {
        let run = vault.expect(2, line);
        assert!(run.stderr.contains("key"), "{run:?}");
    }
    assert_eq!(vault.ledger(), Vec::<String>::new());
    // As the key of those who remove, it need not be the one of those who take snapshots.
    vault.change_config("signing = { file = \"keys/signing.key\" }", "maintenance = { file = \"away.key\" }");
    vault.expect(0, &["retain"]);
    assert_eq!(vault.ids(), ids[1..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_retains_as_the_command_does() {
    let vault = Place::new(2, KEEP_ONE);
    std::fs::create_dir(vault.place.file("schedules")).unwrap();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/schedules/retain.toml");
    std::fs::copy(example, vault.place.file("schedules/retain.toml")).unwrap();
    let check = vault.expect(0, &["jobs", "check"]);
    assert!(check.stdout.contains("retain of 1 repository"), "{check:?}");
    vault.place.write(
        "schedules/wrong.toml",
        "job = \"retain\"\nrepositories = [\"*\"]\ncron = \"@daily\"\nlevel = \"bytes\"\n",
    );
    let check = vault.expect(2, &["jobs", "check"]);
    assert!(check.stdout.contains("schedules/wrong.toml:4: level: is for verify jobs only"), "{check:?}");
    let run = vault.expect(0, &["jobs", "run", "retain"]);
    assert!(run.stdout.contains("Removed 1"), "{run:?}");
    assert_eq!(vault.ids().len(), 1);
    vault.change_config(KEEP_ONE, "\n");
    vault.expect(2, &["jobs", "run", "retain"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_away_makes_it_partial() {
    let vault = Place::new(2, KEEP_ONE);
    vault.change_config("[vault]\n", "[vault]\nmin_copies = 1\n");
    std::fs::rename(vault.place.file("two"), vault.place.file("gone")).unwrap();
    let run = vault.expect(3, &["retain"]);
    assert!(run.stdout.contains("not reached two"), "{run:?}");
    std::fs::rename(vault.place.file("gone"), vault.place.file("two")).unwrap();
    assert_eq!(vault.ids().len(), 1, "the replica that was away learns of it from the other");
}
