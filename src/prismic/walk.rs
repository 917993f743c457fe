//! The typed walk over the fields of a document.
//!
//! The Content API sends no types with the values, so a value is recognised by its shape, as the
//! official client does: a link by `link_type`, an image by `url` and `dimensions`, a block of
//! rich text by `type`, `text` and `spans`, an embed by `embed_url` or `oembed`, a slice by
//! `slice_type`. Whoever needs one of these (references, erasure, restore with new ids)
//! implements [`Visitor`] instead of walking again.
//!
//! Invariants:
//! - Everything is descended into, also what was recognised: models let editors name fields
//!   freely, so a group item that happens to look like an embed may still hold links.
//! - One exception: the `data` that the API embeds in a link to a document is a copy of the
//!   *other* document's content and is not this document's own. It is shown as a whole
//!   ([`Visitor::embedded_data`]) and not walked.
//! - Order of visits is the order of the text, so that results are the same every time.
//!
//! It does not check values against models, and it does not know the shapes of API v1.

use serde_json::{Map, Value};

/// Where a value stands: a JSON pointer (RFC 6901) from the document, such as
/// `/data/body/0/primary/link`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pointer(String);

impl Pointer {
    /// Returns the pointer as text; the same text that `Value::pointer` takes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Goes on to a member or an element; returns what [`back`](Self::back) returns to.
    pub(crate) fn push(&mut self, segment: &str) -> usize {
        let before = self.0.len();
        self.0.push('/');
        for c in segment.chars() {
            match c {
                '~' => self.0.push_str("~0"),
                '/' => self.0.push_str("~1"),
                c => self.0.push(c),
            }
        }
        before
    }

    /// Returns to where a [`push`](Self::push) came from.
    pub(crate) fn back(&mut self, before: usize) {
        self.0.truncate(before);
    }
}

/// A link field, a link in rich text, or the link of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Link<'a> {
    /// To a document of the repository.
    Document {
        /// Id of the document.
        id: &'a str,
        /// Whether the API says that there is no such document.
        broken: bool,
        /// The link as it stands.
        object: &'a Map<String, Value>,
    },
    /// To a file of the media library.
    Media {
        /// Id of the asset; absent in very old answers.
        id: Option<&'a str>,
        /// Address of the file.
        url: Option<&'a str>,
        /// File name.
        name: Option<&'a str>,
        /// Bytes of the file. The API sends a string.
        size: Option<u64>,
        /// The link as it stands.
        object: &'a Map<String, Value>,
    },
    /// To any address.
    Web {
        /// The address.
        url: &'a str,
        /// The link as it stands.
        object: &'a Map<String, Value>,
    },
    /// Left blank: `Any`, or one of the other types without target.
    Empty {
        /// The link as it stands.
        object: &'a Map<String, Value>,
    },
}

/// An image field, an image in rich text, or a thumbnail of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Image<'a> {
    /// Id of the asset; absent in very old answers.
    pub id: Option<&'a str>,
    /// Address with its crop; `None` when left blank.
    pub url: Option<&'a str>,
    /// Name of the thumbnail; `None` for the main image.
    pub thumbnail: Option<&'a str>,
    /// The image as it stands, thumbnails included.
    pub object: &'a Map<String, Value>,
}

/// One slice of a slice zone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slice<'a> {
    /// Type of the slice.
    pub slice_type: &'a str,
    /// Variation; only shared slices have one.
    pub variation: Option<&'a str>,
    /// The slice as it stands.
    pub object: &'a Map<String, Value>,
}

/// What a walk tells. Every method does nothing by default.
///
/// A value of a recognised shape is told first, then everything inside of it.
pub trait Visitor {
    /// A link.
    fn link(&mut self, _at: &Pointer, _link: Link<'_>) {}
    /// An image or thumbnail.
    fn image(&mut self, _at: &Pointer, _image: Image<'_>) {}
    /// An embed: the object that has `embed_url`.
    fn embed(&mut self, _at: &Pointer, _embed: &Map<String, Value>) {}
    /// A text block of rich text. Spans count in UTF-16 code units of `text`.
    fn text_block(&mut self, _at: &Pointer, _text: &str, _spans: &[Value]) {}
    /// A slice.
    fn slice(&mut self, _at: &Pointer, _slice: Slice<'_>) {}
    /// Any string that is the document's own, member of a recognised shape or not.
    fn string(&mut self, _at: &Pointer, _text: &str) {}
    /// The copy of another document's content in a link; not walked.
    fn embedded_data(&mut self, _at: &Pointer, _data: &Value) {}
}

/// Walks the fields of a document: what is under its `data`.
pub fn walk_document(document: &Value, visitor: &mut dyn Visitor) {
    if let Some(data) = document.get("data") {
        let mut at = Pointer::default();
        at.push("data");
        walk_value(data, &mut at, visitor);
    }
}

/// Walks one value that stands at `at`: a field, a group, a slice zone, or a whole `data`.
pub fn walk_value(value: &Value, at: &mut Pointer, visitor: &mut dyn Visitor) {
    match value {
        Value::Object(object) => walk_object(object, None, at, visitor),
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                let before = at.push(&index.to_string());
                walk_value(element, at, visitor);
                at.back(before);
            }
        }
        Value::String(text) => visitor.string(at, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn walk_object(
    object: &Map<String, Value>,
    thumbnail: Option<&str>,
    at: &mut Pointer,
    visitor: &mut dyn Visitor,
) {
    let link = as_link(object);
    let image = if link.is_none() { as_image(object, thumbnail) } else { None };
    if let Some(link) = link {
        visitor.link(at, link);
    } else if let Some(image) = image {
        visitor.image(at, image);
    } else if object.get("embed_url").is_some_and(Value::is_string) {
        visitor.embed(at, object);
    } else if let Some(slice_type) = text(object, "slice_type") {
        visitor.slice(at, Slice { slice_type, variation: text(object, "variation"), object });
    } else if let (Some(_), Some(block), Some(Value::Array(spans))) =
        (text(object, "type"), text(object, "text"), object.get("spans"))
    {
        visitor.text_block(at, block, spans);
    }

    let is_document_link = text(object, "link_type") == Some("Document");
    for (key, value) in object {
        let before = at.push(key);
        match value {
            data if is_document_link && key == "data" => visitor.embedded_data(at, data),
            Value::Object(inner) => walk_object(inner, image.map(|_| key.as_str()), at, visitor),
            other => walk_value(other, at, visitor),
        }
        at.back(before);
    }
}

/// Recognises a link by its `link_type`.
pub(crate) fn as_link(object: &Map<String, Value>) -> Option<Link<'_>> {
    let filled = |key| text(object, key).filter(|text| !text.is_empty());
    Some(match text(object, "link_type")? {
        "Document" => match filled("id") {
            Some(id) => Link::Document {
                id,
                broken: object.get("isBroken").and_then(Value::as_bool).unwrap_or(false)
                    || text(object, "type") == Some("broken_type"),
                object,
            },
            None => Link::Empty { object },
        },
        "Media" if filled("id").is_some() || filled("url").is_some() => Link::Media {
            id: filled("id"),
            url: filled("url"),
            name: filled("name"),
            size: object.get("size").and_then(whole_number),
            object,
        },
        "Web" => match filled("url") {
            Some(url) => Link::Web { url, object },
            None => Link::Empty { object },
        },
        "Media" | "Any" => Link::Empty { object },
        // A field that an editor's model happens to call `link_type`.
        _ => return None,
    })
}

/// Recognises an image: `dimensions` beside `url`, or, for one left blank, beside `alt` and
/// `copyright`. An embed also has a `url` at times; what tells it apart is `embed_url`.
pub(crate) fn as_image<'a>(object: &'a Map<String, Value>, thumbnail: Option<&'a str>) -> Option<Image<'a>> {
    let dimensions = object.get("dimensions")?;
    let url = text(object, "url").filter(|url| !url.is_empty());
    let shaped = match url {
        Some(_) => dimensions.is_object(),
        None => object.contains_key("alt") && object.contains_key("copyright"),
    };
    if !shaped || object.contains_key("embed_url") || object.contains_key("oembed") {
        return None;
    }
    let id = text(object, "id").filter(|id| !id.is_empty());
    // An object inside of an image is a thumbnail only if it is an image as well.
    Some(Image { id, url, thumbnail, object })
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

fn whole_number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Writes down every visit in one line.
    #[derive(Default)]
    struct Log(Vec<String>);

    impl Visitor for Log {
        fn link(&mut self, at: &Pointer, link: Link<'_>) {
            let what = match link {
                Link::Document { id, broken, .. } => {
                    format!("document {id}{}", if broken { " broken" } else { "" })
                }
                Link::Media { id, size, name, .. } => format!("media {id:?} {size:?} {name:?}"),
                Link::Web { url, .. } => format!("web {url}"),
                Link::Empty { .. } => "empty".to_owned(),
            };
            self.0.push(format!("{} {what}", at.as_str()));
        }

        fn image(&mut self, at: &Pointer, image: Image<'_>) {
            self.0.push(format!(
                "{} image {:?} {:?} {:?}",
                at.as_str(),
                image.id,
                image.url,
                image.thumbnail
            ));
        }

        fn embed(&mut self, at: &Pointer, embed: &Map<String, Value>) {
            self.0.push(format!("{} embed {}", at.as_str(), embed["embed_url"]));
        }

        fn text_block(&mut self, at: &Pointer, text: &str, spans: &[Value]) {
            self.0.push(format!("{} text {text} {}", at.as_str(), spans.len()));
        }

        fn slice(&mut self, at: &Pointer, slice: Slice<'_>) {
            self.0.push(format!("{} slice {} {:?}", at.as_str(), slice.slice_type, slice.variation));
        }

        fn embedded_data(&mut self, at: &Pointer, _data: &Value) {
            self.0.push(format!("{} embedded", at.as_str()));
        }
    }

    fn visits(data: Value) -> Vec<String> {
        let mut log = Log::default();
        walk_document(&json!({ "id": "x", "data": data, "alternate_languages": [{ "id": "y" }] }), &mut log);
        log.0
    }

    #[test]
    fn links_of_every_kind_are_told_apart() {
        assert_eq!(
            visits(json!({
                "a": { "link_type": "Document", "id": "D1", "type": "page", "isBroken": false,
                       "data": { "inner": { "link_type": "Document", "id": "NOT-OURS" } } },
                "b": { "link_type": "Document", "id": "D2", "type": "broken_type", "isBroken": true, "lang": null },
                "c": { "link_type": "Document" },
                "d": { "link_type": "Any" },
                "e": { "link_type": "Media", "id": "A1", "name": "p.pdf", "kind": "document",
                       "url": "https://x.cdn.prismic.io/x/p.pdf", "size": "627291" },
                "f": { "link_type": "Media", "url": "https://x.cdn.prismic.io/x/p.pdf" },
                "g": { "link_type": "Media" },
                "h": { "link_type": "Web", "url": "https://acme.example" },
                "i": { "link_type": "Web" },
                "j": [{ "link_type": "Web", "url": "https://a.example", "key": "k1" }, { "link_type": "Any" }],
            })),
            [
                "/data/a document D1",
                "/data/a/data embedded",
                "/data/b document D2 broken",
                "/data/c empty",
                "/data/d empty",
                "/data/e media Some(\"A1\") Some(627291) Some(\"p.pdf\")",
                "/data/f media None None None",
                "/data/g empty",
                "/data/h web https://acme.example",
                "/data/i empty",
                "/data/j/0 web https://a.example",
                "/data/j/1 empty",
            ]
        );
    }

    #[test]
    fn images_are_found_with_thumbnails_of_any_name() {
        let image = |id: Value, url: &str| {
            json!({ "id": id, "url": url, "dimensions": { "width": 1, "height": 1 },
                    "edit": { "x": 0, "y": 0, "zoom": 1, "background": "#fff" }, "alt": null, "copyright": null })
        };
        let mut parent = image(json!("I1"), "u1");
        parent["32:15"] = image(json!("I2"), "u2");
        parent["version"] = image(json!("I1"), "u3");
        parent["dimensions~/"] = json!({});
        let mut blank = json!({ "id": null, "url": null, "dimensions": null, "edit": null, "alt": null, "copyright": null });
        blank["square"] = image(json!("I3"), "u4");
        assert_eq!(
            visits(json!({
                "a": parent,
                "b": {},
                "c": blank,
                "old": { "url": "u5", "dimensions": { "width": 1, "height": 1 }, "alt": null, "copyright": null },
                "no": { "url": "u6", "dimensions": "10x10" },
            })),
            [
                "/data/a image Some(\"I1\") Some(\"u1\") None",
                "/data/a/32:15 image Some(\"I2\") Some(\"u2\") Some(\"32:15\")",
                "/data/a/version image Some(\"I1\") Some(\"u3\") Some(\"version\")",
                "/data/c image None None None",
                "/data/c/square image Some(\"I3\") Some(\"u4\") Some(\"square\")",
                "/data/old image None Some(\"u5\") None",
            ]
        );
    }

    #[test]
    fn rich_text_gives_its_spans_images_and_embeds() {
        assert_eq!(
            visits(json!({ "text": [
                { "type": "paragraph", "text": "see this", "spans": [
                    { "type": "strong", "start": 0, "end": 3 },
                    { "type": "hyperlink", "start": 4, "end": 8,
                      "data": { "link_type": "Document", "id": "D1", "data": { "title": "copy" } } },
                    { "type": "label", "start": 0, "end": 3, "data": { "label": "note" } },
                ] },
                { "type": "image", "id": "I1", "url": "u1", "dimensions": { "width": 1, "height": 1 }, "alt": null,
                  "copyright": null, "linkTo": { "link_type": "Media", "id": "A1", "url": "u2" } },
                { "type": "embed", "oembed": { "embed_url": "https://v.example/1", "type": "video", "version": "1.0",
                  "url": "x", "dimensions": {} } },
            ] })),
            [
                "/data/text/0 text see this 3",
                "/data/text/0/spans/1/data document D1",
                "/data/text/0/spans/1/data/data embedded",
                "/data/text/1 image Some(\"I1\") Some(\"u1\") None",
                "/data/text/1/linkTo media Some(\"A1\") None None",
                "/data/text/2/oembed embed \"https://v.example/1\"",
            ]
        );
    }

    #[test]
    fn groups_slices_and_tables_are_descended_into() {
        let link = |id: &str| json!({ "link_type": "Document", "id": id });
        assert_eq!(
            visits(json!({
                "group": [{ "nested": [{ "l": link("G") }] }, {}],
                "body": [
                    { "id": "s$1", "slice_type": "hero", "slice_label": null, "variation": "default", "version": "initial",
                      "primary": { "g": [{ "l": link("S1") }] }, "items": [{ "l": link("S2") }] },
                    { "slice_type": "old", "slice_label": "x", "primary": { "l": link("S3") }, "items": [] },
                    { "slice_type": "legacy", "slice_label": null, "value": [{ "l": link("S4") }] },
                    { "type": "Slice", "slice_type": "oldest", "value": link("S5") },
                ],
                "table": { "head": { "rows": [] }, "body": { "rows": [{ "key": "r", "cells": [
                    { "key": "c", "type": "data", "content": [
                        { "type": "paragraph", "text": "t", "spans": [{ "type": "hyperlink", "start": 0, "end": 1, "data": link("T") }] }
                    ] } ] }] } },
                "video": { "embed_url": "https://v.example/2", "provider": { "l": link("E") } },
                "shop": { "link_type": "shopify", "data": { "l": link("I") } },
            })),
            [
                "/data/group/0/nested/0/l document G",
                "/data/body/0 slice hero Some(\"default\")",
                "/data/body/0/primary/g/0/l document S1",
                "/data/body/0/items/0/l document S2",
                "/data/body/1 slice old None",
                "/data/body/1/primary/l document S3",
                "/data/body/2 slice legacy None",
                "/data/body/2/value/0/l document S4",
                "/data/body/3 slice oldest None",
                "/data/body/3/value document S5",
                "/data/table/body/rows/0/cells/0/content/0 text t 1",
                "/data/table/body/rows/0/cells/0/content/0/spans/0/data document T",
                "/data/video embed \"https://v.example/2\"",
                "/data/video/provider/l document E",
                "/data/shop/data/l document I",
            ]
        );
    }

    #[test]
    fn a_pointer_leads_back_to_the_value() {
        struct Strings<'a>(&'a Value, usize);
        impl Visitor for Strings<'_> {
            fn string(&mut self, at: &Pointer, text: &str) {
                assert_eq!(self.0.pointer(at.as_str()).and_then(Value::as_str), Some(text));
                self.1 += 1;
            }
        }
        let document = json!({ "data": { "a/b": { "c~d": ["x", { "": "y" }] }, "e": "z" } });
        let mut strings = Strings(&document, 0);
        walk_document(&document, &mut strings);
        assert_eq!(strings.1, 3);
    }
}
