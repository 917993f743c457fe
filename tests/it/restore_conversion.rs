//! Documents of a snapshot, written into a sandbox in their order, published, read back, compared.
//!
//! What differs then must have been found before: that is the whole promise of a restore. The sandbox
//! refuses what Prismic does, so it also says whether anything was sent that must not be.

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
use crate::sandbox_writing::{Writing as _, empty, png};

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
            self.fidelity.add_document(&self.id(node).to_owned(), &converted);
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

/// Every kind of field, and in them every shape that real repositories have and nobody would invent.
mod odd {
    use super::*;

    const A: &str = "AAAAAAAAAAAAAAAA";
    const B: &str = "BBBBBBBBBBBBBBBB";

    fn field(kind: &str, config: Value) -> Value {
        json!({"type": kind, "config": config})
    }

    fn fields() -> Value {
        let rich = field("StructuredText", json!({"multi": "paragraph,heading2,image,embed,hyperlink"}));
        let image = field(
            "Image",
            json!({"thumbnails": [
            {"name": "16:9", "width": 16, "height": 9}, {"name": "version", "width": 4}]}),
        );
        let inner = json!({"text": field("Text", json!({})), "link": field("Link", json!({})),
            "inner": field("Group", json!({"fields": {"flag": field("Boolean", json!({"default_value": true}))}}))});
        json!({
            "flag": field("Boolean", json!({})), "set": field("Boolean", json!({"default_value": true})),
            "number": field("Number", json!({})), "text": field("Text", json!({})),
            "choice": field("Select", json!({"options": ["a", "true"]})), "color": field("Color", json!({})),
            "day": field("Date", json!({})), "time": field("Timestamp", json!({})), "rich": rich,
            "image": image, "link": field("Link", json!({})), "page": field("Link", json!({"select": "document"})),
            "links": field("Link", json!({"repeat": true})), "embed": field("Embed", json!({})),
            "place": field("GeoPoint", json!({})), "shop": field("IntegrationFields", json!({"catalog": "c"})),
            "table": field("Table", json!({})), "group": field("Group", json!({"fields": inner})),
            "body": field("Slices", json!({"choices": {
                "shared": {"type": "SharedSlice"},
                "composite": {"type": "Slice", "non-repeat": {"text": field("Text", json!({}))},
                              "repeat": {"link": field("Link", json!({}))}},
                "legacy": rich, "rows": field("Group", json!({"fields": {"text": field("Text", json!({}))}})),
            }})),
        })
    }

    fn slice() -> Value {
        json!({"id": "shared", "type": "SharedSlice", "name": "S", "variations": [
            {"id": "default", "name": "d", "docURL": "", "version": "initial", "description": "", "imageUrl": "",
             "primary": {"text": field("Text", json!({})), "group": field("Group", json!({"fields": {
                "image": field("Image", json!({}))}}))}, "items": {"link": field("Link", json!({}))}},
        ]})
    }

    fn image(id: &str, more: Value) -> Value {
        let mut image = json!({
            "id": id, "url": format!("https://images.prismic.io/acme/{id}_p.png?auto=format,compress&rect=1,2,10,9&w=20&h=18"),
            "dimensions": {"width": 20, "height": 18}, "edit": {"x": 2, "y": 4, "zoom": 2, "background": "#fff"},
            "alt": null, "copyright": "c",
        });
        image.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        image
    }

    fn document(id: &str, more: Value) -> Value {
        let copy = json!({"x": {"link_type": "Document", "id": "not-ours"}});
        json!({"link_type": "Document", "id": id, "type": "page", "tags": [], "lang": "en-us", "slug": "x",
               "isBroken": false, "data": copy, "text": more})
    }

    fn block(text: &str, spans: Value) -> Value {
        json!({"type": "paragraph", "text": text, "spans": spans})
    }

    fn span(kind: &str, start: Value, end: Value, data: Value) -> Value {
        json!({"type": kind, "start": start, "end": end, "data": data})
    }

    /// Shapes by field. Those of a list of several are documents of their own.
    fn shapes() -> Vec<(&'static str, Value)> {
        let broken = json!({"link_type": "Document", "id": "ZZZZZZZZZZZZZZZZ", "type": "broken_type",
            "lang": null, "slug": "-", "tags": [], "isBroken": true});
        let old_media = json!({"link_type": "Media", "name": "p.png", "kind": "image", "size": "12",
            "url": format!("https://acme.cdn.prismic.io/acme%2F{B}_p.png")});
        let media = json!({"link_type": "Media", "id": B, "name": "p.png", "kind": "image", "size": "12",
            "width": "40", "height": null, "url": "https://images.prismic.io/acme/x.png"});
        let web = json!({"link_type": "Web", "url": "https://acme.example/?a=1", "target": "_blank", "text": "t",
            "variant": "v", "key": "9d4f8ad1-33a7-4b91-a3ec-8b5a1d4f8c11"});
        let stock = json!({"id": "S", "url": "https://images.unsplash.com/p?w=3", "dimensions": {"width": 3, "height": 3},
            "edit": {"x": 0, "y": 0, "zoom": 1, "background": "#fff"}, "alt": null, "copyright": null});
        let nothing = json!({"id": null, "url": null, "dimensions": null, "edit": null, "alt": null, "copyright": null});
        let d = |id| document(id, Value::Null);
        vec![
            ("flag", json!("true")),
            ("flag", json!(3)),
            ("flag", Value::Null),
            ("set", Value::Null),
            ("set", json!(true)),
            ("number", json!("12.5")),
            ("number", json!("much")),
            ("number", json!(10.0)),
            ("number", json!([])),
            ("text", json!(33199001217_u64)),
            ("text", json!("")),
            ("text", json!(true)),
            ("text", json!({"a": 1})),
            ("choice", json!(true)),
            ("choice", json!("gone")),
            ("choice", json!("a")),
            ("choice", json!(false)),
            ("choice", json!("")),
            ("color", json!("#4a7")),
            ("color", json!("red")),
            ("day", json!("2020-02-30")),
            ("day", json!("2020-02-29")),
            ("day", json!("2020-02-03T12:13:14+0000")),
            ("time", json!("2020-02-03")),
            ("time", json!("2020-02-03T12:13:14+0100")),
            ("time", json!("2020-02-03T12:13:14+0000")),
            ("time", json!(7)),
            ("place", json!({"latitude": "1.5", "longitude": 2})),
            ("place", json!({"latitude": null, "longitude": null})),
            ("place", json!({"latitude": 91, "longitude": 2})),
            ("place", json!({})),
            (
                "embed",
                json!({"embed_url": "https://v.example/1", "type": "video", "version": "1.0", "width": "3"}),
            ),
            ("embed", json!({"embed_url": "javascript:x", "type": "video"})),
            ("embed", json!({})),
            ("embed", json!({"type": "link"})),
            ("shop", json!({"id": 7, "title": "Lamp"})),
            ("shop", json!({"title": "Lamp"})),
            ("shop", json!({})),
            ("link", json!({"link_type": "Document"})),
            ("link", json!({"link_type": "Any", "text": "t"})),
            ("link", json!({})),
            ("link", web.clone()),
            ("link", broken.clone()),
            ("link", d("nobody0000000000")),
            ("link", d("Y0000000000000Y0")),
            ("link", media.clone()),
            ("link", old_media.clone()),
            ("link", json!([web])),
            ("link", json!([web, web])),
            ("link", json!(5)),
            (
                "link",
                json!({"link_type": "Media", "id": "gone000000000000", "url": "https://images.prismic.io/acme/q.png"}),
            ),
            ("link", json!({"link_type": "Web", "url": "https://images.prismic.io/acme/q.png"})),
            (
                "link",
                json!({"link_type": "Document", "id": "Y0000000000000Y0", "target": "_blank", "text": 5}),
            ),
            ("page", json!({"link_type": "Document"})),
            ("page", web.clone()),
            ("page", Value::Null),
            ("links", json!([])),
            (
                "links",
                json!([web, broken, null, {"link_type": "Document"}, d("Y0000000000000Y0"), old_media, media]),
            ),
            ("links", web.clone()),
            ("links", json!(["x", web])),
            ("links", json!([d("Y0000000000000Y0"), d("nobody0000000000")])),
            ("image", json!({})),
            ("image", nothing.clone()),
            ("image", image(A, json!({}))),
            ("image", stock.clone()),
            (
                "image",
                image(A, json!({"16:9": image(B, json!({})), "version": {}, "square": image(A, json!({}))})),
            ),
            ("image", image(A, json!({"16:9": nothing, "version": stock}))),
            ("image", {
                let mut image = nothing.clone();
                image["16:9"] = super::odd::image(A, json!({}));
                image
            }),
            ("image", image("gone000000000000", json!({"url": "https://images.prismic.io/acme/q.png"}))),
            (
                "image",
                json!({"url": format!("https://images.prismic.io/acme%2F{A}_p.png?w=2"), "dimensions": {"width": 2, "height": 2},
                "alt": "a", "copyright": null}),
            ),
            (
                "image",
                image(
                    A,
                    json!({"dimensions": {"width": "20", "height": "18"}, "edit": {"x": "2", "y": 4, "zoom": "2"}}),
                ),
            ),
            ("image", image(A, json!({"edit": {"x": 1}, "dimensions": 5, "alt": 6}))),
            ("image", json!("p.png")),
            ("rich", json!("It was a text once")),
            ("rich", json!([])),
            ("rich", json!(5)),
            ("rich", json!([block("a\u{1f600}b", json!([span("strong", json!(1), json!(3), Value::Null)]))])),
            (
                "rich",
                json!([block(
                    "abcdef",
                    json!([
                        span("em", json!(3), json!(3), Value::Null),
                        span("em", json!(2), json!(99), Value::Null),
                        span("blink", json!(0), json!(1), Value::Null),
                        span("label", json!(0), json!(1), json!({"label": "l"})),
                        span("label", json!(0), json!(1), Value::Null),
                        span("hyperlink", json!(4), json!(5), web.clone()),
                        span("hyperlink", json!(0), json!(2), d("Y0000000000000Y0")),
                        span("hyperlink", json!(2), json!(3), json!({"link_type": "Any"})),
                        span("hyperlink", json!(3), json!(4), broken.clone()),
                        span("strong", json!("1"), json!(2.0), Value::Null),
                        span("list-item", json!(0), json!(1), Value::Null),
                        5,
                    ])
                )]),
            ),
            (
                "rich",
                json!([
                    {"type": "image", "id": A, "url": "https://images.prismic.io/acme/x.png", "dimensions": {"width": 40, "height": 30},
                     "edit": {"x": 0, "y": 0, "zoom": 1, "background": "transparent"}, "alt": "a", "copyright": null, "linkTo": old_media},
                    {"type": "image", "url": "https://images.unsplash.com/p", "dimensions": {"width": 3, "height": 3}, "alt": null, "copyright": null},
                    {"type": "embed", "oembed": {"embed_url": "https://v.example/2", "type": "rich"}}, {"type": "embed", "oembed": {}},
                    {"type": "marquee", "text": "x", "spans": []}, {"type": "heading2", "text": "h", "spans": [], "label": "big", "direction": "rtl"},
                    {"type": "paragraph", "text": "no spans"}, {"type": "paragraph", "text": 5, "spans": []}, null,
                ]),
            ),
            ("table", Value::Null),
            ("table", json!({})),
            ("table", json!({"head": {"rows": []}})),
            ("table", json!([1])),
            (
                "table",
                json!({"head": {"rows": [{"key": "k", "cells": [{"key": "c", "type": "header", "content": [block("x", json!([]))]}]}]},
                "body": {"rows": [{"cells": [{"type": "data", "content": []}, {"content": null}, 7]}, {"key": "no cells"}]}}),
            ),
            ("group", json!([])),
            ("group", json!([{}])),
            ("group", json!({"text": "x"})),
            ("group", json!([null, {"text": "x", "link": web, "inner": [{}, {"flag": false}], "stray": 5}])),
            ("body", json!([])),
            (
                "body",
                json!([
                    {"id": "shared$1", "slice_type": "shared", "slice_label": null, "variation": "default", "version": "initial",
                     "primary": {"text": 5, "group": [{"image": image(A, json!({}))}, {"image": stock}]}, "items": [{"link": old_media}, null]},
                    {"id": "shared$2", "slice_type": "shared", "slice_label": "wide", "primary": {"text": "once composite"}},
                    {"slice_type": "shared", "variation": "gone", "primary": {}, "items": []},
                    {"slice_type": "unknown", "primary": {"text": "x"}, "items": []},
                    {"id": "composite$1", "slice_type": "composite", "slice_label": "wide", "primary": {"text": "x"}, "items": [{}]},
                    {"slice_type": "composite", "slice_label": null, "primary": null, "items": [{"link": broken}], "value": "x"},
                    {"slice_type": "legacy", "slice_label": "x", "value": [block("legacy", json!([]))]},
                    {"type": "Slice", "slice_type": "rows", "slice_label": null, "value": [{"text": "x"}]},
                    {"type": "Slice", "slice_type": "legacy", "value": null}, "no slice", {},
                ]),
            ),
            ("unknown", json!("not in the model")),
            ("unknown", Value::Null),
            ("unknown", json!({"link_type": "Any"})),
        ]
    }

    fn page(number: usize, data: Value) -> Value {
        json!({"id": format!("P{number:015}"), "uid": format!("p{number}"), "type": "page", "lang": "en-us", "tags": ["a"],
            "slugs": [], "alternate_languages": [], "data": data})
    }

    async fn rehearsed(documents: Vec<Value>) -> (Rehearsal, Outcome) {
        let content = empty(&[crate::sandbox_writing::page_type(fields())], &[slice()]);
        let mut rehearsal = Rehearsal::new(documents, content.root, content.models);
        for id in [A, B] {
            let address = format!("https://images.prismic.io/acme/{id}_p.png");
            rehearsal.upload(id, &address, "p.png", png(40, 30)).await;
        }
        rehearsal.write().await;
        let outcome = rehearsal.read_back().await;
        (rehearsal, outcome)
    }

    fn target() -> Value {
        let mut target = page(0, json!({"text": "target"}));
        target["id"] = "Y0000000000000Y0".into();
        target
    }

    /// Each shape is a document, so that one cannot excuse the other.
    #[tokio::test]
    async fn every_odd_shape_is_taken_and_differs_only_as_found() {
        let mut documents = vec![target()];
        for (number, (name, value)) in shapes().into_iter().enumerate() {
            documents.push(page(number + 1, json!({"text": "x", name: value})));
        }
        let (_, outcome) = rehearsed(documents).await;
        assert!(outcome.defects.is_empty(), "{}", outcome.defects.concat());
        for kind in
            [FindingKind::BrokenLink, FindingKind::StockPhoto, FindingKind::Span, FindingKind::SelectOption]
        {
            assert!(outcome.expected.contains_key(&kind), "{kind:?} {:?}", outcome.expected);
        }
    }

    /// All shapes at once, in rows and slices and as links to each other.
    #[tokio::test]
    async fn all_of_them_in_one_document_are_too() {
        let mut all = Map::new();
        for (name, value) in shapes() {
            all.entry(name).or_insert(Value::Null);
            all[name] = value;
        }
        let other = page(
            2,
            json!({"page": document("P000000000000001", Value::Null), "links": [document("P000000000000002", Value::Null)]}),
        );
        let mut one = page(1, all.into());
        one["uid"] = Value::Null;
        one["data"]["page"] = document("P000000000000002", Value::Null);
        let (rehearsal, outcome) = rehearsed(vec![target(), one, other]).await;
        assert!(outcome.defects.is_empty(), "{}", outcome.defects.concat());
        assert_eq!(outcome.expected.get(&FindingKind::UidMade), Some(&1));
        let twice = rehearsal.order.steps.iter().filter(|step| matches!(step, Step::Complete { .. })).count();
        assert_eq!(twice, 1, "{:?}", rehearsal.order.steps);
    }
}

/// Values put where they do not belong.
mod damaged {
    use prismvault::sandbox::synthetic::Random;

    use super::*;

    /// Counts the values below one.
    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(elements) => elements.iter().map(count).sum(),
            Value::Object(members) => members.values().map(count).sum::<usize>(),
            _ => 0,
        }
    }

    /// Puts `other` in place of the value with this number.
    fn put(value: &mut Value, number: &mut usize, other: &Value) {
        if *number == 0 {
            *value = other.clone();
        }
        let Some(left) = number.checked_sub(1) else {
            *number = usize::MAX;
            return;
        };
        *number = left;
        match value {
            Value::Array(elements) => {
                elements.iter_mut().for_each(|element| {
                    if *number != usize::MAX {
                        put(element, number, other);
                    }
                });
            }
            Value::Object(members) => {
                members.values_mut().for_each(|member| {
                    if *number != usize::MAX {
                        put(member, number, other);
                    }
                });
            }
            _ => {}
        }
    }

    fn others() -> Vec<Value> {
        vec![
            Value::Null,
            json!(true),
            json!(0),
            json!(-7.5),
            json!(""),
            json!("x"),
            json!("2020-01-01"),
            json!([]),
            json!([null]),
            json!([[]]),
            json!({}),
            json!([{}]),
            json!({"a": 1}),
            json!({"link_type": "Any"}),
            json!({"link_type": "Web", "url": "https://acme.example"}),
            json!({"link_type": "Document", "id": "gone"}),
            json!({"link_type": 5, "id": []}),
            json!([{"type": "paragraph", "text": "x", "spans": [{"start": 0, "end": 1, "type": "em"}]}]),
            json!({"id": "x", "url": "https://images.prismic.io/x/y.png", "dimensions": {"width": 0, "height": -1}}),
            json!({"embed_url": "ftp://x"}),
            json!({"latitude": 5, "longitude": 1000}),
            json!({"head": [], "body": {"rows": {}}}),
            json!([{"slice_type": "hero", "variation": "none"}, {"slice_type": "notice", "value": 5}]),
        ]
    }

    async fn assert_taken(seed: u64) {
        let options = SyntheticOptions {
            documents: 80,
            assets: 6,
            asset_bytes: 500,
            seed,
            ..SyntheticOptions::default()
        };
        let content = generate("acme", &options).unwrap();
        let (mut random, others) = (Random::new(&[seed, 99]), others());
        let documents = content.documents.iter().map(|document| {
            let mut document: Value = serde_json::from_str(&document.stored()).unwrap();
            for _ in 0..1 + random.below(6) {
                // The first is `data` itself.
                let mut number = 1 + random.below(count(&document["data"]) - 1);
                put(&mut document["data"], &mut number, random.pick(&others));
            }
            document
        });
        let documents = documents.collect();
        let mut rehearsal = Rehearsal::new(documents, content.root.clone(), content.models.clone());
        for asset in content.library.assets().iter().skip(1) {
            let item = asset.item();
            let bytes = asset.content.read(0..asset.content.len()).await.unwrap();
            rehearsal.upload(&asset.id, item["url"].as_str().unwrap(), &asset.filename, bytes.to_vec()).await;
        }
        rehearsal.write().await;
        let outcome = rehearsal.read_back().await;
        assert!(outcome.defects.is_empty(), "seed {seed}: {}", outcome.defects.concat());
    }

    /// Nothing that the sandbox refuses is sent, whatever a snapshot holds; and each loss is known.
    #[tokio::test]
    async fn nothing_is_refused_and_each_loss_is_known() {
        for seed in 1..6 {
            assert_taken(seed).await;
        }
    }
}
