//! `prismvault audit`: who did what to the vault, and whether that record is whole.

use std::collections::{BTreeSet, HashSet};

use clap::Subcommand;
use serde::Serialize;

use super::Context;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::output::Page;
use super::session::{IdentityOptions, Session};
use super::text::{Style, Table, Text};
use super::units::counted;
use crate::clock::{parse_when, rfc3339};
use crate::ids::WriterId;
use crate::progress::Problem;
use crate::vault::audit::{AuditFinding, AuditLog};
use crate::vault::format::audit::{AuditEntry, AuditResult};
use crate::vault::snapshots::Snapshots;

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what was done, newest last
    List(ListArgs),
    /// Compare the record on every replica with itself, with the manifests, and with what this
    /// client remembers
    Verify,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only what was done since then: 2026-11-20, 2026-11-20T12:00:00Z, 3d, 12h
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only entries of this writer: the beginning of its id, or of either half of it
    #[arg(long, value_name = "WRITER")]
    writer: Option<String>,
}

#[derive(Serialize)]
struct ListReport<'a> {
    entries: Vec<&'a AuditEntry>,
    /// Keys of those that say that a command began whose end is not on record: it was killed, or
    /// is at it still.
    without_end: BTreeSet<&'a str>,
    findings: usize,
}

#[derive(Serialize)]
struct VerifyReport<'a> {
    writers: Vec<WriterReport<'a>>,
    copies: u64,
    findings: &'a [AuditFinding],
    warnings: Vec<Problem>,
    unreachable: Vec<(String, String)>,
}

#[derive(Serialize)]
struct WriterReport<'a> {
    writer: &'a WriterId,
    newest: u64,
    entries: usize,
    first: Option<&'a str>,
    last: Option<&'a str>,
}

/// Reads the audit log on every replica, and lists or judges it.
///
/// # Errors
///
/// When the vault cannot be opened, or a point in time is none. What is wrong with the record is
/// printed and decides the exit code, also of `list`.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let since = match &args.action {
        Action::List(ListArgs { since: Some(typed), .. }) => {
            Some(parse_when(typed, context.clock.now()).ok_or_else(|| {
                CommandError::new(ErrorKind::Usage, format!("{typed:?} is not a point in time"))
                    .hint("write 2026-11-20T12:00:00Z, 2026-11-20, 12h or 3d")
            })?)
        }
        _ => None,
    };
    let session = Session::open(context, &IdentityOptions::default()).await?;
    let vault = &session.vault;
    let snapshots = Snapshots::load(vault, None).await?;
    let log = AuditLog::load(vault, snapshots.audit_heads()).await?;
    let unreachable: Vec<(String, String)> =
        vault.replicas.failed().into_iter().map(|(name, failure)| (name, failure.why)).collect();
    let outcome = outcome(&log, !unreachable.is_empty());
    match args.action {
        Action::List(list) => {
            let is_asked = |entry: &&AuditEntry| {
                since.is_none_or(|since| entry.at >= rfc3339(since))
                    && list.writer.as_deref().is_none_or(|typed| is_of(&entry.writer, typed))
            };
            let all = log.entries();
            let without_end = without_end(&all);
            let entries = all.into_iter().filter(is_asked).collect();
            let report = ListReport { entries, without_end, findings: log.findings.len() };
            context.output.report(outcome, &report, || list_page(&report))?;
            session.warn_of_replicas(context);
        }
        Action::Verify => {
            let mut warnings = log.warnings.clone();
            warnings.extend(vault.warnings());
            let writers = log.chains.iter().map(|chain| WriterReport {
                writer: &chain.writer,
                newest: chain.newest,
                entries: chain.entries().count(),
                first: chain.entries().next().map(|entry| entry.at.as_str()),
                last: chain.entries().last().map(|entry| entry.at.as_str()),
            });
            let report = VerifyReport {
                writers: writers.collect(),
                copies: log.copies,
                findings: &log.findings,
                warnings,
                unreachable,
            };
            context.output.result(outcome, &report, || verify_page(&report))?;
        }
    }
    Ok(outcome)
}

fn without_end<'a>(entries: &[&'a AuditEntry]) -> BTreeSet<&'a str> {
    let ended: HashSet<&str> = entries.iter().filter_map(|entry| entry.begun.as_deref()).collect();
    let begun = entries.iter().filter(|entry| entry.result == AuditResult::Begun);
    begun.map(|entry| entry.key.as_str()).filter(|key| !ended.contains(key)).collect()
}

/// What somebody removed or changed weighs more than a replica that lags behind.
fn outcome(log: &AuditLog, incomplete: bool) -> Outcome {
    if log.findings.iter().any(|finding| finding.kind.is_integrity()) {
        Outcome::Integrity
    } else if incomplete || !log.findings.is_empty() {
        Outcome::Partial
    } else {
        Outcome::Complete
    }
}

fn is_of(writer: &WriterId, typed: &str) -> bool {
    writer.to_string().starts_with(typed) || writer.client().starts_with(typed)
}

fn list_page(report: &ListReport<'_>) -> Page {
    let mut table = Table::new(["when", "who", "did", "result", "about", "entry"]);
    for entry in &report.entries {
        let who = [&entry.principal, &entry.host].into_iter().flatten().cloned().collect::<Vec<_>>();
        let result = match entry.result {
            AuditResult::Begun if report.without_end.contains(entry.key.as_str()) => {
                Text::styled(Style::Red, "begun, no end")
            }
            AuditResult::Begun => Text::styled(Style::Dim, entry.result.label()),
            AuditResult::Complete => Text::styled(Style::Green, entry.result.label()),
            AuditResult::Failed | AuditResult::Integrity => Text::styled(Style::Red, entry.result.label()),
            _ => Text::styled(Style::Yellow, entry.result.label()),
        };
        table.row([
            entry.at.clone().into(),
            who.join(" on ").into(),
            entry.command.clone().into(),
            result,
            about(entry).into(),
            short(&entry.writer, entry.n).into(),
        ]);
    }
    let page = match report.entries.is_empty() {
        true => Page::new().line("Nothing was recorded."),
        false => Page::new().table(table),
    };
    match report.findings {
        0 => page,
        _ => page.line(Text::styled(
            Style::Red,
            "The record is not whole: `prismvault audit verify` says what is wrong, and where.",
        )),
    }
}

fn about(entry: &AuditEntry) -> String {
    let count = entry.subjects.len() as u64 + entry.more_subjects;
    match (entry.subjects.first(), count) {
        (None, _) => String::new(),
        (Some(only), 1) => only.clone(),
        (Some(first), count) => format!("{first} and {} more", count - 1),
    }
}

/// The place of an entry, short enough for a table; as `--writer` takes it.
fn short(writer: &WriterId, n: u64) -> String {
    format!("{}/{n}", &writer.client()[..8])
}

fn verify_page(report: &VerifyReport<'_>) -> Page {
    let mut page = Page::new();
    for finding in report.findings {
        let style = if finding.kind.is_integrity() { Style::Red } else { Style::Yellow };
        let place = match finding.replica.as_str() {
            "" => "every replica",
            name => name,
        };
        let kind = format!("{:?} ", finding.kind).to_lowercase();
        page = page.line(Text::styled(style, kind).and(
            Style::Plain,
            format!("entry {} of {} on {place}: {}", finding.n, finding.writer, finding.detail),
        ));
    }
    for warning in &report.warnings {
        page = page.line(
            Text::styled(Style::Yellow, "note ")
                .and(Style::Plain, format!("{}: {}", warning.subject, warning.detail)),
        );
    }
    for (replica, why) in &report.unreachable {
        page = page
            .line(Text::styled(Style::Yellow, "not read ").and(Style::Plain, format!("{replica}: {why}")));
    }
    for writer in &report.writers {
        let span = match (writer.first, writer.last) {
            (Some(first), Some(last)) => format!(", {first} to {last}"),
            _ => String::new(),
        };
        page = page.line(format!("{}: {}{span}", writer.writer, counted(writer.entries as u64, "entry")));
    }
    let found = match report.findings.len() {
        0 => Text::styled(Style::Green, "nothing is missing or changed"),
        1 => Text::styled(Style::Red, "1 thing is wrong"),
        count => Text::styled(Style::Red, format!("{count} things are wrong")),
    };
    let copies = counted(report.copies, "copy");
    let read = format!("{copies} of entries by {}: ", counted(report.writers.len() as u64, "writer"));
    page.line(Text::from(read).joined(found))
}
