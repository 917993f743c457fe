//! Listens: one request a connection, each with a deadline, and not too many at once.
//!
//! A connection that is not done in time is cut, whether its sender is slow with the head, with the
//! body, or in taking the answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::limits::Limits;

/// Headers of a request that are read.
const HEADERS_MAX: usize = 64;
/// Wait after accepting failed, which it does when this process has too many files open.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// How long requests under way are waited for at the end.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Answers the requests that come to `listener`, until `cancel`; then those under way are finished,
/// for a moment.
pub async fn serve(listener: TcpListener, router: Router, limits: &Limits, cancel: CancellationToken) {
    serve_current(listener, watch::channel(router).1, limits, cancel).await;
}

/// As [`serve`], with the router that is current when a connection comes: so what is answered can
/// change without a moment in which nobody listens.
pub(super) async fn serve_current(
    listener: TcpListener,
    routers: watch::Receiver<Router>,
    limits: &Limits,
    cancel: CancellationToken,
) {
    let most = limits.server_connections.clamp(1, Semaphore::MAX_PERMITS);
    let free = Arc::new(Semaphore::new(most));
    let mut tasks = JoinSet::new();
    loop {
        // What has ended is let go of, so that the set stays as small as what is under way.
        while tasks.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = async {
                let permit = Arc::clone(&free).acquire_owned().await;
                (listener.accept().await, permit)
            } => accepted,
        };
        match accepted {
            (Ok((stream, peer)), permit) => {
                let (router, limits) = (routers.borrow().clone(), limits.clone());
                tasks.spawn(async move {
                    answer(stream, peer, router, &limits).await;
                    drop(permit);
                });
            }
            (Err(error), _) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    let ended = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_GRACE, ended).await.is_err() {
        tasks.shutdown().await;
    }
}

/// Answers the one request of a connection.
async fn answer(stream: TcpStream, peer: SocketAddr, router: Router, limits: &Limits) {
    let service = TowerToHyperService::new(router.layer(Extension(Peer(peer))));
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(limits.server_request_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(limits.server_head_bytes_max.max(8 << 10))
        .serve_connection(TokioIo::new(stream), service);
    // That it failed or was cut is the sender's business, and says nothing that anybody could use.
    drop(tokio::time::timeout(limits.server_request_timeout, connection).await);
}
