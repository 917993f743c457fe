//! `prismvault privacy verify-package`: whether a package is what its maker signed.

use std::path::PathBuf;

use serde::Serialize;

use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::output::Page;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::text::{Style, Text};
use crate::cli::units::counted;
use crate::cli::{Context, Outcome};
use crate::ids::CaseId;
use crate::privacy::package::verify::{Fault, verify};
use crate::privacy::right::Right;
use crate::vault::format::trust::Role;
use crate::vault::signing::VerifyingKey;

/// Arguments of `privacy verify-package`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory of the package
    directory: PathBuf,
    /// The key that is to have signed it, as the letter says: needs no vault and no configuration. May be
    /// repeated; default: the keys of the vault that sign what happens to requests
    #[arg(long, value_name = "RW…")]
    key: Vec<VerifyingKey>,
}

#[derive(Serialize)]
struct Report {
    directory: PathBuf,
    is_good: bool,
    case: Option<CaseId>,
    right: Option<Right>,
    prepared_on: Option<chrono::NaiveDate>,
    files: u64,
    /// The key that signed it.
    key: Option<String>,
    /// Whether that key may sign today.
    key_is_current: Option<bool>,
    faults: Vec<Fault>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    if args.directory.is_file() {
        return Err(CommandError::new(
            ErrorKind::Usage,
            format!("{} is a file, and a package is a directory", args.directory.display()),
        )
        .hint("open an encrypted package first: age -d -o package.tar FILE, then tar -xf package.tar"));
    }
    let (keys, current) = match args.key.is_empty() {
        false => (args.key.clone(), None),
        true => {
            let (all, current) = keys_of_vault(context).await?;
            (all, Some(current))
        }
    };
    let directory = args.directory.clone();
    let checked = tokio::task::spawn_blocking(move || verify(&directory, &keys)).await;
    let checked = checked
        .expect("checking a package does not panic")
        .map_err(|error| CommandError::new(ErrorKind::Failed, error))?;
    let is_current = current.and_then(|current| checked.key.as_ref().map(|key| current.contains(key)));
    let manifest = checked.manifest.as_ref();
    let report = Report {
        is_good: checked.is_good(),
        case: manifest.map(|manifest| manifest.case.clone()),
        right: manifest.map(|manifest| manifest.right),
        prepared_on: manifest.map(|manifest| manifest.prepared_on),
        files: manifest.map_or(0, |manifest| manifest.files.len() as u64),
        key: checked.key.as_ref().map(ToString::to_string),
        key_is_current: is_current,
        directory: args.directory,
        faults: checked.faults,
    };
    let outcome = if report.is_good { Outcome::Complete } else { Outcome::Integrity };
    context.output.result(outcome, &report, || page(&report))?;
    if is_current == Some(false) {
        context.output.warning(
            "the key that signed this package is trusted no longer: it counts for what it signed before only",
        );
    }
    Ok(outcome)
}

/// The keys that sign what happens to requests: all that ever did, and those of today.
pub(super) async fn keys_of_vault(
    context: &Context,
) -> Result<(Vec<VerifyingKey>, Vec<VerifyingKey>), CommandError> {
    let session = Session::open(context, &IdentityOptions::default()).await.map_err(|error| {
        error.hint("without the vault, name the key that is to have signed it: --key RW…")
    })?;
    let of = |record: &crate::vault::format::trust::TrustRecord| -> Vec<VerifyingKey> {
        let signers = record.signers.iter().filter(|signer| signer.roles.contains(&Role::Privacy));
        signers.map(|signer| signer.key.clone()).collect()
    };
    let current = of(&session.vault.trust);
    let mut all: Vec<VerifyingKey> = current.clone();
    for key in session.vault.trust_history().flat_map(of) {
        if !all.contains(&key) {
            all.push(key);
        }
    }
    Ok((all, current))
}

fn page(report: &Report) -> Page {
    let place = report.directory.display();
    let mut page = Page::new();
    if report.is_good {
        let text = format!(
            " {place}: {} as signed{}",
            counted(report.files, "file"),
            report.key.as_ref().map(|key| format!(" by {key}")).unwrap_or_default()
        );
        page = page.line(Text::styled(Style::Green, "Good").and(Style::Plain, text));
    } else {
        let text = format!(" {place} is not what was signed");
        page = page.line(Text::styled(Style::Red, "Bad").and(Style::Plain, text));
        for fault in &report.faults {
            page = page.line(format!("  {}: {}", fault.path, fault.what));
        }
        page = page.line("Do not rely on it: ask whoever sent it for the package once more");
    }
    if let (Some(case), Some(right), Some(on)) = (&report.case, report.right, report.prepared_on) {
        page = page.line(format!("Case {case}, {right}, prepared on {on}"));
    }
    page
}
