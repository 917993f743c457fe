//! A scripted HTTP/1.1 server. It writes raw bytes, so that it can lie, stall and hang up in ways
//! that a real one would not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prismvault::clock::ManualClock;
use prismvault::limits::Limits;
use prismvault::prismic::Http;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

/// What the server was asked.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// How many requests came before.
    pub(super) number: usize,
    /// Path and query as sent.
    pub(super) target: String,
    /// Head of the request in lower case.
    pub(super) head: String,
    /// What was sent along.
    pub(super) body: Vec<u8>,
}

impl Request {
    /// The value of a query parameter.
    pub(super) fn parameter(&self, key: &str) -> Option<String> {
        let url = Url::parse("http://x").and_then(|base| base.join(&self.target)).expect("a target");
        url.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
    }
}

/// What the server does with a request.
pub(super) enum Reply {
    /// Sends these bytes and closes.
    Raw(Vec<u8>),
    /// Never answers.
    Hang,
}

/// A reply that can be made again and again.
pub(super) type Answering = fn() -> Reply;

pub(super) fn reply(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let mut raw = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        raw.push_str(&format!("{name}: {value}\r\n"));
    }
    raw.push_str("\r\n");
    Reply::Raw([raw.as_bytes(), body].concat())
}

pub(super) fn json(body: impl ToString) -> Reply {
    reply(200, &[("Content-Type", "application/json")], body.to_string())
}

/// An answer of which only the first half arrives.
pub(super) fn cut(body: impl ToString) -> Reply {
    let Reply::Raw(mut raw) = json(body) else { unreachable!("json replies are raw") };
    let head = raw.windows(4).position(|w| w == b"\r\n\r\n").expect("a head") + 4;
    raw.truncate(head + (raw.len() - head) / 2);
    Reply::Raw(raw)
}

/// `bytes` in a gzip file without compression.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut chunks = bytes.chunks(0xffff).peekable();
    while let Some(chunk) = chunks.next() {
        let len = u16::try_from(chunk.len()).expect("chunks are small");
        out.push(u8::from(chunks.peek().is_none()));
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend(chunk);
    }
    out.extend((!crc).to_le_bytes());
    out.extend(u32::try_from(bytes.len()).expect("small").to_le_bytes());
    out
}

pub(super) struct Server {
    pub(super) url: Url,
    seen: Arc<Mutex<Vec<Request>>>,
    most_at_once: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("bound")).parse().expect("valid");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let most_at_once = Arc::new(AtomicUsize::new(0));
        let mut task = JoinSet::new();
        task.spawn(serve(listener, Arc::new(script), Arc::clone(&seen), Arc::clone(&most_at_once)));
        Self { url, seen, most_at_once, _task: task }
    }

    pub(super) fn url(&self, path: &str) -> Url {
        self.url.join(path).expect("valid")
    }

    pub(super) fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("no panic").clone()
    }

    pub(super) fn count(&self) -> usize {
        self.seen().len()
    }

    /// The most requests that were open at the same time.
    pub(super) fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }
}

async fn serve(
    listener: TcpListener,
    script: Arc<dyn Fn(&Request) -> Reply + Send + Sync>,
    seen: Arc<Mutex<Vec<Request>>>,
    most_at_once: Arc<AtomicUsize>,
) {
    let mut connections = JoinSet::new();
    let open = Arc::new(AtomicUsize::new(0));
    while let Ok((mut stream, _)) = listener.accept().await {
        let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
        let (most_at_once, open) = (Arc::clone(&most_at_once), Arc::clone(&open));
        connections.spawn(async move {
            let Some((target, head)) = request_head(&mut stream).await else { return };
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            let mut body = vec![0; length.unwrap_or_default()];
            if stream.read_exact(&mut body).await.is_err() {
                return;
            }
            most_at_once.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let request = {
                let mut seen = seen.lock().expect("no panic");
                let request = Request { number: seen.len(), target, head, body };
                seen.push(request.clone());
                request
            };
            match script(&request) {
                Reply::Raw(raw) => {
                    let _outcome = stream.write_all(&raw).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                    let _outcome = stream.shutdown().await;
                }
                Reply::Hang => {
                    // Until the client gives up.
                    let _outcome = stream.read(&mut [0]).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                }
            }
        });
    }
}

async fn request_head(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let text = String::from_utf8(head).ok()?;
    let target = text.split(' ').nth(1)?.to_owned();
    Some((target, text.to_ascii_lowercase()))
}

/// Limits that let a test fail fast.
pub(super) fn limits() -> Limits {
    Limits {
        content_requests: 10_000.0,
        asset_requests: 10_000.0,
        types_requests: 10_000.0,
        migration_requests: 10_000.0,
        page_size: 2,
        asset_page_size: 3,
        request_attempts: 4,
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(4),
        retry_after_max: Duration::from_millis(500),
        connect_timeout: Duration::from_secs(2),
        // A busy machine must not look like a server that hangs; see `impatient`.
        read_timeout: Duration::from_secs(30),
        answer_bytes_max: 64 << 10,
        asset_memory_bytes: 1 << 10,
        asset_bytes_max: 256 << 10,
        asset_downloads: 3,
        ..Limits::default()
    }
}

/// Limits for a server that hangs.
pub(super) fn impatient() -> Limits {
    Limits { read_timeout: Duration::from_millis(200), request_attempts: 20, ..limits() }
}

/// A client whose clock stands 50 ms before a full second.
pub(super) fn http(limits: Limits) -> Http {
    let now = "2026-11-21T01:59:59.950Z".parse().expect("a valid time");
    Http::new(limits, Arc::new(ManualClock::new(now))).expect("a client")
}

/// All that an error shows in any way.
pub(super) fn shown(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(" {error} {error:?}"));
        source = error.source();
    }
    text
}
