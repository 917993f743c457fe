//! `prismvault completions SHELL`.

use clap::CommandFactory as _;
use clap_complete::Shell;
use serde::Serialize;

use super::error::CommandError;
use super::exit::Outcome;
use super::{Cli, Context};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell to complete commands and options in
    shell: Shell,
}

#[derive(Serialize)]
struct Report {
    shell: String,
    script: String,
}

/// Prints the completion script of a shell.
///
/// # Errors
///
/// When standard output cannot be written.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "prismvault", &mut script);
    match context.output.is_json() {
        true => {
            let script = String::from_utf8_lossy(&script).into_owned();
            let report = Report { shell: args.shell.to_string(), script };
            context.output.report(Outcome::Complete, &report, Default::default)?;
        }
        false => context.output.bytes(&script)?,
    }
    Ok(Outcome::Complete)
}
