//! `prismvault forget`: ends a repository in the vault, or accepts that a snapshot is lost.

use serde::Serialize;

use super::Context;
use super::confirm::{confirm, parse_reason};
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::output::Page;
use super::record::Effect;
use super::retain::{Report, Wish, unreachable};
use super::session::{IdentityOptions, Session};
use crate::ids::{Digest, Name};
use crate::retention::{Applied, acknowledge_lost, apply, plan_forget, plan_lost};
use crate::vault::snapshots::Snapshots;

/// Arguments of `forget`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Repository, by its name in the vault; it need not be in the configuration any more
    repository: Name,
    /// Show what would go, and stop
    #[arg(long)]
    dry_run: bool,
    /// Carry out only exactly the plan with this hash, as --dry-run printed it
    #[arg(long, value_name = "HASH")]
    expect_plan: Option<Digest>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Accept that this one snapshot is lost for good, so that it is no longer reported as missing
    #[arg(long, value_name = "ID_OR_SHA256", requires = "reason", conflicts_with_all = ["expect_plan", "yes"])]
    lost: Option<String>,
    /// Why; kept in the vault for good. No personal data
    #[arg(long, value_parser = parse_reason)]
    reason: Option<String>,
}

impl Args {
    /// Whether it writes.
    pub(super) fn effect(&self) -> Effect {
        Effect::unless_dry("forget", self.dry_run)
    }
}

/// Removes all snapshots of a repository, by the same kind of plan as `retain`: they can be taken
/// back until pruning deletes for good, and what other repositories need stays.
///
/// # Errors
///
/// When it has no snapshots, one is under hold, or nobody confirms.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    context.record.about(args.repository.as_str());
    let session = Session::open(context, &IdentityOptions::default()).await?;
    let snapshots = Snapshots::load(&session.vault, None).await?;
    if let (Some(typed), Some(reason)) = (&args.lost, &args.reason) {
        return accept_loss(&args, typed, reason, &session, &snapshots, context).await;
    }
    let name = &args.repository;
    let plan = plan_forget(&session.vault, &snapshots, name, args.reason.as_deref()).await?;
    if snapshots.of(name).is_empty() && !plan.is_refused() {
        let known: Vec<&str> = snapshots.repositories().map(Name::as_str).collect();
        let removed = snapshots.removed().iter().any(|one| one.manifest.repository == *name);
        return Err(CommandError::new(ErrorKind::Usage, format!("the vault holds no snapshot of {name}"))
            .hint(match (removed, known.is_empty()) {
                (true, _) => "all are removed already; pruning deletes them for good".to_owned(),
                (false, true) => "it holds no snapshot at all".to_owned(),
                (false, false) => format!("it holds snapshots of {}", known.join(", ")),
            }));
    }
    let wish = Wish { dry_run: args.dry_run, expected: args.expect_plan };
    wish.require(&plan)?;
    let going = plan.removals().count();
    let mut applied = Applied::default();
    if going > 0 && !args.dry_run {
        confirm(&format!("Remove all {going} snapshots of {name}?"), args.yes)?;
        context.record.about_removals(&plan);
        context.record.begin(&session, context).await?;
        applied = apply(&session.vault, &plan).await?;
    }
    let report = Report {
        dry_run: args.dry_run,
        plan_hash: plan.hash(),
        plan: &plan,
        applied,
        without_policy: Vec::new(),
        not_configured: Vec::new(),
        unreachable: unreachable(&session),
    };
    let outcome = report.outcome();
    context.output.result(outcome, &report, || report.page())?;
    if report.applied.snapshots > 0 && session.config.repository(name.as_str()).is_ok() {
        context.output.warning(format!(
            "{name} is still in the configuration: the next `prismvault snapshot` begins it anew"
        ));
    }
    session.warn(context);
    Ok(outcome)
}

#[derive(Serialize)]
struct Loss<'a> {
    dry_run: bool,
    repository: &'a Name,
    snapshot: Option<&'a str>,
    sha256: Digest,
    reason: &'a str,
    entry: Option<String>,
}

async fn accept_loss(
    args: &Args,
    typed: &str,
    reason: &str,
    session: &Session,
    snapshots: &Snapshots,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let name = &args.repository;
    let lost = plan_lost(&session.vault, snapshots, name, typed)?;
    let removed = snapshots.removed().iter().filter(|one| one.manifest.repository == *name);
    let space = match snapshots.of(name).iter().chain(removed).last() {
        Some(other) => other.manifest.space.clone(),
        None => {
            session.config.repository(name.as_str()).map_or_else(|_| name.clone(), |own| own.space.clone())
        }
    };
    let entry = match args.dry_run {
        true => None,
        false => {
            let what = lost.snapshot.as_ref().map_or_else(|| lost.sha256.to_string(), ToString::to_string);
            context.record.about(format!("{name}/{what}"));
            Some(acknowledge_lost(&session.vault, &space, name, &lost, reason).await?)
        }
    };
    let report = Loss {
        dry_run: args.dry_run,
        repository: name,
        snapshot: lost.snapshot.as_ref().map(crate::ids::SnapshotId::as_str),
        sha256: lost.sha256,
        reason,
        entry,
    };
    context.output.report(Outcome::Complete, &report, || {
        let verb = if report.dry_run { "Would record" } else { "Recorded" };
        let what = report.snapshot.map_or_else(|| report.sha256.to_string(), str::to_owned);
        Page::new()
            .line(format!("{verb} that the snapshot {what} of {name} is lost for good: {reason}"))
            .line("  What is lost stays lost. It is no longer reported as missing")
    })?;
    session.warn(context);
    Ok(Outcome::Complete)
}
