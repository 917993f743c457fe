//! Comparing two documents, and two descriptions of assets.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::change::{ChangeKind, FieldKind, ItemDiff, Step};
use super::fields::{Bounds, Comparer, changed, names};
use super::identity::{Identity, SameIds};
use super::models::Models;
use crate::prismic::parse_json;

/// An item that cannot be looked into, so that only its bytes can be compared. The message quotes
/// nothing of it: contents are personal.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Unreadable {
    why: &'static str,
    #[source]
    source: Option<serde_json::Error>,
}

impl Unreadable {
    pub(super) fn not_an_object() -> Self {
        Self { why: "it is not one JSON object", source: None }
    }

    pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Self> {
        match Self::parse(bytes)? {
            Value::Object(object) => Ok(object),
            _ => Err(Self::not_an_object()),
        }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Value, Self> {
        let why = "it is no JSON that can be looked into";
        parse_json(bytes).map_err(|source| Self { why, source: Some(source) })
    }
}

/// Compares two documents: the bytes of the Content API. Models give labels and finer kinds; without
/// them values are known by their shapes. `identity` says which ids mean the same.
///
/// Work is linear in the size but for matching lists, which `bounds` has a budget for. Changed values
/// are copied into the result.
///
/// # Errors
///
/// When one of them is no JSON object, or is nested more than 128 deep.
pub fn compare_documents(
    old: &[u8],
    new: &[u8],
    models: &Models,
    identity: &dyn Identity,
    bounds: Bounds,
) -> Result<ItemDiff, Unreadable> {
    compare_values(&Unreadable::parse(old)?, &Unreadable::parse(new)?, models, identity, bounds)
}

/// The same for documents that were parsed before. They must not be nested more deeply than a parser
/// allows by itself.
///
/// # Errors
///
/// When one of them is no object.
pub fn compare_values(
    old: &Value,
    new: &Value,
    models: &Models,
    identity: &dyn Identity,
    bounds: Bounds,
) -> Result<ItemDiff, Unreadable> {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return Err(Unreadable::not_an_object());
    };
    let mut comparer = Comparer::new(identity, models, bounds);
    for name in names(old, new) {
        let (older, newer) = (old.get(name), new.get(name));
        if !comparer.is_equal(&older, &newer) {
            comparer.at(name, None, |here| here.member(name, older, newer, new));
        }
    }
    Ok(comparer.finish())
}

/// Compares what the media library says of an asset: the bytes of the Asset API, or what a snapshot
/// keeps of a file that the library does not list.
///
/// # Errors
///
/// As [`compare_documents`].
pub fn compare_assets(old: &[u8], new: &[u8], bounds: Bounds) -> Result<ItemDiff, Unreadable> {
    let (old, new) = (Unreadable::object(old)?, Unreadable::object(new)?);
    let models = Models::default();
    let mut comparer = Comparer::new(&SameIds, &models, bounds);
    for (name, older, newer) in changed(&old, &new) {
        let step = Step::Field { id: name.to_owned(), label: None };
        comparer.at(name, Some(step), |here| match name {
            "tags" => here.tags(&tag_names(older), &tag_names(newer), (older, newer)),
            "alt" => here.plain(FieldKind::Asset, ChangeKind::AltTextChanged, older, newer),
            "credits" => here.plain(FieldKind::Asset, ChangeKind::CopyrightChanged, older, newer),
            "filename" | "notes" => here.plain(FieldKind::Asset, ChangeKind::Changed, older, newer),
            _ => here.metadata(FieldKind::Asset, older, newer),
        });
    }
    Ok(comparer.finish())
}

impl Comparer<'_> {
    /// Compares a member of the document itself.
    fn member(
        &mut self,
        name: &str,
        old: Option<&Value>,
        new: Option<&Value>,
        document: &Map<String, Value>,
    ) {
        match name {
            "data" => self.data(old, new, document),
            "id" => {
                let ids = (old.and_then(Value::as_str), new.and_then(Value::as_str));
                let is_same = matches!(ids, (Some(old), Some(new)) if self.identity.document(old) == new);
                if !is_same {
                    self.plain(FieldKind::Document, ChangeKind::Changed, old, new);
                }
            }
            "uid" => self.named("uid", "UID", FieldKind::Uid, old, new),
            "type" => self.named("type", "type", FieldKind::Type, old, new),
            "lang" => self.named("lang", "language", FieldKind::Language, old, new),
            "tags" => {
                let step = Step::Field { id: "tags".to_owned(), label: Some("tags".to_owned()) };
                self.stepped(step, |here| here.tags(&tag_names(old), &tag_names(new), (old, new)));
            }
            _ if old == new => {}
            // The dates, the slugs, what the API knows of translations, `href` and `url`, and what it
            // may tell of documents one day: editors work in `data`.
            _ => self.metadata(FieldKind::Document, old, new),
        }
    }

    fn named(&mut self, id: &str, label: &str, kind: FieldKind, old: Option<&Value>, new: Option<&Value>) {
        let step = Step::Field { id: id.to_owned(), label: Some(label.to_owned()) };
        self.stepped(step, |here| here.plain(kind, ChangeKind::Changed, old, new));
    }

    fn data(&mut self, old: Option<&Value>, new: Option<&Value>, document: &Map<String, Value>) {
        let type_ = document.get("type").and_then(Value::as_str).unwrap_or_default();
        let fields = self.models.fields_of(type_);
        match (old, new) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => self.fields(fields, old, new),
            (old, new) => self.plain(FieldKind::Document, ChangeKind::Changed, old, new),
        }
    }

    /// Compares tags, whose order means nothing.
    fn tags(
        &mut self,
        old: &BTreeSet<&str>,
        new: &BTreeSet<&str>,
        (older, newer): (Option<&Value>, Option<&Value>),
    ) {
        if old == new {
            if older != newer {
                self.metadata(FieldKind::Tags, older, newer);
            }
            return;
        }
        let list = |tags: &BTreeSet<&str>| Value::from(tags.iter().copied().collect::<Vec<_>>());
        let (old, new) = (list(old), list(new));
        self.note(FieldKind::Tags, ChangeKind::Changed, Some(Cow::Owned(old)), Some(Cow::Owned(new)));
    }
}

/// The names of tags: texts in documents, objects with a name in the media library.
fn tag_names(tags: Option<&Value>) -> BTreeSet<&str> {
    let tags = tags.and_then(Value::as_array).into_iter().flatten();
    tags.filter_map(|tag| tag.as_str().or_else(|| tag.get("name")?.as_str())).collect()
}
