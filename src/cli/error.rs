//! What people and scripts are told when a command fails.
//!
//! The library's errors say what happened, one sentence a layer. Here they get an exit code and
//! hints: next steps, where possible commands that can be pasted.

use std::error::Error as StdError;

use serde::Serialize;

use crate::config::{ConfigError, ConfigErrorKind, SecretError};
use crate::objects::{ErrorKind as StoreErrorKind, StoreError};
use crate::prismic::{ErrorKind as SourceErrorKind, PrismicError};
use crate::snapshot::SnapshotError;
use crate::vault::error::{ErrorKind as VaultErrorKind, VaultError};

use super::exit::Outcome;
use super::output::SCHEMA;
use super::text::{Style, Text};

/// Why a command failed; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The command line is wrong.
    Usage,
    /// The configuration, or something it refers to, is wrong or missing.
    Configuration,
    /// The work could not be done.
    Failed,
    /// Data is damaged, missing or not authentic.
    Integrity,
    /// A safety rule forbids it, or another run is at work.
    Refused,
    /// Somebody pressed Ctrl-C, or the system asked the process to end.
    Interrupted,
}

impl ErrorKind {
    /// Returns the outcome that this kind of failure means.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Usage | Self::Configuration => Outcome::Usage,
            Self::Failed => Outcome::Failed,
            Self::Integrity => Outcome::Integrity,
            Self::Refused => Outcome::Refused,
            Self::Interrupted => Outcome::Interrupted,
        }
    }
}

/// A failed command: kind, cause and next steps.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct CommandError {
    /// Why it failed.
    pub kind: ErrorKind,
    source: Box<dyn StdError + Send + Sync>,
    hints: Vec<String>,
}

/// A sentence of the command itself, above the library's.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
struct Sentence {
    sentence: String,
    source: Box<dyn StdError + Send + Sync>,
}

impl CommandError {
    /// Returns an error whose first line is that of `source`, which may be a plain sentence:
    /// lower case, no full stop.
    pub fn new(kind: ErrorKind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { kind, source: source.into(), hints: Vec::new() }
    }

    /// Returns an error whose first line is `sentence`, and `source` the first of its causes.
    pub fn because(
        kind: ErrorKind,
        sentence: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::new(kind, Sentence { sentence: sentence.into(), source: source.into() })
    }

    /// Returns the error of a run that was told to stop.
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted")
            .hint("what was stored is good, the same command again goes on from there")
    }

    /// Returns the same error with `sentence` above it: what was being done.
    #[must_use]
    pub fn within(self, sentence: impl Into<String>) -> Self {
        let source = Box::new(Sentence { sentence: sentence.into(), source: self.source });
        Self { source, ..self }
    }

    /// Adds a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Returns the sentences, outermost first; one that only repeats the end of the sentence
    /// before it is left out.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences: Vec<String> = Vec::new();
        let mut next: Option<&(dyn StdError + 'static)> = Some(&*self.source);
        while let Some(error) = next {
            let sentence = error.to_string();
            if !sentences.last().is_some_and(|last| last.ends_with(&sentence)) {
                sentences.push(sentence);
            }
            next = error.source();
        }
        sentences
    }

    /// Returns the next steps.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Renders for people: `error: sentence`, numbered causes, `hint:` lines.
    pub fn render(&self) -> Text {
        let sentences = self.sentences();
        let mut text = Text::default().and(Style::Red, "error").and(Style::Plain, ": ");
        for (index, sentence) in sentences.iter().enumerate() {
            text = match index {
                0 => text.and(Style::Plain, sentence.as_str()),
                _ => text.and(Style::Plain, format!("\n  {index}: {sentence}")),
            };
        }
        for hint in &self.hints {
            text =
                text.and(Style::Plain, "\n").and(Style::Cyan, "hint").and(Style::Plain, format!(": {hint}"));
        }
        text
    }

    /// Returns the object of `--json`: `message` says what failed and where, `causes` why, `hints`
    /// what to do next.
    pub fn to_json(&self) -> serde_json::Value {
        let mut sentences = self.sentences().into_iter();
        serde_json::json!({
            "schema": SCHEMA,
            "exit_code": self.kind.outcome().code(),
            "error": {
                "kind": self.kind,
                "exit_code": self.kind.outcome().code(),
                "message": sentences.next(),
                "causes": sentences.collect::<Vec<_>>(),
                "hints": self.hints,
            },
        })
    }
}

impl From<ConfigError> for CommandError {
    fn from(err: ConfigError) -> Self {
        let kind = match err.kind() {
            ConfigErrorKind::UnknownName => ErrorKind::Usage,
            _ => ErrorKind::Configuration,
        };
        let missing = err.kind() == ConfigErrorKind::Missing && err.line().is_none();
        let error = Self::new(kind, err);
        match missing {
            true => error.hint("make one with `prismvault init`, or name one with --config FILE"),
            false => error,
        }
    }
}

impl From<SecretError> for CommandError {
    fn from(err: SecretError) -> Self {
        let hint = err.next_step().map(str::to_owned);
        let error = Self::new(ErrorKind::Configuration, err);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl From<StoreError> for CommandError {
    fn from(err: StoreError) -> Self {
        let kind = match err.kind {
            StoreErrorKind::Corrupt => ErrorKind::Integrity,
            StoreErrorKind::Unconfigured => ErrorKind::Configuration,
            _ => ErrorKind::Failed,
        };
        let hint = match kind {
            ErrorKind::Integrity => Some("`prismvault verify` names everything that is damaged".to_owned()),
            ErrorKind::Configuration => err.next_step().map(str::to_owned),
            _ => err.next_step().map(|step| format!("{step}, then run the same command again")),
        };
        let error = Self::new(kind, err);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl From<VaultError> for CommandError {
    fn from(err: VaultError) -> Self {
        let kind = match err.kind {
            VaultErrorKind::NotTrusted | VaultErrorKind::Integrity => ErrorKind::Integrity,
            VaultErrorKind::Refused
            | VaultErrorKind::Erased
            | VaultErrorKind::Restricted
            | VaultErrorKind::AlreadyAVault => ErrorKind::Refused,
            VaultErrorKind::Cancelled => return Self::interrupted(),
            VaultErrorKind::NotAVault
            | VaultErrorKind::UnknownFormat
            | VaultErrorKind::Identity
            | VaultErrorKind::Store(StoreErrorKind::Unconfigured) => ErrorKind::Configuration,
            VaultErrorKind::NotFound => ErrorKind::Usage,
            VaultErrorKind::TooFewReplicas | VaultErrorKind::Store(_) | VaultErrorKind::Local => {
                ErrorKind::Failed
            }
        };
        let hint = err.next_step().filter(|hint| !hint.is_empty()).map(str::to_owned);
        let error = Self::new(kind, err);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Says why a command failed that Prismic said no to.
pub(super) fn of_source(error: &PrismicError) -> ErrorKind {
    match error.kind() {
        SourceErrorKind::RepositoryNotFound | SourceErrorKind::Unauthorized | SourceErrorKind::Forbidden => {
            ErrorKind::Configuration
        }
        _ => ErrorKind::Failed,
    }
}

impl From<SnapshotError> for CommandError {
    fn from(err: SnapshotError) -> Self {
        match err {
            SnapshotError::Vault(err) => err.into(),
            SnapshotError::Cancelled => Self::interrupted(),
            SnapshotError::Source { ref error, .. } | SnapshotError::RefKeepsMoving { ref error, .. } => {
                let kind = of_source(error);
                let hint = error.hint();
                let error = Self::new(kind, err);
                match hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> CommandError {
        let disk = std::io::Error::other("disk on fire");
        let store = StoreError::new(StoreErrorKind::Permanent, "write", "a/b", &"file:///x", "it failed");
        CommandError::because(ErrorKind::Failed, "cannot snapshot blog", store.because(disk))
            .hint("prismvault doctor")
    }

    #[test]
    fn an_error_is_rendered_with_its_causes_and_hints() {
        assert_eq!(
            error().render().to_plain(),
            "error: cannot snapshot blog\n  1: write a/b on file:///x: it failed\n  2: disk on fire\n\
             hint: prismvault doctor"
        );
    }

    #[test]
    fn a_cause_that_was_said_already_is_left_out() {
        let inner = CommandError::new(ErrorKind::Failed, "the disk is full");
        let outer = CommandError::because(ErrorKind::Failed, "cannot write: the disk is full", inner);
        assert_eq!(outer.sentences(), ["cannot write: the disk is full"]);
    }

    #[test]
    fn the_json_object_says_the_same() {
        let json = error().to_json();
        assert_eq!(json["schema"], 1);
        assert_eq!(json["error"]["kind"], "failed");
        assert_eq!(json["error"]["exit_code"], 1);
        assert_eq!(json["error"]["message"], "cannot snapshot blog");
        assert_eq!(json["error"]["causes"][1], "disk on fire");
        assert_eq!(json["error"]["hints"][0], "prismvault doctor");
    }

    #[test]
    fn damage_at_a_store_is_an_integrity_failure() {
        let store = StoreError::new(StoreErrorKind::Corrupt, "read", "a/b", &"file:///x", "wrong digest");
        assert_eq!(CommandError::from(store).kind.outcome(), Outcome::Integrity);
    }
}
