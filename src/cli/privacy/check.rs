//! `prismvault privacy check`: whether people who were erased are found again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::erase::look_again;
use super::planning::Ground;
use super::sources::Sources;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::hold::ended;
use crate::cli::output::Page;
use crate::cli::record::Finding;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::units::counted;
use crate::cli::{Context, Outcome};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::ids::{CaseId, SnapshotId};
use crate::privacy::case::Case;
use crate::privacy::erasure::approval;
use crate::privacy::proof::again::{Seen, date, forget, is_carried_out, is_erasure};
use crate::privacy::proof::restored::{Since, again_live};
use crate::privacy::proof::stays::Stays;
use crate::privacy::store::{StoredCase, load_all};
use crate::progress::Problem;
use crate::vault::erasure_checks;
use crate::vault::format::erasure_checks::CaseCheck;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::requests::require_identity;

/// Places of a case that are listed; all are counted.
const LISTED_MAX: usize = 20;

/// Code of the problem that a case could not be looked at.
const NOT_LOOKED_AT: &str = "not-looked-at";
/// Code of the problem that nothing of this look is recorded.
const NOT_RECORDED: &str = "not-recorded";

/// Arguments of `privacy check`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Args {
    /// The case, such as 2026-7K3F9Q; default: all whose erasure is done
    case: Option<CaseId>,
    /// Look through every snapshot since each erasure, and not only at those since the last look
    #[arg(long)]
    all: bool,
    /// Do not look at what is live now, only at snapshots
    #[arg(long)]
    no_live: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

/// What was seen, for people: ids, paths and numbers, as it stands in logs.
#[derive(Serialize)]
struct Report {
    cases: Vec<Row>,
    /// Whether everybody was looked for, everywhere, and all of it could be read.
    whole: bool,
    /// Cases that cannot be read, or not be looked at.
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct Row {
    case: CaseId,
    state: &'static str,
    /// Places that are live, or were when somebody looked there last.
    live: u64,
    /// Places in snapshots since the last look.
    stored: u64,
    /// The snapshots that these are in.
    found_in: Vec<SnapshotId>,
    /// Paths of what was found: never what.
    paths: Vec<String>,
    /// What could not be looked at.
    not_read: Vec<String>,
    /// Snapshots that were read.
    snapshots: usize,
    since: Option<Timestamp>,
    next: Option<String>,
}

impl Row {
    fn of(case: &Case, check: &CaseCheck, seen: &Seen, live: &[String], not_read: &[String]) -> Self {
        let stored = seen
            .restored
            .found
            .iter()
            .map(|found| format!("{} of {}: {}", found.snapshot, found.repository, found.path));
        let problems = seen.restored.problems.iter().map(|own| format!("{}: {}", own.subject, own.detail));
        Self {
            case: case.id().clone(),
            state: case.state().stage.name(),
            live: check.live,
            stored: check.stored,
            found_in: seen.restored.found_in().into_iter().cloned().collect(),
            paths: live.iter().cloned().chain(stored).collect(),
            not_read: not_read.iter().cloned().chain(problems).collect(),
            snapshots: seen.restored.evidence.len(),
            since: check.since,
            next: check.since.map(|_| check.next.command(case.id())),
        }
    }

    fn is_found(&self) -> bool {
        self.live + self.stored > 0
    }

    fn words(&self) -> String {
        format!(
            "whoever was erased in case {} is there again: {} live, {} in {}",
            self.case,
            counted(self.live, "place"),
            self.stored,
            counted(self.found_in.len() as u64, "snapshot")
        )
    }
}

impl Report {
    fn outcome(&self) -> Outcome {
        // Who asked for a part gets a part: only what could not be looked at is missing.
        let is_clean = |row: &Row| !row.is_found() && row.not_read.is_empty();
        let looked = if self.cases.iter().all(is_clean) { Outcome::Complete } else { Outcome::Partial };
        let of = |problem: &Problem| match &*problem.code {
            NOT_LOOKED_AT => Outcome::Partial,
            // `status` would go on with what it knew before.
            NOT_RECORDED => Outcome::Failed,
            _ => Outcome::Integrity,
        };
        self.problems.iter().map(of).fold(looked, Outcome::worst)
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let config = context.load_config()?;
    Box::pin(check(&args, config, &args.identity, context)).await
}

/// Looks for everybody whose erasure is done, as a job.
///
/// # Errors
///
/// Without an identity that reads cases and content, before anything is read.
pub(in crate::cli) async fn check_all(
    config: Config,
    identity: &IdentityOptions,
    context: &Context,
) -> Result<Outcome, CommandError> {
    Box::pin(check(&Args::default(), config, identity, context)).await
}

async fn check(
    args: &Args,
    config: Config,
    identity: &IdentityOptions,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let session = Session::open_with(context, config, identity).await?;
    let vault = &session.vault;
    require_identity(vault)?;
    vault.require_content_identity()?;
    erasure_checks::require_signer(vault)?;
    let (all, mut problems) = load_all(vault).await?;
    let chosen: Vec<&StoredCase> = match &args.case {
        None => all.iter().filter(|stored| is_carried_out(&stored.case)).collect(),
        Some(id) => vec![one(id, &all, vault).await?],
    };
    let unreadable: BTreeSet<CaseId> =
        problems.iter().filter_map(|own| own.subject.strip_prefix("case ")?.parse().ok()).collect();
    if let Some(id) = &args.case {
        // What is wrong with others is theirs.
        problems.retain(|own| own.subject == format!("case {id}"));
    }
    let sources = Arc::new(Sources::all(&session, context).await?);
    let mut checks = erasure_checks::load(vault).await;
    let mut report =
        Report { cases: Vec::new(), whole: args.case.is_none() && problems.is_empty(), problems };
    for stored in chosen {
        let looking = Looking { args, stored, cases: &all, sources: &sources, session: &session, context };
        match Box::pin(looking.look(checks.cases.get(stored.case.id()))).await {
            Ok(None) => {}
            Ok(Some((check, row, is_whole))) => {
                report.whole &= is_whole;
                checks.cases.insert(stored.case.id().clone(), check);
                report.cases.push(row);
            }
            Err(error) if context.cancel.is_cancelled() => return Err(error),
            // One case that cannot be looked at hides no other.
            Err(error) => {
                report.whole = false;
                let subject = format!("case {}", stored.case.id());
                report.problems.push(Problem::new(NOT_LOOKED_AT, subject, error.sentences().join(": ")));
            }
        }
    }
    let cases: Vec<&Case> = all.iter().map(|stored| &stored.case).collect();
    forget(&mut checks, &cases, &unreadable);
    // A replica that is away may have a snapshot that no other has.
    report.whole &= vault.replicas.failed().is_empty();
    date(&mut checks, vault.now(), report.whole, vault.limits());
    if let Err(error) = erasure_checks::store(vault, &checks).await {
        let detail = format!(
            "what was found is not recorded, so `status` does not know of it: {}",
            with_causes(&error)
        );
        report.problems.push(Problem::new(NOT_RECORDED, "the vault", detail));
    }
    tell(&report, context);
    let outcome = report.outcome().worst(ended(&session, context));
    context.output.result(outcome, &report, || page(&report))?;
    Ok(outcome)
}

/// The case that was named; why it has nobody to look for.
async fn one<'a>(id: &CaseId, all: &'a [StoredCase], vault: &Vault) -> Result<&'a StoredCase, CommandError> {
    let Some(stored) = all.iter().find(|stored| stored.case.id() == id) else {
        // Says why it cannot be read.
        StoredCase::load(vault, id).await?;
        return Err(CommandError::new(
            ErrorKind::Failed,
            format!("case {id} appeared just now; run it again"),
        ));
    };
    let has_erased = is_carried_out(&stored.case)
        && approval::load(vault, stored).await.is_ok_and(|file| is_erasure(&file.plan));
    if has_erased {
        return Ok(stored);
    }
    let words = stored.case.state().stage.words();
    Err(CommandError::new(ErrorKind::Refused, format!("nobody was erased in case {id} yet: it {words}"))
        .hint(format!("`prismvault privacy show {id}` says what is to be done")))
}

/// One case, and what it takes to look for its person.
struct Looking<'a> {
    args: &'a Args,
    stored: &'a StoredCase,
    cases: &'a [StoredCase],
    sources: &'a Arc<Sources>,
    session: &'a Session,
    context: &'a Context,
}

impl Looking<'_> {
    /// Looks; what the vault keeps of it, what is shown, and whether everything could be read. `None` for a
    /// case in which nobody was erased.
    async fn look(&self, before: Option<&CaseCheck>) -> Result<Option<(CaseCheck, Row, bool)>, CommandError> {
        let Self { args, stored, session, context, .. } = self;
        let vault = &session.vault;
        let plan = approval::load(vault, stored).await?.plan;
        if !is_erasure(&plan) {
            return Ok(None);
        }
        let ground = Ground::with(session, stored, self.cases, Arc::clone(self.sources)).await?;
        let mut seen = Seen::default();
        let (mut live, mut not_read) = (Vec::new(), Vec::new());
        if !args.no_live {
            let looked = look_again(&plan, &ground, session, context).await?;
            seen.live = Some(looked.iter().map(|own| own.evidence.remaining).sum());
            for own in &looked {
                let repository = &own.evidence.repository;
                // A place in an item may be named after the person: the path of the item says enough.
                let paths: BTreeSet<&str> = own.remaining.iter().map(|left| &*left.path).collect();
                live.extend(paths.iter().map(|path| format!("live in {repository}: {path}")));
                not_read.extend(own.problems.iter().map(|own| format!("{}: {}", own.subject, own.detail)));
            }
            seen.live_not_read = not_read.len() as u64;
        }
        let stays = Stays::of(&plan, &ground.report, &|found, finding| ground.review.of(found, finding));
        let sources = ground.sources.live();
        let again = ground.sources.again(session, context, &sources);
        let nothing = BTreeMap::new();
        let since = Since {
            planned: plan.planned.parse().unwrap_or_default(),
            clean: before.filter(|_| !args.all).map_or(&nothing, |before| &before.clean),
        };
        seen.restored = Box::pin(again_live(&again, &ground.matcher, &stays, since)).await?;
        // A manifest that nobody can read may be of a snapshot that names them.
        seen.restored.problems.extend(again.snapshots.unreadable.iter().cloned());
        let check = seen.check(&stored.case, before, vault.now());
        let row = Row::of(&stored.case, &check, &seen, &live, &not_read);
        Ok(Some((check, row, seen.is_whole())))
    }
}

/// Warns of everybody who is there again, and tells whoever is told of a job.
fn tell(report: &Report, context: &Context) {
    let found: Vec<&Row> = report.cases.iter().filter(|row| row.is_found()).collect();
    for row in &found {
        let next = row.next.as_deref().unwrap_or_default();
        context.output.warning(format!("{}; next: {next}", row.words()));
    }
    if let Some(first) = found.first() {
        let what = match found.len() {
            1 => first.words(),
            more => format!("people who were erased in {} are there again", counted(more as u64, "case")),
        };
        context.record.found(Finding { what, next: first.next.clone().unwrap_or_default() });
    }
}

fn page(report: &Report) -> Page {
    let mut page = Page::new();
    if report.cases.is_empty() && report.problems.is_empty() {
        return page.line("There is nobody to look for: no erasure is done.");
    }
    for row in &report.cases {
        let read = counted(row.snapshots as u64, "snapshot");
        page = match row.is_found() {
            false => page.line(format!("Case {}: nothing found, {read} read", row.case)),
            true => page.line(format!(
                "Case {}: {} live, {} in snapshots, {read} read",
                row.case,
                counted(row.live, "place"),
                row.stored
            )),
        };
        page = listed(page, &row.paths);
        if !row.not_read.is_empty() {
            page = listed(page.line("  could not be looked at:"), &row.not_read);
        }
        page = row.next.iter().fold(page, |page, next| page.line(format!("  next: {next}")));
    }
    for problem in &report.problems {
        page = page.line(format!("{}: {}", problem.subject, problem.detail));
    }
    match report.whole {
        true => page,
        false => page.line("Not everybody was looked for everywhere: this does not count as a whole look."),
    }
}

fn listed(page: Page, all: &[String]) -> Page {
    let page = all.iter().take(LISTED_MAX).fold(page, |page, line| page.line(format!("  {line}")));
    match all.len().saturating_sub(LISTED_MAX) {
        0 => page,
        more => page.line(format!("  and {more} more: --json has them all")),
    }
}
