//! The Types API: the models of custom types and shared slices. Read only.

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use super::answer::Answer;
use super::call::{Call, Credentials};
use super::endpoints::join;
use super::error::{ErrorKind, Result};
use super::http::{Api, Http};
use crate::secret::Secret;

/// Client for the Types API of one repository; cheap to clone.
#[derive(Debug, Clone)]
pub struct TypesApi {
    http: Http,
    endpoint: Url,
    repository: String,
    token: Secret,
}

/// The model of a custom type or a shared slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its id.
    pub id: String,
    /// The model as it was sent: the order of its keys is the order of fields in the editor.
    pub bytes: Bytes,
}

impl TypesApi {
    /// Returns a client for the API at `endpoint`. Its write token is sent there and nowhere else.
    pub fn new(http: Http, endpoint: Url, repository: impl Into<String>, write_token: Secret) -> Self {
        Self { http, endpoint, repository: repository.into(), token: write_token }
    }

    /// Reads the models of all custom types.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthorized`] or [`ErrorKind::Forbidden`] for the token, and those of every
    /// request.
    pub async fn custom_types(&self) -> Result<Vec<Model>> {
        self.models("customtypes").await
    }

    /// Reads the models of all shared slices.
    ///
    /// # Errors
    ///
    /// As [`custom_types`](Self::custom_types).
    pub async fn slices(&self) -> Result<Vec<Model>> {
        self.models("slices").await
    }

    async fn models(&self, segment: &str) -> Result<Vec<Model>> {
        let credentials = Credentials::Write { token: &self.token, repository: &self.repository };
        let call = Call::get(Api::Types, join(&self.endpoint, &[segment]), credentials);
        self.http
            .call(&call, |answer| match answer.status.as_u16() {
                200 => models(&answer),
                _ => Err(refusal(&answer)),
            })
            .await
    }
}

/// What a status other than 200 means to the holder of a write token.
pub(super) fn refusal(answer: &Answer) -> super::error::PrismicError {
    let said = answer.said();
    match answer.status.as_u16() {
        401 => answer.error(ErrorKind::Unauthorized, format!("does not know the write token{said}")),
        403 => answer.error(
            ErrorKind::Forbidden,
            format!("does not allow this repository with the write token{said}"),
        ),
        _ => answer.unexpected(),
    }
}

fn models(answer: &Answer) -> Result<Vec<Model>> {
    let items: Vec<&RawValue> = answer.parse(serde_json::from_slice(&answer.body))?;
    items
        .into_iter()
        .map(|item| {
            let id = serde_json::from_str::<Value>(item.get())
                .ok()
                .and_then(|model| model.get("id").and_then(Value::as_str).map(str::to_owned))
                .filter(|id| !id.is_empty())
                .ok_or_else(|| answer.bad("answered with a model that has no id"))?;
            Ok(Model { id, bytes: Bytes::copy_from_slice(item.get().as_bytes()) })
        })
        .collect()
}
