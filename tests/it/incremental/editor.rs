//! Editors at work: random changes to a repository of the sandbox.

use std::collections::HashSet;
use std::sync::Arc;

use prismvault::contentapi::{ASSET_HOST, Document, Language, format_millis};
use prismvault::sandbox::synthetic::Random;
use prismvault::sandbox::{Changes, Model, Release, Repository};
use serde_json::{Value, json};

use crate::backups::image;

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Text,
    Unpublish,
    Republish,
    Rename,
    Tags,
    Add,
    Translate,
    /// One comes, one goes: the number of documents stays.
    Swap,
    Link,
    External,
    Picture,
    AssetNotes,
    RemoveAsset,
    PutRelease,
    RemoveRelease,
    Language,
    Model,
}

impl Edit {
    /// What must be among the changes that were read incrementally.
    pub(super) const EVERYDAY: [Self; 15] = [
        Self::Text,
        Self::Unpublish,
        Self::Republish,
        Self::Rename,
        Self::Tags,
        Self::Add,
        Self::Translate,
        Self::Swap,
        Self::Link,
        Self::External,
        Self::Picture,
        Self::AssetNotes,
        Self::RemoveAsset,
        Self::PutRelease,
        Self::RemoveRelease,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Unpublish => "unpublish",
            Self::Republish => "republish",
            Self::Rename => "rename",
            Self::Tags => "tags",
            Self::Add => "add",
            Self::Translate => "translate",
            Self::Swap => "swap",
            Self::Link => "link",
            Self::External => "external",
            Self::Picture => "picture",
            Self::AssetNotes => "asset-notes",
            Self::RemoveAsset => "remove-asset",
            Self::PutRelease => "put-release",
            Self::RemoveRelease => "remove-release",
            Self::Language => "language",
            Self::Model => "model",
        }
    }
}

pub(super) struct Editor<'a> {
    repository: &'a Repository,
    random: Random,
    removed: Vec<Arc<Document>>,
    seed: u64,
    made: u64,
}

impl<'a> Editor<'a> {
    pub(super) fn new(repository: &'a Repository, seed: u64) -> Self {
        Self { repository, random: Random::new(&[seed, 0xed17]), removed: Vec::new(), seed, made: 0 }
    }

    /// Publishes a chain of documents that embed fields of one another.
    pub(super) fn prepare(&mut self) {
        let end = self.new_document("page", "en-us", json!({ "name": "end" }));
        self.publish(vec![end.clone()]);
        let middle = json!({ "to": link(&end, json!({ "name": "end" })), "name": "middle" });
        let middle = self.new_document("page", "en-us", middle);
        self.publish(vec![middle.clone()]);
        let copies = json!({ "to": middle["data"]["to"], "name": "middle" });
        let begin = self.new_document("page", "en-us", json!({ "to": link(&middle, copies) }));
        self.publish(vec![begin]);
    }

    /// Makes one to three changes, this one first, each published.
    pub(super) fn edit(&mut self, first: Edit) -> Vec<Edit> {
        let mut edits = vec![first];
        for _ in 0..self.random.below(3) {
            // What needs a full read happens, but seldom.
            edits.push(match self.random.below(50) {
                0 => Edit::Language,
                1 => Edit::Model,
                _ => *self.random.pick(&Edit::EVERYDAY),
            });
        }
        edits.iter().for_each(|edit| self.make(*edit));
        edits
    }

    pub(super) fn make(&mut self, edit: Edit) {
        self.made += 1;
        match edit {
            Edit::Text => drop(self.repository.edit(0.03, self.seed ^ self.made).unwrap()),
            Edit::Unpublish => {
                let count = 1 + self.random.below(2);
                let gone: Vec<_> = (0..count).map(|_| self.any()).collect();
                self.unpublish(gone);
            }
            Edit::Republish => {
                let back = self.removed.pop().unwrap_or_else(|| self.any());
                let back = self.value(&back);
                self.publish(vec![back]);
            }
            Edit::Rename => {
                let mut document = self.any_value();
                document["uid"] = format!("renamed-{}", self.made).into();
                self.publish(vec![document]);
            }
            Edit::Tags => {
                let mut document = self.any_value();
                document["tags"] = json!([format!("tag-{}", self.made), "Ä"]);
                self.publish(vec![document]);
            }
            Edit::Add => drop(self.repository.add_documents(2, self.seed ^ self.made).unwrap()),
            Edit::Translate => self.translate(),
            Edit::Swap => self.swap(),
            Edit::Link => self.link(),
            Edit::External => {
                let url = format!("https://images.unsplash.com/photo-{}", self.random.below(3));
                self.put_field(json!({ "url": url, "dimensions": { "width": 1, "height": 1 },
                                       "alt": null, "copyright": null }));
            }
            Edit::Picture => {
                let place = self.random.below(self.repository.library().assets().len());
                let (_, mut shown) = image(self.repository, place);
                if self.random.one_in(3) {
                    shown.as_object_mut().unwrap().remove("id");
                }
                self.put_field(shown);
            }
            Edit::AssetNotes => {
                let id = self.asset();
                self.repository.edit_asset(&id, &format!("notes {}", self.made)).unwrap();
                self.make(Edit::Text);
            }
            Edit::RemoveAsset => {
                if self.repository.library().assets().len() > 3 {
                    let id = self.asset();
                    self.repository.remove_asset(&id).unwrap();
                }
                self.make(Edit::Text);
            }
            Edit::PutRelease => self.put_release(),
            Edit::RemoveRelease => {
                if let Some(release) = self.repository.releases().first() {
                    self.repository.remove_release(&release.id).unwrap();
                }
                self.make(Edit::Text);
            }
            Edit::Language => {
                let names = ["en-us", "fr-fr", "de-de", "it-it"];
                let language = |id: &str| Language {
                    id: id.to_owned(),
                    name: format!("{id} {}", self.made),
                    is_master: id == names[0],
                };
                self.repository.set_languages(names.map(language).into());
                self.make(Edit::Text);
            }
            Edit::Model => {
                let json = json!({ "id": format!("made_{}", self.made), "label": "x", "json": {} });
                self.repository.put_custom_type(Model::parse(&json.to_string()).unwrap());
                self.make(Edit::Text);
            }
        }
    }

    fn any(&mut self) -> Arc<Document> {
        let documents = self.repository.documents();
        let place = self.random.below(documents.len());
        Arc::clone(documents.iter().nth(place).unwrap())
    }

    fn value(&self, document: &Document) -> Value {
        serde_json::from_str(&document.stored()).unwrap()
    }

    fn any_value(&mut self) -> Value {
        let document = self.any();
        self.value(&document)
    }

    fn asset(&mut self) -> String {
        let library = self.repository.library();
        self.random.pick(library.assets()).id.clone()
    }

    fn new_document(&mut self, type_: &str, lang: &str, data: Value) -> Value {
        self.made += 1;
        let now = format_millis(self.repository.next_change());
        json!({
            "id": format!("Made{:012}", self.made), "uid": format!("made-{}", self.made), "type": type_,
            "tags": ["made"], "lang": lang, "slugs": [format!("made-{}", self.made)],
            "first_publication_date": now, "last_publication_date": now,
            "linked_documents": [], "alternate_languages": [], "data": data,
        })
    }

    fn publish(&mut self, documents: Vec<Value>) {
        let now = format_millis(self.repository.next_change());
        let put = documents.into_iter().map(|mut document| {
            document["last_publication_date"] = now.as_str().into();
            parsed(&document)
        });
        self.repository.publish(Changes { put: put.collect(), ..Changes::default() });
    }

    fn unpublish(&mut self, gone: Vec<Arc<Document>>) {
        let ids: Vec<&str> = gone.iter().map(|document| document.head.id()).collect();
        self.repository.remove_documents(&ids);
        self.removed.extend(gone);
    }

    fn swap(&mut self) {
        let goes = self.any();
        let comes = self.new_document(goes.head.type_id(), goes.head.lang(), json!({}));
        let put = vec![parsed(&comes)];
        let remove = HashSet::from([goes.head.id().into()]);
        self.removed.push(goes);
        self.repository.publish(Changes { put, remove });
    }

    fn translate(&mut self) {
        let mut original = self.any_value();
        let lang = if original["lang"] == "fr-fr" { "de-de" } else { "fr-fr" };
        let type_ = original["type"].as_str().unwrap().to_owned();
        let mut translation = self.new_document(&type_, lang, json!({ "name": "traduit" }));
        let other = |document: &Value| json!({ "id": document["id"], "uid": document["uid"], "type": type_, "lang": document["lang"] });
        translation["alternate_languages"] = json!([other(&original)]);
        let entry = other(&translation);
        original["alternate_languages"].as_array_mut().unwrap().push(entry);
        self.publish(vec![original, translation]);
    }

    /// Lets a document link to another, at times to one that is gone, at times with copies of it.
    fn link(&mut self) {
        let target = match self.removed.last() {
            Some(removed) if self.random.one_in(3) => {
                json!({ "link_type": "Document", "id": removed.head.id(), "type": "broken_type", "tags": [],
                        "lang": null, "slug": "-", "isBroken": true })
            }
            _ => {
                let target = self.any_value();
                let copies = if self.random.one_in(2) { target["data"].clone() } else { Value::Null };
                link(&target, copies)
            }
        };
        self.put_field(target);
    }

    fn put_field(&mut self, value: Value) {
        let mut document = self.any_value();
        let field = format!("field_{}", self.random.below(2));
        document["data"][field] = value;
        self.publish(vec![document]);
    }

    fn put_release(&mut self) {
        let mut edited = self.any_value();
        edited["data"]["in_release"] = json!(format!("text {}", self.made));
        let mut new = self.new_document("page", "en-us", json!({ "to": link(&edited, Value::Null) }));
        new["first_publication_date"] = Value::Null;
        new["last_publication_date"] = Value::Null;
        let number = self.random.below(2);
        self.repository.put_release(Release {
            id: format!("Release00000000{number}"),
            label: "next".to_owned(),
            scheduled_at: None,
            version: format!("Version{:09}", self.made),
            documents: vec![parsed(&edited), parsed(&new)],
        });
        self.make(Edit::Text);
    }
}

/// A link as the API shows it; with copies of fields where there are some.
fn link(target: &Value, copies: Value) -> Value {
    let mut link = json!({
        "link_type": "Document", "id": target["id"], "type": target["type"], "tags": target["tags"],
        "lang": target["lang"], "slug": target["slugs"].get(0).cloned().unwrap_or_else(|| json!("-")),
        "first_publication_date": target["first_publication_date"],
        "last_publication_date": target["last_publication_date"], "isBroken": false,
    });
    if !target["uid"].is_null() {
        link["uid"] = target["uid"].clone();
    }
    if !copies.is_null() {
        link["data"] = copies;
    }
    link
}

fn parsed(document: &Value) -> Arc<Document> {
    Arc::new(Document::parse(&document.to_string(), &[ASSET_HOST]).unwrap())
}
