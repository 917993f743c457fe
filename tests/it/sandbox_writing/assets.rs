//! The Asset API.

use std::collections::BTreeSet;

use prismvault::contentapi::AccessMode;
use prismvault::sandbox::{Api, RepositoryOptions, WriteBounds};
use prismvault::secret::Secret;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Form, Writing as _, answer, pages, pages_with, png};
use crate::sandbox::{Bench, options, value};

fn bench() -> Bench {
    pages(json!({}), &[])
}

async fn upload_form(bench: &Bench, form: Form) -> (StatusCode, Value) {
    answer(form.onto(bench.ask(Method::POST, "asset-api/assets")).send().await.unwrap()).await
}

const NAME: &str = "Poetic Unity.PNG";

#[tokio::test]
async fn an_upload_is_listed_described_by_its_bytes_and_served_at_once() {
    let bench = bench();
    let form = Form::new()
        .file(NAME, &png(40, 30))
        .text("notes", "n")
        .text("credits", "c")
        .text("alt", "a")
        .text("tags", "ignored");
    let (status, asset) = upload_form(&bench, form).await;
    assert_eq!(status, StatusCode::OK, "{asset}");
    assert_eq!(asset["id"].as_str().unwrap().len(), 16);
    for (key, expected) in [
        ("filename", json!("Poetic Unity.PNG")),
        ("extension", json!("png")),
        ("kind", json!("image")),
        ("width", json!(40)),
        ("height", json!(30)),
        ("size", json!(png(40, 30).len())),
        ("notes", json!("n")),
        ("credits", json!("c")),
        ("alt", json!("a")),
        ("tags", json!([])),
    ] {
        assert_eq!(asset[key], expected, "{key}");
    }
    let url = asset["url"].as_str().unwrap();
    assert!(url.contains("_PoeticUnity.PNG?auto=format,compress"), "{url}");
    let original = bench.get(url.split('?').next().unwrap()).await;
    assert_eq!(original.bytes().await.unwrap(), png(40, 30));
    assert_eq!(bench.assets("limit=5").await["items"], json!([asset]));
    let pdf = bench.upload("Ünterlage.pdf", b"%PDF-1.4".to_vec()).await;
    assert_eq!((&pdf["kind"], pdf.get("width")), (&json!("document"), None));
    assert!(!pdf["url"].as_str().unwrap().contains('?'), "files have no parameters: {pdf}");
    assert_eq!(bench.assets("limit=5").await["items"][0], pdf, "the newest first");
}

#[tokio::test]
async fn the_same_bytes_twice_are_two_assets() {
    let bench = bench();
    let (one, two) = (bench.upload("a.png", png(1, 1)).await, bench.upload("a.png", png(1, 1)).await);
    assert_ne!((&one["id"], &one["url"]), (&two["id"], &two["url"]));
    assert!(two["created_at"].as_i64() > one["created_at"].as_i64());
    assert_eq!(bench.assets("limit=5").await["total"], 2);
}

#[tokio::test]
async fn uploads_that_prismic_refuses_are_refused() {
    let bounds = WriteBounds { asset_bytes_max: 1000, ..WriteBounds::default() };
    let bench = pages_with(json!({}), RepositoryOptions { writing: bounds, ..options(AccessMode::Open) });
    let whole = |len| Form::new().file(NAME, &vec![7; len]);
    assert_eq!(upload_form(&bench, whole(1000)).await.0, StatusCode::OK);
    for (form, status) in [
        (whole(1001), 413),
        (Form::new().file(NAME, &png(1, 1)).text("alt", &"x".repeat(501)), 400),
        (Form::new().text("file", "no name"), 400),
        (Form::new().text("alt", "no file"), 400),
        (Form::new().file(NAME, &[1]).file(NAME, &[2]), 400),
    ] {
        let (refused, body) = upload_form(&bench, form).await;
        assert_eq!(refused.as_u16(), status, "{body}");
        assert!(body["error"].is_string(), "{body}");
    }
    let text = Form::new().file(NAME, &png(1, 1)).text("alt", &"é".repeat(500));
    assert_eq!(upload_form(&bench, text).await.0, StatusCode::OK, "characters count, not bytes");
    let no_form = bench.send(Method::POST, "asset-api/assets", &json!({})).await;
    assert_eq!(no_form.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_change_is_partial_and_its_tags_replace_all() {
    let bench = bench();
    let asset = bench.upload("a.png", png(1, 1)).await;
    let path = format!("asset-api/assets/{}", asset["id"].as_str().unwrap());
    let mut tags = Vec::new();
    for name in ["team", "press"] {
        let (status, tag) = bench.send(Method::POST, "asset-api/tags", &json!({"name": name})).await;
        assert_eq!(status, StatusCode::CREATED);
        tags.push(tag);
    }
    let ids = json!([tags[0]["id"], tags[1]["id"]]);
    let (status, changed) = bench.send(Method::PATCH, &path, &json!({"notes": "n", "tags": ids})).await;
    assert_eq!((status, &changed["notes"]), (StatusCode::OK, &json!("n")));
    assert_eq!(changed["tags"].as_array().unwrap().len(), 2);
    let (_, changed) = bench
        .send(Method::PATCH, &path, &json!({"alt": "a", "filename": "b.png", "tags": [tags[1]["id"]]}))
        .await;
    assert_eq!(
        (&changed["notes"], &changed["alt"], &changed["filename"]),
        (&json!("n"), &json!("a"), &json!("b.png"))
    );
    assert_eq!(changed["tags"][0]["name"], "press");
    assert_eq!(changed["url"], asset["url"], "the file keeps its address");
    let (status, refused) =
        bench.send(Method::PATCH, &path, &json!({"notes": "lost", "tags": ["unknown"]})).await;
    assert_eq!((status, &refused["code"]), (StatusCode::BAD_REQUEST, &json!("INVALID_TAGS")));
    assert_eq!(bench.assets("limit=1").await["items"][0], changed, "all of a change or nothing");
    let (_, cleared) = bench.send(Method::PATCH, &path, &json!({"notes": null, "tags": []})).await;
    assert_eq!((cleared.get("notes"), &cleared["tags"]), (None, &json!([])));
    for (body, status) in [(json!({"alt": "x".repeat(501)}), 400), (json!({"alt": 3}), 400), (json!([]), 400)]
    {
        assert_eq!(bench.send(Method::PATCH, &path, &body).await.0.as_u16(), status);
    }
    assert_eq!(bench.send(Method::PATCH, "asset-api/assets/none", &json!({})).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_deleted_asset_is_not_listed_and_its_file_stays_reachable() {
    let bench = bench();
    let mut assets = Vec::new();
    for name in ["a.png", "b.png", "c.png"] {
        assets.push(bench.upload(name, png(1, 1)).await);
    }
    let id = |at: usize| assets[at]["id"].as_str().unwrap();
    let path = format!("asset-api/assets/{}", id(0));
    assert_eq!(bench.send(Method::DELETE, &path, &Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(bench.send(Method::DELETE, &path, &Value::Null).await.0, StatusCode::NOT_FOUND);
    let url = assets[0]["url"].as_str().unwrap().split('?').next().unwrap();
    assert_eq!(bench.get(url).await.status(), StatusCode::OK);
    let listed = bench.assets(&format!("ids={}&ids={}", id(0), id(1))).await;
    assert_eq!((&listed["total"], &listed["missing_ids"]), (&json!(1), &json!([id(0)])));
    let bulk = "asset-api/assets/bulk-delete";
    let some = json!({"ids": [id(0), id(1)]});
    assert_eq!(bench.send(Method::POST, bulk, &some).await.0, StatusCode::NO_CONTENT);
    assert_eq!(bench.send(Method::POST, bulk, &some).await.0, StatusCode::NOT_FOUND, "none of them exist");
    assert_eq!(bench.send(Method::POST, bulk, &json!({"ids": "x"})).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(bench.assets("limit=9").await["total"], 1);
}

#[tokio::test]
async fn tags_are_unique_and_assets_follow_them() {
    let bench = bench();
    let asset = bench.upload("a.png", png(1, 1)).await;
    let id = asset["id"].as_str().unwrap();
    let (_, tag) = bench.send(Method::POST, "asset-api/tags", &json!({"name": "team"})).await;
    let path = format!("asset-api/tags/{}", tag["id"].as_str().unwrap());
    for (name, status) in [("team", 400), ("", 400), (&*"x".repeat(21), 400), ("x", 201)] {
        assert_eq!(
            bench.send(Method::POST, "asset-api/tags", &json!({"name": name})).await.0.as_u16(),
            status,
            "{name}"
        );
    }
    let members = format!("{path}/assets");
    assert_eq!(
        bench.send(Method::POST, &members, &json!({"assetIds": [id]})).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        bench.send(Method::POST, &members, &json!({"assetIds": ["none"]})).await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        bench.send(Method::PATCH, &path, &json!({"name": "x"})).await.0,
        StatusCode::BAD_REQUEST,
        "taken"
    );
    let (status, renamed) = bench.send(Method::PATCH, &path, &json!({"name": "people"})).await;
    assert_eq!((status, &renamed["name"]), (StatusCode::OK, &json!("people")));
    assert_eq!(bench.assets("limit=1").await["items"][0]["tags"][0]["name"], "people");
    let listed = value(bench.ask(Method::GET, "asset-api/tags").send().await.unwrap()).await;
    assert_eq!((&listed["items"][0]["count"], &listed["items"][1]["count"]), (&json!(1), &json!(0)));
    assert_eq!(
        bench.send(Method::DELETE, &members, &json!({"assetIds": [id]})).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(bench.assets("limit=1").await["items"][0]["tags"], json!([]));
    bench.send(Method::POST, &members, &json!({"assetIds": [id]})).await;
    assert_eq!(bench.send(Method::DELETE, &path, &Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(bench.send(Method::DELETE, &path, &Value::Null).await.0, StatusCode::NOT_FOUND);
    assert_eq!(bench.assets("limit=1").await["items"][0]["tags"], json!([]), "assets stay, without the tag");
}

#[tokio::test]
async fn the_library_is_searched_by_words_kinds_and_all_tags() {
    let bench = bench();
    let picture = bench.upload("harbour.png", png(1, 1)).await;
    bench.upload("menu.pdf", b"%PDF-1.4".to_vec()).await;
    let id = picture["id"].as_str().unwrap();
    let mut tags = Vec::new();
    for name in ["one", "two"] {
        let (_, tag) = bench.send(Method::POST, "asset-api/tags", &json!({"name": name})).await;
        tags.push(tag["id"].as_str().unwrap().to_owned());
    }
    bench
        .send(Method::PATCH, &format!("asset-api/assets/{id}"), &json!({"alt": "At Dawn", "tags": [tags[0]]}))
        .await;
    for (query, total) in [
        ("keyword=dawn".to_owned(), 1),
        ("keyword=HARBOUR".to_owned(), 1),
        ("keyword=pdf".to_owned(), 1),
        ("keyword=nothing".to_owned(), 0),
        ("assetType=document".to_owned(), 1),
        ("assetType=all".to_owned(), 2),
        (format!("tags={}", tags[0]), 1),
        (format!("tags={}&tags={}", tags[0], tags[1]), 0),
        ("uploaderId=sandbox".to_owned(), 2),
        ("uploaderId=other".to_owned(), 0),
    ] {
        assert_eq!(bench.assets(&query).await["total"], total, "{query}");
    }
    let uploaders = value(bench.ask(Method::GET, "asset-api/uploaders").send().await.unwrap()).await;
    assert_eq!(uploaders, json!({"items": [{"id": "sandbox"}]}));
}

#[tokio::test]
async fn a_token_for_one_api_does_not_open_the_others() {
    let limited_tokens = Api::ALL.map(|api| {
        let name = serde_json::to_value(api).unwrap();
        (Secret::new(name.as_str().unwrap()), BTreeSet::from([api]))
    });
    let options = RepositoryOptions { limited_tokens: limited_tokens.to_vec(), ..options(AccessMode::Open) };
    let bench = pages_with(json!({}), options);
    for (api, path, body) in [
        ("asset", "asset-api/tags", json!({"name": "tag"})),
        ("types", "types-api/customtypes/insert", json!({"id": "t", "json": {}})),
        ("migration", "migration-api/documents", super::page("a", "en-us", json!({}))),
    ] {
        let url = format!("{}/{path}", bench.server.base_url());
        let send = async |token: Option<&str>, repository: &str| {
            let mut request = bench.client.post(&url).header("repository", repository).body(body.to_string());
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            answer(request.send().await.unwrap()).await
        };
        assert_eq!(send(None, "acme").await.0, StatusCode::UNAUTHORIZED);
        for (token, repository) in
            [("asset", "acme"), ("types", "acme"), ("migration", "acme"), (api, "other")]
        {
            if token == api && repository == "acme" {
                continue;
            }
            let (status, refused) = send(Some(token), repository).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} with {token} for {repository}");
            let member = if api == "migration" { "Message" } else { "message" };
            assert!(refused[member].as_str().unwrap().contains("explicit deny"), "{refused}");
        }
        assert_eq!(send(Some(api), "acme").await.0, StatusCode::CREATED, "{path}");
    }
}
