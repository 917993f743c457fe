//! `prismvault privacy tasks`: what is left to people in Prismic, and what of it is done.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::desk::{Shown, actor, open_case};
use crate::cli::confirm::parse_reason;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::hold::ended;
use crate::cli::output::Page;
use crate::cli::record::Effect;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::text::{Style, Text};
use crate::cli::units::counted;
use crate::cli::{Context, Outcome};
use crate::clock::rfc3339;
use crate::ids::{CaseId, Digest, Name};
use crate::privacy::case::{Case, Event, What};
use crate::privacy::erasure::approval;
use crate::privacy::erasure::live::standing::{Standing, TaskStanding, standings};
use crate::privacy::erasure::live::tasks::{Words, words};
use crate::privacy::erasure::live::{Doer, TaskCode};
use crate::privacy::erasure::plan::Plan;
use crate::privacy::letters::Language;
use crate::privacy::proof::seen::Seen;
use crate::privacy::store::StoredCase;

/// Arguments of `privacy tasks`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The case, such as 2026-7K3F9Q
    case: CaseId,
    /// Mark tasks as done, by the ids that are shown. It counts for what nobody outside of Prismic can see; of the
    /// rest `privacy erase` finds out by looking
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with = "reopen")]
    done: Vec<String>,
    /// Mark tasks as open again that somebody said were done
    #[arg(long, value_name = "ID", num_args = 1.., requires = "reason")]
    reopen: Vec<String>,
    /// With --done: how one knows, such as the number of support's answer
    #[arg(long, value_name = "TEXT", requires = "done", value_parser = parse_reason)]
    note: Option<String>,
    /// With --reopen: why
    #[arg(long, requires = "reopen", value_parser = parse_reason)]
    reason: Option<String>,
    /// Language of the tasks: en, de, fr; default: that of the case
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<Language>,
    /// Who says so; default: `principal` in [audit], else the number of the user
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Show what would be recorded, and stop
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

impl Args {
    pub(super) fn effect(&self) -> Effect {
        match self.done.is_empty() && self.reopen.is_empty() {
            true => Effect::Reads,
            false => Effect::unless_dry("privacy tasks", self.dry_run),
        }
    }
}

/// A task as it is shown.
#[derive(Serialize)]
struct Row {
    id: String,
    code: TaskCode,
    doer: &'static str,
    repository: Name,
    path: String,
    title: String,
    text: String,
    /// `open`, `said` or `seen`.
    state: &'static str,
    /// When it was said, or seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// Who said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// Whether something is still to be done about it, by people or by the next look.
    is_open: bool,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    shown: Shown,
    plan: Digest,
    tasks: Vec<Row>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let (session, mut stored) = open_case(&args.case, &args.identity, context).await?;
    let plan = approval::load(&session.vault, &stored).await?.plan;
    let seen = seen_of(&plan, &stored, &session).await?;
    let language = args.lang.or_else(|| stored.case.language().parse().ok()).unwrap_or(Language::En);
    let (mut kind, mut case) = (None, None);
    if let Some(event) = marking(&args, &plan, language, &session)? {
        kind = Some(event.what.kind());
        let after = stored.after(event.clone())?;
        if !args.dry_run {
            stored.record(&session.vault, event).await?;
        }
        case = Some(after);
    }
    let case = case.as_ref().unwrap_or(&stored.case);
    let tasks = standings(&plan.live, case, seen.as_ref());
    let rows = tasks.iter().map(|own| row(own, language, &session)).collect::<Result<_, _>>()?;
    let report = Report { shown: Shown::of(case, kind, args.dry_run), plan: plan.hash(), tasks: rows };
    let outcome = ended(&session, context);
    context.output.result(outcome, &report, || page(case, &report))?;
    Ok(outcome)
}

/// What was seen last, where that is of this plan.
pub(super) async fn seen_of(
    plan: &Plan,
    stored: &StoredCase,
    session: &Session,
) -> Result<Option<Seen>, CommandError> {
    let seen = Seen::load(&session.vault, stored).await?;
    Ok(seen.filter(|seen| seen.evidence.plan == plan.hash()))
}

/// Prismic's name of a repository, as its addresses have it.
pub(super) fn host_of<'s>(name: &'s Name, session: &'s Session) -> &'s str {
    let configured = session.config.repositories.iter().find(|own| own.name == *name);
    configured.map_or(name.as_str(), |own| own.repository.as_str())
}

/// What is to be recorded; `None`: nothing is marked. Ids that are none of the plan are refused, all with one.
fn marking(
    args: &Args,
    plan: &Plan,
    language: Language,
    session: &Session,
) -> Result<Option<Event>, CommandError> {
    let ids: BTreeSet<String> =
        args.done.iter().chain(&args.reopen).map(|id| id.trim().to_lowercase()).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    let mut known = BTreeMap::new();
    for step in plan.live.iter().filter(|step| step.task().is_some()) {
        let words = words(step, host_of(&step.repository, session), language).map_err(of_words)?;
        known.extend(words.map(|words| (words.id, words.title)));
    }
    let unknown: Vec<String> =
        ids.iter().filter(|id| !known.contains_key(*id)).map(|id| id.escape_debug().to_string()).collect();
    if !unknown.is_empty() {
        let there: Vec<String> = known.iter().map(|(id, title)| format!("{id}  {title}")).collect();
        let hint = match there.is_empty() {
            true => "the plan has no task for people".to_owned(),
            false => format!("the tasks of the plan are:\n{}", there.join("\n")),
        };
        let what = format!("case {} has no task {}", args.case, unknown.join(", "));
        return Err(CommandError::new(ErrorKind::Usage, what).hint(hint));
    }
    let (what, reason) = match args.done.is_empty() {
        false => (What::TaskDone { plan: plan.hash(), tasks: ids }, args.note.clone()),
        true => (What::TaskReopened { tasks: ids }, args.reason.clone()),
    };
    let actor = actor(args.by.as_deref(), &session.config);
    Ok(Some(Event { at: session.vault.now(), actor, reason, what }))
}

fn row(own: &TaskStanding<'_>, language: Language, session: &Session) -> Result<Row, CommandError> {
    let step = own.step;
    let host = host_of(&step.repository, session);
    let Words { id, code, title, text } = words(step, host, language)
        .map_err(of_words)?
        .ok_or_else(|| CommandError::new(ErrorKind::Integrity, "a step of the plan is no task"))?;
    let (state, at, by) = match &own.standing {
        Standing::Open => ("open", None, None),
        Standing::Said { at, by, .. } => ("said", Some(rfc3339(*at)), Some(by.clone())),
        Standing::Seen { looked } => ("seen", Some(looked.clone()), None),
    };
    let (repository, path) = (step.repository.clone(), step.path.clone());
    let doer = own.task.code.doer().name();
    Ok(Row { id, code, doer, repository, path, title, text, state, at, by, is_open: own.is_open() })
}

fn of_words(error: crate::privacy::letters::LetterError) -> CommandError {
    CommandError::because(ErrorKind::Integrity, "the words of a task of this program have a hole", error)
}

fn page(case: &Case, report: &Report) -> Page {
    let mut page = Page::new();
    for row in &report.tasks {
        let doer = if row.doer == Doer::Support.name() { "Prismic's support" } else { "an editor" };
        let head = format!("Task {} for {doer}", row.id);
        let at = row.at.as_deref().unwrap_or_default();
        let state = match (row.state, row.is_open) {
            ("seen", _) => format!("seen to be done on {at}"),
            ("said", true) => format!(
                "{} says that it is done ({at}); the next `erase` looks",
                row.by.as_deref().unwrap_or_default()
            ),
            ("said", false) => format!(
                "done, as {} said on {at}; nobody outside of Prismic can see it",
                row.by.as_deref().unwrap_or_default()
            ),
            _ => "open".to_owned(),
        };
        let style = if row.is_open { Style::Yellow } else { Style::Green };
        page = page.line(Text::styled(style, head).and(Style::Plain, format!(", {state}: {}", row.title)));
        if row.is_open {
            page = row.text.lines().fold(page, |page, line| page.line(format!("  {line}")));
        }
    }
    let open = report.tasks.iter().filter(|row| row.is_open).count() as u64;
    page = page.line(match report.tasks.len() {
        0 => "Nothing in Prismic is left to people.".to_owned(),
        all => format!("{}, {open} open", counted(all as u64, "task")),
    });
    let is_for_support = |row: &&Row| row.is_open && row.doer == Doer::Support.name();
    if report.tasks.iter().any(|row| is_for_support(&row)) {
        page = page.line(format!(
            "The words for Prismic's support: prismvault privacy letter {} support",
            report.shown.case
        ));
    }
    page.append(report.shown.page(case))
}
