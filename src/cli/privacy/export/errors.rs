//! Why there is no package, and what to do next.

use crate::cli::error::{CommandError, ErrorKind};
use crate::ids::CaseId;
use crate::privacy::case::Case;
use crate::privacy::letters::Language;
use crate::privacy::package::PackageError;
use crate::privacy::processing::{PROCESSING_FILE, ProcessingError};

/// Problems that are told one by one; all are counted.
const TOLD_MAX: usize = 10;

/// Adds the next command where a case is not that far.
pub(super) fn next_of(error: CommandError, case: &Case) -> CommandError {
    match crate::privacy::case::guide::next_command(case).command {
        Some(command) => error.hint(format!("next: {command}")),
        None => error,
    }
}

pub(super) fn explained(error: ProcessingError, language: Language) -> CommandError {
    let hint = match &error {
        ProcessingError::NoFile(_) => {
            format!(
                "`prismvault privacy export --write-processing` writes {PROCESSING_FILE}, to be filled in"
            )
        }
        ProcessingError::NoLanguage { .. } => format!(
            "add a table [{}] with all texts, or answer in another language with --lang",
            language.code()
        ),
        ProcessingError::Wrong(_) | ProcessingError::Incomplete { .. } => {
            format!("edit {PROCESSING_FILE}; its comments say what belongs where")
        }
    };
    CommandError::new(ErrorKind::Configuration, error).hint(hint)
}

pub(super) fn of_package(error: PackageError, case: &CaseId) -> CommandError {
    let error = match error {
        PackageError::Read(error) => return error.into(),
        other => other,
    };
    let kind = match &error {
        PackageError::Exists(_) | PackageError::ShortPassphrase => ErrorKind::Usage,
        PackageError::Undecided { .. } | PackageError::TooMuch => ErrorKind::Refused,
        PackageError::Changed(_) => ErrorKind::Integrity,
        PackageError::Local { .. } | PackageError::Read(_) => ErrorKind::Failed,
    };
    let mut hints = Vec::new();
    match &error {
        PackageError::Exists(_) => hints.push("name a directory that is not there yet".to_owned()),
        PackageError::ShortPassphrase => {
            hints.push("take four words or more, and tell them to the person on another way".to_owned());
        }
        PackageError::Undecided { .. } => {
            hints.push(format!("decide them: prismvault privacy review {case}"));
        }
        PackageError::TooMuch => hints.push(format!(
            "search the repositories one by one, with a package for each: \
             prismvault privacy search {case} --repository NAME --reason WHY"
        )),
        PackageError::Changed(problems) => {
            for problem in problems.iter().take(TOLD_MAX) {
                hints.push(format!("{}: {}", problem.subject, problem.detail));
            }
            if problems.len() > TOLD_MAX {
                hints.push(format!("and {} more", problems.len() - TOLD_MAX));
            }
            hints.push(format!(
                "search again, which tells what is left: prismvault privacy search {case}; \
                 what was decided is remembered"
            ));
        }
        PackageError::Local { source, .. } => match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                hints.push("the disk is full: free some space, or name a place on another disk".to_owned());
            }
            std::io::ErrorKind::NotFound => {
                hints.push("the directory in which it is to lie must be there".to_owned());
            }
            _ => {}
        },
        PackageError::Read(_) => {}
    }
    hints.into_iter().fold(CommandError::new(kind, error), CommandError::hint)
}
