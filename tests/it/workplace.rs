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

    /// A file or directory of the working directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Reads a file of the working directory.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    /// Writes a file of the working directory.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let mut file = std::fs::File::create(self.path().join(name)).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    }

    /// Returns the program, ready to run here.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.ready(Command::new(env!("CARGO_BIN_EXE_prismvault")), arguments)
    }

    /// Returns the program, ready to run here with a limit on the size of files, which is a disk
    /// that fills up, for a test. (The signal that goes with it is ignored, so that writing fails
    /// instead.)
    #[cfg(unix)]
    pub(crate) fn command_on_small_disk(&self, blocks: usize, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_prismvault");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec '{program}' \"$@\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, "sh"]);
        self.ready(shell, arguments)
    }

    fn ready(&self, mut command: Command, arguments: &[&str]) -> Command {
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

    /// Runs the program, which must end with `code`.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, arguments: &[&str]) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {run:?}");
        run
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
