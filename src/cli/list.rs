//! `prismvault list`: the snapshots of the vault.

use serde::Serialize;

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::output::Page;
use super::session::{IdentityOptions, Session};
use super::text::{Style, Table, Text};
use super::units::human_bytes;
use crate::ids::Name;
use crate::progress::Problem;
use crate::vault::format::manifest::Status;
use crate::vault::snapshots::{Snapshot, Snapshots};
use crate::verification::{LastVerified, last_verified};

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only snapshots of this repository
    repository: Option<Name>,
}

#[derive(Serialize)]
struct Report<'a> {
    snapshots: Vec<Line<'a>>,
    unreadable: &'a [Problem],
    lost: &'a [Problem],
    unreachable: Vec<(String, String)>,
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
    /// When it was last verified, one entry a replica.
    verified: Vec<LastVerified>,
}

impl<'a> Line<'a> {
    fn of(snapshot: &'a Snapshot, verified: Vec<LastVerified>) -> Self {
        let manifest = &snapshot.manifest;
        let counts = &manifest.counts;
        let releases: u64 = counts.release_documents.values().map(|tally| tally.bytes).sum();
        Self {
            id: manifest.snapshot.as_str(),
            repository: &manifest.repository,
            status: manifest.status,
            started: &manifest.started,
            documents: counts.documents.stored,
            assets: counts.assets.stored,
            bytes: counts.documents.bytes
                + releases
                + counts.models.bytes
                + counts.assets.bytes
                + counts.repository.bytes,
            added_bytes: manifest.added.stored_bytes,
            gaps: manifest.gaps.len(),
            replicas: &snapshot.on,
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
    let lost: Vec<_> = match &args.repository {
        Some(name) => {
            let of = format!("/{name}/");
            snapshots
                .missing(&session.vault)?
                .into_iter()
                .filter(|problem| format!("{}/", problem.subject).contains(&of))
                .collect()
        }
        None => snapshots.missing(&session.vault)?,
    };
    let all: Vec<&Snapshot> = snapshots.iter().collect();
    let mut verified = last_verified(&session.vault, &all).await;
    let line = |snapshot: &&'_ Snapshot| verified.remove(snapshot.id()).unwrap_or_default();
    let verified: Vec<_> = all.iter().map(line).collect();
    let lines = all.iter().zip(verified).map(|(snapshot, verified)| Line::of(snapshot, verified));
    let report = Report {
        snapshots: lines.collect(),
        unreadable: &snapshots.unreadable,
        lost: &lost,
        unreachable: session
            .vault
            .replicas
            .failed()
            .into_iter()
            .map(|(name, failure)| (name, failure.why))
            .collect(),
    };
    let outcome = if !report.lost.is_empty() || !report.unreadable.is_empty() {
        Outcome::Integrity
    } else if !report.unreachable.is_empty() {
        Outcome::Partial
    } else {
        Outcome::Complete
    };
    context.output.report(outcome, &report, || page(&report))?;
    session.warn(context);
    Ok(outcome)
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
    page
}
