//! Versions of one object.
//!
//! A store with versions keeps what a put replaces, and hides behind a *delete marker* what a
//! delete takes away. That is what saves a backup from an intruder, and what an erasure has to
//! reach: whoever deletes for good lists the versions and deletes each.
//!
//! Every store can be asked for versions. One without them gives each object as its one version
//! [`VersionId::null`], which is also how S3 names what was put before versions were switched on.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ErrorKind, ObjectMeta, Result, StoreError};
use crate::clock::Timestamp;

/// Name that a store gave to one version of an object. It means nothing to anyone else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionId(String);

impl VersionId {
    /// Takes over the name that a store gave.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Returns the version of an object that has no other: `null`, as S3 has it.
    pub fn null() -> Self {
        Self("null".to_owned())
    }

    /// Whether this is [`null`](Self::null).
    pub fn is_null(&self) -> bool {
        self.0 == "null"
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One version of an object, as a listing tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// Key of the object.
    pub key: String,
    /// Which version.
    pub version: VersionId,
    /// Number of bytes; 0 for a delete marker.
    pub size: u64,
    /// When it was written, by the store's clock, where it tells.
    pub modified: Option<Timestamp>,
    /// Whether it is the newest: what a read without a version meets.
    pub is_latest: bool,
    /// Whether it is no content but the mark of a delete, behind which older versions are hidden.
    pub is_delete_marker: bool,
}

impl From<ObjectMeta> for ObjectVersion {
    /// Returns an object of a store without versions as its one version.
    fn from(meta: ObjectMeta) -> Self {
        Self {
            key: meta.key,
            version: VersionId::null(),
            size: meta.size,
            modified: meta.modified,
            is_latest: true,
            is_delete_marker: false,
        }
    }
}

/// Sorts by key, and the versions of a key from the newest to the oldest.
///
/// `versions` comes in the order of the store, which is kept among those of one key that have the
/// same time: stores tell whole seconds.
pub(super) fn sort(versions: &mut [ObjectVersion]) {
    versions.sort_by(|a, b| {
        let newest_first = |version: &ObjectVersion| std::cmp::Reverse((version.is_latest, version.modified));
        a.key.cmp(&b.key).then_with(|| newest_first(a).cmp(&newest_first(b)))
    });
}

/// Refuses a version that a store without versions cannot have.
pub(super) fn check_only(
    version: &VersionId,
    operation: &'static str,
    key: &str,
    place: &dyn fmt::Display,
) -> Result<()> {
    if version.is_null() { Ok(()) } else { Err(not_found(operation, key, place)) }
}

/// Returns the error that there is no such version, or that it is a delete marker.
pub(super) fn not_found(operation: &'static str, key: &str, place: &dyn fmt::Display) -> StoreError {
    StoreError::new(ErrorKind::NotFound, operation, key, place, "there is no such version of it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_sorted_by_key_and_from_the_newest_on() {
        let version = |key: &str, id: &str, second: i64, is_latest| ObjectVersion {
            key: key.into(),
            version: VersionId::new(id),
            size: 0,
            modified: Timestamp::from_timestamp(second, 0),
            is_latest,
            is_delete_marker: false,
        };
        let mut versions = [
            version("b", "1", 5, true),
            version("a", "2", 1, false),
            version("a", "3", 9, false),
            version("a", "4", 9, false),
            version("a", "5", 9, true),
        ];
        sort(&mut versions);
        let order: Vec<_> = versions.iter().map(|version| version.version.as_str()).collect();
        assert_eq!(order, ["5", "3", "4", "2", "1"]);
    }
}
