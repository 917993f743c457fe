//! What a person gives before something is decided: a yes before it is gone for good, a reason for
//! whoever reads the vault later.

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

/// Reads a reason from the command line; it is kept in the vault for good.
pub(super) fn parse_reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a reason is needed: whoever reads the vault later must understand it".to_owned()),
        reason => Ok(reason.to_owned()),
    }
}

/// Asks before something is destroyed, unless `--yes` was given.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when the answer is not yes, or nobody can be asked.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), CommandError> {
    confirm_that("this removes what may not come back", question, yes)
}

/// Asks before something is done, for this reason, unless `--yes` was given.
///
/// # Errors
///
/// As [`confirm`].
pub(super) fn confirm_that(reason: &str, question: &str, yes: bool) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    if !can_ask() {
        let sentence = format!("{reason}, and nobody can be asked");
        return Err(CommandError::new(ErrorKind::Refused, sentence)
            .hint("look at it with --dry-run, then pass --yes"));
    }
    match ask(question)? {
        true => Ok(()),
        false => Err(CommandError::new(ErrorKind::Refused, "nothing was done: the answer was not yes")),
    }
}
