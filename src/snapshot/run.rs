//! One run: from the root of the repository to the manifest.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::assets::{Assets, Listed};
use super::base::{Base, load_base, stored_again};
use super::documents::{Documents, json_list};
use super::error::{Result, SnapshotError};
use super::incremental::Changes;
use super::known_links::SameAssets;
use super::models::Models;
use super::{Target, names};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::{Digest, ItemId, SnapshotId};
use crate::limits::Limits;
use crate::prismic::{AssetApi, AssetHosts, AssetList, ContentApi, Downloader, Http, Root, TypesApi};
use crate::progress::{Phase, Problem, Progress};
use crate::secret::SafeUrl;
use crate::vault::commit::{Committed, Draft, LinksPart};
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::format::manifest::{Consistency, Counts, HowRead, ReadMode, Source, Tally};
use crate::vault::item::{ItemKey, ItemKind};
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::snapshots::Snapshots;
use crate::vault::space::Space;
use crate::vault::writer::{NewItem, StoredItem, Writer};

/// How a snapshot is taken.
#[derive(Clone)]
pub struct SnapshotOptions<'a> {
    /// What started it: `manual`, or a job's name.
    pub trigger: String,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
    /// Ends it between two units of work.
    pub cancel: CancellationToken,
    /// Which documents it reads.
    pub read: Read,
}

/// Which documents a run reads. Either way the snapshot holds all of them, and the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Read {
    /// All, unless the master ref is that of the snapshot before.
    #[default]
    Full,
    /// Those that changed since the snapshot before, and those that copy something of these; all,
    /// where it cannot be proven that this is the same. The manifest says which it was and why.
    Incremental {
        /// All are read when that was not done for this long.
        full_every: Duration,
        /// Ids of documents that somebody says have changed, such as a webhook of Prismic. Nothing
        /// relies on them: they are asked for at the pinned ref, and the numbers must add up after.
        /// Those that are gone are found with fewer requests. Of very many the first
        /// [`Limits::told_documents`] count, and only those that the snapshot before holds.
        told: Vec<String>,
    },
}

/// What became of a run.
#[derive(Debug, Clone)]
pub struct SnapshotReport {
    /// The snapshot.
    pub committed: Committed,
    /// Whether documents were carried over because the master ref was that of the snapshot
    /// before.
    pub documents_unchanged: bool,
    /// Signs that the vault lost something: manifests that others or this client remember.
    pub lost: Vec<Problem>,
    /// What people should know of the vault.
    pub vault_warnings: Vec<Problem>,
    /// Models of the repository as they were read, JSON each; none without write token.
    pub models: Vec<Bytes>,
    /// Requests to each API, retries included.
    pub requests: BTreeMap<&'static str, u64>,
    /// Time that each pacer held the run up.
    pub pacer_waits: Vec<(String, Duration)>,
    /// How long it took.
    pub took: Duration,
}

/// What all parts of a run share.
pub(super) struct Run<'a> {
    pub(super) target: &'a Target,
    pub(super) vault: &'a Arc<Vault>,
    pub(super) writer: Writer,
    pub(super) content: ContentApi,
    pub(super) types: Option<TypesApi>,
    pub(super) library: Option<AssetApi>,
    pub(super) downloader: Downloader,
    pub(super) progress: &'a dyn Progress,
    pub(super) base: Option<Base>,
    pub(super) started: Timestamp,
    pub(super) read: Read,
    cancel: CancellationToken,
    originals: Mutex<HashMap<ItemId, (ItemId, u64)>>,
    /// Models as they go into the snapshot.
    models_read: Mutex<Vec<Bytes>>,
}

/// What was read in one go at one ref.
struct Reading {
    root: Root,
    models: Option<Models>,
    list: Option<AssetList>,
    content: Content,
    library: Assets,
}

/// Documents: read, or those of the snapshot before.
enum Content {
    /// With files that came back, of those that were accepted as lost.
    Unchanged { back: Vec<CatalogEntry> },
    Read {
        documents: Box<Documents>,
        releases: BTreeMap<String, Tally>,
        wished: Assets,
        how: ReadMode,
        why_full: Option<String>,
    },
}

/// Takes a snapshot of a repository into a vault.
///
/// # Errors
///
/// When the source or the vault fail; nothing that was stored before is harmed then, and what
/// this run stored is used by the next. Losses that do not end a run are in the manifest.
#[tracing::instrument(name = "snapshot", skip_all, fields(repository = target.name.as_str()))]
pub async fn take(
    vault: &Arc<Vault>,
    http: &Http,
    target: &Target,
    options: SnapshotOptions<'_>,
) -> Result<SnapshotReport> {
    let began = std::time::Instant::now();
    let started = vault.now();
    let progress = options.progress;
    progress.start(Phase::OpenVault, None);
    vault.require_may_write().await?;
    let snapshots = Snapshots::load(vault, Some(&target.name)).await?;
    let ledger = Ledger::load(vault, &target.space).await?;
    let lost = lost(vault, target, &snapshots, &ledger)?;
    let space = Space::load_after(vault, &target.space, &ledger).await?;
    let mut vault_warnings = [&space.unreadable[..], &snapshots.unreadable].concat();
    let base = match snapshots.of(&target.name).last() {
        Some(snapshot) => load_base(vault, &space, snapshot.manifest.clone(), &mut vault_warnings).await?,
        None => None,
    };
    let items = base.iter().flat_map(|base| &base.entries).map(|entry| &entry.item);
    let writer = Writer::new(Arc::clone(vault), space, items)?;
    vault_warnings.extend(stored_again(&writer, base.as_ref(), progress));
    let run = Run {
        target,
        vault,
        writer,
        content: ContentApi::new(
            http.clone(),
            target.endpoints.content_api.clone(),
            target.access_token.clone(),
        ),
        types: target.write_token.as_ref().map(|token| {
            TypesApi::new(http.clone(), target.endpoints.types_api.clone(), &target.repository, token.clone())
        }),
        library: target.write_token.as_ref().map(|token| {
            AssetApi::new(http.clone(), target.endpoints.asset_api.clone(), &target.repository, token.clone())
        }),
        downloader: Downloader::new(
            http.clone(),
            AssetHosts::new(&target.endpoints, &target.asset_hosts),
            vault.spool(),
        ),
        progress,
        base,
        started,
        read: options.read,
        cancel: options.cancel.clone(),
        originals: Mutex::default(),
        models_read: Mutex::default(),
    };
    progress.finish(Phase::OpenVault);
    let read = async {
        let (reading, restarts) = Box::pin(run.read_with_restarts()).await?;
        let documents_unchanged = matches!(reading.content, Content::Unchanged { .. });
        let draft = Box::pin(run.draft(reading, restarts, options.trigger, &ledger)).await?;
        run.check_cancelled()?;
        Ok((draft, documents_unchanged))
    };
    // Waits end at once; dropping what is under way leaves the vault as it was.
    let read = tokio::select! {
        read = read => read,
        () = options.cancel.cancelled() => Err(SnapshotError::Cancelled),
    };
    let (draft, documents_unchanged) = match read {
        Ok(read) => read,
        Err(error) => {
            run.keep_progress(&error).await;
            return Err(error);
        }
    };
    progress.start(Phase::Commit, None);
    let committed = run.writer.commit(draft, &snapshots, &ledger).await?;
    progress.finish(Phase::Commit);
    vault_warnings.extend(vault.warnings());
    Ok(SnapshotReport {
        committed,
        documents_unchanged,
        lost,
        vault_warnings,
        models: run.models_read.into_inner().expect("no holder of this lock can panic"),
        requests: http.request_counts().into_iter().map(|(api, count)| (api.label(), count)).collect(),
        pacer_waits: http.pacer_waits(),
        took: began.elapsed(),
    })
}

/// Signs that the vault lost something: manifests and ledger entries that others name.
fn lost(vault: &Vault, target: &Target, snapshots: &Snapshots, ledger: &Ledger) -> Result<Vec<Problem>> {
    let mut lost = snapshots.missing(vault)?;
    let named = snapshots.of(&target.name).iter().flat_map(|snapshot| &snapshot.manifest.ledger);
    if let Err(error) = ledger.require_whole(vault, named) {
        let path = format!("{}/{}", crate::vault::layout::LEDGER, target.space);
        lost.push(Problem::new("ledger-incomplete", path, error.to_string()));
    }
    Ok(lost)
}

impl Run<'_> {
    pub(super) fn key(&self) -> &ItemKey {
        self.vault.item_key().expect("the writer was made with it")
    }

    pub(super) fn limits(&self) -> &Limits {
        self.vault.limits()
    }

    pub(super) fn check_cancelled(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(SnapshotError::Cancelled) } else { Ok(()) }
    }

    pub(super) async fn store(&self, items: Vec<NewItem>) -> Result<Vec<StoredItem>> {
        Ok(self.writer.store(items).await?)
    }

    pub(super) fn note_original(&self, metadata: ItemId, stored: StoredItem) {
        self.originals
            .lock()
            .expect("no holder of this lock can panic")
            .insert(metadata, (stored.id, stored.size));
        self.writer.note_original(metadata, stored.id);
    }

    pub(super) fn noted_original(&self, metadata: &ItemId) -> Option<(ItemId, u64)> {
        self.originals.lock().expect("no holder of this lock can panic").get(metadata).copied()
    }

    /// Keeps what was read so far for the next run: neither a source that fails nor a person who
    /// stops the run must cost it. A vault that failed cannot keep anything.
    async fn keep_progress(&self, error: &SnapshotError) {
        if !matches!(error, SnapshotError::Vault(_))
            && let Err(why) = self.writer.keep_progress().await
        {
            tracing::warn!(error = %with_causes(&why), "the next run cannot go on from here");
        }
    }

    /// Reads everything; starts again at the new ref when the pinned one is refused.
    async fn read_with_restarts(&self) -> Result<(Reading, u32)> {
        let mut restarts = 0;
        loop {
            match self.read().await {
                Err(SnapshotError::Source { repository, error }) if error.is_ref_unavailable() => {
                    if restarts >= self.limits().ref_restarts {
                        return Err(SnapshotError::RefKeepsMoving { repository, times: restarts + 1, error });
                    }
                    restarts += 1;
                    tracing::info!(restarts, "the pinned ref was refused; starting again at the new one");
                }
                other => return Ok((other?, restarts)),
            }
        }
    }

    async fn read(&self) -> Result<Reading> {
        self.check_cancelled()?;
        let root = self.content.root().await.map_err(|error| self.source_error(error))?;
        let (models, list) = futures_util::try_join!(self.list_models(), self.list_library())?;
        if self.is_unchanged(&root) {
            let library = match &list {
                Some(list) => self.read_library(list).await?,
                None => Assets::default(),
            };
            let back = self.try_accepted_again(&root, &self.listed_paths(list.as_ref())).await?;
            return Ok(Reading { root, models, list, content: Content::Unchanged { back }, library });
        }
        let content = async {
            let same = self.same_assets(list.as_ref());
            let listed = || list.as_ref().map(Listed::new).unwrap_or_default();
            let why_full = match self.read_changes(&root, models.as_ref(), listed(), &same).await? {
                Changes::Read(documents, releases) => {
                    return Ok((*documents, releases, ReadMode::Incremental, None));
                }
                Changes::Unproven(why) => why,
            };
            let mut documents = self.read_documents(&root, listed(), &same).await?;
            let releases = self.read_releases(&root, &mut documents, &same).await?;
            Ok::<_, SnapshotError>((documents, releases, ReadMode::Full, why_full))
        };
        let library = async {
            match &list {
                Some(list) => self.read_library(list).await,
                None => Ok(Assets::default()),
            }
        };
        let ((mut documents, releases, how, why_full), library) = futures_util::try_join!(content, library)?;
        let wished = self.read_wishes(&mut documents.wishes).await?;
        let content = Content::Read { documents: Box::new(documents), releases, wished, how, why_full };
        Ok(Reading { root, models, list, content, library })
    }

    async fn list_library(&self) -> Result<Option<AssetList>> {
        let Some(library) = &self.library else { return Ok(None) };
        self.check_cancelled()?;
        let mut before = 0;
        let list = library
            .list(|listed, total| {
                self.progress.start(Phase::AssetList, total);
                self.progress.advance(Phase::AssetList, listed.saturating_sub(before), 0);
                before = listed;
            })
            .await
            .map_err(|error| self.source_error(error))?;
        self.progress.finish(Phase::AssetList);
        Ok(Some(list))
    }

    /// Whether the documents of the snapshot before can be carried over: read at the same refs,
    /// nothing missing, and every item of them still held.
    fn is_unchanged(&self, root: &Root) -> bool {
        let Some(base) = &self.base else { return false };
        let releases: BTreeMap<_, _> =
            root.releases.iter().map(|release| (release.id.clone(), release.reference.clone())).collect();
        let source = &base.manifest.source;
        base.manifest.gaps.is_empty()
            && source.content_api == self.content_address()
            && source.master_ref == root.master_ref
            && source.integration_fields_ref == root.integration_fields_ref
            && source.releases == releases
            && source.write_token == self.library.is_some()
            && base.link_pages.iter().all(|page| self.writer.holds(page))
            && base.entries.iter().all(|entry| self.writer.holds(&entry.item))
    }

    pub(super) fn content_address(&self) -> String {
        SafeUrl(self.content.endpoint()).to_string()
    }

    /// What the manifest says of how documents were read.
    fn how_read(
        &self,
        root: &Root,
        content: &Content,
        models: Option<&Models>,
        list: Option<&AssetList>,
        consistency: &Consistency,
    ) -> Option<HowRead> {
        let before = self.base.as_ref().map(|base| &base.manifest);
        let known = before.and_then(|before| before.read.as_ref());
        let published = before.is_some_and(|before| before.source.master_ref != root.master_ref);
        let models_settled = consistency.changed_during_run.is_empty()
            && self.same_models(models)
            && (published || known.is_some_and(|known| known.models_settled));
        let since = before.map(|before| before.source.master_ref.clone());
        match content {
            Content::Unchanged { .. } => {
                let known = known?;
                let assets_settled = known.assets_settled && self.same_library(list);
                let (documents, why_full) = (ReadMode::CarriedOver, None);
                Some(HowRead { documents, since, why_full, models_settled, assets_settled, ..known.clone() })
            }
            Content::Read { documents, how, why_full, .. } => {
                let last_full = known.filter(|_| *how == ReadMode::Incremental);
                Some(HowRead {
                    documents: *how,
                    since: since.filter(|_| *how == ReadMode::Incremental),
                    why_full: why_full.clone(),
                    last_full: last_full
                        .map_or_else(|| rfc3339(self.started), |known| known.last_full.clone()),
                    newest_publication: documents.newest_publication(),
                    models_settled,
                    assets_settled: true,
                })
            }
        }
    }

    async fn read_releases(
        &self,
        root: &Root,
        documents: &mut Documents,
        same: &SameAssets,
    ) -> Result<BTreeMap<String, Tally>> {
        let mut tallies = BTreeMap::new();
        for release in &root.releases {
            let tally = self.read_release(root, release, documents, same).await?;
            tallies.insert(release.id.clone(), tally);
        }
        if !root.releases.is_empty() {
            self.progress.finish(Phase::Releases);
        }
        Ok(tallies)
    }

    /// Puts together what goes into the manifest; reads models, library and root once more to see
    /// what changed meanwhile.
    async fn draft(
        &self,
        reading: Reading,
        restarts: u32,
        trigger: String,
        ledger: &Ledger,
    ) -> Result<Draft> {
        let Reading { root, mut models, list, content, mut library } = reading;
        let (mut files, consistency) =
            self.look_again(&root, &content, &mut models, list.as_ref(), &mut library).await?;
        let consistency = Consistency { restarts, ..consistency };

        let read = self.how_read(&root, &content, models.as_ref(), list.as_ref(), &consistency);
        let mut counts = Counts::default();
        let (mut gaps, mut warnings) =
            (std::mem::take(&mut library.gaps), std::mem::take(&mut library.warnings));
        let (mut entries, links) = match content {
            Content::Unchanged { back } => {
                let listed = self.listed_paths(list.as_ref());
                let (mut entries, links) =
                    self.carry_over(&listed, &back, &mut counts, &mut gaps, &mut warnings);
                entries.extend(back);
                (entries, links)
            }
            Content::Read { documents, releases, wished, .. } => {
                counts.release_documents = releases;
                let parts = (*documents, wished.beside(&library));
                put_documents(self.key(), parts, &mut counts, &mut gaps, &mut warnings, &mut files)
            }
        };
        counts.assets.reported = library.tally.reported;
        entries.extend(library.entries);
        if let Some(models) = models {
            *self.models_read.lock().expect("no holder of this lock can panic") =
                models.values().cloned().collect();
            let (stored, tally) = self.store_files(ItemKind::Model, models).await?;
            counts.models = tally;
            entries.extend(stored);
        } else {
            warnings.push(Problem::new("no-write-token", "models", "models and the media library cannot be read without write token; assets are those that documents refer to. Make one in the repository under Settings > API & Security and set `write_token`"));
        }
        let (stored, tally) = self.store_files(ItemKind::Repository, files).await?;
        counts.repository = add(counts.repository, tally);
        entries.extend(stored);
        // Stable, because that is quick where most are in order already.
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        entries.dedup_by(|a, b| a.path == b.path);
        // Counted at last: an asset may have been listed twice, before and after a change.
        let originals = entries
            .iter()
            .filter(|entry| entry.path.starts_with("assets/") && entry.path.ends_with("/original"));
        (counts.assets.stored, counts.assets.bytes) =
            originals.fold((0, 0), |(count, bytes), entry| (count + 1, bytes + entry.size));

        let accepted = ledger.accepted_gaps(&self.target.name);
        let (accepted_gaps, gaps) =
            gaps.into_iter().partition(|gap: &Problem| accepted.contains_key(gap.subject.as_str()));
        Ok(Draft {
            repository: self.target.name.clone(),
            snapshot: SnapshotId::new(self.started),
            started: self.started,
            trigger,
            source: Source {
                repository: self.target.repository.clone(),
                content_api: self.content_address(),
                master_ref: root.master_ref,
                integration_fields_ref: root.integration_fields_ref,
                releases: root.releases.into_iter().map(|release| (release.id, release.reference)).collect(),
                write_token: self.library.is_some(),
            },
            entries,
            links,
            counts,
            consistency,
            read,
            gaps: sorted(gaps),
            accepted_gaps: sorted(accepted_gaps),
            warnings: sorted(warnings),
        })
    }

    /// Reads what goes beside the documents, and once more what is not versioned by ref, where
    /// documents were read. All answers are short, and whoever waits for a publish waits for each: they
    /// are asked for at once.
    async fn look_again(
        &self,
        root: &Root,
        content: &Content,
        models: &mut Option<Models>,
        list: Option<&AssetList>,
        library: &mut Assets,
    ) -> Result<(Vec<(String, bytes::Bytes)>, Consistency)> {
        let again = async {
            match content {
                Content::Read { .. } => self.read_again(models, list, library).await,
                Content::Unchanged { .. } => Ok(Vec::new()),
            }
        };
        let at_end = async { self.content.root().await.map_err(|error| self.source_error(error)) };
        let (files, changed_during_run, at_end) =
            futures_util::try_join!(self.repository_files(root), again, at_end)?;
        let master_ref_moved = at_end.master_ref != root.master_ref;
        Ok((files, Consistency { changed_during_run, master_ref_moved, ..Consistency::default() }))
    }

    /// Carries the documents of the snapshot before over, and the assets that they refer to and
    /// the media library does not list: all of them without write token. One that was deleted
    /// from the library meanwhile is kept as well, until documents are read again: they may
    /// refer to it, and its file is still served.
    fn carry_over(
        &self,
        listed: &BTreeSet<String>,
        back: &[CatalogEntry],
        counts: &mut Counts,
        gaps: &mut Vec<Problem>,
        warnings: &mut Vec<Problem>,
    ) -> (Vec<CatalogEntry>, LinksPart) {
        let base = self.base.as_ref().expect("nothing is unchanged without a snapshot before");
        let before = &base.manifest;
        let mut entries: Vec<CatalogEntry> =
            base.below("documents/").chain(base.below("releases/")).cloned().collect();
        for file in ["dangling-links.json", "external-assets.json"] {
            if let Some(entry) = base.find(&names::repository(file)) {
                counts.repository =
                    add(counts.repository, Tally { reported: Some(1), stored: 1, bytes: entry.size });
                entries.push(entry.clone());
            }
        }
        *counts = Counts {
            documents: before.counts.documents,
            documents_by_type: before.counts.documents_by_type.clone(),
            documents_by_language: before.counts.documents_by_language.clone(),
            release_documents: before.counts.release_documents.clone(),
            external_assets: before.counts.external_assets,
            repository: counts.repository,
            ..Counts::default()
        };
        warnings.extend(
            before
                .warnings
                .iter()
                .filter(|warning| warning.code == "dangling-links" || warning.code == "asset-missing")
                .cloned(),
        );
        let read: HashSet<&str> =
            listed.iter().map(String::as_str).chain(back.iter().map(|entry| &*entry.path)).collect();
        entries.extend(base.below("assets/").filter(|entry| !read.contains(&*entry.path)).cloned());
        // What the library lists was tried again, and a few others; the rest stays what it was.
        gaps.extend(before.accepted_gaps.iter().filter(|gap| !read.contains(gap.subject.as_str())).cloned());
        (entries, LinksPart::Same { root: before.links.clone(), pages: base.link_pages.clone() })
    }

    /// Paths of what the media library lists.
    fn listed_paths(&self, list: Option<&AssetList>) -> BTreeSet<String> {
        let assets = list.into_iter().flat_map(|list| &list.assets);
        assets
            .flat_map(|asset| {
                [names::asset_metadata(self.key(), &asset.id), names::asset_original(self.key(), &asset.id)]
            })
            .collect()
    }

    /// Lists models and library again; stores the later state and returns what changed.
    async fn read_again(
        &self,
        models: &mut Option<Models>,
        list: Option<&AssetList>,
        library: &mut Assets,
    ) -> Result<Vec<String>> {
        let mut changed = Vec::new();
        let (models_now, list_now) = futures_util::try_join!(self.list_models(), self.list_library())?;
        if let (Some(before), Some(after)) = (models.as_ref(), models_now) {
            let paths =
                before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path));
            changed.extend(paths.cloned());
            *models = Some(after);
        }
        if let (Some(before), Some(after)) = (list, list_now) {
            let state = |list: &AssetList| -> HashMap<String, Digest> {
                list.assets.iter().map(|asset| (asset.id.clone(), Digest::of(&asset.bytes))).collect()
            };
            let (old, new) = (state(before), state(&after));
            let differing: Vec<_> =
                old.keys().chain(new.keys()).filter(|id| old.get(*id) != new.get(*id)).collect();
            if !differing.is_empty() {
                changed.extend(differing.iter().map(|id| names::asset_metadata(self.key(), id)));
                let before = std::mem::replace(library, self.read_library(&after).await?);
                // What was removed meanwhile stays: documents at the pinned ref may use it.
                let removed: HashSet<String> = old
                    .keys()
                    .filter(|id| !new.contains_key(*id))
                    .flat_map(|id| {
                        [names::asset_metadata(self.key(), id), names::asset_original(self.key(), id)]
                    })
                    .collect();
                library
                    .entries
                    .extend(before.entries.into_iter().filter(|entry| removed.contains(&*entry.path)));
                library.gaps.extend(before.gaps.into_iter().filter(|gap| removed.contains(&gap.subject)));
            }
        }
        changed.sort_unstable();
        changed.dedup();
        Ok(changed)
    }
}

/// Puts what was read of documents into the draft; returns entries and links.
fn put_documents(
    key: &ItemKey,
    (mut documents, wished): (Documents, Assets),
    counts: &mut Counts,
    gaps: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
    files: &mut Vec<(String, bytes::Bytes)>,
) -> (Vec<CatalogEntry>, LinksPart) {
    let renamed = documents.wishes.renamed();
    counts.documents = documents.tally;
    counts.documents_by_type = documents.by_type;
    counts.documents_by_language = documents.by_language;
    counts.external_assets = documents.wishes.external.len() as u64;
    gaps.extend(documents.gaps.into_iter().chain(documents.wishes.unusable).chain(wished.gaps));
    warnings.extend(wished.warnings);
    if !documents.dangling.is_empty() {
        let (path, count) = (names::repository("dangling-links.json"), documents.dangling.len());
        let detail = format!("{count} targets of links do not exist at the source");
        warnings.push(Problem::new("dangling-links", path.clone(), detail));
        files.push((path, json_list(&documents.dangling)));
    }
    if !documents.wishes.external.is_empty() {
        let external: Vec<_> = documents.wishes.external.into_iter().collect();
        files.push((names::repository("external-assets.json"), json_list(&external)));
    }
    let carried = documents.carried;
    if let Some((entry, count)) = carried.external {
        counts.external_assets = count;
        counts.repository = add(counts.repository, Tally { reported: Some(1), stored: 1, bytes: entry.size });
        documents.entries.push(entry);
    }
    let mut entries = documents.entries;
    entries.extend(carried.assets);
    entries.extend(wished.entries);
    (entries, LinksPart::New(Box::new(documents.links.into_entries(key, &renamed))))
}

fn add(a: Tally, b: Tally) -> Tally {
    let reported = match (a.reported, b.reported) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0) + b.unwrap_or(0)),
    };
    Tally { reported, stored: a.stored + b.stored, bytes: a.bytes + b.bytes }
}

fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_unstable();
    problems.dedup();
    problems
}
