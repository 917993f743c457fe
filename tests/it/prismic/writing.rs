//! Writes to a server that misbehaves: nothing is sent twice that may have happened.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::time::Duration;

use bytes::Bytes;
use prismvault::limits::Limits;
use prismvault::prismic::write::{DocumentContent, ModelKind, NewDocument, Upload};
use prismvault::prismic::{AssetData, Endpoints, ErrorKind, PrismicError, RepositoryWriter};
use prismvault::secret::Secret;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use super::server::{Answering, Reply, Server, cut, http, impatient, json, limits, reply, shown};

const TOKEN: &str = "s3cret/tok+en";

fn writer_at(url: Url, limits: Limits) -> RepositoryWriter {
    let endpoints = Endpoints {
        content_api: url.clone(),
        asset_api: url.clone(),
        types_api: url.clone(),
        migration_api: url,
    };
    RepositoryWriter::new(http(limits), &endpoints, "acme", Secret::new(TOKEN))
}

fn writer(server: &Server, limits: Limits) -> RepositoryWriter {
    writer_at(server.url.clone(), limits)
}

fn document() -> NewDocument {
    NewDocument {
        title: "Private".to_owned(),
        type_: "page".to_owned(),
        lang: "en-us".to_owned(),
        uid: Some("private".to_owned()),
        tags: Vec::new(),
        alternate_language_id: None,
        data: json!({"text": "private"}).as_object().cloned().expect("an object"),
    }
}

fn content() -> DocumentContent {
    let NewDocument { title, uid, tags, data, .. } = document();
    DocumentContent { title, uid, tags, data }
}

fn created() -> Reply {
    json(json!({"id": "new", "type": "page", "lang": "en-us", "title": "Private"}))
}

/// Answers the first request with `first` and the others well.
async fn once(first: Answering) -> Server {
    Server::start(move |request| if request.number == 0 { first() } else { created() }).await
}

fn is_clean(error: &PrismicError) {
    let shown = shown(error);
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(!shown.to_lowercase().contains("private"), "{shown}");
}

/// Failures after which nobody knows.
const UNKNOWN: &[(&str, ErrorKind, Answering)] = &[
    ("500", ErrorKind::ServerError, || reply(500, &[], "{}")),
    ("a page of a gateway", ErrorKind::ServerError, || reply(502, &[], "<html>Bad gateway</html>")),
    ("503 that asks to wait", ErrorKind::ServerError, || reply(503, &[("Retry-After", "0")], "{}")),
    ("408", ErrorKind::ServerError, || reply(408, &[], "{}")),
    ("no answer", ErrorKind::Unreachable, || Reply::Raw(Vec::new())),
    ("half a head", ErrorKind::Unreachable, || Reply::Raw(b"HTTP/1.1 201 Cre".to_vec())),
    ("half a body", ErrorKind::Unreachable, || cut(json!({"id": "new", "type": "page"}))),
    ("silence", ErrorKind::Unreachable, || Reply::Hang),
    ("no JSON", ErrorKind::BadAnswer, || reply(201, &[], "created")),
    ("no id", ErrorKind::BadAnswer, || reply(201, &[], "{}")),
    ("an id that is a path", ErrorKind::BadAnswer, || reply(201, &[], r#"{"id":".."}"#)),
    ("a page", ErrorKind::BadAnswer, || reply(200, &[], "<html>Log in</html>")),
    ("too much", ErrorKind::TooLarge, || reply(201, &[], vec![b' '; 100 << 10])),
    ("a redirect", ErrorKind::BadAnswer, || reply(303, &[("Location", "/elsewhere")], "")),
];

#[tokio::test]
async fn what_may_have_happened_is_said_and_not_done_again() {
    for (what, kind, first) in UNKNOWN {
        let server = once(*first).await;
        let limits = if *what == "silence" { impatient() } else { limits() };
        let error = writer(&server, limits).create_document(&document()).await.expect_err("unknown");
        assert_eq!((error.kind(), error.may_have_happened()), (kind, true), "{what}: {error}");
        assert_eq!(server.count(), 1, "{what}");
        is_clean(&error);
    }
}

#[tokio::test]
async fn what_says_how_something_shall_be_is_sent_again_like_a_read() {
    for (what, _, first) in UNKNOWN.iter().filter(|(what, ..)| !what.contains("id") && *what != "no JSON") {
        if ["a page", "too much", "a redirect"].contains(what) {
            continue;
        }
        let server = once(*first).await;
        let limits = if *what == "silence" { impatient() } else { limits() };
        writer(&server, limits)
            .replace_document("D", &content())
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(server.count(), 2, "{what}");
        assert_eq!(server.seen()[0].body, server.seen()[1].body, "{what}");
    }
}

#[tokio::test]
async fn what_was_refused_did_not_happen_and_tells_why() {
    for (answer, kind, words) in [
        ((409, r#"{"message":"exists"}"#), ErrorKind::Conflict, "exists"),
        ((400, r#"{"message":"A document with this UID already exists"}"#), ErrorKind::Conflict, "UID"),
        (
            (
                400,
                r#"{"message":"Bad","details":[{"property":"uid","value":"jane","error":"already exists"}]}"#,
            ),
            ErrorKind::Conflict,
            "Bad",
        ),
        ((400, r#"{"message":"title is missing"}"#), ErrorKind::BadRequest, "title is missing"),
        ((422, r#"{"error":"odd"}"#), ErrorKind::BadRequest, "odd"),
        ((413, ""), ErrorKind::TooLarge, "bytes"),
        ((404, r#"{"message":"no Route matched with those values"}"#), ErrorKind::NotFound, "no Route"),
        ((401, "Unauthorized s3cret/tok+en"), ErrorKind::Unauthorized, "Unauthorized …"),
        ((403, r#"{"Message":"User is not authorized"}"#), ErrorKind::Forbidden, "User is not"),
    ] {
        let server = Server::start(move |_| reply(answer.0, &[], answer.1)).await;
        let error = writer(&server, limits()).create_document(&document()).await.expect_err("refused");
        assert_eq!((error.kind(), error.may_have_happened()), (&kind, false), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(server.count(), 1, "{error}");
        is_clean(&error);
    }
}

#[tokio::test]
async fn mistakes_are_told_by_place_and_never_by_value() {
    let body =
        r#"{"message":"Bad","details":[{"property":"data.select","value":"jane","error":"not an option"}]}"#;
    let server = Server::start(move |_| reply(400, &[], body)).await;
    let error = writer(&server, limits()).replace_document("D", &content()).await.expect_err("refused");
    let [mistake] = error.mistakes() else { panic!("{error:?}") };
    assert_eq!((mistake.property.as_str(), mistake.error.as_str()), ("data.select", "not an option"));
    assert!(!shown(&error).contains("jane"));
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_by_every_write() {
    for header in [None, Some("0.02")] {
        let server = Server::start(move |request| match (request.number, header) {
            (0 | 1, Some(text)) => reply(429, &[("Retry-After", text)], "{}"),
            (0 | 1, None) => reply(429, &[], r#"{"message":"API rate limit exceeded"}"#),
            _ => created(),
        })
        .await;
        let writer = writer(&server, limits());
        assert_eq!(writer.create_document(&document()).await.expect("the third attempt"), "new");
        assert_eq!(server.count(), 3);
    }
    let server = Server::start(|_| reply(429, &[("Retry-After", "3600")], "{}")).await;
    let error = writer(&server, limits()).create_document(&document()).await.expect_err("too long");
    assert_eq!((error.kind(), error.may_have_happened()), (&ErrorKind::RateLimited, false));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_did_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    for scheme in ["http", "https"] {
        let url = format!("{scheme}://{address}/").parse().expect("valid");
        let error = writer_at(url, limits()).create_document(&document()).await.expect_err("nobody");
        assert!(!error.may_have_happened(), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_gets_neither_token_nor_content() {
    let other = Server::start(|_| created()).await;
    let target = other.url("documents").to_string();
    for status in [301, 302, 307, 308] {
        let to = target.clone();
        let server = Server::start(move |_| reply(status, &[("Location", &to)], "")).await;
        let writer = writer(&server, limits());
        writer.create_document(&document()).await.expect_err("not followed");
        writer.replace_document("D", &content()).await.expect_err("not followed");
        assert_eq!(server.count(), 2, "{status}");
    }
    assert_eq!(other.count(), 0);
}

#[tokio::test]
async fn requests_have_the_form_of_the_apis() {
    let server = Server::start(|_| json(json!({"id": "new", "totalItems": 3}))).await;
    let writer = writer(&server, limits());
    writer.create_document(&document()).await.expect("made");
    writer.replace_document("a/b", &content()).await.expect("replaced");
    assert_eq!(writer.publish().await.expect("published"), 3);
    let model = Bytes::from_static(b"{ \"id\":\"page\" ,\"json\":{}}");
    writer.insert_model(ModelKind::CustomType, model.clone()).await.expect("inserted");
    writer.update_model(ModelKind::SharedSlice, model.clone()).await.expect("updated");
    let seen = server.seen();
    let lines: Vec<&str> = seen.iter().filter_map(|request| request.head.lines().next()).collect();
    assert_eq!(
        lines,
        [
            "post /documents http/1.1",
            "put /documents/a%2fb http/1.1",
            "post /migration-release/publish http/1.1",
            "post /customtypes/insert http/1.1",
            "post /slices/update http/1.1",
        ]
    );
    for request in &seen {
        for line in
            ["repository: acme", "authorization: bearer s3cret/tok+en", "content-type: application/json"]
        {
            assert!(request.head.contains(line), "{line}: {}", request.head);
        }
    }
    assert_eq!(seen[3].body, model, "models go as they are");
    assert_eq!(seen[2].body, b"{}");
}

/// A file of so many zeros.
fn file(len: u64) -> AssetData {
    let mut file = tempfile::tempfile().expect("a file");
    file.set_len(len).expect("room");
    // Its place does not matter.
    file.seek(SeekFrom::End(0)).expect("the end");
    file.flush().expect("written");
    AssetData::File(file)
}

fn upload(data: &AssetData, len: u64) -> Upload<'_> {
    Upload { filename: "private.bin", data, len, media_type: None, alt: "", credits: "", notes: "" }
}

/// Handles connections by `serve`, and counts them.
async fn raw<F>(
    serve: fn(TcpStream) -> F,
) -> (Url, JoinSet<()>, std::sync::Arc<std::sync::atomic::AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound")).parse().expect("valid");
    let count = std::sync::Arc::<std::sync::atomic::AtomicUsize>::default();
    let counted = std::sync::Arc::clone(&count);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            connections.spawn(serve(stream));
        }
    });
    (url, tasks, count)
}

const LARGE: u64 = 64 << 20;

#[tokio::test]
async fn an_upload_that_was_cut_before_its_end_is_sent_again() {
    let (url, _tasks, count) = raw(|mut stream: TcpStream| async move {
        let _outcome = stream.read(&mut [0; 1024]).await;
    })
    .await;
    let data = file(LARGE);
    let error = writer_at(url, limits()).upload_asset(upload(&data, LARGE)).await.expect_err("cut");
    assert_eq!((error.kind(), error.may_have_happened()), (&ErrorKind::Unreachable, false), "{error}");
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 4, "as often as the limits allow");
    is_clean(&error);
}

#[tokio::test]
async fn an_upload_ends_by_silence() {
    let limits = Limits { upload_silence: Duration::from_millis(300), request_attempts: 1, ..limits() };
    // Takes some of it, and then nothing more.
    let (url, _tasks, _) = raw(|mut stream: TcpStream| async move {
        let _outcome = stream.read(&mut [0; 1024]).await;
        std::future::pending::<()>().await;
    })
    .await;
    let data = file(LARGE);
    let error = writer_at(url, limits.clone()).upload_asset(upload(&data, LARGE)).await.expect_err("silence");
    assert_eq!((error.kind(), error.may_have_happened()), (&ErrorKind::Unreachable, false), "{error}");
    // Takes all of it and does not answer.
    let (url, _tasks, _) = raw(|mut stream: TcpStream| async move {
        while stream.read(&mut [0; 1 << 16]).await.is_ok_and(|n| n > 0) {}
    })
    .await;
    let error = writer_at(url, limits).upload_asset(upload(&data, 1000)).await.expect_err("silence");
    assert_eq!((error.kind(), error.may_have_happened()), (&ErrorKind::Unreachable, true), "{error}");
}

#[tokio::test]
async fn an_upload_over_a_slow_line_may_take_longer_than_an_answer() {
    let (url, _tasks, count) = raw(|mut stream: TcpStream| async move {
        let mut left = LARGE;
        let mut buffer = vec![0; 4 << 20];
        // The head is a few bytes more, which nobody waits for.
        while left > 0 {
            let Ok(taken @ 1..) = stream.read(&mut buffer).await else { return };
            let before = left >> 22;
            left = left.saturating_sub(taken as u64);
            // Each four megabytes take some time: together more than an answer may.
            if left >> 22 != before {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let body = r#"{"id":"A","url":"https://images.prismic.io/acme/A_x.png?auto=format","size":67108864}"#;
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        let _outcome = stream.write_all(format!("{head}{body}").as_bytes()).await;
        let _outcome = stream.shutdown().await;
        while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
    })
    .await;
    let limits = Limits {
        read_timeout: Duration::from_millis(200),
        answer_timeout: Duration::from_millis(200),
        upload_silence: Duration::from_secs(20),
        ..limits()
    };
    let data = file(LARGE);
    let uploaded = writer_at(url, limits).upload_asset(upload(&data, LARGE)).await.expect("patience");
    assert_eq!((uploaded.id.as_str(), uploaded.size), ("A", Some(LARGE)));
    assert_eq!(uploaded.url.as_ref().map(Url::as_str), Some("https://images.prismic.io/acme/A_x.png"));
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_file_that_is_shorter_than_was_said_is_not_uploaded() {
    let server = Server::start(|_| created()).await;
    let data = file(1000);
    let error = writer(&server, limits()).upload_asset(upload(&data, 1001)).await.expect_err("too short");
    assert_eq!((error.kind(), error.may_have_happened()), (&ErrorKind::Local, false), "{error}");
    assert_eq!(server.count(), 0, "no request arrived whole");
}

#[tokio::test]
async fn a_tag_that_may_have_been_made_is_looked_for() {
    for (first, found) in [
        ((|| Reply::Raw(Vec::new())) as Answering, true),
        (|| reply(400, &[], r#"{"error":"a tag with this name exists"}"#), true),
        (|| reply(500, &[], ""), false),
    ] {
        let server = Server::start(move |request| match (request.number, found) {
            (0, _) => first(),
            (_, true) => {
                json(json!({"items": [{"id": "T0", "name": "other"}, {"id": "T1", "name": "press"}]}))
            }
            (_, false) => json(json!({"items": []})),
        })
        .await;
        let tag = writer(&server, limits()).create_asset_tag("press").await;
        match tag {
            Ok(tag) => assert_eq!((tag.id.as_str(), found), ("T1", true)),
            Err(error) => assert_eq!((error.may_have_happened(), found), (true, false), "{error}"),
        }
        assert_eq!(server.count(), 2, "once made, once looked for");
    }
}
