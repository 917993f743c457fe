//! Opening the vault that the configuration describes, with the keys that are here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Context;
use super::error::{CommandError, ErrorKind};
use super::places::Places;
use crate::config::{Config, Replica as ReplicaConfig, SecretRef};
use crate::limits::Limits;
use crate::objects::url::{Opening, ReplicaOptions, open_replica};
use crate::objects::{ErrorKind as StoreErrorKind, StoreError};
use crate::secret::Secret;
use crate::vault::envelope::Identity;
use crate::vault::error::{ErrorKind as VaultErrorKind, VaultError};
use crate::vault::open::{Keys, OpenOptions, Pins, Vault};
use crate::vault::replica::{Replica, Replicas, with_causes};
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

    /// Opens the vault of a configuration that was loaded before; takes the one that
    /// [`Context::vault`] holds, where a job opened it with this configuration already.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn open_with(
        context: &Context,
        config: Config,
        identities: &IdentityOptions,
    ) -> Result<Self, CommandError> {
        if let Some(vault) = &context.vault {
            return Ok(Self { config, vault: Arc::clone(vault) });
        }
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
        let replicas = open_replicas(&config, context).await?;
        Self::open_on(replicas, places, context, config, identities).await
    }

    /// As [`open_from`](Self::open_from), on replicas that are open already.
    pub(super) async fn open_on(
        replicas: Replicas,
        places: Places,
        context: &Context,
        config: Config,
        identities: &IdentityOptions,
    ) -> Result<Self, CommandError> {
        let vault = Arc::new(open_vault(replicas, places, context, &config, identities).await?);
        context.record.opened(&vault, &config.audit);
        Ok(Self { config, vault })
    }

    /// Shows what people should know of the vault; at the end of a command.
    pub fn warn(&self, context: &Context) {
        for warning in self.vault.warnings() {
            context.output.warning(format!("{}: {}", warning.subject, warning.detail));
        }
    }
}

/// Opens a vault that no command is about, so that nothing is entered into its audit log.
///
/// # Errors
///
/// As [`Session::open_on`].
pub(super) async fn open_vault(
    replicas: Replicas,
    places: Places,
    context: &Context,
    config: &Config,
    identities: &IdentityOptions,
) -> Result<Vault, CommandError> {
    let keys = load_keys(config, identities, context)?;
    let root = config.vault.root.as_deref().map(str::parse::<VerifyingKey>).transpose();
    let options = OpenOptions {
        limits: config.limits.clone(),
        clock: Arc::clone(&context.clock),
        keys,
        pins: Pins {
            vault: config.vault.id,
            root: root.map_err(|error| in_config(config, "root in [vault]", error))?,
        },
        cache: context.cache.then_some(places.cache),
        state: Some(places.state),
        spool: places.spool,
    };
    let mut vault = Vault::open(replicas, options).await?;
    vault.run = Some(context.run.clone());
    vault.know_people(config.people.iter().filter_map(|person| person.key.parse().ok()).collect());
    Ok(vault)
}

fn in_config(config: &Config, what: &str, error: VaultError) -> CommandError {
    CommandError::because(
        ErrorKind::Configuration,
        format!("{what} of {} cannot be used", config.file.display()),
        error,
    )
}

/// Reads the keys that are here. One that is not belongs elsewhere: the command that needs it
/// fails, and says by [`Keys::absent`] where it was looked for.
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
    let (limits, configured) = (&config.limits, &config.keys);
    for (name, reference) in [
        ("operator", &configured.operator),
        ("recovery", &configured.recovery),
        ("privacy", &configured.privacy),
    ] {
        match load_key(name, reference.as_ref(), limits, Identity::parse, context) {
            Ok(identity) => keys.identities.push(identity),
            Err(why) => drop(keys.absent.insert(name, why)),
        }
    }
    for (name, reference, key) in [
        ("signing", &configured.signing, &mut keys.signing),
        ("maintenance", &configured.maintenance, &mut keys.maintenance),
    ] {
        match load_key(name, reference.as_ref(), limits, SigningKey::parse, context) {
            Ok(found) => *key = Some(found),
            Err(why) => drop(keys.absent.insert(name, why)),
        }
    }
    let privacy = configured.privacy_signing.as_ref();
    match load_key("privacy_signing", privacy, limits, SigningKey::parse, context) {
        Ok(found) => keys.further.push(found),
        Err(why) => drop(keys.absent.insert("privacy_signing", why)),
    }
    Ok(keys)
}

/// Reads one key, or says why it is not here. One that is here and cannot be used is like one
/// that is not, with a warning.
fn load_key<K>(
    name: &str,
    reference: Option<&SecretRef>,
    limits: &Limits,
    parse: impl Fn(&Secret) -> Result<K, VaultError>,
    context: &Context,
) -> Result<K, String> {
    let Some(reference) = reference else { return Err(format!("[keys] has no `{name}`")) };
    if let Some(absence) = reference.absence() {
        return Err(format!("`{name}` in [keys]: {absence}"));
    }
    let read = match reference.resolve(limits).map(|secret| parse(&secret)) {
        Ok(Ok(key)) => return Ok(key),
        Ok(Err(error)) => with_causes(&error),
        Err(error) => with_causes(&error),
    };
    context.output.warning(format!("{name} in [keys] ({reference}) cannot be used: {read}"));
    Err(format!("`{name}` in [keys] ({reference}) cannot be used"))
}

/// Opens every replica of the configuration; one that cannot be opened is absent, not an error.
async fn open_replicas(config: &Config, context: &Context) -> Result<Replicas, CommandError> {
    let (mut open, mut absent) = (Vec::new(), Vec::new());
    for (replica, opened) in open_each(config, context).await? {
        match opened {
            Ok(store) => open.push(store),
            Err(error) => absent.push((replica.name.to_string(), error)),
        }
    }
    // Nothing can be done before this is set, and a mended replica would not help.
    if open.is_empty() && absent.iter().all(|(_, error)| error.kind == UNCONFIGURED) {
        let (name, error) = absent.swap_remove(0);
        return Err(CommandError::from(error).within(format!("cannot open the replica {name}")));
    }
    Ok(Replicas::with_absent(open, absent, config.vault.min_copies))
}

/// Opens every replica of the configuration, or says what is wrong with it.
pub(super) async fn open_each<'a>(
    config: &'a Config,
    context: &Context,
) -> Result<Vec<(&'a ReplicaConfig, Result<Replica, VaultError>)>, CommandError> {
    if config.replicas.is_empty() {
        return Err(CommandError::new(
            ErrorKind::Configuration,
            format!("{} names no replica", config.file.display()),
        )
        .hint("add [[replicas]] with name and url: a directory (file:///…) or a bucket (s3://…)"));
    }
    let mut opened = Vec::new();
    for replica in &config.replicas {
        let store = open_one(replica, Opening::Existing, config, context).await;
        opened.push((replica, store.map_err(with_step)));
    }
    Ok(opened)
}

const UNCONFIGURED: VaultErrorKind = VaultErrorKind::Store(StoreErrorKind::Unconfigured);

/// Says what to do about a place that is not there.
fn with_step(error: StoreError) -> VaultError {
    let missing = error.kind == StoreErrorKind::NotFound;
    let error = VaultError::from(error);
    match missing {
        true => error.hint(
            "a disk or share that is not mounted? mount it; a new replica? `prismvault init` makes it, then \
             `prismvault repair` brings what it lacks",
        ),
        false => error,
    }
}

/// Opens one replica of the configuration.
pub(super) async fn open_one(
    replica: &ReplicaConfig,
    opening: Opening,
    config: &Config,
    context: &Context,
) -> Result<Replica, StoreError> {
    let options = ReplicaOptions {
        opening,
        region: replica.region.clone(),
        endpoint: replica.endpoint.clone(),
        force_path_style: replica.force_path_style,
        profile: replica.profile.clone(),
        progress: Arc::clone(&context.progress),
        storage_class: replica.storage_class.clone(),
        encryption: replica.encryption.clone(),
        lock: replica.object_lock,
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
