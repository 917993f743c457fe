//! `prismvault privacy export` and `verify-package` as a privacy officer and the person meet them.

use std::fs;

use serde_json::Value;

use crate::cli_privacy::Office;
use crate::restore::tree;

const PROCESSING: &str = "privacy/processing.toml";

/// What an office has written down.
const FILLED: &str = "[controller]\nname = \"Example Press Ltd\"\naddress = \"1 Invented Street\"\n\
    contact = \"privacy@press.example\"\ndata_protection_officer = \"dpo@press.example\"\n[en]\n\
    purposes = \"Authors are named beside their texts.\"\ncategories = \"Names and addresses.\"\n\
    recipients = [\"Prismic.io, Inc., United States\"]\nretention = \"One year in backups.\"\n\
    rights = \"Correction, deletion, restriction, objection.\"\ncomplaint = \"Authority of Nowhere\"\n\
    source = \"From you.\"\nautomated_decisions = \"None.\"\ntransfers = \"Standard clauses.\"\n";

const TEXTS: [(&str, &str); 2] = [
    ("ExportPerson0001", "by Perpetua Exampleton, of course"),
    ("ExportPerson0002", "write to perpetua@example.org or to otto@example.org"),
];

/// Decides everything, and goes on to the answer.
fn reviewed(office: &Office, case: &str) {
    for question in office.questions(case) {
        let row = question["row"].as_str().unwrap();
        office.run(0, &["review", case, "--decide", "subject", "--row", row, "--by", "anna"]);
    }
    office.run(0, &["review", case, "--finish"]);
    office.run(0, &["assess", case, "--note", "the addresses of others are hidden"]);
}

fn fill_in(office: &Office) {
    if !office.place.file(PROCESSING).exists() {
        office.run(0, &["export", "--write-processing"]);
    }
    office.place.write(PROCESSING, FILLED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gets_their_data_signed_and_anybody_can_check_it() {
    let office = Office::new();
    let case = office.searched("access", &TEXTS);
    let early = office.run(5, &["export", &case, "--to", "answer"]);
    assert!(early.stderr.contains("under review") && early.stderr.contains("privacy review"), "{early:?}");
    let dry = office.run(5, &["export", &case, "--dry-run"]);
    for words in ["under review", "there is no privacy/processing.toml", "have no decision"] {
        assert!(dry.stdout.contains(words), "{words}: {dry:?}");
    }
    assert!(!office.place.file("answer").exists());
    reviewed(&office, &case);

    // The words of the office, which nobody has filled in yet.
    let missing = office.run(2, &["export", &case, "--to", "answer"]);
    assert!(missing.stderr.contains("--write-processing"), "{missing:?}");
    let wrote = office.run(0, &["export", "--write-processing"]);
    assert!(wrote.stdout.contains("Wrote privacy/processing.toml"), "{wrote:?}");
    assert!(office.run(0, &["export", "--write-processing"]).stdout.contains("Kept privacy/processing.toml"));
    let empty = office.run(2, &["export", &case, "--to", "answer"]);
    for words in ["Art. 15(1)(a): en.purposes", "Art. 15(1)(h)", "Art. 15(2)", "controller.name"] {
        assert!(empty.stderr.contains(words), "{words}: {empty:?}");
    }
    fill_in(&office);
    let french = office.run(2, &["export", &case, "--to", "answer", "--lang", "fr"]);
    assert!(french.stderr.contains("language fr (there are: en)"), "{french:?}");
    assert!(!office.place.file("answer").exists());

    let ready = office.json(&["export", &case, "--dry-run"]);
    assert_eq!((ready["survey"]["person"].as_u64(), ready["survey"]["open"].as_u64()), (Some(2), Some(0)));
    let next = office.run(0, &[]);
    assert!(next.stdout.contains(&format!("privacy export {case} --right access")), "{next:?}");
    let made = office.run(0, &["export", &case, "--to", "answer", "--by", "anna"]);
    assert!(made.stderr.contains("not encrypted") && made.stdout.contains("Signed by RW"), "{made:?}");
    assert!(made.stdout.contains(&format!("Next: prismvault privacy letter {case} answer")), "{made:?}");
    for run in [&ready.to_string(), &made.stdout, &made.stderr] {
        assert!(!run.contains("Exampleton") && !run.contains("otto"), "{run}");
    }
    let place = office.place.file("answer");
    let files = tree(&place);
    let data: Value = serde_json::from_slice(&files["data.json"]).unwrap();
    let texts: Vec<&str> =
        data["records"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect();
    assert!(texts.contains(&"by Perpetua Exampleton, of course"), "{texts:?}");
    assert!(
        texts.contains(&"write to perpetua@example.org or to [other person's e-mail address]"),
        "{texts:?}"
    );
    assert!(files.values().all(|bytes| !String::from_utf8_lossy(bytes).contains("anna")), "who decided");
    assert!(String::from_utf8_lossy(&files["index.html"]).contains("Example Press Ltd"));

    // It stands in the case, and a second one has its own place.
    let shown = office.json(&["show", &case]);
    let event = shown["events"].as_array().unwrap().last().unwrap();
    assert_eq!((event["event"].as_str(), event["name"].as_str()), (Some("exported"), Some("answer")));
    let digest = prismvault::ids::Digest::of(&files["MANIFEST.json"]).to_string();
    assert_eq!(event["manifest"].as_str(), Some(&*digest));
    let twice = office.run(2, &["export", &case, "--to", "answer"]);
    assert!(twice.stderr.contains("is there already"), "{twice:?}");
    assert_eq!(tree(&place), files);
    checked_by_anybody(&office, &files["how-to-read.en.txt"]);
}

/// With the key of the letter and nothing else, and with the vault.
fn checked_by_anybody(office: &Office, help: &[u8]) {
    let help = String::from_utf8(help.to_vec()).unwrap();
    let key = help.split("--key ").nth(1).unwrap().split_whitespace().next().unwrap();
    assert!(office.run(0, &["verify-package", "answer"]).stdout.contains("Good"));
    let other = crate::workplace::Workplace::new();
    let answer = office.place.file("answer");
    let answer = answer.to_str().unwrap();
    let alone = other.expect(0, &["privacy", "verify-package", answer, "--key", key]);
    assert!(alone.stdout.contains("Good") && alone.stdout.contains("access"), "{alone:?}");
    let without = other.run(&["privacy", "verify-package", answer]);
    assert!(without.code == 2 && without.stderr.contains("--key"), "{without:?}");
    let wrong = other.expect(0, &["keys", "generate", "--signing-to", "wrong.key", "--json"]).json();
    let wrong = wrong["public"].as_str().unwrap();
    let refused = other.expect(4, &["privacy", "verify-package", answer, "--key", wrong]);
    assert!(refused.stdout.contains("not the signature"), "{refused:?}");
    other.expect(2, &["privacy", "verify-package", answer, "--key", "RWnonsense"]);
    std::io::Write::write_all(&mut fs::File::create(office.place.file("answer/more.txt")).unwrap(), b"x")
        .unwrap();
    let more = other.expect(4, &["privacy", "verify-package", answer, "--key", key, "--json"]).json();
    assert_eq!(
        (more["is_good"].as_bool(), more["faults"][0]["path"].as_str()),
        (Some(false), Some("more.txt"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_package_is_one_file_and_portability_has_a_note() {
    let office = Office::new();
    let case = office.searched("portability", &TEXTS);
    reviewed(&office, &case);
    fill_in(&office);
    let without = office.run(2, &["export", &case, "--to", "move"]);
    assert!(without.stderr.contains("--portability-note"), "{without:?}");
    let empty =
        office.run(2, &["export", &case, "--to", "move", "--portability-note", "privacy/portability.toml"]);
    assert!(empty.stderr.contains("says nothing yet"), "{empty:?}");
    office.place.write(
        "note.toml",
        "decided_by = \"Anna\"\nnothing = \"All of it is processed on legitimate interest.\"\n",
    );
    let note = ["export", &*case, "--to", "move", "--portability-note", "note.toml"];
    office.place.write("short.txt", "short\n");
    let short = office.run(2, &[&note[..], &["--passphrase-file", "short.txt"]].concat());
    assert!(short.stderr.contains("fewer than 12 characters"), "{short:?}");
    let identity =
        office.place.expect(0, &["keys", "generate", "--identity-to", "person.key", "--json"]).json();
    let recipient = identity["public"].as_str().unwrap();
    let made = office.json(&[&note[..], &["--encrypt-to", recipient]].concat());
    assert_eq!((made["right"].as_str(), made["package"]["records"].as_u64()), (Some("portability"), Some(0)));
    let sealed = fs::read(office.place.file("move.tar.age")).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1") && !office.place.file("move").exists());
    let file = office.run(2, &["verify-package", "move.tar.age"]);
    assert!(file.stderr.contains("age -d"), "{file:?}");
    office.run(5, &[&note[..], &["--right", "access"]].concat());
    let letter = office.run(0, &["export", "--ask-prismic", "--lang", "de"]);
    assert!(letter.stdout.contains("Art. 15 DSGVO"), "{letter:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_keys_of_privacy_nothing_is_handed_over() {
    let office = Office::new();
    let case = office.searched("access", &TEXTS);
    reviewed(&office, &case);
    fill_in(&office);
    let config = office.place.read("prismvault.toml");
    for line in ["privacy = ", "privacy_signing = "] {
        let without: String =
            config.lines().filter(|own| !own.starts_with(line)).map(|own| format!("{own}\n")).collect();
        office.place.write("prismvault.toml", &without);
        let refused = office.run(2, &["export", &case, "--to", "answer"]);
        assert!(refused.stderr.contains("privacy"), "{refused:?}");
        assert!(!office.place.file("answer").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_wrote_thousands_of_documents_gets_all_of_them() {
    const DOCUMENTS: usize = 2_500;
    let office = Office::new();
    let texts: Vec<(String, String)> = (0..DOCUMENTS)
        .map(|n| (format!("ManyDocuments{n:05}"), format!("Column {n} by Perpetua Exampleton")))
        .collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(id, text)| (&**id, &**text)).collect();
    let case = office.searched("access", &texts);
    let listed = office.run(0, &["review", &case]);
    assert!(listed.stdout.contains("and 2400 more"), "{}", listed.stderr);
    // In one go by a worksheet, which a spreadsheet fills down.
    office.run(0, &["review", &case, "--worksheet", "sheet.csv"]);
    let sheet = office.place.read("sheet.csv");
    office.place.write("sheet.csv", &sheet.replace(",review,,", ",review,subject,"));
    let taken = office.json(&["review", &case, "--from", "sheet.csv"]);
    assert_eq!((&taken["taken"]["changed"], &taken["review"]["open"]), (&DOCUMENTS.into(), &0.into()));
    office.run(0, &["review", &case, "--finish"]);
    fill_in(&office);
    let made = office.json(&["export", &case, "--to", "answer"]);
    assert_eq!(made["package"]["records"], DOCUMENTS);
    let files = tree(&office.place.file("answer"));
    let lines = |name: &str| files[name].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    assert_eq!((lines("sources.csv"), lines("data.csv")), (DOCUMENTS + 1, DOCUMENTS + 1));
    let pages = files.keys().filter(|name| name.ends_with(".html")).count();
    assert_eq!(pages, 6, "one to begin with, and one for 500 entries each");
    assert!(office.run(0, &["verify-package", "answer"]).stdout.contains("Good"));
}
