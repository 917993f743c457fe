//! `prismvault privacy show`.

use serde::Serialize;

use super::desk::{due_line, next_line, open_case};
use crate::cli::error::CommandError;
use crate::cli::output::Page;
use crate::cli::session::IdentityOptions;
use crate::cli::text::{Style, Text};
use crate::cli::units::counted;
use crate::cli::{Context, Outcome};
use crate::clock::rfc3339;
use crate::ids::CaseId;
use crate::privacy::case::guide::{Step, next_command};
use crate::privacy::case::state::Horizon;
use crate::privacy::case::{Case, Event, Kind, State, What};
use crate::privacy::rules::{Due, PauseKind, due::words};

/// Tasks that are named in one line of what happened.
const TASKS_SHOWN_MAX: usize = 10;

/// Arguments of `privacy show`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The case, such as 2026-7K3F9Q
    case: CaseId,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Serialize)]
struct Report<'a> {
    case: &'a CaseId,
    received: chrono::NaiveDate,
    rules: String,
    state: &'a State,
    due: Option<&'a Due>,
    keep_until: Option<chrono::NaiveDate>,
    next: Step,
    events: &'a [Event],
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let (session, stored) = open_case(&args.case, &args.identity, context).await?;
    let case = &stored.case;
    let due = case.due();
    let report = Report {
        case: case.id(),
        received: case.received_on(),
        rules: case.rules().name(),
        state: case.state(),
        due: case.is_owed().then_some(&due),
        keep_until: case.keep_until(),
        next: next_command(case),
        events: case.events(),
    };
    context.output.report(Outcome::Complete, &report, || page(case, &report))?;
    session.warn(context);
    Ok(Outcome::Complete)
}

fn page(case: &Case, report: &Report<'_>) -> Page {
    let rights: Vec<&str> = case.rights().iter().map(|right| right.name()).collect();
    let mut page = Page::new()
        .line(Text::styled(Style::Bold, format!("Case {}", case.id())))
        .line(format!("Asked for: {}", rights.join(", ")))
        .line(format!(
            "Received on {}; rules {} ({})",
            words(report.received),
            report.rules,
            case.rules().title()
        ))
        .line(format!("The case {}", case.state().stage.words()));
    if let Some(due) = report.due {
        let waits_for = due.waits_for.map(PauseKind::words);
        page = due_line(Some(due.date), waits_for).into_iter().fold(page, Page::line);
        page = due.steps.iter().fold(page, |page, step| page.line(format!("  {step}")));
        if !due.extended {
            page = page
                .line(format!("The person can be told of an extension until {}", words(due.extension_by)));
        }
    }
    let holds = case.events().iter().filter(|event| event.what.kind() == Kind::Hold);
    for ((n, event), hold) in (1..).zip(holds).zip(&case.state().holds) {
        let What::Hold { ground, item } = &event.what else { continue };
        let on = item.as_deref().unwrap_or("everything");
        let ended = if hold.released { ", released" } else { "" };
        page = page.line(format!("Hold {n} on {on}: {ground}{ended}"));
    }
    page = match case.state().horizon {
        Some(Horizon::Pending(until)) => {
            page.line(format!("Promised: no copy in backups survives {}", words(until)))
        }
        Some(Horizon::Reached) => page.line("No copy in backups is left"),
        None => page,
    };
    page = page.line(next_line(&report.next)).line("").line(Text::styled(Style::Bold, "What happened"));
    for event in case.events() {
        let mut line = format!("{}  {}  by {}", rfc3339(event.at), event.what.kind().words(), event.actor);
        if let Some(detail) = detail(&event.what) {
            line.push_str(&format!(": {detail}"));
        }
        if let Some(reason) = &event.reason {
            line.push_str(&format!(" – {reason}"));
        }
        page = page.line(line);
    }
    page
}

/// What is worth a word of an event. The identifiers of the person are left to the search.
fn detail(what: &What) -> Option<String> {
    Some(match what {
        What::Received { on, channel, .. } => format!("{on}, {channel}"),
        What::IdentityVerified(check) | What::IdentityFailed(check) => {
            format!("{}, {}, checked by {} on {}", check.method, check.result, check.who, check.on)
        }
        What::Searched { items, findings, unsearchable, .. } => {
            format!(
                "{}, {}, {unsearchable} not searchable",
                counted(*items, "item"),
                counted(*findings, "finding")
            )
        }
        What::ReviewChanged { decided, unsure, open, .. } => {
            format!("{decided} decided, {unsure} unsure, {open} open")
        }
        What::LegalAssessed { note, .. } => note.clone(),
        What::HorizonSet { until } => until.to_string(),
        What::Exported { right, manifest, records, files, name } => {
            let (entries, files) = (counted(*records, "entry"), counted(*files, "file"));
            format!("{right}: {name}, {entries}, {files}, manifest {manifest}")
        }
        What::TaskDone { tasks, .. } | What::TaskReopened { tasks } => {
            let mut ids: Vec<&str> = tasks.iter().take(TASKS_SHOWN_MAX).map(String::as_str).collect();
            if tasks.len() > TASKS_SHOWN_MAX {
                ids.push("…");
            }
            ids.join(", ")
        }
        What::Hold { ground, .. } => ground.clone(),
        What::Refused { ground, told_on } => format!("{ground}, told on {told_on}"),
        What::CompletedWithRetention { ground } => ground.clone(),
        What::PartiallyCompleted { missing } => missing.clone(),
        What::DuplicateOf { case } => case.to_string(),
        What::StepFailed { step, .. } => step.clone(),
        What::Note { text } => text.clone(),
        other => other.day()?.to_string(),
    })
}
