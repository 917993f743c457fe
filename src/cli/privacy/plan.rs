//! `prismvault privacy plan`: what is to become of everything that was found, for others to approve.

use serde::Serialize;

use super::desk::{Shown, StepOptions, actor, open_case};
use super::planning::{Ground, Summary, of_plan, plan_page};
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::hold::ended;
use crate::cli::record::Effect;
use crate::cli::{Context, Outcome};
use crate::ids::{Digest, random};
use crate::privacy::case::{Event, Kind, What};
use crate::privacy::erasure::approval;
use crate::privacy::erasure::plan::{Making, Plan, PlanFile, orders};
use crate::vault::format::trust::Role;

/// Arguments of `privacy plan`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    /// Show the plan that is there, and make none
    #[arg(long, conflicts_with = "dry_run")]
    show: bool,
    /// List everything, and not only the first of each kind
    #[arg(long)]
    all: bool,
}

impl Args {
    pub(super) fn effect(&self) -> Effect {
        if self.show { Effect::Reads } else { self.step.effect("privacy plan") }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    shown: Shown,
    summary: &'a Summary,
    file: &'a Plan,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let (session, mut stored) = open_case(&args.step.case, &args.step.identity, context).await?;
    let vault = &session.vault;
    let done = (!args.show).then_some(Kind::ApprovalRequested);
    let file = match args.show {
        true => approval::load(vault, &stored).await?,
        false => {
            let by = actor(args.step.by.as_deref(), &session.config);
            let planned = vault.now();
            let signer = vault.signer(&[Role::Privacy])?.public().clone();
            let event = |plan, file, orders| Event {
                at: planned,
                actor: by.clone(),
                reason: None,
                what: What::ApprovalRequested {
                    plan,
                    file,
                    orders,
                    approvals: vault.trust.erasure_approvals,
                    planned_by: signer.clone(),
                },
            };
            // Whether it may be recorded is found out before anything is read.
            stored.after(event(Digest([0; 32]), Digest([0; 32]), 0))?;
            let ground = Ground::load(&session, &stored, context).await?;
            let decisions = |found: &_, finding: &_| ground.review.of(found, finding);
            let making = Making {
                case: stored.case.id(),
                planned,
                by: &by,
                planned_by: &signer,
                seed: random(),
                files: ground.files(),
                report: &ground.report,
                decisions: &decisions,
            };
            let live = ground.sources.live();
            let again = ground.sources.again(&session, context, &live);
            let plan = Box::pin(making.make(&again, &ground.matcher, |_, _| ())).await;
            let plan = plan.map_err(|error| of_plan(error, stored.case.id()))?;
            if plan.items.is_empty() && plan.live.is_empty() && plan.left.is_empty() {
                return Err(CommandError::new(ErrorKind::Refused, "nothing that was found is to be changed")
                    .hint(format!(
                        "if that is right, say so: `prismvault privacy assess {} --no-changes --note TEXT`",
                        stored.case.id()
                    )));
            }
            let orders = orders(&again, &plan).await?;
            let count = u32::try_from(orders.len()).unwrap_or(u32::MAX);
            let file = PlanFile { plan, orders };
            if !args.step.dry_run {
                let digest = approval::store(vault, &file).await?;
                let event = event(file.plan.hash(), digest, count);
                stored.record(vault, event).await?;
            }
            file
        }
    };
    let summary = Summary::of(&file.plan, file.orders.len());
    let shown = Shown::of(&stored.case, done, args.step.dry_run);
    let outcome = ended(&session, context);
    let report = Report { shown, summary: &summary, file: &file.plan };
    context.output.result(outcome, &report, || {
        plan_page(&file.plan, &summary, vault.is_encrypted(), args.all)
            .append(report.shown.page(&stored.case))
    })?;
    Ok(outcome)
}
