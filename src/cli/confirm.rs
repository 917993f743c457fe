//! Asking before something is deleted for good.

use std::io::{IsTerminal as _, Write as _};

use super::error::{CommandError, ErrorKind};

/// Asks on the terminal, unless `--yes` was given.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when the answer is not yes, or nobody can be asked.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(CommandError::new(ErrorKind::Refused, "this deletes for good, and nobody can be asked")
            .hint("look at it with --dry-run, then pass --yes"));
    }
    let mut terminal = std::io::stderr();
    let mut answer = String::new();
    terminal
        .write_all(format!("{question} Type yes to go on: ").as_bytes())
        .and_then(|()| terminal.flush())
        .and_then(|()| std::io::stdin().read_line(&mut answer))
        .map_err(|error| CommandError::because(ErrorKind::Failed, "cannot ask", error))?;
    match answer.trim() {
        "yes" => Ok(()),
        _ => Err(CommandError::new(ErrorKind::Refused, "nothing was done: the answer was not yes")),
    }
}
