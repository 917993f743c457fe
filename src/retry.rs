//! How long to wait before trying again.
//!
//! One layer retries: `prismic` for the APIs, `objects::retry` for replicas. Both take their
//! pauses from here.

use std::time::Duration;

use crate::clock::Timestamp;

/// Exponential backoff with full jitter: a pause is between half and all of
/// `min * 2^attempt`, at most `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Pause after the first failure, before jitter.
    pub min: Duration,
    /// Longest pause, before jitter.
    pub max: Duration,
    /// Attempts in all, the first included.
    pub attempts: u32,
}

impl Backoff {
    /// Returns the pause after failure number `failed` (counted from 1), or `None` when no
    /// attempt is left.
    pub fn pause(&self, failed: u32) -> Option<Duration> {
        if failed >= self.attempts {
            return None;
        }
        let full = self.min.saturating_mul(1 << failed.saturating_sub(1).min(20)).min(self.max);
        Some(full.mul_f64(0.5 + fastrand::f64() / 2.0))
    }
}

/// Reads a `Retry-After` header: seconds, or a date in one of HTTP's forms (RFC 9110, 10.2.3).
///
/// Returns `None` for nonsense, negative numbers included; a date that has passed is zero.
pub fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    Some(at.signed_duration_since(now).to_std().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_stay_bounded_and_end() {
        let backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(5), attempts: 6 };
        for (failed, full) in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0), (5, 5.0)] {
            let pause = backoff.pause(failed).expect("attempts are left").as_secs_f64();
            assert!((full / 2.0..=full).contains(&pause), "{failed}: {pause}");
        }
        assert_eq!(backoff.pause(6), None);
    }

    #[test]
    fn retry_after_is_read_in_every_form() {
        let now = "2026-11-21T02:00:00Z".parse().expect("a valid time");
        for (text, expected) in [
            ("7", Some(7.0)),
            (" 7 ", Some(7.0)),
            ("1.5", Some(1.5)),
            ("Sat, 21 Nov 2026 02:00:09 GMT", Some(9.0)),
            ("Sat, 21 Nov 2026 01:00:00 GMT", Some(0.0)),
            ("-3", None),
            ("soon", None),
            ("", None),
            ("NaN", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(parse_retry_after(text, now).map(|d| d.as_secs_f64()), expected, "{text:?}");
        }
    }
}
