//! What the stores of replicas really do: found out by a probe, kept on the replica, believed when
//! the vault is opened.
//!
//! The answer is a signed file below `state/`, so that whoever opens the vault has it, on whatever
//! host. It only takes abilities away from what the kind of store promises. Without an answer that
//! counts (never probed, signed by nobody who may, about another replica or place) names that are
//! no digests are written the safe way, see `vault::creation`: the worst that comes of
//! a lost answer are a few more requests.
//!
//! Where there is no safe way, nothing is written: to a store whose listings miss what was put, that
//! returns other bytes, or that does not keep the locks it is configured with; and with Object Lock
//! to a vault without encryption, because what cannot be deleted could never be erased there.
//! Reading and deleting go on.
//!
//! **If we crash here**, the answer is the one before or the new one, whole: it is one object.

use futures_util::future::join_all;

use super::error::{ErrorKind, Result, VaultError};
use super::format::VERSION;
use super::format::abilities::{KIND, StoreAbilities};
use super::open::Vault;
use super::replica::{Found, Replica};
use super::signing::SigningKey;
use super::state::ROLES;
use super::{layout, state};
use crate::clock::{Clock, rfc3339};
use crate::ids::VaultId;
use crate::limits::Limits;
use crate::objects::probe::{CheckName, CheckOutcome, Probe, probe};
use crate::objects::{Abilities, PutMode};

/// What no safe way leads around, once it was seen.
const OBSTACLES: &[CheckName] =
    &[CheckName::ReadBack, CheckName::RangeRead, CheckName::ListAfterPut, CheckName::ObjectLock];

/// Tries what the stores of these replicas do, all at once; leaves nothing there but what is locked
/// for a minute. In the order of the replicas.
pub async fn probe_all(replicas: &[Replica], clock: &dyn Clock, limits: &Limits) -> Vec<Probe> {
    join_all(replicas.iter().map(|replica| probe(&replica.store, clock, limits, layout::SCRATCH))).await
}

/// Returns what was seen that keeps a store from holding a vault, in a phrase each. What could not
/// be found out is none: it fails by itself where it is needed.
pub fn obstacles(probe: &Probe) -> Vec<String> {
    let seen = probe
        .checks
        .iter()
        .filter(|check| OBSTACLES.contains(&check.name) && check.outcome == CheckOutcome::No);
    seen.map(|check| check.detail.clone()).collect()
}

/// Returns what is known of a store after a probe.
pub fn found(probe: &Probe) -> Found {
    Found { abilities: probe.abilities(Abilities::ALL), refusal: refusal(&obstacles(probe)) }
}

fn refusal(obstacles: &[String]) -> Option<String> {
    (!obstacles.is_empty())
        .then(|| format!("a probe found something that no vault can lie on: {}", obstacles.join("; ")))
}

/// Keeps the answer of a probe on the replica that it is about.
///
/// # Errors
///
/// [`ErrorKind::Integrity`] when the replica does not say who it is; those of the store.
pub async fn remember(replica: &Replica, vault: &VaultId, probe: &Probe, signing: &SigningKey) -> Result<()> {
    let id = replica.read_id(vault).await?.ok_or_else(|| {
        VaultError::damaged(layout::REPLICA, &replica.store, "it does not say which replica this is")
    })?;
    let seen = probe.abilities(Abilities::ALL);
    let answer = StoreAbilities {
        kind: KIND.to_owned(),
        format: VERSION,
        vault: *vault,
        key: layout::ABILITIES.to_owned(),
        replica: id,
        place: replica.store.to_string(),
        at: rfc3339(probe.at),
        create_only: seen.create_only,
        stored_checksums: seen.stored_checksums,
        versions: seen.versions,
        locks: seen.locks,
        obstacles: obstacles(probe),
    };
    let body = state::seal_by(signing, layout::ABILITIES, &answer);
    replica.store.put(layout::ABILITIES, body, PutMode::Overwrite).await?;
    Ok(())
}

/// Checks that what is written to these replicas could be erased again.
///
/// # Errors
///
/// [`ErrorKind::Refused`] for Object Lock without encryption: locked objects cannot be deleted, and
/// without encryption there is no key whose loss makes them unreadable.
pub fn require_erasable<'a>(replicas: impl IntoIterator<Item = &'a Replica>, encrypted: bool) -> Result<()> {
    let locked = replicas.into_iter().find(|replica| replica.store.lock_rule().is_some());
    match locked.filter(|_| !encrypted) {
        None => Ok(()),
        Some(replica) => Err(VaultError::new(
            ErrorKind::Refused,
            format!("{} has `object_lock`, and {NOT_ENCRYPTED}", replica.name),
        )
        .hint("remove `object_lock` from this replica, or make a vault with encryption")),
    }
}

const NOT_ENCRYPTED: &str = "the vault is not encrypted: what is locked could never be erased";

impl Vault {
    /// Takes in what is known of the stores.
    pub(super) async fn believe_probes(&mut self) {
        let recalled = join_all(self.replicas.all().iter().map(|replica| self.recall(replica))).await;
        let encrypted = self.is_encrypted();
        let found = self.replicas.all().iter().zip(recalled).map(|(replica, recalled)| {
            match (encrypted, replica.store.lock_rule()) {
                (false, Some(_)) => Some(Found {
                    abilities: recalled.map_or(Abilities::ALL, |found| found.abilities),
                    refusal: Some(format!("it has `object_lock`, and {NOT_ENCRYPTED}")),
                }),
                _ => recalled,
            }
        });
        let found = found.collect();
        self.replicas = self.replicas.clone().with_found(found);
    }

    /// Reads what is known of the store of a replica; `None` where nothing counts.
    async fn recall(&self, replica: &Replica) -> Option<Found> {
        let id = replica.id().filter(|_| replica.is_live())?;
        let answer = match state::read::<StoreAbilities>(self, replica, layout::ABILITIES, KIND).await {
            Ok(answer) => answer?,
            Err(error) => {
                tracing::debug!(replica = %replica.name, %error, "what its store does is not known");
                return None;
            }
        };
        let is_of_this = answer.replica == id && answer.place == replica.store.to_string();
        is_of_this.then(|| Found {
            abilities: Abilities {
                create_only: answer.create_only,
                stored_checksums: answer.stored_checksums,
                versions: answer.versions,
                locks: answer.locks,
            },
            refusal: refusal(&answer.obstacles),
        })
    }

    /// Keeps the answer of a probe on a replica, if a key that may sign it is here. Returns whether
    /// it is. It counts when the vault is opened the next time.
    ///
    /// # Errors
    ///
    /// As [`remember`].
    pub async fn remember_probe(&self, replica: &Replica, probe: &Probe) -> Result<bool> {
        require_erasable([replica], self.is_encrypted())?;
        let Ok(signing) = self.signer(ROLES) else { return Ok(false) };
        remember(replica, &self.file.vault, probe, signing).await?;
        Ok(true)
    }

    /// Checks that snapshots and decisions may be written. A replica on whose store nothing may be
    /// written leaves the run.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] for Object Lock without encryption, and when two replicas say to be
    /// the same one.
    pub async fn require_may_write(&self) -> Result<()> {
        require_erasable(self.replicas.live(), self.is_encrypted())?;
        for replica in self.replicas.live() {
            if let Some(why) = replica.refusal() {
                replica.fail(
                    VaultError::new(
                        ErrorKind::Refused,
                        format!("nothing is written to {}: {why}", replica.store),
                    )
                    .hint("`prismvault doctor` says what the store does; mend it, or use another"),
                );
            }
        }
        self.require_different_replicas().await
    }
}
