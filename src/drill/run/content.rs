//! What was restored, read back through its API and compared with the snapshot: every document, no sample.
//!
//! What the API answers is read page by page and looked up among the digests of the [`Source`]; only documents
//! that differ are read again and compared field by field.

use std::collections::{BTreeMap, HashSet};

use super::source::{ContentError, Source};
use crate::diff::{Bounds, SameIds, compare_documents};
use crate::ids::{Digest, ItemId};
use crate::prismic::{ContentApi, Document, PrismicError, Search};
use crate::progress::{Phase, Progress};
use crate::restore::OpenSnapshot;

/// Differences that are told one by one; all are counted.
const TOLD_MAX: usize = 100;
/// Places of one document that are told.
const PLACES_TOLD: usize = 3;

/// One document that is not as in the snapshot: by id and place, never by content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Differs {
    pub(super) id: String,
    /// `is missing`, `is not in the snapshot`, or the places that differ.
    pub(super) what: String,
}

/// What a comparison came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Compared {
    /// Documents that were restored.
    pub(super) restored: u64,
    /// Documents in which nothing differs.
    pub(super) equal: u64,
    /// Restored by type and language.
    pub(super) counts: BTreeMap<(String, String), u64>,
    /// The first of what differs.
    pub(super) told: Vec<Differs>,
    /// What differs in all.
    pub(super) differing: u64,
}

impl Compared {
    pub(super) fn tell(&mut self, id: &str, what: impl Into<String>) {
        self.differing += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(Differs { id: id.to_owned(), what: what.into() });
        }
    }
}

/// Compares everything published in a repository with the snapshot that it was restored from, where both name
/// documents by the same ids.
///
/// # Errors
///
/// When either cannot be read.
pub(super) async fn compare(
    snapshot: &OpenSnapshot<'_>,
    source: &Source,
    api: &ContentApi,
    progress: &dyn Progress,
) -> Result<Compared, ContentError> {
    let mut compared = Compared::default();
    let limits = snapshot.vault().limits();
    let mut seen: HashSet<String> = HashSet::with_capacity(source.documents.len());
    let mut differing: Vec<(Document, ItemId)> = Vec::new();
    progress.start(Phase::Documents, Some(source.documents.len() as u64));
    let read = each_document(api, limits.page_size, limits.content_concurrency, |document| {
        progress.advance(Phase::Documents, 1, document.bytes.len() as u64);
        *compared.counts.entry((document.type_.clone(), document.lang.clone())).or_default() += 1;
        compared.restored += 1;
        if !seen.insert(document.id.clone()) {
            return compared.tell(&document.id, "is there twice");
        }
        match source.documents.get(&document.id) {
            None => compared.tell(&document.id, "is not in the snapshot"),
            Some(known) if known.digest == Digest::of(&document.bytes) => compared.equal += 1,
            Some(known) => differing.push((document, known.item)),
        }
    });
    read.await?;
    progress.finish(Phase::Documents);
    for id in source.documents.keys().filter(|id| !seen.contains(*id)) {
        compared.tell(id, "is missing");
    }
    field_by_field(snapshot, source, differing, &mut compared).await?;
    compared.told.sort();
    Ok(compared)
}

/// Hands every published document of a repository to `each`, at one ref.
pub(super) async fn each_document(
    api: &ContentApi,
    page_size: u32,
    at_once: usize,
    mut each: impl FnMut(Document),
) -> Result<(), PrismicError> {
    let root = api.root().await?;
    let mut search = Search::everything(&*root.master_ref, page_size);
    search.integration_fields_ref.clone_from(&root.integration_fields_ref);
    api.for_each_page(&search, at_once, async |page| {
        page.documents.into_iter().for_each(&mut each);
        Ok(())
    })
    .await
}

/// Compares documents whose bytes differ: what differs only in the order of members is equal.
async fn field_by_field(
    snapshot: &OpenSnapshot<'_>,
    source: &Source,
    differing: Vec<(Document, ItemId)>,
    compared: &mut Compared,
) -> Result<(), ContentError> {
    let reader = snapshot.reader();
    let bounds = Bounds::from(snapshot.vault().limits());
    for (document, item) in differing {
        let bytes = reader.bytes(item).await?;
        match compare_documents(&bytes, &document.bytes, &source.models, &SameIds, bounds) {
            Ok(diff) if diff.changes.is_empty() && diff.more == 0 => compared.equal += 1,
            Ok(diff) => {
                let place = |change: &crate::diff::Change| {
                    change.new_path.clone().or_else(|| change.old_path.clone()).unwrap_or_default()
                };
                let places: Vec<String> = diff.changes.iter().take(PLACES_TOLD).map(place).collect();
                compared.tell(&document.id, format!("differs at {}", places.join(", ")));
            }
            Err(_) => compared.tell(&document.id, "cannot be parsed"),
        }
    }
    Ok(())
}
