//! `prismvault keys generate`: key files, without a vault.

use std::path::PathBuf;

use serde::Serialize;

use crate::cli::error::CommandError;
use crate::cli::keyfiles::write_new;
use crate::cli::output::Page;
use crate::cli::{Context, Outcome};
use crate::vault::envelope::Identity;
use crate::vault::signing::SigningKey;

/// Arguments of `keys generate`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("file").required(true).args(["identity_file", "signing_file"]))]
pub(super) struct Args {
    /// Make an age identity in this file
    #[arg(long = "identity-to", value_name = "FILE")]
    identity_file: Option<PathBuf>,
    /// Make a minisign key without password in this file
    #[arg(long = "signing-to", value_name = "FILE")]
    signing_file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    public: String,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let report = match (&args.identity_file, &args.signing_file) {
        (Some(file), _) => {
            let identity = Identity::generate();
            let text = identity.to_secret_text("prismvault age identity");
            write_new(file, text.expose().as_bytes(), 0o600)?;
            Report { file: file.clone(), public: identity.recipient().to_string() }
        }
        (None, file) => {
            let file = file.clone().unwrap_or_default();
            let key = SigningKey::generate();
            let text = key.to_secret_text("prismvault signing key");
            write_new(&file, text.expose().as_bytes(), 0o600)?;
            Report { file, public: key.public().to_string() }
        }
    };
    context.output.report(Outcome::Complete, &report, || {
        Page::new()
            .line(format!("{}: {}", report.file.display(), report.public))
            .line("It means nothing to a vault until `prismvault keys add` names the public half.")
    })?;
    Ok(Outcome::Complete)
}
