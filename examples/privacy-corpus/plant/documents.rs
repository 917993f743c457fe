//! Places in documents of the Content API.

use prismvault::privacy::passage::Channel as C;
use serde_json::{Value, json};

use super::{DOCUMENT, Place, Planted, Takes, document, percent, plain, split};

/// A document with these fields; `edit` may change what stands around them.
fn with(data: Value, edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut document = json!({
        "id": "ZplantedAACwAIxx", "uid": "a-page", "type": "page", "lang": "en-us", "tags": [], "slugs": ["a-page"],
        "first_publication_date": "2020-02-29T23:59:59+0000", "last_publication_date": "2024-01-01T00:00:00+0000",
        "linked_documents": [], "alternate_languages": [], "data": data,
    });
    edit(&mut document);
    document.to_string().into_bytes()
}

fn of(data: Value) -> Vec<u8> {
    with(data, |_| ())
}

fn paragraph(text: &str) -> Value {
    json!({"type": "paragraph", "text": text, "spans": [], "direction": "ltr"})
}

fn link() -> Value {
    json!({"link_type": "Document", "id": "ZotherAAACwAIzzz", "type": "author", "tags": [], "lang": "en-us",
           "slug": "other", "isBroken": false, "first_publication_date": "2020-02-29T23:59:59+0000"})
}

/// A link to a document with one member more.
fn link_with(member: &str, value: Value) -> Value {
    let mut link = link();
    link[member] = value;
    link
}

fn image() -> Value {
    json!({"id": "ZimageAAACwAIzzz", "url": "https://images.prismic.io/acme/ZimageAAACwAIzzz_a.jpg?auto=format",
           "dimensions": {"width": 10, "height": 10}, "edit": {"x": 0, "y": 0, "zoom": 1, "background": "transparent"},
           "alt": null, "copyright": null})
}

fn image_with(member: &str, value: Value) -> Value {
    let mut image = image();
    image[member] = value;
    image
}

fn embed_with(member: &str, value: &str) -> Value {
    let mut embed = json!({"embed_url": "https://video.example/1", "type": "video", "version": "1.0", "width": 1,
                           "html": null, "title": null, "author_name": null});
    embed[member] = value.into();
    embed
}

/// A shared slice.
fn slice(primary: Value, items: Value) -> Value {
    json!([{"id": "hero$1b2c", "slice_type": "hero", "slice_label": null, "variation": "default", "version": "initial",
            "primary": primary, "items": items}])
}

fn table(cells: &[&str]) -> Value {
    let cells: Vec<_> =
        cells.iter().map(|text| json!({"key": "c", "type": "data", "content": [paragraph(text)]})).collect();
    json!({"head": {"rows": []}, "body": {"rows": [{"key": "r", "cells": cells}]}})
}

fn as_given(data: Value, text: &str) -> Planted {
    plain(of(data), text)
}

/// Two parts, which are to be read as one text.
fn in_two(text: &str, data: impl FnOnce(&str, &str) -> Value) -> Planted {
    let (first, last) = split(text);
    plain(of(data(first, last)), &format!("{first} {last}"))
}

pub(super) const PLACES: &[Place] = &[
    document("document.rich_text", C::RichText, Takes::Text, |t| {
        as_given(json!({"body": [paragraph("Before."), paragraph(&format!("By {t}, staff"))]}), t)
    }),
    document("document.rich_text_spans", C::RichText, Takes::Words, |t| {
        let cut = split(t).0.encode_utf16().count();
        let spans =
            json!([{"type": "strong", "start": 0, "end": cut}, {"type": "em", "start": 1, "end": cut + 2}]);
        as_given(json!({"body": [{"type": "paragraph", "text": t, "spans": spans}]}), t)
    }),
    document("document.preformatted", C::RichText, Takes::Text, |t| {
        as_given(json!({"code": [{"type": "preformatted", "text": t, "spans": []}]}), t)
    }),
    document("document.title", C::RichText, Takes::Text, |t| {
        as_given(json!({"title": [{"type": "heading1", "text": t, "spans": []}]}), t)
    }),
    document("document.key_text", C::KeyText, Takes::Text, |t| as_given(json!({"name": t}), t)),
    document("document.html_in_text", C::KeyText, Takes::Words, |t| {
        in_two(t, |first, last| json!({"markup": format!("<p><b>{first}</b> {last}</p>")}))
    }),
    document("document.two_fields", C::Joined, Takes::Words, |t| {
        in_two(t, |first, last| json!({"first_name": first, "last_name": last}))
    }),
    document("document.two_fields_apart", C::Joined, Takes::Words, |t| {
        in_two(
            t,
            |first, last| json!({"first_name": first, "role": "Editor", "last_name": [{"type": "heading2", "text": last, "spans": []}]}),
        )
    }),
    document("document.two_blocks", C::Joined, Takes::Words, |t| {
        in_two(
            t,
            |first, last| json!({"body": [paragraph(&format!("Written by {first}")), paragraph(&format!("{last} of this house"))]}),
        )
    }),
    document("document.two_cells", C::Joined, Takes::Words, |t| {
        in_two(t, |first, last| json!({"staff": table(&["1", first, last])}))
    }),
    document("document.number", C::Number, Takes::Digits, |t| {
        as_given(json!({"phone": t.parse::<u64>().expect("digits")}), t)
    }),
    document("document.date", C::Date, Takes::Day, |t| as_given(json!({"born": t}), t)),
    document("document.timestamp", C::Date, Takes::Day, |t| {
        as_given(json!({"born": format!("{t}T10:00:00+0000")}), t)
    }),
    document("document.geo_point", C::GeoPoint, Takes::Position, |t| {
        let (latitude, longitude) = t.split_once(',').expect("two numbers");
        let number = |text: &str| text.parse::<f64>().expect("a number");
        as_given(json!({"home": {"latitude": number(latitude), "longitude": number(longitude)}}), t)
    }),
    document("document.link", C::Link, Takes::Text, |t| {
        let surface = percent(t);
        let bytes = of(
            json!({"site": {"link_type": "Web", "url": format!("https://people.example/?q={surface}"), "target": "_blank"}}),
        );
        Planted { bytes, surface }
    }),
    document("document.mailto_in_text", C::Link, Takes::Text, |t| {
        let surface = percent(t);
        let span = json!({"type": "hyperlink", "start": 0, "end": 3, "data": {"link_type": "Web", "url": format!("mailto:{surface}")}});
        let bytes = of(json!({"body": [{"type": "paragraph", "text": "us", "spans": [span]}]}));
        Planted { bytes, surface }
    }),
    document("document.link_text", C::LinkText, Takes::Text, |t| {
        as_given(json!({"site": {"link_type": "Web", "url": "https://a.example", "text": t}}), t)
    }),
    document("document.media_name", C::LinkText, Takes::Text, |t| {
        as_given(
            json!({"cv": {"link_type": "Media", "id": "ZfileAAAACwAIzzz", "name": t, "kind": "document", "url": "https://acme.cdn.prismic.io/acme/ZfileAAAACwAIzzz_a.pdf", "size": "627291"}}),
            t,
        )
    }),
    document("document.media_address", C::AssetFileName, Takes::Text, |t| {
        let url = format!(
            "https://acme.cdn.prismic.io/acme%2F2927805a-0000-4000-8000-000000000000_{}.pdf",
            percent(t)
        );
        as_given(json!({"cv": {"link_type": "Media", "url": url}}), t)
    }),
    document("document.image_address", C::AssetFileName, Takes::Text, |t| {
        let url = format!("https://images.prismic.io/acme/ZimageAAACwAIzzz_{}.jpg?auto=format", percent(t));
        as_given(json!({"photo": image_with("url", url.into())}), t)
    }),
    document("document.relationship", C::Relationship, Takes::Text, |t| {
        as_given(json!({"author": link_with("id", t.into())}), t)
    }),
    document("document.link_uid", C::Uid, Takes::Text, |t| {
        as_given(json!({"author": link_with("uid", t.into())}), t)
    }),
    document("document.link_slug", C::Slug, Takes::Text, |t| {
        as_given(json!({"author": link_with("slug", t.into())}), t)
    }),
    document("document.link_tag", C::Tag, Takes::Text, |t| {
        as_given(json!({"author": link_with("tags", json!(["x", t]))}), t)
    }),
    document("document.link_address", C::Link, Takes::Text, |t| {
        as_given(json!({"author": link_with("url", format!("/people/{t}").into())}), t)
    }),
    document("document.embedded_data", C::KeyText, Takes::Text, |t| {
        as_given(json!({"author": link_with("data", json!({"name": t}))}), t)
    }),
    document("document.embedded_joined", C::Joined, Takes::Words, |t| {
        in_two(
            t,
            |first, last| json!({"author": link_with("data", json!({"first_name": first, "last_name": last}))}),
        )
    }),
    document("document.repeated_links", C::LinkText, Takes::Text, |t| {
        as_given(
            json!({"links": [{"link_type": "Any"}, {"link_type": "Web", "url": "https://a.example", "text": t, "key": "k"}]}),
            t,
        )
    }),
    document("document.embed_author", C::Embed, Takes::Text, |t| {
        as_given(json!({"video": embed_with("author_name", t)}), t)
    }),
    document("document.embed_markup", C::Embed, Takes::Words, |t| {
        in_two(
            t,
            |first, last| json!({"video": embed_with("html", &format!("<blockquote>{first} <i>{last}</i></blockquote>"))}),
        )
    }),
    document("document.embed_in_text", C::Embed, Takes::Text, |t| {
        as_given(json!({"body": [paragraph("x"), {"type": "embed", "oembed": embed_with("title", t)}]}), t)
    }),
    document("document.integration", C::Integration, Takes::Text, |t| {
        as_given(json!({"shop": {"id": 7, "seller": {"name": t}}}), t)
    }),
    document("document.alt", C::Alt, Takes::Text, |t| {
        as_given(json!({"photo": image_with("alt", t.into())}), t)
    }),
    document("document.copyright", C::Copyright, Takes::Text, |t| {
        as_given(json!({"photo": image_with("copyright", t.into())}), t)
    }),
    document("document.thumbnail_alt", C::Alt, Takes::Text, |t| {
        as_given(json!({"photo": image_with("32:15", image_with("alt", t.into()))}), t)
    }),
    document("document.image_in_text", C::Alt, Takes::Text, |t| {
        let mut block = image_with("alt", t.into());
        block["type"] = "image".into();
        as_given(json!({"body": [paragraph("x"), block]}), t)
    }),
    document("document.table", C::Table, Takes::Text, |t| as_given(json!({"staff": table(&["1", t])}), t)),
    document("document.group", C::KeyText, Takes::Text, |t| {
        as_given(json!({"people": [{}, {"name": t}]}), t)
    }),
    document("document.nested_group", C::KeyText, Takes::Text, |t| {
        as_given(json!({"teams": [{"people": [{"name": t}]}]}), t)
    }),
    document("document.group_joined", C::Joined, Takes::Words, |t| {
        in_two(t, |first, last| json!({"people": [{"given": first, "family": last}]}))
    }),
    document("document.slice_primary", C::RichText, Takes::Text, |t| {
        as_given(json!({"body": slice(json!({"quote": [paragraph(t)]}), json!([]))}), t)
    }),
    document("document.slice_item", C::KeyText, Takes::Text, |t| {
        as_given(json!({"body": slice(json!({}), json!([{"who": t}]))}), t)
    }),
    document("document.slice_joined", C::Joined, Takes::Words, |t| {
        in_two(t, |first, last| json!({"body": slice(json!({}), json!([{"first": first, "last": last}]))}))
    }),
    document("document.old_slice", C::KeyText, Takes::Text, |t| {
        as_given(json!({"body": [{"slice_type": "quote", "slice_label": null, "value": [{"who": t}]}]}), t)
    }),
    document("document.slice_label", C::KeyText, Takes::Text, |t| {
        as_given(json!({"body": [{"slice_type": "quote", "slice_label": t, "value": null}]}), t)
    }),
    document("document.uid", C::Uid, Takes::Text, |t| {
        plain(with(json!({}), |document| document["uid"] = t.into()), t)
    }),
    document("document.old_slug", C::Slug, Takes::Text, |t| {
        plain(with(json!({}), |document| document["slugs"] = json!(["new", t])), t)
    }),
    document("document.tag", C::Tag, Takes::Text, |t| {
        plain(with(json!({}), |document| document["tags"] = json!([t])), t)
    }),
    document("document.id", C::DocumentId, Takes::Text, |t| {
        plain(with(json!({}), |document| document["id"] = t.into()), t)
    }),
    document("document.translation_uid", C::Uid, Takes::Text, |t| {
        let other = json!([{"id": "ZotherAAACwAIzzz", "uid": t, "type": "page", "lang": "fr-fr"}]);
        plain(with(json!({}), |document| document["alternate_languages"] = other), t)
    }),
    Place {
        name: "release.key_text",
        channel: C::KeyText,
        path: "releases/ZreleaseAACwAIzz/documents/en-us/page/ZplantedAACwAIxx.json",
        file_name: None,
        takes: Takes::Text,
        write: |t| as_given(json!({"name": t}), t),
    },
    Place {
        name: "document.unknown_shape",
        channel: C::Integration,
        path: DOCUMENT,
        file_name: None,
        takes: Takes::Text,
        write: |t| as_given(json!({"odd": {"deep": [[{"x": [t]}]]}}), t),
    },
];
