//! Whose turn it is to tell: one of several schedulers on one vault.
//!
//! What was said is one file of the vault. Whoever tells takes a lease first, reads that file again,
//! sends, and writes it: so what one has said, the other does not say, and neither forgets what the
//! other said. Nothing is taken while nothing is to be said.
//!
//! Where leases cannot be had (no replica gives any, the one that does is away, another takes too long),
//! everybody tells: better twice than never. **A crash** while telling leaves the lease until it ends,
//! for [`Limits::notice_lease`]; others wait no longer than
//! [`Limits::notice_turn`] for it.
//!
//! [`Limits::notice_lease`]: crate::limits::Limits::notice_lease
//! [`Limits::notice_turn`]: crate::limits::Limits::notice_turn

use std::time::Duration;

use super::notifier::Notifier;
use crate::ids::Name;
use crate::vault::error::VaultError;
use crate::vault::format::lease::Lease;
use crate::vault::lease::{ALARMS, Asked, Leases};
use crate::vault::open::Vault;

/// Time between two tries while another tells: most messages take less.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// The turn of this process.
pub(super) struct Turn<'a> {
    leases: Leases<'a>,
    lease: Lease,
}

impl<'a> Turn<'a> {
    /// Waits for the turn; `None` where nobody can say whose it is.
    pub(super) async fn take(notifier: &Notifier, vault: Option<&'a Vault>) -> Option<Self> {
        let vault = vault?;
        let (_, _, limits) = notifier.turns();
        match tokio::time::timeout(limits.notice_turn, Self::wait(notifier, vault)).await {
            Ok(Ok(turn)) => Some(turn),
            Ok(Err(error)) => {
                tracing::info!(%error, "another scheduler may tell the same");
                None
            }
            Err(_) => {
                tracing::warn!(
                    "another scheduler is telling for long, so what it did not say yet may be said twice"
                );
                None
            }
        }
    }

    async fn wait(notifier: &Notifier, vault: &'a Vault) -> Result<Self, VaultError> {
        let (holder, place, limits) = notifier.turns();
        let name: Name = ALARMS.parse().expect("it is a name");
        let leases = Leases::of(vault, place, limits.notice_lease)?;
        loop {
            match leases.acquire(&name, holder).await? {
                Asked::Granted(lease) => return Ok(Self { leases, lease }),
                Asked::Held { wait, .. } => tokio::time::sleep(wait.min(TRY_AGAIN)).await,
            }
        }
    }

    /// Gives it to whoever waits.
    pub(super) async fn give_back(self) {
        if let Err(error) = self.leases.release(self.lease).await {
            tracing::debug!(%error, "the turn at telling was not given back; it ends by itself");
        }
    }
}
