//! Somebody looks at `status` from a third machine, and it is compared with what is true.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, Timestamp};
use prismvault::restore::OpenSnapshot;
use prismvault::schedule::Job;
use prismvault::status::{Asked, Plan, ScheduledJob, Severity, assess, collect};
use prismvault::vault::open::Vault;
use prismvault::vault::snapshots::{Snapshot, Snapshots};

use super::model::Taken;
use super::world::{OBSERVER, World, blog, content};

/// Alarms by key.
type Alarms = BTreeMap<String, Severity>;

/// So long may it take until a run that is due has been done, on a machine that is sound: jitter,
/// retries, the lease of a machine that died, and the longest work.
const PATIENCE: Duration = Duration::from_hours(5);

impl World {
    /// Looks at everything once.
    pub(super) async fn look(&self) {
        self.look_at_stores().await;
        self.model().counts.looks += 1;
        let readable: Vec<usize> = (0..self.raw.len()).filter(|replica| self.is_readable(*replica)).collect();
        let vault = match self.open(OBSERVER).await {
            Ok(vault) => vault,
            Err(_) if readable.is_empty() => return,
            Err(error) => return self.broken(format!("the vault cannot be opened: {error}")),
        };
        let Some(alarms) = self.alarms(&vault, &readable).await else { return };
        let snapshots = match Snapshots::load(&vault, None).await {
            Ok(snapshots) => snapshots,
            Err(error) => return self.broken(format!("snapshots cannot be listed: {error}")),
        };
        self.compare_replicas(&alarms, &readable, &snapshots);
        self.compare_objectives(&alarms, &readable);
        self.compare_jobs(&alarms, &readable);
        self.compare_history(&vault, &snapshots, &alarms, &readable).await;
    }

    async fn alarms(&self, vault: &Vault, readable: &[usize]) -> Option<Alarms> {
        let now = vault.now();
        let jobs = self.jobs.iter().map(|job| self.planned(job, now)).collect();
        let facts = match collect(vault, &self.config, &Asked { jobs, ..Asked::default() }).await {
            Ok(facts) => facts,
            Err(error) => {
                if !readable.is_empty() {
                    self.broken(format!("nothing can be said: {error}"));
                }
                return None;
            }
        };
        let objectives = self.config.repositories.iter();
        let objectives = objectives.map(|own| (own.name.clone(), self.config.objectives_of(own))).collect();
        let assessment = assess(&facts, &objectives, self.limits(), facts.at);
        let mut model = self.model();
        for alarm in &assessment.alarms {
            *model.counts.alarms.entry(alarm.kind().to_owned()).or_default() += 1;
        }
        Some(assessment.alarms.into_iter().map(|alarm| (alarm.key, alarm.severity)).collect())
    }

    fn planned(&self, job: &Job, now: Timestamp) -> ScheduledJob {
        let next = job.cron.as_ref().and_then(|cron| cron.next_after(now));
        let then = job.cron.as_ref().zip(next).and_then(|(cron, next)| cron.next_after(next));
        ScheduledJob {
            job: job.name.clone(),
            does: job.work.word(),
            plan: Plan {
                repositories: self.config.repositories.iter().map(|own| own.name.clone()).collect(),
                last_due: job.cron.as_ref().and_then(|cron| cron.last_until(now)),
                next,
                every: next.zip(then).map(|(next, then)| then - next),
                jitter: TimeDelta::from_std(job.jitter).ok(),
            },
        }
    }

    /// An alarm must be there exactly when something is the case.
    fn expect(&self, alarms: &Alarms, key: &str, is_so: bool, why: impl FnOnce() -> String) {
        let is_told = alarms.contains_key(key);
        if is_told != is_so {
            let what = if is_so { "is not told" } else { "is told, and is not so" };
            self.broken(format!("{key} {what} ({}); told: {:?}", why(), alarms.keys()));
        }
    }

    fn compare_replicas(&self, alarms: &Alarms, readable: &[usize], snapshots: &Snapshots) {
        let lacking = |replica: usize| {
            let model = self.model();
            let seen = |taken: &&Taken| {
                taken.on.iter().any(|on| readable.contains(on)) && !taken.on.contains(&replica)
            };
            let listed = snapshots.of(&blog()).iter().filter_map(|one| model.taken.get(one.id().as_str()));
            listed.filter(seen).count()
        };
        for replica in 0..self.raw.len() {
            let is_readable = readable.contains(&replica);
            self.expect(alarms, &format!("replica-away:replica-{replica}"), !is_readable, String::new);
            let lacking = if is_readable { lacking(replica) } else { 0 };
            if lacking > 0 {
                self.expect(alarms, &format!("replica-behind:replica-{replica}"), true, || {
                    format!("it lacks {lacking}")
                });
            }
        }
    }

    fn compare_objectives(&self, alarms: &Alarms, readable: &[usize]) {
        let now = self.clock.now();
        let newest = self.model().newest(|replica| readable.contains(&replica), now).cloned();
        let age = newest.as_ref().map(|newest| now - newest.started);
        let rpo = TimeDelta::hours(30);
        // What lies within a second of it may be told either way.
        if age.is_none_or(|age| (age - rpo).abs() > TimeDelta::seconds(2)) {
            let is_missed = age.is_none_or(|age| age > rpo);
            let told = alarms.get("rpo:blog") == Some(&Severity::Critical);
            // Of two that were taken at once, the one that joined the chain later counts.
            let may_be_missed = age.is_none_or(|age| age > rpo - TimeDelta::hours(1));
            if told != is_missed && told != may_be_missed {
                self.broken(format!("the newest snapshot is {age:?} old, and the alarm says {told}"));
            }
        }
        let copies = newest.map_or(0, |newest| newest.on.iter().filter(|on| readable.contains(on)).count());
        self.expect(alarms, "copies:blog", copies < self.raw.len(), || format!("{copies} copies"));
        let verified = self.model().verified;
        let within = Duration::from_hours(16 * 24);
        let is_missed = verified.is_none_or(|at| self.clock.passed() - at > within);
        if is_missed && alarms.get("verified_within:blog") != Some(&Severity::Critical) {
            self.broken(format!("nothing was verified since {verified:?}, and nobody is told: {alarms:?}"));
        }
    }

    /// A time that passed without anybody even trying must be told.
    fn compare_jobs(&self, alarms: &Alarms, readable: &[usize]) {
        if readable.len() < self.raw.len() {
            return;
        }
        let now = self.clock.now();
        for job in &self.jobs {
            let Some(cron) = &job.cron else { continue };
            // An hour of silence, the jitter, twice the longest run.
            let Some(due) = cron.last_until(now - TimeDelta::hours(5)) else { continue };
            if (now - due).to_std().unwrap() > self.clock.passed() {
                continue;
            }
            let sensible = due..=now + TimeDelta::minutes(6);
            let is_silent = !self
                .model()
                .begun
                .get(&job.name)
                .is_some_and(|all| all.iter().any(|at| sensible.contains(at)));
            let keys = [
                "scheduler-silent:vault".to_owned(),
                format!("job-overdue:{}", job.name),
                format!("job-never-ran:{}", job.name),
            ];
            if is_silent && !keys.iter().any(|key| alarms.contains_key(key)) {
                self.broken(format!(
                    "nobody tried {} since it was due at {due}, and nobody is told: {alarms:?}",
                    job.name
                ));
            }
        }
    }

    /// What the rules keep is there, and comes back.
    async fn compare_history(
        &self,
        vault: &Vault,
        snapshots: &Snapshots,
        alarms: &Alarms,
        readable: &[usize],
    ) {
        let complete: Vec<&Snapshot> =
            snapshots.of(&blog()).iter().filter(|snapshot| snapshot.is_complete()).collect();
        if readable.len() == self.raw.len() {
            self.compare_list(complete.iter().map(|one| one.id().to_string()).collect());
            for kind in ["history-lost", "history-short", "shrink"] {
                self.expect(alarms, &format!("{kind}:blog"), false, || "all replicas are there".to_owned());
            }
        }
        if !complete.is_empty() {
            let which = self.cast(|dice| dice.usize(..complete.len()));
            self.restore(vault, snapshots, complete[which]).await;
        }
    }

    /// Restores a snapshot, and compares every byte.
    pub(super) async fn restore(&self, vault: &Vault, snapshots: &Snapshots, snapshot: &Snapshot) {
        let read = async {
            let open = OpenSnapshot::open(vault, snapshots, &snapshot.manifest).await?;
            let reader = open.reader();
            let mut found = Vec::new();
            for entry in open.catalog().await? {
                found.push((entry.path.to_string(), reader.bytes(entry.item).await?.to_vec()));
            }
            Ok::<_, prismvault::restore::RestoreError>(found)
        };
        let id = snapshot.id().as_str();
        let revision = self.model().taken.get(id).map(|taken| taken.revision);
        match read.await {
            Ok(found) if Some(&found) == revision.map(content).as_ref() => self.model().counts.restored += 1,
            Ok(found) => {
                self.broken(format!("{id} gives other content than revision {revision:?}: {found:?}"));
            }
            Err(error) => {
                let on = self.model().taken.get(id).map(|taken| taken.on.clone());
                self.broken(format!("{id} on {on:?} does not come back: {error:?}"));
            }
        }
    }

    /// When all is well again: no alarm, everything everywhere, and what was published is stored.
    pub(super) async fn look_when_healed(&self) {
        let Ok(vault) = self.open(OBSERVER).await else {
            return self.broken("the vault cannot be opened");
        };
        self.look_at_stores().await;
        let all: Vec<usize> = (0..self.raw.len()).collect();
        let alarms = self.alarms(&vault, &all).await.unwrap_or_default();
        if !alarms.is_empty() {
            self.broken(format!("all is well, and these are told: {alarms:?}"));
        }
        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        let of = snapshots.of(&blog());
        let lacking: Vec<&str> =
            of.iter().filter(|one| one.on.len() < all.len()).map(|one| one.id().as_str()).collect();
        if !lacking.is_empty() {
            self.broken(format!("not on all replicas: {lacking:?}"));
        }
        // The rules keep at most so many, and a few were taken since they were last applied.
        if of.len() > 45 {
            self.broken(format!("{} snapshots are left", of.len()));
        }
        let stored = self.model().newest(|_| true, self.clock.now()).map(|newest| newest.revision);
        let (revision, published) = self.revision();
        if self.clock.passed() - published > Duration::from_hours(6) + PATIENCE && stored != Some(revision) {
            self.broken(format!("revision {revision} is not stored, the newest has {stored:?}"));
        }
    }

    /// Restores everything that is there.
    pub(super) async fn restore_all(&self) {
        let Ok(vault) = self.open(OBSERVER).await else {
            return self.broken("the vault cannot be opened");
        };
        self.look_at_stores().await;
        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        for snapshot in snapshots.of(&blog()).iter().filter(|one| one.is_complete()) {
            self.restore(&vault, &snapshots, snapshot).await;
        }
    }

    /// A scheduler that is sound has done what was due, also what nobody did before it began.
    pub(super) fn expect_caught_up(&self, machine: usize, began: Duration) {
        if !self.is_sound(machine) {
            return;
        }
        let passed = self.clock.passed();
        let sound = self.changed(machine).0;
        let now = self.clock.now();
        let at = |passed_then: Duration| now - TimeDelta::from_std(passed - passed_then).unwrap();
        let nightly = self.jobs[0].cron.as_ref().unwrap();
        let Some(latest) = passed.checked_sub(PATIENCE) else { return };
        let mut due = Vec::new();
        if began >= sound && latest >= began {
            // What was missed before it began; the job must have been there by then.
            due.extend(nightly.last_until(at(began)).filter(|at_time| *at_time > at(Duration::ZERO)));
        }
        due.extend(nightly.last_until(at(latest)).filter(|due| *due > at(sound.max(began))));
        // Also one with gaps: its machine may have been in trouble, and nobody runs it once more.
        let newest = self.model().taken.values().map(|one| one.started).filter(|at| *at <= now).max();
        for due in due {
            if newest.is_none_or(|newest| newest < due) {
                self.broken(format!(
                    "{} is sound since {sound:?} and runs since {began:?}, and nobody ran what was due at {due}: the newest is of {newest:?}",
                    super::world::HOSTS[machine]
                ));
            }
        }
    }
}
