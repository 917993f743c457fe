//! `prune --repack`: what is needed of mostly dead packs is written into new ones, and only then do
//! the old ones go, as any other.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use prismvault::objects::counting::CountingStore;
use prismvault::objects::faults::{CrashPoint, CrashSwitch, FaultStore};
use prismvault::objects::operation::Operation;
use prismvault::objects::{Body, ObjectStore, PutMode};
use prismvault::pruning::{Kind, PrunePlan, PruneReport, apply, plan, plan_with};
use prismvault::vault::error::{ErrorKind, Result};
use prismvault::vault::format::manifest::Manifest;
use prismvault::vault::item::ItemKind;
use prismvault::verification::Level;

use crate::backups::{Backup, Stores, as_stores, copy_stores};
use crate::pruning::{a_day, assert_sound, deleted, everything, grace, keys, options, prune, remove};
use crate::vaults::TestVault;

/// Documents that do not compress.
fn documents(from: u8, to: u8) -> Vec<(String, Vec<u8>)> {
    let bytes = |n: u8| {
        let mut state = u32::from(n) + 1;
        let digit = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + (*state >> 28) as u8)
        };
        let text: String = (0..2000).map(|_| digit(&mut state)).collect();
        format!(r#"{{"id":"{n}","text":"{text}"}}"#).into_bytes()
    };
    (from..to).map(|n| (format!("documents/en-us/page/{n:03}.json"), bytes(n))).collect()
}

async fn snapshot(vault: &TestVault, documents: &[(String, Vec<u8>)]) -> Manifest {
    let items: Vec<(&str, ItemKind, &[u8])> =
        documents.iter().map(|(path, bytes)| (path.as_str(), ItemKind::Document, &bytes[..])).collect();
    vault.snapshot("blog", &items).await
}

/// A vault whose first big pack is needed for one of ten documents: the snapshot with all ten was
/// removed a day after it was taken.
async fn mostly_dead(replicas: usize, encrypted: bool) -> TestVault {
    let vault = TestVault::new(replicas, encrypted).await;
    kill_most(&vault).await;
    vault
}

pub(crate) async fn kill_most(vault: &TestVault) {
    // Its catalog pack holds the page of no links, which all of them share.
    snapshot(vault, &documents(200, 201)).await;
    let all = snapshot(vault, &documents(0, 10)).await;
    snapshot(vault, &documents(3, 4)).await;
    vault.backup.clock.advance(a_day());
    remove(&vault.backup, &[&all], None).await;
}

async fn try_repack(backup: &Backup, below: u8) -> Result<(PrunePlan, PruneReport)> {
    let vault = backup.open_with(vec![backup.operator.clone(), backup.recovery.clone()]).await?;
    let plan = plan_with(&vault, Some(below)).await?;
    let report = apply(&vault, &plan, &options()).await?;
    Ok((plan, report))
}

pub(crate) async fn repack(backup: &Backup) -> (PrunePlan, PruneReport) {
    let done = try_repack(backup, 50).await.unwrap();
    assert_eq!(done.1.failed, []);
    done
}

/// Bytes of the packs of the first replica.
async fn bytes_of_packs(vault: &TestVault) -> u64 {
    let listed = vault.stores[0].list("packs").await.unwrap();
    listed.iter().map(|object| object.size).sum()
}

#[tokio::test]
async fn a_mostly_dead_pack_is_rewritten_and_goes_after_the_grace() {
    for encrypted in [true, false] {
        let vault = mostly_dead(2, encrypted).await;
        let backup = &vault.backup;
        let before = everything(&backup.stores).await;
        // The dry run needs no more than an operator, and writes nothing.
        let planned = plan_with(&backup.open().await.unwrap(), Some(50)).await.unwrap();
        let promised = planned.repack.clone().unwrap();
        assert_eq!(promised.packs.len(), 1, "{promised:?}");
        let pack = &promised.packs[0];
        assert_eq!((pack.items, pack.needed_items, pack.rewritten_items), (10, 1, 1));
        assert_eq!(pack.replicas, ["replica-0", "replica-1"]);
        assert!(pack.gain() > pack.bytes * 8 / 10, "{pack:?}");
        assert_eq!(everything(&backup.stores).await, before);
        assert_ne!(planned.hash(), plan(&backup.open().await.unwrap()).await.unwrap().hash());

        let bytes_before = bytes_of_packs(&vault).await;
        let (_, report) = repack(backup).await;
        let done = report.repacked.clone().unwrap();
        assert_eq!((done.packs, done.new_packs, done.items), (1, 1, 1), "{report:?}");
        assert!(report.deleted.is_empty(), "nothing goes before its mark is old enough: {report:?}");
        let written = everything(&backup.stores).await;
        assert!(before.iter().all(|(key, digest)| written.get(key) == Some(digest)));
        let old = format!("packs/blog/{}", pack.pack);
        assert!(keys(&vault.stores[0], "packs").await.contains(&old));
        assert_eq!(assert_sound(backup, "both packs are there").await, 2);

        // The next run finds nothing more to rewrite.
        let (again, report) = repack(backup).await;
        assert_eq!(again.repack.unwrap().packs, [], "{report:?}");
        // The index object that described the old pack alone is not needed any more.
        assert!(again.replicas.iter().flat_map(|own| &own.mark).all(|mark| mark.packs.is_empty()));
        assert!(report.repacked.is_none(), "{report:?}");
        // From here on it is a prune like any other, without an identity that reads content.
        backup.clock.advance(grace());
        let (_, report) = prune(backup).await;
        for replica in ["replica-0", "replica-1"] {
            assert_eq!(deleted(&report, replica, Kind::Body), 2, "and the catalog of the removed one");
        }
        assert!(!keys(&vault.stores[1], "packs").await.contains(&old));
        let gained = bytes_before - bytes_of_packs(&vault).await;
        assert!(gained >= promised.gain(), "{gained} of {} promised", promised.gain());
        assert!(gained < promised.gain() * 13 / 10, "{gained} of {} promised", promised.gain());
        assert_eq!(assert_sound(backup, "rewritten").await, 2);
        assert_eq!(backup.verified(Level::Bytes).await.damage, []);
        // Its fingerprint is known as before: nothing is stored again.
        assert_eq!(snapshot(&vault, &documents(3, 4)).await.added.items, 0);
        let (last, _) = repack(backup).await;
        assert!(!last.repacks(), "{last:?}");
    }
}

#[tokio::test]
async fn what_is_needed_by_half_or_was_just_written_stays_as_it_is() {
    let vault = mostly_dead(1, true).await;
    let none = |plan: &PrunePlan| plan.repack.as_ref().unwrap().packs.is_empty();
    let open = vault.backup.open().await.unwrap();
    assert!(none(&plan_with(&open, Some(10)).await.unwrap()), "a tenth is not below a tenth");
    assert!(!none(&plan_with(&open, Some(11)).await.unwrap()));
    // Written again an hour ago, as by a run that has not committed yet.
    for key in keys(&vault.stores[0], "packs").await {
        let bytes = vault.stores[0].get(&key, u64::MAX).await.unwrap();
        vault.stores[0].put(&key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    }
    assert!(none(&plan_with(&open, Some(50)).await.unwrap()));
}

#[tokio::test]
async fn without_an_identity_that_reads_content_nothing_is_begun() {
    let vault = mostly_dead(2, true).await;
    let before = everything(&vault.backup.stores).await;
    let open = vault.backup.open().await.unwrap();
    let planned = plan_with(&open, Some(50)).await.unwrap();
    let error = apply(&open, &planned, &options()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Identity, "{error}");
    assert_eq!(everything(&vault.backup.stores).await, before);
}

#[tokio::test]
async fn a_damaged_copy_is_read_around_and_a_pack_without_a_good_one_stays() {
    let vault = mostly_dead(2, true).await;
    let planned = plan_with(&vault.backup.open().await.unwrap(), Some(50)).await.unwrap();
    let pack = format!("packs/blog/{}", planned.repack.unwrap().packs[0].pack);
    let flip = |bytes: &mut Vec<u8>| bytes.iter_mut().for_each(|byte| *byte ^= 1);
    assert!(vault.stores[0].tamper(&pack, flip));
    let originals = copy_stores(&vault.backup.stores, &vault.backup.clock).await;
    let mut vault = vault;
    // Copies are fresh until a day has passed.
    vault.backup.clock.advance(a_day());
    vault.backup.stores = as_stores(&originals);
    assert!(originals[1].1.tamper(&pack, flip));
    let (_, report) = try_repack(&vault.backup, 50).await.unwrap();
    assert!(report.failed.iter().any(|failed| failed.key == pack), "{report:?}");
    assert!(report.marked.iter().all(|marked| marked.size.objects > 0));
    assert!(originals[1].1.tamper(&pack, flip));
    let (_, report) = repack(&vault.backup).await;
    assert_eq!(report.repacked.unwrap().packs, 1);
    vault.backup.clock.advance(grace());
    prune(&vault.backup).await;
    assert_eq!(assert_sound(&vault.backup, "the damaged copy went with the old pack").await, 2);
}

#[tokio::test]
async fn a_run_that_began_before_keeps_what_it_commits_afterwards() {
    let vault = mostly_dead(2, true).await;
    let begun = vault.begin("blog").await;
    let (_, report) = repack(&vault.backup).await;
    assert_eq!(report.repacked.unwrap().packs, 1);
    vault.backup.clock.advance(TimeDelta::hours(20));
    let documents = documents(0, 10);
    let items: Vec<(&str, ItemKind, &[u8])> =
        documents.iter().map(|(path, bytes)| (path.as_str(), ItemKind::Document, &bytes[..])).collect();
    let late = vault.finish(begun, &items, |_| {}).await;
    assert_eq!(late.added.items, 0, "it relies on what is marked now");
    // Whoever prunes takes the mark back, with the second look or at once.
    for _ in 0..3 {
        vault.backup.clock.advance(grace());
        prune(&vault.backup).await;
    }
    assert_eq!(assert_sound(&vault.backup, "late").await, 3);
}

#[tokio::test]
async fn a_replica_that_lacks_the_new_pack_keeps_the_old_one() {
    let vault = mostly_dead(2, true).await;
    let before = keys(&vault.stores[1], "packs").await;
    repack(&vault.backup).await;
    let new: BTreeSet<String> = &keys(&vault.stores[1], "packs").await - &before;
    assert_eq!(new.len(), 1);
    for key in new {
        vault.stores[1].delete(&key).await.unwrap();
    }
    vault.backup.clock.advance(grace());
    prune(&vault.backup).await;
    assert_eq!(assert_sound(&vault.backup, "each reads from its own").await, 2);
}

fn dying(stores: &Stores, switch: &CrashSwitch) -> Stores {
    let faulty = |(name, store): &(String, Arc<dyn ObjectStore>)| {
        let store = FaultStore::new(Arc::clone(store)).with_crash(switch.clone());
        let store: Arc<dyn ObjectStore> = Arc::new(store);
        (name.clone(), store)
    };
    stores.iter().map(faulty).collect()
}

#[tokio::test]
async fn a_crash_at_any_write_harms_nothing_and_the_same_command_completes() {
    let mut vault = mostly_dead(2, true).await;
    vault.backup.state = None;
    let base = vault.backup.stores.clone();
    let clock = Arc::clone(&vault.backup.clock);
    let counter = CrashSwitch::never();
    let copies = as_stores(&copy_stores(&base, &clock).await);
    clock.advance(a_day());
    vault.backup.stores = dying(&copies, &counter);
    let (_, report) = repack(&vault.backup).await;
    assert_eq!(report.repacked.unwrap().packs, 1);
    let writes = counter.writes();
    assert!(writes >= 14, "a mark, body, header, index object, a mark, on two replicas: {writes}");
    for k in 1..=writes {
        for point in [CrashPoint::Before(k), CrashPoint::After(k)] {
            let case = format!("{point:?} of {writes}");
            let survivors = as_stores(&copy_stores(&base, &clock).await);
            clock.advance(a_day());
            vault.backup.stores = dying(&survivors, &CrashSwitch::at(point));
            let died = try_repack(&vault.backup, 50).await;
            assert!(died.is_err() || k == writes, "{case}: {died:?}");
            vault.backup.stores = survivors;
            assert_eq!(assert_sound(&vault.backup, &case).await, 2);
            // Somebody prunes without rewriting, and then the same command again, until all is done.
            prune(&vault.backup).await;
            // Where replicas were left with different packs, one more has to come and one to go.
            for _ in 0..8 {
                repack(&vault.backup).await;
                clock.advance(grace());
            }
            assert_eq!(assert_sound(&vault.backup, &format!("{case}, again")).await, 2);
            let left = keys(&*vault.backup.stores[0].1, "packs").await;
            assert_eq!(left.len(), 4, "{case}: two of content, two of catalogs: {left:?}");
            assert_eq!(keys(&*vault.backup.stores[1].1, "packs").await, left, "{case}");
        }
    }
}

/// Requests that one replica got: lists, reads and look-ups, writes, deletions.
fn requests(counted: &CountingStore) -> [u64; 4] {
    let counts = counted.take_counts();
    let of = |operations: &[Operation]| operations.iter().map(|operation| counts.of(*operation)).sum();
    [
        of(&[Operation::List]),
        of(&[Operation::Get, Operation::GetRange, Operation::Head]),
        of(&[Operation::Put]),
        of(&[Operation::Delete]),
    ]
}

#[tokio::test]
async fn the_forecast_of_requests_is_what_the_real_run_takes() {
    let mut vault = mostly_dead(2, true).await;
    let mut counted = Vec::new();
    for (_, store) in &mut vault.backup.stores {
        let counting = CountingStore::new(Arc::clone(store));
        *store = Arc::new(counting.clone());
        counted.push(counting);
    }
    // Rewriting and marking, waiting, and deleting.
    for (case, below) in [("repack", Some(50)), ("wait", None), ("delete", None)] {
        let identities = vec![vault.backup.operator.clone(), vault.backup.recovery.clone()];
        let open = vault.backup.open_with(identities).await.unwrap();
        let planned = plan_with(&open, below).await.unwrap();
        for one in &counted {
            one.take_counts();
        }
        apply(&open, &planned, &options()).await.unwrap();
        for (own, counted) in planned.replicas.iter().zip(&counted) {
            let [list, get, put, delete] = requests(counted);
            let forecast = &own.requests;
            let told = format!("{case} on {}: {list} {get} {put} {delete} of {forecast:?}", own.replica);
            assert_eq!((put, delete), (forecast.put, forecast.delete), "{told}");
            // What is read depends on caches and on which replica answers for both.
            for (real, forecast) in [(list, forecast.list), (get, forecast.get)] {
                assert!(real * 2 >= forecast && real <= forecast * 2, "{told}");
            }
        }
        vault.backup.clock.advance(match case {
            "repack" => TimeDelta::hours(1),
            _ => grace(),
        });
    }
    assert_eq!(assert_sound(&vault.backup, "counted").await, 2);
}
