//! `prismvault diff`: what changed between two snapshots, or since one.

mod page;

pub(super) use page::one_item;

use super::Context;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::restore::{ContentSession, SelectionOptions, outcome_of_problems};
use super::session::IdentityOptions;
use super::snapshot::target;
use crate::diff::{DiffError, DiffOptions, DiffReport, Live, compare_snapshots, compare_with_live};
use crate::vault::format::manifest::{Manifest, Status};
use crate::vault::snapshots::Snapshots;

/// What is typed for the repository as it is now.
const LIVE: &str = "live";

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The older snapshot: an id, a unique beginning of one, `latest`, or REPOSITORY@WHEN (blog@latest, blog@2026-11-20, blog@3d)
    old: String,
    /// The newer snapshot, or `live`: the repository as it is now
    new: String,
    /// Show the exact values, field by field
    #[arg(long)]
    fields: bool,
    #[command(flatten)]
    selection: SelectionOptions,
    #[command(flatten)]
    identity: IdentityOptions,
}

/// Tells what changed. It reads content: what is printed is content too, and nothing of it is logged.
///
/// # Errors
///
/// When the identity that reads content is not here, a selector names nothing, or the repository
/// cannot be read.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    if args.old == LIVE {
        let error =
            CommandError::new(ErrorKind::Usage, "the repository as it is now is always the newer side");
        return Err(error.hint(format!("type the snapshot first: `prismvault diff {} {LIVE}`", args.new)));
    }
    let content = ContentSession::open(context, &args.identity).await?;
    let options = DiffOptions {
        selection: args.selection.into(),
        values: args.fields,
        progress: &*context.progress,
        cancel: context.cancel.clone(),
    };
    let old = &content.select(&args.old)?.manifest;
    require_content(old)?;
    let older = content.content(old).await?;
    let report = match args.new.as_str() {
        LIVE => {
            let live = live(old, &content, context)?;
            compare_with_live(&older, &live, options).await?
        }
        typed => {
            let new = &content.select(typed)?.manifest;
            require_content(new)?;
            warn_of_order(&content.snapshots, old, new, context);
            let newer = older.open_another(&content.snapshots, new).await?;
            warn_of_status(new, context);
            compare_snapshots(&older, &newer, options).await?
        }
    };
    warn_of_status(old, context);
    let outcome = outcome_of(&report);
    context.output.report(outcome, &report, || page::page(&report, args.fields, context.verbose))?;
    content.session.warn_of_replicas(context);
    Ok(outcome)
}

/// That something differs is no failure; that it is not known whether something does, is one.
fn outcome_of(report: &DiffReport) -> Outcome {
    let is_unsure = report.not_compared.iter().any(|problem| problem.code == "documents-uncertain");
    let outcome = if is_unsure { Outcome::Partial } else { Outcome::Complete };
    outcome.worst(outcome_of_problems(&report.problems))
}

/// Refuses lists of members, which lie beside snapshots and are none.
fn require_content(manifest: &Manifest) -> Result<(), CommandError> {
    if !manifest.repository.is_access_chain() {
        return Ok(());
    }
    let sentence = format!("{} is a list of members, not a snapshot", manifest.snapshot);
    let error = CommandError::new(ErrorKind::Usage, sentence);
    Err(error.hint("`prismvault access diff` tells who came, went or changed role"))
}

/// Returns the repository that a snapshot is of, as it is now.
fn live(manifest: &Manifest, content: &ContentSession, context: &Context) -> Result<Live, CommandError> {
    let config = &content.session.config;
    let Some(repository) = config.repositories.iter().find(|own| own.name == manifest.repository) else {
        let sentence =
            format!("{} does not name the repository {}", config.file.display(), manifest.repository);
        let error = CommandError::new(ErrorKind::Configuration, sentence);
        return Err(error.hint(format!("add [repositories.{}] with repository = \"…\"", manifest.repository)));
    };
    let target = target(repository, config)?;
    let http = context.http(&config.limits)?;
    Ok(Live::new(&target, &http))
}

fn warn_of_order(snapshots: &Snapshots, old: &Manifest, new: &Manifest, context: &Context) {
    // By the chain: clocks may stand still between two snapshots, and be set back.
    let place = |manifest: &Manifest| {
        snapshots.of(&manifest.repository).iter().position(|own| *own.id() == manifest.snapshot)
    };
    if old.repository != new.repository {
        context.output.warning(format!(
            "these are snapshots of two repositories, {} and {}: what has another id counts as another item",
            old.repository, new.repository
        ));
    } else if place(old) > place(new) {
        context
            .output
            .warning("the snapshot that was named first is the newer one, so this tells the way back");
    }
}

fn warn_of_status(manifest: &Manifest, context: &Context) {
    if manifest.status == Status::Partial {
        context.output.warning(format!(
            "the snapshot {id} is partial: what it lacks, which `prismvault show {id}` names, is not compared",
            id = manifest.snapshot,
        ));
    }
}

impl From<DiffError> for CommandError {
    fn from(error: DiffError) -> Self {
        match error {
            DiffError::Snapshot(error) => error.into(),
            DiffError::Live(error) => error.into(),
        }
    }
}
