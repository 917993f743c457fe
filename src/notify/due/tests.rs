//! Histories of alarms, and what is said of them.

use proptest::prelude::*;

use super::*;

const SOURCE: &str = "status";

fn start() -> Timestamp {
    "2026-11-21T02:00:00Z".parse().unwrap()
}

fn at(minutes: i64) -> Timestamp {
    start() + TimeDelta::minutes(minutes)
}

fn pace() -> Pace {
    Pace { remind_every: "24h".parse().unwrap(), calm: Duration::from_hours(1) }
}

fn alarm(key: &str, severity: Severity) -> Alarm {
    Alarm {
        key: key.to_owned(),
        severity,
        repository: Some("blog".parse().unwrap()),
        what: "the last complete snapshot is too old".to_owned(),
        since: None,
        next: "prismvault snapshot blog".to_owned(),
    }
}

/// A receiver, and what it was told.
#[derive(Default)]
struct Receiver(BTreeMap<String, Said>);

impl Receiver {
    fn hear(&mut self, alarms: &[Alarm], minutes: i64) -> Vec<(String, Change)> {
        let steps = due(&self.0, SOURCE, alarms, &pace(), at(minutes));
        let heard = steps.iter().flat_map(|step| &step.notice).map(|n| (n.key.clone(), n.change)).collect();
        note(&mut self.0, steps);
        heard
    }

    /// What is said of the one alarm `a`, present or not.
    fn one(&mut self, severity: Option<Severity>, minutes: i64) -> Option<Change> {
        let alarms: Vec<Alarm> = severity.map(|severity| alarm("a", severity)).into_iter().collect();
        self.hear(&alarms, minutes).first().map(|(_, change)| *change)
    }
}

const WARNING: Option<Severity> = Some(Severity::Warning);
const CRITICAL: Option<Severity> = Some(Severity::Critical);
const DAY: i64 = 24 * 60;

#[test]
fn what_lasts_is_said_once_reminded_of_each_day_and_ended_once() {
    let mut receiver = Receiver::default();
    for (severity, minutes, expected) in [
        (None, 0, None),
        (CRITICAL, 5, Some(Change::Began)),
        (CRITICAL, 10, None),
        (CRITICAL, DAY, None),
        (CRITICAL, DAY + 5, Some(Change::Reminder)),
        (CRITICAL, DAY + 10, None),
        (CRITICAL, 3 * DAY, Some(Change::Reminder)),
        (None, 3 * DAY + 5, Some(Change::Ended)),
        (None, 3 * DAY + 10, None),
        (None, 9 * DAY, None),
        (CRITICAL, 10 * DAY, Some(Change::Began)),
    ] {
        assert_eq!(receiver.one(severity, minutes), expected, "at {minutes}");
    }
}

#[test]
fn what_gets_worse_is_said_and_what_gets_better_waits_for_the_reminder() {
    let mut receiver = Receiver::default();
    for (severity, minutes, expected) in [
        (WARNING, 0, Some(Change::Began)),
        (CRITICAL, 5, Some(Change::Worse)),
        (WARNING, 10, None),
        (CRITICAL, 15, None),
        (WARNING, 20, None),
        (WARNING, 5 + DAY, Some(Change::Reminder)),
        (CRITICAL, 10 + DAY, Some(Change::Worse)),
    ] {
        assert_eq!(receiver.one(severity, minutes), expected, "at {minutes}");
    }
}

#[test]
fn what_comes_and_goes_is_called_over_only_after_it_stayed_away() {
    let mut receiver = Receiver::default();
    let mut heard = Vec::new();
    for minutes in 0..300 {
        heard.extend(receiver.one(CRITICAL.filter(|_| minutes % 2 == 0), minutes));
    }
    assert_eq!(heard, [Change::Began, Change::Ended, Change::Began]);
    // It was last seen absent at 299; a look an hour after that ends it.
    assert_eq!(receiver.one(None, 300), None);
    assert_eq!(receiver.one(None, 358), None);
    assert_eq!(receiver.one(None, 359), Some(Change::Ended));
    // Back soon: still restless. Back late: as new.
    assert_eq!(receiver.one(CRITICAL, 400), Some(Change::Began));
    assert_eq!(receiver.one(None, 401), None);
    assert_eq!(receiver.one(None, 500), Some(Change::Ended));
    assert_eq!(receiver.one(None, 700), None);
    assert!(receiver.0.is_empty(), "it is forgotten in the end");
}

#[test]
fn what_another_source_found_is_left_alone() {
    let mut receiver = Receiver::default();
    receiver.hear(&[alarm("a", Severity::Critical)], 0);
    assert_eq!(due(&receiver.0, "job/nightly", &[], &pace(), at(5)), []);
    let steps = due(&receiver.0, "job/nightly", &[alarm("b", Severity::Warning)], &pace(), at(5));
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].notice.as_ref().unwrap().job.as_ref().unwrap().as_str(), "nightly");
}

#[test]
fn what_did_not_arrive_is_said_the_next_time() {
    let said = BTreeMap::new();
    for minutes in [0, 5] {
        let steps = due(&said, SOURCE, &[alarm("a", Severity::Critical)], &pace(), at(minutes));
        assert_eq!(steps[0].notice.as_ref().unwrap().change, Change::Began);
    }
}

#[test]
fn the_end_says_since_when_and_what_it_was() {
    let mut receiver = Receiver::default();
    let since = at(-90);
    receiver.hear(&[Alarm { since: Some(since), ..alarm("a", Severity::Critical) }], 0);
    let steps = due(&receiver.0, SOURCE, &[], &pace(), at(5));
    let notice = steps[0].notice.as_ref().unwrap();
    assert_eq!((notice.since, notice.severity), (since, Severity::Critical));
    assert_eq!(notice.title(), "[over] blog: the last complete snapshot is too old");
    assert_eq!(notice.details(), "it had been so since 2026-11-21T00:30:00Z");
}

#[test]
fn a_clock_that_was_years_ahead_does_not_put_reminders_off() {
    let mut receiver = Receiver::default();
    assert_eq!(receiver.one(CRITICAL, 3000 * DAY), Some(Change::Began));
    assert_eq!(receiver.one(CRITICAL, 0), None);
    assert_eq!(receiver.one(CRITICAL, DAY), Some(Change::Reminder));
}

#[test]
fn reminders_can_be_switched_off() {
    let never = Pace { remind_every: "0h".parse().unwrap(), ..pace() };
    let mut said = BTreeMap::new();
    let steps = due(&said, SOURCE, &[alarm("a", Severity::Critical)], &never, at(0));
    note(&mut said, steps);
    assert_eq!(due(&said, SOURCE, &[alarm("a", Severity::Critical)], &never, at(3000 * DAY)), []);
}

/// A look at three alarms: minutes since the last look, and how grave each of them is.
fn looks() -> impl Strategy<Value = Vec<(i64, [Option<Severity>; 3])>> {
    let severity = prop_oneof![Just(None), Just(WARNING), Just(CRITICAL)];
    let pause = prop_oneof![4 => 1..10_i64, 2 => 30..200_i64, 1 => 1000..5000_i64];
    proptest::collection::vec((pause, proptest::array::uniform3(severity)), 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// What the receiver believes, from messages alone, is held against what is true.
    #[test]
    fn the_receiver_always_knows_what_is_wrong(looks in looks()) {
        let mut receiver = Receiver::default();
        let mut minutes = 0;
        // By key: how grave it was last called, and when it was last spoken of.
        let mut believed: BTreeMap<String, (Severity, i64)> = BTreeMap::new();
        let mut messages: Vec<(String, i64)> = Vec::new();
        let mut absent_since: BTreeMap<&str, i64> = BTreeMap::new();
        for (pause, severities) in looks {
            minutes += pause;
            let here: Vec<(&str, Severity)> =
                ["a", "b", "c"].into_iter().zip(severities).filter_map(|(key, s)| Some((key, s?))).collect();
            let alarms: Vec<Alarm> = here.iter().map(|(key, severity)| alarm(key, *severity)).collect();
            let heard = receiver.hear(&alarms, minutes);
            for (key, change) in &heard {
                prop_assert_eq!(heard.iter().filter(|(other, _)| other == key).count(), 1);
                let now = here.iter().find(|(other, _)| other == key).map(|(_, severity)| *severity);
                let before = believed.get(key).copied();
                match change {
                    Change::Began => prop_assert!(before.is_none() && now.is_some(), "said twice: {key}"),
                    Change::Worse => prop_assert!(before.unwrap().0 == Severity::Warning && now == CRITICAL),
                    Change::Reminder => {
                        prop_assert!(now.is_some() && minutes - before.unwrap().1 >= DAY, "too early: {key}");
                    }
                    Change::Ended => prop_assert!(before.is_some() && now.is_none(), "not over: {key}"),
                    Change::Test => prop_assert!(false),
                }
                match now {
                    Some(severity) => drop(believed.insert(key.clone(), (severity, minutes))),
                    None => drop(believed.remove(key)),
                }
                messages.push((key.clone(), minutes));
            }
            for key in ["a", "b", "c"] {
                let now = here.iter().find(|(other, _)| *other == key).map(|(_, severity)| *severity);
                match (now, believed.get(key)) {
                    (Some(severity), Some((told, at))) => {
                        absent_since.remove(key);
                        prop_assert!(*told >= severity, "it is worse than was said: {key}");
                        prop_assert!(minutes - at < DAY, "no reminder: {key}");
                    }
                    (Some(_), None) => prop_assert!(false, "silent about {key}"),
                    (None, Some(_)) => {
                        let since = *absent_since.entry(key).or_insert(minutes);
                        prop_assert!(minutes - since < 60, "its end was not said: {key}");
                    }
                    (None, None) => drop(absent_since.remove(key)),
                }
            }
        }
        for (index, (key, from)) in messages.iter().enumerate() {
            let of_it = messages[index..].iter().filter(|(other, at)| other == key && at - from < 60);
            prop_assert!(of_it.count() <= 5, "too many messages of {key}");
        }
    }
}
