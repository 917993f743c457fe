//! `prismvault status`: each repository against its objectives, and what somebody should know.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::jobs::directory_of;
use super::metrics::{self as metrics_file, MetricsOptions};
use super::output::Page;
use super::session::{IdentityOptions, Session};
use super::text::{Style, Table, Text};
use super::units::{counted, human_duration};
use crate::clock::{Timestamp, rfc3339};
use crate::config::{Config, ConfigErrorKind, Objectives};
use crate::ids::Name;
use crate::limits::Limits;
use crate::schedule::{Job, Schedules};
use crate::status::{
    Alarm, Asked, Assessment, DrillFacts, ErasedFacts, Facts, JobFacts, Objective, Pending, Plan,
    ReplicaFacts, RepositoryFacts, ScheduledJob, Severity, Standing, State, TokenFacts, assess, collect,
    metrics,
};

/// Alarms of objectives that are written out for people; the table has them all.
const OBJECTIVES_SHOWN: usize = 5;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this repository, or group (@clients); may be given several times
    #[arg(long, value_name = "NAME", conflicts_with = "metrics_file")]
    repository: Vec<String>,
    /// Show only what is not as promised
    #[arg(long)]
    problems: bool,
    /// Show what the confidence in a restore of each repository is made from
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    metrics: MetricsOptions,
}

#[derive(Serialize)]
struct Report<'a> {
    at: Timestamp,
    summary: Summary,
    repositories: Vec<Line<'a>>,
    replicas: &'a [ReplicaFacts],
    jobs: &'a [JobFacts],
    tokens: &'a [TokenFacts],
    pending: &'a [Pending],
    erased: &'a ErasedFacts,
    drills: &'a DrillFacts,
    /// Whether people were erased and nothing looks for them since.
    #[serde(skip)]
    is_unwatched: bool,
    alarms: &'a [Alarm],
}

/// How many repositories stand how.
#[derive(Serialize)]
struct Summary {
    ok: usize,
    not_set: usize,
    at_risk: usize,
    missed: usize,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    standing: &'a Standing,
    facts: &'a RepositoryFacts,
}

/// Compares each repository with its objectives.
///
/// # Errors
///
/// When the vault cannot be opened, a repository is not configured, or the metrics cannot be written.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let config = context.load_config()?;
    let names: Vec<Name> = match args.repository.is_empty() {
        true => Vec::new(),
        false => config.select(&args.repository)?.into_iter().map(|own| own.name.clone()).collect(),
    };
    let session = Session::open_with(context, config, &IdentityOptions::default()).await?;
    let (vault, config) = (&session.vault, &session.config);
    let facts = collect(vault, config, &asked_of(config, &names, context)).await?;
    let assessment = assess(&facts, &objectives_of(config), vault.limits(), facts.at);
    // Half of the vault would look like a fall to whoever draws it.
    if let Some(file) = args.metrics.file(config).filter(|_| names.is_empty()) {
        metrics_file::write(&file, &metrics::render(&facts, &assessment))?;
    }
    let outcome = outcome(&facts, &assessment);
    let report = report(&facts, &assessment, args.problems, vault.limits());
    context.output.report(outcome, &report, || {
        let page = page(&report, args.problems);
        if args.explain { explained(page, &report) } else { page }
    })?;
    session.warn(context);
    Ok(outcome)
}

/// What is lost weighs most, then who cannot be asked, then what was promised.
fn outcome(facts: &Facts, assessment: &Assessment) -> Outcome {
    let is_away = facts.replicas.iter().any(|replica| replica.failure.is_some());
    let is_lost = facts.repositories.iter().any(|own| own.lost + own.unreadable > 0);
    let is_missed = assessment.alarms.iter().any(|alarm| alarm.severity == Severity::Critical);
    let promised = match is_missed || assessment.is_missed() {
        true => Outcome::ObjectiveMissed,
        false => Outcome::Complete,
    };
    // What is missed while a replica is away may be there.
    Outcome::of_reading(is_lost && !is_away, is_away).worst(promised)
}

/// What is asked of the vault: the repositories, with the jobs that are here. Mistakes in their files
/// are said; `jobs check` names them all.
pub(super) fn asked_of(config: &Config, names: &[Name], context: &Context) -> Asked {
    asked_of_jobs(&scheduled(config, context), config, names, context)
}

/// The same with jobs that were read before.
pub(super) fn asked_of_jobs(jobs: &[Arc<Job>], config: &Config, names: &[Name], context: &Context) -> Asked {
    let now = context.clock.now();
    Asked {
        repositories: names.to_vec(),
        jobs: jobs.iter().map(|job| planned(job, config, now)).collect(),
        requests: context.counted.requests(),
        retries: context.counted.retries(),
        seen: Arc::default(),
        cancel: context.cancel.clone(),
    }
}

/// What is promised of each repository.
pub(super) fn objectives_of(config: &Config) -> BTreeMap<Name, Objectives> {
    config.repositories.iter().map(|own| (own.name.clone(), config.objectives_of(own))).collect()
}

fn scheduled(config: &Config, context: &Context) -> Vec<Arc<Job>> {
    let now = context.clock.now();
    let schedules = match Schedules::load(&directory_of(config), config, now) {
        Ok(schedules) => schedules,
        // Something else may start the commands.
        Err(error) if error.kind() == ConfigErrorKind::Missing => return Vec::new(),
        Err(error) => {
            context.output.warning(error.to_string());
            return Vec::new();
        }
    };
    for mistake in &schedules.mistakes {
        context.output.warning(mistake.to_string());
    }
    schedules.jobs.into_iter().map(Arc::new).collect()
}

fn planned(job: &Job, config: &Config, now: Timestamp) -> ScheduledJob {
    let selected = job.select(config).unwrap_or_default();
    let next = job.cron.as_ref().and_then(|cron| cron.next_after(now));
    let then = job.cron.as_ref().zip(next).and_then(|(cron, next)| cron.next_after(next));
    ScheduledJob {
        job: job.name.clone(),
        does: job.work.word(),
        plan: Plan {
            repositories: selected.into_iter().map(|own| own.name.clone()).collect(),
            last_due: job.cron.as_ref().and_then(|cron| cron.last_until(now)),
            next,
            every: next.zip(then).map(|(next, then)| then.signed_duration_since(next)),
            jitter: chrono::TimeDelta::from_std(job.jitter).ok(),
        },
    }
}

fn report<'a>(facts: &'a Facts, assessment: &'a Assessment, problems: bool, limits: &Limits) -> Report<'a> {
    let count = |state| assessment.repositories.iter().filter(|own| own.state == state).count();
    let by_name: BTreeMap<&Name, &RepositoryFacts> =
        facts.repositories.iter().map(|own| (&own.repository, own)).collect();
    let shown = assessment.repositories.iter().filter(|own| !problems || own.state != State::Ok);
    let lines = shown
        .filter_map(|standing| Some(Line { standing, facts: by_name.get(&standing.repository).copied()? }));
    Report {
        at: assessment.at,
        summary: Summary {
            ok: count(State::Ok),
            not_set: count(State::NotSet),
            at_risk: count(State::AtRisk),
            missed: count(State::Missed),
        },
        repositories: lines.collect(),
        replicas: &facts.replicas,
        jobs: &facts.jobs,
        tokens: &facts.tokens,
        pending: &facts.pending,
        erased: &facts.erased,
        drills: &facts.drills,
        is_unwatched: {
            let age = chrono::TimeDelta::from_std(limits.erased_look_age_advised).unwrap_or_default();
            facts.erased.is_unwatched(&facts.jobs, age, assessment.at)
        },
        alarms: &assessment.alarms,
    }
}

fn state_text(state: State) -> Text {
    let style = match state {
        State::Ok => Style::Green,
        State::NotSet => Style::Dim,
        State::AtRisk => Style::Yellow,
        State::Missed => Style::Red,
    };
    Text::styled(style, state.label())
}

/// How long ago something was, or a word for never.
fn ago(at: Option<Timestamp>, now: Timestamp) -> String {
    match at {
        None => "never".to_owned(),
        Some(at) => human_duration(now.signed_duration_since(at).to_std().unwrap_or_default()),
    }
}

/// What an objective is about that does not stand well, the worst first.
fn troubles(standing: &Standing) -> String {
    let mut troubled: Vec<_> =
        standing.objectives.iter().filter(|judged| judged.state >= State::AtRisk).collect();
    troubled.sort_by_key(|judged| std::cmp::Reverse(judged.state));
    let words: Vec<&str> = troubled.iter().map(|judged| judged.objective.word()).collect();
    words.join(", ")
}

/// When a recovery was last rehearsed; a rehearsal that failed since is said instead.
fn rehearsed(facts: &RepositoryFacts, now: Timestamp) -> Text {
    match &facts.failed_drill {
        Some(failed) => Text::styled(Style::Red, format!("failed {}", ago(Some(failed.ended), now))),
        None => ago(facts.drill.as_ref().map(|drill| drill.ended), now).into(),
    }
}

/// Adds what the confidence in a restore is made from: each factor with its figures, then the product.
fn explained(mut page: Page, report: &Report<'_>) -> Page {
    for Line { standing, .. } in &report.repositories {
        page = page.line("").line(format!("Confidence in a restore of {}", standing.repository));
        for factor in &standing.confidence.factors {
            page = page.line(format!("  {:<9}  {:.2}  {}", factor.name, factor.value, factor.from));
        }
        page = page.line(format!("  {}", standing.confidence.arithmetic()));
    }
    page
}

fn table(report: &Report<'_>) -> Table {
    let mut table = Table::new([
        "repository",
        "state",
        "last snapshot",
        "verified",
        "copies",
        "rehearsed",
        "confidence",
        "unmet in 30 d",
        "because of",
    ])
    .right(&["last snapshot", "verified", "copies", "rehearsed", "confidence", "unmet in 30 d"])
    .spare(&["rehearsed", "unmet in 30 d", "confidence", "copies", "verified"]);
    for Line { standing, facts } in &report.repositories {
        let last = facts.last_complete.as_ref();
        let copies = standing.objectives.iter().find(|judged| judged.objective == Objective::Copies);
        let held = match (copies, last) {
            (Some(judged), Some(last)) => format!("{}/{}", last.on.len(), judged.promised),
            (_, Some(last)) => last.on.len().to_string(),
            (_, None) => "-".to_owned(),
        };
        let burn = standing.burn.map_or_else(|| "-".to_owned(), |burn| format!("{:.1} %", burn * 100.0));
        table.row([
            standing.repository.to_string().into(),
            state_text(standing.state),
            ago(last.map(|last| last.taken), report.at).into(),
            ago(facts.verified, report.at).into(),
            held.into(),
            rehearsed(facts, report.at),
            format!("{:.2}", standing.confidence.value).into(),
            burn.into(),
            troubles(standing).into(),
        ]);
    }
    table
}

fn page(report: &Report<'_>, problems: bool) -> Page {
    let Summary { ok, not_set, at_risk, missed } = report.summary;
    let all = counted((ok + not_set + at_risk + missed) as u64, "repository");
    let mut words = vec![format!("{ok} ok")];
    let others = [(missed, "missed"), (at_risk, "at risk"), (not_set, "without objectives")];
    words
        .extend(others.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")));
    let mut page = Page::new();
    if !report.repositories.is_empty() {
        page = page.table(table(report)).line("");
    }
    page = page.line(format!("{all}: {}", words.join(", ")));
    if not_set > 0 && missed + at_risk + ok == 0 {
        page = page.line(
            "  nothing is promised: write [objectives] with rpo = \"24h\", verified_within = \"7d\", copies = 2 into the configuration",
        );
    }
    if problems && report.alarms.is_empty() && not_set == 0 {
        page = page.line("Nothing to do.");
    }
    if report.is_unwatched {
        page = page.line(format!(
            "Nothing looks whether people who were erased ({}) are named again: a job with job = \"privacy-check\", where a privacy officer's keys are, or prismvault privacy check",
            counted(report.erased.cases, "case")
        ));
    }
    let (of_objectives, others): (Vec<&Alarm>, Vec<&Alarm>) =
        report.alarms.iter().partition(|alarm| alarm.is_of_objective());
    for alarm in others.into_iter().chain(of_objectives.iter().copied().take(OBJECTIVES_SHOWN)) {
        page = with_alarm(page, alarm);
    }
    match of_objectives.len().saturating_sub(OBJECTIVES_SHOWN) {
        0 => page,
        more => page.line("").line(format!(
            "{} more of such alarms: `prismvault status --repository NAME`, or --json",
            counted(more as u64, "alarm").split(' ').next().unwrap_or_default()
        )),
    }
}

fn with_alarm(page: Page, alarm: &Alarm) -> Page {
    let style = match alarm.severity {
        Severity::Critical => Style::Red,
        Severity::Warning => Style::Yellow,
    };
    let about = alarm.repository.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
    let since = alarm.since.map(|since| format!(" (since {})", rfc3339(since))).unwrap_or_default();
    let line = format!("{about}{}{since}", alarm.what);
    page.line("")
        .line(Text::styled(style, format!("{} ", alarm.severity.label())).and(Style::Plain, line))
        .line(format!("  next: {}", alarm.next))
}
