//! The documents at one ref, ready to be queried.
//!
//! A set never changes: a publish makes another one that shares the documents. Results of the
//! last few queries are kept, because a client that reads everything asks the same query once a
//! page; without that, each page would sort or filter the whole set again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use super::document::Document;
use super::evaluate::select;
use super::ordering::OrderBy;
use super::query::Query;

/// Queries whose results a set remembers. Eight clients that page at the same time; one result
/// of 200,000 documents takes 800 KB.
const REMEMBERED_RESULTS: usize = 8;

/// Documents at one ref, newest publication first.
#[derive(Debug, Default)]
pub struct DocumentSet {
    documents: Vec<Arc<Document>>,
    by_id: Vec<u32>,
    remembered: Mutex<VecDeque<(String, Arc<[u32]>)>>,
}

impl DocumentSet {
    /// Makes a set; of several documents with one id the last counts.
    pub fn new(documents: impl IntoIterator<Item = Arc<Document>>) -> Self {
        let mut documents: Vec<Arc<Document>> = documents.into_iter().collect();
        // Stable sorts: later ones of equal id stay later until the duplicates go.
        documents.sort_by(|a, b| a.head.id.cmp(&b.head.id));
        documents.dedup_by(|later, kept| {
            let same = later.head.id == kept.head.id;
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        documents.sort_by_key(|document| std::cmp::Reverse(document.head.last_publication));
        let mut by_id: Vec<u32> =
            (0..u32::try_from(documents.len()).expect("fewer than 2^32 documents")).collect();
        by_id.sort_unstable_by(|a, b| documents[*a as usize].head.id.cmp(&documents[*b as usize].head.id));
        Self { documents, by_id, remembered: Mutex::default() }
    }

    /// Returns this set with some documents replaced or added and some removed.
    pub fn with_changes(
        &self,
        changed: impl IntoIterator<Item = Arc<Document>>,
        removed: &HashSet<Box<str>>,
    ) -> Self {
        let kept = self.documents.iter().filter(|document| !removed.contains(&document.head.id));
        Self::new(kept.cloned().chain(changed))
    }

    /// Returns how many documents there are.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// Returns the documents, newest publication first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Document>> {
        self.documents.iter()
    }

    /// Finds a document by its id.
    pub fn find(&self, id: &str) -> Option<&Arc<Document>> {
        self.place(id).map(|place| &self.documents[place as usize])
    }

    pub(super) fn at(&self, place: u32) -> &Document {
        &self.documents[place as usize]
    }

    pub(super) fn places(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.documents.len()).expect("checked when the set was made")
    }

    pub(super) fn place(&self, id: &str) -> Option<u32> {
        let found = self.by_id.binary_search_by(|place| (*self.at(*place).head.id).cmp(id));
        found.ok().map(|at| self.by_id[at])
    }

    /// Returns the documents that a query selects, in order, as places for
    /// [`document`](Self::document). `lang` `None` means every language. `key` identifies query,
    /// orderings and language: equal keys must mean equal arguments.
    pub fn select(&self, key: &str, query: &Query, orderings: &[OrderBy], lang: Option<&str>) -> Arc<[u32]> {
        {
            let mut remembered = self.remembered.lock().expect("no holder of this lock can panic");
            if let Some(at) = remembered.iter().position(|(known, _)| known == key)
                && let Some(hit) = remembered.remove(at)
            {
                let result = Arc::clone(&hit.1);
                remembered.push_back(hit);
                return result;
            }
        }
        let result: Arc<[u32]> = select(self, query, orderings, lang).into();
        let mut remembered = self.remembered.lock().expect("no holder of this lock can panic");
        if remembered.len() >= REMEMBERED_RESULTS {
            remembered.pop_front();
        }
        remembered.push_back((key.to_owned(), Arc::clone(&result)));
        result
    }

    /// Returns the document at a place from [`select`](Self::select).
    pub fn document(&self, place: u32) -> &Arc<Document> {
        &self.documents[place as usize]
    }

    /// Counts documents by type, for the root's `types`.
    pub fn count_by_type(&self) -> HashMap<&str, usize> {
        let mut counts = HashMap::new();
        for document in &self.documents {
            *counts.entry(&*document.head.type_id).or_insert(0) += 1;
        }
        counts
    }
}
