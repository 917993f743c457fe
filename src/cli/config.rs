//! `prismvault config`: checks the configuration and shows what it means.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::config::{
    Config, Network, Notification, Objectives, Person, Replica, Repository, RetentionPolicy, SecretRef,
    Target, WebhookSettings,
};
use crate::objects::LockMode;
use crate::objects::s3::ServerEncryption;
use crate::secret::SafeUrl;

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::output::Page;
use super::text::{Style, Table, Text};

/// Arguments of `config`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Repositories to show: names, groups (@clients), all when none is given
    repositories: Vec<String>,
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    vault: VaultReport,
    keys: KeysReport,
    limits: LimitsReport,
    audit: AuditReport,
    metrics: MetricsReport,
    run: RunReport,
    repositories: Vec<RepositoryReport>,
    replicas: Vec<ReplicaReport>,
    notifications: Vec<NotificationReport>,
    people: Vec<Person>,
    webhook: Option<WebhookReport>,
}

#[derive(Serialize)]
struct VaultReport {
    id: Option<String>,
    root: Option<String>,
    min_copies: usize,
}

#[derive(Serialize)]
struct KeysReport {
    operator: Option<String>,
    signing: Option<String>,
    maintenance: Option<String>,
    recovery: Option<String>,
    root: Option<String>,
    here: KeysHere,
}

/// Which keys are on this machine; `null` where nobody can tell without running a command, or
/// where none is configured.
#[derive(Serialize)]
struct KeysHere {
    operator: Option<bool>,
    signing: Option<bool>,
    maintenance: Option<bool>,
    recovery: Option<bool>,
    root: Option<bool>,
}

#[derive(Serialize)]
struct RunReport {
    jobs_at_once: usize,
    lease: Option<String>,
    finish_seconds: u64,
    look_every_seconds: u64,
}

#[derive(Serialize)]
struct LimitsReport {
    content_requests: f64,
    asset_requests: f64,
    types_requests: f64,
    migration_requests: f64,
    asset_downloads: usize,
    release_documents: u32,
}

/// Who this client is in the audit log; what is not configured it finds out by itself.
#[derive(Serialize)]
struct AuditReport {
    principal: Option<String>,
    host: Option<String>,
}

/// Where numbers for monitoring go.
#[derive(Serialize)]
struct MetricsReport {
    listen: Option<String>,
    textfile: Option<PathBuf>,
}

#[derive(Serialize)]
struct NotificationReport {
    name: String,
    kind: &'static str,
    /// Whether it is told of everything, and how often it is reminded, where it gets messages.
    default: Option<bool>,
    remind_every: Option<String>,
    secret: Option<String>,
    secret_here: Option<bool>,
    defined: String,
}

#[derive(Serialize)]
struct WebhookReport {
    listen: String,
    allow: Vec<String>,
    trusted_proxies: Vec<String>,
    header: Option<HeaderReport>,
    quiet_seconds: f64,
    longest_wait_seconds: f64,
}

#[derive(Serialize)]
struct HeaderReport {
    name: String,
    value: String,
    value_here: Option<bool>,
}

#[derive(Serialize)]
struct RepositoryReport {
    name: String,
    repository: String,
    access_token: Option<String>,
    write_token: Option<String>,
    access_token_here: Option<bool>,
    write_token_here: Option<bool>,
    webhook_secret: Option<String>,
    webhook_secret_here: Option<bool>,
    groups: Vec<String>,
    space: String,
    timezone: &'static str,
    retention: Option<RetentionPolicy>,
    objectives: Objectives,
    contacts: Vec<String>,
    priority: Option<u32>,
    asset_hosts: Vec<String>,
    content_api: Option<String>,
    asset_api: Option<String>,
    types_api: Option<String>,
    migration_api: Option<String>,
    defined: String,
}

#[derive(Serialize)]
struct ReplicaReport {
    name: String,
    url: String,
    region: Option<String>,
    endpoint: Option<String>,
    force_path_style: bool,
    profile: Option<String>,
    /// By repository, where this replica has rules of its own.
    retention: BTreeMap<String, RetentionPolicy>,
    storage_class: Option<String>,
    sse: Option<&'static str>,
    kms_key: Option<String>,
    object_lock: Option<ObjectLockReport>,
    defined: String,
}

#[derive(Serialize)]
struct ObjectLockReport {
    mode: LockMode,
    days: i64,
}

/// Loads the configuration with all it includes, and prints it: references of secrets, never
/// secrets, and for everything the file and line that define it.
///
/// # Errors
///
/// The first mistake in the configuration; a repository that it does not have.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let config = context.load_config()?;
    let repositories = config.select(&args.repositories)?;
    let report = report(&config, &repositories);
    context.output.report(Outcome::Complete, &report, || page(&report, &config, &repositories))?;
    Ok(Outcome::Complete)
}

/// Whether the secret is here, as far as is known without asking for it.
fn here(secret: Option<&SecretRef>) -> Option<bool> {
    match secret? {
        SecretRef::Command { .. } => None,
        secret => Some(secret.absence().is_none()),
    }
}

/// Where a secret is and whether it is there, never what it is.
fn state(secret: Option<&SecretRef>) -> Text {
    let Some(secret) = secret else { return Text::styled(Style::Dim, "not set") };
    match (secret.absence(), secret) {
        (Some(absence), _) => Text::styled(Style::Yellow, absence),
        (None, SecretRef::Command { .. }) => {
            Text::from(secret.to_string()).and(Style::Dim, ", asked when it is needed")
        }
        (None, _) => Text::from(secret.to_string()).and(Style::Green, ", here"),
    }
}

fn report(config: &Config, repositories: &[&Repository]) -> Report {
    let reference = |secret: &Option<SecretRef>| secret.as_ref().map(ToString::to_string);
    Report {
        file: config.file.clone(),
        vault: VaultReport {
            id: config.vault.id.map(|id| id.to_string()),
            root: config.vault.root.clone(),
            min_copies: config.min_copies(),
        },
        keys: KeysReport {
            operator: reference(&config.keys.operator),
            signing: reference(&config.keys.signing),
            maintenance: reference(&config.keys.maintenance),
            recovery: reference(&config.keys.recovery),
            root: reference(&config.keys.root),
            here: KeysHere {
                operator: here(config.keys.operator.as_ref()),
                signing: here(config.keys.signing.as_ref()),
                maintenance: here(config.keys.maintenance.as_ref()),
                recovery: here(config.keys.recovery.as_ref()),
                root: here(config.keys.root.as_ref()),
            },
        },
        limits: LimitsReport {
            content_requests: config.limits.content_requests,
            asset_requests: config.limits.asset_requests,
            types_requests: config.limits.types_requests,
            migration_requests: config.limits.migration_requests,
            asset_downloads: config.limits.asset_downloads,
            release_documents: config.limits.release_documents,
        },
        run: RunReport {
            jobs_at_once: config.run.jobs_at_once,
            lease: config.run.lease.clone(),
            finish_seconds: config.run.finish.as_secs(),
            look_every_seconds: config.run.look_every.as_secs(),
        },
        audit: AuditReport { principal: config.audit.principal.clone(), host: config.audit.host.clone() },
        metrics: MetricsReport {
            listen: config.metrics.listen.map(|listen| listen.to_string()),
            textfile: config.metrics.textfile.clone(),
        },
        repositories: repositories.iter().map(|repository| repository_report(config, repository)).collect(),
        replicas: config
            .replicas
            .iter()
            .map(|replica| replica_report(config, repositories, replica))
            .collect(),
        notifications: config.notifications.iter().map(notification_report).collect(),
        people: config.people.clone(),
        webhook: config.webhook.as_ref().map(webhook_report),
    }
}

fn notification_report(notification: &Notification) -> NotificationReport {
    let (default, remind_every) = match &notification.target {
        Target::Message { default, remind_every, .. } => (Some(*default), Some(remind_every.to_string())),
        Target::Ping(_) | Target::Hooks(_) => (None, None),
    };
    let secret = notification.target.secret();
    NotificationReport {
        name: notification.name.to_string(),
        kind: notification.target.kind(),
        default,
        remind_every,
        secret: secret.map(ToString::to_string),
        secret_here: here(secret),
        defined: notification.defined.to_string(),
    }
}

fn webhook_report(webhook: &WebhookSettings) -> WebhookReport {
    let networks = |networks: &[Network]| networks.iter().map(ToString::to_string).collect();
    WebhookReport {
        listen: webhook.listen.to_string(),
        allow: networks(&webhook.allow),
        trusted_proxies: networks(&webhook.trusted_proxies),
        header: webhook.header.as_ref().map(|header| HeaderReport {
            name: header.name.clone(),
            value: header.value.to_string(),
            value_here: here(Some(&header.value)),
        }),
        quiet_seconds: webhook.quiet.as_secs_f64(),
        longest_wait_seconds: webhook.longest_wait.as_secs_f64(),
    }
}

fn address(url: Option<&url::Url>) -> Option<String> {
    url.map(|url| SafeUrl(url).to_string())
}

fn repository_report(config: &Config, repository: &Repository) -> RepositoryReport {
    RepositoryReport {
        name: repository.name.to_string(),
        repository: repository.repository.clone(),
        access_token: repository.access_token.as_ref().map(ToString::to_string),
        write_token: repository.write_token.as_ref().map(ToString::to_string),
        access_token_here: here(repository.access_token.as_ref()),
        write_token_here: here(repository.write_token.as_ref()),
        webhook_secret: repository.webhook_secret.as_ref().map(ToString::to_string),
        webhook_secret_here: here(repository.webhook_secret.as_ref()),
        groups: repository.groups.iter().map(ToString::to_string).collect(),
        space: repository.space.to_string(),
        timezone: repository.timezone.name(),
        retention: config.retention_of(repository),
        objectives: config.objectives_of(repository),
        contacts: repository.contacts.clone(),
        priority: repository.priority,
        asset_hosts: repository.asset_hosts.clone(),
        content_api: address(repository.content_api.as_ref()),
        asset_api: address(repository.asset_api.as_ref()),
        types_api: address(repository.types_api.as_ref()),
        migration_api: address(repository.migration_api.as_ref()),
        defined: repository.defined.to_string(),
    }
}

fn replica_report(config: &Config, repositories: &[&Repository], replica: &Replica) -> ReplicaReport {
    let own = |repository: &&Repository| {
        Some((repository.name.to_string(), config.retention_on(repository, replica)?))
    };
    let (sse, kms_key) = match &replica.encryption {
        None => (None, None),
        Some(ServerEncryption::Aes256) => (Some("AES256"), None),
        Some(ServerEncryption::Kms { key }) => (Some("aws:kms"), key.clone()),
    };
    ReplicaReport {
        name: replica.name.to_string(),
        url: SafeUrl(&replica.url).to_string(),
        region: replica.region.clone(),
        endpoint: address(replica.endpoint.as_ref()),
        force_path_style: replica.force_path_style,
        profile: replica.profile.clone(),
        retention: repositories.iter().filter_map(own).collect(),
        storage_class: replica.storage_class.clone(),
        sse,
        kms_key,
        object_lock: replica
            .object_lock
            .map(|rule| ObjectLockReport { mode: rule.mode, days: rule.window.num_days() }),
        defined: replica.defined.to_string(),
    }
}

fn page(report: &Report, config: &Config, of: &[&Repository]) -> Page {
    let mut repositories = Table::new(["repository", "at Prismic", "space", "groups", "defined"])
        .spare(&["space", "groups", "defined"]);
    for repository in &report.repositories {
        repositories.row([
            repository.name.clone().into(),
            repository.repository.clone().into(),
            repository.space.clone().into(),
            repository.groups.join(" ").into(),
            repository.defined.clone().into(),
        ]);
    }
    let mut tokens = Table::new(["token", "of", "where"]);
    for repository in of {
        for (name, token) in
            [("access_token", &repository.access_token), ("write_token", &repository.write_token)]
        {
            tokens.row([name.into(), repository.name.to_string().into(), state(token.as_ref())]);
        }
        if let Some(secret) = &repository.webhook_secret {
            tokens.row(["webhook_secret".into(), repository.name.to_string().into(), state(Some(secret))]);
        }
    }
    let mut replicas = Table::new(["replica", "address", "defined"]);
    for replica in &report.replicas {
        replicas.row([
            replica.name.clone().into(),
            replica.url.clone().into(),
            replica.defined.clone().into(),
        ]);
    }
    let mut retention = Table::new(["repository", "on", "keeps", "time zone"]);
    for repository in &report.repositories {
        let keeps =
            repository.retention.as_ref().map_or_else(|| "everything".to_owned(), ToString::to_string);
        let mut row = |on: &str, keeps: String| {
            retention.row([
                repository.name.clone().into(),
                on.into(),
                keeps.into(),
                repository.timezone.into(),
            ]);
        };
        row("all", keeps);
        for replica in &report.replicas {
            if let Some(policy) = replica.retention.get(&repository.name) {
                row(&replica.name, policy.to_string());
            }
        }
    }
    let promised = objectives_table(report);
    let pinned = match (&report.vault.id, &report.vault.root) {
        (Some(id), Some(_)) => format!("vault {id}, pinned with its root key"),
        (Some(id), None) => format!("vault {id}, root key not pinned"),
        (None, _) => "vault not pinned".to_owned(),
    };
    Page::new()
        .line(format!("{} is good", report.file.display()))
        .line(format!("{pinned}; a snapshot counts with {} of its copies", report.vault.min_copies))
        .line("")
        .table(repositories)
        .line("")
        .table(tokens)
        .line("")
        .table(replicas)
        .table(retention)
        .table(promised)
        .line("")
        .table(keys_table(config))
        .table(notifications_table(config))
        .table(people_table(config))
        .table(contacts_table(of))
}

/// Who signs decisions about drills; no table where nobody is named.
fn people_table(config: &Config) -> Table {
    let mut people = Table::new(["person", "may", "key"]);
    for person in &config.people {
        let may = if person.may_sign_off { "sign off at gates" } else { "-" };
        people.row([person.name.clone().into(), may.into(), person.key.clone().into()]);
    }
    people
}

/// Whom to call; no table where nobody is named.
fn contacts_table(of: &[&Repository]) -> Table {
    let mut contacts = Table::new(["repository", "when it is lost, call"]);
    for repository in of.iter().filter(|own| !own.contacts.is_empty()) {
        contacts.row([repository.name.to_string().into(), repository.contacts.join(", ").into()]);
    }
    contacts
}

fn keys_table(config: &Config) -> Table {
    let mut keys = Table::new(["key", "where"]);
    for (name, key) in [
        ("operator", &config.keys.operator),
        ("signing", &config.keys.signing),
        ("maintenance", &config.keys.maintenance),
        ("recovery", &config.keys.recovery),
        ("root", &config.keys.root),
    ] {
        let elsewhere = matches!(name, "recovery" | "root") && here(key.as_ref()) == Some(false);
        let note = if elsewhere { " (it belongs elsewhere)" } else { "" };
        keys.row([name.into(), state(key.as_ref()).and(Style::Dim, note)]);
    }
    keys
}

fn notifications_table(config: &Config) -> Table {
    let mut notifications = Table::new(["notification", "kind", "where"]);
    for notification in &config.notifications {
        let place = match (&notification.target, notification.target.secret()) {
            (_, Some(secret)) => state(Some(secret)),
            (Target::Hooks(_), None) => Text::styled(Style::Dim, "programs on this machine"),
            (_, None) => Text::styled(Style::Dim, "needs no secret"),
        };
        notifications.row([notification.name.to_string().into(), notification.target.kind().into(), place]);
    }
    notifications
}

fn objectives_table(report: &Report) -> Table {
    let mut table = Table::new(["repository", "rpo", "rto", "verified within", "rehearsed within", "copies"]);
    for repository in &report.repositories {
        let Objectives { rpo, rto, verified_within, drilled_within, copies } = &repository.objectives;
        let span = |within: &Option<crate::config::Within>| -> Text {
            within.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string).into()
        };
        table.row([
            repository.name.clone().into(),
            span(rpo),
            span(rto),
            span(verified_within),
            span(drilled_within),
            copies.map_or_else(|| "-".to_owned(), |copies| copies.to_string()).into(),
        ]);
    }
    table
}
