//! `prismvault privacy horizon`: until when copies of what a case erased can survive, and what is promised of it.

use chrono::NaiveDate;
use serde::Serialize;

use super::desk::{Shown, StepOptions, actor, open_case, parse_day};
use crate::cli::confirm::parse_reason;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::hold::ended;
use crate::cli::output::Page;
use crate::cli::record::Effect;
use crate::cli::{Context, Outcome};
use crate::privacy::case::state::Horizon as Promise;
use crate::privacy::case::{Event, Kind, What};
use crate::privacy::promise::{dangers, earliest};
use crate::privacy::proof::check::horizons;
use crate::privacy::proof::erased::ErasedPacks;
use crate::privacy::proof::horizon::{Horizon, Until};

/// Arguments of `privacy horizon`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    step: StepOptions,
    /// Promise that no copy survives this day; from then on an alarm says when that is in danger
    #[arg(long, value_name = "DATE", value_parser = parse_day, requires = "reason")]
    promise: Option<NaiveDate>,
    /// Who was told, and where; or why the day is another one now
    #[arg(long, value_parser = parse_reason, requires = "promise")]
    reason: Option<String>,
}

impl Args {
    pub(super) fn effect(&self) -> Effect {
        match self.promise {
            Some(_) => self.step.effect("privacy horizon"),
            None => Effect::Reads,
        }
    }
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    shown: Shown,
    replicas: Vec<Horizon>,
    /// The earliest day that can be promised now.
    earliest: NaiveDate,
    /// What is promised; absent: nothing, or no copy is left.
    promised: Option<NaiveDate>,
    /// Whether no copy is left.
    reached: bool,
    /// Why the promise is in danger, by replica.
    dangers: Vec<(String, String)>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let Args { step, promise, reason } = args;
    let (session, mut stored) = open_case(&step.case, &step.identity, context).await?;
    let now = session.vault.now();
    let erased = ErasedPacks::load(&session.vault, Some(&step.case)).await?;
    let replicas = horizons(&session.vault, &erased);
    let earliest = earliest(&replicas, now);
    let mut case = None;
    if let Some(until) = promise {
        if until < earliest {
            let sentence = format!("{until} cannot be promised: copies can survive until {earliest}");
            return Err(CommandError::new(ErrorKind::Refused, sentence).hint(format!(
                "promise that day or a later one; `prismvault privacy horizon {}` says what keeps them",
                step.case
            )));
        }
        let actor = actor(step.by.as_deref(), &session.config);
        let event = Event { at: now, actor, reason, what: What::HorizonSet { until } };
        case = Some(stored.after(event.clone())?);
        if !step.dry_run {
            stored.record(&session.vault, event).await?;
        }
    }
    let case = case.unwrap_or_else(|| stored.case.clone());
    let promised = match case.state().horizon {
        Some(Promise::Pending(until)) => Some(until),
        Some(Promise::Reached) | None => None,
    };
    let told = promised.map(|until| dangers(&replicas, until, now)).unwrap_or_default();
    let report = Report {
        shown: Shown::of(&case, promise.map(|_| Kind::HorizonSet), step.dry_run),
        dangers: told.into_iter().map(|(replica, why)| (replica.to_owned(), why)).collect(),
        reached: case.state().horizon == Some(Promise::Reached),
        earliest,
        promised,
        replicas,
    };
    // A promise that will not hold is an objective that is missed.
    let outcome = if report.dangers.is_empty() { Outcome::Complete } else { Outcome::ObjectiveMissed };
    let outcome = outcome.worst(ended(&session, context));
    context.output.result(outcome, &report, || page(&report).append(report.shown.page(&case)))?;
    Ok(outcome)
}

fn page(report: &Report) -> Page {
    let mut page = Page::new();
    for own in &report.replicas {
        page = page.line(match &own.until {
            Until::Reached(at) => format!("{}: no copy is left, since {}", own.replica, at.date_naive()),
            Until::Locked(at) => {
                format!("{}: a lock keeps a copy until {}", own.replica, at.date_naive())
            }
            Until::Unknown(why) => format!("{}: not known: {why}", own.replica),
        });
    }
    for (replica, why) in &report.dangers {
        page = page.line(format!("In danger on {replica}: {why}"));
    }
    match (report.promised, report.reached) {
        (_, true) => page.line("No copy is left, and the case says so"),
        (Some(until), _) => page.line(format!("Promised: no copy survives {until}")),
        (None, _) => {
            page.line(format!("Nothing is promised; the earliest day that can be is {}", report.earliest))
        }
    }
}
