//! What to do next with a case, in words and as the command to type.

use chrono::NaiveDate;
use serde::Serialize;

use super::{Case, Stage, State};
use crate::privacy::right::Right;
use crate::privacy::rules::PauseKind;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The command to type; `None` where somebody else is to do something.
    pub command: Option<String>,
    /// What it does, or what is waited for.
    pub why: String,
}

/// Returns what to do next with a case.
pub fn next_command(case: &Case) -> Step {
    let (id, state) = (case.id(), case.state());
    let step = |command: &str, why: &str| Step {
        command: Some(format!("prismvault privacy {}", command.replace("CASE", id.as_str()))),
        why: why.to_owned(),
    };
    let wait = |why: String| Step { command: None, why };
    if state.blocked && !state.stage.is_closed() {
        return wait("the case is blocked; `prismvault privacy show` says why".to_owned());
    }
    if let Some((failed, _)) = state.error.as_ref().filter(|_| !state.stage.is_closed()) {
        return wait(format!("the step {failed} failed and is to be tried again"));
    }
    if state.paused.contains(&PauseKind::Clarification) && !state.stage.is_closed() {
        return step("resume CASE --on DATE", "when the person has answered what the request is about");
    }
    match state.stage {
        Stage::Received => step("letter CASE receipt", "tell the person that the request came"),
        Stage::Acknowledged => step(
            "identity CASE --verified --method HOW --result WHAT",
            "record that the person is who they say, or ask with --ask",
        ),
        Stage::IdentityPending => {
            step("identity CASE --verified --method HOW --result WHAT", "when the person has answered")
        }
        Stage::IdentityVerified | Stage::Scoping if case.subject().is_none() => {
            step("subject CASE --from FILE", "say by what the person is known")
        }
        Stage::IdentityVerified | Stage::Scoping => {
            step("search CASE", "look for the person in every snapshot")
        }
        Stage::Searching => step("search CASE", "look for the person in every snapshot"),
        Stage::Review if state.open_findings + state.unsure > 0 => {
            step("review CASE", "decide what of it is the person")
        }
        Stage::Review => step("review CASE --finish", "everything is decided"),
        Stage::LegalAssessment | Stage::Responding if is_wanted(state, Right::Access) => {
            step("export CASE --right access --to DIRECTORY", "make the copy for the person, and read it")
        }
        Stage::LegalAssessment | Stage::Responding if is_wanted(state, Right::Portability) => step(
            "export CASE --right portability --portability-note FILE --to DIRECTORY",
            "make the data that the person provided ready for use elsewhere",
        ),
        Stage::LegalAssessment => {
            step("assess CASE --note TEXT", "exceptions and the rights of others are to be looked at")
        }
        Stage::AwaitingApproval
        | Stage::Approved
        | Stage::CoolingOff
        | Stage::Executing
        | Stage::Verifying
        | Stage::NotifyingRecipients => of_plan(state, step, wait),
        Stage::Responding if !state.answered => step("letter CASE answer", "answer the person"),
        Stage::Responding if has_open_tasks(state) => of_tasks(state, step),
        Stage::Responding if state.is_held() => step(
            "close CASE --with-retention GROUND --reason WHY",
            "the person has the answer, and something is under hold",
        ),
        Stage::Responding => step("close CASE", "the person has the answer"),
        Stage::Completed
        | Stage::CompletedWithRetention
        | Stage::PartiallyCompleted
        | Stage::IdentityFailed
        | Stage::Refused
        | Stage::Withdrawn
        | Stage::Duplicate
        | Stage::Expired => match case.keep_until() {
            Some(day) => wait(format!("the case is closed; its file is kept until {day}")),
            None => wait("the case is closed".to_owned()),
        },
    }
}

/// What to do next about the plan.
fn of_plan(state: &State, step: impl Fn(&str, &str) -> Step, wait: impl Fn(String) -> Step) -> Step {
    match state.stage {
        Stage::AwaitingApproval => match &state.plan {
            None => step("plan CASE", "say what is to become of everything that was found"),
            Some(plan) => {
                let why = match plan.missing() {
                    1 => "one more person is to approve the plan, with a key of their own".to_owned(),
                    missing => {
                        format!("{missing} more people are to approve the plan, each with their own key")
                    }
                };
                Step { why, ..step("approve CASE", "") }
            }
        },
        Stage::Approved | Stage::CoolingOff => match state.not_before {
            Some(day) => wait(format!("the plan is carried out from {day} on")),
            None => step("erase CASE", "carry out the plan, which is approved"),
        },
        Stage::Executing if state.live_done => step(
            "erase CASE",
            "go on with carrying out the plan; what is left to people in Prismic can be done meanwhile: `tasks` lists it",
        ),
        Stage::Executing => step("erase CASE", "go on with carrying out the plan"),
        Stage::Verifying => step("erase CASE", "look whether it did what it was to"),
        _ if state.verified.is_some_and(|seen| !seen.is_clean()) => step(
            "erase CASE",
            "something is left: do the tasks that it and `tasks` name, then look again; answer the person in time all the same",
        ),
        _ if has_open_tasks(state) && state.tasks_told => of_tasks(state, step),
        _ => {
            let why = "tell everybody who got the data from you, and record how many that were";
            // Prismic's support may take longer than recipients and the person may be kept waiting.
            let tasks = has_open_tasks(state).then(|| format!("{why}; {}", of_tasks(state, &step).why));
            step("recipients CASE --told NUMBER", tasks.as_deref().unwrap_or(why))
        }
    }
}

/// Whether tasks for people were open when it was looked last.
fn has_open_tasks(state: &State) -> bool {
    state.verified.is_some_and(|seen| seen.tasks > 0)
}

/// What to do next about tasks for people.
fn of_tasks(state: &State, step: impl Fn(&str, &str) -> Step) -> Step {
    if state.tasks_told {
        return step("erase CASE", "look again: people say that they did more of the tasks");
    }
    let open = match state.verified.map_or(0, |seen| seen.tasks) {
        1 => "1 task for people is open".to_owned(),
        open => format!("{open} tasks for people are open"),
    };
    step(
        "tasks CASE",
        &format!("{open}: `tasks` lists what to do, and marks with --done what nobody can see"),
    )
}

/// Whether a package is asked for and not made yet.
fn is_wanted(state: &State, right: Right) -> bool {
    !state.answered && state.rights.contains(&right) && !state.exported.contains(&right)
}

/// How pressing a case is on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// The day has passed.
    Overdue,
    /// It is near.
    Soon,
    /// There is time.
    Later,
}

/// Says how pressing a date is, `soon` days before it.
pub fn urgency(due: NaiveDate, today: NaiveDate, soon: u32) -> Urgency {
    match (due - today).num_days() {
        left if left < 0 => Urgency::Overdue,
        left if left <= i64::from(soon) => Urgency::Soon,
        _ => Urgency::Later,
    }
}
