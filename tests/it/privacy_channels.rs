//! Every place where a person can stand is planted, read, and found in its channel; sound items lose nothing and
//! are called damaged by nobody.

use prismvault::privacy::channels::{Bounds, Item, Sink, read};
use prismvault::privacy::passage::{Channel, Passage, Reason, Unsearchable};
use proptest::prelude::*;

use self::plant::{Place, Takes, assemble, places, stream};

#[path = "../../examples/privacy-corpus/plant/mod.rs"]
pub(crate) mod plant;

/// Keeps all that is handed out.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) passages: Vec<(Channel, String, u32, String)>,
    pub(crate) unsearchable: Vec<Unsearchable>,
}

impl Sink for Kept {
    fn passage(&mut self, passage: Passage<'_>) {
        let Passage { channel, place, group, text } = passage;
        self.passages.push((channel, place.to_owned(), group, text.to_owned()));
    }

    fn unsearchable(&mut self, unsearchable: Unsearchable) {
        self.unsearchable.push(unsearchable);
    }
}

impl Kept {
    pub(crate) fn has(&self, channel: Channel, text: &str) -> bool {
        self.passages.iter().any(|(found, _, _, passage)| *found == channel && passage.contains(text))
    }

    pub(crate) fn reasons(&self) -> Vec<Reason> {
        self.unsearchable.iter().map(|unsearchable| unsearchable.reason).collect()
    }
}

pub(crate) fn read_with(path: &str, file_name: Option<&str>, bytes: &[u8], bounds: &Bounds) -> Kept {
    let mut kept = Kept::default();
    read(Item { path, file_name, bytes }, bounds, &mut kept);
    kept
}

/// Reads a file.
pub(crate) fn read_file(bytes: &[u8]) -> Kept {
    read_with("assets/a/original", None, bytes, &Bounds::default())
}

#[test]
fn a_word_that_the_end_of_a_line_divides_is_read_as_one() {
    let text = "Der Bericht von Nora Val-\nentin wurde\nvon Ida Falk-\n Meier gelesen - \n2024-\n12";
    let pdf = assemble(
        &[
            b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
            b"<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 4 0 R >> >> /Contents 5 0 R >>".to_vec(),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
            stream(
                "",
                b"BT /F1 9 Tf (Der Bericht von Nora Val-) Tj 0 -12 Td (entin wurde) Tj 0 -12 Td (von Ida Falk-) Tj 0 -12 Td (Meier) Tj ET",
            ),
        ],
        "",
    );
    for file in [text.as_bytes(), &pdf] {
        let kept = read_file(file);
        assert!(kept.has(Channel::Joined, "Nora Valentin wurde"), "{:?}", kept.passages);
        // Whether a hyphen was there before, nobody knows: the text as it stands is read as well.
        assert!(kept.has(Channel::Joined, "Ida FalkMeier"));
        assert!(!kept.has(Channel::Joined, "202412"));
        assert!(kept.passages.iter().any(|(channel, _, _, text)| *channel != Channel::Joined && text.contains("Nora Val-\nentin")));
    }
}

/// Reads a document.
fn read_document(bytes: &[u8]) -> Kept {
    read_with("documents/en-us/page/a.json", None, bytes, &Bounds::default())
}

/// What is wrong with what was read of a planted text.
fn complaint(place: &Place, text: &str) -> Option<String> {
    let planted = place.plant(text);
    let kept = read_with(place.path, place.file_name, &planted.bytes, &Bounds::default());
    // Pictures and sound are never searched for what they show and say.
    let odd: Vec<_> = kept.unsearchable.iter().filter(|what| what.reason != Reason::NoText).collect();
    if !odd.is_empty() {
        return Some(format!("{}: {odd:?}", place.name));
    }
    if kept.has(place.channel, &planted.surface) {
        return None;
    }
    let near = kept.passages.iter().filter(|(_, _, _, found)| found.contains(planted.surface.as_str()));
    Some(format!(
        "{}: {:?} is not in {:?} but in {:?} of {} passages",
        place.name,
        planted.surface,
        place.channel,
        near.collect::<Vec<_>>(),
        kept.passages.len(),
    ))
}

#[test]
fn every_place_is_read_in_its_channel() {
    let complaints: Vec<_> =
        places().iter().filter_map(|place| complaint(place, place.takes.sample())).collect();
    assert_eq!(complaints, Vec::<String>::new());
}

#[test]
fn no_two_places_have_one_name_and_every_channel_has_one() {
    let mut names: Vec<_> = places().iter().map(|place| place.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), places().len());
    use Channel as C;
    for channel in [
        C::RichText,
        C::KeyText,
        C::Joined,
        C::Number,
        C::Date,
        C::GeoPoint,
        C::Link,
        C::LinkText,
        C::Relationship,
        C::Embed,
        C::Integration,
        C::Alt,
        C::Copyright,
        C::Table,
        C::Uid,
        C::Slug,
        C::Tag,
        C::DocumentId,
        C::AssetFileName,
        C::AssetNotes,
        C::AssetCredits,
        C::AssetAlt,
        C::AssetTag,
        C::AssetMetadata,
        C::Exif,
        C::Iptc,
        C::Xmp,
        C::ImageText,
        C::PdfText,
        C::PdfProperties,
        C::Svg,
        C::OfficeText,
        C::OfficeProperties,
        C::PlainText,
        C::Member,
        C::Repository,
    ] {
        assert!(places().iter().any(|place| place.channel == channel), "{channel:?}");
    }
}

#[test]
fn a_reader_that_finds_everything_everywhere_would_be_noticed() {
    for place in &places() {
        let planted = place.plant(place.takes.sample());
        let kept = read_with(place.path, place.file_name, &planted.bytes, &Bounds::default());
        assert!(!kept.has(place.channel, "Nobody Atall"), "{}", place.name);
        let elsewhere = if place.channel == Channel::Member { Channel::Uid } else { Channel::Member };
        let moved = Place { channel: elsewhere, ..*place };
        assert!(complaint(&moved, place.takes.sample()).is_some(), "{}", place.name);
    }
}

#[test]
fn pictures_are_valid_and_say_that_what_they_show_was_not_read() {
    for place in
        places().iter().filter(|place| place.name.starts_with("jpeg") || place.name.starts_with("png"))
    {
        let planted = place.plant(place.takes.sample());
        assert!(image::load_from_memory(&planted.bytes).is_ok(), "{}", place.name);
        assert_eq!(read_file(&planted.bytes).reasons(), [Reason::NoText], "{}", place.name);
    }
    for place in places().iter().filter(|place| place.name.starts_with("webp")) {
        assert!(image::load_from_memory(&place.plant(place.takes.sample()).bytes).is_ok(), "{}", place.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_found_in_every_place_that_takes_it(
        text in "[A-Za-zÀ-ÿĀ-ſА-я가-힣][A-Za-zÀ-ÿ'’&<>#;.-]{1,12}( [A-Za-zÀ-ÿĀ-ſА-я가-힣]{2,12}){0,3}",
        latin in "[A-Za-zÀ-ÿ]{2,12} [A-Za-zÀ-ÿ'-]{2,12}",
        digits in "[1-9][0-9]{6,14}",
    ) {
        for place in places() {
            let text = match place.takes {
                Takes::Latin1 => &latin,
                Takes::Words => &latin,
                Takes::Digits => &digits,
                _ => &text,
            };
            // What looks like markup in a place for text is markup there.
            let is_markup = text.contains('<') && matches!(place.name, "html.attribute");
            if place.takes.accepts(text) && !is_markup {
                prop_assert_eq!(complaint(&place, text), None);
            }
        }
    }
}

#[test]
fn texts_of_one_record_have_one_group_and_those_of_others_another() {
    let kept = read_document(
        br#"{"id":"a","type":"p","lang":"l","data":{"intro":[{"type":"paragraph","text":"one","spans":[]},
        {"type":"paragraph","text":"two","spans":[]}],"people":[{"a":"three","b":"four"},{"a":"five"}],
        "body":[{"slice_type":"s","primary":{"x":"six","y":"seven"},"items":[{"x":"eight"}]}]}}"#,
    );
    let group = |text: &str| {
        let found: Vec<_> = kept.passages.iter().filter(|passage| passage.3 == text).collect();
        assert_eq!(found.len(), 1, "{text}");
        found[0].2
    };
    assert_eq!((group("one"), group("three"), group("six")), (group("two"), group("four"), group("seven")));
    let mut groups = ["one", "three", "five", "six", "eight", "a"].map(group).to_vec();
    groups.sort_unstable();
    groups.dedup();
    assert_eq!(groups.len(), 6);
}

#[test]
fn a_place_is_a_pointer_into_the_document() {
    let document = serde_json::json!({"id": "a", "tags": ["t"], "data": {"a/b": [{"c~d": [{"type": "paragraph",
        "text": "x <b>y</b>", "spans": [{"type": "hyperlink", "start": 0, "end": 1,
        "data": {"link_type": "Web", "url": "https://a.example"}}]}]}], "n": 3, "where": {"latitude": 1, "longitude": 2}}});
    let kept = read_document(document.to_string().as_bytes());
    assert!(kept.passages.len() > 5);
    for (channel, place, _, text) in &kept.passages {
        let at = document.pointer(place);
        assert!(at.is_some(), "{place}");
        if let Some(whole) = at.and_then(|value| value.as_str())
            && *channel != Channel::Joined
        {
            assert!(whole == text || whole.contains('<'), "{place}");
        }
    }
}

#[test]
fn documents_of_odd_shapes_lose_nothing() {
    let odd = [
        r#"{"data":{"x":[{"type":"Nora Vale","text":"t"}]}}"#,
        r#"{"data":{"x":{"link_type":"Nora Vale"}}}"#,
        r#"{"data":{"x":{"link_type":"Web","url":["Nora Vale"]}}}"#,
        r#"{"data":{"x":{"link_type":"Media","url":{"a":"Nora Vale"},"size":"Nora Vale"}}}"#,
        r#"{"data":{"x":{"url":"u","dimensions":{"width":"Nora Vale"},"alt":7}}}"#,
        r#"{"data":{"x":{"url":"u","dimensions":{},"edit":{"background":"Nora Vale"},"type":"x"}}}"#,
        r#"{"data":{"x":[{"type":"paragraph","text":"t","spans":[{"type":"Nora Vale","start":0}]}]}}"#,
        r#"{"data":{"x":[{"type":"paragraph","text":"t","spans":"Nora Vale","direction":"ltr"}]}}"#,
        r#"{"data":{"x":[{"type":"paragraph","text":"t","spans":[],"direction":"Nora Vale"}]}}"#,
        r#"{"data":{"x":{"body":{"rows":["Nora Vale"]}}}}"#,
        r#"{"data":{"x":{"body":{"rows":[{"cells":["Nora Vale"]}]}}}}"#,
        r#"{"data":{"x":{"body":{"rows":[],"caption":"Nora Vale"}}}}"#,
        r#"{"data":{"x":{"latitude":1,"longitude":2,"name":"Nora Vale"}}}"#,
        r#"{"data":{"x":{"slice_type":"s","items":"Nora Vale"}}}"#,
        r#"{"data":{"x":[{"slice_type":"s","primary":["Nora Vale"]}]}}"#,
        r#"{"data":["Nora Vale"]}"#,
        r#"{"data":"Nora Vale"}"#,
        r#"{"tags":{"x":"Nora Vale"}}"#,
        r#"{"alternate_languages":["Nora Vale"]}"#,
        r#"{"alternate_languages":[{"id":["Nora Vale"]}]}"#,
        r#"{"elsewhere":[[["Nora Vale"]]]}"#,
        r#"["Nora Vale"]"#,
        r#""Nora Vale""#,
    ];
    for document in odd {
        let kept = read_document(document.as_bytes());
        assert!(kept.passages.iter().any(|passage| passage.3 == "Nora Vale"), "{document}");
        assert_eq!(kept.unsearchable, [], "{document}");
    }
}

/// Values of all shapes that fields have, put together at random, with a mark in every string.
fn any_value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Value, json};
    let key = prop::sample::select(vec![
        "type",
        "text",
        "spans",
        "link_type",
        "url",
        "id",
        "uid",
        "slug",
        "tags",
        "data",
        "alt",
        "copyright",
        "dimensions",
        "edit",
        "embed_url",
        "oembed",
        "html",
        "slice_type",
        "primary",
        "items",
        "value",
        "latitude",
        "longitude",
        "body",
        "head",
        "rows",
        "cells",
        "content",
        "name",
        "size",
        "start",
        "first_name",
        "x",
    ]);
    let word =
        prop::sample::select(vec!["Web", "Document", "Media", "Any", "paragraph", "image", "hyperlink", "@"]);
    let leaf = prop_oneof![
        word.prop_map(Value::from),
        (1000_u32..9999).prop_map(|number| json!(format!("@{number}"))),
        any::<i32>().prop_map(Value::from),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|members| Value::Object(
                members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            )),
        ]
    })
}

fn marks(value: &serde_json::Value, found: &mut Vec<String>) {
    use serde_json::Value;
    match value {
        Value::String(text) if text.starts_with('@') => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| marks(value, found)),
        Value::Object(members) => members.values().for_each(|value| marks(value, found)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn no_shape_swallows_a_text(value in any_value()) {
        let document = serde_json::json!({"id": "a", "type": "b", "lang": "c", "data": value});
        let kept = read_document(document.to_string().as_bytes());
        let mut wanted = Vec::new();
        marks(&document, &mut wanted);
        for mark in wanted {
            prop_assert!(kept.passages.iter().any(|passage| passage.3 == mark), "{mark} in {document}");
        }
        prop_assert!(kept.unsearchable.is_empty());
    }
}
