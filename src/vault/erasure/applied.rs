//! What reading a catalog under orders came to.

use std::collections::BTreeSet;

use serde::Serialize;

use super::orders::Erased;
use crate::ids::SnapshotId;
use crate::vault::error::Result;
use crate::vault::format::catalog::Entry;
use crate::vault::format::order::Change;

/// How many entries of a catalog are read otherwise than they were written, and by which orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// Personal values in them are masked.
    pub masked: u64,
    /// They are gone, and not among the entries any more.
    pub removed: u64,
    /// A value in them is corrected.
    pub corrected: u64,
    /// Ids of the ledger entries with the orders that say so.
    pub orders: BTreeSet<SnapshotId>,
}

impl Applied {
    /// Whether every entry is read as it was written.
    pub fn is_nothing(&self) -> bool {
        self.orders.is_empty()
    }

    /// What was applied, for people; `None` for nothing.
    pub fn words(&self) -> Option<String> {
        let parts = [(self.masked + self.removed, "erased"), (self.corrected, "corrected")];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// Adds what another part of a catalog came to.
    pub fn extend(&mut self, other: Self) {
        self.masked += other.masked;
        self.removed += other.removed;
        self.corrected += other.corrected;
        self.orders.extend(other.orders);
    }
}

/// Puts what stands in the place of erased items into entries that name these, and takes out the entries of
/// what is gone.
///
/// # Errors
///
/// Those of [`Erased::current`].
pub(in crate::vault) fn apply<E: Entry>(entries: &mut Vec<E>, erased: &Erased) -> Result<Applied> {
    let mut applied = Applied::default();
    if erased.is_empty() {
        return Ok(applied);
    }
    let mut failure = None;
    entries.retain_mut(|entry| {
        let now = match entry.item().map_or(Ok(None), |item| erased.current(&item)) {
            Ok(Some(now)) => now,
            Ok(None) => return true,
            Err(error) => {
                failure.get_or_insert(error);
                return true;
            }
        };
        applied.orders.insert(now.order);
        match now.change {
            Change::Masked => applied.masked += 1,
            Change::Corrected => applied.corrected += 1,
            Change::Removed => {
                applied.removed += 1;
                return false;
            }
        }
        entry.replace_item(now.item, now.size);
        true
    });
    match failure {
        None => Ok(applied),
        Some(error) => Err(error),
    }
}
