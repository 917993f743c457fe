//! What is heard of a publish.
//!
//! Anybody who knows a secret can say anything, and Prismic itself repeats what it said. So nothing
//! of it is believed: the snapshot asks the API. It says where to look first, which spares requests,
//! and with which ref all that was heard would be stored, which spares a second snapshot of the same
//! publish. Whoever lies with it delays a snapshot until the next poll, and changes none.

use std::collections::BTreeSet;

use crate::limits::Limits;

/// Longest id that is passed on. Prismic's have 16 characters.
const ID_CHARACTERS_MAX: usize = 64;
/// Longest ref that is compared. Prismic's have 16 to 40 characters.
const REFERENCE_BYTES_MAX: usize = 256;

/// What was heard of publishes of one repository since its last snapshot began; see the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    reference: Option<String>,
    documents: BTreeSet<String>,
    documents_max: usize,
}

impl Publish {
    /// Returns one of which nothing is known but that it happened.
    pub fn unknown(limits: &Limits) -> Self {
        Self { reference: None, documents: BTreeSet::new(), documents_max: limits.told_documents }
    }

    /// Returns one that made this master ref, and did nothing that this ref does not show.
    pub fn at(reference: &str, limits: &Limits) -> Self {
        let reference = Some(reference).filter(|text| !text.is_empty() && text.len() <= REFERENCE_BYTES_MAX);
        Self { reference: reference.map(str::to_owned), ..Self::unknown(limits) }
    }

    /// Adds the id of a document that is said to have changed. What cannot be one, and more than
    /// [`Limits::told_documents`], is left out: the snapshot finds those by itself. Returns whether
    /// there is room for more.
    pub fn add_document(&mut self, id: &str) -> bool {
        if self.documents.len() < self.documents_max && is_id(id) {
            self.documents.insert(id.to_owned());
        }
        self.documents.len() < self.documents_max
    }

    /// Adds what else was heard of the same repository.
    pub fn merge(&mut self, other: Self) {
        if self.reference != other.reference {
            // No one ref stands for both.
            self.reference = None;
        }
        for id in other.documents {
            if !self.add_document(&id) {
                break;
            }
        }
    }

    /// The master ref with which all of it is stored, where one is known.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// Ids of documents that are said to have changed, sorted.
    pub fn documents(&self) -> impl Iterator<Item = &str> {
        self.documents.iter().map(String::as_str)
    }
}

/// Whether a text has the form of a document's id. Nothing else goes into a query.
fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=ID_CHARACTERS_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(told_documents: usize) -> Limits {
        Limits { told_documents, ..Limits::default() }
    }

    #[test]
    fn what_was_heard_twice_of_one_ref_is_of_that_ref_and_of_two_of_none() {
        let limits = limits(10);
        let mut heard = Publish::at("a", &limits);
        heard.merge(Publish::at("a", &limits));
        assert_eq!(heard.reference(), Some("a"));
        let mut two = heard.clone();
        two.merge(Publish::at("b", &limits));
        assert_eq!(two.reference(), None);
        heard.merge(Publish::unknown(&limits));
        assert_eq!(heard.reference(), None, "what has no ref is not stored with one");
        heard.merge(Publish::at("a", &limits));
        assert_eq!(heard.reference(), None);
        assert_eq!(Publish::at("", &limits).reference(), None);
        assert_eq!(Publish::at(&"a".repeat(300), &limits).reference(), None);
    }

    #[test]
    fn ids_are_bounded_in_number_and_length_and_what_is_none_is_left_out() {
        let limits = limits(3);
        let mut heard = Publish::unknown(&limits);
        for id in ["", "a b", "\"]]", "ä", "x\0", &"a".repeat(65)] {
            assert!(heard.add_document(id), "{id}");
        }
        assert_eq!(heard.documents().count(), 0);
        assert!(heard.add_document("XvxXvRAAACQAz1pA") && heard.add_document("b-_2"));
        assert!(!heard.add_document("c"));
        let mut other = Publish::unknown(&limits);
        while other.add_document(&format!("id{}", other.documents.len())) {}
        assert_eq!(other.documents().count(), 3);
        heard.merge(other);
        assert_eq!(heard.documents().collect::<Vec<_>>(), ["XvxXvRAAACQAz1pA", "b-_2", "c"]);
    }
}
