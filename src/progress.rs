//! What an operation tells while it works, and what it found wrong.
//!
//! The library never prints. It tells a [`Progress`] how far it is, and puts every loss into its
//! report as a [`Problem`], which decides the exit code.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A named part of an operation, shown to people as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Opening the vault and reading what its replicas hold.
    OpenVault,
    /// Reading documents at the pinned ref.
    Documents,
    /// Reading what the releases change.
    Releases,
    /// Listing the media library.
    AssetList,
    /// Downloading the bytes of assets.
    Assets,
    /// Comparing what was read with what the source says it has.
    Completeness,
    /// Writing catalog, index and manifest.
    Commit,
    /// Checking objects or content.
    Verify,
    /// Writing files or documents back.
    Restore,
    /// Writing models.
    Models,
    /// Waiting until what was published is live.
    Publish,
    /// Comparing what was restored with what it was restored from.
    ReadBack,
    /// Writing an archive.
    Export,
    /// Searching texts.
    Search,
    /// Comparing items.
    Compare,
    /// Mending damaged objects.
    Repair,
    /// Writing what is needed of mostly dead packs into new ones.
    Repack,
    /// Marking and deleting what no snapshot needs.
    Prune,
    /// Copying objects between replicas.
    Replicate,
    /// Making locks longer.
    Lock,
}

impl Phase {
    /// Returns the words shown to people.
    pub fn label(self) -> &'static str {
        match self {
            Self::OpenVault => "opening vault",
            Self::Documents => "documents",
            Self::Releases => "releases",
            Self::AssetList => "media library",
            Self::Assets => "assets",
            Self::Completeness => "completeness",
            Self::Commit => "commit",
            Self::Verify => "verifying",
            Self::Restore => "restoring",
            Self::Models => "models",
            Self::Publish => "publishing",
            Self::ReadBack => "reading back",
            Self::Export => "exporting",
            Self::Search => "searching",
            Self::Compare => "comparing",
            Self::Repair => "repairing",
            Self::Repack => "rewriting packs",
            Self::Prune => "pruning",
            Self::Replicate => "replicating",
            Self::Lock => "renewing locks",
        }
    }
}

/// Receives progress; every method may be called from any thread and must return quickly.
pub trait Progress: Send + Sync {
    /// Says that a phase began, or that its total is known better now. Units are those of
    /// [`advance`](Self::advance): items.
    fn start(&self, phase: Phase, total: Option<u64>);

    /// Adds finished items and the bytes they brought.
    fn advance(&self, phase: Phase, items: u64, bytes: u64);

    /// Says that a phase ended.
    fn finish(&self, phase: Phase);

    /// Shows a problem as it happens; it is in the report as well.
    fn problem(&self, problem: &Problem);

    /// Says that an operation waits, until [`wait_ends`](Self::wait_ends) with the same `wait`.
    /// Called by [`Waiting`]. Who shows nothing need not know.
    fn wait_begins(&self, _wait: &Arc<Wait>) {}

    /// Says that this wait is over.
    fn wait_ends(&self, _wait: &Arc<Wait>) {}
}

impl fmt::Debug for dyn Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

/// What an operation waits for while nothing else moves. It names services and replicas, never
/// addresses with queries, and holds no content: it is shown and logged as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// A request failed and is tried again after a pause.
    Retry {
        /// What happened: `Content API answered 429`.
        why: String,
        /// How long until it is tried again.
        pause: Duration,
        /// Number of the attempt that comes then, the first being 1.
        attempt: u32,
        /// Attempts in all.
        attempts: u32,
    },
    /// An answer is late.
    Answer {
        /// Who is to answer: `Content API`.
        from: String,
        /// How long it has been waited for when this is said.
        silent: Duration,
        /// How long it may take before the request counts as failed.
        patience: Duration,
    },
    /// An object is being sent for long.
    Upload {
        /// Where to: `s3://acme/vault`.
        to: String,
        /// Bytes of it.
        bytes: u64,
        /// How long it has been sent when this is said.
        taken: Duration,
    },
}

/// A wait that is under way; dropping it ends it, also when the operation is cancelled.
#[derive(Debug)]
#[must_use = "the wait ends when this is dropped"]
pub struct Waiting {
    progress: Arc<dyn Progress>,
    wait: Arc<Wait>,
}

impl Waiting {
    /// Tells `progress` that a wait begins.
    pub fn begin(progress: &Arc<dyn Progress>, wait: Wait) -> Self {
        let waiting = Self { progress: Arc::clone(progress), wait: Arc::new(wait) };
        waiting.progress.wait_begins(&waiting.wait);
        waiting
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.progress.wait_ends(&self.wait);
    }
}

/// Awaits `answer`, and tells `progress` when it has not come after `notice`: `from` is who is to
/// answer, `patience` how long it may take in all.
pub async fn notice_silence<T>(
    progress: &Arc<dyn Progress>,
    from: &str,
    notice: Duration,
    patience: Duration,
    answer: impl Future<Output = T>,
) -> T {
    let wait = || Wait::Answer { from: from.to_owned(), silent: notice, patience };
    notice_after(progress, notice, wait, answer).await
}

/// Awaits something, and tells `progress` of the wait when it is not there after `notice`.
pub async fn notice_after<T>(
    progress: &Arc<dyn Progress>,
    notice: Duration,
    wait: impl FnOnce() -> Wait,
    answer: impl Future<Output = T>,
) -> T {
    let mut answer = std::pin::pin!(answer);
    if let Ok(answer) = tokio::time::timeout(notice, &mut answer).await {
        return answer;
    }
    let _waiting = Waiting::begin(progress, wait());
    answer.await
}

/// Progress for those who do not look.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _phase: Phase, _total: Option<u64>) {}
    fn advance(&self, _phase: Phase, _items: u64, _bytes: u64) {}
    fn finish(&self, _phase: Phase) {}
    fn problem(&self, _problem: &Problem) {}
}

/// An expected loss that does not end the operation: one asset missing, one object damaged.
///
/// It holds ids, numbers and codes only, never names or texts of content, because it goes into
/// manifests and logs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of problem, for programs: `asset-missing`, `object-damaged`.
    pub code: String,
    /// What it is about: a path of the catalog, an object key, a replica.
    pub subject: String,
    /// One sentence for people, lower case, no full stop.
    pub detail: String,
}

impl Problem {
    /// Returns a problem.
    pub fn new(code: &str, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), subject: subject.into(), detail: detail.into() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Keeps what is being waited for, and how many waits there were.
    #[derive(Default)]
    struct Waits(Mutex<(Vec<Wait>, usize)>);

    impl Progress for Waits {
        fn start(&self, _phase: Phase, _total: Option<u64>) {}
        fn advance(&self, _phase: Phase, _items: u64, _bytes: u64) {}
        fn finish(&self, _phase: Phase) {}
        fn problem(&self, _problem: &Problem) {}

        fn wait_begins(&self, wait: &Arc<Wait>) {
            let mut waits = self.0.lock().unwrap();
            waits.0.push(Wait::clone(wait));
            waits.1 += 1;
        }

        fn wait_ends(&self, wait: &Arc<Wait>) {
            self.0.lock().unwrap().0.retain(|one| one != &**wait);
        }
    }

    #[tokio::test]
    async fn a_late_answer_is_told_of_until_it_comes_or_nobody_wants_it_any_more() {
        let waits = Arc::new(Waits::default());
        let progress: Arc<dyn Progress> = Arc::<Waits>::clone(&waits);
        let notice = Duration::from_millis(1);
        let patience = Duration::from_secs(60);
        let state = || {
            let waits = waits.0.lock().unwrap();
            (waits.0.len(), waits.1)
        };
        let prompt = notice_silence(&progress, "API", Duration::from_secs(60), patience, async { 7 });
        assert_eq!((prompt.await, state()), (7, (0, 0)));

        let (sender, receiver) = tokio::sync::oneshot::channel();
        let late = notice_silence(&progress, "API", notice, patience, receiver);
        let answer = async {
            while state().0 == 0 {
                tokio::task::yield_now().await;
            }
            sender.send(8).unwrap();
        };
        let (answered, ()) = futures_util::join!(late, answer);
        assert_eq!((answered.unwrap(), state()), (8, (0, 1)));

        let never = notice_silence(&progress, "API", notice, patience, std::future::pending::<()>());
        let given_up = tokio::time::timeout(Duration::from_millis(50), never).await;
        assert_eq!((given_up.is_err(), state()), (true, (0, 2)));
    }
}
