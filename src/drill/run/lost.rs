//! Edits that a recovery loses: what live Prismic has and the snapshot has not, where Prismic can still be asked.

use std::collections::HashSet;

use super::content::each_document;
use super::source::{Source, published};
use crate::clock::Timestamp;
use crate::drill::report::LostEdit;
use crate::ids::Digest;
use crate::prismic::{ContentApi, PrismicError};

/// Edits that are listed one by one.
pub(super) const LISTED_MAX: usize = 10_000;

/// Compares live content with a snapshot. What was published after the disaster is none of its losses.
///
/// # Errors
///
/// When live content cannot be read.
pub(super) async fn lost_edits(
    api: &ContentApi,
    source: &Source,
    disaster: Timestamp,
    (page_size, at_once): (u32, usize),
) -> Result<Vec<LostEdit>, PrismicError> {
    let mut lost = Vec::new();
    let mut seen: HashSet<String> = HashSet::with_capacity(source.documents.len());
    let read = each_document(api, page_size, at_once, |document| {
        seen.insert(document.id.clone());
        let edited = document.last_publication_date.as_deref().and_then(published);
        if edited.is_some_and(|edited| edited > disaster) {
            return;
        }
        let what = match source.documents.get(&document.id) {
            None => "added",
            // Bytes change as well where a document that is linked to does; who published says when they did.
            Some(known) if known.edited != edited && known.digest != Digest::of(&document.bytes) => "changed",
            Some(_) => return,
        };
        lost.push(LostEdit {
            id: document.id,
            title: document.uid,
            type_: document.type_,
            what: what.to_owned(),
        });
    });
    read.await?;
    for (id, known) in source.documents.iter().filter(|(id, _)| !seen.contains(*id)) {
        let title = known.uid.as_deref().map(str::to_owned);
        lost.push(LostEdit {
            id: id.clone(),
            title,
            type_: known.type_.to_string(),
            what: "removed".to_owned(),
        });
    }
    lost.sort_by(|a, b| a.what.cmp(&b.what).then_with(|| a.id.cmp(&b.id)));
    Ok(lost)
}
