//! S3: the contract on a real server, and what each answer of a bad one becomes.
//!
//! The real one is `s3s-fs` 0.14.1 in process. What it does, probed here:
//! - `If-None-Match: *` on an existing key: 412. Two such puts at once can both succeed.
//! - a wrong `x-amz-checksum-sha256`: 400 `BadDigest`, but the bytes stay under the key, without
//!   checksum or with that of the object before.
//! - a wrong `x-amz-content-sha256`, signed: 500 `InternalError`, nothing stays.
//! - the checksum is kept, and told by a head with `x-amz-checksum-mode`; no checksum type.
//! - a head or get of a directory: 500. A range up to the last 64-bit number: 400.
//! - listings are by text and sorted, 1,000 a page. Every answer has a `Date`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use futures_util::TryStreamExt as _;
use prismvault::clock::SystemClock;
use prismvault::ids::Digest;
use prismvault::limits::Limits;
use prismvault::objects::contract::{self, Line};
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::prefix::PrefixStore;
use prismvault::objects::s3::{S3Options, S3Store};
use prismvault::objects::{Body, ErrorKind, ObjectStore, PutMode, SourceObject, StoreError};

use crate::objects::spooled;
use crate::s3_server::{
    ACCESS_KEY, BUCKET, CannedServer, S3Server, SECRET_KEY, answer, connect, damaging_wire, error_answer,
    options,
};

/// Checks what `s3s-fs` keeps of the contract, and that it does not keep the rest: a line that it
/// learns to keep must not stay excused.
///
/// It looks whether a key is free and renames a finished file to it in two steps, so of two
/// creators at once both can win, or not; S3 itself decides in one. And it takes a directory for
/// an object that it then cannot read (HTTP 500).
async fn keeps_the_contract_of_s3s(store: Arc<dyn ObjectStore>) {
    for line in Line::ALL {
        let kept = contract::check(&store, line).await;
        match line {
            Line::OneCreatorWins => {}
            Line::PartOfAKeyIsNotFound => assert!(kept.is_err(), "{line:?} is kept now"),
            _ => kept.unwrap(),
        }
    }
}

#[tokio::test]
async fn a_bucket_keeps_the_contract() {
    let server = S3Server::start().await;
    keeps_the_contract_of_s3s(Arc::new(connect(server.address, "").await)).await;
}

#[tokio::test]
async fn the_part_of_a_bucket_below_a_prefix_keeps_the_contract() {
    let server = S3Server::start().await;
    let store = connect(server.address, "vaults/acme").await;
    keeps_the_contract_of_s3s(Arc::new(store.clone())).await;
    store.put("a", Body::bytes("x"), PutMode::CreateOnly).await.unwrap();
    assert!(server.dir.path().join(BUCKET).join("vaults/acme/a").is_file());
    keeps_the_contract_of_s3s(Arc::new(PrefixStore::new(Arc::new(store), "deeper").unwrap())).await;
}

#[tokio::test]
async fn a_bucket_without_create_only_puts_refuses_them_and_keeps_the_rest() {
    let server = S3Server::start().await;
    let weak = S3Options { create_only: false, ..options(server.address, "") };
    keeps_the_contract_of_s3s(Arc::new(S3Store::connect(weak, &Limits::default()).await.unwrap())).await;
}

#[tokio::test]
async fn what_is_passed_on_without_a_hash_of_ones_own_is_refused_by_the_store_when_it_is_damaged() {
    let server = S3Server::start().await;
    let store = connect(server.address, "").await;
    let bytes = vec![7_u8; 300_000];
    let (len, digest) = (bytes.len() as u64, Digest::of(&bytes));
    let source = MemoryStore::new("elsewhere", Arc::new(SystemClock));
    let passed_on = async |key: &str, bytes: Vec<u8>| {
        source.put(key, Body::bytes(bytes), PutMode::CreateOnly).await.unwrap();
        let object = SourceObject::new(Arc::new(source.clone()), key, 99_991).hashed_by_taker();
        store.put(key, Body::object(Arc::new(object), len, digest), PutMode::CreateOnly).await
    };
    let mut flipped = bytes.clone();
    flipped[299_999] ^= 1;
    let refused = passed_on("flipped", flipped).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Corrupt, "{refused}");
    let cut = passed_on("cut", bytes[..1000].to_vec()).await.unwrap_err();
    assert_eq!(cut.kind, ErrorKind::Corrupt, "{cut}");
    assert_eq!(passed_on("whole", bytes).await.unwrap().sha256, Some(digest));
}

#[tokio::test]
async fn of_several_creators_at_least_one_wins_and_the_object_is_whole() {
    let server = S3Server::start().await;
    let store = connect(server.address, "").await;
    let put = |number: usize| {
        let body = Body::bytes(format!("writer {number} ").repeat(1000));
        store.put("k", body, PutMode::CreateOnly)
    };
    let results = futures_util::future::join_all((0..8).map(put)).await;
    assert!(results.iter().any(Result::is_ok));
    for err in results.into_iter().filter_map(Result::err) {
        assert_eq!(err.kind, ErrorKind::AlreadyExists, "{err}");
    }
    let stored = store.get("k", 100_000).await.unwrap();
    assert!((0..8).any(|number| stored == format!("writer {number} ").repeat(1000)));
}

#[tokio::test]
async fn a_listing_goes_on_over_all_its_pages() {
    let server = S3Server::start().await;
    let packs = server.dir.path().join(BUCKET).join("v/packs");
    std::fs::create_dir_all(&packs).unwrap();
    for number in 0..2500 {
        std::fs::File::create(packs.join(format!("{number:04}"))).unwrap();
    }
    // A marker of a folder, which no key can name, and a neighbour.
    std::fs::create_dir(server.dir.path().join(BUCKET).join("v/packs-2")).unwrap();
    std::fs::File::create(server.dir.path().join(BUCKET).join("v/packs-2/x")).unwrap();
    let store = connect(server.address, "v").await;
    let listed = store.list("packs").await.unwrap();
    assert_eq!(listed.len(), 2500);
    assert!(listed.is_sorted_by(|a, b| a.key < b.key));
    assert_eq!((listed[0].key.as_str(), listed[2499].key.as_str()), ("packs/0000", "packs/2499"));
    assert_eq!(store.list("").await.unwrap().len(), 2501);
}

#[tokio::test]
async fn a_large_body_is_streamed_from_its_file() {
    let server = S3Server::start().await;
    let store = connect(server.address, "").await;
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..20_u32 << 20).map(|at| (at >> 7) as u8).collect();
    let meta = store.put("packs/large", spooled(dir.path(), &bytes), PutMode::CreateOnly).await.unwrap();
    assert_eq!((meta.size, meta.sha256), (20 << 20, Some(Digest::of(&bytes))));
    assert_eq!(store.head("packs/large").await.unwrap().sha256, Some(Digest::of(&bytes)));
}

/// What is damaged on the wire is refused by the server, and a body in memory is signed besides,
/// where there is no TLS to protect it. What `s3s-fs` answers then is less clear than S3's
/// `XAmzContentSHA256Mismatch`; and it compares the checksum of a streamed body only after it has
/// given the file its name, so it keeps the bad object, which S3 does not.
#[tokio::test]
async fn bytes_that_change_on_the_way_are_refused() {
    let server = S3Server::start().await;
    let (wire, _tasks) = damaging_wire(server.address, b"WHOLE", b"WH0LE").await;
    let (store, direct) = (connect(wire, "").await, connect(server.address, "").await);

    let err = store.put("memory", Body::bytes("WHOLE bytes"), PutMode::CreateOnly).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Unknown, "{err}");
    assert!(err.to_string().contains("InternalError"), "{err}");
    assert_eq!(direct.get("memory", 100).await.unwrap_err().kind, ErrorKind::NotFound);

    let dir = tempfile::tempdir().unwrap();
    let err = store.put("file", spooled(dir.path(), b"WHOLE bytes"), PutMode::CreateOnly).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Corrupt, "{err}");
    assert!(err.to_string().contains("BadDigest"), "{err}");
    assert_eq!(direct.get("file", 100).await.unwrap(), "WH0LE bytes");
    assert_eq!(direct.head("file").await.unwrap().sha256, None);
}

#[tokio::test]
async fn wrong_keys_and_a_wrong_bucket_say_so_and_show_no_secret() {
    let server = S3Server::start().await;
    let mut wrong = options(server.address, "");
    wrong.credentials.as_mut().unwrap().secret_access_key =
        prismvault::secret::Secret::new("hunter2-but-wrong");
    let store = S3Store::connect(wrong, &Limits::default()).await.unwrap();
    let err = store.put("k", Body::bytes("x"), PutMode::CreateOnly).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Denied, "{err}");
    assert!(err.to_string().contains("SignatureDoesNotMatch"), "{err}");
    assert_shows_no_secret(&err);
    assert_eq!(store.list("").await.unwrap_err().kind, ErrorKind::Denied);

    let missing = S3Options { bucket: "no-such-bucket".into(), ..options(server.address, "") };
    let store = S3Store::connect(missing, &Limits::default()).await.unwrap();
    let err = store.list("").await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::NotFound);
    assert!(err.to_string().contains("no-such-bucket") && err.to_string().contains("NoSuchBucket"), "{err}");
    let shown = format!("{store} {store:?} {:?}", options(server.address, ""));
    assert!(!shown.contains(SECRET_KEY) && !shown.contains(ACCESS_KEY), "{shown}");
}

fn assert_shows_no_secret(err: &StoreError) {
    let mut text = format!("{err} {err:?}");
    let mut cause = std::error::Error::source(err);
    while let Some(source) = cause {
        text = format!("{text} {source} {source:?}");
        cause = source.source();
    }
    for secret in [ACCESS_KEY, SECRET_KEY, "hunter2", "AWS4-HMAC", "Signature="] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn each_refusal_becomes_what_a_caller_can_decide_by() {
    use ErrorKind::{
        AlreadyExists, Corrupt, Denied, NoSpace, NotFound, OutOfRange, Permanent, Transient, Unknown,
        Unsupported,
    };
    for (status, code, write, read) in [
        (403, "AccessDenied", Denied, Denied),
        (401, "Unauthorized", Denied, Denied),
        (400, "ExpiredToken", Denied, Denied),
        (403, "RequestTimeTooSkewed", Denied, Denied),
        (404, "NoSuchBucket", NotFound, NotFound),
        (412, "PreconditionFailed", AlreadyExists, AlreadyExists),
        (409, "ConditionalRequestConflict", Transient, Transient),
        (400, "BadDigest", Corrupt, Corrupt),
        (400, "InvalidDigest", Corrupt, Corrupt),
        (400, "XAmzContentSHA256Mismatch", Corrupt, Corrupt),
        (416, "InvalidRange", OutOfRange, OutOfRange),
        (503, "SlowDown", Transient, Transient),
        (429, "TooManyRequests", Transient, Transient),
        (400, "RequestTimeout", Transient, Transient),
        (500, "InternalError", Unknown, Transient),
        (502, "BadGateway", Unknown, Transient),
        (507, "InsufficientStorage", NoSpace, NoSpace),
        (501, "NotImplemented", Unsupported, Unsupported),
        (400, "EntityTooLarge", Permanent, Permanent),
        (418, "ImATeapot", Permanent, Permanent),
    ] {
        let server = CannedServer::start(move |_| Some(error_answer(status, code))).await;
        let store = connect(server.address, "").await;
        let err = store.put("some/key", Body::bytes("x"), PutMode::CreateOnly).await.unwrap_err();
        assert_eq!(err.kind, write, "{err}");
        assert_eq!(err.key(), "some/key");
        for part in [code, &status.to_string(), BUCKET, "some/key"] {
            assert!(err.to_string().contains(part), "{err} does not name {part}");
        }
        assert_shows_no_secret(&err);
        let err = store.get("k", 10).await.unwrap_err();
        assert_eq!(err.kind, read, "{err}");
        assert_shows_no_secret(&err);
        assert_eq!(store.list("").await.unwrap_err().kind, read);
    }
}

#[tokio::test]
async fn every_request_is_sent_once_and_puts_carry_checksum_and_condition() {
    let server = CannedServer::start(|_| Some(error_answer(503, "SlowDown"))).await;
    let store = connect(server.address, "v").await;
    store.put("k", Body::bytes("x"), PutMode::CreateOnly).await.unwrap_err();
    store.put("k", Body::bytes("x"), PutMode::Overwrite).await.unwrap_err();
    store.get("k", 10).await.unwrap_err();
    store.head("k").await.unwrap_err();
    let requests = server.requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 4);
    assert!(requests[0].starts_with(&format!("put /{BUCKET}/v/k")));
    let sum = base64::engine::general_purpose::STANDARD.encode(Digest::of(b"x").0).to_lowercase();
    let checksum = format!("x-amz-checksum-sha256: {sum}");
    for request in &requests[..2] {
        assert!(request.contains(&checksum), "{request}");
    }
    assert!(requests[0].contains("if-none-match: *") && !requests[1].contains("if-none-match"));
    assert!(requests[3].contains("x-amz-checksum-mode: enabled"));
    assert!(requests.iter().all(|request| !request.contains("aws-chunked")));
}

#[tokio::test]
async fn a_lost_answer_leaves_a_write_unknown_and_a_read_to_be_repeated() {
    let server = CannedServer::start(|_| None).await;
    let store = connect(server.address, "").await;
    let err = store.put("k", Body::bytes("x"), PutMode::CreateOnly).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Unknown);
    assert_shows_no_secret(&err);
    assert_eq!(store.delete("k").await.unwrap_err().kind, ErrorKind::Unknown);
    assert_eq!(store.get("k", 10).await.unwrap_err().kind, ErrorKind::Transient);
    assert_eq!(store.list("").await.unwrap_err().kind, ErrorKind::Transient);
    assert!(store.server_time().await.is_err());
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_has_done_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let store = connect(address, "").await;
    let err = store.put("k", Body::bytes("x"), PutMode::CreateOnly).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Transient, "{err:?}");
    assert_eq!(store.head("k").await.unwrap_err().kind, ErrorKind::Transient);
}

#[tokio::test]
async fn a_store_that_never_answers_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limits = Limits { store_timeout: Duration::from_millis(50), ..Limits::default() };
    let store = S3Store::connect(options(listener.local_addr().unwrap(), ""), &limits).await.unwrap();
    let err = store.put("k", Body::bytes("x"), PutMode::CreateOnly).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Unknown, "{err}");
    assert_eq!(store.head("k").await.unwrap_err().kind, ErrorKind::Transient);
    assert_eq!(store.list("").await.unwrap_err().kind, ErrorKind::Transient);
}

#[tokio::test]
async fn a_download_that_ends_early_is_an_error() {
    let server = CannedServer::start(|head| {
        let length = if head.contains("range:") { 6 } else { 100 };
        Some(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\nhalf"))
    })
    .await;
    let store = connect(server.address, "").await;
    let pieces = async {
        let pieces: Vec<_> = store.get_pieces("k", 0..6).await?.try_collect().await?;
        Ok::<_, StoreError>(pieces.concat().into())
    };
    for result in [store.get("k", 1000).await, store.get_range("k", 0..6).await, pieces.await] {
        let err = result.unwrap_err();
        assert!(matches!(err.kind, ErrorKind::Transient | ErrorKind::Corrupt), "{err}");
    }
}

#[tokio::test]
async fn an_answer_larger_than_announced_or_allowed_is_not_taken() {
    let server = CannedServer::start(|_| {
        let body = "x".repeat(100);
        Some(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n64\r\n{body}\r\n0\r\n\r\n"))
    })
    .await;
    let store = connect(server.address, "").await;
    assert_eq!(store.get("k", 99).await.unwrap_err().kind, ErrorKind::TooLarge);
    assert_eq!(store.get("k", 100).await.unwrap().len(), 100);
    // A store that ignores the range and sends everything.
    assert_eq!(store.get_range("k", 0..10).await.unwrap_err().kind, ErrorKind::TooLarge);
    let mut pieces = store.get_pieces("k", 0..10).await.unwrap();
    assert_eq!(pieces.try_next().await.unwrap_err().kind, ErrorKind::TooLarge);
}

#[tokio::test]
async fn the_time_is_that_of_the_answer_even_of_a_refusal() {
    for status in [200, 403, 404] {
        let server = CannedServer::start(move |_| Some(answer(status, "", ""))).await;
        let time = connect(server.address, "").await.server_time().await.unwrap().unwrap();
        assert_eq!(time.to_rfc3339(), "2026-11-21T02:00:09+00:00");
    }
    let server = CannedServer::start(|_| Some(answer(502, "", ""))).await;
    assert_eq!(connect(server.address, "").await.server_time().await.unwrap_err().kind, ErrorKind::Transient);
    let server = CannedServer::start(|_| Some("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into())).await;
    assert_eq!(connect(server.address, "").await.server_time().await.unwrap(), None);
}

#[tokio::test]
async fn a_listing_that_cannot_be_complete_is_an_error() {
    for token in ["", "<NextContinuationToken>again</NextContinuationToken>"] {
        let server = CannedServer::start(move |_| {
            let body = format!(
                "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>true</IsTruncated>{token}\
                 <Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>"
            );
            Some(answer(200, "Content-Type: application/xml\r\n", &body))
        })
        .await;
        let err = connect(server.address, "").await.list("").await.unwrap_err();
        assert_eq!(err.kind, ErrorKind::Permanent, "{err}");
    }
}

#[tokio::test]
async fn a_checksum_of_parts_is_not_taken_for_one_of_the_bytes() {
    let sum = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    for (headers, expected) in [
        (format!("x-amz-checksum-sha256: {sum}\r\nx-amz-checksum-type: FULL_OBJECT\r\n"), true),
        (format!("x-amz-checksum-sha256: {sum}\r\n"), true),
        (format!("x-amz-checksum-sha256: {sum}\r\nx-amz-checksum-type: COMPOSITE\r\n"), false),
        (format!("x-amz-checksum-sha256: {sum}-3\r\n"), false),
        ("x-amz-checksum-crc32: AAAAAA==\r\n".to_owned(), false),
    ] {
        let server = CannedServer::start(move |_| Some(answer(200, &headers, ""))).await;
        let meta = connect(server.address, "").await.head("k").await.unwrap();
        assert_eq!(meta.sha256, expected.then(|| Digest::of(b"")));
    }
}

#[tokio::test]
async fn a_put_that_is_answered_with_another_checksum_is_corrupt() {
    let server = CannedServer::start(|_| {
        let other = "x-amz-checksum-sha256: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\n";
        Some(answer(200, other, ""))
    })
    .await;
    let put = connect(server.address, "").await.put("k", Body::bytes("x"), PutMode::CreateOnly).await;
    assert_eq!(put.unwrap_err().kind, ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_bucket_in_another_region_says_which() {
    let server = CannedServer::start(|_| Some(answer(301, "x-amz-bucket-region: us-west-2\r\n", ""))).await;
    let err = connect(server.address, "").await.list("").await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Permanent);
    assert!(err.to_string().contains("us-west-2"), "{err}");
}

#[tokio::test]
async fn options_that_cannot_be_right_are_refused_before_anything_is_sent() {
    let address = "127.0.0.1:9".parse().unwrap();
    let good = || options(address, "");
    let endpoint = |text: &str| Some(text.parse().unwrap());
    for bad in [
        S3Options { bucket: String::new(), ..good() },
        S3Options { bucket: "a/b".into(), ..good() },
        S3Options { bucket: "..".into(), ..good() },
        S3Options { prefix: "a//b".into(), ..good() },
        S3Options { prefix: "../x".into(), ..good() },
        S3Options { endpoint: endpoint("ftp://host"), ..good() },
        S3Options { endpoint: endpoint("http://me:hunter2@host"), ..good() },
        S3Options { endpoint: endpoint("http://host/?token=hunter2"), ..good() },
    ] {
        let err = S3Store::connect(bad, &Limits::default()).await.unwrap_err();
        assert_eq!(err.kind, ErrorKind::Permanent);
        assert_shows_no_secret(&err);
    }
}
