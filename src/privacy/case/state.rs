//! The state machine of a case: one function, defined for every state and event.
//!
//! [`stage_after`] says for each stage and kind of event where it leads, or that it leads nowhere;
//! [`next`] adds the conditions that need more than the stage. What is not allowed is refused in
//! words that say what can be done instead.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::NaiveDate;
use serde::Serialize;

use super::event::{Event, What};
use super::kind::Kind;
use super::stage::{Stage, stage_after};
use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::privacy::right::Right;
use crate::privacy::rules::PauseKind;
use crate::vault::signing::VerifyingKey;

/// A hold of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HoldState {
    /// Whether it is on everything, not on an item.
    pub on_all: bool,
    /// Whether it is released.
    pub released: bool,
}

/// Until when copies in backups can survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Horizon {
    /// Until this day.
    Pending(NaiveDate),
    /// None is left.
    Reached,
}

/// What was seen when it was looked whether a plan did what it was to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Findings that were left.
    pub remaining: u64,
    /// Whether the scanner found what was planted for it.
    pub canary: bool,
    /// Whether everything could be looked at.
    pub whole: bool,
    /// Tasks for people that were open.
    pub tasks: u64,
}

impl Verification {
    /// Whether nothing was left, and that was seen. Tasks for people may be open all the same.
    pub fn is_clean(self) -> bool {
        self.remaining == 0 && self.canary && self.whole
    }
}

/// A plan that waits for approval, or has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanState {
    /// SHA-256 of the plan.
    pub hash: Digest,
    /// Orders of it.
    pub orders: u32,
    /// Approvals that it needs: of people other than who made it and who carries it out.
    pub approvals: u32,
    /// Who made it.
    pub by: String,
    /// Their key.
    pub key: VerifyingKey,
    /// Who approved it, by their keys.
    pub approved: BTreeMap<VerifyingKey, String>,
}

impl PlanState {
    /// Approvals that are missing.
    pub fn missing(&self) -> usize {
        // One at least, whatever the record says.
        (self.approvals.max(1) as usize).saturating_sub(self.approved.len())
    }

    fn has_approved(&self, actor: &str) -> bool {
        self.approved.values().any(|name| name == actor)
    }
}

/// The state of a case: how far it got, and what is beside that. No personal data but the names of who
/// approved.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct State {
    /// How far it got.
    pub stage: Stage,
    /// What is asked for.
    pub rights: Vec<Right>,
    /// Findings of which somebody is unsure.
    pub unsure: u64,
    /// Findings without a decision.
    pub open_findings: u64,
    /// Whether more time was taken.
    pub extended: bool,
    /// What the person was asked and did not answer yet.
    pub paused: BTreeSet<PauseKind>,
    /// Whether somebody blocked it.
    pub blocked: bool,
    /// The step that failed; whether trying again may help.
    pub error: Option<(String, bool)>,
    /// Holds, in the order in which they came.
    pub holds: Vec<HoldState>,
    /// The plan that is approved or to be.
    pub plan: Option<PlanState>,
    /// First day on which it may be carried out.
    pub not_before: Option<NaiveDate>,
    /// Whether stored data was changed.
    pub executed: bool,
    /// Whether all that this program does in Prismic was done, so that people can do what is left.
    pub live_done: bool,
    /// Tasks of the plan that people say are done, and when they said so last.
    pub tasks_done: BTreeMap<String, Timestamp>,
    /// Whether somebody said so since it was verified last.
    pub tasks_told: bool,
    /// What was seen when it was verified last.
    pub verified: Option<Verification>,
    /// For which rights a package with the person's data was made.
    pub exported: BTreeSet<Right>,
    /// Whether the person has the answer.
    pub answered: bool,
    /// Until when copies in backups can survive.
    pub horizon: Option<Horizon>,
    /// How often it was opened again.
    pub reopened: u32,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State({})", self.stage)
    }
}

/// Why an event is not allowed in a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not possible now to {}: {why}", kind.words())]
pub struct Illegal {
    /// Which kind of event.
    pub kind: Kind,
    /// Why not, in words.
    pub why: String,
    /// Which kinds of events lead on from here.
    pub possible: Vec<Kind>,
}

impl Illegal {
    /// Returns what can be done instead, in words.
    pub fn instead(&self) -> String {
        let words: Vec<&str> = self.possible.iter().map(|kind| kind.words()).collect();
        match &words[..] {
            [] => "nothing; use a newer prismvault".to_owned(),
            [one] => (*one).to_owned(),
            [most @ .., last] => format!("{} or {last}", most.join(", ")),
        }
    }
}

impl State {
    /// Returns the state of a case in which nothing happened but that it came.
    pub fn received(rights: Vec<Right>) -> Self {
        Self {
            stage: Stage::Received,
            rights,
            unsure: 0,
            open_findings: 0,
            extended: false,
            paused: BTreeSet::new(),
            blocked: false,
            error: None,
            holds: Vec::new(),
            plan: None,
            not_before: None,
            executed: false,
            live_done: false,
            tasks_done: BTreeMap::new(),
            tasks_told: false,
            verified: None,
            exported: BTreeSet::new(),
            answered: false,
            horizon: None,
            reopened: 0,
        }
    }

    /// Returns the kinds of events that lead somewhere from its stage.
    pub fn possible(&self) -> Vec<Kind> {
        let leads = |kind: &Kind| stage_after(self.stage, *kind).is_some();
        Kind::ALL.into_iter().filter(leads).collect()
    }

    /// Whether something is under hold.
    pub fn is_held(&self) -> bool {
        self.holds.iter().any(|hold| !hold.released)
    }
}

/// Returns the state after an event. Defined for every state and event.
///
/// # Errors
///
/// [`Illegal`], when the event is not allowed in this state.
pub fn next(mut state: State, event: &Event) -> Result<State, Illegal> {
    let kind = event.what.kind();
    let illegal = |state: &State, why: String| Illegal { kind, why, possible: state.possible() };
    let Some(stage) = stage_after(state.stage, kind) else {
        let why = match kind {
            Kind::Unknown => "the case holds an event that this prismvault does not know".to_owned(),
            Kind::Received => "the case is open already; another request is another case".to_owned(),
            _ => format!("the case {}", state.stage.words()),
        };
        return Err(illegal(&state, why));
    };
    let before = state.stage;
    if let Some(why) = condition(&state, event) {
        return Err(illegal(&state, why));
    }
    state.stage = stage;
    take(&mut state, event, before);
    Ok(state)
}

/// Why an event is not allowed although its kind is; `None`: it is.
fn condition(state: &State, event: &Event) -> Option<String> {
    let no = |why: &str| Some(why.to_owned());
    if leads_on(&event.what) && state.blocked {
        return no("the case is blocked; unblock it first");
    }
    if leads_on(&event.what) && state.error.is_some() {
        return no("a step failed and was not tried again");
    }
    if goes_back(&event.what)
        && let Some(why) = irrevocable(state)
    {
        return no(why);
    }
    match &event.what {
        What::ReviewFinished if state.unsure > 0 => {
            Some(format!("{} findings are marked as unsure; decide them first", state.unsure))
        }
        What::ReviewFinished if state.open_findings > 0 => {
            Some(format!("{} findings have no decision yet", state.open_findings))
        }
        What::LegalAssessed { changes: true, .. }
            if !state.rights.iter().any(|right| right.changes_data()) =>
        {
            no("the request asks for a copy only, so no stored data is to be changed")
        }
        What::Exported { right, .. } if right.changes_data() => {
            no("a package is made for access or portability")
        }
        What::Exported { right, .. } if !state.rights.contains(right) => {
            Some(format!("the person did not ask for {right}"))
        }
        What::Exported { .. } if state.unsure > 0 || state.open_findings > 0 => {
            no("not every finding is decided")
        }
        What::Approved { plan, key, signatures } => approving(state, event, (*plan, key, signatures.len())),
        What::CoolingOff { until } if *until <= event.at.date_naive() => no("that day has come already"),
        What::Executing { plan, orders, .. } => executing(state, event, *plan, orders.len()),
        What::Verified { .. } if !state.executed => no("nothing was carried out that could be verified"),
        What::TaskDone { plan, .. } => marking(state, *plan),
        What::TaskReopened { tasks } => {
            let unsaid = tasks.iter().find(|task| !state.tasks_done.contains_key(*task));
            unsaid.map(|task| format!("nobody said that task {task} is done"))
        }
        What::Completed | What::CompletedWithRetention { .. } | What::PartiallyCompleted { .. } => {
            completing(state, &event.what)
        }
        What::StepRetried => match &state.error {
            None => no("no step failed"),
            Some((_, false)) => no("trying again does not help; correct the plan or block the case"),
            Some((_, true)) => None,
        },
        What::HoldReleased { hold, new_case } => releasing(state, *hold, new_case.is_some()),
        What::Extended { .. } if state.extended => no("it was extended already, and that is possible once"),
        What::Paused { kind: PauseKind::Identity, .. } | What::Resumed { kind: PauseKind::Identity, .. } => {
            no("questions of identity have steps of their own")
        }
        What::Paused { kind, .. } if state.paused.contains(kind) => {
            no("the clock stands still for this already")
        }
        What::Resumed { kind, .. } if !state.paused.contains(kind) => {
            no("the clock does not stand still for this")
        }
        What::Blocked if state.blocked => no("it is blocked already"),
        What::Unblocked if !state.blocked => no("it is not blocked"),
        What::Refused { .. } | What::Withdrawn if state.executed => {
            no("stored data was changed already; close the case as completed or completed in part")
        }
        What::HorizonReached if !matches!(state.horizon, Some(Horizon::Pending(_))) => {
            no("no day was set until which copies survive")
        }
        _ => None,
    }
}

/// Whether an event waits for what blocks the case.
fn leads_on(what: &What) -> bool {
    matches!(
        what,
        What::Searched { .. }
            | What::ReviewFinished
            | What::LegalAssessed { .. }
            | What::Exported { .. }
            | What::Executing { .. }
            | What::Executed
            | What::Verified { .. }
            | What::RecipientsNotified { .. }
            | What::Completed
            | What::CompletedWithRetention { .. }
            | What::PartiallyCompleted { .. }
    )
}

/// Whether an event looks again at what was decided.
fn goes_back(what: &What) -> bool {
    matches!(
        what,
        What::SubjectChanged { .. }
            | What::Scoped { .. }
            | What::ReviewChanged { .. }
            | What::LegalAssessed { .. }
    )
}

/// Why nobody can go back to the search, the review or the assessment; `None`: one can.
fn irrevocable(state: &State) -> Option<&'static str> {
    match state.stage {
        Stage::Responding if state.executed => {
            Some("stored data was changed already; close the case, and open it again for what is new")
        }
        Stage::Responding if state.answered => {
            Some("the person has the answer; close the case, and open it again for what is new")
        }
        _ => None,
    }
}

fn releasing(state: &State, hold: u32, makes_request: bool) -> Option<String> {
    let no = |why: &str| Some(why.to_owned());
    let hold = usize::try_from(hold).ok().and_then(|hold| state.holds.get(hold.checked_sub(1)?));
    match hold {
        None => no("there is no hold with this number"),
        Some(hold) if hold.released => no("this hold is released already"),
        Some(_) if state.stage.is_closed() && !makes_request => {
            no("the case is closed, so what was held back needs a new request")
        }
        Some(_) if !state.stage.is_closed() && makes_request => {
            no("the case is open, so it goes on itself and needs no new request")
        }
        Some(_) => None,
    }
}

fn approving(
    state: &State,
    event: &Event,
    (plan, key, signatures): (Digest, &VerifyingKey, usize),
) -> Option<String> {
    let no = |why: &str| Some(why.to_owned());
    match &state.plan {
        None => no("there is no plan to approve; what was decided since made it void"),
        Some(own) if own.hash != plan => no("this is not the plan that waits for approval; look at it again"),
        Some(own) if own.key == *key || own.by == event.actor => {
            no("who made the plan does not approve it; another person is needed")
        }
        Some(own) if own.approved.contains_key(key) || own.has_approved(&event.actor) => {
            no("this person approved it already; another one is needed")
        }
        Some(own) if signatures != own.orders as usize + 1 => {
            no("the signatures are not those of this plan and its orders")
        }
        Some(_) => None,
    }
}

fn executing(state: &State, event: &Event, plan: Digest, orders: usize) -> Option<String> {
    let Some(own) = state.plan.as_ref().filter(|own| own.hash == plan) else {
        return Some("this is not the plan that was approved; ask for approval of this one".to_owned());
    };
    if state.holds.iter().any(|hold| hold.on_all && !hold.released) {
        return Some("the whole case is under hold".to_owned());
    }
    if own.has_approved(&event.actor) {
        return Some("who approved the plan must not carry it out".to_owned());
    }
    if let Some(day) = state.not_before.filter(|day| event.at.date_naive() < *day) {
        return Some(format!("it is to wait until {day}"));
    }
    if orders != own.orders as usize {
        return Some("the orders of the plan must be in the ledger of every replica first".to_owned());
    }
    None
}

/// Why nobody can say now that a task is done; `None`: they can.
fn marking(state: &State, plan: Digest) -> Option<String> {
    let no = |why: &str| Some(why.to_owned());
    match &state.plan {
        None => no("there is no plan with tasks"),
        Some(own) if own.hash != plan => no("this is not the plan that was carried out; look at its tasks"),
        // What Prismic's support erases before the last version was replaced, it erases too early.
        Some(_) if state.stage == Stage::Executing && !state.live_done => {
            no("what this program does in Prismic is not done yet, and what people do comes after it")
        }
        Some(_) => None,
    }
}

/// Whether the person asked for something by which their data goes.
fn is_to_go(state: &State) -> bool {
    state.rights.iter().any(|right| matches!(right, Right::Erasure | Right::Objection))
}

fn completing(state: &State, what: &What) -> Option<String> {
    let no = |why: &str| Some(why.to_owned());
    if !state.answered {
        return no("the person does not have the answer yet");
    }
    if state.unsure > 0 || state.open_findings > 0 {
        return no("not every finding is decided");
    }
    let packages = [Right::Access, Right::Portability];
    let missing =
        packages.into_iter().find(|right| state.rights.contains(right) && !state.exported.contains(right));
    match (what, state.verified) {
        (What::PartiallyCompleted { .. }, _) => None,
        (_, _) if missing.is_some() => Some(format!(
            "no copy for {} was made since findings were last decided; make it with `export`, or close the case with --partly where the person got it otherwise",
            missing.map_or("", Right::name)
        )),
        (_, None) if state.executed => no("what was done was not verified"),
        (_, Some(seen)) if !seen.canary => no("the check with a planted person failed"),
        (What::Completed, Some(seen)) if seen.remaining > 0 => {
            Some(format!("{} findings are still there", seen.remaining))
        }
        (What::Completed, Some(seen)) if !seen.whole => {
            no("not everything could be looked at when it was verified")
        }
        // Of what was only to be put right or kept from view, what is left to people is theirs to weigh.
        (What::Completed, Some(seen)) if seen.tasks > 0 && is_to_go(state) => Some(format!(
            "{} tasks for people were open when it was looked last; have them done and look again, or close the case with --partly",
            seen.tasks
        )),
        (What::Completed, _) if state.is_held() => {
            no("something is under hold, so it is completed with data that is kept")
        }
        _ => None,
    }
}

/// Forgets what people said of the tasks of a plan.
fn forget_tasks(state: &mut State) {
    state.live_done = false;
    state.tasks_done.clear();
    state.tasks_told = false;
}

/// Takes in what an allowed event says beside the stage.
fn take(state: &mut State, event: &Event, before: Stage) {
    if goes_back(&event.what) {
        // A plan is of what was decided then.
        state.plan = None;
        state.not_before = None;
        forget_tasks(state);
    }
    match &event.what {
        What::IdentityAsked { .. } => drop(state.paused.insert(PauseKind::Identity)),
        What::IdentityVerified(_) | What::IdentityFailed(_) | What::Expired => {
            state.paused.remove(&PauseKind::Identity);
        }
        What::SubjectChanged { .. } | What::Scoped { .. }
            if before == Stage::Review || before.is_revisable() =>
        {
            (state.unsure, state.open_findings) = (0, 0);
        }
        What::Searched { findings, .. } => {
            // Decisions are remembered elsewhere; how many still hold is said by `ReviewChanged`.
            (state.unsure, state.open_findings) = (0, *findings);
            // What was handed over is not what is found now.
            state.exported.clear();
        }
        What::ReviewChanged { unsure, open, .. } => {
            state.exported.clear();
            (state.unsure, state.open_findings) = (*unsure, *open);
        }
        What::LegalAssessed { changes: false, .. } => state.stage = Stage::Responding,
        What::Exported { right, .. } => drop(state.exported.insert(*right)),
        What::Answered { .. } => state.answered = true,
        What::StepFailed { step, retryable } => state.error = Some((step.clone(), *retryable)),
        What::StepRetried => state.error = None,
        What::Hold { item, .. } => {
            state.holds.push(HoldState { on_all: item.is_none(), released: false });
        }
        What::HoldReleased { hold, .. } => {
            let at = usize::try_from(*hold).unwrap_or(0).wrapping_sub(1);
            if let Some(hold) = state.holds.get_mut(at) {
                hold.released = true;
            }
        }
        What::Extended { .. } => state.extended = true,
        What::Paused { kind, .. } => drop(state.paused.insert(*kind)),
        What::Resumed { kind, .. } => drop(state.paused.remove(kind)),
        What::Blocked => state.blocked = true,
        What::Unblocked => state.blocked = false,
        What::Reopened => {
            let rights = std::mem::take(&mut state.rights);
            *state = State {
                stage: Stage::Scoping,
                extended: state.extended,
                paused: std::mem::take(&mut state.paused),
                holds: std::mem::take(&mut state.holds),
                reopened: state.reopened.saturating_add(1),
                ..State::received(rights)
            };
        }
        What::HorizonSet { until } => state.horizon = Some(Horizon::Pending(*until)),
        What::HorizonReached => state.horizon = Some(Horizon::Reached),
        _ => take_of_plan(state, event),
    }
}

/// Takes in what an allowed event says of the plan: approvals, carrying it out, what was seen and said of it.
fn take_of_plan(state: &mut State, event: &Event) {
    match &event.what {
        What::ApprovalRequested { plan, orders, approvals, planned_by, .. } => {
            state.plan = Some(PlanState {
                hash: *plan,
                orders: *orders,
                approvals: *approvals,
                by: event.actor.clone(),
                key: planned_by.clone(),
                approved: BTreeMap::new(),
            });
            state.not_before = None;
            // Each plan has its own: what was done for another says nothing of what came since.
            forget_tasks(state);
        }
        What::Approved { key, .. } => {
            if let Some(plan) = &mut state.plan {
                plan.approved.insert(key.clone(), event.actor.clone());
                if plan.missing() > 0 {
                    state.stage = Stage::AwaitingApproval;
                }
            }
        }
        What::CoolingOff { until } => state.not_before = Some(*until),
        What::Executing { live, .. } => {
            state.executed = true;
            state.live_done |= *live;
            // What is erased now is in copies again.
            state.horizon = state.horizon.filter(|horizon| *horizon != Horizon::Reached);
        }
        What::Verified { remaining, canary, whole, tasks, .. } => {
            let (remaining, canary, whole, tasks) = (*remaining, *canary, *whole, *tasks);
            state.verified = Some(Verification { remaining, canary, whole, tasks });
            state.tasks_told = false;
        }
        What::TaskDone { tasks, .. } => {
            state.tasks_done.extend(tasks.iter().map(|task| (task.clone(), event.at)));
            state.tasks_told = true;
        }
        What::TaskReopened { tasks } => {
            let before = state.tasks_done.len();
            state.tasks_done.retain(|task, _| !tasks.contains(task));
            let again = (before - state.tasks_done.len()) as u64;
            // What was verified with their word is not verified without it.
            if let Some(seen) = &mut state.verified {
                seen.tasks = seen.tasks.saturating_add(again);
            }
        }
        _ => {}
    }
}
