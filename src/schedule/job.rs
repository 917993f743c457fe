//! One job: a file of `schedules/`.
//!
//! The name of the file is the name of the job, so two jobs cannot have one. Everything in it is
//! checked when it is read, except whether its repositories exist: that needs the configuration,
//! see [`Job::select`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cron::Cron;
use super::notify::JobNotify;
use crate::clock::parse_duration;
use crate::config::error::{ConfigError, ConfigErrorKind, unknown};
use crate::config::read::{Source, Table, Value};
use crate::config::{Config, Place, Repository, Zone};
use crate::drill::plan::Plan;
use crate::ids::Name;
use crate::limits::Limits;
use crate::vault::lease::ALARMS;
use crate::verification::{Level, Share};

const KEYS: &[&str] = &[
    "job",
    "repositories",
    "cron",
    "timezone",
    "after",
    "catch_up",
    "jitter",
    "timeout",
    "retries",
    "read",
    "full_every",
    "on_publish",
    "poll",
    "level",
    "sample",
    "max_duration",
    "repack",
    "repack_below",
    "to",
    "plan",
    "notify",
];
/// Most retries that a file may ask for: with doubling waits the last one comes after a day.
const RETRIES_MAX: u64 = 20;
/// How often everything is read all the same, where a file does not say so.
const FULL_EVERY: Duration = Duration::from_hours(7 * 24);
/// How often is asked whether something was published, where a file does not say so, and at most.
const POLL: (Duration, Duration) = (Duration::from_mins(1), Duration::from_secs(5));
const KINDS: [&str; 9] = [
    "snapshot",
    "replicate",
    "verify",
    "retain",
    "prune",
    "access-review",
    "privacy-check",
    "privacy-purge",
    "drill",
];
/// Keys that only some kinds of jobs know.
const OF_KINDS: [(&str, &str); 9] = [
    ("read", "snapshot"),
    ("full_every", "snapshot"),
    ("level", "verify"),
    ("sample", "verify"),
    ("max_duration", "verify"),
    ("repack", "prune"),
    ("repack_below", "prune"),
    ("to", "access-review"),
    ("plan", "drill"),
];
const LEVELS: [(&str, Level); 4] = [
    ("presence", Level::Presence),
    ("stored", Level::Stored),
    ("bytes", Level::Bytes),
    ("content", Level::Content),
];

/// What is to be done, for which repositories, and when.
#[derive(Debug, Clone)]
pub struct Job {
    /// The name of the file without `.toml`.
    pub name: Name,
    /// What it does.
    pub work: Work,
    /// For which repositories; never empty.
    pub repositories: Vec<Selector>,
    /// When, in its time zone; `None` for a job that runs each time those of
    /// [`after`](Self::after) are done, or [when something was published](Self::on_publish).
    pub cron: Option<Cron>,
    /// How often its repositories are asked whether something was published, for a job that runs
    /// when something was; `None` for others.
    pub on_publish: Option<Duration>,
    /// Jobs that it waits for; empty for most.
    pub after: Vec<Name>,
    /// Line of [`after`](Self::after) in the file; 0 where there is none.
    pub after_line: usize,
    /// Whether times that nobody ran are made up for, by one run for any number of them.
    pub catch_up: bool,
    /// Longest wait after its time: many clients with one time spread over it.
    pub jitter: Duration,
    /// After which time a run is told to stop; never longer than
    /// [`Limits::max_run`](crate::limits::Limits::max_run).
    pub timeout: Duration,
    /// How often a run that failed is tried again.
    pub retries: u32,
    /// Where an access review is written: a directory, from that of the configuration; `None` for other
    /// jobs, and for one that only says that a review is due.
    pub reviews: Option<PathBuf>,
    /// The plan of a drill: a file, from the directory of the configuration; `None` for other jobs.
    pub drill: Option<PathBuf>,
    /// Who is told of its runs, and what runs around them.
    pub notify: JobNotify,
    /// File and line that say when it runs.
    pub defined: Place,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Takes a snapshot of each repository.
    Snapshot {
        /// Read only what changed, and everything when that was not done for so long; `None`: always
        /// everything.
        full_every: Option<Duration>,
    },
    /// Gives every replica what it is to hold of the repositories.
    Replicate,
    /// Verifies the snapshots of the repositories.
    Verify {
        /// How deep; `None` lets the stores decide.
        level: Option<Level>,
        /// Which share of the bytes; `None`: all.
        sample: Option<Share>,
        /// After which time nothing new is begun; `None`: it goes on to the end.
        max_duration: Option<Duration>,
    },
    /// Lets snapshots of the repositories go that no rule keeps.
    Retain,
    /// Marks and deletes what no snapshot needs, in the whole vault. The file is the consent that
    /// a person would give on a terminal.
    Prune {
        /// Also rewrite packs of which less than this share, in percent, is needed; `None`: leave them.
        repack_below: Option<u8>,
    },
    /// Reviews who has access to the repositories, or says that it is due where content cannot be read.
    AccessReview,
    /// Looks whether people who were erased are found again: live, and in snapshots since. Needs an identity that
    /// reads data-subject requests, and one that reads content.
    PrivacyCheck,
    /// Lets the files of cases go that are kept no longer, and packages on this host. Needs an identity that reads
    /// data-subject requests. The file is the consent that a person would give on a terminal.
    PrivacyPurge,
    /// Rehearses a recovery as a plan says. Needs an identity that reads content, and a key of the vault that signs
    /// the record.
    Drill,
}

impl Work {
    /// The word for it in a job file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Snapshot { .. } => "snapshot",
            Self::Replicate => "replicate",
            Self::Verify { .. } => "verify",
            Self::Retain => "retain",
            Self::Prune { .. } => "prune",
            Self::AccessReview => "access-review",
            Self::PrivacyCheck => "privacy-check",
            Self::PrivacyPurge => "privacy-purge",
            Self::Drill => "drill",
        }
    }

    /// Why it is for the whole vault, and not for some repositories; `None` for what is done for each.
    fn for_all_because(self) -> Option<&'static str> {
        match self {
            Self::Prune { .. } => Some(
                "what one repository needs no more another may need, so pruning is for all: write [\"*\"]",
            ),
            Self::PrivacyCheck => Some("a person may be named again anywhere: write [\"*\"]"),
            Self::PrivacyPurge => Some("requests are of people, not of repositories: write [\"*\"]"),
            Self::Snapshot { .. }
            | Self::Replicate
            | Self::Verify { .. }
            | Self::Retain
            | Self::AccessReview
            | Self::Drill => None,
        }
    }
}

/// A name, `@group` or `*`, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// As it is written.
    pub text: String,
    /// File and line.
    pub defined: Place,
}

impl Job {
    /// Loads a file.
    ///
    /// # Errors
    ///
    /// The first mistake in it, with its line.
    pub fn load(file: &Path, limits: &Limits) -> Result<Self, ConfigError> {
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let name: Name = stem.parse().map_err(|error: crate::ids::InvalidId| {
            let reason = format!("the name of the file is that of the job, and {error}");
            ConfigError::new(ConfigErrorKind::InvalidValue, file, reason)
        })?;
        let source = Source::read(file, limits.config_bytes_max)?;
        let parsed = source.parse()?;
        let root = Table::root(&source, &parsed, KEYS)?;
        if name.as_str().eq_ignore_ascii_case(ALARMS) {
            let reason = "is the name of the lease under which alarms are told; call the file otherwise";
            return Err(ConfigError::new(
                ConfigErrorKind::InvalidValue,
                file,
                format!("\"{name}\" {reason}"),
            ));
        }
        let work = read_work(&root, limits)?;
        let place = |value: &Value<'_>| Place { file: file.to_owned(), line: value.line() };
        let repositories = read_selectors(root.need("repositories")?, place)?;
        if let Some(reason) = work.for_all_because()
            && repositories.iter().any(|selector| selector.text != "*")
        {
            return Err(root.need("repositories")?.invalid(reason));
        }
        let after = root.read("after", |value| read_names(value, &name))?.unwrap_or_default();
        let on_publish = read_on_publish(&root, work)?;
        let cron = match (root.get("cron"), after.is_empty() && on_publish.is_none()) {
            (Some(value), _) => Some(value),
            (None, true) => Some(root.need("cron")?),
            (None, false) => None,
        };
        if let (None, Some(value)) = (cron, root.get("jitter").or(root.get("catch_up"))) {
            return Err(value.invalid("is for jobs with `cron`; this one runs when something else happens"));
        }
        let timeout = root.read("timeout", |value| read_timeout(value, limits))?;
        Ok(Self {
            work,
            repositories,
            cron: cron.map(|value| read_cron(value, &root)).transpose()?,
            defined: place(
                cron.or(root.get("after")).or(root.get("on_publish")).unwrap_or(root.need("job")?),
            ),
            on_publish,
            after_line: root.get("after").map_or(0, Value::line),
            after,
            catch_up: root.read("catch_up", Value::flag)?.unwrap_or(true),
            jitter: root.read("jitter", read_duration)?.unwrap_or_default(),
            timeout: timeout.unwrap_or(limits.max_run),
            reviews: root.read("to", read_path)?,
            drill: match work {
                Work::Drill => Some(root.need("plan").and_then(read_path)?),
                _ => None,
            },
            notify: root.read("notify", |value| JobNotify::read(value, file))?.unwrap_or_default(),
            retries: root.read("retries", |value| value.integer(0, RETRIES_MAX))?.unwrap_or(0) as u32,
            name,
        })
    }

    /// Returns its repositories, each once, in the order of recovery.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::UnknownName`] for a name or group that the configuration does not have,
    /// with the line of the job's file; [`ConfigErrorKind::InvalidValue`] when it means none.
    pub fn select<'a>(&self, config: &'a Config) -> Result<Vec<&'a Repository>, ConfigError> {
        for (index, selector) in self.repositories.iter().enumerate() {
            let key = format!("repositories[{index}]");
            let found =
                config.select(&[&selector.text]).map_err(|error| error.moved_to(&selector.defined, &key))?;
            if found.is_empty() {
                let reason = format!("{} names no repository", config.file.display());
                let error = ConfigError::new(ConfigErrorKind::InvalidValue, &selector.defined.file, reason);
                return Err(error.at_line(selector.defined.line).at_key(&key));
            }
        }
        let names: Vec<&str> = self.repositories.iter().map(|selector| selector.text.as_str()).collect();
        config.select(&names)
    }

    /// Returns the file with the plan of a drill; `None` for other jobs.
    pub fn plan_file(&self, config: &Config) -> Option<PathBuf> {
        let directory = config.file.parent().unwrap_or(Path::new(""));
        Some(directory.join(self.drill.as_ref()?))
    }

    /// Checks the plan of a drill: that it can be read, that what it names is in the configuration, and that it
    /// recovers the repositories of the job, by which `status` knows what is rehearsed when.
    ///
    /// # Errors
    ///
    /// The first mistake in the plan; [`ConfigErrorKind::InvalidValue`] when the repositories differ.
    pub(super) fn check_plan(&self, config: &Config) -> Result<(), ConfigError> {
        let Some(file) = self.plan_file(config) else { return Ok(()) };
        let plan = Plan::load(&file)?;
        let planned: BTreeSet<&Name> =
            plan.select(config)?.repositories.into_iter().map(|own| &own.name).collect();
        let own: BTreeSet<&Name> = self.select(config)?.into_iter().map(|own| &own.name).collect();
        if planned == own {
            return Ok(());
        }
        let names: Vec<&str> = planned.into_iter().map(Name::as_str).collect();
        let reason = format!("are others than those that {} recovers ({})", file.display(), names.join(", "));
        let at = self.repositories.first().map_or(&self.defined, |selector| &selector.defined);
        let error = ConfigError::new(ConfigErrorKind::InvalidValue, &at.file, reason);
        Err(error.at_line(at.line).at_key("repositories"))
    }

    /// Whether it is for every repository.
    pub fn is_for_all(&self) -> bool {
        self.repositories.iter().any(|selector| selector.text == "*")
    }
}

fn read_work(root: &Table<'_>, limits: &Limits) -> Result<Work, ConfigError> {
    let kind = root.need("job")?;
    let text = kind.text()?;
    if KINDS.contains(&text)
        && let Some((value, of)) =
            OF_KINDS.iter().find_map(|(key, of)| Some((root.get(key).filter(|_| *of != text)?, of)))
    {
        return Err(value.invalid(format!("is for {of} jobs only")));
    }
    match text {
        "snapshot" => Ok(Work::Snapshot { full_every: read_full_every(root)? }),
        "replicate" => Ok(Work::Replicate),
        "retain" => Ok(Work::Retain),
        "prune" => Ok(Work::Prune { repack_below: read_repack(root, limits)? }),
        "access-review" => Ok(Work::AccessReview),
        "privacy-check" => Ok(Work::PrivacyCheck),
        "privacy-purge" => Ok(Work::PrivacyPurge),
        "drill" => Ok(Work::Drill),
        "verify" => Ok(Work::Verify {
            level: root.read("level", read_level)?,
            sample: root.read("sample", Value::parse)?,
            max_duration: root.read("max_duration", read_duration)?,
        }),
        other => Err(kind.invalid(unknown("job", other, &KINDS))),
    }
}

/// Reads which documents a snapshot reads.
fn read_full_every(root: &Table<'_>) -> Result<Option<Duration>, ConfigError> {
    let incremental = root.read("read", |value| match value.text()? {
        "full" => Ok(false),
        "incremental" => Ok(true),
        other => Err(value.invalid(unknown("way to read", other, &["full", "incremental"]))),
    })?;
    let full_every = root.read("full_every", read_duration)?;
    match (incremental.unwrap_or(false), root.get("full_every")) {
        (false, Some(value)) => Err(value.invalid("is used only with read = \"incremental\"")),
        (false, None) => Ok(None),
        (true, _) => Ok(Some(full_every.unwrap_or(FULL_EVERY))),
    }
}

/// Reads which packs pruning rewrites.
fn read_repack(root: &Table<'_>, limits: &Limits) -> Result<Option<u8>, ConfigError> {
    let wanted = root.read("repack", Value::flag)?.unwrap_or(false);
    let below = root.read("repack_below", |value| value.integer(1, 100))?;
    match (wanted, root.get("repack_below")) {
        (false, Some(value)) => Err(value.invalid("is used only with repack = true")),
        (false, None) => Ok(None),
        (true, _) => Ok(Some(below.map_or(limits.repack_below, |below| below as u8))),
    }
}

fn read_path(value: &Value<'_>) -> Result<PathBuf, ConfigError> {
    Ok(PathBuf::from(value.text()?))
}

/// Reads how often publishes are looked for.
fn read_on_publish(root: &Table<'_>, work: Work) -> Result<Option<Duration>, ConfigError> {
    let wanted = root.read("on_publish", Value::flag)?.unwrap_or(false);
    let poll = root.read("poll", read_duration)?.unwrap_or(POLL.0);
    match (wanted, root.get("on_publish"), root.get("poll")) {
        (true, Some(value), _) if !matches!(work, Work::Snapshot { .. }) => {
            Err(value.invalid("is for snapshot jobs only"))
        }
        (false, _, Some(value)) => Err(value.invalid("is used only with on_publish = true")),
        (true, _, Some(value)) if poll < POLL.1 => Err(value.invalid("is too short: at least \"5s\"")),
        (true, ..) => Ok(Some(poll)),
        (false, ..) => Ok(None),
    }
}

fn read_cron(value: &Value<'_>, root: &Table<'_>) -> Result<Cron, ConfigError> {
    let zone = root.read("timezone", Value::parse)?.unwrap_or(Zone::UTC);
    Cron::parse(value.text()?, zone).map_err(|error| value.invalid(error.to_string()))
}

fn read_duration(value: &Value<'_>) -> Result<Duration, ConfigError> {
    parse_duration(value.text()?).ok_or_else(|| value.invalid("must be a duration such as \"30m\" or \"2h\""))
}

fn read_timeout(value: &Value<'_>, limits: &Limits) -> Result<Duration, ConfigError> {
    let timeout = read_duration(value)?;
    if timeout.is_zero() {
        return Err(value.invalid("leaves no time to run"));
    }
    if timeout > limits.max_run {
        let hours = limits.max_run.as_secs() / 3600;
        return Err(value.invalid(format!("is longer than any run may take ({hours}h)")));
    }
    Ok(timeout)
}

/// Reads the job, or the list of jobs, that this one comes after.
fn read_names(value: &Value<'_>, own: &Name) -> Result<Vec<Name>, ConfigError> {
    let items = match value.is_text() {
        true => vec![value.parse::<Name>()?],
        false => value.list()?.iter().map(Value::parse::<Name>).collect::<Result<_, _>>()?,
    };
    match items.iter().enumerate().find(|(at, name)| *name == own || items[..*at].contains(name)) {
        Some((_, name)) if name == own => Err(value.invalid("names the job itself")),
        Some((_, name)) => Err(value.invalid(format!("names \"{name}\" twice"))),
        None if items.is_empty() => Err(value.invalid("is empty; leave it out")),
        None => Ok(items),
    }
}

fn read_level(value: &Value<'_>) -> Result<Level, ConfigError> {
    let text = value.text()?;
    let level = LEVELS.iter().find(|(word, _)| *word == text).map(|(_, level)| *level);
    level.ok_or_else(|| value.invalid(unknown("level", text, &LEVELS.map(|(word, _)| word))))
}

fn read_selectors(
    value: &Value<'_>,
    place: impl Fn(&Value<'_>) -> Place,
) -> Result<Vec<Selector>, ConfigError> {
    let mut selectors: Vec<Selector> = Vec::new();
    for item in value.list()? {
        let text = item.text()?;
        if text != "*" {
            let name = text.strip_prefix('@').unwrap_or(text);
            name.parse::<Name>().map_err(|error| item.invalid(error.to_string()))?;
        }
        if selectors.iter().any(|selector| selector.text == text) {
            return Err(item.error(ConfigErrorKind::Duplicate, format!("{text:?} is there already")));
        }
        selectors.push(Selector { text: text.to_owned(), defined: place(&item) });
    }
    match selectors.is_empty() {
        // Elsewhere nothing means everything; here it is more likely something forgotten.
        true => Err(value.invalid("is empty; write [\"*\"] for every repository")),
        false => Ok(selectors),
    }
}
