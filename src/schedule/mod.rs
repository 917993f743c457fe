//! Schedules: jobs as files, one job a file, and when each of them runs.
//!
//! Jobs are files of their own and not tables of `prismvault.toml`, so that one can be added,
//! reviewed or taken out without touching what everything else depends on. They are read as
//! strictly as the configuration, by the same reader.
//!
//! When a job runs is a pure function of the expression, the time zone and a point in time:
//! [`Cron::next_after`]. Nothing here reads a clock, sleeps, or remembers what ran before.
//!
//! What this does not do: start anything. `prismvault jobs run NAME` runs one job now; whatever
//! calls it at the right time (cron, a systemd timer) is outside.

mod cron;
mod directory;
mod error;
mod fields;
mod job;

pub use crate::config::Zone;
pub use cron::Cron;
pub use directory::{Run, Schedules};
pub use error::CronError;
pub use job::{Job, Selector, Work};
