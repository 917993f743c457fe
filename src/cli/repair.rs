//! `prismvault repair`: brings what is damaged or missing on one replica from another.

use serde::Serialize;

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::output::Page;
use super::session::{IdentityOptions, Session};
use super::text::{Style, Text};
use super::units::human_bytes;
use super::verify::{DepthOptions, damage_line};
use crate::verification::{
    Damage, Level, RepairPlan, RepairReport, RepairStep, Scope, VerifyOptions, apply_repair, plan_repair,
};

/// Arguments of `repair`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    depth: DepthOptions,
    /// Show what would be brought from where and why, and stop
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    planned: &'a [RepairStep],
    mended: &'a [RepairStep],
    failed: &'a [(RepairStep, String)],
    bytes: u64,
    beyond_repair: &'a [Damage],
}

/// Replicas that come back by a repair are looked at again; more often than there are replicas
/// would be a circle.
const ROUNDS_MAX: usize = 8;

/// Verifies, plans and mends; prints the plan with `--dry-run`.
///
/// # Errors
///
/// When nothing can be verified at all.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let (mut planned, mut done) = (Vec::new(), RepairReport::default());
    let mut beyond_repair = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let session = Session::open(context, &args.identity).await?;
        let options = VerifyOptions {
            // Repairing by presence alone would leave damaged bytes where they are.
            level: args.depth.level().map(|level| level.max(Level::Bytes)).or(Some(Level::Bytes)),
            snapshots: Vec::new(),
            progress: &*context.progress,
            cancel: context.cancel.clone(),
            scope: Scope::default(),
        };
        let (_, plan) = plan_repair(&session.vault, &options).await?;
        beyond_repair.clone_from(&plan.beyond_repair);
        planned.extend(plan.steps.iter().cloned());
        if args.dry_run || plan.steps.is_empty() {
            break;
        }
        let report = apply(&session, &plan, &options).await?;
        let again = plan.again && report.failed.is_empty();
        done.mended.extend(report.mended);
        done.failed.extend(report.failed);
        done.bytes += report.bytes;
        if !again {
            break;
        }
    }
    let report = Report {
        dry_run: args.dry_run,
        planned: &planned,
        mended: &done.mended,
        failed: &done.failed,
        bytes: done.bytes,
        beyond_repair: &beyond_repair,
    };
    let outcome = if beyond_repair.iter().any(|damage| damage.kind.is_integrity()) {
        Outcome::Integrity
    } else if !done.failed.is_empty() {
        Outcome::Failed
    } else if !beyond_repair.is_empty() {
        Outcome::Partial
    } else {
        Outcome::Complete
    };
    context.output.result(outcome, &report, || page(&report))?;
    Ok(outcome)
}

async fn apply(
    session: &Session,
    plan: &RepairPlan,
    options: &VerifyOptions<'_>,
) -> Result<RepairReport, CommandError> {
    Ok(apply_repair(&session.vault, plan, options).await?)
}

fn page(report: &Report<'_>) -> Page {
    let mut page = Page::new();
    let (steps, verb) =
        if report.dry_run { (report.planned, "would bring") } else { (report.mended, "brought") };
    for step in steps {
        let from = if step.from.is_empty() { "made anew".to_owned() } else { format!("from {}", step.from) };
        page = page.line(
            Text::styled(Style::Green, format!("{verb} "))
                .and(Style::Plain, format!("{} to {}, {from}: {}", step.key, step.to, step.reason)),
        );
    }
    for (step, why) in report.failed {
        page = page.line(
            Text::styled(Style::Red, "failed ")
                .and(Style::Plain, format!("{} to {}: {why}", step.key, step.to)),
        );
    }
    for damage in report.beyond_repair {
        page = page.line(
            Text::styled(Style::Red, "no good copy: ").and(Style::Plain, damage_line(damage).to_plain()),
        );
    }
    match (steps.len(), report.beyond_repair.len()) {
        (0, 0) if report.failed.is_empty() => page.line("Nothing to repair."),
        (count, _) if report.dry_run => page.line(format!("{count} objects; nothing was changed")),
        (count, _) => page.line(format!("{count} objects, {}", human_bytes(report.bytes))),
    }
}
