//! Does the steps of a plan in live Prismic.
//!
//! Each thing is read again first: what reads as planned already is left alone, what an editor changed since the
//! plan is refused, and only what is as the plan saw it is written. Documents first, then one publish for all of
//! them, then the texts of files, then files that go: a document never shows what its file does not say any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::asset::{Texts, identity};
use super::change::Becomes;
use super::content::{There, object, taken};
use super::read::Repository;
use super::step::{Delete, LiveAction, LiveStep, Patch, Put};
use super::{Cause, Live, LiveError};
use crate::ids::Name;
use crate::prismic::write::{AssetChange, DocumentContent};
use crate::prismic::{Document, RepositoryWriter};
use crate::progress::{Phase, Problem};

/// Pause before it is first looked whether a publish is live; each further one is longer by half.
const FIRST_LOOK: Duration = Duration::from_millis(200);
/// Longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How steps are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether the migration release is published, with whatever others left in it; else a person has to, and
    /// the same call goes on.
    pub publish: bool,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done, and reads so.
    Done,
    /// It read so already.
    Already,
    /// The document or file is not live any more.
    Gone,
    /// The document waits in the migration release for a person to publish it.
    Staged,
    /// Somebody changed it since the plan: nothing was written. A new search and plan are needed.
    Drifted,
    /// It could not be done.
    Failed {
        /// Why.
        why: String,
    },
    /// It is for a person, or follows from others: looking again tells.
    ForOthers,
}

/// A step, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepOutcome {
    /// [`LiveStep::id`].
    pub id: String,
    /// The repository.
    pub repository: Name,
    /// As in the step.
    pub path: String,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of carrying out steps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CarriedOut {
    /// Every step, in the order of the plan.
    pub steps: Vec<StepOutcome>,
    /// What else is to be known: documents of others that were published, what reads otherwise than it was sent.
    pub problems: Vec<Problem>,
}

impl CarriedOut {
    /// Whether everything that this program does is done. Tasks are not its own.
    pub fn is_complete(&self) -> bool {
        let is_done = |outcome: &Outcome| {
            matches!(outcome, Outcome::Done | Outcome::Already | Outcome::Gone | Outcome::ForOthers)
        };
        self.steps.iter().all(|step| is_done(&step.outcome))
    }
}

/// What a document is, beside its step.
enum Now {
    /// As it is to be. Whether to the letter as it was sent.
    Done(bool),
    /// As the plan saw it: this is sent.
    AsPlanned(Box<DocumentContent>),
    /// Something else.
    Other,
}

/// The steps of one repository while they are carried out.
struct Work<'a> {
    live: &'a Live<'a>,
    name: &'a Name,
    repository: Repository<'a>,
    writer: RepositoryWriter,
    publish: bool,
    patience: Duration,
    outcomes: BTreeMap<usize, Outcome>,
    problems: Vec<Problem>,
}

type Numbered<'a, T> = (usize, &'a str, &'a T);

impl Live<'_> {
    /// Carries out the steps of a plan. After a kill, or whatever was in the way, the same call goes on.
    ///
    /// # Errors
    ///
    /// Only when it is cancelled: what cannot be done is an outcome of its step.
    pub async fn carry_out(&self, steps: &[LiveStep], options: Options) -> Result<CarriedOut, LiveError> {
        let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
        let mut problems = Vec::new();
        let mut by_repository: BTreeMap<&Name, Vec<usize>> = BTreeMap::new();
        for (number, step) in steps.iter().enumerate() {
            match step.action {
                LiveAction::Follows { .. } | LiveAction::Task(_) => {
                    outcomes.insert(number, Outcome::ForOthers);
                }
                _ => by_repository.entry(&step.repository).or_default().push(number),
            }
        }
        for (name, numbers) in by_repository {
            let source = self.source(name);
            let repository = source.map(Repository::new);
            let writer = repository.as_ref().and_then(Repository::writer);
            let (Some(source), Some(repository), Some(writer)) = (source, repository, writer) else {
                let why = "the configuration has no write token for this repository any more".to_owned();
                outcomes.extend(numbers.iter().map(|at| (*at, Outcome::Failed { why: why.clone() })));
                continue;
            };
            let mut work = Work {
                live: self,
                name,
                repository,
                writer,
                publish: options.publish,
                patience: source.http.limits().publish_patience,
                outcomes: BTreeMap::new(),
                problems: Vec::new(),
            };
            let own: Vec<(usize, &LiveStep)> = numbers.iter().map(|at| (*at, &steps[*at])).collect();
            let done = Box::pin(work.run(&own)).await;
            outcomes.append(&mut work.outcomes);
            problems.append(&mut work.problems);
            if let Err(cause) = done {
                if matches!(cause, Cause::Cancelled) {
                    return Err(LiveError::Cancelled);
                }
                let why = cause.words();
                for at in numbers {
                    outcomes.entry(at).or_insert_with(|| Outcome::Failed { why: why.clone() });
                }
            }
        }
        let outcome = |(number, step): (usize, &LiveStep)| StepOutcome {
            id: step.id(),
            repository: step.repository.clone(),
            path: step.path.clone(),
            outcome: outcomes.remove(&number).unwrap_or(Outcome::ForOthers),
        };
        Ok(CarriedOut { steps: steps.iter().enumerate().map(outcome).collect(), problems })
    }
}

impl Work<'_> {
    async fn run(&mut self, steps: &[(usize, &LiveStep)]) -> Result<(), Cause> {
        let (mut puts, mut patches, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
        for (number, step) in steps {
            match &step.action {
                LiveAction::Put(put) => puts.push((*number, &*step.path, put)),
                LiveAction::Patch(patch) => patches.push((*number, &*step.path, patch)),
                LiveAction::Delete(delete) => deletes.push((*number, &*step.path, delete)),
                LiveAction::Follows { .. } | LiveAction::Task(_) => {}
            }
        }
        if !puts.is_empty() {
            self.documents(&puts).await?;
        }
        for patch in patches {
            let outcome = self.patch(patch.2).await;
            self.end(patch.0, outcome)?;
        }
        for delete in deletes {
            let outcome = self.delete(delete.2).await;
            self.end(delete.0, outcome)?;
        }
        Ok(())
    }

    /// Notes what became of a step; one that fails costs no other.
    fn end(&mut self, number: usize, outcome: Result<Outcome, Cause>) -> Result<(), Cause> {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(Cause::Cancelled) => return Err(Cause::Cancelled),
            Err(cause) => Outcome::Failed { why: cause.words() },
        };
        self.outcomes.insert(number, outcome);
        Ok(())
    }

    /// Puts the documents into the migration release, and publishes it.
    async fn documents(&mut self, puts: &[Numbered<'_, Put>]) -> Result<(), Cause> {
        let models = self.repository.target_models().await?;
        let root = self.repository.root().await?;
        let ids: Vec<String> = puts.iter().map(|(.., put)| put.id.clone()).collect();
        let found = self.repository.documents(&root, &ids).await?;
        let there = self.live.there(&self.repository, &root, models, found.values()).await?;
        let mut sent = Vec::new();
        for (number, path, put) in puts {
            self.live.check_cancelled()?;
            let Some(document) = found.get(&put.id) else {
                self.outcomes.insert(*number, Outcome::Gone);
                continue;
            };
            match self.now(path, put, document, &there).await? {
                Now::Done(_) => drop(self.outcomes.insert(*number, Outcome::Already)),
                Now::Other => drop(self.outcomes.insert(*number, Outcome::Drifted)),
                Now::AsPlanned(content) => match self.writer.replace_document(&put.id, &content).await {
                    Ok(()) => sent.push((*number, *path, *put)),
                    Err(error) => self.end(*number, Err(error.into()))?,
                },
            }
        }
        if sent.is_empty() {
            return Ok(());
        }
        if !self.publish {
            self.outcomes.extend(sent.into_iter().map(|(number, ..)| (number, Outcome::Staged)));
            return Ok(());
        }
        self.live.progress.start(Phase::Publish, None);
        let done = self.publish_until_live(sent, &there).await;
        self.live.progress.finish(Phase::Publish);
        done
    }

    /// Says what a document is, beside its step.
    async fn now(
        &self,
        path: &str,
        put: &Put,
        document: &Document,
        there: &Arc<There>,
    ) -> Result<Now, Cause> {
        let own = object(&document.bytes).and_then(|object| taken(&object, there));
        if own.is_some_and(|own| own.digest == put.sent) {
            return Ok(Now::Done(true));
        }
        Ok(match self.live.becomes(self.name, path, &document.bytes, there).await? {
            Becomes::Clean => Now::Done(false),
            // What is left in it are copies of others.
            Becomes::Changed(changed) if changed.own.is_empty() => Now::Done(false),
            Becomes::Changed(changed)
                if changed.before.digest == put.before && changed.after.digest == put.sent =>
            {
                Now::AsPlanned(Box::new(changed.after.content))
            }
            _ => Now::Other,
        })
    }

    /// Publishes what is staged until all of `waiting` reads as it is to. Publishing what was published does
    /// nothing, so neither a lost answer nor a second time is a danger; and a publish may leave some behind.
    async fn publish_until_live(
        &mut self,
        mut waiting: Vec<Numbered<'_, Put>>,
        there: &Arc<There>,
    ) -> Result<(), Cause> {
        let begin = tokio::time::Instant::now();
        let (ours, mut told) = (waiting.len() as u64, false);
        loop {
            self.live.check_cancelled()?;
            match self.writer.publish().await {
                Ok(items) if items > ours && !told => {
                    told = true;
                    self.problems.push(Problem::new(
                        "others-published",
                        self.name.as_str(),
                        format!(
                            "the migration release had {items} documents of which {ours} are of this plan: the \
                             others are live now as well"
                        ),
                    ));
                }
                Ok(_) => {}
                Err(error) if error.may_have_happened() => {}
                Err(error) => {
                    let why = error.in_own_words();
                    let failed =
                        |(number, ..): Numbered<'_, Put>| (number, Outcome::Failed { why: why.clone() });
                    self.outcomes.extend(waiting.into_iter().map(failed));
                    return Ok(());
                }
            }
            let left = self.patience.saturating_sub(begin.elapsed());
            self.wait(&mut waiting, there, left.min(self.patience / 4)).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            if begin.elapsed() >= self.patience {
                let why = format!(
                    "the migration release was published {} s ago, and the document does not read as it was sent; \
                     look at the release in Prismic, then the same command goes on",
                    begin.elapsed().as_secs()
                );
                let failed = |(number, ..): Numbered<'_, Put>| (number, Outcome::Failed { why: why.clone() });
                self.outcomes.extend(waiting.into_iter().map(failed));
                return Ok(());
            }
        }
    }

    /// Takes out of `waiting` what reads as it is to, until nothing waits or patience ends.
    async fn wait(
        &mut self,
        waiting: &mut Vec<Numbered<'_, Put>>,
        there: &Arc<There>,
        patience: Duration,
    ) -> Result<(), Cause> {
        let begin = tokio::time::Instant::now();
        let mut pause = FIRST_LOOK;
        loop {
            let root = self.repository.root().await?;
            let ids: Vec<String> = waiting.iter().map(|(.., put)| put.id.clone()).collect();
            let found = match self.repository.documents(&root, &ids).await {
                Ok(found) => Some(found),
                // It moved on meanwhile: the next look is at the new one.
                Err(Cause::Api(error)) if error.is_ref_unavailable() => None,
                Err(cause) => return Err(cause),
            };
            for (number, path, put) in std::mem::take(waiting) {
                let Some(found) = &found else {
                    waiting.push((number, path, put));
                    continue;
                };
                let Some(document) = found.get(&put.id) else {
                    self.outcomes.insert(number, Outcome::Gone);
                    continue;
                };
                match self.now(path, put, document, there).await? {
                    Now::Done(is_exact) => {
                        self.outcomes.insert(number, Outcome::Done);
                        if !is_exact {
                            self.problems.push(Problem::new(
                                "reads-otherwise",
                                format!("{}: {path}", self.name),
                                "nothing is in it any more that was to change, and it does not read as it was sent: look at it",
                            ));
                        }
                    }
                    Now::AsPlanned(_) | Now::Other => waiting.push((number, path, put)),
                }
            }
            if waiting.is_empty() || begin.elapsed() >= patience {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.live.cancel.cancelled() => return Err(Cause::Cancelled),
            }
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// Changes what the media library says of a file.
    async fn patch(&self, patch: &Patch) -> Result<Outcome, Cause> {
        self.live.check_cancelled()?;
        let id = std::slice::from_ref(&patch.id);
        let read = async || -> Result<Option<(crate::prismic::Asset, Texts)>, Cause> {
            let asset = self.repository.assets(id).await?.remove(&patch.id);
            let Some(asset) = asset else { return Ok(None) };
            let texts = Texts::of(&asset.bytes);
            let texts = texts.ok_or_else(|| Cause::Words("the Asset API told something else".to_owned()))?;
            Ok(Some((asset, texts)))
        };
        let Some((asset, now)) = read().await? else { return Ok(Outcome::Gone) };
        if now.digest() == patch.after {
            return Ok(Outcome::Already);
        }
        let change = self.planned_texts(&asset, patch, &now).await?;
        let Some(change) = change else { return Ok(Outcome::Drifted) };
        self.writer.describe_asset(&patch.id, &change).await?;
        match read().await? {
            None => Ok(Outcome::Gone),
            Some((_, now)) if now.digest() == patch.after => Ok(Outcome::Done),
            Some(_) => Err(Cause::Words("the file does not read as it was sent; try again".to_owned())),
        }
    }

    /// What is sent to make a file what was planned; `None` where it is not what the plan saw.
    async fn planned_texts(
        &self,
        asset: &crate::prismic::Asset,
        patch: &Patch,
        now: &Texts,
    ) -> Result<Option<AssetChange>, Cause> {
        if now.digest() != patch.before {
            return Ok(None);
        }
        let path = crate::snapshot::names::asset_metadata(self.live.key, &asset.id);
        let item = super::read::Item { path: path.clone(), bytes: asset.bytes.clone() };
        let found = self.live.found(vec![item]).await?.pop().map(|(_, found)| found).unwrap_or_default();
        let sorted = self.live.sorted(self.name, &path, found);
        let rewritten = self.live.change.apply(&path, &asset.bytes, &sorted).ok();
        let after = rewritten.and_then(|now| Texts::changed(&asset.bytes, &now.bytes));
        Ok(after.filter(|after| after.digest() == patch.after).map(|after| after.change_from(now)))
    }

    /// Takes a file out of the media library.
    async fn delete(&self, delete: &Delete) -> Result<Outcome, Cause> {
        self.live.check_cancelled()?;
        let id = std::slice::from_ref(&delete.id);
        let Some(asset) = self.repository.assets(id).await?.remove(&delete.id) else {
            return Ok(Outcome::Already);
        };
        if identity(&asset) != delete.before {
            return Ok(Outcome::Drifted);
        }
        self.writer.delete_asset(&delete.id).await?;
        match self.repository.assets(id).await?.remove(&delete.id) {
            None => Ok(Outcome::Done),
            Some(_) => Err(Cause::Words("the media library still has the file; try again".to_owned())),
        }
    }
}
