//! `prismvault privacy recipients`: that everybody who got the data was told (GDPR Art. 19).

use super::desk::{Doing, StepOptions, take};
use crate::cli::error::CommandError;
use crate::cli::{Context, Outcome};
use crate::privacy::case::What;

/// Arguments of `privacy recipients`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    /// How many recipients of the data were told what was erased, corrected or restricted; 0 where there are
    /// none
    #[arg(long, value_name = "NUMBER")]
    told: u64,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let what = What::RecipientsNotified { recipients: args.told };
    take(&args.step, context, |_, _, _| Ok(Doing { what, reason: None })).await
}
