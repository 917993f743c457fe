//! The files that a scheduler runs by, and whether they changed.
//!
//! They are looked at now and then rather than watched by the kernel: that works on every file
//! system, and for the links that Kubernetes swaps under a mounted directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::{Plan, mistakes_of};
use crate::cli::Context;
use crate::cli::error::CommandError;
use crate::cli::jobs::{directory_of, not_loaded};
use crate::config::Config;
use crate::schedule::Schedules;

/// Size and time of change of each file; `None` for one that is not there.
type State = BTreeMap<PathBuf, Option<(u64, Option<SystemTime>)>>;

/// Configuration and jobs on disk.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    config: PathBuf,
    /// Directory of the jobs, where it was named.
    named: Option<PathBuf>,
    directory: PathBuf,
    /// What the configuration included when it was read.
    included: Vec<PathBuf>,
    /// What was there when it was read, right or wrong: one mistake is told once.
    state: State,
}

impl Watched {
    /// Reads them for the first time.
    ///
    /// # Errors
    ///
    /// The first mistake in the configuration, or all mistakes in jobs.
    pub(super) fn load(context: &Context, named: Option<PathBuf>) -> Result<(Self, Plan), CommandError> {
        let config = context.config_file()?;
        let mut watched = Self {
            config,
            directory: named.clone().unwrap_or_default(),
            named,
            included: Vec::new(),
            state: State::new(),
        };
        let plan = watched.reload(context)?;
        Ok((watched, plan))
    }

    /// Reads them again, all or nothing.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub(super) fn reload(&mut self, context: &Context) -> Result<Plan, CommandError> {
        // Taken first: what changes while it is read is read again.
        let before = self.look();
        self.state.clone_from(&before);
        let config = Config::load(&self.config)?;
        self.directory = self.named.clone().unwrap_or_else(|| directory_of(&config));
        self.included.clone_from(&config.included);
        let now = self.look().into_iter();
        let as_first_seen = |(file, state): (PathBuf, _)| {
            let state = before.get(&file).copied().unwrap_or(state);
            (file, state)
        };
        self.state = now.map(as_first_seen).collect();
        let schedules = Schedules::load(&self.directory, &config, context.clock.now()).map_err(not_loaded)?;
        match mistakes_of(schedules.mistakes) {
            Some(error) => Err(error),
            None => Ok(Plan {
                config: Arc::new(config),
                jobs: schedules.jobs.into_iter().map(Arc::new).collect(),
            }),
        }
    }

    /// The directory of the jobs.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether anything is other than when it was read last.
    pub(super) async fn has_changed(&self) -> bool {
        let this = self.clone();
        let look = tokio::task::spawn_blocking(move || this.look());
        look.await.is_ok_and(|state| state != self.state)
    }

    fn look(&self) -> State {
        let mut files = vec![self.config.clone(), self.directory.clone()];
        files.extend(self.included.iter().cloned());
        files.extend(self.included.iter().filter_map(|file| file.parent()).map(Path::to_owned));
        let jobs = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        files.extend(
            jobs.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "toml")),
        );
        let state = |file: PathBuf| {
            let found = std::fs::metadata(&file).ok();
            let found = found.map(|found| (found.len(), found.modified().ok()));
            (file, found)
        };
        files.into_iter().map(state).collect()
    }
}
