//! Plan and report of a restore, for people.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::output::Page;
use crate::cli::replay::with_applied;
use crate::cli::text::{Style, Table, Text};
use crate::cli::units::{counted, human_bytes, human_duration};
use crate::progress::Problem;
use crate::restore::repository::{Ending, FidelityReport, Plan, PlannedStep, ReadBack, Report};

/// Differences and problems that are shown; `--json` has all.
const SHOWN: usize = 20;

/// Renders a plan.
pub(super) fn plan(plan: &Plan) -> Page {
    let mut page = Page::new().line(Text::styled(
        Style::Bold,
        format!(
            "Would restore {} of {} into {} ({})",
            plan.snapshot, plan.source, plan.target, plan.repository
        ),
    ));
    page = with_applied(page, &plan.applied);
    if plan.documents_there > 0 {
        let there = counted(plan.documents_there, "published document");
        page = page.line(format!("The target has {there} already."));
    }
    page = steps(page, &plan.steps);
    let forecast = &plan.forecast;
    page = page.line(format!(
        "{} that change something, {} to upload: about {}",
        counted(forecast.requests, "request"),
        human_bytes(forecast.upload_bytes),
        human_duration(Duration::from_secs(forecast.seconds))
    ));
    if forecast.seconds_left < forecast.seconds {
        page = page.line(format!(
            "Of that {} are left.",
            human_duration(Duration::from_secs(forecast.seconds_left))
        ));
    }
    if plan.live_incomplete > 0 {
        page = page.line(format!(
            "{} live without some of their links, until a later publish.",
            counted(plan.live_incomplete, "document goes live incomplete: document")
        ));
    }
    if plan.steps.iter().any(|step| step.step == "publish" && step.requests > 0) {
        page = page.line(
            "Publishing takes all that is in the migration release of the target, also what others put there.",
        );
    }
    page = fidelity(page, &plan.fidelity);
    for problem in plan.problems.iter().take(SHOWN) {
        page = page.line(line_of(problem, "NOT RESTORED "));
    }
    for refusal in &plan.refusals {
        page = page
            .line("")
            .line(Text::styled(Style::Red, "IN THE WAY ").and(Style::Plain, refusal.what.clone()))
            .line(format!("  {}", refusal.next));
    }
    page
}

fn steps(page: Page, steps: &[PlannedStep]) -> Page {
    let mut table = Table::new(["step", "count", "done", "requests"]).right(&["count", "done", "requests"]);
    for step in steps {
        table.row([
            step.label.clone().into(),
            step.count.to_string().into(),
            step.done.to_string().into(),
            step.requests.to_string().into(),
        ]);
    }
    page.line("").table(table).line("")
}

/// The checklist of what remains for people.
fn fidelity(page: Page, fidelity: &FidelityReport) -> Page {
    let mut page = page.line("").line(Text::styled(Style::Bold, "What Prismic cannot take back"));
    for row in fidelity.found.iter().chain(&fidelity.always) {
        let count = row.count.map(|count| format!("{count} × ")).unwrap_or_default();
        page = page.line(format!("  [ ] {count}{}: {}", row.label, row.what_to_do));
    }
    page
}

fn line_of(problem: &Problem, head: &str) -> Text {
    Text::styled(Style::Red, head).and(Style::Plain, format!("{}: {}", problem.subject, problem.detail))
}

/// Renders a report; `files` hold all of it.
pub(super) fn report(report: &Report, files: &[PathBuf]) -> Page {
    let mut page = Page::new();
    let into =
        format!("{} of {} into {} ({})", report.snapshot, report.source, report.target, report.repository);
    let took = (report.finished - report.started).num_seconds().unsigned_abs();
    page = match report.ending {
        Ending::ReadBack if report.is_as_foretold() => page.line(
            Text::styled(Style::Green, "Restored and read back")
                .and(Style::Plain, format!(": {into}, in {}", human_duration(Duration::from_secs(took)))),
        ),
        Ending::ReadBack => {
            page.line(Text::styled(Style::Red, "Restored, and NOT as it was").and(Style::Plain, format!(": {into}")))
        }
        Ending::WaitsForPublish { staged } => page
            .line(
                Text::styled(Style::Yellow, "Waits for you")
                    .and(Style::Plain, format!(": {} of {into} in the migration release", counted(staged, "document"))),
            )
            .line(format!(
                "Publish it at https://{}.prismic.io/builder/migration, then run the same command again; with --publish it does that itself.",
                report.repository
            )),
        Ending::Open => page.line(
            Text::styled(Style::Red, "Not finished")
                .and(Style::Plain, format!(": answers were lost again and again; {into}. The same command goes on.")),
        ),
    };
    page = with_applied(page, &report.applied);
    page = steps(page, &report.steps);
    if let Some(back) = &report.read_back {
        page = read_back(page, back);
    }
    for id in &report.possible_orphans {
        page =
            page.line(Text::styled(Style::Yellow, "POSSIBLE ORPHAN ").and(
                Style::Plain,
                format!("{id}: the answer to its creation was lost; known after a publish"),
            ));
    }
    for problem in report.problems.iter().take(SHOWN) {
        page = page.line(line_of(problem, "PROBLEM "));
    }
    if report.problems.len() > SHOWN {
        page = page.line(format!("… and {} more", report.problems.len() - SHOWN));
    }
    for file in files {
        page = page.line(format!("Report: {}", file.display()));
    }
    page
}

fn read_back(page: Page, back: &ReadBack) -> Page {
    let mut page = page.line(format!(
        "Read back: {} ({} equal), {}, {}; {} as foretold, {} not",
        counted(back.documents, "document"),
        back.equal,
        counted(back.assets, "asset"),
        counted(back.models, "model"),
        counted(back.expected, "difference"),
        back.defects
    ));
    let defects = back.differences.iter().filter(|difference| difference.expected.is_none());
    for difference in defects.take(SHOWN) {
        page = page.line(Text::styled(Style::Red, "DIFFERS ").and(
            Style::Plain,
            format!("{} {} {} {}", difference.thing, difference.id, difference.path, difference.what),
        ));
    }
    if back.appeared > 0 {
        page = page.line(format!(
            "{} in the target of which this restore knows nothing",
            counted(back.appeared, "new document")
        ));
    }
    page
}
