//! A wrong value is replaced by the right one in every replay, and is gone from the packs.

use prismvault::privacy::erasure::correct::{Correction, CorrectionError};
use prismvault::privacy::erasure::plan::{PlanError, Purpose};
use prismvault::privacy::search::FoundItem;

use prismvault::privacy::erasure::live::{LiveStep, TaskCode};
use prismvault::privacy::erasure::plan::Plan;
use prismvault::privacy::proof::check::Checked;
use prismvault::privacy::proof::headers::OldHeaders;
use prismvault::privacy::proof::rectified::{Allowed, Looking, rectified};
use prismvault::sandbox::Changes;

use super::planning::{Asked, Case, again, decided, subject_of_all};
use super::*;
use crate::privacy_search::{ADDRESS, PERSON, page, searched};
use crate::restoring::crafted::{HOME, NOTE, data};

const RIGHT: &str = "Perpetua Other-Exampleton";
const NEW_ADDRESS: &str = "perpetua@new.example";

fn corrections() -> [Correction; 2] {
    [(PERSON, RIGHT), (ADDRESS, NEW_ADDRESS)]
        .map(|(wrong, right)| Correction { wrong: wrong.to_owned(), right: right.to_owned() })
}

fn of(corrections: &[Correction]) -> Asked<'_> {
    Asked { purpose: Purpose::Rectification, corrections, ..Asked::default() }
}

#[tokio::test]
async fn the_right_value_stands_in_every_snapshot_and_the_wrong_one_in_no_pack() {
    let case = Case::new(false).await;
    let (name, address) = (case.holding(&format!("as {PERSON}")).await, case.holding(ADDRESS).await);
    assert!(name > 0 && address > 0, "they can be found");
    let plan = case.carry_out_for(of(&corrections()), &subject_of_all).await;
    assert!(plan.items.iter().all(|item| item.change == order::Change::Corrected), "{:?}", plan.items);
    let paths: Vec<&String> = plan.items.iter().flat_map(|item| &item.paths).collect();
    assert_eq!(paths.iter().filter(|path| path.contains(HOME)).count(), 2);
    assert_eq!(paths.iter().filter(|path| path.contains(NOTE)).count(), 1);
    // A picture is not changed, and people are told.
    let picture = plan.left.iter().find(|left| left.path.ends_with("/original")).unwrap();
    assert!(picture.why.contains("erase this one"), "{}", picture.why);
    assert!(!picture.place.is_empty(), "{picture:?}");
    // Nobody can be asked here what is live: all of it is left to people.
    let task =
        |code| plan.live.iter().filter_map(LiveStep::task).filter(move |task| task.code == code).count();
    use TaskCode::{CorrectDocument, CorrectFile, CorrectHidden};
    assert_eq!([CorrectDocument, CorrectFile, CorrectHidden].map(task), [2, 1, 1], "{:?}", plan.live);

    assert_eq!(case.holding(&format!("as {PERSON}")).await, 0);
    assert_eq!(case.holding(ADDRESS).await, 0);
    assert!(case.holding(RIGHT).await > 0 && case.holding(NEW_ADDRESS).await > 0);
    assert!(case.holding("of nobody").await > 0, "what is of others is there");
    assert_eq!(case.backup.verified(Level::Content).await.damage, []);

    // Each snapshot reads the right value, and says that something was corrected.
    let vault = case.open().await;
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let space = Space::load(&vault, &blog()).await.unwrap();
    let reader = Reader::new(&vault, &space);
    for (snapshot, words) in snapshots.of(&blog()).iter().zip(["as ", ""]) {
        let (entries, applied) =
            tree::read_telling::<CatalogEntry>(&reader, &snapshot.manifest.catalog).await.unwrap();
        assert_eq!((applied.corrected, applied.words().unwrap().as_str()), (2, "2 corrected"));
        let home = entries.iter().find(|entry| entry.path.contains(HOME)).unwrap();
        let bytes = reader.bytes(home.item).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.contains(&format!("{words}{RIGHT} says")) && !text.contains(PERSON), "{text}");
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((document["id"].as_str(), document["type"].as_str()), (Some(HOME), Some("article")));
    }
    // The person is still there, by the right values.
    let report = searched(&case.backup, &[]).await;
    assert!(report.found.len() >= 3, "{:?}", report.found.iter().map(FoundItem::paths).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_has_no_wrong_value_in_it_is_not_in_the_plan_and_a_slip_is_told() {
    let case = Case::new(true).await;
    let [name, address] = corrections();
    let plan = case.plan_for(of(std::slice::from_ref(&address)), &subject_of_all, |_, _| ()).await.unwrap();
    assert_eq!(plan.items.len(), 1, "only the note has the address");
    assert_eq!(plan.corrections, std::slice::from_ref(&address));
    let same = case.plan_for(of(std::slice::from_ref(&address)), &subject_of_all, |_, _| ()).await.unwrap();
    assert_eq!(same.hash(), plan.hash());
    let other = Correction { right: "another@new.example".to_owned(), ..address };
    let other = case.plan_for(of(&[other]), &subject_of_all, |_, _| ()).await.unwrap();
    assert_ne!(other.hash(), plan.hash(), "who approves one does not approve the other");

    let slip = Correction { wrong: "Perpetua Examplton".to_owned(), right: RIGHT.to_owned() };
    let both = [name.clone(), slip];
    let error = case.plan_for(of(&both), &subject_of_all, |_, _| ()).await.unwrap_err();
    assert!(matches!(&error, PlanError::Nowhere(numbers) if numbers == &[2]), "{error}");
    assert!(!format!("{error} {error:?}").contains("Perpetua"), "errors name nobody: {error:?}");
    let error = case.plan_for(of(&[]), &subject_of_all, |_, _| ()).await.unwrap_err();
    assert!(matches!(error, PlanError::Corrections(CorrectionError::None)));
    assert!(!format!("{name:?}").contains("Perpetua"));
}

async fn looked(case: &Case, plan: &Plan) -> Checked {
    let vault = case.open().await;
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let again = again(&vault, &snapshots);
    let allowed = Allowed::of(plan, &case.report, &subject_of_all);
    let headers = OldHeaders::default();
    let (live, urls) = (Vec::new(), Vec::new());
    rectified(Looking { again: &again, plan, allowed: &allowed, headers: &headers, live, urls })
        .await
        .unwrap()
}

#[tokio::test]
async fn every_snapshot_is_looked_at_afterwards_and_what_is_still_wrong_is_told_by_its_place() {
    let case = Case::new(true).await;
    let (all, source) = (corrections(), case.source.as_ref().unwrap());
    let planned = case.plan_for(of(&all), &subject_of_all, |_, _| ()).await.unwrap();
    // Before anything is decided nothing that stands in the places can be read, and wrong values stand there.
    let before = looked(&case, &planned).await;
    assert!(before.remaining() > 0 && !before.is_whole(), "{before:?}");

    let plan = case.carry_out_for(of(&all), &subject_of_all).await;
    assert_eq!(plan.hash(), planned.hash());
    let after = looked(&case, &plan).await;
    assert_eq!((after.remaining(), after.restored.problems.len()), (0, 0), "{after:?}");
    assert!(after.is_whole() && after.canary.is_found());
    let places: usize = plan.items.iter().map(|item| item.places.len()).sum();
    assert!(
        after.canary.planted as usize >= places + 4,
        "in every place that was corrected, and invented ones"
    );
    // Both snapshots, and in each both documents.
    let read: Vec<u64> = after.evidence.restored.iter().map(|own| own.items).collect();
    assert_eq!(read, [2, 2]);
    let replicas = &after.evidence.replicas;
    assert!(replicas.iter().all(|own| own.gone.is_some() && own.scanned == (0, 0)), "{replicas:?}");
    let text = serde_json::to_string(&after.evidence).unwrap();
    assert!(!text.contains("Perpetua") && !text.contains("perpetua"), "{text}");

    // A snapshot that was taken before somebody put it right in Prismic.
    let put = vec![page(HOME, &data(&format!("{PERSON} says it again")))];
    source.repository.publish(Changes { put, ..Changes::default() });
    case.backup.clock.advance(chrono::TimeDelta::hours(1));
    case.backup.snapshot(source).await.unwrap();
    let again = looked(&case, &plan).await;
    assert!(again.remaining() > 0 && again.is_whole(), "{again:?}");
    let found = &again.restored.found;
    let at = |id: &str| found.iter().filter(|own| own.path.contains(id)).count();
    assert_eq!((at(HOME), at(NOTE), found.len()), (1, 1, 2), "in the new one only: {found:?}");
    assert!(found.iter().all(|own| !own.places.is_empty()));
    assert!(!format!("{found:?}").contains("Perpetua"));
}

#[tokio::test]
async fn what_is_of_others_or_cannot_be_corrected_is_not_called_wrong() {
    let case = Case::new(true).await;
    let all = corrections();
    let deciding = |found: &FoundItem, _: &prismvault::privacy::matching::Finding| {
        use prismvault::privacy::review::Decision;
        let is_note = found.paths().iter().any(|path| path.contains(NOTE));
        decided(if is_note { Decision::NotSubject } else { Decision::Subject })
    };
    let plan = case.carry_out_for(of(&all[..1]), &deciding).await;
    let vault = case.open().await;
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let again = again(&vault, &snapshots);
    let headers = OldHeaders::default();
    let looking = |allowed| Looking {
        again: &again,
        plan: &plan,
        allowed,
        headers: &headers,
        live: Vec::new(),
        urls: Vec::new(),
    };
    let allowed = Allowed::of(&plan, &case.report, &deciding);
    let checked = rectified(looking(&allowed)).await.unwrap();
    assert!(checked.remaining() == 0 && checked.is_whole(), "{checked:?}");
}
