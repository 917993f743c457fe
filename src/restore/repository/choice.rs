//! What of a snapshot is restored, and how.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::super::error::{RestoreError, Result};
use super::super::selection::Selection;
use super::source::{Source, SourceDocument};
use crate::ids::{ItemId, hex};
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::item::ItemKey;

/// What becomes of documents and models that the target has already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// Nothing is written.
    #[default]
    Fail,
    /// Those of the target stay.
    Skip,
    /// They become those of the snapshot.
    Update,
}

/// What of a snapshot is restored, and how.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Which documents. Everything: the media library as a whole and all models as well.
    pub only: Selection,
    /// Whether documents are restored that the chosen ones link to or are translations of.
    pub with_links: bool,
    /// Whether assets are restored that the chosen documents use.
    pub with_assets: bool,
    /// What becomes of what the target has already.
    pub on_conflict: OnConflict,
    /// Whether the migration release is published; else a person has to.
    pub publish: bool,
    /// Whether a partial snapshot will do.
    pub allow_partial: bool,
    /// Documents that a migration release holds.
    pub release_documents: u32,
    /// The one field that is restored of a document.
    pub field: Option<String>,
}

impl Choice {
    /// Whether the whole snapshot is restored.
    pub fn is_everything(&self) -> bool {
        self.only.is_everything()
    }

    /// Whether assets are uploaded.
    pub(super) fn takes_assets(&self) -> bool {
        self.is_everything() || self.with_assets
    }

    /// Returns a digest of what decides which requests are made: a restore goes on with the same only.
    /// Whether it publishes itself may change on the way.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        let Selection { types, languages, ids, paths } = &self.only;
        for list in [types, languages, ids, paths] {
            let mut list = list.clone();
            list.sort();
            for text in list {
                digest.update((text.len() as u64).to_be_bytes());
                digest.update(text);
            }
            digest.update(u64::MAX.to_be_bytes());
        }
        digest.update([u8::from(self.with_links), u8::from(self.with_assets), self.on_conflict as u8]);
        digest.update(self.release_documents.to_be_bytes());
        digest.update(self.field.as_deref().unwrap_or_default());
        hex(&digest.finalize()[..8])
    }

    /// Returns the places of the chosen documents in [`Source::documents`].
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::super::RestoreErrorKind::NotFound) when a wish matches nothing.
    pub(super) fn documents(&self, key: &ItemKey, source: &Source) -> Result<Vec<usize>> {
        if self.is_everything() {
            return Ok((0..source.documents.len()).collect());
        }
        // Choices are made by paths; those of the documents are made again.
        let path = |document: &SourceDocument| {
            let SourceDocument { language, type_, segment, .. } = document;
            format!("documents/{language}/{type_}/{segment}.json").into_boxed_str()
        };
        let mut entries: Vec<CatalogEntry> = source
            .documents
            .iter()
            .map(|document| CatalogEntry { path: path(document), item: document.item, size: 0 })
            .collect();
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        let chosen = self.only.apply(key, &entries)?;
        let items: std::collections::HashSet<ItemId> = chosen.iter().map(|entry| entry.item).collect();
        let places: Vec<usize> =
            (0..source.documents.len()).filter(|at| items.contains(&source.documents[*at].item)).collect();
        match places.is_empty() {
            false => Ok(places),
            true => Err(RestoreError::NotFound {
                what: "the choice matches no published document".to_owned(),
                hint: "`prismvault show` counts what the snapshot holds".to_owned(),
            }),
        }
    }
}
