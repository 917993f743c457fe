//! What a token says of its own dates.
//!
//! Prismic's permanent write tokens are JSON Web Tokens (RFC 7519); `iat` and `exp` of the payload
//! are seconds since 1970. Nothing is verified: this is for an age and a warning, and whoever has
//! the token could ask Prismic. Access tokens of the Content API say nothing.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::DateTime;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::secret::Secret;

/// The dates of a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenDates {
    /// When it was issued.
    pub issued: Option<Timestamp>,
    /// When it ends; permanent ones do not.
    pub ends: Option<Timestamp>,
}

impl TokenDates {
    /// Reads what a token says; nothing where it is no JSON Web Token.
    pub fn of(token: &Secret) -> Self {
        #[derive(Deserialize)]
        struct Payload {
            iat: Option<f64>,
            exp: Option<f64>,
        }
        let mut parts = token.expose().split('.');
        let (Some(_), Some(payload), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Self::default();
        };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).unwrap_or_default();
        let Ok(payload) = serde_json::from_slice::<Payload>(&bytes) else { return Self::default() };
        let time = |seconds: f64| DateTime::from_timestamp(seconds as i64, 0);
        Self { issued: payload.iat.and_then(time), ends: payload.exp.and_then(time) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> Secret {
        Secret::new(format!("eyJhbGciOiJIUzI1NiJ9.{}.c2lnbmF0dXJl", BASE64_URL_SAFE_NO_PAD.encode(payload)))
    }

    #[test]
    fn a_token_says_when_it_was_issued_and_when_it_ends() {
        let at = |text: &str| Some(text.parse::<Timestamp>().expect("a time"));
        let dates = TokenDates::of(&token(r#"{"type":"write","iat":1785542400,"exp":1893456000}"#));
        assert_eq!(
            dates,
            TokenDates { issued: at("2026-08-01T00:00:00Z"), ends: at("2030-01-01T00:00:00Z") }
        );
        assert_eq!(TokenDates::of(&token(r#"{"iat":1785542400}"#)).ends, None);
    }

    #[test]
    fn what_is_no_such_token_says_nothing() {
        for text in ["", "MC5YOE.abc", "a.b.c", "a.e30.c.d", "a.bm8.c"] {
            assert_eq!(TokenDates::of(&Secret::new(text)), TokenDates::default(), "{text}");
        }
        for payload in ["{}", "[]", r#"{"iat":"yesterday"}"#, r#"{"iat":1e300}"#] {
            assert_eq!(TokenDates::of(&token(payload)), TokenDates::default(), "{payload}");
        }
    }
}
