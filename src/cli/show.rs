//! `prismvault show`: one snapshot.

use serde::Serialize;

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::output::Page;
use super::session::{IdentityOptions, Session};
use super::storage;
use super::text::{Style, Table, Text};
use super::units::{counted, human_bytes};
use crate::clock::rfc3339;
use crate::snapshot::NOT_IN_ANY_SNAPSHOT;
use crate::vault::fate::Fate;
use crate::vault::format::manifest::{Manifest, Tally};
use crate::vault::snapshots::{Snapshot, Snapshots};
use crate::verification::{LastVerified, last_verified};

/// Arguments of `show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An id, a unique beginning of one, `latest`, or REPOSITORY@WHEN (blog@latest, blog@2026-11-20, blog@3d)
    #[arg(required_unless_present = "storage")]
    snapshot: Option<String>,
    /// Show what the storage is used for: by kind and replica, and what each snapshot (or this one) holds alone
    #[arg(long)]
    storage: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    manifest: &'a Manifest,
    sha256: String,
    replicas: &'a [String],
    /// What the ledger decided: held, removed, accepted although it shrank.
    fate: &'a Fate,
    verified: &'a [LastVerified],
    not_in_any_snapshot: Vec<NotThere>,
}

#[derive(Serialize)]
struct NotThere {
    what: &'static str,
    why: &'static str,
}

/// Shows counts, status, replicas, what was new and what is missing.
///
/// # Errors
///
/// When the selector names nothing.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &IdentityOptions::default()).await?;
    if args.storage {
        return storage::show(&session, args.snapshot.as_deref(), context).await;
    }
    let snapshots = Snapshots::load(&session.vault, None).await?;
    let typed = args.snapshot.as_deref().unwrap_or("latest");
    // What a removed one held is worth knowing before it is taken back.
    let snapshot = match snapshots.select(typed, session.vault.now()) {
        Ok(snapshot) => snapshot,
        Err(error) => snapshots.find_removed(typed).ok_or(error)?,
    };
    let verified = last_verified(&session.vault, &[snapshot]).await.remove(snapshot.id()).unwrap_or_default();
    let report = Report {
        manifest: &snapshot.manifest,
        sha256: snapshot.digest.to_string(),
        replicas: &snapshot.on,
        fate: &snapshot.fate,
        verified: &verified,
        not_in_any_snapshot: NOT_IN_ANY_SNAPSHOT.iter().map(|(what, why)| NotThere { what, why }).collect(),
    };
    context.output.report(Outcome::Complete, &report, || page(snapshot, &verified, &session))?;
    session.warn_of_replicas(context);
    Ok(Outcome::Complete)
}

/// Says since when a snapshot is known to be good, replica by replica.
fn with_dates(page: Page, verified: &[LastVerified]) -> Page {
    verified.iter().fold(page, |page, one| {
        let what = match (&one.bytes, &one.content) {
            (None, _) => "never verified whole".to_owned(),
            (Some(bytes), None) => format!("all bytes verified since {bytes}"),
            (Some(bytes), Some(content)) => {
                format!("all bytes verified since {bytes}, all content since {content}")
            }
        };
        page.line(format!("  on {}: {what}", one.replica))
    })
}

/// Names the replicas that do not hold a snapshot.
fn missing_on(snapshot: &Snapshot, session: &Session) -> Vec<String> {
    let replicas = &session.vault.replicas;
    let all = replicas.all().iter().map(|replica| replica.name.clone());
    let all = all.chain(replicas.failed().into_iter().map(|(name, _)| name));
    all.filter(|name| !snapshot.on.contains(name)).collect()
}

fn page(snapshot: &Snapshot, verified: &[LastVerified], session: &Session) -> Page {
    let manifest = &snapshot.manifest;
    let counts = &manifest.counts;
    let bold = |text: &str| Text::styled(Style::Bold, text);
    let style = if snapshot.is_complete() { Style::Green } else { Style::Yellow };
    let page = Page::new()
        .line(
            Text::from(format!("{} of {} ", manifest.snapshot, manifest.repository))
                .and(style, manifest.status.label()),
        )
        .line(match manifest.repository.is_access_chain() {
            true => format!("  a list of the members of {}, imported", manifest.source.repository),
            false => {
                let source = &manifest.source;
                format!("  read from {} at the ref {}", source.content_api, source.master_ref)
            }
        })
        .line(format!("  {} to {}, started by: {}", manifest.started, manifest.finished, manifest.trigger));
    let mut page = decided(places(page, snapshot, verified, session), snapshot);
    let mut table = Table::new(["", "reported", "stored", "size"]).right(&["reported", "stored", "size"]);
    let mut row = |what: String, tally: &Tally| {
        let reported = tally.reported.map_or_else(|| "-".to_owned(), |count| count.to_string());
        table.row([
            what.into(),
            reported.into(),
            tally.stored.to_string().into(),
            human_bytes(tally.bytes).into(),
        ]);
    };
    row("documents".to_owned(), &counts.documents);
    counts.documents_by_language.iter().for_each(|(language, tally)| row(format!("  {language}"), tally));
    counts.documents_by_type.iter().for_each(|(type_, tally)| row(format!("  {type_}"), tally));
    counts.release_documents.iter().for_each(|(release, tally)| row(format!("release {release}"), tally));
    row("models".to_owned(), &counts.models);
    row("assets".to_owned(), &counts.assets);
    row("repository files".to_owned(), &counts.repository);
    page = page.line("").table(table).line("").line(format!(
        "  new: {}, {}; stored {} in {}",
        counted(manifest.added.items, "item"),
        human_bytes(manifest.added.bytes),
        human_bytes(manifest.added.stored_bytes),
        counted(manifest.added.packs, "pack")
    ));
    if counts.external_assets > 0 {
        page = page.line(format!(
            "  named, not stored: {} of other hosts (repository/external-assets.json)",
            counted(counts.external_assets, "file")
        ));
    }
    for (title, problems) in [
        ("Missing", &manifest.gaps),
        ("Accepted as missing", &manifest.accepted_gaps),
        ("Notes", &manifest.warnings),
    ] {
        if !problems.is_empty() {
            page = page.line("").line(bold(title));
            for problem in problems {
                page = page.line(format!("  {}: {}", problem.subject, problem.detail));
            }
        }
    }
    if !manifest.consistency.changed_during_run.is_empty() {
        page = page.line("").line(bold("Changed while the snapshot was taken (the later state is stored)"));
        for path in &manifest.consistency.changed_during_run {
            page = page.line(format!("  {path}"));
        }
    }
    page = page.line("").line(bold("Not in any snapshot, because no official API gives it"));
    for (what, why) in NOT_IN_ANY_SNAPSHOT {
        page = page.line(format!("  {what}: {why}"));
    }
    page
}

/// Says which replicas hold a snapshot.
fn places(page: Page, snapshot: &Snapshot, verified: &[LastVerified], session: &Session) -> Page {
    let missing = missing_on(snapshot, session);
    let page = page.line(match snapshot.on.as_slice() {
        [] => "  on no replica that is to hold it".to_owned(),
        on => format!("  on {}", on.join(", ")),
    });
    let page = with_dates(page, verified);
    if missing.is_empty() || snapshot.fate.is_removed() {
        return page;
    }
    page.line(Text::styled(Style::Yellow, "  not on ").and(Style::Plain, missing.join(", ")))
}

/// Says what the ledger decided about a snapshot.
fn decided(mut page: Page, snapshot: &Snapshot) -> Page {
    let Fate { held, removed, accepted_shrink } = &snapshot.fate;
    if let Some(held) = held {
        let since = format!("since {}: {}", rfc3339(held.entry.time()), held.reason);
        page = page.line(Text::styled(Style::Cyan, "  held ").and(Style::Plain, since));
    }
    if let Some(removal) = removed {
        let from = if removal.from.is_none() { "removed " } else { "removed from some replicas " };
        let why = format!("at {}: {}", rfc3339(removal.entry.time()), removal.rule);
        page =
            page.line(Text::styled(Style::Yellow, format!("  {from}")).and(Style::Plain, why)).line(format!(
                "  `prismvault undelete {} --reason …` takes it back, until pruning deletes it",
                snapshot.id()
            ));
    }
    if let Some(reason) = accepted_shrink {
        page = page.line(format!("  accepted although it is much smaller than the one before: {reason}"));
    }
    page
}
