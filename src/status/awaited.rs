//! Which runs of jobs are awaited: that were due, and have not ended since.
//!
//! A run is on record when it has ended. Until then nobody but its own machine knows whether it is under
//! way, so it is given the time that it may take, and only then counts as overdue.

use chrono::TimeDelta;

use super::facts::JobFacts;
use crate::clock::Timestamp;
use crate::limits::Limits;

/// A run that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Awaited {
    /// The first time at which a run should have begun and none did.
    since: Timestamp,
    /// Until then it may have begun, and be under way.
    until: Timestamp,
}

impl Awaited {
    /// Returns the run of a job that was due by `now`; `None` where all have ended, or nobody knows.
    pub(super) fn of(job: &JobFacts, limits: &Limits, now: Timestamp) -> Option<Self> {
        let record = job.record.as_ref()?;
        let time = |text: &String| text.parse::<Timestamp>().ok();
        // Whether it went well is another matter: who ran it is not silent.
        // A run of the future (some clock was wrong) says nothing of who is there now.
        let skew = TimeDelta::from_std(limits.clock_skew_max).unwrap_or_default();
        let is_past = |at: &Timestamp| *at <= now + skew;
        let started = record.last.as_ref().and_then(|run| time(&run.started)).filter(is_past);
        let began = started.max(time(&record.known_since).filter(is_past));
        let promised = record.next.as_ref().and_then(time);
        let planned = job.plan.as_ref().and_then(|plan| plan.last_due);
        let is_open = |at: &Timestamp| *at <= now && began.is_none_or(|began| *at > began);
        let since = [promised, planned].into_iter().flatten().filter(is_open).min()?;
        // It may take longer than the last one.
        let last = record
            .last
            .as_ref()
            .and_then(|run| Some(time(&run.ended)?.signed_duration_since(time(&run.started)?)));
        let patience = TimeDelta::from_std(limits.scheduler_silence).unwrap_or(TimeDelta::MAX);
        let jitter = job.plan.as_ref().and_then(|plan| plan.jitter).unwrap_or_default();
        let until = since.checked_add_signed(patience + jitter + last.unwrap_or_default() * 2)?;
        Some(Self { since, until })
    }

    /// Since when it is overdue, if it is.
    pub(super) fn overdue(&self, now: Timestamp) -> Option<Timestamp> {
        (now > self.until).then_some(self.since)
    }
}
