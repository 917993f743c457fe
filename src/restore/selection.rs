//! Choosing a part of a snapshot by type, language, id or path.

use std::collections::{BTreeSet, HashMap};

use super::error::{RestoreError, Result};
use super::paths::{Place, place};
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::item::ItemKey;

/// Names that an error lists of what there is.
const NAMES_LISTED: usize = 12;

/// Which part of a snapshot is wanted. What stands in one list is joined by *or*, the lists by
/// *and*; an empty list asks for nothing in particular, so the default is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Documents of these custom types.
    pub types: Vec<String>,
    /// Documents in these languages.
    pub languages: Vec<String>,
    /// Documents and assets with these ids.
    pub ids: Vec<String>,
    /// What lies at or below these paths of the catalog.
    pub paths: Vec<String>,
}

impl Selection {
    /// Whether it is the whole snapshot.
    pub fn is_everything(&self) -> bool {
        self == &Self::default()
    }

    /// Returns the entries of a catalog that are wanted, in their order.
    ///
    /// `key` turns ids that are no plain path segments into those that stand for them.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::RestoreErrorKind::NotFound) when one of the wishes, or all of them
    /// together, match nothing: the error names what there is. A typing mistake must not look
    /// like a restore of little.
    pub fn apply(&self, key: &ItemKey, catalog: &[CatalogEntry]) -> Result<Vec<CatalogEntry>> {
        let mut types = Wishes::new(&self.types, key);
        let mut languages = Wishes::new(&self.languages, key);
        let mut ids = Wishes::new(&self.ids, key);
        let mut paths: Vec<(&str, bool)> =
            self.paths.iter().map(|path| (path.trim_matches('/'), false)).collect();
        let mut selected = Vec::new();
        for entry in catalog {
            let (type_, language, id) = match place(&entry.path) {
                Place::Document { type_, language, id, .. } => (Some(type_), Some(language), Some(id)),
                Place::Asset { id, .. } => (None, None, Some(id)),
                _ => (None, None, None),
            };
            // Each is asked, even when another said no, to know which wishes match nothing.
            let answers = [
                types.match_one(type_),
                languages.match_one(language),
                ids.match_one(id),
                match_path(&mut paths, &entry.path),
            ];
            if answers == [true; 4] {
                selected.push(entry.clone());
            }
        }
        types.require_all("documents of the type", || {
            documents(catalog, |place| match place {
                Place::Document { type_, .. } => Some(type_),
                _ => None,
            })
        })?;
        languages.require_all("documents in the language", || {
            documents(catalog, |place| match place {
                Place::Document { language, .. } => Some(language),
                _ => None,
            })
        })?;
        ids.require_all("a document or asset with the id", || {
            "`prismvault find ID --all` looks in every snapshot".to_owned()
        })?;
        if let Some((path, _)) = paths.iter().find(|(_, matched)| !matched) {
            return Err(no_path(path, catalog));
        }
        if selected.is_empty() {
            return Err(RestoreError::NotFound {
                what: match self.is_everything() {
                    true => "this snapshot holds nothing".to_owned(),
                    false => {
                        "each of the filters matches something, but nothing matches all of them".to_owned()
                    }
                },
                hint: "`prismvault show` counts what the snapshot holds".to_owned(),
            });
        }
        Ok(selected)
    }
}

/// Returns the error for a path at and below which a catalog has nothing, naming what it has.
pub(super) fn no_path(path: &str, catalog: &[CatalogEntry]) -> RestoreError {
    let mut parent = path;
    let there = loop {
        parent = parent.rsplit_once('/').map_or("", |(parent, _)| parent);
        match below(parent, catalog) {
            Some(there) => break there,
            None if parent.is_empty() => break "the snapshot holds nothing at all".to_owned(),
            None => {}
        }
    };
    RestoreError::NotFound {
        what: format!("this snapshot holds nothing at or below the path {path:?}"),
        hint: there,
    }
}

/// Says what a catalog has directly below a path (`""` is the top); `None` when it has nothing.
pub(super) fn below(path: &str, catalog: &[CatalogEntry]) -> Option<String> {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
    let from = catalog.partition_point(|entry| &*entry.path < prefix.as_str());
    let there: BTreeSet<&str> = catalog[from..]
        .iter()
        .map_while(|entry| entry.path.strip_prefix(&prefix))
        .filter_map(|rest| rest.split('/').next())
        .collect();
    let place = if path.is_empty() { "at the top".to_owned() } else { format!("below {path}") };
    (!there.is_empty()).then(|| format!("{place} there is: {}", listed(&there)))
}

fn match_path(paths: &mut [(&str, bool)], path: &str) -> bool {
    let mut any = paths.is_empty();
    for (wanted, matched) in paths {
        let below = path
            .strip_prefix(*wanted)
            .is_some_and(|rest| rest.is_empty() || wanted.is_empty() || rest.starts_with('/'));
        *matched |= below;
        any |= below;
    }
    any
}

fn documents<'a>(catalog: &'a [CatalogEntry], part: impl Fn(Place<'a>) -> Option<&'a str>) -> String {
    let there: BTreeSet<&str> = catalog.iter().filter_map(|entry| part(place(&entry.path))).collect();
    match there.is_empty() {
        true => "this snapshot holds no documents".to_owned(),
        false => format!("there is: {}", listed(&there)),
    }
}

fn listed(names: &BTreeSet<&str>) -> String {
    let mut text = names.iter().take(NAMES_LISTED).copied().collect::<Vec<_>>().join(", ");
    if names.len() > NAMES_LISTED {
        text.push_str(&format!(" and {} more", names.len() - NAMES_LISTED));
    }
    text
}

/// The wishes of one list, and which of them matched something.
struct Wishes<'a> {
    typed: &'a [String],
    /// Segment of a path to the number of the wish.
    segments: HashMap<String, usize>,
    matched: Vec<bool>,
}

impl<'a> Wishes<'a> {
    fn new(typed: &'a [String], key: &ItemKey) -> Self {
        let segments = typed
            .iter()
            .enumerate()
            .flat_map(|(at, text)| [(text.clone(), at), (key.name(text), at)])
            .collect();
        Self { typed, segments, matched: vec![false; typed.len()] }
    }

    fn match_one(&mut self, segment: Option<&str>) -> bool {
        if self.typed.is_empty() {
            return true;
        }
        match segment.and_then(|segment| self.segments.get(segment)) {
            Some(at) => {
                self.matched[*at] = true;
                true
            }
            None => false,
        }
    }

    fn require_all(&self, what: &str, there: impl FnOnce() -> String) -> Result<()> {
        // A wish that was typed twice is one.
        let missing = |text: &&String| self.segments.get(*text).is_some_and(|at| !self.matched[*at]);
        match self.typed.iter().find(missing) {
            Some(text) => Err(RestoreError::NotFound {
                what: format!("this snapshot does not hold {what} {text:?}"),
                hint: there(),
            }),
            None => Ok(()),
        }
    }
}
