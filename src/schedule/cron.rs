//! When a job runs: a cron expression in a time zone.
//!
//! The meaning is that of crontab(5): weekday 0 and 7 are Sunday, and when both day of month and
//! weekday are restricted, a day that fits *either* fits. Crate `cron` finds the times; it takes 1
//! for Sunday and wants both days to fit, so it is given translated fields, and two schedules
//! where crontab(5) joins by *or*.
//!
//! Daylight saving is not left to the crate, which drops times that do not exist and repeats those
//! that come twice. It searches in wall-clock time as if clocks never changed; each time found
//! becomes a point in time by the one rule of [`Zone::moment`]: a time that a change skips is the
//! moment after the gap, a time that occurs twice is the first of the two.
//!
//! Invariants
//! - That rule never goes back: a later wall-clock time is never an earlier moment. So walking
//!   wall-clock times in order visits the moments in order, and several skipped times are one run.
//! - [`Cron::next_after`] is a pure function, and what it returns is later than what it is given.
//! - An expression that was accepted comes at least once between 1970 and 2100.
//!
//! What follows from it: `*/15 * * * *` is silent for the hour that is repeated in autumn. Who
//! wants even intervals takes the time zone UTC.

use std::fmt;
use std::str::FromStr as _;

use ::cron::Schedule;
use chrono::{DateTime, Datelike as _, FixedOffset, TimeDelta};

use super::error::CronError;
use super::fields::{DAY, HOUR, MINUTE, MONTH, SECOND, WEEKDAY, YEAR};
use crate::clock::Timestamp;
use crate::config::Zone;
use crate::config::error::closest;

/// Short forms and what they stand for, as in crontab(5). `@reboot` is no time.
const SHORT_FORMS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A cron expression in a time zone.
#[derive(Debug, Clone)]
pub struct Cron {
    text: String,
    zone: Zone,
    /// One, or two of which the earlier counts.
    schedules: Vec<Schedule>,
}

impl Cron {
    /// Reads an expression: five fields, six with seconds first, seven with years last, or a short
    /// form (`@daily`). `zone` is an IANA name.
    ///
    /// # Errors
    ///
    /// When a field is not as crontab(5) has it, or no date is as the fields want it.
    pub fn parse(text: &str, zone: Zone) -> Result<Self, CronError> {
        let schedules = schedules(text.trim())?;
        let cron = Self { text: text.trim().to_owned(), zone, schedules };
        match cron.next_after(DateTime::UNIX_EPOCH) {
            Some(_) => Ok(cron),
            None => Err(CronError::Never(cron.text)),
        }
    }

    /// Returns the first run later than `after`; `None` when there is none until the end of 2100.
    /// Times before 1970 count as 1970.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        if after.year() > 2100 {
            return None;
        }
        let after = after.max(DateTime::UNIX_EPOCH);
        let mut wall_clock = self.zone.local(after).naive_local();
        loop {
            // In UTC the crate finds every time: UTC has neither gaps nor repetitions.
            let found = |schedule: &Schedule| schedule.after(&wall_clock.and_utc()).next();
            wall_clock = self.schedules.iter().filter_map(found).min()?.naive_utc();
            if let Some(at) = self.zone.moment(wall_clock).filter(|at| *at > after) {
                return Some(at);
            }
        }
    }

    /// Returns the last run at or before `at`; `None` when there is none since 1970.
    ///
    /// It looks back over spans that double, so it costs a few steps for an expression that comes
    /// each minute and for one that comes once a year.
    pub fn last_until(&self, at: Timestamp) -> Option<Timestamp> {
        let mut span = TimeDelta::minutes(1);
        let first = loop {
            let from = at.checked_sub_signed(span).unwrap_or(DateTime::UNIX_EPOCH);
            match self.next_after(from).filter(|found| *found <= at) {
                Some(found) => break found,
                None if from <= DateTime::UNIX_EPOCH => return None,
                None => span = span * 2,
            }
        };
        std::iter::successors(Some(first), |found| self.next_after(*found))
            .take_while(|found| *found <= at)
            .last()
    }

    /// Returns a moment as clocks of the time zone show it.
    pub fn local(&self, at: Timestamp) -> DateTime<FixedOffset> {
        self.zone.local(at)
    }

    /// Returns the IANA name of the time zone.
    pub fn zone(&self) -> &'static str {
        self.zone.name()
    }
}

/// Writes the expression as it was read, without the time zone.
impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Translates an expression into what crate `cron` understands.
fn schedules(text: &str) -> Result<Vec<Schedule>, CronError> {
    let mut written = text;
    if text.starts_with('@') {
        let known = SHORT_FORMS.iter().find(|(form, _)| text.eq_ignore_ascii_case(form));
        written = known.map(|(_, fields)| *fields).ok_or_else(|| CronError::Shorthand {
            text: text.chars().take(40).collect(),
            closest: closest(text, SHORT_FORMS.iter().map(|(form, _)| *form)),
        })?;
    }
    let fields: Vec<&str> = written.split_ascii_whitespace().collect();
    let (second, five, year) = match fields.as_slice() {
        five @ [_, _, _, _, _] => ("0", five, "*"),
        [second, five @ ..] if five.len() == 5 => (*second, five, "*"),
        [second, five @ .., year] if five.len() == 5 => (*second, five, *year),
        _ => return Err(CronError::FieldCount(fields.len())),
    };
    let time = [SECOND.parse(second)?, MINUTE.parse(five[0])?, HOUR.parse(five[1])?];
    let [second, minute, hour] = time.map(|values| values.list(0));
    let (day, month, weekday) = (DAY.parse(five[2])?, MONTH.parse(five[3])?.list(0), WEEKDAY.parse(five[4])?);
    let year = YEAR.parse(year)?.list(0);
    let schedule = |day: &str, weekday: &str| {
        Schedule::from_str(&format!("{second} {minute} {hour} {day} {month} {weekday} {year}"))
            .expect("the fields were checked and are lists of numbers")
    };
    // For the crate Sunday is 1.
    let (either, day, weekday) = (!day.starred && !weekday.starred, day.list(0), weekday.list(1));
    Ok(match either {
        true => vec![schedule(&day, "*"), schedule("*", &weekday)],
        false => vec![schedule(&day, &weekday)],
    })
}
