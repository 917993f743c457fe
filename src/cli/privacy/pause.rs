//! `prismvault privacy pause` and `resume`: the person was asked what the request is about.

use chrono::NaiveDate;

use super::desk::{Doing, StepOptions, parse_day, take};
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::{Context, Outcome};
use crate::privacy::case::What;
use crate::privacy::rules::PauseKind;

const KIND: PauseKind = PauseKind::Clarification;

/// Arguments of `privacy pause` and `privacy resume`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    /// The day of the question, or of the answer; default: today
    #[arg(long, value_name = "DATE", value_parser = parse_day)]
    on: Option<NaiveDate>,
    /// What was asked and why, or what was answered
    #[arg(long)]
    reason: Option<String>,
}

/// Records that the person was asked.
pub(super) async fn pause(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    take(&args.step, context, |case, today, _| {
        if args.reason.is_none() {
            let what = "say with --reason what was asked, and why it cannot go on without";
            return Err(CommandError::new(ErrorKind::Usage, "a pause needs a reason").hint(what));
        }
        if !case.rules().counts(KIND, case.rights()) {
            let what = format!(
                "under the rules {} this request goes on while the question is open",
                case.rules().name()
            );
            return Err(CommandError::new(ErrorKind::Refused, format!("{what}, so the clock does not stop"))
                .hint("`prismvault privacy note` records the question"));
        }
        let on = args.on.unwrap_or(today);
        Ok(Doing { what: What::Paused { kind: KIND, on }, reason: args.reason })
    })
    .await
}

/// Records that the person answered.
pub(super) async fn resume(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    take(&args.step, context, |_, today, _| {
        let on = args.on.unwrap_or(today);
        Ok(Doing { what: What::Resumed { kind: KIND, on }, reason: args.reason })
    })
    .await
}
