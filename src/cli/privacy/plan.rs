//! `prismvault privacy plan`: what is to become of everything that was found, for others to approve.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::NaiveDate;
use serde::Serialize;

use super::corrections;
use super::desk::{Shown, StepOptions, actor, open_case, parse_day};
use super::planning::{Ground, Summary, of_plan, plan_page};
use crate::cli::confirm::parse_reason;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::hold::ended;
use crate::cli::record::Effect;
use crate::cli::{Context, Outcome};
use crate::ids::{Digest, random};
use crate::privacy::case::{Case, Event, Kind, What};
use crate::privacy::erasure::approval;
use crate::privacy::erasure::correct::Correction;
use crate::privacy::erasure::plan::{Making, Plan, PlanFile, Purpose, orders};
use crate::privacy::right::Right;
use crate::vault::format::trust::Role;

/// Arguments of `privacy plan`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    /// What it is for: erasure, rectification, restriction, or lift (the end of a restriction); needed where the
    /// person asked for several
    #[arg(long, value_name = "PURPOSE", value_parser = parse_purpose)]
    purpose: Option<Purpose>,
    /// For a rectification: pairs of lines, `wrong: …` and under it `right: …`
    #[arg(long, value_name = "FILE")]
    corrections: Option<PathBuf>,
    /// Go on although snapshots under hold have what is changed; the reason is approved with the plan
    #[arg(long, value_name = "REASON", value_parser = parse_reason)]
    over_hold: Option<String>,
    /// For a lift: the day on which the person was told that the restriction ends (GDPR Art. 18(3)); approved with
    /// the plan
    #[arg(long, value_name = "DATE", value_parser = parse_day)]
    told_on: Option<NaiveDate>,
    /// Show the plan that is there, and make none
    #[arg(long, conflicts_with_all = ["dry_run", "purpose", "corrections", "over_hold", "told_on"])]
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

fn parse_purpose(text: &str) -> Result<Purpose, String> {
    Purpose::ALL.into_iter().find(|purpose| purpose.name() == text).ok_or_else(|| {
        let names = Purpose::ALL.map(Purpose::name).join(", ");
        format!("one of {names}")
    })
}

/// What the plan is for: what the person asked for, where that is one thing.
fn purpose_of(args: &Args, case: &Case) -> Result<Purpose, CommandError> {
    let asked: BTreeSet<Purpose> = case
        .rights()
        .iter()
        .filter_map(|right| match right {
            Right::Erasure | Right::Objection => Some(Purpose::Erasure),
            Right::Rectification => Some(Purpose::Rectification),
            Right::Restriction => Some(Purpose::Restriction),
            Right::Access | Right::Portability => None,
        })
        .collect();
    let mut each = asked.iter().copied();
    match (args.purpose, each.next(), each.next()) {
        (Some(purpose), _, _) => Ok(purpose),
        (None, Some(only), None) => Ok(only),
        _ => Err(CommandError::new(ErrorKind::Usage, "it is not said what the plan is for")
            .hint("pass --purpose erasure, rectification, restriction or lift")),
    }
}

fn corrections_of(args: &Args, purpose: Purpose) -> Result<Vec<Correction>, CommandError> {
    match (&args.corrections, purpose) {
        (Some(file), Purpose::Rectification) => corrections::read(file),
        (None, Purpose::Rectification) => Err(CommandError::new(
            ErrorKind::Usage,
            "it is not said what is wrong and what is right: --corrections FILE",
        )
        .hint("a file with pairs of lines: `wrong: what stands there`, and under it `right: what is to stand there`")),
        (Some(_), _) => {
            Err(CommandError::new(ErrorKind::Usage, "--corrections belongs to a rectification only"))
        }
        (None, _) => Ok(Vec::new()),
    }
}

/// When the person was told that the restriction ends: whoever lifts one says so.
fn told_of(args: &Args, purpose: Purpose) -> Result<Option<NaiveDate>, CommandError> {
    match (args.told_on, purpose) {
        (None, Purpose::Lift) => Err(CommandError::new(
            ErrorKind::Usage,
            "the person is told before a restriction ends (GDPR Art. 18(3)): --told-on DATE",
        )
        .hint("tell them, and pass the day on which you did")),
        (Some(_), Purpose::Erasure | Purpose::Rectification | Purpose::Restriction) => {
            Err(CommandError::new(ErrorKind::Usage, "--told-on belongs to a lift only"))
        }
        (told, _) => Ok(told),
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
            let purpose = purpose_of(&args, &stored.case)?;
            let corrections = corrections_of(&args, purpose)?;
            let told = told_of(&args, purpose)?;
            let by = actor(args.step.by.as_deref(), &session.config);
            let planned = vault.now();
            let signer = vault.signer(&[Role::Privacy])?.public().clone();
            let event = |plan, file, orders| Event {
                at: planned,
                actor: by.clone(),
                reason: told.map(|day| format!("the person was told on {day} that the restriction ends")),
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
                purpose,
                corrections: &corrections,
                held: &ground.held,
                over_hold: args.over_hold.as_deref(),
                told,
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
            let is_empty = plan.items.is_empty() && plan.lifts.is_empty();
            if is_empty && plan.live.is_empty() && plan.left.is_empty() {
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
