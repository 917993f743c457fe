//! `prismvault accept`: accepts a gap at the source that will not close.

use serde::Serialize;

use super::Context;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::output::Page;
use super::session::{IdentityOptions, Session};
use crate::ids::Name;
use crate::vault::format::ledger::Decision;
use crate::vault::ledger::Ledger;
use crate::vault::snapshots::Snapshots;

/// Arguments of `accept`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Repository, by its name in the configuration
    repository: Name,
    /// Path that is missing, as the snapshot names it: assets/ID/original
    path: String,
    /// Why it will not close; kept in the vault for good. No personal data
    #[arg(long)]
    reason: String,
    /// Show what would be recorded, and stop
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    repository: &'a Name,
    path: &'a str,
    reason: &'a str,
    entry: Option<String>,
    dry_run: bool,
}

/// Records a signed decision in the ledger on every replica. Later snapshots list the gap as
/// accepted and are complete without it.
///
/// # Errors
///
/// When the newest snapshot has no such gap, or it is one of numbers rather than of one thing.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    if args.reason.trim().is_empty() {
        return Err(CommandError::new(
            ErrorKind::Usage,
            "a reason is needed: whoever reads the vault later must understand it",
        ));
    }
    let session = Session::open(context, &IdentityOptions::default()).await?;
    let snapshots = Snapshots::load(&session.vault, Some(&args.repository)).await?;
    let newest = snapshots.of(&args.repository).last().ok_or_else(|| {
        CommandError::new(ErrorKind::Usage, format!("the vault holds no snapshot of {}", args.repository))
            .hint("`prismvault list` shows what it holds")
    })?;
    let gaps = &newest.manifest.gaps;
    let Some(gap) = gaps.iter().find(|gap| gap.subject == args.path) else {
        let error = CommandError::new(
            ErrorKind::Usage,
            format!("the newest snapshot of {} does not miss {}", args.repository, args.path),
        );
        return Err(match gaps.first() {
            Some(gap) => error
                .hint(format!(
                    "it misses {}",
                    gaps.iter().map(|gap| gap.subject.as_str()).take(10).collect::<Vec<_>>().join(", ")
                ))
                .hint(format!("the first: {}", gap.detail)),
            None => error.hint("it misses nothing"),
        });
    };
    // A number that is short could hide any loss to come.
    if gap.code == "documents-missing" || gap.code == "assets-missing" {
        return Err(CommandError::new(ErrorKind::Refused, format!("{} cannot be accepted: {}", args.path, gap.detail))
            .hint("this says that the list itself is short, so accepting it would hide whatever is lost later; take another snapshot"));
    }
    let space = newest.manifest.space.clone();
    let mut report = Report {
        repository: &args.repository,
        path: &args.path,
        reason: &args.reason,
        entry: None,
        dry_run: args.dry_run,
    };
    if !args.dry_run {
        let ledger = Ledger::load(&session.vault, &space).await?;
        ledger.require_whole(&session.vault, [])?;
        let decision = Decision::AcceptedGap {
            repository: args.repository.clone(),
            path: args.path.clone(),
            reason: args.reason.clone(),
        };
        report.entry = Some(ledger.append(&session.vault, &space, decision).await?.key);
    }
    let outcome =
        if session.vault.replicas.failed().is_empty() { Outcome::Complete } else { Outcome::Partial };
    context.output.report(outcome, &report, || {
        let verb = if report.dry_run { "Would accept" } else { "Accepted" };
        Page::new().line(format!(
            "{verb} that {} of {} is missing: {}",
            report.path, report.repository, report.reason
        ))
    })?;
    session.warn_of_replicas(context);
    Ok(outcome)
}
