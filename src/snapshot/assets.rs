//! Assets: what the media library lists, what documents refer to besides, and their bytes.
//!
//! An asset whose metadata is as in the snapshot before, or as a killed run had stored it, is not
//! downloaded again. One that cannot be had is a gap with its name; it does not end the run.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures_util::StreamExt as _;
use futures_util::stream;
use url::Url;

use super::error::Result;
use super::names;
use super::run::Run;
use crate::prismic::asset_url::{comparison_key, possible_asset_id};
use crate::prismic::{
    Asset, AssetBytes, AssetData, AssetHost, AssetList, AssetRef, ErrorKind as SourceErrorKind, References,
};
use crate::progress::{Phase, Problem};
use crate::vault::format::catalog::{AssetNaming, CatalogEntry};
use crate::vault::format::manifest::Tally;
use crate::vault::item::{ItemKey, ItemKind};
use crate::vault::pack::ItemData;
use crate::vault::writer::{NewItem, StoredItem};

/// Assets of the media library, to match references against.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// As the media library has them; ids in paths are looked for where they are these.
    ids: HashSet<String>,
    by_address: HashMap<String, String>,
    unique_addresses: bool,
}

impl Listed {
    pub(super) fn new(list: &AssetList) -> Self {
        let addresses = list
            .assets
            .iter()
            .filter_map(|asset| Some((comparison_key(asset.url.as_ref()?), asset.id.clone())));
        let by_address: HashMap<String, String> = addresses.collect();
        let unique_addresses =
            by_address.len() == list.assets.iter().filter(|asset| asset.url.is_some()).count();
        Self { unique_addresses, by_address, ids: list.assets.iter().map(|asset| asset.id.clone()).collect() }
    }

    /// Returns the id of a listed asset: by the id that a document gives, by its address, or by
    /// an id in the address that the library knows; and which of these it was.
    fn find(&self, asset: &AssetRef, address: &str) -> Option<(String, AssetNaming)> {
        let known = |id: &String| self.ids.contains(id);
        if let Some(told) = asset.id.clone().filter(known) {
            return Some((told, AssetNaming::Told));
        }
        if let Some(listed) = self.by_address.get(address) {
            let unlisted = asset.id.is_some();
            return Some((
                listed.clone(),
                if unlisted { AssetNaming::Guessed } else { AssetNaming::Address },
            ));
        }
        Some((possible_asset_id(&asset.url).filter(known)?, AssetNaming::Guessed))
    }

    pub(super) fn lists(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Whether no two assets have one address.
    pub(super) fn has_every_address_once(&self) -> bool {
        self.unique_addresses
    }
}

/// Assets that documents refer to and the media library does not list.
///
/// An asset is named by the id that a document gives it, else by its address, under the item key.
/// What an address looks like names nothing: `Veronica_Schmidt_cv.pdf` begins like an id.
#[derive(Debug, Default)]
pub(super) struct AssetWishes {
    listed: Listed,
    wishes: Vec<Wish>,
    /// Places of the wishes by the addresses of their files.
    by_address: HashMap<String, usize>,
    taken: HashSet<String>,
    /// Names by address that were given before a document told the id; and that id.
    renamed: HashMap<String, String>,
    pub(super) external: BTreeSet<String>,
    pub(super) unusable: Vec<Problem>,
}

/// Assets that one document uses.
#[derive(Debug, Default)]
pub(super) struct UsedAssets {
    /// Ids under which they are stored.
    pub(super) ids: Vec<String>,
    /// Keyed names of the addresses of those that are not.
    pub(super) external: Vec<String>,
    pub(super) naming: AssetNaming,
}

#[derive(Debug)]
struct Wish {
    id: String,
    /// Whether a document told the id.
    told: bool,
    url: Url,
    size: Option<u64>,
    name: Option<String>,
    pasted: bool,
}

impl AssetWishes {
    /// Returns none yet, beside a media library that lists these.
    pub(super) fn beside(listed: Listed) -> Self {
        Self { listed, ..Self::default() }
    }

    /// Notes what a document refers to; returns the ids under which its assets are stored, less
    /// what [`renamed`](Self::renamed) says at the end.
    pub(super) fn add(&mut self, run: &Run<'_>, path: &str, references: &References) -> UsedAssets {
        for unusable in &references.unusable_assets {
            let subject = format!("{path}#{}", unusable.at);
            self.unusable.push(Problem::new("asset-address-unusable", subject, unusable.why.to_string()));
        }
        let mut used = UsedAssets::default();
        for asset in &references.assets {
            if run.downloader.hosts().classify(&asset.url) == AssetHost::External {
                used.external.push(run.key().name(asset.url.as_str()));
                self.external.insert(asset.url.to_string());
                continue;
            }
            let (id, naming) = self.name(run.key(), asset);
            used.ids.push(id);
            used.naming = used.naming.max(naming);
        }
        used
    }

    /// Whether documents refer to files that the media library does not list.
    pub(super) fn has_any(&self) -> bool {
        !self.wishes.is_empty()
    }

    pub(super) fn listed(&self) -> &Listed {
        &self.listed
    }

    /// Names that changed when a later document told the id of an asset: documents come in any
    /// order, and what a snapshot holds must not depend on it.
    pub(super) fn renamed(&mut self) -> HashMap<String, String> {
        std::mem::take(&mut self.renamed)
    }

    fn name(&mut self, key: &ItemKey, asset: &AssetRef) -> (String, AssetNaming) {
        let address = comparison_key(&asset.url);
        if let Some(listed) = self.listed.find(asset, &address) {
            return listed;
        }
        (self.wish(key, asset, address), AssetNaming::Guessed)
    }

    fn wish(&mut self, key: &ItemKey, asset: &AssetRef, address: String) -> String {
        let told = asset.id.clone();
        if let Some(wish) = self.by_address.get(&address).and_then(|at| self.wishes.get_mut(*at)) {
            wish.size = wish.size.or(asset.size);
            wish.name = wish.name.take().or_else(|| asset.name.clone());
            wish.pasted &= asset.pasted;
            if let Some(id) = told.filter(|id| !wish.told && !self.taken.contains(id)) {
                self.renamed.insert(std::mem::replace(&mut wish.id, id.clone()), id.clone());
                self.taken.insert(id);
                wish.told = true;
            }
            return wish.id.clone();
        }
        // Two files under one id: the second is known by its address.
        let told = told.filter(|id| !self.taken.contains(id));
        let wish = Wish {
            told: told.is_some(),
            id: told.unwrap_or_else(|| key.name(&address)),
            url: asset.url.clone(),
            size: asset.size,
            name: asset.name.clone(),
            pasted: asset.pasted,
        };
        let id = wish.id.clone();
        self.taken.insert(id.clone());
        self.by_address.insert(address, self.wishes.len());
        self.wishes.push(wish);
        id
    }
}

/// Assets as they go into the catalog.
#[derive(Debug, Default)]
pub(super) struct Assets {
    pub(super) entries: Vec<CatalogEntry>,
    pub(super) tally: Tally,
    pub(super) gaps: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl Assets {
    /// Leaves out what `listed` has as well: an asset that documents use may have been listed only
    /// later, and the media library knows it better.
    pub(super) fn beside(mut self, listed: &Self) -> Self {
        let there: HashSet<&str> = listed.entries.iter().map(|entry| &*entry.path).collect();
        self.entries.retain(|entry| !there.contains(&*entry.path));
        self.gaps.retain(|gap| !there.contains(gap.subject.as_str()));
        self.warnings.retain(|warning| !there.contains(warning.subject.as_str()));
        self
    }
}

/// One asset to be had.
struct Wanted {
    id: String,
    url: Option<Url>,
    size: Option<u64>,
    pasted: bool,
    metadata: StoredItem,
}

impl Run<'_> {
    /// Stores the metadata of the media library and the bytes of each asset.
    pub(super) async fn read_library(&self, list: &AssetList) -> Result<Assets> {
        let items = list.assets.iter().map(|asset| metadata_item(self.key(), asset)).collect();
        let stored = self.store(items).await?;
        let wanted = list.assets.iter().zip(stored).map(|(asset, metadata)| Wanted {
            id: asset.id.clone(),
            url: asset.url.clone(),
            size: asset.size,
            pasted: false,
            metadata,
        });
        let mut assets = self.read_assets(wanted.collect()).await?;
        assets.tally.reported = list.total.or(Some(list.assets.len() as u64));
        if list.missing() > 0 {
            let listed = list.assets.len();
            assets.gaps.push(Problem::new(
                "assets-missing",
                "assets",
                format!("the Asset API counts {} assets and lists {listed}", listed as u64 + list.missing()),
            ));
        }
        Ok(assets)
    }

    /// Stores the assets that documents refer to and the library does not list.
    pub(super) async fn read_wishes(&self, wishes: &mut AssetWishes) -> Result<Assets> {
        let wishes = std::mem::take(&mut wishes.wishes);
        let items = wishes.iter().map(|wish| NewItem {
            kind: ItemKind::AssetMetadata,
            path: names::asset_metadata(self.key(), &wish.id),
            data: ItemData::Memory(wish_metadata(wish)),
        });
        let stored = self.store(items.collect()).await?;
        let wanted = wishes.into_iter().zip(stored).map(|(wish, metadata)| Wanted {
            id: wish.id,
            url: Some(wish.url),
            size: wish.size,
            pasted: wish.pasted,
            metadata,
        });
        self.read_assets(wanted.collect()).await
    }

    async fn read_assets(&self, wanted: Vec<Wanted>) -> Result<Assets> {
        self.progress.start(Phase::Assets, Some(wanted.len() as u64));
        let mut assets = Assets::default();
        for asset in &wanted {
            let path = names::asset_metadata(self.key(), &asset.id);
            assets.entries.push(CatalogEntry {
                path: path.into(),
                item: asset.metadata.id,
                size: asset.metadata.size,
            });
        }
        let mut reads = stream::iter(wanted)
            .map(|asset| self.read_asset(asset))
            .buffer_unordered(self.limits().asset_downloads.max(1));
        while let Some(read) = reads.next().await {
            let read = read?;
            let bytes = read.original.as_ref().map_or(0, |entry| entry.size);
            self.progress.advance(Phase::Assets, 1, bytes);
            if let Some(entry) = read.original {
                assets.tally.stored += 1;
                assets.tally.bytes += entry.size;
                assets.entries.push(entry);
            }
            if let Some(problem) = read.problem {
                self.progress.problem(&problem);
                if read.is_gap { &mut assets.gaps } else { &mut assets.warnings }.push(problem);
            }
        }
        self.progress.finish(Phase::Assets);
        Ok(assets)
    }

    async fn read_asset(&self, asset: Wanted) -> Result<ReadAsset> {
        self.check_cancelled()?;
        let path = names::asset_original(self.key(), &asset.id);
        let entry = |item, size| Some(CatalogEntry { path: path.clone().into(), item, size });
        if let Some((item, size)) = self.original_before(&asset) {
            return Ok(ReadAsset { original: entry(item, size), problem: None, is_gap: false });
        }
        let missing = |why: String, is_gap| {
            let problem = Problem::new("asset-missing", path.clone(), why);
            Ok(ReadAsset { original: None, problem: Some(problem), is_gap })
        };
        let Some(url) = &asset.url else {
            return missing("the media library gives no address for it".to_owned(), true);
        };
        let downloaded = match self.downloader.download(url, asset.size).await {
            Ok(downloaded) => downloaded,
            Err(error) if *error.kind() == SourceErrorKind::Local => return Err(self.source_error(error)),
            // A file behind a link that an editor pasted may be another repository's, long gone.
            Err(error) => return missing(error.to_string(), !asset.pasted),
        };
        let problem = downloaded.size_mismatch().map(|expected| {
            let why =
                format!("{} bytes came, the metadata says {expected}; what came is stored", downloaded.len);
            Problem::new("asset-size-differs", path.clone(), why)
        });
        let mismatch = problem.is_some();
        let item = NewItem { kind: ItemKind::Asset, path: path.clone(), data: item_data(downloaded) };
        let stored = self.store(vec![item]).await?[0];
        if !mismatch {
            self.note_original(asset.metadata.id, stored);
        }
        Ok(ReadAsset { original: entry(stored.id, stored.size), problem, is_gap: mismatch })
    }

    /// The bytes of an asset whose metadata did not change, from the snapshot before, this run's
    /// earlier attempt, or a run that was killed.
    fn original_before(&self, asset: &Wanted) -> Option<(crate::ids::ItemId, u64)> {
        let base = || {
            let base = self.base.as_ref()?;
            let metadata = base.find(&names::asset_metadata(self.key(), &asset.id))?;
            let path = names::asset_original(self.key(), &asset.id);
            // What was stored with another length than its metadata says is fetched again.
            let flawed =
                base.manifest.gaps.iter().chain(&base.manifest.accepted_gaps).any(|gap| gap.subject == path);
            let original = base.find(&path).filter(|_| metadata.item == asset.metadata.id && !flawed)?;
            Some((original.item, original.size))
        };
        let held = || base().filter(|(item, _)| self.writer.holds(item));
        let metadata = &asset.metadata.id;
        self.noted_original(metadata).or_else(held).or_else(|| self.writer.original(metadata))
    }
}

struct ReadAsset {
    original: Option<CatalogEntry>,
    problem: Option<Problem>,
    is_gap: bool,
}

fn metadata_item(key: &ItemKey, asset: &Asset) -> NewItem {
    NewItem {
        kind: ItemKind::AssetMetadata,
        path: names::asset_metadata(key, &asset.id),
        data: ItemData::Memory(asset.bytes.clone()),
    }
}

/// What is known of an asset that the media library does not list, in the form of its entries.
fn wish_metadata(wish: &Wish) -> bytes::Bytes {
    let mut metadata = serde_json::json!({ "id": wish.id, "url": wish.url.as_str(), "listed": false });
    if let Some(name) = &wish.name {
        metadata["filename"] = name.as_str().into();
    }
    if let Some(size) = wish.size {
        metadata["size"] = size.into();
    }
    metadata.to_string().into()
}

pub(super) fn item_data(downloaded: AssetBytes) -> ItemData {
    let len = downloaded.len;
    match downloaded.data {
        AssetData::Memory(bytes) => ItemData::Memory(bytes),
        AssetData::File(file) => ItemData::File(file, len),
    }
}
