//! Releases after an incremental read of master.
//!
//! A release's ref is its version and the master ref. While its version stays, only these can differ
//! from master in another way than before: what differed before, and what changed at master or
//! copies something of that. A release of another version is read in full.

use std::collections::{BTreeMap, HashSet};

use super::super::documents::{Asked, Documents};
use super::super::error::Result;
use super::super::names::{self, segment};
use super::{Update, id_of};
use crate::prismic::{Document, Release, Search};
use crate::progress::Phase;
use crate::vault::format::manifest::Tally;
use crate::vault::item::ItemKind;

impl Update<'_> {
    /// Reads what releases change.
    pub(super) async fn read_releases(&self, documents: &mut Documents) -> Result<BTreeMap<String, Tally>> {
        let mut tallies = BTreeMap::new();
        for release in &self.root.releases {
            let again = match self.is_same_version(release) {
                true => self.read_release_again(release, documents).await?,
                false => None,
            };
            let tally = match again {
                Some(tally) => tally,
                None => self.run.read_release(self.root, release, documents, self.same).await?,
            };
            tallies.insert(release.id.clone(), tally);
        }
        if !self.root.releases.is_empty() {
            self.run.progress.finish(Phase::Releases);
        }
        Ok(tallies)
    }

    /// Whether a release itself is as at the snapshot before.
    fn is_same_version(&self, release: &Release) -> bool {
        fn version<'r>(reference: &'r str, master: &str) -> Option<&'r str> {
            reference.strip_suffix(master)?.strip_suffix('~').filter(|version| !version.is_empty())
        }
        let source = &self.base.manifest.source;
        let before = source.releases.get(&release.id).and_then(|before| version(before, &source.master_ref));
        before.is_some() && before == version(&release.reference, &self.root.master_ref)
    }

    /// Reads what may have changed in a release; `None` when that does not add up.
    async fn read_release_again(
        &self,
        release: &Release,
        documents: &mut Documents,
    ) -> Result<Option<Tally>> {
        let run = self.run;
        let search = run.everything(&release.reference, self.root);
        let prefix = format!("{}documents/", names::release_prefix(self.key(), &release.id));
        let before = self.base.below(&prefix).map(id_of);
        let gone = self.gone.iter().map(|at| id_of(&self.base.entries[*at]));
        let concerned = |id: &str| self.asked_for.contains(id) || self.is_changed(&self.fresh[id]);
        let read = self.fresh.keys().map(String::as_str).filter(|id| concerned(id));
        let ids: HashSet<&str> = before.chain(gone).chain(read).collect();
        let mut ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
        ids.sort_unstable();

        let there = std::sync::Mutex::new(HashSet::new());
        let differs = |document: &Document| {
            there.lock().expect("no holder of this lock can panic").insert(document.id.clone());
            let known = run.writer.known(ItemKind::Document, &document.bytes).map(|stored| stored.id);
            known.is_none() || known != documents.items.get(document.id.as_str()).copied()
        };
        let asked = Asked { release: Some(&release.id), wanted: &differs, master: None, same: self.same };
        let changed = run.found_by_id(&search, &ids, asked).await?;
        let there = std::mem::take(&mut *there.lock().expect("no holder of this lock can panic"));
        let only_here = there.iter().filter(|id| !documents.items.contains_key(id.as_str())).count();
        let count = run.page(Search { page_size: 1, ..search.clone() }).await?.total_results_size;
        if (documents.items.len() + only_here) as u64 != count {
            return Ok(None);
        }
        let targets = changed.iter().flat_map(|stored| stored.targets());
        let is_missing = |id: &&str| !documents.items.contains_key(*id) && !there.contains(*id);
        let missing: HashSet<&str> = targets.filter(is_missing).collect();
        let mut missing: Vec<String> = missing.into_iter().map(str::to_owned).collect();
        missing.sort_unstable();
        if !run.found_by_id(&search, &missing, Asked { wanted: &|_| true, ..asked }).await?.is_empty() {
            return Ok(None);
        }
        let mut tally = Tally::default();
        for stored in &changed {
            documents.add(run, stored);
            tally.stored += 1;
            tally.bytes += stored.document.bytes.len() as u64;
        }
        documents.dangling.extend(missing.iter().map(|target| segment(self.key(), target)));
        documents.dangling.sort_unstable();
        documents.dangling.dedup();
        documents.targets = HashSet::new();
        Ok(Some(tally))
    }
}
