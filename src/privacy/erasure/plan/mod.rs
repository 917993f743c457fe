//! The plan of an erasure, rectification, restriction or its lift: what becomes of each item in which the person was
//! found.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `making` | a plan, from what was found and decided |
//! | `changes` | what becomes of one item |
//! | `held` | what must stay: holds of cases on items, holds of snapshots |
//! | `lifting` | restrictions that end, and what is shown again |
//! | `seed` | salts and pseudonyms, which follow from the plan |
//! | `orders` | the orders that people sign |
//!
//! It is canonical JSON (RFC 8785), so that the same plan has the same hash, and approvals are signatures over
//! orders that name this hash. Everything in it follows from what the search found, what was decided, and a seed
//! that the plan holds: made again, it is the same to the byte, or something has changed since, and nobody's
//! approval is worth anything.
//!
//! Personal data: it says where a person is. It is a file of the case, for the privacy recipients only.

mod changes;
mod held;
mod lifting;
mod making;
mod orders;
mod seed;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::correct::Correction;
use super::live::LiveStep;
use crate::ids::{CaseId, Digest, ItemId, Name, SnapshotId, VaultId};
use crate::vault::format::order::Change;
use crate::vault::signing::VerifyingKey;

pub use held::{Held, HeldSnapshot, decided_under, holds_of_another, holds_since, own_holds};
pub use making::{Making, PlanError};
pub use orders::{decision, orders};
pub(in crate::privacy::erasure) use seed::pseudonym;

/// Kind of [`Plan`].
pub const KIND: &str = "erasure-plan";

/// What a plan is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// The person goes (GDPR Art. 17): what was found is masked, stripped or removed.
    #[default]
    Erasure,
    /// Wrong values are replaced by right ones (Art. 16).
    Rectification,
    /// What was found is stored, and handed to nobody but who answers the person (Art. 18).
    Restriction,
    /// The restrictions of the case end.
    Lift,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Erasure, Self::Rectification, Self::Restriction, Self::Lift];

    /// Its name, as plans spell it and people type it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Erasure => "erasure",
            Self::Rectification => "rectification",
            Self::Restriction => "restriction",
            Self::Lift => "lift",
        }
    }

    /// Whether packs are rewritten and destroyed for it: what it takes away does not come back.
    pub fn destroys(self) -> bool {
        matches!(self, Self::Erasure | Self::Rectification)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is to become of everything in which the person was found.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Version of the program: another may mask otherwise.
    pub tool: String,
    /// Vault it is about.
    pub vault: VaultId,
    /// The case.
    pub case: CaseId,
    /// What it is for.
    pub purpose: Purpose,
    /// When it was made, RFC 3339.
    pub planned: String,
    /// Who made it.
    pub by: String,
    /// Their key: its approval does not count.
    pub planned_by: VerifyingKey,
    /// What salts and pseudonyms are made from, in hexadecimal; random.
    pub seed: String,
    /// SHA-256 of what the search found.
    pub search: Digest,
    /// SHA-256 of the decisions.
    pub decisions: Digest,
    /// What is wrong, and what is right; of a rectification only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrections: Vec<Correction>,
    /// Items of the vault that are replaced or restricted, by space and id.
    pub items: Vec<PlannedItem>,
    /// Restrictions that end; of a lift only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lifts: Vec<Lifted>,
    /// The day on which the person was told that the restriction ends (GDPR Art. 18(3)); of a lift only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<NaiveDate>,
    /// Findings that stay, with the ground; those under a legal hold among them.
    pub kept: Vec<KeptFinding>,
    /// Holds of the case that name nothing of what was found: there may be a slip in them.
    #[serde(default)]
    pub idle_holds: u64,
    /// Snapshots under hold that name items of the plan, where somebody decided that it goes on all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_hold: Option<OverHold>,
    /// What of the vault cannot be changed.
    pub left: Vec<Left>,
    /// What happens in live Prismic, step by step: what is written, and tasks for people.
    pub live: Vec<LiveStep>,
    /// Items, or parts of them, that could not be searched.
    pub unsearchable: u64,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("case", &self.case)
            .field("purpose", &self.purpose)
            .field("items", &self.items.len())
            .finish_non_exhaustive()
    }
}

/// One item, and what is read in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedItem {
    /// Its space.
    pub space: Name,
    /// The item.
    pub item: ItemId,
    /// Paths under which snapshots have it.
    pub paths: BTreeSet<String>,
    /// What becomes of it.
    pub change: Change,
    /// What is read in its place; for what is restricted the tombstone that would be, which nothing stores.
    pub by: ItemId,
    /// Bytes of that.
    pub size: u64,
    /// Where something is masked or corrected, as in
    /// [`Passage::place`](crate::privacy::passage::Passage::place); empty for what is removed or restricted.
    pub places: Vec<String>,
}

/// A restriction that ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lifted {
    /// Its space.
    pub space: Name,
    /// The ledger entry that says so.
    pub entry: SnapshotId,
    /// SHA-256 of that.
    pub sha256: Digest,
    /// Items that it names.
    pub items: u64,
}

/// The decision that a plan goes on although snapshots under hold name items of it: approved with the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverHold {
    /// Why, in words.
    pub reason: String,
    /// The snapshots.
    pub snapshots: Vec<HeldSnapshot>,
}

/// A finding that stays because of a ground.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFinding {
    /// Path of the item.
    pub path: String,
    /// Where in it.
    pub place: String,
    /// The ground.
    pub ground: String,
}

/// Something that stays as it is, because this program cannot change it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Left {
    /// Path of the item.
    pub path: String,
    /// Where in it; empty for all of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// Why.
    pub why: String,
}

impl Plan {
    /// As it is stored and hashed.
    pub fn canonical(&self) -> Vec<u8> {
        canonical(self)
    }

    /// Its hash.
    pub fn hash(&self) -> Digest {
        Digest::of(&self.canonical())
    }
}

/// Canonical JSON: members sorted by name, nothing between. Numbers are whole ones only.
pub fn canonical(value: &impl Serialize) -> Vec<u8> {
    fn sorted(value: Value) -> Value {
        match value {
            Value::Object(members) => {
                let members: BTreeMap<String, Value> =
                    members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
                Value::Object(members.into_iter().collect())
            }
            Value::Array(elements) => elements.into_iter().map(sorted).collect(),
            other => other,
        }
    }
    let value = serde_json::to_value(value).expect("plans always serialise");
    serde_json::to_vec(&sorted(value)).expect("JSON always serialises")
}

/// A plan with its orders, as a case keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// The plan.
    pub plan: Plan,
    /// Its orders, to the letter as they are signed.
    pub orders: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn canonical_json_has_one_form() {
        let one = canonical(&json!({"b": [1, {"d": "é\u{1}", "c": null}], "a": "x"}));
        assert_eq!(String::from_utf8(one.clone()).unwrap(), r#"{"a":"x","b":[1,{"c":null,"d":"é\u0001"}]}"#);
        let again: Value = serde_json::from_slice(&one).unwrap();
        assert_eq!(canonical(&again), one);
    }
}
