//! What a drill has seen so far, gathered while it runs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use crate::drill::findings::{Met, Severity};
use crate::drill::measure::Light;
use crate::drill::report::{Checked, Cleaned, Recovered};
use crate::drill::timeline::{Phase, millis};

/// Everything that was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) checks: Vec<Checked>,
    pub(super) met: Vec<Met>,
    pub(super) recovered: Vec<Recovered>,
    pub(super) deviations: Vec<String>,
    pub(super) cleaned: Vec<Cleaned>,
    /// Files of the bundle.
    pub(super) files: Vec<(String, Bytes)>,
    /// Whether orders of erasure were seen to hold; `None`: nobody has looked.
    pub(super) erasure_replay: Option<bool>,
}

/// The same, shared by the steps of a drill.
#[derive(Debug, Default)]
pub(super) struct Evidence(Mutex<Seen>);

/// What a check came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) light: Light,
    pub(super) seen: String,
    /// What is wrong, where it is: a finding of this severity.
    pub(super) finding: Option<Severity>,
    pub(super) evidence: Vec<String>,
}

impl Outcome {
    pub(super) fn good(seen: impl Into<String>) -> Self {
        Self { light: Light::Green, seen: seen.into(), finding: None, evidence: Vec::new() }
    }

    pub(super) fn bad(seen: impl Into<String>, severity: Severity) -> Self {
        Self { light: Light::Red, seen: seen.into(), finding: Some(severity), evidence: Vec::new() }
    }

    pub(super) fn of(is_good: bool, seen: impl Into<String>, severity: Severity) -> Self {
        if is_good { Self::good(seen) } else { Self::bad(seen, severity) }
    }
}

impl Evidence {
    pub(super) fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a check that began at `begun`; what is wrong is a finding as well, under the name of the check.
    pub(super) fn check(&self, phase: Phase, name: &str, expected: &str, begun: Instant, outcome: Outcome) {
        let mut seen = self.lock();
        if let Some(severity) = outcome.finding {
            let what = format!("{name}: expected {expected}; seen: {}", outcome.seen);
            seen.met.push(Met::new(format!("check:{name}"), severity, what));
        }
        seen.checks.push(Checked {
            name: name.to_owned(),
            phase: phase.name().to_owned(),
            light: outcome.light,
            expected: expected.to_owned(),
            seen: outcome.seen,
            took_ms: millis(begun.elapsed()),
            evidence: outcome.evidence,
        });
    }

    pub(super) fn met(&self, met: impl IntoIterator<Item = Met>) {
        self.lock().met.extend(met);
    }

    pub(super) fn file(&self, path: impl Into<String>, bytes: impl Into<Bytes>) {
        self.lock().files.push((path.into(), bytes.into()));
    }
}
