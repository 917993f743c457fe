//! Values that must never be printed.
//!
//! Tokens and keys are carried in [`Secret`], whose `Debug` and `Display` show nothing of them.
//! Addresses are printed through [`SafeUrl`], which leaves out credentials and the query.

use std::fmt;

use sha2::{Digest as _, Sha256};
use url::Url;

/// A token, password or private key. Comparing two, printing and serialising are left out on
/// purpose.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether somebody else's text is the same. Takes as long for a wrong text as for the right
    /// one, and does not depend on where they differ: their digests are compared, to the end.
    pub fn matches(&self, other: &[u8]) -> bool {
        let (own, other) = (Sha256::digest(self.0.as_bytes()), Sha256::digest(other));
        own.iter().zip(other.iter()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    }

    /// Returns the text, for the one place that sends or uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// An address as it may be shown: without user, password, query and fragment.
#[derive(Clone, Copy)]
pub struct SafeUrl<'a>(pub &'a Url);

impl fmt::Display for SafeUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.0;
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(url.path())
    }
}

impl fmt::Debug for SafeUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing() {
        let secret = Secret::new("tok-123");
        assert!(!format!("{secret} {secret:?} {:?}", Some(&secret)).contains("123"));
    }

    #[test]
    fn a_secret_matches_the_same_bytes_only() {
        let secret = Secret::new("tok-123");
        for (other, expected) in [("tok-123", true), ("tok-124", false), ("tok-12", false), ("", false)] {
            assert_eq!(secret.matches(other.as_bytes()), expected, "{other}");
        }
    }

    #[test]
    fn an_address_is_shown_without_credentials_and_query() {
        let url: Url = "https://user:pw@host.example:8443/api/v2?access_token=tok#x".parse().expect("valid");
        assert_eq!(SafeUrl(&url).to_string(), "https://host.example:8443/api/v2");
    }
}
