//! `[notify]` of a job: who is told of its runs, and what runs around them.

use std::path::Path;

use crate::config::error::ConfigError;
use crate::config::read::Value;
use crate::config::{Config, Place, Target};
use crate::ids::Name;

const KEYS: &[&str] = &["on_failure", "on_success", "on_alarm", "ping", "hooks"];

/// Who is told of a job; all empty where the file says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobNotify {
    /// Told when the job begins to fail, as a reminder while it does, and when it works again.
    pub on_failure: Vec<Receiver>,
    /// Told only when it works again.
    pub on_success: Vec<Receiver>,
    /// Told of alarms of its repositories, and of those of the whole vault.
    pub on_alarm: Vec<Receiver>,
    /// Called when a run begins and when it ends.
    pub ping: Vec<Receiver>,
    /// Programs that run around each run, in this order.
    pub hooks: Vec<Receiver>,
}

/// The name of a `[notifications.NAME]`, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The name.
    pub name: Name,
    /// File and line.
    pub defined: Place,
}

impl JobNotify {
    /// Reads `[notify]`.
    pub(super) fn read(value: &Value<'_>, file: &Path) -> Result<Self, ConfigError> {
        let table = value.table(KEYS)?;
        let names = |key: &str| table.read(key, |value| read_names(value, file));
        Ok(Self {
            on_failure: names("on_failure")?.unwrap_or_default(),
            on_success: names("on_success")?.unwrap_or_default(),
            on_alarm: names("on_alarm")?.unwrap_or_default(),
            ping: names("ping")?.unwrap_or_default(),
            hooks: names("hooks")?.unwrap_or_default(),
        })
    }

    /// Checks that the configuration has what it names, each of the right kind.
    ///
    /// # Errors
    ///
    /// [`UnknownName`](crate::config::ConfigErrorKind::UnknownName) with the line of the job's file
    /// and what was probably meant;
    /// [`InvalidValue`](crate::config::ConfigErrorKind::InvalidValue) for the wrong kind.
    pub fn check(&self, config: &Config) -> Result<(), ConfigError> {
        for (key, receivers) in [
            ("on_failure", &self.on_failure),
            ("on_success", &self.on_success),
            ("on_alarm", &self.on_alarm),
            ("ping", &self.ping),
            ("hooks", &self.hooks),
        ] {
            for (index, receiver) in receivers.iter().enumerate() {
                let path = format!("notify.{key}[{index}]");
                let found = config
                    .notification(receiver.name.as_str())
                    .map_err(|error| error.moved_to(&receiver.defined, &path))?;
                let right = match &found.target {
                    Target::Message { .. } => key.starts_with("on_"),
                    Target::Ping(_) => key == "ping",
                    Target::Hooks(_) => key == "hooks",
                };
                if !right {
                    let place = match found.target {
                        Target::Message { .. } => "on_failure, on_success or on_alarm",
                        Target::Ping(_) => "ping",
                        Target::Hooks(_) => "hooks",
                    };
                    let (name, kind) = (&receiver.name, found.target.kind());
                    let reason = format!("\"{name}\" is of the kind \"{kind}\", which belongs in {place}");
                    let kind = crate::config::ConfigErrorKind::InvalidValue;
                    let error = ConfigError::new(kind, &receiver.defined.file, reason);
                    return Err(error.at_line(receiver.defined.line).at_key(&path));
                }
            }
        }
        Ok(())
    }
}

/// Reads a list of names, each once.
fn read_names(value: &Value<'_>, file: &Path) -> Result<Vec<Receiver>, ConfigError> {
    let mut receivers: Vec<Receiver> = Vec::new();
    for item in value.list()? {
        let name: Name = item.parse()?;
        if receivers.iter().any(|receiver| receiver.name == name) {
            return Err(item.invalid(format!("names \"{name}\" twice")));
        }
        receivers.push(Receiver { name, defined: Place { file: file.to_owned(), line: item.line() } });
    }
    Ok(receivers)
}
