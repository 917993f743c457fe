//! `/healthz`, `/readyz` and `/metrics`, for those who watch the daemon.
//!
//! Every answer comes from memory: however often somebody asks, no vault and no API is.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::status::metrics::CONTENT_TYPE;

/// What the daemon says of itself.
#[async_trait]
pub trait Watched: Send + Sync + 'static {
    /// Whether it goes on; why not, in a line, when only a restart helps.
    ///
    /// # Errors
    ///
    /// What has stopped.
    fn alive(&self) -> Result<(), String>;

    /// Whether it does what it is for; why not, in a line: it begins or ends, or has never reached
    /// its vault.
    ///
    /// # Errors
    ///
    /// What is still missing.
    fn ready(&self) -> Result<(), String>;

    /// Its numbers, in the text format of Prometheus.
    async fn metrics(&self) -> String;
}

/// How every answer of [`watch_router`] about health begins: by it others tell that it is this
/// program that listens here.
pub const GREETING: &str = "prismvault: ";

/// Returns the routes `/healthz`, `/readyz` and `/metrics`.
pub fn watch_router(watched: Arc<dyn Watched>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(watched)
}

async fn healthz(State(watched): State<Arc<dyn Watched>>) -> Response {
    verdict(watched.alive())
}

async fn readyz(State(watched): State<Arc<dyn Watched>>) -> Response {
    verdict(watched.ready())
}

async fn metrics(State(watched): State<Arc<dyn Watched>>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], watched.metrics().await).into_response()
}

fn verdict(said: Result<(), String>) -> Response {
    let (status, said) = match said {
        Ok(()) => (StatusCode::OK, "ok".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    };
    (status, format!("{GREETING}{said}\n")).into_response()
}
