//! The resurrection test: a person is planted in a vault of its own, snapshotted, erased, and the old snapshot is
//! restored. What the ledger takes away must not come back; and the test must be able to see it come back, so the
//! same look is taken before the order.
//!
//! Everything is in memory and on the loopback interface, with keys that are made for it and gone with it. What
//! is tried is the program that would restore on the worst day: the same writer, ledger, reader and standby.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::content::each_document;
use super::standing::{Playground, Shelves, beside, caches, content_api, edition, site, unpaced};
use crate::clock::{Clock, rfc3339};
use crate::contentapi::RepositoryRoot;
use crate::ids::{CaseId, Digest, Name, Salt, hex, random};
use crate::keys::{self, Change as KeyChange};
use crate::limits::Limits;
use crate::objects::ObjectStore;
use crate::objects::memory::MemoryStore;
use crate::prismic::{ContentApi, Http};
use crate::progress::Silent;
use crate::restore::OpenSnapshot;
use crate::sandbox::Changes;
use crate::secret::Secret;
use crate::snapshot::{Read, SnapshotOptions, take};
use crate::vault::envelope::Identity;
use crate::vault::erasure::replacements::{self, NewItem};
use crate::vault::format::index::PackKind;
use crate::vault::format::ledger::Decision;
use crate::vault::format::manifest::Manifest;
use crate::vault::format::order::{self, Approval, Order, Replaced};
use crate::vault::format::trust::Role;
use crate::vault::init::{NewVault, init};
use crate::vault::ledger::Ledger;
use crate::vault::open::{Keys, OpenOptions, Pins, Vault};
use crate::vault::replica::{Replica, Replicas, with_causes};
use crate::vault::signing::SigningKey;
use crate::vault::snapshots::Snapshots;

/// The repository that is made up.
const REPOSITORY: &str = "resurrection-test";
/// Where the planted document lies in a snapshot.
const PLANTED: &str = "documents/en-us/person/planted-person01.json";
/// What stands in the place of the person.
const MASK: &str = "(erased)";

/// What the test came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resurrection {
    /// Documents that showed the person before the order; none: the test saw nothing and proves nothing.
    pub(super) before: u64,
    /// Documents that show the person in the same snapshot, restored under the order.
    pub(super) after: u64,
    /// Documents that were restored under the order: the one without the person is one of them.
    pub(super) restored: u64,
    /// Items that the order changed, as the restore tells it.
    pub(super) applied: u64,
}

impl Resurrection {
    /// Whether nothing came back, and the test could have seen it.
    pub(super) fn is_good(&self) -> bool {
        self.before > 0 && self.after == 0 && self.restored > 0 && self.applied > 0
    }
}

/// Keys of a vault that lives as long as the test.
struct Scratch {
    stores: Vec<Arc<dyn ObjectStore>>,
    identity: Identity,
    signing: Secret,
    /// Of who plans, and of who approves.
    people: [SigningKey; 2],
    limits: Limits,
    clock: Arc<dyn Clock>,
    spool: std::path::PathBuf,
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Runs the test.
///
/// # Errors
///
/// In words, what could not be done; then nothing is known.
pub(super) async fn test(
    limits: &Limits,
    clock: &Arc<dyn Clock>,
    directory: &Path,
    cancel: &CancellationToken,
) -> Result<Resurrection, String> {
    let run = Box::pin(run(limits, clock, directory, cancel));
    run.await.map_err(|error| with_causes(&*error))
}

async fn run(
    limits: &Limits,
    clock: &Arc<dyn Clock>,
    directory: &Path,
    cancel: &CancellationToken,
) -> Result<Resurrection, Failed> {
    let name: Name = REPOSITORY.parse()?;
    let person = format!("Person {}", hex(&random::<12>()));
    let playground = Playground::start(vec![(REPOSITORY.to_owned(), root())], clock)?;
    let target = playground.target(&name, REPOSITORY).ok_or("the made-up repository has no address")?;
    plant(&playground, &person)?;
    let scratch = Scratch::make(unpaced(limits), clock, directory).await?;
    let http = Http::new(scratch.limits.clone(), Arc::clone(clock))?;
    let vault = Arc::new(scratch.open().await?);
    let options = SnapshotOptions {
        trigger: "drill".to_owned(),
        progress: &Silent,
        cancel: cancel.clone(),
        read: Read::Full,
    };
    let manifest = take(&vault, &http, &target, options).await?.committed.manifest;
    let before = scratch.restored(&manifest, &http, &person).await?;
    scratch.erase(&vault, &manifest, &person).await?;
    let after = scratch.restored(&manifest, &http, &person).await?;
    playground.server.stop().await;
    Ok(Resurrection { before: before.0, after: after.0, restored: after.1, applied: after.2 })
}

fn root() -> RepositoryRoot {
    let root = json!({
        "refs": [{"id": "master", "ref": "resurrection", "label": "Master", "isMasterRef": true}],
        "languages": [{"id": "en-us", "name": "English", "is_master": true}],
        "types": {"person": "Person"},
    });
    RepositoryRoot::from_api(&root, None).unwrap_or_default()
}

/// Publishes a document that names the person, and one that does not.
fn plant(playground: &Playground, person: &str) -> Result<(), Failed> {
    let document = |id: &str, uid: &str, words: &str| {
        let text = json!({
            "id": id, "uid": uid, "type": "person", "lang": "en-us", "tags": [], "slugs": [],
            "first_publication_date": "2026-01-01T00:00:00+0000",
            "last_publication_date": "2026-01-01T00:00:00+0000",
            "linked_documents": [], "alternate_languages": [],
            "data": {"name": words},
        });
        crate::contentapi::Document::parse(&text.to_string(), &[]).map(Arc::new)
    };
    let put = vec![
        document("planted-person01", "planted", person)?,
        document("nobody-person001", "nobody", "Nobody")?,
    ];
    let repository = playground.repository(REPOSITORY).ok_or("the made-up repository is not there")?;
    repository.publish(Changes { put, ..Changes::default() });
    Ok(())
}

impl Scratch {
    /// Makes a vault in memory, on two replicas.
    async fn make(limits: Limits, clock: &Arc<dyn Clock>, directory: &Path) -> Result<Self, Failed> {
        let (root, signing) = (SigningKey::generate(), SigningKey::generate());
        let own = Self {
            stores: ["first", "second"]
                .map(|name| Arc::new(MemoryStore::new(name, Arc::clone(clock))) as Arc<dyn ObjectStore>)
                .into(),
            identity: Identity::generate(),
            signing: signing.to_secret_text("resurrection test"),
            people: [SigningKey::generate(), SigningKey::generate()],
            limits,
            clock: Arc::clone(clock),
            spool: directory.join("resurrection"),
        };
        std::fs::create_dir_all(&own.spool)?;
        let new = NewVault {
            content_recipients: vec![own.identity.recipient()],
            operator_recipients: Vec::new(),
            signing: signing.public().clone(),
            root: &root,
            created: clock.now(),
        };
        init(&own.replicas(), new).await?;
        let signers =
            own.people.each_ref().map(|key| KeyChange::SetSigner(key.public().clone(), vec![Role::Privacy]));
        let mut vault = own.open().await?;
        let plan = keys::plan(&vault, &signers).await?;
        keys::apply(&mut vault, Some(&root), &plan).await?;
        Ok(own)
    }

    fn replicas(&self) -> Vec<Replica> {
        self.stores.iter().map(|store| Replica::new(store.to_string(), Arc::clone(store))).collect()
    }

    async fn open(&self) -> Result<Vault, Failed> {
        let options = OpenOptions {
            limits: self.limits.clone(),
            clock: Arc::clone(&self.clock),
            keys: Keys {
                identities: vec![self.identity.clone()],
                signing: Some(SigningKey::parse(&self.signing)?),
                maintenance: None,
                further: Vec::new(),
                absent: BTreeMap::new(),
            },
            pins: Pins::default(),
            cache: None,
            state: None,
            spool: self.spool.clone(),
        };
        Ok(Vault::open(Replicas::new(self.replicas(), None), options).await?)
    }

    /// Restores the snapshot to a standby and reads it back. Documents that show the person, documents in all, and
    /// items that orders changed.
    async fn restored(
        &self,
        manifest: &Manifest,
        http: &Http,
        person: &str,
    ) -> Result<(u64, u64, u64), Failed> {
        let vault = self.open().await?;
        let snapshots = Snapshots::load(&vault, None).await?;
        let snapshot = OpenSnapshot::open(&vault, &snapshots, manifest).await?;
        let (caches, mut shelves) = (caches(&self.limits), Shelves::new());
        let edition = edition(&snapshot, &caches, &mut shelves, &Silent).await?;
        let applied = edition.edition.applied();
        let applied = applied.masked + applied.removed + applied.corrected;
        let editions = [edition];
        let site = site(&editions, &caches, &self.limits).await?;
        let endpoint = content_api(&site.base_url(), &manifest.repository, 1).parse()?;
        let api = ContentApi::new(http.clone(), endpoint, None);
        let (mut shows, mut all) = (0, 0);
        let reading = each_document(&api, 100, 1, |document| {
            all += 1;
            shows += u64::from(memchr::memmem::find(&document.bytes, person.as_bytes()).is_some());
        });
        beside(&mut shelves, reading).await?;
        site.stop().await;
        Ok((shows, all, applied))
    }

    /// Orders that the planted document is read without the person. Nothing is destroyed: what the old snapshot
    /// holds lies in its pack as before, and only the ledger keeps it from coming back.
    async fn erase(&self, vault: &Vault, manifest: &Manifest, person: &str) -> Result<(), Failed> {
        let space = crate::vault::space::Space::load(vault, &manifest.space).await?;
        let reader = crate::vault::reader::Reader::new(vault, &space);
        let entry = crate::vault::tree::find::<crate::vault::format::catalog::CatalogEntry>(
            &reader,
            &manifest.catalog,
            PLANTED,
        )
        .await?
        .ok_or("the snapshot does not hold the planted document")?;
        let bytes = reader.bytes(entry.item).await?;
        let text = String::from_utf8(bytes.to_vec())?.replace(person, MASK);
        let masked = NewItem {
            salt: Salt(random()),
            kind: PackKind::Content,
            path: PLANTED.to_owned(),
            bytes: Bytes::from(text),
        };
        let (by, size) = (masked.id(), masked.bytes.len() as u64);
        replacements::store(vault, &manifest.space, [masked]).await?;
        let [planner, approver] = &self.people;
        let order = Order {
            kind: order::KIND.to_owned(),
            format: 1,
            vault: vault.file.vault,
            space: manifest.space.clone(),
            case: CaseId::new(2026),
            planned: rfc3339(self.clock.now()),
            planned_by: planner.public().clone(),
            plan: Digest::of(b"resurrection test"),
            items: vec![Replaced { id: entry.item, change: order::Change::Masked, by, size }],
            packs: Vec::new(),
        };
        let order = serde_json::to_string_pretty(&order)?;
        let approval = Approval {
            key: approver.public().clone(),
            signature: approver.sign(order.as_bytes(), "erasure order"),
        };
        let ledger = Ledger::load(vault, &manifest.space).await?;
        ledger.append(vault, &manifest.space, Decision::Erasure { order, approvals: vec![approval] }).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_ledger_takes_away_does_not_come_back_and_the_test_could_have_seen_it() {
        let directory = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let test = test(&Limits::default(), &clock, directory.path(), &CancellationToken::new()).await;
        assert_eq!(test, Ok(Resurrection { before: 1, after: 0, restored: 2, applied: 1 }));
    }

    #[test]
    fn a_test_that_saw_nothing_proves_nothing() {
        let good = Resurrection { before: 1, after: 0, restored: 2, applied: 1 };
        assert!(good.is_good());
        for bad in [
            Resurrection { before: 0, ..good.clone() },
            Resurrection { after: 1, ..good.clone() },
            Resurrection { restored: 0, ..good.clone() },
            Resurrection { applied: 0, ..good.clone() },
        ] {
            assert!(!bad.is_good(), "{bad:?}");
        }
    }
}
