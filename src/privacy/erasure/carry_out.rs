//! Carrying out orders of erasure, as far as this host may.
//!
//! First the orders are in the ledger of every live replica ([`decide`]); from then on nobody is given what they
//! name. Then packs are rewritten, which needs an identity that reads content, and destroyed, which needs the
//! maintenance key ([`carry_out`]). The two may be on different hosts: each does its part, and says what it
//! leaves to the other.
//!
//! **If we crash here** the same calls go on: an order that is in the ledger is not written again, and what is
//! to be done is told by the ledger and by what replicas hold.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::bring::bring_replacements;
use super::plan::{Plan, decision};
use crate::ids::{Digest, Name};
use crate::progress::Progress;
use crate::vault::erasure::destroy::{Destroyed, destroy};
use crate::vault::erasure::rewrite::{Rewritten, rewrite};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::order::{Approval, OrderHead};
use crate::vault::format::receipt::Receipt;
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;

/// What was done in one space.
#[derive(Debug, Clone, Default, Serialize)]
pub struct InSpace {
    /// What was rewritten; `None`: content cannot be read here.
    pub rewritten: Option<Rewritten>,
    /// What was destroyed, replica by replica; `None`: the maintenance key is not here.
    pub destroyed: Option<Vec<Destroyed>>,
    /// Objects that locks keep, where the receipts of whoever destroys say of every replica and every order
    /// that all else is gone; `None`: they do not say so.
    pub told: Option<u64>,
    /// Parts that this host may not do, with the reason.
    pub left_to_others: BTreeSet<String>,
}

impl InSpace {
    /// Whether every step was taken here, or by another host.
    pub fn is_carried_out(&self) -> bool {
        // Rewriting leaves nothing to a host that destroys: where nothing is blocked, it is done.
        let is_rewritten = self.rewritten.as_ref().is_none_or(Rewritten::is_complete);
        match &self.destroyed {
            Some(all) => is_rewritten && all.iter().all(|own| own.blocked.is_empty()),
            None => self.told.is_some(),
        }
    }

    fn pending(&self) -> u64 {
        match &self.destroyed {
            Some(all) => all.iter().map(|own| own.pending.len() as u64).sum(),
            None => self.told.unwrap_or(0),
        }
    }

    /// What a step came to; `None` where it needs a key that is on another host.
    fn unless_elsewhere<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(done) => Ok(Some(done)),
            Err(error) if error.kind == ErrorKind::Identity => {
                self.left_to_others.insert(error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// What was done, and what is left to others.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Carried {
    /// By space.
    pub spaces: BTreeMap<Name, InSpace>,
    /// Replicas that could not be reached.
    pub unreachable: Vec<String>,
}

impl Carried {
    /// Objects that are still there: kept by locks, or not to be deleted now.
    pub fn pending(&self) -> u64 {
        self.spaces.values().map(InSpace::pending).sum()
    }

    /// Whether every step was taken on every replica. Objects that a lock keeps for now do not count:
    /// nothing is left to do about them but to come back.
    pub fn is_carried_out(&self) -> bool {
        self.unreachable.is_empty() && self.spaces.values().all(InSpace::is_carried_out)
    }

    /// Whether nothing is left anywhere.
    pub fn is_complete(&self) -> bool {
        self.is_carried_out() && self.pending() == 0
    }
}

/// An order as it is signed, and the signatures over it.
pub type Signed = (String, Vec<Approval>);

/// The space of an order.
///
/// # Errors
///
/// [`ErrorKind::Integrity`] for one that cannot be read.
pub fn space_of(order: &str) -> Result<Name> {
    let head = serde_json::from_str::<OrderHead>(order);
    let head = head
        .map_err(|error| VaultError::new(ErrorKind::Integrity, "an order cannot be read").because(error))?;
    Ok(head.space)
}

/// Whether one of these orders is in the ledger already.
///
/// # Errors
///
/// Those of reading a ledger, and of [`space_of`].
pub async fn is_decided(vault: &Vault, orders: &[Signed]) -> Result<bool> {
    for (text, _) in orders {
        if Ledger::load(vault, &space_of(text)?).await?.decided(text).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes the approved orders of a plan into the ledger of every live replica, but for those that are there;
/// returns the digests of their entries, in the same order.
///
/// # Errors
///
/// Those of reading and writing a ledger, and of [`space_of`].
pub async fn decide(vault: &Vault, plan: &Plan, orders: Vec<Signed>) -> Result<Vec<Digest>> {
    let mut entries = Vec::new();
    for (text, approvals) in orders {
        let space = space_of(&text)?;
        let ledger = Ledger::load(vault, &space).await?;
        let digest = match ledger.decided(&text) {
            Some(digest) => {
                // A replica that was away when it was decided.
                ledger.bring_up_to_date(vault).await;
                Some(digest)
            }
            None => {
                ledger.append(vault, &space, decision(plan, text.clone(), approvals)).await?;
                Ledger::load(vault, &space).await?.decided(&text)
            }
        };
        entries.push(digest.ok_or_else(|| {
            VaultError::new(
                ErrorKind::Integrity,
                format!("an order that was just written is not in the ledger of {space}"),
            )
            .hint("run the same command again; `prismvault verify` shows what is wrong with the ledger")
        })?);
    }
    Ok(entries)
}

/// Rewrites and destroys in these spaces what orders name, as far as this host may.
///
/// # Errors
///
/// Those of [`bring_replacements`], [`rewrite`] and [`destroy`], but for an identity or a key that is not here: then that part is left
/// out and the result says so.
pub async fn carry_out(
    vault: &Vault,
    spaces: impl IntoIterator<Item = Name>,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Carried> {
    let mut carried = Carried::default();
    for name in spaces {
        let mut own = InSpace::default();
        bring_replacements(vault, &name).await?;
        let rewritten = rewrite(vault, &name, progress, cancel).await;
        own.rewritten = own.unless_elsewhere(rewritten)?;
        let destroyed = destroy(vault, &name, progress, cancel).await;
        own.destroyed = own.unless_elsewhere(destroyed)?;
        own.told = told(vault, &name).await?;
        carried.spaces.insert(name, own);
    }
    carried.unreachable = vault.replicas.failed().into_iter().map(|(name, _)| name).collect();
    Ok(carried)
}

/// What the last receipts of each order on each replica say: how many objects locks keep, where all else is
/// gone.
async fn told(vault: &Vault, name: &Name) -> Result<Option<u64>> {
    let ledger = Ledger::load(vault, name).await?;
    let erased = ledger.erased();
    if !vault.replicas.failed().is_empty() {
        return Ok(None);
    }
    let mut kept = 0;
    for known in erased.orders() {
        for replica in vault.replicas.live() {
            let id = replica.id();
            let last = erased.receipts(known.digest).filter(|own| Some(own.replica) == id).last();
            let is_locked = |receipt: &&Receipt| {
                let is_listed = receipt.pending == receipt.listed.len() as u64;
                is_listed && receipt.listed.iter().all(|left| left.until.is_some())
            };
            match last.filter(|receipt| receipt.gone.is_some() || is_locked(receipt)) {
                Some(receipt) => kept += receipt.pending,
                None => return Ok(None),
            }
        }
    }
    Ok(Some(kept))
}

/// The spaces in which orders are to be carried out.
///
/// # Errors
///
/// Those of reading ledgers.
pub async fn spaces_with_orders(vault: &Vault) -> Result<Vec<Name>> {
    let mut spaces = Vec::new();
    for name in Ledger::spaces(vault).await? {
        if !Ledger::load(vault, &name).await?.erased().orders().is_empty() {
            spaces.push(name);
        }
    }
    Ok(spaces)
}
