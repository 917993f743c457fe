//! `prismvault privacy` alone: open cases, what is due, and the next command to type.

use serde::Serialize;

use super::desk::{Shown, next_line};
use super::due::{is_overdue, left};
use super::list::{outcome_of, warn};
use crate::cli::error::CommandError;
use crate::cli::output::Page;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::text::{Style, Text};
use crate::cli::{Context, Outcome};
use crate::privacy::store::{StoredCase, load_all, summary_of};
use crate::progress::Problem;
use crate::vault::requests::require_recipients;

#[derive(Serialize)]
struct Report {
    open: Vec<Shown>,
    closed: usize,
    overdue: usize,
    problems: Vec<Problem>,
}

pub(super) async fn run(identity: IdentityOptions, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &identity).await?;
    let (cases, problems) = load_all(&session.vault).await?;
    let today = session.vault.now().date_naive();
    let (open, closed): (Vec<StoredCase>, Vec<StoredCase>) =
        cases.into_iter().partition(|stored| !stored.case.state().stage.is_closed());
    let overdue = open.iter().filter(|stored| is_overdue(&summary_of(&stored.case), today)).count();
    let report = Report {
        open: open.iter().map(|stored| Shown::of(&stored.case, None, false)).collect(),
        closed: closed.len(),
        overdue,
        problems,
    };
    let outcome = outcome_of(&report.problems);
    context.output.report(outcome, &report, || {
        let mut page = Page::new();
        if report.open.is_empty() && report.problems.is_empty() {
            page = page.line(format!("No open cases ({} closed).", report.closed));
            return match require_recipients(&session.vault) {
                Ok(()) => {
                    page.line("When a request comes: prismvault privacy open --right access --received DATE")
                }
                Err(error) => page.line(format!("{error}. {}", error.next_step().unwrap_or_default())),
            };
        }
        page = page.line(format!("Open cases: {}; overdue: {}", report.open.len(), report.overdue));
        for (stored, shown) in open.iter().zip(&report.open) {
            let summary = summary_of(&stored.case);
            let style = if is_overdue(&summary, today) { Style::Red } else { Style::Bold };
            let due = match shown.due {
                Some(due) => format!("due {due} ({})", left(&summary, today)),
                None => "answered".to_owned(),
            };
            page = page
                .line("")
                .line(Text::styled(style, format!("{}  {due}", shown.case)))
                .line(format!("  asked for: {}", summary.rights.join(", ")))
                .line(format!("  the case {}", stored.case.state().stage.words()))
                .line(format!("  {}", next_line(&shown.next)));
        }
        page
    })?;
    warn(&report.problems, context);
    session.warn(context);
    Ok(outcome)
}
