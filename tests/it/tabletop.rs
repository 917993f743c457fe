//! `prismvault drill tabletop`: a pack from a vault, and what comes back from the table.

use prismvault::drill::report::Answer;
use prismvault::drill::tabletop::parse_answers;
use serde_json::Value;

use crate::backups::{configuration, small};
use crate::workplace::Workplace;

const PLAN: &str = r#"
title = "Weekly"
repositories = ["*"]
summary = "The first replica is gone"
target = "standby"
scenario = [{ kind = "replica-gone", replica = "first" }]

[[participants]]
name = "anna"
role = "leads the recovery"
"#;

/// A vault with one snapshot on two replicas, and a plan.
fn place() -> Workplace {
    let workplace = Workplace::new();
    let source = small();
    let replicas = [("first", &*workplace.file("first")), ("second", &*workplace.file("second"))];
    workplace.write("prismvault.toml", &configuration(&source, &replicas));
    workplace.expect(0, &["init"]);
    workplace.expect(0, &["snapshot"]);
    std::fs::create_dir(workplace.file("drills")).unwrap();
    workplace.write("drills/weekly.toml", PLAN);
    workplace
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_is_made_from_plan_configuration_and_vault() {
    let workplace = place();
    let told =
        workplace.expect(0, &["drill", "tabletop", "drills/weekly.toml", "--to", "pack", "--json"]).json();
    let pack: Value = serde_json::from_str(&workplace.read("pack/tabletop.json")).unwrap();
    let manifest = &workplace.expect(0, &["show", "latest", "--json"]).json()["manifest"];
    let held = &pack["inventory"]["repositories"][0];
    assert_eq!(held["newest"]["snapshot"], manifest["snapshot"]);
    assert_eq!(held["newest"]["documents"], manifest["counts"]["documents"]["stored"]);
    assert_eq!(held["newest"]["assets"], manifest["counts"]["assets"]["stored"]);
    let replicas: Vec<&str> = pack["inventory"]["replicas"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|own| own["name"].as_str())
        .collect();
    assert_eq!(replicas, ["first", "second"]);
    let keys: Vec<&str> =
        pack["inventory"]["keys"].as_array().unwrap().iter().filter_map(|own| own["what"].as_str()).collect();
    for what in ["reads content", "reads catalogs", "changes who is trusted"] {
        assert!(keys.contains(&what), "{what} of {keys:?}");
    }
    assert_eq!(pack["inventory"]["last"], Value::Null, "there was no drill yet");
    assert!(pack["predicted"].as_array().unwrap().iter().all(|own| own["takes_ms"].is_null()));
    // What is asked is in all three, in the same order.
    let questions = pack["questions"].as_array().unwrap();
    assert_eq!(told["questions"], questions.len());
    let (page, table) = (workplace.read("pack/tabletop.html"), workplace.read("pack/tabletop.csv"));
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert_eq!(rows.len(), questions.len());
    for (own, row) in questions.iter().zip(rows) {
        let id = own["id"].as_str().unwrap();
        assert!(page.contains(&format!(">{id}")) && row.starts_with(&format!("{id},")), "{id}: {row}");
    }
    assert!(questions.iter().any(|own| own["id"] == "replica-first"));
    // The same again replaces nothing.
    let again = workplace.expect(5, &["drill", "tabletop", "drills/weekly.toml", "--to", "pack"]);
    assert!(again.stderr.contains("pack is there already"), "{}", again.stderr);
    // A worksheet that was filled in is read back by the ids of the pack.
    let asked: Vec<Answer> = questions
        .iter()
        .map(|own| Answer {
            id: own["id"].as_str().unwrap().to_owned(),
            question: String::new(),
            answer: None,
            rating: None,
            by: None,
        })
        .collect();
    let filled = format!("{table}\r\n");
    let line = filled.lines().find(|line| line.starts_with("replica-first,")).unwrap().to_owned();
    let filled = filled
        .replace(&line, &format!("{},\"The provider, by telephone\",performed", line.trim_end_matches(',')));
    let answers = parse_answers(filled.as_bytes(), &asked).unwrap();
    let answered: Vec<&Answer> = answers.iter().filter(|own| own.answer.is_some()).collect();
    assert_eq!((answered.len(), answered[0].answer.as_deref()), (1, Some("The provider, by telephone")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_says_what_is_wrong_with_its_plan_before_it_writes() {
    let workplace = place();
    for (plan, words) in [
        (PLAN.replace("replica = \"first\"", "replica = \"third\""), "third"),
        (PLAN.replace("[\"*\"]", "[\"shop\"]"), "shop"),
        (PLAN.replace("summary", "sumary"), "sumary"),
    ] {
        workplace.write("drills/weekly.toml", &plan);
        let refused = workplace.expect(2, &["drill", "tabletop", "drills/weekly.toml", "--to", "pack"]);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
        assert!(!workplace.file("pack").exists());
    }
}
