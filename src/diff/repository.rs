//! Languages, releases and tags: lists that are compared by their ids.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::change::{ChangeKind, FieldKind, ItemDiff, Step};
use super::document::Unreadable;
use super::fields::{Bounds, Comparer, Segment};
use super::identity::SameIds;
use super::models::Models;

/// A language of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Language {
    name: String,
    is_master: bool,
}

/// The languages of a repository, by id.
#[derive(Debug, Clone, Default)]
pub(super) struct Languages(BTreeMap<String, Language>);

impl Languages {
    /// Reads `repository/languages.json`, which need not be of a known form.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let list = Unreadable::parse(bytes).unwrap_or_default();
        let language = |one: &Value| {
            let id = one.get("id")?.as_str()?.to_owned();
            let name = one.get("name").and_then(Value::as_str).unwrap_or(&id).trim().to_owned();
            let is_master = one.get("is_master").and_then(Value::as_bool).unwrap_or(false);
            Some((id, Language { name, is_master }))
        };
        Self(list.as_array().into_iter().flatten().filter_map(language).collect())
    }

    /// Adds those that only the other knows.
    pub(super) fn extend(&mut self, other: Self) {
        for (id, language) in other.0 {
            self.0.entry(id).or_insert(language);
        }
    }

    /// Returns what people call a language: `French` for `French - France`, unless there is more than
    /// one French.
    pub(super) fn name(&self, id: &str) -> String {
        let Some(language) = self.0.get(id) else { return id.to_owned() };
        let short = |name: &str| name.split(" - ").next().unwrap_or_default().trim().to_owned();
        let own = short(&language.name);
        let alike = self.0.values().filter(|other| short(&other.name) == own).count();
        if alike == 1 && !own.is_empty() { own } else { language.name.clone() }
    }

    pub(super) fn is_master(&self, id: &str) -> bool {
        self.0.get(id).is_some_and(|language| language.is_master)
    }
}

/// Compares two versions of a file of the repository's own metadata; `None` for a side without it.
/// Lists whose elements are known are compared by them; anything else, and the refs in the root, are
/// metadata.
pub(super) fn compare_repository(
    file: &str,
    old: Option<&[u8]>,
    new: Option<&[u8]>,
    bounds: Bounds,
) -> Result<ItemDiff, Unreadable> {
    let parse = |bytes: Option<&[u8]>| bytes.map_or(Ok(Value::Null), Unreadable::parse);
    let (old, new) = (parse(old)?, parse(new)?);
    let models = Models::default();
    let mut comparer = Comparer::new(&SameIds, &models, bounds);
    match file {
        "languages.json" => comparer.listed("language", ("id", "name"), &old, &new),
        "tags.json" => comparer.listed("tag", ("", ""), &old, &new),
        "asset-tags.json" => {
            let items = |value: &Value| value.get("items").cloned().unwrap_or_else(|| value.clone());
            comparer.listed("tag of the media library", ("id", "name"), &items(&old), &items(&new));
        }
        "api.json" => {
            let releases = |root: &Value| -> Value {
                let refs = root.get("refs").and_then(Value::as_array).into_iter().flatten();
                let is_release = |one: &&Value| {
                    one.get("isMasterRef").and_then(Value::as_bool) != Some(true)
                        && one.get("id").and_then(Value::as_str) != Some("master")
                };
                let without_ref = |one: &Value| {
                    let mut one = one.clone();
                    one.as_object_mut().map(|members| members.remove("ref"));
                    one
                };
                refs.filter(is_release).map(without_ref).collect()
            };
            comparer.listed("release", ("id", "label"), &releases(&old), &releases(&new));
            comparer.metadata(FieldKind::Repository, None, None);
        }
        _ => comparer.metadata(FieldKind::Repository, None, None),
    }
    Ok(comparer.finish())
}

impl Comparer<'_> {
    /// Compares two lists of things with id and name; plain texts are both.
    fn listed(&mut self, noun: &str, (id, name): (&str, &str), old: &Value, new: &Value) {
        let by_id = |list: &Value| -> Vec<(String, Value)> {
            let all = list.as_array().into_iter().flatten();
            all.filter_map(|one| {
                let text = one.as_str().or_else(|| one.get(id)?.as_str())?;
                Some((text.to_owned(), one.clone()))
            })
            .collect()
        };
        let (old, new) = (by_id(old), by_id(new));
        let place = |all: &[(String, Value)]| -> BTreeMap<String, usize> {
            all.iter().enumerate().map(|(at, (id, _))| (id.clone(), at)).collect()
        };
        let (olds, news) = (place(&old), place(&new));
        let mut ids: Vec<&String> = olds.keys().chain(news.keys()).collect();
        ids.sort_unstable();
        ids.dedup();
        for one in ids {
            let (at_old, at_new) = (olds.get(one).copied(), news.get(one).copied());
            let (older, newer) = (at_old.map(|at| &old[at].1), at_new.map(|at| &new[at].1));
            if older == newer {
                continue;
            }
            let named = newer.or(older).and_then(|value| value.get(name)?.as_str()).unwrap_or(one);
            let step = Step::Field { id: one.clone(), label: Some(format!("{noun} \"{named}\"")) };
            let segment = |at: Option<usize>| Segment::Place(at.unwrap_or_default());
            self.within(&segment(at_old), &segment(at_new), Some(step), |here| {
                let what = match (older, newer) {
                    (None, _) => ChangeKind::Added,
                    (_, None) => ChangeKind::Removed,
                    _ => ChangeKind::Changed,
                };
                here.note(FieldKind::Repository, what, older.map(Cow::Borrowed), newer.map(Cow::Borrowed));
            });
        }
    }
}
