//! The least time that the writes of a drill can take: as many requests to a sandbox as a restore makes, one after
//! the other, by a plain HTTP client that knows nothing of vaults. The floor of `scripts/bench-drill`.
//!
//! ```text
//! cargo run --release --example drill-floor -- ASSETS DOCUMENTS BYTES
//! ```
//!
//! It uploads that many assets of so many bytes, creates that many documents, and prints the seconds as JSON.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;

use prismvault::clock::SystemClock;
use prismvault::contentapi::{AccessMode, AccessPolicy};
use prismvault::sandbox::synthetic::{SyntheticOptions, generate};
use prismvault::sandbox::{Content, Repository, RepositoryOptions, Server, ServerOptions, WriteBounds};
use prismvault::secret::Secret;
use serde_json::json;

type Error = Box<dyn std::error::Error + Send + Sync>;

const REPOSITORY: &str = "floor-repository";
const TOKEN: &str = "floor";
/// Text of a document, about as much as the synthetic ones have.
const WORDS: usize = 300;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let usage = "usage: drill-floor ASSETS DOCUMENTS BYTES";
    let mut numbers = std::env::args().skip(1).map(|own| own.parse::<usize>());
    let mut next = || numbers.next().and_then(Result::ok).ok_or(usage);
    let (assets, documents, bytes) = (next()?, next()?, next()?);
    let server = serve(documents)?;
    let endpoints = server.endpoints(REPOSITORY).ok_or("the sandbox serves it")?;
    // An error means that the process has a provider already, which serves as well.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let post = |address: String, kind: String, body: Vec<u8>| {
        let request = client.post(address).header("repository", REPOSITORY).bearer_auth(TOKEN);
        let request = request.header("x-api-key", "-").header("content-type", kind).body(body);
        async move {
            let answer = request.send().await?;
            let status = answer.status();
            let text = answer.text().await?;
            match status.is_success() {
                true => Ok(()),
                false => Err(Error::from(format!("{status}: {text}"))),
            }
        }
    };
    let begun = Instant::now();
    for number in 0..assets {
        let boundary = "floor-boundary";
        let mut body = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{number}.bin\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        let filled = body.len() + bytes;
        body.extend(number.to_be_bytes());
        body.resize(filled, 7);
        body.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
        let kind = format!("multipart/form-data; boundary={boundary}");
        post(format!("{}/assets", endpoints.asset_api), kind, body).await?;
    }
    for number in 0..documents {
        let text = "word ".repeat(WORDS);
        let document = json!({
            "title": format!("document {number}"), "type": "faq", "lang": "en-us", "uid": format!("floor-{number}"),
            "data": { "answer": [{ "type": "paragraph", "text": text, "spans": [] }] },
        });
        let body = serde_json::to_vec(&document)?;
        post(format!("{}/documents", endpoints.migration_api), "application/json".to_owned(), body).await?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    server.stop().await;
    let report = json!({ "assets": assets, "documents": documents, "seconds": seconds });
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}

/// A sandbox with languages and models, and nothing else.
fn serve(documents: usize) -> Result<Server, Error> {
    let options = SyntheticOptions { documents: 1, assets: 1, ..SyntheticOptions::default() };
    let made = generate(REPOSITORY, &options)?;
    let content = Content { root: made.root, models: made.models, ..Content::default() };
    let options = RepositoryOptions {
        access: AccessPolicy { mode: AccessMode::Open, tokens: Vec::new() },
        write_tokens: vec![Secret::new(TOKEN)],
        writing: WriteBounds { release_documents_max: documents + 1, ..WriteBounds::default() },
        ..RepositoryOptions::default()
    };
    let repository = Repository::new(REPOSITORY, content, options);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let options = ServerOptions { clock: Arc::new(SystemClock), ..ServerOptions::default() };
    Ok(Server::start(vec![repository], options, listener)?)
}
