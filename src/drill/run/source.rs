//! What the snapshot holds, read once, pack by pack, and remembered as digests: a few dozen bytes a document.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use url::Url;

use crate::clock::Timestamp;
use crate::diff::Models;
use crate::ids::{Digest, ItemId};
use crate::prismic::references::references;
use crate::prismic::{Document, PrismicError, asset_url, parse_json};
use crate::restore::paths::{METADATA, ORIGINAL, Place, place};
use crate::restore::{OpenSnapshot, RestoreError};
use crate::vault::error::VaultError;
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::pack::ItemData;

/// Where models lie.
const CUSTOM_TYPES: &str = "models/customtypes/";

/// Why what was restored could not be compared.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContentError {
    #[error(transparent)]
    Snapshot(#[from] RestoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("what was restored cannot be read: {0}")]
    Api(#[from] PrismicError),
    #[error("a temporary file cannot be read: {0}")]
    File(#[from] std::io::Error),
}

/// A document as the snapshot has it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) item: ItemId,
    pub(super) digest: Digest,
    pub(super) type_: Arc<str>,
    pub(super) language: Arc<str>,
    pub(super) uid: Option<Box<str>>,
    /// When it was last published.
    pub(super) edited: Option<Timestamp>,
}

/// An asset of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LibraryFile {
    pub(super) id: String,
    /// Path of its address, as a standby serves it below `/files/`.
    pub(super) path: String,
    /// Bytes of the original.
    pub(super) size: u64,
}

/// What a snapshot holds.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Published documents by id.
    pub(super) documents: HashMap<String, Known>,
    /// The same by type and language.
    pub(super) counts: BTreeMap<(String, String), u64>,
    /// When the newest of them was published.
    pub(super) newest_edit: Option<Timestamp>,
    /// Files with their originals.
    pub(super) library: Vec<LibraryFile>,
    /// Models: custom types and shared slices.
    pub(super) models: Models,
    pub(super) model_count: u64,
    /// Links to documents that the snapshot does not have and that do not say that they are broken.
    pub(super) open_links: u64,
    /// Files that documents show from Prismic's hosts and that are not in the library.
    pub(super) open_files: u64,
}

#[derive(Deserialize)]
struct Metadata {
    id: String,
    url: Url,
}

/// When a document was published, as the Content API writes it: `2018-04-09T16:21:23+0000`.
pub(super) fn published(text: &str) -> Option<Timestamp> {
    let time = chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z")
        .or_else(|_| chrono::DateTime::parse_from_rfc3339(text));
    time.ok().map(|time| time.to_utc())
}

/// What is looked for in a snapshot, by item.
enum Wanted {
    Document { type_: Arc<str>, language: Arc<str> },
    Metadata { size: u64 },
    Model { is_custom_type: bool },
}

/// Reads every published document, the media library's index and all models of a snapshot.
pub(super) async fn read(snapshot: &OpenSnapshot<'_>) -> Result<Source, ContentError> {
    let catalog = snapshot.catalog().await?;
    let mut wanted = wanted(&catalog);
    let items: Vec<ItemId> = wanted.keys().copied().collect();
    let mut reading = Reading::default();
    let outcome: Result<(), ContentError> = snapshot
        .reader()
        .for_each(items, async |item, data| {
            let bytes = in_memory(&data?)?;
            for wanted in wanted.remove(&item).into_iter().flatten() {
                reading.take(item, &bytes, wanted);
            }
            Ok(())
        })
        .await;
    outcome?;
    Ok(reading.close())
}

fn wanted(catalog: &[CatalogEntry]) -> HashMap<ItemId, Vec<Wanted>> {
    let mut words: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut word = |text: &str| -> Arc<str> {
        if let Some(known) = words.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        words.insert(Arc::clone(&new));
        new
    };
    let size_of = |metadata: &CatalogEntry| {
        let path = format!("{}{ORIGINAL}", metadata.path.strip_suffix(METADATA)?);
        let at = catalog.binary_search_by(|entry| (*entry.path).cmp(path.as_str())).ok()?;
        Some(catalog[at].size)
    };
    let mut wanted: HashMap<ItemId, Vec<Wanted>> = HashMap::new();
    for entry in catalog {
        let own = match place(&entry.path) {
            Place::Document { release: None, language, type_, .. } => {
                Some(Wanted::Document { type_: word(type_), language: word(language) })
            }
            Place::Asset { file: METADATA, .. } => size_of(entry).map(|size| Wanted::Metadata { size }),
            Place::Model { .. } => {
                Some(Wanted::Model { is_custom_type: entry.path.starts_with(CUSTOM_TYPES) })
            }
            _ => None,
        };
        if let Some(own) = own {
            wanted.entry(entry.item).or_default().push(own);
        }
    }
    wanted
}

pub(super) fn in_memory(data: &ItemData) -> std::io::Result<Bytes> {
    data.part(0..data.len())
}

/// What was read so far, and what refers to what.
#[derive(Default)]
struct Reading {
    source: Source,
    /// Addresses of the library, and where it is.
    there: HashSet<String>,
    origins: HashSet<String>,
    /// What documents refer to, and how often.
    links: HashMap<String, u64>,
    files: HashMap<String, (Url, u64)>,
}

impl Reading {
    fn take(&mut self, item: ItemId, bytes: &Bytes, wanted: Wanted) {
        match wanted {
            Wanted::Document { type_, language } => self.document(item, bytes, type_, language),
            Wanted::Metadata { size } => {
                let Ok(Metadata { id, url }) = serde_json::from_slice(bytes) else { return };
                self.there.insert(asset_url::comparison_key(&url));
                self.origins.insert(url.origin().ascii_serialization());
                let path = url.path().trim_start_matches('/').to_owned();
                self.source.library.push(LibraryFile { id, path, size });
            }
            Wanted::Model { is_custom_type } => {
                self.source.model_count += 1;
                match is_custom_type {
                    true => self.source.models.add_custom_type(bytes),
                    false => self.source.models.add_slice(bytes),
                }
            }
        }
    }

    fn document(&mut self, item: ItemId, bytes: &Bytes, type_: Arc<str>, language: Arc<str>) {
        // What cannot be parsed was told when everything was decrypted.
        let (Ok(document), Ok(value)) = (Document::parse(bytes), parse_json(bytes)) else { return };
        let edited = document.last_publication_date.as_deref().and_then(published);
        self.source.newest_edit = self.source.newest_edit.max(edited);
        *self.source.counts.entry((type_.to_string(), language.to_string())).or_default() += 1;
        let refers = references(&value);
        for link in refers.documents.into_iter().filter(|link| !link.broken) {
            *self.links.entry(link.id).or_default() += 1;
        }
        for file in refers.assets.into_iter().filter(|file| !file.pasted) {
            let times = self.files.entry(asset_url::comparison_key(&file.url)).or_insert((file.url, 0));
            times.1 += 1;
        }
        let uid = document.uid.map(String::into_boxed_str);
        let known = Known { item, digest: Digest::of(bytes), type_, language, uid, edited };
        self.source.documents.insert(document.id, known);
    }

    fn close(self) -> Source {
        let Self { mut source, there, origins, links, files } = self;
        let is_open = |(id, _): &(&String, &u64)| !source.documents.contains_key(*id);
        source.open_links = links.iter().filter(is_open).map(|(_, times)| times).sum();
        // Files of other hosts are in no library.
        let is_of_library = |url: &Url| {
            asset_url::is_file_of_prismic(url) || origins.contains(&url.origin().ascii_serialization())
        };
        let open = files.iter().filter(|(key, (url, _))| !there.contains(*key) && is_of_library(url));
        source.open_files = open.map(|(_, (_, times))| times).sum();
        source.library.sort_by(|a, b| a.id.cmp(&b.id));
        source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_prismic_writes_them() {
        let time: Timestamp = "2018-04-09T16:21:23Z".parse().unwrap();
        assert_eq!(published("2018-04-09T16:21:23+0000"), Some(time));
        assert_eq!(published("2018-04-09T18:21:23+02:00"), Some(time));
        assert_eq!(published("yesterday"), None);
    }
}
