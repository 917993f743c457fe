//! Orders of erasure, restriction and lift: what old snapshots read as from now on.
//!
//! An order lies in a ledger entry as text, so that the bytes which people signed are kept to the
//! letter: `jq -j .decision.order ENTRY.json > order.json; minisign -V -m order.json`.

use serde::{Deserialize, Serialize};

use crate::ids::{CaseId, Digest, ItemId, Name, VaultId};
use crate::vault::signing::VerifyingKey;

/// Kind of an [`Order`] that erases or corrects.
pub const KIND: &str = "erasure-order";

/// Kind of an [`Order`] that restricts: nothing of what it names is destroyed.
pub const RESTRICTION_KIND: &str = "restriction-order";

/// Kind of [`LiftOrder`].
pub const LIFT_KIND: &str = "lift-order";

/// Items that one order may name; a case with more has several orders, each approved.
pub const ITEMS_MAX: usize = 20_000;

/// What is to be erased, corrected, removed or restricted in one space. No names and no values: those are in the
/// plan, which is encrypted to the privacy recipients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// [`KIND`] or [`RESTRICTION_KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Space it is about.
    pub space: Name,
    /// The case, a random number.
    pub case: CaseId,
    /// When it was planned, RFC 3339.
    pub planned: String,
    /// The key of the person who planned it: their approval does not count.
    pub planned_by: VerifyingKey,
    /// SHA-256 of the plan.
    pub plan: Digest,
    /// The items, by id.
    pub items: Vec<Replaced>,
    /// Packs that held them when it was planned. Every pack that holds one of the items is to be
    /// destroyed, also one that is found later. A restriction names none.
    pub packs: Vec<Digest>,
}

/// Which restrictions of one space end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiftOrder {
    /// [`LIFT_KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Space it is about.
    pub space: Name,
    /// The case.
    pub case: CaseId,
    /// When it was planned, RFC 3339.
    pub planned: String,
    /// The key of the person who planned it: their approval does not count.
    pub planned_by: VerifyingKey,
    /// SHA-256 of the plan.
    pub plan: Digest,
    /// SHA-256 of the ledger entries with the restrictions that end.
    pub restrictions: Vec<Digest>,
}

/// What every order says, of whatever kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderHead {
    /// Its kind.
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Space it is about.
    pub space: Name,
    /// The case.
    pub case: CaseId,
    /// The key of the person who planned it: their approval does not count.
    pub planned_by: VerifyingKey,
    /// SHA-256 of the plan.
    pub plan: Digest,
}

/// An item that is read no more, and what is read in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// The item.
    pub id: ItemId,
    /// What becomes of it.
    pub change: Change,
    /// What is read in its place: for something removed, a tombstone. For something restricted the tombstone
    /// that would stand there; nothing stores or reads it.
    pub by: ItemId,
    /// Bytes of that.
    pub size: u64,
}

/// What an order makes of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Personal values in it are masked, metadata stripped.
    Masked,
    /// It is gone; a tombstone stands there.
    Removed,
    /// A value in it is corrected (GDPR Art. 16).
    Corrected,
    /// It is stored as before, and handed to nobody but privacy staff until that is lifted (GDPR Art. 18).
    Restricted,
}

/// A signature over an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The privacy key.
    pub key: VerifyingKey,
    /// Its signature over the text of the order, as minisign writes it.
    pub signature: String,
}
