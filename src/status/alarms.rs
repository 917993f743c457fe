//! What somebody should know of now.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::ids::Name;

/// How grave an alarm is; the graver, the larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is lost yet; somebody should look within days.
    Warning,
    /// A promise is broken; somebody should look now.
    Critical,
}

impl Severity {
    /// The word for it: `warning`, `critical`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Something that is wrong now. While it lasts it is the same alarm, whatever its sentence says.
///
/// All of it is made of our own words, names and numbers: alarms leave the machine, so nothing
/// that a server, a document or a person wrote is in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// What it is about, the same as long as it lasts: `rpo/blog`, `replica/offsite/behind`.
    pub key: String,
    /// How grave it is.
    pub severity: Severity,
    /// The repository, where it is about one.
    pub repository: Option<Name>,
    /// What is wrong: a sentence without full stop.
    pub what: String,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// The command to run next.
    pub next: String,
}
