//! Which files of the register are still there, and which of them hold the person.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::register::{Identity, Output, Outputs};

/// Deepest directory of an output that is looked into.
const DEPTH_MAX: usize = 64;

/// What looking into a file came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// It holds the person.
    Person,
    /// It does not.
    Nothing,
    /// It cannot be told: it is encrypted, or no reader reads it. Our own words, without content.
    NotKnown(String),
}

/// A file that holds the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFile {
    /// The output it belongs to.
    pub output: Output,
    /// Path in the output; empty for all of it.
    pub inside: PathBuf,
    /// What it is in its file system.
    pub identity: Identity,
}

impl OwnFile {
    /// Where it is.
    pub fn path(&self) -> PathBuf {
        match self.inside.as_os_str().is_empty() {
            true => self.output.path.clone(),
            false => self.output.path.join(&self.inside),
        }
    }
}

/// Why something is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "why", content = "detail")]
pub enum Why {
    /// The run that wrote it did not come to its end, so nobody knows that this is what it wrote.
    Unfinished,
    /// It is another file than the one that was written: replaced, moved, or saved anew by an editor.
    Another,
    /// It is a link, or something else that is no file.
    NoFile,
    /// It has further names elsewhere: deleting one of them deletes nothing.
    FurtherNames,
    /// It lies in a directory that held other files before: somebody else may have put it there.
    Shared,
    /// It lies in another file system than the output.
    OtherDevice,
    /// It lies deeper than anything that this program writes.
    TooDeep,
    /// What is in it is not known.
    NotKnown(String),
    /// It cannot be read or deleted.
    Failed(String),
}

impl Why {
    /// Why, for people.
    pub fn words(&self) -> String {
        match self {
            Self::Unfinished => {
                "the run that wrote it did not end, so it may hold more or less; delete it".to_owned()
            }
            Self::Another => "it is not the file that was written: replaced, moved or saved anew".to_owned(),
            Self::NoFile => "it is a link, or no file".to_owned(),
            Self::FurtherNames => "it has further names elsewhere (hard links)".to_owned(),
            Self::Shared => {
                "it holds the person, and lies where other files lay before; delete it".to_owned()
            }
            Self::OtherDevice => "it lies in another file system".to_owned(),
            Self::TooDeep => "it lies deeper than anything that is written".to_owned(),
            Self::NotKnown(what) => format!("whether it holds the person is not known: {what}"),
            Self::Failed(what) => what.clone(),
        }
    }
}

/// Something that people must look after themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Where.
    pub path: PathBuf,
    /// Why.
    #[serde(flatten)]
    pub why: Why,
}

impl Refused {
    pub(super) fn new(path: &Path, why: Why) -> Self {
        Self { path: path.to_owned(), why }
    }

    pub(super) fn failed(path: &Path, error: &io::Error) -> Self {
        Self::new(path, Why::Failed(error.to_string()))
    }
}

/// What was found on this host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Files, and whole outputs, that hold the person.
    pub files: Vec<OwnFile>,
    /// What is to be looked after by people.
    pub refused: Vec<Refused>,
    /// Outputs that are not there any more.
    pub gone: Vec<PathBuf>,
    /// Files that were looked into.
    pub looked: u64,
    /// Lines of the register that cannot be read: what they were about is not known.
    pub damaged: u64,
}

impl Found {
    /// What is left where nothing is removed: as a certificate counts it.
    pub fn left(&self) -> u64 {
        (self.files.len() + self.refused.len()) as u64 + self.damaged
    }
}

/// Finds the files of these outputs that hold the person. `is_of_case` says of which an output is all about the
/// person (a package, a worksheet of the case), `holds` looks into one file of any other.
///
/// Nothing outside of the outputs is opened, and no link is followed.
pub fn find(
    outputs: &Outputs,
    is_of_case: impl Fn(&Output) -> bool,
    mut holds: impl FnMut(&Output, &Path, File) -> io::Result<Holds>,
) -> Found {
    let mut found = Found { damaged: outputs.damaged, ..Found::default() };
    for output in &outputs.all {
        let metadata = match fs::symlink_metadata(&output.path) {
            Ok(metadata) => metadata,
            Err(error) if is_absent(&error) => {
                found.gone.push(output.path.clone());
                continue;
            }
            Err(error) => {
                found.refused.push(Refused::failed(&output.path, &error));
                continue;
            }
        };
        let Some(identity) = output.identity else {
            found.refused.push(Refused::new(&output.path, Why::Unfinished));
            continue;
        };
        if Identity::of_metadata(&metadata) != identity {
            found.refused.push(Refused::new(&output.path, Why::Another));
            continue;
        }
        if is_of_case(output) {
            match is_only_name(&metadata) || metadata.is_dir() {
                true => {
                    found.files.push(OwnFile { output: output.clone(), inside: PathBuf::new(), identity });
                }
                false => found.refused.push(Refused::new(&output.path, Why::FurtherNames)),
            }
            continue;
        }
        let mut walk = Walk { output, device: identity.device, found: &mut found, holds: &mut holds };
        walk.look(Path::new(""), &metadata, 0);
    }
    found
}

/// Whether nothing is there, also because what would hold it is gone.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

struct Walk<'a, H> {
    output: &'a Output,
    device: u64,
    found: &'a mut Found,
    holds: &'a mut H,
}

impl<H: FnMut(&Output, &Path, File) -> io::Result<Holds>> Walk<'_, H> {
    fn look(&mut self, inside: &Path, metadata: &fs::Metadata, depth: usize) {
        let path = match inside.as_os_str().is_empty() {
            true => self.output.path.clone(),
            false => self.output.path.join(inside),
        };
        let why = match () {
            () if Identity::of_metadata(metadata).device != self.device => Some(Why::OtherDevice),
            () if depth > DEPTH_MAX => Some(Why::TooDeep),
            () if metadata.is_dir() || metadata.is_file() => None,
            () => Some(Why::NoFile),
        };
        if let Some(why) = why {
            self.found.refused.push(Refused::new(&path, why));
            return;
        }
        let done = match metadata.is_dir() {
            true => self.directory(inside, &path, depth),
            false => self.file(inside, &path, metadata),
        };
        if let Err(error) = done {
            self.found.refused.push(Refused::failed(&path, &error));
        }
    }

    fn directory(&mut self, inside: &Path, path: &Path, depth: usize) -> io::Result<()> {
        let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            // Of the entry itself, not of what a link leads to.
            let metadata = entry.metadata()?;
            self.look(&inside.join(entry.file_name()), &metadata, depth + 1);
        }
        Ok(())
    }

    fn file(&mut self, inside: &Path, path: &Path, metadata: &fs::Metadata) -> io::Result<()> {
        let identity = Identity::of_metadata(metadata);
        let file = File::open(path)?;
        // Whoever put a link there meanwhile does not get anything else looked into.
        if Identity::of_metadata(&file.metadata()?) != identity {
            self.found.refused.push(Refused::new(path, Why::Another));
            return Ok(());
        }
        self.found.looked += 1;
        let why = match (self.holds)(self.output, inside, file)? {
            Holds::Nothing => return Ok(()),
            Holds::NotKnown(what) => Why::NotKnown(what),
            Holds::Person if self.output.shared => Why::Shared,
            Holds::Person if !is_only_name(metadata) => Why::FurtherNames,
            Holds::Person => {
                let (output, inside) = (self.output.clone(), inside.to_owned());
                self.found.files.push(OwnFile { output, inside, identity });
                return Ok(());
            }
        };
        self.found.refused.push(Refused::new(path, why));
        Ok(())
    }
}

#[cfg(unix)]
fn is_only_name(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) == 1
}

#[cfg(not(unix))]
fn is_only_name(_: &fs::Metadata) -> bool {
    true
}
