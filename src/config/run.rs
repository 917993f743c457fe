//! `[run]`: the scheduler of `prismvault run`, and who may run a job.

use std::time::Duration;

use super::error::{ConfigError, unknown};
use super::read::Value;
use crate::clock::parse_duration;

const KEYS: &[&str] = &["jobs_at_once", "lease", "finish", "look_every"];
/// Most jobs at once that a file may ask for: each may hold two packs and two hundred megabytes.
const AT_ONCE_MAX: u64 = 64;
/// Shortest and longest time between two looks for alarms: each asks every replica for several listings,
/// and what is wrong is to be known within a day.
const LOOK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(24));

/// `[run]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSettings {
    /// Most jobs that one scheduler runs at once.
    pub jobs_at_once: usize,
    /// Name of the replica that gives leases; by default the first that can.
    pub lease: Option<String>,
    /// How long jobs that are under way may go on when the scheduler is asked to end, before they
    /// are told to stop. A service manager must wait longer than that.
    pub finish: Duration,
    /// How often the scheduler looks for alarms and writes metrics.
    pub look_every: Duration,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            jobs_at_once: 2,
            lease: None,
            finish: Duration::from_mins(1),
            look_every: Duration::from_mins(5),
        }
    }
}

impl RunSettings {
    /// Reads the table; `replicas` are the names that `lease` may be.
    pub(super) fn read(value: &Value<'_>, replicas: &[&str]) -> Result<Self, ConfigError> {
        let table = value.table(KEYS)?;
        let default = Self::default();
        let duration = |value: &Value<'_>| {
            parse_duration(value.text()?).ok_or_else(|| value.invalid("must be a duration such as \"90s\""))
        };
        let look = |value: &Value<'_>| match duration(value)? {
            every if every < LOOK.0 => Err(value.invalid("is too short: at least \"1s\"")),
            every if every > LOOK.1 => Err(value.invalid("is too long: at most \"24h\"")),
            every => Ok(every),
        };
        Ok(Self {
            jobs_at_once: table
                .read("jobs_at_once", |value| value.integer(1, AT_ONCE_MAX))?
                .map_or(default.jobs_at_once, |at_once| at_once as usize),
            lease: table.read("lease", |value| match value.text()? {
                name if replicas.contains(&name) => Ok(name.to_owned()),
                other => Err(value.invalid(unknown("replica", other, replicas))),
            })?,
            finish: table.read("finish", duration)?.unwrap_or(default.finish),
            look_every: table.read("look_every", look)?.unwrap_or(default.look_every),
        })
    }
}
