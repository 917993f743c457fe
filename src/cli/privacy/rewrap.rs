//! `prismvault privacy rewrap`.

use serde::Serialize;

use super::desk::actor;
use crate::cli::error::CommandError;
use crate::cli::hold::ended;
use crate::cli::output::Page;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::{Context, Outcome};
use crate::ids::CaseId;
use crate::privacy::store::rewrap;

/// Arguments of `privacy rewrap`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Who records it; default: `principal` in [audit], else the number of the user
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Show which cases it is about, and stop
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Serialize)]
struct Report {
    dry_run: bool,
    cases: Vec<CaseId>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &args.identity).await?;
    let by = actor(args.by.as_deref(), &session.config);
    let cases = rewrap(&session.vault, &by, args.dry_run).await?;
    cases.iter().for_each(|case| context.record.about(format!("case {case}")));
    let report = Report { dry_run: args.dry_run, cases };
    let outcome = ended(&session, context);
    context.output.result(outcome, &report, || {
        let verb = if report.dry_run { "Would make readable" } else { "Made readable" };
        match report.cases.is_empty() {
            true => Page::new().line("Everybody who may reads every case already."),
            false => {
                report.cases.iter().fold(Page::new(), |page, case| page.line(format!("{verb}: case {case}")))
            }
        }
    })?;
    Ok(outcome)
}
