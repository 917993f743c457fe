//! What a scheduler of the simulation does: the work of jobs by the same calls as the commands, on
//! the vault of the world, and in simulated time.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use prismvault::cli::error::CommandError;
use prismvault::cli::exit::Outcome;
use prismvault::clock::{Clock as _, rfc3339};
use prismvault::ids::{Name, SnapshotId};
use prismvault::progress::{Problem, Silent};
use prismvault::pruning::{self, PruneOptions};
use prismvault::replication;
use prismvault::retention::{self, Policies, plan_retention};
use prismvault::schedule::errand::{Asking, Errand, give_back, known, next, taken_by, under_lease};
use prismvault::schedule::{Ended, Event, Hand, Job, Known, Ran, Start, Work};
use prismvault::vault::commit::{Draft, LinksPart};
use prismvault::vault::error::{Result, VaultError};
use prismvault::vault::format::catalog::CatalogEntry;
use prismvault::vault::format::job::{JobRecord, RunRecord};
use prismvault::vault::format::manifest::{Consistency, Counts, Source, Tally};
use prismvault::vault::item::ItemKind;
use prismvault::vault::jobs as records;
use prismvault::vault::lease::Holder;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::open::Vault;
use prismvault::vault::pack::ItemData;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::vault::writer::{NewItem, Writer};
use prismvault::verification::{DamageKind, Level, Scope, VerifyOptions, verify};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::model::Span;
use super::world::{HOSTS, World, blog, content};
use crate::backups::verify_options;
use crate::replication::request;

/// Work for the stage: everything happens on one thread.
pub(super) type Act = Box<dyn FnOnce() -> LocalBoxFuture<'static, ()> + Send>;

/// The hand of one scheduler, from its start to its end. Clones are the same.
#[derive(Clone)]
pub(super) struct Machinist(Arc<Inner>);

struct Inner {
    world: Arc<World>,
    machine: usize,
    holder: Holder,
    stage: mpsc::UnboundedSender<Act>,
    /// Hears when a run begins.
    begun: mpsc::UnboundedSender<usize>,
    news: Mutex<News>,
}

/// What is known of publishes.
#[derive(Debug, Default)]
struct News {
    /// Something was published that no run has stored.
    published: bool,
    /// The revision that was seen last.
    seen: Option<u64>,
}

impl Machinist {
    pub(super) fn new(
        world: &Arc<World>,
        machine: usize,
        stage: &mpsc::UnboundedSender<Act>,
        begun: &mpsc::UnboundedSender<usize>,
    ) -> Self {
        // As a scheduler that begins asks the vault, so that its first poll is no snapshot in disguise.
        let stored = world.model().newest(|_| true, world.clock.now()).map(|newest| newest.revision);
        Self(Arc::new(Inner {
            world: Arc::clone(world),
            machine,
            holder: Holder::new(HOSTS[machine]),
            stage: stage.clone(),
            begun: begun.clone(),
            news: Mutex::new(News { published: false, seen: stored }),
        }))
    }

    /// Hears that something was published.
    pub(super) fn publish(&self) {
        self.0.news.lock().unwrap().published = true;
    }

    /// Asks the source; whether it has something new.
    pub(super) fn poll(&self) -> bool {
        let now = self.0.world.revision().0;
        let mut news = self.0.news.lock().unwrap();
        let is_new = news.seen != Some(now);
        news.seen = Some(now);
        news.published |= is_new;
        is_new
    }

    /// Does something on the stage; nothing of it happens any more once this is dropped.
    async fn act<T, F>(&self, work: impl FnOnce(Self) -> F + Send + 'static) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let gone = CancellationToken::new();
        let guard = gone.clone().drop_guard();
        let (this, world) = (self.clone(), Arc::clone(&self.0.world));
        let act = move || {
            async move {
                tokio::select! {
                    biased;
                    () = gone.cancelled() => {}
                    done = AssertUnwindSafe(work(this)).catch_unwind() => match done {
                        Ok(done) => drop(reply.send(done)),
                        Err(_) => world.broken("a run panicked"),
                    },
                }
            }
            .boxed_local()
        };
        self.0.stage.send(Box::new(act)).ok()?;
        let done = answer.await.ok();
        drop(guard);
        done
    }
}

/// How the scheduler takes an outcome; as the command does.
fn ended(outcome: Outcome) -> Ended {
    match outcome {
        outcome if is_done(outcome) => Ended::Done,
        Outcome::Failed => Ended::Retry,
        _ => Ended::Failed,
    }
}

fn is_done(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Complete | Outcome::Partial | Outcome::ObjectiveMissed)
}

fn outcome_of(error: VaultError) -> Outcome {
    CommandError::from(error).kind.outcome()
}

impl Inner {
    /// Takes note of publishes that a run is to store; of other jobs than `live` there are none.
    fn take_published(&self, job: &Job) -> bool {
        job.on_publish.is_some() && std::mem::take(&mut self.news.lock().unwrap().published)
    }

    async fn carry_out(&self, start: &Start, cancel: CancellationToken) -> Ran {
        let published = self.take_published(&start.job);
        let ran = self.carry_out_told(start, published, cancel).await;
        if published && !matches!(ran, Ran::Here(Ended::Done)) {
            *self.news.lock().unwrap() = News { published: true, seen: None };
        }
        let mut model = self.world.model();
        match ran {
            Ran::Here(_) => {
                *model.counts.runs.entry(start.job.name.to_string()).or_default() += 1;
                model.counts.missed += u64::from(start.missed > 0);
            }
            Ran::Elsewhere(_) => model.counts.elsewhere += 1,
            Ran::Covered(_) => model.counts.covered += 1,
        }
        ran
    }

    async fn carry_out_told(&self, start: &Start, published: bool, cancel: CancellationToken) -> Ran {
        let (world, job) = (&self.world, &start.job);
        let sound = world.is_sound(self.machine).then(|| world.changed(self.machine));
        let vault = match world.open(self.machine).await {
            Ok(vault) => vault,
            Err(error) => return self.not_begun(start, error),
        };
        let errand = Errand {
            vault: &vault,
            job,
            planned: start.planned,
            if_due: !published,
            holder: &self.holder,
            lease_of: None,
        };
        let held = match errand.ask().await {
            Ok(Asking::Granted(held)) => Some(held),
            Ok(Asking::Unsure(_)) => None,
            Ok(Asking::Elsewhere { wait, .. }) => {
                return Ran::Elsewhere(wait.clamp(Duration::from_secs(1), Duration::from_mins(10)));
            }
            Ok(Asking::Covered(known)) => return Ran::Covered(known),
            Err(error) => return self.not_begun(start, error),
        };
        let (started, granted) = (vault.now(), world.clock.passed());
        let begun = [world.clock.now(), started];
        world.model().begun.entry(job.name.clone()).or_default().extend(begun);
        self.begun.send(self.machine).ok();
        let own = cancel.child_token();
        let work = self.work(job, &vault, &own);
        let (result, lost) = under_lease(held.as_deref(), job, &vault, &own, work).await;
        let result = match lost {
            Some(lost) => result.map_err(|_| lost),
            None => result,
        };
        let told = result.as_ref().map_or_else(ToString::to_string, |outcome| format!("{outcome:?}"));
        let outcome = result.unwrap_or_else(outcome_of);
        if !is_done(outcome)
            && let Some(host) = taken_by(held.as_deref(), &vault).await
        {
            world.tell(format!("{} {}: {host} has taken its lease ({told})", HOSTS[self.machine], job.name));
            return Ran::Elsewhere(Duration::from_mins(1));
        }
        if outcome != Outcome::Interrupted {
            let run = RunRecord {
                run: format!("run-{}", granted.as_millis()),
                planned: rfc3339(start.planned),
                started: rfc3339(started),
                ended: rfc3339(vault.now()),
                exit_code: outcome.code(),
                attempts: start.attempt,
                host: HOSTS[self.machine].to_owned(),
            };
            if let Err(error) = errand.record(run, is_done(outcome), vault.now()).await {
                world.tell(format!("{} {}: not on record: {error}", HOSTS[self.machine], job.name));
            }
        }
        let now = world.clock.passed();
        give_back(held.as_deref(), &vault).await;
        world.tell(format!("{} {} ({}): {told}", HOSTS[self.machine], job.name, start.attempt));
        let span = Span {
            host: HOSTS[self.machine],
            job: job.name.clone(),
            planned: (!published).then_some(start.planned),
            time: (granted, now),
            started,
            under_lease: held.is_some(),
            done: is_done(outcome),
            sound: sound == Some(world.changed(self.machine)),
            quiet_since: world.quiet_since(),
        };
        let mistake = world.model().end(span);
        if let Some(mistake) = mistake {
            world.broken(mistake);
        }
        Ran::Here(ended(outcome))
    }

    fn not_begun(&self, start: &Start, error: VaultError) -> Ran {
        self.world.tell(format!("{} {} not begun: {error}", HOSTS[self.machine], start.job.name));
        Ran::Here(ended(outcome_of(error)))
    }

    /// Lets the work take its time, from seconds to so many minutes.
    async fn spend(&self, minutes: u64, cancel: &CancellationToken) -> Result<()> {
        let millis = self.world.cast(|dice| match dice.u8(..4) {
            0 => dice.u64(1000..minutes * 60_000),
            _ => dice.u64(1000..60_000),
        });
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(VaultError::cancelled()),
            () = sleep(Duration::from_millis(millis)) => Ok(()),
        }
    }

    async fn work(&self, job: &Job, vault: &Arc<Vault>, cancel: &CancellationToken) -> Result<Outcome> {
        match job.work {
            Work::Snapshot { .. } => self.take(vault, job, cancel).await,
            Work::Replicate => self.replicate(vault, cancel).await,
            Work::Verify { .. } => self.verify(vault, cancel).await,
            Work::Retain => self.retain(vault, cancel).await,
            Work::Prune { .. } => self.prune(vault, cancel).await,
            Work::AccessReview | Work::PrivacyCheck | Work::PrivacyPurge | Work::Drill => {
                unreachable!("no schedule of the simulation has such a job")
            }
        }
    }

    async fn take(&self, vault: &Arc<Vault>, job: &Job, cancel: &CancellationToken) -> Result<Outcome> {
        let (started, name) = (vault.now(), blog());
        vault.require_may_write().await?;
        let snapshots = Snapshots::load(vault, Some(&name)).await?;
        let ledger = Ledger::load(vault, &name).await?;
        let space = Space::load_after(vault, &name, &ledger).await?;
        let writer = Writer::new(Arc::clone(vault), space, std::iter::empty())?;
        let (revision, _) = self.world.revision();
        self.spend(40, cancel).await?;
        let items = content(revision);
        let new = items.iter().map(|(path, bytes)| NewItem {
            kind: ItemKind::Document,
            path: path.clone(),
            data: ItemData::Memory(bytes.clone().into()),
        });
        let stored = writer.store(new.collect()).await?;
        let entries: Vec<CatalogEntry> = items
            .iter()
            .zip(stored)
            .map(|((path, _), item)| CatalogEntry {
                path: path.as_str().into(),
                item: item.id,
                size: item.size,
            })
            .collect();
        self.spend(5, cancel).await?;
        let is_partial = !self.world.is_sound(self.machine) && self.world.cast(|dice| dice.u8(..10)) == 0;
        let gap = || Problem::new("asset-missing", "assets/x/original", "it is gone");
        let draft = Draft {
            repository: name,
            snapshot: SnapshotId::new(started),
            started,
            trigger: job.name.to_string(),
            source: Source {
                repository: "acme-blog".to_owned(),
                content_api: "https://example.com/api/v2".to_owned(),
                master_ref: revision.to_string(),
                integration_fields_ref: None,
                releases: Default::default(),
                write_token: true,
            },
            counts: Counts {
                documents: Tally { stored: entries.len() as u64, ..Tally::default() },
                ..Counts::default()
            },
            entries,
            links: LinksPart::New(Box::new(std::iter::empty())),
            consistency: Consistency::default(),
            read: None,
            gaps: is_partial.then(gap).into_iter().collect(),
            accepted_gaps: Vec::new(),
            warnings: Vec::new(),
        };
        let committed = writer.commit(draft, &snapshots, &ledger).await?;
        Ok(match is_partial || !committed.behind.is_empty() {
            true => Outcome::Partial,
            false => Outcome::Complete,
        })
    }

    async fn replicate(&self, vault: &Vault, cancel: &CancellationToken) -> Result<Outcome> {
        let plan = replication::plan(vault, &request()).await?;
        self.spend(20, cancel).await?;
        let report = replication::apply(vault, &plan, &Silent, cancel).await?;
        let failed = report.targets.iter().any(|target| !target.failed.is_empty());
        Ok(match (report.interrupted, failed || !vault.replicas.failed().is_empty()) {
            (true, _) => Outcome::Interrupted,
            (false, true) => Outcome::Partial,
            (false, false) => Outcome::Complete,
        })
    }

    async fn verify(&self, vault: &Vault, cancel: &CancellationToken) -> Result<Outcome> {
        let sound = self.world.is_sound(self.machine).then(|| self.world.changed(self.machine));
        self.spend(30, cancel).await?;
        let scope = Scope { remember: true, ..Scope::default() };
        let options = VerifyOptions { scope, cancel: cancel.clone(), ..verify_options(Level::Bytes) };
        // What it remembers it remembers while it goes on.
        self.world.model().verified = Some(self.world.clock.passed());
        let report = verify(vault, &options).await?;
        // One that is behind catches up.
        let damage: Vec<_> = report.damage.iter().filter(|one| one.kind != DamageKind::Behind).collect();
        if !damage.is_empty() && sound == Some(self.world.changed(self.machine)) {
            self.world.broken(format!("a sound machine found damage: {damage:?}"));
        }
        let all = vault.replicas.failed().is_empty();
        Ok(Outcome::of_reading(!report.damage.is_empty(), !all))
    }

    async fn retain(&self, vault: &Vault, cancel: &CancellationToken) -> Result<Outcome> {
        let snapshots = Snapshots::load(vault, None).await?;
        let policies = Policies::of(&self.world.config, &self.world.config.repositories[0]);
        let plan = plan_retention(vault, &snapshots, &[policies], vault.now()).await?;
        self.spend(15, cancel).await?;
        retention::apply(vault, &plan).await?;
        Ok(match (plan.is_refused(), vault.replicas.failed().is_empty()) {
            (true, _) => Outcome::Refused,
            (false, false) => Outcome::Partial,
            (false, true) => Outcome::Complete,
        })
    }

    async fn prune(&self, vault: &Vault, cancel: &CancellationToken) -> Result<Outcome> {
        use prismvault::vault::error::ErrorKind;
        let away = |error: VaultError| match error.kind {
            ErrorKind::TooFewReplicas => Ok(Outcome::Partial),
            _ => Err(error),
        };
        let plan = match pruning::plan(vault).await {
            Ok(plan) => plan,
            Err(error) => return away(error),
        };
        self.spend(30, cancel).await?;
        let options = PruneOptions { delete: true, progress: &Silent, cancel: cancel.clone() };
        let report = match pruning::apply(vault, &plan, &options).await {
            Ok(report) => report,
            Err(error) => return away(error),
        };
        let deleted: u64 =
            report.deleted.values().flat_map(|kinds| kinds.values()).map(|tally| tally.objects).sum();
        self.world.model().counts.deleted += deleted;
        Ok(if report.failed.is_empty() { Outcome::Complete } else { Outcome::Failed })
    }
}

#[async_trait]
impl Hand for Machinist {
    async fn run(&self, start: &Start, cancel: CancellationToken) -> Ran {
        let start = start.clone();
        let run = move |this: Self| async move { this.0.carry_out(&start, cancel).await };
        self.act(run).await.unwrap_or(Ran::Here(Ended::Failed))
    }

    async fn recall(&self, jobs: &[Arc<Job>]) -> Option<Vec<(Name, Known)>> {
        let jobs = jobs.to_vec();
        let ask = move |this: Self| async move {
            let vault = this.0.world.open(this.0.machine).await.ok()?;
            let mut recalled = Vec::new();
            for job in &jobs {
                let record = records::find(&vault, &job.name).await.ok()?;
                recalled.extend(record.as_ref().and_then(known).map(|known| (job.name.clone(), known)));
                let now = vault.now();
                let first_seen = || JobRecord::first_seen(&vault, &job.name, job.work.word(), now);
                let record = JobRecord { next: next(job, now), ..record.unwrap_or_else(first_seen) };
                records::store(&vault, &record).await.ok()?;
            }
            Some(recalled)
        };
        self.act(ask).await?
    }

    fn tell(&self, event: Event<'_>) {
        let told = match event {
            Event::TimedOut(start) => format!("{} takes too long", start.job.name),
            Event::LeftOut(left_out) => format!("{} is left out", left_out.job),
            Event::Stopping(runs) => format!("stops, {runs} run"),
            Event::Begun(_) | Event::Ended(..) | Event::Elsewhere(_) => return,
        };
        self.0.world.tell(format!("{} {told}", HOSTS[self.0.machine]));
    }
}
