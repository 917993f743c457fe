//! Asset API and downloads: the end of a list, hostile addresses, large and broken files.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prismvault::limits::Limits;
use prismvault::prismic::{
    AssetApi, AssetBytes, AssetData, AssetHosts, AssetList, ContentApi, Downloader, Endpoints, ErrorKind,
    Result, Search,
};
use prismvault::secret::Secret;
use serde_json::json;
use url::Url;

use super::server::{
    Answering, Reply, Request, Server, cut, gzip, http, impatient, json, limits, reply, shown,
};

/// A library of `count` assets that serves at most `page` at once.
fn library(request: &Request, count: usize, page: usize, total: Option<usize>) -> Reply {
    let asked: usize = request.parameter("limit").expect("a limit").parse().expect("a number");
    let start =
        request.parameter("cursor").map_or(0, |cursor| cursor[1..].parse::<usize>().expect("ours") + 1);
    let ids: Vec<_> = (start..count.min(start + page.min(asked))).map(|n| format!("a{n}")).collect();
    let mut body =
        json!({ "items": ids.iter().map(|id| json!({ "id": id, "size": 1 })).collect::<Vec<_>>() });
    if let Some(total) = total {
        body["total"] = json!(total);
    }
    if let Some(last) = ids.last() {
        body["cursor"] = json!(last);
    }
    json(body)
}

async fn listed(server: &Server) -> Result<AssetList> {
    let api = AssetApi::new(http(limits()), server.url(""), "acme", Secret::new("tok"));
    api.list(|_, _| {}).await
}

#[tokio::test]
async fn a_list_is_read_to_its_end_however_the_server_pages() {
    // The client asks for pages of three.
    for (count, page, total, requests) in [
        (0, 3, Some(0), 1),
        (2, 3, Some(2), 1),
        (3, 3, Some(3), 2),
        (7, 3, Some(7), 3),
        (7, 3, None, 4),
        (7, 2, Some(7), 4),
        (7, 2, None, 5),
        (7, 1, Some(7), 7),
        // A total that is capped or too small must not end the list.
        (7, 3, Some(3), 3),
    ] {
        let server = Server::start(move |request| library(request, count, page, total)).await;
        let list = listed(&server).await.expect("a list");
        let ids: Vec<_> = list.assets.iter().map(|asset| asset.id.clone()).collect();
        assert_eq!(ids, (0..count).map(|n| format!("a{n}")).collect::<Vec<_>>(), "{count} {page} {total:?}");
        assert_eq!(server.count(), requests, "{count} {page} {total:?}");
        assert_eq!(list.missing(), 0);
    }
}

#[tokio::test]
async fn a_list_that_is_shorter_than_its_total_is_reported() {
    let server = Server::start(|request| library(request, 5, 3, Some(8))).await;
    let list = listed(&server).await.expect("a list");
    assert_eq!((list.assets.len(), list.missing()), (5, 3));
}

#[tokio::test]
async fn an_asset_that_two_pages_show_is_listed_once() {
    let server = Server::start(|request| match request.number {
        0 => {
            json(json!({ "items": [{ "id": "a" }, { "id": "b" }, { "id": "c" }], "total": 3, "cursor": "c" }))
        }
        1 => json(json!({ "items": [{ "id": "c" }, { "id": "d" }], "total": 4, "cursor": "d" })),
        _ => json(json!({ "items": [] })),
    })
    .await;
    let ids: Vec<_> =
        listed(&server).await.expect("a list").assets.into_iter().map(|asset| asset.id).collect();
    assert_eq!(ids, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn a_cursor_that_does_not_move_ends_the_listing_with_an_error() {
    let server = Server::start(|_| {
        json(json!({ "items": [{ "id": "a" }, { "id": "b" }, { "id": "c" }], "cursor": "c" }))
    })
    .await;
    let error = listed(&server).await.expect_err("endless");
    assert_eq!((error.kind(), server.count()), (&ErrorKind::BadAnswer, 2));
}

#[tokio::test]
async fn a_refused_cursor_starts_the_listing_again_a_bounded_number_of_times() {
    let refuse = || reply(400, &[], r#"{"code":"invalid_cursor","message":"no such cursor"}"#);
    let server = Server::start(
        move |request| if request.number == 1 { refuse() } else { library(request, 5, 3, Some(5)) },
    )
    .await;
    assert_eq!(listed(&server).await.expect("a list").assets.len(), 5);
    assert_eq!(server.count(), 4);

    let server = Server::start(move |request| {
        if request.parameter("cursor").is_some() { refuse() } else { library(request, 5, 3, Some(5)) }
    })
    .await;
    assert_eq!(*listed(&server).await.expect_err("never").kind(), ErrorKind::BadRequest);
    assert_eq!(server.count(), 8);
}

#[tokio::test]
async fn progress_hears_of_each_page_and_tags_are_kept_as_sent() {
    let server = Server::start(|request| {
        if request.target == "/tags" {
            json(r#"{"items": [ {"id":"t"} ]}"#)
        } else {
            library(request, 4, 3, Some(4))
        }
    })
    .await;
    let api = AssetApi::new(http(limits()), server.url(""), "acme", Secret::new("tok"));
    let mut heard = Vec::new();
    api.list(|count, total| heard.push((count, total))).await.expect("a list");
    assert_eq!(heard, [(3, Some(4)), (4, Some(4))]);
    assert_eq!(api.tags().await.expect("tags"), r#"{"items": [ {"id":"t"} ]}"#);
    assert!(server.seen().iter().all(|request| request.head.contains("repository: acme")));
}

fn downloader(server: &Server, limits: Limits) -> Downloader {
    downloader_with(limits, std::slice::from_ref(&server.url))
}

fn downloader_with(limits: Limits, urls: &[Url]) -> Downloader {
    let endpoints = Endpoints::for_repository("acme-blog").expect("a name");
    let hosts: Vec<_> = urls.iter().map(|url| format!("127.0.0.1:{}", url.port().expect("a port"))).collect();
    Downloader::new(http(limits), AssetHosts::new(&endpoints, &hosts), std::env::temp_dir())
}

fn read(bytes: &AssetBytes) -> Vec<u8> {
    let mut all = Vec::new();
    bytes.reader().read_to_end(&mut all).expect("readable");
    assert_eq!(all.len() as u64, bytes.len);
    all
}

#[tokio::test]
async fn the_original_is_fetched_without_query_compression_or_token() {
    let server = Server::start(|_| reply(200, &[("Content-Type", "image/png")], "bytes")).await;
    let url = server.url("acme%2FZoQE4h5LeNNTwtnO_a.png?auto=format#x");
    let bytes = downloader(&server, limits()).download(&url, Some(5)).await.expect("bytes");
    assert_eq!((read(&bytes).as_slice(), bytes.content_type.as_deref()), (&b"bytes"[..], Some("image/png")));
    assert_eq!(bytes.size_mismatch(), None);
    let asked = server.seen().pop().expect("a request");
    assert_eq!(asked.target, "/acme%2FZoQE4h5LeNNTwtnO_a.png");
    assert!(asked.head.contains("accept-encoding: identity\r\n"), "{}", asked.head);
    assert!(!asked.head.contains("authorization") && !asked.head.contains("referer"));
}

#[tokio::test]
async fn what_outgrows_memory_goes_to_a_file() {
    for (len, in_file) in [(0, false), (1 << 10, false), ((1 << 10) + 1, true), (200 << 10, true)] {
        let body: Vec<u8> = (0..=255).cycle().take(len).collect();
        let sent = body.clone();
        let server = Server::start(move |_| reply(200, &[], &sent)).await;
        let bytes = downloader(&server, limits()).download(&server.url("a.bin"), None).await.expect("bytes");
        assert_eq!(matches!(bytes.data, AssetData::File(_)), in_file, "{len}");
        assert!(read(&bytes) == body, "{len}");
    }
}

#[tokio::test]
async fn a_broken_download_begins_again_and_never_gives_half_a_file() {
    let body = "x".repeat(5000);
    let failures: [(&str, Answering); 4] = [
        ("cut", || cut("x".repeat(5000))),
        ("500", || reply(500, &[], "")),
        ("429", || reply(429, &[("Retry-After", "0.01")], "")),
        ("other length", || json("x".repeat(10))),
    ];
    for (name, failure) in failures {
        let body = body.clone();
        let server =
            Server::start(move |request| if request.number == 0 { failure() } else { json(&body) }).await;
        let bytes =
            downloader(&server, limits()).download(&server.url("a.bin"), Some(5000)).await.expect(name);
        assert_eq!((bytes.len, server.count()), (5000, 2), "{name}");
    }
    let server = Server::start(|_| cut("x".repeat(5000))).await;
    let error =
        downloader(&server, limits()).download(&server.url("Jane.bin"), None).await.expect_err("always cut");
    assert_eq!((error.kind(), server.count()), (&ErrorKind::Unreachable, 4));
    assert!(!shown(&error).contains("Jane"), "{error:?}");
}

#[tokio::test]
async fn bytes_of_another_length_are_kept_and_flagged() {
    let server = Server::start(|_| json("12345")).await;
    let bytes = downloader(&server, limits()).download(&server.url("a.bin"), Some(7)).await.expect("bytes");
    assert_eq!((bytes.len, bytes.size_mismatch(), server.count()), (5, Some(7), 3));
}

#[tokio::test]
async fn what_cannot_be_fetched_is_told_apart() {
    for (status, kind) in
        [(404, ErrorKind::NotFound), (410, ErrorKind::NotFound), (403, ErrorKind::Forbidden)]
    {
        let server = Server::start(move |_| reply(status, &[], "")).await;
        let error =
            downloader(&server, limits()).download(&server.url("a.bin"), None).await.expect_err("refused");
        assert_eq!((error.kind(), server.count()), (&kind, 1));
    }
    let server =
        Server::start(|_| reply(200, &[("Content-Type", "text/html; charset=utf-8")], "<html>")).await;
    let downloader = downloader(&server, limits());
    let error = downloader.download(&server.url("a.png"), None).await.expect_err("a login page");
    assert_eq!(*error.kind(), ErrorKind::BadAnswer);
    assert!(downloader.download(&server.url("a.html"), None).await.is_ok());
}

#[tokio::test]
async fn a_file_that_is_too_large_is_not_read_to_its_end() {
    let max = limits().asset_bytes_max;
    let server = Server::start(move |request| {
        let body = vec![b'x'; usize::try_from(max).expect("small") + 1];
        match request.target.as_str() {
            "/announced" => reply(200, &[], body),
            // Without a length, until the connection ends.
            _ => Reply::Raw([b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".as_slice(), &body].concat()),
        }
    })
    .await;
    let downloader = downloader(&server, limits());
    for (path, expected) in [("announced", None), ("endless", None), ("unasked", Some(max + 1))] {
        let error = downloader.download(&server.url(path), expected).await.expect_err("too large");
        assert_eq!(*error.kind(), ErrorKind::TooLarge, "{path}");
    }
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn only_known_hosts_are_asked_also_after_a_redirect() {
    let outside = Server::start(|_| json("secret of the network")).await;
    let inside = Server::start(|_| json("moved")).await;
    let (there, elsewhere) = (inside.url("b.bin?signed=1").to_string(), outside.url("b.bin").to_string());
    let server = Server::start(move |request| match request.target.as_str() {
        "/moved" => reply(302, &[("Location", &there)], ""),
        "/abroad" => reply(302, &[("Location", &elsewhere)], ""),
        "/scheme" => reply(302, &[("Location", "file:///etc/passwd")], ""),
        _ => reply(302, &[("Location", "/loop")], ""),
    })
    .await;
    let downloader = downloader_with(limits(), &[server.url.clone(), inside.url.clone()]);
    let bytes = downloader.download(&server.url("moved"), None).await.expect("moved");
    assert_eq!(
        (read(&bytes).as_slice(), inside.seen()[0].target.as_str()),
        (&b"moved"[..], "/b.bin?signed=1")
    );
    for (path, kind) in [
        ("abroad", ErrorKind::NotAllowedHost),
        ("scheme", ErrorKind::NotAllowedHost),
        ("loop", ErrorKind::BadAnswer),
    ] {
        let error = downloader.download(&server.url(path), None).await.expect_err(path);
        assert_eq!(*error.kind(), kind, "{path}");
    }
    let error = downloader.download(&outside.url("a.bin"), None).await.expect_err("external");
    assert_eq!(*error.kind(), ErrorKind::NotAllowedHost);
    assert!(error.hint().is_some_and(|hint| hint.contains("asset_hosts")));
    assert_eq!(outside.count(), 0);
}

#[tokio::test]
async fn a_store_that_compresses_unasked_still_gives_the_file() {
    let server = Server::start(|_| {
        reply(200, &[("Content-Encoding", "gzip"), ("Content-Type", "image/svg+xml")], gzip(b"<svg/>"))
    })
    .await;
    let bytes = downloader(&server, limits()).download(&server.url("a.svg"), Some(6)).await.expect("bytes");
    assert_eq!(read(&bytes), b"<svg/>");

    let server = Server::start(|_| reply(200, &[("Content-Encoding", "br")], "?")).await;
    let error =
        downloader(&server, limits()).download(&server.url("a.svg"), None).await.expect_err("unknown");
    assert_eq!(*error.kind(), ErrorKind::BadAnswer);
}

#[tokio::test]
async fn downloads_at_once_are_bounded_for_the_whole_process() {
    let held = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&held);
    // Hold the first three requests, so that several are open at the same time.
    let server = Server::start(move |request| {
        if request.number < 3 {
            count.fetch_add(1, Ordering::SeqCst);
            Reply::Hang
        } else {
            json("x")
        }
    })
    .await;
    let downloader = downloader(&server, impatient());
    let urls: Vec<_> = (0..12).map(|n| server.url(&format!("{n}.bin"))).collect();
    let outcomes =
        futures_util::future::join_all(urls.iter().map(|url| downloader.download(url, None))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!((server.most_at_once(), held.load(Ordering::SeqCst)), (3, 3));
}

#[tokio::test]
async fn a_missing_spool_directory_is_named_and_not_tried_again() {
    let server = Server::start(|_| json("x".repeat(5000))).await;
    let endpoints = Endpoints::for_repository("acme-blog").expect("a name");
    let hosts = AssetHosts::new(&endpoints, &[format!("127.0.0.1:{}", server.url.port().expect("a port"))]);
    let downloader = Downloader::new(http(limits()), hosts, "/nonexistent/spool");
    let error = downloader.download(&server.url("a.bin"), None).await.expect_err("no directory");
    assert_eq!((error.kind(), server.count()), (&ErrorKind::Local, 1));
    assert!(error.to_string().contains("/nonexistent/spool"), "{error}");
}

#[tokio::test]
async fn every_request_can_run_in_a_task_of_its_own() {
    let server = Server::start(|request| match request.parameter("limit") {
        Some(_) => library(request, 2, 3, Some(2)),
        None => json("{}"),
    })
    .await;
    let (downloader, url) = (downloader(&server, limits()), server.url("a.bin"));
    let assets = AssetApi::new(http(limits()), server.url(""), "acme", Secret::new("tok"));
    let content = ContentApi::new(http(limits()), server.url("api/v2"), None);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { assets.list(|_, _| {}).await.is_ok() });
    tasks.spawn(async move { content.search(&Search::everything("m", 1)).await.is_err() });
    tasks.spawn(async move { downloader.download(&url, None).await.is_ok() });
    assert!(tasks.join_all().await.into_iter().all(|as_expected| as_expected));
}
