//! `fetch`, `fetchLinks`, `graphQuery` and `routes` over HTTP. What each means is tested beside the
//! code; here that answers have it, together and within bounds.

use std::sync::Arc;

use prismvault::contentapi::{AccessMode, Document};
use prismvault::sandbox::Content;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::contentapi::zoo;
use crate::sandbox::{Bench, options};

const LAMP: (&str, &str) = ("q", r#"[[at(document.id, "A")]]"#);

async fn lamp(bench: &Bench, parameters: &[(&str, &str)]) -> Value {
    let (status, mut body) = bench.search(&[&[LAMP], parameters].concat()).await;
    assert_eq!(status, StatusCode::OK, "{parameters:?}: {body}");
    body["results"][0].take()
}

#[tokio::test]
async fn fields_of_documents_and_of_what_they_link_to_are_chosen() {
    let bench = Bench::new(zoo(), options(AccessMode::Open));
    let whole = lamp(&bench, &[]).await;
    let fetched = lamp(&bench, &[("fetch", "product.price,author.name")]).await;
    assert_eq!(fetched["data"], json!({"price": 10.0}));
    assert_eq!(fetched["uid"], whole["uid"]);

    let linked = lamp(&bench, &[("fetchLinks", "author.name,author.bio")]).await;
    assert_eq!(linked["data"]["maker"]["data"]["name"], "Ann O'Brass");
    assert_eq!(linked["data"]["price"], 10.0);
    // A link without type says too little to be of one.
    assert_eq!(linked["data"]["parts"], whole["data"]["parts"]);

    let graph = lamp(&bench, &[("graphQuery", "{product{price maker{...on author{name}}}}")]).await;
    assert_eq!(graph["data"]["maker"]["data"], json!({"name": "Ann O'Brass"}));
    assert_eq!(graph["data"].as_object().map(serde_json::Map::len), Some(2));
}

#[tokio::test]
async fn addresses_follow_the_routes_of_the_request() {
    let bench = Bench::new(zoo(), options(AccessMode::Open));
    let routes = json!([
        {"type": "author", "path": "/by/:uid"},
        {"type": "product", "path": "/:lang?/:maker?/:uid", "resolvers": {"maker": "maker"}},
    ])
    .to_string();
    let found = lamp(&bench, &[("routes", &routes)]).await;
    assert_eq!(found["url"], "/ann/lamp");
    assert_eq!(found["data"]["maker"].get("url"), None, "a link without uid and language has no path");
    let (_, body) = bench.search(&[("q", r#"[[at(document.id, "E")]]"#), ("routes", &routes)]).await;
    assert_eq!(body["results"][0]["url"], "/by/ann");
    // Together with a selection that leaves the field of the resolver out.
    let found = lamp(&bench, &[("routes", &routes), ("fetch", "product.price")]).await;
    assert_eq!((&found["url"], &found["data"]), (&json!("/ann/lamp"), &json!({"price": 10.0})));
    let (_, page) = bench.search(&[("routes", &routes), ("pageSize", "1")]).await;
    assert!(page["next_page"].as_str().is_some_and(|next| next.contains("routes=")), "{page}");
}

#[tokio::test]
async fn a_page_that_links_to_half_the_repository_is_refused() {
    let document = |id: &str, type_id: &str, data: Value| {
        let text = json!({"id": id, "uid": id, "type": type_id, "tags": [], "lang": "en-us", "slugs": [],
            "first_publication_date": null, "last_publication_date": null, "alternate_languages": [], "data": data});
        Arc::new(Document::parse(&text.to_string(), &[]).unwrap())
    };
    let links: Vec<Value> = (0..2_001)
        .map(|at| json!({"to": {"link_type": "Document", "id": format!("t{at}"), "type": "target", "isBroken": false}}))
        .collect();
    let documents = vec![document("page", "page", json!({"links": links}))];
    let bench = Bench::new(Content { documents, ..zoo() }, options(AccessMode::Open));
    let (status, body) = bench.search(&[("fetchLinks", "target.name")]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    assert!(body["message"].as_str().is_some_and(|message| message.contains("smaller page")), "{body}");
    let (status, _) = bench.search(&[("fetchLinks", "other.name")]).await;
    assert_eq!(status, StatusCode::OK, "nothing of these is needed");
}
