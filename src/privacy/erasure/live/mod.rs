//! The live side of a plan: what becomes of the person in Prismic itself.
//!
//! Snapshots are this program's; what is live is an editor's. So each step says what it changes and what it was
//! before, is refused where somebody edited meanwhile, and what no interface of Prismic does (unpublish, delete a
//! document, old slugs, version history), or would do with a loss, is a task for people with the words for it.
//! Nothing is silently nothing: everything in which the person was found ends as a step. What is restricted is
//! written nowhere: no interface takes anything offline, so each of its steps is a task.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`step`] | what is to happen, as the plan has it |
//! | [`decided`] | what was decided of findings, by where they are |
//! | `survey` | what is live, made into steps: [`Live::plan`] |
//! | `purpose` | what is to become of it, by what the plan is for: [`Change`] |
//! | `change` | one document without the person or with right values, as the Migration API takes it |
//! | `content`, `asset` | what is written of a document, of a file, and what that would lose |
//! | [`carry_out`] | does the steps, again and again the same: [`Live::carry_out`] |
//! | [`look`] | reads everything again and counts what is left: [`Live::look`] |
//! | [`standing`] | how far tasks are: what is seen of them, and what people say |
//! | `rectified` | the same after a rectification: wrong values, and right ones that are not there |
//! | [`probe`] | asks public addresses of files: [`Live::probe`] |
//! | [`tasks`] | tasks in words, for editors and for Prismic's support |
//!
//! **Publishing** is of the whole migration release: no interface publishes a single document of it. What others
//! have left there (an import, a restore) goes live with it. So nothing is published without
//! [`Options::publish`](carry_out::Options), how many documents went is compared with how many were sent, and
//! more is a problem that is told. Without it the documents wait there for a person, as after a restore.
//!
//! **If we crash here**: nothing is kept. What is live is the state: the same call finds what is as planned
//! already, sends the rest again (a document that is put twice is in the release once), and publishes.

mod asset;
pub mod carry_out;
mod change;
mod content;
pub mod decided;
pub mod look;
pub mod probe;
mod purpose;
mod read;
mod rectified;
pub mod standing;
pub mod step;
mod survey;
pub mod tasks;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::content::Taken;
pub use self::decided::Decisions;
pub use self::purpose::{Change, Correcting, Masking, change_of, erasing};
pub use self::step::{Delete, Doer, LiveAction, LiveStep, Patch, Put, Task, TaskCode, Why};
use super::mask::Read;
use crate::ids::Name;
use crate::prismic::PrismicError;
use crate::privacy::channels::Bounds;
use crate::privacy::matching::{Finding, Matcher};
use crate::privacy::search::{LiveSource, findings_in};
use crate::progress::{Problem, Progress};
use crate::vault::item::ItemKey;

/// What the live side of a case is planned, carried out and looked at with.
pub struct Live<'a> {
    /// Repositories that can be reached, with their tokens.
    pub sources: &'a [LiveSource<'a>],
    /// What paths are made with.
    pub key: &'a ItemKey,
    /// Finds the person.
    pub matcher: &'a Arc<Matcher>,
    /// What reading one item may cost.
    pub bounds: &'a Bounds,
    /// What was decided.
    pub decisions: &'a Decisions,
    /// What becomes of documents and metadata, by what the plan is for.
    pub change: &'a Change,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
    /// Ends it between two requests.
    pub cancel: &'a CancellationToken,
}

impl std::fmt::Debug for Live<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("sources", &self.sources.len()).finish_non_exhaustive()
    }
}

/// Why the live side could not be planned or looked at.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// A repository cannot be read.
    #[error("what is live in {repository} cannot be read: {why}")]
    Unreadable {
        /// Its name.
        repository: Name,
        /// Why.
        why: String,
    },
    /// Something live says what nobody decided about: the search is too old.
    #[error("{} documents or files say something about which nothing was decided; search again", .0.len())]
    Changed(Vec<Problem>),
    /// It was cancelled.
    #[error("it was cancelled")]
    Cancelled,
}

/// Why something with one repository did not go on.
#[derive(Debug)]
enum Cause {
    Api(PrismicError),
    Words(String),
    Cancelled,
}

impl From<PrismicError> for Cause {
    fn from(error: PrismicError) -> Self {
        Self::Api(error)
    }
}

impl Cause {
    fn of(self, repository: &Name) -> LiveError {
        let why = match self {
            Self::Api(error) => error.in_own_words(),
            Self::Words(why) => why,
            Self::Cancelled => return LiveError::Cancelled,
        };
        LiveError::Unreadable { repository: repository.clone(), why }
    }

    fn words(self) -> String {
        match self {
            Self::Api(error) => error.in_own_words(),
            Self::Words(why) => why,
            Self::Cancelled => "it was cancelled".to_owned(),
        }
    }
}

impl Live<'_> {
    fn check_cancelled(&self) -> Result<(), Cause> {
        if self.cancel.is_cancelled() { Err(Cause::Cancelled) } else { Ok(()) }
    }

    fn source(&self, repository: &Name) -> Option<&LiveSource<'_>> {
        self.sources.iter().find(|source| source.target.name == *repository)
    }

    /// Finds the person in items, off the async threads; those without a finding are left out.
    async fn found(&self, items: Vec<read::Item>) -> Result<Vec<(read::Item, Vec<Finding>)>, Cause> {
        self.check_cancelled()?;
        let (matcher, bounds) = (Arc::clone(self.matcher), self.bounds.clone());
        let searching = tokio::task::spawn_blocking(move || {
            let may_hold = items.into_iter().filter(|item| matcher.may_contain(&item.bytes));
            let read = may_hold.map(|item| {
                let texts = Read::of(&item.path, &item.bytes, &bounds);
                let found = findings_in(&matcher, &texts.0);
                (item, found)
            });
            read.filter(|(_, found)| !found.is_empty()).collect()
        });
        Ok(searching.await.expect("searching items does not panic"))
    }
}
