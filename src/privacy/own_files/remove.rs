//! Deletes the files that were found to hold the person.
//!
//! Each is looked at once more right before it goes: every directory on the way from the output to it must be a
//! directory and no link, and it must be the file that was found. A whole output (a package, a worksheet) goes with
//! all that is in it.
//!
//! Deleting gives the room back to the file system. What a disk, a volume's snapshot or a backup of this host still
//! holds of it is outside of this program.
//!
//! **If we crash here** some files are gone and the register still names them; the same command again finds the rest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::find::{Found, OwnFile, Refused, Why, is_absent};
use super::register::{Identity, Register, RegisterError};

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Files that are gone, and whole outputs.
    pub files: Vec<PathBuf>,
    /// What is left, with what could not be looked into in the first place.
    pub left: Vec<Refused>,
    /// Lines of the register that cannot be read.
    pub damaged: u64,
}

impl Removed {
    /// As a certificate counts what is left.
    pub fn left(&self) -> u64 {
        self.left.len() as u64 + self.damaged
    }
}

/// Deletes what was found, and leaves what is gone out of the register.
///
/// # Errors
///
/// [`RegisterError`], when the register cannot be written; what was deleted is gone all the same. A file that
/// cannot be deleted is in the report.
pub fn remove(register: &Register, found: &Found) -> Result<Removed, RegisterError> {
    let mut removed = Removed { left: found.refused.clone(), damaged: found.damaged, ..Removed::default() };
    let mut gone = found.gone.clone();
    for own in &found.files {
        let path = own.path();
        match remove_one(own) {
            Ok(None) => {
                if own.inside.as_os_str().is_empty() {
                    gone.push(path.clone());
                }
                removed.files.push(path);
            }
            Ok(Some(why)) => removed.left.push(Refused::new(&path, why)),
            Err(error) => removed.left.push(Refused::failed(&path, &error)),
        }
    }
    register.forget(&gone)?;
    Ok(removed)
}

/// Deletes one; says why not, where it is not what was found.
fn remove_one(own: &OwnFile) -> io::Result<Option<Why>> {
    let mut way = own.output.path.clone();
    if !own.inside.as_os_str().is_empty() {
        if own.output.identity != Some(Identity::of(&way)?) {
            return Ok(Some(Why::Another));
        }
        for part in own.inside.parent().into_iter().flat_map(Path::components) {
            way.push(part);
            if !fs::symlink_metadata(&way)?.is_dir() {
                return Ok(Some(Why::NoFile));
            }
        }
    }
    let path = own.path();
    let metadata = match fs::symlink_metadata(&path) {
        Ok(metadata) => metadata,
        // Somebody else was faster.
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    if Identity::of_metadata(&metadata) != own.identity {
        return Ok(Some(Why::Another));
    }
    match metadata.is_dir() {
        // The standard library follows no links here.
        true => fs::remove_dir_all(&path)?,
        false => fs::remove_file(&path)?,
    }
    // Not to come back after a power failure.
    #[cfg(unix)]
    if let Some(parent) = path.parent() {
        fs::File::open(parent)?.sync_all()?;
    }
    Ok(None)
}
