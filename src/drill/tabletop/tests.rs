//! Packs of invented plans and vaults.

use std::collections::BTreeSet;
use std::path::Path;

use super::inventory::{Copy, Held, Inventory, Key, LastDrill, Newest};
use super::*;
use crate::drill::timeline::{Ended, Phase, PhaseRecord};
use crate::vault::format::drill::DrillResult;

const PLAN: &str = r#"
title = "Weekly: the blog from the second region"
repositories = ["blog"]
summary = "Frankfurt is gone, and so is this machine"
target = "standby"
scenario = [
    { kind = "replica-gone", replica = "frankfurt" },
    { kind = "region-gone", region = "eu-central-1" },
    { kind = "packs-damaged", share = "5%" },
    { kind = "person-absent", person = "anna" },
    { kind = "person-absent", person = "clara" },
    "newest-missing", "machine-gone", "operator-lost", "prismic-unreachable",
]

[objectives]
rto = "4h"

[[participants]]
name = "anna"
role = "leads the recovery"
substitute = "bela"

[gates]
acceptance = "clara"
"#;

fn plan(text: &str) -> Plan {
    Plan::parse(Path::new("drills/weekly.toml"), text).unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn ended(phase: Phase, took_ms: u64, ended: Ended) -> PhaseRecord {
    PhaseRecord { phase, begun_ms: 0, took_ms, ended, notes: Vec::new() }
}

fn inventory() -> Inventory {
    let newest = Newest {
        snapshot: "20261119T230000Z-0a0b0c0d".parse().unwrap(),
        age_seconds: 39_600,
        documents: 18_250,
        assets: 1_980,
        bytes: 734_003_200,
        on: vec!["frankfurt".to_owned(), "office".to_owned()],
    };
    Inventory {
        vault: "0f".repeat(16).parse().unwrap(),
        made: "2026-11-20T10:00:00Z".to_owned(),
        repositories: vec![
            Held {
                repository: name("blog"),
                prismic: "acme-blog".to_owned(),
                snapshots: 212,
                newest: Some(newest),
                contacts: vec!["dr@example.org".to_owned()],
            },
            Held {
                repository: name("shop"),
                prismic: "acme-shop".to_owned(),
                snapshots: 0,
                newest: None,
                contacts: Vec::new(),
            },
        ],
        replicas: vec![Copy {
            name: name("frankfurt"),
            region: Some("eu-central-1".to_owned()),
            place: "s3://vault-a/pv".to_owned(),
            lock: Some("compliance, 30 days".to_owned()),
            failure: Some("it does not answer".to_owned()),
        }],
        keys: vec![Key {
            what: "reads content".to_owned(),
            public: Some("age1example".to_owned()),
            holder: None,
            place: None,
        }],
        people: vec!["clara".to_owned()],
        last: Some(LastDrill {
            drill: "20261113T100000Z-66bb66bb".parse().unwrap(),
            began: "2026-11-13T10:00:00Z".to_owned(),
            result: DrillResult::PassedWithFindings,
            target: "sandbox".to_owned(),
            recovered: (9_125, 990),
            phases: Phase::ALL.map(|phase| ended(phase, 10_000, Ended::Good)).into(),
            findings: 3,
        }),
    }
}

fn pack() -> Pack {
    Pack::new(&plan(PLAN), inventory())
}

#[test]
fn the_same_question_has_the_same_id_whatever_stands_around_it() {
    let all = questions(&plan(PLAN), &[name("blog"), name("shop")]);
    let ids: BTreeSet<&str> = all.iter().map(|own| own.id.as_str()).collect();
    assert_eq!(ids.len(), all.len(), "no id is there twice");
    for id in [
        "alarm",
        "contact-blog",
        "contact-shop",
        "replica-frankfurt",
        "region-eu-central-1",
        "damaged",
        "newest-missing",
        "machine",
        "operator-identity",
        "prismic-down",
        "absent-leads-the-recovery",
        "absent-gate-acceptance",
        "key-holder",
        "key-quorum",
        "dns",
        "prismic-support",
        "authority",
        "decide-live",
        "gate-acceptance",
        "gate-limited",
        "gate-declared",
    ] {
        assert!(ids.contains(id), "{id} of {ids:?}");
    }
    assert!(all.is_sorted_by_key(|own| own.minute));
    let bare = plan("repositories = [\"blog\"]\nsummary = \"x\"\ntarget = \"standby\"");
    let fewer = questions(&bare, &[name("blog")]);
    for own in &fewer {
        assert!(ids.contains(own.id.as_str()), "{}", own.id);
    }
    assert!(fewer.len() >= 18 && fewer.len() < all.len(), "{}", fewer.len());
    // They go into reports that leave the house.
    let words: String = all.iter().map(|own| format!("{} {}\n", own.id, own.words())).collect();
    for person in ["anna", "bela", "clara"] {
        assert!(
            !words.to_lowercase().split(|char: char| !char.is_alphanumeric()).any(|word| word == person),
            "{person}"
        );
    }
    // A gate of which nobody is named says so.
    let of = |id: &str| all.iter().find(|own| own.id == id).unwrap().question.clone();
    assert!(
        of("gate-limited").contains("Nobody is named") && !of("gate-acceptance").contains("Nobody is named")
    );
}

#[test]
fn a_recovery_of_twice_as_much_is_predicted_to_take_twice_as_long_where_it_grows() {
    let predicted = predict(&inventory());
    let of = |phase| predicted.iter().find(|own| own.phase == phase).unwrap();
    assert_eq!(of(Phase::Locate).takes_ms, Some(10_000));
    assert_eq!(of(Phase::Fetch).takes_ms, Some(20_000));
    assert!(
        of(Phase::Fetch).from.contains("20230 documents and assets in place of 10115"),
        "{}",
        of(Phase::Fetch).from
    );
    assert_eq!(of(Phase::Function).ends_ms, Some(3 * 10_000 + 6 * 20_000));
    assert!(predicted.iter().all(|own| own.phase.counts()), "brooms are no recovery");
    let floor = predict::into_prismic(&inventory());
    assert_eq!((floor.seconds, floor.requests), (20_230, 20_230));
}

#[test]
fn what_was_never_gone_through_is_not_predicted() {
    let mut never = inventory();
    never.last = None;
    assert!(predict(&never).iter().all(|own| own.takes_ms.is_none() && own.ends_ms.is_none()));
    let mut broken = inventory();
    let last = broken.last.as_mut().unwrap();
    last.phases[4].ended = Ended::Broken;
    last.phases.remove(8);
    last.recovered = (0, 0);
    let predicted = predict(&broken);
    let takes: Vec<bool> = predicted.iter().map(|own| own.takes_ms.is_some()).collect();
    assert_eq!(takes, [true, true, true, true, false, true, true, true, false]);
    let ends: Vec<bool> = predicted.iter().map(|own| own.ends_ms.is_some()).collect();
    assert_eq!(
        ends,
        [true, true, true, true, false, false, false, false, false],
        "nobody knows what comes behind"
    );
    // Numbers of a damaged record overflow nothing.
    let mut huge = inventory();
    huge.last.as_mut().unwrap().phases[3].took_ms = u64::MAX;
    huge.repositories[0].newest.as_mut().unwrap().documents = u64::MAX;
    assert_eq!(predict(&huge).last().unwrap().ends_ms, Some(u64::MAX));
}

#[test]
fn a_pack_has_what_people_need_on_the_table() {
    let page = pack().html();
    for words in [
        "Frankfurt is gone, and so is this machine",
        "acme-blog",
        "18250",
        "734003200",
        "11 h 00 min",
        "s3://vault-a/pv",
        "it does not answer",
        "nobody has said",
        "compliance, 30 days",
        "cannot be reached",
        "20261113T100000Z-66bb66bb",
        "T+15 min: The person who holds the recovery identity is on leave.",
        "GDPR Art. 33",
        "5 h 37 min",
        "Decision log",
    ] {
        assert!(page.contains(words), "{words}");
    }
    for own in pack().questions {
        assert!(page.contains(&crate::markup::escaped(&own.question)), "{}", own.id);
    }
    let json: serde_json::Value = serde_json::from_slice(&pack().json()).unwrap();
    assert_eq!(json["questions"].as_array().unwrap().len(), pack().questions.len());
    assert_eq!(json["inventory"]["repositories"][1]["newest"], serde_json::Value::Null);
}

#[test]
fn nothing_in_a_pack_becomes_part_of_its_page() {
    let evil = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>\u{202e}";
    let mut own = pack();
    own.summary = evil.to_owned();
    own.title = evil.to_owned();
    own.scenario = vec![evil.to_owned(), "w".repeat(100_000)];
    own.participants[0].role = evil.to_owned();
    own.gates[0].1 = Some(evil.to_owned());
    own.inventory.repositories[0].contacts = vec![evil.to_owned()];
    own.inventory.repositories[0].prismic = evil.to_owned();
    own.inventory.replicas[0].place = evil.to_owned();
    own.inventory.keys[0].holder = Some(evil.to_owned());
    own.inventory.people = vec![evil.to_owned()];
    own.inventory.made = evil.to_owned();
    own.questions[0].inject = evil.to_owned();
    own.questions[0].id = evil.to_owned();
    own.predicted[0].from = evil.to_owned();
    let page = own.html();
    for bad in ["<img", "<script", "\u{202e}", "'><"] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(page.matches("&lt;script&gt;").count() > 10 && page.len() < 1 << 20);
}

fn some_asked() -> Vec<Answer> {
    let all = questions(&plan(PLAN), &[name("blog")]);
    asked(&all.into_iter().take(4).collect::<Vec<_>>())
}

fn csv_of(rows: &[(&str, &str, &str)], delimiter: &str) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut out = ["id", "question", "answer", "rating"].join(delimiter) + "\r\n";
    for (id, answer, rating) in rows {
        out += &[quoted(id), quoted("what?"), quoted(answer), quoted(rating)].join(delimiter);
        out += "\r\n";
    }
    out
}

#[test]
fn a_worksheet_that_was_filled_in_is_read_as_spreadsheets_write_it() {
    let asked = some_asked();
    let ids: Vec<&str> = asked.iter().map(|own| own.id.as_str()).collect();
    let rows = [
        (ids[1], "=SUM(A1); \"Bela\",\nby telephone", "Some Challenges"),
        (ids[0], "'-at once", "performed"),
        (ids[2], "", ""),
    ];
    let expected = |answers: &[Answer]| {
        assert_eq!(answers.len(), 4, "the one whose row is gone is there too");
        assert_eq!(answers[0].answer.as_deref(), Some("-at once"));
        assert_eq!(answers[1].answer.as_deref(), Some("=SUM(A1); \"Bela\",\nby telephone"));
        assert_eq!(
            (answers[0].rating, answers[1].rating),
            (Some(Rating::Performed), Some(Rating::SomeChallenges))
        );
        assert_eq!((&answers[2], &answers[3]), (&asked[2], &asked[3]), "what nobody answered stays so");
        assert_eq!(answers[1].question, asked[1].question, "questions are ours");
    };
    for delimiter in [",", ";", "\t"] {
        let table = csv_of(&rows, delimiter);
        let empty = delimiter.repeat(3);
        for table in [
            table.clone(),
            format!("\u{feff}{table}{empty}\r\n"),
            format!("sep={delimiter}\r\n{table}"),
            table.replacen("id", " ID", 1).replacen("rating", "Rating ", 1),
            table.replace("\r\n", "\n"),
        ] {
            expected(&parse_answers(table.as_bytes(), &asked).unwrap());
        }
    }
    // What was written is read back.
    let mut filled = asked.clone();
    filled[3].answer = Some("@home, \u{e9}t\u{e9}".to_owned());
    filled[3].rating = Some(Rating::Unable);
    let table = worksheet::write(&filled);
    assert!(table.starts_with("\u{feff}id,question,answer,rating\r\n".as_bytes()));
    assert_eq!(parse_answers(&table, &asked).unwrap(), filled);
    assert_eq!(
        parse_answers(&pack().csv(), &super::asked(&pack().questions)).unwrap(),
        super::asked(&pack().questions)
    );
}

#[test]
fn rows_that_are_wrong_name_themselves_and_nothing_is_taken() {
    let asked = some_asked();
    let ids: Vec<&str> = asked.iter().map(|own| own.id.as_str()).collect();
    let wrong = parse_answers(
        csv_of(
            &[
                (ids[0], "fine", "performed"),
                ("of-another-pack", "x", "performed"),
                (ids[0], "again", "performed"),
                (ids[1], "x", "good"),
                (ids[2], "x", ""),
                (ids[3], "", "unable"),
                ("", "x", "unable"),
            ],
            ",",
        )
        .as_bytes(),
        &asked,
    )
    .unwrap_err();
    let said: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    for (said, words) in said.iter().zip([
        "row 3: no question of this drill has the id \"of-another-pack\"",
        "row 4: alarm is there twice",
        "row 5: \"good\" is no rating: performed, some-challenges, major-challenges, unable",
        "has an answer and no rating",
        "is rated and has no answer",
        "row 8: it has no id",
    ]) {
        assert!(said.contains(words), "{said}: {words}");
    }
    assert_eq!(said.len(), 6, "{said:?}");
    for (table, words) in [
        (b"id,question\r\na,b\r\n".to_vec(), "must name the columns"),
        (Vec::new(), "must name the columns"),
        (b"id,answer,rating\r\nalarm,gr\xfcn,performed\r\n".to_vec(), "CSV UTF-8"),
        (vec![b'a'; worksheet::BYTES_MAX + 1], "larger"),
        (csv_of(&[(ids[0], &"x".repeat(10_001), "unable")], ",").into_bytes(), "more than 10000"),
    ] {
        let wrong = parse_answers(&table, &asked).unwrap_err();
        assert!(wrong[0].to_string().contains(words), "{wrong:?}");
    }
}

#[test]
fn what_went_badly_becomes_a_finding_without_its_answer() {
    let mut answers = some_asked();
    let ratings = [Rating::Performed, Rating::SomeChallenges, Rating::MajorChallenges, Rating::Unable];
    for (own, rating) in answers.iter_mut().zip(ratings) {
        own.answer = Some("Erika Musterfrau was asleep".to_owned());
        own.rating = Some(rating);
    }
    let met = findings(&answers);
    let severities: Vec<(String, Severity)> = met.iter().map(|own| (own.key.clone(), own.severity)).collect();
    assert_eq!(
        severities,
        [
            (format!("tabletop:{}", answers[2].id), Severity::Major),
            (format!("tabletop:{}", answers[3].id), Severity::Critical),
        ]
    );
    assert!(met.iter().all(|own| !own.what.contains("Erika")), "{met:?}");
    assert!(findings(&some_asked()).is_empty(), "what nobody answered is no finding");
}
