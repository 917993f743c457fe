//! Every kind of field, and in them every shape that real repositories have and nobody would invent.

use prismvault::restore::repository::convert::FindingKind;
use prismvault::restore::repository::order::Step;
use serde_json::{Map, Value, json};

use super::{Outcome, Rehearsal};
use crate::sandbox_writing::{empty, page_type, png};

const A: &str = "AAAAAAAAAAAAAAAA";
const B: &str = "BBBBBBBBBBBBBBBB";

fn field(kind: &str, config: Value) -> Value {
    json!({"type": kind, "config": config})
}

fn fields() -> Value {
    let rich = field("StructuredText", json!({"multi": "paragraph,heading2,image,embed,hyperlink"}));
    let image = field(
        "Image",
        json!({"thumbnails": [
            {"name": "16:9", "width": 16, "height": 9}, {"name": "version", "width": 4}]}),
    );
    let inner = json!({"text": field("Text", json!({})), "link": field("Link", json!({})),
            "inner": field("Group", json!({"fields": {"flag": field("Boolean", json!({"default_value": true}))}}))});
    json!({
        "flag": field("Boolean", json!({})), "set": field("Boolean", json!({"default_value": true})),
        "number": field("Number", json!({})), "text": field("Text", json!({})),
        "choice": field("Select", json!({"options": ["a", "true"]})), "color": field("Color", json!({})),
        "day": field("Date", json!({})), "time": field("Timestamp", json!({})), "rich": rich,
        "image": image, "link": field("Link", json!({})), "page": field("Link", json!({"select": "document"})),
        "links": field("Link", json!({"repeat": true})), "embed": field("Embed", json!({})),
        "place": field("GeoPoint", json!({})), "shop": field("IntegrationFields", json!({"catalog": "c"})),
        "table": field("Table", json!({})), "group": field("Group", json!({"fields": inner})),
        "body": field("Slices", json!({"choices": {
            "shared": {"type": "SharedSlice"},
            "composite": {"type": "Slice", "non-repeat": {"text": field("Text", json!({}))},
                          "repeat": {"link": field("Link", json!({}))}},
            "legacy": rich, "rows": field("Group", json!({"fields": {"text": field("Text", json!({}))}})),
        }})),
    })
}

fn slice() -> Value {
    json!({"id": "shared", "type": "SharedSlice", "name": "S", "variations": [
        {"id": "default", "name": "d", "docURL": "", "version": "initial", "description": "", "imageUrl": "",
         "primary": {"text": field("Text", json!({})), "group": field("Group", json!({"fields": {
            "image": field("Image", json!({}))}}))}, "items": {"link": field("Link", json!({}))}},
    ]})
}

fn image(id: &str, more: Value) -> Value {
    let mut image = json!({
        "id": id, "url": format!("https://images.prismic.io/acme/{id}_p.png?auto=format,compress&rect=1,2,10,9&w=20&h=18"),
        "dimensions": {"width": 20, "height": 18}, "edit": {"x": 2, "y": 4, "zoom": 2, "background": "#fff"},
        "alt": null, "copyright": "c",
    });
    image.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    image
}

fn document(id: &str, more: Value) -> Value {
    let copy = json!({"x": {"link_type": "Document", "id": "not-ours"}});
    json!({"link_type": "Document", "id": id, "type": "page", "tags": [], "lang": "en-us", "slug": "x",
               "isBroken": false, "data": copy, "text": more})
}

fn block(text: &str, spans: Value) -> Value {
    json!({"type": "paragraph", "text": text, "spans": spans})
}

fn span(kind: &str, start: Value, end: Value, data: Value) -> Value {
    json!({"type": kind, "start": start, "end": end, "data": data})
}

fn broken() -> Value {
    json!({"link_type": "Document", "id": "ZZZZZZZZZZZZZZZZ", "type": "broken_type",
            "lang": null, "slug": "-", "tags": [], "isBroken": true})
}

fn old_media() -> Value {
    json!({"link_type": "Media", "name": "p.png", "kind": "image", "size": "12",
            "url": format!("https://acme.cdn.prismic.io/acme%2F{B}_p.png")})
}

fn media() -> Value {
    json!({"link_type": "Media", "id": B, "name": "p.png", "kind": "image", "size": "12",
            "width": "40", "height": null, "url": "https://images.prismic.io/acme/x.png"})
}

fn web() -> Value {
    json!({"link_type": "Web", "url": "https://acme.example/?a=1", "target": "_blank", "text": "t",
            "variant": "v", "key": "9d4f8ad1-33a7-4b91-a3ec-8b5a1d4f8c11"})
}

fn stock() -> Value {
    json!({"id": "S", "url": "https://images.unsplash.com/p?w=3", "dimensions": {"width": 3, "height": 3},
            "edit": {"x": 0, "y": 0, "zoom": 1, "background": "#fff"}, "alt": null, "copyright": null})
}

fn nothing() -> Value {
    json!({"id": null, "url": null, "dimensions": null, "edit": null, "alt": null, "copyright": null})
}

fn d(id: &str) -> Value {
    document(id, Value::Null)
}

/// Values of one piece.
fn scalars() -> Vec<(&'static str, Value)> {
    vec![
        ("flag", json!("true")),
        ("flag", json!(3)),
        ("flag", Value::Null),
        ("set", Value::Null),
        ("set", json!(true)),
        ("number", json!("12.5")),
        ("number", json!("much")),
        ("number", json!(10.0)),
        ("number", json!([])),
        ("text", json!(33199001217_u64)),
        ("text", json!("")),
        ("text", json!(true)),
        ("text", json!({"a": 1})),
        ("choice", json!(true)),
        ("choice", json!("gone")),
        ("choice", json!("a")),
        ("choice", json!(false)),
        ("choice", json!("")),
        ("color", json!("#4a7")),
        ("color", json!("red")),
        ("day", json!("2020-02-30")),
        ("day", json!("2020-02-29")),
        ("day", json!("2020-02-03T12:13:14+0000")),
        ("time", json!("2020-02-03")),
        ("time", json!("2020-02-03T12:13:14+0100")),
        ("time", json!("2020-02-03T12:13:14+0000")),
        ("time", json!(7)),
        ("place", json!({"latitude": "1.5", "longitude": 2})),
        ("place", json!({"latitude": null, "longitude": null})),
        ("place", json!({"latitude": 91, "longitude": 2})),
        ("place", json!({})),
        (
            "embed",
            json!({"embed_url": "https://v.example/1", "type": "video", "version": "1.0", "width": "3"}),
        ),
        ("embed", json!({"embed_url": "javascript:x", "type": "video"})),
        ("embed", json!({})),
        ("embed", json!({"type": "link"})),
        ("shop", json!({"id": 7, "title": "Lamp"})),
        ("shop", json!({"title": "Lamp"})),
        ("shop", json!({})),
        ("unknown", json!("not in the model")),
        ("unknown", Value::Null),
        ("unknown", json!({"link_type": "Any"})),
    ]
}

/// Links of every kind, alone and in lists.
fn links() -> Vec<(&'static str, Value)> {
    vec![
        ("link", json!({"link_type": "Document"})),
        ("link", json!({"link_type": "Any", "text": "t"})),
        ("link", json!({})),
        ("link", web()),
        ("link", broken()),
        ("link", d("nobody0000000000")),
        ("link", d("Y0000000000000Y0")),
        ("link", media()),
        ("link", old_media()),
        ("link", json!([web()])),
        ("link", json!([web(), web()])),
        ("link", json!(5)),
        (
            "link",
            json!({"link_type": "Media", "id": "gone000000000000", "url": "https://images.prismic.io/acme/q.png"}),
        ),
        ("link", json!({"link_type": "Web", "url": "https://images.prismic.io/acme/q.png"})),
        ("link", json!({"link_type": "Document", "id": "Y0000000000000Y0", "target": "_blank", "text": 5})),
        ("page", json!({"link_type": "Document"})),
        ("page", web()),
        ("page", Value::Null),
        ("links", json!([])),
        (
            "links",
            json!([web(), broken(), null, {"link_type": "Document"}, d("Y0000000000000Y0"), old_media(), media()]),
        ),
        ("links", web()),
        ("links", json!(["x", web()])),
        ("links", json!([d("Y0000000000000Y0"), d("nobody0000000000")])),
    ]
}

/// Images and their thumbnails.
fn images() -> Vec<(&'static str, Value)> {
    vec![
        ("image", json!({})),
        ("image", nothing()),
        ("image", image(A, json!({}))),
        ("image", stock()),
        (
            "image",
            image(A, json!({"16:9": image(B, json!({})), "version": {}, "square": image(A, json!({}))})),
        ),
        ("image", image(A, json!({"16:9": nothing(), "version": stock()}))),
        ("image", {
            let mut blank = nothing();
            blank["16:9"] = image(A, json!({}));
            blank
        }),
        ("image", image("gone000000000000", json!({"url": "https://images.prismic.io/acme/q.png"}))),
        (
            "image",
            json!({"url": format!("https://images.prismic.io/acme%2F{A}_p.png?w=2"), "dimensions": {"width": 2, "height": 2},
                "alt": "a", "copyright": null}),
        ),
        (
            "image",
            image(
                A,
                json!({"dimensions": {"width": "20", "height": "18"}, "edit": {"x": "2", "y": 4, "zoom": "2"}}),
            ),
        ),
        ("image", image(A, json!({"edit": {"x": 1}, "dimensions": 5, "alt": 6}))),
        ("image", json!("p.png")),
    ]
}

/// Rich text and tables.
fn texts() -> Vec<(&'static str, Value)> {
    vec![
        ("rich", json!("It was a text once")),
        ("rich", json!([])),
        ("rich", json!(5)),
        ("rich", json!([block("a\u{1f600}b", json!([span("strong", json!(1), json!(3), Value::Null)]))])),
        (
            "rich",
            json!([block(
                "abcdef",
                json!([
                    span("em", json!(3), json!(3), Value::Null),
                    span("em", json!(2), json!(99), Value::Null),
                    span("blink", json!(0), json!(1), Value::Null),
                    span("label", json!(0), json!(1), json!({"label": "l"})),
                    span("label", json!(0), json!(1), Value::Null),
                    span("hyperlink", json!(4), json!(5), web()),
                    span("hyperlink", json!(0), json!(2), d("Y0000000000000Y0")),
                    span("hyperlink", json!(2), json!(3), json!({"link_type": "Any"})),
                    span("hyperlink", json!(3), json!(4), broken()),
                    span("strong", json!("1"), json!(2.0), Value::Null),
                    span("list-item", json!(0), json!(1), Value::Null),
                    5,
                ])
            )]),
        ),
        (
            "rich",
            json!([
                {"type": "image", "id": A, "url": "https://images.prismic.io/acme/x.png", "dimensions": {"width": 40, "height": 30},
                 "edit": {"x": 0, "y": 0, "zoom": 1, "background": "transparent"}, "alt": "a", "copyright": null, "linkTo": old_media()},
                {"type": "image", "url": "https://images.unsplash.com/p", "dimensions": {"width": 3, "height": 3}, "alt": null, "copyright": null},
                {"type": "embed", "oembed": {"embed_url": "https://v.example/2", "type": "rich"}}, {"type": "embed", "oembed": {}},
                {"type": "marquee", "text": "x", "spans": []}, {"type": "heading2", "text": "h", "spans": [], "label": "big", "direction": "rtl"},
                {"type": "paragraph", "text": "no spans"}, {"type": "paragraph", "text": 5, "spans": []}, null,
            ]),
        ),
        ("table", Value::Null),
        ("table", json!({})),
        ("table", json!({"head": {"rows": []}})),
        ("table", json!([1])),
        (
            "table",
            json!({"head": {"rows": [{"key": "k", "cells": [{"key": "c", "type": "header", "content": [block("x", json!([]))]}]}]},
                "body": {"rows": [{"cells": [{"type": "data", "content": []}, {"content": null}, 7]}, {"key": "no cells"}]}}),
        ),
    ]
}

/// Groups and slices.
fn rows() -> Vec<(&'static str, Value)> {
    vec![
        ("group", json!([])),
        ("group", json!([{}])),
        ("group", json!({"text": "x"})),
        ("group", json!([null, {"text": "x", "link": web(), "inner": [{}, {"flag": false}], "stray": 5}])),
        ("body", json!([])),
        (
            "body",
            json!([
                {"id": "shared$1", "slice_type": "shared", "slice_label": null, "variation": "default", "version": "initial",
                 "primary": {"text": 5, "group": [{"image": image(A, json!({}))}, {"image": stock()}]}, "items": [{"link": old_media()}, null]},
                {"id": "shared$2", "slice_type": "shared", "slice_label": "wide", "primary": {"text": "once composite"}},
                {"slice_type": "shared", "variation": "gone", "primary": {}, "items": []},
                {"slice_type": "unknown", "primary": {"text": "x"}, "items": []},
                {"id": "composite$1", "slice_type": "composite", "slice_label": "wide", "primary": {"text": "x"}, "items": [{}]},
                {"slice_type": "composite", "slice_label": null, "primary": null, "items": [{"link": broken()}], "value": "x"},
                {"slice_type": "legacy", "slice_label": "x", "value": [block("legacy", json!([]))]},
                {"type": "Slice", "slice_type": "rows", "slice_label": null, "value": [{"text": "x"}]},
                {"type": "Slice", "slice_type": "legacy", "value": null}, "no slice", {},
            ]),
        ),
    ]
}

/// Shapes by field.
fn shapes() -> Vec<(&'static str, Value)> {
    [scalars(), links(), images(), texts(), rows()].concat()
}

fn page(number: usize, data: Value) -> Value {
    json!({"id": format!("P{number:015}"), "uid": format!("p{number}"), "type": "page", "lang": "en-us", "tags": ["a"],
            "slugs": [], "alternate_languages": [], "data": data})
}

async fn rehearsed(documents: Vec<Value>) -> (Rehearsal, Outcome) {
    let content = empty(&[page_type(fields())], &[slice()]);
    let mut rehearsal = Rehearsal::new(documents, content.root, content.models);
    for id in [A, B] {
        let address = format!("https://images.prismic.io/acme/{id}_p.png");
        rehearsal.upload(id, &address, "p.png", png(40, 30)).await;
    }
    rehearsal.write().await;
    let outcome = rehearsal.read_back().await;
    (rehearsal, outcome)
}

fn target() -> Value {
    let mut target = page(0, json!({"text": "target"}));
    target["id"] = "Y0000000000000Y0".into();
    target
}

/// Each shape is a document, so that one cannot excuse the other.
#[tokio::test]
async fn every_odd_shape_is_taken_and_differs_only_as_found() {
    let mut documents = vec![target()];
    for (number, (name, value)) in shapes().into_iter().enumerate() {
        documents.push(page(number + 1, json!({"text": "x", name: value})));
    }
    let (_, outcome) = rehearsed(documents).await;
    assert!(outcome.defects.is_empty(), "{}", outcome.defects.concat());
    for kind in
        [FindingKind::BrokenLink, FindingKind::StockPhoto, FindingKind::Span, FindingKind::SelectOption]
    {
        assert!(outcome.expected.contains_key(&kind), "{kind:?} {:?}", outcome.expected);
    }
}

/// All shapes at once, in rows and slices and as links to each other.
#[tokio::test]
async fn all_of_them_in_one_document_are_too() {
    let mut all = Map::new();
    for (name, value) in shapes() {
        all.entry(name).or_insert(Value::Null);
        all[name] = value;
    }
    let other = page(
        2,
        json!({"page": document("P000000000000001", Value::Null), "links": [document("P000000000000002", Value::Null)]}),
    );
    let mut one = page(1, all.into());
    one["uid"] = Value::Null;
    one["data"]["page"] = document("P000000000000002", Value::Null);
    let (rehearsal, outcome) = rehearsed(vec![target(), one, other]).await;
    assert!(outcome.defects.is_empty(), "{}", outcome.defects.concat());
    assert_eq!(outcome.expected.get(&FindingKind::UidMade), Some(&1));
    let twice = rehearsal.order.steps.iter().filter(|step| matches!(step, Step::Complete { .. })).count();
    assert_eq!(twice, 1, "{:?}", rehearsal.order.steps);
}
