//! What `add`, `remove`, `rotate` and `rewrap` share: plan, show, ask, apply, report.

use std::sync::Arc;

use serde::Serialize;

use super::root_key;
use crate::cli::confirm::confirm;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::output::Page;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::text::{Style, Text};
use crate::cli::{Context, Outcome};
use crate::ids::Digest;
use crate::keys::{Change, KeyPlan, KeyReport, apply, plan};

/// Options of commands that change keys.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Options {
    /// Show what would be done and why, and stop
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask before headers that earlier readers can open are destroyed
    #[arg(long)]
    pub(super) yes: bool,
    /// Go on only if the plan has this hash, as a dry run printed it
    #[arg(long, value_name = "HASH")]
    pub(super) expect_plan: Option<Digest>,
    #[command(flatten)]
    pub(super) identity: IdentityOptions,
}

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    hash: Digest,
    plan: &'a KeyPlan,
    applied: Option<&'a KeyReport>,
}

/// Opens the vault and makes these changes.
pub(super) async fn run(
    changes: Vec<Change>,
    options: Options,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let mut session = Session::open(context, &options.identity).await?;
    make(&changes, &options, &mut session, context).await
}

/// Makes these changes to an open vault.
pub(super) async fn make(
    changes: &[Change],
    options: &Options,
    session: &mut Session,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let root = root_key(&session.config)?;
    let plan = plan(&session.vault, changes).await?;
    let hash = plan.hash();
    if let Some(expected) = options.expect_plan.filter(|expected| *expected != hash) {
        return Err(CommandError::new(
            ErrorKind::Refused,
            format!("the plan has the hash {hash}, not {expected}"),
        )
        .hint("the vault changed since the dry run: look at the plan again with --dry-run"));
    }
    let mut report = Report { dry_run: options.dry_run, hash, plan: &plan, applied: None };
    if options.dry_run {
        context.output.report(Outcome::Complete, &report, || page(&report))?;
        session.warn(context);
        return Ok(Outcome::Complete);
    }
    if plan.destroys {
        if !options.yes {
            page(&report).render(false, None).lines().for_each(|line| context.output.message(line));
        }
        confirm("Headers that earlier readers can open will be destroyed on every replica.", options.yes)?;
    }
    let vault = Arc::get_mut(&mut session.vault).expect("nobody else holds the vault of this command");
    let applied = apply(vault, root.as_ref(), &plan).await?;
    report.applied = Some(&applied);
    let outcome = if applied.is_complete() { Outcome::Complete } else { Outcome::Partial };
    context.output.result(outcome, &report, || page(&report))?;
    session.warn(context);
    Ok(outcome)
}

fn page(report: &Report<'_>) -> Page {
    let plan = report.plan;
    let mut page = Page::new();
    if plan.is_empty() {
        page = page.line("All is as asked; nothing to be done.");
    }
    for step in &plan.steps {
        page = page.line(format!("- {step}"));
    }
    for limit in &plan.limits {
        page = page.line(Text::styled(Style::Yellow, "note ").and(Style::Plain, limit.as_str()));
    }
    let Some(applied) = report.applied else {
        return match report.dry_run {
            true => page.line(format!("Nothing was changed. Plan {}", report.hash)),
            false => page,
        };
    };
    let rewrap = &applied.rewrap;
    page = page.line(format!(
        "Trust record {}; {} files endorsed, {} headers and index objects written, {} brought, {} destroyed",
        applied.trust, applied.endorsed, rewrap.written, rewrap.brought, rewrap.destroyed
    ));
    for problem in &rewrap.problems {
        page = page.line(
            Text::styled(Style::Yellow, format!("{} ", problem.code))
                .and(Style::Plain, format!("{}: {}", problem.subject, problem.detail)),
        );
    }
    for name in &applied.away {
        page = page.line(
            Text::styled(Style::Yellow, "away ")
                .and(Style::Plain, format!("{name}: run `prismvault keys rewrap` when it is back")),
        );
    }
    page
}
