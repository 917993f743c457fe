//! A small repository of which a test says every word.

use std::sync::Arc;

use prismvault::contentapi::{ASSET_HOST, Document};
use prismvault::sandbox::{Changes, Content, Model, Models};
use serde_json::{Value, json};

use super::content;
use crate::backups::Source;

/// An article with a French translation, that others link to.
pub(crate) const HOME: &str = "CraftHome0000001";
/// Its translation.
pub(crate) const FRENCH: &str = "CraftFrench00002";
/// An article that links to it.
pub(crate) const LINKING: &str = "CraftLinking0003";
/// A document without UID.
pub(crate) const NOTE: &str = "CraftNote0000004";

/// A web page that is embedded.
pub(crate) const VIDEO: &str = "https://video.example/watch?v=secretvideo";

/// Two custom types, one with a UID, and a slice.
pub(crate) fn models() -> Models {
    let text = json!({ "type": "Text", "config": {} });
    let main = json!({
        "title": { "type": "StructuredText", "config": { "single": "heading1" } },
        "summary": text,
        "kind": { "type": "Select", "config": { "options": ["news", "story"] } },
        "picture": { "type": "Image", "config": {} },
        "related": { "type": "Link", "config": { "select": "document" } },
        "video": { "type": "Embed", "config": {} },
        "content": { "type": "StructuredText", "config": { "multi": "paragraph,embed,image,hyperlink" } },
        "rows": { "type": "Group", "config": { "fields": { "name": text, "link": { "type": "Link", "config": { "select": "document" } } } } },
        "body": { "type": "Slices", "config": { "choices": { "quote": { "type": "SharedSlice" }, "aside": { "type": "SharedSlice" } } } },
    });
    let model = |id: &str, fields: &Value, has_uid: bool| {
        let mut fields = fields.clone();
        if has_uid {
            fields["uid"] = json!({ "type": "UID", "config": {} });
        }
        let model = json!({ "id": id, "label": id, "repeatable": true, "status": true, "format": "custom", "json": { "Main": fields } });
        Model::parse(&model.to_string()).unwrap()
    };
    let slice = |id: &str| {
        let variation = json!({
            "id": "default", "name": "Default", "docURL": "…", "version": "initial", "description": id,
            "imageUrl": "", "primary": { "text": text }, "items": {},
        });
        let model = json!({ "id": id, "type": "SharedSlice", "name": id, "variations": [variation] });
        Model::parse(&model.to_string()).unwrap()
    };
    Models {
        custom_types: vec![model("article", &main, true), model("note", &main, false)],
        slices: vec![slice("quote"), slice("aside")],
    }
}

/// A document; articles have a UID.
pub(crate) fn document(
    (id, type_, lang): (&str, &str, &str),
    uid: Option<&str>,
    translations: &[(&str, &str)],
    data: &Value,
) -> Arc<Document> {
    let translation = |(id, lang): &(&str, &str)| json!({ "id": id, "type": type_, "lang": lang });
    let text = json!({
        "id": id, "uid": uid, "type": type_, "tags": [], "lang": lang, "slugs": [],
        "first_publication_date": "2024-01-01T00:00:00+0000",
        "last_publication_date": "2024-01-01T00:00:00+0000", "linked_documents": [], "data": data,
        "alternate_languages": translations.iter().map(translation).collect::<Value>(),
    });
    Arc::new(Document::parse(&text.to_string(), &[ASSET_HOST]).unwrap())
}

/// A link to an article.
pub(crate) fn link(id: &str) -> Value {
    json!({ "id": id, "type": "article", "tags": [], "lang": "en-us", "slug": "-", "link_type": "Document", "isBroken": false })
}

/// A slice that holds a text.
pub(crate) fn slice(kind: &str, text: &str) -> Value {
    json!({ "id": format!("{kind}$0"), "slice_type": kind, "slice_label": null, "variation": "default",
            "version": "initial", "primary": { "text": text }, "items": [] })
}

/// Fields of a document in which each text holds `word`.
pub(crate) fn data(word: &str) -> Value {
    json!({
        "title": [{ "type": "heading1", "text": format!("{word} title"), "spans": [] }],
        "summary": format!("{word} summary"),
        "kind": "news",
        "rows": [{ "name": format!("{word} row 0") }, { "name": format!("{word} row 1") }],
        "body": [slice("quote", &format!("{word} quote")), slice("aside", &format!("{word} aside"))],
    })
}

/// The same, with more fields.
pub(crate) fn data_with(word: &str, more: Value) -> Value {
    let mut data = data(word);
    let Value::Object(more) = more else { panic!("fields are an object") };
    more.into_iter().for_each(|(name, value)| data[name] = value);
    data
}

/// A repository with these documents, a media library of eight files, and three languages.
pub(crate) fn content_of(documents: Vec<Arc<Document>>) -> Content {
    let mut content = content(6, 8, 5);
    content.root.types = ["article", "note"].map(|id| (id.to_owned(), id.to_owned())).into();
    Content { documents, releases: Vec::new(), models: models(), ..content }
}

/// The article with its translation, one that links to it, and a note.
pub(crate) fn family() -> Vec<Arc<Document>> {
    vec![
        document((HOME, "article", "en-us"), Some("home"), &[(FRENCH, "fr-fr")], &data("before")),
        document((FRENCH, "article", "fr-fr"), Some("accueil"), &[(HOME, "en-us")], &data("avant")),
        document(
            (LINKING, "article", "en-us"),
            Some("linking"),
            &[],
            &data_with("linking", json!({ "related": link(HOME) })),
        ),
        document((NOTE, "note", "en-us"), None, &[], &data("note")),
    ]
}

/// Publishes documents, as an editor does.
pub(crate) fn put(source: &Source, put: Vec<Arc<Document>>) {
    source.repository.publish(Changes { put, remove: std::collections::HashSet::new() });
}
