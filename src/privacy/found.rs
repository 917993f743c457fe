//! What searches found, kept with the case: readable for the privacy recipients, named by an event.

use super::search::SearchReport;
use super::store::StoredCase;
use crate::ids::{CaseId, Digest};
use crate::vault::case_files;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::open::Vault;

/// SHA-256 of what a search found, however it is stored.
pub fn digest(report: &SearchReport) -> Digest {
    Digest::of(&serde_json::to_vec(report).expect("reports always serialise"))
}

/// Stores what a search found; returns the name for the event.
///
/// # Errors
///
/// Those of [`case_files::store`].
pub async fn store(vault: &Vault, case: &CaseId, report: &SearchReport) -> Result<Digest> {
    let plain = serde_json::to_vec(report).expect("reports always serialise");
    case_files::store(vault, case, plain).await
}

/// Reads what the last search of a case found.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] when nothing was searched yet; those of [`case_files::load`].
pub async fn load_last(vault: &Vault, stored: &StoredCase) -> Result<SearchReport> {
    let id = stored.case.id();
    let digest = stored.case.files().search.ok_or_else(|| {
        VaultError::new(ErrorKind::NotFound, format!("nothing was searched in case {id} yet"))
            .hint(format!("run `prismvault privacy search {id}`"))
    })?;
    let bytes = case_files::load(vault, id, &digest).await?;
    // What serde says may quote what it read.
    serde_json::from_slice(&bytes).map_err(|_| {
        VaultError::new(ErrorKind::Integrity, format!("what was found in case {id} cannot be read"))
            .hint("another version may have written it; search again")
    })
}
