//! What is held is not changed, and a plan over a hold says so.

use prismvault::privacy::erasure::plan::{Held, PlanError, Purpose, holds_since};
use prismvault::privacy::matching::Finding;
use prismvault::privacy::review::Decision;
use prismvault::privacy::search::FoundItem;
use prismvault::retention::{hold, release};

use super::planning::{Asked, Case, again, decided, subject_of_all};
use super::{Snapshots, blog};
use crate::restoring::crafted::HOME;

fn on(item: &str) -> Held {
    Held {
        case: "2026-7K3F9Q".parse().unwrap(),
        number: 1,
        item: Some(item.to_owned()),
        ground: "Art. 17(3)(e), a lawsuit".to_owned(),
    }
}

#[tokio::test]
async fn what_a_legal_hold_names_stays_with_its_ground() {
    let case = Case::new(true).await;
    let all = case.plan_for(Asked::default(), &subject_of_all, |_, _| ()).await.unwrap();
    let home = all.items.iter().find(|item| item.paths.iter().any(|path| path.contains(HOME))).unwrap();
    let by_path = [on(home.paths.first().unwrap())];
    let by_item = [on(&home.item.to_string())];
    let by_folder = [on("assets/")];
    for (held, left) in [(&by_path, 2), (&by_item, 3), (&by_folder, 3)] {
        let asked = Asked { held, ..Asked::default() };
        let plan = case.plan_for(asked, &subject_of_all, |_, _| ()).await.unwrap();
        assert_eq!((plan.items.len(), plan.idle_holds), (left, 0), "{held:?}");
        assert!(!plan.kept.is_empty() && plan.kept.iter().all(|kept| kept.ground == held[0].ground));
        assert_ne!(plan.hash(), all.hash());
        // It is held where it is live as well.
        let kept: Vec<&str> = plan.kept.iter().map(|kept| kept.path.as_str()).collect();
        if held == &by_path {
            assert!(plan.live.iter().all(|live| !kept.contains(&live.path.as_str())), "{:?}", plan.live);
        }
    }
    // A slip is told. One of another case on what was not found here is in nobody's way: approvals stay good.
    let slip = on("documents/en-us/article/Elsewhere.json");
    let other = [Held { case: "2026-AAAAAA".parse().unwrap(), ..slip.clone() }];
    for (held, idle) in [([slip], 1), (other, 0)] {
        let asked = Asked { held: &held, ..Asked::default() };
        let plan = case.plan_for(asked, &subject_of_all, |_, _| ()).await.unwrap();
        assert_eq!((plan.items.len(), plan.idle_holds, plan.kept.len()), (4, idle, 0));
        assert_eq!(plan.hash() == all.hash(), idle == 0);
    }
}

#[tokio::test]
async fn a_hold_on_everything_or_on_who_knows_what_stops_the_plan() {
    let case = Case::new(true).await;
    let all = [Held {
        case: "2026-7K3F9Q".parse().unwrap(),
        number: 2,
        item: None,
        ground: "a lawsuit".to_owned(),
    }];
    let unclear = [on("the note about the lawsuit")];
    let of = |held| Asked { held, ..Asked::default() };
    let error = case.plan_for(of(&all), &subject_of_all, |_, _| ()).await.unwrap_err();
    assert!(matches!(error, PlanError::AllHeld(_)) && error.next_step().unwrap().contains("--release"));
    let error = case.plan_for(of(&unclear), &subject_of_all, |_, _| ()).await.unwrap_err();
    assert!(matches!(error, PlanError::HoldUnclear(_)), "{error}");
    assert!(error.to_string().contains("1 of case 2026-7K3F9Q"), "{error}");
    // What destroys nothing may go on.
    let asked = Asked { purpose: Purpose::Restriction, ..of(&all) };
    let plan = case.plan_for(asked, &subject_of_all, |_, _| ()).await.unwrap();
    assert_eq!(plan.items.len(), 4);
}

#[tokio::test]
async fn a_snapshot_under_hold_keeps_what_it_names_unless_somebody_decides_otherwise() {
    let case = Case::new(true).await;
    let early = case.plan_for(Asked::default(), &subject_of_all, |_, _| ()).await.unwrap();
    let vault = case.open().await;
    let loaded = Snapshots::load(&vault, None).await.unwrap();
    assert_eq!(holds_since(&again(&vault, &loaded), &early).await.unwrap(), []);
    let first = loaded.of(&blog()).first().unwrap();
    hold(&vault, &[first], "the auditors").await.unwrap();
    // One that came after the plan was approved is told to who carries it out.
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let since = holds_since(&again(&vault, &snapshots), &early).await.unwrap();
    assert_eq!(since.iter().map(|held| &held.snapshot).collect::<Vec<_>>(), [first.id()]);

    let error = case.plan_for(Asked::default(), &subject_of_all, |_, _| ()).await.unwrap_err();
    let PlanError::SnapshotsHeld(held) = &error else { panic!("{error}") };
    assert_eq!((held.len(), &held[0].snapshot, held[0].reason.as_str()), (1, first.id(), "the auditors"));
    let words = format!("{error}; {}", error.next_step().unwrap());
    assert!(words.contains(&format!("prismvault release {}", first.id())), "{words}");
    assert!(words.contains("the auditors") && words.contains("--over-hold"), "{words}");

    let over = Asked { over_hold: Some("the auditors agreed in writing"), ..Asked::default() };
    let plan = case.plan_for(over, &subject_of_all, |_, _| ()).await.unwrap();
    let against = plan.over_hold.as_ref().unwrap();
    assert_eq!(holds_since(&again(&vault, &snapshots), &plan).await.unwrap(), []);
    assert_eq!((against.reason.as_str(), &against.snapshots), ("the auditors agreed in writing", held));
    // A restriction takes nothing from it.
    let asked = Asked { purpose: Purpose::Restriction, ..Asked::default() };
    let plan = case.plan_for(asked, &subject_of_all, |_, _| ()).await.unwrap();
    assert_eq!((plan.items.len(), plan.over_hold.is_none()), (4, true));

    // What the held snapshot does not name is not in its way: only the second names the later page.
    let held = first.id().clone();
    let later = move |found: &FoundItem, _: &Finding| {
        let is_later = found.sightings.iter().all(|one| one.from != held);
        decided(if is_later { Decision::Subject } else { Decision::Keep })
    };
    let plan = case.plan_for(Asked::default(), &later, |_, _| ()).await.unwrap();
    assert_eq!((plan.items.len(), plan.over_hold.is_none()), (1, true));

    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    release(&vault, &[snapshots.of(&blog()).first().unwrap()], "they are done").await.unwrap();
    let plan = case.plan_for(over, &subject_of_all, |_, _| ()).await.unwrap();
    assert!(plan.over_hold.is_none(), "nothing is held, so nothing was decided against a hold");
}
