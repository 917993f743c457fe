//! `trust/<n>.json`: who may sign what, and to whom is encrypted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::VaultId;
use crate::vault::envelope::Recipient;
use crate::vault::signing::VerifyingKey;

/// Kind of [`TrustRecord`].
pub const KIND: &str = "trust";

/// A trust record. Each is signed by the root key that the one before names, the first by its
/// own, which the configuration pins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustRecord {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// Counts from 1; clients remember the highest they saw.
    pub n: u32,
    /// When it was made, RFC 3339.
    pub created: String,
    /// The key that signs the next trust record.
    pub root: VerifyingKey,
    /// Who may sign what.
    pub signers: Vec<Signer>,
    /// Who can read content; empty in a vault without encryption.
    pub content_recipients: Vec<Recipient>,
    /// Who can read catalogs and indexes: operators, and everyone who can read content.
    pub catalog_recipients: Vec<Recipient>,
    /// Who of them can read the cases of data-subject requests; in a vault without encryption those
    /// who can at all. Keys that are kept for recovery are none of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub privacy_recipients: Vec<Recipient>,
    /// Signatures by privacy keys that an erasure order needs.
    pub erasure_approvals: u32,
    /// The key that fingerprints items and places page boundaries.
    pub item_key: WrappedKey,
    /// What people call the keys, by public key. Decides nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A signing key and what it may sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    /// The public key.
    pub key: VerifyingKey,
    /// What its signature counts for.
    pub roles: Vec<Role>,
}

/// What a signature counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Manifests, index objects and accepted gaps.
    Snapshot,
    /// Removals, marks and holds.
    Maintenance,
    /// Erasure orders and restrictions.
    Privacy,
    /// A role of a later version: counts for nothing here.
    #[serde(other)]
    Unknown,
}

impl Role {
    /// Returns its name in the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Maintenance => "maintenance",
            Self::Privacy => "privacy",
            Self::Unknown => "unknown",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let known = [Self::Snapshot, Self::Maintenance, Self::Privacy];
        known
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| format!("not a role (snapshot, maintenance, privacy): {text:?}"))
    }
}

/// The item key as it is stored, base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WrappedKey {
    /// An age file to the catalog recipients.
    Age(String),
    /// In the clear, in a vault without encryption.
    Clear(String),
}
