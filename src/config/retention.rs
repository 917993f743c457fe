//! `[retention]`: how long snapshots are kept.
//!
//! Three tables say it, each key by itself: what `[repositories.NAME.retention]` does not say is
//! taken from `[retention]`, and what `[replicas.retention]` does not say from what holds for the
//! repository. Inheriting by key keeps rather too much: a table that replaced the other whole would
//! drop rules that nobody thought of. A 0 switches a rule off.
//!
//! Invariant: a [`RetentionPolicy`] keeps something by a rule of its own; a file whose tables
//! make one that does not is refused.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::error::ConfigError;
use super::read::{Table, Value};
use super::zone::Span;
use super::{Place, Repository};

/// Highest count of a `keep_…`; so many snapshots nobody lists.
const COUNT_MAX: u64 = 100_000;

/// What counts as one period of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// An hour; the two that an autumn night repeats are two.
    Hourly,
    /// A day.
    Daily,
    /// A week of ISO 8601: from Monday.
    Weekly,
    /// A month.
    Monthly,
    /// A quarter of the year.
    Quarterly,
    /// A year.
    Yearly,
}

impl Period {
    /// All periods, shortest first.
    pub const ALL: [Self; 6] =
        [Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly, Self::Quarterly, Self::Yearly];

    /// Returns its word: `daily`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Quarterly => "quarterly",
            Self::Yearly => "yearly",
        }
    }
}

/// Which snapshots of a repository are kept. What is absent or 0 keeps nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetentionPolicy {
    /// The newest ones.
    pub keep_last: u32,
    /// The newest of each of so many periods, of the most recent ones that have snapshots.
    pub keep: BTreeMap<Period, u32>,
    /// All that are younger than this, as seen from the newest.
    pub keep_within: Option<Span>,
    /// The newest of each period among those younger than this.
    pub keep_within_each: BTreeMap<Period, Span>,
    /// Never fewer complete ones than this, whatever the rules say.
    pub min_snapshots: u32,
    /// Age at which partial ones go, when a later complete one exists.
    pub keep_partial: Span,
    /// Largest loss, in per cent, that a snapshot may show against the one before without
    /// stopping expiry.
    pub max_shrink: u32,
}

impl fmt::Display for RetentionPolicy {
    /// Writes the rules as in the file, without those that are off.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rules = Vec::new();
        if self.keep_last > 0 {
            rules.push(format!("keep_last = {}", self.keep_last));
        }
        rules.extend(self.keep.iter().map(|(period, count)| format!("keep_{} = {count}", period.word())));
        rules.extend(self.keep_within.iter().map(|span| format!("keep_within = {span}")));
        rules.extend(
            self.keep_within_each
                .iter()
                .map(|(period, span)| format!("keep_within_{} = {span}", period.word())),
        );
        rules.push(format!("min_snapshots = {}", self.min_snapshots));
        f.pad(&rules.join(", "))
    }
}

/// A table as it stands in a file: what it does not say is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RetentionTable {
    keep_last: Option<u32>,
    keep: BTreeMap<Period, u32>,
    keep_within: Option<Span>,
    keep_within_each: BTreeMap<Period, Span>,
    min_snapshots: Option<u32>,
    keep_partial: Option<Span>,
    max_shrink: Option<u32>,
    /// File and line of the table.
    defined: Place,
    /// Path of its key.
    path: String,
}

impl RetentionTable {
    /// Reads `[retention]` or `[repositories.NAME.retention]`.
    pub(super) fn read(value: &Value<'_>, file: &std::path::Path) -> Result<Self, ConfigError> {
        Self::read_knowing(value, file, &["min_snapshots", "keep_partial", "max_shrink"])
    }

    /// Reads `[replicas.retention]`. Whether a repository shrank is no matter of one replica.
    pub(super) fn read_of_replica(value: &Value<'_>, file: &std::path::Path) -> Result<Self, ConfigError> {
        Self::read_knowing(value, file, &["min_snapshots", "keep_partial"])
    }

    fn read_knowing(value: &Value<'_>, file: &std::path::Path, others: &[&str]) -> Result<Self, ConfigError> {
        let counts = Period::ALL.map(|period| format!("keep_{}", period.word()));
        let windows = Period::ALL.map(|period| format!("keep_within_{}", period.word()));
        let known: Vec<&str> = ["keep_last"]
            .into_iter()
            .chain(counts.iter().map(String::as_str))
            .chain(["keep_within"])
            .chain(windows.iter().map(String::as_str))
            .chain(others.iter().copied())
            .collect();
        let table = value.table(&known)?;
        let count = |key: &str| table.read(key, |value| Ok(value.integer(0, COUNT_MAX)? as u32));
        let mut keep = BTreeMap::new();
        let mut keep_within_each = BTreeMap::new();
        for (period, (count_key, window_key)) in Period::ALL.into_iter().zip(counts.iter().zip(&windows)) {
            keep.extend(count(count_key)?.map(|count| (period, count)));
            keep_within_each.extend(span(&table, window_key)?.map(|span| (period, span)));
        }
        Ok(Self {
            keep_last: count("keep_last")?,
            keep,
            keep_within: span(&table, "keep_within")?,
            keep_within_each,
            min_snapshots: count("min_snapshots")?,
            keep_partial: span(&table, "keep_partial")?,
            max_shrink: table.read("max_shrink", percent)?,
            defined: Place { file: file.to_owned(), line: value.line() },
            path: value.path.clone(),
        })
    }

    /// Returns this table with what it does not say taken from `base`.
    pub(super) fn over(&self, base: Option<&Self>) -> Self {
        let Some(base) = base else { return self.clone() };
        let mut merged = self.clone();
        merged.keep_last = merged.keep_last.or(base.keep_last);
        merged.keep_within = merged.keep_within.or_else(|| base.keep_within.clone());
        merged.min_snapshots = merged.min_snapshots.or(base.min_snapshots);
        merged.keep_partial = merged.keep_partial.or_else(|| base.keep_partial.clone());
        merged.max_shrink = merged.max_shrink.or(base.max_shrink);
        for (period, count) in &base.keep {
            merged.keep.entry(*period).or_insert(*count);
        }
        for (period, span) in &base.keep_within_each {
            merged.keep_within_each.entry(*period).or_insert_with(|| span.clone());
        }
        merged
    }

    /// Returns the policy that it means.
    ///
    /// # Errors
    ///
    /// When it keeps nothing: that is a mistake, never a wish.
    pub(super) fn policy(&self) -> Result<RetentionPolicy, ConfigError> {
        /// Days after which a partial snapshot is of no use beside a later complete one: time to
        /// look at what was missing.
        const PARTIAL_DAYS: u32 = 7;
        /// Per cent of a repository that people delete in a day on purpose; a lost token or a
        /// mistaken migration takes more.
        const SHRINK: u32 = 30;
        let policy = RetentionPolicy {
            keep_last: self.keep_last.unwrap_or(0),
            keep: self.keep.iter().filter(|(_, count)| **count > 0).map(|(p, count)| (*p, *count)).collect(),
            keep_within: self.keep_within.clone().filter(|span| !span.is_zero()),
            keep_within_each: self
                .keep_within_each
                .iter()
                .filter(|(_, span)| !span.is_zero())
                .map(|(period, span)| (*period, span.clone()))
                .collect(),
            min_snapshots: self.min_snapshots.unwrap_or(1).max(1),
            keep_partial: self.keep_partial.clone().unwrap_or_else(|| Span::days(PARTIAL_DAYS)),
            max_shrink: self.max_shrink.unwrap_or(SHRINK),
        };
        if policy.keep_last == 0
            && policy.keep.is_empty()
            && policy.keep_within.is_none()
            && policy.keep_within_each.is_empty()
        {
            let reason = "keeps nothing; write at least one rule above 0, such as keep_daily = 14";
            let kind = super::ConfigErrorKind::InvalidValue;
            return Err(ConfigError::new(kind, &self.defined.file, reason)
                .at_line(self.defined.line)
                .at_key(&self.path));
        }
        Ok(policy)
    }
}

fn span(table: &Table<'_>, key: &str) -> Result<Option<Span>, ConfigError> {
    table.read(key, |value| {
        if !value.is_text() {
            return Err(value.invalid("must be a span of time in quotes, such as \"90d\""));
        }
        value.parse()
    })
}

/// Reads a share: `"30%"`.
fn percent(value: &Value<'_>) -> Result<u32, ConfigError> {
    let wanted = || value.invalid("must be a share from \"0%\" to \"100%\", with the sign and in quotes");
    if !value.is_text() {
        return Err(wanted());
    }
    let digits = value.text()?.strip_suffix('%').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).filter(|share| *share <= 100).ok_or_else(wanted)
}

/// What all tables together say.
#[derive(Debug, Clone, Default)]
pub(super) struct RetentionTables {
    /// `[retention]`.
    pub(super) vault: Option<RetentionTable>,
}

impl RetentionTables {
    /// Returns what holds for a repository.
    fn of(&self, repository: &Repository) -> Option<RetentionTable> {
        match &repository.retention {
            Some(own) => Some(own.over(self.vault.as_ref())),
            None => self.vault.clone(),
        }
    }

    /// Returns the policy of a repository.
    pub(super) fn policy_of(&self, repository: &Repository) -> Result<Option<RetentionPolicy>, ConfigError> {
        self.of(repository).map(|table| table.policy()).transpose()
    }

    /// Returns the policy of a repository on a replica that has rules of its own.
    pub(super) fn policy_on(
        &self,
        repository: &Repository,
        replica: &super::Replica,
    ) -> Result<Option<RetentionPolicy>, ConfigError> {
        let Some(own) = &replica.retention else { return Ok(None) };
        let base = self.of(repository);
        let mut policy = own.over(base.as_ref()).policy()?;
        // A replica may keep other snapshots, never fewer than the vault's minimum.
        let least = base.and_then(|base| base.min_snapshots).unwrap_or(1);
        policy.min_snapshots = policy.min_snapshots.max(least);
        Ok(Some(policy))
    }

    /// Checks every policy that the tables make.
    pub(super) fn check(
        &self,
        repositories: &[Repository],
        replicas: &[super::Replica],
    ) -> Result<(), ConfigError> {
        if let Some(vault) = &self.vault {
            vault.policy()?;
        }
        for repository in repositories {
            self.policy_of(repository)?;
            for replica in replicas {
                self.policy_on(repository, replica)?;
            }
        }
        Ok(())
    }
}
