//! Models: what the editor calls fields, and how two versions of a model differ.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use super::change::{ChangeKind, FieldKind, ItemDiff, Step};
use super::document::Unreadable;
use super::fields::{Bounds, Comparer, Segment, changed, names};
use super::identity::SameIds;
use crate::prismic::parse_json;

type Object = Map<String, Value>;

/// Custom types and shared slices by id, for labels and for the types of values.
#[derive(Debug, Clone, Default)]
pub struct Models {
    /// All fields of each custom type, without its tabs.
    types: HashMap<String, (Option<String>, Object)>,
    slices: HashMap<String, Value>,
}

/// The fields of a slice, as far as a model tells them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SliceModel<'a> {
    pub(super) primary: Option<&'a Object>,
    pub(super) items: Option<&'a Object>,
    /// What a legacy slice holds.
    pub(super) value: Option<FieldModel<'a>>,
}

/// The model of a field: `{"type": "…", "config": {…}}`.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldModel<'a>(pub(super) &'a Value);

impl<'a> FieldModel<'a> {
    fn config(self) -> Option<&'a Object> {
        self.0.get("config").and_then(Value::as_object)
    }

    pub(super) fn type_(self) -> Option<&'a str> {
        self.0.get("type").and_then(Value::as_str)
    }

    /// What the editor calls it.
    pub(super) fn label(self) -> Option<&'a str> {
        let label = self.config().and_then(|config| config.get("label")).and_then(Value::as_str);
        label.filter(|label| !label.trim().is_empty())
    }

    /// The fields of a group's rows.
    pub(super) fn rows(self) -> Option<&'a Object> {
        self.config()?.get("fields")?.as_object()
    }

    fn choice(self, slice_type: &str) -> Option<&'a Value> {
        let config = self.config()?;
        config.get("choices")?.get(slice_type)
    }
}

impl Models {
    /// Takes a custom type in: the bytes of the Types API.
    pub fn add_custom_type(&mut self, bytes: &[u8]) {
        let Some(model) = parse_json(bytes).ok() else { return };
        let Some(id) = model.get("id").and_then(Value::as_str) else { return };
        let label = model.get("label").and_then(Value::as_str).map(str::to_owned);
        self.types.insert(id.to_owned(), (label, fields_of_tabs(&model)));
    }

    /// Takes a shared slice in: the bytes of the Types API.
    pub fn add_slice(&mut self, bytes: &[u8]) {
        let Some(model) = parse_json(bytes).ok() else { return };
        if let Some(id) = model.get("id").and_then(Value::as_str) {
            self.slices.insert(id.to_owned(), model);
        }
    }

    /// Returns what the editor calls a custom type.
    pub fn type_label(&self, custom_type: &str) -> Option<&str> {
        self.types.get(custom_type)?.0.as_deref().filter(|label| !label.trim().is_empty())
    }

    /// The fields of a custom type, in the order of the editor.
    pub(super) fn fields_of(&self, custom_type: &str) -> Option<&Object> {
        self.types.get(custom_type).map(|(_, fields)| fields)
    }

    pub(super) fn slice_label<'a>(
        &'a self,
        zone: Option<FieldModel<'a>>,
        slice_type: &str,
    ) -> Option<&'a str> {
        let shared = self.slices.get(slice_type).and_then(|slice| slice.get("name"));
        let own = || zone?.choice(slice_type)?.get("fieldset");
        shared.or_else(own).and_then(Value::as_str).filter(|label| !label.trim().is_empty())
    }

    /// The fields of a slice of this type in this zone.
    pub(super) fn slice<'a>(
        &'a self,
        zone: Option<FieldModel<'a>>,
        slice_type: &str,
        variation: &str,
    ) -> SliceModel<'a> {
        let object = |of: &'a Value, name: &str| of.get(name).and_then(Value::as_object);
        let choice = zone.and_then(|zone| zone.choice(slice_type));
        match choice.and_then(|choice| choice.get("type")).and_then(Value::as_str) {
            Some("Slice") => choice.map_or_else(SliceModel::default, |choice| SliceModel {
                primary: object(choice, "non-repeat"),
                items: object(choice, "repeat"),
                value: None,
            }),
            Some("SharedSlice") | None => {
                let variations = self.slices.get(slice_type).and_then(|slice| slice.get("variations"));
                let variations = variations.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                let is_it = |found: &&Value| found.get("id").and_then(Value::as_str) == Some(variation);
                variations.iter().find(is_it).map_or_else(SliceModel::default, |found| SliceModel {
                    primary: object(found, "primary"),
                    items: object(found, "items"),
                    value: None,
                })
            }
            Some(_) => SliceModel { value: choice.map(FieldModel), ..SliceModel::default() },
        }
    }
}

/// All fields of a custom type, of whatever tab.
fn fields_of_tabs(model: &Value) -> Object {
    let tabs = model.get("json").and_then(Value::as_object).into_iter().flatten();
    let fields = tabs.filter_map(|(_, tab)| tab.as_object()).flatten();
    fields.map(|(id, field)| (id.clone(), field.clone())).collect()
}

/// Compares two versions of a custom type or shared slice: the bytes of the Types API. Fields have
/// [`FieldKind::ModelField`], what is said of the model as a whole [`FieldKind::Model`]. Pictures and
/// versions of variations are metadata, as is the order of members.
///
/// # Errors
///
/// When one of them is no JSON object, or is nested more than 128 deep.
pub fn compare_models(old: &[u8], new: &[u8], bounds: Bounds) -> Result<ItemDiff, Unreadable> {
    let (old, new) = (Unreadable::object(old)?, Unreadable::object(new)?);
    let models = Models::default();
    let mut comparer = Comparer::new(&SameIds, &models, bounds);
    for (name, older, newer) in changed(&old, &new) {
        comparer.at(name, None, |here| match name {
            "json" => here.tabs(older, newer),
            "variations" => here.variations(older, newer),
            "schema" | "legacyPaths" => here.metadata(FieldKind::Model, older, newer),
            _ => {
                let step = Step::Field { id: name.to_owned(), label: None };
                here.stepped(step, |here| here.plain(FieldKind::Model, ChangeKind::Changed, older, newer));
            }
        });
    }
    Ok(comparer.finish())
}

impl Comparer<'_> {
    /// Compares all fields whatever tab they are in: one that went to another tab has moved.
    fn tabs(&mut self, old: Option<&Value>, new: Option<&Value>) {
        let (old, new) = (tab_of_each(old), tab_of_each(new));
        let only_old = old.iter().filter(|(name, ..)| !new.iter().any(|(other, ..)| other == name));
        let only_old: Vec<_> =
            only_old.map(|(name, tab, field)| (*name, None, Some((*tab, *field)))).collect();
        let by_name: HashMap<&str, (&str, &Value)> =
            old.iter().map(|(name, tab, field)| (*name, (*tab, *field))).collect();
        let both =
            new.iter().map(|(name, tab, field)| (*name, Some((*tab, *field)), by_name.get(name).copied()));
        for (name, newer, older) in both.chain(only_old) {
            let tab = |of: Option<(&str, &Value)>| of.map(|(tab, _)| tab.to_owned()).unwrap_or_default();
            let (old_tab, new_tab) = (tab(older.or(newer)), tab(newer.or(older)));
            let (older, newer) = (older.map(|(_, field)| field), newer.map(|(_, field)| field));
            let at = (Segment::Name(&old_tab), Segment::Name(&new_tab));
            self.within(&at.0, &at.1, None, |here| {
                here.model_field(name, older, newer);
                if old_tab != new_tab {
                    let step = Step::Field { id: name.to_owned(), label: None };
                    here.at(name, Some(step), |here| here.note_moved(FieldKind::ModelField));
                }
            });
        }
    }

    fn model_fields(&mut self, old: Option<&Value>, new: Option<&Value>) {
        let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
        let (old, new) = (object(old), object(new));
        for name in names(&old, &new) {
            self.model_field(name, old.get(name), new.get(name));
        }
    }

    fn model_field(&mut self, name: &str, old: Option<&Value>, new: Option<&Value>) {
        if old == new {
            return;
        }
        let label = new.or(old).and_then(|field| FieldModel(field).label()).map(str::to_owned);
        let step = Step::Field { id: name.to_owned(), label };
        self.at(name, Some(step), |here| match (old, new) {
            (Some(old), Some(new)) => here.same_field(old, new),
            (old, new) => {
                let what = if new.is_some() { ChangeKind::Added } else { ChangeKind::Removed };
                here.note(FieldKind::ModelField, what, old.map(Cow::Borrowed), new.map(Cow::Borrowed));
            }
        });
    }

    /// Compares two versions of a field: what it contains one by one, the rest as a whole.
    fn same_field(&mut self, old: &Value, new: &Value) {
        const INNER: [&str; 4] = ["fields", "choices", "non-repeat", "repeat"];
        let (Value::Object(old), Value::Object(new)) = (old, new) else {
            return self.plain(FieldKind::ModelField, ChangeKind::Changed, Some(old), Some(new));
        };
        let without = |object: &Object| -> Value {
            let mut object = object.clone();
            INNER.iter().for_each(|name| drop(object.remove(*name)));
            if let Some(Value::Object(config)) = object.get_mut("config") {
                INNER.iter().for_each(|name| drop(config.remove(*name)));
            }
            Value::Object(object)
        };
        let (outer_old, outer_new) = (without(old), without(new));
        if outer_old != outer_new {
            self.plain(FieldKind::ModelField, ChangeKind::Changed, Some(&outer_old), Some(&outer_new));
        }
        for (old, new, at) in [
            (Some(old), Some(new), None),
            (
                old.get("config").and_then(Value::as_object),
                new.get("config").and_then(Value::as_object),
                Some("config"),
            ),
        ] {
            for name in INNER {
                let inner = |object: Option<&Object>| object.and_then(|object| object.get(name)).cloned();
                let (older, newer) = (inner(old), inner(new));
                if older == newer {
                    continue;
                }
                let fields = |here: &mut Self| {
                    here.at(name, None, |here| here.model_fields(older.as_ref(), newer.as_ref()));
                };
                match at {
                    Some(at) => self.at(at, None, fields),
                    None => fields(self),
                }
            }
        }
    }

    /// Compares the variations of a shared slice, by their ids.
    fn variations(&mut self, old: Option<&Value>, new: Option<&Value>) {
        let list = |value: Option<&Value>| -> Vec<(String, Value)> {
            let all = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let id = |one: &Value| one.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            all.iter().map(|one| (id(one), one.clone())).collect()
        };
        let (old, new) = (list(old), list(new));
        let find = |all: &[(String, Value)], id: &str| all.iter().position(|(other, _)| other == id);
        let only_old = old.iter().map(|(id, _)| id).filter(|id| find(&new, id).is_none());
        let ids: Vec<String> = new.iter().map(|(id, _)| id).chain(only_old).cloned().collect();
        for id in ids {
            let (at_old, at_new) = (find(&old, &id), find(&new, &id));
            let (older, newer) = (at_old.map(|at| &old[at].1), at_new.map(|at| &new[at].1));
            let place = |at: Option<usize>| Segment::Place(at.unwrap_or_default());
            let step = Step::Field { id: id.clone(), label: None };
            self.within(&place(at_old), &place(at_new), Some(step), |here| match (older, newer) {
                (Some(Value::Object(older)), Some(Value::Object(newer))) => here.variation(older, newer),
                (older, newer) if older != newer => {
                    let what = if newer.is_some() { ChangeKind::Added } else { ChangeKind::Removed };
                    here.note(FieldKind::Variation, what, older.map(Cow::Borrowed), newer.map(Cow::Borrowed));
                }
                _ => {}
            });
        }
    }

    fn variation(&mut self, old: &Object, new: &Object) {
        for (name, older, newer) in changed(old, new) {
            self.at(name, None, |here| match name {
                "primary" | "items" => here.model_fields(older, newer),
                // Of the hosted screenshot, and of whoever pushed it.
                "imageUrl" | "version" | "docURL" => here.metadata(FieldKind::Model, older, newer),
                _ => {
                    let step = Step::Field { id: name.to_owned(), label: None };
                    here.stepped(step, |here| {
                        here.plain(FieldKind::Model, ChangeKind::Changed, older, newer);
                    });
                }
            });
        }
    }
}

/// The fields of all tabs: name, tab, model.
fn tab_of_each(tabs: Option<&Value>) -> Vec<(&str, &str, &Value)> {
    let tabs = tabs.and_then(Value::as_object).into_iter().flatten();
    let fields = tabs.filter_map(|(tab, fields)| Some((tab, fields.as_object()?)));
    fields
        .flat_map(|(tab, fields)| {
            fields.iter().map(move |(name, field)| (name.as_str(), tab.as_str(), field))
        })
        .collect()
}
