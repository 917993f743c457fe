//! `prismvault privacy close`.

use super::desk::{Asking, Doing, StepOptions, open_case, take_asking};
use crate::cli::confirm::parse_reason;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::{Context, Outcome};
use crate::ids::CaseId;
use crate::privacy::case::What;

/// Arguments of `privacy close`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("how").args(["with_retention", "partly", "withdrawn", "duplicate_of", "expired"]))]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    #[command(flatten)]
    asking: Asking,
    /// Done, but some data is kept on this ground
    #[arg(long, value_name = "GROUND", value_parser = parse_reason)]
    with_retention: Option<String>,
    /// Done in part: what is missing
    #[arg(long, value_name = "WHAT", value_parser = parse_reason)]
    partly: Option<String>,
    /// The person takes the request back
    #[arg(long)]
    withdrawn: bool,
    /// Another case asks for the same; identity must be proved in this one as well
    #[arg(long, value_name = "CASE")]
    duplicate_of: Option<CaseId>,
    /// The person never answered the question of identity
    #[arg(long)]
    expired: bool,
    /// Why; needed for all but a case that is simply done
    #[arg(long, value_parser = parse_reason)]
    reason: Option<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    if let Some(other) = &args.duplicate_of {
        if *other == args.step.case {
            return Err(CommandError::new(ErrorKind::Usage, "a case cannot be a duplicate of itself"));
        }
        // That it is there, and can be read.
        open_case(other, &args.step.identity, context).await?;
    }
    let what = if let Some(ground) = args.with_retention {
        What::CompletedWithRetention { ground }
    } else if let Some(missing) = args.partly {
        What::PartiallyCompleted { missing }
    } else if args.withdrawn {
        What::Withdrawn
    } else if let Some(case) = args.duplicate_of {
        What::DuplicateOf { case }
    } else if args.expired {
        What::Expired
    } else {
        What::Completed
    };
    take_asking(&args.step, args.asking, context, |_, _, _| Ok(Doing { what, reason: args.reason })).await
}
