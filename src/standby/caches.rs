//! All that a standby keeps in memory to give it again.
//!
//! Nothing of it is answered that no snapshot leads to. But what was erased is not kept either, also where
//! nobody asks for it: memory is written to disks, by swapping and by whoever looks into a crash.

use std::sync::Arc;

use super::assets::FileCache;
use super::bodies::DocumentCache;
use super::source::Standby;
use crate::contentapi::AnswerCache;
use crate::ids::ItemId;
use crate::limits::Limits;
use crate::vault::erasure::Erased;

/// Documents, files and answers in memory, of all repositories of a site.
#[derive(Debug)]
pub struct Caches {
    pub(super) documents: Arc<DocumentCache>,
    pub(super) files: Arc<FileCache>,
    pub(super) answers: Option<Arc<AnswerCache>>,
}

impl Caches {
    /// Returns empty ones, for about so many bytes of documents, and of answers: 0 keeps none.
    pub fn new(document_bytes: usize, answer_bytes: usize, limits: &Limits) -> Self {
        Self {
            documents: Arc::new(DocumentCache::new(document_bytes)),
            files: Arc::new(FileCache::new(limits)),
            answers: (answer_bytes > 0).then(|| Arc::new(AnswerCache::new(answer_bytes))),
        }
    }

    /// That of documents.
    pub fn documents(&self) -> Arc<DocumentCache> {
        Arc::clone(&self.documents)
    }

    /// Forgets items that orders take away, and answers of what none of these repositories serves any more. An
    /// answer that was under way may bring something back: whoever looks again does this again.
    pub fn tidy<'a>(&self, served: impl Iterator<Item = &'a Standby>, orders: &[Arc<Erased>]) {
        if orders.iter().any(|orders| !orders.is_empty()) {
            let is_gone = |item: &ItemId| {
                orders.iter().any(|orders| orders.contains(item) || orders.restriction(item).is_some())
            };
            self.documents.forget(is_gone);
            self.files.forget(is_gone);
        }
        if let Some(answers) = &self.answers {
            let roots: Vec<_> = served.map(Standby::current_root).collect();
            answers.keep_only(&roots);
        }
    }
}
