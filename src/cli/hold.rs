//! `prismvault hold` and `release`: snapshots that nothing removes.

use serde::Serialize;

use super::Context;
use super::confirm::parse_reason;
use super::error::CommandError;
use super::exit::Outcome;
use super::output::Page;
use super::record::Effect;
use super::session::{IdentityOptions, Session};
use crate::retention::{HoldStep, hold as hold_all, plan_hold, plan_release, release as release_all};
use crate::vault::snapshots::{Snapshot, Snapshots};

/// Arguments of `hold`, `release` and `undelete`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Snapshots: an id, a unique beginning of one, `latest`, or REPOSITORY@WHEN
    #[arg(required = true)]
    pub(super) snapshots: Vec<String>,
    /// Why; kept in the vault for good. No personal data
    #[arg(long, value_parser = parse_reason)]
    pub(super) reason: String,
    /// Show what would be recorded, and stop
    #[arg(long)]
    pub(super) dry_run: bool,
}

impl Args {
    /// Whether a command of this name writes.
    pub(super) fn effect(&self, command: &'static str) -> Effect {
        Effect::unless_dry(command, self.dry_run)
    }
}

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    reason: &'a str,
    snapshots: &'a [HoldStep],
    entries: Vec<String>,
}

/// Puts snapshots under hold.
///
/// # Errors
///
/// When a selector names nothing, or too few replicas take the entry.
pub async fn hold(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &IdentityOptions::default()).await?;
    let snapshots = Snapshots::load(&session.vault, None).await?;
    let chosen = select_all(&args.snapshots, &snapshots, &session)?;
    chosen.iter().for_each(|snapshot| context.record.about_snapshot(snapshot));
    let steps = plan_hold(&chosen);
    let entries = match args.dry_run {
        true => Vec::new(),
        false => hold_all(&session.vault, &chosen, &args.reason).await?,
    };
    let report = Report { dry_run: args.dry_run, reason: &args.reason, snapshots: &steps, entries };
    let outcome = ended(&session, context);
    context.output.report(outcome, &report, || {
        steps.iter().fold(Page::new(), |page, step| {
            let id = &step.snapshot;
            page.line(match (&step.held, args.dry_run) {
                (Some(reason), _) => format!("{id} of {} is under hold already: {reason}", step.repository),
                (None, true) => format!("Would hold {id} of {}: {}", step.repository, args.reason),
                (None, false) => format!("Held {id} of {}: {}", step.repository, args.reason),
            })
        })
    })?;
    Ok(outcome)
}

/// Ends holds.
///
/// # Errors
///
/// When a selector names nothing or no held snapshot, or too few replicas take the entry.
pub async fn release(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &IdentityOptions::default()).await?;
    let snapshots = Snapshots::load(&session.vault, None).await?;
    let chosen = select_all(&args.snapshots, &snapshots, &session)?;
    chosen.iter().for_each(|snapshot| context.record.about_snapshot(snapshot));
    let steps = plan_release(&chosen)?;
    let entries = match args.dry_run {
        true => Vec::new(),
        false => release_all(&session.vault, &chosen, &args.reason).await?,
    };
    let report = Report { dry_run: args.dry_run, reason: &args.reason, snapshots: &steps, entries };
    let outcome = ended(&session, context);
    context.output.report(outcome, &report, || {
        let verb = if args.dry_run { "Would release" } else { "Released" };
        steps.iter().fold(Page::new(), |page, step| {
            let was = step.held.as_deref().unwrap_or_default();
            page.line(format!("{verb} {} of {} (held: {was})", step.snapshot, step.repository))
        })
    })?;
    Ok(outcome)
}

/// Finds snapshots by what was typed, each once.
fn select_all<'a>(
    typed: &[String],
    snapshots: &'a Snapshots,
    session: &Session,
) -> Result<Vec<&'a Snapshot>, CommandError> {
    let mut chosen: Vec<&Snapshot> = Vec::new();
    for typed in typed {
        let snapshot = snapshots.select(typed, session.vault.now())?;
        if !chosen.iter().any(|other| other.digest == snapshot.digest) {
            chosen.push(snapshot);
        }
    }
    Ok(chosen)
}

/// Shows what people should know, and how a command ends that wrote to the ledger.
pub(super) fn ended(session: &Session, context: &Context) -> Outcome {
    session.warn(context);
    let failed = session.vault.replicas.failed();
    for (name, why) in &failed {
        context.output.warning(format!("the replica {name} did not take part: {why}"));
    }
    if failed.is_empty() { Outcome::Complete } else { Outcome::Partial }
}
