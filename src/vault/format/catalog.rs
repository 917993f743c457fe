//! Lines of the catalog's and the links' pages, one JSON object a line.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::ids::ItemId;

/// An entry of a tree: something with a path, by which entries are sorted.
pub trait Entry: Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync + 'static {
    /// Returns the path.
    fn path(&self) -> &str;

    /// Returns the item that it names, where it names one.
    fn item(&self) -> Option<ItemId> {
        None
    }

    /// Names another item of `size` bytes.
    fn replace_item(&mut self, _item: ItemId, _size: u64) {}
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkEntry {
    /// Path of the document.
    pub path: Box<str>,
    /// Ids of documents it links to, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Box<str>>,
    /// Ids of documents it is a translation of, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub translations: Vec<Box<str>>,
    /// Ids of further documents that links in the copies it holds of others lead to, sorted: its
    /// bytes change when those do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<Box<str>>,
    /// Ids of assets it uses, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<Box<str>>,
    /// Keyed names of the addresses of files that Prismic does not store, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external: Vec<Box<str>>,
    /// How the ids of its assets were found.
    #[serde(default, skip_serializing_if = "AssetNaming::is_told")]
    pub naming: AssetNaming,
    /// Number of the walk over the document that found this, where it is all that the document
    /// refers to. 0, which is left out, where that is not known, or where there are files besides
    /// whose address cannot be used: then whoever needs them has to look into the document.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub walk: u32,
}

/// How the ids of the assets of a document were found; the least certain of its ways counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssetNaming {
    /// The document tells each of them.
    #[default]
    Told,
    /// The media library lists the address, and the document tells no id.
    Address,
    /// Otherwise: something that the media library lists later may change them.
    Guessed,
}

impl AssetNaming {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
    fn is_told(&self) -> bool {
        *self == Self::Told
    }
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

    fn item(&self) -> Option<ItemId> {
        Some(self.item)
    }

    fn replace_item(&mut self, item: ItemId, size: u64) {
        (self.item, self.size) = (item, size);
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
