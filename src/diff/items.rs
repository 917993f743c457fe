//! One item that differs: read on both sides, compared, and given its name.

use serde_json::Value;

use super::change::{Change, ChangeKind, FieldKind, ItemChange, ItemDiff};
use super::document::{compare_assets, compare_documents};
use super::fields::Bounds;
use super::identity::SameIds;
use super::listing::{Item, Pair};
use super::models::{Models, compare_models};
use super::report::{AssetDiff, DocumentDiff, ModelDiff, RepositoryDiff};
use super::repository::{Languages, compare_repository};
use super::title::{asset_title, document_title};
use super::translations::Ties;
use crate::prismic::parse_json;
use crate::restore::paths::{Place, place};

/// What sort of item it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Document,
    Asset,
    Model,
    Repository,
    /// Something that later versions add.
    Other,
}

/// An item to be compared.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) kind: Kind,
    pub(super) pair: Pair,
    /// Id of an asset.
    pub(super) id: String,
    /// Whether the file of an asset has other bytes.
    pub(super) file_changed: bool,
}

impl Task {
    pub(super) fn new(kind: Kind, pair: Pair) -> Self {
        Self { kind, pair, id: String::new(), file_changed: false }
    }

    pub(super) fn size(&self) -> u64 {
        self.pair.size()
    }

    /// What has to be read for it: whether of the newer side, path and item.
    pub(super) fn reads(&self) -> impl Iterator<Item = (bool, &str, &Item)> {
        // What nobody knows is compared by its id alone.
        let needs = self.kind != Kind::Other;
        let sides = [(false, &self.pair.old), (true, &self.pair.new)];
        sides.into_iter().filter(move |_| needs).filter_map(|(is_new, side)| {
            let (path, item) = side.as_ref()?;
            Some((is_new, &**path, item))
        })
    }
}

/// What gives things their names.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) models: Models,
    pub(super) languages: Languages,
    /// Whether the newer side is a repository as it is now: of files, only the media library is asked
    /// for then, and what documents use besides is in none.
    pub(super) is_live: bool,
}

/// What came of it.
pub(super) enum Compared {
    Document(Box<DocumentDiff>, Option<Ties>),
    Asset(Box<AssetDiff>),
    Model(Box<ModelDiff>),
    Repository(Box<RepositoryDiff>),
}

/// Compares an item; `None` when nothing differs after all.
pub(super) fn compare(
    task: &Task,
    old: Option<&[u8]>,
    new: Option<&[u8]>,
    names: &Names,
    bounds: Bounds,
) -> Option<Compared> {
    if old == new && !task.file_changed && task.kind != Kind::Other && old.is_some() {
        return None;
    }
    match task.kind {
        Kind::Document => document(task, old, new, names, bounds),
        Kind::Asset => asset(names.is_live, task, old, new, bounds),
        Kind::Model => model(task, old, new, bounds),
        Kind::Repository => {
            let file = task.pair.path().strip_prefix("repository/").unwrap_or_default();
            let diff = compare_repository(file, old, new, bounds);
            other(task, diff.unwrap_or_else(|_| opaque(FieldKind::Repository)))
        }
        Kind::Other => other(task, ItemDiff::default()),
    }
}

/// What is told of an item that differs and cannot be looked into.
fn opaque(kind: FieldKind) -> ItemDiff {
    let path = Some(String::new());
    let change = Change {
        old_path: path.clone(),
        new_path: path,
        trail: Vec::new(),
        kind,
        what: ChangeKind::Changed,
        old: None,
        new: None,
    };
    ItemDiff { changes: vec![change], ..ItemDiff::default() }
}

fn other(task: &Task, diff: ItemDiff) -> Option<Compared> {
    let what = match (&task.pair.old, &task.pair.new) {
        _ if !diff.changes.is_empty() => ItemChange::Changed,
        (Some(_), Some(_)) => ItemChange::Metadata,
        (None, _) => ItemChange::Added,
        (_, None) => ItemChange::Removed,
    };
    // The files of the repository itself come and go with what this program knows of.
    let what = match (task.kind, what) {
        (Kind::Repository, ItemChange::Added | ItemChange::Removed) => ItemChange::Metadata,
        (_, what) => what,
    };
    let path = task.pair.path().to_owned();
    Some(Compared::Repository(Box::new(RepositoryDiff { path, what, diff })))
}

/// What became of an item of which these sides are there; `None` when nothing differs.
fn what(old: Option<&[u8]>, new: Option<&[u8]>, diff: &ItemDiff) -> Option<ItemChange> {
    match (old, new) {
        (Some(_), Some(_)) => diff.what(),
        (None, _) => Some(ItemChange::Added),
        (_, None) => Some(ItemChange::Removed),
    }
}

fn document(
    task: &Task,
    old: Option<&[u8]>,
    new: Option<&[u8]>,
    names: &Names,
    bounds: Bounds,
) -> Option<Compared> {
    let diff = match (old, new) {
        (Some(old), Some(new)) => compare_documents(old, new, &names.models, &SameIds, bounds)
            .unwrap_or_else(|_| opaque(FieldKind::Document)),
        _ => ItemDiff::default(),
    };
    let what = what(old, new, &diff)?;
    // What is told of a document is what it is now.
    let document = parse_json(new.or(old).unwrap_or_default()).unwrap_or_default();
    let path = task.pair.path().to_owned();
    let (release, language, type_, segment) = match place(&path) {
        Place::Document { release, language, type_, id } => (release, language, type_, id),
        _ => (None, "", "", ""),
    };
    let text = |name: &str| document.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    // Ids that are no plain segments have others in paths.
    let of = |name: &str, segment: &str| text(name).unwrap_or(segment).to_owned();
    let (id, type_, language) = (of("id", segment), of("type", type_), of("lang", language));
    let ties =
        (what != ItemChange::Changed || !diff.metadata.is_empty()).then(|| Ties::of(&document, release, &id));
    let one = DocumentDiff {
        type_label: names.models.type_label(&type_).map(str::to_owned),
        language_name: names.languages.name(&language),
        release: release.map(str::to_owned),
        uid: text("uid").map(str::to_owned),
        title: document_title(&document, &names.models),
        translations: Vec::new(),
        translation_of: None,
        path: path.clone(),
        id,
        type_,
        language,
        what,
        diff,
    };
    Some(Compared::Document(Box::new(one), ties))
}

fn asset(
    is_live: bool,
    task: &Task,
    old: Option<&[u8]>,
    new: Option<&[u8]>,
    bounds: Bounds,
) -> Option<Compared> {
    let metadata = parse_json(new.or(old).unwrap_or_default()).unwrap_or_default();
    let is_unlisted = |bytes: &[u8]| {
        let value = parse_json(bytes).unwrap_or_default();
        value.get("listed").and_then(Value::as_bool) == Some(false)
    };
    if is_live && new.is_none() && old.is_some_and(is_unlisted) {
        return None;
    }
    let diff = match (old, new) {
        // It was listed then and is not now, or the other way round.
        (Some(old), Some(new)) if is_unlisted(old) != is_unlisted(new) => {
            return Some(Compared::Asset(Box::new(AssetDiff {
                id: task.id.clone(),
                title: asset_title(&metadata),
                what: if is_unlisted(new) { ItemChange::Removed } else { ItemChange::Added },
                file_changed: task.file_changed,
                diff: compare_assets(old, new, bounds).unwrap_or_else(|_| opaque(FieldKind::Asset)),
            })));
        }
        (Some(old), Some(new)) => {
            compare_assets(old, new, bounds).unwrap_or_else(|_| opaque(FieldKind::Asset))
        }
        _ => ItemDiff::default(),
    };
    let found = match (old, new) {
        (None, None) => Some(ItemChange::Changed),
        _ => what(old, new, &diff),
    };
    let what = if task.file_changed { Some(ItemChange::Changed) } else { found };
    what.map(|what| {
        Compared::Asset(Box::new(AssetDiff {
            id: task.id.clone(),
            title: asset_title(&metadata),
            what,
            file_changed: task.file_changed,
            diff,
        }))
    })
}

fn model(task: &Task, old: Option<&[u8]>, new: Option<&[u8]>, bounds: Bounds) -> Option<Compared> {
    let diff = match (old, new) {
        (Some(old), Some(new)) => {
            compare_models(old, new, bounds).unwrap_or_else(|_| opaque(FieldKind::Model))
        }
        _ => ItemDiff::default(),
    };
    let what = what(old, new, &diff)?;
    let model = parse_json(new.or(old).unwrap_or_default()).unwrap_or_default();
    let label = ["label", "name"].iter().find_map(|name| model.get(*name)?.as_str());
    let path = task.pair.path().to_owned();
    let id = match place(&path) {
        Place::Model { id } => id.to_owned(),
        _ => String::new(),
    };
    let title = label.filter(|label| !label.trim().is_empty()).map(str::to_owned);
    Some(Compared::Model(Box::new(ModelDiff { path, id, title, what, diff })))
}
