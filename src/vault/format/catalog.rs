//! Lines of the catalog's and the links' pages, one JSON object a line.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::ids::ItemId;

/// An entry of a tree: something with a path, by which entries are sorted.
pub trait Entry: Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync + 'static {
    /// Returns the path.
    fn path(&self) -> &str;
}

/// `path -> item`: what a snapshot holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogEntry {
    /// Path within the snapshot; unique.
    pub path: Box<str>,
    /// Id of the item.
    pub item: ItemId,
    /// Bytes of the item.
    pub size: u64,
}

/// What a document refers to. Incremental reads need it: the backup host cannot read content
/// that it stored earlier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkEntry {
    /// Path of the document.
    pub path: Box<str>,
    /// Ids of documents it links to, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Box<str>>,
    /// Ids of documents it is a translation of, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub translations: Vec<Box<str>>,
    /// Ids of assets it uses, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<Box<str>>,
    /// Number of the walk over the document that found this, where it is all that the document
    /// refers to. 0, which is left out, where that is not known, or where there are files besides
    /// that no asset id names: then whoever needs them has to look into the document.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub walk: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A line of a page above the lowest level: a page and where it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageEntry {
    /// First path below it.
    pub first: Box<str>,
    /// Id of the page.
    pub page: ItemId,
    /// Bytes of the page.
    pub size: u64,
    /// Entries of the lowest level below it.
    pub entries: u64,
}

impl Entry for CatalogEntry {
    fn path(&self) -> &str {
        &self.path
    }
}

impl Entry for LinkEntry {
    fn path(&self) -> &str {
        &self.path
    }
}

impl Entry for PageEntry {
    fn path(&self) -> &str {
        &self.first
    }
}
