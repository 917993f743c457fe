//! What a reviewer can say of a finding.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What was decided of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// It is about the person.
    Subject,
    /// It is about somebody else, or about nobody: a namesake, a word.
    NotSubject,
    /// Nobody could tell yet. A review with one of these does not end.
    Unsure,
    /// It is about the person, and is kept with a legal ground (GDPR Art. 17(3)). Part of an access answer.
    Keep,
    /// It is about the person and about others as well, whose rights the copy must respect (GDPR
    /// Art. 15(4)).
    ThirdParty,
}

impl Decision {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Subject, Self::NotSubject, Self::Unsure, Self::Keep, Self::ThirdParty];

    /// Its name, as people type it and worksheets spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::NotSubject => "not-subject",
            Self::Unsure => "unsure",
            Self::Keep => "keep",
            Self::ThirdParty => "third-party",
        }
    }

    /// What it means, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Subject => "this is the person",
            Self::NotSubject => "this is somebody else, or nobody",
            Self::Unsure => "cannot tell yet",
            Self::Keep => "this is the person, and it is kept with a legal ground",
            Self::ThirdParty => "this is the person, and others whose data is hidden in the copy",
        }
    }

    /// Whether what was found is the person's data.
    pub fn is_the_person(self) -> bool {
        matches!(self, Self::Subject | Self::Keep | Self::ThirdParty)
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Decision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Spreadsheets change capitals, people change dashes.
        let plain: String =
            text.trim().chars().map(|char| if matches!(char, '_' | ' ') { '-' } else { char }).collect();
        let known = Self::ALL.into_iter().find(|decision| decision.name().eq_ignore_ascii_case(&plain));
        known.ok_or_else(|| format!("is none of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// A decision, and who made it when.
///
/// Personal data: what is typed may name people.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// What was decided.
    pub decision: Decision,
    /// The legal ground of what is kept, or a remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<String>,
    /// Words of other people that the copy for the person is not to show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<String>,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl fmt::Debug for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decided").field("decision", &self.decision).finish_non_exhaustive()
    }
}
