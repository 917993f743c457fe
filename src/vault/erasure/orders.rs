//! Which items are read no more, what is read in their place, and what is under restriction.
//!
//! Orders of erasure stand in the ledger. Manifests and catalogs stay as they were: where a catalog
//! names an item that an order replaced, whoever reads the catalog gets what stands in its place,
//! to the end of a chain of orders ([`Erased::current`]); and an item that was replaced is not handed
//! out even where its pack still lies. So nothing that reads a vault has to know of orders, and
//! nothing that forgets them reads what was erased.
//!
//! Two orders that were made without knowing of each other and replace one
//! item by different ones contradict each other: each may hold what the other took away. Neither
//! is read then, until a later order replaces the item once more.
//!
//! A restriction replaces nothing. It holds for an item and for what orders put in its place, and ends when a
//! lift names it; what an order removes is removed. An item is under restriction as long as one restriction
//! that names it is not lifted, so lifts and restrictions that did not know of each other do not contradict.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::ids::{Digest, ItemId, SnapshotId};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::ledger::{Decision, LedgerEntry};
use crate::vault::format::order::{Change, LiftOrder, Order, Replaced};
use crate::vault::format::receipt::Receipt;

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
    restrictions: Vec<Known>,
    /// Entries of restrictions that ended.
    lifted: HashSet<Digest>,
    /// Ledger entries that lift.
    lifts: Vec<SnapshotId>,
    /// Items under restriction, those in the place of others among them, with the oldest order that says so.
    restricted: HashMap<ItemId, SnapshotId>,
}

impl Erased {
    /// Reads the entries of a ledger that count, oldest first, each with its SHA-256.
    pub(in crate::vault) fn of<'e>(entries: impl Iterator<Item = (&'e LedgerEntry, Digest)>) -> Self {
        let mut all = Self::default();
        entries.for_each(|(entry, digest)| all.apply(entry, digest));
        all.restrict();
        all
    }

    fn apply(&mut self, entry: &LedgerEntry, digest: Digest) {
        let before: HashSet<Digest> = entry
            .parents
            .iter()
            .flat_map(|parent| self.before.get(parent).into_iter().flatten().copied().chain([*parent]))
            .collect();
        match &entry.decision {
            Decision::Receipt(receipt) => self.receipts.push(receipt.clone()),
            Decision::Restriction { order, .. } => {
                if let Ok(order) = serde_json::from_str::<Order>(order) {
                    let (entry, order) = (entry.id.clone(), Arc::new(order));
                    self.restrictions.push(Known { entry, digest, order });
                }
            }
            Decision::Lift { order, .. } => {
                self.lifts.push(entry.id.clone());
                if let Ok(order) = serde_json::from_str::<LiftOrder>(order) {
                    self.lifted.extend(order.restrictions);
                }
            }
            _ => {}
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

    /// Works out what is under restriction: each item that is named, and all that stands in its place.
    fn restrict(&mut self) {
        let in_force = self.restrictions.iter().filter(|known| !self.lifted.contains(&known.digest));
        for known in in_force {
            for named in &known.order.items {
                let mut at = named.id;
                for _ in 0..=self.steps.len() {
                    self.restricted.entry(at).or_insert_with(|| known.entry.clone());
                    match self.steps.get(&at).filter(|step| step.by.change != Change::Removed) {
                        Some(step) => at = step.by.by,
                        // A tombstone says nothing of anybody.
                        None => break,
                    }
                }
            }
        }
    }

    /// Whether no order replaces anything, and nothing is under restriction.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.restricted.is_empty()
    }

    /// The orders that erase or correct, oldest first.
    pub fn orders(&self) -> &[Known] {
        &self.orders
    }

    /// The restrictions that are in force, oldest first.
    pub fn restrictions(&self) -> impl Iterator<Item = &Known> {
        self.restrictions.iter().filter(|known| !self.lifted.contains(&known.digest))
    }

    /// The order by which an item is under restriction; `None`: it is not. What an order removed is not asked
    /// for here.
    pub fn restriction(&self, id: &ItemId) -> Option<&SnapshotId> {
        self.restricted.get(id)
    }

    /// Ids of all ledger entries that change how content is read: orders of erasure, restrictions and lifts.
    /// Whoever serves content reads it anew when there is another.
    pub fn decided(&self) -> BTreeSet<SnapshotId> {
        let known = self.orders.iter().chain(&self.restrictions).map(|known| &known.entry);
        known.chain(&self.lifts).cloned().collect()
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
