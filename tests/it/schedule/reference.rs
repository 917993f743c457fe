//! Against a naive model: it walks the minutes of a time zone one by one, and knows crontab(5) as
//! four sentences, not as code shared with the product.

use chrono::{DateTime, Datelike as _, NaiveDateTime, TimeDelta, TimeZone as _, Timelike as _, Utc};
use chrono_tz::Tz;
use prismvault::clock::Timestamp;
use prismvault::schedule::Cron;
use proptest::prelude::*;

/// Zones with an hour, half an hour, none, a year-round other offset, and a change at midnight.
const ZONES: [Tz; 7] = [
    Tz::UTC,
    Tz::Europe__Paris,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::Asia__Kathmandu,
    Tz::America__Santiago,
    Tz::Africa__Cairo,
];

/// One field, so simple that it needs no parser.
#[derive(Debug, Clone)]
enum Field {
    Star,
    StarStep(u32),
    List(Vec<u32>),
    RangeStep(u32, u32, u32),
}

impl Field {
    fn text(&self) -> String {
        match self {
            Self::Star => "*".to_owned(),
            Self::StarStep(step) => format!("*/{step}"),
            Self::List(list) => list.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
            Self::RangeStep(from, to, 1) => format!("{from}-{to}"),
            Self::RangeStep(from, to, step) => format!("{from}-{to}/{step}"),
        }
    }

    fn holds(&self, value: u32, low: u32) -> bool {
        match self {
            Self::Star => true,
            Self::StarStep(step) => (value - low).is_multiple_of(*step),
            Self::List(list) => list.contains(&value),
            Self::RangeStep(from, to, step) => {
                (*from..=*to).contains(&value) && (value - from).is_multiple_of(*step)
            }
        }
    }

    fn is_starred(&self) -> bool {
        matches!(self, Self::Star | Self::StarStep(_))
    }
}

fn field(low: u32, high: u32) -> impl Strategy<Value = Field> {
    let range = (low..=high, low..=high, 1..=high)
        .prop_map(|(a, b, step)| Field::RangeStep(a.min(b), a.max(b), step));
    prop_oneof![
        3 => Just(Field::Star),
        1 => (1..=high).prop_map(Field::StarStep),
        3 => prop::collection::vec(low..=high, 1..4).prop_map(Field::List),
        2 => range,
    ]
}

#[derive(Debug, Clone)]
struct Model {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

impl Model {
    fn text(&self) -> String {
        [&self.minute, &self.hour, &self.day, &self.month, &self.weekday].map(Field::text).join(" ")
    }

    fn fits(&self, at: NaiveDateTime) -> bool {
        let weekday = at.weekday().num_days_from_sunday();
        let on_day = self.day.holds(at.day(), 1);
        // Sunday is 0 and 7; steps of a star count from 0 to 6.
        let on_weekday = self.weekday.holds(weekday, 0)
            || (weekday == 0 && !self.weekday.is_starred() && self.weekday.holds(7, 0));
        let right_day = match self.day.is_starred() || self.weekday.is_starred() {
            true => on_day && on_weekday,
            false => on_day || on_weekday,
        };
        right_day
            && self.minute.holds(at.minute(), 0)
            && self.hour.holds(at.hour(), 0)
            && self.month.holds(at.month(), 1)
    }

    /// All runs after `after` and until `end`, minute by minute.
    fn runs(&self, zone: Tz, after: Timestamp, end: Timestamp) -> Vec<Timestamp> {
        let minute = TimeDelta::minutes(1);
        let local = |at: Timestamp| at.with_timezone(&zone).naive_local();
        let (mut found, mut at) = (Vec::new(), after);
        // The latest time that the clock ever showed: what it shows again was there before.
        let day_before = (1..1440).map(|ago| local(after - TimeDelta::minutes(ago)));
        let mut latest = day_before.chain([local(after)]).max().unwrap();
        while at < end {
            at += minute;
            let shown = local(at);
            if shown <= latest {
                continue;
            }
            // More than one minute where the clock jumped.
            let mut passed = latest;
            let mut fits = false;
            while passed < shown {
                passed += minute;
                fits |= self.fits(passed);
            }
            if fits {
                found.push(at);
            }
            latest = shown;
        }
        found
    }
}

fn models() -> impl Strategy<Value = Model> {
    (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7)).prop_map(
        |(minute, hour, day, month, weekday)| {
            // A step over a star has as many values as the week has days.
            let weekday = match weekday {
                Field::StarStep(step) => Field::StarStep(step.min(6)),
                other => other,
            };
            Model { minute, hour, day, month, weekday }
        },
    )
}

fn runs_of(cron: &Cron, after: Timestamp, end: Timestamp) -> Vec<Timestamp> {
    std::iter::successors(cron.next_after(after), |at| cron.next_after(*at))
        .take_while(|at| *at <= end)
        .collect()
}

/// The moments at which a zone changes its clocks in a year, to the day.
fn days_of_change(zone: Tz, year: i32) -> Vec<Timestamp> {
    let start = Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap();
    let offset = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local() - at.naive_utc();
    (0..366)
        .map(|day| start + TimeDelta::days(day))
        .filter(|day| offset(*day) != offset(*day + TimeDelta::days(1)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn runs_are_those_of_a_model_that_walks_every_minute(
        model in models(),
        zone in prop::sample::select(&ZONES[..]),
        year in 1990..2090_i32,
        day in 0..365_i64,
        minute in 0..1440_i64,
        near_change in any::<bool>(),
    ) {
        let changes = days_of_change(zone, year);
        let start = match (near_change, changes.is_empty()) {
            (true, false) => changes[day as usize % changes.len()] - TimeDelta::days(1),
            _ => Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap() + TimeDelta::days(day),
        } + TimeDelta::minutes(minute);
        let end = start + TimeDelta::days(6);
        let Ok(cron) = Cron::parse(&model.text(), zone.name().parse().unwrap()) else {
            // Only dates that never come: a day that none of its months has.
            prop_assert!(!model.day.is_starred() || !model.weekday.is_starred());
            prop_assert!(model.runs(zone, start, end).is_empty());
            return Ok(());
        };
        prop_assert_eq!(runs_of(&cron, start, end), model.runs(zone, start, end), "{} {}", model.text(), zone);
    }

    #[test]
    fn runs_are_those_of_the_model_where_clocks_are_changed(
        minute in field(0, 59),
        // Where the changes are, so that most cases have one in their way.
        hour in field(0, 3),
        zone in prop::sample::select(&ZONES[1..4]),
        year in 1990..2090_i32,
        change in 0..2_usize,
        offset in 0..2880_i64,
    ) {
        let [day, month, weekday] = [Field::Star, Field::Star, Field::Star];
        let model = Model { minute, hour, day, month, weekday };
        let start = days_of_change(zone, year)[change] + TimeDelta::minutes(offset - 1440);
        let end = start + TimeDelta::days(3);
        let cron = Cron::parse(&model.text(), zone.name().parse().unwrap()).unwrap();
        prop_assert_eq!(runs_of(&cron, start, end), model.runs(zone, start, end), "{} {}", model.text(), zone);
    }

    #[test]
    fn the_next_run_is_later_and_does_not_depend_on_the_moments_in_between(
        model in models(),
        zone in prop::sample::select(&ZONES[..]),
        after in 0..4_000_000_000_i64,
        part in 0.0..1.0_f64,
    ) {
        let after = DateTime::from_timestamp(after, 0).unwrap();
        let Ok(cron) = Cron::parse(&model.text(), zone.name().parse().unwrap()) else { return Ok(()) };
        let Some(next) = cron.next_after(after) else { return Ok(()) };
        prop_assert!(next > after);
        let between = ((next - after).num_seconds() as f64 * part) as i64;
        let between = after + TimeDelta::seconds(between.min((next - after).num_seconds() - 1));
        prop_assert_eq!(cron.next_after(between), Some(next));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,40}", words in "[-0-9*/,@a-z ]{0,24}") {
        for text in [text, words] {
            // Whatever it says, it says it.
            Cron::parse(&text, "UTC".parse().unwrap()).ok();
        }
    }
}

#[test]
fn daily_runs_over_thirty_years_are_one_a_day_in_every_zone() {
    for zone in ZONES {
        for (text, minutes) in [("30 2 * * *", 150), ("15 0 * * *", 15), ("45 1 * * *", 105)] {
            let cron = Cron::parse(text, zone.name().parse().unwrap()).unwrap();
            let start = Utc.with_ymd_and_hms(2020, 1, 1, 12, 0, 0).unwrap();
            let end = Utc.with_ymd_and_hms(2050, 1, 1, 12, 0, 0).unwrap();
            let runs = runs_of(&cron, start, end);
            let days: Vec<_> = runs.iter().map(|at| at.with_timezone(&zone).date_naive()).collect();
            assert!(days.windows(2).all(|pair| pair[1] - pair[0] == TimeDelta::days(1)), "{zone} {text}");
            for at in runs {
                let shown = at.with_timezone(&zone);
                let shown_minutes = i64::from(shown.hour() * 60 + shown.minute());
                assert!((minutes..=minutes + 60).contains(&shown_minutes), "{zone} {text} {shown}");
            }
        }
    }
}
