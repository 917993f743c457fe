//! `prismvault drill export`: a drill as a directory that anybody can check.

use std::path::PathBuf;

use serde::Serialize;

use super::speaking::warn;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::output::Page;
use crate::cli::own_files::{self, Wrote};
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::text::{Style, Text};
use crate::cli::units::counted;
use crate::cli::{Context, Outcome};
use crate::drill::bundle::{LeftOut, gather, write};
use crate::drill::record::{Record, find};
use crate::ids::SnapshotId;
use crate::privacy::own_files::OutputKind;
use crate::privacy::package::WriteError;
use crate::vault::format::trust::Role;

/// Arguments of `drill export`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The drill: its id or the beginning of it, latest, latest:PLAN
    drill: String,
    /// The directory that is made; it must not be there yet
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// For auditors outside: without names of people and without anything that may be content
    #[arg(long)]
    auditor: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Serialize)]
struct Report<'a> {
    drill: &'a SnapshotId,
    directory: PathBuf,
    for_auditors: bool,
    /// Whether a key of the vault signed the list of files.
    signed: bool,
    files: usize,
    left_out: &'a [LeftOut],
    /// What should be in it, and is damaged on every replica.
    damaged: &'a [String],
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &args.identity).await?;
    let vault = &session.vault;
    vault.require_content_identity()?;
    let stored = find(vault, &args.drill).await?;
    let record = Record::load(vault, stored, &session.config.people).await?;
    let contents = Box::pin(gather(vault, &record, &session.config.people, args.auditor)).await?;
    let signer = vault.signer(&[Role::Snapshot, Role::Maintenance, Role::Privacy]).ok();
    // Pictures of pages and lists of edits may show people; what auditors get does not.
    let noted = (!args.auditor)
        .then(|| own_files::begin(OutputKind::Drill, &args.to, &session, context, |output| output))
        .flatten();
    let written = write(&contents, signer, &args.to);
    own_files::finish(noted, Wrote::whole(&written), context);
    let written = written.map_err(|error| match error {
        WriteError::Exists(_) => CommandError::new(ErrorKind::Refused, error).hint("name a new directory"),
        WriteError::Local { .. } => CommandError::new(ErrorKind::Failed, error),
    })?;
    let report = Report {
        drill: &contents.bundle.drill,
        directory: written.place.clone(),
        for_auditors: args.auditor,
        signed: written.is_signed,
        files: contents.files.len(),
        left_out: &contents.bundle.left_out,
        damaged: &contents.damaged,
    };
    let is_damaged = !contents.damaged.is_empty() || !record.problems.is_empty();
    let outcome = Outcome::of_reading(is_damaged, !vault.replicas.failed().is_empty());
    context.output.result(outcome, &report, || page(&report))?;
    warn(&record.problems, context);
    session.warn_of_replicas(context);
    Ok(outcome)
}

fn page(report: &Report<'_>) -> Page {
    let place = report.directory.display();
    let mut page = Page::new().line(format!(
        "Drill {} is in {place}: {}{}",
        report.drill,
        counted(report.files as u64, "file"),
        if report.signed { ", signed" } else { "; no key is here that could sign the list of them" }
    ));
    for line in report.damaged {
        page = page.line(Text::styled(Style::Red, "  damaged ").and(Style::Plain, line.as_str()));
    }
    for own in report.left_out {
        page = page.line(format!("  left out: {} ({}), SHA-256 {}", own.path, own.why, own.sha256));
    }
    let word = crate::cli::text::shell_word(&place.to_string());
    page.line(format!("Next: whoever gets it checks it with `prismvault drill verify {word} --key RW…`"))
}
