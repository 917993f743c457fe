//! A rehearsal that cannot fail is worthless.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prismvault::contentapi::Document;
use prismvault::sandbox::{Changes, Endpoint, Repository, Server, ServerOptions};
use serde_json::json;

use super::{CHECK, Desk, check, objective, phase};
use crate::restoring::crafted::{content_of, family};
use crate::restoring::{bare, options};

/// A repository that the test holds, empty but for what `fill` puts into it.
struct Environment {
    server: Server,
    repository: Arc<Repository>,
}

/// A desk with an environment to restore into, in as many languages.
fn with_environment(languages: usize) -> (Desk, Environment) {
    let mut empty = bare(&content_of(family()));
    empty.root.languages.truncate(languages);
    let repository = Repository::new("acme-blog-staging", empty, options());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(vec![Arc::clone(&repository)], ServerOptions::default(), listener).unwrap();
    let endpoints = server.endpoints("acme-blog-staging").unwrap();
    let more = format!(
        "\n[repositories.staging]\nrepository = \"acme-blog-staging\"\ncontent_api = \"{}\"\nasset_api = \"{}\"\n\
         types_api = \"{}\"\nmigration_api = \"{}\"\nwrite_token = {{ file = \"token.txt\" }}\n",
        endpoints.content_api, endpoints.asset_api, endpoints.types_api, endpoints.migration_api
    );
    (Desk::of(content_of(family()), &more), Environment { server, repository })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_objective_that_is_missed_by_a_second_fails() {
    let desk = Desk::new();
    let waits = "[[check]]\nname = \"takes its time\"\ncommand = [\"sleep\", \"1\"]\n[objectives]\nrto = \"1s\"\nrpo = \"1d\"\n";
    desk.plan("", "standby", waits);
    let report = desk.drill(6).json();
    assert_eq!(
        (report["result"].as_str(), &objective(&report, "rto")["light"]),
        (Some("failed"), &json!("red"))
    );
    assert_eq!(objective(&report, "rpo")["light"], "green");
    let first = report["findings"][0].clone();
    assert_eq!((&first["key"], &first["times"]), (&json!("objective:rto"), &json!(1)));
    // It is the same finding until somebody closes it.
    let again = desk.drill(6).json()["findings"][0].clone();
    assert_eq!((&again["id"], &again["due"], &again["times"]), (&first["id"], &first["due"], &json!(2)));
    // Where there is nothing to recover, nothing was measured, and that is missed.
    desk.plan("", "standby", &format!("disaster = \"2020-01-01T00:00:00Z\"\n{CHECK}"));
    let report = desk.drill(4).json();
    assert_eq!(phase(&report, "locate"), "broken", "no snapshot is that old");
    assert_eq!(objective(&report, "fidelity")["measured"], "not measured");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_or_a_program_that_says_no_fails() {
    let desk = Desk::new();
    let more = "[[check]]\nname = \"articles\"\nquery = '[at(document.type, \"article\")]'\nexpect = 4\n\
                [[check]]\nname = \"smoke\"\ncommand = [\"sh\", \"-c\", \"echo $PRISMVAULT_DRILL_API; exit 3\"]\n\
                [[check]]\nname = \"hangs\"\ncommand = [\"sleep\", \"600\"]\ntimeout = \"1s\"\n\
                [[check]]\nname = \"uids\"\nquery = '[at(document.type, \"article\")]'\nlang = \"en-us\"\nexpect = { uids = [\"home\", \"linking\"] }\n";
    desk.plan("", "standby", more);
    let report = desk.drill(4).json();
    assert_eq!(check(&report, "articles")["seen"], "3 documents");
    assert_eq!(check(&report, "smoke")["seen"], "it ended with 3");
    assert_eq!(check(&report, "hangs")["seen"], "it did not end within 1 s");
    assert_eq!(check(&report, "uids")["light"], "green", "{:#}", check(&report, "uids"));
    let gates: Vec<&str> =
        report["gates"].as_array().unwrap().iter().map(|own| own["standing"].as_str().unwrap()).collect();
    assert_eq!(gates[..4], ["passed", "passed", "passed", "stopped"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_is_not_there_fails() {
    let desk = Desk::new();
    let canary = |uid: &str| format!("{CHECK}\n[[canary]]\ntype = \"article\"\nuid = \"{uid}\"\n");
    desk.plan("", "standby", &canary("home"));
    let report = desk.drill(0).json();
    assert_eq!(check(&report, "acme-blog: canary article/home")["seen"], "it came back as it was");
    desk.plan("", "standby", &canary("tweety"));
    let report = desk.drill(4).json();
    assert_eq!(check(&report, "acme-blog: canary article/tweety")["seen"], "the snapshot does not hold it");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_that_no_replica_can_heal_fails_and_names_what_is_lost() {
    let desk = Desk::new();
    // The largest pack is that of the files.
    for replica in ["one", "two"] {
        let root = desk.place.file(replica);
        let tree = crate::restore::tree(&root);
        let pack =
            tree.iter().filter(|(key, _)| key.starts_with("packs/")).max_by_key(|(_, bytes)| bytes.len());
        let (key, bytes) = pack.unwrap();
        let mut bytes = bytes.clone();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        let file = root.join(key);
        std::fs::remove_file(&file).unwrap();
        std::fs::File::create(&file).unwrap().write_all(&bytes).unwrap();
    }
    let report = desk.rehearse(4, "", "standby");
    assert_eq!(check(&report, "items")["light"], "red");
    assert_eq!(report["gates"][1]["standing"], "stopped", "{:#}", report["gates"]);
    let what = report["findings"].to_string();
    assert!(what.contains("have no good copy left"), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_production_is_refused() {
    let desk = Desk::new();
    // The source itself, by its name.
    desk.plan("", "acme-blog", "");
    let run = desk.place.expect(2, &["drill", "run", "drills/weekly.toml"]);
    assert!(run.stderr.contains("a drill never writes to its source"), "{}", run.stderr);
    // One that has content.
    let (desk, target) = with_environment(3);
    let note = family().remove(3);
    target.repository.publish(Changes { put: vec![note], ..Changes::default() });
    desk.plan("", "staging", CHECK);
    let run = desk.place.expect(5, &["drill", "run", "drills/weekly.toml"]);
    assert!(run.stderr.contains("is not empty"), "{}", run.stderr);
    let writes = target.server.control().log().iter().filter(|request| request.method != "GET").count();
    assert_eq!(writes, 0);
    assert!(desk.keys("one", "drills/").is_empty(), "nothing was begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_is_filled_once_and_a_locale_that_it_lacks_is_found() {
    let (desk, _target) = with_environment(3);
    desk.plan("", "staging", &CHECK.replace("expect = 3", "expect = \"as-in-snapshot\""));
    let report = desk.drill(0).json();
    assert_eq!(report["environment"]["target"], "staging");
    let deviations = report["deviations"].to_string();
    assert!(deviations.contains("keeps what was restored"), "{deviations}");
    desk.place.expect(5, &["drill", "run", "drills/weekly.toml"]);
    // Another one, in which a language is missing.
    let (desk, target) = with_environment(1);
    desk.plan("", "staging", CHECK);
    let report = desk.drill(4).json();
    assert_eq!(phase(&report, "restore"), "broken");
    let notes = report["phases"][5]["notes"].to_string();
    assert!(notes.contains("fr-fr"), "{notes}");
    let writes = target.server.control().log().iter().filter(|request| request.method == "PUT").count();
    assert_eq!(writes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_somebody_changes_on_the_way_is_found() {
    let (desk, target) = with_environment(3);
    desk.plan("", "staging", CHECK);
    // Once everything is there, and before it is read back, one of them is another.
    let is_changed = Arc::new(AtomicBool::new(false));
    for number in 1..=30 {
        let (repository, is_changed) = (Arc::clone(&target.repository), Arc::clone(&is_changed));
        target.server.control().on_request_to(Endpoint::Root, number, move |_| {
            let documents = repository.documents();
            if documents.len() < 4 || is_changed.swap(true, Ordering::Relaxed) {
                return;
            }
            let texts = documents.iter().map(|own| own.stored());
            let text = texts.into_iter().find(|text| text.contains("\"uid\":\"linking\"")).unwrap();
            let wrong = Document::parse(&text.replace("linking summary", "wrong summary"), &[]);
            repository.publish(Changes { put: vec![Arc::new(wrong.unwrap())], ..Changes::default() });
        });
    }
    let report = desk.drill(4).json();
    assert_eq!(check(&report, "acme-blog: documents")["light"], "red", "{report:#}");
    assert_eq!(objective(&report, "fidelity")["light"], "red");
}
