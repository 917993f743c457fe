//! What a run of the scheduler does: the same as `prismvault jobs run`, in a context of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::events::{Event as Line, Events};
use crate::cli::error::CommandError;
use crate::cli::exit::Outcome;
use crate::cli::jobs::work::{Carried, Order, carry_out, host, is_done, known, next};
use crate::cli::metrics::{self as metrics_file, CountingRetries};
use crate::cli::output::{Output, OutputOptions, Prefixed, Screen};
use crate::cli::record::{Effect, Record};
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::status::{asked_of_jobs, objectives_of};
use crate::cli::{Context, new_run};
use crate::config::Config;
use crate::ids::Name;
use crate::notify::{Notifier, Routes};
use crate::progress::Silent;
use crate::schedule::{Ended, Event, Hand, Job, Known, Ran, Start};
use crate::status::{assess, collect, metrics};
use crate::vault::format::job::JobRecord;
use crate::vault::jobs as records;
use crate::vault::lease::Holder;
use crate::vault::replica::with_causes;

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
    published: Mutex<BTreeMap<Name, BTreeSet<Name>>>,
    /// The ref at which each repository was last seen, and is stored or about to be.
    refs: Mutex<BTreeMap<Name, String>>,
    /// On whom a job waits, so that it is told once.
    elsewhere: Mutex<BTreeMap<Name, String>>,
}

impl Worker {
    pub(super) fn new(
        context: &Context,
        config: &Arc<Config>,
        jobs: Vec<Arc<Job>>,
        identity: IdentityOptions,
        events: Arc<Events>,
    ) -> Self {
        Self(Arc::new(Shared {
            context: context.clone(),
            config: RwLock::new(Arc::clone(config)),
            identity,
            holder: Holder::new(host()),
            events,
            jobs: RwLock::new(jobs),
            published: Mutex::default(),
            refs: Mutex::default(),
            elsewhere: Mutex::default(),
        }))
    }

    /// Takes another configuration and other jobs for the runs to come.
    pub(super) fn configure(&self, config: Arc<Config>, jobs: Vec<Arc<Job>>) {
        *self.0.jobs.write().expect("no holder of this lock can panic") = jobs;
        *self.0.config.write().expect("no holder of this lock can panic") = config;
    }

    /// The configuration of the runs to come.
    pub(super) fn config(&self) -> Arc<Config> {
        self.0.config()
    }

    /// Looks at everything once: tells of alarms that are new or over, and writes the metrics.
    pub(super) async fn look(&self) {
        let shared = Arc::clone(&self.0);
        on_own_thread(move || async move { shared.look().await }).await;
    }

    /// The jobs that run when something is published.
    pub(super) fn listening(&self) -> Vec<Arc<Job>> {
        let jobs = self.0.jobs.read().expect("no holder of this lock can panic");
        jobs.iter().filter(|job| job.on_publish.is_some()).map(Arc::clone).collect()
    }

    /// Takes note of the ref of a repository; whether it is another than before.
    pub(super) fn is_new(&self, repository: &Name, reference: String) -> bool {
        let before = self.0.refs().insert(repository.clone(), reference.clone());
        before.is_none_or(|before| before != reference)
    }

    /// Takes note of publishes; returns the jobs that they concern.
    pub(super) fn publish(&self, repositories: &[Name]) -> Vec<Name> {
        let config = self.config();
        let mut concerned = Vec::new();
        for job in self.listening() {
            let own = job.select(&config).unwrap_or_default();
            let names = own.into_iter().map(|own| &own.name).filter(|name| repositories.contains(name));
            let names: Vec<Name> = names.cloned().collect();
            if !names.is_empty() {
                self.0.published().entry(job.name.clone()).or_default().extend(names);
                concerned.push(job.name.clone());
            }
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
        let names = self.published().remove(job).map(|names| names.into_iter().collect());
        Taken { shared: self, job: job.clone(), names, is_done: false }
    }

    fn published(&self) -> MutexGuard<'_, BTreeMap<Name, BTreeSet<Name>>> {
        self.published.lock().expect("no holder of this lock can panic")
    }

    fn refs(&self) -> MutexGuard<'_, BTreeMap<Name, String>> {
        self.refs.lock().expect("no holder of this lock can panic")
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
        let mut published = self.take_published(&start.job.name);
        let order = Order {
            job: Arc::clone(&start.job),
            planned: start.planned,
            attempt: start.attempt,
            is_retried: true,
            // What another host did for other repositories, or before this publish by a clock that
            // is ahead, does not stand for it; one snapshot too many does no harm.
            if_due: published.names.is_none(),
            only: published.names.clone(),
            holder: self.holder.clone(),
            identity: self.identity.clone(),
        };
        let name = &start.job.name;
        let began = self.context.clock.now();
        let result = match carry_out(&order, Config::clone(&self.config()), context).await {
            Carried::Ran(result) => context.record.end(result, &context.output).await,
            Carried::Covered(known) => {
                self.elsewhere().remove(name);
                self.events.tell(&Line::elsewhere(name, "another host has done it".to_owned()));
                return Ran::Covered(known);
            }
            Carried::Elsewhere { host, wait } => {
                if self.elsewhere().insert(name.clone(), host.clone()).as_ref() != Some(&host) {
                    self.events.tell(&Line::elsewhere(name, format!("{host} is at it")));
                }
                return Ran::Elsewhere(wait.clamp(Duration::from_secs(1), LOOK_ELSEWHERE));
            }
        };
        self.elsewhere().remove(name);
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(error) => {
                context.output.error(&error);
                error.kind.outcome()
            }
        };
        // What was held back until the end of the run.
        if let Err(error) = context.output.finish(Some(outcome)) {
            tracing::warn!(%error, "what a run printed is lost");
        }
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
        let (context, config) = (self.reading(), self.config());
        let jobs = self.jobs.read().expect("no holder of this lock can panic").clone();
        let seen = async {
            let session = Session::open_with(&context, Config::clone(&config), &self.identity).await?;
            let facts =
                collect(&session.vault, &config, &asked_of_jobs(&jobs, &config, &[], &context)).await?;
            let assessment = assess(&facts, &objectives_of(&config), session.vault.limits(), facts.at);
            if let Some(file) = &config.metrics.textfile {
                metrics_file::write(file, &metrics::render(&facts, &assessment))?;
            }
            Ok::<_, CommandError>((session.vault, assessment.alarms))
        };
        let (vault, alarms) = match seen.await {
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
        let names: Vec<Name> = jobs.iter().map(|job| job.name.clone()).collect();
        let mut known_jobs = Vec::new();
        for (job, record) in jobs.iter().zip(records::load_all(&vault, &names).await) {
            known_jobs.extend(record.as_ref().and_then(known).map(|known| (job.name.clone(), known)));
            let seen = record.clone();
            let mut record =
                record.unwrap_or_else(|| JobRecord::first_seen(&vault, &job.name, job.work.word(), now));
            record.next = next(job, now);
            job.work.word().clone_into(&mut record.does);
            if seen.as_ref() == Some(&record) {
                continue;
            }
            if let Err(error) = records::store(&vault, &record).await {
                let why = with_causes(&error);
                self.context
                    .output
                    .warning(format!("the vault does not know of the job {}: {why}", job.name));
            }
        }
        Some(known_jobs)
    }
}

/// Publishes that a run is to store. However it ends, also by being dropped: what it did not store is
/// taken by the next run, and the next poll finds it anew.
struct Taken<'a> {
    shared: &'a Shared,
    job: Name,
    names: Option<Vec<Name>>,
    is_done: bool,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let Some(names) = self.names.take().filter(|_| !self.is_done) else { return };
        let mut refs = self.shared.refs();
        names.iter().for_each(|name| drop(refs.remove(name)));
        self.shared.published().entry(self.job.clone()).or_default().extend(names);
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
        let span = tracing::info_span!("run", run = context.run, job = start.job.name.as_str());
        let work = move || async move { shared.run_here(&start, &context).instrument(span).await };
        on_own_thread(work).await.unwrap_or(Ran::Here(Ended::Failed))
    }

    async fn recall(&self, jobs: &[Arc<Job>]) -> Option<Vec<(Name, Known)>> {
        let (shared, jobs) = (Arc::clone(&self.0), jobs.to_vec());
        on_own_thread(move || async move { shared.recall(&jobs).await }).await?
    }

    fn tell(&self, event: Event<'_>) {
        self.0.events.tell(&match event {
            Event::Begun(start) => Line::begun(start, None),
            Event::TimedOut(start) => Line::timed_out(start),
            Event::LeftOut(left_out) => Line::left_out(left_out),
            Event::Stopping(runs) => Line::stopping(runs),
            // Told where it is known how, and by whom.
            Event::Ended(..) | Event::Elsewhere(_) => return,
        });
    }
}
