//! What people call an item.
//!
//! The title that editors see is in no API. What comes closest is what Prismic makes slugs of: the
//! first heading. It is content, and so never belongs into logs or errors.

use serde_json::{Map, Value};

use super::models::Models;

/// Characters of a title that are kept.
const TITLE_MAX: usize = 200;
/// Fields of one line that are a title where there is no heading.
const NAMES: [&str; 5] = ["title", "name", "headline", "heading", "label"];

/// Returns what people call a document: the field that its model names as title, else its first
/// heading, else a field called title or name, else its UID or slug.
pub fn document_title(document: &Value, models: &Models) -> Option<String> {
    title_of(document.as_object()?, models)
}

/// The same for the members of a document.
pub(crate) fn title_of(document: &Map<String, Value>, models: &Models) -> Option<String> {
    let data = document.get("data").and_then(Value::as_object);
    let type_ = document.get("type").and_then(Value::as_str).unwrap_or_default();
    let by_model = || {
        let fields = models.fields_of(type_)?;
        let is_title = |field: &Value| {
            let config = field.get("config");
            let flag = |name: &str| config.and_then(|config| config.get(name));
            let is_heading = |name: &str| {
                flag(name).and_then(Value::as_str).is_some_and(|kinds| kinds.contains("heading"))
            };
            (flag("useAsTitle").and_then(Value::as_bool) == Some(true), is_heading("single"))
        };
        let named = fields.iter().filter(|(_, field)| is_title(field).0);
        let headings = fields.iter().filter(|(_, field)| is_title(field).1);
        named.chain(headings).find_map(|(name, _)| text_of(data?.get(name)?))
    };
    let by_heading = || data?.values().find_map(heading_of);
    let by_name = || NAMES.iter().find_map(|name| text_of(data?.get(*name)?));
    let by_address = || {
        let slug = document.get("slugs").and_then(|slugs| slugs.get(0)).and_then(Value::as_str);
        let uid = document.get("uid").and_then(Value::as_str);
        uid.or(slug.filter(|slug| *slug != "-")).and_then(tidied)
    };
    by_model().or_else(by_heading).or_else(by_name).or_else(by_address)
}

/// Returns what people call an asset: its file name.
pub fn asset_title(metadata: &Value) -> Option<String> {
    metadata.get("filename").and_then(Value::as_str).and_then(tidied)
}

/// The text of a field of one line, or of the first block of rich text that has one.
pub(crate) fn text_of(field: &Value) -> Option<String> {
    match field {
        Value::String(text) => tidied(text),
        Value::Array(blocks) => {
            blocks.iter().filter_map(|block| block.get("text")?.as_str()).find_map(tidied)
        }
        _ => None,
    }
}

fn heading_of(field: &Value) -> Option<String> {
    let block = field.as_array()?.first()?;
    let is_heading =
        block.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("heading"));
    block.get("text").and_then(Value::as_str).filter(|_| is_heading).and_then(tidied)
}

/// On one line and not too long; `None` when nothing is left.
fn tidied(text: &str) -> Option<String> {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().take(TITLE_MAX));
        if line.chars().count() > TITLE_MAX {
            line = line.chars().take(TITLE_MAX - 1).chain(['…']).collect();
            break;
        }
    }
    Some(line).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_title_is_what_people_see_first() {
        let heading = |text: &str| json!([{ "type": "heading1", "text": text, "spans": [] }]);
        let mut models = Models::default();
        models.add_custom_type(
            br#"{"id":"page","label":"Page","json":{"Main":{
                "kicker":{"type":"StructuredText","config":{"single":"paragraph"}},
                "head":{"type":"StructuredText","config":{"single":"heading1,heading2"}}},
                "SEO":{"meta":{"type":"Text","config":{"useAsTitle":true}}}}}"#,
        );
        let none = Models::default();
        let data = json!({ "meta": "By model", "kicker": heading("First"), "head": heading("Head") });
        let document = json!({ "type": "page", "uid": "u", "slugs": ["s"], "data": data });
        assert_eq!(document_title(&document, &models).as_deref(), Some("By model"));
        assert_eq!(document_title(&document, &none).as_deref(), Some("First"));
        for (document, expected) in [
            (json!({ "type": "page", "data": { "meta": "", "head": heading(" a\n b ") } }), Some("a b")),
            (json!({ "type": "x", "data": { "text": "no", "name": "Anna" } }), Some("Anna")),
            (json!({ "type": "x", "uid": "u", "slugs": ["s"], "data": { "name": "  " } }), Some("u")),
            (json!({ "type": "x", "uid": null, "slugs": ["s"], "data": {} }), Some("s")),
            (json!({ "type": "x", "slugs": ["-"], "data": null }), None),
            (json!([]), None),
        ] {
            assert_eq!(document_title(&document, &models).as_deref(), expected, "{document}");
        }
        let long = document_title(&json!({ "data": { "title": "x ".repeat(1000) } }), &none).unwrap();
        assert!(long.chars().count() <= TITLE_MAX && long.ends_with('…'), "{long}");
    }
}
