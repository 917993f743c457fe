//! The media library: items as the Asset API lists them, and where their bytes come from.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::error::SandboxError;
use super::synthetic::GeneratedFile;
use crate::contentapi::files::decode_path;
use crate::contentapi::{ASSET_HOST, Template};

/// Where the bytes of an asset come from. None of them need the whole file in memory but the
/// first, which is for small ones.
#[derive(Debug, Clone)]
pub enum AssetContent {
    /// In memory.
    Bytes(Bytes),
    /// A file of a loaded repository.
    File {
        /// Where it lies.
        path: PathBuf,
        /// Its length.
        len: u64,
    },
    /// Listed, but the file is gone: 404.
    Missing,
    /// Made on the fly from a seed.
    Generated(GeneratedFile),
}

impl AssetContent {
    /// Returns the number of bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
            Self::Generated(file) => file.len,
            Self::Missing => 0,
        }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads a range, which the caller has checked against [`len`](Self::len) and keeps small.
    pub async fn read(&self, range: Range<u64>) -> std::io::Result<Bytes> {
        let size = |n: u64| usize::try_from(n).map_err(std::io::Error::other);
        match self {
            Self::Bytes(bytes) => Ok(bytes.slice(size(range.start)?..size(range.end)?)),
            Self::Generated(file) => Ok(file.read(range)),
            Self::Missing => Ok(Bytes::new()),
            Self::File { path, .. } => {
                let mut file = tokio::fs::File::open(path).await?;
                file.seek(std::io::SeekFrom::Start(range.start)).await?;
                let mut buffer = vec![0; size(range.end - range.start)?];
                file.read_exact(&mut buffer).await?;
                Ok(buffer.into())
            }
        }
    }
}

/// One asset.
#[derive(Debug, Clone)]
pub struct Asset {
    /// 16 characters.
    pub id: String,
    /// `image`, `audio`, `video`, `document`.
    pub kind: String,
    /// Name the editor gave the file; not part of its address.
    pub filename: String,
    /// Milliseconds since 1970; the listing is newest first.
    pub created_at: i64,
    /// Ids of its tags.
    pub tags: Vec<String>,
    /// Path of its address, decoded: `/<repository>/<file>`.
    pub path: String,
    /// Its bytes.
    pub content: AssetContent,
    item: Template,
}

impl Asset {
    /// Reads an item as the Asset API lists it; each of `hosts` before its path is one of the
    /// repository's own.
    pub fn parse(item: &str, hosts: &[&str], content: AssetContent) -> Result<Self, SandboxError> {
        let invalid = |what: &'static str| SandboxError::InvalidAsset(what);
        let value: Value = serde_json::from_str(item).map_err(|_| invalid("it is not JSON"))?;
        let text = |key: &'static str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let url = text("url").ok_or(invalid("it has no url"))?;
        let path = hosts
            .iter()
            .find_map(|host| url.strip_prefix(*host))
            .ok_or(invalid("its url is on another host"))?;
        let tags = value
            .get("tags")
            .and_then(Value::as_array)
            .map(|tags| tags.iter().filter_map(|tag| tag.get("id")?.as_str().map(str::to_owned)).collect());
        Ok(Self {
            id: text("id").ok_or(invalid("it has no id"))?,
            kind: text("kind").ok_or(invalid("it has no kind"))?,
            filename: text("filename").ok_or(invalid("it has no filename"))?,
            created_at: value
                .get("created_at")
                .and_then(Value::as_i64)
                .ok_or(invalid("it has no created_at"))?,
            tags: tags.unwrap_or_default(),
            path: decode_path(path),
            content,
            item: Template::new(item, hosts),
        })
    }

    /// Returns this asset with other notes, as an editor would change them: its file stays.
    pub fn with_notes(&self, notes: &str, modified_at: i64) -> Result<Self, SandboxError> {
        self.edited(|item| {
            item["notes"] = notes.into();
            item["last_modified"] = modified_at.into();
        })
    }

    /// Returns the item as the Asset API lists it, with [`ASSET_HOST`] in its address.
    pub fn item(&self) -> Value {
        let mut item = Vec::new();
        self.item.render(ASSET_HOST, &mut item);
        serde_json::from_slice(&item).unwrap_or_default()
    }

    /// Returns this asset with its item changed.
    pub(super) fn edited(&self, change: impl FnOnce(&mut Value)) -> Result<Self, SandboxError> {
        let mut item = self.item();
        change(&mut item);
        Self::parse(&item.to_string(), &[ASSET_HOST], self.content.clone())
    }

    /// Appends the item as the Asset API lists it.
    pub fn render(&self, asset_host: &str, out: &mut Vec<u8>) {
        self.item.render(asset_host, out);
    }
}

/// The media library of a repository. Files outlive their assets, as at Prismic, where only the
/// support deletes a file for good.
#[derive(Debug, Clone, Default)]
pub struct Library {
    assets: Vec<Arc<Asset>>,
    files: HashMap<String, Arc<Asset>>,
    tags: Vec<Value>,
}

impl Library {
    /// Makes a library; `tags` are items of the Asset API.
    pub fn new(assets: impl IntoIterator<Item = Asset>, tags: Vec<Value>) -> Self {
        let mut library = Self { tags, ..Self::default() };
        for asset in assets {
            let asset = Arc::new(asset);
            library.files.insert(asset.path.clone(), Arc::clone(&asset));
            library.assets.push(asset);
        }
        library.sort();
        library
    }

    fn sort(&mut self) {
        self.assets.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| b.id.cmp(&a.id)));
    }

    /// Returns the assets, newest first.
    pub fn assets(&self) -> &[Arc<Asset>] {
        &self.assets
    }

    /// Returns the tags.
    pub fn tags(&self) -> &[Value] {
        &self.tags
    }

    /// Finds an asset by its id.
    pub fn find(&self, id: &str) -> Option<&Arc<Asset>> {
        self.assets.iter().find(|asset| asset.id == id)
    }

    /// Adds a tag (an item of the Asset API), or replaces the one of the same id in its place.
    pub(super) fn put_tag(&mut self, tag: Value) {
        match self.tags.iter_mut().find(|known| known["id"] == tag["id"]) {
            Some(known) => *known = tag,
            None => self.tags.push(tag),
        }
    }

    /// Removes a tag from the list of tags; assets are not looked at.
    pub(super) fn remove_tag(&mut self, id: &str) -> Option<Value> {
        let at = self.tags.iter().position(|tag| tag["id"] == id)?;
        Some(self.tags.remove(at))
    }

    /// Finds the file at a decoded path, also that of an asset that was removed.
    pub fn find_file(&self, path: &str) -> Option<&Arc<Asset>> {
        self.files.get(path)
    }

    /// Adds an asset, or replaces the one of the same id.
    pub fn put(&mut self, asset: Asset) {
        let asset = Arc::new(asset);
        self.assets.retain(|known| known.id != asset.id);
        self.files.insert(asset.path.clone(), Arc::clone(&asset));
        self.assets.push(asset);
        self.sort();
    }

    /// Removes an asset from the listing; its file stays. Returns whether it was there.
    pub fn remove(&mut self, id: &str) -> bool {
        let before = self.assets.len();
        self.assets.retain(|known| known.id != id);
        self.assets.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once_and_nonsense_stays() {
        for (path, expected) in [
            ("/repo/a_b.png?auto=format,compress", "/repo/a_b.png"),
            ("/repo%2Fa.png", "/repo/a.png"),
            ("/repo/%C3%A9%252F", "/repo/é%2F"),
            ("/repo/100%", "/repo/100%"),
            ("/repo/%zz%4", "/repo/%zz%4"),
        ] {
            assert_eq!(decode_path(path), expected, "{path}");
        }
    }

    #[test]
    fn a_removed_asset_leaves_its_file() {
        let item = r#"{"id":"A","url":"https://h.example/r/A_x.pdf","kind":"document","filename":"x.pdf","created_at":5,"tags":[{"id":"t"}]}"#;
        let content = AssetContent::Bytes(Bytes::from_static(b"abc"));
        let asset = Asset::parse(item, &["https://h.example"], content.clone()).expect("an asset");
        let mut library = Library::new([asset], Vec::new());
        assert!(library.remove("A") && !library.remove("A"));
        assert!(library.assets().is_empty() && library.find_file("/r/A_x.pdf").is_some());
        let error = Asset::parse(item, &["https://other.example"], content).expect_err("another host");
        assert_eq!(error.to_string(), "the asset is not valid: its url is on another host");
    }
}
