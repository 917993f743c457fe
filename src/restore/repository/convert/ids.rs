//! What the ids of a snapshot became in the target.

use std::collections::{HashMap, HashSet};

use url::Url;

use crate::prismic::asset_url::{comparison_key, is_prismic, original, possible_asset_id};

/// What became of a document of the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewId<'a> {
    /// Its id in the target.
    Known(&'a str),
    /// It will be created later: links to it are left out for now.
    Pending,
    /// It is neither restored nor in the target.
    Absent,
}

/// An asset of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewAsset<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its address, as the Asset API tells it.
    pub url: &'a str,
}

/// What the ids of a snapshot became in the target.
pub trait NewIds {
    /// Returns what became of a document.
    fn document(&self, old: &str) -> NewId<'_>;

    /// Returns what became of an asset, by the id under which the snapshot has it; `None` when the
    /// target has nothing for it.
    fn asset(&self, old: &str) -> Option<NewAsset<'_>>;

    /// Returns the id under which the snapshot has the file at an address: documents of long ago tell
    /// no ids. See [`AssetAddresses`].
    fn asset_at(&self, _address: &Url) -> Option<&str> {
        None
    }

    /// Whether files at an address are of a media library. What is not is a picture of another site.
    fn is_of_library(&self, address: &Url) -> bool {
        is_prismic(address)
    }
}

/// The assets of a snapshot by their addresses, to find those that documents name by these only.
#[derive(Debug, Clone, Default)]
pub struct AssetAddresses {
    by_address: HashMap<String, String>,
    ids: HashSet<String>,
}

impl AssetAddresses {
    /// Notes an asset: the id under which the snapshot has it, and the address that its metadata
    /// tells, if any. The first of two assets with one address counts.
    pub fn add(&mut self, id: &str, url: Option<&str>) {
        self.ids.insert(id.to_owned());
        if let Some(url) = url.and_then(|url| original(url).ok()) {
            self.by_address.entry(comparison_key(&url)).or_insert_with(|| id.to_owned());
        }
    }

    /// Returns the id of the asset at an address, as a snapshot finds it: by the address, else by
    /// what looks like an id in it and is one.
    pub fn find(&self, address: &Url) -> Option<&str> {
        if let Some(id) = self.by_address.get(&comparison_key(address)) {
            return Some(id);
        }
        self.ids.get(&possible_asset_id(address)?).map(String::as_str)
    }
}
