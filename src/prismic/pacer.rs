//! Spaces the requests to one API on one host, for the whole process.
//!
//! Prismic limits requests per repository or per host, not per client, so all repositories of a
//! process that share a host share one pacer. It keeps two rules: never more than `rate` requests
//! a second beyond a small burst, and nobody sends while a `Retry-After` runs.
//!
//! Waiting is a queue: one request at a time sleeps, in order of arrival, the others stand behind
//! it. So the time measured is that in which the pacer really held the process up, however many
//! were waiting, and it can be taken off a run's time. Dropping a waiting request gives its place
//! to the next one.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// Spaces requests; see the module.
#[derive(Debug)]
pub(super) struct Pacer {
    name: String,
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    spacing: Spacing,
    waited: Duration,
}

/// The right to send one request; dropped when the beginning of the answer is there.
#[derive(Debug)]
pub(super) struct Pass<'a>(&'a Pacer);

impl Pacer {
    /// Returns a pacer for `rate` requests a second; `None` only knows pauses.
    pub(super) fn new(name: String, rate: Option<f64>) -> Self {
        let spacing = Spacing::new(rate, Instant::now());
        Self {
            name,
            turn: tokio::sync::Mutex::new(()),
            state: Mutex::new(State { spacing, waited: Duration::ZERO }),
        }
    }

    /// Waits until a request may be sent.
    pub(super) async fn pass(&self) -> Pass<'_> {
        let _turn = self.turn.lock().await;
        loop {
            let now = Instant::now();
            let ready = {
                let mut state = self.state();
                let ready = state.spacing.ready_at(now);
                if ready <= now {
                    state.spacing.take(now);
                    return Pass(self);
                }
                ready
            };
            tokio::time::sleep_until(ready).await;
            self.state().waited += now.elapsed();
        }
    }

    /// Holds all requests back for `pause`; the longest of several counts.
    pub(super) fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let spacing = &mut self.state().spacing;
        spacing.paused_until = spacing.paused_until.max(until);
    }

    /// Whose requests it spaces, for people.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Time in which it held requests back.
    pub(super) fn waited(&self) -> Duration {
        self.state().waited
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock can panic")
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        self.0.state().spacing.answered(now);
    }
}

/// The arithmetic of a pacer: the generic cell rate algorithm, without a clock of its own.
#[derive(Debug)]
struct Spacing {
    interval: Duration,
    /// How far ahead of an even spacing requests may be: a burst, less its first request.
    slack: Duration,
    /// Whether the spacing counts from answers. With one request a second, the first one's
    /// connection set-up would otherwise let the second arrive early at a server that counts
    /// strictly.
    from_answers: bool,
    /// When the next request would be due if all were spaced evenly.
    next: Instant,
    paused_until: Instant,
}

impl Spacing {
    fn new(rate: Option<f64>, now: Instant) -> Self {
        let rate = rate.unwrap_or(f64::INFINITY);
        // A rate that makes no sense is read as the strictest that any API has.
        let (rate, interval) = match Duration::try_from_secs_f64(rate.recip()) {
            Ok(interval) => (rate, interval),
            Err(_) => (1.0, Duration::from_secs(1)),
        };
        // A tenth of a second's worth and at most ten: 150 a second stays well below the 200 at
        // which the Content API refuses.
        let burst = (rate / 10.0).floor().clamp(1.0, 10.0);
        let slack = interval.mul_f64(burst - 1.0);
        Self {
            interval,
            slack,
            from_answers: interval >= Duration::from_secs(1),
            next: now,
            paused_until: now,
        }
    }

    fn ready_at(&self, now: Instant) -> Instant {
        let due = self.next.checked_sub(self.slack).unwrap_or(now);
        now.max(due).max(self.paused_until)
    }

    fn take(&mut self, now: Instant) {
        self.next = self.next.max(now) + self.interval;
    }

    fn answered(&mut self, now: Instant) {
        if self.from_answers {
            self.next = self.next.max(now + self.interval);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `count` requests as fast as allowed; returns when each went, from the first.
    fn sent(spacing: &mut Spacing, start: Instant, count: usize, answer: Duration) -> Vec<Duration> {
        let mut now = start;
        (0..count)
            .map(|_| {
                now = spacing.ready_at(now);
                spacing.take(now);
                spacing.answered(now + answer);
                now - start
            })
            .collect()
    }

    #[test]
    fn no_window_holds_more_than_the_rate_and_a_small_burst() {
        for (rate, burst) in [(150.0, 10), (40.0, 4), (4.0, 1), (1.0, 1), (0.5, 1)] {
            let start = Instant::now();
            let times = sent(&mut Spacing::new(Some(rate), start), start, 400, Duration::ZERO);
            for (index, from) in times.iter().enumerate() {
                let window =
                    times[index..].iter().take_while(|at| **at - *from < Duration::from_secs(1)).count();
                assert!(window as f64 <= rate.max(1.0).ceil() + f64::from(burst), "{rate}: {window}");
            }
            let seconds = times[399].as_secs_f64();
            assert!((399.0 - f64::from(burst)) / rate <= seconds + 0.001, "{rate}: too fast");
            assert!(seconds <= 399.0 / rate + 0.001, "{rate}: too slow");
        }
    }

    #[test]
    fn one_a_second_counts_from_the_answer() {
        let start = Instant::now();
        let times = sent(&mut Spacing::new(Some(1.0), start), start, 3, Duration::from_millis(300));
        assert_eq!(times, [0, 1300, 2600].map(Duration::from_millis));
    }

    #[test]
    fn a_pause_holds_everybody_back() {
        let start = Instant::now();
        let mut spacing = Spacing::new(Some(150.0), start);
        spacing.paused_until = start + Duration::from_secs(7);
        assert_eq!(sent(&mut spacing, start, 1, Duration::ZERO), [Duration::from_secs(7)]);
    }

    #[test]
    fn a_senseless_rate_is_one_a_second() {
        for rate in [0.0, -3.0, f64::NAN, f64::MIN_POSITIVE] {
            assert_eq!(Spacing::new(Some(rate), Instant::now()).interval, Duration::from_secs(1), "{rate}");
        }
        assert_eq!(Spacing::new(None, Instant::now()).interval, Duration::ZERO);
    }

    #[tokio::test]
    async fn waiting_is_measured_once_for_all_who_wait() {
        let pacer = Pacer::new("test".to_owned(), Some(100.0));
        pacer.pause(Duration::from_millis(50));
        let started = Instant::now();
        futures_util::future::join_all((0..5).map(|_| pacer.pass())).await;
        assert!(started.elapsed() >= Duration::from_millis(50));
        assert!(pacer.waited() >= Duration::from_millis(49) && pacer.waited() <= started.elapsed());
    }

    #[tokio::test]
    async fn a_dropped_waiter_gives_its_place_to_the_next() {
        let pacer = Pacer::new("test".to_owned(), None);
        pacer.pause(Duration::from_millis(20));
        assert!(tokio::time::timeout(Duration::from_millis(1), pacer.pass()).await.is_err());
        drop(pacer.pass().await);
    }
}
