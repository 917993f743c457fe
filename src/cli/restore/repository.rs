//! `prismvault restore repository`: a snapshot back into Prismic.

mod page;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::ContentSession;
use super::destination::Destination;
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::exit::Outcome;
use crate::cli::own_files;
use crate::cli::record::Effect;
use crate::cli::session::IdentityOptions;
use crate::privacy::own_files::OutputKind;
use crate::restore::Selection;
use crate::restore::repository::{Choice, Ending, OnConflict, Plan, Report, report_page};

/// Arguments of `restore repository`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An id, a unique beginning of one, `latest`, or REPOSITORY@WHEN (blog@latest, blog@2026-11-20, blog@3d)
    snapshot: String,
    /// The repository to restore into, by its name in the configuration
    #[arg(long, value_name = "REPOSITORY")]
    into: String,
    /// Show every step, the requests, the time it takes and what Prismic cannot take back, and stop
    #[arg(long)]
    dry_run: bool,
    /// Publish what was restored, and read it back; else you publish the migration release in Prismic, and the same command goes on
    #[arg(long)]
    publish: bool,
    /// What becomes of documents and models that the target has already
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    on_conflict: Conflict,
    /// Only these documents: type=page, lang=fr-fr, id=Z…; several of one kind: any of them, several kinds: all
    #[arg(long, value_name = "KIND=VALUE", value_delimiter = ',', value_parser = wish)]
    only: Vec<Wish>,
    /// With --only: also the documents that these link to, and whose translations they are
    #[arg(long, requires = "only")]
    with_links: bool,
    /// With --only: also the assets that these use
    #[arg(long, requires = "only")]
    with_assets: bool,
    /// Restore a snapshot that lacks things of its source
    #[arg(long)]
    allow_partial: bool,
    /// Directory for the report, as JSON and as a page; default: beside the journal of the restore
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    #[command(flatten)]
    identity: IdentityOptions,
}

/// What becomes of what the target has already.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Conflict {
    /// Nothing is written, and the plan names them
    #[default]
    Fail,
    /// Those of the target stay
    Skip,
    /// They become those of the snapshot
    Update,
}

impl From<Conflict> for OnConflict {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::Fail => Self::Fail,
            Conflict::Skip => Self::Skip,
            Conflict::Update => Self::Update,
        }
    }
}

/// Which documents.
#[derive(Debug, Clone)]
enum Wish {
    Type(String),
    Language(String),
    Id(String),
}

fn wish(typed: &str) -> Result<Wish, String> {
    let (kind, value) = typed.split_once('=').unwrap_or((typed, ""));
    match (kind, value) {
        (_, "") => Err("type KIND=VALUE, as in type=page".to_owned()),
        ("type", value) => Ok(Wish::Type(value.to_owned())),
        ("lang", value) => Ok(Wish::Language(value.to_owned())),
        ("id", value) => Ok(Wish::Id(value.to_owned())),
        (kind, _) => Err(format!("{kind:?} is none of type, lang, id")),
    }
}

fn selection(wishes: &[Wish]) -> Selection {
    let mut selection = Selection::default();
    for wish in wishes {
        match wish {
            Wish::Type(value) => selection.types.push(value.clone()),
            Wish::Language(value) => selection.languages.push(value.clone()),
            Wish::Id(value) => selection.ids.push(value.clone()),
        }
    }
    selection
}

impl Args {
    /// What it does to the vault: it keeps the journal of the restore there.
    pub(super) fn effect(&self) -> Effect {
        Effect::unless_dry("restore repository", self.dry_run)
    }
}

/// Restores a repository, or shows what would be done.
///
/// # Errors
///
/// When the identity that reads content is not here, the target is not configured or cannot be
/// reached, or something stands in the way: nothing was written then. After any other error the same
/// command goes on.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let content = ContentSession::open(context, &args.identity).await?;
    let manifest = &content.select(&args.snapshot)?.manifest;
    let config = &content.session.config;
    let destination = Destination::configured(&args.into, config, context)?;
    let snapshot = content.content(manifest).await?;
    let choice = Choice {
        only: selection(&args.only),
        with_links: args.with_links,
        with_assets: args.with_assets,
        on_conflict: args.on_conflict.into(),
        publish: args.publish,
        allow_partial: args.allow_partial,
        release_documents: config.limits.release_documents,
        field: None,
    };
    let restore = destination.restore(&snapshot, &choice, context);
    if args.dry_run {
        let plan = restore.plan().await?;
        let outcome = outcome_of_plan(&plan);
        context.output.report(outcome, &plan, || page::plan(&plan))?;
        content.session.warn_of_replicas(context);
        return Ok(outcome);
    }
    context.record.about(format!("{}/{}", manifest.repository, manifest.snapshot));
    let report = restore.run().await?;
    let outcome = outcome_of(&report);
    let files = write(args.report.as_deref().unwrap_or(&destination.journals), &report)?;
    for file in &files {
        own_files::written(OutputKind::RestoreReport, file, &content.session, context);
    }
    context.output.result(outcome, &report, || page::report(&report, &files))?;
    content.session.warn_of_replicas(context);
    Ok(outcome)
}

fn outcome_of_plan(plan: &Plan) -> Outcome {
    match (plan.refusals.is_empty(), plan.problems.is_empty()) {
        (false, _) => Outcome::Refused,
        (true, false) => Outcome::Partial,
        (true, true) => Outcome::Complete,
    }
}

/// Complete is what is live, was read back, and is as it was but for what was foretold.
fn outcome_of(report: &Report) -> Outcome {
    let ending = match report.ending {
        Ending::ReadBack if report.is_as_foretold() => Outcome::Complete,
        Ending::ReadBack => Outcome::Integrity,
        Ending::WaitsForPublish { .. } | Ending::Open => Outcome::Partial,
    };
    let problems = if report.problems.is_empty() { Outcome::Complete } else { Outcome::Partial };
    ending.worst(problems)
}

/// Writes the report. Returns the files.
fn write(directory: &Path, report: &Report) -> Result<[PathBuf; 2], CommandError> {
    let files = ["json", "html"].map(|end| directory.join(format!("restore-{}.{end}", report.restore)));
    let json = serde_json::to_vec_pretty(report)
        .map_err(|error| CommandError::because(ErrorKind::Failed, "cannot write the report", error))?;
    std::fs::create_dir_all(directory).map_err(|error| not_made(directory, error))?;
    for (file, bytes) in files.iter().zip([json, report_page(report).into_bytes()]) {
        put(directory, file, &bytes).map_err(|error| not_made(file, error))?;
    }
    Ok(files)
}

/// Writes a file as a whole or not at all.
fn put(directory: &Path, file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut temporary = tempfile::Builder::new().prefix(".prismvault-report-").tempfile_in(directory)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file).map_err(|error| error.error)?;
    Ok(())
}

fn not_made(path: &Path, error: std::io::Error) -> CommandError {
    CommandError::because(ErrorKind::Failed, format!("cannot write {}", path.display()), error)
}
