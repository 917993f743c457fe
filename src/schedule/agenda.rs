//! What runs next: the deciding half of the scheduler, without a clock, a vault or a task.
//!
//! An [`Agenda`] is told the time and what happened, and answers which runs begin. So years of
//! schedules, crashes, clock jumps and two schedulers beside each other are tests that take
//! seconds.
//!
//! **Rules**
//! - A time is *covered* by the run that began at or after it. Of any number of times that nobody
//!   covered, the last is run, once (`catch_up`); a job without catching up lets go what is later
//!   than [`Pace::late_after`].
//! - What is covered comes from [`Agenda::learn`]: the record that the vault holds, which every
//!   scheduler of the vault reads. A job without a record begins with the moment it is first seen.
//! - A run that failed and may be tried again waits as [`Pace::backoff`] says, `retries` times;
//!   then its time counts as covered, and the next one is the next chance.
//! - A job that something [triggers](Agenda::trigger) runs at once; one that is running runs once
//!   more, however often it was triggered meanwhile.
//! - No job runs twice at once, and never more than [`Pace::at_once`] jobs.
//! - A job `after` others waits while one of them runs or is about to. When the last run of one of
//!   them failed, it is left out, and that is said.
//! - A record from the future (the clock was wrong then, or is wrong now) covers nothing later
//!   than now: a run too many is harmless, a run that never comes is not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::job::Job;
use crate::clock::Timestamp;
use crate::ids::{Digest, Name};

/// Bounds that an agenda keeps to.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Most jobs at once; at least 1.
    pub at_once: usize,
    /// How late a run of a job without catching up may begin.
    pub late_after: Duration,
    /// Wait before the first retry; each further one waits twice as long.
    pub backoff: Duration,
    /// Longest wait before a retry.
    pub backoff_max: Duration,
    /// Makes the jitter of one vault another than that of the next: a thousand clients with a job
    /// `nightly` do not begin in the same second.
    pub seed: String,
}

/// A run that is to begin now.
#[derive(Debug, Clone)]
pub struct Start {
    /// The job.
    pub job: Arc<Job>,
    /// The time it is for, without jitter.
    pub planned: Timestamp,
    /// 1 for the first try.
    pub attempt: u32,
    /// How many earlier times this run makes up for.
    pub missed: u32,
}

/// A time that passes without a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The job.
    pub job: Name,
    /// The time.
    pub planned: Timestamp,
    /// Why.
    pub why: Reason,
}

/// Why a time passes without a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Nobody ran it in time, and it does not catch up.
    TooLate,
    /// The last run of this job, which it comes after, failed.
    Failed(Name),
}

/// What [`Agenda::due`] answers.
#[derive(Debug, Default)]
pub struct Due {
    /// Runs to begin; they count as running from now.
    pub start: Vec<Start>,
    /// Times that pass without a run.
    pub left_out: Vec<LeftOut>,
}

/// How a run ended, as far as the agenda cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Done; also in part, when trying again would not help.
    Done,
    /// Failed; trying again may help.
    Retry,
    /// Failed; trying again at once would not help.
    Failed,
}

/// What the vault knows of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Times up to here need no run any more.
    pub covered: Timestamp,
    /// Whether the last run was [`Ended::Done`]; `None` when there was none.
    pub done: Option<bool>,
}

#[derive(Debug)]
struct Entry {
    job: Arc<Job>,
    covered: Timestamp,
    /// Whether the last run succeeded; `None` before the first.
    done: Option<bool>,
    /// When it last succeeded; for jobs that follow this one.
    done_at: Option<Timestamp>,
    phase: Phase,
    /// The first time later than `covered`, so that a thousand idle jobs cost nothing.
    next: Option<Timestamp>,
    /// No longer among the jobs: goes when its run ends.
    gone: bool,
    /// When it was triggered last while a run was under way.
    again: Option<Timestamp>,
    /// It is ready, and waits for a run to end.
    held_up: bool,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Idle,
    Waiting { planned: Timestamp, begin: Timestamp, attempt: u32, missed: u32 },
    Running { planned: Timestamp, began: Timestamp, attempt: u32 },
}

/// The jobs of one scheduler, and where each of them is.
#[derive(Debug)]
pub struct Agenda {
    pace: Pace,
    entries: BTreeMap<Name, Entry>,
}

impl Agenda {
    /// Returns an agenda without jobs.
    pub fn new(pace: Pace) -> Self {
        Self { pace, entries: BTreeMap::new() }
    }

    /// Takes the jobs as they are from now on. A run that is under way goes on; a job that is
    /// gone leaves when its run ends; one that changed keeps what is covered.
    pub fn set_jobs(&mut self, jobs: impl IntoIterator<Item = Arc<Job>>, now: Timestamp) {
        let mut here = BTreeSet::new();
        for job in jobs {
            here.insert(job.name.clone());
            match self.entries.get_mut(&job.name) {
                Some(entry) => {
                    if matches!(entry.phase, Phase::Waiting { .. }) {
                        // Planned by the old expression; what is still due shows itself again.
                        entry.phase = Phase::Idle;
                    }
                    entry.gone = false;
                    entry.job = job;
                    entry.plan();
                }
                None => {
                    let name = job.name.clone();
                    let mut entry = Entry {
                        job,
                        covered: now,
                        done: None,
                        done_at: None,
                        phase: Phase::Idle,
                        next: None,
                        gone: false,
                        again: None,
                        held_up: false,
                    };
                    entry.plan();
                    self.entries.insert(name, entry);
                }
            }
        }
        for entry in self.entries.values_mut() {
            entry.gone = !here.contains(&entry.job.name);
        }
        self.entries.retain(|_, entry| !entry.gone || entry.is_running());
    }

    /// Sets how many jobs run at once; at least 1. What runs already goes on.
    pub fn set_at_once(&mut self, at_once: usize) {
        self.pace.at_once = at_once;
    }

    /// Takes over what the vault knows of a job. A job that runs here knows better.
    pub fn learn(&mut self, job: &Name, known: Known, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(job).filter(|entry| !entry.is_running()) else { return };
        entry.covered = known.covered.min(now);
        entry.done = known.done;
        if known.done == Some(true) {
            entry.done_at = Some(entry.covered);
        }
        if let Phase::Waiting { planned, .. } = entry.phase
            && planned <= entry.covered
        {
            entry.phase = Phase::Idle;
        }
        entry.plan();
    }

    /// Asks for a run of a job as soon as may be. What a run that is under way does not see any
    /// more, one more run sees.
    pub fn trigger(&mut self, job: &Name, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(job).filter(|entry| !entry.gone) else { return };
        match entry.phase {
            Phase::Running { .. } => entry.again = Some(now),
            Phase::Waiting { .. } => {}
            Phase::Idle => entry.phase = Phase::Waiting { planned: now, begin: now, attempt: 1, missed: 0 },
        }
    }

    /// Returns what begins at `now`, soonest planned first.
    pub fn due(&mut self, now: Timestamp) -> Due {
        let mut due = Due::default();
        for entry in self.entries.values_mut() {
            entry.set_back(now);
            entry.held_up = false;
            if let Some(left_out) = entry.wake(now, &self.pace) {
                due.left_out.push(left_out);
            }
        }
        self.wake_followers(now);
        let ready = |entry: &&Entry| matches!(entry.phase, Phase::Waiting { begin, .. } if begin <= now);
        let mut names: Vec<(Timestamp, Name)> = self
            .entries
            .values()
            .filter(ready)
            .map(|entry| (entry.planned().expect("it waits"), entry.job.name.clone()))
            .collect();
        names.sort();
        let mut free = self.pace.at_once.max(1).saturating_sub(self.running());
        for (planned, name) in names {
            let obstacle = self.obstacle(&name);
            let entry = self.entries.get_mut(&name).expect("it was just found");
            match obstacle {
                Some(Obstacle::Wait) => entry.held_up = true,
                Some(Obstacle::Failed(other)) => {
                    entry.phase = Phase::Idle;
                    entry.covered = entry.covered.max(planned);
                    entry.done = Some(false);
                    entry.plan();
                    due.left_out.push(LeftOut { job: name, planned, why: Reason::Failed(other) });
                }
                None if free > 0 => {
                    free -= 1;
                    due.start.extend(entry.begin(now));
                }
                None => entry.held_up = true,
            }
        }
        if !due.left_out.is_empty() {
            // Who waited for one of these need not wait for a run to end.
            self.entries.values_mut().for_each(|entry| entry.held_up = false);
        }
        due
    }

    /// Takes note that a run has ended.
    pub fn ended(&mut self, job: &Name, how: Ended, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(job) else { return };
        let Phase::Running { planned, began, attempt } = entry.phase else { return };
        if entry.gone {
            self.entries.remove(job);
            return;
        }
        if how == Ended::Retry && attempt <= entry.job.retries {
            let wait =
                self.pace.backoff.saturating_mul(1 << (attempt - 1).min(16)).min(self.pace.backoff_max);
            entry.phase =
                Phase::Waiting { planned, begin: later(now, wait), attempt: attempt + 1, missed: 0 };
            return;
        }
        entry.phase = Phase::Idle;
        entry.covered = entry.covered.max(began.max(planned));
        entry.done = Some(how == Ended::Done);
        if how == Ended::Done {
            entry.done_at = Some(entry.covered);
        }
        if let Some(planned) = entry.again.take() {
            entry.phase = Phase::Waiting { planned, begin: now, attempt: 1, missed: 0 };
        }
        entry.plan();
    }

    /// Takes note that another scheduler has the job: it is looked at again at `again`, with what
    /// the vault knows by then ([`learn`](Self::learn)).
    pub fn elsewhere(&mut self, job: &Name, again: Timestamp) {
        let Some(entry) = self.entries.get_mut(job) else { return };
        if let Phase::Running { planned, attempt, .. } = entry.phase {
            let planned = entry.again.take().unwrap_or(planned);
            entry.phase = Phase::Waiting { planned, begin: again, attempt, missed: 0 };
        }
        if entry.gone {
            self.entries.remove(job);
        }
    }

    /// Returns when [`due`](Self::due) may have something new to say, apart from runs that end.
    pub fn wakes(&self) -> Option<Timestamp> {
        self.entries
            .values()
            .filter_map(|entry| match entry.phase {
                Phase::Idle => entry.next,
                Phase::Waiting { begin, .. } if !entry.held_up => Some(begin),
                Phase::Waiting { .. } | Phase::Running { .. } => None,
            })
            .min()
    }

    /// Number of runs under way.
    pub fn running(&self) -> usize {
        self.entries.values().filter(|entry| entry.is_running()).count()
    }

    /// Whether a job is among them.
    pub fn has(&self, job: &Name) -> bool {
        self.entries.contains_key(job)
    }

    /// A job without an expression waits from the success of what it comes after.
    fn wake_followers(&mut self, now: Timestamp) {
        let done: BTreeMap<Name, Timestamp> = self
            .entries
            .values()
            .filter_map(|entry| Some((entry.job.name.clone(), entry.done_at?)))
            .collect();
        for entry in self.entries.values_mut() {
            if entry.job.cron.is_some() || !matches!(entry.phase, Phase::Idle) || entry.gone {
                continue;
            }
            let all: Option<Vec<Timestamp>> =
                entry.job.after.iter().map(|other| done.get(other).copied()).collect();
            let Some(planned) = all.and_then(|times| times.into_iter().min()) else { continue };
            if planned > entry.covered {
                entry.phase = Phase::Waiting { planned, begin: now, attempt: 1, missed: 0 };
            }
        }
    }

    /// Returns what keeps a job that is ready from beginning.
    fn obstacle(&self, name: &Name) -> Option<Obstacle> {
        let entry = &self.entries[name];
        let mut failed = None;
        for other in entry.job.after.iter().filter_map(|other| self.entries.get(other)) {
            if !matches!(other.phase, Phase::Idle) {
                return Some(Obstacle::Wait);
            }
            if other.done == Some(false) {
                failed = Some(Obstacle::Failed(other.job.name.clone()));
            }
        }
        failed
    }
}

enum Obstacle {
    Wait,
    Failed(Name),
}

impl Entry {
    fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running { .. })
    }

    fn planned(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Waiting { planned, .. } | Phase::Running { planned, .. } => Some(planned),
            Phase::Idle => None,
        }
    }

    /// Works out the next time anew.
    fn plan(&mut self) {
        self.next = self.job.cron.as_ref().and_then(|cron| cron.next_after(self.covered));
    }

    /// After a clock was set back, what lies in the future covers nothing.
    fn set_back(&mut self, now: Timestamp) {
        // Or whoever follows this job would follow it until then.
        self.done_at = self.done_at.map(|at| at.min(now));
        if self.covered > now {
            self.covered = now;
            self.plan();
        }
        if let Phase::Waiting { planned, .. } = self.phase
            && planned > now
        {
            self.phase = Phase::Idle;
            self.plan();
        }
    }

    /// Lets an idle job wait for its turn when its time has come.
    fn wake(&mut self, now: Timestamp, pace: &Pace) -> Option<LeftOut> {
        let (Phase::Idle, Some(first), false) = (self.phase, self.next, self.gone) else { return None };
        if first > now {
            return None;
        }
        let cron = self.job.cron.as_ref().expect("a time comes from an expression");
        let planned = cron.last_until(now).unwrap_or(first);
        if !self.job.catch_up && later(planned, pace.late_after) < now {
            self.covered = now;
            self.plan();
            return Some(LeftOut { job: self.job.name.clone(), planned, why: Reason::TooLate });
        }
        let begin = later(planned, self.jitter(planned, pace)).max(now);
        self.phase = Phase::Waiting { planned, begin, attempt: 1, missed: missed(cron, first, planned) };
        None
    }

    fn begin(&mut self, now: Timestamp) -> Option<Start> {
        let Phase::Waiting { planned, attempt, missed, .. } = self.phase else { return None };
        self.again = None;
        self.phase = Phase::Running { planned, began: now, attempt };
        Some(Start { job: Arc::clone(&self.job), planned, attempt, missed })
    }

    /// The same for one time of one job, so that a restart changes nothing.
    fn jitter(&self, planned: Timestamp, pace: &Pace) -> Duration {
        let most = self.job.jitter.as_millis();
        if most == 0 {
            return Duration::ZERO;
        }
        let text = format!("{}/{}/{}", pace.seed, self.job.name, planned.timestamp());
        let digest = Digest::of(text.as_bytes());
        let first: [u8; 8] = digest.0[..8].try_into().expect("a digest has 32 bytes");
        Duration::from_millis((u128::from(u64::from_be_bytes(first)) % (most + 1)) as u64)
    }
}

/// Counts the times before `planned`, up to a hundred.
fn missed(cron: &super::Cron, first: Timestamp, planned: Timestamp) -> u32 {
    let times = std::iter::successors(Some(first), |at| cron.next_after(*at));
    times.take(100).take_while(|at| *at < planned).count() as u32
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    TimeDelta::from_std(by).ok().and_then(|by| at.checked_add_signed(by)).unwrap_or(at)
}
