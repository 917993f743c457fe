//! Whether clocks agree: ids, retention, the grace of pruning and locks all count on it.

use futures_util::future::join_all;

use super::error::{ErrorKind, Result, VaultError};
use super::open::Vault;
use super::replica::Replica;

impl Vault {
    /// Compares the clock here with that of each of these replicas. One whose clock cannot be
    /// asked leaves the run; one that has none is passed over. `consequence` ends the sentence of
    /// the error: `nothing is committed`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when one differs by more than `clock_skew_max`.
    pub async fn require_agreeing_clocks<'a>(
        &self,
        replicas: impl IntoIterator<Item = &'a Replica>,
        consequence: &str,
    ) -> Result<()> {
        let ask = |replica: &'a Replica| async move { (replica, replica.store.server_time().await) };
        for (replica, time) in join_all(replicas.into_iter().map(ask)).await {
            let time = match time {
                Ok(Some(time)) => time,
                Ok(None) => continue,
                Err(error) => {
                    replica.fail(error);
                    continue;
                }
            };
            let offset = self.clock.now().signed_duration_since(time).abs();
            if offset.to_std().is_ok_and(|offset| offset > self.limits.clock_skew_max) {
                return Err(VaultError::new(
                    ErrorKind::Refused,
                    format!(
                        "the clock here and that of {} differ by {} s, so {consequence}",
                        replica.store,
                        offset.num_seconds()
                    ),
                )
                .hint("set the clock (NTP): snapshots, retention and locks depend on it"));
            }
        }
        Ok(())
    }
}
