//! The migration release: what the Migration API took and nobody published yet.
//!
//! No ref shows it, and nothing lists it; a document in it is known by its id only. A publish takes
//! all that is in it at that moment; what comes while it is under way is in the next one. Documents
//! that were sent with `inDocuments` are drafts elsewhere: no publish takes them.
//!
//! **Invariants.** A uid belongs to one document of a type and language, among all that are published
//! or staged. Translations are joined when a document is made, never later.

use std::collections::{BTreeSet, HashMap, VecDeque};

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::conform::{Conform, Mistake};
use super::repository::{Repository, State};
use crate::contentapi::Document;
use crate::prismic::model::CustomType;

/// A document of the migration release.
#[derive(Debug, Clone, PartialEq)]
pub struct StagedDocument {
    /// Its id.
    pub id: String,
    /// Id of its custom type.
    pub type_id: String,
    /// Its locale.
    pub lang: String,
    /// Title that editors see.
    pub title: String,
    /// Its uid, of types that have one.
    pub uid: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// What was taken of its data, as it was sent.
    pub data: Map<String, Value>,
}

impl StagedDocument {
    fn answer(&self) -> Value {
        let mut answer = json!({"id": self.id, "type": self.type_id, "lang": self.lang, "title": self.title});
        if let Some(uid) = &self.uid {
            answer["uid"] = uid.as_str().into();
        }
        answer
    }
}

/// Documents by their ids, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Batch {
    documents: Vec<StagedDocument>,
    places: HashMap<String, usize>,
}

impl Batch {
    pub(super) fn find(&self, id: &str) -> Option<&StagedDocument> {
        self.places.get(id).map(|place| &self.documents[*place])
    }

    pub(super) fn put(&mut self, document: StagedDocument) {
        match self.places.get(&document.id) {
            Some(place) => self.documents[*place] = document,
            None => {
                self.places.insert(document.id.clone(), self.documents.len());
                self.documents.push(document);
            }
        }
    }

    pub(super) fn documents(&self) -> &[StagedDocument] {
        &self.documents
    }
}

/// What is staged in a repository.
#[derive(Debug, Default)]
pub(super) struct Staging {
    pub(super) release: Batch,
    drafts: Batch,
    /// Publishes under way, the oldest first.
    pub(super) publishing: VecDeque<Batch>,
    /// Titles of what was published from here.
    pub(super) titles: HashMap<String, String>,
    pub(super) translations: Translations,
}

impl Staging {
    fn batches(&self) -> impl Iterator<Item = &Batch> {
        [&self.release, &self.drafts].into_iter().chain(&self.publishing)
    }

    /// Every staged document; one that is also under way in a publish comes twice.
    pub(super) fn documents(&self) -> impl Iterator<Item = &StagedDocument> {
        self.batches().flat_map(|batch| &batch.documents)
    }

    fn find(&self, id: &str) -> Option<&StagedDocument> {
        self.batches().find_map(|batch| batch.find(id))
    }
}

/// Which documents are translations of one another, as far as this was told by creation.
#[derive(Debug, Default)]
pub(super) struct Translations {
    group_of: HashMap<String, usize>,
    groups: Vec<Vec<String>>,
}

impl Translations {
    /// Returns the ids of a document and its translations; none: nothing was told here.
    pub(super) fn group(&self, id: &str) -> Option<&[String]> {
        self.group_of.get(id).map(|group| self.groups[*group].as_slice())
    }

    fn join(&mut self, id: &str, with: &str, known: Vec<String>) {
        let group = *self.group_of.entry(with.to_owned()).or_insert_with(|| {
            self.groups.push(known);
            self.groups.len() - 1
        });
        for member in &self.groups[group] {
            self.group_of.insert(member.clone(), group);
        }
        self.groups[group].push(id.to_owned());
        self.group_of.insert(id.to_owned(), group);
    }
}

/// Why a document is not taken.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) message: String,
    pub(super) details: Vec<Mistake>,
}

impl Refused {
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into(), details: Vec::new() }
    }

    fn of(property: &str, value: &Value, error: &str) -> Self {
        let mistake =
            Mistake { property: property.to_owned(), value: value.clone(), error: error.to_owned() };
        Self { details: vec![mistake], ..Self::bad(format!("{property}: {error}")) }
    }

    fn invalid(details: Vec<Mistake>) -> Self {
        Self { details, ..Self::bad("The document is not valid") }
    }
}

/// A member that must be a text with something in it.
fn text<'b>(body: &'b Map<String, Value>, name: &str) -> Result<&'b str, Refused> {
    match body.get(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        Some(other) => Err(Refused::of(name, other, "must be a text that is not empty")),
        None => Err(Refused::of(name, &Value::Null, "is required")),
    }
}

/// As [`text`], of one that may be missing or null.
fn optional<'b>(body: &'b Map<String, Value>, name: &str) -> Result<Option<&'b str>, Refused> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => text(body, name).map(Some),
    }
}

fn tags(body: &Map<String, Value>) -> Result<Option<Vec<String>>, Refused> {
    let Some(given) = body.get("tags").filter(|tags| !tags.is_null()) else { return Ok(None) };
    let texts = given.as_array().and_then(|tags| {
        tags.iter().map(|tag| tag.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
    });
    texts.map(Some).ok_or_else(|| Refused::of("tags", &Value::Null, "must be a list of texts"))
}

fn data(body: &Map<String, Value>) -> Result<&Map<String, Value>, Refused> {
    let data = body.get("data").and_then(Value::as_object);
    data.ok_or_else(|| Refused::of("data", &Value::Null, "must be an object"))
}

impl State {
    /// Returns type and locale of a document that is staged or published.
    fn kind_of(&self, id: &str) -> Option<(String, String)> {
        if let Some(staged) = self.staging.find(id) {
            return Some((staged.type_id.clone(), staged.lang.clone()));
        }
        let head = &self.current().documents.find(id)?.head;
        Some((head.type_id().to_owned(), head.lang().to_owned()))
    }

    /// Returns the ids of a document and its translations.
    fn group_of(&self, id: &str) -> Vec<String> {
        if let Some(group) = self.staging.translations.group(id) {
            return group.to_vec();
        }
        let mut group = vec![id.to_owned()];
        if let Some(document) = self.current().documents.find(id) {
            group.extend(translations_of(document));
        }
        group
    }

    fn uid_is_taken(&self, document: &StagedDocument) -> bool {
        let Some(uid) = &document.uid else { return false };
        let live = self.current().documents.find_uid(uid, &document.type_id, &document.lang);
        live.is_some_and(|head| head.id() != document.id)
            || self.staging.documents().any(|other| {
                other.uid.as_ref() == Some(uid)
                    && other.type_id == document.type_id
                    && other.lang == document.lang
                    && other.id != document.id
            })
    }

    /// Whether a type of which there is one document in a language has it already.
    fn is_second_single(&self, model: &CustomType, lang: &str) -> bool {
        !model.repeatable
            && (self.staging.documents().any(|other| other.type_id == model.id && other.lang == lang)
                || self
                    .current()
                    .documents
                    .iter()
                    .any(|document| document.head.type_id() == model.id && document.head.lang() == lang))
    }

    fn conform(
        &self,
        model: &CustomType,
        data: &Map<String, Value>,
        gone_embeds: &BTreeSet<String>,
    ) -> Result<Map<String, Value>, Refused> {
        let fields: Vec<_> = model.fields().cloned().collect();
        let conform = Conform::new(&self.models, &self.library, gone_embeds);
        conform.document(&fields, data).map_err(Refused::invalid)
    }
}

/// Returns the ids of a published document's translations.
pub(super) fn translations_of(document: &Document) -> Vec<String> {
    let stored: Value = serde_json::from_str(&document.stored()).unwrap_or_default();
    let entries = stored["alternate_languages"].as_array().cloned().unwrap_or_default();
    entries.iter().filter_map(|entry| Some(entry["id"].as_str()?.to_owned())).collect()
}

impl Repository {
    /// Returns what the migration release holds, in the order in which it came. No API shows this.
    pub fn staged(&self) -> Vec<StagedDocument> {
        self.read().staging.release.documents.clone()
    }

    /// Takes a new document into the release; returns the answer.
    pub(super) fn create_document(
        &self,
        body: &Map<String, Value>,
        gone_embeds: &BTreeSet<String>,
    ) -> Result<Value, Refused> {
        let title = text(body, "title")?.to_owned();
        let (type_id, lang) = (text(body, "type")?, text(body, "lang")?);
        let (uid, alternate) = (optional(body, "uid")?, optional(body, "alternate_language_id")?);
        let (tags, data) = (tags(body)?.unwrap_or_default(), data(body)?);
        let in_documents = body.get("inDocuments") == Some(&Value::Bool(true));
        let mut state = self.write();
        let of_type = |error| Refused::of("type", &type_id.into(), error);
        let model =
            state.models.custom_type(type_id).ok_or_else(|| of_type("there is no such custom type"))?;
        if !model.enabled {
            return Err(of_type("the custom type is disabled"));
        }
        if state.root.languages.iter().all(|language| language.id != lang) {
            return Err(Refused::of("lang", &lang.into(), "the repository has no such locale"));
        }
        if model.has_uid() && uid.is_none() {
            return Err(Refused::of("uid", &Value::Null, "is required: the custom type has a UID field"));
        }
        if state.is_second_single(&model, lang) {
            return Err(of_type("there is already a document of this type, which is not repeatable"));
        }
        let known = alternate.map(|id| group_to_join(&state, id, type_id, lang)).transpose()?;
        if !in_documents {
            self.check_room(&state)?;
        }
        let data = state.conform(&model, data, gone_embeds)?;
        let mut document = StagedDocument {
            id: String::new(),
            type_id: type_id.to_owned(),
            lang: lang.to_owned(),
            title,
            uid: uid.filter(|_| model.has_uid()).map(str::to_owned),
            tags,
            data,
        };
        if state.uid_is_taken(&document) {
            return Err(Refused::bad("A document with this UID already exists"));
        }
        document.id = self.next_id(&mut state);
        if let (Some(alternate), Some(known)) = (alternate, known) {
            state.staging.translations.join(&document.id, alternate, known);
        }
        let answer = document.answer();
        let staging = &mut state.staging;
        if in_documents { &mut staging.drafts } else { &mut staging.release }.put(document);
        Ok(answer)
    }

    /// Replaces what is staged of a document, or stages a new version of a published one.
    pub(super) fn update_document(
        &self,
        id: &str,
        body: &Map<String, Value>,
        gone_embeds: &BTreeSet<String>,
    ) -> Result<Value, Refused> {
        let (title, uid) = (optional(body, "title")?.map(str::to_owned), optional(body, "uid")?);
        let (tags, data) = (tags(body)?, data(body)?);
        let mut state = self.write();
        let mut document = match (state.staging.find(id), state.current().documents.find(id)) {
            (Some(staged), _) => staged.clone(),
            (None, Some(live)) => published(live, state.staging.titles.get(id).cloned()),
            (None, None) => {
                return Err(Refused { status: StatusCode::NOT_FOUND, ..Refused::bad("Document not found") });
            }
        };
        let is_draft = state.staging.drafts.find(id).is_some();
        if !is_draft && state.staging.release.find(id).is_none() {
            self.check_room(&state)?;
        }
        let unknown =
            || Refused::of("type", &document.type_id.as_str().into(), "there is no such custom type");
        let model = state.models.custom_type(&document.type_id).ok_or_else(unknown)?;
        document.data = state.conform(&model, data, gone_embeds)?;
        document.title = title.unwrap_or(document.title);
        document.tags = tags.unwrap_or(document.tags);
        if let Some(uid) = uid.filter(|_| model.has_uid()) {
            document.uid = Some(uid.to_owned());
        }
        if state.uid_is_taken(&document) {
            return Err(Refused::bad("A document with this UID already exists"));
        }
        let answer = document.answer();
        let staging = &mut state.staging;
        if is_draft { &mut staging.drafts } else { &mut staging.release }.put(document);
        Ok(answer)
    }

    fn check_room(&self, state: &State) -> Result<(), Refused> {
        let max = self.options().writing.release_documents_max;
        if state.staging.release.documents.len() < max {
            return Ok(());
        }
        Err(Refused::bad(format!(
            "The migration release is full: it holds at most {max} documents. Publish it, then go on"
        )))
    }
}

/// Returns the documents of which a new one becomes a translation.
fn group_to_join(state: &State, id: &str, type_id: &str, lang: &str) -> Result<Vec<String>, Refused> {
    let refused = |error| Refused::of("alternate_language_id", &id.into(), error);
    let (other_type, _) = state.kind_of(id).ok_or_else(|| refused("there is no such document"))?;
    if other_type != type_id {
        return Err(refused("the document is of another type"));
    }
    let group = state.group_of(id);
    let taken = group.iter().filter_map(|member| state.kind_of(member)).any(|(_, other)| other == lang);
    if taken { Err(refused("the document already has a translation in this locale")) } else { Ok(group) }
}

/// What would be staged of a published document.
fn published(live: &Document, title: Option<String>) -> StagedDocument {
    let head = &live.head;
    let named = || head.slugs().next().or(head.uid()).unwrap_or_default().to_owned();
    StagedDocument {
        id: head.id().to_owned(),
        type_id: head.type_id().to_owned(),
        lang: head.lang().to_owned(),
        title: title.unwrap_or_else(named),
        uid: head.uid().map(str::to_owned),
        tags: head.tags().map(str::to_owned).collect(),
        data: Map::new(),
    }
}
