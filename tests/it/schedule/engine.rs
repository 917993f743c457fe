//! The loop of the scheduler, in paused time: hours pass in milliseconds.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use prismvault::clock::{Clock, Timestamp};
use prismvault::ids::Name;
use prismvault::limits::Limits;
use prismvault::schedule::{
    Agenda, Change, Ended, Event, Hand, Job, Known, Pace, Ran, Scheduler, Start, Times,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// A clock that goes with the paused time of the runtime, and can be set.
#[derive(Debug)]
struct PausedClock {
    began: Instant,
    set: Mutex<Timestamp>,
}

impl PausedClock {
    fn at(text: &str) -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), set: Mutex::new(text.parse().unwrap()) })
    }

    fn jump(&self, by: TimeDelta) {
        *self.set.lock().unwrap() += by;
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        *self.set.lock().unwrap() + TimeDelta::from_std(self.began.elapsed()).unwrap()
    }
}

/// What a run does: how long it takes, and how it comes out.
#[derive(Clone)]
struct Plan {
    takes: Duration,
    ran: Ran,
    /// Whether it listens when it is told to stop.
    listens: bool,
}

struct FakeHand {
    clock: Arc<PausedClock>,
    plans: BTreeMap<&'static str, Plan>,
    /// What the vault knows; `None` while it cannot be asked.
    known: Mutex<Option<Vec<(Name, Known)>>>,
    told: Mutex<Vec<String>>,
    /// How long the vault takes to say what it knows.
    recall_takes: Duration,
    turned: Mutex<Option<Instant>>,
}

impl FakeHand {
    fn new(clock: &Arc<PausedClock>, plans: &[(&'static str, Plan)]) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::clone(clock),
            plans: plans.iter().cloned().collect(),
            known: Mutex::new(Some(Vec::new())),
            told: Mutex::default(),
            recall_takes: Duration::ZERO,
            turned: Mutex::default(),
        })
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

#[async_trait]
impl Hand for FakeHand {
    async fn run(&self, start: &Start, cancel: CancellationToken) -> Ran {
        let plan = self.plans[start.job.name.as_str()].clone();
        tokio::select! {
            () = sleep(plan.takes) => plan.ran,
            () = cancel.cancelled(), if plan.listens => Ran::Here(Ended::Failed),
        }
    }

    async fn recall(&self, _jobs: &[Arc<Job>]) -> Option<Vec<(Name, Known)>> {
        if !self.recall_takes.is_zero() {
            sleep(self.recall_takes).await;
        }
        self.known.lock().unwrap().clone()
    }

    fn turned(&self) {
        *self.turned.lock().unwrap() = Some(Instant::now());
    }

    fn tell(&self, event: Event<'_>) {
        let what = match event {
            Event::Begun(start) => {
                format!("{} begins ({}, {} missed)", start.job.name, start.attempt, start.missed)
            }
            Event::Ended(start, how, took) => format!("{} {how:?} after {}s", start.job.name, took.as_secs()),
            Event::TimedOut(start) => format!("{} takes too long", start.job.name),
            Event::Elsewhere(start) => format!("{} elsewhere", start.job.name),
            Event::LeftOut(left_out) => format!("{} left out", left_out.job),
            Event::Stopping(runs) => format!("stopping, {runs} run"),
        };
        self.told.lock().unwrap().push(format!("{} {what}", self.clock.now().format("%H:%M:%S")));
    }
}

fn plan(takes: u64, ran: Ran) -> Plan {
    Plan { takes: Duration::from_secs(takes), ran, listens: true }
}

const DONE: Ran = Ran::Here(Ended::Done);

fn job(name: &str, text: &str) -> Arc<Job> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(format!("{name}.toml"));
    let text = format!("job = \"snapshot\"\nrepositories = [\"*\"]\n{text}\n");
    std::fs::File::create(&file).unwrap().write_all(text.as_bytes()).unwrap();
    Arc::new(Job::load(&file, &Limits::default()).unwrap())
}

/// A scheduler under way.
struct Live {
    clock: Arc<PausedClock>,
    hand: Arc<FakeHand>,
    changes: mpsc::Sender<Change>,
    stop: CancellationToken,
    task: tokio::task::JoinSet<()>,
}

impl Live {
    fn begin(clock: &Arc<PausedClock>, hand: &Arc<FakeHand>, jobs: Vec<Arc<Job>>) -> Self {
        let pace = Pace {
            at_once: 4,
            late_after: Duration::from_mins(5),
            backoff: Duration::from_mins(1),
            backoff_max: Duration::from_hours(1),
            seed: String::new(),
        };
        let times = Times {
            look_again: Duration::from_secs(30),
            recall_again: Duration::from_mins(5),
            finish: Duration::from_secs(60),
            abandon: Duration::from_secs(20),
        };
        let clock_of_it: Arc<dyn Clock> = Arc::<PausedClock>::clone(clock);
        let hand_of_it: Arc<dyn Hand> = Arc::<FakeHand>::clone(hand);
        let scheduler = Scheduler::new(Agenda::new(pace), hand_of_it, clock_of_it, times);
        let (changes, receiver) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let mut task = tokio::task::JoinSet::new();
        task.spawn(scheduler.run(jobs, receiver, stop.clone()));
        Self { clock: Arc::clone(clock), hand: Arc::clone(hand), changes, stop, task }
    }

    /// Lets time pass, a little more than asked, and returns what was told.
    async fn pass(&self, seconds: u64) -> Vec<String> {
        sleep(Duration::from_millis(seconds * 1000 + 1)).await;
        self.hand.told()
    }

    async fn end(mut self) -> Vec<String> {
        self.stop.cancel();
        self.task.join_next().await.unwrap().unwrap();
        self.hand.told()
    }
}

const NONE: [&str; 0] = [];

#[tokio::test(start_paused = true)]
async fn a_job_runs_at_its_time_and_the_scheduler_ends_when_told() {
    let clock = PausedClock::at("2026-11-21T02:00:00Z");
    let hand = FakeHand::new(&clock, &[("nightly", plan(90, DONE))]);
    let live = Live::begin(&clock, &hand, vec![job("nightly", "cron = \"15 2 * * *\"")]);
    assert_eq!(live.pass(899).await, NONE);
    assert_eq!(live.pass(2).await, ["02:15:00 nightly begins (1, 0 missed)"]);
    assert_eq!(live.pass(100).await, ["02:16:30 nightly Done after 90s"]);
    assert_eq!(live.pass(3600).await, NONE);
    assert_eq!(live.end().await, NONE);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_stopped_and_tried_again() {
    let clock = PausedClock::at("2026-11-21T02:00:00Z");
    let hand = FakeHand::new(&clock, &[("nightly", plan(7200, DONE))]);
    let jobs = vec![job("nightly", "cron = \"1 2 * * *\"\ntimeout = \"10m\"\nretries = 1")];
    let live = Live::begin(&clock, &hand, jobs);
    let told = live.pass(1800).await;
    assert_eq!(
        told,
        [
            "02:01:00 nightly begins (1, 0 missed)",
            "02:11:00 nightly takes too long",
            "02:11:00 nightly Retry after 600s",
            "02:12:00 nightly begins (2, 0 missed)",
            "02:22:00 nightly takes too long",
            "02:22:00 nightly Retry after 600s",
        ]
    );
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_listen_is_ended_and_keeps_nobody_else() {
    let clock = PausedClock::at("2026-11-21T02:00:00Z");
    let deaf = Plan { listens: false, ..plan(1_000_000, DONE) };
    let hand = FakeHand::new(&clock, &[("deaf", deaf), ("other", plan(1, DONE))]);
    let jobs =
        vec![job("deaf", "cron = \"1 2 * * *\"\ntimeout = \"1m\""), job("other", "cron = \"*/5 * * * *\"")];
    let live = Live::begin(&clock, &hand, jobs);
    let told = live.pass(400).await;
    assert_eq!(
        told,
        [
            "02:01:00 deaf begins (1, 0 missed)",
            "02:02:00 deaf takes too long",
            "02:02:20 deaf Retry after 80s",
            "02:05:00 other begins (1, 0 missed)",
            "02:05:01 other Done after 1s",
        ]
    );
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn runs_under_way_may_finish_when_the_scheduler_stops() {
    let clock = PausedClock::at("2026-11-21T02:00:00Z");
    let deaf = Plan { listens: false, ..plan(1_000_000, DONE) };
    let hand =
        FakeHand::new(&clock, &[("short", plan(50, DONE)), ("long", plan(3600, DONE)), ("deaf", deaf)]);
    let jobs = ["short", "long", "deaf"].map(|name| job(name, "cron = \"1 2 * * *\"")).into();
    let live = Live::begin(&clock, &hand, jobs);
    assert_eq!(live.pass(70).await.len(), 3);
    let began = Instant::now();
    assert_eq!(
        live.end().await,
        ["02:01:10 stopping, 3 run", "02:01:50 short Done after 50s", "02:02:10 long Failed after 70s"]
    );
    assert_eq!(began.elapsed().as_secs(), 80, "a minute to finish, 20 seconds to give up");
}

#[tokio::test(start_paused = true)]
async fn what_another_host_does_is_looked_at_again() {
    let clock = PausedClock::at("2026-11-21T02:00:00Z");
    let elsewhere = Ran::Elsewhere(Duration::from_mins(5));
    let hand = FakeHand::new(&clock, &[("nightly", plan(0, elsewhere))]);
    let live = Live::begin(&clock, &hand, vec![job("nightly", "cron = \"1 2 * * *\"")]);
    let told = live.pass(400).await;
    assert_eq!(
        told,
        [
            "02:01:00 nightly begins (1, 0 missed)",
            "02:01:00 nightly elsewhere",
            "02:06:00 nightly begins (1, 0 missed)",
            "02:06:00 nightly elsewhere",
        ]
    );
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_another_host_has_done_is_not_done_again() {
    let clock = PausedClock::at("2026-11-21T02:00:00Z");
    let known = Known { covered: "2026-11-21T02:01:00Z".parse().unwrap(), done: Some(true) };
    let hand = FakeHand::new(&clock, &[("nightly", plan(0, Ran::Covered(known)))]);
    let live = Live::begin(&clock, &hand, vec![job("nightly", "cron = \"1 2 * * *\"")]);
    assert_eq!(
        live.pass(3600).await,
        ["02:01:00 nightly begins (1, 0 missed)", "02:01:00 nightly elsewhere"]
    );
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_ahead_is_noticed_within_half_a_minute() {
    let clock = PausedClock::at("2026-11-21T02:00:00Z");
    let hand = FakeHand::new(&clock, &[("nightly", plan(1, DONE))]);
    let live = Live::begin(&clock, &hand, vec![job("nightly", "cron = \"0 3 * * *\"")]);
    assert_eq!(live.pass(10).await, NONE);
    // The machine slept.
    live.clock.jump(TimeDelta::hours(5));
    let told = live.pass(30).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].ends_with("nightly begins (1, 0 missed)"), "{told:?}");
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn new_jobs_are_taken_while_others_run() {
    let clock = PausedClock::at("2026-11-21T02:00:00Z");
    let hand = FakeHand::new(&clock, &[("a", plan(600, DONE)), ("b", plan(1, DONE))]);
    let live = Live::begin(&clock, &hand, vec![job("a", "cron = \"1 2 * * *\"")]);
    live.pass(120).await;
    live.changes.send(Change::Jobs(vec![job("b", "cron = \"5 2 * * *\"")])).await.unwrap();
    let told = live.pass(600).await;
    assert_eq!(
        told,
        ["02:05:00 b begins (1, 0 missed)", "02:05:01 b Done after 1s", "02:11:00 a Done after 600s"]
    );
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn other_settings_are_taken_while_jobs_run() {
    let clock = PausedClock::at("2026-11-21T02:00:00Z");
    let hand = FakeHand::new(&clock, &[("a", plan(60, DONE)), ("b", plan(3600, DONE))]);
    let jobs = ["a", "b"].map(|name| job(name, "cron = \"1 2 * * *\"")).into();
    let live = Live::begin(&clock, &hand, jobs);
    let settings = Change::Settings { at_once: 1, finish: Duration::from_secs(5) };
    live.changes.send(settings).await.unwrap();
    let told = live.pass(130).await;
    let expected =
        ["02:01:00 a begins (1, 0 missed)", "02:02:00 a Done after 60s", "02:02:00 b begins (1, 0 missed)"];
    assert_eq!(told, expected, "one after the other");
    let began = Instant::now();
    assert_eq!(live.end().await.len(), 2);
    assert_eq!(began.elapsed().as_secs(), 5, "the time to finish is the new one");
}

#[tokio::test(start_paused = true)]
async fn the_loop_goes_on_while_the_vault_is_slow_to_answer() {
    let clock = PausedClock::at("2026-11-21T02:00:00Z");
    let mut hand = FakeHand::new(&clock, &[("a", plan(1, DONE))]);
    Arc::get_mut(&mut hand).unwrap().recall_takes = Duration::from_hours(3);
    let live = Live::begin(&clock, &hand, vec![job("a", "cron = \"@yearly\"")]);
    for _ in 0..100 {
        live.pass(97).await;
        let silent = hand.turned.lock().unwrap().expect("it began").elapsed();
        assert!(silent <= Duration::from_secs(31), "{silent:?}");
    }
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_vault_knows_decides_what_was_missed() {
    let clock = PausedClock::at("2026-11-21T09:30:00Z");
    let hand = FakeHand::new(&clock, &[("hourly", plan(1, DONE))]);
    let known = Known { covered: "2026-11-21T06:00:05Z".parse().unwrap(), done: Some(true) };
    hand.known.lock().unwrap().as_mut().unwrap().push(("hourly".parse().unwrap(), known));
    let live = Live::begin(&clock, &hand, vec![job("hourly", "cron = \"0 * * * *\"")]);
    let told = live.pass(5).await;
    assert_eq!(told, ["09:30:00 hourly begins (1, 2 missed)", "09:30:01 hourly Done after 1s"]);
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_vault_that_cannot_be_asked_is_asked_again() {
    let clock = PausedClock::at("2026-11-21T09:30:00Z");
    let hand = FakeHand::new(&clock, &[("daily", plan(1, DONE))]);
    *hand.known.lock().unwrap() = None;
    let live = Live::begin(&clock, &hand, vec![job("daily", "cron = \"0 2 * * *\"")]);
    assert_eq!(live.pass(299).await, NONE, "nobody knows whether anything was missed");
    let known = Known { covered: "2026-11-20T02:00:00Z".parse().unwrap(), done: Some(true) };
    *hand.known.lock().unwrap() = Some(vec![("daily".parse().unwrap(), known)]);
    let told = live.pass(5).await;
    assert_eq!(told, ["09:35:00 daily begins (1, 0 missed)", "09:35:01 daily Done after 1s"]);
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_triggered_job_runs_at_once_and_once_more_when_it_was_running() {
    let clock = PausedClock::at("2026-11-21T09:30:00Z");
    let hand = FakeHand::new(&clock, &[("live", plan(60, DONE))]);
    let live = Live::begin(&clock, &hand, vec![job("live", "cron = \"0 2 * * *\"")]);
    let trigger = async || live.changes.send(Change::Trigger("live".parse().unwrap())).await.unwrap();
    trigger().await;
    assert_eq!(live.pass(10).await, ["09:30:00 live begins (1, 0 missed)"]);
    for _ in 0..100 {
        trigger().await;
    }
    let told = live.pass(300).await;
    assert_eq!(
        told,
        [
            "09:31:00 live Done after 60s",
            "09:31:00 live begins (1, 0 missed)",
            "09:32:00 live Done after 60s"
        ]
    );
    // A job that is not there is nobody's.
    live.changes.send(Change::Trigger("gone".parse().unwrap())).await.unwrap();
    assert_eq!(live.pass(300).await, NONE);
    live.end().await;
}
