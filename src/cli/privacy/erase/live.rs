//! The live side: steps in Prismic are done, and looked at again.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::jobs::work::host;
use crate::cli::output::Page;
use crate::cli::privacy::planning::{Ground, of_plan};
use crate::cli::privacy::tasks::host_of;
use crate::cli::session::Session;
use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::privacy::channels::Bounds;
use crate::privacy::erasure::live::carry_out::{CarriedOut, Options, Outcome as StepOutcome};
use crate::privacy::erasure::live::look::Looked;
use crate::privacy::erasure::live::tasks::words;
use crate::privacy::erasure::live::{Correcting, Decisions, Live, LiveAction, LiveError, change_of};
use crate::privacy::erasure::plan::{Held, Plan, decided_under};
use crate::privacy::letters::Language;
use crate::privacy::proof::evidence::UrlEvidence;
use crate::vault::lease::Step;
use crate::vault::writing::{NotWritten, Writing};

/// What was seen live.
pub(super) struct SeenLive {
    pub(super) looked: Vec<Looked>,
    pub(super) urls: Vec<UrlEvidence>,
}

/// Does the steps of a plan in Prismic, under the lease of each repository that is written into; those that are
/// done are found so. Refused while another host is at it.
pub(super) async fn carry_out(
    plan: &Plan,
    ground: &Ground,
    publish: bool,
    session: &Session,
    context: &Context,
) -> Result<CarriedOut, CommandError> {
    let work = async |live: &Live<'_>| Box::pin(live.carry_out(&plan.live, Options { publish })).await;
    let written: BTreeSet<_> = plan
        .live
        .iter()
        .filter(|step| !matches!(step.action, LiveAction::Follows { .. } | LiveAction::Task(_)))
        .map(|step| &step.repository)
        .collect();
    let (lease_of, host) = (session.config.run.lease.as_deref(), host());
    // Nothing is lost where it is left: the same command goes on.
    let writing = Writing { vault: &session.vault, lease_of, host: &host, step: Step::Removes };
    let tell = |problem| context.progress.problem(&problem);
    let work = with_live(plan, ground, session, context, work);
    match Box::pin(writing.leased(&written, tell, work)).await {
        Ok(done) => done,
        Err(NotWritten::Other(other)) => {
            let hint = other.next_step();
            Err(CommandError::new(ErrorKind::Refused, other.to_string()).hint(hint))
        }
        Err(NotWritten::Lost(error)) => Err(error.into()),
    }
}

/// Reads everything live again, and asks the public addresses of files. `earlier` is what was seen of these before,
/// `said` what people said of tasks.
pub(super) async fn look(
    plan: &Plan,
    ground: &Ground,
    earlier: &[UrlEvidence],
    said: &BTreeMap<String, Timestamp>,
    session: &Session,
    context: &Context,
) -> Result<SeenLive, CommandError> {
    let now = session.vault.now();
    let work = async |live: &Live<'_>| {
        let urls = Box::pin(live.probe(&plan.live, earlier, now)).await;
        let looked = Box::pin(live.look(&plan.live, &urls, said, now)).await?;
        Ok(SeenLive { looked, urls })
    };
    with_live(plan, ground, session, context, work).await
}

/// Reads everything live again, for somebody who was erased; what people were to do is not asked.
pub(in crate::cli::privacy) async fn look_again(
    plan: &Plan,
    ground: &Ground,
    session: &Session,
    context: &Context,
) -> Result<Vec<Looked>, CommandError> {
    let now = session.vault.now();
    let work = async |live: &Live<'_>| Box::pin(live.look(&plan.live, &[], &BTreeMap::new(), now)).await;
    with_live(plan, ground, session, context, work).await
}

async fn with_live<T>(
    plan: &Plan,
    ground: &Ground,
    session: &Session,
    context: &Context,
    work: impl AsyncFnOnce(&Live<'_>) -> Result<T, LiveError>,
) -> Result<T, CommandError> {
    let unreadable = || CommandError::new(ErrorKind::Integrity, "the plan of the case has no seed");
    let Digest(seed) = plan.seed.parse().map_err(|_| unreadable())?;
    let reviewed = |found: &_, finding: &_| ground.review.of(found, finding);
    let held: &[Held] = if plan.purpose.destroys() { &ground.held } else { &[] };
    let decided = decided_under(held, &reviewed).map_err(|error| of_plan(error, &plan.case))?;
    let (bounds, sources) = (Bounds::default(), ground.sources.live());
    // Files and the like are tasks of the plan by now: which of them are clean is nobody's question any more.
    let corrections = plan.corrections.clone();
    let correcting = Correcting { corrections, bounds: bounds.clone(), ..Correcting::default() };
    let live = Live {
        sources: &sources,
        key: session.vault.item_key()?,
        matcher: &ground.matcher,
        bounds: &bounds,
        decisions: &Decisions::of(&ground.report, &decided),
        change: &change_of(plan.purpose, correcting, &ground.matcher, &bounds, seed),
        progress: &*context.progress,
        cancel: &context.cancel,
    };
    work(&live).await.map_err(|error| match error {
        LiveError::Cancelled => crate::vault::error::VaultError::cancelled().into(),
        other => CommandError::new(ErrorKind::Failed, other),
    })
}

/// Whether nothing is left that the same command would do.
pub(super) fn is_done(done: &CarriedOut) -> bool {
    let waits = |outcome: &StepOutcome| matches!(outcome, StepOutcome::Failed { .. } | StepOutcome::Staged);
    !done.steps.iter().any(|step| waits(&step.outcome))
}

/// What became of the steps.
pub(super) fn page(done: &CarriedOut) -> Page {
    let mut page = Page::new();
    for step in &done.steps {
        let what = match &step.outcome {
            StepOutcome::Done => "done",
            StepOutcome::Already => "done before",
            StepOutcome::Gone => "not live any more",
            StepOutcome::Staged => {
                "waits in the migration release: publish it in Prismic, or run this with --publish"
            }
            StepOutcome::Drifted => {
                "somebody changed it since the plan, so nothing was written: search and plan again"
            }
            StepOutcome::Failed { why } => why.as_str(),
            StepOutcome::ForOthers => continue,
        };
        page = page.line(format!("{} live, {}: {what}", step.repository, step.path));
    }
    done.problems.iter().fold(page, |page, own| page.line(format!("{}: {}", own.subject, own.detail)))
}

/// What is left to people, in words, with the id of each task; a line each.
pub(super) fn tasks(plan: &Plan, seen: &SeenLive, language: &str, session: &Session) -> Vec<String> {
    let language: Language = language.parse().unwrap_or(Language::En);
    let open: BTreeSet<&str> = seen.looked.iter().flat_map(|own| &own.open).map(String::as_str).collect();
    let mut lines = Vec::new();
    for step in plan.live.iter().filter(|step| open.contains(step.id().as_str())) {
        let Ok(Some(task)) = words(step, host_of(&step.repository, session), language) else { continue };
        lines.push(format!("Task {}: {}", task.id, task.title));
        lines.extend(task.text.lines().map(|line| format!("  {line}")));
    }
    lines
}
