//! The world of a simulation: one vault on replicas in memory, the machines that reach it, and what
//! is published.
//!
//! Time is that of the paused runtime. Every machine has a clock of its own, which can be wrong, and
//! a link of its own to each replica, which takes time and can break.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::TimeDelta;
use prismvault::clock::{Clock, ManualClock, Timestamp};
use prismvault::config::Config;
use prismvault::ids::Name;
use prismvault::limits::Limits;
use prismvault::objects::ObjectStore;
use prismvault::objects::faults::{Condition, Fault, FaultRule, FaultStore};
use prismvault::objects::memory::MemoryStore;
use prismvault::schedule::Job;
use prismvault::vault::error::Result;
use prismvault::vault::open::{Keys, OpenOptions, Pins, Vault};
use prismvault::vault::replica::{Replica, Replicas};
use prismvault::vault::signing::SigningKey;
use tokio::time::Instant;

use super::model::Model;
use crate::backups::{Backup, Stores};

/// The machines with a scheduler.
pub(super) const HOSTS: [&str; 2] = ["a", "b"];
/// The machine on which somebody looks at `status`.
pub(super) const OBSERVER: usize = 2;
/// Documents of the repository.
const DOCUMENTS: u64 = 12;

/// The jobs, as files.
const JOBS: [(&str, &str); 6] = [
    (
        "nightly",
        "job = \"snapshot\"\nrepositories = [\"*\"]\ncron = \"0 2 * * *\"\njitter = \"10m\"\nretries = 2\ntimeout = \"6h\"",
    ),
    ("live", "job = \"snapshot\"\nrepositories = [\"*\"]\non_publish = true\npoll = \"6h\"\nretries = 1"),
    // At a time of its own: a snapshot may fail until the replicas have caught up.
    ("copies", "job = \"replicate\"\nrepositories = [\"*\"]\ncron = \"30 3 * * *\""),
    (
        "checks",
        "job = \"verify\"\nrepositories = [\"*\"]\nlevel = \"bytes\"\ncron = \"0 6 * * 0\"\nretries = 2",
    ),
    ("thinning", "job = \"retain\"\nrepositories = [\"*\"]\ncron = \"0 4 * * 1,4\"\nretries = 1"),
    (
        "cleaning",
        "job = \"prune\"\nrepositories = [\"*\"]\ncron = \"0 5 * * 1\"\nafter = \"thinning\"\nretries = 1",
    ),
];

/// The clock that is right.
#[derive(Debug)]
pub(super) struct TrueClock {
    began: Instant,
    start: Timestamp,
}

impl TrueClock {
    /// How much time has passed since the beginning.
    pub(super) fn passed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The moment of the runtime at which so much time has passed.
    pub(super) fn moment(&self, passed: Duration) -> Instant {
        self.began + passed
    }
}

impl Clock for TrueClock {
    fn now(&self) -> Timestamp {
        self.start + TimeDelta::from_std(self.passed()).unwrap()
    }
}

/// The clock of one machine.
#[derive(Debug)]
pub(super) struct HostClock {
    truth: Arc<TrueClock>,
    offset: Mutex<TimeDelta>,
}

impl Clock for HostClock {
    fn now(&self) -> Timestamp {
        self.truth.now() + *self.offset.lock().unwrap()
    }
}

/// One machine.
pub(super) struct Machine {
    pub(super) clock: Arc<HostClock>,
    /// To each replica.
    links: Vec<FaultStore>,
    /// What the client remembers; another directory for a machine that was replaced.
    remembers: Mutex<PathBuf>,
}

/// What is wrong now.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// Replicas, for everybody.
    down: Vec<Option<Condition>>,
    /// Links of each machine.
    cut: Vec<Vec<Option<Condition>>>,
    /// Faults that wait on the links of each machine.
    waiting: Vec<Vec<FaultRule>>,
    /// When anything of a machine last became worse or better, and how often that was.
    changed: Vec<(Duration, u64)>,
}

/// Everything.
pub(super) struct World {
    pub(super) clock: Arc<TrueClock>,
    pub(super) raw: Vec<MemoryStore>,
    pub(super) machines: Vec<Machine>,
    pub(super) config: Config,
    pub(super) jobs: Vec<Arc<Job>>,
    pub(super) model: Mutex<Model>,
    trouble: Mutex<Trouble>,
    dice: Mutex<fastrand::Rng>,
    revision: Mutex<(u64, Duration)>,
    min_copies: usize,
    backup: Backup,
    directory: tempfile::TempDir,
}

pub(super) fn blog() -> Name {
    "blog".parse().unwrap()
}

/// The documents at a revision: each publish changes one of them.
pub(super) fn content(revision: u64) -> Vec<(String, Vec<u8>)> {
    let document = |n: u64| {
        let changed = revision.checked_sub(n).map_or(0, |since| since / DOCUMENTS * DOCUMENTS + n);
        let text =
            format!("{{\"id\":\"doc-{n:02}\",\"changed\":{changed},\"text\":\"{}\"}}", "x".repeat(100));
        (format!("documents/en-us/page/doc-{n:02}.json"), text.into_bytes())
    };
    (0..DOCUMENTS).map(document).collect()
}

impl World {
    /// Makes a vault on as many replicas, of which a snapshot needs `min_copies`.
    pub(super) async fn new(seed: u64, replicas: usize, min_copies: usize, is_encrypted: bool) -> Self {
        let start: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        let clock = Arc::new(TrueClock { began: Instant::now(), start });
        let raw: Vec<MemoryStore> = (0..replicas)
            .map(|n| MemoryStore::new(&format!("replica-{n}"), Arc::<TrueClock>::clone(&clock)))
            .collect();
        let named = |(n, store): (usize, &MemoryStore)| {
            let store: Arc<dyn ObjectStore> = Arc::new(store.clone());
            (format!("replica-{n}"), store)
        };
        let stores: Stores = raw.iter().enumerate().map(named).collect();
        let backup = Backup::on(stores, is_encrypted, Arc::new(ManualClock::new(start))).await;
        // Leases are given by stores of which it is known that they can.
        backup.probe().await;
        let directory = tempfile::tempdir().unwrap();
        let machine = |name: &str| Machine {
            clock: Arc::new(HostClock { truth: Arc::clone(&clock), offset: Mutex::default() }),
            links: raw.iter().map(|store| FaultStore::new(Arc::new(store.clone()))).collect(),
            remembers: Mutex::new(directory.path().join(name)),
        };
        let machines: Vec<Machine> = [HOSTS[0], HOSTS[1], "observer"].map(machine).into();
        let trouble = Trouble {
            down: vec![None; replicas],
            cut: vec![vec![None; replicas]; machines.len()],
            waiting: vec![Vec::new(); machines.len()],
            changed: vec![(Duration::ZERO, 0); machines.len()],
        };
        let world = Self {
            config: config(directory.path(), replicas),
            jobs: JOBS.iter().map(|(name, text)| job(directory.path(), name, text)).collect(),
            clock,
            raw,
            machines,
            model: Mutex::default(),
            trouble: Mutex::new(trouble),
            dice: Mutex::new(fastrand::Rng::with_seed(seed)),
            revision: Mutex::default(),
            min_copies,
            backup,
            directory,
        };
        (0..=OBSERVER).for_each(|machine| world.refresh(machine));
        world
    }

    /// Opens the vault from a machine.
    pub(super) async fn open(&self, machine: usize) -> Result<Arc<Vault>> {
        let own = &self.machines[machine];
        let replica = |(n, link): (usize, &FaultStore)| {
            let store: Arc<dyn ObjectStore> = Arc::new(link.clone());
            Replica::new(format!("replica-{n}"), store)
        };
        let replicas = own.links.iter().enumerate().map(replica).collect();
        let mut identities = vec![self.backup.operator.clone()];
        if machine == OBSERVER {
            identities.push(self.backup.recovery.clone());
        }
        let remembers = own.remembers.lock().unwrap().clone();
        let options = OpenOptions {
            limits: self.backup.limits.clone(),
            clock: Arc::<HostClock>::clone(&own.clock),
            keys: Keys {
                identities,
                signing: Some(SigningKey::parse(&self.backup.signing).unwrap()),
                ..Keys::default()
            },
            pins: Pins { vault: None, root: Some(self.backup.root.public().clone()) },
            cache: None,
            spool: remembers.with_extension("spool"),
            state: Some(remembers),
        };
        Ok(Arc::new(Vault::open(Replicas::new(replicas, Some(self.min_copies)), options).await?))
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.backup.limits
    }

    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap()
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap()
    }

    /// Casts the dice of what runs here.
    pub(super) fn cast<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.dice.lock().unwrap())
    }

    /// Tells what happens, for whoever reads the story of a failure.
    pub(super) fn tell(&self, what: impl Into<String>) {
        let at = self.clock.now().format("%Y-%m-%d %H:%M:%S%.3f");
        self.model().story.push(format!("{at} {}", what.into()));
    }

    /// Notes that something is not as it must be.
    pub(super) fn broken(&self, what: impl Into<String>) {
        let what = what.into();
        self.tell(format!("BROKEN: {what}"));
        self.model().broken.push(what);
    }

    /// The newest revision, and when it was published.
    pub(super) fn revision(&self) -> (u64, Duration) {
        *self.revision.lock().unwrap()
    }

    /// Publishes a change.
    pub(super) fn publish(&self) {
        let mut revision = self.revision.lock().unwrap();
        *revision = (revision.0 + 1, self.clock.passed());
    }
}

/// Trouble, and its end.
impl World {
    /// Breaks a replica for everybody, or mends it.
    pub(super) fn set_replica(&self, replica: usize, condition: Option<Condition>) {
        self.trouble().down[replica] = condition;
        (0..=OBSERVER).for_each(|machine| self.refresh(machine));
    }

    /// Breaks the link of one machine, or mends it.
    pub(super) fn set_link(&self, machine: usize, replica: usize, condition: Option<Condition>) {
        self.trouble().cut[machine][replica] = condition;
        self.refresh(machine);
    }

    /// Lets these faults wait on the links of a machine, instead of those that waited.
    pub(super) fn set_waiting(&self, machine: usize, faults: Vec<FaultRule>) {
        self.trouble().waiting[machine] = faults;
        self.refresh(machine);
    }

    /// Sets the clock of a machine wrong by so much.
    pub(super) fn set_clock(&self, machine: usize, offset: TimeDelta) {
        *self.machines[machine].clock.offset.lock().unwrap() = offset;
        self.refresh(machine);
    }

    /// Replaces a machine: the new one remembers nothing.
    pub(super) fn replace(&self, machine: usize) {
        let name = format!("{}-{}", HOSTS[machine], self.clock.passed().as_secs());
        *self.machines[machine].remembers.lock().unwrap() = self.directory.path().join(name);
    }

    /// Mends everything.
    pub(super) fn mend(&self) {
        {
            let mut trouble = self.trouble();
            trouble.down.fill(None);
            trouble.cut.iter_mut().for_each(|links| links.fill(None));
            trouble.waiting.iter_mut().for_each(Vec::clear);
        }
        (0..=OBSERVER).for_each(|machine| self.set_clock(machine, TimeDelta::zero()));
    }

    /// Puts what is wrong onto the links.
    fn refresh(&self, machine: usize) {
        let mut trouble = self.trouble();
        trouble.changed[machine] = (self.clock.passed(), trouble.changed[machine].1 + 1);
        for (replica, link) in self.machines[machine].links.iter().enumerate() {
            let condition = trouble.down[replica].or(trouble.cut[machine][replica]);
            link.set_condition(condition.unwrap_or_default());
            link.clear();
            trouble.waiting[machine].iter().for_each(|fault| link.add(fault.clone()));
            if machine != OBSERVER {
                // Other times for each link, so that who comes first is decided by time alone.
                let way = 11 + 6 * replica as u64 + 2 * machine as u64;
                link.add(FaultRule::new(Fault::Delay(Duration::from_millis(way))));
            }
        }
    }

    /// Whether nothing is wrong with a machine, its clock, its links and the replicas.
    pub(super) fn is_sound(&self, machine: usize) -> bool {
        let trouble = self.trouble();
        let links = trouble.down.iter().chain(&trouble.cut[machine]);
        links.flatten().next().is_none()
            && trouble.waiting[machine].is_empty()
            && self.machines[machine].clock.offset.lock().unwrap().is_zero()
    }

    /// When trouble of a machine last changed, and how often it did.
    pub(super) fn changed(&self, machine: usize) -> (Duration, u64) {
        self.trouble().changed[machine]
    }

    /// Since when nothing is wrong with any scheduler's machine; now, where something is.
    pub(super) fn quiet_since(&self) -> Duration {
        let hosts = 0..HOSTS.len();
        match hosts.clone().all(|machine| self.is_sound(machine)) {
            true => hosts.map(|machine| self.changed(machine).0).max().unwrap_or_default(),
            false => self.clock.passed(),
        }
    }

    /// Whether anybody can read a replica.
    pub(super) fn is_readable(&self, replica: usize) -> bool {
        !matches!(self.trouble().down[replica], Some(Condition::Denied | Condition::Unreachable))
    }
}

fn write(file: &std::path::Path, text: &str) {
    std::fs::File::create(file).unwrap().write_all(text.as_bytes()).unwrap();
}

fn config(directory: &std::path::Path, replicas: usize) -> Config {
    let places = (0..replicas)
        .map(|n| format!("[[replicas]]\nname = \"replica-{n}\"\nurl = \"file:///nowhere/replica-{n}\"\n"));
    let text = format!(
        "[repositories.blog]\nrepository = \"acme-blog\"\n\
         [retention]\nkeep_last = 2\nkeep_daily = 7\nkeep_weekly = 4\nkeep_monthly = 6\nmin_snapshots = 3\n\
         [objectives]\nrpo = \"30h\"\nverified_within = \"16d\"\ncopies = {replicas}\n{}",
        places.collect::<String>()
    );
    let file = directory.join("prismvault.toml");
    write(&file, &text);
    Config::load(&file).unwrap()
}

fn job(directory: &std::path::Path, name: &str, text: &str) -> Arc<Job> {
    let file = directory.join(format!("{name}.toml"));
    write(&file, text);
    Arc::new(Job::load(&file, &Limits::default()).unwrap())
}
