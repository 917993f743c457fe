//! What orders of erasure were to destroy, and what became of it, as the ledger says.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::ids::{CaseId, Digest, Name, ReplicaId};
use crate::vault::erasure::contents;
use crate::vault::error::Result;
use crate::vault::format::receipt::Receipt;
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;

/// Packs and receipts of orders, by space.
#[derive(Debug, Clone, Default)]
pub struct ErasedPacks {
    /// Packs that held items of an order: those that it names, and those that were found later.
    pub packs: BTreeMap<Name, BTreeSet<Digest>>,
    /// Files of drills that orders took, by the SHA-256 of what was stored.
    pub drill_files: BTreeSet<Digest>,
    /// SHA-256 of the ledger entries with the orders.
    pub orders: Vec<Digest>,
    /// The last receipt of each order and replica.
    receipts: BTreeMap<(Digest, ReplicaId), Receipt>,
}

impl ErasedPacks {
    /// Reads it from the ledgers: of one case, or of all.
    ///
    /// # Errors
    ///
    /// Those of reading a ledger, or manifests.
    pub async fn load(vault: &Vault, case: Option<&CaseId>) -> Result<Self> {
        let mut erased = Self::default();
        for space in Ledger::spaces(vault).await? {
            let ledger = Ledger::load(vault, &space).await?;
            erased.add(&ledger, &space, case);
        }
        erased.drill_files = contents::digests(vault, case).await?;
        Ok(erased)
    }

    /// Takes in the orders of one space.
    pub fn add(&mut self, ledger: &Ledger, space: &Name, case: Option<&CaseId>) {
        let orders = ledger.erased();
        for known in orders.orders().iter().filter(|known| case.is_none_or(|case| known.order.case == *case))
        {
            self.orders.push(known.digest);
            let packs = self.packs.entry(space.clone()).or_default();
            packs.extend(&known.order.packs);
            for receipt in orders.receipts(known.digest) {
                packs.extend(&receipt.packs);
                self.receipts.insert((known.digest, receipt.replica), receipt.clone());
            }
        }
    }

    /// All packs, and files of drills.
    pub fn all(&self) -> HashSet<Digest> {
        self.packs.values().flatten().chain(&self.drill_files).copied().collect()
    }

    /// What became of each order on a replica; `None` where nobody has begun.
    pub fn receipts_of(&self, replica: ReplicaId) -> Vec<Option<&Receipt>> {
        self.orders.iter().map(|order| self.receipts.get(&(*order, replica))).collect()
    }
}
