//! Prismic: clients for its APIs, and the model of its documents.
//!
//! The only floor that speaks HTTP to Prismic. Facts about the service (forms of URLs, error
//! bodies, paging) are encoded here and nowhere above.
//!
//! - [`http::Http`]: one per process. Paces, retries, bounds.
//! - [`content::ContentApi`], [`assets::AssetApi`], [`types::TypesApi`]: one per repository.
//!   [`download::Downloader`] fetches files.
//! - [`write::RepositoryWriter`]: the only one that writes; who has it can change a repository.
//! - [`document::Document`]: the bytes of the API, less what changes without the content changing.
//!   [`walk`] and [`references`] look into it; [`replace`] puts other values into it.
//! - [`model`]: what custom types and slices say about fields.
//!
//! Invariants: a token is sent to its own API only; no token, query or file name is in an error;
//! what is stored are bytes that were received, never printed again. Nothing here keeps anything on
//! disk beyond unnamed temporary files. A crash while something is written leaves it open whether that
//! happened: whoever writes keeps a journal.

mod answer;
pub mod asset_url;
pub mod assets;
mod call;
pub mod content;
pub mod cut;
pub mod document;
pub mod download;
pub mod endpoints;
pub mod error;
mod form;
pub mod http;
pub mod model;
mod pacer;
mod pages;
mod probe;
pub mod references;
pub mod replace;
pub mod root;
pub mod search;
pub mod token;
mod tolerant;
pub mod types;
pub mod walk;
pub mod write;

pub use asset_url::{AssetHost, AssetHosts};
pub use assets::{Asset, AssetApi, AssetList};
pub use content::{ContentApi, Tags};
pub use document::{AlternateLanguage, Document};
pub use download::{AssetBytes, AssetData, AssetReader, Downloader};
pub use endpoints::Endpoints;
pub use error::{ErrorKind, Mistake, PrismicError, Result};
pub use http::{Api, Http};
pub(crate) use http::{is_plain_loopback, new_client};
pub use probe::FileProbe;
pub use references::{AssetRef, DocumentRef, References, UnusableAsset, WALK};
pub use root::{Language, Release, Root};
pub use search::{IdBatch, Search, SearchPage, predicate};
pub use token::TokenDates;
pub(crate) use tolerant::parse as parse_json;
pub use types::{Model, TypesApi};
pub use write::RepositoryWriter;
