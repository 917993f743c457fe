//! Worksheets out of the program and back into it.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::answers::Desk;
use super::page::{evidence, first, last, repositories, wanted};
use super::{Answers, Args};
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::keyfiles::write_new;
use crate::cli::output::Page;
use crate::cli::own_files::{self, Wrote};
use crate::cli::units::counted;
use crate::cli::{Context, Outcome};
use crate::ids::DecisionKey;
use crate::privacy::own_files::OutputKind;
use crate::privacy::review::worksheet::{self, BYTES_MAX, Format, Mistake, Purpose, Row, Worksheet};

/// Mistakes that are told; more are of the same kind.
const MISTAKES_SHOWN: usize = 20;

#[derive(Serialize)]
struct Written<'a> {
    dry_run: bool,
    worksheet: &'a Path,
    purpose: &'static str,
    rows: usize,
}

/// Writes the questions to a file that must not be there yet.
pub(super) fn write(
    args: &Args,
    file: &PathBuf,
    desk: &Desk,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let format = format_of(file, desk)?;
    let purpose = if args.check.is_some() { Purpose::Check } else { Purpose::Review };
    let questions = wanted(args, desk);
    let rows: Vec<Row> = questions
        .into_iter()
        .map(|question| {
            let before = question.remembered(desk.review()).filter(|_| purpose == Purpose::Review);
            let before = before.map(|remembered| &remembered.decided);
            Row {
                key: question.key,
                decision: before.map(|decided| decided.decision),
                ground: before.and_then(|decided| decided.ground.clone()).unwrap_or_default(),
                redact: before.map(|decided| decided.redact.clone()).unwrap_or_default(),
                evidence: evidence(question),
                repository: repositories(question),
                document: question.path.clone(),
                place: question.finding.place.clone(),
                first: first(question),
                last: last(question),
                text: desk.text(question).to_owned(),
            }
        })
        .collect();
    if rows.is_empty() {
        return Err(CommandError::new(
            ErrorKind::Refused,
            "there is nothing to decide, so no worksheet was written",
        )
        .hint("--all writes what is decided as well"));
    }
    let written =
        Written { dry_run: args.step.dry_run, worksheet: file, purpose: purpose.name(), rows: rows.len() };
    let sheet = Worksheet { case: desk.case().id(), purpose, rows };
    if !args.step.dry_run {
        let case = desk.case().id();
        let noted = own_files::begin(OutputKind::Worksheet, file, &desk.session, context, |output| {
            output.of_case(case)
        });
        let done = write_new(file, &sheet.write(format), 0o600);
        own_files::finish(noted, Wrote::whole(&done), context);
        done?;
    }
    let outcome = desk.outcome(context);
    context.output.result(outcome, &written, || {
        let verb = if written.dry_run { "Would write" } else { "Wrote" };
        let name = file.display();
        Page::new()
            .line(format!("{verb} {} to {name}, readable for you only", counted(written.rows as u64, "row")))
            .line("It is personal data: keep it where only those can read it who work on the case, and delete it afterwards")
            .line(format!("Next: prismvault privacy review {} --from FILE  (when it is filled in)", desk.case().id()))
    })?;
    Ok(outcome)
}

/// Which format a file name asks for.
fn format_of(file: &Path, desk: &Desk) -> Result<Format, CommandError> {
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "html" | "htm" => Ok(Format::Html),
        // Where numbers are written 1,5, spreadsheets expect semicolons.
        "csv" if desk.case().language() == "en" => Ok(Format::Csv { delimiter: b',' }),
        "csv" => Ok(Format::Csv { delimiter: b';' }),
        _ => Err(CommandError::new(
            ErrorKind::Usage,
            format!("a worksheet is FILE.html or FILE.csv, and {} is neither", file.display()),
        )),
    }
}

/// Reads a worksheet that came back.
pub(super) fn read(file: &Path, desk: &Desk) -> Result<(Purpose, Answers), CommandError> {
    let failed =
        |error| CommandError::because(ErrorKind::Usage, format!("cannot read {}", file.display()), error);
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(CommandError::new(
            ErrorKind::Usage,
            format!("{} is too large for a worksheet", file.display()),
        ));
    }
    let places: HashMap<DecisionKey, usize> =
        desk.questions().iter().enumerate().map(|(at, question)| (question.key, at)).collect();
    let returned = worksheet::read(&bytes, desk.case().id(), |key| places.contains_key(key))
        .map_err(|mistakes| refused(file, &mistakes))?;
    let answers = returned.answers.into_iter();
    Ok((returned.purpose, answers.filter_map(|(key, answer)| Some((*places.get(&key)?, answer))).collect()))
}

fn refused(file: &Path, mistakes: &[Mistake]) -> CommandError {
    let sentence = format!("{} cannot be taken in, and nothing of it was", file.display());
    let mut error = CommandError::new(ErrorKind::Usage, sentence);
    for mistake in mistakes.iter().take(MISTAKES_SHOWN) {
        error = error.hint(mistake.to_string());
    }
    if let Some(more) = mistakes.len().checked_sub(MISTAKES_SHOWN).filter(|more| *more > 0) {
        error = error.hint(format!("and {more} more rows"));
    }
    error
}
