//! The directory of a demo.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::cli::error::{CommandError, ErrorKind};

/// A directory that is kept, or that goes with the demo.
#[derive(Debug)]
pub(super) enum Place {
    /// Kept.
    Kept(PathBuf),
    /// Removed at the end.
    Temporary(TempDir),
}

impl Place {
    /// Makes the directory that was asked for, or a temporary one.
    ///
    /// # Errors
    ///
    /// When there is something in it: a demo overwrites nothing.
    pub(super) fn make(wanted: Option<&Path>, keep: bool) -> Result<Self, CommandError> {
        let Some(wanted) = wanted else {
            let made = tempfile::Builder::new().prefix("prismvault-demo-").tempdir();
            let made = made.map_err(|error| {
                CommandError::because(ErrorKind::Failed, "cannot make a temporary directory", error)
                    .hint("--dir DIR takes another place")
            })?;
            let place = Self::Temporary(made);
            return Ok(if keep { Self::Kept(place.keep()) } else { place });
        };
        let unusable = |error: std::io::Error| {
            CommandError::because(ErrorKind::Failed, format!("cannot use {}", wanted.display()), error)
        };
        std::fs::create_dir_all(wanted).map_err(unusable)?;
        if std::fs::read_dir(wanted).map_err(unusable)?.next().is_some() {
            return Err(CommandError::new(
                ErrorKind::Usage,
                format!("{} is not empty, and a demo overwrites nothing", wanted.display()),
            )
            .hint("name a new directory"));
        }
        std::path::absolute(wanted).map(Self::Kept).map_err(unusable)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }

    /// Keeps it whatever was asked for; returns where it is.
    pub(super) fn keep(self) -> PathBuf {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(directory) => directory.keep(),
        }
    }

    /// Removes it when it was a temporary one; returns where it is otherwise.
    pub(super) fn end(self) -> Option<PathBuf> {
        match self {
            Self::Kept(path) => Some(path),
            // What cannot be removed is left to the system.
            Self::Temporary(directory) => {
                directory.close().ok();
                None
            }
        }
    }
}
