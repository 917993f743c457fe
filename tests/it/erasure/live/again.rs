//! What editors do meanwhile and afterwards.

use prismvault::sandbox::Changes;

use super::*;
use crate::backups::WRITE_TOKEN;
use crate::privacy_search::page;
use crate::restoring::crafted::{LINKING, data};
use crate::restoring::publish;

fn edited(case: &Case, id: &str, word: &str) {
    let put = vec![page(id, &data(word))];
    case.source.repository.publish(Changes { put, ..Changes::default() });
}

#[tokio::test]
async fn what_changed_since_the_plan_is_not_written_and_what_was_cleaned_is_done() {
    let case = Case::new().await;
    let steps = case.plan().await;
    edited(&case, HOME, &format!("{PERSON} says much more"));
    edited(&case, NOTE, "of nobody now");
    let done = case.carry_out(&steps, true).await;
    assert_eq!((outcome(&done, HOME), outcome(&done, NOTE)), (&Outcome::Drifted, &Outcome::Already));
    assert!(!done.is_complete());
    assert_eq!(case.document(HOME)["data"]["summary"], format!("{PERSON} says much more summary"));
    // What is planned now is about what nobody looked at.
    let LiveError::Changed(problems) = case.try_plan().await.unwrap_err() else { panic!("a plan") };
    assert!(problems.len() == 1 && problems[0].subject.contains(HOME), "{problems:?}");
    case.source.repository.remove_documents(&[HOME]);
    let done = case.carry_out(&steps, true).await;
    assert_eq!(*outcome(&done, HOME), Outcome::Gone);
    assert!(done.is_complete());
}

#[tokio::test]
async fn a_person_who_is_named_again_is_found() {
    let case = Case::new().await;
    let steps = case.plan().await;
    assert!(case.carry_out(&steps, true).await.is_complete());
    assert_eq!(case.look(&steps, &[], &BTreeSet::new()).await.evidence.remaining, 0);
    edited(&case, LINKING, &format!("{PERSON} is back"));
    let looked = case.look(&steps, &[], &BTreeSet::new()).await;
    assert!(looked.evidence.remaining > 0 && looked.evidence.read.is_some());
    assert!(looked.remaining.iter().all(|one| one.path.contains(LINKING) && !one.is_decided), "{looked:?}");
    // In a place that was masked, with the words that were there: it goes, as was decided.
    edited(&case, LINKING, "of nobody");
    edited(&case, HOME, &format!("as {PERSON} says"));
    let looked = case.look(&steps, &[], &BTreeSet::new()).await;
    assert!(!looked.remaining.is_empty() && looked.remaining.iter().all(|one| one.is_decided), "{looked:?}");
    // Where nobody answers, nothing is read.
    case.source.control().set_faults(prismvault::sandbox::Faults {
        errors: Some(prismvault::sandbox::ErrorRate { status: 500, share: 1.0 }),
        ..Default::default()
    });
    let looked = case.look(&steps, &[], &steps.iter().map(LiveStep::id).collect()).await;
    assert!(looked.evidence.read.is_none() && looked.problems[0].code == "live-not-read", "{looked:?}");
    assert!(looked.evidence.tasks > 0, "what can be seen only by looking is not done");
    let error = case.try_plan().await.unwrap_err();
    assert!(matches!(error, LiveError::Unreadable { .. }), "{error}");
}

#[tokio::test]
async fn without_publish_documents_wait_for_a_person_and_the_same_call_goes_on() {
    let case = Case::new().await;
    let steps = case.plan().await;
    let done = case.carry_out(&steps, false).await;
    assert_eq!(*outcome(&done, HOME), Outcome::Staged);
    assert!(!done.is_complete() && case.source.repository.staged().len() == 2);
    assert!(case.document(HOME).to_string().contains(PERSON), "it is still live");
    let done = case.carry_out(&steps, false).await;
    assert!(!done.is_complete() && case.source.repository.staged().len() == 2);
    publish(&case.source).await;
    let done = case.carry_out(&steps, false).await;
    assert!(done.is_complete() && *outcome(&done, HOME) == Outcome::Already, "{done:?}");
    assert!(!case.names_the_person());
}

#[tokio::test]
async fn what_others_left_in_the_migration_release_and_is_published_with_it_is_told() {
    let case = Case::new().await;
    let steps = case.plan().await;
    let url = format!("{}/documents", case.source.target.endpoints.migration_api);
    let theirs =
        serde_json::json!({"title": "Theirs", "type": "note", "lang": "en-us", "data": {"summary": "x"}});
    let request =
        crate::sandbox::client().post(url).bearer_auth(WRITE_TOKEN).header("repository", "acme-blog");
    let response = request.body(theirs.to_string()).header("content-type", "application/json").send().await;
    assert_eq!(response.unwrap().status(), reqwest::StatusCode::CREATED);
    let done = case.carry_out(&steps, true).await;
    assert!(done.is_complete());
    let codes: Vec<&str> = done.problems.iter().map(|problem| &*problem.code).collect();
    assert_eq!(codes, ["others-published"]);
}
