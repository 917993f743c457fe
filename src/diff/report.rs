//! What a comparison of two sides tells.

use serde::Serialize;

use super::change::{Change, ItemChange, ItemDiff};
use crate::ids::{Name, SnapshotId};
use crate::progress::Problem;
use crate::vault::erasure::Applied;
use crate::vault::format::manifest::Status;

/// A side of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SideReport {
    /// Name of the repository in the configuration.
    pub repository: Name,
    /// The snapshot; `None` for the repository as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotId>,
    /// The master ref that it was or is read at.
    pub master_ref: String,
    /// When the snapshot was begun, or live was read, RFC 3339.
    pub at: String,
    /// Whether something is missing in the snapshot; `None` for live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// What orders of erasure changed of the snapshot.
    #[serde(skip_serializing_if = "Applied::is_nothing")]
    pub applied: Applied,
}

/// How many items of a sort differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// In the newer only.
    pub added: u64,
    /// In the older only.
    pub removed: u64,
    /// Edited.
    pub changed: u64,
    /// Told about differently, and not edited.
    pub metadata: u64,
}

impl Tally {
    pub(super) fn count(&mut self, what: ItemChange) {
        match what {
            ItemChange::Added => self.added += 1,
            ItemChange::Removed => self.removed += 1,
            ItemChange::Changed => self.changed += 1,
            ItemChange::Metadata => self.metadata += 1,
        }
    }

    /// How many items people would say differ.
    pub fn edits(&self) -> u64 {
        self.added + self.removed + self.changed
    }
}

/// How many items differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tallies {
    /// Published documents, and those of releases.
    pub documents: Tally,
    /// Assets of the media library, and files that documents use besides.
    pub assets: Tally,
    /// Custom types and shared slices.
    pub models: Tally,
    /// Languages, releases, tags.
    pub repository: Tally,
}

/// A translation that came or went.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TranslationChange {
    /// Id of the translation.
    pub id: String,
    /// Its language.
    pub language: String,
    /// The language as people call it: `French`.
    pub language_name: String,
    /// Whether it came or went.
    pub what: ItemChange,
}

/// A document that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DocumentDiff {
    /// Path in the newer catalog, else in the older one.
    pub path: String,
    /// Its id.
    pub id: String,
    /// Id of its custom type.
    #[serde(rename = "type")]
    pub type_: String,
    /// What the editor calls the type, where a model says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_label: Option<String>,
    /// Its language.
    pub language: String,
    /// The language as people call it.
    pub language_name: String,
    /// Id of the release that changes it; `None` for what is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Its UID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// What people call it; see [`document_title`](super::document_title).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What became of it.
    pub what: ItemChange,
    /// Its translations that came or went.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub translations: Vec<TranslationChange>,
    /// Id of the document among whose translations this one, which came or went, is named as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translation_of: Option<String>,
    /// What changed in it.
    #[serde(flatten)]
    pub diff: ItemDiff,
}

/// An asset that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AssetDiff {
    /// Its id as in paths.
    pub id: String,
    /// Its file name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What became of it.
    pub what: ItemChange,
    /// Whether its file has other bytes.
    pub file_changed: bool,
    /// What changed in its metadata.
    #[serde(flatten)]
    pub diff: ItemDiff,
}

/// A custom type or shared slice that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelDiff {
    /// Path in the catalog.
    pub path: String,
    /// Its id as in paths.
    pub id: String,
    /// What the editor calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What became of it.
    pub what: ItemChange,
    /// What changed in it.
    #[serde(flatten)]
    pub diff: ItemDiff,
}

/// A part of the repository's own metadata that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RepositoryDiff {
    /// Path in the catalog.
    pub path: String,
    /// What became of it.
    pub what: ItemChange,
    /// What changed in it.
    #[serde(flatten)]
    pub diff: ItemDiff,
}

/// What differs between two sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiffReport {
    /// The older side.
    pub old: SideReport,
    /// The newer side.
    pub new: SideReport,
    /// How many items differ.
    pub summary: Tallies,
    /// Documents, by release, type, title and id.
    pub documents: Vec<DocumentDiff>,
    /// Assets, by id.
    pub assets: Vec<AssetDiff>,
    /// Models, by path.
    pub models: Vec<ModelDiff>,
    /// Languages, releases and tags, by path.
    pub repository: Vec<RepositoryDiff>,
    /// What is not compared, and why: a side that is partial or cannot be asked.
    pub not_compared: Vec<Problem>,
    /// Items that could not be read, so that nobody knows whether they differ.
    pub problems: Vec<Problem>,
    /// Whether values of later changes were left out, because there are too many.
    pub values_left_out: bool,
}

impl DiffReport {
    /// Whether nothing differs that anybody edited.
    pub fn is_empty(&self) -> bool {
        let Tallies { documents, assets, models, repository } = &self.summary;
        [documents, assets, models, repository].iter().all(|tally| tally.edits() == 0)
    }

    pub(super) fn count(&mut self) {
        let mut sums = Tallies::default();
        self.documents.iter().for_each(|one| sums.documents.count(one.what));
        self.assets.iter().for_each(|one| sums.assets.count(one.what));
        self.models.iter().for_each(|one| sums.models.count(one.what));
        self.repository.iter().for_each(|one| sums.repository.count(one.what));
        self.summary = sums;
    }
}

/// Keeps or drops the values of changes, within a bound for all of them together.
#[derive(Debug)]
pub(super) struct Values {
    /// Whether they are wanted.
    pub(super) wanted: bool,
    /// Bytes that may still be kept.
    pub(super) left: u64,
    /// Whether some were dropped that were wanted.
    pub(super) left_out: bool,
}

impl Values {
    pub(super) fn settle(&mut self, diff: &mut ItemDiff) {
        for change in diff.changes.iter_mut().chain(&mut diff.metadata) {
            let bytes = if self.wanted { weight(change) } else { 0 };
            let fits = self.wanted && bytes <= self.left;
            self.left_out |= self.wanted && !fits;
            match fits {
                true => self.left -= bytes,
                false => (change.old, change.new) = (None, None),
            }
        }
    }
}

/// About the bytes that the values of a change take.
fn weight(change: &Change) -> u64 {
    let mut waiting: Vec<&serde_json::Value> = change.old.iter().chain(&change.new).collect();
    let mut bytes = 0;
    while let Some(value) = waiting.pop() {
        bytes += 32;
        match value {
            serde_json::Value::String(text) => bytes += text.len() as u64,
            serde_json::Value::Array(elements) => waiting.extend(elements),
            serde_json::Value::Object(members) => {
                bytes += members.keys().map(|key| key.len() as u64 + 32).sum::<u64>();
                waiting.extend(members.values());
            }
            _ => {}
        }
    }
    bytes
}
