//! The vectors in the files, Easter by a table, and the whole against a model that walks days.

use std::collections::BTreeSet;

use chrono::Days;
use proptest::prelude::*;

use super::*;
use crate::privacy::right::Right;
use crate::privacy::rules::data::{Days as Counted, Effect};

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a test writes valid dates")
}

#[test]
fn the_vectors_of_every_file_hold() {
    let mut count = 0;
    for file in FILES {
        let profile = Profile::parse(file).unwrap();
        for (at, edition) in profile.editions.iter().enumerate() {
            assert!(!edition.vectors.is_empty(), "{} has vectors", profile.name);
            for vector in &edition.vectors {
                let name = match &vector.region {
                    Some(region) => format!("{}-{region}", profile.name),
                    None => profile.name.clone(),
                };
                let rules = super::profile(&name, vector.received).unwrap();
                assert_eq!(rules.edition().valid_from, profile.editions[at].valid_from, "{}", vector.why);
                let rights =
                    if vector.rights.is_empty() { vec![Right::Access] } else { vector.rights.clone() };
                let due = rules.due(&ClockEvents {
                    received: vector.received,
                    rights,
                    extension_told: vector.extended,
                    pauses: vector.pauses.clone(),
                });
                assert_eq!(due.date, vector.due, "{name}: {}: {:#?}", vector.why, due.steps);
                count += 1;
            }
        }
    }
    assert!(count > 30, "{count} vectors");
}

#[test]
fn easter_is_as_the_almanac_says() {
    for date in [
        "2018-04-01",
        "2019-04-21",
        "2020-04-12",
        "2021-04-04",
        "2022-04-17",
        "2023-04-09",
        "2024-03-31",
        "2025-04-20",
        "2026-04-05",
        "2027-03-28",
        "2028-04-16",
        "2029-04-01",
        "2030-04-21",
        "2035-03-25",
        "2038-04-25",
        "2285-03-22",
    ] {
        let date = day(date);
        assert_eq!(holidays::easter(chrono::Datelike::year(&date)), Some(date));
    }
}

#[test]
fn the_bank_holidays_of_england_and_wales_are_those_that_were_published() {
    let uk = Profile::parse(FILES[4]).unwrap();
    for (year, published) in [
        (2020, "01-01 04-10 04-13 05-08 05-25 08-31 12-25 12-28"),
        (2021, "01-01 04-02 04-05 05-03 05-31 08-30 12-27 12-28"),
        (2022, "01-03 04-15 04-18 05-02 06-02 06-03 08-29 09-19 12-26 12-27"),
        (2023, "01-02 04-07 04-10 05-01 05-08 05-29 08-28 12-25 12-26"),
        (2026, "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28"),
    ] {
        let days = holidays::of_year(&uk.holidays, None, year);
        let weekdays = days.keys().filter(|day| !holidays::is_weekend(**day));
        let found: Vec<String> = weekdays.map(|day| day.format("%m-%d").to_string()).collect();
        assert_eq!(found.join(" "), published, "{year}");
    }
}

#[test]
fn the_explanation_can_be_read() {
    let rules = profile("eu", day("2027-01-31")).unwrap();
    let due = rules.due(&ClockEvents {
        received: day("2027-01-31"),
        rights: vec![Right::Access],
        extension_told: None,
        pauses: Vec::new(),
    });
    let steps: Vec<String> = due.steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        steps,
        [
            "received on Sunday 31 January 2027; that day does not count (Reg. 1182/71 Art. 3(1))",
            "31 January 2027 + 1 month = Sunday 28 February 2027, the last day of a month without a 31 (Reg. 1182/71 Art. 3(2)(c))",
            "28 February 2027 is a Sunday → Monday 1 March 2027 (Reg. 1182/71 Art. 3(4))",
        ]
    );
}

#[test]
fn a_case_keeps_to_the_edition_of_its_day_and_names_are_checked() {
    assert_eq!(profile("uk", day("2026-02-04")).unwrap().edition().valid_from, day("2018-05-25"));
    assert_eq!(profile("uk", day("2026-02-05")).unwrap().edition().valid_from, day("2026-02-05"));
    assert_eq!(profile("de-by", day("2026-02-05")).unwrap().name(), "de-by");
    assert_eq!(profile("xx", day("2026-02-05")).unwrap_err(), NoRules::Unknown("xx".to_owned()));
    assert!(matches!(profile("de-xx", day("2026-02-05")), Err(NoRules::UnknownRegion { .. })));
    assert!(matches!(profile("de", day("2018-05-24")), Err(NoRules::TooEarly { .. })));
    assert!(names().iter().any(|(name, title)| name == "uk-sct" && title == "Scotland"));
}

#[test]
fn an_open_pause_gives_the_earliest_date_and_says_so() {
    for (name, waits, date) in [("eu", true, "2026-04-10"), ("uk", true, "2026-04-13")] {
        let rules = profile(name, day("2026-03-10")).unwrap();
        let pause = Pause { kind: PauseKind::Identity, from: day("2026-03-12"), to: None };
        let due = rules.due(&ClockEvents {
            received: day("2026-03-10"),
            rights: vec![Right::Erasure],
            extension_told: None,
            pauses: vec![pause],
        });
        assert_eq!((due.waits_for.is_some(), due.date), (waits, day(date)), "{name}");
    }
    // Clarification does not stop the clock of an erasure request under the UK GDPR.
    let rules = profile("uk", day("2026-03-10")).unwrap();
    assert!(!rules.counts(PauseKind::Clarification, &[Right::Erasure]));
    assert!(!rules.counts(PauseKind::Clarification, &[Right::Access, Right::Erasure]));
    assert!(rules.counts(PauseKind::Clarification, &[Right::Access]));
}

#[test]
fn how_long_a_file_is_kept() {
    let closed = day("2026-11-22");
    assert_eq!(profile("de", closed).unwrap().keep_until(closed), day("2029-12-31"));
    assert_eq!(profile("dk", closed).unwrap().keep_until(closed), day("2031-11-22"));
}

#[test]
fn files_that_are_wrong_are_refused() {
    let good = FILES[0];
    assert!(Profile::parse(good).is_ok());
    for (from, to) in [
        ("months_answer = 1", "months_answer = 0"),
        ("months_answer = 1", "months_anser = 1"),
        ("day = \"12-25\"", "day = \"13-25\""),
        ("day = \"12-25\"", "day = \"12-25\"\neaster = 1"),
        ("day = \"12-25\"", "day = \"12-25\"\nregions = [\"nowhere\"]"),
        ("day = \"12-25\"", "weekday = \"monday\""),
        ("kind = \"clarification\"", "kind = \"identity\""),
        ("name = \"eu\"", "name = \"e-u\""),
        ("effect = \"stops\"", "effect = \"halts\""),
    ] {
        let wrong = good.replacen(from, to, 1);
        assert_ne!(wrong, good, "{from}");
        assert!(Profile::parse(&wrong).is_err(), "{to}");
    }
}

/// The same by walking: day after day, counting those that count.
fn naive(rules: &Rules, events: &ClockEvents) -> NaiveDate {
    let rule = |kind| rules.edition().pause(kind, &events.rights);
    let end = |start: NaiveDate, months: u32| {
        let mut day = start;
        let mut passed = 0;
        loop {
            let next = day.succ_opt().unwrap();
            let month_ends = chrono::Datelike::month(&next) != chrono::Datelike::month(&day);
            let number = chrono::Datelike::day(&day);
            let wanted = chrono::Datelike::day(&start);
            if passed == months && (number == wanted || (month_ends && number < wanted)) {
                break;
            }
            day = next;
            passed += u32::from(month_ends);
        }
        let mut stopped = BTreeSet::new();
        let mut pauses: Vec<_> = events.pauses.iter().filter(|pause| rule(pause.kind).is_some()).collect();
        pauses.sort_by_key(|pause| (pause.from, pause.to.is_none(), pause.to));
        let works = |mut day: NaiveDate| {
            loop {
                let year = chrono::Datelike::year(&day);
                let holidays = holidays::of_year(&rules.profile.holidays, rules.region, year);
                if !holidays::is_weekend(day) && !holidays.contains_key(&day) {
                    return day;
                }
                day = day.succ_opt().unwrap();
            }
        };
        let after =
            |stopped: &BTreeSet<NaiveDate>| day.checked_add_days(Days::new(stopped.len() as u64)).unwrap();
        for pause in pauses {
            let rule = rule(pause.kind).unwrap();
            if rule.effect == Effect::Restarts || pause.from > works(after(&stopped)) {
                continue;
            }
            let last = pause.to.unwrap_or(pause.from);
            for at in pause.from.iter_days().take_while(|at| *at <= last) {
                if at >= start && (at < last || rule.days == Counted::Both) {
                    stopped.insert(at);
                }
            }
        }
        works(after(&stopped))
    };
    let mut start = events.received;
    let mut restarts: Vec<_> = events.pauses.iter().collect();
    restarts.sort_by_key(|pause| (pause.from, pause.to.is_none(), pause.to));
    for pause in restarts {
        if rule(pause.kind).is_some_and(|rule| rule.effect == Effect::Restarts)
            && pause.from <= end(start, rules.edition().months_answer)
        {
            start = start.max(pause.to.unwrap_or(pause.from));
        }
    }
    let first = end(start, rules.edition().months_answer);
    match events.extension_told {
        Some(told) if told <= first => {
            end(start, rules.edition().months_answer + rules.edition().months_extension)
        }
        _ => first,
    }
}

proptest! {
    #[test]
    fn the_date_is_that_of_a_model_that_walks_days(
        which in 0_usize..26,
        received in 0_u64..3000,
        right in 0_usize..6,
        told in proptest::option::of(0_u64..60),
        pauses in proptest::collection::vec((any::<bool>(), 0_u64..60, proptest::option::of(0_u64..40)), 0..4),
    ) {
        let names = names();
        let (name, _) = &names[which % names.len()];
        let received = day("2018-06-01").checked_add_days(Days::new(received)).unwrap();
        let at = |days| received.checked_add_days(Days::new(days)).unwrap();
        let rules = profile(name, received).unwrap();
        let events = ClockEvents {
            received,
            rights: vec![Right::ALL[right]],
            extension_told: told.map(at),
            pauses: pauses
                .iter()
                .map(|(identity, from, length)| Pause {
                    kind: if *identity { PauseKind::Identity } else { PauseKind::Clarification },
                    from: at(*from),
                    to: length.map(|length| at(from + length)),
                })
                .collect(),
        };
        let due = rules.due(&events);
        prop_assert_eq!(due.date, naive(&rules, &events), "{} {:?}\n{:#?}", name, events, due.steps);
        prop_assert!(due.date >= due.extension_by);
        prop_assert!(due.steps.len() >= 2);
        // More time is never less time.
        let without = rules.due(&ClockEvents { extension_told: None, ..events });
        prop_assert!(due.date >= without.date);
    }
}
