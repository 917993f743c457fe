//! Opening the vault that the configuration describes, with the keys that are here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Context;
use super::error::{CommandError, ErrorKind};
use super::places::Places;
use crate::config::{Config, Replica as ReplicaConfig, SecretRef};
use crate::objects::StoreError;
use crate::objects::url::{Opening, ReplicaOptions, open_replica};
use crate::vault::envelope::Identity;
use crate::vault::error::VaultError;
use crate::vault::open::{Keys, OpenOptions, Pins, Vault};
use crate::vault::replica::{Replica, Replicas};
use crate::vault::signing::{SigningKey, VerifyingKey};

/// Options of commands that read content.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct IdentityOptions {
    /// age identity file that reads content, besides those of the configuration
    #[arg(long, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// An open vault and the configuration it was opened by.
pub struct Session {
    /// The configuration.
    pub config: Config,
    /// The vault.
    pub vault: Arc<Vault>,
}

impl Session {
    /// Opens the vault of the configuration with the keys that are here: those of the
    /// configuration whose files exist, and `identities`.
    ///
    /// # Errors
    ///
    /// A mistake in the configuration, a key that cannot be read, and those of
    /// [`Vault::open`].
    pub async fn open(context: &Context, identities: &IdentityOptions) -> Result<Self, CommandError> {
        let config = context.load_config()?;
        Self::open_with(context, config, identities).await
    }

    /// Opens the vault of a configuration that was loaded before.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn open_with(
        context: &Context,
        config: Config,
        identities: &IdentityOptions,
    ) -> Result<Self, CommandError> {
        Self::open_from(Places::of_environment()?, context, config, identities).await
    }

    /// As [`open_with`](Self::open_with), with other places for caches, memory and spool files
    /// than those of this user.
    pub(super) async fn open_from(
        places: Places,
        context: &Context,
        config: Config,
        identities: &IdentityOptions,
    ) -> Result<Self, CommandError> {
        let keys = load_keys(&config, identities, context)?;
        let replicas = open_replicas(&config).await?;
        let root = config.vault.root.as_deref().map(str::parse::<VerifyingKey>).transpose();
        let options = OpenOptions {
            limits: config.limits.clone(),
            clock: Arc::clone(&context.clock),
            keys,
            pins: Pins {
                vault: config.vault.id,
                root: root.map_err(|error| in_config(&config, "root in [vault]", error))?,
            },
            cache: context.cache.then_some(places.cache),
            state: Some(places.state),
            spool: places.spool,
        };
        let vault = Arc::new(Vault::open(replicas, options).await?);
        Ok(Self { config, vault })
    }

    /// Shows what people should know of the vault; at the end of a command.
    pub fn warn(&self, context: &Context) {
        for warning in self.vault.warnings() {
            context.output.warning(format!("{}: {}", warning.subject, warning.detail));
        }
    }
}

fn in_config(config: &Config, what: &str, error: VaultError) -> CommandError {
    CommandError::because(
        ErrorKind::Configuration,
        format!("{what} of {} cannot be used", config.file.display()),
        error,
    )
}

/// Reads the keys that are here. One whose file is missing belongs elsewhere: the command that
/// needs it says so.
fn load_keys(config: &Config, identities: &IdentityOptions, context: &Context) -> Result<Keys, CommandError> {
    let mut keys = Keys::default();
    for path in &identities.identity {
        let secret = SecretRef::File { path: path.clone() }.resolve(&config.limits)?;
        keys.identities.push(Identity::parse(&secret).map_err(|error| {
            CommandError::because(
                ErrorKind::Configuration,
                format!("{} cannot be used", path.display()),
                error,
            )
        })?);
    }
    // A key that cannot be used is like one that is not here: the command that needs it fails.
    let unusable = |name: &str, reference: &SecretRef, error: &dyn std::fmt::Display| {
        context.output.warning(format!("{name} in [keys] ({reference}) cannot be used: {error}"));
    };
    for (name, reference) in [("operator", &config.keys.operator), ("recovery", &config.keys.recovery)] {
        if let Some(reference) = reference.as_ref().filter(|reference| is_here(reference)) {
            match reference.resolve(&config.limits).map(|secret| Identity::parse(&secret)) {
                Ok(Ok(identity)) => keys.identities.push(identity),
                Ok(Err(error)) => unusable(name, reference, &error),
                Err(error) => unusable(name, reference, &error),
            }
        }
    }
    for (name, reference, key) in [
        ("signing", &config.keys.signing, &mut keys.signing),
        ("maintenance", &config.keys.maintenance, &mut keys.maintenance),
    ] {
        if let Some(reference) = reference.as_ref().filter(|reference| is_here(reference)) {
            match reference.resolve(&config.limits).map(|secret| SigningKey::parse(&secret)) {
                Ok(Ok(found)) => *key = Some(found),
                Ok(Err(error)) => unusable(name, reference, &error),
                Err(error) => unusable(name, reference, &error),
            }
        }
    }
    Ok(keys)
}

/// Whether a key is on this machine: keys that belong elsewhere are no error.
pub(super) fn is_here(reference: &SecretRef) -> bool {
    match reference {
        SecretRef::File { path } => path.exists(),
        SecretRef::Env { name } => std::env::var_os(name).is_some(),
        SecretRef::Command { .. } => true,
    }
}

/// Opens every replica of the configuration; one that cannot be opened is absent, not an error.
async fn open_replicas(config: &Config) -> Result<Replicas, CommandError> {
    if config.replicas.is_empty() {
        return Err(CommandError::new(
            ErrorKind::Configuration,
            format!("{} names no replica", config.file.display()),
        )
        .hint("add [[replicas]] with name and url: a directory (file:///…) or a bucket (s3://…)"));
    }
    let (mut open, mut absent) = (Vec::new(), Vec::new());
    for replica in &config.replicas {
        match open_one(replica, Opening::Existing, config).await {
            Ok(store) => open.push(store),
            Err(error) => absent.push((replica.name.to_string(), error.into())),
        }
    }
    Ok(Replicas::with_absent(open, absent, config.vault.min_copies))
}

/// Opens one replica of the configuration.
pub(super) async fn open_one(
    replica: &ReplicaConfig,
    opening: Opening,
    config: &Config,
) -> Result<Replica, StoreError> {
    let options = ReplicaOptions {
        opening,
        region: replica.region.clone(),
        endpoint: replica.endpoint.clone(),
        force_path_style: replica.force_path_style,
        profile: replica.profile.clone(),
        ..ReplicaOptions::default()
    };
    let store = open_replica(replica.url.as_str(), &options, &config.limits).await?;
    Ok(Replica::new(replica.name.as_str(), store))
}

/// Turns what people type for a place (`./vault`, `s3://bucket/prefix`) into the address of the
/// configuration.
pub(super) fn address_of(place: &str) -> Result<url::Url, CommandError> {
    let wrong =
        |why: String| CommandError::new(ErrorKind::Usage, format!("{place} is no place for a vault: {why}"));
    if place.contains("://") {
        return url::Url::parse(place).map_err(|error| wrong(error.to_string()));
    }
    let path = std::path::absolute(Path::new(place)).map_err(|error| wrong(error.to_string()))?;
    // Without `..`, so that the address stays true and two spellings are one.
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    url::Url::from_file_path(&plain).map_err(|()| wrong("it is not a path".to_owned()))
}
