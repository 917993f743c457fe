//! `prismvault privacy open`.

use chrono::{Datelike as _, NaiveDate};

use super::desk::{Shown, actor, parse_day};
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::hold::ended;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::{Context, Outcome};
use crate::ids::CaseId;
use crate::privacy::case::{Event, Kind, What};
use crate::privacy::letters::Language;
use crate::privacy::right::Right;
use crate::privacy::rules;
use crate::privacy::store::StoredCase;
use crate::vault::requests::require_recipients;

/// Arguments of `privacy open`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What is asked for: access, portability, erasure, rectification, restriction, objection; may be
    /// repeated
    #[arg(long = "right", required = true, value_name = "RIGHT")]
    rights: Vec<Right>,
    /// The day on which the request came; default: today
    #[arg(long, value_name = "DATE", value_parser = parse_day)]
    received: Option<NaiveDate>,
    /// How it came: e-mail, letter, form, telephone
    #[arg(long, value_name = "HOW", default_value = "e-mail")]
    channel: String,
    /// Whose rules apply: eu, de, dk, fr, uk; with a region: de-by, uk-sct
    #[arg(long, value_name = "RULES", default_value = "eu")]
    rules: String,
    /// Language of letters to the person: en, de, fr
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    language: Language,
    /// Who records it; default: `principal` in [audit], else the number of the user
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Show what would be recorded, and stop
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &args.identity).await?;
    let vault = &session.vault;
    require_recipients(vault)?;
    let now = vault.now();
    let received = args.received.unwrap_or_else(|| now.date_naive());
    rules::profile(&args.rules, received).map_err(|error| {
        let names: Vec<String> = rules::names().into_iter().map(|(name, _)| name).collect();
        CommandError::new(ErrorKind::Usage, error).hint(format!("rules that are known: {}", names.join(", ")))
    })?;
    let id = CaseId::new(u16::try_from(received.year()).unwrap_or_default());
    let event = Event {
        at: now,
        actor: actor(args.by.as_deref(), &session.config),
        reason: None,
        what: What::Received {
            on: received,
            channel: args.channel,
            rights: args.rights,
            rules: args.rules,
            language: args.language.code().to_owned(),
            from_case: None,
        },
    };
    let mut stored = StoredCase::draft(id.clone(), event)?;
    if !args.dry_run {
        context.record.about(format!("case {id}"));
        stored.store_draft(vault).await?;
    }
    let shown = Shown::of(&stored.case, Some(Kind::Received), args.dry_run);
    let outcome = ended(&session, context);
    context.output.report(outcome, &shown, || {
        let page = shown.page(&stored.case);
        let steps = stored.case.due().steps;
        steps.iter().fold(page.line("How the date follows:"), |page, step| page.line(format!("  {step}")))
    })?;
    Ok(outcome)
}
