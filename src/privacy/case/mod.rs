//! The case of a data-subject request, as the events that happened to it.
//!
//! Nothing of a case is stored but its events, signed and in order; state, due date and what to do
//! next are computed from them each time. So nobody can change a due date: only record what moves
//! it, with the reason.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`event`] | what can happen, as it is stored |
//! | [`kind`] | the same without its contents |
//! | [`stage`] | how far a case got, and what leads where |
//! | [`state`] | the transition function |
//! | [`guide`] | what to do next, for people |

pub mod event;
pub mod guide;
pub mod kind;
pub mod stage;
pub mod state;
#[cfg(test)]
mod tests;

use std::fmt;

use chrono::{Days, NaiveDate};

pub use event::{CaseFiles, Event, IdentityCheck, SubjectValue, What};
pub use kind::Kind;
pub use stage::Stage;
pub use state::{Illegal, State, next};

use crate::clock::{Timestamp, rfc3339};
use crate::ids::CaseId;
use crate::privacy::right::Right;
use crate::privacy::rules::{self, ClockEvents, Due, NoRules, Pause, PauseKind, Rules};

/// Most events of a case: a person who decides a finding a minute for a month records fewer.
pub const EVENTS_MAX: usize = 20_000;
/// Longest name of who records something, in characters.
const ACTOR_MAX: usize = 200;
/// Earliest year of receipt that is believed.
const YEAR_MIN: i32 = 2018;

/// Why an event cannot be taken into a case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    /// The state does not allow it.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// It says to be from before the event before it: a clock was turned back.
    #[error("it is dated {at}, before the last entry of the case, which is of {last}")]
    ClockTurnedBack {
        /// What it says.
        at: String,
        /// The event before it.
        last: String,
    },
    /// It lacks something, or says something that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// No rules fit.
    #[error(transparent)]
    NoRules(#[from] NoRules),
}

impl CaseError {
    /// Returns what to do next, in words.
    pub fn next_step(&self) -> Option<String> {
        match self {
            Self::Illegal(illegal) => Some(format!("what is possible now: {}", illegal.instead())),
            Self::ClockTurnedBack { .. } => {
                Some("set the clock of this machine right, then run the same again".to_owned())
            }
            Self::Invalid(_) => None,
            Self::NoRules(_) => {
                let names: Vec<String> = rules::names().into_iter().map(|(name, _)| name).collect();
                Some(format!("choose one of {}", names.join(", ")))
            }
        }
    }
}

/// A case.
#[derive(Clone)]
pub struct Case {
    id: CaseId,
    events: Vec<Event>,
    state: State,
    rules: Rules,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({}, {}, {} events)", self.id, self.state.stage, self.events.len())
    }
}

impl Case {
    /// Opens a case by its first event, [`What::Received`].
    ///
    /// # Errors
    ///
    /// [`CaseError`], when the event is another or lacks something.
    pub fn open(id: CaseId, received: Event) -> Result<Self, CaseError> {
        let What::Received { on, rights, rules, .. } = &received.what else {
            return Err(CaseError::Invalid("a case begins with the receipt of a request".to_owned()));
        };
        check(&received)?;
        if rights.is_empty() || rights.iter().enumerate().any(|(at, right)| rights[..at].contains(right)) {
            return Err(CaseError::Invalid(
                "a request is for at least one right, and for none twice".to_owned(),
            ));
        }
        if chrono::Datelike::year(on) < YEAR_MIN {
            return Err(CaseError::Invalid(format!("a request cannot have been received on {on}")));
        }
        check_day(&received, *on, None)?;
        let rules = rules::profile(rules, *on)?;
        let state = State::received(rights.clone());
        Ok(Self { id, events: vec![received], state, rules })
    }

    /// Returns the case to which these events happened, in order.
    ///
    /// # Errors
    ///
    /// [`CaseError`] of the first event that does not fit.
    pub fn from_events(id: CaseId, events: impl IntoIterator<Item = Event>) -> Result<Self, CaseError> {
        let mut events = events.into_iter();
        let first =
            events.next().ok_or_else(|| CaseError::Invalid("a case has at least one entry".to_owned()))?;
        let mut case = Self::open(id, first)?;
        for event in events {
            case.apply(event)?;
        }
        Ok(case)
    }

    /// The files that count now: each as the last event that says something of it names it.
    pub fn files(&self) -> CaseFiles {
        self.events.iter().fold(CaseFiles::default(), |files, event| event.what.files().or(files))
    }

    /// Takes in an event.
    ///
    /// # Errors
    ///
    /// [`CaseError`]; the case is as it was then.
    pub fn apply(&mut self, event: Event) -> Result<(), CaseError> {
        let last = self.events.last().map(|last| last.at).unwrap_or_default();
        if event.at < last {
            return Err(CaseError::ClockTurnedBack { at: rfc3339(event.at), last: rfc3339(last) });
        }
        if self.events.len() >= EVENTS_MAX {
            return Err(CaseError::Invalid(format!("a case has at most {EVENTS_MAX} entries")));
        }
        check(&event)?;
        if let Some(day) = event.what.day() {
            check_day(&event, day, Some(self))?;
        }
        self.state = next(self.state.clone(), &event)?;
        self.events.push(event);
        Ok(())
    }

    /// Its id.
    pub fn id(&self) -> &CaseId {
        &self.id
    }

    /// What happened, oldest first.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Its state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The rules that apply: those of the day on which the request was received.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is asked for.
    pub fn rights(&self) -> &[Right] {
        &self.state.rights
    }

    /// The day on which the request was received.
    pub fn received_on(&self) -> NaiveDate {
        self.events[0].what.day().unwrap_or_default()
    }

    /// Language of letters to the person.
    pub fn language(&self) -> &str {
        match &self.events[0].what {
            What::Received { language, .. } => language,
            _ => "en",
        }
    }

    /// Who said last that a task of the plan is done, and when; `None`: nobody did, or it is open again.
    pub fn task_done(&self, task: &str) -> Option<(&str, Timestamp)> {
        let at = *self.state.tasks_done.get(task)?;
        let said =
            |event: &&Event| matches!(&event.what, What::TaskDone { tasks, .. } if tasks.contains(task));
        self.events.iter().rev().find(said).map(|event| (event.actor.as_str(), at))
    }

    /// By what the person is known, as it was said last.
    pub fn subject(&self) -> Option<&SubjectValue> {
        self.events.iter().rev().find_map(|event| match &event.what {
            What::SubjectChanged { subject } => Some(subject),
            _ => None,
        })
    }

    /// Returns what moves the clock.
    pub fn clock(&self) -> ClockEvents {
        let mut clock = ClockEvents {
            received: self.received_on(),
            rights: self.rights().to_vec(),
            extension_told: None,
            pauses: Vec::new(),
        };
        for event in &self.events {
            match &event.what {
                What::Extended { told_on } => clock.extension_told = Some(*told_on),
                What::IdentityAsked { on } => start(&mut clock.pauses, PauseKind::Identity, *on),
                What::IdentityVerified(check) | What::IdentityFailed(check) => {
                    end(&mut clock.pauses, PauseKind::Identity, check.on);
                }
                What::Paused { kind, on } => start(&mut clock.pauses, *kind, *on),
                What::Resumed { kind, on } => end(&mut clock.pauses, *kind, *on),
                _ => {}
            }
        }
        clock
    }

    /// Returns until when it must be answered, and why.
    pub fn due(&self) -> Due {
        self.rules.due(&self.clock())
    }

    /// Whether an answer is still owed.
    pub fn is_owed(&self) -> bool {
        !self.state.stage.is_closed() && !self.state.answered
    }

    /// When it was closed last; `None` while it is open.
    pub fn closed_at(&self) -> Option<Timestamp> {
        if !self.state.stage.is_closed() {
            return None;
        }
        let closes = |kind: Kind| {
            matches!(
                kind,
                Kind::Completed
                    | Kind::CompletedWithRetention
                    | Kind::PartiallyCompleted
                    | Kind::IdentityFailed
                    | Kind::Refused
                    | Kind::Withdrawn
                    | Kind::DuplicateOf
                    | Kind::Expired
            )
        };
        self.events.iter().rev().find(|event| closes(event.what.kind())).map(|event| event.at)
    }

    /// Until when its file is kept by the rules; `None` while it is open.
    pub fn keep_until(&self) -> Option<NaiveDate> {
        self.closed_at().map(|at| self.rules.keep_until(at.date_naive()))
    }
}

fn start(pauses: &mut Vec<Pause>, kind: PauseKind, from: NaiveDate) {
    pauses.push(Pause { kind, from, to: None });
}

fn end(pauses: &mut [Pause], kind: PauseKind, on: NaiveDate) {
    if let Some(pause) = pauses.iter_mut().rev().find(|pause| pause.kind == kind && pause.to.is_none()) {
        pause.to = Some(on.max(pause.from));
    }
}

/// Checks what every event needs.
fn check(event: &Event) -> Result<(), CaseError> {
    let invalid = |why: String| Err(CaseError::Invalid(why));
    let actor = event.actor.trim();
    if actor.is_empty() || actor.chars().count() > ACTOR_MAX || actor.chars().any(char::is_control) {
        return invalid(format!("who records it is one line of 1 to {ACTOR_MAX} characters"));
    }
    let kind = event.what.kind();
    let reason = event.reason.as_deref();
    if kind.needs_reason() && reason.is_none_or(|reason| reason.trim().is_empty()) {
        return invalid(format!("to {} needs a reason", kind.words()));
    }
    let texts = event.what.texts().into_iter().chain(reason);
    for text in texts {
        if text.trim().is_empty() || text.chars().count() > event::TEXT_MAX {
            return invalid(format!("a text has 1 to {} characters", event::TEXT_MAX));
        }
    }
    if let Some(tasks) = event.what.tasks()
        && (tasks.is_empty()
            || tasks.len() > event::TASKS_MAX
            || !tasks.iter().all(|id| event::is_task_id(id)))
    {
        return invalid(format!(
            "tasks are named by 1 to {} ids of 16 hexadecimal digits, as `privacy tasks` shows them",
            event::TASKS_MAX
        ));
    }
    if let What::SubjectChanged { subject } = &event.what
        && subject.0.to_string().len() > event::SUBJECT_BYTES_MAX
    {
        return invalid(format!(
            "the identifiers of a person have at most {} bytes",
            event::SUBJECT_BYTES_MAX
        ));
    }
    Ok(())
}

/// Checks a day that somebody typed: not in the future, and not before the request. In the easternmost
/// time zone it is tomorrow already.
fn check_day(event: &Event, day: NaiveDate, case: Option<&Case>) -> Result<(), CaseError> {
    let tomorrow = event.at.date_naive().checked_add_days(Days::new(1));
    if tomorrow.is_none_or(|tomorrow| day > tomorrow) {
        return Err(CaseError::Invalid(format!("{day} is in the future")));
    }
    let Some(case) = case else { return Ok(()) };
    if day < case.received_on() {
        let received = case.received_on();
        return Err(CaseError::Invalid(format!("{day} is before the request was received, on {received}")));
    }
    let ends = match &event.what {
        What::Resumed { kind, .. } => Some(*kind),
        What::IdentityVerified(_) | What::IdentityFailed(_) => Some(PauseKind::Identity),
        _ => None,
    };
    let clock = case.clock();
    let asked = clock.pauses.iter().filter(|pause| pause.to.is_none() && Some(pause.kind) == ends);
    match asked.map(|pause| pause.from).max().filter(|from| day < *from) {
        Some(from) => Err(CaseError::Invalid(format!("{day} is before the person was asked, on {from}"))),
        None => Ok(()),
    }
}
