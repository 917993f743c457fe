//! One request to an API: what it asks for, and whether it may be asked twice.

use std::fmt;

use bytes::Bytes;
use reqwest::Method;
use url::Url;

use super::form::Form;
use super::http::Api;
use crate::secret::{SafeUrl, Secret};

/// What a request carries to prove who asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Credentials<'a> {
    None,
    /// As query parameter, for the Content API.
    Access(&'a Secret),
    /// As headers, for the Asset, Types and Migration API.
    Write {
        token: &'a Secret,
        repository: &'a str,
    },
}

/// Whether a request may be sent again when nobody knows what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Doing it twice is doing it once: reads, and writes that say what shall be.
    Freely,
    /// Doing it twice makes two: only where the first one surely had no effect.
    UnlessItHappened,
}

/// What a request sends along. `Debug` shows no content.
#[derive(Clone)]
pub(super) enum Payload {
    Nothing,
    /// JSON.
    Json(Bytes),
    /// A form with a file, which is read while it is sent.
    Form(Form),
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Json(bytes) => write!(f, "Json({} bytes)", bytes.len()),
            Self::Form(form) => write!(f, "Form({} bytes)", form.len()),
        }
    }
}

/// One request to an API.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    pub(super) api: Api,
    pub(super) method: Method,
    /// Without token.
    pub(super) url: Url,
    pub(super) credentials: Credentials<'a>,
    pub(super) payload: Payload,
    pub(super) repeat: Repeat,
}

impl<'a> Call<'a> {
    /// A read.
    pub(super) fn get(api: Api, url: Url, credentials: Credentials<'a>) -> Self {
        Self { api, method: Method::GET, url, credentials, payload: Payload::Nothing, repeat: Repeat::Freely }
    }

    /// Who is asked, for errors.
    pub(super) fn subject(&self) -> String {
        format!("the {} at {}", self.api.label(), SafeUrl(&self.url))
    }

    /// The repository that a limit counts for, where it is not for the host.
    pub(super) fn limited_by(&self) -> Option<&'a str> {
        match (self.api, self.credentials) {
            (Api::Migration, Credentials::Write { repository, .. }) => Some(repository),
            _ => None,
        }
    }
}
