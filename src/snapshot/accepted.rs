//! Accepted gaps, tried again: a file whose loss somebody accepted may come back.
//!
//! A run that reads documents asks for every file that they use anyway. One that carries them over
//! does not know the address of a file any more, because this host cannot read what it stored. But
//! it can read who uses it (the links of the snapshot before), so it asks the API for a few of
//! those documents, and then for the files. How many is bounded, because an unchanged run is to
//! cost next to nothing; which ones changes from day to day. What only documents of a release use
//! is tried again when documents are read.
//!
//! Nothing is stored unless a file is whole, so a loss that stays costs no writes.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Result;
use super::names;
use super::run::Run;
use crate::clock::Timestamp;
use crate::prismic::asset_url::comparison_key;
use crate::prismic::{AssetHost, AssetRef, ErrorKind as SourceErrorKind, Root};
use crate::vault::error::Result as VaultResult;
use crate::vault::format::catalog::{CatalogEntry, LinkEntry};
use crate::vault::format::manifest::Manifest;
use crate::vault::item::ItemKind;
use crate::vault::reader::Reader;
use crate::vault::tree;
use crate::vault::writer::NewItem;

/// A file whose loss was accepted, and a document that uses it.
#[derive(Debug)]
pub(super) struct AcceptedFile {
    /// Path of the file in the catalog.
    path: String,
    /// Id of the document.
    document: String,
}

/// Returns up to `most` files that the snapshot lacks and somebody accepted as lost, those first
/// whose turn it is on the day of `now`.
pub(super) async fn accepted_files(
    reader: &Reader<'_>,
    manifest: &Manifest,
    now: Timestamp,
    most: usize,
) -> VaultResult<Vec<AcceptedFile>> {
    let gaps = manifest.accepted_gaps.iter().map(|gap| gap.subject.as_str());
    let lost: BTreeMap<&str, &str> = gaps.filter_map(|path| Some((asset_of(path)?, path))).collect();
    if lost.is_empty() || most == 0 {
        return Ok(Vec::new());
    }
    let mut users: BTreeMap<&str, String> = BTreeMap::new();
    for entry in tree::read_all::<LinkEntry>(reader, &manifest.links).await? {
        let Some(document) = document_of(&entry.path) else { continue };
        for asset in &entry.assets {
            if let Some((asset, _)) = lost.get_key_value(&**asset) {
                users.entry(asset).or_insert_with(|| document.to_owned());
            }
        }
    }
    let file = |(asset, document): (&str, String)| AcceptedFile { path: lost[asset].to_owned(), document };
    let mut files: Vec<AcceptedFile> = users.into_iter().map(file).collect();
    let day = usize::try_from(now.timestamp().div_euclid(86_400)).unwrap_or(0);
    if !files.is_empty() {
        let turn = day.wrapping_mul(most) % files.len();
        files.rotate_left(turn);
    }
    files.truncate(most);
    Ok(files)
}

fn asset_of(path: &str) -> Option<&str> {
    path.strip_prefix("assets/")?.strip_suffix("/original")
}

fn document_of(path: &str) -> Option<&str> {
    path.strip_prefix("documents/")?.rsplit('/').next()?.strip_suffix(".json")
}

impl Run<'_> {
    /// Asks for accepted files again that the media library does not list; returns those that are
    /// there now.
    pub(super) async fn try_accepted_again(
        &self,
        root: &Root,
        listed: &BTreeSet<String>,
    ) -> Result<Vec<CatalogEntry>> {
        let accepted = self.base.as_ref().map(|base| base.accepted.as_slice()).unwrap_or_default();
        let wanted: Vec<&AcceptedFile> =
            accepted.iter().filter(|file| !listed.contains(&file.path)).collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let ids: BTreeSet<String> = wanted.iter().map(|file| file.document.clone()).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        let mut found: BTreeMap<&str, AssetRef> = BTreeMap::new();
        for batch in self.content.in_ids_batches(&self.everything(&root.master_ref, root), &ids) {
            for document in self.page(batch.search).await?.documents {
                let Ok(references) = document.references() else { continue };
                for asset in references.assets {
                    let paths = self.paths_of(&asset);
                    if let Some(file) = wanted.iter().find(|file| paths.contains(&file.path)) {
                        found.entry(&file.path).or_insert(asset);
                    }
                }
            }
        }
        let mut back = Vec::new();
        for (path, asset) in found {
            self.check_cancelled()?;
            back.extend(self.try_file(path, &asset).await?);
        }
        Ok(back)
    }

    /// The paths that an asset may have: by its id, or by its address.
    fn paths_of(&self, asset: &AssetRef) -> Vec<String> {
        let by_address = self.key().name(&comparison_key(&asset.url));
        let ids = asset.id.iter().cloned().chain([by_address]);
        ids.map(|id| names::asset_original(self.key(), &id)).collect()
    }

    async fn try_file(&self, path: &str, asset: &AssetRef) -> Result<Option<CatalogEntry>> {
        if self.downloader.hosts().classify(&asset.url) == AssetHost::External {
            return Ok(None);
        }
        let downloaded = match self.downloader.download(&asset.url, asset.size).await {
            Ok(downloaded) if downloaded.size_mismatch().is_none() => downloaded,
            Err(error) if *error.kind() == SourceErrorKind::Local => return Err(self.source_error(error)),
            Ok(_) | Err(_) => return Ok(None),
        };
        let item = NewItem {
            kind: ItemKind::Asset,
            path: path.to_owned(),
            data: super::assets::item_data(downloaded),
        };
        let stored = self.store(vec![item]).await?[0];
        Ok(Some(CatalogEntry { path: path.into(), item: stored.id, size: stored.size }))
    }
}
