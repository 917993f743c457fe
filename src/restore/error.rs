//! Why something could not be got back.

use std::io;

use crate::prismic::PrismicError;
use crate::vault::error::{ErrorKind as VaultErrorKind, VaultError};

/// Result of getting something back.
pub type Result<T> = std::result::Result<T, RestoreError>;

/// What a caller can decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreErrorKind {
    /// The vault said no; its error has a kind of its own.
    Vault(VaultErrorKind),
    /// What was asked for is not in the snapshot.
    NotFound,
    /// What was asked for is more than one thing, or no question at all.
    Ambiguous,
    /// Going on would overwrite something, or write where it must not.
    Refused,
    /// The local disk failed.
    Local,
    /// The repository that is restored into failed, or refuses.
    Target,
    /// The caller cancelled.
    Cancelled,
}

/// Why something could not be got back. Single items that are damaged are problems of a report,
/// not errors.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The vault cannot be read.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// See [`RestoreErrorKind::NotFound`].
    #[error("{what}")]
    NotFound {
        /// One sentence.
        what: String,
        /// What there is instead.
        hint: String,
    },
    /// See [`RestoreErrorKind::Ambiguous`].
    #[error("{what}")]
    Ambiguous {
        /// One sentence.
        what: String,
        /// What to type instead.
        hint: String,
    },
    /// See [`RestoreErrorKind::Refused`].
    #[error("{what}")]
    Refused {
        /// One sentence.
        what: String,
        /// The next step.
        hint: String,
    },
    /// The local disk failed.
    #[error("{what}")]
    Local {
        /// What could not be done with which file.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The repository that is restored into failed, or refuses.
    #[error("{what}")]
    Target {
        /// What could not be done.
        what: String,
        /// What Prismic answered.
        #[source]
        error: Box<PrismicError>,
    },
    /// The caller cancelled.
    #[error("interrupted")]
    Cancelled,
}

impl RestoreError {
    /// Returns what a caller can decide by.
    pub fn kind(&self) -> RestoreErrorKind {
        match self {
            Self::Vault(error) if error.kind == VaultErrorKind::Cancelled => RestoreErrorKind::Cancelled,
            Self::Vault(error) => RestoreErrorKind::Vault(error.kind),
            Self::NotFound { .. } => RestoreErrorKind::NotFound,
            Self::Ambiguous { .. } => RestoreErrorKind::Ambiguous,
            Self::Refused { .. } => RestoreErrorKind::Refused,
            Self::Local { .. } => RestoreErrorKind::Local,
            Self::Target { .. } => RestoreErrorKind::Target,
            Self::Cancelled => RestoreErrorKind::Cancelled,
        }
    }

    /// What to do next, where the error knows.
    pub fn next_step(&self) -> Option<&str> {
        match self {
            Self::Vault(error) => error.next_step(),
            Self::NotFound { hint, .. } | Self::Ambiguous { hint, .. } | Self::Refused { hint, .. } => {
                Some(hint)
            }
            Self::Local { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("free space there, then run the same command again")
            }
            Self::Target { error, .. } => error.hint(),
            Self::Local { .. } | Self::Cancelled => None,
        }
    }

    /// Wraps an error of the local disk.
    pub(crate) fn local(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Local { what, source }
    }
}
