//! What reading a catalog under orders came to.

use std::collections::BTreeSet;

use serde::Serialize;

use super::orders::{Erased, Replacement};
use crate::ids::{ItemId, SnapshotId};
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
    /// They are under restriction, and not among the entries until that is lifted.
    pub restricted: u64,
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
        let parts = [
            (self.masked + self.removed, "erased"),
            (self.restricted, "restricted"),
            (self.corrected, "corrected"),
        ];
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
        self.restricted += other.restricted;
        self.corrected += other.corrected;
        self.orders.extend(other.orders);
    }
}

/// Who reads: what is under restriction is kept for the person and for defending claims (GDPR Art. 18(2)), and
/// for nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sight {
    /// Users: what is under restriction is not there.
    #[default]
    Users,
    /// Who answers the person, or sees that copies are whole.
    Custodians,
}

/// What an entry of a catalog is read as.
enum Now {
    AsWritten,
    Replaced(Replacement),
    /// It is not there, by this order.
    Gone(SnapshotId),
    /// It is not handed out, by this order.
    Restricted(SnapshotId),
}

fn now(erased: &Erased, item: &ItemId, sight: Sight) -> Result<Now> {
    let replaced = erased.current(item)?;
    if let Some(gone) = replaced.as_ref().filter(|now| now.change == Change::Removed) {
        return Ok(Now::Gone(gone.order.clone()));
    }
    // What stands in the place of something restricted is restricted as well.
    let read = replaced.as_ref().map_or(item, |now| &now.item);
    match erased.restriction(read).filter(|_| sight == Sight::Users) {
        Some(order) => Ok(Now::Restricted(order.clone())),
        None => Ok(replaced.map_or(Now::AsWritten, Now::Replaced)),
    }
}

/// Puts what stands in the place of erased items into entries that name these, and takes out the entries of
/// what is gone, and of what this reader must not see.
///
/// # Errors
///
/// Those of [`Erased::current`].
pub(in crate::vault) fn apply<E: Entry>(
    entries: &mut Vec<E>,
    erased: &Erased,
    sight: Sight,
) -> Result<Applied> {
    let mut applied = Applied::default();
    if erased.is_empty() {
        return Ok(applied);
    }
    let mut failure = None;
    entries.retain_mut(|entry| {
        let now = match entry.item().map_or(Ok(Now::AsWritten), |item| now(erased, &item, sight)) {
            Ok(now) => now,
            Err(error) => {
                failure.get_or_insert(error);
                return true;
            }
        };
        match now {
            Now::AsWritten => true,
            Now::Gone(order) => {
                applied.removed += 1;
                applied.orders.insert(order);
                false
            }
            Now::Restricted(order) => {
                applied.restricted += 1;
                applied.orders.insert(order);
                false
            }
            Now::Replaced(now) => {
                match now.change {
                    Change::Corrected => applied.corrected += 1,
                    Change::Masked | Change::Removed | Change::Restricted => applied.masked += 1,
                }
                applied.orders.insert(now.order);
                entry.replace_item(now.item, now.size);
                true
            }
        }
    });
    match failure {
        None => Ok(applied),
        Some(error) => Err(error),
    }
}
