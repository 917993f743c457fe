//! Which items are read no more, and what is read in their place.
//!
//! Orders of erasure stand in the ledger. Manifests and catalogs stay as they were: where a catalog
//! names an item that an order replaced, whoever reads the catalog gets what stands in its place,
//! to the end of a chain of orders ([`Erased::current`]); and an item that was replaced is not handed
//! out even where its pack still lies. So nothing that reads a vault has to know of orders, and
//! nothing that forgets them reads what was erased.
//!
//! **An order counts** when as many privacy keys signed it as the trust record asks for, that of the
//! planner not among them. Two orders that were made without knowing of each other and replace one
//! item by different ones contradict each other: each may hold what the other took away. Neither
//! is read then, until a later order replaces the item once more.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::ids::{Digest, ItemId, SnapshotId};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::ledger::LedgerEntry;
use crate::vault::format::order::{Approval, Change, ITEMS_MAX, KIND, Order, Replaced};
use crate::vault::format::receipt::Receipt;
use crate::vault::format::trust::{Role, TrustRecord};
use crate::vault::format::{self, ledger::Decision};
use crate::vault::open::Vault;
use crate::vault::signing::VerifyingKey;

/// What stands in the place of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The item that is read.
    pub item: ItemId,
    /// Its bytes.
    pub size: u64,
    /// What the last order made of it.
    pub change: Change,
    /// Id of the ledger entry with that order.
    pub order: SnapshotId,
}

/// An order that counts.
#[derive(Debug, Clone)]
pub struct Known {
    /// Id of its ledger entry.
    pub entry: SnapshotId,
    /// SHA-256 of that.
    pub digest: Digest,
    /// What it says.
    pub order: Arc<Order>,
}

/// One step: what an order says of an item.
#[derive(Debug, Clone)]
struct Step {
    by: Replaced,
    entry: SnapshotId,
    digest: Digest,
    /// Another order of the same time says something else.
    contradicted: bool,
}

/// What the orders of a space say.
#[derive(Debug, Clone, Default)]
pub struct Erased {
    steps: HashMap<ItemId, Step>,
    /// For each order, what it names as parents, directly or not.
    before: HashMap<Digest, HashSet<Digest>>,
    orders: Vec<Known>,
    receipts: Vec<Receipt>,
}

impl Erased {
    /// Takes in the next entry, oldest first. `digest` is its SHA-256.
    pub(in crate::vault) fn apply(&mut self, entry: &LedgerEntry, digest: Digest) {
        let before: HashSet<Digest> = entry
            .parents
            .iter()
            .flat_map(|parent| self.before.get(parent).into_iter().flatten().copied().chain([*parent]))
            .collect();
        if let Decision::Receipt(receipt) = &entry.decision {
            self.receipts.push(receipt.clone());
        }
        if let Decision::Erasure { order, .. } = &entry.decision
            && let Ok(order) = serde_json::from_str::<Order>(order)
        {
            let order = Arc::new(order);
            self.orders.push(Known { entry: entry.id.clone(), digest, order: Arc::clone(&order) });
            for by in order.items.iter().copied() {
                let step = Step { by, entry: entry.id.clone(), digest, contradicted: false };
                match self.steps.get_mut(&by.id) {
                    Some(known) if !before.contains(&known.digest) => {
                        known.contradicted |= known.by.by != by.by;
                        // The later one is the one that a third must know of.
                        known.digest = digest;
                    }
                    _ => drop(self.steps.insert(by.id, step)),
                }
            }
        }
        self.before.insert(digest, before);
    }

    /// Whether no order replaces anything.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The orders, oldest first.
    pub fn orders(&self) -> &[Known] {
        &self.orders
    }

    /// What became of an order so far, oldest first.
    pub fn receipts(&self, order: Digest) -> impl Iterator<Item = &Receipt> {
        self.receipts.iter().filter(move |receipt| receipt.order == order)
    }

    /// The items that orders replace.
    pub fn ids(&self) -> impl Iterator<Item = &ItemId> {
        self.steps.keys()
    }

    /// Whether an order replaces the item.
    pub fn contains(&self, id: &ItemId) -> bool {
        self.steps.contains_key(id)
    }

    /// Returns what is read in the place of an item, to the end of a chain of orders; `None` for an item
    /// that no order replaces.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Integrity`] for orders that replace items by each other in a circle, or contradict each
    /// other.
    pub fn current(&self, id: &ItemId) -> Result<Option<Replacement>> {
        let Some(mut step) = self.steps.get(id) else { return Ok(None) };
        for _ in 0..=self.steps.len() {
            if step.contradicted {
                return Err(VaultError::new(
                    ErrorKind::Integrity,
                    format!("two orders of erasure replace the item {id} by different ones"),
                )
                .hint("plan its erasure once more: an order that knows of both decides"));
            }
            match self.steps.get(&step.by.by) {
                Some(next) => step = next,
                None => {
                    return Ok(Some(Replacement {
                        item: step.by.by,
                        size: step.by.size,
                        change: step.by.change,
                        order: step.entry.clone(),
                    }));
                }
            }
        }
        Err(VaultError::new(
            ErrorKind::Integrity,
            format!("orders of erasure replace the item {id} by others in a circle"),
        )
        .hint("no prismvault writes such orders: find out who signed them"))
    }

    /// Returns every item in whose place one of these is read, with that.
    ///
    /// # Errors
    ///
    /// As [`current`](Self::current).
    pub fn in_place_of(&self, read: &HashSet<ItemId>) -> Result<HashMap<ItemId, ItemId>> {
        let mut of = HashMap::new();
        for id in self.steps.keys() {
            if let Some(now) = self.current(id)?.filter(|now| read.contains(&now.item)) {
                of.insert(*id, now.item);
            }
        }
        Ok(of)
    }

    /// How many items of each kind of change orders name.
    pub fn counts(&self) -> BTreeMap<Change, u64> {
        let mut counts = BTreeMap::new();
        for step in self.steps.values() {
            *counts.entry(step.by.change).or_default() += 1;
        }
        counts
    }
}

/// Whether an order counts, and by keys of when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::vault) enum Approved {
    /// By privacy keys of now.
    Now,
    /// By those that once were: it counts where somebody names it who may.
    Once,
}

impl Vault {
    /// Checks the order of a ledger entry of this space, and who approved it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotTrusted`] otherwise.
    pub(in crate::vault) fn check_order(
        &self,
        entry: &LedgerEntry,
        text: &str,
        approvals: &[Approval],
    ) -> Result<Approved> {
        let refused = |why: String| {
            VaultError::new(ErrorKind::NotTrusted, format!("{} is refused: {why}", entry.key))
                .hint("an order of erasure counts only with the signatures of privacy keys; find out who wrote this one")
        };
        let order: Order = serde_json::from_str(text)
            .map_err(|error| refused("its order cannot be read".to_owned()).because(error))?;
        if (order.kind.as_str(), order.format) != (KIND, format::VERSION) {
            return Err(refused("what it holds is no order of this version".to_owned()));
        }
        if order.vault != self.file.vault || order.space != entry.space {
            return Err(refused("its order is of another vault or space".to_owned()));
        }
        if order.items.len() > ITEMS_MAX {
            return Err(refused(format!("its order names more than {ITEMS_MAX} items")));
        }
        let mut approvers: Vec<&VerifyingKey> = approvals
            .iter()
            .filter(|approval| approval.key != order.planned_by)
            .filter(|approval| approval.key.verifies(text.as_bytes(), &approval.signature))
            .map(|approval| &approval.key)
            .collect();
        approvers.sort_unstable();
        approvers.dedup();
        if enough(&self.trust, &approvers) {
            return Ok(Approved::Now);
        }
        if self.trust_history().any(|record| enough(record, &approvers)) {
            return Ok(Approved::Once);
        }
        Err(refused(format!(
            "{} of the privacy keys that may approve erasures signed its order, and {} must; that of the planner does not count",
            approvers.len(),
            needed(&self.trust)
        )))
    }
}

/// Signatures that an order needs; one at least, whatever the record says.
pub(in crate::vault) fn needed(record: &TrustRecord) -> usize {
    (record.erasure_approvals as usize).max(1)
}

fn enough(record: &TrustRecord, approvers: &[&VerifyingKey]) -> bool {
    let may = |key: &&&VerifyingKey| {
        record.signers.iter().any(|signer| signer.key == ***key && signer.roles.contains(&Role::Privacy))
    };
    approvers.iter().filter(may).count() >= needed(record)
}
