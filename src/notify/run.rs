//! What is known of one run of a job, and how it ended.

use crate::clock::{Timestamp, rfc3339};
use crate::ids::Name;
use crate::schedule::Job;
use crate::status::{Alarm, Severity};

/// One run of a job.
#[derive(Debug, Clone, Copy)]
pub struct RunFacts<'a> {
    /// The job.
    pub job: &'a Job,
    /// Id of the run, as in its logs.
    pub run: &'a str,
    /// The time it is for.
    pub planned: Timestamp,
    /// When it began.
    pub began: Timestamp,
    /// 1 for the first try.
    pub attempt: u32,
    /// Whether no other attempt follows if this one fails: only then is a failure told.
    pub is_last: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// It ran; the exit code that the command would have ended with.
    Ended(u8),
    /// It ran, and found something that people have to do.
    Found {
        /// The exit code that the command would have ended with.
        exit_code: u8,
        /// What, in our own words: it is sent.
        what: String,
        /// What to do.
        next: String,
    },
    /// It was not begun.
    Stopped(Stopped),
}

/// A hook kept a run from beginning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the hook \"{hook}\" failed, and on_error = \"abort\" stops the run")]
pub struct Stopped {
    /// Name of the hook.
    pub hook: Name,
}

impl RunEnd {
    /// Whether everything was done, and complete.
    pub fn is_well(&self) -> bool {
        *self == Self::Ended(0)
    }

    /// Returns the exit code; that of a run that was not begun is 5, refused.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Ended(code) | Self::Found { exit_code: code, .. } => *code,
            Self::Stopped(_) => 5,
        }
    }

    /// Returns the alarm that this end is; `None` when all is well.
    pub fn alarm(&self, facts: &RunFacts<'_>) -> Option<Alarm> {
        let job = facts.job;
        let again = format!("prismvault jobs run {}", job.name);
        let (severity, how, next) = match self {
            Self::Ended(0) => return None,
            Self::Ended(2) => (
                Severity::Critical,
                "could not begin: its configuration has a mistake",
                "prismvault jobs check",
            ),
            Self::Ended(3) => (
                Severity::Warning,
                "is incomplete: the source or a replica did not give everything",
                "prismvault list",
            ),
            Self::Ended(4) => (
                Severity::Critical,
                "found damage: something is missing or not authentic",
                "prismvault repair --dry-run",
            ),
            Self::Ended(5) => (Severity::Critical, "was refused by a safety rule", again.as_str()),
            Self::Ended(6) => (Severity::Warning, "misses an objective", "prismvault status"),
            Self::Ended(130) => {
                (Severity::Critical, "was stopped before its end, because it took too long", again.as_str())
            }
            Self::Ended(_) => (Severity::Critical, "failed", again.as_str()),
            Self::Found { next, .. } => (Severity::Warning, "ended", next.as_str()),
            Self::Stopped(_) => (Severity::Critical, "was not begun, because a hook failed", again.as_str()),
        };
        let what = match self {
            Self::Found { what, .. } => format!("job {} ({}): {what}", job.name, of(job)),
            _ => format!("job {} ({}) {how}, exit code {}", job.name, of(job), self.exit_code()),
        };
        Some(Alarm {
            key: format!("job/{}", job.name),
            severity,
            repository: only_repository(job),
            what,
            since: Some(facts.began),
            next: next.to_owned(),
        })
    }
}

impl RunFacts<'_> {
    /// What hooks are told by their environment.
    pub(super) fn environment(&self, event: &str, end: Option<&RunEnd>) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("PRISMVAULT_EVENT", event.to_owned()),
            ("PRISMVAULT_JOB", self.job.name.to_string()),
            ("PRISMVAULT_DOES", self.job.work.word().to_owned()),
            ("PRISMVAULT_REPOSITORIES", selectors(self.job)),
            ("PRISMVAULT_RUN", self.run.to_owned()),
            ("PRISMVAULT_PLANNED", rfc3339(self.planned)),
            ("PRISMVAULT_ATTEMPT", self.attempt.to_string()),
        ];
        if let Some(end) = end {
            facts.push(("PRISMVAULT_EXIT_CODE", end.exit_code().to_string()));
        }
        facts
    }
}

fn selectors(job: &Job) -> String {
    job.repositories.iter().map(|selector| selector.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn of(job: &Job) -> String {
    match only_repository(job) {
        Some(_) => job.work.word().to_owned(),
        None => format!("{} of {}", job.work.word(), selectors(job)),
    }
}

/// The repository of a job that is for one.
fn only_repository(job: &Job) -> Option<Name> {
    match job.repositories.as_slice() {
        [one] if one.text != "*" => one.text.parse().ok(),
        _ => None,
    }
}
