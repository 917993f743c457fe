//! A second look at some of what was rejected: how many hits did the reviewer miss?

use serde::Serialize;

use super::{Decision, Question, Review};
use crate::privacy::matching::Tier;

/// Questions that a sample has at least, where there are so many: the interval around a share of less
/// says little.
const AT_LEAST: usize = 20;

/// What second looks at rejected findings came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Checked {
    /// Rejected findings of weak evidence.
    pub rejected: u64,
    /// Of those, how many a second person looked at.
    pub checked: u64,
    /// Of those, how many that person did not reject.
    pub missed: u64,
    /// Share of missed ones, and its 95 % interval; `None` where nothing was checked.
    pub rate: Option<Interval>,
}

/// A share with its 95 % interval after Wilson (1927).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The share.
    pub share: f64,
    /// Its lower bound.
    pub low: f64,
    /// Its upper bound.
    pub high: f64,
}

impl Interval {
    /// Returns the interval for `hits` of `of`; `None` for none.
    pub fn wilson(hits: u64, of: u64) -> Option<Self> {
        /// Quantile of the normal distribution for 95 %.
        const Z: f64 = 1.959_963_984_540_054;
        if of == 0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of people's decisions are small")]
        let (n, share) = (of as f64, hits as f64 / of as f64);
        let z2 = Z * Z;
        let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
        Some(Self { share, low: (middle - half).max(0.0), high: (middle + half).min(1.0) })
    }
}

/// Whether a question is of those that a second person looks at: weak evidence that was rejected, or was
/// until the second look.
fn is_rejected(question: &Question, review: &Review) -> bool {
    question.tier >= Tier::D
        && question.remembered(review).is_some_and(|remembered| {
            remembered.decided.decision == Decision::NotSubject || remembered.checked.is_some()
        })
}

impl Review {
    /// Chooses a share of the rejected questions of weak evidence that nobody checked yet, and that
    /// `second` did not decide. The choice is random, and the same every time: it goes by the keyed
    /// hashes.
    pub fn sample<'q>(&self, questions: &'q [Question], share: f64, second: &str) -> Vec<&'q Question> {
        let mut rejected: Vec<&Question> =
            questions.iter().filter(|question| is_rejected(question, self)).collect();
        rejected.sort_by_key(|question| question.key);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count is a count"
        )]
        let wanted = (rejected.len() as f64 * share.clamp(0.0, 1.0)).ceil() as usize;
        let wanted = wanted.max(AT_LEAST.min(rejected.len()));
        let is_left = |question: &&Question| {
            question
                .remembered(self)
                .is_some_and(|remembered| remembered.checked.is_none() && remembered.decided.by != second)
        };
        rejected.into_iter().take(wanted).filter(is_left).collect()
    }

    /// What second looks came to.
    pub fn checked(&self, questions: &[Question]) -> Checked {
        let of_rejected = || questions.iter().filter(|question| is_rejected(question, self));
        let seconds = || of_rejected().filter_map(|question| question.remembered(self)?.checked.as_ref());
        let rejected = of_rejected().count() as u64;
        let checked = seconds().count() as u64;
        let missed = seconds().filter(|second| second.decision != Decision::NotSubject).count() as u64;
        Checked { rejected, checked, missed, rate: Interval::wilson(missed, checked) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_literature() {
        // Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
        for (hits, of, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let interval = Interval::wilson(hits, of).unwrap();
            assert!((interval.low - low).abs() < 1e-4 && (interval.high - high).abs() < 1e-4, "{interval:?}");
        }
        assert_eq!(Interval::wilson(0, 0), None);
    }
}
