//! What an incremental read must notice, and when it does not dare.

use std::sync::Arc;
use std::time::Duration;

use prismvault::contentapi::{ASSET_HOST, Document};
use prismvault::prismic::WALK;
use prismvault::progress::Problem;
use prismvault::sandbox::{Changes, Faults, Release};
use prismvault::snapshot::Read;
use prismvault::vault::format::manifest::{Manifest, ReadMode, Status};
use serde_json::json;

use super::{assert_equal_to_full, incremental, mode, settled, snapshot, why_full};
use crate::backups::{Backup, Source, document};
use crate::known_links::{commit_again, links};

/// Expects an incremental snapshot that holds what a full one holds.
async fn assert_incremental(backup: &Backup, source: &Source, what: &str) {
    let report = snapshot(backup, source, incremental()).await;
    assert_eq!(mode(&report), ReadMode::Incremental, "{what}: {}", why_full(&report));
    assert_equal_to_full(backup, &report, source, what).await;
}

/// Expects a full read for a reason that says so.
async fn assert_full(backup: &Backup, source: &Source, reason: &str) {
    let report = snapshot(backup, source, incremental()).await;
    assert_eq!(mode(&report), ReadMode::Full);
    assert!(why_full(&report).contains(reason), "{:?} says nothing of {reason:?}", why_full(&report));
    assert_equal_to_full(backup, &report, source, reason).await;
}

/// Publishes a change; takes no time.
fn edit_at_once(source: &Source, seed: u64) {
    source.repository.shift_clock(-60_000);
    source.repository.edit(0.02, seed).unwrap();
}

#[tokio::test]
async fn a_publish_in_the_second_of_the_last_snapshot_is_found() {
    let source = Source::synthetic(120, 4);
    let backup = settled(&source).await;
    source.repository.edit(0.02, 1).unwrap();
    assert_incremental(&backup, &source, "first").await;
    edit_at_once(&source, 2);
    assert_incremental(&backup, &source, "in the same second").await;
    source.repository.shift_clock(-30 * 60_000);
    source.repository.edit(0.02, 3).unwrap();
    assert_incremental(&backup, &source, "half an hour earlier: a document of a slow bulk publish").await;
}

#[tokio::test]
async fn a_clock_of_the_service_that_was_ahead_hides_nothing_once_it_is_set_right() {
    let source = Source::synthetic(120, 4);
    let backup = settled(&source).await;
    let newest = source.repository.next_change();
    let wall = prismvault::clock::Clock::now(&*backup.clock).timestamp_millis();
    // A year ahead of this machine, then right.
    source.repository.shift_clock(wall - newest + 365 * 86_400_000);
    source.repository.edit(0.02, 1).unwrap();
    assert_incremental(&backup, &source, "ahead").await;
    source.repository.shift_clock(-365 * 86_400_000);
    source.repository.edit(0.02, 2).unwrap();
    assert_incremental(&backup, &source, "right again").await;
}

#[tokio::test]
async fn one_that_comes_with_an_old_date_is_found_by_counting() {
    let source = Source::synthetic(120, 4);
    let backup = settled(&source).await;
    let comes = document("MadeByHand000001", "en-us", &json!([]), &json!({}));
    source.repository.publish(Changes { put: vec![comes], ..Changes::default() });
    assert_incremental(&backup, &source, "it comes").await;
    let links = json!({ "to": { "link_type": "Document", "id": "MadeByHand000001", "type": "page", "tags": [],
                                "lang": "en-us", "slug": "-", "isBroken": false } });
    let comes = document("MadeByHand000002", "en-us", &json!([]), &links);
    source.repository.publish(Changes { put: vec![comes], ..Changes::default() });
    assert_incremental(&backup, &source, "one that links to it").await;
}

#[tokio::test]
async fn one_that_comes_while_another_goes_does_not_hide_it() {
    let source = Source::synthetic(120, 4);
    let backup = settled(&source).await;
    let goes = std::sync::Arc::clone(source.repository.documents().iter().next().unwrap());
    let id = Box::from(goes.head.id());
    let text = goes.stored().replace(&*id, "CameInItsPlace01");
    let date = prismvault::contentapi::format_millis(source.repository.next_change());
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["last_publication_date"] = date.into();
    let comes = prismvault::contentapi::Document::parse(&value.to_string(), &[]).unwrap();
    let before = source.repository.documents().len();
    source.repository.publish(Changes { put: vec![comes.into()], remove: [id].into() });
    assert_eq!(source.repository.documents().len(), before);
    assert_incremental(&backup, &source, "swapped").await;
}

/// A release with these documents, and a publish of something else.
fn put_release(source: &Source, version: &str, documents: Vec<Arc<Document>>) {
    source.repository.put_release(Release {
        id: "Release000000001".to_owned(),
        label: "next".to_owned(),
        scheduled_at: None,
        version: version.to_owned(),
        documents,
    });
    source.repository.publish(Changes::default());
}

/// What an editor makes of a document in a release.
fn edited(document: &Document) -> Arc<Document> {
    let mut value: serde_json::Value = serde_json::from_str(&document.stored()).unwrap();
    value["data"]["in_release"] = json!("another text");
    Arc::new(Document::parse(&value.to_string(), &[ASSET_HOST]).unwrap())
}

#[tokio::test]
async fn another_version_of_a_release_with_as_many_documents_is_read_in_full() {
    let source = Source::synthetic(120, 4);
    let backup = settled(&source).await;
    let documents: Vec<Arc<Document>> = source.repository.documents().iter().map(Arc::clone).collect();
    put_release(&source, "Version000000001", vec![edited(&documents[3])]);
    assert_incremental(&backup, &source, "a release is made").await;
    put_release(&source, "Version000000002", vec![edited(&documents[40])]);
    assert_incremental(&backup, &source, "it holds another document").await;
    put_release(&source, "Version000000003", vec![edited(&documents[40]), edited(&documents[3])]);
    assert_incremental(&backup, &source, "it holds both").await;
}

#[tokio::test]
async fn what_a_release_holds_is_kept_when_it_goes_from_master() {
    let source = Source::synthetic(120, 4);
    let backup = settled(&source).await;
    let documents: Vec<Arc<Document>> = source.repository.documents().iter().map(Arc::clone).collect();
    // One as master has it, one that was edited.
    put_release(&source, "Version000000001", vec![Arc::clone(&documents[3]), edited(&documents[40])]);
    assert_incremental(&backup, &source, "a release is made").await;
    source.repository.remove_documents(&[documents[3].head.id(), documents[40].head.id()]);
    assert_incremental(&backup, &source, "both go from master").await;
}

#[tokio::test]
async fn a_ref_that_expires_on_the_way_starts_an_incremental_run_again() {
    let source = Source::synthetic(120, 4);
    let backup = settled(&source).await;
    source.repository.edit(0.02, 1).unwrap();
    source.control().reset_counters();
    source.control().set_faults(Faults { expire_refs_after: Some(2), ..Faults::default() });
    let report = snapshot(&backup, &source, incremental()).await;
    source.control().set_faults(Faults::default());
    assert!(report.committed.manifest.consistency.restarts >= 1);
    assert_eq!(mode(&report), ReadMode::Incremental, "{}", why_full(&report));
    assert_equal_to_full(&backup, &report, &source, "restarted").await;
}

#[tokio::test]
async fn torn_answers_are_asked_for_again() {
    let source = Source::synthetic(120, 4);
    let mut backup = settled(&source).await;
    backup.limits.request_attempts = 12;
    source.repository.edit(0.05, 1).unwrap();
    let gone = source.repository.documents().iter().next().unwrap().head.id().to_owned();
    source.repository.remove_documents(&[&gone]);
    source.control().set_faults(Faults { truncated: 0.3, seed: 5, ..Faults::default() });
    let report = snapshot(&backup, &source, incremental()).await;
    source.control().set_faults(Faults::default());
    assert_eq!(mode(&report), ReadMode::Incremental, "{}", why_full(&report));
    assert_equal_to_full(&backup, &report, &source, "torn").await;
}

#[tokio::test]
async fn what_is_not_sure_is_read_in_full_and_the_manifest_says_why() {
    let source = Source::synthetic(120, 4);
    let backup = Backup::in_memory(1).await;
    assert_full(&backup, &source, "no snapshot before").await;
    source.repository.edit(0.02, 1).unwrap();
    assert_full(&backup, &source, "nothing had been published since models changed").await;
    source.repository.edit(0.02, 2).unwrap();
    assert_incremental(&backup, &source, "settled").await;

    let model = json!({ "id": "later", "label": "Later", "json": {} }).to_string();
    source.repository.put_custom_type(prismvault::sandbox::Model::parse(&model).unwrap());
    source.repository.edit(0.02, 3).unwrap();
    assert_full(&backup, &source, "models changed").await;
    source.repository.edit(0.02, 4).unwrap();
    assert_full(&backup, &source, "nothing had been published since models changed").await;
    source.repository.edit(0.02, 5).unwrap();
    assert_incremental(&backup, &source, "settled again").await;

    source.repository.set_languages(vec![prismvault::contentapi::Language {
        id: "en-us".to_owned(),
        name: "English".to_owned(),
        is_master: true,
    }]);
    source.repository.edit(0.02, 6).unwrap();
    assert_full(&backup, &source, "languages changed").await;

    source.repository.edit(0.9, 7).unwrap();
    assert_full(&backup, &source, "were published again").await;
}

#[tokio::test]
async fn a_full_read_happens_when_its_time_has_come() {
    let source = Source::synthetic(120, 4);
    let backup = settled(&source).await;
    for day in 1..=8 {
        backup.clock.advance(chrono::TimeDelta::days(1));
        source.repository.edit(0.02, day).unwrap();
        let report = snapshot(&backup, &source, incremental()).await;
        let expected = if day == 7 { ReadMode::Full } else { ReadMode::Incremental };
        assert_eq!(mode(&report), expected, "day {day}: {}", why_full(&report));
    }
    source.repository.edit(0.02, 9).unwrap();
    let always = Read::Incremental { full_every: Duration::ZERO, told: Vec::new() };
    let report = snapshot(&backup, &source, always).await;
    assert!(why_full(&report).contains("time for a full read"), "{}", why_full(&report));
}

#[tokio::test]
async fn without_write_token_everything_is_read() {
    let mut source = Source::synthetic(60, 4);
    source.target.write_token = None;
    let backup = settled(&source).await;
    source.repository.edit(0.02, 1).unwrap();
    assert_full(&backup, &source, "without write token").await;
}

#[tokio::test]
async fn a_partial_predecessor_is_not_built_upon() {
    let source = Source::synthetic(120, 4);
    let backup = settled(&source).await;
    source.control().set_faults(Faults {
        missing_files: [source.repository.library().assets()[0].id.clone()].into(),
        ..Faults::default()
    });
    let (_, shown) = crate::backups::image(&source.repository, 0);
    let id = source.repository.library().assets()[0].id.clone();
    source.repository.edit_asset(&id, "so that it is fetched again").unwrap();
    source.repository.publish(Changes {
        put: vec![document("MadeByHand000001", "en-us", &json!([]), &json!({ "picture": shown }))],
        ..Changes::default()
    });
    let partial = snapshot(&backup, &source, incremental()).await;
    assert_eq!(partial.committed.manifest.status, Status::Partial);
    source.control().set_faults(Faults::default());
    source.repository.edit(0.02, 1).unwrap();
    assert_full(&backup, &source, "is partial").await;
}

#[tokio::test]
async fn a_predecessor_that_tells_too_little_is_not_built_upon() {
    let source = Source::synthetic(120, 4);
    let backup = settled(&source).await;
    source.repository.edit(0.02, 1).unwrap();
    let report = snapshot(&backup, &source, incremental()).await;
    let mut manifest = report.committed.manifest;
    let known = links(&backup, &manifest).await;
    manifest.read = None;
    commit_again(&backup, &manifest, known.clone()).await;
    source.repository.edit(0.02, 2).unwrap();
    assert_full(&backup, &source, "older version").await;
}

#[tokio::test]
async fn a_predecessor_that_is_not_what_a_full_read_would_give_is_not_built_upon() {
    let source = Source::synthetic(120, 4);
    let backup = settled(&source).await;
    source.repository.edit(0.02, 1).unwrap();
    let good = snapshot(&backup, &source, incremental()).await.committed.manifest;
    let known = links(&backup, &good).await;
    let gap = |subject: &str| Problem::new("document-not-listed", subject, "accepted");
    type Change<'a> = &'a dyn Fn(&mut Manifest);
    let changes: [(Change<'_>, &str); 5] = [
        (&|it| it.source.integration_fields_ref = Some("another".to_owned()), "integration fields changed"),
        (&|it| it.accepted_gaps = vec![gap("documents/en-us/page/X.json")], "lacks something of documents"),
        (&|it| it.consistency.changed_during_run = vec!["models/slices/a.json".to_owned()], "changed while"),
        (&|it| it.source.content_api = "https://elsewhere.test/api/v2".to_owned(), "was read elsewhere"),
        (&|it| it.source.write_token = false, "without write token"),
    ];
    for (seed, (change, reason)) in (2..).zip(changes) {
        let mut manifest = good.clone();
        change(&mut manifest);
        commit_again(&backup, &manifest, known.clone()).await;
        source.repository.edit(0.02, seed).unwrap();
        assert_full(&backup, &source, reason).await;
    }
    // The same with nothing changed is built upon: it is not that somebody else committed it.
    let good = snapshot(&backup, &source, Read::Full).await.committed.manifest;
    let known = links(&backup, &good).await;
    commit_again(&backup, &good, known).await;
    source.repository.edit(0.02, 9).unwrap();
    assert_incremental(&backup, &source, "committed again").await;
}

#[tokio::test]
async fn whoever_says_what_changed_may_lie_and_changes_neither_content_nor_how_it_is_read() {
    let source = Source::synthetic(1200, 4);
    let backup = settled(&source).await;
    let ids: Vec<String> =
        source.repository.documents().iter().map(|one| one.head.id().to_string()).collect();
    source.repository.remove_documents(&[&ids[3]]);
    source.repository.edit(0.01, 1).unwrap();
    // All of them, one gone among them, more than the requests that may be made by id; and others.
    let mut told = ids.clone();
    told.extend(["", "nobodysid", "a\"]]", "../x"].map(str::to_owned));
    source.control().reset_counters();
    let report =
        snapshot(&backup, &source, Read::Incremental { full_every: super::WEEK, told: told.clone() }).await;
    assert_eq!(mode(&report), ReadMode::Incremental, "{}", why_full(&report));
    let requests = source.control().request_count();
    assert!(requests <= 60, "{requests}");
    let asked = |text: &str| source.control().log().iter().any(|request| request.target.contains(text));
    assert!(!asked("nobodysid") && !asked("..%2Fx"), "only what the snapshot before holds is asked for");
    assert_equal_to_full(&backup, &report, &source, "told of everything").await;
    // Nothing changed but a release: all that is named is there.
    source.repository.publish(Changes::default());
    let report = snapshot(&backup, &source, Read::Incremental { full_every: super::WEEK, told }).await;
    assert_eq!(mode(&report), ReadMode::Incremental, "{}", why_full(&report));
    assert_equal_to_full(&backup, &report, &source, "told of everything again").await;
}

#[tokio::test]
async fn documents_whose_links_another_walk_found_are_read_again() {
    let source = Source::synthetic(120, 4);
    let backup = settled(&source).await;
    source.repository.edit(0.02, 1).unwrap();
    let manifest = snapshot(&backup, &source, incremental()).await.committed.manifest;
    let mut known = links(&backup, &manifest).await;
    for entry in known.iter_mut().step_by(3) {
        // Whoever believed it would miss whom a change concerns.
        *entry = prismvault::vault::format::catalog::LinkEntry {
            path: entry.path.clone(),
            walk: WALK - 1,
            ..Default::default()
        };
    }
    commit_again(&backup, &manifest, known).await;
    source.repository.edit(0.05, 2).unwrap();
    assert_incremental(&backup, &source, "a third of the links unknown").await;
}
