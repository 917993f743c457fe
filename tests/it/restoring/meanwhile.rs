//! People who work in the target while it is restored into: nothing of theirs is lost, and what they
//! changed of ours is told.

use std::sync::Arc;
use std::time::Duration;

use prismvault::objects::{Body, ObjectStore, PutMode};
use prismvault::restore::RestoreErrorKind;
use prismvault::sandbox::{Endpoint, Model, Repository};
use serde_json::{Value, json};

use super::crafted::{HOME, LINKING, NOTE, content_of, data, document, family};
use super::{Rehearsal, content, documents, publish};

/// An editor's own document.
const THEIRS: &str = "CraftTheirs00007";

fn editor_publishes(repository: &Repository, uid: &str) {
    let theirs = document((THEIRS, "article", "en-us"), Some(uid), &[], &data("theirs"));
    repository.publish(prismvault::sandbox::Changes { put: vec![theirs], ..Default::default() });
}

/// Has somebody do this when the n-th request to an endpoint arrives.
fn when(
    rehearsal: &Rehearsal,
    (endpoint, n): (Endpoint, u64),
    act: impl FnOnce(&Repository) + Send + 'static,
) {
    let repository = Arc::clone(&rehearsal.target.repository);
    rehearsal.control().on_request_to(endpoint, n, move |_| act(&repository));
}

#[tokio::test]
async fn a_uid_that_an_editor_takes_meanwhile_costs_that_document_only() {
    let rehearsal = Rehearsal::of(content_of(family())).await;
    // Before the first document is created.
    when(&rehearsal, (Endpoint::Documents, 2), |repository| editor_publishes(repository, "home"));
    let report = rehearsal.run().await.unwrap();
    let taken: Vec<_> = report.problems.iter().map(|problem| (&*problem.code, &*problem.subject)).collect();
    assert_eq!(taken, [("uid-taken", HOME)]);
    let live = documents(&rehearsal.target);
    assert_eq!(live.len(), 4, "three of ours, one of theirs");
    assert_eq!(live[THEIRS]["data"]["summary"], "theirs summary", "it stays as it is");
    let back = report.read_back.unwrap();
    assert_eq!(back.appeared, 1);
    let missing = back.differences.iter().any(|one| one.id == HOME && one.what == "missing");
    assert!(missing && back.defects >= 1, "{:#?}", back.differences);
    assert!(!back.differences.iter().any(|one| one.id == LINKING && one.what == "missing"));
}

#[tokio::test]
async fn a_document_that_an_editor_publishes_meanwhile_stays_and_is_counted() {
    let rehearsal = Rehearsal::of(content_of(family())).await;
    when(&rehearsal, (Endpoint::Documents, 3), |repository| editor_publishes(repository, "own"));
    let report = rehearsal.run().await.unwrap();
    let back = report.read_back.as_ref().unwrap();
    assert_eq!((back.appeared, back.defects), (1, 0), "{:#?}", back.differences);
    assert_eq!(documents(&rehearsal.target)[THEIRS]["data"]["summary"], "theirs summary");
}

#[tokio::test]
async fn a_document_that_an_editor_removes_before_it_is_read_back_is_missed() {
    let mut rehearsal = Rehearsal::of(content(40, 4, 61)).await;
    rehearsal.choice.release_documents = 25;
    when(&rehearsal, (Endpoint::Publish, 2), |repository| {
        let first = repository.documents().iter().next().unwrap().head.id().to_owned();
        assert_eq!(repository.remove_documents(&[&first]), 1);
    });
    let report = rehearsal.run().await.unwrap();
    let back = report.read_back.unwrap();
    let missing: Vec<_> = back.differences.iter().filter(|one| one.what == "missing").collect();
    assert_eq!(missing.len(), 1, "{:#?}", back.differences);
    assert!(missing[0].expected.is_none());
}

/// One that is gone before its publish was seen: nobody waits for it for ever.
#[tokio::test]
async fn a_document_that_an_editor_removes_before_its_publish_is_seen_does_not_stop_the_restore_for_good() {
    let mut rehearsal = Rehearsal::of(content_of(family())).await;
    rehearsal.limits.publish_patience = Duration::from_millis(800);
    let (control, repository) = (rehearsal.control(), Arc::clone(&rehearsal.target.repository));
    rehearsal.control().on_request_to(Endpoint::Publish, 1, move |request| {
        control.on_request(request.number + 1, move |_| {
            let first = repository.documents().iter().next().unwrap().head.id().to_owned();
            repository.remove_documents(&[&first]);
        });
    });
    let error = rehearsal.run().await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Refused, "{error:?}");
    let report = rehearsal.run().await.unwrap();
    let back = report.read_back.unwrap();
    assert!(back.differences.iter().any(|one| one.what == "missing"), "{:#?}", back.differences);
    assert_eq!(documents(&rehearsal.target).len(), 3, "it is not made again behind the editor's back");
}

#[tokio::test]
async fn a_model_that_an_editor_changes_meanwhile_is_told_with_what_it_cost() {
    let rehearsal = Rehearsal::of(content_of(family())).await;
    when(&rehearsal, (Endpoint::Documents, 3), |repository| {
        let models = repository.models();
        let note = models.custom_types.iter().find(|model| model.id == "note").unwrap();
        let mut json: Value = serde_json::from_str(&note.json).unwrap();
        json["json"]["Main"].as_object_mut().unwrap().remove("summary");
        repository.put_custom_type(Model::parse(&json.to_string()).unwrap());
    });
    let report = rehearsal.run().await.unwrap();
    assert!(!report.is_as_foretold());
    let back = report.read_back.unwrap();
    let defects: Vec<_> = back
        .differences
        .iter()
        .filter(|one| one.expected.is_none())
        .map(|one| (one.thing, &*one.path))
        .collect();
    assert!(defects.contains(&("document", "/data/summary")), "{:#?}", back.differences);
    assert!(defects.iter().any(|(thing, _)| *thing == "custom type"), "{:#?}", back.differences);
}

/// The only document of a release, of whose creation nobody heard: a person's publish tells.
#[tokio::test]
async fn a_document_that_may_be_there_is_known_after_a_person_published() {
    for has_uid in [true, false] {
        let alone = match has_uid {
            true => document((HOME, "article", "en-us"), Some("home"), &[], &data("alone")),
            false => document((NOTE, "note", "en-us"), None, &[], &data("alone")),
        };
        let mut rehearsal = Rehearsal::of(content_of(vec![alone])).await;
        rehearsal.choice.publish = false;
        rehearsal.control().set_faults(prismvault::sandbox::Faults {
            lost_answers_to: [(Endpoint::Documents, 2)].into(),
            ..Default::default()
        });
        let report = rehearsal.run().await.unwrap();
        assert!(report.read_back.is_none());
        assert_eq!(report.possible_orphans.len(), 1);
        assert_eq!(
            json!(rehearsal.run().await.unwrap().ending),
            json!({ "waits-for-publish": { "staged": 0 } })
        );
        assert_eq!(rehearsal.target.repository.staged().len(), 1, "it is not made again");
        publish(&rehearsal.target).await;
        let report = rehearsal.run().await.unwrap();
        rehearsal.assert_restored(&report);
        assert_eq!(report.possible_orphans, [] as [String; 0]);
    }
}

/// Flips a bit in the middle of every pack of a store.
async fn damage_packs(store: &dyn ObjectStore) {
    let objects = store.list("").await.unwrap();
    for object in objects.iter().filter(|object| object.key.starts_with("packs/")) {
        let mut bytes = store.get(&object.key, u64::MAX).await.unwrap().to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        store.put(&object.key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_damaged_in_the_vault_meanwhile_is_a_difference_and_the_rest_is_read_back() {
    let rehearsal = Rehearsal::of(content_of(family())).await;
    let stores: Vec<_> = rehearsal.backup.stores.iter().map(|(_, store)| Arc::clone(store)).collect();
    rehearsal.control().on_request_to(Endpoint::Publish, 1, move |_| {
        let damaging = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                for store in &stores {
                    damage_packs(&**store).await;
                }
            });
        });
        damaging.join().unwrap();
    });
    let report = rehearsal.run().await.unwrap();
    let back = report.read_back.as_ref().expect("all is live");
    assert_eq!(back.documents as usize, documents(&rehearsal.target).len());
    let damaged =
        back.differences.iter().filter(|one| one.what == "damaged in the vault" && one.expected.is_none());
    assert_eq!(damaged.count() as u64, back.documents, "{:#?}", back.differences);
    assert_eq!(back.defects, back.documents, "and nothing else differs");
}
