//! The Types API, read side.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::gateway::admit;
use super::models::{Model, listing};
use super::server::Sandbox;

/// Its 401 is plain text.
fn unauthorized() -> Response {
    (StatusCode::UNAUTHORIZED, "Unauthorized").into_response()
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn one(models: &[Model], id: &str) -> Response {
    let found = models.iter().find(|model| model.id == id);
    found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |model| json(model.json.clone()))
}

pub(super) async fn custom_types(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap) -> Response {
    match admit(&sandbox, &headers, unauthorized) {
        Ok(repository) => json(listing(&repository.models().custom_types)),
        Err(refusal) => *refusal,
    }
}

pub(super) async fn slices(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap) -> Response {
    match admit(&sandbox, &headers, unauthorized) {
        Ok(repository) => json(listing(&repository.models().slices)),
        Err(refusal) => *refusal,
    }
}

pub(super) async fn custom_type(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match admit(&sandbox, &headers, unauthorized) {
        Ok(repository) => one(&repository.models().custom_types, &id),
        Err(refusal) => *refusal,
    }
}

pub(super) async fn slice(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match admit(&sandbox, &headers, unauthorized) {
        Ok(repository) => one(&repository.models().slices, &id),
        Err(refusal) => *refusal,
    }
}
