//! Where this client keeps what is not in the vault: caches, memory, spool files.
//!
//! The XDG base directories, as for other tools. What this client remembers decides whom it
//! trusts, so it never lies where others can write: without home directory it must be named.

use std::path::{Path, PathBuf};

use super::error::{CommandError, ErrorKind};

/// Directories of this client.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Copies of immutable objects; deleting it loses nothing.
    pub(super) cache: PathBuf,
    /// What this client remembers of vaults.
    pub(super) state: PathBuf,
    /// Unfinished packs and large assets, encrypted or unnamed.
    pub(super) spool: PathBuf,
}

impl Places {
    /// Returns them by the environment of this process, and makes them, for this user only.
    ///
    /// # Errors
    ///
    /// Without `HOME`, `XDG_STATE_HOME` and `XDG_CACHE_HOME` must be set; when a directory cannot
    /// be made.
    pub(super) fn of_environment() -> Result<Self, CommandError> {
        let set = |name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let home = set("HOME");
        let below = |variable: &'static str, default: &str| {
            let base = set(variable).or_else(|| home.as_ref().map(|home| home.join(default)));
            base.map(|base| base.join("prismvault")).ok_or_else(|| {
                CommandError::new(
                    ErrorKind::Configuration,
                    format!("neither HOME nor {variable} is set, so nothing says where this client keeps its state"),
                )
                .hint(format!("set {variable} to a directory of the user that runs backups (systemd: StateDirectory= and CacheDirectory=)"))
            })
        };
        let cache = below("XDG_CACHE_HOME", ".cache")?;
        let spool = match set("TMPDIR") {
            Some(temporary) => temporary.join("prismvault-spool"),
            None => cache.join("spool"),
        };
        let places =
            Self { state: below("XDG_STATE_HOME", ".local/state")?, spool, cache: cache.join("vaults") };
        for directory in [&places.state, &places.cache, &places.spool] {
            private_directory(directory).map_err(|error| {
                CommandError::because(
                    ErrorKind::Failed,
                    format!("cannot make {}", directory.display()),
                    error,
                )
            })?;
        }
        Ok(places)
    }

    /// Returns places in a directory of their own, for what must leave no traces elsewhere.
    pub(super) fn below(directory: &Path) -> Self {
        Self {
            cache: directory.join("cache"),
            state: directory.join("state"),
            spool: directory.join("spool"),
        }
    }
}

/// Makes a directory that only its owner can enter; one that is there is left as it is.
pub(super) fn private_directory(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
