//! Repositories against their objectives.

use chrono::TimeDelta;
use prismvault::clock::rfc3339;
use prismvault::config::Objectives;
use prismvault::status::{Facts, JobFacts, Objective, Standing, State};
use prismvault::vault::format::manifest::Status;

use super::known::{days, good, hours, judge, judge_by, now, objectives, repository, run, snapshot};

#[track_caller]
fn state_of(standing: &Standing, objective: Objective) -> State {
    standing.objectives.iter().find(|judged| judged.objective == objective).unwrap().state
}

fn without_jobs() -> Facts {
    Facts { jobs: Vec::<JobFacts>::new(), ..good() }
}

#[test]
fn a_repository_without_a_snapshot_misses_everything_that_one_could_know() {
    let mut facts = good();
    let own = &mut facts.repositories[0];
    (own.newest, own.last_complete, own.oldest, own.verified, own.drill) = (None, None, None, None, None);
    (own.snapshots, own.points) = (0, Vec::new());
    let assessment = judge(&facts);
    let standing = &assessment.repositories[0];
    for objective in [Objective::Rpo, Objective::VerifiedWithin, Objective::DrilledWithin, Objective::Copies]
    {
        assert_eq!(state_of(standing, objective), State::Missed, "{standing:?}");
    }
    // Nobody knows how long a recovery takes: that is not "missed", and never "ok".
    assert_eq!(state_of(standing, Objective::Rto), State::AtRisk);
    assert_eq!((standing.burn, standing.age_seconds), (None, None));
    assert!(assessment.is_missed());
}

#[test]
fn where_no_job_is_known_the_last_tenth_of_the_time_is_at_risk() {
    for (age, expected) in [(20, State::Ok), (22, State::AtRisk), (24, State::AtRisk), (25, State::Missed)] {
        let mut facts = without_jobs();
        facts.repositories[0].last_complete.as_mut().unwrap().taken = now() - hours(age);
        assert_eq!(state_of(&judge(&facts).repositories[0], Objective::Rpo), expected, "{age} h");
    }
}

#[test]
fn while_the_run_that_was_due_may_be_under_way_nothing_is_at_risk() {
    // Due ten minutes ago, the last one was a day before; the one after it would be too late.
    let mut facts = good();
    facts.repositories[0].last_complete.as_mut().unwrap().taken = now() - hours(23);
    let nightly = &mut facts.jobs[0];
    let due = now() - TimeDelta::minutes(10);
    let plan = nightly.plan.as_mut().unwrap();
    (plan.last_due, plan.next) = (Some(due), Some(due + hours(24)));
    let record = nightly.record.as_mut().unwrap();
    (record.last, record.last_success) = (Some(run(hours(24), 0)), Some(run(hours(24), 0)));
    record.next = Some(rfc3339(due));
    let rpo = |facts: &Facts| state_of(&judge(facts).repositories[0], Objective::Rpo);
    assert_eq!(rpo(&facts), State::Ok);
    // It ended, and nothing came of it.
    let mut ended = facts.clone();
    let record = ended.jobs[0].record.as_mut().unwrap();
    record.last = Some(run(TimeDelta::minutes(10), 0));
    assert_eq!(rpo(&ended), State::AtRisk);
    // It was due hours ago, and nobody ran it.
    let plan = facts.jobs[0].plan.as_mut().unwrap();
    plan.last_due = Some(now() - hours(4));
    facts.jobs[0].record.as_mut().unwrap().next = Some(rfc3339(now() - hours(4)));
    assert_eq!(rpo(&facts), State::AtRisk);
    // And what is over is over, whoever is at it.
    facts.repositories[0].last_complete.as_mut().unwrap().taken = now() - hours(25);
    assert_eq!(rpo(&facts), State::Missed);
}

#[test]
fn a_replica_that_cannot_be_asked_may_hold_the_copy() {
    let mut facts = good();
    facts.repositories[0].last_complete.as_mut().unwrap().on = vec!["frankfurt".to_owned()];
    facts.replicas[1].failure = Some("timeout".to_owned());
    let found = judge(&facts);
    assert_eq!(state_of(&found.repositories[0], Objective::Copies), State::AtRisk);
    // More than there are replicas can never be met, and says so.
    let three = Objectives { copies: Some(3), ..objectives() };
    let found = judge_by(&good(), three);
    let copies = found.repositories[0].objectives.last().unwrap();
    assert_eq!((copies.state, copies.found.as_str()), (State::Missed, "2 of 3"));
    assert!(copies.why.contains("the configuration has 2 replicas"), "{copies:?}");
}

#[test]
fn the_worst_come_first_and_nothing_promised_is_not_ok() {
    let mut facts = without_jobs();
    facts.repositories = ["fine", "late", "worse", "soon"].map(repository).into();
    let taken = |age| Some(snapshot(now() - hours(age), Status::Complete));
    facts.repositories[1].last_complete = taken(25);
    facts.repositories[2].last_complete = taken(25);
    facts.repositories[2].verified = None;
    facts.repositories[3].last_complete = taken(23);
    let order: Vec<(String, State)> = judge(&facts)
        .repositories
        .iter()
        .map(|standing| (standing.repository.to_string(), standing.state))
        .collect();
    let expected =
        [("worse", State::Missed), ("late", State::Missed), ("soon", State::AtRisk), ("fine", State::Ok)];
    assert_eq!(order, expected.map(|(name, state)| (name.to_owned(), state)));
    let found = judge_by(&facts, Objectives::default());
    assert!(found.repositories.iter().all(|standing| standing.state == State::NotSet));
    assert!(State::Ok < State::NotSet && State::NotSet < State::AtRisk && State::AtRisk < State::Missed);
}

#[test]
fn the_burn_is_of_thirty_days_and_of_the_objective_of_that_repository() {
    let mut facts = good();
    assert_eq!(judge(&facts).repositories[0].burn, Some(0.0));
    // Three of thirty days without a snapshot, each of which another 24 h would have covered.
    facts.repositories[0].points.retain(|point| {
        let age = now() - point.taken;
        !(age > days(4) && age < days(7))
    });
    let burn = judge(&facts).repositories[0].burn.unwrap();
    assert!((burn - 0.1).abs() < 1e-9, "{burn}");
    let weekly = Objectives { rpo: Some("7d".parse().unwrap()), ..objectives() };
    assert_eq!(judge_by(&facts, weekly).repositories[0].burn, Some(0.0));
    let none = Objectives { rpo: None, ..objectives() };
    assert_eq!(judge_by(&facts, none).repositories[0].burn, None);
}
