//! Secrets by reference: where a token or key is, never what it is.
//!
//! A reference is resolved when the secret is needed and not before, so that `list` does not ask
//! a password manager for a write token, and a backup host need not have the recovery key.
//! Errors and logs name the reference; of a command only the program, because people put
//! secrets into arguments.

use std::ffi::OsString;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::limits::Limits;
use crate::secret::Secret;

use super::error::ConfigError;
use super::read::Value;

/// Where a secret is.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// In an environment variable.
    Env {
        /// Name of the variable.
        name: String,
    },
    /// In a file.
    File {
        /// The file; relative paths of the configuration were joined to its directory.
        path: PathBuf,
    },
    /// In what a command prints.
    Command {
        /// Program and arguments; no shell is involved.
        command: Vec<String>,
        /// Where it runs: the directory of the configuration file.
        directory: PathBuf,
    },
}

/// What a caller can decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretErrorKind {
    /// The variable is not set, or the file or program is not there.
    Missing,
    /// The file cannot be read, or the program cannot be started.
    Unreadable,
    /// There is nothing in it.
    Empty,
    /// What is there is not text, or too long for a secret.
    NotASecret,
    /// The command ended with another exit code than 0.
    CommandFailed,
    /// The command did not end in time.
    TimedOut,
}

/// A secret that could not be had. Names the reference, never the value.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the secret of {reference}: {reason}")]
pub struct SecretError {
    /// What a caller can decide by.
    pub kind: SecretErrorKind,
    reference: String,
    reason: String,
    next_step: Option<String>,
    #[source]
    source: Option<std::io::Error>,
}

impl SecretError {
    /// Returns what to do next, where something is likely.
    pub fn next_step(&self) -> Option<&str> {
        self.next_step.as_deref()
    }
}

impl SecretRef {
    /// Reads a reference from the configuration; relative paths are meant from `directory`.
    pub(super) fn read(value: &Value<'_>, directory: &Path) -> Result<Self, ConfigError> {
        if value.is_text() {
            return Err(value.invalid(
                "secrets are never values in the file, write { env = \"NAME\" }, { file = \"PATH\" } or \
                 { command = [\"PROGRAM\", …] }",
            ));
        }
        let table = value.table(&["env", "file", "command"])?;
        let mut entries = table.entries();
        let (Some((key, value)), None) = (entries.next(), entries.next()) else {
            return Err(value.invalid("must have exactly one of env, file and command"));
        };
        match key {
            "env" => {
                let name = value.text()?;
                // A token pasted here must not come back in a message, so the name is not shown.
                let valid = name.bytes().enumerate().all(|(index, byte)| {
                    byte == b'_' || byte.is_ascii_alphabetic() || (index > 0 && byte.is_ascii_digit())
                });
                if !valid {
                    return Err(value.invalid(
                        "is not the name of an environment variable (letters, digits and \"_\"); \
                         the secret itself does not belong here",
                    ));
                }
                Ok(Self::Env { name: name.to_owned() })
            }
            "file" => Ok(Self::File { path: directory.join(value.text()?) }),
            _ => {
                let words = value.list()?;
                let command =
                    words.iter().map(|word| word.text().map(str::to_owned)).collect::<Result<Vec<_>, _>>()?;
                if command.is_empty() {
                    return Err(value.invalid("names no program"));
                }
                Ok(Self::Command { command, directory: directory.to_owned() })
            }
        }
    }

    /// Says why the secret cannot be had, where that is known without asking for it; `None` where
    /// something is there. A command is not run.
    pub fn absence(&self) -> Option<String> {
        match self {
            Self::Env { name } => match std::env::var_os(name) {
                None => Some(format!("environment variable {name} is not set")),
                Some(value) if value.is_empty() => Some(format!("environment variable {name} is empty")),
                Some(_) => None,
            },
            Self::File { path } => match std::fs::metadata(path) {
                Ok(_) => None,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    Some(format!("file {} is not here", path.display()))
                }
                Err(error) => Some(format!("file {} cannot be read: {error}", path.display())),
            },
            Self::Command { .. } => None,
        }
    }

    /// Fetches the secret. Blocks: on a command up to [`Limits::secret_command_timeout`].
    ///
    /// White space at the end is cut off; a key file of several lines stays whole. A file that
    /// others can read is used, with a warning in the log.
    ///
    /// # Errors
    ///
    /// [`SecretError`], whose kind says whether anything is there at all.
    pub fn resolve(&self, limits: &Limits) -> Result<Secret, SecretError> {
        self.resolve_in(limits, |name| std::env::var_os(name))
    }

    fn resolve_in(
        &self,
        limits: &Limits,
        variable: impl FnOnce(&str) -> Option<OsString>,
    ) -> Result<Secret, SecretError> {
        let bytes = match self {
            Self::Env { name } => variable(name)
                .ok_or_else(|| self.error(SecretErrorKind::Missing, "the variable is not set"))?
                .into_encoded_bytes(),
            Self::File { path } => self.read_file(path, limits)?,
            Self::Command { command, directory } => self.run(command, directory, limits)?,
        };
        if bytes.len() as u64 > limits.secret_bytes_max {
            return Err(self.error(SecretErrorKind::NotASecret, "it is too long"));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| self.error(SecretErrorKind::NotASecret, "it is not UTF-8 text"))?;
        match text.trim_end() {
            "" => Err(self.error(SecretErrorKind::Empty, "it is empty")),
            text => Ok(Secret::new(text)),
        }
    }

    fn read_file(&self, path: &Path, limits: &Limits) -> Result<Vec<u8>, SecretError> {
        let file =
            std::fs::File::open(path).map_err(|err| self.io_error("the file cannot be opened", err))?;
        self.warn_when_others_can_read(&file);
        let mut bytes = Vec::new();
        file.take(limits.secret_bytes_max + 1)
            .read_to_end(&mut bytes)
            .map_err(|err| self.io_error("the file cannot be read", err))?;
        Ok(bytes)
    }

    #[cfg(unix)]
    fn warn_when_others_can_read(&self, file: &std::fs::File) {
        use std::os::unix::fs::PermissionsExt as _;
        // Whoever opened the file can ask for its mode; if not, there is nothing to warn of.
        if file.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
            tracing::warn!("{self} can be read by other users, protect it with chmod 600");
        }
    }

    #[cfg(not(unix))]
    fn warn_when_others_can_read(&self, _file: &std::fs::File) {}

    fn run(&self, command: &[String], directory: &Path, limits: &Limits) -> Result<Vec<u8>, SecretError> {
        // A program with a slash is meant from the configuration's directory, like a file; a
        // bare name is looked up in PATH. Joined here because platforms differ in which
        // directory a relative program is looked for.
        let program = match command[0].contains('/') {
            true => directory.join(&command[0]),
            false => PathBuf::from(&command[0]),
        };
        let deadline = Instant::now() + limits.secret_command_timeout;
        let mut child = Command::new(program)
            .args(&command[1..])
            .current_dir(if directory.as_os_str().is_empty() { Path::new(".") } else { directory })
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|err| self.io_error("the program cannot be started", err))?;
        let result = self.collect(&mut child, deadline, limits);
        if result.is_err() {
            // Already dead is what is wanted, so failures to kill do not matter.
            child.kill().ok();
            child.wait().ok();
        }
        result
    }

    fn collect(&self, child: &mut Child, deadline: Instant, limits: &Limits) -> Result<Vec<u8>, SecretError> {
        let stdout = child.stdout.take().expect("standard output was set to a pipe");
        let (sender, receiver) = mpsc::sync_channel(1);
        let max = limits.secret_bytes_max + 1;
        // A thread of its own, because reading a pipe cannot be given a time limit. It ends with
        // the pipe; should a grandchild keep that open, the thread waits alone.
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.take(max).read_to_end(&mut bytes).map(|_| bytes);
            sender.send(read).ok();
        });
        let late = || self.error(SecretErrorKind::TimedOut, "the command did not end in time");
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        let bytes = receiver
            .recv_timeout(left(deadline))
            .map_err(|_| late())?
            .map_err(|err| self.io_error("the command's output cannot be read", err))?;
        if bytes.len() as u64 >= max {
            return Err(self.error(SecretErrorKind::NotASecret, "the command prints too much"));
        }
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(bytes),
                Ok(Some(status)) => {
                    let reason = format!("the command failed with {status}");
                    return Err(self.error(SecretErrorKind::CommandFailed, reason));
                }
                Ok(None) if left(deadline).is_zero() => return Err(late()),
                // It closed its output, so it is about to end.
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                Err(err) => return Err(self.io_error("the command cannot be waited for", err)),
            }
        }
    }

    fn error(&self, kind: SecretErrorKind, reason: impl Into<String>) -> SecretError {
        SecretError {
            kind,
            reference: self.to_string(),
            reason: reason.into(),
            next_step: self.next_step(kind),
            source: None,
        }
    }

    fn next_step(&self, kind: SecretErrorKind) -> Option<String> {
        use SecretErrorKind::{CommandFailed, Empty, Missing, TimedOut};
        Some(match (self, kind) {
            (Self::Env { name }, Missing | Empty) => {
                format!("set {name} where this runs; a service or a cron job has an environment of its own")
            }
            (Self::File { path }, Missing | Empty) => {
                format!(
                    "write the secret to {}, or change the reference in the configuration",
                    path.display()
                )
            }
            (Self::Command { .. }, Missing) => "check that the program is installed here".to_owned(),
            (Self::Command { .. }, Empty | CommandFailed | TimedOut) => {
                "run the command by hand, as this user, to see what it says".to_owned()
            }
            _ => return None,
        })
    }

    fn io_error(&self, reason: &str, err: std::io::Error) -> SecretError {
        let kind = match err.kind() {
            std::io::ErrorKind::NotFound => SecretErrorKind::Missing,
            _ => SecretErrorKind::Unreadable,
        };
        SecretError { source: Some(err), ..self.error(kind, reason) }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env { name } => write!(f, "environment variable {name}"),
            Self::File { path } => write!(f, "file {}", path.display()),
            Self::Command { command, .. } => {
                let rest = if command.len() > 1 { " …" } else { "" };
                write!(f, "command {}{rest}", command[0])
            }
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretRef({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> SecretRef {
        let command = words.iter().map(|word| (*word).to_owned()).collect();
        SecretRef::Command { command, directory: PathBuf::new() }
    }

    fn quick() -> Limits {
        Limits {
            secret_bytes_max: 64,
            secret_command_timeout: Duration::from_millis(200),
            ..Limits::default()
        }
    }

    #[test]
    fn a_variable_gives_its_value_without_the_line_end() {
        let reference = SecretRef::Env { name: "TOKEN".into() };
        let resolve = |value: Option<&str>| reference.resolve_in(&quick(), |_| value.map(OsString::from));
        assert_eq!(resolve(Some("abc\r\n")).unwrap().expose(), "abc");
        assert_eq!(resolve(Some(" \n")).unwrap_err().kind, SecretErrorKind::Empty);
        assert_eq!(resolve(Some(&"x".repeat(65))).unwrap_err().kind, SecretErrorKind::NotASecret);
        let error = resolve(None).unwrap_err();
        assert_eq!(error.kind, SecretErrorKind::Missing);
        assert_eq!(
            error.to_string(),
            "cannot read the secret of environment variable TOKEN: the variable is not set"
        );
    }

    #[test]
    fn a_file_gives_its_text_and_keeps_inner_lines() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file.as_file(), b"# key\nSECRET\n").unwrap();
        let reference = SecretRef::File { path: file.path().to_owned() };
        assert_eq!(reference.resolve(&quick()).unwrap().expose(), "# key\nSECRET");
        let gone = SecretRef::File { path: file.path().with_extension("gone") };
        assert_eq!(gone.resolve(&quick()).unwrap_err().kind, SecretErrorKind::Missing);
        let directory = SecretRef::File { path: std::env::temp_dir() };
        assert_eq!(directory.resolve(&quick()).unwrap_err().kind, SecretErrorKind::Unreadable);
    }

    #[test]
    fn bytes_that_are_not_text_are_refused_without_being_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file.as_file(), b"tok\xff").unwrap();
        let error = SecretRef::File { path: file.path().to_owned() }.resolve(&quick()).unwrap_err();
        assert_eq!(error.kind, SecretErrorKind::NotASecret);
        assert!(!format!("{error:?}").contains("tok"), "{error:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_command_gives_what_it_prints_and_its_exit_code_is_checked() {
        let limits = Limits { secret_bytes_max: 64, ..Limits::default() };
        assert_eq!(command(&["printf", "tok\\n"]).resolve(&limits).unwrap().expose(), "tok");
        for (words, kind) in [
            (&["sh", "-c", "echo tok; exit 3"][..], SecretErrorKind::CommandFailed),
            (&["sh", "-c", "kill -9 $$"], SecretErrorKind::CommandFailed),
            (&["true"], SecretErrorKind::Empty),
            (&["sh", "-c", "while :; do echo xxxxxxxxxxxxxxxx; done"], SecretErrorKind::NotASecret),
            (&["./no-such-program-here"], SecretErrorKind::Missing),
            (&["no-such-program-here"], SecretErrorKind::Missing),
        ] {
            let error = command(words).resolve(&limits).unwrap_err();
            assert_eq!(error.kind, kind, "{words:?}: {error}");
            assert!(!error.to_string().contains("tok"), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_command_that_hangs_is_ended() {
        for words in [&["sleep", "600"][..], &["sh", "-c", "exec >&-; exec sleep 600"]] {
            let error = command(words).resolve(&quick()).unwrap_err();
            assert_eq!(error.kind, SecretErrorKind::TimedOut, "{words:?}");
        }
    }

    #[test]
    fn arguments_of_a_command_are_not_shown() {
        let reference = command(&["pass", "show", "hunter2"]);
        assert_eq!(reference.to_string(), "command pass …");
        assert!(!format!("{reference:?}").contains("hunter2"));
    }
}
