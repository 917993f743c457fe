//! Schedules: jobs as files, one job a file, and when each of them runs.
//!
//! Jobs are files of their own and not tables of `prismvault.toml`, so that one can be added,
//! reviewed or taken out without touching what everything else depends on. They are read as
//! strictly as the configuration, by the same reader.
//!
//! When a job runs is a pure function of the expression, the time zone and a point in time:
//! [`Cron::next_after`]. What is to begin now, after all that happened, is decided by [`Agenda`];
//! neither reads a clock or sleeps. [`Scheduler`] is the loop that waits and begins. What one run
//! owes to the others, its lease and its record, is an [`Errand`](errand::Errand).

mod agenda;
mod cron;
mod directory;
mod engine;
pub mod errand;
mod error;
mod fields;
mod job;
mod notify;

pub use crate::config::Zone;
pub use agenda::{Agenda, Due, Ended, Known, LeftOut, Pace, Reason, Start};
pub use cron::Cron;
pub use directory::{Run, Schedules};
pub use engine::{Change, Event, Hand, Ran, Scheduler, Times};
pub use error::CronError;
pub use job::{Job, Selector, Work};
pub use notify::{JobNotify, Receiver};
