//! Orders of erasure: what old snapshots read as under them, and which of them count.

use std::collections::BTreeSet;
use std::sync::Arc;

use prismvault::clock::{Clock as _, rfc3339};
use prismvault::ids::{CaseId, Digest, ItemId, Name};
use prismvault::keys::Change;
use prismvault::objects::{Body, ObjectStore, PutMode};
use prismvault::restore::cat;
use prismvault::vault::envelope::Identity;
use prismvault::vault::erasure::destroy::Destroyed;
use prismvault::vault::error::{ErrorKind, VaultError};
use prismvault::vault::format::catalog::CatalogEntry;
use prismvault::vault::format::ledger::Decision;
use prismvault::vault::format::manifest::Manifest;
use prismvault::vault::format::order::{self, Approval, Order, Replaced};
use prismvault::vault::format::trust::Role;
use prismvault::vault::item::ItemKind;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::needs::Needs;
use prismvault::vault::open::Vault;
use prismvault::vault::reader::Reader;
use prismvault::vault::signing::SigningKey;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::vault::tree;
use prismvault::verification::Level;

use crate::keys::{all, change, enter};
use crate::restore::with_snapshot;
use crate::vaults::TestVault;

mod corpus;
mod destruction;
mod drills;
mod holds;
mod live;
mod planning;
mod promises;
mod proof;
mod rectification;
mod replays;
mod restriction;

const PATH: &str = "documents/en-us/page/A.json";
const NAMED: &[u8] = br#"{"id":"A","by":"Nora Vale"}"#;
const MASKED: &[u8] = br#"{"id":"A","by":"(erased)"}"#;
const OTHERWISE: &[u8] = br#"{"id":"A","by":"(gone)"}"#;
const OTHER: (&str, ItemKind, &[u8]) = ("documents/en-us/page/B.json", ItemKind::Document, br#"{"id":"B"}"#);

fn blog() -> Name {
    "blog".parse().unwrap()
}

/// A vault with snapshots of one document as it was, and as others are to read it; and privacy keys.
struct Scene {
    vault: TestVault,
    snapshots: Vec<Manifest>,
    items: Vec<ItemId>,
    /// Of the planner and of two who approve.
    people: Vec<SigningKey>,
}

impl Scene {
    async fn new() -> Self {
        Self::on(TestVault::new(2, true).await).await
    }

    async fn on(vault: TestVault) -> Self {
        let people: Vec<SigningKey> = (0..3).map(|_| SigningKey::generate()).collect();
        let changes: Vec<Change> =
            people.iter().map(|key| Change::SetSigner(key.public().clone(), vec![Role::Privacy])).collect();
        change(&vault.backup, &all(&vault.backup), None, &changes).await.unwrap();
        let (mut snapshots, mut items) = (Vec::new(), Vec::new());
        for bytes in [NAMED, MASKED, OTHERWISE] {
            let manifest = vault.snapshot("blog", &[(PATH, ItemKind::Document, bytes), OTHER]).await;
            let opened = vault.backup.open().await.unwrap();
            let space = Space::load(&opened, &blog()).await.unwrap();
            items.push(entry(&Reader::new(&opened, &space), &manifest).await.unwrap().item);
            snapshots.push(manifest);
        }
        Self { vault, snapshots, items, people }
    }

    /// The text of an order that replaces one of the items by another.
    async fn order(&self, replaced: &[(usize, usize)]) -> String {
        let opened = self.open().await;
        let by = |number: usize| [NAMED, MASKED, OTHERWISE][number].len() as u64;
        let order = Order {
            kind: order::KIND.to_owned(),
            format: 1,
            vault: opened.file.vault,
            space: blog(),
            case: CaseId::new(2026),
            planned: rfc3339(self.vault.backup.clock.now()),
            planned_by: self.people[0].public().clone(),
            plan: Digest([7; 32]),
            items: replaced
                .iter()
                .map(|(id, other)| Replaced {
                    id: self.items[*id],
                    change: order::Change::Masked,
                    by: self.items[*other],
                    size: by(*other),
                })
                .collect(),
            packs: Vec::new(),
        };
        serde_json::to_string_pretty(&order).unwrap()
    }

    fn approved(&self, order: String, by: &[usize]) -> Decision {
        let approval = |person: &usize| {
            let key = &self.people[*person];
            Approval { key: key.public().clone(), signature: key.sign(order.as_bytes(), "erasure order") }
        };
        let approvals = by.iter().map(approval).collect();
        Decision::Erasure { order, approvals }
    }

    async fn decide(&self, decision: Decision) {
        let opened = self.open().await;
        let ledger = Ledger::load(&opened, &blog()).await.unwrap();
        self.vault.backup.clock.advance(chrono::TimeDelta::seconds(1));
        ledger.append(&opened, &blog(), decision).await.unwrap();
    }

    async fn erase(&self, replaced: &[(usize, usize)]) {
        let order = self.order(replaced).await;
        self.decide(self.approved(order, &[1])).await;
    }

    async fn open(&self) -> Arc<Vault> {
        self.vault.reopen_with(self.readers()).await
    }

    /// Identities that read catalogs and content.
    fn readers(&self) -> Vec<Identity> {
        vec![self.vault.backup.operator.clone(), self.vault.backup.recovery.clone()]
    }

    /// What a snapshot says that the document is.
    async fn reads(&self, snapshot: usize) -> Result<Vec<u8>, VaultError> {
        let opened = self.open().await;
        let space = Space::load(&opened, &blog()).await?;
        let reader = Reader::new(&opened, &space);
        let entry = entry(&reader, &self.snapshots[snapshot]).await?;
        let bytes = reader.bytes(entry.item).await?;
        assert_eq!(bytes.len() as u64, entry.size, "the catalog says its size");
        Ok(bytes.to_vec())
    }

    async fn unreadable(&self) -> usize {
        Ledger::load(&*self.open().await, &blog()).await.unwrap().unreadable.len()
    }
}

/// The entry of the document, found by its path; the same as that among all.
async fn entry(reader: &Reader<'_>, manifest: &Manifest) -> Result<CatalogEntry, VaultError> {
    let entries: Vec<CatalogEntry> = tree::read_all(reader, &manifest.catalog).await?;
    let found = tree::find::<CatalogEntry>(reader, &manifest.catalog, PATH).await?.unwrap();
    assert!(entries.contains(&found));
    Ok(found)
}

#[tokio::test]
async fn snapshots_read_what_stands_in_the_place_of_an_erased_item() {
    let scene = Scene::new().await;
    assert_eq!(scene.reads(0).await.unwrap(), NAMED);
    scene.erase(&[(0, 1)]).await;
    assert_eq!(scene.reads(0).await.unwrap(), MASKED);
    assert_eq!(scene.reads(2).await.unwrap(), OTHERWISE);

    // The pack still lies there, and nobody gets the item out of it.
    let opened = scene.open().await;
    let space = Space::load(&opened, &blog()).await.unwrap();
    let reader = Reader::new(&opened, &space);
    assert_eq!(reader.bytes(scene.items[0]).await.unwrap_err().kind, ErrorKind::Erased);
    let mut read = Vec::new();
    let done: Result<(), VaultError> = reader
        .for_each(scene.items.clone(), async |id, data| {
            read.push((id, data.map(drop).map_err(|error| error.kind)));
            Ok(())
        })
        .await;
    done.unwrap();
    read.sort_by_key(|(id, _)| scene.items.iter().position(|item| item == id));
    let kinds: Vec<_> = read.into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(kinds, [Err(ErrorKind::Erased), Ok(()), Ok(())]);

    // It is not lost, and the old snapshot needs what is read in its place.
    let mut needs = Needs::with_items(&reader, &space);
    let needed = needs.of(&scene.snapshots[0]).await.unwrap();
    assert!(needed.lost().is_empty());
    let items = needs.items();
    assert!(!items.contains(&scene.items[0]) && items.contains(&scene.items[1]));
    let report = scene.vault.backup.verified(Level::Content).await;
    assert_eq!(report.damage, []);

    // A command reads no other.
    let text = with_snapshot!(scene.open().await, &scene.snapshots[0], |snapshot| cat(&snapshot, PATH).await);
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut text.unwrap().data.reader().unwrap(), &mut bytes).unwrap();
    assert_eq!(bytes, MASKED);

    // What stands in its place may be erased in its turn.
    scene.erase(&[(1, 2)]).await;
    assert_eq!(scene.reads(0).await.unwrap(), OTHERWISE);
    assert_eq!(scene.reads(1).await.unwrap(), OTHERWISE);
}

#[tokio::test]
async fn what_was_erased_is_stored_anew_where_it_is_live_again() {
    let scene = Scene::new().await;
    scene.erase(&[(0, 1)]).await;
    let again = scene.vault.snapshot("blog", &[(PATH, ItemKind::Document, NAMED), OTHER]).await;
    let opened = scene.open().await;
    let space = Space::load(&opened, &blog()).await.unwrap();
    let reader = Reader::new(&opened, &space);
    let now = entry(&reader, &again).await.unwrap();
    assert_ne!(now.item, scene.items[0], "its fingerprint leads to nothing that is read no more");
    assert_eq!(reader.bytes(now.item).await.unwrap(), NAMED);
    assert_eq!(scene.reads(0).await.unwrap(), MASKED);
}

#[tokio::test]
async fn an_order_counts_only_with_approvals_by_others_than_its_planner() {
    let scene = Scene::new().await;
    let order = scene.order(&[(0, 1)]).await;
    let another = scene.order(&[(0, 2)]).await;
    let host = SigningKey::parse(&scene.vault.backup.signing).unwrap();
    let stranger = SigningKey::generate();
    let by = |key: &SigningKey, text: &str| Approval {
        key: key.public().clone(),
        signature: key.sign(text.as_bytes(), "erasure order"),
    };
    let with = |approvals: Vec<Approval>| Decision::Erasure { order: order.clone(), approvals };
    let no_order = |text: &str| Decision::Erasure {
        order: text.to_owned(),
        approvals: vec![by(&scene.people[1], text)],
    };
    let of_another_space = order.replace("\"space\": \"blog\"", "\"space\": \"shop\"");
    let refused = [
        with(vec![]),
        with(vec![by(&scene.people[0], &order)]),
        with(vec![by(&host, &order)]),
        with(vec![by(&stranger, &order)]),
        with(vec![by(&scene.people[1], &another)]),
        no_order("{}"),
        no_order("not JSON"),
        no_order(&of_another_space),
    ];
    for (number, decision) in refused.into_iter().enumerate() {
        enter(&scene.vault.backup, &host, decision).await;
        scene.vault.backup.clock.advance(chrono::TimeDelta::seconds(1));
        assert_eq!(scene.reads(0).await.unwrap(), NAMED, "{number}");
        assert_eq!(scene.unreadable().await, number + 1);
    }
    // One that is good counts beside them.
    scene.decide(scene.approved(order, &[1])).await;
    assert_eq!(scene.reads(0).await.unwrap(), MASKED);
}

#[tokio::test]
async fn a_key_that_may_approve_no_more_makes_no_new_order_count() {
    let scene = Scene::new().await;
    let (order, other) = (scene.order(&[(0, 1)]).await, scene.order(&[(1, 2)]).await);
    scene.decide(scene.approved(order, &[1])).await;
    // That another entry names it, as every later one does, is not enough: the host signs those.
    scene.decide(Decision::AcceptedGap { repository: blog(), path: "x".into(), reason: "gone".into() }).await;
    let leaves = [Change::Remove(scene.people[1].public().to_string())];
    let backup = &scene.vault.backup;
    let nobody = change(backup, &all(backup), None, &leaves).await.unwrap_err();
    assert_eq!(nobody.kind, ErrorKind::Identity, "somebody must vouch for the order: {nobody}");
    change(backup, &all(backup), Some(&scene.people[2]), &leaves).await.unwrap();
    assert_eq!(scene.reads(0).await.unwrap(), MASKED, "what was approved then stays so");
    let host = SigningKey::parse(&backup.signing).unwrap();
    let forged = enter(backup, &host, scene.approved(other, &[1])).await;
    backup.clock.advance(chrono::TimeDelta::seconds(1));
    enter(backup, &host, Decision::Endorsement { files: vec![forged] }).await;
    assert_eq!(scene.reads(0).await.unwrap(), MASKED);
    assert_eq!(scene.unreadable().await, 1);
}

#[tokio::test]
async fn orders_that_contradict_each_other_or_go_round_are_no_way_to_read() {
    let scene = Scene::new().await;
    // Two hosts that did not see each other's order.
    let ledger = Ledger::load(&*scene.open().await, &blog()).await.unwrap();
    for other in [1, 2] {
        let decision = scene.approved(scene.order(&[(0, other)]).await, &[1]);
        scene.vault.backup.clock.advance(chrono::TimeDelta::seconds(1));
        ledger.append(&*scene.open().await, &blog(), decision).await.unwrap();
    }
    assert_eq!(scene.reads(0).await.unwrap_err().kind, ErrorKind::Integrity);
    assert_eq!(scene.reads(1).await.unwrap(), MASKED, "others are read");
    // One that knows of both decides.
    scene.erase(&[(0, 2)]).await;
    assert_eq!(scene.reads(0).await.unwrap(), OTHERWISE);

    scene.erase(&[(2, 0)]).await;
    assert_eq!(scene.reads(0).await.unwrap_err().kind, ErrorKind::Integrity, "a circle");
}

#[tokio::test]
async fn without_an_order_that_others_name_nothing_is_read() {
    let scene = Scene::new().await;
    scene.erase(&[(0, 1)]).await;
    scene.vault.snapshot("blog", &[OTHER]).await;
    for key in scene.vault.keys("ledger").await {
        scene.vault.lose(&key).await;
    }
    let opened = scene.open().await;
    let snapshots = Snapshots::load(&opened, None).await.unwrap();
    let opened = prismvault::restore::OpenSnapshot::open(&opened, &snapshots, &scene.snapshots[0]).await;
    assert!(opened.is_err(), "the entry may forbid it");
}
