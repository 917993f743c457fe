//! What of a survey differs by what the plan is for: tasks for people, and what the media library says.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Cause;
use super::super::asset::{TEXTS, Texts, addresses};
use super::super::content::object;
use super::super::purpose::Change;
use super::super::read::Item;
use super::super::step::{LiveAction, Patch, Task, TaskCode, Why};
use super::Survey;
use crate::prismic::Asset;
use crate::prismic::write::ASSET_TEXT_CHARS_MAX;
use crate::restore::paths::{ORIGINAL, Place, place};

/// Where the tags of the media library are in a snapshot.
const ASSET_TAGS: &str = "repository/asset-tags.json";

impl Survey<'_> {
    /// Whether it was read in the vault, as it is live, and nothing in it is to be corrected.
    fn is_clean(&self, path: &str) -> bool {
        self.live.change.correcting().is_some_and(|own| own.clean.contains(path))
    }

    /// What people do with a document, and with what the media library says of a file.
    pub(super) fn edits(&self) -> (TaskCode, TaskCode) {
        match self.live.change {
            Change::Erasing(_) => (TaskCode::EditDocument, TaskCode::EditAsset),
            Change::Correcting(_) => (TaskCode::CorrectDocument, TaskCode::CorrectAsset),
            Change::Hiding => (TaskCode::HideDocument, TaskCode::HideFile),
            Change::Showing => (TaskCode::ShowDocument, TaskCode::ShowFile),
        }
    }

    /// A task for everything: nothing here can be read.
    pub(super) fn without_reading(&mut self) {
        let why = self.cannot.unwrap_or(Why::NoInterface);
        for path in std::mem::take(&mut self.paths) {
            if self.is_clean(path) {
                continue;
            }
            let edits = self.edits();
            match place(path) {
                Place::Document { release: None, .. } => {
                    self.task(path, of_document(path, edits.0, why));
                    self.history(path, &of_document(path, TaskCode::SupportHistory, Why::NoInterface));
                }
                Place::Asset { id, file } => {
                    let code = match (file == ORIGINAL, &self.live.change) {
                        (true, Change::Erasing(_)) => TaskCode::DeleteAsset,
                        (true, Change::Correcting(_)) => TaskCode::CorrectFile,
                        _ => edits.1,
                    };
                    self.task(path, Task { id: id.to_owned(), ..Task::new(code, why) });
                    if code == TaskCode::DeleteAsset {
                        let task = Task::new(TaskCode::SupportFile, Why::NoInterface);
                        self.task(path, Task { id: id.to_owned(), ..task });
                    }
                }
                _ => self.other(path),
            }
        }
    }

    /// Earlier versions have the person in them, which an erasure is about and nothing else is.
    pub(super) fn history(&mut self, path: &str, task: &Task) {
        if self.live.change.is_erasing() {
            self.task(path, task.clone());
        }
    }

    /// What no interface writes, or not one document alone.
    pub(super) fn other(&mut self, path: &str) {
        let settings = match self.live.change {
            Change::Erasing(_) => None,
            Change::Correcting(_) if self.is_clean(path) => return,
            Change::Correcting(_) => Some(Task::new(TaskCode::CorrectSettings, Why::CannotCorrect)),
            Change::Hiding | Change::Showing => Some(Task::new(TaskCode::HideOther, Why::NoInterface)),
        };
        let task = match (place(path), settings) {
            (Place::Document { .. }, None) => of_document(path, TaskCode::EditRelease, Why::InRelease),
            (Place::Document { .. }, Some(other)) if other.code == TaskCode::CorrectSettings => {
                of_document(path, TaskCode::CorrectDocument, Why::InRelease)
            }
            (_, Some(other)) => other,
            (Place::Model { id }, None) => {
                Task { id: id.to_owned(), ..Task::new(TaskCode::EditModel, Why::CannotMask) }
            }
            (_, None) if path == ASSET_TAGS => Task::new(TaskCode::DeleteAssetTag, Why::NoInterface),
            (_, None) => Task::new(TaskCode::EditSettings, Why::NoInterface),
        };
        self.task(path, task);
    }

    /// A file in which something is wrong, or of which the media library says it.
    pub(super) async fn corrected_asset(
        &mut self,
        id: &str,
        paths: &BTreeSet<&str>,
        asset: Option<&Asset>,
        users: &BTreeMap<String, BTreeSet<String>>,
    ) -> Result<(), Cause> {
        for path in paths {
            let is_file = path.ends_with(ORIGINAL);
            match asset {
                Some(asset) if !is_file => self.corrected_metadata(path, asset).await?,
                // Without a token nobody sees whether it is there.
                None if self.cannot.is_none() => {}
                _ if self.is_clean(path) => {}
                _ => {
                    let code = if is_file { TaskCode::CorrectFile } else { TaskCode::CorrectAsset };
                    let why = self.cannot.unwrap_or(Why::CannotCorrect);
                    let documents = users.get(id).into_iter().flatten().cloned().collect();
                    self.task(path, Task { id: id.to_owned(), documents, ..Task::new(code, why) });
                }
            }
        }
        Ok(())
    }

    /// What the media library says of a file, put right.
    async fn corrected_metadata(&mut self, path: &str, asset: &Asset) -> Result<(), Cause> {
        let item = Item { path: path.to_owned(), bytes: asset.bytes.clone() };
        let found = self.live.found(vec![item]).await?.pop().map(|(_, found)| found).unwrap_or_default();
        let sorted = self.live.sorted(self.name, path, found);
        let Ok(now) = self.live.change.apply(path, &asset.bytes, &sorted) else { return Ok(()) };
        if now.places.is_empty() && now.left.is_empty() {
            return Ok(());
        }
        if sorted.undecided > 0 || sorted.goes.is_empty() {
            self.undecided(path, sorted.undecided.max(1));
            return Ok(());
        }
        let mut left: Vec<String> = now.left.into_keys().collect();
        // A right value that would be cut is none.
        let texts = Texts::of(&asset.bytes).zip(Texts::changed(&asset.bytes, &now.bytes));
        let texts = texts.filter(|_| is_taken_whole(&now.bytes));
        let members = texts.as_ref().map(|(before, after)| after.differing(before)).unwrap_or_default();
        let is_sent = |place: &String| members.iter().any(|member| place.strip_prefix('/') == Some(member));
        left.extend(now.places.iter().filter(|place| !is_sent(place)).cloned());
        if let Some((before, after)) = texts.filter(|_| !members.is_empty()) {
            let (before, after, id) = (before.digest(), after.digest(), asset.id.clone());
            self.add(path, LiveAction::Patch(Patch { id, before, after, members }));
        }
        if !left.is_empty() {
            let why = self.cannot.unwrap_or(Why::CannotCorrect);
            let task = Task::new(TaskCode::CorrectAsset, why);
            self.task(path, Task { id: asset.id.clone(), places: left, ..task });
        }
        Ok(())
    }

    /// A file that is to be shown no more for a while: it stays in the media library.
    pub(super) fn hidden_asset(
        &mut self,
        id: &str,
        paths: &BTreeSet<&str>,
        asset: Option<&Asset>,
        users: &BTreeMap<String, BTreeSet<String>>,
    ) {
        if asset.is_none() && self.cannot.is_none() {
            return;
        }
        let original = paths.iter().copied().find(|path| path.ends_with(ORIGINAL));
        let Some(path) = original.or(paths.first().copied()) else { return };
        let urls = asset.filter(|_| original.is_some()).map(addresses).unwrap_or_default();
        let documents = users.get(id).into_iter().flatten().cloned().collect();
        let task = Task::new(self.edits().1, self.cannot.unwrap_or(Why::NoInterface));
        self.task(path, Task { id: id.to_owned(), documents, urls, ..task });
    }
}

/// Whether the Asset API takes every text of a file as it is.
fn is_taken_whole(bytes: &[u8]) -> bool {
    let object = object(bytes).unwrap_or_default();
    let texts = TEXTS.iter().filter_map(|name| object.get(*name)?.as_str());
    texts.into_iter().all(|text| text.chars().count() <= ASSET_TEXT_CHARS_MAX)
}

/// A task about a document of which only the path is known.
fn of_document(path: &str, code: TaskCode, why: Why) -> Task {
    let mut task = Task::new(code, why);
    if let Place::Document { language, type_, id, .. } = place(path) {
        (task.id, task.type_, task.language) = (id.to_owned(), type_.to_owned(), language.to_owned());
    }
    task
}
