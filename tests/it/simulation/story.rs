//! What happens in a simulation, drawn from its seed: storms in which everything goes wrong, and
//! calms after which all must be well.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use prismvault::objects::ErrorKind;
use prismvault::objects::faults::{Condition, Fault, FaultRule};
use prismvault::schedule::{Agenda, Change, Pace, Scheduler, Times};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::hand::{Act, Machinist};
use super::model::Counts;
use super::world::{HOSTS, World};

/// How often a machine asks for publishes, as its job says.
const POLL: Duration = Duration::from_hours(6);
/// So long lasts a calm: each weekly job runs in it, and then a day for what follows.
const CALM: Duration = Duration::from_hours(9 * 24);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// What a simulation is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Story {
    pub(super) seed: u64,
    /// How many days it lasts, at least.
    pub(super) days: u64,
    pub(super) replicas: usize,
    pub(super) min_copies: usize,
    /// Most are not: who may read what is no question of time, and takes most of it.
    pub(super) is_encrypted: bool,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) broken: Vec<String>,
    pub(super) story: Vec<String>,
    pub(super) counts: Counts,
    pub(super) days: u64,
}

#[derive(Debug, Clone)]
enum Event {
    Storm,
    Strike,
    Calm,
    Healed,
    Look,
    /// Something is published; from time to time, or once.
    Publish {
        again: bool,
    },
    /// A scheduler dies; only the one that began then.
    Crash(usize, Duration),
    Start(usize),
    MendReplica(usize),
    MendLink(usize, usize),
    MendClock(usize),
    MendFaults(usize),
}

/// A scheduler that runs.
struct Running {
    began: Duration,
    hand: Machinist,
    changes: mpsc::Sender<Change>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    /// Whether it dies during the next run.
    doomed: bool,
}

struct Director {
    story: Story,
    world: Arc<World>,
    dice: fastrand::Rng,
    agenda: BTreeMap<(Duration, u64), Event>,
    number: u64,
    running: [Option<Running>; 2],
    stage: mpsc::UnboundedSender<Act>,
    begun: mpsc::UnboundedSender<usize>,
    is_storm: bool,
    is_over: bool,
}

impl Story {
    /// Returns the story of a seed, which lasts so long.
    pub(super) fn of(seed: u64, days: u64) -> Self {
        Self {
            seed,
            days,
            replicas: 3 - (seed + 1) as usize % 2,
            min_copies: 1 + (seed / 2 % 2) as usize,
            is_encrypted: seed % 8 == 4,
        }
    }

    /// Plays the story. It ends at the first thing that is not as it must be.
    pub(super) fn play(self) -> Told {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let local = LocalSet::new();
        let (stage, mut acts) = mpsc::unbounded_channel::<Act>();
        local.spawn_local(async move {
            let mut playing = JoinSet::new();
            loop {
                tokio::select! {
                    biased;
                    Some(ended) = playing.join_next() => ended.expect("no act fails"),
                    act = acts.recv() => match act {
                        Some(act) => drop(playing.spawn_local(act())),
                        None => return,
                    },
                }
            }
        });
        runtime.block_on(local.run_until(self.direct(stage)))
    }

    async fn direct(self, stage: mpsc::UnboundedSender<Act>) -> Told {
        let world = Arc::new(World::new(self.seed, self.replicas, self.min_copies, self.is_encrypted).await);
        let (begun, mut hears) = mpsc::unbounded_channel();
        let mut director = Director {
            story: self,
            dice: fastrand::Rng::with_seed(!self.seed),
            world: Arc::clone(&world),
            agenda: BTreeMap::new(),
            number: 0,
            running: [None, None],
            stage,
            begun,
            is_storm: false,
            is_over: false,
        };
        director.set_the_scene();
        while !director.is_over && world.model().broken.is_empty() {
            let Some((&(at, number), _)) = director.agenda.first_key_value() else { break };
            tokio::select! {
                biased;
                Some(machine) = hears.recv() => director.hear(machine),
                () = sleep_until(world.clock.moment(at)) => {
                    let event = director.agenda.remove(&(at, number)).expect("it was there");
                    director.happen(event).await;
                }
            }
        }
        director.running = [None, None];
        if world.model().broken.is_empty() {
            world.restore_all().await;
        }
        let days = world.clock.passed().as_secs() / DAY.as_secs();
        let mut model = world.model();
        Told {
            broken: std::mem::take(&mut model.broken),
            story: std::mem::take(&mut model.story),
            counts: model.counts.clone(),
            days,
        }
    }
}

impl Director {
    fn set_the_scene(&mut self) {
        self.start(0);
        self.after(DAY * 2, Event::Storm);
        self.after(HOUR * 30, Event::Look);
        self.after(HOUR, Event::Publish { again: true });
    }

    fn after(&mut self, wait: Duration, event: Event) {
        self.number += 1;
        self.agenda.insert((self.world.clock.passed() + wait, self.number), event);
    }

    /// A span between two, of which short ones are more likely.
    fn span(&mut self, least: Duration, most: Duration) -> Duration {
        let share = self.dice.f64().powi(2);
        Duration::from_millis((least + (most - least).mul_f64(share)).as_millis() as u64)
    }

    fn pace(&self) -> Pace {
        Pace {
            at_once: 2,
            late_after: Duration::from_mins(10),
            backoff: Duration::from_mins(1),
            backoff_max: HOUR,
            seed: self.story.seed.to_string(),
        }
    }

    fn start(&mut self, machine: usize) {
        if self.running[machine].is_some() {
            return;
        }
        let hand = Machinist::new(&self.world, machine, &self.stage, &self.begun);
        let times = Times {
            look_again: HOUR / 2,
            recall_again: Duration::from_mins(5),
            finish: Duration::from_mins(1),
            abandon: Duration::from_secs(20),
        };
        let clock = Arc::clone(&self.world.machines[machine].clock);
        let scheduler = Scheduler::new(Agenda::new(self.pace()), Arc::new(hand.clone()), clock, times);
        let (changes, receiver) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(scheduler.run(self.world.jobs.clone(), receiver, stop.clone()));
        let (polls, sender) = (hand.clone(), changes.clone());
        // A moment later than another machine that began at once.
        let later = Duration::from_millis(1700 + 900 * machine as u64);
        tasks.spawn(async move {
            sleep(later).await;
            loop {
                if polls.poll() && sender.send(live()).await.is_err() {
                    return;
                }
                sleep(POLL).await;
            }
        });
        self.world.tell(format!("{} starts", HOSTS[machine]));
        let began = self.world.clock.passed();
        self.running[machine] = Some(Running { began, hand, changes, stop, tasks, doomed: false });
    }

    fn crash(&mut self, machine: usize) {
        if let Some(running) = self.running[machine].take() {
            // Whatever it does ends where it waits.
            drop(running);
            self.world.tell(format!("{} dies", HOSTS[machine]));
            self.world.model().counts.crashes += 1;
        }
    }

    async fn stop(&mut self, machine: usize) {
        if let Some(mut running) = self.running[machine].take() {
            self.world.tell(format!("{} is told to stop", HOSTS[machine]));
            running.stop.cancel();
            // The scheduler ends by itself, and is joined first; who polls is ended then.
            while let Some(ended) = running.tasks.join_next().await {
                running.tasks.abort_all();
                drop(ended);
            }
        }
    }

    /// A run has begun.
    fn hear(&mut self, machine: usize) {
        let Some(running) = self.running[machine].as_mut().filter(|running| running.doomed) else { return };
        running.doomed = false;
        let began = running.began;
        let wait = match self.dice.u8(..3) {
            0 => self.span(Duration::ZERO, Duration::from_mins(20)),
            1 => self.span(Duration::ZERO, Duration::from_secs(90)),
            _ => self.span(Duration::ZERO, Duration::from_secs(2)),
        };
        self.after(wait, Event::Crash(machine, began));
        let rest = self.rest();
        self.after(wait + rest, Event::Start(machine));
    }

    fn rest(&mut self) -> Duration {
        match self.dice.u8(..10) {
            0 => self.span(DAY * 3, DAY * 20),
            1..4 => self.span(HOUR, DAY * 3),
            _ => self.span(Duration::from_secs(20), HOUR * 3),
        }
    }

    async fn happen(&mut self, event: Event) {
        self.world.model().counts.events += 1;
        match event {
            Event::Storm => {
                self.is_storm = true;
                let lasts = match self.dice.u8(..4) {
                    0 => self.span(DAY * 40, DAY * 100),
                    _ => self.span(DAY * 3, DAY * 30),
                };
                self.world.tell("a storm begins");
                self.after(lasts, Event::Calm);
                self.after(HOUR, Event::Strike);
                if self.dice.bool() {
                    self.start(1);
                }
            }
            Event::Strike if self.is_storm => {
                self.strike().await;
                let wait = self.span(HOUR * 2, DAY * 6);
                self.after(wait, Event::Strike);
            }
            Event::Strike => {}
            Event::Calm => self.calm(),
            Event::Healed => self.healed().await,
            Event::Look => self.look().await,
            Event::Publish { again } => self.publish(again),
            Event::Crash(machine, began) => {
                if self.is_storm
                    && self.running[machine].as_ref().is_some_and(|running| running.began == began)
                {
                    self.crash(machine);
                }
            }
            Event::Start(machine) => self.start_in_storm(machine),
            Event::MendReplica(replica) => self.mend_in_storm(|world| world.set_replica(replica, None)),
            Event::MendLink(machine, replica) => {
                self.mend_in_storm(|world| world.set_link(machine, replica, None));
            }
            Event::MendClock(machine) => {
                self.mend_in_storm(|world| world.set_clock(machine, TimeDelta::zero()));
            }
            Event::MendFaults(machine) => self.mend_in_storm(|world| world.set_waiting(machine, Vec::new())),
        }
    }

    /// In a calm everything is mended already, and who runs is decided.
    fn mend_in_storm(&self, mend: impl FnOnce(&World)) {
        if self.is_storm {
            mend(&self.world);
        }
    }

    fn start_in_storm(&mut self, machine: usize) {
        if self.is_storm {
            if self.dice.u8(..4) == 0 {
                self.world.replace(machine);
            }
            self.start(machine);
        }
    }

    async fn strike(&mut self) {
        let machine = self.dice.usize(..2);
        let replica = self.dice.usize(..self.story.replicas);
        let host = HOSTS[machine];
        match self.dice.u8(..100) {
            0..14 => {
                self.crash(machine);
                let rest = self.rest();
                self.after(rest, Event::Start(machine));
            }
            14..36 => match &mut self.running[machine] {
                Some(running) => running.doomed = true,
                None => self.start(machine),
            },
            36..50 => {
                let condition = self.condition();
                let lasts = match self.dice.u8(..3) {
                    0 => self.span(DAY * 2, DAY * 60),
                    _ => self.span(HOUR / 6, DAY * 2),
                };
                self.world
                    .tell(format!("replica-{replica} is {condition:?} for {} h", lasts.as_secs() / 3600));
                self.world.set_replica(replica, Some(condition));
                self.after(lasts, Event::MendReplica(replica));
            }
            50..60 => {
                let condition = self.condition();
                let lasts = self.span(Duration::from_mins(1), DAY * 2);
                self.world.tell(format!("{host} finds replica-{replica} {condition:?}"));
                self.world.set_link(machine, replica, Some(condition));
                self.after(lasts, Event::MendLink(machine, replica));
            }
            60..72 => {
                let by = match self.dice.u8(..3) {
                    0 => self.span(Duration::from_mins(6), Duration::from_mins(90)),
                    1 => self.span(HOUR, HOUR * 30),
                    _ => self.span(DAY * 2, DAY * 40),
                };
                let by = TimeDelta::from_std(by).unwrap() * if self.dice.bool() { 1 } else { -1 };
                self.world.tell(format!("the clock of {host} is {} min wrong", by.num_minutes()));
                self.world.set_clock(machine, by);
                let lasts = self.span(HOUR, DAY * 4);
                self.after(lasts, Event::MendClock(machine));
            }
            72..90 => {
                let faults = self.faults();
                self.world.tell(format!("the links of {host} are bad"));
                self.world.set_waiting(machine, faults);
                let lasts = self.span(HOUR * 3, DAY * 2);
                self.after(lasts, Event::MendFaults(machine));
            }
            _ => {
                self.stop(machine).await;
                let rest = self.rest();
                self.after(rest, Event::Start(machine));
            }
        }
    }

    fn condition(&mut self) -> Condition {
        let all = [Condition::Unreachable, Condition::Denied, Condition::ReadOnly, Condition::NoSpace];
        *self.dice.choice(&all).expect("there are four")
    }

    /// Faults of single requests, at any point of what a machine does next.
    fn faults(&mut self) -> Vec<FaultRule> {
        let count = self.dice.usize(1..6);
        let mut at = 1;
        let fault = |dice: &mut fastrand::Rng| match dice.u8(..8) {
            0..3 => Fault::Fail(ErrorKind::Transient),
            3 => Fault::Fail(ErrorKind::Unknown),
            4..6 => Fault::LoseAnswer,
            6 => Fault::Delay(Duration::from_secs(dice.u64(1..60))),
            _ => Fault::Delay(Duration::from_secs(dice.u64(60..2400))),
        };
        let faults = std::iter::repeat_with(|| {
            at += self.dice.u64(1..150);
            FaultRule::new(fault(&mut self.dice)).from(at).times(self.dice.u64(1..4))
        });
        faults.take(count).collect()
    }

    fn calm(&mut self) {
        self.is_storm = false;
        self.world.tell("all is mended");
        self.world.mend();
        let wanted = [[true, false], [false, true], [true, true]][self.dice.usize(..3)];
        for (machine, wanted) in wanted.into_iter().enumerate() {
            if let Some(running) = &mut self.running[machine] {
                running.doomed = false;
            }
            match wanted {
                true => self.start(machine),
                false => self.crash(machine),
            }
        }
        self.after(DAY, Event::Publish { again: false });
        self.after(CALM, Event::Healed);
    }

    async fn healed(&mut self) {
        self.world.look_when_healed().await;
        if self.world.clock.passed() > DAY * self.story.days as u32 {
            self.is_over = true;
        } else {
            self.after(HOUR, Event::Storm);
        }
    }

    async fn look(&mut self) {
        self.world.look().await;
        for (machine, running) in self.running.iter().enumerate() {
            if let Some(running) = running {
                self.world.expect_caught_up(machine, running.began);
            }
        }
        let wait = self.span(HOUR * 5, HOUR * 50);
        self.after(wait, Event::Look);
    }

    /// Something is published; of the machines that listen not every one hears of it.
    fn publish(&mut self, again: bool) {
        self.world.publish();
        for running in self.running.iter_mut().flatten() {
            if self.dice.u8(..10) < 6 {
                running.hand.publish();
                let (changes, wait) = (running.changes.clone(), self.dice.u64(10_000..60_000));
                running.tasks.spawn(async move {
                    sleep(Duration::from_millis(wait)).await;
                    drop(changes.send(live()).await);
                });
            }
        }
        if again {
            let wait = self.span(HOUR * 2, DAY * 7);
            self.after(wait, Event::Publish { again });
        }
    }
}

fn live() -> Change {
    Change::Trigger("live".parse().expect("it is a name"))
}
