//! What the scheduler counts of itself.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::ids::Name;
use crate::schedule::{Ended, Job};
use crate::server::Webhook;
use crate::status::metrics::SchedulerNumbers;

/// The counts of one scheduler.
pub(super) struct Numbers {
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
}

struct Inner {
    counted: SchedulerNumbers,
    /// When its loop last went on, by a clock that nobody sets.
    turned: Instant,
    /// Whether it was ever found out what the vault knows of the jobs.
    is_recalled: bool,
    webhook: Option<Arc<Webhook>>,
}

impl Numbers {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let counted = SchedulerNumbers { started: Some(clock.now()), ..SchedulerNumbers::default() };
        let inner = Inner { counted, turned: Instant::now(), is_recalled: false, webhook: None };
        Self { clock, inner: Mutex::new(inner) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of this lock can panic")
    }

    /// These are the jobs from now on. What is no longer among them is no longer counted: a name that
    /// nobody uses must not stay for ever.
    pub(super) fn loaded(&self, jobs: &[Arc<Job>], at_once: usize) {
        let counted = &mut self.inner().counted;
        (counted.jobs, counted.at_once) = (jobs.len() as u64, at_once as u64);
        let is_here = |name: &Name| jobs.iter().any(|job| job.name == *name);
        counted.runs.retain(|(name, _), _| is_here(name));
        counted.seconds.retain(|name, _| is_here(name));
    }

    pub(super) fn turned(&self) {
        let now = self.clock.now();
        let mut inner = self.inner();
        (inner.turned, inner.counted.turned) = (Instant::now(), Some(now));
    }

    /// How long the loop has not gone on.
    pub(super) fn silent_for(&self) -> Duration {
        self.inner().turned.elapsed()
    }

    /// Counts a run as under way until what is returned is dropped.
    pub(super) fn begins(&self) -> Running<'_> {
        self.inner().counted.running += 1;
        Running(self)
    }

    pub(super) fn ended(&self, job: &Name, ended: Ended, took: Duration) {
        let how = match ended {
            Ended::Done => "done",
            Ended::Retry => "failed-may-retry",
            Ended::Failed => "failed",
        };
        let counted = &mut self.inner().counted;
        *counted.runs.entry((job.clone(), how)).or_default() += 1;
        *counted.seconds.entry(job.clone()).or_default() += took.as_secs_f64();
    }

    pub(super) fn elsewhere(&self, job: &Name) {
        *self.inner().counted.runs.entry((job.clone(), "elsewhere")).or_default() += 1;
    }

    pub(super) fn looked(&self, went_well: bool) {
        let how = if went_well { "done" } else { "failed" };
        *self.inner().counted.looks.entry(how).or_default() += 1;
    }

    pub(super) fn reloaded(&self, went_well: bool) {
        let how = if went_well { "done" } else { "refused" };
        *self.inner().counted.reloads.entry(how).or_default() += 1;
    }

    pub(super) fn recalled(&self) {
        self.inner().is_recalled = true;
    }

    /// Whether it was ever found out what the vault knows of the jobs.
    pub(super) fn is_recalled(&self) -> bool {
        self.inner().is_recalled
    }

    /// This is where webhooks are received from now on.
    pub(super) fn receives(&self, webhook: Option<Arc<Webhook>>) {
        self.inner().webhook = webhook;
    }

    /// All counts as they are now.
    pub(super) fn now(&self) -> SchedulerNumbers {
        let inner = self.inner();
        let mut counted = inner.counted.clone();
        if let Some(webhook) = &inner.webhook {
            let counts = webhook.counts();
            counted.webhooks.extend([
                ("published", counts.published),
                ("test", counts.tests),
                ("other", counts.others),
                ("refused", counts.refused),
                ("too-many", counts.too_many),
            ]);
        }
        counted
    }
}

/// A run that is under way.
pub(super) struct Running<'a>(&'a Numbers);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.inner().counted.running -= 1;
    }
}
