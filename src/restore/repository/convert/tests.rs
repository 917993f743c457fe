//! Each kind of field, filled, empty, and as nobody would write it.

use serde_json::{Map, Value, json};
use url::Url;

use super::*;
use crate::prismic::model::Model;

/// `D1` is there, `D2` comes later, others are nowhere; `A1` and `A2` are assets.
#[derive(Default)]
struct Ids(AssetAddresses);

impl NewIds for Ids {
    fn document(&self, old: &str) -> NewId<'_> {
        match old {
            "D1" => NewId::Known("newdocument00001"),
            "D2" => NewId::Pending,
            _ => NewId::Absent,
        }
    }

    fn asset(&self, old: &str) -> Option<NewAsset<'_>> {
        let id = match old {
            "A1" => "newasset00000001",
            "A2" => "newasset00000002",
            _ => return None,
        };
        Some(NewAsset { id, url: "https://images.prismic.io/new/a.png?auto=format" })
    }

    fn asset_at(&self, address: &Url) -> Option<&str> {
        self.0.find(address)
    }
}

fn ids() -> Ids {
    let mut ids = Ids::default();
    ids.0.add(
        "A1",
        Some("https://images.prismic.io/acme/2927805a-18c8-4c5a-9c5c-4fb9ffe1e2d5_a.png?auto=format"),
    );
    ids
}

fn models(fields: Value) -> TargetModels {
    let field = |kind: &str| json!({"type": kind, "config": {}});
    let slice = json!({"id": "hero", "variations": [
        {"id": "default", "primary": {"text": field("Text"), "link": field("Link")}, "items": {"text": field("Text")}},
        {"id": "wide", "primary": {}, "items": {}}]});
    let page = json!({"id": "page", "json": {"Main": {"uid": field("UID"), "f": fields}}});
    let note = json!({"id": "note", "json": {"Main": {"text": field("Text")}}});
    let off = json!({"id": "off", "status": false, "json": {"Main": {}}});
    TargetModels::new([slice, page, note, off].iter().map(|model| Model::parse(model).unwrap()))
}

fn page(value: Value) -> Map<String, Value> {
    let page =
        json!({"id": "P", "type": "page", "lang": "en-us", "uid": "p", "tags": ["a"], "data": {"f": value}});
    page.as_object().unwrap().clone()
}

fn word(kind: FindingKind) -> String {
    serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned()
}

#[track_caller]
fn converted(model: Value, value: Value) -> Converted {
    convert(&page(value), &models(model), &ids()).unwrap()
}

/// What is sent of a field (`null`: nothing), and what is found: `kind place`.
#[track_caller]
fn assert_sent(model: &Value, value: Value, sent: Value, found: &[&str]) {
    let name = format!("{model} {value}");
    let converted = converted(model.clone(), value);
    assert_eq!(converted.data.get("f").cloned().unwrap_or_default(), sent, "{name}");
    let told: Vec<String> = converted
        .findings
        .iter()
        .map(|finding| {
            let at = finding.at.strip_prefix("/data/f").unwrap_or(&finding.at);
            format!("{} {at}", word(finding.kind)).trim().to_owned()
        })
        .collect();
    assert_eq!(told, found, "{name}");
}

fn field(kind: &str) -> Value {
    json!({"type": kind, "config": {}})
}

#[test]
fn values_of_one_piece_are_kept_repaired_or_left_out() {
    let select = json!({"type": "Select", "config": {"options": ["a", "true", "3"]}});
    let lost = &["wrong-kind"][..];
    let repaired = &["repaired"][..];
    for (kind, value, sent, found) in [
        ("Boolean", json!(false), json!(false), &[][..]),
        ("Boolean", json!("true"), json!(true), repaired),
        ("Boolean", json!(1), Value::Null, lost),
        ("Number", json!(10.0), json!(10.0), &[]),
        ("Number", json!(" 12.50 "), json!(12.5), repaired),
        ("Number", json!("1e999"), Value::Null, lost),
        ("Number", json!(""), Value::Null, &[]),
        ("Text", json!("x"), json!("x"), &[]),
        ("Text", json!(""), Value::Null, &[]),
        ("Text", json!(33_199_001_217_u64), json!("33199001217"), repaired),
        ("Text", json!([{"type": "paragraph"}]), Value::Null, lost),
        ("Color", json!("#4a7"), json!("#4a7"), &[]),
        ("Color", json!("#4a70"), Value::Null, lost),
        ("Date", json!("2020-02-29"), json!("2020-02-29"), &[]),
        ("Date", json!("2021-02-29"), Value::Null, lost),
        ("Timestamp", json!("2020-02-03T12:13:14+0000"), json!("2020-02-03T12:13:14+0000"), &[]),
        ("Timestamp", json!("2020-02-03T12:13:14+0100"), json!("2020-02-03T12:13:14+0100"), repaired),
        ("Timestamp", json!("2020-02-03"), json!("2020-02-03T00:00:00+0000"), repaired),
        ("Timestamp", json!("soon"), Value::Null, lost),
        ("GeoPoint", json!({}), Value::Null, &[]),
        (
            "GeoPoint",
            json!({"latitude": 1, "longitude": -2.5, "x": 1}),
            json!({"latitude": 1, "longitude": -2.5}),
            &[],
        ),
        (
            "GeoPoint",
            json!({"latitude": "1", "longitude": 2}),
            json!({"latitude": 1, "longitude": 2}),
            repaired,
        ),
        ("GeoPoint", json!({"latitude": 91, "longitude": 2}), Value::Null, lost),
        (
            "Embed",
            json!({"embed_url": "https://v.example", "html": "x"}),
            json!({"embed_url": "https://v.example"}),
            &["embed"],
        ),
        ("Embed", json!({"embed_url": "javascript:x"}), Value::Null, lost),
        ("Embed", json!({}), Value::Null, &[]),
        ("IntegrationFields", json!({"id": 7, "title": "x"}), json!({"id": 7}), &["integration"]),
        ("IntegrationFields", json!({"title": "x"}), Value::Null, &["integration-without-id"]),
        ("IntegrationFields", Value::Null, Value::Null, &[]),
        ("Separator", json!("x"), Value::Null, &["field-not-in-model"]),
        ("Separator", Value::Null, Value::Null, &[]),
        ("Novelty", json!({"a": 1}), Value::Null, &["field-not-in-model"]),
    ] {
        assert_sent(&field(kind), value, sent, found);
    }
    assert_sent(&select, json!("a"), json!("a"), &[]);
    assert_sent(&select, json!(true), json!("true"), &["repaired"]);
    assert_sent(&select, json!(3), json!("3"), &["repaired"]);
    assert_sent(&select, json!("gone"), Value::Null, &["select-option"]);
    assert_sent(&select, json!(false), Value::Null, &["select-option"]);
}

#[test]
fn links_get_new_ids_and_lose_what_is_not_theirs() {
    let (link, links) = (field("Link"), json!({"type": "Link", "config": {"repeat": true}}));
    let document = |id: &str| {
        json!({"link_type": "Document", "id": id, "type": "page", "lang": "en-us", "isBroken": false,
        "data": {"x": {"link_type": "Document", "id": "D1"}}, "text": "t", "key": "k", "variant": null})
    };
    let broken =
        json!({"link_type": "Document", "id": "_____broken_____", "isBroken": true, "text": "t", "key": "k"});
    assert_sent(
        &link,
        document("D1"),
        json!({"link_type": "Document", "id": "newdocument00001", "text": "t", "key": "k"}),
        &[],
    );
    assert_sent(&link, document("D9"), broken.clone(), &["link-to-absent"]);
    let mut gone = document("D1");
    gone["isBroken"] = true.into();
    assert_sent(&link, gone, broken, &["broken-link"]);
    assert_sent(&link, json!({"link_type": "Document"}), Value::Null, &[]);
    assert_sent(
        &link,
        json!({"link_type": "Any", "text": "t"}),
        json!({"link_type": "Any", "text": "t"}),
        &[],
    );
    assert_sent(
        &link,
        json!({"link_type": "Media", "id": "A1", "size": "5"}),
        json!({"link_type": "Media", "id": "newasset00000001"}),
        &[],
    );
    let by_address = json!({"link_type": "Media", "url": "https://images.prismic.io/acme%2F2927805a-18c8-4c5a-9c5c-4fb9ffe1e2d5_a.png"});
    assert_sent(
        &link,
        by_address,
        json!({"link_type": "Media", "id": "newasset00000001"}),
        &["asset-by-address"],
    );
    assert_sent(&link, json!({"link_type": "Media", "id": "A9"}), Value::Null, &["asset-gone"]);
    let web = json!({"link_type": "Web", "url": "https://a.example", "target": "_blank", "extra": 1});
    let sent = json!({"link_type": "Web", "url": "https://a.example", "target": "_blank"});
    assert_sent(&link, web.clone(), sent.clone(), &[]);
    assert_sent(&link, json!([web]), sent.clone(), &["repaired"]);
    assert_sent(&link, json!({"kind": "web"}), Value::Null, &["wrong-kind"]);
    assert_sent(&links, web.clone(), json!([sent]), &["repaired"]);
    assert_sent(
        &links,
        json!([document("D2"), {"link_type": "Document"}, web, null, "x"]),
        json!([{"link_type": "Any"}, sent]),
        &["repaired /3", "wrong-kind /4"],
    );
    assert_sent(&links, json!([]), Value::Null, &[]);
    let all = json!([document("D1"), document("D2"), document("D9"), {"link_type": "Media", "id": "A2"}]);
    let converted = converted(links, all);
    assert_eq!(converted.links.iter().collect::<Vec<_>>(), ["D1"]);
    assert_eq!(converted.assets.iter().collect::<Vec<_>>(), ["A2"]);
    assert!(converted.is_pending);
    assert_eq!(converted.findings[0].at, "/data/f/2");
    assert_eq!(
        converted.findings[0].sent_at.as_deref(),
        Some("/data/f/1"),
        "the pending one is not there yet"
    );
}

#[test]
fn images_keep_their_crop_in_the_new_address() {
    let model = json!({"type": "Image", "config": {"thumbnails": [{"name": "16:9"}, {"name": "version"}]}});
    let image = json!({"id": "A1", "url": "https://images.prismic.io/acme/A1_a.png?auto=compress&rect=1,2,3,4&w=9&h=9",
        "dimensions": {"width": 9, "height": 9}, "edit": {"x": 1, "y": 2, "zoom": 1.5, "background": "#fff"}, "alt": null, "copyright": "c"});
    let sent = json!({"id": "newasset00000001", "url": "https://images.prismic.io/new/a.png?auto=compress&rect=1,2,3,4&w=9&h=9",
        "alt": null, "copyright": "c", "dimensions": {"width": 9, "height": 9}, "edit": {"x": 1, "y": 2, "zoom": 1.5, "background": "#fff"}});
    assert_sent(&model, image.clone(), sent.clone(), &["crop"]);
    let (mut with, mut expected) = (image.clone(), sent.clone());
    with["16:9"] = image.clone();
    with["16:9"]["id"] = "A2".into();
    with["version"] = json!({});
    with["square"] = image.clone();
    expected["16:9"] = sent.clone();
    expected["16:9"]["id"] = "newasset00000002".into();
    expected["version"] = json!({});
    assert_sent(&model, with, expected, &["crop", "crop /16:9", "field-not-in-model /square"]);
    let nothing =
        json!({"id": null, "url": null, "dimensions": null, "edit": null, "alt": null, "copyright": null});
    assert_sent(&model, nothing.clone(), Value::Null, &[]);
    let mut blank = nothing;
    blank["16:9"] = image.clone();
    assert_sent(&model, blank, Value::Null, &["wrong-kind"]);
    let old = json!({"url": "https://images.prismic.io/acme/2927805a-18c8-4c5a-9c5c-4fb9ffe1e2d5_a.png?auto=format", "dimensions": {"width": 1, "height": 1}});
    let sent = json!({"id": "newasset00000001", "url": "https://images.prismic.io/new/a.png?auto=format", "alt": null, "copyright": null,
        "dimensions": {"width": 1, "height": 1}});
    assert_sent(&model, old, sent, &["asset-by-address"]);
    let mut stock = image.clone();
    (stock["id"], stock["url"]) = ("S".into(), "https://images.unsplash.com/p?w=1".into());
    assert_sent(&model, stock, Value::Null, &["stock-photo"]);
    let mut gone = image;
    gone["id"] = "A9".into();
    assert_sent(&model, gone, Value::Null, &["asset-gone"]);
    let fixed = json!({"type": "Image", "config": {"constraint": {"width": 50}}});
    let plain = json!({"id": "A1", "url": "https://images.prismic.io/acme/A1_a.png", "dimensions": {"width": 9, "height": 9}, "alt": "a", "copyright": null});
    assert_eq!(
        converted(fixed, plain).findings[0].kind,
        FindingKind::Crop,
        "the model makes it another size"
    );
}

#[test]
fn text_keeps_its_marks_by_utf16_units() {
    let model = field("StructuredText");
    let span = |start: Value, end: Value, kind: &str, data: Value| json!({"start": start, "end": end, "type": kind, "data": data});
    let block = |spans: Value| json!([{"type": "paragraph", "text": "a\u{1f600}b", "spans": spans, "direction": "ltr", "label": "l"}]);
    let strong = json!({"type": "strong", "start": 1, "end": 4});
    assert_sent(
        &model,
        block(json!([span(json!(1), json!(4), "strong", Value::Null)])),
        block(json!([strong])),
        &[],
    );
    let bad = json!([
        span(json!(1), json!(5), "em", Value::Null),
        span(json!(2), json!(2), "em", Value::Null),
        span(json!(0), json!(1), "blink", Value::Null),
        span(json!(0), json!(1), "label", json!({})),
        span(json!(0), json!(1), "hyperlink", json!({"link_type": "Any"})),
        span(json!(0), json!(1), "hyperlink", json!({"link_type": "Document", "id": "D2"})),
        span(json!("1"), json!(4.0), "strong", Value::Null),
    ]);
    let found = [
        "span /0/spans/0",
        "span /0/spans/1",
        "span /0/spans/2",
        "span /0/spans/3",
        "span /0/spans/4",
        "repaired /0/spans/6",
    ];
    assert_sent(&model, block(bad), block(json!([strong])), &found);
    let linked =
        span(json!(0), json!(1), "hyperlink", json!({"link_type": "Document", "id": "D1", "slug": "x"}));
    let sent = json!({"type": "hyperlink", "start": 0, "end": 1, "data": {"link_type": "Document", "id": "newdocument00001"}});
    assert_sent(&model, block(json!([linked])), block(json!([sent])), &[]);
    assert_sent(
        &model,
        json!("once a text"),
        json!([{"type": "paragraph", "text": "once a text", "spans": []}]),
        &["repaired"],
    );
    let blocks =
        json!([{"type": "marquee"}, null, {"type": "embed", "oembed": {}}, {"type": "heading1", "text": 5}]);
    let found = ["wrong-kind /0", "wrong-kind /1", "wrong-kind /2", "repaired /3", "repaired /3/spans"];
    assert_sent(&model, blocks, json!([{"type": "heading1", "text": "5", "spans": []}]), &found);
}

#[test]
fn rows_and_slices_are_written_as_their_models_have_them() {
    let group = json!({"type": "Group", "config": {"fields": {"text": field("Text"),
        "inner": {"type": "Group", "config": {"fields": {"flag": {"type": "Boolean", "config": {"default_value": true}}}}}}}});
    assert_sent(
        &group,
        json!([null, {"text": "x", "inner": [{}, {"flag": true}], "stray": 5, "blank": null}]),
        json!([{"text": "x", "inner": [{"flag": false}, {"flag": true}]}]),
        &["wrong-kind /0", "field-not-in-model /1/stray"],
    );
    assert_sent(&group, json!([{}]), Value::Null, &[]);
    assert_sent(&group, json!({"text": "x"}), Value::Null, &["wrong-kind"]);
    let zone = json!({"type": "Slices", "config": {"choices": {"hero": {"type": "SharedSlice"}, "lost": {"type": "SharedSlice"},
        "note": {"type": "Slice", "non-repeat": {"text": field("Text")}, "repeat": {}}, "old": field("Text")}}});
    assert_sent(
        &zone,
        json!([
            {"id": "hero$1", "slice_type": "hero", "slice_label": null, "variation": "default", "version": "initial",
             "primary": {"text": "a", "link": {"link_type": "Document", "id": "D2"}}, "items": [{"text": "b"}]},
            {"slice_type": "hero", "primary": {"text": "no variation"}},
            {"slice_type": "hero", "variation": "gone", "primary": {}},
            {"slice_type": "lost", "variation": "default"},
            {"slice_type": "nobody", "primary": {}},
            {"slice_type": "note", "slice_label": "wide", "primary": {"text": "c"}, "items": [{}], "value": "x"},
            {"type": "Slice", "slice_type": "old", "value": "d"},
        ]),
        json!([
            {"slice_type": "hero", "variation": "default", "primary": {"text": "a"}, "items": [{"text": "b"}]},
            {"slice_type": "hero", "variation": "default", "primary": {"text": "no variation"}, "items": []},
            {"slice_type": "note", "slice_label": "wide", "primary": {"text": "c"}, "items": [{}]},
            {"slice_type": "old", "slice_label": null, "value": "d"},
        ]),
        &[
            "repaired /1/variation",
            "variation-not-in-model /2",
            "slice-not-in-model /3",
            "slice-not-in-model /4",
            "field-not-in-model /5/value",
        ],
    );
    let cell =
        json!({"key": "c", "type": "header", "content": [{"type": "paragraph", "text": "x", "spans": []}]});
    let table = json!({"head": {"rows": [{"key": "r", "cells": [cell]}]}, "body": {"rows": []}});
    assert_sent(&field("Table"), table.clone(), table, &[]);
    assert_sent(
        &field("Table"),
        json!({"head": {"rows": []}}),
        json!({"head": {"rows": []}, "body": {"rows": []}}),
        &[],
    );
    assert_sent(&field("Table"), json!({"rows": []}), Value::Null, &["repaired"]);
}

#[test]
fn members_beside_the_data_are_those_of_the_target() {
    let mut document = page(json!("x"));
    document["data"]["title"] = json!("no field of the model");
    document["data"]["other"] = json!("y");
    let converted_page = |document: &Map<String, Value>| convert(document, &models(field("Text")), &ids());
    let converted = converted_page(&document).unwrap();
    assert_eq!((converted.uid.as_deref(), &converted.tags[..]), (Some("p"), &["a".to_owned()][..]));
    assert_eq!(converted.title, "no field of the model", "what people call it");
    assert_eq!(converted.data.keys().collect::<Vec<_>>(), ["f"]);
    document["uid"] = Value::Null;
    document["data"] = json!({});
    document["tags"] = json!(["a", 5]);
    let converted = converted_page(&document).unwrap();
    assert_eq!((converted.uid.as_deref(), converted.title.as_str()), (Some("p"), "page P"));
    let found: Vec<_> = converted.findings.iter().map(|one| (one.kind, one.at.as_str())).collect();
    assert_eq!(found, [(FindingKind::UidMade, "/uid"), (FindingKind::WrongKind, "/tags/1")]);
    document["type"] = "note".into();
    document["uid"] = "p".into();
    let converted = converted_page(&document).unwrap();
    assert_eq!((converted.uid, converted.findings[0].kind), (None, FindingKind::FieldNotInModel));
    for (name, value, expected) in [
        ("type", json!("gone"), Unconvertible::NoType("gone".to_owned())),
        ("type", json!("off"), Unconvertible::DisabledType("off".to_owned())),
        ("lang", Value::Null, Unconvertible::Without("lang")),
        ("data", json!([]), Unconvertible::Without("data")),
    ] {
        let mut document = page(json!("x"));
        document[name] = value;
        assert_eq!(converted_page(&document), Err(expected));
    }
}

#[test]
fn the_first_title_with_text_is_what_editors_see() {
    let title = json!({"type": "StructuredText", "config": {"single": "heading1,strong"}});
    let converted = converted(title, json!([{"type": "heading1", "text": " A\n title ", "spans": []}]));
    assert_eq!(converted.title, "A title");
}

/// What nobody would write must neither stop a restore nor fill the memory.
#[test]
fn hostile_documents_end_soon_with_bounded_findings() {
    let group = json!({"type": "Group", "config": {"fields": {"text": field("Text")}}});
    let rows: Vec<Value> = (0..100_000).map(|_| json!({"stray": 1})).collect();
    let converted = converted(group, rows.into());
    assert_eq!(converted.findings.len(), 1001);
    assert_eq!(converted.findings[1000].kind, FindingKind::More);
    // Groups in groups, as deep as a parser goes and deeper than any model of Prismic.
    let (mut model, mut value) = (field("Text"), json!("x"));
    for _ in 0..25 {
        model = json!({"type": "Group", "config": {"fields": {"f": model}}});
        value = json!([{"f": value}]);
    }
    let deep = convert(&page(value), &models(model), &ids()).unwrap();
    assert_eq!(deep.findings.iter().map(|one| one.kind).collect::<Vec<_>>(), [FindingKind::WrongKind]);
    // Values deeper than that are not looked into where the model has nothing.
    let mut value = json!(1);
    for _ in 0..100 {
        value = json!([value]);
    }
    let deep = convert(&page(value), &models(field("Text")), &ids()).unwrap();
    assert_eq!(deep.findings.len(), 1);
}
