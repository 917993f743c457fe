//! Generated content of every kind of field, written through the Migration API, reads back through
//! the Content API as it was, but for ids, addresses, dates and what is fetched again.
//!
//! What is expected is said by [`Value`]s that are generated in pairs: what is sent, and what must
//! come back. Members that the service adds by itself are not looked at.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Writing as _, page, pages, png};

/// What is sent, and what is read back.
type Pair = (Value, Value);

const ASSET: &str = "{asset}";
const DOCUMENT: &str = "{document}";

fn field(kind: &str) -> Value {
    json!({"type": kind, "config": {}})
}

fn text_field() -> Value {
    json!({"type": "StructuredText", "config": {"multi": "paragraph,heading2,strong,em,hyperlink,image,embed,list-item"}})
}

/// Fields that may be anywhere: kind by name.
fn plain_fields() -> Value {
    json!({
        "flag": field("Boolean"), "number": field("Number"), "range": field("Range"), "text": field("Text"),
        "choice": {"type": "Select", "config": {"options": ["a", "b"]}}, "color": field("Color"), "day": field("Date"),
        "time": field("Timestamp"), "rich": text_field(), "image": {"type": "Image", "config": {"thumbnails": [{"name": "32:15", "width": 32, "height": 15}]}},
        "link": field("Link"), "links": {"type": "Link", "config": {"repeat": true}}, "embed": field("Embed"),
        "place": field("GeoPoint"), "shop": field("IntegrationFields"), "table": field("Table"),
    })
}

fn with(mut fields: Value, name: &str, more: Value) -> Value {
    fields[name] = more;
    fields
}

fn group(fields: Value) -> Value {
    json!({"type": "Group", "config": {"fields": fields}})
}

fn model() -> (Value, Value) {
    let nested = with(plain_fields(), "inner", group(plain_fields()));
    let slice = json!({"id": "shared", "type": "SharedSlice", "name": "S", "variations": [
        {"id": "default", "name": "D", "docURL": "", "version": "initial", "description": "",
            "primary": with(plain_fields(), "group", group(plain_fields())), "items": plain_fields()},
    ]});
    let zone = json!({"type": "Slices", "config": {"choices": {
        "shared": {"type": "SharedSlice"},
        "composite": {"type": "Slice", "non-repeat": plain_fields(), "repeat": plain_fields()},
        "legacy": text_field(),
    }}});
    (with(with(plain_fields(), "group", group(nested)), "body", zone), slice)
}

fn same(value: Value) -> Pair {
    (value.clone(), value)
}

fn words() -> impl Strategy<Value = String> {
    "[ a-zé\u{1f600}\"\\\\<&]{0,12}"
}

fn link() -> impl Strategy<Value = Pair> {
    let document = json!({"link_type": "Document", "id": DOCUMENT});
    let broken = json!({"link_type": "Document", "id": "_____broken_____", "isBroken": true});
    prop_oneof![
        words().prop_map(|text| same(json!({"link_type": "Web", "url": format!("https://x.example/{}", text.len()), "target": "_blank", "text": text}))),
        Just((document.clone(), json!({"link_type": "Document", "id": DOCUMENT, "isBroken": false, "type": "page", "uid": "target"}))),
        Just((broken, json!({"link_type": "Document", "isBroken": true, "type": "broken_type"}))),
        Just((json!({"link_type": "Media", "id": ASSET}), json!({"link_type": "Media", "id": ASSET, "name": "a.png", "width": "40"}))),
    ]
}

fn embed() -> impl Strategy<Value = Pair> {
    (0..9_u32).prop_map(|number| {
        let url = format!("https://v.example/{number}");
        (json!({"embed_url": url, "title": "old"}), json!({"embed_url": url, "provider_name": "v.example"}))
    })
}

fn image() -> impl Strategy<Value = Pair> {
    (proptest::option::of(words()), 0..5_i64, any::<bool>()).prop_map(|(alt, x, cut)| {
        let edit = json!({"x": x, "y": 1, "zoom": 2, "background": "#fff"});
        let view = json!({"id": ASSET, "alt": alt, "copyright": null, "edit": edit, "dimensions": {"width": 40, "height": 30}});
        let mut thumbnail = view.clone();
        thumbnail["dimensions"] = json!({"width": 32, "height": 15});
        let (mut sent, mut read) = (view.clone(), view);
        read["32:15"] = json!({"id": ASSET, "dimensions": {"width": 32, "height": 15}});
        if cut {
            sent["32:15"] = thumbnail.clone();
            read["32:15"] = thumbnail;
        }
        (sent, read)
    })
}

/// Text with spans that end where the text does, counted as JavaScript counts.
fn text_block() -> impl Strategy<Value = Pair> {
    (prop::sample::select(vec!["paragraph", "heading2", "list-item"]), words(), link(), 0..4_u32).prop_map(
        |(kind, text, link, spans)| {
            let end = text.encode_utf16().count();
            let all = |link: &Value| {
                let all = vec![
                    json!({"type": "strong", "start": 0, "end": end}),
                    json!({"type": "hyperlink", "start": 0, "end": end, "data": link}),
                    json!({"type": "label", "start": end, "end": end, "data": {"label": "note"}}),
                ];
                all.into_iter().take(spans as usize).collect::<Value>()
            };
            let block =
                |link: &Value| json!({"type": kind, "text": text, "spans": all(link), "direction": "ltr"});
            (block(&link.0), block(&link.1))
        },
    )
}

fn rich_text() -> impl Strategy<Value = Pair> {
    let picture = (image(), link()).prop_map(|(image, link)| {
        let block = |image: &Value, link: &Value| {
            let mut block = image.clone();
            block.as_object_mut().unwrap().shift_remove("32:15");
            block["type"] = "image".into();
            block["linkTo"] = link.clone();
            block
        };
        (block(&image.0, &link.0), block(&image.1, &link.1))
    });
    let embedded = embed().prop_map(|(sent, read)| {
        (json!({"type": "embed", "oembed": sent}), json!({"type": "embed", "oembed": read}))
    });
    list(prop_oneof![4 => text_block(), 1 => picture, 1 => embedded].boxed())
}

fn list(item: BoxedStrategy<Pair>) -> impl Strategy<Value = Pair> {
    prop::collection::vec(item, 0..3).prop_map(|pairs| {
        let (sent, read): (Vec<Value>, Vec<Value>) = pairs.into_iter().unzip();
        (sent.into(), read.into())
    })
}

fn table() -> impl Strategy<Value = Pair> {
    list(rich_text().boxed()).prop_map(|(sent, read)| {
        let rows = |cells: &Value| {
            let cells: Value = cells
                .as_array()
                .unwrap()
                .iter()
                .map(|content| json!({"type": "data", "content": content}))
                .collect();
            json!({"body": {"rows": [{"cells": cells}]}})
        };
        (rows(&sent), rows(&read))
    })
}

/// A value of each of the plain fields, or of some: what is left out comes back in its empty form.
fn plain() -> BoxedStrategy<Pair> {
    let field = |name: &str, empty: Value, value: BoxedStrategy<Pair>| {
        let name = name.to_owned();
        proptest::option::weighted(0.6, value).prop_map(move |pair| {
            let (sent, read) = match pair {
                Some((sent, read)) => (Some(sent), read),
                None => (None, empty.clone()),
            };
            (name.clone(), sent, read)
        })
    };
    let fields: Vec<_> = vec![
        field("flag", json!(false), any::<bool>().prop_map(|flag| same(flag.into())).boxed()).boxed(),
        field(
            "number",
            Value::Null,
            any::<i32>().prop_map(|number| same((f64::from(number) / 8.0).into())).boxed(),
        )
        .boxed(),
        field("range", Value::Null, any::<i32>().prop_map(|number| same(number.into())).boxed()).boxed(),
        field("text", Value::Null, words().prop_map(|text| same(text.into())).boxed()).boxed(),
        field("choice", Value::Null, Just(same("b".into())).boxed()).boxed(),
        field("color", Value::Null, Just(same("#c94949".into())).boxed()).boxed(),
        field("day", Value::Null, Just(same("2020-02-29".into())).boxed()).boxed(),
        field(
            "time",
            Value::Null,
            Just((json!("2020-02-03T12:13:14+0130"), json!("2020-02-03T10:43:14+0000"))).boxed(),
        )
        .boxed(),
        field("rich", json!([]), rich_text().boxed()).boxed(),
        field("image", json!({}), image().boxed()).boxed(),
        field("link", json!({"link_type": "Any"}), link().boxed()).boxed(),
        field("links", json!([]), list(link().boxed()).boxed()).boxed(),
        field("embed", json!({}), embed().boxed()).boxed(),
        field(
            "place",
            json!({}),
            (-90..90_i32)
                .prop_map(|at| same(json!({"latitude": f64::from(at) + 0.5, "longitude": at * 2})))
                .boxed(),
        )
        .boxed(),
        field("shop", Value::Null, Just(same(json!({"id": "item-1"}))).boxed()).boxed(),
        field("table", Value::Null, table().boxed()).boxed(),
    ];
    fields
        .prop_map(|fields| {
            let (mut sent, mut read) = (Map::new(), Map::new());
            for (name, given, expected) in fields {
                sent.extend(given.map(|given| (name.clone(), given)));
                read.insert(name, expected);
            }
            (sent.into(), read.into())
        })
        .boxed()
}

/// Both halves of a pair get a further member.
fn joined(mut pair: Pair, name: &str, more: Pair) -> Pair {
    pair.0[name] = more.0;
    pair.1[name] = more.1;
    pair
}

fn data() -> BoxedStrategy<Pair> {
    let nested = (plain(), list(plain())).prop_map(|(outer, inner)| joined(outer, "inner", inner)).boxed();
    let slice = |kind: &'static str, primary: BoxedStrategy<Pair>| {
        (primary, list(plain())).prop_map(move |(primary, items)| {
            let slice = |primary: &Value, items: &Value| match kind {
                "shared" => {
                    json!({"slice_type": kind, "variation": "default", "primary": primary, "items": items})
                }
                _ => json!({"slice_type": kind, "slice_label": "wide", "primary": primary, "items": items}),
            };
            (slice(&primary.0, &items.0), slice(&primary.1, &items.1))
        })
    };
    let shared = slice(
        "shared",
        (plain(), list(plain())).prop_map(|(primary, inner)| joined(primary, "group", inner)).boxed(),
    );
    let legacy = rich_text().prop_map(|(sent, read)| {
        let slice = |value: Value| json!({"slice_type": "legacy", "slice_label": "x", "value": value});
        (slice(sent), slice(read))
    });
    let zone = list(prop_oneof![shared, slice("composite", plain()), legacy].boxed());
    (plain(), list(nested), zone)
        .prop_map(|(fields, group, zone)| joined(joined(fields, "group", group), "body", zone))
        .boxed()
}

/// Puts ids where they belong.
fn resolved(value: &Value, asset: &str, document: &str) -> Value {
    serde_json::from_str(&value.to_string().replace(ASSET, asset).replace(DOCUMENT, document)).unwrap()
}

/// Says where what was read is not what was expected; what the service adds does not count.
fn difference(expected: &Value, read: &Value, at: &str) -> Option<String> {
    match (expected, read) {
        (Value::Object(expected), Value::Object(read)) => expected.iter().find_map(|(key, value)| {
            difference(value, read.get(key).unwrap_or(&json!("(missing)")), &format!("{at}.{key}"))
        }),
        (Value::Array(expected), Value::Array(read)) if expected.len() == read.len() => {
            (0..).zip(expected.iter().zip(read)).find_map(|(index, (expected, read)): (usize, _)| {
                difference(expected, read, &format!("{at}[{index}]"))
            })
        }
        (Value::Number(expected), Value::Number(read)) if expected.as_f64() == read.as_f64() => None,
        (expected, read) if expected == read => None,
        (expected, read) => Some(format!("{at}: {expected} was sent, {read} came back")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn what_is_written_reads_back_as_it_was(documents in prop::collection::vec(data(), 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found = runtime.block_on(async {
            let (fields, slice) = model();
            let bench = pages(fields, &[slice]);
            let asset = bench.upload("a.png", png(40, 30)).await["id"].as_str().unwrap().to_owned();
            let target = bench.create(&page("target", "en-us", json!({}))).await;
            let mut written = Vec::new();
            for (number, (sent, expected)) in documents.iter().enumerate() {
                let body = page(&format!("p{number}"), "en-us", resolved(sent, &asset, &target));
                written.push((bench.create(&body).await, resolved(expected, &asset, &target)));
            }
            bench.publish().await;
            for (id, expected) in written {
                let read = bench.live(&id).await;
                if let Some(difference) = difference(&expected, &read["data"], "data") {
                    return Some(difference);
                }
                // What was read can be written again: images and links are accepted as they are.
                let again = json!({"data": read["data"]});
                let path = format!("migration-api/documents/{id}");
                let (status, answer) = bench.send(reqwest::Method::PUT, &path, &again).await;
                if !status.is_success() {
                    return Some(answer.to_string());
                }
                bench.publish().await;
                if let Some(difference) = difference(&expected, &bench.live(&id).await["data"], "again") {
                    return Some(difference);
                }
            }
            None
        });
        prop_assert_eq!(found, None);
    }
}
