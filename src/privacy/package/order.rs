//! What is asked for, what stands in its way, and what came of it.

use std::io;
use std::path::PathBuf;

use chrono::NaiveDate;
use serde::Serialize;

use super::NotCopied;
use super::out::PASSPHRASE_MIN;
use super::portability::Scope;
use super::records::{RECORDS_MAX, TEXT_BYTES_MAX, is_file};
use crate::ids::{CaseId, Digest};
use crate::privacy::letters::Language;
use crate::privacy::matching::Finding;
use crate::privacy::processing::Processing;
use crate::privacy::review::{Decided, Decision};
use crate::privacy::right::Right;
use crate::privacy::search::{FoundItem, SearchReport};
use crate::progress::Problem;
use crate::restore::RestoreError;
use crate::vault::signing::SigningKey;

/// What was decided of a finding; `None` where nothing was.
pub type Decisions<'a> = &'a dyn Fn(&FoundItem, &Finding) -> Option<Decided>;

/// Why there is no package. Nothing was written then.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The review is not finished.
    #[error("{open} findings have no decision, and of {unsure} somebody is unsure")]
    Undecided {
        /// Findings without a decision.
        open: u64,
        /// Findings of which somebody is unsure.
        unsure: u64,
    },
    /// Something is there already.
    #[error("{} is there already, and a package replaces nothing", .0.display())]
    Exists(PathBuf),
    /// What was found is gone, changed or damaged.
    #[error("{} of what was found cannot be read as it was", .0.len())]
    Changed(Vec<Problem>),
    /// There is more than one package holds.
    #[error(
        "there is more than {RECORDS_MAX} entries or {} MiB of text about the person, more than one package holds",
        TEXT_BYTES_MAX >> 20
    )]
    TooMuch,
    /// A passphrase that is too easy to guess.
    #[error("the passphrase has fewer than {PASSPHRASE_MIN} characters")]
    ShortPassphrase,
    /// The local disk failed: full, gone, or not to be written to.
    #[error("cannot write {}", place.display())]
    Local {
        /// The package.
        place: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The vault cannot be read.
    #[error(transparent)]
    Read(#[from] RestoreError),
}

/// What a package is made of.
pub struct Order<'a> {
    /// The case.
    pub case: &'a CaseId,
    /// What was asked for: access or portability.
    pub right: Right,
    /// Name of the rules that apply, for the manifest.
    pub rules: String,
    /// Language of the person.
    pub language: Language,
    /// Today.
    pub prepared_on: NaiveDate,
    /// What the controller says, in that language.
    pub processing: Processing,
    /// What falls under portability; for that right only.
    pub scope: Option<Scope>,
    /// What was found.
    pub report: &'a SearchReport,
    /// What was decided of it.
    pub decisions: Decisions<'a>,
    /// Signs the manifest.
    pub signer: &'a SigningKey,
}

/// What there would be in a package.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// Findings that are the person.
    pub person: u64,
    /// Findings that are somebody else, and are left out.
    pub others: u64,
    /// Findings without a decision.
    pub open: u64,
    /// Findings of which somebody is unsure.
    pub unsure: u64,
    /// Items in which the person is.
    pub items: u64,
    /// Files among them.
    pub files: u64,
}

impl Survey {
    /// Counts what was decided.
    pub fn of(report: &SearchReport, decisions: Decisions<'_>) -> Self {
        let mut survey = Self::default();
        for found in &report.found {
            let mut is_person = false;
            for finding in &found.findings {
                match decisions(found, finding).map(|decided| decided.decision) {
                    None => survey.open += 1,
                    Some(Decision::Unsure) => survey.unsure += 1,
                    Some(decision) if decision.is_the_person() => {
                        survey.person += 1;
                        is_person = true;
                    }
                    Some(_) => survey.others += 1,
                }
            }
            survey.items += u64::from(is_person);
            survey.files += u64::from(is_person && is_file(found));
        }
        survey
    }

    /// Whether everything is decided.
    ///
    /// # Errors
    ///
    /// [`PackageError::Undecided`] with the numbers.
    pub fn require_decided(&self) -> Result<(), PackageError> {
        match (self.open, self.unsure) {
            (0, 0) => Ok(()),
            (open, unsure) => Err(PackageError::Undecided { open, unsure }),
        }
    }
}

/// A package that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Where.
    pub place: PathBuf,
    /// SHA-256 of its manifest.
    pub manifest: Digest,
    /// Entries.
    pub records: u64,
    /// Entries in which something of others is hidden.
    pub hidden: u64,
    /// Copies of files.
    pub files: u64,
    /// Files of which there is no copy.
    pub not_copied: Vec<FileNotCopied>,
    /// Whether the person is a member of a repository: then Prismic has data of its own.
    pub is_member: bool,
}

/// A file of which there is no copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileNotCopied {
    /// Where it is.
    pub places: Vec<String>,
    /// Why.
    pub why: NotCopied,
}
