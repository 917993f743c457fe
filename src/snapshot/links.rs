//! Who refers to whom, in little memory: 200,000 documents with their links must fit.

use std::collections::HashMap;
use std::ops::Range;

use super::known_links::Known;
use super::names::segment;
use crate::prismic::{Document, References, WALK};
use crate::vault::format::catalog::LinkEntry;
use crate::vault::item::ItemKey;

/// Links of all documents, ids interned.
#[derive(Debug, Default)]
pub(super) struct Links {
    numbers: Numbers,
    flat: Vec<u32>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    path: Box<str>,
    links: Range<u32>,
    translations: u32,
    assets: u32,
    walk: u32,
}

/// Ids and the numbers that stand for them.
#[derive(Debug, Default)]
pub(super) struct Numbers(HashMap<Box<str>, u32>);

impl Numbers {
    pub(super) fn number(&mut self, id: &str) -> u32 {
        if let Some(number) = self.0.get(id) {
            return *number;
        }
        let number = u32::try_from(self.0.len()).expect("ids fit into memory, so they are fewer");
        self.0.insert(id.into(), number);
        number
    }

    /// Returns the ids, each in the place of its number.
    pub(super) fn into_names(self) -> Vec<Box<str>> {
        let mut names: Vec<Box<str>> = vec![Box::default(); self.0.len()];
        for (name, number) in self.0 {
            names[number as usize] = name;
        }
        names
    }
}

/// Where the next number of a flat list goes.
pub(super) fn end_of(flat: &[u32]) -> u32 {
    u32::try_from(flat.len()).expect("four thousand million links do not fit into memory")
}

impl Links {
    /// Adds the references of a document. `assets` are the ids under which its assets are stored;
    /// where they are not all the files that it refers to, nobody may take them for that later.
    /// Ids are written as the paths of the catalog have them.
    pub(super) fn add(
        &mut self,
        key: &ItemKey,
        path: &str,
        document: &Document,
        references: &References,
        assets: Vec<String>,
    ) {
        let is_all = references.unusable_assets.is_empty() && assets.len() == references.assets.len();
        let mut part = |ids: Vec<&str>| {
            let mut ids: Vec<String> = ids.into_iter().map(|id| segment(key, id)).collect();
            ids.sort_unstable();
            ids.dedup();
            self.extend(ids.iter().map(String::as_str))
        };
        let start = part(Vec::new());
        let links = part(references.documents.iter().map(|link| link.id.as_str()).collect());
        let translations = part(document.alternate_languages.iter().map(|other| other.id.as_str()).collect());
        let assets = part(assets.iter().map(String::as_str).collect());
        let walk = if is_all { WALK } else { 0 };
        self.rows.push(Row { path: path.into(), links: start..links, translations, assets, walk });
    }

    /// Adds a document that refers to what it referred to in the snapshot before.
    pub(super) fn add_known(&mut self, path: &str, known: Known<'_>) {
        let start = end_of(&self.flat);
        let links = self.extend(known.links());
        let translations = self.extend(known.translations());
        let assets = self.extend(known.assets());
        self.rows.push(Row { path: path.into(), links: start..links, translations, assets, walk: WALK });
    }

    /// Adds ids and returns where they end.
    fn extend<'i>(&mut self, ids: impl Iterator<Item = &'i str>) -> u32 {
        for id in ids {
            let number = self.numbers.number(id);
            self.flat.push(number);
        }
        end_of(&self.flat)
    }

    /// Returns the entries of the links tree, sorted by path, made one by one. `renamed` are ids of
    /// assets that got others after they were added.
    pub(super) fn into_entries(
        self,
        key: &ItemKey,
        renamed: &HashMap<String, String>,
    ) -> impl Iterator<Item = LinkEntry> + Send + use<> {
        let Self { numbers, flat, mut rows } = self;
        let mut names = numbers.into_names();
        for name in &mut names {
            if let Some(new) = renamed.get(&**name) {
                *name = segment(key, new).into();
            }
        }
        rows.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        // Two releases with one id would give a path twice.
        rows.dedup_by(|a, b| a.path == b.path);
        rows.into_iter().map(move |row| {
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
                walk: row.walk,
            }
        })
    }
}
