//! `prismvault privacy list`.

use serde::Serialize;

use super::due::left;
use crate::cli::error::CommandError;
use crate::cli::output::Page;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::text::Table;
use crate::cli::{Context, Outcome};
use crate::progress::Problem;
use crate::vault::format::request::RequestSummary;
use crate::vault::requests;

/// Arguments of `privacy list`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Closed cases as well
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Serialize)]
struct Report {
    cases: Vec<RequestSummary>,
    problems: Vec<Problem>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &args.identity).await?;
    let (mut cases, problems) = requests::summaries(&session.vault).await?;
    cases.retain(|case| args.all || !case.closed);
    let report = Report { cases, problems };
    let outcome = outcome_of(&report.problems);
    let today = session.vault.now().date_naive();
    context.output.report(outcome, &report, || {
        let page = Page::new().table(table(&report.cases, today));
        match report.cases.is_empty() {
            true if args.all => page.line("There are no cases."),
            true => page.line("There are no open cases; --all shows closed ones."),
            false => page,
        }
    })?;
    warn(&report.problems, context);
    session.warn(context);
    Ok(outcome)
}

/// A case that cannot be read may be due.
pub(super) fn outcome_of(problems: &[Problem]) -> Outcome {
    if problems.is_empty() { Outcome::Complete } else { Outcome::Integrity }
}

pub(super) fn warn(problems: &[Problem], context: &Context) {
    for problem in problems {
        context.output.warning(format!("{}: {}", problem.subject, problem.detail));
    }
}

/// Cases, one a line.
pub(super) fn table(cases: &[RequestSummary], today: chrono::NaiveDate) -> Table {
    let mut table = Table::new(["case", "state", "asked for", "due", "left"]);
    for case in cases {
        table.row([
            case.case.to_string().into(),
            case.state.replace('_', " ").into(),
            case.rights.join(", ").into(),
            case.due.map_or_else(|| "-".to_owned(), |due| due.to_string()).into(),
            left(case, today).into(),
        ]);
    }
    table
}
