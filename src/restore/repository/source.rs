//! What a snapshot holds of a repository, as far as a restore of it plans with.
//!
//! Small things are read here (models, the lists of the repository, what the media library says of its
//! assets); documents and files are entries of the catalog, whose bytes are read when their turn comes.
//!
//! Only what is published is restored: what releases change besides has no way into Prismic, and is
//! counted instead.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use serde_json::Value;

use super::super::content::{Losses, OpenSnapshot, Watch, each_batch};
use super::super::error::Result;
use super::super::paths::{METADATA, ORIGINAL, Place, place};
use crate::ids::ItemId;
use crate::prismic::{asset_url, parse_json};
use crate::progress::Problem;
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::pack::ItemData;

/// Kinds of models, by their directories in a snapshot.
pub(super) const CUSTOM_TYPES: &str = "customtypes";
/// See [`CUSTOM_TYPES`].
pub(super) const SLICES: &str = "slices";

/// What a snapshot holds.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Languages, the master first where the snapshot tells.
    pub(super) languages: Vec<String>,
    /// The master language.
    pub(super) master: Option<String>,
    /// Models of custom types by id, as the Types API sent them.
    pub(super) custom_types: BTreeMap<String, Bytes>,
    /// Models of shared slices.
    pub(super) slices: BTreeMap<String, Bytes>,
    /// Tags of the media library: name by id.
    pub(super) tags: BTreeMap<String, String>,
    /// Assets, oldest first, so that the target lists them in the same order.
    pub(super) assets: Vec<SourceAsset>,
    /// Published documents by the segment that their id is in paths, in the order of the catalog.
    pub(super) documents: Vec<SourceDocument>,
    /// Releases, and documents that they change.
    pub(super) releases: (u64, u64),
    /// What could not be read.
    pub(super) problems: Vec<Problem>,
}

/// An asset of a snapshot.
#[derive(Debug, Default)]
pub(super) struct SourceAsset {
    /// Its id: that of the library, or the name that the snapshot gave it.
    pub(super) id: Box<str>,
    /// Its id, as a path has it.
    pub(super) segment: Box<str>,
    /// Address of the file, as it was sent.
    pub(super) url: Option<String>,
    /// Name of the file.
    pub(super) filename: Option<String>,
    /// Its description.
    pub(super) alt: Option<String>,
    /// Its credits.
    pub(super) credits: Option<String>,
    /// Its notes.
    pub(super) notes: Option<String>,
    /// Ids of its tags.
    pub(super) tags: Vec<String>,
    /// Milliseconds since 1970 at which it was uploaded, where the library says so.
    pub(super) created: i64,
    /// The bytes; `None` where the snapshot does not hold them.
    pub(super) original: Option<ItemId>,
    /// How many.
    pub(super) bytes: u64,
}

/// A published document of a snapshot.
#[derive(Debug, Clone)]
pub(super) struct SourceDocument {
    /// Its id, as a path has it.
    pub(super) segment: Box<str>,
    /// Its type, as a path has it.
    pub(super) type_: Box<str>,
    /// Its language, as a path has it.
    pub(super) language: Box<str>,
    /// Where its bytes are.
    pub(super) item: ItemId,
}

impl Source {
    /// Reads what there is.
    ///
    /// # Errors
    ///
    /// When the catalog cannot be read, or the vault not at all. What single items it cannot be had
    /// of are problems.
    pub(super) async fn read(snapshot: &OpenSnapshot<'_>, watch: Watch<'_>) -> Result<Self> {
        Self::of(snapshot, &snapshot.catalog().await?, watch).await
    }

    /// The same for some entries of the catalog.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub(super) async fn of(
        snapshot: &OpenSnapshot<'_>,
        catalog: &[CatalogEntry],
        watch: Watch<'_>,
    ) -> Result<Self> {
        let mut source = Self::default();
        let mut originals = HashMap::new();
        let mut small: Vec<&CatalogEntry> = Vec::new();
        let mut releases = BTreeSet::new();
        for entry in catalog {
            match place(&entry.path) {
                Place::Document { release: None, language, type_, id } => {
                    source.documents.push(SourceDocument {
                        segment: id.into(),
                        type_: type_.into(),
                        language: language.into(),
                        item: entry.item,
                    });
                }
                Place::Document { release: Some(release), .. } => {
                    releases.insert(release);
                    source.releases.1 += 1;
                }
                Place::Asset { id, file: ORIGINAL } => {
                    originals.insert(id, (entry.item, entry.size));
                }
                Place::Asset { file: METADATA, .. } | Place::Model { .. } => small.push(entry),
                _ if entry.path.starts_with("repository/") => small.push(entry),
                _ => {}
            }
        }
        source.releases.0 = releases.len() as u64;
        let mut losses = Losses::default();
        each_batch(snapshot, &small, watch, async |batch| {
            for (entries, data) in batch {
                let paths = entries.iter().map(|entry| &*entry.path);
                match data {
                    Ok(data) => {
                        losses.item_read();
                        let bytes = memory(data)?;
                        paths.for_each(|path| source.take(path, &bytes));
                    }
                    Err(error) => losses.note(error, paths, &watch)?,
                }
            }
            Ok(())
        })
        .await?;
        source.problems = losses.problems;
        for asset in &mut source.assets {
            if let Some((item, size)) = originals.get(&*asset.segment) {
                asset.original = Some(*item);
                asset.bytes = *size;
            }
        }
        source.assets.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        Ok(source)
    }

    /// Takes in one of the small items.
    fn take(&mut self, path: &str, bytes: &Bytes) {
        match place(path) {
            Place::Asset { id, .. } => self.assets.push(asset(id, bytes)),
            Place::Model { .. } => {
                let Some(id) = parse_json(bytes).ok().and_then(|model| text(&model, "id")) else { return };
                match path.split('/').nth(1) {
                    Some(CUSTOM_TYPES) => self.custom_types.insert(id, bytes.clone()),
                    Some(SLICES) => self.slices.insert(id, bytes.clone()),
                    _ => None,
                };
            }
            _ => self.take_list(path, bytes),
        }
    }

    /// Takes in a list of the repository's own metadata.
    fn take_list(&mut self, path: &str, bytes: &Bytes) {
        let Ok(value) = parse_json(bytes) else { return };
        match path {
            "repository/languages.json" => {
                let languages = value.as_array().into_iter().flatten();
                for language in languages {
                    let Some(id) = text(language, "id") else { continue };
                    if language.get("is_master").and_then(Value::as_bool) == Some(true) {
                        self.master = Some(id.clone());
                    }
                    self.languages.push(id);
                }
                if self.master.is_none() {
                    self.master = self.languages.first().cloned();
                }
            }
            "repository/asset-tags.json" => {
                let tags = value.get("items").unwrap_or(&value).as_array().into_iter().flatten();
                let tags = tags.filter_map(|tag| Some((text(tag, "id")?, text(tag, "name")?)));
                self.tags.extend(tags);
            }
            _ => {}
        }
    }
}

/// Reads what the media library said of an asset, leniently: everything but the id may be absent.
fn asset(id: &str, bytes: &[u8]) -> SourceAsset {
    let mut asset = SourceAsset { id: id.into(), segment: id.into(), ..SourceAsset::default() };
    let Ok(value) = parse_json(bytes) else { return asset };
    let filled = |key: &str| text(&value, key).filter(|text| !text.is_empty());
    if let Some(told) = filled("id") {
        asset.id = told.into();
    }
    asset.url = filled("url");
    asset.filename = filled("filename").or_else(|| {
        let address = asset_url::original(asset.url.as_deref()?).ok()?;
        let name = address.path_segments()?.next_back()?;
        (!name.is_empty()).then(|| name.to_owned())
    });
    asset.alt = filled("alt");
    asset.credits = filled("credits");
    asset.notes = filled("notes");
    asset.created = value.get("created_at").and_then(Value::as_i64).unwrap_or_default();
    let tags = value.get("tags").and_then(Value::as_array).into_iter().flatten();
    asset.tags = tags.filter_map(|tag| tag.as_str().map(str::to_owned).or_else(|| text(tag, "id"))).collect();
    asset
}

/// Returns the bytes of an item that is read whole.
pub(super) fn memory(data: ItemData) -> Result<Bytes> {
    match data {
        ItemData::Memory(bytes) => Ok(bytes),
        mut data @ ItemData::File(..) => {
            let mut bytes = Vec::new();
            let read =
                data.reader().and_then(|mut reader| std::io::Read::read_to_end(&mut reader, &mut bytes));
            read.map_err(super::super::error::RestoreError::local("cannot read a temporary file"))?;
            Ok(bytes.into())
        }
    }
}

/// Returns a text of an object.
pub(super) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}
