//! `prismvault jobs`: the jobs of `schedules/`.
//!
//! `list`, `check` and `next` read files only: neither the vault nor Prismic is asked, so they
//! work on a laptop and in a review of the files. What is wrong in a file is part of the report
//! and decides the exit code, also of `list` and `next`: a job that is not shown is not run.
//! `run` carries one out, as the scheduler of `prismvault run` does.

pub(super) mod work;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::Context;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::metrics::MetricsOptions;
use super::output::Page;
use super::record::Effect;
use super::session::IdentityOptions;
use super::text::{Style, Table, Text};
use super::units::counted;
use crate::clock::{Timestamp, rfc3339};
use crate::config::{Config, ConfigError, ConfigErrorKind};
use crate::ids::Name;
use crate::schedule::{Cron, Job, Schedules, Work};
use crate::verification::Level;

/// Arguments of `jobs`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// Directory of the jobs [default: schedules, beside the configuration file]
    #[arg(long, global = true, value_name = "DIR")]
    schedules: Option<PathBuf>,
}

impl Args {
    /// What a job does decides: one that takes snapshots writes, one that verifies does not.
    pub(super) fn effect(&self) -> Effect {
        match self.action {
            Action::Run(_) => Effect::MayWrite("jobs run"),
            Action::List | Action::Check | Action::Next(_) | Action::NotifyTest(_) => Effect::Reads,
        }
    }

    /// Where a job that runs is told to write metrics.
    pub(super) fn metrics(&self) -> Option<MetricsOptions> {
        match &self.action {
            Action::Run(args) => Some(args.metrics.clone()),
            Action::List | Action::Check | Action::Next(_) | Action::NotifyTest(_) => None,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the jobs, and when each runs next
    List,
    /// Check every file: its keys, its time, and that its repositories exist
    Check,
    /// Show the next runs of all jobs, soonest first
    Next(NextArgs),
    /// Run a job now
    Run(RunArgs),
    /// Send a test message to each notification, and say what came of it
    NotifyTest(super::notify_test::Args),
}

#[derive(Debug, clap::Args)]
struct NextArgs {
    /// Number of runs
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// The job: the name of its file without .toml
    name: Name,
    /// Only if no other host has done it since its last time, for timers and CronJobs on several
    #[arg(long)]
    if_due: bool,
    #[command(flatten)]
    identity: IdentityOptions,
    #[command(flatten)]
    metrics: MetricsOptions,
}

#[derive(Serialize)]
struct Report<'a> {
    directory: &'a Path,
    jobs: Vec<JobReport<'a>>,
    mistakes: Vec<Mistake<'a>>,
}

#[derive(Serialize)]
struct JobReport<'a> {
    name: &'a Name,
    job: &'static str,
    level: Option<Level>,
    repack_below: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a Path>,
    repositories: Vec<&'a str>,
    selected: Vec<&'a Name>,
    cron: Option<String>,
    timezone: Option<&'static str>,
    after: &'a [Name],
    on_publish: bool,
    next: Option<Moment>,
    file: &'a Path,
}

#[derive(Serialize)]
struct NextReport<'a> {
    directory: &'a Path,
    runs: Vec<RunReport<'a>>,
    mistakes: Vec<Mistake<'a>>,
}

#[derive(Serialize)]
struct RunReport<'a> {
    name: &'a Name,
    job: &'static str,
    timezone: &'static str,
    #[serde(flatten)]
    at: Moment,
}

#[derive(Serialize)]
struct Mistake<'a> {
    file: &'a Path,
    line: Option<usize>,
    key: &'a str,
    reason: &'a str,
}

impl<'a> Mistake<'a> {
    fn of(error: &'a ConfigError) -> Self {
        Self { file: error.file(), line: error.line(), key: error.key(), reason: error.reason() }
    }
}

/// One moment as clocks of the job show it, and in UTC; RFC 3339.
#[derive(Serialize)]
struct Moment {
    local: String,
    utc: String,
    /// The local one for people: with the weekday.
    #[serde(skip)]
    shown: String,
}

impl Moment {
    fn of(cron: &Cron, at: Timestamp) -> Self {
        let local = cron.local(at);
        Self {
            local: local.to_rfc3339(),
            utc: rfc3339(at),
            shown: local.format("%a %Y-%m-%d %H:%M:%S %:z").to_string(),
        }
    }
}

/// Runs the command below `jobs`.
///
/// # Errors
///
/// A mistake in the configuration; a directory that holds no job; for `run` a mistake in the job,
/// and whatever keeps its work from beginning.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let config = context.load_config()?;
    if let Action::NotifyTest(args) = args.action {
        return super::notify_test::run(args, &config, context).await;
    }
    let directory = match args.schedules {
        Some(directory) => directory,
        None => directory_of(&config),
    };
    if let Action::Run(args) = args.action {
        let job = Schedules::load_one(&directory, &args.name, &config).map_err(not_loaded)?;
        return work::run_one(job, args.if_due, config, args.identity, context).await;
    }
    let now = context.clock.now();
    let schedules = Schedules::load(&directory, &config, now).map_err(not_loaded)?;
    let outcome = match schedules.mistakes.is_empty() {
        true => Outcome::Complete,
        false => Outcome::Usage,
    };
    match args.action {
        Action::Next(args) => next(&schedules, now, args.count as usize, outcome, context)?,
        Action::Check => {
            let report = report(&schedules, &config, now)?;
            context.output.report(outcome, &report, || check_page(&report))?;
        }
        Action::List | Action::Run(_) | Action::NotifyTest(_) => {
            let report = report(&schedules, &config, now)?;
            context.output.report(outcome, &report, || list_page(&report))?;
        }
    }
    Ok(outcome)
}

/// Where the jobs of a configuration are: `schedules`, beside its file.
pub(super) fn directory_of(config: &Config) -> PathBuf {
    config.file.parent().unwrap_or(Path::new("")).join("schedules")
}

/// Says what to do where there are no jobs at all.
pub(super) fn not_loaded(error: ConfigError) -> CommandError {
    match error.kind() {
        ConfigErrorKind::Missing => CommandError::new(ErrorKind::Configuration, error).hint(
            "a job is a file such as nightly.toml: job = \"snapshot\", repositories = [\"*\"], cron = \"15 2 * * *\"",
        ),
        _ => error.into(),
    }
}

fn report<'a>(
    schedules: &'a Schedules,
    config: &'a Config,
    now: Timestamp,
) -> Result<Report<'a>, CommandError> {
    let job = |job: &'a Job| -> Result<JobReport<'a>, CommandError> {
        Ok(JobReport {
            name: &job.name,
            job: job.work.word(),
            level: match job.work {
                Work::Verify { level, .. } => level,
                _ => None,
            },
            repack_below: match job.work {
                Work::Prune { repack_below } => repack_below,
                _ => None,
            },
            plan: job.drill.as_deref(),
            repositories: job.repositories.iter().map(|selector| selector.text.as_str()).collect(),
            selected: job.select(config)?.into_iter().map(|repository| &repository.name).collect(),
            cron: job.cron.as_ref().map(Cron::to_string),
            timezone: job.cron.as_ref().map(Cron::zone),
            after: &job.after,
            on_publish: job.on_publish.is_some(),
            next: job.cron.as_ref().and_then(|cron| Some(Moment::of(cron, cron.next_after(now)?))),
            file: &job.defined.file,
        })
    };
    Ok(Report {
        directory: &schedules.directory,
        jobs: schedules.jobs.iter().map(job).collect::<Result<_, _>>()?,
        mistakes: mistakes(schedules),
    })
}

fn mistakes(schedules: &Schedules) -> Vec<Mistake<'_>> {
    schedules.mistakes.iter().map(Mistake::of).collect()
}

fn next(
    schedules: &Schedules,
    now: Timestamp,
    count: usize,
    outcome: Outcome,
    context: &Context,
) -> Result<(), CommandError> {
    let runs = schedules.next_runs(now, count).into_iter().map(|run| RunReport {
        name: &run.job.name,
        job: run.job.work.word(),
        timezone: run.cron.zone(),
        at: Moment::of(run.cron, run.at),
    });
    let report =
        NextReport { directory: &schedules.directory, runs: runs.collect(), mistakes: mistakes(schedules) };
    context.output.report(outcome, &report, || {
        let mut table = Table::new(["local time", "time zone", "UTC", "job", "does"]);
        for run in &report.runs {
            table.row([
                run.at.shown.clone().into(),
                run.timezone.into(),
                run.at.utc.clone().into(),
                run.name.to_string().into(),
                run.job.into(),
            ]);
        }
        with_mistakes(Page::new().table(table), &report.mistakes)
    })
}

fn list_page(report: &Report<'_>) -> Page {
    let mut table = Table::new(["job", "does", "repositories", "cron", "time zone", "next"]);
    for job in &report.jobs {
        table.row([
            job.name.to_string().into(),
            does(job).into(),
            job.repositories.join(" ").into(),
            job.cron.clone().unwrap_or_default().into(),
            job.timezone.unwrap_or_default().into(),
            when(job).into(),
        ]);
    }
    with_mistakes(Page::new().table(table), &report.mistakes)
}

fn check_page(report: &Report<'_>) -> Page {
    let mut page = Page::new();
    for job in &report.jobs {
        let selected = counted(job.selected.len() as u64, "repository");
        let line = format!("{}: {} of {selected}", job.file.display(), does(job));
        page = page.line(Text::styled(Style::Green, "good  ").and(Style::Plain, line));
    }
    with_mistakes(page, &report.mistakes)
}

/// When it runs next, or after what.
fn when(job: &JobReport<'_>) -> String {
    let after: Vec<&str> = job.after.iter().map(Name::as_str).collect();
    if job.on_publish {
        return "when something is published".to_owned();
    }
    let after = if after.is_empty() { String::new() } else { format!("after {}", after.join(", ")) };
    match &job.next {
        Some(next) if after.is_empty() => next.shown.clone(),
        Some(next) => format!("{}, {after}", next.shown),
        None if job.cron.is_none() => after,
        None => "never".to_owned(),
    }
}

fn does(job: &JobReport<'_>) -> String {
    match (job.level, job.repack_below) {
        (Some(level), _) => format!("{} ({})", job.job, format!("{level:?}").to_lowercase()),
        (None, Some(below)) => format!("{} (repack below {below} %)", job.job),
        (None, None) => job.job.to_owned(),
    }
}

fn with_mistakes(page: Page, mistakes: &[Mistake<'_>]) -> Page {
    mistakes.iter().fold(page, |page, mistake| {
        let line = mistake.line.map(|line| format!(":{line}")).unwrap_or_default();
        let key = if mistake.key.is_empty() { String::new() } else { format!("{}: ", mistake.key) };
        let text = format!("{}{line}: {key}{}", mistake.file.display(), mistake.reason);
        page.line(Text::styled(Style::Red, "wrong ").and(Style::Plain, text))
    })
}
