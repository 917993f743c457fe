//! What must hold before an incremental read may be tried at all.

use std::time::Duration;

use super::super::base::Base;
use super::super::models::{Models, root_member};
use super::super::names;
use super::super::run::Run;
use super::{Attempt, unproven};
use crate::clock::parse_when;
use crate::prismic::{AssetList, Root};
use crate::vault::format::manifest::HowRead;
use crate::vault::item::ItemKind;

impl Run<'_> {
    /// Returns the snapshot before, if what did not change since can be told from it.
    pub(super) fn provable(
        &self,
        root: &Root,
        models: Option<&Models>,
        full_every: Duration,
    ) -> Attempt<&Base> {
        let Some(base) = &self.base else { return unproven("there is no snapshot before to begin from") };
        let (manifest, source) = (&base.manifest, &base.manifest.source);
        let Some(read) = &manifest.read else {
            return unproven("the snapshot before was made by an older version");
        };
        if self.library.is_none() || !source.write_token {
            return unproven("without write token nobody says which files documents use");
        }
        if !manifest.gaps.is_empty() {
            return unproven("the snapshot before is partial");
        }
        if manifest.accepted_gaps.iter().any(|gap| !gap.subject.starts_with("assets")) {
            return unproven("the snapshot before lacks something of documents, although that was accepted");
        }
        if !manifest.consistency.changed_during_run.is_empty() {
            return unproven("models or assets changed while the snapshot before was taken");
        }
        if source.content_api != self.content_address() || source.repository != self.target.repository {
            return unproven("the snapshot before was read elsewhere");
        }
        if source.integration_fields_ref != root.integration_fields_ref {
            return unproven("integration fields changed");
        }
        self.same_rendering(base, read, root, models)?;
        self.recently_full(read, full_every)?;
        if !base.entries.iter().all(|entry| self.writer.holds(&entry.item)) {
            return unproven("too few replicas hold the snapshot before");
        }
        Ok(base)
    }

    /// Nothing changed that changes documents nobody published.
    fn same_rendering(
        &self,
        base: &Base,
        read: &HowRead,
        root: &Root,
        models: Option<&Models>,
    ) -> Attempt<()> {
        if !self.same_models(models) {
            return unproven("models changed");
        }
        if !read.models_settled {
            return unproven("nothing had been published since models changed, or since the first snapshot");
        }
        let languages = root_member(root, "languages").and_then(|bytes| {
            let known = self.writer.known(ItemKind::Repository, &bytes)?;
            let before = base.find(&names::repository("languages.json"))?;
            Some(known.id == before.item)
        });
        if languages != Some(true) {
            return unproven("languages changed");
        }
        Ok(())
    }

    fn recently_full(&self, read: &HowRead, full_every: Duration) -> Attempt<()> {
        let Some(last) = parse_when(&read.last_full, self.started) else {
            return unproven("the snapshot before does not tell when documents were last read in full");
        };
        // A clock that went back must not put the full read off for ever.
        match self.started.signed_duration_since(last).to_std() {
            Ok(age) if age < full_every => Ok(()),
            _ => unproven(format!("it is time for a full read: the last began at {}", read.last_full)),
        }
    }

    /// Whether the models are those of the snapshot before.
    pub(in super::super) fn same_models(&self, models: Option<&Models>) -> bool {
        let (Some(base), Some(models)) = (&self.base, models) else { return false };
        base.below("models/").count() == models.len()
            && models.iter().all(|(path, bytes)| {
                let known = self.writer.known(ItemKind::Model, bytes).map(|stored| stored.id);
                known.is_some() && known == base.find(path).map(|entry| entry.item)
            })
    }

    /// Whether the media library lists what it listed at the snapshot before, with the same metadata.
    pub(in super::super) fn same_library(&self, list: Option<&AssetList>) -> bool {
        let (Some(base), same) = (&self.base, self.same_assets(list)) else { return false };
        same.is_all() && base.manifest.counts.assets.reported == same.listed()
    }
}
