//! `prismvault retain`: lets snapshots go that no rule keeps.

use serde::Serialize;

use super::Context;
use super::confirm::parse_reason;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::hold::ended;
use super::output::Page;
use super::record::Effect;
use super::session::{IdentityOptions, Session};
use super::text::{Style, Table, Text};
use crate::config::Config;
use crate::ids::{Digest, Name};
use crate::retention::{
    Applied, Kind, Policies, RepositoryPlan, RetentionPlan, Shrink, SnapshotPlan, Verdict, accept_shrink,
    apply, plan_accept_shrink, plan_retention,
};
use crate::vault::format::manifest::Status;
use crate::vault::snapshots::Snapshots;

/// Arguments of `retain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Repositories: names, groups (@clients), all when none is given
    repositories: Vec<String>,
    /// Show every snapshot with the rule that keeps it or the reason it goes, and stop
    #[arg(long)]
    dry_run: bool,
    /// Carry out only exactly the plan with this hash, as --dry-run printed it
    #[arg(long, value_name = "HASH")]
    expect_plan: Option<Digest>,
    /// Accept that this snapshot holds much less than the one before it, so that expiry goes on
    #[arg(long, value_name = "SNAPSHOT", requires = "reason", conflicts_with_all = ["repositories", "expect_plan"])]
    accept_shrink: Option<String>,
    /// Why that is right; kept in the vault for good. No personal data
    #[arg(long, requires = "accept_shrink", value_parser = parse_reason)]
    reason: Option<String>,
}

impl Args {
    /// Whether it writes.
    pub(super) fn effect(&self) -> Effect {
        Effect::unless_dry("retain", self.dry_run)
    }
}

/// What is planned and what was done, for people and programs; of `forget` as well.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    pub(super) dry_run: bool,
    pub(super) plan_hash: Digest,
    #[serde(flatten)]
    pub(super) plan: &'a RetentionPlan,
    #[serde(flatten)]
    pub(super) applied: Applied,
    pub(super) without_policy: Vec<&'a Name>,
    pub(super) not_configured: Vec<&'a Name>,
    pub(super) unreachable: Vec<(String, String)>,
}

/// Plans by the policies of the configuration, and writes the removals to the ledger.
///
/// # Errors
///
/// Without any policy; when clocks differ, or the plan is not the expected one. A repository that
/// is not whole, or holds much less than before, is left as it is and decides the exit code.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let config = context.load_config()?;
    if let (Some(typed), Some(reason)) = (&args.accept_shrink, &args.reason) {
        return accept(config, typed, reason, args.dry_run, context).await;
    }
    let wish = Wish { dry_run: args.dry_run, expected: args.expect_plan };
    retain_all(config, &args.repositories, wish, context).await
}

/// How a plan is to be carried out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish {
    pub(super) dry_run: bool,
    pub(super) expected: Option<Digest>,
}

impl Wish {
    /// Checks that the plan is the expected one.
    pub(super) fn require(self, plan: &RetentionPlan) -> Result<(), CommandError> {
        match self.expected {
            Some(expected) if expected != plan.hash() => Err(CommandError::new(
                ErrorKind::Refused,
                format!("the plan is {} now, not {expected}, so nothing was changed", plan.hash()),
            )
            .hint("look at it with --dry-run: something changed since")),
            _ => Ok(()),
        }
    }
}

/// Retains; for the command itself and for jobs.
pub(super) async fn retain_all(
    config: Config,
    names: &[String],
    wish: Wish,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let policies: Vec<Policies> =
        config.select(names)?.into_iter().map(|repository| Policies::of(&config, repository)).collect();
    let (without, with): (Vec<Policies>, Vec<Policies>) = policies.into_iter().partition(Policies::is_empty);
    if with.is_empty() {
        return Err(CommandError::new(
            ErrorKind::Configuration,
            format!("{} does not say how long snapshots are kept, so all of them are", config.file.display()),
        )
        .hint("write for example:\n[retention]\nkeep_daily = 14\nkeep_weekly = 8\nkeep_monthly = 12\nmin_snapshots = 7"));
    }
    let known: Vec<Name> = config.repositories.iter().map(|repository| repository.name.clone()).collect();
    let session = Session::open_with(context, config, &IdentityOptions::default()).await?;
    let snapshots = Snapshots::load(&session.vault, None).await?;
    // Lists of members are kept as long as the snapshots that they lie beside.
    let lists: Vec<Policies> = with.iter().filter_map(|policies| policies.of_lists(&snapshots)).collect();
    let with = [with, lists].concat();
    let plan = plan_retention(&session.vault, &snapshots, &with, session.vault.now()).await?;
    wish.require(&plan)?;
    context.record.about_removals(&plan);
    let applied = match wish.dry_run {
        true => Applied::default(),
        false => apply(&session.vault, &plan).await?,
    };
    let report = Report {
        dry_run: wish.dry_run,
        plan_hash: plan.hash(),
        plan: &plan,
        applied,
        without_policy: without.iter().map(|policies| &policies.repository).collect(),
        not_configured: match names.is_empty() {
            true => snapshots.repositories().filter(|name| !known.contains(name)).collect(),
            false => Vec::new(),
        },
        unreachable: unreachable(&session),
    };
    let outcome = report.outcome();
    context.output.result(outcome, &report, || report.page())?;
    session.warn(context);
    Ok(outcome)
}

/// Names the replicas that took no part, and why.
pub(super) fn unreachable(session: &Session) -> Vec<(String, String)> {
    session.vault.replicas.failed().into_iter().map(|(name, failure)| (name, failure.why)).collect()
}

impl Report<'_> {
    pub(super) fn outcome(&self) -> Outcome {
        let refused = if self.plan.is_refused() { Outcome::Refused } else { Outcome::Complete };
        refused.worst(if self.unreachable.is_empty() { Outcome::Complete } else { Outcome::Partial })
    }

    pub(super) fn page(&self) -> Page {
        let mut page = Page::new();
        for part in &self.plan.repositories {
            page = self.repository(page, part);
        }
        for name in &self.without_policy {
            page = page.line(format!("{name} has no retention: all its snapshots are kept"));
        }
        for name in &self.not_configured {
            page = page.line(format!(
                "{name} is in the vault and not in the configuration: left as it is (`prismvault forget {name}` ends it)"
            ));
        }
        for (name, why) in &self.unreachable {
            page = page.line(
                Text::styled(Style::Yellow, "not reached ").and(Style::Plain, format!("{name}: {why}")),
            );
        }
        let command = match self.plan.kind {
            Kind::Retain => "retain",
            Kind::Forget => "forget",
        };
        match (self.dry_run, self.applied.snapshots) {
            (true, _) => {
                let going = self.plan.removals().count();
                page.line(format!("{going} would be removed; nothing was changed")).line(
                    Text::from(format!("plan {}", self.plan_hash)).and(
                        Style::Dim,
                        format!("  (`prismvault {command} … --expect-plan` carries out exactly this)"),
                    ),
                )
            }
            (false, 0) => page.line("Nothing to remove."),
            (false, count) => page.line(format!(
                "Removed {count}. `prismvault undelete` takes a removal back until pruning deletes for good"
            )),
        }
    }

    fn repository(&self, mut page: Page, part: &RepositoryPlan) -> Page {
        page = page.line(
            Text::styled(Style::Bold, part.repository.to_string())
                .and(Style::Dim, format!("  (periods by {})", part.timezone)),
        );
        for on in &part.policies {
            page = page.line(format!("  on {}: {}", on.replicas.join(", "), on.policy));
        }
        if let Some(refusal) = &part.refused {
            page = page
                .line(Text::styled(Style::Red, "  nothing is removed: ").and(Style::Plain, &*refusal.why))
                .line(
                    Text::styled(Style::Cyan, "  hint").and(Style::Plain, format!(": {}", refusal.next_step)),
                );
        }
        let mut table = Table::new(["snapshot", "status", "what", "why"]);
        let shown = |line: &&SnapshotPlan| self.dry_run || (line.remove.is_some() && part.refused.is_none());
        for line in part.snapshots.iter().filter(shown) {
            table.row([
                line.snapshot.as_str().into(),
                match line.status {
                    Status::Complete => "complete".into(),
                    Status::Partial => Text::styled(Style::Yellow, "partial"),
                },
                what(line, part.refused.is_some()),
                why(line).into(),
            ]);
        }
        page.table(table)
    }
}

/// What becomes of a snapshot.
fn what(line: &SnapshotPlan, refused: bool) -> Text {
    match &line.remove {
        None => Text::styled(Style::Green, "keep"),
        Some(_) if refused => "keep (for now)".into(),
        Some(remove) if remove.replicas.is_none() => Text::styled(Style::Yellow, "remove"),
        Some(remove) => Text::styled(Style::Yellow, format!("remove from {}", remove.names.join(", "))),
    }
}

/// The rules and reasons; with the replicas where they differ.
fn why(line: &SnapshotPlan) -> String {
    let reason = |verdict: &Verdict| match verdict {
        Verdict::Keep(rules) => rules.join(", "),
        Verdict::Remove(reason) => reason.clone(),
    };
    match line.verdicts.as_slice() {
        [only] => reason(&only.verdict),
        several => several
            .iter()
            .map(|on| format!("{}: {}", on.replicas.join(", "), reason(&on.verdict)))
            .collect::<Vec<_>>()
            .join("; "),
    }
}

#[derive(Serialize)]
struct Acceptance<'a> {
    dry_run: bool,
    repository: &'a Name,
    snapshot: &'a str,
    #[serde(flatten)]
    shrink: &'a Shrink,
    reason: &'a str,
    entry: Option<String>,
}

async fn accept(
    config: Config,
    typed: &str,
    reason: &str,
    dry_run: bool,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let session = Session::open_with(context, config, &IdentityOptions::default()).await?;
    let snapshots = Snapshots::load(&session.vault, None).await?;
    let snapshot = snapshots.select(typed, session.vault.now())?;
    context.record.about_snapshot(snapshot);
    let name = &snapshot.manifest.repository;
    let policies = Policies::of(&session.config, session.config.repository(name.as_str())?);
    let max_shrink = policies.max_shrink().ok_or_else(|| {
        CommandError::new(ErrorKind::Configuration, format!("{name} has no retention that could be stopped"))
    })?;
    let shrink = plan_accept_shrink(&snapshots, snapshot, max_shrink, session.vault.now())?;
    let entry = match dry_run {
        true => None,
        false => Some(accept_shrink(&session.vault, snapshot, reason).await?),
    };
    let report = Acceptance {
        dry_run,
        repository: name,
        snapshot: snapshot.id().as_str(),
        shrink: &shrink,
        reason,
        entry,
    };
    let outcome = ended(&session, context);
    context.output.report(outcome, &report, || {
        let verb = if dry_run { "Would accept" } else { "Accepted" };
        Page::new()
            .line(format!("{verb}: {shrink}"))
            .line(format!("  because: {reason}"))
            .line(format!("  the next `prismvault retain {name}` goes on with its expiry"))
    })?;
    Ok(outcome)
}
