//! What is live, made into steps.
//!
//! Everything in which the person was found, live or in the newest snapshot, and that is still live ends as a
//! step. Steps follow from what is live, what was found and decided, and the change alone: made again they are
//! the same, in the same order.

mod people;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use memchr::memmem;

use super::asset::{Texts, addresses, identity};
use super::change::{Becomes, Changed};
use super::content::{There, embed_of};
use super::purpose::Change;
use super::read::{Item, Repository};
use super::step::{Delete, LiveAction, LiveStep, Patch, Put, Task, TaskCode, Why};
use super::{Cause, Live, LiveError};
use crate::ids::Name;
use crate::prismic::{Asset, Document, Root};
use crate::privacy::passage::Channel;
use crate::progress::{Phase, Problem};
use crate::restore::paths::{ORIGINAL, Place, place};
use crate::snapshot::names;

/// What of a repository is planned.
struct Survey<'a> {
    live: &'a Live<'a>,
    name: &'a Name,
    paths: BTreeSet<&'a str>,
    /// Why nothing of it can be written, if so.
    cannot: Option<Why>,
    steps: Vec<LiveStep>,
    problems: Vec<Problem>,
}

/// What of a repository is live and concerned.
struct Found {
    root: Root,
    /// Published documents by path.
    documents: BTreeMap<String, Document>,
    /// Ids of the documents that show a file, by its id.
    users: BTreeMap<String, BTreeSet<String>>,
}

impl Live<'_> {
    /// Plans what is to happen in every repository in which the person was found. Nothing is written.
    ///
    /// # Errors
    ///
    /// [`LiveError::Unreadable`] where a repository that is configured cannot be read: no plan without it;
    /// [`LiveError::Changed`] where something live says what nobody decided about.
    pub async fn plan(&self) -> Result<Vec<LiveStep>, LiveError> {
        self.progress.start(Phase::Search, None);
        let (mut steps, mut problems) = (Vec::new(), Vec::new());
        for found_in in self.decisions.touched() {
            // Lists of members belong to their repository.
            let is_its = |name: &Name| name.access_chain().is_some_and(|chain| chain == *found_in);
            let owner = self.sources.iter().map(|source| &source.target.name).find(|name| is_its(name));
            let name = owner.unwrap_or(found_in);
            let source = self.source(found_in);
            let cannot = match source {
                None => Some(Why::NotConfigured),
                Some(source) if source.target.write_token.is_none() => Some(Why::NoWriteToken),
                Some(_) => None,
            };
            let paths = self.decisions.going(found_in).collect();
            let (own_steps, own_problems) = (Vec::new(), Vec::new());
            let mut survey =
                Survey { live: self, name, paths, cannot, steps: own_steps, problems: own_problems };
            let done = match source {
                Some(source) => Box::pin(survey.survey(&Repository::new(source))).await,
                None => {
                    survey.without_reading();
                    Ok(())
                }
            };
            done.map_err(|cause| cause.of(found_in))?;
            let hidden = match self.change {
                Change::Erasing(_) => Some(TaskCode::CheckHidden),
                Change::Correcting(_) => Some(TaskCode::CorrectHidden),
                Change::Hiding | Change::Showing => None,
            };
            if let Some(code) = hidden.filter(|_| !found_in.is_access_chain()) {
                survey.add("", LiveAction::Task(Task::new(code, Why::NoInterface)));
            }
            steps.append(&mut survey.steps);
            problems.append(&mut survey.problems);
        }
        self.progress.finish(Phase::Search);
        if !problems.is_empty() {
            problems.sort_unstable();
            return Err(LiveError::Changed(problems));
        }
        steps.sort();
        steps.dedup();
        Ok(steps)
    }
}

impl Survey<'_> {
    fn add(&mut self, path: &str, action: LiveAction) {
        self.steps.push(LiveStep { repository: self.name.clone(), path: path.to_owned(), action });
    }

    fn task(&mut self, path: &str, task: Task) {
        self.add(path, LiveAction::Task(task));
    }

    fn undecided(&mut self, path: &str, count: usize) {
        let subject = format!("{}: {path}", self.name);
        let detail = format!("{count} findings in what is live now were not decided; search again");
        self.problems.push(Problem::new("live-changed", subject, detail));
    }

    async fn survey(&mut self, repository: &Repository<'_>) -> Result<(), Cause> {
        let mut assets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut others = Vec::new();
        for path in &self.paths {
            match place(path) {
                Place::Document { release: None, .. } => {}
                Place::Asset { id, .. } => drop(assets.entry(id).or_default().insert(path)),
                _ => others.push(*path),
            }
        }
        others.into_iter().for_each(|path| self.other(path));
        let is_file = |paths: &BTreeSet<&str>| paths.iter().any(|path| path.ends_with(ORIGINAL));
        let files = assets.iter().filter(|(_, paths)| is_file(paths) || !self.live.change.is_erasing());
        let found = self.read(repository, files.map(|(id, _)| *id).collect()).await?;
        let models = repository.target_models().await?;
        let there = self.live.there(repository, &found.root, models, found.documents.values()).await?;
        for (path, document) in &found.documents {
            self.document(path, document, &there).await?;
        }
        let ids: Vec<String> = assets.keys().map(|id| (*id).to_owned()).collect();
        let library = repository.assets(&ids).await?;
        for (id, paths) in &assets {
            let asset = library.get(*id);
            match self.live.change {
                Change::Erasing(_) => self.asset(id, paths, asset, &found.users).await?,
                Change::Correcting(_) => self.corrected_asset(id, paths, asset, &found.users).await?,
                Change::Hiding | Change::Showing => self.hidden_asset(id, paths, asset, &found.users),
            }
        }
        Ok(())
    }

    /// Reads what is published once: the documents that are planned, and those that show files that go.
    async fn read(&self, repository: &Repository<'_>, files: Vec<&str>) -> Result<Found, Cause> {
        let root = repository.root().await?;
        let mut documents = BTreeMap::new();
        let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let read = repository.for_each_document(&root, async |page| {
            self.live.check_cancelled()?;
            for document in page {
                for file in &files {
                    if memmem::find(&document.bytes, file.as_bytes()).is_some() {
                        users.entry((*file).to_owned()).or_default().insert(document.id.clone());
                    }
                }
                let Document { lang, type_, id, .. } = &document;
                let path = names::document(self.live.key, None, lang, type_, id);
                if self.paths.contains(&*path) {
                    documents.insert(path, document);
                }
            }
            Ok(())
        });
        read.await?;
        Ok(Found { root, documents, users })
    }

    async fn document(&mut self, path: &str, document: &Document, there: &Arc<There>) -> Result<(), Cause> {
        let edit = |why, places| of_live(document, self.edits().0, why, places);
        let task = match self.live.becomes(self.name, path, &document.bytes, there).await? {
            Becomes::Clean => return Ok(()),
            Becomes::Undecided(count) => {
                self.undecided(path, count);
                return Ok(());
            }
            Becomes::Changed(changed) => {
                self.changed(path, document, *changed);
                return Ok(());
            }
            Becomes::Hidden(places) => edit(Why::NoInterface, places),
            Becomes::CannotTell(places) => edit(Why::CannotTell, places),
            Becomes::Stuck(place) => {
                of_live(document, TaskCode::RemoveDocument, Why::CannotMask, vec![place])
            }
            // Without a token there are no models.
            Becomes::NoModel(places) => edit(self.cannot.unwrap_or(Why::NoModel), places),
        };
        self.task(path, task);
        self.history(path, &of_live(document, TaskCode::SupportHistory, Why::NoInterface, Vec::new()));
        Ok(())
    }

    /// A document that is another afterwards: by this program, by people, or by what it copies.
    fn changed(&mut self, path: &str, document: &Document, changed: Changed) {
        let Changed { before, after, mut own, copies, loses, may_differ, left } = changed;
        let is_erasing = self.live.change.is_erasing();
        let code = self.edits().0;
        let edit = |why, places| of_live(document, code, why, places);
        let (mut slugs, mut embeds, mut follows) = (Vec::new(), Vec::new(), Vec::new());
        // What an editor puts right, because it is no text.
        let mut by_hand = Vec::new();
        for (place, channel) in left {
            match channel {
                Channel::Slug if place.starts_with("/slugs") => slugs.push(place),
                Channel::Relationship | Channel::Slug => follows.push(place),
                _ => by_hand.push(place),
            }
        }
        for place in copies {
            match embed_of(&before.findings, &place).is_some() {
                _ if place.starts_with("/slugs") => slugs.push(place),
                true if is_erasing => embeds.push(place),
                true => by_hand.push(place),
                false => follows.push(place),
            }
        }
        if !own.is_empty() {
            let is_same = before.digest == after.digest;
            let why = match (self.cannot, &loses) {
                (Some(why), _) => Some(why),
                (None, Some(_)) => Some(Why::WouldLose),
                (None, None) if is_same && is_erasing => Some(Why::CannotMask),
                (None, None) if is_same => Some(Why::CannotCorrect),
                (None, None) => None,
            };
            match why {
                Some(why) => {
                    // One task for one document: whoever opens it does all of it.
                    own.append(&mut by_hand);
                    let loses = loses.into_iter().filter(|_| why == Why::WouldLose).collect();
                    self.task(path, Task { loses, ..edit(why, own) });
                }
                None => {
                    let (id, before, sent) = (document.id.clone(), before.digest, after.digest);
                    self.add(path, LiveAction::Put(Put { id, before, sent, places: own, may_differ }));
                }
            }
            self.history(path, &of_live(document, TaskCode::SupportHistory, Why::NoInterface, Vec::new()));
        }
        if !by_hand.is_empty() {
            self.task(path, edit(Why::CannotCorrect, by_hand));
        }
        if !slugs.is_empty() {
            self.task(path, of_live(document, TaskCode::SupportSlugs, Why::NoInterface, slugs));
        }
        if !embeds.is_empty() {
            self.task(path, of_live(document, TaskCode::RemoveEmbed, Why::NoInterface, embeds));
        }
        if !follows.is_empty() {
            self.add(path, LiveAction::Follows { places: follows });
        }
    }

    async fn asset(
        &mut self,
        id: &str,
        paths: &BTreeSet<&str>,
        asset: Option<&Asset>,
        users: &BTreeMap<String, BTreeSet<String>>,
    ) -> Result<(), Cause> {
        let task = |code, why| Task { id: id.to_owned(), ..Task::new(code, why) };
        let original = paths.iter().copied().find(|path| path.ends_with(ORIGINAL));
        let support = task(TaskCode::SupportFile, Why::NoInterface);
        match (original, asset) {
            // Whoever has its address has the file, also where no list names it any more.
            (Some(path), None) => {
                if let Some(why) = self.cannot {
                    self.task(path, task(TaskCode::DeleteAsset, why));
                }
                self.task(path, support);
            }
            (Some(path), Some(asset)) => {
                let urls = addresses(asset);
                self.add(path, LiveAction::Delete(Delete { id: id.to_owned(), before: identity(asset) }));
                self.task(path, Task { urls, ..support });
            }
            (None, None) => {
                for (path, why) in paths.iter().copied().zip(self.cannot) {
                    self.task(path, task(TaskCode::EditAsset, why));
                }
                return Ok(());
            }
            (None, Some(asset)) => {
                for path in paths {
                    self.metadata(path, asset).await?;
                }
                return Ok(());
            }
        }
        if let (Some(path), Some(users)) = (original, users.get(id)) {
            let documents = users.iter().cloned().collect();
            self.task(path, Task { documents, ..task(TaskCode::UnlinkAsset, Why::NoInterface) });
        }
        Ok(())
    }

    /// What the media library says of a file of which the bytes stay.
    async fn metadata(&mut self, path: &str, asset: &Asset) -> Result<(), Cause> {
        let task = |code, why, places| Task { id: asset.id.clone(), places, ..Task::new(code, why) };
        let edit = |why, places| task(TaskCode::EditAsset, why, places);
        let item = Item { path: path.to_owned(), bytes: asset.bytes.clone() };
        let found = self.live.found(vec![item]).await?.pop().map(|(_, found)| found).unwrap_or_default();
        let sorted = self.live.sorted(self.name, path, found);
        if sorted.undecided > 0 {
            self.undecided(path, sorted.undecided);
            return Ok(());
        }
        if sorted.goes.is_empty() {
            return Ok(());
        }
        let ambiguous = sorted.ambiguous();
        if !ambiguous.is_empty() {
            self.task(path, edit(Why::CannotTell, ambiguous));
            return Ok(());
        }
        let masked = match self.live.change.apply(path, &asset.bytes, &sorted) {
            Ok(masked) => masked,
            Err(stuck) => {
                self.task(path, edit(Why::CannotMask, vec![stuck.place]));
                return Ok(());
            }
        };
        let Some((before, after)) = Texts::of(&asset.bytes).zip(Texts::changed(&asset.bytes, &masked.bytes))
        else {
            self.task(path, edit(Why::CannotMask, masked.places));
            return Ok(());
        };
        let members = after.differing(&before);
        if !members.is_empty() {
            let (before, after) = (before.digest(), after.digest());
            self.add(path, LiveAction::Patch(Patch { id: asset.id.clone(), before, after, members }));
        }
        for tag in after.tags_gone_from(&before) {
            self.task(path, Task { id: tag, ..Task::new(TaskCode::DeleteAssetTag, Why::NoInterface) });
        }
        let is_of_api = |place: &String| {
            let own = place.trim_start_matches('/').split('/').next().unwrap_or_default();
            ["alt", "credits", "filename", "notes", "tags"].contains(&own)
        };
        let rest = masked.places.into_iter().filter(|place| !is_of_api(place));
        let (address, rest): (Vec<String>, Vec<String>) = rest.partition(|place| place == "/url");
        if !address.is_empty() {
            self.task(path, task(TaskCode::ReplaceAsset, Why::NoInterface, address));
            let support = task(TaskCode::SupportFile, Why::NoInterface, Vec::new());
            self.task(path, Task { urls: addresses(asset), ..support });
        }
        if !rest.is_empty() {
            self.task(path, edit(Why::NoInterface, rest));
        }
        Ok(())
    }
}

/// A task about a document that is live.
fn of_live(document: &Document, code: TaskCode, why: Why, places: Vec<String>) -> Task {
    Task {
        id: document.id.clone(),
        type_: document.type_.clone(),
        language: document.lang.clone(),
        places,
        ..Task::new(code, why)
    }
}
