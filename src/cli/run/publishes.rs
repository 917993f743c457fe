//! Hears of publishes: by webhooks, and by asking.
//!
//! Webhooks get lost, so every repository of a job with `on_publish` is asked for its master ref as
//! well. A ref that no snapshot in the vault holds counts as a publish: what happened while nobody
//! listened is caught up with by the first snapshot.
//!
//! However often one publish is heard of, and by whom first, [`StoredRefs`](crate::server::StoredRefs)
//! makes one snapshot of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::hand::Worker;
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::snapshot::target;
use crate::config::{Config, Repository, WebhookSettings};
use crate::ids::Name;
use crate::prismic::ContentApi;
use crate::schedule::{Change, Job};
use crate::server::{Asked, Debounce, Polled, Publish, Publishes, Waits, Webhook, trigger};

/// Takes publishes from there on, in tasks of `tasks`: what is published triggers the jobs that wait
/// for it. Asks the repositories as well. Returns what sets how long a publish waits for more.
pub(super) fn follow(
    tasks: &mut JoinSet<()>,
    worker: &Worker,
    context: &Context,
    publishes: &Publishes,
    changes: mpsc::Sender<Change>,
) -> Waits {
    let (quiet, longest) = WebhookSettings::WAITS;
    let (sender, triggers) = mpsc::channel(1);
    let debounce = Debounce::new(quiet, longest);
    let waits = debounce.waits();
    tasks.spawn(trigger(publishes.clone(), debounce, Arc::clone(&context.clock), sender));
    tasks.spawn(start(worker.clone(), triggers, changes));
    tasks.spawn(poll(worker.clone(), context.clone(), publishes.clone()));
    waits
}

/// Starts the jobs that publishes concern: those that were heard of, and those that waited for a run
/// which did not store them after all.
async fn start(
    worker: Worker,
    mut triggers: mpsc::Receiver<BTreeMap<Name, Publish>>,
    changes: mpsc::Sender<Change>,
) {
    let refs = worker.refs().clone();
    loop {
        let due = tokio::select! {
            heard = triggers.recv() => match heard {
                Some(heard) => refs.sift(heard),
                None => return,
            },
            due = refs.ended() => due,
        };
        for job in worker.publish(&due) {
            if changes.send(Change::Trigger(job)).await.is_err() {
                return;
            }
        }
    }
}

/// Returns the receiver of a configuration.
///
/// # Errors
///
/// When a secret cannot be had.
pub(super) async fn webhook_of(
    config: &Arc<Config>,
    settings: &WebhookSettings,
    publishes: &Publishes,
) -> Result<Webhook, CommandError> {
    let (config, settings, publishes) = (Arc::clone(config), settings.clone(), publishes.clone());
    // A secret may be what a command prints.
    let made = tokio::task::spawn_blocking(move || Webhook::new(&config, &settings, publishes));
    Ok(made.await.expect("reading secrets does not panic")?)
}

/// How often it is looked whose turn it is.
const TICK: Duration = Duration::from_secs(1);

/// Asks every repository of the jobs that wait for publishes for its ref, as often as they say.
async fn poll(worker: Worker, context: Context, publishes: Publishes) {
    let mut asked = BTreeMap::new();
    let mut silent = BTreeSet::new();
    loop {
        let config = worker.config();
        let now = Instant::now();
        let jobs = worker.listening();
        let is_at_work = |name: &Name| worker.refs().is_at_work(name);
        let due = due(&jobs, &config, &mut asked, is_at_work, now);
        let (of_config, of_context, refs) = (&config, &context, worker.refs());
        let answers = due.into_iter().map(|own| async move {
            let asked = refs.ask(&own.name);
            let answer = ask(&own, of_config, of_context).await;
            (own.name, asked, answer)
        });
        let mut answers = stream::iter(answers).buffer_unordered(config.limits.content_concurrency);
        while let Some((name, when, answer)) = answers.next().await {
            match answer {
                Ok(reference) => {
                    if silent.remove(&name) {
                        context.output.message(format!("{name} says again whether something was published"));
                    }
                    if !hear(&worker, &publishes, &name, when, &reference).await {
                        asked.remove(&name);
                    }
                }
                Err(error) => {
                    if silent.insert(name) {
                        context.output.warning(format!(
                            "nobody knows whether something was published: {}",
                            error.sentences().join(": ")
                        ));
                    }
                }
            }
        }
        drop(answers);
        // Without such jobs there is nothing to be in time for.
        sleep(if jobs.is_empty() { TICK * 30 } else { TICK }).await;
    }
}

/// Announces a master ref that nobody knows; returns whether that could be told.
async fn hear(worker: &Worker, publishes: &Publishes, name: &Name, asked: Asked, reference: &str) -> bool {
    match worker.refs().answered(name, asked, reference) {
        Polled::Late => return false,
        Polled::Known => {}
        Polled::New => match worker.ref_in_vault(name).await {
            Some(stored) if stored == reference => worker.refs().note_stored(name, reference),
            _ => publishes.announce(name, Publish::at(reference, &worker.config().limits)),
        },
    }
    true
}

/// Returns the repositories whose turn it is, each once. The turn of one of which a snapshot is being
/// taken comes when that is over.
fn due(
    jobs: &[Arc<Job>],
    config: &Config,
    asked: &mut BTreeMap<Name, Instant>,
    is_at_work: impl Fn(&Name) -> bool,
    now: Instant,
) -> Vec<Repository> {
    let mut due = Vec::new();
    for job in jobs {
        let every = job.on_publish.unwrap_or(TICK);
        for repository in job.select(config).unwrap_or_default() {
            let name = &repository.name;
            if !is_at_work(name) && asked.get(name).is_none_or(|at| now >= *at + every) {
                asked.insert(name.clone(), now);
                due.push(repository.clone());
            }
        }
    }
    due
}

async fn ask(repository: &Repository, config: &Config, context: &Context) -> Result<String, CommandError> {
    let target = target(repository, config)?;
    let http = context.http(&config.limits)?;
    let api = ContentApi::new(http.clone(), target.endpoints.content_api.clone(), target.access_token);
    let root = api.root().await;
    context.counted.add_requests(&http.request_counts(), &BTreeMap::new());
    let root = root.map_err(|error| {
        CommandError::because(ErrorKind::Failed, format!("{} does not answer", repository.name), error)
    })?;
    Ok(root.master_ref)
}
