//! Erases every person of the corpus from a vault in memory, and counts what a second scanner still finds of them,
//! in any encoding.
//!
//! Each mention and each decoy is a document. What the search finds in mentions of a person is decided to be them,
//! all else to be somebody else: the corpus knows. So what is left is what the search missed, or what the erasure
//! left behind.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use prismvault::clock::{Clock as _, SystemClock, rfc3339};
use prismvault::ids::{CaseId, Digest, ItemId, Name, SnapshotId, random};
use prismvault::keys::{Change, apply, plan as plan_keys};
use prismvault::limits::Limits;
use prismvault::objects::ObjectStore;
use prismvault::objects::memory::MemoryStore;
use prismvault::privacy::channels::Bounds;
use prismvault::privacy::erasure::plan::{Making, Purpose, orders};
use prismvault::privacy::matching::{Finding, Matcher};
use prismvault::privacy::passage::Channel;
use prismvault::privacy::proof::needles::Needles;
use prismvault::privacy::proof::scan::{Place, Scanner};
use prismvault::privacy::proof::stays::Stays;
use prismvault::privacy::review::{Decided, Decision};
use prismvault::privacy::search::{Again, FoundItem, SearchOptions, search};
use prismvault::progress::Silent;
use prismvault::vault::commit::{Draft, LinksPart};
use prismvault::vault::envelope::Identity;
use prismvault::vault::erasure::destroy::{Destroyed, destroy};
use prismvault::vault::erasure::replacements;
use prismvault::vault::erasure::rewrite::rewrite;
use prismvault::vault::format::catalog::CatalogEntry;
use prismvault::vault::format::ledger::Decision as Entry;
use prismvault::vault::format::manifest::{Consistency, Counts, Source};
use prismvault::vault::format::order::Approval;
use prismvault::vault::format::trust::Role;
use prismvault::vault::init::{NewVault, init};
use prismvault::vault::item::ItemKind;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::open::{Keys, OpenOptions, Pins, Vault};
use prismvault::vault::pack::ItemData;
use prismvault::vault::replica::{Replica, Replicas};
use prismvault::vault::signing::SigningKey;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::vault::writer::{NewItem, Writer};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::corpus::{Case, PEOPLE, cases, subject};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Replicas of the vault.
const REPLICAS: usize = 2;

/// What is left, by class: how often it was planted, and in how many documents something is still found.
pub(crate) struct Erased {
    pub(crate) classes: BTreeMap<&'static str, (u64, u64)>,
    /// Objects that were looked through, and those that could not be.
    pub(crate) objects: (u64, u64),
    /// Leaks outside of any document.
    pub(crate) elsewhere: u64,
}

fn name() -> Result<Name> {
    Ok("blog".parse()?)
}

/// The vault, with the keys of everybody.
struct Corpus {
    stores: Vec<Arc<dyn ObjectStore>>,
    spool: tempfile::TempDir,
    signing: SigningKey,
    approver: SigningKey,
    reader: Identity,
}

impl Corpus {
    async fn new() -> Result<Self> {
        let (root, reader) = (SigningKey::generate(), Identity::generate());
        let store = |number: usize| -> Arc<dyn ObjectStore> {
            Arc::new(MemoryStore::new(&format!("replica-{number}"), Arc::new(SystemClock)))
        };
        let place = Self {
            stores: (0..REPLICAS).map(store).collect(),
            spool: tempfile::tempdir()?,
            signing: SigningKey::generate(),
            approver: SigningKey::generate(),
            reader,
        };
        let new = NewVault {
            content_recipients: vec![place.reader.recipient()],
            operator_recipients: vec![place.reader.recipient()],
            signing: place.signing.public().clone(),
            root: &root,
            created: SystemClock.now(),
        };
        init(&place.replicas(), new).await?;
        let mut vault = place.open().await?;
        let change = Change::SetSigner(place.approver.public().clone(), vec![Role::Privacy]);
        let plan = plan_keys(&vault, &[change]).await?;
        apply(&mut vault, Some(&root), &plan).await?;
        Ok(place)
    }

    fn replicas(&self) -> Vec<Replica> {
        let named = self.stores.iter().enumerate();
        named.map(|(at, store)| Replica::new(format!("replica-{at}"), Arc::clone(store))).collect()
    }

    async fn open(&self) -> Result<Vault> {
        let signing = SigningKey::parse(&self.signing.to_secret_text("corpus"))?;
        let keys = Keys { identities: vec![self.reader.clone()], signing: Some(signing), ..Keys::default() };
        let options = OpenOptions {
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            keys,
            pins: Pins::default(),
            cache: None,
            state: None,
            spool: self.spool.path().join("spool"),
        };
        Ok(Vault::open(Replicas::new(self.replicas(), None), options).await?)
    }
}

fn path(number: usize) -> String {
    format!("documents/en-us/page/Zcorpus{number:06}.json")
}

/// A mention as a document: its texts are fields.
fn document(number: usize, case: &Case) -> Value {
    let fields = case.texts.iter().filter(|(channel, _)| *channel != Channel::Joined);
    let data: serde_json::Map<String, Value> =
        fields.enumerate().map(|(at, (_, text))| (format!("field_{at}"), text.as_str().into())).collect();
    json!({
        "id": format!("Zcorpus{number:06}"), "uid": null, "type": "page", "lang": "en-us", "tags": [], "slugs": [],
        "linked_documents": [], "alternate_languages": [], "href": "", "url": null,
        "first_publication_date": "2026-01-01T00:00:00+0000", "last_publication_date": "2026-01-01T00:00:00+0000",
        "data": data,
    })
}

/// Puts all of it into one snapshot; returns the items by document.
async fn store(place: &Corpus, cases: &[Case]) -> Result<Vec<ItemId>> {
    let (vault, name) = (Arc::new(place.open().await?), name()?);
    let snapshots = Snapshots::load(&vault, Some(&name)).await?;
    let ledger = Ledger::load(&vault, &name).await?;
    let space = Space::load_after(&vault, &name, &ledger).await?;
    let writer = Writer::new(Arc::clone(&vault), space, std::iter::empty())?;
    let new = cases.iter().enumerate().map(|(number, case)| NewItem {
        kind: ItemKind::Document,
        path: path(number),
        data: ItemData::Memory(document(number, case).to_string().into()),
    });
    let stored = writer.store(new.collect()).await?;
    let items: Vec<ItemId> = stored.iter().map(|item| item.id).collect();
    let entry = |(number, item): (usize, &prismvault::vault::writer::StoredItem)| CatalogEntry {
        path: path(number).as_str().into(),
        item: item.id,
        size: item.size,
    };
    let at = SystemClock.now();
    let draft = Draft {
        repository: name,
        snapshot: SnapshotId::new(at),
        started: at,
        trigger: "corpus".to_owned(),
        source: Source {
            repository: "acme-blog".to_owned(),
            content_api: "https://acme-blog.cdn.prismic.io/api/v2".to_owned(),
            master_ref: rfc3339(at),
            integration_fields_ref: None,
            releases: BTreeMap::new(),
            write_token: false,
        },
        entries: stored.iter().enumerate().map(entry).collect(),
        links: LinksPart::New(Box::new(std::iter::empty())),
        counts: Counts::default(),
        consistency: Consistency::default(),
        read: None,
        gaps: Vec::new(),
        accepted_gaps: Vec::new(),
        warnings: Vec::new(),
    };
    writer.commit(draft, &snapshots, &ledger).await?;
    Ok(items)
}

/// Plans the erasure of one person, and puts its orders into the ledger; returns what stays by the plan.
async fn order(place: &Corpus, person: usize, cases: &[Case], of: &HashMap<String, usize>) -> Result<Stays> {
    let vault = place.open().await?;
    let snapshots = Snapshots::load(&vault, None).await?;
    let matcher = Arc::new(Matcher::new(&subject(person), &[]));
    let options = SearchOptions {
        repositories: Vec::new(),
        live: &[],
        bounds: Bounds::default(),
        now: vault.now(),
        progress: &Silent,
        cancel: CancellationToken::new(),
    };
    let report = search(&vault, &snapshots, Arc::clone(&matcher), options).await?;
    let at = vault.now();
    let decide = |found: &FoundItem, _: &Finding| {
        let case = found.paths().first().and_then(|path| of.get(*path)).map(|number| &cases[*number]);
        let is_theirs = case.is_some_and(|case| case.person == person && !case.is_decoy);
        let decision = if is_theirs { Decision::Subject } else { Decision::NotSubject };
        let (ground, redact, by) = (None, Vec::new(), "corpus".to_owned());
        Some(Decided { decision, ground, redact, by, at })
    };
    let (case, planner) = (CaseId::new(2026), SigningKey::generate());
    let making = Making {
        purpose: Purpose::Erasure,
        corrections: &[],
        held: &[],
        over_hold: None,
        told: None,
        case: &case,
        planned: at,
        by: "corpus",
        planned_by: planner.public(),
        seed: random(),
        files: (Digest([1; 32]), Digest([2; 32])),
        report: &report,
        decisions: &decide,
    };
    let (bounds, cancel) = (Bounds::default(), CancellationToken::new());
    let again = Again { vault: &vault, snapshots: &snapshots, live: &[], bounds, progress: &Silent, cancel };
    let mut new = Vec::new();
    let plan = making.make(&again, &matcher, |_, item| new.push(item)).await?;
    replacements::store(&vault, &name()?, new).await?;
    for order in orders(&again, &plan).await? {
        let signature = place.approver.sign(order.as_bytes(), "erasure order");
        let approvals = vec![Approval { key: place.approver.public().clone(), signature }];
        let ledger = Ledger::load(&vault, &name()?).await?;
        ledger.append(&vault, &name()?, Entry::Erasure { order, approvals }).await?;
    }
    Ok(Stays::of(&plan, &report, &decide))
}

/// Erases every `step`-th person, and looks.
pub(crate) async fn erase(step: usize) -> Result<Erased> {
    let cases = cases(step);
    let place = Corpus::new().await?;
    let items = store(&place, &cases).await?;
    let of: HashMap<String, usize> = (0..cases.len()).map(|number| (path(number), number)).collect();
    let people: Vec<usize> = (0..PEOPLE.len()).step_by(step).collect();
    let mut stays = Vec::new();
    for person in &people {
        stays.push(Box::pin(order(&place, *person, &cases, &of)).await?);
    }
    let vault = place.open().await?;
    let cancel = CancellationToken::new();
    let rewritten = rewrite(&vault, &name()?, &Silent, &cancel).await?;
    let destroyed = destroy(&vault, &name()?, &Silent, &cancel).await?;
    if !rewritten.is_complete() || !destroyed.iter().all(Destroyed::is_complete) {
        return Err("the erasure is not complete".into());
    }
    let mut erased = Erased { classes: BTreeMap::new(), objects: (0, 0), elsewhere: 0 };
    for case in cases.iter().filter(|case| !case.is_decoy) {
        erased.classes.entry(case.class).or_default().0 += 1;
    }
    // What is of others, or a decoy, is no leak.
    let number_of: HashMap<ItemId, usize> = items.iter().copied().zip(0..).collect();
    for (person, stays) in people.into_iter().zip(stays) {
        let needles = [Needles::of(&subject(person))?];
        let scanner = Scanner::new(needles, vault.identities(), stays, HashSet::new(), cancel.clone())?;
        let places = place.stores.iter().enumerate();
        let places: Vec<Place> = places
            .map(|(at, store)| Place { name: format!("replica-{at}"), store: Arc::clone(store) })
            .collect();
        let mut leaking = HashSet::new();
        for scanned in scanner.places(&places, &Silent).await? {
            erased.objects.0 += scanned.objects;
            erased.objects.1 += scanned.unscanned.len() as u64;
            for leak in &scanned.leaks {
                match leak.item.and_then(|item| number_of.get(&item)) {
                    Some(number) if cases[*number].person != person || cases[*number].is_decoy => {}
                    Some(number) => drop(leaking.insert(*number)),
                    None => erased.elsewhere += 1,
                }
            }
        }
        for number in leaking {
            erased.classes.entry(cases[number].class).or_default().1 += 1;
        }
    }
    Ok(erased)
}
