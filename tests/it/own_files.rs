//! What commands write on a host is found again, and goes.

use std::fs;
use std::path::Path;

use prismvault::privacy::channels::Bounds;
use prismvault::privacy::matching::{Finding, Matcher, Tier};
use prismvault::privacy::own_files::scan::Scan;
use prismvault::privacy::own_files::{Found, OutputKind, Register, Why, find, remove};
use prismvault::privacy::subject::{IdentifierKind, Subject};

use crate::cli_privacy::Office;

const TEXTS: [(&str, &str); 1] = [("OwnFilesPerson01", "by Perpetua Exampleton, of course")];

fn register(office: &Office) -> Register {
    Register::at(&office.place.home().join(".local/state/prismvault"))
}

/// What a case about the person finds on this host.
fn found(office: &Office, case: &str) -> Found {
    let mut subject = Subject::default();
    subject.add(IdentifierKind::Name, "Perpetua Exampleton").unwrap();
    let (matcher, bounds) = (Matcher::new(&subject, &[]), Bounds::default());
    let is_person = |finding: &Finding| finding.tier <= Tier::B;
    let scan = Scan { matcher: &matcher, bounds: &bounds, is_person: &is_person };
    let is_of_case = |output: &prismvault::privacy::own_files::Output| {
        output.case.as_ref().is_some_and(|own| own.as_str() == case)
    };
    let outputs = register(office).outputs().unwrap();
    find(&outputs, is_of_case, |_, inside, file| scan.holds(inside, file))
}

/// Whether any file below a directory has these words.
fn holds(directory: &Path, words: &str) -> bool {
    fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => holds(&path, words),
            false => String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(words),
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_restored_files_and_worksheets_are_found_and_go_and_other_files_stay() {
    let office = Office::new();
    let case = office.searched("access", &TEXTS);
    let place = &office.place;
    fs::create_dir(place.file("mixed")).unwrap();
    place.write("mixed/mine.txt", "Perpetua Exampleton, by myself");
    place.expect(0, &["export", "latest", "--to", "all.tar.zst", "--identity", "anna.txt"]);
    place.expect(0, &["restore", "files", "latest", "--to", "restored", "--identity", "anna.txt"]);
    let mixed = ["restore", "files", "latest", "--to", "mixed", "--identity", "anna.txt"];
    place.expect(0, &[&mixed[..], &["--overwrite", "if-changed"]].concat());
    office.run(0, &["review", &case, "--worksheet", "sheet.csv", "--all"]);
    // What was refused wrote nothing, and changes nothing that was noted.
    fs::create_dir(place.file("others")).unwrap();
    place.write("others/x.txt", "x");
    let refused = place.run(&["restore", "files", "latest", "--to", "others", "--identity", "anna.txt"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    let refused = place.run(&["export", "latest", "--to", "all.tar.zst", "--identity", "anna.txt"]);
    assert_ne!(refused.code, 0, "{refused:?}");

    let noted = register(&office).outputs().unwrap();
    let mut kinds: Vec<OutputKind> = noted.all.iter().map(|output| output.kind).collect();
    kinds.sort();
    assert_eq!(
        kinds,
        [OutputKind::Export, OutputKind::RestoredFiles, OutputKind::RestoredFiles, OutputKind::Worksheet]
    );
    assert!(noted.all.iter().all(|output| output.identity.is_some()), "{noted:?}");
    let before = found(&office, &case);
    let names: Vec<String> = before
        .files
        .iter()
        .map(|own| own.path().file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(
        names.contains(&"all.tar.zst".to_owned()) && names.contains(&"sheet.csv".to_owned()),
        "{names:?}"
    );
    // The pictures of the sandbox are none: what cannot be read is told.
    let readable =
        before.refused.iter().filter(|refused| refused.path.extension().is_none_or(|end| end != "jpg"));
    let shared: Vec<_> = readable.map(|refused| &refused.why).collect();
    assert_eq!(shared, [&Why::Shared, &Why::Shared], "what lies in the directory that held other files");
    assert!(holds(&place.file("restored"), "Exampleton"));

    let removed = remove(&register(&office), &before).unwrap();
    assert_eq!(removed.files.len(), before.files.len());
    assert!(!place.file("all.tar.zst").exists() && !place.file("sheet.csv").exists());
    assert!(!holds(&place.file("restored"), "Exampleton"), "the files of the person are gone");
    assert!(fs::read_dir(place.file("restored")).unwrap().next().is_some(), "and others are there");
    assert!(place.file("mixed/mine.txt").exists());
    assert_eq!(found(&office, &case).files, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_go_after_their_days_and_nothing_is_said_where_nothing_is_due() {
    let office = Office::new();
    let silent = office.run(0, &["purge"]);
    assert_eq!(silent.stdout.trim(), "", "{silent:?}");
    let entries = |office: &Office| {
        crate::restore::tree(&office.place.file("one")).keys().filter(|key| key.starts_with("audit/")).count()
    };
    let before = entries(&office);
    office.run(0, &["purge", "--yes"]);
    assert_eq!(entries(&office), before, "nothing was done, so nothing is in the log");

    let case = office.searched("access", &TEXTS);
    office.run(0, &["review", &case, "--worksheet", "sheet.csv"]);
    // A package of a month ago.
    fs::create_dir(office.place.file("answer")).unwrap();
    office.place.write("answer/data.json", "Perpetua Exampleton");
    let outputs = register(&office).outputs().unwrap();
    let mut package = outputs.all[0].clone();
    (package.kind, package.path) = (OutputKind::Package, office.place.file("answer"));
    register(&office).finish(&package).unwrap();
    assert_eq!(office.run(0, &["purge"]).stdout.trim(), "", "it is not due");
    package.at = format!("{}T00:00:00Z", crate::cli_privacy::days_ago(40));
    register(&office).finish(&package).unwrap();
    let dry = office.json(&["purge", "--dry-run"]);
    assert_eq!(dry["packages"].as_array().unwrap().len(), 1, "{dry}");
    let refused = office.run(5, &["purge"]);
    assert!(refused.stderr.contains("--yes") && office.place.file("answer").exists(), "{refused:?}");
    let config = office.place.read("prismvault.toml");
    office.place.write("prismvault.toml", &format!("{config}\n[privacy]\nkeep_packages = \"60d\"\n"));
    assert_eq!(office.run(0, &["purge", "--yes"]).stdout.trim(), "");
    office.place.write("prismvault.toml", &format!("{config}\n[privacy]\nkeep_packages = \"1h\"\n"));
    assert!(office.run(2, &["purge"]).stderr.contains("at least \"1d\""));
    office.place.write("prismvault.toml", &config);
    let done = office.run(0, &["purge", "--yes"]);
    assert!(done.stdout.contains("answer") && !office.place.file("answer").exists(), "{done:?}");
    assert!(office.place.file("sheet.csv").exists(), "the worksheet of an open case stays");
    assert_eq!(office.run(0, &["purge", "--yes"]).stdout.trim(), "");
    assert!(entries(&office) > before);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_at_their_finest_name_nobody() {
    let office = Office::new();
    let case = office.searched("access", &TEXTS);
    for arguments in [
        &["privacy", "-vv", "search", &case][..],
        &["privacy", "-vv", "review", &case, "--worksheet", "sheet.csv"],
        &["privacy", "-vv", "purge", "--dry-run"],
        &["restore", "-vv", "files", "latest", "--to", "restored", "--identity", "anna.txt"],
        &["export", "-vv", "latest", "--to", "all.tar", "--identity", "anna.txt"],
        &["find", "-vv", "latest", "nothing", "--identity", "anna.txt"],
    ] {
        let run = office.place.run(arguments);
        assert!(run.code <= 3, "{arguments:?}: {run:?}");
        let log = run.stderr.to_lowercase();
        assert!(!log.contains("perpetua") && !log.contains("exampleton"), "{arguments:?}: {run:?}");
    }
}
