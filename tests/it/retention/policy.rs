//! What a policy keeps, against a naive reading of its rules over random histories.
//!
//! The reference asks of each snapshot by itself whether some rule keeps it, by counting newer
//! ones; the program walks the list once. They share the spelling of ids and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike as _, NaiveDateTime, TimeDelta, TimeZone as _, Timelike as _};
use chrono_tz::Tz;
use prismvault::clock::{Timestamp, compact};
use prismvault::config::{Period, RetentionPolicy};
use prismvault::retention::{Candidate, Verdict, evaluate};
use proptest::prelude::*;

const ZONES: [&str; 6] =
    ["UTC", "Europe/Paris", "America/St_Johns", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia"];

/// A policy as plain numbers; windows in days.
#[derive(Debug, Clone)]
struct Rules {
    last: u32,
    counts: BTreeMap<Period, u32>,
    within: Option<u32>,
    within_each: BTreeMap<Period, u32>,
    min: u32,
    partial: u32,
}

impl Rules {
    fn policy(&self) -> RetentionPolicy {
        let span = |days: &u32| format!("{days}d").parse().unwrap();
        RetentionPolicy {
            keep_last: self.last,
            keep: self.counts.clone(),
            keep_within: self.within.as_ref().map(span),
            keep_within_each: self.within_each.iter().map(|(period, days)| (*period, span(days))).collect(),
            min_snapshots: self.min,
            keep_partial: span(&self.partial),
            max_shrink: 30,
        }
    }
}

/// What stands for the period that a moment is in; equal for moments of one period.
fn period_of(period: Period, zone: Tz, at: Timestamp) -> (i32, i64) {
    let local = at.with_timezone(&zone);
    let day = i64::from(local.date_naive().num_days_from_ce());
    match period {
        // An hour begins at the full hour of the wall clock; one that is repeated has another
        // offset.
        Period::Hourly => {
            use chrono::Offset as _;
            (local.offset().fix().local_minus_utc(), day * 24 + i64::from(local.hour()))
        }
        Period::Daily => (0, day),
        // Weeks begin on Mondays; day 1 of the common era was one.
        Period::Weekly => (0, (day - 1).div_euclid(7)),
        Period::Monthly => (local.year(), i64::from(local.month())),
        Period::Quarterly => (local.year(), i64::from((local.month() - 1) / 3)),
        Period::Yearly => (local.year(), 0),
    }
}

/// So many days before, at the same time of day; the first moment after it where there is none.
fn days_before(zone: Tz, at: Timestamp, days: u32) -> Timestamp {
    let mut wall_clock: NaiveDateTime =
        at.with_timezone(&zone).naive_local() - TimeDelta::days(i64::from(days));
    let mut skipped = false;
    loop {
        if let Some(moment) = zone.from_local_datetime(&wall_clock).earliest() {
            return moment.to_utc();
        }
        // Once in a gap, it ends at a full minute.
        wall_clock = if skipped { wall_clock } else { wall_clock.with_second(0).unwrap() };
        skipped = true;
        wall_clock += TimeDelta::minutes(1);
    }
}

/// Which of the candidates stay, by the words of the documentation.
fn reference(rules: &Rules, zone: Tz, all: &[Candidate], now: Timestamp) -> Vec<bool> {
    let counts = |one: &Candidate| one.complete && one.id.time() <= now;
    // Of two of one second, the later in the list is the newer.
    let age = |at: usize| (all[at].id.time(), at);
    let counted: Vec<usize> = (0..all.len()).filter(|at| counts(&all[*at])).collect();
    let newest = counted.iter().map(|at| age(*at)).max();
    let by_rule = |place: usize| -> bool {
        let at = all[place].id.time();
        let newer: Vec<&Candidate> =
            counted.iter().filter(|other| age(**other) > age(place)).map(|other| &all[*other]).collect();
        let last_of = |period: Period| {
            newer.iter().all(|other| period_of(period, zone, other.id.time()) != period_of(period, zone, at))
        };
        let window = |days: u32| days_before(zone, newest.unwrap().0, days);
        let covers =
            |days: u32| at < window(days) && newer.iter().all(|other| other.id.time() >= window(days));
        newer.is_empty()
            || newer.len() < rules.last as usize
            || rules.counts.iter().any(|(period, count)| {
                let later: BTreeSet<_> =
                    newer.iter().map(|other| period_of(*period, zone, other.id.time())).collect();
                last_of(*period) && later.len() < *count as usize
            })
            || rules.within.is_some_and(|days| at >= window(days) || covers(days))
            || rules
                .within_each
                .iter()
                .any(|(period, days)| (at >= window(*days) && last_of(*period)) || covers(*days))
    };
    let stays = |place: usize| -> bool {
        let one = &all[place];
        !one.kept_for.is_empty()
            || one.id.time() > now
            || (counts(one) && by_rule(place))
            || (!one.complete
                && (newest.is_none_or(|newest| newest < age(place))
                    || one.id.time() > days_before(zone, now, rules.partial)))
    };
    let mut kept: Vec<bool> = (0..all.len()).map(stays).collect();
    // The minimum takes the newest of what is left.
    while all.iter().zip(&kept).filter(|(one, kept)| **kept && counts(one)).count() < rules.min as usize {
        let left = (0..all.len()).filter(|at| !kept[*at] && counts(&all[*at]));
        let Some(newest) = left.max_by_key(|at| age(*at)) else { break };
        kept[newest] = true;
    }
    kept
}

#[derive(Debug, Clone)]
struct Case {
    zone: &'static str,
    rules: Rules,
    history: Vec<Candidate>,
    now: Timestamp,
}

impl Case {
    fn verdicts(&self, rules: &Rules) -> Vec<Verdict> {
        evaluate(&rules.policy(), self.zone.parse().unwrap(), &self.history, self.now)
    }

    fn kept(&self, rules: &Rules) -> Vec<bool> {
        self.verdicts(rules).iter().map(Verdict::is_keep).collect()
    }

    fn reference(&self) -> Vec<bool> {
        reference(&self.rules, self.zone.parse().unwrap(), &self.history, self.now)
    }

    fn counted(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.history.len())
            .filter(|at| self.history[*at].complete && self.history[*at].id.time() <= self.now)
    }
}

fn period() -> impl Strategy<Value = Period> {
    (0..Period::ALL.len()).prop_map(|at| Period::ALL[at])
}

fn rules() -> impl Strategy<Value = Rules> {
    (
        0..4_u32,
        prop::collection::btree_map(period(), 1..6_u32, 0..4),
        prop::option::of(1..120_u32),
        prop::collection::btree_map(period(), 1..400_u32, 0..3),
        1..6_u32,
        1..20_u32,
    )
        .prop_map(|(last, counts, within, within_each, min, partial)| Rules {
            last,
            counts,
            within,
            within_each,
            min,
            partial,
        })
}

/// Seconds between two snapshots: many an hour, nightly, or after a pause.
fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => 0..3_600_i64,
        3 => 3_600..90_000_i64,
        2 => Just(86_400_i64),
        2 => 86_400..9_000_000_i64,
    ]
}

fn case() -> impl Strategy<Value = Case> {
    // Histories end around the two changes of 2026, and around new year.
    let end = prop::sample::select(vec![
        "2026-03-29T12:00:00Z",
        "2026-10-25T12:00:00Z",
        "2027-01-01T09:00:00Z",
        "2026-07-15T00:00:00Z",
    ]);
    let snapshot = (gap(), prop::bool::weighted(0.85), prop::bool::weighted(0.05));
    (
        prop::sample::select(ZONES.to_vec()),
        rules(),
        prop::collection::vec(snapshot, 0..40),
        end,
        -400_000..2_000_000_i64,
    )
        .prop_map(|(zone, rules, snapshots, end, later)| {
            let end: Timestamp = end.parse().unwrap();
            let mut at = end;
            let mut history = Vec::new();
            for (n, (gap, complete, held)) in snapshots.into_iter().enumerate() {
                let id = format!("{}-{n:08x}", compact(at)).parse().unwrap();
                let kept_for = if held { vec!["hold: court".to_owned()] } else { Vec::new() };
                history.push(Candidate { id, complete, kept_for });
                at -= TimeDelta::seconds(gap);
            }
            history.reverse();
            // Some of them may lie in the future.
            Case { zone, rules, history, now: end + TimeDelta::seconds(later) }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 768, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_what_a_naive_reading_of_the_rules_keeps(case in case()) {
        prop_assert_eq!(case.kept(&case.rules), case.reference());
    }

    #[test]
    fn the_newest_complete_one_and_the_minimum_stay(case in case()) {
        let kept = case.kept(&case.rules);
        let newest = case.counted().max_by_key(|at| (case.history[*at].id.time(), *at));
        prop_assert!(newest.is_none_or(|at| kept[at]));
        let left = case.counted().filter(|at| kept[*at]).count();
        prop_assert!(left >= case.counted().count().min(case.rules.min as usize));
        // So do what is held, and what is dated in the future.
        for (candidate, kept) in case.history.iter().zip(kept) {
            prop_assert!(kept || (candidate.kept_for.is_empty() && candidate.id.time() <= case.now));
        }
    }

    #[test]
    fn what_is_left_is_left_again(case in case()) {
        let kept = case.kept(&case.rules);
        let left = case.history.iter().zip(kept).filter(|(_, kept)| *kept).map(|(one, _)| one.clone());
        let again = Case { history: left.collect(), ..case.clone() };
        let verdicts = again.verdicts(&case.rules);
        prop_assert!(verdicts.iter().all(Verdict::is_keep), "{:?}", verdicts);
    }

    #[test]
    fn a_further_rule_removes_nothing_that_stayed(case in case(), period in period(), count in 1..9_u32) {
        let mut more = case.rules.clone();
        let before = more.counts.get(&period).copied().unwrap_or(0);
        more.counts.insert(period, before + count);
        let (with, without) = (case.kept(&more), case.kept(&case.rules));
        prop_assert!(with.iter().filter(|kept| **kept).count() >= without.iter().filter(|kept| **kept).count());
        // What only filled up to the minimum may give its place to what a rule keeps.
        let by_rule = Rules { min: 1, ..case.rules.clone() };
        for (with, without) in case.kept(&Rules { min: 1, ..more }).into_iter().zip(case.kept(&by_rule)) {
            prop_assert!(with || !without);
        }
    }

    #[test]
    fn the_order_of_the_list_matters_only_within_a_second(mut case in case()) {
        case.history.dedup_by_key(|candidate| candidate.id.time());
        let backwards = Case { history: case.history.iter().rev().cloned().collect(), ..case.clone() };
        let mut verdicts = backwards.verdicts(&case.rules);
        verdicts.reverse();
        prop_assert_eq!(verdicts, case.verdicts(&case.rules));
    }
}

/// The verdicts of a history written by hand: `time` and `!` for a partial one.
fn judged(rules: &Rules, zone: &str, history: &[&str], now: &str) -> Vec<String> {
    let candidates: Vec<Candidate> = history
        .iter()
        .map(|written| {
            let at: Timestamp = written.trim_end_matches('!').parse().unwrap();
            Candidate {
                id: format!("{}-00000000", compact(at)).parse().unwrap(),
                complete: !written.ends_with('!'),
                kept_for: Vec::new(),
            }
        })
        .collect();
    let verdicts = evaluate(&rules.policy(), zone.parse().unwrap(), &candidates, now.parse().unwrap());
    verdicts
        .into_iter()
        .map(|verdict| match verdict {
            Verdict::Keep(rules) => rules.join(", "),
            Verdict::Remove(reason) => format!("- {reason}"),
        })
        .collect()
}

fn nothing() -> Rules {
    Rules { last: 0, counts: BTreeMap::new(), within: None, within_each: BTreeMap::new(), min: 1, partial: 7 }
}

#[test]
fn every_snapshot_gets_all_rules_that_keep_it_or_the_reason_it_goes() {
    let rules = Rules {
        last: 1,
        counts: [(Period::Daily, 2), (Period::Monthly, 2)].into(),
        within: Some(1),
        min: 6,
        ..nothing()
    };
    let history = [
        "2026-09-30T02:00:00Z",
        "2026-10-30T02:00:00Z",
        "2026-10-31T02:00:00Z",
        "2026-11-01T02:00:00Z!",
        "2026-11-15T02:00:00Z",
        "2026-11-18T02:00:00Z!",
        "2026-11-19T14:00:00Z",
        "2026-11-20T02:00:00Z",
        "2026-11-20T14:00:00Z",
        "2026-11-21T03:00:00Z",
        "2026-11-20T15:00:00Z!",
    ];
    assert_eq!(
        judged(&rules, "UTC", &history, "2026-11-21T00:00:00Z"),
        [
            "- no rule keeps it",
            "min_snapshots 6",
            "monthly 2026-10",
            "- partial, older than 7d, and a complete one is later",
            "covers the 1d before the newest",
            "partial, younger than 7d",
            "daily 2026-11-19, within 1d",
            "within 1d",
            "newest complete, last, daily 2026-11-20, monthly 2026-11, within 1d",
            "dated in the future",
            "partial, and no complete one is later",
        ]
    );
}

#[test]
fn a_window_is_covered_by_one_that_is_older() {
    let rules = Rules { within: Some(30), within_each: [(Period::Yearly, 800)].into(), ..nothing() };
    let history = [
        "2022-06-01T00:00:00Z",
        "2023-06-01T00:00:00Z",
        "2025-03-01T00:00:00Z",
        "2026-10-01T00:00:00Z",
        "2026-10-02T00:00:00Z",
        "2026-11-20T00:00:00Z",
    ];
    assert_eq!(
        judged(&rules, "UTC", &history, "2026-11-21T00:00:00Z"),
        [
            "- no rule keeps it",
            "covers the 800d before the newest",
            "within 800d, yearly 2025",
            "- no rule keeps it",
            "covers the 30d before the newest",
            "newest complete, within 30d, within 800d, yearly 2026",
        ]
    );
    // Years later, with no backup since, all of it stays.
    assert_eq!(
        judged(&rules, "UTC", &history, "2036-11-21T00:00:00Z"),
        judged(&rules, "UTC", &history, "2026-11-21T00:00:00Z")
    );
}

#[test]
fn days_are_those_of_the_repository_also_when_clocks_change() {
    let rules = Rules { counts: [(Period::Daily, 2)].into(), ..nothing() };
    // Half past midnight in Paris is the day before in UTC.
    let history = ["2026-10-24T22:30:00Z", "2026-10-25T22:30:00Z", "2026-10-25T23:30:00Z"];
    let told = |zone| judged(&rules, zone, &history, "2026-11-01T00:00:00Z");
    assert_eq!(told("UTC"), ["daily 2026-10-24", "- no rule keeps it", "newest complete, daily 2026-10-25"]);
    assert_eq!(
        told("Europe/Paris"),
        ["- no rule keeps it", "daily 2026-10-25", "newest complete, daily 2026-10-26"]
    );
    // The hour that comes twice is two hours.
    let rules = Rules { counts: [(Period::Hourly, 9)].into(), ..nothing() };
    let history = ["2026-10-25T00:10:00Z", "2026-10-25T00:50:00Z", "2026-10-25T01:10:00Z"];
    let told = judged(&rules, "Europe/Paris", &history, "2026-11-01T00:00:00Z");
    assert_eq!(told[0], "- no rule keeps it");
    assert_eq!(told[1], "hourly 2026-10-25 02:00 +02:00");
    assert_eq!(told[2], "newest complete, hourly 2026-10-25 02:00 +01:00");
}

#[test]
fn without_a_complete_one_nothing_goes() {
    let rules = Rules { last: 1, ..nothing() };
    let history = ["2020-01-01T00:00:00Z!", "2021-01-01T00:00:00Z!", "2027-01-01T00:00:00Z"];
    let told = judged(&rules, "UTC", &history, "2026-11-21T00:00:00Z");
    assert_eq!(
        told,
        [
            "partial, and no complete one is later",
            "partial, and no complete one is later",
            "dated in the future"
        ]
    );
}
