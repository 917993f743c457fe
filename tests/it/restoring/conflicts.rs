//! Targets that hold something already.

use prismvault::restore::Selection;
use prismvault::restore::repository::OnConflict;
use serde_json::json;

use super::{Rehearsal, content, documents, options};

#[tokio::test]
async fn a_target_with_the_same_documents_is_refused_unless_it_is_said_what_becomes_of_them() {
    let content = content(40, 8, 31);
    let mut rehearsal = Rehearsal::into(content.clone(), content, options()).await;
    let refused = rehearsal.run().await.unwrap_err();
    assert!(refused.to_string().contains("40 of 40"), "{refused}");
    let before = documents(&rehearsal.target);
    rehearsal.choice.on_conflict = OnConflict::Skip;
    rehearsal.control().reset_counters();
    let report = rehearsal.run().await.unwrap();
    assert_eq!(documents(&rehearsal.target), before);
    assert_eq!(report.read_back.unwrap().kept, 40);
    let writes = rehearsal.control().log().iter().filter(|request| request.method != "GET").count();
    assert_eq!(writes, 1, "only who we are is asked");
}

#[tokio::test]
async fn documents_that_changed_become_again_what_they_were() {
    let content = content(30, 8, 32);
    let mut rehearsal = Rehearsal::into(content.clone(), content, options()).await;
    rehearsal.target.repository.edit(0.5, 3).unwrap();
    rehearsal.choice.on_conflict = OnConflict::Update;
    let report = rehearsal.run().await.unwrap();
    let back = report.read_back.unwrap();
    assert_eq!((back.defects, back.documents + back.kept), (0, 30), "{:#?}", back.differences);
    let restored = documents(&rehearsal.target);
    for (id, document) in documents(&rehearsal.source) {
        assert_eq!(restored[&id]["data"]["title"][0]["text"], document["data"]["title"][0]["text"]);
    }
    assert!(report.ids.documents().all(|(old, new)| old == new), "they keep their ids");
}

#[tokio::test]
async fn over_the_same_repository_only_what_changed_is_written_again() {
    let content = content(60, 8, 34);
    let mut rehearsal = Rehearsal::of(content).await;
    rehearsal.target.target.endpoints = rehearsal.source.target.endpoints.clone();
    rehearsal.choice.on_conflict = OnConflict::Update;
    let before = documents(&rehearsal.source);
    rehearsal.source.repository.edit(0.1, 3).unwrap();
    let edited = documents(&rehearsal.source);
    let differ = before.iter().filter(|(id, document)| edited[*id]["data"] != document["data"]).count();
    assert!((1..30).contains(&differ), "{differ} of 60 differ");
    rehearsal.source.control().reset_counters();
    let report = rehearsal.run().await.unwrap();
    let back = report.read_back.unwrap();
    assert_eq!((back.defects, back.kept), (0, 60 - differ as u64), "{:#?}", back.differences);
    // One that asks who we are, the documents, and the publish.
    let writes = rehearsal.source.control().log().iter().filter(|request| request.method != "GET").count();
    assert_eq!(writes, differ + 2);
    let restored = documents(&rehearsal.source);
    for (id, document) in &before {
        assert_eq!(restored[id]["data"]["title"][0]["text"], document["data"]["title"][0]["text"], "{id}");
    }
}

#[tokio::test]
async fn one_type_is_restored_with_what_it_links_to_and_nothing_else() {
    let content = content(60, 10, 33);
    let mut rehearsal = Rehearsal::of(content).await;
    let ours = documents(&rehearsal.source);
    let type_ = ours.values().next().unwrap()["type"].as_str().unwrap().to_owned();
    rehearsal.choice.only = Selection { types: vec![type_.clone()], ..Selection::default() };
    let plan = rehearsal.plan().await.unwrap();
    let of_type = ours.values().filter(|document| document["type"] == json!(type_)).count() as u64;
    let documents_of = |plan: &prismvault::restore::repository::Plan| -> u64 {
        let steps = plan.steps.iter().filter(|step| matches!(step.step, "documents" | "translations"));
        steps.map(|step| step.count).sum()
    };
    assert_eq!(documents_of(&plan), of_type);
    assert!(plan.steps.iter().all(|step| step.step != "assets"), "none without --with-assets");
    rehearsal.choice.with_links = true;
    rehearsal.choice.with_assets = true;
    let plan = rehearsal.plan().await.unwrap();
    assert!(documents_of(&plan) >= of_type);
    let report = rehearsal.run().await.unwrap();
    assert_eq!(report.read_back.unwrap().defects, 0);
    assert_eq!(documents(&rehearsal.target).len() as u64, documents_of(&plan));
}
