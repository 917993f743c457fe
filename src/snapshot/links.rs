//! Who refers to whom, in little memory: 200,000 documents with their links must fit.

use std::collections::HashMap;
use std::ops::Range;

use super::assets::UsedAssets;
use super::known_links::Known;
use super::names::segment;
use crate::prismic::{Document, References, WALK};
use crate::vault::format::catalog::{AssetNaming, LinkEntry};
use crate::vault::item::ItemKey;

/// Links of all documents, ids interned.
#[derive(Debug, Default)]
pub(super) struct Links {
    names: Interned,
    rows: Vec<Row>,
    /// Numbers here of the names of the snapshot before, by their numbers there: most documents are
    /// taken over from it, and looking up each of their ids by its text takes long.
    from_known: Vec<Option<u32>>,
}

#[derive(Debug)]
struct Row {
    path: Box<str>,
    parts: Parts,
    naming: AssetNaming,
    walk: u32,
}

/// Lists of ids, the numbers of all one after the other.
#[derive(Debug, Default)]
pub(super) struct Interned {
    numbers: HashMap<Box<str>, u32>,
    flat: Vec<u32>,
}

/// Kinds of ids that belong to a document, in the order in which they lie in the flat list.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Links,
    Translations,
    Copies,
    Assets,
    External,
}

impl Part {
    pub(super) const ALL: [Self; 5] =
        [Self::Links, Self::Translations, Self::Copies, Self::Assets, Self::External];
}

/// Where the ids of a document lie in the flat list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    start: u32,
    ends: [u32; Part::ALL.len()],
}

impl Parts {
    pub(super) fn range(&self, part: Part) -> Range<usize> {
        let at = part as usize;
        let start = at.checked_sub(1).map_or(self.start, |before| self.ends[before]);
        start as usize..self.ends[at] as usize
    }
}

impl Interned {
    fn number(&mut self, id: &str) -> u32 {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len()).expect("ids fit into memory, so they are fewer");
        self.numbers.insert(id.into(), number);
        number
    }

    fn end(&self) -> u32 {
        u32::try_from(self.flat.len()).expect("four thousand million links do not fit into memory")
    }

    /// Adds the ids of a document, part by part.
    pub(super) fn add<'i, I: Iterator<Item = &'i str>>(&mut self, ids: impl Fn(Part) -> I) -> Parts {
        let start = self.end();
        let ends = Part::ALL.map(|part| {
            for id in ids(part) {
                let number = self.number(id);
                self.flat.push(number);
            }
            self.end()
        });
        Parts { start, ends }
    }

    /// Returns the ids, each in the place of its number, and the flat list.
    pub(super) fn into_parts(self) -> (Vec<Box<str>>, Vec<u32>) {
        let mut names: Vec<Box<str>> = vec![Box::default(); self.numbers.len()];
        for (name, number) in self.numbers {
            names[number as usize] = name;
        }
        (names, self.flat)
    }
}

impl Links {
    /// Adds the references of a document, with the assets that it was found to use. Where they are
    /// not all files that it refers to, nobody may take them for that later. Ids are written as the
    /// paths of the catalog have them.
    pub(super) fn add(
        &mut self,
        key: &ItemKey,
        path: &str,
        document: &Document,
        references: &References,
        assets: &UsedAssets,
    ) {
        let segments = |part| {
            let ids: Vec<&str> = match part {
                Part::Links => references.documents.iter().map(|link| link.id.as_str()).collect(),
                Part::Translations => {
                    document.alternate_languages.iter().map(|other| other.id.as_str()).collect()
                }
                Part::Copies => references.copied.iter().map(String::as_str).collect(),
                Part::Assets => assets.ids.iter().map(String::as_str).collect(),
                Part::External => assets.external.iter().map(String::as_str).collect(),
            };
            let mut ids: Vec<String> = ids.into_iter().map(|id| segment(key, id)).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let ids = Part::ALL.map(segments);
        let parts = self.names.add(|part| ids[part as usize].iter().map(String::as_str));
        let walk = if references.unusable_assets.is_empty() { WALK } else { 0 };
        self.rows.push(Row { path: path.into(), parts, naming: assets.naming, walk });
    }

    /// Adds a document that refers to what it referred to in the snapshot before.
    pub(super) fn add_known(&mut self, path: &str, known: Known<'_>) {
        self.from_known.resize(known.all().names().len(), None);
        let (names, from_known) = (&mut self.names, &mut self.from_known);
        let start = names.end();
        let ends = Part::ALL.map(|part| {
            for number in known.numbers(part) {
                let own = &mut from_known[*number as usize];
                let own = *own.get_or_insert_with(|| names.number(known.all().name(*number)));
                names.flat.push(own);
            }
            names.end()
        });
        let parts = Parts { start, ends };
        self.rows.push(Row { path: path.into(), parts, naming: known.naming(), walk: WALK });
    }

    /// Returns the entries of the links tree, sorted by path, made one by one. `renamed` are ids of
    /// assets that got others after they were added.
    pub(super) fn into_entries(
        self,
        key: &ItemKey,
        renamed: &HashMap<String, String>,
    ) -> impl Iterator<Item = LinkEntry> + Send + use<> {
        let Self { names, mut rows, .. } = self;
        let (mut names, flat) = names.into_parts();
        for name in &mut names {
            if let Some(new) = renamed.get(&**name) {
                *name = segment(key, new).into();
            }
        }
        // Stable, because that is quick where most are in order already.
        rows.sort_by(|a, b| a.path.cmp(&b.path));
        // Two releases with one id would give a path twice.
        rows.dedup_by(|a, b| a.path == b.path);
        rows.into_iter().map(move |row| {
            let ids = |part| {
                let numbers = &flat[row.parts.range(part)];
                let mut ids: Vec<Box<str>> =
                    numbers.iter().map(|number| names[*number as usize].clone()).collect();
                ids.sort_unstable();
                ids.dedup();
                ids
            };
            LinkEntry {
                links: ids(Part::Links),
                translations: ids(Part::Translations),
                copies: ids(Part::Copies),
                assets: ids(Part::Assets),
                external: ids(Part::External),
                path: row.path,
                naming: row.naming,
                walk: row.walk,
            }
        })
    }
}
