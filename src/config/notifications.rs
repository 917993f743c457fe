//! `[notifications.NAME]`: who is told when something is wrong, and how.
//!
//! An address that lets whoever has it write (Slack, Teams, a ping URL) is a secret, so it is a
//! reference like every other. What a job tells whom is said in its own file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::Address;

use super::Place;
use super::error::{ConfigError, unknown};
use super::read::{Table, Value};
use super::secret_ref::SecretRef;
use super::template::Template;
use super::value::host;
use super::zone::Span;
use crate::clock::parse_duration;
use crate::ids::Name;

/// Values that a template may use.
pub const PLACEHOLDERS: &[&str] =
    &["title", "text", "severity", "change", "repository", "job", "what", "since", "next", "key"];

const KINDS: [&str; 4] = ["webhook", "email", "ping", "command"];
const TOLD_KEYS: &[&str] = &["kind", "default", "remind_every"];
const WEBHOOK_KEYS: &[&str] = &["url", "preset", "template"];
const EMAIL_KEYS: &[&str] = &["host", "port", "tls", "ca", "user", "password", "from", "to"];
const PING_KEYS: &[&str] = &["kind", "url"];
const COMMAND_KEYS: &[&str] = &["kind", "before", "after", "failed", "finally", "on_error", "timeout"];

/// Hours between reminders where a file says nothing: once a day, like the backups themselves.
const REMIND_HOURS: &str = "24h";
/// Time for a hook where a file says nothing.
const HOOK_TIMEOUT: Duration = Duration::from_mins(5);
/// Longest time that a file may give a hook.
const HOOK_TIMEOUT_MAX: Duration = Duration::from_hours(6);
/// Most receivers of one e-mail; more belong on a list of the mail server.
const RECEIVERS_MAX: usize = 50;

/// One `[notifications.NAME]`.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The name that job files use.
    pub name: Name,
    /// How it is reached.
    pub target: Target,
    /// File and line that define it.
    pub defined: Place,
}

/// How somebody is told.
#[derive(Debug, Clone)]
pub enum Target {
    /// A message, on change of state and as a reminder.
    Message {
        /// Whether it is told of failures of all jobs and of all alarms, whatever job files say.
        default: bool,
        /// How often it is reminded of what is still wrong; no time at all means never.
        remind_every: Span,
        /// Which way it goes.
        channel: Channel,
    },
    /// An address that is called when a run begins and when it ends, each time: it notices runs
    /// that do not come.
    Ping(SecretRef),
    /// Programs that run around each run.
    Hooks(Hooks),
}

/// The way of a message.
#[derive(Debug, Clone)]
pub enum Channel {
    /// A POST with JSON.
    Webhook {
        /// The address.
        url: SecretRef,
        /// What is sent.
        body: WebhookBody,
    },
    /// An e-mail.
    Email(Box<Email>),
}

/// The JSON that a webhook is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookBody {
    /// As Slack's incoming webhooks want it; Mattermost and Rocket.Chat understand it too.
    Slack,
    /// As the workflows of Microsoft Teams want it.
    Teams,
    /// All that is known, for programs.
    Generic,
    /// JSON of the file, one request a notice.
    Template(Template),
}

/// How e-mail is sent.
#[derive(Debug, Clone)]
pub struct Email {
    /// Host of the mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// File with the certificates that are believed instead of those of the system, PEM.
    pub ca: Option<PathBuf>,
    /// User and password, where the server wants them.
    pub login: Option<(String, SecretRef)>,
    /// Who it comes from.
    pub from: Address,
    /// Who gets it; at least one.
    pub to: Vec<Address>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// In plain text first, then TLS before anything is said (port 587). Without it nothing is sent.
    StartTls,
    /// TLS from the first byte (port 465).
    Implicit,
    /// Not at all (port 25): on this machine, or without password.
    None,
}

/// Programs that run around each run of a job. Program and arguments, no shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// Before the run.
    pub before: Option<Vec<String>>,
    /// After a run that was done and complete.
    pub after: Option<Vec<String>>,
    /// After any other.
    pub failed: Option<Vec<String>>,
    /// After every run, last; also when `before` stopped it.
    pub finally: Option<Vec<String>>,
    /// Whether a `before` that fails stops the run, or is only warned of.
    pub before_stops: bool,
    /// How long each of them may take.
    pub timeout: Duration,
    /// Where they run: the directory of the configuration file.
    pub directory: PathBuf,
}

impl Target {
    /// The word for it in a file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Message { channel: Channel::Webhook { .. }, .. } => "webhook",
            Self::Message { channel: Channel::Email(_), .. } => "email",
            Self::Ping(_) => "ping",
            Self::Hooks(_) => "command",
        }
    }

    /// The secret that it needs: an address, or a password.
    pub fn secret(&self) -> Option<&SecretRef> {
        match self {
            Self::Message { channel: Channel::Webhook { url, .. }, .. } | Self::Ping(url) => Some(url),
            Self::Message { channel: Channel::Email(email), .. } => {
                email.login.as_ref().map(|(_, password)| password)
            }
            Self::Hooks(_) => None,
        }
    }
}

/// Reads `[notifications]`.
pub(super) fn read(value: &Value<'_>, file: &Path) -> Result<Vec<Notification>, ConfigError> {
    let directory = file.parent().unwrap_or(Path::new(""));
    let read = |(name, value): (&str, &Value<'_>)| {
        let name = name.parse().map_err(|error: crate::ids::InvalidId| value.invalid(error.to_string()))?;
        let target = read_target(value, directory)?;
        Ok(Notification { name, target, defined: Place { file: file.to_owned(), line: value.line() } })
    };
    value.map()?.entries().map(read).collect()
}

fn read_target(value: &Value<'_>, directory: &Path) -> Result<Target, ConfigError> {
    let open = value.map()?;
    let kind = open.need("kind")?;
    match kind.text()? {
        "webhook" => {
            let table = value.table(&[TOLD_KEYS, WEBHOOK_KEYS].concat())?;
            let url = SecretRef::read(table.need("url")?, directory)?;
            message(&table, Channel::Webhook { url, body: read_body(&table)? })
        }
        "email" => {
            let table = value.table(&[TOLD_KEYS, EMAIL_KEYS].concat())?;
            message(&table, Channel::Email(Box::new(read_email(&table, directory)?)))
        }
        "ping" => {
            let table = value.table(PING_KEYS)?;
            Ok(Target::Ping(SecretRef::read(table.need("url")?, directory)?))
        }
        "command" => Ok(Target::Hooks(read_hooks(value, &value.table(COMMAND_KEYS)?, directory)?)),
        other => Err(kind.invalid(unknown("kind", other, &KINDS))),
    }
}

fn message(table: &Table<'_>, channel: Channel) -> Result<Target, ConfigError> {
    let remind_every = table.read("remind_every", Value::parse::<Span>)?;
    Ok(Target::Message {
        default: table.read("default", Value::flag)?.unwrap_or(false),
        remind_every: remind_every.unwrap_or_else(|| REMIND_HOURS.parse().expect("a valid span")),
        channel,
    })
}

fn read_body(table: &Table<'_>) -> Result<WebhookBody, ConfigError> {
    if let (Some(_), Some(value)) = (table.get("preset"), table.get("template")) {
        return Err(value.invalid("has no meaning beside \"preset\"; leave one of them out"));
    }
    if let Some(value) = table.get("template") {
        let template = Template::parse(value.text()?, PLACEHOLDERS);
        return Ok(WebhookBody::Template(template.map_err(|error| value.invalid(error.to_string()))?));
    }
    let Some(value) = table.get("preset") else { return Ok(WebhookBody::Generic) };
    match value.text()? {
        "slack" => Ok(WebhookBody::Slack),
        "teams" => Ok(WebhookBody::Teams),
        "generic" => Ok(WebhookBody::Generic),
        other => Err(value.invalid(unknown("preset", other, &["slack", "teams", "generic"]))),
    }
}

fn read_email(table: &Table<'_>, directory: &Path) -> Result<Email, ConfigError> {
    let tls = match table.get("tls") {
        None => SmtpTls::StartTls,
        Some(value) => match value.text()? {
            "starttls" => SmtpTls::StartTls,
            "implicit" => SmtpTls::Implicit,
            "none" => SmtpTls::None,
            other => return Err(value.invalid(unknown("way", other, &["starttls", "implicit", "none"]))),
        },
    };
    let usual = match tls {
        SmtpTls::StartTls => 587,
        SmtpTls::Implicit => 465,
        SmtpTls::None => 25,
    };
    let host = host(table.need("host")?)?;
    let login = match (table.get("user"), table.get("password")) {
        (None, None) => None,
        (Some(user), Some(password)) => {
            Some((user.text()?.to_owned(), SecretRef::read(password, directory)?))
        }
        (Some(one), None) => return Err(one.invalid("needs a \"password\" beside it")),
        (None, Some(one)) => return Err(one.invalid("needs a \"user\" beside it")),
    };
    if let (Some(_), SmtpTls::None, false) = (&login, tls, is_this_machine(&host)) {
        let why =
            "would send the password in plain text to another machine; write \"starttls\" or \"implicit\"";
        return Err(table.need("tls")?.invalid(why));
    }
    if let (Some(ca), SmtpTls::None) = (table.get("ca"), tls) {
        return Err(ca.invalid("has no meaning with tls = \"none\""));
    }
    let to = table.need("to")?;
    let receivers = to.list()?.iter().map(address).collect::<Result<Vec<_>, _>>()?;
    if receivers.is_empty() || receivers.len() > RECEIVERS_MAX {
        return Err(to.invalid(format!("must have from 1 to {RECEIVERS_MAX} addresses")));
    }
    Ok(Email {
        host,
        port: table.read("port", |value| value.integer(1, 65_535))?.map_or(usual, |port| port as u16),
        tls,
        ca: table.read("ca", |value| Ok(directory.join(value.text()?)))?,
        login,
        from: address(table.need("from")?)?,
        to: receivers,
    })
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn address(value: &Value<'_>) -> Result<Address, ConfigError> {
    value.text()?.parse().map_err(|_| value.invalid("is no e-mail address, write it as \"ops@example.com\""))
}

fn read_hooks(value: &Value<'_>, table: &Table<'_>, directory: &Path) -> Result<Hooks, ConfigError> {
    let words = |value: &Value<'_>| {
        if value.is_text() {
            return Err(value.invalid("must be a list of program and arguments; no shell reads it"));
        }
        let words: Vec<String> =
            value.list()?.iter().map(|word| word.text().map(str::to_owned)).collect::<Result<_, _>>()?;
        if words.is_empty() {
            return Err(value.invalid("names no program"));
        }
        Ok(words)
    };
    let hooks = Hooks {
        before: table.read("before", words)?,
        after: table.read("after", words)?,
        failed: table.read("failed", words)?,
        finally: table.read("finally", words)?,
        before_stops: table.read("on_error", on_error)?.unwrap_or(false),
        timeout: table.read("timeout", hook_timeout)?.unwrap_or(HOOK_TIMEOUT),
        directory: directory.to_owned(),
    };
    if [&hooks.before, &hooks.after, &hooks.failed, &hooks.finally].into_iter().all(Option::is_none) {
        return Err(value.invalid("runs nothing; write at least one of before, after, failed and finally"));
    }
    if let (None, Some(value)) = (&hooks.before, table.get("on_error")) {
        return Err(value.invalid("is about \"before\", which is not there"));
    }
    Ok(hooks)
}

fn on_error(value: &Value<'_>) -> Result<bool, ConfigError> {
    match value.text()? {
        "abort" => Ok(true),
        "warn" => Ok(false),
        other => Err(value.invalid(unknown("policy", other, &["abort", "warn"]))),
    }
}

fn hook_timeout(value: &Value<'_>) -> Result<Duration, ConfigError> {
    let timeout = parse_duration(value.text()?).filter(|time| !time.is_zero() && *time <= HOOK_TIMEOUT_MAX);
    timeout.ok_or_else(|| value.invalid("must be a duration above 0 and at most 6h, such as \"5m\""))
}
