//! The Types API.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Writing as _, page, pages, title};
use crate::sandbox::value;

fn author() -> Value {
    json!({"id": "author", "label": "Author", "json": {"Main": {"name": {"type": "Text"}, "born": {"type": "Date"}}}})
}

fn slice() -> Value {
    json!({"id": "hero", "type": "SharedSlice", "name": "Hero", "variations": [
        {"id": "default", "name": "Default", "docURL": "…", "version": "initial", "description": "", "imageUrl": "",
            "primary": {"text": {"type": "Text"}}, "items": {}},
    ]})
}

#[tokio::test]
async fn models_are_inserted_once_changed_and_removed() {
    let bench = pages(json!({}), &[]);
    for (segment, model) in [("customtypes", author()), ("slices", slice())] {
        let (insert, update) = (format!("types-api/{segment}/insert"), format!("types-api/{segment}/update"));
        let single = format!("types-api/{segment}/{}", model["id"].as_str().unwrap());
        assert_eq!(bench.send(Method::POST, &update, &model).await.0, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(bench.send(Method::POST, &insert, &model).await, (StatusCode::CREATED, Value::Null));
        assert_eq!(bench.send(Method::POST, &insert, &model).await.0, StatusCode::CONFLICT);
        let mut changed = model.clone();
        changed["label"] = "Changed".into();
        assert_eq!(bench.send(Method::POST, &update, &changed).await, (StatusCode::NO_CONTENT, Value::Null));
        let read = bench.ask(Method::GET, &single).send().await.unwrap().text().await.unwrap();
        assert_eq!(read, changed.to_string(), "as it was sent, in its order");
        assert_eq!(bench.send(Method::DELETE, &single, &Value::Null).await.0, StatusCode::NO_CONTENT);
        assert_eq!(bench.send(Method::DELETE, &single, &Value::Null).await.0, StatusCode::NOT_FOUND);
        let (status, refused) = bench.send(Method::POST, &insert, &json!({"id": "x"})).await;
        assert!(status == StatusCode::BAD_REQUEST && refused.is_string(), "{refused}");
    }
}

#[tokio::test]
async fn a_type_with_documents_is_not_removed_also_when_they_are_only_staged() {
    let bench = pages(json!({}), &[]);
    bench.create(&page("a", "en-us", json!({}))).await;
    for _ in 0..2 {
        let (status, refused) = bench.send(Method::DELETE, "types-api/customtypes/page", &Value::Null).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(refused.as_str().unwrap().contains("associated documents"), "{refused}");
        bench.publish().await;
    }
}

#[tokio::test]
async fn a_bulk_update_is_all_or_nothing() {
    let bench = pages(json!({}), &[]);
    bench.create(&page("a", "en-us", json!({}))).await;
    let change = |kind: &str, id: &str, payload: Value| json!({"type": kind, "id": id, "payload": payload});
    let bulk = async |changes: Value| {
        bench.send(Method::POST, "types-api/bulk-update", &json!({"changes": changes})).await
    };
    let inserts =
        json!([change("SLICE_INSERT", "hero", slice()), change("CUSTOM_TYPE_INSERT", "author", author())]);
    let mut with_delete = inserts.clone();
    with_delete.as_array_mut().unwrap().push(change("CUSTOM_TYPE_DELETE", "page", json!({"id": "page"})));
    let (status, refused) = bulk(with_delete).await;
    assert_eq!((status, &refused["hasExistingDocuments"]), (StatusCode::FORBIDDEN, &json!(true)));
    assert_eq!(bench.repository.models().slices.len(), 0, "nothing of it happened");
    assert_eq!(bulk(inserts.clone()).await.0, StatusCode::NO_CONTENT);
    assert_eq!(bulk(inserts).await.0, StatusCode::BAD_REQUEST);
    let more = json!([
        change("SLICE_DELETE", "hero", Value::Null),
        change("CUSTOM_TYPE_UPDATE", "author", author())
    ]);
    assert_eq!(bulk(more).await.0, StatusCode::NO_CONTENT);
    for changes in [
        json!({}),
        json!([{"type": "MASK_INSERT", "id": "x"}]),
        json!([{"type": "SLICE_DELETE"}]),
        json!([change("CUSTOM_TYPE_UPDATE", "other", author())]),
    ] {
        assert_eq!(bulk(changes).await.0, StatusCode::BAD_REQUEST);
    }
    let types = value(bench.ask(Method::GET, "types-api/customtypes").send().await.unwrap()).await;
    assert_eq!(types.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_content_api_learns_of_a_type_with_its_first_published_document() {
    let bench = pages(json!({}), &[]);
    let types = async || bench.json(&bench.endpoints.content_api).await["types"].clone();
    bench.send(Method::POST, "types-api/customtypes/insert", &author()).await;
    let id =
        bench.create(&json!({"title": "A", "type": "author", "lang": "en-us", "data": {"name": "A"}})).await;
    assert_eq!(types().await, json!({}));
    bench.publish().await;
    assert_eq!(types().await, json!({"author": "Author"}));
    let mut renamed = author();
    renamed["label"] = "Writer".into();
    renamed["json"]["Main"].as_object_mut().unwrap().shift_remove("born");
    bench.send(Method::POST, "types-api/customtypes/update", &renamed).await;
    assert_eq!(types().await, json!({"author": "Author"}), "changes are seen with the next publish");
    assert_eq!(bench.live(&id).await["data"], json!({"name": "A", "born": null}));
    bench.create(&page("p", "en-us", json!({"title": title("P")}))).await;
    bench.publish().await;
    assert_eq!(types().await, json!({"author": "Writer", "page": "Page"}));
    assert_eq!(bench.live(&id).await["data"], json!({"name": "A", "born": null}), "as it was published");
}
