//! Publishes of the migration release.
//!
//! A publish takes what is staged at that moment and, after its delay, makes documents of it: their
//! data become what the Content API shows, new ones get their first publication date, translations
//! learn of each other, and one new master ref has it all. Documents of which the model went away
//! meanwhile, and those that a fault leaves behind, are in the release again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::migration_release::{Batch, StagedDocument, translations_of};
use super::models::Models;
use super::output::{LinkTargetCopy, Output, Targets, slug, title_of};
use super::repository::{Changes, Repository, State, TICK};
use super::synthetic::Random;
use crate::contentapi::{ASSET_HOST, Document, DocumentSet, Head, Millis, format_millis};
use crate::prismic::model::CustomType;

/// Custom types, each read once.
type Types = HashMap<String, Option<CustomType>>;

/// What a document will be, but for its data.
struct Coming<'s> {
    staged: &'s StagedDocument,
    first: Millis,
    slugs: Vec<String>,
}

/// What links may lead to: documents that come, and those that are published.
struct After<'s> {
    coming: HashMap<&'s str, Coming<'s>>,
    live: &'s DocumentSet,
    now: Millis,
}

impl Targets for After<'_> {
    fn copy(&self, id: &str) -> Option<LinkTargetCopy> {
        if let Some(coming) = self.coming.get(id) {
            return Some(LinkTargetCopy {
                type_id: coming.staged.type_id.as_str().into(),
                tags: coming.staged.tags.clone().into(),
                lang: coming.staged.lang.as_str().into(),
                slug: coming.slugs.first().map_or("-", String::as_str).into(),
                first_publication_date: format_millis(coming.first).into(),
                last_publication_date: format_millis(self.now).into(),
                uid: coming.staged.uid.clone(),
            });
        }
        let head = &self.live.find(id)?.head;
        let date = |at: Option<Millis>| at.map_or(Value::Null, |at| format_millis(at).into());
        Some(LinkTargetCopy {
            type_id: head.type_id().into(),
            tags: head.tags().map(Value::from).collect(),
            lang: head.lang().into(),
            slug: head.slugs().next().unwrap_or("-").into(),
            first_publication_date: date(head.first_publication()),
            last_publication_date: date(head.last_publication()),
            uid: head.uid().map(str::to_owned),
        })
    }

    /// Of documents that come at once, a publish fills in the fields afterwards.
    fn field(&self, id: &str, field: &str) -> Value {
        if self.coming.contains_key(id) {
            return Value::Null;
        }
        self.live.find(id).and_then(|document| document.field(field)).unwrap_or_default()
    }
}

impl Repository {
    /// Takes what is staged for a publish; returns how many documents that are.
    pub(super) fn begin_publish(&self) -> usize {
        let mut state = self.write();
        let batch = std::mem::take(&mut state.staging.release);
        let count = batch.documents().len();
        if count > 0 {
            state.staging.publishing.push_back(batch);
        }
        count
    }

    /// Publishes what the oldest unfinished [`begin_publish`](Self::begin_publish) took, but for a
    /// share of the documents, which stay in the release.
    pub(super) fn finish_publish(&self, left: f64) {
        let mut state = self.write();
        let Some(batch) = state.staging.publishing.pop_front() else { return };
        let mut draw = Random::new(&[self.salt(), 0x1ef7, state.minted]);
        let models = Arc::clone(&state.models);
        let mut types = Types::new();
        let (mut taken, mut kept) = (Vec::new(), Vec::new());
        for document in batch.documents() {
            let model = types.entry(document.type_id.clone());
            let known = model.or_insert_with(|| models.custom_type(&document.type_id)).is_some();
            if known && draw.unit() >= left { taken.push(document) } else { kept.push(document) }
        }
        let made = self.documents_of(&state, &taken, &types, &models);
        for document in &taken {
            state.staging.titles.insert(document.id.clone(), document.title.clone());
        }
        let mut release = Batch::default();
        let later = std::mem::take(&mut state.staging.release);
        // What was staged since is newer than what is left behind.
        for document in kept.into_iter().chain(later.documents()) {
            release.put(document.clone());
        }
        state.staging.release = release;
        self.commit(&mut state, Changes { put: made, remove: HashSet::new() });
    }

    fn documents_of(
        &self,
        state: &State,
        taken: &[&StagedDocument],
        types: &Types,
        models: &Models,
    ) -> Vec<Arc<Document>> {
        let now = state.now + TICK;
        let live = Arc::clone(&state.current().documents);
        let mut after = After { coming: HashMap::new(), live: &live, now };
        for staged in taken {
            let before = live.find(&staged.id).map(|document| &document.head);
            let title =
                types[&staged.type_id].as_ref().and_then(|model| title_of(model.fields(), &staged.data));
            let mut slugs: Vec<String> = title.as_deref().and_then(slug).into_iter().collect();
            for old in before.into_iter().flat_map(Head::slugs) {
                if slugs.iter().all(|known| known != old) {
                    slugs.push(old.to_owned());
                }
            }
            let first = before.and_then(Head::first_publication).unwrap_or(now);
            after.coming.insert(&staged.id, Coming { staged, first, slugs });
        }
        let random = Random::new(&[self.salt(), 0x51ce, state.minted]);
        let mut output = Output::new(models, &state.library, &after, random);
        let mut made = Vec::with_capacity(taken.len());
        let mut others = HashSet::new();
        for staged in taken {
            let Some(model) = types[&staged.type_id].as_ref() else { continue };
            let fields: Vec<_> = model.fields().cloned().collect();
            let data = output.fields(&fields, &staged.data);
            let group = translations(state, &staged.id);
            others.extend(group.iter().filter(|id| !after.coming.contains_key(id.as_str())).cloned());
            made.extend(document(&after, &staged.id, data, &group));
        }
        // Published translations learn of the new ones; their dates stay.
        for id in others {
            made.extend(
                live.find(&id).and_then(|document| retranslated(&after, document, &translations(state, &id))),
            );
        }
        made
    }
}

/// Returns the ids of a document's translations.
fn translations(state: &State, id: &str) -> Vec<String> {
    match state.staging.translations.group(id) {
        Some(group) => group.iter().filter(|other| *other != id).cloned().collect(),
        None => state.current().documents.find(id).map(|live| translations_of(live)).unwrap_or_default(),
    }
}

fn alternate_languages(after: &After<'_>, group: &[String]) -> Value {
    let mut entries: Vec<(String, Value)> = Vec::new();
    for id in group {
        let Some(copy) = after.copy(id) else { continue };
        let mut entry = json!({"id": id, "type": copy.type_id, "lang": copy.lang});
        if let Some(uid) = copy.uid {
            entry["uid"] = uid.into();
        }
        entries.push((entry["lang"].as_str().unwrap_or_default().to_owned(), entry));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn document(
    after: &After<'_>,
    id: &str,
    data: Map<String, Value>,
    group: &[String],
) -> Option<Arc<Document>> {
    let coming = after.coming.get(id)?;
    let staged = coming.staged;
    let text = json!({
        "id": id, "uid": staged.uid, "type": staged.type_id, "tags": staged.tags,
        "first_publication_date": format_millis(coming.first),
        "last_publication_date": format_millis(after.now),
        "slugs": coming.slugs, "linked_documents": [], "lang": staged.lang,
        "alternate_languages": alternate_languages(after, group), "data": data,
    });
    Document::parse(&text.to_string(), &[ASSET_HOST]).ok().map(Arc::new)
}

fn retranslated(after: &After<'_>, live: &Document, group: &[String]) -> Option<Arc<Document>> {
    let mut value: Value = serde_json::from_str(&live.stored()).ok()?;
    value["alternate_languages"] = alternate_languages(after, group);
    Document::parse(&value.to_string(), &[ASSET_HOST]).ok().map(Arc::new)
}
