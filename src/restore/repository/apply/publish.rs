//! Publishing the migration release, and waiting until what was in it is live.
//!
//! The API only says that it has begun. What was created is live when the Content API has all of it at
//! one ref; what was replaced, when it was published since.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::super::super::error::{RestoreError, Result};
use super::super::entries::{Entry, Fate, Request};
use super::{Applied, Applying, Made, Sent};
use crate::prismic::{PrismicError, Root, Search};
use crate::progress::Phase;

/// Pause before it is first looked whether a publish is live; each further one is longer by half.
const FIRST_LOOK: Duration = Duration::from_millis(200);
/// Longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Applying<'_> {
    /// Looks, where a restore goes on, whether a person has published meanwhile.
    pub(super) async fn go_on_after_publish(&mut self) -> Result<Option<Applied>> {
        let is_empty = self.recorded.staged().is_empty();
        let lost = self.recorded.unknown().any(|request| matches!(request, Request::Create(_)));
        if self.choice.publish || (is_empty && !lost) {
            return Ok(None);
        }
        let root = self.root().await?;
        if is_empty {
            // All that may be in the release are documents of which nobody heard: when it is published,
            // they are found. One that is not found may be there still.
            self.recognise(&root, false).await?;
        }
        if self.recorded.staged().is_empty() || !self.is_live(&root).await? {
            // More may fit into the release; whether there is more, the steps find out.
            return Ok(None);
        }
        self.live(&root).await?;
        Ok(None)
    }

    /// Publishes what is staged, and waits until it is live. Returns how the run ends where a person
    /// has to do it.
    pub(super) async fn publish(&mut self) -> Result<Option<Applied>> {
        let lost = self.recorded.unknown().any(|request| matches!(request, Request::Create(_)));
        if self.recorded.staged().is_empty() && !lost {
            return Ok(None);
        }
        if !self.choice.publish {
            return Ok(Some(Applied::WaitsForPublish { staged: self.recorded.staged().len() as u64 }));
        }
        let request = Request::Publish(self.recorded.release());
        let before = self.root().await?;
        // A run that was killed while it waited: what it published may be live by now.
        let was_sent = self.fate(&request) != Fate::Undone && !self.recorded.staged().is_empty();
        let root = match was_sent && self.is_live(&before).await? {
            true => before,
            false => self.publish_until_live(&request, &before).await?,
        };
        self.live(&root).await?;
        Ok(None)
    }

    async fn publish_until_live(&mut self, request: &Request, before: &Root) -> Result<Root> {
        self.tools.progress.start(Phase::Publish, None);
        let begin = tokio::time::Instant::now();
        let mut patience = self.tools.limits.publish_patience / 4;
        let mut was_empty = true;
        // Publishing what was published does nothing, so neither a lost answer nor a second time is a
        // danger; and a publish may leave some of its documents behind.
        loop {
            self.check_cancelled()?;
            let was_lost = self.fate(request) == Fate::Unknown;
            let writer = self.tools.writer;
            let sending = async { writer.publish().await };
            let is_empty = match self.send(request.clone(), sending, |_: &u64| Made::default()).await? {
                Sent::Refused(error) => return Err(self.stopped(error)),
                Sent::Done(items) => items == 0,
                Sent::Lost => false,
            };
            was_empty &= is_empty;
            // Nothing was in the release, and no earlier publish of it can be under way: what this
            // restore knows to be staged is live, and what it does not know of was never there.
            if is_empty && !was_lost {
                let root = self.root().await?;
                if self.is_live(&root).await? {
                    self.tools.progress.finish(Phase::Publish);
                    return Ok(root);
                }
            }
            if let Some(root) = self.wait_until_live(before, patience).await? {
                self.tools.progress.finish(Phase::Publish);
                return Ok(root);
            }
            if begin.elapsed() >= self.tools.limits.publish_patience {
                if was_empty {
                    // Nothing was in the release from the beginning of this run: what an earlier publish
                    // had of it and is not live now, somebody took away since. Reading back misses it.
                    self.tools.progress.finish(Phase::Publish);
                    return self.root().await;
                }
                return Err(self.not_live(begin.elapsed()));
            }
            patience = patience.min(self.tools.limits.publish_patience.saturating_sub(begin.elapsed()));
        }
    }

    fn not_live(&self, since: Duration) -> RestoreError {
        RestoreError::Refused {
            what: format!(
                "the migration release of {} was published {} s ago, and not all of it is live",
                self.plan.repository,
                since.as_secs()
            ),
            hint: "look at the migration release in Prismic; when its documents are published, the same command \
                   goes on"
                .to_owned(),
        }
    }

    /// Notes that a release is live, and finds in it what lost answers were about.
    async fn live(&mut self, root: &Root) -> Result<()> {
        self.note(Entry::Live { release: self.recorded.release() }).await?;
        self.recognise(root, true).await?;
        self.kept.step_done.notify_one();
        Ok(())
    }

    /// Waits for a ref that is not the one before and has all that is staged; `None` when patience ends.
    async fn wait_until_live(&self, before: &Root, patience: Duration) -> Result<Option<Root>> {
        let begin = tokio::time::Instant::now();
        let mut pause = FIRST_LOOK;
        loop {
            let root = self.root().await?;
            if root.master_ref != before.master_ref && self.is_live(&root).await? {
                return Ok(Some(root));
            }
            if begin.elapsed() >= patience {
                return Ok(None);
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.tools.cancel.cancelled() => return Err(RestoreError::Cancelled),
            }
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    async fn root(&self) -> Result<Root> {
        self.tools.target.content().root().await.map_err(|error| self.stopped(error))
    }

    /// Whether all that is staged is published at the ref of this root.
    async fn is_live(&self, root: &Root) -> Result<bool> {
        let mut waiting: HashSet<String> = self.staged_ids();
        let ids: Vec<String> = waiting.iter().cloned().collect();
        let search = Search::everything(&*root.master_ref, self.tools.limits.page_size);
        let before: HashMap<&str, &Option<String>> = self
            .recorded
            .documents
            .values()
            .filter(|document| document.taken)
            .map(|document| (document.id.as_str(), &document.published))
            .collect();
        let content = self.tools.target.content();
        for batch in content.in_ids_batches(&search, &ids) {
            let page = match content.search(&batch.search).await {
                Ok(page) => page,
                // It moved on meanwhile: the next look is at the new one.
                Err(error) if error.is_ref_unavailable() => return Ok(false),
                Err(error) => return Err(self.stopped(error)),
            };
            for document in page.documents {
                if before.get(document.id.as_str()) != Some(&&document.last_publication_date) {
                    waiting.remove(&document.id);
                }
            }
        }
        Ok(waiting.is_empty())
    }

    /// The error for a target that cannot be read.
    pub(super) fn unreadable(&self, error: PrismicError) -> RestoreError {
        self.stopped(error)
    }
}
