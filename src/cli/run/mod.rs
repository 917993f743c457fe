//! `prismvault run`: the scheduler, in the foreground.
//!
//! It checks every job before it starts, says what it will run and when, and begins jobs at their
//! time until it is asked to end (SIGTERM, Ctrl-C). What runs next is decided by
//! [`Agenda`]; what a run does is the same as `prismvault jobs run`.
//!
//! Files are read again on SIGHUP and when they change. A mistake in one of them is told, and the
//! jobs as they were go on. What they say takes effect at once, also the addresses that are listened
//! on; runs that are under way end as they began.
//!
//! **Output**: one line (with `--json` one object) an event on standard output, warnings and errors
//! of the runs, with the name of the job, on standard error. A run that goes well prints nothing of
//! its own.

mod events;
mod files;
mod hand;
mod health;
mod numbers;
mod ports;
mod publishes;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::session::IdentityOptions;
use super::units::counted;
use crate::config::Config;
use crate::schedule::{Agenda, Change, Hand, Job, Pace, Scheduler, Times};
use crate::server::Publishes;
use events::{Event, Events};
use files::Watched;
use hand::Worker;
use ports::Ports;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of the jobs [default: schedules, beside the configuration file]
    #[arg(long, value_name = "DIR")]
    schedules: Option<PathBuf>,
    #[command(flatten)]
    identity: IdentityOptions,
}

/// How late a job without catching up may begin.
const LATE_AFTER: Duration = Duration::from_mins(10);
/// Wait before the first retry of a job, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(1));
/// Longest wait before the clock is looked at again: a machine that slept is late by no more.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Wait before the vault is asked again what was missed.
const RECALL_AGAIN: Duration = Duration::from_mins(1);
/// How long a run may take to stop once it was told to.
const ABANDON: Duration = Duration::from_secs(20);

/// When everything is looked at for alarms and metrics first, unless `look_every` is shorter: jobs that
/// were missed have a moment to begin.
const FIRST_LOOK: Duration = Duration::from_secs(30);
/// How soon after a look the metrics are made anew when a run ended: one look costs a listing of the
/// vault, and jobs that follow publishes may end each few seconds.
const REFRESH_APART: Duration = Duration::from_mins(1);

/// Configuration and jobs, as they were read together.
struct Plan {
    config: Arc<Config>,
    jobs: Vec<Arc<Job>>,
}

/// Runs the scheduler until the process is asked to end.
///
/// # Errors
///
/// A mistake in the configuration or in any job, before anything runs.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let (watched, plan) = Watched::load(context, args.schedules)?;
    let events = Arc::new(Events::new(Arc::clone(&context.output), Arc::clone(&context.clock)));
    let settings = plan.config.run.clone();
    let pace = Pace {
        at_once: settings.jobs_at_once,
        late_after: LATE_AFTER,
        backoff: BACKOFF.0,
        backoff_max: BACKOFF.1,
        seed: seed(&plan.config),
    };
    let times = Times {
        look_again: LOOK_AGAIN,
        recall_again: RECALL_AGAIN,
        finish: settings.finish,
        abandon: ABANDON,
    };
    let worker = Worker::new(context, &plan.config, plan.jobs.clone(), args.identity, Arc::clone(&events));
    let hand: Arc<dyn Hand> = Arc::new(worker.clone());
    let scheduler = Scheduler::new(Agenda::new(pace), hand, Arc::clone(&context.clock), times);
    let (sender, changes) = mpsc::channel(16);
    let mut tasks = JoinSet::new();
    let publishes = Publishes::new();
    let waits = publishes::follow(&mut tasks, &worker, context, &publishes, sender.clone());
    let mut ports = Ports::new(worker.clone(), Arc::clone(&events), publishes, waits, context.cancel.clone());
    ports.take(&plan.config).await?;
    context.output.message(format!(
        "{} from {}; Ctrl-C or SIGTERM ends, SIGHUP reads the files again",
        counted(plan.jobs.len() as u64, "job"),
        watched.directory().display()
    ));
    for job in &plan.jobs {
        events.tell(&Event::will_run(job, context.clock.now()));
    }
    tasks.spawn(look_now_and_then(worker.clone()));
    tasks.spawn(watch_files(watched, ports, context.clone(), worker, events, sender));
    scheduler.run(plan.jobs, changes, context.cancel.clone()).await;
    tasks.shutdown().await;
    Ok(Outcome::Complete)
}

/// Looks at everything for alarms and metrics, and for metrics soon after a run as well.
async fn look_now_and_then(worker: Worker) {
    let mut next = Instant::now() + FIRST_LOOK.min(worker.config().run.look_every);
    let mut last: Option<Instant> = None;
    loop {
        let changed = async {
            worker.changed().await;
            if let Some(last) = last {
                sleep_until(last + REFRESH_APART).await;
            }
        };
        tokio::select! {
            () = sleep_until(next) => {
                worker.look().await;
                next = Instant::now() + worker.config().run.look_every;
            }
            () = changed => worker.refresh().await,
        }
        last = Some(Instant::now());
    }
}

/// Reads the files again on SIGHUP, and when they changed.
async fn watch_files(
    mut watched: Watched,
    mut ports: Ports,
    context: Context,
    worker: Worker,
    events: Arc<Events>,
    changes: mpsc::Sender<Change>,
) {
    loop {
        let asked = tokio::select! {
            () = context.hang_up.notified() => true,
            () = sleep(worker.config().limits.files_looked_at) => false,
        };
        if !asked && !watched.has_changed().await {
            continue;
        }
        let taken = async {
            let plan = watched.reload(&context)?;
            ports.take(&plan.config).await?;
            Ok::<_, CommandError>(plan)
        };
        let taken = taken.await;
        worker.numbers().reloaded(taken.is_ok());
        match taken {
            Ok(plan) => {
                events.tell(&Event::reloaded(plan.jobs.len()));
                if rates(&plan.config) != rates(&worker.config()) {
                    events.tell(&Event::needs_restart("a number of requests in [limits]"));
                }
                let settings = Change::Settings {
                    at_once: plan.config.run.jobs_at_once,
                    finish: plan.config.run.finish,
                };
                worker.configure(plan.config, plan.jobs.clone());
                for change in [settings, Change::Jobs(plan.jobs)] {
                    if changes.send(change).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) => {
                events.tell(&Event::refused());
                let error = error.within("the files were not taken over, the jobs as they were go on");
                context.output.error(&error);
            }
        }
    }
}

/// What the one client for Prismic keeps to, which is made once.
fn rates(config: &Config) -> [f64; 4] {
    let limits = &config.limits;
    [limits.content_requests, limits.asset_requests, limits.types_requests, limits.migration_requests]
}

/// The same for every scheduler of a vault.
fn seed(config: &Config) -> String {
    match &config.vault.id {
        Some(id) => id.to_string(),
        None => config.replicas.first().map(|replica| replica.url.to_string()).unwrap_or_default(),
    }
}

/// What is wrong with jobs, as one error: nothing runs before all is right.
fn mistakes_of(mistakes: Vec<crate::config::ConfigError>) -> Option<CommandError> {
    let more = mistakes.len().saturating_sub(1);
    let mut mistakes = mistakes.into_iter();
    let error = CommandError::from(mistakes.next()?);
    let error = mistakes.fold(error, |error, mistake| error.hint(format!("also wrong: {mistake}")));
    Some(match more {
        0 => error,
        _ => error.hint("`prismvault jobs check` lists all of them"),
    })
}
