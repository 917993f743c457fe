//! What was restored, read back through its API and compared with the snapshot: every document, no sample.
//!
//! What the snapshot holds is read once, pack by pack, and remembered as digests; what the API answers is read
//! page by page and looked up. Only documents that differ are read again and compared field by field. So memory
//! is a few dozen bytes a document, whatever a repository holds.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::diff::{Bounds, Models, SameIds, compare_documents};
use crate::ids::{Digest, ItemId};
use crate::prismic::{AssetReferences, ContentApi, Document, PrismicError, Search};
use crate::progress::{Phase, Progress};
use crate::restore::paths::{Place, place};
use crate::restore::{OpenSnapshot, RestoreError};
use crate::vault::pack::ItemData;

/// Differences that are told one by one; all are counted.
const TOLD_MAX: usize = 100;

/// One document that is not as in the snapshot: by id and place, never by content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Differs {
    pub(super) id: String,
    /// `missing`, `appeared`, or the places that differ.
    pub(super) what: String,
}

/// What a comparison came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Compared {
    /// Documents of the snapshot, and of what was restored.
    pub(super) documents: (u64, u64),
    /// Documents in which nothing differs.
    pub(super) equal: u64,
    /// By type and language: in the snapshot, restored.
    pub(super) counts: BTreeMap<(String, String), (u64, u64)>,
    /// Links to documents that neither side has; of these the snapshot has as many.
    pub(super) broken_links: (u64, u64),
    /// The first of what differs.
    pub(super) told: Vec<Differs>,
    /// What differs in all.
    pub(super) differing: u64,
    /// The newest edit among the documents of the snapshot.
    pub(super) newest_edit: Option<String>,
    /// UIDs by document, as queries are judged by them.
    pub(super) ids: HashSet<String>,
}

/// A document as the snapshot has it.
struct Known {
    item: ItemId,
    digest: Digest,
    type_: Arc<str>,
    language: Arc<str>,
}

/// Why a comparison could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContentError {
    #[error(transparent)]
    Snapshot(#[from] RestoreError),
    #[error(transparent)]
    Vault(#[from] crate::vault::error::VaultError),
    #[error("what was restored cannot be read: {0}")]
    Api(#[from] PrismicError),
}

/// Compares everything published in a repository with the snapshot that it was restored from, where both name
/// documents by the same ids.
pub(super) async fn compare(
    snapshot: &OpenSnapshot<'_>,
    api: &ContentApi,
    models: &Models,
    bounds: Bounds,
    progress: &dyn Progress,
) -> Result<Compared, ContentError> {
    let mut compared = Compared::default();
    let known = known(snapshot, &mut compared).await?;
    let root = api.root().await?;
    let limits = snapshot.vault().limits();
    let mut search = Search::everything(&*root.master_ref, limits.page_size);
    search.integration_fields_ref.clone_from(&root.integration_fields_ref);
    let mut seen: HashSet<String> = HashSet::with_capacity(known.len());
    let mut differing: Vec<(Document, ItemId)> = Vec::new();
    progress.start(Phase::Documents, Some(known.len() as u64));
    api.for_each_page(&search, limits.content_concurrency, async |page| {
        progress.advance(Phase::Documents, page.documents.len() as u64, 0);
        for document in page.documents {
            let own = compared.counts.entry((document.type_.to_string(), document.lang.to_string())).or_default();
            own.1 += 1;
            compared.documents.1 += 1;
            match known.get(&document.id) {
                None => compared.tell(&document.id, "appeared".to_owned()),
                Some(known) if known.digest == Digest::of(&document.bytes) => compared.equal += 1,
                Some(known) => differing.push((document.clone(), known.item)),
            }
            seen.insert(document.id);
        }
        Ok::<_, PrismicError>(())
    })
    .await?;
    progress.finish(Phase::Documents);
    for id in known.keys().filter(|id| !seen.contains(*id)) {
        compared.tell(id, "missing".to_owned());
    }
    field_by_field(snapshot, differing, models, bounds, &mut compared).await?;
    compared.told.sort();
    compared.ids = known.into_keys().collect();
    Ok(compared)
}

impl Compared {
    fn tell(&mut self, id: &str, what: String) {
        self.differing += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(Differs { id: id.to_owned(), what });
        }
    }
}

/// Reads every published document of the snapshot once, and remembers what it takes to recognise it.
async fn known(
    snapshot: &OpenSnapshot<'_>,
    compared: &mut Compared,
) -> Result<HashMap<String, Known>, ContentError> {
    let catalog = snapshot.catalog().await?;
    let mut by_item: HashMap<ItemId, (String, Arc<str>, Arc<str>)> = HashMap::new();
    let mut words: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut word = |text: &str| -> Arc<str> {
        if let Some(known) = words.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        words.insert(Arc::clone(&new));
        new
    };
    for entry in &catalog {
        if let Place::Document { release: None, language, type_, id } = place(&entry.path) {
            by_item.insert(entry.item, (id.to_owned(), word(type_), word(language)));
        }
    }
    let mut known = HashMap::with_capacity(by_item.len());
    let reader = snapshot.reader();
    let items: Vec<ItemId> = by_item.keys().copied().collect();
    let outcome: Result<(), ContentError> = reader
        .for_each(items, async |item, data| {
            let bytes = in_memory(data?)?;
            let Some((id, type_, language)) = by_item.remove(&item) else { return Ok(()) };
            let document = Document::parse_stored(&bytes);
            if let Some(published) = document.as_ref().and_then(|own| own.last_publication_date.clone()) {
                compared.newest_edit = compared.newest_edit.take().max(Some(published));
            }
            let id = document.map_or(id, |own| own.id);
            let own = compared.counts.entry((type_.to_string(), language.to_string())).or_default();
            own.0 += 1;
            compared.documents.0 += 1;
            known.insert(id, Known { item, digest: Digest::of(&bytes), type_, language });
            Ok(())
        })
        .await;
    outcome?;
    Ok(known)
}

fn in_memory(data: ItemData) -> Result<Bytes, ContentError> {
    match data {
        ItemData::Memory(bytes) => Ok(bytes),
        ItemData::File(file, ..) => Ok(file.read_all()?),
    }
}

/// Compares documents whose bytes differ: what differs only in what Prismic itself derives is equal.
async fn field_by_field(
    snapshot: &OpenSnapshot<'_>,
    differing: Vec<(Document, ItemId)>,
    models: &Models,
    bounds: Bounds,
    compared: &mut Compared,
) -> Result<(), ContentError> {
    let reader = snapshot.reader();
    for (document, item) in differing {
        let bytes = reader.bytes(item).await?;
        let diff = compare_documents(&bytes, &document.bytes, models, &SameIds, bounds);
        match diff {
            Ok(diff) if diff.changes.is_empty() && diff.more == 0 => compared.equal += 1,
            Ok(diff) => {
                let places: Vec<String> =
                    diff.changes.iter().take(3).map(|change| change.path().to_owned()).collect();
                compared.tell(&document.id, format!("differs at {}", places.join(", ")));
            }
            Err(_) => compared.tell(&document.id, "cannot be parsed".to_owned()),
        }
    }
    Ok(())
}
