//! `prismvault privacy due`: what is due, by the summaries that need no privacy identity.

use chrono::NaiveDate;
use serde::Serialize;

use super::list::{outcome_of, table, warn};
use crate::cli::error::CommandError;
use crate::cli::output::Page;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::{Context, Outcome};
use crate::privacy::case::guide::{Urgency, urgency};
use crate::progress::Problem;
use crate::vault::format::request::RequestSummary;
use crate::vault::requests;

/// Arguments of `privacy due`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only what is due within so many days, or overdue; default: all
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=3650))]
    within: Option<u32>,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Serialize)]
struct Report {
    today: NaiveDate,
    overdue: usize,
    cases: Vec<RequestSummary>,
    problems: Vec<Problem>,
}

/// How much time is left, in words.
pub(super) fn left(case: &RequestSummary, today: NaiveDate) -> String {
    let Some(due) = case.due else { return "-".to_owned() };
    if let Some(what) = &case.waits_for {
        return format!("stands still: {what}");
    }
    match (due - today).num_days() {
        0 => "today".to_owned(),
        1 => "1 day".to_owned(),
        days if days > 1 => format!("{days} days"),
        -1 => "overdue by 1 day".to_owned(),
        days => format!("overdue by {} days", -days),
    }
}

/// Whether the day has passed, and the clock ran.
pub(super) fn is_overdue(case: &RequestSummary, today: NaiveDate) -> bool {
    case.waits_for.is_none() && case.due.is_some_and(|due| urgency(due, today, 0) == Urgency::Overdue)
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &args.identity).await?;
    let (mut cases, problems) = requests::summaries(&session.vault).await?;
    let today = session.vault.now().date_naive();
    let near = |due: NaiveDate| args.within.is_none_or(|days| urgency(due, today, days) != Urgency::Later);
    cases.retain(|case| case.due.is_some_and(near));
    cases.sort_by_key(|case| (case.waits_for.is_some(), case.due, case.case.clone()));
    let overdue = cases.iter().filter(|case| is_overdue(case, today)).count();
    let report = Report { today, overdue, cases, problems };
    let missed = if overdue > 0 { Outcome::ObjectiveMissed } else { Outcome::Complete };
    let outcome = outcome_of(&report.problems).worst(missed);
    context.output.report(outcome, &report, || match report.cases.is_empty() {
        true => Page::new().line("Nothing is due."),
        false => Page::new().table(table(&report.cases, today)),
    })?;
    warn(&report.problems, context);
    session.warn(context);
    Ok(outcome)
}
