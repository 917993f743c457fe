//! The documents at one ref, ready to be queried.
//!
//! A set never changes: a publish makes another one that shares the documents. Results of the
//! last few queries are kept, because a client that reads everything asks the same query once a
//! page; without that, each page would sort or filter the whole set again.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use super::dates::Millis;
use super::document::Document;
use super::evaluate::select;
use super::head::Head;
use super::ordering::OrderBy;
use super::query::Query;
use super::slots::Stop;
use super::source::SourceError;

/// Queries whose results a set remembers. Eight clients that page at the same time; one result
/// of 200,000 documents takes 800 KB.
const REMEMBERED_RESULTS: usize = 8;

/// Gets documents with their places; fails where it does not want any more.
pub type Found<'f> = dyn FnMut(u32, &Arc<Document>) -> Result<(), SourceError> + 'f;

/// Gives the documents of a set that does not keep them itself.
pub trait Bodies: std::fmt::Debug + Send + Sync + 'static {
    /// Hands the documents at these places to `found`, in any order. It may wait for a disk or a
    /// network, so it is called on threads that may.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read, or those of `found`; some may have been handed over before.
    fn each(&self, places: &[u32], found: &mut Found<'_>) -> Result<(), SourceError>;

    /// Returns the document at a place if it is in memory.
    fn kept(&self, place: u32) -> Option<Arc<Document>>;
}

#[derive(Debug)]
enum Documents {
    Here(Vec<Arc<Document>>),
    Elsewhere(Vec<Arc<Head>>, Arc<dyn Bodies>),
}

/// Documents at one ref, newest publication first.
#[derive(Debug)]
pub struct DocumentSet {
    documents: Documents,
    by_id: Vec<u32>,
    /// Those that have a uid, by it.
    by_uid: Vec<u32>,
    remembered: Mutex<VecDeque<(String, Arc<[u32]>)>>,
}

impl Default for DocumentSet {
    fn default() -> Self {
        Self::new([])
    }
}

impl DocumentSet {
    /// Makes a set; of several documents with one id the last counts.
    pub fn new(documents: impl IntoIterator<Item = Arc<Document>>) -> Self {
        let (documents, by_id) = arranged(documents.into_iter().collect(), |document| &document.head);
        Self::of(Documents::Here(documents), by_id)
    }

    /// Makes a set of documents that are kept elsewhere: `bodies` gets what belongs to each, in the
    /// order of their places. Of several documents with one id the last counts.
    pub fn kept_elsewhere<T>(
        documents: Vec<(Arc<Head>, T)>,
        bodies: impl FnOnce(Vec<T>) -> Arc<dyn Bodies>,
    ) -> Self {
        let (documents, by_id) = arranged(documents, |(head, _)| head);
        let (heads, belongs) = documents.into_iter().unzip();
        Self::of(Documents::Elsewhere(heads, bodies(belongs)), by_id)
    }

    fn of(documents: Documents, by_id: Vec<u32>) -> Self {
        let mut set = Self { documents, by_id, by_uid: Vec::new(), remembered: Mutex::default() };
        // Documents of one uid stay in the order of the set.
        let uids = set.places().filter_map(|place| Some((set.head(place).uid()?, place)));
        let by_uid = by_text(uids).into_iter().map(|(_, _, place)| place).collect();
        set.by_uid = by_uid;
        set
    }

    /// Returns this set, which has its documents in memory, with some replaced or added and some
    /// removed.
    pub fn with_changes(
        &self,
        changed: impl IntoIterator<Item = Arc<Document>>,
        removed: &HashSet<Box<str>>,
    ) -> Self {
        let kept = self.iter().filter(|document| !removed.contains(document.head.id()));
        Self::new(kept.cloned().chain(changed))
    }

    /// Returns how many documents there are.
    pub fn len(&self) -> usize {
        match &self.documents {
            Documents::Here(documents) => documents.len(),
            Documents::Elsewhere(heads, _) => heads.len(),
        }
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the documents that are in memory, newest publication first: all of a set made by
    /// [`new`](Self::new), none of others.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Document>> {
        match &self.documents {
            Documents::Here(documents) => documents.iter(),
            Documents::Elsewhere(..) => [].iter(),
        }
    }

    /// Returns the heads of documents that are kept elsewhere, in the order of their places; none of a
    /// set made by [`new`](Self::new).
    pub fn heads(&self) -> &[Arc<Head>] {
        match &self.documents {
            Documents::Here(_) => &[],
            Documents::Elsewhere(heads, _) => heads,
        }
    }

    /// Finds a document by its id among those of [`iter`](Self::iter).
    pub fn find(&self, id: &str) -> Option<&Arc<Document>> {
        let place = self.place(id)?;
        match &self.documents {
            Documents::Here(documents) => documents.get(place as usize),
            Documents::Elsewhere(..) => None,
        }
    }

    /// Finds the document of a type and language that has a uid.
    pub fn find_uid(&self, uid: &str, type_id: &str, lang: &str) -> Option<&Head> {
        let mut heads = self.places_of_uid(uid).iter().map(|place| self.head(*place));
        heads.find(|head| head.type_id() == type_id && head.lang() == lang)
    }

    pub(super) fn head(&self, place: u32) -> &Head {
        match &self.documents {
            Documents::Here(documents) => &documents[place as usize].head,
            Documents::Elsewhere(heads, _) => &heads[place as usize],
        }
    }

    pub(super) fn places(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.len()).expect("fewer than 2^32 documents")
    }

    pub(super) fn place(&self, id: &str) -> Option<u32> {
        let found = self.by_id.binary_search_by(|place| self.head(*place).id().cmp(id));
        found.ok().map(|at| self.by_id[at])
    }

    /// Places of the documents with a uid, of whatever type and language.
    pub(super) fn places_of_uid(&self, uid: &str) -> &[u32] {
        let uid_of = |place: &u32| self.head(*place).uid();
        let from = self.by_uid.partition_point(|place| uid_of(place) < Some(uid));
        let to = from + self.by_uid[from..].partition_point(|place| uid_of(place) == Some(uid));
        &self.by_uid[from..to]
    }

    /// Hands the documents at these places to `found`, in any order; may wait.
    pub(super) fn each(&self, places: &[u32], found: &mut Found<'_>) -> Result<(), SourceError> {
        match &self.documents {
            Documents::Here(documents) => {
                places.iter().try_for_each(|place| found(*place, &documents[*place as usize]))
            }
            Documents::Elsewhere(_, bodies) => bodies.each(places, found),
        }
    }

    /// Returns the documents at these places, in this order; may wait.
    pub(super) fn load(&self, places: &[u32]) -> Result<Vec<Arc<Document>>, SourceError> {
        let mut loaded: HashMap<u32, Arc<Document>> = HashMap::with_capacity(places.len());
        self.each(places, &mut |place, document| {
            loaded.insert(place, Arc::clone(document));
            Ok(())
        })?;
        let missing = || SourceError::Unavailable("a document was not handed over".to_owned());
        places.iter().map(|place| loaded.get(place).cloned().ok_or_else(missing)).collect()
    }

    /// Returns the documents at these places if all are in memory.
    pub(super) fn loaded(&self, places: &[u32]) -> Option<Vec<Arc<Document>>> {
        match &self.documents {
            Documents::Here(documents) => {
                Some(places.iter().map(|place| Arc::clone(&documents[*place as usize])).collect())
            }
            Documents::Elsewhere(_, bodies) => places.iter().map(|place| bodies.kept(*place)).collect(),
        }
    }

    /// Returns the documents that a query selects, in order, as their places. `lang` `None` means
    /// every language. `key` identifies query, orderings and language: equal keys must mean equal
    /// arguments. May wait for documents that are kept elsewhere.
    ///
    /// # Errors
    ///
    /// When a document that the query has to look into cannot be read, or `stop` says so.
    pub(super) fn select(
        &self,
        key: &str,
        query: &Query,
        orderings: &[OrderBy],
        lang: Option<&str>,
        stop: &Stop,
    ) -> Result<Arc<[u32]>, SourceError> {
        {
            let mut remembered = self.remembered.lock().expect("no holder of this lock can panic");
            if let Some(at) = remembered.iter().position(|(known, _)| known == key)
                && let Some(hit) = remembered.remove(at)
            {
                let result = Arc::clone(&hit.1);
                remembered.push_back(hit);
                return Ok(result);
            }
        }
        let result: Arc<[u32]> = select(self, query, orderings, lang, stop)?.into();
        let mut remembered = self.remembered.lock().expect("no holder of this lock can panic");
        if remembered.len() >= REMEMBERED_RESULTS {
            remembered.pop_front();
        }
        remembered.push_back((key.to_owned(), Arc::clone(&result)));
        Ok(result)
    }

    /// Counts documents by type, for the root's `types`.
    pub fn count_by_type(&self) -> HashMap<&str, usize> {
        let mut counts = HashMap::new();
        for place in self.places() {
            *counts.entry(self.head(place).type_id()).or_insert(0) += 1;
        }
        counts
    }
}

/// A text with a number, and before them what the text begins with. Where that differs it decides, so
/// sorting hardly ever looks at texts: these lie all over the memory, and to fetch them for each
/// comparison took most of the time in which a snapshot is made ready.
type Keyed<'t> = (u128, &'t str, u32);

/// Sorts by text, then by number.
fn by_text<'t>(texts: impl Iterator<Item = (&'t str, u32)>) -> Vec<Keyed<'t>> {
    let mut keyed: Vec<Keyed<'t>> = texts.map(|(text, number)| (beginning(text), text, number)).collect();
    keyed.sort_unstable();
    keyed
}

/// What a text begins with: ordered as the texts are, but for those that are equal there.
fn beginning(text: &str) -> u128 {
    let mut first = [0; size_of::<u128>()];
    let length = text.len().min(first.len());
    first[..length].copy_from_slice(&text.as_bytes()[..length]);
    u128::from_be_bytes(first)
}

/// Leaves the last of each id, newest publication first, in the order of ids where that is equal. Returns
/// them, and their places by id.
fn arranged<T>(documents: Vec<T>, head: impl Fn(&T) -> &Head) -> (Vec<T>, Vec<u32>) {
    let mut ids = by_text(documents.iter().zip(0..).map(|(document, at)| (head(document).id(), at)));
    ids.dedup_by(|later, kept| {
        let is_same = later.1 == kept.1;
        if is_same {
            std::mem::swap(later, kept);
        }
        is_same
    });
    let published = |at: u32| head(&documents[at as usize]).last_publication();
    let mut order: Vec<(Reverse<Option<Millis>>, u32, u32)> =
        ids.iter().zip(0..).map(|((_, _, at), rank)| (Reverse(published(*at)), rank, *at)).collect();
    order.sort_unstable();
    let mut by_id = vec![0; order.len()];
    for ((_, rank, _), place) in order.iter().zip(0..) {
        by_id[*rank as usize] = place;
    }
    let mut documents: Vec<Option<T>> = documents.into_iter().map(Some).collect();
    let documents = order.iter().filter_map(|(_, _, at)| documents[*at as usize].take()).collect();
    (documents, by_id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contentapi::HeadParts;

    /// Id, uid, and when it was published; few of each, so that many are equal or begin alike.
    fn parts() -> impl Strategy<Value = (String, Option<String>, Option<Millis>)> {
        let text = || prop_oneof!["[ab\u{0}]{0,3}", "a{15,17}[ab]{0,2}", "é{7,9}[aé]?"];
        (text(), prop::option::of(text()), prop::option::of(-1..3_i64))
    }

    #[derive(Debug)]
    struct Nowhere;

    impl Bodies for Nowhere {
        fn each(&self, _: &[u32], _: &mut Found<'_>) -> Result<(), SourceError> {
            Ok(())
        }

        fn kept(&self, _: u32) -> Option<Arc<Document>> {
            None
        }
    }

    proptest! {
        #[test]
        fn documents_are_the_last_of_each_id_newest_first_and_found_by_id_and_uid(
            all in prop::collection::vec(parts(), 0..40),
        ) {
            let head = |(id, uid, last_publication): &(String, Option<String>, Option<Millis>)| {
                Arc::new(Head::new(&HeadParts {
                    id: id.into(),
                    uid: uid.as_ref().map(Into::into),
                    last_publication: *last_publication,
                    ..HeadParts::default()
                }))
            };
            let mut numbers = Vec::new();
            let set = DocumentSet::kept_elsewhere(all.iter().map(head).zip(0..).collect(), |belongs: Vec<usize>| {
                numbers = belongs;
                Arc::new(Nowhere)
            });
            // Plainly: the last of each id, in the order of ids, stably sorted by date.
            let last: std::collections::BTreeMap<&String, usize> =
                all.iter().map(|(id, ..)| id).zip(0..).collect();
            let mut expected: Vec<usize> = last.values().copied().collect();
            expected.sort_by_key(|at| Reverse(all[*at].2));
            prop_assert_eq!(&numbers, &expected);
            for (place, at) in (0..).zip(&expected) {
                let (id, uid, _) = &all[*at];
                prop_assert_eq!(set.head(place).id(), id.as_str());
                prop_assert_eq!(set.place(id), Some(place));
                if let Some(uid) = uid {
                    let same = (0..).zip(&expected).filter(|(_, at)| all[**at].1.as_ref() == Some(uid));
                    let same: Vec<u32> = same.map(|(place, _)| place).collect();
                    prop_assert_eq!(set.places_of_uid(uid), &same[..]);
                }
            }
            prop_assert_eq!(set.place("never"), None);
        }

        #[test]
        fn what_texts_begin_with_is_ordered_as_they_are(one in "[ab\u{0}é]{0,20}", other in "[ab\u{0}é]{0,20}") {
            let (first, second) = (beginning(&one), beginning(&other));
            prop_assert!(first == second || first.cmp(&second) == one.cmp(&other));
        }
    }
}
