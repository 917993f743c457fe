//! The vault in its directory: made, and opened again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, SystemClock, Timestamp, rfc3339};
use prismvault::contentapi::Document;
use prismvault::ids::{Name, SnapshotId};
use prismvault::limits::Limits;
use prismvault::objects::local::LocalStore;
use prismvault::sandbox::synthetic::Random;
use prismvault::secret::Secret;
use prismvault::vault::commit::{Draft, LinksPart};
use prismvault::vault::envelope::Identity;
use prismvault::vault::format::catalog::CatalogEntry;
use prismvault::vault::format::index::PackKind;
use prismvault::vault::format::manifest::{Consistency, Counts, HowRead, ReadMode, Source, Tally};
use prismvault::vault::init::{NewVault, init};
use prismvault::vault::item::ItemKind;
use prismvault::vault::layout;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::open::{Keys, OpenOptions, Pins, Vault};
use prismvault::vault::pack::ItemData;
use prismvault::vault::replica::{Replica, Replicas};
use prismvault::vault::signing::SigningKey;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::vault::writer::{NewItem, Writer};
use serde_json::{Value, json};

use super::{Arguments, contents, erase};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Documents that are stored in one go.
const AT_ONCE: usize = 1000;
/// One in so many documents changes every night.
const CHANGED: usize = 100;

/// The repository and its space.
pub(crate) fn name() -> Result<Name> {
    Ok("blog".parse()?)
}

/// Makes a vault, and says what it holds.
pub(crate) async fn make(arguments: &Arguments) -> Result<Value> {
    let (directory, begun) = (&*arguments.directory, Instant::now());
    let documents =
        contents::documents(arguments.documents)?.into_iter().map(|document| (document, 0)).collect();
    fs::create_dir(directory)?;
    let (signing, root, reader) = (SigningKey::generate(), SigningKey::generate(), Identity::generate());
    write(directory, "signing.key", signing.to_secret_text("bench").expose())?;
    if !arguments.plain {
        write(directory, "identity.txt", reader.to_secret_text("bench").expose())?;
    }
    write(directory, "patterns.txt", &contents::patterns())?;
    let store = LocalStore::create(&directory.join("a")).await?;
    let recipients = if arguments.plain { Vec::new() } else { vec![reader.recipient()] };
    let new = NewVault {
        content_recipients: recipients.clone(),
        operator_recipients: recipients,
        signing: signing.public().clone(),
        root: &root,
        created: SystemClock.now(),
    };
    init(&[Replica::new("a", Arc::new(store))], new).await?;
    erase::add_approver(directory, &root).await?;

    let mut nights = Nights { documents, entries: BTreeMap::new(), items: 0, bytes: 0, planted: 0 };
    let today = SystemClock.now();
    for night in 0..arguments.snapshots {
        let before = i64::try_from(arguments.snapshots - night)?;
        nights.snapshot(directory, night as u64, today - TimeDelta::days(before)).await?;
    }
    let vault = open(directory).await?;
    let packs = content_packs(&vault, directory).await?;
    write(directory, "packs.txt", &(packs.join("\n") + "\n"))?;
    let mut stored = 0;
    for pack in &packs {
        stored += fs::metadata(pack)?.len();
    }
    Ok(json!({
        "seconds": begun.elapsed().as_secs_f64(),
        "documents": nights.entries.len(), "snapshots": arguments.snapshots,
        "items": nights.items, "bytes": nights.bytes, "planted": nights.planted,
        "packs": packs.len(), "stored": stored,
    }))
}

#[expect(clippy::disallowed_methods, reason = "of a measurement, which is made again when it is lost")]
pub(crate) fn write(directory: &Path, name: &str, text: &str) -> Result<()> {
    Ok(fs::write(directory.join(name), text)?)
}

/// Opens the vault in a directory, with all its keys.
pub(crate) async fn open(directory: &Path) -> Result<Arc<Vault>> {
    let signing = SigningKey::parse(&Secret::new(fs::read_to_string(directory.join("signing.key"))?))?;
    let identities = match fs::read_to_string(directory.join("identity.txt")) {
        Ok(text) => vec![Identity::parse(&Secret::new(text))?],
        Err(_) => Vec::new(),
    };
    let options = OpenOptions {
        // Snapshots of a year are made in one run.
        limits: Limits { max_run: Duration::from_hours(24 * 1000), ..Limits::default() },
        clock: Arc::new(SystemClock),
        keys: Keys { identities, signing: Some(signing), ..Keys::default() },
        pins: Pins::default(),
        cache: Some(directory.join("cache")),
        state: None,
        spool: directory.join("spool"),
    };
    let store = LocalStore::open(&directory.join("a")).await?;
    let replicas = Replicas::new(vec![Replica::new("a", Arc::new(store))], None);
    Ok(Arc::new(Vault::open(replicas, options).await?))
}

/// The files with the documents.
async fn content_packs(vault: &Vault, directory: &Path) -> Result<Vec<String>> {
    let space = Space::load(vault, &name()?).await?;
    let packs = space.index.packs().iter().filter(|pack| pack.kind == PackKind::Content);
    Ok(packs
        .map(|pack| directory.join("a").join(layout::pack(&space.name, &pack.id)).display().to_string())
        .collect())
}

/// A repository that is backed up night after night.
struct Nights {
    /// With the number of times that each was edited.
    documents: Vec<(Arc<Document>, u32)>,
    entries: BTreeMap<String, CatalogEntry>,
    items: u64,
    bytes: u64,
    planted: u64,
}

impl Nights {
    async fn snapshot(&mut self, directory: &Path, night: u64, at: Timestamp) -> Result<()> {
        let (vault, name) = (open(directory).await?, name()?);
        let snapshots = Snapshots::load(&vault, Some(&name)).await?;
        let ledger = Ledger::load(&vault, &name).await?;
        let space = Space::load_after(&vault, &name, &ledger).await?;
        let writer = Writer::new(Arc::clone(&vault), space, self.entries.values().map(|entry| &entry.item))?;
        let mut random = Random::new(&[night]);
        let mut wanted: Vec<usize> = (0..self.documents.len()).collect();
        if night > 0 {
            let count = self.documents.len().div_ceil(CHANGED);
            wanted = (0..count).map(|_| random.below(self.documents.len())).collect();
            wanted.sort_unstable();
            wanted.dedup();
            wanted.iter().for_each(|at| self.documents[*at].1 += 1);
        }
        for some in wanted.chunks(AT_ONCE) {
            let mut new = Vec::with_capacity(some.len());
            for (document, edits) in some.iter().map(|at| &self.documents[*at]) {
                let (text, names_person) = contents::stored(document, *edits);
                let head = &document.head;
                let path = format!("documents/{}/{}/{}.json", head.lang(), head.type_id(), head.id());
                self.planted += u64::from(names_person);
                new.push(NewItem { kind: ItemKind::Document, path, data: ItemData::Memory(text.into()) });
            }
            let paths: Vec<String> = new.iter().map(|item| item.path.clone()).collect();
            for (path, item) in paths.into_iter().zip(writer.store(new).await?) {
                let entry = CatalogEntry { path: path.as_str().into(), item: item.id, size: item.size };
                self.entries.insert(path, entry);
            }
        }
        let (items, bytes) = writer.added();
        self.items += items;
        self.bytes += bytes;
        let documents = Tally {
            reported: Some(self.entries.len() as u64),
            stored: self.entries.len() as u64,
            bytes: self.entries.values().map(|entry| entry.size).sum(),
        };
        let draft = Draft {
            repository: name,
            snapshot: SnapshotId::new(at),
            started: at,
            trigger: "bench".to_owned(),
            source: Source {
                repository: "acme-blog".to_owned(),
                content_api: "https://acme-blog.cdn.prismic.io/api/v2".to_owned(),
                master_ref: format!("night-{night}"),
                integration_fields_ref: None,
                releases: BTreeMap::new(),
                write_token: false,
            },
            entries: self.entries.values().cloned().collect(),
            links: LinksPart::New(Box::new(std::iter::empty())),
            counts: Counts { documents, ..Counts::default() },
            consistency: Consistency::default(),
            read: Some(HowRead {
                documents: if night == 0 { ReadMode::Full } else { ReadMode::Incremental },
                since: None,
                why_full: None,
                last_full: rfc3339(at),
                newest_publication: None,
                models_settled: true,
                assets_settled: true,
            }),
            gaps: Vec::new(),
            accepted_gaps: Vec::new(),
            warnings: Vec::new(),
        };
        writer.commit(draft, &snapshots, &ledger).await?;
        Ok(())
    }
}
