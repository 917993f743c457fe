//! What somebody should know, each with the next step.

use chrono::TimeDelta;
use serde::Serialize;

use super::assess::{Judged, Objective, Standing, State, in_words};
use super::awaited::Awaited;
use super::facts::{
    Endangered, Facts, JobFacts, Pending, PendingKind, ReplicaFacts, RepositoryFacts, TokenFacts,
};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::Name;
use crate::limits::Limits;
use crate::privacy::promise::end_of;
use crate::progress::Problem;
use crate::vault::format::request::RequestSummary;

/// How grave an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something should be done within days.
    Warning,
    /// Something is not as promised, or backups stand still.
    Critical,
}

impl Severity {
    /// The word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Something that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// What it is about, as `kind:subject`. It stays the same for as long as the alarm lasts, so
    /// that two assessments show what came and what went.
    pub key: String,
    /// How grave it is.
    pub severity: Severity,
    /// The repository that it is about, where it is about one.
    pub repository: Option<Name>,
    /// One sentence.
    pub what: String,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// What to do next.
    pub next: String,
}

impl Alarm {
    pub(super) fn new(key: String, severity: Severity, what: String, next: impl Into<String>) -> Self {
        Self { key, severity, repository: None, what, since: None, next: next.into() }
    }

    pub(super) fn of(mut self, repository: &Name) -> Self {
        self.repository = Some(repository.clone());
        self
    }

    pub(super) fn since(mut self, since: Option<Timestamp>) -> Self {
        self.since = since;
        self
    }

    /// The kind: what stands before the colon of its key.
    pub fn kind(&self) -> &str {
        self.key.split(':').next().unwrap_or_default()
    }

    /// Whether it says that an objective is at risk or missed, which the standings say as well.
    pub fn is_of_objective(&self) -> bool {
        const ALL: [Objective; 5] = [
            Objective::Rpo,
            Objective::Rto,
            Objective::VerifiedWithin,
            Objective::DrilledWithin,
            Objective::Copies,
        ];
        ALL.iter().any(|objective| objective.word() == self.kind())
    }
}

/// Returns all alarms, the gravest first, then by key.
pub(super) fn raise(facts: &Facts, standings: &[Standing], limits: &Limits, now: Timestamp) -> Vec<Alarm> {
    let objectives = standings.iter().flat_map(|standing| {
        standing.objectives.iter().filter_map(|judged| of_objective(&standing.repository, judged))
    });
    let mut alarms: Vec<Alarm> = objectives.collect();
    let is_some_away = facts.replicas.iter().any(|replica| replica.failure.is_some());
    alarms.extend(facts.repositories.iter().flat_map(|own| of_repository(own, is_some_away)));
    alarms.extend(facts.repositories.iter().filter_map(|own| of_access(facts, own, limits, now)));
    alarms.extend(facts.replicas.iter().flat_map(|replica| of_replica(replica, limits)));
    alarms.extend(facts.tokens.iter().flat_map(|token| of_token(token, limits, now)));
    alarms.extend(facts.cases.iter().filter_map(|case| of_case(case, limits, now)));
    alarms.extend(facts.unreadable_cases.iter().map(unreadable_case));
    alarms.extend(super::erased::alarms(facts, limits, now));
    alarms.extend(super::drills::alarms(facts, limits, now));
    alarms.extend(facts.endangered.iter().map(|own| of_promise(own, now)));
    alarms.extend(of_jobs(&facts.jobs, limits, now));
    alarms.extend(facts.pending.iter().filter(|pending| now > pending.due).map(of_pending));
    alarms.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.key.cmp(&b.key)));
    // Several marks of one space are one alarm: that of the oldest.
    alarms.dedup_by(|later, first| {
        let same = later.key == first.key;
        if same {
            first.since = first.since.min(later.since);
        }
        same
    });
    alarms
}

/// An objective that is at risk or missed.
fn of_objective(repository: &Name, judged: &Judged) -> Option<Alarm> {
    let severity = match judged.state {
        State::Ok | State::NotSet => return None,
        State::AtRisk => Severity::Warning,
        State::Missed => Severity::Critical,
    };
    let Judged { promised, found, .. } = judged;
    let mut what = match judged.objective {
        Objective::Rpo => format!("newest complete snapshot: {found}; {promised} is promised"),
        Objective::Rto => format!("time to recover: {found}; {promised} is promised"),
        Objective::VerifiedWithin => format!("last verified: {found}; {promised} is promised"),
        Objective::DrilledWithin => format!("last rehearsal: {found}; {promised} is promised"),
        Objective::Copies => format!("copies of the newest complete snapshot: {found}"),
    };
    if !judged.why.is_empty() {
        what = format!("{what}; {}", judged.why);
    }
    let next = match judged.objective {
        Objective::Rpo => format!("prismvault snapshot {repository}"),
        Objective::Rto | Objective::DrilledWithin => {
            format!("rehearse a recovery: prismvault drill run PLAN, with a plan that names {repository}")
        }
        Objective::VerifiedWithin => "prismvault verify --level bytes".to_owned(),
        Objective::Copies => "prismvault replicate".to_owned(),
    };
    let key = format!("{}:{repository}", judged.objective.word());
    Some(Alarm::new(key, severity, what, next).of(repository).since(judged.since))
}

/// Losses, falls and partial snapshots.
fn of_repository(own: &RepositoryFacts, is_some_away: bool) -> Vec<Alarm> {
    let name = &own.repository;
    let mut alarms = Vec::new();
    if own.lost + own.unreadable > 0 {
        let oldest = own
            .oldest
            .map_or_else(|| "none is left".to_owned(), |at| format!("the oldest is of {}", rfc3339(at)));
        let what = format!(
            "history is lost: {} snapshots are gone without a removal that explains it, {} cannot be read; {oldest}",
            own.lost, own.unreadable
        );
        // What only a replica has that is away may come back with it.
        let (severity, next) = match is_some_away {
            true => (
                Severity::Warning,
                "bring back the replica that cannot be reached; prismvault doctor".to_owned(),
            ),
            false => (Severity::Critical, format!("prismvault list {name}; prismvault repair")),
        };
        alarms.push(Alarm::new(format!("history-lost:{name}"), severity, what, next).of(name));
    }
    if let Some(first) = own.removed_against_rules.first() {
        let count = own.removed_against_rules.len();
        let what =
            format!("{count} removed snapshots would be kept by [retention] as it is, the oldest is {first}");
        let next = format!(
            "while pruning has not deleted them: prismvault list --removed {name}; prismvault undelete {first} --reason …"
        );
        alarms.push(Alarm::new(format!("history-short:{name}"), Severity::Critical, what, next).of(name));
    }
    if let Some(shrink) = &own.shrink {
        let next = format!(
            "prismvault show {}; if that is right: prismvault retain --accept-shrink {} --reason …",
            shrink.snapshot, shrink.snapshot
        );
        let alarm = Alarm::new(format!("shrink:{name}"), Severity::Critical, shrink.to_string(), next);
        alarms.push(alarm.of(name).since(Some(shrink.snapshot.time())));
    }
    // One may be an asset that was just uploaded; two in a row do not mend themselves.
    if own.partial_in_a_row > 1 {
        let what = format!("the newest {} snapshots are partial", own.partial_in_a_row);
        let next = match &own.newest {
            Some(newest) => format!("prismvault show {}", newest.snapshot),
            None => format!("prismvault list {name}"),
        };
        let alarm = Alarm::new(format!("partial:{name}"), Severity::Warning, what, next);
        alarms.push(alarm.of(name).since(own.partial_since));
    }
    alarms
}

/// Who has access is to be reviewed, and nobody listed the members for longer than a quarter and some
/// time to do it. Who never listed any, and has no job for it, was not asked to.
fn of_access(facts: &Facts, own: &RepositoryFacts, limits: &Limits, now: Timestamp) -> Option<Alarm> {
    let name = &own.repository;
    let later = |at: Timestamp, by| at.checked_add_signed(TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX));
    let covers = |job: &&JobFacts| {
        job.does == "access-review" && job.plan.as_ref().is_some_and(|plan| plan.repositories.contains(name))
    };
    let (what, due) = match own.members_listed {
        Some(listed) => {
            let days = now.signed_duration_since(listed).num_days();
            let what = format!("a review of who has access is overdue: members were listed {days} days ago");
            (what, later(listed, limits.member_list_age_advised + limits.access_review_slack)?)
        }
        None => {
            let records = facts.jobs.iter().filter(covers).filter_map(|job| job.record.as_ref());
            let known = records.filter_map(|record| record.known_since.parse().ok()).min()?;
            let what = "a review of who has access is overdue: members were never listed".to_owned();
            (what, later(known, limits.access_review_slack)?)
        }
    };
    let next = format!(
        "copy the members page, then prismvault access import FILE --repository {name}; prismvault access review --repository {name}"
    );
    let alarm = Alarm::new(format!("access-review:{name}"), Severity::Warning, what, next);
    (now > due).then(|| alarm.of(name).since(Some(due)))
}

fn of_replica(replica: &ReplicaFacts, limits: &Limits) -> Vec<Alarm> {
    let name = &replica.replica;
    if let Some(failure) = &replica.failure {
        let what = format!("replica {name} takes no part: {failure}");
        let next = format!("prismvault doctor --replica {name}");
        return vec![Alarm::new(format!("replica-away:{name}"), Severity::Critical, what, next)];
    }
    let mut alarms = Vec::new();
    if replica.missing > 0 {
        let what =
            format!("replica {name} is behind: it lacks {} of {} snapshots", replica.missing, replica.wanted);
        let alarm = Alarm::new(
            format!("replica-behind:{name}"),
            Severity::Warning,
            what,
            format!("prismvault replicate --to {name}"),
        );
        alarms.push(alarm.since(replica.missing_since));
    }
    let offset = replica.clock_offset_seconds.unwrap_or(0);
    let is_more = |than: std::time::Duration| offset.unsigned_abs() > than.as_secs();
    if is_more(limits.clock_skew_noticed) {
        let severity = if is_more(limits.clock_skew_max) { Severity::Critical } else { Severity::Warning };
        let way = if offset > 0 { "ahead of" } else { "behind" };
        let what = format!("the clock here is {} s {way} that of replica {name}", offset.unsigned_abs());
        let next = "set the clock (NTP), then prismvault doctor: with 5 minutes nothing is written any more that depends on time";
        alarms.push(Alarm::new(format!("clock:{name}"), severity, what, next));
    }
    alarms.extend(of_locks(replica));
    alarms
}

fn of_locks(replica: &ReplicaFacts) -> Option<Alarm> {
    let (name, locks) = (&replica.replica, replica.locks.as_ref()?);
    let key = format!("locks:{name}");
    let window = locks.window_days;
    if let Some(failure) = &locks.failure {
        let what = format!("nobody knows how long the locks of replica {name} last: {failure}");
        return Some(Alarm::new(key, Severity::Warning, what, format!("prismvault doctor --replica {name}")));
    }
    // Maintenance renews at half time; a day is between two nightly runs, and days are whole ones.
    let left = locks.days_left.filter(|left| (left + 1) * 2 < window)?;
    let severity = if left * 4 < window { Severity::Critical } else { Severity::Warning };
    let what = format!(
        "locks of replica {name} run out: {left} days are left of {window}, and half of them should never be used up"
    );
    Some(Alarm::new(key, severity, what, "prismvault prune renews them: let its job run each night"))
}

fn of_token(token: &TokenFacts, limits: &Limits, now: Timestamp) -> Option<Alarm> {
    let TokenFacts { repository, token: word, issued, ends } = token;
    let key = format!("token:{repository}:{word}");
    let next = "make a new one under Settings > API & Security, put it in place, look with prismvault doctor, then remove the old one";
    let noticed = TimeDelta::from_std(limits.token_end_noticed).unwrap_or(TimeDelta::MAX);
    if let Some(ends) = ends.filter(|ends| *ends - now <= noticed) {
        let (severity, what) = match ends <= now {
            true => (Severity::Critical, format!("{word} of {repository} ended on {}", rfc3339(ends))),
            false => (Severity::Warning, format!("{word} of {repository} ends on {}", rfc3339(ends))),
        };
        return Some(Alarm::new(key, severity, what, next).of(repository));
    }
    let advised = TimeDelta::from_std(limits.token_age_advised).unwrap_or(TimeDelta::MAX);
    let issued = (*issued)?;
    let age = now.signed_duration_since(issued);
    if age <= advised {
        return None;
    }
    let days = advised.num_days();
    let what = format!("{word} of {repository} is {} days old, {days} are advised", age.num_days());
    let alarm = Alarm::new(key, Severity::Warning, what, next).of(repository);
    Some(alarm.since(issued.checked_add_signed(advised)))
}

/// A data-subject request whose answer is due. While the clock stands still nothing is.
fn of_case(case: &RequestSummary, limits: &Limits, now: Timestamp) -> Option<Alarm> {
    let due = case.due.filter(|_| case.waits_for.is_none() && !case.closed)?;
    let noticed = TimeDelta::from_std(limits.request_due_noticed).unwrap_or(TimeDelta::MAX);
    let today = now.date_naive();
    let (severity, what) = if due < today {
        (Severity::Critical, format!("the answer to the data-subject request {} was due on {due}", case.case))
    } else if due - today <= noticed {
        (Severity::Warning, format!("the answer to the data-subject request {} is due on {due}", case.case))
    } else {
        return None;
    };
    let next = format!("whoever works on requests: prismvault privacy show {}", case.case);
    let since = (due.checked_sub_signed(noticed)).and_then(|day| day.and_hms_opt(0, 0, 0));
    let alarm = Alarm::new(format!("request-due:{}", case.case), severity, what, next);
    Some(alarm.since(since.map(|since| since.and_utc())))
}

fn unreadable_case(problem: &Problem) -> Alarm {
    let Problem { subject, detail, .. } = problem;
    let what = format!("nobody knows whether the data-subject request {subject} is due: {detail}");
    let next = "prismvault privacy list; prismvault doctor";
    Alarm::new(format!("request-unreadable:{subject}"), Severity::Critical, what, next)
}

fn of_jobs(jobs: &[JobFacts], limits: &Limits, now: Timestamp) -> Vec<Alarm> {
    let mut alarms: Vec<Alarm> = jobs.iter().filter_map(failing).collect();
    let known: Vec<&JobFacts> = jobs.iter().filter(|job| job.record.is_some()).collect();
    let silent = |what: String, since| {
        let next = "look at the host of `prismvault run` (systemctl status, its log); prismvault jobs next says what is due";
        Alarm::new("scheduler-silent:vault".to_owned(), Severity::Critical, what, next).since(since)
    };
    if known.is_empty() {
        let what = format!("{} jobs are scheduled, and no scheduler has ever run one of them", jobs.len());
        alarms
            .extend((!jobs.is_empty()).then(|| Alarm { severity: Severity::Warning, ..silent(what, None) }));
        return alarms;
    }
    let late: Vec<(&JobFacts, Timestamp)> =
        known.iter().filter_map(|job| Some((*job, Awaited::of(job, limits, now)?.overdue(now)?))).collect();
    // What is expected of nobody says nothing about who is there.
    let expected = known.iter().filter(|job| is_expected(job)).count();
    if !late.is_empty() && late.len() >= expected {
        let since = late.iter().map(|(_, since)| *since).min();
        let what = format!(
            "the scheduler is silent: none of {expected} jobs was run at its time{}",
            since.map(|since| format!(", the first was due {}", rfc3339(since))).unwrap_or_default()
        );
        alarms.push(silent(what, since));
    } else {
        alarms.extend(late.into_iter().map(|(job, since)| late_one(job, since, now)));
    }
    alarms.extend(jobs.iter().filter(|job| job.record.is_none()).map(|job| {
        let what = format!("job {} never ran, and no scheduler has taken note of it", job.job);
        let next = format!("prismvault jobs check; prismvault jobs run {}", job.job);
        Alarm::new(format!("job-never-ran:{}", job.job), Severity::Warning, what, next)
    }));
    alarms
}

/// Whether anybody knows when a job is to run.
fn is_expected(job: &JobFacts) -> bool {
    let recorded = job.record.as_ref().is_some_and(|record| record.next.is_some());
    recorded || job.plan.as_ref().is_some_and(|plan| plan.last_due.is_some() || plan.next.is_some())
}

fn late_one(job: &JobFacts, since: Timestamp, now: Timestamp) -> Alarm {
    let name = &job.job;
    let next = format!("prismvault jobs run {name}");
    let late = in_words(now.signed_duration_since(since));
    match job.record.as_ref().is_some_and(|record| record.last.is_none()) {
        true => {
            let what = format!("job {name} never ran; it was due {late} ago");
            Alarm::new(format!("job-never-ran:{name}"), Severity::Critical, what, next).since(Some(since))
        }
        false => {
            let what = format!("job {name} did not run at its time, {late} ago");
            Alarm::new(format!("job-overdue:{name}"), Severity::Critical, what, next).since(Some(since))
        }
    }
}

fn failing(job: &JobFacts) -> Option<Alarm> {
    let record = job.record.as_ref().filter(|record| record.failures > 0)?;
    let last = record.last.as_ref()?;
    let (name, code) = (&job.job, last.exit_code);
    let times =
        if record.failures == 1 { "once".to_owned() } else { format!("{} times in a row", record.failures) };
    let what = format!("job {name} failed {times}, last with exit code {code} on {}", last.host);
    // Partial: what was stored is good.
    let severity = if code == 3 { Severity::Warning } else { Severity::Critical };
    let since = match &record.last_success {
        Some(success) => success.ended.parse().ok(),
        None => record.known_since.parse().ok(),
    };
    let next = format!("prismvault jobs run {name}, or the log of run {}", last.run);
    Some(Alarm::new(format!("job-failing:{name}"), severity, what, next).since(since))
}

fn of_pending(pending: &Pending) -> Alarm {
    let Pending { kind, replica, subject, since, due } = pending;
    let (due, begun) = (rfc3339(*due), rfc3339(*since));
    let (key, what, next) = match kind {
        PendingKind::Deletion => (
            format!("deletion-pending:{replica}:{subject}"),
            format!("what pruning marked in {subject} on {replica} should have been deleted by {due}"),
            "prismvault prune says what keeps it",
        ),
        PendingKind::Erasure => (
            format!("erasure-pending:{replica}:{subject}"),
            format!(
                "the erasure of case {subject} is not finished on replica {replica}; it was ordered on {begun}"
            ),
            "bring the replica back if it is away; then the host that reads content: prismvault privacy erase",
        ),
        PendingKind::LockedErasure => (
            format!("erasure-pending:{replica}:{subject}"),
            format!(
                "the erasure of case {subject} waits for locks on replica {replica}; it was ordered on {begun}"
            ),
            "when the locks have ended: prismvault privacy erase; nothing renews them",
        ),
    };
    let severity = match kind {
        PendingKind::LockedErasure => Severity::Warning,
        PendingKind::Deletion | PendingKind::Erasure => Severity::Critical,
    };
    Alarm::new(key, severity, what, next).since(Some(*since))
}

fn of_promise(own: &Endangered, now: Timestamp) -> Alarm {
    let Endangered { case, replica, promised, why } = own;
    // Until the day is over somebody can still make it true, or say so before it is broken.
    let severity = if now > end_of(*promised) { Severity::Critical } else { Severity::Warning };
    Alarm::new(
        format!("erasure-promise:{replica}:{case}"),
        severity,
        format!("what case {case} promises of its erasure is in danger on replica {replica}: {why}"),
        format!(
            "prismvault privacy erase {case} where the replica can be reached; if the day cannot be kept, tell the person and record it: prismvault privacy horizon {case} --promise DATE"
        ),
    )
}
