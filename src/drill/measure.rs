//! Objectives against what was measured: pure functions of figures.
//!
//! RTO: the time from the beginning to the end of what a recovery needs (see
//! [`Phase::counts`](super::timeline::Phase::counts)), by the monotonic clock. RPO: from what the snapshot holds to
//! the disaster; everything edited in between may be lost. A measured value that equals the objective meets it.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::plan::Objectives;
use super::timeline::{Ended, Phase, PhaseRecord};
use crate::clock::{Timestamp, rfc3339};

/// How an objective stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Light {
    /// Met.
    Green,
    /// Not set, or nothing was measured that could be judged.
    Grey,
    /// Missed.
    Red,
}

/// One objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// `rto`, `rpo`, `fidelity` or `erasure-replay`.
    pub objective: String,
    /// How it stands.
    pub light: Light,
    /// What is to be reached, in words.
    pub target: String,
    /// What was measured, in words.
    pub measured: String,
    /// How it was measured.
    pub formula: String,
    /// The target as a number, for plots: seconds, or a share from 0 to 1; absent: not set, or no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
}

/// What was measured of one recovery.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// Time to recover; `None`: it never came to that.
    pub recovery: Option<Duration>,
    /// When the snapshot was taken, and the newest edit in it.
    pub recovered: Option<(Timestamp, Option<Timestamp>)>,
    /// When the disaster struck.
    pub disaster: Option<Timestamp>,
    /// Documents that were compared, and those that are as they were.
    pub documents: Option<(u64, u64)>,
    /// Whether orders of erasure were seen to hold; `None`: nobody looked.
    pub erasure_replay: Option<bool>,
}

/// Time to recover, from the phases that count; `None` where one of them is broken or was skipped.
pub fn recovery(phases: &[PhaseRecord]) -> Option<Duration> {
    let counted: Vec<&PhaseRecord> = phases.iter().filter(|own| own.phase.counts()).collect();
    let is_whole = Phase::ALL.into_iter().filter(|phase| phase.counts()).all(|phase| {
        counted.iter().any(|own| own.phase == phase && !matches!(own.ended, Ended::Broken | Ended::Skipped))
    });
    is_whole.then(|| Duration::from_millis(counted.iter().map(|own| own.took_ms).sum()))
}

/// The phase that took longest of those that count: where a recovery would become faster.
pub fn bottleneck(phases: &[PhaseRecord]) -> Option<&PhaseRecord> {
    phases.iter().filter(|own| own.phase.counts()).max_by_key(|own| own.took_ms)
}

/// A span of time for people: `1 h 02 min`, `3.4 s`.
pub fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..172_800 => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

fn span(span: TimeDelta) -> Duration {
    span.to_std().unwrap_or(Duration::ZERO)
}

fn judged(objective: &str, light: Light, target: String, measured: String, formula: &str) -> Judged {
    Judged {
        objective: objective.to_owned(),
        light,
        target,
        measured,
        formula: formula.to_owned(),
        limit: None,
    }
}

impl Judged {
    fn with_limit(self, limit: Option<f64>) -> Self {
        Self { limit, ..self }
    }
}

fn light(is_met: Option<bool>, is_set: bool) -> Light {
    match (is_met, is_set) {
        (_, false) => Light::Grey,
        (Some(true), true) => Light::Green,
        // What was to be shown and was not measured is not met.
        (Some(false) | None, true) => Light::Red,
    }
}

/// What is not edited between the two is not lost: an edit that is older by days is no loss of days.
const HELD: &str = "from the moment that the snapshot holds to the disaster";
const NOT_SET: &str = "not set";
const NOT_MEASURED: &str = "not measured";

/// All objectives of a plan against what was measured.
pub fn judge(objectives: &Objectives, measured: &Measured) -> Vec<Judged> {
    let words = |time: Option<Duration>, otherwise: &str| time.map_or_else(|| otherwise.to_owned(), in_words);
    let rto = objectives.rto.map(|target| measured.recovery.is_some_and(|took| took <= target));
    let lost = measured.recovered.zip(measured.disaster).map(|((taken, _), disaster)| disaster - taken);
    let rpo = objectives.rpo.map(|target| lost.is_some_and(|lost| span(lost) <= target));
    let share = measured.documents.map(|(compared, equal)| match compared {
        0 => 1.0,
        compared => equal as f64 / compared as f64,
    });
    let fidelity = share.is_some_and(|share| share >= objectives.fidelity);
    let percent = |share: f64| format!("{:.3} %", share * 100.0);
    vec![
        judged(
            "rto",
            light(rto, objectives.rto.is_some()),
            words(objectives.rto, NOT_SET),
            words(measured.recovery, NOT_MEASURED),
            "sum of the phases from locating the snapshot to the last check, by a monotonic clock",
        )
        .with_limit(objectives.rto.map(|target| target.as_secs_f64())),
        judged(
            "rpo",
            light(rpo, objectives.rpo.is_some()),
            words(objectives.rpo, NOT_SET),
            words(lost.map(span), NOT_MEASURED),
            &match measured.recovered {
                Some((_, Some(edit))) => {
                    format!("{HELD}; the newest edit that came back is of {}", rfc3339(edit))
                }
                _ => HELD.to_owned(),
            },
        )
        .with_limit(objectives.rpo.map(|target| target.as_secs_f64())),
        judged(
            "fidelity",
            light(Some(fidelity), true),
            format!("at least {}", percent(objectives.fidelity)),
            match (share, measured.documents) {
                (Some(share), Some((compared, equal))) => {
                    format!("{} ({equal} of {compared} documents)", percent(share))
                }
                _ => NOT_MEASURED.to_owned(),
            },
            "documents that are field by field as in the snapshot, of all that are in it",
        )
        .with_limit(Some(objectives.fidelity)),
        judged(
            "erasure-replay",
            light(measured.erasure_replay, objectives.erasure_replay),
            if objectives.erasure_replay { "nothing erased comes back" } else { NOT_SET }.to_owned(),
            match measured.erasure_replay {
                Some(true) => "nothing came back".to_owned(),
                Some(false) => "something came back".to_owned(),
                None => NOT_MEASURED.to_owned(),
            },
            "a person planted, snapshotted, erased and restored from the old snapshot in a scratch vault",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objectives() -> Objectives {
        Objectives {
            rto: Some(Duration::from_secs(60)),
            rpo: Some(Duration::from_hours(24)),
            fidelity: 0.99,
            erasure_replay: true,
            approved: None,
        }
    }

    fn measured() -> Measured {
        let time = |text: &str| text.parse().unwrap();
        Measured {
            recovery: Some(Duration::from_secs(60)),
            recovered: Some((time("2026-11-19T10:00:00Z"), None)),
            disaster: Some(time("2026-11-20T10:00:00Z")),
            documents: Some((100, 99)),
            erasure_replay: Some(true),
        }
    }

    fn lights(objectives: &Objectives, measured: &Measured) -> Vec<Light> {
        judge(objectives, measured).into_iter().map(|own| own.light).collect()
    }

    #[test]
    fn an_objective_is_missed_by_a_second() {
        use Light::{Green, Grey, Red};
        assert_eq!(lights(&objectives(), &measured()), [Green; 4]);
        let late = Measured { recovery: Some(Duration::from_millis(60_001)), ..measured() };
        assert_eq!(lights(&objectives(), &late), [Red, Green, Green, Green]);
        let old = Measured { disaster: Some("2026-11-20T10:00:01Z".parse().unwrap()), ..measured() };
        assert_eq!(lights(&objectives(), &old), [Green, Red, Green, Green]);
        let wrong = Measured { documents: Some((100, 98)), ..measured() };
        assert_eq!(lights(&objectives(), &wrong), [Green, Green, Red, Green]);
        let back = Measured { erasure_replay: Some(false), ..measured() };
        assert_eq!(lights(&objectives(), &back), [Green, Green, Green, Red]);
        // What was not measured was not shown.
        assert_eq!(lights(&objectives(), &Measured::default()), [Red; 4]);
        let none = Objectives { rto: None, rpo: None, fidelity: 1.0, erasure_replay: false, approved: None };
        assert_eq!(
            lights(&none, &Measured { documents: Some((0, 0)), ..Measured::default() }),
            [Grey, Grey, Green, Grey]
        );
    }

    #[test]
    fn a_recovery_that_was_not_whole_has_no_time() {
        let record =
            |phase, took_ms, ended| PhaseRecord { phase, begun_ms: 0, took_ms, ended, notes: Vec::new() };
        let all = |ended| Phase::ALL.map(|phase| record(phase, 100, ended)).to_vec();
        assert_eq!(recovery(&all(Ended::Good)), Some(Duration::from_millis(900)));
        assert_eq!(recovery(&all(Ended::Bad)), Some(Duration::from_millis(900)), "it came to an end");
        let mut broken = all(Ended::Good);
        broken[5].ended = Ended::Skipped;
        assert_eq!(recovery(&broken), None);
        assert_eq!(recovery(&all(Ended::Good)[..4]), None);
        let mut slow = all(Ended::Good);
        slow[3].took_ms = 5000;
        slow[10].took_ms = 9000;
        assert_eq!(bottleneck(&slow).map(|own| own.phase), Some(Phase::Fetch), "brooms are no recovery");
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = [400, 59_900, 60_000, 3_599_000, 3_720_000, 180_000_000]
            .map(|ms| in_words(Duration::from_millis(ms)));
        assert_eq!(said, ["0.4 s", "59.9 s", "1 min 00 s", "59 min 59 s", "1 h 02 min", "2 d 2 h"]);
    }
}
