//! `prismvault keys`: who may sign and who may read.

mod add;
mod change;
mod check;
mod generate;
mod list;
mod remove;
mod rotate;

use super::error::{CommandError, ErrorKind};
use super::record::Effect;
use super::{Context, Outcome};
use crate::config::{Config, SecretRef};
use crate::vault::signing::SigningKey;

/// Arguments of `keys`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KeysCommand {
    /// Show who reads and who signs, and which of these keys are here
    List,
    /// Try every key that is here
    Check(check::Args),
    /// Let somebody read, or sign; needs the root key
    Add(add::Args),
    /// Let a person who leaves read and sign no longer; needs the root key
    Remove(remove::Args),
    /// Put a new key in the place of one; needs the root key
    Rotate(rotate::Args),
    /// Finish what earlier changes left: replicas that were away, runs that were stopped
    Rewrap(change::Options),
    /// Make a key file, here or on the machine it is for, and print its public half
    Generate(generate::Args),
}

impl Args {
    /// Whether it writes.
    pub(super) fn effect(&self) -> Effect {
        match &self.command {
            // A key file is made here, and the vault is not touched.
            KeysCommand::List | KeysCommand::Check(_) | KeysCommand::Generate(_) => Effect::Reads,
            KeysCommand::Add(args) => Effect::unless_dry("keys add", args.options.dry_run),
            KeysCommand::Remove(args) => Effect::unless_dry("keys remove", args.options.dry_run),
            KeysCommand::Rotate(args) => Effect::unless_dry("keys rotate", args.dry_run),
            KeysCommand::Rewrap(options) => Effect::unless_dry("keys rewrap", options.dry_run),
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
        KeysCommand::List => list::run(context).await,
        KeysCommand::Check(args) => check::run(args, context).await,
        KeysCommand::Add(args) => add::run(args, context).await,
        KeysCommand::Remove(args) => remove::run(args, context).await,
        KeysCommand::Rotate(args) => rotate::run(args, context).await,
        KeysCommand::Rewrap(options) => change::run(Vec::new(), options, context).await,
        KeysCommand::Generate(args) => generate::run(&args, context),
    }
}

/// Returns the root key, if it is here.
pub(super) fn root_key(config: &Config) -> Result<Option<SigningKey>, CommandError> {
    match &config.keys.root {
        Some(reference) if reference.absence().is_none() => read_signing_key(reference, config).map(Some),
        _ => Ok(None),
    }
}

fn read_signing_key(reference: &SecretRef, config: &Config) -> Result<SigningKey, CommandError> {
    let secret = reference.resolve(&config.limits)?;
    SigningKey::parse(&secret).map_err(|error| {
        CommandError::because(ErrorKind::Configuration, format!("{reference} cannot be used"), error)
    })
}
