//! What was seen of a case when somebody looked last, as the case keeps it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use crate::ids::Digest;
use crate::privacy::certificate::OwnFilesState;
use crate::privacy::erasure::live::standing::Sight;
use crate::privacy::store::StoredCase;
use crate::vault::case_files;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::open::Vault;

/// What was seen, in the vault and live, and on the host that looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// For certificates.
    pub evidence: Evidence,
    /// What became of this program's own files on the host that looked.
    pub own_files: OwnFilesState,
    /// What was seen of each task of the plan, by its id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<String, Sight>,
}

impl Seen {
    /// Stores it with the case; returns the name for the event.
    ///
    /// # Errors
    ///
    /// Those of [`case_files::store`].
    pub async fn store(&self, vault: &Vault) -> Result<Digest> {
        let plain = serde_json::to_vec(self).expect("evidence always serialises");
        case_files::store(vault, &self.evidence.case, plain).await
    }

    /// Reads what was seen last; `None` when nobody has looked.
    ///
    /// # Errors
    ///
    /// Those of [`case_files::load`]; [`ErrorKind::Integrity`] when it cannot be understood.
    pub async fn load(vault: &Vault, stored: &StoredCase) -> Result<Option<Self>> {
        let Some(file) = stored.case.files().evidence else { return Ok(None) };
        let id = stored.case.id();
        let bytes = case_files::load(vault, id, &file).await?;
        let seen = serde_json::from_slice(&bytes).map_err(|_| {
            VaultError::new(ErrorKind::Integrity, format!("what was seen of case {id} cannot be read"))
                .hint(format!("look again: `prismvault privacy erase {id}`"))
        })?;
        Ok(Some(seen))
    }
}
