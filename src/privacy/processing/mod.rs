//! What the controller says of its processing: GDPR Art. 15(1)(a) to (h) and 15(2), out of
//! `privacy/processing.toml`.
//!
//! An answer without these texts is no answer, however much data lies beside it. So the file is read
//! strictly, and what is missing, a placeholder or so general that it says nothing is named: everything at
//! once, each with the letter of the article.

mod file;
mod lint;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::letters::Language;

/// Where the file is, below the working directory.
pub const PROCESSING_FILE: &str = "privacy/processing.toml";

/// The file as it comes, for people to fill in. It cannot be used as it is.
pub const TEMPLATE: &str = include_str!("template.toml");

/// One text that an answer needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// What the data is used for.
    Purposes,
    /// Which kinds of data there are.
    Categories,
    /// Who receives it: by name (CJEU C-154/21), and in which country.
    Recipients,
    /// How long it is kept, or by which criteria.
    Retention,
    /// Which rights the person has.
    Rights,
    /// To which authority they can complain.
    Complaint,
    /// Where the data came from.
    Source,
    /// Whether programs decide about the person, and by what logic.
    AutomatedDecisions,
    /// What safeguards transfers to third countries.
    Transfers,
}

impl Entry {
    /// All of them, in the order of the article.
    pub const ALL: [Self; 9] = [
        Self::Purposes,
        Self::Categories,
        Self::Recipients,
        Self::Retention,
        Self::Rights,
        Self::Complaint,
        Self::Source,
        Self::AutomatedDecisions,
        Self::Transfers,
    ];

    /// Its key in the file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Purposes => "purposes",
            Self::Categories => "categories",
            Self::Recipients => "recipients",
            Self::Retention => "retention",
            Self::Rights => "rights",
            Self::Complaint => "complaint",
            Self::Source => "source",
            Self::AutomatedDecisions => "automated_decisions",
            Self::Transfers => "transfers",
        }
    }

    /// The paragraph and letter of GDPR Art. 15 that asks for it.
    pub fn article(self) -> &'static str {
        match self {
            Self::Purposes => "15(1)(a)",
            Self::Categories => "15(1)(b)",
            Self::Recipients => "15(1)(c)",
            Self::Retention => "15(1)(d)",
            Self::Rights => "15(1)(e)",
            Self::Complaint => "15(1)(f)",
            Self::Source => "15(1)(g)",
            Self::AutomatedDecisions => "15(1)(h)",
            Self::Transfers => "15(2)",
        }
    }

    /// Whether "none" is an answer.
    fn may_be_none(self) -> bool {
        matches!(self, Self::AutomatedDecisions | Self::Transfers)
    }
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Controller {
    /// Name.
    pub name: String,
    /// Postal address.
    pub address: String,
    /// How it is reached: e-mail address, telephone.
    pub contact: String,
    /// How its data protection officer is reached; or that there is none, and why.
    pub data_protection_officer: String,
}

/// The texts of one language, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Processing {
    /// Who answers.
    pub controller: Controller,
    /// The texts in the order of [`Entry::ALL`]; of recipients one a line.
    pub entries: Vec<(Entry, String)>,
}

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    /// It is not there.
    Missing,
    /// It is empty.
    Empty,
    /// It is a word that stands for a text to be written.
    Placeholder,
    /// It could stand in the answer of anybody.
    TooGeneral,
}

impl Lack {
    fn words(self) -> &'static str {
        match self {
            Self::Missing => "is missing",
            Self::Empty => "is empty",
            Self::Placeholder => "is a placeholder",
            Self::TooGeneral => "is too general to say anything",
        }
    }
}

/// A text that is not there, or says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Key path in the file: `de.recipients[1]`, `controller.name`.
    pub key: String,
    /// Paragraph and letter of GDPR Art. 15; `None` for what is about the controller (Art. 12(1), 13(1)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub article: Option<&'static str>,
    /// Line, where it stands in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong.
    pub lack: Lack,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.article {
            Some(article) => write!(f, "Art. {article}: {}", self.key)?,
            None => f.write_str(&self.key)?,
        }
        if let Some(line) = self.line {
            write!(f, " (line {line})")?;
        }
        write!(f, " {}", self.lack.words())
    }
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProcessingError {
    /// There is none.
    #[error("there is no {}, which says what the data is used for", .0.display())]
    NoFile(PathBuf),
    /// It is no such file.
    #[error(transparent)]
    Wrong(#[from] crate::config::ConfigError),
    /// It has no texts in the language of the person.
    #[error("{} has no texts in the language {} (there are: {})", file.display(), language.code(), list(there))]
    NoLanguage {
        /// The file.
        file: PathBuf,
        /// The language of the case.
        language: Language,
        /// Languages that it has.
        there: Vec<Language>,
    },
    /// Texts are missing or say nothing.
    #[error(
        "{} is not complete, so no answer can be made with it:\n  {}",
        file.display(),
        gaps.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ")
    )]
    Incomplete {
        /// The file.
        file: PathBuf,
        /// All that is wrong.
        gaps: Vec<Gap>,
    },
}

fn list(languages: &[Language]) -> String {
    match languages {
        [] => "none".to_owned(),
        some => some.iter().map(|language| language.code()).collect::<Vec<_>>().join(", "),
    }
}
