//! The configuration: `prismvault.toml`, what it includes, and secrets by reference.
//!
//! A mistake in a configuration is found when the file is read, not in the night when the
//! mistaken key is needed. So everything is strict: unknown keys, wrong types, two things of one
//! name and names that differ only in case are errors that name file, line and key path.
//!
//! Invariants
//! - A [`Config`] was checked as a whole; no consumer checks again.
//! - No secret is in it: [`SecretRef`] says where one is and fetches it when it is needed.
//! - Relative paths in a file are meant from the directory of that file.
//!
//! Nothing here reads the environment, except [`SecretRef::resolve`]; which file to load is the
//! caller's decision, by [`Config::find`].

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use url::Url;

use crate::ids::{Name, VaultId};
use crate::limits::Limits;
use crate::objects::LockRule;
use crate::objects::s3::ServerEncryption;

pub(crate) mod error;
pub(crate) mod include;
mod load;
mod metrics;
mod notifications;
mod objectives;
mod people;
mod privacy;
pub(crate) mod read;
mod retention;
mod run;
mod secret_ref;
mod starter;
mod template;
pub(crate) mod value;
mod webhook;
mod zone;

pub use error::{ConfigError, ConfigErrorKind};
pub use metrics::MetricsSettings;
pub use notifications::{Channel, Email, Hooks, Notification, PLACEHOLDERS, SmtpTls, Target, WebhookBody};
pub use objectives::{InvalidWithin, Objectives, Within};
pub use people::Person;
pub use privacy::PrivacySettings;
pub use retention::{Period, RetentionPolicy};
pub use run::RunSettings;
pub use secret_ref::{SecretError, SecretErrorKind, SecretRef};
pub use starter::{Starter, StarterRepository, pin_lines};
pub use template::{InvalidTemplate, Template};
pub use webhook::{InvalidNetwork, Network, WebhookHeader, WebhookSettings};
pub use zone::{InvalidSpan, Span, UnknownZone, Zone};

/// Name of the configuration file in the working directory.
pub const FILE_NAME: &str = "prismvault.toml";

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was loaded from; included files are named by what they hold.
    pub file: PathBuf,
    /// The files that it includes.
    pub included: Vec<PathBuf>,
    /// What is backed up, in the order of recovery: by priority, then by name.
    pub repositories: Vec<Repository>,
    /// What this client trusts and asks of the vault.
    pub vault: VaultSettings,
    /// Where the keys are.
    pub keys: Keys,
    /// All bounds, with those of the file in place of the defaults.
    pub limits: Limits,
    /// The copies of the vault, in the order of the files.
    pub replicas: Vec<Replica>,
    /// Who this client is in the audit log.
    pub audit: AuditSettings,
    /// Who is told when something is wrong, in the order of the file.
    pub notifications: Vec<Notification>,
    /// Who signs, in the order of the file.
    pub people: Vec<Person>,
    /// What is kept of data-subject requests on this host.
    pub privacy: PrivacySettings,
    /// Where Prismic's webhooks are received.
    pub webhook: Option<WebhookSettings>,
    /// Where numbers for monitoring go.
    pub metrics: MetricsSettings,
    /// The scheduler.
    pub run: RunSettings,
    /// How long snapshots are kept; asked by [`retention_of`](Self::retention_of).
    retention: retention::RetentionTables,
    /// What is promised of all repositories; asked by [`objectives_of`](Self::objectives_of).
    objectives: objectives::ObjectivesTable,
}

/// One `[repositories.NAME]`.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The name used on the command line and in the vault.
    pub name: Name,
    /// Prismic's repository (domain) name.
    pub repository: String,
    /// Token of the Content API; open repositories need none.
    pub access_token: Option<SecretRef>,
    /// Day on which that was issued, as the file says.
    pub access_token_issued: Option<NaiveDate>,
    /// Token of the Asset, Types and Migration API.
    pub write_token: Option<SecretRef>,
    /// Day on which that was issued, as the file says.
    pub write_token_issued: Option<NaiveDate>,
    /// What Prismic's webhooks of this repository carry to prove where they come from.
    pub webhook_secret: Option<SecretRef>,
    /// Groups it belongs to, selected as `@group`.
    pub groups: Vec<Name>,
    /// The space whose items it shares; its own name by default.
    pub space: Name,
    /// Whose days, weeks and months retention counts.
    pub timezone: Zone,
    /// Whom to call when it is lost; shown by drills.
    pub contacts: Vec<String>,
    /// How long its snapshots are kept, where that differs.
    retention: Option<retention::RetentionTable>,
    /// What is promised of it, where that differs.
    objectives: objectives::ObjectivesTable,
    /// Place in the order of recovery, smallest first; those without one come last.
    pub priority: Option<u32>,
    /// Further hosts that assets may come from, in lower case, without port.
    pub asset_hosts: Vec<String>,
    /// Address of the Content API, where it is not Prismic's own.
    pub content_api: Option<Url>,
    /// Address of the Asset API, where it is not Prismic's own.
    pub asset_api: Option<Url>,
    /// Address of the Types API, where it is not Prismic's own.
    pub types_api: Option<Url>,
    /// Address of the Migration API, where it is not Prismic's own.
    pub migration_api: Option<Url>,
    /// File and line that define it.
    pub defined: Place,
}

/// `[vault]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VaultSettings {
    /// The vault that the replicas must be copies of.
    pub id: Option<VaultId>,
    /// The root key that this client trusts: a minisign public key in base64.
    pub root: Option<String>,
    /// Replicas that must hold a snapshot before it counts as taken; never more than there are.
    pub min_copies: Option<usize>,
}

/// `[keys]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// Age identity that reads catalogs; stays on the backup host.
    pub operator: Option<SecretRef>,
    /// Minisign secret key that signs manifests; stays on the backup host.
    pub signing: Option<SecretRef>,
    /// Minisign secret key that signs removals and marks, where it is another; belongs where
    /// retention and pruning run.
    pub maintenance: Option<SecretRef>,
    /// Age identity that reads content; belongs elsewhere.
    pub recovery: Option<SecretRef>,
    /// Minisign secret key that changes who is trusted; belongs elsewhere.
    pub root: Option<SecretRef>,
    /// Age identity of a person who works on data-subject requests: reads content and cases.
    pub privacy: Option<SecretRef>,
    /// Minisign secret key of the same person: signs what happens to cases, approves erasures.
    pub privacy_signing: Option<SecretRef>,
}

/// `[audit]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditSettings {
    /// Who runs the commands; by default the number of the user of the operating system. A role
    /// or a service rather than a person: what is in the audit log stays there.
    pub principal: Option<String>,
    /// The machine; by default its own name.
    pub host: Option<String>,
}

/// One `[[replicas]]`.
#[derive(Debug, Clone)]
pub struct Replica {
    /// Its name on the command line and in reports.
    pub name: Name,
    /// `s3://bucket/prefix`, or `file://` and an absolute path; without credentials.
    pub url: Url,
    /// Region of the bucket; S3 only.
    pub region: Option<String>,
    /// Address of an S3-compatible store; S3 only.
    pub endpoint: Option<Url>,
    /// Whether the bucket goes into the path instead of the host name; S3 only.
    pub force_path_style: bool,
    /// Profile of the AWS configuration that holds the credentials; S3 only.
    pub profile: Option<String>,
    /// How long snapshots are kept on it, where that differs.
    retention: Option<retention::RetentionTable>,
    /// Storage class of its objects; S3 only.
    pub storage_class: Option<String>,
    /// Encryption by the store itself; S3 only.
    pub encryption: Option<ServerEncryption>,
    /// What its objects are locked with; S3 only.
    pub object_lock: Option<LockRule>,
    /// File and line that define it.
    pub defined: Place,
}

/// Where something is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl Config {
    /// Finds the file to load: the one named (`--config`, else `PRISMVAULT_CONFIG`), else
    /// [`FILE_NAME`] in `directory`, the working directory.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::Missing`] when there is no such file.
    pub fn find(named: Option<&Path>, directory: &Path) -> Result<PathBuf, ConfigError> {
        let file = match named {
            Some(file) => file.to_owned(),
            None => directory.join(FILE_NAME),
        };
        // Whatever else may be wrong with it, `load` says better.
        match file.try_exists() {
            Ok(false) => Err(ConfigError::new(ConfigErrorKind::Missing, &file, "no such file")),
            _ => Ok(file),
        }
    }

    /// Loads and checks a file and all that it includes.
    ///
    /// # Errors
    ///
    /// The first mistake found, in the order of the files.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        load::load(file)
    }

    /// Returns the repositories of the names and `@groups` given, each once, in the order of
    /// recovery. `"*"`, or nothing at all, means every repository.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::UnknownName`] for a name or group that is not there, with what it was
    /// probably meant to be.
    pub fn select<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<&Repository>, ConfigError> {
        for name in names.iter().map(AsRef::as_ref).filter(|name| *name != "*") {
            if !self.repositories.iter().any(|repository| repository.answers_to(name)) {
                return Err(self.unknown_name(name));
            }
        }
        let all = names.is_empty();
        let named = |repository: &&Repository| {
            all || names.iter().map(AsRef::as_ref).any(|name| name == "*" || repository.answers_to(name))
        };
        Ok(self.repositories.iter().filter(named).collect())
    }

    /// Returns one repository by its name.
    ///
    /// # Errors
    ///
    /// As [`select`](Self::select).
    pub fn repository(&self, name: &str) -> Result<&Repository, ConfigError> {
        let found = self.repositories.iter().find(|repository| repository.name.as_str() == name);
        found.ok_or_else(|| self.unknown_name(name))
    }

    /// Returns one replica by its name.
    ///
    /// # Errors
    ///
    /// As [`select`](Self::select).
    pub fn replica(&self, name: &str) -> Result<&Replica, ConfigError> {
        self.replicas.iter().find(|replica| replica.name.as_str() == name).ok_or_else(|| {
            self.unknown("replica", name, self.replicas.iter().map(|r| r.name.to_string()).collect())
        })
    }

    /// Returns one notification by its name.
    ///
    /// # Errors
    ///
    /// As [`select`](Self::select).
    pub fn notification(&self, name: &str) -> Result<&Notification, ConfigError> {
        self.notifications.iter().find(|known| known.name.as_str() == name).ok_or_else(|| {
            let known = self.notifications.iter().map(|known| known.name.to_string()).collect();
            self.unknown("notification", name, known)
        })
    }

    /// Number of replicas that must hold a snapshot before it counts as taken: what the file
    /// says, else 2, or 1 where there is one.
    pub fn min_copies(&self) -> usize {
        self.vault.min_copies.unwrap_or_else(|| self.replicas.len().clamp(1, 2))
    }

    /// Returns how long snapshots of a repository are kept; `None` where no `[retention]` says.
    pub fn retention_of(&self, repository: &Repository) -> Option<RetentionPolicy> {
        self.retention.policy_of(repository).expect("checked when the file was loaded")
    }

    /// Returns how long they are kept on a replica that has rules of its own; `None` for others.
    pub fn retention_on(&self, repository: &Repository, replica: &Replica) -> Option<RetentionPolicy> {
        self.retention.policy_on(repository, replica).expect("checked when the file was loaded")
    }

    /// Returns what is promised of a repository.
    pub fn objectives_of(&self, repository: &Repository) -> Objectives {
        repository.objectives.over(&self.objectives)
    }

    fn unknown_name(&self, name: &str) -> ConfigError {
        let (what, mut known) = match name.starts_with('@') {
            true => {
                let groups = self.repositories.iter().flat_map(|repository| &repository.groups);
                ("group", groups.map(|group| format!("@{group}")).collect::<Vec<_>>())
            }
            false => ("repository", self.repositories.iter().map(|r| r.name.to_string()).collect()),
        };
        known.sort();
        known.dedup();
        self.unknown(what, name, known)
    }

    fn unknown(&self, what: &str, name: &str, known: Vec<String>) -> ConfigError {
        // Two hundred names help nobody.
        const SHOWN: usize = 20;
        let mut reason = format!("there is no {what} {name:?}");
        if let Some(word) = error::closest(name, known.iter().map(String::as_str)) {
            reason += &format!(", did you mean {word:?}?");
        }
        reason += &match known.len() {
            0 => " (none is configured)".to_owned(),
            1..=SHOWN => format!(" (known: {})", known.join(", ")),
            count => format!(" (known: {}, … {count} in all)", known[..SHOWN].join(", ")),
        };
        ConfigError::new(ConfigErrorKind::UnknownName, &self.file, reason)
    }
}

impl Repository {
    /// Whether `name` is its name, or `@` and one of its groups.
    fn answers_to(&self, name: &str) -> bool {
        match name.strip_prefix('@') {
            Some(group) => self.groups.iter().any(|own| own.as_str() == group),
            None => self.name.as_str() == name,
        }
    }
}
