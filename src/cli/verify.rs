//! `prismvault verify`: is what the manifests promise really there?

use std::collections::BTreeMap;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use super::Context;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::findings::{Detail, replicas, with_damage, with_losses};
use super::lock_lines::with_locks;
use super::output::Page;
use super::retain::unreachable;
use super::session::{IdentityOptions, Session};
use super::text::{Style, Table, Text};
use super::units::{counted, human_bytes};
use crate::clock::parse_duration;
use crate::config::Config;
use crate::ids::{Name, SnapshotId};
use crate::locks::ReplicaLocks;
use crate::objects::traffic::Traffic;
use crate::vault::snapshots::Snapshots;
use crate::verification::{
    Damage, Level, Scope, Share, VerifyForecast, VerifyOptions, VerifyReport, forecast, verify,
};

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Snapshots to verify, as for `show`; all when none is named
    snapshots: Vec<String>,
    #[command(flatten)]
    depth: DepthOptions,
    #[command(flatten)]
    budget: BudgetOptions,
    /// Say what it would look at and what that costs, and stop
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

/// How much to look at.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct BudgetOptions {
    /// Look at this share of the bytes, what was verified longest ago first: 5%
    #[arg(long, value_name = "SHARE")]
    sample: Option<Share>,
    /// Begin nothing new after this time, and go on from there next time: 30m, 2h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    max_duration: Option<Duration>,
    /// Only this replica; may be repeated
    #[arg(long, value_name = "REPLICA")]
    replica: Vec<String>,
}

impl BudgetOptions {
    /// Returns the budget of a job.
    pub(super) fn of_job(sample: Option<Share>, max_duration: Option<Duration>) -> Self {
        Self { sample, max_duration, replica: Vec::new() }
    }

    fn scope(&self) -> Scope {
        Scope {
            replicas: self.replica.clone(),
            sample: self.sample,
            max_duration: self.max_duration,
            remember: true,
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("{text:?} is not a duration; write 30m or 2h"))
}

/// How deep to look.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct DepthOptions {
    /// How deep to look [default: stored where the store keeps checksums, else bytes]
    #[arg(long, value_enum, value_name = "LEVEL")]
    level: Option<LevelName>,
    /// The same as --level content: decrypt, hash and parse everything (needs the recovery identity)
    #[arg(long, conflicts_with = "level")]
    full: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LevelName {
    /// Every object listed and of the right size; signatures
    Presence,
    /// Checksums that the store keeps
    Stored,
    /// All bytes read and hashed
    Bytes,
    /// All content decrypted, hashed and parsed
    Content,
}

impl DepthOptions {
    /// Returns the level asked for; `None` lets the stores decide.
    pub fn level(&self) -> Option<Level> {
        if self.full {
            return Some(Level::Content);
        }
        Some(match self.level? {
            LevelName::Presence => Level::Presence,
            LevelName::Stored => Level::Stored,
            LevelName::Bytes => Level::Bytes,
            LevelName::Content => Level::Content,
        })
    }
}

/// Verifies and prints what is wrong, object by object.
///
/// # Errors
///
/// When nothing can be verified at all. Damage is printed and decides the exit code.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let which = Which::Selectors(&args.snapshots);
    let (level, budget) = (args.depth.level(), &args.budget);
    if args.dry_run {
        let session = Session::open(context, &args.identity).await?;
        let snapshots = chosen(&args.snapshots, &session).await?;
        return forecast_and_print(&session, level, budget, snapshots, context).await;
    }
    verify_and_print(context.load_config()?, level, budget, which, &args.identity, context).await
}

#[derive(Serialize)]
struct Forecast<'a> {
    dry_run: bool,
    #[serde(flatten)]
    forecast: &'a VerifyForecast,
    unreachable: Vec<(String, String)>,
}

async fn forecast_and_print(
    session: &Session,
    level: Option<Level>,
    budget: &BudgetOptions,
    snapshots: Vec<SnapshotId>,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let (progress, cancel) = (&*context.progress, context.cancel.clone());
    let options = VerifyOptions { level, snapshots, progress, cancel, scope: budget.scope() };
    let found = forecast(&session.vault, &options).await?;
    let report = Forecast { dry_run: true, forecast: &found, unreachable: unreachable(session) };
    let outcome = Outcome::of_reading(false, !report.unreachable.is_empty());
    context.output.report(outcome, &report, || forecast_page(&report))?;
    session.warn(context);
    Ok(outcome)
}

fn forecast_page(report: &Forecast<'_>) -> Page {
    let found = report.forecast;
    let items = match found.items {
        0 => String::new(),
        items => format!(", and decrypt {}", counted(items, "item")),
    };
    let page = Page::new().line(format!(
        "Would look at {} of {}{items}:",
        counted(found.objects, "object"),
        counted(found.snapshots, "snapshot")
    ));
    let page = page.table(traffic_table(&found.traffic));
    let page =
        page.line("besides manifests, listings and catalogs, which were read for this; nothing was changed");
    report.unreachable.iter().fold(page, |page, (name, why)| {
        page.line(Text::styled(Style::Yellow, "not reached ").and(Style::Plain, format!("{name}: {why}")))
    })
}

/// What is read from each replica, and in how many requests.
pub(super) fn traffic_table(traffic: &BTreeMap<String, Traffic>) -> Table {
    let header = ["replica", "read", "GET", "HEAD"];
    let mut table = Table::new(header).right(&header[1..]);
    for (replica, own) in traffic {
        table.row([
            replica.clone().into(),
            human_bytes(own.bytes_read).into(),
            own.get.to_string().into(),
            own.head.to_string().into(),
        ]);
    }
    table
}

/// Which snapshots to verify.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which<'a> {
    /// Those that somebody typed; the whole vault when there is none.
    Selectors(&'a [String]),
    /// All of these repositories.
    Repositories(&'a [Name]),
    /// The whole vault, in which these repositories are expected.
    All(&'a [Name]),
}

/// Verifies and prints; for the command itself and for jobs.
pub(super) async fn verify_and_print(
    config: Config,
    level: Option<Level>,
    budget: &BudgetOptions,
    which: Which<'_>,
    identity: &IdentityOptions,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let session = Session::open_with(context, config, identity).await?;
    if level == Some(Level::Content) {
        session.vault.require_content_identity()?;
    }
    let (snapshots, without) = match which {
        Which::Selectors(selectors) => (chosen(selectors, &session).await?, Outcome::Complete),
        Which::Repositories(names) => of_repositories(names, &session, context).await?,
        Which::All(names) => (Vec::new(), of_repositories(names, &session, context).await?.1),
    };
    for name in &budget.replica {
        session.vault.replicas.require_known(name).map_err(|error| {
            let hint = error.next_step().unwrap_or_default().to_owned();
            CommandError::new(ErrorKind::Usage, error).hint(hint)
        })?;
    }
    let options = VerifyOptions {
        level,
        snapshots,
        progress: &*context.progress,
        cancel: context.cancel.clone(),
        scope: budget.scope(),
    };
    let report = verify(&session.vault, &options).await?;
    let outcome = outcome(&report).worst(without);
    context.output.result(outcome, &report, || page(&report, Detail::of(context.verbose)))?;
    Ok(outcome)
}

/// Returns the snapshots of these repositories. One without any is no success: nothing of it was
/// verified, which is said and decides the exit code.
async fn of_repositories(
    names: &[Name],
    session: &Session,
    context: &Context,
) -> Result<(Vec<SnapshotId>, Outcome), CommandError> {
    let snapshots = Snapshots::load(&session.vault, None).await?;
    let (mut chosen, mut outcome) = (Vec::new(), Outcome::Complete);
    for name in names {
        let own = snapshots.of(name);
        let all = own.iter().chain(snapshots.access_lists(name));
        chosen.extend(all.map(|snapshot| snapshot.id().clone()));
        if own.is_empty() {
            context.output.warning(format!("{name} has no snapshot that could be verified"));
            outcome = Outcome::Partial;
        }
    }
    // For the library no snapshot means all of them, which is right only where manifests are lost:
    // then the whole vault is looked at, and the loss reported.
    let lost = !snapshots.unreadable.is_empty() || !snapshots.missing(&session.vault)?.is_empty();
    if chosen.is_empty() && !lost {
        return Err(CommandError::new(ErrorKind::Failed, "there is no snapshot to verify")
            .hint("take one with `prismvault snapshot`"));
    }
    Ok((chosen, outcome))
}

async fn chosen(selectors: &[String], session: &Session) -> Result<Vec<SnapshotId>, CommandError> {
    if selectors.is_empty() {
        return Ok(Vec::new());
    }
    let snapshots = Snapshots::load(&session.vault, None).await?;
    let select =
        |typed: &String| snapshots.select(typed, session.vault.now()).map(|snapshot| snapshot.id().clone());
    selectors.iter().map(select).collect::<Result<_, _>>().map_err(|error| {
        let hint = error.next_step().unwrap_or("`prismvault list` shows all").to_owned();
        CommandError::new(ErrorKind::Usage, error).hint(hint)
    })
}

/// Damage weighs more than a copy that lags behind or cannot be read now.
pub(super) fn outcome(report: &VerifyReport) -> Outcome {
    if report.damage.iter().any(|damage| damage.kind.is_integrity()) {
        Outcome::Integrity
    } else if report.damage.is_empty() && report.locks.iter().all(ReplicaLocks::is_good) {
        Outcome::Complete
    } else {
        Outcome::Partial
    }
}

fn page(report: &VerifyReport, detail: Detail) -> Page {
    let mut page = with_damage(Page::new(), &report.damage, detail);
    for warning in &report.warnings {
        page = page.line(
            Text::styled(Style::Yellow, "note ")
                .and(Style::Plain, format!("{}: {}", warning.subject, warning.detail)),
        );
    }
    page = with_locks(page, &report.locks, detail);
    page = with_losses(page, report, detail);
    let found = match report.damage.len() {
        0 => Text::styled(Style::Green, "all good"),
        1 => Text::styled(Style::Red, "1 thing is wrong"),
        count => Text::styled(Style::Red, format!("{count} things are wrong")),
    };
    if !report.damage.is_empty() {
        page = page.line("");
    }
    let mut done =
        format!("{}, {} read", counted(report.snapshots, "snapshot"), human_bytes(report.bytes_read));
    if report.items > 0 {
        done += &format!(", {} decrypted and checked", counted(report.items, "item"));
    }
    let erased: u64 = report.erased.iter().map(|order| order.items).sum();
    if erased > 0 {
        let orders = counted(report.erased.len() as u64, "order");
        done += &format!(", {} erased under {orders}, explained", counted(erased, "item"));
    }
    if report.restricted > 0 {
        done += &format!(", {} under restriction", counted(report.restricted, "item"));
    }
    if report.unreferenced > 0 {
        done += &format!(
            ", {} that no snapshot needs ({})",
            counted(report.unreferenced, "object"),
            unneeded(report.unreferenced, report.marked)
        );
    }
    if report.drill_leftovers > 0 {
        let left = counted(report.drill_leftovers, "object");
        done += &format!(", {left} of drills that were killed, which no record names");
    }
    if report.audit_writers > 0 {
        done += &format!(", {} of the audit log", counted(report.audit_entries, "entry"));
    }
    if report.left > 0 {
        done += &format!(", {} left for later runs", counted(report.left, "pack or index object"));
    }
    page = page.table(replicas(report)).line(Text::from(done + ": ").joined(found));
    let can_be_brought = |damage: &Damage| {
        !damage.replica.is_empty() && !damage.key.is_empty() && !report.lost.contains(&damage.key)
    };
    if report.damage.iter().any(can_be_brought) {
        page = page.line("`prismvault repair` brings what another replica has a good copy of");
    }
    page
}

/// Says what objects are that no snapshot needs, and what becomes of them.
fn unneeded(all: u64, marked: u64) -> String {
    let others = "of removed snapshots, or left by runs that were stopped; `prismvault prune` frees them";
    match marked {
        0 => others.to_owned(),
        _ if marked == all => "marked by `prismvault prune`, which deletes them after the grace".to_owned(),
        _ => format!("{marked} marked by `prismvault prune`, the others {others}"),
    }
}
