//! Writing to a repository: models, the media library, documents in the migration release.
//!
//! [`RepositoryWriter`] is handed to restores and erasures only. Everything else in this program reads.
//!
//! **Nothing is done twice by itself.** Prismic knows no idempotency keys: an upload or a new document
//! that is sent again makes a second one. So these are sent again only where the first one surely had
//! no effect; else the error says that it [may have
//! happened](super::PrismicError::may_have_happened), and the caller, who keeps a journal, looks
//! ([`newest_assets`](RepositoryWriter::newest_assets)) or asks. What says how something shall be
//! (models that are replaced, the description of an asset, the content of a document) is sent again
//! like a read.
//!
//! **Hostile ids** come out of answers and snapshots: one that would lead to another address is
//! refused before anything is sent.
//!
//! A crash in any of these calls leaves it open whether it happened.

mod asset;
mod document;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

pub use self::asset::{
    ASSET_BYTES_MAX, ASSET_TAG_CHARS_MAX, ASSET_TEXT_CHARS_MAX, AssetChange, AssetTag, Upload, UploadedAsset,
};
pub use self::document::{DocumentContent, NewDocument};
use super::answer::Answer;
use super::assets::{Asset, AssetApi};
use super::call::{Call, Credentials, Payload, Repeat};
use super::download::AssetData;
use super::endpoints::{Endpoints, join};
use super::error::{ErrorKind, PrismicError, Result};
use super::form::{Form, FormFile};
use super::http::{Api, Http};
use super::types::refusal;
use crate::secret::Secret;

/// Longest id that is believed or sent. Prismic's have 16 characters, those of tags 36.
const ID_BYTES_MAX: usize = 256;

/// Which of the two a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelKind {
    /// A custom type.
    CustomType,
    /// A shared slice.
    SharedSlice,
}

impl ModelKind {
    fn segment(self) -> &'static str {
        match self {
            Self::CustomType => "customtypes",
            Self::SharedSlice => "slices",
        }
    }
}

/// Writes to one repository; cheap to clone. Its write token goes to the APIs of its endpoints only.
#[derive(Clone)]
pub struct RepositoryWriter {
    http: Http,
    library: AssetApi,
    endpoints: Arc<Endpoints>,
    repository: Arc<str>,
    token: Secret,
}

impl fmt::Debug for RepositoryWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RepositoryWriter").field("repository", &self.repository).finish_non_exhaustive()
    }
}

impl RepositoryWriter {
    /// Returns a writer for `repository`.
    pub fn new(http: Http, endpoints: &Endpoints, repository: &str, write_token: Secret) -> Self {
        let library =
            AssetApi::new(http.clone(), endpoints.asset_api.clone(), repository, write_token.clone());
        Self {
            http,
            library,
            endpoints: Arc::new(endpoints.clone()),
            repository: repository.into(),
            token: write_token,
        }
    }

    /// Adds a model, sent as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`] when there is one of its id, [`ErrorKind::BadRequest`] when the API does
    /// not take it, [`ErrorKind::Unauthorized`] or [`ErrorKind::Forbidden`] for the token, and those of
    /// every request.
    pub async fn insert_model(&self, kind: ModelKind, model: Bytes) -> Result<()> {
        let url = join(&self.endpoints.types_api, &[kind.segment(), "insert"]);
        let call = self.asking(Api::Types, Method::POST, url, Payload::Json(model), Repeat::UnlessItHappened);
        self.http.call(&call, done).await
    }

    /// Replaces the model of the same id, sent as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is none of its id, else as
    /// [`insert_model`](Self::insert_model).
    pub async fn update_model(&self, kind: ModelKind, model: Bytes) -> Result<()> {
        let url = join(&self.endpoints.types_api, &[kind.segment(), "update"]);
        let call = self.asking(Api::Types, Method::POST, url, Payload::Json(model), Repeat::Freely);
        let parse = |answer: Answer| match answer.status.as_u16() {
            422 => Err(answer.error(ErrorKind::NotFound, format!("has no such model{}", answer.said()))),
            _ => done(answer),
        };
        self.http.call(&call, parse).await
    }

    /// Lists the tags of the media library; entries without id or name are left out.
    ///
    /// # Errors
    ///
    /// Those of [`AssetApi::tags`].
    pub async fn asset_tags(&self) -> Result<Vec<AssetTag>> {
        let listed = self.library.tags().await?;
        AssetTag::parse_list(&listed).ok_or_else(|| {
            let url = join(&self.endpoints.asset_api, &["tags"]);
            let asked = self.asking(Api::Assets, Method::GET, url, Payload::Nothing, Repeat::Freely);
            PrismicError::new(ErrorKind::BadAnswer, asked.subject(), "answered with JSON of an unknown form")
        })
    }

    /// Makes a tag of the media library, or finds the one of this name: names are unique, so when it
    /// is refused or nobody knows what became of it, the list tells.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadRequest`] for a name that the API does not take, and those of every request.
    pub async fn create_asset_tag(&self, name: &str) -> Result<AssetTag> {
        let url = join(&self.endpoints.asset_api, &["tags"]);
        let payload = Payload::Json(json!({"name": name}).to_string().into());
        let call = self.asking(Api::Assets, Method::POST, url, payload, Repeat::UnlessItHappened);
        let parse = |answer: Answer| match answer.status.is_success() {
            true => AssetTag::parse(&answer.json::<Value>()?)
                .ok_or_else(|| answer.bad("answered with a tag that has no id")),
            false => Err(answer.refused()),
        };
        let error = match self.http.call(&call, parse).await {
            Ok(tag) => return Ok(tag),
            Err(error) => error,
        };
        let may_be_there = matches!(error.kind(), ErrorKind::Conflict | ErrorKind::BadRequest);
        if !may_be_there && !error.may_have_happened() {
            return Err(error);
        }
        let found = self.asset_tags().await.ok();
        found.into_iter().flatten().find(|tag| tag.name == name).ok_or(error)
    }

    /// Uploads a file. It is live at once, under a new id and address.
    ///
    /// However long it takes it goes on while it moves; see
    /// [`upload_silence`](crate::limits::Limits::upload_silence).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] when the API does not take so many bytes, [`ErrorKind::Local`] when the
    /// file cannot be read, and as [`insert_model`](Self::insert_model). One that may have happened
    /// left an asset: see [`newest_assets`](Self::newest_assets).
    pub async fn upload_asset(&self, upload: Upload<'_>) -> Result<UploadedAsset> {
        let url = join(&self.endpoints.asset_api, &["assets"]);
        let mut call =
            self.asking(Api::Assets, Method::POST, url, Payload::Nothing, Repeat::UnlessItHappened);
        let file = match upload.data {
            AssetData::Memory(bytes) => FormFile::Memory(bytes.clone()),
            AssetData::File(file) => {
                let file = file.try_clone().map_err(|error| {
                    let why = "was not sent the file: it cannot be read here";
                    PrismicError::new(ErrorKind::Local, call.subject(), why).with_source(error).never_sent()
                })?;
                FormFile::Disk(Arc::new(file), upload.len)
            }
        };
        let texts = [("notes", upload.notes), ("credits", upload.credits), ("alt", upload.alt)];
        let texts: Vec<_> = texts.into_iter().filter(|(_, text)| !text.is_empty()).collect();
        call.payload = Payload::Form(Form::new(upload.filename, upload.media_type, file, &texts));
        let parse = |answer: Answer| match answer.status.as_u16() {
            200..=299 => UploadedAsset::parse(&answer.json::<Value>()?)
                .ok_or_else(|| answer.bad("answered with an asset that has no id")),
            _ => Err(answer.refused()),
        };
        self.http.call(&call, parse).await
    }

    /// Changes what is known of an asset; what is `None` stays. Without any change nothing is sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is no such asset, and as
    /// [`insert_model`](Self::insert_model).
    pub async fn describe_asset(&self, id: &str, change: &AssetChange) -> Result<()> {
        if *change == AssetChange::default() {
            return Ok(());
        }
        let url = self.address(Api::Assets, &["assets", id])?;
        let payload = json_of(change);
        self.http.call(&self.asking(Api::Assets, Method::PATCH, url, payload, Repeat::Freely), done).await
    }

    /// Takes an asset out of the media library; one that is not there is as good. Its file stays at its public
    /// address until Prismic's support removes it.
    ///
    /// # Errors
    ///
    /// As [`insert_model`](Self::insert_model).
    pub async fn delete_asset(&self, id: &str) -> Result<()> {
        let url = self.address(Api::Assets, &["assets", id])?;
        let call = self.asking(Api::Assets, Method::DELETE, url, Payload::Nothing, Repeat::Freely);
        let parse = |answer: Answer| match answer.status.as_u16() {
            404 => Ok(()),
            _ => done(answer),
        };
        self.http.call(&call, parse).await
    }

    /// Lists the newest assets, newest first, at most `limit` and what the API gives on one page: to
    /// recognise an upload whose answer was lost.
    ///
    /// # Errors
    ///
    /// Those of [`AssetApi::list`].
    pub async fn newest_assets(&self, limit: u32) -> Result<Vec<Asset>> {
        self.library.newest(limit).await
    }

    /// Finds out whether the token may write documents. Nothing is written: a document without title
    /// is refused.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthorized`] or [`ErrorKind::Forbidden`] when it may not, and those of every
    /// request.
    pub async fn check_migration(&self) -> Result<()> {
        let url = join(&self.endpoints.migration_api, &["documents"]);
        let payload = Payload::Json(Bytes::from_static(b"{}"));
        let call = self.asking(Api::Migration, Method::POST, url, payload, Repeat::Freely);
        let parse = |answer: Answer| match answer.status.as_u16() {
            400 | 422 => Ok(()),
            200..=299 => Err(answer.bad("took a document without title, type and language")),
            _ => Err(answer.refused()),
        };
        self.http.call(&call, parse).await
    }

    /// Adds a document to the migration release; returns its new id, which nothing else ever tells
    /// before it is published.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`] when there is a document with this UID,
    /// [`ErrorKind::BadRequest`] with [`mistakes`](PrismicError::mistakes) when the API does not take
    /// it, and as [`insert_model`](Self::insert_model). One that may have happened left a draft that
    /// only people can see.
    pub async fn create_document(&self, document: &NewDocument) -> Result<String> {
        let url = join(&self.endpoints.migration_api, &["documents"]);
        let payload = json_of(document);
        let call = self.asking(Api::Migration, Method::POST, url, payload, Repeat::UnlessItHappened);
        let parse = |answer: Answer| match answer.status.is_success() {
            true => id_of(&answer.json::<Value>()?)
                .ok_or_else(|| answer.bad("answered with a document that has no id")),
            false => Err(answer.refused()),
        };
        self.http.call(&call, parse).await
    }

    /// Replaces the content of a document: all of it, nothing is merged. One that is published changes
    /// in the migration release until that is published.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is no such document, and as
    /// [`create_document`](Self::create_document).
    pub async fn replace_document(&self, id: &str, document: &DocumentContent) -> Result<()> {
        let url = self.address(Api::Migration, &["documents", id])?;
        let call = self.asking(Api::Migration, Method::PUT, url, json_of(document), Repeat::Freely);
        self.http.call(&call, done).await
    }

    /// Publishes the migration release; returns how many documents that are. They get live some time
    /// after the answer.
    ///
    /// # Errors
    ///
    /// As [`insert_model`](Self::insert_model). One that may have happened shows by what gets live.
    pub async fn publish(&self) -> Result<u64> {
        let url = join(&self.endpoints.migration_api, &["migration-release", "publish"]);
        let payload = Payload::Json(Bytes::from_static(b"{}"));
        let call = self.asking(Api::Migration, Method::POST, url, payload, Repeat::UnlessItHappened);
        let parse = |answer: Answer| match answer.status.is_success() {
            true => answer
                .json::<Value>()?
                .get("totalItems")
                .and_then(Value::as_u64)
                .ok_or_else(|| answer.bad("does not say how many documents it publishes")),
            false => Err(answer.refused()),
        };
        self.http.call(&call, parse).await
    }

    fn asking(&self, api: Api, method: Method, url: Url, payload: Payload, repeat: Repeat) -> Call<'_> {
        let credentials = Credentials::Write { token: &self.token, repository: &self.repository };
        Call { api, method, url, credentials, payload, repeat }
    }

    /// The address of something by its id, which is the last of the segments.
    fn address(&self, api: Api, segments: &[&str]) -> Result<Url> {
        let endpoint = match api {
            Api::Migration => &self.endpoints.migration_api,
            _ => &self.endpoints.asset_api,
        };
        if segments.last().copied().is_some_and(is_usable) {
            return Ok(join(endpoint, segments));
        }
        let asked = self.asking(api, Method::GET, endpoint.clone(), Payload::Nothing, Repeat::Freely);
        let why = "was not asked: an id that no address can hold";
        Err(PrismicError::new(ErrorKind::BadRequest, asked.subject(), why).never_sent())
    }
}

/// Whether a text can be an id in an address. Full stops would be taken for directories, and control
/// characters be dropped.
fn is_usable(id: &str) -> bool {
    !matches!(id, "" | "." | "..") && id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control)
}

/// The id that an answer tells.
fn id_of(answer: &Value) -> Option<String> {
    answer.get("id").and_then(Value::as_str).filter(|id| is_usable(id)).map(str::to_owned)
}

/// What an answer without content says.
fn done(answer: Answer) -> Result<()> {
    if answer.status.is_success() { Ok(()) } else { Err(answer.refused()) }
}

fn json_of(value: &impl serde::Serialize) -> Payload {
    Payload::Json(serde_json::to_vec(value).expect("maps with texts as keys are JSON").into())
}

impl Answer {
    /// What a status other than success means for a write.
    fn refused(&self) -> PrismicError {
        let mistakes = self.mistakes();
        let exists = |text: &str| text.to_lowercase().contains("already exists");
        let conflicts = match self.status.as_u16() {
            409 => true,
            400 => {
                self.message().is_some_and(|message| exists(&message))
                    || mistakes.iter().any(|mistake| mistake.property == "uid" && exists(&mistake.error))
            }
            _ => false,
        };
        let error = match self.status.as_u16() {
            401 | 403 => refusal(self),
            413 => self.error(ErrorKind::TooLarge, format!("does not take so many bytes{}", self.said())),
            _ if conflicts => {
                self.error(ErrorKind::Conflict, format!("has one of this name already{}", self.said()))
            }
            _ => self.unexpected(),
        };
        error.with_mistakes(mistakes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::limits::Limits;

    fn writer() -> RepositoryWriter {
        let http = Http::new(Limits::default(), Arc::new(SystemClock)).expect("a client");
        let endpoints = Endpoints::for_repository("acme-blog").expect("valid");
        RepositoryWriter::new(http, &endpoints, "acme-blog", Secret::new("token-123"))
    }

    #[test]
    fn an_id_never_leads_to_another_address() {
        let writer = writer();
        for (id, path) in [
            ("ZoQE4h5LeNNTwtnO", "/documents/ZoQE4h5LeNNTwtnO"),
            ("a/../b", "/documents/a%2F..%2Fb"),
            ("..%2f", "/documents/..%252f"),
            ("%2e%2e", "/documents/%252e%252e"),
            ("a?b#c", "/documents/a%3Fb%23c"),
            ("\\..\\x", "/documents/%5C..%5Cx"),
        ] {
            let url = writer.address(Api::Migration, &["documents", id]).expect("usable");
            assert_eq!(url.path(), path, "{id}");
            assert_eq!((url.query(), url.host_str()), (None, Some("migration.prismic.io")), "{id}");
        }
        let long = "x".repeat(ID_BYTES_MAX + 1);
        for id in ["", ".", "..", "\t..", "a\nb", &long] {
            let error = writer.address(Api::Assets, &["assets", id]).expect_err("not usable");
            assert_eq!(*error.kind(), ErrorKind::BadRequest, "{id}");
            assert!(!error.may_have_happened());
        }
    }

    #[test]
    fn documents_are_paced_by_repository_and_files_by_host() {
        let one = writer();
        let other = RepositoryWriter { repository: "other".into(), ..one.clone() };
        let pacer = |writer: &RepositoryWriter, api| {
            let url = match api {
                Api::Migration => writer.endpoints.migration_api.clone(),
                _ => writer.endpoints.asset_api.clone(),
            };
            let call = writer.asking(api, Method::POST, url, Payload::Nothing, Repeat::Freely);
            writer.http.pacer(api, &call.url, call.limited_by())
        };
        assert!(!Arc::ptr_eq(&pacer(&one, Api::Migration), &pacer(&other, Api::Migration)));
        assert!(Arc::ptr_eq(&pacer(&one, Api::Migration), &pacer(&one.clone(), Api::Migration)));
        assert!(Arc::ptr_eq(&pacer(&one, Api::Assets), &pacer(&other, Api::Assets)));
    }

    #[test]
    fn a_writer_shows_no_token() {
        let shown = format!("{:?}", writer());
        assert!(shown.contains("acme-blog") && !shown.contains("token-123"), "{shown}");
    }
}
