//! How many searches are evaluated at once, and for how long.
//!
//! Most searches cost next to nothing; a few look into every document. Each kind has places of its
//! own, so that however many `fulltext` searches somebody sends, a site still gets its pages. A
//! search holds its place until its work has really ended, also when whoever asked has gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::answer::Refusal;
use super::source::SourceError;
use crate::limits::Limits;

/// Places for searches of a process. Engines that share them share what it can do.
#[derive(Debug)]
pub struct Slots {
    light: Arc<Semaphore>,
    heavy: Arc<Semaphore>,
    wait: Duration,
    time: Duration,
}

impl Default for Slots {
    fn default() -> Self {
        Self::new(&Limits::default())
    }
}

impl Slots {
    /// Returns as many as [`Limits`] has.
    pub fn new(limits: &Limits) -> Self {
        let places = |count: usize| Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            light: places(limits.light_queries),
            heavy: places(limits.heavy_queries),
            wait: limits.query_wait,
            time: limits.query_time,
        }
    }

    /// Takes a place; waits for one, though not for ever.
    pub(super) async fn enter(&self, is_heavy: bool) -> Result<OwnedSemaphorePermit, Refusal> {
        let places = if is_heavy { &self.heavy } else { &self.light };
        match timeout(self.wait, Arc::clone(places).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Refusal::Busy),
        }
    }

    /// How long an evaluation may take.
    pub(super) fn time(&self) -> Duration {
        self.time
    }
}

/// When an evaluation has to end.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    until: Option<Instant>,
    gone: CancellationToken,
}

impl Stop {
    /// After this time, or when `gone` is cancelled.
    pub(super) fn after(time: Duration, gone: CancellationToken) -> Self {
        Self { until: Instant::now().checked_add(time), gone }
    }

    /// Not before it is done: for what is known to be little.
    pub(super) fn never() -> Self {
        Self { until: None, gone: CancellationToken::new() }
    }

    /// Fails when it has to end; asked between two documents.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        if self.gone.is_cancelled() || self.until.is_some_and(|until| Instant::now() > until) {
            return Err(SourceError::TooLong);
        }
        Ok(())
    }
}
