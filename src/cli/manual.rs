//! `prismvault manual DIR`.

use std::io;
use std::path::PathBuf;

use clap::CommandFactory as _;
use serde::Serialize;

use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::output::Page;
use super::units::counted;
use super::{Cli, Context};

/// Arguments of `manual`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory for the pages; made when it is not there
    directory: PathBuf,
}

#[derive(Serialize)]
struct Report {
    directory: PathBuf,
    pages: Vec<String>,
}

/// Writes one manual page a command, `prismvault.1` and `prismvault-COMMAND.1`; pages of an
/// earlier version are replaced.
///
/// # Errors
///
/// When the directory or a page cannot be written.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let mut command = Cli::command();
    command.build();
    let mut pages = Vec::new();
    let written =
        std::fs::create_dir_all(&args.directory).and_then(|()| write(&command, &args.directory, &mut pages));
    written.map_err(|err| {
        let sentence = format!("cannot write manual pages to {}", args.directory.display());
        CommandError::because(ErrorKind::Failed, sentence, err)
    })?;
    pages.sort();
    let report = Report { directory: args.directory, pages };
    context.output.report(Outcome::Complete, &report, || {
        Page::new().line(format!(
            "{} in {}",
            counted(report.pages.len() as u64, "page"),
            report.directory.display()
        ))
    })?;
    Ok(Outcome::Complete)
}

fn write(command: &clap::Command, directory: &std::path::Path, pages: &mut Vec<String>) -> io::Result<()> {
    let page = clap_mangen::Man::new(command.clone());
    let name = page.get_filename();
    let mut bytes = Vec::new();
    page.render(&mut bytes)?;
    let mut file = std::fs::File::create(directory.join(&name))?;
    io::Write::write_all(&mut file, &bytes)?;
    pages.push(name);
    // clap's own `help` comes with a tree of all commands once more; nobody looks for its pages.
    let own = |command: &&clap::Command| !command.is_hide_set() && command.get_name() != "help";
    for command in command.get_subcommands().filter(own) {
        write(command, directory, pages)?;
    }
    Ok(())
}
