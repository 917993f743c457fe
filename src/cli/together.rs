//! Progress of several operations at once, shown as that of one: items and totals are added up, and
//! a phase ends when it ended for all that were in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::progress::{Phase, Problem, Progress, Wait};

/// What several operations tell together.
pub(super) struct Together {
    inner: Arc<dyn Progress>,
    phases: Mutex<BTreeMap<Phase, InPhase>>,
}

/// A phase of all who are in it.
#[derive(Default)]
struct InPhase {
    parts: usize,
    total: u64,
}

/// What one of the operations tells. Dropping it ends the phases that it did not.
pub(super) struct Part<'a> {
    all: &'a Together,
    /// Its own totals, of the phases that it is in.
    totals: Mutex<BTreeMap<Phase, u64>>,
}

impl Together {
    /// Returns what tells `inner` of all.
    pub(super) fn new(inner: Arc<dyn Progress>) -> Self {
        Self { inner, phases: Mutex::default() }
    }

    /// Returns the progress of one of them.
    pub(super) fn part(&self) -> Part<'_> {
        Part { all: self, totals: Mutex::default() }
    }

    /// One of those who were in a phase is no longer.
    fn leave(&self, phase: Phase) {
        let mut phases = lock(&self.phases);
        let left = phases.get_mut(&phase).map(|all| {
            all.parts = all.parts.saturating_sub(1);
            all.parts
        });
        if left == Some(0) {
            phases.remove(&phase);
            drop(phases);
            self.inner.finish(phase);
        }
    }
}

impl Progress for Part<'_> {
    fn start(&self, phase: Phase, total: Option<u64>) {
        let own = total.unwrap_or(0);
        let before = lock(&self.totals).insert(phase, own);
        let total = {
            let mut phases = lock(&self.all.phases);
            let all = phases.entry(phase).or_default();
            all.parts += usize::from(before.is_none());
            all.total = all.total.saturating_sub(before.unwrap_or(0)) + own;
            all.total
        };
        self.all.inner.start(phase, (total > 0).then_some(total));
    }

    fn advance(&self, phase: Phase, items: u64, bytes: u64) {
        self.all.inner.advance(phase, items, bytes);
    }

    fn finish(&self, phase: Phase) {
        if lock(&self.totals).remove(&phase).is_some() {
            self.all.leave(phase);
        }
    }

    fn problem(&self, problem: &Problem) {
        self.all.inner.problem(problem);
    }

    fn wait_begins(&self, wait: &Arc<Wait>) {
        self.all.inner.wait_begins(wait);
    }

    fn wait_ends(&self, wait: &Arc<Wait>) {
        self.all.inner.wait_ends(wait);
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        let phases: Vec<Phase> = lock(&self.totals).keys().copied().collect();
        phases.into_iter().for_each(|phase| self.all.leave(phase));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock can panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);

    impl Progress for Told {
        fn start(&self, phase: Phase, total: Option<u64>) {
            lock(&self.0).push(format!("{} of {total:?}", phase.label()));
        }

        fn advance(&self, _: Phase, items: u64, _: u64) {
            lock(&self.0).push(format!("+{items}"));
        }

        fn finish(&self, phase: Phase) {
            lock(&self.0).push(format!("{} done", phase.label()));
        }

        fn problem(&self, _: &Problem) {}
    }

    #[test]
    fn totals_are_added_up_and_a_phase_ends_when_the_last_one_leaves_it() {
        let told = Arc::new(Told::default());
        let together = Together::new(Arc::<Told>::clone(&told));
        let (one, two) = (together.part(), together.part());
        one.start(Phase::Documents, Some(10));
        two.start(Phase::Documents, None);
        two.start(Phase::Documents, Some(5));
        one.advance(Phase::Documents, 10, 0);
        one.finish(Phase::Documents);
        one.finish(Phase::Documents);
        // It fails.
        drop(two);
        let expected = [
            "documents of Some(10)",
            "documents of Some(10)",
            "documents of Some(15)",
            "+10",
            "documents done",
        ];
        assert_eq!(*lock(&told.0), expected);
    }
}
