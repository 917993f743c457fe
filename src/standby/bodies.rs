//! Documents that were asked for, in memory; the others in the vault.
//!
//! One cache serves all snapshots of a process: documents that did not change are the same item. It
//! holds parsed documents, ready to be copied into answers, up to a number of bytes.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex};

use lru::LruCache;

use super::shelf::Shelf;
use crate::contentapi::{Bodies, Document, Found, SourceError};
use crate::ids::ItemId;
use crate::vault::pack::ItemData;

/// Bytes that a document takes besides its text: its head, the slots in it, and its place here.
const OVERHEAD: usize = 1 << 10;
/// More documents than a page and those that it links to are not asked for again: who looks through all of
/// them would push out those that a site asks for all the time.
const KEPT_AT_ONCE: usize = 1000;

#[derive(Debug)]
struct Kept {
    documents: LruCache<ItemId, Arc<Document>>,
    bytes: usize,
}

/// Documents in memory, those that were used last.
#[derive(Debug)]
pub struct DocumentCache {
    kept: Mutex<Kept>,
    bytes_max: usize,
}

impl DocumentCache {
    /// Returns an empty cache for about so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        let kept = Kept { documents: LruCache::unbounded(), bytes: 0 };
        Self { kept: Mutex::new(kept), bytes_max }
    }

    /// Forgets documents.
    pub(super) fn forget(&self, is_gone: impl Fn(&ItemId) -> bool) {
        let mut kept = self.kept.lock().expect("no holder of this lock can panic");
        let gone: Vec<ItemId> =
            kept.documents.iter().map(|(item, _)| *item).filter(|item| is_gone(item)).collect();
        for item in gone {
            if let Some(document) = kept.documents.pop(&item) {
                kept.bytes -= size_of(&document);
            }
        }
    }

    fn get(&self, item: ItemId) -> Option<Arc<Document>> {
        let mut kept = self.kept.lock().expect("no holder of this lock can panic");
        kept.documents.get(&item).cloned()
    }

    fn keep(&self, item: ItemId, document: &Arc<Document>) {
        let size = size_of(document);
        // One that would push out everything else is not worth it.
        if size > self.bytes_max / 4 {
            return;
        }
        let mut kept = self.kept.lock().expect("no holder of this lock can panic");
        match kept.documents.put(item, Arc::clone(document)) {
            Some(before) => kept.bytes = kept.bytes - size_of(&before) + size,
            None => kept.bytes += size,
        }
        while kept.bytes > self.bytes_max {
            let Some((_, oldest)) = kept.documents.pop_lru() else { break };
            kept.bytes -= size_of(&oldest);
        }
    }
}

fn size_of(document: &Document) -> usize {
    document.rendered_len("") + OVERHEAD
}

/// The documents of a set in a vault.
#[derive(Debug)]
pub(super) struct VaultBodies {
    /// By place.
    pub(super) items: Arc<[ItemId]>,
    pub(super) shelf: Shelf,
    pub(super) cache: Arc<DocumentCache>,
    /// What stands before the path of assets that are served here instead.
    pub(super) asset_hosts: Arc<[String]>,
}

impl VaultBodies {
    fn parse(&self, data: &mut ItemData) -> Result<Arc<Document>, SourceError> {
        let unreadable = |what: &str| {
            tracing::error!("{what}");
            SourceError::Unavailable("a part of the snapshot cannot be read now".to_owned())
        };
        let mut text = String::new();
        data.reader().and_then(|mut reader| reader.read_to_string(&mut text)).map_err(|_| {
            unreadable("a document of the snapshot is no text, or its temporary file is gone")
        })?;
        let hosts: Vec<&str> = self.asset_hosts.iter().map(String::as_str).collect();
        let document = Document::parse(&text, &hosts)
            .map_err(|_| unreadable("a document of the snapshot is not what the Content API gives"))?;
        Ok(Arc::new(document))
    }
}

impl Bodies for VaultBodies {
    fn each(&self, places: &[u32], found: &mut Found<'_>) -> Result<(), SourceError> {
        let mut missing: HashMap<ItemId, Vec<u32>> = HashMap::new();
        for place in places {
            let item = self.items[*place as usize];
            match self.cache.get(item) {
                Some(document) => found(*place, &document)?,
                None => missing.entry(item).or_default().push(*place),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let ids: Vec<ItemId> = missing.keys().copied().collect();
        let is_kept = ids.len() <= KEPT_AT_ONCE;
        self.shelf.read_all(ids, &mut |item, mut data| {
            let document = self.parse(&mut data)?;
            if is_kept {
                self.cache.keep(item, &document);
            }
            missing.get(&item).into_iter().flatten().try_for_each(|place| found(*place, &document))
        })
    }

    fn kept(&self, place: u32) -> Option<Arc<Document>> {
        self.cache.get(self.items[place as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_takes_no_bytes_and_is_read_anew() {
        let document = |id: &str| {
            let text = format!(
                r#"{{"id":"{id}","uid":null,"type":"page","tags":[],"first_publication_date":"2026-11-01T08:00:00+0000","last_publication_date":"2026-11-01T08:00:00+0000","slugs":[],"linked_documents":[],"lang":"en-us","alternate_languages":[],"data":{{"title":"of {id}"}}}}"#
            );
            Arc::new(Document::parse(&text, &[]).unwrap())
        };
        let cache = DocumentCache::new(1 << 20);
        let (gone, kept) = (ItemId([1; 32]), ItemId([2; 32]));
        cache.keep(gone, &document("A"));
        cache.keep(kept, &document("B"));
        cache.forget(|item| *item == gone);
        assert!(cache.get(gone).is_none() && cache.get(kept).is_some());
        assert_eq!(cache.kept.lock().unwrap().bytes, size_of(&document("B")));
        cache.forget(|_| true);
        assert_eq!(cache.kept.lock().unwrap().bytes, 0);
    }
}
