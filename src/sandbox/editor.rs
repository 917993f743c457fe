//! Work of editors on published documents, made up from a seed.

use std::collections::HashSet;
use std::sync::Arc;

use super::edit;
use super::error::SandboxError;
use super::repository::{Changes, Repository, TICK};
use super::synthetic::Random;
use crate::contentapi::Document;

impl Repository {
    /// Changes a share (0 to 1, at least one document) of the published documents: a word more in
    /// a text, a new publication date. Publishes them and returns their ids.
    pub fn edit(&self, share: f64, seed: u64) -> Result<Vec<String>, SandboxError> {
        let documents = self.documents();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a count of documents"
        )]
        let wanted = ((documents.len() as f64 * share).round() as usize).clamp(1, documents.len().max(1));
        let mut random = Random::new(&[seed, 0x0ed1]);
        let mut all: Vec<&Arc<Document>> = documents.iter().collect();
        // By id, so that the choice does not depend on earlier edits.
        all.sort_by(|a, b| a.head.id().cmp(b.head.id()));
        let count = wanted.min(all.len());
        for place in 0..count {
            let other = place + random.below(all.len() - place);
            all.swap(place, other);
        }
        let now = self.read().now + TICK;
        let mut put = Vec::with_capacity(count);
        for document in &all[..count] {
            put.push(edit::revised(document, now, &mut random)?);
        }
        let ids = put.iter().map(|document| document.head.id().to_owned()).collect();
        self.publish(Changes { put, remove: HashSet::new() });
        Ok(ids)
    }

    /// Changes `count` documents to which together about `linkers` others link, as [`edit`](Self::edit)
    /// does. Returns their ids.
    ///
    /// # Errors
    ///
    /// When there are not that many documents with as many linkers.
    pub fn edit_linked(&self, count: usize, linkers: usize, seed: u64) -> Result<Vec<String>, SandboxError> {
        let documents = self.documents();
        let ids = edit::linked_by(&documents, count, linkers);
        if ids.len() < count {
            let id = format!("with {} linkers", linkers / count.max(1));
            return Err(SandboxError::NotFound { what: "document", id });
        }
        let mut random = Random::new(&[seed, 0x0ed2]);
        let now = self.read().now + TICK;
        let found = ids.iter().filter_map(|id| documents.find(id));
        let put = found.map(|document| edit::revised(document, now, &mut random));
        let put = put.collect::<Result<Vec<_>, _>>()?;
        self.publish(Changes { put, remove: HashSet::new() });
        Ok(ids)
    }

    /// Publishes `count` new documents, copies of existing ones under ids and UIDs of their own.
    /// Returns their ids; none in an empty repository.
    pub fn add_documents(&self, count: usize, seed: u64) -> Result<Vec<String>, SandboxError> {
        let documents = self.documents();
        let mut random = Random::new(&[seed, 0x0add]);
        let mut all: Vec<&Arc<Document>> = documents.iter().collect();
        all.sort_by(|a, b| a.head.id().cmp(b.head.id()));
        let now = self.read().now + TICK;
        let mut put = Vec::with_capacity(count);
        for _ in 0..if all.is_empty() { 0 } else { count } {
            let model = *random.pick(&all);
            put.push(edit::copied(model, now, &mut random)?);
        }
        let ids = put.iter().map(|document| document.head.id().to_owned()).collect();
        self.publish(Changes { put, remove: HashSet::new() });
        Ok(ids)
    }

    /// Unpublishes documents. What linked to them gets broken links, what was a translation of
    /// them loses the entry; their dates stay, as at Prismic. Returns how many were there.
    pub fn remove_documents(&self, ids: &[&str]) -> usize {
        let documents = self.documents();
        let remove: HashSet<Box<str>> =
            ids.iter().filter(|id| documents.find(id).is_some()).map(|id| Box::from(*id)).collect();
        let removed = remove.len();
        self.publish(Changes { put: Vec::new(), remove });
        removed
    }
}
