//! What nobody should send: it is refused soon, and the sandbox goes on.

use prismvault::contentapi::AccessMode;
use prismvault::sandbox::{RepositoryOptions, WriteBounds};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Writing as _, answer, page, pages, pages_with, title};
use crate::sandbox::{Bench, options};

/// Every address that takes a body, with its method.
const WRITES: [(Method, &str); 10] = [
    (Method::POST, "asset-api/assets"),
    (Method::PATCH, "asset-api/assets/x"),
    (Method::POST, "asset-api/assets/bulk-delete"),
    (Method::POST, "asset-api/tags"),
    (Method::POST, "asset-api/tags/x/assets"),
    (Method::POST, "types-api/customtypes/insert"),
    (Method::POST, "types-api/bulk-update"),
    (Method::POST, "migration-api/documents"),
    (Method::PUT, "migration-api/documents/x"),
    (Method::POST, "migration-api/migration-release/publish"),
];

async fn send(
    bench: &Bench,
    method: &Method,
    path: &str,
    content_type: &str,
    body: Vec<u8>,
) -> (StatusCode, Value) {
    let request = bench.ask(method.clone(), path).header("content-type", content_type).body(body);
    answer(request.send().await.unwrap()).await
}

#[tokio::test]
async fn bodies_that_are_nothing_are_refused_everywhere() {
    let bench = pages(json!({}), &[]);
    let deep = "[".repeat(200_000).into_bytes();
    let nested = format!("{{\"data\":{}1{}}}", "{\"a\":".repeat(5000), "}".repeat(5000)).into_bytes();
    for body in [Vec::new(), b"{".to_vec(), b"\xff\xfe".to_vec(), deep, nested] {
        for (method, path) in WRITES {
            let (status, answer) = send(&bench, &method, path, "application/json", body.clone()).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{method} {path} {answer}");
        }
    }
    for body in [b"null".to_vec(), b"[]".to_vec(), b"3".to_vec()] {
        for (method, path) in WRITES.into_iter().filter(|(_, path)| !path.ends_with("publish")) {
            let (status, answer) = send(&bench, &method, path, "application/json", body.clone()).await;
            assert!(status.is_client_error(), "{method} {path} {answer}");
        }
    }
    bench.create(&page("a", "en-us", json!({}))).await;
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused_without_being_kept() {
    let writing = WriteBounds { body_bytes_max: 50_000, asset_bytes_max: 100_000, ..WriteBounds::default() };
    let bench = pages_with(json!({}), RepositoryOptions { writing, ..options(AccessMode::Open) });
    for (method, path) in WRITES {
        let (status, answer) =
            send(&bench, &method, path, "multipart/form-data; boundary=x", vec![b'1'; 180_000]).await;
        match path {
            // Within twice what is taken it is read to its end, so that the answer is heard.
            "asset-api/assets" => assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{answer}"),
            _ => continue,
        }
    }
    for (method, path) in WRITES.into_iter().filter(|(_, path)| *path != "asset-api/assets") {
        let (status, answer) = send(&bench, &method, path, "application/json", vec![b'1'; 90_000]).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{method} {path} {answer}");
    }
    // Who goes on for ever hears the refusal, or loses the connection.
    let endless = bench.ask(Method::POST, "migration-api/documents").body(vec![b' '; 20 << 20]).send().await;
    if let Ok(response) = endless {
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
    bench.create(&page("a", "en-us", json!({}))).await;
}

#[tokio::test]
async fn forms_that_are_none_are_refused() {
    let bench = pages(json!({}), &[]);
    let part = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nbytes\r\n";
    for (content_type, body) in [
        ("multipart/form-data", "--x--".to_owned()),
        ("multipart/form-data; boundary=", "----".to_owned()),
        ("multipart/form-data; boundary=x", part.to_owned()),
        ("multipart/form-data; boundary=x", format!("{part}--x")),
        ("multipart/form-data; boundary=y", format!("{part}--x--")),
        ("multipart/form-data; boundary=x", format!("{}--x--", part.repeat(1000))),
        ("multipart/form-data; boundary=x", "--x\r\n\r\n\r\n--x--".to_owned()),
        ("application/octet-stream", format!("{part}--x--")),
    ] {
        let (status, answer) =
            send(&bench, &Method::POST, "asset-api/assets", content_type, body.into_bytes()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{content_type} {answer}");
    }
    let good = format!("{part}--x--\r\n").into_bytes();
    let (status, asset) =
        send(&bench, &Method::POST, "asset-api/assets", "multipart/form-data; boundary=x", good).await;
    assert_eq!((status, &asset["size"]), (StatusCode::OK, &json!(5)));
}

#[tokio::test]
async fn long_lists_are_taken_or_refused_in_bounded_time() {
    let group = json!({"type": "Group", "config": {"fields": {"t": {"type": "Text"}}}});
    let fields =
        json!({"group": group, "text": {"type": "StructuredText", "config": {"multi": "paragraph"}}});
    let bench = pages(fields, &[]);
    let many: Vec<Value> = (0..50_000).map(|number| json!(format!("id{number}"))).collect();
    let (status, _) = bench.send(Method::POST, "asset-api/assets/bulk-delete", &json!({"ids": many})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (_, tag) = bench.send(Method::POST, "asset-api/tags", &json!({"name": "tag"})).await;
    let path = format!("asset-api/tags/{}/assets", tag["id"].as_str().unwrap());
    assert_eq!(bench.send(Method::POST, &path, &json!({"assetIds": many})).await.0, StatusCode::BAD_REQUEST);
    let items = vec![json!({"t": 3}); 20_000];
    let (status, answer) = bench
        .send(Method::POST, "migration-api/documents", &page("a", "en-us", json!({"group": items})))
        .await;
    assert_eq!(
        (status, answer["details"].as_array().unwrap().len()),
        (StatusCode::BAD_REQUEST, 50),
        "the first mistakes"
    );
    let spans = vec![json!({"type": "em", "start": 0, "end": 1}); 20_000];
    let text = json!([{"type": "paragraph", "text": "x", "spans": spans}]);
    let id = bench
        .create(&page(
            "a",
            "en-us",
            json!({"group": vec![json!({"t": "x"}); 20_000], "text": text, "title": title("T")}),
        ))
        .await;
    bench.publish().await;
    assert_eq!(bench.live(&id).await["data"]["group"].as_array().unwrap().len(), 20_000);
}
