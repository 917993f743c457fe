//! `prismvault privacy note`.

use super::desk::{Doing, StepOptions, take};
use crate::cli::confirm::parse_reason;
use crate::cli::error::CommandError;
use crate::cli::{Context, Outcome};
use crate::privacy::case::What;

/// Arguments of `privacy note`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    /// The note; no copies of documents
    #[arg(value_parser = parse_reason)]
    text: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let text = args.text;
    take(&args.step, context, |_, _, _| Ok(Doing { what: What::Note { text }, reason: None })).await
}
