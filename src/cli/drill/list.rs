//! `prismvault drill list`.

use serde::Serialize;

use super::pages::{decider, result};
use super::speaking::warn;
use crate::cli::error::CommandError;
use crate::cli::output::Page;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::text::{Style, Table, Text};
use crate::cli::{Context, Outcome};
use crate::drill::measure::{Judged, Light};
use crate::drill::record::Record;
use crate::ids::{Name, SnapshotId};
use crate::progress::Problem;
use crate::vault::drills::all;
use crate::vault::error::ErrorKind;
use crate::vault::format::drill::DrillResult;
use crate::vault::replica::with_causes;

/// Drills that are shown where nobody asks for all.
const SHOWN: usize = 20;

/// Arguments of `drill list`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only drills of this plan
    #[arg(long, value_name = "NAME")]
    plan: Option<Name>,
    /// All of them, and not only the newest 20
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Serialize)]
struct Report {
    drills: Vec<Line>,
    /// Drills that are older, and not listed.
    older: usize,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct Line {
    drill: SnapshotId,
    plan: Name,
    began: String,
    real: bool,
    result: DrillResult,
    target: String,
    /// The time to recover against its objective; absent where no identity here reads the report.
    rto: Option<Judged>,
    /// Findings that are open; of a report that is not read, when the drill ended.
    findings: u32,
    /// The gate that waits for people.
    waits_at: Option<String>,
    waits_for: Option<String>,
    /// Why the report is not read.
    unread: Option<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &args.identity).await?;
    let vault = &session.vault;
    let (mut stored, mut problems) = all(vault).await?;
    stored.retain(|drill| args.plan.as_ref().is_none_or(|plan| drill.file.plan == *plan));
    stored.reverse();
    let older = if args.all { 0 } else { stored.len().saturating_sub(SHOWN) };
    stored.truncate(stored.len() - older);
    let mut drills = Vec::with_capacity(stored.len());
    for drill in stored {
        let record = Record::load(vault, drill, &session.config.people).await?;
        problems.extend(record.problems.iter().cloned());
        drills.push(line(&record, &mut problems));
    }
    let report = Report { drills, older, problems };
    let outcome = Outcome::of_reading(!report.problems.is_empty(), !vault.replicas.failed().is_empty());
    context.output.report(outcome, &report, || page(&report))?;
    warn(&report.problems, context);
    session.warn_of_replicas(context);
    Ok(outcome)
}

fn line(record: &Record, problems: &mut Vec<Problem>) -> Line {
    let file = &record.stored.file;
    let now = record.now();
    let unread = record.report.as_ref().err().map(|error| {
        if error.is_damage() {
            problems.push(Problem::new("drill-unreadable", &file.key, with_causes(error)));
        }
        match error.kind {
            ErrorKind::Identity => "no identity here reads it".to_owned(),
            _ => with_causes(error),
        }
    });
    let waiting = now.as_ref().and_then(crate::drill::report::Report::waiting);
    Line {
        drill: file.drill.clone(),
        plan: file.plan.clone(),
        began: file.began.clone(),
        real: file.real,
        result: file.result,
        target: file.target.clone(),
        rto: now.as_ref().and_then(|now| now.objectives.iter().find(|own| own.objective == "rto")).cloned(),
        findings: now
            .as_ref()
            .map_or(file.findings, |now| u32::try_from(now.open_findings().count()).unwrap_or(u32::MAX)),
        waits_at: waiting.map(|gate| gate.gate.to_string()),
        waits_for: waiting.map(|gate| decider(gate).to_owned()),
        unread,
    }
}

fn page(report: &Report) -> Page {
    if report.drills.is_empty() {
        return Page::new().line("There are no drills.");
    }
    let heads = ["drill", "plan", "began", "result", "target", "rto", "findings", "waits for"];
    let mut table = Table::new(heads).right(&["findings"]).spare(&["waits for"]);
    for own in &report.drills {
        let rto = match &own.rto {
            None => Text::styled(Style::Dim, "-"),
            Some(rto) => {
                let style = match rto.light {
                    Light::Green => Style::Green,
                    Light::Grey => Style::Plain,
                    Light::Red => Style::Red,
                };
                Text::styled(style, format!("{} of {}", rto.measured, rto.target))
            }
        };
        let waits = match (&own.waits_at, &own.waits_for) {
            (Some(gate), Some(whom)) => format!("{whom} ({gate})"),
            _ if own.unread.is_some() => "?".to_owned(),
            _ => String::new(),
        };
        let kind = if own.real { format!("{} (real)", own.plan) } else { own.plan.to_string() };
        table.row([
            own.drill.to_string().into(),
            kind.into(),
            own.began.clone().into(),
            result(own.result),
            own.target.clone().into(),
            rto,
            own.findings.to_string().into(),
            waits.into(),
        ]);
    }
    let mut page = Page::new().table(table);
    if report.older > 0 {
        page = page.line(format!("… and {} older; --all lists them", report.older));
    }
    match report.drills.iter().filter(|own| own.unread.is_some()).count() {
        0 => page,
        count => page.line(format!(
            "The reports of {count} are not read here (rto, gates and closed findings are missing); --identity FILE names an identity that reads content"
        )),
    }
}
