//! Which publishes are stored already.
//!
//! A webhook and the poll after it tell of the same publish, in any order, and perhaps while its
//! snapshot is being taken. So what is heard is compared with what snapshots hold:
//!
//! - Snapshots say which repository they are at, and which master ref they stored.
//! - What is heard with a ref that is stored is done. What is heard of a repository of which a
//!   snapshot is being taken waits until that ends: it may hold it.
//! - What was heard without a ref, such as an edit of a release, is never known to be stored: one
//!   snapshot too many is harmless, one too few is not.
//!
//! Pure but for the notification. One entry a repository, however often something is heard. It
//! forgets with the process; the vault knows which refs it holds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use super::publish::Publish;
use crate::ids::Name;

/// Refs of repositories: stored, announced, and at work; see the module. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct StoredRefs(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    repositories: Mutex<BTreeMap<Name, State>>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The master ref that was stored last.
    stored: Option<String>,
    /// The one that was announced last, and is about to be stored.
    announced: Option<String>,
    /// Runs that take a snapshot of it.
    at_work: usize,
    /// How often a run began or ended.
    turns: u64,
    /// What was heard meanwhile.
    held: Option<Publish>,
}

/// When a repository was asked for its ref; what it answers may be old by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked(u64);

/// What an answer with a master ref means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    /// A publish of which nobody has heard yet.
    New,
    /// It is stored, or about to be.
    Known,
    /// A run began or ended while it was asked for: nobody can tell before it is asked for again.
    Late,
}

/// A run that takes a snapshot of a repository, until it is dropped.
#[derive(Debug)]
pub struct AtWork {
    refs: StoredRefs,
    repository: Name,
}

impl AtWork {
    /// Says that a snapshot with this master ref exists.
    pub fn stored(&self, reference: &str) {
        self.refs.note_stored(&self.repository, reference);
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.refs.with(&self.repository, |state| {
            state.at_work = state.at_work.saturating_sub(1);
            state.turns += 1;
        });
        self.refs.0.ended.notify_one();
    }
}

impl StoredRefs {
    /// Says that a snapshot of a repository begins to be taken, until what is returned is dropped.
    pub fn begin(&self, repository: &Name) -> AtWork {
        self.with(repository, |state| {
            state.at_work += 1;
            state.turns += 1;
        });
        AtWork { refs: self.clone(), repository: repository.clone() }
    }

    /// Takes note of the master ref that the newest snapshot of a repository holds.
    pub fn note_stored(&self, repository: &Name, reference: &str) {
        self.with(repository, |state| {
            state.stored = Some(reference.to_owned());
            state.announced = None;
        });
    }

    /// Forgets what was announced and not stored: the next poll finds it anew.
    pub fn forget_announced(&self, repository: &Name) {
        self.with(repository, |state| state.announced = None);
    }

    /// Whether a snapshot of it is being taken.
    pub fn is_at_work(&self, repository: &Name) -> bool {
        self.lock().get(repository).is_some_and(|state| state.at_work > 0)
    }

    /// Says that a repository is about to be asked for its master ref.
    pub fn ask(&self, repository: &Name) -> Asked {
        Asked(self.with(repository, |state| state.turns))
    }

    /// Says what it answered.
    pub fn answered(&self, repository: &Name, asked: Asked, reference: &str) -> Polled {
        self.with(repository, |state| {
            if state.at_work > 0 || state.turns != asked.0 {
                return Polled::Late;
            }
            if [&state.stored, &state.announced].into_iter().any(|known| known.as_deref() == Some(reference))
            {
                return Polled::Known;
            }
            state.announced = Some(reference.to_owned());
            Polled::New
        })
    }

    /// Takes what was heard of publishes; returns what a snapshot must be taken of now. What is
    /// stored is dropped, what may be being stored is held until [`ended`](Self::ended).
    pub fn sift(&self, heard: BTreeMap<Name, Publish>) -> BTreeMap<Name, Publish> {
        let mut due = BTreeMap::new();
        for (repository, publish) in heard {
            let wanted = self.with(&repository, |state| {
                if state.at_work > 0 {
                    match &mut state.held {
                        Some(held) => held.merge(publish),
                        None => state.held = Some(publish),
                    }
                    return None;
                }
                state.wanted(publish)
            });
            due.extend(wanted.map(|publish| (repository, publish)));
        }
        due
    }

    /// Waits until a run ends of a repository of which something was heard meanwhile; returns what a
    /// snapshot must be taken of now, never nothing. For one who waits.
    pub async fn ended(&self) -> BTreeMap<Name, Publish> {
        loop {
            let ended = self.0.ended.notified();
            let due = self.held_back();
            if !due.is_empty() {
                return due;
            }
            ended.await;
        }
    }

    fn held_back(&self) -> BTreeMap<Name, Publish> {
        let mut due = BTreeMap::new();
        for (repository, state) in self.lock().iter_mut().filter(|(_, state)| state.at_work == 0) {
            let held = state.held.take().and_then(|held| state.wanted(held));
            due.extend(held.map(|publish| (repository.clone(), publish)));
        }
        due
    }

    fn with<T>(&self, repository: &Name, act: impl FnOnce(&mut State) -> T) -> T {
        act(self.lock().entry(repository.clone()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, State>> {
        self.0.repositories.lock().expect("no holder of this lock can panic")
    }
}

impl State {
    /// Returns what was heard unless it is stored.
    fn wanted(&mut self, publish: Publish) -> Option<Publish> {
        if let Some(reference) = publish.reference() {
            if self.stored.as_deref() == Some(reference) {
                return None;
            }
            self.announced = Some(reference.to_owned());
        }
        Some(publish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn blog() -> Name {
        "blog".parse().unwrap()
    }

    fn heard(reference: Option<&str>) -> BTreeMap<Name, Publish> {
        let limits = Limits::default();
        let publish =
            reference.map_or_else(|| Publish::unknown(&limits), |reference| Publish::at(reference, &limits));
        BTreeMap::from([(blog(), publish)])
    }

    fn polled(refs: &StoredRefs, reference: &str) -> Polled {
        refs.answered(&blog(), refs.ask(&blog()), reference)
    }

    async fn ended(refs: &StoredRefs) -> BTreeMap<Name, Publish> {
        tokio::time::timeout(std::time::Duration::ZERO, refs.ended()).await.unwrap_or_default()
    }

    #[test]
    fn the_poll_after_a_webhook_finds_nothing_new_before_and_after_the_snapshot() {
        let refs = StoredRefs::default();
        assert_eq!(refs.sift(heard(Some("1"))), heard(Some("1")));
        assert_eq!(polled(&refs, "1"), Polled::Known, "it is about to be stored");
        refs.begin(&blog()).stored("1");
        assert_eq!(polled(&refs, "1"), Polled::Known);
        assert_eq!(polled(&refs, "2"), Polled::New);
        assert_eq!(polled(&refs, "2"), Polled::Known, "once");
    }

    #[test]
    fn the_webhook_after_a_poll_starts_nothing_once_its_ref_is_stored() {
        let refs = StoredRefs::default();
        assert_eq!(polled(&refs, "1"), Polled::New);
        refs.begin(&blog()).stored("1");
        assert_eq!(refs.sift(heard(Some("1"))), BTreeMap::new());
        assert_eq!(refs.sift(heard(None)), heard(None), "who says no ref may mean a release");
    }

    #[tokio::test]
    async fn what_is_heard_during_a_run_is_one_run_more_unless_that_run_stored_it() {
        let refs = StoredRefs::default();
        for (said, expected) in [
            (vec![Some("1")], None),
            (vec![Some("2"), Some("2")], Some(Some("2"))),
            (vec![None], Some(None)),
            (vec![Some("1"), Some("2")], Some(None)),
        ] {
            let run = refs.begin(&blog());
            for said in &said {
                assert_eq!(refs.sift(heard(*said)), BTreeMap::new());
            }
            assert_eq!(ended(&refs).await, BTreeMap::new());
            run.stored("1");
            drop(run);
            assert_eq!(ended(&refs).await, expected.map(heard).unwrap_or_default(), "{said:?}");
            assert_eq!(ended(&refs).await, BTreeMap::new(), "once");
        }
    }

    #[tokio::test]
    async fn what_a_run_that_failed_was_to_store_is_still_wanted() {
        let refs = StoredRefs::default();
        let run = refs.begin(&blog());
        refs.sift(heard(Some("1")));
        drop(run);
        assert_eq!(ended(&refs).await, heard(Some("1")));
        assert_eq!(polled(&refs, "1"), Polled::Known);
        refs.forget_announced(&blog());
        assert_eq!(polled(&refs, "1"), Polled::New);
    }

    #[tokio::test]
    async fn of_two_runs_at_once_the_last_one_out_lets_go() {
        let refs = StoredRefs::default();
        let (one, two) = (refs.begin(&blog()), refs.begin(&blog()));
        refs.sift(heard(Some("1")));
        drop(one);
        assert_eq!(ended(&refs).await, BTreeMap::new());
        drop(two);
        assert_eq!(ended(&refs).await, heard(Some("1")));
    }

    #[test]
    fn an_answer_that_a_run_overtook_is_asked_for_again() {
        let refs = StoredRefs::default();
        let asked = refs.ask(&blog());
        let run = refs.begin(&blog());
        assert!(refs.is_at_work(&blog()));
        assert_eq!(refs.answered(&blog(), asked, "1"), Polled::Late);
        assert_eq!(polled(&refs, "1"), Polled::Late);
        run.stored("2");
        drop(run);
        assert_eq!(refs.answered(&blog(), asked, "1"), Polled::Late);
        assert_eq!(polled(&refs, "2"), Polled::Known);
    }
}
