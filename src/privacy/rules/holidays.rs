//! Public holidays of a year, from the rules of a profile.

use std::collections::BTreeMap;

use chrono::{Datelike as _, Days, NaiveDate, Weekday};
use serde::Deserialize;

/// A holiday as it stands in the file of a profile: exactly one way to say when it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HolidayRow {
    name: String,
    /// Month and day: `05-01`.
    day: Option<String>,
    /// Days after Easter Sunday.
    easter: Option<i32>,
    /// With `nth` and `month`, or with `before`.
    weekday: Option<String>,
    /// 1 to 4, or -1 for the last of the month.
    nth: Option<i8>,
    month: Option<u32>,
    /// The last such weekday before this month and day.
    before: Option<String>,
    /// Single days.
    dates: Vec<NaiveDate>,
    /// First year.
    from: Option<i32>,
    /// Last year.
    until: Option<i32>,
    /// Years without it.
    except: Vec<i32>,
    /// Only there.
    regions: Vec<String>,
    /// Everywhere else.
    not_regions: Vec<String>,
    /// Whether the next working day is free where it falls on a weekend.
    substitute: bool,
}

/// A public holiday.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    name: String,
    when: When,
    from: Option<i32>,
    until: Option<i32>,
    except: Vec<i32>,
    regions: Vec<String>,
    not_regions: Vec<String>,
    substitute: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum When {
    Fixed { month: u32, day: u32 },
    Easter(i32),
    Nth { weekday: Weekday, nth: i8, month: u32 },
    Before { weekday: Weekday, month: u32, day: u32 },
    Dates(Vec<NaiveDate>),
}

/// Returns Easter Sunday of a year in the Gregorian calendar, by the arithmetic of
/// Meeus, Jones and Butcher.
pub fn easter(year: i32) -> Option<NaiveDate> {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    NaiveDate::from_ymd_opt(year, u32::try_from(n / 31).ok()?, u32::try_from(n % 31).ok()? + 1)
}

/// Whether a day is a Saturday or Sunday.
pub fn is_weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

impl Holiday {
    /// Checks a row of the file.
    pub(super) fn check(row: HolidayRow) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("holiday {:?}: {why}", row.name));
        let month_day = |text: &str| {
            let (month, day) = text.split_once('-')?;
            let (month, day) = (month.parse().ok()?, day.parse().ok()?);
            NaiveDate::from_ymd_opt(2024, month, day).map(|_| (month, day))
        };
        let weekday = row.weekday.as_deref().map(str::parse::<Weekday>);
        if matches!(weekday, Some(Err(_))) {
            return wrong("no such weekday");
        }
        let weekday = weekday.and_then(Result::ok);
        let when = match (&row.day, row.easter, weekday, row.nth, row.month, &row.before, &row.dates[..]) {
            (Some(text), None, None, None, None, None, []) => match month_day(text) {
                Some((month, day)) => When::Fixed { month, day },
                None => return wrong("`day` is month and day, as 05-01"),
            },
            (None, Some(days), None, None, None, None, []) if days.abs() <= 100 => When::Easter(days),
            (None, None, Some(weekday), Some(nth), Some(month), None, [])
                if (nth == -1 || (1..=4).contains(&nth)) && (1..=12).contains(&month) =>
            {
                When::Nth { weekday, nth, month }
            }
            (None, None, Some(weekday), None, None, Some(text), []) => match month_day(text) {
                Some((month, day)) => When::Before { weekday, month, day },
                None => return wrong("`before` is month and day, as 11-23"),
            },
            (None, None, None, None, None, None, [_, ..]) => When::Dates(row.dates),
            _ => {
                return wrong(
                    "it has one of `day`, `easter`, `weekday` with `nth` and `month`, `weekday` with `before`, `dates`",
                );
            }
        };
        if !row.regions.is_empty() && !row.not_regions.is_empty() {
            return wrong("`regions` and `not_regions` exclude each other");
        }
        Ok(Self {
            name: row.name,
            when,
            from: row.from,
            until: row.until,
            except: row.except,
            regions: row.regions,
            not_regions: row.not_regions,
            substitute: row.substitute,
        })
    }

    /// The regions that it names.
    pub(super) fn regions(&self) -> impl Iterator<Item = &String> {
        self.regions.iter().chain(&self.not_regions)
    }

    fn is_in(&self, region: Option<&str>) -> bool {
        let names = |list: &[String]| list.iter().any(|one| Some(one.as_str()) == region);
        (self.regions.is_empty() || names(&self.regions)) && !names(&self.not_regions)
    }

    /// Its days in a year, before substitutes.
    fn days(&self, year: i32) -> Vec<NaiveDate> {
        if self.from.is_some_and(|from| year < from)
            || self.until.is_some_and(|until| year > until)
            || self.except.contains(&year)
        {
            return Vec::new();
        }
        let one = match &self.when {
            When::Fixed { month, day } => NaiveDate::from_ymd_opt(year, *month, *day),
            When::Easter(days) => easter(year).and_then(|easter| shift(easter, i64::from(*days))),
            When::Nth { weekday, nth, month } => nth_weekday(year, *month, *weekday, *nth),
            When::Before { weekday, month, day } => {
                let end = NaiveDate::from_ymd_opt(year, *month, *day);
                end.and_then(|end| {
                    (1..=7).filter_map(|n| shift(end, -n)).find(|day| day.weekday() == *weekday)
                })
            }
            When::Dates(dates) => return dates.iter().filter(|day| day.year() == year).copied().collect(),
        };
        one.into_iter().collect()
    }
}

fn shift(day: NaiveDate, by: i64) -> Option<NaiveDate> {
    day.checked_add_signed(chrono::TimeDelta::try_days(by)?)
}

fn nth_weekday(year: i32, month: u32, weekday: Weekday, nth: i8) -> Option<NaiveDate> {
    match u8::try_from(nth) {
        Ok(nth) => NaiveDate::from_weekday_of_month_opt(year, month, weekday, nth),
        Err(_) => {
            let fifth = NaiveDate::from_weekday_of_month_opt(year, month, weekday, 5);
            fifth.or_else(|| NaiveDate::from_weekday_of_month_opt(year, month, weekday, 4))
        }
    }
}

/// Returns the public holidays of a year in a region, each with its name. Where a holiday with a
/// substitute falls on a weekend, the next day that is neither weekend nor holiday is one as well.
pub fn of_year(rules: &[Holiday], region: Option<&str>, year: i32) -> BTreeMap<NaiveDate, String> {
    let mut days = BTreeMap::new();
    let mut to_move = Vec::new();
    for holiday in rules.iter().filter(|holiday| holiday.is_in(region)) {
        for day in holiday.days(year) {
            if holiday.substitute && is_weekend(day) {
                to_move.push((day, &holiday.name));
            }
            days.entry(day).or_insert_with(|| holiday.name.clone());
        }
    }
    to_move.sort_unstable();
    for (day, name) in to_move {
        let free = |next: &NaiveDate| !is_weekend(*next) && !days.contains_key(next);
        if let Some(next) = (1..=14).filter_map(|n| day.checked_add_days(Days::new(n))).find(free) {
            days.insert(next, format!("{name} (substitute day)"));
        }
    }
    days
}
