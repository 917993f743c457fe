//! What was said to whom, kept in the vault.
//!
//! Every replica holds the same file; the newest of them counts. What cannot be read counts as not
//! there: the worst that comes of it is a message twice.

use futures_util::future::join_all;

use super::error::Result;
use super::format::VERSION;
use super::format::told::{KIND, Told, ToldFile};
use super::open::Vault;
use super::{layout, state};
use crate::clock::Timestamp;
use crate::progress::Problem;

/// Reads what was said until `now`; nothing where no live replica knows. A copy from the future
/// (some clock was wrong) counts as the oldest: else it would never be replaced.
pub async fn load(vault: &Vault, now: Timestamp) -> Told {
    let copies = vault.replicas.live().map(|replica| async move {
        match state::read::<ToldFile>(vault, replica, layout::NOTIFICATIONS, KIND).await {
            Ok(found) => {
                found.map(|ToldFile { told, .. }| Told { at: told.at.filter(|at| *at <= now), ..told })
            }
            Err(error) => {
                let detail = format!("what {} says was said is not believed: {error}", replica.name);
                vault.warn(Problem::new("not-a-notification-record", layout::NOTIFICATIONS, detail));
                None
            }
        }
    });
    join_all(copies).await.into_iter().flatten().max_by_key(|told| told.at).unwrap_or_default()
}

/// Writes what was said to every live replica.
///
/// # Errors
///
/// When no replica took it, or no key that may sign is here; one replica that did not is warned of.
pub async fn store(vault: &Vault, told: &Told) -> Result<()> {
    let file = ToldFile {
        kind: KIND.to_owned(),
        format: VERSION,
        vault: vault.file.vault,
        key: layout::NOTIFICATIONS.to_owned(),
        told: told.clone(),
    };
    state::store_everywhere(vault, layout::NOTIFICATIONS, &file, "notification-record-not-stored").await
}
