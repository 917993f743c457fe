//! Where this client keeps what is not in the vault: caches, memory, spool files.
//!
//! The XDG base directories, as for other tools; without a home directory the system's directory
//! for temporary files.

use std::path::{Path, PathBuf};

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
    /// Returns them by the environment of this process.
    pub(super) fn of_environment() -> Self {
        let set = |name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let home = set("HOME");
        let below = |variable, default: &str| {
            let base = set(variable).or_else(|| home.as_ref().map(|home| home.join(default)));
            base.unwrap_or_else(std::env::temp_dir).join("prismvault")
        };
        let cache = below("XDG_CACHE_HOME", ".cache");
        let spool = match set("TMPDIR") {
            Some(temporary) => temporary.join("prismvault-spool"),
            None => cache.join("spool"),
        };
        Self { state: below("XDG_STATE_HOME", ".local/state"), spool, cache: cache.join("vaults") }
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
