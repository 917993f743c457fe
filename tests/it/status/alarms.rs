//! Every alarm comes with its cause and goes with it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use prismvault::clock::rfc3339;
use prismvault::ids::SnapshotId;
use prismvault::notify::{Pace, due};
use prismvault::progress::Problem;
use prismvault::retention::{Fall, Shrink};
use prismvault::status::{
    Alarm, Endangered, Facts, FailedDrill, Pending, PendingKind, Severity, State, WaitingGate,
};
use prismvault::vault::format::drill::OpenFinding;
use prismvault::vault::format::erasure_checks::{CaseCheck, Next};
use prismvault::vault::format::manifest::Status;
use prismvault::vault::format::request::RequestSummary;

use super::known::{days, good, hours, job, judge, name, now, run, snapshot};

use Severity::{Critical, Warning};

/// What makes facts worse.
type Cause = fn(&mut Facts);

fn pending(kind: PendingKind, due: TimeDelta) -> Pending {
    Pending {
        kind,
        replica: "office".to_owned(),
        subject: "blog".to_owned(),
        since: now() - days(40),
        due: now() - due,
    }
}

/// Id of a drill.
const DRILL: &str = "20261001T100000Z-01234567";

/// The alarm, its cause, and what is just not one.
const ALARMS: &[(&str, Severity, Cause, Cause)] = &[
    ("rpo:blog", Critical, |facts| blog_is(facts, hours(25)), |facts| blog_is(facts, hours(10))),
    (
        // The next run comes after the time is over.
        "rpo:blog",
        Warning,
        |facts| blog_is(facts, hours(11)),
        |facts| blog_is(facts, hours(9)),
    ),
    (
        "rto:blog",
        Critical,
        |facts| facts.repositories[0].drill.as_mut().unwrap().recovery = Some(hours(5)),
        |facts| facts.repositories[0].drill.as_mut().unwrap().recovery = Some(hours(4)),
    ),
    ("rto:blog", Warning, |facts| facts.repositories[0].drill.as_mut().unwrap().recovery = None, |_| {}),
    (
        "verified_within:blog",
        Critical,
        |facts| facts.repositories[0].verified = Some(now() - days(8)),
        |facts| facts.repositories[0].verified = Some(now() - days(6)),
    ),
    ("verified_within:blog", Critical, |facts| facts.repositories[0].verified = None, |_| {}),
    (
        "drilled_within:blog",
        Critical,
        |facts| facts.repositories[0].drill.as_mut().unwrap().ended = now() - days(401),
        |facts| facts.repositories[0].drill.as_mut().unwrap().ended = now() - days(350),
    ),
    (
        // No job does it, and the time is nearly over.
        "drilled_within:blog",
        Warning,
        |facts| facts.repositories[0].drill.as_mut().unwrap().ended = now() - days(390),
        |_| {},
    ),
    (
        "drill-failed:blog",
        Critical,
        |facts| facts.repositories[0].failed_drill = Some(failed_drill(false, Some(hours(2)))),
        |_| {},
    ),
    (
        "drill-failed:blog",
        Warning,
        |facts| facts.repositories[0].failed_drill = Some(failed_drill(true, Some(hours(2)))),
        |_| {},
    ),
    (
        "drill-finding-overdue:F-1",
        Critical,
        |facts| facts.drills.findings.push(finding("critical", -1)),
        |facts| facts.drills.findings.push(finding("critical", 0)),
    ),
    (
        "drill-finding-overdue:F-1",
        Warning,
        |facts| facts.drills.findings.push(finding("major", -1)),
        |facts| facts.drills.findings.push(finding("minor", 3)),
    ),
    (
        "drill-waits:20261001T100000Z-01234567",
        Warning,
        |facts| facts.drills.waiting.push(waiting(days(15))),
        |facts| facts.drills.waiting.push(waiting(days(14))),
    ),
    (
        "drill-unreadable:drills/x/drill.json",
        Warning,
        |facts| {
            let why = "no trusted key signed it";
            facts.drills.unreadable.push(Problem::new("drill-unreadable", "drills/x/drill.json", why));
        },
        |_| {},
    ),
    (
        "copies:blog",
        Critical,
        |facts| facts.repositories[0].last_complete.as_mut().unwrap().on.truncate(1),
        |facts| facts.repositories[0].last_complete.as_mut().unwrap().on.push("third".to_owned()),
    ),
    ("history-lost:blog", Critical, |facts| facts.repositories[0].lost = 1, |_| {}),
    ("history-lost:blog", Critical, |facts| facts.repositories[0].unreadable = 1, |_| {}),
    (
        "history-short:blog",
        Critical,
        |facts| facts.repositories[0].removed_against_rules.push(SnapshotId::new(now())),
        |_| {},
    ),
    (
        "shrink:blog",
        Critical,
        |facts| {
            let newest = snapshot(now(), Status::Complete).snapshot;
            facts.repositories[0].shrink = Some(Shrink {
                snapshot: newest.clone(),
                against: newest,
                falls: vec![Fall { what: "documents".to_owned(), from: 1000, to: 10 }],
            });
        },
        |_| {},
    ),
    (
        "replica-behind:office",
        Warning,
        |facts| {
            facts.replicas[1].missing = 2;
            facts.replicas[1].missing_since = Some(now() - days(2));
        },
        |_| {},
    ),
    (
        "replica-away:office",
        Critical,
        |facts| facts.replicas[1].failure = Some("connection refused".to_owned()),
        |_| {},
    ),
    (
        // One night without renewal is not noticed, the second is.
        "locks:office",
        Warning,
        |facts| facts.replicas[1].locks.as_mut().unwrap().days_left = Some(5),
        |facts| facts.replicas[1].locks.as_mut().unwrap().days_left = Some(6),
    ),
    (
        "locks:office",
        Critical,
        |facts| facts.replicas[1].locks.as_mut().unwrap().days_left = Some(3),
        |facts| facts.replicas[1].locks.as_mut().unwrap().days_left = None,
    ),
    (
        "locks:office",
        Warning,
        |facts| facts.replicas[1].locks.as_mut().unwrap().failure = Some("no key".to_owned()),
        |_| {},
    ),
    (
        "clock:office",
        Warning,
        |facts| facts.replicas[1].clock_offset_seconds = Some(-31),
        |facts| facts.replicas[1].clock_offset_seconds = Some(-30),
    ),
    (
        "clock:office",
        Critical,
        |facts| facts.replicas[1].clock_offset_seconds = Some(301),
        |facts| facts.replicas[1].clock_offset_seconds = None,
    ),
    (
        "token:blog:write_token",
        Warning,
        |facts| facts.tokens[0].issued = Some(now() - days(91)),
        |facts| facts.tokens[0].issued = Some(now() - days(90)),
    ),
    (
        "token:blog:write_token",
        Warning,
        |facts| facts.tokens[0].ends = Some(now() + days(14)),
        |facts| facts.tokens[0].ends = Some(now() + days(15)),
    ),
    (
        "token:blog:write_token",
        Critical,
        |facts| facts.tokens[0].ends = Some(now()),
        |facts| facts.tokens[0].ends = None,
    ),
    (
        "access-review:blog",
        Warning,
        |facts| facts.repositories[0].members_listed = Some(now() - days(105)),
        |facts| facts.repositories[0].members_listed = Some(now() - days(104)),
    ),
    (
        // A job has asked for it for long, and nobody ever listed them.
        "access-review:blog",
        Warning,
        |facts| {
            facts.repositories[0].members_listed = None;
            facts.jobs.push(job("quarterly", "access-review"));
        },
        // Nobody asked for it.
        |facts| facts.repositories[0].members_listed = None,
    ),
    (
        "request-due:2026-7K3F9Q",
        Warning,
        |facts| facts.cases.push(request(7)),
        |facts| facts.cases.push(request(8)),
    ),
    (
        "request-due:2026-7K3F9Q",
        Critical,
        |facts| facts.cases.push(request(-1)),
        // The clock stands still.
        |facts| {
            let waits_for = Some("proof of identity".to_owned());
            facts.cases.push(RequestSummary { waits_for, ..request(-1) });
        },
    ),
    (
        "request-due:2026-7K3F9Q",
        Warning,
        // The last day is in time.
        |facts| facts.cases.push(request(0)),
        // Answered.
        |facts| facts.cases.push(RequestSummary { due: None, ..request(0) }),
    ),
    (
        "request-unreadable:2026-7K3F9Q",
        Critical,
        |facts| {
            let problem = Problem::new("request-unreadable", "2026-7K3F9Q", "it is damaged");
            facts.unreadable_cases.push(problem);
        },
        |_| {},
    ),
    (
        "job-failing:nightly-copy",
        Critical,
        |facts| failed(facts, 1),
        |facts| facts.jobs.push(job("nightly-copy", "replicate")),
    ),
    ("job-failing:nightly-copy", Warning, |facts| failed(facts, 3), |_| {}),
    (
        "job-never-ran:monthly",
        Warning,
        |facts| {
            facts.jobs.push(job("monthly", "prune"));
            facts.jobs[2].record = None;
        },
        |facts| facts.jobs.push(job("monthly", "prune")),
    ),
    (
        // A scheduler knows it, and its time went by.
        "job-never-ran:monthly",
        Critical,
        |facts| never_ran(facts, hours(2)),
        |facts| never_ran(facts, TimeDelta::minutes(50)),
    ),
    (
        "job-overdue:nightly",
        Critical,
        |facts| facts.jobs[0].plan.as_mut().unwrap().last_due = Some(now() - hours(2)),
        // A run that takes long, with jitter, is no late one.
        |facts| {
            let plan = facts.jobs[0].plan.as_mut().unwrap();
            plan.last_due = Some(now() - hours(2));
            plan.jitter = Some(hours(1));
        },
    ),
    (
        // A run that a wrong clock dated tomorrow is no sign of life.
        "job-overdue:nightly",
        Critical,
        |facts| late_after(facts, -hours(30)),
        |facts| late_after(facts, hours(1)),
    ),
    (
        "scheduler-silent:vault",
        Critical,
        |facts| next_of_all(facts, hours(2)),
        |facts| next_of_all(facts, TimeDelta::minutes(50)),
    ),
    (
        // Seen from a host that has no schedules.
        "scheduler-silent:vault",
        Critical,
        |facts| {
            next_of_all(facts, hours(30));
            for job in &mut facts.jobs {
                job.plan = None;
                job.record.as_mut().unwrap().last = Some(run(hours(54), 0));
            }
        },
        |facts| facts.jobs.iter_mut().for_each(|job| job.plan = None),
    ),
    (
        "scheduler-silent:vault",
        Warning,
        |facts| facts.jobs.iter_mut().for_each(|job| job.record = None),
        |facts| facts.jobs.clear(),
    ),
    (
        "deletion-pending:office:blog",
        Critical,
        |facts| facts.pending.push(pending(PendingKind::Deletion, hours(1))),
        |facts| facts.pending.push(pending(PendingKind::Deletion, hours(0))),
    ),
    ("erasure-promise:office:2026-7K3F9Q", Critical, |facts| facts.endangered.push(endangered(-1)), |_| {}),
    (
        "erasure-promise:office:2026-7K3F9Q",
        Warning,
        // The last day is not over.
        |facts| facts.endangered.push(endangered(0)),
        |_| {},
    ),
    (
        "erasure-pending:office:blog",
        Critical,
        |facts| facts.pending.push(pending(PendingKind::Erasure, hours(1))),
        |facts| facts.pending.push(pending(PendingKind::Erasure, hours(-100))),
    ),
    (
        "erasure-pending:office:blog",
        Warning,
        |facts| facts.pending.push(pending(PendingKind::LockedErasure, hours(1))),
        |facts| facts.pending.push(pending(PendingKind::LockedErasure, hours(-100))),
    ),
    (
        "erased-again:2026-7K3F9Q",
        Critical,
        |facts| found_again(facts, Next::Reopen, 2),
        |facts| found_again(facts, Next::Reopen, 0),
    ),
    (
        // They were never seen to be gone.
        "erased-again:2026-7K3F9Q",
        Warning,
        |facts| found_again(facts, Next::Erase, 1),
        |facts| found_again(facts, Next::Erase, 0),
    ),
    (
        "erased-unchecked:vault",
        Warning,
        |facts| looked_for(facts, Some(days(3)), true),
        |facts| looked_for(facts, Some(days(1)), true),
    ),
    (
        "erased-unchecked:vault",
        Warning,
        |facts| looked_for(facts, None, true),
        // Who has no job for it was not asked.
        |facts| looked_for(facts, None, false),
    ),
    (
        // A job that comes after others has no interval of its own.
        "erased-unchecked:vault",
        Warning,
        |facts| {
            looked_for(facts, Some(days(32)), true);
            facts.jobs.last_mut().unwrap().plan.as_mut().unwrap().every = None;
        },
        |facts| {
            looked_for(facts, Some(days(30)), true);
            facts.jobs.last_mut().unwrap().plan.as_mut().unwrap().every = None;
        },
    ),
    (
        // Before there was anybody to look for, nobody could.
        "erased-unchecked:vault",
        Warning,
        |facts| {
            looked_for(facts, None, true);
            facts.erased.since = Some(now() - days(3));
        },
        |facts| {
            looked_for(facts, None, true);
            facts.erased.since = Some(now() - days(1));
        },
    ),
];

/// Somebody was looked for, and found in so many places.
pub(super) fn found_again(facts: &mut Facts, next: Next, places: u64) {
    let check = CaseCheck {
        looked: now() - hours(1),
        live: places,
        stored: 0,
        snapshots: 0,
        found_in: Vec::new(),
        not_read: 0,
        since: (places > 0).then(|| now() - days(2)),
        next,
        clean: BTreeMap::new(),
    };
    facts.erased.cases = 1;
    facts.erased.checks.cases.insert("2026-7K3F9Q".parse().unwrap(), check);
}

/// Somebody was erased and everybody last looked for so long ago, by a job or by a person.
fn looked_for(facts: &mut Facts, ago: Option<TimeDelta>, by_job: bool) {
    facts.erased.cases = 1;
    facts.erased.since = Some(now() - days(50));
    facts.erased.checks.whole = ago.map(|ago| now() - ago);
    if by_job {
        facts.jobs.push(job("watch", "privacy-check"));
    }
}

/// A request that is due in so many days.
fn request(days: i64) -> RequestSummary {
    RequestSummary {
        case: "2026-7K3F9Q".parse().unwrap(),
        state: "review".to_owned(),
        rights: vec!["access".to_owned()],
        due: Some(now().date_naive() + TimeDelta::days(days)),
        waits_for: None,
        closed: false,
        promised: None,
    }
}

fn failed_drill(came_back: bool, recovery: Option<TimeDelta>) -> FailedDrill {
    let ended = now() - days(3);
    FailedDrill { drill: SnapshotId::new(ended), ended, came_back, recovery, fidelity: None }
}

fn finding(severity: &str, days: i64) -> OpenFinding {
    let due = now().date_naive() + TimeDelta::days(days);
    OpenFinding { id: "F-1".to_owned(), severity: severity.to_owned(), due }
}

fn waiting(ago: TimeDelta) -> WaitingGate {
    let drill = DRILL.parse().unwrap();
    WaitingGate { drill, gate: "acceptance".to_owned(), since: now() - ago }
}

fn endangered(days: i64) -> Endangered {
    Endangered {
        case: "2026-7K3F9Q".parse().unwrap(),
        replica: "office".to_owned(),
        promised: now().date_naive() + TimeDelta::days(days),
        why: "a lock keeps a copy".to_owned(),
    }
}

fn blog_is(facts: &mut Facts, old: TimeDelta) {
    facts.repositories[0].last_complete.as_mut().unwrap().taken = now() - old;
}

fn failed(facts: &mut Facts, exit_code: u8) {
    facts.jobs.push(job("nightly-copy", "replicate"));
    let record = facts.jobs[2].record.as_mut().unwrap();
    record.failures = 2;
    record.last = Some(run(hours(10), exit_code));
    record.last_success = None;
}

fn never_ran(facts: &mut Facts, late: TimeDelta) {
    facts.jobs.push(job("monthly", "prune"));
    let monthly = &mut facts.jobs[2];
    monthly.plan = None;
    let record = monthly.record.as_mut().unwrap();
    record.next = Some(rfc3339(now() - late));
    (record.last, record.last_success) = (None, None);
}

/// The first job was due two hours ago, and ran last so long ago.
fn late_after(facts: &mut Facts, before: TimeDelta) {
    facts.jobs[0].plan.as_mut().unwrap().last_due = Some(now() - hours(2));
    facts.jobs[0].record.as_mut().unwrap().last = Some(run(before, 0));
}

fn next_of_all(facts: &mut Facts, late: TimeDelta) {
    for job in &mut facts.jobs {
        job.record.as_mut().unwrap().next = Some(rfc3339(now() - late));
    }
}

fn keys(alarms: &[Alarm]) -> Vec<(&str, Severity)> {
    alarms.iter().map(|alarm| (alarm.key.as_str(), alarm.severity)).collect()
}

#[test]
fn every_alarm_comes_with_its_cause_and_goes_with_it() {
    assert_eq!(keys(&judge(&good()).alarms), []);
    for (key, severity, cause, just_not) in ALARMS {
        let mut facts = good();
        cause(&mut facts);
        let assessment = judge(&facts);
        // What a replica that is away takes with it is said besides.
        let found = keys(&assessment.alarms);
        assert_eq!(found, [(*key, *severity)], "{:?}", assessment.alarms);
        let alarm = &assessment.alarms[0];
        assert!(!alarm.next.is_empty() && !alarm.what.is_empty(), "{alarm:?}");
        assert_eq!(alarm.repository.is_some(), key.contains("blog") && !key.contains("pending"), "{alarm:?}");
        assert!(alarm.since.is_none_or(|since| since <= now()), "{alarm:?}");
        let mut facts = good();
        just_not(&mut facts);
        assert_eq!(keys(&judge(&facts).alarms), [], "{key}");
    }
}

/// What the issue promises an alarm for.
const PROMISED: [&str; 13] = [
    "rpo",
    "rto",
    "verified_within",
    "drilled_within",
    "copies",
    "history-lost",
    "history-short",
    "shrink",
    "replica-behind",
    "locks",
    "token",
    "job-never-ran",
    "scheduler-silent",
];

#[test]
fn every_message_says_of_what_since_when_and_which_command_comes_next() {
    let pace = Pace { remind_every: "24h".parse().unwrap(), calm: std::time::Duration::from_hours(1) };
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for (key, _, cause, _) in ALARMS {
        let mut facts = good();
        cause(&mut facts);
        let alarms = judge(&facts).alarms;
        let steps = due(&BTreeMap::new(), "status", &alarms, &pace, now() + hours(1));
        let notice = steps[0].notice.as_ref().unwrap();
        let (title, details) = (notice.title(), notice.details());
        let (kind, subject) = key.split_once(':').unwrap();
        told.insert(kind);
        let subject = subject.split(':').next().unwrap();
        match alarms[0].repository {
            Some(_) => assert!(title.contains(&format!("] {subject}: ")), "{title}"),
            // Of a replica, a job, or of all jobs.
            None => assert!(title.contains(subject) || title.contains("jobs"), "{key}: {title}"),
        }
        let since = alarms[0].since.unwrap_or(now() + hours(1));
        assert!(details.contains(&format!("since {}, next: ", rfc3339(since))), "{key}: {details}");
        assert!(notice.next.contains("prismvault "), "{key}: {details}");
        // One line, as headers of mails and logs need it.
        assert!(!title.contains('\n') && title.chars().count() < 300, "{title}");
    }
    for kind in PROMISED.iter().chain(&["clock", "access-review"]) {
        assert!(told.contains(kind), "{kind} in {told:?}");
    }
    // And the documentation names each.
    let page = include_str!("../../../docs/objectives.md");
    for kind in told {
        assert!(page.contains(&format!("`{kind}`")), "{kind}");
    }
}

#[test]
fn a_recovery_that_took_too_long_in_a_drill_that_failed_misses_the_objective() {
    let mut facts = good();
    facts.repositories[0].failed_drill = Some(failed_drill(true, Some(hours(5))));
    assert_eq!(keys(&judge(&facts).alarms), [("rto:blog", Critical), ("drill-failed:blog", Warning)]);
    // Where nothing came back nothing was measured, and the time before stands.
    facts.repositories[0].failed_drill = Some(failed_drill(false, None));
    assert_eq!(keys(&judge(&facts).alarms), [("drill-failed:blog", Critical)]);
}

#[test]
fn partial_snapshots_in_a_row_are_an_alarm_and_one_puts_the_objective_at_risk() {
    let mut facts = good();
    facts.repositories[0].partial_in_a_row = 1;
    facts.repositories[0].partial_since = Some(now() - hours(2));
    assert_eq!(keys(&judge(&facts).alarms), [("rpo:blog", Warning)]);
    facts.repositories[0].partial_in_a_row = 3;
    let assessment = judge(&facts);
    assert_eq!(keys(&assessment.alarms), [("partial:blog", Warning), ("rpo:blog", Warning)]);
    assert_eq!(assessment.alarms[0].since, Some(now() - hours(2)));
    assert!(assessment.alarms[1].what.contains("the newest 3 snapshots are partial"), "{assessment:?}");
}

#[test]
fn a_job_that_fails_puts_what_it_does_at_risk() {
    let mut facts = good();
    facts.jobs[0].record.as_mut().unwrap().failures = 1;
    let found = judge(&facts);
    assert_eq!(keys(&found.alarms), [("job-failing:nightly", Critical), ("rpo:blog", Warning)]);
    assert_eq!(found.repositories[0].state, State::AtRisk);
}

#[test]
fn what_may_be_on_a_replica_that_is_away_is_no_loss_yet() {
    let mut facts = good();
    facts.repositories[0].lost = 2;
    facts.replicas[1].failure = Some("connection refused".to_owned());
    let found = judge(&facts);
    assert_eq!(keys(&found.alarms), [("replica-away:office", Critical), ("history-lost:blog", Warning)]);
}

#[test]
fn many_marks_of_one_space_are_one_alarm_of_the_oldest() {
    let mut facts = good();
    facts.pending = vec![pending(PendingKind::Deletion, hours(1)), pending(PendingKind::Deletion, hours(9))];
    facts.pending[1].since = now() - days(90);
    let alarms = judge(&facts).alarms;
    assert_eq!(keys(&alarms), [("deletion-pending:office:blog", Critical)]);
    assert_eq!(alarms[0].since, Some(now() - days(90)));
}

#[test]
fn alarms_keep_their_keys_while_their_words_change() {
    let mut facts = good();
    blog_is(&mut facts, hours(25));
    let first = judge(&facts).alarms;
    blog_is(&mut facts, hours(50));
    let second = judge(&facts).alarms;
    assert_eq!(first[0].key, second[0].key);
    assert_ne!(first[0].what, second[0].what);
    assert_eq!(first[0].since, Some(now() - hours(1)));
    assert_eq!(first[0].repository, Some(name("blog")));
}
