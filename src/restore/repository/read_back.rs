//! What came of a restore: the target, read again and compared with the snapshot.
//!
//! All that is published in the target is read at one ref, and each document compared with the one it
//! was restored from, modulo the map of ids: what differs is *expected* where the fidelity report
//! foretold it, and a *defect* otherwise. Models and the media library are compared as well. Nothing is
//! believed of what the write APIs answered.
//!
//! A report names things by their ids and places, never by content.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::super::content::{OpenSnapshot, Watch};
use super::super::error::{RestoreError, Result};
use super::super::files::blocking;
use super::convert::FindingKind;
use super::entries::Recorded;
use super::existing::TargetReader;
use super::ids::IdMap;
use super::models::is_same;
use super::plan::{Plan, Planned};
use super::source::{CUSTOM_TYPES, SLICES, memory};
use crate::diff::{Bounds, Change, Identity as _, ItemDiff, Models, compare_documents};
use crate::ids::ItemId;
use crate::limits::Limits;
use crate::prismic::write::{ASSET_TAG_CHARS_MAX, ASSET_TEXT_CHARS_MAX};
use crate::prismic::{Asset, Document, PrismicError, Root, parse_json};

/// Differences that a report lists one by one; all are counted.
const LISTED_MAX: usize = 10_000;

/// What came of a restore.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReadBack {
    /// Ref of the target that was read.
    pub master_ref: String,
    /// Documents that were compared.
    pub documents: u64,
    /// Those of them in which nothing differs.
    pub equal: u64,
    /// Assets that were compared.
    pub assets: u64,
    /// Models that were compared.
    pub models: u64,
    /// Documents of the target that this restore left as they were, because they were there.
    pub kept: u64,
    /// Documents of the target that are not of this restore and were not there before.
    pub appeared: u64,
    /// Differences that the fidelity report foretold.
    pub expected: u64,
    /// Differences that nothing foretold.
    pub defects: u64,
    /// The differences, defects first, at most 10,000 of them.
    pub differences: Vec<Difference>,
}

/// One difference between snapshot and target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// Why it was to be expected; `None` for a defect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<FindingKind>,
    /// What sort of thing: `document`, `asset`, `custom type`, `shared slice`.
    pub thing: &'static str,
    /// Its id in the snapshot.
    pub id: String,
    /// Its id in the target, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_id: Option<String>,
    /// Where: a JSON pointer; empty for the whole.
    pub path: String,
    /// What happened to it: `missing`, `changed`, …
    pub what: String,
}

/// Compares a target with what was restored into it.
pub(super) struct Reading<'a> {
    pub(super) snapshot: &'a OpenSnapshot<'a>,
    pub(super) target: &'a TargetReader,
    pub(super) plan: &'a Plan,
    pub(super) recorded: &'a Recorded,
    /// Ids of what was published in the target before.
    pub(super) before: &'a HashSet<String>,
    pub(super) limits: &'a Limits,
    pub(super) watch: Watch<'a>,
}

impl Reading<'_> {
    /// Reads and compares everything.
    ///
    /// # Errors
    ///
    /// When the target or the snapshot cannot be read.
    pub(super) async fn compare(&self) -> Result<ReadBack> {
        let root = self.target.content().root().await.map_err(|error| self.failed(error))?;
        let mut back = ReadBack { master_ref: root.master_ref.clone(), ..ReadBack::default() };
        self.documents(&root, &mut back).await?;
        self.models(&mut back).await?;
        self.library(&mut back).await?;
        back.differences.sort();
        Ok(back)
    }

    fn failed(&self, error: PrismicError) -> RestoreError {
        let what = format!("cannot read back what was restored into {}", self.plan.repository);
        RestoreError::Target { what, error: Box::new(error) }
    }

    async fn documents(&self, root: &Root, back: &mut ReadBack) -> Result<()> {
        let work = &self.plan.work;
        let by_new: HashMap<&str, &Planned> = work
            .documents
            .iter()
            .filter_map(|planned| Some((&*self.recorded.documents.get(&planned.document.id)?.id, planned)))
            .collect();
        let kept: HashSet<&str> = work.kept.iter().map(|(_, there)| &**there).collect();
        let models = Arc::new(self.diff_models());
        let map = Arc::new(IdMap::new(self.recorded));
        let mut seen: HashSet<String> = HashSet::with_capacity(by_new.len());
        let outcome = self.target.for_each_document(root, self.watch.progress, async |page| {
            self.watch.check_cancelled().map_err(PageError::Restore)?;
            let mut ours: HashMap<ItemId, (&Planned, Document)> = HashMap::new();
            for document in page {
                match by_new.get(&*document.id) {
                    Some(planned) => {
                        seen.insert(document.id.clone());
                        ours.insert(planned.document.item, (planned, document));
                    }
                    None if kept.contains(&*document.id) => back.kept += 1,
                    None if self.before.contains(&document.id) => {}
                    None => back.appeared += 1,
                }
            }
            self.page(ours, (&models, &map), back).await.map_err(PageError::Restore)
        });
        outcome.await.map_err(|error| match error {
            PageError::Restore(error) => error,
            PageError::Target(error) => self.failed(error),
        })?;
        for planned in &work.documents {
            let new = self.recorded.documents.get(&planned.document.id);
            if new.is_none_or(|new| !seen.contains(&new.id)) {
                let new_id = new.map(|new| new.id.clone());
                back.note(None, "document", &planned.document.id, new_id, String::new(), "missing");
            }
        }
        Ok(())
    }

    /// Compares the documents of one page.
    async fn page(
        &self,
        mut ours: HashMap<ItemId, (&Planned, Document)>,
        (models, map): (&Arc<Models>, &Arc<IdMap>),
        back: &mut ReadBack,
    ) -> Result<()> {
        let items: Vec<ItemId> = ours.keys().copied().collect();
        let bounds = Bounds::from(self.limits);
        self.snapshot
            .reader()
            .for_each_batch(items, async |batch| {
                for (item, data) in batch {
                    let Some((planned, document)) = ours.remove(&item) else { continue };
                    let old: Bytes = match data {
                        Ok(data) => memory(data)?,
                        // What cannot be compared is not as it was, and the rest is compared.
                        Err(error) if error.is_damage() => {
                            let (id, new_id) = (&planned.document.id, Some(document.id));
                            back.documents += 1;
                            back.note(None, "document", id, new_id, String::new(), "damaged in the vault");
                            continue;
                        }
                        Err(error) => return Err(error.into()),
                    };
                    let (models, map) = (Arc::clone(models), Arc::clone(map));
                    let (new_id, found) = blocking(move || {
                        let found = compare(&old, &document, &models, &map, bounds);
                        (document.id, found)
                    })
                    .await;
                    self.document(planned, new_id, found, back);
                }
                Ok::<_, RestoreError>(())
            })
            .await
    }

    /// Takes in what differs in one document.
    fn document(&self, planned: &Planned, new_id: String, found: Option<Found>, back: &mut ReadBack) {
        let id = &planned.document.id;
        back.documents += 1;
        let Some(found) = found else {
            back.note(None, "document", id, Some(new_id), String::new(), "unreadable");
            return;
        };
        if found.diff.changes.is_empty() && found.diff.more == 0 && found.are_translations_equal {
            back.equal += 1;
        }
        for (change, expected) in
            found.diff.changes.iter().zip(self.plan.work.expected.classify(id, &found.diff))
        {
            let what = word(change);
            let path = change.path().to_owned();
            back.note(expected, "document", id, Some(new_id.clone()), path, &what);
        }
        if found.diff.more > 0 {
            let what = format!("{} more changes", found.diff.more);
            back.note(None, "document", id, Some(new_id.clone()), String::new(), &what);
        }
        if !found.are_translations_equal && !self.loses_translations(planned) {
            let path = "/alternate_languages".to_owned();
            back.note(None, "document", id, Some(new_id), path, "translations differ");
        }
    }

    /// Whether some translation of a document is not restored, so that its list must differ.
    fn loses_translations(&self, planned: &Planned) -> bool {
        let ids = &planned.document.translations;
        // Replacing a document cannot link it to translations: only creating one can.
        planned.there.is_some() || ids.iter().any(|id| !self.plan.work.planned.contains(id))
    }

    /// The models by which changes are found and named: those of the snapshot.
    fn diff_models(&self) -> Models {
        let source = &self.plan.work.source;
        let mut models = Models::default();
        source.custom_types.values().for_each(|bytes| models.add_custom_type(bytes));
        source.slices.values().for_each(|bytes| models.add_slice(bytes));
        models
    }

    async fn models(&self, back: &mut ReadBack) -> Result<()> {
        let (custom_types, slices) = self.target.models().await.map_err(|error| self.failed(error))?;
        let bounds = Bounds::from(self.limits);
        let models = &self.plan.work.models;
        for step in models.steps.iter().chain(&models.same) {
            let theirs = match step.kind {
                SLICES => slices.get(&step.id),
                _ => custom_types.get(&step.id),
            };
            back.models += 1;
            let what = match theirs {
                None => "missing",
                Some(their) if is_same(&step.bytes, their, bounds) => continue,
                Some(_) => "changed",
            };
            let thing = if step.kind == CUSTOM_TYPES { "custom type" } else { "shared slice" };
            back.note(None, thing, &step.id, None, String::new(), what);
        }
        Ok(())
    }

    async fn library(&self, back: &mut ReadBack) -> Result<()> {
        let work = &self.plan.work;
        if work.uploads.is_empty() {
            return Ok(());
        }
        let there = self.target.assets(self.watch.progress).await.map_err(|error| self.failed(error))?;
        let tags = self.target.tags().await.map_err(|error| self.failed(error))?;
        for at in &work.uploads {
            let asset = &work.source.assets[*at];
            back.assets += 1;
            let new = self.recorded.assets.get(&asset.id);
            let Some(theirs) = new.and_then(|new| there.get(&new.id)) else {
                let new_id = new.map(|new| new.id.clone());
                back.note(None, "asset", &asset.id, new_id, String::new(), "missing");
                continue;
            };
            let mut differs = |path: &str, expected| {
                back.note(expected, "asset", &asset.id, Some(theirs.id.clone()), path.to_owned(), "changed");
            };
            if theirs.size != Some(asset.bytes) {
                differs("/size", None);
            }
            let value = parse_json(&theirs.bytes).unwrap_or_default();
            for (key, ours) in [("alt", &asset.alt), ("notes", &asset.notes), ("credits", &asset.credits)] {
                let ours = ours.as_deref().unwrap_or_default();
                if value.get(key).and_then(serde_json::Value::as_str).unwrap_or_default() != ours {
                    let is_long = ours.chars().count() > ASSET_TEXT_CHARS_MAX;
                    differs(&format!("/{key}"), is_long.then_some(FindingKind::AssetTextTooLong));
                }
            }
            if asset.filename.is_some() && theirs.filename != asset.filename {
                differs("/filename", None);
            }
            if let Some(expected) = self.tags_differ(asset, theirs, &tags) {
                differs("/tags", expected);
            }
        }
        Ok(())
    }

    /// Whether the tags of an asset differ, and why that was to be expected.
    fn tags_differ(
        &self,
        asset: &super::source::SourceAsset,
        theirs: &Asset,
        tags: &std::collections::BTreeMap<String, String>,
    ) -> Option<Option<FindingKind>> {
        let names = asset.tags.iter().filter_map(|id| self.plan.work.source.tags.get(id));
        let (mut wanted, mut is_long) = (BTreeSet::new(), false);
        for name in names {
            is_long |= name.chars().count() > ASSET_TAG_CHARS_MAX;
            wanted.insert(name.as_str());
        }
        let by_id: HashMap<&str, &str> = tags.iter().map(|(name, id)| (id.as_str(), name.as_str())).collect();
        let there: BTreeSet<&str> =
            theirs.tags.iter().filter_map(|id| by_id.get(id.as_str()).copied()).collect();
        (there != wanted).then_some(is_long.then_some(FindingKind::TagTooLong))
    }
}

/// Why a page of the target could not be compared.
enum PageError {
    Restore(RestoreError),
    Target(PrismicError),
}

impl From<PrismicError> for PageError {
    fn from(error: PrismicError) -> Self {
        Self::Target(error)
    }
}

/// What differs in one document.
struct Found {
    diff: ItemDiff,
    are_translations_equal: bool,
}

fn compare(old: &[u8], new: &Document, models: &Models, map: &IdMap, bounds: Bounds) -> Option<Found> {
    let diff = compare_documents(old, &new.bytes, models, map, bounds).ok()?;
    let older = Document::parse(old).ok()?;
    let of = |document: &Document| -> BTreeSet<String> {
        document.alternate_languages.iter().map(|one| one.id.clone()).collect()
    };
    let mapped: BTreeSet<String> = of(&older).into_iter().map(|id| map.document(&id).to_owned()).collect();
    Some(Found { are_translations_equal: mapped == of(new), diff })
}

/// Says in two words what happened, without values: the names that JSON has for them.
fn word(change: &Change) -> String {
    fn name(value: &impl Serialize) -> String {
        let name = serde_json::to_value(value).ok();
        name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
    format!("{} {}", name(&change.kind), name(&change.what))
}

impl ReadBack {
    fn note(
        &mut self,
        expected: Option<FindingKind>,
        thing: &'static str,
        id: &str,
        new_id: Option<String>,
        path: String,
        what: &str,
    ) {
        match expected {
            Some(_) => self.expected += 1,
            None => self.defects += 1,
        }
        // Defects are listed whatever else there is.
        if self.differences.len() < LISTED_MAX || expected.is_none() {
            let (id, what) = (id.to_owned(), what.to_owned());
            self.differences.push(Difference { expected, thing, id, new_id, path, what });
        }
    }
}
