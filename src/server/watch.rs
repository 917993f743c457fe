//! `/healthz`, `/readyz` and `/metrics`, for those who watch the daemon.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// What the daemon says of itself.
#[async_trait]
pub trait Watched: Send + Sync + 'static {
    /// Whether it goes on: `false` when only a restart helps.
    fn is_alive(&self) -> bool;

    /// Whether it does what it is for: `false` while it begins or ends, or cannot reach its vault.
    fn is_ready(&self) -> bool;

    /// Its numbers, in the text format of Prometheus; `None` while it has none.
    async fn metrics(&self) -> Option<String>;
}

/// Returns the routes `/healthz`, `/readyz` and `/metrics`.
pub fn watch_router(watched: Arc<dyn Watched>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(watched)
}

async fn healthz(State(watched): State<Arc<dyn Watched>>) -> Response {
    verdict(watched.is_alive())
}

async fn readyz(State(watched): State<Arc<dyn Watched>>) -> Response {
    verdict(watched.is_ready())
}

async fn metrics(State(watched): State<Arc<dyn Watched>>) -> Response {
    match watched.metrics().await {
        Some(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        None => verdict(false),
    }
}

fn verdict(good: bool) -> Response {
    match good {
        true => (StatusCode::OK, "ok\n").into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not now\n").into_response(),
    }
}
