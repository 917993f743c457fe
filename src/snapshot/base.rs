//! The snapshot before: what is carried over from it, and what it says about changes.

use std::ops::Range;

use super::accepted::{AcceptedFile, accepted_files};
use super::known_links::KnownLinks;
use crate::ids::ItemId;
use crate::progress::{Problem, Progress};
use crate::vault::error::ErrorKind as VaultErrorKind;
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::format::manifest::Manifest;
use crate::vault::open::Vault;
use crate::vault::reader::Reader;
use crate::vault::replica::with_causes;
use crate::vault::space::Space;
use crate::vault::tree;
use crate::vault::writer::Writer;

use super::error::Result;

/// The snapshot before, to carry over from.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) manifest: Manifest,
    pub(super) entries: Vec<CatalogEntry>,
    pub(super) link_pages: Vec<ItemId>,
    pub(super) known_links: KnownLinks,
    /// Files to be tried again if nothing else is read.
    pub(super) accepted: Vec<AcceptedFile>,
}

impl Base {
    pub(super) fn find(&self, path: &str) -> Option<&CatalogEntry> {
        self.place(path).map(|(_, entry)| entry)
    }

    /// Returns an entry and its place among all.
    pub(super) fn place(&self, path: &str) -> Option<(usize, &CatalogEntry)> {
        let at = self.entries.binary_search_by(|entry| (*entry.path).cmp(path)).ok()?;
        Some((at, self.entries.get(at)?))
    }

    pub(super) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a CatalogEntry> {
        self.entries[self.places_below(prefix)].iter()
    }

    /// Returns where the entries below a prefix lie among all.
    pub(super) fn places_below(&self, prefix: &str) -> Range<usize> {
        let from = self.entries.partition_point(|entry| &*entry.path < prefix);
        let count = self.entries[from..].partition_point(|entry| entry.path.starts_with(prefix));
        from..from + count
    }
}

/// Reads the catalog of the snapshot before. One that cannot be read is not carried over from;
/// the run then reads and stores everything anew, so that the new snapshot stands by itself.
pub(super) async fn load_base(
    vault: &Vault,
    space: &Space,
    manifest: Manifest,
    warnings: &mut Vec<Problem>,
) -> Result<Option<Base>> {
    let reader = Reader::new(vault, space).as_written().with_restricted();
    let read = async {
        let (entries, unplaced) = tokio::try_join!(
            tree::read_all::<CatalogEntry>(&reader, &manifest.catalog),
            KnownLinks::load(&reader, &manifest)
        )?;
        let link_pages = tree::all_pages(&reader, &manifest.links).await?;
        let known_links = unplaced.place(&entries);
        let most = vault.limits().accepted_retries;
        let accepted = accepted_files(&reader, &manifest, vault.now(), most).await?;
        Ok::<_, crate::vault::error::VaultError>((entries, link_pages, known_links, accepted))
    };
    match read.await {
        // What stands in the place of an erased item is not what is live: a run that carried it over would
        // say that it had seen it there.
        Ok((entries, ..)) if entries.iter().any(|entry| reader.orders().contains(&entry.item)) => Ok(None),
        Ok((entries, link_pages, known_links, accepted)) => {
            Ok(Some(Base { manifest, entries, link_pages, known_links, accepted }))
        }
        Err(error) if error.kind == VaultErrorKind::Erased => Ok(None),
        Err(error) if error.kind == VaultErrorKind::Integrity => {
            let why = format!(
                "its catalog cannot be read, so nothing is carried over from it: {}",
                with_causes(&error)
            );
            warnings.push(Problem::new("base-unreadable", manifest.key, why));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Says so when items of the snapshot before are there, but not on the replicas on which this one relies: a
/// replica was added, or lost content. They are read and stored once more then, which copying would spare.
pub(super) fn stored_again(writer: &Writer, base: Option<&Base>, progress: &dyn Progress) -> Option<Problem> {
    let base = base?;
    let lacking = base.entries.iter().filter(|entry| !writer.holds(&entry.item));
    let count = lacking.filter(|entry| writer.is_anywhere(&entry.item)).count();
    if count == 0 {
        return None;
    }
    let what = format!(
        "{count} items of the snapshot before are not on {}, so they are stored once more; `prismvault replicate` brings them over without that, if it runs first",
        writer.relied_on()
    );
    let problem = Problem::new("stored-again", base.manifest.key.clone(), what);
    progress.problem(&problem);
    Some(problem)
}
