//! `prismvault restore files`: a snapshot, or a part of it, as files.

use std::path::PathBuf;

use super::{ContentSession, SelectionOptions, outcome_of_problems, outcome_of_status};
use crate::cli::error::CommandError;
use crate::cli::exit::Outcome;
use crate::cli::output::Page;
use crate::cli::own_files::{self, Wrote};
use crate::cli::replay::with_applied;
use crate::cli::session::IdentityOptions;
use crate::cli::text::{Style, Table, Text};
use crate::cli::units::{counted, human_bytes};
use crate::cli::verify::traffic_table;
use crate::cli::{Context, ErrorKind};
use crate::privacy::own_files::OutputKind;
use crate::progress::Problem;
use crate::restore::{
    Action, OverwriteMode, RestoreOptions, RestorePlan, RestoreReport, Selection, plan_files, restore_files,
};

/// Renamed files that are shown to people; `--json` has all.
const RENAMED_SHOWN: usize = 10;

/// Arguments of `restore files`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An id, a unique beginning of one, `latest`, or REPOSITORY@WHEN (blog@latest, blog@2026-11-20, blog@3d)
    snapshot: String,
    /// Directory for the files; empty or new unless --overwrite says otherwise
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// What happens to files that are there already; what else is there stays
    #[arg(long, value_name = "MODE", value_enum, default_value_t)]
    overwrite: Overwrite,
    /// Show what would be written, and stop
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    selection: SelectionOptions,
    #[command(flatten)]
    identity: IdentityOptions,
}

/// What happens to files that are there already.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Overwrite {
    /// The directory must be empty or new
    #[default]
    Refuse,
    /// Replace files whose bytes differ
    IfChanged,
    /// Write every file anew
    Always,
}

impl From<Overwrite> for OverwriteMode {
    fn from(overwrite: Overwrite) -> Self {
        match overwrite {
            Overwrite::Refuse => Self::Refuse,
            Overwrite::IfChanged => Self::IfChanged,
            Overwrite::Always => Self::Always,
        }
    }
}

/// Restores files, or shows what would be written.
///
/// # Errors
///
/// When the identity that reads content is not here, the selection matches nothing, or the
/// directory is not empty: nothing was written then.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let content = ContentSession::open(context, &args.identity).await?;
    let manifest = &content.select(&args.snapshot)?.manifest;
    let snapshot = content.content(manifest).await?;
    let selection = Selection::from(args.selection);
    let everything = selection.is_everything();
    let options = RestoreOptions {
        selection,
        overwrite: args.overwrite.into(),
        progress: &*context.progress,
        cancel: context.cancel.clone(),
    };
    if args.dry_run {
        let plan = plan_files(&snapshot, &args.to, options).await?;
        let outcome = outcome_of_problems(&plan.problems);
        context.output.report(outcome, &plan, || plan_page(&plan))?;
        content.session.warn_of_replicas(context);
        return Ok(outcome);
    }
    let noted = own_files::begin(OutputKind::RestoredFiles, &args.to, &content.session, context, |output| {
        output.of_snapshot(&manifest.repository, &manifest.snapshot)
    });
    let restored = restore_files(&snapshot, &args.to, options).await;
    let restored = restored.map_err(CommandError::from);
    let wrote = match &restored {
        Ok(_) => Wrote::All,
        Err(error) if matches!(error.kind, ErrorKind::Interrupted | ErrorKind::Failed) => Wrote::Some,
        Err(_) => Wrote::Nothing,
    };
    own_files::finish(noted, wrote, context);
    let report = restored.map_err(|error| match error.kind {
        ErrorKind::Interrupted | ErrorKind::Failed => {
            error.hint("files that are there are whole; add `--overwrite if-changed` to go on from there")
        }
        _ => error,
    })?;
    let mut outcome = outcome_of_problems(&report.problems);
    let status = outcome_of_status(manifest, &context.output);
    if everything {
        outcome = outcome.worst(status);
    }
    context.output.result(outcome, &report, || report_page(&report))?;
    content.session.warn_of_replicas(context);
    Ok(outcome)
}

fn plan_page(plan: &RestorePlan) -> Page {
    let mut table = Table::new(["", "size", "file"]).right(&["size"]);
    for file in &plan.files {
        let action = match file.action {
            Action::Create => Text::styled(Style::Green, "create"),
            Action::Replace => Text::styled(Style::Yellow, "replace"),
            Action::Compare => Text::from("compare, replace if it differs"),
        };
        table.row([action, human_bytes(file.size).into(), file.file.clone().into()]);
    }
    let page = Page::new()
        .line(format!(
            "Would restore {}, {}, of the snapshot {} of {} to {}",
            counted(plan.files.len() as u64, "file"),
            human_bytes(plan.bytes),
            plan.snapshot,
            plan.repository,
            plan.target.display()
        ))
        .table(table)
        .line("Reading that takes:")
        .table(traffic_table(&plan.forecast));
    with_problems(with_applied(page, &plan.applied), &plan.problems)
}

fn report_page(report: &RestoreReport) -> Page {
    let mut page = Page::new().line(
        Text::styled(
            if report.problems.is_empty() { Style::Green } else { Style::Red },
            if report.problems.is_empty() { "Restored" } else { "Restored in part" },
        )
        .and(
            Style::Plain,
            format!(
                " {} of {} to {}: {} new, {} replaced, {} as they were; {} written",
                report.snapshot,
                report.repository,
                report.target.display(),
                counted(report.created, "file"),
                report.replaced,
                report.unchanged,
                human_bytes(report.bytes)
            ),
        ),
    );
    for renamed in report.renamed.iter().take(RENAMED_SHOWN) {
        page = page.line(format!("  {} is in {}: another differs by case only", renamed.path, renamed.file));
    }
    if report.renamed.len() > RENAMED_SHOWN {
        page = page.line(format!("  … and {} more", report.renamed.len() - RENAMED_SHOWN));
    }
    with_problems(with_applied(page, &report.applied), &report.problems)
}

/// Adds a line a problem.
pub(in crate::cli) fn with_problems(page: Page, problems: &[Problem]) -> Page {
    problems.iter().fold(page, |page, problem| {
        page.line(
            Text::styled(Style::Red, "NOT READ ")
                .and(Style::Plain, format!("{}: {}", problem.subject, problem.detail)),
        )
    })
}
