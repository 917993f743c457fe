//! `prismvault drill show`: what a drill showed, and what waits for whom.

use std::time::Duration;

use serde::Serialize;

use super::pages::{gates, light, next_steps, result};
use super::speaking::warn;
use crate::cli::error::CommandError;
use crate::cli::findings::{Detail, with_some};
use crate::cli::output::Page;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::text::{Style, Table, Text};
use crate::cli::{Context, Outcome};
use crate::drill::measure::{Light, in_words};
use crate::drill::record::{Record, find};
use crate::drill::report::Report;
use crate::drill::timeline::Ended;
use crate::progress::Problem;
use crate::vault::error::ErrorKind;
use crate::vault::format::drill::DrillFile;
use crate::vault::replica::with_causes;

/// Arguments of `drill show`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The drill: its id or the beginning of it, latest, latest:PLAN
    drill: String,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Serialize)]
struct Shown<'a> {
    /// The report as it stands; absent where it cannot be read.
    #[serde(flatten)]
    report: Option<&'a Report>,
    /// The signed record.
    record: &'a DrillFile,
    /// Why the report cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<String>,
    /// Statements that do not count.
    problems: &'a [Problem],
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &args.identity).await?;
    let stored = find(&session.vault, &args.drill).await?;
    let record = Record::load(&session.vault, stored, &session.config.people).await?;
    let now = record.now();
    let unread = record.report.as_ref().err();
    let is_damaged =
        !record.problems.is_empty() || unread.is_some_and(|error| error.kind != ErrorKind::Identity);
    let is_away = unread.is_some() || !session.vault.replicas.failed().is_empty();
    let outcome = Outcome::of_reading(is_damaged, is_away);
    let shown = Shown {
        report: now.as_ref(),
        record: &record.stored.file,
        unread: unread.map(|error| with_causes(error)),
        problems: &record.problems,
    };
    let detail = Detail::of(context.verbose);
    context.output.report(outcome, &shown, || match shown.report {
        Some(report) => page(report, detail),
        None => record_page(&shown),
    })?;
    warn(&record.problems, context);
    session.warn_of_replicas(context);
    Ok(outcome)
}

/// What the signed record says by itself.
fn record_page(shown: &Shown<'_>) -> Page {
    let file = shown.record;
    let mut page = Page::new()
        .line(Text::from(format!("Drill {} of {}: ", file.drill, file.plan)).joined(result(file.result)))
        .line(format!("From {} to {}, into {}", file.began, file.ended, file.target));
    for own in &file.repositories {
        let time = own
            .recovery_ms
            .map_or_else(|| "not recovered".to_owned(), |ms| format!("recovered in {}", time(ms)));
        let snapshot = own.snapshot.as_ref().map_or_else(|| "no snapshot".to_owned(), ToString::to_string);
        page = page.line(format!("  {}: {snapshot}, {time}", own.repository));
    }
    page = page.line(format!("Findings when it ended: {}", file.findings));
    let why = shown.unread.as_deref().unwrap_or_default();
    let text = format!(" objectives, checks, gates and findings are in the report: {why}");
    page.line(Text::styled(Style::Yellow, "Not read:").and(Style::Plain, text))
}

fn time(ms: u64) -> String {
    in_words(Duration::from_millis(ms))
}

fn page(report: &Report, detail: Detail) -> Page {
    let kind = if report.real { "Real disaster" } else { "Drill" };
    let mut page = Page::new()
        .line(
            Text::from(format!("{kind} {} of {}: ", report.drill, report.plan)).joined(result(report.result)),
        )
        .line(format!("{}: {}", report.title, report.outcome))
        .line(format!(
            "Began {}, took {}, into {}",
            report.began,
            time(report.took_ms),
            report.environment.target
        ));
    for line in &report.scenario {
        page = page.line(format!("  scenario: {line}"));
    }
    page = page.table(objectives(report)).table(phases(report));
    if let Some(bottleneck) = &report.bottleneck {
        page = page.line(format!("Most of the time went into {bottleneck}"));
    }
    let failed: Vec<_> = report.failed().collect();
    let grey = report.checks.iter().filter(|check| check.light == Light::Grey).count();
    page = page.line(format!(
        "Checks: {} good, {} failed, {grey} not looked at",
        report.checks.len() - failed.len() - grey,
        failed.len()
    ));
    let lines = failed.into_iter().map(|own| {
        Text::styled(Style::Red, "  failed ").and(
            Style::Plain,
            format!("{} ({}): expected {}; seen: {}", own.name, own.phase, own.expected, own.seen),
        )
    });
    page = with_some(page, lines, detail);
    page = findings(page, report, detail);
    let deviations = report.deviations.iter().map(|line| format!("  deviation: {line}"));
    page = with_some(page, deviations, detail);
    for own in report.cleaned.iter().filter(|own| !own.gone) {
        page = page.line(
            Text::styled(Style::Red, "  still there ")
                .and(Style::Plain, format!("{}: {}", own.what, own.how)),
        );
    }
    page = page.append(gates(report));
    next_steps(report).into_iter().fold(page, |page, step| page.line(format!("Next: {step}")))
}

fn objectives(report: &Report) -> Table {
    let mut table = Table::new(["objective", "stands", "target", "measured"]);
    for own in &report.objectives {
        table.row([
            own.objective.clone().into(),
            light(own.light),
            own.target.clone().into(),
            own.measured.clone().into(),
        ]);
    }
    table
}

fn phases(report: &Report) -> Table {
    let mut table = Table::new(["phase", "ended", "took", "notes"]).right(&["took"]).spare(&["notes"]);
    for own in &report.phases {
        let ended = match own.ended {
            Ended::Good => Text::styled(Style::Green, "good"),
            Ended::Bad => Text::styled(Style::Red, "something is wrong"),
            Ended::Broken => Text::styled(Style::Red, "broken"),
            Ended::Skipped => Text::styled(Style::Dim, "not begun"),
        };
        table.row([own.phase.name().into(), ended, time(own.took_ms).into(), own.notes.join("; ").into()]);
    }
    table
}

fn findings(page: Page, report: &Report, detail: Detail) -> Page {
    let lines = report.findings.iter().map(|own| {
        let closed = report.closed.iter().find(|closed| closed.finding == own.id);
        let head = match closed {
            Some(closed) => Text::styled(Style::Dim, format!("  closed by {} on {} ", closed.by, closed.at)),
            None => Text::styled(Style::Yellow, format!("  {} ", own.severity)),
        };
        let carried = if own.met { "" } else { ", carried over" };
        head.and(Style::Plain, format!("{}: {} ({}, due {}{carried})", own.id, own.what, own.owner, own.due))
    });
    let open = report.open_findings().count();
    with_some(page.line(format!("Findings: {open} open, {} closed", report.closed.len())), lines, detail)
}
