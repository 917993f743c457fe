//! `prismvault drill`: rehearse a recovery, and keep the evidence.

mod host;
mod run;

use super::error::CommandError;
use super::record::Effect;
use super::{Context, Outcome};

/// Arguments of `drill`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: DrillCommand,
}

#[derive(Debug, clap::Subcommand)]
enum DrillCommand {
    /// Rehearse a recovery by a plan, or record a real one; exit code 4 when something did not come back as it was, 6 when an objective was missed
    Run(run::Args),
}

impl Args {
    /// What it does to the vault.
    pub(super) fn effect(&self) -> Effect {
        match &self.command {
            DrillCommand::Run(args) => args.effect(),
        }
    }
}

/// Runs the command.
///
/// # Errors
///
/// Those of the command.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    match args.command {
        DrillCommand::Run(args) => run::run(args, context).await,
    }
}
