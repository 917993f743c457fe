//! The configuration and what it refers to on this machine.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::finding::{Finding, Section};
use crate::cli::places::Places;
use crate::cli::units::counted;
use crate::config::{Config, Replica, SecretRef};

/// Checks what can be seen of a configuration that loads.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let section = Section::Configuration;
    let file = config.file.display().to_string();
    let mut findings = vec![Finding::ok(
        section,
        file.clone(),
        format!(
            "is good: {}, {}",
            counted(config.repositories.len() as u64, "repository"),
            counted(config.replicas.len() as u64, "replica")
        ),
    )];
    if config.vault.id.is_none() || config.vault.root.is_none() {
        findings.push(
            Finding::warning(section, file, "does not pin the vault and its root key")
                .because("without pins a client trusts what it sees first")
                .then("add the lines that `prismvault init` printed to [vault]"),
        );
    }
    findings.extend(failure_domains(&config.replicas));
    findings.extend(open_files(config));
    findings.extend(places());
    findings
}

/// Names replicas that one failure, or one mistake, takes away together.
fn failure_domains(replicas: &[Replica]) -> Vec<Finding> {
    let section = Section::Configuration;
    let mut findings = Vec::new();
    if let [only] = replicas {
        findings.push(
            Finding::warning(section, only.name.as_str(), "is the only replica")
                .because("a disk, an account or a mistake takes the backup away with it")
                .then("add a second one at another place, best under another account"),
        );
    }
    for (at, replica) in replicas.iter().enumerate() {
        for other in &replicas[..at] {
            let subject = format!("{} and {}", other.name, replica.name);
            if let Some(shared) = shared(other, replica) {
                findings.push(
                    Finding::warning(section, subject, format!("lie {shared}"))
                        .because("what takes away one takes away the other: they are hardly two copies")
                        .then("move one of them to another place"),
                );
            }
        }
    }
    findings
}

/// What two replicas share, to go on after "lie".
fn shared(one: &Replica, other: &Replica) -> Option<String> {
    if one.url.scheme() != other.url.scheme() {
        return None;
    }
    if one.url.scheme() == "s3" {
        let same = one.url.host_str() == other.url.host_str() && one.endpoint == other.endpoint;
        return same.then(|| format!("in one bucket ({})", one.url.host_str().unwrap_or_default()));
    }
    let device = |replica: &Replica| device_of(&replica.url.to_file_path().ok()?);
    (device(one)? == device(other)?).then(|| "on one disk or share (one device of this system)".to_owned())
}

/// The device that a path, or where it will be made, is on.
#[cfg(unix)]
fn device_of(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    path.ancestors().find_map(|path| std::fs::metadata(path).ok()).map(|metadata| metadata.dev())
}

#[cfg(not(unix))]
fn device_of(_path: &Path) -> Option<u64> {
    None
}

/// Every secret that the configuration refers to, with what it is called.
pub(super) fn secrets(config: &Config) -> Vec<(String, &SecretRef)> {
    let keys = keys(config).into_iter().map(|(name, secret)| (format!("{name} in [keys]"), secret));
    let tokens = config.repositories.iter().flat_map(|repository| {
        [
            ("access_token", &repository.access_token),
            ("write_token", &repository.write_token),
            ("webhook_secret", &repository.webhook_secret),
        ]
        .into_iter()
        .filter_map(|(key, token)| Some((format!("{key} of {}", repository.name), token.as_ref()?)))
    });
    let notifications = config.notifications.iter().filter_map(|notification| {
        Some((format!("secret of the notification {}", notification.name), notification.target.secret()?))
    });
    let header = config
        .webhook
        .iter()
        .filter_map(|webhook| Some(("header in [webhook]".to_owned(), &webhook.header.as_ref()?.value)));
    keys.chain(tokens).chain(notifications).chain(header).collect()
}

/// The keys of the configuration.
pub(super) fn keys(config: &Config) -> Vec<(&'static str, &SecretRef)> {
    let keys = &config.keys;
    [
        ("operator", &keys.operator),
        ("signing", &keys.signing),
        ("maintenance", &keys.maintenance),
        ("recovery", &keys.recovery),
        ("root", &keys.root),
        ("privacy", &keys.privacy),
        ("privacy_signing", &keys.privacy_signing),
    ]
    .into_iter()
    .filter_map(|(name, secret)| Some((name, secret.as_ref()?)))
    .collect()
}

fn open_files(config: &Config) -> Vec<Finding> {
    let open = secrets(config).into_iter().filter_map(|(name, secret)| {
        let mode = secret.open_to_others()?;
        let SecretRef::File { path } = secret else { return None };
        Some(
            Finding::warning(Section::Configuration, name, "can be read by other users of this machine")
                .because(format!("{} has the permissions {mode:03o}", path.display()))
                .then(format!("chmod 600 {}", crate::cli::text::shell_word(&path.display().to_string()))),
        )
    });
    open.collect()
}

/// Checks that this client can remember, cache and spool.
fn places() -> Vec<Finding> {
    let section = Section::Configuration;
    let places = match Places::of_environment() {
        Ok(places) => places,
        Err(error) => return vec![Finding::error(section, "state directory", error.sentences().join(": "))],
    };
    let directories = [
        ("state directory", &places.state, "what this client remembers decides whom it trusts"),
        ("cache directory", &places.cache, "without it everything is read again each time"),
        ("spool directory", &places.spool, "packs are made there before they are sent"),
    ];
    let mut findings = Vec::new();
    for (name, directory, why) in directories {
        findings.push(match try_write(directory) {
            Ok(()) => Finding::ok(section, name, format!("{} can be written", directory.display())),
            Err(error) => {
                Finding::error(section, name, format!("{} cannot be written: {error}", directory.display()))
                    .because(why)
                    .then("make it writable for the user that runs this, or name another by XDG_STATE_HOME, XDG_CACHE_HOME or TMPDIR")
            }
        });
    }
    findings
}

fn try_write(directory: &Path) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(b"prismvault tries whether it can write here\n")?;
    file.as_file().sync_all()
}

/// The directory of the configuration's replicas in which a path lies, with the replica's name.
pub(super) fn replica_around<'a>(config: &'a Config, path: &Path) -> Option<&'a Replica> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let path = real(path);
    let place = |replica: &&Replica| -> Option<PathBuf> { Some(real(&replica.url.to_file_path().ok()?)) };
    config.replicas.iter().find(|replica| place(replica).is_some_and(|place| path.starts_with(place)))
}

/// The replica whose directory is on the same disk as a file.
pub(super) fn replica_beside<'a>(config: &'a Config, path: &Path) -> Option<&'a Replica> {
    let device = device_of(path)?;
    let place = |replica: &&Replica| device_of(&replica.url.to_file_path().ok()?);
    config.replicas.iter().find(|replica| place(replica) == Some(device))
}
