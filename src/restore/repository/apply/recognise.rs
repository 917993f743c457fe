//! Finding documents whose creation was answered by nobody.
//!
//! What the Migration API took is seen by nobody until it is published. Then a document with a UID is
//! known by it, and one without by its content: it is of the same type and language, belongs to no other
//! document of this restore, was not there before, and says the same but for links that it could not
//! have yet. What is not found then was never made, and is sent again.

use std::collections::{HashMap, HashSet};

use super::super::super::error::Result;
use super::super::entries::{Entry, Request};
use super::super::ids::IdMap;
use super::super::plan::Planned;
use super::super::source::memory;
use super::Applying;
use crate::contentapi::parse_millis;
use crate::diff::{Bounds, Change, ChangeKind, FieldKind, Models, compare_documents};
use crate::prismic::{Document, PrismicError, Root};
use crate::progress::Silent;

impl Applying<'_> {
    /// Finds out about every document of which it is not known whether it was created. One that is not
    /// found was never made where the release `is_live`, and stays unknown otherwise.
    pub(super) async fn recognise(&mut self, root: &Root, is_live: bool) -> Result<()> {
        let open: HashSet<Box<str>> = self
            .recorded
            .unknown()
            .filter_map(|request| match request {
                Request::Create(id) => Some(id.clone()),
                _ => None,
            })
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        let work = self.work();
        let open: Vec<&Planned> =
            work.documents.iter().filter(|planned| open.contains(&planned.document.id)).collect();
        let mut candidates = self.candidates(root, &open).await?;
        for planned in open {
            let old = planned.document.id.clone();
            let found = self.find(planned, &candidates).await?;
            let request = Request::Create(old);
            match found {
                Found::At(at) => {
                    let id = Some(candidates.remove(at).id);
                    // Which links it was sent with nobody knows: it is sent again where it has any.
                    let incomplete = !planned.document.links.is_empty();
                    self.note(Entry::Done { request, id, url: None, incomplete }).await?;
                }
                Found::Nowhere if is_live => self.note(Entry::Undone { request, refused: false }).await?,
                Found::Nowhere | Found::NotToBeKnown => {}
            }
        }
        Ok(())
    }

    /// Reads the documents of the target that may be one of these.
    async fn candidates(&self, root: &Root, open: &[&Planned]) -> Result<Vec<Document>> {
        let kinds: HashSet<(&str, &str)> =
            open.iter().map(|planned| (&*planned.document.type_, &*planned.document.language)).collect();
        let known: HashSet<&str> =
            self.recorded.documents.values().map(|document| document.id.as_str()).collect();
        let mut candidates = Vec::new();
        let read = self.tools.target.for_each_document(root, &Silent, async |page| {
            candidates.extend(page.into_iter().filter(|document| {
                kinds.contains(&(document.type_.as_str(), document.lang.as_str()))
                    && !known.contains(document.id.as_str())
                    && self.may_be_ours(document)
            }));
            Ok::<_, PrismicError>(())
        });
        read.await.map_err(|error| self.unreadable(error))?;
        Ok(candidates)
    }

    /// Whether a document was first published since this restore began.
    fn may_be_ours(&self, document: &Document) -> bool {
        let published = document.first_publication_date.as_deref().and_then(parse_millis);
        published > self.recorded.begun.as_ref().and_then(|begun| begun.newest.document)
    }

    /// Finds the candidate that is this document.
    async fn find(&self, planned: &Planned, candidates: &[Document]) -> Result<Found> {
        let own = &planned.document;
        let fits = |candidate: &Document| *candidate.type_ == *own.type_ && *candidate.lang == *own.language;
        if let Some(uid) = &own.uid {
            let same = |candidate: &Document| fits(candidate) && candidate.uid.as_deref() == Some(uid);
            return Ok(candidates.iter().position(same).into());
        }
        if !candidates.iter().any(fits) {
            return Ok(Found::Nowhere);
        }
        let bytes = match self.reader.item(own.item).await {
            Ok(data) => memory(data)?,
            // What it would say is not known: it stays a possible orphan, and is not made a second time.
            Err(error) if error.is_damage() => return Ok(Found::NotToBeKnown),
            Err(error) => return Err(error.into()),
        };
        let map = IdMap::new(&self.recorded);
        let models = Models::default();
        let mut best: HashMap<usize, usize> = HashMap::new();
        for (at, candidate) in candidates.iter().enumerate().filter(|(_, candidate)| fits(candidate)) {
            let bounds = Bounds::from(self.tools.limits);
            let compared = compare_documents(&bytes, &candidate.bytes, &models, &map, bounds);
            let Ok(diff) = compared else { continue };
            let is_it = diff.more == 0
                && diff.changes.iter().all(|change| {
                    is_of_links(change) || self.work().expected.expects(&own.id, change).is_some()
                });
            if is_it {
                best.insert(at, diff.changes.len());
            }
        }
        Ok(best.into_iter().min_by_key(|(at, changes)| (*changes, *at)).map(|(at, _)| at).into())
    }
}

/// What looking for a document came to.
enum Found {
    /// It is this candidate.
    At(usize),
    /// It is none of them.
    Nowhere,
    /// The vault does not say any more what it looks like.
    NotToBeKnown,
}

impl From<Option<usize>> for Found {
    fn from(at: Option<usize>) -> Self {
        at.map_or(Self::Nowhere, Self::At)
    }
}

/// Whether a change may come from links that were left out at first; and from the id itself, which
/// nobody knows.
fn is_of_links(change: &Change) -> bool {
    change.path() == "/id"
        || matches!(change.kind, FieldKind::Link | FieldKind::Links)
        || matches!(change.what, ChangeKind::LinkChanged | ChangeKind::LinkTextChanged)
        || matches!((change.kind, change.what), (FieldKind::TextBlock, ChangeKind::FormattingChanged))
}
