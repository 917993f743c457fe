//! `prismvault drill close`: a finding is mended.

use serde::Serialize;

use super::speaking::warn;
use crate::cli::confirm::parse_reason;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::hold::ended;
use crate::cli::output::Page;
use crate::cli::record::Effect;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::{Context, Outcome};
use crate::drill::record::{Open, open_findings};
use crate::ids::SnapshotId;
use crate::vault::drills::{close, closed};

/// Arguments of `drill close`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The finding, such as F-20261121T020000Z-1a2b3c4d-1
    finding: String,
    /// Who says so
    #[arg(long = "as", value_name = "NAME", value_parser = parse_reason)]
    by: String,
    /// How it was mended; kept encrypted like content
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    note: String,
    /// Say whether it would be recorded, and stop
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

impl Args {
    pub(super) fn effect(&self) -> Effect {
        Effect::unless_dry("drill close", self.dry_run)
    }
}

#[derive(Serialize)]
struct Report<'a> {
    finding: &'a str,
    drill: &'a SnapshotId,
    by: &'a str,
    dry_run: bool,
    /// Findings of the plan that are open now.
    open: Vec<&'a str>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &args.identity).await?;
    let vault = &session.vault;
    let (open, problems) = open_findings(vault, &session.config.people).await?;
    warn(&problems, context);
    let Some(own) = open.iter().find(|own| own.finding.id == args.finding) else {
        let closed = closed(vault).await?;
        return Err(not_open(
            &args.finding,
            closed.get(&args.finding).map(|own| (&*own.by, &*own.at)),
            &open,
        ));
    };
    context.record.about(format!("finding {}", args.finding));
    if !args.dry_run {
        close(vault, &own.drill, &args.finding, &args.by, &args.note).await?;
    }
    let left = open.iter().filter(|other| other.plan == own.plan && other.finding.id != args.finding);
    let report = Report {
        finding: &args.finding,
        drill: &own.drill,
        by: &args.by,
        dry_run: args.dry_run,
        open: left.map(|own| own.finding.id.as_str()).collect(),
    };
    let outcome = ended(&session, context);
    context.output.result(outcome, &report, || {
        let verb = if report.dry_run { "Would be closed" } else { "Closed" };
        let page = Page::new().line(format!("{verb}: {}, {}", report.finding, own.finding.what));
        match report.open.as_slice() {
            [] => page.line(format!("No finding of {} is open", own.plan)),
            open => page.line(format!("Open findings of {}: {}", own.plan, open.join(", "))),
        }
    })?;
    Ok(outcome)
}

fn not_open(finding: &str, closed: Option<(&str, &str)>, open: &[Open]) -> CommandError {
    let sentence = match closed {
        Some((by, at)) => format!("{finding} was closed by {by} at {at}"),
        None => format!("no drill has an open finding {finding:?}"),
    };
    let ids: Vec<&str> = open.iter().map(|own| own.finding.id.as_str()).collect();
    CommandError::new(ErrorKind::Refused, sentence).hint(match ids.as_slice() {
        [] => "no finding is open".to_owned(),
        ids => format!("open are {}", ids.join(", ")),
    })
}
