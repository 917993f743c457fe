//! `prismvault demo`: the whole cycle on embedded parts, in front of the user's eyes.
//!
//! An embedded sandbox plays Prismic; everything else is what `init`, `snapshot`, `verify`,
//! `repair` and `restore files` do, called in the same way. At the end the restored files are
//! compared with what the sandbox itself holds, not with the backup, so the demo fails when a
//! byte differs, wherever it was lost.
//!
//! The content is the same in every run; keys, ids of snapshots and times are not. Nothing is
//! read or written outside of one directory, and nothing leaves the loopback interface.

mod compare;
mod files;
mod place;
mod show;
mod stage;
mod steps;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use self::place::Place;
use self::show::{Show, StepReport};
use super::Context;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::output::Page;
use super::text::{Style, Text, shell_word};
use super::units::human_duration;
use crate::config::FILE_NAME;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where everything goes, an empty or new directory; it is kept [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Keep the temporary directory: vault, keys, configuration, restored files
    #[arg(long)]
    keep: bool,
    /// Documents of the repository
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..))]
    documents: u32,
    /// Assets of its media library
    #[arg(long, value_name = "N", default_value_t = 60)]
    assets: u32,
}

#[derive(Serialize)]
struct Report<'a> {
    succeeded: bool,
    directory: Option<&'a Path>,
    seconds: f64,
    steps: &'a [StepReport],
    error: Option<serde_json::Value>,
    next: &'a [String],
}

/// Plays the cycle and tells of each step as it ends.
///
/// # Errors
///
/// When the directory cannot be used. A step that fails is in the report and decides the exit
/// code; what was made until then is kept.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let place = Place::make(args.dir.as_deref(), args.keep)?;
    let began = Instant::now();
    let mut show = Show::new(context);
    show.line(Text::styled(
        Style::Bold,
        "Back up a Prismic repository, damage the backup, repair, restore, compare.",
    ))?;
    show.line(format!(
        "All of it is made up and on this machine, without network or account, in\n{}",
        place.path().display()
    ))?;
    let error = play(&args, place.path(), &mut show).await.err();
    let failed = error.as_ref().is_some_and(|error| error.kind != ErrorKind::Interrupted);
    let directory = if failed { Some(place.keep()) } else { place.end() };
    let next = next_steps(directory.as_deref());
    let report = Report {
        succeeded: error.is_none(),
        directory: directory.as_deref(),
        seconds: began.elapsed().as_secs_f64(),
        steps: show.steps(),
        error: error.as_ref().map(|error| error.to_json()["error"].clone()),
        next: &next,
    };
    let Some(error) = error else {
        context.output.report(Outcome::Complete, &report, || page(&report))?;
        return Ok(Outcome::Complete);
    };
    let outcome = error.kind.outcome();
    if context.output.is_json() {
        context.output.report(outcome, &report, Page::new)?;
    } else {
        context.output.error(&match &directory {
            Some(directory) => error.hint(format!("what was made until then is in {}", directory.display())),
            None => error,
        });
    }
    Ok(outcome)
}

/// The steps, one function each.
async fn play(args: &Args, directory: &Path, show: &mut Show<'_>) -> Result<(), CommandError> {
    let context = show.context();
    let (documents, assets) = (args.documents as usize, args.assets as usize);
    let source = show.step("source", "A repository to back up", steps::source(documents, assets, context));
    let source = source.await?;
    let vault =
        show.step("vault", "Keys, and a vault on two replicas", steps::vault(&source, directory, context));
    let vault = vault.await?;
    let first =
        show.step("first-snapshot", "A first snapshot", steps::first_snapshot(&source, &vault)).await?;
    show.step(
        "unchanged-snapshot",
        "Nothing changed: another one",
        steps::unchanged_snapshot(&source, &vault, &first),
    )
    .await?;
    show.step("edit", "Editors change 1 % and publish", steps::edit(&source)).await?;
    let newest = show
        .step("newest-snapshot", "A snapshot of the change", steps::newest_snapshot(&source, &vault))
        .await?;
    show.step("verify", "Verify: decrypt, hash and read everything", steps::verify_all(&vault)).await?;
    let damaged = show.step("damage", "Damage, on purpose", steps::damage(&vault)).await?;
    show.step("notice", "Verify again", steps::notice(&vault, &damaged)).await?;
    show.step("repair", "Repair", steps::mend(&vault, &damaged)).await?;
    let moments = [("first", &first), ("newest", &newest)];
    show.step("restore", "Restore both points in time as files", steps::restore(&vault, &moments)).await?;
    show.step("compare", "Compare with the repository itself", steps::compare(&source, &vault, &moments))
        .await?;
    vault.leave_clean();
    source.stop().await;
    Ok(())
}

/// Commands that go on from here.
fn next_steps(directory: Option<&Path>) -> Vec<String> {
    let program = program();
    let Some(directory) = directory else {
        return vec![
            format!("{program} demo --dir ./demo"),
            format!("{program} snapshot --repository NAME --to ./vault"),
        ];
    };
    let config = shell_word(&directory.join(FILE_NAME).display().to_string());
    let with_config = |command: &str| format!("{program} --config {config} {command}");
    vec![
        with_config("list"),
        with_config("show latest"),
        with_config("verify --full"),
        with_config("restore files latest --to ./restored"),
        format!("{program} snapshot --repository NAME --to ./vault"),
    ]
}

/// This program as it was called, so that the commands shown can be pasted: `cargo run` calls it
/// by a path that is not in `PATH`.
fn program() -> String {
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    match called.components().count() {
        0 | 1 => "prismvault".to_owned(),
        _ => shell_word(&called.display().to_string()),
    }
}

fn page(report: &Report<'_>) -> Page {
    let took = human_duration(Duration::from_secs_f64(report.seconds));
    let page = Page::new().line("").line(
        Text::styled(Style::Green, "Everything came back as it is at the source. ")
            .and(Style::Plain, format!("{} steps, {took}.", report.steps.len())),
    );
    let (head, about) = match report.directory {
        Some(directory) => (
            "What is left is real: vault, keys, configuration and restored files in",
            directory.display().to_string(),
        ),
        None => ("The directory is gone again.", "One that stays; and a repository of your own:".to_owned()),
    };
    let page = page.line("").line(Text::styled(Style::Bold, head)).line(about);
    report.next.iter().fold(page, |page, command| page.line(format!("  {command}")))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::Cli;
    use super::*;

    #[test]
    fn every_command_it_suggests_is_one() {
        for directory in [None, Some(Path::new("/tmp/somewhere"))] {
            for command in next_steps(directory) {
                let words = command.split(' ').skip(1);
                let parsed = Cli::try_parse_from(std::iter::once("prismvault").chain(words));
                assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
            }
        }
    }
}
