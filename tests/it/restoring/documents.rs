//! One document, or one field of it, back as a draft.

use prismvault::contentapi::ASSET_HOST;
use prismvault::restore::repository::{
    Choice, DocumentPlan, DocumentReport, DocumentRestore, FieldPath, OnConflict, RepositoryRestore,
};
use prismvault::restore::{RestoreError, RestoreErrorKind, Selection};
use prismvault::sandbox::{Endpoint, Faults, Model};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::crafted::{
    FRENCH, HOME, LINKING, NOTE, content_of, data, data_with, document, family, link, models, put, slice,
};
use super::{Rehearsal, documents, options, publish};
use crate::backups::image;

/// What a snapshot held of these documents, and a target that holds the same.
async fn rehearsal_of(documents: Vec<std::sync::Arc<prismvault::contentapi::Document>>) -> Rehearsal {
    let content = content_of(documents);
    Rehearsal::into(content.clone(), content, options()).await
}

/// Calls `act` with a restore of one document.
async fn with_document<T>(
    rehearsal: &Rehearsal,
    (id, field): (&str, Option<&str>),
    act: impl AsyncFnOnce(DocumentRestore<'_>) -> T,
) -> T {
    let field: Option<FieldPath> = field.map(|field| field.parse().unwrap());
    let choice = Choice {
        only: Selection { ids: vec![id.to_owned()], ..Selection::default() },
        with_assets: true,
        on_conflict: OnConflict::Update,
        release_documents: 1000,
        field: field.as_ref().map(ToString::to_string),
        ..Choice::default()
    };
    let cancel = CancellationToken::new();
    rehearsal
        .with(&cancel, async |restore| {
            let restore = RepositoryRestore { choice: &choice, ..restore };
            act(DocumentRestore { restore, id, field: field.as_ref() }).await
        })
        .await
}

async fn planned(rehearsal: &Rehearsal, id: &str, field: Option<&str>) -> Result<DocumentPlan, RestoreError> {
    with_document(rehearsal, (id, field), async |restore| restore.plan().await).await
}

/// Plans and restores, as the command does.
async fn restored(
    rehearsal: &Rehearsal,
    id: &str,
    field: Option<&str>,
) -> Result<(DocumentPlan, DocumentReport), RestoreError> {
    with_document(rehearsal, (id, field), async |restore| {
        let plan = restore.plan().await?;
        let report = restore.run(&plan).await?;
        Ok((plan, report))
    })
    .await
}

/// The same, killed at the n-th request to this endpoint.
async fn killed_at(rehearsal: &Rehearsal, id: &str, (endpoint, n): (Endpoint, u64)) {
    let killed = CancellationToken::new();
    let kill = killed.clone();
    rehearsal.control().on_request_to(endpoint, n, move |_| kill.cancel());
    tokio::select! {
        () = killed.cancelled() => {}
        outcome = restored(rehearsal, id, None) => panic!("it was to be killed: {:?}", outcome.map(|(_, report)| report)),
    }
}

/// Requests that change something; the one that asks who we are changes nothing.
fn writes(rehearsal: &Rehearsal) -> Vec<String> {
    let log = rehearsal.control().log();
    let writes = log.iter().filter(|request| request.method != "GET");
    writes.map(|request| format!("{} {}", request.method, request.target)).collect()
}

/// What the target shows of a document.
fn shown(rehearsal: &Rehearsal, id: &str) -> Value {
    documents(&rehearsal.target)[id]["data"].clone()
}

fn article(word: &str) -> std::sync::Arc<prismvault::contentapi::Document> {
    document((HOME, "article", "en-us"), Some("home"), &[(FRENCH, "fr-fr")], &data(word))
}

/// The texts of [`data`], by their places.
const PLACES: [&str; 6] = [
    "/title/0/text",
    "/summary",
    "/rows/0/name",
    "/rows/1/name",
    "/body/0/primary/text",
    "/body/1/primary/text",
];

#[tokio::test]
async fn a_changed_document_becomes_a_draft_that_is_what_it_was() {
    let rehearsal = rehearsal_of(family()).await;
    put(&rehearsal.target, vec![article("after")]);
    rehearsal.control().reset_counters();
    let plan = planned(&rehearsal, HOME, None).await.unwrap();
    assert_eq!((plan.is_live, plan.title.as_deref()), (true, Some("before title")));
    assert!(plan.diff.changes.len() >= PLACES.len(), "{:?}", plan.diff);
    assert_eq!((plan.refusals, plan.linked_by, plan.assets), (vec![], vec![], vec![]));
    assert_eq!(writes(&rehearsal).len(), 1, "a plan only asks who we are");

    rehearsal.control().reset_counters();
    let (_, report) = restored(&rehearsal, HOME, None).await.unwrap();
    assert!(report.is_staged && report.problems.is_empty(), "{report:?}");
    assert_eq!(report.new_id.as_deref(), Some(HOME));
    let sent = writes(&rehearsal);
    assert_eq!(sent.len(), 2, "one request besides: {sent:?}");
    assert!(sent[1].starts_with("PUT") && sent[1].ends_with(HOME), "{sent:?}");
    for place in PLACES {
        let text = shown(&rehearsal, HOME).pointer(place).cloned();
        assert!(text.unwrap().as_str().unwrap().starts_with("after"), "{place} is a draft still");
    }
    assert_eq!(rehearsal.target.repository.staged().len(), 1);

    publish(&rehearsal.target).await;
    for place in PLACES {
        let was = documents(&rehearsal.source)[HOME]["data"].pointer(place).cloned();
        assert_eq!(shown(&rehearsal, HOME).pointer(place).cloned(), was, "{place}");
    }
    let plan = planned(&rehearsal, HOME, None).await.unwrap();
    assert!(plan.diff.changes.is_empty(), "{:?}", plan.diff);
    let live = &documents(&rehearsal.target)[HOME];
    assert_eq!((&live["uid"], &live["alternate_languages"][0]["id"]), (&json!("home"), &json!(FRENCH)));
}

#[tokio::test]
async fn one_field_becomes_what_it_was_and_nothing_else_changes() {
    for (field, place) in [
        ("title", "/title/0/text"),
        ("body[1].primary.text", "/body/1/primary/text"),
        ("rows[0].name", "/rows/0/name"),
        ("/data/summary", "/summary"),
    ] {
        let rehearsal = rehearsal_of(family()).await;
        put(&rehearsal.target, vec![article("after")]);
        let (plan, report) = restored(&rehearsal, HOME, Some(field)).await.unwrap();
        assert!(report.is_staged, "{report:?}");
        assert_eq!(plan.diff.changes.len(), 1, "{field}: {:?}", plan.diff);
        publish(&rehearsal.target).await;
        let now = shown(&rehearsal, HOME);
        for other in PLACES {
            let word = if other == place { "before" } else { "after" };
            let text = now.pointer(other).unwrap().as_str().unwrap();
            assert!(text.starts_with(word), "{field}: {other} is {text}");
        }
        assert_eq!(now["kind"], "news");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_anything_is_written() {
    // A model that differs, of the type and of a slice.
    let mut changed = models();
    let mut json: Value = serde_json::from_str(&changed.custom_types[0].json).unwrap();
    json["json"]["Main"]["more"] = json!({ "type": "Text", "config": {} });
    let type_ = Model::parse(&json.to_string()).unwrap();
    let mut json: Value = serde_json::from_str(&changed.slices.remove(0).json).unwrap();
    json["variations"][0]["primary"]["more"] = json!({ "type": "Text", "config": {} });
    let quote = Model::parse(&json.to_string()).unwrap();
    for (model, is_slice, said) in
        [(type_, false, "the custom type article"), (quote, true, "the slice quote")]
    {
        let rehearsal = rehearsal_of(family()).await;
        let repository = &rehearsal.target.repository;
        if is_slice {
            repository.put_slice(model);
        } else {
            repository.put_custom_type(model);
        }
        let plan = planned(&rehearsal, HOME, None).await.unwrap();
        assert_eq!(plan.refusals.len(), 1, "{:?}", plan.refusals);
        assert_eq!(plan.refusals[0].code, "models-differ");
        assert!(plan.refusals[0].what.contains(said), "{:?}", plan.refusals);
        rehearsal.control().reset_counters();
        let refused = restored(&rehearsal, HOME, None).await.unwrap_err();
        assert_eq!(refused.kind(), RestoreErrorKind::Refused);
        assert_eq!(writes(&rehearsal).len(), 1, "only who we are is asked");
    }
    // A field in a slice that is another one now.
    let rehearsal = rehearsal_of(family()).await;
    let turned =
        data_with("after", json!({ "body": [slice("aside", "after a"), slice("quote", "after q")] }));
    put(
        &rehearsal.target,
        vec![document((HOME, "article", "en-us"), Some("home"), &[(FRENCH, "fr-fr")], &turned)],
    );
    let refused = planned(&rehearsal, HOME, Some("body[0].primary.text")).await.unwrap_err();
    assert!(refused.to_string().contains("another slice") && refused.next_step().is_some(), "{refused}");
    // A field of which there is nothing, and a document that no snapshot has.
    for (id, field) in [(HOME, Some("nothing")), (HOME, Some("rows[7].name")), ("NowhereNowhere00", None)] {
        let refused = planned(&rehearsal, id, field).await.unwrap_err();
        assert_eq!(refused.kind(), RestoreErrorKind::NotFound, "{id} {field:?}");
        assert!(refused.next_step().is_some());
    }
    // One field of a document that is gone.
    rehearsal.target.repository.remove_documents(&[HOME]);
    let plan = planned(&rehearsal, HOME, Some("title")).await.unwrap();
    assert_eq!(plan.refusals.iter().map(|refusal| refusal.code).collect::<Vec<_>>(), ["document-gone"]);
    assert!(restored(&rehearsal, HOME, Some("title")).await.is_err());
    assert_eq!(rehearsal.target.repository.staged().len(), 0);
}

#[tokio::test]
async fn a_document_that_is_gone_comes_back_with_its_translation_and_names_what_linked_to_it() {
    let rehearsal = rehearsal_of(family()).await;
    rehearsal.target.repository.remove_documents(&[HOME]);
    let (plan, report) = restored(&rehearsal, HOME, None).await.unwrap();
    assert!(!plan.is_live && plan.diff.is_empty());
    assert_eq!(plan.linked_by, [LINKING]);
    assert!(report.is_staged, "{report:?}");
    let new = report.new_id.unwrap();
    assert_ne!(new, HOME);
    publish(&rehearsal.target).await;
    let live = documents(&rehearsal.target);
    assert_eq!(live[&new]["data"]["summary"], "before summary");
    assert_eq!(live[&new]["uid"], "home");
    assert_eq!(live[&new]["alternate_languages"][0]["id"], FRENCH);
    assert_eq!(live[FRENCH]["alternate_languages"][0]["id"], json!(new));
    assert_eq!(live.len(), 4, "once");
}

#[tokio::test]
async fn assets_that_are_gone_are_uploaded_again_once_with_their_tags() {
    let base = content_of(Vec::new());
    let library = &base.library;
    let place = library.assets().iter().position(|asset| !asset.tags.is_empty()).expect("one has tags");
    let source = crate::backups::Source::of(base.clone(), options());
    let (old, picture) = image(&source.repository, place);
    let twice = data_with(
        "before",
        json!({ "picture": picture,
                "content": [{ "type": "paragraph", "text": "and", "spans": [] },
                            { "type": "image", "id": old, "url": picture["url"], "alt": null, "copyright": null,
                              "dimensions": picture["dimensions"] }] }),
    );
    let rehearsal = rehearsal_of(vec![document((HOME, "article", "en-us"), Some("home"), &[], &twice)]).await;
    let (name, tags) = {
        let library = rehearsal.source.repository.library();
        let asset = library.find(&old).unwrap();
        (asset.filename.clone(), asset.tags.clone())
    };
    rehearsal.target.repository.remove_asset(&old).unwrap();
    let before = rehearsal.target.repository.library().assets().len();
    // Killed when the document is sent: the asset is there already.
    killed_at(&rehearsal, HOME, (Endpoint::Documents, 2)).await;
    assert_eq!(rehearsal.target.repository.library().assets().len(), before + 1);
    let (plan, report) = restored(&rehearsal, HOME, None).await.unwrap();
    assert!(report.is_staged, "{report:?}");
    assert_eq!(plan.assets, std::slice::from_ref(&old));
    let library = rehearsal.target.repository.library();
    assert_eq!(library.assets().len(), before + 1, "once");
    let new = library.assets().iter().find(|asset| asset.filename == name && asset.id != old).unwrap();
    let names = |library: &prismvault::sandbox::Library, ids: &[String]| {
        let all = library.tags().iter().filter(|tag| ids.iter().any(|id| tag["id"] == json!(id)));
        let mut names: Vec<String> = all.map(|tag| tag["name"].to_string()).collect();
        names.sort();
        names
    };
    let theirs = names(&library, &new.tags);
    assert_eq!(theirs, names(&rehearsal.source.repository.library(), &tags));
    assert!(!theirs.is_empty());
    publish(&rehearsal.target).await;
    let now = shown(&rehearsal, HOME);
    assert_eq!((&now["picture"]["id"], &now["content"][1]["id"]), (&json!(new.id), &json!(new.id)));
}

#[tokio::test]
async fn a_file_that_two_documents_use_is_uploaded_once() {
    let source = crate::backups::Source::of(content_of(Vec::new()), options());
    let (old, picture) = image(&source.repository, 2);
    let with_picture = data_with("before", json!({ "picture": picture }));
    let of = |id, uid| document((id, "article", "en-us"), Some(uid), &[], &with_picture);
    let rehearsal = rehearsal_of(vec![of(HOME, "home"), of(NOTE, "note")]).await;
    rehearsal.target.repository.remove_asset(&old).unwrap();
    let before = rehearsal.target.repository.library().assets().len();
    for (id, uploads) in [(HOME, 1), (NOTE, 0)] {
        let (plan, report) = restored(&rehearsal, id, None).await.unwrap();
        assert!(report.is_staged, "{report:?}");
        assert_eq!(plan.assets.len(), uploads);
        publish(&rehearsal.target).await;
    }
    assert_eq!(rehearsal.target.repository.library().assets().len(), before + 1, "once");
    let shown_id = |id| shown(&rehearsal, id)["picture"]["id"].clone();
    assert_eq!(shown_id(HOME), shown_id(NOTE));
    assert_ne!(shown_id(HOME), json!(old));
}

#[tokio::test]
async fn old_documents_that_name_images_by_address_only_keep_them() {
    let source = crate::backups::Source::of(content_of(Vec::new()), options());
    let (id, mut picture) = image(&source.repository, 2);
    picture.as_object_mut().unwrap().remove("id");
    assert!(picture["url"].as_str().unwrap().starts_with(ASSET_HOST));
    let before = data_with("before", json!({ "picture": picture }));
    let mut rehearsal =
        rehearsal_of(vec![document((HOME, "article", "en-us"), Some("home"), &[], &before)]).await;
    // At Prismic the files of all repositories are at one host.
    let host = rehearsal.source.target.endpoints.content_api.authority().to_owned();
    rehearsal.target.target.asset_hosts = vec![host];
    put(&rehearsal.target, vec![document((HOME, "article", "en-us"), Some("home"), &[], &data("after"))]);
    let (plan, report) = restored(&rehearsal, HOME, None).await.unwrap();
    assert!(report.is_staged, "{report:?}");
    assert_eq!(plan.assets, [] as [String; 0], "the target has it");
    publish(&rehearsal.target).await;
    assert_eq!(shown(&rehearsal, HOME)["picture"]["id"], json!(id));
}

/// An answer that never comes: whether the document is there, a publish tells.
#[tokio::test]
async fn a_lost_answer_does_not_make_two() {
    for (id, what) in [(HOME, "with a UID"), (NOTE, "without one")] {
        let rehearsal = rehearsal_of(family()).await;
        rehearsal.target.repository.remove_documents(&[id]);
        rehearsal
            .control()
            .set_faults(Faults { lost_answers_to: [(Endpoint::Documents, 2)].into(), ..Faults::default() });
        let (_, report) = restored(&rehearsal, id, None).await.unwrap();
        assert!(!report.is_staged, "{what}: nobody knows: {report:?}");
        let (_, again) = restored(&rehearsal, id, None).await.unwrap();
        assert_eq!(rehearsal.target.repository.staged().len(), 1, "{what}: it is there once");
        assert!(again.new_id.is_none(), "{what}: {again:?}");
        publish(&rehearsal.target).await;
        let (_, known) = restored(&rehearsal, id, None).await.unwrap();
        assert!(known.is_staged, "{what}: {known:?}");
        let live = documents(&rehearsal.target);
        assert_eq!(live.len(), 4, "{what}: once");
        assert!(live.contains_key(&known.new_id.unwrap()), "{what}");
        assert_eq!(rehearsal.target.repository.staged().len(), 0, "{what}");
    }
}

#[tokio::test]
async fn a_document_whose_creation_never_arrived_is_sent_again() {
    let rehearsal = rehearsal_of(family()).await;
    rehearsal.target.repository.remove_documents(&[HOME]);
    rehearsal
        .control()
        .set_faults(Faults { lost_requests_to: [(Endpoint::Documents, 2)].into(), ..Faults::default() });
    restored(&rehearsal, HOME, None).await.unwrap();
    let (_, report) = restored(&rehearsal, HOME, None).await.unwrap();
    assert!(report.is_staged, "its UID tells: {report:?}");
    publish(&rehearsal.target).await;
    assert_eq!(documents(&rehearsal.target).len(), 4);
}

#[tokio::test]
async fn a_restore_that_is_killed_goes_on_with_the_same_command() {
    let rehearsal = rehearsal_of(family()).await;
    put(&rehearsal.target, vec![article("after")]);
    killed_at(&rehearsal, HOME, (Endpoint::Documents, 2)).await;
    let (_, report) = restored(&rehearsal, HOME, None).await.unwrap();
    assert!(report.is_staged, "{report:?}");
    publish(&rehearsal.target).await;
    assert_eq!(shown(&rehearsal, HOME)["summary"], "before summary");
    // Finished is finished: later the same command begins anew.
    put(&rehearsal.target, vec![article("later")]);
    let (plan, report) = restored(&rehearsal, HOME, None).await.unwrap();
    assert!(!plan.diff.changes.is_empty() && report.is_staged, "{report:?}");
    publish(&rehearsal.target).await;
    assert_eq!(shown(&rehearsal, HOME)["summary"], "before summary");
}

#[tokio::test]
async fn a_uid_that_another_took_meanwhile_is_told_and_the_same_command_works_once_it_is_free() {
    const OTHER: &str = "CraftOther000005";
    let rehearsal = rehearsal_of(family()).await;
    rehearsal.target.repository.remove_documents(&[HOME]);
    put(
        &rehearsal.target,
        vec![document(
            (OTHER, "article", "en-us"),
            Some("home"),
            &[],
            &data_with("other", json!({ "related": link(LINKING) })),
        )],
    );
    let (_, report) = restored(&rehearsal, HOME, None).await.unwrap();
    assert!(!report.is_staged, "{report:?}");
    assert_eq!(report.problems.iter().map(|problem| &*problem.code).collect::<Vec<_>>(), ["uid-taken"]);
    assert_eq!(shown(&rehearsal, OTHER)["summary"], "other summary", "it stays as it is");
    rehearsal.target.repository.remove_documents(&[OTHER]);
    let (_, report) = restored(&rehearsal, HOME, None).await.unwrap();
    assert!(report.is_staged, "{report:?}");
    publish(&rehearsal.target).await;
    assert!(documents(&rehearsal.target).contains_key(&report.new_id.unwrap()));
}
