//! The directory that files are written to.
//!
//! Every file is written under a name of its own first and then renamed within its directory, so
//! a file under its final name is whole. (In one directory for all, files would be made and renamed
//! one after the other, and lie together on the disk instead of beside their neighbours.) A symbolic
//! link within the target is never followed: as a directory it is refused, as a file it is replaced
//! itself.
//!
//! **If we crash here** the lock file and unfinished files stay behind, with names that no file of a
//! snapshot gets; the next run into the same directories removes them. After a power failure a file may be empty that was written shortly
//! before: directories are synced at the end, files not one by one. The same command with
//! `--overwrite if-changed` finds and mends it.
//!
//! It does not defend against somebody who changes the target while it is being written.

use std::collections::BTreeSet;
use std::fs::{self, File, FileType, TryLockError};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::content::Extracted;
use super::error::{RestoreError, Result};
use super::paths::UNFINISHED;
use crate::vault::pack::ItemData;

/// What happens to files that are there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverwriteMode {
    /// The target must be empty or new.
    #[default]
    Refuse,
    /// A file with other bytes is replaced. What else is in the target stays.
    IfChanged,
    /// Every file is written anew. What else is in the target stays.
    Always,
}

/// What is under the name of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum There {
    /// Nothing.
    Nothing,
    /// A file of this size.
    File(u64),
    /// A symbolic link, a pipe, a device.
    Special,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It is new.
    Created,
    /// It replaced another.
    Replaced,
    /// It was there with the same bytes.
    Unchanged,
}

/// Fewer files than these are not worth a thread of their own.
const FILES_A_THREAD: usize = 16;

/// A directory that files are being written to.
#[derive(Debug)]
pub(super) struct Target {
    root: PathBuf,
    mode: OverwriteMode,
    /// Directories that are there and no links.
    checked: BTreeSet<PathBuf>,
    written: u64,
    /// Held for as long as the run.
    _lock: File,
}

impl Target {
    /// Makes the directory where needed and makes sure that this run may write to it.
    pub(super) fn open(root: &Path, mode: OverwriteMode) -> Result<Self> {
        require_usable(root, mode)?;
        fs::create_dir_all(root).map_err(RestoreError::local(cannot("make the directory", root)))?;
        let path = root.join(UNFINISHED);
        if let Ok(there) = fs::symlink_metadata(&path)
            && !there.is_file()
        {
            return Err(RestoreError::Refused {
                what: format!(
                    "{} is {}, not the lock of a restore",
                    path.display(),
                    describe(there.file_type())
                ),
                hint: "move it away, or name another directory".to_owned(),
            });
        }
        let lock = File::options().write(true).create(true).truncate(false).open(&path);
        let lock = lock.map_err(RestoreError::local(cannot("write to", root)))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(RestoreError::Refused {
                    what: format!("another restore is writing to {}", root.display()),
                    hint: "wait for it, or name another directory".to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => {
                return Err(RestoreError::local(cannot("lock", &path))(error));
            }
        }
        remove_unfinished(root)?;
        Ok(Self { root: root.to_owned(), mode, checked: BTreeSet::new(), written: 0, _lock: lock })
    }

    /// Writes files, `at_once` at a time; returns what became of each and its size, in no order. No two are
    /// of one name.
    ///
    /// # Errors
    ///
    /// The first; of the others each is whole or not there.
    pub(super) fn write_all(&mut self, files: Vec<Extracted>, at_once: usize) -> Result<Vec<(Written, u64)>> {
        for one in &files {
            if let Some(directory) = self.root.join(&one.file).parent() {
                self.prepare_directory(directory)?;
            }
        }
        let first = self.written;
        self.written += files.len() as u64;
        // What lies in a temporary file may be that of another of them, and is read by one at a time.
        let (mut numbered, alone): (Vec<_>, Vec<_>) =
            (first..).zip(files).partition(|(_, one)| matches!(one.data, ItemData::Memory(_)));
        let share = numbered.len().div_ceil(at_once.max(1)).max(FILES_A_THREAD);
        let target = &*self;
        let write = |share: Vec<(u64, Extracted)>| {
            let write =
                |(number, one): (u64, Extracted)| Ok((target.write(&one.file, one.data, number)?, one.size));
            share.into_iter().map(write).collect::<Result<Vec<_>>>()
        };
        std::thread::scope(|scope| {
            let mut workers = Vec::new();
            while numbered.len() > share {
                let rest = numbered.split_off(share);
                let part = std::mem::replace(&mut numbered, rest);
                workers.push(scope.spawn(|| write(part)));
            }
            // The rest here, while the others are at it.
            numbered.extend(alone);
            let mut all = write(numbered)?;
            for worker in workers {
                all.extend(worker.join().expect("writing does not panic")?);
            }
            Ok(all)
        })
    }

    /// Writes a file of which the directory is there.
    fn write(&self, file: &str, mut data: ItemData, number: u64) -> Result<Written> {
        let path = self.root.join(file);
        let written = match look(&self.root, file)? {
            There::Nothing => Written::Created,
            There::File(size) if self.mode == OverwriteMode::IfChanged && size == data.len() => {
                let same = has_bytes(&path, &mut data).map_err(RestoreError::local(cannot("read", &path)))?;
                if same { Written::Unchanged } else { Written::Replaced }
            }
            There::File(_) | There::Special => Written::Replaced,
        };
        if written != Written::Unchanged {
            replace(&path, &mut data, number).map_err(RestoreError::local(cannot("write", &path)))?;
        }
        Ok(written)
    }

    /// Makes a directory with those above it, none of them a link.
    fn prepare_directory(&mut self, directory: &Path) -> Result<()> {
        if directory == self.root || self.checked.contains(directory) {
            return Ok(());
        }
        if let Some(above) = directory.parent() {
            self.prepare_directory(above)?;
        }
        match fs::create_dir(directory) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                require_directory(directory)?;
                remove_unfinished(directory)?;
            }
            Err(error) => {
                return Err(RestoreError::local(cannot("make the directory", directory))(error));
            }
        }
        self.checked.insert(directory.to_owned());
        Ok(())
    }

    /// Makes sure that all that was renamed stays so, and removes what is left over. Syncs
    /// `at_once` directories at a time.
    pub(super) fn finish(self, at_once: usize) -> Result<()> {
        let sync = |directory: &PathBuf| {
            let synced = File::open(directory).and_then(|directory| directory.sync_all());
            synced.map_err(RestoreError::local(cannot("sync", directory)))
        };
        let directories: Vec<&PathBuf> = self.checked.iter().chain([&self.root]).collect();
        let share = directories.len().div_ceil(at_once.max(1));
        std::thread::scope(|scope| {
            let shares = directories.chunks(share);
            let workers: Vec<_> =
                shares.map(|share| scope.spawn(|| share.iter().try_for_each(|one| sync(one)))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("syncing does not panic"))
        })
    }
}

impl Drop for Target {
    /// Nothing of a run that ended early stays but whole files.
    fn drop(&mut self) {
        fs::remove_file(self.root.join(UNFINISHED)).ok();
    }
}

/// Writes a file under a number that no other has in this run, and renames it when it is whole.
fn replace(path: &Path, data: &mut ItemData, number: u64) -> io::Result<()> {
    let unfinished = path.with_file_name(format!("{UNFINISHED}-{number}"));
    let mut file = File::options().write(true).create_new(true).open(&unfinished)?;
    let written = data.write_to(&mut file).and_then(|_| {
        drop(file);
        fs::rename(&unfinished, path)
    });
    written.inspect_err(|_| drop(fs::remove_file(&unfinished)))
}

/// Removes what a run that was killed left in a directory, the lock file apart.
fn remove_unfinished(directory: &Path) -> Result<()> {
    let remove = || {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if name
                .to_str()
                .and_then(|name| name.strip_prefix(UNFINISHED))
                .is_some_and(|rest| !rest.is_empty())
            {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    remove().map_err(RestoreError::local(cannot("clear", directory)))
}

/// Checks that a run in this mode may write to the directory, without writing.
pub(super) fn require_usable(root: &Path, mode: OverwriteMode) -> Result<()> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(RestoreError::local(cannot("read the directory", root))(error)),
    };
    if mode != OverwriteMode::Refuse {
        return Ok(());
    }
    for entry in entries {
        let entry = entry.map_err(RestoreError::local(cannot("read the directory", root)))?;
        if entry.file_name() != UNFINISHED {
            return Err(RestoreError::Refused {
                what: format!("{} is not empty: it holds {:?}", root.display(), entry.file_name()),
                hint: "name an empty directory, or pass `--overwrite if-changed` to write only files that differ"
                    .to_owned(),
            });
        }
    }
    Ok(())
}

/// Checks that no directory on the way to a file is a link or a file; what is not there is fine.
pub(super) fn require_way(root: &Path, file: &str) -> Result<()> {
    let mut path = root.to_owned();
    let directories = file.rsplit_once('/').map_or("", |(directories, _)| directories);
    for segment in directories.split('/').filter(|segment| !segment.is_empty()) {
        path.push(segment);
        require_directory(&path)?;
    }
    Ok(())
}

/// Returns what is under the name of a file; the link itself where it is one.
pub(super) fn look(root: &Path, file: &str) -> Result<There> {
    let path = root.join(file);
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_dir() => Err(RestoreError::Refused {
            what: format!("{} is a directory, and a file of that name is to be restored", path.display()),
            hint: "move it away, or name another directory".to_owned(),
        }),
        Ok(meta) if meta.is_file() => Ok(There::File(meta.len())),
        Ok(_) => Ok(There::Special),
        Err(error) if is_absent(&error) => Ok(There::Nothing),
        Err(error) => Err(RestoreError::local(cannot("look at", &path))(error)),
    }
}

fn require_directory(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path).map(|meta| meta.file_type()) {
        Ok(there) if there.is_dir() => Ok(()),
        Ok(there) => Err(RestoreError::Refused {
            what: format!("{} is {}, not a directory", path.display(), describe(there)),
            hint:
                "a restore writes to real directories below its target only; move it away, or name another \
                   directory"
                    .to_owned(),
        }),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(RestoreError::local(cannot("look at", path))(error)),
    }
}

fn describe(there: FileType) -> &'static str {
    match (there.is_symlink(), there.is_file()) {
        (true, _) => "a symbolic link",
        (_, true) => "a file",
        _ if there.is_dir() => "a directory",
        _ => "something special",
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn cannot(what: &str, path: &Path) -> String {
    format!("cannot {what} {}", path.display())
}

/// Whether a file has exactly these bytes; its length is theirs.
fn has_bytes(path: &Path, data: &mut ItemData) -> io::Result<bool> {
    let mut there = BufReader::with_capacity(1 << 16, File::open(path)?);
    let mut wanted = data.reader()?;
    let (mut a, mut b) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = wanted.read(&mut a)?;
        if read == 0 {
            return Ok(there.read(&mut b)? == 0);
        }
        match there.read_exact(&mut b[..read]) {
            Ok(()) if a[..read] == b[..read] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}
