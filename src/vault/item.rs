//! Items: what they are and how equal ones are known.

use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;

use super::format::index::PackKind;
use crate::ids::Mac;

/// What an item is; part of its fingerprint, so that equal bytes of different kinds differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// A document.
    Document,
    /// A custom type or shared slice.
    Model,
    /// Bytes of an asset.
    Asset,
    /// What the media library says of an asset.
    AssetMetadata,
    /// Repository root, languages, tags.
    Repository,
    /// A page of a catalog or of links.
    Page,
}

impl ItemKind {
    /// Returns the kind of what is stored under a path of the format; `None` for a path that the
    /// format does not have, which says nothing of its kind.
    pub fn of_path(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').collect();
        Some(match segments.as_slice() {
            ["documents", _, _, file] | ["releases", _, "documents", _, _, file] if is_json(file) => {
                Self::Document
            }
            ["models", "customtypes" | "slices", file] if is_json(file) => Self::Model,
            ["assets", _, "metadata.json"] => Self::AssetMetadata,
            ["assets", _, "original"] => Self::Asset,
            ["repository", file] if is_json(file) => Self::Repository,
            _ if path == PAGE_PATH => Self::Page,
            _ => return None,
        })
    }

    /// Returns the kind of packs that such items go into.
    pub(crate) fn pack_kind(self) -> PackKind {
        match self {
            Self::Asset => PackKind::Assets,
            Self::Page => PackKind::Catalog,
            Self::Document | Self::Model | Self::AssetMetadata | Self::Repository => PackKind::Content,
        }
    }

    fn label(self) -> &'static [u8] {
        match self {
            Self::Document => b"document\0",
            Self::Model => b"model\0",
            Self::Asset => b"asset\0",
            Self::AssetMetadata => b"asset-metadata\0",
            Self::Repository => b"repository\0",
            Self::Page => b"page\0",
        }
    }
}

fn is_json(file: &str) -> bool {
    file.ends_with(".json")
}

/// Path of every page of a tree.
pub(super) const PAGE_PATH: &str = "catalog/page.jsonl";

/// The vault's item key: fingerprints items, places page boundaries, names what has no id.
///
/// It is wrapped to the catalog recipients; who lacks it can confirm no guess about content.
#[derive(Clone)]
pub struct ItemKey(pub(super) [u8; 32]);

impl std::fmt::Debug for ItemKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ItemKey(…)")
    }
}

/// A fingerprint in the making.
pub struct Fingerprint(Hmac<Sha256>);

impl Fingerprint {
    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the fingerprint.
    pub fn finish(self) -> Mac {
        let full: [u8; 32] = self.0.finalize().into_bytes().into();
        let (half, _) = full.split_first_chunk().expect("32 bytes have a first half");
        Mac(*half)
    }
}

#[cfg(test)]
impl ItemKey {
    /// A key that is the same in every test.
    pub(crate) fn for_tests() -> Self {
        Self([7; 32])
    }
}

impl ItemKey {
    fn hmac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0).expect("HMAC takes keys of any length")
    }

    /// Starts the fingerprint of an item of this kind.
    pub fn start(&self, kind: ItemKind) -> Fingerprint {
        let mut hmac = self.hmac();
        hmac.update(kind.label());
        Fingerprint(hmac)
    }

    /// Returns the fingerprint of an item in memory.
    pub fn fingerprint(&self, kind: ItemKind, bytes: &[u8]) -> Mac {
        let mut fingerprint = self.start(kind);
        fingerprint.update(bytes);
        fingerprint.finish()
    }

    /// Whether a page of this level ends after the entry with this path, where its size leaves
    /// the choice: one in 64 paths. Under the key, so that sizes of pages tell nothing of paths.
    pub(super) fn is_boundary(&self, level: u32, path: &str) -> bool {
        let mut hmac = self.hmac();
        hmac.update(b"boundary\0");
        hmac.update(&level.to_le_bytes());
        hmac.update(path.as_bytes());
        let tag: [u8; 32] = hmac.finalize().into_bytes().into();
        tag[0] & 63 == 0
    }

    /// Returns an id for something that has none at the source, an old asset known by its
    /// address only. Nobody without the key can tell which address it is.
    pub fn name(&self, what: &str) -> String {
        let mut hmac = self.hmac();
        hmac.update(b"name\0");
        hmac.update(what.as_bytes());
        let tag: [u8; 32] = hmac.finalize().into_bytes().into();
        format!("url-{}", crate::ids::hex(&tag[..8]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_the_kind_and_an_unknown_one_is_not_guessed() {
        for (path, kind) in [
            ("documents/en-us/page/X.json", Some(ItemKind::Document)),
            ("releases/r/documents/en-us/page/X.json", Some(ItemKind::Document)),
            ("models/customtypes/page.json", Some(ItemKind::Model)),
            ("models/slices/hero.json", Some(ItemKind::Model)),
            ("assets/X/metadata.json", Some(ItemKind::AssetMetadata)),
            ("assets/X/original", Some(ItemKind::Asset)),
            ("repository/api.json", Some(ItemKind::Repository)),
            ("catalog/page.jsonl", Some(ItemKind::Page)),
            ("documents/X.json", None),
            ("documents/en-us/page/X", None),
            ("releases/r/X.json", None),
            ("assets/X/thumbnail", None),
            ("assets/original", None),
            ("catalog/other", None),
            ("", None),
        ] {
            assert_eq!(ItemKind::of_path(path), kind, "{path}");
        }
    }

    #[test]
    fn kind_key_and_bytes_all_make_the_fingerprint() {
        let (a, b) = (ItemKey([1; 32]), ItemKey([2; 32]));
        let base = a.fingerprint(ItemKind::Document, b"x");
        assert_eq!(base, a.fingerprint(ItemKind::Document, b"x"));
        assert_ne!(base, a.fingerprint(ItemKind::Model, b"x"));
        assert_ne!(base, a.fingerprint(ItemKind::Document, b"y"));
        assert_ne!(base, b.fingerprint(ItemKind::Document, b"x"));
    }
}
