//! The HTTP server of `serve` with one constant answer: the floor that `scripts/bench-serve` compares
//! queries with.
//!
//! ```text
//! cargo run --release --example constant-server -- BYTES
//! ```
//!
//! It prints its address as JSON, and answers every path with the same JSON of that many bytes until it
//! is killed.

use std::io::Write as _;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use prismvault::limits::Limits;
use prismvault::server::{Bounds, listen};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let usage = "usage: constant-server BYTES";
    let size: usize = std::env::args().nth(1).ok_or(usage)?.parse().map_err(|_| usage)?;
    let body = Bytes::from(format!("\"{}\"", "x".repeat(size.saturating_sub(2))));
    let router = Router::new().fallback(move || {
        let body = body.clone();
        async move {
            ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
        }
    });

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut out = std::io::stdout();
    writeln!(out, "{{\"address\":\"{}\"}}", listener.local_addr()?)?;
    out.flush()?;
    let (_held, routes) = watch::channel(router);
    listen(
        listener,
        routes,
        None,
        Bounds::of_sites(&Limits::default(), Duration::from_secs(1)),
        CancellationToken::new(),
    )
    .await;
    Ok(())
}
