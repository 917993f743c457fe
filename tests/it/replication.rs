//! Replication: replicas that are new, were away, were copied by half, or fail meanwhile get what
//! they are to hold, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use prismvault::clock::{Clock as _, ManualClock, SystemClock};
use prismvault::objects::counting::CountingStore;
use prismvault::objects::faults::{Condition, FaultStore};
use prismvault::objects::local::LocalStore;
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::operation::Operation;
use prismvault::objects::{Body, ObjectStore, PutMode};
use prismvault::progress::{Phase, Problem, Progress, Silent};
use prismvault::replication::{How, Plan, Report, Request, apply, plan, traffic_of};
use prismvault::vault::error::ErrorKind;
use prismvault::vault::format::ledger::{Decision, Removed};
use prismvault::vault::init::join;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::marks;
use prismvault::vault::open::Vault;
use prismvault::vault::replica::Replica;
use prismvault::vault::snapshots::{Snapshot, Snapshots};
use prismvault::vault::space::Space;
use prismvault::verification::{DamageKind, Level};
use tokio_util::sync::CancellationToken;

use crate::backups::{Backup, Source, copy_objects};
use crate::s3_server::{S3Server, connect};

pub(crate) fn request() -> Request<'static> {
    Request {
        to: Vec::new(),
        from: None,
        repositories: Vec::new(),
        snapshots: Default::default(),
        progress: &Silent,
    }
}

pub(crate) async fn carry_out(vault: &Vault, plan: &Plan) -> Report {
    apply(vault, plan, &Silent, &CancellationToken::new()).await.unwrap()
}

/// Replicates everything, as the command does.
pub(crate) async fn replicate(backup: &Backup) -> (Plan, Report) {
    let vault = backup.open().await.unwrap();
    let plan = plan(&vault, &request()).await.unwrap();
    let report = carry_out(&vault, &plan).await;
    (plan, report)
}

/// A vault on one replica with two snapshots, and a second replica that just joined.
pub(crate) async fn with_new_replica(source: &Source) -> Backup {
    let mut backup = Backup::in_memory(1).await;
    backup.limits.pack_bytes = 32 << 10;
    backup.snapshot(source).await.unwrap();
    source.repository.edit(0.2, 3).unwrap();
    backup.snapshot(source).await.unwrap();
    let new: Arc<dyn ObjectStore> =
        Arc::new(MemoryStore::new("new", Arc::<ManualClock>::clone(&backup.clock)));
    let vault = backup.open().await.unwrap();
    let joining = [Replica::new("new", Arc::clone(&new))];
    join(&vault.replicas.all()[0], &vault.file.vault, &joining).await.unwrap();
    backup.stores.push(("new".to_owned(), new));
    backup
}

pub(crate) async fn keys(store: &dyn ObjectStore) -> BTreeSet<String> {
    store.list("").await.unwrap().into_iter().map(|object| object.key).collect()
}

fn counted(backup: &mut Backup, replica: usize) -> CountingStore {
    let store = CountingStore::new(Arc::clone(&backup.stores[replica].1));
    backup.stores[replica].1 = Arc::new(store.clone());
    store
}

pub(crate) fn faulty(backup: &mut Backup, replica: usize) -> FaultStore {
    let store = FaultStore::new(Arc::clone(&backup.stores[replica].1));
    backup.stores[replica].1 = Arc::new(store.clone());
    store
}

pub(crate) async fn assert_whole(backup: &Backup, case: &str) {
    assert_eq!(backup.verified(Level::Content).await.damage, [], "{case}");
}

/// Writes a removal of snapshots to every replica that can be reached.
async fn remove(backup: &Backup, snapshots: &[&Snapshot]) {
    backup.clock.advance(chrono::TimeDelta::seconds(1));
    let vault = backup.open().await.unwrap();
    let space = "blog".parse().unwrap();
    let removed = snapshots.iter().map(|snapshot| Removed {
        snapshot: Some(snapshot.id().clone()),
        sha256: snapshot.digest,
        parents: snapshot.manifest.parents.clone(),
        rule: "keep_daily".to_owned(),
    });
    let decision = Decision::Removal {
        repository: "blog".parse().unwrap(),
        snapshots: removed.collect(),
        replicas: None,
    };
    Ledger::load(&vault, &space).await.unwrap().append(&vault, &space, decision).await.unwrap();
}

#[tokio::test]
async fn a_new_replica_gets_every_snapshot_and_the_next_run_stores_nothing_again() {
    let source = Source::synthetic(120, 6);
    let backup = with_new_replica(&source).await;
    let (plan, report) = replicate(&backup).await;
    assert_eq!((plan.lost.len(), plan.unreadable.len()), (0, 0));
    let [target] = report.targets.iter().filter(|target| target.objects > 0).collect::<Vec<_>>()[..] else {
        panic!("{report:?}")
    };
    assert_eq!((target.replica.as_str(), target.snapshots.len(), target.failed.len()), ("new", 2, 0));
    let mut expected = keys(backup.stores[0].1.as_ref()).await;
    assert_eq!(keys(backup.stores[1].1.as_ref()).await, std::mem::take(&mut expected), "nothing more");
    assert_whole(&backup, "after replication").await;
    let next = backup.snapshot(&source).await.unwrap();
    assert_eq!(next.committed.on.len(), 2);
    assert_eq!(next.committed.manifest.added.packs, 0, "what was copied is known");

    let (plan, report) = replicate(&backup).await;
    assert!(plan.is_empty(), "{plan:?}");
    assert!(report.targets.iter().all(|target| target.objects == 0));
}

#[tokio::test]
async fn a_snapshot_says_when_replicating_first_would_have_been_cheaper() {
    let source = Source::synthetic(60, 4);
    let backup = with_new_replica(&source).await;
    let report = backup.snapshot(&source).await.unwrap();
    let told = report.vault_warnings.iter().find(|problem| problem.code == "stored-again");
    let told = told.unwrap_or_else(|| panic!("{:?}", report.vault_warnings));
    assert!(told.detail.contains("prismvault replicate"), "{told:?}");
    assert_eq!(
        backup.snapshot(&source).await.unwrap().vault_warnings.iter().find(|p| p.code == "stored-again"),
        None
    );
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_forecasts_what_the_real_run_takes() {
    for probed in [true, false] {
        forecasts_what_it_takes(probed).await;
    }
}

async fn forecasts_what_it_takes(probed: bool) {
    let source = Source::synthetic(120, 6);
    let mut backup = with_new_replica(&source).await;
    let (old, new) = (counted(&mut backup, 0), counted(&mut backup, 1));
    // Of stores that were never probed, signed files are read back instead of looked up.
    if probed {
        backup.probe().await;
    }
    let vault = backup.open().await.unwrap();
    old.take_counts();
    new.take_counts();
    let plan = plan(&vault, &request()).await.unwrap();
    let forecast = traffic_of(&plan, &vault);
    for (name, counts) in [("replica-0", old.take_counts()), ("new", new.take_counts())] {
        assert_eq!(counts.writes(), 0, "{name}");
        assert_eq!(forecast[name].list, counts.of(Operation::List), "{name}: LIST");
    }
    carry_out(&vault, &plan).await;
    let (old, new) = (old.take_counts(), new.take_counts());
    assert_eq!((old.writes(), new.of(Operation::Delete)), (0, 0));
    let (read, written) = (&forecast["replica-0"], &forecast["new"]);
    assert_eq!(written.put, new.of(Operation::Put));
    assert_eq!(written.objects, new.of(Operation::Put));
    assert_eq!(written.head, new.of(Operation::Head));
    // The answers of a store that is known say what a look-up would.
    assert_eq!(written.head == 0, probed);
    assert_eq!(written.get, new.of(Operation::Get));
    assert_eq!(read.get, old.of(Operation::Get) + old.of(Operation::GetRange));
    assert_eq!(read.head, old.of(Operation::Head));
    // Signed files are small and their size is not listed.
    let small = 64 << 10;
    assert!(written.bytes <= new.bytes_written && new.bytes_written <= written.bytes + small);
}

#[tokio::test]
async fn a_bucket_and_a_directory_fill_each_other() {
    let server = S3Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let local = LocalStore::create(&directory.path().join("vault")).await.unwrap();
    let stores: Vec<(String, Arc<dyn ObjectStore>)> = vec![
        ("directory".to_owned(), Arc::new(local)),
        ("bucket".to_owned(), Arc::new(connect(server.address, "vault").await)),
    ];
    let mut backup = Backup::on(stores, true, clock).await;
    backup.min_copies = Some(1);
    backup.limits.pack_bytes = 32 << 10;
    // Larger ones are passed on, into a directory and into a bucket.
    backup.limits.copy_batch_bytes = 5000;
    let source = Source::synthetic(80, 4);
    for away in [1, 0] {
        let all = backup.stores.clone();
        backup.stores.remove(away);
        source.repository.edit(0.3, 7 + away as u64).unwrap();
        backup.snapshot(&source).await.unwrap();
        backup.stores = all;
        let (_, report) = replicate(&backup).await;
        assert!(report.targets.iter().all(|target| target.failed.is_empty()), "{report:?}");
        assert_whole(&backup, "filled").await;
    }
    let (one, two) = (keys(backup.stores[0].1.as_ref()).await, keys(backup.stores[1].1.as_ref()).await);
    assert_eq!(one, two);
}

#[tokio::test]
async fn large_objects_go_through_the_spool_or_past_it_with_one_request_each() {
    let source = Source::synthetic(120, 6);
    for store_concurrency in [8, 2, 1] {
        copied_in_batches(&source, store_concurrency).await;
    }
}

async fn copied_in_batches(source: &Source, store_concurrency: usize) {
    let mut backup = with_new_replica(source).await;
    backup.limits.store_concurrency = store_concurrency;
    backup.limits.copy_batch_bytes = 1000;
    backup.limits.copy_memory_bytes = 4000;
    let old = counted(&mut backup, 0);
    let (plan, report) = replicate(&backup).await;
    assert!(report.lost.is_empty() && !plan.is_empty());
    let large: Vec<u64> =
        plan.targets.iter().flat_map(|target| &target.copies).map(|copy| copy.size).collect();
    let large = large.into_iter().filter(|size| *size > 2000).count();
    assert!(large > 5, "{large}");
    assert_eq!(old.counts().of(Operation::GetRange), large as u64, "{:?}", old.counts());
    assert_whole(&backup, "in batches").await;
    let vault = backup.open().await.unwrap();
    let spooled = std::fs::read_dir(vault.spool())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("pack-"));
    assert_eq!(spooled.count(), 0, "nothing is left in the spool");
}

#[tokio::test]
async fn a_replica_that_was_away_catches_up_also_with_what_was_removed_and_revives_nothing() {
    let source = Source::synthetic(80, 4);
    let mut backup = Backup::in_memory(3).await;
    backup.limits.pack_bytes = 16 << 10;
    backup.snapshot(&source).await.unwrap();
    let away = faulty(&mut backup, 2);
    away.set_condition(Condition::Unreachable);
    source.repository.edit(0.5, 2).unwrap();
    backup.snapshot(&source).await.unwrap();
    let first = {
        let vault = backup.open().await.unwrap();
        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        snapshots.iter().next().unwrap().clone()
    };
    remove(&backup, &[&first]).await;
    // Pruning freed it on those that were there.
    for (_, store) in &backup.stores[..2] {
        store.delete(&first.manifest.key).await.unwrap();
        store.delete(&format!("{}.minisig", first.manifest.key)).await.unwrap();
    }
    let before = keys(backup.stores[0].1.as_ref()).await;

    away.set_condition(Condition::Healthy);
    let (plan, report) = replicate(&backup).await;
    let stale = plan.targets.iter().find(|target| target.replica == "replica-2").unwrap();
    assert_eq!(stale.removed.snapshots, 1, "what it still holds is said");
    assert_eq!(stale.snapshots.len(), 1);
    assert!(report.targets.iter().all(|target| target.failed.is_empty()), "{report:?}");
    assert_eq!(keys(backup.stores[0].1.as_ref()).await, before, "nothing came back to the others");
    let ledger = backup.stores[2].1.list("ledger").await.unwrap();
    assert_eq!(ledger.len(), 2, "the removal and its signature");
    let vault = backup.open().await.unwrap();
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    assert_eq!(snapshots.iter().map(|snapshot| snapshot.on.len()).collect::<Vec<_>>(), [3]);
    assert_eq!(snapshots.removed().len(), 1);

    // It alone decides as all do, also for who never saw the others.
    backup.state = None;
    let stores = backup.stores.clone();
    backup.stores = vec![stores[2].clone()];
    let vault = backup.open().await.unwrap();
    assert_eq!(Snapshots::load(&vault, None).await.unwrap().iter().count(), 1);
}

#[tokio::test]
async fn nothing_is_copied_while_the_ledger_lacks_an_entry_that_may_be_a_removal() {
    let source = Source::synthetic(60, 2);
    let backup = with_new_replica(&source).await;
    let newest = {
        let vault = backup.open().await.unwrap();
        Snapshots::load(&vault, None).await.unwrap().iter().next().unwrap().clone()
    };
    remove(&backup, &[&newest]).await;
    for (_, store) in &backup.stores {
        for object in store.list("ledger").await.unwrap() {
            store.delete(&object.key).await.unwrap();
        }
    }
    let (plan, report) = replicate(&backup).await;
    assert!(plan.unreadable.iter().any(|problem| problem.code == "ledger-incomplete"), "{plan:?}");
    assert!(report.targets.iter().all(|target| target.objects == 0), "{report:?}");
    assert_eq!(backup.stores[1].1.list("snapshots").await.unwrap(), []);
}

#[tokio::test]
async fn a_half_copied_replica_is_noticed_and_completed() {
    for odd in [0, 1] {
        let source = Source::synthetic(120, 6);
        let mut backup = with_new_replica(&source).await;
        let all = keys(backup.stores[0].1.as_ref()).await;
        // Manifests are there, half of what they need is not.
        for (n, key) in all.iter().enumerate() {
            let bytes = backup.stores[0].1.get(key, u64::MAX).await.unwrap();
            if key.starts_with("snapshots/") || n % 2 == odd && key != "replica.json" {
                backup.stores[1].1.put(key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
            }
        }
        let found = backup.verified(Level::Presence).await;
        assert!(found.damage.iter().any(|damage| damage.kind == DamageKind::Missing), "{:?}", found.damage);
        backup.state = None;
        let (_, report) = replicate(&backup).await;
        assert!(report.targets.iter().all(|target| target.failed.is_empty()), "{report:?}");
        assert_whole(&backup, "half copied").await;
    }
}

#[tokio::test]
async fn what_an_earlier_run_left_is_confirmed_and_not_copied_again() {
    let source = Source::synthetic(120, 6);
    let mut backup = with_new_replica(&source).await;
    let packs = backup.stores[0].1.list("packs").await.unwrap();
    let old = Arc::clone(&backup.stores[0].1);
    for pack in &packs {
        let bytes = old.get(&pack.key, pack.size).await.unwrap();
        backup.stores[1].1.put(&pack.key, Body::bytes(bytes), PutMode::CreateOnly).await.unwrap();
    }
    // One of them is damaged, as a torn copy may be; stores without checksums only keep its size.
    let damaged = &packs[packs.len() / 2];
    let mut bytes = old.get(&damaged.key, damaged.size).await.unwrap().to_vec();
    bytes[0] ^= 1;
    backup.stores[1].1.put(&damaged.key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    let new = counted(&mut backup, 1);
    let vault = backup.open().await.unwrap();
    let plan = plan(&vault, &request()).await.unwrap();
    let left = plan.targets.iter().flat_map(|target| &target.copies);
    assert_eq!(left.filter(|copy| copy.how == How::Unconfirmed).count(), packs.len());
    let report = carry_out(&vault, &plan).await;
    let target = report.targets.iter().find(|target| target.replica == "new").unwrap();
    assert_eq!(target.confirmed as usize, packs.len() - 1);
    let written: u64 = packs.iter().map(|pack| pack.size).sum();
    assert!(new.counts().bytes_written < written, "packs are not sent again");
    assert_whole(&backup, "after confirming").await;
    assert_eq!(backup.stores[1].1.list("state").await.unwrap(), [], "nothing stays aside");
}

#[tokio::test]
async fn objects_of_another_vault_are_refused_and_never_spread() {
    let source = Source::synthetic(60, 4);
    let backup = with_new_replica(&source).await;
    let stranger = with_new_replica(&source).await;
    let ours = keys(backup.stores[0].1.as_ref()).await;
    let theirs = keys(stranger.stores[0].1.as_ref()).await;
    for key in theirs.difference(&ours) {
        let bytes = stranger.stores[0].1.get(key, u64::MAX).await.unwrap();
        backup.stores[0].1.put(key, Body::bytes(bytes), PutMode::CreateOnly).await.unwrap();
    }
    let (plan, report) = replicate(&backup).await;
    assert_eq!(plan.unreadable.iter().filter(|problem| problem.code == "manifest-unreadable").count(), 2);
    let target = report.targets.iter().find(|target| target.replica == "new").unwrap();
    assert_eq!((target.snapshots.len(), target.failed.len()), (2, 0), "{report:?}");
    assert_eq!(keys(backup.stores[1].1.as_ref()).await, ours, "only what is ours was copied");
}

#[tokio::test]
async fn a_replica_that_holds_another_vault_is_not_touched() {
    let source = Source::synthetic(40, 2);
    let mut backup = with_new_replica(&source).await;
    let stranger = Backup::in_memory(1).await;
    let store = Arc::clone(&stranger.stores[0].1);
    let before = keys(store.as_ref()).await;
    backup.stores.push(("stranger".to_owned(), Arc::clone(&store)));
    assert_eq!(backup.open().await.unwrap_err().kind, ErrorKind::Refused);
    assert_eq!(keys(store.as_ref()).await, before);
}

/// Cancels when so much was done.
struct StopAfter(u64, CancellationToken, std::sync::Mutex<u64>);

impl Progress for StopAfter {
    fn start(&self, _phase: Phase, _total: Option<u64>) {}
    fn advance(&self, phase: Phase, items: u64, _bytes: u64) {
        let mut done = self.2.lock().unwrap();
        *done += if phase == Phase::Replicate { items } else { 0 };
        if *done >= self.0 {
            self.1.cancel();
        }
    }
    fn finish(&self, _phase: Phase) {}
    fn problem(&self, _problem: &Problem) {}
}

#[tokio::test]
async fn who_stops_it_finds_whole_objects_and_the_next_run_goes_on() {
    let source = Source::synthetic(80, 4);
    let mut backup = with_new_replica(&source).await;
    backup.limits.copies_in_flight = 2;
    for after in [1, 4, 7] {
        let vault = backup.open().await.unwrap();
        let plan = plan(&vault, &request()).await.unwrap();
        let cancel = CancellationToken::new();
        let stop = StopAfter(after, cancel.clone(), Default::default());
        let report = apply(&vault, &plan, &stop, &cancel).await.unwrap();
        assert!(report.interrupted, "after {after}");
        assert!(report.targets.iter().all(|target| target.failed.is_empty()), "{report:?}");
        assert_eq!(backup.stores[1].1.list("snapshots").await.unwrap(), []);
    }
    let (_, report) = replicate(&backup).await;
    assert!(!report.interrupted);
    assert_whole(&backup, "stopped three times").await;
}

/// Notes the bytes of each object that was copied.
#[derive(Debug, Default)]
struct CopiedBytes(std::sync::Mutex<Vec<u64>>);

impl Progress for CopiedBytes {
    fn start(&self, _phase: Phase, _total: Option<u64>) {}
    fn advance(&self, phase: Phase, _items: u64, bytes: u64) {
        if phase == Phase::Replicate {
            self.0.lock().unwrap().push(bytes);
        }
    }
    fn finish(&self, _phase: Phase) {}
    fn problem(&self, _problem: &Problem) {}
}

#[tokio::test]
async fn the_largest_packs_are_begun_first() {
    let source = Source::synthetic(80, 4);
    let mut backup = with_new_replica(&source).await;
    backup.limits.copies_in_flight = 1;
    let vault = backup.open().await.unwrap();
    let plan = plan(&vault, &request()).await.unwrap();
    let copied = CopiedBytes::default();
    apply(&vault, &plan, &copied, &CancellationToken::new()).await.unwrap();
    let packs = backup.stores[1].1.list("packs").await.unwrap();
    let listed: Vec<u64> = packs.iter().map(|object| object.size).collect();
    let mut sorted = listed.clone();
    sorted.sort_unstable_by_key(|size| std::cmp::Reverse(*size));
    assert!(listed.len() > 3, "{listed:?}");
    let copied = copied.0.into_inner().unwrap();
    assert!(copied.windows(sorted.len()).any(|some| some == sorted), "{copied:?} without {sorted:?}");
}

#[tokio::test]
async fn a_snapshot_whose_packs_are_about_to_be_pruned_waits() {
    let source = Source::synthetic(40, 2);
    let backup = with_new_replica(&source).await;
    replicate(&backup).await;
    let vault = backup.open().await.unwrap();
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let newest = snapshots.iter().last().unwrap().clone();
    let new = Arc::clone(&backup.stores[1].1);
    new.delete(&newest.manifest.key).await.unwrap();
    let space: prismvault::ids::Name = "blog".parse().unwrap();
    let loaded = Space::load(&vault, &space).await.unwrap();
    let id = prismvault::ids::SnapshotId::new(backup.clock.now());
    let mark = prismvault::vault::format::mark::Mark {
        kind: prismvault::vault::format::mark::KIND.to_owned(),
        format: 1,
        vault: vault.file.vault,
        key: prismvault::vault::layout::mark(&space, &id),
        space: space.clone(),
        id,
        replica: vault.replicas.all()[1].id().unwrap(),
        packs: loaded.index.packs().iter().map(|pack| pack.id).collect(),
        indexes: Vec::new(),
        headers: Vec::new(),
        manifests: Vec::new(),
    };
    marks::write(&vault, &vault.replicas.all()[1], &mark).await.unwrap();
    let (plan, report) = replicate(&backup).await;
    let target = plan.targets.iter().find(|target| target.replica == "new").unwrap();
    assert_eq!((target.waiting.len(), target.snapshots.len()), (1, 0), "{plan:?}");
    assert!(target.waiting[0].why.contains("prismvault prune"));
    assert!(report.targets.iter().all(|target| target.snapshots.is_empty()));
    new.delete(&mark.key).await.unwrap();
    replicate(&backup).await;
    assert_whole(&backup, "the mark is gone").await;
}

#[tokio::test]
async fn only_the_named_replicas_repositories_and_source_take_part() {
    let source = Source::synthetic(40, 2);
    let backup = with_new_replica(&source).await;
    let vault = backup.open().await.unwrap();
    let nothing = Request { to: vec!["replica-0".to_owned()], ..request() };
    assert!(plan(&vault, &nothing).await.unwrap().is_empty());
    let nothing = Request { from: Some("new".to_owned()), ..request() };
    let from_empty = plan(&vault, &nothing).await.unwrap();
    assert!(from_empty.targets.iter().all(|target| target.snapshots.is_empty()), "{from_empty:?}");
    let nothing = Request { repositories: vec!["shop".parse().unwrap()], ..request() };
    assert!(plan(&vault, &nothing).await.unwrap().is_empty());
    let wrong = Request { to: vec!["nowhere".to_owned()], ..request() };
    let error = plan(&vault, &wrong).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.next_step().unwrap().contains("replica-0, new"), "{error}");
    let all = Request {
        to: vec!["new".to_owned()],
        from: Some("replica-0".to_owned()),
        repositories: vec!["blog".parse().unwrap()],
        ..request()
    };
    let all = plan(&vault, &all).await.unwrap();
    assert_eq!(all.targets.iter().map(|target| target.snapshots.len()).sum::<usize>(), 2);

    let alone = Backup::in_memory(1).await;
    let vault = alone.open().await.unwrap();
    assert_eq!(plan(&vault, &request()).await.unwrap_err().kind, ErrorKind::Refused);
}

#[tokio::test]
async fn a_store_whose_clock_is_a_day_off_is_brought_up_to_date_all_the_same() {
    let source = Source::synthetic(40, 2);
    let mut backup = with_new_replica(&source).await;
    let slow = Arc::new(ManualClock::new(backup.clock.now() - chrono::TimeDelta::days(1)));
    let store = MemoryStore::new("new", slow);
    copy_objects(backup.stores[1].1.as_ref(), &store).await;
    backup.stores[1].1 = Arc::new(store);
    let (_, report) = replicate(&backup).await;
    assert!(report.targets.iter().all(|target| target.failed.is_empty()), "{report:?}");
    assert_whole(&backup, "clocks decide nothing here").await;
}
