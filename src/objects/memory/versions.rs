//! What a store in memory holds: of every key its versions, from the oldest to the newest.
//!
//! In a store without versions there is one of each, named `null`. A key without versions is not
//! in the map.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use super::{Lock, ObjectVersion, Timestamp, VersionId};
use crate::ids::Digest;

/// All objects.
#[derive(Debug, Default)]
pub(super) struct State {
    objects: BTreeMap<String, Vec<(VersionId, Version)>>,
    /// Number of the last version that was named.
    named: u64,
}

/// One version.
#[derive(Debug)]
pub(super) enum Version {
    Content(Content),
    /// A delete marker, and when it was made.
    Marker(Timestamp),
}

/// A version that is not a delete marker.
#[derive(Clone)]
pub(super) struct Content {
    pub(super) bytes: Bytes,
    /// Digest at the time of the put; tampering does not change it.
    pub(super) sha256: Digest,
    pub(super) modified: Timestamp,
    pub(super) lock: Lock,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes, {})", self.bytes.len(), self.sha256)
    }
}

impl Version {
    fn content(&self) -> Option<&Content> {
        match self {
            Self::Content(content) => Some(content),
            Self::Marker(_) => None,
        }
    }

    fn content_mut(&mut self) -> Option<&mut Content> {
        match self {
            Self::Content(content) => Some(content),
            Self::Marker(_) => None,
        }
    }
}

impl State {
    /// Adds the newest version; it replaces all others where versions are not kept.
    pub(super) fn add(&mut self, key: &str, version: Version, keep: bool) {
        let id = if keep {
            self.named += 1;
            // Not in the order of time: nobody may sort by it.
            VersionId::new(format!("{:08x}.{}", (self.named as u32).reverse_bits(), self.named))
        } else {
            VersionId::null()
        };
        let versions = self.objects.entry(key.to_owned()).or_default();
        if !keep {
            versions.clear();
        }
        versions.push((id, version));
    }

    /// Removes all versions of a key.
    pub(super) fn remove(&mut self, key: &str) {
        self.objects.remove(key);
    }

    pub(super) fn remove_version(&mut self, key: &str, version: &VersionId) {
        if let Some(versions) = self.objects.get_mut(key) {
            versions.retain(|(id, _)| id != version);
            if versions.is_empty() {
                self.objects.remove(key);
            }
        }
    }

    /// Returns what a read without a version meets; `None` when that is a delete marker.
    pub(super) fn newest(&self, key: &str) -> Option<(&VersionId, &Content)> {
        let (id, version) = self.objects.get(key)?.last()?;
        version.content().map(|content| (id, content))
    }

    pub(super) fn newest_mut(&mut self, key: &str) -> Option<&mut Content> {
        self.objects.get_mut(key)?.last_mut()?.1.content_mut()
    }

    pub(super) fn content(&self, key: &str, version: &VersionId) -> Option<&Content> {
        self.objects.get(key)?.iter().find(|(id, _)| id == version)?.1.content()
    }

    pub(super) fn content_mut(&mut self, key: &str, version: &VersionId) -> Option<&mut Content> {
        self.objects.get_mut(key)?.iter_mut().find(|(id, _)| id == version)?.1.content_mut()
    }

    /// Returns the objects that a listing shows, in the order of keys.
    pub(super) fn visible(&self) -> impl Iterator<Item = (&str, &Content)> {
        self.objects.iter().filter_map(|(key, versions)| Some((key.as_str(), versions.last()?.1.content()?)))
    }

    /// Returns all versions, in the order of keys and from the newest to the oldest.
    pub(super) fn versions(&self) -> impl Iterator<Item = ObjectVersion> {
        self.objects.iter().flat_map(|(key, versions)| {
            versions.iter().rev().enumerate().map(|(age, (id, version))| {
                let (size, modified) = match version {
                    Version::Content(content) => (content.bytes.len() as u64, content.modified),
                    Version::Marker(at) => (0, *at),
                };
                ObjectVersion {
                    key: key.clone(),
                    version: id.clone(),
                    size,
                    modified: Some(modified),
                    is_latest: age == 0,
                    is_delete_marker: matches!(version, Version::Marker(_)),
                }
            })
        })
    }
}
