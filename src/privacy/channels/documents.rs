//! Documents of the Content API: every kind of field, and what stands around them.
//!
//! Shapes are recognised as [`walk`](crate::prismic::walk) does. This is another walk, because it hands
//! out numbers, names, coordinates and the copies in links as well, and tells what belongs together. What has
//! no known shape is handed out string by string.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::prismic::walk::{Pointer, as_image, as_link};
use crate::privacy::passage::Channel;

use super::desk::{Desk, Outcome};
use super::files::html;
use super::{joins, json};

/// Reads a document.
pub(super) fn read(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let value = json::parse(desk, bytes, Channel::KeyText)?;
    let group = desk.group();
    let mut walk = Walk { desk, at: Pointer::default() };
    match &value {
        Value::Object(document) => walk.envelope(document, group),
        other => walk.value(other, Channel::KeyText, group),
    }
}

/// Words of the API in a block of rich text; another word there was typed by somebody.
const BLOCK_WORDS: [&str; 14] = [
    "heading1",
    "heading2",
    "heading3",
    "heading4",
    "heading5",
    "heading6",
    "paragraph",
    "preformatted",
    "list-item",
    "o-list-item",
    "image",
    "embed",
    "ltr",
    "rtl",
];

/// The same for spans.
const SPAN_WORDS: [&str; 5] = ["strong", "em", "hyperlink", "label", "list-item"];

struct Walk<'d, 's> {
    desk: &'d mut Desk<'s>,
    at: Pointer,
}

impl Walk<'_, '_> {
    /// Goes on to a member or element.
    fn at(&mut self, segment: &str, read: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        let before = self.at.push(segment);
        let outcome = read(self);
        self.at.back(before);
        outcome
    }

    fn each(
        &mut self,
        elements: &[Value],
        mut read: impl FnMut(&mut Self, usize, &Value) -> Outcome,
    ) -> Outcome {
        for (index, element) in elements.iter().enumerate() {
            self.at(&index.to_string(), |walk| read(walk, index, element))?;
        }
        Ok(())
    }

    fn text(&mut self, channel: Channel, group: u32, text: &str) -> Outcome {
        self.desk.hand_out(channel, self.at.as_str(), group, text)?;
        // What a reader sees of markup: `<b>Ada</b> Lovelace`.
        match html::visible_text(text) {
            Some(visible) => self.desk.hand_out(channel, self.at.as_str(), group, &visible),
            None => Ok(()),
        }
    }

    fn envelope(&mut self, document: &Map<String, Value>, group: u32) -> Outcome {
        for (key, value) in document {
            self.at(key, |walk| match (key.as_str(), value) {
                ("id", Value::String(id)) => walk.text(Channel::DocumentId, group, id),
                ("data", Value::Object(fields)) => {
                    let group = walk.desk.group();
                    walk.record(fields, Channel::KeyText, group)
                }
                ("alternate_languages" | "linked_documents", Value::Array(others)) => {
                    walk.each(others, |walk, _, other| match other {
                        Value::Object(other) => walk.reference(other, group),
                        other => walk.value(other, Channel::KeyText, group),
                    })
                }
                _ => walk.address(key, value, group),
            })?;
        }
        Ok(())
    }

    /// What a document is known by, its own or that of another: uid, slugs, tags, address.
    fn address(&mut self, key: &str, value: &Value, group: u32) -> Outcome {
        let channel = match key {
            "uid" => Channel::Uid,
            "slug" | "slugs" => Channel::Slug,
            "tags" => Channel::Tag,
            "url" | "href" => Channel::Link,
            _ => return self.value(value, Channel::KeyText, group),
        };
        match value {
            Value::String(text) => self.text(channel, group, text),
            Value::Array(texts) => self.each(texts, |walk, _, text| walk.value(text, channel, group)),
            other => self.value(other, channel, group),
        }
    }

    /// What a document says of another one.
    fn reference(&mut self, other: &Map<String, Value>, group: u32) -> Outcome {
        for (key, value) in other {
            self.at(key, |walk| match (key.as_str(), value) {
                ("id", Value::String(id)) => walk.text(Channel::Relationship, group, id),
                _ => walk.address(key, value, group),
            })?;
        }
        Ok(())
    }

    /// Fields beside each other: a document, a group item, a part of a slice.
    fn record(&mut self, fields: &Map<String, Value>, channel: Channel, group: u32) -> Outcome {
        let is_told = channel == Channel::Integration;
        for (key, value) in fields {
            self.at(key, |walk| {
                if is_told {
                    walk.text(channel, group, key)?;
                }
                walk.value(value, channel, group)
            })?;
        }
        let parts: Vec<_> = fields.values().filter_map(part).collect();
        joins::siblings(self.desk, self.at.as_str(), group, &parts)
    }

    /// A value of any shape. `channel` is that of plain strings here.
    fn value(&mut self, value: &Value, channel: Channel, group: u32) -> Outcome {
        match value {
            Value::String(text) => {
                let dated = channel == Channel::KeyText && json::is_date(text);
                self.text(if dated { Channel::Date } else { channel }, group, text)
            }
            Value::Number(number) => {
                let channel = if channel == Channel::KeyText { Channel::Number } else { channel };
                self.text(channel, group, &number.to_string())
            }
            Value::Array(elements) if is_rich_text(elements) => self.rich_text(elements, channel, group),
            Value::Array(elements) => {
                self.each(elements, |walk, _, element| match element {
                    Value::Object(object) if !has_shape(object) => {
                        let group = walk.desk.group();
                        walk.record(object, channel, group)
                    }
                    element => walk.value(element, channel, group),
                })?;
                let parts: Vec<_> = elements.iter().filter_map(part).collect();
                joins::siblings(self.desk, self.at.as_str(), group, &parts)
            }
            Value::Object(object) => self.object(object, channel, group),
            Value::Null | Value::Bool(_) => Ok(()),
        }
    }

    fn object(&mut self, object: &Map<String, Value>, channel: Channel, group: u32) -> Outcome {
        if as_link(object).is_some() {
            self.link(object, channel, group)
        } else if as_image(object, None).is_some() {
            self.image(object, channel, group)
        } else if is_embed(object) {
            self.embed(object, group)
        } else if object.get("slice_type").is_some_and(Value::is_string) {
            self.slice(object, group)
        } else if let Some(position) = geo_point(object) {
            self.text(Channel::GeoPoint, group, &position)
        } else if is_table(object) {
            self.table(object)
        } else if is_text_block(object) {
            self.block(object, channel, group)
        } else {
            let channel = if channel == Channel::KeyText { Channel::Integration } else { channel };
            self.record(object, channel, group)
        }
    }

    fn link(&mut self, link: &Map<String, Value>, channel: Channel, group: u32) -> Outcome {
        let kind = link.get("link_type").and_then(Value::as_str).unwrap_or_default();
        for (key, value) in link {
            self.at(key, |walk| match (key.as_str(), value) {
                ("link_type", Value::String(_)) => Ok(()),
                ("id", Value::String(id)) => walk.text(Channel::Relationship, group, id),
                ("text" | "name", Value::String(text)) => walk.text(Channel::LinkText, group, text),
                // Of the file; the API writes them as strings.
                ("size" | "width" | "height", number) if kind == "Media" && is_count(number) => Ok(()),
                // A copy of the other document's content is content, too.
                ("data", Value::Object(copy)) if kind == "Document" => {
                    let group = walk.desk.group();
                    walk.record(copy, Channel::KeyText, group)
                }
                ("url", Value::String(url)) if kind == "Media" => walk.file_address(url, group),
                ("uid" | "slug" | "tags" | "url", value) => walk.address(key, value, group),
                (_, value) => walk.value(value, channel, group),
            })?;
        }
        Ok(())
    }

    fn file_address(&mut self, url: &str, group: u32) -> Outcome {
        if let Some(name) = json::file_name_of_url(url) {
            self.text(Channel::AssetFileName, group, &name)?;
        }
        self.text(Channel::Link, group, url)
    }

    fn image(&mut self, image: &Map<String, Value>, channel: Channel, group: u32) -> Outcome {
        for (key, value) in image {
            self.at(key, |walk| match (key.as_str(), value) {
                ("url", Value::String(url)) => walk.file_address(url, group),
                ("alt", Value::String(alt)) => walk.text(Channel::Alt, group, alt),
                ("copyright", Value::String(copyright)) => walk.text(Channel::Copyright, group, copyright),
                ("id", Value::String(id)) => walk.text(Channel::Relationship, group, id),
                ("dimensions" | "edit", Value::Object(numbers)) if is_measure(numbers) => Ok(()),
                ("type", Value::String(kind)) if kind == "image" => Ok(()),
                (_, value) => walk.value(value, channel, group),
            })?;
        }
        Ok(())
    }

    /// All of an embed is what another site said of something.
    fn embed(&mut self, embed: &Map<String, Value>, group: u32) -> Outcome {
        for (key, value) in embed {
            self.at(key, |walk| walk.value(value, Channel::Embed, group))?;
        }
        Ok(())
    }

    fn slice(&mut self, slice: &Map<String, Value>, group: u32) -> Outcome {
        let own = self.desk.group();
        for (key, value) in slice {
            self.at(key, |walk| match (key.as_str(), value) {
                ("primary", Value::Object(fields)) => walk.record(fields, Channel::KeyText, own),
                ("items", Value::Array(items)) => walk.each(items, |walk, _, item| match item {
                    Value::Object(fields) => {
                        let group = walk.desk.group();
                        walk.record(fields, Channel::KeyText, group)
                    }
                    item => walk.value(item, Channel::KeyText, group),
                }),
                (_, value) => walk.value(value, Channel::KeyText, own),
            })?;
        }
        Ok(())
    }

    /// Each row is a group; what stands in neighbouring cells is also read as one text.
    fn table(&mut self, table: &Map<String, Value>) -> Outcome {
        for (key, section) in table {
            self.at(key, |walk| {
                let Some(rows) = section.get("rows").and_then(Value::as_array) else {
                    let group = walk.desk.group();
                    return walk.value(section, Channel::Table, group);
                };
                walk.at("rows", |walk| walk.each(rows, |walk, _, row| walk.row(row)))?;
                let group = walk.desk.group();
                let others = section.as_object().into_iter().flatten().filter(|(key, _)| *key != "rows");
                for (key, value) in others {
                    walk.at(key, |walk| walk.value(value, Channel::Table, group))?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn row(&mut self, row: &Value) -> Outcome {
        let group = self.desk.group();
        let Value::Object(members) = row else { return self.value(row, Channel::Table, group) };
        for (key, value) in members {
            self.at(key, |walk| match (key.as_str(), value) {
                ("cells", Value::Array(cells)) => {
                    walk.each(cells, |walk, _, cell| match cell {
                        Value::Object(members) => walk.members(members, Channel::Table, group),
                        cell => walk.value(cell, Channel::Table, group),
                    })?;
                    let texts: Vec<_> = cells.iter().filter_map(|cell| part(cell.get("content")?)).collect();
                    joins::siblings(walk.desk, walk.at.as_str(), group, &texts)
                }
                (_, value) => walk.value(value, Channel::Table, group),
            })?;
        }
        Ok(())
    }

    /// Members one by one, without reading them as one text.
    fn members(&mut self, members: &Map<String, Value>, channel: Channel, group: u32) -> Outcome {
        for (key, value) in members {
            self.at(key, |walk| walk.value(value, channel, group))?;
        }
        Ok(())
    }

    fn rich_text(&mut self, blocks: &[Value], channel: Channel, group: u32) -> Outcome {
        self.each(blocks, |walk, index, block| {
            walk.value(block, channel, group)?;
            let before = index.checked_sub(1).and_then(|before| text_of(&blocks[before]));
            match (before, text_of(block)) {
                (Some(before), Some(text)) => {
                    joins::over_edge(walk.desk, walk.at.as_str(), group, before, text)
                }
                _ => Ok(()),
            }
        })
    }

    /// One passage for the whole block: formatting does not divide a name.
    fn block(&mut self, block: &Map<String, Value>, channel: Channel, group: u32) -> Outcome {
        let rich = if channel == Channel::Table { Channel::Table } else { Channel::RichText };
        for (key, value) in block {
            self.at(key, |walk| match (key.as_str(), value) {
                ("text", Value::String(text)) => walk.text(rich, group, text),
                ("type" | "direction", Value::String(word)) if BLOCK_WORDS.contains(&word.as_str()) => Ok(()),
                ("spans", Value::Array(spans)) => walk.each(spans, |walk, _, span| match span {
                    Value::Object(span) => walk.span(span, channel, group),
                    span => walk.value(span, channel, group),
                }),
                (_, value) => walk.value(value, channel, group),
            })?;
        }
        Ok(())
    }

    fn span(&mut self, span: &Map<String, Value>, channel: Channel, group: u32) -> Outcome {
        for (key, value) in span {
            self.at(key, |walk| match (key.as_str(), value) {
                ("start" | "end", Value::Number(_)) => Ok(()),
                ("type", Value::String(word)) if SPAN_WORDS.contains(&word.as_str()) => Ok(()),
                // The name of a label: plain text, no data of another program.
                ("data", Value::Object(data)) if !has_shape(data) => walk.members(data, channel, group),
                (_, value) => walk.value(value, channel, group),
            })?;
        }
        Ok(())
    }
}

/// The text of a field that may be one part of a name: a short string, or one short block.
fn part(value: &Value) -> Option<Cow<'_, str>> {
    let text = match value {
        Value::String(text) if !json::is_date(text) => text,
        Value::Array(blocks) if blocks.len() == 1 => {
            blocks[0].as_object().filter(|block| is_text_block(block))?.get("text")?.as_str()?
        }
        _ => return None,
    };
    joins::is_part(text).then_some(Cow::Borrowed(text))
}

/// Whether an object in a list is recognised by its shape; others are items of a group.
fn has_shape(object: &Map<String, Value>) -> bool {
    as_link(object).is_some()
        || as_image(object, None).is_some()
        || is_embed(object)
        || object.get("slice_type").is_some_and(Value::is_string)
        || geo_point(object).is_some()
        || is_table(object)
        || is_text_block(object)
}

fn is_embed(object: &Map<String, Value>) -> bool {
    object.get("embed_url").is_some_and(Value::is_string)
        || object.get("oembed").is_some_and(Value::is_object)
}

fn is_text_block(object: &Map<String, Value>) -> bool {
    object.get("type").is_some_and(Value::is_string)
        && object.get("text").is_some_and(Value::is_string)
        && object.get("spans").is_none_or(Value::is_array)
        && !object.contains_key("link_type")
}

/// Rich text is a list of blocks, of which some have text. The text of a group item's field of this name is
/// told apart by the spans.
fn is_rich_text(elements: &[Value]) -> bool {
    let is_block = |element: &Value| {
        element.as_object().is_some_and(|object| {
            object.get("type").is_some_and(Value::is_string)
                && (is_text_block(object) || is_embed(object) || as_image(object, None).is_some())
        })
    };
    let is_text = |element: &Value| element.get("spans").is_some_and(Value::is_array);
    !elements.is_empty() && elements.iter().all(is_block) && elements.iter().any(is_text)
}

fn is_table(object: &Map<String, Value>) -> bool {
    let has_rows = |key: &str| object.get(key).and_then(|part| part.get("rows")).is_some_and(Value::is_array);
    has_rows("body") || has_rows("head")
}

/// `latitude,longitude` of an object that holds nothing else.
fn geo_point(object: &Map<String, Value>) -> Option<String> {
    let degrees = |key: &str| object.get(key).filter(|value| value.is_number());
    let (latitude, longitude) = (degrees("latitude")?, degrees("longitude")?);
    (object.len() == 2).then(|| format!("{latitude},{longitude}"))
}

/// Numbers and colours of an image, which nobody typed.
fn is_measure(object: &Map<String, Value>) -> bool {
    let is_colour = |value: &Value| {
        value.as_str().is_some_and(|text| text == "transparent" || (text.starts_with('#') && text.len() <= 9))
    };
    object.values().all(|value| value.is_number() || value.is_null() || is_colour(value))
}

/// A number, also as digits in a string.
fn is_count(value: &Value) -> bool {
    match value {
        Value::String(text) => text.bytes().all(|byte| byte.is_ascii_digit()),
        value => value.is_number(),
    }
}

fn text_of(block: &Value) -> Option<&str> {
    block.get("text").and_then(Value::as_str)
}
