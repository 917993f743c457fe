//! An S3 server on loopback for measurements: `s3s-fs` on a directory, with a count of requests.
//!
//! ```text
//! cargo run --release --example s3-server -- DIR ACCESS_KEY SECRET_KEY
//! ```
//!
//! Every folder of DIR is a bucket. It prints its address, then for each line on standard input
//! one line of JSON with the number of requests by operation, and by operation and kind of object, since the last, and the bytes of their
//! answers, and ends when standard input does. Not for real data: nothing is synced to disk.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::sync::{Arc, Mutex};

use hyper::body::Incoming;
use hyper::header::CONTENT_LENGTH;
use hyper::service::{Service, service_fn};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::dto::ListObjectsV2Input;
use s3s::service::S3ServiceBuilder;
use s3s::{S3Request, S3Result};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Requests by operation.
type Counts = Arc<Mutex<BTreeMap<String, u64>>>;

/// Counts what passes; the signature was checked before.
struct Counting(Counts);

#[async_trait::async_trait]
impl S3Access for Counting {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_none() {
            return Err(s3s::s3_error!(AccessDenied, "a signature is required"));
        }
        let mut counts = self.0.lock().expect("no holder of this lock can panic");
        let operation = context.s3_op().name();
        *counts.entry(operation.to_owned()).or_default() += 1;
        // Beside the sum, by the first part of the key: `GetObject packs`.
        if let Some((_, key)) = context.s3_path().as_object() {
            let kind = key.split('/').next().unwrap_or_default();
            *counts.entry(format!("{operation} {kind}")).or_default() += 1;
        }
        Ok(())
    }

    /// An empty delimiter is none, as in S3 itself; `s3s-fs` groups every key by it, and restic,
    /// which sends one, sees no packs.
    async fn list_objects_v2(&self, request: &mut S3Request<ListObjectsV2Input>) -> S3Result<()> {
        request.input.delimiter.take_if(|delimiter| delimiter.is_empty());
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, access_key, secret_key] = &arguments[..] else {
        return Err("usage: s3-server DIR ACCESS_KEY SECRET_KEY".into());
    };
    let counts = Counts::default();
    let files = s3s_fs::FileSystem::new(dir).map_err(|error| format!("cannot serve {dir}: {error:?}"))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(access_key.as_str(), secret_key.as_str()));
    builder.set_access(Counting(Arc::clone(&counts)));
    let service = builder.build();

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    let sent = Arc::clone(&counts);
    let answers = tokio::task::spawn_blocking(move || -> Result<(), Error> {
        for line in std::io::stdin().lock().lines() {
            drop(line?);
            let taken = std::mem::take(&mut *counts.lock().expect("no holder of this lock can panic"));
            writeln!(out, "{}", serde_json::to_string(&taken)?)?;
            out.flush()?;
        }
        Ok(())
    });
    let serve = async {
        let mut connections = JoinSet::new();
        loop {
            let Ok((socket, _)) = listener.accept().await else { continue };
            // Else answers in two pieces wait for the client's delayed acknowledgement: 40 ms each.
            socket.set_nodelay(true).ok();
            let (service, sent) = (service.clone(), Arc::clone(&sent));
            let service = service_fn(move |request: Request<Incoming>| {
                let has_body = request.method() != Method::HEAD;
                let (answered, sent) = (Service::call(&service, request), Arc::clone(&sent));
                async move {
                    let answer = answered.await?;
                    let length = answer.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
                    let bytes = length.and_then(|length| length.parse::<u64>().ok());
                    if let Some(bytes) = bytes.filter(|_| has_body) {
                        let mut counts = sent.lock().expect("no holder of this lock can panic");
                        *counts.entry("bytes".to_owned()).or_default() += bytes;
                    }
                    Ok::<_, s3s::HttpError>(answer)
                }
            });
            connections.spawn(async move {
                // A client that goes away is no concern of the server.
                drop(
                    Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await,
                );
            });
            while connections.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        ended = answers => ended?,
        () = serve => Ok(()),
    }
}
