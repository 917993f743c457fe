//! How an object of a directory store becomes visible: all of it, durably, or not at all.
//!
//! 1. A unique file in `.tmp` of the same directory (so of the same file system) gets the body,
//!    whose length and digest are checked on the way.
//! 2. `fsync` of the file. Errors that closing it would tell, on network file systems too, are
//!    told here.
//! 3. Missing directories are made, and each is `fsync`ed into its parent.
//! 4. The file gets its name: by `rename` for [`PutMode::Overwrite`]; for
//!    [`PutMode::CreateOnly`] by `renameat2(RENAME_NOREPLACE)`, or, where the file system does
//!    not know that (NFS), by a hard link. Both are atomic and fail when the name is taken. A
//!    file system that has neither refuses create-only puts; a test for existence with a rename
//!    after it would be a race, so it is not tried.
//! 5. `fsync` of the directory. When this fails the object is there, but may be gone after a
//!    power cut: [`ErrorKind::Unknown`].
//!
//! A crash before 4 leaves a file in `.tmp`; between 4 and 5 either nothing or all of it.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use tempfile::{NamedTempFile, PathPersistError, TempPath};

use super::{Directory, Effect, describe, io_error};
use crate::clock::Timestamp;
use crate::objects::copy::CopyError;
use crate::objects::{Body, ErrorKind, ObjectMeta, PutMode, Result, StoreError, TEMPORARY, check_key};

const WRITE: &str = "write";

impl Directory {
    pub(super) fn put(&self, key: &str, body: &Body, mode: PutMode) -> Result<ObjectMeta> {
        check_key(WRITE, key, self)?;
        let (path, found) = self.look_up(WRITE, Effect::Possible, key)?;
        match found {
            Some(there) if !there.is_file() => {
                let reason = format!("{} is not a file, so no object can have this name", path.display());
                return Err(StoreError::new(ErrorKind::Permanent, WRITE, key, self, reason));
            }
            // Only spares the copying: the name is guarded again when it is given.
            Some(_) if mode == PutMode::CreateOnly => return Err(self.exists(key)),
            _ => {}
        }

        let (mut file, temporary) = self.temporary(WRITE, key)?;
        self.sweep_once(&file);
        body.copy_to(&mut file).map_err(|err| self.copy_failed(err, key))?;
        // Before this moment nothing has the name, so whatever fails has not happened.
        let not_done = |err| match self.failed(err, Effect::None, WRITE, key, "its bytes cannot be stored") {
            mut err if err.kind == ErrorKind::NotFound => {
                err.kind = ErrorKind::Permanent;
                err
            }
            err => err,
        };
        file.sync_all().map_err(not_done)?;
        let metadata = file.metadata().map_err(not_done)?;
        drop(file);
        self.make_parents(&path, key)?;
        self.give_name(temporary, &path, &metadata, key, mode)?;
        self.sync_parent(&path, WRITE, key)?;
        Ok(describe(key, &metadata))
    }

    /// Reads the clock of whoever keeps the directory: a file server stamps new files itself.
    pub(super) fn server_time(&self) -> Result<Timestamp> {
        let operation = "read the clock of";
        let (file, _temporary) = self.temporary(operation, "")?;
        file.metadata()
            .and_then(|metadata| metadata.modified())
            .map(Timestamp::from)
            .map_err(|err| self.failed(err, Effect::None, operation, "", "a new file does not tell its time"))
    }

    /// Makes the entry of `path` in its directory durable.
    pub(super) fn sync_parent(&self, path: &Path, operation: &'static str, key: &str) -> Result<()> {
        let parent = path.parent().unwrap_or(&self.root);
        sync_directory(parent).map_err(|err| {
            let mut err =
                self.failed(err, Effect::Possible, operation, key, "its directory cannot be synced");
            err.kind = ErrorKind::Unknown;
            err
        })
    }

    fn exists(&self, key: &str) -> StoreError {
        StoreError::new(ErrorKind::AlreadyExists, WRITE, key, self, "there is such an object already")
    }

    fn copy_failed(&self, err: CopyError, key: &str) -> StoreError {
        match err {
            CopyError::Write(err) => {
                self.failed(err, Effect::None, WRITE, key, "its bytes cannot be written")
            }
            err => err.into_store_error(key, self),
        }
    }

    /// Makes a unique file that is removed when the second part is dropped.
    fn temporary(&self, operation: &'static str, key: &str) -> Result<(File, TempPath)> {
        let directory = self.root.join(TEMPORARY);
        let failed = |err| {
            let mut err =
                self.failed(err, Effect::None, operation, key, "no temporary file can be made in .tmp");
            if err.kind == ErrorKind::NotFound {
                err.kind = ErrorKind::Permanent;
            }
            err
        };
        match fs::symlink_metadata(&directory) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                let reason = format!("{} is not a directory", directory.display());
                return Err(StoreError::new(ErrorKind::Permanent, operation, key, self, reason));
            }
            Err(_) => match fs::create_dir(&directory) {
                Err(err) if err.kind() != io::ErrorKind::AlreadyExists => return Err(failed(err)),
                _ => {}
            },
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix("put-").suffix(".part").rand_bytes(20);
        // Objects get the permissions that the user's umask gives, as with any other tool.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        builder.tempfile_in(&directory).map(NamedTempFile::into_parts).map_err(failed)
    }

    /// Once a process, removes the unfinished files of runs that were killed long ago.
    ///
    /// `fresh` is a file just made: its time is that of the server which stamps the others too. A
    /// live run's files are younger than the longest run that may commit. Whatever fails here
    /// concerns rubbish only, and the next process tries again.
    fn sweep_once(&self, fresh: &File) {
        if self.swept.swap(true, Ordering::Relaxed) {
            return;
        }
        let Ok(now) = fresh.metadata().and_then(|metadata| metadata.modified()) else { return };
        let Ok(entries) = fs::read_dir(self.root.join(TEMPORARY)) else { return };
        for entry in entries.flatten() {
            let stale = |metadata: Metadata| {
                metadata.is_file() && metadata.modified().is_ok_and(|at| self.is_stale(at, now))
            };
            if entry.metadata().is_ok_and(stale) {
                match fs::remove_file(entry.path()) {
                    Ok(()) => tracing::info!(file = %entry.path().display(), "removed an unfinished file"),
                    Err(err) => {
                        tracing::debug!(file = %entry.path().display(), %err, "left an unfinished file");
                    }
                }
            }
        }
    }

    fn is_stale(&self, modified: SystemTime, now: SystemTime) -> bool {
        now.duration_since(modified).is_ok_and(|age| age > self.stale_after)
    }

    /// Makes the directories above `path` and sees to it that each is on disk.
    ///
    /// One that exists may have been made a moment ago by a writer that has not synced it yet, so
    /// each is synced once by this process too.
    fn make_parents(&self, path: &Path, key: &str) -> Result<()> {
        let mut directory = self.root.clone();
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        for segment in below.parent().into_iter().flatten() {
            let parent = directory.clone();
            directory.push(segment);
            let failed = |err| {
                let why = format!("the directory {} cannot be made", directory.display());
                self.failed(err, Effect::None, WRITE, key, &why)
            };
            match fs::create_dir(&directory) {
                Ok(()) => {}
                Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
                    if self.synced.lock().expect("no holder of this lock can panic").contains(&directory) {
                        continue;
                    }
                }
                Err(err) => return Err(failed(err)),
            }
            sync_directory(&parent).map_err(failed)?;
            self.synced.lock().expect("no holder of this lock can panic").insert(directory.clone());
        }
        Ok(())
    }

    fn give_name(
        &self,
        temporary: TempPath,
        path: &Path,
        metadata: &Metadata,
        key: &str,
        mode: PutMode,
    ) -> Result<()> {
        let named = match mode {
            PutMode::Overwrite => temporary.persist(path),
            PutMode::CreateOnly => temporary.persist_noclobber(path),
        };
        let Err(PathPersistError { error, path: temporary }) = named else { return Ok(()) };
        let exists = error.kind() == io::ErrorKind::AlreadyExists;
        // A file server that lost its answer to a link and is asked again says that the name is
        // taken: by us.
        if exists && mode == PutMode::CreateOnly && is_same_file(metadata, path) {
            return Ok(());
        }
        drop(temporary);
        Err(match mode {
            PutMode::CreateOnly if exists => self.exists(key),
            PutMode::CreateOnly if error.kind() == io::ErrorKind::Unsupported => {
                let why = "its file system can neither rename without replacing nor link";
                self.failed(error, Effect::Possible, WRITE, key, why)
            }
            _ => {
                let mut err = self.failed(error, Effect::Possible, WRITE, key, "it cannot get its name");
                if matches!(err.kind, ErrorKind::NotFound | ErrorKind::AlreadyExists) {
                    err.kind = ErrorKind::Permanent;
                }
                err
            }
        })
    }
}

/// Makes a directory and its parents and syncs each into its parent.
pub(super) fn create_directory(dir: &Path) -> Result<()> {
    let mut missing = Vec::new();
    // An empty path is the working directory.
    for ancestor in dir.ancestors().filter(|path| !path.as_os_str().is_empty()) {
        if fs::symlink_metadata(ancestor).is_ok() {
            break;
        }
        missing.push(ancestor);
    }
    for directory in missing.into_iter().rev() {
        let failed = |err| {
            let why = format!("the directory {} cannot be made", directory.display());
            io_error(err, Effect::None, "create", "", &dir.display(), &why)
        };
        match fs::create_dir(directory) {
            Err(err) if err.kind() != io::ErrorKind::AlreadyExists => return Err(failed(err)),
            _ => {}
        }
        let parent = directory.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_directory(parent).map_err(failed)?;
    }
    Ok(())
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory)?.sync_all() {
        // Some file systems cannot sync directories (EINVAL): they have nothing to sync.
        Err(err) if matches!(err.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// Other systems cannot open a directory; they journal names by themselves.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn is_same_file(ours: &Metadata, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::symlink_metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
}

#[cfg(not(unix))]
fn is_same_file(_: &Metadata, _: &Path) -> bool {
    false
}
