//! `prismvault privacy search`: the person in every snapshot, and live.

use std::sync::Arc;

use serde::Serialize;

use super::desk::{Shown, StepOptions, actor, open_case};
use super::review::record_progress;
use super::subject::subject_of;
use crate::cli::confirm::parse_reason;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::output::Page;
use crate::cli::record::Effect;
use crate::cli::snapshot::target;
use crate::cli::text::Table;
use crate::cli::units::{counted, human_bytes};
use crate::cli::{Context, Outcome};
use crate::ids::Name;
use crate::privacy::case::{Case, Event, What};
use crate::privacy::channels::Bounds;
use crate::privacy::found;
use crate::privacy::matching::{Finding, Matcher};
use crate::privacy::search::{Coverage, FoundItem, LiveSource, SearchOptions, SearchReport, search};
use crate::privacy::store::StoredCase;
use crate::vault::snapshots::Snapshots;

/// Findings that are shown; all are kept with the case.
const SHOWN_MAX: usize = 50;

/// Arguments of `privacy search`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    /// Only in these repositories; default: in all of the vault
    #[arg(long = "repository", value_name = "NAME", requires = "reason")]
    repositories: Vec<Name>,
    /// Do not look at what is live now, only at snapshots
    #[arg(long, requires = "reason")]
    no_live: bool,
    /// Why less than everything is searched; it stands in the case
    #[arg(long, value_parser = parse_reason)]
    reason: Option<String>,
    /// Show what the last search found, and do not search
    #[arg(long, conflicts_with_all = ["repositories", "no_live", "reason", "dry_run"])]
    last: bool,
    /// Show all that was found, and not only what is best looked at first
    #[arg(long)]
    all: bool,
}

impl Args {
    /// Whether it writes.
    pub(super) fn effect(&self) -> Effect {
        if self.last { Effect::Reads } else { self.step.effect("privacy search") }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    shown: Shown,
    findings: u64,
    #[serde(flatten)]
    search: &'a SearchReport,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let (session, mut stored) = open_case(&args.step.case, &args.step.identity, context).await?;
    if args.last {
        let report = found::load_last(&session.vault, &stored).await?;
        return show(&args, &stored.case, None, &report, context);
    }
    let subject = subject_of(&stored.case)?;
    if !subject.is_searchable() {
        return Err(CommandError::new(
            ErrorKind::Refused,
            "nothing is known of the person by which they could be found",
        )
        .hint(format!("say it with `prismvault privacy subject {} --from FILE`", args.step.case)));
    }
    let config = &session.config;
    let unknown =
        args.repositories.iter().find(|name| !config.repositories.iter().any(|own| own.name == **name));
    if let Some(name) = unknown {
        return Err(CommandError::new(
            ErrorKind::Usage,
            format!("{} names no repository {name}", config.file.display()),
        ));
    }
    // Whether it may be recorded is found out before anything is read.
    let scoped = scoped(&args, &session.config);
    let reason =
        args.reason.clone().unwrap_or_else(|| "everything that the vault holds is searched".to_owned());
    let event = |what| Event {
        at: session.vault.now(),
        actor: actor(args.step.by.as_deref(), &session.config),
        reason: Some(reason.clone()),
        what,
    };
    let mut rehearsed = stored.after(event(scoped.clone()))?;
    rehearsed
        .apply(event(searched(String::from("none"), 0, 0, 0)))
        .map_err(crate::vault::error::VaultError::from)?;

    let snapshots = Snapshots::load(&session.vault, None).await?;
    let wanted = |name: &Name| args.repositories.is_empty() || args.repositories.contains(name);
    let targets = match args.no_live {
        true => Vec::new(),
        false => {
            let chosen = config.repositories.iter().filter(|own| wanted(&own.name));
            chosen.map(|own| target(own, config)).collect::<Result<Vec<_>, _>>()?
        }
    };
    let http = context.http(&config.limits)?;
    let live: Vec<LiveSource<'_>> = targets.iter().map(|target| LiveSource { target, http: &http }).collect();
    let options = SearchOptions {
        repositories: args.repositories.clone(),
        live: &live,
        bounds: Bounds::default(),
        now: session.vault.now(),
        progress: &*context.progress,
        cancel: context.cancel.clone(),
    };
    let matcher = Arc::new(Matcher::new(&subject, &[]));
    let report = search(&session.vault, &snapshots, matcher, options).await?;
    if !args.step.dry_run {
        let id = found::store(&session.vault, stored.case.id(), &report).await?;
        record(&mut stored, &session.vault, event(scoped)).await?;
        let unsearchable = report.coverage.unsearchable.values().sum();
        let what = searched(id.to_string(), report.coverage.items, report.findings(), unsearchable);
        record(&mut stored, &session.vault, event(what)).await?;
        // What was decided before holds on, so it is said how much of it is left.
        let actor = actor(args.step.by.as_deref(), &session.config);
        let progress = record_progress(&mut stored, &session.vault, &report, &actor).await;
        progress.map_err(|error| {
            error.within("what was found is recorded, and how much of it is decided is not")
        })?;
    }
    let outcome = show(&args, &stored.case, Some(args.step.dry_run), &report, context)?;
    session.warn_of_replicas(context);
    Ok(outcome)
}

async fn record(
    stored: &mut StoredCase,
    vault: &crate::vault::open::Vault,
    event: Event,
) -> Result<(), CommandError> {
    Ok(stored.record(vault, event).await?)
}

fn scoped(args: &Args, config: &crate::config::Config) -> What {
    let names = match args.repositories.is_empty() {
        true => config.repositories.iter().map(|own| own.name.clone()).collect(),
        false => args.repositories.clone(),
    };
    let live = if args.no_live { "" } else { ", and what is live now" };
    What::Scoped { repositories: names, snapshots: format!("every snapshot of the vault{live}") }
}

fn searched(search: String, items: u64, findings: u64, unsearchable: u64) -> What {
    What::Searched { search, items, findings, unsearchable }
}

fn show(
    args: &Args,
    case: &Case,
    dry_run: Option<bool>,
    report: &SearchReport,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let outcome = match report.coverage.is_whole() {
        true => Outcome::Complete,
        false => Outcome::Partial,
    };
    let shown =
        Shown::of(case, dry_run.map(|_| crate::privacy::case::Kind::Searched), dry_run.unwrap_or(false));
    let whole = Report { shown, findings: report.findings(), search: report };
    context.output.result(outcome, &whole, || page(args, case, &whole))?;
    Ok(outcome)
}

fn page(args: &Args, case: &Case, report: &Report<'_>) -> Page {
    let (search, coverage) = (report.search, &report.search.coverage);
    let mut page = Page::new().line(format!(
        "Found {} in {} of {} ({})",
        counted(report.findings, "place"),
        counted(search.found.len() as u64, "item"),
        coverage.items,
        human_bytes(coverage.bytes),
    ));
    let rows: Vec<(&FoundItem, &Finding)> = search
        .found
        .iter()
        .flat_map(|found| found.findings.iter().map(move |finding| (found, finding)))
        .collect();
    let most = if args.all { usize::MAX } else { SHOWN_MAX };
    if !rows.is_empty() {
        let mut table = Table::new(["evidence", "where", "since", "until", "text"]);
        for (found, finding) in rows.iter().take(most) {
            let place = found.sightings.first().map(|one| format!("{}: {}", one.repository, one.path));
            let place = place.or_else(|| {
                found.live.as_ref().map(|live| format!("{}: {} (live)", live.repository, live.path))
            });
            let day = |id: &crate::ids::SnapshotId| id.time().date_naive().to_string();
            let until = match (&found.live, found.sightings.iter().any(|one| one.is_in_newest)) {
                (Some(_), _) => "live".to_owned(),
                (None, true) => "newest".to_owned(),
                (None, false) => found.sightings.iter().map(|one| day(&one.to)).max().unwrap_or_default(),
            };
            table.row([
                format!("{:?} {}", finding.tier, finding.rule.words()).into(),
                format!(
                    "{} {}",
                    place.unwrap_or_else(|| "in no snapshot any more".to_owned()),
                    finding.place
                )
                .into(),
                found.sightings.iter().map(|one| day(&one.from)).min().unwrap_or_default().into(),
                until.into(),
                finding.excerpt.clone().into(),
            ]);
        }
        page = page.table(table);
        if rows.len() > most {
            page = page.line(format!("and {} more: --all shows them", rows.len() - most));
        }
    }
    page = with_documents_of_the_person(page, case, search);
    with_coverage(page, coverage).append(report.shown.page(case))
}

/// Documents that bear the person's name, and are not known to be about them.
fn with_documents_of_the_person(mut page: Page, case: &Case, search: &SearchReport) -> Page {
    let known = subject_of(case).unwrap_or_default();
    let named: Vec<(&str, &str)> = search
        .named_after_the_person()
        .into_iter()
        .filter(|(id, _)| !known.author_documents().iter().any(|known| known == id))
        .collect();
    if !named.is_empty() {
        page = page.line(
            "These bear the person's name. If one is about them as a whole, add a line `author-document: ID` to the person (`privacy subject`) and search again; all of it is theirs then:",
        );
        page =
            named.iter().take(SHOWN_MAX).fold(page, |page, (id, path)| page.line(format!("  {id}  {path}")));
    }
    page
}

/// What was searched, and what was not.
fn with_coverage(mut page: Page, coverage: &Coverage) -> Page {
    for searched in &coverage.repositories {
        page = page.line(format!(
            "Searched {} of {}, from {} to {}",
            counted(searched.snapshots, "snapshot"),
            searched.repository,
            searched.from.time().date_naive(),
            searched.to.time().date_naive()
        ));
    }
    for repository in &coverage.live {
        page = page.line(format!("Searched what is live in {repository}"));
    }
    for (reason, count) in &coverage.unsearchable {
        page = page.line(format!("Not searched: {} ({})", counted(*count, "part"), reason.words()));
    }
    for unsearched in coverage.unsearched.iter().take(SHOWN_MAX) {
        let place = unsearched
            .sightings
            .first()
            .map_or_else(|| unsearched.item.to_string(), |one| format!("{}: {}", one.repository, one.path));
        let why = unsearched.reason.map_or("it could not be read", crate::privacy::passage::Reason::words);
        page = page.line(format!("  {place} {}: {why}", unsearched.place));
    }
    for problem in &coverage.problems {
        page = page.line(format!("  {}: {}", problem.subject, problem.detail));
    }
    page = page.line("No search from outside of Prismic reaches:");
    for beyond in &coverage.beyond {
        page = page.line(format!("  {}", beyond.words()));
    }
    page
}
