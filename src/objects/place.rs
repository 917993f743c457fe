//! What the owner of a place has set there, as far as it concerns a backup.
//!
//! A bucket has settings that no put shows: a default lock, rules that delete or archive what is old,
//! copies into other buckets. Some destroy a backup, others keep what an erasure must reach. They are
//! asked for with permissions of their own, which few have; what is refused is *not known*, and said.

use serde::Serialize;

use super::lock::LockMode;

/// A setting, or why it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact<T> {
    /// As the place says.
    Known(T),
    /// Why the place does not say.
    NotKnown(String),
}

impl<T> Fact<T> {
    /// Returns what the place says.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(fact) => Some(fact),
            Self::NotKnown(_) => None,
        }
    }
}

/// The settings of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceFacts {
    /// Whether it keeps versions.
    pub versioning: Fact<Versioning>,
    /// Lock of objects that are put without one.
    pub default_lock: Fact<Option<DefaultLock>>,
    /// Where it copies objects to.
    pub copies_to: Fact<Vec<String>>,
    /// Rules by age that concern keys of the vault.
    pub lifecycle: Fact<Vec<LifecycleRule>>,
}

/// Whether a bucket keeps versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Versioning {
    /// It does.
    Enabled,
    /// It did; a delete now destroys what has no version of its own.
    Suspended,
    /// It never did.
    Off,
}

/// Lock of objects that are put without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DefaultLock {
    /// Its mode.
    pub mode: LockMode,
    /// How long it lasts; years have 365 days.
    pub days: i64,
}

/// A rule that deletes or archives by age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LifecycleRule {
    /// Its name.
    pub id: String,
    /// What keys it concerns begin with, in the bucket; `""` for all.
    pub prefix: String,
    /// Whether it deletes current versions.
    pub expires: bool,
    /// Days after which it deletes versions that are hidden.
    pub expires_hidden_after: Option<i32>,
    /// Storage classes that it moves objects to.
    pub moves_to: Vec<String>,
}
