//! What people say of tasks, and what is seen of them.

use prismvault::contentapi::{ASSET_HOST, AccessMode, AccessPolicy, TokenScope};
use prismvault::privacy::erasure::live::standing::{Sight, contradicted};
use prismvault::sandbox::{Changes, Release, RepositoryOptions};
use prismvault::secret::Secret;
use serde_json::json;

use super::*;
use crate::backups::ACCESS_TOKEN;
use crate::privacy_search::page;
use crate::restoring::crafted::{content_of, data};

/// Ids of the tasks of one kind.
fn of(steps: &[LiveStep], code: TaskCode) -> BTreeSet<String> {
    let own = steps.iter().filter(|step| step.task().is_some_and(|task| task.code == code));
    own.map(LiveStep::id).collect()
}

fn said(ids: &BTreeSet<String>) -> BTreeMap<String, Timestamp> {
    ids.iter().map(|id| (id.clone(), now(0))).collect()
}

#[tokio::test]
async fn a_word_counts_until_the_document_names_the_person_again_and_never_for_what_is_seen() {
    let case = Case::new().await;
    let steps = case.plan().await;
    let histories = of(&steps, TaskCode::SupportHistory);
    assert_eq!(histories.len(), 2);
    let all: BTreeSet<String> = steps.iter().map(LiveStep::id).collect();
    // Nothing is done yet, whatever they say: what is there now is an earlier version tomorrow.
    let looked = case.look(&steps, &[], &all).await;
    assert!(histories.iter().all(|id| looked.sights[id] == Sight::Open && looked.open.contains(id)));
    assert_eq!(contradicted(&steps, &said(&histories), None, &[looked]), histories);

    let done = case.carry_out(&steps, true).await;
    assert_eq!(contradicted(&steps, &said(&histories), Some(&done), &[]), histories, "written just now");
    let looked = case.look(&steps, &[], &histories).await;
    assert!(histories.iter().all(|id| looked.sights[id] == Sight::Hidden && !looked.open.contains(id)));
    let words: Vec<(TaskCode, &str)> =
        looked.evidence.words.iter().map(|word| (word.task, word.said.as_str())).collect();
    assert_eq!(words, [(TaskCode::SupportHistory, "2026-11-23T00:00:00Z"); 2]);
    let again = case.carry_out(&steps, true).await;
    // Nothing was written again. A file that answers at its addresses is seen, whatever anybody says.
    let of_file = of(&steps, TaskCode::SupportFile);
    assert_eq!(contradicted(&steps, &said(&all), Some(&again), &[looked]), of_file);

    // Somebody writes the person back into one of them.
    let put = vec![page(HOME, &data(&format!("{PERSON} is back")))];
    case.source.repository.publish(Changes { put, ..Changes::default() });
    let looked = case.look(&steps, &[], &histories).await;
    assert_eq!((looked.evidence.words.len(), looked.evidence.remaining > 0), (1, true), "{looked:?}");
    assert_eq!(contradicted(&steps, &said(&histories), None, &[looked]).len(), 1);
}

#[tokio::test]
async fn a_token_that_shows_no_release_sees_none_done_and_says_so() {
    let page_of = page("CraftRelease0009", &data(&format!("{PERSON} comes soon")));
    let mut text: Value = serde_json::from_str(&page_of.stored()).unwrap();
    text["first_publication_date"] = json!(null);
    text["last_publication_date"] = json!(null);
    let document = prismvault::contentapi::Document::parse(&text.to_string(), &[ASSET_HOST]).unwrap();
    let mut content = content_of(vec![page(HOME, &data("of nobody"))]);
    content.releases.push(Release {
        id: "ReleaseOne000001".to_owned(),
        label: "Soon".to_owned(),
        scheduled_at: None,
        version: "ReleaseVersion01".to_owned(),
        documents: vec![Arc::new(document)],
    });
    let tokens = [("of-master", TokenScope::Master), (ACCESS_TOKEN, TokenScope::MasterAndReleases)];
    let tokens = tokens.map(|(token, scope)| (Secret::new(token), scope)).into();
    let access = AccessPolicy { mode: AccessMode::Private, tokens };
    let mut source = Source::of(content, RepositoryOptions { access, ..options() });
    source.target.access_token = Some(Secret::new(ACCESS_TOKEN));
    let mut case = Case::of(source, &subject(), &subject_of_all).await;
    let steps = case.plan().await;
    let [task] = &of(&steps, TaskCode::EditRelease).into_iter().collect::<Vec<_>>()[..] else {
        panic!("{steps:?}")
    };
    let looked = case.look(&steps, &[], &BTreeSet::new()).await;
    assert_eq!((looked.sights[task], looked.evidence.releases), (Sight::Open, Some(1)));
    assert!(looked.unseen.is_empty());

    // Another token, which shows published documents only: the release is gone for who looks, and not in Prismic.
    case.source.target.access_token = Some(Secret::new("of-master"));
    let looked = case.look(&steps, &[], &BTreeSet::new()).await;
    assert!(looked.evidence.read.is_some() && looked.evidence.remaining == 0, "{looked:?}");
    assert_eq!((looked.sights[task], looked.evidence.releases), (Sight::Hidden, Some(0)));
    assert!(looked.open.contains(task), "nobody has seen that it is done");
    assert_eq!(looked.unseen[0].code, "no-release-seen");
    assert!(looked.problems.is_empty(), "it is told, and is no failure");
    // A person can look, and say so.
    let looked = case.look(&steps, &[], &BTreeSet::from([task.clone()])).await;
    assert!(!looked.open.contains(task) && looked.evidence.words[0].task == TaskCode::EditRelease);
}
