//! Which ids of two sides mean the same thing.

/// Says which documents and assets of the newer side are those of the older one.
///
/// A repository that was restored has new ids throughout; compared through the map of its restore
/// it differs from the source only in what was lost.
pub trait Identity: Sync {
    /// Returns the id by which the newer side knows a document of the older side.
    fn document<'a>(&'a self, old: &'a str) -> &'a str {
        old
    }

    /// Returns the id by which the newer side knows an asset of the older side.
    fn asset<'a>(&'a self, old: &'a str) -> &'a str {
        old
    }

    /// Whether every id means the same on both sides, so that equal bytes are equal content. Where it
    /// does not, a link that kept its id leads elsewhere.
    fn is_same_everywhere(&self) -> bool {
        false
    }
}

/// Ids mean the same on both sides: two snapshots of one repository.
#[derive(Debug, Clone, Copy, Default)]
pub struct SameIds;

impl Identity for SameIds {
    fn is_same_everywhere(&self) -> bool {
        true
    }
}

/// One of the two items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Old,
    New,
}

/// Returns the id of a document as the newer side knows it.
pub(super) fn document<'a>(identity: &'a dyn Identity, side: Side, id: &'a str) -> &'a str {
    match side {
        Side::Old => identity.document(id),
        Side::New => id,
    }
}

/// Returns the id of an asset as the newer side knows it.
pub(super) fn asset<'a>(identity: &'a dyn Identity, side: Side, id: &'a str) -> &'a str {
    match side {
        Side::Old => identity.asset(id),
        Side::New => id,
    }
}
