//! Files to be filled in, and words for others.

use std::path::Path;

use serde::Serialize;

use crate::cli::error::CommandError;
use crate::cli::keyfiles::write_new;
use crate::cli::output::Page;
use crate::cli::{Context, Outcome};
use crate::privacy::letters::Language;
use crate::privacy::package;
use crate::privacy::package::portability::NOTE_TEMPLATE;
use crate::privacy::processing::{PROCESSING_FILE, TEMPLATE};

/// Where a note on portability is written to be filled in.
pub(super) const NOTE_FILE: &str = "privacy/portability.toml";

#[derive(Serialize)]
struct Files {
    dry_run: bool,
    written: Vec<&'static str>,
    kept: Vec<&'static str>,
}

/// Writes the files that an export needs, to be filled in.
pub(super) fn write_files(dry_run: bool, context: &Context) -> Result<Outcome, CommandError> {
    let mut report = Files { dry_run, written: Vec::new(), kept: Vec::new() };
    for (file, text) in [(PROCESSING_FILE, TEMPLATE), (NOTE_FILE, NOTE_TEMPLATE)] {
        if Path::new(file).exists() {
            report.kept.push(file);
            continue;
        }
        if !dry_run {
            write_new(Path::new(file), text.as_bytes(), 0o644)?;
        }
        report.written.push(file);
    }
    context.output.result(Outcome::Complete, &report, || {
        let verb = if dry_run { "Would write" } else { "Wrote" };
        let written = report.written.iter().map(|file| format!("{verb} {file}"));
        let kept = report.kept.iter().map(|file| format!("Kept {file}"));
        written.chain(kept).fold(Page::new(), Page::line)
    })?;
    Ok(Outcome::Complete)
}

#[derive(Serialize)]
struct Letter {
    language: &'static str,
    text: &'static str,
}

/// Shows words with which a person asks Prismic.
pub(super) fn ask_prismic(language: Language, context: &Context) -> Result<Outcome, CommandError> {
    let report = Letter { language: language.code(), text: package::ask_prismic(language) };
    context
        .output
        .report(Outcome::Complete, &report, || report.text.lines().fold(Page::new(), Page::line))?;
    Ok(Outcome::Complete)
}
