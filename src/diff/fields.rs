//! Comparing fields: which of them there are, what each looks like, and what is noted of a change.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::change::{Change, ChangeKind, FieldKind, ItemDiff, Step};
use super::identity::{Identity, Side};
use super::models::{FieldModel, Models};
use super::shape::{Prints, Shape, is_blank, is_same};

/// What bounds a comparison of two items.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Edits of one item that are kept; more are counted. As many of what was not edited are kept.
    pub changes_max: usize,
    /// Steps of matching lists with each other, for one item. Beyond that what stands once in each is
    /// matched.
    pub matching_max: usize,
}

impl From<&crate::limits::Limits> for Bounds {
    fn from(limits: &crate::limits::Limits) -> Self {
        Self { changes_max: limits.diff_changes_max, matching_max: limits.diff_matching_max }
    }
}

/// Deepest nesting that is looked into: as deep as JSON is parsed.
const DEPTH_MAX: usize = 128;

/// A comparison under way.
pub(super) struct Comparer<'a> {
    pub(super) identity: &'a dyn Identity,
    pub(super) models: &'a Models,
    pub(super) budget: usize,
    diff: ItemDiff,
    changes_max: usize,
    old_path: String,
    new_path: String,
    trail: Vec<Step>,
    depth: usize,
}

/// A segment of a path: the name of a member, or a place in an array.
pub(super) enum Segment<'a> {
    Name(&'a str),
    Place(usize),
}

impl Segment<'_> {
    fn push_to(&self, path: &mut String) {
        path.push('/');
        match self {
            Self::Name(name) if name.contains(['~', '/']) => {
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Self::Name(name) => path.push_str(name),
            Self::Place(at) => path.push_str(&at.to_string()),
        }
    }
}

impl<'a> Comparer<'a> {
    pub(super) fn new(identity: &'a dyn Identity, models: &'a Models, bounds: Bounds) -> Self {
        Self {
            identity,
            models,
            budget: bounds.matching_max,
            diff: ItemDiff::default(),
            changes_max: bounds.changes_max,
            old_path: String::new(),
            new_path: String::new(),
            trail: Vec::new(),
            depth: 0,
        }
    }

    pub(super) fn finish(self) -> ItemDiff {
        self.diff
    }

    pub(super) fn prints(&self, side: Side) -> Prints<'a> {
        Prints { identity: self.identity, side }
    }

    /// Compares what stands at these segments, which a step leads to.
    pub(super) fn within(
        &mut self,
        old: &Segment<'_>,
        new: &Segment<'_>,
        step: Option<Step>,
        compare: impl FnOnce(&mut Self),
    ) {
        let lengths = (self.old_path.len(), self.new_path.len(), self.trail.len());
        old.push_to(&mut self.old_path);
        new.push_to(&mut self.new_path);
        self.trail.extend(step);
        self.depth += 1;
        compare(self);
        self.depth -= 1;
        self.old_path.truncate(lengths.0);
        self.new_path.truncate(lengths.1);
        self.trail.truncate(lengths.2);
    }

    /// Compares what a further step leads to, at the same place.
    pub(super) fn stepped(&mut self, step: Step, compare: impl FnOnce(&mut Self)) {
        self.trail.push(step);
        compare(self);
        self.trail.pop();
    }

    /// The same where both have the same name.
    pub(super) fn at(&mut self, name: &str, step: Option<Step>, compare: impl FnOnce(&mut Self)) {
        self.within(&Segment::Name(name), &Segment::Name(name), step, compare);
    }

    /// Whether nothing can differ between two values, without looking into them.
    pub(super) fn is_equal<T: PartialEq>(&self, old: &T, new: &T) -> bool {
        self.identity.is_same_everywhere() && old == new
    }

    /// Notes a change of the value here.
    pub(super) fn note(
        &mut self,
        kind: FieldKind,
        what: ChangeKind,
        old: Option<Cow<'_, Value>>,
        new: Option<Cow<'_, Value>>,
    ) {
        let change = Change {
            old_path: old.is_some().then(|| self.old_path.clone()),
            new_path: new.is_some().then(|| self.new_path.clone()),
            trail: self.trail.clone(),
            kind,
            what,
            old: old.map(Cow::into_owned),
            new: new.map(Cow::into_owned),
        };
        self.keep(change);
    }

    /// Notes that the value here stands elsewhere than before.
    pub(super) fn note_moved(&mut self, kind: FieldKind) {
        let (old_path, new_path) = (Some(self.old_path.clone()), Some(self.new_path.clone()));
        let (trail, what) = (self.trail.clone(), ChangeKind::Moved);
        self.keep(Change { old_path, new_path, trail, kind, what, old: None, new: None });
    }

    fn keep(&mut self, change: Change) {
        let ItemDiff { changes, metadata, more } = &mut self.diff;
        // Copies in a thousand links of one document must not hide what was edited in it.
        match change.what {
            ChangeKind::Metadata if metadata.len() < self.changes_max => metadata.push(change),
            ChangeKind::Metadata => {}
            _ if changes.len() < self.changes_max => changes.push(change),
            _ => *more += 1,
        }
    }

    /// Notes what differs between two values that both may be absent, where there is no finer word.
    pub(super) fn plain(
        &mut self,
        kind: FieldKind,
        what: ChangeKind,
        old: Option<&Value>,
        new: Option<&Value>,
    ) {
        let is_there = |value: &Option<&Value>| value.is_some_and(|value| !is_blank(value));
        match (is_there(&old), is_there(&new)) {
            (false, false) => {
                if old != new {
                    self.metadata(kind, old, new);
                }
            }
            _ if self.is_equal(&old, &new) => {}
            _ => {
                let null = Value::Null;
                let same = is_same(self.identity, old.unwrap_or(&null), new.unwrap_or(&null));
                if same && old == new {
                    return;
                }
                let what = if same { ChangeKind::Metadata } else { what };
                self.note(kind, what, old.map(Cow::Borrowed), new.map(Cow::Borrowed));
            }
        }
    }

    pub(super) fn metadata(&mut self, kind: FieldKind, old: Option<&Value>, new: Option<&Value>) {
        self.note(kind, ChangeKind::Metadata, old.map(Cow::Borrowed), new.map(Cow::Borrowed));
    }

    /// Notes what differs between all members of two objects that are not `handled`, as metadata.
    pub(super) fn rest_is_metadata(
        &mut self,
        kind: FieldKind,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        handled: &dyn Fn(&str) -> bool,
    ) {
        for (name, old, new) in changed(old, new).filter(|(name, ..)| !handled(name)) {
            self.at(name, None, |here| here.metadata(kind, old, new));
        }
    }

    /// Compares the fields of two objects: those of a document, a group's row or a slice.
    pub(super) fn fields(
        &mut self,
        models: Option<&'a Map<String, Value>>,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
    ) {
        for name in names(old, new) {
            let model = models.and_then(|models| models.get(name)).map(FieldModel);
            let label = model.and_then(FieldModel::label).map(str::to_owned);
            let step = Step::Field { id: name.to_owned(), label };
            let (old, new) = (old.get(name), new.get(name));
            self.at(name, Some(step), |here| here.value(model, old, new));
        }
    }

    /// Compares the values of a field; either may be absent.
    pub(super) fn value(&mut self, model: Option<FieldModel<'a>>, old: Option<&Value>, new: Option<&Value>) {
        // As most are.
        if self.is_equal(&old, &new) {
            return;
        }
        let kind_of = |value: &Value| kind_by(model, Shape::of(value));
        let (old_there, new_there) =
            (old.filter(|value| !is_blank(value)), new.filter(|value| !is_blank(value)));
        match (old_there, new_there) {
            (None, None) if old == new => {}
            (None, None) => self.metadata(FieldKind::Object, old, new),
            // What a field that is new in the model begins with.
            (None, Some(Value::Bool(false))) | (Some(Value::Bool(false)), None) => {
                self.metadata(FieldKind::Boolean, old, new);
            }
            (None, Some(there)) => {
                self.note(kind_of(there), ChangeKind::Added, None, Some(Cow::Borrowed(there)));
            }
            (Some(there), None) => {
                self.note(kind_of(there), ChangeKind::Removed, Some(Cow::Borrowed(there)), None);
            }
            (Some(older), Some(newer)) => self.filled(model, older, newer),
        }
    }

    fn filled(&mut self, model: Option<FieldModel<'a>>, old: &Value, new: &Value) {
        let (shape, other) = (Shape::of(new), Shape::of(old));
        if shape != other || self.depth > DEPTH_MAX {
            return self.plain(kind_by(model, shape), ChangeKind::Changed, Some(old), Some(new));
        }
        match (shape, old, new) {
            (Shape::Image, Value::Object(old), Value::Object(new)) => self.image(FieldKind::Image, old, new),
            (Shape::Link, Value::Object(old), Value::Object(new)) => self.link(old, new),
            (Shape::Embed, Value::Object(old), Value::Object(new)) => self.embed(old, new),
            (Shape::Table, Value::Object(old), Value::Object(new)) => self.table(old, new),
            (Shape::RichText, Value::Array(old), Value::Array(new)) => self.rich_text(old, new),
            (Shape::Links, Value::Array(old), Value::Array(new)) => self.links(old, new),
            (Shape::Group, Value::Array(old), Value::Array(new)) => {
                self.group(model.and_then(FieldModel::rows), old, new);
            }
            (Shape::Slices, Value::Array(old), Value::Array(new)) => self.slices(model, old, new),
            _ => self.plain(kind_by(model, shape), ChangeKind::Changed, Some(old), Some(new)),
        }
    }
}

/// The names of the members of two objects: those of the newer in their order, then the others.
pub(super) fn names<'m>(
    old: &'m Map<String, Value>,
    new: &'m Map<String, Value>,
) -> impl Iterator<Item = &'m str> {
    let only_old = old.keys().filter(|name| !new.contains_key(*name));
    new.keys().chain(only_old).map(String::as_str)
}

/// The members that are not the same in both: name, older, newer.
pub(super) fn changed<'m>(
    old: &'m Map<String, Value>,
    new: &'m Map<String, Value>,
) -> impl Iterator<Item = (&'m str, Option<&'m Value>, Option<&'m Value>)> {
    names(old, new)
        .map(|name| (name, old.get(name), new.get(name)))
        .filter(|(_, older, newer)| older != newer)
}

/// The kind by the model, where that says more than the shape.
fn kind_by(model: Option<FieldModel<'_>>, shape: Shape) -> FieldKind {
    match (shape, model.and_then(FieldModel::type_)) {
        (Shape::Text, Some("Date")) => FieldKind::Date,
        (Shape::Text, Some("Timestamp")) => FieldKind::Timestamp,
        (Shape::Text, Some("Color")) => FieldKind::Color,
        (Shape::Text, Some("Select")) => FieldKind::Select,
        (Shape::Object | Shape::List, Some("IntegrationFields")) => FieldKind::Integration,
        (shape, _) => shape.kind(),
    }
}
