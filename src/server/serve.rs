//! The daemon's own ports: one request a connection, each with a deadline, and not too many at once.
//!
//! A connection that is not done in time is cut, whether its sender is slow with the head, with the
//! body, or in taking the answer.

use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::listen::{Bounds, listen};
use crate::limits::Limits;

/// How long requests under way are waited for at the end.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Answers the requests that come to `listener`, until `cancel`; then those under way are finished,
/// for a moment.
pub async fn serve(listener: TcpListener, router: Router, limits: &Limits, cancel: CancellationToken) {
    serve_current(listener, watch::channel(router).1, limits, cancel).await;
}

/// As [`serve`], with the router that is current when a connection comes.
pub(super) async fn serve_current(
    listener: TcpListener,
    routers: watch::Receiver<Router>,
    limits: &Limits,
    cancel: CancellationToken,
) {
    let bounds = Bounds {
        connections: limits.server_connections,
        idle: limits.server_request_timeout,
        stall: limits.server_request_timeout,
        whole: Some(limits.server_request_timeout),
        keeps_alive: false,
        head_bytes: limits.server_head_bytes_max,
        stop_grace: STOP_GRACE,
    };
    listen(listener, routers, None, bounds, cancel).await;
}
