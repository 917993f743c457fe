//! `prismvault show --storage`: what the storage is used for.

use serde::Serialize;

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::output::Page;
use super::retain::unreachable;
use super::session::Session;
use super::text::{Style, Table, Text};
use super::units::human_bytes;
use crate::pruning::{ReplicaStorage, StorageReport, Tally, storage};
use crate::vault::snapshots::Snapshots;

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    storage: &'a StorageReport,
    compression: f64,
    deduplication: f64,
    unreachable: Vec<(String, String)>,
}

/// Shows sizes by kind and replica, ratios, and what each snapshot (or one) holds alone.
///
/// # Errors
///
/// When the vault cannot be read, or the selector names nothing.
pub(super) async fn show(
    session: &Session,
    snapshot: Option<&str>,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let only = match snapshot {
        Some(typed) => {
            let snapshots = Snapshots::load(&session.vault, None).await?;
            Some(snapshots.select(typed, session.vault.now())?.id().clone())
        }
        None => None,
    };
    let mut found = storage(&session.vault).await?;
    found.snapshots.retain(|line| only.as_ref().is_none_or(|only| *only == line.snapshot));
    let report = Report {
        compression: found.compression(),
        deduplication: found.deduplication(),
        storage: &found,
        unreachable: unreachable(session),
    };
    let outcome = Outcome::of_reading(!found.unread.is_empty(), !report.unreachable.is_empty());
    context.output.report(outcome, &report, || page(&report))?;
    session.warn(context);
    Ok(outcome)
}

fn page(report: &Report<'_>) -> Page {
    let storage = report.storage;
    let mut by_kind = Table::new(["replica", "kind", "objects", "size"]).right(&["objects", "size"]);
    for replica in &storage.replicas {
        for (kind, tally) in kinds(replica) {
            by_kind.row([
                replica.replica.clone().into(),
                kind.into(),
                tally.objects.to_string().into(),
                human_bytes(tally.bytes).into(),
            ]);
        }
    }
    let mut snapshots = Table::new(["snapshot", "repository", "content", "needs", "alone"])
        .right(&["content", "needs", "alone"]);
    for line in &storage.snapshots {
        snapshots.row([
            line.snapshot.to_string().into(),
            line.repository.to_string().into(),
            human_bytes(line.logical_bytes).into(),
            tally(&line.needs).into(),
            tally(&line.alone).into(),
        ]);
    }
    let mut page = Page::new().table(by_kind).line("").table(snapshots).line("").line(format!(
        "{} of snapshots are {} of different items ({:.1} to 1); packs of {} are stored in {} ({:.1} to 1)",
        human_bytes(storage.logical_bytes),
        human_bytes(storage.different_bytes),
        report.deduplication,
        human_bytes(storage.raw_bytes),
        human_bytes(storage.stored_bytes),
        report.compression,
    ));
    for problem in &storage.unread {
        page = page.line(
            Text::styled(Style::Red, "not read ")
                .and(Style::Plain, format!("{}: {}", problem.subject, problem.detail)),
        );
    }
    for (replica, why) in &report.unreachable {
        page = page
            .line(Text::styled(Style::Yellow, "not read ").and(Style::Plain, format!("{replica}: {why}")));
    }
    page
}

/// The kinds of which there is anything, and their sum.
fn kinds(replica: &ReplicaStorage) -> impl Iterator<Item = (&'static str, Tally)> {
    [
        ("documents", replica.documents),
        ("assets", replica.assets),
        ("catalog", replica.catalog),
        ("headers", replica.headers),
        ("index", replica.index),
        ("manifests", replica.manifests),
        ("other", replica.other),
        ("unreferenced", replica.unreferenced),
        ("marked", replica.marked),
        ("in all", replica.total),
    ]
    .into_iter()
    .filter(|(_, tally)| tally.objects > 0)
}

fn tally(tally: &Tally) -> String {
    format!("{} ({})", human_bytes(tally.bytes), tally.objects)
}
