//! `prismvault privacy purge`: removes the files of cases and the packages that are kept no longer.

use serde::Serialize;

use crate::cli::confirm::confirm;
use crate::cli::error::CommandError;
use crate::cli::hold::ended;
use crate::cli::output::Page;
use crate::cli::places::Places;
use crate::cli::record::Effect;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::units::counted;
use crate::cli::{Context, Outcome};
use crate::config::Config;
use crate::ids::CaseId;
use crate::privacy::own_files::find::{Found, OwnFile, Refused};
use crate::privacy::own_files::{Register, remove};
use crate::privacy::purge::{self, DueCase, Kept};
use crate::progress::Problem;
use crate::vault::format::trust::Role;
use crate::vault::purged::{self, Deleted};
use crate::vault::requests::require_identity;

/// Arguments of `privacy purge`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show what is kept no longer, and stop
    #[arg(long)]
    dry_run: bool,
    /// Delete without asking
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

impl Args {
    pub(super) fn effect(&self) -> Effect {
        match self.dry_run {
            true => Effect::Reads,
            // Where nothing is due, nothing is written.
            false => Effect::MayWrite("privacy purge"),
        }
    }
}

#[derive(Serialize)]
struct KeptCase {
    case: CaseId,
    why: Kept,
}

#[derive(Serialize)]
struct Report {
    dry_run: bool,
    /// Cases that are kept no longer from now on.
    decided: Vec<DueCase>,
    /// What of such cases was deleted, or would be.
    deleted: Vec<Deleted>,
    /// Whether somebody else is to delete it: the maintenance key is not here.
    waits_for_maintenance: bool,
    /// Cases whose time has passed and that something keeps.
    kept: Vec<KeptCase>,
    /// Packages and worksheets on this host that were removed, or would be.
    packages: Vec<std::path::PathBuf>,
    /// Those that were left.
    left: Vec<Refused>,
    /// Cases that cannot be read.
    problems: Vec<Problem>,
}

impl Report {
    fn is_silent(&self) -> bool {
        self.decided.is_empty()
            && self.deleted.is_empty()
            && self.kept.is_empty()
            && self.packages.is_empty()
            && self.left.is_empty()
            && self.problems.is_empty()
    }

    fn outcome(&self) -> Outcome {
        let is_left = self.deleted.iter().any(|done| !done.left.is_empty()) || !self.left.is_empty();
        match (self.problems.is_empty(), is_left) {
            (false, _) => Outcome::Integrity,
            (true, true) => Outcome::Partial,
            (true, false) => Outcome::Complete,
        }
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &args.identity).await?;
    purge_in(&args, &session, context).await
}

/// Removes what is kept no longer, as a job: its file is the consent that a person would give on a terminal.
///
/// # Errors
///
/// Without an identity that reads cases: a host that only deletes what others decided does so by `prune`. Those
/// of the command.
pub(in crate::cli) async fn purge_all(
    config: Config,
    identity: &IdentityOptions,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let session = Session::open_with(context, config, identity).await?;
    require_identity(&session.vault)?;
    let args = Args { dry_run: false, yes: true, identity: identity.clone() };
    purge_in(&args, &session, context).await
}

async fn purge_in(args: &Args, session: &Session, context: &Context) -> Result<Outcome, CommandError> {
    let vault = &session.vault;
    let cases = purge::cases(vault).await?;
    let decided: Vec<DueCase> = cases.due.iter().map(|(_, due)| due.clone()).collect();
    let earlier = purged::delete(vault, true).await?;
    let gone = purged::purged(vault).await?;
    let register = Register::at(&Places::of_environment()?.state);
    let outputs =
        register.outputs().map_err(|error| CommandError::new(crate::cli::ErrorKind::Failed, error))?;
    let is_purged = |case: &CaseId| gone.contains_key(case) || decided.iter().any(|due| due.case == *case);
    let keep = session.config.privacy.keep_packages;
    let (files, refused) = purge::packages(&outputs, vault.file.vault, vault.now(), keep, is_purged);
    let can_delete = vault.signer(&[Role::Maintenance]).is_ok();
    let is_any = !decided.is_empty() || !earlier.is_empty();
    let mut report = Report {
        dry_run: args.dry_run,
        waits_for_maintenance: is_any && !can_delete,
        decided,
        deleted: earlier,
        kept: cases.kept.iter().map(|(case, why)| KeptCase { case: case.clone(), why: *why }).collect(),
        packages: files.iter().map(OwnFile::path).collect(),
        left: refused.clone(),
        problems: cases.problems.clone(),
    };
    let is_something = !(report.decided.is_empty() && report.packages.is_empty())
        || (can_delete && !report.deleted.is_empty());
    if !args.dry_run && is_something {
        let question = format!(
            "Delete the files of {} and {} for good?",
            counted((report.decided.len() + report.deleted.len()) as u64, "case"),
            counted(report.packages.len() as u64, "package")
        );
        confirm(&question, args.yes)?;
        context.record.writes();
        report.decided.iter().for_each(|due| context.record.about(format!("case {}", due.case)));
        report.deleted.iter().for_each(|done| context.record.about(format!("case {}", done.case)));
        context.record.begin(session, context).await?;
        for (stored, due) in &cases.due {
            purge::decide(vault, stored, due).await?;
        }
        report.deleted = match can_delete {
            true => purged::delete(vault, false).await?,
            false => Vec::new(),
        };
        let found = Found { files, refused, ..Found::default() };
        let removed = remove(&register, &found)
            .map_err(|error| CommandError::new(crate::cli::ErrorKind::Failed, error))?;
        report.packages = removed.files;
        report.left = removed.left;
    }
    let outcome = report.outcome().worst(ended(session, context));
    context.output.result(outcome, &report, || page(&report))?;
    Ok(outcome)
}

fn page(report: &Report) -> Page {
    let mut page = Page::new();
    if report.is_silent() {
        return page;
    }
    let (verb, of) = if report.dry_run { ("Would", "") } else { ("Done:", "d") };
    for due in &report.decided {
        page = page.line(format!(
            "{verb} purge{of} case {}: closed on {}, kept until {}",
            due.case, due.closed, due.keep_until
        ));
    }
    for done in &report.deleted {
        page =
            page.line(format!("{verb} delete{of} {} of case {}", counted(done.objects, "object"), done.case));
        for left in &done.left {
            page = page.line(format!("  still there: {}: {}", left.subject, left.detail));
        }
    }
    for path in &report.packages {
        page = page.line(format!("{verb} remove{of} {}", path.display()));
    }
    for left in &report.left {
        page = page.line(format!("Left: {}: {}", left.path.display(), left.why.words()));
    }
    for kept in &report.kept {
        page = page.line(format!("Kept: case {}: {}", kept.case, kept.why.words()));
    }
    for problem in &report.problems {
        page = page.line(format!("{}: {}", problem.subject, problem.detail));
    }
    match report.waits_for_maintenance {
        true => page.line(
            "What is left of these cases is deleted where the maintenance key is: `prismvault prune`, or this command",
        ),
        false => page,
    }
}
