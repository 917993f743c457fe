//! Files of keys: made by `init` where the configuration says, or used when they are there.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::{CommandError, ErrorKind};
use crate::config::{Config, SecretRef};
use crate::secret::Secret;
use crate::vault::envelope::Identity;
use crate::vault::error::VaultError;
use crate::vault::signing::SigningKey;

/// Directory for keys, where the configuration names none.
pub(super) const KEYS_DIR: &str = "keys";

/// The keys of a vault, and where they are made beside a new configuration.
pub(super) fn key_files() -> [(&'static str, String); 4] {
    let files = [
        ("operator", "operator.txt"),
        ("signing", "signing.key"),
        ("recovery", "recovery.txt"),
        ("root", "root.key"),
    ];
    files.map(|(key, file)| (key, format!("{KEYS_DIR}/{file}")))
}

/// A key that was made or found.
#[derive(Debug, Clone, Serialize)]
pub(super) struct KeyFile {
    pub(super) name: &'static str,
    pub(super) file: PathBuf,
    pub(super) made: bool,
}

/// Makes keys that are not there yet, and remembers all it gave.
pub(super) struct KeyMaker<'a> {
    config: &'a Config,
    pub(super) files: Vec<KeyFile>,
}

impl<'a> KeyMaker<'a> {
    pub(super) fn new(config: &'a Config) -> Self {
        Self { config, files: Vec::new() }
    }

    /// Returns an age identity; `comment` goes into its file.
    pub(super) fn identity(
        &mut self,
        name: &'static str,
        reference: Option<&SecretRef>,
        comment: &str,
    ) -> Result<Identity, CommandError> {
        self.key(name, reference, comment, Identity::parse, Identity::generate, Identity::to_secret_text)
    }

    /// Returns a signing key; `comment` goes into its file.
    pub(super) fn signing_key(
        &mut self,
        name: &'static str,
        reference: Option<&SecretRef>,
        comment: &str,
    ) -> Result<SigningKey, CommandError> {
        self.key(
            name,
            reference,
            comment,
            SigningKey::parse,
            SigningKey::generate,
            SigningKey::to_secret_text,
        )
    }

    /// Returns a signing key if its file is there; nothing is made.
    pub(super) fn found_signing_key(
        &mut self,
        name: &'static str,
        reference: Option<&SecretRef>,
    ) -> Result<Option<SigningKey>, CommandError> {
        match key_file(self.config, name, reference)? {
            (_, None) => Ok(None),
            (_, Some(_)) => self.signing_key(name, reference, "").map(Some),
        }
    }

    /// Remembers the other keys of the configuration whose files are there.
    pub(super) fn find_others(&mut self) {
        let keys = &self.config.keys;
        for (name, reference) in
            [("signing", &keys.signing), ("operator", &keys.operator), ("recovery", &keys.recovery)]
        {
            if let Some(SecretRef::File { path }) = reference
                && path.exists()
            {
                self.files.push(KeyFile { name, file: path.clone(), made: false });
            }
        }
    }

    fn key<K>(
        &mut self,
        name: &'static str,
        reference: Option<&SecretRef>,
        comment: &str,
        parse: impl Fn(&Secret) -> Result<K, VaultError>,
        generate: impl Fn() -> K,
        text: impl Fn(&K, &str) -> Secret,
    ) -> Result<K, CommandError> {
        let (file, there) = key_file(self.config, name, reference)?;
        let made = there.is_none();
        let key = match there {
            Some(secret) => parse(&secret).map_err(|error| {
                let sentence = format!("{} cannot be used", file.display());
                CommandError::because(ErrorKind::Configuration, sentence, error)
            })?,
            None => {
                let new = generate();
                let text = text(&new, &format!("prismvault {comment}"));
                write_new(&file, text.expose().as_bytes(), 0o600)?;
                new
            }
        };
        self.files.push(KeyFile { name, file, made });
        Ok(key)
    }
}

/// Returns the file of a key and, when it exists, what is in it.
fn key_file(
    config: &Config,
    name: &str,
    reference: Option<&SecretRef>,
) -> Result<(PathBuf, Option<Secret>), CommandError> {
    let file = match reference {
        Some(SecretRef::File { path }) => path.clone(),
        Some(other) => return Ok((PathBuf::from(other.to_string()), Some(other.resolve(&config.limits)?))),
        None => {
            return Err(CommandError::new(
                ErrorKind::Configuration,
                format!("{} does not say where the key `{name}` is to be made", config.file.display()),
            )
            .hint(format!(
                "add, or as much of it as you need:\n[keys]\n{}",
                key_files().map(|(key, file)| format!("{key} = {{ file = \"{file}\" }}")).join("\n")
            )));
        }
    };
    let there = if file.exists() {
        Some(SecretRef::File { path: file.clone() }.resolve(&config.limits)?)
    } else {
        None
    };
    Ok((file, there))
}

/// Writes a file that must not exist yet, durably; keys are for their owner only.
pub(super) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CommandError> {
    let write = || {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        super::places::private_directory(parent)?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        let mut file = options.open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::File::open(parent)?.sync_all()
    };
    write().map_err(|error| cannot_write(path, error))
}

pub(super) fn cannot_write(path: &Path, error: std::io::Error) -> CommandError {
    CommandError::because(ErrorKind::Failed, format!("cannot write {}", path.display()), error)
}
