//! `prismvault init`: makes keys, and the vault on every replica.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::keyfiles::{KeyFile, KeyMaker, cannot_write, key_files, write_new};
use super::output::Page;
use super::session::{IdentityOptions, address_of, open_one};
use super::text::{Style, Text};
use super::{Context, Session};
use crate::config::{Config, ConfigErrorKind, FILE_NAME, Starter, StarterRepository, pin_lines};
use crate::ids::{Name, VaultId};
use crate::limits::Limits;
use crate::objects::probe::{CheckName, CheckOutcome, Probe};
use crate::objects::url::Opening;
use crate::vault::abilities::{found as known_by, obstacles, probe_all, remember, require_erasable};
use crate::vault::envelope::Recipient;
use crate::vault::error::{ErrorKind as VaultErrorKind, VaultError};
use crate::vault::init::{NewVault, init, join, require_empty_places};
use crate::vault::open::vault_file_on;
use crate::vault::replica::{Replica, with_causes};

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
    /// Whether the configuration has the pins already.
    pinned: bool,
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
    let outcome = record(&report, context).await;
    context.output.report(outcome, &report, || page(&report))?;
    Ok(outcome)
}

/// Opens the vault that was made, so that its audit log begins with how it came to be.
async fn record(report: &Report, context: &Context) -> Outcome {
    let opened = async {
        let mut config = Config::load(&report.configuration)?;
        config.vault.root.get_or_insert_with(|| report.root.clone());
        Session::open_with(context, config, &IdentityOptions::default()).await
    };
    match opened.await {
        Ok(_) => Outcome::Complete,
        Err(error) => {
            context.output.warning(format!("this command is not in the audit log: {error}"));
            Outcome::Partial
        }
    }
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
    for line in page(&report).render(false, None).lines() {
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
    // Under one name, so that a killed run leaves at most one, which the next replaces.
    let draft = here.join(".prismvault-draft.toml");
    let written = std::fs::File::create(&draft).and_then(|mut file| file.write_all(starter(None).as_bytes()));
    written.map_err(|error| cannot_write(&draft, error))?;
    let config = Config::load(&draft);
    std::fs::remove_file(&draft).map_err(|error| cannot_write(&draft, error))?;
    let config = config?;
    let mut report = make(args, &config, context, IfThere::Resume).await?;
    let text = starter(Some((report.vault, &report.root)));
    write_new(&file, text.as_bytes(), 0o644)?;
    report.configuration = file;
    report.configuration_written = true;
    Ok(report)
}

async fn with_config(args: &Args, config: Config, context: &Context) -> Result<Report, CommandError> {
    let mut report = make(args, &config, context, IfThere::Refuse).await?;
    let text = std::fs::read_to_string(&config.file).unwrap_or_default();
    let has_table = text.lines().any(|line| line.trim_start().starts_with("[vault]"));
    if !report.pinned && !has_table {
        // A table at the end changes nothing that stands before it.
        let line_break = if text.ends_with('\n') { "" } else { "\n" };
        let pins =
            format!("{line_break}\n# What this client trusts; written by `prismvault init`.\n{}", report.pin);
        let appended = std::fs::OpenOptions::new()
            .append(true)
            .open(&config.file)
            .and_then(|mut file| file.write_all(pins.as_bytes()).and_then(|()| file.sync_all()));
        match appended {
            Ok(()) => (report.pinned, report.configuration_written) = (true, true),
            Err(error) => {
                context.output.warning(format!("cannot add the pins to {}: {error}", config.file.display()));
            }
        }
    }
    Ok(report)
}

/// What becomes of a vault that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IfThere {
    /// It is an error, unless there are empty replicas to add to it.
    Refuse,
    /// It is used, if the keys that are here made it.
    Resume,
}

/// Makes what is missing: keys first, durably, then the vault on every replica.
async fn make(
    args: &Args,
    config: &Config,
    context: &Context,
    if_there: IfThere,
) -> Result<Report, CommandError> {
    let mut replicas = Vec::new();
    for replica in &config.replicas {
        replicas.push(open_one(replica, Opening::Create, config, context).await?);
    }
    let (mut holders, mut empty) = (Vec::new(), Vec::new());
    for replica in replicas {
        let holds = replica.find_small(crate::vault::layout::VAULT, 1 << 20).await?.is_some();
        if holds { &mut holders } else { &mut empty }.push(replica);
    }
    if !holders.is_empty() {
        return match if_there {
            IfThere::Refuse if empty.is_empty() => {
                Err(already_there(&holders)
                .await
                .hint("it is ready, nothing was changed: `prismvault snapshot` takes a snapshot, `prismvault list` shows what it holds")
                .into())
            }
            IfThere::Refuse => join_replicas(config.clone(), &holders, empty, context).await,
            IfThere::Resume => resume(config.clone(), &holders, empty, context).await,
        };
    }
    if let Some(pinned) = config.vault.id {
        return Err(VaultError::new(
            VaultErrorKind::Refused,
            format!("{} pins the vault {pinned}, and no replica holds it", config.file.display()),
        )
        .hint("is a disk not mounted, or an address wrong? Nothing was made")
        .into());
    }
    // Before keys are made: a place that is refused leaves nothing behind.
    require_erasable(&empty, !args.no_encryption || !args.recovery_recipient.is_empty())?;
    require_empty_places(&empty).await?;
    let (empty, probes) = probe_new(empty, &config.limits, context).await?;
    let mut keys = KeyMaker::new(config);
    let root = keys.signing_key("root", config.keys.root.as_ref(), "root key: changes who is trusted")?;
    let signing =
        keys.signing_key("signing", config.keys.signing.as_ref(), "signing key: signs snapshots")?;
    let (mut content, mut operators) = (args.recovery_recipient.clone(), args.operator_recipient.clone());
    if !args.no_encryption {
        let operator = config.keys.operator.as_ref();
        operators.push(keys.identity("operator", operator, "operator identity: reads catalogs")?.recipient());
        if content.is_empty() {
            let recovery = config.keys.recovery.as_ref();
            content
                .push(keys.identity("recovery", recovery, "recovery identity: reads content")?.recipient());
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
    about(&empty, context);
    for (replica, probe) in empty.iter().zip(&probes) {
        let kept = remember(replica, &file.vault, probe, &signing).await;
        warn_of(kept.map(|()| true), replica, context);
    }
    let root = root.public().to_string();
    Ok(Report {
        vault: file.vault,
        pin: pin_lines(file.vault, &root),
        root,
        encrypted: !args.no_encryption,
        replicas: empty.iter().map(|replica| replica.store.to_string()).collect(),
        pinned: false,
        added_replicas: Vec::new(),
        keys: keys.files,
        configuration: config.file.clone(),
        configuration_written: false,
    })
}

/// Finds out what the stores of new replicas really do, so that nothing is written to one that no
/// vault can lie on, and everything in a way that is safe there.
///
/// # Errors
///
/// What was seen that no safe way leads around; nothing is left behind then.
async fn probe_new(
    replicas: Vec<Replica>,
    limits: &Limits,
    context: &Context,
) -> Result<(Vec<Replica>, Vec<Probe>), CommandError> {
    let probes = probe_all(&replicas, &*context.clock, limits).await;
    let mut found = Vec::new();
    for (replica, probe) in replicas.into_iter().zip(&probes) {
        if let Some(obstacle) = obstacles(probe).first() {
            return Err(CommandError::new(
                ErrorKind::Refused,
                format!("{} cannot hold a vault: {obstacle}", replica.store),
            )
            .hint("`prismvault doctor` shows all that its store does"));
        }
        // Where nothing can be written, making the vault fails with the reason.
        let written = probe.check(CheckName::Write).is_some_and(|check| check.outcome == CheckOutcome::Yes);
        found.push(if written { replica.with_found(known_by(probe)) } else { replica });
    }
    Ok((found, probes))
}

/// What is not kept costs requests, not safety.
fn warn_of(kept: Result<bool, VaultError>, replica: &Replica, context: &Context) {
    if let Err(error) = kept {
        context.output.warning(format!(
            "what the store of {} does is not kept ({}); `prismvault doctor` tries again",
            replica.name,
            with_causes(&error)
        ));
    }
}

async fn already_there(holders: &[Replica]) -> VaultError {
    let mut places = Vec::new();
    for replica in holders {
        let what = match vault_file_on(replica).await {
            Ok(file) => format!("the vault {}, made {}", file.vault, file.created),
            Err(_) => "a vault that cannot be read".to_owned(),
        };
        places.push(format!("{} holds {what}", replica.store));
    }
    VaultError::new(VaultErrorKind::AlreadyAVault, format!("there is a vault already: {}", places.join("; ")))
}

/// Goes on where a first run was killed between making the vault and writing the configuration:
/// the vault is ours if the root key that is here leads to its trust records.
async fn resume(
    mut config: Config,
    holders: &[Replica],
    empty: Vec<Replica>,
    context: &Context,
) -> Result<Report, CommandError> {
    let mut keys = KeyMaker::new(&config);
    let Some(root) = keys.found_signing_key("root", config.keys.root.as_ref())? else {
        return Err(already_there(holders)
            .await
            .hint(
                "to use it, write a prismvault.toml that names its keys, and its id and root key in [vault]",
            )
            .hint("or choose another place")
            .into());
    };
    keys.find_others();
    let files = keys.files;
    config.vault.root = Some(root.public().to_string());
    let mut report = join_replicas(config, holders, empty, context).await?;
    report.added_replicas.clear();
    report.keys = files;
    Ok(report)
}

/// Adds empty replicas to the vault that the others hold, after opening it with the pinned root
/// key: a vault that is not trusted is not spread.
async fn join_replicas(
    config: Config,
    holders: &[Replica],
    empty: Vec<Replica>,
    context: &Context,
) -> Result<Report, CommandError> {
    let (file, pinned) = (config.file.clone(), config.vault.root.is_some());
    let limits = config.limits.clone();
    let session = Session::open_with(context, config, &IdentityOptions::default()).await?;
    require_empty_places(&empty).await?;
    let (empty, probes) = probe_new(empty, &limits, context).await?;
    let source = session
        .vault
        .replicas
        .live()
        .next()
        .ok_or_else(|| CommandError::new(ErrorKind::Failed, "no replica can be reached"))?;
    join(source, &session.vault.file.vault, &empty).await?;
    about(&empty, context);
    for (replica, probe) in empty.iter().zip(&probes) {
        warn_of(session.vault.remember_probe(replica, probe).await, replica, context);
    }
    let root = session.vault.first_root().to_string();
    Ok(Report {
        vault: session.vault.file.vault,
        pin: pin_lines(session.vault.file.vault, &root),
        root,
        encrypted: session.vault.is_encrypted(),
        replicas: holders.iter().chain(&empty).map(|replica| replica.store.to_string()).collect(),
        added_replicas: empty.iter().map(|replica| replica.store.to_string()).collect(),
        keys: Vec::new(),
        pinned,
        configuration: file,
        configuration_written: false,
    })
}

/// Names the replicas that came to be; their addresses would tell of the machine.
fn about(replicas: &[Replica], context: &Context) {
    for replica in replicas {
        context.record.about(format!("replica {}", replica.name));
    }
}

fn page(report: &Report) -> Page {
    let bold = |text: &str| Text::styled(Style::Bold, text);
    let mut page = Page::new();
    if report.added_replicas.is_empty() {
        page = page.line(format!("Made the vault {} on {}", report.vault, report.replicas.join(", ")));
    } else {
        page = page
            .line(format!("Added {} to the vault {}", report.added_replicas.join(", "), report.vault))
            .line("It holds no snapshot yet. Run `prismvault replicate` now: it brings those that are there.")
            .line("(A snapshot before that would store everything once more, on every replica.)");
        if report.pinned {
            return page;
        }
        page = page
            .line("")
            .line(bold("Add these lines to the configuration, they pin what this client trusts:"));
        for line in report.pin.lines() {
            page = page.line(line.to_owned());
        }
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
