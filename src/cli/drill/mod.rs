//! `prismvault drill`: rehearsals of a recovery, and what people say of them afterwards.

mod answers;
mod close;
mod export;
mod host;
mod list;
mod note;
mod pages;
pub(super) mod run;
mod show;
mod sign_off;
mod speaking;
mod tabletop;
mod verify;

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
    /// Rehearse a recovery by a plan, or record a real one: exit code 4 when something did not come back as it was,
    /// 6 when an objective was missed
    Run(run::Args),
    /// List drills, newest first: results, times, open findings, and whom they wait for
    List(list::Args),
    /// Show a drill: objectives, phases, what failed, findings, gates, and what to do next
    Show(show::Args),
    /// Decide at a gate, with a key of your own
    SignOff(sign_off::Args),
    /// Add a note, or say that a communication was made, with a key of your own
    Note(note::Args),
    /// Record the answers of a tabletop exercise, with a key of your own
    Answers(answers::Args),
    /// Close a finding that is mended; until then every drill of the plan carries it over
    Close(close::Args),
    /// Write a drill as a directory that anybody can check, without vault and network
    Export(export::Args),
    /// Check a drill, or a bundle that was exported: exit code 4 where something was altered, is missing or was added
    Verify(verify::Args),
    /// Write a pack for the parts that no machine can rehearse: inventory, script, questions, worksheet, decision log
    Tabletop(tabletop::Args),
}

impl Args {
    /// What it does to the vault.
    pub(super) fn effect(&self) -> Effect {
        match &self.command {
            DrillCommand::List(_)
            | DrillCommand::Show(_)
            | DrillCommand::Export(_)
            | DrillCommand::Verify(_)
            | DrillCommand::Tabletop(_) => Effect::Reads,
            DrillCommand::Run(args) => args.effect(),
            DrillCommand::SignOff(args) => args.effect(),
            DrillCommand::Note(args) => args.effect(),
            DrillCommand::Answers(args) => args.effect(),
            DrillCommand::Close(args) => args.effect(),
        }
    }
}

/// Runs one of the subcommands.
///
/// # Errors
///
/// Those of the subcommand.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    match args.command {
        DrillCommand::Run(args) => run::run(args, context).await,
        DrillCommand::List(args) => list::run(args, context).await,
        DrillCommand::Show(args) => show::run(args, context).await,
        DrillCommand::SignOff(args) => sign_off::run(args, context).await,
        DrillCommand::Note(args) => note::run(args, context).await,
        DrillCommand::Answers(args) => answers::run(args, context).await,
        DrillCommand::Close(args) => close::run(args, context).await,
        DrillCommand::Export(args) => export::run(args, context).await,
        DrillCommand::Verify(args) => verify::run(args, context).await,
        DrillCommand::Tabletop(args) => tabletop::run(args, context).await,
    }
}
