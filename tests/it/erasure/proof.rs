//! What is looked at after an erasure: a scanner that shares nothing with the search, headers that are tried,
//! snapshots that are read as a restore reads them.

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::sync::Arc;

use prismvault::ids::SnapshotId;
use prismvault::objects::memory::MemoryStore;
use prismvault::privacy::erasure::plan::Plan;
use prismvault::privacy::matching::{Finding, Matcher};
use prismvault::privacy::proof::check::{Checked, Checking, check};
use prismvault::privacy::proof::encodings::Encoding;
use prismvault::privacy::proof::headers::{self, OldHeaders};
use prismvault::privacy::proof::needles::Needles;
use prismvault::privacy::proof::restored::{Since, again_live};
use prismvault::privacy::proof::scan::{Leaked, Place, Scanned, Scanner};
use prismvault::privacy::proof::stays::Stays;
use prismvault::privacy::review::Decision;
use prismvault::privacy::search::FoundItem;
use prismvault::privacy::subject::IdentifierKind;
use prismvault::progress::Silent;
use prismvault::sandbox::Changes;
use prismvault::status::PendingKind;
use tokio_util::sync::CancellationToken;

use super::planning::{Case, Decisions, again, decided, subject_of_all};
use super::*;
use crate::backups::copy_objects;
use crate::privacy_search::{PERSON, page, subject};
use crate::restoring::crafted::{HOME, LINKING, data};
use crate::status::collecting::of_backup;

/// Looks through all replicas for the person of the tests.
pub(super) async fn scanned(case: &Case, stays: Stays) -> Vec<Scanned> {
    let vault = case.open().await;
    let (needles, cancel) = (Needles::of(&subject()).unwrap(), CancellationToken::new());
    let scanner = Scanner::new([needles], vault.identities(), stays, HashSet::new(), cancel).unwrap();
    let place = |(name, store): &(String, Arc<dyn ObjectStore>)| Place {
        name: name.clone(),
        store: Arc::clone(store),
    };
    let places: Vec<Place> = case.backup.stores.iter().map(place).collect();
    scanner.places(&places, &Silent).await.unwrap()
}

/// Names of headers before they go.
async fn old_headers(case: &Case) -> OldHeaders {
    let vault = case.open().await;
    let space = Space::load(&vault, &blog()).await.unwrap();
    headers::collect(&vault, &space)
}

pub(super) async fn checked(
    case: &Case,
    plan: &Plan,
    decisions: &Decisions,
    headers: &OldHeaders,
) -> Checked {
    let vault = case.open().await;
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let again = again(&vault, &snapshots);
    let stays = Stays::of(plan, &case.report, decisions);
    let matcher = Arc::new(Matcher::new(&subject(), &[]));
    let checking = Checking {
        again: &again,
        plan,
        stays: &stays,
        subject: &subject(),
        matcher: &matcher,
        headers,
        directories: &[],
        live: Vec::new(),
        urls: Vec::new(),
    };
    check(checking).await.unwrap()
}

fn leaked(scanned: &[Scanned]) -> Vec<u64> {
    scanned.iter().map(|own| own.leaked).collect()
}

#[tokio::test]
async fn what_is_found_before_is_gone_after_and_the_evidence_says_so() {
    for encrypted in [true, false] {
        let case = Case::new(encrypted).await;
        let before = scanned(&case, Stays::default()).await;
        let found: HashSet<_> = case.report.found.iter().filter_map(|found| found.item).collect();
        for replica in &before {
            let items: HashSet<_> = replica.leaks.iter().filter_map(|leak| leak.item).collect();
            assert_eq!(items, found, "the second path finds what the first one found");
            assert_eq!(replica.unscanned, []);
            assert!(replica.objects > 10 && replica.bytes > 10_000);
        }
        let plan = case.carry_out(&subject_of_all).await;
        let checked = checked(&case, &plan, &subject_of_all, &OldHeaders::default()).await;
        assert_eq!(checked.canary.missed, Vec::<String>::new());
        assert_eq!(checked.remaining(), 0, "{:?}", checked.replicas);
        let sought = checked.evidence.sought.unwrap();
        assert!(sought.needles > 10 && sought.weak == 0, "{sought:?}");
        assert!(
            checked.is_whole(),
            "{:?} {:?} {:?}",
            checked.replicas,
            checked.local,
            checked.restored.problems
        );
        let evidence = &checked.evidence;
        assert_eq!((evidence.plan, evidence.replicas.len()), (plan.hash(), 2));
        for replica in &evidence.replicas {
            assert!(
                replica.gone.is_some() && replica.horizon.is_some() && replica.pending == 0,
                "{replica:?}"
            );
            assert_eq!(replica.unreadable.is_some(), encrypted);
            assert!(replica.scanned.0 > 10 && replica.headers.0 > 0 && replica.headers.1 == 0);
        }
        assert_eq!(evidence.restored.len(), 2, "two snapshots are all that there are");
        assert!(evidence.restored.iter().all(|own| own.items > 3 && own.remaining == 0));
        let text = serde_json::to_string(evidence).unwrap() + &format!("{checked:?}");
        assert!(!text.to_lowercase().contains("perpetua"), "evidence names nobody");
    }
}

#[tokio::test]
async fn whatever_is_left_anywhere_is_found_and_attributed() {
    let case = Case::new(true).await;
    let far = &case.backup.stores[1].1;
    let copy = MemoryStore::new("copy", Arc::<prismvault::clock::ManualClock>::clone(&case.backup.clock));
    copy_objects(&**far, &copy).await;
    let plan = case.carry_out(&subject_of_all).await;
    let old = OldHeaders::default();

    // A pack that somebody put back, with its header.
    let destroyed: Vec<String> = {
        let left: HashSet<String> =
            far.list("").await.unwrap().into_iter().map(|object| object.key).collect();
        let all = copy.list("").await.unwrap().into_iter().map(|object| object.key);
        all.filter(|key| !left.contains(key)).collect()
    };
    assert!(destroyed.iter().any(|key| key.starts_with("keys/")), "{destroyed:?}");
    for key in &destroyed {
        let bytes = copy.get(key, 1 << 30).await.unwrap();
        far.put(key, Body::bytes(bytes), PutMode::CreateOnly).await.unwrap();
    }
    let seen = checked(&case, &plan, &subject_of_all, &old).await;
    let [near, put_back] = &seen.evidence.replicas[..] else { panic!("two replicas") };
    assert_eq!((near.leaks, near.headers.1), (0, 0));
    assert!(put_back.leaks > 0 && put_back.headers.1 > 0 && put_back.pending > 0, "{put_back:?}");
    assert!(put_back.unreadable.is_none() && put_back.gone.is_none() && put_back.horizon.is_none());
    let planned: HashSet<_> = plan.items.iter().map(|item| item.item).collect();
    assert!(seen.replicas[1].leaks.iter().all(|leak| planned.contains(&leak.item.unwrap())));
    assert!(seen.replicas[1].leaks.iter().all(|leak| leak.place.starts_with("packs/")));
    for key in &destroyed {
        far.delete(key).await.unwrap();
    }

    // Objects beside packs, however they are written; and one under a name that says it.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(PERSON.as_bytes()).unwrap();
    let wide: Vec<u8> = PERSON.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let planted: [(&str, Vec<u8>, Encoding); 4] = [
        ("state/jobs/nightly.json", packed.finish().unwrap(), Encoding::Text),
        ("state/restores/x.json", wide, Encoding::Utf16Le),
        ("state/notifications.json", b"\"Perpetua%20Exampleton\"".to_vec(), Encoding::Percent),
        ("state/perpetua-exampleton.json", b"{}".to_vec(), Encoding::Text),
    ];
    for (key, bytes, _) in &planted {
        far.put(key, Body::bytes(bytes.clone()), PutMode::Overwrite).await.unwrap();
    }
    let seen = scanned(&case, Stays::default()).await;
    assert_eq!(leaked(&seen), [0, 4]);
    for (key, _, encoding) in &planted {
        let leak = seen[1].leaks.iter().find(|leak| leak.place == *key).unwrap();
        assert_eq!(leak.what, Leaked::Identifier { kind: IdentifierKind::Name, encoding: *encoding });
        assert_eq!((leak.item, &leak.version), (None, &None));
        far.delete(key).await.unwrap();
    }
    // Files of a case hold the person by design.
    far.put("requests/2026-7K3F9Q/x", Body::bytes(PERSON.as_bytes().to_vec()), PutMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(leaked(&scanned(&case, Stays::default()).await), [0, 0]);
}

#[tokio::test]
async fn what_a_killed_write_left_in_a_directory_is_looked_into() {
    let directory = tempfile::tempdir().unwrap();
    let store = prismvault::objects::local::LocalStore::open(directory.path()).await.unwrap();
    store.put("state/jobs/nightly.json", Body::bytes(b"{}".to_vec()), PutMode::CreateOnly).await.unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    // As a replica has it, with all that is around its store.
    let replica = prismvault::vault::replica::Replica::new("one", store);
    let needles = || [Needles::of(&subject()).unwrap()];
    let scan = async || {
        let (stays, cancel) = (Stays::default(), CancellationToken::new());
        let scanner = Scanner::new(needles(), &[], stays, HashSet::new(), cancel).unwrap();
        let places = [Place { name: "one".to_owned(), store: Arc::clone(&replica.store) }];
        scanner.places(&places, &Silent).await.unwrap().remove(0)
    };
    let seen = scan().await;
    assert_eq!((seen.leaked, seen.objects, seen.unscanned.len()), (0, 1, 0), "{seen:?}");
    let leave = |name: &str, bytes: &[u8]| {
        let mut file = std::fs::File::create(directory.path().join(".tmp").join(name)).unwrap();
        file.write_all(bytes).unwrap();
    };
    leave("put-killed.part", format!("{{\"by\":\"{PERSON}\"").as_bytes());
    let seen = scan().await;
    let [leak] = &seen.leaks[..] else { panic!("{seen:?}") };
    assert_eq!((&*leak.place, seen.leaked, seen.objects), (".tmp/put-killed.part", 1, 2));
    // Half of what is packed cannot be looked into, and that is said.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(PERSON.repeat(50).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    leave("put-killed.part", &packed[..packed.len() - 12]);
    let seen = scan().await;
    assert!(seen.leaked > 0 || seen.unscanned.len() == 1, "{seen:?}");
    assert!(seen.unscanned.iter().all(|own| own.detail.contains("killed write")), "{seen:?}");
    std::fs::remove_file(directory.path().join(".tmp/put-killed.part")).unwrap();
    assert_eq!(scan().await.leaked, 0);
}

#[tokio::test]
async fn what_lies_on_this_machine_and_who_cannot_be_looked_for_is_in_the_evidence() {
    let case = Case::new(true).await;
    let plan = case.carry_out(&subject_of_all).await;
    let exports = tempfile::tempdir().unwrap();
    let mut file = std::fs::File::create(exports.path().join("export.html")).unwrap();
    file.write_all(PERSON.as_bytes()).unwrap();
    let mut short = prismvault::privacy::subject::Subject::default();
    short.add(IdentifierKind::Handle, "pe").unwrap();
    let look = async |subject: &prismvault::privacy::subject::Subject| {
        let vault = case.open().await;
        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        let checking = Checking {
            again: &again(&vault, &snapshots),
            plan: &plan,
            stays: &Stays::of(&plan, &case.report, &subject_of_all),
            subject,
            matcher: &Arc::new(Matcher::new(subject, &[])),
            headers: &OldHeaders::default(),
            directories: &[("exports".to_owned(), exports.path().to_owned())],
            live: Vec::new(),
            urls: Vec::new(),
        };
        check(checking).await.unwrap()
    };
    let seen = look(&subject()).await;
    let own = seen.evidence.local.iter().find(|own| own.name == "exports").unwrap();
    assert_eq!((own.leaks, own.scanned.0, own.unscanned), (1, 1, 0));
    assert!(seen.evidence.local.iter().any(|own| own.name == "spool"), "{:?}", seen.evidence.local);
    assert_eq!(seen.remaining(), 1);
    // Somebody of whom nothing can be looked for in raw bytes: nothing was found, and that says nothing.
    let seen = look(&short).await;
    let sought = seen.evidence.sought.unwrap();
    assert_eq!((sought.needles, sought.weak, seen.evidence.replicas[0].leaks), (0, 1, 0));
    assert!(!seen.is_whole());
    let text = serde_json::to_string(&seen.evidence).unwrap();
    assert_eq!(
        serde_json::from_str::<prismvault::privacy::proof::evidence::Evidence>(&text).unwrap(),
        seen.evidence
    );
}

#[tokio::test]
async fn a_version_that_is_hidden_is_looked_into() {
    let scene =
        Scene::on(TestVault::locked(prismvault::clock::SystemClock.now(), 1, crate::hidden::RULE).await)
            .await;
    let store: Arc<dyn ObjectStore> = Arc::new(scene.vault.stores[0].clone());
    let mut person = prismvault::privacy::subject::Subject::default();
    person.add(IdentifierKind::Name, "Petra Hiddenby").unwrap();
    let needles = Needles::of(&person).unwrap();
    let key = "state/jobs/nightly.json";
    for bytes in [&b"{\"by\":\"Petra Hiddenby\"}"[..], b"{}"] {
        store.put(key, Body::bytes(bytes.to_vec()), PutMode::Overwrite).await.unwrap();
    }
    store.delete(key).await.unwrap();
    assert!(store.get(key, 100).await.is_err(), "nobody sees it");
    let readers = scene.readers();
    let scanner =
        Scanner::new([needles], &readers, Stays::default(), HashSet::new(), CancellationToken::new())
            .unwrap();
    let places = [Place { name: "one".to_owned(), store }];
    let seen = scanner.places(&places, &Silent).await.unwrap();
    let [leak] = &seen[0].leaks[..] else { panic!("{seen:?}") };
    assert!(leak.place == key && leak.version.is_some());
}

#[tokio::test]
async fn what_the_plan_keeps_is_no_leak_and_is_counted() {
    let keeping = |found: &FoundItem, _: &Finding| {
        let is_home = found.paths().iter().any(|path| path.contains(HOME));
        decided(if is_home { Decision::Keep } else { Decision::Subject })
    };
    let case = Case::new(true).await;
    let plan = case.carry_out(&keeping).await;
    let seen = checked(&case, &plan, &keeping, &OldHeaders::default()).await;
    assert_eq!(seen.remaining(), 0, "{:?}", seen.replicas);
    assert!(seen.replicas.iter().all(|own| own.kept > 0));
    // To whoever does not know the plan they are leaks.
    assert!(leaked(&scanned(&case, Stays::default()).await).iter().all(|leaks| *leaks > 0));

    // In the same document a finding that was not decided to stay is none that stays.
    let put = vec![page(LINKING, &data(&format!("{PERSON} is new here")))];
    case.source.as_ref().unwrap().repository.publish(Changes { put, ..Changes::default() });
    case.backup.clock.advance(chrono::TimeDelta::hours(1));
    case.backup.snapshot(case.source.as_ref().unwrap()).await.unwrap();
    let seen = checked(&case, &plan, &keeping, &OldHeaders::default()).await;
    assert!(seen.evidence.restored.iter().any(|own| own.remaining > 0));
    assert!(seen.replicas.iter().all(|own| own.leaked > 0));
}

#[tokio::test]
async fn somebody_who_is_live_again_is_noticed() {
    let case = Case::new(true).await;
    let plan = case.carry_out(&subject_of_all).await;
    let stays = Stays::of(&plan, &case.report, &subject_of_all);
    let matcher = Arc::new(Matcher::new(&subject(), &[]));
    let long_ago = "2020-01-01T00:00:00Z".parse().unwrap();
    let look = async |clean: &BTreeMap<Name, SnapshotId>| {
        let vault = case.open().await;
        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        let since = Since { planned: long_ago, clean };
        again_live(&again(&vault, &snapshots), &matcher, &stays, since).await.unwrap()
    };
    let nothing = BTreeMap::new();
    let quiet = look(&nothing).await;
    assert_eq!((quiet.evidence.len(), quiet.found.len(), quiet.problems.len()), (2, 0, 0));
    let clean = quiet.clean(&nothing);
    assert_eq!(clean[&blog()], quiet.evidence[1].snapshot);
    assert_eq!(look(&clean).await.evidence.len(), 0, "nothing is read twice");
    // The live content was not changed: a snapshot takes it as it is.
    let source = case.source.as_ref().unwrap();
    let mut taken = BTreeSet::new();
    // The clock is set back, and then stands still: what came later has no later id.
    for hours in [1, -5, 0] {
        case.backup.clock.advance(chrono::TimeDelta::hours(hours));
        taken.insert(case.backup.snapshot(source).await.unwrap().committed.manifest.snapshot.clone());
    }
    let loud = look(&clean).await;
    assert_eq!(loud.found_in(), taken.iter().collect());
    let of_first = BTreeMap::from([(blog(), loud.chains[0].1.clone())]);
    assert_eq!(look(&of_first).await.evidence.len(), 2, "those behind it");
    for found in &loud.found {
        assert!(found.findings > 0 && !plan.items.iter().any(|item| item.item == found.item), "{found:?}");
    }
    assert_eq!(loud.clean(&clean), clean, "the next look reads them once more");

    // What nobody can read is no look: the packs of the last snapshots are lost everywhere.
    let vault = case.open().await;
    let space = Space::load(&vault, &blog()).await.unwrap();
    let lost: BTreeSet<String> = loud
        .found
        .iter()
        .flat_map(|found| space.index.locations(&found.item))
        .map(|place| space.index.packs()[place.pack as usize].id.to_string())
        .collect();
    for (_, store) in &case.backup.stores {
        for pack in &lost {
            store.delete(&format!("packs/blog/{pack}")).await.unwrap();
        }
    }
    let blind = look(&clean).await;
    assert!(blind.found.is_empty() && !blind.problems.is_empty() && blind.unread.len() == 3, "{blind:?}");
    assert_eq!(blind.clean(&clean), clean);
}

#[tokio::test]
async fn a_replica_that_is_away_and_local_files_are_told() {
    let mut case = Case::new(true).await;
    let old = old_headers(&case).await;
    assert!(old.names.values().all(std::collections::BTreeMap::is_empty), "nothing is to be destroyed yet");
    let plan = case.carry_out(&subject_of_all).await;

    let directory = tempfile::tempdir().unwrap();
    let pack = plan_packs(&case).await;
    std::fs::create_dir_all(directory.path().join("packs/blog")).unwrap();
    for (name, text) in [
        (format!("packs/blog/{pack}"), "sealed".to_owned()),
        ("export.html".to_owned(), format!("<b>{PERSON}</b>")),
    ] {
        let mut file = std::fs::File::create(directory.path().join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
    let vault = case.open().await;
    let needles = Needles::of(&subject()).unwrap();
    let (stays, cancel) = (Stays::default(), CancellationToken::new());
    let scanner =
        Scanner::new([needles], vault.identities(), stays, HashSet::from([pack]), cancel.clone()).unwrap();
    let local = scanner.directory("exports", directory.path()).await.unwrap();
    let whats: Vec<_> =
        local.leaks.iter().map(|leak| (leak.place.as_str(), leak.what == Leaked::ErasedPack)).collect();
    assert_eq!(whats, [("export.html", false), (format!("packs/blog/{pack}").as_str(), true)], "{local:?}");
    cancel.cancel();
    assert!(scanner.directory("exports", directory.path()).await.is_err());

    // A replica of which nothing answers.
    let clock = Arc::<prismvault::clock::ManualClock>::clone(&case.backup.clock);
    case.backup.stores[1].1 = Arc::new(MemoryStore::new("empty", clock));
    let seen = checked(&case, &plan, &subject_of_all, &OldHeaders::default()).await;
    assert!(!seen.is_whole());
    let [near, away] = &seen.evidence.replicas[..] else { panic!("two replicas") };
    assert!(near.gone.is_some() && near.horizon.is_some());
    assert!(away.id.is_none() && away.gone.is_none() && away.horizon.is_none() && away.unreadable.is_none());
}

/// A pack that the orders name.
async fn plan_packs(case: &Case) -> Digest {
    let ledger = Ledger::load(&*case.open().await, &blog()).await.unwrap();
    ledger.erased().orders()[0].order.packs[0]
}

/// Kinds and replicas of erasures that `status` says are not finished.
async fn pending(scene: &Scene) -> Vec<(PendingKind, String)> {
    let facts = of_backup(&scene.vault.backup).await;
    facts.pending.into_iter().map(|pending| (pending.kind, pending.replica)).collect()
}

#[tokio::test]
async fn status_tells_an_erasure_until_it_is_finished_everywhere() {
    let mut scene = Scene::new().await;
    let both =
        [(PendingKind::Erasure, "replica-0".to_owned()), (PendingKind::Erasure, "replica-1".to_owned())];
    assert_eq!(pending(&scene).await, []);
    scene.erase(&[(0, 1)]).await;
    assert_eq!(pending(&scene).await, both);
    // One replica is away, the other is done.
    scene.vault.backup.min_copies = Some(1);
    let away = Arc::clone(&scene.vault.backup.stores[1].1);
    let clock = Arc::<prismvault::clock::ManualClock>::clone(&scene.vault.backup.clock);
    scene.vault.backup.stores[1].1 = Arc::new(MemoryStore::new("empty", clock));
    let opened = scene.open().await;
    destruction::rewritten(&opened).await.unwrap();
    destruction::destroyed(&opened).await.unwrap();
    assert_eq!(pending(&scene).await, both[1..]);
    // It is back.
    let empty = std::mem::replace(&mut scene.vault.backup.stores[1].1, away);
    assert_eq!(pending(&scene).await, both[1..]);
    let opened = scene.open().await;
    destruction::rewritten(&opened).await.unwrap();
    destruction::destroyed(&opened).await.unwrap();
    assert_eq!(pending(&scene).await, []);
    // Away once more: its receipt says that it is done.
    scene.vault.backup.stores[1].1 = empty;
    assert_eq!(pending(&scene).await, []);
}

#[tokio::test]
async fn status_tells_locks_apart_from_what_nobody_does() {
    let begin = prismvault::clock::SystemClock.now();
    let scene = Scene::on(TestVault::locked(begin, 1, crate::hidden::RULE).await).await;
    scene.erase(&[(0, 1)]).await;
    assert_eq!(pending(&scene).await, [(PendingKind::Erasure, "replica-0".to_owned())]);
    let opened = scene.open().await;
    destruction::rewritten(&opened).await.unwrap();
    destruction::destroyed(&opened).await.unwrap();
    assert_eq!(pending(&scene).await, [(PendingKind::LockedErasure, "replica-0".to_owned())]);
    scene.vault.backup.clock.advance(chrono::TimeDelta::days(15));
    destruction::destroyed(&*scene.open().await).await.unwrap();
    assert_eq!(pending(&scene).await, []);
}
