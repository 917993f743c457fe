//! `prismvault export`: one archive that standard tools read.

use std::path::PathBuf;

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::output::Page;
use super::own_files::{self, Wrote};
use super::replay::with_applied;
use super::restore::files::with_problems;
use super::restore::{ContentSession, outcome_of_problems, outcome_of_status};
use super::session::IdentityOptions;
use super::text::{Style, Text};
use super::units::{counted, human_bytes};
use crate::privacy::own_files::OutputKind;
use crate::restore::{ExportOptions, export};

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An id, a unique beginning of one, `latest`, or REPOSITORY@WHEN (blog@latest, blog@2026-11-20, blog@3d)
    snapshot: String,
    /// The archive: its name ends with .tar.zst, or with .tar for one without compression
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Replace the archive if it exists
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

/// Writes a snapshot as one archive with a README, the signed manifest and checksums.
///
/// # Errors
///
/// When the identity that reads content is not here, or the archive exists.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let content = ContentSession::open(context, &args.identity).await?;
    let manifest = &content.select(&args.snapshot)?.manifest;
    let snapshot = content.content(manifest).await?;
    let options = ExportOptions {
        overwrite: args.overwrite,
        progress: &*context.progress,
        cancel: context.cancel.clone(),
    };
    let noted = own_files::begin(OutputKind::Export, &args.to, &content.session, context, |output| {
        output.of_snapshot(&manifest.repository, &manifest.snapshot)
    });
    let exported = export(&snapshot, &args.to, options).await;
    own_files::finish(noted, Wrote::whole(&exported), context);
    let report = exported?;
    context.output.warning(format!(
        "{} is not encrypted: whoever gets it reads all content, personal data included",
        report.archive.display()
    ));
    let outcome = outcome_of_problems(&report.problems).worst(outcome_of_status(manifest, &context.output));
    context.output.result(outcome, &report, || {
        let (style, word) = match report.problems.is_empty() {
            true => (Style::Green, "Exported"),
            false => (Style::Red, "Exported in part"),
        };
        let text = format!(
            " {} of {} to {}: {}, {}; the archive has {}",
            report.snapshot,
            report.repository,
            report.archive.display(),
            counted(report.files, "file"),
            human_bytes(report.bytes),
            human_bytes(report.archive_bytes)
        );
        let page = Page::new().line(Text::styled(style, word).and(Style::Plain, text));
        with_problems(with_applied(page, &report.applied), &report.problems)
    })?;
    content.session.warn_of_replicas(context);
    Ok(outcome)
}
