//! `prismvault privacy letter CASE support`: the instruction to Prismic about what only Prismic can erase.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::{explained, path_of, read_template, warn_of_gaps};
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::output::Page;
use crate::cli::privacy::desk::open_case;
use crate::cli::privacy::tasks::{host_of, seen_of};
use crate::cli::session::IdentityOptions;
use crate::cli::{Context, Outcome};
use crate::ids::{CaseId, Name};
use crate::privacy::case::{Case, Stage};
use crate::privacy::erasure::approval;
use crate::privacy::erasure::live::standing::standings;
use crate::privacy::erasure::live::tasks::{LETTER_NAMES, letter_template, support_letter};
use crate::privacy::erasure::live::{Doer, LiveStep};
use crate::privacy::letters::Language;

/// Name of the letter, as people type it.
pub(super) const NAME: &str = "support";

#[derive(Serialize)]
struct Report<'a> {
    case: &'a CaseId,
    letter: &'static str,
    language: &'static str,
    /// File of the template; absent for one that comes with the program.
    template: Option<PathBuf>,
    /// One for each repository.
    letters: Vec<Written>,
    /// All of them, one after the other.
    text: String,
}

#[derive(Serialize)]
struct Written {
    repository: Name,
    /// Prismic's name of it.
    host: String,
    text: String,
}

/// Writes it, one for each repository with tasks for support that are open.
pub(super) async fn run(
    id: &CaseId,
    language: Option<Language>,
    identity: &IdentityOptions,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let (session, stored) = open_case(id, identity, context).await?;
    require_carried_out(&stored.case)?;
    let plan = approval::load(&session.vault, &stored).await?.plan;
    let seen = seen_of(&plan, &stored, &session).await?;
    let mut all = standings(&plan.live, &stored.case, seen.as_ref());
    all.retain(|own| own.task.code.doer() == Doer::Support);
    let mut steps: BTreeMap<&Name, Vec<LiveStep>> = BTreeMap::new();
    for own in all.iter().filter(|own| own.is_open()) {
        steps.entry(&own.step.repository).or_default().push(own.step.clone());
    }
    if steps.is_empty() {
        let why = match all.len() {
            0 => "the plan has no task for Prismic's support: nothing of it is where only Prismic reaches",
            _ => "every task for Prismic's support is done",
        };
        return Err(CommandError::new(ErrorKind::Refused, why)
            .hint(format!("`prismvault privacy tasks {id}` shows all tasks")));
    }
    // Prismic answers in English, whoever the person is.
    let language = language.unwrap_or(Language::En);
    let file = path_of(NAME, language);
    let own = read_template(&file)?;
    let template = own.as_deref().unwrap_or_else(|| letter_template(language));
    let today = session.vault.now().date_naive();
    let mut letters = Vec::new();
    for (repository, steps) in steps {
        let host = host_of(repository, &session);
        let text = support_letter(&steps, (repository, host), id, (language, template), today)
            .map_err(|error| explained(error, own.is_some().then_some(&file), &LETTER_NAMES))?;
        let (repository, host) = (repository.clone(), host.to_owned());
        letters.extend(text.map(|text| Written { repository, host, text }));
    }
    let text = letters.iter().map(|own| own.text.trim_end()).collect::<Vec<_>>().join("\n\n\n");
    warn_of_gaps(&text, &file, context);
    let template = own.is_some().then_some(file);
    let report = Report { case: id, letter: NAME, language: language.code(), template, letters, text };
    context
        .output
        .report(Outcome::Complete, &report, || report.text.lines().fold(Page::new(), Page::line))?;
    session.warn(context);
    Ok(Outcome::Complete)
}

/// Support is asked for what is left when all is done that can be done from here: what it erased before would have
/// earlier versions again.
fn require_carried_out(case: &Case) -> Result<(), CommandError> {
    let state = case.state();
    // An earlier plan of the case says nothing of this one.
    let is_done = match state.stage {
        Stage::Executing => state.live_done,
        Stage::Verifying | Stage::NotifyingRecipients | Stage::Responding => true,
        stage => stage.is_done(),
    };
    if is_done && state.plan.is_some() {
        return Ok(());
    }
    let why = "what this program does in Prismic is not done yet, and support is asked for what is left then";
    Err(CommandError::new(ErrorKind::Refused, why)
        .hint(format!("`prismvault privacy show {}` says what to do next", case.id())))
}
