//! The arithmetic, by tables and by properties.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::ids::SnapshotId;
use crate::status::{DrillFacts, ErasedFacts, LockFacts, ReplicaFacts, SnapshotFacts, assess};
use crate::vault::format::manifest::Status;

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn days(count: i64) -> TimeDelta {
    TimeDelta::days(count)
}

fn replica(name: &str, days_left: Option<i64>) -> ReplicaFacts {
    ReplicaFacts {
        replica: name.to_owned(),
        locks: days_left.map(|left| LockFacts { window_days: 30, days_left: Some(left), failure: None }),
        ..ReplicaFacts::default()
    }
}

fn drill(ago: i64, fidelity: Option<f64>) -> Option<Drill> {
    Some(Drill { ended: now() - days(ago), recovery: None, fidelity })
}

fn failed(ago: i64, came_back: bool) -> Option<FailedDrill> {
    let ended = now() - days(ago);
    Some(FailedDrill { drill: SnapshotId::new(ended), ended, came_back, recovery: None, fidelity: None })
}

/// Two replicas, both locked for long, verified and rehearsed today.
fn facts() -> Facts {
    let taken = now() - days(1);
    let newest = SnapshotFacts {
        snapshot: SnapshotId::new(taken),
        status: Status::Complete,
        taken,
        committed: taken,
        documents: 10,
        assets: 1,
        models: 1,
        bytes: 1000,
        added_items: 0,
        added_bytes: 0,
        gaps: 0,
        on: vec!["one".to_owned(), "two".to_owned()],
    };
    let own = RepositoryFacts {
        repository: "blog".parse().unwrap(),
        members_listed: None,
        snapshots: 1,
        newest: Some(newest.clone()),
        last_complete: Some(newest),
        oldest: Some(taken),
        points: Vec::new(),
        verified: Some(now()),
        drill: drill(0, Some(1.0)),
        failed_drill: None,
        partial_in_a_row: 0,
        partial_since: None,
        shrink: None,
        lost: 0,
        unreadable: 0,
        removed_against_rules: Vec::new(),
    };
    Facts {
        at: now(),
        repositories: vec![own],
        replicas: vec![replica("one", Some(20)), replica("two", None)],
        jobs: Vec::new(),
        tokens: Vec::new(),
        pending: Vec::new(),
        cases: Vec::new(),
        endangered: Vec::new(),
        unreadable_cases: Vec::new(),
        erased: ErasedFacts::default(),
        drills: DrillFacts::default(),
        requests: Vec::new(),
        retries: 0,
    }
}

fn of(facts: &Facts) -> Confidence {
    confidence(facts, &facts.repositories[0], &Objectives::default(), now())
}

/// The value of a factor after something was changed.
fn factor(name: &str, change: impl FnOnce(&mut Facts)) -> Option<f64> {
    let mut facts = facts();
    change(&mut facts);
    of(&facts).factors.into_iter().find(|own| own.name == name).map(|own| own.value)
}

fn is(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() < 1e-9)
}

#[test]
fn what_was_shown_counts_half_after_its_time_and_never_less_than_nothing_shown() {
    let verified = |ago: Option<i64>| {
        factor("verified", |facts| facts.repositories[0].verified = ago.map(|ago| now() - days(ago)))
    };
    let rehearsed = |ago: i64| factor("rehearsed", |facts| facts.repositories[0].drill = drill(ago, None));
    for (ago, expected) in [(0, 1.0), (30, 0.5), (60, 0.25), (15, 0.5f64.sqrt()), (3000, 0.25)] {
        assert!(is(verified(Some(ago)), expected), "verified {ago} days ago: {:?}", verified(Some(ago)));
        assert!(is(rehearsed(ago * 3), expected), "rehearsed {} days ago", ago * 3);
    }
    assert!(is(verified(None), 0.25));
    assert!(is(factor("rehearsed", |facts| facts.repositories[0].drill = None), 0.25));
    // A clock that went back: nothing is better than just now.
    assert!(is(verified(Some(-5)), 1.0));
}

#[test]
fn the_objectives_set_the_half_lives_and_how_many_copies_are_wanted() {
    let mut facts = facts();
    facts.repositories[0].verified = Some(now() - days(7));
    facts.repositories[0].drill = drill(400, Some(1.0));
    let within = |text: &str| Some(text.parse().unwrap());
    let objectives = Objectives {
        verified_within: within("7d"),
        drilled_within: within("400d"),
        copies: Some(4),
        ..Objectives::default()
    };
    let own = confidence(&facts, &facts.repositories[0], &objectives, now());
    let values: Vec<f64> = own.factors.iter().map(|own| own.value).collect();
    assert_eq!(values, [0.5, 0.5, 0.5, 1.0, 1.0]);
    assert!(is(Some(own.value), 0.125), "{own:?}");
    assert_eq!(
        own.arithmetic(),
        "0.50 verified × 0.50 rehearsed × 0.50 copies × 1.00 locks × 1.00 fidelity = 0.12"
    );
    assert!(own.factors[0].from.contains("7 days ago; half after 7 days"), "{own:?}");
}

#[test]
fn copies_locks_and_fidelity_are_what_the_facts_say() {
    let away = |facts: &mut Facts, at: usize| facts.replicas[at].failure = Some("gone".to_owned());
    assert!(is(factor("copies", |_| {}), 1.0));
    assert!(is(factor("copies", |facts| away(facts, 0)), 0.5));
    assert!(is(factor("copies", |facts| facts.repositories[0].last_complete = None), 0.0));
    for (left, expected) in [(Some(20), 1.0), (Some(7), 1.0), (Some(0), 0.75), (Some(-3), 0.75), (None, 0.75)]
    {
        let locks = factor("locks", |facts| facts.replicas[0] = replica("one", left));
        assert!(is(locks, expected), "{left:?}: {locks:?}");
    }
    // The lock of a replica that cannot be asked, or that lacks the snapshot, keeps nothing that is known.
    assert!(is(factor("locks", |facts| away(facts, 0)), 0.75));
    let elsewhere = |facts: &mut Facts| facts.repositories[0].last_complete.as_mut().unwrap().on.remove(0);
    assert!(is(factor("locks", |facts| drop(elsewhere(facts))), 0.75));
    let fidelity = |share| factor("fidelity", |facts| facts.repositories[0].drill = drill(0, share));
    assert!(is(fidelity(Some(0.5)), 0.5) && is(fidelity(None), 0.9));
    assert_eq!(factor("fidelity", |facts| facts.repositories[0].drill = None), None);
}

#[test]
fn no_copy_that_can_be_reached_is_no_confidence_at_all() {
    let mut facts = facts();
    facts.replicas.iter_mut().for_each(|own| own.failure = Some("gone".to_owned()));
    assert!(of(&facts).value == 0.0);
    assert!(of(&facts).arithmetic().ends_with("= 0.00"));
}

#[test]
fn a_drill_that_failed_since_is_worse_than_to_have_shown_nothing() {
    let rehearsed = |own: Option<FailedDrill>, good: Option<Drill>| {
        factor("rehearsed", |facts| {
            (facts.repositories[0].failed_drill, facts.repositories[0].drill) = (own, good);
        })
    };
    assert!(is(rehearsed(failed(1, false), drill(2, Some(1.0))), 0.1));
    assert!(is(rehearsed(failed(1, true), drill(2, Some(1.0))), 0.25));
    assert!(is(rehearsed(failed(1, false), None), 0.1));
}

#[test]
fn the_standing_of_a_repository_has_it() {
    let facts = facts();
    let assessment = assess(&facts, &BTreeMap::new(), &crate::limits::Limits::default(), now());
    assert_eq!(assessment.repositories[0].confidence, of(&facts));
}

/// Figures of one repository: the larger the better.
#[derive(Debug, Clone)]
struct Figures {
    verified: i64,
    drilled: i64,
    failed: bool,
    fidelity: f64,
    held: usize,
    lock: Option<i64>,
}

fn value(own: &Figures) -> f64 {
    let mut facts = facts();
    let at = |number: i64| Some(now() - days(number)).filter(|_| number < 500);
    let repository = &mut facts.repositories[0];
    repository.verified = at(own.verified);
    repository.drill = drill(own.drilled, Some(own.fidelity));
    if own.failed {
        repository.failed_drill =
            failed(0, false).map(|failed| FailedDrill { fidelity: Some(own.fidelity), ..failed });
    }
    repository.last_complete.as_mut().unwrap().on = (0..own.held).map(|at| at.to_string()).collect();
    facts.replicas = (0..3).map(|at| replica(&at.to_string(), own.lock)).collect();
    of(&facts).value
}

fn figures() -> impl Strategy<Value = Figures> {
    (0..600i64, 0..600i64, any::<bool>(), 0.0..=1.0f64, 0..4usize, proptest::option::of(-2..40i64)).prop_map(
        |(verified, drilled, failed, fidelity, held, lock)| Figures {
            verified,
            drilled,
            failed,
            fidelity,
            held,
            lock,
        },
    )
}

proptest! {
    /// Nothing that is worse gives a larger number, and no number is outside of 0 to 1.
    #[test]
    fn it_never_grows_with_what_is_worse(own in figures(), by in 1..100i64, less in 0.0..1.0f64) {
        let good = value(&own);
        prop_assert!((0.0..=1.0).contains(&good), "{good}");
        let worse = [
            Figures { verified: own.verified + by, ..own.clone() },
            Figures { drilled: own.drilled + by, ..own.clone() },
            Figures { failed: true, ..own.clone() },
            Figures { fidelity: own.fidelity * less, ..own.clone() },
            Figures { held: own.held.saturating_sub(1), ..own.clone() },
            Figures { lock: own.lock.map(|lock| lock - by), ..own.clone() },
            Figures { lock: None, ..own.clone() },
        ];
        for worse in worse {
            prop_assert!(value(&worse) <= good + 1e-12, "{worse:?} after {own:?}");
        }
    }
}
