//! What the ids of a snapshot became, or will become, in the target.

use std::collections::{HashMap, HashSet};

use url::Url;

use super::convert::{AssetAddresses, NewAsset, NewId, NewIds};
use super::entries::Recorded;
use super::existing::Existing;
use super::source::Source;
use crate::diff::Identity;
use crate::prismic::{AssetHost, AssetHosts};
use crate::snapshot::names::segment;
use crate::vault::item::ItemKey;

/// Files of the snapshot by their addresses, and the hosts that they come from.
#[derive(Debug, Clone)]
pub(super) struct AssetNames {
    addresses: AssetAddresses,
    hosts: AssetHosts,
}

impl AssetNames {
    /// Names all of the snapshot.
    pub(super) fn new(source: &Source, hosts: AssetHosts) -> Self {
        let mut addresses = AssetAddresses::default();
        for asset in &source.assets {
            addresses.add(&asset.id, asset.url.as_deref());
        }
        Self { addresses, hosts }
    }

    /// Names some of which nothing but the ids is known: they are found where an address has them.
    pub(super) fn of_ids<'i>(ids: impl IntoIterator<Item = &'i str>, hosts: AssetHosts) -> Self {
        let mut addresses = AssetAddresses::default();
        ids.into_iter().for_each(|id| addresses.add(id, None));
        Self { addresses, hosts }
    }

    pub(super) fn asset_at(&self, address: &Url) -> Option<&str> {
        self.addresses.find(address)
    }

    pub(super) fn is_of_library(&self, address: &Url) -> bool {
        self.hosts.classify(address) != AssetHost::External
    }
}

/// Ids as a plan knows them: what will have one, and what never will.
#[derive(Debug)]
pub(super) struct PlannedIds {
    key: ItemKey,
    /// Documents that are restored or are there, by their ids as paths have them.
    documents: HashSet<Box<str>>,
    /// Assets that the target has or gets.
    assets: HashSet<Box<str>>,
    names: AssetNames,
}

impl PlannedIds {
    /// Takes those of the documents in `chosen`, and of what the target has under the same ids.
    pub(super) fn new(
        key: &ItemKey,
        chosen: impl Iterator<Item = Box<str>>,
        (existing, earlier): (&Existing, &IdMap),
        assets: HashSet<Box<str>>,
        names: AssetNames,
    ) -> Self {
        let there = existing.documents.ids().chain(earlier.documents().map(|(old, _)| old));
        let there = there.map(|id| segment(key, id).into());
        Self { key: key.clone(), documents: chosen.chain(there).collect(), assets, names }
    }
}

impl NewIds for PlannedIds {
    fn document(&self, old: &str) -> NewId<'_> {
        match self.documents.contains(&*segment(&self.key, old)) {
            true => NewId::Known(PLACEHOLDER),
            false => NewId::Absent,
        }
    }

    fn asset(&self, old: &str) -> Option<NewAsset<'_>> {
        let id = self.assets.get(old)?;
        Some(NewAsset { id, url: "" })
    }

    fn asset_at(&self, address: &Url) -> Option<&str> {
        self.names.asset_at(address)
    }

    fn is_of_library(&self, address: &Url) -> bool {
        self.names.is_of_library(address)
    }
}

/// An id for a document that has none yet; what is converted with it is only looked at.
const PLACEHOLDER: &str = "AAAAAAAAAAAAAAAA";

/// Ids as they are by now.
pub(super) struct KnownIds<'a> {
    pub(super) recorded: &'a Recorded,
    /// Documents that are restored, by their ids.
    pub(super) planned: &'a HashSet<Box<str>>,
    /// Those of them that the target refuses.
    pub(super) hopeless: &'a HashSet<Box<str>>,
    pub(super) existing: &'a Existing,
    /// What earlier restores of the same repository made there.
    pub(super) earlier: &'a IdMap,
    pub(super) names: &'a AssetNames,
}

impl NewIds for KnownIds<'_> {
    fn document(&self, old: &str) -> NewId<'_> {
        if let Some(document) = self.recorded.documents.get(old) {
            return NewId::Known(&document.id);
        }
        if self.planned.contains(old) && !self.hopeless.contains(old) {
            return NewId::Pending;
        }
        match self.existing.documents.id(old).or_else(|| self.earlier.new_document(old)) {
            Some(id) => NewId::Known(id),
            None => NewId::Absent,
        }
    }

    fn asset(&self, old: &str) -> Option<NewAsset<'_>> {
        let asset = self.recorded.assets.get(old)?;
        Some(NewAsset { id: &asset.id, url: &asset.url })
    }

    fn asset_at(&self, address: &Url) -> Option<&str> {
        self.names.asset_at(address)
    }

    fn is_of_library(&self, address: &Url) -> bool {
        self.names.is_of_library(address)
    }
}

/// Which ids of a snapshot and of the target it was restored into mean the same.
#[derive(Debug, Clone, Default)]
pub struct IdMap {
    documents: HashMap<Box<str>, Box<str>>,
    assets: HashMap<Box<str>, Box<str>>,
}

impl IdMap {
    /// Takes the ids that a journal tells.
    pub(super) fn new(recorded: &Recorded) -> Self {
        let documents = recorded.documents.iter();
        let assets = recorded.assets.iter();
        Self {
            documents: documents.map(|(old, new)| (old.clone(), (&*new.id).into())).collect(),
            assets: assets.map(|(old, new)| (old.clone(), (&*new.id).into())).collect(),
        }
    }

    /// Takes in what a later journal tells.
    pub(super) fn extend(&mut self, later: Self) {
        self.documents.extend(later.documents);
        self.assets.extend(later.assets);
    }

    /// Leaves out what the target has not any more.
    pub(super) fn retain(&mut self, existing: &Existing) {
        self.documents.retain(|_, new| existing.documents.id(new).is_some());
        self.assets.retain(|_, new| existing.assets.contains_key(&**new));
    }

    /// Returns what a document of the snapshot is in the target.
    pub(super) fn new_document(&self, old: &str) -> Option<&str> {
        self.documents.get(old).map(|new| &**new)
    }

    /// Returns what an asset of the snapshot is in the target.
    pub(super) fn new_asset(&self, old: &str) -> Option<&str> {
        self.assets.get(old).map(|new| &**new)
    }

    /// Documents: id in the snapshot, id in the target.
    pub fn documents(&self) -> impl Iterator<Item = (&str, &str)> {
        self.documents.iter().map(|(old, new)| (&**old, &**new))
    }

    /// Assets: id in the snapshot, id in the target.
    pub fn assets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.assets.iter().map(|(old, new)| (&**old, &**new))
    }
}

impl Identity for IdMap {
    fn document<'a>(&'a self, old: &'a str) -> &'a str {
        self.documents.get(old).map_or(old, |new| new)
    }

    fn asset<'a>(&'a self, old: &'a str) -> &'a str {
        self.assets.get(old).map_or(old, |new| new)
    }
}
