//! The Migration API: what it takes of a document, what it drops, what it refuses.

use prismvault::contentapi::AccessMode;
use prismvault::sandbox::{Faults, RepositoryOptions, WriteBounds};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Writing as _, page, pages, pages_with, png, title};
use crate::sandbox::{Bench, options};

const DOCUMENTS: &str = "migration-api/documents";

async fn refused(bench: &Bench, body: &Value) -> Value {
    let (status, answer) = bench.send(Method::POST, DOCUMENTS, body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body} {answer}");
    assert!(answer["message"].is_string(), "{answer}");
    answer
}

#[tokio::test]
async fn a_document_is_staged_under_an_id_of_the_service_and_nobody_reads_it() {
    let bench = pages(json!({}), &[]);
    let mut body = page("a", "en-us", json!({"title": title("A")}));
    body["id"] = "MyOwnIdMyOwnId16".into();
    body["first_publication_date"] = "2001-01-01T00:00:00+0000".into();
    let (status, answer) = bench.send(Method::POST, DOCUMENTS, &body).await;
    assert_eq!(status, StatusCode::CREATED);
    let id = answer["id"].as_str().unwrap();
    assert!(id.len() == 16 && id != "MyOwnIdMyOwnId16");
    assert_eq!(answer, json!({"id": id, "type": "page", "lang": "en-us", "title": "a", "uid": "a"}));
    assert_eq!(bench.live(id).await, Value::Null);
    let root = bench.json(&bench.endpoints.content_api).await;
    assert_eq!(root["refs"].as_array().unwrap().len(), 1, "no ref shows the migration release");
    for path in [DOCUMENTS.to_owned(), format!("{DOCUMENTS}/{id}")] {
        let (status, answer) = bench.send(Method::GET, &path, &Value::Null).await;
        assert_eq!(
            (status, &answer["message"]),
            (StatusCode::NOT_FOUND, &json!("no Route matched with those values"))
        );
    }
    assert_eq!(bench.repository.staged().len(), 1);
}

#[tokio::test]
async fn documents_that_cannot_be_are_refused_with_the_property() {
    let bench = pages(json!({}), &[]);
    let whole = page("a", "en-us", json!({}));
    let with = |key: &str, value: Value| {
        let mut body = whole.clone();
        body[key] = value;
        body
    };
    let mut untitled = whole.clone();
    untitled.as_object_mut().unwrap().shift_remove("title");
    for (body, property) in [
        (untitled, "title"),
        (with("title", json!(" ")), "title"),
        (with("type", json!("none")), "type"),
        (with("lang", json!("xx-xx")), "lang"),
        (with("uid", Value::Null), "uid"),
        (with("tags", json!("a")), "tags"),
        (with("data", json!([])), "data"),
        (with("alternate_language_id", json!("none")), "alternate_language_id"),
    ] {
        assert_eq!(refused(&bench, &body).await["details"][0]["property"], property, "{body}");
    }
    assert!(refused(&bench, &json!([])).await.get("details").is_none());
    bench.create(&whole).await;
    let taken = refused(&bench, &whole).await;
    assert_eq!(taken, json!({"message": "A document with this UID already exists"}));
    bench.publish().await;
    assert_eq!(refused(&bench, &whole).await, taken, "also when it is published");
    bench.create(&with("lang", json!("fr-fr"))).await;
    assert_eq!(bench.send(Method::PUT, &format!("{DOCUMENTS}/none"), &whole).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn values_that_the_model_does_not_allow_are_refused_all_at_once() {
    let fields = json!({
        "choice": {"type": "Select", "config": {"options": ["a"]}}, "flag": {"type": "Boolean"}, "number": {"type": "Number"},
        "day": {"type": "Date"}, "time": {"type": "Timestamp"}, "color": {"type": "Color"}, "place": {"type": "GeoPoint"},
        "embed": {"type": "Embed"}, "link": {"type": "Link"}, "links": {"type": "Link", "config": {"repeat": true}},
        "image": {"type": "Image"}, "text": {"type": "StructuredText", "config": {"multi": "paragraph"}},
        "table": {"type": "Table"}, "shop": {"type": "IntegrationFields"}, "group": {"type": "Group", "config": {"fields": {"t": {"type": "Text"}}}},
    });
    let bench = pages(fields, &[]);
    let block = |spans: Value| json!([{"type": "paragraph", "text": "né", "spans": spans}]);
    for (field, value, property) in [
        ("choice", json!("b"), "data.choice"),
        ("choice", json!(true), "data.choice"),
        ("flag", json!("true"), "data.flag"),
        ("number", json!("3"), "data.number"),
        ("day", json!("2024-02-30"), "data.day"),
        ("time", json!("2024-02-03"), "data.time"),
        ("color", json!("red"), "data.color"),
        ("place", json!({"latitude": 100, "longitude": 0}), "data.place"),
        ("embed", json!({"url": "https://v.example"}), "data.embed"),
        ("embed", json!({"embed_url": "x"}), "data.embed"),
        ("link", Value::Null, "data.link"),
        ("link", json!({}), "data.link"),
        ("link", json!(""), "data.link"),
        ("link", json!({"link_type": "Document", "id": "short"}), "data.link"),
        ("link", json!({"link_type": "Media", "id": "UnknownUnknown16"}), "data.link"),
        ("link", json!({"link_type": "Media", "url": "https://x.example/a"}), "data.link"),
        ("link", json!({"link_type": "Web", "url": "https://x.example", "text": 3}), "data.link.text"),
        ("links", json!({"link_type": "Any"}), "data.links"),
        ("links", json!([{"link_type": "Any"}, 3]), "data.links[1]"),
        ("image", Value::Null, "data.image"),
        ("image", json!(""), "data.image"),
        ("image", json!({"id": null, "url": null}), "data.image"),
        ("image", json!({"id": "UnknownUnknown16"}), "data.image"),
        ("text", json!("text"), "data.text"),
        ("text", json!([{"type": "mystery", "text": ""}]), "data.text[0]"),
        ("text", block(json!([{"type": "em", "start": 1, "end": 3}])), "data.text[0].spans[0]"),
        ("text", block(json!([{"type": "blink", "start": 0, "end": 1}])), "data.text[0].spans[0]"),
        (
            "text",
            block(
                json!([{"type": "hyperlink", "start": 0, "end": 1, "data": {"link_type": "Media", "id": "x"}}]),
            ),
            "data.text[0].spans[0].data",
        ),
        ("text", json!([{"type": "image", "id": "UnknownUnknown16"}]), "data.text[0]"),
        ("table", json!({"head": {}}), "data.table"),
        ("shop", json!({"title": "no id"}), "data.shop"),
        ("group", json!([{"t": "a"}, {"t": 3}]), "data.group[1].t"),
        ("group", json!({"t": "a"}), "data.group"),
    ] {
        let answer = refused(&bench, &page("a", "en-us", json!({field: value}))).await;
        assert_eq!(answer["details"][0]["property"], property, "{answer}");
        assert!(answer["details"][0]["error"].is_string() && answer["details"][0].get("value").is_some());
    }
    let both = json!({"flag": 1, "number": true});
    assert_eq!(refused(&bench, &page("a", "en-us", both)).await["details"].as_array().unwrap().len(), 2);
    bench
        .control
        .set_faults(Faults { gone_embeds: ["https://v.example/1".to_owned()].into(), ..Faults::default() });
    let gone = page("a", "en-us", json!({"embed": {"embed_url": "https://v.example/1"}}));
    assert_eq!(refused(&bench, &gone).await["details"][0]["property"], "data.embed");
}

#[tokio::test]
async fn what_the_model_lacks_is_dropped_without_a_word() {
    let hero = json!({"id": "hero", "type": "SharedSlice", "name": "Hero", "variations": [
        {"id": "default", "name": "D", "docURL": "", "version": "v2", "description": "", "primary": {"text": {"type": "Text"}}, "items": {"t": {"type": "Text"}}},
    ]});
    let other =
        json!({"id": "other", "type": "SharedSlice", "name": "Other", "variations": [{"id": "default"}]});
    let fields = json!({
        "group": {"type": "Group", "config": {"fields": {"t": {"type": "Text"}}}},
        "line": {"type": "Separator"},
        "body": {"type": "Slices", "config": {"choices": {"hero": {"type": "SharedSlice"}, "gone": {"type": "SharedSlice"}}}},
    });
    let bench = pages(fields, &[hero, other]);
    let slice = |kind: &str, variation: &str| {
        json!({"id": format!("{kind}$mine"), "slice_type": kind, "variation": variation, "slice_label": "x",
        "primary": {"text": "kept", "unknown": 1}, "items": [{"t": "kept", "unknown": 2}]})
    };
    let id = bench.create(&page("a", "en-us", json!({
        "unknown": 1, "uid": "not a field", "line": "x",
        "group": [{"t": "kept", "unknown": {"deep": []}}],
        "body": [slice("hero", "default"), slice("hero", "unknown"), slice("other", "default"), slice("gone", "default"),
            {"slice_type": "hero", "primary": {}}],
    }))).await;
    bench.publish().await;
    let data = bench.live(&id).await["data"].clone();
    assert_eq!(data.as_object().unwrap().keys().collect::<Vec<_>>(), ["title", "group", "body"]);
    assert_eq!(data["group"], json!([{"t": "kept"}]));
    let slices = data["body"].as_array().unwrap();
    assert_eq!(slices.len(), 1, "{data}");
    let own = slices[0]["id"].as_str().unwrap();
    assert!(own.starts_with("hero$") && own.len() == 41 && own != "hero$mine");
    let expected = json!({"variation": "default", "version": "v2", "items": [{"t": "kept"}], "primary": {"text": "kept"},
        "id": own, "slice_type": "hero", "slice_label": null});
    assert_eq!(slices[0], expected);
}

#[tokio::test]
async fn a_put_replaces_data_whole_and_ignores_what_only_creation_decides() {
    let bench = pages(json!({"text": {"type": "Text"}}), &[]);
    let id = bench.create(&page("a", "en-us", json!({"title": title("A"), "text": "one"}))).await;
    let path = format!("{DOCUMENTS}/{id}");
    let put = json!({"type": "other", "lang": "fr-fr", "alternate_language_id": "none", "data": {"text": "two"}, "tags": ["t"]});
    let (status, answer) = bench.send(Method::PUT, &path, &put).await;
    assert_eq!(
        (status, &answer),
        (StatusCode::OK, &json!({"id": id, "type": "page", "lang": "en-us", "title": "a", "uid": "a"}))
    );
    bench.publish().await;
    let live = bench.live(&id).await;
    assert_eq!((&live["lang"], &live["tags"]), (&json!("en-us"), &json!(["t"])));
    assert_eq!(live["data"], json!({"title": [], "text": "two"}));
    // A published one is staged, and stays as it is until it is published.
    let (status, answer) = bench
        .send(Method::PUT, &path, &json!({"title": "Renamed", "uid": "b", "data": {"text": "three"}}))
        .await;
    assert_eq!((status, &answer["title"], &answer["uid"]), (StatusCode::OK, &json!("Renamed"), &json!("b")));
    assert_eq!(bench.live(&id).await, live);
    refused(&bench, &page("a", "en-us", json!({}))).await;
    refused(&bench, &page("b", "en-us", json!({}))).await;
    assert_eq!(bench.publish().await, 1);
    let edited = bench.live(&id).await;
    assert_eq!(
        (&edited["uid"], &edited["data"]["text"], &edited["tags"]),
        (&json!("b"), &json!("three"), &json!(["t"]))
    );
    assert_eq!(edited["first_publication_date"], live["first_publication_date"]);
    assert!(edited["last_publication_date"].as_str() > live["last_publication_date"].as_str());
    bench.create(&page("a", "en-us", json!({}))).await;
    let (status, _) = bench.send(Method::PUT, &path, &json!({"title": "no data"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn documents_from_before_can_be_replaced_by_their_id() {
    let bench = Bench::small(AccessMode::Open);
    let (_, found) = bench.search(&[("lang", "*"), ("q", "[[at(document.type, \"location\")]]")]).await;
    let before = found["results"][0].clone();
    let id = before["id"].as_str().unwrap();
    let (status, answer) =
        bench.send(Method::PUT, &format!("{DOCUMENTS}/{id}"), &json!({"data": {"address": "Here"}})).await;
    assert_eq!((status, &answer["uid"]), (StatusCode::OK, &before["uid"]));
    bench.publish().await;
    let after = bench.live(id).await;
    assert_eq!(after["data"]["address"], "Here");
    for kept in ["uid", "lang", "tags", "first_publication_date", "alternate_languages", "slugs"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    bench.repository.remove_documents(&[id]);
    let (status, _) = bench.send(Method::PUT, &format!("{DOCUMENTS}/{id}"), &json!({"data": {}})).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "unpublished ones are not known any more");
}

#[tokio::test]
async fn translations_are_joined_at_creation_and_know_each_other_when_they_are_published() {
    let bench = pages(json!({}), &[]);
    let master = bench.create(&page("a", "en-us", json!({}))).await;
    let mut french = page("a-fr", "fr-fr", json!({}));
    french["alternate_language_id"] = master.as_str().into();
    let french_id = bench.create(&french).await;
    french["uid"] = "b-fr".into();
    let second = refused(&bench, &french).await;
    assert_eq!(second["details"][0]["property"], "alternate_language_id", "one in each locale");
    bench.publish().await;
    let entry =
        |id: &str, uid: &str, lang: &str| json!([{"id": id, "type": "page", "lang": lang, "uid": uid}]);
    assert_eq!(bench.live(&master).await["alternate_languages"], entry(&french_id, "a-fr", "fr-fr"));
    assert_eq!(bench.live(&french_id).await["alternate_languages"], entry(&master, "a", "en-us"));
    // A translation of one that was published long ago changes nothing else of it.
    let late = bench.create(&page("c", "en-us", json!({}))).await;
    bench.publish().await;
    let before = bench.live(&late).await;
    let mut translation = page("c-fr", "fr-fr", json!({}));
    translation["alternate_language_id"] = late.as_str().into();
    let translation = bench.create(&translation).await;
    assert_eq!(bench.live(&late).await["alternate_languages"], json!([]));
    bench.publish().await;
    let after = bench.live(&late).await;
    assert_eq!(after["alternate_languages"], entry(&translation, "c-fr", "fr-fr"));
    assert_eq!(after["last_publication_date"], before["last_publication_date"]);
}

#[tokio::test]
async fn types_that_are_not_repeatable_have_one_document_in_each_locale() {
    let bench = pages(json!({}), &[]);
    for (id, repeatable, enabled) in [("home", false, true), ("old", true, false)] {
        let model = json!({"id": id, "repeatable": repeatable, "status": enabled, "json": {"Main": {}}});
        bench.send(Method::POST, "types-api/customtypes/insert", &model).await;
    }
    let home =
        |lang: &str| json!({"title": "Home", "type": "home", "lang": lang, "data": {}, "uid": "ignored"});
    let id = bench.create(&home("en-us")).await;
    bench.create(&home("fr-fr")).await;
    refused(&bench, &home("en-us")).await;
    bench.publish().await;
    refused(&bench, &home("fr-fr")).await;
    assert_eq!(bench.live(&id).await["uid"], Value::Null, "the type has none");
    refused(&bench, &json!({"title": "x", "type": "old", "lang": "en-us", "data": {}})).await;
}

#[tokio::test]
async fn a_full_release_takes_changes_and_no_more_documents() {
    let writing = WriteBounds { release_documents_max: 2, ..WriteBounds::default() };
    let bench = pages_with(json!({}), RepositoryOptions { writing, ..options(AccessMode::Open) });
    let one = bench.create(&page("a", "en-us", json!({}))).await;
    bench.create(&page("b", "en-us", json!({}))).await;
    let full = refused(&bench, &page("c", "en-us", json!({}))).await;
    assert!(full["message"].as_str().unwrap().contains("at most 2 documents"), "{full}");
    let put = json!({"data": {"title": title("x")}});
    assert_eq!(bench.send(Method::PUT, &format!("{DOCUMENTS}/{one}"), &put).await.0, StatusCode::OK);
    let mut draft = page("d", "en-us", json!({}));
    draft["inDocuments"] = true.into();
    let draft = bench.create(&draft).await;
    assert_eq!(bench.publish().await, 2, "drafts elsewhere are not in the release");
    assert_eq!(bench.live(&draft).await, Value::Null);
    assert_eq!(bench.send(Method::PUT, &format!("{DOCUMENTS}/{draft}"), &put).await.0, StatusCode::OK);
    assert_eq!(bench.publish().await, 0);
    bench.create(&page("c", "en-us", json!({}))).await;
}

#[tokio::test]
async fn images_must_name_assets_that_there_are() {
    let bench = pages(
        json!({"image": {"type": "Image", "config": {"thumbnails": [{"name": "square", "width": 10, "height": 10}]}}}),
        &[],
    );
    let asset = bench.upload("a.png", png(40, 30)).await;
    let id = asset["id"].as_str().unwrap();
    let good = page("a", "en-us", json!({"image": {"id": id, "square": {"id": id}}}));
    bench.create(&good).await;
    for image in [
        json!({"id": id, "square": {"id": "UnknownUnknown16"}}),
        json!({"id": id, "square": 3}),
        json!({"id": id, "edit": {"x": 0}}),
        json!({"id": id, "dimensions": {"width": 0, "height": 1}}),
        json!({"id": id, "alt": 3}),
    ] {
        let answer = refused(&bench, &page("b", "en-us", json!({"image": image}))).await;
        assert!(answer["details"][0]["property"].as_str().unwrap().starts_with("data.image"), "{answer}");
    }
    bench.send(Method::DELETE, &format!("asset-api/assets/{id}"), &Value::Null).await;
    refused(&bench, &page("b", "en-us", json!({"image": {"id": id}}))).await;
}
