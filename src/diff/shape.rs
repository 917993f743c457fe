//! What a value is, by its shape; whether it is blank; what its content is worth as a hash.
//!
//! The shapes are those of `prismic::walk`: the Content API sends no types. Nothing here is reported:
//! hashes decide only what is compared with what, so one that collides shows a change elsewhere and
//! hides none.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use serde_json::{Map, Value};

use super::change::FieldKind;
use super::identity::{self, Identity, Side};
use crate::prismic::walk::{Link, as_image, as_link};

/// Names of the keys of an image that are not thumbnails.
pub(super) const IMAGE_KEYS: [&str; 7] = ["id", "url", "dimensions", "edit", "alt", "copyright", "linkTo"];

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Boolean,
    Number,
    Text,
    RichText,
    Image,
    Link,
    Links,
    Embed,
    GeoPoint,
    Group,
    Slices,
    Table,
    Object,
    List,
}

impl Shape {
    /// Returns the shape of a value that is not blank.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::Null | Value::String(_) => Self::Text,
            Value::Object(object) => Self::of_object(object),
            Value::Array(elements) => Self::of_array(elements),
        }
    }

    fn of_object(object: &Map<String, Value>) -> Self {
        let number = |key: &str| object.get(key).is_some_and(Value::is_number);
        let rows =
            |key: &str| object.get(key).is_some_and(|part| part.get("rows").is_some_and(Value::is_array));
        match () {
            () if as_link(object).is_some() => Self::Link,
            () if is_embed(object) => Self::Embed,
            () if is_image(object) => Self::Image,
            () if number("latitude") && number("longitude") => Self::GeoPoint,
            () if rows("body") || rows("head") => Self::Table,
            () => Self::Object,
        }
    }

    fn of_array(elements: &[Value]) -> Self {
        let all = |is: &dyn Fn(&Map<String, Value>) -> bool| {
            elements.iter().all(|element| element.as_object().is_some_and(is))
        };
        let has_text = |object: &Map<String, Value>, key: &str| object.get(key).is_some_and(Value::is_string);
        match () {
            () if elements.is_empty() => Self::List,
            () if all(&|object| has_text(object, "slice_type")) => Self::Slices,
            () if all(&|object| as_link(object).is_some()) => Self::Links,
            () if all(&is_block) => Self::RichText,
            () if all(&|_| true) => Self::Group,
            () => Self::List,
        }
    }

    pub(super) fn kind(self) -> FieldKind {
        match self {
            Self::Boolean => FieldKind::Boolean,
            Self::Number => FieldKind::Number,
            Self::Text => FieldKind::Text,
            Self::RichText => FieldKind::RichText,
            Self::Image => FieldKind::Image,
            Self::Link => FieldKind::Link,
            Self::Links => FieldKind::Links,
            Self::Embed => FieldKind::Embed,
            Self::GeoPoint => FieldKind::GeoPoint,
            Self::Group => FieldKind::Group,
            Self::Slices => FieldKind::SliceZone,
            Self::Table => FieldKind::Table,
            Self::Object => FieldKind::Object,
            Self::List => FieldKind::List,
        }
    }
}

/// Whether an object is an embed: it has the address of what it shows.
fn is_embed(object: &Map<String, Value>) -> bool {
    object.get("embed_url").is_some_and(Value::is_string)
}

/// Whether an object is an image, or a blank one with thumbnails.
pub(super) fn is_image(object: &Map<String, Value>) -> bool {
    as_image(object, None).is_some()
}

/// Whether an object is a block of rich text: text with spans, an image or an embed.
fn is_block(object: &Map<String, Value>) -> bool {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    match text("type") {
        Some("image") => object.contains_key("url"),
        Some("embed") => object.contains_key("oembed"),
        Some(_) => text("text").is_some() && object.get("spans").is_some_and(Value::is_array),
        None => false,
    }
}

/// Whether a field was left blank. There are many ways to write that.
pub(crate) fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
        Value::Array(elements) => {
            elements.iter().all(|element| element.as_object().is_some_and(Map::is_empty))
        }
        Value::Object(object) => match as_link(object) {
            Some(Link::Empty { .. }) => object.get("text").is_none_or(is_blank),
            Some(_) => false,
            None => object.is_empty() || is_blank_image(object),
        },
    }
}

/// Whether an object is an image without picture, and so are its thumbnails.
fn is_blank_image(object: &Map<String, Value>) -> bool {
    ["url", "dimensions"].iter().all(|key| object.contains_key(*key))
        && object.iter().all(|(_, value)| match value {
            Value::Object(inner) => inner.is_empty() || is_blank_image(inner),
            value => is_blank(value),
        })
}

/// The part of an address that does not change when the file is shown otherwise.
pub(super) fn without_query(url: &str) -> &str {
    url.split_once(['?', '#']).map_or(url, |(before, _)| before)
}

/// The parameters of an image's address that say which part of it is shown, and how large.
pub(super) fn crop_of(url: &str) -> Vec<&str> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let mut crop: Vec<&str> = query
        .split('&')
        .filter(|pair| matches!(pair.split_once('='), Some(("rect" | "w" | "h", _))))
        .collect();
    crop.sort_unstable();
    crop
}

/// Hashes the content of values so that equal ones have equal hashes: blank members, the order of
/// members and what is copied from elsewhere do not count, and ids are those of the newer side.
#[derive(Clone, Copy)]
pub(super) struct Prints<'a> {
    pub(super) identity: &'a dyn Identity,
    pub(super) side: Side,
}

impl Prints<'_> {
    /// Returns the hash of a value.
    pub(super) fn of(&self, value: &Value) -> u64 {
        match value {
            Value::Null => hash(&0_u8),
            Value::Bool(flag) => hash(&(1_u8, flag)),
            Value::Number(number) => hash(&(2_u8, number.as_f64().unwrap_or_default().to_bits())),
            Value::String(text) => hash(&(3_u8, text)),
            Value::Array(elements) => {
                let prints: Vec<u64> = elements.iter().map(|element| self.of(element)).collect();
                hash(&(4_u8, prints))
            }
            Value::Object(object) => self.of_object(object),
        }
    }

    fn of_object(&self, object: &Map<String, Value>) -> u64 {
        if let Some(link) = as_link(object) {
            return hash(&(
                5_u8,
                self.target(link),
                self.members(object, &|key| matches!(key, "text" | "target" | "variant")),
            ));
        }
        if is_embed(object) {
            return hash(&(6_u8, object.get("embed_url").and_then(Value::as_str)));
        }
        if is_image(object) {
            let rest = self.members(object, &|key| !matches!(key, "id" | "url"));
            return hash(&(7_u8, self.picture(object), rest));
        }
        let is_slice = object.contains_key("slice_type");
        let is_row = object.contains_key("cells") || object.contains_key("content");
        let skipped = |key: &str| match key {
            "id" | "version" => is_slice,
            "key" => is_row,
            "direction" => object.contains_key("spans"),
            _ => false,
        };
        hash(&(8_u8, self.members(object, &|key| !skipped(key))))
    }

    /// Adds up the hashes of some members, which makes their order irrelevant.
    fn members(&self, object: &Map<String, Value>, counts: &dyn Fn(&str) -> bool) -> u64 {
        let members = object.iter().filter(|(key, value)| counts(key) && !is_blank(value));
        members.fold(0, |sum, (key, value)| sum.wrapping_add(hash(&(key, self.of(value)))))
    }

    /// What a link leads to.
    pub(super) fn target(&self, link: Link<'_>) -> u64 {
        match link {
            Link::Document { id, .. } => hash(&(0_u8, identity::document(self.identity, self.side, id))),
            Link::Media { id: Some(id), .. } => hash(&(1_u8, identity::asset(self.identity, self.side, id))),
            Link::Media { url, .. } => hash(&(2_u8, url.map(without_query))),
            Link::Web { url, .. } => hash(&(3_u8, url)),
            Link::Empty { .. } => hash(&4_u8),
        }
    }

    /// Which file an image shows, and which part of it.
    fn picture(&self, object: &Map<String, Value>) -> u64 {
        let text = |key: &str| object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let url = text("url").unwrap_or_default();
        match text("id") {
            Some(id) => hash(&(0_u8, identity::asset(self.identity, self.side, id), crop_of(url))),
            None => hash(&(1_u8, without_query(url), crop_of(url))),
        }
    }
}

/// Hashes of what a value says: its words, and its other values. Ids and keys are left out.
pub(super) fn features(value: &Value) -> Vec<u64> {
    let mut found = Vec::new();
    collect(value, "", &mut found);
    found
}

fn collect(value: &Value, key: &str, found: &mut Vec<u64>) {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => found.push(hash(&(key, value.to_string()))),
        Value::String(text) => found.extend(text.split_whitespace().map(|word| hash(&word))),
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, key, found)),
        Value::Object(object) => object
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "id" | "key" | "slice_type" | "type" | "version"))
            .for_each(|(key, value)| collect(value, key, found)),
    }
}

pub(super) fn hash(value: &impl Hash) -> u64 {
    // The same in every run, so that what is told is.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Whether two values of an unknown shape say the same: blank members, the order of members and how a
/// number is written do not count, and ids in links and images may differ as `identity` says.
pub(super) fn is_same(identity: &dyn Identity, old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Number(old), Value::Number(new)) => old == new || old.as_f64() == new.as_f64(),
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| is_same(identity, old, new))
        }
        (Value::Object(old), Value::Object(new)) => same_objects(identity, old, new),
        (old, new) => old == new || (is_blank(old) && is_blank(new)),
    }
}

fn same_objects(identity: &dyn Identity, old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
    let links = (as_link(old), as_link(new));
    let images = is_image(old) && is_image(new);
    let same_target = match links {
        (Some(old), Some(new)) => leads_to_same(identity, old, new),
        (None, None) if images => shows_same(identity, old, new),
        (None, None) => true,
        _ => false,
    };
    let is_told_apart = links.0.is_some() || images;
    // What a link tells of a document or file is a copy.
    let copied = |key: &str| match links {
        (Some(Link::Document { .. } | Link::Media { .. }), _) => {
            !matches!(key, "link_type" | "text" | "target" | "variant")
        }
        _ => images && key == "url",
    };
    let in_new = old.iter().all(|(key, value)| match new.get(key) {
        _ if copied(key) || (is_told_apart && key == "id") => true,
        Some(other) => is_same(identity, value, other),
        None => is_blank(value),
    });
    let only_new = new.iter().all(|(key, value)| {
        let skipped = copied(key) || (is_told_apart && key == "id");
        skipped || old.contains_key(key) || is_blank(value)
    });
    same_target && in_new && only_new
}

/// Whether two links lead to the same.
pub(super) fn leads_to_same(identity: &dyn Identity, old: Link<'_>, new: Link<'_>) -> bool {
    match (old, new) {
        (Link::Document { id: old, .. }, Link::Document { id: new, .. }) => identity.document(old) == new,
        (Link::Media { id: Some(old), .. }, Link::Media { id: Some(new), .. }) => identity.asset(old) == new,
        (Link::Media { url: Some(old), .. }, Link::Media { url: Some(new), .. }) => {
            without_query(old) == without_query(new)
        }
        (Link::Web { url: old, .. }, Link::Web { url: new, .. }) => old == new,
        (Link::Empty { .. }, Link::Empty { .. }) => true,
        _ => false,
    }
}

/// Whether two images show the same file, whatever part of it.
pub(super) fn shows_same(
    identity: &dyn Identity,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) -> bool {
    let text = |object: &Map<String, Value>, key: &str| -> Option<String> {
        object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    match (text(old, "id"), text(new, "id")) {
        (Some(old), Some(new)) => identity.asset(&old) == new,
        // Very old answers tell no id.
        _ => {
            let address = |object| text(object, "url").map(|url| without_query(&url).to_owned());
            address(old) == address(new)
        }
    }
}
