//! Which repositories were published: from those who hear of it to the one who waits.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::debounce::Debounce;
use crate::clock::Clock;
use crate::ids::Name;

/// Longest sleep before the clock is asked again: it may have been set meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Repositories of which somebody said that they were published, each once. Cheap to clone; the
/// webhooks and the poller share one.
#[derive(Debug, Clone, Default)]
pub struct Publishes(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    names: Mutex<BTreeSet<Name>>,
    more: Notify,
}

impl Publishes {
    /// Returns one without any.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that something was published. Never waits, and holds a name once.
    pub fn announce(&self, repository: &Name) {
        self.names().insert(repository.clone());
        self.0.more.notify_one();
    }

    /// Waits for publishes and takes them; never empty. For one who waits.
    pub async fn next(&self) -> BTreeSet<Name> {
        loop {
            let more = self.0.more.notified();
            let names = std::mem::take(&mut *self.names());
            if !names.is_empty() {
                return names;
            }
            more.await;
        }
    }

    fn names(&self) -> std::sync::MutexGuard<'_, BTreeSet<Name>> {
        self.0.names.lock().expect("no holder of this lock can panic")
    }
}

/// Sends the repositories to snapshot to `triggers`, until nobody listens there. While the other
/// end is busy, publishes go on being collected.
pub async fn trigger(
    publishes: Publishes,
    mut debounce: Debounce,
    clock: Arc<dyn Clock>,
    triggers: mpsc::Sender<Vec<Name>>,
) {
    loop {
        let now = clock.now();
        let wait = debounce.wakes().map(|at| (at - now).to_std().unwrap_or_default());
        let is_due = wait.is_some_and(|wait| wait.is_zero());
        tokio::select! {
            () = triggers.closed() => return,
            names = publishes.next() => {
                let now = clock.now();
                for name in names {
                    debounce.publish(name, now);
                }
            }
            place = triggers.reserve(), if is_due => match place {
                Ok(place) => place.send(debounce.due(clock.now())),
                Err(_) => return,
            },
            () = tokio::time::sleep(wait.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN)), if !is_due => {}
        }
    }
}
