//! How much of the past the recovery point objective was not met.

use chrono::TimeDelta;

use super::facts::Point;
use crate::clock::Timestamp;

/// Returns the share (0 to 1) of the last `window` before `now` in which there was no snapshot
/// that could be used and was at most `rpo` old. `None` when there never was a snapshot.
///
/// Time before the first snapshot was committed does not count: nobody promised anything then.
pub fn unmet_share(points: &[Point], rpo: TimeDelta, now: Timestamp, window: TimeDelta) -> Option<f64> {
    // One from the future keeps no promise.
    let mut met: Vec<(Timestamp, Timestamp)> = points
        .iter()
        .filter(|point| point.committed <= now && point.taken <= point.committed)
        .filter_map(|point| Some((point.committed, point.taken.checked_add_signed(rpo)?)))
        .collect();
    met.sort_unstable();
    let begin = met.first()?.0.max(now.checked_sub_signed(window)?);
    let whole = now.signed_duration_since(begin);
    if whole <= TimeDelta::zero() {
        return Some(0.0);
    }
    let (mut covered, mut until) = (TimeDelta::zero(), begin);
    for (from, to) in met {
        let (from, to) = (from.max(until), to.min(now));
        if to > from {
            covered += to.signed_duration_since(from);
            until = to;
        }
    }
    Some(1.0 - covered.num_milliseconds() as f64 / whole.num_milliseconds() as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    fn point(taken: i64, committed: i64) -> Point {
        Point { taken: at(taken), committed: at(committed) }
    }

    fn share(points: &[Point], rpo: i64, now: i64, window: i64) -> Option<f64> {
        unmet_share(points, TimeDelta::hours(rpo), at(now), TimeDelta::hours(window))
    }

    #[test]
    fn the_burn_is_the_share_of_time_without_a_young_enough_snapshot() {
        assert_eq!(share(&[], 24, 100, 100), None);
        // One a day, each in time.
        let daily: Vec<Point> = (0..30).map(|day| point(day * 24, day * 24)).collect();
        assert_eq!(share(&daily, 24, 30 * 24, 30 * 24), Some(0.0));
        // Ten days of thirty without.
        let gap: Vec<Point> =
            daily.iter().copied().filter(|p| p.taken < at(240) || p.taken >= at(480)).collect();
        assert!((share(&gap, 24, 720, 720).unwrap() - 1.0 / 3.0).abs() < 1e-9);
        // None since: what is older than the window does not count.
        assert_eq!(share(&[point(0, 0)], 24, 2000, 720), Some(1.0));
        // A vault that is a day old is not measured by thirty.
        assert_eq!(share(&[point(0, 0)], 12, 24, 720), Some(0.5));
        // A run that takes long leaves its predecessor in charge until it is committed.
        assert_eq!(share(&[point(0, 0), point(10, 20)], 10, 20, 720), Some(0.5));
        // The future keeps no promise.
        assert_eq!(share(&[point(0, 0), point(90, 90)], 10, 20, 720), Some(0.5));
        assert_eq!(share(&[point(10, 10)], 10, 10, 720), Some(0.0));
    }

    proptest! {
        #[test]
        fn the_burn_is_what_asking_at_every_hour_finds(
            runs in prop::collection::vec((0_i64..200, 0_i64..5), 1..12),
            rpo in 1_i64..40,
            now in 1_i64..260,
            window in 1_i64..300,
        ) {
            let points: Vec<Point> = runs.iter().map(|(at, took)| point(*at, at + took)).collect();
            let first = points.iter().map(|p| p.committed).filter(|c| *c <= at(now)).min();
            let expected = first.map(|first| {
                let begin = first.max(at(now - window));
                let hours: Vec<Timestamp> =
                    (-100..now).map(at).filter(|hour| *hour >= begin).collect();
                let met = |hour: &&Timestamp| {
                    points.iter().any(|p| p.committed <= **hour && **hour < p.taken + TimeDelta::hours(rpo))
                };
                match hours.len() {
                    0 => 0.0,
                    all => 1.0 - hours.iter().filter(met).count() as f64 / all as f64,
                }
            });
            let found = share(&points, rpo, now, window);
            prop_assert_eq!(found.is_some(), expected.is_some());
            prop_assert!((found.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-9, "{found:?} {expected:?}");
        }
    }
}
