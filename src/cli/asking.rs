//! What a person gives before something is decided: a reason, a yes.

use std::io::{IsTerminal as _, Write as _};

use super::error::{CommandError, ErrorKind};

/// Reads a reason from the command line: whoever reads the vault later must understand it.
pub(super) fn parse_reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a reason is needed: whoever reads the vault later must understand it".to_owned()),
        reason => Ok(reason.to_owned()),
    }
}

/// Asks on the terminal whether to go on; `--yes` answers beforehand.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when the answer is anything but yes, and where nobody can be asked.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(CommandError::new(
            ErrorKind::Refused,
            "nobody is here to be asked, so nothing was changed",
        )
        .hint("look at it with --dry-run, then pass --yes"));
    }
    let mut terminal = std::io::stderr();
    let mut answer = String::new();
    terminal
        .write_all(format!("{question} [y/N] ").as_bytes())
        .and_then(|()| terminal.flush())
        .and_then(|()| std::io::stdin().read_line(&mut answer))
        .map_err(|error| CommandError::because(ErrorKind::Failed, "cannot ask", error))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CommandError::new(ErrorKind::Refused, "not confirmed, so nothing was changed")),
    }
}
