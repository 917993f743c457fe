//! A few things out of a snapshot, found by their paths: the catalog is read as a whole only for what
//! no path is known of.

use tokio::sync::OnceCell;

use super::super::content::OpenSnapshot;
use super::super::error::Result;
use crate::vault::format::catalog::{CatalogEntry, LinkEntry};
use crate::vault::reader::Reader;
use crate::vault::tree;

/// Finds entries of a snapshot.
pub(super) struct Lookup<'a> {
    snapshot: &'a OpenSnapshot<'a>,
    reader: Reader<'a>,
    catalog: OnceCell<Vec<CatalogEntry>>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(snapshot: &'a OpenSnapshot<'a>) -> Self {
        Self { snapshot, reader: snapshot.reader().sparing(), catalog: OnceCell::new() }
    }

    /// What reads items, pages of catalogs only those that are needed.
    pub(super) fn reader(&self) -> &Reader<'a> {
        &self.reader
    }

    /// Finds an entry of the catalog.
    ///
    /// # Errors
    ///
    /// Those of the vault.
    pub(super) async fn entry(&self, path: &str) -> Result<Option<CatalogEntry>> {
        match self.catalog.get() {
            Some(entries) => {
                let at = entries.binary_search_by(|entry| (*entry.path).cmp(path));
                Ok(at.ok().map(|at| entries[at].clone()))
            }
            None => Ok(tree::find(&self.reader, &self.snapshot.manifest().catalog, path).await?),
        }
    }

    /// Finds what a document of the snapshot refers to.
    ///
    /// # Errors
    ///
    /// Those of the vault.
    pub(super) async fn links(&self, path: &str) -> Result<Option<LinkEntry>> {
        Ok(tree::find(&self.reader, &self.snapshot.manifest().links, path).await?)
    }

    /// Returns the whole catalog, sorted by path.
    ///
    /// # Errors
    ///
    /// Those of the vault.
    pub(super) async fn all(&self) -> Result<&[CatalogEntry]> {
        Ok(self.catalog.get_or_try_init(|| self.snapshot.catalog()).await?)
    }
}
