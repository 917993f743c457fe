//! The errors of the Content API as it words them. Official clients parse these bodies: the ref
//! to go on with is read from the end of `message`.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::query::ParsingError;
use super::source::SourceError;

/// Why a request is not answered with content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("a parameter cannot be read")]
    Parsing(#[from] ParsingError),
    #[error("the root needs a valid token")]
    Unauthorized { base: String },
    #[error("the content needs a valid token")]
    Forbidden(&'static str),
    #[error("the ref does not exist")]
    RefNotFound { master: String },
    #[error("the ref has expired")]
    RefExpired { master: String },
    #[error("the repository never had a tag")]
    NoTags,
    #[error("the address is too long")]
    AddressTooLong,
    #[error("too many searches at once")]
    Busy,
    #[error("the evaluation failed")]
    Evaluation,
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::Parsing(error) => (
                StatusCode::BAD_REQUEST,
                json!({
                    "type": "parsing-error",
                    "message": error.message,
                    "pos": {"line": error.line, "column": error.column, "id": error.id, "location": error.location},
                }),
            ),
            Self::Unauthorized { base } => (
                StatusCode::UNAUTHORIZED,
                json!({
                    "type": "api_security_error",
                    "message": "This repository requires a valid access token.",
                    "oauth_initiate": format!("{base}/auth"),
                    "oauth_token": format!("{base}/auth/token"),
                }),
            ),
            Self::Forbidden(error) => (StatusCode::FORBIDDEN, json!({"error": error})),
            Self::RefNotFound { master } => (
                StatusCode::NOT_FOUND,
                json!({
                    "type": "api_notfound_error",
                    "message": format!(
                        "Ref not found. Ensure you have the correct ref and try again. Master ref is: {master}"
                    ),
                }),
            ),
            Self::RefExpired { master } => (
                StatusCode::GONE,
                json!({
                    "type": "api_validation_error",
                    "message": format!(
                        "The provided ref is no longer accessible, it has expired. Master ref is: {master}"
                    ),
                }),
            ),
            Self::NoTags => (StatusCode::NOT_FOUND, json!({"error": "No tags"})),
            Self::AddressTooLong => return (StatusCode::URI_TOO_LONG, "URI Too Long").into_response(),
            Self::Evaluation => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Self::Source(SourceError::NoRepository) => return StatusCode::NOT_FOUND.into_response(),
            Self::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, json!({"error": "There are too many searches at once."}))
            }
            Self::Source(error @ (SourceError::Unavailable(_) | SourceError::TooLong)) => {
                (StatusCode::SERVICE_UNAVAILABLE, json!({"error": error.to_string()}))
            }
        };
        let mut response = json_response(status, &body);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Returns a JSON answer.
pub(super) fn json_response(status: StatusCode, body: &Value) -> Response {
    raw_json_response(status, body.to_string().into_bytes())
}

/// Returns an answer whose body is JSON already.
pub(super) fn raw_json_response(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = (status, body.into()).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
