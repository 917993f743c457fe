//! Slice zones: shared slices, composite ones, and those from before there were either.

use serde_json::{Map, Value, json};

use super::finding::FindingKind;
use super::walk::Walk;
use crate::diff::is_blank;
use crate::prismic::model::{Choice, ChoiceKind, Field, FieldKind, SharedSlice, Variation};

type Object = Map<String, Value>;

impl Walk<'_> {
    pub(super) fn zone(&mut self, choices: &[Choice], value: &Value) -> Option<Value> {
        match value {
            Value::Array(slices) if slices.is_empty() => None,
            Value::Array(slices) => Some(self.list(slices, |walk, slice| walk.slice(choices, slice)).into()),
            _ => self.unfit(value),
        }
    }

    fn slice(&mut self, choices: &[Choice], value: &Value) -> Option<Value> {
        let object = value.as_object().and_then(|object| Some((object, object.get("slice_type")?.as_str()?)));
        let Some((slice, id)) = object else { return self.lost(FindingKind::WrongKind) };
        let Some(choice) = choices.iter().find(|choice| choice.id == id) else {
            return self.lost(FindingKind::SliceNotInModel);
        };
        match &choice.kind {
            ChoiceKind::Shared => self.shared_slice(id, slice),
            ChoiceKind::Composite { primary, items } => {
                self.no_member(slice, "variation", FindingKind::VariationNotInModel);
                self.no_member(slice, "value", FindingKind::FieldNotInModel);
                let label = self.label(slice);
                let parts = self.parts(primary, items, slice);
                Some(json!({"slice_type": id, "slice_label": label, "primary": parts.0, "items": parts.1}))
            }
            ChoiceKind::Legacy(kind) => Some(self.legacy_slice(id, kind, slice)),
        }
    }

    fn shared_slice(&mut self, id: &str, slice: &Object) -> Option<Value> {
        let Some(model) = self.models.slice(id) else { return self.lost(FindingKind::SliceNotInModel) };
        let Some((variation, is_told)) = variation_of(model, slice) else {
            return self.lost(FindingKind::VariationNotInModel);
        };
        if !is_told {
            self.within("variation", |walk| walk.find(FindingKind::Repaired));
        }
        self.no_member(slice, "slice_label", FindingKind::FieldNotInModel);
        self.no_member(slice, "value", FindingKind::FieldNotInModel);
        let parts = self.parts(&variation.primary, &variation.items, slice);
        Some(json!({
            "slice_type": id, "variation": variation.id, "primary": parts.0, "items": parts.1,
        }))
    }

    fn legacy_slice(&mut self, id: &str, kind: &FieldKind, slice: &Object) -> Value {
        for key in ["primary", "items"] {
            self.no_member(slice, key, FindingKind::FieldNotInModel);
        }
        let mut sent = json!({"slice_type": id, "slice_label": self.label(slice)});
        let value = slice.get("value").and_then(|value| self.within("value", |walk| walk.value(kind, value)));
        if let Some(value) = value {
            sent["value"] = value;
        }
        sent
    }

    /// The style that editors chose, of slices that have one.
    fn label(&mut self, slice: &Object) -> Value {
        match slice.get("slice_label") {
            Some(label @ Value::String(_)) => label.clone(),
            None | Some(Value::Null) => Value::Null,
            Some(other) => self.within("slice_label", |walk| walk.unfit(other)).unwrap_or_default(),
        }
    }

    /// Notes a member that slices of this kind do not have.
    fn no_member(&mut self, slice: &Object, name: &str, kind: FindingKind) {
        let is_empty = |value: &Value| is_blank(value) || value.as_array().is_some_and(Vec::is_empty);
        if slice.get(name).is_some_and(|value| !is_empty(value)) {
            self.within(name, |walk| walk.lost::<()>(kind));
        }
    }

    fn parts(&mut self, primary: &[Field], items: &[Field], slice: &Object) -> (Object, Value) {
        let once = match slice.get("primary") {
            Some(Value::Object(members)) => self.within("primary", |walk| walk.fields(primary, members)),
            // Flags are said also where there is nothing else.
            None | Some(Value::Null) => self.within("primary", |walk| walk.fields(primary, &Map::new())),
            Some(other) => self.within("primary", |walk| walk.misfit(other)).unwrap_or_default(),
        };
        let repeated = match slice.get("items") {
            Some(Value::Array(rows)) => self.within("items", |walk| walk.rows(items, rows)),
            None | Some(Value::Null) => json!([]),
            Some(other) => self.within("items", |walk| walk.misfit(other)).unwrap_or_else(|| json!([])),
        };
        (once, repeated)
    }
}

/// The variation of a slice, and whether the slice tells it. One that does not was no shared slice
/// when it was written; the first variation is what such slices became.
fn variation_of<'m>(model: &'m SharedSlice, slice: &Object) -> Option<(&'m Variation, bool)> {
    match slice.get("variation").and_then(Value::as_str) {
        Some(id) => Some((model.variation(id)?, true)),
        None => Some((model.variation("default").or(model.variations.first())?, false)),
    }
}
