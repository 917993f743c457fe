//! Why two sides could not be compared.

use crate::restore::RestoreError;
use crate::snapshot::SnapshotError;
use crate::vault::error::VaultError;

/// Result of a comparison of two sides.
pub type Result<T> = std::result::Result<T, DiffError>;

/// Why two sides could not be compared. Items that cannot be read are problems of the report.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// A snapshot cannot be read, or what was asked for is not in it.
    #[error(transparent)]
    Snapshot(#[from] RestoreError),
    /// The repository cannot be read.
    #[error(transparent)]
    Live(#[from] SnapshotError),
}

impl From<VaultError> for DiffError {
    fn from(error: VaultError) -> Self {
        Self::Snapshot(error.into())
    }
}
