//! A day that was promised to a person is told to be in danger before it is broken, by hosts without privacy keys.

use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use prismvault::clock::{Clock as _, ManualClock, SystemClock};
use prismvault::keys::Change;
use prismvault::objects::ObjectStore;
use prismvault::objects::memory::MemoryStore;
use prismvault::privacy::promise::earliest;
use prismvault::privacy::proof::check::horizons;
use prismvault::privacy::proof::erased::ErasedPacks;
use prismvault::status::Endangered;
use prismvault::vault::envelope::Identity;
use prismvault::vault::format::request::RequestSummary;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::requests::{self, RequestRow};

use super::destruction::{destroyed, rewritten};
use super::{Scene, blog};
use crate::hidden::RULE;
use crate::keys::{all, change, open};
use crate::status::collecting::of_backup;
use crate::vaults::TestVault;

impl Scene {
    /// As the case of the only order says it: until when no copy survives.
    async fn promise(&self, until: Option<NaiveDate>) {
        let (backup, reader) = (&self.vault.backup, Identity::generate());
        change(backup, &all(backup), None, &[Change::AddPrivacy(reader.recipient())]).await.unwrap();
        let vault = open(backup, &[backup.operator.clone(), reader], Some(&self.people[1])).await.unwrap();
        let case = Ledger::load(&vault, &blog()).await.unwrap().erased().orders()[0].order.case.clone();
        let summary = RequestSummary {
            case: case.clone(),
            state: "completed".to_owned(),
            rights: vec!["erasure".to_owned()],
            due: None,
            waits_for: None,
            closed: true,
            promised: until,
        };
        let event = serde_json::value::to_raw_value("what happened").unwrap();
        let row = requests::load(&vault, &case).await.unwrap();
        let mut row = row.unwrap_or_else(|| RequestRow::new(case));
        row.append(&vault, event, Vec::new(), summary).await.unwrap();
    }

    async fn endangered(&self) -> Vec<Endangered> {
        of_backup(&self.vault.backup).await.endangered
    }
}

#[tokio::test]
async fn a_promise_that_a_lock_breaks_is_told_until_nothing_is_left() {
    let scene = Scene::on(TestVault::locked(SystemClock.now(), 1, RULE).await).await;
    scene.erase(&[(0, 1)]).await;
    let days = |days| (scene.vault.backup.clock.now() + TimeDelta::days(days)).date_naive();
    // Nothing is destroyed yet, and what is locked stays at least as long as a lock that begins now.
    let opened = scene.open().await;
    let known = horizons(&opened, &ErasedPacks::load(&opened, None).await.unwrap());
    assert_eq!(earliest(&known, scene.vault.backup.clock.now()), days(RULE.window.num_days()));
    scene.promise(Some(days(3))).await;
    let told = scene.endangered().await;
    let [own] = &told[..] else { panic!("{told:?}") };
    assert!((&*own.replica, own.promised) == ("replica-0", days(3)) && own.why.contains("nobody knows"));

    rewritten(&opened).await.unwrap();
    destroyed(&opened).await.unwrap();
    let told = scene.endangered().await;
    assert!(matches!(&told[..], [own] if own.why.contains("a lock of replica replica-0")), "{told:?}");
    // A day that the locks allow, and the same day when it is over.
    let promised = days(RULE.window.num_days() + 1);
    scene.promise(Some(promised)).await;
    assert_eq!(scene.endangered().await, []);
    scene.vault.backup.clock.advance(TimeDelta::days(RULE.window.num_days() + 2));
    let told = scene.endangered().await;
    assert!(matches!(&told[..], [own] if own.why.contains("a copy is still on")), "{told:?}");

    destroyed(&*scene.open().await).await.unwrap();
    assert_eq!(scene.endangered().await, [], "nothing is left");
    scene.promise(None).await;
    assert_eq!(scene.endangered().await, []);
}

#[tokio::test]
async fn a_replica_that_is_away_keeps_no_promise() {
    let mut scene = Scene::new().await;
    scene.erase(&[(0, 1)]).await;
    let today = scene.vault.backup.clock.now().date_naive();
    scene.promise(Some(today)).await;
    scene.vault.backup.min_copies = Some(1);
    let clock = Arc::<ManualClock>::clone(&scene.vault.backup.clock);
    let empty: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new("empty", clock));
    let away = std::mem::replace(&mut scene.vault.backup.stores[1].1, empty);
    rewritten(&*scene.open().await).await.unwrap();
    destroyed(&*scene.open().await).await.unwrap();
    assert_eq!(scene.endangered().await, [], "the day is not over");
    scene.vault.backup.clock.advance(TimeDelta::days(1));
    let told = scene.endangered().await;
    assert!(matches!(&told[..], [own] if own.replica == "replica-1"), "{told:?}");
    scene.vault.backup.stores[1].1 = away;
    assert_eq!(scene.endangered().await.len(), 1, "it is back, and nothing is destroyed there");
    rewritten(&*scene.open().await).await.unwrap();
    destroyed(&*scene.open().await).await.unwrap();
    assert_eq!(scene.endangered().await, []);
}
