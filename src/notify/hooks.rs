//! Programs that run around a run.
//!
//! They get an environment of their own: what a program needs to find its way (`PATH`, `HOME` and
//! the like) and what is known of the run. Tokens and keys that prismvault was given by variables
//! are not in it. What they print on standard output is dropped, and what they say on standard error
//! goes where that of prismvault goes; nothing of it is read.
//!
//! A hook that takes too long is killed, and so is one whose run is dropped.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::error::{SendError, SendErrorKind};

/// Variables that programs need to work at all; none holds a secret.
const INHERITED: [&str; 11] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT", "TEMP"];

/// Runs a program to its end.
pub(super) async fn run(
    words: &[String],
    directory: &Path,
    facts: &[(&'static str, String)],
    timeout: Duration,
) -> Result<(), SendError> {
    let inherited = INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let mut child = Command::new(program(&words[0], directory))
        .args(&words[1..])
        .current_dir(if directory.as_os_str().is_empty() { Path::new(".") } else { directory })
        .env_clear()
        .envs(inherited)
        .envs(facts.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|_| not_there())?;
    match tokio::time::timeout(timeout, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => {
            Err(SendError::new(SendErrorKind::Refused, format!("its program failed with {status}"))
                .hint("run it by hand, as this user, to see what it says"))
        }
        Ok(Err(_)) => Err(SendError::new(SendErrorKind::Local, "its program cannot be waited for")),
        Err(_) => {
            // Already dead is what is wanted, so a failure to kill does not matter.
            child.kill().await.ok();
            let seconds = timeout.as_secs();
            Err(SendError::new(SendErrorKind::TimedOut, format!("its program did not end in {seconds} s")))
        }
    }
}

/// Checks, without running it, that a program is there.
pub(super) fn find(words: &[String], directory: &Path) -> Result<(), SendError> {
    let program = program(&words[0], directory);
    let found = match program.components().count() {
        1 => std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|part| is_program(&part.join(&program)))),
        _ => is_program(&program),
    };
    if found { Ok(()) } else { Err(not_there()) }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file() || path.with_extension("exe").is_file()
}

/// A program with a slash is meant from the configuration's directory; a bare name is looked up in
/// `PATH`.
fn program(word: &str, directory: &Path) -> PathBuf {
    match word.contains('/') {
        // Absolute, because platforms differ in which directory a relative one is looked for.
        true => std::path::absolute(directory.join(word)).unwrap_or_else(|_| directory.join(word)),
        false => PathBuf::from(word),
    }
}

fn not_there() -> SendError {
    SendError::new(SendErrorKind::Local, "its program cannot be started")
        .hint("check that it is here and may be executed")
}
