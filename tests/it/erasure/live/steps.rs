//! What is planned, and what it comes to.

use prismvault::contentapi::{ASSET_HOST, AccessMode, AccessPolicy};
use prismvault::prismic::RepositoryWriter;
use prismvault::prismic::write::AssetChange;
use prismvault::privacy::matching::Finding;
use prismvault::privacy::review::Decision;
use prismvault::privacy::subject::IdentifierKind;
use prismvault::sandbox::{Asset, AssetContent, Changes, Faults, Release, RepositoryOptions};
use prismvault::secret::Secret;
use serde_json::json;

use super::super::planning::decided;
use super::*;
use crate::backups::WRITE_TOKEN;
use crate::privacy_search::page;
use crate::restoring::crafted::{FRENCH, LINKING, content_of, data, data_with, document, link};

#[tokio::test]
async fn documents_are_put_and_published_and_files_are_deleted_and_asked_for_until_they_are_gone() {
    let case = Case::new().await;
    let before = (case.document(HOME), case.document(LINKING));
    let steps = case.plan().await;
    assert_eq!(steps, case.plan().await, "it is the same when it is made again");
    assert_eq!(case.writes(), 0);
    assert_eq!(puts(&steps), [HOME, NOTE]);
    let file = case.source.repository.library().assets()[0].id.clone();
    assert!(steps.iter().any(|step| matches!(&step.action, LiveAction::Delete(delete) if delete.id == file)));
    let mut left: Vec<TaskCode> = tasks(&steps).into_iter().map(|(code, ..)| code).collect();
    left.sort_unstable();
    use TaskCode::{CheckHidden, SupportFile, SupportHistory};
    assert_eq!(left, [CheckHidden, SupportHistory, SupportHistory, SupportFile]);

    let looked = case.look(&steps, &[], &BTreeSet::new()).await;
    assert!(looked.evidence.remaining > 0 && looked.remaining.iter().all(|one| one.is_decided));
    let done = case.carry_out(&steps, true).await;
    assert!(done.is_complete(), "{done:?}");
    assert_eq!(done.problems, []);
    for id in [HOME, NOTE, &file] {
        assert_eq!(*outcome(&done, id), Outcome::Done, "{id}");
    }
    assert!(!case.names_the_person());
    assert!(case.source.repository.library().find(&file).is_none());
    let after = case.document(HOME);
    assert_eq!(after["data"]["summary"], "as [erased] says summary");
    assert_eq!((&after["uid"], &after["data"]["kind"]), (&before.0["uid"], &json!("news")));
    assert_eq!(after["data"]["body"][1]["primary"]["text"], "as [erased] says aside");
    assert_eq!(case.document(LINKING), before.1, "what nobody found is as it was");

    // Once more: nothing is written.
    let writes = case.writes();
    let again = case.carry_out(&steps, true).await;
    assert!(again.is_complete() && *outcome(&again, HOME) == Outcome::Already, "{again:?}");
    assert_eq!(case.writes(), writes);

    // The file is deleted and still at its addresses.
    let urls = case.probe(&steps, &[], 1).await;
    assert!(
        urls.len() >= 2 && urls.iter().all(|url| url.status == Some(200) && url.gone.is_none()),
        "{urls:?}"
    );
    let all: BTreeSet<String> = steps.iter().map(LiveStep::id).collect();
    let looked = case.look(&steps, &urls, &all).await;
    assert_eq!((looked.evidence.remaining, looked.evidence.tasks), (0, 1), "{looked:?}");
    assert!(looked.evidence.read.is_some() && looked.problems.is_empty());
    let missing = Faults { missing_files: [file].into(), ..Faults::default() };
    case.source.control().set_faults(missing);
    let urls = case.probe(&steps, &urls, 2).await;
    assert!(urls.iter().all(|url| url.status == Some(404)), "{urls:?}");
    let urls = case.probe(&steps, &urls, 3).await;
    assert!(urls.iter().all(|url| url.gone.as_deref() == Some("2026-11-23T02:00:00Z")), "{urls:?}");
    let looked = case.look(&steps, &urls, &all).await;
    assert_eq!((looked.evidence.remaining, looked.open.len()), (0, 0));
    let looked = case.look(&steps, &urls, &BTreeSet::new()).await;
    assert_eq!(looked.open.len(), 3, "what nobody can see is open until somebody says that it is done");
    // It is there again: not gone, however long it was.
    case.source.control().set_faults(Faults::default());
    let urls = case.probe(&steps, &urls, 4).await;
    assert!(urls.iter().all(|url| url.gone.is_none()));
}

#[tokio::test]
async fn what_a_put_would_lose_and_what_no_interface_does_is_left_to_people() {
    let mut subject = subject();
    subject.add(IdentifierKind::AuthorDocument, FRENCH).unwrap();
    let slug = "perpetua-exampleton";
    let with = |document: Arc<prismvault::contentapi::Document>, more: Value| {
        let mut text: Value = serde_json::from_str(&document.stored()).unwrap();
        more.as_object().unwrap().iter().for_each(|(name, value)| text[name] = value.clone());
        Arc::new(prismvault::contentapi::Document::parse(&text.to_string(), &[ASSET_HOST]).unwrap())
    };
    let mut content = content_of(vec![
        page(HOME, &data_with(&format!("as {PERSON} says"), json!({"legacy": "of a field that is gone"}))),
        with(page(NOTE, &data(&format!("by {PERSON}"))), json!({"slugs": [slug]})),
        page(FRENCH, &data("of nobody")),
        page(LINKING, &data_with("of nobody", json!({"related": link(FRENCH)}))),
    ]);
    let of_release = with(
        page("CraftRelease0009", &data(&format!("{PERSON} comes soon"))),
        json!({"first_publication_date": null, "last_publication_date": null}),
    );
    content.releases.push(Release {
        id: "ReleaseOne000001".to_owned(),
        label: "Soon".to_owned(),
        scheduled_at: None,
        version: "ReleaseVersion01".to_owned(),
        documents: vec![of_release],
    });
    // Releases are shown to everybody.
    let access = AccessPolicy { mode: AccessMode::Open, tokens: Vec::new() };
    let source = Source::of(content, RepositoryOptions { access, ..options() });
    let case = Case::of(source, &subject, &subject_of_all).await;
    let steps = case.plan().await;
    let of = |id: &str| -> Vec<(TaskCode, Why)> {
        let own = tasks(&steps).into_iter().filter(|(.., own)| own == id);
        own.map(|(code, why, _)| (code, why)).collect()
    };
    assert!(of(HOME).contains(&(TaskCode::EditDocument, Why::WouldLose)), "{steps:?}");
    let lost = steps.iter().filter_map(LiveStep::task).find(|task| task.code == TaskCode::EditDocument);
    assert_eq!(lost.unwrap().loses, ["field-not-in-model /data/legacy"]);
    assert!(of(FRENCH).contains(&(TaskCode::RemoveDocument, Why::CannotMask)), "{steps:?}");
    assert!(of(NOTE).contains(&(TaskCode::SupportSlugs, Why::NoInterface)), "{steps:?}");
    assert_eq!(of("CraftRelease0009"), [(TaskCode::EditRelease, Why::InRelease)], "{steps:?}");
    assert_eq!(tasks(&steps).iter().filter(|(code, ..)| *code == TaskCode::CheckHidden).count(), 1);

    let before = (case.document(HOME), case.document(FRENCH));
    let done = case.carry_out(&steps, true).await;
    assert!(done.is_complete(), "{done:?}");
    assert_eq!((case.document(HOME), case.document(FRENCH)), before);
    assert_eq!(case.document(NOTE)["data"]["summary"], "by [erased] summary");
    // The link led to a document about the person.
    assert!(!case.document(LINKING)["data"].to_string().contains(FRENCH));
    let all: BTreeSet<String> = steps.iter().map(LiveStep::id).collect();
    let looked = case.look(&steps, &[], &all).await;
    let still = |id: &str| looked.remaining.iter().any(|one| one.path.contains(id));
    assert!(still(HOME) && still(FRENCH) && still("CraftRelease0009"), "{looked:?}");
    assert!(
        looked.remaining.iter().any(|one| one.path.contains(NOTE) && one.place == "/slugs/1"),
        "{looked:?}"
    );
    // The history of both documents is open as well: what is there now is an earlier version tomorrow.
    assert_eq!(looked.open.len(), 6, "that people say so does not count against what is seen: {looked:?}");

    // An editor does it.
    case.source
        .repository
        .publish(Changes { put: vec![page(HOME, &data("of nobody now"))], ..Changes::default() });
    case.source.repository.remove_documents(&[FRENCH]);
    case.source.repository.remove_release("ReleaseOne000001").unwrap();
    let looked = case.look(&steps, &[], &all).await;
    assert_eq!(looked.open.len(), 1, "the old slug: {looked:?}");
    assert!(looked.remaining.iter().all(|one| one.place.starts_with("/slugs")), "{looked:?}");
}

#[tokio::test]
async fn what_the_media_library_says_is_changed_and_an_address_with_the_name_is_told() {
    let mut content = content_of(vec![page(HOME, &data("of nobody"))]);
    let ids: Vec<String> = content.library.assets().iter().map(|asset| asset.id.clone()).collect();
    let mut put = |at: usize, change: &dyn Fn(&mut Value)| {
        let asset = Arc::clone(&content.library.assets()[at]);
        let mut item = asset.item();
        change(&mut item);
        let bytes = AssetContent::Bytes(vec![b'x'; item["size"].as_u64().unwrap() as usize].into());
        content.library.put(Asset::parse(&item.to_string(), &[ASSET_HOST], bytes).unwrap());
    };
    put(0, &|item| {
        item["filename"] = format!("{PERSON}.png").into();
        item["notes"] = format!("by {PERSON} herself").into();
        item["credits"] = "of nobody".into();
    });
    put(1, &|item| {
        item["url"] = format!("{ASSET_HOST}/acme-blog/{}_PerpetuaExampleton.png", ids[1]).into();
    });
    let source = Source::of(content, options());
    let http = Http::new(quick(&prismvault::limits::Limits::default()), Arc::new(SystemClock)).unwrap();
    let writer = RepositoryWriter::new(http, &source.target.endpoints, "acme-blog", Secret::new(WRITE_TOKEN));
    let (tag, other) =
        (writer.create_asset_tag(PERSON).await.unwrap(), writer.create_asset_tag("news").await.unwrap());
    let change = AssetChange { tags: Some(vec![tag.id.clone(), other.id.clone()]), ..AssetChange::default() };
    writer.describe_asset(&ids[0], &change).await.unwrap();
    let case = Case::of(source, &subject(), &subject_of_all).await;
    let steps = case.plan().await;
    let patched = steps.iter().find_map(|step| match &step.action {
        LiveAction::Patch(patch) => Some((patch.id.as_str(), patch.members.clone())),
        _ => None,
    });
    let members = ["filename", "notes", "tags"].map(str::to_owned).to_vec();
    assert_eq!(patched, Some((&*ids[0], members)), "{steps:?}");
    let all = tasks(&steps);
    let has = |code, id: &str| all.iter().any(|(own, _, of)| *own == code && *of == id);
    assert!(has(TaskCode::ReplaceAsset, &ids[1]) && has(TaskCode::SupportFile, &ids[1]), "{all:?}");
    assert!(has(TaskCode::DeleteAssetTag, &tag.id) && !has(TaskCode::DeleteAssetTag, &other.id), "{all:?}");

    let done = case.carry_out(&steps, true).await;
    assert!(done.is_complete() && *outcome(&done, &ids[0]) == Outcome::Done, "{done:?}");
    let item = case.source.repository.library().find(&ids[0]).unwrap().item();
    assert_eq!((&item["filename"], &item["credits"]), (&json!("erased.png"), &json!("of nobody")));
    assert_eq!(item["notes"], "by [erased] herself");
    assert_eq!(item["tags"].as_array().unwrap().len(), 1);
    let again = case.carry_out(&steps, true).await;
    assert_eq!(*outcome(&again, &ids[0]), Outcome::Already);
    let looked = case.look(&steps, &[], &BTreeSet::new()).await;
    assert!(looked.remaining.iter().all(|one| one.path.contains(&ids[1])), "{looked:?}");
    let open = |code: TaskCode| {
        let ids = steps.iter().filter(|step| step.task().is_some_and(|task| task.code == code));
        ids.map(LiveStep::id).any(|id| looked.open.contains(&id))
    };
    assert!(open(TaskCode::ReplaceAsset) && open(TaskCode::DeleteAssetTag) && open(TaskCode::SupportFile));
}

#[tokio::test]
async fn without_a_token_everything_is_a_task_and_nothing_is_called_read() {
    let mut source = Source::of(content(), options());
    let backup = Backup::in_memory(1).await;
    backup.snapshot(&source).await.unwrap();
    source.target.write_token = None;
    let case = Case::searched(source, backup, &subject(), &subject_of_all).await;
    let steps = case.plan().await;
    assert!(steps.iter().all(|step| step.task().is_some()), "{steps:?}");
    let all = tasks(&steps);
    let without = |code| all.iter().filter(|(own, why, _)| *own == code && *why == Why::NoWriteToken).count();
    assert_eq!((without(TaskCode::EditDocument), without(TaskCode::DeleteAsset)), (2, 1), "{all:?}");
    let done = case.carry_out(&steps, true).await;
    assert!(done.is_complete() && case.writes() == 0);
    let ids: BTreeSet<String> = steps.iter().map(LiveStep::id).collect();
    let looked = case.look(&steps, &[], &ids).await;
    assert!(looked.evidence.read.is_none() && looked.evidence.remaining > 0);
    assert_eq!(looked.problems[0].code, "no-write-token");
    assert!(looked.open.len() >= 3, "{looked:?}");

    // A token that is gone when it is carried out: nothing is called done.
    let mut case = Case::new().await;
    let steps = case.plan().await;
    case.source.target.write_token = None;
    let done = case.carry_out(&steps, true).await;
    assert!(!done.is_complete() && matches!(outcome(&done, HOME), Outcome::Failed { .. }));
}

#[tokio::test]
async fn what_is_kept_stays_and_is_not_counted_as_left() {
    // An address that does not have the name in it.
    let mut subject = prismvault::privacy::subject::Subject::default();
    subject.add(IdentifierKind::Name, PERSON).unwrap();
    subject.add(IdentifierKind::Email, "reader.seven@example.org").unwrap();
    let both = format!("{PERSON} is reached at reader.seven@example.org");
    let of = |word: &str| {
        content_of(vec![
            page(HOME, &data_with("of nobody", json!({"summary": word}))),
            page(NOTE, &data(PERSON)),
        ])
    };
    let source = Source::of(of(&both), options());
    let deciding = |found: &prismvault::privacy::search::FoundItem, finding: &Finding| {
        let is_note = found.paths().iter().any(|path| path.contains(NOTE));
        let is_mail = finding.identifier.kind == IdentifierKind::Email;
        decided(match (is_note, is_mail) {
            (true, _) => Decision::NotSubject,
            (_, true) => Decision::Keep,
            _ => Decision::Subject,
        })
    };
    let case = Case::of(source, &subject, &deciding).await;
    let steps = case.plan().await;
    assert_eq!(puts(&steps), [HOME], "what is of a namesake is not touched");
    let done = case.carry_out(&steps, true).await;
    assert!(done.is_complete(), "{done:?}");
    let summary = case.document(HOME)["data"]["summary"].as_str().unwrap().to_owned();
    assert!(summary.contains("reader.seven@") && !summary.contains(PERSON), "{summary}");
    let looked = case.look(&steps, &[], &BTreeSet::new()).await;
    assert_eq!(looked.evidence.remaining, 0, "{looked:?}");
}

#[tokio::test]
async fn a_document_without_a_model_or_that_links_to_what_is_gone_is_left_to_people() {
    let gone = json!({"related": link("CraftGone0000008")});
    let unknown = document((NOTE, "legend", "en-us"), None, &[], &json!({"summary": PERSON}));
    let source = Source::of(content_of(vec![page(HOME, &data_with(PERSON, gone)), unknown]), options());
    let case = Case::of(source, &subject(), &subject_of_all).await;
    let steps = case.plan().await;
    assert!(puts(&steps).is_empty(), "{steps:?}");
    let whys: BTreeSet<Why> = tasks(&steps)
        .into_iter()
        .filter(|(code, ..)| *code == TaskCode::EditDocument)
        .map(|own| own.1)
        .collect();
    assert!(whys.contains(&Why::NoModel), "{whys:?}");
    assert_eq!(case.writes(), 0);
}
