//! Prismic's webhooks, from friends and from those who mean harm; and what watches the daemon.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::notifications::write_file;
use prismvault::clock::{Clock, Timestamp};
use prismvault::config::Config;
use prismvault::ids::Name;
use prismvault::limits::Limits;
use prismvault::server::{
    Debounce, Publish, Publishes, StoredRefs, Watched, Webhook, serve, trigger, watch_router, webhook_router,
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A daemon that receives webhooks of `blog` and `shop`.
struct Daemon {
    address: SocketAddr,
    webhook: Arc<Webhook>,
    publishes: Publishes,
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

fn limits() -> Limits {
    Limits { webhook_requests_per_minute: 1_000_000, ..Limits::default() }
}

/// Returns a configuration, and the directory of its secrets.
fn configuration(more: &str) -> Result<(Config, tempfile::TempDir), String> {
    let dir = tempfile::tempdir().unwrap();
    for (file, secret) in
        [("blog", "secret-of-blog"), ("shop", "secret-of-shop"), ("header", "secret-header")]
    {
        write_file(&dir.path().join(file), secret);
    }
    let file = dir.path().join("prismvault.toml");
    let text = format!(
        "[repositories.blog]\nrepository = \"acme-blog\"\nwebhook_secret = {{ file = \"blog\" }}\n\
         [repositories.shop]\nrepository = \"acme-shop\"\nwebhook_secret = {{ file = \"shop\" }}\n\
         [repositories.open]\nrepository = \"acme-open\"\n{more}\n"
    );
    write_file(&file, &text);
    let directory = format!("{}/", dir.path().display());
    let config = Config::load(&file).map_err(|error| error.to_string().replace(&directory, ""))?;
    Ok((config, dir))
}

impl Daemon {
    async fn start() -> Self {
        Self::with("", limits()).await
    }

    async fn with(more: &str, limits: Limits) -> Self {
        let (mut config, _secrets) =
            configuration(&format!("[webhook]\nlisten = \"127.0.0.1:0\"\n{more}")).unwrap();
        config.limits = limits.clone();
        let settings = config.webhook.clone().unwrap();
        let publishes = Publishes::new();
        let webhook = Arc::new(Webhook::new(&config, &settings, publishes.clone()).unwrap());
        let listener = TcpListener::bind(settings.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (router, cancel) = (webhook_router(Arc::clone(&webhook)), CancellationToken::new());
        let mut tasks = JoinSet::new();
        let until = cancel.clone();
        tasks.spawn(async move { serve(listener, router, &limits, until).await });
        Self { address, webhook, publishes, cancel, tasks }
    }

    /// Sends these bytes and reads to the end; the status, and the body.
    async fn raw(&self, bytes: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The other end may have had enough before all is sent.
        drop(stream.write_all(bytes).await);
        answer(stream).await
    }

    async fn send(&self, headers: &str, body: &[u8]) -> (u16, String) {
        let mut bytes =
            format!("POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{headers}\r\n", body.len())
                .into_bytes();
        bytes.extend_from_slice(body);
        self.raw(&bytes).await
    }

    async fn post(&self, body: &serde_json::Value) -> (u16, String) {
        self.send(JSON, body.to_string().as_bytes()).await
    }

    /// Of what was announced until now.
    async fn announced(&self) -> Vec<String> {
        self.heard().await.keys().map(Name::to_string).collect()
    }

    /// What was announced until now.
    async fn heard(&self) -> BTreeMap<Name, Publish> {
        tokio::time::timeout(Duration::ZERO, self.publishes.next()).await.unwrap_or_default()
    }

    /// What the only repository that was announced was said to have: ref, and documents.
    async fn said(&self) -> (Option<String>, Vec<String>) {
        let heard = self.heard().await;
        assert_eq!(heard.len(), 1);
        let publish = heard.values().next().unwrap();
        (publish.reference().map(str::to_owned), publish.documents().map(str::to_owned).collect())
    }
}

const JSON: &str = "Content-Type: application/json\r\n";

async fn answer(mut stream: TcpStream) -> (u16, String) {
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status, body)
}

fn publish(domain: &str, secret: &str) -> serde_json::Value {
    json!({
        "type": "api-update", "masterRef": "X6qn-RIAACMAVge1", "domain": domain,
        "apiUrl": format!("https://{domain}.prismic.io/api"), "secret": secret,
        "releases": {}, "masks": {}, "tags": {}, "documents": ["XvxXvRAAACQAz1pA"], "experiments": {}
    })
}

fn ok() -> (u16, String) {
    (200, "ok\n".to_owned())
}

fn refused(status: u16) -> (u16, String) {
    (status, "refused\n".to_owned())
}

#[tokio::test]
async fn a_publish_is_answered_at_once_and_announced() {
    let daemon = Daemon::start().await;
    assert_eq!(daemon.post(&publish("acme-blog", "secret-of-blog")).await, ok());
    assert_eq!(daemon.announced().await, ["blog"]);
    let charset = "content-type: Application/JSON; charset=utf-8\r\n";
    let body = publish("Acme-Shop", "secret-of-shop").to_string();
    assert_eq!(daemon.send(charset, body.as_bytes()).await, ok());
    assert_eq!(daemon.announced().await, ["shop"]);
    assert_eq!(daemon.webhook.counts().published, 2);
}

#[tokio::test]
async fn the_ref_and_the_documents_of_a_webhook_are_passed_on() {
    let daemon = Daemon::start().await;
    daemon.post(&publish("acme-blog", "secret-of-blog")).await;
    let expected = (Some("X6qn-RIAACMAVge1".to_owned()), vec!["XvxXvRAAACQAz1pA".to_owned()]);
    assert_eq!(daemon.said().await, expected);
    // Of two before the snapshot all documents count, and no one ref stands for both.
    for (reference, documents) in [("one", ["b", "a"]), ("two", ["c", "a"])] {
        let mut body = publish("acme-blog", "secret-of-blog");
        (body["masterRef"], body["documents"]) = (reference.into(), json!(documents));
        daemon.post(&body).await;
    }
    assert_eq!(daemon.said().await, (None, ["a", "b", "c"].map(str::to_owned).into()));
}

#[tokio::test]
async fn what_the_master_ref_does_not_show_is_not_believed_to_be_stored_with_it() {
    let daemon = Daemon::start().await;
    for (member, value) in [
        ("releases", json!({"update": [{"id": "X", "ref": "Y", "label": "next", "documents": []}]})),
        ("masks", json!({"addition": [{"id": "page", "label": "Page"}]})),
        ("tags", json!({"deletion": [{"id": "old"}]})),
        ("masterRef", serde_json::Value::Null),
        ("masterRef", json!({"ref": "X6qn-RIAACMAVge1"})),
        ("masterRef", json!("x".repeat(10_000))),
    ] {
        let mut body = publish("acme-blog", "secret-of-blog");
        body[member] = value;
        assert_eq!(daemon.post(&body).await, ok());
        assert_eq!(daemon.said().await.0, None, "{body:.300}");
    }
    let mut body = publish("acme-blog", "secret-of-blog");
    (body["releases"], body["masks"], body["tags"]) = (json!({"addition": []}), json!([]), json!(null));
    daemon.post(&body).await;
    assert!(daemon.said().await.0.is_some(), "nothing but empty lists is nothing more");
}

#[tokio::test]
async fn hostile_lists_of_documents_are_cut_and_what_is_no_id_is_left_out() {
    let most = Limits::default().told_documents;
    let daemon = Daemon::with("", Limits { webhook_bytes_max: 4 << 20, ..limits() }).await;
    let mut body = publish("acme-blog", "secret-of-blog");
    body["documents"] = (0..100_000).map(|n| format!("XvxXvRAAACQ{n:05}")).collect();
    for _ in 0..3 {
        assert_eq!(daemon.post(&body).await, ok());
    }
    assert_eq!(daemon.said().await.1.len(), most, "however often it is sent");
    for documents in [
        json!([
            "",
            " ",
            "a b",
            "\"]] or [any",
            "é",
            "../../etc",
            "a\u{0}",
            "x".repeat(65),
            "good",
            1,
            null,
            ["in"],
            {}
        ]),
        json!({"good": 1}),
        json!("good"),
        json!(null),
    ] {
        let is_list = documents.is_array();
        body["documents"] = documents;
        assert_eq!(daemon.post(&body).await, ok(), "{body}");
        assert_eq!(daemon.said().await.1, if is_list { vec!["good"] } else { Vec::new() }, "{body}");
    }
    // As large as may be sent to the daemon of a user, of the shortest ids.
    let daemon = Daemon::start().await;
    body["documents"] = (0..60_000).map(|_| "a").collect();
    assert_eq!(daemon.post(&body).await, ok());
    assert_eq!(daemon.said().await.1, ["a"]);
    let deep = format!(
        "{{\"type\":\"api-update\",\"domain\":\"acme-blog\",\"secret\":\"secret-of-blog\",\"documents\":{0}{1},\"masks\":{0}{1}}}",
        "[".repeat(1000),
        "]".repeat(1000)
    );
    assert_eq!(daemon.send(JSON, deep.as_bytes()).await, ok());
    assert_eq!(daemon.said().await, (None, Vec::new()));
}

#[tokio::test]
async fn a_test_trigger_and_an_unknown_type_are_answered_and_start_nothing() {
    let daemon = Daemon::start().await;
    for kind in ["test-trigger", "something-new"] {
        let body = json!({"type": kind, "domain": "acme-blog", "apiUrl": "x", "secret": "secret-of-blog"});
        assert_eq!(daemon.post(&body).await, ok(), "{kind}");
    }
    assert_eq!(daemon.announced().await, [""; 0]);
    let counts = daemon.webhook.counts();
    assert_eq!((counts.tests, counts.others, counts.published), (1, 1, 0));
}

#[tokio::test]
async fn whoever_does_not_know_the_secret_gets_one_answer_that_says_nothing() {
    let daemon = Daemon::start().await;
    let mut without = publish("acme-blog", "");
    without.as_object_mut().unwrap().remove("secret");
    let mut null = publish("acme-blog", "");
    null["secret"] = serde_json::Value::Null;
    for body in [
        publish("acme-blog", "wrong"),
        publish("acme-blog", ""),
        publish("acme-blog", "secret-of-blog "),
        publish("acme-blog", "secret-of-shop"),
        publish("acme-open", ""),
        publish("no-such-repository", "secret-of-blog"),
        without,
        null,
    ] {
        assert_eq!(daemon.post(&body).await, refused(401), "{body}");
    }
    assert_eq!(daemon.announced().await, [""; 0]);
    assert_eq!(daemon.webhook.counts().refused, 8);
}

#[tokio::test]
async fn what_is_no_webhook_is_refused() {
    let daemon = Daemon::start().await;
    let good = publish("acme-blog", "secret-of-blog").to_string();
    for (headers, body, status) in [
        ("", good.as_str(), 415),
        ("Content-Type: text/plain\r\n", &good, 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n", &good, 415),
        (JSON, "", 400),
        (JSON, "{", 400),
        (JSON, "[]", 400),
        (JSON, "{\"type\": 3}", 400),
        (JSON, "{\"type\":\"api-update\",\"domain\":\"acme-blog\",\"secret\":[\"secret-of-blog\"]}", 400),
        (JSON, &"[".repeat(100_000), 400),
        (JSON, "\u{0}", 400),
    ] {
        assert_eq!(daemon.send(headers, body.as_bytes()).await, refused(status), "{headers} {body:.40}");
    }
    assert_eq!(daemon.raw(b"GET /webhook HTTP/1.1\r\nHost: x\r\n\r\n").await.0, 405);
    assert_eq!(daemon.raw(b"POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await.0, 404);
    assert_eq!(daemon.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").await.0, 400);
    assert_eq!(daemon.announced().await, [""; 0]);
}

#[tokio::test]
async fn a_packed_body_is_not_unpacked() {
    let daemon = Daemon::start().await;
    for encoding in ["gzip", "br", "deflate", "zstd", "identity"] {
        let headers = format!("{JSON}Content-Encoding: {encoding}\r\n");
        assert_eq!(daemon.send(&headers, b"\x1f\x8b\x08\x00").await, refused(415), "{encoding}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let daemon = Daemon::start().await;
    // A hundred megabytes that nobody ever sends.
    let head = format!("POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n{JSON}\r\n");
    assert_eq!(daemon.raw(head.as_bytes()).await, refused(413));
    // Without a length it is cut where it is too much.
    let head = format!("POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{JSON}\r\n");
    let mut stream = TcpStream::connect(daemon.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let mut sent = 0;
    while sent < 100_000_000 && stream.write_all(chunk.as_bytes()).await.is_ok() {
        sent += 0x10000;
    }
    assert!(sent < 20_000_000, "it took {sent} bytes, which is more than buffers of the system hold");
    // One that is within the limit is no reason to refuse.
    let mut large = publish("acme-blog", "secret-of-blog");
    large["documents"] = (0..10_000).map(|n| format!("XvxXvRAAACQ{n:05}")).collect();
    assert_eq!(daemon.post(&large).await, ok());
}

#[tokio::test]
async fn large_heads_are_refused() {
    let daemon = Daemon::start().await;
    let many: String = (0..1000).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = format!("X: {}\r\n", "y".repeat(1 << 20));
    for headers in [many, long] {
        let (status, _) = daemon.send(&headers, b"{}").await;
        assert!(matches!(status, 431 | 400 | 0), "{status}");
    }
    let head = format!("POST /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(1 << 20));
    assert!(matches!(daemon.raw(head.as_bytes()).await.0, 414 | 431 | 400 | 0));
    assert_eq!(daemon.post(&publish("acme-blog", "secret-of-blog")).await, ok());
}

#[tokio::test]
async fn slow_senders_are_cut_off_and_do_not_keep_others_away() {
    let limits =
        Limits { server_request_timeout: Duration::from_millis(300), server_connections: 4, ..limits() };
    let daemon = Daemon::with("", limits).await;
    let mut slow = Vec::new();
    for begun in [
        "",
        "POST /webhook HT",
        "POST /webhook HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"type\":",
    ] {
        let mut stream = TcpStream::connect(daemon.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // All connections are taken: this one waits until those are cut, and is answered then.
    let body = publish("acme-blog", "secret-of-blog");
    let answered = tokio::time::timeout(Duration::from_secs(5), daemon.post(&body)).await;
    assert_eq!(answered.unwrap(), ok());
    for stream in slow {
        let (status, _) = tokio::time::timeout(Duration::from_secs(5), answer(stream)).await.unwrap();
        assert!(matches!(status, 0 | 408), "{status}");
    }
}

#[tokio::test]
async fn a_flood_is_refused_by_count_and_starts_at_most_what_one_webhook_does() {
    let daemon = Daemon::with("", Limits { webhook_requests_per_minute: 20, ..limits() }).await;
    let body = publish("acme-blog", "secret-of-blog");
    let mut statuses = Vec::new();
    for _ in 0..100 {
        statuses.push(daemon.post(&body).await);
    }
    let good = statuses.iter().filter(|status| **status == ok()).count();
    let many = statuses.iter().filter(|status| **status == refused(429)).count();
    assert_eq!(good + many, 100);
    assert!((20..=22).contains(&good), "{good}");
    assert_eq!(daemon.announced().await, ["blog"]);
    assert_eq!(daemon.announced().await, [""; 0]);
    assert_eq!(daemon.webhook.counts().too_many, many as u64);
}

#[tokio::test]
async fn only_networks_of_the_list_may_send() {
    let body = publish("acme-blog", "secret-of-blog");
    let daemon = Daemon::with("allow = [\"192.0.2.0/24\"]", limits()).await;
    assert_eq!(daemon.post(&body).await, refused(403));
    // What somebody says of himself counts only when a proxy that is trusted says it.
    let forged = format!("{JSON}X-Forwarded-For: 192.0.2.7\r\n");
    assert_eq!(daemon.send(&forged, body.to_string().as_bytes()).await, refused(403));
    assert_eq!(daemon.announced().await, [""; 0]);
    let daemon = Daemon::with("allow = [\"127.0.0.1\"]", limits()).await;
    assert_eq!(daemon.post(&body).await, ok());
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_address_is_the_last_that_the_proxy_saw() {
    let more = "allow = [\"192.0.2.0/24\"]\ntrusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]";
    let daemon = Daemon::with(more, limits()).await;
    let body = publish("acme-blog", "secret-of-blog").to_string();
    for (forwarded, status) in [
        ("X-Forwarded-For: 192.0.2.7\r\n", 200),
        ("X-Forwarded-For: 192.0.2.7, 10.1.2.3\r\n", 200),
        ("X-Forwarded-For: 8.8.8.8\r\nX-Forwarded-For: 192.0.2.7\r\n", 200),
        // The client wrote the first one itself.
        ("X-Forwarded-For: 192.0.2.7, 8.8.8.8\r\n", 403),
        ("X-Forwarded-For: 192.0.2.7, nonsense\r\n", 403),
        ("X-Forwarded-For: \r\n", 403),
        ("", 403),
    ] {
        let (answered, _) = daemon.send(&format!("{JSON}{forwarded}"), body.as_bytes()).await;
        assert_eq!(answered, status, "{forwarded}");
    }
}

#[tokio::test]
async fn a_header_that_is_asked_for_must_be_there_and_right() {
    let more = "header = { name = \"X-Prismvault\", value = { file = \"header\" } }";
    let daemon = Daemon::with(more, limits()).await;
    let body = publish("acme-blog", "secret-of-blog").to_string();
    for (header, status) in [
        ("", 401),
        ("X-Prismvault: wrong\r\n", 401),
        ("X-Prismvault: secret-header\r\nX-Prismvault: secret-header\r\n", 401),
        ("x-prismvault: secret-header\r\n", 200),
    ] {
        assert_eq!(daemon.send(&format!("{JSON}{header}"), body.as_bytes()).await.0, status, "{header}");
    }
}

#[test]
fn mistakes_in_the_tables_of_ports_are_named() {
    for (lines, expected) in [
        ("[webhook]\n", "prismvault.toml:9: webhook: the key \"listen\" is missing"),
        (
            "[webhook]\nlisten = \"proxy:http\"",
            "prismvault.toml:10: webhook.listen: is no address with a port, write \"127.0.0.1:8788\" or \"[::1]:8788\"",
        ),
        (
            "[metrics]\nlisten = \"localhost:9464\"",
            "prismvault.toml:10: metrics.listen: is no address with a port, did you mean \"127.0.0.1:9464\"?",
        ),
        (
            "[metrics]\nlisten = \"::1\"",
            "prismvault.toml:10: metrics.listen: is no address with a port, did you mean \"[::1]:9464\"?",
        ),
        (
            "[metrics]\nlisten = \"127.0.0.1:70000\"",
            "prismvault.toml:10: metrics.listen: is no address with a port, write \"127.0.0.1:9464\" or \"[::1]:9464\"",
        ),
        (
            "[webhook]\nlisten = \"127.0.0.1:1\"\n[metrics]\nlisten = \"0.0.0.0:1\"",
            "prismvault.toml:12: metrics.listen: is taken by \"listen\" in [webhook], which has 127.0.0.1:1; choose another port",
        ),
        (
            "[metrics]\nlistn = \"127.0.0.1:1\"",
            "prismvault.toml:10: metrics.listn: unknown key, did you mean \"listen\"? (known here: listen, textfile)",
        ),
        (
            "[webhook]\nlisten = \"8788\"",
            "prismvault.toml:10: webhook.listen: is no address with a port, did you mean \"127.0.0.1:8788\"?",
        ),
        (
            "[webhook]\nlisten = \"127.0.0.1:1\"\nallow = [\"10.0.0.0/33\"]",
            "prismvault.toml:11: webhook.allow[0]: is no network, write an address, or one and the bits that count: \"192.0.2.0/24\"",
        ),
        (
            "[webhook]\nlisten = \"127.0.0.1:1\"\nallow = []",
            "prismvault.toml:11: webhook.allow: is empty, which would mean nobody; leave it out",
        ),
        (
            "[webhook]\nlisten = \"127.0.0.1:1\"\nquiet = \"1m\"\nlongest_wait = \"10s\"",
            "prismvault.toml:12: webhook.longest_wait: is shorter than \"quiet\"",
        ),
        (
            "[webhook]\nlisten = \"127.0.0.1:1\"\nheader = { name = \"a b\", value = { env = \"X\" } }",
            "prismvault.toml:11: webhook.header.name: is no name of a header (letters, digits and \"-\")",
        ),
        (
            "[webhook]\nlisten = \"127.0.0.1:1\"\nsecret = \"x\"",
            "prismvault.toml:11: webhook.secret: unknown key (known here: listen, allow, trusted_proxies, header, quiet, longest_wait)",
        ),
    ] {
        assert_eq!(configuration(lines).map(drop).unwrap_err(), expected, "{lines}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("prismvault.toml");
    write_file(&file, "[repositories.a]\nrepository = \"acme-a\"\n[webhook]\nlisten = \"127.0.0.1:1\"\n");
    let error = Config::load(&file).unwrap_err().to_string();
    assert!(
        error.contains(":3: webhook: would refuse every request: no repository has a \"webhook_secret\""),
        "{error}"
    );
}

/// A clock that goes as tokio's does, which a test lets pass without waiting.
#[derive(Debug)]
struct Passing(tokio::time::Instant);

impl Clock for Passing {
    fn now(&self) -> Timestamp {
        let passed = chrono::TimeDelta::from_std(self.0.elapsed()).unwrap();
        "2026-11-21T02:00:00Z".parse::<Timestamp>().unwrap() + passed
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_replays_triggers_one_snapshot_for_each_repository() {
    let begun = tokio::time::Instant::now();
    let publishes = Publishes::new();
    let debounce = Debounce::new(Duration::from_secs(10), Duration::from_secs(120));
    let (sender, mut triggers) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(trigger(publishes.clone(), debounce, Arc::new(Passing(begun)), sender));
    let (blog, shop): (Name, Name) = ("blog".parse().unwrap(), "shop".parse().unwrap());
    let publish = Publish::unknown(&limits());
    for _ in 0..500 {
        publishes.announce(&blog, publish.clone());
        publishes.announce(&shop, publish.clone());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let both = BTreeMap::from([(blog.clone(), publish.clone()), (shop, publish.clone())]);
    assert_eq!(triggers.recv().await.unwrap(), both);
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(14) && waited < Duration::from_secs(16), "{waited:?}");
    // While nobody takes a trigger, publishes are kept, each repository once.
    for _ in 0..3 {
        publishes.announce(&blog, publish.clone());
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    let one = BTreeMap::from([(blog, publish)]);
    assert_eq!(triggers.recv().await.unwrap(), one);
    assert_eq!(triggers.recv().await.unwrap(), one);
    assert!(tokio::time::timeout(Duration::from_hours(24), triggers.recv()).await.is_err());
    drop(triggers);
    tokio::time::timeout(Duration::from_secs(1), tasks.join_next()).await.unwrap();
}

/// One repository whose publishes webhooks and a poll tell of, and whose snapshots take a while, in
/// simulated time. Returns the refs that snapshots were taken of.
fn taken(seed: u64, publishes_at: &[u64], snapshot_takes: u64) -> Vec<String> {
    use prismvault::server::Polled;
    let limits = limits();
    let blog: Name = "blog".parse().unwrap();
    let (refs, mut debounce) =
        (StoredRefs::default(), Debounce::new(Duration::from_secs(3), Duration::from_mins(1)));
    let at = |second: u64| {
        "2026-11-21T02:00:00Z".parse::<Timestamp>().unwrap() + chrono::TimeDelta::seconds(second as i64)
    };
    let (mut under_way, mut waits): (Option<(u64, String, _)>, bool) = (None, false);
    let mut taken = Vec::new();
    let mut random = prismvault::sandbox::synthetic::Random::new(&[seed]);
    let mut delays: Vec<(u64, String)> = Vec::new();
    refs.note_stored(&blog, "ref0");
    for second in 0..400 {
        let newest = publishes_at.iter().filter(|published| **published <= second).count();
        let newest = format!("ref{newest}");
        if publishes_at.contains(&second) {
            // Lost, soon, or long after; sometimes twice.
            for _ in 0..random.below(3) {
                delays.push((second + random.below(30) as u64, newest.clone()));
            }
        }
        for (_, reference) in delays.iter().filter(|(when, _)| *when == second) {
            debounce.publish(blog.clone(), Publish::at(reference, &limits), at(second));
        }
        if second % 7 == 0
            && !refs.is_at_work(&blog)
            && refs.answered(&blog, refs.ask(&blog), &newest) == Polled::New
        {
            debounce.publish(blog.clone(), Publish::at(&newest, &limits), at(second));
        }
        if let Some((_, reference, run)) = under_way.take_if(|(ends, _, _)| *ends <= second) {
            refs.note_stored(&blog, &reference);
            drop::<prismvault::server::AtWork>(run);
            taken.push(reference);
        }
        waits |= !refs.sift(debounce.due(at(second))).is_empty();
        waits |= futures_util::FutureExt::now_or_never(refs.ended()).is_some();
        if waits && under_way.is_none() {
            waits = false;
            under_way = Some((second + snapshot_takes, newest, refs.begin(&blog)));
        }
    }
    taken
}

#[test]
fn each_publish_is_one_snapshot_whoever_tells_of_it_first_and_however_long_it_takes() {
    for seed in 0..40 {
        // Far enough apart that each is seen by a snapshot of its own.
        let expected: Vec<String> = (1..=3).map(|number| format!("ref{number}")).collect();
        for takes in [0, 1, 5, 20, 40] {
            let taken = taken(seed, &[50, 150, 250], takes);
            assert_eq!(taken, expected, "seed {seed}, each takes {takes} s");
        }
        // While one is being taken: exactly one more.
        let taken = taken(seed, &[50, 75], 60);
        assert_eq!(taken, ["ref1", "ref2"], "seed {seed}");
    }
}

#[tokio::test]
async fn the_daemon_ends_when_it_is_told_to() {
    let mut daemon = Daemon::start().await;
    assert_eq!(daemon.post(&publish("acme-blog", "secret-of-blog")).await, ok());
    daemon.cancel.cancel();
    tokio::time::timeout(Duration::from_secs(5), daemon.tasks.join_next()).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(daemon.address).await.is_err());
}

struct Fake(bool);

#[async_trait::async_trait]
impl Watched for Fake {
    fn alive(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        if self.0 { Ok(()) } else { Err("the vault is away".to_owned()) }
    }

    async fn metrics(&self) -> String {
        "prismvault_up 1\n".to_owned()
    }
}

#[tokio::test]
async fn health_readiness_and_metrics_are_told() {
    let ok = (200, "prismvault: ok\n".to_owned());
    let numbers = (200, "prismvault_up 1\n".to_owned());
    let not_ready = (503, "prismvault: the vault is away\n".to_owned());
    for (is_ready, ready) in [(true, &ok), (false, &not_ready)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        let router = watch_router(Arc::new(Fake(is_ready)));
        tasks.spawn(async move { serve(listener, router, &limits(), CancellationToken::new()).await });
        for (path, expected) in [("/healthz", &ok), ("/readyz", ready), ("/metrics", &numbers)] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
            assert_eq!(&answer(stream).await, expected, "{path}");
        }
    }
}
