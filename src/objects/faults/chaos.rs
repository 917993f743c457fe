//! Faults by chance, the same for the same seed.
//!
//! What befalls a call depends on the seed, its operation, its key and how often that pair was
//! called before, and on nothing else: requests that run at once may come in any order, and a run
//! that failed can be repeated by its seed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Fault;
use crate::ids::Digest;
use crate::objects::ErrorKind;
use crate::objects::operation::Operation;

/// How often what goes wrong: shares of all calls that it can befall, from 0 to 1.
///
/// Errors, lost answers and delays are what any store does at times; bit flips and partial lists
/// are what none may do, and what has to be noticed.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Chaos {
    /// Decides everything.
    pub seed: u64,
    /// Calls that fail for a reason that passes, and do nothing; half of such writes are
    /// [`ErrorKind::Unknown`].
    pub errors: f64,
    /// Calls that are carried out without an answer.
    pub lost_answers: f64,
    /// Calls that are delayed.
    pub delays: f64,
    /// Longest delay.
    pub delay_max: Duration,
    /// Reads with one wrong bit.
    pub bit_flips: f64,
    /// Listings that lack their second half.
    pub partial_lists: f64,
}

/// What befalls one call.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Cast {
    pub(super) fault: Option<Fault>,
    pub(super) delay: Option<Duration>,
    pub(super) place: u64,
}

/// Chaos, and how often each call was made.
#[derive(Debug)]
pub(super) struct Dice {
    chaos: Chaos,
    calls: BTreeMap<(Operation, String), u64>,
}

impl Dice {
    pub(super) fn new(chaos: Chaos) -> Self {
        Self { chaos, calls: BTreeMap::new() }
    }

    pub(super) fn cast(&mut self, operation: Operation, key: &str) -> Cast {
        let Chaos { seed, errors, lost_answers, delays, delay_max, bit_flips, partial_lists } = self.chaos;
        let calls = self.calls.entry((operation, key.to_owned())).or_default();
        *calls += 1;
        let Digest(digest) = Digest::of(format!("{seed} {operation} {calls} {key}").as_bytes());
        let number =
            |at: usize| digest[at..at + 8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let mut chance = fastrand::Rng::with_seed(number(0));
        let reads = matches!(
            operation,
            Operation::Get | Operation::GetRange | Operation::GetVersion | Operation::GetRangeVersion
        );
        // Every number is drawn, so that one share does not move the others.
        let [error, kind, lost, flip, cut, delay] = std::array::from_fn(|_| chance.f64());
        let fault = if error < errors {
            let unknown = operation.writes() && kind < 0.5;
            Some(Fault::Fail(if unknown { ErrorKind::Unknown } else { ErrorKind::Transient }))
        } else if lost < lost_answers {
            Some(Fault::LoseAnswer)
        } else if reads && flip < bit_flips {
            Some(Fault::FlipBit)
        } else if operation.lists() && cut < partial_lists {
            Some(Fault::PartialList)
        } else {
            None
        };
        let delay = (delay < delays).then(|| delay_max.mul_f64(chance.f64()));
        Cast { fault, delay, place: number(8) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_strikes_the_same_calls_in_any_order_of_keys() {
        let chaos = Chaos { errors: 0.3, lost_answers: 0.2, delays: 0.5, ..Chaos::default() };
        let casts = |seed, keys: [&str; 3]| {
            let mut dice = Dice::new(Chaos { seed, ..chaos });
            let mut casts: Vec<_> = (0..50)
                .flat_map(|_| keys)
                .map(|key| (key.to_owned(), dice.cast(Operation::Put, key).fault))
                .collect();
            casts.sort_by(|a, b| a.0.cmp(&b.0));
            casts
        };
        let first = casts(1, ["a", "b", "c"]);
        assert_eq!(first, casts(1, ["c", "a", "b"]));
        assert_ne!(first, casts(2, ["a", "b", "c"]));
        let struck = first.iter().filter(|(_, fault)| fault.is_some()).count();
        // 44 % of 150.
        assert!((40..=95).contains(&struck), "{struck}");
    }
}
