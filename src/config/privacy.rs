//! `[privacy]`: what is kept of data-subject requests on this host.

use chrono::TimeDelta;

use super::error::ConfigError;
use super::read::Value;
use crate::clock::parse_duration;

const KEYS: &[&str] = &["keep_packages"];

/// `[privacy]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivacySettings {
    /// How long after it was made a package for a person stays where this host wrote it, until `privacy purge`
    /// removes it: long enough to hand it over, and to hand it over again.
    pub keep_packages: TimeDelta,
}

impl Default for PrivacySettings {
    fn default() -> Self {
        Self { keep_packages: TimeDelta::days(30) }
    }
}

impl PrivacySettings {
    /// Reads the table.
    pub(super) fn read(value: &Value<'_>) -> Result<Self, ConfigError> {
        let table = value.table(KEYS)?;
        let duration = |value: &Value<'_>| {
            let read = parse_duration(value.text()?).and_then(|read| TimeDelta::from_std(read).ok());
            match read {
                Some(read) if read >= TimeDelta::days(1) => Ok(read),
                Some(_) => Err(value.invalid("is too short: at least \"1d\"")),
                None => Err(value.invalid("must be a duration such as \"30d\", at most a year")),
            }
        };
        let default = Self::default();
        Ok(Self { keep_packages: table.read("keep_packages", duration)?.unwrap_or(default.keep_packages) })
    }
}
