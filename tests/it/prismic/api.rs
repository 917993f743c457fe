//! Content and Types API: retries, pacing, refusals, and where tokens go.

use std::time::{Duration, Instant};

use prismvault::limits::Limits;
use prismvault::prismic::{Api, ContentApi, ErrorKind, Root, Search, TypesApi};
use prismvault::secret::Secret;
use serde_json::json;

use super::server::{Answering, Reply, Server, cut, gzip, http, impatient, json, limits, reply, shown};

const TOKEN: &str = "s3cret/tok+en";

fn root() -> serde_json::Value {
    json!({ "refs": [{ "id": "master", "ref": "m1", "label": "Master", "isMasterRef": true }],
            "languages": [{ "id": "en-us", "name": "English", "is_master": true }] })
}

fn page(total: u64) -> serde_json::Value {
    json!({ "page": 1, "results_per_page": 2, "results_size": 1, "total_results_size": total,
            "total_pages": total.div_ceil(2), "next_page": null,
            "results": [{ "id": "D", "href": "x?ref=m1", "url": null, "type": "page", "lang": "en-us", "data": { "n": "ten" } }] })
}

fn client(server: &Server, limits: Limits) -> ContentApi {
    ContentApi::new(http(limits), server.url("api/v2"), Some(Secret::new(TOKEN)))
}

/// Answers the first request with `first` and the others with the root.
async fn once(first: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |request| if request.number == 0 { first() } else { json(root()) }).await
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_in_every_form_of_retry_after() {
    for (header, at_least) in [
        (Some("0.05"), Duration::from_millis(50)),
        (Some("Sat, 21 Nov 2026 02:00:00 GMT"), Duration::from_millis(50)),
        (Some("Sat, 21 Nov 2020 02:00:00 GMT"), Duration::ZERO),
        (Some("0"), Duration::ZERO),
        (Some("in a while"), Duration::ZERO),
        (Some("-1"), Duration::ZERO),
        (None, Duration::ZERO),
    ] {
        let server = once(move || match header {
            Some(text) => reply(429, &[("Retry-After", text)], "{}"),
            None => reply(429, &[], ""),
        })
        .await;
        let api = client(&server, limits());
        let started = Instant::now();
        assert_eq!(api.root().await.expect("the second attempt").master_ref, "m1", "{header:?}");
        assert!(started.elapsed() >= at_least, "{header:?}");
        assert_eq!(server.count(), 2, "{header:?}");
    }
}

#[tokio::test]
async fn a_retry_after_beyond_the_limit_fails_at_once_and_says_so() {
    let server = Server::start(|_| reply(429, &[("Retry-After", "3600")], "")).await;
    let error = client(&server, limits()).root().await.expect_err("limited");
    assert_eq!((error.kind(), server.count()), (&ErrorKind::RateLimited, 1));
    assert!(error.to_string().contains("3600 s"), "{error}");
}

#[tokio::test]
async fn one_rate_limit_holds_all_repositories_of_the_host_back() {
    let server = once(|| reply(429, &[("Retry-After", "0.2")], "")).await;
    let http = http(Limits { request_attempts: 1, ..limits() });
    let first = ContentApi::new(http.clone(), server.url("one/api/v2"), None);
    let second = ContentApi::new(http.clone(), server.url("two/api/v2"), None);
    let started = Instant::now();
    assert_eq!(*first.root().await.expect_err("no further attempt").kind(), ErrorKind::RateLimited);
    assert!(second.root().await.is_ok());
    assert!(started.elapsed() >= Duration::from_millis(200));
    let waits = http.pacer_waits();
    assert_eq!(waits.len(), 1, "one pacer for the host: {waits:?}");
    assert!(waits[0].0.starts_with("Content API at 127.0.0.1:"), "{waits:?}");
    assert!(waits[0].1 >= Duration::from_millis(190) && waits[0].1 <= started.elapsed(), "{waits:?}");
    assert_eq!(http.request_counts().get(&Api::Content), Some(&2));
}

#[tokio::test]
async fn requests_are_spaced_over_all_clients_of_a_host() {
    let server = Server::start(|_| json(root())).await;
    let http = http(Limits { content_requests: 50.0, ..limits() });
    let started = Instant::now();
    let apis: Vec<_> =
        (0..15).map(|n| ContentApi::new(http.clone(), server.url(&format!("{n}/api/v2")), None)).collect();
    let roots = futures_util::future::join_all(apis.iter().map(ContentApi::root)).await;
    assert!(roots.iter().all(Result::is_ok));
    // A burst of five, then one every 20 ms.
    assert!(started.elapsed() >= Duration::from_millis(200), "{:?}", started.elapsed());
    assert!(http.pacer_waits()[0].1 <= started.elapsed());
}

#[tokio::test]
async fn failures_that_pass_are_tried_again() {
    let document_page = page(1);
    let failures: [(&str, Answering); 8] = [
        ("500", || reply(500, &[], "oops")),
        ("503", || reply(503, &[("Retry-After", "0.01")], "<html>")),
        ("408", || reply(408, &[], "")),
        ("hang up", || Reply::Raw(Vec::new())),
        ("garbage", || Reply::Raw(b"\0\0\0\r\n\r\n".to_vec())),
        ("cut", || cut(page(1))),
        ("cut JSON", || json(&page(1).to_string()[..40])),
        ("torn", || json(page(9))),
    ];
    for (name, failure) in failures {
        let answer = document_page.clone();
        let server =
            Server::start(move |request| if request.number == 0 { failure() } else { json(&answer) }).await;
        let found = client(&server, limits()).search(&Search::everything("m1", 2)).await;
        assert_eq!(found.expect(name).documents[0].id, "D", "{name}");
        assert_eq!(server.count(), 2, "{name}");
    }
}

#[tokio::test]
async fn a_server_that_stops_answering_is_asked_again() {
    let server = once(|| Reply::Hang).await;
    assert_eq!(client(&server, impatient()).root().await.expect("another attempt").master_ref, "m1");
    assert!(server.count() >= 2);
}

#[tokio::test]
async fn patience_ends_and_the_error_says_what_it_was() {
    let cases: [(&str, Answering, ErrorKind, usize); 9] = [
        ("false gzip", || reply(200, &[("Content-Encoding", "gzip")], "nonsense"), ErrorKind::BadAnswer, 4),
        ("500", || reply(500, &[], "oops"), ErrorKind::ServerError, 4),
        ("429", || reply(429, &[], ""), ErrorKind::RateLimited, 4),
        ("hang up", || Reply::Raw(Vec::new()), ErrorKind::Unreachable, 4),
        ("cut", || cut(root()), ErrorKind::Unreachable, 4),
        (
            "web page",
            || reply(200, &[("Content-Type", "text/html")], "<html>Log in"),
            ErrorKind::BadAnswer,
            3,
        ),
        ("nothing", || reply(200, &[], ""), ErrorKind::BadAnswer, 3),
        ("other JSON", || json("{\"hello\":1}"), ErrorKind::BadAnswer, 3),
        ("no repository", || reply(404, &[], ""), ErrorKind::RepositoryNotFound, 1),
    ];
    for (name, failure, kind, attempts) in cases {
        let server = Server::start(move |_| failure()).await;
        let error = client(&server, limits()).root().await.expect_err(name);
        assert_eq!((error.kind(), server.count()), (&kind, attempts), "{name}: {error}");
        assert!(!shown(&error).contains("s3cret"), "{name}: {error:?}");
        assert!(error.to_string().contains("/api/v2"), "{name}: {error}");
        assert!(error.hint().is_some(), "{name}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let server = Server::start(|_| Reply::Hang).await;
    let url = server.url("api/v2");
    drop(server);
    let api = ContentApi::new(http(limits()), url, Some(Secret::new(TOKEN)));
    let error = api.root().await.expect_err("nobody listens");
    assert_eq!(*error.kind(), ErrorKind::Unreachable);
    assert!(!shown(&error).contains("s3cret"), "{error:?}");
}

#[tokio::test]
async fn encryption_is_set_up_or_its_absence_told() {
    let server = Server::start(|_| Reply::Hang).await;
    let mut url = server.url("api/v2");
    url.set_scheme("https").expect("also a web scheme");
    drop(server);
    let error = ContentApi::new(http(limits()), url, None).root().await.expect_err("nobody listens");
    // The second on a machine without certificates.
    assert!(matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Local), "{error:?}");
}

#[tokio::test]
async fn compressed_answers_are_read_and_huge_ones_are_not() {
    let body = gzip(root().to_string().as_bytes());
    let server = Server::start(move |_| reply(200, &[("Content-Encoding", "gzip")], &body)).await;
    assert!(client(&server, limits()).root().await.is_ok());
    assert!(server.seen()[0].head.contains("accept-encoding: gzip"));

    for encoding in ["identity", "gzip"] {
        let server = Server::start(move |_| {
            let huge = vec![b' '; 100 << 10];
            let body = if encoding == "gzip" { gzip(&huge) } else { huge };
            reply(200, &[("Content-Encoding", encoding)], body)
        })
        .await;
        let error = client(&server, limits()).root().await.expect_err("too large");
        assert_eq!((error.kind(), server.count()), (&ErrorKind::TooLarge, 1), "{encoding}");
    }
}

#[tokio::test]
async fn a_ref_that_is_gone_is_told_with_the_current_one() {
    let message = "Ref not found. Ensure you have the correct ref and try again. Master ref is: m2";
    let body = json!({ "type": "api_notfound_error", "message": message });
    let server = Server::start(move |_| reply(404, &[], body.to_string())).await;
    let error = client(&server, limits()).search(&Search::everything("m1", 2)).await.expect_err("gone");
    assert_eq!(*error.kind(), ErrorKind::RefUnavailable { current: Some("m2".to_owned()) });
    assert!(error.is_ref_unavailable() && server.count() == 1);
}

#[tokio::test]
async fn a_token_goes_to_its_own_api_and_nowhere_else() {
    let elsewhere = Server::start(|_| json(root())).await;
    let target = elsewhere.url.to_string();
    let server = Server::start(move |_| reply(302, &[("Location", &target)], "")).await;
    let error = client(&server, limits()).root().await.expect_err("a redirect");
    assert_eq!((error.kind(), server.count()), (&ErrorKind::BadAnswer, 1));
    assert!(error.to_string().contains("redirect"), "{error}");
    let types = TypesApi::new(http(limits()), server.url("types"), "acme", Secret::new(TOKEN));
    assert!(types.slices().await.is_err());
    assert_eq!(elsewhere.count(), 0);

    // Tags that the root places on another origin are asked for at the endpoint.
    let server = Server::start(|_| json("[\"a\"]")).await;
    let api = client(&server, limits());
    let mut tagged: Root = once_root(&server).await;
    tagged.tags_url = Some(elsewhere.url("api/tags"));
    assert_eq!(api.tags(&tagged).await.expect("tags").tags, ["a"]);
    assert_eq!(elsewhere.count(), 0);
    let asked = server.seen().pop().expect("a request");
    assert!(asked.target.starts_with("/api/tags?"), "{}", asked.target);
    assert_eq!(asked.parameter("access_token").as_deref(), Some(TOKEN));
    assert!(!asked.head.contains("authorization"));
}

/// A root that was read from some server.
async fn once_root(_: &Server) -> Root {
    let server = Server::start(|_| json(root())).await;
    client(&server, limits()).root().await.expect("a root")
}

#[tokio::test]
async fn a_repository_without_tags_has_an_empty_list_of_them() {
    let server = Server::start(|_| reply(404, &[], "")).await;
    let tags = client(&server, limits()).tags(&once_root(&server).await).await.expect("no tags");
    assert_eq!((tags.bytes.as_ref(), tags.tags.len()), (&b"[]"[..], 0));
}

#[tokio::test]
async fn a_search_asks_for_everything_at_one_ref() {
    let server = Server::start(|_| json(page(1))).await;
    let search = Search {
        integration_fields_ref: Some("i1".to_owned()),
        predicates: vec![prismvault::prismic::predicate::in_ids(&["D", "E"])],
        ..Search::everything("r1~m1", 2)
    };
    let found = client(&server, limits()).search(&search).await.expect("a page");
    assert!(!String::from_utf8_lossy(&found.documents[0].bytes).contains("href"));
    let asked = server.seen().pop().expect("a request");
    for (key, value) in [
        ("ref", "r1~m1"),
        ("lang", "*"),
        ("page", "1"),
        ("pageSize", "2"),
        ("orderings", "[document.first_publication_date]"),
        ("q", r#"[[in(document.id, ["D", "E"])]]"#),
        ("integrationFieldsRef", "i1"),
        ("access_token", TOKEN),
    ] {
        assert_eq!(asked.parameter(key).as_deref(), Some(value), "{key}");
    }
    assert!(asked.target.starts_with("/api/v2/documents/search?"));
}

#[tokio::test]
async fn a_large_page_is_read_as_well() {
    let text = "x".repeat(700);
    let documents: Vec<_> = (0..100)
        .map(|n| json!({ "id": format!("D{n}"), "type": "page", "lang": "en", "data": { "t": text } }))
        .collect();
    let body = json!({ "page": 1, "results_per_page": 100, "results_size": 100, "total_results_size": 100,
                       "total_pages": 1, "next_page": null, "results": documents });
    let server = Server::start(move |_| json(&body)).await;
    let api = client(&server, Limits { answer_bytes_max: 1 << 20, ..limits() });
    assert_eq!(api.search(&Search::everything("m1", 100)).await.expect("a page").documents.len(), 100);
}

#[tokio::test]
async fn models_are_kept_as_they_are_sent() {
    let server = Server::start(|request| match request.target.as_str() {
        "/customtypes" => json(r#"[ {"id":"page" , "json":{"z":1,"a":10.0}}, {"id":"post"} ]"#),
        _ => json("[{\"no id\":1}]"),
    })
    .await;
    let api = TypesApi::new(http(limits()), server.url(""), "acme", Secret::new(TOKEN));
    let models = api.custom_types().await.expect("models");
    assert_eq!(models[0].bytes, r#"{"id":"page" , "json":{"z":1,"a":10.0}}"#);
    assert_eq!(models[1].id, "post");
    let asked = server.seen().pop().expect("a request");
    assert!(
        asked.head.contains("authorization: bearer s3cret/tok+en\r\n")
            && asked.head.contains("repository: acme\r\n")
    );
    assert!(!asked.target.contains("token"));
    assert_eq!(*api.slices().await.expect_err("no model").kind(), ErrorKind::BadAnswer);
}

#[tokio::test]
async fn a_write_token_that_is_refused_is_told_without_its_text() {
    for (status, kind) in [(401, ErrorKind::Unauthorized), (403, ErrorKind::Forbidden)] {
        let server = Server::start(move |_| reply(status, &[], format!("bad {TOKEN}"))).await;
        let api = TypesApi::new(http(limits()), server.url(""), "acme", Secret::new(TOKEN));
        let error = api.slices().await.expect_err("refused");
        assert_eq!((error.kind(), server.count()), (&kind, 1));
        assert!(!shown(&error).contains("s3cret"), "{error:?}");
    }
    let server = Server::start(|_| json("[]")).await;
    let api = TypesApi::new(http(limits()), server.url(""), "acme", Secret::new("two\nlines"));
    assert_eq!(*api.slices().await.expect_err("no header").kind(), ErrorKind::Unauthorized);
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_dropped_request_leaves_the_client_usable() {
    let server = once(|| Reply::Hang).await;
    let api = client(&server, limits());
    assert!(tokio::time::timeout(Duration::from_millis(50), api.root()).await.is_err());
    assert_eq!(api.root().await.expect("the next one").master_ref, "m1");
}
