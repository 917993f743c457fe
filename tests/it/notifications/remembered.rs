//! What was said is kept in the vault: nothing twice, nothing forgotten, on any machine.

use std::time::Duration;

use chrono::TimeDelta;
use prismvault::notify::{Notifier, Routes};
use prismvault::objects::{Body, ErrorKind, PutMode};
use prismvault::vault::lease::{ALARMS, Asked, Holder, Leases};
use prismvault::vault::open::Vault;

use super::receivers::{Answer, WebReceiver};
use super::{Site, alarm};
use crate::backups::Backup;

const KEY: &str = "state/notifications.json";

async fn site(receiver: &WebReceiver) -> Site {
    let mut site = Site::new("");
    let url = site.secret("url", &receiver.url("/"));
    site.add(&format!("[notifications.ops]\nkind = \"webhook\"\ndefault = true\nurl = {url}"));
    site
}

/// Tells of one alarm, or of none; returns what was said of it, and how many problems there were.
async fn tell(
    site: &Site,
    notifier: &Notifier,
    vault: Option<&Vault>,
    is_on: bool,
    receiver: &WebReceiver,
) -> (Vec<String>, usize) {
    let alarms: Vec<_> = is_on.then(|| alarm(Some("blog"))).into_iter().collect();
    let problems = notifier.alarms(vault, &Routes::of(&site.config(), []), &alarms).await;
    let said = receiver
        .take()
        .iter()
        .map(|request| request.json()["notices"][0]["change"].as_str().unwrap().to_owned())
        .collect();
    (said, problems.len())
}

fn said(change: &str) -> (Vec<String>, usize) {
    (vec![change.to_owned()], 0)
}

const NOTHING: (Vec<String>, usize) = (Vec::new(), 0);

#[tokio::test]
async fn another_machine_goes_on_where_the_first_one_ended() {
    let (receiver, backup) = (WebReceiver::good().await, Backup::in_memory(2).await);
    let site = site(&receiver).await;
    let vault = backup.open().await.unwrap();
    assert_eq!(tell(&site, &site.notifier(), Some(&vault), true, &receiver).await, said("began"));
    // Each of these is a process that remembers nothing.
    for (hours, is_on, expected) in [
        (1, true, NOTHING),
        (22, true, NOTHING),
        (1, true, said("reminder")),
        (1, true, NOTHING),
        (1, false, said("ended")),
        (1, false, NOTHING),
    ] {
        site.clock.advance(TimeDelta::hours(hours));
        let vault = backup.open().await.unwrap();
        let notifier = site.notifier();
        assert_eq!(tell(&site, &notifier, Some(&vault), is_on, &receiver).await, expected, "{hours} {is_on}");
    }
}

#[tokio::test]
async fn one_replica_is_enough_to_remember_and_the_newest_counts() {
    let (receiver, backup) = (WebReceiver::good().await, Backup::in_memory(2).await);
    let site = site(&receiver).await;
    let vault = backup.open().await.unwrap();
    tell(&site, &site.notifier(), Some(&vault), true, &receiver).await;
    let older = backup.stores[0].1.get(KEY, 1 << 20).await.unwrap();
    site.clock.advance(TimeDelta::hours(2));
    tell(&site, &site.notifier(), Some(&vault), false, &receiver).await;
    backup.stores[0].1.put(KEY, Body::bytes(older), PutMode::Overwrite).await.unwrap();
    assert_eq!(tell(&site, &site.notifier(), Some(&vault), false, &receiver).await, NOTHING);
}

#[tokio::test]
async fn a_record_that_nobody_signed_is_not_believed() {
    let (receiver, backup) = (WebReceiver::good().await, Backup::in_memory(1).await);
    let site = site(&receiver).await;
    let vault = backup.open().await.unwrap();
    tell(&site, &site.notifier(), Some(&vault), true, &receiver).await;
    let store = &backup.stores[0].1;
    let genuine = store.get(KEY, 1 << 20).await.unwrap();
    let text = String::from_utf8(genuine.to_vec()).unwrap();
    let other = Backup::in_memory(1).await;
    tell(&site, &site.notifier(), Some(&other.open().await.unwrap()), true, &receiver).await;
    let of_another = other.stores[0].1.get(KEY, 1 << 20).await.unwrap().to_vec();
    for forged in [text.replace("blog", "shop").into_bytes(), b"{}".to_vec(), b"\xff".to_vec(), of_another] {
        store.put(KEY, Body::bytes(forged), PutMode::Overwrite).await.unwrap();
        let vault = backup.open().await.unwrap();
        assert_eq!(tell(&site, &site.notifier(), Some(&vault), true, &receiver).await, said("began"));
        assert!(vault.warnings().iter().any(|problem| problem.code == "not-a-notification-record"));
    }
}

#[tokio::test]
async fn without_its_vault_a_process_still_says_nothing_twice() {
    let receiver = WebReceiver::good().await;
    let site = site(&receiver).await;
    let notifier = site.notifier();
    assert_eq!(tell(&site, &notifier, None, true, &receiver).await, said("began"));
    assert_eq!(tell(&site, &notifier, None, true, &receiver).await, NOTHING);
    // The vault comes back and knows less: the process knows better.
    let backup = Backup::in_memory(1).await;
    let vault = backup.open().await.unwrap();
    site.clock.advance(TimeDelta::minutes(5));
    assert_eq!(tell(&site, &notifier, Some(&vault), true, &receiver).await, NOTHING);
    assert_eq!(tell(&site, &notifier, Some(&vault), false, &receiver).await, said("ended"));
    assert_eq!(tell(&site, &site.notifier(), Some(&vault), false, &receiver).await, NOTHING);
}

#[tokio::test]
async fn what_did_not_arrive_is_said_by_the_next_process() {
    let deaf = WebReceiver::answering(|_| Answer::Status(404, String::new())).await;
    let backup = Backup::in_memory(1).await;
    let vault = backup.open().await.unwrap();
    let site_of_deaf = site(&deaf).await;
    let problems = site_of_deaf
        .notifier()
        .alarms(Some(&vault), &Routes::of(&site_of_deaf.config(), []), &[alarm(Some("blog"))])
        .await;
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code, "notification-not-sent");
    let receiver = WebReceiver::good().await;
    let site = site(&receiver).await;
    assert_eq!(tell(&site, &site.notifier(), Some(&vault), true, &receiver).await, said("began"));
}

#[tokio::test]
async fn nothing_is_written_while_nothing_changes() {
    let (receiver, backup) = (WebReceiver::good().await, Backup::in_memory(1).await);
    let site = site(&receiver).await;
    let vault = backup.open().await.unwrap();
    assert_eq!(tell(&site, &site.notifier(), Some(&vault), false, &receiver).await, NOTHING);
    let absent = backup.stores[0].1.get(KEY, 1 << 20).await.unwrap_err();
    assert_eq!(absent.kind, ErrorKind::NotFound);
    tell(&site, &site.notifier(), Some(&vault), true, &receiver).await;
    let before = backup.stores[0].1.get(KEY, 1 << 20).await.unwrap();
    site.clock.advance(TimeDelta::hours(1));
    tell(&site, &site.notifier(), Some(&vault), true, &receiver).await;
    assert_eq!(backup.stores[0].1.get(KEY, 1 << 20).await.unwrap(), before);
}

#[tokio::test]
async fn a_copy_from_the_future_does_not_win_for_ever() {
    let (receiver, backup) = (WebReceiver::good().await, Backup::in_memory(2).await);
    let site = site(&receiver).await;
    let vault = backup.open().await.unwrap();
    site.clock.advance(TimeDelta::days(3650));
    assert_eq!(tell(&site, &site.notifier(), Some(&vault), true, &receiver).await, said("began"));
    let ahead = backup.stores[0].1.get(KEY, 1 << 20).await.unwrap();
    site.clock.advance(TimeDelta::days(-3650));
    assert_eq!(tell(&site, &site.notifier(), Some(&vault), true, &receiver).await, NOTHING);
    assert_eq!(tell(&site, &site.notifier(), Some(&vault), false, &receiver).await, said("ended"));
    // One replica was away meanwhile.
    backup.stores[0].1.put(KEY, Body::bytes(ahead), PutMode::Overwrite).await.unwrap();
    assert_eq!(tell(&site, &site.notifier(), Some(&vault), false, &receiver).await, NOTHING);
}

/// Two schedulers look at one moment; returns what was said by them together.
async fn both_tell(backup: &Backup, site: &Site, is_on: bool, receiver: &WebReceiver) -> Vec<String> {
    let (one, two) = (backup.open().await.unwrap(), backup.open().await.unwrap());
    let (a, b) = (site.notifier(), site.notifier());
    let alarms: Vec<_> = is_on.then(|| alarm(Some("blog"))).into_iter().collect();
    let routes = Routes::of(&site.config(), []);
    let (first, second) =
        tokio::join!(a.alarms(Some(&one), &routes, &alarms), b.alarms(Some(&two), &routes, &alarms));
    assert_eq!((first.len(), second.len()), (0, 0));
    let said = receiver.take().into_iter().map(|request| request.json()["notices"][0]["change"].clone());
    said.map(|change| change.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn of_two_schedulers_that_look_at_one_moment_one_tells() {
    let (receiver, backup) = (WebReceiver::good().await, Backup::in_memory(2).await);
    backup.probe().await;
    let site = site(&receiver).await;
    assert_eq!(both_tell(&backup, &site, true, &receiver).await, ["began"]);
    site.clock.advance(TimeDelta::hours(25));
    assert_eq!(both_tell(&backup, &site, true, &receiver).await, ["reminder"]);
    site.clock.advance(TimeDelta::minutes(5));
    assert_eq!(both_tell(&backup, &site, false, &receiver).await, ["ended"]);
    assert_eq!(both_tell(&backup, &site, false, &receiver).await, [""; 0]);
}

#[tokio::test]
async fn where_nobody_gives_leases_both_tell_because_twice_is_better_than_never() {
    let (receiver, backup) = (WebReceiver::good().await, Backup::in_memory(2).await);
    let site = site(&receiver).await;
    assert_eq!(both_tell(&backup, &site, true, &receiver).await, ["began", "began"]);
    // They remember it all the same.
    assert_eq!(both_tell(&backup, &site, true, &receiver).await, [""; 0]);
}

#[tokio::test]
async fn a_scheduler_that_died_while_it_told_silences_nobody() {
    let (receiver, backup) = (WebReceiver::good().await, Backup::in_memory(1).await);
    backup.probe().await;
    let mut site = site(&receiver).await;
    site.limits.notice_turn = Duration::from_millis(300);
    let vault = backup.open().await.unwrap();
    let leases = Leases::of(&vault, None, site.limits.notice_lease).unwrap();
    let dead = leases.acquire(&ALARMS.parse().unwrap(), &Holder::new("dead")).await.unwrap();
    assert!(matches!(dead, Asked::Granted(_)));
    assert_eq!(tell(&site, &site.notifier(), Some(&vault), true, &receiver).await, said("began"));
    assert_eq!(tell(&site, &site.notifier(), Some(&vault), true, &receiver).await, NOTHING);
}

#[tokio::test]
async fn hosts_whose_clocks_differ_a_little_say_nothing_twice() {
    let (receiver, backup) = (WebReceiver::good().await, Backup::in_memory(1).await);
    backup.probe().await;
    let (ahead, behind) = (site(&receiver).await, site(&receiver).await);
    ahead.clock.advance(TimeDelta::minutes(2));
    let (a, b) = (ahead.notifier(), behind.notifier());
    let vault = backup.open().await.unwrap();
    assert_eq!(tell(&ahead, &a, Some(&vault), true, &receiver).await, said("began"));
    assert_eq!(tell(&behind, &b, Some(&vault), true, &receiver).await, NOTHING);
    assert_eq!(tell(&behind, &b, Some(&vault), false, &receiver).await, said("ended"));
    assert_eq!(tell(&ahead, &a, Some(&vault), false, &receiver).await, NOTHING);
    assert_eq!(tell(&ahead, &a, Some(&vault), true, &receiver).await, said("began"));
    assert_eq!(tell(&behind, &b, Some(&vault), true, &receiver).await, NOTHING);
}

#[tokio::test]
async fn words_that_only_grow_older_write_nothing_and_the_reminder_has_the_new_ones() {
    let (receiver, backup) = (WebReceiver::good().await, Backup::in_memory(1).await);
    let site = site(&receiver).await;
    let (vault, routes) = (backup.open().await.unwrap(), Routes::of(&site.config(), []));
    let aged =
        |hours| vec![prismvault::status::Alarm { what: format!("{hours} h ago"), ..alarm(Some("blog")) }];
    let notifier = site.notifier();
    notifier.alarms(Some(&vault), &routes, &aged(25)).await;
    let before = backup.stores[0].1.get(KEY, 1 << 20).await.unwrap();
    site.clock.advance(TimeDelta::hours(1));
    notifier.alarms(Some(&vault), &routes, &aged(26)).await;
    assert_eq!(backup.stores[0].1.get(KEY, 1 << 20).await.unwrap(), before);
    site.clock.advance(TimeDelta::hours(24));
    notifier.alarms(Some(&vault), &routes, &aged(50)).await;
    let said: Vec<_> =
        receiver.take().iter().map(|request| request.json()["notices"][0]["what"].clone()).collect();
    assert_eq!(said, ["25 h ago", "50 h ago"]);
}
