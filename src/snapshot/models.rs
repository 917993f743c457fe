//! Models and the repository's own metadata: small, read as a whole, not versioned by ref.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::error::Result;
use super::names;
use super::run::Run;
use crate::prismic::{Model, Root};
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::format::manifest::Tally;
use crate::vault::item::ItemKind;
use crate::vault::pack::ItemData;
use crate::vault::writer::NewItem;

/// Returns a member of the root as it was sent.
pub(crate) fn root_member(root: &Root, member: &str) -> Option<Bytes> {
    let members: BTreeMap<&str, &RawValue> = serde_json::from_slice(&root.bytes).ok()?;
    members.get(member).map(|value| Bytes::copy_from_slice(value.get().as_bytes()))
}

/// Custom types and shared slices by path.
pub(super) type Models = BTreeMap<String, Bytes>;

impl Run<'_> {
    /// Lists custom types and shared slices; `None` without write token.
    pub(super) async fn list_models(&self) -> Result<Option<Models>> {
        let Some(types) = &self.types else { return Ok(None) };
        self.check_cancelled()?;
        let (customtypes, slices) = futures_util::try_join!(types.custom_types(), types.slices())
            .map_err(|error| self.source_error(error))?;
        let by_path =
            |kind: &'static str| move |model: Model| (names::model(self.key(), kind, &model.id), model.bytes);
        Ok(Some(
            customtypes
                .into_iter()
                .map(by_path("customtypes"))
                .chain(slices.into_iter().map(by_path("slices")))
                .collect(),
        ))
    }

    /// Stores small files and returns their entries and tally.
    pub(super) async fn store_files(
        &self,
        kind: ItemKind,
        files: impl IntoIterator<Item = (String, Bytes)>,
    ) -> Result<(Vec<CatalogEntry>, Tally)> {
        let files: Vec<_> = files.into_iter().collect();
        let items = files.iter().map(|(path, bytes)| NewItem {
            kind,
            path: path.clone(),
            data: ItemData::Memory(bytes.clone()),
        });
        let stored = self.store(items.collect()).await?;
        let entries: Vec<_> = files
            .into_iter()
            .zip(stored)
            .map(|((path, _), stored)| CatalogEntry { path: path.into(), item: stored.id, size: stored.size })
            .collect();
        let count = entries.len() as u64;
        let bytes = entries.iter().map(|entry| entry.size).sum();
        Ok((entries, Tally { reported: Some(count), stored: count, bytes }))
    }

    /// Returns the repository's own metadata: the root as it was sent, its languages and forms
    /// for those who look for them, tags, and the tags of the media library.
    pub(super) async fn repository_files(&self, root: &Root) -> Result<Vec<(String, Bytes)>> {
        let mut files = vec![(names::repository("api.json"), root.bytes.clone())];
        for member in ["languages", "forms"] {
            let value = root_member(root, member);
            files.extend(value.map(|value| (names::repository(&format!("{member}.json")), value)));
        }
        let of_assets = async {
            match &self.library {
                Some(library) => library.tags().await.map(Some),
                None => Ok(None),
            }
        };
        let (tags, of_assets) = futures_util::try_join!(self.content.tags(root), of_assets)
            .map_err(|error| self.source_error(error))?;
        files.push((names::repository("tags.json"), tags.bytes));
        files.extend(of_assets.map(|tags| (names::repository("asset-tags.json"), tags)));
        Ok(files)
    }
}
