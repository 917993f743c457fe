//! Numbers for Prometheus: what is counted while a command runs, and the file that they go into.
//!
//! The file is for the textfile collector of node_exporter, which reads it whenever it is asked: so
//! it is replaced at one moment, by renaming. A command that could not open the vault leaves the old
//! file: its age, `prismvault_status_timestamp_seconds`, is what tells.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::Context;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::status::{asked_of, objectives_of};
use crate::config::Config;
use crate::prismic::Api;
use crate::progress::{Phase, Problem, Progress, Wait};
use crate::status::{RequestCount, assess, collect, metrics, replica_requests};
use crate::vault::open::Vault;

/// Option of the commands that write the file.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct MetricsOptions {
    /// Write metrics for Prometheus' node_exporter into this file when the command ends
    /// [default: `textfile` in [metrics]]
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
}

impl MetricsOptions {
    /// The file, where one was named or is configured.
    pub(super) fn file(&self, config: &Config) -> Option<PathBuf> {
        self.metrics_file.clone().or_else(|| config.metrics.textfile.clone())
    }
}

/// What is counted while a command runs.
#[derive(Debug, Default)]
pub struct Counted {
    retries: AtomicU64,
    requests: Mutex<BTreeMap<&'static str, u64>>,
    /// Of vaults that were closed again, by replica and what was asked.
    replicas: Mutex<BTreeMap<(String, String), u64>>,
}

impl Counted {
    /// Adds what a client asked of Prismic between two looks at its counts.
    pub(super) fn add_requests(&self, now: &BTreeMap<Api, u64>, before: &BTreeMap<Api, u64>) {
        let mut requests = self.requests.lock().expect("no holder of this lock can panic");
        for (api, count) in now {
            let known = before.get(api).copied().unwrap_or_default();
            *requests.entry(api.label()).or_default() += count.saturating_sub(known);
        }
    }

    /// What was asked of Prismic so far, by the name of the API.
    pub fn requests(&self) -> BTreeMap<&'static str, u64> {
        self.requests.lock().expect("no holder of this lock can panic").clone()
    }

    /// Adds what was asked of replicas since a vault was opened: once, when nothing more is.
    pub(super) fn add_vault(&self, vault: &Vault) {
        let mut replicas = self.replicas.lock().expect("no holder of this lock can panic");
        for count in replica_requests(vault) {
            *replicas.entry((count.of, count.operation)).or_default() += count.count;
        }
    }

    /// What was asked of anybody so far, by this process and, where one is open, by this vault.
    pub(super) fn all_requests(&self, open: Option<&Vault>) -> Vec<RequestCount> {
        let mut all = self.replicas.lock().expect("no holder of this lock can panic").clone();
        for count in open.into_iter().flat_map(replica_requests) {
            *all.entry((count.of, count.operation)).or_default() += count.count;
        }
        let apis = self.requests().into_iter();
        let apis = apis.map(|(api, count)| ((api.to_owned(), "get".to_owned()), count));
        let all = apis.chain(all).filter(|(_, count)| *count > 0);
        all.map(|((of, operation), count)| RequestCount { of, operation, count }).collect()
    }

    /// How often anybody was asked again after a failure.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }
}

/// Counts retries on their way to those who show progress.
pub(super) struct CountingRetries {
    pub(super) counted: Arc<Counted>,
    pub(super) inner: Arc<dyn Progress>,
}

impl Progress for CountingRetries {
    fn start(&self, phase: Phase, total: Option<u64>) {
        self.inner.start(phase, total);
    }

    fn advance(&self, phase: Phase, items: u64, bytes: u64) {
        self.inner.advance(phase, items, bytes);
    }

    fn finish(&self, phase: Phase) {
        self.inner.finish(phase);
    }

    fn problem(&self, problem: &Problem) {
        self.inner.problem(problem);
    }

    fn wait_begins(&self, wait: &Arc<Wait>) {
        if matches!(**wait, Wait::Retry { .. }) {
            self.counted.retries.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.wait_begins(wait);
    }

    fn wait_ends(&self, wait: &Arc<Wait>) {
        self.inner.wait_ends(wait);
    }
}

/// Writes the file after a command that opened the vault, however it ended. A file that cannot be
/// written is a warning, and makes the exit code 3 at least: somebody relies on it.
pub(super) async fn write_after(
    options: &MetricsOptions,
    result: Result<Outcome, CommandError>,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let Some(vault) = context.record.vault().filter(|_| !context.cancel.is_cancelled()) else {
        return result;
    };
    // What is wrong with it the command has said.
    let Ok(config) = context.load_config() else { return result };
    let Some(file) = options.file(&config) else { return result };
    match gather_and_write(&vault, &config, &file, context).await {
        Ok(()) => result,
        Err(error) => {
            context.output.warning(error.sentences().join(": "));
            result.map(|outcome| outcome.worst(Outcome::Partial))
        }
    }
}

async fn gather_and_write(
    vault: &Vault,
    config: &Config,
    file: &Path,
    context: &Context,
) -> Result<(), CommandError> {
    let facts = collect(vault, config, &asked_of(config, &[], context)).await?;
    let assessment = assess(&facts, &objectives_of(config), vault.limits(), facts.at);
    write(file, &metrics::render(&facts, &assessment))
}

/// Replaces the file at one moment. Everybody may read it: the collector is another user.
///
/// # Errors
///
/// When it cannot be written; the old one stays.
pub(super) fn write(file: &Path, text: &str) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| {
        CommandError::because(
            ErrorKind::Failed,
            format!("the metrics cannot be written to {}", file.display()),
            error,
        )
        .hint("its directory must be there and writable for the user that runs this")
    };
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary =
        tempfile::Builder::new().prefix(".prismvault-metrics-").tempfile_in(directory).map_err(failed)?;
    temporary.write_all(text.as_bytes()).map_err(failed)?;
    make_readable(temporary.as_file()).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(file).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(unix)]
fn make_readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_file: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}
