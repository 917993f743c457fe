//! Records of drills on several replicas: what `status` makes of them, how they are copied, checked and mended.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::TimeDelta;
use prismvault::clock::{Clock as _, Timestamp, rfc3339};
use prismvault::config::Objectives;
use prismvault::ids::{Digest, SnapshotId};
use prismvault::limits::Limits;
use prismvault::objects::{Body, ObjectStore, PutMode};
use prismvault::status::{Facts, State, assess};
use prismvault::vault::drill_copies::bring;
use prismvault::vault::drills::{self, StoredDrill};
use prismvault::vault::format::VERSION;
use prismvault::vault::format::drill::{DrillFile, DrillResult, DrilledRepository, KIND, OpenFinding};
use prismvault::vault::item::ItemKind;
use prismvault::vault::open::Vault;
use prismvault::verification::{DamageKind, Level, VerifyReport};

use crate::status::collecting::of_backup;
use crate::vaults::TestVault;

const ITEM: &[(&str, ItemKind, &[u8])] = &[("documents/en-us/page/X.json", ItemKind::Document, b"{}")];

/// A picture of a page, a log, and a file without content.
const FILES: [(&str, &[u8]); 3] =
    [("pages/1-home.png", b"a picture"), ("checks/smoke.txt", b"a log"), ("junit.xml", b"<testsuites/>")];

/// The record of a drill of the repository `blog` that ended at this time, ten minutes after it began.
pub(crate) fn record(vault: &Vault, ended: Timestamp) -> DrillFile {
    let began = ended - TimeDelta::minutes(10);
    let blog = DrilledRepository {
        repository: "blog".parse().unwrap(),
        snapshot: None,
        good: true,
        recovery_ms: Some(90_000),
        fidelity: Some(1.0),
    };
    DrillFile {
        kind: KIND.to_owned(),
        format: VERSION,
        vault: vault.file.vault,
        key: String::new(),
        drill: SnapshotId::new(began),
        plan: "weekly".parse().unwrap(),
        real: false,
        began: rfc3339(began),
        ended: rfc3339(ended),
        result: DrillResult::Passed,
        criteria: Digest::of(b"criteria"),
        repositories: vec![blog],
        target: "standby".to_owned(),
        scenario: vec!["machine-gone".to_owned()],
        findings: 0,
        open: Vec::new(),
        awaits: Vec::new(),
        tool: "test".to_owned(),
        files: Vec::new(),
    }
}

/// Stores a drill with its files.
pub(crate) async fn store(vault: &Vault, mut file: DrillFile) -> StoredDrill {
    let files = FILES.map(|(path, bytes)| (path.to_owned(), Bytes::from_static(bytes)));
    file.files = drills::store_files(vault, &file.drill, files.to_vec()).await.unwrap();
    drills::store(vault, file).await.unwrap()
}

async fn scene() -> TestVault {
    let test = TestVault::new(3, true).await;
    test.snapshot("blog", ITEM).await;
    test
}

fn damage(report: &VerifyReport) -> Vec<(DamageKind, &str, String)> {
    let short = |key: &str| key.splitn(3, '/').nth(2).unwrap_or(key).to_owned();
    let damage = report.damage.iter();
    damage.map(|own| (own.kind, own.replica.as_str(), short(&own.key))).collect()
}

fn stored_file(drill: &StoredDrill, path: &str) -> String {
    let file = drill.file.files.iter().find(|file| file.path == path).unwrap();
    format!("drills/{}/files/{}", drill.file.drill, file.stored)
}

#[tokio::test]
async fn status_believes_the_newest_good_record_and_tells_a_failed_one_after_it() {
    let test = scene().await;
    let vault = test.backup.open().await.unwrap();
    let now = test.backup.clock.now();
    let ago = |days: i64| now - TimeDelta::days(days);
    let objectives = Objectives {
        rto: Some("1h".parse().unwrap()),
        drilled_within: Some("30d".parse().unwrap()),
        ..Objectives::default()
    };
    let states = |facts: &Facts| {
        let of = BTreeMap::from([("blog".parse().unwrap(), objectives.clone())]);
        let assessment = assess(facts, &of, &Limits::default(), facts.at);
        let states: Vec<State> =
            assessment.repositories[0].objectives.iter().map(|judged| judged.state).collect();
        let drills = assessment.alarms.into_iter().filter(|alarm| alarm.kind().starts_with("drill-"));
        (states, drills.map(|alarm| alarm.key).collect::<Vec<_>>())
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(states(&of_backup(&test.backup).await), (vec![State::AtRisk, State::Missed], none.clone()));

    store(&vault, record(&vault, ago(40))).await;
    let facts = of_backup(&test.backup).await;
    assert_eq!(facts.repositories[0].drill.as_ref().unwrap().recovery, Some(TimeDelta::seconds(90)));
    assert_eq!(states(&facts), (vec![State::Ok, State::Missed], none.clone()));
    store(&vault, record(&vault, ago(20))).await;
    assert_eq!(states(&of_backup(&test.backup).await), (vec![State::Ok, State::Ok], none.clone()));

    // One that was killed shows nothing, and one of the future is not believed, which is told.
    let killed = DrillFile { result: DrillResult::Abandoned, ..record(&vault, ago(9)) };
    store(&vault, killed).await;
    let future = store(&vault, record(&vault, ago(-9))).await;
    let facts = of_backup(&test.backup).await;
    assert_eq!(
        facts.repositories[0].drill.as_ref().map(|drill| rfc3339(drill.ended)),
        Some(rfc3339(ago(20)))
    );
    let unreadable = format!("drill-unreadable:{}", future.file.key);
    assert_eq!(states(&facts), (vec![State::Ok, State::Ok], vec![unreadable.clone()]));

    // One that failed is no rehearsal, and what it measured is measured all the same.
    let mut failed = DrillFile { result: DrillResult::Failed, ..record(&vault, ago(5)) };
    failed.repositories[0].recovery_ms = Some(2 * 3_600_000);
    store(&vault, failed).await;
    let facts = of_backup(&test.backup).await;
    let alarms = vec!["drill-failed:blog".to_owned(), unreadable];
    assert_eq!(states(&facts), (vec![State::Missed, State::Ok], alarms));
    assert!(facts.repositories[0].failed_drill.as_ref().unwrap().came_back);
    // Another repository has nothing of it.
    let shop = crate::status::collecting::facts_of(&test.backup, &["shop"]).await;
    assert!(shop.repositories[0].drill.is_none() && shop.repositories[0].failed_drill.is_none());
    store(&vault, record(&vault, ago(1))).await;
    let facts = of_backup(&test.backup).await;
    assert!(facts.repositories[0].failed_drill.is_none());
}

#[tokio::test]
async fn what_is_open_counts_from_the_newest_drill_of_a_plan_until_it_is_closed() {
    let test = scene().await;
    let vault = test.backup.open().await.unwrap();
    let now = test.backup.clock.now();
    let finding = |id: &str| OpenFinding {
        id: id.to_owned(),
        severity: "major".to_owned(),
        due: "2020-01-01".parse().unwrap(),
    };
    let with = |days: i64, open: Vec<OpenFinding>, awaits: &[&str]| DrillFile {
        open,
        awaits: awaits.iter().map(|gate| (*gate).to_owned()).collect(),
        ..record(&vault, now - TimeDelta::days(days))
    };
    store(&vault, with(20, vec![finding("F-1"), finding("F-2")], &["acceptance"])).await;
    let newest =
        store(&vault, with(10, vec![finding("F-1"), finding("F-3")], &["acceptance", "declared"])).await;
    let other = DrillFile { plan: "yearly".parse().unwrap(), ..with(15, vec![finding("F-4")], &[]) };
    store(&vault, other).await;
    let facts = of_backup(&test.backup).await.drills;
    let ids = |facts: &[OpenFinding]| facts.iter().map(|own| own.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&facts.findings), ["F-1", "F-3", "F-4"], "F-2 was not carried over: it is closed");
    let [waiting] = &facts.waiting[..] else { panic!("{facts:?}") };
    assert_eq!((&waiting.drill, waiting.gate.as_str()), (&newest.file.drill, "acceptance"));
    assert_eq!(rfc3339(waiting.since), newest.file.ended);
    drills::close(&vault, &newest.file.drill, "F-3", "anna", "mended").await.unwrap();
    assert_eq!(ids(&of_backup(&test.backup).await.drills.findings), ["F-1", "F-4"]);
}

#[tokio::test]
async fn a_record_that_nobody_who_may_signed_shows_nothing() {
    let test = scene().await;
    let vault = test.backup.open().await.unwrap();
    let drill = store(&vault, record(&vault, test.backup.clock.now())).await;
    let text = String::from_utf8(drill.signed.0.to_vec()).unwrap().replace("passed", "failed");
    for at in [0, 1, 2] {
        let body = Body::bytes(Bytes::from(text.clone()));
        test.stores[at].put(&drill.file.key, body, PutMode::Overwrite).await.unwrap();
    }
    let facts = of_backup(&test.backup).await;
    assert!(facts.repositories[0].drill.is_none() && facts.repositories[0].failed_drill.is_none());
    assert_eq!(facts.drills.unreadable.len(), 1);
    let report = test.backup.verified(Level::Presence).await;
    let kinds: Vec<DamageKind> = report.damage.iter().map(|own| own.kind).collect();
    assert_eq!(kinds, [DamageKind::NotAuthentic], "{:?}", report.damage);
}

#[tokio::test]
async fn a_replica_that_lacks_a_drill_gets_what_is_signed_and_nothing_else() {
    let test = scene().await;
    let vault = test.backup.open().await.unwrap();
    let drill = store(&vault, record(&vault, test.backup.clock.now())).await;
    drills::close(&vault, &drill.file.drill, "F-1", "anna", "mended").await.unwrap();
    let all = test.stores[0].list("drills").await.unwrap();
    for object in &all {
        test.stores[2].delete(&object.key).await.unwrap();
    }
    // Somebody put something there; and a file is damaged on one of two replicas.
    let id = &drill.file.drill;
    let strange = [format!("drills/{id}/files/{}", Digest::of(b"x")), format!("drills/{id}/closed/F-9.json")];
    for key in &strange {
        test.stores[0].put(key, Body::bytes(Bytes::from_static(b"{}")), PutMode::CreateOnly).await.unwrap();
    }
    let page = stored_file(&drill, "pages/1-home.png");
    test.stores[0].put(&page, Body::bytes(Bytes::from_static(b"x")), PutMode::Overwrite).await.unwrap();
    let report = test.backup.verified(Level::Presence).await;
    let behind = |kind: &DamageKind| *kind == DamageKind::Behind;
    let on_third: Vec<_> =
        damage(&report).into_iter().filter(|(_, replica, _)| *replica == "replica-2").collect();
    // The record, three files, and that a finding is closed.
    assert_eq!(on_third.len(), 5, "{on_third:?}");
    assert!(on_third.iter().all(|(kind, ..)| behind(kind)), "{on_third:?}");

    assert_eq!(bring(&vault).await.unwrap(), []);
    let brought = test.stores[2].list("drills").await.unwrap();
    let keys =
        |all: Vec<prismvault::objects::ObjectMeta>| all.into_iter().map(|own| own.key).collect::<Vec<_>>();
    let (brought, all) = (keys(brought), keys(all));
    assert_eq!(brought, all, "what is signed, and nothing else");
    let bytes = test.stores[2].get(&page, 1 << 20).await.unwrap();
    assert_ne!(bytes, "x", "the good copy is brought");
    // The second time there is nothing to do.
    assert_eq!(bring(&vault).await.unwrap(), []);
}

#[tokio::test]
async fn a_damaged_copy_is_found_and_healed_from_another_replica() {
    let test = scene().await;
    let vault = test.backup.open().await.unwrap();
    let drill = store(&vault, record(&vault, test.backup.clock.now())).await;
    assert_eq!(test.backup.verified(Level::Bytes).await.damage, []);
    let (page, log) = (stored_file(&drill, "pages/1-home.png"), stored_file(&drill, "checks/smoke.txt"));
    test.stores[1].put(&page, Body::bytes(Bytes::from_static(b"x")), PutMode::Overwrite).await.unwrap();
    test.stores[1].delete(&log).await.unwrap();
    let record = Body::bytes(Bytes::from_static(b"{}"));
    test.stores[2].put(&drill.file.key, record, PutMode::Overwrite).await.unwrap();
    let short = |key: &str| key.splitn(3, '/').nth(2).unwrap().to_owned();
    let gone = (DamageKind::Missing, "replica-1", short(&log));
    let altered = (DamageKind::NotAuthentic, "replica-2", "drill.json".to_owned());
    // Who only looks whether objects are there does not read them.
    let report = test.backup.verified(Level::Presence).await;
    let found = damage(&report);
    assert!(found.len() == 2 && found.contains(&gone) && found.contains(&altered), "{found:?}");
    let report = test.backup.verified(Level::Bytes).await;
    let found = damage(&report);
    let damaged = (DamageKind::Damaged, "replica-1", short(&page));
    assert!(found.len() == 3 && [gone, altered, damaged].iter().all(|own| found.contains(own)), "{found:?}");
    assert!(report.lost.is_empty(), "{:?}", report.lost);
    test.backup.repair().await;
    assert_eq!(test.backup.verified(Level::Bytes).await.damage, []);
    let reader = vec![test.backup.operator.clone(), test.backup.recovery.clone()];
    let vault = test.reopen_with(reader).await;
    let read = drills::read_file(&vault, &drill.file, &drill.file.files[0]).await.unwrap();
    assert_eq!(read, FILES[0].1);
}

#[tokio::test]
async fn what_a_killed_drill_left_is_counted_and_is_no_damage() {
    let test = scene().await;
    let vault = test.backup.open().await.unwrap();
    let id = SnapshotId::new(test.backup.clock.now());
    let file = (FILES[0].0.to_owned(), Bytes::from_static(FILES[0].1));
    drills::store_files(&vault, &id, vec![file]).await.unwrap();
    let report = test.backup.verified(Level::Bytes).await;
    assert_eq!((report.drill_leftovers, &report.damage[..]), (3, &[][..]));
    assert_eq!(bring(&vault).await.unwrap(), []);
}
