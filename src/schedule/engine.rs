//! The loop of the scheduler: begins jobs at their time, and ends them in time.
//!
//! What runs next is decided by [`Agenda`]; what a run does, and whether another host has done it
//! already, is asked of a [`Hand`]. Here is only the loop between the two: it waits, begins runs,
//! bounds them by their timeout, takes new jobs while others run, and stops cleanly.
//!
//! **Invariants**
//! - Time comes from a [`Clock`] and is asked again at least each [`Times::look_again`]: a machine
//!   that slept, or whose clock was set, is noticed then.
//! - No task outlives [`Scheduler::run`]: a run that does not end after it was told to is aborted,
//!   which is what a kill does, and a vault is valid after every write.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::agenda::{Agenda, Ended, Known, LeftOut, Start};
use super::job::Job;
use crate::clock::{Clock, Timestamp};
use crate::ids::Name;

/// Does the work, and knows what others did.
#[async_trait]
pub trait Hand: Send + Sync + 'static {
    /// Runs a job, unless another has done so or is doing so. Told to stop by `cancel`, it leaves
    /// everything valid and returns soon.
    async fn run(&self, start: &Start, cancel: CancellationToken) -> Ran;

    /// Says what is known of these jobs; `None` when that cannot be found out now.
    async fn recall(&self, jobs: &[Arc<Job>]) -> Option<Vec<(Name, Known)>>;

    /// Is told what happens.
    fn tell(&self, event: Event<'_>);

    /// Is told that the loop goes on: at least each [`Times::look_again`], also while the vault is
    /// slow to say what is known, until the scheduler stops.
    fn turned(&self) {}
}

/// How [`Hand::run`] came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// It ran here.
    Here(Ended),
    /// Another is at it; to be asked again after this time.
    Elsewhere(Duration),
    /// Another has done it.
    Covered(Known),
}

/// What happens, for logs, notifications and metrics.
#[derive(Debug)]
pub enum Event<'a> {
    /// A run begins.
    Begun(&'a Start),
    /// A run has ended, after this time.
    Ended(&'a Start, Ended, Duration),
    /// A run has been going for longer than its timeout, and is told to stop.
    TimedOut(&'a Start),
    /// Another host is at it.
    Elsewhere(&'a Start),
    /// A time passes without a run.
    LeftOut(&'a LeftOut),
    /// Nothing more is begun; this many runs are waited for.
    Stopping(usize),
}

/// What a scheduler is told while it runs.
#[derive(Debug)]
pub enum Change {
    /// These are the jobs from now on.
    Jobs(Vec<Arc<Job>>),
    /// A job is to run as soon as may be.
    Trigger(Name),
    /// From now on: most jobs at once, and [`Times::finish`].
    Settings {
        /// Most jobs at once. Runs that are under way go on, also when there are more.
        at_once: usize,
        /// How long runs may go on after the scheduler is told to stop.
        finish: Duration,
    },
}

/// Times that the loop keeps to.
#[derive(Debug, Clone)]
pub struct Times {
    /// Longest wait before the clock is looked at again.
    pub look_again: Duration,
    /// Wait before it is asked again what is known of the jobs, when that could not be found out.
    pub recall_again: Duration,
    /// How long runs may go on after the scheduler is told to stop, before they are told as well.
    pub finish: Duration,
    /// How long a run may take to stop once it was told to, before it is aborted.
    pub abandon: Duration,
}

/// The scheduler of one process.
pub struct Scheduler {
    agenda: Agenda,
    hand: Arc<dyn Hand>,
    clock: Arc<dyn Clock>,
    times: Times,
    tasks: JoinSet<(Start, Ran, Duration)>,
    runs: HashMap<Id, (Name, CancellationToken)>,
    /// Jobs of which it is not known what was missed, and when that is asked again.
    unknown: Option<(Vec<Arc<Job>>, Instant)>,
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler").field("agenda", &self.agenda).finish_non_exhaustive()
    }
}

impl Scheduler {
    /// Returns a scheduler that has not begun.
    pub fn new(agenda: Agenda, hand: Arc<dyn Hand>, clock: Arc<dyn Clock>, times: Times) -> Self {
        Self { agenda, hand, clock, times, tasks: JoinSet::new(), runs: HashMap::new(), unknown: None }
    }

    /// Runs `jobs`, and whatever `changes` brings, until `stop` is cancelled.
    pub async fn run(
        mut self,
        jobs: Vec<Arc<Job>>,
        mut changes: mpsc::Receiver<Change>,
        stop: CancellationToken,
    ) {
        self.take(jobs);
        let mut more = true;
        while !stop.is_cancelled() {
            self.hand.turned();
            let beating = beat(Arc::clone(&self.hand), self.times.look_again);
            // The vault may be slow to answer; to stop is not.
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.recall() => {}
                () = beating => {}
            }
            self.begin_what_is_due();
            let wakes = self.wakes();
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = self.tasks.join_next_with_id() => self.note(ended),
                changed = changes.recv(), if more => match changed {
                    Some(Change::Jobs(jobs)) => self.take(jobs),
                    Some(Change::Trigger(job)) => self.agenda.trigger(&job, self.clock.now()),
                    Some(Change::Settings { at_once, finish }) => {
                        self.agenda.set_at_once(at_once);
                        self.times.finish = finish;
                    }
                    None => more = false,
                },
                () = sleep_until(wakes) => {}
            }
        }
        self.stop().await;
    }

    fn take(&mut self, jobs: Vec<Arc<Job>>) {
        self.agenda.set_jobs(jobs.iter().cloned(), self.clock.now());
        self.unknown = Some((jobs, Instant::now()));
    }

    /// Asks what the vault knows of new jobs, before any of them begins; later again where that
    /// cannot be found out.
    async fn recall(&mut self) {
        let Some((jobs, _)) = self.unknown.as_ref().filter(|(_, at)| *at <= Instant::now()) else { return };
        let known = self.hand.recall(jobs).await;
        let now = self.clock.now();
        match known {
            Some(known) => {
                self.unknown = None;
                known.into_iter().for_each(|(job, known)| self.agenda.learn(&job, known, now));
            }
            None => {
                let at = Instant::now() + self.times.recall_again;
                self.unknown = self.unknown.take().map(|(jobs, _)| (jobs, at));
            }
        }
    }

    fn wakes(&self) -> Instant {
        let now = self.clock.now();
        let wait = self.agenda.wakes().map(|at| until(now, at));
        let wakes = Instant::now() + wait.unwrap_or(self.times.look_again).min(self.times.look_again);
        self.unknown.as_ref().map_or(wakes, |(_, at)| wakes.min(*at))
    }

    fn begin_what_is_due(&mut self) {
        let due = self.agenda.due(self.clock.now());
        for left_out in &due.left_out {
            self.hand.tell(Event::LeftOut(left_out));
        }
        for start in due.start {
            self.hand.tell(Event::Begun(&start));
            let cancel = CancellationToken::new();
            let name = start.job.name.clone();
            let run = run(Arc::clone(&self.hand), start, cancel.clone(), self.times.abandon);
            let task = self.tasks.spawn(run);
            self.runs.insert(task.id(), (name, cancel));
        }
    }

    fn note(&mut self, ended: Result<(Id, (Start, Ran, Duration)), tokio::task::JoinError>) {
        let now = self.clock.now();
        match ended {
            Ok((id, (start, ran, took))) => {
                self.runs.remove(&id);
                let job = &start.job.name;
                match ran {
                    Ran::Here(ended) => {
                        self.hand.tell(Event::Ended(&start, ended, took));
                        self.agenda.ended(job, ended, now);
                    }
                    Ran::Elsewhere(wait) => {
                        self.hand.tell(Event::Elsewhere(&start));
                        self.agenda.elsewhere(job, later(now, wait));
                    }
                    Ran::Covered(known) => {
                        self.hand.tell(Event::Elsewhere(&start));
                        self.agenda.elsewhere(job, now);
                        self.agenda.learn(job, known, now);
                    }
                }
            }
            Err(error) => {
                // It panicked: a mistake in this program, which must not take the other jobs along.
                tracing::error!(%error, "a run ended by a mistake in prismvault");
                if let Some((job, _)) = self.runs.remove(&error.id()) {
                    self.agenda.ended(&job, Ended::Failed, now);
                }
            }
        }
    }

    /// Lets runs finish, then tells them to stop, then ends them.
    async fn stop(&mut self) {
        if self.tasks.is_empty() {
            return;
        }
        self.hand.tell(Event::Stopping(self.tasks.len()));
        let finish = Instant::now() + self.times.finish;
        self.drain(finish).await;
        for (_, cancel) in self.runs.values() {
            cancel.cancel();
        }
        let abandon = Instant::now() + self.times.abandon;
        self.drain(abandon).await;
        self.tasks.shutdown().await;
    }

    async fn drain(&mut self, until: Instant) {
        while let Ok(Some(ended)) = timeout_at(until, self.tasks.join_next_with_id()).await {
            self.note(ended);
        }
    }
}

/// Says that the loop goes on, for as long as it is waited for.
async fn beat(hand: Arc<dyn Hand>, every: Duration) {
    loop {
        sleep(every).await;
        hand.turned();
    }
}

/// One run, within its timeout.
async fn run(
    hand: Arc<dyn Hand>,
    start: Start,
    cancel: CancellationToken,
    abandon: Duration,
) -> (Start, Ran, Duration) {
    let begun = Instant::now();
    let ran = {
        let work = hand.run(&start, cancel.clone());
        tokio::pin!(work);
        match timeout_at(begun + start.job.timeout, &mut work).await {
            Ok(ran) => ran,
            Err(_) => {
                hand.tell(Event::TimedOut(&start));
                cancel.cancel();
                // Whatever it says now, it did not come to its end in time.
                match timeout_at(Instant::now() + abandon, work).await {
                    Ok(Ran::Here(Ended::Done)) => Ran::Here(Ended::Done),
                    _ => Ran::Here(Ended::Retry),
                }
            }
        }
    };
    (start, ran, begun.elapsed())
}

fn until(now: Timestamp, at: Timestamp) -> Duration {
    (at - now).to_std().unwrap_or_default()
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    chrono::TimeDelta::from_std(by).ok().and_then(|by| at.checked_add_signed(by)).unwrap_or(at)
}
