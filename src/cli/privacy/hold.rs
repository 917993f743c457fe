//! `prismvault privacy hold`: what must be kept, and the end of that.

use super::desk::{Doing, Shown, StepOptions, actor, open_case, take};
use crate::cli::confirm::parse_reason;
use crate::cli::error::CommandError;
use crate::cli::hold::ended;
use crate::cli::{Context, Outcome};
use crate::ids::CaseId;
use crate::privacy::case::{Case, Event, Kind, What};
use crate::privacy::store::StoredCase;

/// Arguments of `privacy hold`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["ground", "release"]))]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    /// Put under hold on this ground, such as "Art. 17(3)(e)"
    #[arg(long, value_name = "GROUND", value_parser = parse_reason)]
    ground: Option<String>,
    /// Only this; without it everything of the case: a path as `privacy search` shows it, such as
    /// documents/en-us/page/X.json; with `/` at its end all below it (assets/A/); or the id of a document, an
    /// asset or an item
    #[arg(long, value_name = "ITEM", requires = "ground")]
    item: Option<String>,
    /// Release the hold with this number, as `privacy show` lists them. Where the case is closed, a new
    /// case takes up what was held back
    #[arg(long, value_name = "NUMBER")]
    release: Option<u32>,
    /// Why
    #[arg(long, value_parser = parse_reason)]
    reason: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let reason = Some(args.reason);
    match (args.ground, args.release) {
        (_, Some(hold)) => release(&args.step, hold, reason, context).await,
        (ground, None) => {
            let what = What::Hold { ground: ground.unwrap_or_default(), item: args.item };
            take(&args.step, context, |_, _, _| Ok(Doing { what, reason })).await
        }
    }
}

/// Releases a hold. **If we crash here** the new case is there and the hold is not released: the same
/// again makes another one, and the first is closed as its duplicate.
async fn release(
    options: &StepOptions,
    hold: u32,
    reason: Option<String>,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let (session, mut stored) = open_case(&options.case, &options.identity, context).await?;
    let now = session.vault.now();
    let by = actor(options.by.as_deref(), &session.config);
    let mut new = match stored.case.state().stage.is_closed() {
        true => Some(follow_up(&stored.case, now, &by)?),
        false => None,
    };
    let new_case = new.as_ref().map(|new| new.case.id().clone());
    let what = What::HoldReleased { hold, new_case: new_case.clone() };
    let event = Event { at: now, actor: by, reason, what };
    let after = stored.after(event.clone())?;
    if !options.dry_run {
        if let Some(new) = &mut new {
            context.record.about(format!("case {}", new.case.id()));
            new.store_draft(&session.vault).await?;
        }
        stored.record(&session.vault, event).await?;
    }
    let shown = Shown { new_case, ..Shown::of(&after, Some(Kind::HoldReleased), options.dry_run) };
    let outcome = ended(&session, context);
    context.output.result(outcome, &shown, || shown.page(&after))?;
    Ok(outcome)
}

/// The request that takes up what a closed case held back: received when the hold ended.
fn follow_up(case: &Case, now: crate::clock::Timestamp, by: &str) -> Result<StoredCase, CommandError> {
    let on = now.date_naive();
    let id = CaseId::new(u16::try_from(chrono::Datelike::year(&on)).unwrap_or_default());
    let what = What::Received {
        on,
        channel: format!("hold of case {} released", case.id()),
        rights: case.rights().to_vec(),
        rules: case.rules().name(),
        language: case.language().to_owned(),
        from_case: Some(case.id().clone()),
    };
    Ok(StoredCase::draft(id, Event { at: now, actor: by.to_owned(), reason: None, what })?)
}
