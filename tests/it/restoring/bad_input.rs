//! Snapshots, models, documents and files that are not as they should be: what can be restored is, and
//! what cannot is named.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use prismvault::contentapi::{AccessMode, AccessPolicy, Document, TokenScope};
use prismvault::restore::RestoreErrorKind;
use prismvault::restore::repository::{Ending, Plan, Report};
use prismvault::sandbox::{Api, Content, Endpoint, ErrorRate, Faults, Model, RepositoryOptions, WriteBounds};
use prismvault::secret::Secret;
use serde_json::{Value, json};

use super::crafted::{
    FRENCH, HOME, LINKING, NOTE, VIDEO, content_of, data, data_with, document, family, link, slice,
};
use super::{Rehearsal, bare, content, documents, options};
use crate::backups::{ACCESS_TOKEN, Source, WRITE_TOKEN, image};

/// What was found of one kind: how many.
fn found(fidelity: &prismvault::restore::repository::FidelityReport, kind: &str) -> u64 {
    let found = fidelity.found.iter().find(|row| serde_json::to_value(row.kind).unwrap() == json!(kind));
    found.and_then(|row| row.count).unwrap_or(0)
}

fn codes(plan: &Plan) -> Vec<&'static str> {
    plan.refusals.iter().map(|refusal| refusal.code).collect()
}

fn problems(report: &Report) -> Vec<(&str, &str)> {
    report.problems.iter().map(|problem| (&*problem.code, &*problem.subject)).collect()
}

fn note(id: &str, data: &Value) -> Arc<Document> {
    document((id, "note", "en-us"), None, &[], data)
}

fn id_of(number: usize) -> String {
    format!("CraftMany{number:07}")
}

/// Where its files are: at Prismic all are at one host.
fn host_of(source: &Source) -> String {
    source.target.endpoints.content_api.authority().to_owned()
}

async fn rehearsal_of(documents: Vec<Arc<Document>>) -> Rehearsal {
    Rehearsal::of(content_of(documents)).await
}

/// Everything is as it was but for what was foretold.
#[track_caller]
fn assert_foretold(report: &Report) {
    assert!(report.is_as_foretold(), "{:#?}", report.read_back);
}

#[tokio::test]
async fn a_partial_snapshot_is_refused_and_what_it_has_is_restored_where_that_will_do() {
    let content = content_of(family());
    let source = Source::of(content.clone(), options());
    let (gone, picture) = image(&source.repository, 1);
    let with_picture = data_with("before", json!({ "picture": picture }));
    crate::restoring::crafted::put(&source, vec![note(NOTE, &with_picture)]);
    source.control().set_faults(Faults { missing_files: [gone.clone()].into(), ..Faults::default() });
    let host = host_of(&source);
    let mut rehearsal = Rehearsal::from(source, bare(&content), options()).await;
    rehearsal.target.target.asset_hosts = vec![host];
    let plan = rehearsal.plan().await.unwrap();
    assert_eq!(codes(&plan), ["snapshot-partial"]);
    assert!(plan.refusals[0].next.contains("--allow-partial"), "{:?}", plan.refusals);
    let refused = rehearsal.run().await.unwrap_err();
    assert_eq!(refused.kind(), RestoreErrorKind::Refused);
    assert_eq!(rehearsal.target.repository.library().assets().len(), 0);

    rehearsal.choice.allow_partial = true;
    let plan = rehearsal.plan().await.unwrap();
    assert_eq!((plan.refusals.len(), found(&plan.fidelity, "asset-missing")), (0, 1));
    let report = rehearsal.run().await.unwrap();
    assert_foretold(&report);
    let there = rehearsal.target.repository.library();
    assert_eq!(there.assets().len(), rehearsal.source.repository.library().assets().len() - 1);
    assert_eq!(documents(&rehearsal.target).len(), 4);
    assert_eq!(found(&report.fidelity, "asset-gone"), 1, "the image of it is told");
}

#[tokio::test]
async fn a_token_without_the_asset_or_the_types_api_is_found_out_before_anything_is_written() {
    for allowed in [[Api::Migration, Api::Types], [Api::Migration, Api::Asset]] {
        let content = content_of(family());
        let limited = (Secret::new(WRITE_TOKEN), BTreeSet::from(allowed));
        let limited =
            RepositoryOptions { write_tokens: Vec::new(), limited_tokens: vec![limited], ..options() };
        let target = bare(&content);
        let rehearsal = Rehearsal::into(content, target, limited).await;
        for error in [rehearsal.plan().await.unwrap_err(), rehearsal.run().await.unwrap_err()] {
            assert_eq!(error.kind(), RestoreErrorKind::Target, "{allowed:?}");
            assert!(error.next_step().is_some_and(|next| next.contains("token")), "{allowed:?}: {error:?}");
        }
        let repository = &rehearsal.target.repository;
        assert_eq!((repository.library().assets().len(), repository.models().custom_types.len()), (0, 0));
        assert_eq!(repository.staged().len(), 0);
    }
}

#[tokio::test]
async fn a_document_whose_type_is_gone_is_named_and_the_rest_is_restored() {
    let mut content = content_of(family());
    content.models.custom_types.retain(|model| model.id != "note");
    content.documents.push(document(
        ("CraftMore0000006", "article", "en-us"),
        Some("more"),
        &[],
        &data_with("more", json!({ "related": link(NOTE) })),
    ));
    let rehearsal = Rehearsal::of(content).await;
    let plan = rehearsal.plan().await.unwrap();
    assert_eq!(plan.refusals, []);
    assert_eq!(found(&plan.fidelity, "type-not-in-model"), 1);
    let report = rehearsal.run().await.unwrap();
    assert_eq!(problems(&report), [("not-restorable", NOTE)]);
    assert!(report.problems[0].detail.contains("\"note\""), "{:?}", report.problems);
    assert_foretold(&report);
    assert_eq!(documents(&rehearsal.target).len(), 4, "all the others");
    assert_eq!(found(&report.fidelity, "link-to-absent"), 1, "the link to it is told");
}

#[tokio::test]
async fn a_file_that_the_target_does_not_take_is_named_and_the_rest_is_restored() {
    let content = content_of(family());
    let sizes: Vec<u64> = content.library.assets().iter().map(|asset| asset.content.len()).collect();
    let largest = *sizes.iter().max().unwrap();
    let largest_are = sizes.iter().filter(|size| **size == largest).count();
    let writing =
        WriteBounds { asset_bytes_max: usize::try_from(largest).unwrap() - 1, ..WriteBounds::default() };
    let target = bare(&content);
    let rehearsal = Rehearsal::into(content, target, RepositoryOptions { writing, ..options() }).await;
    let report = rehearsal.run().await.unwrap();
    let refused = problems(&report);
    assert_eq!(refused.len(), largest_are, "{refused:?}");
    assert!(refused.iter().all(|(code, _)| *code == "asset-refused"), "{refused:?}");
    assert_eq!(documents(&rehearsal.target).len(), 4);
    let back = report.read_back.unwrap();
    assert_eq!(back.defects as usize, largest_are, "{:#?}", back.differences);
    let library = rehearsal.target.repository.library();
    assert_eq!(library.assets().len(), sizes.len() - largest_are);
}

#[tokio::test]
async fn circular_links_cost_one_request_more_for_each_circle() {
    // A ring of five, a document that links to itself, and two that link to each other.
    let to = |number: usize| data_with("ring", json!({ "related": link(&id_of(number)) }));
    let mut circles: Vec<Arc<Document>> = (0..5).map(|n| note(&id_of(n), &to((n + 1) % 5))).collect();
    circles.push(note(&id_of(5), &to(5)));
    circles.extend([note(&id_of(6), &to(7)), note(&id_of(7), &to(6))]);
    let rehearsal = rehearsal_of(circles).await;
    let report = rehearsal.run().await.unwrap();
    rehearsal.assert_restored(&report);
    let sent = rehearsal.control().requests_to(Endpoint::Documents);
    assert_eq!(sent, 8 + 3 + 1, "documents, circles, and one that asks who we are");
}

#[tokio::test]
async fn a_document_that_ten_thousand_link_to_and_that_links_back_costs_one_request_more() {
    const LINKERS: usize = 10_000;
    let hub_rows: Vec<Value> =
        (0..LINKERS).map(|n| json!({ "name": "row", "link": link(&id_of(n)) })).collect();
    let mut all = vec![note(HOME, &data_with("hub", json!({ "rows": hub_rows })))];
    all.extend((0..LINKERS).map(|n| note(&id_of(n), &json!({ "related": link(HOME) }))));
    let content = content_of(all);
    let writing = WriteBounds { release_documents_max: LINKERS + 1, ..WriteBounds::default() };
    let target = bare(&content);
    let mut rehearsal = Rehearsal::into(content, target, RepositoryOptions { writing, ..options() }).await;
    rehearsal.choice.release_documents = LINKERS as u32 + 1;
    let plan = rehearsal.plan().await.unwrap();
    assert_eq!(plan.live_incomplete, 0);
    let report = rehearsal.run().await.unwrap();
    rehearsal.assert_restored(&report);
    let sent = rehearsal.control().requests_to(Endpoint::Documents) as usize;
    assert_eq!(sent, LINKERS + 1 + 1 + 2, "documents, the links of one, and two that ask who we are");
}

#[tokio::test]
async fn a_select_option_that_the_model_lost_is_left_out_and_told() {
    let mut content = content_of(family());
    for model in &mut content.models.custom_types {
        let json = model.json.replace(r#"["news","story"]"#, r#"["story"]"#);
        assert_ne!(json, model.json);
        *model = Model::parse(&json).unwrap();
    }
    let rehearsal = Rehearsal::of(content).await;
    let report = rehearsal.run().await.unwrap();
    assert_foretold(&report);
    assert_eq!(found(&report.fidelity, "select-option"), 4);
    assert!(problems(&report).is_empty());
    let live = documents(&rehearsal.target);
    assert!(live.values().all(|document| document["data"]["kind"].is_null()));
}

#[tokio::test]
async fn a_huge_document_is_restored_and_one_that_the_target_does_not_take_is_named() {
    let paragraphs = |n: usize| -> Value {
        let text = "word ".repeat(200);
        (0..n).map(|_| json!({ "type": "paragraph", "text": text, "spans": [] })).collect()
    };
    let content = content_of(vec![
        note(NOTE, &data_with("huge", json!({ "content": paragraphs(1500) }))),
        note(LINKING, &data_with("too huge", json!({ "content": paragraphs(4000) }))),
        note(FRENCH, &data("small")),
    ]);
    let writing = WriteBounds { body_bytes_max: 2 << 20, ..WriteBounds::default() };
    let target = bare(&content);
    let rehearsal = Rehearsal::into(content, target, RepositoryOptions { writing, ..options() }).await;
    let report = rehearsal.run().await.unwrap();
    assert_eq!(problems(&report), [("document-refused", LINKING)]);
    assert!(!report.problems[0].detail.contains("word"), "{:?}", report.problems);
    let back = report.read_back.as_ref().unwrap();
    assert_eq!((back.defects, back.documents), (1, 2), "{:#?}", back.differences);
    assert_eq!((&*back.differences[0].id, &*back.differences[0].what), (LINKING, "missing"));
    let live = documents(&rehearsal.target);
    let largest = live.values().map(|one| one["data"]["content"].as_array().map_or(0, Vec::len)).max();
    assert_eq!((live.len(), largest), (2, Some(1500)));
}

#[tokio::test]
async fn a_model_that_refers_to_a_slice_that_is_not_there_is_written_and_its_documents_are_restored() {
    let mut content = content_of(family());
    content.models.slices.retain(|model| model.id != "aside");
    let rehearsal = Rehearsal::of(content).await;
    let plan = rehearsal.plan().await.unwrap();
    assert_eq!(plan.refusals, []);
    let report = rehearsal.run().await.unwrap();
    assert_foretold(&report);
    assert_eq!(found(&report.fidelity, "slice-not-in-model"), 4, "{:?}", report.fidelity.found);
    let live = documents(&rehearsal.target);
    assert_eq!(live.len(), 4);
    for document in live.values() {
        let zone = document["data"]["body"].as_array().unwrap();
        assert_eq!(zone.iter().map(|slice| &slice["slice_type"]).collect::<Vec<_>>(), ["quote"]);
    }
}

#[tokio::test]
async fn a_snapshot_without_models_and_media_library_fills_a_target_that_has_the_models() {
    let content = content_of(family());
    let mut source = Source::of(content.clone(), options());
    source.target.write_token = None;
    let target = Content { models: content.models.clone(), ..bare(&content) };
    let rehearsal = Rehearsal::from(source, target, options()).await;
    let report = rehearsal.run().await.unwrap();
    assert_foretold(&report);
    assert!(problems(&report).is_empty(), "{:?}", report.problems);
    assert_eq!(documents(&rehearsal.target).len(), 4);
    // Into one without them nothing can be restored, and that is said.
    let mut source = Source::of(content.clone(), options());
    source.target.write_token = None;
    let rehearsal = Rehearsal::from(source, bare(&content), options()).await;
    let plan = rehearsal.plan().await.unwrap();
    assert_eq!(codes(&plan), ["models-missing"], "{:?}", plan.problems);
    assert!(plan.refusals[0].what.contains("article, note"), "{:?}", plan.refusals);
    assert_eq!(rehearsal.run().await.unwrap_err().kind(), RestoreErrorKind::Refused);
}

#[tokio::test]
async fn an_empty_snapshot_is_restored_as_nothing() {
    let empty = bare(&content(6, 2, 5));
    let rehearsal = Rehearsal::of(empty).await;
    let plan = rehearsal.plan().await.unwrap();
    assert_eq!((plan.refusals.len(), plan.forecast.requests), (0, 0), "{:?}", plan.steps);
    let report = rehearsal.run().await.unwrap();
    assert_eq!(report.ending, Ending::ReadBack);
    assert_foretold(&report);
    let writes = rehearsal.control().log().iter().filter(|request| request.method != "GET").count();
    assert_eq!(writes, 2, "who we are is asked by the plan and by the run");
}

#[tokio::test]
async fn releases_are_told_and_not_restored() {
    let content = content(40, 4, 51);
    assert_eq!(content.releases.len(), 1);
    let published = content.documents.len();
    let tokens = vec![(Secret::new(ACCESS_TOKEN), TokenScope::MasterAndReleases)];
    let access = AccessPolicy { mode: AccessMode::Open, tokens };
    let mut source = Source::of(content.clone(), RepositoryOptions { access, ..options() });
    source.target.access_token = Some(Secret::new(ACCESS_TOKEN));
    let rehearsal = Rehearsal::from(source, bare(&content), options()).await;
    let report = rehearsal.run().await.unwrap();
    rehearsal.assert_restored(&report);
    assert_eq!(found(&report.fidelity, "releases"), 1);
    assert_eq!(documents(&rehearsal.target).len(), published);
    assert!(rehearsal.target.repository.releases().is_empty());
    assert_eq!(rehearsal.target.repository.staged().len(), 0);
}

/// Embeds in a field, in a text between paragraphs; and another one whose page is there.
fn embedding() -> Vec<Arc<Document>> {
    let embed = |url: &str| json!({ "embed_url": url, "type": "video", "version": "1.0", "html": "<iframe></iframe>" });
    let paragraph = |text: &str| json!({ "type": "paragraph", "text": text, "spans": [] });
    let text = json!([paragraph("one"), { "type": "embed", "oembed": embed(VIDEO) }, paragraph("two"),
                      { "type": "embed", "oembed": embed("https://video.example/there") }]);
    vec![
        note(NOTE, &data_with("both", json!({ "video": embed(VIDEO), "content": text }))),
        note(LINKING, &data_with("fine", json!({ "video": embed("https://video.example/there") }))),
    ]
}

#[tokio::test]
async fn an_embed_whose_page_is_gone_does_not_cost_the_document() {
    let rehearsal = rehearsal_of(embedding()).await;
    rehearsal.control().set_faults(Faults { gone_embeds: [VIDEO.to_owned()].into(), ..Faults::default() });
    let report = rehearsal.run().await.unwrap();
    assert_eq!(problems(&report), [("embeds-left-out", NOTE)]);
    let detail = &report.problems[0].detail;
    assert!(detail.contains("/data/video") && detail.contains("/data/content/1"), "{detail}");
    assert!(!detail.contains("secretvideo"), "{detail}");
    let live = documents(&rehearsal.target);
    assert_eq!(live.len(), 2);
    let both = live.values().find(|one| one["data"]["summary"] == "both summary").unwrap();
    let kinds = both["data"]["content"].as_array().unwrap().iter().map(|block| &block["type"]);
    assert_eq!(kinds.collect::<Vec<_>>(), ["paragraph", "paragraph", "embed"]);
    assert_eq!(both["data"]["rows"][1]["name"], "both row 1");
    assert!(both["data"]["video"].as_object().is_none_or(serde_json::Map::is_empty), "{both}");
    let back = report.read_back.as_ref().unwrap();
    assert_eq!(back.defects, 2, "what is not as it was is not called equal: {:#?}", back.differences);
}

#[tokio::test]
async fn a_restore_that_ends_between_a_refusal_and_the_second_sending_sends_it_the_next_time() {
    let rehearsal = rehearsal_of(embedding()).await;
    rehearsal.control().set_faults(Faults { gone_embeds: [VIDEO.to_owned()].into(), ..Faults::default() });
    let cancel = tokio_util::sync::CancellationToken::new();
    let ends = cancel.clone();
    // The first request asks who we are; the second is refused, and before the third it ends.
    rehearsal.control().on_request_to(Endpoint::Documents, 2, move |_| ends.cancel());
    let ended = rehearsal.with(&cancel, async |restore| restore.run().await).await;
    assert!(ended.is_err(), "{ended:?}");
    assert_eq!(rehearsal.control().requests_to(Endpoint::Documents), 2);
    let report = rehearsal.run().await.unwrap();
    assert_eq!(problems(&report), [("embeds-left-out", NOTE)]);
    assert_eq!(documents(&rehearsal.target).len(), 2);
}

#[tokio::test]
async fn a_document_that_is_refused_for_something_else_keeps_its_embeds() {
    // Their type goes away: they are refused whatever they embed, and not sent again without it.
    let rehearsal = rehearsal_of(embedding()).await;
    let writer = Arc::clone(&rehearsal.target.repository);
    rehearsal.control().on_request_to(Endpoint::Documents, 2, move |_| {
        writer.remove_custom_type("note").unwrap();
    });
    let report = rehearsal.run().await.unwrap();
    assert!(problems(&report).iter().all(|(code, _)| *code == "document-refused"), "{report:#?}");
    assert_eq!(problems(&report).len(), 2);
    assert_eq!(rehearsal.control().requests_to(Endpoint::Documents), 3, "each once, and who we are");
}

#[tokio::test]
async fn what_a_publish_leaves_behind_is_published_again() {
    let mut rehearsal = Rehearsal::of(content(40, 4, 52)).await;
    rehearsal.limits.publish_patience = Duration::from_secs(3);
    rehearsal.control().set_faults(Faults { publish_leaves: 0.1, ..Faults::default() });
    let report = rehearsal.run().await;
    let left = rehearsal.target.repository.staged().len();
    let publishes = rehearsal.control().requests_to(Endpoint::Publish);
    let report = report.unwrap_or_else(|error| panic!("{error}: {left} left after {publishes} publishes"));
    rehearsal.assert_restored(&report);
    assert!(rehearsal.control().requests_to(Endpoint::Publish) >= 2);
}

#[tokio::test]
async fn a_publish_that_takes_its_time_is_waited_for() {
    let rehearsal = Rehearsal::of(content(30, 4, 53)).await;
    rehearsal.control().set_faults(Faults { publish_takes: Duration::from_millis(700), ..Faults::default() });
    let report = rehearsal.run().await.unwrap();
    rehearsal.assert_restored(&report);
    assert_eq!(rehearsal.control().requests_to(Endpoint::Publish), 1);
}

#[tokio::test]
async fn a_publish_that_never_ends_is_told_and_the_same_command_goes_on() {
    let mut rehearsal = Rehearsal::of(content(30, 4, 54)).await;
    rehearsal.limits.publish_patience = Duration::from_millis(800);
    rehearsal.control().set_faults(Faults { publish_leaves: 1.0, ..Faults::default() });
    let error = rehearsal.run().await.unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::Refused);
    assert!(error.to_string().contains("not all of it is live"), "{error}");
    assert!(error.next_step().unwrap().contains("same command"), "{error:?}");
    rehearsal.control().set_faults(Faults::default());
    let created = rehearsal.control().requests_to(Endpoint::Documents);
    let report = rehearsal.run().await.unwrap();
    rehearsal.assert_restored(&report);
    assert_eq!(rehearsal.control().requests_to(Endpoint::Documents), created + 1, "nothing is sent again");
}

#[tokio::test]
async fn a_target_that_fails_half_way_ends_the_run_and_the_same_command_goes_on() {
    for (endpoint, n) in [(Endpoint::Assets, 4), (Endpoint::Documents, 15), (Endpoint::Publish, 1)] {
        let rehearsal = Rehearsal::of(content(40, 8, 55)).await;
        let control = rehearsal.control();
        rehearsal.control().on_request_to(endpoint, n, move |_| {
            control.set_faults(Faults {
                errors: Some(ErrorRate { status: 500, share: 1.0 }),
                ..Faults::default()
            });
        });
        let error = rehearsal.run().await.unwrap_err();
        assert_eq!(error.kind(), RestoreErrorKind::Target, "{endpoint:?}");
        assert!(error.next_step().is_some_and(|next| next.contains("status.prismic.io")), "{error:?}");
        rehearsal.control().set_faults(Faults::default());
        let mut report = rehearsal.run().await.unwrap();
        if report.read_back.is_none() {
            report = rehearsal.run().await.unwrap();
        }
        rehearsal.assert_restored(&report);
    }
}

#[tokio::test]
async fn a_slice_in_a_document_that_no_model_knows_is_left_out_and_told() {
    let odd = data_with("odd", json!({ "body": [slice("unheard", "lost words"), slice("quote", "kept")] }));
    let rehearsal = rehearsal_of(vec![note(NOTE, &odd)]).await;
    let report = rehearsal.run().await.unwrap();
    assert_foretold(&report);
    assert_eq!(found(&report.fidelity, "slice-not-in-model"), 1);
    let live = documents(&rehearsal.target);
    let zone = live.values().next().unwrap()["data"]["body"].clone();
    assert_eq!((zone.as_array().unwrap().len(), &zone[0]["primary"]["text"]), (1, &json!("kept")));
    assert!(!serde_json::to_string(&report).unwrap().contains("lost words"));
}
