//! A document of a snapshot becomes what the Migration API takes.
//!
//! A typed walk along the model of the target: every value is written as its field can hold it, with
//! the ids of the target, and what cannot be written is left out and said ([`Finding`]). Text is never
//! searched for ids: what looks like one in a paragraph is a word.
//!
//! **Why this way.** Prismic drops without a word what the model does not have, and refuses a whole
//! document for one value that its field cannot hold. So nothing of either kind is sent, and each loss
//! is known before the first request. Where Prismic documents nothing, what is sent keeps to the strict
//! reading (`docs/compatibility.md`).
//!
//! **Invariants.**
//! - Equal input gives equal output. Members and elements keep their order.
//! - What the target copies from elsewhere is not sent: embedded `data` of links, names and sizes of
//!   files, answers of embeds, ids of slices.
//! - Findings say where, never what: values are content.
//! - The walk follows the model, so a document nests no deeper than that; findings of one document are
//!   bounded, and what is sent is at most as large as what was read, but for addresses of images.
//!
//! **Crash.** Nothing is kept anywhere.
//!
//! **Not here.** Which document is written when: [`order`](super::order). Requests.

mod finding;
mod ids;
mod images;
mod links;
mod models;
mod rich_text;
mod scalars;
mod slices;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

pub use finding::{Finding, FindingKind};
pub use ids::{AssetAddresses, NewAsset, NewId, NewIds};
pub use models::TargetModels;

use self::walk::Walk;
use crate::diff::{Models, is_blank, text_of, title_of};
use crate::prismic::model::{CustomType, FieldKind};

/// A document as the Migration API takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    /// Title that editors see in lists: made of the content, one line of at most 200 characters. It is
    /// content.
    pub title: String,
    /// Id of its custom type.
    pub type_: String,
    /// Its locale.
    pub lang: String,
    /// Its UID, of types that have one.
    pub uid: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its fields.
    pub data: Map<String, Value>,
    /// Ids in the snapshot of the documents that links which are sent lead to; broken ones are not
    /// among them.
    pub links: BTreeSet<String>,
    /// Ids in the snapshot of the assets that are sent.
    pub assets: BTreeSet<String>,
    /// Whether a link was left out because its document has no id yet.
    pub is_pending: bool,
    /// What is not as it was, in the order of the document.
    pub findings: Vec<Finding>,
}

/// Why a document cannot be written at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unconvertible {
    /// A member that every document has is missing or of another kind.
    #[error("the document has no {0}")]
    Without(&'static str),
    /// The target has no such custom type.
    #[error("the target has no custom type {0:?}")]
    NoType(String),
    /// The custom type of the target is disabled: no document of it can be made.
    #[error("the custom type {0:?} of the target is disabled")]
    DisabledType(String),
}

/// Makes of a document of a snapshot what the Migration API takes.
///
/// # Errors
///
/// When the target has no custom type for it that takes documents, or it is no document.
pub fn convert(
    document: &Map<String, Value>,
    models: &TargetModels,
    ids: &dyn NewIds,
) -> Result<Converted, Unconvertible> {
    let text = |key: &'static str| {
        let found = document.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        found.ok_or(Unconvertible::Without(key))
    };
    let (id, type_, lang) = (text("id")?, text("type")?, text("lang")?);
    let data = document.get("data").and_then(Value::as_object).ok_or(Unconvertible::Without("data"))?;
    let model = models.custom_type(type_).ok_or_else(|| Unconvertible::NoType(type_.to_owned()))?;
    if !model.enabled {
        return Err(Unconvertible::DisabledType(type_.to_owned()));
    }
    let mut walk = Walk::new(models, ids);
    let uid = walk.within("uid", |walk| uid_of(walk, model, id, document.get("uid")));
    let tags = walk.within("tags", |walk| tags_of(walk, document.get("tags")));
    let fields: Vec<_> = model.fields().collect();
    let data = walk.within("data", |walk| walk.fields(&fields, data));
    let done = walk.finish();
    Ok(Converted {
        title: editor_title(document, model).unwrap_or_else(|| format!("{type_} {id}")),
        type_: type_.to_owned(),
        lang: lang.to_owned(),
        uid,
        tags,
        data,
        links: done.links,
        assets: done.assets,
        is_pending: done.is_pending,
        findings: done.findings,
    })
}

/// The first title that has text, else what people call the document.
fn editor_title(document: &Map<String, Value>, model: &CustomType) -> Option<String> {
    let data = document.get("data")?.as_object()?;
    let titles = model.fields().filter(|field| match &field.kind {
        FieldKind::RichText(model) => model.is_title(),
        _ => false,
    });
    let by_model = titles.filter_map(|field| data.get(&field.name)).find_map(text_of);
    by_model.or_else(|| title_of(document, &Models::default()))
}

/// A type with a UID field takes no document without, and one without drops it.
fn uid_of(walk: &mut Walk<'_>, model: &CustomType, id: &str, uid: Option<&Value>) -> Option<String> {
    let given = uid.filter(|uid| !is_blank(uid));
    match (model.has_uid(), given) {
        (true, Some(Value::String(uid))) if !uid.trim().is_empty() => Some(uid.clone()),
        (true, _) => {
            walk.find(FindingKind::UidMade);
            let letters = id.chars().map(|letter| letter.to_ascii_lowercase());
            Some(letters.map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect())
        }
        (false, Some(_)) => walk.lost(FindingKind::FieldNotInModel),
        (false, None) => None,
    }
}

fn tags_of(walk: &mut Walk<'_>, tags: Option<&Value>) -> Vec<String> {
    match tags {
        Some(Value::Array(tags)) => walk.list(tags, |walk, tag| match tag {
            Value::String(tag) => Some(tag.clone()),
            _ => walk.lost(FindingKind::WrongKind),
        }),
        None | Some(Value::Null) => Vec::new(),
        Some(_) => walk.lost(FindingKind::WrongKind).unwrap_or_default(),
    }
}
