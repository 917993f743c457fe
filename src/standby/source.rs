//! A repository whose content is snapshots.

use std::collections::VecDeque;
use std::sync::{Arc, RwLock};

use async_trait::async_trait;

use super::edition::Edition;
use crate::contentapi::{ContentSource, RefAnswer, RefKind, RepositoryRoot, SourceError};

/// Snapshots that were served and are not any more, whose refs are answered as expired and not as
/// unknown: a client goes on with the new one by either.
const FORMER_MAX: usize = 1_000;

#[derive(Debug, Default)]
struct State {
    /// The first is the published content.
    editions: Vec<Arc<Edition>>,
    root: Arc<RepositoryRoot>,
    /// Those that were the published content at some time: whoever has just read the root may ask for
    /// the one before as for the one now.
    published: VecDeque<String>,
    former: VecDeque<String>,
}

impl State {
    /// Whether a ref was served once: by this process, or by one before it that knew of fewer orders.
    fn is_over(&self, asked: &str) -> bool {
        let snapshot = asked.split_once('.').map_or(asked, |(snapshot, _)| snapshot);
        self.former.iter().any(|former| former == asked)
            || self.editions.iter().any(|edition| edition.snapshot().to_string() == snapshot)
    }
}

/// One repository of a standby: the snapshots that are served of it, the first as its published
/// content.
#[derive(Debug, Default)]
pub struct Standby(RwLock<State>);

impl Standby {
    /// Returns a repository that serves these snapshots, the first as its published content.
    pub fn new(editions: Vec<Arc<Edition>>) -> Self {
        let standby = Self::default();
        standby.serve(editions);
        standby
    }

    /// Serves these from now on: at once and together. Answers under way end as they began.
    pub fn serve(&self, editions: Vec<Arc<Edition>>) {
        // Whoever asks does not wait until it is cleared away.
        drop(self.replace(editions));
    }

    /// Returns what was served before.
    fn replace(&self, editions: Vec<Arc<Edition>>) -> Vec<Arc<Edition>> {
        let root = Arc::new(root_of(&editions));
        let mut state = self.0.write().expect("no holder of this lock can panic");
        let is_kept = |reference: &str| editions.iter().any(|edition| edition.reference() == reference);
        let gone: Vec<String> = state.editions.iter().map(|edition| edition.reference().to_owned()).collect();
        state.former.extend(gone.into_iter().filter(|reference| !is_kept(reference)));
        while state.former.len() > FORMER_MAX {
            state.former.pop_front();
        }
        let published = editions.first().map(|first| first.reference().to_owned());
        if let Some(published) = published.filter(|own| !state.published.contains(own)) {
            state.published.push_back(published);
            if state.published.len() > FORMER_MAX {
                state.published.pop_front();
            }
        }
        state.root = root;
        std::mem::replace(&mut state.editions, editions)
    }

    /// What it says of itself now: what was answered under another counts no more.
    pub(super) fn current_root(&self) -> Arc<RepositoryRoot> {
        Arc::clone(&self.0.read().expect("no holder of this lock can panic").root)
    }

    /// Returns what is served, the published content first.
    pub fn editions(&self) -> Vec<Arc<Edition>> {
        self.0.read().expect("no holder of this lock can panic").editions.clone()
    }
}

fn root_of(editions: &[Arc<Edition>]) -> RepositoryRoot {
    let Some((first, others)) = editions.split_first() else { return RepositoryRoot::default() };
    let mut root = first.root().clone();
    root.refs.extend(others.iter().map(|other| {
        let label = match other.is_complete() {
            true => format!("Snapshot {}", other.snapshot()),
            false => format!("Snapshot {} (partial)", other.snapshot()),
        };
        other.as_ref_of(label)
    }));
    root
}

#[async_trait]
impl ContentSource for Standby {
    async fn root(&self) -> Result<Arc<RepositoryRoot>, SourceError> {
        let state = self.0.read().expect("no holder of this lock can panic");
        if state.editions.is_empty() {
            return Err(SourceError::Unavailable("no snapshot is ready yet".to_owned()));
        }
        Ok(Arc::clone(&state.root))
    }

    async fn documents(&self, reference: &str) -> Result<RefAnswer, SourceError> {
        let (release, asked) = match reference.split_once('~') {
            Some((release, asked)) => (Some(release), asked),
            None => (None, reference),
        };
        let found = {
            let state = self.0.read().expect("no holder of this lock can panic");
            let at = state.editions.iter().position(|edition| edition.reference() == asked);
            match at {
                Some(at) => {
                    let was_published = state.published.iter().any(|published| published == asked);
                    (was_published, Arc::clone(&state.editions[at]))
                }
                None if state.is_over(asked) => return Ok(RefAnswer::Expired),
                None => return Ok(RefAnswer::Unknown),
            }
        };
        let (was_published, edition) = found;
        Ok(match release {
            None if was_published => RefAnswer::Found(RefKind::Master, Arc::clone(edition.master())),
            None => RefAnswer::Found(RefKind::SupersededMaster, Arc::clone(edition.master())),
            Some(release) => match edition.release(release) {
                Some(set) => RefAnswer::Found(RefKind::Release, Arc::clone(set)),
                None => RefAnswer::Unknown,
            },
        })
    }
}
