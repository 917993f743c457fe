//! Everything that is live, read again: what of the person is still there, and which tasks are done.
//!
//! The whole of each repository is read, not only what was planned: a person who is named again, or in a document
//! that nobody knew, is found. A finding counts as remaining unless somebody decided that it stays: one about
//! which nothing was decided counts too. A repository of which anything cannot be read, the media library among
//! it, is not *read*: nobody may say of it that the person is gone.
//!
//! After a rectification wrong values count, and right ones that are not where they were put. Of a restriction
//! only what is published counts: the rest is seen by editors, whom tasks tell.

mod seen;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;
use memchr::memmem;
use serde::Serialize;

use super::asset::Texts;
use super::content::{object, taken};
use super::decided::Says;
use super::purpose::Change;
use super::read::{Item, Repository};
use super::standing::Sight;
use super::step::{LiveAction, LiveStep, TaskCode};
use super::{Cause, Live, LiveError};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::Name;
use crate::prismic::{Document, Root, parse_json};
use crate::privacy::erasure::mask::Kept;
use crate::privacy::matching::Finding;
use crate::privacy::proof::evidence::{LiveEvidence, UrlEvidence, WordEvidence};
use crate::progress::{Phase, Problem};
use crate::snapshot::names;
pub(super) use seen::{Kind, Planned, Seen, in_master};

/// What was seen of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Looked {
    /// As certificates tell it.
    pub evidence: LiveEvidence,
    /// Where the person still is, or is again.
    pub remaining: Vec<Remaining>,
    /// Ids of the steps that are tasks and not done, as far as that is seen or was noted.
    pub open: Vec<String>,
    /// What was seen of each task, by the id of its step.
    pub sights: BTreeMap<String, Sight>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// What may be there and cannot be seen with the tokens that are here. It is told, and is no failure: nobody
    /// can say whether there is anything.
    pub unseen: Vec<Problem>,
}

/// A finding that is live.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Remaining {
    /// What the path in a snapshot is.
    pub path: String,
    /// Where in it. Personal data, as places can be named after people: not in `Debug`.
    pub place: String,
    /// Whether it was decided that it goes; else it is new, and a search and a review are needed.
    pub is_decided: bool,
}

impl std::fmt::Debug for Remaining {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remaining").field("path", &self.path).field("is_decided", &self.is_decided).finish()
    }
}

impl Live<'_> {
    /// Reads every repository again that the steps or the decisions name, and every other that is configured.
    /// `urls` is what [`probe`](Self::probe) saw just now; `said` are the ids of steps that people say they did, and
    /// when they said so, which counts for what cannot be seen only.
    ///
    /// # Errors
    ///
    /// Only when it is cancelled: what cannot be read is not read.
    pub async fn look(
        &self,
        steps: &[LiveStep],
        urls: &[UrlEvidence],
        said: &BTreeMap<String, Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<Looked>, LiveError> {
        let of_steps = steps.iter().map(|step| &step.repository);
        let of_sources = self.sources.iter().map(|source| &source.target.name);
        let names: BTreeSet<&Name> = of_steps.chain(self.decisions.touched()).chain(of_sources).collect();
        self.progress.start(Phase::Search, None);
        let mut all = Vec::new();
        for name in names {
            let own: Vec<&LiveStep> = steps.iter().filter(|step| step.repository == *name).collect();
            // Lists of members are in no interface: their tasks are those of their repository.
            if name.is_access_chain() && own.is_empty() {
                continue;
            }
            let (mut seen, mut problems) = (Seen::default(), Vec::new());
            let outcome = match self.source(name) {
                Some(source) => Box::pin(self.see(&Repository::new(source), name, &own, &mut seen)).await,
                None => Err(Cause::Words("the configuration does not name this repository".to_owned())),
            };
            let is_read = match outcome {
                Ok(()) => !self.needs_library() || seen.library.is_some(),
                Err(Cause::Cancelled) => return Err(LiveError::Cancelled),
                Err(cause) => {
                    problems.push(Problem::new("live-not-read", name.as_str(), cause.words()));
                    false
                }
            };
            if !is_read && problems.is_empty() {
                problems.push(Problem::new(
                    "no-write-token",
                    name.as_str(),
                    "the media library and the models cannot be read without a write token, so nobody can say that \
                     the person is not in them: configure one, and look again",
                ));
            }
            let (mut open, mut words, mut sights) = (Vec::new(), Vec::new(), BTreeMap::new());
            for (step, task) in own.iter().filter_map(|step| Some((step, step.task()?))) {
                let (id, sight) = (step.id(), seen.sight(name, &step.path, task, urls, is_read));
                match (sight, said.get(&id)) {
                    (Sight::Done, _) => {}
                    (Sight::Hidden, Some(at)) => {
                        words.push(WordEvidence { task: task.code, said: rfc3339(*at) });
                    }
                    _ => open.push(id.clone()),
                }
                sights.insert(id, sight);
            }
            words.sort_unstable();
            let evidence = LiveEvidence {
                repository: name.clone(),
                read: is_read.then(|| rfc3339(now)),
                items: seen.items,
                remaining: seen.remaining.len() as u64,
                tasks: open.len() as u64,
                words,
                releases: seen.releases.filter(|_| is_read),
            };
            let unseen = if evidence.releases == Some(0) { vec![no_release(name)] } else { Vec::new() };
            let remaining = seen.remaining.into_iter().collect();
            all.push(Looked { evidence, remaining, open, sights, problems, unseen });
        }
        self.progress.finish(Phase::Search);
        Ok(all)
    }

    /// Whether it says something only where the media library and the models were read.
    fn needs_library(&self) -> bool {
        matches!(self.change, Change::Erasing(_) | Change::Correcting(_))
    }

    async fn see(
        &self,
        repository: &Repository<'_>,
        name: &Name,
        steps: &[&LiveStep],
        seen: &mut Seen,
    ) -> Result<(), Cause> {
        let root = repository.root().await?;
        let planned = Planned::of(steps, self.decisions.going(name));
        repository
            .for_each_document(&root, async |page| {
                let items = self.items(None, page, &planned, seen);
                self.take(name, items, &planned, seen).await
            })
            .await?;
        if !self.needs_library() {
            return Ok(());
        }
        seen.releases = Some(root.releases.len() as u64);
        repository
            .for_each_of_releases(&root, async |release, page| {
                let items = self.items(Some(release), page, &planned, seen);
                self.take(name, items, &planned, seen).await
            })
            .await?;
        if let Some(items) = repository.library_and_models(self.key).await? {
            let ids = items.iter().filter(|item| item.path.starts_with("assets/"));
            seen.library = Some(ids.filter_map(|item| id_of(&item.bytes)).collect());
            if steps.iter().filter_map(|step| step.task()).any(|task| task.code == TaskCode::DeleteAssetTag)
                && let Some(library) = repository.library()
            {
                seen.tags = tags_of(&library.tags().await?);
            }
            seen.items += items.len() as u64;
            self.take(name, items, &planned, seen).await?;
        }
        self.settle(repository, &root, name, steps, seen).await
    }

    /// Makes items of documents, and notes which files they show.
    fn items(
        &self,
        release: Option<&str>,
        page: Vec<Document>,
        planned: &Planned<'_>,
        seen: &mut Seen,
    ) -> Vec<Item> {
        seen.items += page.len() as u64;
        let item = |document: Document| {
            let shown =
                planned.ids.iter().filter(|id| memmem::find(&document.bytes, id.as_bytes()).is_some());
            seen.used.extend(shown.map(|file| (*file).to_owned()));
            if planned.ids.contains(&*document.id) && release.is_none() {
                seen.published.insert(document.id.clone());
            }
            let Document { bytes, lang, type_, id, .. } = document;
            Item { path: names::document(self.key, release, &lang, &type_, &id), bytes }
        };
        page.into_iter().map(item).collect()
    }

    /// Counts what is found in items and does not stay.
    async fn take(
        &self,
        name: &Name,
        items: Vec<Item>,
        planned: &Planned<'_>,
        seen: &mut Seen,
    ) -> Result<(), Cause> {
        match self.change {
            Change::Correcting(own) => return self.take_corrected(own, name, items, planned, seen).await,
            Change::Showing => return Ok(()),
            Change::Erasing(_) | Change::Hiding => {}
        }
        for (item, found) in self.found(items).await? {
            let says = |finding: &Finding| self.decisions.says(name, &item.path, finding);
            let (goes, new): (Vec<Finding>, Vec<Finding>) = found
                .into_iter()
                .filter(|finding| says(finding) != Some(Says::Stays))
                .partition(|finding| says(finding) == Some(Says::Goes));
            goes.iter().for_each(|finding| seen.count(&item.path, finding, true));
            match planned.written.contains_key(&*item.path) {
                // Words around a finding that stays are masked: it has another fingerprint.
                true if !new.is_empty() => seen.written.push((item, new)),
                _ => new.iter().for_each(|finding| seen.count(&item.path, finding, false)),
            }
        }
        Ok(())
    }

    /// What reads exactly as it was planned says what was approved: findings at places that stay do stay.
    async fn settle(
        &self,
        repository: &Repository<'_>,
        root: &Root,
        name: &Name,
        steps: &[&LiveStep],
        seen: &mut Seen,
    ) -> Result<(), Cause> {
        let written = std::mem::take(&mut seen.written);
        if written.is_empty() {
            return Ok(());
        }
        let documents: Vec<Document> =
            written.iter().filter_map(|(item, _)| Document::parse(&item.bytes).ok()).collect();
        let models = repository.target_models().await?;
        let there = self.there(repository, root, models, documents.iter()).await?;
        for (item, new) in written {
            let is_planned =
                steps.iter().filter(|step| step.path == item.path).any(|step| match &step.action {
                    LiveAction::Put(put) => {
                        let now = object(&item.bytes).and_then(|object| taken(&object, &there));
                        now.is_some_and(|now| now.digest == put.sent)
                    }
                    LiveAction::Patch(patch) => {
                        Texts::of(&item.bytes).is_some_and(|texts| texts.digest() == patch.after)
                    }
                    _ => false,
                });
            let kept = self.decisions.kept(name, &item.path);
            let stays = |finding: &Finding| is_planned && kept.contains(&Kept::of(finding));
            let left = new.iter().filter(|finding| !stays(finding));
            left.for_each(|finding| seen.count(&item.path, finding, false));
        }
        Ok(())
    }
}

/// A token with the scope master shows none, and none is shown where there is none.
fn no_release(name: &Name) -> Problem {
    Problem::new(
        "no-release-seen",
        name.as_str(),
        "no release is to be seen: there is none, or the access token has the scope master only; if there are releases, \
         look into them in Prismic, or make a token with the scope master+releases",
    )
}

/// The id that metadata of a file tells.
fn id_of(bytes: &Bytes) -> Option<String> {
    crate::prismic::Asset::parse(bytes).map(|asset| asset.id)
}

/// Ids of the tags of a media library.
fn tags_of(bytes: &[u8]) -> Option<HashSet<String>> {
    let listed = parse_json(bytes).ok()?;
    let tags = listed.get("items").unwrap_or(&listed).as_array()?;
    Some(tags.iter().filter_map(|tag| Some(tag.get("id")?.as_str()?.to_owned())).collect())
}
