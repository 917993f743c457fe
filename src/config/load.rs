//! From files to a checked [`Config`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, TimeDelta};

use crate::ids::Name;
use crate::limits::Limits;
use crate::objects::s3::ServerEncryption;
use crate::objects::{LockMode, LockRule};

use super::error::{ConfigError, ConfigErrorKind};
use super::include::{PatternError, expand};
use super::metrics::MetricsSettings;
use super::objectives::ObjectivesTable;
use super::read::{Source, Table, Value};
use super::retention::{RetentionTable, RetentionTables};
use super::run::RunSettings;
use super::secret_ref::SecretRef;
use super::value::{
    api_address, host, label, prismic_repository, public_key, replica_address, storage_class,
};
use super::{AuditSettings, Config, Keys, Place, PrivacySettings, Replica, Repository, VaultSettings, Zone};
use super::{notifications, people, webhook};

const ROOT_KEYS: &[&str] = &[
    "include",
    "repositories",
    "vault",
    "keys",
    "limits",
    "replicas",
    "retention",
    "audit",
    "objectives",
    "metrics",
    "run",
    "notifications",
    "webhook",
    "privacy",
    "people",
];
const INCLUDED_KEYS: &[&str] = &["repositories", "replicas"];
const REPOSITORY_KEYS: &[&str] = &[
    "repository",
    "access_token",
    "write_token",
    "webhook_secret",
    "groups",
    "space",
    "timezone",
    "contacts",
    "retention",
    "objectives",
    "priority",
    "asset_hosts",
    "content_api",
    "asset_api",
    "types_api",
    "migration_api",
];
const VAULT_KEYS: &[&str] = &["id", "root", "min_copies"];
const KEYS_KEYS: &[&str] =
    &["operator", "signing", "maintenance", "recovery", "root", "privacy", "privacy_signing"];
const AUDIT_KEYS: &[&str] = &["principal", "host"];
const LIMITS_KEYS: &[&str] = &[
    "content_requests",
    "asset_requests",
    "types_requests",
    "migration_requests",
    "asset_downloads",
    "release_documents",
];
const REPLICA_KEYS: &[&str] = &[
    "name",
    "url",
    "retention",
    "region",
    "endpoint",
    "force_path_style",
    "profile",
    "storage_class",
    "sse",
    "kms_key",
    "object_lock",
];
/// Those of them that mean nothing for a directory.
const S3_KEYS: &[&str] = REPLICA_KEYS.split_at(3).1;
const OBJECT_LOCK_KEYS: &[&str] = &["mode", "days"];

/// Longest lock that a file may set: one year. Nobody can delete what it locked before, nor erase
/// it, and nobody can take a mistake back.
const LOCK_DAYS_MAX: u64 = 366;

/// Highest rate that a file may set, requests a second: a pacer cannot space more exactly.
const RATE_MAX: f64 = 10_000.0;
/// Most downloads at once that a file may set: each takes a connection and perhaps a file, and
/// systems allow a process about a thousand.
const DOWNLOADS_MAX: u64 = 256;
/// More documents than Prismic says a migration release will ever hold.
const RELEASE_DOCUMENTS_MAX: u64 = 100_000;

/// What several files may add to.
#[derive(Default)]
struct Collected {
    repositories: Vec<Repository>,
    replicas: Vec<Replica>,
}

/// Loads and checks `file` and what it includes.
pub(super) fn load(file: &Path) -> Result<Config, ConfigError> {
    let mut limits = Limits::default();
    let source = Source::read(file, limits.config_bytes_max)?;
    let parsed = source.parse()?;
    let root = Table::root(&source, &parsed, ROOT_KEYS)?;

    let mut collected = Collected::default();
    collected.add(&root, file)?;
    let vault = root.read("vault", read_vault)?.unwrap_or_default();
    let keys = root.read("keys", |value| read_keys(value, directory_of(file)))?.unwrap_or_default();
    root.read("limits", |value| read_limits(value, &mut limits))?;
    let audit = root.read("audit", read_audit)?.unwrap_or_default();
    let notifications = root.read("notifications", |value| notifications::read(value, file))?;
    let webhook = root.read("webhook", |value| webhook::read(value, directory_of(file)))?;
    let privacy = root.read("privacy", PrivacySettings::read)?.unwrap_or_default();
    let people = root.read("people", people::read)?.unwrap_or_default();
    let objectives = root.read("objectives", ObjectivesTable::read)?.unwrap_or_default();
    let metrics =
        root.read("metrics", |value| MetricsSettings::read(value, directory_of(file)))?.unwrap_or_default();
    metrics.check_port(&root, webhook.as_ref().map(|webhook| webhook.listen))?;
    let retention =
        RetentionTables { vault: root.read("retention", |value| RetentionTable::read(value, file))? };
    let included = included_files(&root, file)?;
    for included in &included {
        let source = Source::read(included, limits.config_bytes_max)?;
        let parsed = source.parse()?;
        collected.add(&Table::root(&source, &parsed, INCLUDED_KEYS)?, included)?;
    }

    if let (Some(copies), count @ 1..) = (vault.min_copies, collected.replicas.len())
        && copies > count
    {
        let reason = format!("asks for {copies} copies, but there are {count} replicas");
        let error = ConfigError::new(ConfigErrorKind::InvalidValue, file, reason);
        return Err(error.at_key("vault.min_copies"));
    }
    let Collected { mut repositories, replicas } = collected;
    check_webhook(&root, &repositories)?;
    let names: Vec<&str> = replicas.iter().map(|replica| replica.name.as_str()).collect();
    let run = root.read("run", |value| RunSettings::read(value, &names))?.unwrap_or_default();
    check_spaces(&repositories)?;
    retention.check(&repositories, &replicas)?;
    repositories.sort_by(|a, b| {
        let order = |r: &Repository| (r.priority.is_none(), r.priority);
        order(a).cmp(&order(b)).then_with(|| a.name.cmp(&b.name))
    });
    Ok(Config {
        file: file.to_owned(),
        included,
        repositories,
        vault,
        keys,
        limits,
        replicas,
        audit,
        run,
        notifications: notifications.unwrap_or_default(),
        webhook,
        people,
        privacy,
        retention,
        objectives,
        metrics,
    })
}

/// Directory from which relative paths of `file` are meant.
fn directory_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// Lists the files of `include`: each once, and never the including file itself.
fn included_files(root: &Table<'_>, file: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let Some(include) = root.get("include") else {
        return Ok(Vec::new());
    };
    // One file has many spellings (`./a.toml`, a link), so they are compared by where they lead.
    let place = |file: &Path| file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let mut seen = BTreeSet::from([place(file)]);
    let mut files = Vec::new();
    for pattern in include.list()? {
        let found = expand(pattern.text()?, directory_of(file)).map_err(|err| match err {
            PatternError::Invalid(reason) => pattern.invalid(reason),
            PatternError::Unreadable(err) => {
                pattern.error(ConfigErrorKind::Unreadable, "the directory cannot be listed").because(err)
            }
        })?;
        for found in found {
            if !found.exists() {
                let reason = format!("there is no file {}", found.display());
                return Err(pattern.error(ConfigErrorKind::Missing, reason));
            }
            if seen.insert(place(&found)) {
                files.push(found);
            }
        }
    }
    Ok(files)
}

impl Collected {
    fn add(&mut self, root: &Table<'_>, file: &Path) -> Result<(), ConfigError> {
        if let Some(repositories) = root.get("repositories") {
            for (name, value) in repositories.map()?.entries() {
                let repository = read_repository(name, value, file)?;
                if let Some(other) =
                    self.repositories.iter().find(|r| same_directory(&r.name, &repository.name))
                {
                    return Err(duplicate(
                        value,
                        "repository",
                        &repository.name,
                        &other.name,
                        &other.defined,
                    ));
                }
                self.repositories.push(repository);
            }
        }
        let Some(replicas) = root.get("replicas") else {
            return Ok(());
        };
        for value in replicas.list()? {
            let replica = read_replica(&value, file)?;
            for other in &self.replicas {
                if same_directory(&other.name, &replica.name) {
                    return Err(duplicate(&value, "replica", &replica.name, &other.name, &other.defined));
                }
                let address = |replica: &Replica| replica.url.as_str().trim_end_matches('/').to_owned();
                if address(other) == address(&replica) && other.endpoint == replica.endpoint {
                    let reason = format!(
                        "replica \"{}\" is at the same place as \"{}\" in {}",
                        replica.name, other.name, other.defined
                    );
                    return Err(value.error(ConfigErrorKind::Duplicate, reason));
                }
            }
            self.replicas.push(replica);
        }
        Ok(())
    }
}

fn same_directory(a: &Name, b: &Name) -> bool {
    a.as_str().eq_ignore_ascii_case(b.as_str())
}

fn duplicate(value: &Value<'_>, what: &str, name: &Name, other: &Name, defined: &Place) -> ConfigError {
    let reason = match name == other {
        true => format!("{what} \"{name}\" is defined a second time, first in {defined}"),
        false => format!(
            "{what} \"{name}\" differs only in case from \"{other}\" in {defined}; they would share a directory"
        ),
    };
    value.error(ConfigErrorKind::Duplicate, reason)
}

/// Refuses to listen for webhooks that could only be refused.
fn check_webhook(root: &Table<'_>, repositories: &[Repository]) -> Result<(), ConfigError> {
    match root.get("webhook") {
        Some(value) if repositories.iter().all(|own| own.webhook_secret.is_none()) => Err(value.invalid(
            "would refuse every request: no repository has a \"webhook_secret\", write \
             webhook_secret = { env = \"NAME\" } in [repositories.NAME]",
        )),
        _ => Ok(()),
    }
}

/// Refuses spaces that differ only in case: they are directories of the vault as well.
fn check_spaces(repositories: &[Repository]) -> Result<(), ConfigError> {
    for (index, repository) in repositories.iter().enumerate() {
        let clash = repositories[..index]
            .iter()
            .find(|other| other.space != repository.space && same_directory(&other.space, &repository.space));
        if let Some(other) = clash {
            let reason = format!(
                "space \"{}\" differs only in case from \"{}\" in {}; they would share a directory",
                repository.space, other.space, other.defined
            );
            let place = &repository.defined;
            return Err(ConfigError::new(ConfigErrorKind::Duplicate, &place.file, reason)
                .at_line(place.line)
                .at_key(&format!("repositories.{}.space", repository.name)));
        }
    }
    Ok(())
}

fn read_repository(name: &str, value: &Value<'_>, file: &Path) -> Result<Repository, ConfigError> {
    let name: Name = name.parse().map_err(|err: crate::ids::InvalidId| value.invalid(err.to_string()))?;
    if name.is_access_chain() {
        return Err(value.invalid(format!(
            "is a name that begins with {:?}, under which lists of members are kept; choose another",
            Name::ACCESS
        )));
    }
    let table = value.table(REPOSITORY_KEYS)?;
    let directory = directory_of(file);
    let token = |value: &Value<'_>| read_token(value, directory);
    let (access_token, access_token_issued) = table.read("access_token", token)?.unzip();
    let (write_token, write_token_issued) = table.read("write_token", token)?.unzip();
    Ok(Repository {
        repository: prismic_repository(table.need("repository")?)?,
        access_token,
        access_token_issued: access_token_issued.flatten(),
        write_token,
        write_token_issued: write_token_issued.flatten(),
        webhook_secret: table.read("webhook_secret", |value| SecretRef::read(value, directory))?,
        groups: table.read("groups", |value| each(value, group))?.unwrap_or_default(),
        space: table.read("space", Value::parse)?.unwrap_or_else(|| name.clone()),
        timezone: table.read("timezone", Value::parse)?.unwrap_or(Zone::UTC),
        contacts: table.read("contacts", |value| each(value, label))?.unwrap_or_default(),
        retention: table.read("retention", |value| RetentionTable::read(value, file))?,
        objectives: table.read("objectives", ObjectivesTable::read)?.unwrap_or_default(),
        priority: table.read("priority", |value| value.integer(0, u64::from(u32::MAX)))?.map(|n| n as u32),
        asset_hosts: table.read("asset_hosts", |value| each(value, host))?.unwrap_or_default(),
        content_api: table.read("content_api", api_address)?,
        asset_api: table.read("asset_api", api_address)?,
        types_api: table.read("types_api", api_address)?,
        migration_api: table.read("migration_api", api_address)?,
        defined: Place { file: file.to_owned(), line: value.line() },
        name,
    })
}

/// Reads where a token is, and the day it was issued, for those that do not tell it themselves.
fn read_token(value: &Value<'_>, directory: &Path) -> Result<(SecretRef, Option<NaiveDate>), ConfigError> {
    let reference = SecretRef::read_beside(value, directory, &["issued"])?;
    let issued = value.map()?.read("issued", |value| {
        let text = value.text()?;
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
        day.ok_or_else(|| value.invalid("is not a day, write it as \"2026-08-01\""))
    })?;
    Ok((reference, issued))
}

fn group(value: &Value<'_>) -> Result<Name, ConfigError> {
    value.parse()
}

fn each<T>(
    value: &Value<'_>,
    read: impl Fn(&Value<'_>) -> Result<T, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    value.list()?.iter().map(read).collect()
}

fn read_vault(value: &Value<'_>) -> Result<VaultSettings, ConfigError> {
    let table = value.table(VAULT_KEYS)?;
    Ok(VaultSettings {
        id: table.read("id", Value::parse)?,
        root: table.read("root", public_key)?,
        min_copies: table.read("min_copies", |value| value.integer(1, 100))?.map(|n| n as usize),
    })
}

fn read_keys(value: &Value<'_>, directory: &Path) -> Result<Keys, ConfigError> {
    let table = value.table(KEYS_KEYS)?;
    let secret = |key| table.read(key, |value| SecretRef::read(value, directory));
    Ok(Keys {
        operator: secret("operator")?,
        signing: secret("signing")?,
        maintenance: secret("maintenance")?,
        recovery: secret("recovery")?,
        root: secret("root")?,
        privacy: secret("privacy")?,
        privacy_signing: secret("privacy_signing")?,
    })
}

fn read_audit(value: &Value<'_>) -> Result<AuditSettings, ConfigError> {
    let table = value.table(AUDIT_KEYS)?;
    Ok(AuditSettings { principal: table.read("principal", label)?, host: table.read("host", label)? })
}

fn read_limits(value: &Value<'_>, limits: &mut Limits) -> Result<(), ConfigError> {
    let table = value.table(LIMITS_KEYS)?;
    for (key, limit) in [
        ("content_requests", &mut limits.content_requests),
        ("asset_requests", &mut limits.asset_requests),
        ("types_requests", &mut limits.types_requests),
        ("migration_requests", &mut limits.migration_requests),
    ] {
        if let Some(rate) = table.read(key, |value| value.rate(RATE_MAX))? {
            *limit = rate;
        }
    }
    if let Some(documents) =
        table.read("release_documents", |value| value.integer(1, RELEASE_DOCUMENTS_MAX))?
    {
        limits.release_documents = u32::try_from(documents).unwrap_or(u32::MAX);
    }
    if let Some(downloads) = table.read("asset_downloads", |value| value.integer(1, DOWNLOADS_MAX))? {
        limits.asset_downloads = downloads as usize;
    }
    Ok(())
}

fn read_replica(value: &Value<'_>, file: &Path) -> Result<Replica, ConfigError> {
    let table = value.table(REPLICA_KEYS)?;
    let text = |value: &Value<'_>| value.text().map(str::to_owned);
    let replica = Replica {
        name: table.need("name")?.parse()?,
        url: replica_address(table.need("url")?)?,
        region: table.read("region", text)?,
        endpoint: table.read("endpoint", api_address)?,
        force_path_style: table.read("force_path_style", Value::flag)?.unwrap_or(false),
        profile: table.read("profile", text)?,
        retention: table.read("retention", |value| RetentionTable::read_of_replica(value, file))?,
        storage_class: table.read("storage_class", storage_class)?,
        encryption: read_encryption(&table)?,
        object_lock: table.read("object_lock", read_object_lock)?,
        defined: Place { file: file.to_owned(), line: value.line() },
    };
    if replica.url.scheme() != "s3" {
        for key in S3_KEYS {
            if let Some(value) = table.get(key) {
                return Err(value.invalid("is for replicas on S3 only"));
            }
        }
    }
    Ok(replica)
}

fn read_encryption(table: &Table<'_>) -> Result<Option<ServerEncryption>, ConfigError> {
    let key = table.read("kms_key", |value| value.text().map(str::to_owned))?;
    let encryption = match table.get("sse").map(|value| Ok((value, value.text()?))).transpose()? {
        None => None,
        Some((_, "AES256")) => Some(ServerEncryption::Aes256),
        Some((_, "aws:kms")) => Some(ServerEncryption::Kms { key: key.clone() }),
        Some((value, _)) => return Err(value.invalid("must be \"AES256\" or \"aws:kms\"")),
    };
    match (table.get("kms_key"), &encryption) {
        (Some(value), None | Some(ServerEncryption::Aes256)) => {
            Err(value.invalid("is used only with sse = \"aws:kms\""))
        }
        _ => Ok(encryption),
    }
}

fn read_object_lock(value: &Value<'_>) -> Result<LockRule, ConfigError> {
    let table = value.table(OBJECT_LOCK_KEYS)?;
    let mode = table.need("mode")?;
    let mode = match mode.text()? {
        "governance" => LockMode::Governance,
        "compliance" => LockMode::Compliance,
        _ => return Err(mode.invalid("must be \"governance\" or \"compliance\"")),
    };
    let days = table.need("days")?.integer(1, LOCK_DAYS_MAX)?;
    Ok(LockRule { mode, window: TimeDelta::days(days as i64) })
}
