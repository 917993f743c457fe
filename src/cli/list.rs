//! `prismvault list`: the snapshots of the vault.

use serde::Serialize;

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::output::Page;
use super::retain::unreachable;
use super::session::{IdentityOptions, Session};
use super::text::{Style, Table, Text};
use super::units::human_bytes;
use crate::clock::rfc3339;
use crate::ids::Name;
use crate::progress::Problem;
use crate::retention::{Undeletable, deadlines};
use crate::vault::format::manifest::Status;
use crate::vault::snapshots::{Snapshot, Snapshots, is_about};
use crate::verification::{LastVerified, last_verified};

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only snapshots of this repository
    repository: Option<Name>,
    /// List removed snapshots as well, and until when each can be taken back
    #[arg(long)]
    removed: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    snapshots: Vec<Line<'a>>,
    unreadable: &'a [Problem],
    lost: &'a [Problem],
    unreachable: Vec<(String, String)>,
    /// Absent where they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<Vec<Gone<'a>>>,
}

/// A removed snapshot.
#[derive(Serialize)]
struct Gone<'a> {
    id: &'a str,
    repository: &'a Name,
    removed: String,
    rule: &'a str,
    #[serde(flatten)]
    undelete: Undeletable,
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    repository: &'a Name,
    status: Status,
    started: &'a str,
    documents: u64,
    assets: u64,
    bytes: u64,
    added_bytes: u64,
    gaps: usize,
    replicas: &'a [String],
    held: Option<&'a str>,
    removed_from_some: Option<&'a str>,
    /// When it was last verified, one entry a replica.
    verified: Vec<LastVerified>,
}

impl<'a> Line<'a> {
    fn of(snapshot: &'a Snapshot, verified: Vec<LastVerified>) -> Self {
        let manifest = &snapshot.manifest;
        let counts = &manifest.counts;
        Self {
            id: manifest.snapshot.as_str(),
            repository: &manifest.repository,
            status: manifest.status,
            started: &manifest.started,
            documents: counts.documents.stored,
            assets: counts.assets.stored,
            bytes: counts.bytes(),
            added_bytes: manifest.added.stored_bytes,
            gaps: manifest.gaps.len(),
            replicas: &snapshot.on,
            held: snapshot.fate.held.as_ref().map(|held| held.reason.as_str()),
            removed_from_some: snapshot.fate.removed.as_ref().map(|removal| removal.rule.as_str()),
            verified,
        }
    }

    /// The day since which all its bytes have been read on every replica that holds it.
    fn verified_day(&self) -> &str {
        let oldest = self.verified.iter().map(|one| one.bytes.as_deref()).min().flatten();
        match oldest {
            Some(time) if self.verified.len() == self.replicas.len() => time.get(..10).unwrap_or(time),
            _ => "never",
        }
    }
}

/// Lists snapshots by repository, newest last, and which replica holds which.
///
/// # Errors
///
/// When the vault cannot be opened.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &IdentityOptions::default()).await?;
    let snapshots = Snapshots::load(&session.vault, args.repository.as_ref()).await?;
    if let Some(name) = &args.repository
        && snapshots.of(name).is_empty()
        && snapshots.unreadable.is_empty()
    {
        // Says which repositories there are; one that is configured may have none yet.
        session.config.select(&[name.as_str()])?;
    }
    let mut lost = snapshots.missing(&session.vault)?;
    lost.retain(|problem| args.repository.as_ref().is_none_or(|name| is_about(problem, name)));
    // Lists of members are asked for by their own name.
    let all: Vec<&Snapshot> = match &args.repository {
        Some(name) => snapshots.of(name).iter().collect(),
        None => snapshots.repositories().flat_map(|name| snapshots.of(name)).collect(),
    };
    let mut verified = last_verified(&session.vault, &all).await;
    let line = |snapshot: &&'_ Snapshot| verified.remove(snapshot.id()).unwrap_or_default();
    let verified: Vec<_> = all.iter().map(line).collect();
    let lines = all.iter().zip(verified).map(|(snapshot, verified)| Line::of(snapshot, verified));
    let report = Report {
        snapshots: lines.collect(),
        unreadable: &snapshots.unreadable,
        lost: &lost,
        unreachable: unreachable(&session),
        removed: match args.removed {
            true => Some(gone(&session, &snapshots, args.repository.as_ref()).await?),
            false => None,
        },
    };
    let is_damaged = !report.lost.is_empty() || !report.unreadable.is_empty();
    let outcome = Outcome::of_reading(is_damaged, !report.unreachable.is_empty());
    context.output.report(outcome, &report, || page(&report))?;
    session.warn(context);
    Ok(outcome)
}

/// Returns the removed snapshots, and whether each can be taken back.
async fn gone<'a>(
    session: &Session,
    snapshots: &'a Snapshots,
    only: Option<&Name>,
) -> Result<Vec<Gone<'a>>, CommandError> {
    let wanted = |one: &&Snapshot| {
        let name = &one.manifest.repository;
        only.map_or(!name.is_access_chain(), |only| name == only)
    };
    let removed: Vec<&Snapshot> = snapshots.removed().iter().filter(wanted).collect();
    let undelete = deadlines(&session.vault, &removed).await?;
    let line = |(snapshot, undelete): (&'a Snapshot, Undeletable)| {
        let removal = snapshot.fate.removed.as_ref();
        Gone {
            id: snapshot.id().as_str(),
            repository: &snapshot.manifest.repository,
            removed: removal.map(|removal| rfc3339(removal.entry.time())).unwrap_or_default(),
            rule: removal.map_or("", |removal| removal.rule.as_str()),
            undelete,
        }
    };
    Ok(removed.into_iter().zip(undelete).map(line).collect())
}

fn removed_page(page: Page, removed: &[Gone<'_>]) -> Page {
    if removed.is_empty() {
        return page.line("").line("No removed snapshots that are still somewhere.");
    }
    let mut table = Table::new(["removed", "repository", "at", "undelete", "why"]);
    for gone in removed {
        let undelete = match &gone.undelete {
            Undeletable::Open => Text::styled(Style::Green, "works: not marked by pruning yet"),
            Undeletable::Until { until } => Text::styled(Style::Yellow, format!("works until {until}")),
            Undeletable::No { why } => Text::styled(Style::Red, format!("no: {why}")),
        };
        table.row([
            gone.id.into(),
            gone.repository.to_string().into(),
            gone.removed.clone().into(),
            undelete,
            gone.rule.into(),
        ]);
    }
    page.line("").table(table)
}

fn page(report: &Report<'_>) -> Page {
    let mut table = Table::new([
        "snapshot",
        "repository",
        "status",
        "documents",
        "assets",
        "size",
        "new",
        "verified",
        "replicas",
    ])
    .right(&["documents", "assets", "size", "new"])
    .spare(&["new", "assets", "documents", "size", "verified"]);
    for line in &report.snapshots {
        let status = match line.status {
            Status::Complete => Text::styled(Style::Green, "complete"),
            Status::Partial => Text::styled(Style::Yellow, format!("partial ({} missing)", line.gaps)),
        };
        table.row([
            line.id.into(),
            line.repository.to_string().into(),
            status,
            line.documents.to_string().into(),
            line.assets.to_string().into(),
            human_bytes(line.bytes).into(),
            human_bytes(line.added_bytes).into(),
            line.verified_day().into(),
            line.replicas.join(", ").into(),
        ]);
    }
    let mut page = if report.snapshots.is_empty() {
        Page::new().line("No snapshots yet: take one with `prismvault snapshot`.")
    } else {
        Page::new().table(table)
    };
    for line in &report.snapshots {
        if let Some(reason) = line.held {
            page = page
                .line(Text::styled(Style::Cyan, "held ").and(Style::Plain, format!("{}: {reason}", line.id)));
        }
    }
    for problem in report.unreadable.iter().chain(report.lost) {
        page = page.line(
            Text::styled(Style::Red, "LOST ")
                .and(Style::Plain, format!("{}: {}", problem.subject, problem.detail)),
        );
    }
    for (replica, why) in &report.unreachable {
        page = page
            .line(Text::styled(Style::Yellow, "not read ").and(Style::Plain, format!("{replica}: {why}")));
    }
    match &report.removed {
        Some(removed) => removed_page(page, removed),
        None => page,
    }
}
