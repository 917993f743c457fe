//! `prismvault privacy identity`: who asked.

use chrono::NaiveDate;

use super::desk::{Asking, Doing, StepOptions, parse_day, take_asking};
use crate::cli::confirm::parse_reason;
use crate::cli::error::CommandError;
use crate::cli::{Context, Outcome};
use crate::privacy::case::{IdentityCheck, What};

/// Arguments of `privacy identity`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["ask", "verified", "failed"]))]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    #[command(flatten)]
    asking: Asking,
    /// The person was asked to prove who they are; only where there is a reason to doubt it
    #[arg(long, requires = "reason")]
    ask: bool,
    /// The person is who they say
    #[arg(long, requires = "method")]
    verified: bool,
    /// They could not prove it; the case is closed
    #[arg(long, requires_all = ["method", "result"])]
    failed: bool,
    /// How it was checked: "reply from the address of the account". Never a copy of a document
    #[arg(long, value_name = "HOW", value_parser = parse_reason)]
    method: Option<String>,
    /// What came of it
    #[arg(long, value_name = "WHAT", value_parser = parse_reason, default_value = "it matches")]
    result: String,
    /// Who checked; default: who records it
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// The day; default: today
    #[arg(long, value_name = "DATE", value_parser = parse_day)]
    on: Option<NaiveDate>,
    /// Why there is doubt
    #[arg(long, value_parser = parse_reason)]
    reason: Option<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    take_asking(&args.step, args.asking, context, |_, today, by| {
        let on = args.on.unwrap_or(today);
        if args.ask {
            return Ok(Doing { what: What::IdentityAsked { on }, reason: args.reason });
        }
        let check = IdentityCheck {
            method: args.method.unwrap_or_default(),
            result: args.result,
            who: args.who.unwrap_or_else(|| by.to_owned()),
            on,
        };
        let what = if args.failed { What::IdentityFailed(check) } else { What::IdentityVerified(check) };
        Ok(Doing { what, reason: args.reason })
    })
    .await
}
