//! `prismvault privacy reopen`.

use super::desk::{Doing, StepOptions, take};
use crate::cli::confirm::parse_reason;
use crate::cli::error::CommandError;
use crate::cli::{Context, Outcome};
use crate::privacy::case::What;

/// Arguments of `privacy reopen`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    /// Why: what was found
    #[arg(long, value_parser = parse_reason)]
    reason: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let reason = Some(args.reason);
    take(&args.step, context, |_, _, _| Ok(Doing { what: What::Reopened, reason })).await
}
