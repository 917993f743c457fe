//! One run of one job: once, under a lease, and on record in the vault.
//!
//! Whoever runs a job (the scheduler, a timer, a person) does it as an [`Errand`], whatever the work
//! is: asks whether it was done, asks for the lease, works while the lease is kept, records how it
//! ended, gives the lease back. It lies here and not in a command so that years of it can be
//! rehearsed without one.
//!
//! Where leases cannot be asked, what only adds runs all the same: two snapshots are harmless, none
//! is not. What removes does not, and is stopped when its lease ends because its place was away for so
//! long. A run whose lease another has taken meanwhile is that other's: it is neither on record nor
//! told as failed.
//!
//! Records are made by the clocks of several machines: what one says of the future covers nothing,
//! because a run too many is harmless, and one that never comes is not.
//!
//! **If we crash here**, the lease lasts until it ends and the run is not on record: the next host
//! makes up for it.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::agenda::Known;
use super::cron::Cron;
use super::job::{Job, Work};
use crate::clock::{Timestamp, rfc3339};
use crate::vault::error::{Result, VaultError};
use crate::vault::format::job::{JobRecord, RunRecord};
use crate::vault::jobs as records;
use crate::vault::lease::{Asked, Held, Holder, Leases, Standing, Step};
use crate::vault::open::Vault;

/// A run that is to be.
#[derive(Debug, Clone, Copy)]
pub struct Errand<'a> {
    /// The vault: for the lease, the record, and the work.
    pub vault: &'a Arc<Vault>,
    /// The job.
    pub job: &'a Job,
    /// The time that it is for.
    pub planned: Timestamp,
    /// Not when another has done it since `planned`.
    pub if_due: bool,
    /// Who asks.
    pub holder: &'a Holder,
    /// The replica that gives leases; `None`: the first that can.
    pub lease_of: Option<&'a str>,
}

/// The answer to who wants to run an errand.
#[derive(Debug)]
pub enum Asking {
    /// It is his.
    Granted(Arc<Held>),
    /// It is his, and perhaps that of another too: whether somebody else is at it cannot be asked,
    /// for this reason. Only for what adds.
    Unsure(VaultError),
    /// Another holds the lease.
    Elsewhere {
        /// Machine of the other.
        host: String,
        /// After this time it ends, unless it is renewed.
        wait: Duration,
    },
    /// Another has done it.
    Covered(Known),
}

impl Errand<'_> {
    /// Asks for the errand.
    ///
    /// # Errors
    ///
    /// For what removes, when leases cannot be asked: two at once could remove more than each alone.
    pub async fn ask(&self) -> Result<Asking> {
        if let Some(known) = self.covered().await {
            return Ok(Asking::Covered(known));
        }
        let asking = match self.lease().await {
            Ok(asking) => asking,
            Err(error) if removes(self.job.work) => return Err(error),
            Err(error) => Asking::Unsure(error),
        };
        // The other may have finished just before it gave the lease back.
        match (asking, self.covered().await) {
            (elsewhere @ Asking::Elsewhere { .. }, _) => Ok(elsewhere),
            (Asking::Granted(held), Some(known)) => {
                give_back(Some(&held), self.vault).await;
                Ok(Asking::Covered(known))
            }
            (_, Some(known)) => Ok(Asking::Covered(known)),
            (asking, None) => Ok(asking),
        }
    }

    async fn lease(&self) -> Result<Asking> {
        let leases = Leases::of(self.vault, self.lease_of, self.vault.limits().lease_lasts)?;
        Ok(match leases.acquire(&self.job.name, self.holder).await? {
            Asked::Granted(lease) => {
                let held = Arc::new(Held::new(&leases, lease));
                self.vault.hold(&held);
                Asking::Granted(held)
            }
            Asked::Held { host, wait, .. } => Asking::Elsewhere { host, wait },
        })
    }

    async fn covered(&self) -> Option<Known> {
        if !self.if_due {
            return None;
        }
        let known = known(&records::load(self.vault, &self.job.name).await?)?;
        // One from the future (some clock was wrong) would keep the job from running until then.
        let now = later(self.vault.now(), self.vault.limits().clock_skew_max);
        (self.planned..=now).contains(&known.covered).then_some(known)
    }

    /// Records how a run ended, on every replica that takes it.
    ///
    /// # Errors
    ///
    /// When none took it, or what was known before cannot be read now: then it counts as not done,
    /// and is made up for.
    pub async fn record(&self, run: RunRecord, well: bool, now: Timestamp) -> Result<()> {
        let known = records::find(self.vault, &self.job.name).await?;
        let first_seen = || {
            let began = run.started.parse().unwrap_or(now);
            JobRecord::first_seen(self.vault, &self.job.name, self.job.work.word(), began)
        };
        let mut record = known.unwrap_or_else(first_seen);
        record.ended(run, well);
        record.next = next(self.job, now);
        records::store(self.vault, &record).await
    }
}

/// Does the work of a job while its lease is kept. When it may not go on without, `cancel` is
/// cancelled, the work is waited for, and why is returned beside what the work says: what it
/// committed, it committed while that did no harm.
pub async fn under_lease<T>(
    held: Option<&Held>,
    job: &Job,
    vault: &Vault,
    cancel: &CancellationToken,
    work: impl Future<Output = T>,
) -> (T, Option<VaultError>) {
    let Some(held) = held else { return (work.await, None) };
    let step = if removes(job.work) { Step::Removes } else { Step::Adds };
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => (done, None),
        lost = held.keep(vault, step) => {
            cancel.cancel();
            (work.await, Some(lost))
        }
    }
}

/// Returns the machine that has taken the lease of a run which did not end well: the run is its own
/// now. `None` where nobody has, or where that cannot be asked.
pub async fn taken_by(held: Option<&Held>, vault: &Vault) -> Option<String> {
    match held?.standing(vault).await {
        Ok(Standing::Taken { host }) => Some(host.unwrap_or_else(|| "another host".to_owned())),
        Ok(Standing::Held | Standing::Ended) | Err(_) => None,
    }
}

/// Gives a lease back, so that nobody waits for its end. Where that fails it ends by itself.
pub async fn give_back(held: Option<&Held>, vault: &Vault) {
    if let Some(held) = held
        && let Err(error) = held.release(vault).await
    {
        tracing::debug!(%error, "a lease was not given back; it ends by itself");
    }
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    TimeDelta::from_std(by).ok().and_then(|by| at.checked_add_signed(by)).unwrap_or(at)
}

/// Whether two runs at once could remove more than each alone.
pub fn removes(work: Work) -> bool {
    match work {
        Work::Retain | Work::Prune { .. } | Work::PrivacyPurge => true,
        Work::Snapshot { .. }
        | Work::Replicate
        | Work::Verify { .. }
        | Work::AccessReview
        | Work::PrivacyCheck
        | Work::Drill => false,
    }
}

/// What a scheduler needs to know of a record.
pub fn known(record: &JobRecord) -> Option<Known> {
    let done = record.last.as_ref().map(|last| record.last_success.as_ref() == Some(last));
    Some(Known { covered: record.covered()?, done })
}

/// When a job runs next, as its record says it.
pub fn next(job: &Job, now: Timestamp) -> Option<String> {
    job.cron.as_ref().and_then(|cron: &Cron| cron.next_after(now)).map(rfc3339)
}
