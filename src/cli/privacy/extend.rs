//! `prismvault privacy extend`.

use chrono::NaiveDate;

use super::desk::{Doing, StepOptions, parse_day, take};
use crate::cli::confirm::parse_reason;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::{Context, Outcome};
use crate::privacy::case::What;
use crate::privacy::rules::due::words;

/// Arguments of `privacy extend`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    /// Why more time is needed: how complex it is, how many requests there are. The person is told
    #[arg(long, value_parser = parse_reason)]
    reason: String,
    /// The day on which the person was told; default: today
    #[arg(long, value_name = "DATE", value_parser = parse_day)]
    told_on: Option<NaiveDate>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    take(&args.step, context, |case, today, _| {
        let told_on = args.told_on.unwrap_or(today);
        let due = case.due();
        if told_on > due.extension_by {
            let last = words(due.extension_by);
            return Err(CommandError::new(
                ErrorKind::Refused,
                format!("the person had to be told of an extension by {last}, so it would not count"),
            )
            .hint(
                "answer now, and tell the person why it took longer; `prismvault privacy note` records it",
            ));
        }
        Ok(Doing { what: What::Extended { told_on }, reason: Some(args.reason) })
    })
    .await
}
