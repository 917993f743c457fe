//! `prismvault undelete`: takes removals back.

use serde::Serialize;

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::hold::{Args, ended};
use super::output::Page;
use super::session::{IdentityOptions, Session};
use crate::ids::Name;
use crate::retention::{plan_undelete, undelete};
use crate::vault::snapshots::{Snapshot, Snapshots};

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    reason: &'a str,
    snapshots: Vec<Line<'a>>,
    entries: Vec<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    repository: &'a Name,
    snapshot: &'a str,
    rule: &'a str,
}

impl<'a> Line<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        Self {
            repository: &snapshot.manifest.repository,
            snapshot: snapshot.id().as_str(),
            rule: snapshot.fate.removed.as_ref().map_or("", |removal| removal.rule.as_str()),
        }
    }
}

/// Takes removals back, on every replica.
///
/// # Errors
///
/// When a selector names no removed snapshot, or pruning is about to delete what one needs.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &IdentityOptions::default()).await?;
    let snapshots = Snapshots::load(&session.vault, None).await?;
    let mut chosen: Vec<&Snapshot> = Vec::new();
    for typed in &args.snapshots {
        // One that only some replicas lost is not among the removed ones.
        let snapshot = match snapshots.find_removed(typed) {
            Some(removed) => removed,
            None => snapshots.select(typed, session.vault.now())?,
        };
        if !chosen.iter().any(|other| other.digest == snapshot.digest) {
            chosen.push(snapshot);
        }
    }
    chosen.iter().for_each(|snapshot| context.record.about_snapshot(snapshot));
    let entries = match args.dry_run {
        true => {
            plan_undelete(&session.vault, &chosen).await?;
            Vec::new()
        }
        false => undelete(&session.vault, &chosen, &args.reason).await?,
    };
    let report = Report {
        dry_run: args.dry_run,
        reason: &args.reason,
        snapshots: chosen.iter().copied().map(Line::of).collect(),
        entries,
    };
    let outcome = ended(&session, context);
    context.output.report(outcome, &report, || {
        let verb = if report.dry_run { "Would bring back" } else { "Brought back" };
        report.snapshots.iter().fold(Page::new(), |page, line| {
            page.line(format!("{verb} {} of {} (removed: {})", line.snapshot, line.repository, line.rule))
        })
    })?;
    Ok(outcome)
}
