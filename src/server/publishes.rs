//! Which repositories were published: from those who hear of it to the one who waits.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::debounce::Debounce;
use super::publish::Publish;
use crate::clock::Clock;
use crate::ids::Name;

/// Longest sleep before the clock is asked again: it may have been set meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Repositories of which somebody said that they were published, each once, with what was said of
/// it. Cheap to clone; the webhooks and the poller share one.
#[derive(Debug, Clone, Default)]
pub struct Publishes(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    heard: Mutex<BTreeMap<Name, Publish>>,
    more: Notify,
}

impl Publishes {
    /// Returns one without any.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that something was published. Never waits, and holds a name once.
    pub fn announce(&self, repository: &Name, publish: Publish) {
        add_publish(&mut self.heard(), repository.clone(), publish);
        self.0.more.notify_one();
    }

    /// Waits for publishes and takes them; never empty. For one who waits.
    pub async fn next(&self) -> BTreeMap<Name, Publish> {
        loop {
            let more = self.0.more.notified();
            let heard = std::mem::take(&mut *self.heard());
            if !heard.is_empty() {
                return heard;
            }
            more.await;
        }
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, BTreeMap<Name, Publish>> {
        self.0.heard.lock().expect("no holder of this lock can panic")
    }
}

/// Adds what was heard of a repository to what was heard of it before.
pub fn add_publish(heard: &mut BTreeMap<Name, Publish>, repository: Name, publish: Publish) {
    match heard.entry(repository) {
        Entry::Vacant(entry) => drop(entry.insert(publish)),
        Entry::Occupied(mut entry) => entry.get_mut().merge(publish),
    }
}

/// Sends the repositories to snapshot to `triggers`, until nobody listens there. While the other
/// end is busy, publishes go on being collected.
pub async fn trigger(
    publishes: Publishes,
    mut debounce: Debounce,
    clock: Arc<dyn Clock>,
    triggers: mpsc::Sender<BTreeMap<Name, Publish>>,
) {
    loop {
        let now = clock.now();
        let wait = debounce.wakes().map(|at| (at - now).to_std().unwrap_or_default());
        let is_due = wait.is_some_and(|wait| wait.is_zero());
        tokio::select! {
            () = triggers.closed() => return,
            heard = publishes.next() => {
                let now = clock.now();
                for (name, publish) in heard {
                    debounce.publish(name, publish, now);
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
