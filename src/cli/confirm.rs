//! Asking before something is gone for good.

use std::io::{IsTerminal as _, Write as _};

use super::error::{CommandError, ErrorKind};

/// Whether there is somebody who can be asked: both ends are a terminal.
pub(super) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks on the terminal; only a `y` or `yes` is a yes.
///
/// # Errors
///
/// When the terminal cannot be read or written.
pub(super) fn ask(question: &str) -> Result<bool, CommandError> {
    let mut terminal = std::io::stderr();
    let mut answer = String::new();
    terminal
        .write_all(format!("{question} [y/N] ").as_bytes())
        .and_then(|()| terminal.flush())
        .and_then(|()| std::io::stdin().read_line(&mut answer))
        .map_err(|error| CommandError::because(ErrorKind::Failed, "cannot ask", error))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Asks before something is destroyed, unless `--yes` was given.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when the answer is not yes, or nobody can be asked.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    if !can_ask() {
        return Err(CommandError::new(ErrorKind::Refused, "this destroys for good, and nobody can be asked")
            .hint("look at it with --dry-run, then pass --yes"));
    }
    match ask(question)? {
        true => Ok(()),
        false => Err(CommandError::new(ErrorKind::Refused, "nothing was done: the answer was not yes")),
    }
}
