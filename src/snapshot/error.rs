//! Why a snapshot could not be taken.

use crate::prismic::PrismicError;
use crate::vault::error::VaultError;

/// Result of taking a snapshot.
pub type Result<T> = std::result::Result<T, SnapshotError>;

/// Why a snapshot could not be taken. Losses that do not end the run are gaps in the report, not
/// errors.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The source cannot be read.
    #[error("cannot read the repository {repository}")]
    Source {
        /// Name in the configuration.
        repository: String,
        /// What Prismic answered.
        #[source]
        error: Box<PrismicError>,
    },
    /// The pinned ref was refused again and again.
    #[error("the ref of {repository} was refused {times} times in a row while it was being read")]
    RefKeepsMoving {
        /// Name in the configuration.
        repository: String,
        /// Times.
        times: u32,
        /// The last refusal.
        #[source]
        error: Box<PrismicError>,
    },
    /// The vault cannot be written.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The caller cancelled.
    #[error("interrupted")]
    Cancelled,
}
