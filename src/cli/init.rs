//! `prismvault init`: makes keys, and the vault on every replica.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::output::Page;
use super::session::{address_of, open_one};
use super::text::{Style, Text};
use super::{Context, Session};
use crate::config::{Config, ConfigErrorKind, FILE_NAME, SecretRef, Starter, StarterRepository, pin_lines};
use crate::ids::{Name, VaultId};
use crate::objects::url::Opening;
use crate::secret::Secret;
use crate::vault::envelope::{Identity, Recipient};
use crate::vault::error::ErrorKind as VaultErrorKind;
use crate::vault::init::{NewVault, init, join};
use crate::vault::replica::Replica;
use crate::vault::signing::SigningKey;

/// Directory for keys, where the configuration names none.
const KEYS_DIR: &str = "keys";

/// Arguments of `init`.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Make a vault whose content anyone with access to a replica can read
    #[arg(long, conflicts_with_all = ["recovery_recipient", "operator_recipient"])]
    no_encryption: bool,
    /// age public key that reads content, in place of a new recovery identity; may be repeated
    #[arg(long, value_name = "AGE1…")]
    recovery_recipient: Vec<Recipient>,
    /// Further age public key that reads catalogs
    #[arg(long, value_name = "AGE1…")]
    operator_recipient: Vec<Recipient>,
    /// Where the vault goes, when there is no configuration yet: a directory or s3://bucket/prefix
    #[arg(long, value_name = "DIR_OR_URL")]
    to: Option<String>,
    /// Prismic's name of the repository for the new configuration
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
}

#[derive(Serialize)]
struct Report {
    vault: VaultId,
    root: String,
    encrypted: bool,
    replicas: Vec<String>,
    added_replicas: Vec<String>,
    keys: Vec<KeyFile>,
    configuration: PathBuf,
    configuration_written: bool,
    pin: String,
}

/// A key that was made or found.
#[derive(Debug, Clone, Serialize)]
pub(super) struct KeyFile {
    name: &'static str,
    file: PathBuf,
    made: bool,
}

/// Makes keys and the vault; adds empty replicas to a vault that the others hold.
///
/// # Errors
///
/// When a replica holds something else, a key file cannot be written, or nothing says where the
/// vault goes.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let repository = args.repository.as_deref().map(NewRepository::plain).transpose()?;
    let report = match context.config_file() {
        Ok(file) => {
            if let Some(to) = &args.to {
                return Err(CommandError::new(
                    ErrorKind::Usage,
                    format!(
                        "{} exists and says where the vault is, so --to {to} is not taken",
                        file.display()
                    ),
                )
                .hint("add a replica to the file, or run this in another directory"));
            }
            with_config(&args, Config::load(&file)?, context).await?
        }
        Err(error) if error.kind() == ConfigErrorKind::Missing && context.config.is_none() => {
            let to = match args.to.clone() {
                Some(to) => to,
                None => ask_for_place()?,
            };
            without_config(&args, &to, repository.as_ref(), context).await?
        }
        Err(error) => return Err(error.into()),
    };
    context.output.report(&report, || page(&report))?;
    Ok(Outcome::Complete)
}

/// A repository for the starter configuration.
pub(super) struct NewRepository {
    pub(super) name: Name,
    pub(super) repository: String,
    pub(super) endpoints: Vec<(&'static str, url::Url)>,
}

impl NewRepository {
    /// Returns the repository of that name at Prismic.
    pub(super) fn plain(repository: &str) -> Result<Self, CommandError> {
        let wrong = |error: &dyn std::fmt::Display| CommandError::new(ErrorKind::Usage, error.to_string());
        crate::prismic::endpoints::check_repository_name(repository).map_err(|error| wrong(&error))?;
        let name = repository.parse().map_err(|error| wrong(&error))?;
        Ok(Self { name, repository: repository.to_owned(), endpoints: Vec::new() })
    }
}

/// Makes keys, vault and a starter configuration in the working directory, and says what is kept
/// where. The first run of `snapshot --to`.
pub(super) async fn first_run(
    to: &str,
    repository: &NewRepository,
    context: &Context,
) -> Result<(), CommandError> {
    let report = without_config(&Args::default(), to, Some(repository), context).await?;
    for line in page(&report).render(false).lines() {
        context.output.message(line);
    }
    Ok(())
}

fn ask_for_place() -> Result<String, CommandError> {
    use std::io::IsTerminal as _;
    let missing = || {
        CommandError::new(
            ErrorKind::Usage,
            format!("there is no {FILE_NAME} here and nothing says where the vault is to go"),
        )
        .hint("prismvault init --to ./vault --repository NAME")
        .hint("or write a configuration first: `prismvault init` takes the replicas from it")
    };
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(missing());
    }
    let mut terminal = std::io::stderr();
    let asked = terminal
        .write_all(b"Where is the vault to go (a directory, or s3://bucket/prefix)? ")
        .and_then(|()| terminal.flush());
    let mut answer = String::new();
    asked
        .and_then(|()| std::io::stdin().read_line(&mut answer))
        .map_err(|error| CommandError::because(ErrorKind::Failed, "cannot ask", error))?;
    match answer.trim() {
        "" => Err(missing()),
        place => Ok(place.to_owned()),
    }
}

async fn without_config(
    args: &Args,
    to: &str,
    repository: Option<&NewRepository>,
    context: &Context,
) -> Result<Report, CommandError> {
    let url = address_of(to)?;
    let name: Name = if url.scheme() == "s3" { "bucket" } else { "local" }.parse().expect("both are names");
    let files = key_files();
    let wanted: Vec<(&str, &str)> = files
        .iter()
        .filter(|(key, _)| match *key {
            "operator" => !args.no_encryption,
            "recovery" => !args.no_encryption && args.recovery_recipient.is_empty(),
            _ => true,
        })
        .map(|(key, file)| (*key, file.as_str()))
        .collect();
    let endpoints: Vec<_> = repository
        .iter()
        .flat_map(|repository| &repository.endpoints)
        .map(|(key, url)| (*key, url))
        .collect();
    let token =
        |name: &'static str| std::env::var_os(name).is_some_and(|value| !value.is_empty()).then_some(name);
    let replicas = [(name, url)];
    let starter = |pins: Option<(VaultId, &str)>| {
        let starter = Starter {
            repository: repository.map(|repository| StarterRepository {
                name: &repository.name,
                repository: &repository.repository,
                access_token_env: token("PRISMIC_ACCESS_TOKEN"),
                write_token_env: token("PRISMIC_WRITE_TOKEN"),
                endpoints: &endpoints,
            }),
            replicas: &replicas,
            pins,
            keys: &wanted,
        };
        starter.render()
    };
    write_starter(Path::new(""), args, starter, context).await
}

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

/// Makes keys and an encrypted vault from nothing, as the first run does, in a directory: with
/// the configuration that `starter` renders, which is left there with its pins.
pub(super) async fn start_in(
    directory: &Path,
    starter: impl Fn(Option<(VaultId, &str)>) -> String,
    context: &Context,
) -> Result<(), CommandError> {
    write_starter(directory, &Args::default(), starter, context).await.map(drop)
}

/// Makes keys and the vault by a new configuration, and leaves it, with its pins, in `directory`
/// (empty: the working directory).
async fn write_starter(
    directory: &Path,
    args: &Args,
    starter: impl Fn(Option<(VaultId, &str)>) -> String,
    context: &Context,
) -> Result<Report, CommandError> {
    let file = directory.join(FILE_NAME);
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    // Checked as a whole before anything is made: what is written must load.
    let draft = tempfile::Builder::new()
        .suffix(".toml")
        .tempfile_in(here)
        .map_err(|error| cannot_write(&file, error))?;
    draft.as_file().write_all(starter(None).as_bytes()).map_err(|error| cannot_write(&file, error))?;
    let config = Config::load(draft.path())?;
    let mut report = make(args, &config, context).await?;
    let text = starter(Some((report.vault, &report.root)));
    write_new(&file, text.as_bytes(), 0o644)?;
    report.configuration = file;
    report.configuration_written = true;
    Ok(report)
}

async fn with_config(args: &Args, config: Config, context: &Context) -> Result<Report, CommandError> {
    make(args, &config, context).await
}

/// Makes what is missing: keys first, durably, then the vault on every replica.
async fn make(args: &Args, config: &Config, context: &Context) -> Result<Report, CommandError> {
    let mut replicas = Vec::new();
    for replica in &config.replicas {
        replicas.push(open_one(replica, Opening::Create, config).await?);
    }
    let (mut holders, mut empty) = (Vec::new(), Vec::new());
    for replica in replicas {
        let holds = replica.find_small(crate::vault::layout::VAULT, 1 << 20).await?.is_some();
        if holds { &mut holders } else { &mut empty }.push(replica);
    }
    if !holders.is_empty() {
        return add_replicas(config, &holders, empty, context).await;
    }
    let mut keys = Vec::new();
    let root = signing_key(
        config,
        "root",
        config.keys.root.as_ref(),
        "root key of a vault: changes who is trusted",
        &mut keys,
    )?;
    let signing = signing_key(
        config,
        "signing",
        config.keys.signing.as_ref(),
        "signing key of a vault: signs snapshots",
        &mut keys,
    )?;
    let (mut content, mut operators) = (args.recovery_recipient.clone(), args.operator_recipient.clone());
    if !args.no_encryption {
        operators.push(identity(
            config,
            "operator",
            config.keys.operator.as_ref(),
            "operator identity: reads catalogs",
            &mut keys,
        )?);
        if content.is_empty() {
            content.push(identity(
                config,
                "recovery",
                config.keys.recovery.as_ref(),
                "recovery identity: reads content",
                &mut keys,
            )?);
        }
    }
    let new = NewVault {
        content_recipients: content,
        operator_recipients: operators,
        signing: signing.public().clone(),
        root: &root,
        created: context.clock.now(),
    };
    let file = init(&empty, new).await?;
    let root = root.public().to_string();
    Ok(Report {
        vault: file.vault,
        pin: pin_lines(file.vault, &root),
        root,
        encrypted: !args.no_encryption,
        replicas: empty.iter().map(|replica| replica.store.to_string()).collect(),
        added_replicas: Vec::new(),
        keys,
        configuration: config.file.clone(),
        configuration_written: false,
    })
}

/// Adds empty replicas to the vault that the others hold, after opening it with the pinned root
/// key: a vault that is not trusted is not spread.
async fn add_replicas(
    config: &Config,
    holders: &[Replica],
    empty: Vec<Replica>,
    context: &Context,
) -> Result<Report, CommandError> {
    if empty.is_empty() {
        let places: Vec<_> = holders.iter().map(|replica| replica.store.to_string()).collect();
        return Err(crate::vault::error::VaultError::new(
            VaultErrorKind::AlreadyAVault,
            format!("every replica holds a vault already ({})", places.join(", ")),
        )
        .hint("nothing is to be done; `prismvault snapshot` takes a snapshot")
        .into());
    }
    let session =
        Session::open_with(context, config.clone(), &super::session::IdentityOptions::default()).await?;
    let source = session
        .vault
        .replicas
        .live()
        .next()
        .ok_or_else(|| CommandError::new(ErrorKind::Failed, "no replica can be reached"))?;
    join(source, &session.vault.file.vault, &empty).await?;
    let root = session.vault.trust.root.to_string();
    Ok(Report {
        vault: session.vault.file.vault,
        pin: pin_lines(session.vault.file.vault, &root),
        root,
        encrypted: session.vault.is_encrypted(),
        replicas: holders.iter().chain(&empty).map(|replica| replica.store.to_string()).collect(),
        added_replicas: empty.iter().map(|replica| replica.store.to_string()).collect(),
        keys: Vec::new(),
        configuration: config.file.clone(),
        configuration_written: false,
    })
}

fn identity(
    config: &Config,
    name: &'static str,
    reference: Option<&SecretRef>,
    comment: &str,
    keys: &mut Vec<KeyFile>,
) -> Result<Recipient, CommandError> {
    let (file, there) = key_file(config, name, reference)?;
    let identity = match there {
        Some(secret) => Identity::parse(&secret).map_err(|error| {
            CommandError::because(
                ErrorKind::Configuration,
                format!("{} cannot be used", file.display()),
                error,
            )
        })?,
        None => {
            let new = Identity::generate();
            write_new(
                &file,
                new.to_secret_text(&format!("prismvault {comment}")).expose().as_bytes(),
                0o600,
            )?;
            keys.push(KeyFile { name, file, made: true });
            return Ok(new.recipient());
        }
    };
    keys.push(KeyFile { name, file, made: false });
    Ok(identity.recipient())
}

fn signing_key(
    config: &Config,
    name: &'static str,
    reference: Option<&SecretRef>,
    comment: &str,
    keys: &mut Vec<KeyFile>,
) -> Result<SigningKey, CommandError> {
    let (file, there) = key_file(config, name, reference)?;
    let made = there.is_none();
    let key = match there {
        Some(secret) => SigningKey::parse(&secret).map_err(|error| {
            CommandError::because(
                ErrorKind::Configuration,
                format!("{} cannot be used", file.display()),
                error,
            )
        })?,
        None => {
            let new = SigningKey::generate();
            write_new(
                &file,
                new.to_secret_text(&format!("prismvault {comment}")).expose().as_bytes(),
                0o600,
            )?;
            new
        }
    };
    keys.push(KeyFile { name, file, made });
    Ok(key)
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
                "add to [keys]: {name} = {{ file = \"{KEYS_DIR}/{name}.{}\" }}",
                if matches!(name, "operator" | "recovery") { "txt" } else { "key" }
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
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CommandError> {
    let write = || {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent)?;
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

fn cannot_write(path: &Path, error: std::io::Error) -> CommandError {
    CommandError::because(ErrorKind::Failed, format!("cannot write {}", path.display()), error)
}

fn page(report: &Report) -> Page {
    let bold = |text: &str| Text::styled(Style::Bold, text);
    let mut page = Page::new();
    if report.added_replicas.is_empty() {
        page = page.line(format!("Made the vault {} on {}", report.vault, report.replicas.join(", ")));
    } else {
        page = page
            .line(format!("Added {} to the vault {}", report.added_replicas.join(", "), report.vault))
            .line("They hold no snapshots yet: the next snapshot stores what it needs there, `prismvault repair` brings older ones.");
        return page;
    }
    if !report.encrypted {
        page = page
            .line("")
            .line(bold("This vault is not encrypted: whoever can read a replica can read all content."));
    }
    page = page.line("").line(bold("Keys"));
    for key in &report.keys {
        let (stays, lost) = match key.name {
            "operator" => (
                "stays on this machine; reads catalogs",
                "without it this machine cannot take snapshots (the recovery identity can stand in)",
            ),
            "signing" => (
                "stays on this machine; signs snapshots",
                "without it no new snapshots; old ones stay readable",
            ),
            "recovery" => (
                "MOVE IT ELSEWHERE, keep two copies; reads content",
                "WITHOUT IT NO BACKUP CAN BE READ, by nobody, ever",
            ),
            _ => (
                "MOVE IT ELSEWHERE, offline; changes who is trusted",
                "without it keys can never be added or replaced",
            ),
        };
        let found = if key.made { "" } else { " (was there already)" };
        page = page.line(format!("  {}{found}: {stays}", key.file.display())).line(format!("      {lost}"));
    }
    page = page.line("");
    if report.configuration_written {
        page = page.line(format!("Wrote {}; it pins vault id and root key.", report.configuration.display()));
    } else {
        page = page
            .line(bold("Add these lines to the configuration, they pin what this client trusts:"))
            .line("");
        for line in report.pin.lines() {
            page = page.line(line.to_owned());
        }
    }
    page
}
