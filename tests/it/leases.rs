//! Leases: one run of several schedulers, whatever happens to them.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, ManualClock, SystemClock};
use prismvault::ids::Name;
use prismvault::objects::faults::{Condition, Fault, FaultRule, FaultStore};
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::operation::Operation;
use prismvault::objects::{Body, ErrorKind as StoreKind, ObjectStore, PutMode};
use prismvault::pruning;
use prismvault::vault::error::ErrorKind;
use prismvault::vault::format::lease::Lease;
use prismvault::vault::lease::{Asked, Held, Holder, Leases, Standing, Step, clear};
use prismvault::vault::open::Vault;

use crate::backups::Backup;
use crate::hidden::RULE;
use crate::pruning::options;
use crate::vaults::TestVault;

const LASTS: Duration = Duration::from_mins(10);

fn nightly() -> Name {
    "nightly".parse().unwrap()
}

async fn ask(vault: &Vault, holder: &Holder) -> Asked {
    Leases::of(vault, None, LASTS).unwrap().acquire(&nightly(), holder).await.unwrap()
}

async fn probed(replicas: usize) -> TestVault {
    let test = TestVault::new(replicas, true).await;
    test.backup.probe().await;
    test
}

fn granted(asked: Asked) -> Lease {
    match asked {
        Asked::Granted(lease) => lease,
        Asked::Held { host, .. } => panic!("{host} holds it"),
    }
}

fn is_held_by(asked: &Asked, name: &str) -> bool {
    matches!(asked, Asked::Held { host, .. } if host == name)
}

#[tokio::test]
async fn one_of_two_gets_it_and_the_other_when_it_is_given_back() {
    let test = probed(2).await;
    let (one, two) = (test.reopen().await, test.reopen().await);
    let (a, b) = (Holder::new("a"), Holder::new("b"));
    let lease = granted(ask(&one, &a).await);
    assert!(is_held_by(&ask(&two, &b).await, "a"));
    let leases = Leases::of(&one, None, LASTS).unwrap();
    leases.check(&lease).await.unwrap();
    leases.release(lease).await.unwrap();
    granted(ask(&two, &b).await);
    assert!(is_held_by(&ask(&one, &a).await, "b"));
}

#[tokio::test]
async fn of_many_who_ask_at_once_one_gets_it() {
    let test = probed(1).await;
    for _ in 0..20 {
        let vault = test.reopen().await;
        let holders: Vec<Holder> = (0..8).map(|n| Holder::new(format!("host-{n}"))).collect();
        let asked = futures_util::future::join_all(holders.iter().map(|holder| ask(&vault, holder))).await;
        let winners = asked.into_iter().filter(|asked| matches!(asked, Asked::Granted(_))).count();
        assert_eq!(winners, 1);
        test.backup.clock.advance(TimeDelta::minutes(11));
    }
    assert!(test.keys("state/leases").await.len() <= 3, "old numbers are cleared");
}

#[tokio::test]
async fn a_host_that_died_holds_it_until_it_ends_and_then_notices() {
    let test = probed(1).await;
    let vault = test.reopen().await;
    let (a, b) = (Holder::new("a"), Holder::new("b"));
    let mut lease = granted(ask(&vault, &a).await);
    test.backup.clock.advance(TimeDelta::minutes(9));
    let Asked::Held { wait, .. } = ask(&vault, &b).await else { panic!("it lasts ten minutes") };
    assert!(wait <= Duration::from_mins(1) && wait > Duration::from_secs(50), "{wait:?}");
    test.backup.clock.advance(TimeDelta::minutes(2));
    granted(ask(&vault, &b).await);
    // It only slept.
    let leases = Leases::of(&vault, None, LASTS).unwrap();
    assert_eq!(leases.check(&lease).await.unwrap_err().kind, ErrorKind::Refused);
    assert_eq!(leases.renew(&mut lease).await.unwrap_err().kind, ErrorKind::Refused);
    leases.release(lease).await.unwrap();
    assert!(is_held_by(&ask(&vault, &a).await, "b"), "giving back what was lost takes nothing");
}

#[tokio::test]
async fn a_lease_that_is_renewed_goes_on() {
    let test = probed(1).await;
    let vault = test.reopen().await;
    let leases = Leases::of(&vault, None, LASTS).unwrap();
    let mut lease = granted(ask(&vault, &Holder::new("a")).await);
    for _ in 0..10 {
        test.backup.clock.advance(TimeDelta::minutes(6));
        leases.renew(&mut lease).await.unwrap();
        assert!(is_held_by(&ask(&vault, &Holder::new("b")).await, "a"));
    }
    assert!(test.keys("state/leases").await.len() <= 3);
}

#[tokio::test]
async fn a_lease_that_ended_and_that_nobody_took_goes_on() {
    let test = probed(1).await;
    let vault = test.reopen().await;
    let leases = Leases::of(&vault, None, LASTS).unwrap();
    let mut lease = granted(ask(&vault, &Holder::new("a")).await);
    test.backup.clock.advance(TimeDelta::minutes(40));
    assert_eq!(leases.check(&lease).await.unwrap_err().kind, ErrorKind::Refused, "it has ended");
    leases.renew(&mut lease).await.unwrap();
    leases.check(&lease).await.unwrap();
    assert!(is_held_by(&ask(&vault, &Holder::new("b")).await, "a"));
}

/// A vault on one replica that gives leases and can fail.
async fn on_a_faulty_store() -> (Backup, FaultStore) {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let faults = FaultStore::new(Arc::new(MemoryStore::new("bucket", Arc::<ManualClock>::clone(&clock))));
    let store: Arc<dyn ObjectStore> = Arc::new(faults.clone());
    let backup = Backup::on(vec![("bucket".to_owned(), store)], true, clock).await;
    backup.probe().await;
    (backup, faults)
}

#[tokio::test]
async fn a_renewal_whose_answer_was_lost_is_its_holders() {
    let (backup, faults) = on_a_faulty_store().await;
    let vault = backup.open().await.unwrap();
    let leases = Leases::of(&vault, None, LASTS).unwrap();
    let mut lease = granted(ask(&vault, &Holder::new("a")).await);
    let before = lease.n;
    // The file is there, and neither the answer comes nor can anybody look.
    faults.add(FaultRule::new(Fault::LoseAnswer).on(Operation::Put).times(1));
    faults.add(FaultRule::new(Fault::Fail(StoreKind::Transient)).on(Operation::Get).times(1));
    leases.renew(&mut lease).await.unwrap_err();
    assert_eq!(lease.n, before);
    faults.clear();
    leases.check(&lease).await.unwrap();
    leases.renew(&mut lease).await.unwrap();
    assert!(lease.n > before + 1, "beyond the one of which it never heard");
    assert!(is_held_by(&ask(&vault, &Holder::new("b")).await, "a"));
}

#[tokio::test(start_paused = true)]
async fn while_its_place_is_away_what_adds_goes_on_and_what_removes_ends() {
    let (backup, faults) = on_a_faulty_store().await;
    let vault = backup.open().await.unwrap();
    let leases = Leases::of(&vault, None, LASTS).unwrap();
    let held = Held::new(&leases, granted(ask(&vault, &Holder::new("a")).await));
    faults.set_condition(Condition::Unreachable);
    let hour = Duration::from_hours(1);
    backup.clock.advance(TimeDelta::minutes(9));
    for step in [Step::Adds, Step::Removes] {
        assert!(tokio::time::timeout(hour, held.keep(&vault, step)).await.is_err(), "it lasts still");
    }
    backup.clock.advance(TimeDelta::minutes(2));
    assert!(tokio::time::timeout(hour, held.keep(&vault, Step::Adds)).await.is_err(), "two are harmless");
    let why = tokio::time::timeout(hour, held.keep(&vault, Step::Removes)).await.unwrap();
    assert_eq!(why.kind, ErrorKind::Store(StoreKind::Transient), "it may be tried again: {why}");

    // Back, and nobody has taken it meanwhile.
    faults.set_condition(Condition::Healthy);
    assert_eq!(held.standing(&vault).await.unwrap(), Standing::Ended);
    assert!(tokio::time::timeout(hour, held.keep(&vault, Step::Removes)).await.is_err());
    assert_eq!(held.standing(&vault).await.unwrap(), Standing::Held);

    // Away again; now another has taken it.
    backup.clock.advance(TimeDelta::minutes(11));
    granted(ask(&vault, &Holder::new("b")).await);
    let why = tokio::time::timeout(hour, held.keep(&vault, Step::Adds)).await.unwrap();
    assert_eq!(why.kind, ErrorKind::Refused);
    assert_eq!(held.standing(&vault).await.unwrap(), Standing::Taken { host: Some("b".to_owned()) });
}

#[tokio::test]
async fn a_file_of_somebody_without_a_key_holds_nothing_up() {
    let test = probed(1).await;
    let vault = test.reopen().await;
    let lease = granted(ask(&vault, &Holder::new("a")).await);
    Leases::of(&vault, None, LASTS).unwrap().release(lease).await.unwrap();
    let genuine = test.keys("state/leases").await;
    // Somebody with the credentials of the bucket: garbage, and a lease of another number.
    for (n, body) in
        [(50, Body::bytes("garbage")), (90, stored(&test.stores[0], genuine.last().unwrap()).await)]
    {
        let key = format!("state/leases/nightly/{n}.json");
        test.stores[0].put(&key, body, PutMode::CreateOnly).await.unwrap();
        granted(ask(&vault, &Holder::new("b")).await);
        test.backup.clock.advance(TimeDelta::minutes(11));
    }
    assert!(vault.warnings().iter().any(|warning| warning.code == "not-a-lease"));
}

async fn stored(store: &MemoryStore, key: &str) -> Body {
    Body::bytes(store.get(key, 1 << 20).await.unwrap())
}

#[tokio::test]
async fn leases_come_from_one_replica_and_are_refused_without_it() {
    let test = probed(2).await;
    let vault = test.reopen().await;
    assert_eq!(Leases::of(&vault, Some("replica-1"), LASTS).unwrap().place(), "replica-1");
    assert_eq!(Leases::of(&vault, Some("replica-7"), LASTS).unwrap_err().kind, ErrorKind::NotFound);
    vault.replicas.named("replica-0").unwrap().fail(prismvault::vault::error::VaultError::cancelled());
    // Not from the other one: somebody who reaches the first would get a second lease.
    assert_eq!(Leases::of(&vault, None, LASTS).unwrap_err().kind, ErrorKind::Refused);
}

#[tokio::test]
async fn over_a_thousand_runs_of_a_role_that_may_not_delete_maintenance_keeps_the_row_short() {
    const BETWEEN: usize = 100;
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let memory = MemoryStore::new("bucket", Arc::<ManualClock>::clone(&clock));
    let faults = FaultStore::new(Arc::new(memory.clone()));
    let store: Arc<dyn ObjectStore> = Arc::new(faults.clone());
    let backup = Backup::on(vec![("bucket".to_owned(), store)], true, clock).await;
    backup.probe().await;
    let holder = Holder::new("a");
    let mut highest = 0;
    for _ in 0..10 {
        faults.add(FaultRule::new(Fault::Fail(StoreKind::Denied)).on(Operation::Delete));
        let vault = backup.open().await.unwrap();
        for run in 1..=BETWEEN {
            let lease = granted(ask(&vault, &holder).await);
            assert!(lease.n > highest, "numbers only grow");
            highest = lease.n;
            Leases::of(&vault, None, LASTS).unwrap().release(lease).await.unwrap();
            // What each of its listings returns.
            let files = memory.list("state/leases").await.unwrap().len();
            assert!(files <= 2 * run + 1, "{files} files after {run} runs");
            backup.clock.advance(TimeDelta::minutes(1));
        }
        faults.clear();
        let vault = backup.open().await.unwrap();
        let plan = pruning::plan(&vault).await.unwrap();
        let report = pruning::apply(&vault, &plan, &options()).await.unwrap();
        assert!(report.leases as usize >= 2 * BETWEEN - 1, "{}", report.leases);
        assert_eq!(memory.list("state/leases").await.unwrap().len(), 1, "the highest stays");
    }
    assert_eq!(highest, 1999, "two files a run, and none twice");
}

#[tokio::test]
async fn clearing_takes_no_lease_from_anybody_and_gives_none_to_two() {
    let test = probed(1).await;
    for round in 0..20 {
        let vault = test.reopen().await;
        // A row with holes, as clearing that was cut off leaves it.
        let lease = granted(ask(&vault, &Holder::new("before")).await);
        Leases::of(&vault, None, LASTS).unwrap().release(lease).await.unwrap();
        let holders: Vec<Holder> = (0..6).map(|n| Holder::new(format!("host-{round}-{n}"))).collect();
        let asking = futures_util::future::join_all(holders.iter().map(|holder| ask(&vault, holder)));
        let (asked, ..) = futures_util::join!(asking, clear(&vault), clear(&vault), clear(&vault));
        let mut winners = asked.into_iter().filter_map(|asked| match asked {
            Asked::Granted(lease) => Some(lease),
            Asked::Held { .. } => None,
        });
        let (winner, other) = (winners.next().expect("one gets it"), winners.next());
        assert!(other.is_none(), "{other:?}");
        clear(&vault).await;
        let leases = Leases::of(&vault, None, LASTS).unwrap();
        leases.check(&winner).await.unwrap();
        leases.release(winner).await.unwrap();
    }
}

#[tokio::test]
async fn files_of_leases_are_not_locked_so_that_they_can_be_cleared() {
    let test = TestVault::locked(SystemClock.now(), 1, RULE).await;
    test.backup.probe().await;
    let vault = test.reopen().await;
    for _ in 0..3 {
        let lease = granted(ask(&vault, &Holder::new("a")).await);
        Leases::of(&vault, None, LASTS).unwrap().release(lease).await.unwrap();
    }
    clear(&vault).await;
    let versions = test.stores[0].list_versions("state/leases").await.unwrap();
    assert_eq!(versions.len(), 1, "no version of the others is left: {versions:?}");
}

#[tokio::test]
async fn clearing_leaves_what_it_cannot_delete_and_says_so() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let faults = FaultStore::new(Arc::new(MemoryStore::new("bucket", Arc::<ManualClock>::clone(&clock))));
    let store: Arc<dyn ObjectStore> = Arc::new(faults.clone());
    let backup = Backup::on(vec![("bucket".to_owned(), store)], true, clock).await;
    backup.probe().await;
    faults.add(FaultRule::new(Fault::Fail(StoreKind::Denied)).on(Operation::Delete));
    let vault = backup.open().await.unwrap();
    for _ in 0..2 {
        let lease = granted(ask(&vault, &Holder::new("a")).await);
        Leases::of(&vault, None, LASTS).unwrap().release(lease).await.unwrap();
    }
    assert_eq!(clear(&vault).await, 0);
    assert!(vault.warnings().iter().any(|warning| warning.code == "leases-not-cleared"));
    faults.clear();
    assert_eq!(clear(&vault).await, 3);
    assert_eq!(clear(&vault).await, 0, "the highest stays");
}

#[tokio::test]
async fn a_lease_is_asked_for_at_its_place_also_when_that_left_the_run() {
    let test = probed(2).await;
    let vault = test.reopen().await;
    let leases = Leases::of(&vault, None, LASTS).unwrap();
    let held = Arc::new(Held::new(&leases, granted(ask(&vault, &Holder::new("a")).await)));
    vault.hold(&held);
    vault.replicas.named("replica-0").unwrap().fail(prismvault::vault::error::VaultError::cancelled());
    held.check(&vault).await.unwrap();
    held.release(&vault).await.unwrap();
    assert_eq!(held.check(&vault).await.unwrap_err().kind, ErrorKind::Refused, "it was given back");
}
