//! Notifications: who is told what, how it arrives, and what it never holds.

mod command;
mod configured;
mod emails;
mod messages;
pub(crate) mod receivers;
mod remembered;
mod runs;
mod scheduler;

use std::path::PathBuf;
use std::sync::Arc;

use prismvault::clock::{Clock, ManualClock, Timestamp};
use prismvault::config::Config;
use prismvault::ids::Name;
use prismvault::notify::{Delivery, Notifier, RunFacts};
use prismvault::schedule::{Job, Schedules};
use prismvault::status::{Alarm, Severity};
use tempfile::TempDir;

use crate::backups::quick_limits;

/// A configuration, its jobs, and a clock that stands still.
pub(crate) struct Site {
    dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    text: String,
    pub(crate) limits: prismvault::limits::Limits,
}

impl Site {
    /// Returns a site with two repositories, and these lines of configuration.
    pub(crate) fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("schedules")).unwrap();
        Self {
            dir,
            clock: Arc::new(ManualClock::new(now())),
            text: format!(
                "[repositories.blog]\nrepository = \"acme-blog\"\ngroups = [\"clients\"]\n\
                 [repositories.shop]\nrepository = \"acme-shop\"\n{text}\n"
            ),
            limits: quick_limits(),
        }
    }

    /// Writes a secret to a file, and returns the reference to it.
    pub(crate) fn secret(&self, name: &str, value: &str) -> String {
        write_file(&self.path(name), value);
        format!("{{ file = \"{name}\" }}")
    }

    /// Adds lines of configuration.
    pub(crate) fn add(&mut self, text: &str) {
        self.text += text;
        self.text.push('\n');
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn try_config(&self) -> Result<Config, String> {
        write_file(&self.path("prismvault.toml"), &self.text);
        let directory = format!("{}/", self.dir.path().display());
        let mut config = Config::load(&self.path("prismvault.toml"))
            .map_err(|error| error.to_string().replace(&directory, ""))?;
        config.limits = self.limits.clone();
        Ok(config)
    }

    pub(crate) fn config(&self) -> Config {
        self.try_config().unwrap()
    }

    pub(crate) fn notifier(&self) -> Notifier {
        Notifier::new(&self.config(), Arc::<ManualClock>::clone(&self.clock))
    }

    /// Writes a job for all repositories, and loads it.
    pub(crate) fn try_job(&self, notify: &str) -> Result<Job, String> {
        let text =
            format!("job = \"snapshot\"\nrepositories = [\"*\"]\ncron = \"@daily\"\n[notify]\n{notify}\n");
        write_file(&self.path("schedules/nightly.toml"), &text);
        let directory = format!("{}/", self.dir.path().display());
        Schedules::load_one(&self.path("schedules"), &name("nightly"), &self.config())
            .map_err(|error| error.to_string().replace(&directory, ""))
    }

    pub(crate) fn job(&self, notify: &str) -> Job {
        self.try_job(notify).unwrap()
    }

    pub(crate) fn facts<'a>(&self, job: &'a Job) -> RunFacts<'a> {
        let now = self.clock.now();
        RunFacts { job, run: "run-1", planned: now, began: now, attempt: 1, is_last: true }
    }

    /// Tries every notification.
    pub(crate) async fn test(&self) -> Vec<Delivery> {
        self.notifier().test(&[]).await
    }
}

/// Writes a file.
pub(crate) fn write_file(path: &std::path::Path, text: &str) {
    let mut file = std::fs::File::create(path).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
}

pub(crate) fn now() -> Timestamp {
    "2026-11-21T02:00:00Z".parse().unwrap()
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn alarm(repository: Option<&str>) -> Alarm {
    Alarm {
        key: format!("rpo:{}", repository.unwrap_or("vault")),
        severity: Severity::Critical,
        repository: repository.map(name),
        what: "the last complete snapshot is older than 24h".to_owned(),
        since: Some(now() - chrono::TimeDelta::hours(3)),
        next: "prismvault snapshot".to_owned(),
    }
}
