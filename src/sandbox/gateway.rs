//! What the gateway before Prismic's Asset and Types API lets through.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::repository::Repository;
use super::server::Sandbox;

/// The refusal for a wrong token, an unknown repository and a path that does not exist.
pub(super) fn denied() -> Response {
    let message =
        "User is not authorized to access this resource with an explicit deny in an identity-based policy";
    (StatusCode::FORBIDDEN, axum::Json(json!({"message": message}))).into_response()
}

/// Returns the repository that the headers name and whose write token they carry. Without a token
/// the answer is `unauthorized`, which differs between the APIs.
pub(super) fn admit(
    sandbox: &Sandbox,
    headers: &HeaderMap,
    unauthorized: fn() -> Response,
) -> Result<Arc<Repository>, Box<Response>> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let token = text(header::AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Err(Box::new(unauthorized())) };
    let repository = text("repository").and_then(|name| sandbox.repositories.get(name));
    let known = |repository: &&Arc<Repository>| {
        repository.options().write_tokens.iter().any(|known| known.expose() == token)
    };
    repository.filter(known).cloned().ok_or_else(|| Box::new(denied()))
}
