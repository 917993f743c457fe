//! How the runs of jobs went, kept in the vault.
//!
//! Every replica holds the same file of a job, so that a scheduler on a new machine, with any one
//! replica, knows what was missed. The newest of them counts. What cannot be read counts as not
//! there: the worst that comes of it is a run too many.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;

use super::error::{ErrorKind, Result};
use super::format::VERSION;
use super::format::job::{JobRecord, KIND, RunRecord};
use super::open::Vault;
use super::{layout, state};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::Name;
use crate::progress::Problem;

impl JobRecord {
    /// Returns the record of a job that is seen for the first time.
    pub fn first_seen(vault: &Vault, job: &Name, does: &str, now: Timestamp) -> Self {
        Self {
            kind: KIND.to_owned(),
            format: VERSION,
            vault: vault.file.vault,
            key: layout::job(job),
            job: job.clone(),
            does: does.to_owned(),
            known_since: rfc3339(now),
            next: None,
            last: None,
            last_success: None,
            failures: 0,
        }
    }

    /// Takes note of a run that ended.
    pub fn ended(&mut self, run: RunRecord, well: bool) {
        self.failures = if well { 0 } else { self.failures.saturating_add(1) };
        if well {
            self.last_success = Some(run.clone());
        }
        self.last = Some(run);
    }

    /// Times up to here need no run any more: those before the job was known, and before the last
    /// run that ended well began.
    pub fn covered(&self) -> Option<Timestamp> {
        let since = self.known_since.parse().ok();
        let began = self.last_success.as_ref().and_then(|run| run.started.parse::<Timestamp>().ok());
        since.max(began)
    }

    /// Orders copies: the one that knows of the latest run.
    fn age(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let ended = |run: &RunRecord| run.ended.parse().ok();
        (self.last.as_ref().and_then(ended), self.covered())
    }
}

/// Reads what is known of a job; `None` when no live replica knows of it.
pub async fn load(vault: &Vault, job: &Name) -> Option<JobRecord> {
    let key = layout::job(job);
    let copies = vault.replicas.live().map(|replica| {
        let key = &key;
        async move {
            match state::read::<JobRecord>(vault, replica, key, KIND).await {
                Ok(found) => found.filter(|found| found.job == *job),
                Err(error) => {
                    let detail = format!("it is not believed: {error}");
                    vault.warn(Problem::new("not-a-job-record", key.clone(), detail));
                    None
                }
            }
        }
    });
    join_all(copies).await.into_iter().flatten().max_by_key(JobRecord::age)
}

/// Reads what is known of a job, for whoever would write it anew: what cannot be read now may be there,
/// and who takes the job for a new one forgets what was missed.
///
/// # Errors
///
/// When no replica gave a record, and one could not be asked.
pub async fn find(vault: &Vault, job: &Name) -> Result<Option<JobRecord>> {
    let key = layout::job(job);
    let asked = vault.replicas.live().map(|replica| state::read::<JobRecord>(vault, replica, &key, KIND));
    let (mut newest, mut failure) = (None, None);
    for found in join_all(asked).await {
        match found {
            Ok(found) => {
                let found = found.filter(|found| found.job == *job);
                newest = newest.into_iter().chain(found).max_by_key(JobRecord::age);
            }
            // Nothing is lost with it.
            Err(error) if matches!(error.kind, ErrorKind::Integrity | ErrorKind::NotTrusted) => {
                let detail = format!("it is not believed: {error}");
                vault.warn(Problem::new("not-a-job-record", key.clone(), detail));
            }
            Err(error) => failure = Some(error),
        }
    }
    match (newest, failure) {
        (None, Some(error)) => Err(error),
        (newest, _) => Ok(newest),
    }
}

/// Returns the jobs that any live replica has a record of; a replica that cannot be listed leaves the
/// run.
pub async fn recorded(vault: &Vault) -> BTreeSet<Name> {
    let listed =
        vault.replicas.live().map(|replica| async move { (replica, replica.store.list(layout::JOBS).await) });
    let mut names = BTreeSet::new();
    for (replica, listed) in join_all(listed).await {
        match listed {
            Ok(objects) => names.extend(objects.iter().filter_map(|object| layout::parse_job(&object.key))),
            Err(error) => replica.fail(error),
        }
    }
    names
}

/// Reads what is known of several jobs.
pub async fn load_all(vault: &Vault, jobs: &[Name]) -> Vec<Option<JobRecord>> {
    let at_once = vault.limits.store_concurrency;
    stream::iter(jobs).map(|job| load(vault, job)).buffered(at_once).collect().await
}

/// Writes what is known of a job to every live replica.
///
/// # Errors
///
/// When no replica took it; one that did not is warned of.
pub async fn store(vault: &Vault, record: &JobRecord) -> Result<()> {
    state::store_everywhere(vault, &record.key, record, "job-record-not-stored").await
}
