//! What the Migration API takes of the `data` of a document: what the model has, if it is valid.
//!
//! Content that the model lacks is dropped without a word, as at Prismic: unknown fields, slices that
//! the zone does not take, unknown variations. What the model has and the value cannot be is a
//! [`Mistake`], and all of a document's come at once. What is left is in the form of the input, with
//! the members that count; [`output`](super::output) makes of it what the Content API shows.
//!
//! Where Prismic documents nothing, this is strict; `docs/compatibility.md` has each case.
//!
//! **Invariants.** No input makes it fail otherwise than by mistakes: input is at most as deep as the
//! JSON parser allows, and only known parts of it are followed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use url::Url;

use super::assets::Library;
use super::models::Models;
use crate::contentapi::{is_timestamp, parse_millis};
use crate::prismic::model::{Choice, ChoiceKind, Field, FieldKind, ImageModel, SharedSlice, TEXT_BLOCKS};

/// Mistakes that are told at once.
const MISTAKES_MAX: usize = 50;

/// Characters of an id.
const ID_CHARS: usize = 16;

/// Something that cannot be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mistake {
    /// Where: `data.body[0].primary.link`.
    pub(super) property: String,
    /// What is there, if it is short.
    pub(super) value: Value,
    /// What is wrong with it.
    pub(super) error: String,
}

/// Shared slices, each read once.
pub(super) struct Slices<'m> {
    models: &'m Models,
    read: HashMap<String, Option<Arc<SharedSlice>>>,
}

impl<'m> Slices<'m> {
    pub(super) fn new(models: &'m Models) -> Self {
        Self { models, read: HashMap::new() }
    }

    pub(super) fn get(&mut self, id: &str) -> Option<Arc<SharedSlice>> {
        if let Some(known) = self.read.get(id) {
            return known.clone();
        }
        let slice = self.models.slice(id).map(Arc::new);
        self.read.insert(id.to_owned(), slice.clone());
        slice
    }
}

/// Goes along a document's data with its model.
pub(super) struct Conform<'a> {
    slices: Slices<'a>,
    library: &'a Library,
    gone_embeds: &'a BTreeSet<String>,
    at: String,
    mistakes: Vec<Mistake>,
}

impl<'a> Conform<'a> {
    pub(super) fn new(models: &'a Models, library: &'a Library, gone_embeds: &'a BTreeSet<String>) -> Self {
        let slices = Slices::new(models);
        Self { slices, library, gone_embeds, at: String::new(), mistakes: Vec::new() }
    }

    /// Returns what is taken of a document's data.
    pub(super) fn document(
        mut self,
        fields: &[Field],
        data: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Vec<Mistake>> {
        self.at.push_str("data");
        let taken = self.fields(fields, data);
        if self.mistakes.is_empty() { Ok(taken) } else { Err(self.mistakes) }
    }

    fn mistake<T>(&mut self, value: &Value, error: &str) -> Option<T> {
        if self.mistakes.len() < MISTAKES_MAX {
            let shown = match value {
                Value::Array(_) | Value::Object(_) => Value::Null,
                Value::String(text) if text.len() > 200 => Value::Null,
                short => short.clone(),
            };
            let (property, error) = (self.at.clone(), error.to_owned());
            self.mistakes.push(Mistake { property, value: shown, error });
        }
        None
    }

    /// Goes on below, at a member or an item.
    fn within<T>(&mut self, step: &str, go: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.at.len();
        if !step.starts_with('[') {
            self.at.push('.');
        }
        self.at.push_str(step);
        let done = go(self);
        self.at.truncate(before);
        done
    }

    fn items(&mut self, items: &[Value], mut go: impl FnMut(&mut Self, &Value) -> Option<Value>) -> Value {
        let taken = items.iter().enumerate();
        taken.filter_map(|(index, item)| self.within(&format!("[{index}]"), |this| go(this, item))).collect()
    }

    fn fields(&mut self, fields: &[Field], data: &Map<String, Value>) -> Map<String, Value> {
        let mut taken = Map::new();
        for field in fields {
            if let Some(value) = data.get(&field.name)
                && let Some(value) = self.within(&field.name, |this| this.value(&field.kind, value))
            {
                taken.insert(field.name.clone(), value);
            }
        }
        taken
    }

    fn value(&mut self, kind: &FieldKind, value: &Value) -> Option<Value> {
        match kind {
            FieldKind::Image(model) => return self.image(model, value),
            FieldKind::Link(model) => {
                return match (model.repeat, value) {
                    (true, Value::Array(items)) => Some(self.items(items, Self::link)),
                    (true, _) => self.mistake(value, "must be a list of links"),
                    (false, _) => self.link(value),
                };
            }
            FieldKind::Separator | FieldKind::Uid | FieldKind::Unknown(_) => return None,
            _ if value.is_null() => return None,
            _ => {}
        }
        match kind {
            FieldKind::Boolean { .. } => self.scalar(value, value.is_boolean(), "must be true or false"),
            FieldKind::Number => self.scalar(value, value.is_number(), "must be a number"),
            FieldKind::Text => self.scalar(value, value.is_string(), "must be a text"),
            FieldKind::Color => self.scalar(value, is_color(value), "must be a color such as #00ff00"),
            FieldKind::Date => self.scalar(value, is_date(value), "must be a date such as 2024-12-23"),
            FieldKind::Timestamp => {
                let valid =
                    value.as_str().is_some_and(|text| is_timestamp(text) && parse_millis(text).is_some());
                self.scalar(value, valid, "must be a time such as 2023-02-20T01:12:12+0100")
            }
            FieldKind::Select { options } => {
                let valid = value.as_str().is_some_and(|text| options.iter().any(|option| option == text));
                self.scalar(value, valid, "must be one of the options of the model")
            }
            FieldKind::GeoPoint => self.geopoint(value),
            FieldKind::Embed => self.embed(value),
            FieldKind::Integration { .. } => match value.get("id") {
                Some(id @ (Value::String(_) | Value::Number(_))) => Some(json!({"id": id})),
                _ => self.mistake(value, "must have the id of an item of the catalog"),
            },
            FieldKind::RichText(_) => self.rich_text(value),
            FieldKind::Table => self.table(value),
            FieldKind::Group(fields) => self.group(fields, value),
            FieldKind::Slices(choices) => match value {
                Value::Array(slices) => Some(self.items(slices, |this, slice| this.slice(choices, slice))),
                _ => self.mistake(value, "must be a list of slices"),
            },
            _ => None,
        }
    }

    fn scalar(&mut self, value: &Value, valid: bool, error: &str) -> Option<Value> {
        if valid { Some(value.clone()) } else { self.mistake(value, error) }
    }

    fn group(&mut self, fields: &[Field], value: &Value) -> Option<Value> {
        let Value::Array(items) = value else { return self.mistake(value, "must be a list of objects") };
        Some(self.items(items, |this, item| match item {
            Value::Object(members) => Some(this.fields(fields, members).into()),
            other => this.mistake(other, "must be an object"),
        }))
    }

    fn geopoint(&mut self, value: &Value) -> Option<Value> {
        if value.as_object().is_some_and(Map::is_empty) {
            return None;
        }
        let side = |key: &str, most: f64| value.get(key)?.as_f64().filter(|side| side.abs() <= most);
        match (side("latitude", 90.0), side("longitude", 180.0)) {
            (Some(_), Some(_)) => {
                Some(json!({"latitude": value["latitude"], "longitude": value["longitude"]}))
            }
            _ => self.mistake(value, "must have a latitude and a longitude"),
        }
    }

    fn embed(&mut self, value: &Value) -> Option<Value> {
        if value.as_object().is_some_and(Map::is_empty) {
            return None;
        }
        let url = value.get("embed_url").and_then(Value::as_str);
        let valid =
            url.filter(|url| Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")));
        match valid {
            None => self.mistake(value, "must have an embed_url"),
            Some(url) if self.gone_embeds.contains(url) => {
                self.mistake(&url.into(), "the embedded page cannot be fetched")
            }
            Some(url) => Some(json!({"embed_url": url})),
        }
    }

    fn link(&mut self, value: &Value) -> Option<Value> {
        let Some(link_type) = value.get("link_type").and_then(Value::as_str) else {
            return self.mistake(value, "must be a link with a link_type");
        };
        let given = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let mut link = match link_type {
            "Any" => json!({}),
            "Web" => match given("url") {
                Some(url) => match given("target") {
                    Some(target) => json!({"link_type": "Web", "url": url, "target": target}),
                    None => json!({"link_type": "Web", "url": url}),
                },
                None => json!({}),
            },
            "Document" => match given("id") {
                Some(id) if id.chars().count() == ID_CHARS => json!({"link_type": "Document", "id": id}),
                Some(id) => return self.mistake(&id.into(), "the id of a document has 16 characters"),
                None => json!({}),
            },
            "Media" => match given("id") {
                Some(id) if self.library.find(id).is_some() => json!({"link_type": "Media", "id": id}),
                Some(id) => return self.mistake(&id.into(), "there is no such asset"),
                None if given("url").is_some() => return self.mistake(value, "must have the id of an asset"),
                None => json!({}),
            },
            _ => return self.mistake(&link_type.into(), "must be Any, Document, Media or Web"),
        };
        for key in ["text", "variant", "key"] {
            match value.get(key) {
                Some(Value::String(text)) => link[key] = text.as_str().into(),
                None | Some(Value::Null) => {}
                Some(other) => {
                    return self.within(key, |this| this.mistake(other, "must be a text"));
                }
            }
        }
        Some(link)
    }

    fn image(&mut self, model: &ImageModel, value: &Value) -> Option<Value> {
        let Value::Object(members) = value else { return self.mistake(value, "must be an image") };
        let empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
        if members.values().all(empty) {
            return None;
        }
        let mut image = self.view(value)?;
        for (name, _) in &model.thumbnails {
            match members.get(name) {
                None => {}
                Some(thumbnail) if empty(thumbnail) => image[name] = json!({}),
                Some(thumbnail) => image[name] = self.within(name, |this| this.view(thumbnail))?,
            }
        }
        Some(image)
    }

    /// One picture: the image itself, or a thumbnail.
    fn view(&mut self, value: &Value) -> Option<Value> {
        let id = match value.get("id").and_then(Value::as_str) {
            Some(id) if self.library.find(id).is_some() => id,
            Some(id) => return self.mistake(&id.into(), "there is no such asset"),
            None => return self.mistake(value, "must have the id of an asset"),
        };
        let mut view = json!({"id": id});
        for key in ["alt", "copyright", "url"] {
            match value.get(key) {
                None => {}
                Some(text @ (Value::String(_) | Value::Null)) => view[key] = text.clone(),
                Some(other) => return self.within(key, |this| this.mistake(other, "must be a text")),
            }
        }
        let number = |of: &Value, key: &str| of.get(key).is_some_and(Value::is_number);
        if let Some(edit) = value.get("edit").filter(|edit| !edit.is_null()) {
            let positive = edit.get("zoom").and_then(Value::as_f64).is_some_and(|zoom| zoom > 0.0);
            if !(number(edit, "x") && number(edit, "y") && positive) {
                return self.within("edit", |this| this.mistake(edit, "must have x, y and zoom"));
            }
            view["edit"] = edit.clone();
        }
        if let Some(sides) = value.get("dimensions").filter(|sides| !is_blank(sides)) {
            let positive = |key: &str| sides.get(key).and_then(Value::as_u64).is_some_and(|side| side > 0);
            if !(positive("width") && positive("height")) {
                return self.within("dimensions", |this| this.mistake(sides, "must have width and height"));
            }
            view["dimensions"] = sides.clone();
        }
        Some(view)
    }

    fn rich_text(&mut self, value: &Value) -> Option<Value> {
        let Value::Array(blocks) = value else { return self.mistake(value, "must be a list of blocks") };
        Some(self.items(blocks, Self::block))
    }

    fn block(&mut self, block: &Value) -> Option<Value> {
        let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "image" => {
                let mut image = self.image(&ImageModel::default(), block)?;
                image["type"] = kind.into();
                if let Some(link) = block.get("linkTo").filter(|link| !link.is_null()) {
                    image["linkTo"] = self.within("linkTo", |this| this.link(link))?;
                }
                Some(image)
            }
            "embed" => {
                let embed = block.get("oembed").unwrap_or(&Value::Null);
                let embed = self.within("oembed", |this| this.embed(embed))?;
                Some(json!({"type": kind, "oembed": embed}))
            }
            text if TEXT_BLOCKS.contains(&text) => self.text_block(text, block),
            _ => self.mistake(&kind.into(), "is no kind of block"),
        }
    }

    fn text_block(&mut self, kind: &str, block: &Value) -> Option<Value> {
        let Some(text) = block.get("text").and_then(Value::as_str) else {
            return self.mistake(block, "must have a text");
        };
        let length = text.encode_utf16().count() as u64;
        let spans = match block.get("spans") {
            None => json!([]),
            Some(Value::Array(spans)) => {
                self.within("spans", |this| this.items(spans, |this, span| this.span(span, length)))
            }
            Some(other) => return self.mistake(other, "spans must be a list"),
        };
        let mut taken = json!({"type": kind, "text": text, "spans": spans});
        for key in ["direction", "label"] {
            if let Some(text) = block.get(key).filter(|value| value.is_string()) {
                taken[key] = text.clone();
            }
        }
        Some(taken)
    }

    fn span(&mut self, span: &Value, length: u64) -> Option<Value> {
        let place = |key: &str| span.get(key).and_then(Value::as_u64);
        let (Some(start), Some(end)) = (place("start"), place("end")) else {
            return self.mistake(span, "must have start and end");
        };
        if start > end || end > length {
            return self.mistake(&end.into(), "is outside of the text");
        }
        let kind = span.get("type").and_then(Value::as_str).unwrap_or_default();
        let mut taken = json!({"type": kind, "start": start, "end": end});
        let data = span.get("data").unwrap_or(&Value::Null);
        match kind {
            "strong" | "em" | "list-item" => {}
            "label" => match data.get("label").and_then(Value::as_str) {
                Some(label) => taken["data"] = json!({"label": label}),
                None => return self.mistake(span, "must name a label"),
            },
            "hyperlink" => {
                let link = self.within("data", |this| this.link(data))?;
                // A text that links nowhere is plain text.
                link.get("link_type")?;
                taken["data"] = link;
            }
            _ => return self.mistake(&kind.into(), "is no kind of span"),
        }
        Some(taken)
    }

    fn table(&mut self, value: &Value) -> Option<Value> {
        let mut table = json!({});
        for (part, needed) in [("head", false), ("body", true)] {
            match value.get(part).map(|part| part.get("rows")) {
                Some(Some(Value::Array(rows))) => {
                    table[part] = json!({"rows": self.within(part, |this| this.items(rows, Self::row))});
                }
                None if !needed => {}
                _ => return self.mistake(value, "must have a body with rows"),
            }
        }
        Some(table)
    }

    fn row(&mut self, row: &Value) -> Option<Value> {
        let Some(Value::Array(cells)) = row.get("cells") else { return self.mistake(row, "must have cells") };
        let cells = self.items(cells, |this, cell| {
            let content = cell.get("content").unwrap_or(&Value::Null);
            let content = this.within("content", |this| this.rich_text(content))?;
            let kind = cell.get("type").and_then(Value::as_str).filter(|kind| *kind == "header");
            Some(json!({"key": cell.get("key"), "type": kind.unwrap_or("data"), "content": content}))
        });
        Some(json!({"key": row.get("key"), "cells": cells}))
    }

    fn slice(&mut self, choices: &[Choice], slice: &Value) -> Option<Value> {
        let Some(id) = slice.get("slice_type").and_then(Value::as_str) else {
            return self.mistake(slice, "must have a slice_type");
        };
        let choice = choices.iter().find(|choice| choice.id == id)?;
        let mut taken = json!({"slice_type": id});
        let (primary, items) = match &choice.kind {
            ChoiceKind::Shared => {
                let model = self.slices.get(id)?;
                let variation = model.variation(slice.get("variation").and_then(Value::as_str)?)?;
                taken["variation"] = variation.id.as_str().into();
                (variation.primary.clone(), variation.items.clone())
            }
            ChoiceKind::Composite { primary, items } => (primary.clone(), items.clone()),
            ChoiceKind::Legacy(kind) => {
                taken["slice_label"] = slice.get("slice_label").cloned().unwrap_or_default();
                if let Some(value) = slice.get("value")
                    && let Some(value) = self.within("value", |this| this.value(kind, value))
                {
                    taken["value"] = value;
                }
                return Some(taken);
            }
        };
        taken["slice_label"] =
            slice.get("slice_label").filter(|label| label.is_string()).cloned().unwrap_or_default();
        taken["primary"] = match slice.get("primary") {
            Some(Value::Object(members)) => {
                self.within("primary", |this| this.fields(&primary, members)).into()
            }
            None | Some(Value::Null) => json!({}),
            Some(other) => return self.mistake(other, "primary must be an object"),
        };
        taken["items"] = match slice.get("items") {
            None | Some(Value::Null) => json!([]),
            Some(given) => self.within("items", |this| this.group(&items, given))?,
        };
        Some(taken)
    }
}

/// Nothing, or an object of nothing: the official client sends no sides of pictures without any.
fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

fn is_color(value: &Value) -> bool {
    let digits = value.as_str().and_then(|text| text.strip_prefix('#'));
    digits.is_some_and(|digits| {
        matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn is_date(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 10 && parse_millis(text).is_some())
}
