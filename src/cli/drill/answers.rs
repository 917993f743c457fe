//! `prismvault drill answers`: what was answered at the table.

use std::io::Read as _;
use std::path::PathBuf;

use super::speaking::Speaking;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::record::Effect;
use crate::cli::units::counted;
use crate::cli::{Context, Outcome};
use crate::drill::report::after::What;
use crate::drill::tabletop::parse_answers;
use crate::drill::tabletop::worksheet::BYTES_MAX;

/// Arguments of `drill answers`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The drill: its id or the beginning of it, latest, latest:PLAN
    drill: String,
    /// The worksheet of the tabletop pack, filled in (CSV: id, question, answer, rating)
    file: PathBuf,
    #[command(flatten)]
    speaking: Speaking,
}

impl Args {
    pub(super) fn effect(&self) -> Effect {
        self.speaking.effect("drill answers")
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let Args { drill, file, speaking } = args;
    let wrong = |error| {
        let sentence = format!("cannot read {}", file.display());
        CommandError::because(ErrorKind::Usage, sentence, error)
    };
    let mut table = Vec::new();
    let opened = std::fs::File::open(&file).map_err(wrong)?;
    // One more than may be, so that a larger one is refused and not cut.
    opened.take(BYTES_MAX as u64 + 1).read_to_end(&mut table).map_err(wrong)?;
    let answered = |report: &crate::drill::report::Report| {
        let all = parse_answers(&table, &report.tabletop).map_err(|rows| {
            let sentence = format!("{} is refused, and nothing of it was taken", file.display());
            let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
            CommandError::because(ErrorKind::Usage, sentence, rows.join("; "))
        })?;
        let answers: Vec<_> = all.into_iter().filter(|own| own.answer.is_some()).collect();
        if answers.is_empty() {
            return Err(CommandError::new(ErrorKind::Usage, format!("{} answers nothing", file.display())));
        }
        let done = format!("{} at the table", counted(answers.len() as u64, "answer"));
        Ok((What::Answers { answers: Some(answers) }, done))
    };
    speaking.speak(&drill, context, answered).await
}
