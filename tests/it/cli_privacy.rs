//! `prismvault privacy` as a privacy officer meets it.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::backups::{Source, configuration, small};
use crate::restore::tree;
use crate::workplace::{Run, Workplace};

pub(crate) const CONFIG: &str = "prismvault.toml";

/// A vault on two directories, with the keys of one privacy officer in the configuration.
pub(crate) struct Office {
    pub(crate) source: Source,
    pub(crate) place: Workplace,
}

impl Office {
    pub(crate) fn new() -> Self {
        Self::with(&["init"])
    }

    fn with(init: &[&str]) -> Self {
        let (source, place) = (small(), Workplace::new());
        let config = configuration(&source, &[("one", &place.file("one")), ("two", &place.file("two"))]);
        place.write(CONFIG, &config);
        place.expect(0, init);
        let office = Self { source, place };
        office.appoint("anna");
        let keys = "[keys]\nprivacy = { file = \"anna.txt\" }\nprivacy_signing = { file = \"anna.key\" }\n";
        office.place.write(CONFIG, &config.replacen("[keys]\n", keys, 1));
        office
    }

    /// Makes the keys of a person and lets them work on requests.
    pub(crate) fn appoint(&self, name: &str) {
        let public = |option: &str, file: &str| {
            let made = self.place.expect(0, &["keys", "generate", option, file, "--json"]).json();
            made["public"].as_str().unwrap().to_owned()
        };
        let (identity, key) = (format!("{name}.txt"), format!("{name}.key"));
        let (recipient, signer) = (public("--identity-to", &identity), public("--signing-to", &key));
        self.place.expect(
            0,
            &["keys", "add", "--privacy", &recipient, "--approves", &signer, "--label", name, "--yes"],
        );
    }

    /// Runs `privacy`, which must end with `code`.
    #[track_caller]
    pub(crate) fn run(&self, code: i32, arguments: &[&str]) -> Run {
        self.place.expect(code, &[&["privacy"], arguments].concat())
    }

    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.run(0, &[arguments, &["--json"]].concat()).json()
    }

    #[track_caller]
    pub(crate) fn open(&self, arguments: &[&str]) -> String {
        let opened = self.json(&[&["open"], arguments].concat());
        opened["case"].as_str().unwrap().to_owned()
    }

    pub(crate) fn requests(&self, replica: &str) -> BTreeMap<String, Vec<u8>> {
        let mut objects = tree(&self.place.file(replica));
        objects.retain(|key, _| key.starts_with("requests/"));
        objects
    }
}

pub(crate) fn days_ago(days: i64) -> String {
    // A test that sets no clock speaks of days around today, as the program does.
    let now = fs::metadata("/proc/self").unwrap().modified().unwrap();
    let today = chrono::DateTime::<chrono::Utc>::from(now).date_naive();
    (today - chrono::TimeDelta::days(days)).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_from_receipt_to_refusal_and_nothing_of_it_is_readable_outside() {
    let office = Office::new();
    let empty = office.run(0, &[]);
    assert!(empty.stdout.contains("No open cases"), "{empty:?}");

    let dry = office.run(0, &["open", "--right", "erasure", "--dry-run"]);
    assert!(dry.stdout.contains("Would record") && office.requests("one").is_empty(), "{dry:?}");
    let case = office.open(&["--right", "erasure", "--right", "access", "--received", &days_ago(3)]);
    let alone = office.run(0, &[]);
    assert!(
        alone.stdout.contains(&case) && alone.stdout.contains("Next: prismvault privacy letter"),
        "{alone:?}"
    );

    // The step that the page names, in any case of letters.
    let letter = office.run(0, &["letter", &case.to_lowercase(), "receipt", "--lang", "de"]);
    assert!(letter.stdout.contains("Art. 12 Abs. 3 DSGVO") && letter.stdout.contains(&case), "{letter:?}");
    assert!(letter.stderr.contains("[Ihre Organisation], [Anschrift]"), "{letter:?}");
    let date = office.run(2, &["letter", &case, "receipt", "--sent", "19.11.2026"]);
    assert!(date.stderr.contains("write a day as 2026-11-20"), "{date:?}");
    office.run(0, &["letter", &case, "receipt", "--sent", &days_ago(2)]);
    let early = office.run(5, &["close", &case]);
    assert!(
        early.stderr.contains("not possible now") && early.stderr.contains("what is possible now"),
        "{early:?}"
    );
    office.run(2, &["identity", &case, "--ask"]);
    office.run(
        0,
        &["identity", &case, "--ask", "--reason", "Zweifel an Erika Mustermann", "--on", &days_ago(2)],
    );
    let due = office.run(0, &["due"]);
    assert!(due.stdout.contains("stands still: proof of identity"), "{due:?}");
    let verified =
        ["identity", &case, "--verified", "--method", "reply from the known address", "--by", "anna"];
    let shown = office.run(0, &[&verified[..], &["--on", &days_ago(1)]].concat());
    assert!(shown.stdout.contains("The answer is due by"), "{shown:?}");
    office.run(0, &["note", &case, "Erika Mustermann rief an"]);
    office.run(0, &["hold", &case, "--ground", "Art. 17(3)(e)", "--item", "contract", "--reason", "a claim"]);
    office.run(0, &["extend", &case, "--reason", "many requests"]);
    let twice = office.run(5, &["extend", &case, "--reason", "more"]);
    assert!(twice.stderr.contains("once"), "{twice:?}");
    let wrong = office.run(5, &["pause", &case, "--reason", "what for?", "--on", "2999-01-01"]);
    assert!(wrong.stderr.contains("future"), "{wrong:?}");
    office.run(0, &["pause", &case, "--reason", "which site?"]);
    office.run(0, &["resume", &case]);
    let show = office.json(&["show", &case]);
    let kinds: Vec<&str> =
        show["events"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "received",
            "acknowledged",
            "identity_asked",
            "identity_verified",
            "note",
            "hold",
            "extended",
            "paused",
            "resumed"
        ]
    );
    assert_eq!(show["due"]["extended"], true);
    let people = office.run(0, &["show", &case]);
    assert!(
        people.stdout.contains("Hold 1 on contract") && people.stdout.contains("Reg. 1182/71"),
        "{people:?}"
    );

    refuse(&office, &case);

    // Both replicas hold the same files, and none says who it is.
    let (one, two) = (office.requests("one"), office.requests("two"));
    assert_eq!(one, two);
    assert_eq!(one.len(), 2 * 10);
    for (key, bytes) in tree(&office.place.file("one")) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("Mustermann"), "{key}");
    }
    office.place.expect(0, &["audit", "verify"]);
}

/// Refuses a request, as people do it.
fn refuse(office: &Office, case: &str) {
    let dry =
        office.run(0, &["refuse", case, "--ground", "Art. 12(5)", "--reason", "excessive", "--dry-run"]);
    assert!(dry.stdout.contains("Would record"), "{dry:?}");
    let letter = office.run(2, &["letter", case, "refusal"]);
    assert!(letter.stderr.contains("--reason") || letter.stderr.contains("--ground"), "{letter:?}");
    let unasked = office.run(5, &["refuse", case, "--ground", "Art. 12(5)", "--reason", "excessive"]);
    assert!(
        unasked.stderr.contains("cannot be opened again") && unasked.stderr.contains("--yes"),
        "{unasked:?}"
    );
    office.run(0, &["refuse", case, "--ground", "Art. 12(5)", "--reason", "excessive", "--yes"]);
    let letter = office.run(0, &["letter", case, "refusal", "--lang", "fr"]);
    assert!(letter.stdout.contains("Art. 12(5)") && letter.stdout.contains("excessive"), "{letter:?}");
    let after = office.run(5, &["close", case, "--withdrawn", "--reason", "late"]);
    assert!(after.stderr.contains("refused"), "{after:?}");
    assert!(office.run(0, &["list"]).stdout.contains("no open cases"));
    assert!(office.run(0, &["list", "--all"]).stdout.contains(case));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_read_cases_does_and_nobody_else() {
    let office = Office::new();
    let case = office.open(&["--right", "access"]);
    office.run(0, &["note", &case, "Max Mustermann called"]);
    // Without privacy keys: what is due, and no more. The recovery identity is here.
    let config = office.place.read(CONFIG);
    let without: String =
        config.lines().filter(|line| !line.starts_with("privacy")).map(|line| format!("{line}\n")).collect();
    office.place.write(CONFIG, &without);
    let due = office.run(0, &["due"]);
    assert!(due.stdout.contains(&case) && due.stdout.contains("received"), "{due:?}");
    let refused = office.run(2, &["show", &case]);
    assert!(refused.stderr.contains("recovery identity does not read cases"), "{refused:?}");
    assert!(!refused.stderr.contains("Mustermann"), "{refused:?}");
    let refused = office.run(2, &["open", "--right", "access"]);
    assert!(refused.stderr.contains("privacy_signing"), "{refused:?}");

    // A colleague comes: what was there before is for her when somebody shares it.
    office.place.write(CONFIG, &config);
    office.appoint("berta");
    let as_berta = config.replace("anna.txt", "berta.txt").replace("anna.key", "berta.key");
    office.place.write(CONFIG, &as_berta);
    let before = office.run(2, &["show", &case]);
    assert!(before.stderr.contains("prismvault privacy rewrap"), "{before:?}");
    office.place.write(CONFIG, &config);
    let dry = office.run(0, &["rewrap", "--dry-run"]);
    assert!(dry.stdout.contains(&case), "{dry:?}");
    office.run(0, &["rewrap"]);
    assert!(office.run(0, &["rewrap"]).stdout.contains("already"));
    office.place.write(CONFIG, &as_berta);
    assert!(office.run(0, &["show", &case]).stdout.contains("Max Mustermann called"));
    let listed = office.place.expect(0, &["keys", "list"]);
    assert!(listed.stdout.contains("reads cases and content"), "{listed:?}");

    // Anna leaves: her entries are read on, the last with a word of warning until it is confirmed.
    office.place.write(CONFIG, &config);
    office.run(0, &["note", &case, "the last of Anna"]);
    office.place.expect(0, &["keys", "remove", "anna", "anna (approves)", "--yes"]);
    let gone = office.run(2, &["note", &case, "still here"]);
    assert!(gone.stderr.contains("not here") || gone.stderr.contains("may not sign"), "{gone:?}");
    office.place.write(CONFIG, &as_berta);
    let warned = office.run(0, &["show", &case]);
    assert!(
        warned.stdout.contains("the last of Anna") && warned.stderr.contains("trusted no longer"),
        "{warned:?}"
    );
    office.run(0, &["note", &case, "it is right"]);
    let confirmed = office.run(0, &["show", &case]);
    assert!(!confirmed.stderr.contains("trusted no longer"), "{confirmed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_are_encrypted_also_where_the_vault_is_not() {
    let office = Office::with(&["init", "--no-encryption"]);
    let case = office.open(&["--right", "rectification", "--rules", "uk"]);
    office.run(0, &["note", &case, "Erika Mustermann"]);
    for (key, bytes) in office.requests("one") {
        assert!(!String::from_utf8_lossy(&bytes).contains("Mustermann"), "{key}");
    }
    assert!(office.run(0, &["show", &case]).stdout.contains("Erika Mustermann"));
    let clarify = office.run(5, &["pause", &case, "--reason", "what is wrong?"]);
    assert!(clarify.stderr.contains("the clock does not stop"), "{clarify:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_may_read_cannot_be_opened_and_wrong_words_are_explained() {
    let (source, place) = (small(), Workplace::new());
    place.write(CONFIG, &configuration(&source, &[("one", &place.file("one"))]));
    place.expect(0, &["init"]);
    let refused = place.expect(2, &["privacy", "open", "--right", "access"]);
    assert!(refused.stderr.contains("keys add --privacy"), "{refused:?}");
    assert!(place.expect(0, &["privacy"]).stdout.contains("keys add --privacy"));
    let office = Office::new();
    for (arguments, words) in [
        (&["open", "--right", "oblivion"][..], "not a right"),
        (&["open", "--right", "access", "--rules", "mars"], "de-by"),
        (&["open", "--right", "access", "--received", "yesterday"], "--received"),
        (&["show", "2026-7K3F9Q"], "there is no case"),
        (&["show", "7"], "the id of a case"),
        (&["open", "--right", "access", "--language", "tlh"], "en, de or fr"),
    ] {
        let run = office.run(2, arguments);
        assert!(run.stderr.contains(words), "{arguments:?}: {run:?}");
    }
    let run = office.run(5, &["open", "--right", "access", "--received", "2999-01-01"]);
    assert!(run.stderr.contains("future"), "{run:?}");
    assert!(office.requests("one").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_has_its_own_check_and_a_hold_ends_once() {
    let office = Office::new();
    let (first, second) = (office.open(&["--right", "erasure"]), office.open(&["--right", "erasure"]));
    let same = ["close", &second, "--duplicate-of", &first, "--reason", "the same letter twice", "--yes"];
    let unchecked = office.run(5, &same);
    assert!(unchecked.stderr.contains("prove"), "the identity of the second was not checked: {unchecked:?}");
    office.run(0, &["identity", &second, "--verified", "--method", "known address", "--by", "anna"]);
    office.run(2, &["close", &second, "--duplicate-of", &second, "--reason", "itself"]);
    office.run(2, &["close", &second, "--duplicate-of", "2026-7K3F9Q", "--reason", "nothing"]);
    office.run(0, &same);
    let shown = office.json(&["show", &second]);
    assert_eq!(shown["state"]["stage"], "duplicate");
    assert_eq!(shown["events"][1]["who"], "anna");

    // An open case goes on itself when a hold ends.
    office.run(0, &["hold", &first, "--ground", "Art. 17(3)(e)", "--reason", "a claim"]);
    office.run(5, &["hold", &first, "--release", "2", "--reason", "no such"]);
    let released = office.json(&["hold", &first, "--release", "1", "--reason", "over"]);
    assert!(released.get("new_case").is_none(), "{released}");
    office.run(5, &["hold", &first, "--release", "1", "--reason", "again"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overdue_is_seen_by_due_and_status() {
    let office = Office::new();
    office.place.expect(0, &["snapshot"]);
    let late = office.open(&["--right", "access", "--received", &days_ago(60)]);
    let fresh = office.open(&["--right", "access"]);
    let due = office.run(6, &["due", "--json"]).json();
    let cases: Vec<&str> =
        due["cases"].as_array().unwrap().iter().map(|case| case["case"].as_str().unwrap()).collect();
    assert_eq!((cases, due["overdue"].as_u64()), (vec![late.as_str(), fresh.as_str()], Some(1)));
    assert_eq!(
        office.run(6, &["due", "--within", "5", "--json"]).json()["cases"].as_array().unwrap().len(),
        1
    );
    let status = office.place.run(&["status", "--json"]).json();
    let alarms = status["alarms"].as_array().unwrap();
    let found = alarms.iter().find(|alarm| alarm["key"] == format!("request-due:{late}"));
    assert_eq!(found.unwrap_or_else(|| panic!("{alarms:?}"))["severity"], "critical");
    let extend = office.run(5, &["extend", &late, "--reason", "too late"]);
    assert!(extend.stderr.contains("had to be told"), "{extend:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_written_once_edited_and_checked() {
    let office = Office::new();
    let case = office.open(&["--right", "access"]);
    let first = office.json(&["letter", "--write-templates"]);
    assert_eq!(first["written"].as_array().unwrap().len(), 18);
    let path = "privacy/letters/en/receipt.txt";
    office.place.write(path, "Case {{case}}, due {{due}}.\n");
    let again = office.json(&["letter", "--write-templates"]);
    assert_eq!(
        (again["written"].as_array().unwrap().len(), again["kept"].as_array().unwrap().len()),
        (0, 18)
    );
    let letter = office.run(0, &["letter", &case, "receipt"]);
    assert!(letter.stdout.starts_with(&format!("Case {case}, due ")), "{letter:?}");
    for (text, words) in
        [("{{nmae}}", "nmae"), ("{{case", "without"), (&*"x".repeat(70_000), "more than 65536 bytes")]
    {
        office.place.write(path, text);
        let wrong = office.run(2, &["letter", &case, "receipt"]);
        assert!(wrong.stderr.contains(words) && wrong.stderr.contains(path), "{wrong:?}");
    }
    let sent = office.run(2, &["letter", &case, "extension", "--sent", &days_ago(0)]);
    assert!(sent.stderr.contains("privacy extend"), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_noticed_and_two_who_write_at_once_are_told() {
    let office = Office::new();
    let case = office.open(&["--right", "access"]);
    let (one, two) = (office.place.file("one"), office.place.file("two"));
    // Both could not see the other's replica: number 2 is written twice.
    let config = office.place.read(CONFIG);
    let only = |name: &str| {
        let (head, replicas) = config.split_once("\n[[replicas]]").unwrap();
        let own =
            replicas.split("\n[[replicas]]").find(|text| text.contains(&format!("\"{name}\""))).unwrap();
        format!("{head}\n[[replicas]]{own}")
    };
    office.place.write(CONFIG, &only("one"));
    office.run(0, &["note", &case, "first words"]);
    office.place.write(CONFIG, &only("two"));
    office.run(0, &["note", &case, "other words"]);
    office.place.write(CONFIG, &config);
    let both = office.run(0, &["show", &case]);
    assert!(both.stderr.contains("at once") && both.stderr.contains("recorded again"), "{both:?}");
    office.run(0, &["note", &case, "goes on"]);
    let after = office.json(&["show", &case]);
    assert_eq!(after["events"].as_array().unwrap().len(), 3);

    // A file in the middle that is changed on both is damage, and the other case is there.
    let other = office.open(&["--right", "access"]);
    let key = format!("requests/{case}/1.json");
    for replica in [&one, &two] {
        let path = replica.join(&key);
        let text = fs::read_to_string(&path).unwrap().replace("\"n\": 1", "\"n\": 1 ");
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
        fs::set_permissions(&path, permissions).unwrap();
        std::io::Write::write_all(&mut fs::File::create(&path).unwrap(), text.as_bytes()).unwrap();
    }
    let damaged = office.run(4, &["show", &case]);
    assert!(damaged.stderr.contains("not whole"), "{damaged:?}");
    let page = office.run(4, &[]);
    assert!(page.stdout.contains(&other) && page.stderr.contains(&case), "{page:?}");
    drop(office.source);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_and_cases_stay_readable() {
    let office = Office::new();
    let case = office.open(&["--right", "access"]);
    office.place.expect(0, &["keys", "rotate", "--privacy", "--yes"]);
    let new_only = office.run(2, &["show", &case]);
    assert!(new_only.stderr.contains("prismvault privacy rewrap"), "{new_only:?}");
    let retired = fs::read_dir(office.place.path()).unwrap().map(|entry| entry.unwrap().path());
    let retired = retired.filter(|path| path.to_string_lossy().contains("anna.txt.retired-"));
    let retired: Vec<String> = retired.map(|path| path.to_string_lossy().into_owned()).collect();
    office.run(0, &["rewrap", "--identity", &retired[0]]);
    office.run(0, &["show", &case]);
    office.place.expect(0, &["keys", "rotate", "--privacy-signing", "--yes"]);
    office.run(0, &["note", &case, "by the new key"]);
    let shown = office.run(0, &["show", &case]);
    assert!(!shown.stderr.contains("trusted no longer"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_a_damaged_entry_and_repair_mends_it() {
    let office = Office::new();
    office.place.expect(0, &["snapshot"]);
    let case = office.open(&["--right", "access"]);
    office.run(0, &["note", &case, "x"]);
    office.place.expect(0, &["verify"]);
    let (good, path) =
        (office.requests("two"), office.place.file("one").join(format!("requests/{case}/1.json")));
    fs::remove_file(&path).unwrap();
    std::io::Write::write_all(&mut fs::File::create(&path).unwrap(), b"{}").unwrap();
    fs::remove_file(office.place.file("one").join(format!("requests/{case}/2.json"))).unwrap();
    // Both are read from the other replica meanwhile.
    office.run(0, &["show", &case]);
    let found = office.place.expect(4, &["verify"]);
    assert!(found.stdout.contains("/1.json") || found.stderr.contains("/1.json"), "{found:?}");
    office.place.expect(0, &["repair"]);
    assert_eq!(office.requests("one"), good);
    office.place.expect(0, &["verify"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_away_gets_what_it_lacks() {
    let office = Office::new();
    let case = office.open(&["--right", "access"]);
    let away = office.place.file("two.away");
    fs::rename(office.place.file("two"), &away).unwrap();
    let config = office.place.read(CONFIG);
    office.place.write(CONFIG, &format!("[vault]\nmin_copies = 1\n{config}"));
    let partial = office.run(3, &["note", &case, "while it was away"]);
    assert!(partial.stderr.contains("two"), "{partial:?}");
    fs::rename(&away, office.place.file("two")).unwrap();
    office.place.write(CONFIG, &config);
    assert_ne!(office.requests("one"), office.requests("two"));
    office.place.expect(0, &["snapshot"]);
    office.place.expect(0, &["replicate"]);
    assert_eq!(office.requests("one"), office.requests("two"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_named_and_found_and_what_was_found_is_kept_for_privacy_officers_only() {
    let office = Office::new();
    let text = json!([{ "type": "paragraph", "text": "by Perpetua Exampleton, of course", "spans": [] }]);
    let about = crate::restoring::crafted::document(
        ("PrivacyPerson001", "note", "en-us"),
        None,
        &[],
        &json!({ "content": text }),
    );
    office.source.repository.publish(prismvault::sandbox::Changes { put: vec![about], ..Default::default() });
    office.place.expect(0, &["snapshot"]);
    let case = office.open(&["--right", "access"]);
    office.run(5, &["search", &case]);
    office.run(0, &["letter", &case, "receipt", "--sent", &days_ago(0)]);
    office.run(0, &["identity", &case, "--verified", "--method", "reply from the known address"]);

    office.place.write("odd.txt", "name Perpetua Exampleton\n");
    let odd = office.run(2, &["subject", &case, "--from", "odd.txt"]);
    assert!(odd.stderr.contains("line 1") && !odd.stderr.contains("Perpetua"), "{odd:?}");
    office.place.write("person.txt", "# from the letter\nname: Perpetua Exampleton\nemail: a@b\n");
    let subject = office.run(0, &["subject", &case, "--from", "person.txt"]);
    assert!(subject.stdout.contains("1 × name") && subject.stdout.contains("note: line 3"), "{subject:?}");
    assert!(subject.stdout.contains("Next: prismvault privacy search"), "{subject:?}");
    assert!(!subject.stdout.contains("Perpetua"), "{subject:?}");
    let shown = office.run(0, &["subject", &case, "--show"]);
    assert!(shown.stdout.contains("Perpetua Exampleton"), "{shown:?}");

    let before = office.requests("one").len();
    let dry = office.run(3, &["search", &case, "--dry-run"]);
    assert!(dry.stdout.contains("full name") && office.requests("one").len() == before, "{dry:?}");
    // Without write token the live media library is out of reach, and that is said.
    let found = office.run(3, &["search", &case]);
    assert!(found.stdout.contains("write token"), "{found:?}");
    assert!(found.stdout.contains("PrivacyPerson001") && found.stdout.contains("live"), "{found:?}");
    assert!(found.stdout.contains("drafts in Prismic"), "what no search reaches is said: {found:?}");
    for run in [&dry, &found] {
        assert!(!run.stdout.contains("Exampleton") && !run.stderr.contains("Exampleton"), "{run:?}");
    }
    let last = office.run(3, &["search", &case, "--last", "--json"]).json();
    assert_eq!(last["found"][0]["sightings"][0]["path"], "documents/en-us/note/PrivacyPerson001.json");
    assert_eq!(last["state"], "review");
    let kept: Vec<String> = office.requests("two").into_keys().filter(|key| key.ends_with(".age")).collect();
    assert_eq!(kept.len(), 3, "what was found, decisions and their key: {kept:?}");
    kept.iter().for_each(|key| fs::remove_file(office.place.file("two").join(key)).unwrap());
    office.run(3, &["search", &case, "--last"]);
    office.place.expect(0, &["replicate"]);
    let again = office.requests("two");
    assert!(kept.iter().all(|key| again.contains_key(key)), "a replica that was away gets them");
    for bytes in office.requests("one").values() {
        assert!(!bytes.windows(10).any(|part| part == b"Exampleton"), "readable outside");
    }
    office.place.expect(0, &["verify"]);

    // Other words for the person: what was found before does not count any more.
    office.place.write("more.txt", "name: Somebody Otherwise\n");
    office.run(0, &["subject", &case, "--from", "more.txt", "--replace"]);
    let nobody = office.run(3, &["search", &case, "--json"]).json();
    assert_eq!((nobody["findings"].as_u64(), nobody["found"].as_array().map(Vec::len)), (Some(0), Some(0)));
}

/// A document with a text.
pub(crate) fn note(id: &str, text: &str) -> std::sync::Arc<prismvault::contentapi::Document> {
    let text = json!([{ "type": "paragraph", "text": text, "spans": [] }]);
    crate::restoring::crafted::document((id, "note", "en-us"), None, &[], &json!({ "content": text }))
}

impl Office {
    /// Opens a case for a person and searches; `texts` are documents of the repository.
    pub(crate) fn searched(&self, right: &str, texts: &[(&str, &str)]) -> String {
        let put = texts.iter().map(|(id, text)| note(id, text)).collect();
        self.source.repository.publish(prismvault::sandbox::Changes { put, ..Default::default() });
        self.place.expect(0, &["snapshot"]);
        let case = self.open(&["--right", right]);
        self.run(0, &["letter", &case, "receipt", "--sent", &days_ago(0)]);
        self.run(0, &["identity", &case, "--verified", "--method", "reply from the known address"]);
        self.place.write("person.txt", "name: Perpetua Exampleton\nemail: perpetua@example.org\n");
        self.run(0, &["subject", &case, "--from", "person.txt"]);
        self.run(3, &["search", &case]);
        case
    }

    pub(crate) fn questions(&self, case: &str) -> Vec<Value> {
        self.json(&["review", case, "--all"])["questions"].as_array().unwrap().clone()
    }
}
