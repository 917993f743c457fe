//! Leases: one run of several schedulers, whatever happens to them.

use std::time::Duration;

use chrono::TimeDelta;
use prismvault::ids::Name;
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::{Body, ObjectStore as _, PutMode};
use prismvault::vault::error::ErrorKind;
use prismvault::vault::format::lease::Lease;
use prismvault::vault::lease::{Asked, Holder, Leases};
use prismvault::vault::open::Vault;

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
