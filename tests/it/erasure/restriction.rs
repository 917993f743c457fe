//! What is under restriction is stored, checked and copied, and handed to nobody but who answers the person;
//! lifted, it reads as before.

use prismvault::diff::{DiffOptions, compare_snapshots};
use prismvault::privacy::erasure::plan::{PlanError, Purpose};
use prismvault::privacy::search::FoundItem;
use prismvault::progress::Silent;
use prismvault::restore::{
    ExportOptions, OpenSnapshot, OverwriteMode, RestoreOptions, Selection, export, restore_files,
};
use prismvault::standby::Heads;
use prismvault::vault::format::manifest::Status;
use prismvault::vault::format::order::{LIFT_KIND, LiftOrder, RESTRICTION_KIND};
use tokio_util::sync::CancellationToken;

use super::destruction::{destroyed, rewritten};
use super::planning::{Asked, Case, subject_of_all};
use super::*;
use crate::privacy_search::{ADDRESS, PERSON, searched};
use crate::replication::replicate;
use crate::restoring::crafted::{HOME, NOTE};

impl Scene {
    /// The text of an order that restricts items.
    async fn restriction(&self, items: &[usize]) -> String {
        let pairs: Vec<(usize, usize)> = items.iter().map(|item| (*item, *item)).collect();
        let order = self.order(&pairs).await;
        let mut order: Order = serde_json::from_str(&order).unwrap();
        order.kind = RESTRICTION_KIND.to_owned();
        for item in &mut order.items {
            (item.change, item.by, item.size) = (order::Change::Restricted, ItemId([9; 32]), 70);
        }
        serde_json::to_string_pretty(&order).unwrap()
    }

    fn restricting(&self, order: String, by: &[usize]) -> Decision {
        let Decision::Erasure { order, approvals } = self.approved(order, by) else { unreachable!() };
        Decision::Restriction { order, approvals }
    }

    fn lifting(&self, order: String, by: &[usize]) -> Decision {
        let Decision::Erasure { order, approvals } = self.approved(order, by) else { unreachable!() };
        Decision::Lift { order, approvals }
    }

    async fn restrict(&self, items: &[usize]) {
        let order = self.restriction(items).await;
        self.decide(self.restricting(order, &[1])).await;
    }

    /// The text of an order that lifts some of the restrictions that were ever decided.
    async fn lift_of(&self, which: impl Fn(usize) -> bool) -> String {
        let opened = self.open().await;
        let ledger = Ledger::load(&opened, &blog()).await.unwrap();
        let all = ledger.erased().restrictions().map(|known| known.digest);
        let order = LiftOrder {
            kind: LIFT_KIND.to_owned(),
            format: 1,
            vault: opened.file.vault,
            space: blog(),
            case: CaseId::new(2026),
            planned: rfc3339(self.vault.backup.clock.now()),
            planned_by: self.people[0].public().clone(),
            plan: Digest([8; 32]),
            restrictions: all.enumerate().filter(|(at, _)| which(*at)).map(|(_, digest)| digest).collect(),
        };
        serde_json::to_string_pretty(&order).unwrap()
    }

    async fn lift(&self, which: impl Fn(usize) -> bool) {
        let order = self.lift_of(which).await;
        self.decide(self.lifting(order, &[2])).await;
    }

    /// Paths that a user finds in a snapshot, and what orders came to.
    async fn listed(&self, snapshot: usize) -> (Vec<String>, prismvault::vault::erasure::Applied) {
        let opened = self.open().await;
        let space = Space::load(&opened, &blog()).await.unwrap();
        let reader = Reader::new(&opened, &space);
        let catalog = &self.snapshots[snapshot].catalog;
        let (entries, applied) = tree::read_telling::<CatalogEntry>(&reader, catalog).await.unwrap();
        (entries.iter().map(|entry| entry.path.to_string()).collect(), applied)
    }

    /// That the document of the first snapshot is nowhere for users, and whole for verification.
    async fn assert_withheld(&self, told: &str) {
        let (paths, applied) = self.listed(0).await;
        assert_eq!((paths.as_slice(), applied.words().as_deref()), (&[OTHER.0.to_owned()][..], Some(told)));
        let report = self.vault.backup.verified(Level::Content).await;
        assert_eq!(report.damage, []);
    }
}

#[tokio::test]
async fn what_is_restricted_is_handed_to_no_user_and_reads_as_before_once_lifted() {
    let scene = Scene::new().await;
    scene.restrict(&[0]).await;
    scene.assert_withheld("1 restricted").await;
    assert_eq!(scene.listed(1).await.0.len(), 2, "another version is another item");

    let opened = scene.open().await;
    let space = Space::load(&opened, &blog()).await.unwrap();
    let reader = Reader::new(&opened, &space);
    assert_eq!(reader.bytes(scene.items[0]).await.unwrap_err().kind, ErrorKind::Restricted);
    let mut read = Vec::new();
    let done: Result<(), VaultError> = reader
        .for_each(scene.items.clone(), async |id, data| {
            read.push((id, data.map(drop).map_err(|error| error.kind)));
            Ok(())
        })
        .await;
    done.unwrap();
    let refused: Vec<_> = read.iter().filter(|(_, outcome)| outcome.is_err()).collect();
    assert_eq!(refused, [&(scene.items[0], Err(ErrorKind::Restricted))]);

    // By name it is told why it is not there.
    let text = with_snapshot!(scene.open().await, &scene.snapshots[0], |snapshot| cat(&snapshot, PATH).await);
    let error = text.unwrap_err().to_string();
    assert!(error.contains("under restriction by the order"), "{error}");

    // Nothing is to be destroyed, so nothing goes.
    let before = scene.vault.keys("").await;
    rewritten(&opened).await.unwrap();
    assert!(destroyed(&opened).await.unwrap().is_empty());
    assert_eq!(scene.vault.keys("").await, before);

    scene.lift(|_| true).await;
    assert_eq!(scene.reads(0).await.unwrap(), NAMED);
    let (paths, applied) = scene.listed(0).await;
    assert_eq!((paths.len(), applied.is_nothing()), (2, true));
}

#[tokio::test]
async fn a_restriction_ends_when_every_one_that_names_the_item_is_lifted() {
    let scene = Scene::new().await;
    scene.restrict(&[0]).await;
    scene.restrict(&[0, 1]).await;
    scene.lift(|number| number == 0).await;
    scene.assert_withheld("1 restricted").await;
    // What is lifted stays so, and may be restricted again.
    scene.lift(|_| true).await;
    assert_eq!(scene.reads(0).await.unwrap(), NAMED);
    assert_eq!(scene.reads(1).await.unwrap(), MASKED);
    scene.restrict(&[0]).await;
    scene.assert_withheld("1 restricted").await;
}

#[tokio::test]
async fn an_erasure_comes_before_a_restriction_and_what_is_masked_stays_restricted() {
    let scene = Scene::new().await;
    scene.restrict(&[0]).await;
    scene.erase(&[(0, 1)]).await;
    scene.assert_withheld("1 restricted").await;
    assert_eq!(scene.listed(1).await.0, [OTHER.0], "what stands in its place is under restriction");
    let opened = scene.open().await;
    assert!(rewritten(&opened).await.unwrap().is_complete());
    assert!(destroyed(&opened).await.unwrap().iter().all(Destroyed::is_complete));
    scene.assert_withheld("1 restricted").await;
    scene.lift(|_| true).await;
    assert_eq!(scene.reads(0).await.unwrap(), MASKED);
    // What is removed is removed, whatever is under restriction.
    scene.restrict(&[0]).await;
    let order = scene.order(&[(1, 2)]).await.replace("\"masked\"", "\"removed\"");
    scene.decide(scene.approved(order, &[1])).await;
    scene.assert_withheld("1 erased").await;
    assert_eq!(scene.reads(2).await.unwrap(), OTHERWISE, "a tombstone is not under restriction");
}

#[tokio::test]
async fn the_erasure_of_another_item_carries_what_is_restricted_along() {
    let scene = Scene::new().await;
    scene.restrict(&[0]).await;
    // The other document is in the same pack.
    let opened = scene.open().await;
    let space = Space::load(&opened, &blog()).await.unwrap();
    let reader = Reader::new(&opened, &space);
    let other = tree::find::<CatalogEntry>(&reader, &scene.snapshots[0].catalog, OTHER.0).await.unwrap();
    let other = other.unwrap().item;
    let pack_of = |space: &Space, item: &ItemId| {
        let place = space.index.locations(item).find(|place| !space.is_retired(place.pack)).unwrap();
        space.index.packs()[place.pack as usize].id
    };
    let before = pack_of(&space, &scene.items[0]);
    assert_eq!(before, pack_of(&space, &other), "they lie together");
    let mut order: Order = serde_json::from_str(&scene.order(&[(0, 1)]).await).unwrap();
    order.items[0].id = other;
    scene.decide(scene.approved(serde_json::to_string(&order).unwrap(), &[1])).await;
    let opened = scene.open().await;
    assert!(rewritten(&opened).await.unwrap().is_complete());
    assert!(destroyed(&opened).await.unwrap().iter().all(Destroyed::is_complete));
    let space = Space::load(&*scene.open().await, &blog()).await.unwrap();
    assert_ne!(pack_of(&space, &scene.items[0]), before);
    let (paths, applied) = scene.listed(0).await;
    assert_eq!(
        (paths.as_slice(), applied.words().as_deref()),
        (&[OTHER.0.to_owned()][..], Some("1 erased, 1 restricted"))
    );
    assert_eq!(scene.vault.backup.verified(Level::Content).await.damage, []);
    scene.lift(|_| true).await;
    assert_eq!(scene.reads(0).await.unwrap(), NAMED);
}

#[tokio::test]
async fn a_restriction_or_a_lift_counts_only_with_approvals_and_as_what_it_was_signed() {
    let scene = Scene::new().await;
    let host = SigningKey::parse(&scene.vault.backup.signing).unwrap();
    let order = scene.restriction(&[0]).await;
    let erasure = scene.order(&[(0, 1)]).await;
    let restricts_in_an_erasure = order.replace(RESTRICTION_KIND, order::KIND);
    let masks_in_a_restriction = order.replace("\"restricted\"", "\"masked\"");
    let refused = [
        scene.restricting(order.clone(), &[]),
        scene.restricting(order.clone(), &[0]),
        // Signed as the one, used as the other.
        scene.restricting(erasure, &[1]),
        scene.approved(order.clone(), &[1]),
        scene.lifting(order.clone(), &[1]),
        scene.approved(restricts_in_an_erasure, &[1]),
        scene.restricting(masks_in_a_restriction, &[1]),
    ];
    for (number, decision) in refused.into_iter().enumerate() {
        enter(&scene.vault.backup, &host, decision).await;
        scene.vault.backup.clock.advance(chrono::TimeDelta::seconds(1));
        assert_eq!(scene.reads(0).await.unwrap(), NAMED, "{number}");
        assert_eq!(scene.unreadable().await, number + 1);
    }
    let before = scene.unreadable().await;
    scene.decide(scene.restricting(order, &[1])).await;
    assert_eq!(scene.listed(0).await.1.words().as_deref(), Some("1 restricted"));
    // Nor is it lifted by less.
    let lift = scene.lift_of(|_| true).await;
    let erasure_kind = lift.replace(LIFT_KIND, RESTRICTION_KIND);
    for decision in [
        scene.lifting(lift.clone(), &[]),
        scene.lifting(lift.clone(), &[0]),
        scene.lifting(erasure_kind, &[1]),
        scene.restricting(lift.clone(), &[1]),
    ] {
        enter(&scene.vault.backup, &host, decision).await;
        scene.vault.backup.clock.advance(chrono::TimeDelta::seconds(1));
        assert_eq!(scene.listed(0).await.1.words().as_deref(), Some("1 restricted"));
    }
    assert_eq!(scene.unreadable().await, before + 4);
    scene.decide(scene.lifting(lift, &[1])).await;
    assert_eq!(scene.reads(0).await.unwrap(), NAMED);
}

#[tokio::test]
async fn restrictions_and_lifts_are_critical_to_who_does_not_know_them() {
    let scene = Scene::new().await;
    scene.restrict(&[0]).await;
    scene.lift(|_| true).await;
    let ledger = Ledger::load(&*scene.open().await, &blog()).await.unwrap();
    let decided: Vec<_> = ledger
        .entries()
        .filter(|entry| matches!(entry.decision, Decision::Restriction { .. } | Decision::Lift { .. }))
        .collect();
    assert_eq!(decided.len(), 2);
    // As another version would read it that knows of neither.
    for entry in decided {
        assert!(entry.critical);
        let text = serde_json::to_string(entry).unwrap();
        for known in ["\"type\":\"restriction\"", "\"type\":\"lift\""] {
            let other = text.replace(known, "\"type\":\"withheld-otherwise\"");
            let read: prismvault::vault::format::ledger::LedgerEntry = serde_json::from_str(&other).unwrap();
            assert_eq!(read.decision == Decision::Unknown, other != text);
        }
    }
}

#[tokio::test]
async fn copies_of_what_is_restricted_are_made_checked_and_kept() {
    let mut scene = Scene::new().await;
    scene.vault.backup.min_copies = Some(1);
    scene.vault.backup.state = None;
    scene.restrict(&[0]).await;
    let opened = scene.open().await;
    let space = Space::load(&opened, &blog()).await.unwrap();
    let place = space.index.locations(&scene.items[0]).next().unwrap();
    let pack = space.index.packs()[place.pack as usize].id.to_string();
    let keys: Vec<String> =
        scene.vault.keys("packs").await.into_iter().filter(|key| key.ends_with(&pack)).collect();
    assert_eq!(keys.len(), 1);
    scene.vault.stores[1].delete(&keys[0]).await.unwrap();
    let (_, report) = replicate(&scene.vault.backup).await;
    assert!(report.targets.iter().all(|target| target.failed.is_empty()), "{report:?}");
    assert!(scene.vault.stores[1].get(&keys[0], 1 << 30).await.is_ok(), "it is copied as all else");
    scene.assert_withheld("1 restricted").await;
    let report = scene.vault.backup.verified(Level::Content).await;
    assert_eq!(report.restricted, 1);

    // A later snapshot with the same document has the same item; one that was changed since has not.
    let same = scene.vault.snapshot("blog", &[(PATH, ItemKind::Document, NAMED), OTHER]).await;
    let opened = scene.open().await;
    let space = Space::load(&opened, &blog()).await.unwrap();
    let reader = Reader::new(&opened, &space);
    assert_eq!(tree::find::<CatalogEntry>(&reader, &same.catalog, PATH).await.unwrap(), None);
    let changed = br#"{"id":"A","by":"Nora Vale, again"}"#;
    let changed = scene.vault.snapshot("blog", &[(PATH, ItemKind::Document, changed), OTHER]).await;
    let opened = scene.open().await;
    let space = Space::load(&opened, &blog()).await.unwrap();
    let reader = Reader::new(&opened, &space);
    assert!(tree::find::<CatalogEntry>(&reader, &changed.catalog, PATH).await.unwrap().is_some());
}

#[tokio::test]
async fn a_case_restricts_what_was_found_finds_it_again_and_lifts_it() {
    let case = Case::new(true).await;
    let now = case.backup.clock.now();
    let asked = Asked { purpose: Purpose::Restriction, planned: Some(now), ..Asked::default() };
    let later = now + chrono::TimeDelta::days(1);
    let lift = Asked { purpose: Purpose::Lift, planned: Some(later), ..Asked::default() };
    let nothing = case.plan_for(lift, &subject_of_all, |_, _| ()).await.unwrap_err();
    assert!(matches!(nothing, PlanError::NothingToLift), "{nothing}");
    let mut stored = 0;
    let plan = case.plan_for(asked, &subject_of_all, |_, _| stored += 1).await.unwrap();
    assert_eq!((plan.items.len(), stored), (4, 0), "nothing is written for it");
    assert!(plan.items.iter().all(|item| item.change == order::Change::Restricted));
    assert_ne!(
        plan.hash(),
        case.plan_for(Asked::default(), &subject_of_all, |_, _| ()).await.unwrap().hash()
    );
    case.decide(&plan, 1).await;

    // Snapshots go on; what did not change since is the same item, and under restriction there as well.
    case.backup.clock.advance(chrono::TimeDelta::hours(1));
    let third = case.backup.snapshot(case.source.as_ref().unwrap()).await.unwrap().committed.manifest;
    assert_eq!((third.status, third.added.items), (Status::Complete, 0));
    let vault = case.open().await;
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    assert_eq!(snapshots.of(&blog()).len(), 3);
    for snapshot in snapshots.of(&blog()) {
        let opened = OpenSnapshot::open(&vault, &snapshots, &snapshot.manifest).await;
        let opened = opened.unwrap();
        let catalog = opened.catalog().await.unwrap();
        let is_restricted = |path: &str| plan.items.iter().any(|item| item.paths.contains(path));
        assert!(catalog.iter().all(|entry| !is_restricted(&entry.path)));
        assert_eq!(opened.applied().words().unwrap(), "3 restricted");
    }
    // Who is to answer the person, to lift or to erase must see it.
    let report = searched(&case.backup, &[]).await;
    let items = |report: &prismvault::privacy::search::SearchReport| {
        report.found.iter().map(|found| found.item).collect::<BTreeSet<_>>()
    };
    assert_eq!(
        items(&report),
        items(&case.report),
        "{:?}",
        report.found.iter().map(FoundItem::paths).collect::<Vec<_>>()
    );
    assert!(report.coverage.is_whole(), "{:?}", report.coverage.problems);
    assert_eq!(case.backup.verified(Level::Content).await.damage, []);

    // Not before the person was told, and nobody was told before it began or will be tomorrow.
    let untold = case.plan_for(lift, &subject_of_all, |_, _| ()).await.unwrap_err();
    assert!(matches!(untold, PlanError::NotTold), "{untold}");
    for days in [-1, 2] {
        let day = (now + chrono::TimeDelta::days(days)).date_naive();
        let told = Asked { told: Some(day), ..lift };
        let wrong = case.plan_for(told, &subject_of_all, |_, _| ()).await.unwrap_err();
        assert!(matches!(wrong, PlanError::ToldWhen(_)), "{wrong}");
    }
    let lift = Asked { told: Some(now.date_naive()), ..lift };
    let plan = case.plan_for(lift, &subject_of_all, |_, _| ()).await.unwrap();
    assert_eq!((plan.items.len(), plan.lifts.len(), plan.lifts[0].items), (0, 1, 4));
    assert_eq!(plan.told, lift.told);
    // What was live when it was restricted may be shown again; one of the two versions of a document is enough.
    let mut shown: Vec<_> = plan.live.iter().filter_map(|step| step.task()).collect();
    shown.sort();
    let codes: Vec<_> = shown.iter().map(|task| (task.code, task.id.as_str())).collect();
    use prismvault::privacy::erasure::live::TaskCode::{ShowDocument, ShowFile};
    assert_eq!(codes.iter().filter(|(code, _)| *code == ShowFile).count(), 1, "{codes:?}");
    for id in [HOME, NOTE] {
        assert_eq!(codes.iter().filter(|own| **own == (ShowDocument, id)).count(), 1, "{codes:?}");
    }
    assert_eq!(codes.len(), 3, "{codes:?}");
    case.decide(&plan, 1).await;
    let vault = case.open().await;
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    for snapshot in snapshots.of(&blog()) {
        let opened = OpenSnapshot::open(&vault, &snapshots, &snapshot.manifest).await;
        let opened = opened.unwrap();
        assert_eq!(opened.catalog().await.unwrap().len() as u64, snapshot.manifest.catalog.entries);
        assert!(opened.applied().is_nothing());
    }
    let nothing = case.plan_for(lift, &subject_of_all, |_, _| ()).await.unwrap_err();
    assert!(matches!(nothing, PlanError::NothingToLift), "{nothing}");
    // And now it may be erased as anything else.
    case.carry_out(&subject_of_all).await;
    assert_eq!(searched(&case.backup, &[]).await.found.len(), 0);
}

#[tokio::test]
async fn what_is_restricted_is_erased_as_anything_else() {
    let case = Case::new(false).await;
    let asked = Asked { purpose: Purpose::Restriction, ..Asked::default() };
    let plan = case.plan_for(asked, &subject_of_all, |_, _| ()).await.unwrap();
    case.decide(&plan, 1).await;
    case.carry_out(&subject_of_all).await;
    assert_eq!(case.holding(PERSON).await, 0);
    assert_eq!(case.backup.verified(Level::Content).await.damage, []);
    assert_eq!(searched(&case.backup, &[]).await.found.len(), 0);
}

#[tokio::test]
async fn nobody_restores_exports_compares_or_serves_what_is_restricted() {
    let case = Case::new(true).await;
    let asked = Asked { purpose: Purpose::Restriction, ..Asked::default() };
    let plan = case.plan_for(asked, &subject_of_all, |_, _| ()).await.unwrap();
    case.decide(&plan, 1).await;
    let vault = case.open().await;
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let [first, second] = snapshots.of(&blog()) else { panic!("there are two") };
    let opened = OpenSnapshot::open(&vault, &snapshots, &first.manifest).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let said = |applied: &prismvault::vault::erasure::Applied| applied.words().unwrap_or_default();

    let options = RestoreOptions {
        selection: Selection::default(),
        overwrite: OverwriteMode::Refuse,
        progress: &Silent,
        cancel: CancellationToken::new(),
    };
    let report = restore_files(&opened, &place.path().join("files"), options).await.unwrap();
    assert_eq!((said(&report.applied).as_str(), report.problems.as_slice()), ("3 restricted", &[][..]));
    let files = crate::restore::tree(&place.path().join("files"));
    assert!(!files.is_empty() && !files.keys().any(|file| file.contains(HOME) || file.contains(NOTE)));

    let archive = place.path().join("blog.tar");
    let options = ExportOptions { overwrite: false, progress: &Silent, cancel: CancellationToken::new() };
    let report = export(&opened, &archive, options).await.unwrap();
    assert_eq!((said(&report.applied).as_str(), report.problems.as_slice()), ("3 restricted", &[][..]));
    for bytes in files.into_values().chain([std::fs::read(&archive).unwrap()]) {
        assert!(memchr::memmem::find(&bytes, PERSON.as_bytes()).is_none());
        assert!(memchr::memmem::find(&bytes, ADDRESS.as_bytes()).is_none());
    }

    let newer = opened.open_another(&snapshots, &second.manifest).await.unwrap();
    let options = DiffOptions {
        selection: Selection::default(),
        values: true,
        progress: &Silent,
        cancel: CancellationToken::new(),
    };
    let report = compare_snapshots(&opened, &newer, options).await.unwrap();
    assert!(report.documents.is_empty(), "the one that changed is under restriction on both sides");
    assert_eq!(
        (said(&report.old.applied), said(&report.new.applied)),
        ("3 restricted".into(), "3 restricted".into())
    );

    let mut heads = Heads::default();
    let documents =
        crate::standby::with_edition(&case.backup, &first.manifest, &mut heads, async |edition| {
            assert_eq!(said(edition.applied()), "3 restricted");
            assert!(edition.is_under(&Ledger::load(&vault, &blog()).await.unwrap().erased().decided()));
            edition.len()
        });
    assert_eq!(documents.await, 1, "that of nobody");
}

#[tokio::test]
async fn a_pack_is_rewritten_and_pruned_and_what_is_restricted_in_it_is_kept() {
    let vault = TestVault::new(2, true).await;
    crate::repack::kill_most(&vault).await;
    let scene = Scene::on(vault).await;
    let backup = &scene.vault.backup;
    const KEPT: &str = "documents/en-us/page/003.json";
    let kept = async || {
        let opened = scene.open().await;
        let snapshots = Snapshots::load(&opened, None).await.unwrap();
        let space = Space::load(&opened, &blog()).await.unwrap();
        let reader = Reader::new(&opened, &space);
        let mut found = None;
        for snapshot in snapshots.of(&blog()) {
            let entry = tree::find::<CatalogEntry>(&reader, &snapshot.manifest.catalog, KEPT).await.unwrap();
            found = found.or(entry.map(|entry| entry.item));
        }
        match found {
            Some(item) => Some((item, reader.bytes(item).await.unwrap())),
            None => None,
        }
    };
    let (item, bytes) = kept().await.unwrap();
    let mut order: Order = serde_json::from_str(&scene.restriction(&[0]).await).unwrap();
    order.items[0].id = item;
    scene.decide(scene.restricting(serde_json::to_string(&order).unwrap(), &[1])).await;
    assert_eq!(kept().await, None);

    let (_, report) = crate::repack::repack(backup).await;
    assert_eq!(report.repacked.unwrap().items, 1, "what is needed of the old pack is under restriction");
    backup.clock.advance(crate::pruning::grace());
    let (_, report) = crate::pruning::prune(backup).await;
    assert!(crate::pruning::deleted(&report, "replica-0", prismvault::pruning::Kind::Body) > 0);
    assert_eq!(backup.verified(Level::Content).await.damage, []);
    assert_eq!(kept().await, None);
    scene.lift(|_| true).await;
    assert_eq!(kept().await, Some((item, bytes)));
}
