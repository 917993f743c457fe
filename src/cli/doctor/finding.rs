//! What a doctor finds: how grave, about what, why, and what to do next.

use serde::Serialize;

use crate::cli::exit::Outcome;

/// How grave something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing needs to be done.
    Notice,
    /// Backups are taken, but something should change.
    Warning,
    /// It stops backups, or makes them worth less than they look.
    Error,
}

/// What part of the surroundings a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Section {
    /// `prismvault.toml` and what it refers to.
    Configuration,
    /// The stores of the replicas.
    Replicas,
    /// The vault on them, and its keys.
    Keys,
    /// Locks of objects, and what would outlive an erasure.
    Locks,
    /// Prismic's APIs and the tokens for them.
    Tokens,
    /// Clocks of this machine, the stores and the APIs.
    Clocks,
    /// Jobs.
    Schedules,
}

impl Section {
    /// All of them, in the order in which they are shown.
    pub(super) const ALL: [Self; 7] = [
        Self::Configuration,
        Self::Replicas,
        Self::Keys,
        Self::Locks,
        Self::Tokens,
        Self::Clocks,
        Self::Schedules,
    ];

    /// Its heading.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Configuration => "Configuration",
            Self::Replicas => "Replicas",
            Self::Keys => "Vault and keys",
            Self::Locks => "Locks and copies",
            Self::Tokens => "Repositories and tokens",
            Self::Clocks => "Clocks",
            Self::Schedules => "Schedules",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) section: Section,
    /// About what: a replica, a repository, a key, a file.
    pub(super) subject: String,
    /// What was found.
    pub(super) what: String,
    /// Why it is so, or why it matters.
    pub(super) why: Option<String>,
    /// What to do next.
    pub(super) next: Option<String>,
    /// How a command that meets it would end.
    #[serde(skip)]
    pub(super) outcome: Outcome,
}

impl Finding {
    fn new(level: Level, section: Section, subject: impl Into<String>, what: impl Into<String>) -> Self {
        let outcome = if level == Level::Error { Outcome::Failed } else { Outcome::Complete };
        Self { level, section, subject: subject.into(), what: what.into(), why: None, next: None, outcome }
    }

    /// Something is as it should be.
    pub(super) fn ok(section: Section, subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Level::Ok, section, subject, what)
    }

    /// Something is worth knowing.
    pub(super) fn notice(section: Section, subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Level::Notice, section, subject, what)
    }

    /// Something should change.
    pub(super) fn warning(section: Section, subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Level::Warning, section, subject, what)
    }

    /// Something stops backups; the command ends as failed, unless said [otherwise](Self::ends).
    pub(super) fn error(section: Section, subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Level::Error, section, subject, what)
    }

    /// Adds why.
    pub(super) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into()).filter(|why| !why.is_empty());
        self
    }

    /// Adds what to do next.
    pub(super) fn then(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into()).filter(|next| !next.is_empty());
        self
    }

    /// Says how the command ends by it.
    pub(super) fn ends(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }
}
