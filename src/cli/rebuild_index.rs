//! `prismvault repair --rebuild-index`: says where every item is, by looking into the packs.

use serde::Serialize;

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::output::Page;
use super::session::{IdentityOptions, Session};
use super::text::{Style, Text};
use super::units::human_bytes;
use crate::ids::Name;
use crate::vault::rebuild::{LostPack, RebuildPlan, RebuildReport, plan_rebuild, rebuild};

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    /// Packs that no readable index object describes.
    planned: &'a [LostPack],
    unusable: &'a [crate::progress::Problem],
    done: &'a RebuildReport,
}

/// Plans and rebuilds; prints the plan with `dry_run`.
///
/// # Errors
///
/// When keys are missing, before anything is read; when nothing can be written at all.
pub(super) async fn run(
    spaces: &[Name],
    dry_run: bool,
    identity: &IdentityOptions,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let session = Session::open(context, identity).await?;
    let plan = plan_rebuild(&session.vault, spaces).await?;
    let done = if dry_run {
        RebuildReport::default()
    } else {
        rebuild(&session.vault, &plan, &*context.progress, &context.cancel).await?
    };
    let outcome = if dry_run {
        Outcome::Complete
    } else if !done.problems.is_empty() {
        Outcome::Integrity
    } else if !done.behind.is_empty() || !done.unreached.is_empty() {
        Outcome::Partial
    } else {
        Outcome::Complete
    };
    session.warn(context);
    let report = Report { dry_run, planned: &plan.packs, unusable: &plan.unusable, done: &done };
    context.output.result(
        outcome,
        &report,
        || if dry_run { plan_page(&plan) } else { page(&plan, &done) },
    )?;
    Ok(outcome)
}

fn plan_page(plan: &RebuildPlan) -> Page {
    let mut page = Page::new();
    for pack in &plan.packs {
        let without = if pack.has_header { "" } else { "; no header of it is listed, so it cannot be read" };
        page = page.line(Text::styled(Style::Green, "would read ").and(
            Style::Plain,
            format!(
                "{}/{} ({}) from {}: no index object that can be read describes it{without}",
                pack.space,
                pack.pack,
                human_bytes(pack.size),
                pack.on.join(", ")
            ),
        ));
    }
    page = unusable_lines(page, plan);
    if plan.packs.is_empty() {
        return page.line("The index describes every pack; nothing to rebuild.");
    }
    page.line(format!("{} packs, {}; nothing was changed", plan.packs.len(), human_bytes(plan.bytes())))
}

fn page(plan: &RebuildPlan, done: &RebuildReport) -> Page {
    let mut page = Page::new();
    for problem in &done.problems {
        page = page.line(
            Text::styled(Style::Red, "cannot be read ")
                .and(Style::Plain, format!("{}: {}", problem.subject, problem.detail)),
        );
    }
    for problem in &done.unreached {
        page = page.line(
            Text::styled(Style::Yellow, "not reached ")
                .and(Style::Plain, format!("{}: {}; run the same again", problem.subject, problem.detail)),
        );
    }
    for problem in &done.warnings {
        page = page.line(
            Text::styled(Style::Yellow, "another copy was used ")
                .and(Style::Plain, format!("{}: {}", problem.subject, problem.detail)),
        );
    }
    for (replica, why) in &done.behind {
        page = page.line(
            Text::styled(Style::Yellow, "not written ")
                .and(Style::Plain, format!("to {replica}: {why}; `prismvault repair` brings it later")),
        );
    }
    page = unusable_lines(page, plan);
    if done.unfingerprinted > 0 {
        page = page.line(format!(
            "{} items lie under paths of which this version does not know what they hold; they can be read, and are stored once more if the source still has them",
            done.unfingerprinted
        ));
    }
    if plan.packs.is_empty() {
        return page.line("The index describes every pack; nothing to rebuild.");
    }
    page.line(format!(
        "{} of {} packs read ({}), {} items found, {} index objects written",
        done.packs,
        plan.packs.len(),
        human_bytes(done.bytes),
        done.items,
        done.written.len()
    ))
    .line("  `prismvault verify` says whether every snapshot is whole")
}

fn unusable_lines(mut page: Page, plan: &RebuildPlan) -> Page {
    for problem in &plan.unusable {
        page = page.line(
            Text::styled(Style::Yellow, "left as it is ")
                .and(Style::Plain, format!("{}: {}", problem.subject, problem.detail)),
        );
    }
    page
}
