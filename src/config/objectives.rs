//! `[objectives]`: what is promised of each repository.
//!
//! Two tables say it, each key by itself: what `[repositories.NAME.objectives]` does not say is
//! taken from `[objectives]`, and `"none"` (for `copies`: 0) takes an objective back that the other
//! table sets. There are no defaults: an objective that nobody set is not judged, and `status` says
//! that there is none.

use std::fmt;
use std::str::FromStr;

use chrono::TimeDelta;
use serde::{Serialize, Serializer};

use super::error::ConfigError;
use super::read::Value;

const KEYS: &[&str] = &["rpo", "rto", "verified_within", "drilled_within", "copies"];

/// Most copies that a file may ask for, as for `min_copies`.
const COPIES_MAX: u64 = 100;

/// A span of time that something may take, or be old: `15m`, `24h`, `7d`, `52w`. A day is 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    text: String,
    length: TimeDelta,
}

impl Within {
    /// Its length.
    pub fn length(&self) -> TimeDelta {
        self.length
    }
}

impl fmt::Display for Within {
    /// Writes it as in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Serialize for Within {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Text that is no [`Within`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no span of time, write a number and m (minutes), h, d or w: \"15m\", \"24h\", \"400d\"")]
pub struct InvalidWithin {
    text: String,
}

impl FromStr for Within {
    type Err = InvalidWithin;

    fn from_str(text: &str) -> Result<Self, InvalidWithin> {
        parse(text)
            .map(|length| Self { text: text.to_owned(), length })
            .ok_or_else(|| InvalidWithin { text: text.chars().take(40).collect() })
    }
}

fn parse(text: &str) -> Option<TimeDelta> {
    /// Longest promise that means anything.
    const YEARS: TimeDelta = TimeDelta::days(10 * 366);
    let digits = text.find(|char: char| !char.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let count: i64 = number.parse().ok()?;
    let length = match unit {
        "m" => TimeDelta::try_minutes(count),
        "h" => TimeDelta::try_hours(count),
        "d" => TimeDelta::try_days(count),
        "w" => TimeDelta::try_weeks(count),
        _ => None,
    };
    length.filter(|length| *length > TimeDelta::zero() && *length <= YEARS)
}

/// What is promised of one repository; what is absent is not promised.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Objectives {
    /// Recovery point: how old the newest complete snapshot may be, so how much may be lost.
    pub rpo: Option<Within>,
    /// Recovery time: how long a recovery may take.
    pub rto: Option<Within>,
    /// How long ago all bytes of a snapshot may have been verified last.
    pub verified_within: Option<Within>,
    /// How long ago a recovery may have been rehearsed last.
    pub drilled_within: Option<Within>,
    /// Replicas that are to hold the newest complete snapshot.
    pub copies: Option<usize>,
}

impl Objectives {
    /// Whether nothing at all is promised.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A table as it stands in a file: what it does not say is `None`, what it takes back `Some(None)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ObjectivesTable {
    rpo: Option<Option<Within>>,
    rto: Option<Option<Within>>,
    verified_within: Option<Option<Within>>,
    drilled_within: Option<Option<Within>>,
    copies: Option<Option<usize>>,
}

impl ObjectivesTable {
    /// Reads `[objectives]` or `[repositories.NAME.objectives]`.
    pub(super) fn read(value: &Value<'_>) -> Result<Self, ConfigError> {
        let table = value.table(KEYS)?;
        let copies = |value: &Value<'_>| value.integer(0, COPIES_MAX);
        Ok(Self {
            rpo: table.read("rpo", within)?,
            rto: table.read("rto", within)?,
            verified_within: table.read("verified_within", within)?,
            drilled_within: table.read("drilled_within", within)?,
            copies: table.read("copies", copies)?.map(|count| (count > 0).then_some(count as usize)),
        })
    }

    /// Returns what this table promises, with what it does not say taken from `base`.
    pub(super) fn over(&self, base: &Self) -> Objectives {
        fn pick<T: Clone>(own: &Option<Option<T>>, base: &Option<Option<T>>) -> Option<T> {
            own.as_ref().or(base.as_ref()).cloned().flatten()
        }
        Objectives {
            rpo: pick(&self.rpo, &base.rpo),
            rto: pick(&self.rto, &base.rto),
            verified_within: pick(&self.verified_within, &base.verified_within),
            drilled_within: pick(&self.drilled_within, &base.drilled_within),
            copies: pick(&self.copies, &base.copies),
        }
    }
}

fn within(value: &Value<'_>) -> Result<Option<Within>, ConfigError> {
    if !value.is_text() {
        return Err(value.invalid("must be a span of time in quotes, such as \"24h\""));
    }
    match value.text()? {
        "none" => Ok(None),
        _ => value.parse().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_minutes_hours_days_and_weeks() {
        for (text, expected) in [
            ("15m", Some(TimeDelta::minutes(15))),
            ("24h", Some(TimeDelta::hours(24))),
            ("400d", Some(TimeDelta::days(400))),
            ("52w", Some(TimeDelta::weeks(52))),
            ("0h", None),
            ("h", None),
            ("24", None),
            ("-1h", None),
            ("1.5h", None),
            ("1y", None),
            ("99999999999999999999d", None),
            ("9999999999d", None),
            ("", None),
        ] {
            let parsed: Result<Within, _> = text.parse();
            assert_eq!(parsed.ok().map(|within| within.length()), expected, "{text}");
        }
    }

    #[test]
    fn a_repository_overrides_key_by_key_and_can_take_a_promise_back() {
        let own = |text: &str| Some(Some(text.parse::<Within>().unwrap()));
        let base = ObjectivesTable {
            rpo: own("24h"),
            drilled_within: own("400d"),
            copies: Some(Some(3)),
            ..ObjectivesTable::default()
        };
        let table = ObjectivesTable { rpo: own("1h"), drilled_within: Some(None), ..Default::default() };
        let objectives = table.over(&base);
        assert_eq!(objectives.rpo, "1h".parse().ok());
        assert_eq!((objectives.drilled_within.clone(), objectives.copies), (None, Some(3)));
        assert!(!objectives.is_empty());
        assert!(ObjectivesTable::default().over(&ObjectivesTable::default()).is_empty());
    }
}
