//! `state/notifications.json`: what was said to whom.
//!
//! It lies on every replica, so that a scheduler on a new machine says nothing twice and forgets
//! nothing. It may be overwritten and lost: then what is wrong is said once more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{Name, VaultId};

/// Kind of [`ToldFile`].
pub const KIND: &str = "notifications";

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldFile {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// What was said.
    pub told: Told,
}

/// What was said to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When something was last said or noticed.
    pub at: Option<Timestamp>,
    /// By the name of the notification, then by the key of the alarm.
    pub to: BTreeMap<Name, BTreeMap<String, Said>>,
}

/// What one receiver was told of one alarm. Our own words, names and times only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Who looks for it: it ends when the same one finds it no more.
    pub source: String,
    /// Whether the last message called it critical.
    pub critical: bool,
    /// The repository, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Name>,
    /// What is wrong.
    pub what: String,
    /// The command to run next.
    pub next: String,
    /// Since when it is wrong.
    pub since: Timestamp,
    /// When the last message of it went out.
    pub said: Timestamp,
    /// Since when it is not seen any more, while that is not said yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<Timestamp>,
    /// When it was said to be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Whether it came back soon after it was said to be over: its next end is said later.
    #[serde(default)]
    pub restless: bool,
}
