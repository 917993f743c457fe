//! `prismvault privacy subject`: by what the person is known.

use std::io::Read as _;
use std::path::PathBuf;

use serde::Serialize;

use super::desk::{Shown, StepOptions, actor, open_case};
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::hold::ended;
use crate::cli::output::Page;
use crate::cli::record::Effect;
use crate::cli::{Context, Outcome};
use crate::privacy::case::{Case, Event, SubjectValue, What};
use crate::privacy::subject::{IdentifierKind, IdentifierRef, Subject};

/// Bytes of a file with identifiers.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// Arguments of `privacy subject`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    /// A file with one identifier a line, such as `name: Erika Mustermann` or `email: erika@example.org`; - reads
    /// standard input, so that nothing stands in the history of the shell. Kinds: name, email, phone, handle, id,
    /// author-document, context
    #[arg(long, value_name = "FILE", required_unless_present = "show")]
    from: Option<PathBuf>,
    /// Forget what was known before
    #[arg(long, requires = "from")]
    replace: bool,
    /// Show the identifiers, and stop
    #[arg(long, conflicts_with = "from")]
    show: bool,
}

impl Args {
    /// Whether it writes.
    pub(super) fn effect(&self) -> Effect {
        if self.show { Effect::Reads } else { self.step.effect("privacy subject") }
    }
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    shown: Shown,
    /// How many of each kind.
    identifiers: Vec<(&'static str, usize)>,
    /// The identifiers, where they are asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    texts: Vec<String>,
    warnings: Vec<String>,
}

/// The subject of a case; nobody, where nothing was said yet.
pub(super) fn subject_of(case: &Case) -> Result<Subject, CommandError> {
    let Some(value) = case.subject() else { return Ok(Subject::default()) };
    // What serde says may quote what it read.
    serde_json::from_value(value.0.clone()).map_err(|_| {
        CommandError::new(ErrorKind::Failed, "the identifiers of this case cannot be read by this version")
            .hint("record them again with `prismvault privacy subject CASE --from FILE --replace`")
    })
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let (session, mut stored) = open_case(&args.step.case, &args.step.identity, context).await?;
    let mut subject = if args.replace { Subject::default() } else { subject_of(&stored.case)? };
    let mut warnings = Vec::new();
    let mut case = stored.case.clone();
    let mut kind = None;
    if let Some(file) = &args.from {
        read(file, &mut subject, &mut warnings)?;
        let value = serde_json::to_value(&subject).expect("subjects always serialise");
        let event = Event {
            at: session.vault.now(),
            actor: actor(args.step.by.as_deref(), &session.config),
            reason: None,
            what: What::SubjectChanged { subject: SubjectValue(value) },
        };
        kind = Some(event.what.kind());
        case = match args.step.dry_run {
            true => stored.after(event)?,
            false => {
                stored.record(&session.vault, event).await?;
                stored.case
            }
        };
    }
    let report = Report {
        shown: Shown::of(&case, kind, args.step.dry_run),
        identifiers: IdentifierKind::ALL.map(|kind| (kind.word(), subject.count(kind))).to_vec(),
        texts: if args.show { texts_of(&subject) } else { Vec::new() },
        warnings,
    };
    let outcome = ended(&session, context);
    context.output.result(outcome, &report, || page(&report, &case))?;
    Ok(outcome)
}

/// Reads a file of identifiers, a line each.
fn read(file: &PathBuf, subject: &mut Subject, warnings: &mut Vec<String>) -> Result<(), CommandError> {
    let failed =
        |error| CommandError::because(ErrorKind::Usage, format!("cannot read {}", file.display()), error);
    let mut text = String::new();
    match file.as_os_str() == "-" {
        true => std::io::stdin().take(FILE_BYTES_MAX + 1).read_to_string(&mut text),
        false => {
            std::fs::File::open(file).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        }
    }
    .map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(CommandError::new(
            ErrorKind::Usage,
            format!("{} is too large for a list of identifiers", file.display()),
        ));
    }
    for (number, line) in (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    {
        let wrong = |why: &str| {
            // The line itself may be an identifier: it is not repeated.
            CommandError::new(ErrorKind::Usage, format!("line {number} of {}: {why}", file.display()))
                .hint("write a kind and the identifier, as in `email: erika@example.org`")
        };
        let (kind, value) = line.split_once(':').ok_or_else(|| wrong("there is no kind before a colon"))?;
        let kind = kind_of(kind.trim()).ok_or_else(|| {
            wrong("the kind is none of name, email, phone, handle, id, author-document, context")
        })?;
        let told = subject.add(kind, value.trim()).map_err(|error| wrong(&error.to_string()))?;
        warnings.extend(told.into_iter().map(|warning| format!("line {number}: {}", warning.sentence())));
    }
    Ok(())
}

fn texts_of(subject: &Subject) -> Vec<String> {
    let all = IdentifierKind::ALL.into_iter().flat_map(|kind| {
        let count = u32::try_from(subject.count(kind)).unwrap_or(u32::MAX);
        (0..count).map(move |index| IdentifierRef { kind, index })
    });
    all.filter_map(|one| Some(format!("{}: {}", one.kind.word(), subject.text(one)?))).collect()
}

fn kind_of(word: &str) -> Option<IdentifierKind> {
    Some(match word {
        "name" => IdentifierKind::Name,
        "email" | "e-mail" => IdentifierKind::Email,
        "phone" => IdentifierKind::Phone,
        "handle" => IdentifierKind::Handle,
        "id" => IdentifierKind::Id,
        "author-document" => IdentifierKind::AuthorDocument,
        "context" => IdentifierKind::Context,
        _ => return None,
    })
}

fn page(report: &Report, case: &Case) -> Page {
    let mut page = Page::new();
    let known = report.identifiers.iter().filter(|(_, count)| *count > 0);
    let known: Vec<String> = known.map(|(kind, count)| format!("{count} × {kind}")).collect();
    page = page.line(match known.is_empty() {
        true => "Nothing is known of the person yet".to_owned(),
        false => format!("The person is known by {}", known.join(", ")),
    });
    for text in &report.texts {
        page = page.line(format!("  {text}"));
    }
    for warning in &report.warnings {
        page = page.line(format!("  note: {warning}"));
    }
    page.append(report.shown.page(case))
}
