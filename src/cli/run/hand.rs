//! What a run of the scheduler does: the same as `prismvault jobs run`, in a context of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::events::{Event as Line, Events};
use super::numbers::Numbers;
use crate::cli::error::CommandError;
use crate::cli::exit::Outcome;
use crate::cli::jobs::work::{Carried, Order, carry_out, host, is_done, known, next};
use crate::cli::metrics::{self as metrics_file, CountingRetries};
use crate::cli::output::{Output, OutputOptions, Prefixed, Screen};
use crate::cli::record::{Effect, Record};
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::status::{asked_of_jobs, objectives_of};
use crate::cli::{Context, new_run, note};
use crate::clock::Timestamp;
use crate::config::{Config, MetricsSettings, Objectives};
use crate::ids::Name;
use crate::limits::Limits;
use crate::notify::{Notifier, Routes};
use crate::progress::Silent;
use crate::schedule::{Ended, Event, Hand, Job, Known, Ran, Start};
use crate::server::{AtWork, Publish, StoredRefs, add_publish};
use crate::status::{Alarm, Asked, Facts, assess, collect, metrics};
use crate::vault::format::job::JobRecord;
use crate::vault::jobs::{self as records, Seen};
use crate::vault::lease::Holder;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::snapshots::Snapshots;

/// Longest wait before a job that runs elsewhere is looked at again: it may be done sooner than
/// its lease ends.
const LOOK_ELSEWHERE: Duration = Duration::from_mins(2);

/// Carries out the jobs of one scheduler.
#[derive(Clone)]
pub(super) struct Worker(Arc<Shared>);

struct Shared {
    context: Context,
    config: RwLock<Arc<Config>>,
    identity: IdentityOptions,
    holder: Holder,
    events: Arc<Events>,
    jobs: RwLock<Vec<Arc<Job>>>,
    /// Which of their repositories were published, by job.
    published: Mutex<BTreeMap<Name, BTreeMap<Name, Publish>>>,
    /// What the vault knew of jobs when it was asked last.
    seen: Arc<Seen>,
    /// On whom a job waits, so that it is told once.
    elsewhere: Mutex<BTreeMap<Name, String>>,
    /// Why jobs run without a lease, as it was told.
    unsure: Arc<Mutex<BTreeMap<Name, String>>>,
    numbers: Numbers,
    /// What the last look found.
    last_look: Mutex<Option<Arc<LastLook>>>,
    /// Notified when there may be something new to see.
    changed: Notify,
}

/// What a look found, and what it is to be held against.
pub(super) struct LastLook {
    facts: Facts,
    objectives: BTreeMap<Name, Objectives>,
    limits: Limits,
}

impl Worker {
    pub(super) fn new(
        context: &Context,
        config: &Arc<Config>,
        jobs: Vec<Arc<Job>>,
        identity: IdentityOptions,
        events: Arc<Events>,
    ) -> Self {
        let numbers = Numbers::new(Arc::clone(&context.clock));
        numbers.loaded(&jobs, config.run.jobs_at_once);
        Self(Arc::new(Shared {
            context: context.clone(),
            config: RwLock::new(Arc::clone(config)),
            identity,
            holder: Holder::new(host()),
            events,
            jobs: RwLock::new(jobs),
            published: Mutex::default(),
            seen: Arc::default(),
            elsewhere: Mutex::default(),
            unsure: Arc::default(),
            numbers,
            last_look: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Takes another configuration and other jobs for the runs to come.
    pub(super) fn configure(&self, config: Arc<Config>, jobs: Vec<Arc<Job>>) {
        self.0.numbers.loaded(&jobs, config.run.jobs_at_once);
        *self.0.jobs.write().expect("no holder of this lock can panic") = jobs;
        *self.0.config.write().expect("no holder of this lock can panic") = config;
        self.0.changed.notify_one();
    }

    /// The configuration of the runs to come.
    pub(super) fn config(&self) -> Arc<Config> {
        self.0.config()
    }

    /// Looks at everything once: tells of alarms that are new or over, and writes the metrics.
    pub(super) async fn look(&self) {
        let shared = Arc::clone(&self.0);
        let span = tracing::info_span!("look");
        on_own_thread(move || async move { shared.look().instrument(span).await }).await;
    }

    /// Looks at everything once more for the metrics alone, where anybody reads them.
    pub(super) async fn refresh(&self) {
        if self.config().metrics == MetricsSettings::default() {
            return;
        }
        let shared = Arc::clone(&self.0);
        let span = tracing::info_span!("look");
        on_own_thread(move || async move { shared.refresh().instrument(span).await }).await;
    }

    /// Waits until there may be something new to see: a run ended, or the files changed.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// What the scheduler counts of itself.
    pub(super) fn numbers(&self) -> &Numbers {
        &self.0.numbers
    }

    /// Whether it was asked to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.0.context.cancel.is_cancelled()
    }

    /// All numbers, without asking anybody for anything.
    pub(super) fn metrics(&self) -> String {
        let last = self.0.last_look.lock().expect("no holder of this lock can panic").clone();
        self.0.page(last.as_deref(), None)
    }

    /// The jobs that run when something is published.
    pub(super) fn listening(&self) -> Vec<Arc<Job>> {
        self.0.jobs().into_iter().filter(|job| job.on_publish.is_some()).collect()
    }

    /// Which refs of repositories are stored, and which are being stored.
    pub(super) fn refs(&self) -> &StoredRefs {
        &self.0.context.stored_refs
    }

    /// Asks the vault which master ref the newest snapshot of a repository holds: another host, or a
    /// person, may have taken it. `None` where that cannot be found out.
    pub(super) async fn ref_in_vault(&self, repository: &Name) -> Option<String> {
        let (shared, repository) = (Arc::clone(&self.0), repository.clone());
        let ask = move || async move { shared.refs_in_vault(&[&repository]).await.into_values().next() };
        on_own_thread(ask).await?
    }

    /// Takes note of publishes that no snapshot holds; returns the jobs that they concern.
    pub(super) fn publish(&self, heard: &BTreeMap<Name, Publish>) -> Vec<Name> {
        let config = self.config();
        let mut concerned = Vec::new();
        for job in self.listening() {
            let own = job.select(&config).unwrap_or_default();
            let own: Vec<_> = own.into_iter().filter_map(|own| heard.get_key_value(&own.name)).collect();
            if own.is_empty() {
                continue;
            }
            let mut published = self.0.published();
            let of_job = published.entry(job.name.clone()).or_default();
            own.into_iter().for_each(|(name, publish)| add_publish(of_job, name.clone(), publish.clone()));
            concerned.push(job.name.clone());
        }
        concerned
    }
}

impl Shared {
    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().expect("no holder of this lock can panic"))
    }

    /// Takes which repositories of a job were published; none when it runs for another reason.
    fn take_published(&self, job: &Name) -> Taken<'_> {
        let repositories = self.published().remove(job);
        let names = repositories.iter().flatten().map(|(name, _)| name);
        let at_work = names.map(|name| self.context.stored_refs.begin(name)).collect();
        Taken { shared: self, job: job.clone(), repositories, is_done: false, at_work }
    }

    fn published(&self) -> MutexGuard<'_, BTreeMap<Name, BTreeMap<Name, Publish>>> {
        self.published.lock().expect("no holder of this lock can panic")
    }

    /// Asks the vault which master refs the newest snapshots of repositories hold, where that can be
    /// found out.
    async fn refs_in_vault(&self, repositories: &[&Name]) -> BTreeMap<Name, String> {
        let context = self.reading();
        let config = Config::clone(&self.config());
        let Ok(session) = Session::open_with(&context, config, &self.identity).await else {
            return BTreeMap::new();
        };
        let mut refs = BTreeMap::new();
        for name in repositories {
            let Ok(snapshots) = Snapshots::load(&session.vault, Some(name)).await else { continue };
            let newest = snapshots.of(name).last();
            let newest = newest.map(|newest| newest.manifest.source.master_ref.clone());
            refs.extend(newest.map(|reference| (Name::clone(name), reference)));
        }
        refs
    }

    /// Whether the vault holds all that a run was to store: another host, for which it waited, did.
    async fn is_done_elsewhere(&self, job: &Name, published: &Taken<'_>) -> bool {
        let Some(repositories) = &published.repositories else { return false };
        if !self.elsewhere().contains_key(job) || !repositories.values().all(|one| one.reference().is_some())
        {
            return false;
        }
        let names: Vec<&Name> = repositories.keys().collect();
        let stored = self.refs_in_vault(&names).await;
        let is_stored = |(name, publish): (&Name, &Publish)| {
            let stored = stored.get(name).map(String::as_str);
            stored.is_some() && stored == publish.reference()
        };
        let all = repositories.iter().all(is_stored);
        if all {
            stored.iter().for_each(|(name, reference)| self.context.stored_refs.note_stored(name, reference));
        }
        all
    }

    /// The context of one run: its own record, its own id, silent unless something is wrong.
    fn context_of(&self, job: &Name, cancel: CancellationToken) -> Context {
        let prefixed =
            || -> Box<dyn Write + Send> { Box::new(Prefixed::new(format!("{job}: "), std::io::stderr())) };
        let options = OutputOptions { quiet: true, ..OutputOptions::default() };
        Context {
            output: Arc::new(Output::to(options, Screen::default(), prefixed(), prefixed())),
            progress: Arc::new(CountingRetries {
                counted: Arc::clone(&self.context.counted),
                inner: Arc::new(Silent),
            }),
            cancel,
            record: Arc::new(Record::of(Effect::MayWrite("run"))),
            run: new_run(),
            ..self.context.clone()
        }
    }

    async fn run_here(&self, start: &Start, context: &Context) -> Ran {
        let name = &start.job.name;
        let mut published = self.take_published(name);
        if self.is_done_elsewhere(name, &published).await {
            published.is_done = true;
            self.elsewhere().remove(name);
            self.events.tell(&Line::elsewhere(name, "another host has done it".to_owned()));
            return Ran::Here(Ended::Done);
        }
        let order = Order {
            job: Arc::clone(&start.job),
            planned: start.planned,
            attempt: start.attempt,
            is_retried: true,
            // What another host did for other repositories, or before this publish by a clock that
            // is ahead, does not stand for it; one snapshot too many does no harm.
            if_due: published.repositories.is_none(),
            only: published.repositories.clone(),
            holder: self.holder.clone(),
            unsure: Arc::clone(&self.unsure),
            identity: self.identity.clone(),
        };
        let began = self.context.clock.now();
        let carried = carry_out(&order, Config::clone(&self.config()), context).await;
        let vault = context.record.vault();
        let carried = match carried {
            Carried::Ran(result) => Carried::Ran(context.record.end(result, &context.output).await),
            carried => carried,
        };
        if let Some(vault) = vault {
            self.context.counted.add_vault(&vault);
        }
        let result = match carried {
            Carried::Ran(result) => result,
            Carried::Covered(known) => {
                self.elsewhere().remove(name);
                tracing::Span::current().record("result", "done elsewhere");
                self.events.tell(&Line::elsewhere(name, "another host has done it".to_owned()));
                return Ran::Covered(known);
            }
            Carried::Elsewhere { host, wait, begun } => {
                // What it wrote before the other took the lease is in the audit log as well.
                if let Some(begun) = begun {
                    let ended = context.record.end(begun, &context.output).await;
                    print_rest(context, outcome_of(ended, context));
                }
                tracing::Span::current().record("result", "running elsewhere");
                if self.elsewhere().insert(name.clone(), host.clone()).as_ref() != Some(&host) {
                    self.events.tell(&Line::elsewhere(name, format!("{host} is at it")));
                }
                return Ran::Elsewhere(wait.clamp(Duration::from_secs(1), LOOK_ELSEWHERE));
            }
        };
        self.elsewhere().remove(name);
        note(&result);
        let outcome = outcome_of(result, context);
        print_rest(context, outcome);
        let took = (self.context.clock.now() - began).to_std().unwrap_or_default();
        self.events.tell(&Line::ended(name, &context.run, outcome, took));
        // A snapshot that found older ones damaged was taken.
        published.is_done = is_done(outcome) || outcome == Outcome::Integrity;
        Ran::Here(match outcome {
            outcome if is_done(outcome) => Ended::Done,
            Outcome::Failed => Ended::Retry,
            _ => Ended::Failed,
        })
    }

    fn elsewhere(&self) -> MutexGuard<'_, BTreeMap<Name, String>> {
        self.elsewhere.lock().expect("no holder of this lock can panic")
    }

    async fn look(&self) {
        let (config, jobs) = (self.config(), self.jobs());
        let (vault, alarms) = match self.see(&config, &jobs).await {
            Ok(seen) => seen,
            // What was said stays said: nothing is over because nobody could look.
            Err(error) => return self.context.output.error(&error.within("nobody could look for alarms")),
        };
        let routes = Routes::of(&config, jobs.iter().map(|job| &**job));
        let notifier =
            Notifier::new(&config, Arc::clone(&self.context.clock)).remembering(self.context.said.clone());
        for problem in notifier.alarms(Some(&vault), &routes, &alarms).await {
            self.context.output.warning(format!("{}: {}", problem.subject, problem.detail));
        }
        self.context.counted.add_vault(&vault);
    }

    async fn refresh(&self) {
        match self.see(&self.config(), &self.jobs()).await {
            Ok((vault, _)) => self.context.counted.add_vault(&vault),
            // The look that follows says it where everybody sees it.
            Err(error) => {
                tracing::info!(error = error.sentences().join(": "), "the metrics stay as they were");
            }
        }
    }

    /// Finds out how everything stands, for those who read metrics; returns what is wrong.
    async fn see(
        &self,
        config: &Arc<Config>,
        jobs: &[Arc<Job>],
    ) -> Result<(Arc<Vault>, Vec<Alarm>), CommandError> {
        let context = self.reading();
        let found = async {
            let session = Session::open_with(&context, Config::clone(config), &self.identity).await?;
            let asked = Asked { seen: Arc::clone(&self.seen), ..asked_of_jobs(jobs, config, &[], &context) };
            let facts = collect(&session.vault, config, &asked).await?;
            Ok::<_, CommandError>((session.vault, facts))
        };
        let found = found.await;
        self.numbers.looked(found.is_ok());
        let (vault, facts) = found?;
        let seen = LastLook { facts, objectives: objectives_of(config), limits: vault.limits().clone() };
        let assessment = assess(&seen.facts, &seen.objectives, &seen.limits, seen.facts.at);
        if let Some(file) = &config.metrics.textfile
            && let Err(error) = metrics_file::write(file, &self.page(Some(&seen), Some(&vault)))
        {
            self.context.output.warning(error.sentences().join(": "));
        }
        *self.last_look.lock().expect("no holder of this lock can panic") = Some(Arc::new(seen));
        Ok((vault, assessment.alarms))
    }

    /// All numbers, judged for now: an objective that is missed since the last look is missed. With
    /// what was asked of `open`, which is not counted yet.
    fn page(&self, seen: Option<&LastLook>, open: Option<&Vault>) -> String {
        let now = self.context.clock.now();
        let judged = seen.map(|seen| {
            let now = now.max(seen.facts.at);
            (&seen.facts, assess(&seen.facts, &seen.objectives, &seen.limits, now))
        });
        let counted = &self.context.counted;
        metrics::render_of_scheduler(
            judged.as_ref().map(|(facts, assessment)| (*facts, assessment)),
            (&counted.all_requests(open), counted.retries()),
            &self.numbers.now(),
        )
    }

    fn jobs(&self) -> Vec<Arc<Job>> {
        self.jobs.read().expect("no holder of this lock can panic").clone()
    }

    /// A context that leaves no trace in the audit log.
    fn reading(&self) -> Context {
        Context {
            record: Arc::new(Record::of(Effect::Reads)),
            progress: Arc::new(Silent),
            ..self.context.clone()
        }
    }

    /// Reads what the vault knows of the jobs, and tells it of those that it does not know.
    async fn recall(&self, jobs: &[Arc<Job>]) -> Option<Vec<(Name, Known)>> {
        let context = self.reading();
        let session = Session::open_with(&context, Config::clone(&self.config()), &self.identity).await;
        let vault = match session {
            Ok(session) => session.vault,
            Err(error) => {
                let error =
                    error.within("which jobs were missed is not known, and is asked again in a minute");
                self.context.output.error(&error);
                return None;
            }
        };
        let now = self.context.clock.now();
        let names: BTreeSet<&Name> = jobs.iter().map(|job| &job.name).collect();
        let known_jobs = records::load_all(&vault, |job| names.contains(job), &self.seen).await;
        let told = stream::iter(jobs).map(|job| {
            let record = known_jobs.get(&job.name);
            self.introduce(&vault, job, record, now)
        });
        let told: Vec<_> = told.buffered(vault.limits().store_concurrency).collect().await;
        let known = jobs.iter().zip(told).filter_map(|(job, known)| Some((job.name.clone(), known?)));
        let known = known.collect();
        self.context.counted.add_vault(&vault);
        self.numbers.recalled();
        Some(known)
    }

    /// Tells the vault of a job that it does not know, or not as it is now; returns what it knows of it.
    async fn introduce(
        &self,
        vault: &Vault,
        job: &Job,
        listed: Option<&Arc<JobRecord>>,
        now: Timestamp,
    ) -> Option<Known> {
        let seen = match listed {
            Some(record) => Some(JobRecord::clone(record)),
            // A listing may have missed it, and who is taken for new has missed nothing.
            None => match records::find(vault, &job.name).await {
                Ok(found) => found,
                Err(error) => {
                    let why = with_causes(&error);
                    let what = format!("what is known of the job {} cannot be read now: {why}", job.name);
                    self.context.output.warning(what);
                    return None;
                }
            },
        };
        let mut record =
            seen.clone().unwrap_or_else(|| JobRecord::first_seen(vault, &job.name, job.work.word(), now));
        record.next = next(job, now);
        job.work.word().clone_into(&mut record.does);
        if seen.as_ref() != Some(&record)
            && let Err(error) = records::store(vault, &record).await
        {
            let why = with_causes(&error);
            let what = format!("the vault does not know of the job {}: {why}", job.name);
            self.context.output.warning(what);
        }
        known(seen.as_ref()?)
    }
}

/// Publishes that a run is to store. However it ends, also by being dropped: what it did not store is
/// taken by the next run, and the next poll finds it anew.
struct Taken<'a> {
    shared: &'a Shared,
    job: Name,
    repositories: Option<BTreeMap<Name, Publish>>,
    is_done: bool,
    /// Given back last: what was held until then is looked at by what is known then.
    #[expect(dead_code, reason = "it is held, and does its work when it is dropped")]
    at_work: Vec<AtWork>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let Some(repositories) = self.repositories.take().filter(|_| !self.is_done) else { return };
        let mut published = self.shared.published();
        let of_job = published.entry(self.job.clone()).or_default();
        for (name, publish) in repositories {
            self.shared.context.stored_refs.forget_announced(&name);
            add_publish(of_job, name, publish);
        }
    }
}

/// Runs work on a thread of its own: the work of a command is made for one thread. Whoever drops
/// what is returned ends it at its next wait.
async fn on_own_thread<T, F>(work: impl FnOnce() -> F + Send + 'static) -> Option<T>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let abandoned = CancellationToken::new();
    let guard = abandoned.clone().drop_guard();
    let runtime = Handle::current();
    let run = move || {
        runtime.block_on(async move {
            tokio::select! {
                done = work() => Some(done),
                () = abandoned.cancelled() => None,
            }
        })
    };
    let done = tokio::task::spawn_blocking(run).await;
    drop(guard);
    match done {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

#[async_trait]
impl Hand for Worker {
    async fn run(&self, start: &Start, cancel: CancellationToken) -> Ran {
        let (shared, start) = (Arc::clone(&self.0), start.clone());
        let context = shared.context_of(&start.job.name, cancel);
        // At this level so that every line of the log names the run.
        let span = tracing::error_span!(
            "run",
            run = context.run,
            job = start.job.name.as_str(),
            attempt = start.attempt,
            result = tracing::field::Empty,
            otel.status_code = tracing::field::Empty
        );
        let work = move || async move { shared.run_here(&start, &context).instrument(span).await };
        let _running = self.0.numbers.begins();
        on_own_thread(work).await.unwrap_or(Ran::Here(Ended::Failed))
    }

    async fn recall(&self, jobs: &[Arc<Job>]) -> Option<Vec<(Name, Known)>> {
        let (shared, jobs) = (Arc::clone(&self.0), jobs.to_vec());
        let span = tracing::info_span!("recall");
        on_own_thread(move || async move { shared.recall(&jobs).instrument(span).await }).await?
    }

    fn tell(&self, event: Event<'_>) {
        self.0.events.tell(&match event {
            Event::Begun(start) => Line::begun(start, None),
            Event::TimedOut(start) => Line::timed_out(start),
            Event::LeftOut(left_out) => Line::left_out(left_out),
            Event::Stopping(runs) => Line::stopping(runs),
            // The rest is told where it is known how, and by whom.
            Event::Ended(start, ended, took) => {
                self.0.numbers.ended(&start.job.name, ended, took);
                return self.0.changed.notify_one();
            }
            Event::Elsewhere(start) => return self.0.numbers.elsewhere(&start.job.name),
        });
    }

    fn turned(&self) {
        self.0.numbers.turned();
    }
}

/// Shows why a run failed, if it did; returns how it ended.
fn outcome_of(result: Result<Outcome, CommandError>, context: &Context) -> Outcome {
    result.unwrap_or_else(|error| {
        context.output.error(&error);
        error.kind.outcome()
    })
}

/// Prints what was held back until the end of a run.
fn print_rest(context: &Context, outcome: Outcome) {
    if let Err(error) = context.output.finish(Some(outcome)) {
        tracing::warn!(%error, "what a run printed is lost");
    }
}
