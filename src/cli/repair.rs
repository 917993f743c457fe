//! `prismvault repair`: brings what is damaged or missing on one replica from another; with
//! `--rebuild-index` makes the index anew.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::findings::{Detail, with_damage, with_losses, with_some};
use super::output::Page;
use super::rebuild_index;
use super::record::Effect;
use super::session::{IdentityOptions, Session};
use super::text::{Style, Text};
use super::units::{counted, human_bytes};
use super::verify::DepthOptions;
use crate::ids::Name;
use crate::verification::{
    AffectedSnapshot, Damage, Level, RepairPlan, RepairReport, RepairStep, Scope, Uncovering, VerifyOptions,
    VerifyReport, apply_repair, plan_repair,
};

/// Arguments of `repair`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// With --rebuild-index: the spaces whose index is made anew; all when none is named
    #[arg(value_name = "SPACE", requires = "rebuild_index")]
    spaces: Vec<Name>,
    #[command(flatten)]
    depth: DepthOptions,
    /// Make the index anew from the packs, where index objects are lost (needs the recovery identity)
    #[arg(long, conflicts_with_all = ["level", "full"])]
    rebuild_index: bool,
    /// Show what would be brought from where and why, and stop
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

impl Args {
    /// Whether it writes.
    pub(super) fn effect(&self) -> Effect {
        Effect::unless_dry("repair", self.dry_run)
    }
}

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    /// Objects that somebody hid and that are, or would be, uncovered.
    uncover: &'a [Uncovering],
    uncovered: &'a [Uncovering],
    still_hidden: &'a [(Uncovering, String)],
    planned: &'a [RepairStep],
    mended: &'a [RepairStep],
    failed: &'a [(RepairStep, String)],
    bytes: u64,
    beyond_repair: &'a [Damage],
    lost: &'a [String],
    affected: &'a [AffectedSnapshot],
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
    if args.rebuild_index {
        return rebuild_index::run(&args.spaces, args.dry_run, &args.identity, context).await;
    }
    let (mut planned, mut uncover, mut done) = (Vec::new(), Vec::new(), RepairReport::default());
    let (mut beyond_repair, mut verified) = (Vec::new(), VerifyReport::default());
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
        let (found, plan) = plan_repair(&session.vault, &options).await?;
        beyond_repair.clone_from(&plan.beyond_repair);
        verified = found;
        planned.extend(plan.steps.iter().cloned());
        uncover.extend(plan.uncover.iter().cloned());
        if args.dry_run || (plan.steps.is_empty() && plan.uncover.is_empty()) {
            break;
        }
        let report = apply(&session, &plan, &options).await?;
        let again = plan.again && report.failed.is_empty();
        for step in &report.mended {
            context.record.about(format!("{} on {}", step.key, step.to));
        }
        done.uncovered.extend(report.uncovered);
        done.still_hidden.extend(report.still_hidden);
        done.mended.extend(report.mended);
        done.failed.extend(report.failed);
        done.bytes += report.bytes;
        if !again {
            break;
        }
    }
    let report = Report {
        dry_run: args.dry_run,
        uncover: &uncover,
        uncovered: &done.uncovered,
        still_hidden: &done.still_hidden,
        planned: &planned,
        mended: &done.mended,
        failed: &done.failed,
        bytes: done.bytes,
        beyond_repair: &beyond_repair,
        lost: &verified.lost,
        affected: &verified.affected,
    };
    let outcome = if beyond_repair.iter().any(|damage| damage.kind.is_integrity()) {
        Outcome::Integrity
    } else if !done.failed.is_empty() || !done.still_hidden.is_empty() {
        Outcome::Failed
    } else if !beyond_repair.is_empty() {
        Outcome::Partial
    } else {
        Outcome::Complete
    };
    context.output.result(outcome, &report, || {
        with_losses(page(&report, Detail::of(context.verbose)), &verified, Detail::of(context.verbose))
    })?;
    Ok(outcome)
}

async fn apply(
    session: &Session,
    plan: &RepairPlan,
    options: &VerifyOptions<'_>,
) -> Result<RepairReport, CommandError> {
    Ok(apply_repair(&session.vault, plan, options).await?)
}

fn page(report: &Report<'_>, detail: Detail) -> Page {
    let mut page = Page::new();
    page = uncovered_lines(page, report, detail);
    let (steps, verb) =
        if report.dry_run { (report.planned, "would bring") } else { (report.mended, "brought") };
    for (to, steps) in by_replica(steps) {
        let (from, count) = (sources(&steps), counted(steps.len() as u64, "object"));
        page = page.line(
            Text::styled(Style::Green, format!("{verb} "))
                .and(Style::Plain, format!("{count} to {to}{from}")),
        );
        let line = |step: &&RepairStep| {
            let from =
                if step.from.is_empty() { "made anew".to_owned() } else { format!("from {}", step.from) };
            format!("  {} {from}: {}", step.key, step.reason)
        };
        page = with_some(page, steps.iter().map(line), detail);
    }
    if !report.failed.is_empty() {
        page = page.line(Text::styled(
            Style::Red,
            format!("failed to bring {}", counted(report.failed.len() as u64, "object")),
        ));
        let line = |(step, why): &(RepairStep, String)| format!("  {} to {}: {why}", step.key, step.to);
        page = with_some(page, report.failed.iter().map(line), detail);
    }
    if !report.beyond_repair.is_empty() {
        page = page.line(Text::styled(
            Style::Red,
            format!(
                "cannot be mended, no good copy can be read: {}",
                counted(report.beyond_repair.len() as u64, "thing")
            ),
        ));
        page = with_damage(page, report.beyond_repair, detail);
    }
    match (steps.len(), report.beyond_repair.len()) {
        (0, 0) if report.failed.is_empty() && report.uncover.is_empty() => page.line("Nothing to repair."),
        (0, 0) if report.failed.is_empty() => page,
        (count, _) if report.dry_run => {
            page.line(format!("{}; nothing was changed", counted(count as u64, "object")))
        }
        (0, _) => page.line("Nothing was brought."),
        (count, _) => {
            page.line(format!("{}, {}", counted(count as u64, "object"), human_bytes(report.bytes)))
        }
    }
}

/// Lines about what somebody hid: nothing of it was lost, but that somebody could is worth knowing.
fn uncovered_lines(mut page: Page, report: &Report<'_>, detail: Detail) -> Page {
    let (uncovered, verb) =
        if report.dry_run { (report.uncover, "would uncover") } else { (report.uncovered, "uncovered") };
    if !uncovered.is_empty() {
        let count = counted(uncovered.len() as u64, "object");
        page = page.line(
            Text::styled(Style::Green, format!("{verb} "))
                .and(Style::Plain, format!("{count}: what hides them is deleted for good")),
        );
        let line = |one: &Uncovering| format!("  {} on {}: {}", one.key, one.replica, one.reason);
        page = with_some(page, uncovered.iter().map(line), detail);
    }
    if !report.still_hidden.is_empty() {
        let count = counted(report.still_hidden.len() as u64, "object");
        page = page.line(Text::styled(Style::Red, format!("failed to uncover {count}")));
        let line = |(one, why): &(Uncovering, String)| format!("  {} on {}: {why}", one.key, one.replica);
        page = with_some(page, report.still_hidden.iter().map(line), detail);
    }
    page
}

fn by_replica(steps: &[RepairStep]) -> BTreeMap<&str, Vec<&RepairStep>> {
    let mut replicas: BTreeMap<&str, Vec<&RepairStep>> = BTreeMap::new();
    for step in steps {
        replicas.entry(&step.to).or_default().push(step);
    }
    replicas
}

/// Names the replicas that steps bring from.
fn sources(steps: &[&RepairStep]) -> String {
    let from: BTreeSet<&str> =
        steps.iter().map(|step| step.from.as_str()).filter(|from| !from.is_empty()).collect();
    match from.is_empty() {
        true => String::new(),
        false => format!(" from {}", from.into_iter().collect::<Vec<_>>().join(", ")),
    }
}
