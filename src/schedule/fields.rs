//! One field of a cron expression, as crontab(5) describes it.
//!
//! Fields are read here and not by crate `cron`, whose numbers for weekdays are others, whose
//! messages are several lines long, and which takes forms that mean different things in different
//! programs (`5/15`). What is ambiguous is refused with the form that is not.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::error::CronError;

/// What one field may hold.
pub(super) struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    /// Names of the values from `low` on.
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

pub(super) const SECOND: Field = Field { name: "seconds", low: 0, high: 59, names: &[] };
pub(super) const MINUTE: Field = Field { name: "minutes", low: 0, high: 59, names: &[] };
pub(super) const HOUR: Field = Field { name: "hours", low: 0, high: 23, names: &[] };
pub(super) const DAY: Field = Field { name: "days of the month", low: 1, high: 31, names: &[] };
pub(super) const MONTH: Field = Field { name: "months", low: 1, high: 12, names: MONTHS };
/// Sunday is 0 and 7; [`Values`] have 0.
pub(super) const WEEKDAY: Field = Field { name: "weekdays", low: 0, high: 7, names: WEEKDAYS };
/// As many as crate `cron` and the time zones know.
pub(super) const YEAR: Field = Field { name: "years", low: 1970, high: 2100, names: &[] };

/// The values that a field takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Values {
    set: BTreeSet<u32>,
    /// Whether the field begins with `*`: only then does crontab(5) call it unrestricted.
    pub(super) starred: bool,
}

impl Values {
    /// Writes the values, each higher by `shift`, as crate `cron` reads them.
    pub(super) fn list(&self, shift: u32) -> String {
        self.set.iter().fold(String::new(), |mut list, value| {
            let comma = if list.is_empty() { "" } else { "," };
            write!(list, "{comma}{}", value + shift).expect("writing to a String cannot fail");
            list
        })
    }
}

impl Field {
    /// Reads a field: `*`, numbers, names and ranges, lists of them, steps.
    pub(super) fn parse(&self, text: &str) -> Result<Values, CronError> {
        let mut set = BTreeSet::new();
        for part in text.split(',') {
            set.extend(self.part(part)?);
        }
        if self.high == WEEKDAY.high && set.remove(&7) {
            set.insert(0);
        }
        Ok(Values { set, starred: text.starts_with('*') })
    }

    fn part(&self, part: &str) -> Result<impl Iterator<Item = u32> + use<>, CronError> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.low, self.last()),
            Some((from, to)) => self.range(from, to, part)?,
            None if step.is_some() => {
                let reason = format!("has a step after a single value; write {range}-{}/…", self.last());
                return Err(self.wrong(part, reason));
            }
            None => {
                let value = self.value(range, part)?;
                (value, value)
            }
        };
        let most = self.last() - self.low + 1;
        let step = match step.map(number) {
            None => 1,
            Some(Some(step)) if (1..=most).contains(&step) => step,
            Some(_) => return Err(self.wrong(part, format!("needs a step from 1 to {most}"))),
        };
        Ok((from..=to).step_by(step as usize))
    }

    fn range(&self, from: &str, to: &str, part: &str) -> Result<(u32, u32), CronError> {
        let first = self.value(from, part)?;
        let last = match self.value(to, part)? {
            // By name the week may end with Sunday: fri-sun.
            0 if to.eq_ignore_ascii_case(WEEKDAYS[0]) && first > 0 => 7,
            last => last,
        };
        match first <= last {
            true => Ok((first, last)),
            false => Err(self.wrong(part, "runs backwards; write two ranges with a comma".to_owned())),
        }
    }

    /// Highest value of `*`; the second Sunday is left out, it would move the steps of `*/7`.
    fn last(&self) -> u32 {
        if self.high == WEEKDAY.high { 6 } else { self.high }
    }

    fn value(&self, text: &str, part: &str) -> Result<u32, CronError> {
        if let Some(value) = number(text).filter(|value| (self.low..=self.high).contains(value)) {
            return Ok(value);
        }
        if let Some(index) = self.names.iter().position(|name| text.eq_ignore_ascii_case(name)) {
            return Ok(self.low + u32::try_from(index).expect("a field has few names"));
        }
        let names = match self.names {
            [first, .., last] => format!(" or a name from {first} to {last}"),
            _ => String::new(),
        };
        Err(self.wrong(part, format!("is not a number from {} to {}{names}", self.low, self.high)))
    }

    fn wrong(&self, text: &str, reason: String) -> CronError {
        let text = text.chars().take(40).collect();
        CronError::Field { field: self.name, text, reason }
    }
}

/// Reads digits and nothing else: no sign, no space.
fn number(text: &str) -> Option<u32> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_mean_what_crontab_says() {
        for (field, text, expected) in [
            (&MINUTE, "*/20", "0,20,40"),
            (&MINUTE, "5-17/5,59", "5,10,15,59"),
            (&MINUTE, "*/60", "0"),
            (&MINUTE, "05,5", "5"),
            (&HOUR, "22-23,0-1", "0,1,22,23"),
            (&MONTH, "jan,Dec,3-4", "1,3,4,12"),
            (&WEEKDAY, "0", "0"),
            (&WEEKDAY, "7", "0"),
            (&WEEKDAY, "mon-FRI", "1,2,3,4,5"),
            (&WEEKDAY, "5-7", "0,5,6"),
            (&WEEKDAY, "fri-sun", "0,5,6"),
            (&WEEKDAY, "sun-mon", "0,1"),
            (&WEEKDAY, "*/2", "0,2,4,6"),
            (&WEEKDAY, "*/7", "0"),
            (&YEAR, "2030-2031", "2030,2031"),
        ] {
            assert_eq!(field.parse(text).map(|values| values.list(0)), Ok(expected.to_owned()), "{text}");
        }
        assert!(DAY.parse("*/2").unwrap().starred);
        assert!(!DAY.parse("1-31").unwrap().starred);
    }

    #[test]
    fn what_is_wrong_with_a_field_is_said_in_one_line() {
        for (field, text, expected) in [
            (&MINUTE, "60", "\"60\" in the field of minutes is not a number from 0 to 59"),
            (&MINUTE, "", "\"\" in the field of minutes is not a number from 0 to 59"),
            (&MINUTE, "1,,2", "\"\" in the field of minutes is not a number from 0 to 59"),
            (&MINUTE, "+5", "\"+5\" in the field of minutes is not a number from 0 to 59"),
            (
                &MINUTE,
                "5/15",
                "\"5/15\" in the field of minutes has a step after a single value; write 5-59/…",
            ),
            (&MINUTE, "*/0", "\"*/0\" in the field of minutes needs a step from 1 to 60"),
            (&MINUTE, "*/90", "\"*/90\" in the field of minutes needs a step from 1 to 60"),
            (&MINUTE, "*/", "\"*/\" in the field of minutes needs a step from 1 to 60"),
            (&HOUR, "22-6", "\"22-6\" in the field of hours runs backwards; write two ranges with a comma"),
            (&DAY, "L", "\"L\" in the field of days of the month is not a number from 1 to 31"),
            (&DAY, "?", "\"?\" in the field of days of the month is not a number from 1 to 31"),
            (
                &MONTH,
                "january",
                "\"january\" in the field of months is not a number from 1 to 12 or a name from jan to dec",
            ),
            (
                &WEEKDAY,
                "8",
                "\"8\" in the field of weekdays is not a number from 0 to 7 or a name from sun to sat",
            ),
            (
                &WEEKDAY,
                "6-1",
                "\"6-1\" in the field of weekdays runs backwards; write two ranges with a comma",
            ),
            (&YEAR, "99999", "\"99999\" in the field of years is not a number from 1970 to 2100"),
        ] {
            assert_eq!(field.parse(text).unwrap_err().to_string(), expected);
        }
    }
}
