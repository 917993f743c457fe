//! Plans: what goes from where, when a plan counts, and what is written.

use chrono::TimeDelta;
use prismvault::ids::ReplicaId;
use prismvault::objects::ObjectStore as _;
use prismvault::objects::faults::{Condition, FaultStore};
use prismvault::retention::{Verdict, apply, hold, plan_forget, plan_release, release};
use prismvault::vault::error::ErrorKind;
use prismvault::vault::format::ledger::Decision;
use prismvault::vault::snapshots::Snapshots;
use prismvault::verification::Level;

use super::history::{History, blog, everywhere, find, going, ids, last};

#[tokio::test]
async fn what_no_rule_keeps_goes_and_the_chain_stays_whole_without_it() {
    let (history, nights) = History::of_nights(2, 5).await;
    let policies = [everywhere("blog", last(2))];
    let plan = history.plan(&policies).await;
    assert_eq!(going(&plan), ids(&nights[..3]));
    let part = &plan.repositories[0];
    assert_eq!(part.snapshots.len(), 5, "every snapshot is in the plan");
    assert_eq!(
        part.snapshots[4].verdicts[0].verdict,
        Verdict::Keep(vec!["newest complete".into(), "last".into()])
    );
    assert_eq!(history.left().await.len(), 5, "a plan writes nothing");

    let applied = apply(&*history.open().await, &plan).await.unwrap();
    assert_eq!((applied.entries.len(), applied.snapshots), (1, 3));
    let snapshots = history.snapshots().await;
    assert_eq!(history.left().await, ids(&nights[3..]));
    assert_eq!(snapshots.removed().len(), 3);
    let rule = &find(&snapshots, &nights[0]).fate.removed.as_ref().unwrap().rule;
    assert!(rule.contains("no rule keeps it") && rule.contains("keep_last = 2"), "{rule}");
    assert_eq!(snapshots.missing(&*history.open().await).unwrap(), []);
    assert_eq!(history.vault.backup.verified(Level::Bytes).await.damage, []);

    // The same again has nothing to do, also after the next night but for that one.
    assert_eq!(history.retain(&policies).await.snapshots, 0);
    history.night("blog", 100).await;
    assert_eq!(going(&history.plan(&policies).await), ids(&nights[3..4]));
    assert_eq!(history.vault.backup.verified(Level::Bytes).await.damage, []);
}

#[tokio::test]
async fn the_hash_says_what_is_decided_and_not_when() {
    let (history, _) = History::of_nights(1, 3).await;
    let policies = [everywhere("blog", last(1))];
    let hash = history.plan(&policies).await.hash();
    history.advance(TimeDelta::minutes(30));
    assert_eq!(history.plan(&policies).await.hash(), hash, "minutes later");
    assert_ne!(history.plan(&[everywhere("blog", last(2))]).await.hash(), hash, "another policy");
    let mut other = last(1);
    other.min_snapshots = 1;
    other.max_shrink = 99;
    assert_ne!(history.plan(&[everywhere("blog", other)]).await.hash(), hash, "another gate");
    history.night("blog", 100).await;
    let with_new = history.plan(&policies).await.hash();
    assert_ne!(with_new, hash, "another snapshot");
    let (vault, snapshots) = (history.open().await, history.snapshots().await);
    hold(&vault, &[snapshots.of(&blog()).first().unwrap()], "court").await.unwrap();
    assert_ne!(history.plan(&policies).await.hash(), with_new, "a hold");
}

#[tokio::test]
async fn a_stale_plan_and_one_of_another_vault_are_refused_and_write_nothing() {
    let (history, nights) = History::of_nights(1, 3).await;
    let policies = [everywhere("blog", last(1))];
    let plan = history.plan(&policies).await;
    let stranger = History::new(1).await;
    let error = apply(&*stranger.open().await, &plan).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    let (vault, snapshots) = (history.open().await, history.snapshots().await);
    hold(&vault, &[find(&snapshots, &nights[0])], "court").await.unwrap();
    let entries = history.entries().await;
    let error = apply(&*history.open().await, &plan).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("changed since"), "{error}");
    assert_eq!(history.entries().await, entries);
    assert_eq!(history.left().await, ids(&nights));
    history.night("blog", 100).await;
    let plan = history.plan(&policies).await;
    history.night("blog", 100).await;
    assert_eq!(apply(&*history.open().await, &plan).await.unwrap_err().kind, ErrorKind::Refused);
}

#[tokio::test]
async fn a_replica_with_rules_of_its_own_loses_and_keeps_by_them() {
    let (history, nights) = History::of_nights(2, 5).await;
    let vault = history.open().await;
    let id = |at: usize| -> ReplicaId { vault.replicas.all()[at].id().unwrap() };
    let mut policies = everywhere("blog", last(3));
    policies.own.insert("replica-1".to_owned(), last(1));
    // The quick one goes beyond the others.
    let plan = history.plan(std::slice::from_ref(&policies)).await;
    assert_eq!(going(&plan), ids(&nights[..4]));
    let from = |at: usize| plan.repositories[0].snapshots[at].remove.as_ref().unwrap().replicas.clone();
    assert_eq!((from(0), from(1)), (None, None), "what both let go is gone everywhere");
    assert_eq!((from(2), from(3)), (Some([id(1)].into()), Some([id(1)].into())));
    assert_eq!(
        history.retain(std::slice::from_ref(&policies)).await.entries.len(),
        2,
        "one a set of replicas"
    );
    let snapshots = history.snapshots().await;
    assert_eq!(find(&snapshots, &nights[2]).on, ["replica-0"]);
    assert_eq!(find(&snapshots, &nights[4]).on, ["replica-0", "replica-1"]);
    assert_eq!(history.left().await, ids(&nights[2..]));
    assert_eq!(history.vault.backup.verified(Level::Bytes).await.damage, [], "nothing is behind");
    assert_eq!(history.retain(std::slice::from_ref(&policies)).await.snapshots, 0);

    // What the others let go later is gone everywhere then.
    history.night("blog", 100).await;
    let plan = history.plan(std::slice::from_ref(&policies)).await;
    assert_eq!(plan.repositories[0].snapshots[0].remove.as_ref().unwrap().replicas, None);
    apply(&*history.open().await, &plan).await.unwrap();
    assert!(find(&history.snapshots().await, &nights[2]).fate.is_removed());

    // An archive keeps longer than the others.
    let mut policies = everywhere("blog", last(1));
    policies.own.insert("replica-0".to_owned(), last(100));
    let plan = history.plan(std::slice::from_ref(&policies)).await;
    let removed: Vec<_> = plan.removals().map(|(_, _, remove)| remove.replicas.clone()).collect();
    assert!(removed.iter().all(|from| *from == Some([id(1)].into())), "{removed:?}");
    let before = history.left().await;
    apply(&*history.open().await, &plan).await.unwrap();
    assert_eq!(history.left().await, before);
    assert_eq!(history.retain(&[policies]).await.snapshots, 0);
}

#[tokio::test]
async fn a_replica_keeps_the_newest_that_it_really_holds() {
    let (mut history, nights) = History::of_nights(2, 3).await;
    history.vault.backup.min_copies = Some(1);
    let newest = &nights[2];
    for key in [newest.key.clone(), format!("{}.minisig", newest.key)] {
        use prismvault::objects::ObjectStore as _;
        history.vault.stores[1].delete(&key).await.unwrap();
    }
    let mut policies = everywhere("blog", last(3));
    policies.own.insert("replica-1".to_owned(), last(1));
    let plan = history.plan(std::slice::from_ref(&policies)).await;
    assert_eq!(going(&plan), ids(&nights[..1]));
    let verdict = &plan.repositories[0].snapshots[1].verdicts[1].verdict;
    assert_eq!(*verdict, Verdict::Keep(vec!["newest complete on replica-1".into()]));
}

#[tokio::test]
async fn a_replica_that_is_away_loses_nothing_by_its_own_rules_until_it_is_back() {
    let (mut history, nights) = History::of_nights(2, 4).await;
    history.vault.backup.min_copies = Some(1);
    let door = std::sync::Arc::new(FaultStore::new(std::sync::Arc::clone(&history.vault.backup.stores[1].1)));
    history.vault.backup.stores[1].1 = std::sync::Arc::<FaultStore>::clone(&door);
    door.set_condition(Condition::Unreachable);
    let mut policies = everywhere("blog", last(2));
    policies.own.insert("replica-1".to_owned(), last(1));
    let plan = history.plan(std::slice::from_ref(&policies)).await;
    assert_eq!(going(&plan), ids(&nights[..2]));
    assert!(plan.removals().all(|(_, _, remove)| remove.replicas.as_ref().is_some_and(|ids| ids.len() == 1)));
    history.retain(std::slice::from_ref(&policies)).await;
    door.set_condition(Condition::Healthy);
    history.retain(std::slice::from_ref(&policies)).await;
    assert_eq!(history.left().await, ids(&nights[2..]));
    let snapshots = history.snapshots().await;
    assert!(find(&snapshots, &nights[0]).fate.is_removed(), "now from everywhere");
    assert_eq!(find(&snapshots, &nights[2]).on, ["replica-0"]);
}

#[tokio::test]
async fn what_is_held_stays_until_it_is_released() {
    let (history, nights) = History::of_nights(2, 4).await;
    let policies = [everywhere("blog", last(1))];
    let (vault, snapshots) = (history.open().await, history.snapshots().await);
    let [first, second] = [&nights[0], &nights[1]].map(|night| find(&snapshots, night));
    hold(&vault, &[first, second], "court").await.unwrap();
    assert_eq!(history.entries().await.len(), 1, "one entry for both");
    let plan = history.plan(&policies).await;
    assert_eq!(going(&plan), ids(&nights[2..3]));
    assert_eq!(
        plan.repositories[0].snapshots[0].verdicts[0].verdict,
        Verdict::Keep(vec!["hold: court".into()])
    );
    apply(&*history.open().await, &plan).await.unwrap();
    let snapshots = history.snapshots().await;
    let [first, second] = [&nights[0], &nights[1]].map(|night| find(&snapshots, night));
    // A second hold changes nothing; a release of what is free is a mistake.
    assert_eq!(hold(&*history.open().await, &[first], "again").await.unwrap(), Vec::<String>::new());
    let free = snapshots.of(&blog()).last().unwrap();
    assert_eq!(plan_release(&[first, free]).unwrap_err().kind, ErrorKind::NotFound);
    release(&*history.open().await, &[first], "over").await.unwrap();
    assert!(second.fate.held.is_some());
    assert_eq!(going(&history.plan(&policies).await), ids(&nights[..1]));
}

#[tokio::test]
async fn the_last_good_snapshot_stays_whatever_comes_after_it() {
    let (history, nights) = History::of_nights(1, 2).await;
    for _ in 0..3 {
        history.partial_night("blog").await;
    }
    // A clock that runs ahead makes one for years to come.
    history.advance(TimeDelta::days(3650));
    history.night("blog", 100).await;
    history.advance(TimeDelta::days(-3650));
    history.retain(&[everywhere("blog", last(1))]).await;
    let left = history.left().await;
    assert!(left.contains(&nights[1].snapshot.to_string()), "{left:?}");
    assert_eq!(left.len(), 5, "only the older complete one went");
    // Partial ones go when a later complete one is there and they are old.
    let good = history.night("blog", 100).await;
    history.advance(TimeDelta::days(8));
    history.retain(&[everywhere("blog", last(1))]).await;
    let left = history.left().await;
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.contains(&good.snapshot.to_string()));
}

#[tokio::test]
async fn a_removal_that_is_cut_off_is_completed_by_the_next_run() {
    let (mut history, nights) = History::of_nights(2, 4).await;
    let mut policies = everywhere("blog", last(2));
    policies.own.insert("replica-1".to_owned(), last(1));
    let plan = history.plan(std::slice::from_ref(&policies)).await;
    // Two entries: each a signature and a file on each replica. Strike before every write.
    let originals = history.vault.backup.stores.clone();
    for write in 1..=8 {
        let copies = crate::backups::copy_stores(&originals, &history.vault.backup.clock).await;
        let struck = prismvault::objects::faults::CrashSwitch::at(
            prismvault::objects::faults::CrashPoint::Before(write),
        );
        history.vault.backup.stores = crate::backups::as_stores(&copies)
            .into_iter()
            .map(|(name, store)| -> (String, std::sync::Arc<dyn prismvault::objects::ObjectStore>) {
                (name, std::sync::Arc::new(FaultStore::new(store).with_crash(struck.clone())))
            })
            .collect();
        history.vault.backup.state = None;
        assert!(apply(&*history.open().await, &plan).await.is_err(), "write {write}");
        assert!(struck.has_crashed(), "write {write}");
        history.vault.backup.stores = crate::backups::as_stores(&copies);
        let snapshots = history.snapshots().await;
        assert_eq!(snapshots.missing(&*history.open().await).unwrap(), [], "write {write}");
        history.retain(std::slice::from_ref(&policies)).await;
        let snapshots = history.snapshots().await;
        assert_eq!(history.left().await, ids(&nights[2..]), "write {write}");
        assert_eq!(find(&snapshots, &nights[2]).on, ["replica-0"], "write {write}");
        // An entry that one replica missed comes to it with the next one, or by a repair.
        history.vault.backup.repair().await;
        assert_eq!(history.vault.backup.verified(Level::Presence).await.damage, [], "write {write}");
    }
}

#[tokio::test]
async fn who_ends_a_client_removes_all_of_it_and_nothing_of_others() {
    let (history, nights) = History::of_nights(2, 3).await;
    let shop = history.night("shop", 10).await;
    let (vault, snapshots) = (history.open().await, history.snapshots().await);
    hold(&vault, &[find(&snapshots, &nights[1])], "court").await.unwrap();
    let forget = async || {
        let vault = history.open().await;
        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        plan_forget(&vault, &snapshots, &blog(), Some("contract ended")).await.unwrap()
    };
    let refused = forget().await;
    assert_eq!(refused.repositories[0].refused.as_ref().unwrap().code, "hold");
    assert_eq!(apply(&*history.open().await, &refused).await.unwrap().snapshots, 0);
    let snapshots = history.snapshots().await;
    release(&*history.open().await, &[find(&snapshots, &nights[1])], "over").await.unwrap();
    let plan = forget().await;
    assert_eq!(going(&plan), ids(&nights));
    apply(&*history.open().await, &plan).await.unwrap();
    let vault = history.open().await;
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    assert_eq!(snapshots.iter().map(|one| one.id().to_string()).collect::<Vec<_>>(), ids(&[shop]));
    assert_eq!(snapshots.missing(&vault).unwrap(), []);
    let entry = snapshots.removed()[0].fate.removed.clone().unwrap();
    assert!(entry.rule.contains("contract ended") && entry.from.is_none());
    let ledger = prismvault::vault::ledger::Ledger::load(&vault, &blog()).await.unwrap();
    assert!(ledger.entries().any(|entry| matches!(entry.decision, Decision::Removal { .. })));
    assert_eq!(history.vault.backup.verified(Level::Bytes).await.damage, []);
    // The client may come back.
    history.night("blog", 3).await;
    assert_eq!(history.left().await.len(), 1);
    assert_eq!(history.vault.backup.verified(Level::Bytes).await.damage, []);
}

#[tokio::test]
async fn a_replica_that_was_away_learns_of_removals_also_when_nothing_more_goes() {
    let (history, _) = History::of_nights(2, 3).await;
    history.retain(&[everywhere("blog", last(1))]).await;
    // As if the second had been away: it lacks the entry.
    for key in history.vault.keys("ledger").await {
        history.vault.stores[1].delete(&key).await.unwrap();
    }
    let applied = history.retain(&[everywhere("blog", last(1))]).await;
    assert_eq!((applied.snapshots, applied.entries.len()), (0, 0));
    let listed = |at: usize| async move { history.vault.stores[at].list("ledger").await.unwrap().len() };
    assert_eq!(listed(1).await, 2, "the entry and its signature");
}
