//! `prismvault prune`: frees what no snapshot needs any more.

use serde::Serialize;

use super::Context;
use super::confirm;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::findings::{Detail, with_some};
use super::lock_lines::with_renewal;
use super::output::Page;
use super::record::Effect;
use super::session::{IdentityOptions, Session};
use super::text::{Style, Text};
use super::units::{counted, human_bytes};
use crate::config::Config;
use crate::locks::{RenewOptions, RenewalPlan, RenewalReport, plan_renewal, renew};
use crate::pruning::{
    PruneOptions, PrunePlan, PruneReport, RepackPlan, ReplicaPlan, Tally, apply, plan_with,
};
use crate::vault::error::{ErrorKind as VaultErrorKind, VaultError};
use crate::vault::replica::with_causes;

/// Arguments of `prune`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Show what would be marked and deleted, why, and what it costs, and stop
    #[arg(long)]
    dry_run: bool,
    /// Run only exactly the plan with this hash, as --dry-run printed it
    #[arg(long, value_name = "HASH")]
    expect_plan: Option<String>,
    /// Delete without asking
    #[arg(long, short)]
    yes: bool,
    /// Also rewrite packs of which little is needed (needs an identity that reads content)
    #[arg(long)]
    repack: bool,
    /// With --repack: rewrite packs of which less than this share, in percent, is needed [default: 50]
    #[arg(long, value_name = "PERCENT", requires = "repack", value_parser = clap::value_parser!(u8).range(1..=100))]
    repack_below: Option<u8>,
    #[command(flatten)]
    identity: IdentityOptions,
}

impl Args {
    /// Whether it writes.
    pub(super) fn effect(&self) -> Effect {
        Effect::unless_dry("prune", self.dry_run)
    }

    /// Those of a job: its file is the consent.
    pub(super) fn unattended(repack_below: Option<u8>, identity: &IdentityOptions) -> Self {
        Self {
            dry_run: false,
            expect_plan: None,
            yes: true,
            repack: repack_below.is_some(),
            repack_below,
            identity: identity.clone(),
        }
    }
}

/// Deletions of one replica that are listed one by one; more are counted by kind.
const LISTED_MAX: usize = 40;

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    plan_hash: String,
    plan: &'a PrunePlan,
    done: Option<&'a PruneReport>,
    locks: &'a Locks,
}

/// What becomes of locks: planned, and done.
#[derive(Debug, Default, Serialize)]
struct Locks {
    plan: Option<RenewalPlan>,
    done: Option<RenewalReport>,
    /// Why they could not be looked at.
    failed: Option<String>,
}

#[derive(Serialize)]
struct NotPruned<'a> {
    not_pruned: String,
    hint: &'a str,
    unreachable: Vec<(String, String)>,
    locks: &'a Locks,
}

/// Marks what no snapshot needs, and deletes what was marked before the grace.
///
/// # Errors
///
/// When anything that decides what is needed cannot be read or understood; for another plan than
/// the one that was asked for.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    prune_and_print(context.load_config()?, &args, context).await
}

/// Prunes and prints; for the command itself and for jobs.
pub(super) async fn prune_and_print(
    config: Config,
    args: &Args,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let session = Session::open_with(context, config, &args.identity).await?;
    let below = args.repack.then(|| args.repack_below.unwrap_or(session.config.limits.repack_below));
    if below.is_some() && !args.dry_run {
        session.vault.require_content_identity()?;
    }
    let plan = match plan_with(&session.vault, below).await {
        Err(error) => return not_pruned(error, &session, args.dry_run, context).await,
        Ok(plan) => plan,
    };
    let hash = plan.hash().to_string();
    if let Some(expected) = &args.expect_plan
        && *expected != hash
    {
        return Err(CommandError::new(
            ErrorKind::Refused,
            format!("what would be pruned now is another plan than {expected}: it has the hash {hash}"),
        )
        .hint("something changed since; look at `prismvault prune --dry-run` again"));
    }
    if args.dry_run {
        let locks = Locks::plan(&session).await;
        let report = Report { dry_run: true, plan_hash: hash, plan: &plan, done: None, locks: &locks };
        context.output.report(Outcome::Complete, &report, || plan_page(&report))?;
        session.warn(context);
        return Ok(Outcome::Complete);
    }
    context.record.plan(plan.hash());
    for replica in plan.replicas.iter().filter(|replica| replica.changes()) {
        context.record.about(format!("replica {}", replica.replica));
    }
    let destroyed = plan.destroyed();
    let mut delete = args.yes || destroyed.objects == 0;
    if !delete && confirm::can_ask() {
        delete = confirm::ask(&format!("Delete {} for good?", amount(&destroyed)))?;
    }
    if delete && destroyed.objects > 0 {
        context.record.begin(&session, context).await?;
    }
    let options = PruneOptions { delete, progress: &*context.progress, cancel: context.cancel.clone() };
    let done = match apply(&session.vault, &plan, &options).await {
        Err(error) => return not_pruned(error, &session, false, context).await,
        Ok(done) => done,
    };
    let locks = Locks::renew(&session, context).await?;
    let pruned = match (done.failed.is_empty(), done.held_back) {
        (false, _) => Outcome::Failed,
        (true, true) => Outcome::Refused,
        (true, false) => Outcome::Complete,
    };
    let outcome = pruned.worst(locks.outcome());
    let report = Report { dry_run: false, plan_hash: hash, plan: &plan, done: Some(&done), locks: &locks };
    context.output.result(outcome, &report, || lock_lines(done_page(&plan, &done), &locks))?;
    session.warn(context);
    Ok(outcome)
}

/// A replica that is away is no failure of this command, and nothing was lost by waiting for it.
///
/// Locks of the others are renewed all the same: they must not run out because one replica is away.
async fn not_pruned(
    error: VaultError,
    session: &Session,
    dry_run: bool,
    context: &Context,
) -> Result<Outcome, CommandError> {
    if error.kind != VaultErrorKind::TooFewReplicas {
        // Nor because something cannot be understood: then everything that may be needed counts as live.
        let hopeless = matches!(error.kind, VaultErrorKind::Identity | VaultErrorKind::Cancelled);
        if !hopeless && !dry_run {
            let locks = Locks::renew(session, context).await?;
            for line in lock_lines(Page::new(), &locks).render(false, None).lines() {
                context.output.message(line);
            }
        }
        return Err(error.into());
    }
    let locks = if dry_run { Locks::plan(session).await } else { Locks::renew(session, context).await? };
    let failed = session.vault.replicas.failed();
    let report = NotPruned {
        not_pruned: error.to_string(),
        hint: error.next_step().unwrap_or_default(),
        unreachable: failed.into_iter().map(|(name, failure)| (name, failure.why)).collect(),
        locks: &locks,
    };
    context.output.result(Outcome::Partial, &report, || {
        let page = Page::new()
            .line(Text::styled(Style::Yellow, "not pruned ").and(Style::Plain, report.not_pruned.clone()))
            .line(Text::styled(Style::Cyan, "hint").and(Style::Plain, format!(": {}", report.hint)));
        lock_lines(page, &locks)
    })?;
    Ok(Outcome::Partial)
}

impl Locks {
    /// Says what renewing would do. What cannot be said is no failure of pruning.
    async fn plan(session: &Session) -> Self {
        match plan_renewal(&session.vault).await {
            Ok(plan) => Self { plan: Some(plan), ..Self::default() },
            Err(error) => Self { failed: Some(with_causes(&error)), ..Self::default() },
        }
    }

    async fn renew(session: &Session, context: &Context) -> Result<Self, CommandError> {
        let mut locks = Self::plan(session).await;
        if let Some(plan) = locks.plan.as_ref().filter(|plan| !plan.replicas.is_empty()) {
            let options = RenewOptions { progress: &*context.progress, cancel: context.cancel.clone() };
            match renew(&session.vault, plan, &options).await {
                Ok(done) => locks.done = Some(done),
                Err(error) if error.kind == VaultErrorKind::Cancelled => return Err(error.into()),
                Err(error) => locks.failed = Some(with_causes(&error)),
            }
        }
        Ok(locks)
    }

    fn outcome(&self) -> Outcome {
        match self.failed.is_none() && self.done.as_ref().is_none_or(RenewalReport::is_complete) {
            true => Outcome::Complete,
            false => Outcome::Partial,
        }
    }
}

fn amount(tally: &Tally) -> String {
    match tally.objects {
        1 => format!("1 object, {}", human_bytes(tally.bytes)),
        objects => format!("{objects} objects, {}", human_bytes(tally.bytes)),
    }
}

fn lock_lines(page: Page, locks: &Locks) -> Page {
    with_renewal(page, locks.plan.as_ref(), locks.done.as_ref(), locks.failed.as_deref())
}

fn plan_page(report: &Report<'_>) -> Page {
    let plan = report.plan;
    let mut page = Page::new();
    for merge in &plan.merges {
        page = page.line(format!(
            "{}: would merge {} small index objects into one",
            merge.space,
            merge.indexes.len()
        ));
    }
    if let Some(repack) = &plan.repack {
        page = repack_lines(page, repack);
    }
    for replica in &plan.replicas {
        page = replica_lines(page.line(Text::styled(Style::Bold, replica.replica.clone())), replica);
    }
    page = lock_lines(page, report.locks);
    page.line(format!("plan {}", report.plan_hash)).line("Nothing was changed.")
}

fn repack_lines(mut page: Page, repack: &RepackPlan) -> Page {
    if repack.packs.is_empty() {
        return page.line(format!(
            "nothing to rewrite: no pack is needed by less than {} %, is older than a day, and unmarked",
            repack.below_percent
        ));
    }
    for pack in repack.packs.iter().take(LISTED_MAX) {
        page = page.line(format!(
            "would rewrite {pack} ({} of {})",
            human_bytes(pack.rewritten_bytes),
            human_bytes(pack.bytes)
        ));
    }
    if repack.packs.len() > LISTED_MAX {
        page = page.line(format!("and {} more", repack.packs.len() - LISTED_MAX));
    }
    page.line(format!(
        "rewriting {} packs of which less than {} % is needed frees about {} on each replica, after the grace",
        repack.packs.len(),
        repack.below_percent,
        human_bytes(repack.gain())
    ))
}

fn replica_lines(mut page: Page, replica: &ReplicaPlan) -> Page {
    for mark in &replica.mark {
        let left = match mark.unindexed {
            0 => String::new(),
            packs => format!(", {packs} of them left by runs that were killed"),
        };
        page = page.line(format!(
            "  would mark {} of {} ({} packs{left}; {} index objects, {} headers, {} removed manifests): no snapshot needs them",
            amount(&mark.size),
            mark.space,
            mark.packs.len(),
            mark.indexes.len(),
            mark.headers.len(),
            mark.manifests.len()
        ));
    }
    for key in &replica.release {
        page = page.line(format!("  would take back {key}: a snapshot needs what it names"));
    }
    if replica.delete.len() <= LISTED_MAX {
        for deletion in &replica.delete {
            page = page.line(
                Text::styled(Style::Red, "  would delete ")
                    .and(Style::Plain, format!("{}: {}", deletion.key, deletion.reason)),
            );
        }
    } else {
        for (kind, tally) in replica.deleted_by_kind() {
            page = page.line(
                Text::styled(Style::Red, "  would delete ")
                    .and(Style::Plain, format!("{} ({kind:?}); --json lists each", amount(&tally))),
            );
        }
    }
    page = waiting_lines(page, replica);
    let requests = &replica.requests;
    page.line(format!("  stays: {}", amount(&replica.stays))).line(format!(
        "  about {} list, {} get, {} put and {} delete requests",
        requests.list, requests.get, requests.put, requests.delete
    ))
}

fn waiting_lines(mut page: Page, replica: &ReplicaPlan) -> Page {
    for kept in &replica.kept {
        page = page.line(format!("  keeps {}: {}", kept.key, kept.reason));
    }
    for waiting in &replica.waiting {
        page = page.line(format!(
            "  {} waits: {}, deletable after {}",
            waiting.key,
            amount(&waiting.size),
            waiting.deletable_after
        ));
    }
    if replica.fresh.objects > 0 {
        page =
            page.line(format!("  {} are too new: a run may be about to need them", amount(&replica.fresh)));
    }
    page
}

fn done_page(plan: &PrunePlan, done: &PruneReport) -> Page {
    let mut page = Page::new();
    for merged in &done.merged {
        page = page.line(format!("{}: merged {} small index objects into one", merged.space, merged.from));
    }
    if let Some(repacked) = &done.repacked {
        page = page.line(format!(
            "rewrote what is needed of {} packs ({} items) into {} new ones, {} on each replica",
            repacked.packs,
            repacked.items,
            repacked.new_packs,
            human_bytes(repacked.bytes)
        ));
    }
    if done.leases > 0 {
        page = page.line(format!("removed {} of leases that ended", counted(done.leases, "file")));
    }
    for failed in done.failed.iter().filter(|failed| failed.replica.is_empty()) {
        page = page.line(
            Text::styled(Style::Red, "failed ").and(Style::Plain, format!("{}: {}", failed.key, failed.why)),
        );
    }
    for replica in &plan.replicas {
        page = page.line(Text::styled(Style::Bold, replica.replica.clone()));
        for marked in done.marked.iter().filter(|marked| marked.replica == replica.replica) {
            page = page.line(format!(
                "  marked {} of {}, deletable after {}",
                amount(&marked.size),
                marked.space,
                marked.deletable_after
            ));
        }
        for (_, key) in done.released.iter().filter(|(name, _)| *name == replica.replica) {
            page = page.line(format!("  took back {key}: a snapshot needs what it names"));
        }
        for (kind, tally) in done.deleted.get(&replica.replica).into_iter().flatten() {
            page = page.line(format!("  deleted {} ({kind:?})", amount(tally)));
        }
        let pending = done.pending.iter().filter(|pending| pending.replica == replica.replica);
        let pending: Vec<String> =
            pending.map(|pending| format!("  pending {}: {}", pending.key, pending.why)).collect();
        if !pending.is_empty() {
            let count = counted(pending.len() as u64, "object");
            page = page.line(format!("  {count} stay until their locks end; a later run deletes them"));
            page = with_some(page, pending, Detail::Some);
        }
        for failed in done.failed.iter().filter(|failed| failed.replica == replica.replica) {
            page = page.line(
                Text::styled(Style::Red, "  failed ")
                    .and(Style::Plain, format!("{}: {}", failed.key, failed.why)),
            );
        }
        let kept = done.kept.iter().filter(|kept| kept.replica == replica.replica);
        let replica = ReplicaPlan { kept: kept.cloned().collect(), ..replica.clone() };
        page = waiting_lines(page, &replica).line(format!("  holds {}", amount(&replica.stays)));
    }
    if done.held_back {
        let text = format!(
            "{} could be deleted for good and were not: run it on a terminal and answer, or with --yes",
            amount(&plan.destroyed())
        );
        page = page.line(Text::styled(Style::Yellow, text));
    }
    page
}
