//! Changes to the raw JSON of documents, as an editor's work would make them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::error::SandboxError;
use super::output::{LinkTargetCopy, break_link};
use super::synthetic::Random;
use crate::contentapi::{ASSET_HOST, Document, DocumentSet, Millis, format_millis};

fn reread(id: &str, text: &str) -> Result<Arc<Document>, SandboxError> {
    let document = Document::parse(text, &[ASSET_HOST]);
    document.map(Arc::new).map_err(|source| SandboxError::Document { id: id.to_owned(), source })
}

/// Returns the document with a word more at the end of one of its texts (so that offsets of spans
/// stay right) and published at `now`. All other bytes stay.
pub(super) fn revised(
    document: &Document,
    now: Millis,
    random: &mut Random,
) -> Result<Arc<Document>, SandboxError> {
    const DATE: &str = "\"last_publication_date\":\"";
    const TEXT: &str = "\"text\":\"";
    let mut text = document.stored();
    let data = text.find("\"data\":").unwrap_or_default();
    let places: Vec<usize> = text[data..].match_indices(TEXT).map(|(at, _)| data + at + TEXT.len()).collect();
    if let Some(from) = places.get(random.below(places.len().max(1))) {
        let mut escaped = false;
        let end = text[*from..].find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        if let Some(end) = end {
            text.insert_str(from + end, &format!(" rev-{:08x}", random.next() >> 32));
        }
    }
    if let Some(from) = text.find(DATE).map(|at| at + DATE.len())
        && let Some(end) = text[from..].find('"')
    {
        text.replace_range(from..from + end, &format_millis(now));
    }
    reread(document.head.id(), &text)
}

/// Returns a new document with the content of another: its own id and UID, no translations,
/// published at `now`.
pub(super) fn copied(
    document: &Document,
    now: Millis,
    random: &mut Random,
) -> Result<Arc<Document>, SandboxError> {
    let id = random.id(now);
    let source = |error: serde_json::Error| SandboxError::Document { id: id.clone(), source: error.into() };
    let mut value: Value = serde_json::from_str(&document.stored()).map_err(source)?;
    value["id"] = id.as_str().into();
    if let Some(uid) = document.head.uid() {
        value["uid"] = format!("{uid}-{:08x}", random.next() >> 32).into();
    }
    value["first_publication_date"] = format_millis(now).into();
    value["last_publication_date"] = format_millis(now).into();
    value["alternate_languages"] = json!([]);
    reread(&id, &value.to_string())
}

const ID: &str = "\"id\":\"";

/// Returns the ids that a stored document mentions anywhere: its own, those of links, translations
/// and assets.
pub(super) fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(ID).map(|(at, _)| text[at + ID.len()..].split('"').next().unwrap_or_default())
}

/// Returns `count` documents to which as many others link as make about `linkers` together; fewer
/// when there are not that many. No document links to two of them.
pub(super) fn linked_by(documents: &DocumentSet, count: usize, linkers: usize) -> Vec<String> {
    let wanted = linkers / count.max(1);
    let mut by: HashMap<String, Vec<u32>> = HashMap::new();
    for (at, document) in (0..).zip(documents.iter()) {
        // Links only: a translation copies nothing that a revision changes.
        let data = String::from_utf8_lossy(document.data());
        for id in mentioned(&data).filter(|id| *id != document.head.id()) {
            let mentions = by.entry(id.to_owned()).or_default();
            if mentions.last() != Some(&at) {
                mentions.push(at);
            }
        }
    }
    let mut by: Vec<(String, Vec<u32>)> =
        by.into_iter().filter(|(id, by)| by.len() == wanted && documents.find(id).is_some()).collect();
    by.sort_unstable();
    let mut taken: HashSet<u32> = HashSet::new();
    let mut apart = |(_, by): &(String, Vec<u32>)| {
        let free = by.iter().all(|at| !taken.contains(at));
        if free {
            taken.extend(by);
        }
        free
    };
    by.into_iter().filter(|one| apart(one)).map(|(id, _)| id).take(count).collect()
}

/// What a publish changes about the targets of links.
pub(super) struct Targets<'a> {
    /// Documents that are published anew.
    put: HashMap<&'a str, (&'a Document, Value)>,
    /// Documents that are published no more.
    gone: &'a HashSet<Box<str>>,
}

impl<'a> Targets<'a> {
    /// Reads the documents that are published anew.
    pub(super) fn new(put: &'a [Arc<Document>], gone: &'a HashSet<Box<str>>) -> Result<Self, SandboxError> {
        let mut targets = HashMap::with_capacity(put.len());
        for document in put {
            targets.insert(document.head.id(), (&**document, value_of(document)?));
        }
        Ok(Self { put: targets, gone })
    }

    fn concern(&self, id: &str) -> bool {
        self.put.contains_key(id) || self.gone.contains(id)
    }

    /// Returns a document as it is after the publish: what its links copy of their targets is
    /// brought up to date, links to documents that are gone are broken, broken ones to documents
    /// that came are whole, and translations are those that there are. `None` when nothing of that
    /// changes it.
    pub(super) fn seen_by(&self, document: &Document) -> Result<Option<Arc<Document>>, SandboxError> {
        let text = document.stored();
        let own = document.head.id();
        if !mentioned(&text).any(|id| id != own && self.concern(id)) {
            return Ok(None);
        }
        let before = value_of(document)?;
        let mut value = before.clone();
        if let Some(translations) = value.get_mut("alternate_languages").and_then(Value::as_array_mut) {
            let id = |entry: &Value| entry.get("id").and_then(Value::as_str).map(str::to_owned);
            translations.retain(|entry| id(entry).is_none_or(|id| !self.gone.contains(&*id)));
            for entry in translations {
                if let Some((target, _)) = id(entry).and_then(|id| self.put.get(&*id)) {
                    entry["type"] = target.head.type_id().into();
                    entry["lang"] = target.head.lang().into();
                    set_uid(entry, target);
                }
            }
        }
        self.refresh_links(&mut value["data"]);
        if value == before {
            return Ok(None);
        }
        reread(own, &value.to_string()).map(Some)
    }

    fn refresh_links(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.refresh_links(item)),
            Value::Object(members) => {
                let is_link = members.get("link_type").and_then(Value::as_str) == Some("Document");
                let id = members.get("id").and_then(Value::as_str).filter(|_| is_link).map(str::to_owned);
                if let Some(id) = id {
                    if self.gone.contains(&*id) {
                        break_link(members);
                        return;
                    }
                    if let Some((target, content)) = self.put.get(&*id) {
                        copy_target(members, target, content);
                    }
                }
                members.values_mut().for_each(|member| self.refresh_links(member));
            }
            _ => {}
        }
    }
}

fn value_of(document: &Document) -> Result<Value, SandboxError> {
    let id = || document.head.id().to_string();
    serde_json::from_str(&document.stored())
        .map_err(|error| SandboxError::Document { id: id(), source: error.into() })
}

fn set_uid(entry: &mut Value, target: &Document) {
    match (target.head.uid(), entry.as_object_mut()) {
        (Some(uid), Some(members)) => {
            members.insert("uid".to_owned(), uid.into());
        }
        (None, Some(members)) => {
            members.shift_remove("uid");
        }
        _ => {}
    }
}

/// Copies into a link what Prismic copies of its target; of the content, those fields that the link
/// had before.
fn copy_target(members: &mut Map<String, Value>, target: &Document, content: &Value) {
    let of = |key: &str| content.get(key).cloned().unwrap_or_default();
    let copy = LinkTargetCopy {
        type_id: of("type"),
        tags: of("tags"),
        lang: of("lang"),
        slug: content.pointer("/slugs/0").cloned().unwrap_or_else(|| json!("-")),
        first_publication_date: of("first_publication_date"),
        last_publication_date: of("last_publication_date"),
        uid: target.head.uid().map(str::to_owned),
    };
    copy.fill(members);
    if let Some(copies) = members.get_mut("data").and_then(Value::as_object_mut) {
        copies.retain(|field, _| content["data"].get(field).is_some());
        for (field, copy) in copies {
            *copy = content["data"][field].clone();
        }
    }
}
