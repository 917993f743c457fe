//! What the gateways before Prismic's Asset, Types and Migration API let through, and bodies as far
//! as they are read.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::rates::Api;
use super::repository::Repository;
use super::server::Sandbox;

/// An answer, or the refusal.
pub(super) type Answer = Result<Response, Refusal>;

/// What is answered to a request that is not carried out; boxed, because answers are large.
pub(super) struct Refusal(Box<Response>);

impl Refusal {
    pub(super) fn new(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// How much of a body that is too large is read before the refusal, as a multiple of what is taken:
/// who still sends does not read the answer.
const DRAINED: usize = 2;

const EXPLICIT_DENY: &str =
    "User is not authorized to access this resource with an explicit deny in an identity-based policy";

/// Makes an answer of JSON.
pub(super) fn answer(status: StatusCode, body: Value) -> Response {
    (status, Json(body)).into_response()
}

/// The refusal for a wrong token, an unknown repository and a path that does not exist.
pub(super) fn denied(api: Api) -> Response {
    // The authorizer before the Migration API spells it with a capital.
    let member = if api == Api::Migration { "Message" } else { "message" };
    answer(StatusCode::FORBIDDEN, json!({ member: EXPLICIT_DENY }))
}

/// The refusal for no token at all.
fn unauthorized(api: Api) -> Response {
    match api {
        Api::Types => (StatusCode::UNAUTHORIZED, "Unauthorized").into_response(),
        Api::Asset | Api::Migration => answer(StatusCode::UNAUTHORIZED, json!({"message": "Unauthorized"})),
    }
}

/// The answer for a path that no API has.
pub(super) fn no_route(api: Api) -> Response {
    match api {
        Api::Migration => {
            let body = json!({"message": "no Route matched with those values", "request_id": "0".repeat(32)});
            answer(StatusCode::NOT_FOUND, body)
        }
        Api::Asset | Api::Types => denied(api),
    }
}

/// Returns the repository that the headers name and whose write token for this API they carry.
pub(super) fn admit(sandbox: &Sandbox, headers: &HeaderMap, api: Api) -> Result<Arc<Repository>, Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let token = text(header::AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Err(Refusal::new(unauthorized(api)));
    };
    let repository = text("repository").and_then(|name| sandbox.repositories.get(name));
    let known = |repository: &&Arc<Repository>| {
        let options = repository.options();
        let whole = options.write_tokens.iter().any(|known| known.expose() == token);
        let allows =
            options.limited_tokens.iter().any(|(known, apis)| known.expose() == token && apis.contains(&api));
        whole || allows
    };
    repository.filter(known).cloned().ok_or_else(|| Refusal::new(denied(api)))
}

/// Reads a body of at most `max` bytes.
pub(super) async fn read_body(headers: &HeaderMap, body: Body, max: usize) -> Result<Bytes, Refusal> {
    let too_large = || {
        let body = json!({"message": "request entity too large", "error": "request entity too large"});
        Refusal::new(answer(StatusCode::PAYLOAD_TOO_LARGE, body))
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut kept = Vec::with_capacity(announced.unwrap_or(0_usize).min(max));
    let mut chunks = body.into_data_stream();
    let mut read = 0_usize;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST.into_response()))?;
        read = read.saturating_add(chunk.len());
        if read <= max {
            kept.extend_from_slice(&chunk);
        } else if read > max.saturating_mul(DRAINED) {
            return Err(too_large());
        } else {
            kept = Vec::new();
        }
    }
    if read > max { Err(too_large()) } else { Ok(kept.into()) }
}

/// Reads a body of JSON; `refuse` says in the form of the API that it is none.
pub(super) async fn read_json(
    headers: &HeaderMap,
    body: Body,
    max: usize,
    refuse: fn(&str) -> Response,
) -> Result<Value, Refusal> {
    let bytes = read_body(headers, body, max).await?;
    // Deeper than 128 levels is refused by the parser.
    serde_json::from_slice(&bytes)
        .map_err(|error| Refusal::new(refuse(&format!("the body is not valid JSON: {error}"))))
}
