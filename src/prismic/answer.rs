//! One answer of an API, and what its status and body mean.

use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

use super::error::{ErrorKind, Mistake, Patience, PrismicError, Result};
use crate::secret::Secret;

/// Longest part of a server's own words that an error repeats.
const MESSAGE_CHARS_MAX: usize = 300;

/// Most parts of what was sent of which an error says what the server finds wrong there.
const MISTAKES_MAX: usize = 20;

/// A complete answer that is neither a rate limit nor a failure of the server.
#[derive(Debug)]
pub(super) struct Answer {
    /// `the Content API at https://…`, for errors.
    pub(super) subject: String,
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    /// The token that was sent; struck out of what the server says.
    pub(super) secret: Option<Secret>,
    pub(super) retry_after: Option<Duration>,
}

impl Answer {
    /// Parses the body of an answer with status 200.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadAnswer`], patient where the body was cut off.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        self.parse(serde_json::from_slice(&self.body))
    }

    /// Turns the outcome of parsing the body into one that says what the body was.
    pub(super) fn parse<T>(&self, parsed: serde_json::Result<T>) -> Result<T> {
        let error = match parsed {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if self.body.trim_ascii().is_empty() {
            return Err(self.bad("answered with nothing"));
        }
        if self.is_web_page() {
            return Err(self.bad("answered with a web page instead of JSON"));
        }
        Err(match error.classify() {
            // What the deserialiser says about data quotes it, and that can be personal.
            Category::Data => self.bad("answered with JSON of an unknown form"),
            Category::Eof => self
                .bad("answered with JSON that is cut off")
                .with_patience(Patience::Full)
                .with_source(error),
            Category::Syntax | Category::Io => self
                .bad("answered with something that is not JSON")
                .with_patience(Patience::Full)
                .with_source(error),
        })
    }

    /// Returns an error for this answer.
    pub(super) fn error(&self, kind: ErrorKind, why: impl Into<String>) -> PrismicError {
        PrismicError::new(kind, &self.subject, why)
            .with_retry_after(self.retry_after)
            .with_status(self.status.as_u16())
    }

    /// Returns an error for an answer that this API does not give.
    pub(super) fn bad(&self, why: impl Into<String>) -> PrismicError {
        self.error(ErrorKind::BadAnswer, why)
    }

    /// Returns an error for a status that has no meaning of its own here.
    pub(super) fn unexpected(&self) -> PrismicError {
        let kind = match self.status.as_u16() {
            400 | 405 | 413 | 414 | 422 => ErrorKind::BadRequest,
            401 => ErrorKind::Unauthorized,
            403 => ErrorKind::Forbidden,
            404 | 410 => ErrorKind::NotFound,
            408 | 429 => ErrorKind::RateLimited,
            500.. => ErrorKind::ServerError,
            _ => ErrorKind::BadAnswer,
        };
        let why = if self.status.is_redirection() {
            "answered with a redirect, which is not followed: a token belongs to its own API only".to_owned()
        } else {
            format!("answered with status {}{}", self.status.as_u16(), self.said())
        };
        let error = self.error(kind, why);
        // A redirect of an API is set up by somebody; it does not go away by asking again.
        if self.status.is_redirection() { error.with_patience(Patience::None) } else { error }
    }

    /// Returns what the server says in one of the forms in use (`message`, `Message`, `error`,
    /// `detail`, or a short plain text), after a colon; empty when it says nothing.
    pub(super) fn said(&self) -> String {
        match self.message() {
            Some(message) => format!(": {message}"),
            None => String::new(),
        }
    }

    /// The message of [`said`](Self::said), shortened, without control characters and tokens.
    pub(super) fn message(&self) -> Option<String> {
        let text = match serde_json::from_slice::<Value>(&self.body) {
            Ok(body) => ["message", "Message", "error", "detail"]
                .iter()
                .find_map(|key| body.get(key).and_then(Value::as_str).map(str::to_owned))?,
            Err(_) if self.is_web_page() => return None,
            Err(_) => String::from_utf8_lossy(&self.body).into_owned(),
        };
        Some(self.shortened(text)).filter(|text| !text.is_empty())
    }

    /// What the server says is wrong with which part of what was sent: `details` of the Asset and
    /// Migration API, without the values, which are content.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let body = serde_json::from_slice::<Value>(&self.body).unwrap_or_default();
        let details = body.get("details").and_then(Value::as_array).into_iter().flatten();
        let text = |detail: &Value, key: &str| {
            self.shortened(detail.get(key).and_then(Value::as_str).unwrap_or_default().to_owned())
        };
        let mistakes = details
            .map(|detail| Mistake { property: text(detail, "property"), error: text(detail, "error") });
        mistakes.filter(|mistake| !mistake.error.is_empty()).take(MISTAKES_MAX).collect()
    }

    fn shortened(&self, text: String) -> String {
        let text = self.without_secret(text);
        let text: String =
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_CHARS_MAX).collect();
        text.trim().to_owned()
    }

    /// Whether the body is JSON with this text under `key`.
    pub(super) fn has(&self, key: &str, text: &str) -> bool {
        serde_json::from_slice::<Value>(&self.body)
            .is_ok_and(|body| body.get(key) == Some(&Value::from(text)))
    }

    /// Whether the body is a JSON object.
    pub(super) fn is_object(&self) -> bool {
        serde_json::from_slice::<serde_json::Map<String, Value>>(&self.body).is_ok()
    }

    fn is_web_page(&self) -> bool {
        self.body.trim_ascii_start().starts_with(b"<")
    }

    fn without_secret(&self, text: String) -> String {
        let Some(secret) = self.secret.as_ref().map(Secret::expose).filter(|secret| !secret.is_empty())
        else {
            return text;
        };
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        text.replace(secret, "…").replace(&encoded, "…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            subject: "the Content API at https://acme.example/api/v2".to_owned(),
            status: StatusCode::from_u16(status).expect("a status"),
            body: Bytes::copy_from_slice(body.as_bytes()),
            secret: Some(Secret::new("tok/123")),
            retry_after: None,
        }
    }

    #[test]
    fn what_a_body_is_gets_said() {
        for (body, words, patient) in [
            ("", "with nothing", false),
            (" \n", "with nothing", false),
            ("<!DOCTYPE html><title>Log in</title>", "a web page", false),
            ("{\"a\":", "cut off", true),
            ("nonsense", "not JSON", true),
            ("[1]", "unknown form", false),
        ] {
            let error = answer(200, body).json::<serde_json::Map<String, Value>>().expect_err("no object");
            assert_eq!(*error.kind(), ErrorKind::BadAnswer);
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(error.patience() == Patience::Full, patient, "{body}");
        }
    }

    #[test]
    fn a_server_that_repeats_the_token_is_not_quoted_with_it() {
        for body in
            [r#"{"message":"bad tok/123"}"#, r#"{"error":"x?access_token=tok%2F123"}"#, "plain tok/123"]
        {
            let error = answer(400, body).unexpected();
            assert!(!format!("{error} {error:?}").contains("123"), "{error}");
            assert!(error.to_string().contains('…'));
        }
    }

    #[test]
    fn what_a_server_says_is_short_and_in_one_line() {
        let said = answer(400, &format!("a\nb\u{1b}[31m{}", "x".repeat(5000))).said();
        assert!(said.chars().count() <= MESSAGE_CHARS_MAX + 2 && !said.contains(['\n', '\u{1b}']));
        assert_eq!(answer(400, "<html>").said(), "");
        assert_eq!(answer(400, r#"{"Message":"no"}"#).said(), ": no");
    }

    #[test]
    fn mistakes_are_told_without_values() {
        let details: Vec<Value> = (0..100)
            .map(|n| serde_json::json!({"property": format!("data.f{n}"), "value": "jane", "error": "e\ntok/123"}))
            .collect();
        let mut body = serde_json::json!({"message": "m", "details": details});
        let mistakes = answer(400, &body.to_string()).mistakes();
        assert_eq!(mistakes.len(), MISTAKES_MAX);
        assert_eq!(mistakes[0], Mistake { property: "data.f0".to_owned(), error: "e …".to_owned() });
        assert!(!format!("{mistakes:?}").contains("jane"));
        for odd in [serde_json::json!("text"), serde_json::json!([7, {"property": 1}, null, {"error": ""}])] {
            body["details"] = odd;
            assert_eq!(answer(400, &body.to_string()).mistakes(), []);
        }
        assert_eq!(answer(400, "<html>").mistakes(), []);
    }

    #[test]
    fn data_of_the_wrong_form_is_not_quoted() {
        let error = answer(200, "\"jane@acme.example\"").json::<Vec<u8>>().expect_err("no list");
        assert!(!format!("{error} {error:?}").contains("jane"), "{error:?}");
    }
}
