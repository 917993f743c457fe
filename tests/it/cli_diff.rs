//! `diff` as people and scripts meet it: two snapshots, and a snapshot and live.

use std::collections::HashSet;
use std::sync::Arc;

use prismvault::contentapi::{ASSET_HOST, Document, format_millis};
use prismvault::sandbox::{Changes, Endpoint, Model};
use serde_json::{Value, json};

use crate::backups::{Source, image};
use crate::cli_incremental::place_with_token;
use crate::workplace::{Run, Workplace};

const HOME: &str = "DiffHome00000001";
const FRENCH: &str = "DiffHome00000002";
const OLD: &str = "DiffOld000000003";
const NEW: &str = "DiffNew000000004";

fn model(more: &Value) -> Model {
    let mut main = json!({
        "title": { "type": "StructuredText", "config": { "label": "Title", "single": "heading1" } },
        "picture": { "type": "Image", "config": { "label": "Image" } },
        "body": { "type": "Slices", "config": { "label": "Body", "choices": { "quote": { "type": "SharedSlice" } } } },
    });
    for (name, field) in more.as_object().unwrap() {
        main[name] = field.clone();
    }
    let model = json!({ "id": "article", "label": "Article", "repeatable": true, "status": true, "format": "page", "json": { "Main": main } });
    Model::parse(&model.to_string()).unwrap()
}

struct Editor(Source);

impl Editor {
    fn new() -> Self {
        let editor = Self(Source::synthetic(40, 6));
        editor.0.repository.put_custom_type(model(&json!({})));
        editor.publish(vec![
            editor.article(HOME, "en-us", &[FRENCH], &editor.data("Welcome", 0, &["first"])),
            editor.article(FRENCH, "fr-fr", &[HOME], &editor.data("Bienvenue", 0, &["premier"])),
            editor.article(OLD, "en-us", &[], &editor.data("Old news", 1, &[])),
        ]);
        editor
    }

    fn publish(&self, put: Vec<Arc<Document>>) {
        self.0.repository.publish(Changes { put, remove: HashSet::new() });
    }

    fn data(&self, title: &str, picture: usize, quotes: &[&str]) -> Value {
        let quote = |text: &&str| {
            json!({ "id": format!("quote${text}"), "slice_type": "quote", "slice_label": null, "variation": "default",
                    "version": "initial", "primary": { "name": text }, "items": [] })
        };
        json!({ "title": [{ "type": "heading1", "text": title, "spans": [] }],
                "picture": image(&self.0.repository, picture).1, "body": quotes.iter().map(quote).collect::<Value>() })
    }

    fn article(&self, id: &str, lang: &str, translations: &[&str], data: &Value) -> Arc<Document> {
        let now = format_millis(self.0.repository.next_change());
        let translation = |id: &&str| json!({ "id": id, "type": "article", "lang": if *id == FRENCH { "fr-fr" } else { "en-us" } });
        let text = json!({
            "id": id, "uid": null, "type": "article", "tags": [], "lang": lang, "slugs": [],
            "first_publication_date": "2024-01-01T00:00:00+0000", "last_publication_date": now,
            "linked_documents": [], "data": data,
            "alternate_languages": translations.iter().map(translation).collect::<Value>(),
        });
        Arc::new(Document::parse(&text.to_string(), &[ASSET_HOST]).unwrap())
    }

    /// What an editor does between two snapshots.
    fn work(&self) {
        let repository = &self.0.repository;
        repository.remove_documents(&[FRENCH, OLD]);
        self.publish(vec![
            self.article(HOME, "en-us", &[], &self.data("Hello\u{1b}[31m", 2, &["first", "second"])),
            self.article(NEW, "en-us", &[], &self.data("Fresh", 1, &[])),
        ]);
        let asset = repository.library().assets()[3].id.clone();
        repository.edit_asset(&asset, "used on the front page").unwrap();
        repository
            .put_custom_type(model(&json!({ "sub": { "type": "Text", "config": { "label": "Subtitle" } } })));
    }
}

fn taken(place: &Workplace) -> String {
    place.expect(0, &["snapshot", "--json"]).json()["snapshot"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_tells_the_work(run: &Run) {
    for line in [
        "Article\n",
        "  + Fresh published  English, DiffNew000000004\n",
        "  - Old news unpublished  English",
        "Title changed, Image replaced, Body › slice \"quote\" added, French translation unpublished",
        "field Subtitle added",
        "notes changed",
        "4 documents (1 published, 2 unpublished, 1 changed), 1 asset (1 changed), 1 model (1 changed).",
    ] {
        assert!(run.stdout.contains(line), "{line}: {}\n{}", run.stdout, run.stderr);
    }
    assert!(!run.stdout.contains("Bienvenue"), "it is named as a translation: {}", run.stdout);
    assert!(!run.stdout.contains('\u{1b}') && run.stdout.contains("Hello\\u{1b}[31m"), "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_snapshots_read_like_a_changelog() {
    let editor = Editor::new();
    let place = place_with_token(&editor.0);
    let old = taken(&place);
    editor.work();
    let new = taken(&place);
    let run = place.expect(0, &["diff", &old, &new]);
    assert_tells_the_work(&run);
    // Field by field, with values.
    let run = place.expect(0, &["diff", &old, "latest", "--fields", "--id", HOME]);
    for line in ["/data/title/0/text", "- Welcome", "+ Hello\\u{1b}[31m", "/data/body/1"] {
        assert!(run.stdout.contains(line), "{line}: {}", run.stdout);
    }
    assert!(!run.stdout.contains("Fresh"), "{}", run.stdout);
    // For programs.
    let report = place.expect(0, &["diff", &old, &new, "--fields", "--json"]).json();
    assert_eq!((&report["schema"], &report["exit_code"]), (&1.into(), &0.into()));
    assert_eq!(report["summary"]["documents"]["removed"], 2);
    let find = |id: &str| {
        let documents = report["documents"].as_array().unwrap();
        documents.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("{id}: {report}"))
    };
    let home = find(HOME);
    assert_eq!(
        (&home["what"], &home["title"], &home["type_label"]),
        (&"changed".into(), &"Hello\u{1b}[31m".into(), &"Article".into())
    );
    let changes = home["changes"].as_array().unwrap();
    let told: Vec<_> = changes.iter().map(|one| one["what"].as_str().unwrap()).collect();
    assert_eq!(told, ["text-changed", "replaced", "added"]);
    assert_eq!((&changes[0]["old"], &changes[0]["new"]), (&"Welcome".into(), &"Hello\u{1b}[31m".into()));
    assert_eq!(home["translations"][0]["language_name"], "French");
    assert_eq!(find(FRENCH)["translation_of"], HOME);
    // Without --fields there are no values.
    let report = place.expect(0, &["diff", &old, &new, "--json"]).json();
    assert!(!report.to_string().contains("Welcome"), "{report}");
    // The way back, and nothing.
    let back = place.expect(0, &["diff", &new, &old]);
    assert!(
        back.stdout.contains("French translation published") && back.stderr.contains("the way back"),
        "{back:?}"
    );
    let none = place.expect(0, &["diff", &new, "latest"]);
    assert!(none.stdout.contains("Nothing was edited."), "{none:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_and_live_differ_by_what_was_published_since() {
    let editor = Editor::new();
    let place = place_with_token(&editor.0);
    taken(&place);
    let control = editor.0.control();
    control.reset_counters();
    let run = place.expect(0, &["diff", "latest", "live"]);
    assert!(run.stdout.contains("Nothing was edited."), "{run:?}");
    assert_eq!(control.requests_to(Endpoint::Search), 0, "the ref is the same");
    editor.work();
    control.reset_counters();
    let run = place.expect(0, &["diff", "latest", "live"]);
    assert_tells_the_work(&run);
    let searches = control.requests_to(Endpoint::Search);
    assert!(searches <= 30, "{searches} searches");
    let report = place.expect(0, &["diff", "acme-blog@latest", "live", "--json"]).json();
    assert!(report["new"].get("snapshot").is_none() && report["new"]["master_ref"].is_string(), "{report}");
    // The same as the next snapshot tells.
    let old = report["old"]["snapshot"].as_str().unwrap().to_owned();
    let new = taken(&place);
    let told = |report: &Value| {
        let documents = report["documents"].as_array().unwrap();
        let told = documents.iter().filter(|one| one["what"] != "metadata");
        told.map(|one| format!("{} {} {}", one["id"], one["what"], one["changes"])).collect::<Vec<_>>()
    };
    let snapshots = place.expect(0, &["diff", &old, &new, "--json"]).json();
    assert_eq!(told(&report), told(&snapshots));
    assert_eq!(report["models"], snapshots["models"]);
    // Without write token neither models nor files are asked for, and that is said.
    let config = place.read("prismvault.toml");
    std::fs::remove_file(place.file("prismvault.toml")).unwrap();
    place.write("prismvault.toml", &config.replace("write_token = { file = \"token.txt\" }\n", ""));
    let run = place.expect(0, &["diff", &old, "live"]);
    assert!(run.stdout.contains("not compared") && run.stdout.contains("write token"), "{run:?}");
    assert!(run.stdout.contains("  - Old news") && !run.stdout.contains("Subtitle"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_compared_is_refused_with_the_next_step() {
    let source = Source::synthetic(20, 2);
    let place = place_with_token(&source);
    taken(&place);
    for (arguments, said) in [
        (&["diff", "live", "latest"][..], "prismvault diff latest live"),
        (&["diff", "latest", "20010101"], "prismvault list"),
        (&["diff", "latest", "latest", "--type", "nope"], "nope"),
        (&["diff", "latest"], "NEW"),
    ] {
        let run = place.expect(2, arguments);
        assert!(run.stderr.contains(said) && run.stdout.is_empty(), "{arguments:?}: {run:?}");
    }
    std::fs::rename(place.file("keys/recovery.txt"), place.file("elsewhere.txt")).unwrap();
    source.control().reset_counters();
    for new in ["latest", "live"] {
        let run = place.expect(2, &["diff", "latest", new]);
        assert!(run.stderr.contains("needs the recovery identity") && run.stdout.is_empty(), "{run:?}");
    }
    assert_eq!(source.control().request_count(), 0, "it is said before anything is asked for");
    place.expect(0, &["diff", "latest", "live", "--identity", "elsewhere.txt"]);
}
