//! Which documents mention which ids, so that a publish looks at those that it concerns and not at all of them.
//!
//! **Invariant.** Whoever mentions an id is found by it. Whoever once did may be found as well.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::edit::mentioned;
use crate::contentapi::{Document, DocumentSet};

/// What parts the name of a slice from its number: such an id is no document's.
const SLICE: char = '$';

/// By an id, who mentions it.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    /// Ids of documents that were read.
    sources: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
    by: HashMap<Box<str>, HashSet<u32>>,
}

impl Mentions {
    /// Reads all documents of a set.
    pub(super) fn of(documents: &DocumentSet) -> Self {
        let mut own = Self::default();
        documents.iter().for_each(|document| own.read(document));
        own
    }

    /// Takes in what a document mentions now.
    pub(super) fn read(&mut self, document: &Document) {
        let own = document.head.id();
        let number = match self.numbers.get(own) {
            Some(number) => *number,
            None => {
                let number =
                    u32::try_from(self.sources.len()).expect("fewer documents than that fit in memory");
                self.sources.push(own.into());
                self.numbers.insert(own.into(), number);
                number
            }
        };
        for id in mentioned(&document.stored()).filter(|id| *id != own && !id.contains(SLICE)) {
            match self.by.get_mut(id) {
                Some(known) => drop(known.insert(number)),
                None => drop(self.by.insert(id.into(), HashSet::from([number]))),
            }
        }
    }

    /// Documents of a set that may mention one of these ids, each once.
    pub(super) fn documents<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
        among: &'a DocumentSet,
    ) -> impl Iterator<Item = &'a Arc<Document>> {
        let numbers: HashSet<u32> = ids.filter_map(|id| self.by.get(id)).flatten().copied().collect();
        numbers.into_iter().filter_map(|number| among.find(&self.sources[number as usize]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contentapi::ASSET_HOST;

    fn document(id: &str, mentions: &[&str]) -> Arc<Document> {
        let links: Vec<String> = mentions.iter().map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
        let text = format!(
            r#"{{"id":"{id}","uid":null,"type":"page","tags":[],"first_publication_date":"2026-11-01T08:00:00+0000","last_publication_date":"2026-11-01T08:00:00+0000","slugs":[],"linked_documents":[],"lang":"en-us","alternate_languages":[],"data":{{"links":[{}]}}}}"#,
            links.join(",")
        );
        Arc::new(Document::parse(&text, &[ASSET_HOST]).unwrap())
    }

    #[test]
    fn whoever_mentions_an_id_is_found_by_it_once() {
        let set = DocumentSet::new([
            document("A", &["B", "C", "hero$B"]),
            document("B", &["C", "C"]),
            document("C", &[]),
        ]);
        let mut mentions = Mentions::of(&set);
        let found = |mentions: &Mentions, ids: &[&'static str], set: &DocumentSet| {
            let found = mentions.documents(ids.iter().copied(), set).map(|own| own.head.id().to_owned());
            let mut found: Vec<String> = found.collect();
            found.sort_unstable();
            found
        };
        assert_eq!(found(&mentions, &["C"], &set), ["A", "B"]);
        assert_eq!(found(&mentions, &["B", "C"], &set), ["A", "B"]);
        assert_eq!(found(&mentions, &["A", "hero$B", "D"], &set), [""; 0], "itself, a slice, nobody");
        // One that comes later, and one that is gone.
        let later = document("D", &["A"]);
        mentions.read(&later);
        let set = set.with_changes([later], &HashSet::from(["A".into()]));
        assert_eq!(
            (found(&mentions, &["A"], &set), found(&mentions, &["B"], &set)),
            (vec!["D".to_owned()], Vec::new())
        );
    }
}
