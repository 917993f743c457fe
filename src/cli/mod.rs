//! The command line: clap, output and exit codes. One file a command.
//!
//! A command is `Args` (clap derives; doc comments are the help) and
//! `pub async fn run(args, &Context) -> Result<Outcome, CommandError>`. It builds options, calls
//! one function of the library, and hands its report to [`Output`]. The library never prints, and
//! nothing outside this module knows of clap.
//!
//! The environment is read here and nowhere below: `PRISMVAULT_CONFIG`, `NO_COLOR`, `TERM`,
//! `RUST_LOG` (secrets by reference and AWS credentials are read where they are used).

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, field};

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::ids::{hex, random};
use crate::limits::Limits;
use crate::notify::Memory;
use crate::prismic::Http;
use crate::progress::{Progress, Silent};
use crate::server::StoredRefs;
use crate::vault::open::Vault;

pub mod error;
pub mod exit;
pub mod logging;
pub mod output;
pub mod progress;
pub mod signals;
pub mod text;
pub mod units;

mod confirm;
mod findings;
mod heap;
mod keyfiles;
mod lock_lines;
pub mod metrics;
mod notify_test;
mod own_files;
mod places;
mod record;
mod replay;
mod session;
mod storage;
mod telling;
mod traces;

pub mod accept;
pub mod access;
pub mod audit;
pub mod cat;
pub mod completions;
pub mod config;
pub mod demo;
pub mod diff;
pub mod doctor;
pub mod drill;
pub mod export;
pub mod find;
pub mod forget;
pub mod hold;
pub mod init;
pub mod jobs;
pub mod keys;
pub mod list;
pub mod manual;
pub mod privacy;
pub mod prune;
mod rebuild_index;
pub mod repair;
pub mod replicate;
pub mod restore;
pub mod retain;
pub mod run;
pub mod sandbox;
pub mod serve;
pub mod show;
pub mod snapshot;
pub mod status;
mod take;
mod together;
pub mod undelete;
pub mod verify;

pub use error::{CommandError, ErrorKind};
pub use exit::Outcome;
pub use output::{Output, Page};
pub use record::Record;
pub use session::{IdentityOptions, Session};

use logging::{LogFormat, LogOptions};
use metrics::{Counted, CountingRetries, MetricsOptions};
use output::{OutputOptions, Screen};
use record::Effect;
use traces::Traces;

/// How long threads are waited for at the end: they need a thousandth of it, unless they hang.
const LEFT_BEHIND: Duration = Duration::from_millis(250);

/// Stack of the runtime's threads: what a command does on the main thread, which has so much, a job
/// of the scheduler does on one of them. Only what is used of it takes memory.
const STACK: usize = 8 << 20;

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 partial, 4 integrity, 5 refused, \
6 objective missed, 130 interrupted. Any other means failure.";

/// Backup, export and disaster recovery for repositories of the headless CMS Prismic
#[derive(Debug, clap::Parser)]
#[command(name = "prismvault", version, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    global: GlobalOptions,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalOptions {
    /// Configuration file [env: PRISMVAULT_CONFIG] [default: ./prismvault.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON on standard output: one document, or one object a line
    #[arg(long, global = true)]
    json: bool,
    /// No progress and no messages, only data, warnings and errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Log more; twice for details
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Form of the log on standard error
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
    /// Neither read nor write local caches
    #[arg(long, global = true)]
    no_cache: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Watch the whole cycle on this machine: back up, damage, repair, restore, compare
    Demo(demo::Args),
    /// Make keys, and the vault on every replica
    Init(init::Args),
    /// Check configuration, tokens, keys, clocks and schedules, and probe every replica
    Doctor(doctor::Args),
    /// Take a snapshot now
    Snapshot(snapshot::Args),
    /// Each repository against its objectives, and what somebody should know
    Status(status::Args),
    /// List snapshots, newest last
    List(list::Args),
    /// Show one snapshot: counts, status, replicas, what was new, what no API gives
    Show(show::Args),
    /// Check that every replica holds what the manifests promise
    Verify(verify::Args),
    /// Bring what is damaged or missing on one replica from another
    Repair(repair::Args),
    /// Free what no snapshot needs any more: mark it now, delete it when the mark is old enough
    Prune(prune::Args),
    /// Give every replica the snapshots that it is to hold
    Replicate(replicate::Args),
    /// Find documents and assets by id, type, language, or any text
    Find(find::Args),
    /// What changed between two snapshots, or since a snapshot, as a changelog
    Diff(diff::Args),
    /// Print one item: a document, a model, the bytes of an asset
    Cat(cat::Args),
    /// Write a snapshot as one archive that standard tools read; it is not encrypted
    Export(export::Args),
    /// Get content back: as files, or into Prismic
    Restore(restore::Args),
    /// Accept a gap at the source that will not close
    Accept(accept::Args),
    /// Members and roles of a repository over time, and the access review
    Access(access::Args),
    /// Rehearse a recovery by a plan, measure it, and keep signed evidence
    Drill(drill::Args),
    /// Data-subject requests: open cases, what is due, and the next command to type
    Privacy(privacy::Args),
    /// Let snapshots go that no rule of [retention] keeps
    Retain(retain::Args),
    /// Keep snapshots until they are released, whatever the rules say
    Hold(hold::Args),
    /// End the hold on snapshots
    Release(hold::Args),
    /// Take back the removal of snapshots, until pruning deletes them for good
    Undelete(hold::Args),
    /// End a repository: remove all its snapshots
    Forget(forget::Args),
    /// Who may sign and who may read: list, check, add, remove, rotate
    Keys(keys::Args),
    /// Show who did what to the vault, and check that nobody meddled with the record
    Audit(audit::Args),
    /// Jobs, one file a job: check them, see when each runs, run one now
    Jobs(jobs::Args),
    /// Run the jobs at their times, until it is asked to end
    Run(run::Args),
    /// Hot standby: serve snapshots through Prismic's Content API, read only
    Serve(serve::Args),
    /// A Prismic-compatible repository on this machine, for rehearsals and tests
    Sandbox(sandbox::Args),
    /// Check the configuration and show what it means
    Config(config::Args),
    /// Print the completion script of a shell
    Completions(completions::Args),
    /// Write manual pages
    Manual(manual::Args),
}

impl Command {
    /// Says whether a command changes the vault, and so leaves an entry in its audit log. One arm
    /// a command: what writes and says that it reads would escape the record.
    fn effect(&self) -> Effect {
        match self {
            Self::Init(_) => Effect::Writes("init"),
            Self::Snapshot(_) => Effect::Writes("snapshot"),
            Self::Replicate(args) => args.effect(),
            Self::Repair(args) => args.effect(),
            Self::Prune(args) => args.effect(),
            Self::Accept(args) => args.effect(),
            Self::Access(args) => args.effect(),
            Self::Restore(args) => args.effect(),
            Self::Drill(args) => args.effect(),
            Self::Privacy(args) => args.effect(),
            Self::Retain(args) => args.effect(),
            Self::Hold(args) => args.effect("hold"),
            Self::Release(args) => args.effect("release"),
            Self::Undelete(args) => args.effect("undelete"),
            Self::Forget(args) => args.effect(),
            Self::Keys(args) => args.effect(),
            Self::Jobs(args) => args.effect(),
            Self::Status(_)
            | Self::List(_)
            | Self::Show(_)
            // What these two remember, below state/, may be lost at any time.
            | Self::Verify(_)
            | Self::Doctor(_)
            | Self::Find(_)
            | Self::Diff(_)
            | Self::Cat(_)
            | Self::Export(_)
            | Self::Audit(_)
            // Each run of a job leaves its own.
            | Self::Run(_)
            // Its vault is its own.
            | Self::Demo(_)
            | Self::Sandbox(_)
            | Self::Serve(_)
            | Self::Config(_)
            | Self::Completions(_)
            | Self::Manual(_) => Effect::Reads,
        }
    }
}

impl Command {
    /// Where a command that leaves metrics behind is told to write them; `status` does it itself.
    fn metrics(&self) -> Option<MetricsOptions> {
        match self {
            Self::Snapshot(args) => Some(args.metrics.clone()),
            Self::Jobs(args) => args.metrics(),
            _ => None,
        }
    }
}

/// What every command is handed.
#[derive(Clone)]
pub struct Context {
    /// The configuration file that was named, by option or environment.
    pub config: Option<PathBuf>,
    /// The printer.
    pub output: Arc<Output>,
    /// Where operations tell how far they are.
    pub progress: Arc<dyn Progress>,
    /// Cancelled by Ctrl-C.
    pub cancel: CancellationToken,
    /// The clock of this machine.
    pub clock: Arc<dyn Clock>,
    /// Whether local caches may be used.
    pub cache: bool,
    /// Whether `-v` was given: lists are shown whole.
    pub verbose: bool,
    /// What its entry in the audit log will say.
    pub record: Arc<Record>,
    /// Random id of this run: in its logs, in the manifests that it writes and in its audit entry.
    pub run: String,
    /// The client for Prismic that all runs of this process share the rates of, once there is one.
    pub http: Arc<OnceLock<Http>>,
    /// Notified by SIGHUP, for the command that does not end by it.
    pub hang_up: Arc<Notify>,
    /// What was said by notifications, as far as this process knows.
    pub said: Memory,
    /// The vault of the job that this run is of: open already, under its lease.
    pub vault: Option<Arc<Vault>>,
    /// What is counted for metrics.
    pub counted: Arc<Counted>,
    /// Which refs of repositories snapshots of this process stored, and of which they are being taken.
    pub stored_refs: StoredRefs,
}

impl Context {
    /// Returns the configuration file of this run: the named one, else the one in the working
    /// directory.
    ///
    /// # Errors
    ///
    /// When there is none; [`ConfigErrorKind::Missing`](crate::config::ConfigErrorKind::Missing)
    /// is what a command that can do without one looks for.
    pub fn config_file(&self) -> Result<PathBuf, crate::config::ConfigError> {
        Config::find(self.config.as_deref(), Path::new(""))
    }

    /// Loads the configuration of this run.
    ///
    /// # Errors
    ///
    /// When there is none, or it has a mistake.
    pub fn load_config(&self) -> Result<Config, CommandError> {
        Ok(Config::load(&self.config_file()?)?)
    }

    /// Returns a client for Prismic that counts its requests for itself and keeps the rates together
    /// with all others of this process.
    ///
    /// # Errors
    ///
    /// When this machine refuses the set-up.
    pub fn http(&self, limits: &Limits) -> Result<Http, CommandError> {
        if let Some(http) = self.http.get() {
            return Ok(http.beside().telling(Arc::clone(&self.progress)));
        }
        let http = Http::new(limits.clone(), Arc::clone(&self.clock))
            .map_err(|error| CommandError::because(ErrorKind::Failed, "cannot make requests", error))?;
        Ok(self.http.get_or_init(|| http).beside().telling(Arc::clone(&self.progress)))
    }
}

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let parsed = Cli::command().try_get_matches_from(&arguments).and_then(|matches| {
        let name = matches.subcommand_name().unwrap_or_default().to_owned();
        let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut Cli::command()))?;
        Ok((name, cli))
    });
    match parsed {
        Ok((name, cli)) => {
            if matches!(cli.command, Command::Serve(_) | Command::Replicate(_)) {
                heap::give_back();
            }
            run(&name, cli).into()
        }
        Err(err) => usage(&err, &arguments).into(),
    }
}

/// Prints what clap says: help, version, or what is wrong with the command line.
fn usage(err: &clap::Error, arguments: &[OsString]) -> Outcome {
    if !err.use_stderr() {
        // A reader of the help that went away is no error.
        err.print().ok();
        return Outcome::Complete;
    }
    // The options could not be parsed, so they are looked for by hand.
    let json = arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    if !json {
        err.print().ok();
        return Outcome::Usage;
    }
    let rendered = err.render().to_string();
    let mut lines = rendered.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    let sentence = first.strip_prefix("error: ").unwrap_or(first).to_owned();
    let tips = lines.filter_map(|line| line.strip_prefix("tip: "));
    let error = tips.fold(CommandError::new(ErrorKind::Usage, sentence), CommandError::hint);
    Output::new(OutputOptions::detect(true, false), Screen::default()).error(&error);
    Outcome::Usage
}

/// Runs a command and reports how it ended.
fn run(name: &str, cli: Cli) -> Outcome {
    let Cli { global, command } = cli;
    let options = OutputOptions::detect(global.json, global.quiet);
    let draws = std::io::stderr().is_terminal() && !global.quiet && !output::is_dumb();
    let screen = if draws { Screen::with_bars() } else { Screen::default() };
    let output = Arc::new(Output::new(options, screen.clone()));
    let log = LogOptions {
        verbose: global.verbose,
        quiet: global.quiet,
        format: global.log_format,
        colour: options.message_colour,
    };
    let mut traces = Traces::default();
    let result = logging::start(log, screen.clone()).and_then(|started| {
        traces = started;
        if let Some(warning) = traces.warning.take() {
            output.warning(warning);
        }
        execute(&global, name, command, &screen, &output)
    });
    traces.finish();
    let finished = output.finish(result.as_ref().ok().copied());
    match result.and_then(|outcome| finished.map(|()| outcome)) {
        Ok(outcome) => outcome,
        Err(error) => {
            output.error(&error);
            error.kind.outcome()
        }
    }
}

fn execute(
    global: &GlobalOptions,
    name: &str,
    command: Command,
    screen: &Screen,
    output: &Arc<Output>,
) -> Result<Outcome, CommandError> {
    let failed = |sentence: &'static str| {
        move |err: std::io::Error| CommandError::because(ErrorKind::Failed, sentence, err)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build()
        .map_err(failed("cannot start the runtime"))?;
    let counted = Arc::new(Counted::default());
    let shown = progress_for(global, screen, output);
    let context = Context {
        config: global.config.clone().or_else(config_of_environment),
        output: Arc::clone(output),
        progress: Arc::new(CountingRetries { counted: Arc::clone(&counted), inner: shown }),
        cancel: CancellationToken::new(),
        clock: Arc::new(SystemClock),
        cache: !global.no_cache,
        verbose: global.verbose > 0,
        record: Arc::new(Record::of(command.effect())),
        run: new_run(),
        http: Arc::default(),
        hang_up: Arc::default(),
        said: Memory::of(jobs::work::host()),
        vault: None,
        counted,
        stored_refs: StoredRefs::default(),
    };
    let measured = command.metrics();
    // At this level so that every line of the log names the run. A scheduler has runs of its own.
    let span = match &command {
        Command::Run(_) => tracing::Span::none(),
        _ => tracing::error_span!(
            "command",
            command = name,
            run = context.run,
            result = field::Empty,
            otel.status_code = field::Empty
        ),
    };
    let reloads = matches!(command, Command::Run(_)).then(|| Arc::clone(&context.hang_up));
    let work = async {
        let mut tasks = JoinSet::new();
        signals::watch(&mut tasks, context.cancel.clone(), reloads, Arc::clone(output))
            .map_err(failed("cannot listen for signals"))?;
        let mut result = dispatch(command, &context).await;
        if let Some(options) = measured {
            result = metrics::write_after(&options, result, &context).await;
        }
        let result = context.record.end(result, output).await;
        note(&result);
        result
    };
    let result = runtime.block_on(work.instrument(span));
    // What a command left behind must not keep the process: it is cancelled or of no use. But threads
    // that end anyway are waited for: to let go of one that is just ending (pthread_detach(3)) reads what
    // the C library has freed, in a crash of one process in many thousands.
    runtime.shutdown_timeout(LEFT_BEHIND);
    result
}

/// Notes on the span of a run how it ended.
fn note(result: &Result<Outcome, CommandError>) {
    let outcome = match result {
        Ok(outcome) => *outcome,
        Err(error) => error.kind.outcome(),
    };
    let span = tracing::Span::current();
    span.record("result", outcome.code());
    if result.is_err() {
        span.record("otel.status_code", "ERROR");
    }
}

/// Returns a new id of a run: 64 random bits.
fn new_run() -> String {
    hex(&random::<8>())
}

/// Returns the file that the environment names. An empty variable is an unset one, as for most
/// tools; clap would refuse it.
fn config_of_environment() -> Option<PathBuf> {
    std::env::var_os("PRISMVAULT_CONFIG").filter(|file| !file.is_empty()).map(PathBuf::from)
}

fn progress_for(global: &GlobalOptions, screen: &Screen, output: &Arc<Output>) -> Arc<dyn Progress> {
    match screen.bars() {
        Some(bars) => Arc::new(progress::Bars::new(bars.clone(), Arc::clone(output))),
        None if global.verbose > 0 => {
            Arc::new(progress::Lines::new(Arc::clone(output), progress::LINE_EVERY))
        }
        None if global.quiet => Arc::new(Silent),
        None => Arc::new(progress::Unwatched::default()),
    }
}

async fn dispatch(command: Command, context: &Context) -> Result<Outcome, CommandError> {
    match command {
        Command::Demo(args) => demo::run(args, context).await,
        Command::Init(args) => init::run(args, context).await,
        Command::Doctor(args) => doctor::run(args, context).await,
        Command::Snapshot(args) => snapshot::run(args, context).await,
        Command::Status(args) => status::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::Verify(args) => verify::run(args, context).await,
        Command::Repair(args) => repair::run(args, context).await,
        Command::Prune(args) => prune::run(args, context).await,
        Command::Replicate(args) => replicate::run(args, context).await,
        Command::Find(args) => find::run(args, context).await,
        Command::Diff(args) => diff::run(args, context).await,
        Command::Cat(args) => cat::run(args, context).await,
        Command::Export(args) => export::run(args, context).await,
        Command::Restore(args) => restore::run(args, context).await,
        Command::Accept(args) => accept::run(args, context).await,
        Command::Access(args) => access::run(args, context).await,
        Command::Audit(args) => audit::run(args, context).await,
        Command::Retain(args) => retain::run(args, context).await,
        Command::Drill(args) => Box::pin(drill::run(args, context)).await,
        Command::Privacy(args) => privacy::run(args, context).await,
        Command::Hold(args) => hold::hold(args, context).await,
        Command::Release(args) => hold::release(args, context).await,
        Command::Undelete(args) => undelete::run(args, context).await,
        Command::Forget(args) => forget::run(args, context).await,
        Command::Jobs(args) => jobs::run(args, context).await,
        Command::Run(args) => run::run(args, context).await,
        Command::Keys(args) => keys::run(args, context).await,
        Command::Serve(args) => serve::run(args, context).await,
        Command::Sandbox(args) => sandbox::run(args, context).await,
        Command::Config(args) => config::run(args, context).await,
        Command::Completions(args) => completions::run(args, context).await,
        Command::Manual(args) => manual::run(args, context).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_are_understood_before_and_after_the_command() {
        for line in ["prismvault --json -v config", "prismvault config --json -v"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(cli.global.json && cli.global.verbose == 1, "{line}");
        }
        let both = Cli::try_parse_from(["prismvault", "-q", "-v", "config"]).unwrap_err();
        assert_eq!(both.kind(), clap::error::ErrorKind::ArgumentConflict);
    }
}
