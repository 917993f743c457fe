//! From publishes to snapshots: waits until editors pause, but not for ever.
//!
//! Pure: it is told the time. It holds one entry a repository, however often something is
//! published.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;

use super::publish::Publish;
use crate::clock::Timestamp;
use crate::ids::Name;

/// Turns publishes into triggers; see the module.
#[derive(Debug, Clone)]
pub struct Debounce {
    waits: Waits,
    pending: BTreeMap<Name, Pending>,
}

/// How long a [`Debounce`] waits, to be set while it does.
#[derive(Debug, Clone)]
pub struct Waits(Arc<Mutex<(TimeDelta, TimeDelta)>>);

impl Waits {
    /// Sets them, also for what waits already: the quiet, and the longest wait.
    pub fn set(&self, quiet: Duration, longest: Duration) {
        *self.0.lock().expect("no holder of this lock can panic") = deltas(quiet, longest);
    }

    fn get(&self) -> (TimeDelta, TimeDelta) {
        *self.0.lock().expect("no holder of this lock can panic")
    }
}

fn deltas(quiet: Duration, longest: Duration) -> (TimeDelta, TimeDelta) {
    let delta = |time| TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX);
    (delta(quiet), delta(longest))
}

#[derive(Debug, Clone)]
struct Pending {
    first: Timestamp,
    last: Timestamp,
    /// All that was heard.
    publish: Publish,
}

impl Debounce {
    /// Returns one that triggers when nothing was published for `quiet`, and `longest` after the
    /// first publish at the latest.
    pub fn new(quiet: Duration, longest: Duration) -> Self {
        Self { waits: Waits(Arc::new(Mutex::new(deltas(quiet, longest)))), pending: BTreeMap::new() }
    }

    /// Returns what sets these times.
    pub fn waits(&self) -> Waits {
        self.waits.clone()
    }

    /// Takes note of a publish.
    pub fn publish(&mut self, repository: Name, publish: Publish, now: Timestamp) {
        match self.pending.entry(repository) {
            Entry::Vacant(entry) => drop(entry.insert(Pending { first: now, last: now, publish })),
            Entry::Occupied(mut entry) => {
                let pending = entry.get_mut();
                pending.last = now;
                pending.publish.merge(publish);
            }
        }
    }

    /// Returns the repositories whose time has come, each of which begins anew, with all that was
    /// heard of them.
    pub fn due(&mut self, now: Timestamp) -> BTreeMap<Name, Publish> {
        for pending in self.pending.values_mut() {
            // After a clock was set back nothing waits longer than from now.
            pending.first = pending.first.min(now);
            pending.last = pending.last.min(now);
        }
        let due = self.pending.iter().filter(|(_, pending)| self.at(pending) <= now);
        let due: Vec<Name> = due.map(|(name, _)| name.clone()).collect();
        let take = |name: Name| self.pending.remove(&name).map(|pending| (name, pending.publish));
        due.into_iter().filter_map(take).collect()
    }

    /// Returns when [`due`](Self::due) has something to say, unless something is published.
    pub fn wakes(&self) -> Option<Timestamp> {
        self.pending.values().map(|pending| self.at(pending)).min()
    }

    fn at(&self, pending: &Pending) -> Timestamp {
        let after = |at: Timestamp, by| at.checked_add_signed(by).unwrap_or(Timestamp::MAX_UTC);
        let (quiet, longest) = self.waits.get();
        after(pending.last, quiet).min(after(pending.first, longest))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::Limits;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn heard() -> Publish {
        Publish::unknown(&Limits::default())
    }

    fn due(debounce: &mut Debounce, now: Timestamp) -> Vec<Name> {
        debounce.due(now).into_keys().collect()
    }

    fn debounce() -> Debounce {
        Debounce::new(Duration::from_secs(10), Duration::from_secs(60))
    }

    #[test]
    fn a_burst_is_one_trigger_after_the_quiet() {
        let mut debounce = debounce();
        for second in 0..5 {
            debounce.publish(name("blog"), heard(), at(second));
            assert_eq!(due(&mut debounce, at(second)), []);
        }
        assert_eq!(debounce.wakes(), Some(at(14)));
        assert_eq!(due(&mut debounce, at(13)), []);
        assert_eq!(due(&mut debounce, at(14)), [name("blog")]);
        assert_eq!((due(&mut debounce, at(500)), debounce.wakes()), (Vec::new(), None));
    }

    #[test]
    fn endless_publishing_triggers_at_the_longest_wait() {
        let mut debounce = debounce();
        let mut triggers = Vec::new();
        for second in 0..200 {
            debounce.publish(name("blog"), heard(), at(second));
            triggers.extend(due(&mut debounce, at(second)).iter().map(|_| second));
        }
        assert_eq!(triggers, [60, 121, 182]);
    }

    #[test]
    fn repositories_wait_for_themselves_only() {
        let mut debounce = debounce();
        debounce.publish(name("blog"), heard(), at(0));
        debounce.publish(name("shop"), heard(), at(8));
        assert_eq!(due(&mut debounce, at(10)), [name("blog")]);
        assert_eq!(due(&mut debounce, at(18)), [name("shop")]);
    }

    #[test]
    fn a_clock_that_was_set_back_delays_by_the_quiet_at_most() {
        let mut debounce = debounce();
        debounce.publish(name("blog"), heard(), at(1_000_000));
        assert_eq!(due(&mut debounce, at(0)), []);
        assert_eq!(due(&mut debounce, at(10)), [name("blog")]);
    }

    #[test]
    fn what_is_heard_in_one_wait_is_passed_on_together() {
        let mut debounce = debounce();
        let limits = Limits::default();
        for (second, id) in [(0, "a"), (1, "b"), (2, "a")] {
            let mut publish = Publish::at("ref", &limits);
            publish.add_document(id);
            debounce.publish(name("blog"), publish, at(second));
        }
        let due = debounce.due(at(12));
        let publish = &due[&name("blog")];
        assert_eq!((publish.reference(), publish.documents().collect()), (Some("ref"), vec!["a", "b"]));
    }

    #[test]
    fn waits_can_be_set_while_something_waits() {
        let mut debounce = debounce();
        debounce.publish(name("blog"), heard(), at(0));
        debounce.waits().set(Duration::from_secs(2), Duration::from_secs(60));
        assert_eq!((debounce.wakes(), due(&mut debounce, at(2))), (Some(at(2)), vec![name("blog")]));
    }

    #[test]
    fn a_flood_costs_one_entry_a_repository() {
        let mut debounce = debounce();
        for _ in 0..100_000 {
            debounce.publish(name("blog"), heard(), at(0));
        }
        assert_eq!(debounce.pending.len(), 1);
    }

    proptest! {
        #[test]
        fn every_publish_is_followed_by_a_trigger_in_time_and_triggers_keep_apart(
            pauses in proptest::collection::vec(0..40_i64, 1..60)
        ) {
            let mut debounce = debounce();
            let mut publishes = Vec::new();
            let mut second = 0;
            for pause in pauses {
                second += pause;
                publishes.push(second);
            }
            let mut triggers = Vec::new();
            for second in 0..=second + 61 {
                for _ in publishes.iter().filter(|at| **at == second) {
                    debounce.publish(name("blog"), heard(), at(second));
                }
                triggers.extend(due(&mut debounce, at(second)).iter().map(|_| second));
            }
            for publish in &publishes {
                let after = triggers.iter().find(|trigger| *trigger >= publish);
                prop_assert!(after.is_some_and(|trigger| trigger - publish <= 60), "{publish} {triggers:?}");
            }
            for pair in triggers.windows(2) {
                prop_assert!(pair[1] - pair[0] >= 10, "{triggers:?}");
            }
        }
    }
}
