//! What the steps of a case share: who does it, when, and what is shown afterwards.

use chrono::NaiveDate;
use serde::Serialize;

use crate::cli::confirm::confirm_that;
use crate::cli::error::CommandError;
use crate::cli::hold::ended;
use crate::cli::output::Page;
use crate::cli::record::{Effect, principal};
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::{Context, Outcome};
use crate::config::Config;
use crate::ids::CaseId;
use crate::privacy::case::guide::{Step, next_command};
use crate::privacy::case::{Case, Event, Kind, What};
use crate::privacy::rules::PauseKind;
use crate::privacy::rules::due::words;
use crate::privacy::store::StoredCase;

/// Who does something, and whether it is done.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct StepOptions {
    /// The case, such as 2026-7K3F9Q
    pub(super) case: CaseId,
    /// Who does it; default: `principal` in [audit], else the number of the user
    #[arg(long, value_name = "NAME")]
    pub(super) by: Option<String>,
    /// Show what would be recorded, and stop
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) identity: IdentityOptions,
}

impl StepOptions {
    pub(super) fn effect(&self, command: &'static str) -> Effect {
        Effect::unless_dry(command, self.dry_run)
    }
}

/// What happened, as it is about to be recorded.
pub(super) struct Doing {
    pub(super) what: What,
    pub(super) reason: Option<String>,
}

/// What is shown of a case after a step.
#[derive(Serialize)]
pub(super) struct Shown {
    pub(super) case: CaseId,
    pub(super) dry_run: bool,
    /// What was recorded, in words.
    pub(super) done: Option<&'static str>,
    pub(super) state: &'static str,
    pub(super) due: Option<NaiveDate>,
    pub(super) waits_for: Option<&'static str>,
    pub(super) next: Step,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) new_case: Option<CaseId>,
}

impl Shown {
    pub(super) fn of(case: &Case, done: Option<Kind>, dry_run: bool) -> Self {
        let due = case.is_owed().then(|| case.due());
        Self {
            case: case.id().clone(),
            dry_run,
            done: done.map(Kind::words),
            state: case.state().stage.name(),
            waits_for: due.as_ref().and_then(|due| due.waits_for).map(PauseKind::words),
            due: due.map(|due| due.date),
            next: next_command(case),
            new_case: None,
        }
    }

    pub(super) fn page(&self, case: &Case) -> Page {
        let mut page = Page::new();
        if let Some(done) = self.done {
            let verb = if self.dry_run { "Would record" } else { "Recorded" };
            page = page.line(format!("{verb} in case {}: {done}", self.case));
        }
        if let Some(new) = &self.new_case {
            page = page.line(format!("New case {new} takes up what was held back"));
        }
        page = page.line(format!("The case {}", case.state().stage.words()));
        page = due_line(self.due, self.waits_for).into_iter().fold(page, Page::line);
        page.line(next_line(&self.next))
    }
}

/// Says until when it is due.
pub(super) fn due_line(due: Option<NaiveDate>, waits_for: Option<&str>) -> Option<String> {
    due.map(|due| match waits_for {
        Some(what) => {
            format!(
                "The clock stands still until {what} comes; the answer is due on {} at the earliest",
                words(due)
            )
        }
        None => format!("The answer is due by {}", words(due)),
    })
}

/// Says what to do next.
pub(super) fn next_line(step: &Step) -> String {
    match &step.command {
        Some(command) => format!("Next: {command}  ({})", step.why),
        None => format!("Next: {}", step.why),
    }
}

/// Reads a day from the command line.
pub(super) fn parse_day(text: &str) -> Result<NaiveDate, String> {
    text.trim().parse().map_err(|_| "write a day as 2026-11-20: year, month, day".to_owned())
}

/// Who does it.
pub(super) fn actor(by: Option<&str>, config: &Config) -> String {
    by.map(str::to_owned).or_else(|| principal(&config.audit)).unwrap_or_else(|| "unknown".to_owned())
}

/// Opens the vault and a case.
pub(super) async fn open_case(
    case: &CaseId,
    identity: &IdentityOptions,
    context: &Context,
) -> Result<(Session, StoredCase), CommandError> {
    let session = Session::open(context, identity).await?;
    context.record.about(format!("case {case}"));
    let stored = StoredCase::load(&session.vault, case).await?;
    Ok((session, stored))
}

/// Whether somebody is asked before a case is closed for good.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Asking {
    /// Do not ask before the case is closed for good
    #[arg(long)]
    pub(super) yes: bool,
}

/// Records one step of a case and shows what follows. `build` is told the case, today and who does it.
pub(super) async fn take(
    options: &StepOptions,
    context: &Context,
    build: impl FnOnce(&Case, NaiveDate, &str) -> Result<Doing, CommandError>,
) -> Result<Outcome, CommandError> {
    take_asking(options, Asking { yes: true }, context, build).await
}

/// As [`take`]; asks before a step after which the case cannot be opened again.
pub(super) async fn take_asking(
    options: &StepOptions,
    asking: Asking,
    context: &Context,
    build: impl FnOnce(&Case, NaiveDate, &str) -> Result<Doing, CommandError>,
) -> Result<Outcome, CommandError> {
    let (session, mut stored) = open_case(&options.case, &options.identity, context).await?;
    let now = session.vault.now();
    let actor = actor(options.by.as_deref(), &session.config);
    let doing = build(&stored.case, now.date_naive(), &actor)?;
    let event = Event { at: now, actor, reason: doing.reason, what: doing.what };
    let kind = event.what.kind();
    let after = stored.after(event.clone())?;
    let stage = after.state().stage;
    if !options.dry_run && stage.is_closed() && !stage.is_done() {
        let question = format!("Close case {}: {}?", options.case, kind.words());
        confirm_that("this closes the case for good: it cannot be opened again", &question, asking.yes)?;
    }
    let case = match options.dry_run {
        true => after,
        false => {
            stored.record(&session.vault, event).await?;
            stored.case
        }
    };
    let shown = Shown::of(&case, Some(kind), options.dry_run);
    let outcome = ended(&session, context);
    context.output.result(outcome, &shown, || shown.page(&case))?;
    Ok(outcome)
}
