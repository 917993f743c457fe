//! `prismvault privacy check` and jobs of privacy officers: an erased person who is named again is noticed, by
//! whoever looks and by whoever reads `status`, until they are gone.

use serde_json::Value;

use crate::cli_privacy::{CONFIG, Office};
use crate::cli_privacy_erase::{EDITED, TEXTS, Two};
use crate::workplace::Run;

/// Alarms of `status` about people who were erased, with their severity.
fn alarms(office: &Office) -> Vec<(String, String)> {
    let status = office.place.run(&["status", "--json"]).json();
    let text = |alarm: &Value, field: &str| alarm[field].as_str().unwrap().to_owned();
    let all = status["alarms"].as_array().unwrap().iter();
    let all = all.map(|alarm| (text(alarm, "key"), text(alarm, "severity")));
    all.filter(|(key, _)| key.starts_with("erased-")).collect()
}

fn again(case: &str) -> Vec<(String, String)> {
    vec![(format!("erased-again:{case}"), "critical".to_owned())]
}

fn names_nobody(run: &Run) {
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains("Exampleton") && !text.contains("perpetua"), "{text}");
    }
}

/// Erases the person everywhere.
fn erased() -> Two {
    let two = Two::new();
    two.approved();
    two.anna(3, &["erase", &two.case, "--yes", "--publish"]);
    two.edited(&EDITED);
    two.anna(0, &["erase", &two.case]);
    assert_eq!(two.state(), "notifying_recipients");
    two
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_named_again_is_an_alarm_until_they_are_gone() {
    let two = erased();
    let (case, office) = (&*two.case, &two.office);
    // Nothing looks, and that is said.
    let status = office.place.run(&["status"]);
    assert!(status.stdout.contains("Nothing looks whether people who were erased (1 case)"), "{status:?}");
    let doctor = office.place.run(&["doctor", "--offline"]);
    assert!(doctor.stdout.contains("nothing looks whether people who were erased"), "{doctor:?}");
    let quiet = office.run(0, &["check", "--json"]).json();
    assert_eq!((&quiet["whole"], &quiet["cases"][0]["live"]), (&Value::Bool(true), &Value::from(0)));
    let status = office.place.run(&["status"]);
    assert!(!status.stdout.contains("Nothing looks"), "a person did: {status:?}");
    assert_eq!(alarms(office), []);

    // Live only.
    two.edited(&TEXTS[..1]);
    let loud = office.run(3, &["check"]);
    let words = format!("whoever was erased in case {case} is there again: 1 place live, 0 in 0 snapshots");
    assert!(loud.stderr.contains(&words), "{loud:?}");
    assert!(
        loud.stdout.contains("live in acme-blog: documents/en-us/note/ErasePerson00001.json"),
        "{loud:?}"
    );
    assert!(loud.stdout.contains(&format!("next: prismvault privacy search {case}")), "{loud:?}");
    names_nobody(&loud);
    assert_eq!(alarms(office), again(case));
    let page = office.place.run(&["status"]);
    assert!(
        page.stdout.contains(&format!("next: whoever works on requests: prismvault privacy search {case}"))
    );
    assert_eq!(page.code, 6, "{page:?}");
    // Looking at snapshots says nothing of what is live.
    office.run(3, &["check", "--no-live"]);
    assert_eq!(alarms(office), again(case));
    two.edited(&EDITED);
    office.run(0, &["check", case]);
    assert_eq!(alarms(office), []);

    // In a snapshot, where it stays when it is live no more.
    two.edited(&TEXTS[..1]);
    office.place.expect(0, &["snapshot"]);
    two.edited(&EDITED);
    let stored = office.run(3, &["check", "--json"]).json();
    let row = &stored["cases"][0];
    assert_eq!((&row["live"], &row["stored"]), (&Value::from(0), &Value::from(1)), "{stored}");
    let snapshot = row["found_in"][0].as_str().unwrap().to_owned();
    assert!(row["paths"][0].as_str().unwrap().starts_with(&snapshot), "{stored}");
    office.place.expect(0, &["snapshot"]);
    let later = office.run(3, &["check", "--json"]).json();
    assert_eq!(later["cases"][0]["found_in"], row["found_in"], "the new snapshot is clean, that one is not");
    assert_eq!(alarms(office), again(case));

    // A second round.
    let search = office.place.run(&["privacy", "search", case]);
    assert!(matches!(search.code, 0 | 3), "{search:?}");
    assert_eq!(alarms(office), again(case), "somebody works on it, and they are still there");
    let nobody = office.run(0, &["check", "--json"]).json();
    assert_eq!(nobody["cases"], Value::Array(Vec::new()), "{nobody}");
    assert_eq!(alarms(office), again(case));
    for question in office.questions(case) {
        let row = question["row"].as_str().unwrap();
        office.run(0, &["review", case, "--decide", "subject", "--row", row, "--by", "anna"]);
    }
    office.run(0, &["review", case, "--finish", "--by", "anna"]);
    office.run(0, &["assess", case, "--changes", "--note", "nothing is to be kept", "--by", "anna"]);
    // The approval of the first plan is none of the second.
    let hash = two.plan()["plan"].as_str().unwrap().to_owned();
    let packs = two.packs("one");
    let early = two.anna(5, &["erase", case, "--yes", "--publish"]);
    assert!(early.stderr.contains("waits for approval"), "{early:?}");
    assert_eq!(two.packs("one"), packs, "nothing was done");
    two.berta(0, &["approve", case, "--plan", &hash, "--yes"]);
    let second = two.anna(0, &["erase", case, "--yes"]);
    assert!(second.stdout.contains("Nothing of the person that was to go was found"), "{second:?}");
    office.run(0, &["check"]);
    assert_eq!(alarms(office), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_read_cases_is_told_so_and_a_job_fails() {
    let two = erased();
    let (case, place) = (&*two.case, &two.office.place);
    std::fs::create_dir(place.file("schedules")).unwrap();
    for kind in ["privacy-check", "privacy-purge"] {
        let text = format!("job = \"{kind}\"\nrepositories = [\"*\"]\ncron = \"@weekly\"\n");
        place.write(&format!("schedules/{kind}.toml"), &text);
    }
    place.expect(0, &["jobs", "check"]);
    place.expect(0, &["jobs", "run", "privacy-check"]);
    place.expect(0, &["jobs", "run", "privacy-purge"]);
    // Nobody is watched any more by a person only.
    let status = place.run(&["status"]);
    assert!(!status.stdout.contains("Nothing looks"), "{status:?}");

    let config = place.read(CONFIG);
    let without: String = config
        .lines()
        .filter(|line| !line.starts_with("privacy = {"))
        .map(|line| format!("{line}\n"))
        .collect();
    place.write("backup.toml", &without);
    for kind in ["privacy-check", "privacy-purge"] {
        let failed = place.expect(2, &["--config", "backup.toml", "jobs", "run", kind]);
        assert!(
            failed.stderr.contains("needs an identity that does") && failed.stderr.contains("--identity"),
            "{failed:?}"
        );
    }
    place.expect(2, &["--config", "backup.toml", "privacy", "check"]);
    // A host that only deletes what others decided may purge by hand.
    place.expect(0, &["--config", "backup.toml", "privacy", "purge", "--yes"]);
    let status = place.run(&["status", "--json"]).json();
    let failing = status["alarms"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|alarm| alarm["key"].as_str().unwrap().starts_with("job-failing:privacy-"));
    assert_eq!(failing.count(), 2, "{status}");

    // A job that finds somebody is done, and tells whom to ask.
    two.edited(&TEXTS[..1]);
    let found = place.expect(3, &["jobs", "run", "privacy-check"]);
    assert!(found.stderr.contains(&format!("whoever was erased in case {case} is there again")), "{found:?}");
    names_nobody(&found);
    assert_eq!(alarms(&two.office), again(case));

    // One that is not for the whole vault is a mistake.
    for kind in ["privacy-check", "privacy-purge"] {
        let text = format!("job = \"{kind}\"\nrepositories = [\"acme-blog\"]\ncron = \"@weekly\"\n");
        place.write(&format!("schedules/{kind}.toml"), &text);
        let wrong = place.expect(2, &["jobs", "check"]);
        assert!(wrong.stdout.contains("write [\"*\"]"), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_in_which_nobody_was_erased_is_not_looked_at_and_a_lost_record_is_made_again() {
    let two = Two::new();
    let (case, office) = (&*two.case, &two.office);
    let none = office.run(0, &["check"]);
    assert!(none.stdout.contains("There is nobody to look for"), "{none:?}");
    let early = office.run(5, &["check", case]);
    assert!(early.stderr.contains("nobody was erased in case"), "{early:?}");
    two.approved();
    two.anna(3, &["erase", case, "--yes", "--publish"]);
    // What was never seen to be gone is told as that.
    let left = office.run(3, &["check"]);
    assert!(left.stdout.contains(&format!("next: prismvault privacy erase {case}")), "{left:?}");
    assert_eq!(alarms(office), [(format!("erased-again:{case}"), "warning".to_owned())]);

    // Nobody without a key says anything: what is changed, or of another vault, is not believed.
    for replica in ["one", "two"] {
        let file = format!("{replica}/state/erasure-checks.json");
        let text = office.place.read(&file);
        assert!(!text.contains("Exampleton") && text.contains(case));
        office.place.write(&file, &text.replace(case, "2026-7K3F9Q"));
    }
    assert_eq!(alarms(office), [], "no trusted key says so");
    office.run(3, &["check"]);
    assert_eq!(alarms(office), [(format!("erased-again:{case}"), "warning".to_owned())]);
}
