//! `prismvault privacy export`: the answer to a request for access or portability, as files.

mod errors;
mod report;
mod words;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::errors::{explained, next_of, of_package};
use self::report::{Report, page};
use self::words::{NOTE_FILE, ask_prismic, write_files};
use super::desk::{Shown, actor, open_case};
use super::sources::Sources;
use super::subject::subject_of;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::hold::ended;
use crate::cli::own_files::{self, Wrote};
use crate::cli::record::Effect;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::{Context, Outcome};
use crate::config::SecretRef;
use crate::ids::{CaseId, Digest};
use crate::privacy::case::{Case, Event, Kind, What};
use crate::privacy::found;
use crate::privacy::letters::Language;
use crate::privacy::matching::{Finding, Matcher};
use crate::privacy::own_files::OutputKind;
use crate::privacy::package::{self, Order, Protection, Scope, Survey, destination};
use crate::privacy::processing::{PROCESSING_FILE, Processing};
use crate::privacy::review::Review;
use crate::privacy::right::Right;
use crate::privacy::search::FoundItem;
use crate::privacy::store::StoredCase;
use crate::vault::envelope::Recipient;
use crate::vault::format::trust::Role;
use crate::vault::signing::SigningKey;

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

/// What is asked for, before anything is read.
struct Task {
    right: Right,
    language: Language,
    protection: Protection,
    place: Option<PathBuf>,
    by: String,
}

impl Task {
    fn of(args: &Args, case: &Case, session: &Session) -> Result<Self, CommandError> {
        let protection = protection_of(args, session)?;
        Ok(Self {
            right: right_of(args, case)?,
            language: args.lang.or_else(|| case.language().parse().ok()).unwrap_or(Language::En),
            place: args.to.as_deref().map(|to| destination(to, &protection)),
            protection,
            by: actor(args.by.as_deref(), &session.config),
        })
    }

    /// What stands in the case of a package.
    fn event(&self, session: &Session, manifest: Digest, records: u64, files: u64) -> Event {
        let name = self.place.as_deref().map_or_else(|| "package".to_owned(), name_of);
        let what = What::Exported { right: self.right, manifest, records, files, name };
        Event { at: session.vault.now(), actor: self.by.clone(), reason: None, what }
    }
}

/// What a package needs besides the vault; each, or what is wrong with it.
struct Needs<'s> {
    allowed: Result<(), CommandError>,
    processing: Result<Processing, CommandError>,
    scope: Result<Option<Scope>, CommandError>,
    signer: Result<&'s SigningKey, CommandError>,
}

impl<'s> Needs<'s> {
    fn of(args: &Args, task: &Task, stored: &StoredCase, session: &'s Session) -> Self {
        let event = task.event(session, Digest([0; 32]), 0, 0);
        let allowed = stored.after(event).map(drop).map_err(CommandError::from);
        let processing = Processing::load(Path::new(PROCESSING_FILE), task.language, &session.config.limits);
        Self {
            allowed: allowed.map_err(|error| next_of(error, &stored.case)),
            processing: processing.map_err(|error| explained(error, task.language)),
            scope: scope_of(args, task.right, session),
            signer: session.vault.signer(&[Role::Privacy]).map_err(CommandError::from),
        }
    }

    /// All that is wrong, in words.
    fn wrong(&self) -> Vec<String> {
        let all = [
            self.allowed.as_ref().err(),
            self.processing.as_ref().err(),
            self.scope.as_ref().err(),
            self.signer.as_ref().err(),
        ];
        all.into_iter().flatten().map(|error| error.sentences().join(": ")).collect()
    }
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
    let task = Task::of(&args, &stored.case, &session)?;
    // Whether it may be recorded is found out before anything is read or written.
    let needs = Needs::of(&args, &task, &stored, &session);
    if args.dry_run {
        return rehearse(&task, &needs, &stored, &session, context).await;
    }
    let Needs { allowed, processing, scope, signer } = needs;
    allowed?;
    let signer = signer?;
    let Some(place) = &task.place else {
        return Err(CommandError::new(
            ErrorKind::Usage,
            "it is not said where the package is to be: --to DIRECTORY",
        ));
    };
    let report = found::load_last(&session.vault, &stored).await?;
    let review = Review::load(&session.vault, &stored).await?;
    let decisions = |found: &FoundItem, finding: &Finding| review.of(found, finding);
    let survey = Survey::of(&report, &decisions);
    let order = Order {
        case: id,
        right: task.right,
        rules: stored.case.rules().name(),
        language: task.language,
        prepared_on: session.vault.now().date_naive(),
        processing: processing?,
        scope: scope?,
        report: &report,
        decisions: &decisions,
        signer,
    };
    let matcher = Arc::new(Matcher::new(&subject_of(&stored.case)?, &[]));
    let sources = Sources::of(&session, context, &report).await?;
    let live = sources.live();
    let again = sources.again(&session, context, &live);
    let noted = own_files::begin(OutputKind::Package, place, &session, context, |output| output.of_case(id));
    let written = package::write(&again, &matcher, order, place, &task.protection).await;
    own_files::finish(noted, Wrote::whole(&written), context);
    let written = written.map_err(|error| of_package(error, id))?;
    let event = task.event(&session, written.manifest, written.records, written.files);
    let recorded = stored.record(&session.vault, event).await;
    recorded.map_err(|error| taken_back(error.into(), place, &task.protection))?;
    if !task.protection.is_archive() {
        context.output.warning(format!(
            "{} is not encrypted: whoever gets it reads all that is held on the person",
            place.display()
        ));
    }
    let report = Report {
        shown: Shown::of(&stored.case, Some(Kind::Exported), false),
        right: task.right,
        language: task.language.code(),
        survey,
        blocked_by: Vec::new(),
        package: Some(written),
        key: Some(signer.public().to_string()),
    };
    let outcome = ended(&session, context);
    context.output.result(outcome, &report, || page(&report, &stored.case))?;
    Ok(outcome)
}

/// Says what would be in the package, and all that stands in its way.
async fn rehearse(
    task: &Task,
    needs: &Needs<'_>,
    stored: &StoredCase,
    session: &Session,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let mut blocked_by = needs.wrong();
    let mut survey = Survey::default();
    let found = found::load_last(&session.vault, stored).await;
    match found {
        Ok(report) => {
            let review = Review::load(&session.vault, stored).await?;
            survey = Survey::of(&report, &|found, finding| review.of(found, finding));
            blocked_by.extend(survey.require_decided().err().map(|error| error.to_string()));
        }
        Err(error) => blocked_by.push(error.to_string()),
    }
    let outcome = if blocked_by.is_empty() { Outcome::Complete } else { Outcome::Refused };
    let shown = Shown::of(&stored.case, None, true);
    let (right, language) = (task.right, task.language.code());
    let report = Report { shown, right, language, survey, blocked_by, package: None, key: None };
    context.output.result(outcome, &report, || page(&report, &stored.case))?;
    Ok(outcome)
}

/// Removes a package that could not be recorded: what nobody knows of cannot be destroyed later.
fn taken_back(error: CommandError, place: &Path, protection: &Protection) -> CommandError {
    let removed = match protection.is_archive() {
        true => std::fs::remove_file(place),
        false => std::fs::remove_dir_all(place),
    };
    let error = error.within("the package was made, and could not be recorded");
    match removed {
        Ok(()) => error.hint("the package was removed again; run the same once more"),
        Err(_) => error.hint(format!("remove {} yourself", place.display())),
    }
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
