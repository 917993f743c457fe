//! Comparing lists: repeatable links, groups, slice zones, tables.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::align::{Element, Matching, Sketch, matching};
use super::change::{ChangeKind, FieldKind, Step};
use super::fields::{Comparer, Segment};
use super::identity::Side;
use super::models::FieldModel;
use super::shape::{features, hash};

type Object = Map<String, Value>;

/// What tells one element of a list from the others.
struct Telling<'t> {
    /// The member with its id.
    key: &'static str,
    /// Only elements of one class can be one.
    class: &'t dyn Fn(&Value) -> u64,
}

impl<'a> Comparer<'a> {
    /// Matches two lists of which the elements are known.
    pub(super) fn matching(
        &mut self,
        (old, olds): (&[Value], &[Element]),
        (new, news): (&[Value], &[Element]),
    ) -> Matching {
        let sketch = |of_new: bool, at: usize| Sketch::of(features(if of_new { &new[at] } else { &old[at] }));
        matching(olds, news, &sketch, &mut self.budget)
    }

    /// Notes what is on one side of a list only.
    pub(super) fn came_and_went(
        &mut self,
        (old, removed): (&[Value], &[usize]),
        (new, added): (&[Value], &[usize]),
        kind: &dyn Fn(&Value) -> FieldKind,
        step: &dyn Fn(&Value, usize) -> Step,
    ) {
        for at in removed {
            let (value, place) = (&old[*at], Segment::Place(*at));
            self.within(&place, &place, Some(step(value, at + 1)), |here| {
                here.note(kind(value), ChangeKind::Removed, Some(Cow::Borrowed(value)), None);
            });
        }
        for at in added {
            let (value, place) = (&new[*at], Segment::Place(*at));
            self.within(&place, &place, Some(step(value, at + 1)), |here| {
                here.note(kind(value), ChangeKind::Added, None, Some(Cow::Borrowed(value)));
            });
        }
    }

    /// Compares two lists of objects, element by element.
    fn objects_of(
        &mut self,
        telling: &Telling<'_>,
        kind: FieldKind,
        (old, new): (&[Value], &[Value]),
        step: &dyn Fn(&Value, usize) -> Step,
        compare: &dyn Fn(&mut Self, &Object, &Object),
    ) {
        let elements = |values: &[Value], side: Side| -> Vec<Element> {
            let prints = self.prints(side);
            let key = |value: &Value| value.get(telling.key)?.as_str().map(|key| hash(&key));
            let element = |value: &Value| Element {
                print: prints.of(value),
                class: (telling.class)(value),
                key: key(value),
            };
            values.iter().map(element).collect()
        };
        let (olds, news) = (elements(old, Side::Old), elements(new, Side::New));
        let matching = self.matching((old, &olds), (new, &news));
        for pair in &matching.pairs {
            let (older, newer) = (&old[pair.old], &new[pair.new]);
            let step = step(newer, pair.new + 1);
            self.within(&Segment::Place(pair.old), &Segment::Place(pair.new), Some(step), |here| {
                if pair.moved {
                    here.note_moved(kind);
                }
                match (older, newer) {
                    (Value::Object(older), Value::Object(newer)) => compare(here, older, newer),
                    _ => here.plain(kind, ChangeKind::Changed, Some(older), Some(newer)),
                }
            });
        }
        self.came_and_went((old, &matching.removed), (new, &matching.added), &|_| kind, step);
    }

    /// Compares two lists of links.
    pub(super) fn links(&mut self, old: &[Value], new: &[Value]) {
        let telling = Telling { key: "key", class: &|_| 0 };
        let step = |_: &Value, number: usize| Step::Row { number };
        self.objects_of(&telling, FieldKind::Link, (old, new), &step, &|here, old, new| here.link(old, new));
    }

    /// Compares two groups.
    pub(super) fn group(&mut self, models: Option<&'a Object>, old: &[Value], new: &[Value]) {
        // A field of a row may have any name, so none of them is an id.
        let telling = Telling { key: "", class: &|_| 0 };
        let step = |_: &Value, number: usize| Step::Row { number };
        self.objects_of(&telling, FieldKind::Row, (old, new), &step, &|here, old, new| {
            here.fields(models, old, new);
        });
    }

    /// Compares two slice zones.
    pub(super) fn slices(&mut self, model: Option<FieldModel<'a>>, old: &[Value], new: &[Value]) {
        let type_of =
            |slice: &Value| slice.get("slice_type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let telling = Telling { key: "id", class: &|slice| hash(&type_of(slice)) };
        let models = self.models;
        let step = |slice: &Value, number: usize| {
            let slice_type = type_of(slice);
            let label = models.slice_label(model, &slice_type).map(str::to_owned);
            Step::Slice { slice_type, label, number }
        };
        self.objects_of(&telling, FieldKind::Slice, (old, new), &step, &|here, old, new| {
            here.slice(model, old, new);
        });
    }

    fn slice(&mut self, zone: Option<FieldModel<'a>>, old: &Object, new: &Object) {
        let text = |name: &str| new.get(name).and_then(Value::as_str).unwrap_or_default();
        let models = self.models.slice(zone, text("slice_type"), text("variation"));
        let (older, newer) = (old.get("variation"), new.get("variation"));
        if older != newer {
            self.at("variation", None, |here| {
                here.plain(FieldKind::Slice, ChangeKind::VariationChanged, older, newer);
            });
        }
        let (older, newer) = (old.get("slice_label"), new.get("slice_label"));
        if older != newer {
            let step = Step::Field { id: "slice_label".to_owned(), label: Some("style".to_owned()) };
            self.at("slice_label", Some(step), |here| {
                here.plain(FieldKind::Text, ChangeKind::Changed, older, newer);
            });
        }
        let empty = Map::new();
        let object = |of: &Object| of.get("primary").and_then(Value::as_object).cloned();
        let (older, newer) = (object(old), object(new));
        if !self.is_equal(&older, &newer) {
            self.at("primary", None, |here| {
                here.fields(
                    models.primary,
                    older.as_ref().unwrap_or(&empty),
                    newer.as_ref().unwrap_or(&empty),
                );
            });
        }
        let (older, newer) = (array(old, "items"), array(new, "items"));
        let are_blank = [older, newer]
            .iter()
            .all(|rows| rows.iter().all(|row| row.as_object().is_some_and(Map::is_empty)));
        if are_blank && older != newer {
            let (older, newer) = (old.get("items"), new.get("items"));
            self.at("items", None, |here| here.metadata(FieldKind::Group, older, newer));
        } else if !self.is_equal(&older, &newer) {
            let step = Step::Field { id: "items".to_owned(), label: Some("items".to_owned()) };
            self.at("items", Some(step), |here| here.group(models.items, older, newer));
        }
        let (older, newer) = (old.get("value"), new.get("value"));
        if !self.is_equal(&older, &newer) {
            self.at("value", None, |here| here.value(models.value, older, newer));
        }
        let handled = |name: &str| {
            matches!(name, "slice_type" | "variation" | "slice_label" | "primary" | "items" | "value")
        };
        self.rest_is_metadata(FieldKind::Slice, old, new, &handled);
    }

    /// Compares two tables.
    pub(super) fn table(&mut self, old: &Object, new: &Object) {
        for part in ["head", "body"] {
            let rows = |of: &'_ Object| -> Vec<Value> {
                of.get(part)
                    .and_then(Value::as_object)
                    .map(|part| array(part, "rows").to_vec())
                    .unwrap_or_default()
            };
            let (older, newer) = (rows(old), rows(new));
            if self.is_equal(&older, &newer) {
                continue;
            }
            self.at(part, None, |here| here.at("rows", None, |here| here.table_rows(&older, &newer)));
        }
        self.rest_is_metadata(FieldKind::Table, old, new, &|name| matches!(name, "head" | "body"));
    }

    fn table_rows(&mut self, old: &[Value], new: &[Value]) {
        let telling = Telling { key: "key", class: &|_| 0 };
        let row = |_: &Value, number: usize| Step::Row { number };
        let cell = |_: &Value, number: usize| Step::Cell { number };
        self.objects_of(&telling, FieldKind::TableRow, (old, new), &row, &|here, old, new| {
            let (older, newer) = (array(old, "cells"), array(new, "cells"));
            here.at("cells", None, |here| {
                here.objects_of(&telling, FieldKind::TableCell, (older, newer), &cell, &|here, old, new| {
                    let (older, newer) = (old.get("content"), new.get("content"));
                    here.at("content", None, |here| here.value(None, older, newer));
                    let (older, newer) = (old.get("type"), new.get("type"));
                    if older != newer {
                        here.at("type", None, |here| {
                            here.plain(FieldKind::TableCell, ChangeKind::FormattingChanged, older, newer);
                        });
                    }
                    here.rest_is_metadata(FieldKind::TableCell, old, new, &|name| {
                        matches!(name, "content" | "type")
                    });
                });
            });
            here.rest_is_metadata(FieldKind::TableRow, old, new, &|name| name == "cells");
        });
    }
}

fn array<'v>(object: &'v Object, name: &str) -> &'v [Value] {
    object.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
