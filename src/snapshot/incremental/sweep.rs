//! Finding documents that are not published any more.
//!
//! No date tells them. The number of all documents says that there are some; the numbers of each
//! type, and in those that differ of each language, say where; there all are listed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::StreamExt as _;
use futures_util::stream;

use super::super::documents::Asked;
use super::super::names::segment;
use super::{Attempt, Update, id_of, unproven};
use crate::prismic::{Search, predicate};
use crate::progress::Phase;

/// Type and language of documents.
type Cell = (String, String);

impl Update<'_> {
    /// Sweeps until numbers add up.
    pub(super) async fn find_gone(&mut self) -> Attempt<()> {
        if self.expected() == self.total {
            return Ok(());
        }
        let new = self.sweep().await?;
        if !new.is_empty() {
            self.read_by_id(&new).await?;
        }
        self.read_concerned().await?;
        if self.expected() == self.total {
            return Ok(());
        }
        unproven("the numbers of documents do not add up")
    }

    /// Marks the documents that the API does not list any more as gone, and returns the ids of those
    /// that it lists and nobody knew.
    async fn sweep(&mut self) -> Attempt<Vec<String>> {
        let cells = self.cells();
        let types: BTreeSet<String> = cells.keys().map(|(type_, _)| type_.clone()).collect();
        let languages: BTreeSet<String> = cells.keys().map(|(_, language)| language.clone()).collect();
        let asked = types.iter().map(|type_| {
            let of_type = cells.iter().filter(|((known, _), _)| known == type_);
            (type_.clone(), self.of_type(type_), of_type.map(|(_, ids)| ids.len() as u64).sum())
        });
        let types = self.differing(asked.collect()).await?;
        let asked = types.iter().flat_map(|type_| languages.iter().map(move |lang| (type_, lang)));
        let asked = asked.map(|(type_, lang)| {
            let cell = (type_.clone(), lang.clone());
            let expected = cells.get(&cell).map_or(0, |ids| ids.len() as u64);
            (cell, Search { lang: lang.clone(), ..self.of_type(type_) }, expected)
        });
        let differing = self.differing(asked.collect()).await?;
        let mut new = Vec::new();
        for cell in differing {
            let listed = self.list(&cell).await?;
            for id in cells.get(&cell).into_iter().flatten() {
                match self.places.get(id.as_str()) {
                    Some(at) if !listed.contains_key(id) => {
                        self.gone.insert(*at);
                    }
                    _ => {}
                }
            }
            let known = cells.get(&cell);
            let unknown = listed.into_iter().filter(|(id, _)| known.is_none_or(|known| !known.contains(id)));
            new.extend(unknown.map(|(_, id)| id));
        }
        self.fresh.retain(|id, _| {
            let at = self.places.get(&*segment(self.run.key(), id));
            at.is_none_or(|at| !self.gone.contains(at))
        });
        Ok(new)
    }

    /// Ids, as in paths, of the documents that there should be, by type and language.
    fn cells(&self) -> BTreeMap<Cell, HashSet<String>> {
        let mut cells: BTreeMap<Cell, HashSet<String>> = BTreeMap::new();
        let before = &self.base.manifest.counts;
        for type_ in self.root.types.keys().chain(before.documents_by_type.keys()) {
            for language in self.root.languages.iter().map(|language| &language.id) {
                cells.entry((type_.clone(), language.clone())).or_default();
            }
        }
        let by_path: HashMap<(String, String), Cell> = cells
            .keys()
            .map(|cell| ((segment(self.key(), &cell.0), segment(self.key(), &cell.1)), cell.clone()))
            .collect();
        for at in self.kept() {
            let entry = &self.base.entries[at];
            let mut parts = entry.path.split('/').skip(1);
            let (language, type_) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            if let Some(cell) = by_path.get(&(type_.to_owned(), language.to_owned())) {
                cells.entry(cell.clone()).or_default().insert(id_of(entry).to_owned());
            }
        }
        for stored in self.fresh.values() {
            let document = &stored.document;
            let cell = (document.type_.clone(), document.lang.clone());
            cells.entry(cell).or_default().insert(segment(self.key(), &document.id));
        }
        cells
    }

    fn of_type(&self, type_: &str) -> Search {
        Search { predicates: vec![predicate::at("document.type", type_)], ..self.search.clone() }
    }

    /// Asks for numbers; returns what belongs to searches that do not give the number expected.
    async fn differing<T>(&self, asked: Vec<(T, Search, u64)>) -> Attempt<Vec<T>> {
        let run = self.run;
        run.progress.start(Phase::Completeness, Some(asked.len() as u64));
        let mut answers = stream::iter(asked)
            .map(|(what, search, expected)| async move {
                let page = run.page(Search { page_size: 1, ..search }).await;
                page.map(|page| (what, page.total_results_size != expected))
            })
            .buffered(run.limits().content_concurrency);
        let mut differing = Vec::new();
        while let Some(answer) = answers.next().await {
            let (what, differs) = answer?;
            run.progress.advance(Phase::Completeness, 1, 0);
            if differs {
                differing.push(what);
            }
        }
        Ok(differing)
    }

    /// Lists a cell: ids as in paths, and as the API has them.
    async fn list(&self, (type_, language): &Cell) -> Attempt<HashMap<String, String>> {
        let search = Search { lang: language.clone(), ..self.of_type(type_) };
        let nothing = Asked { wanted: &|_| false, ..self.asked() };
        let mut ids: HashMap<String, String> = HashMap::new();
        let total = self
            .run
            .read_all(&search, Phase::Completeness, nothing, |page| {
                ids.extend(page.ids.into_iter().map(|id| (segment(self.key(), &id), id)));
                ids.len() as u64
            })
            .await?;
        if ids.len() as u64 != total {
            return unproven("the API does not list as many documents as it counts");
        }
        Ok(ids)
    }
}
