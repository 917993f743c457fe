//! The walk along a document and its model, with what it gathers.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::finding::{Finding, FindingKind};
use super::ids::NewIds;
use super::models::TargetModels;
use crate::diff::is_blank;
use crate::prismic::model::{Field, FieldKind};
use crate::prismic::walk::Pointer;

/// Findings of one document that are listed. Beyond, one [`FindingKind::More`] stands for the rest.
const FINDINGS_MAX: usize = 1_000;

/// Levels of groups that are followed; Prismic has two.
const GROUPS_MAX: usize = 8;

/// What a walk gathered.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) links: BTreeSet<String>,
    pub(super) assets: BTreeSet<String>,
    pub(super) is_pending: bool,
    pub(super) findings: Vec<Finding>,
}

/// A walk under way.
pub(super) struct Walk<'a> {
    pub(super) models: &'a TargetModels,
    pub(super) ids: &'a dyn NewIds,
    pub(super) gathered: Gathered,
    /// Where it is in the document of the snapshot.
    at: Pointer,
    /// Where it is in what is sent.
    sent_at: Pointer,
    groups: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(models: &'a TargetModels, ids: &'a dyn NewIds) -> Self {
        Self {
            models,
            ids,
            gathered: Gathered::default(),
            at: Pointer::default(),
            sent_at: Pointer::default(),
            groups: 0,
        }
    }

    pub(super) fn finish(self) -> Gathered {
        self.gathered
    }

    /// Goes on at a member.
    pub(super) fn within<T>(&mut self, name: &str, go: impl FnOnce(&mut Self) -> T) -> T {
        let before = (self.at.push(name), self.sent_at.push(name));
        let done = go(self);
        self.at.back(before.0);
        self.sent_at.back(before.1);
        done
    }

    /// Makes a list of what becomes of each element; `None` leaves it out.
    pub(super) fn list<T>(
        &mut self,
        elements: &[Value],
        mut go: impl FnMut(&mut Self, &Value) -> Option<T>,
    ) -> Vec<T> {
        let mut sent = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            let before = (self.at.push(&index.to_string()), self.sent_at.push(&sent.len().to_string()));
            sent.extend(go(self, element));
            self.at.back(before.0);
            self.sent_at.back(before.1);
        }
        sent
    }

    /// Notes a finding of what is sent.
    pub(super) fn find(&mut self, kind: FindingKind) {
        self.note(kind, false);
    }

    /// Notes a finding of what is left out.
    pub(super) fn lost<T>(&mut self, kind: FindingKind) -> Option<T> {
        self.note(kind, true);
        None
    }

    fn note(&mut self, kind: FindingKind, is_left_out: bool) {
        let findings = &mut self.gathered.findings;
        if findings.len() > FINDINGS_MAX {
            return;
        }
        if findings.len() == FINDINGS_MAX {
            let (at, sent_at, is_left_out) = (String::new(), None, false);
            findings.push(Finding { kind: FindingKind::More, at, sent_at, is_left_out });
            return;
        }
        let is_elsewhere = self.at != self.sent_at;
        let sent_at = is_elsewhere.then(|| self.sent_at.as_str().to_owned());
        findings.push(Finding { kind, at: self.at.as_str().to_owned(), sent_at, is_left_out });
    }

    /// Makes an object of fields: the `data` of a document, a row of a group, part of a slice.
    ///
    /// A flag that the document does not have and that is set unless said otherwise is sent as not
    /// set: without it the target would set it.
    pub(super) fn fields<F: std::borrow::Borrow<Field>>(
        &mut self,
        fields: &[F],
        members: &Map<String, Value>,
    ) -> Map<String, Value> {
        let mut sent = Map::new();
        for (name, value) in members {
            let field = fields.iter().map(std::borrow::Borrow::borrow).find(|field| field.name == *name);
            let value = self.within(name, |walk| match field.map(|field| &field.kind) {
                None | Some(FieldKind::Separator | FieldKind::Uid | FieldKind::Unknown(_)) => {
                    if is_blank(value) { None } else { walk.lost(FindingKind::FieldNotInModel) }
                }
                Some(kind) => walk.value(kind, value),
            });
            sent.extend(value.map(|value| (name.clone(), value)));
        }
        for field in fields.iter().map(std::borrow::Borrow::borrow) {
            if field.kind == (FieldKind::Boolean { default: true }) && !sent.contains_key(&field.name) {
                sent.insert(field.name.clone(), false.into());
            }
        }
        sent
    }

    /// Returns what is sent of a value; `None`: nothing.
    pub(super) fn value(&mut self, kind: &FieldKind, value: &Value) -> Option<Value> {
        if value.is_null() {
            return None;
        }
        match kind {
            FieldKind::Boolean { .. } => self.boolean(value),
            FieldKind::Number => self.number(value),
            FieldKind::Text => self.text(value),
            FieldKind::Color => self.color(value),
            FieldKind::Date => self.date(value),
            FieldKind::Timestamp => self.timestamp(value),
            FieldKind::Select { options } => self.select(options, value),
            FieldKind::GeoPoint => self.geopoint(value),
            FieldKind::Embed => self.embed(value),
            FieldKind::Integration { .. } => self.integration(value),
            FieldKind::Image(model) => self.image(model, value),
            FieldKind::Link(model) => self.link_field(model, value),
            FieldKind::RichText(model) => self.rich_text_field(model, value),
            FieldKind::Table => self.table(value),
            FieldKind::Group(fields) => match value {
                // Nothing in rows of nothing: an old way to write an empty group.
                Value::Array(_) if is_blank(value) => None,
                Value::Array(rows) => Some(self.rows(fields, rows)),
                _ => self.unfit(value),
            },
            FieldKind::Slices(choices) => self.zone(choices, value),
            FieldKind::Separator | FieldKind::Uid | FieldKind::Unknown(_) => None,
        }
    }

    /// Leaves out a value that its field cannot hold; a blank one is nothing lost.
    pub(super) fn unfit<T>(&mut self, value: &Value) -> Option<T> {
        if is_blank(value) { None } else { self.lost(FindingKind::WrongKind) }
    }

    /// The same where even a blank value is written otherwise, and so seems to be another.
    pub(super) fn misfit<T>(&mut self, value: &Value) -> Option<T> {
        self.lost(if is_blank(value) { FindingKind::Repaired } else { FindingKind::WrongKind })
    }

    /// The rows of a group, or the items of a slice.
    pub(super) fn rows(&mut self, fields: &[Field], rows: &[Value]) -> Value {
        self.groups += 1;
        let is_too_deep = self.groups > GROUPS_MAX;
        let sent = self.list(rows, |walk, row| match row {
            Value::Object(members) if !is_too_deep => Some(Value::Object(walk.fields(fields, members))),
            _ => walk.lost(FindingKind::WrongKind),
        });
        self.groups -= 1;
        sent.into()
    }
}
