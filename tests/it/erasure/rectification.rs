//! A wrong value is replaced by the right one in every replay, and is gone from the packs.

use prismvault::privacy::erasure::correct::{Correction, CorrectionError};
use prismvault::privacy::erasure::plan::{PlanError, Purpose};
use prismvault::privacy::search::FoundItem;

use super::planning::{Asked, Case, subject_of_all};
use super::*;
use crate::privacy_search::{ADDRESS, PERSON, searched};
use crate::restoring::crafted::{HOME, NOTE};

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
    assert!(plan.live.iter().all(|live| !live.path.starts_with("assets/")), "{:?}", plan.live);

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
