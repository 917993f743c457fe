//! `prismvault privacy classify`: what each field may hold of people, and which fields nobody has
//! looked at.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::error::CommandError;
use crate::cli::output::Page;
use crate::cli::record::Effect;
use crate::cli::restore::ContentSession;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::units::counted;
use crate::cli::{Context, Outcome};
use crate::config::Config;
use crate::ids::{Name, SnapshotId};
use crate::privacy::certificate::FieldsOf;
use crate::privacy::classification::{
    Class, Classification, Coverage, FILE, FieldPlace, fields_of, fields_of_snapshot,
};
use crate::progress::Problem;
use crate::snapshot::{SnapshotReport, Target};

/// The warning of a snapshot whose models were not read.
const NO_WRITE_TOKEN: &str = "no-write-token";

/// Fields that are named; more are counted.
const NAMED_MAX: usize = 20;
/// Fields that are named after a snapshot.
const TOLD_MAX: usize = 5;

/// Arguments of `privacy classify`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Repositories of the configuration; default: all
    #[arg(value_name = "REPOSITORY")]
    repositories: Vec<String>,
    /// Add the fields that are missing to privacy/classification.toml, each with "?" for its class
    #[arg(long)]
    write: bool,
    /// End with 6 when a field has no class, for checks of models before they go live
    #[arg(long)]
    check: bool,
    /// With --write: show what would be added, and stop
    #[arg(long, requires = "write")]
    dry_run: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

impl Args {
    /// Whether it writes: to a file beside the configuration only.
    pub(super) fn effect(&self) -> Effect {
        Effect::Reads
    }
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    /// Whether there is such a file.
    exists: bool,
    repositories: Vec<Row>,
    /// Fields that were added to the file, or would be.
    added: Vec<FieldPlace>,
    dry_run: bool,
}

#[derive(Serialize)]
struct Row {
    repository: Name,
    snapshot: SnapshotId,
    #[serde(flatten)]
    coverage: Coverage,
    problems: Vec<Problem>,
}

/// Where the file of a configuration is.
fn file_of(config: &Config) -> PathBuf {
    config.file.parent().unwrap_or(Path::new("")).join(FILE)
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let content = ContentSession::open(context, &args.identity).await?;
    let config = &content.session.config;
    let file = file_of(config);
    let known = Classification::load(&file, &config.limits)?;
    let exists = known.is_some();
    let mut known = known.unwrap_or_default();
    let (mut fields, mut rows) = (Vec::new(), Vec::new());
    for repository in config.select(&args.repositories)? {
        let Some(newest) = content.snapshots.newest_complete(&repository.name) else {
            context.output.warning(format!(
                "{} has no complete snapshot yet: its fields are not known",
                repository.name
            ));
            continue;
        };
        let snapshot = content.content(&newest.manifest).await?;
        let (of_models, mut problems) = fields_of_snapshot(&snapshot).await?;
        let unread = newest.manifest.warnings.iter().any(|warning| warning.code == NO_WRITE_TOKEN);
        if of_models.is_empty() && unread {
            problems.push(Problem::new(
                NO_WRITE_TOKEN,
                newest.manifest.snapshot.as_str(),
                "the snapshot holds no models: they can be read with a write token only",
            ));
        }
        rows.push((repository.name.clone(), newest.manifest.snapshot.clone(), problems));
        fields.push(of_models);
    }
    let mut added = Vec::new();
    if args.write {
        let missing: BTreeSet<FieldPlace> = rows
            .iter()
            .zip(&fields)
            .flat_map(|((name, ..), fields)| known.coverage(name, fields).unclassified)
            .collect();
        let missing: Vec<FieldPlace> = missing.into_iter().collect();
        added = match args.dry_run {
            true => missing,
            false => Classification::write_missing(&file, &missing, &config.limits)?.fields,
        };
        if !args.dry_run {
            known = Classification::load(&file, &config.limits)?.unwrap_or_default();
        }
    }
    let repositories: Vec<Row> = rows
        .into_iter()
        .zip(&fields)
        .map(|((repository, snapshot, problems), fields)| Row {
            coverage: known.coverage(&repository, fields),
            repository,
            snapshot,
            problems,
        })
        .collect();
    let mut outcome = Outcome::Complete;
    if args.check && repositories.iter().any(|row| !row.coverage.unclassified.is_empty()) {
        outcome = Outcome::ObjectiveMissed;
    }
    if repositories.iter().any(|row| !row.problems.is_empty()) {
        outcome = outcome.worst(Outcome::Partial);
    }
    let report = Report {
        exists: exists || (args.write && !args.dry_run),
        file,
        repositories,
        added,
        dry_run: args.dry_run,
    };
    context.output.report(outcome, &report, || page(&report))?;
    content.session.warn_of_replicas(context);
    Ok(outcome)
}

/// How well the fields of repositories are known, by their newest snapshots.
pub(super) async fn fields_of_repositories(
    names: impl Iterator<Item = &Name>,
    content: &ContentSession,
) -> Result<Vec<FieldsOf>, CommandError> {
    let config = &content.session.config;
    let known = Classification::load(&file_of(config), &config.limits)?;
    let mut all = Vec::new();
    for name in names.filter(|name| !name.is_access_chain()) {
        let mut of = FieldsOf { repository: name.clone(), classified: 0, unclassified: None };
        if let (Some(known), Some(newest)) = (&known, content.snapshots.newest_complete(name)) {
            let snapshot = content.content(&newest.manifest).await?;
            let (fields, problems) = fields_of_snapshot(&snapshot).await?;
            let coverage = known.coverage(name, &fields);
            of.classified = coverage.classified as u64;
            // Models that nobody could read may have any field.
            of.unclassified =
                (problems.is_empty() && !fields.is_empty()).then_some(coverage.unclassified.len() as u64);
        }
        all.push(of);
    }
    Ok(all)
}

fn page(report: &Report) -> Page {
    let file = report.file.display();
    let mut page = Page::new();
    if !report.added.is_empty() {
        let verb = if report.dry_run { "Would add" } else { "Added" };
        page = page.line(format!(
            "{verb} {} to {file}, each with \"?\"; put one of these in its place:",
            counted(report.added.len() as u64, "field")
        ));
        page = Class::ALL
            .into_iter()
            .fold(page, |page, class| page.line(format!("  {:<12} {}", class.name(), class.words())));
    }
    for row in &report.repositories {
        let Coverage { classified, unclassified, unknown } = &row.coverage;
        page = page.line(format!(
            "{}: {} with a class, {} without, by the models of {}",
            row.repository,
            counted(*classified as u64, "field"),
            unclassified.len(),
            row.snapshot
        ));
        page = named(page, unclassified, "no class");
        page = named(page, unknown, "in the file, and in no model");
        for problem in &row.problems {
            page = page.line(format!("  {}: {}", problem.subject, problem.detail));
        }
    }
    match report.exists {
        true => page,
        false => page.line(format!("There is no {file}: `prismvault privacy classify --write` makes it")),
    }
}

fn named(page: Page, fields: &[FieldPlace], what: &str) -> Page {
    let page =
        fields.iter().take(NAMED_MAX).fold(page, |page, field| page.line(format!("  {field} ({what})")));
    match fields.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        Some(more) => page.line(format!("  and {more} more ({what})")),
        None => page,
    }
}

/// Tells after a snapshot which fields of its models nobody has given a class. Where nobody works on
/// data-subject requests, there is no file, and nothing is told.
pub(in crate::cli) fn tell_of_fields(
    report: &SnapshotReport,
    target: &Target,
    session: &Session,
    context: &Context,
) {
    let config = &session.config;
    let file = file_of(config);
    let known = match Classification::load(&file, &config.limits) {
        Ok(Some(known)) => known,
        Ok(None) if session.vault.trust.privacy_recipients.is_empty() => return,
        Ok(None) => {
            context.output.warning(format!(
                "nobody has said what the fields of {} may hold of people: `prismvault privacy classify --write` lists them in {}",
                target.name,
                file.display()
            ));
            return;
        }
        Err(error) => {
            context.output.warning(error.to_string());
            return;
        }
    };
    let (fields, unread) = fields_of(report.models.iter().map(|model| &model[..]));
    if unread > 0 {
        let models = counted(unread as u64, "model");
        context
            .output
            .warning(format!("{models} of {} could not be read, so their fields are not known", target.name));
    }
    let missing = known.coverage(&target.name, &fields).unclassified;
    if missing.is_empty() {
        return;
    }
    let mut names: Vec<String> = missing.iter().take(TOLD_MAX).map(ToString::to_string).collect();
    if missing.len() > TOLD_MAX {
        names.push(format!("and {} more", missing.len() - TOLD_MAX));
    }
    context.output.warning(format!(
        "nobody has said what {} of {} may hold of people: {}; say it in {}, to which `prismvault privacy classify --write` adds what is missing",
        counted(missing.len() as u64, "field"),
        target.name,
        names.join("; "),
        file.display()
    ));
}
