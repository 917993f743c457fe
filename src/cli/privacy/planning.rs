//! What `plan`, `approve` and `erase` share: what a plan is made from, and how it is shown.

use std::sync::Arc;

use serde::Serialize;

use super::sources::Sources;
use super::subject::subject_of;
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::output::Page;
use crate::cli::session::Session;
use crate::cli::units::counted;
use crate::ids::{CaseId, Digest, Name};
use crate::privacy::erasure::again::{Basis, made_again};
use crate::privacy::erasure::live::{Doer, LiveAction, LiveStep};
use crate::privacy::erasure::plan::{Held, Plan, PlanError, holds_of_another, own_holds};
use crate::privacy::found;
use crate::privacy::matching::Matcher;
use crate::privacy::proof::ProofError;
use crate::privacy::review::Review;
use crate::privacy::search::SearchReport;
use crate::privacy::store::{StoredCase, load_all};
use crate::vault::erasure::replacements::NewItem;
use crate::vault::error::{ErrorKind as VaultErrorKind, VaultError};
use crate::vault::format::order::Change;

/// Lines of one kind that are shown; all stand in the plan.
const SHOWN_MAX: usize = 30;

/// What a plan is made from: what was found, what was decided, and where items are read again.
pub(super) struct Ground {
    pub(super) report: SearchReport,
    pub(super) review: Review,
    pub(super) matcher: Arc<Matcher>,
    pub(super) sources: Arc<Sources>,
    /// Holds of the case, and those of other open cases on items.
    pub(super) held: Vec<Held>,
}

impl Ground {
    pub(super) async fn load(
        session: &Session,
        stored: &StoredCase,
        context: &Context,
    ) -> Result<Self, CommandError> {
        let report = found::load_last(&session.vault, stored).await?;
        let sources = Sources::to_change(session, context, &report).await?;
        let (others, problems) = load_all(&session.vault).await?;
        // One that cannot be read may hold something: nothing is planned until it can.
        if let Some(problem) = problems.first() {
            let why = format!("{} cannot be read, and may hold what the plan changes", problem.subject);
            return Err(CommandError::new(ErrorKind::Failed, why).hint(problem.detail.clone()));
        }
        Self::with(session, stored, &others, Arc::new(sources)).await
    }

    /// The same, where sources and all cases were loaded before.
    pub(super) async fn with(
        session: &Session,
        stored: &StoredCase,
        cases: &[StoredCase],
        sources: Arc<Sources>,
    ) -> Result<Self, CommandError> {
        Ok(Self {
            report: found::load_last(&session.vault, stored).await?,
            review: Review::load(&session.vault, stored).await?,
            matcher: Arc::new(Matcher::new(&subject_of(&stored.case)?, &[])),
            held: held(session, stored, cases).await?,
            sources,
        })
    }

    /// SHA-256 of what was found, and of what was decided.
    pub(super) fn files(&self) -> (Digest, Digest) {
        (found::digest(&self.report), self.review.digest())
    }

    /// Makes a plan again; refused when it would be another.
    pub(super) async fn require_unchanged(
        &self,
        plan: &Plan,
        session: &Session,
        context: &Context,
        store: impl FnMut(&Name, NewItem),
    ) -> Result<(), CommandError> {
        let decisions = |found: &_, finding: &_| self.review.of(found, finding);
        let can_write = |name: &Name| {
            let mut all = session.config.repositories.iter();
            all.any(|own| own.name == *name && own.write_token.is_some())
        };
        let sees_live = plan.live.iter().all(|step| can_write(&step.repository));
        let basis = Basis {
            report: &self.report,
            decisions: &decisions,
            files: self.files(),
            held: &self.held,
            sees_live,
        };
        let live = self.sources.live();
        let again = self.sources.again(session, context, &live);
        let made = Box::pin(made_again(plan, &basis, &again, &self.matcher, store)).await;
        made.map_err(|error| of_plan(error, &plan.case))
    }
}

/// The holds that count for a plan of a case: its own, and those of every other.
async fn held(
    session: &Session,
    stored: &StoredCase,
    cases: &[StoredCase],
) -> Result<Vec<Held>, CommandError> {
    let vault = &session.vault;
    let mut held = own_holds(&stored.case);
    let others = cases.iter().filter(|other| other.case.id() != stored.case.id());
    for other in others.filter(|other| other.case.state().is_held()) {
        let found = match found::load_last(vault, other).await {
            Ok(found) => Some(found),
            Err(error) if error.kind == VaultErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        held.extend(holds_of_another(&other.case, found.as_ref()));
    }
    Ok(held)
}

/// Says what to do about a plan that cannot be made.
pub(super) fn of_plan(error: PlanError, case: &CaseId) -> CommandError {
    let hint = error.next_step().map(|hint| hint.replace("CASE", case.as_str()));
    let problems: Vec<String> = match &error {
        PlanError::Changed(problems) => {
            problems.iter().take(SHOWN_MAX).map(|own| format!("{}: {}", own.subject, own.detail)).collect()
        }
        _ => Vec::new(),
    };
    let hint = problems.into_iter().chain(hint).collect::<Vec<_>>().join("\n");
    let error = match error {
        PlanError::Restore(error) => return error.into(),
        PlanError::Corrections(_) | PlanError::Nowhere(_) => CommandError::new(ErrorKind::Usage, error),
        other => CommandError::new(ErrorKind::Refused, other),
    };
    if hint.is_empty() { error } else { error.hint(hint) }
}

/// What a plan comes to.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) plan: Digest,
    pub(super) masked: u64,
    pub(super) removed: u64,
    pub(super) corrected: u64,
    pub(super) restricted: u64,
    pub(super) lifted: u64,
    pub(super) kept: u64,
    pub(super) left: u64,
    pub(super) live: u64,
    pub(super) unsearchable: u64,
    pub(super) orders: u64,
}

impl Summary {
    pub(super) fn of(plan: &Plan, orders: usize) -> Self {
        let count = |change| plan.items.iter().filter(|item| item.change == change).count() as u64;
        Self {
            plan: plan.hash(),
            masked: count(Change::Masked),
            removed: count(Change::Removed),
            corrected: count(Change::Corrected),
            restricted: count(Change::Restricted),
            lifted: plan.lifts.len() as u64,
            kept: plan.kept.len() as u64,
            left: plan.left.len() as u64,
            live: plan.live.len() as u64,
            unsearchable: plan.unsearchable,
            orders: orders as u64,
        }
    }
}

/// Shows what is to become of everything.
pub(super) fn plan_page(plan: &Plan, summary: &Summary, is_encrypted: bool, all: bool) -> Page {
    let most = if all { usize::MAX } else { SHOWN_MAX };
    let mut page = Page::new().line(format!("Plan {} of case {}", summary.plan, plan.case));
    page = page.line(format!(
        "In the vault: {} masked, {} corrected, {} removed, {} restricted, {} lifted",
        counted(summary.masked, "item"),
        summary.corrected,
        summary.removed,
        summary.restricted,
        counted(summary.lifted, "restriction")
    ));
    for item in plan.items.iter().take(most) {
        let verb = match item.change {
            Change::Masked => "mask",
            Change::Removed => "remove",
            Change::Corrected => "correct",
            Change::Restricted => "restrict",
        };
        let path = item.paths.first().map_or("an item in no snapshot any more", String::as_str);
        page = page.line(format!("  {verb} {path}  {}", item.places.join(", ")));
    }
    page = more(page, plan.items.len(), most);
    if !plan.live.is_empty() {
        page = page.line(format!("Live in Prismic: {}", counted(summary.live, "step")));
        for step in plan.live.iter().take(most) {
            page = page.line(format!("  {}: {}  {}", step.repository, step.path, step_words(step)));
        }
        page = more(page, plan.live.len(), most);
    }
    if !plan.kept.is_empty() {
        page = page.line(format!("Kept, with a ground: {}", counted(summary.kept, "place")));
        for kept in plan.kept.iter().take(most) {
            page = page.line(format!("  {} {}: {}", kept.path, kept.place, kept.ground));
        }
        page = more(page, plan.kept.len(), most);
    }
    if !plan.left.is_empty() {
        page = page.line(format!("Left to people: {}", counted(summary.left, "item")));
        for left in plan.left.iter().take(most) {
            let place = if left.place.is_empty() { "" } else { " " };
            page = page.line(format!("  {}{place}{}: {}", left.path, left.place, left.why));
        }
        page = more(page, plan.left.len(), most);
    }
    if plan.unsearchable > 0 {
        page = page.line(format!("Could not be searched, and stays: {}", counted(plan.unsearchable, "part")));
    }
    if plan.idle_holds > 0 {
        page = page.line(format!("Holds that name nothing of what was found: {}", plan.idle_holds));
    }
    if let Some(over) = &plan.over_hold {
        page = page.line(format!(
            "Goes on although {} under hold have it: {}",
            counted(over.snapshots.len() as u64, "snapshot"),
            over.reason
        ));
    }
    if let Some(told) = plan.told {
        page = page.line(format!("The person was told on {told} that the restriction ends"));
    }
    if !plan.purpose.destroys() {
        return page.line("Nothing is destroyed");
    }
    match is_encrypted {
        true => page.line(
            "Packs that hold what is removed are made unreadable at once, also where a lock keeps their bytes for a while",
        ),
        false => page.line(
            "The vault is not encrypted: there is no key to destroy, so copies can be read until their bytes are deleted",
        ),
    }
}

/// What happens in a step: done by the program, or by people.
fn step_words(step: &LiveStep) -> &'static str {
    match &step.action {
        LiveAction::Put(_) => "written anew",
        LiveAction::Patch(_) => "its texts are changed",
        LiveAction::Delete(_) => "deleted",
        LiveAction::Follows { .. } => "follows from others",
        LiveAction::Task(task) => match task.code.doer() {
            Doer::Editor => "a task for an editor",
            Doer::Support => "a task for Prismic's support",
        },
    }
}

fn more(page: Page, count: usize, most: usize) -> Page {
    match count.saturating_sub(most) {
        0 => page,
        left => page.line(format!("  and {left} more: --all shows them")),
    }
}

impl From<ProofError> for CommandError {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Vault(error) => error.into(),
            ProofError::Restore(error) => error.into(),
            ProofError::Cancelled => VaultError::cancelled().into(),
            other @ ProofError::TooMany(_) => Self::new(ErrorKind::Refused, other),
        }
    }
}
