//! S3 servers for tests, on ports of their own: a real one in process, one that answers what the
//! test says, and a wire between that changes bytes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use prismvault::limits::Limits;
use prismvault::objects::s3::{S3Credentials, S3Options, S3Store};
use prismvault::secret::Secret;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) const ACCESS_KEY: &str = "AKIDTESTTESTTESTTEST";
pub(crate) const SECRET_KEY: &str = "hunter2-the-secret-half";
pub(crate) const BUCKET: &str = "acme-prismic";

/// Options for a store behind `address`.
pub(crate) fn options(address: SocketAddr, prefix: &str) -> S3Options {
    S3Options {
        region: Some("eu-central-1".to_owned()),
        endpoint: Some(format!("http://{address}").parse().unwrap()),
        force_path_style: true,
        credentials: Some(S3Credentials {
            access_key_id: Secret::new(ACCESS_KEY),
            secret_access_key: Secret::new(SECRET_KEY),
        }),
        // `s3s-fs` keeps none.
        versions: false,
        ..S3Options::new(BUCKET, prefix)
    }
}

pub(crate) async fn connect(address: SocketAddr, prefix: &str) -> S3Store {
    S3Store::connect(options(address, prefix), &Limits::default()).await.unwrap()
}

/// `s3s-fs` on a directory of its own, with one bucket. Ends with its owner.
pub(crate) struct S3Server {
    pub(crate) address: SocketAddr,
    pub(crate) dir: tempfile::TempDir,
    _tasks: JoinSet<()>,
}

impl S3Server {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(dir.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = builder.build();
        let (address, tasks) = listen(move |socket| {
            let service = service.clone();
            async move {
                // A client that goes away is no concern of the server.
                drop(
                    Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await,
                );
            }
        })
        .await;
        Self { address, dir, _tasks: tasks }
    }
}

/// A server that answers every request with the bytes that a function gives, and hangs up.
pub(crate) struct CannedServer {
    pub(crate) address: SocketAddr,
    /// Heads of the requests, in the order of their end.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl CannedServer {
    /// `answer` gets the head of a request; `None` hangs up without an answer.
    pub(crate) async fn start(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(answer);
        let seen = Arc::clone(&requests);
        let (address, tasks) = listen(move |mut socket| {
            let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
            async move {
                let Some(head) = read_request(&mut socket).await else { return };
                let bytes = answer(&head);
                seen.lock().unwrap().push(head);
                if let Some(bytes) = bytes {
                    drop(socket.write_all(bytes.as_bytes()).await);
                    drop(socket.shutdown().await);
                }
            }
        })
        .await;
        Self { address, requests, _tasks: tasks }
    }
}

/// An answer of the protocol with an XML error body that repeats what no error text may.
pub(crate) fn error_answer(status: u16, code: &str) -> String {
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{SECRET_KEY} is wrong</Message>\
         <AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256 {SECRET_KEY}</StringToSign></Error>"
    );
    answer(status, "Content-Type: application/xml\r\n", &body)
}

pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Status\r\nDate: Sat, 21 Nov 2026 02:00:09 GMT\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A wire to `target` that replaces `from` by `to`, which is as long, in what the client sends.
pub(crate) async fn damaging_wire(
    target: SocketAddr,
    from: &'static [u8],
    to: &'static [u8],
) -> (SocketAddr, JoinSet<()>) {
    assert_eq!(from.len(), to.len());
    listen(move |client| async move {
        let server = TcpStream::connect(target).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let forth = async {
            let mut kept: Vec<u8> = Vec::new();
            let mut buffer = vec![0; 64 << 10];
            while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
                kept.extend_from_slice(&buffer[..count]);
                if let Some(at) = kept.windows(from.len()).position(|window| window == from) {
                    kept[at..at + to.len()].copy_from_slice(to);
                }
                // The end could be the beginning of what is looked for; but a request whose tail
                // never comes would wait for ever, so all is passed on.
                if to_server.write_all(&kept).await.is_err() {
                    return;
                }
                kept.clear();
            }
        };
        let back = async {
            drop(tokio::io::copy(&mut from_server, &mut to_client).await);
        };
        tokio::select! { () = forth => {}, () = back => {} }
    })
    .await
}

/// Serves every connection to a new port of this machine.
pub(crate) async fn listen<F, W>(serve: F) -> (SocketAddr, JoinSet<()>)
where
    F: Fn(TcpStream) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            connections.spawn(serve(socket));
            while connections.try_join_next().is_some() {}
        }
    });
    (address, tasks)
}

/// Reads head and body of a request and returns the head.
async fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.trim().parse().unwrap());
            while bytes.len() < end + 4 + length {
                let count = socket.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
                bytes.extend_from_slice(&buffer[..count]);
            }
            return Some(head);
        }
        let count = socket.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
    }
}
