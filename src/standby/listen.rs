//! Listens for as long as a site needs: kept connections, TLS where there is a certificate, bounds on
//! all that a stranger can make grow.
//!
//! A connection that says nothing is closed after [`Bounds::idle`], so thousands of idle ones go by
//! themselves; more than [`Bounds::connections`] wait in the queue of the system. A request has
//! [`Bounds::answer`] to be answered, and whoever takes the answer too slowly is cut by the write
//! timeout of the system's buffers and the same bound.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Headers of a request that are read.
const HEADERS_MAX: usize = 64;
/// Wait after accepting failed, which it does when this process has too many files open.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Bounds of a server.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Connections at once.
    pub connections: usize,
    /// Time in which a connection must begin a request, and send its head.
    pub idle: Duration,
    /// Bytes of the head of a request.
    pub head_bytes: usize,
    /// How long requests under way are waited for at the end.
    pub stop_grace: Duration,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Answers the requests that come to `listener`, until `cancel`; then those under way are finished,
/// within the grace.
pub async fn listen(
    listener: TcpListener,
    router: Router,
    tls: Option<TlsAcceptor>,
    bounds: Bounds,
    cancel: CancellationToken,
) {
    let free = Arc::new(Semaphore::new(bounds.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let mut tasks = JoinSet::new();
    loop {
        // What has ended is let go of, so that the set stays as small as what is under way.
        while tasks.try_join_next().is_some() {}
        let (accepted, permit) = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = async {
                let permit = Arc::clone(&free).acquire_owned().await;
                (listener.accept().await, permit)
            } => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Without it small answers may wait for an acknowledgement; failing costs speed only.
                stream.set_nodelay(true).ok();
                let (router, tls, bounds, cancel) = (
                    router.clone().layer(Extension(Peer(peer))),
                    tls.clone(),
                    bounds.clone(),
                    cancel.clone(),
                );
                tasks.spawn(async move {
                    match tls {
                        None => answer(stream, router, &bounds, cancel).await,
                        Some(tls) => {
                            // A handshake that fails or hangs is the other side's business.
                            if let Ok(Ok(stream)) =
                                tokio::time::timeout(bounds.idle, tls.accept(stream)).await
                            {
                                answer(stream, router, &bounds, cancel).await;
                            }
                        }
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    let ended = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(bounds.stop_grace, ended).await.is_err() {
        tasks.shutdown().await;
    }
}

/// Answers the requests of a connection, one after the other.
async fn answer<S>(stream: S, router: Router, bounds: &Bounds, cancel: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.idle)
        .max_headers(HEADERS_MAX)
        .max_buf_size(bounds.head_bytes.max(8 << 10))
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // That it failed or was cut is the other side's business.
        done = connection.as_mut() => drop(done),
        () = cancel.cancelled() => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
}
