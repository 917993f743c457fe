//! Reading documents at one pinned ref, and checking that they are all.
//!
//! Pages are read at once, so nothing but the ref holds them together; the API promises that a
//! ref is one immutable version. Still nothing is believed: ids must be unique, their number must
//! be `total_results_size`, the same on every page. Where numbered pages fall short, the whole is
//! read again by `after`; what is missing then is a gap.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::assets::{AssetWishes, Listed};
use super::known_links::{Known, SameAssets};
use super::links::Links;
use super::run::Run;
use super::{error::Result, names};
use crate::contentapi::{Millis, format_millis, parse_millis};
use crate::ids::ItemId;
use crate::prismic::{Document, PrismicError, References, Release, Root, Search, SearchPage, predicate};
use crate::progress::{Phase, Problem};
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::format::manifest::Tally;
use crate::vault::item::ItemKind;
use crate::vault::pack::ItemData;
use crate::vault::writer::NewItem;

/// Documents at the master ref, and what was learnt from reading them.
#[derive(Debug, Default)]
pub(super) struct Documents {
    pub(super) entries: Vec<CatalogEntry>,
    pub(super) tally: Tally,
    pub(super) by_type: BTreeMap<String, Tally>,
    pub(super) by_language: BTreeMap<String, Tally>,
    pub(super) links: Links,
    pub(super) wishes: AssetWishes,
    pub(super) gaps: Vec<Problem>,
    pub(super) dangling: Vec<String>,
    /// Id of each document and of its item, to tell what a release changes.
    pub(super) items: HashMap<Box<str>, ItemId>,
    /// What is taken over beside documents where only changes were read.
    pub(super) carried: Carried,
    /// The newest publication date.
    pub(super) newest: Option<Millis>,
    /// Whether some document has none.
    undated: bool,
    /// Targets of links, of the documents that were added last.
    pub(super) targets: HashSet<Box<str>>,
}

/// What an incremental read takes over from the snapshot before, beside documents.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Assets that documents use and the media library does not list.
    pub(super) assets: Vec<CatalogEntry>,
    /// The list of external files, and how many there are.
    pub(super) external: Option<(CatalogEntry, u64)>,
}

/// A document that is stored, and what it refers to.
pub(super) struct Stored<'a> {
    pub(super) document: Document,
    pub(super) id: ItemId,
    pub(super) path: String,
    refers: Refers<'a>,
}

/// What a document refers to.
enum Refers<'a> {
    /// To what it referred to in the snapshot before.
    AsBefore(Known<'a>),
    To(References),
    /// It could not be looked into.
    Unread,
}

/// How documents are asked for, and which of them are stored.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) release: Option<&'a str>,
    pub(super) wanted: &'a (dyn Fn(&Document) -> bool + Sync),
    /// Id of each document at the master ref and of its item, where only others are stored.
    pub(super) master: Option<&'a HashMap<Box<str>, ItemId>>,
    pub(super) same: &'a SameAssets,
}

/// A page of a search, its documents stored.
pub(super) struct Page<'a> {
    pub(super) total: u64,
    pages: u64,
    /// Ids of all its documents.
    pub(super) ids: Vec<String>,
    bytes: u64,
    pub(super) stored: Vec<Stored<'a>>,
}

impl Stored<'_> {
    /// Targets of its links.
    pub(super) fn targets(&self) -> Vec<&str> {
        match &self.refers {
            Refers::AsBefore(known) => known.links().collect(),
            Refers::To(references) => references.documents.iter().map(|target| target.id.as_str()).collect(),
            Refers::Unread => Vec::new(),
        }
    }
}

impl Documents {
    /// Returns none yet, beside a media library that lists these.
    pub(super) fn beside(listed: Listed) -> Self {
        Self { wishes: AssetWishes::beside(listed), ..Self::default() }
    }

    pub(super) fn add(&mut self, run: &Run<'_>, stored: &Stored<'_>) {
        let Stored { document, id, path, refers } = stored;
        let size = document.bytes.len() as u64;
        match refers {
            Refers::AsBefore(known) => {
                self.links.add_known(path, *known);
                self.add_targets(known.links());
            }
            Refers::To(references) => {
                let assets = self.wishes.add(run, path, references);
                self.links.add(run.key(), path, document, references, &assets);
                self.add_targets(references.documents.iter().map(|target| target.id.as_str()));
            }
            Refers::Unread => self.gaps.push(Problem::new(
                "references-unread",
                path.clone(),
                "it is stored, but nested too deep to see what it links to",
            )),
        }
        self.entries.push(CatalogEntry { path: path.as_str().into(), item: *id, size });
    }

    fn add_targets<'t>(&mut self, targets: impl Iterator<Item = &'t str>) {
        for target in targets {
            if !self.targets.contains(target) {
                self.targets.insert(target.into());
            }
        }
    }

    /// Targets of the links that were added last that are neither among the documents nor `known`.
    pub(super) fn missing_targets(&self, known: impl Fn(&str) -> bool) -> Vec<String> {
        let is_missing = |target: &&str| !self.items.contains_key(*target) && !known(target);
        let mut missing: Vec<String> =
            self.targets.iter().map(|target| &**target).filter(is_missing).map(str::to_owned).collect();
        missing.sort_unstable();
        missing
    }

    fn add_master(&mut self, run: &Run<'_>, stored: &Stored<'_>) {
        let document = &stored.document;
        if self.items.contains_key(document.id.as_str()) {
            return;
        }
        for tally in [
            &mut self.tally,
            self.by_type.entry(document.type_.clone()).or_default(),
            self.by_language.entry(document.lang.clone()).or_default(),
        ] {
            tally.stored += 1;
            tally.bytes += document.bytes.len() as u64;
        }
        self.items.insert(document.id.as_str().into(), stored.id);
        self.note_date(document);
        self.add(run, stored);
    }

    pub(super) fn note_date(&mut self, document: &Document) {
        match document.last_publication_date.as_deref().and_then(parse_millis) {
            Some(date) => self.newest = self.newest.max(Some(date)),
            None => self.undated = true,
        }
    }

    /// The newest publication date as the API writes it, where all documents have one.
    pub(super) fn newest_publication(&self) -> Option<String> {
        self.newest.filter(|_| !self.undated).map(format_millis)
    }

    /// Adds a document that is as it was in the snapshot before.
    pub(super) fn add_kept(&mut self, entry: &CatalogEntry, known: Known<'_>) {
        self.links.add_known(&entry.path, known);
        self.entries.push(entry.clone());
    }
}

impl Run<'_> {
    /// Reads all documents at the master ref of `root`.
    pub(super) async fn read_documents(
        &self,
        root: &Root,
        listed: Listed,
        same: &SameAssets,
    ) -> Result<Documents> {
        let mut documents = Documents::beside(listed);
        let search = self.everything(&root.master_ref, root);
        let asked = Asked { release: None, wanted: &|_| true, master: None, same };
        let total = self
            .read_all(&search, Phase::Documents, asked, |page| {
                page.stored.iter().for_each(|stored| documents.add_master(self, stored));
                documents.items.len() as u64
            })
            .await?;
        documents.tally.reported = Some(total);
        self.progress.finish(Phase::Documents);
        self.check_tallies(root, &search, &mut documents).await?;
        let missing = documents.missing_targets(|_| false);
        for stored in self.found_by_id(&search, &missing, asked).await? {
            documents.gaps.push(not_listed(self, None, &stored.document));
            documents.add_master(self, &stored);
        }
        let dangling = missing.into_iter().filter(|target| !documents.items.contains_key(target.as_str()));
        documents.dangling = dangling.map(|target| names::segment(self.key(), &target)).collect();
        documents.targets = HashSet::new();
        Ok(documents)
    }

    /// Reads the documents that differ from master at the ref of a release, and adds them, with a
    /// gap if they are not all.
    pub(super) async fn read_release(
        &self,
        root: &Root,
        release: &Release,
        documents: &mut Documents,
        same: &SameAssets,
    ) -> Result<Tally> {
        let search = self.everything(&release.reference, root);
        let release = release.id.as_str();
        let mut seen: HashSet<String> = HashSet::new();
        let mut tally = Tally::default();
        let master = std::mem::take(&mut documents.items);
        let asked = Asked { release: Some(release), wanted: &|_| true, master: None, same };
        let total = self
            .read_all(&search, Phase::Releases, Asked { master: Some(&master), ..asked }, |page| {
                // A page may hold a document twice.
                let mut added = HashSet::new();
                let is_new = |stored: &&Stored<'_>| {
                    !seen.contains(&stored.document.id) && added.insert(stored.document.id.clone())
                };
                for stored in page.stored.iter().filter(is_new) {
                    documents.add(self, stored);
                    tally.stored += 1;
                    tally.bytes += stored.document.bytes.len() as u64;
                }
                seen.extend(page.ids);
                seen.len() as u64
            })
            .await;
        documents.items = master;
        let total = total?;
        if seen.len() as u64 != total {
            documents.gaps.push(Problem::new(
                "documents-missing",
                names::release_prefix(self.key(), release),
                format!(
                    "the API counts {total} documents at the ref of this release and gave {}",
                    seen.len()
                ),
            ));
        }
        let missing = documents.missing_targets(|target| seen.contains(target));
        let found = self.found_by_id(&search, &missing, asked).await?;
        for stored in &found {
            documents.gaps.push(not_listed(self, Some(release), &stored.document));
            documents.add(self, stored);
            tally.stored += 1;
            tally.bytes += stored.document.bytes.len() as u64;
        }
        let found: HashSet<&str> = found.iter().map(|stored| stored.document.id.as_str()).collect();
        let dangling = missing.iter().filter(|target| !found.contains(target.as_str()));
        documents.dangling.extend(dangling.map(|target| names::segment(self.key(), target)));
        documents.dangling.sort_unstable();
        documents.dangling.dedup();
        documents.targets = HashSet::new();
        Ok(tally)
    }

    pub(super) fn everything(&self, reference: &str, root: &Root) -> Search {
        let mut search = Search::everything(reference, self.limits().page_size);
        search.integration_fields_ref.clone_from(&root.integration_fields_ref);
        search
    }

    /// Stores the documents of every page that are asked for and gives each page to `take`, which
    /// returns how many different documents it has by now. Several pages are asked for and prepared
    /// at once. Returns how many documents the API says there are.
    pub(super) async fn read_all<'s>(
        &'s self,
        search: &Search,
        phase: Phase,
        asked: Asked<'_>,
        take: impl FnMut(Page<'s>) -> u64,
    ) -> Result<u64> {
        let first = self.stored_page(search.clone(), asked).await?;
        self.read_rest(first, search, phase, asked, take).await
    }

    /// The same, after the first page.
    pub(super) async fn read_rest<'s>(
        &'s self,
        first: Page<'s>,
        search: &Search,
        phase: Phase,
        asked: Asked<'_>,
        mut take: impl FnMut(Page<'s>) -> u64,
    ) -> Result<u64> {
        let (total, pages) = (first.total, first.pages);
        self.progress.start(phase, Some(total));
        let mut steady = true;
        let mut take = |page: Page<'s>| {
            self.progress.advance(phase, page.ids.len() as u64, page.bytes);
            take(page)
        };
        let mut have = take(first);
        let mut rest = stream::iter(2..=pages)
            .map(|page| self.stored_page(Search { page, ..search.clone() }, asked))
            .buffer_unordered(self.limits().content_concurrency);
        while let Some(page) = rest.next().await {
            let page = page?;
            steady &= page.total == total;
            have = take(page);
        }
        drop(rest);
        if have == total && steady {
            return Ok(total);
        }
        tracing::info!(have, total, steady, "numbered pages do not add up; reading again by `after`");
        self.read_after(search, asked, take).await
    }

    /// Reads page by page, each after the last document of the one before.
    async fn read_after<'s>(
        &'s self,
        search: &Search,
        asked: Asked<'_>,
        mut take: impl FnMut(Page<'s>) -> u64,
    ) -> Result<u64> {
        let total = self.page(Search { page_size: 1, ..search.clone() }).await?.total_results_size;
        let mut after: Option<String> = None;
        let mut visited = HashSet::new();
        loop {
            let next = Search { after: after.clone(), page: 1, ..search.clone() };
            let page = self.stored_page(next, asked).await?;
            let Some(last) = page.ids.last().cloned() else {
                return Ok(total);
            };
            // An API that ignores `after` would give the same page for ever.
            if !visited.insert(last.clone()) {
                return Ok(total);
            }
            after = Some(last);
            take(page);
        }
    }

    pub(super) async fn stored_page(&self, search: Search, asked: Asked<'_>) -> Result<Page<'_>> {
        let page = self.page(search).await?;
        let ids = page.documents.iter().map(|document| document.id.clone()).collect();
        let bytes = page.documents.iter().map(|document| document.bytes.len() as u64).sum();
        let wanted = page.documents.into_iter().filter(|document| (asked.wanted)(document)).collect();
        let documents = match asked.master {
            Some(master) => self.differing(wanted, master).await,
            None => wanted,
        };
        let stored = self.store_documents(documents, asked).await?;
        Ok(Page { total: page.total_results_size, pages: page.total_pages, ids, bytes, stored })
    }

    /// Returns those documents that are not what is stored of them at the master ref.
    async fn differing(&self, documents: Vec<Document>, master: &HashMap<Box<str>, ItemId>) -> Vec<Document> {
        let bytes = documents.iter().map(|document| document.bytes.clone()).collect();
        let known = self.writer.known_each(ItemKind::Document, bytes).await;
        let differs = |(document, known): (Document, Option<ItemId>)| {
            let is_same = known.is_some() && known.as_ref() == master.get(document.id.as_str());
            (!is_same).then_some(document)
        };
        documents.into_iter().zip(known).filter_map(differs).collect()
    }

    pub(super) async fn page(&self, search: Search) -> Result<SearchPage> {
        self.check_cancelled()?;
        self.content.search(&search).await.map_err(|error| self.source_error(error))
    }

    /// Stores documents and looks what they refer to, off the async threads: into those only of which
    /// the snapshot before does not tell.
    async fn store_documents(&self, documents: Vec<Document>, asked: Asked<'_>) -> Result<Vec<Stored<'_>>> {
        let path = |document: &Document| {
            names::document(self.key(), asked.release, &document.lang, &document.type_, &document.id)
        };
        let paths: Vec<String> = documents.iter().map(path).collect();
        let items = documents.iter().zip(&paths).map(|(document, path)| NewItem {
            kind: ItemKind::Document,
            path: path.clone(),
            data: ItemData::Memory(document.bytes.clone()),
        });
        let items = self.store(items.collect()).await?;
        let mut stored = Vec::with_capacity(documents.len());
        let mut unknown = Vec::new();
        for ((document, path), item) in documents.into_iter().zip(paths).zip(items) {
            match self.known_links(&path, &item.id, asked.same) {
                Some(known) => {
                    stored.push(Stored { document, id: item.id, path, refers: Refers::AsBefore(known) });
                }
                None => unknown.push((document, path, item.id)),
            }
        }
        if unknown.is_empty() {
            return Ok(stored);
        }
        let look = |(document, path, id): (Document, String, ItemId)| {
            let refers = document.references().map_or(Refers::Unread, Refers::To);
            Stored { document, id, path, refers }
        };
        let looked = tokio::task::spawn_blocking(move || {
            unknown.into_iter().map(look).collect::<Vec<Stored<'static>>>()
        });
        stored.extend(looked.await.expect("looking into documents does not panic"));
        Ok(stored)
    }

    /// Asks the API how many documents it has of each type and language, and compares.
    async fn check_tallies(&self, root: &Root, everything: &Search, documents: &mut Documents) -> Result<()> {
        let count = Search { page_size: 1, ..everything.clone() };
        let types = root.types.keys().map(|type_| {
            (
                type_.clone(),
                Search { predicates: vec![predicate::at("document.type", type_)], ..count.clone() },
            )
        });
        let languages = root
            .languages
            .iter()
            .map(|language| (language.id.clone(), Search { lang: language.id.clone(), ..count.clone() }));
        self.progress.start(Phase::Completeness, Some((root.types.len() + root.languages.len()) as u64));
        if documents.tally.stored != documents.tally.reported.unwrap_or(0) {
            documents.gaps.push(shortfall("documents", "documents", documents.tally));
        }
        for (what, tallies, asked) in [
            ("type", &mut documents.by_type, types.collect::<Vec<_>>()),
            ("language", &mut documents.by_language, languages.collect()),
        ] {
            let reported: Vec<(String, Result<SearchPage>)> = stream::iter(asked)
                .map(|(name, search)| async move { (name, self.page(search).await) })
                .buffered(self.limits().content_concurrency)
                .collect()
                .await;
            for (name, page) in reported {
                let tally = tallies.entry(name.clone()).or_default();
                tally.reported = Some(page?.total_results_size);
                self.progress.advance(Phase::Completeness, 1, 0);
                if tally.stored != tally.reported.unwrap_or(0) {
                    documents.gaps.push(shortfall(
                        &format!("documents of {what} {name}"),
                        &format!("documents/{what}/{name}"),
                        *tally,
                    ));
                }
            }
        }
        self.progress.finish(Phase::Completeness);
        Ok(())
    }

    /// Asks by id for the targets of links that were not among the documents, and stores what the
    /// API has. What it does not have is dangling at the source.
    pub(super) async fn found_by_id(
        &self,
        everything: &Search,
        missing: &[String],
        asked: Asked<'_>,
    ) -> Result<Vec<Stored<'_>>> {
        let batches = self.content.in_ids_batches(everything, missing);
        let mut answers = stream::iter(batches)
            .map(|batch| self.page(batch.search))
            .buffer_unordered(self.limits().content_concurrency);
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        while let Some(page) = answers.next().await {
            let new = |document: &Document| seen.insert(document.id.clone()) && (asked.wanted)(document);
            found.extend(page?.documents.into_iter().filter(new));
        }
        drop(answers);
        self.store_documents(found, asked).await
    }

    pub(super) fn source_error(&self, error: PrismicError) -> super::SnapshotError {
        super::SnapshotError::Source { repository: self.target.name.to_string(), error: Box::new(error) }
    }
}

fn not_listed(run: &Run<'_>, release: Option<&str>, document: &Document) -> Problem {
    let path = names::document(run.key(), release, &document.lang, &document.type_, &document.id);
    Problem::new(
        "document-not-listed",
        path,
        "the API has this document and left it out of its list; it is stored",
    )
}

fn shortfall(what: &str, subject: &str, tally: Tally) -> Problem {
    let reported = tally.reported.unwrap_or(0);
    Problem::new(
        "documents-missing",
        subject,
        format!("the API counts {reported} {what} and gave {}", tally.stored),
    )
}

/// A JSON list, one entry a line, as it is stored.
pub(super) fn json_list(entries: &[String]) -> Bytes {
    let mut bytes = serde_json::to_vec_pretty(entries).expect("a list of texts always serialises");
    bytes.push(b'\n');
    bytes.into()
}
