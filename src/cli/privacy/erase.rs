//! `prismvault privacy erase`: carries out an approved plan, or what others decided and this host can do.

mod carried;
mod live;
mod looking;
mod own;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use self::carried::{carried_page, outcome_of};
pub(super) use self::live::look_again;
use self::looking::{Shown as SeenShown, look};
use super::desk::{Shown, actor, open_case};
use super::planning::{Ground, Summary, plan_page};
use crate::cli::confirm::confirm_that;
use crate::cli::error::CommandError;
use crate::cli::hold::ended;
use crate::cli::output::Page;
use crate::cli::record::Effect;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::{Context, Outcome};
use crate::ids::{CaseId, Digest, Name};
use crate::privacy::case::{Event, Kind, Stage, What};
use crate::privacy::erasure::approval::{self, approved};
use crate::privacy::erasure::carry_out::{
    Carried, carry_out, decide, is_decided, space_of, spaces_with_orders,
};
use crate::privacy::erasure::live::carry_out::CarriedOut;
use crate::privacy::erasure::live::standing::contradicted;
use crate::privacy::erasure::plan::PlanFile;
use crate::privacy::promise;
use crate::privacy::proof::headers::{OldHeaders, collect};
use crate::privacy::store::StoredCase;
use crate::vault::erasure::replacements::{self, NewItem};
use crate::vault::space::Space;

/// Arguments of `privacy erase`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The case, such as 2026-7K3F9Q
    #[arg(required_unless_present = "pending", conflicts_with = "pending")]
    case: Option<CaseId>,
    /// Go on with what was decided in all cases, as far as this host may: no case is read for it. For hosts
    /// with the maintenance key, and for replicas that were away
    #[arg(long)]
    pending: bool,
    /// Publish the migration release in Prismic: everything that waits in it goes live, also what others left
    /// there. Without it what was changed waits there for a person
    #[arg(long)]
    publish: bool,
    /// Do not ask before it begins
    #[arg(long)]
    yes: bool,
    /// Who does it; default: `principal` in [audit], else the number of the user
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Show what would be done, and stop
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

impl Args {
    pub(super) fn effect(&self) -> Effect {
        Effect::unless_dry("privacy erase", self.dry_run)
    }
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    shown: Option<Shown>,
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a Summary>,
    done: Option<&'a Carried>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<SeenShown>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    match args.case.clone() {
        None => pending(args, context).await,
        Some(case) => of_case(&case, args, context).await,
    }
}

/// Whether the plan that is there was begun, and needs no approval any more. An earlier plan of the case says
/// nothing of that: in a second round there is another.
fn has_begun(stage: Stage) -> bool {
    matches!(stage, Stage::Verifying | Stage::NotifyingRecipients | Stage::Responding) || stage.is_done()
}

/// What was decided and is not done everywhere, in every space.
async fn pending(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &args.identity).await?;
    let spaces = spaces_with_orders(&session.vault).await?;
    if args.dry_run || spaces.is_empty() {
        let report = Report { shown: None, dry_run: args.dry_run, summary: None, done: None, seen: None };
        let outcome = ended(&session, context);
        context.output.result(outcome, &report, || carried::spaces_page(&spaces))?;
        return Ok(outcome);
    }
    context.record.begin(&session, context).await?;
    let done = Box::pin(carry_out(&session.vault, spaces, &*context.progress, &context.cancel)).await?;
    let outcome = outcome_of(&done).worst(ended(&session, context));
    let report = Report { shown: None, dry_run: false, summary: None, done: Some(&done), seen: None };
    context.output.result(outcome, &report, || carried_page(&done))?;
    Ok(outcome)
}

async fn of_case(id: &CaseId, args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let (session, mut stored) = open_case(id, &args.identity, context).await?;
    let file = approval::load(&session.vault, &stored).await?;
    let summary = Summary::of(&file.plan, file.orders.len());
    let mut last = None;
    let stopped = match has_begun(stored.case.state().stage) {
        false => {
            last = Some(Kind::Executing);
            Box::pin(begin(&mut stored, &file, &summary, &args, &session, context)).await?
        }
        // All was carried out: it would be looked again, and what came back would be written again.
        true => args.dry_run.then(|| stored.case.clone()),
    };
    if let Some(after) = stopped {
        let shown = Some(Shown::of(&after, last, true));
        let report = Report { shown, dry_run: true, summary: Some(&summary), done: None, seen: None };
        let outcome = ended(&session, context);
        context.output.result(outcome, &report, || {
            plan_page(&file.plan, &summary, session.vault.is_encrypted(), false)
        })?;
        return Ok(outcome);
    }
    let spaces = spaces_of(&file)?;
    let ground = Ground::load(&session, &stored, context).await?;
    let in_prismic = match file.plan.live.is_empty() {
        true => None,
        false => Some(live::carry_out(&file.plan, &ground, args.publish, &session, context).await?),
    };
    let is_live_done = in_prismic.as_ref().is_none_or(live::is_done);
    note_live(&mut stored, &file, in_prismic.as_ref(), &args, &session).await?;
    let headers = names_of_headers(&session, &spaces).await?;
    let done = Box::pin(carry_out(&session.vault, spaces, &*context.progress, &context.cancel)).await?;
    let is_carried_out = done.is_carried_out() && is_live_done;
    if is_carried_out && stored.case.state().stage == Stage::Executing {
        last = Some(Kind::Executed);
        stored.record(&session.vault, event(What::Executed, &args, &session)).await?;
    }
    let mut seen = None;
    if is_carried_out {
        let (what, own) = Box::pin(look(&stored, &file, &headers, &ground, &session, context)).await?;
        take_back(&mut stored, own.contradicted.clone(), &args, &session).await?;
        last = Some(Kind::Verified);
        stored.record(&session.vault, event(what, &args, &session)).await?;
        if file.plan.purpose.destroys() {
            for what in promise::follows(stored.case.state(), &own.evidence) {
                last = Some(what.kind());
                stored.record(&session.vault, event(what, &args, &session)).await?;
            }
        }
        seen = Some(own);
    }
    let shown = Shown::of(&stored.case, last, false);
    let is_clean = is_live_done && seen.as_ref().is_none_or(SeenShown::is_clean);
    let looked = if is_clean { Outcome::Complete } else { Outcome::Partial };
    let outcome = outcome_of(&done).worst(looked).worst(ended(&session, context));
    let report =
        Report { shown: Some(shown), dry_run: false, summary: Some(&summary), done: Some(&done), seen };
    context.output.result(outcome, &report, || {
        let page = in_prismic.iter().fold(Page::new(), |page, done| page.append(live::page(done)));
        let page = page.append(carried_page(&done));
        let page = report.seen.iter().fold(page, |page, seen| page.append(seen.page()));
        report.shown.iter().fold(page, |page, shown| page.append(shown.page(&stored.case)))
    })?;
    Ok(outcome)
}

/// Notes in the case what carrying out the live steps came to: that all are done, so that people may begin with
/// theirs, and that what somebody said of a task counts no more, because what it is about was written again.
async fn note_live(
    stored: &mut StoredCase,
    file: &PlanFile,
    done: Option<&CarriedOut>,
    args: &Args,
    session: &Session,
) -> Result<(), CommandError> {
    let Some(done) = done else { return Ok(()) };
    let state = stored.case.state();
    if state.stage == Stage::Executing && !state.live_done && live::is_done(done) {
        let orders = stored.case.events().iter().rev().find_map(|event| match &event.what {
            What::Executing { orders, .. } => Some(orders.clone()),
            _ => None,
        });
        let what = What::Executing { plan: file.plan.hash(), orders: orders.unwrap_or_default(), live: true };
        stored.record(&session.vault, event(what, args, session)).await?;
    }
    let again = contradicted(&file.plan.live, &stored.case.state().tasks_done, Some(done), &[]);
    take_back(stored, again, args, session).await
}

/// Takes back what people said of tasks, because something that is seen speaks against it.
async fn take_back(
    stored: &mut StoredCase,
    tasks: BTreeSet<String>,
    args: &Args,
    session: &Session,
) -> Result<(), CommandError> {
    if tasks.is_empty() {
        return Ok(());
    }
    let reason = Some("what is seen in Prismic speaks against it".to_owned());
    let event = Event { reason, ..event(What::TaskReopened { tasks }, args, session) };
    Ok(stored.record(&session.vault, event).await?)
}

fn event(what: What, args: &Args, session: &Session) -> Event {
    let actor = actor(args.by.as_deref(), &session.config);
    Event { at: session.vault.now(), actor, reason: None, what }
}

/// The headers of all that is about to be destroyed, so that it can be tried afterwards whether they open anything.
async fn names_of_headers(session: &Session, spaces: &BTreeSet<Name>) -> Result<OldHeaders, CommandError> {
    let mut headers = OldHeaders::default();
    for name in spaces {
        let space = Space::load(&session.vault, name).await?;
        headers.extend(collect(&session.vault, &space));
    }
    Ok(headers)
}

/// The spaces in which packs are rewritten and destroyed for a plan.
fn spaces_of(file: &PlanFile) -> Result<BTreeSet<Name>, CommandError> {
    if !file.plan.purpose.destroys() {
        return Ok(BTreeSet::new());
    }
    Ok(file.orders.iter().map(|order| space_of(order)).collect::<Result<_, _>>()?)
}

/// Decides: what is to be read instead is stored, then orders are in the ledger of every live replica, then
/// the case says so. Returns the case as it would be, where nothing is to be done.
///
/// **If we crash here** the same command goes on. Once one order is in the ledger, all that is read instead is
/// stored, and the plan cannot be made again, because what it names is read no more: it is carried out.
async fn begin(
    stored: &mut StoredCase,
    file: &PlanFile,
    summary: &Summary,
    args: &Args,
    session: &Session,
    context: &Context,
) -> Result<Option<crate::privacy::case::Case>, CommandError> {
    let (vault, hash) = (&session.vault, file.plan.hash());
    // Whether it may be is found out before anything is read or written.
    let executing = |orders| event(What::Executing { plan: hash, orders, live: false }, args, session);
    let after = stored.after(executing(vec![Digest([0; 32]); file.orders.len()]))?;
    let orders = approved(&stored.case, file)?;
    let is_begun = is_decided(vault, &orders).await?;
    let mut new: BTreeMap<Name, Vec<NewItem>> = BTreeMap::new();
    if !is_begun {
        let ground = Ground::load(session, stored, context).await?;
        let take = |space: &Name, item| new.entry(space.clone()).or_default().push(item);
        ground.require_unchanged(&file.plan, session, context, take).await?;
    }
    if args.dry_run {
        return Ok(Some(after));
    }
    if !is_begun {
        if !args.yes {
            context.output.message_page(&plan_page(&file.plan, summary, vault.is_encrypted(), false));
        }
        let why = "what the plan removes cannot be brought back";
        confirm_that(why, &format!("Carry out plan {hash}?"), args.yes)?;
    }
    context.record.plan(hash);
    context.record.begin(session, context).await?;
    for (space, items) in new {
        replacements::store(vault, &space, items).await?;
    }
    let entries = decide(vault, &file.plan, orders).await?;
    if stored.case.state().stage != Stage::Executing {
        stored.record(vault, executing(entries)).await?;
    }
    Ok(None)
}
