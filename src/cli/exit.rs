//! How a command ended, and the exit code that says so to scripts.

use std::process::ExitCode;

/// How a command ended. The numbers are a promise to scripts and runbooks; one that is not
/// listed here means failure.
///
/// A command that does several things (a snapshot of many repositories) ends as the gravest of
/// them: see [`worst`](Self::worst).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// 0: done, complete.
    Complete,
    /// 1: failed.
    Failed,
    /// 2: wrong usage or configuration; only before any work.
    Usage,
    /// 3: the source or some replica is incomplete, what was stored is good.
    Partial,
    /// 4: data is damaged, missing or not authentic, or a restore differs unexpectedly.
    Integrity,
    /// 5: a safety rule, a missing approval, or another run that holds the lease.
    Refused,
    /// 6: an objective was missed.
    ObjectiveMissed,
    /// 130: interrupted; what was stored is good, and the same command again goes on.
    Interrupted,
}

/// Gravest first. Usage comes before any work, so it never meets another in one run; beside
/// failures it is one of them.
const GRAVEST_FIRST: [Outcome; 8] = [
    Outcome::Interrupted,
    Outcome::Integrity,
    Outcome::Failed,
    Outcome::Usage,
    Outcome::Refused,
    Outcome::Partial,
    Outcome::ObjectiveMissed,
    Outcome::Complete,
];

impl Outcome {
    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Integrity => 4,
            Self::Refused => 5,
            Self::ObjectiveMissed => 6,
            Self::Interrupted => 130,
        }
    }

    /// Returns how a command ended that only reads: what it found damaged is graver than what it did
    /// not reach.
    pub fn of_reading(is_damaged: bool, is_some_away: bool) -> Self {
        match (is_damaged, is_some_away) {
            (true, _) => Self::Integrity,
            (false, true) => Self::Partial,
            (false, false) => Self::Complete,
        }
    }

    /// Returns the graver of two: the first of 130, 4, 1, 2, 5, 3, 6, 0.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        GRAVEST_FIRST
            .into_iter()
            .find(|outcome| *outcome == self || *outcome == other)
            .expect("the list has every outcome")
    }
}

/// The gravest of all; nothing at all is complete.
impl FromIterator<Outcome> for Outcome {
    fn from_iter<I: IntoIterator<Item = Outcome>>(outcomes: I) -> Self {
        outcomes.into_iter().fold(Self::Complete, Self::worst)
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_outcomes_the_gravest_wins() {
        let codes = [130, 4, 1, 2, 5, 3, 6, 0];
        assert_eq!(GRAVEST_FIRST.map(Outcome::code), codes);
        for (index, graver) in GRAVEST_FIRST.into_iter().enumerate() {
            for lighter in GRAVEST_FIRST.into_iter().skip(index) {
                assert_eq!(graver.worst(lighter), graver);
                assert_eq!(lighter.worst(graver), graver);
            }
        }
        let several = [Outcome::Partial, Outcome::Complete, Outcome::Refused, Outcome::ObjectiveMissed];
        assert_eq!(Outcome::from_iter(several), Outcome::Refused);
        assert_eq!(Outcome::from_iter([]), Outcome::Complete);
    }
}
