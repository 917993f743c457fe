//! Cases that are kept no longer: decided, deleted on every replica, and never back.

use chrono::TimeDelta;
use prismvault::clock::Clock as _;
use prismvault::ids::CaseId;
use prismvault::keys::Change;
use prismvault::objects::{LockMode, LockRule, ObjectStore};
use prismvault::privacy::case::{Event, What};
use prismvault::privacy::purge;
use prismvault::privacy::right::Right;
use prismvault::privacy::store::StoredCase;
use prismvault::vault::case_files;
use prismvault::vault::envelope::Identity;
use prismvault::vault::error::ErrorKind;
use prismvault::vault::format::trust::Role;
use prismvault::vault::open::Vault;
use prismvault::vault::signing::SigningKey;
use prismvault::vault::{layout, purged, requests};
use prismvault::verification::Level;

use crate::backups::Backup;
use crate::keys::{all, change, open};
use crate::vaults::TestVault;

/// A vault with one privacy officer.
struct Office {
    vault: TestVault,
    reader: Identity,
    signer: SigningKey,
}

impl Office {
    async fn new(vault: TestVault) -> Self {
        let (reader, signer) = (Identity::generate(), SigningKey::generate());
        let changes = [
            Change::AddPrivacy(reader.recipient()),
            Change::SetSigner(signer.public().clone(), vec![Role::Privacy]),
        ];
        change(&vault.backup, &all(&vault.backup), None, &changes).await.unwrap();
        Self { vault, reader, signer }
    }

    fn backup(&self) -> &Backup {
        &self.vault.backup
    }

    /// As the officer opens it: with the keys of the backup host as well.
    async fn open(&self) -> Vault {
        open(self.backup(), &[self.backup().operator.clone(), self.reader.clone()], Some(&self.signer))
            .await
            .unwrap()
    }

    /// A case with a file, which is withdrawn.
    async fn closed(&self, id: &str) -> CaseId {
        let vault = self.open().await;
        let event = |what| Event {
            at: vault.now(),
            actor: "anna".to_owned(),
            reason: Some("Perpetua Exampleton asked".to_owned()),
            what,
        };
        let received = What::Received {
            on: vault.now().date_naive(),
            channel: "e-mail".to_owned(),
            rights: vec![Right::Access],
            rules: "eu".to_owned(),
            language: "en".to_owned(),
            from_case: None,
        };
        let mut stored = StoredCase::draft(id.parse().unwrap(), event(received)).unwrap();
        stored.store_draft(&vault).await.unwrap();
        case_files::store(&vault, stored.case.id(), b"Perpetua Exampleton".to_vec()).await.unwrap();
        stored.record(&vault, event(What::Withdrawn)).await.unwrap();
        stored.case.id().clone()
    }

    /// The keys below a case on a replica, hidden versions too.
    async fn keys(&self, at: usize, case: &CaseId) -> Vec<String> {
        let below = format!("{}/{case}", layout::REQUESTS);
        let store = &self.vault.stores[at];
        let mut keys: Vec<String> =
            store.list(&below).await.unwrap().into_iter().map(|object| object.key).collect();
        if store.abilities().versions {
            let versions = store.list_versions(&below).await.unwrap();
            keys = versions.into_iter().map(|version| version.key).collect();
        }
        keys.sort();
        keys.dedup();
        keys
    }

    /// Lets the time of all cases pass.
    fn wait(&self) {
        self.backup().clock.advance(TimeDelta::days(20 * 366));
    }

    async fn decide_all(&self) -> usize {
        let vault = self.open().await;
        let cases = purge::cases(&vault).await.unwrap();
        assert_eq!((cases.problems.len(), cases.kept.len()), (0, 0));
        for (stored, due) in &cases.due {
            purge::decide(&vault, stored, due).await.unwrap();
        }
        cases.due.len()
    }
}

/// What is left of a case that was purged.
fn stub(case: &CaseId) -> Vec<String> {
    let key = layout::purged(case);
    vec![key.clone(), layout::signature(&key)]
}

#[tokio::test]
async fn a_case_whose_time_has_passed_leaves_nothing_but_its_number_on_any_replica() {
    let office = Office::new(TestVault::new(2, true).await).await;
    let case = office.closed("2026-7K3F9Q").await;
    assert_eq!(office.decide_all().await, 0, "its time has not come");
    office.wait();
    let recent = office.closed("2026-7K3F9R").await;
    assert_eq!(office.decide_all().await, 1);

    // Decided, and not deleted yet: it is there for nobody, and nothing lacks.
    let vault = office.open().await;
    assert_eq!(requests::cases(&vault).await.unwrap(), std::slice::from_ref(&recent));
    assert!(requests::load(&vault, &case).await.unwrap().is_none());
    assert!(purge::cases(&vault).await.unwrap().due.is_empty());
    assert_eq!(office.backup().verified(Level::Bytes).await.damage, []);
    assert!(office.keys(0, &case).await.len() > 2);

    let rehearsed = purged::delete(&vault, true).await.unwrap();
    assert_eq!(rehearsed.len(), 1);
    assert!(office.keys(0, &case).await.len() > 2, "a rehearsal deletes nothing");
    let done = purged::delete(&vault, false).await.unwrap();
    assert_eq!((done.len(), done[0].objects, done[0].left.len()), (1, rehearsed[0].objects, 0));
    // Two entries with their signatures and one file, on two replicas.
    assert_eq!(done[0].objects, 2 * 5);
    for at in 0..2 {
        assert_eq!(office.keys(at, &case).await, stub(&case));
    }
    assert_eq!(purged::delete(&vault, false).await.unwrap(), [], "once more does nothing");
    let left = &purged::purged(&vault).await.unwrap()[&case];
    assert_eq!((left.entries, &left.case), (2, &case));
    assert_eq!(requests::cases(&vault).await.unwrap(), [recent]);
    assert_eq!(office.backup().verified(Level::Bytes).await.damage, []);
    assert_eq!(requests::bring_all(&vault).await.unwrap(), []);
    for at in 0..2 {
        assert_eq!(office.keys(at, &case).await, stub(&case));
    }
}

#[tokio::test]
async fn a_replica_that_was_away_gives_nothing_back_and_is_cleaned_later() {
    let mut office = Office::new(TestVault::new(2, true).await).await;
    let case = office.closed("2026-7K3F9Q").await;
    office.wait();
    let away = office.vault.backup.stores.pop().unwrap();
    office.vault.backup.min_copies = Some(1);
    assert_eq!(office.decide_all().await, 1);
    let vault = office.open().await;
    assert_eq!(purged::delete(&vault, false).await.unwrap().len(), 1);
    assert_eq!(office.keys(0, &case).await, stub(&case));

    office.vault.backup.stores.push(away);
    let vault = office.open().await;
    assert_eq!(requests::cases(&vault).await.unwrap(), [] as [CaseId; 0]);
    assert_eq!(requests::bring_all(&vault).await.unwrap(), []);
    assert_eq!(office.keys(0, &case).await, stub(&case), "nothing came back");
    assert_eq!(office.keys(1, &case).await.len(), 5 + 2, "it has the decision now, and its old entries");
    let done = purged::delete(&vault, false).await.unwrap();
    assert_eq!((done.len(), done[0].objects), (1, 5));
    assert_eq!(office.keys(1, &case).await, stub(&case));
}

#[tokio::test]
async fn a_kill_between_the_steps_changes_nothing_but_what_is_done() {
    let office = Office::new(TestVault::new(2, true).await).await;
    let case = office.closed("2026-7K3F9Q").await;
    office.wait();
    assert_eq!(office.decide_all().await, 1);
    // Killed after some of it: an entry in the middle is gone, on one replica the decision is not yet there.
    let gone = layout::request(&case, 1);
    for store in &office.vault.stores {
        store.delete(&gone).await.unwrap();
    }
    for key in stub(&case) {
        office.vault.stores[1].delete(&key).await.unwrap();
    }
    let vault = office.open().await;
    assert_eq!(requests::cases(&vault).await.unwrap(), [] as [CaseId; 0], "one decision is enough for all");
    assert_eq!(office.backup().verified(Level::Bytes).await.damage, []);
    purged::delete(&vault, false).await.unwrap();
    for at in 0..2 {
        assert_eq!(office.keys(at, &case).await, stub(&case));
    }
}

#[tokio::test]
async fn what_nobody_may_decide_hides_no_case_and_deletes_nothing() {
    let office = Office::new(TestVault::new(2, true).await).await;
    let case = office.closed("2026-7K3F9Q").await;
    let other = office.closed("2026-7K3F9R").await;
    office.wait();
    let vault = office.open().await;
    let cases = purge::cases(&vault).await.unwrap();
    assert_eq!(cases.due.len(), 2);
    // The decision on another case, and one by a key that may not.
    let (stored, due) = cases.due.iter().find(|(_, due)| due.case == other).unwrap();
    let file = purge::decide(&vault, stored, due).await.unwrap();
    let bytes = serde_json::to_vec(&file).unwrap();
    let key = layout::purged(&case);
    let forger = SigningKey::generate();
    for signature in [office.signer.sign(&bytes, &key), forger.sign(&bytes, &key)] {
        office.backup().put_signed(&key, &bytes, &signature).await;
        let vault = office.open().await;
        assert_eq!(requests::cases(&vault).await.unwrap(), std::slice::from_ref(&case));
        purged::delete(&vault, false).await.unwrap();
        assert!(requests::load(&vault, &case).await.unwrap().is_some());
    }
    let mut own = file.clone();
    (own.case, own.key) = (case.clone(), key.clone());
    let bytes = serde_json::to_vec(&own).unwrap();
    office.backup().put_signed(&key, &bytes, &office.backup().sign(&bytes, &key)).await;
    let vault = office.open().await;
    assert_eq!(
        requests::cases(&vault).await.unwrap(),
        std::slice::from_ref(&case),
        "the backup host decides nothing"
    );
    assert!(vault.warnings().iter().any(|warning| warning.subject == key), "and it is told");

    // Deciding and deleting want their keys.
    let host = office.backup().open().await.unwrap();
    let (stored, due) = cases.due.iter().find(|(_, due)| due.case == case).unwrap();
    let refused = purge::decide(&host, stored, due).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Identity);
    assert!(purge::cases(&host).await.unwrap().due.is_empty(), "who reads no cases decides on none");
}

#[tokio::test]
async fn a_locked_entry_is_told_and_goes_when_its_lock_ends() {
    let begin = prismvault::clock::SystemClock.now();
    let rule = LockRule { mode: LockMode::Governance, window: TimeDelta::days(30 * 366) };
    let office = Office::new(TestVault::locked(begin, 2, rule).await).await;
    let case = office.closed("2026-7K3F9Q").await;
    office.wait();
    assert_eq!(office.decide_all().await, 1);
    let vault = office.open().await;
    let done = purged::delete(&vault, false).await.unwrap();
    assert_eq!((done[0].objects, done[0].left.len()), (0, 2 * 5));
    office.wait();
    let vault = office.open().await;
    let done = purged::delete(&vault, false).await.unwrap();
    assert_eq!((done[0].objects, done[0].left.len()), (2 * 5, 0));
    assert_eq!(office.keys(0, &case).await, stub(&case));
}
