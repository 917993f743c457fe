//! Incremental reads: the documents that changed, and those that copy something of them.
//!
//! A snapshot that a publish triggers must cost requests in proportion to the change, and hold the
//! same as a full read at the same ref. What it takes over from the snapshot before is proven to be
//! the same, by what that snapshot says of itself:
//!
//! - **Published documents** have a publication date. All that were published later than a margin
//!   before the newest date known, or before the last run began if that was earlier, are read.
//! - **Unpublished documents** are missed when documents are counted: what there was, more those
//!   that came, less those that went must be what the API counts. Who told that documents changed
//!   is asked about first, then the cells of type and language where numbers differ are swept.
//! - **Copies.** A document holds copies of what it links to: uid, slug, tags, dates, fields. The
//!   links of the snapshot before say which documents hold copies of a changed one, in copies of
//!   copies as well; those are read by id, whether their links become broken or whole again.
//! - **Files** beside the media library, and the list of external files, depend on all documents
//!   that use them. Either nothing of what decides about them changed, or all these are read.
//!
//! Whatever is not proven that way ends the attempt with a reason, and everything is read: models or
//! languages changed, integration fields did, the snapshot before is partial or does not tell enough,
//! numbers do not add up after all, or most documents are concerned anyway. What no date, number or
//! link tells, such as a change that the API makes to a document without publishing anything, is
//! found by the full read that happens every so often.
//!
//! Everything of a repository is read at one pinned ref. **If we crash here** nothing is lost but
//! the work.

mod files;
mod proof;
mod releases;
mod sweep;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use super::assets::Listed;
use super::base::Base;
use super::documents::{Asked, Documents, Stored};
use super::error::{Result, SnapshotError};
use super::known_links::{Known, SameAssets};
use super::models::Models;
use super::names::segment;
use super::run::{Read, Run};
use crate::contentapi::{format_millis, parse_millis};
use crate::prismic::{Root, Search, predicate};
use crate::progress::Phase;
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::format::manifest::Tally;
use crate::vault::item::ItemKey;

/// What became of an attempt to read only what changed.
pub(super) enum Changes {
    /// Documents, those that did not change included, and those of releases.
    Read(Box<Documents>, BTreeMap<String, Tally>),
    /// All must be read; the reason where an incremental read was asked for.
    Unproven(Option<String>),
}

/// Ends an attempt.
enum Stop {
    /// It cannot be proven that the result is what a full read gives.
    Unproven(String),
    Failed(SnapshotError),
}

impl From<SnapshotError> for Stop {
    fn from(error: SnapshotError) -> Self {
        Self::Failed(error)
    }
}

type Attempt<T> = std::result::Result<T, Stop>;

fn unproven<T>(why: impl Into<String>) -> Attempt<T> {
    Err(Stop::Unproven(why.into()))
}

/// An attempt under way.
struct Update<'a> {
    run: &'a Run<'a>,
    base: &'a Base,
    root: &'a Root,
    /// Everything at the master ref.
    search: Search,
    same: &'a SameAssets,
    /// Where the catalog has documents at the master ref.
    documents: Range<usize>,
    /// Their places by id, as paths have it.
    places: HashMap<&'a str, usize>,
    /// Documents that were read, by id.
    fresh: BTreeMap<String, Stored<'a>>,
    /// Ids of those that were asked for by id.
    asked_for: HashSet<String>,
    /// Places of those that are not published any more.
    gone: HashSet<usize>,
    /// Requests by id that may still be made.
    requests_left: usize,
    /// Documents that the API counts.
    total: u64,
}

impl Run<'_> {
    /// Reads the documents that changed since the snapshot before and takes the others over, if an
    /// incremental read was asked for and that is sure to give what a full read would.
    pub(super) async fn read_changes(
        &self,
        root: &Root,
        models: Option<&Models>,
        listed: Listed,
        same: &SameAssets,
    ) -> Result<Changes> {
        let Read::Incremental { full_every, told } = &self.read else { return Ok(Changes::Unproven(None)) };
        let attempt = async {
            let base = self.provable(root, models, *full_every)?;
            let mut update = Update::new(self, base, root, same)?;
            update.read_published().await?;
            update.read_told(told).await?;
            update.read_concerned().await?;
            update.find_gone().await?;
            update.assemble(listed).await
        };
        match attempt.await {
            Ok((documents, releases)) => Ok(Changes::Read(Box::new(documents), releases)),
            Err(Stop::Unproven(why)) => {
                tracing::info!(why, "documents are read in full");
                Ok(Changes::Unproven(Some(why)))
            }
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}

/// The id in a path of a document.
fn id_of(entry: &CatalogEntry) -> &str {
    entry.path.rsplit('/').next().and_then(|name| name.strip_suffix(".json")).unwrap_or_default()
}

impl<'a> Update<'a> {
    fn new(run: &'a Run<'a>, base: &'a Base, root: &'a Root, same: &'a SameAssets) -> Attempt<Self> {
        let documents = base.places_below("documents/");
        let places: HashMap<&str, usize> =
            documents.clone().map(|at| (id_of(&base.entries[at]), at)).collect();
        if places.len() != documents.len() {
            return unproven("the snapshot before has a document twice");
        }
        let pages = documents.len() / run.limits().page_size.max(1) as usize;
        Ok(Self {
            run,
            base,
            root,
            search: run.everything(&root.master_ref, root),
            same,
            documents,
            places,
            fresh: BTreeMap::new(),
            asked_for: HashSet::new(),
            gone: HashSet::new(),
            requests_left: pages.max(run.limits().incremental_id_requests),
            total: 0,
        })
    }

    fn key(&self) -> &ItemKey {
        self.run.key()
    }

    fn asked(&self) -> Asked<'a> {
        Asked { release: None, wanted: &|_| true, master: None, same: self.same }
    }

    /// Reads what was published since the snapshot before, and counts all documents.
    async fn read_published(&mut self) -> Attempt<()> {
        let run = self.run;
        let since = self.published_since()?;
        let after = predicate::date_after("document.last_publication_date", &since);
        let published = Search { predicates: vec![after], ..self.search.clone() };
        let count = Search { page_size: 1, ..self.search.clone() };
        let first = run.stored_page(published.clone(), self.asked());
        let (all, first) = futures_util::try_join!(run.page(count), first)?;
        self.total = all.total_results_size;
        if first.total > self.total / 2 {
            return unproven(format!("{} of {} documents were published again", first.total, self.total));
        }
        let mut fresh = BTreeMap::new();
        let total = run
            .read_rest(first, &published, Phase::Documents, self.asked(), |page| {
                for stored in page.stored {
                    fresh.insert(stored.document.id.clone(), stored);
                }
                fresh.len() as u64
            })
            .await?;
        if fresh.len() as u64 != total {
            return unproven("the list of documents that were published is not whole");
        }
        self.fresh = fresh;
        run.progress.finish(Phase::Documents);
        Ok(())
    }

    /// The date after which a document that the snapshot before does not hold as it is now must
    /// have been published.
    fn published_since(&self) -> Attempt<String> {
        let manifest = &self.base.manifest;
        let newest = manifest.read.as_ref().and_then(|read| read.newest_publication.as_deref());
        let began = parse_millis(&manifest.started);
        let (Some(newest), Some(began)) = (newest.and_then(parse_millis), began) else {
            return unproven("the snapshot before does not tell its newest publication date");
        };
        let margin = i64::try_from(self.run.limits().publication_margin.as_millis()).unwrap_or(i64::MAX);
        Ok(format_millis(newest.min(began).saturating_sub(margin)))
    }

    /// Whether a document is not what the snapshot before holds.
    fn is_changed(&self, stored: &Stored<'_>) -> bool {
        let before = self.places.get(&*segment(self.key(), &stored.document.id));
        before.is_none_or(|at| {
            let entry = &self.base.entries[*at];
            *entry.path != *stored.path || entry.item != stored.id
        })
    }

    /// Documents that are taken over as they were.
    fn kept(&self) -> impl Iterator<Item = usize> {
        self.are_kept().into_iter().enumerate().filter_map(|(at, kept)| kept.then_some(at))
    }

    /// Which entries of the catalog are documents that are taken over as they were.
    fn are_kept(&self) -> Vec<bool> {
        let mut kept = vec![false; self.base.entries.len()];
        kept[self.documents.clone()].fill(true);
        let read = self.fresh.keys().filter_map(|id| self.places.get(&*segment(self.key(), id)));
        for at in read.chain(&self.gone) {
            kept[*at] = false;
        }
        kept
    }

    /// The same, with what they refer to: all others were read.
    fn kept_known(&self) -> impl Iterator<Item = Known<'a>> {
        let base = self.base;
        self.kept().filter_map(|at| base.known_links.of(at))
    }

    /// Reads the documents that somebody says have changed, as far as they were there before and were
    /// not read yet. Who says so may lie: they are few, and do not count against the requests that
    /// are needed.
    async fn read_told(&mut self, told: &[String]) -> Attempt<()> {
        let is_document = |id: &&String| self.places.contains_key(&***id) && !self.fresh.contains_key(*id);
        let told: BTreeSet<&String> = told.iter().filter(is_document).collect();
        let told: Vec<String> = told.into_iter().take(self.run.limits().told_documents).cloned().collect();
        self.read_ids(&told).await
    }

    /// Reads the documents of which is not known what they refer to, and those that copy something of
    /// a document that changed or went.
    async fn read_concerned(&mut self) -> Attempt<()> {
        let unknown = self.kept().filter(|at| self.base.known_links.of(*at).is_none());
        let mut ids: Vec<String> = unknown.map(|at| id_of(&self.base.entries[at]).to_owned()).collect();
        loop {
            let changed = self.changed();
            let mut asked: BTreeSet<String> = ids.drain(..).collect();
            {
                let changed: HashSet<&str> = changed.iter().map(String::as_str).collect();
                let kept = self.are_kept();
                let concerned = self.base.known_links.concerned(&changed);
                let concerned = concerned.map(Known::entry).filter(|at| kept[*at]);
                asked.extend(concerned.map(|at| id_of(&self.base.entries[at]).to_owned()));
            }
            if asked.is_empty() {
                return Ok(());
            }
            let asked: Vec<String> = asked.into_iter().collect();
            self.read_by_id(&asked).await?;
        }
    }

    /// Ids, as in paths, of documents that came, changed or went.
    fn changed(&self) -> HashSet<String> {
        let came = self.fresh.values().filter(|stored| self.is_changed(stored));
        let came = came.map(|stored| segment(self.key(), &stored.document.id));
        came.chain(self.gone.iter().map(|at| id_of(&self.base.entries[*at]).to_owned())).collect()
    }

    /// Reads documents by id. One that the API does not have has gone.
    async fn read_by_id(&mut self, ids: &[String]) -> Attempt<()> {
        let search = self.search.clone();
        self.may_ask_of(&search, ids)?;
        self.read_ids(ids).await
    }

    /// The same, however many requests it takes.
    async fn read_ids(&mut self, ids: &[String]) -> Attempt<()> {
        let found = self.run.found_by_id(&self.search, ids, self.asked()).await?;
        for stored in found {
            self.asked_for.insert(stored.document.id.clone());
            self.fresh.insert(stored.document.id.clone(), stored);
        }
        for id in ids.iter().filter(|id| !self.fresh.contains_key(*id)) {
            match self.places.get(id.as_str()) {
                Some(at) => self.gone.insert(*at),
                None => return unproven("the API lists a document that it does not give"),
            };
        }
        Ok(())
    }

    fn may_ask_of(&mut self, search: &Search, ids: &[String]) -> Attempt<()> {
        let requests = self.run.content.in_ids_batches(search, ids).len();
        match self.requests_left.checked_sub(requests) {
            Some(left) => self.requests_left = left,
            None => {
                return unproven(format!(
                    "{} documents more are concerned, which is most of them",
                    ids.len()
                ));
            }
        }
        Ok(())
    }

    /// Documents that there must be by what is known.
    fn expected(&self) -> u64 {
        let came = self.fresh.keys().filter(|id| !self.places.contains_key(&*segment(self.key(), id)));
        (self.places.len() - self.gone.len() + came.count()) as u64
    }

    /// Puts together what was read and what is taken over.
    async fn assemble(mut self, listed: Listed) -> Attempt<(Documents, BTreeMap<String, Tally>)> {
        let mut documents = Documents::beside(listed);
        documents.newest = self.newest_before();
        for stored in self.fresh.values() {
            documents.note_date(&stored.document);
            documents.items.insert(stored.document.id.as_str().into(), stored.id);
            documents.add(self.run, stored);
        }
        for at in self.kept().collect::<Vec<_>>() {
            let entry = &self.base.entries[at];
            documents.items.insert(id_of(entry).into(), entry.item);
        }
        self.find_dangling(&mut documents).await?;
        let releases = self.read_releases(&mut documents).await?;
        self.settle_files(&mut documents).await?;
        documents.targets = HashSet::new();
        for known in self.kept_known().collect::<Vec<_>>() {
            documents.add_kept(&self.base.entries[known.entry()], known);
        }
        self.count(&mut documents)?;
        self.run.progress.finish(Phase::Completeness);
        Ok((documents, releases))
    }

    fn newest_before(&self) -> Option<i64> {
        let read = self.base.manifest.read.as_ref()?;
        read.newest_publication.as_deref().and_then(parse_millis)
    }

    /// Names the targets of links that the source does not have. Those that it lacked before are
    /// believed to be missing still: had they been published, they would have been read.
    async fn find_dangling(&mut self, documents: &mut Documents) -> Attempt<()> {
        let mut missing: HashSet<String> = documents.missing_targets(|_| false).into_iter().collect();
        let known = &self.base.known_links;
        // Most ids are linked to from many documents: each is looked up once.
        let linked = |by: Vec<bool>| known.names().iter().zip(by).filter_map(|(id, by)| by.then_some(&**id));
        let now = linked(known.linked_by(self.kept_known()));
        missing.extend(now.filter(|id| !documents.items.contains_key(*id)).map(str::to_owned));
        let in_base = |known: &Known<'_>| self.documents.contains(&known.entry());
        let before = linked(known.linked_by(known.all().filter(in_base)));
        let before: HashSet<&str> = before.filter(|target| !self.places.contains_key(target)).collect();
        let mut new: Vec<String> = missing
            .iter()
            .filter(|target| !before.contains(&*segment(self.key(), target)))
            .cloned()
            .collect();
        new.sort_unstable();
        let search = self.search.clone();
        self.may_ask_of(&search, &new)?;
        if !self.run.found_by_id(&search, &new, self.asked()).await?.is_empty() {
            return unproven("the API left a document out of its lists");
        }
        documents.dangling = missing.iter().map(|target| segment(self.key(), target)).collect();
        documents.dangling.sort_unstable();
        documents.dangling.dedup();
        documents.targets = HashSet::new();
        Ok(())
    }

    /// Counts documents by type and language. The API was asked for the number of all; that these
    /// add up to it is why it was not asked for each.
    fn count(&self, documents: &mut Documents) -> Attempt<()> {
        let before = &self.base.manifest.counts;
        let types = self.root.types.keys().chain(before.documents_by_type.keys());
        let languages = self.root.languages.iter().map(|language| &language.id);
        let languages = languages.chain(before.documents_by_language.keys());
        let fresh = || self.fresh.values().map(|stored| &stored.document);
        let by_segment = |name: &String| (segment(self.key(), name), name.clone());
        let types: HashMap<String, String> =
            types.chain(fresh().map(|document| &document.type_)).map(by_segment).collect();
        let languages: HashMap<String, String> =
            languages.chain(fresh().map(|document| &document.lang)).map(by_segment).collect();
        for type_ in self.root.types.keys() {
            documents.by_type.entry(type_.clone()).or_default();
        }
        for language in &self.root.languages {
            documents.by_language.entry(language.id.clone()).or_default();
        }
        let Documents { entries, tally, by_type, by_language, .. } = documents;
        let at_master = entries.iter().filter(|entry| entry.path.starts_with("documents/"));
        let mut sums: HashMap<(&str, &str), Tally> = HashMap::new();
        for entry in at_master {
            let mut parts = entry.path.split('/').skip(1);
            let cell = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let sum = sums.entry(cell).or_default();
            sum.stored += 1;
            sum.bytes += entry.size;
        }
        for ((language, type_), sum) in sums {
            let (Some(type_), Some(language)) = (types.get(type_), languages.get(language)) else {
                return unproven("the snapshot before has documents of a type or language that nobody knows");
            };
            for tally in [
                &mut *tally,
                by_type.entry(type_.clone()).or_default(),
                by_language.entry(language.clone()).or_default(),
            ] {
                tally.stored += sum.stored;
                tally.bytes += sum.bytes;
            }
        }
        tally.reported = Some(self.total);
        if tally.stored != self.total {
            return unproven("the number of documents is not what the API counts");
        }
        Ok(())
    }
}
