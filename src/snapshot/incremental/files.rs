//! Files that documents use and the media library does not list, and external files.
//!
//! What is stored of such a file is put together from all documents that use it, and so is the list
//! of external files; this host cannot read either any more. So they are taken over only if nothing
//! that decides about them changed; else all documents that use any are read.

use std::collections::HashSet;

use super::super::documents::{Carried, Documents};
use super::super::known_links::Known;
use super::super::names;
use super::{Attempt, Update, id_of, unproven};
use crate::vault::format::catalog::AssetNaming;

impl Update<'_> {
    /// Takes files over, or reads and adds the documents that use them.
    pub(super) async fn settle_files(&mut self, documents: &mut Documents) -> Attempt<()> {
        let same_library = self.same_library();
        let (before, now) = self.external_names(documents);
        let keeps_external =
            before == now && before.len() as u64 == self.base.manifest.counts.external_assets;
        let unlisted = |known: Known<'_>| known.assets().any(|id| !documents.wishes.listed().lists(id));
        let mut users: HashSet<usize> = HashSet::new();
        let mut keeps_files = same_library && self.keeps_files(documents);
        if !keeps_external {
            for known in self.kept_known().filter(|known| known.external().next().is_some()) {
                users.insert(known.entry());
                // It is read, and wishes for its files then.
                keeps_files &= !unlisted(known);
            }
        }
        if !keeps_files {
            let uncertain =
                |known: &Known<'_>| unlisted(*known) || !same_library && !self.is_sure(*known, documents);
            users.extend(self.kept_known().filter(uncertain).map(Known::entry));
        }
        documents.carried = self.carried(documents, keeps_files, keeps_external, before.len() as u64)?;
        if keeps_external {
            documents.wishes.external.clear();
        }
        self.add_users(users, documents, keeps_external).await
    }

    /// Whether the media library decides about files as it did at the snapshot before.
    fn same_library(&self) -> bool {
        let settled = self.base.manifest.read.as_ref().is_some_and(|read| read.assets_settled);
        settled && self.same.is_all() && self.base.manifest.counts.assets.reported == self.same.listed()
    }

    /// Whether the files that the media library does not list are those of the snapshot before, and
    /// all of their users documents that did not change.
    fn keeps_files(&self, documents: &Documents) -> bool {
        let manifest = &self.base.manifest;
        let lists = |id: &str| documents.wishes.listed().lists(id);
        let kept = self.are_kept();
        let changed = self.base.known_links.all().filter(|known| !kept[known.entry()]);
        let known = self.base.known_links.all().count();
        known == self.documents.len() + self.base.places_below("releases/").len()
            && !documents.wishes.has_any()
            && manifest.accepted_gaps.is_empty()
            && manifest.warnings.iter().all(|warning| warning.code != "asset-missing")
            && changed.flat_map(Known::assets).all(lists)
    }

    /// Whether a document names its assets the same in a media library that changed.
    fn is_sure(&self, known: Known<'_>, documents: &Documents) -> bool {
        match known.naming() {
            AssetNaming::Told => true,
            AssetNaming::Address => {
                documents.wishes.listed().has_every_address_once()
                    && known.assets().all(|id| self.same.has(id))
            }
            AssetNaming::Guessed => false,
        }
    }

    /// Keyed names of external files: those of the snapshot before, and those of now.
    fn external_names(&self, documents: &Documents) -> (HashSet<String>, HashSet<String>) {
        let names = |known: Known<'_>| known.external().map(str::to_owned).collect::<Vec<_>>();
        let before = self.base.known_links.all().flat_map(names).collect();
        let read = documents.wishes.external.iter().map(|address| self.key().name(address));
        (before, self.kept_known().flat_map(names).chain(read).collect())
    }

    fn carried(&self, documents: &Documents, files: bool, external: bool, count: u64) -> Attempt<Carried> {
        let mut carried = Carried::default();
        if files {
            let id = |path: &str| path.split('/').nth(1).unwrap_or_default().to_owned();
            let unlisted = self.base.below("assets/");
            let unlisted = unlisted.filter(|entry| !documents.wishes.listed().lists(&id(&entry.path)));
            carried.assets = unlisted.cloned().collect();
        }
        if external && count > 0 {
            let Some(entry) = self.base.find(&names::repository("external-assets.json")) else {
                return unproven("the snapshot before lacks its list of external files");
            };
            carried.external = Some((entry.clone(), count));
        }
        Ok(carried)
    }

    /// Reads documents that did not change, for the files that they use.
    async fn add_users(
        &mut self,
        users: HashSet<usize>,
        documents: &mut Documents,
        keeps_external: bool,
    ) -> Attempt<()> {
        let mut ids: Vec<String> = users.iter().map(|at| id_of(&self.base.entries[*at]).to_owned()).collect();
        ids.sort_unstable();
        let search = self.search.clone();
        self.may_ask_of(&search, &ids)?;
        let found = self.run.found_by_id(&search, &ids, self.asked()).await?;
        if found.len() != ids.len() || found.iter().any(|stored| self.is_changed(stored)) {
            return unproven("a document changed that nobody published");
        }
        for stored in found {
            documents.add(self.run, &stored);
            self.fresh.insert(stored.document.id.clone(), stored);
        }
        if keeps_external {
            documents.wishes.external.clear();
        }
        Ok(())
    }
}
