//! Keys for years: readers and signers that come, leave and are replaced.

use std::sync::Arc;

use prismvault::clock::Clock as _;
use prismvault::clock::rfc3339;
use prismvault::ids::{Digest, Name, SnapshotId};
use prismvault::keys::{Change, KeyPlan, KeyReport, apply, check, describe, plan};
use prismvault::objects::faults::{Condition, FaultStore};
use prismvault::objects::{Body, ObjectStore as _, PutMode};
use prismvault::vault::envelope::{self, Identity, Recipient};
use prismvault::vault::error::{ErrorKind, Result, VaultError};
use prismvault::vault::format::index::IndexFile;
use prismvault::vault::format::ledger::{Decision, LedgerEntry, Removed};
use prismvault::vault::format::trust::{Role, TrustRecord};
use prismvault::vault::item::ItemKind;
use prismvault::vault::layout;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::open::Vault;
use prismvault::vault::signing::SigningKey;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::verification::{DamageKind, Level, verify};
use serde_json::Value;

use crate::backups::{Backup, verify_options};
use crate::vaults::TestVault;

const ONE: (&str, ItemKind, &[u8]) = ("repository/A.json", ItemKind::Repository, br#"{"id":"A"}"#);
const TWO: (&str, ItemKind, &[u8]) = ("repository/B.json", ItemKind::Repository, br#"{"id":"B"}"#);

fn blog() -> Name {
    "blog".parse().unwrap()
}

/// Opens the vault as somebody who changes keys, with every key and `further`.
pub(crate) async fn open(
    backup: &Backup,
    identities: &[Identity],
    further: Option<&SigningKey>,
) -> Result<Vault> {
    let vault = backup.open_with(identities.to_vec()).await?;
    let mut vault = Arc::into_inner(vault).expect("nobody else holds it");
    let again = further.map(|key| SigningKey::parse(&key.to_secret_text("test")).unwrap());
    vault.take_keys(again, Vec::new());
    Ok(vault)
}

/// Plans and applies changes.
pub(crate) async fn change(
    backup: &Backup,
    identities: &[Identity],
    further: Option<&SigningKey>,
    changes: &[Change],
) -> Result<KeyReport> {
    let mut vault = open(backup, identities, further).await?;
    let plan = plan(&vault, changes).await?;
    apply(&mut vault, Some(&backup.root), &plan).await
}

/// The plan for these changes.
async fn planned(backup: &Backup, changes: &[Change]) -> Result<KeyPlan> {
    plan(&open(backup, &all(backup), None).await?, changes).await
}

pub(crate) fn all(backup: &Backup) -> Vec<Identity> {
    vec![backup.operator.clone(), backup.recovery.clone()]
}

/// Everything is there, authentic and readable with these identities.
pub(crate) async fn assert_sound(backup: &Backup, identities: &[Identity], snapshots: usize, case: &str) {
    let vault = backup.open_with(identities.to_vec()).await.unwrap();
    let report = verify(&vault, &verify_options(Level::Content)).await.unwrap();
    assert_eq!(report.damage, [], "{case}");
    assert_eq!(report.snapshots as usize, snapshots, "{case}");
    assert!(report.items > 0, "{case}");
}

/// How many packs and index objects, of all replicas, an identity opens, headers tried one by one.
pub(crate) async fn opens(backup: &Backup, identity: &Identity) -> usize {
    let mut opened = 0;
    for (_, store) in &backup.stores {
        for object in store.list("").await.unwrap() {
            let bytes = store.get(&object.key, u64::MAX).await.unwrap();
            let whole = match layout::parse_header(&object.key) {
                Some((pack, _)) => {
                    let body = object.key.replace("keys/", "packs/");
                    let body = body.split_once('.').unwrap().0.to_owned();
                    assert!(body.ends_with(&pack.to_string()));
                    let Ok(body) = store.get(&body, u64::MAX).await else { continue };
                    [bytes, body].concat()
                }
                None if object.key.starts_with("index/") => bytes.to_vec(),
                None => continue,
            };
            opened += usize::from(envelope::open(&whole, std::slice::from_ref(identity)).is_ok());
        }
    }
    opened
}

async fn bodies(vault: &TestVault) -> Vec<String> {
    vault.keys("packs").await
}

async fn with_two_snapshots(replicas: usize) -> TestVault {
    let vault = TestVault::new(replicas, true).await;
    vault.snapshot("blog", &[ONE]).await;
    vault.snapshot("blog", &[ONE, TWO]).await;
    vault
}

#[tokio::test]
async fn a_new_recovery_recipient_reads_every_snapshot_and_bodies_stay() {
    let vault = with_two_snapshots(2).await;
    let (backup, new) = (&vault.backup, Identity::generate());
    let before = bodies(&vault).await;
    assert_eq!(opens(backup, &new).await, 0);

    let changes =
        [Change::AddContent(new.recipient()), Change::Label(new.recipient().to_string(), "lawyer".into())];
    let plan = planned(backup, &changes).await.unwrap();
    assert!(!plan.destroys && plan.before.is_none(), "{plan:?}");
    let report = change(backup, &all(backup), None, &changes).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!((report.trust, report.rewrap.destroyed), (2, 0));
    assert_eq!(bodies(&vault).await, before);
    // With the new identity alone, with the old ones alone, and by the library of age itself.
    assert_sound(backup, std::slice::from_ref(&new), 2, "the new one").await;
    assert_sound(backup, &all(backup), 2, "the old ones").await;
    assert!(opens(backup, &new).await >= before.len() * 2, "packs and index on both replicas");

    // Once more changes nothing, and what comes later is for all.
    assert!(planned(backup, &changes).await.unwrap().is_empty());
    vault.snapshot("blog", &[TWO]).await;
    assert_sound(backup, std::slice::from_ref(&new), 3, "later").await;
    let reopened = open(backup, std::slice::from_ref(&new), None).await.unwrap();
    let (findings, left) = check(&reopened).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
    assert!(findings.iter().all(|finding| finding.problems.is_empty()), "{findings:?}");
    let lines = describe(&reopened, None);
    let line = lines.iter().find(|line| line.key == new.recipient().to_string()).unwrap();
    assert_eq!((line.since, line.label.as_deref(), line.here), (2, Some("lawyer"), true));
}

#[tokio::test]
async fn a_new_operator_reads_catalogs_and_no_content() {
    let vault = with_two_snapshots(1).await;
    let (backup, new) = (&vault.backup, Identity::generate());
    // Nobody who reads content is needed for that.
    let operator = [backup.operator.clone()];
    change(backup, &operator, None, &[Change::AddCatalog(new.recipient())]).await.unwrap();
    let reopened = backup.open_with(vec![new.clone()]).await.unwrap();
    let report = verify(&reopened, &verify_options(Level::Bytes)).await.unwrap();
    assert_eq!((report.damage.as_slice(), report.snapshots), (&[][..], 2));
    assert_eq!(report.warnings, []);
    let error = verify(&reopened, &verify_options(Level::Content)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Identity);
    assert_sound(backup, &all(backup), 2, "the others").await;
}

#[tokio::test]
async fn who_leaves_opens_nothing_any_more_and_the_others_everything() {
    let vault = with_two_snapshots(2).await;
    let (backup, leaving) = (&vault.backup, Identity::generate());
    let label = || Change::Label(leaving.recipient().to_string(), "anna".into());
    change(backup, &all(backup), None, &[Change::AddContent(leaving.recipient()), label()]).await.unwrap();
    vault.snapshot("blog", &[TWO]).await;
    assert!(opens(backup, &leaving).await > 0);

    let remove = [Change::Remove("anna".into())];
    let plan = planned(backup, &remove).await.unwrap();
    assert!(plan.destroys && plan.limits.iter().any(|limit| limit.contains("copied")), "{plan:?}");
    let report = change(backup, &all(backup), None, &remove).await.unwrap();
    assert!(report.is_complete() && report.rewrap.destroyed > 0, "{report:?}");
    assert_eq!(opens(backup, &leaving).await, 0);
    assert_sound(backup, std::slice::from_ref(&backup.recovery), 3, "recovery").await;
    assert_sound(backup, &all(backup), 3, "all").await;
    let error = backup.open_with(vec![leaving.clone()]).await.unwrap().item_key().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Identity, "{error}");
    assert!(planned(backup, &remove).await.unwrap().is_empty(), "removed already");
    vault.snapshot("blog", &[ONE]).await;
    assert_eq!(opens(backup, &leaving).await, 0, "what is written later");
    assert_sound(backup, &all(backup), 4, "later").await;
}

#[tokio::test]
async fn a_writer_that_had_not_seen_the_change_leaves_something_that_is_found_and_finished() {
    let vault = with_two_snapshots(1).await;
    let (backup, new) = (&vault.backup, Identity::generate());
    let early = backup.open().await.unwrap();
    change(backup, &all(backup), None, &[Change::AddContent(new.recipient())]).await.unwrap();
    // It was opened before the record was written, and ends after.
    vault.commit_by(early, "blog", &[TWO, ("repository/C.json", ItemKind::Repository, b"{}")]).await;
    let left = check(&open(backup, &all(backup), None).await.unwrap()).await.unwrap().1;
    assert!(left.to_write > 0, "{left:?}");
    change(backup, &all(backup), None, &[]).await.unwrap();
    assert_sound(backup, &[new], 3, "finished").await;
}

#[tokio::test]
async fn a_replica_that_was_away_gets_record_and_headers_when_it_is_back() {
    for by_repair in [false, true] {
        let mut vault = with_two_snapshots(2).await;
        vault.backup.min_copies = Some(1);
        let door = Arc::new(FaultStore::new(Arc::clone(&vault.backup.stores[1].1)));
        vault.backup.stores[1].1 = Arc::<FaultStore>::clone(&door);
        let (backup, new) = (&vault.backup, Identity::generate());
        let leaving = backup.recovery.recipient();
        door.set_condition(Condition::Unreachable);
        let changes = [Change::ReplaceRecipient(leaving, new.recipient())];
        let report = change(backup, &all(backup), None, &changes).await.unwrap();
        assert_eq!(report.away, ["replica-1"]);
        door.set_condition(Condition::Healthy);
        assert!(opens(backup, &backup.recovery).await > 0, "what the replica that was away holds");

        let identities = [backup.operator.clone(), new.clone()];
        let reopened = backup.open_with(identities.to_vec()).await.unwrap();
        let report = verify(&reopened, &verify_options(Level::Bytes)).await.unwrap();
        assert!(!report.damage.is_empty());
        assert!(report.damage.iter().all(|damage| damage.kind == DamageKind::Behind), "{:?}", report.damage);
        if by_repair {
            backup.repair().await;
            assert_sound(backup, &identities, 2, "repaired").await;
        }
        let report = change(backup, &identities, None, &[]).await.unwrap();
        assert!(report.is_complete() && report.rewrap.destroyed > 0, "{report:?}");
        assert_sound(backup, &identities, 2, "finished").await;
        assert_eq!(opens(backup, &backup.recovery).await, 0);
    }
}

#[tokio::test]
async fn an_old_header_that_comes_back_is_found_and_destroyed_again() {
    let vault = with_two_snapshots(1).await;
    let (backup, new) = (&vault.backup, Identity::generate());
    let mut copied = Vec::new();
    for object in vault.stores[0].list("keys").await.unwrap() {
        copied.push((object.key.clone(), vault.stores[0].get(&object.key, u64::MAX).await.unwrap()));
    }
    let changes = [Change::ReplaceRecipient(backup.recovery.recipient(), new.recipient())];
    change(backup, &all(backup), None, &changes).await.unwrap();
    for (key, bytes) in copied {
        vault.stores[0].put(&key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    }
    let identities = [backup.operator.clone(), new];
    assert_sound(backup, &identities, 2, "with old headers").await;
    let report = change(backup, &identities, None, &[]).await.unwrap();
    assert!(report.rewrap.destroyed > 0, "{report:?}");
    assert_eq!(opens(backup, &backup.recovery).await, 0);
}

#[tokio::test]
async fn a_retired_header_is_not_destroyed_where_the_new_one_is_missing() {
    let vault = with_two_snapshots(1).await;
    let (backup, new) = (&vault.backup, Identity::generate());
    let first = vault.keys("keys").await.remove(0);
    let bytes = vault.stores[0].get(&first, u64::MAX).await.unwrap();
    let old = (first, bytes);
    let changes = [Change::ReplaceRecipient(backup.recovery.recipient(), new.recipient())];
    change(backup, &all(backup), None, &changes).await.unwrap();
    // The new header of that pack is lost, and the old one is there again.
    let (pack, _) = layout::parse_header(&old.0).unwrap();
    let headers = vault.keys("keys").await;
    let lost = headers.iter().find(|key| layout::parse_header(key).unwrap().0 == pack).unwrap();
    vault.lose(lost).await;
    vault.stores[0].put(&old.0, Body::bytes(old.1), PutMode::Overwrite).await.unwrap();
    let mut identities = all(backup);
    identities.push(new);
    let report = change(backup, &identities, None, &[]).await.unwrap();
    assert_eq!(report.rewrap.destroyed, 0, "{report:?}");
    assert!(report.rewrap.problems.iter().any(|problem| problem.code == "not-destroyed"), "{report:?}");
    assert!(vault.stores[0].head(&old.0).await.is_ok());
    // It can still be read by whoever can open it.
    let reopened = backup.open_with(identities).await.unwrap();
    let report = verify(&reopened, &verify_options(Level::Content)).await.unwrap();
    assert!(report.damage.iter().all(|damage| damage.kind == DamageKind::Behind), "{:?}", report.damage);
}

/// Snapshots and their problems, by codes and subjects.
async fn load(backup: &Backup) -> (Vec<SnapshotId>, Vec<(String, String)>) {
    let vault = backup.open().await.unwrap();
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let ids = snapshots.iter().map(|snapshot| snapshot.id().clone()).collect();
    let problems = snapshots.unreadable.iter().map(|one| (one.subject.clone(), one.detail.clone())).collect();
    (ids, problems)
}

/// A manifest made from another, signed by this key, on every replica; returns its key.
async fn forge(backup: &Backup, id: &str, parents: &[Digest], signer: &SigningKey) -> String {
    let (_, store) = &backup.stores[0];
    let real =
        store.list("snapshots").await.unwrap().into_iter().find(|object| object.key.ends_with(".json"));
    let bytes = store.get(&real.unwrap().key, u64::MAX).await.unwrap();
    let mut manifest: Value = serde_json::from_slice(&bytes).unwrap();
    let key = layout::manifest(&blog(), &id.parse().unwrap());
    manifest["snapshot"] = id.into();
    manifest["key"] = key.clone().into();
    manifest["parents"] = serde_json::to_value(parents).unwrap();
    let bytes = serde_json::to_vec_pretty(&manifest).unwrap();
    backup.put_signed(&key, &bytes, &signer.sign(&bytes, &key)).await;
    key
}

#[tokio::test]
async fn manifests_of_a_retired_key_count_and_forgeries_by_it_are_refused_and_named() {
    let mut vault = with_two_snapshots(2).await;
    let (old, new) = (SigningKey::parse(&vault.backup.signing).unwrap(), SigningKey::generate());
    let entry =
        Decision::AcceptedGap { repository: blog(), path: "assets/x/original".into(), reason: "gone".into() };
    let opened = vault.backup.open().await.unwrap();
    Ledger::load(&opened, &blog()).await.unwrap().append(&opened, &blog(), entry).await.unwrap();
    let changes = [Change::ReplaceSigner(old.public().clone(), new.public().clone())];
    let report = change(&vault.backup, &all(&vault.backup), Some(&new), &changes).await.unwrap();
    assert_eq!((report.trust, report.is_complete()), (3, true), "{report:?}");
    assert!(report.endorsed >= 5, "two manifests, two index objects, an entry: {report:?}");

    vault.backup.signing = new.to_secret_text("test");
    let backup = &vault.backup;
    assert_sound(backup, &all(backup), 2, "after the rotation").await;
    let opened = backup.open().await.unwrap();
    let ledger = Ledger::load(&opened, &blog()).await.unwrap();
    assert_eq!(ledger.accepted_gaps(&blog()).len(), 1);
    assert!(ledger.unreadable.is_empty(), "{:?}", ledger.unreadable);
    // The next snapshot builds on those before: nothing is stored again.
    let next = vault.snapshot("blog", &[ONE, TWO]).await;
    assert_eq!((next.added.items, next.parents.len()), (0, 1));

    let forged = forge(backup, "20300101T000000Z-00000001", &next.parents, &old).await;
    let (ids, problems) = load(backup).await;
    assert_eq!(ids.len(), 3);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].0 == forged && problems[0].1.contains("retired"), "{problems:?}");
    // A stranger's is refused as before.
    forge(backup, "20300101T000000Z-00000002", &[], &SigningKey::generate()).await;
    assert_eq!(load(backup).await.1.len(), 2);

    // An index object that the thief makes would hide what a snapshot should store.
    let file =
        IndexFile { vault: opened.file.vault, space: blog(), trust: 1, packs: vec![], originals: vec![] };
    let sealed = envelope::seal(&file.encode(&old), &opened.trust.catalog_recipients).unwrap();
    let key = layout::index(&blog(), &Digest::of(&sealed));
    backup.stores[0].1.put(&key, Body::bytes(sealed), PutMode::Overwrite).await.unwrap();
    let space = Space::load(&backup.open().await.unwrap(), &blog()).await.unwrap();
    assert_eq!(space.unreadable.len(), 1);
    assert_eq!(space.unreadable[0].subject, key);
}

#[tokio::test]
async fn a_forgery_in_the_place_of_an_endorsed_manifest_is_read_around() {
    let mut vault = with_two_snapshots(2).await;
    let (old, new) = (SigningKey::parse(&vault.backup.signing).unwrap(), SigningKey::generate());
    let changes = [Change::ReplaceSigner(old.public().clone(), new.public().clone())];
    change(&vault.backup, &all(&vault.backup), Some(&new), &changes).await.unwrap();
    vault.backup.signing = new.to_secret_text("test");
    let key = vault.keys("snapshots").await.into_iter().find(|key| key.ends_with(".json")).unwrap();
    let bytes = vault.stores[0].get(&key, u64::MAX).await.unwrap();
    let mut manifest: Value = serde_json::from_slice(&bytes).unwrap();
    manifest["trigger"] = "a thief".into();
    let forged = serde_json::to_vec_pretty(&manifest).unwrap();
    // On the first replica, which is asked first.
    let signature = old.sign(&forged, &key).into_bytes();
    for (key, bytes) in [(format!("{key}.minisig"), signature), (key.clone(), forged)] {
        vault.stores[0].put(&key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    }
    let (ids, problems) = load(&vault.backup).await;
    assert_eq!((ids.len(), problems.as_slice()), (2, &[][..]));
    let report = vault.backup.verified(Level::Bytes).await;
    let found: Vec<_> =
        report.damage.iter().map(|damage| (damage.kind, damage.replica.as_str(), &damage.key)).collect();
    assert_eq!(found, [(DamageKind::NotAuthentic, "replica-0", &key)]);
    vault.backup.repair().await;
    assert_sound(&vault.backup, &all(&vault.backup), 2, "repaired").await;
}

/// Puts a ledger entry by this key on every replica.
pub(crate) async fn enter(backup: &Backup, signer: &SigningKey, decision: Decision) -> Digest {
    let vault = backup.open().await.unwrap();
    let id = SnapshotId::new(backup.clock.now());
    let entry = LedgerEntry {
        kind: "ledger-entry".into(),
        format: 1,
        vault: vault.file.vault,
        key: layout::ledger(&blog(), &id),
        space: blog(),
        id,
        parents: Ledger::load(&vault, &blog()).await.unwrap().heads(),
        critical: false,
        audit: None,
        decision,
    };
    let bytes = serde_json::to_vec_pretty(&entry).unwrap();
    backup.put_signed(&entry.key, &bytes, &signer.sign(&bytes, &entry.key)).await;
    Digest::of(&bytes)
}

#[tokio::test]
async fn a_host_that_lost_the_maintenance_role_can_neither_remove_nor_let_a_removal_count() {
    let vault = with_two_snapshots(2).await;
    let (backup, maintenance) = (&vault.backup, SigningKey::generate());
    let host = SigningKey::parse(&backup.signing).unwrap();
    let add = [Change::SetSigner(maintenance.public().clone(), vec![Role::Maintenance])];
    change(backup, &all(backup), None, &add).await.unwrap();
    // What it removed while it might stays removed.
    let opened = backup.open().await.unwrap();
    let snapshots = Snapshots::load(&opened, None).await.unwrap();
    let removal = |at: usize| {
        let snapshot = &snapshots.of(&blog())[at];
        let snapshots = vec![Removed {
            snapshot: Some(snapshot.id().clone()),
            sha256: snapshot.digest,
            parents: snapshot.manifest.parents.clone(),
            rule: "test".into(),
        }];
        Decision::Removal { repository: blog(), snapshots, replicas: None }
    };
    enter(backup, &host, removal(0)).await;
    assert_eq!(load(backup).await.0.len(), 1);
    let split = [Change::SetSigner(host.public().clone(), vec![Role::Snapshot])];
    let without = change(backup, &all(backup), None, &split).await.unwrap_err();
    assert_eq!(without.kind, ErrorKind::Identity, "somebody must vouch for the removal: {without}");
    change(backup, &all(backup), Some(&maintenance), &split).await.unwrap();
    assert_eq!(load(backup).await.0.len(), 1, "still removed");

    let forged = enter(backup, &host, removal(1)).await;
    enter(backup, &host, Decision::Endorsement { files: vec![forged] }).await;
    assert_eq!(load(backup).await.0.len(), 1, "not removed");
    let ledger = Ledger::load(&backup.open().await.unwrap(), &blog()).await.unwrap();
    assert_eq!(ledger.unreadable.len(), 1, "{:?}", ledger.unreadable);
    enter(backup, &maintenance, removal(1)).await;
    assert_eq!(load(backup).await.0.len(), 0);
}

#[tokio::test]
async fn a_rotated_root_key_changes_no_pin_and_only_the_new_one_signs() {
    let mut vault = with_two_snapshots(1).await;
    let new = SigningKey::generate();
    change(&vault.backup, &all(&vault.backup), None, &[Change::SetRoot(new.public().clone())]).await.unwrap();
    let add = [Change::AddCatalog(Identity::generate().recipient())];
    let by_old = change(&vault.backup, &all(&vault.backup), None, &add).await.unwrap_err();
    assert_eq!(by_old.kind, ErrorKind::Identity, "{by_old}");
    vault.backup.root = new;
    let report = change(&vault.backup, &all(&vault.backup), None, &add).await.unwrap();
    assert_eq!(report.trust, 3);
    // The pin of these clients is the first root key.
    assert_sound(&vault.backup, &all(&vault.backup), 2, "rotated").await;
}

fn kind<T: std::fmt::Debug>(result: std::result::Result<T, VaultError>) -> ErrorKind {
    result.unwrap_err().kind
}

#[tokio::test]
async fn changes_that_would_leave_nobody_to_read_or_sign_are_refused() {
    let vault = with_two_snapshots(1).await;
    let backup = &vault.backup;
    let host = SigningKey::parse(&backup.signing).unwrap();
    let stranger: Recipient = Identity::generate().recipient();
    for (change, expected) in [
        (Change::Remove(backup.recovery.recipient().to_string()), ErrorKind::Refused),
        (Change::Remove(host.public().to_string()), ErrorKind::Refused),
        (Change::Remove(backup.root.public().to_string()), ErrorKind::Refused),
        (Change::SetSigner(backup.root.public().clone(), vec![Role::Snapshot]), ErrorKind::Refused),
        (Change::SetSigner(host.public().clone(), vec![Role::Snapshot]), ErrorKind::Refused),
        (Change::SetRoot(host.public().clone()), ErrorKind::Refused),
        (Change::Remove("nobody".into()), ErrorKind::NotFound),
        (Change::Label(stranger.to_string(), "two\nlines".into()), ErrorKind::Refused),
    ] {
        assert_eq!(kind(planned(backup, std::slice::from_ref(&change)).await), expected, "{change:?}");
    }
    let open_vault = TestVault::new(1, false).await;
    let add = [Change::AddContent(stranger)];
    assert_eq!(kind(planned(&open_vault.backup, &add).await), ErrorKind::Refused, "not encrypted");
    // Without the identity that reads content nothing is written at all.
    let before = vault.keys("").await;
    let operator = [backup.operator.clone()];
    let error = change(backup, &operator, None, &add).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Identity, "{error}");
    let mut opened = open(backup, &all(backup), None).await.unwrap();
    let without_root = plan(&opened, &add).await.unwrap();
    assert_eq!(kind(apply(&mut opened, None, &without_root).await), ErrorKind::Identity);
    assert_eq!(
        kind(apply(&mut opened, Some(&SigningKey::generate()), &without_root).await),
        ErrorKind::Identity
    );
    assert_eq!(vault.keys("").await, before);
    // A plan from before another change is stale.
    change(backup, &all(backup), None, &[Change::AddCatalog(Identity::generate().recipient())])
        .await
        .unwrap();
    let mut opened = open(backup, &all(backup), None).await.unwrap();
    assert_eq!(kind(apply(&mut opened, Some(&backup.root), &without_root).await), ErrorKind::Refused);
}

#[tokio::test]
async fn signing_keys_rotate_in_a_vault_without_encryption() {
    let mut vault = TestVault::new(1, false).await;
    vault.snapshot("blog", &[ONE]).await;
    let (old, new) = (SigningKey::parse(&vault.backup.signing).unwrap(), SigningKey::generate());
    let changes = [Change::ReplaceSigner(old.public().clone(), new.public().clone())];
    change(&vault.backup, &[], Some(&new), &changes).await.unwrap();
    vault.backup.signing = new.to_secret_text("test");
    assert_sound(&vault.backup, &[], 1, "rotated").await;
    assert_eq!(vault.snapshot("blog", &[ONE]).await.added.items, 0);
}

/// The next trust record as the holder of the root key would write it by hand.
async fn record(backup: &Backup, label: &str) -> (String, Vec<u8>, String) {
    let vault = backup.open().await.unwrap();
    let n = vault.trust.n + 1;
    let record = TrustRecord {
        n,
        key: layout::trust(n),
        created: rfc3339(backup.clock.now()),
        labels: [(backup.recovery.recipient().to_string(), label.to_owned())].into(),
        ..vault.trust.clone()
    };
    let bytes = serde_json::to_vec_pretty(&record).unwrap();
    let signature = backup.root.sign(&bytes, &record.key);
    (record.key, bytes, signature)
}

#[tokio::test]
async fn two_records_of_one_number_on_two_replicas_are_refused_until_one_is_taken_away() {
    let vault = with_two_snapshots(2).await;
    let backup = &vault.backup;
    // Both made from the same state.
    let records = [record(backup, "one").await, record(backup, "other").await];
    for ((key, bytes, signature), store) in records.into_iter().zip(&vault.stores) {
        for (key, bytes) in [(format!("{key}.minisig"), signature.into_bytes()), (key, bytes)] {
            store.put(&key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
        }
    }
    let error = backup.open().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("replica-0") && error.to_string().contains("replica-1"), "{error}");
    for suffix in ["", ".minisig"] {
        vault.stores[1].delete(&format!("{}{suffix}", layout::trust(2))).await.unwrap();
    }
    assert_eq!(backup.open().await.unwrap().trust.n, 2);
    // What is left of it where it was taken away comes back with the next thing that is written.
    vault.snapshot("blog", &[ONE]).await;
    assert!(vault.stores[1].head(&layout::trust(2)).await.is_ok());
    assert_sound(backup, &all(backup), 3, "agreed").await;
}
