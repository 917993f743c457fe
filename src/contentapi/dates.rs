//! Points in time as the Content API spells them, and the parts of one that predicates ask for.
//!
//! Prismic writes `2018-04-09T16:21:23+0000`, an offset without colon, which RFC 3339 parsers
//! refuse. Everything becomes milliseconds since 1970 in UTC: predicates compare instants, a
//! date without time is its midnight.

use chrono::{DateTime, Datelike, NaiveDate, TimeZone, Timelike, Utc};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = i64;

/// Reads `YYYY-MM-DD` or a date with time and offset (`+0000`, `+00:00`, `Z`, with or without a
/// fraction); `None` for anything else.
pub fn parse_millis(text: &str) -> Option<Millis> {
    if text.len() == 10 {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis());
    }
    DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z")
        .or_else(|_| DateTime::parse_from_rfc3339(text))
        .ok()
        .map(|at| at.timestamp_millis())
}

/// Writes a time as the Content API does: `2018-04-09T16:21:23+0000`.
pub fn format_millis(at: Millis) -> String {
    instant(at).map(|at| at.format("%Y-%m-%dT%H:%M:%S+0000").to_string()).unwrap_or_default()
}

/// Returns whether a text has the form of a timestamp field, to tell it from a date field.
pub fn is_timestamp(text: &str) -> bool {
    text.len() > 10 && text.as_bytes()[10] == b'T' && parse_millis(text).is_some()
}

fn instant(at: Millis) -> Option<DateTime<Utc>> {
    Utc.timestamp_millis_opt(at).single()
}

/// A part of a point in time, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatePart {
    /// 1 to 31.
    DayOfMonth,
    /// Monday is 1, Sunday 7.
    DayOfWeek,
    /// January is 1.
    Month,
    /// The year.
    Year,
    /// 0 to 23; always 0 for a date without time.
    Hour,
}

impl DatePart {
    /// Returns this part of `at`; `None` for a time outside what the calendar library knows.
    pub fn of(self, at: Millis) -> Option<i64> {
        let at = instant(at)?;
        Some(match self {
            Self::DayOfMonth => at.day().into(),
            Self::DayOfWeek => at.weekday().number_from_monday().into(),
            Self::Month => at.month().into(),
            Self::Year => at.year().into(),
            Self::Hour => at.hour().into(),
        })
    }

    /// Reads the name of a weekday or month, in full or as three letters, in lower case,
    /// capitalised or in capitals. Other parts have no names.
    pub fn parse_name(self, name: &str) -> Option<i64> {
        const DAYS: [&str; 7] =
            ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        const MONTHS: [&str; 12] = [
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ];
        let names: &[&str] = match self {
            Self::DayOfWeek => &DAYS,
            Self::Month => &MONTHS,
            _ => return None,
        };
        let lower = name.to_ascii_lowercase();
        let capitalised: String = name.chars().take(1).chain(lower.chars().skip(1)).collect::<String>();
        let upper = name.to_ascii_uppercase();
        let cased = name == lower
            || name == upper
            || (name == capitalised && name.starts_with(|c: char| c.is_ascii_uppercase()));
        let found =
            names.iter().position(|full| lower == *full || (lower.len() == 3 && full.starts_with(&lower)))?;
        (cased && lower.is_ascii()).then(|| i64::try_from(found).expect("twelve fits") + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_forms_the_api_uses() {
        for (text, expected) in [
            ("1970-01-02", Some(86_400_000)),
            ("1970-01-01T00:00:01+0000", Some(1000)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("1970-01-01T00:00:00.250Z", Some(250)),
            ("1970-13-01", None),
            ("1970-01-01T00:00:00", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(parse_millis(text), expected, "{text}");
        }
        assert_eq!(format_millis(1000), "1970-01-01T00:00:01+0000");
        assert!(is_timestamp("2020-02-03T12:13:14+0000") && !is_timestamp("2020-02-03"));
    }

    #[test]
    fn names_of_days_and_months_keep_to_the_documented_cases() {
        for (part, name, expected) in [
            (DatePart::DayOfWeek, "monday", Some(1)),
            (DatePart::DayOfWeek, "SUN", Some(7)),
            (DatePart::Month, "Sep", Some(9)),
            (DatePart::Month, "MAY", Some(5)),
            (DatePart::Month, "mAy", None),
            (DatePart::Month, "Ma", None),
            (DatePart::Month, "smarch", None),
            (DatePart::Hour, "noon", None),
        ] {
            assert_eq!(part.parse_name(name), expected, "{name}");
        }
    }

    #[test]
    fn parts_are_those_of_utc() {
        let at = parse_millis("2024-02-29T23:30:00-0100").expect("a valid time");
        let parts =
            [DatePart::DayOfMonth, DatePart::DayOfWeek, DatePart::Month, DatePart::Year, DatePart::Hour];
        assert_eq!(parts.map(|part| part.of(at)), [Some(1), Some(5), Some(3), Some(2024), Some(0)]);
    }
}
