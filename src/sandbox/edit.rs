//! Changes to the raw JSON of documents, as an editor's work would make them.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::error::SandboxError;
use super::synthetic::Random;
use crate::contentapi::{ASSET_HOST, Document, Millis, format_millis};

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
    reread(&document.head.id, &text)
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
    if let Some(uid) = &document.head.uid {
        value["uid"] = format!("{uid}-{:08x}", random.next() >> 32).into();
    }
    value["first_publication_date"] = format_millis(now).into();
    value["last_publication_date"] = format_millis(now).into();
    value["alternate_languages"] = json!([]);
    reread(&id, &value.to_string())
}

/// Returns the document with links to `gone` broken and translations in `gone` left out; `None`
/// when it mentions none of them.
pub(super) fn without_targets(
    document: &Document,
    gone: &HashSet<Box<str>>,
) -> Result<Option<Arc<Document>>, SandboxError> {
    const ID: &str = "\"id\":\"";
    let text = document.stored();
    let mentions = text.match_indices(ID).any(|(at, _)| {
        let id = text[at + ID.len()..].split('"').next().unwrap_or_default();
        gone.contains(id)
    });
    if !mentions {
        return Ok(None);
    }
    let id = &document.head.id;
    let source =
        |error: serde_json::Error| SandboxError::Document { id: id.to_string(), source: error.into() };
    let mut value: Value = serde_json::from_str(&text).map_err(source)?;
    if let Some(translations) = value.get_mut("alternate_languages").and_then(Value::as_array_mut) {
        translations
            .retain(|entry| entry.get("id").and_then(Value::as_str).is_none_or(|id| !gone.contains(id)));
    }
    break_links(&mut value["data"], gone);
    reread(id, &value.to_string()).map(Some)
}

fn break_links(value: &mut Value, gone: &HashSet<Box<str>>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| break_links(item, gone)),
        Value::Object(members) => {
            let is_link = members.get("link_type").and_then(Value::as_str) == Some("Document");
            if is_link && members.get("id").and_then(Value::as_str).is_some_and(|id| gone.contains(id)) {
                for (key, broken) in [
                    ("type", json!("broken_type")),
                    ("tags", json!([])),
                    ("lang", Value::Null),
                    ("slug", json!("-")),
                    ("isBroken", json!(true)),
                ] {
                    members.insert(key.to_owned(), broken);
                }
                for key in ["uid", "first_publication_date", "last_publication_date", "url", "data"] {
                    members.shift_remove(key);
                }
            } else {
                members.values_mut().for_each(|member| break_links(member, gone));
            }
        }
        _ => {}
    }
}
