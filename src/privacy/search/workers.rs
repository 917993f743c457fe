//! Work off the async threads, as many pieces at once as there are processors, taken in order.

use std::collections::VecDeque;
use std::thread::available_parallelism;

use tokio::task::JoinHandle;

/// Pieces of work under way.
pub(super) struct Workers<T> {
    under_way: VecDeque<JoinHandle<T>>,
    at_once: usize,
}

impl<T: Send + 'static> Workers<T> {
    /// None yet.
    pub(super) fn new() -> Self {
        Self { under_way: VecDeque::new(), at_once: available_parallelism().map_or(1, usize::from) }
    }

    /// Begins a piece; where that makes too many, waits for the oldest and returns what came of it.
    pub(super) async fn begin(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.under_way.push_back(tokio::task::spawn_blocking(work));
        if self.under_way.len() > self.at_once { self.next().await } else { None }
    }

    /// Waits for the oldest that is under way; `None` when there is none left.
    pub(super) async fn next(&mut self) -> Option<T> {
        let oldest = self.under_way.pop_front()?;
        Some(oldest.await.expect("looking at items does not panic"))
    }
}
