//! The live side of a rectification: right values are written, what is no text is left to people, and what is still
//! wrong is found.

use prismvault::contentapi::ASSET_HOST;
use prismvault::privacy::review::Decision;
use prismvault::sandbox::{Asset, AssetContent, Changes};
use serde_json::json;

use super::super::planning::decided;
use super::*;
use crate::privacy_search::page;
use crate::restoring::crafted::{LINKING, content_of, data, data_with, document};

pub(super) const RIGHT: &str = "Perpetua Other-Exampleton";
pub(super) const NEW_ADDRESS: &str = "perpetua@new.example";
pub(super) const CORRECTIONS: [(&str, &str); 2] = [(PERSON, RIGHT), (ADDRESS, NEW_ADDRESS)];

fn publish(case: &Case, id: &str, data: &Value) {
    case.source.repository.publish(Changes { put: vec![page(id, data)], ..Changes::default() });
}

#[tokio::test]
async fn right_values_are_put_and_published_and_what_is_still_wrong_is_found() {
    let case = Case::new().await.correcting(&CORRECTIONS);
    let before = case.document(LINKING);
    let steps = case.plan().await;
    assert_eq!(steps, case.plan().await, "it is the same when it is made again");
    assert_eq!((puts(&steps), case.writes()), (vec![HOME, NOTE], 0));
    // Nobody's history is erased, and no file deleted: a picture with a wrong name in it is put right by people.
    let mut left: Vec<TaskCode> = tasks(&steps).into_iter().map(|(code, ..)| code).collect();
    left.sort_unstable();
    assert_eq!(left, [TaskCode::CorrectFile, TaskCode::CorrectHidden]);

    let looked = case.look(&steps, &[], &BTreeSet::new()).await;
    assert!(
        looked.evidence.remaining >= 2 && looked.remaining.iter().all(|one| one.is_decided),
        "{looked:?}"
    );
    let done = case.carry_out(&steps, true).await;
    assert!(done.is_complete() && done.problems.is_empty(), "{done:?}");
    for id in [HOME, NOTE] {
        assert_eq!(*outcome(&done, id), Outcome::Done, "{id}");
    }
    assert_eq!(case.document(HOME)["data"]["summary"], format!("as {RIGHT} says summary"));
    assert!(case.document(NOTE).to_string().contains(&format!("write to {NEW_ADDRESS} for more")));
    assert_eq!(case.document(LINKING), before, "what nobody found is as it was");
    let looked = case.look(&steps, &[], &BTreeSet::new()).await;
    assert_eq!((looked.evidence.remaining, looked.open.len()), (0, 2), "{looked:?}");
    assert!(looked.evidence.read.is_some());

    let writes = case.writes();
    let again = case.carry_out(&steps, true).await;
    assert!(again.is_complete() && *outcome(&again, HOME) == Outcome::Already, "{again:?}");
    assert_eq!(case.writes(), writes);

    // The wrong value comes back: in its place, and in a document that nobody knew.
    publish(&case, HOME, &data_with(&format!("as {PERSON} says"), json!({})));
    publish(&case, LINKING, &data(&format!("{PERSON} is new here")));
    let looked = case.look(&steps, &[], &BTreeSet::new()).await;
    let at = |id: &str| looked.remaining.iter().filter(|one| one.path.contains(id)).collect::<Vec<_>>();
    assert!(!at(HOME).is_empty() && at(HOME).iter().all(|one| one.is_decided), "{looked:?}");
    assert!(!at(LINKING).is_empty() && at(LINKING).iter().all(|one| !one.is_decided), "{looked:?}");
    assert!(!format!("{looked:?}").contains("Perpetua"));
    // Neither wrong nor right.
    publish(&case, HOME, &data("of nobody now"));
    publish(&case, LINKING, &data("of nobody"));
    let looked = case.look(&steps, &[], &BTreeSet::new()).await;
    assert!(looked.evidence.remaining > 0, "{looked:?}");
    let lacking = |one: &str| one.ends_with("(without the right value)");
    assert!(looked.remaining.iter().all(|one| one.path.contains(HOME) && lacking(&one.place)), "{looked:?}");
    // The right one, in other words and elsewhere.
    publish(
        &case,
        HOME,
        &data_with("of nobody", json!({"kind": "news", "summary": format!("{RIGHT}, of late")})),
    );
    assert_eq!(case.look(&steps, &[], &BTreeSet::new()).await.evidence.remaining, 0);
}

#[tokio::test]
async fn what_somebody_edited_since_the_plan_is_not_written() {
    let case = Case::new().await.correcting(&CORRECTIONS);
    let steps = case.plan().await;
    publish(&case, HOME, &data_with(&format!("{PERSON} says much more"), json!({})));
    publish(&case, NOTE, &data("of nobody now"));
    let done = case.carry_out(&steps, true).await;
    assert_eq!((outcome(&done, HOME), outcome(&done, NOTE)), (&Outcome::Drifted, &Outcome::Already));
    assert!(!done.is_complete());
    let LiveError::Changed(problems) = case.try_plan().await.unwrap_err() else { panic!("a plan") };
    assert!(problems.len() == 1 && problems[0].subject.contains(HOME), "{problems:?}");
}

#[tokio::test]
async fn what_is_no_text_is_a_task_and_what_is_of_others_stays() {
    let address = json!({"link_type": "Web", "url": format!("https://example.org/?q={PERSON}")});
    let span = json!({"start": 0, "end": 3, "type": "hyperlink", "data": address});
    let text = json!([{"type": "paragraph", "text": "see more", "spans": [span]}]);
    let body = data_with(&format!("by {PERSON}"), json!({"legacy": "of a field that is gone"}));
    let mut content = content_of(vec![
        page(HOME, &data_with(&format!("as {PERSON} says"), json!({ "content": text }))),
        page(NOTE, &body),
        document((LINKING, "article", "en-us"), Some("someone"), &[], &data(&format!("another {PERSON}"))),
    ]);
    let asset = Arc::clone(&content.library.assets()[0]);
    let mut item = asset.item();
    item["notes"] = format!("by {PERSON} herself").into();
    item["filename"] = format!("{PERSON}.png").into();
    let bytes = AssetContent::Bytes(vec![b'x'; item["size"].as_u64().unwrap() as usize].into());
    content.library.put(Asset::parse(&item.to_string(), &[ASSET_HOST], bytes).unwrap());
    let deciding = |found: &prismvault::privacy::search::FoundItem,
                    _: &prismvault::privacy::matching::Finding| {
        let is_other = found.paths().iter().any(|path| path.contains(LINKING));
        decided(if is_other { Decision::NotSubject } else { Decision::Subject })
    };
    let case = Case::of(Source::of(content, options()), &subject(), &deciding).await;
    let case = case.correcting(&CORRECTIONS);
    let steps = case.plan().await;
    let of = |id: &str| -> Vec<(TaskCode, Why)> {
        let own = tasks(&steps).into_iter().filter(|(.., own)| own == id);
        own.map(|(code, why, _)| (code, why)).collect()
    };
    assert_eq!(puts(&steps), [HOME], "{steps:?}");
    assert_eq!(of(HOME), [(TaskCode::CorrectDocument, Why::CannotCorrect)], "the link: {steps:?}");
    assert_eq!(of(NOTE), [(TaskCode::CorrectDocument, Why::WouldLose)], "{steps:?}");
    assert_eq!(of(LINKING), [], "it is of a namesake");
    let patched = steps.iter().find_map(|step| match &step.action {
        LiveAction::Patch(patch) => Some((patch.id.clone(), patch.members.clone())),
        _ => None,
    });
    assert_eq!(patched, Some((asset.id.clone(), vec!["notes".to_owned()])), "{steps:?}");
    assert!(
        of(&asset.id).contains(&(TaskCode::CorrectAsset, Why::CannotCorrect)),
        "the file name: {steps:?}"
    );

    let before = (case.document(NOTE), case.document(LINKING));
    let done = case.carry_out(&steps, true).await;
    assert!(done.is_complete(), "{done:?}");
    assert_eq!((case.document(NOTE), case.document(LINKING)), before);
    let item = case.source.repository.library().find(&asset.id).unwrap().item();
    assert_eq!(item["notes"], format!("by {RIGHT} herself"));
    let looked = case.look(&steps, &[], &steps.iter().map(LiveStep::id).collect()).await;
    let still = |id: &str| looked.remaining.iter().any(|one| one.path.contains(id));
    assert!(still(HOME) && still(NOTE) && still(&asset.id) && !still(LINKING), "{looked:?}");
    assert!(looked.open.len() >= 3, "that people say so does not count against what is seen: {looked:?}");
}
