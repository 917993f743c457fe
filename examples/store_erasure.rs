//! Erases an item on a real store, and looks at every version that the store keeps: for those who want to know
//! whether what they erase is gone, and for `scripts/test-moto`.
//!
//! ```text
//! cargo run --example store_erasure -- s3://bucket/prefix --endpoint http://127.0.0.1:9000 --path-style
//! ```
//!
//! It makes a vault at a place that must be empty, takes two snapshots of which one holds somebody invented, and
//! decides by an order that the other text is read in its place. Then it rewrites and destroys, as `prismvault
//! privacy erase` does. With `--lock` everything is locked for a minute: until then all of it must be there, with
//! the date on which it goes; afterwards nothing.
//!
//! An example and not a test, as `store_contract`: it needs something that the repository does not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use clap::Parser;
use prismvault::clock::{Clock as _, SystemClock, Timestamp, rfc3339};
use prismvault::ids::{CaseId, Digest, ItemId, Name, SnapshotId};
use prismvault::keys::{Change, apply, plan};
use prismvault::limits::Limits;
use prismvault::objects::probe::probe;
use prismvault::objects::probed::ProbedStore;
use prismvault::objects::url::{Opening, ReplicaOptions, open_replica};
use prismvault::objects::{Body, LockMode, LockRule, ObjectStore, PutMode};
use prismvault::progress::Silent;
use prismvault::secret::Secret;
use prismvault::vault::commit::{Draft, LinksPart};
use prismvault::vault::envelope::Identity;
use prismvault::vault::erasure::destroy::{Destroyed, destroy};
use prismvault::vault::erasure::rewrite::rewrite;
use prismvault::vault::format::catalog::CatalogEntry;
use prismvault::vault::format::ledger::Decision;
use prismvault::vault::format::manifest::{Consistency, Counts, Manifest, Source, Tally};
use prismvault::vault::format::order::{self, Approval, Order, Replaced};
use prismvault::vault::format::receipt::Receipt;
use prismvault::vault::format::trust::Role;
use prismvault::vault::init::{NewVault, init};
use prismvault::vault::item::ItemKind;
use prismvault::vault::layout;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::open::{Keys, OpenOptions, Pins, Vault};
use prismvault::vault::pack::ItemData;
use prismvault::vault::reader::Reader;
use prismvault::vault::replica::{Replica, Replicas};
use prismvault::vault::signing::SigningKey;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::vault::tree;
use prismvault::vault::writer::{NewItem, Writer};
use prismvault::verification::{Level, Scope, VerifyOptions, verify};
use tokio_util::sync::CancellationToken;

/// Erases an item on a real store.
#[derive(Debug, Parser)]
struct Arguments {
    /// s3://BUCKET/PREFIX, file:///DIRECTORY, or the path of a directory
    place: String,
    /// address of a store that is not Amazon's
    #[arg(long, value_name = "URL")]
    endpoint: Option<url::Url>,
    /// region of the bucket
    #[arg(long)]
    region: Option<String>,
    /// the bucket goes into the path
    #[arg(long)]
    path_style: bool,
    /// the bucket has Object Lock: governance or compliance
    #[arg(long, value_name = "MODE")]
    lock: Option<String>,
}

type Error = Box<dyn std::error::Error>;

const A: &str = "documents/en-us/page/A.json";
const B: &str = "documents/en-us/page/B.json";
const NAMED: &[u8] = br#"{"id":"A","by":"Perpetua Exampleton"}"#;
const MASKED: &[u8] = br#"{"id":"A","by":"[erased]"}"#;
const OTHER: &[u8] = br#"{"id":"B","by":"nobody"}"#;
/// How long everything is locked: longer than all steps before the last one take.
const WINDOW: TimeDelta = TimeDelta::seconds(60);

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(run(Arguments::parse())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(source) = cause {
                text = format!("{text}: {source}");
                cause = source.source();
            }
            say(&format!("error: {text}"));
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    // Whoever closed standard output does not want to know.
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Fails with this sentence unless it holds.
fn require(holds: bool, what: impl Into<String>) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(what.into().into()) }
}

async fn run(arguments: Arguments) -> Result<(), Error> {
    let lock = match arguments.lock.as_deref() {
        None => None,
        Some("governance") => Some(LockMode::Governance),
        Some("compliance") => Some(LockMode::Compliance),
        Some(other) => return Err(format!("{other} is no mode of Object Lock").into()),
    };
    let limits = Limits::default();
    let options = ReplicaOptions {
        opening: Opening::Create,
        endpoint: arguments.endpoint,
        region: arguments.region,
        force_path_style: arguments.path_style,
        lock: lock.map(|mode| LockRule { mode, window: WINDOW }),
        ..ReplicaOptions::default()
    };
    let store = open_replica(&arguments.place, &options, &limits).await?;
    let found = probe(&store, &SystemClock, &limits, layout::SCRATCH).await;
    let abilities = found.abilities(store.abilities());
    let has_versions = abilities.versions;
    let store: Arc<dyn ObjectStore> = Arc::new(ProbedStore::new(store, abilities));
    let scene = Scene::new(store).await?;

    let doomed = scene.doomed().await?;
    say(&format!("to be destroyed: {} objects", doomed.len()));
    if has_versions {
        // An older version of each, as a repair or a careless tool leaves.
        for key in &doomed {
            let bytes = scene.home.store.get(key, 1 << 30).await?;
            scene.home.store.put(key, Body::bytes(bytes), PutMode::Overwrite).await?;
        }
    }
    let before = scene.versions(&doomed).await?;
    let written = scene.rewrite_and_destroy().await?;
    if lock.is_some() {
        let last = scene.held_back(&written, &doomed, before).await?;
        let wait = last.signed_duration_since(SystemClock.now()) + TimeDelta::seconds(2);
        say(&format!("locked until {}: waiting", rfc3339(last)));
        tokio::time::sleep(wait.to_std().unwrap_or(Duration::ZERO)).await;
        let written = scene.rewrite_and_destroy().await?;
        require(written.is_complete(), format!("not complete after the locks: {written:?}"))?;
    } else {
        require(written.is_complete(), format!("not complete: {written:?}"))?;
    }
    require(scene.versions(&doomed).await? == 0, "some version is left of what was to go")?;
    let last = scene.last_receipt().await?;
    require(last.gone.is_some() && last.unreadable.is_some(), format!("the receipt: {last:?}"))?;
    scene.sound().await?;
    say("nothing is left of it, in any version, and everything else reads as it is to");
    Ok(())
}

fn blog() -> Result<Name, Error> {
    Ok("blog".parse()?)
}

/// A vault on the store, and its keys.
struct Home {
    store: Arc<dyn ObjectStore>,
    signing: String,
    reader: Identity,
    spool: tempfile::TempDir,
}

impl Home {
    async fn open(&self) -> Result<Vault, Error> {
        let signing = SigningKey::parse(&Secret::new(self.signing.clone()))?;
        let options = OpenOptions {
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            keys: Keys { identities: vec![self.reader.clone()], signing: Some(signing), ..Keys::default() },
            pins: Pins::default(),
            cache: None,
            state: None,
            spool: self.spool.path().to_owned(),
        };
        let replicas = Replicas::new(vec![Replica::new("a", Arc::clone(&self.store))], None);
        Ok(Vault::open(replicas, options).await?)
    }

    /// Takes a snapshot of these texts; returns it, with the items in the order of their paths.
    async fn snapshot(&self, texts: [(&str, &[u8]); 2]) -> Result<(Manifest, Vec<ItemId>), Error> {
        let (vault, name) = (Arc::new(self.open().await?), blog()?);
        let started = vault.now();
        let snapshots = Snapshots::load(&vault, Some(&name)).await?;
        let ledger = Ledger::load(&vault, &name).await?;
        let space = Space::load_after(&vault, &name, &ledger).await?;
        let writer = Writer::new(Arc::clone(&vault), space, std::iter::empty())?;
        let new = texts.map(|(path, text)| NewItem {
            kind: ItemKind::Document,
            path: path.to_owned(),
            data: ItemData::Memory(text.to_vec().into()),
        });
        let stored = writer.store(new.into_iter().collect()).await?;
        let entry = |((path, _), item): (&(&str, &[u8]), &prismvault::vault::writer::StoredItem)| {
            CatalogEntry { path: (*path).into(), item: item.id, size: item.size }
        };
        let entries: Vec<CatalogEntry> = texts.iter().zip(&stored).map(entry).collect();
        let draft = Draft {
            repository: name,
            snapshot: SnapshotId::new(started),
            started,
            trigger: "example".to_owned(),
            source: Source {
                repository: "acme-blog".to_owned(),
                content_api: "https://acme-blog.cdn.prismic.io/api/v2".to_owned(),
                master_ref: "ref".to_owned(),
                integration_fields_ref: None,
                releases: BTreeMap::new(),
                write_token: false,
            },
            entries,
            links: LinksPart::New(Box::new(std::iter::empty())),
            counts: Counts { documents: Tally { stored: 2, ..Tally::default() }, ..Counts::default() },
            consistency: Consistency::default(),
            read: None,
            gaps: Vec::new(),
            accepted_gaps: Vec::new(),
            warnings: Vec::new(),
        };
        let committed = writer.commit(draft, &snapshots, &ledger).await?;
        Ok((committed.manifest, stored.into_iter().map(|item| item.id).collect()))
    }
}

/// Two snapshots, and an order that erases what the first alone holds.
struct Scene {
    home: Home,
    first: Manifest,
    /// The text that goes.
    named: ItemId,
}

impl Scene {
    async fn new(store: Arc<dyn ObjectStore>) -> Result<Self, Error> {
        let (signing, root, approver) =
            (SigningKey::generate(), SigningKey::generate(), SigningKey::generate());
        let (reader, planner) = (Identity::generate(), SigningKey::generate());
        let new = NewVault {
            content_recipients: vec![reader.recipient()],
            operator_recipients: vec![reader.recipient()],
            signing: signing.public().clone(),
            root: &root,
            created: SystemClock.now(),
        };
        init(&[Replica::new("a", Arc::clone(&store))], new).await?;
        let signing = signing.to_secret_text("example").expose().to_owned();
        let home = Home { store, signing, reader, spool: tempfile::tempdir()? };
        let mut vault = home.open().await?;
        let change = Change::SetSigner(approver.public().clone(), vec![Role::Privacy]);
        let keys = plan(&vault, &[change]).await?;
        apply(&mut vault, Some(&root), &keys).await?;
        drop(vault);
        let (first, old) = home.snapshot([(A, NAMED), (B, OTHER)]).await?;
        let (_, new) = home.snapshot([(A, MASKED), (B, OTHER)]).await?;

        let vault = home.open().await?;
        let order = Order {
            kind: order::KIND.to_owned(),
            format: 1,
            vault: vault.file.vault,
            space: blog()?,
            case: CaseId::new(2026),
            planned: rfc3339(vault.now()),
            planned_by: planner.public().clone(),
            plan: Digest([7; 32]),
            items: vec![Replaced {
                id: old[0],
                change: order::Change::Masked,
                by: new[0],
                size: MASKED.len() as u64,
            }],
            packs: Vec::new(),
        };
        let order = serde_json::to_string_pretty(&order)?;
        let signature = approver.sign(order.as_bytes(), "erasure order");
        let approvals = vec![Approval { key: approver.public().clone(), signature }];
        let ledger = Ledger::load(&vault, &blog()?).await?;
        ledger.append(&vault, &blog()?, Decision::Erasure { order, approvals }).await?;
        Ok(Self { home, first, named: old[0] })
    }

    /// Keys of the pack that holds the text, of its headers, and of the index objects that describe it.
    async fn doomed(&self) -> Result<BTreeSet<String>, Error> {
        let vault = self.home.open().await?;
        let space = Space::load(&vault, &blog()?).await?;
        let mut names = BTreeSet::new();
        for place in space.index.locations(&self.named) {
            let pack = &space.index.packs()[place.pack as usize];
            names.insert(pack.id.to_string());
            names.extend(pack.indexed_by.iter().map(ToString::to_string));
        }
        let objects = self.home.store.list("").await?.into_iter().map(|object| object.key);
        let doomed: BTreeSet<String> =
            objects.filter(|key| names.iter().any(|name| key.contains(name.as_str()))).collect();
        require(doomed.len() >= 3, format!("body, header and index object: {doomed:?}"))?;
        Ok(doomed)
    }

    /// How many versions there are of these objects; where the store has none, how many objects.
    async fn versions(&self, keys: &BTreeSet<String>) -> Result<usize, Error> {
        let store = &self.home.store;
        let listed: Vec<String> = match store.abilities().versions {
            true => store.list_versions("").await?.into_iter().map(|version| version.key).collect(),
            false => store.list("").await?.into_iter().map(|object| object.key).collect(),
        };
        Ok(listed.iter().filter(|key| keys.contains(*key)).count())
    }

    async fn rewrite_and_destroy(&self) -> Result<Destroyed, Error> {
        let (vault, cancel) = (self.home.open().await?, CancellationToken::new());
        let rewritten = rewrite(&vault, &blog()?, &Silent, &cancel).await?;
        require(rewritten.is_complete(), format!("not rewritten: {rewritten:?}"))?;
        let mut all = destroy(&vault, &blog()?, &Silent, &cancel).await?;
        let done = all.pop().ok_or("the replica was not reached")?;
        let (headers, bodies, indexes) = (done.headers, done.bodies, done.indexes);
        let (pending, blocked) = (done.pending.len(), done.blocked.len());
        say(&format!(
            "destroyed {headers} headers, {bodies} bodies, {indexes} index objects; {pending} wait, {blocked} blocked"
        ));
        Ok(done)
    }

    /// Checks that locks keep all of it, in every version and each to a date; returns the last of these.
    async fn held_back(
        &self,
        done: &Destroyed,
        doomed: &BTreeSet<String>,
        before: usize,
    ) -> Result<Timestamp, Error> {
        require((done.headers, done.bodies, done.indexes) == (0, 0, 0), "something locked went")?;
        require(done.blocked.is_empty(), format!("blocked: {:?}", done.blocked))?;
        let waiting: BTreeSet<&String> = done.pending.iter().map(|left| &left.key).collect();
        require(doomed.iter().all(|key| waiting.contains(key)), format!("not told: {waiting:?}"))?;
        require(self.versions(doomed).await? == before, "a version went before its lock ended")?;
        let receipt = self.last_receipt().await?;
        let is_told = receipt.gone.is_none() && receipt.unreadable.is_none() && receipt.pending > 0;
        require(is_told, format!("the receipt says too much: {receipt:?}"))?;
        let mut last = Timestamp::MIN_UTC;
        for left in &done.pending {
            let until = left.until.as_deref().ok_or(format!("no date for {}", left.key))?;
            last = last.max(until.parse()?);
        }
        require(last > SystemClock.now(), "the locks ended before the erasure was tried: the store is slow")?;
        Ok(last)
    }

    async fn last_receipt(&self) -> Result<Receipt, Error> {
        let vault = self.home.open().await?;
        let ledger = Ledger::load(&vault, &blog()?).await?;
        let erased = ledger.erased();
        let known = erased.orders().first().ok_or("the order does not count")?;
        Ok(erased.receipts(known.digest).last().ok_or("there is no receipt")?.clone())
    }

    /// Checks that both texts of the first snapshot read as they are to, and that nothing is damaged.
    async fn sound(&self) -> Result<(), Error> {
        let vault = self.home.open().await?;
        let space = Space::load(&vault, &blog()?).await?;
        let reader = Reader::new(&vault, &space);
        for (path, text) in [(A, MASKED), (B, OTHER)] {
            let found = tree::find::<CatalogEntry>(&reader, &self.first.catalog, path).await?;
            let bytes = reader.bytes(found.ok_or("an entry is gone")?.item).await?;
            require(bytes == text, format!("{path} reads otherwise"))?;
        }
        let options = VerifyOptions {
            level: Some(Level::Content),
            snapshots: Vec::new(),
            progress: &Silent,
            cancel: CancellationToken::new(),
            scope: Scope::default(),
        };
        let report = verify(&vault, &options).await?;
        require(report.damage.is_empty(), format!("damaged: {:?}", report.damage))
    }
}
