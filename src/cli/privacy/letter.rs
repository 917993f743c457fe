//! `prismvault privacy letter`: letters to the person and to Prismic's support, from templates that people edit.

mod support;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde::Serialize;

use super::desk::{Doing, StepOptions, open_case, parse_day, take};
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::keyfiles::write_new;
use crate::cli::output::Page;
use crate::cli::record::Effect;
use crate::cli::session::IdentityOptions;
use crate::cli::{Context, Outcome};
use crate::ids::CaseId;
use crate::privacy::case::What;
use crate::privacy::erasure::live::tasks::letter_template;
use crate::privacy::letters::{self, Language, Letter, LetterError, NAMES, Said, TEMPLATE_BYTES_MAX};

/// Where templates are that people edited, below the working directory.
const DIRECTORY: &str = "privacy/letters";

/// Arguments of `privacy letter`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The case, such as 2026-7K3F9Q
    #[arg(required_unless_present = "write_templates")]
    case: Option<CaseId>,
    /// To the person: receipt, identity, extension, refusal or answer. To Prismic, about what only it can erase of
    /// a plan that was carried out: support
    #[arg(required_unless_present = "write_templates")]
    letter: Option<Which>,
    /// Language: en, de, fr; default: that of the case, and en for support
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<Language>,
    /// The reason that the letter gives, where the case does not say it yet
    #[arg(long)]
    reason: Option<String>,
    /// The ground of a refusal, where the case does not say it yet
    #[arg(long)]
    ground: Option<String>,
    /// Record that a receipt or answer was sent on this day, instead of writing it
    #[arg(long, value_name = "DATE", value_parser = parse_day, conflicts_with_all = ["reason", "ground", "write_templates"])]
    sent: Option<NaiveDate>,
    /// Who records it; default: `principal` in [audit], else the number of the user
    #[arg(long, value_name = "NAME", requires = "sent")]
    by: Option<String>,
    /// With --sent: show what would be recorded, and stop
    #[arg(long)]
    dry_run: bool,
    /// Write the templates that come with the program to privacy/letters, to be edited; none is replaced
    #[arg(long, conflicts_with_all = ["case", "letter", "lang"])]
    write_templates: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

/// Which letter.
#[derive(Debug, Clone, Copy)]
enum Which {
    /// To the person.
    Person(Letter),
    /// To Prismic's support.
    Support,
}

impl std::str::FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            support::NAME => Ok(Self::Support),
            other => other.parse().map(Self::Person).map_err(|error: String| format!("{error}, or support")),
        }
    }
}

impl Args {
    pub(super) fn effect(&self) -> Effect {
        match self.sent {
            Some(_) => Effect::unless_dry("privacy letter", self.dry_run),
            None => Effect::Reads,
        }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    case: &'a CaseId,
    letter: &'static str,
    language: &'static str,
    /// File of the template; absent for one that comes with the program.
    template: Option<PathBuf>,
    text: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    if args.write_templates {
        return write_templates(args.dry_run, context);
    }
    let (Some(case), Some(which)) = (args.case, args.letter) else {
        return Err(CommandError::new(ErrorKind::Usage, "a case and a letter are needed"));
    };
    let letter = match which {
        Which::Person(letter) => letter,
        Which::Support if args.sent.is_some() || args.reason.is_some() || args.ground.is_some() => {
            let what =
                "the letter to support has no reason and no ground, and that it was sent is not recorded";
            return Err(CommandError::new(ErrorKind::Usage, what).hint(format!(
                "when support says that it is done: prismvault privacy tasks {case} --done ID --note TEXT"
            )));
        }
        Which::Support => return support::run(&case, args.lang, &args.identity, context).await,
    };
    if let Some(on) = args.sent {
        let step = StepOptions { case, by: args.by, dry_run: args.dry_run, identity: args.identity };
        return sent(&step, letter, on, context).await;
    }
    let (session, stored) = open_case(&case, &args.identity, context).await?;
    let language = args.lang.or_else(|| stored.case.language().parse().ok()).unwrap_or(Language::En);
    let file = path_of(letter.name(), language);
    let own = read_template(&file)?;
    let template = own.as_deref().unwrap_or_else(|| letter.template(language));
    let said = Said { reason: args.reason, ground: args.ground };
    let today = session.vault.now().date_naive();
    let text = letters::write(&stored.case, letter, language, template, &said, today)
        .map_err(|error| explained(error, own.is_some().then_some(&file), &NAMES))?;
    warn_of_gaps(&text, &file, context);
    let template = own.is_some().then_some(file);
    let report = Report { case: &case, letter: letter.name(), language: language.code(), template, text };
    context
        .output
        .report(Outcome::Complete, &report, || report.text.lines().fold(Page::new(), Page::line))?;
    session.warn(context);
    Ok(Outcome::Complete)
}

async fn sent(
    step: &StepOptions,
    letter: Letter,
    on: NaiveDate,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let what = match letter {
        Letter::Receipt => What::Acknowledged { on },
        Letter::Answer => What::Answered { on },
        Letter::Identity | Letter::Extension | Letter::Refusal => {
            let command = match letter {
                Letter::Identity => "identity CASE --ask --on DATE --reason WHY",
                Letter::Extension => "extend CASE --told-on DATE --reason WHY",
                _ => "refuse CASE --told-on DATE --ground GROUND --reason WHY",
            };
            return Err(CommandError::new(
                ErrorKind::Usage,
                format!("that the letter {} was sent is recorded by another command", letter.name()),
            )
            .hint(format!("prismvault privacy {}", command.replace("CASE", step.case.as_str()))));
        }
    };
    take(step, context, |_, _, _| Ok(Doing { what, reason: None })).await
}

/// Warns of what nobody has filled in for their office.
fn warn_of_gaps(text: &str, file: &Path, context: &Context) {
    let open = unfilled(text);
    if !open.is_empty() {
        context.output.warning(format!(
            "the letter says {}: nobody has put your own words there; edit {}, which `prismvault privacy letter --write-templates` makes",
            open.join(", "),
            file.display()
        ));
    }
}

/// Words in brackets, which stand in templates for those of the office.
fn unfilled(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut rest = line;
        while let Some(begin) = rest.find('[') {
            let Some(length) = rest[begin..].find(']') else { break };
            found.push(&rest[begin..=begin + length]);
            rest = &rest[begin + length..];
        }
    }
    found
}

fn path_of(letter: &str, language: Language) -> PathBuf {
    Path::new(DIRECTORY).join(language.code()).join(format!("{letter}.txt"))
}

/// Reads a template that somebody edited; `None` when there is none.
fn read_template(path: &Path) -> Result<Option<String>, CommandError> {
    let wrong = |error| {
        CommandError::because(ErrorKind::Configuration, format!("cannot read {}", path.display()), error)
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error)),
    };
    let mut text = String::new();
    // One byte more shows that it is too large.
    file.take(TEMPLATE_BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(wrong)?;
    Ok(Some(text))
}

fn explained(error: LetterError, file: Option<&PathBuf>, names: &[&str]) -> CommandError {
    let kind = match (&error, file) {
        (LetterError::Missing(_), _) => ErrorKind::Usage,
        _ => ErrorKind::Configuration,
    };
    let hint = match &error {
        LetterError::Missing("ground") => "pass --ground, or refuse the request first".to_owned(),
        LetterError::Missing(_) => "pass --reason".to_owned(),
        _ => format!("names that are known: {}", names.join(", ")),
    };
    match file {
        Some(file) => {
            CommandError::because(kind, format!("{} cannot be filled", file.display()), error).hint(hint)
        }
        None => CommandError::new(kind, error).hint(hint),
    }
}

#[derive(Serialize)]
struct Written {
    dry_run: bool,
    written: Vec<PathBuf>,
    kept: Vec<PathBuf>,
}

fn write_templates(dry_run: bool, context: &Context) -> Result<Outcome, CommandError> {
    let mut report = Written { dry_run, written: Vec::new(), kept: Vec::new() };
    for language in Language::ALL {
        let of_person = Letter::ALL.into_iter().map(|letter| (letter.name(), letter.template(language)));
        for (letter, template) in of_person.chain([(support::NAME, letter_template(language))]) {
            let path = path_of(letter, language);
            if path.exists() {
                report.kept.push(path);
                continue;
            }
            if !dry_run {
                write_new(&path, template.as_bytes(), 0o644)?;
            }
            report.written.push(path);
        }
    }
    context.output.result(Outcome::Complete, &report, || {
        let verb = if dry_run { "Would write" } else { "Wrote" };
        let written = report.written.iter().map(|path| format!("{verb} {}", path.display()));
        let kept = report.kept.iter().map(|path| format!("Kept {}", path.display()));
        written.chain(kept).fold(Page::new(), Page::line)
    })?;
    Ok(Outcome::Complete)
}
