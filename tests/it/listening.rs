//! The loop that listens, against those who mean harm: bounds of time, connections and bytes.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use prismvault::server::{Bounds, listen};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longest wait for something that should happen soon; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a large answer: more than the buffers of two ends of a connection take.
const LARGE: usize = 64 << 20;

struct Port {
    address: SocketAddr,
    cancel: CancellationToken,
    tasks: JoinSet<()>,
    /// Told when the slow answer begins; answered, it goes on.
    begun: mpsc::Receiver<tokio::sync::oneshot::Sender<()>>,
}

fn bounds() -> Bounds {
    Bounds {
        connections: 8,
        idle: PATIENCE,
        stall: PATIENCE,
        whole: None,
        keeps_alive: true,
        head_bytes: 16 << 10,
        stop_grace: PATIENCE,
    }
}

async fn open(bounds: Bounds) -> Port {
    let (sender, begun) = mpsc::channel(4);
    let slow = move || {
        let sender = sender.clone();
        async move {
            let (go, gone) = tokio::sync::oneshot::channel();
            sender.send(go).await.unwrap();
            gone.await.unwrap();
            "slow"
        }
    };
    let router = Router::new()
        .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }))
        .route("/slow", get(slow))
        .route("/large", get(|| async { vec![7_u8; LARGE] }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let cancel = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(listen(listener, watch::channel(router).1, None, bounds, cancel.clone()));
    Port { address, cancel, tasks, begun }
}

impl Port {
    async fn connect(&self) -> TcpStream {
        timeout(PATIENCE, TcpStream::connect(self.address)).await.unwrap().unwrap()
    }

    /// Sends a request on a connection of its own and reads to its end.
    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        // It may be answered and closed before all of it was sent.
        drop(stream.write_all(request).await);
        read_to_end(&mut stream).await
    }
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    drop(timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it ends"));
    String::from_utf8_lossy(&answer).into_owned()
}

const ONCE: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn hundreds_of_idle_connections_keep_nobody_out_and_who_asks_is_known() {
    let port = open(bounds()).await;
    let mut idle = Vec::new();
    for number in 0..400 {
        let mut stream = port.connect().await;
        if number % 2 == 1 {
            stream.write_all(b"GET / HTTP/1.1\r\nX-Sl").await.unwrap();
        }
        idle.push(stream);
    }
    let answer = port.raw(ONCE).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
    // Those that are there longest were sent away.
    assert_eq!(read_to_end(&mut idle[0]).await, "");
}

#[tokio::test]
async fn connections_are_kept_and_those_that_say_nothing_are_closed() {
    let port = open(Bounds { idle: Duration::from_millis(200), ..bounds() }).await;
    let mut kept = port.connect().await;
    let mut buffer = [0; 4096];
    for _ in 0..3 {
        kept.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let count = timeout(PATIENCE, kept.read(&mut buffer)).await.unwrap().unwrap();
        assert!(buffer[..count].starts_with(b"HTTP/1.1 200"), "{:?}", &buffer[..count]);
    }
    assert_eq!(read_to_end(&mut kept).await, "", "nothing came for a while");
    for begun in [&b""[..], b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
        let answer = port.raw(begun).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
}

#[tokio::test]
async fn who_does_not_take_an_answer_is_cut_and_who_does_gets_all_of_it() {
    let port = open(Bounds { stall: Duration::from_millis(300), connections: 1, ..bounds() }).await;
    let mut lazy = port.connect().await;
    lazy.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    // The only place there is becomes free again.
    let answer = port.raw(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.len() > LARGE, "{}", answer.len());
    let mut taken = Vec::new();
    drop(timeout(PATIENCE, lazy.read_to_end(&mut taken)).await.unwrap());
    assert!(taken.len() < LARGE, "it was cut");
}

#[tokio::test]
async fn addresses_and_heads_beyond_the_bound_are_refused() {
    let port = open(bounds()).await;
    let long = format!("GET /?q={} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(1 << 20));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-A: b\r\n".repeat(1_000));
    let wide = format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", "a".repeat(1 << 20));
    for (what, request) in [("an address", long), ("headers", many), ("a header", wide)] {
        let answer = port.raw(request.as_bytes()).await;
        let refused = ["HTTP/1.1 431", "HTTP/1.1 414"].iter().any(|status| answer.starts_with(status));
        // What was not read when the connection closed may have reset it.
        assert!(refused || answer.is_empty(), "{what}: {answer}");
    }
    for nonsense in
        [&b"\0\0\0\0\r\n\r\n"[..], b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\0"]
    {
        let answer = timeout(PATIENCE, async {
            let mut stream = port.connect().await;
            stream.write_all(nonsense).await.unwrap();
            stream.shutdown().await.unwrap();
            read_to_end(&mut stream).await
        });
        let answer = answer.await.unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert!(port.raw(ONCE).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_end_waits_for_requests_under_way_and_not_for_idle_connections() {
    let mut port = open(bounds()).await;
    let mut idle = port.connect().await;
    let mut slow = port.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let go = port.begun.recv().await.unwrap();
    port.cancel.cancel();
    assert_eq!(read_to_end(&mut idle).await, "");
    go.send(()).unwrap();
    assert!(read_to_end(&mut slow).await.ends_with("slow"));
    timeout(PATIENCE, port.tasks.join_next()).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(port.address).await.is_err(), "nobody listens any more");

    // And for those that do not come to an end only as long as it says.
    let mut port = open(Bounds { stop_grace: Duration::from_millis(100), ..bounds() }).await;
    let mut slow = port.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let _go = port.begun.recv().await.unwrap();
    port.cancel.cancel();
    timeout(PATIENCE, port.tasks.join_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(read_to_end(&mut slow).await, "");
}
