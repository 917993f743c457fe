//! What a drill found to be wrong, until somebody has closed it.
//!
//! A finding has an id, a severity, an owner and a due date, and is carried over into every later drill of the
//! plan until it is closed with a note. A finding that the same drill meets again stays the same one, under the id
//! and due date that it has: who fails every week is not younger every week.

use std::fmt;

use chrono::{NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth mending.
    Minor,
    /// A recovery would be late, or lack something small.
    Major,
    /// A recovery would fail, or be wrong.
    Critical,
}

impl Severity {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Something that is wrong, as a drill meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// What it is about, the same each time: `content:documents`, `objective:rto`.
    pub key: String,
    /// How grave.
    pub severity: Severity,
    /// One sentence: ids and counts, never content.
    pub what: String,
}

impl Met {
    /// Something that is wrong.
    pub fn new(key: impl Into<String>, severity: Severity, what: impl Into<String>) -> Self {
        Self { key: key.into(), severity, what: what.into() }
    }
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its id: the day and number of the drill that met it first, such as `F-20261120-c5530d9c-2`.
    pub id: String,
    /// What it is about, the same each time.
    pub key: String,
    /// How grave.
    pub severity: Severity,
    /// What was seen last.
    pub what: String,
    /// Who is to mend it.
    pub owner: String,
    /// The day on which it was met first.
    pub since: NaiveDate,
    /// The day until which it is to be mended.
    pub due: NaiveDate,
    /// In how many drills it was met.
    pub times: u32,
    /// Whether this drill met it; `false` for one that is carried over.
    pub met: bool,
}

impl Finding {
    /// Whether its day is over.
    pub fn is_overdue(&self, today: NaiveDate) -> bool {
        today > self.due
    }
}

/// How new findings are made.
#[derive(Debug, Clone)]
pub struct Making<'a> {
    /// Id of the drill.
    pub drill: &'a str,
    /// When it began.
    pub began: Timestamp,
    /// Who owns them.
    pub owner: &'a str,
    /// In how many days they are due.
    pub due_days: u32,
}

/// The findings of a drill: what it met, each under the id that it has where it is open already, and what is
/// carried over. `open` are those of the drill before that nobody has closed.
pub fn findings(open: &[Finding], met: Vec<Met>, making: &Making<'_>) -> Vec<Finding> {
    let today = making.began.date_naive();
    let mut all: Vec<Finding> = open.iter().map(|known| Finding { met: false, ..known.clone() }).collect();
    let mut number = 0;
    for one in met {
        if let Some(known) = all.iter_mut().find(|known| known.key == one.key) {
            if !known.met {
                known.times = known.times.saturating_add(1);
            }
            known.met = true;
            known.what = one.what;
            // It does not become harmless by coming back.
            known.severity = known.severity.max(one.severity);
            continue;
        }
        number += 1;
        all.push(Finding {
            id: format!("F-{}-{number}", making.drill),
            key: one.key,
            severity: one.severity,
            what: one.what,
            owner: making.owner.to_owned(),
            since: today,
            due: today
                .checked_add_signed(TimeDelta::days(i64::from(making.due_days)))
                .unwrap_or(NaiveDate::MAX),
            times: 1,
            met: true,
        });
    }
    all.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then_with(|| a.since.cmp(&b.since)).then_with(|| a.id.cmp(&b.id))
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn making(drill: &'static str, began: &str) -> Making<'static> {
        Making { drill, began: began.parse().unwrap(), owner: "anna", due_days: 30 }
    }

    fn met(key: &str, severity: Severity) -> Met {
        Met::new(key, severity, format!("{key} is wrong"))
    }

    #[test]
    fn a_finding_keeps_its_id_and_its_day_until_it_is_closed() {
        let first = findings(
            &[],
            vec![met("objective:rto", Severity::Major), met("content:models", Severity::Critical)],
            &making("20261101T100000Z-aa", "2026-11-01T10:00:00Z"),
        );
        let ids: Vec<&str> = first.iter().map(|own| own.id.as_str()).collect();
        assert_eq!(ids, ["F-20261101T100000Z-aa-2", "F-20261101T100000Z-aa-1"], "the gravest first");
        assert!(first.iter().all(|own| own.due == "2026-12-01".parse().unwrap()));
        // The next drill meets one of them, and something new.
        let second = findings(
            &first,
            vec![met("objective:rto", Severity::Minor), met("clean-up", Severity::Minor)],
            &making("20261108T100000Z-bb", "2026-11-08T10:00:00Z"),
        );
        let of = |key: &str| second.iter().find(|own| own.key == key).unwrap();
        let rto = of("objective:rto");
        assert_eq!((rto.id.as_str(), rto.times, rto.met), ("F-20261101T100000Z-aa-1", 2, true));
        assert_eq!((rto.due, rto.severity), ("2026-12-01".parse().unwrap(), Severity::Major));
        assert!(rto.is_overdue("2026-12-02".parse().unwrap()) && !rto.is_overdue(rto.due));
        let carried = of("content:models");
        assert_eq!((carried.times, carried.met), (1, false), "nobody has closed it");
        assert_eq!(of("clean-up").id, "F-20261108T100000Z-bb-1");
        // One that was closed and comes back is a new one.
        let open: Vec<Finding> = second.iter().filter(|own| own.key != "objective:rto").cloned().collect();
        let third = findings(
            &open,
            vec![met("objective:rto", Severity::Major)],
            &making("c", "2026-11-15T10:00:00Z"),
        );
        let again = third.iter().find(|own| own.key == "objective:rto").unwrap();
        assert_eq!((again.id.as_str(), again.times), ("F-c-1", 1));
    }

    #[test]
    fn one_thing_that_is_met_twice_in_a_drill_is_one_finding() {
        let all = findings(
            &[],
            vec![met("x", Severity::Minor), met("x", Severity::Critical)],
            &making("a", "2026-11-01T10:00:00Z"),
        );
        assert_eq!((all.len(), all[0].times, all[0].severity), (1, 1, Severity::Critical));
    }
}
