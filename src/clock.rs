//! The only place that reads the wall clock.
//!
//! Operations take a [`Clock`], so tests decide what time it is and next-run, retention and
//! deadlines stay pure functions of `now`.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, Utc};

/// A point in time, UTC.
pub type Timestamp = DateTime<Utc>;

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

/// The clock of this machine.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that may")]
    fn now(&self) -> Timestamp {
        Utc::now()
    }
}

/// A clock that stands still until it is told to move; for tests and for `--as-of`.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// Returns a clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves the clock by `by`, which may be negative.
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().expect("no holder of this lock can panic") += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("no holder of this lock can panic")
    }
}

/// Formats as RFC 3339 in UTC with whole seconds, the form of every file of a vault.
pub fn rfc3339(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Formats as `20261121T020000Z`, the first half of a snapshot id.
pub fn compact(at: Timestamp) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

/// Parses what people type for a point in time, relative to `now`: RFC 3339
/// (`2026-11-20T12:00:00Z`), the compact form, a date (`2026-11-20`, meaning its end), or an age
/// (`3d`, `12h`, `2w`, `30m`).
///
/// Returns `None` for anything else.
pub fn parse_when(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&Utc));
    }
    if let Ok(at) = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ") {
        return Some(at.and_utc());
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(date.and_hms_opt(23, 59, 59)?.and_utc());
    }
    let unit = text.chars().last()?;
    let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|n| *n >= 0)?;
    let age = match unit {
        'm' => TimeDelta::try_minutes(count)?,
        'h' => TimeDelta::try_hours(count)?,
        'd' => TimeDelta::try_days(count)?,
        'w' => TimeDelta::try_weeks(count)?,
        _ => return None,
    };
    now.checked_sub_signed(age)
}

/// Reads a duration as people type it: `20ms`, `1.5s`, `2m`, `1h`, `7d`. Returns `None` for anything
/// else, and for more than a year.
pub fn parse_duration(text: &str) -> Option<Duration> {
    const YEAR: f64 = 365.0 * 86_400.0;
    let digits = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let seconds = number.parse::<f64>().ok()? * unit;
    (seconds <= YEAR).then(|| Duration::from_secs_f64(seconds))
}

/// Writes a duration with its two largest units: `0.3 s`, `42 s`, `3 min 05 s`, `2 h 10 min`,
/// `3 d 4 h`.
pub fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", (duration.as_secs_f64() * 10.0).floor() / 10.0),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a test writes valid times")
    }

    #[test]
    fn points_in_time_are_read_as_people_type_them() {
        let now = at("2026-11-21T02:00:00Z");
        for (typed, expected) in [
            ("2026-11-20T12:00:00Z", Some("2026-11-20T12:00:00Z")),
            ("2026-11-20T12:00:00+01:00", Some("2026-11-20T11:00:00Z")),
            ("20261120T120000Z", Some("2026-11-20T12:00:00Z")),
            ("2026-11-20", Some("2026-11-20T23:59:59Z")),
            ("3d", Some("2026-11-18T02:00:00Z")),
            ("90m", Some("2026-11-21T00:30:00Z")),
            ("-3d", None),
            ("d", None),
            ("3x", None),
            ("", None),
            ("99999999999999999d", None),
            ("2026-13-01", None),
        ] {
            assert_eq!(parse_when(typed, now), expected.map(at), "{typed}");
        }
    }

    #[test]
    fn durations_are_read_as_people_type_them() {
        for (typed, expected) in [
            ("20ms", Some(Duration::from_millis(20))),
            ("1.5s", Some(Duration::from_millis(1500))),
            ("2m", Some(Duration::from_secs(120))),
            ("0s", Some(Duration::ZERO)),
            ("7d", Some(Duration::from_secs(604_800))),
            ("366d", None),
            ("99999h", None),
            ("-1s", None),
            ("1..5s", None),
            ("ms", None),
            ("5", None),
            ("5 s", None),
            ("", None),
        ] {
            assert_eq!(parse_duration(typed), expected, "{typed}");
        }
    }
}
