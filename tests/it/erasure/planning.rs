//! From what a search found to a vault in which it finds nothing any more.

use std::sync::Arc;

use prismvault::ids::CaseId;
use prismvault::privacy::channels::Bounds;
use prismvault::privacy::erasure::correct::Correction;
use prismvault::privacy::erasure::plan::{
    Held, Making, Plan, PlanError, Purpose, canonical, decision, orders,
};
use prismvault::privacy::matching::{Finding, Matcher};
use prismvault::privacy::review::{Decided, Decision};
use prismvault::privacy::search::{Again, FoundItem, SearchReport};
use prismvault::progress::Silent;
use prismvault::sandbox::Changes;
use prismvault::vault::erasure::replacements::{self, NewItem};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::backups::{Backup, Source};
use crate::privacy_search::{ADDRESS, PERSON, content, page, searched, subject};
use crate::restoring::crafted::{HOME, data};
use crate::restoring::options;

pub(super) type Decisions = dyn Fn(&FoundItem, &Finding) -> Option<Decided> + Sync;

pub(super) fn decided(decision: Decision) -> Option<Decided> {
    let ground = (decision == Decision::Keep).then(|| "a contract".to_owned());
    Some(Decided {
        decision,
        ground,
        redact: Vec::new(),
        by: "Ottilie".to_owned(),
        at: "2026-11-23T09:00:00Z".parse().unwrap(),
    })
}

/// A repository with the person in two snapshots, and privacy keys of a planner and of one who approves.
pub(super) struct Case {
    pub(super) backup: Backup,
    /// The repository that is backed up, where there is one.
    pub(super) source: Option<Source>,
    pub(super) people: Vec<SigningKey>,
    pub(super) report: SearchReport,
}

/// What a plan is for, and what else was said of it.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked<'a> {
    pub(super) purpose: Purpose,
    pub(super) corrections: &'a [Correction],
    pub(super) held: &'a [Held],
    pub(super) over_hold: Option<&'a str>,
    pub(super) told: Option<chrono::NaiveDate>,
    /// When it is planned; else at a time of an invented day.
    pub(super) planned: Option<prismvault::clock::Timestamp>,
}

impl Case {
    pub(super) async fn new(encrypted: bool) -> Self {
        let source = Source::of(content(), options());
        let mut backup = Backup::in_memory(2).await;
        if !encrypted {
            let clock = Arc::clone(&backup.clock);
            let stores = (0..2).map(|n| {
                let store = prismvault::objects::memory::MemoryStore::new(
                    &format!("plain-{n}"),
                    Arc::<prismvault::clock::ManualClock>::clone(&clock),
                );
                let store: Arc<dyn ObjectStore> = Arc::new(store);
                (format!("plain-{n}"), store)
            });
            backup = Backup::on(stores.collect(), false, Arc::clone(&clock)).await;
        }
        let mut case = Self::of(backup).await;
        let backup = &case.backup;
        backup.snapshot(&source).await.unwrap();
        let put = vec![page(HOME, &data(&format!("{PERSON} says something else")))];
        source.repository.publish(Changes { put, ..Changes::default() });
        backup.clock.advance(chrono::TimeDelta::hours(1));
        backup.snapshot(&source).await.unwrap();
        case.report = searched(backup, &[]).await;
        assert_eq!(case.report.found.len(), 4);
        case.source = Some(source);
        case
    }

    /// The case of the person in whatever a vault holds, with keys of those who plan and approve.
    pub(super) async fn of(backup: Backup) -> Self {
        let people: Vec<SigningKey> = (0..2).map(|_| SigningKey::generate()).collect();
        let changes: Vec<Change> =
            people.iter().map(|key| Change::SetSigner(key.public().clone(), vec![Role::Privacy])).collect();
        change(&backup, &all(&backup), None, &changes).await.unwrap();
        let report = searched(&backup, &[]).await;
        Self { backup, source: None, people, report }
    }

    async fn plan(
        &self,
        decisions: &Decisions,
        store: impl FnMut(&Name, NewItem),
    ) -> Result<Plan, PlanError> {
        self.plan_for(Asked::default(), decisions, store).await
    }

    pub(super) async fn plan_for(
        &self,
        asked: Asked<'_>,
        decisions: &Decisions,
        store: impl FnMut(&Name, NewItem),
    ) -> Result<Plan, PlanError> {
        let vault = self.open().await;
        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        let case: CaseId = "2026-7K3F9Q".parse().unwrap();
        let making = Making {
            purpose: asked.purpose,
            corrections: asked.corrections,
            held: asked.held,
            over_hold: asked.over_hold,
            told: asked.told,
            case: &case,
            planned: asked.planned.unwrap_or_else(|| "2026-11-23T10:00:00Z".parse().unwrap()),
            by: "Ottilie",
            planned_by: self.people[0].public(),
            seed: [7; 32],
            files: (Digest([1; 32]), Digest([2; 32])),
            report: &self.report,
            decisions,
        };
        let matcher = Arc::new(Matcher::new(&subject(), &[]));
        making.make(&again(&vault, &snapshots), &matcher, store).await
    }

    pub(super) async fn open(&self) -> Arc<Vault> {
        self.backup.open_with(all(&self.backup)).await.unwrap()
    }

    /// Stores what the plan puts in places, decides its orders, rewrites and destroys.
    pub(super) async fn carry_out(&self, decisions: &Decisions) -> Plan {
        self.carry_out_for(Asked::default(), decisions).await
    }

    /// The same for another purpose that destroys.
    pub(super) async fn carry_out_for(&self, asked: Asked<'_>, decisions: &Decisions) -> Plan {
        let mut new = Vec::new();
        let plan = self.plan_for(asked, decisions, |_, item| new.push(item)).await.unwrap();
        let vault = self.open().await;
        assert!(replacements::store(&vault, &blog(), new.clone()).await.unwrap() > 0);
        assert_eq!(replacements::store(&vault, &blog(), new).await.unwrap(), 0, "they are there");
        self.decide(&plan, 1).await;
        let report = super::destruction::rewritten(&vault).await.unwrap();
        assert!(report.is_complete() && report.packs > 0, "{report:?}");
        let report = super::destruction::destroyed(&vault).await.unwrap();
        assert!(report.iter().all(Destroyed::is_complete), "{report:?}");
        plan
    }

    /// Approves the orders of a plan by one of the people, and puts them into the ledger.
    pub(super) async fn decide(&self, plan: &Plan, by: usize) {
        let vault = self.open().await;
        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        let orders = orders(&again(&vault, &snapshots), plan).await.unwrap();
        assert!(!orders.is_empty());
        for order in orders {
            let key = &self.people[by];
            let approval = Approval {
                key: key.public().clone(),
                signature: key.sign(order.as_bytes(), "erasure order"),
            };
            self.backup.clock.advance(chrono::TimeDelta::seconds(1));
            let ledger = Ledger::load(&vault, &blog()).await.unwrap();
            ledger.append(&vault, &blog(), decision(plan, order, vec![approval])).await.unwrap();
        }
    }

    /// How many objects of all replicas hold a text, decompressed.
    pub(super) async fn holding(&self, text: &str) -> usize {
        let mut count = 0;
        for (_, store) in &self.backup.stores {
            for object in store.list("").await.unwrap() {
                let bytes = store.get(&object.key, 1 << 30).await.unwrap();
                let plain = zstd::stream::decode_all(&bytes[..]).unwrap_or_else(|_| bytes.to_vec());
                count += usize::from(plain.windows(text.len()).any(|window| window == text.as_bytes()));
            }
        }
        count
    }
}

pub(super) fn again<'a>(vault: &'a Vault, snapshots: &'a Snapshots) -> Again<'a> {
    let (bounds, cancel) = (Bounds::default(), CancellationToken::new());
    Again { vault, snapshots, live: &[], bounds, progress: &Silent, cancel }
}

pub(super) fn subject_of_all(_: &FoundItem, _: &Finding) -> Option<Decided> {
    decided(Decision::Subject)
}

#[tokio::test]
async fn a_plan_is_the_same_until_something_changes() {
    let case = Case::new(true).await;
    let plan = case.plan(&subject_of_all, |_, _| ()).await.unwrap();
    assert_eq!(plan.items.len(), 4);
    assert!(plan.items.iter().all(|item| item.change == order::Change::Masked && !item.places.is_empty()));
    let same = case.plan(&subject_of_all, |_, _| ()).await.unwrap();
    assert_eq!((same.hash(), canonical(&same)), (plan.hash(), plan.canonical()));
    let kept = |found: &FoundItem, _: &Finding| {
        decided(if found.paths().iter().any(|path| path.contains(HOME)) {
            Decision::Keep
        } else {
            Decision::Subject
        })
    };
    let other = case.plan(&kept, |_, _| ()).await.unwrap();
    assert_ne!(other.hash(), plan.hash());
    assert_eq!(other.items.len(), 2, "what is kept stays");
    assert!(other.kept.iter().all(|one| one.ground == "a contract") && !other.kept.is_empty());
    let undecided = case.plan(&|_, _| None, |_, _| ()).await.unwrap_err();
    assert!(matches!(undecided, PlanError::Undecided(count) if count >= 4));
    let nobody = case.plan(&|_, _| decided(Decision::NotSubject), |_, _| ()).await.unwrap();
    assert!(nobody.items.is_empty());
}

#[tokio::test]
async fn after_it_is_carried_out_a_search_finds_nothing_and_everything_else_is_there() {
    let case = Case::new(true).await;
    let plan = case.carry_out(&subject_of_all).await;
    let report = searched(&case.backup, &[]).await;
    assert_eq!(report.found.len(), 0, "{:?}", report.found.iter().map(FoundItem::paths).collect::<Vec<_>>());
    assert!(report.coverage.is_whole());
    assert_eq!(case.backup.verified(Level::Content).await.damage, []);
    // What was masked is still a document, with what else it said.
    let vault = case.open().await;
    let space = Space::load(&vault, &blog()).await.unwrap();
    let reader = Reader::new(&vault, &space);
    for item in plan.items.iter().filter(|item| item.paths.iter().any(|path| path.starts_with("documents/")))
    {
        let bytes = reader.bytes(item.by).await.unwrap();
        let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert!(document["data"].is_object() && document["type"] == "article");
        assert!(document.to_string().contains("[erased]"));
    }
}

#[tokio::test]
async fn no_byte_of_the_person_is_left_in_a_vault_without_encryption() {
    let case = Case::new(false).await;
    assert!(case.holding(PERSON).await > 0 && case.holding(ADDRESS).await > 0, "they can be found");
    case.carry_out(&subject_of_all).await;
    assert_eq!((case.holding(PERSON).await, case.holding(ADDRESS).await), (0, 0));
    assert!(case.holding("of nobody").await > 0, "what is of others is there");
}
