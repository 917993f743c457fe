//! What orders of erasure name goes from every replica, and all else stays: after kills, behind locks, on
//! replicas that were away.

use std::sync::Arc;

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, SystemClock};
use prismvault::objects::faults::{CrashPoint, CrashSwitch, FaultStore};
use prismvault::privacy::erasure::carry_out::carry_out;
use prismvault::progress::Silent;
use prismvault::vault::envelope;
use prismvault::vault::erasure::destroy::destroy;
use prismvault::vault::erasure::rewrite::{Rewritten, rewrite};
use prismvault::vault::format::receipt::Receipt;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::backups::{Stores, as_stores, copy_stores};
use crate::hidden::RULE;

pub(super) async fn rewritten(vault: &Vault) -> Result<Rewritten, VaultError> {
    rewrite(vault, &blog(), &Silent, &CancellationToken::new()).await
}

pub(super) async fn destroyed(vault: &Vault) -> Result<Vec<Destroyed>, VaultError> {
    destroy(vault, &blog(), &Silent, &CancellationToken::new()).await
}

impl Scene {
    /// Keys of the pack with the first item, of its headers and of the index objects that describe it.
    pub(super) async fn doomed(&self) -> (String, Vec<String>) {
        let opened = self.open().await;
        let space = Space::load(&opened, &blog()).await.unwrap();
        let places: Vec<_> = space.index.locations(&self.items[0]).collect();
        let [place] = &places[..] else { panic!("it is in one pack") };
        let pack = &space.index.packs()[place.pack as usize];
        let all = self.vault.keys("").await;
        let id = pack.id.to_string();
        let of_index = |key: &&String| pack.indexed_by.iter().any(|index| key.ends_with(&index.to_string()));
        let doomed: Vec<String> =
            all.iter().filter(|key| key.contains(&id) || of_index(key)).cloned().collect();
        assert!(doomed.len() >= 2, "{doomed:?}");
        (doomed.iter().find(|key| key.starts_with("packs/")).unwrap().clone(), doomed)
    }

    /// Whether every snapshot is as it is to be, and says who cannot be missed.
    pub(super) async fn assert_sound(&self, case: &str) {
        assert_eq!(self.reads(0).await.unwrap(), MASKED, "{case}");
        assert_eq!(self.reads(2).await.unwrap(), OTHERWISE, "{case}");
        let opened = self.open().await;
        let space = Space::load(&opened, &blog()).await.unwrap();
        let reader = Reader::new(&opened, &space);
        for manifest in &self.snapshots {
            let found =
                tree::find::<CatalogEntry>(&reader, &manifest.catalog, OTHER.0).await.unwrap().unwrap();
            assert_eq!(reader.bytes(found.item).await.unwrap(), OTHER.2, "{case}");
        }
        let report = self.vault.backup.verified(Level::Content).await;
        assert_eq!(report.damage, [], "{case}");
    }

    pub(super) async fn receipts(&self) -> Vec<Receipt> {
        let ledger = Ledger::load(&*self.open().await, &blog()).await.unwrap();
        let orders = ledger.erased().orders().to_vec();
        orders.iter().flat_map(|known| ledger.erased().receipts(known.digest).cloned()).collect()
    }

    pub(super) async fn list(&self, replica: usize) -> BTreeSet<String> {
        let store = &self.vault.stores[replica];
        store.list("").await.unwrap().into_iter().map(|object| object.key).collect()
    }
}

#[tokio::test]
async fn an_erased_item_goes_from_every_replica_and_what_lay_beside_it_stays() {
    let scene = Scene::new().await;
    scene.erase(&[(0, 1)]).await;
    let (_, doomed) = scene.doomed().await;
    let signatures = |keys: BTreeSet<String>| -> Vec<String> {
        keys.into_iter().filter(|key| key.starts_with("snapshots/")).collect()
    };
    let manifests = signatures(scene.list(0).await);

    let opened = scene.open().await;
    let early = destroyed(&opened).await.unwrap();
    assert!(early.iter().all(|replica| replica.bodies == 0 && replica.blocked.len() == 1), "{early:?}");
    scene.assert_sound("before").await;

    let report = rewritten(&opened).await.unwrap();
    assert_eq!((report.packs, report.new_packs, report.items, report.emptied), (1, 1, 1, 0), "{report:?}");
    assert!(report.is_complete());
    scene.assert_sound("rewritten").await;
    let again = rewritten(&opened).await.unwrap();
    assert_eq!((again.packs, again.new_packs, again.done_before, again.written), (1, 0, 1, 0), "{again:?}");

    let report = destroyed(&opened).await.unwrap();
    assert_eq!(report.len(), 2);
    for replica in &report {
        assert_eq!((replica.headers, replica.bodies, replica.indexes), (1, 1, 1), "{replica:?}");
        assert!(replica.is_complete());
    }
    for replica in [0, 1] {
        let left = scene.list(replica).await;
        assert!(doomed.iter().all(|key| !left.contains(key)), "{left:?}");
    }
    scene.assert_sound("destroyed").await;
    assert_eq!(signatures(scene.list(0).await), manifests);
    let receipts = scene.receipts().await;
    let last: Vec<_> = receipts.iter().filter(|receipt| receipt.gone.is_some()).collect();
    assert_eq!(last.len(), 2);
    assert!(last.iter().all(|receipt| receipt.unreadable.is_some() && receipt.pending == 0));

    // Nothing is left to do, and nothing more is said.
    let report = destroyed(&opened).await.unwrap();
    assert!(report.iter().all(|replica| (replica.bodies, replica.indexes) == (0, 0)));
    assert_eq!(scene.receipts().await.len(), receipts.len());
}

/// Keys of the packs that stay and hold an item, with their headers.
async fn packs_with(scene: &Scene, item: ItemId) -> Vec<String> {
    let opened = scene.open().await;
    let space = Space::load(&opened, &blog()).await.unwrap();
    let places: Vec<_> = space.index.locations(&item).collect();
    let stay = places.iter().filter(|place| !space.is_retired(place.pack));
    let ids: Vec<String> =
        stay.map(|place| space.index.packs()[place.pack as usize].id.to_string()).collect();
    assert!(!ids.is_empty(), "it is in some pack");
    let all = scene.list(0).await;
    all.into_iter().filter(|key| ids.iter().any(|id| key.contains(id))).collect()
}

#[tokio::test]
async fn a_pack_stays_on_a_replica_that_lacks_what_was_written_for_it() {
    let scene = Scene::new().await;
    scene.erase(&[(0, 1)]).await;
    let (body, doomed) = scene.doomed().await;
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    // What lay beside the erased item is in the new pack, which one replica loses.
    let manifest = &scene.snapshots[0];
    let space = Space::load(&opened, &blog()).await.unwrap();
    let reader = Reader::new(&opened, &space);
    let beside = tree::find::<CatalogEntry>(&reader, &manifest.catalog, OTHER.0).await.unwrap().unwrap();
    for key in packs_with(&scene, beside.item).await {
        scene.vault.stores[1].delete(&key).await.unwrap();
    }
    let report = destroyed(&*scene.open().await).await.unwrap();
    assert!(report[0].is_complete() && report[0].bodies == 1, "{report:?}");
    let [blocked] = &report[1].blocked[..] else { panic!("{report:?}") };
    assert!(blocked.subject == body && blocked.detail.contains("are in no other pack"), "{blocked:?}");
    assert_eq!((report[1].headers, report[1].bodies, report[1].indexes), (0, 0, 0));
    let there = scene.list(1).await;
    assert!(doomed.iter().all(|key| there.contains(key)), "nothing of it went");
    let last = scene.receipts().await.into_iter().last().unwrap();
    assert!(last.gone.is_none() && last.unreadable.is_none() && last.pending == 1, "{last:?}");
    // What is on that replica alone still reads as it is to.
    let opened = scene.open().await;
    assert!(rewritten(&opened).await.unwrap().is_complete());
    let report = destroyed(&opened).await.unwrap();
    assert!(report.iter().all(Destroyed::is_complete), "{report:?}");
    scene.assert_sound("mended").await;
}

#[tokio::test]
async fn a_pack_stays_on_a_replica_that_lacks_what_is_read_in_its_place() {
    let scene = Scene::new().await;
    scene.erase(&[(0, 1)]).await;
    let (body, doomed) = scene.doomed().await;
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    for key in packs_with(&scene, scene.items[1]).await {
        scene.vault.stores[1].delete(&key).await.unwrap();
    }
    let report = destroyed(&*scene.open().await).await.unwrap();
    assert!(report[0].is_complete() && report[0].bodies == 1, "{report:?}");
    let [blocked] = &report[1].blocked[..] else { panic!("{report:?}") };
    assert!(blocked.subject == body && blocked.detail.contains("read in the place"), "{blocked:?}");
    let there = scene.list(1).await;
    assert!(doomed.iter().all(|key| there.contains(key)), "nothing of it went");

    // One command brings it, and goes on.
    let opened = scene.open().await;
    let cancel = CancellationToken::new();
    let done = carry_out(&opened, [blog()], &Silent, &cancel).await.unwrap();
    assert!(done.is_complete(), "{done:?}");
    let there = scene.list(1).await;
    assert!(doomed.iter().all(|key| !there.contains(key)), "{there:?}");
    scene.assert_sound("brought").await;
}

#[tokio::test]
async fn what_contradicts_itself_is_not_destroyed() {
    let scene = Scene::new().await;
    let ledger = Ledger::load(&*scene.open().await, &blog()).await.unwrap();
    for other in [1, 2] {
        let decision = scene.approved(scene.order(&[(0, other)]).await, &[1]);
        scene.vault.backup.clock.advance(TimeDelta::seconds(1));
        ledger.append(&*scene.open().await, &blog(), decision).await.unwrap();
    }
    let (_, doomed) = scene.doomed().await;
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    let report = destroyed(&opened).await.unwrap();
    for (at, replica) in report.iter().enumerate() {
        assert!(replica.bodies == 0 && replica.blocked[0].detail.contains("contradict"), "{replica:?}");
        let there = scene.list(at).await;
        assert!(doomed.iter().all(|key| there.contains(key)));
    }
    // One that knows of both decides.
    scene.erase(&[(0, 2)]).await;
    let report = destroyed(&*scene.open().await).await.unwrap();
    assert!(report.iter().all(Destroyed::is_complete), "{report:?}");
    assert_eq!(scene.reads(0).await.unwrap(), OTHERWISE);
}

#[tokio::test]
async fn a_pack_of_which_nothing_stays_is_not_written_again() {
    let scene = Scene::new().await;
    // The pack of the second snapshot holds the changed document alone.
    scene.erase(&[(1, 2)]).await;
    let opened = scene.open().await;
    let report = rewritten(&opened).await.unwrap();
    assert_eq!((report.packs, report.emptied, report.new_packs), (1, 1, 0), "{report:?}");
    let report = destroyed(&opened).await.unwrap();
    assert!(report.iter().all(|replica| replica.bodies == 1 && replica.is_complete()), "{report:?}");
    assert_eq!(scene.reads(1).await.unwrap(), OTHERWISE);
    assert_eq!(scene.reads(0).await.unwrap(), NAMED);
    assert_eq!(scene.vault.backup.verified(Level::Content).await.damage, []);
}

#[tokio::test]
async fn who_cannot_read_content_rewrites_nothing() {
    let scene = Scene::new().await;
    scene.erase(&[(0, 1)]).await;
    let before = scene.list(0).await;
    let host = scene.vault.backup.open().await.unwrap();
    assert_eq!(rewritten(&host).await.unwrap_err().kind, ErrorKind::Identity);
    assert_eq!(scene.list(0).await, before);
    // Once somebody has, the host with the maintenance key destroys without reading.
    rewritten(&*scene.open().await).await.unwrap();
    let report = destroyed(&host).await.unwrap();
    assert!(report.iter().all(|replica| replica.bodies == 1 && replica.is_complete()), "{report:?}");
    scene.assert_sound("destroyed").await;
}

#[tokio::test]
async fn nothing_of_it_is_left_in_a_vault_without_encryption() {
    let scene = Scene::on(TestVault::new(2, false).await).await;
    let name = b"Nora Vale";
    let holds = async |scene: &Scene| -> usize {
        let mut holding = 0;
        for store in &scene.vault.stores {
            for object in store.list("").await.unwrap() {
                let bytes = store.get(&object.key, 1 << 30).await.unwrap();
                let plain = zstd::stream::decode_all(&bytes[..]).unwrap_or_else(|_| bytes.to_vec());
                holding += usize::from(plain.windows(name.len()).any(|window| window == name));
            }
        }
        holding
    };
    assert_eq!(holds(&scene).await, 2, "what is looked for is found where it is");
    scene.erase(&[(0, 1)]).await;
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    let report = destroyed(&opened).await.unwrap();
    assert!(report.iter().all(|replica| (replica.headers, replica.bodies) == (0, 1)), "{report:?}");
    assert_eq!(holds(&scene).await, 0);
    scene.assert_sound("destroyed").await;
    assert!(scene.receipts().await.iter().all(|receipt| receipt.unreadable.is_none()));
}

#[tokio::test]
async fn a_header_that_somebody_put_there_goes_as_well() {
    let scene = Scene::new().await;
    scene.erase(&[(0, 1)]).await;
    let (body, _) = scene.doomed().await;
    let pack = body.rsplit('/').next().unwrap();
    let extra = envelope::seal(b"x", &[scene.vault.backup.operator.recipient()]).unwrap();
    let key = format!("keys/blog/{pack}.{}", Digest::of(&extra));
    scene.vault.stores[1].put(&key, Body::bytes(extra), PutMode::CreateOnly).await.unwrap();
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    destroyed(&opened).await.unwrap();
    assert!(!scene.list(1).await.iter().any(|key| key.contains(pack)));
}

#[tokio::test]
async fn after_a_kill_at_any_write_the_same_commands_finish() {
    let mut scene = Scene::new().await;
    scene.vault.backup.state = None;
    scene.erase(&[(0, 1)]).await;
    let (_, doomed) = scene.doomed().await;
    let stores: Stores = scene.vault.backup.stores.clone();
    let both = async |scene: &Scene| -> Result<(), VaultError> {
        let opened = scene.open().await;
        rewritten(&opened).await?;
        let report = destroyed(&opened).await?;
        assert!(report.iter().all(Destroyed::is_complete), "{report:?}");
        Ok(())
    };
    let dying = |stores: &Stores, switch: &CrashSwitch| -> Stores {
        let faulty = |(name, store): &(String, Arc<dyn ObjectStore>)| {
            let faulty: Arc<dyn ObjectStore> =
                Arc::new(FaultStore::new(Arc::clone(store)).with_crash(switch.clone()));
            (name.clone(), faulty)
        };
        stores.iter().map(faulty).collect()
    };
    let mut writes = 0;
    let mut point = 1;
    loop {
        let copies = copy_stores(&stores, &scene.vault.backup.clock).await;
        let point_of =
            if point % 2 == 0 { CrashPoint::Before(point / 2) } else { CrashPoint::After(point / 2 + 1) };
        let switch = CrashSwitch::at(point_of);
        scene.vault.backup.stores = dying(&as_stores(&copies), &switch);
        let dies = both(&scene).await;
        if !switch.has_crashed() {
            dies.unwrap();
            break;
        }
        writes = writes.max(switch.writes());
        scene.vault.backup.stores = as_stores(&copies);
        let case = format!("{point_of:?}");
        scene.vault.backup.clock.advance(TimeDelta::seconds(1));
        both(&scene).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        scene.vault.stores = copies.iter().map(|(_, store)| store.clone()).collect();
        scene.assert_sound(&case).await;
        for replica in [0, 1] {
            let left = scene.list(replica).await;
            assert!(doomed.iter().all(|key| !left.contains(key)), "{case}: {left:?}");
        }
        point += 1;
    }
    assert!(writes >= 12, "packs, index, headers, bodies and receipts on two replicas: {writes}");
}

#[tokio::test]
async fn what_a_lock_keeps_goes_when_it_ends() {
    let scene = Scene::on(TestVault::locked(SystemClock.now(), 1, RULE).await).await;
    scene.erase(&[(0, 1)]).await;
    let (_, doomed) = scene.doomed().await;
    let opened = scene.open().await;
    rewritten(&opened).await.unwrap();
    let report = destroyed(&opened).await.unwrap();
    assert_eq!(report[0].pending.len(), doomed.len(), "{report:?}");
    assert!(report[0].pending.iter().all(|left| left.until.is_some()), "{report:?}");
    let receipts = scene.receipts().await;
    let last = receipts.last().unwrap();
    assert!(last.gone.is_none() && last.unreadable.is_none() && last.pending == doomed.len() as u64);
    // The same once more says nothing new.
    destroyed(&opened).await.unwrap();
    assert_eq!(scene.receipts().await.len(), receipts.len());
    scene.assert_sound("locked").await;

    scene.vault.backup.clock.advance(TimeDelta::days(15));
    let opened = scene.open().await;
    let report = destroyed(&opened).await.unwrap();
    assert!(report[0].is_complete(), "{report:?}");
    let versions = scene.vault.stores[0].list_versions("").await.unwrap();
    assert!(versions.iter().all(|version| !doomed.contains(&version.key)), "no version is left");
    let receipts = scene.receipts().await;
    assert!(receipts.last().is_some_and(|last| last.gone.is_some() && last.unreadable.is_some()));
    scene.assert_sound("gone").await;
}
