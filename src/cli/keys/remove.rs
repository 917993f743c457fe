//! `prismvault keys remove`.

use super::change::{self, Options};
use crate::cli::error::CommandError;
use crate::cli::{Context, Outcome};
use crate::keys::Change;

/// Arguments of `keys remove`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Public keys or labels; all that belong to a person at once
    #[arg(required = true, value_name = "KEY_OR_LABEL")]
    keys: Vec<String>,
    #[command(flatten)]
    options: Options,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let changes = args.keys.into_iter().map(Change::Remove).collect();
    change::run(changes, args.options, context).await
}
