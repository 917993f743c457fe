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
use crate::ids::Digest;
use crate::locks::{RenewOptions, RenewalPlan, RenewalReport, plan_renewal, renew};
use crate::pruning::{
    PruneOptions, PrunePlan, PruneReport, RepackPlan, ReplicaPlan, Tally, apply, plan_with,
};
use crate::vault::error::{ErrorKind as VaultErrorKind, VaultError};
use crate::vault::purged;
use crate::vault::replica::with_causes;
use crate::vault::see_through::Hidden;

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

    /// What may be uncovered, where `agreed` is what a person has seen: only that, or everything
    /// (`None`) where consent was given to whatever there is.
    fn may_uncover<'a>(&self, agreed: &'a [(String, Hidden)]) -> Option<&'a [(String, Hidden)]> {
        let to_all = self.yes && self.expect_plan.is_none();
        (!to_all).then_some(agreed)
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
    /// What somebody hid and stays so, because nobody agreed that what hides it is deleted for good:
    /// keys, with the replica before them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_hidden: Vec<String>,
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
        Err(error) => return not_pruned(error, &session, args, context).await,
        Ok(plan) => plan,
    };
    // The look at the vault has found what is hidden; where nothing is, locks are looked at later.
    let is_hidden = session.vault.replicas.live().any(|replica| !replica.hidden().is_empty());
    let locks = match args.dry_run || is_hidden {
        true => Locks::plan(&session).await,
        false => Locks::default(),
    };
    let whole = plan_hash(&plan, &locks);
    let hash = whole.to_string();
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
        let report = Report { dry_run: true, plan_hash: hash, plan: &plan, done: None, locks: &locks };
        context.output.report(Outcome::Complete, &report, || plan_page(&report))?;
        session.warn(context);
        return Ok(Outcome::Complete);
    }
    context.record.plan(whole);
    for replica in plan.replicas.iter().filter(|replica| replica.changes()) {
        context.record.about(format!("replica {}", replica.replica));
    }
    let (destroyed, uncovers) = (plan.destroyed(), locks.uncovers());
    let is_harmless = destroyed.objects == 0 && uncovers.is_empty();
    let mut delete = args.yes || is_harmless;
    if !delete && confirm::can_ask() {
        delete = confirm::ask(&question(&destroyed, uncovers.len()))?;
    }
    if delete && !is_harmless {
        context.record.begin(&session, context).await?;
    }
    let options = PruneOptions { delete, progress: &*context.progress, cancel: context.cancel.clone() };
    let done = match apply(&session.vault, &plan, &options).await {
        Err(error) => return not_pruned(error, &session, args, context).await,
        Ok(done) => done,
    };
    delete_purged(&session, context).await?;
    let agreed: &[_] = if delete { &uncovers } else { &[] };
    let locks = Locks::renew(&session, args.may_uncover(agreed), context).await?;
    let held_back = done.held_back || (!delete && !locks.left_hidden.is_empty());
    let pruned = match (done.failed.is_empty(), held_back) {
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

/// Deletes what is left of cases that a privacy key decided to keep no longer: its signature is the consent.
async fn delete_purged(session: &Session, context: &Context) -> Result<(), CommandError> {
    let left = purged::delete(&session.vault, true).await?;
    if left.is_empty() {
        return Ok(());
    }
    left.iter().for_each(|done| context.record.about(format!("case {}", done.case)));
    context.record.begin(session, context).await?;
    for done in purged::delete(&session.vault, false).await? {
        context.output.message(format!(
            "case {} is kept no longer: {} deleted, {} left",
            done.case,
            counted(done.objects, "object"),
            done.left.len()
        ));
    }
    Ok(())
}

/// SHA-256 of all that is deleted for good: the plan, and with it what hides objects that are
/// uncovered. That of the plan alone where nothing is hidden.
fn plan_hash(plan: &PrunePlan, locks: &Locks) -> Digest {
    let uncovers = locks.uncovers();
    match uncovers.is_empty() {
        true => plan.hash(),
        false => {
            let all = (plan.hash(), uncovers);
            Digest::of(
                &serde_json::to_vec(&all).expect("keys and versions are text, which always serialises"),
            )
        }
    }
}

/// A replica that is away is no failure of this command, and nothing was lost by waiting for it.
///
/// Locks of the others are renewed all the same: they must not run out because one replica is away.
async fn not_pruned(
    error: VaultError,
    session: &Session,
    args: &Args,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let dry_run = args.dry_run;
    // There is no plan that anybody could have agreed to.
    let named = args.may_uncover(&[]);
    if error.kind != VaultErrorKind::TooFewReplicas {
        // Nor because something cannot be understood: then everything that may be needed counts as live.
        let hopeless = matches!(error.kind, VaultErrorKind::Identity | VaultErrorKind::Cancelled);
        if !hopeless && !dry_run {
            let locks = Locks::renew(session, named, context).await?;
            for line in lock_lines(Page::new(), &locks).render(false, None).lines() {
                context.output.message(line);
            }
        }
        return Err(error.into());
    }
    let locks = match dry_run {
        true => Locks::plan(session).await,
        false => Locks::renew(session, named, context).await?,
    };
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

    /// What would be uncovered, by replica.
    fn uncovers(&self) -> Vec<(String, Hidden)> {
        let mut uncovers = Vec::new();
        for own in self.plan.iter().flat_map(|plan| &plan.replicas) {
            uncovers.extend(own.uncover.iter().map(|hidden| (own.replica.clone(), hidden.clone())));
        }
        uncovers
    }

    /// Makes locks longer, and uncovers what is hidden: all of it, or only what is `named`.
    async fn renew(
        session: &Session,
        named: Option<&[(String, Hidden)]>,
        context: &Context,
    ) -> Result<Self, CommandError> {
        let mut locks = Self::plan(session).await;
        if let (Some(plan), Some(named)) = (&mut locks.plan, named) {
            for own in &mut plan.replicas {
                let is_named =
                    |hidden: &Hidden| named.iter().any(|(name, one)| *name == own.replica && one == hidden);
                let (uncover, left) = std::mem::take(&mut own.uncover).into_iter().partition(is_named);
                let left: Vec<Hidden> = left;
                locks
                    .left_hidden
                    .extend(left.iter().map(|hidden| format!("{}: {}", own.replica, hidden.key)));
                own.uncover = uncover;
            }
        }
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
        let is_complete = self.done.as_ref().is_none_or(RenewalReport::is_complete);
        match self.failed.is_none() && self.left_hidden.is_empty() && is_complete {
            true => Outcome::Complete,
            false => Outcome::Partial,
        }
    }
}

fn question(destroyed: &Tally, hidden: usize) -> String {
    let uncovered = counted(hidden as u64, "object");
    match (destroyed.objects, hidden) {
        (_, 0) => format!("Delete {} for good?", amount(destroyed)),
        (0, _) => format!("Uncover {uncovered}? What hides them is deleted for good."),
        _ => format!("Delete {} for good, and what hides {uncovered}?", amount(destroyed)),
    }
}

fn amount(tally: &Tally) -> String {
    match tally.objects {
        1 => format!("1 object, {}", human_bytes(tally.bytes)),
        objects => format!("{objects} objects, {}", human_bytes(tally.bytes)),
    }
}

fn lock_lines(page: Page, locks: &Locks) -> Page {
    let page = with_renewal(page, locks.plan.as_ref(), locks.done.as_ref(), locks.failed.as_deref());
    if locks.left_hidden.is_empty() {
        return page;
    }
    let text = format!(
        "{} stay hidden: uncovering deletes for good what hides them, so answer on a terminal, or use --yes",
        counted(locks.left_hidden.len() as u64, "object")
    );
    with_some(page.line(Text::styled(Style::Yellow, text)), locks.left_hidden.clone(), Detail::Some)
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
