//! Time zones, and spans of calendar time in them.
//!
//! The zones of the IANA database are built in, so what a name means does not depend on the
//! machine. Where daylight saving makes a wall-clock time ambiguous or skips it, one rule holds
//! everywhere: a skipped time is the moment after the gap, one that occurs twice is the first.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Days, FixedOffset, Months, NaiveDateTime, TimeDelta, TimeZone as _};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};
use serde::{Serialize, Serializer};

use super::error::closest;
use crate::clock::Timestamp;

/// A time zone of the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// Returns its IANA name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Returns a moment as clocks of this time zone show it.
    pub fn local(self, at: Timestamp) -> DateTime<FixedOffset> {
        at.with_timezone(&self.0).fixed_offset()
    }

    /// Returns the moment of a wall-clock time: the first of two, the end of the gap for one that
    /// is skipped; `None` at the ends of the calendar.
    pub fn moment(self, wall_clock: NaiveDateTime) -> Option<Timestamp> {
        let moment = self.0.from_local_datetime(&wall_clock).earliest();
        moment.or_else(|| GapInfo::new(&wall_clock, &self.0)?.end).map(|moment| moment.to_utc())
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A name that no time zone has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no time zone{}", .closest.map(|name| format!(", did you mean {name:?}?")).unwrap_or_else(|| ", write an IANA name such as \"Europe/Paris\"".to_owned()))]
pub struct UnknownZone {
    text: String,
    closest: Option<&'static str>,
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        Tz::from_str(text).map(Self).map_err(|_| UnknownZone {
            text: text.chars().take(80).collect(),
            closest: closest(text, TZ_VARIANTS.iter().map(|zone| zone.name())),
        })
    }
}

/// A span of calendar time: `12h`, `90d`, `8w`, `6m` (months), `2y`, or several of them: `1y6m`.
/// A month is as long as the calendar has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    text: String,
    months: u32,
    days: u64,
    hours: i64,
}

/// Text that is no [`Span`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no span of time, write a number and h, d, w, m (months) or y: \"90d\", \"6m\", \"1y6m\""
)]
pub struct InvalidSpan {
    text: String,
}

impl Span {
    /// A span of so many days.
    pub fn days(days: u32) -> Self {
        Self { text: format!("{days}d"), months: 0, days: days.into(), hours: 0 }
    }

    /// Whether it is no time at all.
    pub fn is_zero(&self) -> bool {
        (self.months, self.days, self.hours) == (0, 0, 0)
    }

    /// Returns the moment that lies this span before `at`, by the calendar of `zone`: `1m` before
    /// 31 March is the last of February at the same time of day.
    pub fn before(&self, at: Timestamp, zone: Zone) -> Timestamp {
        let mut moment = Some(at);
        if self.months > 0 || self.days > 0 {
            let days_before = |wall_clock: NaiveDateTime| {
                wall_clock
                    .checked_sub_months(Months::new(self.months))?
                    .checked_sub_days(Days::new(self.days))
            };
            moment = days_before(zone.local(at).naive_local()).and_then(|wall_clock| zone.moment(wall_clock));
        }
        let hours = TimeDelta::try_hours(self.hours).unwrap_or(TimeDelta::MAX);
        // Beyond the calendar is before everything.
        moment.and_then(|moment| moment.checked_sub_signed(hours)).unwrap_or(Timestamp::MIN_UTC)
    }

    fn parse(text: &str) -> Option<Self> {
        /// Longest span in each unit; more than anybody keeps, and far from overflow.
        const MOST: u32 = 100_000;
        let (mut months, mut days, mut hours) = (0_u32, 0_u64, 0_i64);
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|char: char| !char.is_ascii_digit())?;
            let (number, unit) = rest.split_at(digits);
            let number = number.parse::<u32>().ok().filter(|number| *number <= MOST)?;
            match unit.chars().next()? {
                'h' => hours += i64::from(number),
                'd' => days += u64::from(number),
                'w' => days += u64::from(number) * 7,
                'm' => months = months.checked_add(number)?,
                'y' => months = months.checked_add(number * 12)?,
                _ => return None,
            }
            rest = &unit[1..];
        }
        (!text.is_empty()).then(|| Self { text: text.to_owned(), months, days, hours })
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        Self::parse(text).ok_or_else(|| InvalidSpan { text: text.chars().take(40).collect() })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::rfc3339;

    #[test]
    fn spans_go_back_by_the_calendar_of_their_zone() {
        for (span, zone, at, expected) in [
            ("12h", "UTC", "2026-11-21T02:00:00Z", "2026-11-20T14:00:00Z"),
            ("8w", "UTC", "2026-11-21T02:00:00Z", "2026-09-26T02:00:00Z"),
            ("1m", "UTC", "2026-03-31T02:00:00Z", "2026-02-28T02:00:00Z"),
            ("1y6m", "UTC", "2026-08-31T02:00:00Z", "2025-02-28T02:00:00Z"),
            ("1y", "UTC", "2024-02-29T00:00:00Z", "2023-02-28T00:00:00Z"),
            // The day before the change has 25 hours between the same times of day.
            ("1d", "Europe/Paris", "2026-10-25T12:00:00Z", "2026-10-24T11:00:00Z"),
            ("24h", "Europe/Paris", "2026-10-25T12:00:00Z", "2026-10-24T12:00:00Z"),
            // 02:30 does not exist on 29 March: the moment after the gap.
            ("1d", "Europe/Paris", "2026-03-30T00:30:00Z", "2026-03-29T01:00:00Z"),
        ] {
            let span: Span = span.parse().unwrap();
            let before = span.before(at.parse().unwrap(), zone.parse().unwrap());
            assert_eq!(rfc3339(before), expected, "{span} before {at}");
        }
        let ages: Span = "100000y100000y100000y".parse().unwrap();
        assert_eq!(ages.before("2026-01-01T00:00:00Z".parse().unwrap(), Zone::UTC), Timestamp::MIN_UTC);
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "90", "d", "-3d", "3x", "3d ", "1.5d", "100001d", "99999999999d", "3D", "3dé"] {
            assert!(text.parse::<Span>().is_err(), "{text:?}");
        }
        assert!("0d".parse::<Span>().unwrap().is_zero());
        assert_eq!("1y6m".parse::<Span>().unwrap().to_string(), "1y6m");
    }
}
