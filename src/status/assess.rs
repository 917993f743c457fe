//! What the facts mean: each repository against its objectives.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Serialize;

use super::alarms::{self, Alarm};
use super::awaited::Awaited;
use super::burn::unmet_share;
use super::confidence::{Confidence, confidence};
use super::facts::{Facts, JobFacts, RepositoryFacts};
use crate::clock::{Timestamp, human_duration};
use crate::config::{Objectives, Within};
use crate::ids::Name;
use crate::limits::Limits;

/// What the facts mean.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assessment {
    /// For which moment.
    pub at: Timestamp,
    /// One a repository, the worst first.
    pub repositories: Vec<Standing>,
    /// What somebody should know, the gravest first.
    pub alarms: Vec<Alarm>,
}

impl Assessment {
    /// Whether an objective is missed.
    pub fn is_missed(&self) -> bool {
        self.repositories.iter().any(|standing| standing.state == State::Missed)
    }
}

/// How a repository, or one objective of it, stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As promised.
    Ok,
    /// Nothing is promised, so nothing is judged.
    NotSet,
    /// Still as promised, or not known, and soon not unless something changes.
    AtRisk,
    /// Not as promised.
    Missed,
}

impl State {
    /// The words for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotSet => "not set",
            Self::AtRisk => "at risk",
            Self::Missed => "missed",
        }
    }
}

/// What can be promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// How old the newest complete snapshot may be.
    Rpo,
    /// How long a recovery may take.
    Rto,
    /// How long ago it may have been verified.
    VerifiedWithin,
    /// How long ago a recovery may have been rehearsed.
    DrilledWithin,
    /// How many replicas are to hold it.
    Copies,
}

impl Objective {
    /// Its key in `[objectives]`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rpo => "rpo",
            Self::Rto => "rto",
            Self::VerifiedWithin => "verified_within",
            Self::DrilledWithin => "drilled_within",
            Self::Copies => "copies",
        }
    }
}

/// One repository against its objectives.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// The repository.
    pub repository: Name,
    /// The worst of its objectives.
    pub state: State,
    /// Each objective that is set.
    pub objectives: Vec<Judged>,
    /// Age of its newest complete snapshot, in seconds.
    pub age_seconds: Option<i64>,
    /// Share (0 to 1) of the last 30 days in which its recovery point objective was not met;
    /// `None` without that objective, and without any snapshot.
    pub burn: Option<f64>,
    /// How far a restore of it can be trusted, with what that is made from.
    pub confidence: Confidence,
}

/// One objective, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// Which.
    pub objective: Objective,
    /// How it stands.
    pub state: State,
    /// What is promised, as the configuration says it.
    pub promised: String,
    /// What is the case, in words.
    pub found: String,
    /// What puts it at risk; empty for one that is not.
    pub why: String,
    /// Since when it is missed, where that is known.
    pub since: Option<Timestamp>,
    /// What is promised, in seconds, where it is a time.
    pub limit_seconds: Option<i64>,
}

impl Judged {
    fn new(objective: Objective, state: State, promised: impl ToString, found: impl Into<String>) -> Self {
        Self {
            objective,
            state,
            promised: promised.to_string(),
            found: found.into(),
            why: String::new(),
            since: None,
            limit_seconds: None,
        }
    }

    fn within(objective: Objective, state: State, within: &Within, found: impl Into<String>) -> Self {
        let limit_seconds = Some(within.length().num_seconds());
        Self { limit_seconds, ..Self::new(objective, state, within, found) }
    }

    fn because(self, why: impl Into<String>) -> Self {
        Self { why: why.into(), ..self }
    }

    fn since(self, since: Option<Timestamp>) -> Self {
        Self { since, ..self }
    }
}

/// Judges the facts. Pure: the same facts at the same moment mean the same.
///
/// `objectives` are those of the repositories by name; one that is not there promises nothing.
pub fn assess(
    facts: &Facts,
    objectives: &BTreeMap<Name, Objectives>,
    limits: &Limits,
    now: Timestamp,
) -> Assessment {
    let none = Objectives::default();
    let mut repositories: Vec<Standing> = facts
        .repositories
        .iter()
        .map(|own| standing(facts, own, objectives.get(&own.repository).unwrap_or(&none), limits, now))
        .collect();
    let alarms = alarms::raise(facts, &repositories, limits, now);
    // Stable: of two that stand alike, the one to be recovered first comes first.
    repositories.sort_by_key(|standing| {
        let missed = standing.objectives.iter().filter(|judged| judged.state == State::Missed).count();
        std::cmp::Reverse((standing.state, missed))
    });
    Assessment { at: now, repositories, alarms }
}

fn standing(
    facts: &Facts,
    own: &RepositoryFacts,
    promised: &Objectives,
    limits: &Limits,
    now: Timestamp,
) -> Standing {
    let mut objectives = Vec::new();
    objectives.extend(promised.rpo.as_ref().map(|rpo| judge_rpo(facts, own, rpo, limits, now)));
    objectives.extend(promised.rto.as_ref().map(|rto| judge_rto(own, rto)));
    objectives.extend(
        promised.verified_within.as_ref().map(|within| judge_verified(facts, own, within, limits, now)),
    );
    objectives.extend(
        promised.drilled_within.as_ref().map(|within| judge_drilled(facts, own, within, limits, now)),
    );
    objectives.extend(promised.copies.map(|copies| judge_copies(facts, own, copies)));
    let window = TimeDelta::from_std(limits.burn_window).unwrap_or(TimeDelta::MAX);
    Standing {
        repository: own.repository.clone(),
        state: objectives.iter().map(|judged| judged.state).max().unwrap_or(State::NotSet),
        objectives,
        age_seconds: own
            .last_complete
            .as_ref()
            .map(|last| now.signed_duration_since(last.taken).num_seconds()),
        confidence: confidence(facts, own, promised, now),
        burn: promised.rpo.as_ref().and_then(|rpo| unmet_share(&own.points, rpo.length(), now, window)),
    }
}

/// Says that something is so long ago.
fn ago(span: TimeDelta) -> String {
    format!("{} ago", in_words(span))
}

/// Writes a span for people; one that is negative (a clock was set) is none.
pub(super) fn in_words(span: TimeDelta) -> String {
    human_duration(span.to_std().unwrap_or_default())
}

/// Judges something that has to happen again within a time. `last`: when it last did.
fn judge_age(
    objective: Objective,
    within: &Within,
    last: Option<Timestamp>,
    never: &str,
    risk: impl FnOnce(Timestamp) -> Option<String>,
    now: Timestamp,
) -> Judged {
    let Some(last) = last else {
        return Judged::within(objective, State::Missed, within, never);
    };
    let deadline = last.checked_add_signed(within.length()).unwrap_or(Timestamp::MAX_UTC);
    let found = ago(now.signed_duration_since(last));
    if now > deadline {
        return Judged::within(objective, State::Missed, within, found).since(Some(deadline));
    }
    match risk(deadline) {
        Some(why) => Judged::within(objective, State::AtRisk, within, found).because(why),
        None => Judged::within(objective, State::Ok, within, found),
    }
}

/// Says why a deadline is in danger: by the jobs that are to do something about it, and where
/// nobody knows of any, when nine tenths of the time have passed.
fn risk(
    facts: &Facts,
    repository: &Name,
    does: &str,
    within: &Within,
    deadline: Timestamp,
    limits: &Limits,
    now: Timestamp,
) -> Option<String> {
    let covers = |job: &&JobFacts| {
        job.does == does && job.plan.as_ref().is_some_and(|plan| plan.repositories.contains(repository))
    };
    let jobs: Vec<&JobFacts> = facts.jobs.iter().filter(covers).collect();
    if let Some(job) = jobs.iter().find(|job| job.record.as_ref().is_some_and(|record| record.failures > 0)) {
        return Some(format!("the last run of job {} failed", job.job));
    }
    // One that was due may be under way; it is on record when it has ended.
    let is_under_way =
        |job: &&JobFacts| Awaited::of(job, limits, now).is_some_and(|run| run.overdue(now).is_none());
    if jobs.iter().copied().any(|job| is_under_way(&job)) {
        return None;
    }
    let next = jobs.iter().filter_map(|job| Some((job.plan.as_ref()?.next?, &job.job))).min();
    match next {
        Some((at, job)) if at > deadline => Some(format!(
            "job {job} runs next {} after the time is over",
            in_words(at.signed_duration_since(deadline))
        )),
        Some(_) => None,
        None => {
            let left = deadline.signed_duration_since(now);
            (left < within.length() / 10)
                .then(|| format!("{} left, and no job is known that does it", in_words(left)))
        }
    }
}

fn judge_rpo(facts: &Facts, own: &RepositoryFacts, rpo: &Within, limits: &Limits, now: Timestamp) -> Judged {
    let last = own.last_complete.as_ref().map(|last| last.taken);
    let why = |deadline| match own.partial_in_a_row {
        0 => risk(facts, &own.repository, "snapshot", rpo, deadline, limits, now),
        1 => Some("the newest snapshot is partial".to_owned()),
        count => Some(format!("the newest {count} snapshots are partial")),
    };
    let never = match own.snapshots {
        0 => "no snapshot yet",
        _ => "no complete snapshot",
    };
    judge_age(Objective::Rpo, rpo, last, never, why, now)
}

fn judge_rto(own: &RepositoryFacts, rto: &Within) -> Judged {
    // The last time that was measured, also of a drill that failed: perhaps because it took so long.
    let failed = own.failed_drill.as_ref().and_then(|drill| Some((drill.ended, drill.recovery?)));
    let good = || own.drill.as_ref().and_then(|drill| Some((drill.ended, drill.recovery?)));
    let measured = failed.or_else(good);
    match measured {
        None => Judged::within(Objective::Rto, State::AtRisk, rto, "not measured")
            .because("no rehearsal says how long a recovery takes"),
        Some((ended, took)) if took > rto.length() => {
            Judged::within(Objective::Rto, State::Missed, rto, in_words(took)).since(Some(ended))
        }
        Some((_, took)) => Judged::within(Objective::Rto, State::Ok, rto, in_words(took)),
    }
}

fn judge_verified(
    facts: &Facts,
    own: &RepositoryFacts,
    within: &Within,
    limits: &Limits,
    now: Timestamp,
) -> Judged {
    let why = |deadline| risk(facts, &own.repository, "verify", within, deadline, limits, now);
    judge_age(Objective::VerifiedWithin, within, own.verified, "never", why, now)
}

fn judge_drilled(
    facts: &Facts,
    own: &RepositoryFacts,
    within: &Within,
    limits: &Limits,
    now: Timestamp,
) -> Judged {
    let last = own.drill.as_ref().map(|drill| drill.ended);
    let why = |deadline| risk(facts, &own.repository, "drill", within, deadline, limits, now);
    judge_age(Objective::DrilledWithin, within, last, "never", why, now)
}

fn judge_copies(facts: &Facts, own: &RepositoryFacts, wanted: usize) -> Judged {
    let judged = |state, found: String| Judged::new(Objective::Copies, state, wanted, found);
    let Some(last) = &own.last_complete else {
        return judged(State::Missed, "no complete snapshot".to_owned());
    };
    let away: Vec<&str> = facts
        .replicas
        .iter()
        .filter(|replica| replica.failure.is_some() && !last.on.contains(&replica.replica))
        .map(|replica| replica.replica.as_str())
        .collect();
    let held = last.on.len();
    let found = format!("{held} of {wanted}");
    if held >= wanted {
        return judged(State::Ok, found);
    }
    if held + away.len() >= wanted {
        return judged(State::AtRisk, found).because(format!("{} cannot be asked", away.join(", ")));
    }
    let why = match facts.replicas.len() {
        count if count < wanted => format!("the configuration has {count} replicas"),
        _ => String::new(),
    };
    judged(State::Missed, found).because(why).since(Some(last.committed))
}
