//! `prismvault find`: where something is.

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::output::Page;
use super::restore::files::with_problems;
use super::restore::outcome_of_problems;
use super::session::{IdentityOptions, Session};
use super::text::{Style, Text};
use super::units::counted;
use crate::restore::{FindOptions, FindReport, Hit, Scope, find};
use crate::vault::snapshots::Snapshots;

/// Arguments of `find`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An id, a type or a language as it is in paths; else a UID, a tag, a file name or any text, in any case
    term: String,
    /// Search this snapshot only; default: the newest complete one of each repository
    #[arg(long = "in", value_name = "SNAPSHOT", conflicts_with = "all")]
    snapshot: Option<String>,
    /// Search all snapshots
    #[arg(long)]
    all: bool,
    /// Search texts even when the term is an id, a type or a language
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

/// Finds documents and assets. Ids, types and languages are found without reading content; for
/// anything else the identity that reads content is needed.
///
/// # Errors
///
/// When the term is in no path and content cannot be read.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &args.identity).await?;
    let snapshots = Snapshots::load(&session.vault, None).await?;
    let scope = match (args.snapshot, args.all) {
        (Some(snapshot), _) => Scope::One(snapshot),
        (None, true) => Scope::All,
        (None, false) => Scope::Newest,
    };
    let options = FindOptions {
        scope,
        text: args.text,
        now: session.vault.now(),
        progress: &*context.progress,
        cancel: context.cancel.clone(),
    };
    let report = find(&session.vault, &snapshots, &args.term, options).await?;
    let outcome = outcome_of_problems(&report.problems);
    context.output.report(outcome, &report, || page(&report))?;
    if !report.text {
        context.output.message("searched paths only, because they hold this term; --text searches texts too");
    }
    session.warn_of_replicas(context);
    Ok(outcome)
}

fn page(report: &FindReport) -> Page {
    let mut page = report.hits.iter().fold(Page::new(), hit);
    if report.hits.is_empty() {
        page = page.line(format!("Found nothing in {}.", counted(report.searched.len() as u64, "snapshot")));
    }
    with_problems(page, &report.problems)
}

fn hit(mut page: Page, hit: &Hit) -> Page {
    let snapshots = match hit.snapshots.as_slice() {
        [only] => only.to_string(),
        [first, .., last] => format!("{} snapshots, {first} to {last}", hit.snapshots.len()),
        [] => String::new(),
    };
    page = page.line(
        Text::styled(Style::Bold, format!("{} {}", hit.repository, hit.path))
            .and(Style::Dim, format!("  in {snapshots}")),
    );
    for found in &hit.matches {
        if let Some(excerpt) = &found.excerpt {
            let place = if found.at.is_empty() { "text" } else { &found.at };
            page = page.line(
                Text::styled(Style::Cyan, format!("  {place}")).and(Style::Plain, format!("  {excerpt}")),
            );
        }
    }
    let more = hit.match_count.saturating_sub(hit.matches.len() as u64);
    if more > 0 {
        page = page.line(Text::styled(Style::Dim, format!("  … and {more} more")));
    }
    page
}
