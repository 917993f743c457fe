use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::prismic::replace::{Edit, within};

const PATH: &str = "documents/en-us/page/A.json";

fn of(pairs: &[(&str, &str)]) -> Vec<Correction> {
    let correction =
        |(wrong, right): &(&str, &str)| Correction { wrong: (*wrong).to_owned(), right: (*right).to_owned() };
    pairs.iter().map(correction).collect()
}

fn now(text: &str, pairs: &[(&str, &str)]) -> (String, Corrected) {
    let done = corrected(PATH, text.as_bytes(), &Bounds::default(), &of(pairs), &|_| false);
    (String::from_utf8(done.bytes.clone()).unwrap(), done)
}

fn document(data: &Value) -> Value {
    json!({ "id": "XA", "uid": "ada", "type": "ada", "slugs": ["ada"], "tags": ["ada"], "lang": "en-us", "data": data })
}

#[test]
fn whole_words_are_corrected_whatever_the_json_writes_them_with() {
    let text = r#"{ "id": "XA",  "data": {"a": "Jos\u00e9 and José, Josés", "b" : 1.0, "c":"JOSÉ"} }"#;
    let (text, done) = now(text, &[("José", "Joseph")]);
    assert_eq!(text, r#"{ "id": "XA",  "data": {"a": "Joseph and Joseph, Josés", "b" : 1.0, "c":"JOSÉ"} }"#);
    assert_eq!((done.places, done.left.len()), (vec!["/data/a".to_owned()], 0));
    // An accent that is a mark of its own makes another word; without spaces every character may begin one.
    let (text, done) =
        now(r#"{"data":{"a":"Jose\u0301","b":"我是李明的朋友"}}"#, &[("Jose", "Juan"), ("李明", "李华")]);
    assert_eq!(text, "{\"data\":{\"a\":\"Jose\\u0301\",\"b\":\"我是李华的朋友\"}}");
    assert_eq!(done.seen, BTreeSet::from([1]));
}

#[test]
fn formatting_stands_over_what_it_stood_over() {
    let block = json!({ "type": "paragraph", "text": "🦀 Ada Lovelace wrote it", "spans": [
        { "start": 3, "end": 15, "type": "strong" },
        { "start": 7, "end": 15, "type": "em" },
        { "start": 16, "end": 21, "type": "hyperlink", "data": { "link_type": "Web", "url": "https://example.org/ada" } },
        { "start": 0, "end": 2, "type": "em" },
    ] });
    let text = document(&json!({ "content": [block] })).to_string();
    let (text, _) = now(&text, &[("Ada Lovelace", "Augusta Ada King")]);
    let value: Value = serde_json::from_str(&text).unwrap();
    let block = &value["data"]["content"][0];
    assert_eq!(block["text"], "🦀 Augusta Ada King wrote it");
    let spans: Vec<(u64, u64)> = block["spans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|span| (span["start"].as_u64().unwrap(), span["end"].as_u64().unwrap()))
        .collect();
    assert_eq!(spans, [(3, 19), (3, 19), (20, 25), (0, 2)]);
    assert_eq!(block["spans"][2]["data"]["url"], "https://example.org/ada");
    // Of what is gone no formatting is left.
    let block = json!({ "type": "paragraph", "text": "Ada wrote", "spans": [{ "start": 0, "end": 3, "type": "em" }, { "start": 4, "end": 9, "type": "em" }] });
    let (text, _) = now(&document(&json!({ "content": [block] })).to_string(), &[("Ada", "")]);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["data"]["content"][0]["spans"], json!([{ "start": 1, "end": 6, "type": "em" }]));
}

#[test]
fn what_makes_it_what_it_is_stays_and_is_told() {
    let data = json!({
        "name": "ada",
        "link": { "link_type": "Web", "url": "https://ada.example/ada" },
        "to": { "link_type": "Document", "id": "XB", "type": "ada", "uid": "ada", "slug": "ada", "text": "ada" },
        "said": "write to ada@example.org, or see https://ada.example/ada; ada knows",
        "first": "ada", "number": 7,
        "markup": "<b>ada</b> king",
    });
    let before = document(&data);
    let (text, done) = now(&before.to_string(), &[("ada", "eve")]);
    let value: Value = serde_json::from_str(&text).unwrap();
    for same in
        ["/id", "/uid", "/type", "/slugs", "/data/link", "/data/to/uid", "/data/to/slug", "/data/to/type"]
    {
        assert_eq!(value.pointer(same), before.pointer(same), "{same}");
    }
    assert_eq!(value["tags"], json!(["eve"]));
    assert_eq!(value["data"]["to"]["text"], "eve");
    assert_eq!(value["data"]["said"], "write to ada@example.org, or see https://ada.example/ada; eve knows");
    for told in ["/uid", "/slugs/0", "/type", "/data/link/url", "/data/to/uid", "/data/said"] {
        assert!(done.left.contains_key(told), "{told} of {:?}", done.left);
    }
    assert!(!done.left.contains_key("/data/name"));
    // What stands in two fields is told, not guessed.
    let (same, done) =
        now(r#"{"data":{"p":{"first_name":"Ada","last_name":"King"}}}"#, &[("Ada King", "Eve King")]);
    assert_eq!(same, r#"{"data":{"p":{"first_name":"Ada","last_name":"King"}}}"#);
    assert!(done.left.values().any(|why| why.contains("one by one")) && !done.seen.is_empty(), "{done:?}");
}

#[test]
fn a_date_stays_a_date_and_what_is_of_others_stays() {
    let text = r#"{"data":{"born":"1980-02-03","said":"born 1980-02-03"}}"#;
    let (text, _) = now(text, &[("1980-02-03", "1981-02-03")]);
    assert_eq!(text, r#"{"data":{"born":"1981-02-03","said":"born 1981-02-03"}}"#);
    let (text, done) = now(&text, &[("1981-02-03", "unknown")]);
    assert_eq!(text, r#"{"data":{"born":"1981-02-03","said":"born unknown"}}"#);
    assert!(done.left.contains_key("/data/born"));
    let text = r#"{"data":{"a":"Ada","b":"Ada"}}"#;
    let done = corrected(PATH, text.as_bytes(), &Bounds::default(), &of(&[("Ada", "Eve")]), &|place| {
        place == "/data/b"
    });
    assert_eq!(done.bytes, br#"{"data":{"a":"Eve","b":"Ada"}}"#);
    assert!(done.left["/data/b"].contains("somebody else"));
}

#[test]
fn a_correction_made_twice_is_made_once() {
    let pairs = [("Ada", "Ada King")];
    let (once, _) = now(r#"{"data":{"a":"Ada, Ada King"}}"#, &pairs);
    assert_eq!(once, r#"{"data":{"a":"Ada King, Ada King"}}"#);
    let (twice, done) = now(&once, &pairs);
    assert_eq!((twice, done.places.len(), done.seen.len()), (once, 0, 0));
    // The longest of several counts.
    let (text, _) = now(r#"{"data":{"a":"Ada King, Ada"}}"#, &[("Ada", "Eve"), ("Ada King", "Eva Queen")]);
    assert_eq!(text, r#"{"data":{"a":"Eva Queen, Eve"}}"#);
}

#[test]
fn what_is_no_json_is_told() {
    let done = corrected(
        "assets/X/original",
        b"Ada Lovelace wrote this, and more text of which nobody has any doubt.\n",
        &Bounds::default(),
        &of(&[("Ada Lovelace", "Eve")]),
        &|_| false,
    );
    assert!(done.places.is_empty() && !done.left.is_empty() && done.seen.len() == 1, "{done:?}");
}

#[test]
fn corrections_that_cannot_be_made_together_are_refused() {
    let check = |pairs: &[(&str, &str)]| check(&of(pairs));
    assert_eq!(check(&[]), Err(CorrectionError::None));
    assert_eq!(check(&[("Ada", "Eve"), (" ", "x")]), Err(CorrectionError::Empty(2)));
    assert_eq!(check(&[("Ada ", "x")]), Err(CorrectionError::Empty(1)));
    assert_eq!(check(&[("Ada", "Ada")]), Err(CorrectionError::Same(1)));
    assert_eq!(check(&[("Ada", "Eve"), ("Ada", "Bob")]), Err(CorrectionError::Twice(1, 2)));
    assert_eq!(check(&[("Ada", "Eve"), ("Eve", "Ada")]), Err(CorrectionError::Undone(1, 2)));
    assert_eq!(check(&[("Ada", "Ada King"), ("Lovelace", "King")]), Ok(()));
    assert_eq!(check(&[("Ada", "")]), Ok(()));
}

/// Documents in which the wrong value stands in some texts.
fn data() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just("Quillon Marsh".to_owned()),
        "[a-z é🦀\"\\\\]{0,12}".prop_map(|text| format!("{text} Quillon Marsh {text}")),
        "\\PC{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
        (text, 0_u64..9, 0_u64..9).prop_map(|(text, start, end)| json!({
            "type": "paragraph", "text": text, "spans": [{ "start": start, "end": end, "type": "strong" }] })),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-c]{1,3}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Puts the right value back, and takes formatting out: what is left must be what it was.
fn undone(value: &Value, place: &str, edits: &mut Edits) {
    match value {
        Value::String(text) if text.contains("Tamsin Reed") => {
            let back = text.replace("Tamsin Reed", "Quillon Marsh");
            edits.add(place, Edit::Put(Value::String(back).to_string()));
        }
        Value::Array(_) if place.ends_with("/spans") => edits.add(place, Edit::Put("[]".to_owned())),
        Value::Array(elements) => {
            elements
                .iter()
                .enumerate()
                .for_each(|(at, element)| undone(element, &within(place, &at.to_string()), edits));
        }
        Value::Object(members) => {
            members.iter().for_each(|(key, member)| undone(member, &within(place, key), edits));
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn the_wrong_value_is_nowhere_and_everything_else_is_as_it_was(data in data()) {
        let text = document(&json!({ "fields": data })).to_string();
        let (corrected, done) = now(&text, &[("Quillon Marsh", "Tamsin Reed")]);
        let before: Value = serde_json::from_str(&text).unwrap();
        let after: Value = serde_json::from_str(&corrected).unwrap();
        let read = Read::of(PATH, corrected.as_bytes(), &Bounds::default());
        let wrong = of(&[("Quillon Marsh", "Tamsin Reed")]);
        for passage in &read.0 {
            let is_left = occurrences(&passage.text, &wrong).is_empty() || done.left.contains_key(&passage.place);
            prop_assert!(is_left, "{} {:?}", passage.place, passage.text);
        }
        let (mut first, mut second) = (Edits::default(), Edits::default());
        undone(&before, "", &mut first);
        undone(&after, "", &mut second);
        prop_assert_eq!(
            String::from_utf8(replaced(text.as_bytes(), &first).unwrap()).unwrap(),
            String::from_utf8(replaced(corrected.as_bytes(), &second).unwrap()).unwrap()
        );
        // Formatting is within its text.
        let mut blocks = vec![&after];
        while let Some(value) = blocks.pop() {
            if let (Some(text), Some([span])) = (value["text"].as_str(), value["spans"].as_array().map(Vec::as_slice))
                && done.places.iter().any(|place| after.pointer(place).and_then(Value::as_str) == Some(text))
                && text.contains("Tamsin Reed")
            {
                prop_assert!(span["start"].as_u64() < span["end"].as_u64());
                prop_assert!(span["end"].as_u64().unwrap() <= text.encode_utf16().count() as u64);
            }
            match value {
                Value::Array(elements) => blocks.extend(elements),
                Value::Object(members) => blocks.extend(members.values()),
                _ => {}
            }
        }
    }
}
