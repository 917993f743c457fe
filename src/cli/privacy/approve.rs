//! `prismvault privacy approve`: somebody else agrees to a plan, by signatures over exactly that.

use serde::Serialize;

use super::desk::{Shown, StepOptions, actor, open_case};
use super::planning::{Ground, Summary, plan_page};
use crate::cli::confirm::confirm_that;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::hold::ended;
use crate::cli::record::Effect;
use crate::cli::{Context, Outcome};
use crate::ids::Digest;
use crate::privacy::case::{Event, Kind, What};
use crate::privacy::erasure::approval;
use crate::vault::format::trust::Role;

/// Arguments of `privacy approve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    /// Approve only the plan with this hash, as `privacy plan --show` printed it
    #[arg(long, value_name = "HASH")]
    plan: Option<Digest>,
    /// Approve without asking; needs --plan
    #[arg(long, requires = "plan")]
    yes: bool,
    /// List everything that the plan changes, and not only the first of each kind
    #[arg(long)]
    all: bool,
}

impl Args {
    pub(super) fn effect(&self) -> Effect {
        self.step.effect("privacy approve")
    }
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    shown: Shown,
    summary: &'a Summary,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let (session, mut stored) = open_case(&args.step.case, &args.step.identity, context).await?;
    let vault = &session.vault;
    let signer = vault.signer(&[Role::Privacy])?;
    let file = approval::load(vault, &stored).await?;
    let hash = file.plan.hash();
    if args.plan.is_some_and(|plan| plan != hash) {
        return Err(CommandError::new(
            ErrorKind::Refused,
            format!("the plan that waits for approval is {hash}"),
        )
        .hint(format!("look at it: `prismvault privacy plan {} --show`", args.step.case)));
    }
    let event = Event {
        at: vault.now(),
        actor: actor(args.step.by.as_deref(), &session.config),
        reason: None,
        what: What::Approved {
            plan: hash,
            key: signer.public().clone(),
            signatures: approval::sign(&file, signer),
        },
    };
    let after = stored.after(event.clone())?;
    // Nobody approves what would be another plan today.
    let ground = Ground::load(&session, &stored, context).await?;
    ground.require_unchanged(&file.plan, &session, context, |_, _| ()).await?;
    let summary = Summary::of(&file.plan, file.orders.len());
    let page = || plan_page(&file.plan, &summary, vault.is_encrypted(), args.all);
    if !args.step.dry_run {
        if !args.yes {
            context.output.message_page(&page());
        }
        let why = "what the plan removes cannot be brought back once it is carried out";
        confirm_that(why, &format!("Approve plan {hash}?"), args.yes)?;
        context.record.plan(hash);
        stored.record(vault, event).await?;
    }
    let case = if args.step.dry_run { &after } else { &stored.case };
    let shown = Shown::of(case, Some(Kind::Approved), args.step.dry_run);
    let outcome = ended(&session, context);
    let report = Report { shown, summary: &summary };
    context.output.result(outcome, &report, || page().append(report.shown.page(case)))?;
    Ok(outcome)
}
