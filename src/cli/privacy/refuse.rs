//! `prismvault privacy refuse`.

use chrono::NaiveDate;

use super::desk::{Asking, Doing, StepOptions, parse_day, take_asking};
use crate::cli::confirm::parse_reason;
use crate::cli::error::CommandError;
use crate::cli::{Context, Outcome};
use crate::privacy::case::What;

/// Arguments of `privacy refuse`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    #[command(flatten)]
    asking: Asking,
    /// The ground, such as "manifestly unfounded, Art. 12(5)"
    #[arg(long, value_name = "GROUND", value_parser = parse_reason)]
    ground: String,
    /// The reasons, as the person was told
    #[arg(long, value_parser = parse_reason)]
    reason: String,
    /// The day on which the person was told, with reasons and remedies; default: today
    #[arg(long, value_name = "DATE", value_parser = parse_day)]
    told_on: Option<NaiveDate>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    take_asking(&args.step, args.asking, context, |_, today, _| {
        let what = What::Refused { ground: args.ground, told_on: args.told_on.unwrap_or(today) };
        Ok(Doing { what, reason: Some(args.reason) })
    })
    .await
}
