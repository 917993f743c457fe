//! When what happened: offsets from a monotonic clock, so that a clock that jumps changes no measured time.
//!
//! The wall clock is read twice, at the beginning and at the end; every entry is an offset from the beginning.
//! Where both clocks disagree about the whole by more than [`DRIFT_MAX`], the report says so.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::clock::{Clock, Timestamp, rfc3339};

/// How far wall clock and monotonic clock may be apart at the end before that is told.
pub const DRIFT_MAX: TimeDelta = TimeDelta::seconds(2);

/// What a drill does, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The vault is opened and the snapshot found.
    Locate,
    /// The keys are fetched, and open what they are to open.
    Keys,
    /// Signatures, chain and ledger are checked, and that every object is there: before anything is used.
    Verify,
    /// Every stored byte is read and hashed.
    Fetch,
    /// Everything is decrypted, hashed, parsed, and what refers to what is closed.
    Decrypt,
    /// It is written to, or served by, the target.
    Restore,
    /// What orders of the ledger take away, correct or withhold is told and looked for.
    Replay,
    /// What was restored is compared with the snapshot.
    Content,
    /// Queries, commands and pages are tried.
    Function,
    /// Gates are decided, as far as a machine may.
    Gates,
    /// What the drill made is removed, and that is shown.
    CleanUp,
}

impl Phase {
    /// All, in order.
    pub const ALL: [Self; 11] = [
        Self::Locate,
        Self::Keys,
        Self::Verify,
        Self::Fetch,
        Self::Decrypt,
        Self::Restore,
        Self::Replay,
        Self::Content,
        Self::Function,
        Self::Gates,
        Self::CleanUp,
    ];

    /// Its name, for people and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Locate => "locate",
            Self::Keys => "keys",
            Self::Verify => "verify",
            Self::Fetch => "fetch",
            Self::Decrypt => "decrypt",
            Self::Restore => "restore",
            Self::Replay => "replay",
            Self::Content => "content",
            Self::Function => "function",
            Self::Gates => "gates",
            Self::CleanUp => "clean-up",
        }
    }

    /// What is done in it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Locate => "open the vault and find the snapshot",
            Self::Keys => "fetch the keys",
            Self::Verify => "verify integrity before use",
            Self::Fetch => "read and hash every stored byte",
            Self::Decrypt => "decrypt, hash and parse everything",
            Self::Restore => "restore",
            Self::Replay => "apply the orders of the ledger",
            Self::Content => "compare the content with the snapshot",
            Self::Function => "try queries, commands and pages",
            Self::Gates => "decide at the gates",
            Self::CleanUp => "clean up",
        }
    }

    /// Whether its time is part of the time to recover: after the content was found good, sites can be pointed to
    /// it. What follows is paper and brooms.
    pub fn counts(self) -> bool {
        self <= Self::Function
    }
}

/// How a phase ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// As it should.
    Good,
    /// Something in it is not as it should be; the drill went on.
    Bad,
    /// It could not be gone through: what depends on it was not done.
    Broken,
    /// It was not begun, because an earlier one was broken.
    Skipped,
}

/// A phase that was gone through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseRecord {
    /// Which.
    pub phase: Phase,
    /// Milliseconds from the beginning of the drill to its own.
    pub begun_ms: u64,
    /// Milliseconds that it took.
    pub took_ms: u64,
    /// How it ended.
    pub ended: Ended,
    /// What it came to, a line each: counts and ids, never content.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds from the beginning.
    pub at_ms: u64,
    /// Who says it: `machine`, or a person.
    pub by: String,
    /// What happened.
    pub what: String,
}

/// The timeline of a drill that runs.
#[derive(Debug)]
pub struct Timeline {
    begun: Instant,
    wall: Timestamp,
    state: Mutex<(Vec<Entry>, Vec<PhaseRecord>)>,
}

impl Timeline {
    /// Begins now.
    pub fn begin(clock: &dyn Clock) -> Self {
        Self { begun: Instant::now(), wall: clock.now(), state: Mutex::default() }
    }

    /// When it began, by the wall clock.
    pub fn began(&self) -> Timestamp {
        self.wall
    }

    /// How long ago it began.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, (Vec<Entry>, Vec<PhaseRecord>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line by the machine.
    pub fn note(&self, what: impl Into<String>) {
        let at_ms = millis(self.elapsed());
        self.state().0.push(Entry { at_ms, by: MACHINE.to_owned(), what: what.into() });
    }

    /// Times one phase; what it came to is `notes` and how it ended.
    pub async fn time<T>(&self, phase: Phase, work: impl Future<Output = (Ended, Vec<String>, T)>) -> T {
        let begun = self.elapsed();
        self.note(format!("began to {}", phase.words()));
        let (ended, notes, done) = work.await;
        let took = self.elapsed().saturating_sub(begun);
        self.add(PhaseRecord { phase, begun_ms: millis(begun), took_ms: millis(took), ended, notes });
        done
    }

    /// Says that a phase was not begun, because an earlier one was broken.
    pub fn skip(&self, phase: Phase, why: &str) {
        let begun_ms = millis(self.elapsed());
        let notes = vec![why.to_owned()];
        self.add(PhaseRecord { phase, begun_ms, took_ms: 0, ended: Ended::Skipped, notes });
    }

    fn add(&self, record: PhaseRecord) {
        let words = match record.ended {
            Ended::Good => "done",
            Ended::Bad => "done, and something is wrong",
            Ended::Broken => "could not be done",
            Ended::Skipped => "not begun",
        };
        self.note(format!("{}: {words}", record.phase.name()));
        self.state().1.push(record);
    }

    /// The phases so far.
    pub fn phases(&self) -> Vec<PhaseRecord> {
        self.state().1.clone()
    }

    /// All lines so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.state().0.clone()
    }

    /// Ends it: the time that the whole took by the monotonic clock, and by how much the wall clock went another
    /// way; `None` where both agree.
    pub fn end(&self, clock: &dyn Clock) -> (Duration, Option<TimeDelta>) {
        let elapsed = self.elapsed();
        let by_wall = clock.now() - self.wall;
        let drift = by_wall - TimeDelta::from_std(elapsed).unwrap_or(TimeDelta::MAX);
        (elapsed, (drift.abs() > DRIFT_MAX).then_some(drift))
    }
}

/// Who says what the program says.
pub const MACHINE: &str = "machine";

/// Milliseconds, as records have them.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The time of an entry on the wall, for people.
pub fn wall_time(began: Timestamp, at_ms: u64) -> String {
    let at = TimeDelta::try_milliseconds(i64::try_from(at_ms).unwrap_or(i64::MAX));
    rfc3339(at.and_then(|at| began.checked_add_signed(at)).unwrap_or(began))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_jumps_changes_no_measured_time_and_is_told() {
        let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
        let timeline = Timeline::begin(&clock);
        let work = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            // Somebody sets the clock an hour back.
            clock.advance(TimeDelta::hours(-1));
            (Ended::Good, vec!["3 packs".to_owned()], 7)
        };
        assert_eq!(timeline.time(Phase::Fetch, work).await, 7);
        timeline.skip(Phase::Decrypt, "nothing was fetched");
        let phases = timeline.phases();
        assert_eq!((phases[0].took_ms, phases[0].ended), (30_000, Ended::Good));
        assert_eq!((phases[1].took_ms, phases[1].ended), (0, Ended::Skipped));
        let (took, drift) = timeline.end(&clock);
        assert_eq!(took, Duration::from_secs(30));
        assert_eq!(drift, Some(TimeDelta::seconds(-3630)));
        clock.advance(TimeDelta::seconds(3631));
        assert_eq!(timeline.end(&clock).1, None, "a second is no jump");
        let lines: Vec<u64> = timeline.entries().iter().map(|entry| entry.at_ms).collect();
        assert!(lines.is_sorted() && lines.len() == 3, "{lines:?}");
    }

    #[test]
    fn phases_are_in_the_order_in_which_they_are_gone_through() {
        assert!(Phase::ALL.is_sorted());
        for phase in Phase::ALL {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
        }
        assert!(Phase::Function.counts() && !Phase::CleanUp.counts() && !Phase::Gates.counts());
    }
}
