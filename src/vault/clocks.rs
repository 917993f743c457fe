//! Clocks: that of this machine and those of the stores must agree.
//!
//! Ages decide what is deleted and what may still be taken back, and ids begin with a time. A
//! clock that is a day off would make either meaningless, so what depends on time is refused
//! then. Each store's own clock is the measure for its own objects.
//!
//! What only notes when something was done (a run, a verification) is not refused: it is dated by
//! the store's clock where this one is off. A date in the future would be disbelieved until that
//! time comes, and then stand for something that nobody did then.

use chrono::TimeDelta;
use futures_util::future::join_all;

use super::error::{ErrorKind, Result, VaultError};
use super::open::Vault;
use super::replica::Replica;
use crate::clock::Timestamp;

/// Returns the time by the store of a replica, or the local one where the store has no clock.
///
/// # Errors
///
/// Those of the store.
pub async fn of(vault: &Vault, replica: &Replica) -> Result<Timestamp> {
    Ok(replica.store.server_time().await?.unwrap_or_else(|| vault.now()))
}

/// Returns what to add to the local time for a date that is to lie on a replica: nothing where the
/// two clocks agree to within [`Limits::clock_skew_max`](crate::limits::Limits::clock_skew_max), so
/// that a date which was just written is not one to come.
///
/// # Errors
///
/// Those of the store.
pub async fn correction(vault: &Vault, replica: &Replica) -> Result<TimeDelta> {
    let offset = of(vault, replica).await? - vault.now();
    Ok(if is_off(vault, offset) { offset } else { TimeDelta::zero() })
}

fn is_off(vault: &Vault, offset: TimeDelta) -> bool {
    offset.abs().to_std().is_ok_and(|offset| offset > vault.limits.clock_skew_max)
}

/// Checks that the clock here and those of the stores agree. A replica whose clock cannot be
/// asked leaves the run.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when two differ by more than
/// [`Limits::clock_skew_max`](crate::limits::Limits::clock_skew_max).
pub async fn check<'a>(vault: &Vault, replicas: impl IntoIterator<Item = &'a Replica>) -> Result<()> {
    let asked = replicas
        .into_iter()
        .map(|replica| async move { (replica, replica.store.server_time().await, vault.now()) });
    for (replica, time, now) in join_all(asked).await {
        let time = match time {
            Ok(Some(time)) => time,
            Ok(None) => continue,
            Err(error) => {
                replica.fail(error);
                continue;
            }
        };
        let offset = now - time;
        if is_off(vault, offset) {
            return Err(VaultError::new(
                ErrorKind::Refused,
                format!(
                    "the clock here and that of {} differ by {} s, so nothing is written that depends on time",
                    replica.store,
                    offset.num_seconds().abs()
                ),
            )
            .hint("set the clock (NTP): snapshots, retention, pruning and locks depend on it"));
        }
    }
    Ok(())
}
