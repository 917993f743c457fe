//! One thing that is said of one alarm.

use serde::Serialize;

use crate::clock::{Timestamp, rfc3339};
use crate::ids::Name;
use crate::status::Severity;

/// Longest sentence that is sent; ours are shorter.
const SENTENCE_MAX: usize = 400;

/// Why something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Began,
    /// It was a warning and is critical now.
    Worse,
    /// It is as it was.
    Reminder,
    /// It is over.
    Ended,
    /// Nothing is wrong: somebody tries whether messages arrive.
    Test,
}

impl Change {
    /// The word for it, for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Began => "began",
            Self::Worse => "worse",
            Self::Reminder => "reminder",
            Self::Ended => "ended",
            Self::Test => "test",
        }
    }
}

/// One thing that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Key of the alarm, the same from its beginning to its end.
    pub key: String,
    /// Why it is said now.
    pub change: Change,
    /// How grave it is, or was.
    pub severity: Severity,
    /// The repository, where it is about one.
    pub repository: Option<Name>,
    /// The job, where it is about the runs of one.
    pub job: Option<Name>,
    /// What is or was wrong: one line.
    pub what: String,
    /// Since when.
    pub since: Timestamp,
    /// The command to run next.
    pub next: String,
}

impl Notice {
    /// Returns the notice by which somebody tries a receiver.
    pub fn test(now: Timestamp) -> Self {
        Self {
            key: "test".to_owned(),
            change: Change::Test,
            severity: Severity::Warning,
            repository: None,
            job: None,
            what: "this is a test of prismvault's notifications, nothing is wrong".to_owned(),
            since: now,
            next: "prismvault jobs check".to_owned(),
        }
    }

    /// Returns it in one line: `[critical] blog: the last snapshot is too old`.
    pub fn title(&self) -> String {
        let tag = match self.change {
            Change::Began | Change::Worse => self.severity.label().to_owned(),
            Change::Reminder => format!("still {}", self.severity.label()),
            Change::Ended => "over".to_owned(),
            Change::Test => "test".to_owned(),
        };
        match &self.repository {
            Some(repository) => format!("[{tag}] {repository}: {}", self.what),
            None => format!("[{tag}] {}", self.what),
        }
    }

    /// Returns when, and what to do next, in one line.
    pub fn details(&self) -> String {
        match self.change {
            Change::Ended => format!("it had been so since {}", rfc3339(self.since)),
            _ => format!("since {}, next: {}", rfc3339(self.since), self.next),
        }
    }

    /// Returns the value of a placeholder of
    /// [`PLACEHOLDERS`](crate::config::PLACEHOLDERS).
    pub fn value(&self, placeholder: &str) -> String {
        let name = |name: &Option<Name>| name.as_ref().map(ToString::to_string).unwrap_or_default();
        match placeholder {
            "title" => self.title(),
            "text" => format!("{}\n{}", self.title(), self.details()),
            "severity" => self.severity.label().to_owned(),
            "change" => self.change.word().to_owned(),
            "repository" => name(&self.repository),
            "job" => name(&self.job),
            "what" => self.what.clone(),
            "since" => rfc3339(self.since),
            "next" => self.next.clone(),
            "key" => self.key.clone(),
            _ => String::new(),
        }
    }
}

/// Makes one line of a text, so that it fits into a header and a log: without control characters,
/// and not longer than a sentence.
pub(super) fn one_line(text: &str) -> String {
    let plain = text.chars().map(|char| if char.is_control() { ' ' } else { char });
    plain.take(SENTENCE_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PLACEHOLDERS;

    #[test]
    fn every_placeholder_has_a_value() {
        let notice = Notice {
            repository: Some("blog".parse().unwrap()),
            job: Some("nightly".parse().unwrap()),
            ..Notice::test("2026-11-21T02:00:00Z".parse().unwrap())
        };
        for placeholder in PLACEHOLDERS {
            assert_ne!(notice.value(placeholder), "", "{placeholder}");
        }
        assert_eq!(notice.value("since"), "2026-11-21T02:00:00Z");
        assert_eq!(notice.value("change"), "test");
    }

    #[test]
    fn a_line_stays_a_line() {
        assert_eq!(one_line(" a\r\nBcc: x\u{7}\u{85}b "), "a  Bcc: x  b");
        assert_eq!(one_line(&"é".repeat(1000)).chars().count(), SENTENCE_MAX);
    }
}
