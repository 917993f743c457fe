//! Each repository against what is promised of it, and everything else that somebody should know.
//!
//! Three steps, of which only the first asks anybody: [`collect`] gathers [`Facts`] from the vault,
//! the configuration and the records of jobs; [`assess`] is pure and says what they mean;
//! [`metrics::render`] writes both as numbers for Prometheus. So every alarm is a test without a
//! store, and what a page, a program and a graph are told is the same.
//!
//! **Rules**
//! - What is not known is never good: a repository without a snapshot misses its objectives, a time
//!   to recover that nobody measured is at risk, a rehearsal that never was is missed.
//! - What lies in the future (some clock was wrong) keeps no promise.
//! - A replica that cannot be reached is a fact, not an error.
//! - Nothing here is personal data: names of the configuration, ids, times and numbers.
//!
//! What this does not do: it writes nothing, remembers nothing and tells nobody. Whoever notifies
//! compares the keys of the [`Alarm`]s of two assessments.

mod alarms;
mod assess;
mod awaited;
mod burn;
mod collect;
pub mod confidence;
mod drills;
mod erased;
mod erasures;
mod facts;
pub mod metrics;

pub use alarms::{Alarm, Severity};
pub use assess::{Assessment, Judged, Objective, Standing, State, assess};
pub use burn::unmet_share;
pub use collect::{Asked, ScheduledJob, collect, replica_requests};
pub use confidence::{Confidence, Factor};
pub use erased::erased;
pub use facts::{
    Drill, DrillFacts, Endangered, ErasedFacts, Facts, FailedDrill, JobFacts, LockFacts, Pending,
    PendingKind, Plan, Point, ReplicaFacts, RepositoryFacts, RequestCount, SnapshotFacts, TokenFacts,
    WaitingGate,
};
