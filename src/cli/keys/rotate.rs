//! `prismvault keys rotate`: a new key file in the place of one.
//!
//! The new key is made beside the old file, as `FILE.new`, and takes its name only when the vault
//! trusts it. A run that was stopped finds it there and goes on with it.

use std::path::{Path, PathBuf};

use super::change::{Options, make};
use super::{read_signing_key, root_key};
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::keyfiles::{cannot_write, write_new};
use crate::cli::record::Lent;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::{Context, Outcome};
use crate::clock::compact;
use crate::config::SecretRef;
use crate::keys::Change;
use crate::secret::Secret;
use crate::vault::envelope::Identity;
use crate::vault::signing::SigningKey;

/// Arguments of `keys rotate`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["signing", "maintenance", "root", "recovery", "operator", "privacy", "privacy_signing"]))]
pub(super) struct Args {
    /// The key that signs snapshots
    #[arg(long)]
    signing: bool,
    /// The key that signs removals, where it is another
    #[arg(long)]
    maintenance: bool,
    /// The root key; the pin in configurations stays the first one
    #[arg(long)]
    root: bool,
    /// The identity that reads content
    #[arg(long)]
    recovery: bool,
    /// The identity that reads catalogs
    #[arg(long)]
    operator: bool,
    /// The identity that reads cases of data-subject requests
    #[arg(long)]
    privacy: bool,
    /// The key that signs what happens to cases
    #[arg(long)]
    privacy_signing: bool,
    /// Show what would be done and why, and stop
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask before headers that the old identity can open are destroyed
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

/// The files of a rotation.
struct Files {
    /// Where the configuration says that the key is.
    file: PathBuf,
    /// Where its successor waits.
    new: PathBuf,
    dry_run: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let mut session = context.record.lend(Session::open(context, &args.identity).await?);
    let keys = session.config.keys.clone();
    let (name, reference) = if args.signing {
        ("signing", keys.signing)
    } else if args.maintenance {
        ("maintenance", keys.maintenance)
    } else if args.root {
        ("root", keys.root)
    } else if args.recovery {
        ("recovery", keys.recovery)
    } else if args.privacy {
        ("privacy", keys.privacy)
    } else if args.privacy_signing {
        ("privacy_signing", keys.privacy_signing)
    } else {
        ("operator", keys.operator)
    };
    let Some(SecretRef::File { path }) = reference else {
        return Err(CommandError::new(
            ErrorKind::Configuration,
            format!("{} does not name a file for the key `{name}`", session.config.file.display()),
        )
        .hint("make a key where it belongs with `prismvault keys generate`, then `prismvault keys add` the new and `keys remove` the old"));
    };
    let mut new = path.clone().into_os_string();
    new.push(".new");
    let files = Files { file: path, new: new.into(), dry_run: args.dry_run };
    let options = Options {
        dry_run: args.dry_run,
        yes: args.yes,
        expect_plan: None,
        identity: IdentityOptions::default(),
    };
    let changes = match name {
        "recovery" | "operator" | "privacy" => replace_identity(&files, &mut session)?,
        _ => replace_signing_key(name, &files, &mut session)?,
    };
    let outcome = make(&changes, &options, &mut session, context).await?;
    if !args.dry_run {
        let kept = files.swap(context)?;
        if let Some(kept) = kept {
            context.output.message(format!(
                "{} holds the new key. The old one is kept as {}: destroy it when every replica was rewrapped",
                files.file.display(),
                kept.display()
            ));
        }
    }
    Ok(outcome)
}

fn replace_signing_key(
    name: &str,
    files: &Files,
    session: &mut Lent<'_>,
) -> Result<Vec<Change>, CommandError> {
    let old = match files.file.exists() {
        true => Some(read_signing_key(&SecretRef::File { path: files.file.clone() }, &session.config)?),
        // Stopped between two renames.
        false if files.new.exists() => None,
        false => return Err(not_here(name, &files.file)),
    };
    if root_key(&session.config)?.is_none() && !files.new.exists() {
        return Err(CommandError::new(
            ErrorKind::Configuration,
            "changing who is trusted needs the root key, which is not here",
        )
        .hint("bring root.key from where it is kept and set `root` in [keys] to it"));
    }
    let new = files.successor(session, SigningKey::parse, SigningKey::generate, |key| {
        key.to_secret_text(&format!("prismvault {name} key"))
    })?;
    let public = new.public().clone();
    if name == "root" {
        return Ok(vec![Change::SetRoot(public)]);
    }
    let trust = &session.vault.trust;
    let signs = |key: &SigningKey| trust.signers.iter().any(|signer| signer.key == *key.public());
    if !signs(&new) && !old.as_ref().is_some_and(signs) {
        return Err(CommandError::new(
            ErrorKind::Configuration,
            format!(
                "the newest trust record does not name {}, so nothing can take its place",
                files.file.display()
            ),
        )
        .hint(
            "`prismvault keys list` shows who signs; `prismvault keys add --signing` lets a new key sign",
        ));
    }
    session.vault_mut().take_keys(Some(new), Vec::new());
    Ok(old.map(|old| Change::ReplaceSigner(old.public().clone(), public)).into_iter().collect())
}

fn replace_identity(files: &Files, session: &mut Lent<'_>) -> Result<Vec<Change>, CommandError> {
    let old = match files.file.exists() {
        true => {
            let secret = SecretRef::File { path: files.file.clone() }.resolve(&session.config.limits)?;
            Some(Identity::parse(&secret)?.recipient())
        }
        false if files.new.exists() => None,
        false => return Err(not_here("identity", &files.file)),
    };
    let new = files.successor(session, Identity::parse, Identity::generate, |identity| {
        identity.to_secret_text("prismvault identity")
    })?;
    let recipient = new.recipient();
    session.vault_mut().take_keys(None, vec![new]);
    Ok(old.map(|old| Change::ReplaceRecipient(old, recipient)).into_iter().collect())
}

fn not_here(name: &str, file: &Path) -> CommandError {
    CommandError::new(
        ErrorKind::Configuration,
        format!("{} is not here, so the key `{name}` cannot be rotated on this machine", file.display()),
    )
    .hint("bring it, or add the new key with `prismvault keys add` and remove the old with `prismvault keys remove`")
}

impl Files {
    /// Returns the key that takes the place of the old one: that of a run that was stopped, or a
    /// new one. A dry run makes one that it forgets.
    fn successor<K>(
        &self,
        session: &Session,
        parse: impl Fn(&Secret) -> Result<K, crate::vault::error::VaultError>,
        generate: impl Fn() -> K,
        text: impl Fn(&K) -> Secret,
    ) -> Result<K, CommandError> {
        if self.new.exists() {
            let secret = SecretRef::File { path: self.new.clone() }.resolve(&session.config.limits)?;
            return parse(&secret).map_err(|error| {
                let sentence = format!("{} cannot be used", self.new.display());
                CommandError::because(ErrorKind::Configuration, sentence, error)
                    .hint("a run that was stopped may have left it half written: remove it if no trust record names it")
            });
        }
        let key = generate();
        if !self.dry_run {
            write_new(&self.new, text(&key).expose().as_bytes(), 0o600)?;
        }
        Ok(key)
    }

    /// Gives the new key the name of the old, which is kept under another; returns that name.
    fn swap(&self, context: &Context) -> Result<Option<PathBuf>, CommandError> {
        let mut kept = None;
        if self.file.exists() {
            let mut retired = self.file.clone().into_os_string();
            retired.push(format!(".retired-{}", compact(context.clock.now())));
            let retired = PathBuf::from(retired);
            std::fs::rename(&self.file, &retired).map_err(|error| cannot_write(&retired, error))?;
            kept = Some(retired);
        }
        std::fs::rename(&self.new, &self.file).map_err(|error| cannot_write(&self.file, error))?;
        let parent = self.file.parent().filter(|parent| !parent.as_os_str().is_empty());
        std::fs::File::open(parent.unwrap_or(Path::new(".")))
            .and_then(|directory| directory.sync_all())
            .map_err(|error| cannot_write(&self.file, error))?;
        Ok(kept)
    }
}
