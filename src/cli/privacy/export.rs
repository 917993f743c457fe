//! `prismvault privacy export`: the answer to a request for access or portability, as files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::desk::{Shown, actor, open_case};
use super::subject::subject_of;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::hold::ended;
use crate::cli::keyfiles::write_new;
use crate::cli::output::Page;
use crate::cli::record::Effect;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::snapshot::target;
use crate::cli::text::{Style, Text};
use crate::cli::units::counted;
use crate::cli::{Context, Outcome};
use crate::config::SecretRef;
use crate::ids::{CaseId, Digest};
use crate::privacy::case::{Case, Event, Kind, What};
use crate::privacy::channels::Bounds;
use crate::privacy::found;
use crate::privacy::letters::Language;
use crate::privacy::matching::Matcher;
use crate::privacy::package::portability::NOTE_TEMPLATE;
use crate::privacy::package::{
    self, NotCopied, Order, PackageError, Protection, Scope, Survey, Written, destination,
};
use crate::privacy::processing::{PROCESSING_FILE, Processing, ProcessingError, TEMPLATE};
use crate::privacy::review::Decided;
use crate::privacy::right::Right;
use crate::privacy::search::{Again, FoundItem, LiveSource, SearchReport};
use crate::vault::envelope::Recipient;
use crate::vault::format::trust::Role;
use crate::vault::snapshots::Snapshots;

/// Where a note on portability is written to be filled in.
const NOTE_FILE: &str = "privacy/portability.toml";
/// Problems that are told one by one; all are counted.
const TOLD_MAX: usize = 10;

/// Arguments of `privacy export`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The case, such as 2026-7K3F9Q
    #[arg(required_unless_present_any = ["write_processing", "ask_prismic"])]
    case: Option<CaseId>,
    /// Where the package is to be: a directory that is not there yet; with encryption a file .tar.age
    #[arg(long, value_name = "DIRECTORY", required_unless_present_any = ["write_processing", "ask_prismic", "dry_run"])]
    to: Option<PathBuf>,
    /// access or portability; needed where the person asked for both
    #[arg(long)]
    right: Option<Right>,
    /// For portability: the note that says what the person provided, and on which basis
    #[arg(long, value_name = "FILE")]
    portability_note: Option<PathBuf>,
    /// Language of the package: en, de, fr; default: that of the case
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<Language>,
    /// Encrypt the package for this age recipient; may be repeated. `age -d` opens it
    #[arg(long, value_name = "AGE1…")]
    encrypt_to: Vec<Recipient>,
    /// Encrypt the package with the passphrase in this file. `age -d` asks for it
    #[arg(long, value_name = "FILE", conflicts_with = "encrypt_to")]
    passphrase_file: Option<PathBuf>,
    /// Who does it; default: `principal` in [audit], else the number of the user
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Count what would be in it, say what stands in the way, and stop
    #[arg(long)]
    dry_run: bool,
    /// Write privacy/processing.toml and privacy/portability.toml, to be filled in; neither is replaced
    #[arg(long, conflicts_with_all = ["case", "to", "right", "portability_note"])]
    write_processing: bool,
    /// Show words with which a person who has an account at Prismic asks Prismic for its data
    #[arg(long, conflicts_with_all = ["case", "to", "right", "portability_note", "write_processing"])]
    ask_prismic: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

impl Args {
    pub(super) fn effect(&self) -> Effect {
        match self.write_processing || self.ask_prismic {
            true => Effect::Reads,
            false => Effect::unless_dry("privacy export", self.dry_run),
        }
    }
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    shown: Shown,
    right: Right,
    language: &'static str,
    survey: Survey,
    /// What stands in the way; only of a dry run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blocked_by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<Written>,
    /// The key that signed it, for the letter to the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    if args.write_processing {
        return write_files(args.dry_run, context);
    }
    if args.ask_prismic {
        return ask_prismic(args.lang.unwrap_or(Language::En), context);
    }
    let Some(id) = &args.case else {
        return Err(CommandError::new(ErrorKind::Usage, "a case is needed"));
    };
    let (session, mut stored) = open_case(id, &args.identity, context).await?;
    let right = right_of(&args, &stored.case)?;
    let language = args.lang.or_else(|| stored.case.language().parse().ok()).unwrap_or(Language::En);
    let protection = protection_of(&args, &session)?;
    let place = args.to.as_deref().map(|to| destination(to, &protection));
    let name = place.as_deref().map_or_else(|| "package".to_owned(), name_of);
    let by = actor(args.by.as_deref(), &session.config);
    let event = |manifest: Digest, records: u64, files: u64| Event {
        at: session.vault.now(),
        actor: by.clone(),
        reason: None,
        what: What::Exported { right, manifest, records, files, name: name.clone() },
    };
    // Whether it may be recorded is found out before anything is read or written.
    let allowed = stored.after(event(Digest([0; 32]), 0, 0)).map_err(CommandError::from);
    let allowed = allowed.map_err(|error| next_of(error, &stored.case));
    let processing = Processing::load(Path::new(PROCESSING_FILE), language, &session.config.limits);
    let processing = processing.map_err(|error| explained(error, language));
    let scope = scope_of(&args, right, &session);
    let signer = session.vault.signer(&[Role::Privacy]).map_err(CommandError::from);
    if args.dry_run {
        let blockers =
            [allowed.as_ref().err(), processing.as_ref().err(), scope.as_ref().err(), signer.as_ref().err()];
        let mut blocked_by: Vec<String> =
            blockers.into_iter().flatten().map(|error| error.sentences().join(": ")).collect();
        let mut survey = Survey::default();
        match found::load_last(&session.vault, &stored).await {
            Ok(report) => {
                survey = Survey::of(&report, &decisions_of(&session, id));
                let undecided = survey.require_decided().err();
                blocked_by.extend(undecided.map(|error| error.to_string()));
            }
            Err(error) => blocked_by.push(error.to_string()),
        }
        let outcome = if blocked_by.is_empty() { Outcome::Complete } else { Outcome::Refused };
        let shown = Shown::of(&stored.case, None, true);
        let language = language.code();
        let report = Report { shown, right, language, survey, blocked_by, package: None, key: None };
        context.output.result(outcome, &report, || page(&report, &stored.case))?;
        return Ok(outcome);
    }
    allowed?;
    let (processing, scope, signer) = (processing?, scope?, signer?);
    let Some(place) = place else {
        return Err(CommandError::new(
            ErrorKind::Usage,
            "it is not said where the package is to be: --to DIRECTORY",
        ));
    };
    let report = found::load_last(&session.vault, &stored).await?;
    let decisions = decisions_of(&session, id);
    let survey = Survey::of(&report, &decisions);
    let order = Order {
        case: id,
        right,
        rules: stored.case.rules().name(),
        language,
        prepared_on: session.vault.now().date_naive(),
        processing,
        scope,
        report: &report,
        decisions: &decisions,
        signer,
    };
    let matcher = Arc::new(Matcher::new(&subject_of(&stored.case)?, &[]));
    let written = write(&session, context, &matcher, order, &place, &protection).await;
    let written = written.map_err(|error| of_package(error, id))?;
    let key = signer.public().to_string();
    let event = event(written.manifest, written.records, written.files);
    if let Err(error) = stored.record(&session.vault, event).await {
        // What nobody knows of cannot be destroyed later.
        let removed = match protection.is_archive() {
            true => std::fs::remove_file(&place),
            false => std::fs::remove_dir_all(&place),
        };
        let error = CommandError::from(error).within("the package was made, and could not be recorded");
        return Err(match removed {
            Ok(()) => error.hint("the package was removed again; run the same once more"),
            Err(_) => error.hint(format!("remove {} yourself", place.display())),
        });
    }
    if !protection.is_archive() {
        context.output.warning(format!(
            "{} is not encrypted: whoever gets it reads all that is held on the person",
            place.display()
        ));
    }
    let shown = Shown::of(&stored.case, Some(Kind::Exported), false);
    let (language, package, key) = (language.code(), Some(written), Some(key));
    let report = Report { shown, right, language, survey, blocked_by: Vec::new(), package, key };
    let outcome = ended(&session, context);
    context.output.result(outcome, &report, || page(&report, &stored.case))?;
    Ok(outcome)
}

/// What was decided of the findings of a case.
fn decisions_of(
    _session: &Session,
    _case: &CaseId,
) -> impl Fn(&FoundItem, &crate::privacy::matching::Finding) -> Option<Decided> + use<> {
    // Nothing is decided until reviews are stored: so nothing is handed over.
    |_, _| None
}

async fn write(
    session: &Session,
    context: &Context,
    matcher: &Arc<Matcher>,
    order: Order<'_>,
    place: &Path,
    protection: &Protection,
) -> Result<Written, PackageError> {
    let failed = |error: CommandError| {
        let source = std::io::Error::other(error.sentences().join(": "));
        PackageError::Local { place: place.to_owned(), source }
    };
    let snapshots = Snapshots::load(&session.vault, None)
        .await
        .map_err(|error| PackageError::Read(crate::restore::RestoreError::from(error)))?;
    let config = &session.config;
    // Only repositories of which something is live and in no snapshot are asked.
    let is_live = |report: &SearchReport, name: &crate::ids::Name| {
        report.found.iter().any(|found| {
            found.item.is_none() && found.live.as_ref().is_some_and(|live| live.repository == *name)
        })
    };
    let wanted = config.repositories.iter().filter(|own| is_live(order.report, &own.name));
    let targets: Result<Vec<_>, CommandError> = wanted.map(|own| target(own, config)).collect();
    let targets = targets.map_err(failed)?;
    let http = context.http(&config.limits).map_err(failed)?;
    let live: Vec<LiveSource<'_>> = targets.iter().map(|target| LiveSource { target, http: &http }).collect();
    let again = Again {
        vault: &session.vault,
        snapshots: &snapshots,
        live: &live,
        bounds: Bounds::default(),
        progress: &*context.progress,
        cancel: context.cancel.clone(),
    };
    package::write(&again, matcher, order, place, protection).await
}

/// Which package is meant.
fn right_of(args: &Args, case: &Case) -> Result<Right, CommandError> {
    let mut asked = case.rights().iter().copied().filter(|right| !right.changes_data());
    match (args.right, asked.next(), asked.next()) {
        (Some(right), _, _) => Ok(right),
        (None, Some(right), None) => Ok(right),
        (None, None, _) => Err(CommandError::new(
            ErrorKind::Refused,
            "the person asked neither for access nor for portability, so there is nothing to hand over",
        )),
        (None, Some(_), Some(_)) => Err(CommandError::new(
            ErrorKind::Usage,
            "the person asked for access and for portability, and each is a package of its own",
        )
        .hint("say which with --right access or --right portability")),
    }
}

fn protection_of(args: &Args, session: &Session) -> Result<Protection, CommandError> {
    Ok(match &args.passphrase_file {
        Some(path) => {
            let secret = SecretRef::File { path: path.clone() }.resolve(&session.config.limits)?;
            Protection::Passphrase(secret)
        }
        None if args.encrypt_to.is_empty() => Protection::Directory,
        None => Protection::Recipients(args.encrypt_to.clone()),
    })
}

/// The last part of a path, for the case: enough to know the package again.
fn name_of(place: &Path) -> String {
    place.file_name().unwrap_or(place.as_os_str()).to_string_lossy().into_owned()
}

fn scope_of(args: &Args, right: Right, session: &Session) -> Result<Option<Scope>, CommandError> {
    match (right, &args.portability_note) {
        (Right::Portability, Some(file)) => Ok(Some(Scope::load(file, &session.config.limits)?)),
        (Right::Portability, None) => Err(CommandError::new(
            ErrorKind::Usage,
            "portability is no copy of everything: somebody decides what the person provided, and why it qualifies",
        )
        .hint(format!("`prismvault privacy export --write-processing` writes {NOTE_FILE}; fill it in and pass it with --portability-note"))),
        (_, Some(_)) => Err(CommandError::new(
            ErrorKind::Usage,
            "--portability-note belongs to --right portability only",
        )),
        (_, None) => Ok(None),
    }
}

/// Adds the next command where a case is not that far.
fn next_of(error: CommandError, case: &Case) -> CommandError {
    match crate::privacy::case::guide::next_command(case).command {
        Some(command) => error.hint(format!("next: {command}")),
        None => error,
    }
}

fn explained(error: ProcessingError, language: Language) -> CommandError {
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

fn of_package(error: PackageError, case: &CaseId) -> CommandError {
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

fn page(report: &Report, case: &Case) -> Page {
    let mut page = Page::new();
    if let Some(package) = &report.package {
        let text = format!(
            " {} with {}, {} and {}",
            package.place.display(),
            counted(package.records, "entry"),
            counted(package.files, "copy of files"),
            match package.hidden {
                0 => "nothing hidden".to_owned(),
                hidden => format!("something of others hidden in {}", counted(hidden, "entry")),
            }
        );
        page = page.line(Text::styled(Style::Green, "Made").and(Style::Plain, text));
        page = page.line(format!("Manifest: {}", package.manifest));
        if let Some(key) = &report.key {
            page = page
                .line(format!("Signed by {key}: put this key into the letter, so that the person can check"));
        }
        for file in &package.not_copied {
            let why = match file.why {
                NotCopied::Others => "others are in it as well; the texts about the person are given instead",
                NotCopied::NotRead => "it is larger than what is read",
            };
            page = page.line(format!("Not copied: {}: {why}", file.places.join(", ")));
        }
        if package.is_member {
            page = page.line(
                "The person has an account at Prismic, which answers for it itself: ask-prismic in the package has the words",
            );
        }
    } else {
        let survey = &report.survey;
        page = page.line(format!(
            "{} are the person, in {}, {} among them; {} are somebody else",
            counted(survey.person, "finding"),
            counted(survey.items, "item"),
            counted(survey.files, "file"),
            survey.others
        ));
        for blocked in &report.blocked_by {
            page =
                page.line(Text::styled(Style::Red, "In the way").and(Style::Plain, format!(": {blocked}")));
        }
        if report.blocked_by.is_empty() {
            page = page.line("Nothing stands in the way of the package");
        }
    }
    page.append(report.shown.page(case))
}

#[derive(Serialize)]
struct Files {
    dry_run: bool,
    written: Vec<&'static str>,
    kept: Vec<&'static str>,
}

fn write_files(dry_run: bool, context: &Context) -> Result<Outcome, CommandError> {
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

fn ask_prismic(language: Language, context: &Context) -> Result<Outcome, CommandError> {
    let report = Letter { language: language.code(), text: package::ask_prismic(language) };
    context
        .output
        .report(Outcome::Complete, &report, || report.text.lines().fold(Page::new(), Page::line))?;
    Ok(Outcome::Complete)
}
