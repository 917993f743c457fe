//! `prismvault privacy assess`: exceptions, holds and the rights of others.

use super::desk::{Doing, StepOptions, take};
use crate::cli::confirm::parse_reason;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::{Context, Outcome};
use crate::privacy::case::What;

/// Arguments of `privacy assess`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    /// The assessment: exceptions that were looked at, what is kept and why, whose rights are touched
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    note: String,
    /// Stored data is to be changed or removed: a plan follows, which others approve
    #[arg(long)]
    changes: bool,
    /// Stored data stays as it is
    #[arg(long, conflicts_with = "changes")]
    no_changes: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let Args { step, note, changes, no_changes } = args;
    take(&step, context, |case, _, _| {
        let asks = case.rights().iter().any(|right| right.changes_data());
        if asks && !changes && !no_changes {
            return Err(CommandError::new(
                ErrorKind::Usage,
                "the request asks that stored data is changed: say whether it is to be",
            )
            .hint("pass --changes or --no-changes"));
        }
        Ok(Doing { what: What::LegalAssessed { changes, note }, reason: None })
    })
    .await
}
