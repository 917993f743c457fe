//! Who refers to whom, in little memory: 200,000 documents with their links must fit.

use std::collections::HashMap;
use std::ops::Range;

use super::names::segment;
use crate::prismic::{Document, References};
use crate::vault::format::catalog::LinkEntry;
use crate::vault::item::ItemKey;

/// Links of all documents, ids interned.
#[derive(Debug, Default)]
pub(super) struct Links {
    numbers: HashMap<Box<str>, u32>,
    flat: Vec<u32>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    path: Box<str>,
    links: Range<u32>,
    translations: u32,
    assets: u32,
}

impl Links {
    /// Adds the references of a document. `assets` are the ids under which its assets are stored.
    /// Ids are written as the paths of the catalog have them.
    pub(super) fn add(
        &mut self,
        key: &ItemKey,
        path: &str,
        document: &Document,
        references: &References,
        assets: Vec<String>,
    ) {
        let mut part = |ids: Vec<&str>| {
            let mut ids: Vec<String> = ids.into_iter().map(|id| segment(key, id)).collect();
            ids.sort_unstable();
            ids.dedup();
            for id in &ids {
                let number = self.number(id);
                self.flat.push(number);
            }
            u32::try_from(self.flat.len()).expect("four thousand million links do not fit into memory")
        };
        let start = part(Vec::new());
        let links = part(references.documents.iter().map(|link| link.id.as_str()).collect());
        let translations = part(document.alternate_languages.iter().map(|other| other.id.as_str()).collect());
        let assets = part(assets.iter().map(String::as_str).collect());
        self.rows.push(Row { path: path.into(), links: start..links, translations, assets });
    }

    fn number(&mut self, id: &str) -> u32 {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len()).expect("ids fit into memory, so they are fewer");
        self.numbers.insert(id.into(), number);
        number
    }

    /// Returns the entries of the links tree, sorted by path, made one by one. `renamed` are ids of
    /// assets that got others after they were added.
    pub(super) fn into_entries(
        mut self,
        key: &ItemKey,
        renamed: &HashMap<String, String>,
    ) -> impl Iterator<Item = LinkEntry> + Send + use<> {
        let mut names: Vec<Box<str>> = vec![Box::default(); self.numbers.len()];
        for (name, number) in self.numbers {
            names[number as usize] = match renamed.get(&*name) {
                Some(new) => segment(key, new).into(),
                None => name,
            };
        }
        self.rows.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        // Two releases with one id would give a path twice.
        self.rows.dedup_by(|a, b| a.path == b.path);
        let flat = self.flat;
        self.rows.into_iter().map(move |row| {
            let ids = |range: Range<u32>| {
                let numbers = &flat[range.start as usize..range.end as usize];
                let mut ids: Vec<Box<str>> =
                    numbers.iter().map(|number| names[*number as usize].clone()).collect();
                ids.sort_unstable();
                ids.dedup();
                ids
            };
            LinkEntry {
                path: row.path,
                links: ids(row.links.clone()),
                translations: ids(row.links.end..row.translations),
                assets: ids(row.translations..row.assets),
            }
        })
    }
}
