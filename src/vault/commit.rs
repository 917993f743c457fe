//! Committing a snapshot: trees, index, and last the manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;

use super::error::{ErrorKind, Result, VaultError};
use super::format::catalog::{CatalogEntry, Entry, LinkEntry};
use super::format::index::PackKind;
use super::format::manifest::{
    Added, Consistency, Counts, HowRead, KIND, Manifest, ReadMode, Source, Status, TreeRoot,
};
use super::format::{VERSION, to_json};
use super::item::{ItemKind, PAGE_PATH};
use super::layout;
use super::lease::Step;
use super::ledger::Ledger;
use super::pack::ItemData;
use super::replica::{Replica, with_causes};
use super::snapshots::Snapshots;
use super::tree::{self, PageBounds};
use super::writer::{NewItem, Shared, Writer, write_index};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::{Digest, ItemId, Name, SnapshotId};
use crate::objects::Body;
use crate::progress::Problem;

/// What a snapshot says, before the vault adds its part.
#[derive(Debug)]
pub struct Draft {
    /// Repository, by the name of the configuration.
    pub repository: Name,
    /// Id of the snapshot.
    pub snapshot: SnapshotId,
    /// When the run began.
    pub started: Timestamp,
    /// What started it.
    pub trigger: String,
    /// Where it was read.
    pub source: Source,
    /// What it holds, sorted by path.
    pub entries: Vec<CatalogEntry>,
    /// Who refers to whom.
    pub links: LinksPart,
    /// Expected and stored numbers.
    pub counts: Counts,
    /// How the parts hang together.
    pub consistency: Consistency,
    /// How documents were read.
    pub read: Option<HowRead>,
    /// What is missing.
    pub gaps: Vec<Problem>,
    /// What is missing and was accepted.
    pub accepted_gaps: Vec<Problem>,
    /// What is worth knowing.
    pub warnings: Vec<Problem>,
}

/// Who refers to whom, in a draft.
pub enum LinksPart {
    /// As in an earlier snapshot, whose pages are all held.
    Same {
        /// The tree.
        root: TreeRoot,
        /// All its pages.
        pages: Vec<ItemId>,
    },
    /// These, sorted by path.
    New(Box<dyn Iterator<Item = LinkEntry> + Send>),
}

impl std::fmt::Debug for LinksPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Same { .. } => "Same",
            Self::New(_) => "New",
        })
    }
}

/// A snapshot that exists.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Its manifest.
    pub manifest: Manifest,
    /// SHA-256 of the manifest.
    pub digest: Digest,
    /// Names of the replicas that hold it.
    pub on: Vec<String>,
    /// Replicas that do not hold it, and why.
    pub behind: BTreeMap<String, String>,
}

impl Writer {
    /// Commits the snapshot. It exists when this returns, and not before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooFewReplicas`] when fewer than `min_copies` confirmed everything,
    /// [`ErrorKind::Refused`] when the run took too long or a clock is off. No manifest is
    /// written then, except where a replica failed in the very moment of writing it.
    #[tracing::instrument(name = "commit", skip_all)]
    pub async fn commit(self, draft: Draft, snapshots: &Snapshots, ledger: &Ledger) -> Result<Committed> {
        let (added_items, added_bytes) = self.added();
        let mut needed: Vec<ItemId> = draft.entries.iter().map(|entry| entry.item).collect();
        // A first snapshot's trees lie one after the other in their packs, for those who read one.
        let side_by_side = draft.read.as_ref().is_some_and(|read| read.documents == ReadMode::Incremental);
        let trees = match self.build_trees(draft.entries, draft.links, side_by_side).await {
            Ok(trees) => trees,
            // The reason is the uploader's.
            Err(error) => return Err(self.finish_packs().await.err().unwrap_or(error)),
        };
        let (catalog, links, pages) = trees;
        needed.extend(pages);
        let mut uploaded = self.finish_packs().await?;
        let vault = &self.vault;
        if !uploaded.unindexed.is_empty() {
            let packs = std::mem::take(&mut uploaded.unindexed);
            uploaded.bytes += write_index(vault, &self.space_name(), packs, Vec::new()).await?;
        }
        self.bring_indexes(&needed).await?;
        ledger.bring_up_to_date(vault).await;
        let behind = self.behind(&needed);
        let holders: Vec<&Replica> =
            vault.replicas.live().filter(|replica| !behind.contains_key(&replica.name)).collect();
        self.require_copies(holders.len(), &behind)?;
        self.check_clocks(&holders, draft.started).await?;
        // A clock that could not be asked ended the part of its replica.
        let asked = holders.len();
        let holders: Vec<&Replica> = holders.into_iter().filter(|replica| replica.is_live()).collect();
        let behind = if holders.len() == asked { behind } else { self.behind(&needed) };
        self.require_copies(holders.len(), &behind)?;

        let manifest = Manifest {
            kind: KIND.to_owned(),
            format: VERSION,
            vault: vault.file.vault,
            key: layout::manifest(&draft.repository, &draft.snapshot),
            space: self.space_name(),
            parents: snapshots.parents_of_next(&draft.repository),
            repository: draft.repository,
            snapshot: draft.snapshot,
            status: if draft.gaps.is_empty() { Status::Complete } else { Status::Partial },
            source: draft.source,
            started: rfc3339(draft.started),
            finished: rfc3339(vault.clock.now()),
            trigger: draft.trigger,
            catalog,
            links,
            counts: draft.counts,
            added: Added {
                items: added_items,
                bytes: added_bytes,
                packs: uploaded.packs,
                stored_bytes: uploaded.bytes,
            },
            consistency: draft.consistency,
            read: draft.read,
            gaps: draft.gaps,
            accepted_gaps: draft.accepted_gaps,
            warnings: draft.warnings,
            ledger: ledger.heads(),
            trust: vault.trust.n,
            audit: vault.audit_head(),
            run: vault.run.clone(),
            tool: concat!("prismvault ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        self.write_manifest(manifest, holders, behind, ledger).await
    }

    /// Builds catalog and links, on threads of their own, one after the other or side by side; returns
    /// them and all their pages.
    async fn build_trees(
        &self,
        entries: Vec<CatalogEntry>,
        links: LinksPart,
        side_by_side: bool,
    ) -> Result<(TreeRoot, TreeRoot, Vec<ItemId>)> {
        let shared = Arc::clone(&self.shared);
        // Packs before catalog packs.
        let packs = move || shared.finish_lanes(&[PackKind::Content, PackKind::Assets]);
        tokio::task::spawn_blocking(packs).await.expect("packing does not panic")?;
        let catalog = self.build_tree(entries);
        let links = async {
            match links {
                LinksPart::Same { root, pages } => Ok((root, pages)),
                LinksPart::New(links) => self.build_tree(links).await,
            }
        };
        let ((catalog, mut pages), (links, pages_of_links)) = match side_by_side {
            true => tokio::try_join!(catalog, links)?,
            false => (catalog.await?, links.await?),
        };
        pages.extend(pages_of_links);
        Ok((catalog, links, pages))
    }

    async fn build_tree<E: Entry>(
        &self,
        entries: impl IntoIterator<Item = E> + Send + 'static,
    ) -> Result<(TreeRoot, Vec<ItemId>)> {
        let limits = &self.vault.limits;
        let bounds = PageBounds { min: limits.page_entries_min, max: limits.page_entries_max };
        let (shared, vault) = (Arc::clone(&self.shared), Arc::clone(&self.vault));
        let build = move || {
            let mut pages = Vec::new();
            let root = build(&shared, entries, vault.item_key()?, bounds, &mut pages)?;
            Ok::<_, VaultError>((root, pages))
        };
        tokio::task::spawn_blocking(build).await.expect("building trees does not panic")
    }

    fn space_name(&self) -> Name {
        self.shared.space.lock().expect("no holder of this lock can panic").name.clone()
    }

    /// Copies index objects to replicas that hold packs of this snapshot and lack what describes
    /// them: a run that was killed may have written one to some replicas only.
    async fn bring_indexes(&self, needed: &[ItemId]) -> Result<()> {
        let vault = &self.vault;
        let mut missing: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
        {
            let space = self.shared.space.lock().expect("no holder of this lock can panic");
            let packs: BTreeSet<_> = needed
                .iter()
                .flat_map(|id| space.index.locations(id))
                .map(|location| location.pack)
                .collect();
            for (at, _) in vault.replicas.all().iter().enumerate().filter(|(_, replica)| replica.is_live()) {
                let Some(listing) = space.listing(at) else { continue };
                for pack in packs.iter().map(|number| &space.index.packs()[*number as usize]) {
                    let described = pack.indexed_by.iter().any(|index| listing.indexes.contains_key(index));
                    if let Some(index) =
                        pack.indexed_by.first().filter(|_| !described && listing.has_pack(pack))
                    {
                        let replicas = missing.entry(*index).or_default();
                        if !replicas.contains(&at) {
                            replicas.push(at);
                        }
                    }
                }
            }
        }
        for (index, replicas) in missing {
            let key = layout::index(&self.space_name(), &index);
            let bytes = vault
                .replicas
                .read_any(
                    &key,
                    vault.limits.index_bytes_max,
                    |_, bytes| Ok(bytes),
                    |error| vault.read_around(&key, error),
                )
                .await?;
            for replica in replicas.into_iter().map(|at| &vault.replicas.all()[at]) {
                if let Err(error) = replica.store_new(&key, Body::bytes(bytes.clone())).await {
                    replica.fail(error);
                }
            }
        }
        Ok(())
    }

    /// Returns the live replicas that lack a pack that the snapshot needs, with the number.
    fn behind(&self, needed: &[ItemId]) -> BTreeMap<String, String> {
        let space = self.shared.space.lock().expect("no holder of this lock can panic");
        let absent = self.vault.replicas.failed().into_iter();
        let mut behind: BTreeMap<String, String> =
            absent.map(|(name, failure)| (name, failure.why)).collect();
        for (at, replica) in self.vault.replicas.all().iter().enumerate() {
            if replica.is_live() {
                let lacking = needed.iter().filter(|id| !space.keeps_item(at, id)).count();
                if lacking > 0 {
                    behind.insert(
                        replica.name.clone(),
                        format!("it lacks {lacking} older items that this snapshot needs"),
                    );
                }
            }
        }
        behind
    }

    fn require_copies(&self, holders: usize, behind: &BTreeMap<String, String>) -> Result<()> {
        let min = self.vault.replicas.min_copies;
        if holders >= min {
            return Ok(());
        }
        let reasons: Vec<_> = behind.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        Err(VaultError::new(
            ErrorKind::TooFewReplicas,
            format!("{holders} of the {min} replicas that must hold a snapshot could take it ({}); no snapshot was made", reasons.join("; ")),
        )
        .hint(format!(
            "{}; then run the same command again, what was stored so far is used then",
            self.vault.replicas.next_steps()
        )))
    }

    async fn check_clocks(&self, holders: &[&Replica], started: Timestamp) -> Result<()> {
        let limits = &self.vault.limits;
        let now = self.vault.clock.now();
        if now.signed_duration_since(started).to_std().is_ok_and(|took| took > limits.max_run) {
            return Err(VaultError::new(
                ErrorKind::Refused,
                format!(
                    "the run took longer than {} hours, so it may not commit",
                    limits.max_run.as_secs() / 3600
                ),
            )
            .hint("run it again: it goes on from what was stored; pruning relies on this limit"));
        }
        super::clocks::check(self.vault.as_ref(), holders.iter().copied()).await
    }

    async fn write_manifest(
        &self,
        manifest: Manifest,
        holders: Vec<&Replica>,
        mut behind: BTreeMap<String, String>,
        ledger: &Ledger,
    ) -> Result<Committed> {
        let vault = &self.vault;
        vault.require_lease(Step::Adds).await?;
        let bytes = to_json(&manifest);
        let signature = vault.signing_key()?.sign(&bytes, &manifest.key);
        let signature_key = layout::signature(&manifest.key);
        let mut on = holders;
        for (key, body) in [
            (&signature_key, Body::bytes(signature.clone().into_bytes())),
            (&manifest.key, Body::bytes(bytes.clone())),
        ] {
            let results = join_all(on.iter().map(|replica| replica.store_new(key, body.clone()))).await;
            let mut stored = Vec::new();
            for (replica, result) in on.into_iter().zip(results) {
                match result {
                    Ok(()) => stored.push(replica),
                    Err(error) => {
                        behind.insert(replica.name.clone(), with_causes(&error));
                        replica.fail(error);
                    }
                }
            }
            on = stored;
            // The manifest itself is the last object: where it is, the snapshot exists.
            if *key == manifest.key && !on.is_empty() && on.len() < self.vault.replicas.min_copies {
                let names: Vec<_> = on.iter().map(|replica| replica.name.as_str()).collect();
                return Err(VaultError::new(
                    ErrorKind::TooFewReplicas,
                    format!(
                        "the snapshot {} is on {} only, which is too few to count as taken",
                        manifest.snapshot,
                        names.join(", ")
                    ),
                )
                .hint("mend the other replicas and take another snapshot: it stores what they lack"));
            }
            self.require_copies(on.len(), &behind)?;
        }
        vault.cache.keep(&manifest.key, &bytes);
        vault.cache.keep(&signature_key, signature.as_bytes());
        let digest = Digest::of(&bytes);
        let remember = || {
            let mut remembered = vault.memory.recall()?;
            remembered.heads.insert(manifest.repository.clone(), (manifest.snapshot.clone(), digest));
            // Never less than before: an entry that is missing now must stay missed.
            if ledger.require_whole(vault, []).is_ok() {
                remembered.ledger.insert(manifest.space.clone(), manifest.ledger.clone());
            }
            vault.memory.remember(&remembered)
        };
        // The snapshot exists by now; not to remember it is worth a warning, not a failure.
        if let Err(error) = remember() {
            vault.warn(Problem::new("not-remembered", manifest.key.clone(), with_causes(&error)));
        }
        let on = on.into_iter().map(|replica| replica.name.clone()).collect();
        Ok(Committed { manifest, digest, on, behind })
    }
}

fn build<E: Entry>(
    shared: &Shared,
    entries: impl IntoIterator<Item = E>,
    key: &super::item::ItemKey,
    bounds: PageBounds,
    pages: &mut Vec<ItemId>,
) -> Result<TreeRoot> {
    tree::build(entries, key, bounds, |page: Bytes| {
        let item = NewItem { kind: ItemKind::Page, path: PAGE_PATH.to_owned(), data: ItemData::Memory(page) };
        let stored = shared.store(item)?;
        pages.push(stored.id);
        Ok(stored.id)
    })
}
