//! `prismvault replicate`: gives every replica what it is to hold.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::output::Page;
use super::record::Effect;
use super::session::{IdentityOptions, Session};
use super::text::{Style, Table, Text};
use super::units::{counted, human_bytes};
use crate::config::Config;
use crate::ids::{Name, SnapshotId};
use crate::replication::{How, Plan, Report, Request, Target, Traffic, apply, plan, traffic_of};
use crate::vault::audit::AuditLog;
use crate::vault::error::{ErrorKind as VaultErrorKind, VaultError};
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::snapshots::Snapshots;
use crate::vault::{drill_copies, requests};

/// Arguments of `replicate`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// Only snapshots of these repositories, by name or group (@clients)
    repositories: Vec<String>,
    /// Bring only this replica up to date; may be repeated [default: all]
    #[arg(long, value_name = "REPLICA")]
    to: Vec<String>,
    /// Copy only from this replica [default: from any that has a good copy]
    #[arg(long, value_name = "REPLICA")]
    from: Option<String>,
    /// Show what would be copied, the bytes and the requests, and stop
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    /// Whether it writes.
    pub(super) fn effect(&self) -> Effect {
        Effect::unless_dry("replicate", self.dry_run)
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    dry_run: bool,
    plan: &'a Plan,
    forecast: &'a BTreeMap<String, Traffic>,
    report: Option<&'a Report>,
    /// Entries of the audit log that were copied.
    audit_entries: u64,
    /// Replicas that could not take part or left in the middle, and why.
    left: Vec<(String, String)>,
}

/// Most lines of one kind that people are shown; `--json` has all.
const SHOWN: usize = 10;

/// Plans, says what it will cost, and copies.
///
/// # Errors
///
/// When a name is no replica, or the vault cannot be read. A replica that fails is in the report.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let config = context.load_config()?;
    let repositories = match args.repositories.is_empty() {
        true => Vec::new(),
        false => config.select(&args.repositories)?.into_iter().map(|own| own.name.clone()).collect(),
    };
    if let Some(from) = args.from.as_ref().filter(|from| args.to.contains(from)) {
        return Err(CommandError::new(
            super::ErrorKind::Usage,
            format!("{from} cannot be copied to itself: --from and --to name it"),
        ));
    }
    replicate_and_print(config, repositories, &args, context).await
}

/// Replicates and prints; for the command itself and for jobs.
pub(super) async fn replicate_and_print(
    config: Config,
    repositories: Vec<Name>,
    args: &Args,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let session = Session::open_with(context, config, &IdentityOptions::default()).await?;
    let vault = &*session.vault;
    for name in args.to.iter().chain(&args.from) {
        vault.replicas.require_known(name).map_err(|error| {
            let hint = error.next_step().unwrap_or_default().to_owned();
            CommandError::new(super::ErrorKind::Usage, error).hint(hint)
        })?;
    }
    let request = Request {
        to: args.to.clone(),
        from: args.from.clone(),
        repositories,
        snapshots: Default::default(),
        progress: &*context.progress,
    };
    let plan = plan(vault, &request).await?;
    let forecast = traffic_of(&plan, vault);
    let (mut report, mut audit_entries, mut records_read) = (None, 0, true);
    if !args.dry_run && !context.cancel.is_cancelled() {
        if !plan.is_empty() {
            for target in &plan.targets {
                context.record.about(format!("replica {}", target.replica));
                context.output.message(forecast_line(target, &forecast));
            }
        }
        report = Some(apply(vault, &plan, &*context.progress, &context.cancel).await?);
        (audit_entries, records_read) = bring_records(vault, &args.to, context).await;
    }
    let is_target = |name: &String| args.to.is_empty() || args.to.contains(name);
    let failed = vault.replicas.failed();
    let away: Vec<_> = failed.into_iter().filter(|(name, _)| is_target(name)).collect();
    let mut outcome = outcome(&plan, report.as_ref());
    for (_, failure) in &away {
        outcome = outcome.worst(match failure.kind {
            VaultErrorKind::NotTrusted | VaultErrorKind::Integrity => Outcome::Integrity,
            _ => Outcome::Partial,
        });
    }
    if !records_read {
        outcome = outcome.worst(Outcome::Partial);
    }
    if context.cancel.is_cancelled() {
        outcome = Outcome::Interrupted;
    }
    let whole = Whole {
        dry_run: args.dry_run,
        plan: &plan,
        forecast: &forecast,
        report: report.as_ref(),
        audit_entries,
        left: away.into_iter().map(|(name, failure)| (name, failure.why)).collect(),
    };
    context.output.result(outcome, &whole, || page(&whole))?;
    session.warn(context);
    Ok(outcome)
}

/// Copies what no snapshot needs: requests, records of drills, entries of the audit log. Returns how many of the last,
/// and whether everything could be read.
async fn bring_records(vault: &Vault, to: &[String], context: &Context) -> (u64, bool) {
    let mut is_read = true;
    let mut warn = |text: String| {
        is_read = false;
        context.output.warning(text);
    };
    match requests::bring_all(vault).await {
        Ok(problems) => problems.iter().for_each(|own| warn(format!("case {}: {}", own.subject, own.detail))),
        Err(error) => warn(format!("requests were not copied: {}", with_causes(&error))),
    }
    match drill_copies::bring(vault).await {
        Ok(problems) => problems.iter().for_each(|own| warn(format!("{}: {}", own.subject, own.detail))),
        Err(error) => warn(format!("records of drills were not copied: {}", with_causes(&error))),
    }
    let entries = match bring_audit_log(vault, to).await {
        Ok(entries) => entries,
        Err(error) => {
            warn(format!("the audit log was not copied: {}", with_causes(&error)));
            0
        }
    };
    (entries, is_read)
}

/// Copies entries of the audit log to replicas that lack them; what was changed is left for `repair`.
async fn bring_audit_log(vault: &Vault, to: &[String]) -> Result<u64, VaultError> {
    if !AuditLog::is_uneven(vault).await? {
        return Ok(0);
    }
    let snapshots = Snapshots::load(vault, None).await?;
    let log = AuditLog::load(vault, snapshots.audit_heads()).await?;
    Ok(log.bring_up_to_date(vault, to).await)
}

/// What is lost everywhere weighs most, then what a replica still lacks.
fn outcome(plan: &Plan, report: Option<&Report>) -> Outcome {
    let lost = report.map_or(&plan.lost, |report| &report.lost);
    if !lost.is_empty() || !plan.unreadable.is_empty() {
        return Outcome::Integrity;
    }
    let waits = plan.targets.iter().any(|target| !target.waiting.is_empty());
    match report {
        Some(report) if report.interrupted => Outcome::Interrupted,
        Some(report)
            if waits
                || !report.bad_copies.is_empty()
                || report.targets.iter().any(|target| !target.failed.is_empty()) =>
        {
            Outcome::Partial
        }
        None if waits => Outcome::Partial,
        _ => Outcome::Complete,
    }
}

fn forecast_line(target: &Target, forecast: &BTreeMap<String, Traffic>) -> String {
    let traffic = forecast.get(&target.replica).cloned().unwrap_or_default();
    format!(
        "{}: {} objects, {} to write in {} requests, for {} snapshots",
        target.replica,
        traffic.objects,
        human_bytes(traffic.bytes),
        traffic.put + traffic.head,
        target.snapshots.len()
    )
}

fn page(whole: &Whole<'_>) -> Page {
    let mut page = match whole.report {
        None => planned(whole),
        Some(report) => done(whole.plan, report),
    };
    for target in &whole.plan.targets {
        for waiting in target.waiting.iter().take(SHOWN) {
            page =
                page.line(Text::styled(Style::Yellow, "waits ").and(
                    Style::Plain,
                    format!("{} on {}: {}", waiting.snapshot, target.replica, waiting.why),
                ));
        }
        if target.removed.snapshots > 0 {
            page = page.line(format!(
                "{} still holds {} snapshots that were removed; `prismvault prune` frees them",
                target.replica, target.removed.snapshots
            ));
        }
    }
    if whole.audit_entries > 0 {
        let entries = counted(whole.audit_entries, "entry");
        page = page.line(format!("copied {entries} of the audit log"));
    }
    let lost = whole.report.map_or(&whole.plan.lost, |report| &report.lost);
    for lost in lost.iter().take(SHOWN) {
        let by: Vec<&str> = lost.snapshots.iter().map(SnapshotId::as_str).take(SHOWN).collect();
        let by = if by.is_empty() { String::new() } else { format!(" (needed by {})", by.join(", ")) };
        page = page.line(
            Text::styled(Style::Red, "LOST ").and(Style::Plain, format!("{}: {}{by}", lost.key, lost.detail)),
        );
    }
    page = and_more(page, lost.len());
    for problem in whole.plan.unreadable.iter().take(SHOWN) {
        page = page.line(
            Text::styled(Style::Red, "unreadable ")
                .and(Style::Plain, format!("{}: {}", problem.subject, problem.detail)),
        );
    }
    page = and_more(page, whole.plan.unreadable.len());
    for (name, why) in &whole.left {
        page = page.line(
            Text::styled(Style::Yellow, "not brought up to date ")
                .and(Style::Plain, format!("{name}: {why}")),
        );
    }
    page
}

fn and_more(page: Page, count: usize) -> Page {
    match count.checked_sub(SHOWN) {
        None | Some(0) => page,
        Some(more) => page.line(format!("  … and {more} more; --json lists all")),
    }
}

fn planned(whole: &Whole<'_>) -> Page {
    let header = ["replica", "snapshots", "objects", "write", "read", "PUT", "GET", "HEAD", "LIST"];
    let mut table = Table::new(header).right(&header[1..]);
    for (name, traffic) in whole.forecast {
        let target = whole.plan.targets.iter().find(|target| target.replica == *name);
        table.row([
            name.as_str().into(),
            target.map_or(0, |target| target.snapshots.len()).to_string().into(),
            traffic.objects.to_string().into(),
            human_bytes(traffic.bytes).into(),
            human_bytes(traffic.bytes_read).into(),
            traffic.put.to_string().into(),
            traffic.get.to_string().into(),
            traffic.head.to_string().into(),
            traffic.list.to_string().into(),
        ]);
    }
    let mut page = Page::new();
    for target in &whole.plan.targets {
        for copy in target.copies.iter().take(SHOWN) {
            let (verb, why) = match copy.how {
                How::Missing => ("would copy", "missing there"),
                How::WrongSize => ("would replace", "of a wrong size there"),
                How::Unconfirmed => ("would confirm", "there already, from an earlier run"),
            };
            page = page.line(Text::styled(Style::Green, format!("{verb} ")).and(
                Style::Plain,
                format!("{} to {} from {}: {why}", copy.key, target.replica, copy.from.join(" or ")),
            ));
        }
        page = and_more(page, target.copies.len());
        for snapshot in target.snapshots.iter().take(SHOWN) {
            page = page.line(Text::styled(Style::Green, "then ").and(
                Style::Plain,
                format!("{} holds {} of {}", target.replica, snapshot.snapshot, snapshot.repository),
            ));
        }
        page = and_more(page, target.snapshots.len());
    }
    page.table(table).line("Nothing was changed.")
}

fn done(plan: &Plan, report: &Report) -> Page {
    let mut page = Page::new();
    for bad in report.bad_copies.iter().take(SHOWN) {
        page = page.line(Text::styled(Style::Yellow, "bad copy ").and(
            Style::Plain,
            format!("{} on {}: {}; `prismvault repair` mends it", bad.key, bad.replica, bad.detail),
        ));
    }
    page = and_more(page, report.bad_copies.len());
    for target in &report.targets {
        for (key, why) in target.failed.iter().take(SHOWN) {
            page = page.line(
                Text::styled(Style::Red, "failed ")
                    .and(Style::Plain, format!("{key} to {}: {why}", target.replica)),
            );
        }
        page = and_more(page, target.failed.len());
    }
    if plan.is_empty() && plan.lost.is_empty() && plan.unreadable.is_empty() {
        return page.line(format!("Every replica holds what it is to hold ({} snapshots).", plan.snapshots));
    }
    for target in &report.targets {
        let kept = match target.confirmed {
            0 => String::new(),
            confirmed => format!(", {confirmed} were there already"),
        };
        page = page.line(format!(
            "{}: copied {} objects, {}{kept}; holds {} more snapshots",
            target.replica,
            target.objects,
            human_bytes(target.bytes),
            target.snapshots.len()
        ));
    }
    if report.interrupted {
        page = page.line("Interrupted; the same command again goes on from there.");
    }
    page
}
