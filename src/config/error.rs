//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Place;

/// What a caller can decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigErrorKind {
    /// There is no configuration file at the place where it is looked for.
    Missing,
    /// The file is there but cannot be read, is too large, or is not UTF-8.
    Unreadable,
    /// The file is not TOML.
    Syntax,
    /// A key that this version does not know.
    UnknownKey,
    /// A value of the wrong type or out of range, or a needed key that is missing.
    InvalidValue,
    /// Two things of one name, in one file or in two.
    Duplicate,
    /// A repository or group was asked for that the configuration does not have.
    UnknownName,
}

/// A configuration that cannot be used: file, line, key path and reason, in one sentence.
///
/// Values are named only where they cannot be secrets.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    kind: ConfigErrorKind,
    file: PathBuf,
    line: Option<usize>,
    key: String,
    reason: String,
    #[source]
    source: Option<std::io::Error>,
}

impl ConfigError {
    pub(crate) fn new(kind: ConfigErrorKind, file: &Path, reason: impl Into<String>) -> Self {
        Self {
            kind,
            file: file.to_owned(),
            line: None,
            key: String::new(),
            reason: reason.into(),
            source: None,
        }
    }

    pub(crate) fn at_line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    pub(crate) fn at_key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    pub(crate) fn because(mut self, source: std::io::Error) -> Self {
        self.source = Some(source);
        self
    }

    /// The same mistake, blamed on another place: where the name stands that the configuration
    /// does not have.
    pub(crate) fn moved_to(mut self, place: &Place, key: &str) -> Self {
        self.file.clone_from(&place.file);
        self.at_line(place.line).at_key(key)
    }

    /// What a caller can decide by.
    pub fn kind(&self) -> ConfigErrorKind {
        self.kind
    }

    /// The file that is wrong, or in which a name was looked for.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Line of the file, counted from 1, where one is to blame.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What is wrong, without the place.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Path of the key that is wrong, `repositories.blog.priority`; empty for a whole file.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Returns the known word that `typed` was most likely meant to be, if one is close.
///
/// Close is at most one edit for every three letters, after case and `-` for `_` are evened out.
pub(crate) fn closest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let even = |word: &str| word.to_ascii_lowercase().replace('-', "_");
    let typed = even(typed);
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&typed, &even(word)), word))
        .filter(|(distance, word)| *distance <= (word.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Returns the sentence for a word that is none of `known`.
pub(crate) fn unknown(what: &str, typed: &str, known: &[&str]) -> String {
    let typed: String = typed.chars().take(40).collect();
    let meant = closest(&typed, known.iter().copied())
        .map(|word| format!(", did you mean {word:?}?"))
        .unwrap_or_default();
    format!("there is no {what} {typed:?}{meant} (known: {})", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggestion_is_made_only_where_it_is_close() {
        let known = ["access_token", "write_token", "priority"];
        for (typed, expected) in [
            ("acces_token", Some("access_token")),
            ("access-token", Some("access_token")),
            ("Priority", Some("priority")),
            ("proirity", Some("priority")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(closest(typed, known), expected, "{typed}");
        }
    }
}
