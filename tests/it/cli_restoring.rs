//! `restore repository` and `restore document` as people and scripts meet them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use prismvault::contentapi::Document;
use prismvault::sandbox::{Content, Endpoint};
use serde_json::{Value, json};

use crate::backups::{Source, WRITE_TOKEN, configuration, struck_at};
use crate::cli_faults::interrupt;
use crate::restoring::crafted::{
    FRENCH, HOME, LINKING, NOTE, content_of, data, data_with, document, link, put,
};
use crate::restoring::{bare, documents, options, publish};
use crate::workplace::{Run, Workplace};

/// A word that is in every text, UID and title, and nowhere else.
const WORD: &str = "zanzibar";

const RESTORE: [&str; 5] = ["restore", "repository", "acme-blog@latest", "--into", "staging"];

fn home(word: &str) -> Arc<Document> {
    document((HOME, "article", "en-us"), Some("zanzibar-home"), &[(FRENCH, "fr-fr")], &data(word))
}

/// Four documents, each text of which holds the word.
fn family() -> Vec<Arc<Document>> {
    let linking = data_with(WORD, json!({ "related": link(HOME) }));
    vec![
        home(WORD),
        document((FRENCH, "article", "fr-fr"), Some("zanzibar-fr"), &[(HOME, "en-us")], &data(WORD)),
        document((LINKING, "article", "en-us"), Some("zanzibar-linking"), &[], &linking),
        document((NOTE, "note", "en-us"), None, &[], &data(WORD)),
    ]
}

/// Somebody with a vault, a snapshot of one repository in it, and another repository.
struct Desk {
    place: Workplace,
    target: Source,
    #[expect(dead_code, reason = "its server lives as long as this")]
    source: Source,
}

impl Desk {
    /// Has a snapshot of this, and an empty repository for it.
    fn of(content: Content) -> Self {
        let target = bare(&content);
        Self::with(content, target)
    }

    fn with(content: Content, target: Content) -> Self {
        let (source, target) = (Source::of(content, options()), Source::of(target, options()));
        let place = Workplace::new();
        place.write("token.txt", WRITE_TOKEN);
        let token = "write_token = { file = \"token.txt\" }";
        let endpoints = &target.target.endpoints;
        let staging = format!(
            "{token}\n\n[repositories.staging]\nrepository = \"acme-blog\"\ncontent_api = \"{}\"\nasset_api = \"{}\"\n\
             types_api = \"{}\"\nmigration_api = \"{}\"\n{token}\n\n[limits]\ntypes_requests = 10000",
            endpoints.content_api, endpoints.asset_api, endpoints.types_api, endpoints.migration_api
        );
        let config = configuration(&source, &[("one", &place.file("one"))]);
        place.write("prismvault.toml", &config.replacen("[limits]", &staging, 1));
        place.expect(0, &["init"]);
        place.expect(0, &["snapshot", "acme-blog"]);
        target.control().reset_counters();
        Self { place, target, source }
    }

    #[track_caller]
    fn restore(&self, code: i32, more: &[&str]) -> Run {
        self.place.expect(code, &[&RESTORE[..], more].concat())
    }

    #[track_caller]
    fn document(&self, code: i32, id: &str, more: &[&str]) -> Run {
        let line = ["restore", "document", "acme-blog@latest", id, "--into", "staging"];
        self.place.expect(code, &[&line[..], more].concat())
    }

    /// Where journals and reports are.
    fn journals(&self) -> PathBuf {
        self.place.home().join(".local/state/prismvault/restores")
    }

    /// Requests to the target that change something; the ones that ask who we are change nothing.
    fn writes(&self) -> usize {
        self.target.control().log().iter().filter(|request| request.method != "GET").count()
    }

    /// Entries of the audit log about restores.
    fn entries(&self) -> Vec<Value> {
        let objects = crate::restore::tree(&self.place.file("one")).into_iter();
        objects
            .filter(|(key, _)| key.starts_with("audit/"))
            .filter_map(|(_, bytes)| serde_json::from_slice::<Value>(&bytes).ok())
            .filter(|entry| entry["command"].as_str().is_some_and(|name| name.starts_with("restore ")))
            .collect()
    }
}

fn files(directory: &Path, end: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(end));
    files.sort();
    files
}

#[track_caller]
fn assert_no_content(what: &str, text: &str) {
    let lower = text.to_lowercase();
    for word in [WORD, WRITE_TOKEN] {
        assert!(!lower.contains(word), "{what} tells {word}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_steps_requests_time_and_what_remains_and_writes_nothing() {
    let desk = Desk::of(content_of(family()));
    let run = desk.restore(0, &["--dry-run"]);
    for told in [
        "Would restore",
        "into staging (acme-blog)",
        "requests",
        "about",
        "What Prismic cannot take back",
        "[ ] 4 × ids of documents",
        "webhooks",
    ] {
        assert!(run.stdout.contains(told), "{told}: {}", run.stdout);
    }
    let plan = desk.restore(0, &["--dry-run", "--json"]).json();
    assert_eq!((&plan["schema"], &plan["exit_code"]), (&json!(1), &json!(0)));
    let steps: Vec<(&str, u64)> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["step"].as_str().unwrap(), step["count"].as_u64().unwrap()))
        .collect();
    for step in [("slices", 2), ("custom-types", 2), ("assets", 8), ("documents", 3), ("translations", 1)] {
        assert!(steps.contains(&step), "{step:?}: {steps:?}");
    }
    for step in plan["steps"].as_array().unwrap() {
        let label = step["label"].as_str().unwrap();
        assert!(run.stdout.contains(label), "{label}: {}", run.stdout);
    }
    let sum: u64 =
        plan["steps"].as_array().unwrap().iter().map(|step| step["requests"].as_u64().unwrap()).sum();
    assert!(plan["forecast"]["requests"].as_u64().unwrap() <= sum && sum > 0, "{plan}");
    assert!(plan["fidelity"]["always"].as_array().unwrap().len() > 10, "{plan}");
    assert_no_content("the plan", &(run.stdout + &run.stderr + &plan.to_string()));

    assert_eq!(desk.writes(), 2, "each asks who we are");
    assert_eq!(files(&desk.journals(), ".jsonl"), [] as [PathBuf; 0]);
    assert_eq!(desk.entries(), [] as [Value; 0]);
    assert_eq!(desk.target.repository.library().assets().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_published_read_back_and_reported_without_a_word_of_content() {
    let mut content = content_of(family());
    // A type that no model knows, with a name that is no good in HTML.
    content.documents.push(document(("CraftOdd00000008", "<b>\"odd\"&", "en-us"), None, &[], &data(WORD)));
    let desk = Desk::of(content);
    let run = desk.restore(3, &["--publish", "--report", "reports", "-vv"]);
    for told in ["Restored and read back", "4 documents", "CraftOdd00000008", "Report: "] {
        assert!(run.stdout.contains(told), "{told}: {}", run.stdout);
    }
    assert_eq!(documents(&desk.target).len(), 4);
    assert_no_content("what is printed", &(run.stdout.clone() + &run.stderr));

    let reports = desk.place.file("reports");
    let [json, html] =
        [".json", ".html"].map(|end| std::fs::read_to_string(&files(&reports, end)[0]).unwrap());
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["ending"], "read-back");
    assert_eq!((&report["read_back"]["defects"], &report["read_back"]["documents"]), (&json!(0), &json!(4)));
    assert_eq!(report["ids"]["documents"].as_object().unwrap().len(), 4);
    assert_eq!(report["ids"]["assets"].as_object().unwrap().len(), 8);
    assert!(report["forecast"]["seconds"].is_u64() && report["requests"].is_object(), "{report}");
    assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
    for foreign in ["<script", "javascript:", " src=", " href=", "url(", "@import", "<b>"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    assert!(html.contains("default-src 'none'") && html.contains("&lt;b&gt;"), "{html}");
    assert_no_content("the report", &(json + &html));

    let journals = files(&desk.journals(), ".jsonl");
    assert_eq!(journals.len(), 1);
    assert_no_content("the journal", &std::fs::read_to_string(&journals[0]).unwrap());
    let entries = desk.entries();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["command"], "restore repository");
    assert_no_content("the audit log", &entries[0].to_string());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o077;
        assert_eq!((mode(&desk.journals()), mode(&journals[0])), (0, 0), "for its user only");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_publish_it_says_where_to_click_and_the_same_command_goes_on() {
    let desk = Desk::of(content_of(family()));
    let run = desk.restore(3, &[]);
    for told in
        ["Waits for you", "4 documents", "https://acme-blog.prismic.io/builder/migration", "same command"]
    {
        assert!(run.stdout.contains(told), "{told}: {}", run.stdout);
    }
    assert_eq!(documents(&desk.target).len(), 0, "drafts");
    let again = desk.restore(3, &["--json"]).json();
    assert_eq!(again["ending"], json!({ "waits-for-publish": { "staged": 4 } }));
    assert_eq!((&again["exit_code"], &again["read_back"]), (&json!(3), &Value::Null));
    let dry = desk.restore(0, &["--dry-run", "--json"]).json();
    let made = dry["steps"].as_array().unwrap().iter().find(|step| step["step"] == "documents").unwrap();
    assert_eq!(made["done"], 3, "a dry run knows what is done: {dry}");
    publish(&desk.target).await;
    let run = desk.restore(0, &[]);
    assert!(run.stdout.contains("Restored and read back"), "{run:?}");
    assert_eq!(documents(&desk.target).len(), 4);
    assert_eq!(desk.target.repository.library().assets().len(), 8, "nothing twice");
    // It is done: the same again would be another restore, into a repository that has all of it.
    let run = desk.restore(5, &[]);
    assert!(run.stderr.contains("4 of 4") && run.stderr.contains("--on-conflict"), "{run:?}");
    assert_eq!(desk.target.repository.staged().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_editor_changed_before_it_was_read_back_ends_with_4() {
    let desk = Desk::of(content_of(family()));
    let (control, repository) = (desk.target.control(), Arc::clone(&desk.target.repository));
    desk.target.control().on_request_to(Endpoint::Publish, 1, move |request| {
        control.on_request(request.number + 1, move |_| {
            repository.edit(0.1, 1).unwrap();
        });
    });
    let run = desk.restore(4, &["--publish"]);
    assert!(run.stdout.contains("NOT as it was") && run.stdout.contains("DIFFERS"), "{run:?}");
    assert_no_content("what is printed", &(run.stdout + &run.stderr));
    let report = std::fs::read_to_string(&files(&desk.journals(), ".json")[0]).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert!(report["read_back"]["defects"].as_u64().unwrap() > 0, "{report}");
    let html = std::fs::read_to_string(&files(&desk.journals(), ".html")[0]).unwrap();
    assert!(html.contains("not as it was"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_wrong_ends_with_2_and_what_must_not_be_with_5() {
    let desk = Desk::of(content_of(family()));
    for (arguments, said) in [
        (&["restore", "repository", "latest", "--into", "nowhere"][..], "acme-blog, staging"),
        (&["restore", "repository", "acme-blog@latest"], "--into"),
        (&["restore", "repository", "20010101", "--into", "staging"], "prismvault list"),
        (&["restore", "document", "acme-blog@latest", HOME, "--into", "nowhere"], "acme-blog, staging"),
        (
            &["restore", "document", "acme-blog@latest", HOME, "--into", "staging", "--field", "a..b"],
            "no path of a field",
        ),
    ] {
        let run = desk.place.expect(2, arguments);
        assert!(run.stderr.contains(said) && run.stdout.is_empty(), "{arguments:?}: {run:?}");
    }
    for (more, said) in [
        (&["--only", "colour=red"][..], "none of type, lang, id"),
        (&["--only", "type="], "KIND=VALUE"),
        (&["--only", "type"], "KIND=VALUE"),
        (&["--with-links"], "--only"),
        (&["--with-assets"], "--only"),
        (&["--on-conflict", "overwrite"], "skip"),
    ] {
        let run = desk.restore(2, more);
        assert!(run.stderr.contains(said) && run.stdout.is_empty(), "{more:?}: {run:?}");
    }
    assert_eq!(desk.target.control().request_count(), 0, "all of it is said before anything is asked for");
    for only in ["type=nothing", "lang=xx-xx", "id=NowhereNowhere00"] {
        let run = desk.restore(2, &["--only", only]);
        assert!(run.stderr.contains("hint: "), "{run:?}");
    }
    // Without write token nothing can be written.
    let config = desk.place.read("prismvault.toml");
    let token = "write_token = { file = \"token.txt\" }\n";
    let (before, after) = config.rsplit_once(token).unwrap();
    std::fs::remove_file(desk.place.file("prismvault.toml")).unwrap();
    desk.place.write("prismvault.toml", &format!("{before}{after}"));
    let run = desk.restore(5, &["--publish"]);
    assert!(run.stderr.contains("Write APIs") && run.stderr.contains("[repositories.staging]"), "{run:?}");
    assert_eq!(desk.target.repository.library().assets().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_restore_ends_with_130_and_the_same_command_goes_on() {
    let line = [&RESTORE[..], &["--publish"]].concat();
    // In the middle of assets, and of documents.
    for endpoint in [Endpoint::Assets, Endpoint::Documents] {
        let desk = Desk::of(content_of(family()));
        let control = desk.target.control();
        desk.place.expect(0, &[&RESTORE[..], &["--dry-run"]].concat());
        // Requests before the first of this kind that writes: those of the plan, and those before it.
        let reads = control.request_count();
        // Seven make models and tags, eleven upload and tag files.
        let more = if endpoint == Endpoint::Assets { 10 } else { 7 + 11 + 3 };
        let ended = Run::from(struck_at(&desk.place, &line, &desk.target, reads + more, interrupt));
        assert_eq!(ended.code, 130, "{ended:?}");
        assert!(ended.stderr.contains("the same command again goes on"), "{ended:?}");
        assert_no_content("what is printed", &(ended.stdout + &ended.stderr));
        let made = control.requests_to(endpoint);
        assert!(made > 1, "{endpoint:?}: it had begun");
        let run = desk.restore(0, &["--publish"]);
        assert!(run.stdout.contains("Restored and read back"), "{run:?}");
        assert_eq!(documents(&desk.target).len(), 4);
        assert_eq!(desk.target.repository.library().assets().len(), 8);
        let commands: Vec<Value> = desk.entries().iter().map(|entry| entry["command"].clone()).collect();
        assert_eq!(commands, ["restore repository"; 2]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_document_is_shown_confirmed_and_staged() {
    let content = content_of(family());
    let desk = Desk::with(content.clone(), content);
    let after = "Mombasa";
    put(&desk.target, vec![home(after)]);
    desk.target.control().reset_counters();
    let dry = desk.document(0, HOME, &["--dry-run"]);
    assert!(dry.stdout.contains("title changed") && dry.stdout.contains("NOTE Drafts"), "{dry:?}");
    assert!(!dry.stdout.contains("Mombasa title"), "values are for --fields: {dry:?}");
    let dry = desk.document(0, HOME, &["--dry-run", "--fields"]);
    assert!(dry.stdout.contains("- Mombasa title") && dry.stdout.contains("+ zanzibar title"), "{dry:?}");
    let plan = desk.document(0, HOME, &["--dry-run", "--json"]).json();
    assert_eq!(
        (&plan["is_live"], &plan["type"], &plan["refusals"]),
        (&json!(true), &json!("article"), &json!([]))
    );
    // Nobody can be asked.
    for more in [&[][..], &["--json"]] {
        let run = desk.document(5, HOME, more);
        let said = run.stdout.clone() + &run.stderr;
        assert!(said.contains("nobody can be asked") && said.contains("--yes"), "{more:?}: {run:?}");
    }
    assert_eq!(desk.writes(), 5, "each asked who we are, and nothing else");
    assert_eq!(desk.target.repository.staged().len(), 0);

    let run = desk.document(0, HOME, &["--yes"]);
    assert!(run.stderr.contains("title changed"), "the difference is shown first: {run:?}");
    assert!(run.stdout.contains("Staged") && run.stdout.contains("builder/migration"), "{run:?}");
    assert_eq!(desk.target.repository.staged().len(), 1);
    assert_eq!(documents(&desk.target)[HOME]["data"]["summary"], "Mombasa summary", "a draft");
    publish(&desk.target).await;
    assert_eq!(documents(&desk.target)[HOME]["data"]["summary"], "zanzibar summary");
    let run = desk.document(0, HOME, &["--dry-run"]);
    assert!(run.stdout.contains("The live version is the same."), "{run:?}");

    let entries = desk.entries();
    let done: Vec<&Value> = entries.iter().filter(|entry| entry["exit_code"] == 0).collect();
    assert_eq!(done.len(), 1, "{entries:?}");
    assert_eq!(done[0]["command"], "restore document");
    assert!(done[0].to_string().contains("acme-blog/"), "{:?}", done[0]);
    for journal in files(&desk.journals(), ".jsonl") {
        assert_no_content("the journal", &std::fs::read_to_string(journal).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_field_and_a_document_that_is_gone_are_restored_by_command() {
    let content = content_of(family());
    let desk = Desk::with(content.clone(), content);
    put(&desk.target, vec![home("Mombasa")]);
    let report = desk.document(0, HOME, &["--field", "body[1].primary.text", "--yes", "--json", "-vv"]);
    assert_no_content("what is logged", &report.stderr);
    assert_eq!((&report.json()["is_staged"], &report.json()["new_id"]), (&json!(true), &json!(HOME)));
    publish(&desk.target).await;
    let now = documents(&desk.target)[HOME]["data"].clone();
    assert_eq!(now["body"][1]["primary"]["text"], "zanzibar aside");
    assert_eq!(
        (&now["body"][0]["primary"]["text"], &now["summary"]),
        (&json!("Mombasa quote"), &json!("Mombasa summary"))
    );

    desk.target.repository.remove_documents(&[HOME]);
    let run = desk.document(5, HOME, &["--field", "title", "--yes"]);
    assert!(run.stderr.contains("without --field"), "{run:?}");
    let run = desk.document(0, HOME, &["--yes"]);
    assert!(run.stderr.contains("It is gone from the target") && run.stderr.contains(LINKING), "{run:?}");
    publish(&desk.target).await;
    assert_eq!(documents(&desk.target).len(), 4);
    // A document that no snapshot has, and a model that is another one.
    let run = desk.document(2, "NowhereNowhere00", &["--yes"]);
    assert!(run.stderr.contains("prismvault find"), "{run:?}");
    let models = desk.target.repository.models();
    let json = models.custom_types[0].json.replace("\"news\"", "\"other\"");
    desk.target.repository.put_custom_type(prismvault::sandbox::Model::parse(&json).unwrap());
    let run = desk.document(5, FRENCH, &["--dry-run"]);
    assert!(run.stdout.contains("IN THE WAY") && run.stdout.contains("the custom type article"), "{run:?}");
    let run = desk.document(5, FRENCH, &["--yes"]);
    assert!(run.stderr.contains("the custom type article") && run.stderr.contains("hint: "), "{run:?}");
    assert_eq!(desk.target.repository.staged().len(), 0);
}

#[test]
fn help_names_what_there_is() {
    let place = Workplace::new();
    let all = place.expect(0, &["restore", "--help"]).stdout;
    for command in ["files", "document", "repository"] {
        assert!(all.contains(command), "{all}");
    }
    let repository = place.expect(0, &["restore", "repository", "--help"]).stdout;
    for option in [
        "--into",
        "--dry-run",
        "--publish",
        "--on-conflict",
        "--only",
        "--with-links",
        "--with-assets",
        "--allow-partial",
        "--report",
    ] {
        assert!(repository.contains(option), "{option}: {repository}");
    }
    let document = place.expect(0, &["restore", "document", "--help"]).stdout;
    for option in ["--into", "--field", "--dry-run", "--yes", "--fields"] {
        assert!(document.contains(option), "{option}: {document}");
    }
}

/// The table of the page for users is made of the words that the program says.
#[test]
fn the_page_for_users_has_every_row_of_the_fidelity_report() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let wording = read("src/restore/repository/fidelity/wording.rs");
    let (_, wording) = wording.split_once("fn words_of_models").unwrap();
    let page = read("docs/restore.md");
    let texts: Vec<&str> = wording.split('"').skip(1).step_by(2).collect();
    assert!(texts.len() > 60 && texts.len().is_multiple_of(2), "{}", texts.len());
    for pair in texts.chunks(2) {
        let row = format!("| {} | {} |", pair[0], pair[1]);
        assert!(page.contains(&row), "docs/restore.md lacks: {row}");
    }
    for option in [
        "--publish",
        "--on-conflict",
        "--only",
        "--with-links",
        "--with-assets",
        "--allow-partial",
        "--field",
    ] {
        assert!(page.contains(option), "{option}");
    }
}
