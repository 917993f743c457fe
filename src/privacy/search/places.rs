//! Where items are: in which repositories, under which paths, in which snapshots.
//!
//! Snapshots share most pages of their catalogs. Each page is read once, and of one that names none of the
//! items that are looked for only its id is kept.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::ids::{ItemId, Name, SnapshotId};
use crate::restore::{RestoreError, Result, Watch};
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::format::manifest::Manifest;
use crate::vault::pack::ItemData;
use crate::vault::reader::Reader;
use crate::vault::tree;

/// An item under one path of one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) repository: Name,
    pub(super) path: String,
    /// Snapshots that name it there, oldest first.
    pub(super) snapshots: Vec<SnapshotId>,
}

/// Places by item.
#[derive(Debug, Default)]
pub(super) struct Places {
    of: HashMap<ItemId, Vec<Place>>,
}

impl Places {
    /// Finds the places of these items in the catalogs of these snapshots.
    ///
    /// # Errors
    ///
    /// When a page cannot be read: then nobody knows what it names.
    pub(super) async fn find(
        reader: &Reader<'_>,
        manifests: &[&Manifest],
        wanted: HashSet<ItemId>,
        watch: Watch<'_>,
    ) -> Result<Self> {
        let mut places = Self::default();
        if wanted.is_empty() {
            return Ok(places);
        }
        // What each page names of them; most name nothing.
        let mut pages: HashMap<ItemId, Vec<(ItemId, String)>> = HashMap::new();
        let mut by_path: BTreeMap<(ItemId, Name, String), Vec<SnapshotId>> = BTreeMap::new();
        for manifest in manifests {
            watch.check_cancelled()?;
            let leaves = tree::leaf_pages(reader, &manifest.catalog).await?;
            let unread: Vec<ItemId> =
                leaves.iter().filter(|leaf| !pages.contains_key(*leaf)).copied().collect();
            reader
                .for_each(unread, async |page, data| {
                    let bytes = match data? {
                        ItemData::Memory(bytes) => bytes,
                        ItemData::File(..) => {
                            return Err(tree::disorder(page, "it is too large for one").into());
                        }
                    };
                    let entries: Vec<CatalogEntry> = tree::parse_page(&bytes, page)?;
                    let named = entries.into_iter().filter(|entry| wanted.contains(&entry.item));
                    pages.insert(page, named.map(|entry| (entry.item, entry.path.into_string())).collect());
                    Ok::<_, RestoreError>(())
                })
                .await?;
            for (item, path) in leaves.iter().filter_map(|leaf| pages.get(leaf)).flatten() {
                let key = (*item, manifest.repository.clone(), path.clone());
                by_path.entry(key).or_default().push(manifest.snapshot.clone());
            }
        }
        for ((item, repository, path), mut snapshots) in by_path {
            snapshots.sort();
            places.of.entry(item).or_default().push(Place { repository, path, snapshots });
        }
        Ok(places)
    }

    /// Where an item is; nowhere, when no snapshot names it any more.
    pub(super) fn of(&self, item: &ItemId) -> &[Place] {
        self.of.get(item).map_or(&[], Vec::as_slice)
    }

    /// A path of an item.
    pub(super) fn path_of(&self, item: &ItemId) -> Option<&str> {
        self.of(item).first().map(|place| &*place.path)
    }
}
