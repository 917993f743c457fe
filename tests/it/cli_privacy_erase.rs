//! `prismvault privacy plan`, `approve` and `erase` as the people meet them who do it.

use std::collections::BTreeMap;
use std::fs;

use prismvault::sandbox::Changes;
use serde_json::Value;

use crate::backups::WRITE_TOKEN;
use crate::cli_privacy::{CONFIG, Office, note};
use crate::restore::tree;
use crate::workplace::Run;

pub(crate) const PERSON: &str = "Perpetua Exampleton";
pub(crate) const EDITED: [(&str, &str); 2] =
    [("ErasePerson00001", "by somebody, of course"), ("ErasePerson00002", "write to otto@example.org")];
pub(crate) const TEXTS: [(&str, &str); 2] = [
    ("ErasePerson00001", "by Perpetua Exampleton, of course"),
    ("ErasePerson00002", "write to perpetua@example.org or to otto@example.org"),
];

/// An office in which Anna plans and Berta approves.
pub(crate) struct Two {
    pub(crate) office: Office,
    pub(crate) case: String,
}

impl Two {
    pub(crate) fn new() -> Self {
        Self::asked("erasure")
    }

    /// The same where the person asked for something else.
    pub(crate) fn asked(right: &str) -> Self {
        let office = Office::new();
        office.appoint("berta");
        let config = office.place.read(CONFIG);
        office.place.write("berta.toml", &config.replace("anna", "berta"));
        let case = office.searched(right, &TEXTS);
        office.place.write("token.txt", WRITE_TOKEN);
        for file in [CONFIG, "berta.toml"] {
            let config = office.place.read(file);
            let token = "write_token = { file = \"token.txt\" }\n\n[limits]";
            office.place.write(file, &config.replacen("[limits]", token, 1));
        }
        for question in office.questions(&case) {
            let row = question["row"].as_str().unwrap();
            office.run(0, &["review", &case, "--decide", "subject", "--row", row, "--by", "anna"]);
        }
        office.run(0, &["review", &case, "--finish", "--by", "anna"]);
        office.run(0, &["assess", &case, "--changes", "--note", "nothing is to be kept", "--by", "anna"]);
        Self { office, case }
    }

    pub(crate) fn anna(&self, code: i32, arguments: &[&str]) -> Run {
        self.office.run(code, &[arguments, &["--by", "anna"]].concat())
    }

    pub(crate) fn berta(&self, code: i32, arguments: &[&str]) -> Run {
        let line = [&["--config", "berta.toml", "privacy"], arguments, &["--by", "berta"]].concat();
        self.office.place.expect(code, &line)
    }

    /// Makes the plan, and says what it comes to.
    pub(crate) fn plan(&self) -> Value {
        let plan = self.anna(0, &["plan", &self.case, "--json"]).json();
        plan["summary"].clone()
    }

    pub(crate) fn approved(&self) -> String {
        let hash = self.plan()["plan"].as_str().unwrap().to_owned();
        self.berta(0, &["approve", &self.case, "--plan", &hash, "--yes"]);
        hash
    }

    /// An editor does what the tasks say: these documents say nothing of the person any more.
    pub(crate) fn edited(&self, texts: &[(&str, &str)]) {
        let put = texts.iter().map(|(id, text)| note(id, text)).collect();
        self.office.source.repository.publish(Changes { put, ..Changes::default() });
    }

    pub(crate) fn state(&self) -> String {
        self.office.json(&["show", &self.case])["state"]["stage"].as_str().unwrap().to_owned()
    }

    /// Packs of a replica.
    pub(crate) fn packs(&self, replica: &str) -> BTreeMap<String, Vec<u8>> {
        let mut objects = tree(&self.office.place.file(replica));
        objects.retain(|key, _| key.starts_with("packs/"));
        objects
    }

    /// What is published now.
    pub(crate) fn live(&self) -> String {
        let all = crate::restoring::documents(&self.office.source);
        all.values().map(Value::to_string).collect()
    }

    /// What a restore of the newest snapshot writes, as one text.
    pub(crate) fn restored(&self, to: &str) -> (Run, String) {
        let line = ["restore", "files", "latest", "--to", to];
        let run = self.office.place.expect(0, &line);
        let files = tree(&self.office.place.file(to));
        let text = files.values().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
        (run, text)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_plans_another_approves_and_then_it_is_gone() {
    let two = Two::new();
    let (case, office) = (&*two.case, &two.office);
    let early = two.anna(2, &["erase", case, "--yes"]);
    assert!(early.stderr.contains("has no plan") && early.stderr.contains("privacy plan"), "{early:?}");
    let (_, before) = two.restored("before");
    assert!(before.contains(PERSON) && before.contains("perpetua@example.org"));

    let dry = two.anna(0, &["plan", case, "--dry-run"]);
    assert!(
        dry.stdout.contains("Would record") && dry.stdout.contains("mask documents/en-us/note/"),
        "{dry:?}"
    );
    let summary = two.plan();
    assert_eq!((summary["masked"].as_u64(), summary["removed"].as_u64()), (Some(2), Some(0)), "{summary}");
    let hash = summary["plan"].as_str().unwrap();
    let shown = two.anna(0, &["plan", case, "--show"]);
    assert!(shown.stdout.contains(hash) && shown.stdout.contains("privacy approve"), "{shown:?}");
    for text in [&dry.stdout, &shown.stdout, &summary.to_string()] {
        assert!(!text.contains("Exampleton"), "{text}");
    }

    // Nobody alone.
    two.anna(5, &["erase", case, "--yes"]);
    let own = two.anna(5, &["approve", case, "--plan", hash, "--yes"]);
    assert!(own.stderr.contains("who made the plan does not approve it"), "{own:?}");
    let renamed = office.run(5, &["approve", case, "--plan", hash, "--yes", "--by", "berta"]);
    assert!(renamed.stderr.contains("who made the plan"), "by her key: {renamed:?}");
    let other = two.berta(5, &["approve", case, "--plan", &"0".repeat(64), "--yes"]);
    assert!(other.stderr.contains(hash), "{other:?}");
    let unasked = two.berta(5, &["approve", case]);
    assert!(unasked.stderr.contains("nobody can be asked") && unasked.stderr.contains("mask"), "{unasked:?}");
    two.berta(0, &["approve", case, "--plan", hash, "--yes"]);
    two.berta(5, &["approve", case, "--plan", hash, "--yes"]);
    let approver = two.berta(5, &["erase", case, "--yes"]);
    assert!(approver.stderr.contains("must not carry it out"), "{approver:?}");

    let packs = two.packs("one");
    let unasked = two.anna(5, &["erase", case]);
    assert!(unasked.stderr.contains("nobody can be asked"), "{unasked:?}");
    two.anna(0, &["erase", case, "--dry-run"]);
    assert_eq!((two.packs("one"), &*two.state()), (packs.clone(), "approved"));
    let erased = two.anna(3, &["erase", case, "--yes", "--publish"]);
    assert!(erased.stdout.contains("Nothing of it is left on any replica"), "{erased:?}");
    for words in [
        "live in acme-blog: documents/en-us/note/ErasePerson00001.json",
        "Take the person out of a document",
        "The repository has no custom type that takes this document",
        "2 places left; this is not done yet",
        "Next: prismvault privacy erase",
    ] {
        assert!(erased.stdout.contains(words), "{words}: {erased:?}");
    }
    assert!(!erased.stdout.contains("Exampleton") && !erased.stderr.contains("Exampleton"), "{erased:?}");
    let before = tree(&office.place.file("before"));
    assert!(!before.values().any(|bytes| String::from_utf8_lossy(bytes).contains("Exampleton")), "own files");
    two.edited(&EDITED);
    let clean = two.anna(0, &["erase", case]);
    assert!(clean.stdout.contains("Nothing of the person that was to go was found"), "{clean:?}");
    assert_eq!(two.state(), "notifying_recipients");
    let live = two.live();
    assert!(!live.contains("Exampleton") && live.contains("otto@example.org"));
    certified(&two);
    for replica in ["one", "two"] {
        let now = two.packs(replica);
        assert!(packs.keys().any(|pack| !now.contains_key(pack)), "packs that held it are gone");
    }
    let (run, after) = two.restored("after");
    assert!(run.stdout.contains("Applied 2 erased, as 1 order of the ledger asked"), "{run:?}");
    assert!(!after.contains("Exampleton") && !after.contains("perpetua@"));
    assert!(after.contains("otto@example.org") && after.contains("[erased]"), "what is of others stays");
    office.place.expect(0, &["verify", "--full"]);
    let again = two.anna(0, &["erase", case]);
    assert!(again.stdout.contains("Nothing of it is left"), "{again:?}");
    let pending = office.run(0, &["erase", "--pending"]);
    assert!(pending.stdout.contains("Nothing of it is left"), "{pending:?}");
    nowhere(&two);
}

/// Whatever gives content out of a snapshot from before: the person is not in it.
fn nowhere(two: &Two) {
    let place = &two.office.place;
    let old = place.expect(0, &["list", "--json"]).json()["snapshots"][0]["id"].clone();
    let old = old.as_str().unwrap();
    place.expect(0, &["snapshot"]);
    let path = format!("documents/en-us/note/{}.json", EDITED[0].0);
    let cat = place.expect(0, &["cat", old, &path]);
    assert!(cat.stdout.contains("[erased]"), "{cat:?}");
    let diff = place.expect(0, &["diff", old, "latest", "--fields"]);
    assert!(diff.stdout.contains("by somebody, of course"), "{diff:?}");
    place.expect(0, &["export", old, "--to", "old.tar"]);
    let archive = String::from_utf8_lossy(&fs::read(place.file("old.tar")).unwrap()).into_owned();
    assert!(archive.contains("[erased]"));
    let find = place.run(&["find", "Exampleton"]);
    let replicated = place.expect(0, &["replicate"]);
    for text in [&cat.stdout, &diff.stdout, &archive, &find.stdout, &replicated.stdout] {
        assert!(!text.contains("Perpetua") && !text.contains("perpetua@"), "{text}");
    }
    place.expect(0, &["verify", "--full"]);
}

/// A certificate, which anybody can check, and which says what is open.
fn certified(two: &Two) {
    let made =
        two.office.run(0, &["certificate", &two.case, "--to", "certificate", "--lang", "en", "--json"]);
    let made = made.json();
    let claims = made["claims"].to_string();
    assert!(claims.contains("shown") && claims.contains("open"), "tasks of others are open: {claims}");
    let key = made["key"].as_str().unwrap();
    let good = two.office.run(0, &["verify-certificate", "certificate", "--key", key]);
    assert!(good.stdout.contains("Good") && good.stdout.contains("does not say"), "{good:?}");
    for (name, bytes) in tree(&two.office.place.file("certificate")) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains("Exampleton") && !text.contains("anna") && !text.contains("berta"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_after_the_approval_makes_it_void() {
    let two = Two::new();
    let case = &*two.case;
    let hash = two.approved();
    // Another decision: there is no plan any more.
    let rows = two.office.questions(case);
    let row = rows[0]["row"].as_str().unwrap();
    let keep = ["review", case, "--decide", "keep", "--ground", "Art. 17(3)(b)", "--row", row];
    two.anna(0, &keep);
    let void = two.anna(2, &["erase", case, "--yes"]);
    assert!(void.stderr.contains("has no plan"), "{void:?}");
    two.anna(0, &["review", case, "--finish"]);
    two.anna(0, &["assess", case, "--changes", "--note", "one is kept"]);
    let now = two.plan();
    assert_ne!(now["plan"].as_str(), Some(&*hash));
    assert_eq!((now["masked"].as_u64(), now["kept"].as_u64()), (Some(1), Some(1)), "{now}");
    let stale = two.berta(5, &["approve", case, "--plan", &hash, "--yes"]);
    assert!(stale.stderr.contains("the plan that waits for approval is"), "{stale:?}");
    let hash = now["plan"].as_str().unwrap();
    two.berta(0, &["approve", case, "--plan", hash, "--yes"]);

    // What a replica lacks is no other plan; what no replica has any more is.
    let packs = two.office.place.file("one/packs");
    let away = two.office.place.file("away");
    fs::rename(&packs, &away).unwrap();
    let packs_two = two.office.place.file("two/packs");
    let away_two = two.office.place.file("away-two");
    fs::rename(&packs_two, &away_two).unwrap();
    let drifted = two.anna(5, &["erase", case, "--yes"]);
    assert!(drifted.stderr.contains("not there any more"), "{drifted:?}");
    fs::rename(&away, &packs).unwrap();
    fs::rename(&away_two, &packs_two).unwrap();
    two.anna(3, &["erase", case, "--yes"]);
    let (_, after) = two.restored("after");
    let kept = after.contains("Exampleton") != after.contains("perpetua@");
    assert!(kept, "one of both is kept, with its ground");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_away_is_done_later_by_one_command() {
    let two = Two::new();
    let (case, place) = (&*two.case, &two.office.place);
    two.approved();
    let config = place.read(CONFIG);
    place.write(CONFIG, &config.replacen("[keys]", "[vault]\nmin_copies = 1\n\n[keys]", 1));
    let (there, away) = (place.file("two"), place.file("away"));
    fs::rename(&there, &away).unwrap();
    let partly = two.anna(3, &["erase", case, "--yes"]);
    assert!(
        partly.stdout.contains("two could not be reached") && partly.stdout.contains("not gone everywhere"),
        "{partly:?}"
    );
    assert_eq!(two.state(), "executing", "it is not said to be done");
    promised(&two);
    assert!(!two.restored("meanwhile").1.contains("Exampleton"));
    fs::rename(&away, &there).unwrap();
    let held = two.packs("two");
    let done = two.office.run(0, &["erase", "--pending"]);
    assert!(done.stdout.contains("on two: destroyed"), "{done:?}");
    assert!(held.keys().any(|pack| !two.packs("two").contains_key(pack)));
    two.edited(&EDITED);
    two.anna(0, &["erase", case]);
    assert_eq!(two.state(), "notifying_recipients");
    let horizon = two.office.run(0, &["horizon", case, "--json"]).json();
    assert_eq!((&horizon["reached"], &horizon["promised"]), (&true.into(), &Value::Null), "{horizon}");
    let shown = two.office.run(0, &["show", case]);
    assert!(shown.stdout.contains("No copy in backups is left"), "{shown:?}");
    assert!(
        shown.stdout.contains("2099-01-01 – in the answer to the person"),
        "what was promised: {shown:?}"
    );
    place.expect(0, &["verify", "--full"]);
}

/// Until when a copy can survive is told as far as it is known, and nothing is promised that cannot be kept.
fn promised(two: &Two) {
    let case = &*two.case;
    let open = two.office.run(3, &["horizon", case]);
    for words in ["one: no copy is left, since", "two: not known", "Nothing is promised"] {
        assert!(open.stdout.contains(words), "{words}: {open:?}");
    }
    let promise = |code, day: &str| {
        two.anna(code, &["horizon", case, "--promise", day, "--reason", "in the answer to the person"])
    };
    let early = promise(5, "2020-01-01");
    assert!(early.stderr.contains("2020-01-01 cannot be promised"), "{early:?}");
    two.anna(2, &["horizon", case, "--promise", "2099-01-01"]);
    let made = promise(3, "2099-01-01");
    assert!(made.stdout.contains("Promised: no copy survives 2099-01-01"), "{made:?}");
    let status = two.office.place.run(&["status", "--json"]);
    assert!(!status.stdout.contains("erasure-promise:"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_and_who_deletes_may_be_on_different_hosts() {
    let two = Two::new();
    let (case, place) = (&*two.case, &two.office.place);
    two.approved();
    // The office of privacy has its own keys only, and the other host no key of privacy.
    let config = place.read(CONFIG);
    let without = |names: &[&str]| -> String {
        let stays = |line: &&str| !names.iter().any(|name| line.starts_with(&format!("{name} = {{ file")));
        config.lines().filter(stays).map(|line| format!("{line}\n")).collect()
    };
    place.write("maintenance.toml", &without(&["privacy", "privacy_signing", "recovery"]));
    place.write(CONFIG, &without(&["operator", "signing", "recovery", "root"]));
    let before = two.packs("one");
    let decided = two.anna(3, &["erase", case, "--yes"]);
    assert!(
        decided.stdout.contains("not done here") && decided.stdout.contains("erase --pending"),
        "{decided:?}"
    );
    assert!(before.keys().all(|pack| two.packs("one").contains_key(pack)), "nothing is deleted here");
    assert_eq!(two.state(), "executing");
    let other = ["--config", "maintenance.toml", "privacy", "erase", "--pending"];
    let done = place.expect(0, &other);
    assert!(done.stdout.contains("destroyed"), "{done:?}");
    assert!(before.keys().any(|pack| !two.packs("one").contains_key(pack)));
    two.edited(&EDITED);
    let last = two.anna(0, &["erase", case]);
    assert!(last.stdout.contains("Nothing of it is left"), "by the receipts of the other host: {last:?}");
    assert_eq!(two.state(), "notifying_recipients");
}
