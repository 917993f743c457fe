//! A place to run the program in, as scripts and people do.
//!
//! Runs are hermetic: an empty environment, a home and a working directory of their own.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A place to run the program in.
pub(crate) struct Workplace(TempDir);

/// How a run ended, as text.
#[derive(Debug)]
pub(crate) struct Run {
    /// Exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Workplace {
    /// Returns a place with an empty home and working directory.
    pub(crate) fn new() -> Self {
        let workplace = Self(tempfile::tempdir().unwrap());
        for directory in ["home", "work"] {
            std::fs::create_dir(workplace.0.path().join(directory)).unwrap();
        }
        workplace
    }

    /// The working directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("work")
    }

    /// The home directory.
    pub(crate) fn home(&self) -> PathBuf {
        self.0.path().join("home")
    }

    /// Writes a file of the working directory.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let mut file = std::fs::File::create(self.path().join(name)).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    }

    /// Returns the program, ready to run here.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prismvault"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", "/usr/bin:/bin")
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs the program.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.command(arguments).output().unwrap().into()
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("the program ends by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    /// Returns standard output as the one JSON document that it must be.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|err| panic!("{err}: {self:?}"))
    }
}
