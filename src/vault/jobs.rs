//! How the runs of jobs went, kept in the vault.
//!
//! Every replica holds the same file of a job, so that a scheduler on a new machine, with any one
//! replica, knows what was missed. The newest of them counts. What cannot be read counts as not
//! there: the worst that comes of it is a run too many.
//!
//! A scheduler looks at the records of all jobs every few minutes, and there may be a thousand: one
//! listing a replica says which of them changed, and only those are read ([`Seen`]).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use tokio::time::Instant;

use super::error::{ErrorKind, Result};
use super::format::VERSION;
use super::format::job::{JobRecord, KIND, RunRecord};
use super::open::Vault;
use super::replica::Replica;
use super::{layout, state};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::Name;
use crate::objects::ObjectMeta;
use crate::progress::Problem;

/// How long before it was read a record must have been as it is: stores tell when something was
/// written in whole seconds, so what is written twice within one looks the same.
const SETTLED: Duration = Duration::from_secs(5);
/// How long a record that looks the same is taken for the same, in case that a store tells wrong.
const BELIEVED: Duration = Duration::from_hours(6);

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
            runs: 0,
        }
    }

    /// Takes note of a run that ended.
    pub fn ended(&mut self, run: RunRecord, well: bool) {
        self.runs = self.runs.saturating_add(1);
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

    /// Orders copies: the one that knows of more runs, and of the latest. A run that a wrong clock dated
    /// into the future does not stand before those that came after it.
    fn age(&self) -> (u64, Option<Timestamp>, Option<Timestamp>) {
        let ended = |run: &RunRecord| run.ended.parse().ok();
        (self.runs, self.last.as_ref().and_then(ended), self.covered())
    }
}

/// Reads what is known of a job; `None` when no live replica knows of it.
pub async fn load(vault: &Vault, job: &Name) -> Option<JobRecord> {
    let copies = vault.replicas.live().map(|replica| read(vault, replica, job));
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

async fn read(vault: &Vault, replica: &Replica, job: &Name) -> Option<JobRecord> {
    let key = layout::job(job);
    match state::read::<JobRecord>(vault, replica, &key, KIND).await {
        Ok(found) => found.filter(|found| found.job == *job),
        Err(error) => {
            let detail = format!("it is not believed: {error}");
            vault.warn(Problem::new("not-a-job-record", key, detail));
            None
        }
    }
}

/// Records as they were read before, for a process that looks at them again and again. What a listing
/// shows to be as it was is not read again, unless it changed so shortly before it was read that the
/// listing would not tell.
#[derive(Debug, Default)]
pub struct Seen(Mutex<HashMap<Place, Sight>>);

/// A record on one replica, by the name of that.
type Place = (String, Name);

/// How a record was found.
#[derive(Debug, Clone)]
struct Sight {
    size: u64,
    modified: Timestamp,
    /// When it was first seen so, and when it was read since.
    first: Instant,
    read: Instant,
    record: Arc<JobRecord>,
}

impl Sight {
    fn is_of(&self, meta: &ObjectMeta) -> bool {
        Some(self.modified) == meta.modified && self.size == meta.size
    }

    fn is_believed(&self, now: Instant) -> bool {
        self.read - self.first >= SETTLED && now - self.read < BELIEVED
    }
}

impl Seen {
    /// Returns what a listing shows to be known.
    fn recall(&self, place: &Place, meta: &ObjectMeta, now: Instant) -> Option<Arc<JobRecord>> {
        let seen = self.0.lock().expect("no holder of this lock can panic");
        let sight = seen.get(place).filter(|sight| sight.is_of(meta) && sight.is_believed(now))?;
        Some(Arc::clone(&sight.record))
    }

    /// Takes note of what was read after a listing that was there at `listed`. What could not be read
    /// is tried again the next time.
    fn note(&self, place: &Place, meta: &ObjectMeta, listed: Instant, record: Option<&Arc<JobRecord>>) {
        let mut seen = self.0.lock().expect("no holder of this lock can panic");
        let (Some(record), Some(modified)) = (record.map(Arc::clone), meta.modified) else {
            return drop(seen.remove(place));
        };
        let before = seen.get(place).filter(|sight| sight.is_of(meta)).map(|sight| sight.first);
        let first = before.unwrap_or(listed);
        seen.insert(place.clone(), Sight { size: meta.size, modified, first, read: listed, record });
    }

    /// Forgets what is no longer listed on a replica.
    fn keep_only(&self, replica: &Replica, listed: &[(Name, ObjectMeta)]) {
        let listed: HashSet<&Name> = listed.iter().map(|(job, _)| job).collect();
        let mut seen = self.0.lock().expect("no holder of this lock can panic");
        seen.retain(|(name, job), _| *name != replica.name || listed.contains(job));
    }
}

/// Reads what live replicas know of all jobs that `is_asked` says yes to: one listing a replica, and
/// those records that were not `seen` as they are. A replica that cannot be listed leaves the run.
pub async fn load_all(
    vault: &Vault,
    is_asked: impl Fn(&Name) -> bool,
    seen: &Seen,
) -> BTreeMap<Name, Arc<JobRecord>> {
    let listed =
        vault.replicas.live().map(|replica| async move { (replica, replica.store.list(layout::JOBS).await) });
    let listed = join_all(listed).await;
    let at = Instant::now();
    let mut copies = Vec::new();
    for (replica, listed) in listed {
        let objects = match listed {
            Ok(objects) => objects,
            Err(error) => {
                replica.fail(error);
                continue;
            }
        };
        let named = |object: ObjectMeta| Some((layout::parse_job(&object.key)?, object));
        let records: Vec<(Name, ObjectMeta)> = objects.into_iter().filter_map(named).collect();
        seen.keep_only(replica, &records);
        let asked = records.into_iter().filter(|(job, _)| is_asked(job));
        copies.extend(asked.map(|(job, meta)| (replica, job, meta)));
    }
    let found = stream::iter(copies).map(|(replica, job, meta)| async move {
        let place = (replica.name.clone(), job);
        let known = seen.recall(&place, &meta, at);
        let (is_known, record) = match known {
            Some(record) => (true, Some(record)),
            None => (false, read(vault, replica, &place.1).await.map(Arc::new)),
        };
        (place, meta, is_known, record)
    });
    let mut found = found.buffered(vault.limits.store_concurrency);
    let mut newest: BTreeMap<Name, Arc<JobRecord>> = BTreeMap::new();
    while let Some((place, meta, is_known, record)) = found.next().await {
        // Replicas hold the same, which is kept once.
        let other = newest.get(&place.1);
        let record = match (other, record) {
            (Some(other), Some(record)) if **other == *record => Some(Arc::clone(other)),
            (_, record) => record,
        };
        if !is_known {
            seen.note(&place, &meta, at, record.as_ref());
        }
        if let Some(record) = record
            && other.is_none_or(|other| record.age() > other.age())
        {
            newest.insert(place.1, record);
        }
    }
    newest
}

/// Writes what is known of a job to every live replica.
///
/// # Errors
///
/// When no replica took it; one that did not is warned of.
pub async fn store(vault: &Vault, record: &JobRecord) -> Result<()> {
    state::store_everywhere(vault, &record.key, record, "job-record-not-stored").await
}
