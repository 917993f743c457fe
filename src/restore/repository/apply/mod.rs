//! Carries out a plan, one request after the other, each written down before and after.
//!
//! The steps of the plan are gone through in passes: what cannot be done yet, because the answer to a
//! request it depends on was lost, is left for the next pass, and what is done is passed over. So a
//! restore that goes on after a kill, a lost answer or a publish by hand takes the same way as one that
//! begins: there is no second kind of run.
//!
//! **Invariants**
//! - A request that may have happened is not sent again before it is known whether it did: an upload is
//!   looked for in the media library, a document by its UID or, once it is published, by its content.
//!   Requests that say the same twice (replacing, describing, models) are sent again.
//! - What the target refuses is a problem of the report, and the rest goes on; what no request would get
//!   past (token, network, rates) ends the run, and the same command goes on later.
//!
//! **If we crash here**, the journal says which request was under way.

mod assets;
mod documents;
mod embeds;
mod models;
mod publish;
mod recognise;

use std::collections::HashSet;

use tokio_util::sync::CancellationToken;

use super::super::content::OpenSnapshot;
use super::super::error::{RestoreError, Result};
use super::Choice;
use super::entries::{Entry, Fate, Recorded, Request};
use super::existing::{Existing, TargetReader};
use super::keeper::{COPY_EVERY, Kept};
use super::order::Step;
use super::plan::{Plan, Work};
use crate::clock::Clock;
use crate::limits::Limits;
use crate::prismic::write::RepositoryWriter;
use crate::prismic::{ErrorKind as ApiErrorKind, PrismicError};
use crate::progress::{Problem, Progress};
use crate::vault::reader::Reader;

/// Answers in a row that never came; then the rest is left for later.
const LOST_IN_A_ROW: u32 = 3;
/// Passes over the steps at most: each answers what the one before left open.
const PASSES_MAX: u32 = 8;

/// Carries out a plan.
pub(super) struct Applying<'a> {
    pub(super) tools: Tools<'a>,
    pub(super) reader: Reader<'a>,
    pub(super) existing: &'a Existing,
    pub(super) plan: &'a Plan,
    pub(super) choice: &'a Choice,
    pub(super) kept: &'a Kept,
    pub(super) recorded: Recorded,
    pub(super) problems: Vec<Problem>,
    /// Ids of documents that the target refuses: nothing waits for them.
    pub(super) hopeless: HashSet<Box<str>>,
    lost_in_a_row: u32,
}

/// How a run ended that was not stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    /// Everything that can be is live.
    Live,
    /// A person has to publish the migration release first.
    WaitsForPublish {
        /// Documents that are in it.
        staged: u64,
    },
    /// Answers were lost, and what they were about cannot be found out.
    Open,
}

/// What became of a request that was sent.
pub(super) enum Sent<T> {
    /// It happened.
    Done(T),
    /// It was refused, and surely did not happen.
    Refused(PrismicError),
    /// Nobody knows whether it happened.
    Lost,
}

/// What a refusal of a request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// The same again would be refused as well.
    IsFinal,
    /// There may be another form of it that is not refused.
    MayBeMended,
}

/// What a request made, for the journal.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) id: Option<String>,
    pub(super) url: Option<String>,
    pub(super) incomplete: bool,
}

/// What is needed to carry out a plan.
#[derive(Clone, Copy)]
pub(super) struct Tools<'a> {
    pub(super) snapshot: &'a OpenSnapshot<'a>,
    pub(super) target: &'a TargetReader,
    pub(super) writer: &'a RepositoryWriter,
    pub(super) limits: &'a Limits,
    pub(super) clock: &'a dyn Clock,
    pub(super) progress: &'a dyn Progress,
    pub(super) cancel: &'a CancellationToken,
}

impl<'a> Applying<'a> {
    /// Returns what carries out a plan from where the journal ends.
    pub(super) fn new(
        tools: Tools<'a>,
        (plan, choice, existing): (&'a Plan, &'a Choice, &'a Existing),
        kept: &'a Kept,
        mut recorded: Recorded,
    ) -> Self {
        recorded.note(&kept.first);
        let hopeless = recorded
            .refused()
            .filter_map(|request| match request {
                Request::Create(id) => Some(id.clone()),
                _ => None,
            })
            .collect();
        Self {
            reader: tools.snapshot.reader(),
            tools,
            existing,
            plan,
            choice,
            kept,
            recorded,
            problems: Vec::new(),
            hopeless,
            lost_in_a_row: 0,
        }
    }

    /// Does what is left to do.
    ///
    /// # Errors
    ///
    /// Those that no other request would get past; see the module.
    pub(super) async fn run(&mut self) -> Result<Applied> {
        self.models().await?;
        self.kept.step_done.notify_one();
        self.assets().await?;
        self.kept.step_done.notify_one();
        let applied = self.documents().await;
        self.kept.step_done.notify_one();
        applied
    }

    /// Takes the next requests for lost, as many as there may have been since the journal was copied:
    /// another host may have sent them. Those that say the same twice need no such care.
    ///
    /// # Errors
    ///
    /// When the journal cannot be written.
    pub(super) async fn distrust(&mut self) -> Result<()> {
        let work = self.work();
        let since = |rate: f64| (rate * 1.5 * COPY_EVERY.as_secs_f64()).ceil() as usize;
        let uploads = work.uploads.iter().map(|at| Request::Upload(work.source.assets[*at].id.clone()));
        let creates = work.steps.iter().filter_map(|step| match step {
            Step::Create { node, .. } => {
                Some(Request::Create(work.documents[*node as usize].document.id.clone()))
            }
            _ => None,
        });
        let is_next = |request: &Request| self.fate(request) == Fate::Undone;
        let next: Vec<Request> = uploads
            .filter(is_next)
            .take(since(self.tools.limits.asset_requests))
            .chain(creates.filter(is_next).take(since(self.tools.limits.migration_requests)))
            .collect();
        for request in next {
            self.note(Entry::Intent { request, at: self.tools.clock.now() }).await?;
        }
        Ok(())
    }

    fn work(&self) -> &'a Work {
        &self.plan.work
    }

    fn check_cancelled(&self) -> Result<()> {
        if self.tools.cancel.is_cancelled() { Err(RestoreError::Cancelled) } else { Ok(()) }
    }

    /// Writes a line.
    async fn note(&mut self, entry: Entry) -> Result<()> {
        self.kept.journal.lock().await.append(&entry).await?;
        self.recorded.note(&entry);
        Ok(())
    }

    /// Sends a request, with a line before and after. `made` says what it made.
    ///
    /// # Errors
    ///
    /// What no other request would get past either.
    async fn send<T>(
        &mut self,
        request: Request,
        sending: impl Future<Output = std::result::Result<T, PrismicError>>,
        made: impl FnOnce(&T) -> Made,
    ) -> Result<Sent<T>> {
        self.send_or(Refusal::IsFinal, request, sending, made).await
    }

    /// Sends a request that may be mended when it is refused: the journal then calls it undone, so that a
    /// run that is killed before it is sent in its other form begins with it again.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    async fn send_or<T>(
        &mut self,
        refusal: Refusal,
        request: Request,
        sending: impl Future<Output = std::result::Result<T, PrismicError>>,
        made: impl FnOnce(&T) -> Made,
    ) -> Result<Sent<T>> {
        self.check_cancelled()?;
        let was_unknown = self.fate(&request) == Fate::Unknown;
        self.note(Entry::Intent { request: request.clone(), at: self.tools.clock.now() }).await?;
        // Dropped half-way it would be lost; it ends by itself within the time of a request.
        match sending.await {
            Ok(value) => {
                self.lost_in_a_row = 0;
                let Made { id, url, incomplete } = made(&value);
                self.note(Entry::Done { request, id, url, incomplete }).await?;
                Ok(Sent::Done(value))
            }
            Err(error) if error.may_have_happened() => {
                tracing::info!(?request, "{}; whether it happened is not known", error.in_own_words());
                self.lost_in_a_row += 1;
                match self.lost_in_a_row {
                    LOST_IN_A_ROW.. => Err(self.stopped(error)),
                    _ => Ok(Sent::Lost),
                }
            }
            Err(error) => {
                let refused = is_refusal(&error);
                // A document that may be there is refused because it is: for its UID, as a second one of its
                // type, as a second translation. Whether it is for that, a publish tells.
                let is_there = was_unknown && refused && matches!(request, Request::Create(_));
                if !is_there {
                    let is_final = refused && refusal == Refusal::IsFinal;
                    self.note(Entry::Undone { request, refused: is_final }).await?;
                }
                match refused {
                    true => Ok(Sent::Refused(error)),
                    false => Err(self.stopped(error)),
                }
            }
        }
    }

    /// The error of a run that ends here and can go on.
    fn stopped(&self, error: PrismicError) -> RestoreError {
        let what = format!("cannot go on restoring into {}", self.plan.repository);
        RestoreError::Target { what, error: Box::new(error) }
    }

    fn problem(&mut self, code: &'static str, subject: &str, detail: impl Into<String>) {
        let problem = Problem::new(code, subject, detail.into());
        self.tools.progress.problem(&problem);
        self.problems.push(problem);
    }

    fn fate(&self, request: &Request) -> Fate {
        self.recorded.fate(request)
    }
}

/// What a refusal says, without the words of the API, which quote what was sent: a report holds no
/// content.
fn said(error: &PrismicError) -> String {
    let places: Vec<&str> = error.mistakes().iter().map(|mistake| &*mistake.property).collect();
    match places.is_empty() {
        true => error.in_own_words(),
        false => format!("{}, because of {}", error.in_own_words(), places.join(", ")),
    }
}

/// Whether the target refused a request for what it says, so that others may well be taken.
fn is_refusal(error: &PrismicError) -> bool {
    matches!(
        error.kind(),
        ApiErrorKind::BadRequest | ApiErrorKind::Conflict | ApiErrorKind::TooLarge | ApiErrorKind::NotFound
    )
}
