//! What was said to whom, kept in the vault.
//!
//! Every replica holds the same file; the newest of them counts. What cannot be read counts as not
//! there: the worst that comes of it is a message twice.

use chrono::TimeDelta;
use futures_util::future::join_all;

use super::error::Result;
use super::format::VERSION;
use super::format::told::{KIND, Told, ToldFile};
use super::open::Vault;
use super::{layout, state};
use crate::clock::Timestamp;
use crate::limits::Limits;
use crate::progress::Problem;

/// Reads what was said until `now`; nothing where no live replica knows. A copy from the future, by more
/// than clocks may differ, counts as the oldest (some clock was wrong): else it would never be replaced.
pub async fn load(vault: &Vault, now: Timestamp) -> Told {
    let latest = latest(now, vault.limits());
    let copies = vault.replicas.live().map(|replica| async move {
        match state::read::<ToldFile>(vault, replica, layout::NOTIFICATIONS, KIND).await {
            Ok(found) => {
                found.map(|ToldFile { told, .. }| Told { at: told.at.filter(|at| *at <= latest), ..told })
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

/// Returns the time under which something is remembered at `now`: later than what was remembered
/// before, also where the clock of whoever said that is a little ahead.
pub fn next_at(before: Option<Timestamp>, now: Timestamp, limits: &Limits) -> Timestamp {
    let before = before.filter(|at| *at <= latest(now, limits));
    before.map_or(now, |before| now.max(before + TimeDelta::milliseconds(1)))
}

/// The latest time that a clock which is right may have written.
fn latest(now: Timestamp, limits: &Limits) -> Timestamp {
    now + TimeDelta::from_std(limits.clock_skew_max).unwrap_or_default()
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
