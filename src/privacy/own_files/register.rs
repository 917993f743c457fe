//! The register: one JSON line for each output, only ever added to, until what it is about is gone.
//!
//! A line is written before the output begins, without identity, and another when it is finished. So what a
//! run that was killed left behind is known as well; of several lines about one path the last counts.
//!
//! Personal data: people name files as they like. It is readable for its owner only, and goes nowhere.
//!
//! **If we crash here** the last line may be cut; it is counted as damaged and passed over, and whoever adds one
//! begins a new line.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::{Timestamp, rfc3339};
use crate::ids::{CaseId, Name, SnapshotId, VaultId};

/// Name of the file in the state directory.
pub const FILE: &str = "own-files.jsonl";
/// Bytes of it that are read at most: some hundred thousand outputs.
const BYTES_MAX: u64 = 64 << 20;

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// An archive of `export`.
    Export,
    /// Files of `restore files`.
    RestoredFiles,
    /// One item that was written into a file.
    Item,
    /// A journal or report of `restore repository`.
    RestoreReport,
    /// A review of who has access to a repository.
    AccessReview,
    /// The answer to a request for access or portability.
    Package,
    /// A worksheet of a review.
    Worksheet,
    /// A copy that a rehearsal restored.
    Drill,
    /// One of a later version.
    #[serde(other)]
    Other,
}

impl OutputKind {
    /// What it is, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Export => "an export",
            Self::RestoredFiles => "restored files",
            Self::Item => "an item",
            Self::RestoreReport => "a report of a restore",
            Self::AccessReview => "a review of access",
            Self::Package => "a package",
            Self::Worksheet => "a worksheet",
            Self::Drill => "a copy of a rehearsal",
            Self::Other => "an output of a later version",
        }
    }
}

/// What a file is in its file system, so that another of the same name is not taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The device.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

impl Identity {
    /// Of what is at a path; a link is itself.
    ///
    /// # Errors
    ///
    /// Those of asking.
    pub fn of(path: &Path) -> io::Result<Self> {
        fs::symlink_metadata(path).map(|metadata| Self::of_metadata(&metadata))
    }

    /// Of what was asked.
    #[cfg(unix)]
    pub fn of_metadata(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Of what was asked: when it was made, where there is nothing better.
    #[cfg(not(unix))]
    pub fn of_metadata(metadata: &fs::Metadata) -> Self {
        let made = metadata.created().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        Self { device: 0, inode: made.map_or(0, |age| age.as_nanos() as u64) }
    }
}

/// One output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// What it is.
    pub kind: OutputKind,
    /// Where, from the root of the file system.
    pub path: PathBuf,
    /// When it was begun, RFC 3339.
    pub at: String,
    /// The vault.
    pub vault: VaultId,
    /// What it is in its file system; absent: it was not finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Whether other files lay there before, which are not to be deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// The case, for what is made for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// The repository, for what comes from snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Name>,
    /// The snapshots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<SnapshotId>,
}

impl Output {
    /// One that is about to be written.
    ///
    /// # Errors
    ///
    /// When the path cannot be made one from the root.
    pub fn new(kind: OutputKind, path: &Path, at: Timestamp, vault: VaultId) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let (case, repository, snapshots) = (None, None, Vec::new());
        let (identity, shared) = (None, false);
        Ok(Self { kind, path, at: rfc3339(at), vault, identity, shared, case, repository, snapshots })
    }

    /// Made for a case.
    pub fn of_case(mut self, case: &CaseId) -> Self {
        self.case = Some(case.clone());
        self
    }

    /// Made from a snapshot.
    pub fn of_snapshot(mut self, repository: &Name, snapshot: &SnapshotId) -> Self {
        self.repository = Some(repository.clone());
        self.snapshots = vec![snapshot.clone()];
        self
    }
}

/// Why the register cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} the list of what was written on this host, {}", file.display())]
pub struct RegisterError {
    /// What was tried.
    pub doing: &'static str,
    /// The register.
    pub file: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// What the register says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Each path once, as its last line says, oldest first.
    pub all: Vec<Output>,
    /// Lines that cannot be read: what they were about is not known.
    pub damaged: u64,
}

/// The register of one host and user.
#[derive(Debug, Clone)]
pub struct Register {
    file: PathBuf,
}

impl Register {
    /// The register in a state directory; nothing is read or written yet.
    pub fn at(state: &Path) -> Self {
        Self { file: state.join(FILE) }
    }

    /// Notes an output that is about to be written.
    ///
    /// # Errors
    ///
    /// [`RegisterError`]: the output must not be written then, because nobody would find it again.
    pub fn begin(&self, output: &Output) -> Result<(), RegisterError> {
        self.append(&Output { identity: None, ..output.clone() })
    }

    /// Notes an output that is finished, with what it is in its file system.
    ///
    /// # Errors
    ///
    /// [`RegisterError`]: the register knows it as unfinished then.
    pub fn finish(&self, output: &Output) -> Result<(), RegisterError> {
        let identity = Identity::of(&output.path).map_err(|source| self.failed("write into", source))?;
        self.append(&Output { identity: Some(identity), ..output.clone() })
    }

    /// Says once more what it said of a path before.
    ///
    /// # Errors
    ///
    /// [`RegisterError`].
    pub fn again(&self, output: &Output) -> Result<(), RegisterError> {
        self.append(output)
    }

    fn append(&self, output: &Output) -> Result<(), RegisterError> {
        let mut line = serde_json::to_vec(output).expect("outputs always serialise");
        line.push(b'\n');
        let mut write = || {
            let mut file = self.locked()?;
            // A run that was killed may have left half a line.
            if file.seek(SeekFrom::End(0))? > 0 {
                file.seek(SeekFrom::End(-1))?;
                let mut last = [0];
                file.read_exact(&mut last)?;
                if last != *b"\n" {
                    line.insert(0, b'\n');
                }
            }
            file.write_all(&line)?;
            file.sync_all()
        };
        write().map_err(|source| self.failed("write into", source))
    }

    /// What it says; empty where there is none.
    ///
    /// # Errors
    ///
    /// [`RegisterError`].
    pub fn outputs(&self) -> Result<Outputs, RegisterError> {
        let failed = |source| self.failed("read", source);
        let mut text = Vec::new();
        match File::open(&self.file) {
            Ok(file) => drop(file.take(BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Outputs::default()),
            Err(error) => return Err(failed(error)),
        }
        if text.len() as u64 > BYTES_MAX {
            return Err(failed(io::Error::other("it is larger than what is read")));
        }
        Ok(parsed(&text))
    }

    /// Leaves out the lines about these paths: what they were about is gone.
    ///
    /// # Errors
    ///
    /// [`RegisterError`]; the register is as it was then.
    pub fn forget(&self, paths: &[PathBuf]) -> Result<(), RegisterError> {
        if paths.is_empty() {
            return Ok(());
        }
        let rewrite = || {
            let mut file = self.locked()?;
            let mut text = Vec::new();
            (&mut file).take(BYTES_MAX).read_to_end(&mut text)?;
            let is_about = |line: &[u8]| {
                serde_json::from_slice::<Output>(line).is_ok_and(|output| paths.contains(&output.path))
            };
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !is_about(line));
            let parent = self.file.parent().unwrap_or(Path::new("."));
            let mut left = tempfile::NamedTempFile::new_in(parent)?;
            for line in lines {
                left.write_all(line)?;
                left.write_all(b"\n")?;
            }
            left.as_file().sync_all()?;
            left.persist(&self.file).map_err(|refused| refused.error)?;
            File::open(parent)?.sync_all()
        };
        rewrite().map_err(|source| self.failed("write into", source))
    }

    /// Opens it for this process alone; the lock ends with the file.
    fn locked(&self) -> io::Result<File> {
        if let Some(parent) = self.file.parent() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(parent)?;
        }
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        loop {
            let file = options.open(&self.file)?;
            file.lock()?;
            // Whoever had the lock may have put another file in its place.
            let is_it = Identity::of(&self.file)
                .is_ok_and(|now| file.metadata().is_ok_and(|own| Identity::of_metadata(&own) == now));
            if is_it {
                return Ok(file);
            }
        }
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> RegisterError {
        RegisterError { doing, file: self.file.clone(), source }
    }
}

fn parsed(text: &[u8]) -> Outputs {
    let mut outputs = Outputs::default();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice::<Output>(line) {
            Ok(output) => {
                outputs.all.retain(|earlier| earlier.path != output.path);
                outputs.all.push(output);
            }
            Err(_) => outputs.damaged += 1,
        }
    }
    outputs
}
