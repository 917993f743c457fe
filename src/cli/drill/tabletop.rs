//! `prismvault drill tabletop`: a pack for people around a table.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::keyfiles::write_new;
use crate::cli::output::Page;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::units::counted;
use crate::cli::{Context, Outcome};
use crate::drill::plan::Plan;
use crate::drill::tabletop::{GatherError, Pack, gather};

/// Arguments of `drill tabletop`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The plan: a file, such as drills/weekly.toml
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// The directory that is made; it must not be there yet
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Serialize)]
struct Report<'a> {
    plan: &'a str,
    directory: &'a Path,
    questions: usize,
    /// Repositories of which there is nothing to recover.
    without_snapshot: Vec<&'a str>,
    files: [&'static str; 3],
}

const FILES: [&str; 3] = ["tabletop.html", "tabletop.csv", "tabletop.json"];

/// Writes the pack: a page to print, a worksheet for answers, and both as data.
pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let plan = Plan::load(&args.plan)?;
    if args.to.try_exists().unwrap_or(true) {
        let what = format!("{} is there already", args.to.display());
        return Err(CommandError::new(ErrorKind::Refused, what).hint("name a new directory"));
    }
    let session = Session::open(context, &args.identity).await?;
    let inventory =
        Box::pin(gather(&plan, &session.config, &session.vault)).await.map_err(|error| match error {
            GatherError::Plan(error) => CommandError::from(error),
            GatherError::Vault(error) => CommandError::from(error),
        })?;
    let pack = Pack::new(&plan, inventory);
    let contents = [pack.html().into_bytes(), pack.csv(), pack.json()];
    for (name, bytes) in FILES.iter().zip(contents) {
        // It names people and where keys are.
        write_new(&args.to.join(name), &bytes, 0o600)?;
    }
    let without = pack.inventory.repositories.iter().filter(|own| own.newest.is_none());
    let report = Report {
        plan: pack.plan.as_str(),
        directory: &args.to,
        questions: pack.questions.len(),
        without_snapshot: without.map(|own| own.repository.as_str()).collect(),
        files: FILES,
    };
    context.output.report(Outcome::Complete, &report, || page(&report))?;
    for name in &report.without_snapshot {
        context
            .output
            .warning(format!("{name} has no complete snapshot: there is nothing to recover it from"));
    }
    session.warn_of_replicas(context);
    Ok(Outcome::Complete)
}

fn page(report: &Report<'_>) -> Page {
    let place = report.directory.display();
    Page::new()
        .line(format!(
            "The tabletop of {} is in {place}: {}",
            report.plan,
            counted(report.questions as u64, "question")
        ))
        .line("  tabletop.html  to read out and to print; it names people and where keys are".to_owned())
        .line("  tabletop.csv   for answers".to_owned())
        .line("  tabletop.json  both as data".to_owned())
        .line(
            "Next: fill in tabletop.csv, and record it with `prismvault drill answers DRILL tabletop.csv`"
                .to_owned(),
        )
}
