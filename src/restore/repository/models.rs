//! Which models the target needs before documents can be written.
//!
//! Prismic drops what a model does not have, silently and with a success: so models come first, and
//! where those of the target stay other than the snapshot's, what of the content they cannot hold is
//! counted. A model that differs is changed only where that is harmless (nothing of the type is
//! published there) or was asked for.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::Value;

use super::OnConflict;
use super::existing::Existing;
use super::source::{CUSTOM_TYPES, SLICES, Source};
use crate::diff::{Bounds, compare_models};
use crate::prismic::model::{ChoiceKind, FieldKind, Model};
use crate::prismic::parse_json;

/// What becomes of one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// The target has none of this id.
    Insert,
    /// The target has another.
    Update,
}

/// A model that is to be written.
#[derive(Debug, Clone)]
pub(super) struct ModelStep {
    /// [`CUSTOM_TYPES`] or [`SLICES`].
    pub(super) kind: &'static str,
    /// Its id.
    pub(super) id: String,
    /// As the Types API sent it when the snapshot was taken.
    pub(super) bytes: Bytes,
    /// What becomes of it.
    pub(super) action: Action,
}

/// What becomes of the models.
#[derive(Debug, Default)]
pub(super) struct ModelPlan {
    /// Shared slices first: custom types name them.
    pub(super) steps: Vec<ModelStep>,
    /// Those that the target has as they are to be.
    pub(super) same: Vec<ModelStep>,
    /// Models of which the target's own, which differ, stay.
    pub(super) kept: Vec<(&'static str, String)>,
    /// Models that differ and stand in the way.
    pub(super) conflicts: Vec<(&'static str, String)>,
    /// How the target's models are when documents are written.
    pub(super) models: Vec<Model>,
}

/// Decides what becomes of the models that documents of `types` need; `None`: of all.
pub(super) fn plan(
    source: &Source,
    existing: &Existing,
    types: Option<&BTreeSet<&str>>,
    on_conflict: OnConflict,
    bounds: Bounds,
) -> ModelPlan {
    let mut plan = ModelPlan::default();
    let mut after = BTreeMap::new();
    for (kind, theirs) in [(SLICES, &existing.slices), (CUSTOM_TYPES, &existing.custom_types)] {
        after.extend(theirs.iter().map(|(id, bytes)| ((kind, id.clone()), bytes.clone())));
    }
    let slices = types.map(|types| slices_of(source, types));
    for (kind, ours, theirs) in [
        (SLICES, &source.slices, &existing.slices),
        (CUSTOM_TYPES, &source.custom_types, &existing.custom_types),
    ] {
        for (id, bytes) in ours {
            let is_needed = match (kind, types, &slices) {
                (CUSTOM_TYPES, Some(types), _) => types.contains(&**id),
                (_, _, Some(slices)) => slices.contains(id),
                _ => true,
            };
            if !is_needed {
                continue;
            }
            let action = match theirs.get(id) {
                None => Action::Insert,
                Some(their) if is_same(bytes, their, bounds) => {
                    let (id, bytes) = (id.clone(), bytes.clone());
                    plan.same.push(ModelStep { kind, id, bytes, action: Action::Update });
                    continue;
                }
                Some(_) => {
                    let in_use = match kind {
                        CUSTOM_TYPES => existing.documents.has_type(id),
                        _ => existing.documents.len() > 0,
                    };
                    match on_conflict {
                        OnConflict::Update => Action::Update,
                        OnConflict::Skip => {
                            plan.kept.push((kind, id.clone()));
                            continue;
                        }
                        OnConflict::Fail if in_use => {
                            plan.conflicts.push((kind, id.clone()));
                            continue;
                        }
                        OnConflict::Fail => Action::Update,
                    }
                }
            };
            after.insert((kind, id.clone()), bytes.clone());
            plan.steps.push(ModelStep { kind, id: id.clone(), bytes: bytes.clone(), action });
        }
    }
    plan.models = after.values().filter_map(|bytes| Model::parse(&parse_json(bytes).ok()?).ok()).collect();
    plan
}

/// Whether two versions of a model mean the same.
pub(super) fn is_same(one: &[u8], other: &[u8], bounds: Bounds) -> bool {
    one == other
        || compare_models(one, other, bounds).is_ok_and(|diff| diff.changes.is_empty() && diff.more == 0)
}

/// Ids of the shared slices that the zones of these types take.
fn slices_of(source: &Source, types: &BTreeSet<&str>) -> BTreeSet<String> {
    let parsed = types.iter().filter_map(|id| {
        let value: Value = parse_json(source.custom_types.get(*id)?).ok()?;
        Model::parse(&value).ok()
    });
    let mut slices = BTreeSet::new();
    for model in parsed {
        let Model::CustomType(model) = model else { continue };
        for field in model.fields() {
            let FieldKind::Slices(choices) = &field.kind else { continue };
            let shared = choices.iter().filter(|choice| choice.kind == ChoiceKind::Shared);
            slices.extend(shared.map(|choice| choice.id.clone()));
        }
    }
    slices
}
