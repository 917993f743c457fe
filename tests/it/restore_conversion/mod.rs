//! Documents of a snapshot, written into a sandbox in their order, published, read back, compared.
//!
//! What differs then must have been found before: that is the whole promise of a restore. The sandbox
//! refuses what Prismic does, so it also says whether anything was sent that must not be.

mod damaged;
mod odd;

use std::collections::{BTreeMap, HashMap};

use prismvault::contentapi::{AccessMode, RepositoryRoot};
use prismvault::diff::{Bounds, Identity, ItemDiff, Models as Labels, compare_values};
use prismvault::limits::Limits;
use prismvault::prismic::model::Model;
use prismvault::restore::repository::convert::{
    AssetAddresses, Converted, FindingKind, NewAsset, NewId, NewIds, TargetModels, convert,
};
use prismvault::restore::repository::fidelity::{AssetFacts, Fidelity};
use prismvault::restore::repository::order::{Node, Order, Step, steps};
use prismvault::sandbox::synthetic::{SyntheticOptions, generate};
use prismvault::sandbox::{Content, Models};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;

use crate::sandbox::{Bench, options};
use crate::sandbox_writing::Writing as _;

/// Documents that a release of these tests holds, so that some need many.
const RELEASE: u32 = 17;

const MASTER: &str = "en-us";

/// What the old ids became.
#[derive(Default)]
struct Ids {
    documents: HashMap<String, String>,
    /// Documents of the restore: those without an id yet come later.
    coming: Vec<String>,
    /// Id and address of each.
    assets: HashMap<String, (String, String)>,
    addresses: AssetAddresses,
}

impl NewIds for Ids {
    fn document(&self, old: &str) -> NewId<'_> {
        match self.documents.get(old) {
            Some(new) => NewId::Known(new),
            None if self.coming.iter().any(|id| id == old) => NewId::Pending,
            None => NewId::Absent,
        }
    }

    fn asset(&self, old: &str) -> Option<NewAsset<'_>> {
        self.assets.get(old).map(|(id, url)| NewAsset { id, url })
    }

    fn asset_at(&self, address: &Url) -> Option<&str> {
        self.addresses.find(address)
    }

    fn is_of_library(&self, address: &Url) -> bool {
        address.host_str().is_some_and(|host| !host.contains("unsplash"))
    }
}

impl Identity for Ids {
    fn document<'a>(&'a self, old: &'a str) -> &'a str {
        self.documents.get(old).map_or(old, String::as_str)
    }

    fn asset<'a>(&'a self, old: &'a str) -> &'a str {
        self.assets.get(old).map_or(old, |(id, _)| id)
    }
}

/// Every document has an id, as when the order is planned.
struct AllKnown<'a>(&'a Ids);

impl NewIds for AllKnown<'_> {
    fn document(&self, old: &str) -> NewId<'_> {
        self.0.coming.iter().find(|id| *id == old).map_or(NewId::Absent, |id| NewId::Known(id))
    }

    fn asset(&self, old: &str) -> Option<NewAsset<'_>> {
        NewIds::asset(self.0, old)
    }

    fn asset_at(&self, address: &Url) -> Option<&str> {
        self.0.asset_at(address)
    }
}

/// A repository that is to be restored, and the sandbox that it goes into.
struct Rehearsal {
    documents: Vec<Map<String, Value>>,
    models: TargetModels,
    labels: Labels,
    bench: Bench,
    ids: Ids,
    fidelity: Fidelity,
    order: Order,
}

/// What came of it: differences that nobody expected, and how many of each kind were.
#[derive(Default)]
struct Outcome {
    defects: Vec<String>,
    expected: BTreeMap<FindingKind, usize>,
    untouched: usize,
}

impl Rehearsal {
    fn new(documents: Vec<Value>, root: RepositoryRoot, models: Models) -> Self {
        let (mut labels, mut parsed) = (Labels::default(), Vec::new());
        for model in &models.custom_types {
            labels.add_custom_type(model.json.as_bytes());
            parsed.push(Model::parse(&serde_json::from_str(&model.json).unwrap()).unwrap());
        }
        for model in &models.slices {
            labels.add_slice(model.json.as_bytes());
            parsed.push(Model::parse(&serde_json::from_str(&model.json).unwrap()).unwrap());
        }
        let mut options = options(AccessMode::Open);
        options.writing.release_documents_max = RELEASE as usize;
        let documents: Vec<Map<String, Value>> =
            documents.into_iter().map(|document| document.as_object().unwrap().clone()).collect();
        let coming = documents.iter().map(|document| document["id"].as_str().unwrap().to_owned()).collect();
        Self {
            documents,
            models: TargetModels::new(parsed),
            labels,
            bench: Bench::new(Content { root, models, ..Content::default() }, options),
            ids: Ids { coming, ..Ids::default() },
            fidelity: Fidelity::default(),
            order: Order::default(),
        }
    }

    async fn upload(&mut self, old: &str, address: &str, filename: &str, bytes: Vec<u8>) {
        let asset = self.bench.upload(filename, bytes).await;
        let text = |key: &str| asset[key].as_str().unwrap().to_owned();
        self.ids.assets.insert(old.to_owned(), (text("id"), text("url")));
        self.ids.addresses.add(old, Some(address));
    }

    fn id(&self, node: u32) -> &str {
        self.documents[node as usize]["id"].as_str().unwrap()
    }

    /// The original of a translation: the document in the master locale.
    fn original(&self, document: &Map<String, Value>) -> Option<u32> {
        let others = document["alternate_languages"].as_array()?;
        let original = others.iter().find(|other| other["lang"] == MASTER)?;
        let place = self.ids.coming.iter().position(|id| original["id"] == id.as_str())?;
        Some(u32::try_from(place).unwrap())
    }

    fn plan(&mut self) {
        let known = AllKnown(&self.ids);
        let places: HashMap<&str, u32> = self.ids.coming.iter().map(String::as_str).zip(0..).collect();
        let nodes: Vec<Node> = self
            .documents
            .iter()
            .map(|document| Node {
                master: document["lang"] == MASTER,
                translation_of: self.original(document).filter(|_| document["lang"] != MASTER),
                links: convert(document, &self.models, &known)
                    .unwrap()
                    .links
                    .iter()
                    .map(|id| places[id.as_str()])
                    .collect(),
                ..Node::default()
            })
            .collect();
        self.order = steps(&nodes, RELEASE);
    }

    fn converted(&self, node: u32) -> Converted {
        convert(&self.documents[node as usize], &self.models, &self.ids).unwrap()
    }

    fn body(&self, node: u32, converted: &Converted) -> Value {
        let Converted { title, type_, lang, uid, tags, data, .. } = converted;
        let mut body = json!({ "title": title, "type": type_, "lang": lang, "tags": tags, "data": data });
        if let Some(uid) = uid {
            body["uid"] = uid.as_str().into();
        }
        let document = &self.documents[node as usize];
        if let Some(original) = self.original(document).filter(|_| document["lang"] != MASTER) {
            body["alternate_language_id"] = self.ids.documents[self.id(original)].as_str().into();
        }
        body
    }

    async fn put(&self, node: u32) {
        let converted = self.converted(node);
        assert!(!converted.is_pending);
        assert_eq!(converted, self.converted(node), "the same twice");
        let path = format!("migration-api/documents/{}", self.ids.documents[self.id(node)]);
        let (status, answer) = self.bench.send(Method::PUT, &path, &self.body(node, &converted)).await;
        assert_eq!(status, StatusCode::OK, "{} {answer}", self.id(node));
    }

    async fn write(&mut self) {
        self.plan();
        for step in self.order.steps.clone() {
            match step {
                Step::Create { node, complete } => {
                    let converted = self.converted(node);
                    assert_eq!(converted.is_pending, !complete, "{}", self.id(node));
                    let body = self.body(node, &converted);
                    let new = self.bench.create(&body).await;
                    self.ids.documents.insert(self.id(node).to_owned(), new);
                }
                Step::Complete { node } | Step::Replace { node } => self.put(node).await,
                Step::Publish { documents } => {
                    assert_eq!(self.bench.publish().await, u64::from(documents));
                }
            }
        }
        for node in 0..u32::try_from(self.documents.len()).unwrap() {
            let converted = self.converted(node);
            let id = self.documents[node as usize]["id"].as_str().unwrap();
            self.fidelity.add_document(id, &converted);
        }
    }

    fn compare(&self, old: &Map<String, Value>, new: &Value) -> ItemDiff {
        let bounds = Bounds::from(&Limits::default());
        let diff = compare_values(&Value::Object(old.clone()), new, &self.labels, &self.ids, bounds).unwrap();
        assert_eq!(diff.more, 0);
        diff
    }

    async fn read_back(&self) -> Outcome {
        let live = self.bench.all(&self.bench.repository.master_ref()).await;
        assert_eq!(live.len(), self.documents.len());
        let mut outcome = Outcome::default();
        for old in &self.documents {
            let id = old["id"].as_str().unwrap();
            let new = live.iter().find(|new| new["id"] == self.ids.documents[id].as_str()).unwrap();
            let diff = self.compare(old, new);
            let reasons = self.fidelity.expected().classify(id, &diff);
            outcome.untouched += usize::from(diff.changes.is_empty());
            for (change, reason) in diff.changes.iter().chain(&diff.metadata).zip(reasons) {
                match reason {
                    Some(kind) => *outcome.expected.entry(kind).or_default() += 1,
                    None => outcome.defects.push(format!("{id} {change:?}\n")),
                }
            }
        }
        outcome
    }
}

async fn synthetic(seed: u64) -> (Rehearsal, Outcome) {
    let options = SyntheticOptions {
        documents: 90,
        assets: 24,
        asset_bytes: 2000,
        seed,
        ..SyntheticOptions::default()
    };
    let content = generate("acme", &options).unwrap();
    let documents =
        content.documents.iter().map(|document| serde_json::from_str(&document.stored()).unwrap());
    let mut rehearsal = Rehearsal::new(documents.collect(), content.root.clone(), content.models.clone());
    for asset in content.library.assets() {
        let item = asset.item();
        let bytes = asset.content.read(0..asset.content.len()).await.unwrap();
        rehearsal.upload(&asset.id, item["url"].as_str().unwrap(), &asset.filename, bytes.to_vec()).await;
        rehearsal.fidelity.add_asset(&asset.id, AssetFacts { has_bytes: true, ..AssetFacts::default() });
    }
    rehearsal.write().await;
    let outcome = rehearsal.read_back().await;
    (rehearsal, outcome)
}

async fn assert_faithful(seed: u64) {
    let (rehearsal, outcome) = synthetic(seed).await;
    assert!(outcome.defects.is_empty(), "seed {seed}: {}", outcome.defects.concat());
    assert!(outcome.untouched > 20, "{} of 90 came back as they were", outcome.untouched);
    let twice = rehearsal.order.steps.iter().filter(|step| matches!(step, Step::Complete { .. })).count();
    assert!(twice < 30, "{twice} of 90 were written twice");
    // A report that expects more than there is would excuse anything.
    let report = rehearsal.fidelity.report();
    let counted: u64 = report.found.iter().map(|kind| kind.count.unwrap()).sum();
    assert!(report.found.len() > 3 && counted < 2000, "{report:?}");
}

#[tokio::test]
async fn a_synthetic_repository_comes_back_as_its_report_says() {
    assert_faithful(1).await;
}

#[tokio::test]
async fn another_one_does_too() {
    assert_faithful(2).await;
    assert_faithful(77).await;
}

#[tokio::test]
async fn and_so_do_many() {
    for seed in [1234, 90_210, 4_294_967_291] {
        assert_faithful(seed).await;
    }
}

/// What was not found before is told as a defect.
#[tokio::test]
async fn a_loss_that_nobody_foresaw_is_a_defect() {
    let (rehearsal, _) = synthetic(5).await;
    let live = rehearsal.bench.all(&rehearsal.bench.repository.master_ref()).await;
    let mut seen = 0;
    for old in &rehearsal.documents {
        let id = old["id"].as_str().unwrap();
        let new = live.iter().find(|new| new["id"] == rehearsal.ids.documents[id].as_str()).unwrap();
        let expected = rehearsal.fidelity.expected();
        // Each slice lost in turn.
        let slices = new["data"].get("body").and_then(Value::as_array).map_or(0, Vec::len);
        for slice in 0..slices {
            let mut damaged = new.clone();
            damaged["data"]["body"].as_array_mut().unwrap().remove(slice);
            let diff = rehearsal.compare(old, &damaged);
            assert!(expected.classify(id, &diff).contains(&None), "{id} slice {slice}");
            seen += 1;
        }
        // A link that leads elsewhere, a text with other words, a field that is gone.
        for field in ["title", "author", "published_on", "office", "specification"] {
            let is_filled = |of: &Value| of.get(field).is_some_and(|value| value.to_string().len() > 40);
            if is_filled(&new["data"]) && is_filled(&old["data"]) {
                let mut damaged = new.clone();
                damaged["data"].as_object_mut().unwrap().shift_remove(field);
                let diff = rehearsal.compare(old, &damaged);
                let lost = |(change, reason): (&prismvault::diff::Change, &Option<FindingKind>)| {
                    reason.is_none() && change.path() == format!("/data/{field}")
                };
                let reasons = expected.classify(id, &diff);
                let known = old["data"][field].get("isBroken") == Some(&json!(true));
                assert!(known || diff.changes.iter().zip(&reasons).any(lost), "{id} {field}");
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
}
