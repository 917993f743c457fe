//! What was seen of a repository while it is read again, and which tasks that shows to be done.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Remaining;
use crate::ids::Name;
use crate::privacy::erasure::live::read::Item;
use crate::privacy::erasure::live::standing::Sight;
use crate::privacy::erasure::live::step::{LiveAction, LiveStep, Task, TaskCode};
use crate::privacy::matching::{Finding, Fingerprint};
use crate::privacy::passage::Channel;
use crate::privacy::proof::evidence::UrlEvidence;
use crate::restore::paths::{Place, place};

/// What steps are about, while it is looked.
pub(in super::super) struct Planned<'s> {
    /// Places that were written, by path.
    pub(in super::super) written: HashMap<&'s str, Vec<String>>,
    /// Paths of all steps, and of what is current and goes.
    pub(in super::super) paths: HashSet<&'s str>,
    /// Ids of files and documents that tasks are about of which it is seen whether they are shown.
    pub(super) ids: BTreeSet<&'s str>,
}

impl<'s> Planned<'s> {
    pub(super) fn of(steps: &[&'s LiveStep], going: impl Iterator<Item = &'s str>) -> Self {
        let mut planned = Self { written: HashMap::new(), paths: going.collect(), ids: BTreeSet::new() };
        for step in steps.iter().filter(|step| !step.path.is_empty()) {
            planned.paths.insert(&step.path);
            match &step.action {
                LiveAction::Put(put) => drop(planned.written.insert(&step.path, put.places.clone())),
                LiveAction::Patch(patch) => {
                    let places = patch.members.iter().map(|member| format!("/{member}")).collect();
                    planned.written.insert(&step.path, places);
                }
                LiveAction::Task(task) => {
                    use TaskCode::{HideFile, ShowDocument, UnlinkAsset};
                    let is_shown = matches!(task.code, HideFile | ShowDocument | UnlinkAsset);
                    planned.ids.extend(is_shown.then_some(&*task.id));
                }
                LiveAction::Delete(_) | LiveAction::Follows { .. } => {}
            }
        }
        planned
    }
}

/// What was read of a repository.
#[derive(Default)]
pub(in super::super) struct Seen {
    pub(super) items: u64,
    /// What of the person is there and does not stay.
    pub(super) remaining: BTreeSet<Remaining>,
    /// The same kinds of place as `remaining`, by path: whether it is in slugs, in embeds, elsewhere.
    kinds: HashMap<String, HashSet<Kind>>,
    /// Told once, though master and releases show it.
    told: HashSet<(String, String, Fingerprint)>,
    /// Files that documents show, of those that tasks ask for.
    pub(super) used: BTreeSet<String>,
    /// Documents that are published, of those that tasks ask for.
    pub(super) published: BTreeSet<String>,
    /// Files of the media library; `None`: it could not be read.
    pub(super) library: Option<HashSet<String>>,
    /// Tags of the media library.
    pub(super) tags: Option<HashSet<String>>,
    /// Releases that were read; `None`: it was not asked for them.
    pub(super) releases: Option<u64>,
    /// What has findings without a decision, and was written by this erasure: they may stay.
    pub(super) written: Vec<(Item, Vec<Finding>)>,
}

/// Kinds of places that different tasks are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) enum Kind {
    Slug,
    Embed,
    Other,
}

impl Kind {
    pub(in super::super) fn of(place: &str, channel: Channel) -> Self {
        match channel {
            _ if place.starts_with("/slugs") => Self::Slug,
            Channel::Embed => Self::Embed,
            _ => Self::Other,
        }
    }
}

impl Seen {
    pub(super) fn count(&mut self, path: &str, finding: &Finding, is_decided: bool) {
        let kind = Kind::of(&finding.place, finding.channel);
        self.kinds.entry(path.to_owned()).or_default().insert(kind);
        if self.told.insert((in_master(path).to_owned(), finding.place.clone(), finding.fingerprint)) {
            let (path, place) = (path.to_owned(), finding.place.clone());
            self.remaining.insert(Remaining { path, place, is_decided });
        }
    }

    /// Counts a place that is not as it is to be, whatever was found there.
    pub(in super::super) fn count_place(&mut self, path: &str, place: String, kind: Kind, is_decided: bool) {
        self.kinds.entry(path.to_owned()).or_default().insert(kind);
        // Master and releases show it: told once.
        let document = in_master(path);
        let is_told = |own: &Remaining| own.place == place && in_master(&own.path) == document;
        if !self.remaining.iter().any(is_told) {
            self.remaining.insert(Remaining { path: path.to_owned(), place, is_decided });
        }
    }

    fn has(&self, path: &str, is_it: impl Fn(Kind) -> bool) -> bool {
        self.kinds.get(path).is_some_and(|kinds| kinds.iter().any(|kind| is_it(*kind)))
    }

    /// What is seen of a task, where all that tells of it was read or not.
    pub(super) fn sight(
        &self,
        name: &Name,
        path: &str,
        task: &Task,
        urls: &[UrlEvidence],
        is_read: bool,
    ) -> Sight {
        match self.is_done(name, path, task, urls) {
            None => Sight::Hidden,
            Some(_) if !is_read => Sight::NotRead,
            Some(true) => Sight::Done,
            Some(false) => Sight::Open,
        }
    }

    /// Whether a task is seen to be done; `None`: nobody can see it from outside.
    fn is_done(&self, name: &Name, path: &str, task: &Task, urls: &[UrlEvidence]) -> Option<bool> {
        match task.code {
            TaskCode::EditDocument | TaskCode::RemoveDocument => {
                Some(!self.has(path, |kind| kind == Kind::Other || task.places.is_empty()))
            }
            // Without a release to be seen nobody knows whether it is gone, or the token shows none.
            TaskCode::EditRelease | TaskCode::CorrectDocument
                if path.starts_with("releases/") && self.releases.unwrap_or(0) == 0 =>
            {
                None
            }
            TaskCode::EditRelease | TaskCode::EditAsset | TaskCode::ReplaceAsset | TaskCode::EditModel => {
                Some(!self.has(path, |_| true))
            }
            TaskCode::CorrectDocument | TaskCode::CorrectAsset | TaskCode::HideDocument => {
                Some(!self.has(path, |_| true))
            }
            TaskCode::CorrectSettings if matches!(place(path), Place::Model { .. }) => {
                Some(!self.has(path, |_| true))
            }
            TaskCode::CorrectFile => {
                let is_there = self.library.as_ref().is_none_or(|all| all.contains(&task.id));
                (!is_there).then_some(true)
            }
            TaskCode::HideFile if self.used.contains(&task.id) => Some(false),
            // That a file answers at its addresses ends with the file only: people weigh that, and say so.
            TaskCode::HideFile if task.urls.is_empty() => None,
            TaskCode::HideFile => are_gone(name, task, urls).then_some(true),
            TaskCode::ShowDocument => self.published.contains(&task.id).then_some(true),
            TaskCode::RemoveEmbed => Some(!self.has(path, |kind| kind == Kind::Embed)),
            TaskCode::SupportSlugs => Some(!self.has(path, |kind| kind == Kind::Slug)),
            TaskCode::DeleteAsset => Some(self.library.as_ref().is_some_and(|all| !all.contains(&task.id))),
            TaskCode::UnlinkAsset => Some(!self.used.contains(&task.id)),
            TaskCode::DeleteAssetTag if !task.id.is_empty() => {
                Some(self.tags.as_ref().is_some_and(|all| !all.contains(&task.id)))
            }
            TaskCode::SupportFile if !task.urls.is_empty() => Some(are_gone(name, task, urls)),
            // What is there now is an earlier version tomorrow, so nobody has erased all of them yet.
            TaskCode::SupportHistory if self.has(path, |kind| kind != Kind::Slug) => Some(false),
            TaskCode::SupportFile if self.library.as_ref().is_some_and(|all| all.contains(&task.id)) => {
                Some(false)
            }
            TaskCode::DeleteAssetTag
            | TaskCode::SupportFile
            | TaskCode::EditSettings
            | TaskCode::CheckHidden
            | TaskCode::CorrectSettings
            | TaskCode::CorrectHidden
            | TaskCode::HideOther
            | TaskCode::ShowFile
            | TaskCode::SupportHistory => None,
        }
    }
}

/// The path that a document has where it is published, whatever release it was read of.
pub(in super::super) fn in_master(path: &str) -> &str {
    let of_release = path.strip_prefix("releases/").and_then(|rest| rest.split_once('/'));
    of_release.map_or(path, |(_, rest)| rest)
}

/// Whether nothing is at the public addresses of a task any more.
fn are_gone(name: &Name, task: &Task, urls: &[UrlEvidence]) -> bool {
    let own = urls.iter().filter(|url| url.repository == *name && url.asset == task.id);
    own.filter(|url| url.gone.is_some()).count() == task.urls.len()
}
