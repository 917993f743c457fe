//! Spaces the requests to one API on one host, for the whole process.
//!
//! Prismic limits requests per repository or per host, not per client, so all repositories of a
//! process that share a limit share one pacer. It keeps two rules: never more than `rate` requests
//! a second beyond a small burst, and nobody sends while a `Retry-After` runs.
//!
//! **About one request a second** is a limit that servers count strictly: two requests that *arrive*
//! within less than the interval are one too many, and what arrives when is known here only roughly.
//! So the next request goes as soon as one of these holds:
//! - the interval has passed since the *answer* of the one before began: that one arrived earlier
//!   still, so this is safe however slow the line is;
//! - the interval and a margin have passed since the one before was *sent*, and that one went over a
//!   connection that was open already: setting one up takes unknown time before a request arrives,
//!   what takes the same way twice takes about the same time.
//!
//! The first alone would waste the time that answers take; the second alone would not be safe. With
//! both, 95 % of the rate is used whether answers take a millisecond or nearly the whole interval. A
//! 429 makes the margin wider, answers that are good make it slowly narrower again: somebody else
//! may use the same limit, or the line be worse than thought.
//!
//! Waiting is a queue: one request at a time sleeps, in order of arrival, the others stand behind
//! it. So the time measured is that in which the pacer really held the process up, however many
//! were waiting, and it can be taken off a run's time. Dropping a waiting request gives its place
//! to the next one; dropping one that was sent counts as its answer.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Intervals from which on a limit is taken to be counted strictly.
const STRICT_FROM: Duration = Duration::from_millis(500);

/// What comes on top of the interval after an answer: clocks of two machines run a little
/// differently, and servers round.
const AFTER_ANSWER: Duration = Duration::from_millis(5);

/// Share of the interval by which two requests over an open connection may get closer to each other
/// on their way. With 1 request a second, 40 ms.
const MARGIN: f64 = 0.04;

/// By how much a 429 widens the margin, and how far at most.
const WIDENED_BY: f64 = 0.04;
const WIDENED_MAX: f64 = 1.0 - MARGIN;

/// By how much a good answer narrows it again: what one 429 did is undone in a hundred requests.
const NARROWED_BY: f64 = 0.0004;

/// How long a connection that nothing was sent over counts as open: less than the five seconds after
/// which the most impatient servers close it.
const STAYS_OPEN: Duration = Duration::from_secs(4);

/// Which connections a request goes over: those for uploads have other time limits, so they are
/// others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Requests that are sent at once.
    Short,
    /// Uploads.
    Long,
}

/// Spaces requests; see the module.
#[derive(Debug)]
pub(super) struct Pacer {
    name: String,
    turn: tokio::sync::Mutex<()>,
    /// Something happened that may let the next request go earlier than it knew.
    changed: Notify,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    spacing: Spacing,
    waited: Duration,
}

/// The right to send one request; dropped when its answer was read to its end, or given up.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    pacer: &'a Pacer,
    lane: Lane,
    number: u64,
    began: bool,
    /// Whether the connection stays open for the next request.
    reusable: bool,
}

impl Pacer {
    /// Returns a pacer for `rate` requests a second; `None` only knows pauses.
    pub(super) fn new(name: String, rate: Option<f64>) -> Self {
        let spacing = Spacing::new(rate, Instant::now());
        Self {
            name,
            turn: tokio::sync::Mutex::new(()),
            changed: Notify::new(),
            state: Mutex::new(State { spacing, waited: Duration::ZERO }),
        }
    }

    /// Waits until a request may be sent.
    pub(super) async fn pass(&self, lane: Lane) -> Pass<'_> {
        let _turn = self.turn.lock().await;
        loop {
            let now = Instant::now();
            let ready = {
                let mut state = self.state();
                let ready = state.spacing.ready_at(now);
                if ready.is_some_and(|ready| ready <= now) {
                    let number = state.spacing.take(now, lane);
                    return Pass { pacer: self, lane, number, began: false, reusable: false };
                }
                ready
            };
            // Who has the turn is the only one that waits here, and a change before this line is
            // remembered.
            let changed = self.changed.notified();
            match ready {
                Some(ready) => drop(tokio::time::timeout_at(ready, changed).await),
                None => changed.await,
            }
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

    fn change(&self, change: impl FnOnce(&mut Spacing)) {
        change(&mut self.state().spacing);
        self.changed.notify_one();
    }
}

impl Pass<'_> {
    /// Says that the body is long: the request counts as sent with [`sent`](Self::sent) only.
    pub(super) fn is_being_sent(&self) {
        self.pacer.change(|spacing| spacing.set_sent(self.number, None));
    }

    /// Says that the last byte is on its way.
    pub(super) fn sent(&self) {
        let now = Instant::now();
        self.pacer.change(|spacing| spacing.set_sent(self.number, Some(now)));
    }

    /// Says that the answer began, whether it refuses the rate, and whether the connection can be used
    /// again when it was read.
    pub(super) fn answered(&mut self, refused: bool, reusable: bool) {
        (self.began, self.reusable) = (true, reusable);
        let now = Instant::now();
        self.pacer.change(|spacing| spacing.answered(self.number, now, refused));
    }

    /// Says that the answer was read to its end.
    pub(super) fn finished(self) {
        if self.reusable {
            let now = Instant::now();
            self.pacer.change(|spacing| spacing.reusable(self.lane, now));
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        self.pacer.change(|spacing| {
            if !self.began {
                spacing.lost(self.number, self.lane, now);
            }
            spacing.open = spacing.open.saturating_sub(1);
        });
    }
}

/// The arithmetic of a pacer, without a clock of its own: for high rates the generic cell rate
/// algorithm, for low ones what the module says.
#[derive(Debug)]
struct Spacing {
    interval: Duration,
    /// How far ahead of an even spacing requests may be: a burst, less its first request.
    slack: Duration,
    /// Whether arrivals are counted strictly.
    strict: bool,
    /// When the next request would be due if all were spaced evenly.
    next: Instant,
    paused_until: Instant,
    /// The last request.
    last: Option<Sent>,
    /// Requests whose answer was not read to its end.
    open: usize,
    /// When a connection of each lane was last free and open.
    free: [Option<Instant>; 2],
    /// Share of the interval by which 429s have widened the margin.
    widened: f64,
}

/// A request on its way.
#[derive(Debug)]
struct Sent {
    number: u64,
    at: Option<Instant>,
    /// Whether it went over a connection that was open.
    warm: bool,
    answered: Option<Instant>,
}

/// Time between two requests at a rate; see [`sane`].
pub(super) fn interval_of(rate: f64) -> Duration {
    sane(rate).1
}

/// A rate and its interval. One that makes no sense is read as the strictest that any API has.
fn sane(rate: f64) -> (f64, Duration) {
    match Duration::try_from_secs_f64(rate.recip()) {
        Ok(interval) => (rate, interval),
        Err(_) => (1.0, Duration::from_secs(1)),
    }
}

impl Spacing {
    fn new(rate: Option<f64>, now: Instant) -> Self {
        let rate = rate.unwrap_or(f64::INFINITY);
        let (rate, interval) = sane(rate);
        // A tenth of a second's worth and at most ten: 150 a second stays well below the 200 at
        // which the Content API refuses.
        let burst = (rate / 10.0).floor().clamp(1.0, 10.0);
        let slack = interval.mul_f64(burst - 1.0);
        Self {
            interval,
            slack,
            strict: interval >= STRICT_FROM,
            next: now,
            paused_until: now,
            last: None,
            open: 0,
            free: [None; 2],
            widened: 0.0,
        }
    }

    /// When the next request may go, as far as is known; `None` while only an answer can tell.
    fn ready_at(&self, now: Instant) -> Option<Instant> {
        let due = match &self.last {
            Some(last) if self.strict => {
                let wider = |share: f64| self.interval.mul_f64(1.0 + self.widened + share);
                let by_answer = last.answered.map(|at| at + wider(0.0) + AFTER_ANSWER);
                let by_sending = last.at.filter(|_| last.warm).map(|at| at + wider(MARGIN));
                by_answer.into_iter().chain(by_sending).min()?
            }
            _ => self.next.checked_sub(self.slack).unwrap_or(now),
        };
        Some(now.max(due).max(self.paused_until))
    }

    /// Takes note of a request that is sent now; returns its number.
    fn take(&mut self, now: Instant, lane: Lane) -> u64 {
        self.next = self.next.max(now) + self.interval;
        // Where another answer is still being read, this one opens a connection of its own.
        let free = self.free[lane as usize].take();
        let warm = self.open == 0 && free.is_some_and(|at| now - at < STAYS_OPEN);
        let number = self.last.as_ref().map_or(0, |last| last.number + 1);
        self.last = Some(Sent { number, at: Some(now), warm, answered: None });
        self.open += 1;
        number
    }

    /// The request of this number, if none was sent since.
    fn last(&mut self, number: u64) -> Option<&mut Sent> {
        self.last.as_mut().filter(|last| last.number == number)
    }

    fn set_sent(&mut self, number: u64, at: Option<Instant>) {
        if let Some(last) = self.last(number) {
            last.at = at;
        }
    }

    fn answered(&mut self, number: u64, now: Instant, refused: bool) {
        if let Some(last) = self.last(number) {
            last.answered = Some(now);
        }
        self.widened = match refused {
            true => (self.widened + WIDENED_BY).min(WIDENED_MAX),
            false => (self.widened - NARROWED_BY).max(0.0),
        };
    }

    fn reusable(&mut self, lane: Lane, now: Instant) {
        self.free[lane as usize] = Some(now);
    }

    /// Takes note of a request that got no answer, or whose answer nobody wants: its connection is
    /// gone.
    fn lost(&mut self, number: u64, lane: Lane, now: Instant) {
        if let Some(last) = self.last(number) {
            last.answered = Some(now);
        }
        self.free[lane as usize] = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Sends `count` requests as fast as allowed; returns when each went, from the first.
    fn sent(spacing: &mut Spacing, start: Instant, count: usize) -> Vec<Duration> {
        let mut now = start;
        (0..count)
            .map(|_| {
                now = spacing.ready_at(now).expect("known");
                let number = spacing.take(now, Lane::Short);
                spacing.answered(number, now, false);
                now - start
            })
            .collect()
    }

    /// A server far away, in milliseconds.
    #[derive(Debug, Clone)]
    struct Line {
        /// Time to set a connection up.
        setup: u64,
        /// Time that a request and an answer take on their way, each.
        way: u64,
        /// How much longer each request may take.
        jitter: u64,
        /// Time from the arrival of a request to its answer.
        work: u64,
        /// Whether connections stay open.
        keeps: bool,
    }

    /// What became of requests that were sent as fast as allowed.
    struct Run {
        arrivals: Vec<Instant>,
        took: Duration,
        widened: f64,
    }

    /// Sends requests one after the other, or each as soon as it may go whether or not the one before
    /// was answered. `limit` is what the server counts.
    fn run(line: &Line, rate: f64, count: usize, at_once: bool, limit: Duration, random: &[u64]) -> Run {
        let start = Instant::now();
        let mut spacing = Spacing::new(Some(rate), start);
        let (mut now, mut arrivals): (Instant, Vec<Instant>) = (start, Vec::new());
        // What is on its way back: number, when, whether refused.
        let mut answers: Vec<(u64, Instant, bool)> = Vec::new();
        let mut accepted: Option<Instant> = None;
        let mut free: Option<Instant> = None;
        while arrivals.len() < count {
            // The next thing that happens: an answer, or a request that may go.
            let ready = spacing.ready_at(now).filter(|_| at_once || answers.is_empty());
            let answer = answers.iter().enumerate().min_by_key(|(_, answer)| answer.1).map(|(at, _)| at);
            if let Some(at) = answer.filter(|at| ready.is_none_or(|ready| answers[*at].1 <= ready)) {
                let (number, at, refused) = answers.remove(at);
                now = now.max(at);
                spacing.answered(number, now, refused);
                if line.keeps {
                    spacing.reusable(Lane::Short, now);
                    free = Some(now);
                }
                spacing.open -= 1;
                continue;
            }
            // Timers of the runtime have whole milliseconds.
            now = ready.expect("nothing is on its way") + MS;
            let number = spacing.take(now, Lane::Short);
            let is_open = answers.is_empty() && free.is_some_and(|at| now - at < Duration::from_secs(5));
            let setup = if is_open { 0 } else { line.setup };
            let jitter = random[arrivals.len() % random.len()] % (line.jitter + 1);
            let arrival = now + (setup + line.way + jitter) as u32 * MS;
            let refused = accepted.is_some_and(|before| arrival.saturating_duration_since(before) < limit);
            accepted = if refused { accepted } else { Some(arrival) };
            answers.push((number, arrival + (line.work + line.way) as u32 * MS, refused));
            arrivals.push(arrival);
        }
        Run { arrivals, took: now - start, widened: spacing.widened }
    }

    fn closest(run: &Run) -> Duration {
        run.arrivals
            .windows(2)
            .map(|two| two[1].saturating_duration_since(two[0]))
            .min()
            .expect("two at least")
    }

    const SECOND: Duration = Duration::from_secs(1);

    proptest! {
        #[test]
        fn no_two_requests_arrive_within_the_interval(
            setup in 0u64..700, way in 0u64..300, jitter in 0u64..=40, work in 0u64..4000,
            keeps: bool, at_once: bool, random in prop::collection::vec(0u64..1000, 20..60),
        ) {
            let line = Line { setup, way, jitter, work, keeps };
            let run = run(&line, 1.0, 60, at_once, SECOND, &random);
            prop_assert!(closest(&run) >= SECOND, "{:?} on {line:?}", closest(&run));
            prop_assert_eq!(run.widened, 0.0);
        }

        #[test]
        fn at_least_95_percent_of_the_rate_are_used(
            setup in 0u64..300, work in 1u64..900, jitter in 0u64..=40,
            random in prop::collection::vec(0u64..1000, 20..60),
        ) {
            let line = Line { setup, way: work / 20, jitter, work: work - 2 * (work / 20), keeps: true };
            let run = run(&line, 1.0, 400, false, SECOND, &random);
            prop_assert!(run.took <= 399 * SECOND * 100 / 95, "{:?} on {line:?}", run.took);
        }
    }

    #[test]
    fn connections_that_do_not_stay_open_are_waited_for() {
        let line = Line { setup: 300, way: 20, jitter: 0, work: 60, keeps: false };
        let run = run(&line, 1.0, 10, false, SECOND, &[0]);
        assert_eq!(closest(&run), Duration::from_millis(300 + 20 + 60 + 20 + 1005 + 1));
    }

    #[test]
    fn after_a_429_the_spacing_is_wider_and_gets_narrow_again_slowly() {
        // A server that wants 10 % more than it says.
        let line = Line { setup: 0, way: 5, jitter: 0, work: 200, keeps: true };
        let run = run(&line, 1.0, 300, false, Duration::from_millis(1100), &[0]);
        let refused = run.arrivals.windows(2).filter(|two| two[1] - two[0] < 1100 * MS).count();
        assert!((1..=12).contains(&refused), "{refused} of 300");
        assert!(run.widened > 0.0 && run.widened < 0.2, "{}", run.widened);
        let start = Instant::now();
        let mut spacing = Spacing::new(Some(1.0), start);
        for number in 0..100 {
            spacing.answered(number, start, true);
        }
        assert_eq!(spacing.widened, WIDENED_MAX, "twice the interval at most");
        for number in 0..100 {
            spacing.answered(number, start, false);
        }
        assert!((spacing.widened - (WIDENED_MAX - 0.04)).abs() < 1e-9);
    }

    #[test]
    fn no_window_holds_more_than_the_rate_and_a_small_burst() {
        for (rate, burst) in [(150.0, 10), (40.0, 4), (4.0, 1)] {
            let start = Instant::now();
            let times = sent(&mut Spacing::new(Some(rate), start), start, 400);
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
    fn a_request_over_a_new_connection_holds_the_next_back_until_it_is_answered() {
        let start = Instant::now();
        let mut spacing = Spacing::new(Some(1.0), start);
        let first = spacing.take(start, Lane::Short);
        assert_eq!(spacing.ready_at(start), None);
        spacing.answered(first, start + 300 * MS, false);
        assert_eq!(spacing.ready_at(start), Some(start + 1305 * MS));
        spacing.reusable(Lane::Short, start + 310 * MS);
        spacing.open = 0;
        spacing.take(start + 1305 * MS, Lane::Short);
        assert_eq!(spacing.ready_at(start), Some(start + 2345 * MS), "no answer is needed any more");
        let third = spacing.take(start + 2345 * MS, Lane::Short);
        assert_eq!(spacing.ready_at(start), None, "the one before still has the connection");
        spacing.lost(third, Lane::Short, start + 2400 * MS);
        assert_eq!(spacing.ready_at(start), Some(start + 3405 * MS), "given up counts as answered");
    }

    #[test]
    fn an_upload_counts_from_its_last_byte_and_has_connections_of_its_own() {
        let start = Instant::now();
        let mut spacing = Spacing::new(Some(1.0), start);
        for lane in [Lane::Short, Lane::Long] {
            spacing.reusable(lane, start);
        }
        let upload = spacing.take(start, Lane::Long);
        spacing.set_sent(upload, None);
        assert_eq!(spacing.ready_at(start), None, "it is on its way");
        spacing.set_sent(upload, Some(start + 500 * MS));
        assert_eq!(spacing.ready_at(start), Some(start + 1540 * MS));
        spacing.open = 0;
        spacing.take(start + 1540 * MS, Lane::Long);
        assert_eq!(spacing.ready_at(start), None, "that of the others does not help");
    }

    #[test]
    fn a_pause_holds_everybody_back() {
        let start = Instant::now();
        for rate in [150.0, 1.0] {
            let mut spacing = Spacing::new(Some(rate), start);
            spacing.paused_until = start + Duration::from_secs(7);
            assert_eq!(sent(&mut spacing, start, 1), [Duration::from_secs(7)]);
        }
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
        futures_util::future::join_all((0..5).map(|_| pacer.pass(Lane::Short))).await;
        assert!(started.elapsed() >= Duration::from_millis(50));
        assert!(pacer.waited() >= Duration::from_millis(49) && pacer.waited() <= started.elapsed());
    }

    #[tokio::test]
    async fn a_dropped_waiter_gives_its_place_to_the_next() {
        let pacer = Pacer::new("test".to_owned(), None);
        pacer.pause(Duration::from_millis(20));
        assert!(tokio::time::timeout(Duration::from_millis(1), pacer.pass(Lane::Short)).await.is_err());
        drop(pacer.pass(Lane::Short).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_lets_the_next_request_go_that_waits_already() {
        let pacer = Pacer::new("test".to_owned(), Some(1.0));
        let started = Instant::now();
        let mut first = pacer.pass(Lane::Short).await;
        let second = async {
            drop(pacer.pass(Lane::Short).await);
            started.elapsed()
        };
        let answer = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            first.answered(false, true);
            first.finished();
        };
        let (second, ()) = futures_util::join!(second, answer);
        assert_eq!(second, Duration::from_millis(1405));
        assert_eq!(pacer.waited(), second);
        // Nobody answers the second: it was dropped.
        drop(pacer.pass(Lane::Short).await);
        assert_eq!(started.elapsed(), Duration::from_millis(1405 + 1005));
    }
}
