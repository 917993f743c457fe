//! What goes wrong in a vault, by what a caller can do about it.

use crate::objects::{ErrorKind as StoreKind, StoreError};

/// Result of a vault operation.
pub type Result<T> = std::result::Result<T, VaultError>;

/// What a caller can decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The place holds no vault.
    NotAVault,
    /// The place holds a vault already.
    AlreadyAVault,
    /// A vault of a format, or with a feature, that this version does not know.
    UnknownFormat,
    /// A file is not signed by whom it must be, or says to be something else.
    NotTrusted,
    /// Bytes are damaged, missing or not what they say.
    Integrity,
    /// An order of erasure took it away.
    Erased,
    /// It is under restriction: stored, and handed out only to who answers the person.
    Restricted,
    /// An identity or key that is needed is not here, or is not the right one.
    Identity,
    /// A selector names nothing.
    NotFound,
    /// Too few replicas took part.
    TooFewReplicas,
    /// A safety rule forbids it.
    Refused,
    /// A replica failed.
    Store(StoreKind),
    /// The local disk (spool, cache, target of a restore) failed.
    Local,
    /// The caller cancelled.
    Cancelled,
}

/// A failed vault operation.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct VaultError {
    /// What a caller can decide by.
    pub kind: ErrorKind,
    what: String,
    hint: Option<String>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl VaultError {
    /// Whether it means that what was to be read is damaged or missing, and not only that no replica
    /// could be asked for it.
    pub fn is_damage(&self) -> bool {
        matches!(self.kind, ErrorKind::Integrity | ErrorKind::Store(crate::objects::ErrorKind::NotFound))
    }

    /// Returns an error; `what` is one sentence in lower case without a full stop.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), hint: None, source: None }
    }

    /// Adds what to do next, after what was said before.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.hint = match self.hint {
            _ if hint.is_empty() => self.hint,
            Some(before) => Some(format!("{before}; {hint}")),
            None => Some(hint),
        };
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What to do next, where the error knows.
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns damage of the object `key` on `place`.
    pub fn damaged(key: &str, place: &dyn std::fmt::Display, why: impl std::fmt::Display) -> Self {
        Self::new(ErrorKind::Integrity, format!("{key} on {place} is damaged: {why}"))
            .hint("run `prismvault verify --level bytes` to see all damage, `prismvault repair` to mend it from a good replica")
    }

    /// Returns a failure of the local disk.
    pub fn local(what: impl Into<String>, source: std::io::Error) -> Self {
        let full = source.kind() == std::io::ErrorKind::StorageFull;
        let error = Self::new(ErrorKind::Local, what).because(source);
        if full {
            error.hint("free space on that disk, or set TMPDIR or XDG_CACHE_HOME to another")
        } else {
            error
        }
    }

    /// Returns the error of a cancelled operation.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "interrupted")
    }
}

impl From<StoreError> for VaultError {
    fn from(error: StoreError) -> Self {
        let hint = error.next_step();
        let kind = match error.kind {
            StoreKind::Corrupt => ErrorKind::Integrity,
            kind => ErrorKind::Store(kind),
        };
        Self {
            kind,
            what: error.to_string(),
            hint: hint.map(str::to_owned),
            source: std::error::Error::source(&error).map(|e| e.to_string().into()),
        }
    }
}
