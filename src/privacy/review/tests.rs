use serde_json::json;

use super::worksheet::{Format, Mistake, Purpose, Row, Worksheet, read};
use super::*;
use crate::clock::Timestamp;
use crate::ids::{CaseId, DecisionKey, ItemId, SnapshotId, random};
use crate::privacy::matching::{Finding, Tier};
use crate::privacy::search::{Coverage, FoundItem, LivePlace, SearchReport, Sighting};

fn at(day: u32) -> Timestamp {
    format!("2026-03-{day:02}T00:00:00Z").parse().unwrap()
}

fn case() -> CaseId {
    "2026-7K3F9Q".parse().unwrap()
}

/// A finding with a fingerprint of its own.
fn finding(number: u8, tier: &str) -> Finding {
    let rule = if tier == "D" { "surname" } else { "name_full" };
    serde_json::from_value(json!({
        "identifier": { "kind": "name", "index": 0 }, "tier": tier, "rule": rule, "channel": "key_text",
        "place": format!("/data/{number}"), "passage": 0,
        "hits": [{ "start": 0, "end": 1, "tier": tier, "rule": rule }],
        "more_hits": 0, "excerpt": "M▒▒▒ writes", "fingerprint": vec![number; 32],
    }))
    .unwrap()
}

fn sighting(path: &str, from: u32, to: u32) -> Sighting {
    Sighting {
        repository: "shop".parse().unwrap(),
        path: path.to_owned(),
        from: SnapshotId::new(at(from)),
        to: SnapshotId::new(at(to)),
        snapshots: 2,
        is_in_newest: false,
    }
}

fn item(sightings: Vec<Sighting>, findings: Vec<Finding>) -> FoundItem {
    FoundItem {
        space: "shop".parse().unwrap(),
        item: Some(ItemId(random())),
        size: 100,
        sightings,
        live: None,
        findings,
        score: 1.0,
    }
}

fn report_of(found: Vec<FoundItem>) -> SearchReport {
    SearchReport { at: at(1), version: "0".to_owned(), found, coverage: Coverage::default() }
}

/// A report of documents with as many findings of weak evidence each.
pub(crate) fn report(documents: &[(&str, u8)]) -> SearchReport {
    let mut next = 0;
    let mut item_of = |(name, count): &(&str, u8)| {
        let findings = (0..*count).map(|_| {
            next += 1;
            finding(next, "D")
        });
        item(vec![sighting(&format!("documents/page/en-us/{name}.json"), 1, 2)], findings.collect())
    };
    report_of(documents.iter().map(&mut item_of).collect())
}

fn decided(decision: Decision, by: &str) -> Decided {
    Decided { decision, ground: None, redact: Vec::new(), by: by.to_owned(), at: at(5) }
}

#[test]
fn versions_and_releases_of_a_document_are_one_question() {
    let path = "documents/page/en-us/a.json";
    let mut live = item(Vec::new(), vec![finding(1, "B")]);
    (live.item, live.live) =
        (None, Some(LivePlace { repository: "shop".parse().unwrap(), path: format!("releases/r1/{path}") }));
    let found = vec![
        item(vec![sighting(path, 3, 4)], vec![finding(1, "D"), finding(2, "D")]),
        item(vec![sighting(path, 1, 2)], vec![finding(1, "B")]),
        live,
        item(vec![sighting("documents/page/en-us/b.json", 1, 2)], vec![finding(1, "D")]),
        item(Vec::new(), vec![finding(1, "D")]),
    ];
    let report = report_of(found);
    let mut review = Review::begin();
    let questions = review.questions(&report);
    assert_eq!(questions.len(), 4);
    let one = questions.iter().find(|question| question.path == path && question.versions == 3).unwrap();
    assert_eq!((one.tier, one.is_live), (Tier::B, true));
    assert_eq!(one.from.as_ref().unwrap().time(), at(1));
    assert_eq!(one.to.as_ref().unwrap().time(), at(4));

    // A decision holds for all versions in this document, and for no other document.
    review.decide(one, decided(Decision::Subject, "anna"));
    let progress = review.progress(&report);
    assert_eq!((progress.decided, progress.open), (3, 3));
}

#[test]
fn a_file_in_two_places_is_decided_when_both_are() {
    let paths = ["assets/x/original", "assets/y/original"];
    let found = item(paths.map(|path| sighting(path, 1, 2)).to_vec(), vec![finding(1, "A")]);
    let report = report_of(vec![found]);
    let (found, finding) = report.each().next().unwrap();
    let mut review = Review::begin();
    let questions = review.questions(&report);
    assert_eq!((questions.len(), review.of(found, finding)), (2, None));
    review.decide(&questions[0], decided(Decision::NotSubject, "anna"));
    assert_eq!(review.of(found, finding), None);
    let other = Decided { redact: vec!["Otto".to_owned()], ..decided(Decision::ThirdParty, "anna") };
    review.decide(&questions[1], other);
    let both = review.of(found, finding).unwrap();
    assert_eq!((both.decision, both.redact), (Decision::ThirdParty, vec!["Otto".to_owned()]));
    review.decide(&questions[0], decided(Decision::Unsure, "anna"));
    assert_eq!(review.progress(&report).unsure, 1);
}

#[test]
fn another_key_remembers_by_other_hashes() {
    let report = report(&[("a", 2)]);
    let (one, other) = (Review::begin(), Review::begin());
    let questions = one.questions(&report);
    let again = other.questions_like(&questions);
    assert!(questions.iter().zip(&again).all(|(a, b)| a.key != b.key && a.path == b.path));
    assert_eq!(one.questions_like(&again)[0].key, questions[0].key);
}

#[test]
fn a_second_look_needs_a_second_person_and_reopens_what_differs() {
    let report = report(&[("a", 100)]);
    let mut review = Review::begin();
    let questions = review.questions(&report);
    assert_eq!(review.check(&questions[0], decided(Decision::Subject, "berta")), Err(CheckError::NotDecided));
    for question in &questions {
        review.decide(question, decided(Decision::NotSubject, "anna"));
    }
    assert!(review.sample(&questions, 0.05, "anna").is_empty());
    assert_eq!(review.sample(&questions, 0.5, "berta").len(), 50);
    let sample: Vec<Question> = review.sample(&questions, 0.05, "berta").into_iter().cloned().collect();
    assert_eq!(sample.len(), 20, "a share of less says little");
    assert_eq!(review.check(&sample[0], decided(Decision::NotSubject, "anna")), Err(CheckError::SamePerson));
    assert_eq!(review.check(&sample[0], decided(Decision::Subject, "berta")), Ok(false));
    for question in &sample[1..] {
        assert_eq!(review.check(question, decided(Decision::NotSubject, "berta")), Ok(true));
    }
    let checked = review.checked(&questions);
    assert_eq!((checked.rejected, checked.checked, checked.missed), (100, 20, 1));
    assert!(checked.rate.is_some_and(|rate| rate.low < 0.05 && rate.high > 0.2));
    assert_eq!(review.progress(&report).unsure, 1);
    assert!(review.sample(&questions, 0.05, "berta").is_empty(), "checked once");
}

fn rows(count: u8) -> Vec<Row> {
    let row = |number| Row {
        key: DecisionKey([number; 16]),
        decision: None,
        ground: String::new(),
        redact: Vec::new(),
        evidence: "B full name".to_owned(),
        repository: "shop".to_owned(),
        document: "documents/page/en-us/a.json".to_owned(),
        place: format!("/data/{number}"),
        first: "2026-01-01".to_owned(),
        last: "newest".to_owned(),
        text: "=HYPERLINK(\"x\") </script><b>\nM▒▒▒".to_owned(),
    };
    (1..=count).map(row).collect()
}

fn written(rows: Vec<Row>, format: Format) -> String {
    let sheet = Worksheet { case: &case(), purpose: Purpose::Review, rows };
    String::from_utf8(sheet.write(format)).unwrap()
}

const COMMAS: Format = Format::Csv { delimiter: b',' };

fn taken(bytes: &[u8]) -> Result<worksheet::Returned, Vec<Mistake>> {
    read(bytes, &case(), |key| key.0[0] <= 9)
}

#[test]
fn what_was_written_comes_back_as_it_was() {
    let mut rows = rows(4);
    rows[0].decision = Some(Decision::Keep);
    rows[0].ground = "-1 = \"quoted\", 'single'\nsecond; line <b>".to_owned();
    rows[1].decision = Some(Decision::ThirdParty);
    rows[1].redact = vec!["Otto Probe".to_owned(), "=Lena".to_owned()];
    rows[2].decision = Some(Decision::NotSubject);
    for format in [COMMAS, Format::Csv { delimiter: b';' }, Format::Html] {
        let text = written(rows.clone(), format);
        assert!(!text.contains("</script><b>") || format != Format::Html);
        let back = taken(text.as_bytes()).unwrap();
        assert_eq!(
            (back.purpose, back.answers.len(), back.unanswered),
            (Purpose::Review, 3, 1),
            "{format:?}"
        );
        for row in &rows[..3] {
            let answer = &back.answers[&row.key];
            assert_eq!(Some(answer.decision), row.decision);
            assert_eq!(answer.ground.clone().unwrap_or_default(), row.ground);
            assert_eq!(answer.redact, row.redact);
        }
    }
}

/// A sheet with a decision in the first row, as CSV.
fn filled() -> String {
    let mut rows = rows(3);
    rows[0].decision = Some(Decision::Subject);
    written(rows, COMMAS)
}

#[test]
fn what_spreadsheets_do_to_a_file_is_understood() {
    let text = filled();
    let bare = text.trim_start_matches('\u{feff}');
    let semicolons =
        written(rows(3), Format::Csv { delimiter: b';' }).replacen(";review;;", ";Review; Not_Subject ;", 1);
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(bare.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let tabs = bare
        .lines()
        .take(1)
        .map(|line| line.replace(',', "\t"))
        .chain([format!("r{}\t2026-7k3f9q\treview\tSUBJECT", DecisionKey([1; 16]))])
        .collect::<Vec<_>>()
        .join("\r\n");
    let latin = bare.replacen("review,subject,", "review,keep,Anspr\u{0}che", 1).into_bytes();
    let latin: Vec<u8> = latin.into_iter().map(|byte| if byte == 0 { 0xfc } else { byte }).collect();
    let cases: [(&str, Vec<u8>); 6] = [
        ("no mark", bare.as_bytes().to_vec()),
        ("semicolons", semicolons.into_bytes()),
        ("UTF-16", utf16),
        ("tabs", tabs.into_bytes()),
        ("said separator", format!("sep=,\r\n{bare}").into_bytes()),
        ("empty rows", format!("{text},,,,\r\n\r\n").into_bytes()),
    ];
    for (name, bytes) in cases {
        let back = taken(&bytes).unwrap_or_else(|mistakes| panic!("{name}: {mistakes:?}"));
        assert_eq!(back.answers.len(), 1, "{name}");
    }
    let back = taken(&latin).unwrap();
    assert_eq!(back.answers[&DecisionKey([1; 16])].ground.as_deref(), Some("Ansprüche"));
}

#[test]
fn a_sheet_that_was_edited_wrongly_is_refused_with_every_row_that_is_wrong() {
    let text = filled();
    let key = |number| format!("r{}", DecisionKey([number; 16]));
    let edit = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let second = format!("{},2026-7K3F9Q,review,", key(2));
    let cases = [
        ("a column is gone", edit("decision", "verdict"), "decision"),
        ("a word", edit("review,subject", "review,ja"), "row 2: the decision `ja` is none of"),
        ("another case", edit("2026-7K3F9Q", "2026-7K3F9R"), "row 2: it is not of case"),
        ("a key", edit(&key(2), "r12"), "row 3: its first cell is not of this search"),
        ("an older search", edit(&key(2), &key(77)), "row 3: its first cell is not of this search"),
        ("keep without ground", edit("review,subject", "review,keep"), "row 2: what is kept needs"),
        ("ground alone", edit(&second, &format!("{second},because")), "row 3: it has a ground"),
        (
            "hide what is not theirs",
            edit("review,subject,,", "review,not-subject,,Otto"),
            "row 2: words are hidden",
        ),
        (
            "two minds",
            edit(&second, &format!("{},2026-7K3F9Q,review,unsure", key(1))),
            "row 3: row 2 says subject",
        ),
        (
            "another sheet",
            edit(&second, &second.replace("review", "check")),
            "row 3: it is of another worksheet",
        ),
        ("cut", format!("{}\r\nr1", text.trim_end()), "row 5: cells are missing"),
        ("empty", String::new(), "row, case, sheet, decision"),
        ("heads alone", text.lines().next().unwrap().to_owned(), "no rows"),
        ("not a sheet", "<!DOCTYPE html><p>Hello".to_owned(), "Save the worksheet"),
        (
            "a page that was cut",
            written(rows(2), Format::Html).split("<script type").next().unwrap().to_owned(),
            "Save the worksheet",
        ),
    ];
    for (name, text, said) in cases {
        let mistakes = taken(text.as_bytes()).expect_err(name);
        assert!(mistakes.iter().any(|mistake| mistake.to_string().contains(said)), "{name}: {mistakes:?}");
    }
    // All of them at once, not one after the other.
    let both = text.replacen("review,subject", "review,ja", 1).replacen(&key(2), "r12", 1);
    assert_eq!(taken(both.as_bytes()).unwrap_err().len(), 2);
}

#[test]
fn bytes_that_are_no_sheet_never_panic() {
    for bytes in [
        &b"\xff\xfe"[..],
        b"\xfe\xff\x00",
        b"\xef\xbb\xbf",
        b"\x00\x01",
        b"sep=;",
        b"<",
        b"\"\"\"",
        b"row,case",
    ] {
        assert!(taken(bytes).is_err());
    }
}
