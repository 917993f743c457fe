//! Whether people who were erased were found again, kept in the vault.
//!
//! Every replica holds the same file; the newest of them counts. What cannot be read counts as not there: the
//! worst that comes of it is a longer look, and until then an alarm that nobody looked.

use chrono::TimeDelta;
use futures_util::future::join_all;

use super::error::Result;
use super::format::VERSION;
use super::format::erasure_checks::{Checks, ChecksFile, KIND};
use super::format::trust::Role;
use super::open::Vault;
use super::{layout, state};
use crate::progress::Problem;

/// Who may sign it: whoever looks is a privacy officer, whose host need not take snapshots.
const ROLES: &[Role] = &[Role::Snapshot, Role::Maintenance, Role::Privacy];

/// Reads what was found; nothing where no live replica knows. A copy from the future, by more than clocks may
/// differ, counts as the oldest, and what it says was looked at in the future as never.
pub async fn load(vault: &Vault) -> Checks {
    let latest = vault.now() + TimeDelta::from_std(vault.limits().clock_skew_max).unwrap_or_default();
    let copies = vault.replicas.live().map(|replica| async move {
        let read = state::read_by::<ChecksFile>(vault, replica, layout::ERASURE_CHECKS, KIND, ROLES).await;
        match read {
            Ok(found) => found.map(|ChecksFile { checks, .. }| Checks {
                at: checks.at.filter(|at| *at <= latest),
                whole: checks.whole.filter(|at| *at <= latest),
                ..checks
            }),
            Err(error) => {
                let detail = format!("what {} says was looked at is not believed: {error}", replica.name);
                vault.warn(Problem::new("not-a-record-of-checks", layout::ERASURE_CHECKS, detail));
                None
            }
        }
    });
    join_all(copies).await.into_iter().flatten().max_by_key(|checks| checks.at).unwrap_or_default()
}

/// Checks, before anything is looked at, that what is found can be recorded with what is here.
///
/// # Errors
///
/// [`ErrorKind::Identity`](super::error::ErrorKind::Identity) otherwise.
pub fn require_signer(vault: &Vault) -> Result<()> {
    vault.signer(ROLES).map(drop)
}

/// Writes what was found to every live replica.
///
/// # Errors
///
/// When no replica took it, or no key that may sign is here; one replica that did not is warned of.
pub async fn store(vault: &Vault, checks: &Checks) -> Result<()> {
    let file = ChecksFile {
        kind: KIND.to_owned(),
        format: VERSION,
        vault: vault.file.vault,
        key: layout::ERASURE_CHECKS.to_owned(),
        checks: checks.clone(),
    };
    let body = state::seal_by(vault.signer(ROLES)?, layout::ERASURE_CHECKS, &file);
    state::put_everywhere(vault, layout::ERASURE_CHECKS, body, "record-of-checks-not-stored").await
}
