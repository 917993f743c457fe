//! Carrying out a job: under a lease, and on record in the vault.
//!
//! However many schedulers, timers and people there are, a job runs once at a time: whoever carries
//! it out asks for its lease, and checks it again before each commit. How it went is recorded in
//! the vault, so that any host knows what was missed.
//!
//! How is a matter of [`schedule::errand`](crate::schedule::errand); here is what a run of a command
//! has besides: what it prints, whom it tells, its hooks.
//!
//! **A crash** leaves the lease until it ends, and no record of the run: the next host makes up
//! for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::cli::Context;
use crate::cli::access::review_all;
use crate::cli::drill::run::{Options, run_plan};
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::exit::Outcome;
use crate::cli::privacy::{check_all, purge_all};
use crate::cli::prune::{Args as PruneArgs, prune_and_print};
use crate::cli::record::host_name;
use crate::cli::replicate::{Args as ReplicateArgs, replicate_and_print};
use crate::cli::retain::{Wish, retain_all};
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::take::{Taking, take_all};
use crate::cli::telling::Telling;
use crate::cli::verify::{BudgetOptions, Which, verify_and_print};
use crate::clock::{Timestamp, rfc3339};
use crate::config::Config;
use crate::ids::Name;
use crate::schedule::errand::{Asking, Errand, give_back, taken_by, under_lease};
pub(in crate::cli) use crate::schedule::errand::{known, next};
use crate::schedule::{Job, Known, Work};
use crate::server::Publish;
use crate::snapshot::Read;
use crate::vault::error::VaultError;
use crate::vault::format::job::RunRecord;
use crate::vault::lease::{Held, Holder};
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;

/// What is to be carried out.
pub(in crate::cli) struct Order {
    /// The job.
    pub(in crate::cli) job: Arc<Job>,
    /// The time that it is for.
    pub(in crate::cli) planned: Timestamp,
    /// Number of the try.
    pub(in crate::cli) attempt: u32,
    /// Whether a run that failed is tried again as often as the job says.
    pub(in crate::cli) is_retried: bool,
    /// Not when another has done it since `planned`.
    pub(in crate::cli) if_due: bool,
    /// Only these of its repositories: those that were published, with what was heard of it; all
    /// where it is `None`.
    pub(in crate::cli) only: Option<BTreeMap<Name, Publish>>,
    /// Who asks.
    pub(in crate::cli) holder: Holder,
    /// Why jobs run without a lease, as it was told; the same is not told again.
    pub(in crate::cli) unsure: Arc<Mutex<BTreeMap<Name, String>>>,
    /// Identities besides those of the configuration.
    pub(in crate::cli) identity: IdentityOptions,
}

/// What came of it.
#[derive(Debug)]
pub(in crate::cli) enum Carried {
    /// It ran here.
    Ran(Result<Outcome, CommandError>),
    /// Another holds the lease.
    Elsewhere {
        /// Machine of the other.
        host: String,
        /// After this time it ends, unless it is renewed.
        wait: Duration,
        /// How the run ended here, where the other took the lease while it was under way.
        begun: Option<Result<Outcome, CommandError>>,
    },
    /// Another has done it.
    Covered(Known),
}

/// Runs one job on request, as `jobs run` does.
///
/// # Errors
///
/// When another holds the lease; whatever keeps the work from beginning.
pub(super) async fn run_one(
    job: Job,
    if_due: bool,
    config: Config,
    identity: IdentityOptions,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let now = context.clock.now();
    let last = job.cron.as_ref().and_then(|cron| cron.last_until(now));
    let name = job.name.clone();
    let planned = last.filter(|_| if_due).unwrap_or(now);
    let if_due = if_due && last.is_some();
    let order = Order {
        job: Arc::new(job),
        planned,
        attempt: 1,
        is_retried: false,
        if_due,
        only: None,
        holder: Holder::new(host()),
        unsure: Arc::default(),
        identity,
    };
    match carry_out(&order, config, context).await {
        Carried::Ran(result) => result,
        Carried::Covered(_) => {
            context.output.message(format!("{name} was done since {}; nothing to do", rfc3339(planned)));
            Ok(Outcome::Complete)
        }
        Carried::Elsewhere { host, wait, begun: _ } => Err(CommandError::new(
            ErrorKind::Refused,
            format!("the job {name} is running on {host}, which holds its lease"),
        )
        .hint(format!("if that machine is dead, the lease ends in {} seconds", wait.as_secs().max(1)))),
    }
}

/// Name of this machine, for people.
pub(in crate::cli) fn host() -> String {
    host_name().unwrap_or_else(|| "a machine without name".to_owned())
}

/// Carries out an order, and tells whom it concerns.
pub(in crate::cli) async fn carry_out(order: &Order, config: Config, context: &Context) -> Carried {
    let telling = Telling::of(order, &config, context);
    let carried = carry_out_told(order, config, &telling, context).await;
    if let Carried::Ran(result) = &carried {
        telling.ended(result).await;
    }
    carried
}

async fn carry_out_told(order: &Order, config: Config, telling: &Telling<'_>, context: &Context) -> Carried {
    let session = Session::open_with(context, config.clone(), &order.identity).await;
    let vault = match session {
        Ok(session) => session.vault,
        Err(error) => return Carried::Ran(Err(error)),
    };
    let lease_of = config.run.lease.clone();
    let errand = Errand {
        vault: &vault,
        job: &order.job,
        planned: order.planned,
        if_due: order.if_due,
        holder: &order.holder,
        lease_of: lease_of.as_deref(),
    };
    let held = match errand.ask().await {
        Ok(Asking::Granted(held)) => {
            order.unsure.lock().expect("no holder of this lock can panic").remove(&order.job.name);
            Some(held)
        }
        Ok(Asking::Elsewhere { host, wait }) => return Carried::Elsewhere { host, wait, begun: None },
        Ok(Asking::Covered(known)) => return Carried::Covered(known),
        Ok(Asking::Unsure(error)) => {
            warn_unsure(order, &error, context);
            None
        }
        Err(error) => {
            let job = &order.job.name;
            return Carried::Ran(Err(CommandError::from(error)
                .within(format!("{job} did not run: nothing is removed by two hosts at once"))));
        }
    };
    let started = context.clock.now();
    let result = match telling.before().await {
        Ok(()) => work_under(held.as_deref(), order, config, &vault, context).await,
        Err(stopped) => Err(CommandError::because(
            ErrorKind::Refused,
            format!("the job {} was not begun", order.job.name),
            stopped,
        )
        .hint("run the hook by hand, as this user, to see what it says")),
    };
    let is_well = result.as_ref().is_ok_and(|outcome| is_done(*outcome));
    if !is_well && let Some(host) = taken_by(held.as_deref(), &vault).await {
        telling.ended(&Err(CommandError::interrupted())).await;
        let wait = vault.limits().lease_lasts / 12;
        return Carried::Elsewhere { host, wait, begun: Some(result) };
    }
    note(&errand, order.attempt, started, &result, context).await;
    give_back(held.as_deref(), &vault).await;
    Carried::Ran(result)
}

/// Says that a job runs without a lease, and why: once as long as that is so.
fn warn_unsure(order: &Order, error: &VaultError, context: &Context) {
    let (name, why) = (&order.job.name, with_causes(error));
    let next = error.next_step().map(|next| format!(" ({next})")).unwrap_or_default();
    let warning = format!("another host may run {name} as well, which does no harm: {why}{next}");
    let before =
        order.unsure.lock().expect("no holder of this lock can panic").insert(name.clone(), warning.clone());
    if before.as_ref() != Some(&warning) {
        context.output.warning(warning);
    }
}

/// Does the work in the vault that is open, and stops it when its lease is lost.
async fn work_under(
    held: Option<&Held>,
    order: &Order,
    config: Config,
    vault: &Arc<Vault>,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let cancel = context.cancel.child_token();
    let own = Context { vault: Some(Arc::clone(vault)), cancel: cancel.clone(), ..context.clone() };
    let work = run_now(&order.job, order.only.as_ref(), config, &order.identity, &own);
    match under_lease(held, &order.job, vault, &cancel, work).await {
        // It may be done by now: what it committed, it committed while that did no harm.
        (result, Some(lost)) => {
            result.map_err(|_| CommandError::from(lost).within(format!("{} was stopped", order.job.name)))
        }
        (result, None) => result,
    }
}

/// Records how a run ended. One that was interrupted is not on record: it is made up for.
async fn note(
    errand: &Errand<'_>,
    attempts: u32,
    started: Timestamp,
    result: &Result<Outcome, CommandError>,
    context: &Context,
) {
    let outcome = match result {
        Ok(outcome) => *outcome,
        Err(error) => error.kind.outcome(),
    };
    if outcome == Outcome::Interrupted {
        return;
    }
    let now = context.clock.now();
    let run = RunRecord {
        run: context.run.clone(),
        planned: rfc3339(errand.planned),
        started: rfc3339(started),
        ended: rfc3339(now),
        exit_code: outcome.code(),
        attempts,
        host: host(),
    };
    if let Err(error) = errand.record(run, is_done(outcome), now).await {
        context.output.warning(format!(
            "the vault does not know that {} ran: {}",
            errand.job.name,
            with_causes(&error)
        ));
    }
}

/// Whether a run that ended so did its work, perhaps with gaps: trying again would not help.
pub(in crate::cli) fn is_done(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Complete | Outcome::Partial | Outcome::ObjectiveMissed)
}

/// Does the work of a job, in the same way as the command of that name.
async fn run_now(
    job: &Job,
    only: Option<&BTreeMap<Name, Publish>>,
    config: Config,
    identity: &IdentityOptions,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let names: Vec<String> = match only {
        Some(only) => only.keys().map(Name::to_string).collect(),
        None => job.repositories.iter().map(|selector| selector.text.clone()).collect(),
    };
    match job.work {
        // The purge says so itself, where there is something to purge.
        Work::Verify { .. } | Work::AccessReview | Work::PrivacyCheck | Work::PrivacyPurge => {}
        Work::Snapshot { .. } | Work::Retain | Work::Replicate | Work::Prune { .. } | Work::Drill => {
            context.record.writes();
            context.record.about(format!("job {}", job.name));
        }
    }
    match job.work {
        Work::Snapshot { full_every } => {
            let read = full_every
                .map_or(Read::Full, |full_every| Read::Incremental { full_every, told: Vec::new() });
            let documents =
                |publish: &Publish| publish.documents().map(str::to_owned).collect::<Vec<String>>();
            let told = only.into_iter().flatten();
            let told = told.map(|(name, publish)| (name.clone(), documents(publish))).collect();
            take_all(config, &names, Taking { trigger: job.name.as_str(), read, told }, context).await
        }
        Work::Retain => retain_all(config, &names, Wish::default(), context).await,
        Work::Replicate => {
            let names = match job.is_for_all() {
                true => Vec::new(),
                false => job.select(&config)?.into_iter().map(|own| own.name.clone()).collect(),
            };
            replicate_and_print(config, names, &ReplicateArgs::default(), context).await
        }
        Work::Verify { level, sample, max_duration } => {
            let budget = BudgetOptions::of_job(sample, max_duration);
            let names: Vec<Name> =
                job.select(&config)?.into_iter().map(|repository| repository.name.clone()).collect();
            let which = match job.is_for_all() {
                true => Which::All(&names),
                false => Which::Repositories(&names),
            };
            verify_and_print(config, level, &budget, which, identity, context).await
        }
        Work::Prune { repack_below } => {
            prune_and_print(config, &PruneArgs::unattended(repack_below, identity), context).await
        }
        Work::AccessReview => {
            let names = job.select(&config)?.into_iter().map(|own| own.name.clone()).collect();
            review_all(config, names, job.reviews.as_deref(), identity, context).await
        }
        Work::PrivacyCheck => check_all(config, identity, context).await,
        Work::PrivacyPurge => purge_all(config, identity, context).await,
        Work::Drill => rehearse(job, &config, identity, context).await,
    }
}

/// Rehearses what the plan of a job says.
async fn rehearse(
    job: &Job,
    config: &Config,
    identity: &IdentityOptions,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let missing = || CommandError::new(ErrorKind::Configuration, format!("the job {} has no plan", job.name));
    let file = job.plan_file(config).ok_or_else(missing)?;
    Box::pin(run_plan(&file, &Options::default(), identity, context)).await
}
