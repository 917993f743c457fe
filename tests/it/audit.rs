//! The audit log: chains that several writers append to, and what finds a removed, changed,
//! moved or cut off entry on any replica.

use std::sync::Arc;

use prismvault::ids::{Digest, WriterId};
use prismvault::objects::counting::CountingStore;
use prismvault::objects::faults::{Condition, CrashPoint, CrashSwitch, FaultStore};
use prismvault::objects::operation::Operation;
use prismvault::objects::{Body, ObjectStore, PutMode};
use prismvault::vault::audit::{Appended, AuditFinding, AuditLog, Event, FindingKind, append};
use prismvault::vault::format::audit::{AuditEntry, AuditResult};
use prismvault::vault::format::ledger::Decision;
use prismvault::vault::item::ItemKind;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::open::Vault;
use prismvault::vault::snapshots::Snapshots;
use prismvault::verification::{DamageKind, Level};
use serde_json::Value;

use crate::backups::Backup;
use crate::vaults::TestVault;

const ITEMS: [(&str, ItemKind, &[u8]); 1] =
    [("documents/en-us/page/A.json", ItemKind::Document, br#"{"id":"A"}"#)];

fn event(command: &str) -> Event {
    Event {
        principal: Some("uid 7".to_owned()),
        host: Some("backup-1".to_owned()),
        command: command.to_owned(),
        subjects: vec!["blog".to_owned()],
        plan: None,
        result: AuditResult::Complete,
        exit_code: Some(0),
        begun: None,
    }
}

/// Appends an entry as a command does: with the vault opened anew, a second later.
async fn record(backup: &Backup) -> Appended {
    backup.clock.advance(chrono::TimeDelta::seconds(1));
    append(&backup.open().await.unwrap(), event("snapshot")).await.unwrap()
}

/// Appends that many entries, without a problem; returns their writer.
async fn fill(backup: &Backup, entries: u64) -> WriterId {
    let mut writer = None;
    for n in 1..=entries {
        let appended = record(backup).await;
        assert_eq!(appended.problems, []);
        assert_eq!(appended.head.n, n);
        writer = Some(appended.head.writer);
    }
    writer.unwrap()
}

async fn load(vault: &Vault) -> AuditLog {
    let snapshots = Snapshots::load(vault, None).await.unwrap();
    AuditLog::load(vault, snapshots.audit_heads()).await.unwrap()
}

async fn findings(backup: &Backup) -> Vec<AuditFinding> {
    load(&backup.open().await.unwrap()).await.findings
}

/// What is wrong: kind, replica and number.
fn told(findings: &[AuditFinding]) -> Vec<(FindingKind, &str, u64)> {
    findings.iter().map(|finding| (finding.kind, finding.replica.as_str(), finding.n)).collect()
}

fn key(writer: &WriterId, n: u64) -> String {
    format!("audit/{writer}/{n}.json")
}

async fn read(store: &dyn ObjectStore, key: &str) -> Vec<u8> {
    store.get(key, 1 << 20).await.unwrap().to_vec()
}

async fn write(store: &dyn ObjectStore, key: &str, bytes: Vec<u8>) {
    store.put(key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
}

/// Replaces a word of an entry, which stays an entry.
async fn change(store: &dyn ObjectStore, key: &str) {
    let text = String::from_utf8(read(store, key).await).unwrap();
    let changed = text.replace("uid 7", "uid 8");
    assert_ne!(text, changed);
    write(store, key, changed.into_bytes()).await;
}

/// Changes an entry and all after it, with hashes that fit, as one who knows the format would.
async fn rewrite_from(store: &dyn ObjectStore, writer: &WriterId, first: u64, last: u64) {
    let mut previous: Option<Digest> = None;
    for n in first..=last {
        let mut entry: Value = serde_json::from_slice(&read(store, &key(writer, n)).await).unwrap();
        entry["principal"] = "uid 8".into();
        if let Some(previous) = previous {
            entry["previous"] = previous.to_string().into();
        }
        let bytes = serde_json::to_vec_pretty(&entry).unwrap();
        previous = Some(Digest::of(&bytes));
        write(store, &key(writer, n), bytes).await;
    }
}

#[tokio::test]
async fn every_entry_names_the_one_before_it_and_says_who_did_what() {
    let vault = TestVault::new(2, true).await;
    let backup = &vault.backup;
    let writer = fill(backup, 3).await;
    let log = load(&backup.open().await.unwrap()).await;
    assert_eq!((log.findings.len(), log.warnings.len(), log.copies), (0, 0, 6));
    let entries: Vec<&AuditEntry> = log.entries();
    assert_eq!(entries.iter().map(|entry| entry.n).collect::<Vec<_>>(), [1, 2, 3]);
    for (entry, before) in entries.iter().skip(1).zip(&entries) {
        let bytes = read(&vault.stores[0], &before.key).await;
        assert_eq!(entry.previous, Some(Digest::of(&bytes)));
        assert!(entry.at > before.at);
    }
    let last = entries[2];
    assert_eq!((last.principal.as_deref(), last.host.as_deref()), (Some("uid 7"), Some("backup-1")));
    assert_eq!(
        (last.command.as_str(), last.result, last.exit_code),
        ("snapshot", AuditResult::Complete, Some(0))
    );
    assert_eq!((&last.key, last.replicas.len()), (&key(&writer, 3), 2));
    // Both replicas hold the same bytes.
    for n in 1..=3 {
        let key = key(&writer, n);
        assert_eq!(read(&vault.stores[0], &key).await, read(&vault.stores[1], &key).await);
    }
}

#[tokio::test]
async fn an_entry_costs_one_write_on_each_replica() {
    let mut vault = TestVault::new(2, true).await;
    fill(&vault.backup, 2).await;
    let counting = Arc::new(CountingStore::new(Arc::clone(&vault.backup.stores[1].1)));
    vault.backup.stores[1].1 = Arc::<CountingStore>::clone(&counting) as Arc<dyn ObjectStore>;
    let open = vault.backup.open().await.unwrap();
    let before = counting.counts();
    append(&open, event("snapshot")).await.unwrap();
    let after = counting.counts();
    assert_eq!(after.writes() - before.writes(), 1);
    assert_eq!(after.of(Operation::List), before.of(Operation::List), "however long the log is");
    assert!(after.calls() - before.calls() <= 4, "{before:?} {after:?}");
}

#[tokio::test]
async fn a_removed_changed_or_moved_entry_is_found_on_each_replica_and_mended() {
    let vault = TestVault::new(2, true).await;
    let writer = fill(&vault.backup, 5).await;
    for (at, replica) in ["replica-0", "replica-1"].into_iter().enumerate() {
        let store = &vault.stores[at];
        for n in [1, 3, 5] {
            let neighbour = if n == 5 { 4 } else { n + 1 };
            for kind in [FindingKind::Missing, FindingKind::Changed, FindingKind::Misplaced] {
                let case = format!("{kind:?} {replica} {n}");
                let mut expected = vec![(kind, replica, n)];
                match kind {
                    FindingKind::Missing => store.delete(&key(&writer, n)).await.unwrap(),
                    FindingKind::Changed => change(store, &key(&writer, n)).await,
                    _ => {
                        let (one, other) = (key(&writer, n), key(&writer, neighbour));
                        let (a, b) = (read(store, &one).await, read(store, &other).await);
                        write(store, &one, b).await;
                        write(store, &other, a).await;
                        expected.push((kind, replica, neighbour));
                        expected.sort();
                    }
                }
                let found = findings(&vault.backup).await;
                assert_eq!(told(&found), expected, "{case}: {found:?}");
                assert!(found.iter().all(|finding| finding.writer == writer && finding.kind.is_integrity()));
                // A verification says the same, and a repair brings it from the other replica.
                let report = vault.backup.verified(Level::Presence).await;
                assert_eq!(report.damage.len(), expected.len(), "{case}: {:?}", report.damage);
                for damage in &report.damage {
                    assert!(damage.kind.is_integrity() && damage.replica == replica, "{case}: {damage:?}");
                }
                vault.backup.repair().await;
                assert_eq!(findings(&vault.backup).await, [], "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_replica_that_lost_the_end_of_the_log_is_found() {
    let vault = TestVault::new(2, true).await;
    let writer = fill(&vault.backup, 5).await;
    for n in 4..=5 {
        vault.stores[1].delete(&key(&writer, n)).await.unwrap();
    }
    let lost = [(FindingKind::Missing, "replica-1", 4), (FindingKind::Missing, "replica-1", 5)];
    assert_eq!(told(&findings(&vault.backup).await), lost);
    // One who never saw it sees that entry 4 was there when entry 5 came; of the last one he
    // cannot tell whether it ever was.
    let mut stranger = vault.backup;
    stranger.state = None;
    let told_stranger = [(FindingKind::Missing, "replica-1", 4), (FindingKind::Behind, "replica-1", 5)];
    assert_eq!(told(&findings(&stranger).await), told_stranger);
}

#[tokio::test]
async fn with_one_replica_only_the_chain_and_the_memory_of_its_client_tell() {
    let mut vault = TestVault::new(1, true).await;
    vault.backup.min_copies = Some(1);
    let writer = fill(&vault.backup, 5).await;
    let store = vault.stores[0].clone();
    for n in [1, 3, 5] {
        let key = key(&writer, n);
        let good = read(&store, &key).await;
        change(&store, &key).await;
        let expected = [(FindingKind::Missing, "", n), (FindingKind::Changed, "replica-0", n)];
        assert_eq!(told(&findings(&vault.backup).await), expected);
        store.delete(&key).await.unwrap();
        assert_eq!(told(&findings(&vault.backup).await), [(FindingKind::Missing, "", n)]);
        write(&store, &key, good).await;
    }
    rewrite_from(&store, &writer, 2, 5).await;
    let found = findings(&vault.backup).await;
    assert!(told(&found).contains(&(FindingKind::Changed, "replica-0", 5)), "{found:?}");
    // Without memory a rewritten end is sound, as nothing signs it: that is what manifests are for.
    vault.backup.state = None;
    assert_eq!(findings(&vault.backup).await, []);
}

#[tokio::test]
async fn a_manifest_signs_the_log_up_to_the_entry_that_it_names() {
    let mut vault = TestVault::new(1, true).await;
    let writer = fill(&vault.backup, 3).await;
    let manifest = vault.snapshot("blog", &ITEMS).await;
    let named = manifest.audit.unwrap();
    assert_eq!((&named.writer, named.n), (&writer, 3));
    record(&vault.backup).await;
    let store = vault.stores[0].clone();
    let mut good = Vec::new();
    for n in 1..=4 {
        good.push(read(&store, &key(&writer, n)).await);
    }
    // Somebody who remembers nothing.
    vault.backup.state = None;
    assert_eq!(findings(&vault.backup).await, []);
    for first in 1..=3 {
        rewrite_from(&store, &writer, first, 4).await;
        let found = findings(&vault.backup).await;
        assert!(told(&found).contains(&(FindingKind::Changed, "replica-0", 3)), "{first}: {found:?}");
        for (n, bytes) in (1..).zip(&good) {
            write(&store, &key(&writer, n), bytes.clone()).await;
        }
    }
    // The end is replaced by one that does not go on from what is signed.
    let mut forged: Value = serde_json::from_slice(&good[3]).unwrap();
    forged["previous"] = Digest::of(b"another").to_string().into();
    write(&store, &key(&writer, 4), serde_json::to_vec(&forged).unwrap()).await;
    assert_eq!(told(&findings(&vault.backup).await), [(FindingKind::Changed, "replica-0", 4)]);
    // All of it is gone.
    for n in 1..=4 {
        store.delete(&key(&writer, n)).await.unwrap();
    }
    let found = findings(&vault.backup).await;
    assert_eq!(told(&found).last(), Some(&(FindingKind::Missing, "", 3)), "{found:?}");
    assert!(found.iter().all(|finding| finding.kind == FindingKind::Missing));
}

#[tokio::test]
async fn a_ledger_entry_signs_the_log_of_who_makes_no_snapshots() {
    let mut vault = TestVault::new(1, true).await;
    vault.snapshot("blog", &ITEMS).await;
    let writer = fill(&vault.backup, 3).await;
    let open = vault.backup.open().await.unwrap();
    let space = "blog".parse().unwrap();
    let decision = Decision::AcceptedGap {
        repository: "blog".parse().unwrap(),
        path: "assets/x/original".to_owned(),
        reason: "gone".to_owned(),
    };
    let entry = Ledger::load(&open, &space).await.unwrap().append(&open, &space, decision).await.unwrap();
    let named = entry.audit.unwrap();
    assert_eq!((&named.writer, named.n), (&writer, 3));
    // Somebody who remembers nothing.
    vault.backup.state = None;
    assert_eq!(findings(&vault.backup).await, []);
    rewrite_from(&vault.stores[0], &writer, 1, 3).await;
    let found = findings(&vault.backup).await;
    assert!(told(&found).contains(&(FindingKind::Changed, "replica-0", 3)), "{found:?}");
}

#[tokio::test]
async fn replicas_that_hold_different_entries_are_both_named() {
    let mut vault = TestVault::new(2, true).await;
    let writer = fill(&vault.backup, 3).await;
    change(&vault.stores[1], &key(&writer, 3)).await;
    // Who remembers knows which is right.
    assert_eq!(told(&findings(&vault.backup).await), [(FindingKind::Changed, "replica-1", 3)]);
    let state = vault.backup.state.take();
    let forked = [(FindingKind::Forked, "replica-0", 3), (FindingKind::Forked, "replica-1", 3)];
    assert_eq!(told(&findings(&vault.backup).await), forked);
    let report = vault.backup.verified(Level::Presence).await;
    assert_eq!(report.damage.len(), 2);
    // A fork whose other side does not go on from what all agree on is no fork.
    rewrite_from(&vault.stores[1], &writer, 2, 3).await;
    assert_eq!(
        told(&findings(&vault.backup).await),
        [(FindingKind::Forked, "replica-0", 2), (FindingKind::Forked, "replica-0", 3)]
            .into_iter()
            .chain([(FindingKind::Forked, "replica-1", 2), (FindingKind::Forked, "replica-1", 3)])
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
    vault.backup.state = state;
    let found = findings(&vault.backup).await;
    let changed = [(FindingKind::Changed, "replica-1", 2), (FindingKind::Changed, "replica-1", 3)];
    assert_eq!(told(&found), changed);
    vault.backup.repair().await;
    assert_eq!(findings(&vault.backup).await, []);
}

#[tokio::test]
async fn two_clients_have_a_chain_each_and_notice_what_the_other_loses() {
    let mut vault = TestVault::new(2, true).await;
    let first = fill(&vault.backup, 2).await;
    let of_first = vault.backup.state.clone();
    let place = tempfile::tempdir().unwrap();
    vault.backup.state = Some(place.path().to_owned());
    let second = fill(&vault.backup, 2).await;
    assert_ne!(first, second);
    assert_eq!(first.to_string()[..16], second.to_string()[..16], "they sign with the same key");
    assert_eq!(findings(&vault.backup).await, []);
    // The second saw the newest entry of the first, which goes from everywhere.
    vault.lose(&key(&first, 2)).await;
    assert_eq!(told(&findings(&vault.backup).await), [(FindingKind::Missing, "", 2)]);
    vault.backup.state = of_first;
    assert_eq!(told(&findings(&vault.backup).await), [(FindingKind::Missing, "", 2)]);
}

#[tokio::test]
async fn commands_of_one_client_at_once_make_no_fork() {
    let vault = TestVault::new(2, true).await;
    let writer = fill(&vault.backup, 1).await;
    let mut open = Vec::new();
    for _ in 0..6 {
        open.push(vault.backup.open().await.unwrap());
    }
    let appended =
        futures_util::future::join_all(open.iter().map(|vault| append(vault, event("repair")))).await;
    let mut numbers: Vec<u64> = appended.into_iter().map(|appended| appended.unwrap().head.n).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3, 4, 5, 6, 7]);
    let log = load(&vault.backup.open().await.unwrap()).await;
    assert_eq!((log.findings.len(), log.chains.len()), (0, 1));
    assert_eq!(log.chains[0].writer, writer);
}

#[tokio::test]
async fn a_client_without_memory_is_a_new_writer_every_time() {
    let mut vault = TestVault::new(1, true).await;
    vault.backup.state = None;
    let (one, other) = (record(&vault.backup).await, record(&vault.backup).await);
    assert_eq!((one.head.n, other.head.n), (1, 1));
    assert_ne!(one.head.writer, other.head.writer);
    assert_eq!(findings(&vault.backup).await, []);
    assert_eq!(vault.snapshot("blog", &ITEMS).await.audit, None);
}

#[tokio::test]
async fn a_client_whose_state_was_copied_begins_a_chain_of_its_own() {
    let mut vault = TestVault::new(2, true).await;
    let writer = fill(&vault.backup, 2).await;
    let place = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(vault.backup.state.as_ref().unwrap()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), place.path().join(entry.file_name())).unwrap();
    }
    record(&vault.backup).await;
    vault.backup.state = Some(place.path().to_owned());
    // It sees an entry in its chain that it does not remember writing.
    let log = load(&vault.backup.open().await.unwrap()).await;
    assert_eq!((log.findings.len(), log.warnings.len()), (0, 1));
    assert_eq!(log.warnings[0].code, "audit-entry-of-another");
    let appended = record(&vault.backup).await;
    assert_eq!(appended.problems.len(), 1);
    assert_eq!(appended.problems[0].code, "audit-entry-of-another");
    assert_ne!(appended.head.writer, writer);
    assert_eq!(appended.head.n, 1);
    assert_eq!(record(&vault.backup).await.problems, [], "said once");
    assert_eq!(findings(&vault.backup).await, []);
}

#[tokio::test]
async fn a_replica_that_was_away_is_behind_until_the_next_entry_or_a_repair() {
    let mut vault = TestVault::new(2, true).await;
    vault.backup.min_copies = Some(1);
    let door = Arc::new(FaultStore::new(Arc::clone(&vault.backup.stores[1].1)));
    vault.backup.stores[1].1 = Arc::<FaultStore>::clone(&door) as Arc<dyn ObjectStore>;
    fill(&vault.backup, 2).await;
    let away = |until: u64| (3..=until).map(|n| (FindingKind::Behind, "replica-1", n)).collect::<Vec<_>>();
    for (n, brings) in [(5, "append"), (9, "repair"), (13, "log")] {
        door.set_condition(Condition::Unreachable);
        let begin = n - 2;
        for _ in begin..=n {
            record(&vault.backup).await;
        }
        door.set_condition(Condition::Healthy);
        let found = findings(&vault.backup).await;
        let expected: Vec<_> = away(n).into_iter().filter(|(.., at)| *at >= begin).collect();
        assert_eq!(told(&found), expected, "{brings}");
        match brings {
            "append" => drop(record(&vault.backup).await),
            "repair" => {
                vault.backup.repair().await;
                record(&vault.backup).await;
            }
            _ => {
                let open = vault.backup.open().await.unwrap();
                assert_eq!(load(&open).await.bring_up_to_date(&open, &[]).await, 3);
            }
        }
        assert_eq!(findings(&vault.backup).await, [], "{brings}");
    }
}

#[tokio::test]
async fn an_entry_that_one_replica_refuses_is_told_and_brought_later() {
    let mut vault = TestVault::new(2, true).await;
    vault.backup.min_copies = Some(1);
    let good = Arc::clone(&vault.backup.stores[1].1);
    let writer = fill(&vault.backup, 2).await;
    let door = Arc::new(FaultStore::new(Arc::clone(&good)));
    vault.backup.stores[1].1 = Arc::<FaultStore>::clone(&door) as Arc<dyn ObjectStore>;
    let open = vault.backup.open().await.unwrap();
    door.set_condition(Condition::ReadOnly);
    let appended = append(&open, event("snapshot")).await.unwrap();
    assert_eq!(appended.problems.len(), 1);
    assert!(appended.problems[0].detail.contains("replica-1"), "{:?}", appended.problems);
    door.set_condition(Condition::Healthy);
    // It was sent there and refused, which this client remembers: no false alarm.
    assert_eq!(told(&findings(&vault.backup).await), [(FindingKind::Behind, "replica-1", 3)]);
    assert_eq!(record(&vault.backup).await.problems, []);
    assert_eq!(findings(&vault.backup).await, []);
    assert!(good.head(&key(&writer, 3)).await.is_ok());
    // Where none takes it, it is an error, and the next entry has its number.
    vault.backup.stores.remove(0);
    let open = vault.backup.open().await.unwrap();
    door.set_condition(Condition::ReadOnly);
    append(&open, event("snapshot")).await.unwrap_err();
    door.set_condition(Condition::Healthy);
    assert_eq!(record(&vault.backup).await.head.n, 5);
}

#[tokio::test]
async fn a_crash_at_any_write_of_an_entry_harms_nothing_and_the_next_goes_on() {
    for k in 1..=2 {
        for point in [CrashPoint::Before(k), CrashPoint::After(k)] {
            let mut vault = TestVault::new(2, true).await;
            fill(&vault.backup, 2).await;
            let survivors = vault.backup.stores.clone();
            let switch = CrashSwitch::at(point);
            let dying = survivors.iter().map(|(name, store)| {
                let store = FaultStore::new(Arc::clone(store)).with_crash(switch.clone());
                (name.clone(), Arc::new(store) as Arc<dyn ObjectStore>)
            });
            vault.backup.stores = dying.collect();
            vault.backup.min_copies = Some(1);
            let open = vault.backup.open().await.unwrap();
            drop(append(&open, event("snapshot")).await);
            vault.backup.stores = survivors;
            let found = findings(&vault.backup).await;
            assert!(found.iter().all(|finding| !finding.kind.is_integrity()), "{point:?}: {found:?}");
            let appended = record(&vault.backup).await;
            assert_eq!(appended.problems, [], "{point:?}");
            assert!((3..=4).contains(&appended.head.n), "{point:?}");
            assert_eq!(findings(&vault.backup).await, [], "{point:?}");
            let report = vault.backup.verified(Level::Presence).await;
            assert_eq!(report.damage, [], "{point:?}");
        }
    }
}

#[tokio::test]
async fn what_is_no_entry_is_named_and_harms_nothing() {
    let vault = TestVault::new(2, true).await;
    let writer = fill(&vault.backup, 2).await;
    let strange = [
        "audit/readme",
        "audit/nobody/1.json",
        &format!("audit/{writer}/01.json"),
        &format!("audit/{writer}/0.json"),
    ];
    for key in strange {
        write(&vault.stores[0], key, b"{}".to_vec()).await;
    }
    let log = load(&vault.backup.open().await.unwrap()).await;
    assert_eq!(log.findings, []);
    assert_eq!(log.warnings.len(), strange.len());
    // An entry of another vault under a number of this one, and one that is no JSON.
    let other = TestVault::new(1, true).await;
    let foreign = fill(&other.backup, 3).await;
    write(&vault.stores[0], &key(&writer, 3), read(&other.stores[0], &key(&foreign, 3)).await).await;
    write(&vault.stores[1], &key(&writer, 3), b"no JSON".to_vec()).await;
    let found = findings(&vault.backup).await;
    let expected = [
        (FindingKind::Missing, "", 3),
        (FindingKind::Changed, "replica-0", 3),
        (FindingKind::Changed, "replica-1", 3),
    ];
    assert_eq!(told(&found), expected, "{found:?}");
}

#[tokio::test]
async fn an_entry_of_a_later_version_is_read_with_what_is_known_of_it() {
    let vault = TestVault::new(1, true).await;
    let writer = fill(&vault.backup, 1).await;
    let text = String::from_utf8(read(&vault.stores[0], &key(&writer, 1)).await).unwrap();
    let newer =
        text.replace("\"complete\"", "\"half-done\"").replace("\"host\"", "\"weather\": [1], \"host\"");
    let entry: AuditEntry = serde_json::from_str(&newer).unwrap();
    assert_eq!(entry.result, AuditResult::Unknown);
}

#[tokio::test]
async fn damage_kinds_of_a_verification_say_whether_a_repair_can_mend() {
    let mut vault = TestVault::new(2, true).await;
    let writer = fill(&vault.backup, 2).await;
    vault.backup.state = None;
    change(&vault.stores[1], &key(&writer, 2)).await;
    let report = vault.backup.verified(Level::Presence).await;
    assert!(report.damage.iter().all(|damage| damage.kind == DamageKind::Damaged));
    let open = vault.backup.open().await.unwrap();
    let options = crate::backups::verify_options(Level::Bytes);
    let (_, plan) = prismvault::verification::plan_repair(&open, &options).await.unwrap();
    assert_eq!((plan.steps.len(), plan.beyond_repair.len()), (0, 2), "nothing says which is right");
}
