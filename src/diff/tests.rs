//! Every kind of field and every odd real shape, one line each; and what holds for all documents.

use serde_json::{Value, json};

use super::*;

mod properties;

const BOUNDS: Bounds = Bounds { changes_max: 1000, matching_max: 1 << 20 };

fn diff_by(old: &Value, new: &Value, models: &Models, identity: &dyn Identity) -> ItemDiff {
    compare_values(old, new, models, identity, BOUNDS).unwrap()
}

fn diff(old: Value, new: Value) -> ItemDiff {
    let document =
        |field: Value| json!({ "id": "A", "type": "page", "lang": "en-us", "data": { "f": field } });
    diff_by(&document(old), &document(new), &Models::default(), &SameIds)
}

/// What is told of a field: path below the field, kind and what happened.
fn told(changes: &[Change]) -> Vec<String> {
    let one = |change: &Change| {
        let path = change.path().strip_prefix("/data/f").unwrap_or(change.path());
        let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
        let kind = word(serde_json::to_value(change.kind).unwrap());
        let what = word(serde_json::to_value(change.what).unwrap());
        format!("{path} {kind} {what}").trim().to_owned()
    };
    changes.iter().map(one).collect()
}

#[track_caller]
fn assert_edits(old: Value, new: Value, expected: &[&str]) {
    let name = format!("{old} → {new}");
    let found = diff(old, new);
    assert_eq!(told(&found.changes), expected, "{name}");
}

/// Differs, and nobody edited it.
#[track_caller]
fn assert_metadata(old: Value, new: Value) {
    let name = format!("{old} → {new}");
    let found = diff(old, new);
    assert_eq!(told(&found.changes), [""; 0], "{name}");
    assert!(!found.metadata.is_empty(), "{name}");
}

fn image(id: &str, crop: &str) -> Value {
    json!({ "id": id, "url": format!("https://images.prismic.io/acme/{id}_a.jpg?auto=format&rect={crop}&w=10&h=10"),
            "dimensions": { "width": 10, "height": 10 }, "alt": null, "copyright": null,
            "edit": { "x": 0, "y": 0, "zoom": 1, "background": "#fff" } })
}

fn document_link(id: &str) -> Value {
    json!({ "link_type": "Document", "id": id, "type": "page", "tags": [], "lang": "en-us", "slug": "a", "isBroken": false })
}

fn paragraph(text: &str) -> Value {
    json!({ "type": "paragraph", "text": text, "spans": [], "direction": "ltr" })
}

fn slice(id: &str, kind: &str, text: &str) -> Value {
    json!({ "id": format!("{kind}${id}"), "slice_type": kind, "slice_label": null, "variation": "default",
            "version": "initial", "primary": { "text": text }, "items": [] })
}

#[test]
fn scalars_change_and_blank_is_blank_however_it_is_written() {
    assert_edits(json!("a"), json!("b"), &["text changed"]);
    assert_edits(json!(true), json!(false), &["boolean changed"]);
    assert_edits(json!(1), json!(2), &["number changed"]);
    assert_edits(json!(null), json!("a"), &["text added"]);
    assert_edits(json!(3), json!(null), &["number removed"]);
    assert_edits(json!(true), json!("x"), &["text changed"]);
    assert_edits(
        json!({ "latitude": 1.5, "longitude": 2 }),
        json!({ "latitude": 1.5, "longitude": 3 }),
        &["geo-point changed"],
    );
    assert_edits(json!({ "sku": "a", "n": 1 }), json!({ "sku": "b", "n": 2 }), &["object changed"]);
    assert_edits(json!([1, 2]), json!([1, 3]), &["list changed"]);
    for (old, new) in [
        (json!(null), json!("")),
        (json!([]), json!([{}])),
        (json!({}), json!(null)),
        (json!({ "link_type": "Any" }), json!({ "link_type": "Document" })),
        (
            json!({}),
            json!({ "id": null, "url": null, "dimensions": null, "edit": null, "alt": null, "copyright": null }),
        ),
        (json!(null), json!(false)),
        (json!(10.0), json!(10)),
        (json!({ "a": 1.0, "b": null }), json!({ "a": 1 })),
        (json!({ "latitude": 1, "longitude": 2.0 }), json!({ "longitude": 2, "latitude": 1.0 })),
    ] {
        assert_metadata(old, new);
    }
    let absent = json!({ "id": "A", "data": {} });
    let blank = json!({ "id": "A", "data": { "new": null } });
    let found = diff_by(&absent, &blank, &Models::default(), &SameIds);
    assert_eq!((found.changes.len(), found.metadata.len(), found.what()), (0, 1, Some(ItemChange::Metadata)));
}

#[test]
fn links_lead_elsewhere_or_look_otherwise_and_copies_of_targets_do_not_count() {
    let web = |url: &str| json!({ "link_type": "Web", "url": url });
    let media = |id: &str| json!({ "link_type": "Media", "id": id, "name": "a.pdf", "kind": "document", "url": "https://x/a.pdf", "size": "12" });
    assert_edits(document_link("D1"), document_link("D2"), &["link link-changed"]);
    assert_edits(web("https://a.example"), web("https://b.example"), &["link link-changed"]);
    assert_edits(web("https://a.example"), document_link("D"), &["link link-changed"]);
    assert_edits(media("A"), media("B"), &["link replaced"]);
    assert_edits(json!({ "link_type": "Any" }), document_link("D"), &["link added"]);
    assert_edits(document_link("D"), json!({ "link_type": "Document" }), &["link removed"]);
    let with = |link: Value, name: &str, value: Value| {
        let mut link = link;
        link[name] = value;
        link
    };
    assert_edits(
        web("https://a.example"),
        with(web("https://a.example"), "target", json!("_blank")),
        &["/target link link-options-changed"],
    );
    assert_edits(
        with(document_link("D"), "text", json!("a")),
        with(document_link("D"), "text", json!("b")),
        &["/text link link-text-changed"],
    );
    assert_edits(
        json!({ "link_type": "Any" }),
        json!({ "link_type": "Any", "text": "soon" }),
        &["link added"],
    );
    assert_edits(
        with(media("A"), "variant", json!("Primary")),
        media("A"),
        &["/variant link link-options-changed"],
    );
    for (name, value) in [
        ("slug", json!("z")),
        ("uid", json!("z")),
        ("tags", json!(["z"])),
        ("last_publication_date", json!("2026-01-01T00:00:00+0000")),
        ("data", json!({ "title": [{ "type": "heading1", "text": "z", "spans": [] }] })),
        ("isBroken", json!(true)),
        ("type", json!("broken_type")),
        ("url", json!("/z")),
        ("key", json!("z")),
    ] {
        assert_metadata(document_link("D"), with(document_link("D"), name, value));
    }
    for (name, value) in [("name", json!("b.pdf")), ("size", json!("13")), ("url", json!("https://x/b.pdf"))]
    {
        assert_metadata(media("A"), with(media("A"), name, value));
    }
    // Very old answers have no id.
    let old_media =
        json!({ "link_type": "Media", "url": "https://x/a.pdf?x=1", "name": "a.pdf", "size": "12" });
    assert_metadata(old_media, media("A"));
    let links = |ids: &[&str]| {
        ids.iter().map(|id| with(document_link(id), "key", json!(format!("k{id}")))).collect::<Value>()
    };
    assert_edits(links(&["A", "B"]), links(&["A", "X", "B"]), &["/1 link added"]);
    assert_edits(links(&["A", "B", "C"]), links(&["C", "A", "B"]), &["/0 link moved"]);
    assert_edits(links(&["A", "B"]), links(&["B"]), &["/0 link removed"]);
}

#[test]
fn an_image_is_replaced_or_cropped_or_described() {
    let with = |name: &str, value: Value| {
        let mut image = image("A", "0,0,1,1");
        image[name] = value;
        image
    };
    let base = || image("A", "0,0,1,1");
    assert_edits(base(), image("B", "0,0,1,1"), &["image replaced"]);
    assert_edits(base(), image("A", "5,5,1,1"), &["image crop-changed"]);
    assert_edits(base(), with("dimensions", json!({ "width": 20, "height": 10 })), &["image crop-changed"]);
    assert_edits(
        base(),
        with("edit", json!({ "x": 1, "y": 0, "zoom": 1, "background": "#fff" })),
        &["image crop-changed"],
    );
    assert_edits(base(), with("alt", json!("a dog")), &["/alt image alt-text-changed"]);
    assert_edits(
        with("copyright", json!("x")),
        with("copyright", json!("y")),
        &["/copyright image copyright-changed"],
    );
    assert_edits(json!({}), base(), &["image added"]);
    assert_metadata(with("alt", json!("")), base());
    assert_metadata(
        base(),
        with("url", json!("https://images.prismic.io/acme%2F2927805a_a.jpg?auto=compress")),
    );
    // Very old answers have neither id nor edit.
    let mut old = base();
    old.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "id" | "edit"));
    assert_metadata(old, base());
    // Thumbnails of any name; one that follows its image is not told of.
    let thumbnailed = |id: &str, crop: &str| {
        let mut image = image(id, "0,0,1,1");
        image["32:15"] = self::image(id, crop);
        image["version"] = self::image(id, "0,0,1,1");
        image
    };
    assert_edits(
        thumbnailed("A", "1,1,1,1"),
        thumbnailed("A", "2,2,1,1"),
        &["/32:15 thumbnail crop-changed"],
    );
    assert_edits(thumbnailed("A", "1,1,1,1"), thumbnailed("B", "2,2,1,1"), &["image replaced"]);
    assert_metadata(base(), thumbnailed("A", "1,1,1,1"));
    // A blank image may still have thumbnails.
    let blank = |id: &str| {
        json!({ "id": null, "url": null, "dimensions": null, "edit": null, "alt": null, "copyright": null,
                "square": image(id, "0,0,1,1") })
    };
    assert_edits(blank("A"), blank("B"), &["/square thumbnail replaced"]);
}

#[test]
fn an_embed_is_another_one_or_only_told_of_otherwise() {
    let embed = |url: &str, title: &str| json!({ "embed_url": url, "type": "video", "html": "<b/>", "title": title, "version": "1.0" });
    assert_edits(embed("https://v/1", "a"), embed("https://v/2", "a"), &["embed changed"]);
    assert_edits(json!({}), embed("https://v/1", "a"), &["embed added"]);
    assert_metadata(embed("https://v/1", "a"), embed("https://v/1", "b"));
}

#[test]
fn rich_text_changes_in_words_marks_and_links() {
    let marked = |text: &str, kind: &str, start: usize, end: usize| json!([{ "type": "paragraph", "text": text, "spans": [{ "type": kind, "start": start, "end": end }] }]);
    let linked = |text: &str, start: usize, end: usize, id: &str| {
        json!([{ "type": "paragraph", "text": text,
                 "spans": [{ "type": "hyperlink", "start": start, "end": end, "data": document_link(id) }] }])
    };
    let title = |text: &str| json!([{ "type": "heading1", "text": text, "spans": [] }]);
    assert_edits(title("A"), title("B"), &["/0/text rich-text text-changed"]);
    assert_edits(title("A"), json!([paragraph("A")]), &["/0 text-block formatting-changed"]);
    assert_edits(
        marked("one two", "strong", 0, 3),
        marked("one two", "em", 0, 3),
        &["/0 text-block formatting-changed"],
    );
    assert_edits(
        marked("one two", "strong", 0, 3),
        marked("one two", "strong", 4, 7),
        &["/0 text-block formatting-changed"],
    );
    // Words were inserted before the mark, which nobody touched.
    assert_edits(
        marked("one two", "strong", 4, 7),
        marked("one and two", "strong", 8, 11),
        &["/0/text rich-text text-changed"],
    );
    assert_edits(
        marked("one two", "strong", 4, 7),
        marked("one and two", "strong", 0, 11),
        &["/0/text rich-text text-changed", "/0 text-block formatting-changed"],
    );
    assert_edits(
        linked("one two", 4, 7, "D1"),
        linked("one two", 4, 7, "D2"),
        &["/0/spans/0/data link link-changed"],
    );
    assert_edits(
        linked("one two", 4, 7, "D1"),
        linked("one 😀 two", 7, 10, "D1"),
        &["/0/text rich-text text-changed"],
    );
    assert_edits(
        linked("one two", 4, 7, "D1"),
        json!([{ "type": "paragraph", "text": "one two", "spans": [] }]),
        &["/0/spans/0/data link link-changed"],
    );
    let with = |name: &str, value: Value| {
        let mut block = paragraph("a");
        block[name] = value;
        json!([block])
    };
    assert_edits(
        with("direction", json!("ltr")),
        with("direction", json!("rtl")),
        &["/0 text-block formatting-changed"],
    );
    assert_edits(
        with("label", json!("a")),
        with("label", json!("b")),
        &["/0/label text-block formatting-changed"],
    );
    let undirected = json!([{ "type": "paragraph", "text": "a", "spans": [] }]);
    assert_metadata(undirected, json!([paragraph("a")]));
    // Spans in another order are the same.
    let spans = |swap: bool| {
        let mut spans = vec![
            json!({ "type": "strong", "start": 0, "end": 1 }),
            json!({ "type": "em", "start": 0, "end": 3 }),
        ];
        if swap {
            spans.swap(0, 1);
        }
        json!([{ "type": "paragraph", "text": "one two", "spans": spans }])
    };
    assert_edits(spans(false), spans(true), &[]);
}

#[test]
fn blocks_of_rich_text_come_go_and_move() {
    let text = |blocks: &[&str]| blocks.iter().map(|text| paragraph(text)).collect::<Value>();
    let (a, b, c) = ("the first one", "the second two", "another third");
    assert_edits(text(&[a, b]), text(&[a, "something new", b]), &["/1 text-block added"]);
    assert_edits(text(&[a, b, c]), text(&[a, c]), &["/1 text-block removed"]);
    assert_edits(text(&[a, b, c]), text(&[b, c, a]), &["/2 text-block moved"]);
    assert_edits(
        text(&[a, b]),
        text(&["what is new", a, "the second 2"]),
        &["/2/text text-block text-changed", "/0 text-block added"],
    );
    let picture = |id: &str| {
        let mut block = image(id, "0,0,1,1");
        block["type"] = json!("image");
        block
    };
    let video = |url: &str| json!({ "type": "embed", "oembed": { "embed_url": url, "type": "video" } });
    assert_edits(
        json!([paragraph(a), picture("A")]),
        json!([paragraph(a), picture("B")]),
        &["/1 image replaced"],
    );
    assert_edits(json!([paragraph(a)]), json!([paragraph(a), picture("B")]), &["/1 image added"]);
    assert_edits(
        json!([video("u1"), paragraph(a)]),
        json!([video("u2"), paragraph(a)]),
        &["/0/oembed embed changed"],
    );
    let mut linking = picture("A");
    linking["linkTo"] = document_link("D1");
    let mut elsewhere = linking.clone();
    elsewhere["linkTo"] = document_link("D2");
    assert_edits(json!([linking.clone()]), json!([elsewhere]), &["/0/linkTo link link-changed"]);
    assert_edits(json!([picture("A")]), json!([linking]), &["/0/linkTo link added"]);
}

#[test]
fn slices_come_go_move_and_change_one_by_one() {
    let zone = |slices: &[(&str, &str, &str)]| {
        slices.iter().map(|(id, kind, text)| slice(id, kind, text)).collect::<Value>()
    };
    let (a, b, c) = (("1", "hero", "one"), ("2", "quote", "two"), ("3", "hero", "three"));
    assert_edits(zone(&[a, b]), zone(&[a, c, b]), &["/1 slice added"]);
    assert_edits(zone(&[a, b, c]), zone(&[a, c]), &["/1 slice removed"]);
    assert_edits(zone(&[a, b, c]), zone(&[c, a, b]), &["/0 slice moved"]);
    assert_edits(zone(&[a, b]), zone(&[a, ("2", "quote", "other")]), &["/1/primary/text text changed"]);
    assert_edits(zone(&[]), zone(&[a]), &["slice-zone added"]);
    // New ids throughout, as after a restore: what says the same is the same.
    let found =
        diff(zone(&[a, b, c]), zone(&[("x", "hero", "one"), ("y", "quote", "two"), ("z", "hero", "three")]));
    assert_eq!((found.changes.len(), found.metadata.len()), (0, 3), "{found:?}");
    let with = |name: &str, value: Value| {
        let mut slice = slice("1", "hero", "one");
        slice[name] = value;
        json!([slice])
    };
    assert_edits(
        with("variation", json!("default")),
        with("variation", json!("wide")),
        &["/0/variation slice variation-changed"],
    );
    assert_edits(
        with("slice_label", json!(null)),
        with("slice_label", json!("dark")),
        &["/0/slice_label text changed"],
    );
    assert_edits(
        with("items", json!([{ "n": 1 }])),
        with("items", json!([{ "n": 1 }, { "n": 2 }])),
        &["/0/items/1 row added"],
    );
    assert_metadata(with("version", json!("initial")), with("version", json!("sktwi1xtmkfgx8626")));
    assert_metadata(with("items", json!([])), with("items", json!([{}])));
    // Composite slices have no variation, legacy ones a value of their own.
    let legacy = |value: Value| json!([{ "slice_type": "text", "slice_label": "wide", "value": value }]);
    assert_edits(legacy(json!("a")), legacy(json!("b")), &["/0/value text changed"]);
    assert_edits(
        legacy(json!([paragraph("a")])),
        legacy(json!([paragraph("b")])),
        &["/0/value/0/text rich-text text-changed"],
    );
    assert_edits(
        legacy(json!([{ "a": "x" }])),
        legacy(json!([{ "a": "y" }])),
        &["/0/value/0/a text changed"],
    );
    let oldest =
        |text: &str| json!([{ "type": "Slice", "slice_type": "t", "slice_label": null, "value": text }]);
    assert_edits(oldest("a"), oldest("b"), &["/0/value text changed"]);
}

#[test]
fn rows_of_groups_and_tables_are_matched() {
    let rows =
        |names: &[&str]| names.iter().map(|name| json!({ "name": name, "role": "x" })).collect::<Value>();
    assert_edits(rows(&["a", "b"]), rows(&["a", "n", "b"]), &["/1 row added"]);
    assert_edits(rows(&["a", "b", "c"]), rows(&["a", "x", "c"]), &["/1/name text changed"]);
    let nested = |text: &str| json!([{ "inner": [{ "t": "same" }, { "t": text }] }]);
    assert_edits(nested("a"), nested("b"), &["/0/inner/1/t text changed"]);
    // A field may be called id, key, type or text.
    let odd = |text: &str| json!([{ "id": "1", "key": "k", "type": "t", "text": text, "link_type": "odd" }]);
    assert_edits(odd("a"), odd("b"), &["/0/text text changed"]);
    let cell = |key: &str, text: &str| json!({ "key": key, "type": "data", "content": [paragraph(text)] });
    let table = |rows: &[(&str, &str)]| {
        let row = |(key, text): &(&str, &str)| json!({ "key": key, "cells": [cell("c1", "fixed"), cell("c2", text)] });
        json!({ "head": { "rows": [] }, "body": { "rows": rows.iter().map(row).collect::<Value>() } })
    };
    assert_edits(
        table(&[("r1", "a"), ("r2", "b")]),
        table(&[("r1", "a"), ("r2", "z")]),
        &["/body/rows/1/cells/1/content/0/text rich-text text-changed"],
    );
    assert_edits(
        table(&[("r1", "a")]),
        table(&[("r0", "n"), ("r1", "a")]),
        &["/body/rows/0 table-row added"],
    );
    assert_edits(json!(null), table(&[("r1", "a")]), &["table added"]);
    let headed = |kind: &str| json!({ "body": { "rows": [{ "key": "r", "cells": [{ "key": "c", "type": kind, "content": [] }] }] } });
    assert_edits(
        headed("data"),
        headed("header"),
        &["/body/rows/0/cells/0/type table-cell formatting-changed"],
    );
}

#[test]
fn members_of_the_document_are_edits_or_metadata() {
    let base = json!({ "id": "A", "uid": "u", "type": "page", "lang": "en-us", "tags": ["a", "b"], "slugs": ["s"],
        "first_publication_date": "x", "last_publication_date": "x", "linked_documents": [],
        "alternate_languages": [{ "id": "B", "lang": "fr-fr" }], "data": {} });
    for (name, value, expected) in [
        ("uid", json!("v"), "/uid uid changed"),
        ("type", json!("post"), "/type type changed"),
        ("lang", json!("fr-fr"), "/lang language changed"),
        ("tags", json!(["a"]), "/tags tags changed"),
        ("tags", json!(["b", "a"]), ""),
        ("slugs", json!(["t"]), ""),
        ("last_publication_date", json!("y"), ""),
        ("alternate_languages", json!([]), ""),
        ("href", json!("https://x/api/v2?ref=y"), ""),
        ("url", json!("/y"), ""),
        ("unheard_of", json!(1), ""),
    ] {
        let mut other = base.clone();
        other[name] = value;
        let found = diff_by(&base, &other, &Models::default(), &SameIds);
        let told = told(&found.changes);
        assert_eq!(told.first().map_or("", String::as_str), expected, "{name}");
        assert_eq!(found.metadata.is_empty(), !expected.is_empty(), "{name}");
    }
}

/// Ids of a restored repository are those of its source with an N before them.
struct Restored;

impl Identity for Restored {
    fn document<'a>(&'a self, old: &'a str) -> &'a str {
        match old {
            "A" => "NA",
            "D" => "ND",
            old => old,
        }
    }

    fn asset<'a>(&'a self, old: &'a str) -> &'a str {
        if old == "I" { "NI" } else { old }
    }
}

#[test]
fn a_restored_document_is_the_same_through_the_map_of_its_ids() {
    let document = |id: &str, linked: &str, asset: &str, slice_id: &str| {
        json!({ "id": id, "type": "page", "lang": "en", "data": {
            "link": document_link(linked), "image": image(asset, "0,0,1,1"),
            "media": { "link_type": "Media", "id": asset, "url": format!("https://x/{asset}.pdf") },
            "text": [paragraph("one"), { "type": "paragraph", "text": "two", "spans": [
                { "type": "hyperlink", "start": 0, "end": 3, "data": document_link(linked) }] }],
            "links": [document_link(linked), document_link("Z")],
            "unknown": { "deep": { "link": document_link(linked) } },
            "body": [slice(slice_id, "hero", "a"), { "slice_type": "old", "value": document_link(linked) }],
        } })
    };
    let (old, new) = (document("A", "D", "I", "1"), document("NA", "ND", "NI", "2"));
    let none = Models::default();
    let found = diff_by(&old, &new, &none, &Restored);
    assert_eq!(told(&found.changes), [""; 0]);
    assert!(!diff_by(&old, &new, &none, &SameIds).changes.is_empty());
    // What the map does not say is another document.
    let wrong = document("NA", "D", "NI", "2");
    assert!(diff_by(&old, &wrong, &none, &Restored).changes.len() >= 4);
}

#[test]
fn models_give_labels_and_kinds() {
    let mut models = Models::default();
    models.add_custom_type(
        br#"{"id":"page","label":"Page","json":{"Main":{
            "when":{"type":"Date","config":{"label":"Day"}},"color":{"type":"Color"},"shop":{"type":"IntegrationFields"},
            "rows":{"type":"Group","config":{"label":"People","fields":{"who":{"type":"Text","config":{"label":"Name"}}}}},
            "body":{"type":"Slices","config":{"label":"Body","choices":{"quote":{"type":"SharedSlice"},
                "old":{"type":"Slice","fieldset":"Old one","non-repeat":{"t":{"type":"Text","config":{"label":"Text"}}},"repeat":{}}}}}}}}"#,
    );
    models.add_slice(br#"{"id":"quote","name":"Quotation","variations":[{"id":"default","primary":{"text":{"type":"Text","config":{"label":"Words"}}}}]}"#);
    let document = |text: &str| {
        json!({ "id": "A", "type": "page", "data": { "when": format!("2020-01-0{}", text.len()), "color": text,
            "shop": { "sku": text }, "rows": [{ "who": text }],
            "body": [slice("1", "quote", text), { "slice_type": "old", "primary": { "t": text }, "items": [] }] } })
    };
    let found = diff_by(&document("a"), &document("bb"), &models, &SameIds);
    let words: Vec<String> = phrases(&found.changes).into_iter().map(|(phrase, _)| phrase).collect();
    assert_eq!(
        words,
        [
            "Day changed",
            "color changed",
            "shop changed",
            "People › 1 › Name changed",
            "Body › slice \"Quotation\" › Words changed",
            "Body › slice \"Old one\" › Text changed"
        ]
    );
    let kinds: Vec<FieldKind> = found.changes.iter().take(3).map(|change| change.kind).collect();
    assert_eq!(kinds, [FieldKind::Date, FieldKind::Color, FieldKind::Integration]);
    assert_eq!(models.type_label("page"), Some("Page"));
}

#[test]
fn changes_are_told_in_words() {
    let words = |old: Value, new: Value| phrases(&diff(old, new).changes);
    let one = |text: &str| vec![(text.to_owned(), 1)];
    let title = |text: &str| json!([{ "type": "heading1", "text": text, "spans": [] }]);
    assert_eq!(words(title("a"), title("b")), one("f changed"));
    assert_eq!(words(image("A", "1"), image("B", "1")), one("f replaced"));
    assert_eq!(words(image("A", "1"), image("A", "2")), one("f: crop changed"));
    assert_eq!(words(document_link("A"), document_link("B")), one("f: link changed"));
    let two = json!([slice("1", "hero", "a"), slice("2", "quote", "b")]);
    assert_eq!(words(json!([slice("1", "hero", "a")]), two.clone()), one("f › slice \"quote\" added"));
    assert_eq!(words(json!([slice("2", "quote", "b"), slice("1", "hero", "a")]), two).len(), 1);
    let text = |a: &str, b: &str| json!([paragraph(a), paragraph(b)]);
    assert_eq!(words(text("a x", "b y"), text("a z", "b w")), [("f: text changed".to_owned(), 2)]);
}

#[test]
fn models_are_compared_field_by_field() {
    let model =
        |fields: Value| json!({ "id": "page", "label": "Page", "status": true, "json": fields }).to_string();
    let text = |label: &str| json!({ "type": "Text", "config": { "label": label } });
    let compare = |old: Value, new: Value| {
        let found = compare_models(model(old).as_bytes(), model(new).as_bytes(), BOUNDS).unwrap();
        let words: Vec<String> = phrases(&found.changes).into_iter().map(|(phrase, _)| phrase).collect();
        words
    };
    let base = || json!({ "Main": { "title": text("Title") } });
    assert_eq!(compare(base(), base()), [""; 0]);
    assert_eq!(
        compare(base(), json!({ "Main": { "title": text("Title"), "sub": text("Subtitle") } })),
        ["field Subtitle added"]
    );
    assert_eq!(
        compare(json!({ "Main": { "title": text("Title"), "sub": text("Subtitle") } }), base()),
        ["field Subtitle removed"]
    );
    assert_eq!(
        compare(base(), json!({ "Main": { "title": text("Headline") } })),
        ["field Headline: settings changed"]
    );
    assert_eq!(
        compare(base(), json!({ "Main": {}, "SEO": { "title": text("Title") } })),
        ["field title moved"]
    );
    let group = |inner: Value| json!({ "Main": { "rows": { "type": "Group", "config": { "label": "Rows", "fields": inner } } } });
    assert_eq!(compare(group(json!({})), group(json!({ "who": text("Who") }))), ["field Rows › Who added"]);
    let slice = |variations: Value| {
        json!({ "id": "s", "type": "SharedSlice", "name": "S", "variations": variations }).to_string()
    };
    let default =
        |image: &str, primary: Value| json!({ "id": "default", "imageUrl": image, "primary": primary });
    let old = slice(json!([default("a", json!({}))]));
    let only_image = slice(json!([default("b", json!({}))]));
    let found = compare_models(old.as_bytes(), only_image.as_bytes(), BOUNDS).unwrap();
    assert_eq!(found.what(), Some(ItemChange::Metadata));
    let new = slice(json!([default("a", json!({ "t": text("T") })), { "id": "wide" }]));
    let found = compare_models(old.as_bytes(), new.as_bytes(), BOUNDS).unwrap();
    let words: Vec<String> = phrases(&found.changes).into_iter().map(|(phrase, _)| phrase).collect();
    assert_eq!(words, ["field default › T added", "variation wide added"]);
    assert!(compare_models(b"[]", b"{}", BOUNDS).is_err() && compare_models(b"{}", b"\xff", BOUNDS).is_err());
}

#[test]
fn assets_tell_edits_from_what_the_library_counts() {
    let compare = |old: Value, new: Value| {
        let found = compare_assets(old.to_string().as_bytes(), new.to_string().as_bytes(), BOUNDS).unwrap();
        (told(&found.changes), found.metadata.len())
    };
    let base = json!({ "id": "A", "filename": "a.jpg", "alt": null, "notes": "x", "last_modified": 1,
                       "tags": [{ "id": "t1", "name": "one", "count": 1 }] });
    let with = |name: &str, value: Value| {
        let mut asset = base.clone();
        asset[name] = value;
        asset
    };
    assert_eq!(
        compare(base.clone(), with("alt", json!("dog"))),
        (vec!["/alt asset alt-text-changed".into()], 0)
    );
    assert_eq!(compare(base.clone(), with("notes", json!("y"))), (vec!["/notes asset changed".into()], 0));
    assert_eq!(compare(base.clone(), with("last_modified", json!(2))), (vec![], 1));
    assert_eq!(
        compare(base.clone(), with("tags", json!([{ "id": "t1", "name": "one", "count": 2 }]))),
        (vec![], 1)
    );
    assert_eq!(compare(base.clone(), with("tags", json!([]))), (vec!["/tags tags changed".into()], 0));
}

#[test]
fn hostile_documents_take_bounded_time_and_memory() {
    let models = Models::default();
    let deep = |n: usize| format!(r#"{{"id":"A","data":{{"f":{}{n}{}}}}}"#, "[".repeat(100), "]".repeat(100));
    let found = compare_documents(deep(1).as_bytes(), deep(2).as_bytes(), &models, &SameIds, BOUNDS).unwrap();
    assert_eq!(found.changes.len(), 1);
    let deeper = format!(r#"{{"data":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(compare_documents(deeper.as_bytes(), deeper.as_bytes(), &models, &SameIds, BOUNDS).is_err());
    // Nothing in common, far more than the budget: linear, and told within the bound.
    let rows = |from: usize| {
        (from..from + 20_000).map(|n| json!({ "n": n, "t": format!("w{n}") })).collect::<Value>()
    };
    let document = |from: usize| json!({ "id": "A", "data": { "f": rows(from), "g": rows(from + 7) } });
    let found = diff_by(&document(0), &document(100_000), &models, &SameIds);
    assert_eq!(found.changes.len(), BOUNDS.changes_max);
    assert!(found.more > 30_000, "{}", found.more);
    // One row more among many is one change all the same.
    let mut more = document(0);
    more["data"]["f"].as_array_mut().unwrap().insert(9_000, json!({ "n": "new" }));
    assert_eq!(diff_by(&document(0), &more, &models, &SameIds).changes.len(), 1);
    // Half of an emoji, and a number beyond every float.
    let odd = br#"{"id":"A","data":{"t":"cut \ud83d here","n":1e999}}"#;
    let plain = br#"{"id":"A","data":{"t":"cut here","n":1}}"#;
    assert!(!compare_documents(odd, plain, &models, &SameIds, BOUNDS).unwrap().is_empty());
    let escaped = diff(json!({ "link_type": "Web", "url": "a" }), json!({ "link_type": "Web", "url": "b" }));
    assert_eq!(escaped.changes[0].path(), "/data/f");
    let slashed =
        diff_by(&json!({ "data": { "a/b~c": 1 } }), &json!({ "data": { "a/b~c": 2 } }), &models, &SameIds);
    assert_eq!(slashed.changes[0].path(), "/data/a~1b~0c");
}
